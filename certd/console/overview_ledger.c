/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The service Ledger: keyd's audit ledger, newest first.  keyd reads it from
 * where it is told to where it is told: a page goes backwards in windows of
 * WINDOW entries until it is full, the ledger has begun or its time is over, so
 * a filter that lets little through costs no more than others.  A page token is
 * the number of the entry that all of the next page lie below: entries that
 * come meanwhile move nothing.  Nothing is left out or put in here that the
 * ledger's signed tree would not show.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "certd/console/overview_int.h"
#include "certd/custody_view.h"
#include "certd/page.h"
#include "proto/holdfast/certd/v1/custody.pb-c.h"
#include "proto/message.h"

#define SIZE_DEFAULT 50
#define SIZE_MOST 200
#define WINDOW 200000
#define PAGE_NS (3 * NS_PER_S)
#define HEX_LEN 64

typedef Holdfast__Certd__V1__ListLedgerRequest ask_msg;
typedef Holdfast__Certd__V1__ListLedgerResponse list_msg;
typedef Holdfast__Certd__V1__LedgerEntry entry_msg;

/* ---- Describe, Prove ---- */

static struct status
describe(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	struct overview *overview = ctx;
	Holdfast__Keyd__V1__DescribeAuditResponse *reply = NULL;
	struct status st =
	    custody_view_ledger(overview->config.custody, &reply, call->why);

	(void)request;
	if (!failed(st))
		*ret_reply = &reply->base;
	return st;
}

static struct status
prove(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__ProveLedgerRequest *asked =
	    (const Holdfast__Certd__V1__ProveLedgerRequest *)request;
	struct overview *overview = ctx;
	Holdfast__Keyd__V1__ProveResponse *reply = NULL;
	struct status st = custody_view_proof(
	    overview->config.custody, asked->number, &reply, call->why);

	if (!failed(st))
		*ret_reply = &reply->base;
	return st;
}

/* ---- Entries ---- */

struct walk {
	Holdfast__Keyd__V1__EntriesRequest request;
	uint8_t key_id[HEX_LEN / 2];
	uint64_t below; /* the next window's end */
	size_t wanted;
	list_msg *to;
};

static struct status
take_key(const char *hex, struct walk *walk)
{
	if (hex[0] == 0)
		return status_ok();
	if (strlen(hex) != HEX_LEN ||
	    strspn(hex, "0123456789abcdef") != HEX_LEN)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "key_id is 64 characters of lower-case hex, or empty");
	for (size_t i = 0; i < sizeof(walk->key_id); i++) {
		char two[3] = { hex[2 * i], hex[2 * i + 1], 0 };

		walk->key_id[i] = (uint8_t)strtoul(two, NULL, 16);
	}
	walk->request.key_id.data = walk->key_id;
	walk->request.key_id.len = sizeof(walk->key_id);
	return status_ok();
}

static struct status
take_times(const ask_msg *asked, struct walk *walk)
{
	const int64_t most_s = INT64_MAX / NS_PER_S;

	if (asked->since_s < 0 || asked->since_s > most_s ||
	    asked->until_s < 0 || asked->until_s > most_s ||
	    (asked->until_s != 0 && asked->until_s <= asked->since_s))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "since_s and until_s are seconds since 1970 UTC, the "
		    "second later than the first, or 0");
	walk->request.since_ns = asked->since_s * NS_PER_S;
	walk->request.until_ns = asked->until_s * NS_PER_S;
	return status_ok();
}

static struct status
take_ask(const ask_msg *asked, struct walk *walk)
{
	int64_t below = 0;
	struct status st = page_read(asked->page_token, &below);

	if (failed(st))
		return st;
	if (asked->page_size > SIZE_MOST)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "page_size is at most 200");
	walk->wanted = asked->page_size == 0 ? SIZE_DEFAULT : asked->page_size;
	walk->below = (uint64_t)below;
	walk->request.identity = asked->identity;
	walk->request.decision = asked->decision;
	walk->request.kind = asked->kind;
	st = take_times(asked, walk);
	return failed(st) ? st : take_key(asked->key_id, walk);
}

/* Where the first page begins: at what the ledger has now. */
static struct status
find_end(struct overview *overview, struct api_call *call, struct walk *walk)
{
	Holdfast__Keyd__V1__DescribeAuditResponse *ledger = NULL;
	struct status st;

	if (walk->below != 0)
		return status_ok();
	st = custody_view_ledger(overview->config.custody, &ledger, call->why);
	if (failed(st))
		return st;
	walk->below = ledger->size;
	message_free(&ledger->base);
	return st;
}

/* An entry that cannot be decoded is told as its octets alone. */
static bool
add(const Holdfast__Keyd__V1__NumberedEntry *from, list_msg *to)
{
	entry_msg *entry = message_append(&to->n_entries, &to->entries,
	    &holdfast__certd__v1__ledger_entry__descriptor);

	if (entry == NULL)
		return false;
	entry->number = from->number;
	entry->entry = holdfast__keyd__v1__audit_entry__unpack(
	    NULL, from->entry.len, from->entry.data);
	return message_bytes(
	    &entry->leaf, (struct bytes){ from->entry.data, from->entry.len });
}

/* The newest of a window that are still wanted. */
static struct status
read_window(struct overview *overview, struct api_call *call, struct walk *walk)
{
	Holdfast__Keyd__V1__EntryBatch *found = NULL;
	const size_t left = walk->wanted - walk->to->n_entries;
	struct status st;

	walk->request.before_entry = walk->below;
	walk->request.from_entry =
	    walk->below > WINDOW ? walk->below - WINDOW : 0;
	walk->request.last = left;
	st = custody_view_entries(
	    overview->config.custody, &walk->request, &found, call->why);
	if (failed(st))
		return st;
	for (size_t i = found->n_entries; i > 0 && !failed(st); i--)
		if (!add(found->entries[i - 1], walk->to))
			st = message_no_memory();
	walk->below = found->n_entries >= left && found->n_entries > 0
			  ? found->entries[0]->number
			  : walk->request.from_entry;
	message_free(&found->base);
	return st;
}

static struct status
read_page(struct overview *overview, struct api_call *call, struct walk *walk)
{
	const int64_t until_ns = clock_mono_ns() + PAGE_NS;
	struct status st = find_end(overview, call, walk);

	while (!failed(st) && walk->below > 0 &&
	       walk->to->n_entries < walk->wanted && clock_mono_ns() < until_ns)
		st = read_window(overview, call, walk);
	return failed(st) ? st
			  : page_next((int64_t)walk->below, walk->below > 0,
				&walk->to->next_page_token);
}

static struct status
entries(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	scoped(message_free) ProtobufCMessage *reply =
	    message_new(&holdfast__certd__v1__list_ledger_response__descriptor);
	struct walk walk = { .to = (list_msg *)(void *)reply };
	struct overview *overview = ctx;
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	holdfast__keyd__v1__entries_request__init(&walk.request);
	st = take_ask((const ask_msg *)request, &walk);
	if (!failed(st))
		st = read_page(overview, call, &walk);
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

/* ---- the service ---- */

#define LEDGER (&holdfast__certd__v1__ledger__descriptor)

static const struct api_method METHODS[] = {
	{ LEDGER, "Describe", describe, OVERVIEW_OPERATORS, 0, API_GET,
	    "/v1/ledger", .waits = true,
	    .summary = "The audit ledger's origin, keys and newest "
		       "checkpoint" },
	{ LEDGER, "Entries", entries, OVERVIEW_OPERATORS, 0, API_GET,
	    "/v1/ledger/entries", .waits = true,
	    .summary = "Entries of the audit ledger, newest first" },
	{ LEDGER, "Prove", prove, OVERVIEW_OPERATORS, 0, API_GET,
	    "/v1/ledger/entries/{number}:prove",
	    .summary = "Proof that an entry is in the ledger" },
};

STATUS
overview_ledger_register(struct overview *overview, struct api *api)
{
	return api_add(
	    api, METHODS, sizeof(METHODS) / sizeof(METHODS[0]), overview);
}
