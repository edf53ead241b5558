/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who there is, and what operators do about them: quarantine, release, edge
 * groups.  Each act is recorded when it is asked for and when it is done, and
 * is in force, on open streams too, when it is answered.  Nobody quarantines
 * their own identity, so that one operator is always left to release.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "keyd/authority_int.h"
#include "keyd/custody_int.h"
#include "keyd/pb.h"
#include "keyd/policy.h"
#include "proto/holdfast/keyd/v1/identity.pb-c.h"

typedef Holdfast__Keyd__V1__IdentityRecord identity_record;

/* ---- List ---- */

static bool
fill_record(const struct authority *authority,
    const struct registry_identity *from, int64_t now_s, identity_record *to,
    char text[SPIFFE_ID_MAX])
{
	struct spiffe id = { .role = from->role };

	memcpy(id.domain, authority->domain, sizeof(id.domain));
	memcpy(id.name, from->name, sizeof(id.name));
	if (failed(spiffe_print(&id, text)))
		return false;
	holdfast__keyd__v1__identity_record__init(to);
	to->identity = text;
	to->created_s = from->created_s;
	to->expires_s = from->expires_s;
	to->group = pb_text(from->group);
	to->quarantined_s = from->quarantined_s;
	to->quarantine_reason = pb_text(from->quarantine_reason);
	if (from->expires_s <= now_s)
		to->state =
		    HOLDFAST__KEYD__V1__IDENTITY_RECORD__STATE__STATE_EXPIRED;
	else if (from->enrolled)
		to->state =
		    HOLDFAST__KEYD__V1__IDENTITY_RECORD__STATE__STATE_ENROLLED;
	else
		to->state =
		    HOLDFAST__KEYD__V1__IDENTITY_RECORD__STATE__STATE_INVITED;
	if (authority->config.streams_of != NULL)
		to->streams = authority->config.streams_of(
		    authority->config.streams_ctx, text);
	return true;
}

static struct status
reply_list(struct authority *authority, const struct registry_identity *from,
    size_t n, struct rpc_reply *reply)
{
	Holdfast__Keyd__V1__ListIdentitiesResponse msg = {
		.base = PROTOBUF_C_MESSAGE_INIT(
		    &holdfast__keyd__v1__list_identities_response__descriptor)
	};
	scoped(free) identity_record *records = calloc(n + 1, sizeof(*records));
	scoped(free) identity_record **at = calloc(n + 1, sizeof(*at));
	scoped(free) char(*texts)[SPIFFE_ID_MAX] =
	    calloc(n + 1, sizeof(*texts));
	const int64_t now_s = clock_wall_s();

	if (records == NULL || at == NULL || texts == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	for (size_t i = 0; i < n; i++) {
		const size_t to = msg.n_identities;

		if (fill_record(
			authority, &from[i], now_s, &records[to], texts[to]))
			at[msg.n_identities++] = &records[to];
	}
	msg.identities = at;
	rpc_reply_set(reply, &msg.base);
	return status_ok();
}

struct status
authority_list(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__ListIdentitiesRequest *ask =
	    (const void *)request;
	struct authority *authority = ctx;
	const enum role role = role_parse(ask->role);
	scoped(free) struct registry_identity *found = NULL;
	struct status st;
	size_t n = 0;

	(void)call;
	if (ask->role[0] != '\0' && role == ROLE_NONE)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "the role must be operator, auditor, certd or edge, or "
		    "empty for all");
	st = registry_identities(authority->config.registry, role, &found, &n);
	return failed(st) ? st : reply_list(authority, found, n, reply);
}

/* ---- what is done to one ---- */

struct act {
	struct authority *authority;
	const struct rpc_call *call;
	struct spiffe id;         /* whom it is done to */
	const char *text;         /* reason or group */
	const char *on_behalf_of; /* for the record; NULL: nobody */
	char record[AUDIT_TEXT_MAX];
};

typedef struct status (*act_fn)(const struct act *act);

static struct status
take_identity(const char *identity, struct act *act)
{
	const char *slash = strchr(identity, '/');
	char role[16], text[SPIFFE_ID_MAX];

	act->id.role = ROLE_NONE;
	if (slash != NULL && (size_t)(slash - identity) < sizeof(role)) {
		memcpy(role, identity, (size_t)(slash - identity));
		role[slash - identity] = 0;
		act->id.role = role_parse(role);
		if (strlen(slash + 1) < sizeof(act->id.name))
			memcpy(act->id.name, slash + 1, strlen(slash + 1) + 1);
	}
	memcpy(act->id.domain, act->authority->domain, sizeof(act->id.domain));
	if (act->id.role == ROLE_NONE || failed(spiffe_print(&act->id, text)))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "an identity is written role/name, such as edge/fra-1");
	return status_ok();
}

static struct status
record(const struct act *act, enum entry_stage stage, struct status outcome)
{
	const struct audit_entry entry = {
		.kind = AUDIT_CUSTODY,
		.peer = act->call->peer->spiffe_id,
		.code = outcome.code,
		.why = outcome.why,
		.act = act->record,
		.stage = stage,
		.on_behalf_of = act->on_behalf_of,
	};

	return audit_record(act->authority->config.audit, &entry, 1);
}

/* As the registry has it; names that were never invited are told too. */
static struct status
reply_record(const struct act *act, struct rpc_reply *reply)
{
	struct registry_identity row;
	identity_record message;
	char text[SPIFFE_ID_MAX];
	struct status st = registry_identity_get(
	    act->authority->config.registry, act->id.role, act->id.name, &row);

	if (st.code == STATUS_NOT_FOUND) {
		row = (struct registry_identity){ .role = act->id.role };
		memcpy(row.name, act->id.name, sizeof(row.name));
	} else if (failed(st)) {
		return st;
	}
	if (!fill_record(act->authority, &row, clock_wall_s(), &message, text))
		return status_fail(STATUS_INTERNAL, "no such identity");
	rpc_reply_set(reply, &message.base);
	return status_ok();
}

/* The caller may have been quarantined while it waited for its turn; without
 * this it could release itself, or quarantine whoever did it. */
static struct status
check_caller(const struct act *act)
{
	struct spiffe caller;
	bool is_quarantined = true;
	struct status st = spiffe_parse(act->call->peer->spiffe_id, &caller);

	if (!failed(st))
		st = registry_is_quarantined(act->authority->config.registry,
		    caller.role, caller.name, &is_quarantined);
	if (!failed(st) && is_quarantined)
		st = status_fail(STATUS_PERMISSION_DENIED,
		    "the caller itself has been quarantined");
	return st;
}

/* Record, do, put in force, record, answer; one at a time. */
static struct status
perform(const struct act *act, act_fn fn, struct rpc_reply *reply)
{
	struct authority *authority = act->authority;
	struct status st = record(act, ENTRY_ASKED, status_ok()), recorded;

	if (failed(st))
		return st;
	pthread_mutex_lock(&authority->acting);
	st = check_caller(act);
	if (!failed(st))
		st = fn(act);
	if (!failed(st))
		st = authority_publish(authority);
	pthread_mutex_unlock(&authority->acting);
	recorded = record(act, failed(st) ? ENTRY_FAILED : ENTRY_DONE, st);
	if (failed(st))
		return st;
	if (failed(recorded))
		return status_fail_detail(recorded.code,
		    "it was done, but the journal could not record that: mend "
		    "the journal (holdfast status), then see 'holdfast edge "
		    "list'",
		    recorded.detail);
	return reply_record(act, reply);
}

static struct status
do_quarantine(const struct act *act)
{
	return registry_quarantine(act->authority->config.registry,
	    act->id.role, act->id.name, act->text, clock_wall_s());
}

/* Whoever has taken certd over stops edges, which fails safe, and stops nobody
 * who could let them in again. */
static struct status
check_certd(const struct act *act,
    const Holdfast__Keyd__V1__QuarantineRequest *ask,
    const struct spiffe *caller)
{
	if (caller->role != ROLE_CERTD)
		return status_ok();
	if (act->id.role != ROLE_EDGE)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "certd quarantines edges alone; an operator can "
		    "quarantine others with 'holdfast edge quarantine'");
	if (ask->reason[0] == 0 || ask->on_behalf_of[0] == 0)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "certd says on whose behalf it quarantines, and why");
	return status_ok();
}

struct status
authority_quarantine(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__QuarantineRequest *ask =
	    (const void *)request;
	struct act act = { .authority = ctx, .call = call };
	struct spiffe caller;
	struct status st = take_identity(ask->identity, &act);

	if (!failed(st))
		st = spiffe_parse(call->peer->spiffe_id, &caller);
	if (failed(st))
		return st;
	if (act.id.role == ROLE_KEYD)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a keyd is not quarantined but stopped");
	if (act.id.role == caller.role && strcmp(act.id.name, caller.name) == 0)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "nobody quarantines themselves: ask another operator");
	if (strlen(ask->reason) >= REGISTRY_COMMENT_MAX)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "a reason is at most 100 octets");
	st = check_certd(&act, ask, &caller);
	if (!failed(st))
		st = custody_check_behalf(call, ask->on_behalf_of);
	if (failed(st))
		return st;
	act.text = ask->reason;
	act.on_behalf_of = ask->on_behalf_of;
	snprintf(act.record, sizeof(act.record), "quarantine %s/%s%s%s",
	    role_name(act.id.role), act.id.name,
	    ask->reason[0] == 0 ? "" : ": ", ask->reason);
	return perform(&act, do_quarantine, reply);
}

static struct status
do_release(const struct act *act)
{
	return registry_release(
	    act->authority->config.registry, act->id.role, act->id.name);
}

struct status
authority_release(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__ReleaseRequest *ask = (const void *)request;
	struct act act = { .authority = ctx, .call = call };
	struct status st = take_identity(ask->identity, &act);

	if (failed(st))
		return st;
	snprintf(act.record, sizeof(act.record), "release %s/%s",
	    role_name(act.id.role), act.id.name);
	return perform(&act, do_release, reply);
}

static struct status
do_set_group(const struct act *act)
{
	return registry_set_group(
	    act->authority->config.registry, act->id.name, act->text);
}

struct status
authority_set_group(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__SetGroupRequest *ask = (const void *)request;
	struct act act = { .authority = ctx, .call = call };
	struct status st = take_identity(ask->identity, &act);

	if (failed(st))
		return st;
	if (act.id.role != ROLE_EDGE)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "only edges are in groups");
	if (!policy_group_ok(ask->group))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "an edge group's name is 1 to 63 of A-Z a-z 0-9 . _ -");
	act.text = ask->group;
	snprintf(act.record, sizeof(act.record), "move edge/%s to group %s",
	    act.id.name, ask->group);
	return perform(&act, do_set_group, reply);
}
