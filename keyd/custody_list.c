/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys.List, Get and ListGrants: what the Keys service tells without changing
 * anything.  Pages begin where the one before ended, so that a change in
 * between makes no row come twice or stay away.  certd is told of the grants on
 * keys that certd had made, which are those that it may change.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keyd/custody_int.h"
#include "keyd/key_view.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"

#define PAGE_DEFAULT 100
#define PAGE_MAX 1000
/* "<key id>/<identity>" of the last one of a page. */
#define GRANT_TOKEN_MAX (KEY_ID_TEXT_MAX + REGISTRY_PATTERN_MAX)

static struct status
take_size(uint32_t asked, size_t *ret_size)
{
	if (asked > PAGE_MAX)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "page_size is at most 1000");
	*ret_size = asked == 0 ? PAGE_DEFAULT : asked;
	return status_ok();
}

static struct status
bad_token(void)
{
	return status_fail(STATUS_INVALID_ARGUMENT,
	    "page_token is next_page_token of the page before");
}

struct status
custody_list(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__ListKeysRequest *asked =
	    (const Holdfast__Keyd__V1__ListKeysRequest *)request;
	scoped(free) struct registry_key *page = NULL;
	struct custody *custody = ctx;
	const char *next = "";
	size_t size = 0, n = 0;
	struct status st = take_size(asked->page_size, &size);

	(void)call;
	if (failed(st))
		return st;
	if (strlen(asked->page_token) >= REGISTRY_LABEL_MAX)
		return bad_token();
	/* One more than asked for tells whether there is a page after. */
	page = calloc(size + 1, sizeof(*page));
	if (page == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	st = registry_keys(
	    custody->config.registry, asked->page_token, size + 1, page, &n);
	if (failed(st))
		return st;
	if (n > size) {
		n = size;
		next = page[n - 1].label;
	}
	return key_view_reply_page(reply, page, n, next);
}

struct status
custody_get(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__GetKeyRequest *asked =
	    (const Holdfast__Keyd__V1__GetKeyRequest *)request;
	struct custody *custody = ctx;
	struct registry_key key;
	struct key_id id;
	struct status st;

	(void)call;
	if ((asked->id.len == 0) == (asked->label[0] == 0))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "name the key by its id or by its label, one of the two");
	if (asked->label[0] != 0) {
		st = registry_key_by_label(
		    custody->config.registry, asked->label, &key);
	} else {
		st = custody_take_id(asked->id, &id);
		if (!failed(st))
			st = registry_key_get(
			    custody->config.registry, &id, &key);
	}
	if (failed(st))
		return st;
	return custody_reply(custody, &key, reply);
}

/* ---- ListGrants ---- */

/* Where the page begins; "": at the start. */
static struct status
take_token(const char *token, struct registry_grants_after *ret_after)
{
	const size_t id_len = KEY_ID_TEXT_MAX - 1;
	struct registry_grants_after after = { .pattern = "" };
	char id[KEY_ID_TEXT_MAX];

	if (token[0] == 0) {
		*ret_after = after;
		return status_ok();
	}
	if (strlen(token) <= id_len || token[id_len] != '/' ||
	    strlen(token + id_len + 1) >= sizeof(after.pattern))
		return bad_token();
	memcpy(id, token, id_len);
	id[id_len] = 0;
	if (!key_id_parse(id, &after.key))
		return bad_token();
	snprintf(
	    after.pattern, sizeof(after.pattern), "%s", token + id_len + 1);
	*ret_after = after;
	return status_ok();
}

static void
print_token(const struct registry_key_grant *last, char *ret_token)
{
	char id[KEY_ID_TEXT_MAX];

	key_id_print(&last->key, id);
	snprintf(ret_token, GRANT_TOKEN_MAX, "%s/%s", id, last->grant.pattern);
}

/* How the names of those begin who had the keys made that the caller is told
 * of: certd's for certd, "" for all. */
static struct status
makers_of(const struct rpc_call *call, char ret_maker[SPIFFE_ID_MAX])
{
	struct spiffe caller;
	struct status st = spiffe_parse(call->peer->spiffe_id, &caller);

	if (failed(st))
		return st;
	ret_maker[0] = 0;
	if (caller.role == ROLE_CERTD)
		snprintf(ret_maker, SPIFFE_ID_MAX, "spiffe://%s/%s/",
		    caller.domain, role_name(ROLE_CERTD));
	return st;
}

struct status
custody_list_grants(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__ListGrantsRequest *asked =
	    (const Holdfast__Keyd__V1__ListGrantsRequest *)request;
	scoped(free) struct registry_key_grant *page = NULL;
	struct custody *custody = ctx;
	struct registry_grants_after after;
	char maker[SPIFFE_ID_MAX], next[GRANT_TOKEN_MAX] = "";
	size_t size = 0, n = 0;
	struct status st = take_size(asked->page_size, &size);

	if (!failed(st))
		st = take_token(asked->page_token, &after);
	if (!failed(st))
		st = makers_of(call, maker);
	if (failed(st))
		return st;
	/* One more than asked for tells whether there is a page after. */
	page = calloc(size + 1, sizeof(*page));
	if (page == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	st = registry_key_grants(
	    custody->config.registry, &after, maker, size + 1, page, &n);
	if (failed(st))
		return st;
	if (n > size) {
		n = size;
		print_token(&page[n - 1], next);
	}
	return key_view_reply_grants(reply, page, n, next);
}
