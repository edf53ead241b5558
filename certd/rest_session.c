/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is special about browsers: they send their cookies whoever had them ask.
 * So a request by cookie must come from a page of this very site, as far as the
 * browser says (Sec-Fetch-Site, Origin), and show the session's token when it
 * changes something.  Log-ins are held to the same origin, lest another site
 * log somebody in as somebody else.
 */

#include "certd/rest_session.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "certd/login/session_cookie.h"
#include "certd/login/sessions.h"
#include "certd/rest_peers.h"

static void
refuse(struct rest_request *request, unsigned http, enum status_code code,
    const char *detail)
{
	rest_reply_problem(request, http, code, detail);
}

/* Do browsers come by TLS, to here or to a proxy before it? */
static bool
is_secure(const struct rest_request *request)
{
	const struct rest *rest = request->rest;
	const char *url = rest->config.console_url;

	return rest->tls != NULL || request->by_https ||
	       (url != NULL && strncmp(url, "https://", 8) == 0);
}

/* ---- the same site ---- */

/* RFC 6454 7: "https://host:port", of the Host that the request is for, or of
 * where people reach a proxy before it. */
static bool
is_own_origin(const struct rest_request *request, const char *origin)
{
	const struct rest *rest = request->rest;
	const char *url = rest->config.console_url;
	const char *host = request->headers.host;

	if (url != NULL && url[0] != 0 && strcasecmp(origin, url) == 0)
		return true;
	if (host == NULL || host[0] == 0)
		return false;
	if (strncmp(origin, "https://", 8) == 0)
		return strcasecmp(origin + 8, host) == 0;
	return rest->tls == NULL && !request->by_https &&
	       strncmp(origin, "http://", 7) == 0 &&
	       strcasecmp(origin + 7, host) == 0;
}

static bool
is_same_site(struct rest_request *request)
{
	const struct rest_headers *headers = &request->headers;
	const char *from = headers->sec_fetch_site;
	bool is_same = from == NULL || strcmp(from, "same-origin") == 0 ||
		       (request->verb == API_GET && strcmp(from, "none") == 0);

	if (is_same && headers->origin != NULL)
		is_same = is_own_origin(request, headers->origin);
	if (is_same)
		return true;
	snprintf(
	    request->web.reason, sizeof(request->web.reason), "CROSS_SITE");
	refuse(request, 403, STATUS_PERMISSION_DENIED,
	    "this was asked for by a page of another site; open the console "
	    "itself, at the address that console.url in certd.yaml names");
	return false;
}

void
rest_session_admit_open(struct rest_request *request)
{
	if (!is_same_site(request))
		return;
	request->caller = (struct caller){ .is = 0 };
	request->is_known = true;
}

/* ---- by cookie ---- */

static STATUS
find_cookie(const struct rest_request *request,
    char ret_value[SESSION_COOKIE_VALUE_MAX])
{
	const char *header = request->headers.cookie;

	if (request->rest->config.sessions == NULL || header == NULL)
		return status_fail(STATUS_NOT_FOUND, "there is no session");
	return session_cookie_find(header,
	    is_secure(request) ? SESSION_COOKIE : SESSION_COOKIE_PLAIN,
	    ret_value);
}

bool
rest_session_is_there(const struct rest_request *request)
{
	char value[SESSION_COOKIE_VALUE_MAX];
	struct status st;

	if (request->headers.authorization != NULL)
		return false;
	st = find_cookie(request, value);
	explicit_bzero(value, sizeof(value));
	return st.code != STATUS_NOT_FOUND;
}

/* A page that is open asks what has changed, whether anybody looks or not; and
 * a stream comes again whenever it was cut off. */
static bool
is_left_alone(const struct rest_request *request)
{
	return request->verb == API_GET &&
	       (request->headers.left_alone != NULL ||
		   request->what == REST_LIVE);
}

static STATUS
find_caller(struct rest_request *request, const char *cookie)
{
	struct sessions *sessions = request->rest->config.sessions;
	const char *token = request->headers.csrf_token;

	if (is_left_alone(request))
		return sessions_caller_left_alone(
		    sessions, cookie, &request->caller, &request->web.session);
	if (request->verb == API_GET)
		token = NULL;
	else if (token == NULL)
		token = "";
	return sessions_caller(
	    sessions, cookie, token, &request->caller, &request->web.session);
}

void
rest_session_authenticate(struct rest_request *request)
{
	const struct api_method *method = request->route.method;
	char value[SESSION_COOKIE_VALUE_MAX] = "";
	struct status st;

	if (!is_same_site(request))
		return;
	st = find_cookie(request, value);
	if (!failed(st))
		st = find_caller(request, value);
	explicit_bzero(value, sizeof(value));
	request->is_known = request->web.session != 0;
	/* Something must be set first: what is about oneself is let through. */
	if (st.code == STATUS_PERMISSION_DENIED && request->is_known &&
	    method->session_only)
		st = status_ok();
	if (st.code == STATUS_PERMISSION_DENIED)
		snprintf(request->web.reason, sizeof(request->web.reason), "%s",
		    request->is_known ? "MUST_SET" : "CSRF");
	if (!failed(st))
		st = api_allows(method, &request->caller);
	if (failed(st))
		rest_reply_status(request, st, "");
}

/* ---- a method's web ---- */

void
rest_session_prepare(struct rest_request *request)
{
	struct api_web *web = &request->web;
	const char *agent = request->headers.user_agent;

	web->address = request->address;
	web->user_agent = agent == NULL ? "" : agent;
	web->peer_identity = request->peer_identity;
	/* A proxy's own certificate says nothing of whom it brings. */
	if (request->route.method->certificate && !request->by_proxy)
		rest_peers_identity(
		    request, request->peer_identity, &web->peer_not_after_s);
}

/* Nobody has its cookie any more who should. */
static void
end_old(const struct rest_request *request)
{
	char value[SESSION_COOKIE_VALUE_MAX] = "";
	struct status st = find_cookie(request, value);

	if (!failed(st))
		st = sessions_replaced(request->rest->config.sessions, value,
		    request->web.address);
	explicit_bzero(value, sizeof(value));
	if (failed(st) && st.code != STATUS_NOT_FOUND &&
	    st.code != STATUS_INVALID_ARGUMENT)
		log_warn("the session that another took the place of could not "
			 "be ended",
		    LOG_STATUS(st));
}

void
rest_session_finish(struct rest_request *request)
{
	struct api_web *web = &request->web;

	if (web->cookie[0] != 0 && request->route.method->open)
		end_old(request);
	if (web->cookie[0] != 0 || web->clear_cookie)
		session_cookie_print(
		    web->cookie, is_secure(request), request->reply.cookie);
	explicit_bzero(web->cookie, sizeof(web->cookie));
	if (web->retry_after_s != 0 && request->reply.http >= 400)
		request->reply.retry_after_s = web->retry_after_s;
}

const char *
rest_session_key_owner(const struct rest_request *request, char ret_text[64])
{
	const struct api_method *method = request->route.method;

	if (method->open || (method->session_only && method->secret))
		return NULL;
	if (request->web.session == 0)
		return request->headers.authorization;
	snprintf(ret_text, 64, "session:%lld", (long long)request->web.session);
	return ret_text;
}
