/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Orders (RFC 8555 7.4): asked for, looked at, finalized, and found again in
 * the account's list.  Refuses an order of other names than were asked for, and
 * one whose URL leads elsewhere.
 */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "acme/call.h"
#include "acme/client_int.h"
#include "acme/json.h"
#include "acme/jws.h"
#include "acme/problem_int.h"
#include "acme/url.h"
#include "base/clock.h"

#define PAGES_MAX 64
#define LOOKED_AT_MAX 100 /* orders of a list, the last ones */
#define FIND_TIMES 8      /* as long as a request may take, for all of it */

/* ---- answers ---- */

/* The order out of an answer; its url where Location says so. */
static struct status
read_order(struct acme *acme, const char *what,
    const struct acme_http_reply *reply, struct acme_order *ret_order,
    struct acme_problem *ret_problem)
{
	char why[ACME_JSON_WHY_MAX];
	struct acme_order order;
	struct status st = acme_objects_order(
	    acme_call_body(reply), acme->directory_url, &order, why);

	if (failed(st))
		return acme_call_not_acme(
		    ret_problem, what, reply->status, why);
	if (reply->location[0] != '\0') {
		if (strlen(reply->location) >= ACME_URL_MAX ||
		    !acme_url_same_origin(
			reply->location, acme->directory_url)) {
			acme_order_done(&order);
			return acme_call_not_acme(ret_problem, what,
			    reply->status,
			    "its Location, the order's URL, is not on the "
			    "CA's own origin");
		}
		snprintf(order.url, sizeof(order.url), "%s", reply->location);
	}
	order.retry_after_ms = reply->retry_after_ms;
	*ret_order = order;
	return st;
}

static bool
has_name(const struct acme_order *order, const char *name)
{
	for (size_t i = 0; i < order->n_names; i++) {
		if (strcasecmp(order->names[i], name) == 0)
			return true;
	}
	return false;
}

/* wanted has each name once; so many, and all of them, are those. */
static bool
is_of_names(const struct acme_order *order, const struct acme_order_new *wanted)
{
	for (size_t i = 0; i < wanted->n_names; i++) {
		if (!has_name(order, wanted->names[i]))
			return false;
	}
	return order->n_names == wanted->n_names;
}

/* ---- a new one ---- */

static json_t *
identifiers_of(const struct acme_order_new *wanted)
{
	json_t *list = json_array();

	for (size_t i = 0; i < wanted->n_names; i++) {
		if (json_array_append_new(
			list, json_pack("{s:s, s:s}", "type", "dns", "value",
				  wanted->names[i])) != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static bool
set_text(json_t *object, const char *name, const char *value)
{
	return value == NULL || value[0] == '\0' ||
	       json_object_set_new(object, name, json_string(value)) == 0;
}

static char *
order_text(const struct acme_order_new *wanted)
{
	scoped(json) json_t *object = json_object();

	if (object == NULL ||
	    json_object_set_new(
		object, "identifiers", identifiers_of(wanted)) != 0 ||
	    !set_text(object, "profile", wanted->profile) ||
	    !set_text(object, "replaces", wanted->replaces))
		return NULL;
	return json_dumps(object, JSON_COMPACT);
}

static struct status
check_new(const struct acme_order *order, const struct acme_order_new *wanted,
    int http_status, struct acme_problem *ret_problem)
{
	if (order->url[0] == '\0')
		return acme_call_not_acme(ret_problem, "newOrder", http_status,
		    "it has no Location, which is the order's URL");
	if (!is_of_names(order, wanted))
		return acme_call_not_acme(ret_problem, "newOrder", http_status,
		    "its identifiers are other names than were asked for");
	return status_ok();
}

STATUS
acme_order_new(struct acme *acme, const struct acme_account *account,
    const struct acme_order_new *wanted, struct acme_order *ret_order,
    struct acme_problem *ret_problem)
{
	scoped(acme_reply) struct acme_http_reply reply = { .body = NULL };
	scoped(free) char *payload = NULL;
	char url[ACME_URL_MAX];
	struct acme_order order;
	struct status st =
	    acme_client_url(acme, ACME_NEW_ORDER, url, ret_problem);

	if (failed(st))
		return st;
	payload = order_text(wanted);
	if (payload == NULL)
		return acme_call_no_memory(ret_problem);
	st = acme_call_account(acme, account,
	    &(struct acme_call){ .what = "newOrder",
		.url = url,
		.payload = payload,
		.accept = ACME_CALL_JSON },
	    &reply, ret_problem);
	if (!failed(st))
		st = read_order(acme, "newOrder", &reply, &order, ret_problem);
	if (failed(st))
		return st;
	st = check_new(&order, wanted, reply.status, ret_problem);
	if (failed(st))
		acme_order_done(&order);
	else
		*ret_order = order;
	return st;
}

/* ---- one that is there ---- */

STATUS
acme_order_get(struct acme *acme, const struct acme_account *account,
    const char *url, struct acme_order *ret_order,
    struct acme_problem *ret_problem)
{
	scoped(acme_reply) struct acme_http_reply reply = { .body = NULL };
	struct status st = acme_call_account(acme, account,
	    &(struct acme_call){ .what = "the order",
		.url = url,
		.payload = "",
		.accept = ACME_CALL_JSON },
	    &reply, ret_problem);

	if (!failed(st))
		st = read_order(
		    acme, "the order", &reply, ret_order, ret_problem);
	if (!failed(st))
		snprintf(ret_order->url, sizeof(ret_order->url), "%s", url);
	return st;
}

STATUS
acme_order_finalize(struct acme *acme, const struct acme_account *account,
    const char *finalize_url, struct bytes csr, struct acme_order *ret_order,
    struct acme_problem *ret_problem)
{
	static const char head[] = "{\"csr\":\"";
	const size_t max = sizeof(head) + ACME_BASE64URL_MAX(csr.len) + 3;
	scoped(acme_reply) struct acme_http_reply reply = { .body = NULL };
	scoped(free) char *payload = malloc(max);
	struct status st;
	size_t len;

	if (payload == NULL)
		return acme_call_no_memory(ret_problem);
	memcpy(payload, head, sizeof(head) - 1);
	len = sizeof(head) - 1 +
	      acme_jws_base64url(csr, payload + sizeof(head) - 1);
	memcpy(payload + len, "\"}", 3);
	st = acme_call_account(acme, account,
	    &(struct acme_call){ .what = "finalize",
		.url = finalize_url,
		.payload = payload,
		.accept = ACME_CALL_JSON },
	    &reply, ret_problem);
	if (!failed(st))
		st = read_order(
		    acme, "finalize", &reply, ret_order, ret_problem);
	return st;
}

/* ---- one that was lost (7.1.2.1) ---- */

/* The last ones of the list, for new orders come at its end. */
struct recent {
	char urls[LOOKED_AT_MAX][ACME_URL_MAX];
	size_t n; /* all that were seen */
	int64_t until_ns;
};

static bool
is_late(const struct recent *recent)
{
	return clock_mono_ns() >= recent->until_ns;
}

static void
remember(void *ctx, const char *url)
{
	struct recent *recent = ctx;

	snprintf(
	    recent->urls[recent->n++ % LOOKED_AT_MAX], ACME_URL_MAX, "%s", url);
}

static const char *
next_page(const struct acme_http_reply *reply)
{
	for (size_t i = 0; i < reply->n_links; i++) {
		if (strcasecmp(reply->links[i].rel, "next") == 0)
			return reply->links[i].url;
	}
	return "";
}

/* One page; url becomes that of the next one. */
static struct status
read_page(struct acme *acme, const struct acme_account *account,
    char url[ACME_URL_MAX], struct recent *recent,
    struct acme_problem *ret_problem)
{
	scoped(acme_reply) struct acme_http_reply reply = { .body = NULL };
	char why[ACME_JSON_WHY_MAX];
	struct status st = acme_call_account(acme, account,
	    &(struct acme_call){ .what = "the orders list",
		.url = url,
		.payload = "",
		.accept = ACME_CALL_JSON },
	    &reply, ret_problem);

	if (failed(st))
		return st;
	st = acme_objects_orders(
	    acme_call_body(&reply), acme->directory_url, remember, recent, why);
	if (failed(st))
		return acme_call_not_acme(
		    ret_problem, "the orders list", reply.status, why);
	snprintf(url, ACME_URL_MAX, "%s", next_page(&reply));
	return st;
}

static struct status
list_url(struct acme *acme, const struct acme_account *account,
    char ret_url[ACME_URL_MAX], struct acme_problem *ret_problem)
{
	scoped(acme_reply) struct acme_http_reply reply = { .body = NULL };
	struct acme_objects_account found;
	char why[ACME_JSON_WHY_MAX];
	struct status st = acme_call_account(acme, account,
	    &(struct acme_call){ .what = "the account",
		.url = account->url,
		.payload = "",
		.accept = ACME_CALL_JSON },
	    &reply, ret_problem);

	if (failed(st))
		return st;
	st = acme_objects_account(
	    acme_call_body(&reply), acme->directory_url, &found, why);
	if (failed(st))
		return acme_call_not_acme(
		    ret_problem, "the account", reply.status, why);
	snprintf(ret_url, ACME_URL_MAX, "%s", found.orders);
	return st;
}

/* Could it be gone on with? */
static bool
is_wanted(const struct acme_order *order, const struct acme_order_new *wanted)
{
	const char *profile = wanted->profile == NULL ? "" : wanted->profile;

	return (order->status == ACME_PENDING || order->status == ACME_READY) &&
	       is_of_names(order, wanted) &&
	       (profile[0] == '\0' || strcmp(order->profile, profile) == 0);
}

static struct status
look_through(struct acme *acme, const struct acme_account *account,
    const struct acme_order_new *wanted, const struct recent *recent,
    struct acme_order *ret_order, bool *ret_found,
    struct acme_problem *ret_problem)
{
	const size_t n = recent->n < LOOKED_AT_MAX ? recent->n : LOOKED_AT_MAX;

	for (size_t i = 1; i <= n && !is_late(recent); i++) {
		const char *url = recent->urls[(recent->n - i) % LOOKED_AT_MAX];
		struct acme_problem problem;
		struct acme_order order;
		struct status st =
		    acme_order_get(acme, account, url, &order, &problem);

		/* One that is gone is none; a CA that is gone is a problem. */
		if (failed(st) && problem.is_temporary) {
			*ret_problem = problem;
			return st;
		}
		if (failed(st))
			continue;
		if (is_wanted(&order, wanted)) {
			*ret_order = order;
			*ret_found = true;
			return st;
		}
		acme_order_done(&order);
	}
	*ret_found = false;
	return status_ok();
}

STATUS
acme_order_find(struct acme *acme, const struct acme_account *account,
    const struct acme_order_new *wanted, struct acme_order *ret_order,
    bool *ret_found, struct acme_problem *ret_problem)
{
	scoped(free) struct recent *recent = calloc(1, sizeof(*recent));
	char url[ACME_URL_MAX] = "";
	struct status st;

	if (recent == NULL)
		return acme_call_no_memory(ret_problem);
	recent->until_ns =
	    clock_mono_ns() + FIND_TIMES * acme->timeout_ms * NS_PER_MS;
	st = list_url(acme, account, url, ret_problem);
	for (int i = 0;
	     i < PAGES_MAX && !failed(st) && url[0] != '\0' && !is_late(recent);
	     i++)
		st = read_page(acme, account, url, recent, ret_problem);
	if (failed(st))
		return st;
	return look_through(
	    acme, account, wanted, recent, ret_order, ret_found, ret_problem);
}
