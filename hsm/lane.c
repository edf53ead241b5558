/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The life of a lane.  All patience is here: back-off between restarts and
 * between probes, the bound after which a worker is hung, and who may wait for
 * what.  A lane that is not ready is never offered to callers, so they learn
 * at once that it cannot serve; only for a first try after a loss, which takes
 * milliseconds, are they asked to wait ("hopeful").
 *
 * Only one lane of a pool probes at a time, since each probe may try the PIN:
 * after one refusal none tries it again.
 */

#include "hsm/lane.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define BACKOFF_FIRST_NS (100 * NS_PER_MS)
#define BACKOFF_LAST_NS (5 * NS_PER_S)
/* A worker that served this long is restarted without delay. */
#define PROVEN_NS NS_PER_S
#define STOP_GRACE_MS 2000

typedef void (*lane_act)(struct lane *);

static void
wake(struct lane *lane)
{
	(void)eventfd_write(lane->wake, 1);
}

static void
wake_all(struct lane_pool *pool)
{
	for (unsigned i = 0; i < pool->n; i++)
		wake(&pool->lanes[i]);
}

static int64_t
backoff_ns(unsigned failures)
{
	int64_t ns = BACKOFF_FIRST_NS;

	while (failures-- > 1 && ns < BACKOFF_LAST_NS)
		ns *= 2;
	return ns < BACKOFF_LAST_NS ? ns : BACKOFF_LAST_NS;
}

static void
note_change(struct lane *lane)
{
	struct lane_pool *pool = lane->pool;

	pthread_cond_broadcast(&pool->idle);
	pthread_cond_broadcast(&pool->changed);
}

/* With the lock: the worker is gone, or will be killed for what it did. */
static void
note_death(struct lane *lane, enum reason reason, uint32_t detail)
{
	int64_t now = clock_mono_ns();

	if (lane->dead)
		return;
	if (lane->state == LANE_READY &&
	    now - lane->ready_since_ns >= PROVEN_NS) {
		lane->failures = 0;
		lane->next_try_ns = now;
	} else {
		lane->failures++;
		lane->next_try_ns = now + backoff_ns(lane->failures);
	}
	lane->dead = true;
	lane->state = LANE_STARTING;
	lane->hopeful = lane->failures <= 1;
	lane->reason = reason;
	lane->detail = detail;
	note_change(lane);
}

/* With the lock: what the worker said of its token. */
static void
note_answer(struct lane *lane, const struct wire_head *head)
{
	int64_t now = clock_mono_ns();
	enum lane_state before = lane->state;

	lane->keys = head->keys;
	switch ((enum wire_state)head->state) {
	case WIRE_READY:
		if (before != LANE_READY)
			lane->ready_since_ns = now;
		lane->state = LANE_READY;
		lane->reason = REASON_OK;
		lane->detail = 0;
		lane->failures = 0;
		lane->hopeful = false;
		break;
	case WIRE_AWAY:
		/* The first probe after a loss is at once, and waited for. */
		lane->hopeful = before == LANE_READY;
		lane->failures += before == LANE_READY ? 0 : 1;
		lane->next_try_ns = before == LANE_READY
					? now
					: now + backoff_ns(lane->failures);
		lane->state = LANE_PROBING;
		lane->reason = (enum reason)head->reason;
		lane->detail = head->detail;
		break;
	case WIRE_PIN_REFUSED:
		lane->pool->pin_refused = true;
		lane->state = LANE_PIN_REFUSED;
		lane->hopeful = false;
		lane->reason = REASON_PIN_REFUSED;
		lane->detail = head->detail;
		break;
	}
	if (before != LANE_READY || lane->state != LANE_READY)
		note_change(lane);
}

void
lane_begin(struct lane *lane, enum wire_type type)
{
	wire_begin(&lane->out, type, ++lane->seq);
}

/* Receive one reply; EAGAIN at each tick of the socket's timeout. */
enum lane_outcome
lane_receive(struct lane *lane, int64_t spin_ns, int64_t give_up_ns,
    int64_t limit_at_ns, struct wire_head *ret_head, struct bytes *ret_body)
{
	int64_t spin_until_ns = spin_ns > 0 ? clock_mono_ns() + spin_ns : 0;
	int flags = MSG_TRUNC | (spin_ns > 0 ? MSG_DONTWAIT : 0);

	for (;;) {
		ssize_t n =
		    recv(lane->fd, lane->in.at, sizeof(lane->in.at), flags);
		int64_t now;

		if (n > 0) {
			struct bytes reply = { lane->in.at, (size_t)n };
			const struct wire_head *sent = wire_head_of(&lane->out);

			if (reply.len > sizeof(lane->in.at) ||
			    !wire_open(reply, ret_head, ret_body) ||
			    ret_head->seq != sent->seq ||
			    ret_head->type != sent->type) {
				ret_head->reason = REASON_GARBLED;
				return LANE_DIED;
			}
			return LANE_ANSWERED;
		}
		ret_head->reason = REASON_DIED;
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			return LANE_DIED;
		now = clock_mono_ns();
		if (now < spin_until_ns)
			continue;
		flags = MSG_TRUNC;
		ret_head->reason = REASON_HUNG;
		if (now >= limit_at_ns)
			return LANE_DIED;
		if (now >= give_up_ns) {
			lane->late_limit_ns = limit_at_ns;
			return LANE_LATE;
		}
	}
}

bool
lane_send(struct lane *lane)
{
	return send(lane->fd, lane->out.at, lane->out.len, MSG_NOSIGNAL) ==
	       (ssize_t)lane->out.len;
}

enum lane_outcome
lane_call(struct lane *lane, int64_t give_up_ns, int64_t limit_ns,
    struct wire_head *ret_head, struct bytes *ret_body)
{
	int64_t limit_at_ns = clock_mono_ns() + limit_ns;

	*ret_head = (struct wire_head){ .reason = REASON_DIED };
	*ret_body = (struct bytes){ NULL, 0 };
	if (!lane_send(lane))
		return LANE_DIED;
	return lane_receive(
	    lane, 0, give_up_ns, limit_at_ns, ret_head, ret_body);
}

void
lane_release(
    struct lane *lane, enum lane_outcome outcome, const struct wire_head *head)
{
	struct lane_pool *pool = lane->pool;
	bool ready;

	if (outcome == LANE_DIED)
		lane_kill(lane);
	pthread_mutex_lock(&pool->lock);
	if (outcome == LANE_ANSWERED && !lane->dead)
		note_answer(lane, head);
	else if (outcome == LANE_DIED)
		note_death(lane, (enum reason)head->reason, 0);
	lane->late = outcome == LANE_LATE;
	lane->busy = lane->late;
	ready = lane->state == LANE_READY && !lane->busy;
	if (ready)
		pthread_cond_signal(&pool->idle);
	pthread_cond_broadcast(&pool->changed);
	pthread_mutex_unlock(&pool->lock);
	if (!ready)
		wake(lane);
}

/* The supervisor's acts; each is called without the lock. */

static void
start_worker(struct lane *lane)
{
	struct lane_pool *pool = lane->pool;
	struct status st = lane_spawn(lane);

	pthread_mutex_lock(&pool->lock);
	if (failed(st)) {
		lane->failures++;
		lane->hopeful = false;
		lane->reason = REASON_SPAWN;
		lane->detail = st.detail;
		lane->next_try_ns =
		    clock_mono_ns() + backoff_ns(lane->failures);
	} else {
		lane->running = true;
		lane->dead = false;
	}
	note_change(lane);
	pthread_mutex_unlock(&pool->lock);
}

static void
bury_worker(struct lane *lane)
{
	lane_bury(lane, 0);
	pthread_mutex_lock(&lane->pool->lock);
	lane->running = false;
	lane->restarts++;
	note_change(lane);
	pthread_mutex_unlock(&lane->pool->lock);
	lane->pool->lane_changed(lane->pool, lane->index);
}

static void
probe(struct lane *lane)
{
	struct lane_pool *pool = lane->pool;
	struct wire_head head;
	struct bytes body;
	enum lane_outcome outcome;

	lane_begin(lane, WIRE_PROBE);
	/* Texts were measured by hsm_open: they fit. */
	(void)wire_put_config(&lane->out, &pool->config);
	outcome =
	    lane_call(lane, INT64_MAX, LANE_MANAGE_LIMIT_NS, &head, &body);
	lane_release(lane, outcome, &head);
	pthread_mutex_lock(&pool->lock);
	pool->probing = false;
	pthread_mutex_unlock(&pool->lock);
	wake_all(pool);
	pool->lane_changed(pool, lane->index);
}

/* A caller left before its reply came: wait for it in its place. */
static void
await_late_reply(struct lane *lane)
{
	struct wire_head head;
	struct bytes body;
	enum lane_outcome outcome =
	    lane_receive(lane, 0, INT64_MAX, lane->late_limit_ns, &head, &body);

	lane_release(lane, outcome, &head);
}

/*
 * With the lock: what to do now, or NULL and how long to sleep (-1: until
 * woken).
 */
static lane_act
next_act(struct lane *lane, int *ret_sleep_ms)
{
	struct lane_pool *pool = lane->pool;
	int64_t wait_ns = lane->next_try_ns - clock_mono_ns();

	*ret_sleep_ms = -1;
	if (lane->late)
		return await_late_reply;
	if (lane->busy)
		return NULL;
	if (lane->running && lane->dead)
		return bury_worker;
	if (lane->state != LANE_READY && pool->pin_refused &&
	    lane->state != LANE_PIN_REFUSED) {
		lane->state = LANE_PIN_REFUSED;
		lane->reason = REASON_PIN_REFUSED;
		lane->hopeful = false;
		note_change(lane);
	}
	if (lane->running &&
	    (lane->state == LANE_READY || lane->state == LANE_PIN_REFUSED))
		return NULL;
	if (wait_ns > 0) {
		*ret_sleep_ms = (int)(wait_ns / NS_PER_MS) + 1;
		return NULL;
	}
	if (!lane->running)
		return start_worker;
	if (pool->probing)
		return NULL;
	pool->probing = true;
	lane->busy = true;
	return probe;
}

static void
sleep_until_woken(struct lane *lane, bool running, int sleep_ms)
{
	struct pollfd fds[2] = {
		{ .fd = lane->wake, .events = POLLIN },
		{ .fd = running ? lane->pidfd : -1, .events = POLLIN },
	};
	eventfd_t count;

	(void)poll(fds, 2, sleep_ms);
	if (fds[0].revents != 0)
		(void)eventfd_read(lane->wake, &count);
	if (fds[1].revents == 0)
		return;
	pthread_mutex_lock(&lane->pool->lock);
	note_death(lane, REASON_DIED, 0);
	pthread_mutex_unlock(&lane->pool->lock);
}

static void *
supervise(void *arg)
{
	struct lane *lane = arg;
	struct lane_pool *pool = lane->pool;
	bool stopping, watch;

	do {
		lane_act act = NULL;
		int sleep_ms = 0;

		pthread_mutex_lock(&pool->lock);
		stopping = pool->stopping;
		if (!stopping)
			act = next_act(lane, &sleep_ms);
		/* A death that is known needs no more watching. */
		watch = lane->running && !lane->dead;
		pthread_mutex_unlock(&pool->lock);
		if (act != NULL)
			act(lane);
		else if (!stopping)
			sleep_until_woken(lane, watch, sleep_ms);
	} while (!stopping);
	if (lane->running)
		lane_bury(lane, STOP_GRACE_MS);
	return NULL;
}

STATUS
lane_init(struct lane *lane, struct lane_pool *pool, unsigned index)
{
	lane->pool = pool;
	lane->index = index;
	lane->fd = lane->pidfd = -1;
	lane->reason = REASON_STARTING;
	lane->hopeful = true;
	lane->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (lane->wake < 0)
		return reason_status(REASON_SPAWN, (uint32_t)errno);
	return status_ok();
}

STATUS
lane_start(struct lane *lane)
{
	int error = pthread_create(&lane->supervisor, NULL, supervise, lane);

	if (error != 0)
		return reason_status(REASON_SPAWN, (uint32_t)error);
	lane->started = true;
	return status_ok();
}

void
lane_stop(struct lane *lane)
{
	if (!lane->started)
		return;
	wake(lane);
	pthread_join(lane->supervisor, NULL);
	lane->started = false;
}

void
lane_done(struct lane *lane)
{
	/* Zeroed memory that lane_init never saw has no pool. */
	if (lane->pool != NULL && lane->wake >= 0)
		close(lane->wake);
}
