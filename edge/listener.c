/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The epoll loop.  Each turn: events, then the owner's tick, then replies that
 * other threads handed over.  Who may connect is decided by the credentials the
 * kernel recorded at connect(2), before a message is looked at.
 *
 * A client that is not allowed is told so at its first message; few of those
 * are held at a time, so they cannot take the places of the others.  What a
 * client does wrong with a readable id is answered; without, it is closed.
 */

#include "edge/listener.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "edge/conn.h"
#include "edge/denials.h"
#include "edge/door.h"
#include "edge/replies.h"
#include "edge/request.h"

#define EVENTS_MAX 128
/* Messages taken from one connection, and connections from one socket, before
 * the others have their turn. */
#define READS_MAX 16
#define ACCEPTS_MAX 64

/* epoll data: connections have a generation above these. */
#define TAG_REPLIES UINT64_C(0)
#define TAG_SOCKETS UINT64_C(1)
#define GENERATION UINT64_C(0x100000000)

struct listener {
	struct listener_config config;
	struct door *doors;
	struct replies *replies;
	struct conn *conns;
	uint32_t *free_places;
	size_t n_free;
	size_t n_admitted, n_refused;
	int epoll_fd;
	int spare_fd; /* given up for an accept when descriptors end */
	bool doors_open;
	atomic_bool closing, stopping;
	struct denials denials;
	struct metric_gauge *m_connections;
	struct metric_counter *m_refused, *m_malformed, *m_slow;
	uint8_t message[SOCK_MESSAGE_MAX + 1];
};

static bool
watch(struct listener *l, int op, int fd, uint32_t events, uint64_t tag)
{
	struct epoll_event event = { .events = events, .data.u64 = tag };

	return epoll_ctl(l->epoll_fd, op, fd, &event) == 0;
}

static void
drop(struct listener *l, struct conn *conn)
{
	if (conn->refusal != STATUS_OK) {
		l->n_refused--;
	} else {
		l->n_admitted--;
		l->config.ops->gone(l->config.ctx, conn->number);
	}
	conn_close(conn);
	l->free_places[l->n_free++] = (uint32_t)conn->number;
	metric_gauge_add(l->m_connections, -1);
}

/* Answer; watches for room when the client does not take it, drops the
 * connection when it is dead or slow.  False: dropped. */
static bool
answer(struct listener *l, struct conn *conn, uint32_t id,
    enum status_code code, struct bytes body)
{
	unsigned had_out = conn->n_out;

	if (!conn_send(conn, id, code, body)) {
		if (conn->n_out >= CONN_OUT_MAX) {
			metric_counter_add(l->m_slow, 1);
			log_warn("client does not read its replies; dropped",
			    LOG_UINT("uid", conn->uid),
			    LOG_INT("pid", conn->pid));
		}
		drop(l, conn);
		return false;
	}
	if (had_out == 0 && conn->n_out > 0 &&
	    !watch(
		l, EPOLL_CTL_MOD, conn->fd, EPOLLIN | EPOLLOUT, conn->number)) {
		drop(l, conn);
		return false;
	}
	return true;
}

/* Answer the first message of a client that may not be here, and close. */
static void
refuse(struct listener *l, struct conn *conn, uint32_t id)
{
	const char *why =
	    conn->refusal == STATUS_PERMISSION_DENIED
		? "this user may not use edged; add it to the socket's allow "
		  "list in edged.yaml"
		: "edged has too many connections (connections_max)";

	conn_farewell(conn->fd, id, conn->refusal, bytes_of(why));
	conn->fd = -1;
	drop(l, conn);
}

/* One message.  False: the connection is gone. */
static bool
serve_message(struct listener *l, struct conn *conn, struct bytes message)
{
	struct sock_request request;
	struct bytes content;
	struct status st;
	uint32_t id;

	if (!request_id(message, &id)) {
		metric_counter_add(l->m_malformed, 1);
		log_debug("message is not a request; connection closed",
		    LOG_UINT("uid", conn->uid), LOG_INT("pid", conn->pid));
		drop(l, conn);
		return false;
	}
	if (conn->refusal != STATUS_OK) {
		refuse(l, conn, id);
		return false;
	}
	st = request_parse(message, &request, &content);
	if (failed(st))
		metric_counter_add(l->m_malformed, 1);
	else
		st = l->config.ops->request(
		    l->config.ctx, conn->number, &request, content);
	if (!failed(st))
		return true;
	return answer(l, conn, id, st.code, bytes_of(st.why));
}

static void
serve_input(struct listener *l, struct conn *conn)
{
	for (int i = 0; i < READS_MAX; i++) {
		ssize_t n = recv(conn->fd, l->message, sizeof(l->message),
		    MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			drop(l, conn);
			return;
		}
		/* MSG_TRUNC tells the length sent; longer than the buffer is
		 * longer than any request, and fails as such. */
		if ((size_t)n > sizeof(l->message))
			n = sizeof(l->message);
		if (!serve_message(
			l, conn, (struct bytes){ l->message, (size_t)n }))
			return;
	}
}

/* NULL when the connection has been closed since. */
static struct conn *
find(struct listener *l, uint64_t number)
{
	struct conn *conn = &l->conns[(uint32_t)number];

	return conn->fd >= 0 && conn->number == number ? conn : NULL;
}

static void
serve_conn(struct listener *l, uint64_t number, uint32_t events)
{
	struct conn *conn = find(l, number);

	if (conn == NULL)
		return;
	if (events & EPOLLOUT) {
		if (!conn_flush(conn) ||
		    (conn->n_out == 0 &&
			!watch(l, EPOLL_CTL_MOD, conn->fd, EPOLLIN, number))) {
			drop(l, conn);
			return;
		}
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		serve_input(l, conn);
}

/* OK, or what to tell the client at its first message. */
static enum status_code
judge(struct listener *l, const struct door *door, struct ucred peer)
{
	if (door_allows(door, peer.uid) &&
	    l->n_admitted < l->config.connections_max)
		return STATUS_OK;
	metric_counter_add(l->m_refused, 1);
	if (door_allows(door, peer.uid))
		return STATUS_RESOURCE_EXHAUSTED;
	if (denials_log_now(&l->denials, peer.uid, clock_mono_ns()))
		log_warn("connection refused: this user is not in the socket's "
			 "allow list",
		    LOG_STR("socket", door->path), LOG_UINT("uid", peer.uid),
		    LOG_INT("pid", peer.pid));
	return STATUS_PERMISSION_DENIED;
}

static void
admit(struct listener *l, const struct door *door, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct conn *conn;
	enum status_code refusal;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0) {
		close(fd);
		return;
	}
	refusal = judge(l, door, peer);
	if (refusal != STATUS_OK && l->n_refused >= LISTENER_REFUSED_MAX) {
		close(fd);
		return;
	}
	assert(l->n_free > 0);
	conn = &l->conns[l->free_places[--l->n_free]];
	conn->number += GENERATION;
	if (conn->number < GENERATION)
		conn->number += GENERATION; /* it wrapped; tags are below */
	conn->fd = fd;
	conn->uid = peer.uid;
	conn->pid = peer.pid;
	conn->refusal = refusal;
	if (refusal == STATUS_OK)
		l->n_admitted++;
	else
		l->n_refused++;
	metric_gauge_add(l->m_connections, 1);
	if (!watch(l, EPOLL_CTL_ADD, fd, EPOLLIN, conn->number))
		drop(l, conn);
}

/* Out of descriptors: turn one client away rather than spin on the event. */
static void
turn_away(struct listener *l, const struct door *door)
{
	if (l->spare_fd >= 0)
		close(l->spare_fd);
	l->spare_fd = accept4(door->socket.fd, NULL, NULL, SOCK_CLOEXEC);
	if (l->spare_fd >= 0)
		close(l->spare_fd);
	l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	metric_counter_add(l->m_refused, 1);
}

static void
serve_door(struct listener *l, const struct door *door)
{
	for (int i = 0; i < ACCEPTS_MAX; i++) {
		int fd = accept4(
		    door->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			admit(l, door, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE)
			turn_away(l, door);
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

static void
close_doors(struct listener *l)
{
	if (!l->doors_open)
		return;
	l->doors_open = false;
	for (size_t i = 0; i < l->config.n_sockets; i++)
		door_close(&l->doors[i]);
}

static void
deliver(struct listener *l)
{
	size_t count;
	const struct reply *replies = replies_take(l->replies, &count);

	for (size_t i = 0; i < count; i++) {
		const struct reply *reply = &replies[i];
		struct conn *conn = find(l, reply->conn);

		if (conn != NULL)
			answer(l, conn, reply->id, reply->code,
			    (struct bytes){ reply->at, reply->len });
	}
}

static void
serve_event(struct listener *l, const struct epoll_event *event)
{
	uint64_t tag = event->data.u64;
	eventfd_t woken;

	if (tag >= GENERATION)
		serve_conn(l, tag, event->events);
	else if (tag == TAG_REPLIES)
		(void)!eventfd_read(replies_fd(l->replies), &woken);
	else if (l->doors_open)
		serve_door(l, &l->doors[tag - TAG_SOCKETS]);
}

/* Until next_ns, rounded up so that the time has come when it returns. */
static int
wait_ms(int64_t now_ns, int64_t next_ns)
{
	int64_t ms;

	if (next_ns == INT64_MAX)
		return -1;
	if (next_ns <= now_ns)
		return 0;
	ms = (next_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
	return ms > 60000 ? 60000 : (int)ms;
}

void
listener_run(struct listener *l)
{
	struct epoll_event events[EVENTS_MAX];

	while (!atomic_load(&l->stopping)) {
		int64_t now_ns = clock_mono_ns();
		int64_t next_ns = l->config.ops->tick(l->config.ctx, now_ns);
		int n;

		deliver(l);
		if (atomic_load(&l->closing))
			close_doors(l);
		n = epoll_wait(
		    l->epoll_fd, events, EVENTS_MAX, wait_ms(now_ns, next_ns));
		for (int i = 0; i < n; i++)
			serve_event(l, &events[i]);
	}
	deliver(l);
	close_doors(l);
}

void
listener_close_doors(struct listener *l)
{
	atomic_store(&l->closing, true);
	replies_wake(l->replies);
}

void
listener_stop(struct listener *l)
{
	atomic_store(&l->stopping, true);
	replies_wake(l->replies);
}

void
listener_reply(struct listener *l, uint64_t conn, uint32_t id,
    enum status_code code, struct bytes body)
{
	replies_put(l->replies, conn, id, code, body);
}

void
listener_flush(struct listener *l)
{
	replies_wake(l->replies);
}

static struct status
open_door(
    struct listener *l, const struct listener_socket *socket, size_t place)
{
	struct door *door = &l->doors[place];
	struct status st =
	    door_open(&socket->spec, socket->allow, socket->n_allow, door);

	if (!failed(st) && !watch(l, EPOLL_CTL_ADD, door->socket.fd, EPOLLIN,
			       TAG_SOCKETS + place))
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	return st;
}

static struct status
allocate(struct listener *l)
{
	size_t max = LISTENER_PLACES(l->config.connections_max);

	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	l->doors = calloc(l->config.n_sockets, sizeof(*l->doors));
	l->conns = calloc(max, sizeof(*l->conns));
	l->free_places = calloc(max, sizeof(*l->free_places));
	l->replies = replies_new();
	for (size_t i = 0; l->doors != NULL && i < l->config.n_sockets; i++)
		l->doors[i].socket.fd = -1;
	for (size_t i = 0; l->conns != NULL && i < max; i++)
		l->conns[i] = (struct conn){ .fd = -1, .number = i };
	if (l->doors == NULL || l->conns == NULL || l->free_places == NULL ||
	    l->replies == NULL || l->epoll_fd < 0 ||
	    !watch(
		l, EPOLL_CTL_ADD, replies_fd(l->replies), EPOLLIN, TAG_REPLIES))
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	l->doors_open = true;
	/* The lowest place is used first. */
	for (size_t i = 0; i < max; i++)
		l->free_places[i] = (uint32_t)(max - 1 - i);
	l->n_free = max;
	return status_ok();
}

STATUS
listener_new(const struct listener_config *config,
    struct listener **ret_listener, const char **ret_path)
{
	scoped(listener_free) struct listener *l = calloc(1, sizeof(*l));
	struct metrics *m = config->metrics;
	struct status st;

	*ret_path = "";
	if (l == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	l->config = *config;
	st = allocate(l);
	for (size_t i = 0; i < config->n_sockets && !failed(st); i++) {
		st = open_door(l, &config->sockets[i], i);
		if (failed(st))
			*ret_path = config->sockets[i].spec.path;
	}
	if (failed(st))
		return st;
	l->config.sockets = NULL;
	l->m_connections = metrics_gauge(m, "edged_connections",
	    "Connections of web servers that are open.", "");
	l->m_refused = metrics_counter(m, "edged_connections_refused_total",
	    "Connections refused: user not allowed, or too many.", "");
	l->m_malformed = metrics_counter(m, "edged_malformed_total",
	    "Messages of web servers that were not valid requests.", "");
	l->m_slow = metrics_counter(m, "edged_slow_clients_total",
	    "Connections closed because replies were not read.", "");
	*ret_listener = l;
	l = NULL;
	return status_ok();
}

void
listener_free(struct listener *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; l->doors != NULL && i < l->config.n_sockets; i++) {
		door_close(&l->doors[i]);
	}
	for (size_t i = 0;
	     l->conns != NULL && i < LISTENER_PLACES(l->config.connections_max);
	     i++)
		conn_close(&l->conns[i]);
	replies_free(l->replies);
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	if (l->spare_fd >= 0)
		close(l->spare_fd);
	free(l->doors);
	free(l->conns);
	free(l->free_places);
	free(l);
}
