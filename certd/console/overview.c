/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The service Overview.  What is read from the database is kept for a while, in
 * proportion to what it took: a small account's overview is always of now, that
 * of a million certificates costs little however many pages show it.  What keyd
 * says is asked for each time, of operators and auditors alone; an account is
 * told nothing of edges, keyd and other accounts.
 */

#include "certd/console/overview.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "certd/console/overview_int.h"
#include "certd/console/store_overview.h"
#include "certd/custody_view.h"
#include "certd/store_resources.h"
#include "proto/message.h"

#define KEEP_FACTOR 20
#define KEEP_MAX_NS (15 * NS_PER_S)
#define DAY_S 86400
#define TIMELINE_DAYS 90

typedef Holdfast__Certd__V1__GetOverviewResponse overview_msg;
typedef Holdfast__Certd__V1__ExpiryDay day_msg;

/* ---- what the database says ---- */

/* One of the days on which some end; nothing is told of the others. */
static struct status
tell_day(int64_t day_s, const int64_t n[KIND_SHARED + 1], overview_msg *to)
{
	day_msg *day;

	if (n[KIND_PERSONAL] + n[KIND_ACME] + n[KIND_SHARED] == 0)
		return status_ok();
	day = message_append(&to->n_timeline, &to->timeline,
	    &holdfast__certd__v1__expiry_day__descriptor);
	if (day == NULL)
		return message_no_memory();
	day->day_s = day_s;
	day->personal = (uint32_t)n[KIND_PERSONAL];
	day->acme = (uint32_t)n[KIND_ACME];
	day->shared = (uint32_t)n[KIND_SHARED];
	return status_ok();
}

/* A count a day: grouping them would sort a million rows that an index has in
 * order. */
static struct status
fill_timeline(
    struct db_tx *tx, int64_t account, int64_t now_s, overview_msg *to)
{
	struct status st = status_ok();

	for (int64_t i = 0; i < TIMELINE_DAYS && !failed(st); i++) {
		const int64_t day_s = now_s - now_s % DAY_S + i * DAY_S;
		const int64_t between_s[2] = { day_s, day_s + DAY_S };
		int64_t n[KIND_SHARED + 1] = { 0 };

		for (int kind = KIND_PERSONAL;
		     kind <= KIND_SHARED && !failed(st); kind++)
			st = store_overview_ending(
			    tx, account, kind, between_s, &n[kind]);
		if (!failed(st))
			st = tell_day(day_s, n, to);
	}
	return st;
}

static struct status
fill(struct db_tx *tx, int64_t account, overview_msg *to)
{
	const int64_t now_s = store_now_s();
	struct overview_counts counts;
	struct status st = store_overview_counts(tx, account, now_s, &counts);

	if (failed(st))
		return st;
	to->certificates = (uint64_t)counts.certificates;
	to->resources = (uint64_t)counts.resources;
	to->enrollments = (uint64_t)counts.enrollments;
	to->changes = (uint32_t)counts.changes;
	to->expired = (uint32_t)counts.expired;
	to->expiring = (uint32_t)counts.expiring;
	st = fill_timeline(tx, account, now_s, to);
	return failed(st) ? st : overview_needs(tx, account, now_s, to);
}

/* ---- what is kept ---- */

static struct overview_kept *
find_kept(struct overview *overview, int64_t account)
{
	for (size_t i = 0; i < OVERVIEW_KEPT; i++)
		if (overview->kept[i].packed != NULL &&
		    overview->kept[i].account == account)
			return &overview->kept[i];
	return NULL;
}

/* NULL: nothing that still holds. */
static ProtobufCMessage *
take_kept(struct overview *overview, int64_t account)
{
	const struct overview_kept *at;
	ProtobufCMessage *reply = NULL;

	pthread_mutex_lock(&overview->mutex);
	at = find_kept(overview, account);
	if (at != NULL && at->until_ns > clock_mono_ns())
		reply = protobuf_c_message_unpack(
		    &holdfast__certd__v1__get_overview_response__descriptor,
		    NULL, at->len, at->packed);
	pthread_mutex_unlock(&overview->mutex);
	return reply;
}

/* In place of what was kept of it, else of what holds no longer than others. */
static void
keep(struct overview *overview, int64_t account, const ProtobufCMessage *reply,
    int64_t took_ns)
{
	size_t len = protobuf_c_message_get_packed_size(reply);
	uint8_t *packed = malloc(len + 1);
	int64_t for_ns = took_ns * overview->config.keep_factor;
	struct overview_kept *at;

	if (packed == NULL)
		return;
	(void)protobuf_c_message_pack(reply, packed);
	pthread_mutex_lock(&overview->mutex);
	at = find_kept(overview, account);
	if (at == NULL)
		at = &overview->kept[0];
	for (size_t i = 1; at->account != account && i < OVERVIEW_KEPT; i++)
		if (overview->kept[i].until_ns < at->until_ns)
			at = &overview->kept[i];
	free(at->packed);
	*at = (struct overview_kept){ .account = account,
		.until_ns = clock_mono_ns() +
			    (for_ns < KEEP_MAX_NS ? for_ns : KEEP_MAX_NS),
		.packed = packed,
		.len = len };
	pthread_mutex_unlock(&overview->mutex);
}

static struct status
make(struct overview *overview, struct db_tx *tx, int64_t account,
    ProtobufCMessage **ret_reply)
{
	const int64_t begun_ns = clock_mono_ns();
	scoped(message_free) ProtobufCMessage *reply = message_new(
	    &holdfast__certd__v1__get_overview_response__descriptor);
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	st = fill(tx, account, (overview_msg *)(void *)reply);
	if (failed(st))
		return st;
	keep(overview, account, reply, clock_mono_ns() - begun_ns);
	*ret_reply = reply;
	reply = NULL;
	return st;
}

static struct status
read_all(struct overview *overview, struct api_call *call, const char *name,
    int64_t *ret_account, ProtobufCMessage **ret_reply)
{
	scoped(db_end) struct db_tx *tx = NULL;
	ProtobufCMessage *reply = NULL;
	int64_t account = 0;
	struct status st = store_read(overview->config.store, &tx);

	if (!failed(st))
		st = caller_account_or_all(call->caller, tx, name, &account);
	if (failed(st))
		return st;
	reply = take_kept(overview, account);
	if (reply == NULL)
		st = make(overview, tx, account, &reply);
	if (failed(st))
		return st;
	*ret_account = account;
	*ret_reply = reply;
	return st;
}

/* ---- what keyd says ---- */

static struct status
ask_keyd(struct overview *overview, overview_msg *to)
{
	char why[CUSTODY_WHY_MAX] = "", mail[OVERVIEW_TROUBLE_MAX] = "";
	struct status st =
	    custody_view_status(overview->config.custody, &to->keyd, why);

	if (failed(st) && !message_text(&to->keyd_trouble, why))
		return message_no_memory();
	st = overview_needs_keyd(to);
	if (overview->config.mail_trouble != NULL)
		overview->config.mail_trouble(overview->config.mail_ctx, mail);
	return failed(st) ? st : overview_needs_mail(mail, to);
}

/* ---- the service ---- */

static struct status
get(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__GetOverviewRequest *asked =
	    (const Holdfast__Certd__V1__GetOverviewRequest *)request;
	scoped(message_free) ProtobufCMessage *reply = NULL;
	struct overview *overview = ctx;
	int64_t account = 0;
	struct status st =
	    read_all(overview, call, asked->account, &account, &reply);

	if (!failed(st) && account == 0)
		st = ask_keyd(overview, (overview_msg *)(void *)reply);
	if (failed(st))
		return st;
	overview_needs_sort((overview_msg *)(void *)reply);
	*ret_reply = reply;
	reply = NULL;
	return st;
}

static struct status
signing(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__SigningRequest *asked =
	    (const Holdfast__Certd__V1__SigningRequest *)request;
	scoped(message_free) ProtobufCMessage *reply =
	    message_new(&holdfast__certd__v1__signing_response__descriptor);
	Holdfast__Certd__V1__SigningResponse *to =
	    (Holdfast__Certd__V1__SigningResponse *)(void *)reply;
	struct overview *overview = ctx;
	Holdfast__Keyd__V1__GetSigningResponse *from = NULL;
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	st = custody_view_signing(
	    overview->config.custody, asked->window_s, &from, call->why);
	if (failed(st))
		return st;
	/* The series change hands. */
	to->step_s = from->step_s;
	to->n_series = from->n_series;
	to->series = from->series;
	from->n_series = 0;
	from->series = NULL;
	message_free(&from->base);
	*ret_reply = reply;
	reply = NULL;
	return st;
}

#define OVERVIEW (&holdfast__certd__v1__overview__descriptor)

static const struct api_method METHODS[] = {
	{ OVERVIEW, "Get", get, ALLOW_READ, SCOPE_CERTIFICATES_READ, API_GET,
	    "/v1/overview",
	    .summary = "What expires when, and what needs somebody now" },
	{ OVERVIEW, "Signing", signing, OVERVIEW_OPERATORS, 0, API_GET,
	    "/v1/overview:signing",
	    .summary = "What keyd signed for each edge, and how fast" },
};

STATUS
overview_new(const struct overview_config *config, struct overview **ret)
{
	struct overview *overview = calloc(1, sizeof(*overview));

	if (overview == NULL)
		return message_no_memory();
	overview->config = *config;
	if (overview->config.keep_factor == 0)
		overview->config.keep_factor = KEEP_FACTOR;
	pthread_mutex_init(&overview->mutex, NULL);
	*ret = overview;
	return status_ok();
}

STATUS
overview_register(struct overview *overview, struct api *api)
{
	struct status st = api_add(
	    api, METHODS, sizeof(METHODS) / sizeof(METHODS[0]), overview);

	if (!failed(st))
		st = overview_keys_register(overview, api);
	if (!failed(st))
		st = overview_ledger_register(overview, api);
	return failed(st) ? st : overview_edges_register(overview, api);
}

void
overview_free(struct overview *overview)
{
	if (overview == NULL)
		return;
	for (size_t i = 0; i < OVERVIEW_KEPT; i++)
		free(overview->kept[i].packed);
	pthread_mutex_destroy(&overview->mutex);
	free(overview);
}

STATUS
overview_reminder(struct db_tx *tx, int64_t account, uint32_t *ret_expired,
    uint32_t *ret_expiring)
{
	return store_overview_reminder(
	    tx, account, store_now_s(), ret_expired, ret_expiring);
}
