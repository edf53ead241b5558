/* SPDX-License-Identifier: Apache-2.0 */

/*
 * GET and HEAD of /.well-known/acme-challenge/TOKEN over plain HTTP, out of the
 * table in memory.  Anyone may ask, so there is nothing else: no other path, no
 * other method, no body, no state, no file.  A token is what RFC 8555 8.3 lets
 * it be, letter by letter as it came: nothing is unescaped.  Connections are
 * limited, of one address too, of one request each (a CA that keeps them open
 * for more would take the room of validations that are to come), and end when
 * they are idle, or the oldest of very many.
 */

#include "certd/http_port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "base/address.h"
#include "base/crowd.h"

#define PREFIX "/.well-known/acme-challenge/"
#define CONNECTIONS_MAX 1024
#define CROWD_MAX 960 /* of them; the rest is for those that are going */
#define CONNECTIONS_OF_ONE_MAX 512
#define TIMEOUT_S 10
#define CONNECTION_MEMORY 8192

struct http_port {
	struct MHD_Daemon *daemon;
	struct http_challenges *challenges;
	struct crowd *crowd; /* the daemon's thread's */
};

static enum MHD_Result
reply(struct MHD_Connection *connection, unsigned code, const char *text)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
	    strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	if (response == NULL)
		return MHD_NO;
	MHD_add_response_header(
	    response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
	/* It is gone when the challenge is, from caches between too. */
	MHD_add_response_header(
	    response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(
		    response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, code, response);
	MHD_destroy_response(response);
	return result;
}

static bool
is_token(const char *text)
{
	size_t len = strnlen(text, ACME_TOKEN_MAX);

	return len > 0 && len < ACME_TOKEN_MAX &&
	       strspn(text,
		   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		   "0123456789-_") == len;
}

static enum MHD_Result
answer(void *cls, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload_data,
    size_t *upload_data_size, void **con_cls)
{
	struct http_port *port = cls;
	const char *token = url + strlen(PREFIX);
	char text[ACME_KEY_AUTHORIZATION_MAX];

	(void)version;
	(void)upload_data;
	(void)upload_data_size;
	(void)con_cls;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return reply(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
		    "use GET or HEAD\n");
	if (strncmp(url, PREFIX, strlen(PREFIX)) != 0 || !is_token(token))
		return reply(connection, MHD_HTTP_NOT_FOUND, "not found\n");
	if (strcmp(token, "test") == 0)
		return reply(connection, MHD_HTTP_OK, "test");
	if (!http_challenges_find(port->challenges, token, text))
		return reply(connection, MHD_HTTP_NOT_FOUND,
		    "no challenge of this token is in place\n");
	return reply(connection, MHD_HTTP_OK, text);
}

static size_t
unescape_nothing(void *cls, struct MHD_Connection *connection, char *text)
{
	(void)cls;
	(void)connection;
	return strlen(text);
}

static void
come_and_go(void *cls, struct MHD_Connection *connection, void **place,
    enum MHD_ConnectionNotificationCode code)
{
	struct http_port *port = cls;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	    connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (code == MHD_CONNECTION_NOTIFY_CLOSED)
		crowd_leave(port->crowd, *place);
	else
		*place = info == NULL
			     ? NULL
			     : crowd_enter(port->crowd, info->connect_fd);
}

static struct MHD_Daemon *
start(const union address *address, struct http_port *port)
{
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD;

	if (address->any.sa_family == AF_INET6)
		flags |= MHD_USE_DUAL_STACK;
	return MHD_start_daemon(flags, 0, NULL, NULL, answer, port,
	    MHD_OPTION_SOCK_ADDR, &address->any, MHD_OPTION_CONNECTION_LIMIT,
	    (unsigned)CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
	    (unsigned)CONNECTIONS_OF_ONE_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
	    (unsigned)TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)CONNECTION_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1,
	    MHD_OPTION_UNESCAPE_CALLBACK, unescape_nothing, NULL,
	    MHD_OPTION_NOTIFY_CONNECTION, come_and_go, port, MHD_OPTION_END);
}

STATUS
http_port_start(const char *listen, struct http_challenges *challenges,
    struct http_port **ret_port)
{
	struct http_port *port;
	union address address;

	if (!address_parse(listen, &address))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "acme.http_listen: write address:port, such as "
		    "127.0.0.1:8402 or 0.0.0.0:80");
	port = calloc(1, sizeof(*port));
	if (port == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	port->challenges = challenges;
	port->crowd = crowd_new(CROWD_MAX);
	if (port->crowd == NULL) {
		free(port);
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	}
	errno = 0;
	port->daemon = start(&address, port);
	if (port->daemon == NULL) {
		const int error = errno;

		crowd_free(port->crowd);
		free(port);
		return status_fail_detail(STATUS_UNAVAILABLE,
		    "acme.http_listen cannot be listened on: another program "
		    "uses the port, or it is below 1024, which certd may not "
		    "open; have a web server pass the path on, or lower "
		    "net.ipv4.ip_unprivileged_port_start",
		    (uint32_t)error);
	}
	*ret_port = port;
	return status_ok();
}

uint16_t
http_port_number(const struct http_port *port)
{
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(port->daemon, MHD_DAEMON_INFO_BIND_PORT);

	return info != NULL ? info->port : 0;
}

void
http_port_stop(struct http_port *port)
{
	if (port == NULL)
		return;
	MHD_stop_daemon(port->daemon);
	crowd_free(port->crowd);
	free(port);
}
