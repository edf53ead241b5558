/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Fills certd's database for tests/bench/store: fill_store STATE_DIR COUNT
 * RESOURCES adds COUNT certificates, and resources that bind about RESOURCES of
 * them, by certd's own functions in large transactions.  The database has the
 * accounts already: nine of ten certificates go to "huge", ten are shared ones
 * of "operator", the others go to all other accounts.  One of ten is by ACME.
 * What is bound has one of its account's keys that are in the database (born at
 * keyd); all others have a key of their own, which keyd does not know.  Every
 * host name has the words "example" and "com".  The chains are none, 3,000
 * octets each.  A second run on the same database is refused: the host names
 * are taken.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certd/store.h"
#include "certd/store_accounts.h"
#include "certd/store_bindings.h"
#include "certd/store_certificates.h"
#include "certd/store_keys.h"
#include "certd/store_resources.h"
#include "proto/holdfast/certd/v1/certificates.pb-c.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"

#define ACCOUNTS_MAX 2000
#define KEYS_MAX 2000 /* of an account */
#define BATCH 20000
#define SHARED 10
#define CHAIN_LEN 3000
#define DAY_S 86400

struct account {
	int64_t id;
	struct key_id *keys; /* of keyd's */
	size_t n_keys, next_key;
};

struct fill {
	uint64_t count, resources;
	struct account huge, operator, small[ACCOUNTS_MAX];
	size_t n_small;
	char chain[CHAIN_LEN + 1];
	int64_t now_s;
	struct api_call *call;
};

/* The same numbers in every run. */
static uint64_t
mix(uint64_t n)
{
	n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
	return n ^ n >> 31;
}

/* ---- what is there ---- */

static struct status
read_keys(struct db_tx *tx, struct account *account)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT id FROM key WHERE account = ?1 LIMIT ?2",
	    DB_VALUES(db_int(account->id), db_int(KEYS_MAX)));

	account->keys = calloc(KEYS_MAX, sizeof(*account->keys));
	if (account->keys == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	while (!failed(st)) {
		st = db_next(rows, &row);
		if (failed(st) || !row)
			break;
		memcpy(account->keys[account->n_keys++].at,
		    db_column_blob(rows, 0).at, KEY_ID_LEN);
	}
	return st;
}

static bool
take_account(void *ctx, const struct store_account *found)
{
	struct fill *fill = ctx;

	if (strcmp(found->name, "huge") == 0)
		fill->huge.id = found->id;
	else if (strcmp(found->name, "operator") == 0)
		fill->operator.id = found->id;
	else if (fill->n_small < ACCOUNTS_MAX)
		fill->small[fill->n_small++].id = found->id;
	return true;
}

static struct status
read_accounts(struct store *store, struct fill *fill)
{
	scoped(db_end) struct db_tx *tx = NULL;
	bool more = false;
	struct status st = store_read(store, &tx);

	if (!failed(st))
		st = store_accounts_list(
		    tx, 0, "", ACCOUNTS_MAX, take_account, fill, &more);
	if (!failed(st) && (fill->huge.id == 0 ||
			       fill->operator.id == 0 || fill->n_small == 0))
		st = status_fail(STATUS_FAILED_PRECONDITION,
		    "make the accounts huge, operator and some others first");
	if (!failed(st))
		st = read_keys(tx, &fill->huge);
	for (size_t i = 0; !failed(st) && i < fill->n_small; i++)
		st = read_keys(tx, &fill->small[i]);
	return st;
}

/* ---- one certificate ---- */

static struct status
add_key(
    struct db_tx *tx, int64_t account, uint64_t chance, struct key_id *ret_id)
{
	struct store_key key = { .account = account,
		.alg = KEY_ALG_EC_P256,
		.origin = HOLDFAST__KEYD__V1__KEY_ORIGIN__KEY_ORIGIN_GENERATED,
		.pool = "standard",
		.network = "standard",
		.spki_len = 91 };

	for (size_t at = 0; at < KEY_ID_LEN; at += sizeof(chance)) {
		chance = mix(chance + at + 1);
		memcpy(key.id.at + at, &chance, sizeof(chance));
	}
	(void)snprintf(
	    key.label, sizeof(key.label), "bench/%016" PRIx64, chance);
	*ret_id = key.id;
	return store_keys_insert(tx, &key, "operator/bench");
}

static struct status
name_resource(struct db_tx *tx, const struct fill *fill,
    const struct resource_row *row, const char *const hostnames[2])
{
	scoped(names_done) struct names names = { 0 };
	struct status st;

	if (!names_add(&names, hostnames[0]) ||
	    !names_add(&names, hostnames[1]))
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	st = store_resources_set_names(tx, fill->call, row, &names);
	return failed(st) ? st : store_resources_index(tx, row);
}

static struct status
add_resource(struct db_tx *tx, const struct fill *fill, uint64_t i,
    const struct store_certificate_new *new, int64_t certificate)
{
	struct resource_row row = { .account = new->account,
		.network = "standard",
		.edge_group = "standard",
		.origin_host = "origin.test:443",
		.origin_mode = 1,
		.https = true,
		.mode = MODE_PERSONAL,
		.created_by = "operator/bench" };
	struct status st = store_new_version(tx, fill->now_s, &row.version);

	(void)snprintf(row.name, sizeof(row.name), "%s", new->hostnames[0]);
	(void)snprintf(
	    row.target, sizeof(row.target), "r%" PRIu64 ".edge.test", i);
	if (!failed(st))
		st = store_resources_insert(tx, fill->call, &row);
	if (!failed(st))
		st = name_resource(tx, fill, &row, new->hostnames);
	if (!failed(st))
		st = bindings_put(tx, fill->call, &row, &certificate, 1, false);
	if (!failed(st))
		st = store_resources_save(tx, fill->call, &row);
	return failed(st)
		   ? st
		   : bindings_event(tx, fill->call, &row, "resource created");
}

/* About one of so many, of all accounts alike. */
static bool
is_bound(const struct fill *fill, uint64_t chance)
{
	return chance / 4096 % fill->count < fill->resources;
}

static struct status
add_certificate(struct db_tx *tx, struct fill *fill, uint64_t i)
{
	static const char *const WORDS[] = { "shop", "blog", "api", "mail",
		"static", "cdn", "login", "docs" };
	uint64_t chance = mix(i + 1);
	struct account *account =
	    i % 10 < 9 ? &fill->huge : &fill->small[i / 10 % fill->n_small];
	bool bound = is_bound(fill, chance) && account->n_keys > 0;
	char name[64], host[96], www[104];
	const char *const hostnames[] = { host, www };
	struct key_id key = { 0 };
	int64_t id = 0;
	struct store_certificate_new new = {
		.account = account->id,
		.name = name,
		.kind = chance / 16 % 10 == 0 ? KIND_ACME : KIND_PERSONAL,
		.key = &key,
		.subject = host,
		.issuer = "CN=Example CA,O=Example,C=DE",
		.serial = "0123456789abcdef",
		.not_before_s = fill->now_s - 10 * DAY_S,
		.not_after_s =
		    fill->now_s + DAY_S + (int64_t)(mix(chance) % (90 * DAY_S)),
		.created_by = "operator/bench",
		.hostnames = hostnames,
		.n_hostnames = 2,
		.chain_pem = fill->chain,
	};
	uint8_t fingerprint[PKI_FINGERPRINT_LEN];
	struct status st = status_ok();

	for (size_t at = 0; at < sizeof(fingerprint); at += sizeof(chance)) {
		uint64_t part = mix(chance + 7 * at + 3);

		memcpy(fingerprint + at, &part, sizeof(part));
	}
	new.fingerprint = fingerprint;
	(void)snprintf(name, sizeof(name), "%s of customer %" PRIu64,
	    WORDS[chance % 8], chance % 100000);
	(void)snprintf(host, sizeof(host), "%s%" PRIu64 ".example.com",
	    WORDS[chance / 8 % 8], i);
	(void)snprintf(www, sizeof(www), "www.%s", host);
	if (bound)
		key = account->keys[account->next_key++ % account->n_keys];
	else
		st = add_key(tx, account->id, chance, &key);
	if (!failed(st))
		st = store_certificates_insert(tx, &new, &id);
	return failed(st) || !bound ? st : add_resource(tx, fill, i, &new, id);
}

/* Of names that no resource has. */
static struct status
add_shared(struct db_tx *tx, const struct fill *fill, unsigned i)
{
	char host[64];
	const char *const hostnames[] = { host };
	struct key_id key = { 0 };
	uint8_t fingerprint[PKI_FINGERPRINT_LEN] = { (uint8_t)i };
	int64_t id = 0;
	struct store_certificate_new new = {
		.account = fill->operator.id,
		.name = "shared",
		.kind = KIND_SHARED,
		.key = &key,
		.fingerprint = fingerprint,
		.subject = host,
		.issuer = "CN=Example CA,O=Example,C=DE",
		.serial = "0123456789abcdef",
		.not_before_s = fill->now_s - 10 * DAY_S,
		.not_after_s = fill->now_s + 60 * DAY_S,
		.created_by = "operator/bench",
		.hostnames = hostnames,
		.n_hostnames = 1,
		.chain_pem = fill->chain,
	};
	struct status st = add_key(tx, fill->operator.id, mix(~i), &key);

	(void)snprintf(host, sizeof(host), "*.shared%u.edge.test", i);
	return failed(st) ? st : store_certificates_insert(tx, &new, &id);
}

/* ---- all ---- */

static struct status
add_batch_in(struct db_tx *tx, struct fill *fill, uint64_t from, uint64_t to)
{
	/* This connection's alone, and only while it fills: 1 GB. */
	struct status st =
	    db_run(tx, NULL, "PRAGMA cache_size = -1000000", DB_NONE);

	for (unsigned i = 0; !failed(st) && from == 0 && i < SHARED; i++)
		st = add_shared(tx, fill, i);
	for (uint64_t i = from; !failed(st) && i < to; i++)
		st = add_certificate(tx, fill, i);
	return st;
}

static struct status
add_all(struct store *store, struct fill *fill)
{
	struct status st = status_ok();

	for (uint64_t from = 0; !failed(st) && from < fill->count;
	     from += BATCH) {
		uint64_t to =
		    from + BATCH < fill->count ? from + BATCH : fill->count;
		struct db_tx *tx;

		st = store_write(store, &tx);
		if (!failed(st))
			st = store_commit(
			    store, tx, add_batch_in(tx, fill, from, to));
		if (isatty(STDERR_FILENO))
			(void)fprintf(stderr,
			    "\r%" PRIu64 " of %" PRIu64 " certificates ", to,
			    fill->count);
	}
	return st;
}

/* None of them is looked into. */
static void
make_chain(char ret_chain[CHAIN_LEN + 1])
{
	for (size_t i = 0; i < CHAIN_LEN; i++)
		ret_chain[i] = i % 65 == 64 ? '\n' : (char)('A' + i * 7 % 26);
	ret_chain[CHAIN_LEN] = 0;
}

int
main(int argc, char **argv)
{
	static const struct caller caller = { .is = ALLOW_OPERATOR,
		.actor = "operator/bench" };
	static struct fill fill;
	struct api_call call = { .caller = &caller };
	const struct store_config config = { .state_dir =
						 argc > 1 ? argv[1] : "" };
	scoped(store_close) struct store *store = NULL;
	struct status st;

	fill.count = argc == 4 ? strtoull(argv[2], NULL, 10) : 0;
	fill.resources = argc == 4 ? strtoull(argv[3], NULL, 10) : 0;
	fill.call = &call;
	if (fill.count == 0) {
		(void)fprintf(stderr,
		    "usage: fill_store STATE_DIR CERTIFICATES RESOURCES\n");
		return EXIT_FAILURE;
	}
	make_chain(fill.chain);
	st = store_open(&config, &store);
	fill.now_s = store_now_s();
	if (!failed(st))
		st = read_accounts(store, &fill);
	if (!failed(st))
		st = add_all(store, &fill);
	if (failed(st))
		(void)fprintf(stderr, "fill_store: %s%s%s\n", st.why,
		    call.why[0] == 0 ? "" : ": ", call.why);
	free(fill.huge.keys);
	for (size_t i = 0; i < fill.n_small; i++)
		free(fill.small[i].keys);
	return failed(st) ? EXIT_FAILURE : EXIT_SUCCESS;
}
