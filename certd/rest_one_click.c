/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One-click unsubscription; see rest_one_click.h.  A GET of the same address is
 * a page that asks, and stops nothing: what looks at links before people do
 * sends GETs.
 */

#include "certd/rest_one_click.h"

#include <string.h>
#include <strings.h>

#define PAGE "/console/unsubscribe"
#define METHOD "/v1/notices:unsubscribe"

static bool
begins_with(const char *value, const char *type)
{
	return value != NULL && strncasecmp(value, type, strlen(type)) == 0;
}

bool
rest_one_click_takes(struct rest_request *request)
{
	if (strcmp(request->verb_name, "POST") != 0 ||
	    strcmp(request->path, PAGE) != 0)
		return false;
	route_find(request->rest->routes, API_POST, METHOD, &request->route);
	request->one_click = request->route.method != NULL;
	return request->one_click;
}

bool
rest_one_click_takes_body(const struct rest_request *request)
{
	const char *type = request->headers.content_type;

	return request->one_click &&
	       (begins_with(type, "application/x-www-form-urlencoded") ||
		   begins_with(type, "multipart/form-data"));
}
