/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Failures over HTTP.  One table from status codes to HTTP's, one of HTTP's
 * titles.  The type is about:blank (RFC 9457 4.2.1): what happened is told by
 * "code", in the words that gRPC has for it, and by the sentence in "detail".
 */

#include "certd/problem.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/bytes.h"
#include "base/printable.h"

static const unsigned short HTTP[] = {
	[STATUS_OK] = 200,
	[STATUS_CANCELLED] = 503,
	[STATUS_UNKNOWN] = 500,
	[STATUS_INVALID_ARGUMENT] = 400,
	[STATUS_DEADLINE_EXCEEDED] = 504,
	[STATUS_NOT_FOUND] = 404,
	[STATUS_ALREADY_EXISTS] = 409,
	[STATUS_PERMISSION_DENIED] = 403,
	[STATUS_RESOURCE_EXHAUSTED] = 429,
	[STATUS_FAILED_PRECONDITION] = 409,
	[STATUS_ABORTED] = 409,
	[STATUS_OUT_OF_RANGE] = 400,
	[STATUS_UNIMPLEMENTED] = 501,
	[STATUS_INTERNAL] = 500,
	[STATUS_UNAVAILABLE] = 503,
	[STATUS_DATA_LOSS] = 500,
	[STATUS_UNAUTHENTICATED] = 401,
};

static const struct {
	unsigned http;
	const char *title;
} TITLES[] = {
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 409, "Conflict" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 422, "Unprocessable Content" },
	{ 429, "Too Many Requests" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
};
#define N_TITLES (sizeof(TITLES) / sizeof(TITLES[0]))

unsigned
problem_http(enum status_code code)
{
	size_t i = (size_t)code;

	return i < sizeof(HTTP) / sizeof(HTTP[0]) ? HTTP[i] : 500;
}

const char *
problem_title(unsigned http)
{
	for (size_t i = 0; i < N_TITLES; i++)
		if (TITLES[i].http == http)
			return TITLES[i].title;
	return "Failure";
}

unsigned
problem_next(unsigned http)
{
	for (size_t i = 0; i < N_TITLES; i++)
		if (TITLES[i].http > http)
			return TITLES[i].http;
	return 0;
}

char *
problem_print(const struct problem *problem)
{
	size_t max = PRINTABLE_MAX(strlen(problem->detail));
	char *detail = malloc(max), *text = NULL;
	json_t *json;

	if (detail == NULL)
		return NULL;
	/* A sentence may quote what the caller sent. */
	printable_print(bytes_of(problem->detail), detail, max);
	json = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s*, s:s*}", "type",
	    "about:blank", "title", problem_title(problem->http), "status",
	    (int)problem->http, "detail", detail, "code",
	    status_name(problem->code), "reason", problem->reason, "instance",
	    problem->request_id);
	if (json != NULL)
		text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	free(detail);
	return text;
}
