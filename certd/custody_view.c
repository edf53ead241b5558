/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What people look at of keyd in the console: its state, keys, ledger; and the
 * one thing they do there by way of certd, to stop an edge.  Answers are passed
 * on; what they claim is proven by signatures that certd cannot make.  Entries
 * of the ledger come as a stream, which is gathered here up to a limit.
 */

#include "certd/custody_view.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "certd/custody_int.h"
#include "proto/holdfast/keyd/v1/identity.pb-c.h"
#include "proto/message.h"

#define AUDIT (&holdfast__keyd__v1__audit__descriptor)
#define IDENTITY (&holdfast__keyd__v1__identity__descriptor)
#define KEYS (&holdfast__keyd__v1__keys__descriptor)
#define STATUS_SERVICE (&holdfast__keyd__v1__status__descriptor)
/* A page that shows that keyd is away does not wait for it. */
#define STATUS_TIMEOUT_MS 2000
#define DOSSIER_TIMEOUT_MS 120000
#define ENTRIES_TIMEOUT_MS 20000

static char *
text_of(const char *from)
{
	union {
		const char *read;
		char *write;
	} at = { .read = from };

	return at.write;
}

/* The reply, as whatever type its method answers. */
static struct status
ask(struct custody *custody, const struct custody_ask *of, void *ret_reply,
    char *ret_why)
{
	ProtobufCMessage *reply = NULL;
	struct status st = custody_call(custody, of, &reply, NULL, ret_why);

	if (!failed(st))
		*(ProtobufCMessage **)ret_reply = reply;
	return st;
}

/* ---- its state ---- */

STATUS
custody_view_status(struct custody *custody,
    Holdfast__Keyd__V1__GetStatusResponse **ret_reply, char *ret_why)
{
	Holdfast__Keyd__V1__GetStatusRequest request;
	const struct custody_ask of = { STATUS_SERVICE, "Get", &request.base,
		STATUS_TIMEOUT_MS };

	holdfast__keyd__v1__get_status_request__init(&request);
	return ask(custody, &of, ret_reply, ret_why);
}

STATUS
custody_view_signing(struct custody *custody, uint32_t window_s,
    Holdfast__Keyd__V1__GetSigningResponse **ret_reply, char *ret_why)
{
	Holdfast__Keyd__V1__GetSigningRequest request;
	const struct custody_ask of = { STATUS_SERVICE, "Signing",
		&request.base, 0 };

	holdfast__keyd__v1__get_signing_request__init(&request);
	request.window_s = window_s;
	return ask(custody, &of, ret_reply, ret_why);
}

/* ---- keys ---- */

STATUS
custody_view_keys(struct custody *custody, uint32_t size,
    const char *page_token, Holdfast__Keyd__V1__ListKeysResponse **ret_reply,
    char *ret_why)
{
	Holdfast__Keyd__V1__ListKeysRequest request;
	const struct custody_ask of = { KEYS, "List", &request.base, 0 };

	holdfast__keyd__v1__list_keys_request__init(&request);
	request.page_size = size;
	request.page_token = text_of(page_token);
	return ask(custody, &of, ret_reply, ret_why);
}

STATUS
custody_view_key(struct custody *custody, const struct key_id *id,
    Holdfast__Keyd__V1__Key **ret_key, char *ret_why)
{
	Holdfast__Keyd__V1__GetKeyRequest request;
	const struct custody_ask of = { KEYS, "Get", &request.base, 0 };

	holdfast__keyd__v1__get_key_request__init(&request);
	request.id = custody_data_of((struct bytes){ id->at, KEY_ID_LEN });
	return ask(custody, &of, ret_key, ret_why);
}

STATUS
custody_view_dossier(struct custody *custody, const struct key_id *id,
    Holdfast__Keyd__V1__DossierResponse **ret_reply, char *ret_why)
{
	Holdfast__Keyd__V1__DossierRequest request;
	const struct custody_ask of = { KEYS, "Dossier", &request.base,
		DOSSIER_TIMEOUT_MS };

	holdfast__keyd__v1__dossier_request__init(&request);
	request.key_id = custody_data_of((struct bytes){ id->at, KEY_ID_LEN });
	return ask(custody, &of, ret_reply, ret_why);
}

/* ---- the ledger ---- */

STATUS
custody_view_ledger(struct custody *custody,
    Holdfast__Keyd__V1__DescribeAuditResponse **ret_reply, char *ret_why)
{
	Holdfast__Keyd__V1__DescribeAuditRequest request;
	const struct custody_ask of = { AUDIT, "Describe", &request.base, 0 };

	holdfast__keyd__v1__describe_audit_request__init(&request);
	return ask(custody, &of, ret_reply, ret_why);
}

STATUS
custody_view_proof(struct custody *custody, uint64_t number,
    Holdfast__Keyd__V1__ProveResponse **ret_reply, char *ret_why)
{
	Holdfast__Keyd__V1__ProveRequest request;
	const struct custody_ask of = { AUDIT, "Prove", &request.base, 0 };

	holdfast__keyd__v1__prove_request__init(&request);
	request.number = number;
	return ask(custody, &of, ret_reply, ret_why);
}

/* What a stream of entries has brought so far.  Encodings of batches one after
 * the other are one batch. */
struct gathering {
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t ended;
	uint8_t *at; /* malloc'd */
	size_t len, max;
	bool is_over;  /* more than may come, or memory ended */
	bool is_ended; /* the stream's last word was said */
	struct status st;
	char why[CUSTODY_WHY_MAX];
};

static void
on_message(void *ctx, struct bytes message)
{
	struct gathering *to = ctx;

	pthread_mutex_lock(&to->lock);
	if (message.len > CUSTODY_VIEW_ENTRIES_MAX - to->len)
		to->is_over = true;
	if (!to->is_over && message.len > to->max - to->len) {
		size_t max = 2 * to->max + message.len;
		uint8_t *more = realloc(to->at, max);

		to->is_over = more == NULL;
		if (more != NULL) {
			to->at = more;
			to->max = max;
		}
	}
	if (!to->is_over && message.len > 0) {
		memcpy(to->at + to->len, message.at, message.len);
		to->len += message.len;
	}
	if (to->is_over)
		pthread_cond_signal(&to->ended);
	pthread_mutex_unlock(&to->lock);
}

static void
on_closed(void *ctx, struct status st, const char *why)
{
	struct gathering *to = ctx;

	pthread_mutex_lock(&to->lock);
	to->is_ended = true;
	to->st = st;
	(void)custody_explain(to->why, st, "%s", why);
	pthread_cond_signal(&to->ended);
	pthread_mutex_unlock(&to->lock);
}

/* True: it ended by itself. */
static bool
wait_for_end(struct gathering *of, int64_t until_ns)
{
	bool in_time = true, is_whole;

	pthread_mutex_lock(&of->lock);
	while (!of->is_ended && !of->is_over && in_time)
		in_time = clock_cond_wait(&of->ended, &of->lock, until_ns);
	is_whole = of->is_ended && !of->is_over;
	pthread_mutex_unlock(&of->lock);
	return is_whole;
}

/* Who cancelled still waits for the stream's last word. */
static void
wait_for_close(struct gathering *of)
{
	pthread_mutex_lock(&of->lock);
	while (!of->is_ended)
		pthread_cond_wait(&of->ended, &of->lock);
	pthread_mutex_unlock(&of->lock);
}

/* Of a stream that is open, to its close. */
static struct status
gather(struct rpc_client_stream *stream,
    const Holdfast__Keyd__V1__EntriesRequest *request, struct gathering *to)
{
	size_t len =
	    holdfast__keyd__v1__entries_request__get_packed_size(request);
	scoped(free) uint8_t *packed = malloc(len + 1);
	bool is_whole = false;

	if (packed != NULL) {
		(void)holdfast__keyd__v1__entries_request__pack(
		    request, packed);
		rpc_client_stream_send(stream, (struct bytes){ packed, len });
		rpc_client_stream_end(stream);
		is_whole = wait_for_end(
		    to, clock_mono_ns() + ENTRIES_TIMEOUT_MS * NS_PER_MS);
	}
	if (!is_whole)
		rpc_client_stream_cancel(stream);
	wait_for_close(to);
	if (to->is_over || packed == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "more entries than fit: ask for fewer");
	if (!is_whole)
		return status_fail(STATUS_DEADLINE_EXCEEDED,
		    "keyd has not read its ledger in time; try again");
	return to->st;
}

static struct status
read_entries(struct custody *custody,
    const Holdfast__Keyd__V1__EntriesRequest *request, struct gathering *to,
    char *ret_why)
{
	static const struct rpc_client_stream_ops OPS = { .message = on_message,
		.closed = on_closed };
	struct rpc_client_stream *stream = NULL;
	size_t at = 0;
	struct custody_links *links = custody_hold(custody, &at);
	struct status st = rpc_client_stream_open(
	    links->clients[at], AUDIT, "Entries", &OPS, to, &stream);

	if (!failed(st)) {
		st = gather(stream, request, to);
		rpc_client_stream_free(stream);
	}
	if (failed(st))
		(void)custody_explain(ret_why, st, "%s",
		    st.code == to->st.code && to->why[0] != 0 ? to->why
							      : st.why);
	custody_note(custody, at, st, failed(st) ? ret_why : "");
	custody_let_go(custody, links);
	return st;
}

STATUS
custody_view_entries(struct custody *custody,
    const Holdfast__Keyd__V1__EntriesRequest *request,
    Holdfast__Keyd__V1__EntryBatch **ret_reply, char *ret_why)
{
	struct gathering to = { .st = status_ok() };
	Holdfast__Keyd__V1__EntryBatch *reply = NULL;
	struct status st;

	pthread_mutex_init(&to.lock, NULL);
	clock_cond_init(&to.ended);
	st = read_entries(custody, request, &to, ret_why);
	if (!failed(st)) {
		reply = holdfast__keyd__v1__entry_batch__unpack(
		    NULL, to.len, to.at);
		if (reply == NULL)
			st = custody_explain(ret_why,
			    status_fail(STATUS_DATA_LOSS,
				"keyd's entries cannot be read"),
			    "keyd's entries cannot be read");
	}
	pthread_cond_destroy(&to.ended);
	pthread_mutex_destroy(&to.lock);
	free(to.at);
	if (!failed(st))
		*ret_reply = reply;
	return st;
}

/* ---- edges ---- */

STATUS
custody_view_quarantine(struct custody *custody, const char *edge,
    const char *reason, const char *for_whom, char *ret_why)
{
	Holdfast__Keyd__V1__QuarantineRequest request;
	const struct custody_ask of = { IDENTITY, "Quarantine", &request.base,
		0 };
	char identity[CUSTODY_MEMBER_MAX], owner[CUSTODY_OWNER_MAX + 1];
	scoped(message_free) ProtobufCMessage *reply = NULL;

	holdfast__keyd__v1__quarantine_request__init(&request);
	(void)!snprintf(identity, sizeof(identity), "edge/%.63s", edge);
	custody_print_owner(for_whom, owner);
	request.identity = identity;
	request.reason = text_of(reason);
	request.on_behalf_of = owner;
	return custody_call(custody, &of, &reply, NULL, ret_why);
}
