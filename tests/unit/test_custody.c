/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The Keys service between a real registry and a real policy; the token, the
 * journal and the wire are stand-ins below that answer from struct fake.
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
#include "keyd/pb.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define ALICE "spiffe://d/operator/alice"
#define CERTD "spiffe://d/certd/main"
#define TLS13 HOLDFAST__KEYD__V1__CONTEXT__CONTEXT_TLS13_SERVER
#define TLS12 HOLDFAST__KEYD__V1__CONTEXT__CONTEXT_TLS12_SERVER_ECDHE
#define ACME_JWS HOLDFAST__KEYD__V1__CONTEXT__CONTEXT_ACME_JWS
#define CSR HOLDFAST__KEYD__V1__CONTEXT__CONTEXT_CSR
#define RAW HOLDFAST__KEYD__V1__CONTEXT__CONTEXT_RAW
#define CLIENT HOLDFAST__KEYD__V1__CONTEXT__CONTEXT_TLS13_CLIENT

#define METHODS_MAX 16
#define RECORDS_MAX 32

static struct fake {
	struct {
		const char *name;
		rpc_unary_fn fn;
		void *ctx;
	} methods[METHODS_MAX];
	size_t n_methods;
	/* The journal: what it holds, and from which record on it fails. */
	char records[RECORDS_MAX][AUDIT_TEXT_MAX];
	enum status_code codes[RECORDS_MAX];
	size_t n_records, fails_after;
	/* The token. */
	unsigned made;
	struct status token;
	/* The wire. */
	ProtobufCMessage *reply;
	char why[256];
} fake;

STATUS
audit_record(struct audit *audit, const struct audit_entry *entries, size_t n)
{
	(void)audit;
	assert_int_equal(n, 1);
	assert_int_equal(entries->kind, AUDIT_CUSTODY);
	if (fake.n_records >= fake.fails_after)
		return status_fail(STATUS_UNAVAILABLE, "the disk is full");
	assert_true(fake.n_records < RECORDS_MAX);
	fake.codes[fake.n_records] = entries->code;
	snprintf(fake.records[fake.n_records++], AUDIT_TEXT_MAX, "%s %s: %s",
	    entries->peer, entries->act,
	    entries->stage == ENTRY_ASKED  ? "asked"
	    : entries->stage == ENTRY_DONE ? "done"
					   : entries->why);
	return status_ok();
}

STATUS
hsm_generate(struct hsm *hsm, enum key_alg alg, const char *label,
    int64_t deadline_ns, struct hsm_key *ret_key)
{
	(void)hsm;
	assert_true(deadline_ns > clock_mono_ns());
	if (failed(fake.token))
		return fake.token;
	fake.made++;
	memset(ret_key, 0, sizeof(*ret_key));
	memset(ret_key->id.at, (int)fake.made, KEY_ID_LEN);
	ret_key->alg = alg;
	snprintf(ret_key->label, sizeof(ret_key->label), "%s", label);
	ret_key->spki_len = 91;
	ret_key->sensitive = ret_key->local = ret_key->never_extractable = true;
	return status_ok();
}

/* What test_life.c tries; here nobody asks. */
STATUS
hsm_forget(struct hsm *hsm, const struct key_id *id, int64_t deadline_ns)
{
	(void)hsm;
	(void)id;
	(void)deadline_ns;
	return status_fail(STATUS_UNIMPLEMENTED, "not in this test");
}

STATUS
hsm_allow(struct hsm *hsm, const struct key_id *id, int64_t deadline_ns)
{
	return hsm_forget(hsm, id, deadline_ns);
}

STATUS
hsm_destroy(struct hsm *hsm, const struct key_id *id, int64_t deadline_ns)
{
	return hsm_forget(hsm, id, deadline_ns);
}

STATUS
hsm_find(struct hsm *hsm, const struct key_id *id, int64_t deadline_ns,
    struct hsm_key *ret_key)
{
	(void)ret_key;
	return hsm_forget(hsm, id, deadline_ns);
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
	assert_ptr_equal(service, &holdfast__keyd__v1__keys__descriptor);
	assert_true(fake.n_methods < METHODS_MAX);
	fake.methods[fake.n_methods].name = method;
	fake.methods[fake.n_methods].fn = fn;
	fake.methods[fake.n_methods++].ctx = ctx;
}

struct desk {
	char folder[64], path[96];
	struct registry *registry;
	struct policy_slot *policy;
	struct custody *custody;
};

static int
set_up(void **state)
{
	static const char *const names[] = { "standard", "enhanced" };
	static const struct policy_pool policies[] = { { .name = "standard" },
		{ .name = "enhanced" } };
	static struct hsm *const pools[] = { NULL, NULL };
	struct desk *desk = calloc(1, sizeof(*desk));
	struct custody_config config = {
		.pools = pools,
		.pool_names = names,
		.policy_pools = policies,
		.n_pools = 2,
	};

	assert_non_null(desk);
	memset(&fake, 0, sizeof(fake));
	fake.fails_after = RECORDS_MAX;
	snprintf(
	    desk->folder, sizeof(desk->folder), "/tmp/holdfast-cust-XXXXXX");
	assert_non_null(mkdtemp(desk->folder));
	snprintf(
	    desk->path, sizeof(desk->path), "%s/registry.db", desk->folder);
	assert_int_equal(
	    registry_open(desk->path, &desk->registry).code, STATUS_OK);
	desk->policy = policy_slot_new();
	config.registry = desk->registry;
	config.policy = desk->policy;
	assert_int_equal(custody_new(&config, &desk->custody).code, STATUS_OK);
	custody_register(desk->custody, NULL);
	*state = desk;
	return 0;
}

static void
drop_reply(void)
{
	if (fake.reply != NULL)
		protobuf_c_message_free_unpacked(fake.reply, NULL);
	fake.reply = NULL;
}

static int
tear_down(void **state)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	struct desk *desk = *state;

	drop_reply();
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

static enum status_code
call(const char *who, const char *method, const ProtobufCMessage *request)
{
	const struct rpc_peer peer = { .spiffe_id = who, .address = "" };
	const struct rpc_call the_call = {
		.peer = &peer, .deadline_ns = INT64_MAX, .method = method
	};

	drop_reply();
	for (size_t i = 0; i < fake.n_methods; i++) {
		struct status st;

		if (strcmp(fake.methods[i].name, method) != 0)
			continue;
		st = fake.methods[i].fn(
		    fake.methods[i].ctx, &the_call, request, NULL);
		assert_true(failed(st) || fake.reply != NULL);
		assert_true(st.why[0] != 0);
		return st.code;
	}
	fail_msg("no method %s", method);
	return STATUS_UNKNOWN;
}

static const Holdfast__Keyd__V1__Key *
reply_key(void)
{
	const Holdfast__Keyd__V1__GrantResponse *grant =
	    (const Holdfast__Keyd__V1__GrantResponse *)fake.reply;

	return fake.reply->descriptor ==
		       &holdfast__keyd__v1__grant_response__descriptor
		   ? grant->key
		   : (const Holdfast__Keyd__V1__Key *)fake.reply;
}

static enum status_code
generate(const char *who, const char *label, const char *pool)
{
	Holdfast__Keyd__V1__GenerateRequest request;

	holdfast__keyd__v1__generate_request__init(&request);
	request.algorithm =
	    HOLDFAST__KEYD__V1__KEY_ALGORITHM__KEY_ALGORITHM_EC_P256;
	request.label = pb_text(label);
	request.pool = pb_text(pool);
	return call(who, "Generate", &request.base);
}

static enum status_code
generate_for_itself(const char *who, const char *label,
    Holdfast__Keyd__V1__Context *contexts, size_t n)
{
	Holdfast__Keyd__V1__GenerateRequest request;

	holdfast__keyd__v1__generate_request__init(&request);
	request.algorithm =
	    HOLDFAST__KEYD__V1__KEY_ALGORITHM__KEY_ALGORITHM_EC_P256;
	request.label = pb_text(label);
	request.contexts = contexts;
	request.n_contexts = n;
	return call(who, "Generate", &request.base);
}

static enum status_code
grant(const char *who, uint8_t key, const char *identity,
    Holdfast__Keyd__V1__Context context)
{
	Holdfast__Keyd__V1__GrantRequest request;
	uint8_t id[KEY_ID_LEN];

	memset(id, key, sizeof(id));
	holdfast__keyd__v1__grant_request__init(&request);
	request.key_id = pb_octets(id, sizeof(id));
	request.identity = pb_text(identity);
	request.contexts = &context;
	request.n_contexts = context == 0 ? 0 : 1;
	return call(who, "Grant", &request.base);
}

/* Context 0 names none, which takes away all. */
static enum status_code
take_back(const char *who, uint8_t key, const char *identity,
    Holdfast__Keyd__V1__Context context)
{
	Holdfast__Keyd__V1__RevokeRequest request;
	uint8_t id[KEY_ID_LEN];

	memset(id, key, sizeof(id));
	holdfast__keyd__v1__revoke_request__init(&request);
	request.key_id = pb_octets(id, sizeof(id));
	request.identity = pb_text(identity);
	request.contexts = &context;
	request.n_contexts = context == 0 ? 0 : 1;
	return call(who, "Revoke", &request.base);
}

static enum status_code
edge_may(struct desk *desk, uint8_t key, enum sign_context context)
{
	const struct spiffe edge = { "d", ROLE_EDGE, "fra-1" };
	struct policy *policy = policy_slot_get(desk->policy);
	struct policy_permit found;
	struct key_id id;
	struct status st;

	memset(id.at, key, KEY_ID_LEN);
	st = policy_check(policy, &edge, &id, context, &found);
	policy_unref(policy);
	return st.code;
}

static enum status_code
certd_may(struct desk *desk, uint8_t key, enum sign_context context)
{
	const struct spiffe certd = { "d", ROLE_CERTD, "main" };
	struct policy *policy = policy_slot_get(desk->policy);
	struct policy_permit found;
	struct key_id id;
	struct status st;

	memset(id.at, key, KEY_ID_LEN);
	st = policy_check(policy, &certd, &id, context, &found);
	policy_unref(policy);
	return st.code;
}

static void
whoever_makes_a_key_may_sign_with_it_from_the_start_for_what_it_named(
    void **state)
{
	Holdfast__Keyd__V1__Context csr[] = { CSR };
	struct registry_grant grants[REGISTRY_GRANTS_MAX];
	struct desk *desk = *state;
	struct key_id id;
	size_t n = 0;

	assert_int_equal(generate_for_itself(CERTD, "web", csr, 1), STATUS_OK);
	assert_int_equal(reply_key()->n_grants, 1);
	assert_int_equal(fake.n_records, 2);
	assert_string_equal(fake.records[0],
	    CERTD " generate ec-p256 grant=csr label=web pool=standard: asked");
	assert_int_equal(certd_may(desk, 1, CONTEXT_CSR), STATUS_OK);
	assert_int_equal(
	    certd_may(desk, 1, CONTEXT_ACME_JWS), STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    edge_may(desk, 1, CONTEXT_CSR), STATUS_PERMISSION_DENIED);
	memset(id.at, 1, KEY_ID_LEN);
	assert_int_equal(
	    registry_grants(desk->registry, &id, grants, &n).code, STATUS_OK);
	assert_int_equal(n, 1);
	assert_string_equal(grants[0].pattern, "certd/main");
	assert_int_equal(grants[0].contexts, 1u << CONTEXT_CSR);
}

static void
what_a_caller_could_not_grant_itself_it_does_not_get_with_a_key(void **state)
{
	Holdfast__Keyd__V1__Context tls[] = { TLS13 }, both[] = { CSR, TLS13 },
				    jws[] = { ACME_JWS, CSR };
	struct registry_key row;
	struct desk *desk = *state;

	assert_int_equal(generate_for_itself(CERTD, "web", tls, 1),
	    STATUS_PERMISSION_DENIED);
	assert_int_equal(generate_for_itself(CERTD, "web", both, 2),
	    STATUS_PERMISSION_DENIED);
	assert_int_equal(fake.n_records, 0);
	/* Found out in the registry, when the token has it already. */
	assert_int_equal(generate_for_itself(CERTD, "web", jws, 2),
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    registry_key_by_label(desk->registry, "web", &row).code,
	    STATUS_NOT_FOUND);
}

static void
a_key_is_made_recorded_and_told(void **state)
{
	const Holdfast__Keyd__V1__Key *key;
	struct registry_key row;
	struct desk *desk = *state;

	assert_int_equal(generate(ALICE, "web", ""), STATUS_OK);
	key = reply_key();
	assert_string_equal(key->label, "web");
	assert_string_equal(key->pool, "standard");
	assert_string_equal(key->created_by, ALICE);
	assert_int_equal(key->id.len, KEY_ID_LEN);
	assert_int_equal(key->n_grants, 0);
	assert_true(key->attributes->sensitive);
	assert_false(key->attributes->extractable);
	assert_int_equal(
	    registry_key_by_label(desk->registry, "web", &row).code, STATUS_OK);
	assert_int_equal(fake.n_records, 2);
	assert_string_equal(fake.records[0],
	    ALICE " generate ec-p256 label=web pool=standard: asked");
	assert_string_equal(fake.records[1],
	    ALICE " generate ec-p256 label=web pool=standard: done");
}

static void
makes_no_key_when_the_journal_fails(void **state)
{
	struct registry_key row;
	struct desk *desk = *state;

	fake.fails_after = 0;
	assert_int_equal(generate(ALICE, "web", ""), STATUS_UNAVAILABLE);
	assert_int_equal(fake.made, 0);
	assert_int_equal(
	    registry_key_by_label(desk->registry, "web", &row).code,
	    STATUS_NOT_FOUND);
}

static void
says_so_when_the_key_was_made_but_the_record_of_it_failed(void **state)
{
	struct registry_key row;
	struct desk *desk = *state;

	fake.fails_after = 1;
	assert_int_equal(generate(ALICE, "web", ""), STATUS_UNAVAILABLE);
	assert_null(fake.reply);
	/* Nobody may sign with it, and an operator sees it in the list. */
	assert_int_equal(
	    registry_key_by_label(desk->registry, "web", &row).code, STATUS_OK);
	assert_int_equal(
	    edge_may(desk, 1, CONTEXT_TLS13_SERVER), STATUS_PERMISSION_DENIED);
}

static void
a_refusal_of_the_token_is_recorded_and_told(void **state)
{
	struct registry_key row;
	struct desk *desk = *state;

	fake.token = status_fail(STATUS_UNAVAILABLE, "the token is away");
	assert_int_equal(generate(ALICE, "web", ""), STATUS_UNAVAILABLE);
	assert_int_equal(fake.n_records, 2);
	assert_int_equal(fake.codes[1], STATUS_UNAVAILABLE);
	assert_non_null(strstr(fake.records[1], "the token is away"));
	assert_int_equal(
	    registry_key_by_label(desk->registry, "web", &row).code,
	    STATUS_NOT_FOUND);
}

static void
labels_that_are_unfit_taken_or_of_keyds_own_make_no_key(void **state)
{
	char too_long[REGISTRY_LABEL_MAX + 1];
	const char *const wrong[] = { "", "a b", "a/b", "ledger", "ca",
		"import", "kek", "\xc3\xa4", too_long };

	(void)state;
	memset(too_long, 'a', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = 0;
	for (size_t i = 0; i < LEN(wrong); i++)
		assert_int_equal(
		    generate(ALICE, wrong[i], ""), STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    generate(ALICE, "web", "nowhere"), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(fake.why, "\"nowhere\""));
	assert_non_null(strstr(fake.why, "\"standard\""));
	assert_int_equal(fake.made, 0);
	assert_int_equal(fake.n_records, 0);
	assert_int_equal(generate(ALICE, "web", "enhanced"), STATUS_OK);
	assert_int_equal(generate(ALICE, "web", ""), STATUS_ALREADY_EXISTS);
	assert_int_equal(fake.made, 1);
}

static void
a_grant_is_in_force_when_it_is_answered_and_a_revocation_too(void **state)
{
	struct desk *desk = *state;

	assert_int_equal(generate(ALICE, "web", ""), STATUS_OK);
	assert_int_equal(grant(ALICE, 1, "edge/fra-*", TLS13), STATUS_OK);
	assert_int_equal(reply_key()->n_grants, 1);
	assert_string_equal(reply_key()->grants[0]->identity, "edge/fra-*");
	assert_int_equal(reply_key()->grants[0]->n_contexts, 1);
	assert_int_equal(reply_key()->grants[0]->contexts[0], TLS13);
	assert_int_equal(edge_may(desk, 1, CONTEXT_TLS13_SERVER), STATUS_OK);
	assert_int_equal(take_back(ALICE, 1, "edge/fra-*", 0), STATUS_OK);
	assert_int_equal(reply_key()->n_grants, 0);
	assert_int_equal(
	    edge_may(desk, 1, CONTEXT_TLS13_SERVER), STATUS_PERMISSION_DENIED);
	assert_string_equal(
	    fake.records[2], ALICE " grant edge/fra-* tls13_server: asked");
	assert_string_equal(fake.records[5], ALICE " revoke edge/fra-*: done");
}

static void
grants_nothing_when_the_journal_fails(void **state)
{
	struct desk *desk = *state;

	assert_int_equal(generate(ALICE, "web", ""), STATUS_OK);
	fake.fails_after = fake.n_records;
	assert_int_equal(
	    grant(ALICE, 1, "edge/fra-1", TLS13), STATUS_UNAVAILABLE);
	assert_int_equal(
	    edge_may(desk, 1, CONTEXT_TLS13_SERVER), STATUS_PERMISSION_DENIED);
}

static void
grants_that_make_no_sense_are_refused(void **state)
{
	struct desk *desk = *state;

	assert_int_equal(generate(ALICE, "web", ""), STATUS_OK);
	assert_int_equal(
	    grant(ALICE, 2, "edge/fra-1", TLS13), STATUS_NOT_FOUND);
	assert_int_equal(
	    grant(ALICE, 1, "edge", TLS13), STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    grant(ALICE, 1, "auditor/eve", TLS13), STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    grant(ALICE, 1, "keyd/keyd", TLS13), STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    grant(ALICE, 1, "edge/fra-1", 0), STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    grant(ALICE, 1, "edge/fra-1", 99), STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    take_back(ALICE, 1, "edge/fra-1", 0), STATUS_NOT_FOUND);
	assert_int_equal(
	    edge_may(desk, 1, CONTEXT_TLS13_SERVER), STATUS_PERMISSION_DENIED);
}

static void
raw_and_tls_are_never_granted_on_one_key(void **state)
{
	(void)state;
	assert_int_equal(generate(ALICE, "web", ""), STATUS_OK);
	assert_int_equal(grant(ALICE, 1, "edge/fra-1", TLS13), STATUS_OK);
	assert_int_equal(
	    grant(ALICE, 1, "operator/alice", RAW), STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    fake.codes[fake.n_records - 1], STATUS_FAILED_PRECONDITION);
}

static void
certd_grants_on_its_own_keys_and_for_edges_tls_alone(void **state)
{
	(void)state;
	assert_int_equal(generate(ALICE, "operators", ""), STATUS_OK);
	assert_int_equal(generate(CERTD, "certds", ""), STATUS_OK);
	assert_int_equal(
	    grant(CERTD, 1, "edge/fra-1", TLS13), STATUS_PERMISSION_DENIED);
	assert_int_equal(grant(CERTD, 2, "edge/fra-1", TLS13), STATUS_OK);
	assert_int_equal(grant(CERTD, 2, "certd/main", CSR), STATUS_OK);
	assert_int_equal(
	    grant(CERTD, 2, "edge/fra-1", CSR), STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    grant(CERTD, 2, "certd/*", CSR), STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    grant(CERTD, 2, "certd/main", TLS13), STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    grant(CERTD, 2, "operator/mallory", CSR), STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    take_back(CERTD, 1, "edge/fra-1", 0), STATUS_PERMISSION_DENIED);
	assert_int_equal(take_back(CERTD, 2, "edge/fra-1", TLS13), STATUS_OK);
}

static void
keys_are_listed_in_pages(void **state)
{
	const Holdfast__Keyd__V1__ListKeysResponse *page;
	Holdfast__Keyd__V1__ListKeysRequest request;
	char token[REGISTRY_LABEL_MAX];

	(void)state;
	assert_int_equal(generate(ALICE, "b", ""), STATUS_OK);
	assert_int_equal(generate(ALICE, "a", ""), STATUS_OK);
	assert_int_equal(generate(ALICE, "c", ""), STATUS_OK);
	holdfast__keyd__v1__list_keys_request__init(&request);
	request.page_size = 2;
	assert_int_equal(call(ALICE, "List", &request.base), STATUS_OK);
	page = (const Holdfast__Keyd__V1__ListKeysResponse *)fake.reply;
	assert_int_equal(page->n_keys, 2);
	assert_string_equal(page->keys[0]->label, "a");
	snprintf(token, sizeof(token), "%s", page->next_page_token);
	assert_string_not_equal(token, "");
	request.page_token = token;
	assert_int_equal(call(ALICE, "List", &request.base), STATUS_OK);
	page = (const Holdfast__Keyd__V1__ListKeysResponse *)fake.reply;
	assert_int_equal(page->n_keys, 1);
	assert_string_equal(page->keys[0]->label, "c");
	assert_string_equal(page->next_page_token, "");
	request.page_size = 1001;
	assert_int_equal(
	    call(ALICE, "List", &request.base), STATUS_INVALID_ARGUMENT);
}

/* A page of grants as "<first octet of the key's id>/<identity> ...". */
static const char *
grants_page(const char *who, uint32_t size, char token[256])
{
	static char text[512];
	const Holdfast__Keyd__V1__ListGrantsResponse *page;
	Holdfast__Keyd__V1__ListGrantsRequest request;
	size_t used = 0;

	holdfast__keyd__v1__list_grants_request__init(&request);
	request.page_size = size;
	request.page_token = token;
	assert_int_equal(call(who, "ListGrants", &request.base), STATUS_OK);
	page = (const Holdfast__Keyd__V1__ListGrantsResponse *)fake.reply;
	text[0] = 0;
	for (size_t i = 0; i < page->n_grants; i++) {
		const Holdfast__Keyd__V1__ListedGrant *one = page->grants[i];

		assert_int_equal(one->key_id.len, KEY_ID_LEN);
		used += (size_t)snprintf(text + used, sizeof(text) - used,
		    "%s%u/%s", i == 0 ? "" : " ", one->key_id.data[0],
		    one->grant->identity);
	}
	snprintf(token, 256, "%s", page->next_page_token);
	return text;
}

static void
grants_are_listed_in_pages_by_key_and_identity(void **state)
{
	const Holdfast__Keyd__V1__ListGrantsResponse *page;
	char token[256] = "";

	(void)state;
	assert_int_equal(generate(ALICE, "a", ""), STATUS_OK);
	assert_int_equal(generate(ALICE, "b", ""), STATUS_OK);
	assert_int_equal(grant(ALICE, 2, "edge/fra-1", TLS13), STATUS_OK);
	assert_int_equal(grant(ALICE, 1, "edge/fra-*", TLS13), STATUS_OK);
	assert_int_equal(grant(ALICE, 1, "edge/@standard", TLS13), STATUS_OK);
	assert_int_equal(grant(ALICE, 1, "operator/alice", CSR), STATUS_OK);
	assert_string_equal(
	    grants_page(ALICE, 2, token), "1/edge/@standard 1/edge/fra-*");
	assert_string_not_equal(token, "");
	/* What changes in between moves nothing that was not told of yet. */
	assert_int_equal(take_back(ALICE, 1, "edge/fra-*", 0), STATUS_OK);
	assert_int_equal(grant(ALICE, 1, "edge/ams-1", TLS13), STATUS_OK);
	assert_string_equal(
	    grants_page(ALICE, 2, token), "1/operator/alice 2/edge/fra-1");
	assert_string_equal(token, "");
	page = (const Holdfast__Keyd__V1__ListGrantsResponse *)fake.reply;
	assert_int_equal(page->grants[0]->grant->n_contexts, 1);
	assert_int_equal(page->grants[0]->grant->contexts[0], CSR);
	assert_string_equal(grants_page(ALICE, 0, token),
	    "1/edge/@standard 1/edge/ams-1 1/operator/alice 2/edge/fra-1");
	assert_string_equal(token, "");
}

static void
certd_is_told_of_the_grants_on_keys_that_certd_had_made(void **state)
{
	char token[256] = "";

	(void)state;
	assert_int_equal(generate(ALICE, "a", ""), STATUS_OK);
	assert_int_equal(generate(CERTD, "b", ""), STATUS_OK);
	assert_int_equal(
	    generate("spiffe://d/certd/other", "c", ""), STATUS_OK);
	assert_int_equal(grant(ALICE, 1, "edge/fra-1", TLS13), STATUS_OK);
	assert_int_equal(grant(ALICE, 2, "edge/fra-1", TLS13), STATUS_OK);
	assert_int_equal(grant(CERTD, 2, "edge/@standard", TLS13), STATUS_OK);
	assert_int_equal(grant(CERTD, 3, "edge/fra-1", TLS13), STATUS_OK);
	assert_string_equal(
	    grants_page(CERTD, 2, token), "2/edge/@standard 2/edge/fra-1");
	assert_string_equal(grants_page(CERTD, 2, token), "3/edge/fra-1");
	assert_string_equal(token, "");
	assert_string_equal(
	    grants_page("spiffe://d/auditor/eve", 1, token), "1/edge/fra-1");
}

static void
a_page_of_grants_that_makes_no_sense_is_refused(void **state)
{
	static const char *const tokens[] = { "x", "/edge/a",
		"0101010101010101010101010101010101010101010101010101010101010"
		"101",
		"0101010101010101010101010101010101010101010101010101010101010"
		"1zz/edge/a",
		"0101010101010101010101010101010101010101010101010101010101010"
		"101edge/a" };
	Holdfast__Keyd__V1__ListGrantsRequest request;

	(void)state;
	holdfast__keyd__v1__list_grants_request__init(&request);
	for (size_t i = 0; i < LEN(tokens); i++) {
		request.page_token = pb_text(tokens[i]);
		assert_int_equal(call(ALICE, "ListGrants", &request.base),
		    STATUS_INVALID_ARGUMENT);
	}
	request.page_token = pb_text("");
	request.page_size = 1001;
	assert_int_equal(
	    call(ALICE, "ListGrants", &request.base), STATUS_INVALID_ARGUMENT);
}

static void
one_key_is_got_by_id_or_by_label(void **state)
{
	Holdfast__Keyd__V1__GetKeyRequest request;
	uint8_t id[KEY_ID_LEN];

	(void)state;
	assert_int_equal(generate(ALICE, "web", ""), STATUS_OK);
	holdfast__keyd__v1__get_key_request__init(&request);
	assert_int_equal(
	    call(ALICE, "Get", &request.base), STATUS_INVALID_ARGUMENT);
	request.label = pb_text("web");
	assert_int_equal(call(ALICE, "Get", &request.base), STATUS_OK);
	memset(id, 1, sizeof(id));
	request.id = pb_octets(id, sizeof(id));
	assert_int_equal(
	    call(ALICE, "Get", &request.base), STATUS_INVALID_ARGUMENT);
	request.label = pb_text("");
	assert_int_equal(call(ALICE, "Get", &request.base), STATUS_OK);
	assert_string_equal(reply_key()->label, "web");
	request.id.len = KEY_ID_LEN - 1;
	assert_int_equal(
	    call(ALICE, "Get", &request.base), STATUS_INVALID_ARGUMENT);
	memset(id, 9, sizeof(id));
	request.id.len = KEY_ID_LEN;
	assert_int_equal(call(ALICE, "Get", &request.base), STATUS_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_key_is_made_recorded_and_told),
		TEST(
		    whoever_makes_a_key_may_sign_with_it_from_the_start_for_what_it_named),
		TEST(
		    what_a_caller_could_not_grant_itself_it_does_not_get_with_a_key),
		TEST(makes_no_key_when_the_journal_fails),
		TEST(says_so_when_the_key_was_made_but_the_record_of_it_failed),
		TEST(a_refusal_of_the_token_is_recorded_and_told),
		TEST(labels_that_are_unfit_taken_or_of_keyds_own_make_no_key),
		TEST(
		    a_grant_is_in_force_when_it_is_answered_and_a_revocation_too),
		TEST(grants_nothing_when_the_journal_fails),
		TEST(grants_that_make_no_sense_are_refused),
		TEST(raw_and_tls_are_never_granted_on_one_key),
		TEST(certd_grants_on_its_own_keys_and_for_edges_tls_alone),
		TEST(keys_are_listed_in_pages),
		TEST(grants_are_listed_in_pages_by_key_and_identity),
		TEST(certd_is_told_of_the_grants_on_keys_that_certd_had_made),
		TEST(a_page_of_grants_that_makes_no_sense_is_refused),
		TEST(one_key_is_got_by_id_or_by_label),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
