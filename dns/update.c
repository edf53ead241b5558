/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An update's way to the server and back: UDP, twice at most, then TCP, for
 * answers that were cut off and for nets that let no UDP through.  The socket
 * is connected, so that nobody else's datagrams arrive; what is no answer to
 * the message is passed over.
 */

#include "dns/update_int.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/rand.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/address.h"
#include "base/clock.h"
#include "dns/resolver.h"
#include "dns/update_message.h"

#define TIMEOUT_MS 10000
#define ANSWER_MAX 65535
#define POLL_MS 60000

struct exchange {
	const struct dns_update *update;
	union address server;
	struct update_message message;
	int64_t began_ns, until_ns;
	uint8_t answer[ANSWER_MAX];
	size_t len;
};

enum outcome {
	ANSWERED,
	CUT,     /* TC */
	SILENCE, /* time is up */
	BROKEN   /* e is errno */
};

/* --- Waiting ----------------------------------------------------------------
 */

static bool
await(int fd, short event, int64_t until_ns)
{
	for (;;) {
		struct pollfd at = { fd, event, 0 };
		int64_t left_ns = until_ns - clock_mono_ns();
		int64_t left_ms = left_ns / NS_PER_MS + 1;
		int n;

		if (left_ns <= 0)
			return false;
		n = poll(&at, 1, left_ms < POLL_MS ? (int)left_ms : POLL_MS);
		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
	}
}

static bool
is_later(int e)
{
	return e == EAGAIN || e == EWOULDBLOCK || e == EINTR;
}

/* --- UDP --------------------------------------------------------------------
 */

static enum outcome
hear(struct exchange *exchange, int fd, int64_t until_ns, int *ret_errno)
{
	bool is_cut = false;

	while (await(fd, POLLIN, until_ns)) {
		ssize_t n =
		    recv(fd, exchange->answer, sizeof(exchange->answer), 0);

		if (n < 0 && is_later(errno))
			continue;
		if (n < 0) {
			*ret_errno = errno;
			return BROKEN;
		}
		exchange->len = (size_t)n;
		if (update_message_answers(&exchange->message, exchange->update,
			(struct bytes){ exchange->answer, exchange->len },
			&is_cut))
			return is_cut ? CUT : ANSWERED;
	}
	return SILENCE;
}

static enum outcome
try_udp(struct exchange *exchange, int *ret_errno)
{
	int64_t whole_ns = exchange->until_ns - exchange->began_ns;
	scoped(close) int fd = socket(exchange->server.any.sa_family,
	    SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || connect(fd, &exchange->server.any,
			  address_len(&exchange->server)) != 0) {
		*ret_errno = errno;
		return BROKEN;
	}
	/* A tenth of the time, then a fifth; the rest is TCP's. */
	for (int64_t tenths = 1; tenths <= 2; tenths++) {
		enum outcome outcome;

		if (send(fd, exchange->message.at, exchange->message.len, 0) <
		    0) {
			*ret_errno = errno;
			return BROKEN;
		}
		outcome = hear(exchange, fd,
		    clock_mono_ns() + whole_ns / 10 * tenths, ret_errno);
		if (outcome != SILENCE)
			return outcome;
	}
	return SILENCE;
}

/* --- TCP --------------------------------------------------------------------
 */

/* 0, or an errno; ETIMEDOUT when the time is up. */
static int
open_stream(const struct exchange *exchange, int *ret_fd)
{
	int fd = socket(exchange->server.any.sa_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(int);
	int e = 0;

	if (fd < 0)
		return errno;
	if (connect(fd, &exchange->server.any,
		address_len(&exchange->server)) != 0) {
		e = errno;
		if (e == EINPROGRESS) {
			e = ETIMEDOUT;
			if (await(fd, POLLOUT, exchange->until_ns) &&
			    getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) != 0)
				e = errno;
		}
	}
	if (e != 0)
		close(fd);
	else
		*ret_fd = fd;
	return e;
}

static int
write_all(const struct exchange *exchange, int fd, struct bytes octets)
{
	while (octets.len > 0) {
		ssize_t n = send(fd, octets.at, octets.len, MSG_NOSIGNAL);

		if (n < 0 && !is_later(errno))
			return errno;
		if (n < 0) {
			if (!await(fd, POLLOUT, exchange->until_ns))
				return ETIMEDOUT;
			continue;
		}
		octets.at += n;
		octets.len -= (size_t)n;
	}
	return 0;
}

static int
read_all(const struct exchange *exchange, int fd, uint8_t *to, size_t len)
{
	while (len > 0) {
		ssize_t n;

		if (!await(fd, POLLIN, exchange->until_ns))
			return ETIMEDOUT;
		n = recv(fd, to, len, 0);
		if (n == 0)
			return ECONNRESET;
		if (n < 0 && !is_later(errno))
			return errno;
		if (n > 0) {
			to += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* RFC 1035 4.2.2 */
static int
speak(struct exchange *exchange, int fd)
{
	uint8_t octets[2 + UPDATE_MESSAGE_MAX];
	size_t len = exchange->message.len;
	int e;

	octets[0] = (uint8_t)(len >> 8);
	octets[1] = (uint8_t)len;
	memcpy(octets + 2, exchange->message.at, len);
	e = write_all(exchange, fd, (struct bytes){ octets, 2 + len });
	if (e == 0)
		e = read_all(exchange, fd, octets, 2);
	if (e != 0)
		return e;
	exchange->len = (size_t)octets[0] << 8 | octets[1];
	return read_all(exchange, fd, exchange->answer, exchange->len);
}

static enum outcome
try_tcp(struct exchange *exchange, int *ret_errno)
{
	scoped(close) int fd = -1;
	bool is_cut;
	int e = open_stream(exchange, &fd);

	if (e == 0)
		e = speak(exchange, fd);
	if (e == ETIMEDOUT)
		return SILENCE;
	if (e == 0 &&
	    !update_message_answers(&exchange->message, exchange->update,
		(struct bytes){ exchange->answer, exchange->len }, &is_cut))
		e = EBADMSG;
	*ret_errno = e;
	return e == 0 ? ANSWERED : BROKEN;
}

/* --- Both -------------------------------------------------------------------
 */

static STATUS
say_nothing_came(
    const struct exchange *exchange, enum outcome outcome, int e, char *ret_why)
{
	const char *what = "no answer in time";

	if (outcome == BROKEN)
		what = strerrordesc_np(e) != NULL ? strerrordesc_np(e)
						  : "an error";
	(void)!snprintf(ret_why, DNS_WHY_MAX,
	    "an update of %.120s at %s by UDP and TCP: %s: is it the right "
	    "address and port, and let through?",
	    exchange->update->zone, exchange->update->server, what);
	return status_fail_detail(STATUS_UNAVAILABLE,
	    "the DNS server for updates does not answer", (uint32_t)e);
}

static STATUS
run(struct exchange *exchange, int64_t now_s, char *ret_why)
{
	int e = 0;
	enum outcome outcome = try_udp(exchange, &e);

	if (outcome != ANSWERED)
		outcome = try_tcp(exchange, &e);
	if (outcome != ANSWERED)
		return say_nothing_came(exchange, outcome, e, ret_why);
	now_s += (clock_mono_ns() - exchange->began_ns) / NS_PER_S;
	return update_message_judge(&exchange->message, exchange->update,
	    (struct bytes){ exchange->answer, exchange->len }, now_s, ret_why);
}

STATUS
dns_update_send_at(
    const struct dns_update *update, int64_t now_s, char *ret_why)
{
	unsigned timeout_ms =
	    update->timeout_ms != 0 ? update->timeout_ms : TIMEOUT_MS;
	scoped(free) struct exchange *exchange = calloc(1, sizeof(*exchange));
	struct status st;
	uint16_t id;

	if (exchange == NULL || RAND_bytes((uint8_t *)&id, sizeof(id)) != 1) {
		(void)!snprintf(ret_why, DNS_WHY_MAX, "out of memory");
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	}
	if (!address_parse(update->server, &exchange->server) ||
	    address_port(&exchange->server) == 0) {
		(void)!snprintf(ret_why, DNS_WHY_MAX,
		    "the server for updates, %.80s, is not address:port, such "
		    "as 192.0.2.53:53",
		    update->server);
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a DNS server is not address:port");
	}
	st =
	    update_message_make(update, id, now_s, &exchange->message, ret_why);
	if (failed(st))
		return st;
	exchange->update = update;
	exchange->began_ns = clock_mono_ns();
	exchange->until_ns =
	    exchange->began_ns + (int64_t)timeout_ms * NS_PER_MS;
	return run(exchange, now_s, ret_why);
}

STATUS
dns_update_send(const struct dns_update *update, char *ret_why)
{
	return dns_update_send_at(update, clock_wall_s(), ret_why);
}
