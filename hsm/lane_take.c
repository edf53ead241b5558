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

static struct timespec
timespec_of(int64_t ns)
{
	if (ns < 0)
		ns = 0;
	return (struct timespec){ .tv_sec = ns / NS_PER_S,
		.tv_nsec = ns % NS_PER_S };
}

struct lane *
lane_take(struct lane_pool *pool, int64_t deadline_ns, struct status *ret_why)
{
	const struct timespec until = timespec_of(deadline_ns);
	struct lane *taken = NULL;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		bool worth_waiting = false;
		const struct lane *down = NULL;

		for (unsigned i = 0; i < pool->n && taken == NULL; i++) {
			struct lane *lane = &pool->lanes[i];

			if (lane->state == LANE_READY && !lane->busy &&
			    !lane->reserved)
				taken = lane;
			else if (lane->state == LANE_READY || lane->hopeful)
				worth_waiting = true;
			else if (down == NULL)
				down = lane;
		}
		if (taken != NULL) {
			taken->busy = true;
			break;
		}
		if (!worth_waiting) {
			*ret_why = reason_status(down->reason, down->detail);
			break;
		}
		if (pthread_cond_timedwait(&pool->idle, &pool->lock, &until) ==
		    ETIMEDOUT) {
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
	lane->reserved = true;
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
	lane->reserved = false;
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
