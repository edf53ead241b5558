/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The provider's side of edge/sock.h.  Idle connections lie in a small table of
 * atomics: taken by one exchange, given back by another, so there is no lock
 * that a fork could leave locked in the child.  Each carries the pid that made
 * it; a child forgets those of its parent and neither uses nor closes them.
 *
 * A connection that failed in any way is closed, never given back, so a late
 * answer cannot be taken for the next one.  A request whose connection broke is
 * sent once more on a fresh one: edged was restarted, and to sign twice is
 * harmless.
 *
 * The breaker counts requests that edged left unanswered.  Nobody listening is
 * not counted: that fails at once by itself, and so recovers at once.
 */

#include "edge/provider/transport.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/async.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "edge/provider/async.h"
#include "edge/provider/link.h"

#define IDLE_MAX 32
#define SILENCES_MAX 3
/* edged answers DEADLINE_EXCEEDED by itself; it gets this much longer. */
#define GRACE_MS 250
/* While the breaker is open, one request at a time finds out how edged is. */
#define PROBE_MS 200

struct transport {
	struct link_address addresses[TRANSPORT_SOCKETS_MAX];
	size_t n_addresses;
	uint32_t timeout_ms;
	int64_t breaker_ns;
	int async_max_fd;
	_Atomic uint32_t next_id;
	_Atomic uint64_t idle[IDLE_MAX]; /* pid << 32 | fd + 1; 0: empty */
	_Atomic unsigned silences;       /* in a row */
	_Atomic int64_t probe_at_ns;     /* when the breaker may be tried */
};

STATUS
transport_new(
    const struct transport_config *config, struct transport **ret_transport)
{
	scoped(free) struct transport *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	for (size_t i = 0; i < config->n_sockets; i++) {
		if (!link_address_parse(config->sockets[i], &t->addresses[i]))
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "a socket is a path that begins with / or an"
			    " abstract name that begins with @, of at most"
			    " 107 characters");
	}
	t->n_addresses = config->n_sockets;
	t->timeout_ms = config->timeout_ms;
	t->breaker_ns = config->breaker_ms * NS_PER_MS;
	t->async_max_fd = config->async_max_fd;
	*ret_transport = t;
	t = NULL;
	return status_ok();
}

/* -1 when none is idle. */
static int
take_idle(struct transport *t)
{
	for (size_t i = 0; i < IDLE_MAX; i++) {
		uint64_t link;

		if (atomic_load_explicit(&t->idle[i], memory_order_relaxed) ==
		    0)
			continue;
		link = atomic_exchange(&t->idle[i], 0);
		if (link != 0 && link >> 32 == (uint64_t)getpid())
			return (int)(link & UINT32_MAX) - 1;
	}
	return -1;
}

static void
give_idle(struct transport *t, int fd)
{
	const uint64_t link =
	    (uint64_t)getpid() << 32 | ((uint64_t)(uint32_t)fd + 1);

	for (size_t i = 0; i < IDLE_MAX; i++) {
		uint64_t empty = 0;

		if (atomic_compare_exchange_strong(&t->idle[i], &empty, link))
			return;
	}
	close(fd);
}

void
transport_free(struct transport *t)
{
	int fd;

	if (t == NULL)
		return;
	while ((fd = take_idle(t)) >= 0)
		close(fd);
	free(t);
}

static bool
breaker_is_open(const struct transport *t)
{
	return t->breaker_ns > 0 && atomic_load(&t->silences) >= SILENCES_MAX;
}

/* The first caller after the pause may try; the others wait for its news. */
static bool
breaker_lets_through(struct transport *t)
{
	const int64_t now = clock_mono_ns();
	int64_t when = atomic_load(&t->probe_at_ns);

	return now >= when &&
	       atomic_compare_exchange_strong(&t->probe_at_ns, &when,
		   now + t->breaker_ns + (PROBE_MS + GRACE_MS) * NS_PER_MS);
}

static void
breaker_learns(struct transport *t, struct status st)
{
	if (st.code != STATUS_DEADLINE_EXCEEDED) {
		atomic_store(&t->silences, 0);
		return;
	}
	atomic_store(&t->probe_at_ns, clock_mono_ns() + t->breaker_ns);
	if (atomic_load(&t->silences) < SILENCES_MAX)
		atomic_fetch_add(&t->silences, 1);
}

static STATUS
await_reply(int fd, uint32_t id, int64_t deadline_ns, struct reply *ret_reply)
{
	for (;;) {
		switch (link_receive(fd, id, ret_reply)) {
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
		if (!link_wait(fd, POLLIN, deadline_ns))
			return status_fail(STATUS_DEADLINE_EXCEEDED,
			    "edged did not answer in time");
	}
}

/* One try, on an idle connection or else, and always when fresh, a new one. */
static STATUS
exchange(struct transport *t, const struct async_ask *ask, bool fresh,
    struct reply *ret_reply)
{
	int fd = fresh ? -1 : take_idle(t);
	struct status st;

	if (fd < 0) {
		st = link_open(
		    t->addresses, t->n_addresses, ask->deadline_ns, &fd);
		if (failed(st))
			return st;
	}
	st = link_send(fd, &ask->request, ask->content, ask->deadline_ns);
	if (!failed(st))
		st = await_reply(
		    fd, ask->request.id, ask->deadline_ns, ret_reply);
	if (failed(st))
		close(fd);
	else
		give_idle(t, fd);
	return st;
}

static STATUS
ask_edged(
    struct transport *t, const struct async_ask *ask, struct reply *ret_reply)
{
	struct status st;

	if (ASYNC_get_current_job() != NULL) {
		const struct async_door door = { t->addresses, t->n_addresses,
			t->async_max_fd };

		/* UNIMPLEMENTED: this one has to block. */
		st = async_exchange(&door, ask, ret_reply);
		if (st.code != STATUS_UNIMPLEMENTED &&
		    st.code != STATUS_ABORTED)
			return st;
	}
	st = exchange(t, ask, false, ret_reply);
	return st.code == STATUS_ABORTED ? exchange(t, ask, true, ret_reply)
					 : st;
}

STATUS
transport_sign(struct transport *t, const struct key_id *key,
    enum sign_scheme scheme, enum sign_context context, struct bytes content,
    struct reply *ret_reply)
{
	struct async_ask ask = {
		.request = {
			.magic = SOCK_MAGIC_REQUEST,
			.id = atomic_fetch_add(&t->next_id, 1),
			.timeout_ms = t->timeout_ms,
			.scheme = (uint16_t)scheme,
			.context = (uint16_t)context,
			.length = (uint32_t)content.len,
		},
		.content = content,
	};
	struct status st;

	if (breaker_is_open(t)) {
		if (!breaker_lets_through(t))
			return status_fail(
			    STATUS_CANCELLED, "edged did not answer lately");
		if (ask.request.timeout_ms > PROBE_MS)
			ask.request.timeout_ms = PROBE_MS;
	}
	memcpy(ask.request.key_id, key->at, KEY_ID_LEN);
	ask.deadline_ns =
	    clock_mono_ns() + (ask.request.timeout_ms + GRACE_MS) * NS_PER_MS;
	st = ask_edged(t, &ask, ret_reply);
	breaker_learns(t, st);
	return st;
}
