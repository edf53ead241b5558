/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A channel has one server, so that it is known who answered, and so that it is
 * not c-ares (which drops SERVFAIL for a word of its own) that decides who is
 * asked next.  c-ares matches answers with questions, by address, port, id and
 * question.  Sockets are watched by epoll: daemons have more of them than
 * select can take.
 */

#include "dns/lanes.h"

#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/time.h>

#include "dns/message.h"

#define WAIT_MAX_MS 1000
#define EVENTS_MAX 32

struct lane {
	char server[64];
	unsigned tries, timeout_ms;
	ares_channel channel;
	struct lanes *of;
	uint32_t index;
};

struct lanes {
	int epoll_fd;
	size_t n;
	struct lane at[DNS_SERVERS_MAX + DNS_CONFIGURED_MAX];
};

struct waiting {
	lanes_answer answer;
	void *arg;
};

static struct status
no_memory(void)
{
	return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

/* --- Life -------------------------------------------------------------------
 */

static int library = ARES_ENOTINITIALIZED;

static void
begin_library(void)
{
	library = ares_library_init(ARES_LIB_INIT_ALL);
}

STATUS
lanes_new(struct lanes **ret_lanes)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct lanes *lanes;

	pthread_once(&once, begin_library);
	if (library != ARES_SUCCESS)
		return status_fail(STATUS_INTERNAL, "c-ares cannot be started");
	lanes = calloc(1, sizeof(*lanes));
	if (lanes == NULL)
		return no_memory();
	lanes->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (lanes->epoll_fd < 0) {
		free(lanes);
		return status_fail_detail(STATUS_RESOURCE_EXHAUSTED,
		    "too many files are open to look names up",
		    (uint32_t)errno);
	}
	*ret_lanes = lanes;
	return status_ok();
}

void
lanes_free(struct lanes *lanes)
{
	if (lanes == NULL)
		return;
	for (size_t i = 0; i < lanes->n; i++)
		ares_destroy(lanes->at[i].channel);
	close(lanes->epoll_fd);
	free(lanes);
}

/* --- Opening ----------------------------------------------------------------
 */

static void
on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
	const struct lane *lane = arg;
	struct epoll_event event = { .data.u64 = (uint64_t)lane->index << 32 |
						 (uint32_t)fd };

	if (readable)
		event.events |= EPOLLIN;
	if (writable)
		event.events |= EPOLLOUT;
	if (event.events == 0)
		(void)epoll_ctl(lane->of->epoll_fd, EPOLL_CTL_DEL, fd, &event);
	else if (epoll_ctl(lane->of->epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0)
		/* Where this fails the question has no answer in time. */
		(void)epoll_ctl(lane->of->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

/* Each try waits twice as long as the one before. */
static int
first_try_ms(const struct lanes_to *to)
{
	unsigned ms = to->timeout_ms / ((1U << to->tries) - 1);

	return ms > 0 ? (int)ms : 1;
}

static STATUS
open_channel(struct lane *lane, const struct lanes_to *to)
{
	char lookups[] = "b";
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES |
			 ARES_FLAG_NOCHECKRESP | ARES_FLAG_EDNS,
		.timeout = first_try_ms(to),
		.tries = (int)to->tries,
		.ndots = 1,
		.lookups = lookups,
		.ednspsz = MESSAGE_UDP_MAX,
		.sock_state_cb = on_socket,
		.sock_state_cb_data = lane,
	};
	int rc = ares_init_options(&lane->channel, &options,
	    ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
		ARES_OPT_NDOTS | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS |
		ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB | ARES_OPT_NOROTATE);

	if (rc != ARES_SUCCESS)
		return status_fail_detail(STATUS_RESOURCE_EXHAUSTED,
		    "c-ares does not start", (uint32_t)rc);
	rc = ares_set_servers_ports_csv(lane->channel, to->server);
	if (rc == ARES_SUCCESS)
		return status_ok();
	ares_destroy(lane->channel);
	return status_fail_detail(STATUS_INVALID_ARGUMENT,
	    "a DNS server is not address:port, such as 192.0.2.53:53",
	    (uint32_t)rc);
}

STATUS
lanes_open(struct lanes *lanes, const struct lanes_to *to, size_t *ret_lane)
{
	struct lane *lane = &lanes->at[lanes->n];
	struct status st;

	for (size_t i = 0; i < lanes->n; i++)
		if (strcmp(lanes->at[i].server, to->server) == 0 &&
		    lanes->at[i].tries == to->tries &&
		    lanes->at[i].timeout_ms == to->timeout_ms) {
			*ret_lane = i;
			return status_ok();
		}
	if (lanes->n == sizeof(lanes->at) / sizeof(lanes->at[0]))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "too many different DNS servers in one call");
	*lane = (struct lane){ .tries = to->tries,
		.timeout_ms = to->timeout_ms,
		.of = lanes,
		.index = (uint32_t)lanes->n };
	(void)!snprintf(lane->server, sizeof(lane->server), "%s", to->server);
	st = open_channel(lane, to);
	if (failed(st))
		return st;
	*ret_lane = lanes->n++;
	return status_ok();
}

/* --- Questions --------------------------------------------------------------
 */

static void
on_answer(void *arg, int status, int timeouts, unsigned char *at, int len)
{
	struct waiting *waiting = arg;
	struct bytes message = { at, len > 0 ? (size_t)len : 0 };

	(void)timeouts;
	waiting->answer(waiting->arg,
	    status == ARES_SUCCESS && at != NULL ? &message : NULL);
	free(waiting);
}

void
lanes_send(struct lanes *lanes, size_t lane, struct bytes question,
    lanes_answer answer, void *arg)
{
	struct waiting *waiting = malloc(sizeof(*waiting));

	if (waiting == NULL) {
		answer(arg, NULL);
		return;
	}
	*waiting = (struct waiting){ answer, arg };
	ares_send(lanes->at[lane].channel, question.at, (int)question.len,
	    on_answer, waiting);
}

static int
wait_ms(struct lanes *lanes)
{
	int ms = WAIT_MAX_MS;

	for (size_t i = 0; i < lanes->n; i++) {
		struct timeval tv;
		const struct timeval *left =
		    ares_timeout(lanes->at[i].channel, NULL, &tv);
		int64_t left_ms;

		if (left == NULL)
			continue;
		left_ms =
		    (int64_t)left->tv_sec * 1000 + (left->tv_usec + 999) / 1000;
		if (left_ms < ms)
			ms = (int)left_ms;
	}
	return ms;
}

STATUS
lanes_wait(struct lanes *lanes)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(lanes->epoll_fd, events, EVENTS_MAX, wait_ms(lanes));

	if (n < 0 && errno != EINTR)
		return status_fail_detail(STATUS_INTERNAL,
		    "DNS answers cannot be waited for", (uint32_t)errno);
	for (int i = 0; i < n; i++) {
		uint64_t data = events[i].data.u64;
		ares_socket_t fd = (ares_socket_t)(uint32_t)data;
		bool has_error =
		    (events[i].events & (EPOLLERR | EPOLLHUP)) != 0;
		bool in = has_error || (events[i].events & EPOLLIN) != 0;
		bool out = has_error || (events[i].events & EPOLLOUT) != 0;

		ares_process_fd(lanes->at[data >> 32].channel,
		    in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
	}
	/* What is over by now. */
	for (size_t i = 0; i < lanes->n; i++)
		ares_process_fd(
		    lanes->at[i].channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	return status_ok();
}

/* --- The system's servers ---------------------------------------------------
 */

static bool
print_server(const struct ares_addr_port_node *node, char ret_text[64])
{
	char host[INET6_ADDRSTRLEN];
	const void *from = node->family == AF_INET6
			       ? (const void *)&node->addr.addr6
			       : (const void *)&node->addr.addr4;

	if (inet_ntop(node->family, from, host, sizeof(host)) == NULL)
		return false;
	(void)!snprintf(ret_text, 64,
	    node->family == AF_INET6 ? "[%s]:%d" : "%s:%d", host,
	    node->udp_port != 0 ? node->udp_port : 53);
	return true;
}

STATUS
lanes_system_servers(char ret_servers[DNS_CONFIGURED_MAX][64], size_t *ret_n)
{
	struct ares_addr_port_node *nodes = NULL;
	ares_channel channel;
	size_t n = 0;
	int rc = ares_init(&channel);

	if (rc != ARES_SUCCESS)
		return status_fail_detail(STATUS_RESOURCE_EXHAUSTED,
		    "c-ares does not start", (uint32_t)rc);
	rc = ares_get_servers_ports(channel, &nodes);
	for (const struct ares_addr_port_node *node = nodes;
	     rc == ARES_SUCCESS && node != NULL && n < DNS_CONFIGURED_MAX;
	     node = node->next)
		if (print_server(node, ret_servers[n]))
			n++;
	if (nodes != NULL)
		ares_free_data(nodes);
	ares_destroy(channel);
	if (n == 0)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "/etc/resolv.conf names no DNS server");
	*ret_n = n;
	return status_ok();
}
