/* SPDX-License-Identifier: Apache-2.0 */

/*
 * ACME's objects out of JSON.  Refuses an object that lacks what RFC 8555 says
 * it has, statuses that it does not know, and URLs on another origin.  What was
 * made for an object that turns out bad is released here.
 */

#include "acme/objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acme/objects_int.h"
#include "acme/problem_int.h"
#include "base/printable.h"

static const char *const status_names[] = {
	[ACME_PENDING] = "pending",
	[ACME_READY] = "ready",
	[ACME_PROCESSING] = "processing",
	[ACME_VALID] = "valid",
	[ACME_INVALID] = "invalid",
	[ACME_DEACTIVATED] = "deactivated",
	[ACME_EXPIRED] = "expired",
	[ACME_REVOKED] = "revoked",
};

static const char *const resource_names[] = {
	[ACME_NEW_NONCE] = "newNonce",
	[ACME_NEW_ACCOUNT] = "newAccount",
	[ACME_NEW_ORDER] = "newOrder",
	[ACME_REVOKE_CERT] = "revokeCert",
	[ACME_KEY_CHANGE] = "keyChange",
	[ACME_RENEWAL_INFO] = "renewalInfo",
};

const char *
acme_objects_resource_name(enum acme_resource resource)
{
	return resource_names[resource];
}

/* ---- pieces ---- */

STATUS
acme_objects_verdict(
    const struct acme_json *json, char ret_why[ACME_JSON_WHY_MAX])
{
	if (!json->is_bad)
		return status_ok();
	snprintf(ret_why, ACME_JSON_WHY_MAX, "%s", json->why);
	return status_fail(STATUS_INVALID_ARGUMENT, "not ACME's JSON");
}

void
acme_objects_read_status(struct acme_json *json, enum acme_status *ret_status)
{
	char text[32] = "", shown[64];

	acme_json_text(json, "status", ACME_JSON_REQUIRED, text, sizeof(text));
	if (json->is_bad)
		return;
	for (size_t i = 0; i < sizeof(status_names) / sizeof(status_names[0]);
	     i++) {
		if (strcmp(text, status_names[i]) == 0) {
			*ret_status = (enum acme_status)i;
			return;
		}
	}
	printable_print(bytes_of(text), shown, sizeof(shown));
	acme_json_bad(json, "its status \"%s\" is none of RFC 8555", shown);
}

void
acme_objects_read_problem(
    struct acme_json *json, struct acme_problem *ret_problem)
{
	const json_t *error =
	    acme_json_object(json, "error", ACME_JSON_OPTIONAL);

	if (error != NULL && !acme_problem_read(error, 0, ret_problem))
		acme_json_bad(json, "its \"error\" says nothing");
}

void
acme_objects_read_identifier(
    struct acme_json *json, const json_t *value, char ret_name[256])
{
	char type[32] = "", name[224] = "";
	struct acme_json identifier;

	if (json->is_bad)
		return;
	if (!json_is_object(value)) {
		acme_json_bad(json, "its identifier is no object");
		return;
	}
	acme_json_init(&identifier, value, NULL);
	acme_json_text(
	    &identifier, "type", ACME_JSON_REQUIRED, type, sizeof(type));
	acme_json_text(&identifier, "value", ACME_JSON_REQUIRED, ret_name, 256);
	if (identifier.is_bad) {
		acme_json_bad(json, "of its identifier: %s", identifier.why);
	} else if (strcmp(type, "dns") != 0) {
		snprintf(name, sizeof(name), "%s", ret_name);
		snprintf(ret_name, 256, "%s:%s", type, name);
	}
}

/* ---- the directory ---- */

/* For people only, of any origin; what is no plain line is left out. */
static void
read_link_for_people(
    struct acme_json *json, const char *name, char ret_url[ACME_URL_MAX])
{
	const char *url =
	    json_string_value(json_object_get(json->object, name));

	if (url == NULL || strlen(url) >= ACME_URL_MAX)
		return;
	for (const char *c = url; *c != '\0'; c++) {
		if (*c <= ' ' || *c >= 0x7f)
			return;
	}
	snprintf(ret_url, ACME_URL_MAX, "%s", url);
}

static void
read_profiles(struct acme_json *meta, struct acme_directory *directory)
{
	const json_t *profiles =
	    acme_json_object(meta, "profiles", ACME_JSON_OPTIONAL);
	const char *name;
	json_t *text;

	json_object_foreach((json_t *)(uintptr_t)profiles, name, text)
	{
		char *to = directory->profiles[directory->n_profiles];

		/* One that nobody could ask for is none. */
		if (strlen(name) < sizeof(directory->profiles[0]) &&
		    directory->n_profiles < ACME_PROFILES_MAX) {
			snprintf(
			    to, sizeof(directory->profiles[0]), "%s", name);
			directory->n_profiles++;
		}
	}
}

STATUS
acme_objects_directory(struct bytes body, const char *origin,
    struct acme_objects_directory *ret_directory,
    char ret_why[ACME_JSON_WHY_MAX])
{
	struct acme_objects_directory *found = calloc(1, sizeof(*found));
	scoped(json) json_t *document = NULL;
	const json_t *meta_object;
	struct acme_json json, meta;
	struct status st;

	if (found == NULL) {
		snprintf(ret_why, ACME_JSON_WHY_MAX,
		    "there is not enough memory for it");
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "there is not enough memory");
	}
	st = acme_json_load(body, &document, ret_why);
	if (failed(st)) {
		free(found);
		return st;
	}
	acme_json_init(&json, document, origin);
	for (int i = 0; i < ACME_RESOURCES; i++)
		acme_json_url(&json, resource_names[i],
		    i < ACME_REVOKE_CERT ? ACME_JSON_REQUIRED
					 : ACME_JSON_OPTIONAL,
		    found->urls[i]);
	meta_object = acme_json_object(&json, "meta", ACME_JSON_OPTIONAL);
	acme_json_init(&meta, meta_object, NULL);
	acme_json_flag(&meta, "externalAccountRequired",
	    &found->public.needs_external_account);
	read_link_for_people(
	    &meta, "termsOfService", found->public.terms_of_service);
	read_profiles(&meta, &found->public);
	if (meta.is_bad)
		acme_json_bad(&json, "of its \"meta\": %s", meta.why);
	found->public.has_renewal_info =
	    found->urls[ACME_RENEWAL_INFO][0] != '\0';
	st = acme_objects_verdict(&json, ret_why);
	if (!failed(st))
		*ret_directory = *found;
	free(found);
	return st;
}

/* ---- accounts ---- */

STATUS
acme_objects_account(struct bytes body, const char *origin,
    struct acme_objects_account *ret_account, char ret_why[ACME_JSON_WHY_MAX])
{
	struct acme_objects_account found = { .orders = "" };
	scoped(json) json_t *document = NULL;
	struct acme_json json;
	struct status st = acme_json_load(body, &document, ret_why);

	if (failed(st))
		return st;
	acme_json_init(&json, document, origin);
	acme_objects_read_status(&json, &found.status);
	acme_json_url(&json, "orders", ACME_JSON_OPTIONAL, found.orders);
	st = acme_objects_verdict(&json, ret_why);
	if (!failed(st))
		*ret_account = found;
	return st;
}

/* ---- orders ---- */

void
acme_order_done(struct acme_order *order)
{
	free(order->authorizations);
	free(order->names);
	order->authorizations = NULL;
	order->names = NULL;
	order->n_authorizations = order->n_names = 0;
}

static void
read_lists(struct acme_json *json, struct acme_order *order)
{
	const json_t *names = acme_json_array(
	    json, "identifiers", ACME_JSON_REQUIRED, ACME_NAMES_MAX);
	const json_t *authorizations = acme_json_array(
	    json, "authorizations", ACME_JSON_REQUIRED, ACME_NAMES_MAX);

	if (names == NULL || authorizations == NULL)
		return;
	order->n_names = json_array_size(names);
	order->n_authorizations = json_array_size(authorizations);
	/* calloc(0) may be NULL. */
	order->names = calloc(order->n_names + 1, sizeof(*order->names));
	order->authorizations =
	    calloc(order->n_authorizations + 1, sizeof(*order->authorizations));
	if (order->names == NULL || order->authorizations == NULL) {
		acme_json_bad(json, "there is not enough memory for it");
		return;
	}
	for (size_t i = 0; i < order->n_names; i++)
		acme_objects_read_identifier(
		    json, json_array_get(names, i), order->names[i]);
	for (size_t i = 0; i < order->n_authorizations && !json->is_bad; i++)
		acme_json_url_of(json, json_array_get(authorizations, i),
		    "authorizations", order->authorizations[i]);
}

STATUS
acme_objects_order(struct bytes body, const char *origin,
    struct acme_order *ret_order, char ret_why[ACME_JSON_WHY_MAX])
{
	struct acme_order found = { .url = "", .retry_after_ms = -1 };
	scoped(json) json_t *document = NULL;
	struct acme_json json;
	struct status st = acme_json_load(body, &document, ret_why);

	if (failed(st))
		return st;
	acme_json_init(&json, document, origin);
	acme_objects_read_status(&json, &found.status);
	acme_json_time(&json, "expires", ACME_JSON_OPTIONAL, &found.expires_s);
	acme_json_url(&json, "finalize", ACME_JSON_REQUIRED, found.finalize);
	acme_json_url(
	    &json, "certificate", ACME_JSON_OPTIONAL, found.certificate);
	acme_json_text(&json, "profile", ACME_JSON_OPTIONAL, found.profile,
	    sizeof(found.profile));
	acme_objects_read_problem(&json, &found.problem);
	read_lists(&json, &found);
	if (found.status == ACME_VALID && found.certificate[0] == '\0')
		acme_json_bad(
		    &json, "it is valid, and its \"certificate\" is missing");
	if (found.status > ACME_INVALID)
		acme_json_bad(&json, "its status \"%s\" is none of an order",
		    status_names[found.status]);
	st = acme_objects_verdict(&json, ret_why);
	if (failed(st))
		acme_order_done(&found);
	else
		*ret_order = found;
	return st;
}

STATUS
acme_objects_orders(struct bytes body, const char *origin,
    void (*each)(void *ctx, const char *url), void *ctx,
    char ret_why[ACME_JSON_WHY_MAX])
{
	scoped(json) json_t *document = NULL;
	const json_t *orders;
	struct acme_json json;
	struct status st = acme_json_load(body, &document, ret_why);
	char url[ACME_URL_MAX];

	if (failed(st))
		return st;
	acme_json_init(&json, document, origin);
	orders = acme_json_array(
	    &json, "orders", ACME_JSON_REQUIRED, ACME_OBJECTS_PAGE_MAX);
	for (size_t i = 0; i < json_array_size(orders) && !json.is_bad; i++) {
		acme_json_url_of(
		    &json, json_array_get(orders, i), "orders", url);
		if (!json.is_bad)
			each(ctx, url);
	}
	return acme_objects_verdict(&json, ret_why);
}

/* ---- renewal information ---- */

STATUS
acme_objects_renewal_info(struct bytes body, struct acme_renewal_info *ret_info,
    char ret_why[ACME_JSON_WHY_MAX])
{
	struct acme_renewal_info found = { .explanation_url = "" };
	scoped(json) json_t *document = NULL;
	const json_t *window_object;
	struct acme_json json, window;
	struct status st = acme_json_load(body, &document, ret_why);

	if (failed(st))
		return st;
	acme_json_init(&json, document, NULL);
	window_object =
	    acme_json_object(&json, "suggestedWindow", ACME_JSON_REQUIRED);
	if (window_object != NULL) {
		acme_json_init(&window, window_object, NULL);
		acme_json_time(&window, "start", ACME_JSON_REQUIRED,
		    &found.window_start_s);
		acme_json_time(
		    &window, "end", ACME_JSON_REQUIRED, &found.window_end_s);
		if (window.is_bad)
			acme_json_bad(&json, "of its \"suggestedWindow\": %s",
			    window.why);
		/* RFC 9773 4.2 */
		else if (found.window_end_s < found.window_start_s)
			acme_json_bad(
			    &json, "its window ends before it begins");
	}
	read_link_for_people(&json, "explanationURL", found.explanation_url);
	/* It may become a link to click on. */
	if (strncmp(found.explanation_url, "https://", 8) != 0 &&
	    strncmp(found.explanation_url, "http://", 7) != 0)
		found.explanation_url[0] = '\0';
	st = acme_objects_verdict(&json, ret_why);
	if (!failed(st))
		*ret_info = found;
	return st;
}
