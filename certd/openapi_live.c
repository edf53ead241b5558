/* SPDX-License-Identifier: Apache-2.0 */

/* The one operation that is no method: GET /v1/live, which streams. */

#include "certd/openapi_int.h"

static json_t *
responses(struct openapi_maker *maker)
{
	static const char *const PROBLEMS[] = { "400", "401", "403", "429",
		"503", "default" };
	json_t *all = json_pack("{s:{s:s, s:{s:o}, s:{s:{s:{s:s, s:s}}}}}",
	    "200", "description",
	    "Events as they happen, until the caller may look on no more or "
	    "certd stops.",
	    "headers", "X-Request-Id", openapi_ref("headers", "RequestId"),
	    "content", "text/event-stream", "schema", "type", "string",
	    "description",
	    "Server-sent events: \"event: changed\" with \"data: "
	    "{\\\"topics\\\": "
	    "[...]}\"; comments while nothing happens.");

	for (size_t i = 0; i < sizeof(PROBLEMS) / sizeof(PROBLEMS[0]); i++)
		openapi_put(maker, all, PROBLEMS[i],
		    openapi_ref("responses", "Problem"));
	return all;
}

static json_t *
position(void)
{
	return json_pack("{s:s, s:s, s:s, s:{s:s}}", "name", "position", "in",
	    "query", "description",
	    "live_position of a session: what has changed since is told "
	    "first.",
	    "schema", "type", "string");
}

void
openapi_live(struct openapi_maker *maker)
{
	json_t *operation = json_pack("{s:[s], s:s, s:s, s:s, s:[o, o], s:o}",
	    "tags", "Live", "operationId", "Live.Watch", "summary",
	    "What has changed, as it happens", "description",
	    "Names topics of the caller's account, or of all accounts for who "
	    "sees them all: certificates, resources, changes, enrollments, "
	    "edges, notices, history, keys. What changed is to be read again. "
	    "Topics that the caller's role or scopes cannot read are left "
	    "out.\n\nTokens of role administrator, engineer, viewer, auditor.",
	    "parameters", position(), openapi_ref("parameters", "RequestId"),
	    "responses", responses(maker));

	openapi_put(maker, maker->paths, "/v1/live",
	    json_pack("{s:o}", "get", operation));
	openapi_append(maker, maker->tags,
	    json_pack("{s:s, s:s}", "name", "Live", "description",
		"What has changed, told to who looks on."));
}
