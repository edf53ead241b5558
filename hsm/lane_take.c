/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Taking a lane: any that is idle, or a certain one; and ending one that cannot
 * be taken when what it holds must go.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "hsm/lane.h"

#define END_LIMIT_MS 10000
#define STAND_BACK_NS (20 * NS_PER_MS)

static struct timespec
timespec_of(int64_t ns)
{
	if (ns < 0)
		ns = 0;
	return (struct timespec){ .tv_sec = ns / NS_PER_S,
		.tv_nsec = ns % NS_PER_S };
}

/* With the lock: a lane to take; else whether to wait for one, and the first
 * that is down. */
static struct lane *
idle_lane(struct lane_pool *pool, bool *ret_worth_waiting,
    const struct lane **ret_down)
{
	*ret_worth_waiting = false;
	*ret_down = NULL;
	for (unsigned i = 0; i < pool->n; i++) {
		struct lane *lane = &pool->lanes[i];

		if (lane->state == LANE_READY && !lane->busy &&
		    lane->reserved == 0)
			return lane;
		if (lane->state == LANE_READY || lane->hopeful)
			*ret_worth_waiting = true;
		else if (*ret_down == NULL)
			*ret_down = lane;
	}
	return NULL;
}

struct lane *
lane_take(struct lane_pool *pool, enum lane_manners manners,
    int64_t deadline_ns, struct status *ret_why)
{
	struct timespec until = timespec_of(deadline_ns);
	struct lane *taken = NULL;
	bool stands_back;

	pthread_mutex_lock(&pool->lock);
	/* A lane that is idle may be about to be taken by one that was woken
	 * for it. */
	stands_back = manners == LANE_LAST && pool->waiting > 0;
	if (stands_back)
		until = timespec_of(clock_mono_ns() + STAND_BACK_NS);
	for (;;) {
		const struct lane *down;
		bool worth_waiting;
		int error;

		taken = idle_lane(pool, &worth_waiting, &down);
		if (taken != NULL && !stands_back) {
			taken->busy = true;
			break;
		}
		if (taken == NULL && !worth_waiting) {
			*ret_why = reason_status(down->reason, down->detail);
			break;
		}
		taken = NULL;
		pool->waiting++;
		error =
		    pthread_cond_timedwait(&pool->idle, &pool->lock, &until);
		pool->waiting--;
		if (stands_back) {
			stands_back = false;
			until = timespec_of(deadline_ns);
		} else if (error == ETIMEDOUT) {
			/* The wake-up may have been meant for another. */
			pthread_cond_signal(&pool->idle);
			*ret_why = reason_status(REASON_LATE, 0);
			break;
		}
	}
	pthread_mutex_unlock(&pool->lock);
	return taken;
}

bool
lane_take_this(struct lane *lane, int64_t deadline_ns)
{
	const struct timespec until = timespec_of(deadline_ns);
	struct lane_pool *pool = lane->pool;
	bool taken = false;

	pthread_mutex_lock(&pool->lock);
	lane->reserved++;
	for (;;) {
		if (lane->state == LANE_READY && !lane->busy) {
			taken = lane->busy = true;
			break;
		}
		/* A lane in mid-probe may become ready with what it saw before
		 * this call, so its probe is waited for. */
		if (lane->state != LANE_READY && !lane->busy && !lane->hopeful)
			break;
		if (pthread_cond_timedwait(
			&pool->changed, &pool->lock, &until) == ETIMEDOUT)
			break;
	}
	lane->reserved--;
	pthread_cond_broadcast(&pool->idle);
	pthread_mutex_unlock(&pool->lock);
	return taken;
}

void
lane_end(struct lane *lane)
{
	struct lane_pool *pool = lane->pool;
	struct pollfd ended = { .fd = -1, .events = POLLIN };
	scoped(close) int pidfd = -1;

	pthread_mutex_lock(&pool->lock);
	/* One that is dead already was killed, and is about to be buried. */
	if (lane->running && !lane->dead) {
		lane_kill(lane);
		pidfd = fcntl(lane->pidfd, F_DUPFD_CLOEXEC, 0);
	}
	pthread_mutex_unlock(&pool->lock);
	ended.fd = pidfd;
	if (pidfd >= 0)
		(void)poll(&ended, 1, END_LIMIT_MS);
}
