/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The service CustodyKeys: keys as keyd has them, with what certd knows of
 * their use.  An account's keys are found in the database, in whose order they
 * are listed; those of all are listed by keyd, which has some that certd knows
 * nothing of.  An account is told of no key but its own, in the words of one
 * that never was; of its own not who may sign with it.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/console/overview_int.h"
#include "certd/console/store_overview.h"
#include "certd/custody_view.h"
#include "certd/store_keys.h"
#include "proto/holdfast/certd/v1/custody.pb-c.h"
#include "proto/message.h"

#define SIZE_DEFAULT 50
#define SIZE_MAX_ 200
#define TOKEN_MAX (24 + 2 * KEY_ID_LEN)

typedef Holdfast__Certd__V1__CustodyKey custody_key_msg;
typedef Holdfast__Certd__V1__ListCustodyKeysResponse list_msg;
typedef Holdfast__Keyd__V1__Key key_msg;

/* ---- one key ---- */

static struct status
no_such_key(void)
{
	return store_no_such("there is no such key");
}

static bool
read_id(const char *hex, struct key_id *ret_id)
{
	if (strlen(hex) != 2 * KEY_ID_LEN ||
	    strspn(hex, "0123456789abcdef") != 2 * KEY_ID_LEN)
		return false;
	for (size_t i = 0; i < KEY_ID_LEN; i++) {
		char two[3] = { hex[2 * i], hex[2 * i + 1], 0 };

		ret_id->at[i] = (uint8_t)strtoul(two, NULL, 16);
	}
	return true;
}

static bool
add_use(void *ctx, const char *kind, const char *use_id, const char *name)
{
	custody_key_msg *to = ctx;
	Holdfast__Certd__V1__CustodyKeyUse *use = message_append(&to->n_uses,
	    &to->uses, &holdfast__certd__v1__custody_key_use__descriptor);

	return use != NULL && message_text(&use->kind, kind) &&
	       message_text(&use->id, use_id) && message_text(&use->name, name);
}

/* What certd has of a key that keyd does not know (any more). */
static struct status
tell_ours(struct db_tx *tx, const struct key_id *id, key_msg **ret_key)
{
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__keyd__v1__key__descriptor);
	key_msg *to = (key_msg *)(void *)message;
	struct store_key key;
	struct status st = store_keys_find(tx, id, &key);

	if (failed(st))
		return st;
	if (to == NULL ||
	    !message_bytes(&to->id, (struct bytes){ id->at, KEY_ID_LEN }) ||
	    !message_bytes(
		&to->spki, (struct bytes){ key.spki, key.spki_len }) ||
	    !message_text(&to->label, key.label) ||
	    !message_text(&to->pool, key.pool))
		return message_no_memory();
	to->algorithm = (Holdfast__Keyd__V1__KeyAlgorithm)key.alg;
	to->origin = (Holdfast__Keyd__V1__KeyOrigin)key.origin;
	*ret_key = to;
	message = NULL;
	return st;
}

/* What is for operators. */
static bool
hide(key_msg *key)
{
	for (size_t i = 0; i < key->n_grants; i++)
		message_free(&key->grants[i]->base);
	free(key->grants);
	key->grants = NULL;
	key->n_grants = 0;
	return message_text(&key->group, "") && message_text(&key->notes, "");
}

/* to->key is there, or is to be asked for (then *ret_st of keyd's is
 * NOT_FOUND at worst). */
static struct status
fill(struct overview *overview, struct api_call *call, const struct key_id *id,
    custody_key_msg *to)
{
	scoped(db_end) struct db_tx *tx = NULL;
	char hex[2 * KEY_ID_LEN + 1], account[ACCOUNT_NAME_MAX] = "";
	int64_t of = 0;
	struct status st = status_ok();

	if (to->key == NULL)
		st = custody_view_key(
		    overview->config.custody, id, &to->key, call->why);
	if (failed(st) && st.code != STATUS_NOT_FOUND)
		return st;
	call->why[0] = 0;
	st = store_read(overview->config.store, &tx);
	if (!failed(st))
		st = store_overview_key(tx, id, &of, account);
	if (st.code == STATUS_NOT_FOUND)
		st = status_ok();
	if (!failed(st) && to->key == NULL)
		st = tell_ours(tx, id, &to->key);
	if (!failed(st))
		st = store_overview_key_uses(tx, id, add_use, to);
	if (failed(st))
		return st;
	bytes_to_hex((struct bytes){ id->at, KEY_ID_LEN }, hex);
	if (!caller_sees_all(call->caller) && !hide(to->key))
		return message_no_memory();
	return message_text(&to->id, hex) && message_text(&to->account, account)
		   ? st
		   : message_no_memory();
}

/* Is it the caller's to see? */
static struct status
check_seen(
    struct overview *overview, struct api_call *call, const struct key_id *id)
{
	scoped(db_end) struct db_tx *tx = NULL;
	char name[ACCOUNT_NAME_MAX];
	int64_t account = 0;
	struct status st;

	if (caller_sees_all(call->caller))
		return status_ok();
	st = store_read(overview->config.store, &tx);
	if (!failed(st))
		st = store_overview_key(tx, id, &account, name);
	if (!failed(st) && !caller_sees(call->caller, account))
		return no_such_key();
	return st;
}

static struct status
get(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__GetCustodyKeyRequest *asked =
	    (const Holdfast__Certd__V1__GetCustodyKeyRequest *)request;
	scoped(message_free) ProtobufCMessage *reply =
	    message_new(&holdfast__certd__v1__custody_key__descriptor);
	struct overview *overview = ctx;
	struct key_id id;
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	if (!read_id(asked->id, &id))
		return no_such_key();
	st = check_seen(overview, call, &id);
	if (!failed(st))
		st =
		    fill(overview, call, &id, (custody_key_msg *)(void *)reply);
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

static struct status
dossier(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__GetCustodyKeyRequest *asked =
	    (const Holdfast__Certd__V1__GetCustodyKeyRequest *)request;
	struct overview *overview = ctx;
	Holdfast__Keyd__V1__DossierResponse *reply = NULL;
	struct key_id id;
	struct status st;

	if (!read_id(asked->id, &id))
		return no_such_key();
	st = custody_view_dossier(
	    overview->config.custody, &id, &reply, call->why);
	if (!failed(st))
		*ret_reply = &reply->base;
	return st;
}

/* ---- List ---- */

static custody_key_msg *
append(list_msg *to)
{
	return message_append(&to->n_keys, &to->keys,
	    &holdfast__certd__v1__custody_key__descriptor);
}

struct page {
	struct overview_key *at;
	size_t n;
};

static bool
add_key(void *ctx, const struct overview_key *key)
{
	struct page *page = ctx;

	page->at[page->n++] = *key;
	return true;
}

/* "k<created_s>-<hex>" */
static struct status
read_token(const char *token, struct overview_key *ret_after)
{
	char *end = NULL;

	if (token[0] != 'k')
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "page_token is none that this list gave; leave it empty to "
		    "begin again");
	ret_after->created_s = strtoll(token + 1, &end, 10);
	if (*end != '-' || !read_id(end + 1, &ret_after->id))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "page_token is none that this list gave; leave it empty to "
		    "begin again");
	return status_ok();
}

static struct status
print_token(const struct overview_key *last, list_msg *to)
{
	char hex[2 * KEY_ID_LEN + 1], token[TOKEN_MAX];

	bytes_to_hex((struct bytes){ last->id.at, KEY_ID_LEN }, hex);
	(void)snprintf(
	    token, sizeof(token), "k%" PRId64 "-%s", last->created_s, hex);
	return message_text(&to->next_page_token, token) ? status_ok()
							 : message_no_memory();
}

/* One more than the page, so that it is known whether it is the last. */
static struct status
find_own(struct overview *overview, int64_t account, const char *token,
    size_t max, struct page *page)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct overview_key after;
	struct status st = status_ok();

	if (token[0] != 0)
		st = read_token(token, &after);
	page->at = calloc(max, sizeof(*page->at));
	if (page->at == NULL)
		return message_no_memory();
	if (!failed(st))
		st = store_read(overview->config.store, &tx);
	return failed(st)
		   ? st
		   : store_overview_keys(tx, account,
			 token[0] != 0 ? &after : NULL, max, add_key, page);
}

/* No transaction is open while keyd is asked. */
static struct status
list_own(struct overview *overview, struct api_call *call, int64_t account,
    const Holdfast__Certd__V1__ListCustodyKeysRequest *asked, list_msg *to)
{
	const size_t size = asked->page_size;
	struct page page = { NULL, 0 };
	struct status st =
	    find_own(overview, account, asked->page_token, size + 1, &page);

	for (size_t i = 0; i < page.n && i < size && !failed(st); i++) {
		custody_key_msg *key = append(to);

		st = key == NULL ? message_no_memory()
				 : fill(overview, call, &page.at[i].id, key);
		/* Gone since it was listed. */
		if (st.code == STATUS_NOT_FOUND) {
			message_free(&key->base);
			to->n_keys--;
			st = status_ok();
		}
	}
	if (!failed(st) && page.n > size)
		st = print_token(&page.at[size - 1], to);
	free(page.at);
	return st;
}

static struct status
list_all(struct overview *overview, struct api_call *call,
    const Holdfast__Certd__V1__ListCustodyKeysRequest *asked, list_msg *to)
{
	Holdfast__Keyd__V1__ListKeysResponse *from = NULL;
	struct status st = custody_view_keys(overview->config.custody,
	    asked->page_size, asked->page_token, &from, call->why);

	if (failed(st))
		return st;
	for (size_t i = 0; i < from->n_keys && !failed(st); i++) {
		custody_key_msg *key = append(to);
		struct key_id id;

		if (key == NULL || from->keys[i]->id.len != KEY_ID_LEN) {
			st = message_no_memory();
			break;
		}
		/* The key changes hands. */
		key->key = from->keys[i];
		from->keys[i] = NULL;
		memcpy(id.at, key->key->id.data, KEY_ID_LEN);
		st = fill(overview, call, &id, key);
	}
	if (!failed(st) &&
	    !message_text(&to->next_page_token, from->next_page_token))
		st = message_no_memory();
	message_free(&from->base);
	return st;
}

static struct status
find_account(struct overview *overview, const struct caller *caller,
    const char *name, int64_t *ret_account)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = store_read(overview->config.store, &tx);

	return failed(st)
		   ? st
		   : caller_account_or_all(caller, tx, name, ret_account);
}

static struct status
list(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	Holdfast__Certd__V1__ListCustodyKeysRequest asked =
	    *(const Holdfast__Certd__V1__ListCustodyKeysRequest *)request;
	scoped(message_free) ProtobufCMessage *reply = message_new(
	    &holdfast__certd__v1__list_custody_keys_response__descriptor);
	list_msg *to = (list_msg *)(void *)reply;
	struct overview *overview = ctx;
	int64_t account = 0;
	struct status st =
	    find_account(overview, call->caller, asked.account, &account);

	if (reply == NULL)
		return message_no_memory();
	if (asked.page_size > SIZE_MAX_)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "page_size is at most 200");
	if (asked.page_size == 0)
		asked.page_size = SIZE_DEFAULT;
	if (!failed(st))
		st = account == 0
			 ? list_all(overview, call, &asked, to)
			 : list_own(overview, call, account, &asked, to);
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

#define KEYS (&holdfast__certd__v1__custody_keys__descriptor)

static const struct api_method METHODS[] = {
	{ KEYS, "List", list, ALLOW_READ, SCOPE_CERTIFICATES_READ, API_GET,
	    "/v1/keys", .waits = true, .summary = "Keys as keyd has them" },
	{ KEYS, "Get", get, ALLOW_READ, SCOPE_CERTIFICATES_READ, API_GET,
	    "/v1/keys/{id}", .waits = true,
	    .summary = "One key, and what it is used for" },
	{ KEYS, "Dossier", dossier, OVERVIEW_OPERATORS, 0, API_POST,
	    "/v1/keys/{id}:dossier",
	    .summary = "Everything that is known of a key, signed by keyd" },
};

STATUS
overview_keys_register(struct overview *overview, struct api *api)
{
	return api_add(
	    api, METHODS, sizeof(METHODS) / sizeof(METHODS[0]), overview);
}
