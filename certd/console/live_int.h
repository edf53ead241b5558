/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CONSOLE_LIVE_INT_H
#define CERTD_CONSOLE_LIVE_INT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "certd/console/live.h"
#include "certd/console/store_live.h"

/* Between live.c (who comes and goes, and what is said), live_look.c (the
 * thread) and live_calls.c (calls of viewers' owners). */
#define LIVE_BIT(topic) (1U << (topic))

struct live_viewer {
	TAILQ_ENTRY(live_viewer) by_age;
	struct live *live;
	const struct live_ops *ops;
	void *ctx;
	int64_t account;
	char actor[ACTOR_MAX];
	unsigned topics; /* that it may be told of */
	int64_t at[LIVE_TOPICS];
	unsigned news;
	bool has_begun, has_left, is_over;
	unsigned n_uses; /* calls of its owner under way */
	int64_t said_ns, checked_ns;
};
TAILQ_HEAD(live_viewers, live_viewer);

struct live {
	struct live_config config;
	pthread_mutex_t mutex; /* guards what follows, and viewers */
	pthread_cond_t changed;
	struct live_viewers viewers; /* the oldest first */
	size_t n;                    /* of them, those that are not over */
	bool is_stopping, has_thread;
	pthread_t thread;
};

/* Calls of owners that are to be made, once the mutex is let go of. */
struct live_calls {
	struct live_viewer *of[LIVE_VIEWERS_MAX];
	size_t n;
};

/* With the mutex held. */
void live_calls_note(struct live_calls *calls, struct live_viewer *viewer);
/* Without it: wakes them, and forgets them. */
void live_calls_wake(struct live_calls *calls);
/* Without it: a call that was noted has been made. */
void live_calls_made(struct live_viewer *viewer);
/* Without it: nobody else knows it any more. */
void live_calls_destroy(struct live_viewer *viewer);

/* With the mutex held: it is over. */
static inline void
live_end(struct live_viewer *viewer)
{
	if (!viewer->is_over)
		viewer->live->n--;
	viewer->is_over = true;
}

/* Nothing was said for so long that a comment is due. */
static inline bool
live_is_silent(const struct live_viewer *viewer, int64_t now_ns)
{
	return now_ns - viewer->said_ns >=
	       viewer->live->config.beat_ms * INT64_C(1000000);
}

/* That the caller may be told of (live_position.c). */
unsigned live_topics_of(const struct caller *caller);
/* Of these topics, those that are not where they were.  INVALID_ARGUMENT: the
 * position is none. */
STATUS live_position_since(const char *position, unsigned topics,
    const int64_t now[LIVE_TOPICS], unsigned *ret_news);

/* The thread; arg is the struct live. */
void *live_look(void *arg);

#endif
