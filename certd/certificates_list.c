/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Certificates.List: what was asked becomes a filter of the store, and a page
 * token is the row behind which the next page begins, in the order in which it
 * was given.  Refused are an order that there is not, and a token that no list
 * of that order gave.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "certd/certificate_view.h"
#include "certd/certificates_int.h"
#include "certd/store_certificate_list.h"
#include "proto/message.h"

#define DAY_S 86400
#define DAYS_MAX 36500
#define NUMBER_DIGITS 18
#define TOKEN_MAX 256
#define KIND_PERSONAL                                                          \
	HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_PERSONAL
#define KIND_SHARED                                                            \
	HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_SHARED

typedef Holdfast__Certd__V1__ListCertificatesRequest list_request;

/* ---- page tokens: "n-17.1767225600.d3d3" ---- */

/* How the order of a list begins its tokens. */
static void
print_order(const struct certificate_filter *filter, char ret_text[3])
{
	static const char ORDERS[] = { [CERTIFICATE_BY_ID] = 'i',
		[CERTIFICATE_BY_NAME] = 'n',
		[CERTIFICATE_BY_EXPIRY] = 'e' };

	ret_text[0] = ORDERS[filter->order];
	ret_text[1] = filter->is_descending ? 'd' : 'u';
	ret_text[2] = 0;
}

static void
print_token(const struct certificate_filter *filter,
    const struct certificate_cursor *at, char ret_token[TOKEN_MAX])
{
	char order[3], name[BASE64_MAX(CERTIFICATE_NAME_MAX)];

	print_order(filter, order);
	(void)base64_encode(bytes_of(at->name), name);
	(void)!snprintf(ret_token, TOKEN_MAX, "%s%" PRId64 ".%" PRId64 ".%s",
	    order, at->id, at->not_after_s, name);
}

/* A number as print_token writes it, and the dot behind it. */
static bool
take_number(const char **at, int64_t *ret_number)
{
	bool minus = **at == '-';
	const char *digits = *at + minus;
	size_t len = strspn(digits, "0123456789");
	int64_t number = 0;

	if (len == 0 || len > NUMBER_DIGITS || digits[len] != '.')
		return false;
	for (size_t i = 0; i < len; i++)
		number = 10 * number + (digits[i] - '0');
	*ret_number = minus ? -number : number;
	*at = digits + len + 1;
	return true;
}

static bool
read_token(const struct certificate_filter *filter, const char *token,
    struct certificate_cursor *ret_cursor)
{
	struct certificate_cursor cursor = { .is_set = true };
	size_t len = 0;
	char order[3];

	print_order(filter, order);
	if (strncmp(token, order, 2) != 0)
		return false;
	token += 2;
	if (!take_number(&token, &cursor.id) ||
	    !take_number(&token, &cursor.not_after_s) ||
	    !base64_decode(bytes_of(token), (uint8_t *)cursor.name,
		sizeof(cursor.name) - 1, &len) ||
	    len >= sizeof(cursor.name) || memchr(cursor.name, 0, len) != NULL)
		return false;
	*ret_cursor = cursor;
	return true;
}

/* ---- the filter ---- */

static struct status
take_order(const list_request *asked, struct certificate_filter *filter)
{
	static const struct {
		const char *name;
		enum certificate_order order;
	} ORDERS[] = { { "id", CERTIFICATE_BY_ID },
		{ "name", CERTIFICATE_BY_NAME },
		{ "expires", CERTIFICATE_BY_EXPIRY } };
	const char *name = asked->order_by[0] == 0 ? "-id" : asked->order_by;

	filter->is_descending = name[0] == '-';
	name += filter->is_descending;
	for (size_t i = 0; i < sizeof(ORDERS) / sizeof(ORDERS[0]); i++)
		if (strcmp(ORDERS[i].name, name) == 0) {
			filter->order = ORDERS[i].order;
			return status_ok();
		}
	return status_fail(STATUS_INVALID_ARGUMENT,
	    "order_by is id, name or expires, with - before it to turn it "
	    "round");
}

static struct status
take_kinds(const list_request *asked, struct certificate_filter *filter)
{
	for (size_t i = 0; i < asked->n_kinds; i++) {
		if (asked->kinds[i] < KIND_PERSONAL ||
		    asked->kinds[i] > KIND_SHARED)
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "kinds are personal, ACME and shared");
		filter->kinds |= 1U << asked->kinds[i];
	}
	/* Those of ACME are seen in their resource. */
	if (filter->kinds == 0)
		filter->kinds = 1U << KIND_PERSONAL | 1U << KIND_SHARED;
	return status_ok();
}

static struct status
take_filter(const list_request *asked, struct certificate_filter *filter)
{
	struct status st = take_order(asked, filter);

	if (!failed(st))
		st = take_kinds(asked, filter);
	if (!failed(st))
		st = store_page_size(asked->page_size, &filter->size);
	if (failed(st))
		return st;
	filter->search = asked->search;
	filter->unused = asked->unused;
	filter->for_resource = asked->for_resource;
	filter->now_s = store_now_s();
	if (asked->expires_within_days > DAYS_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "expires_within_days is 36500 at most");
	if (asked->expires_within_days > 0)
		filter->expires_before_s =
		    filter->now_s + (int64_t)asked->expires_within_days * DAY_S;
	if (asked->page_token[0] != 0 &&
	    !read_token(filter, asked->page_token, &filter->after))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "page_token is not of this list; begin again without it");
	return st;
}

/* Whose certificates; those for a resource are its account's. */
static struct status
take_account(struct db_tx *tx, const struct caller *caller,
    const list_request *asked, struct certificate_filter *filter)
{
	int64_t account = 0;
	struct status st =
	    caller_account_or_all(caller, tx, asked->account, &filter->account);

	if (failed(st) || asked->for_resource == 0)
		return st;
	st = store_certificates_resource_account(
	    tx, asked->for_resource, &account);
	if (failed(st))
		return st;
	if (!caller_sees(caller, account) ||
	    (filter->account != 0 && filter->account != account))
		return store_certificates_no_resource();
	filter->account = account;
	return st;
}

/* ---- the answer ---- */

struct listing {
	struct db_tx *tx;
	const struct caller *caller;
	Holdfast__Certd__V1__ListCertificatesResponse *reply;
};

static struct status
add(void *ctx, const struct store_certificate *found)
{
	struct listing *listing = ctx;
	Holdfast__Certd__V1__Certificate *view = message_append(
	    &listing->reply->n_certificates, &listing->reply->certificates,
	    &holdfast__certd__v1__certificate__descriptor);

	if (view == NULL)
		return message_no_memory();
	return certificate_view_fill(
	    listing->tx, listing->caller, found, false, view);
}

static struct status
list(struct db_tx *tx, const struct caller *caller, const list_request *asked,
    Holdfast__Certd__V1__ListCertificatesResponse *reply)
{
	struct listing listing = { tx, caller, reply };
	struct certificate_filter filter = { .kinds = 0 };
	struct certificate_cursor next = { .is_set = false };
	char token[TOKEN_MAX];
	struct status st = take_filter(asked, &filter);

	if (!failed(st))
		st = take_account(tx, caller, asked, &filter);
	if (!failed(st))
		st = store_certificate_list(tx, &filter, add, &listing, &next);
	if (failed(st) || !next.is_set)
		return st;
	print_token(&filter, &next, token);
	return message_text(&reply->next_page_token, token)
		   ? st
		   : message_no_memory();
}

struct status
certificates_list(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	const struct certificates *certificates = ctx;
	scoped(message_free) ProtobufCMessage *reply = message_new(
	    &holdfast__certd__v1__list_certificates_response__descriptor);
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	st = store_read(certificates->config.store, &tx);
	if (!failed(st))
		st = list(tx, call->caller, (const list_request *)request,
		    (Holdfast__Certd__V1__ListCertificatesResponse *)reply);
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}
