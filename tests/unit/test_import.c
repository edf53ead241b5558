/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Imports and wrapped pools between a real registry and a real policy; the
 * token, the journal and the wire are stand-ins that answer from struct fake.
 * Whatever goes wrong on the way, the token must hold nothing of it afterwards.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "keyd/custody.h"
#include "keyd/import_rotation.h"
#include "keyd/pb.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"
#include "tests/unit/spki.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define ALICE "spiffe://d/operator/alice"
#define CERTD "spiffe://d/certd/main"
#define METHODS_MAX 32
#define RECORDS_MAX 64
#define OBJECTS_MAX 32
#define ALL_ALGORITHMS                                                         \
	(1u << KEY_ALG_EC_P256 | 1u << KEY_ALG_EC_P384 |                       \
	    1u << KEY_ALG_RSA_2048 | 1u << KEY_ALG_RSA_3072 |                  \
	    1u << KEY_ALG_RSA_4096)

static struct fake {
	struct {
		const char *name;
		rpc_unary_fn fn;
		void *ctx;
	} methods[METHODS_MAX];
	size_t n_methods;
	char records[RECORDS_MAX][2 * AUDIT_TEXT_MAX];
	_Atomic size_t n_records; /* the thread of a test adds too */
	size_t fails_after;
	/* The token: ids of what is in it. */
	struct key_id objects[OBJECTS_MAX];
	size_t n_objects;
	struct status unwrap; /* OK, or what it comes to */
	bool leaves_object;   /* when it fails, as a worker that dies may */
	bool is_extractable;
	bool hides_objects; /* from a search for keys that sign */
	struct hsm *away;   /* does not answer, or NULL */
	unsigned asked;
	/* Called once the token has the key. */
	void (*meanwhile)(void *ctx);
	void *meanwhile_ctx;
	ProtobufCMessage *reply;
	char why[256];
} fake;

/* ---- the journal and the wire ---- */

STATUS
audit_record(struct audit *audit, const struct audit_entry *entries, size_t n)
{
	(void)audit;
	assert_int_equal(n, 1);
	if (fake.n_records >= fake.fails_after)
		return status_fail(STATUS_UNAVAILABLE, "the disk is full");
	assert_true(fake.n_records < RECORDS_MAX);
	snprintf(fake.records[fake.n_records++], 2 * AUDIT_TEXT_MAX, "%s|%s|%s",
	    entries->peer, entries->act,
	    entries->stage == ENTRY_ASKED  ? "asked"
	    : entries->stage == ENTRY_DONE ? "done"
					   : "failed");
	return status_ok();
}

void
rpc_reply_set(struct rpc_reply *reply, const ProtobufCMessage *message)
{
	uint8_t *packed = malloc(protobuf_c_message_get_packed_size(message));
	size_t len = protobuf_c_message_pack(message, packed);

	(void)reply;
	fake.reply =
	    protobuf_c_message_unpack(message->descriptor, NULL, len, packed);
	free(packed);
	assert_non_null(fake.reply);
}

void
rpc_reply_why(struct rpc_reply *reply, const char *format, ...)
{
	va_list args;

	(void)reply;
	va_start(args, format);
	vsnprintf(fake.why, sizeof(fake.why), format, args);
	va_end(args);
}

void
rpc_server_add_unary(struct rpc_server *server,
    const ProtobufCServiceDescriptor *service, const char *method,
    rpc_unary_fn fn, void *ctx)
{
	(void)server;
	(void)service;
	assert_true(fake.n_methods < METHODS_MAX);
	fake.methods[fake.n_methods].name = method;
	fake.methods[fake.n_methods].fn = fn;
	fake.methods[fake.n_methods++].ctx = ctx;
}

/* Told apart by their addresses; nobody looks inside. */
static max_align_t tokens[2];
static struct hsm *const pools[] = { (struct hsm *)(void *)&tokens[0],
	(struct hsm *)(void *)&tokens[1] };

/* ---- the token ---- */

static bool
token_has(const struct key_id *id)
{
	for (size_t i = 0; i < fake.n_objects; i++)
		if (key_id_equal(&fake.objects[i], id))
			return true;
	return false;
}

static void
token_put(const struct key_id *id)
{
	assert_true(fake.n_objects < OBJECTS_MAX);
	fake.objects[fake.n_objects++] = *id;
}

STATUS
hsm_destroy(struct hsm *hsm, const struct key_id *id, int64_t deadline_ns)
{
	(void)hsm;
	assert_true(deadline_ns > clock_mono_ns());
	for (size_t i = 0; i < fake.n_objects; i++)
		if (key_id_equal(&fake.objects[i], id))
			fake.objects[i] = fake.objects[--fake.n_objects];
	return status_ok();
}

STATUS
hsm_wait_ready(struct hsm *hsm, int64_t timeout_ns)
{
	assert_int_equal(timeout_ns, 0);
	return hsm == fake.away
		   ? status_fail(STATUS_UNAVAILABLE, "the token is away")
		   : status_ok();
}

STATUS
hsm_wrapping_key(struct hsm *hsm, const char *label, int64_t deadline_ns,
    struct hsm_wrapping *ret_wrapping)
{
	(void)deadline_ns;
	memset(ret_wrapping, 0, sizeof(*ret_wrapping));
	snprintf((char *)ret_wrapping->id.at, KEY_ID_LEN, "%s %d", label,
	    hsm == pools[1]);
	ret_wrapping->spki_len = 3;
	if (!token_has(&ret_wrapping->id))
		token_put(&ret_wrapping->id);
	return status_ok();
}

STATUS
hsm_unwraps(struct hsm *hsm, int64_t deadline_ns, unsigned *ret_algorithms)
{
	(void)hsm;
	(void)deadline_ns;
	*ret_algorithms = ALL_ALGORITHMS;
	return status_ok();
}

static struct status
take_in(const struct hsm_import *import, bool is_object, struct hsm_key *key)
{
	fake.asked++;
	memset(key, 0, sizeof(*key));
	assert_true(key_id_of_spki(import->spki, &key->id));
	key->alg = key_alg_of_spki(import->spki);
	key->spki_len = import->spki.len;
	memcpy(key->spki, import->spki.at, import->spki.len);
	key->sensitive = true;
	key->extractable = fake.is_extractable;
	if (is_object && (!failed(fake.unwrap) || fake.leaves_object))
		token_put(&key->id);
	if (fake.meanwhile != NULL)
		fake.meanwhile(fake.meanwhile_ctx);
	return fake.unwrap;
}

STATUS
hsm_unwrap(struct hsm *hsm, const struct hsm_import *import,
    int64_t deadline_ns, struct hsm_key *ret_key)
{
	(void)hsm;
	assert_true(deadline_ns > clock_mono_ns());
	return take_in(import, true, ret_key);
}

STATUS
hsm_unwrap_wrapped(struct hsm *hsm, const struct hsm_import *import,
    int64_t deadline_ns, struct hsm_key *ret_key, struct hsm_blob *ret_blob)
{
	(void)hsm;
	(void)deadline_ns;
	ret_blob->len = 40;
	memset(ret_blob->at, 0x5a, 40);
	return take_in(import, false, ret_key);
}

static struct bytes
new_spki(enum key_alg alg, struct spki *spki)
{
	spki_of_curve(alg == KEY_ALG_EC_P384 ? "P-384" : "P-256", spki);
	return spki_bytes(spki);
}

STATUS
hsm_generate_wrapped(struct hsm *hsm, enum key_alg alg, bool keeps,
    int64_t deadline_ns, struct hsm_key *ret_key, struct hsm_blob *ret_blob)
{
	struct spki spki;
	const struct hsm_import import = { .spki = new_spki(alg, &spki) };

	(void)keeps;
	return hsm_unwrap_wrapped(hsm, &import, deadline_ns, ret_key, ret_blob);
}

STATUS
hsm_generate(struct hsm *hsm, enum key_alg alg, const char *label,
    int64_t deadline_ns, struct hsm_key *ret_key)
{
	struct spki spki;
	const struct hsm_import import = { .spki = new_spki(alg, &spki) };

	(void)label;
	return hsm_unwrap(hsm, &import, deadline_ns, ret_key);
}

static struct status
not_here(void)
{
	return status_fail(STATUS_UNIMPLEMENTED, "not in this test");
}

STATUS
hsm_forget(struct hsm *hsm, const struct key_id *id, int64_t deadline_ns)
{
	(void)hsm, (void)id, (void)deadline_ns;
	return not_here();
}

STATUS
hsm_allow(struct hsm *hsm, const struct key_id *id, int64_t deadline_ns)
{
	(void)hsm, (void)id, (void)deadline_ns;
	return not_here();
}

STATUS
hsm_find(struct hsm *hsm, const struct key_id *id, int64_t deadline_ns,
    struct hsm_key *ret_key)
{
	(void)hsm, (void)deadline_ns, (void)ret_key;
	return token_has(id) && !fake.hides_objects
		   ? status_ok()
		   : status_fail(STATUS_NOT_FOUND, "no such key");
}

STATUS
hsm_find_label(struct hsm *hsm, const char *label, int64_t deadline_ns,
    struct hsm_key *ret_key)
{
	(void)hsm, (void)label, (void)deadline_ns, (void)ret_key;
	return not_here();
}

/* ---- the desk ---- */

struct desk {
	char folder[64], path[96];
	struct registry *registry;
	struct policy_slot *policy;
	struct custody *custody;
	struct import_rotation_config imports;
	struct spki spki;
	struct bytes public;
	struct key_id id, wrapping;
};

static const char *const names[] = { "standard", "many" };
static const bool wrapped[] = { false, true };
static const struct policy_pool policies[] = { { .name = "standard" },
	{ .name = "many" } };

static enum status_code
call(const char *who, const char *method, const ProtobufCMessage *request)
{
	const struct rpc_peer peer = { .spiffe_id = who, .address = "" };
	const struct rpc_call the_call = {
		.peer = &peer, .deadline_ns = INT64_MAX, .method = method
	};

	if (fake.reply != NULL)
		protobuf_c_message_free_unpacked(fake.reply, NULL);
	fake.reply = NULL;
	fake.why[0] = 0;
	for (size_t i = 0; i < fake.n_methods; i++) {
		struct status st;

		if (strcmp(fake.methods[i].name, method) != 0)
			continue;
		st = fake.methods[i].fn(
		    fake.methods[i].ctx, &the_call, request, NULL);
		assert_true(failed(st) || fake.reply != NULL);
		return st.code;
	}
	fail_msg("no method %s", method);
	return STATUS_UNKNOWN;
}

static void
fetch_parameters(struct desk *desk, const char *pool)
{
	Holdfast__Keyd__V1__ImportParametersRequest request;
	const Holdfast__Keyd__V1__ImportParametersResponse *p;

	holdfast__keyd__v1__import_parameters_request__init(&request);
	request.pool = pb_text(pool);
	assert_int_equal(
	    call(ALICE, "ImportParameters", &request.base), STATUS_OK);
	p = (const Holdfast__Keyd__V1__ImportParametersResponse *)fake.reply;
	assert_int_equal(p->wrapping_key_id.len, KEY_ID_LEN);
	memcpy(desk->wrapping.at, p->wrapping_key_id.data, KEY_ID_LEN);
	assert_int_equal(p->n_algorithms, 5);
	assert_in_range(
	    p->expires_s, clock_wall_s() + 80, clock_wall_s() + 120);
}

static int
set_up(void **state)
{
	struct desk *desk = calloc(1, sizeof(*desk));
	struct custody_config config = {
		.pools = pools,
		.pool_names = names,
		.policy_pools = policies,
		.wrapped = wrapped,
		.n_pools = 2,
	};

	assert_non_null(desk);
	memset(&fake, 0, sizeof(fake));
	fake.fails_after = RECORDS_MAX;
	fake.unwrap = status_ok();
	snprintf(
	    desk->folder, sizeof(desk->folder), "/tmp/holdfast-imp-XXXXXX");
	assert_non_null(mkdtemp(desk->folder));
	snprintf(
	    desk->path, sizeof(desk->path), "%s/registry.db", desk->folder);
	assert_int_equal(
	    registry_open(desk->path, &desk->registry).code, STATUS_OK);
	desk->policy = policy_slot_new();
	desk->imports =
	    (struct import_rotation_config){ .registry = desk->registry,
		    .pools = pools,
		    .pool_names = names,
		    .n_pools = 2,
		    .rotate_s = 60,
		    .grace_s = 30 };
	config.registry = desk->registry;
	config.policy = desk->policy;
	config.imports = &desk->imports;
	assert_int_equal(custody_new(&config, &desk->custody).code, STATUS_OK);
	custody_register(desk->custody, NULL);
	desk->public = new_spki(KEY_ALG_EC_P256, &desk->spki);
	assert_true(key_id_of_spki(desk->public, &desk->id));
	fetch_parameters(desk, "");
	*state = desk;
	return 0;
}

static int
tear_down(void **state)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	struct desk *desk = *state;

	if (fake.reply != NULL)
		protobuf_c_message_free_unpacked(fake.reply, NULL);
	custody_free(desk->custody);
	policy_slot_free(desk->policy);
	registry_close(desk->registry);
	for (size_t i = 0; i < LEN(ends); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s%s", desk->path, ends[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(desk->folder), 0);
	free(desk);
	return 0;
}

static Holdfast__Keyd__V1__ImportRequest
import_of(struct desk *desk, const char *label, const char *pool)
{
	static const uint8_t blob[500] = { 1 };
	Holdfast__Keyd__V1__ImportRequest request;

	holdfast__keyd__v1__import_request__init(&request);
	request.label = pb_text(label);
	request.pool = pb_text(pool);
	request.blob = pb_octets(blob, sizeof(blob));
	request.spki = pb_octets(desk->public.at, desk->public.len);
	request.wrapping_key_id = pb_octets(desk->wrapping.at, KEY_ID_LEN);
	request.group = pb_text("web");
	request.owner = pb_text("me");
	request.notes = pb_text("n");
	return request;
}

static enum status_code
import_as(
    struct desk *desk, const char *who, const char *label, const char *pool)
{
	Holdfast__Keyd__V1__ImportRequest request =
	    import_of(desk, label, pool);

	return call(who, "Import", &request.base);
}

/* The token holds its wrapping keys and nothing else, and no row came. */
static void
assert_nothing_came(struct desk *desk)
{
	struct registry_key row;

	assert_false(token_has(&desk->id));
	assert_int_equal(registry_key_get(desk->registry, &desk->id, &row).code,
	    STATUS_NOT_FOUND);
}

/* ---- what works ---- */

static void
an_imported_key_is_recorded_told_and_in_force(void **state)
{
	struct desk *desk = *state;
	const Holdfast__Keyd__V1__Key *key;
	struct policy *policy;

	assert_int_equal(import_as(desk, ALICE, "www", ""), STATUS_OK);
	key = (const Holdfast__Keyd__V1__Key *)fake.reply;
	assert_int_equal(key->origin,
	    HOLDFAST__KEYD__V1__KEY_ORIGIN__KEY_ORIGIN_IMPORTED_WRAPPED);
	assert_false(key->wrapped);
	assert_string_equal(key->group, "web");
	assert_string_equal(key->owner, "me");
	assert_string_equal(key->notes, "n");
	assert_string_equal(key->created_by, ALICE);
	assert_true(token_has(&desk->id));
	policy = policy_slot_get(desk->policy);
	assert_int_equal(policy_keys(policy), 1);
	policy_unref(policy);
	assert_non_null(strstr(fake.records[2],
	    ALICE "|import ec-p256 label=www group=web pool=standard "
		  "wrapping=import-"));
	assert_non_null(strstr(fake.records[2], "|asked"));
	assert_non_null(strstr(fake.records[3], "|done"));
}

static void
a_key_that_certd_had_in_the_clear_says_so_for_ever(void **state)
{
	struct desk *desk = *state;
	Holdfast__Keyd__V1__ImportRequest request = import_of(desk, "www", "");
	struct registry_key row;

	request.exposed = true;
	assert_int_equal(call(CERTD, "Import", &request.base), STATUS_OK);
	assert_int_equal(((const Holdfast__Keyd__V1__Key *)fake.reply)->origin,
	    HOLDFAST__KEYD__V1__KEY_ORIGIN__KEY_ORIGIN_IMPORTED_CERTD);
	assert_int_equal(
	    registry_key_get(desk->registry, &desk->id, &row).code, STATUS_OK);
	assert_int_equal(row.origin, ORIGIN_IMPORTED_CERTD);
	assert_non_null(strstr(fake.records[2],
	    CERTD "|import ec-p256 exposed label=www group=web pool=standard"));
}

static void
a_key_that_certd_only_passed_on_is_wrapped_and_names_certd(void **state)
{
	struct desk *desk = *state;
	const Holdfast__Keyd__V1__Key *key;

	assert_int_equal(import_as(desk, CERTD, "www", ""), STATUS_OK);
	key = (const Holdfast__Keyd__V1__Key *)fake.reply;
	assert_int_equal(key->origin,
	    HOLDFAST__KEYD__V1__KEY_ORIGIN__KEY_ORIGIN_IMPORTED_WRAPPED);
	assert_string_equal(key->created_by, CERTD);
	assert_null(strstr(fake.records[2], "exposed"));
}

static void
nobody_but_certd_says_that_a_key_was_exposed(void **state)
{
	struct desk *desk = *state;
	Holdfast__Keyd__V1__ImportRequest request = import_of(desk, "www", "");
	const size_t before = fake.n_records;

	request.exposed = true;
	assert_int_equal(
	    call(ALICE, "Import", &request.base), STATUS_INVALID_ARGUMENT);
	assert_int_equal(fake.n_records, before);
	assert_nothing_came(desk);
}

static void
a_wrapped_pool_keeps_the_blob_and_the_token_nothing(void **state)
{
	Holdfast__Keyd__V1__GenerateRequest request;
	struct desk *desk = *state;
	struct hsm_blob blob;

	fetch_parameters(desk, "many");
	assert_int_equal(import_as(desk, ALICE, "www", "many"), STATUS_OK);
	assert_true(((const Holdfast__Keyd__V1__Key *)fake.reply)->wrapped);
	assert_false(token_has(&desk->id));
	assert_int_equal(
	    registry_blob(desk->registry, &desk->id, &blob).code, STATUS_OK);
	assert_int_equal(blob.len, 40);
	assert_int_equal(blob.alg, KEY_ALG_EC_P256);
	assert_int_equal(blob.spki_len, desk->public.len);
	assert_memory_equal(blob.spki, desk->public.at, blob.spki_len);

	holdfast__keyd__v1__generate_request__init(&request);
	request.algorithm =
	    HOLDFAST__KEYD__V1__KEY_ALGORITHM__KEY_ALGORITHM_EC_P384;
	request.label = pb_text("born");
	request.pool = pb_text("many");
	assert_int_equal(call(ALICE, "Generate", &request.base), STATUS_OK);
	assert_true(((const Holdfast__Keyd__V1__Key *)fake.reply)->wrapped);
}

static void
a_blob_goes_with_its_destroyed_key(void **state)
{
	struct desk *desk = *state;
	struct hsm_blob blob;

	fetch_parameters(desk, "many");
	assert_int_equal(import_as(desk, ALICE, "www", "many"), STATUS_OK);
	assert_int_equal(registry_key_state(desk->registry, &desk->id,
			     KEY_ACTIVE, KEY_SCHEDULED, 5, 1)
			     .code,
	    STATUS_OK);
	assert_int_equal(registry_key_state(desk->registry, &desk->id,
			     KEY_SCHEDULED, KEY_DESTROYED, 0, 6)
			     .code,
	    STATUS_OK);
	assert_int_equal(registry_blob(desk->registry, &desk->id, &blob).code,
	    STATUS_NOT_FOUND);
}

/* ---- what does not ---- */

static void
a_blob_that_the_token_refuses_is_no_key(void **state)
{
	struct desk *desk = *state;

	fake.unwrap = status_fail(STATUS_INVALID_ARGUMENT, "damaged");
	assert_int_equal(
	    import_as(desk, ALICE, "www", ""), STATUS_INVALID_ARGUMENT);
	assert_nothing_came(desk);
	assert_non_null(strstr(fake.records[3], "|failed"));
}

static void
a_worker_that_goes_away_midway_leaves_no_key(void **state)
{
	static const enum status_code codes[] = { STATUS_UNAVAILABLE,
		STATUS_DEADLINE_EXCEEDED,
		/* A second worker finds what the first one left. */
		STATUS_ALREADY_EXISTS };
	struct desk *desk = *state;

	fake.leaves_object = true;
	for (size_t i = 0; i < LEN(codes); i++) {
		fake.unwrap = status_fail(codes[i], "the worker has gone");
		assert_int_equal(import_as(desk, ALICE, "www", ""), codes[i]);
		assert_nothing_came(desk);
	}
}

/* These do not sign, so a search for keys passes them over. */
static void
an_import_that_fails_destroys_no_wrapping_key(void **state)
{
	struct desk *desk = *state;
	struct registry_wrapping row = { .label = "import-1",
		.pool = "standard",
		.created_s = clock_wall_s(),
		.id = desk->id };

	token_put(&desk->id);
	fake.hides_objects = true;
	fake.unwrap = status_fail(STATUS_DEADLINE_EXCEEDED, "too late");
	assert_false(failed(registry_wrapping_add(desk->registry, &row, 60)));
	assert_int_equal(
	    import_as(desk, CERTD, "www", ""), STATUS_ALREADY_EXISTS);
	assert_int_equal(fake.asked, 0);
	assert_true(token_has(&desk->id));
}

/* keyd's own: the ledger's, a wrapping key, the CA's where tokens are shared.
 */
static void
an_import_that_fails_destroys_no_key_that_was_there(void **state)
{
	struct desk *desk = *state;

	token_put(&desk->id);
	fake.unwrap = status_fail(STATUS_DEADLINE_EXCEEDED, "too late");
	assert_int_equal(
	    import_as(desk, CERTD, "www", ""), STATUS_ALREADY_EXISTS);
	assert_int_equal(fake.asked, 0);
	assert_true(token_has(&desk->id));
}

static void
a_key_that_could_leave_the_token_is_destroyed_again(void **state)
{
	struct desk *desk = *state;

	fake.is_extractable = true;
	assert_int_equal(
	    import_as(desk, ALICE, "www", ""), STATUS_FAILED_PRECONDITION);
	assert_int_equal(fake.asked, 1);
	assert_nothing_came(desk);
}

/* Another caller takes the label between the check and the row. */
static void
take_the_label(void *ctx)
{
	struct desk *desk = ctx;
	struct registry_key there = { .alg = KEY_ALG_EC_P256,
		.label = "www",
		.pool = "standard",
		.spki_len = 1,
		.created_s = 1 };

	memset(there.id.at, 7, KEY_ID_LEN);
	assert_int_equal(
	    registry_key_add(desk->registry, &there, NULL).code, STATUS_OK);
}

static void
a_key_that_cannot_be_written_down_is_destroyed_again(void **state)
{
	struct desk *desk = *state;

	fake.meanwhile = take_the_label;
	fake.meanwhile_ctx = desk;
	assert_int_equal(
	    import_as(desk, ALICE, "www", ""), STATUS_ALREADY_EXISTS);
	assert_int_equal(fake.asked, 1);
	assert_nothing_came(desk);
	assert_non_null(strstr(fake.records[3], "|failed"));
}

static enum status_code second;

static void
import_again(void *ctx)
{
	fake.meanwhile = NULL;
	second = import_as(ctx, ALICE, "www-2", "");
}

static void
of_two_imports_of_a_key_at_once_one_is_sent_away(void **state)
{
	struct desk *desk = *state;

	fake.meanwhile = import_again;
	fake.meanwhile_ctx = desk;
	assert_int_equal(import_as(desk, ALICE, "www", ""), STATUS_OK);
	assert_int_equal(second, STATUS_ABORTED);
	assert_int_equal(fake.asked, 1);
	assert_true(token_has(&desk->id));
}

static void
without_a_record_the_token_is_not_asked(void **state)
{
	struct desk *desk = *state;

	fake.fails_after = fake.n_records;
	assert_int_equal(import_as(desk, ALICE, "www", ""), STATUS_UNAVAILABLE);
	assert_int_equal(fake.asked, 0);
	assert_nothing_came(desk);
}

static void
a_destroyed_key_does_not_come_back(void **state)
{
	struct desk *desk = *state;

	assert_int_equal(import_as(desk, ALICE, "www", ""), STATUS_OK);
	assert_int_equal(
	    import_as(desk, ALICE, "again", ""), STATUS_ALREADY_EXISTS);
	assert_non_null(strstr(fake.why, "www"));
	assert_int_equal(registry_key_state(desk->registry, &desk->id,
			     KEY_ACTIVE, KEY_SCHEDULED, 5, 1)
			     .code,
	    STATUS_OK);
	assert_int_equal(registry_key_state(desk->registry, &desk->id,
			     KEY_SCHEDULED, KEY_DESTROYED, 0, 6)
			     .code,
	    STATUS_OK);
	assert_int_equal(
	    import_as(desk, ALICE, "again", ""), STATUS_ALREADY_EXISTS);
	assert_non_null(strstr(fake.why, "destroyed"));
	assert_int_equal(fake.asked, 1);
}

static void
an_algorithm_that_the_token_cannot_unwrap_is_offered_to_be_made(void **state)
{
	struct desk *desk = *state;

	spki_of_curve(NULL, &desk->spki);
	desk->public = spki_bytes(&desk->spki);
	assert_int_equal(
	    import_as(desk, ALICE, "ed", ""), STATUS_FAILED_PRECONDITION);
	assert_non_null(
	    strstr(fake.why, "holdfast key generate ed --alg ed25519"));
	assert_int_equal(fake.asked, 0);
}

static void
labels_texts_and_pools_are_checked_first(void **state)
{
	static const char *const bad[] = { "", "a b", "kek", "ledger",
		"import-standard-1" };
	struct desk *desk = *state;

	for (size_t i = 0; i < LEN(bad); i++)
		assert_int_equal(import_as(desk, ALICE, bad[i], ""),
		    STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    import_as(desk, ALICE, "www", "none"), STATUS_INVALID_ARGUMENT);
	desk->public.len--;
	assert_int_equal(
	    import_as(desk, ALICE, "www", ""), STATUS_INVALID_ARGUMENT);
	assert_int_equal(fake.asked, 0);
}

/* ---- wrapping keys ---- */

static void
the_newest_wrapping_key_serves_until_it_is_old(void **state)
{
	struct desk *desk = *state;
	struct key_id first = desk->wrapping;

	fetch_parameters(desk, "");
	assert_true(key_id_equal(&first, &desk->wrapping));
	desk->imports.rotate_s = 0;
	desk->imports.grace_s = 100;
	/* Its label is the second it was made in. */
	sleep(1);
	fetch_parameters(desk, "");
	assert_false(key_id_equal(&first, &desk->wrapping));
	assert_true(token_has(&first));
}

static void
a_wrapping_key_is_refused_once_its_time_is_over(void **state)
{
	struct desk *desk = *state;
	struct registry_wrapping row;
	int64_t now_s = clock_wall_s();

	assert_int_equal(import_rotation_accepts(&desk->imports, 0,
			     &desk->wrapping, now_s + 80, &row)
			     .code,
	    STATUS_OK);
	/* Nobody asked for a newer one: rotate_s and grace_s all the same. */
	assert_int_equal(import_rotation_accepts(&desk->imports, 0,
			     &desk->wrapping, now_s + 91, &row)
			     .code,
	    STATUS_FAILED_PRECONDITION);
	/* Another pool's, and one that never was. */
	assert_int_equal(import_rotation_accepts(
			     &desk->imports, 1, &desk->wrapping, now_s, &row)
			     .code,
	    STATUS_FAILED_PRECONDITION);
	memset(desk->wrapping.at, 9, KEY_ID_LEN);
	assert_int_equal(
	    import_as(desk, ALICE, "www", ""), STATUS_FAILED_PRECONDITION);
	assert_int_equal(fake.asked, 0);
}

static void
wrapping_keys_are_destroyed_once_their_time_is_over(void **state)
{
	struct registry_wrapping row = { .label = "import-9", .created_s = 0 };
	struct desk *desk = *state;
	struct key_id first = desk->wrapping;
	int64_t now_s = clock_wall_s();
	struct status st;

	assert_int_equal(
	    import_rotation_sweep(&desk->imports, now_s).code, STATUS_OK);
	assert_true(token_has(&first));
	/* A newer one comes: the first has its grace from then. */
	memset(row.id.at, 9, KEY_ID_LEN);
	snprintf(row.pool, sizeof(row.pool), "standard");
	row.created_s = now_s;
	token_put(&row.id);
	assert_int_equal(
	    registry_wrapping_add(desk->registry, &row, 30).code, STATUS_OK);
	assert_int_equal(
	    import_rotation_accepts(&desk->imports, 0, &first, now_s + 29, &row)
		.code,
	    STATUS_OK);
	assert_int_equal(
	    import_rotation_sweep(&desk->imports, now_s + 31).code, STATUS_OK);
	assert_false(token_has(&first));
	assert_int_equal(fake.n_objects, 1);
	/* And the newest when nobody asks any more. */
	assert_int_equal(
	    import_rotation_sweep(&desk->imports, now_s + 91).code, STATUS_OK);
	assert_int_equal(fake.n_objects, 0);
	st = registry_wrapping_newest(desk->registry, "standard", &row);
	assert_int_equal(st.code, STATUS_NOT_FOUND);
	assert_non_null(strstr(
	    fake.records[fake.n_records - 1], "keyd|destroy wrapping key"));
}

/* A wrapping key whose time is over, since the pool has a newer one. */
static struct key_id
add_due(struct desk *desk, const char *pool, uint8_t octet)
{
	struct registry_wrapping row = { .label = "import-1" };
	struct key_id due;

	snprintf(row.pool, sizeof(row.pool), "%s", pool);
	memset(row.id.at, octet, KEY_ID_LEN);
	due = row.id;
	token_put(&due);
	assert_false(failed(registry_wrapping_add(desk->registry, &row, 0)));
	row.id.at[0] = 0xff;
	row.created_s = clock_wall_s();
	assert_false(failed(registry_wrapping_add(desk->registry, &row, 0)));
	return due;
}

static void
a_token_that_is_away_keeps_no_other_from_destroying(void **state)
{
	struct desk *desk = *state;
	struct key_id there = add_due(desk, "many", 1);
	struct key_id here = add_due(desk, "standard", 2);
	int64_t now_s = clock_wall_s();
	size_t records;

	fake.away = pools[1];
	assert_int_equal(import_rotation_sweep(&desk->imports, now_s).code,
	    STATUS_UNAVAILABLE);
	assert_false(token_has(&here));
	assert_true(token_has(&there));
	/* That it is away is no news for the ledger each time. */
	records = fake.n_records;
	assert_int_equal(import_rotation_sweep(&desk->imports, now_s).code,
	    STATUS_UNAVAILABLE);
	assert_int_equal(fake.n_records, records);
	fake.away = NULL;
	assert_false(failed(import_rotation_sweep(&desk->imports, now_s)));
	assert_false(token_has(&there));
}

static void
the_thread_sweeps_by_itself(void **state)
{
	struct import_rotation *rotation = NULL;
	struct desk *desk = *state;

	desk->imports.rotate_s = desk->imports.grace_s = 0;
	assert_int_equal(
	    import_rotation_start(&desk->imports, &rotation).code, STATUS_OK);
	for (int i = 0; i < 1200 && fake.n_records < 4; i++)
		usleep(50000);
	import_rotation_stop(rotation);
	assert_int_equal(fake.n_objects, 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(an_imported_key_is_recorded_told_and_in_force),
		TEST(a_key_that_certd_had_in_the_clear_says_so_for_ever),
		TEST(
		    a_key_that_certd_only_passed_on_is_wrapped_and_names_certd),
		TEST(nobody_but_certd_says_that_a_key_was_exposed),
		TEST(a_wrapped_pool_keeps_the_blob_and_the_token_nothing),
		TEST(a_blob_goes_with_its_destroyed_key),
		TEST(a_blob_that_the_token_refuses_is_no_key),
		TEST(a_worker_that_goes_away_midway_leaves_no_key),
		TEST(an_import_that_fails_destroys_no_wrapping_key),
		TEST(an_import_that_fails_destroys_no_key_that_was_there),
		TEST(a_key_that_could_leave_the_token_is_destroyed_again),
		TEST(a_key_that_cannot_be_written_down_is_destroyed_again),
		TEST(of_two_imports_of_a_key_at_once_one_is_sent_away),
		TEST(without_a_record_the_token_is_not_asked),
		TEST(a_destroyed_key_does_not_come_back),
		TEST(
		    an_algorithm_that_the_token_cannot_unwrap_is_offered_to_be_made),
		TEST(labels_texts_and_pools_are_checked_first),
		TEST(the_newest_wrapping_key_serves_until_it_is_old),
		TEST(a_wrapping_key_is_refused_once_its_time_is_over),
		TEST(wrapping_keys_are_destroyed_once_their_time_is_over),
		TEST(a_token_that_is_away_keeps_no_other_from_destroying),
		TEST(the_thread_sweeps_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
