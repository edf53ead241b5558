/* SPDX-License-Identifier: Apache-2.0 */

/* A desk for tests of resources; its folder must be empty again afterwards. */

#include "tests/unit/resources_desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/rand.h>

#include "certd/enrollments.h"
#include "certd/shared.h"
#include "certd/store_accounts.h"
#include "certd/store_bindings.h"
#include "certd/store_certificates.h"
#include "certd/store_keys.h"
#include "certd/store_resources.h"
#include "proto/message.h"
#include "tests/fake/custody_fake.h"
#include "tests/unit/scratch.h"

struct caller desk_operator = { .is = ALLOW_OPERATOR,
	.actor = "operator/admin" };
struct caller desk_alice = { .is = ALLOW_ADMINISTRATOR,
	.actor = "token alice (acme)" };
struct caller desk_bob = { .is = ALLOW_ADMINISTRATOR,
	.actor = "token bob (other)" };
struct caller desk_viewer = { .is = ALLOW_VIEWER,
	.actor = "token viewer (acme)" };

static const char *const standard_groups[] = { "web", "api" };
static const char *const enhanced_groups[] = { "vault" };
static const struct network networks[] = {
	{ "standard", "standard", standard_groups, 2 },
	{ "enhanced", "enhanced-pool", enhanced_groups, 1 },
};
const struct networks desk_networks = { networks, 2 };

/* In place of certd/store_edges.c, which others test. */
static struct edges_convergence edges_now;

STATUS
edges_convergence(struct db_tx *tx, int64_t resource, int64_t now_s,
    struct edges_convergence *ret_convergence)
{
	(void)tx;
	(void)resource;
	(void)now_s;
	*ret_convergence = edges_now;
	return status_ok();
}

STATUS
edges_waiting(
    struct db_tx *tx, int64_t certificate, int64_t now_s, unsigned *ret_edges)
{
	(void)tx;
	(void)certificate;
	(void)now_s;
	*ret_edges = 0;
	return status_ok();
}

/* ---- set up ---- */

static struct db_tx *
begin(struct desk *desk)
{
	struct db_tx *tx;

	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	return tx;
}

static void
commit(struct desk *desk, struct db_tx *tx, struct status st)
{
	st = store_commit(desk->store, tx, st);
	if (st.code != STATUS_OK)
		fail_msg("%s", st.why);
}

int
desk_set_up(void **state)
{
	struct desk *desk = calloc(1, sizeof(*desk));
	struct store_config config = { .state_dir = desk->folder };
	struct db_tx *tx;
	struct status st;

	assert_non_null(desk);
	assert_true(scratch_new(desk->folder, sizeof(desk->folder)));
	assert_int_equal(store_open(&config, &desk->store).code, STATUS_OK);
	desk->custody = custody_fake_new();
	assert_non_null(desk->custody);
	tx = begin(desk);
	st = store_accounts_add(tx, "acme", "Acme", &desk->acme);
	if (!failed(st))
		st = store_accounts_add(tx, "other", "Other", &desk->other);
	commit(desk, tx, st);
	desk_alice.account = desk_viewer.account = desk->acme;
	desk_bob.account = desk->other;
	edges_now = (struct edges_convergence){ 0 };
	desk->edges = &edges_now;
	*state = desk;
	return 0;
}

void
desk_set_up_services(struct desk *desk, struct enrollments *enrollments)
{
	struct certificates_config certificates = {
		.networks = &desk_networks,
		.zone = DESK_ZONE,
		.allow_exposed_upload = true,
		.shared_added = shared_apply_all,
		.acme_allow = enrollments_allow_upload,
		.acme_bound = enrollments_uploaded,
		.acme_ctx = enrollments,
	};
	struct resources_config resources = {
		.networks = &desk_networks,
		.zone = DESK_ZONE,
		.enrollments = enrollments,
		/* Machines that build are slow; nothing waits in vain. */
		.wait_ms = 60000,
	};

	certificates.store = resources.store = desk->store;
	certificates.custody = resources.custody = desk->custody;
	assert_int_equal(
	    certificates_new(&certificates, &desk->certificates).code,
	    STATUS_OK);
	resources.certificates = desk->certificates;
	assert_int_equal(
	    resources_new(&resources, &desk->resources).code, STATUS_OK);
	desk->api = api_new();
	assert_non_null(desk->api);
	assert_int_equal(
	    certificates_register(desk->certificates, desk->api).code,
	    STATUS_OK);
	assert_int_equal(
	    resources_register(desk->resources, desk->api).code, STATUS_OK);
}

int
desk_set_up_all(void **state)
{
	desk_set_up(state);
	desk_set_up_services(*state, NULL);
	return 0;
}

int
desk_tear_down(void **state)
{
	struct desk *desk = *state;

	api_free(desk->api);
	resources_free(desk->resources);
	certificates_free(desk->certificates);
	custody_close(desk->custody);
	store_close(desk->store);
	assert_int_equal(scratch_remove(desk->folder), 0);
	free(desk);
	return 0;
}

/* ---- rows ---- */

/* Words of a text, at most 64. */
struct words {
	char text[4096];
	const char *at[64];
	size_t n;
};

static void
split(const char *text, struct words *words)
{
	snprintf(words->text, sizeof(words->text), "%s", text);
	words->n = 0;
	for (char *at = words->text; *at != 0;) {
		size_t len = strcspn(at, " ");

		assert_true(words->n < 64);
		words->at[words->n++] = at;
		at += len;
		if (*at == ' ')
			*at++ = 0;
	}
}

static void
put_key(struct desk *desk, struct db_tx *tx,
    const struct desk_certificate *facts, struct key_id *ret_key)
{
	static unsigned serial;
	struct store_key key = { .account = facts->account,
		.alg = facts->alg,
		.origin = 1,
		.spki_len = 4 };

	snprintf(key.label, sizeof(key.label), "label-%u", serial++);
	snprintf(key.network, sizeof(key.network), "%s", facts->network);
	snprintf(key.pool, sizeof(key.pool), "%s",
	    networks_find(&desk_networks, facts->network)->pool);
	if (facts->is_at_keyd)
		key.id =
		    custody_fake_put(desk->custody, facts->alg, key.label, 0);
	else
		RAND_bytes(key.id.at, KEY_ID_LEN);
	memcpy(key.spki, "spki", 4);
	assert_int_equal(store_keys_insert(tx, &key, "test").code, STATUS_OK);
	*ret_key = key.id;
}

int64_t
desk_certificate(struct desk *desk, struct desk_certificate facts)
{
	struct db_tx *tx = begin(desk);
	struct store_certificate_new new = { .name = "cert",
		.subject = "subject",
		.issuer = "issuer",
		.serial = "01",
		.created_by = "test",
		.chain_pem = "-----BEGIN CERTIFICATE-----\nREVS\n"
			     "-----END CERTIFICATE-----\n" };
	struct store_certificate other;
	struct words names;
	struct key_id key;
	uint8_t fingerprint[PKI_FINGERPRINT_LEN];
	int64_t id = 0;
	struct status st = status_ok();

	facts.account = facts.account == 0 ? desk->acme : facts.account;
	facts.alg = facts.alg == 0 ? KEY_ALG_EC_P256 : facts.alg;
	facts.network = facts.network == NULL ? "standard" : facts.network;
	if (facts.from_days == 0 && facts.to_days == 0) {
		facts.from_days = -1;
		facts.to_days = 90;
	}
	if (facts.same_key != 0) {
		st = store_certificates_find(tx, facts.same_key, &other);
		key = other.key;
	} else {
		put_key(desk, tx, &facts, &key);
	}
	RAND_bytes(fingerprint, sizeof(fingerprint));
	split(facts.hostnames, &names);
	new.account = facts.account;
	new.kind = facts.kind == 0 ? KIND_PERSONAL : facts.kind;
	new.name = facts.name == NULL ? "cert" : facts.name;
	new.key = &key;
	new.fingerprint = fingerprint;
	new.not_before_s = store_now_s() + (int64_t)facts.from_days *DAY_S;
	new.not_after_s = store_now_s() + (int64_t)facts.to_days *DAY_S;
	new.hostnames = names.at;
	new.n_hostnames = names.n;
	new.scope = &facts.scope;
	new.n_scope = facts.scope != 0;
	if (!failed(st))
		st = store_certificates_insert(tx, &new, &id);
	commit(desk, tx, st);
	return id;
}

int64_t
desk_resource(struct desk *desk, int64_t account, const char *name,
    const char *hostnames, int mode)
{
	struct db_tx *tx = begin(desk);
	struct resource_row row = {
		.account = account, .https = true, .mode = mode
	};
	scoped(names_done) struct names names = { 0 };
	struct words words;
	struct status st;

	desk->call = (struct api_call){ .caller = &desk_operator };
	snprintf(row.name, sizeof(row.name), "%s", name);
	snprintf(row.network, sizeof(row.network), "standard");
	snprintf(row.edge_group, sizeof(row.edge_group), "web");
	snprintf(row.target, sizeof(row.target), "%.40s-%d.%s", name,
	    (int)account, DESK_ZONE);
	split(hostnames, &words);
	for (size_t i = 0; i < words.n; i++)
		assert_true(names_add(&names, words.at[i]));
	st = store_new_version(tx, store_now_s(), &row.version);
	if (!failed(st))
		st = store_resources_insert(tx, &desk->call, &row);
	if (!failed(st))
		st = store_resources_set_names(tx, &desk->call, &row, &names);
	if (!failed(st))
		st = store_resources_index(tx, &row);
	if (!failed(st))
		st = store_resources_save(tx, &desk->call, &row);
	commit(desk, tx, st);
	return row.id;
}

/* ---- questions ---- */

int64_t
desk_number(struct desk *desk, const char *sql)
{
	int64_t number = -1;
	struct db_tx *tx;
	struct status st;

	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	st = db_number(tx, &number, sql, DB_NONE);
	db_end(tx);
	if (failed(st) && st.code != STATUS_NOT_FOUND)
		fail_msg("%s: %s", sql, st.why);
	return number;
}

bool
desk_bound(struct desk *desk, int64_t resource, int64_t certificate)
{
	char sql[160];

	snprintf(sql, sizeof(sql),
	    "SELECT count(*) FROM binding"
	    " WHERE resource = %lld AND certificate = %lld",
	    (long long)resource, (long long)certificate);
	return desk_number(desk, sql) == 1;
}

/* ---- acts ---- */

struct status
desk_bind(struct desk *desk, struct caller *caller, int64_t resource,
    const int64_t *certificates, size_t n)
{
	struct db_tx *tx = begin(desk);

	desk->call = (struct api_call){ .caller = caller };
	return store_commit(desk->store, tx,
	    bindings_set(tx, &desk->call, resource, certificates, n));
}

struct status
desk_bind_one(struct desk *desk, struct caller *caller, int64_t resource,
    int64_t certificate)
{
	return desk_bind(desk, caller, resource, &certificate, 1);
}

struct status
desk_ask_with(struct desk *desk, struct api_call *call, const char *method,
    const void *request, void *ret_reply)
{
	ProtobufCMessage *reply = NULL;
	const struct api_method *found;
	char path[128];
	struct status st;

	snprintf(path, sizeof(path), "/holdfast.certd.v1.%s", method);
	found = api_find(desk->api, path);
	assert_non_null(found);
	st = api_ask(desk->api, found, call, request, &reply);
	if (failed(st))
		assert_null(reply);
	else if (ret_reply == NULL)
		message_free(reply);
	else
		*(ProtobufCMessage **)ret_reply = reply;
	return st;
}

struct status
desk_ask(struct desk *desk, struct caller *caller, const char *method,
    const void *request, void *ret_reply)
{
	desk->call = (struct api_call){ .caller = caller };
	return desk_ask_with(desk, &desk->call, method, request, ret_reply);
}
