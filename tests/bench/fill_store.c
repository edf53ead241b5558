/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Fills certd's database for benchmarks: fill_store STATE_DIR COUNT [OCTETS]
 * adds COUNT certificates with chains of OCTETS (3,000), by the store's own
 * insert, in large transactions.  Seven of ten are of one account, "huge", the
 * others of 1,000 small ones; one of ten is by ACME; half are bound, each to a
 * resource of its own.  Every name has the words "example" and "com".  The
 * certificates themselves are none: lists do not look into them.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/store.h"
#include "certd/store_accounts.h"
#include "certd/store_certificates.h"
#include "proto/holdfast/certd/v1/certificates.pb-c.h"

#define SMALL 1000
#define BATCH 20000
#define DAY_S 86400

struct fill {
	int64_t huge, small[SMALL];
	char *chain;
	int64_t now_s;
};

/* The same numbers in every run. */
static uint64_t
mix(uint64_t n)
{
	n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
	return n ^ n >> 31;
}

static int
fail(const char *what, struct status st)
{
	(void)fprintf(stderr, "fill_store: %s: %s\n", what, st.why);
	return EXIT_FAILURE;
}

static struct status
add_accounts(struct store *store, struct fill *fill)
{
	char name[ACCOUNT_NAME_MAX];
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (failed(st))
		return st;
	st = store_accounts_add(tx, "huge", "", &fill->huge);
	for (int i = 0; !failed(st) && i < SMALL; i++) {
		(void)snprintf(name, sizeof(name), "small-%d", i);
		st = store_accounts_add(tx, name, "", &fill->small[i]);
	}
	return store_commit(store, tx, st);
}

static struct status
add_key(struct db_tx *tx, int64_t account, const struct key_id *id)
{
	char label[KEY_ID_TEXT_MAX];

	key_id_print(id, label);
	return db_run(tx, NULL,
	    "INSERT INTO key (id, account, alg, spki, pool, network, label,"
	    " origin, exposed, created_s, created_by) VALUES (?1, ?2, 1,"
	    " zeroblob(91), 'standard', 'standard', ?3, 2, 0, 0,"
	    " 'operator/bench')",
	    DB_VALUES(db_blob((struct bytes){ id->at, KEY_ID_LEN }),
		db_int(account), db_text(label)));
}

static struct status
add_resource(struct db_tx *tx, int64_t account, uint64_t i,
    const char *hostname, int64_t certificate)
{
	char name[32], target[64];
	int64_t id;
	struct status st;

	(void)snprintf(name, sizeof(name), "r%" PRIu64, i);
	(void)snprintf(target, sizeof(target), "r%" PRIu64 ".edge.test", i);
	st = db_run(tx, NULL,
	    "INSERT INTO resource (account, name, network, edge_group, target,"
	    " origin_host, origin_mode, https, mode, created_s, created_by,"
	    " changed_s, version) VALUES (?1, ?2, 'standard', 'standard', ?3,"
	    " 'origin.test:443', 1, 1, 1, 0, 'operator/bench', 0, 1)",
	    DB_VALUES(db_int(account), db_text(name), db_text(target)));
	id = db_inserted(tx);
	if (!failed(st))
		st = db_run(tx, NULL,
		    "INSERT INTO hostname (name, resource) VALUES (?1, ?2)",
		    DB_VALUES(db_text(hostname), db_int(id)));
	if (!failed(st))
		st = db_run(tx, NULL,
		    "INSERT INTO binding (resource, slot, certificate, since_s)"
		    " VALUES (?1, 1, ?2, 0)",
		    DB_VALUES(db_int(id), db_int(certificate)));
	return st;
}

static struct status
add_certificate(struct db_tx *tx, const struct fill *fill, uint64_t i)
{
	static const char *const WORDS[] = { "shop", "blog", "api", "mail",
		"static", "cdn", "login", "docs" };
	uint64_t chance = mix(i);
	int64_t account =
	    chance % 10 < 7 ? fill->huge : fill->small[chance / 10 % SMALL];
	char name[64], host[96], www[104];
	const char *const hostnames[] = { host, www };
	struct key_id key = { 0 };
	int64_t id = 0;
	struct store_certificate_new new = {
		.account = account,
		.name = name,
		.kind = chance / 16 % 10 == 0 ? 2 : 1,
		.key = &key,
		.fingerprint = key.at,
		.subject = host,
		.issuer = "CN=Example CA,O=Example,C=DE",
		.serial = "0123456789abcdef",
		.not_before_s = fill->now_s - 10 * DAY_S,
		.not_after_s =
		    fill->now_s + (int64_t)(mix(chance) % (90 * DAY_S)),
		.created_by = "operator/bench",
		.hostnames = hostnames,
		.n_hostnames = 2,
		.chain_pem = fill->chain,
	};
	struct status st;

	for (size_t at = 0; at < KEY_ID_LEN; at += sizeof(chance)) {
		uint64_t part = mix(chance + at + 1);

		memcpy(key.at + at, &part, sizeof(part));
	}
	(void)snprintf(name, sizeof(name), "%s of customer %" PRIu64,
	    WORDS[chance % 8], chance % 100000);
	(void)snprintf(host, sizeof(host), "%s%" PRIu64 ".example.com",
	    WORDS[chance / 8 % 8], i);
	(void)snprintf(www, sizeof(www), "www.%s", host);
	st = add_key(tx, account, &key);
	if (!failed(st))
		st = store_certificates_insert(tx, &new, &id);
	if (!failed(st) && chance / 256 % 2 == 0)
		st = add_resource(tx, account, i, host, id);
	return st;
}

static struct status
add_batch(
    struct store *store, const struct fill *fill, uint64_t from, uint64_t to)
{
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (failed(st))
		return st;
	for (uint64_t i = from; !failed(st) && i < to; i++)
		st = add_certificate(tx, fill, i);
	return store_commit(store, tx, st);
}

static char *
make_chain(size_t octets)
{
	char *chain = malloc(octets + 1);

	if (chain == NULL)
		return NULL;
	for (size_t i = 0; i < octets; i++)
		chain[i] = i % 65 == 64 ? '\n' : (char)('A' + i * 7 % 26);
	chain[octets] = 0;
	return chain;
}

int
main(int argc, char **argv)
{
	uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
	const struct store_config config = { .state_dir =
						 argc > 1 ? argv[1] : "" };
	scoped(store_close) struct store *store = NULL;
	static struct fill fill;
	struct status st;

	if (argc < 3 || argc > 4 || count == 0) {
		(void)fprintf(
		    stderr, "usage: fill_store STATE_DIR COUNT [OCTETS]\n");
		return EXIT_FAILURE;
	}
	st = store_open(&config, &store);
	if (failed(st))
		return fail(argv[1], st);
	fill.now_s = store_now_s();
	fill.chain = make_chain(argc > 3 ? strtoul(argv[3], NULL, 10) : 3000);
	if (fill.chain == NULL)
		return EXIT_FAILURE;
	st = add_accounts(store, &fill);
	for (uint64_t from = 0; !failed(st) && from < count; from += BATCH) {
		st = add_batch(store, &fill, from,
		    from + BATCH < count ? from + BATCH : count);
		if (isatty(STDERR_FILENO))
			(void)fprintf(
			    stderr, "\r%" PRIu64 " of %" PRIu64, from, count);
	}
	free(fill.chain);
	return failed(st) ? fail("insert", st) : EXIT_SUCCESS;
}
