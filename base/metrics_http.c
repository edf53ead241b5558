/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /metrics over plain HTTP, for Prometheus beside the daemon.  It listens
 * on loopback only and refuses every other address: the page names keys and
 * edges, and nothing here asks who is reading.  Few connections, of which the
 * oldest is hung up when there are too many, short ones, small requests; no
 * other path, no other method, no state.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "base/address.h"
#include "base/crowd.h"
#include "base/metrics.h"

#define CONNECTIONS_MAX 64
#define CROWD_MAX 48 /* of them; the rest is for those that are going */
#define TIMEOUT_S 10
#define CONNECTION_MEMORY 16384

struct metrics_http {
	struct MHD_Daemon *daemon;
	struct crowd *crowd; /* the daemon's thread's */
	struct metrics *metrics;
	void (*before_render)(void *ctx);
	void *ctx;
};

/* "127.0.0.1:9464" or "[::1]:9464", loopback only. */
static STATUS
parse_listen(const char *text, union address *ret_address)
{
	union address address;

	if (!address_parse(text, &address))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "the metrics address reads 127.0.0.1:port or [::1]:port");
	if (!address_is_loopback(&address))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "metrics are served on loopback only; use"
		    " 127.0.0.1:port or [::1]:port");
	*ret_address = address;
	return status_ok();
}

static enum MHD_Result
reply(struct MHD_Connection *connection, unsigned code, const char *type,
    struct MHD_Response *response)
{
	enum MHD_Result result;

	if (response == NULL)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET");
	result = MHD_queue_response(connection, code, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result
refuse(struct MHD_Connection *connection, unsigned code, char *text)
{
	return reply(connection, code, "text/plain; charset=utf-8",
	    MHD_create_response_from_buffer(
		strlen(text), text, MHD_RESPMEM_MUST_COPY));
}

static enum MHD_Result
answer(void *cls, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload_data,
    size_t *upload_data_size, void **con_cls)
{
	struct metrics_http *http = cls;
	char nothing_here[] = "not found; metrics are at /metrics\n";
	char get_only[] = "use GET\n";
	char no_memory[] = "out of memory\n";
	struct MHD_Response *response;
	char *page;
	size_t len;

	(void)version;
	(void)upload_data;
	(void)upload_data_size;
	(void)con_cls;
	if (strcmp(url, "/metrics") != 0)
		return refuse(connection, MHD_HTTP_NOT_FOUND, nothing_here);
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0)
		return refuse(
		    connection, MHD_HTTP_METHOD_NOT_ALLOWED, get_only);
	if (http->before_render != NULL)
		http->before_render(http->ctx);
	page = metrics_render(http->metrics, &len);
	if (page == NULL)
		return refuse(
		    connection, MHD_HTTP_INTERNAL_SERVER_ERROR, no_memory);
	response =
	    MHD_create_response_from_buffer(len, page, MHD_RESPMEM_MUST_FREE);
	if (response == NULL)
		free(page);
	return reply(connection, MHD_HTTP_OK,
	    "text/plain; version=0.0.4; charset=utf-8", response);
}

static void
come_and_go(void *cls, struct MHD_Connection *connection, void **place,
    enum MHD_ConnectionNotificationCode code)
{
	struct metrics_http *http = cls;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	    connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (code == MHD_CONNECTION_NOTIFY_CLOSED)
		crowd_leave(http->crowd, *place);
	else
		*place = info == NULL
			     ? NULL
			     : crowd_enter(http->crowd, info->connect_fd);
}

static struct MHD_Daemon *
start(const union address *address, struct metrics_http *http)
{
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL;

	if (address->any.sa_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	return MHD_start_daemon(flags, 0, NULL, NULL, answer, http,
	    MHD_OPTION_SOCK_ADDR, &address->any, MHD_OPTION_CONNECTION_LIMIT,
	    (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
	    (unsigned)TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)CONNECTION_MEMORY, MHD_OPTION_NOTIFY_CONNECTION,
	    come_and_go, http, MHD_OPTION_END);
}

STATUS
metrics_http_start(const char *listen, struct metrics *metrics,
    void (*before_render)(void *ctx), void *ctx, struct metrics_http **ret_http)
{
	struct metrics_http *http;
	union address address;
	struct status st = parse_listen(listen, &address);

	if (failed(st))
		return st;
	http = calloc(1, sizeof(*http));
	if (http == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	http->crowd = crowd_new(CROWD_MAX);
	if (http->crowd == NULL) {
		free(http);
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	}
	http->metrics = metrics;
	http->before_render = before_render;
	http->ctx = ctx;
	errno = 0;
	http->daemon = start(&address, http);
	if (http->daemon == NULL) {
		const int error = errno;

		crowd_free(http->crowd);
		free(http);
		return status_fail_detail(STATUS_UNAVAILABLE,
		    "the metrics address cannot be listened on; is another"
		    " process using the port?",
		    (uint32_t)error);
	}
	*ret_http = http;
	return status_ok();
}

uint16_t
metrics_http_port(const struct metrics_http *http)
{
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT);

	return info != NULL ? info->port : 0;
}

void
metrics_http_stop(struct metrics_http *http)
{
	if (http == NULL)
		return;
	MHD_stop_daemon(http->daemon);
	crowd_free(http->crowd);
	free(http);
}
