/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Stand-ins for token, journal and wire around the Keys and Approvals services;
 * see the header.  Keys are told apart by the octet that their ids are made of.
 */

#include "tests/fake/custody_desk.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "hsm/hsm.h"

#define METHODS_MAX 32

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Guarded by lock, but for what a test sets while nothing runs. */
static struct {
	struct {
		char name[64];
		rpc_unary_fn fn;
		void *ctx;
	} methods[METHODS_MAX];
	size_t n_methods;
	char records[DESK_RECORDS_MAX][2 * AUDIT_TEXT_MAX];
	size_t n_records, fails_after;
	void (*on_record)(void *ctx, const char *line);
	void *on_record_ctx;
	struct desk_token token;
} fake;

static _Thread_local ProtobufCMessage *reply_of_thread;
static _Thread_local char why_of_thread[256];

/* ---- the journal ---- */

static const char *
without_domain(const char *spiffe_id)
{
	static const char prefix[] = "spiffe://d/";

	return strncmp(spiffe_id, prefix, sizeof(prefix) - 1) == 0
		   ? spiffe_id + sizeof(prefix) - 1
		   : spiffe_id;
}

STATUS
audit_record(struct audit *audit, const struct audit_entry *entries, size_t n)
{
	const char *behalf =
	    entries->on_behalf_of == NULL ? "" : entries->on_behalf_of;
	char line[2 * AUDIT_TEXT_MAX];
	void (*on_record)(void *ctx, const char *text);
	void *ctx;

	(void)audit;
	assert(n == 1 && entries->kind == AUDIT_CUSTODY);
	snprintf(line, sizeof(line), "%s|%s|%s%s%s",
	    without_domain(entries->peer), entries->act,
	    entries->stage == ENTRY_ASKED  ? "asked"
	    : entries->stage == ENTRY_DONE ? "done"
					   : status_name(entries->code),
	    behalf[0] == 0 ? "" : "|for ", behalf);
	pthread_mutex_lock(&lock);
	on_record = fake.on_record;
	ctx = fake.on_record_ctx;
	if (fake.n_records >= fake.fails_after) {
		pthread_mutex_unlock(&lock);
		return status_fail(STATUS_UNAVAILABLE, "the disk is full");
	}
	assert(fake.n_records < DESK_RECORDS_MAX);
	memcpy(fake.records[fake.n_records++], line, sizeof(line));
	pthread_mutex_unlock(&lock);
	if (on_record != NULL)
		on_record(ctx, line);
	return status_ok();
}

size_t
desk_records(void)
{
	return fake.n_records;
}

const char *
desk_record(size_t i)
{
	return i < fake.n_records ? fake.records[i] : "";
}

unsigned
desk_recorded(const char *line)
{
	unsigned n = 0;

	for (size_t i = 0; i < fake.n_records; i++)
		n += strcmp(fake.records[i], line) == 0 ? 1 : 0;
	return n;
}

void
desk_journal_fails_after(size_t n)
{
	fake.fails_after = fake.n_records + n;
}

void
desk_journal_works(void)
{
	fake.fails_after = DESK_RECORDS_MAX;
}

void
desk_on_record(void (*fn)(void *ctx, const char *line), void *ctx)
{
	fake.on_record = fn;
	fake.on_record_ctx = ctx;
}

/* ---- the token ---- */

struct desk_token *
desk_token(void)
{
	return &fake.token;
}

STATUS
hsm_forget(struct hsm *hsm, const struct key_id *id, int64_t deadline_ns)
{
	struct status st;

	(void)hsm;
	assert(deadline_ns > clock_mono_ns());
	pthread_mutex_lock(&lock);
	st = fake.token.forget;
	if (!failed(st))
		fake.token.known[id->at[0]] = false;
	pthread_mutex_unlock(&lock);
	return st;
}

STATUS
hsm_find(struct hsm *hsm, const struct key_id *id, int64_t deadline_ns,
    struct hsm_key *ret_key)
{
	struct status st;

	(void)hsm;
	assert(deadline_ns > clock_mono_ns());
	pthread_mutex_lock(&lock);
	st = fake.token.find;
	if (!failed(st) && !fake.token.there[id->at[0]])
		st = status_fail(STATUS_NOT_FOUND, "no such key in the token");
	if (!failed(st)) {
		fake.token.known[id->at[0]] = true;
		memset(ret_key, 0, sizeof(*ret_key));
	}
	pthread_mutex_unlock(&lock);
	return st;
}

STATUS
hsm_allow(struct hsm *hsm, const struct key_id *id, int64_t deadline_ns)
{
	struct hsm_key key;

	return hsm_find(hsm, id, deadline_ns, &key);
}

STATUS
hsm_destroy(struct hsm *hsm, const struct key_id *id, int64_t deadline_ns)
{
	struct status st;

	(void)hsm;
	assert(deadline_ns > clock_mono_ns());
	pthread_mutex_lock(&lock);
	st = fake.token.destroy;
	if (!failed(st) && fake.token.undestroyable == id->at[0])
		st = status_fail(STATUS_FAILED_PRECONDITION,
		    "the token does not let this key be destroyed");
	if (!failed(st)) {
		fake.token.known[id->at[0]] = false;
		fake.token.there[id->at[0]] = false;
		fake.token.destroyed++;
	}
	pthread_mutex_unlock(&lock);
	return st;
}

/* Making and importing keys is not for this desk. */
static struct status
not_here(void)
{
	return status_fail(STATUS_UNIMPLEMENTED, "not at this desk");
}

STATUS
hsm_generate(struct hsm *hsm, enum key_alg alg, const char *label,
    int64_t deadline_ns, struct hsm_key *ret_key)
{
	(void)hsm, (void)alg, (void)label, (void)deadline_ns, (void)ret_key;
	return not_here();
}

STATUS
hsm_generate_wrapped(struct hsm *hsm, enum key_alg alg, int64_t deadline_ns,
    struct hsm_key *ret_key, struct hsm_blob *ret_blob)
{
	(void)hsm, (void)alg, (void)deadline_ns, (void)ret_key, (void)ret_blob;
	return not_here();
}

STATUS
hsm_find_label(struct hsm *hsm, const char *label, int64_t deadline_ns,
    struct hsm_key *ret_key)
{
	(void)hsm, (void)label, (void)deadline_ns, (void)ret_key;
	return not_here();
}

STATUS
hsm_wrapping_key(struct hsm *hsm, const char *label, int64_t deadline_ns,
    struct hsm_wrapping *ret_wrapping)
{
	(void)hsm, (void)label, (void)deadline_ns, (void)ret_wrapping;
	return not_here();
}

STATUS
hsm_unwrap(struct hsm *hsm, const struct hsm_import *import,
    int64_t deadline_ns, struct hsm_key *ret_key)
{
	(void)hsm, (void)import, (void)deadline_ns, (void)ret_key;
	return not_here();
}

STATUS
hsm_unwrap_wrapped(struct hsm *hsm, const struct hsm_import *import,
    int64_t deadline_ns, struct hsm_key *ret_key, struct hsm_blob *ret_blob)
{
	(void)hsm, (void)import, (void)deadline_ns, (void)ret_key,
	    (void)ret_blob;
	return not_here();
}

STATUS
hsm_unwraps(struct hsm *hsm, int64_t deadline_ns, unsigned *ret_algorithms)
{
	(void)hsm, (void)deadline_ns, (void)ret_algorithms;
	return not_here();
}

/* ---- the wire ---- */

void
rpc_reply_set(struct rpc_reply *reply, const ProtobufCMessage *message)
{
	uint8_t *packed = malloc(protobuf_c_message_get_packed_size(message));
	size_t len = protobuf_c_message_pack(message, packed);

	(void)reply;
	reply_of_thread =
	    protobuf_c_message_unpack(message->descriptor, NULL, len, packed);
	free(packed);
	assert(reply_of_thread != NULL);
}

void
rpc_reply_why(struct rpc_reply *reply, const char *format, ...)
{
	va_list args;

	(void)reply;
	va_start(args, format);
	vsnprintf(why_of_thread, sizeof(why_of_thread), format, args);
	va_end(args);
}

void
rpc_server_add_unary(struct rpc_server *server,
    const ProtobufCServiceDescriptor *service, const char *method,
    rpc_unary_fn fn, void *ctx)
{
	(void)server;
	assert(fake.n_methods < METHODS_MAX);
	snprintf(fake.methods[fake.n_methods].name,
	    sizeof(fake.methods[0].name), "%s/%s", service->short_name, method);
	fake.methods[fake.n_methods].fn = fn;
	fake.methods[fake.n_methods++].ctx = ctx;
}

void
desk_drop_reply(void)
{
	if (reply_of_thread != NULL)
		protobuf_c_message_free_unpacked(reply_of_thread, NULL);
	reply_of_thread = NULL;
	why_of_thread[0] = 0;
}

enum status_code
desk_call(const char *who, const char *method, const ProtobufCMessage *request)
{
	const struct rpc_peer peer = { .spiffe_id = who, .address = "" };
	const struct rpc_call the_call = {
		.peer = &peer, .deadline_ns = INT64_MAX, .method = method
	};

	desk_drop_reply();
	for (size_t i = 0; i < fake.n_methods; i++) {
		struct status st;

		if (strcmp(fake.methods[i].name, method) != 0)
			continue;
		st = fake.methods[i].fn(
		    fake.methods[i].ctx, &the_call, request, NULL);
		assert(failed(st) || reply_of_thread != NULL);
		assert(st.why != NULL && st.why[0] != 0);
		if (failed(st) && why_of_thread[0] == 0)
			snprintf(
			    why_of_thread, sizeof(why_of_thread), "%s", st.why);
		return st.code;
	}
	fprintf(stderr, "desk: no method %s\n", method);
	abort();
}

const ProtobufCMessage *
desk_reply(void)
{
	return reply_of_thread;
}

const char *
desk_why(void)
{
	return why_of_thread;
}

/* ---- keys and people ---- */

static struct key_id
id_of(unsigned key)
{
	struct key_id id;

	assert(key < DESK_KEYS_MAX);
	memset(id.at, (int)key, KEY_ID_LEN);
	return id;
}

static void
must(struct status st)
{
	if (failed(st))
		fprintf(stderr, "desk: %s\n", st.why);
	assert(!failed(st));
}

static void
add_key(
    struct desk *desk, unsigned key, const char *created_by, bool replaceable)
{
	struct registry_key row = { .alg = KEY_ALG_EC_P256,
		.id = id_of(key),
		.spki_len = 91,
		.created_s = 1000,
		.pool = "standard",
		.replaceable = replaceable };

	memset(row.spki, (int)key, row.spki_len);
	snprintf(row.label, sizeof(row.label), "k%u", key);
	snprintf(row.created_by, sizeof(row.created_by), "%s", created_by);
	must(registry_key_add(desk->registry, &row, NULL));
	must(custody_publish(desk->custody));
	fake.token.known[key] = fake.token.there[key] = true;
}

void
desk_add_key(struct desk *desk, unsigned key, const char *created_by)
{
	add_key(desk, key, created_by, false);
}

void
desk_add_replaceable(struct desk *desk, unsigned key, const char *created_by)
{
	add_key(desk, key, created_by, true);
}

struct registry_key
desk_key(struct desk *desk, unsigned key)
{
	struct key_id id = id_of(key);
	struct registry_key row = { .alg = KEY_ALG_NONE };

	must(registry_key_get(desk->registry, &id, &row));
	return row;
}

void
desk_set_state(
    struct desk *desk, unsigned key, enum key_state to, int64_t destroy_at_s)
{
	struct registry_key row = desk_key(desk, key);

	must(registry_key_state(desk->registry, &row.id, row.state, to,
	    destroy_at_s,
	    row.state == KEY_SCHEDULED ? row.destroy_at_s - 1
				       : clock_wall_s()));
	must(custody_publish_key(desk->custody, &row.id));
}

void
desk_grant_edge(struct desk *desk, unsigned key)
{
	struct registry_grant grant = { .pattern = "edge/fra-1",
		.contexts = 1u << CONTEXT_TLS13_SERVER };
	struct key_id id = id_of(key);
	struct registry_target target = { .key = &id };

	must(registry_grant_add(desk->registry, &target, &grant, NULL));
	must(custody_publish(desk->custody));
}

enum status_code
desk_edge_may(struct desk *desk, unsigned key)
{
	const struct spiffe edge = { "d", ROLE_EDGE, "fra-1" };
	struct policy *policy = policy_slot_get(desk->policy);
	struct policy_permit permit;
	struct key_id id = id_of(key);
	struct status st =
	    policy_check(policy, &edge, &id, CONTEXT_TLS13_SERVER, &permit);

	policy_unref(policy);
	return st.code;
}

void
desk_enroll(struct desk *desk, const char *spiffe_id, int64_t since_s)
{
	must(registry_identity_put(
	    desk->registry, spiffe_id, "01", INT64_C(1) << 40, since_s));
}

/* ---- life ---- */

static void
open_parts(struct desk *desk, unsigned quorum, int64_t lifetime_s)
{
	static const char *const names[] = { "standard" };
	static const char *const edge_groups[] = { "standard" };
	static const struct policy_pool policy_pools[] = {
		{ .name = "standard",
		    .edge_groups = edge_groups,
		    .n_edge_groups = 1 },
	};
	static struct hsm *const pools[] = { (struct hsm *)&fake };
	struct approvals_config approvals = {
		.self = SELF, .quorum = quorum, .lifetime_s = lifetime_s
	};
	struct custody_config custody = {
		.pools = pools,
		.pool_names = names,
		.policy_pools = policy_pools,
		.n_pools = 1,
		.destroy_delay_s = 7 * 86400,
		.destroy_delay_min_s = 3600,
	};

	must(registry_open(desk->path, &desk->registry));
	desk->policy = policy_slot_new();
	assert(desk->policy != NULL);
	approvals.registry = custody.registry = desk->registry;
	custody.policy = desk->policy;
	must(approvals_new(&approvals, &desk->approvals));
	custody.approvals = desk->approvals;
	must(custody_new(&custody, &desk->custody));
	must(custody_publish(desk->custody));
	fake.n_methods = 0;
	custody_register(desk->custody, NULL);
	approvals_register(desk->approvals, NULL);
}

static void
close_parts(struct desk *desk)
{
	custody_free(desk->custody);
	approvals_free(desk->approvals);
	policy_slot_free(desk->policy);
	registry_close(desk->registry);
}

struct desk *
desk_new(unsigned quorum, int64_t lifetime_s)
{
	struct desk *desk = calloc(1, sizeof(*desk));

	assert(desk != NULL);
	memset(&fake, 0, sizeof(fake));
	fake.fails_after = DESK_RECORDS_MAX;
	snprintf(
	    desk->folder, sizeof(desk->folder), "/tmp/holdfast-desk-XXXXXX");
	if (mkdtemp(desk->folder) == NULL)
		abort();
	snprintf(
	    desk->path, sizeof(desk->path), "%s/registry.db", desk->folder);
	open_parts(desk, quorum, lifetime_s);
	return desk;
}

void
desk_restart(struct desk *desk, unsigned quorum, int64_t lifetime_s)
{
	close_parts(desk);
	open_parts(desk, quorum, lifetime_s);
}

void
desk_free(struct desk *desk)
{
	static const char *const ends[] = { "", "-wal", "-shm" };

	desk_drop_reply();
	close_parts(desk);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s%s", desk->path, ends[i]);
		unlink(path);
	}
	rmdir(desk->folder);
	free(desk);
}
