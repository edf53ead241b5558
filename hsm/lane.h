/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_LANE_H
#define HSM_LANE_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "hsm/wire.h"

/*
 * A lane: one worker process, the socket to it, and a supervisor thread that
 * starts it, probes its token, and buries it.  Callers take a lane, call, and
 * release it; a taken lane belongs to its taker alone.
 */

/* Longest a worker may take before it is taken for hung and killed. */
#define LANE_SIGN_LIMIT_NS (10 * NS_PER_S)
#define LANE_MANAGE_LIMIT_NS (60 * NS_PER_S)

enum lane_state {
	LANE_STARTING,
	LANE_READY,
	LANE_PROBING,
	LANE_PIN_REFUSED,
};

/* What the lanes of a pool share. */
struct lane_pool {
	pthread_mutex_t lock;   /* guards the fields marked L, here and below */
	pthread_cond_t idle;    /* one lane became free to take */
	pthread_cond_t changed; /* any L field changed */
	bool stopping;          /* L */
	unsigned waiting;       /* L: callers that wait for idle */
	bool probing;     /* L: at most one lane at a time may try the PIN */
	bool pin_refused; /* L: no lane may try it any more */

	/* Constant after hsm_open. */
	struct lane *lanes;
	unsigned n;
	struct wire_config config;
	char **argv;
	char **environment;
	int64_t sign_limit_ns;
	/* On a supervisor, without the lock: its lane's state may be new. */
	void (*lane_changed)(struct lane_pool *pool, unsigned lane);
};

struct lane {
	struct lane_pool *pool;
	unsigned index;
	int wake; /* eventfd: the supervisor looks again */
	pthread_t supervisor;
	bool started;

	/* L */
	enum lane_state state;
	enum reason reason; /* OK when READY */
	uint32_t detail;
	bool running;      /* a process exists and fd and pidfd are open */
	bool dead;         /* ... but it ended, or must: bury it */
	bool busy;         /* taken */
	unsigned reserved; /* who wait for the next release of this one */
	bool late;         /* its taker left; the supervisor awaits the reply */
	bool hopeful;      /* not ready, but likely to be in a moment: wait */
	unsigned failures; /* since it was last ready */
	int64_t next_try_ns;
	int64_t ready_since_ns;
	int64_t late_limit_ns;
	unsigned restarts;
	unsigned keys;

	/* Of the taker. */
	pid_t pid;
	int fd;
	int pidfd;
	uint32_t seq;
	struct wire_message out, in;

	atomic_uint_fast64_t signatures;
};

/* Of zeroed memory; all lanes of a pool before one is started. */
STATUS lane_init(struct lane *lane, struct lane_pool *pool, unsigned index);
STATUS lane_start(struct lane *lane);
/* Wait for the supervisor to stop, pool->stopping being set.  All lanes of a
 * pool are stopped before one is done: supervisors wake each other. */
void lane_stop(struct lane *lane);
void lane_done(struct lane *lane);

enum lane_manners {
	LANE_NEXT, /* whoever comes when a lane is idle has it */
	LANE_LAST, /* after those that wait already */
};

/*
 * Take an idle lane that is ready; waits while one is ready or likely to be.
 * NULL, and why in *ret_why, at the deadline or when no lane can serve.
 */
struct lane *lane_take(struct lane_pool *pool, enum lane_manners manners,
    int64_t deadline_ns, struct status *ret_why);

/* Take this very lane, before all other callers; false when it is not ready
 * and will not be in a moment, or at the deadline. */
bool lane_take_this(struct lane *lane, int64_t deadline_ns);

/*
 * End its worker, whoever has taken it, and wait until it has ended: nothing
 * that it held is left.  The supervisor starts another.
 */
void lane_end(struct lane *lane);

enum lane_outcome {
	LANE_ANSWERED, /* head and body are set; body borrows from the lane */
	LANE_LATE,     /* no answer by give_up_ns; the worker is still at it */
	LANE_DIED,     /* or hung past the limit, or answered nonsense */
};

/* Send lane->out, begun with lane_begin, and receive the reply. */
void lane_begin(struct lane *lane, enum wire_type type);
/*
 * lane_call in two halves, for who has something to do in between: false when
 * the worker is not there to take it; then lane_receive is not called and the
 * outcome is LANE_DIED.
 */
bool lane_send(struct lane *lane);
/* spin_ns: look for the reply that long before sleeping; 0 for long work. */
enum lane_outcome lane_receive(struct lane *lane, int64_t spin_ns,
    int64_t give_up_ns, int64_t limit_at_ns, struct wire_head *ret_head,
    struct bytes *ret_body);
enum lane_outcome lane_call(struct lane *lane, int64_t give_up_ns,
    int64_t limit_ns, struct wire_head *ret_head, struct bytes *ret_body);

/* Give the lane back with the outcome of its call (head: of an answer). */
void lane_release(
    struct lane *lane, enum lane_outcome outcome, const struct wire_head *head);

/* lane_process.c: start pool->argv with the lane's socket on WIRE_FD.  Fills
 * pid, fd and pidfd. */
STATUS lane_spawn(struct lane *lane);
/* Close the lane; if the worker does not end by itself within grace_ms, kill
 * it; reap it. */
void lane_bury(struct lane *lane, int grace_ms);
void lane_kill(struct lane *lane);

/* The environment of a worker: what SoftHSM, systemd's credentials and
 * sanitizers need, and the names in more (may be NULL).  NULL: no memory. */
char **lane_environment(const char *const *more);
void lane_environment_free(char **environment);

#endif
