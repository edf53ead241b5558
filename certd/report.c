/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How certd is, for operators and auditors; and what was done, for those and,
 * each its own account's, for accounts' administrators and auditors.
 */

#include "certd/report.h"

#include <stdlib.h>

#include "base/clock.h"
#include "certd/custody.h"
#include "certd/page.h"
#include "certd/store_status.h"
#include "certd/text.h"
#include "proto/holdfast/certd/v1/status.pb-c.h"
#include "proto/message.h"

struct report {
	struct report_config config;
	int64_t started_s;
};

STATUS
report_new(const struct report_config *config, struct report **ret_report)
{
	struct report *report = calloc(1, sizeof(*report));

	if (report == NULL)
		return message_no_memory();
	report->config = *config;
	report->started_s = clock_wall_s();
	*ret_report = report;
	return status_ok();
}

void
report_free(struct report *report)
{
	free(report);
}

/* ---- how it is ---- */

static struct status
read_counts(struct store *store, struct store_counts *ret_counts)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = store_read(store, &tx);

	return failed(st) ? st : store_status_counts(tx, ret_counts);
}

static struct status
get(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const struct report *report = ctx;
	const struct report_config *config = &report->config;
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__certd__v1__get_status_response__descriptor);
	Holdfast__Certd__V1__GetStatusResponse *to = (void *)message;
	char trouble[CUSTODY_WHY_MAX] = "", mail[CUSTODY_WHY_MAX] = "";
	struct store_counts counts;
	int schema = 0;
	struct status st = db_schema(store_db(config->store), &schema);

	(void)call;
	(void)request;
	if (!failed(st))
		st = read_counts(config->store, &counts);
	if (failed(st))
		return st;
	if (config->keyd_trouble != NULL)
		config->keyd_trouble(config->trouble_ctx, trouble);
	if (config->mail_trouble != NULL)
		config->mail_trouble(config->trouble_ctx, mail);
	if (to == NULL || !message_text(&to->version, HOLDFAST_VERSION) ||
	    !message_text(&to->identity, config->identity) ||
	    !message_text(&to->keyd_trouble, trouble) ||
	    !message_text(&to->mail_trouble, mail) ||
	    !message_text(
		&to->sandbox, config->sandbox != NULL ? config->sandbox : ""))
		return message_no_memory();
	to->started_s = report->started_s;
	to->accounts = (uint64_t)counts.accounts;
	to->certificates = (uint64_t)counts.certificates;
	to->resources = (uint64_t)counts.resources;
	to->pending_grants = (uint32_t)counts.pending_grants;
	to->edge_version = counts.edge_version;
	to->schema = (uint32_t)schema;
	if (config->edges != NULL)
		config->edges(
		    config->ctx, &to->edges_live, &to->edges_held_back);
	*ret_reply = message;
	message = NULL;
	return st;
}

/* ---- what was done ---- */

struct listing {
	Holdfast__Certd__V1__HistoryResponse *to;
	int64_t last;
};

static bool
add_to_page(void *ctx, const struct store_event_row *event)
{
	struct listing *listing = ctx;
	Holdfast__Certd__V1__HistoryEvent *to =
	    message_append(&listing->to->n_events, &listing->to->events,
		&holdfast__certd__v1__history_event__descriptor);

	if (to == NULL)
		return false;
	listing->last = event->id;
	to->id = event->id;
	to->at_s = event->at_s;
	return message_text(&to->account, event->account_name) &&
	       message_text(&to->actor, event->actor) &&
	       message_text(&to->act, event->act) &&
	       message_text(&to->object, event->object) &&
	       message_text(&to->detail, event->detail);
}

static struct status
history(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__HistoryRequest *asked =
	    (const Holdfast__Certd__V1__HistoryRequest *)request;
	const struct report *report = ctx;
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__certd__v1__history_response__descriptor);
	scoped(db_end) struct db_tx *tx = NULL;
	struct listing listing = { .to = (void *)message };
	struct page page;
	bool more = false;
	struct status st = store_read(report->config.store, &tx);

	if (message == NULL)
		return message_no_memory();
	if (!failed(st))
		st = text_check_line(
		    call, "object", asked->object, 0, STORE_EVENT_TEXT_MAX - 1);
	if (!failed(st))
		st = page_find(tx, call->caller,
		    &(struct page_ask){
			asked->account, asked->page_token, asked->page_size },
		    &page);
	if (!failed(st))
		st = store_status_history(
		    tx, &page, asked->object, add_to_page, &listing, &more);
	if (!failed(st))
		st =
		    page_next(listing.last, more, &listing.to->next_page_token);
	if (failed(st))
		return st;
	*ret_reply = message;
	message = NULL;
	return st;
}

/* ---- the table ---- */

#define SERVICE &holdfast__certd__v1__status__descriptor

static const struct api_method METHODS[] = {
	{ .service = SERVICE,
	    .name = "Get",
	    .fn = get,
	    .allow = ALLOW_OPERATOR | ALLOW_AUDITOR,
	    .verb = API_GET,
	    .path = "/v1/status",
	    .summary = "How certd is" },
	{ .service = SERVICE,
	    .name = "History",
	    .fn = history,
	    .allow = ALLOW_MANAGE_READ,
	    .scope = SCOPE_ACCOUNT_READ,
	    .verb = API_GET,
	    .path = "/v1/history",
	    .summary =
		"What was done, newest first; of one object, if need be" },
};

STATUS
report_register(struct report *report, struct api *api)
{
	return api_add(
	    api, METHODS, sizeof(METHODS) / sizeof(METHODS[0]), report);
}
