/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_CUSTODY_INT_H
#define KEYD_CUSTODY_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "keyd/custody.h"
#include "keyd/registry.h"
#include "proto/holdfast/keyd/v1/signer.pb-c.h"
#include "rpc/server.h"

/* Between the keyd/custody_*.c. */

struct custody {
	struct custody_config config;
	/*
	 * Held from reading the registry to swapping the policy, so that an
	 * older reading never replaces a newer one.  Off the signing path.
	 */
	pthread_mutex_t publishing;
	bool is_behind; /* the policy is older than the registry */
	pthread_mutex_t importing_mutex; /* guards importing */
	struct custody_importing *importing;
	atomic_bool destroys_no_more;
};

/* A key that is being imported, on its caller's stack. */
struct custody_importing {
	struct key_id id;
	struct custody_importing *next;
};

/* An act as the journal has it: who, which key, and what. */
struct custody_act {
	const struct rpc_call *call;
	struct key_id key;         /* zero when there is none yet */
	char text[AUDIT_TEXT_MAX]; /* "grant edge/fra-1 tls13_server" */
	const char *on_behalf_of;  /* borrowed from the request; NULL: nobody */
};

/* May the caller say, on record, that it asks for these?  "" always. */
STATUS custody_check_behalf(
    const struct rpc_call *call, const char *on_behalf_of);
/* Before the act; without this record it must not be done.  Looks at
 * on_behalf_of too. */
STATUS custody_record_asked(
    struct custody *custody, const struct custody_act *act);
/* After it: its own outcome, unless the record of it fails, then that. */
STATUS custody_record_done(struct custody *custody,
    const struct custody_act *act, struct status outcome);

/* The key with its grants as they are now. */
STATUS custody_reply(struct custody *custody, const struct registry_key *key,
    struct rpc_reply *reply);

/* Puts in force what an earlier call wrote down and could not put in force. */
STATUS custody_catch_up(struct custody *custody);

/* custody_record_done, and when it was done the key as it is now. */
STATUS custody_finish(struct custody *custody, const struct custody_act *act,
    struct status outcome, struct rpc_reply *reply);

STATUS custody_take_id(ProtobufCBinaryData octets, struct key_id *ret_id);
/* Is this a name for a key group? */
STATUS custody_check_group(const char *group);

/* ---- custody_make.c ---- */

/* What is asked for a new key, however it comes; borrowed. */
struct custody_birth {
	const char *label, *pool, *group, *owner, *notes;
	enum key_origin origin;
	struct registry_grant self; /* the caller's; contexts 0: none */
	bool replaceable;
};
/* What the token made of it. */
struct custody_made {
	size_t pool;
	struct hsm_key key;
	struct hsm_blob blob; /* len 0: it stays in the token */
};

static inline bool
custody_pool_is_wrapped(const struct custody *custody, size_t pool)
{
	return custody->config.wrapped != NULL && custody->config.wrapped[pool];
}

/* "" is the pool "standard"; reply gets the reason in full. */
STATUS custody_find_pool(const struct custody *custody, const char *name,
    struct rpc_reply *reply, size_t *ret_pool);
/* Label, texts and pool; ALREADY_EXISTS: the label is taken. */
STATUS custody_check_birth(struct custody *custody, const struct rpc_call *call,
    const struct custody_birth *birth, struct rpc_reply *reply,
    size_t *ret_pool);
/* The caller's, or a minute, whichever is sooner. */
int64_t custody_make_deadline_ns(const struct rpc_call *call);
/* Into the registry and the policy; when the former fails, out of the token. */
STATUS custody_add(struct custody *custody, const struct rpc_call *call,
    const struct custody_birth *birth, const struct custody_made *made,
    struct registry_key *ret_key);
/* Out of the token again; says so in the log when that fails too. */
void custody_undo(
    struct custody *custody, size_t pool, const struct key_id *id);

struct status custody_generate(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply);

/* ---- custody_import.c ---- */

struct status custody_import_parameters(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply);
struct status custody_import(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply);

/* ---- custody_life.c ---- */

/* Is this the label of a key of keyd's own: ledger, ledger-2, import-..., kek,
 * ca?  Nobody makes, suspends or destroys one by the Keys service. */
bool custody_is_own_label(const char *label);
/* What people call a key: lengths, and the name of a group. */
STATUS custody_check_texts(
    const char *group, const char *owner, const char *notes);
/* May the caller alone bring a key, new or there already, into the group? */
STATUS custody_check_join(
    struct custody *custody, const struct rpc_call *call, const char *group);

/* The key that a change is asked of.  PERMISSION_DENIED: certd asks, and the
 * key was made by someone else. */
STATUS custody_take_key(struct custody *custody, const struct rpc_call *call,
    ProtobufCBinaryData id, struct registry_key *ret_key);
/* NULL: its pool is configured no more. */
struct hsm *custody_pool_of(
    const struct custody *custody, const struct registry_key *key);
/* Workers hold copies of active keys only: brings them in line with the state
 * that the registry has. */
STATUS custody_settle_copies(struct custody *custody,
    const struct rpc_call *call, const struct key_id *id);
/* The same where it must not stop what was asked: says on record and in the
 * log what could not be done. */
void custody_drop_copies(struct custody *custody, const struct rpc_call *call,
    const struct registry_key *key);

struct status custody_update(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply);
struct status custody_suspend(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply);
struct status custody_resume(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply);

/* ---- custody_destroy.c ---- */

struct status custody_schedule(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply);
/* approvals_do of "Keys/ScheduleDestruction". */
struct status custody_schedule_approved(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, const struct registry_approval *approval);
struct status custody_cancel(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply);

/* ---- custody_list.c ---- */

struct status custody_list(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply);
struct status custody_get(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply);
struct status custody_list_grants(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply);

/* ---- custody_grant_check.c ---- */

/* What Grant and Revoke ask for, as read; borrows from the request. */
struct custody_change {
	bool is_group;
	struct registry_key key; /* unless is_group */
	const char *group;
	const char *identity;
	unsigned contexts;
	bool has_budget;
	struct registry_budget budget;
	bool beyond_group;
};
/* PERMISSION_DENIED: more than this caller may give and take. */
STATUS custody_check_grant_caller(
    const char *spiffe_id, const struct custody_change *change);
/* Does the grant make sense, and does the key's pool serve whom it is for? */
STATUS custody_check_grant(
    const struct custody_config *config, const struct custody_change *change);
/* Both, of what the caller wants for itself with a key of its own that is to
 * be born there. */
STATUS custody_check_self(const struct custody_config *config,
    const char *spiffe_id, const char *pool, unsigned contexts,
    struct registry_grant *ret_grant);

/* ---- custody_grant.c ---- */

STATUS custody_take_contexts(const Holdfast__Keyd__V1__Context *contexts,
    size_t n, unsigned *ret_contexts);
struct status custody_grant(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply);
/* The approved act of custody_grant; an approvals_do. */
struct status custody_grant_approved(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, const struct registry_approval *approval);
struct status custody_revoke(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply);

#endif
