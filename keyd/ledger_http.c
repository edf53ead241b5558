/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The ledger over HTTP.  A path is taken apart first (tile_parse has one name
 * for each tile) and only what is a part of the ledger is opened; there are no
 * folders to list, no other methods than GET and HEAD, no state.  Tiles never
 * change and say so; the checkpoint does.  Few connections, of which
 * the oldest is hung up when there are too many, short ones, small requests.
 */

#include "keyd/ledger_http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "base/address.h"
#include "base/crowd.h"
#include "ledger/reader.h"

#define CONNECTIONS_MAX 256
#define CROWD_MAX 224 /* of them; the rest is for those that are going */
#define TIMEOUT_S 15
#define CONNECTION_MEMORY 16384
#define BUNDLE_MAX ((size_t)TILE_WIDTH * (2 + ENTRY_MAX))

struct ledger_http {
	struct MHD_Daemon *daemon;
	struct reader *reader; /* of the daemon's one thread */
	struct crowd *crowd;   /* its too */
};

/* ---- what is served ---- */

struct kind {
	size_t max;
	const char *type, *cache;
};

static const struct kind NOTE = { NOTE_MAX, "text/plain; charset=utf-8",
	"no-cache" };
static const struct kind OLD_NOTE = { NOTE_MAX, "text/plain; charset=utf-8",
	"max-age=31536000, immutable" };
static const struct kind TILE = { BUNDLE_MAX, "application/octet-stream",
	"max-age=31536000, immutable" };

static bool
is_handover(const char *path)
{
	static const char head[] = "handover/";
	const char *number = path + sizeof(head) - 1;

	return strncmp(path, head, sizeof(head) - 1) == 0 && number[0] >= '1' &&
	       number[0] <= '9' && strlen(number) <= 9 &&
	       strspn(number, "0123456789") == strlen(number);
}

/* NULL: no part of a ledger. */
static const struct kind *
kind_of(const char *path)
{
	struct tile tile;

	if (strcmp(path, "checkpoint") == 0 || strcmp(path, "cosigned") == 0)
		return &NOTE;
	if (is_handover(path))
		return &OLD_NOTE;
	return tile_parse(path, &tile) ? &TILE : NULL;
}

static enum MHD_Result
reply(struct MHD_Connection *connection, unsigned code, const struct kind *kind,
    struct MHD_Response *response)
{
	enum MHD_Result result;

	if (response == NULL)
		return MHD_NO;
	MHD_add_response_header(
	    response, MHD_HTTP_HEADER_CONTENT_TYPE, kind->type);
	MHD_add_response_header(
	    response, MHD_HTTP_HEADER_CACHE_CONTROL, kind->cache);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(
		    response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, code, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result
refuse(struct MHD_Connection *connection, unsigned code, char *text)
{
	return reply(connection, code, &NOTE,
	    MHD_create_response_from_buffer(
		strlen(text), text, MHD_RESPMEM_MUST_COPY));
}

static enum MHD_Result
answer(void *cls, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload_data,
    size_t *upload_data_size, void **con_cls)
{
	struct ledger_http *http = cls;
	char not_found[] = "not found\n", not_allowed[] = "use GET\n";
	char unavailable[] = "the ledger cannot be read now\n";
	const struct kind *kind = url[0] == '/' ? kind_of(url + 1) : NULL;
	struct MHD_Response *response;
	uint8_t *octets;
	size_t len;
	struct status st;

	(void)version;
	(void)upload_data;
	(void)upload_data_size;
	(void)con_cls;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return refuse(
		    connection, MHD_HTTP_METHOD_NOT_ALLOWED, not_allowed);
	if (kind == NULL)
		return refuse(connection, MHD_HTTP_NOT_FOUND, not_found);
	st = reader_file(http->reader, url + 1, kind->max, &octets, &len);
	if (st.code == STATUS_NOT_FOUND)
		return refuse(connection, MHD_HTTP_NOT_FOUND, not_found);
	if (failed(st))
		return refuse(
		    connection, MHD_HTTP_SERVICE_UNAVAILABLE, unavailable);
	response =
	    MHD_create_response_from_buffer(len, octets, MHD_RESPMEM_MUST_FREE);
	if (response == NULL)
		free(octets);
	return reply(connection, MHD_HTTP_OK, kind, response);
}

static void
come_and_go(void *cls, struct MHD_Connection *connection, void **place,
    enum MHD_ConnectionNotificationCode code)
{
	struct ledger_http *http = cls;
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
start(const union address *address, struct ledger_http *http)
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
ledger_http_start(
    const char *listen, const char *folder, struct ledger_http **ret_http)
{
	scoped(ledger_http_stop) struct ledger_http *http =
	    calloc(1, sizeof(*http));
	union address address;
	struct status st;

	if (!address_parse(listen, &address))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "audit.listen: write a numeric address and port, "
		    "127.0.0.1:7480 or [::1]:7480");
	if (http != NULL)
		http->crowd = crowd_new(CROWD_MAX);
	if (http == NULL || http->crowd == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	st = reader_open(folder, &http->reader);
	if (failed(st))
		return st;
	errno = 0;
	http->daemon = start(&address, http);
	if (http->daemon == NULL)
		return status_fail_detail(STATUS_UNAVAILABLE,
		    "audit.listen: the address cannot be listened on; is "
		    "another process using the port?",
		    (uint32_t)errno);
	*ret_http = http;
	http = NULL;
	return st;
}

uint16_t
ledger_http_port(const struct ledger_http *http)
{
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT);

	return info != NULL ? info->port : 0;
}

void
ledger_http_stop(struct ledger_http *http)
{
	if (http == NULL)
		return;
	if (http->daemon != NULL)
		MHD_stop_daemon(http->daemon);
	reader_close(http->reader);
	crowd_free(http->crowd);
	free(http);
}
