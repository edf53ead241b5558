/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Waiting without blocking.  Each ASYNC_WAIT_CTX, so each TLS connection, has
 * one connection to edged whose socket is the wait descriptor.  Servers' habits
 * make the rules here, each learned from a crash:
 *
 *  - once the descriptor is registered the job pauses at least once, even when
 *    the answer is there already; HAProxy learns of it only then;
 *  - a registered descriptor is never cleared or closed before the wait context
 *    goes; one that broke stays open, unused, and the request is made blocking;
 *  - a descriptor above the configured bound is not registered: HAProxy does
 * not count ours when it sizes its tables;
 *  - a server that gives a connection up while its job is paused never resumes
 *    the job, and OpenSSL then forgets it with its stack.  See reap.
 */

#include "edge/provider/async.h"

#include <poll.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>

#include <openssl/async.h>
#include <openssl/crypto.h>
#include <openssl/opensslv.h>

#include "base/clock.h"

/* How long a resumed job looks for an answer before it pauses again. */
#define RESUMED_EARLY_NS NS_PER_MS

struct wait_link {
	int fd;
	pid_t pid;
	bool broken;
	ASYNC_JOB *paused; /* the job that sleeps in pause_job, else NULL */
	uintptr_t frame;   /* an address on that job's stack */
};

/* Its address is our key in a wait context. */
static const char wait_key;

/*
 * Free the stack of a job that will never run again: its wait context is being
 * freed while it is paused.  OpenSSL 3.0 itself would lose it (haproxy issue
 * 3453), 32 KiB for each aborted handshake.  A job begins with the ucontext_t
 * of its fibre, which names the stack; that is private to OpenSSL, so it is
 * believed only in the series where it was read in the source, and only when
 * an address known to lie on the job's stack lies within.  Everything small
 * that the stack pointed to stays lost.
 */
static void
reap(struct wait_link *link)
{
	const ucontext_t *fibre = (const void *)link->paused;
	uintptr_t low;

	if (OPENSSL_version_major() != 3 || OPENSSL_version_minor() != 0)
		return;
	low = (uintptr_t)fibre->uc_stack.ss_sp;
	if (low == 0 || link->frame < low ||
	    link->frame - low >= fibre->uc_stack.ss_size)
		return;
	OPENSSL_free(fibre->uc_stack.ss_sp);
}

/* The wait context is freed; the only place where a wait_link ends. */
static void
end_link(ASYNC_WAIT_CTX *ctx, const void *key, OSSL_ASYNC_FD fd, void *custom)
{
	struct wait_link *link = custom;

	(void)ctx, (void)key;
	if (link->pid == getpid()) {
		close(fd);
		if (link->paused != NULL)
			reap(link);
	}
	free(link);
}

/* The wait context's connection; NULL: none yet. */
static struct wait_link *
find_link(ASYNC_WAIT_CTX *ctx)
{
	OSSL_ASYNC_FD fd;
	void *custom;

	if (ASYNC_WAIT_CTX_get_fd(ctx, &wait_key, &fd, &custom) != 1)
		return NULL;
	return custom;
}

/* Pausing tells the server of a descriptor: registration without it is a trap.
 */
static bool
register_link(ASYNC_WAIT_CTX *ctx, int fd, struct wait_link **ret_link)
{
	struct wait_link *link = calloc(1, sizeof(*link));

	if (link == NULL)
		return false;
	link->fd = fd;
	link->pid = getpid();
	if (ASYNC_WAIT_CTX_set_wait_fd(ctx, &wait_key, fd, link, end_link) !=
	    1) {
		free(link);
		return false;
	}
	*ret_link = link;
	return true;
}

static STATUS
cannot(void)
{
	return status_fail(STATUS_UNIMPLEMENTED, "this one has to block");
}

/* A connection with the request on its way, not registered yet. */
static STATUS
open_and_send(
    const struct async_door *door, const struct async_ask *ask, int *ret_fd)
{
	struct status st;
	int fd;

	st = link_open(
	    door->addresses, door->n_addresses, ask->deadline_ns, &fd);
	if (failed(st))
		return st;
	if (door->max_fd > 0 && fd > door->max_fd)
		st = cannot();
	else
		st = link_send(
		    fd, &ask->request, ask->content, ask->deadline_ns);
	if (failed(st)) {
		close(fd);
		return st;
	}
	*ret_fd = fd;
	return st;
}

/* Noted around the pause, so that end_link knows of a job that sleeps. */
static void
pause_job(struct wait_link *link)
{
	link->frame = (uintptr_t)__builtin_frame_address(0);
	link->paused = ASYNC_get_current_job();
	(void)ASYNC_pause_job();
	link->paused = NULL;
}

static STATUS
await_reply(struct wait_link *link, const struct async_ask *ask,
    struct reply *ret_reply)
{
	for (;;) {
		int64_t soon;

		pause_job(link);
		soon = clock_mono_ns() + RESUMED_EARLY_NS;
		/*
		 * Where pausing is blocked ASYNC_pause_job returns at once;
		 * the short wait keeps that from spinning.
		 */
		(void)link_wait(link->fd, POLLIN, soon);
		switch (link_receive(link->fd, ask->request.id, ret_reply)) {
		case LINK_REPLY:
			return status_ok();
		case LINK_CLOSED:
			return status_fail(
			    STATUS_ABORTED, "edged closed the connection");
		case LINK_GARBAGE:
			return status_fail(
			    STATUS_DATA_LOSS, "edged answered with garbage");
		case LINK_NOTHING:
			break;
		}
		if (clock_mono_ns() >= ask->deadline_ns)
			return status_fail(STATUS_DEADLINE_EXCEEDED,
			    "edged did not answer in time");
	}
}

STATUS
async_exchange(const struct async_door *door, const struct async_ask *ask,
    struct reply *ret_reply)
{
	ASYNC_WAIT_CTX *ctx = ASYNC_get_wait_ctx(ASYNC_get_current_job());
	struct wait_link *link = find_link(ctx);
	struct status st;
	int fd;

	if (link == NULL) {
		st = open_and_send(door, ask, &fd);
		if (failed(st))
			return st;
		if (!register_link(ctx, fd, &link)) {
			close(fd);
			return cannot();
		}
	} else {
		if (link->broken || link->pid != getpid())
			return cannot();
		st = link_send(
		    link->fd, &ask->request, ask->content, ask->deadline_ns);
		if (failed(st)) {
			link->broken = true;
			return st;
		}
	}
	st = await_reply(link, ask, ret_reply);
	link->broken = failed(st);
	return st;
}
