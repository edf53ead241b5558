/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The console's files over the REST port: for anybody, out of memory, answered
 * where the request is read, without the database or a thread of work.h.
 * Whatever stands below /console/ and is no file is a page, and pages are one
 * file: their script says what is not found.
 */

#include "certd/rest_web.h"

#include <stdlib.h>
#include <string.h>

#define CONSOLE "/console/"

static bool
is_below_console(const char *path)
{
	return strncmp(path, CONSOLE, sizeof(CONSOLE) - 1) == 0;
}

/* Scripts that ask for "/" are told that nothing is there. */
static bool
is_way_in(const struct rest_request *request)
{
	const char *accept = request->headers.accept;

	return strcmp(request->path, "/console") == 0 ||
	       (strcmp(request->path, "/") == 0 && accept != NULL &&
		   strstr(accept, "text/html") != NULL);
}

bool
rest_web_takes(const struct rest_request *request)
{
	return request->rest->config.web != NULL &&
	       (is_below_console(request->path) || is_way_in(request));
}

static bool
is_known_to_client(const struct rest_request *request, const char *etag)
{
	const char *known = request->headers.if_none_match;

	return known != NULL &&
	       (strcmp(known, "*") == 0 || strstr(known, etag) != NULL);
}

static void
put_file(struct rest_request *request, const struct web_file *file)
{
	struct rest_reply *reply = &request->reply;

	_Static_assert(sizeof(reply->etag) == sizeof(file->etag), "it fits");
	memcpy(reply->etag, file->etag, sizeof(reply->etag));
	reply->type = file->type;
	reply->cache = file->may_be_kept ? "public, max-age=31536000, immutable"
					 : "no-cache";
	reply->is_gzip = file->is_gzip;
	reply->varies = file->has_gzip;
	if (is_known_to_client(request, file->etag)) {
		reply->http = 304;
		free(file->owned);
		return;
	}
	reply->http = 200;
	reply->is_borrowed = file->owned == NULL;
	/* libmicrohttpd only reads it. */
	reply->body = file->owned != NULL
			  ? file->owned
			  : (uint8_t *)(uintptr_t)file->octets.at;
	reply->len = file->octets.len;
}

void
rest_web_reply(struct rest_request *request)
{
	struct rest_reply *reply = &request->reply;
	struct web_file file;
	struct status st;

	if (!is_below_console(request->path)) {
		reply->http = 302;
		reply->type = "";
		memcpy(reply->location, CONSOLE, sizeof(CONSOLE));
		return;
	}
	st = web_find(request->rest->config.web, request->path,
	    web_takes_gzip(request->headers.accept_encoding), &file);
	if (failed(st))
		rest_reply_status(request, st, "");
	else
		put_file(request, &file);
}

void
rest_web_headers(
    const struct rest_request *request, struct MHD_Response *response)
{
	const struct rest_reply *reply = &request->reply;

	if (request->rest->config.tls == REST_TLS_FILES)
		MHD_add_response_header(
		    response, "Strict-Transport-Security", "max-age=31536000");
	if (request->what != REST_WEB) {
		/* A browser shows no page of what the API answers. */
		MHD_add_response_header(response, "Content-Security-Policy",
		    "default-src 'none'; frame-ancestors 'none'");
		MHD_add_response_header(
		    response, "Cross-Origin-Resource-Policy", "same-origin");
		return;
	}
	for (size_t i = 0; web_headers[i][0] != NULL; i++)
		MHD_add_response_header(
		    response, web_headers[i][0], web_headers[i][1]);
	if (reply->is_gzip)
		MHD_add_response_header(response, "Content-Encoding", "gzip");
	if (reply->varies)
		MHD_add_response_header(response, "Vary", "Accept-Encoding");
}
