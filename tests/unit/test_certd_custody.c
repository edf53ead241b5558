/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The client of keyd, against keyds of a few lines over real connections.
 * enroll's door is stood in for here: no files, identities of any age.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "certd/custody.h"
#include "proto/holdfast/keyd/v1/identity.pb-c.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"
#include "proto/holdfast/keyd/v1/signer.pb-c.h"
#include "rpc/enroll.h"
#include "rpc/server.h"
#include "tests/unit/free_port.h"
#include "tests/unit/pki.h"

#define CERTD "spiffe://example/certd/main"
#define KEYDS 2

typedef Holdfast__Keyd__V1__Key key_msg;

/* ---- keyd ---- */

/*
 * What all keyds of a test say, and what they were asked.  A call orders what
 * the test did before it with what the handler does, and that with what the
 * test does after it; each look says so to TSan, which cannot see into gRPC.
 */
static struct said {
	struct pki_ca *ca;
	struct pki_leaf leaf;
	uint8_t spki[256];
	size_t spki_len;
	struct key_id id;
	Holdfast__Keyd__V1__KeyState state;
	enum status_code fail; /* of the next calls of Keys */
	bool lie;              /* about the key's id */
	bool lose;             /* do it, and say UNAVAILABLE, once */
	bool exists;           /* ALREADY_EXISTS from then on */
	bool waits;            /* for approval */
	Holdfast__Keyd__V1__Context born_for; /* 0: none, or several */
	bool has_csr_grant;
	char owner[128], identity[128], comment[128];
	bool exposed;
	size_t n_contexts;
	unsigned scheme;
	unsigned n_csr_grants;
	bool has_jws_grant;
	unsigned n_jws_grants;
	bool has_stream;    /* keyd knows SignStream */
	bool swallows;      /* and answers nothing on it */
	bool breaks;        /* it ends with UNAVAILABLE at a message */
	unsigned n_streams; /* opened */
	unsigned n_messages, n_streamed, n_unary;
	atomic_bool hold; /* calls of Get stay until it is cleared */
	atomic_uint held;
} said_;

static pthread_mutex_t said_mutex = PTHREAD_MUTEX_INITIALIZER;

static struct said *
said_now(void)
{
	pthread_mutex_lock(&said_mutex);
	pthread_mutex_unlock(&said_mutex);
	return &said_;
}
#define said (*said_now())

static struct keyd {
	struct rpc_server *server;
	char endpoint[32];
	atomic_uint calls;
} keyds[KEYDS];

static struct status
make_identity(void *ctx, bool *ret_changed, char **ret_cert, char **ret_key)
{
	(void)ctx;
	*ret_changed = true;
	*ret_cert = strdup(said.leaf.cert_pem);
	*ret_key = strdup(said.leaf.key_pem);
	return status_ok();
}

static struct status
authorize(void *ctx, const struct rpc_peer *peer, const char *method)
{
	(void)ctx;
	(void)method;
	assert_string_equal(peer->spiffe_id, CERTD);
	return status_ok();
}

static key_msg
the_key(void)
{
	static char label[] = "acme-1", pool[] = "standard";
	static uint8_t wrong[32];
	key_msg key;

	holdfast__keyd__v1__key__init(&key);
	key.id =
	    (ProtobufCBinaryData){ KEY_ID_LEN, said.lie ? wrong : said.id.at };
	key.label = label;
	key.pool = pool;
	key.spki = (ProtobufCBinaryData){ said.spki_len, said.spki };
	key.state = said.state;
	key.origin = HOLDFAST__KEYD__V1__KEY_ORIGIN__KEY_ORIGIN_GENERATED;
	return key;
}

/* In the place of an answer, what the test wants to go wrong. */
static struct status
go_wrong(void *ctx, struct rpc_reply *reply)
{
	struct keyd *keyd = ctx;

	atomic_fetch_add(&keyd->calls, 1);
	if (said.fail == STATUS_OK)
		return status_ok();
	rpc_reply_why(reply, "keyd's own sentence");
	return status_fail(said.fail, "no");
}

static struct status
born(struct rpc_reply *reply, const char *owner, const char *behalf)
{
	key_msg key = the_key();

	if (said.exists)
		return status_fail(STATUS_ALREADY_EXISTS, "label is taken");
	snprintf(said.owner, sizeof(said.owner), "%s", owner);
	assert_string_equal(behalf, owner);
	if (said.lose) {
		said.lose = false;
		said.exists = true;
		return status_fail(STATUS_UNAVAILABLE, "stopping");
	}
	rpc_reply_set(reply, &key.base);
	return status_ok();
}

static struct status
on_generate(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__GenerateRequest *asked =
	    (const Holdfast__Keyd__V1__GenerateRequest *)request;
	struct status st = go_wrong(ctx, reply);

	(void)call;
	said.born_for = asked->n_contexts == 1 ? asked->contexts[0] : 0;
	return failed(st) ? st : born(reply, asked->owner, asked->on_behalf_of);
}

static struct status
on_import(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__ImportRequest *asked =
	    (const Holdfast__Keyd__V1__ImportRequest *)request;
	struct status st = go_wrong(ctx, reply);

	(void)call;
	said.exposed = asked->exposed;
	return failed(st) ? st : born(reply, asked->owner, asked->on_behalf_of);
}

static struct status
on_get(void *ctx, const struct rpc_call *call, const ProtobufCMessage *request,
    struct rpc_reply *reply)
{
	key_msg key = the_key();

	(void)call;
	(void)request;
	(void)go_wrong(ctx, reply);
	while (atomic_load(&said.hold)) {
		atomic_store(&said.held, 1);
		usleep(10000);
	}
	rpc_reply_set(reply, &key.base);
	return status_ok();
}

static struct status
on_grant(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__GrantRequest *asked =
	    (const Holdfast__Keyd__V1__GrantRequest *)request;
	Holdfast__Keyd__V1__GrantResponse response;
	struct status st = go_wrong(ctx, reply);

	holdfast__keyd__v1__grant_response__init(&response);
	(void)call;
	if (failed(st))
		return st;
	snprintf(said.identity, sizeof(said.identity), "%s", asked->identity);
	said.n_contexts = asked->n_contexts;
	if (asked->contexts[0] == HOLDFAST__KEYD__V1__CONTEXT__CONTEXT_CSR) {
		said.has_csr_grant = true;
		said.n_csr_grants++;
	}
	if (asked->contexts[0] ==
	    HOLDFAST__KEYD__V1__CONTEXT__CONTEXT_ACME_JWS) {
		said.has_jws_grant = true;
		said.n_jws_grants++;
	}
	rpc_reply_set(reply, &response.base);
	return st;
}

static struct status
on_revoke(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	key_msg key = the_key();
	struct status st = go_wrong(ctx, reply);

	(void)call;
	if (failed(st))
		return st;
	snprintf(said.identity, sizeof(said.identity), "%s",
	    ((const Holdfast__Keyd__V1__RevokeRequest *)request)->identity);
	rpc_reply_set(reply, &key.base);
	return st;
}

static struct status
on_schedule(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	Holdfast__Keyd__V1__ScheduleDestructionResponse response;
	Holdfast__Keyd__V1__Approval approval;
	struct status st = go_wrong(ctx, reply);

	holdfast__keyd__v1__schedule_destruction_response__init(&response);
	holdfast__keyd__v1__approval__init(&approval);
	(void)call;
	if (failed(st))
		return st;
	snprintf(said.comment, sizeof(said.comment), "%s",
	    ((const Holdfast__Keyd__V1__ScheduleDestructionRequest *)request)
		->comment);
	if (said.waits)
		response.approval = &approval;
	rpc_reply_set(reply, &response.base);
	return st;
}

/* Two pages: grants of three kinds of patterns. */
static struct status
on_list_grants(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	static char patterns[4][32] = { "certd/main", "edge/@standard",
		"edge/fra-1", "edge/@enhanced" };
	static char more[] = "more", none[] = "";
	bool is_second =
	    ((const Holdfast__Keyd__V1__ListGrantsRequest *)request)
		->page_token[0] != 0;
	Holdfast__Keyd__V1__ListGrantsResponse page;
	Holdfast__Keyd__V1__ListedGrant listed[2];
	Holdfast__Keyd__V1__ListedGrant *at[2] = { &listed[0], &listed[1] };
	Holdfast__Keyd__V1__KeyGrant grants[2];

	holdfast__keyd__v1__list_grants_response__init(&page);
	(void)call;
	(void)go_wrong(ctx, reply);
	for (size_t i = 0; i < 2; i++) {
		holdfast__keyd__v1__key_grant__init(&grants[i]);
		holdfast__keyd__v1__listed_grant__init(&listed[i]);
		grants[i].identity = patterns[(is_second ? 2 : 0) + i];
		listed[i].grant = &grants[i];
		listed[i].key_id =
		    (ProtobufCBinaryData){ KEY_ID_LEN, said.id.at };
	}
	page.n_grants = 2;
	page.grants = at;
	page.next_page_token = is_second ? none : more;
	rpc_reply_set(reply, &page.base);
	return status_ok();
}

static bool
is_granted(unsigned context)
{
	return context == HOLDFAST__KEYD__V1__CONTEXT__CONTEXT_CSR
		   ? said.has_csr_grant
		   : said.has_jws_grant;
}

static struct status
on_sign(void *ctx, const struct rpc_call *call, const ProtobufCMessage *request,
    struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__SignRequest *asked =
	    (const Holdfast__Keyd__V1__SignRequest *)request;
	Holdfast__Keyd__V1__SignResponse response;

	holdfast__keyd__v1__sign_response__init(&response);
	(void)call;
	(void)go_wrong(ctx, reply);
	said.n_unary++;
	if (!is_granted(asked->context))
		return status_fail(STATUS_PERMISSION_DENIED, "no grant");
	said.scheme = asked->scheme;
	response.signature = asked->content;
	rpc_reply_set(reply, &response.base);
	return status_ok();
}

/* ---- keyd's stream: signs by giving the content back ---- */

static struct status
stream_open(void *ctx, struct rpc_stream *stream, const struct rpc_peer *peer,
    void **ret_state)
{
	(void)ctx;
	(void)peer;
	if (!said.has_stream)
		return status_fail(STATUS_UNIMPLEMENTED, "no stream");
	said.n_streams++;
	rpc_stream_ref(stream);
	*ret_state = stream;
	(void)said_now();
	return status_ok();
}

static void
stream_answer(
    struct rpc_stream *stream, const Holdfast__Keyd__V1__SignBatch *batch)
{
	static char no_grant[] = "no grant";
	static uint8_t packed[256 * 1024];
	Holdfast__Keyd__V1__SignReplyBatch replies;
	Holdfast__Keyd__V1__SignResponse responses[64];
	Holdfast__Keyd__V1__SignResponse *at[64];

	holdfast__keyd__v1__sign_reply_batch__init(&replies);
	assert_true(batch->n_requests <= 64);
	for (size_t i = 0; i < batch->n_requests; i++) {
		at[i] = &responses[i];
		holdfast__keyd__v1__sign_response__init(at[i]);
		at[i]->id = batch->requests[i]->id;
		at[i]->signature = batch->requests[i]->content;
		said.scheme = batch->requests[i]->scheme;
		if (!is_granted(batch->requests[i]->context)) {
			at[i]->code = STATUS_PERMISSION_DENIED;
			at[i]->why = no_grant;
		}
	}
	replies.responses = at;
	replies.n_responses = batch->n_requests;
	rpc_stream_send(stream,
	    (struct bytes){ packed,
		holdfast__keyd__v1__sign_reply_batch__pack(&replies, packed) });
}

static struct status
stream_message(void *state, struct bytes message)
{
	Holdfast__Keyd__V1__SignBatch *batch =
	    holdfast__keyd__v1__sign_batch__unpack(
		NULL, message.len, message.at);

	assert_non_null(batch);
	said.n_messages++;
	said.n_streamed += (unsigned)batch->n_requests;
	if (!said.swallows && !said.breaks)
		stream_answer(state, batch);
	holdfast__keyd__v1__sign_batch__free_unpacked(batch, NULL);
	(void)said_now();
	return said.breaks ? status_fail(STATUS_UNAVAILABLE, "draining")
			   : status_ok();
}

static void
stream_half_closed(void *state)
{
	rpc_stream_end(state, status_ok());
}

static void
stream_closed(void *state)
{
	rpc_stream_unref(state);
}

static const struct rpc_stream_ops STREAM = { .open = stream_open,
	.message = stream_message,
	.half_closed = stream_half_closed,
	.closed = stream_closed };

static struct status
on_list(void *ctx, const struct rpc_call *call, const ProtobufCMessage *request,
    struct rpc_reply *reply)
{
	static char edges[3][64] = { "spiffe://example/edge/fra-1",
		"spiffe://example/edge/fra-2", "spiffe://example/edge/fra-3" };
	static char people[3][64] = { "spiffe://example/operator/admin",
		"spiffe://example/operator/bob", "no id" };
	static char groups[3][16] = { "enhanced", "", "standard" };
	const char *role =
	    ((const Holdfast__Keyd__V1__ListIdentitiesRequest *)request)->role;
	char(*ids)[64] = strcmp(role, "edge") == 0 ? edges : people;
	Holdfast__Keyd__V1__ListIdentitiesResponse list;
	Holdfast__Keyd__V1__IdentityRecord records[3];
	Holdfast__Keyd__V1__IdentityRecord *at[3];

	holdfast__keyd__v1__list_identities_response__init(&list);
	(void)call;
	(void)go_wrong(ctx, reply);
	if (ids == people)
		assert_string_equal(role, "operator");
	for (size_t i = 0; i < 3; i++) {
		holdfast__keyd__v1__identity_record__init(&records[i]);
		records[i].identity = ids[i];
		records[i].group = groups[i];
		records[i].state =
		    HOLDFAST__KEYD__V1__IDENTITY_RECORD__STATE__STATE_ENROLLED;
		at[i] = &records[i];
	}
	records[1].quarantined_s = 17;
	records[2].state =
	    HOLDFAST__KEYD__V1__IDENTITY_RECORD__STATE__STATE_INVITED;
	list.n_identities = 3;
	list.identities = at;
	rpc_reply_set(reply, &list.base);
	return status_ok();
}

static const struct {
	const ProtobufCServiceDescriptor *service;
	const char *method;
	rpc_unary_fn fn;
} METHODS[] = {
	{ &holdfast__keyd__v1__keys__descriptor, "Generate", on_generate },
	{ &holdfast__keyd__v1__keys__descriptor, "Import", on_import },
	{ &holdfast__keyd__v1__keys__descriptor, "Get", on_get },
	{ &holdfast__keyd__v1__keys__descriptor, "Grant", on_grant },
	{ &holdfast__keyd__v1__keys__descriptor, "Revoke", on_revoke },
	{ &holdfast__keyd__v1__keys__descriptor, "ScheduleDestruction",
	    on_schedule },
	{ &holdfast__keyd__v1__keys__descriptor, "ListGrants", on_list_grants },
	{ &holdfast__keyd__v1__signer__descriptor, "Sign", on_sign },
	{ &holdfast__keyd__v1__identity__descriptor, "List", on_list },
};

static struct status
on_call(void *ctx, const struct rpc_call *call, const ProtobufCMessage *request,
    struct rpc_reply *reply)
{
	struct status st = status_fail(STATUS_UNIMPLEMENTED, "no method");

	for (size_t i = 0; i < sizeof(METHODS) / sizeof(METHODS[0]); i++)
		if (strcmp(strrchr(call->method, '/') + 1, METHODS[i].method) ==
			0 &&
		    strncmp(call->method + 1, METHODS[i].service->name,
			strlen(METHODS[i].service->name)) == 0)
			st = METHODS[i].fn(ctx, call, request, reply);
	(void)said_now();
	return st;
}

static void
add_methods(struct keyd *keyd)
{
	for (size_t i = 0; i < sizeof(METHODS) / sizeof(METHODS[0]); i++)
		rpc_server_add_unary(keyd->server, METHODS[i].service,
		    METHODS[i].method, on_call, keyd);
	rpc_server_add_stream(keyd->server,
	    &holdfast__keyd__v1__signer__descriptor, "SignStream", &STREAM,
	    keyd);
}

/* On a free port, or on the one that it had. */
static void
keyd_start(struct keyd *keyd)
{
	struct rpc_server_config config = { .listen = keyd->endpoint,
		.ca_pem = pki_ca_pem(said.ca),
		.identity = make_identity,
		.authorize = authorize };

	if (keyd->endpoint[0] == 0)
		snprintf(keyd->endpoint, sizeof(keyd->endpoint), "127.0.0.1:%d",
		    free_port());
	assert_int_equal(
	    rpc_server_new(&config, &keyd->server).code, STATUS_OK);
	add_methods(keyd);
	assert_int_equal(rpc_server_start(keyd->server).code, STATUS_OK);
}

static void
keyd_stop(struct keyd *keyd)
{
	if (keyd->server == NULL)
		return;
	rpc_server_drain(keyd->server, NS_PER_S);
	rpc_server_free(keyd->server);
	keyd->server = NULL;
}

/* ---- enroll, stood in for ---- */

static const char *role;
static int64_t age_s, left_s;
static atomic_uint renews;

STATUS
enroll_load(
    const char *state_dir, struct enroll_identity **ret_identity, char *ret_why)
{
	struct enroll_identity *identity = calloc(1, sizeof(*identity));
	struct pki_leaf leaf;
	char san[128];

	(void)ret_why;
	assert_string_equal(state_dir, "state");
	assert_non_null(identity);
	snprintf(identity->identity, sizeof(identity->identity),
	    "spiffe://example/%s/main", role);
	snprintf(san, sizeof(san), "URI:%s", identity->identity);
	leaf = pki_leaf_new(said.ca, san, 3600);
	identity->cert_pem = leaf.cert_pem;
	identity->key_pem = leaf.key_pem;
	identity->ca_pem = strdup(pki_ca_pem(said.ca));
	snprintf(identity->domain, sizeof(identity->domain), "example");
	snprintf(identity->server_name, sizeof(identity->server_name),
	    "keyd.example");
	identity->not_before_s = clock_wall_s() - age_s;
	identity->not_after_s = clock_wall_s() + left_s;
	/* Renewed ones live on. */
	if (atomic_load(&renews) > 0)
		identity->not_after_s = clock_wall_s() + 100000;
	identity->endpoints = calloc(KEYDS, sizeof(*identity->endpoints));
	assert_non_null(identity->endpoints);
	for (size_t i = 0; i < KEYDS; i++)
		identity->endpoints[i] = strdup(keyds[i].endpoint);
	identity->n_endpoints = KEYDS;
	*ret_identity = identity;
	return status_ok();
}

void
enroll_identity_free(struct enroll_identity *identity)
{
	if (identity == NULL)
		return;
	for (size_t i = 0; i < identity->n_endpoints; i++)
		free(identity->endpoints[i]);
	free(identity->endpoints);
	free(identity->cert_pem);
	free(identity->key_pem);
	free(identity->ca_pem);
	free(identity);
}

STATUS
enroll_renew(const char *state_dir, const struct enroll_identity *identity,
    unsigned timeout_ms, char *ret_why)
{
	(void)state_dir;
	(void)timeout_ms;
	(void)ret_why;
	assert_int_equal(identity->n_endpoints, KEYDS);
	atomic_fetch_add(&renews, 1);
	return status_ok();
}

/* ---- fixture ---- */

static struct custody *custody;
static char why[CUSTODY_WHY_MAX];

static void
make_spki(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	unsigned char *at = NULL;
	int len = i2d_PUBKEY(key, &at);

	assert_true(len > 0 && (size_t)len <= sizeof(said.spki));
	memcpy(said.spki, at, (size_t)len);
	said.spki_len = (size_t)len;
	OPENSSL_free(at);
	EVP_PKEY_free(key);
	assert_true(key_id_of_spki(
	    (struct bytes){ said.spki, said.spki_len }, &said.id));
}

static struct status
open_custody(void)
{
	const struct custody_config config = { .state_dir = "state",
		.timeout_ms = 10000 };

	return custody_open(&config, &custody, why);
}

static int
set_up(void **state)
{
	(void)state;
	log_setup((enum log_level)(LOG_ERROR + 1), LOG_LOGFMT);
	memset(&said, 0, sizeof(said));
	said.state = HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_ACTIVE;
	said.ca = pki_ca_new("identity");
	said.leaf = pki_leaf_new(
	    said.ca, "URI:spiffe://example/keyd/k,DNS:keyd.example", 3600);
	make_spki();
	for (size_t i = 0; i < KEYDS; i++) {
		keyds[i].endpoint[0] = 0;
		atomic_store(&keyds[i].calls, 0);
		keyd_start(&keyds[i]);
	}
	role = "certd";
	age_s = 100;
	left_s = 1000;
	atomic_store(&renews, 0);
	custody = NULL;
	why[0] = 0;
	assert_int_equal(open_custody().code, STATUS_OK);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	custody_close(custody);
	for (size_t i = 0; i < KEYDS; i++)
		keyd_stop(&keyds[i]);
	pki_leaf_free(&said.leaf);
	pki_ca_free(said.ca);
	return 0;
}

static struct status
generate(struct custody_key *ret_key)
{
	return custody_generate(custody, KEY_ALG_EC_P256, "acme-1", "standard",
	    "account acme, operator/ada", ret_key, why);
}

static unsigned
calls(size_t i)
{
	return atomic_load(&keyds[i].calls);
}

/* ---- keys ---- */

static void
a_key_comes_with_its_public_key_and_for_whom_it_is_put_on_record(void **state)
{
	struct custody_key key;

	(void)state;
	assert_int_equal(generate(&key).code, STATUS_OK);
	assert_true(key_id_equal(&key.id, &said.id));
	assert_int_equal(key.alg, KEY_ALG_EC_P256);
	assert_string_equal(key.label, "acme-1");
	assert_string_equal(key.pool, "standard");
	assert_int_equal(key.spki_len, said.spki_len);
	assert_string_equal(said.owner, "account acme, operator/ada");
}

static void
a_key_is_born_with_certds_right_to_what_it_is_for(void **state)
{
	struct custody_key key;

	(void)state;
	assert_int_equal(generate(&key).code, STATUS_OK);
	assert_int_equal(
	    said.born_for, HOLDFAST__KEYD__V1__CONTEXT__CONTEXT_CSR);
	/* What was read is read, before it is written anew. */
	(void)said_now();
	assert_int_equal(custody_generate_account(custody, "acme-1", "standard",
			     "certd, account at ca", &key, why)
			     .code,
	    STATUS_OK);
	assert_int_equal(
	    said.born_for, HOLDFAST__KEYD__V1__CONTEXT__CONTEXT_ACME_JWS);
}

static void
a_text_that_is_too_long_for_keyd_is_cut_between_characters(void **state)
{
	struct custody_key key;
	char whom[200];

	(void)state;
	memset(whom, 'x', sizeof(whom));
	whom[sizeof(whom) - 1] = 0;
	memcpy(whom + 99, "\xc3\xa4", 2);
	assert_int_equal(custody_generate(custody, KEY_ALG_EC_P256, "acme-1",
			     "standard", whom, &key, why)
			     .code,
	    STATUS_OK);
	assert_int_equal(strlen(said.owner), 99);
}

static void
a_key_that_is_not_what_its_id_says_is_refused(void **state)
{
	struct custody_key key;

	(void)state;
	said.lie = true;
	assert_int_equal(generate(&key).code, STATUS_DATA_LOSS);
}

static void
a_key_of_another_algorithm_than_asked_for_is_refused(void **state)
{
	struct custody_key key;

	(void)state;
	assert_int_equal(custody_generate(custody, KEY_ALG_RSA_2048, "acme-1",
			     "standard", "", &key, why)
			     .code,
	    STATUS_DATA_LOSS);
}

static void
an_import_says_whether_the_key_was_in_the_clear(void **state)
{
	struct custody_import import = { .label = "acme-1",
		.pool = "standard",
		.for_whom = "account acme",
		.wrapping_key_id = bytes_of("id"),
		.blob = bytes_of("blob"),
		.exposed = true };
	struct custody_key key;

	(void)state;
	import.spki = (struct bytes){ said.spki, said.spki_len };
	assert_int_equal(
	    custody_import(custody, &import, &key, why).code, STATUS_OK);
	assert_true(said.exposed);
	(void)said_now();
	import.exposed = false;
	assert_int_equal(
	    custody_import(custody, &import, &key, why).code, STATUS_OK);
	assert_false(said.exposed);
}

static void
a_destroyed_key_is_not_found(void **state)
{
	struct custody_key key;

	(void)state;
	assert_int_equal(
	    custody_find(custody, &said.id, &key, why).code, STATUS_OK);
	assert_int_equal(
	    custody_find_label(custody, "acme-1", &key, why).code, STATUS_OK);
	assert_int_equal(custody_find_label(custody, "other", &key, why).code,
	    STATUS_DATA_LOSS);
	said.state = HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_DESTROYED;
	assert_int_equal(
	    custody_find(custody, &said.id, &key, why).code, STATUS_NOT_FOUND);
}

static void
certd_grants_itself_requests_once(void **state)
{
	struct signature signature;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    custody_sign_csr(custody, &said.id, KEY_ALG_EC_P256,
			bytes_of("info"), &signature, why)
			.code,
		    STATUS_OK);
		assert_int_equal(signature.len, 4);
		assert_memory_equal(signature.at, "info", 4);
	}
	assert_int_equal(said.n_csr_grants, 1);
	assert_string_equal(said.identity, "certd/main");
	assert_int_equal(said.scheme, SCHEME_ECDSA_SECP256R1_SHA256);
}

/* ---- the stream of signatures ---- */

static struct status
sign_jws(const char *input, struct signature *ret_signature)
{
	return custody_sign_jws(custody, &said.id, KEY_ALG_EC_P256,
	    bytes_of(input), ret_signature, why);
}

static void
certd_grants_itself_acme_requests_once_and_has_them_signed_by_a_stream(
    void **state)
{
	struct signature signature;

	(void)state;
	said.has_stream = true;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sign_jws("e30.e30", &signature).code, 0);
		assert_int_equal(signature.len, 7);
		assert_memory_equal(signature.at, "e30.e30", 7);
	}
	assert_int_equal(said.n_jws_grants, 1);
	assert_int_equal(said.n_csr_grants, 0);
	assert_string_equal(said.identity, "certd/main");
	assert_int_equal(said.scheme, SCHEME_ECDSA_SECP256R1_SHA256);
	assert_int_equal(said.n_streams, 1);
	assert_int_equal(said.n_streamed, 4);
	assert_int_equal(said.n_unary, 0);
}

static void *
sign_many(void *arg)
{
	char input[32], many_why[CUSTODY_WHY_MAX];
	struct signature signature;
	size_t bad = 0;

	for (int i = 0; i < 200; i++) {
		snprintf(input, sizeof(input), "%p.%d", arg, i);
		bad += custody_sign_jws(custody, &said.id, KEY_ALG_EC_P256,
			   bytes_of(input), &signature, many_why)
			       .code != STATUS_OK ||
		       signature.len != strlen(input) ||
		       memcmp(signature.at, input, signature.len) != 0;
	}
	return bad == 0 ? arg : NULL;
}

static void
everyone_who_asks_at_once_gets_his_own_signature(void **state)
{
	pthread_t threads[8];
	int ids[8];
	void *ok;

	(void)state;
	said.has_stream = said.has_jws_grant = true;
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, sign_many, &ids[i]), 0);
	for (size_t i = 0; i < 8; i++) {
		pthread_join(threads[i], &ok);
		assert_ptr_equal(ok, &ids[i]);
	}
	assert_int_equal(said.n_streams, 1);
	assert_int_equal(said.n_streamed, 1600);
	assert_int_equal(said.n_unary, 0);
	assert_true(said.n_messages <= said.n_streamed);
}

static void
what_is_on_a_stream_that_breaks_is_asked_for_otherwise(void **state)
{
	struct signature signature;

	(void)state;
	said.has_stream = said.has_jws_grant = said.breaks = true;
	assert_int_equal(sign_jws("a.b", &signature).code, STATUS_OK);
	assert_memory_equal(signature.at, "a.b", 3);
	assert_int_equal(said.n_unary, 1);
	/* And after a rest by a stream again. */
	said.breaks = false;
	for (int i = 0; i < 3000 && said.n_streams < 2; i++) {
		assert_int_equal(sign_jws("a.b", &signature).code, STATUS_OK);
		usleep(20000);
	}
	assert_int_equal(said.n_streams, 2);
}

static void
a_stream_that_answers_nothing_is_given_up_for_another_way(void **state)
{
	const struct custody_config config = { .state_dir = "state",
		.timeout_ms = 400 };
	struct signature signature;

	(void)state;
	custody_close(custody);
	assert_int_equal(custody_open(&config, &custody, why).code, STATUS_OK);
	said.has_stream = said.has_jws_grant = said.swallows = true;
	/* On a slow machine the rest of the time may not do. */
	for (int i = 0; i < 50 && failed(sign_jws("a.b", &signature)); i++)
		;
	assert_memory_equal(signature.at, "a.b", 3);
	assert_true(said.n_unary >= 1);
	assert_true(said.n_messages >= 1);
}

static void
the_stream_is_opened_where_keyd_answered_last(void **state)
{
	struct custody_key key;
	struct signature signature;

	(void)state;
	said.has_stream = said.has_jws_grant = true;
	keyd_stop(&keyds[0]);
	assert_int_equal(generate(&key).code, STATUS_OK);
	assert_int_equal(sign_jws("a.b", &signature).code, STATUS_OK);
	assert_int_equal(said.n_streamed, 1);
	assert_int_equal(said.n_unary, 0);
	/* That one goes, the other one comes. */
	keyd_start(&keyds[0]);
	keyd_stop(&keyds[1]);
	for (int i = 0; i < 600 && failed(sign_jws("c.d", &signature)); i++)
		usleep(100000);
	assert_memory_equal(signature.at, "c.d", 3);
}

static void
destroying_a_key_says_when_it_waits_for_approval(void **state)
{
	bool waits = true;

	(void)state;
	assert_int_equal(
	    custody_destroy(custody, &said.id, "replaced", &waits, why).code,
	    STATUS_OK);
	assert_false(waits);
	assert_string_equal(said.comment, "replaced");
	said.waits = true;
	assert_int_equal(
	    custody_destroy(custody, &said.id, "replaced", &waits, why).code,
	    STATUS_OK);
	assert_true(waits);
	/* Asked once more, keyd says that it does so already. */
	said.fail = STATUS_ALREADY_EXISTS;
	waits = false;
	assert_int_equal(
	    custody_destroy(custody, &said.id, "replaced", &waits, why).code,
	    STATUS_OK);
	assert_true(waits);
}

static void
destroying_what_is_gone_or_going_is_no_error(void **state)
{
	bool waits = true;

	(void)state;
	said.fail = STATUS_NOT_FOUND;
	assert_int_equal(
	    custody_destroy(custody, &said.id, "", &waits, why).code,
	    STATUS_OK);
	assert_false(waits);
	said.fail = STATUS_FAILED_PRECONDITION;
	said.state = HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_SCHEDULED;
	assert_int_equal(
	    custody_destroy(custody, &said.id, "", &waits, why).code,
	    STATUS_OK);
	said.state = HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_ACTIVE;
	assert_int_equal(
	    custody_destroy(custody, &said.id, "", &waits, why).code,
	    STATUS_FAILED_PRECONDITION);
	assert_string_equal(why, "keyd's own sentence");
}

/* ---- grants and edges ---- */

static void
a_grant_is_to_an_edge_group_for_tls_servers(void **state)
{
	(void)state;
	assert_int_equal(
	    custody_grant(custody, &said.id, "standard", why).code, STATUS_OK);
	assert_string_equal(said.identity, "edge/@standard");
	assert_int_equal(said.n_contexts, 2);
	assert_int_equal(
	    custody_revoke(custody, &said.id, "enhanced", why).code, STATUS_OK);
	assert_string_equal(said.identity, "edge/@enhanced");
	said.fail = STATUS_NOT_FOUND;
	assert_int_equal(
	    custody_revoke(custody, &said.id, "standard", why).code, STATUS_OK);
	assert_int_equal(custody_grant(custody, &said.id, "standard", why).code,
	    STATUS_NOT_FOUND);
}

struct seen {
	char groups[4][64];
	size_t n, stop_at;
};

static bool
see_grant(void *ctx, const struct key_id *id, const char *edge_group)
{
	struct seen *seen = ctx;

	assert_true(key_id_equal(id, &said.id));
	snprintf(seen->groups[seen->n++], 64, "%s", edge_group);
	return seen->n != seen->stop_at;
}

static void
all_pages_of_grants_are_walked_and_only_groups_are_handed_on(void **state)
{
	struct seen seen = { .stop_at = 9 };

	(void)state;
	assert_int_equal(
	    custody_each_grant(custody, see_grant, &seen, why).code, STATUS_OK);
	assert_int_equal(seen.n, 2);
	assert_string_equal(seen.groups[0], "standard");
	assert_string_equal(seen.groups[1], "enhanced");
	seen = (struct seen){ .stop_at = 1 };
	assert_int_equal(
	    custody_each_grant(custody, see_grant, &seen, why).code, STATUS_OK);
	assert_int_equal(seen.n, 1);
}

struct edges_seen {
	struct custody_edge at[4];
	size_t n;
};

static void
see_edge(void *ctx, const struct custody_edge *edge)
{
	struct edges_seen *seen = ctx;

	seen->at[seen->n++] = *edge;
}

static void
edges_come_with_group_and_standing(void **state)
{
	struct edges_seen seen = { .n = 0 };

	(void)state;
	assert_int_equal(
	    custody_each_edge(custody, see_edge, &seen, why).code, STATUS_OK);
	assert_int_equal(seen.n, 3);
	assert_string_equal(seen.at[0].name, "fra-1");
	assert_string_equal(seen.at[0].edge_group, "enhanced");
	assert_true(seen.at[0].is_enrolled);
	assert_false(seen.at[0].quarantined);
	assert_string_equal(seen.at[1].edge_group, "standard");
	assert_true(seen.at[1].quarantined);
	assert_false(seen.at[2].is_enrolled);
}

static void
see_member(void *ctx, const struct custody_member *member)
{
	struct custody_member *seen = ctx;

	while (seen->identity[0] != 0)
		seen++;
	*seen = *member;
}

static void
members_of_a_role_come_with_their_standing(void **state)
{
	struct custody_member seen[4] = { { .identity = "" } };

	(void)state;
	assert_int_equal(
	    custody_each_member(custody, ROLE_OPERATOR, see_member, seen, why)
		.code,
	    STATUS_OK);
	assert_string_equal(seen[0].identity, "operator/admin");
	assert_false(seen[0].quarantined);
	assert_string_equal(seen[1].identity, "operator/bob");
	assert_true(seen[1].quarantined);
	assert_string_equal(seen[2].identity, "");
}

/* ---- endpoints ---- */

static void
the_next_endpoint_is_asked_when_one_does_not_answer_and_stays(void **state)
{
	struct custody_key key;

	(void)state;
	keyd_stop(&keyds[0]);
	assert_int_equal(generate(&key).code, STATUS_OK);
	assert_int_equal(calls(1), 1);
	keyd_start(&keyds[0]);
	assert_int_equal(generate(&key).code, STATUS_OK);
	assert_int_equal(calls(0), 0);
	assert_int_equal(calls(1), 2);
}

static void
what_keyd_refuses_is_not_asked_elsewhere(void **state)
{
	struct custody_key key;

	(void)state;
	said.fail = STATUS_PERMISSION_DENIED;
	assert_int_equal(generate(&key).code, STATUS_PERMISSION_DENIED);
	assert_string_equal(why, "keyd's own sentence");
	assert_int_equal(calls(0) + calls(1), 1);
	custody_trouble(custody, why);
	assert_string_equal(why, "");
}

static void
when_no_keyd_answers_people_are_told_which(void **state)
{
	struct custody_key key;

	(void)state;
	keyd_stop(&keyds[0]);
	keyd_stop(&keyds[1]);
	assert_int_equal(generate(&key).code, STATUS_UNAVAILABLE);
	assert_non_null(strstr(why, "none of keyd's 2 endpoints answers"));
	assert_non_null(strstr(why, keyds[1].endpoint));
	custody_trouble(custody, why);
	assert_non_null(strstr(why, "none of keyd's 2 endpoints answers"));
	keyd_start(&keyds[1]);
	/* The channel notices in its own time. */
	for (int i = 0; i < 600 && failed(generate(&key)); i++)
		usleep(100000);
	custody_trouble(custody, why);
	assert_string_equal(why, "");
}

static void
a_key_that_was_born_unheard_is_found_by_its_label(void **state)
{
	struct custody_key key;

	(void)state;
	said.lose = true;
	assert_int_equal(generate(&key).code, STATUS_OK);
	assert_true(key_id_equal(&key.id, &said.id));
	/* But a label that was taken before is taken. */
	assert_int_equal(generate(&key).code, STATUS_ALREADY_EXISTS);
}

/* ---- identity ---- */

static void
an_identity_of_another_role_is_refused(void **state)
{
	(void)state;
	custody_close(custody);
	custody = NULL;
	role = "operator";
	assert_int_equal(open_custody().code, STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(why, "--role certd"));
}

static void *
call_slowly(void *arg)
{
	struct custody_key key;
	char slow_why[CUSTODY_WHY_MAX];

	return custody_find(custody, &said.id, &key, slow_why).code == STATUS_OK
		   ? arg
		   : NULL;
}

static void
a_renewed_identity_is_used_and_calls_under_way_end_well(void **state)
{
	struct custody_key key;
	unsigned seen = 0;
	bool changed = true;
	struct signature signature;
	char *cert = NULL, *pem = NULL;
	pthread_t thread;
	void *ok = NULL;

	(void)state;
	custody_close(custody);
	/* Past its half: due at once, but not before the call is under way. */
	age_s = 1000;
	left_s = 1002;
	atomic_store(&said.hold, true);
	said.has_stream = said.has_jws_grant = true;
	assert_int_equal(open_custody().code, STATUS_OK);
	assert_int_equal(sign_jws("a.b", &signature).code, STATUS_OK);
	assert_int_equal(
	    custody_identity(custody, &seen, &changed, &cert, &pem).code,
	    STATUS_OK);
	assert_true(changed);
	free(cert);
	free(pem);
	pthread_create(&thread, NULL, call_slowly, &said);
	for (int i = 0; i < 6000 && (atomic_load(&renews) < 1 ||
					atomic_load(&said.held) == 0);
	     i++)
		usleep(10000);
	assert_int_equal(atomic_load(&renews), 1);
	for (int i = 0; i < 6000; i++) {
		changed = false;
		assert_int_equal(
		    custody_identity(custody, &seen, &changed, &cert, &pem)
			.code,
		    STATUS_OK);
		if (changed)
			break;
		usleep(10000);
	}
	assert_true(changed);
	free(cert);
	free(pem);
	atomic_store(&said.hold, false);
	pthread_join(thread, &ok);
	assert_ptr_equal(ok, &said);
	assert_int_equal(generate(&key).code, STATUS_OK);
	/* The stream is of the new identity, too. */
	assert_int_equal(sign_jws("a.b", &signature).code, STATUS_OK);
	assert_int_equal(said.n_streams, 2);
	assert_int_equal(said.n_unary, 0);
	changed = false;
	assert_int_equal(
	    custody_identity(custody, &seen, &changed, &cert, &pem).code,
	    STATUS_OK);
	assert_false(changed);
	assert_string_equal(custody_domain(custody), "example");
	assert_string_equal(custody_ca_pem(custody), pki_ca_pem(said.ca));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(
		    a_key_comes_with_its_public_key_and_for_whom_it_is_put_on_record),
		TEST(a_key_is_born_with_certds_right_to_what_it_is_for),
		TEST(
		    a_text_that_is_too_long_for_keyd_is_cut_between_characters),
		TEST(a_key_that_is_not_what_its_id_says_is_refused),
		TEST(a_key_of_another_algorithm_than_asked_for_is_refused),
		TEST(an_import_says_whether_the_key_was_in_the_clear),
		TEST(a_destroyed_key_is_not_found),
		TEST(certd_grants_itself_requests_once),
		TEST(
		    certd_grants_itself_acme_requests_once_and_has_them_signed_by_a_stream),
		TEST(everyone_who_asks_at_once_gets_his_own_signature),
		TEST(what_is_on_a_stream_that_breaks_is_asked_for_otherwise),
		TEST(a_stream_that_answers_nothing_is_given_up_for_another_way),
		TEST(the_stream_is_opened_where_keyd_answered_last),
		TEST(destroying_a_key_says_when_it_waits_for_approval),
		TEST(destroying_what_is_gone_or_going_is_no_error),
		TEST(a_grant_is_to_an_edge_group_for_tls_servers),
		TEST(
		    all_pages_of_grants_are_walked_and_only_groups_are_handed_on),
		TEST(edges_come_with_group_and_standing),
		TEST(members_of_a_role_come_with_their_standing),
		TEST(
		    the_next_endpoint_is_asked_when_one_does_not_answer_and_stays),
		TEST(what_keyd_refuses_is_not_asked_elsewhere),
		TEST(when_no_keyd_answers_people_are_told_which),
		TEST(a_key_that_was_born_unheard_is_found_by_its_label),
		TEST(an_identity_of_another_role_is_refused),
		TEST(a_renewed_identity_is_used_and_calls_under_way_end_well),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
