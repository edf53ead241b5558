/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One request, one connection, one small answer: see http_probe.h.  What the
 * web server says is foreign text and is made fit to be seen.
 */

#include "edge/http_probe.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/printable.h"
#include "edge/dial.h"
#include "edge/http_reply.h"

#define PATH "/.well-known/acme-challenge/test"
#define BODY "test"
#define PACE_NS (10 * NS_PER_MS)
/* Of a head that is still read, and the begin of a body. */
#define REPLY_MAX 16384

struct http_probe {
	union address to;
	int64_t timeout_ns;
	int stop_fd;
};

/* ---- life ---- */

STATUS
http_probe_new(
    const char *connect, int64_t timeout_ns, struct http_probe **ret_probe)
{
	struct http_probe *probe = calloc(1, sizeof(*probe));

	if (probe == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	probe->timeout_ns = timeout_ns;
	probe->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (probe->stop_fd < 0 || !address_parse(connect, &probe->to) ||
	    address_port(&probe->to) == 0) {
		http_probe_free(probe);
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "where to look at the way for http-01 is not address:port");
	}
	*ret_probe = probe;
	return status_ok();
}

void
http_probe_free(struct http_probe *probe)
{
	if (probe == NULL)
		return;
	if (probe->stop_fd >= 0)
		close(probe->stop_fd);
	free(probe);
}

void
http_probe_stop(struct http_probe *probe)
{
	(void)!eventfd_write(probe->stop_fd, 1);
}

/* ---- a request ---- */

static bool
send_all(
    const struct http_probe *probe, int fd, const char *text, int64_t until_ns)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n >= 0) {
			text += n;
			len -= (size_t)n;
		} else if (errno != EINTR &&
			   (errno != EAGAIN || !dial_await(fd, POLLOUT,
						   until_ns, probe->stop_fd))) {
			return false;
		}
	}
	return true;
}

static enum http_reply_state
receive(const struct http_probe *probe, int fd, int64_t until_ns,
    struct http_reply *ret_reply, const char **ret_why)
{
	uint8_t octets[REPLY_MAX];
	size_t len = 0;

	*ret_why = "its answer is no HTTP, or cut short";
	while (len < sizeof(octets)) {
		enum http_reply_state state;
		ssize_t n = recv(fd, octets + len, sizeof(octets) - len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			if (dial_await(fd, POLLIN, until_ns, probe->stop_fd))
				continue;
			*ret_why = "no answer in time";
			return HTTP_REPLY_BAD;
		}
		if (n < 0) {
			*ret_why = strerrordesc_np(errno);
			return HTTP_REPLY_BAD;
		}
		len += (size_t)n;
		state = http_reply_parse(
		    (struct bytes){ octets, len }, n == 0, ret_reply);
		if (state != HTTP_REPLY_MORE)
			return state;
	}
	return HTTP_REPLY_BAD;
}

/* What came instead, if so. */
static bool
judge(const struct http_reply *reply, char *ret_why)
{
	struct bytes body = { (const uint8_t *)reply->body, reply->body_len };
	char text[SITE_WHY_MAX];

	/* A CA passes over white space at the end (RFC 8555 8.3). */
	while (
	    body.len > 0 && memchr(" \t\r\n", body.at[body.len - 1], 4) != NULL)
		body.len--;
	if (reply->status == 200 && body.len == sizeof(BODY) - 1 &&
	    memcmp(body.at, BODY, body.len) == 0)
		return true;
	if (reply->status >= 300 && reply->status < 400 &&
	    reply->location[0] != '\0') {
		printable_print(
		    bytes_of(reply->location), text, sizeof(text) / 2);
		(void)!snprintf(
		    ret_why, SITE_WHY_MAX, "%u to %s", reply->status, text);
	} else if (reply->status == 200) {
		printable_print(body, text, sizeof(text) / 3);
		(void)!snprintf(ret_why, SITE_WHY_MAX,
		    "200, but with \"%s\" in the place of \"" BODY "\"", text);
	} else {
		(void)!snprintf(ret_why, SITE_WHY_MAX, "%u", reply->status);
	}
	return false;
}

static bool
ask(const struct http_probe *probe, const char *host, char *ret_why)
{
	int64_t until_ns = clock_mono_ns() + probe->timeout_ns;
	char request[SITE_HOST_MAX + 256];
	struct http_reply reply;
	scoped(close) int fd = -1;
	const char *why;

	if (failed(
		dial_open(&probe->to, until_ns, probe->stop_fd, &fd, ret_why)))
		return false;
	(void)!snprintf(request, sizeof(request),
	    "GET " PATH " HTTP/1.1\r\nHost: %s\r\nUser-Agent: "
	    "edged/" HOLDFAST_VERSION "\r\nAccept: */*\r\n"
	    "Connection: close\r\n\r\n",
	    host);
	if (!send_all(probe, fd, request, until_ns)) {
		(void)!snprintf(ret_why, SITE_WHY_MAX, "it takes no request");
		return false;
	}
	if (receive(probe, fd, until_ns, &reply, &why) != HTTP_REPLY_DONE) {
		(void)!snprintf(ret_why, SITE_WHY_MAX, "%s", why);
		return false;
	}
	return judge(&reply, ret_why);
}

/* ---- a site ---- */

static bool
is_wildcard(const char *host)
{
	return strncmp(host, "*.", 2) == 0;
}

bool
http_probe_wants(const struct site *site)
{
	for (size_t i = 0; i < site->n_hosts; i++)
		if (!is_wildcard(site->hosts[i]))
			return true;
	return false;
}

bool
http_probe_site(
    struct http_probe *probe, const struct site *site, char *ret_why)
{
	bool is_good = true, is_small = site->n_hosts <= HTTP_PROBE_HOSTS_MAX;

	for (size_t i = 0; i < site->n_hosts && is_good; i++) {
		char why[SITE_WHY_MAX] = "";

		if (is_wildcard(site->hosts[i]))
			continue;
		is_good = ask(probe, site->hosts[i], why);
		if (!is_good)
			(void)!snprintf(ret_why, SITE_WHY_MAX, "%.120s: %.130s",
			    site->hosts[i], why);
		(void)dial_await(
		    -1, 0, clock_mono_ns() + PACE_NS, probe->stop_fd);
		if (!is_small)
			break;
	}
	return is_good;
}
