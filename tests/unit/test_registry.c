/* SPDX-License-Identifier: Apache-2.0 */

/* The registry, on real files in a folder of the test's own. */

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "keyd/registry.h"
#include "tests/unit/registry_desk.h"

#define TAKERS 8
#define TLS13 (1u << CONTEXT_TLS13_SERVER)
#define TLS12 (1u << CONTEXT_TLS12_SERVER_ECDHE)
#define CSR (1u << CONTEXT_CSR)
#define RAW (1u << CONTEXT_RAW)

static void
reopen(struct desk *desk)
{
	registry_close(desk->registry);
	desk->registry = NULL;
	assert_int_equal(
	    registry_open(desk->path, &desk->registry).code, STATUS_OK);
}

static struct registry_key
a_key(uint8_t id, const char *label)
{
	struct registry_key key = { .alg = KEY_ALG_EC_P256,
		.spki_len = 91,
		.created_s = 1000 + id,
		.attributes = ATTRIBUTE_SENSITIVE | ATTRIBUTE_LOCAL };

	memset(key.id.at, id, KEY_ID_LEN);
	memset(key.spki, id, key.spki_len);
	snprintf(key.label, sizeof(key.label), "%s", label);
	snprintf(key.pool, sizeof(key.pool), "standard");
	snprintf(key.created_by, sizeof(key.created_by),
	    "spiffe://d/operator/alice");
	return key;
}

static void
add_key(struct desk *desk, uint8_t id, const char *label)
{
	struct registry_key key = a_key(id, label);

	assert_int_equal(
	    registry_key_add(desk->registry, &key, NULL).code, STATUS_OK);
}

static void
the_file_is_for_its_owner_alone(void **state)
{
	struct desk *desk = *state;
	struct registry *other = NULL;
	struct stat sb;

	assert_int_equal(stat(desk->path, &sb), 0);
	assert_int_equal(sb.st_mode & 07777, 0600);
	assert_int_equal(chmod(desk->path, 0640), 0);
	assert_int_equal(
	    registry_open(desk->path, &other).code, STATUS_FAILED_PRECONDITION);
	assert_null(other);
}

static int64_t
number_of(struct desk *desk, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db = NULL;
	int64_t number;

	assert_int_equal(sqlite3_open(desk->path, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	number = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return number;
}

static void
execute(struct desk *desk, const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(desk->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void
migrations_run_once_and_keep_what_is_there(void **state)
{
	struct desk *desk = *state;
	struct registry_key key;
	int64_t version = number_of(desk, "PRAGMA user_version");

	assert_true(version >= 1);
	add_key(desk, 1, "web");
	reopen(desk);
	assert_int_equal(number_of(desk, "PRAGMA user_version"), version);
	assert_int_equal(
	    registry_key_by_label(desk->registry, "web", &key).code, STATUS_OK);
}

static void
a_registry_of_a_newer_keyd_is_refused_and_left_alone(void **state)
{
	struct desk *desk = *state;
	struct registry *other = NULL;

	registry_close(desk->registry);
	desk->registry = NULL;
	execute(desk, "PRAGMA user_version = 4711");
	assert_int_equal(
	    registry_open(desk->path, &other).code, STATUS_FAILED_PRECONDITION);
	assert_null(other);
	assert_int_equal(number_of(desk, "PRAGMA user_version"), 4711);
}

static void
a_file_that_is_no_database_is_refused(void **state)
{
	struct desk *desk = *state;
	struct registry *other = NULL;
	static const char junk[] = "this is no SQLite database, whatever else";
	int fd;

	registry_close(desk->registry);
	desk->registry = NULL;
	fd = open(desk->path, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	close(fd);
	assert_int_equal(
	    registry_open(desk->path, &other).code, STATUS_DATA_LOSS);
	assert_null(other);
}

static void
a_damaged_row_is_told_and_not_used(void **state)
{
	static const char *const damages[] = { "UPDATE key SET alg = 99",
		"UPDATE key SET pool = hex(zeroblob(64))",
		"UPDATE key SET grp = 'a' || char(0) || 'b'",
		"UPDATE key SET spki = zeroblob(2000)",
		"UPDATE key SET spki = x''" };
	struct desk *desk = *state;
	struct policy *policy = NULL;
	struct registry_key key;
	static const struct policy_pool pools[] = { { .name = "standard" } };

	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		add_key(desk, 1, "web");
		execute(desk, damages[i]);
		assert_int_equal(
		    registry_key_by_label(desk->registry, "web", &key).code,
		    STATUS_DATA_LOSS);
		assert_int_equal(registry_policy(desk->registry, pools, 1, NULL,
				     NULL, &policy)
				     .code,
		    STATUS_DATA_LOSS);
		assert_null(policy);
		execute(desk, "DELETE FROM key");
	}
}

static void
a_key_comes_back_as_it_was_stored(void **state)
{
	struct desk *desk = *state;
	struct registry_key key = a_key(7, "web"), by_label, by_id;

	memset(&by_label, 0, sizeof(by_label));
	memset(&by_id, 0, sizeof(by_id));
	assert_int_equal(
	    registry_key_add(desk->registry, &key, NULL).code, STATUS_OK);
	reopen(desk);
	assert_int_equal(
	    registry_key_by_label(desk->registry, "web", &by_label).code,
	    STATUS_OK);
	assert_int_equal(
	    registry_key_get(desk->registry, &key.id, &by_id).code, STATUS_OK);
	assert_true(key_id_equal(&by_label.id, &key.id));
	assert_true(key_id_equal(&by_id.id, &key.id));
	assert_int_equal(by_id.alg, key.alg);
	assert_string_equal(by_id.label, key.label);
	assert_string_equal(by_id.pool, key.pool);
	assert_string_equal(by_id.created_by, key.created_by);
	assert_int_equal(by_id.created_s, key.created_s);
	assert_int_equal(by_id.attributes, key.attributes);
	assert_int_equal(by_id.spki_len, key.spki_len);
	assert_memory_equal(by_id.spki, key.spki, key.spki_len);
	memset(key.id.at, 8, KEY_ID_LEN);
	assert_int_equal(registry_key_get(desk->registry, &key.id, &by_id).code,
	    STATUS_NOT_FOUND);
}

static void
a_label_names_one_key_only(void **state)
{
	struct desk *desk = *state;
	struct registry_key twin = a_key(2, "web"), same = a_key(1, "other");

	add_key(desk, 1, "web");
	assert_int_equal(registry_key_add(desk->registry, &twin, NULL).code,
	    STATUS_ALREADY_EXISTS);
	assert_int_equal(registry_key_add(desk->registry, &same, NULL).code,
	    STATUS_ALREADY_EXISTS);
	assert_int_equal(number_of(desk, "SELECT count(*) FROM key"), 1);
}

static void
keys_are_listed_by_label_a_page_at_a_time(void **state)
{
	struct desk *desk = *state;
	struct registry_key page[2];
	size_t n = 0;

	add_key(desk, 1, "c");
	add_key(desk, 2, "a");
	add_key(desk, 3, "b");
	assert_int_equal(
	    registry_keys(desk->registry, "", 2, page, &n).code, STATUS_OK);
	assert_int_equal(n, 2);
	assert_string_equal(page[0].label, "a");
	assert_string_equal(page[1].label, "b");
	assert_int_equal(
	    registry_keys(desk->registry, "b", 2, page, &n).code, STATUS_OK);
	assert_int_equal(n, 1);
	assert_string_equal(page[0].label, "c");
	assert_int_equal(
	    registry_keys(desk->registry, "c", 2, page, &n).code, STATUS_OK);
	assert_int_equal(n, 0);
}

static struct status
grant(struct desk *desk, uint8_t key, const char *pattern, unsigned contexts)
{
	struct registry_grant row = { .contexts = contexts };
	struct key_id id;
	const struct registry_target target = { .key = &id };

	memset(id.at, key, KEY_ID_LEN);
	snprintf(row.pattern, sizeof(row.pattern), "%s", pattern);
	return registry_grant_add(desk->registry, &target, &row, NULL);
}

static struct status
ungrant(struct desk *desk, uint8_t key, const char *pattern, unsigned contexts)
{
	struct key_id id;
	const struct registry_target target = { .key = &id };

	memset(id.at, key, KEY_ID_LEN);
	return registry_grant_remove(
	    desk->registry, &target, pattern, contexts);
}

static size_t
grants_of(struct desk *desk, uint8_t key,
    struct registry_grant grants[REGISTRY_GRANTS_MAX])
{
	struct key_id id;
	size_t n = 0;

	memset(id.at, key, KEY_ID_LEN);
	assert_int_equal(
	    registry_grants(desk->registry, &id, grants, &n).code, STATUS_OK);
	return n;
}

static void
grants_add_up_and_come_off_one_by_one(void **state)
{
	struct registry_grant grants[REGISTRY_GRANTS_MAX];
	struct desk *desk = *state;

	add_key(desk, 1, "web");
	assert_int_equal(grant(desk, 1, "edge/fra-1", TLS13).code, STATUS_OK);
	assert_int_equal(grant(desk, 1, "edge/fra-1", TLS12).code, STATUS_OK);
	assert_int_equal(grant(desk, 1, "edge/fra-1", TLS12).code, STATUS_OK);
	assert_int_equal(grant(desk, 1, "edge/*", TLS13).code, STATUS_OK);
	reopen(desk);
	assert_int_equal(grants_of(desk, 1, grants), 2);
	assert_string_equal(grants[0].pattern, "edge/*");
	assert_int_equal(grants[0].contexts, TLS13);
	assert_string_equal(grants[1].pattern, "edge/fra-1");
	assert_int_equal(grants[1].contexts, TLS13 | TLS12);

	assert_int_equal(ungrant(desk, 1, "edge/fra-1", TLS12).code, STATUS_OK);
	assert_int_equal(grants_of(desk, 1, grants), 2);
	assert_int_equal(grants[1].contexts, TLS13);
	assert_int_equal(ungrant(desk, 1, "edge/fra-1", TLS13).code, STATUS_OK);
	assert_int_equal(ungrant(desk, 1, "edge/*", 0).code, STATUS_OK);
	assert_int_equal(grants_of(desk, 1, grants), 0);
	assert_int_equal(ungrant(desk, 1, "edge/*", 0).code, STATUS_NOT_FOUND);
}

static void
a_grant_needs_a_key_and_a_sound_pattern(void **state)
{
	static const char *const wrong[] = { "", "*", "edge", "edge/a*b",
		"root/x", "spiffe://d/edge/fra-1" };
	struct desk *desk = *state;

	assert_int_equal(
	    grant(desk, 1, "edge/fra-1", TLS13).code, STATUS_NOT_FOUND);
	add_key(desk, 1, "web");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(grant(desk, 1, wrong[i], TLS13).code,
		    STATUS_INVALID_ARGUMENT);
	assert_int_equal(number_of(desk, "SELECT count(*) FROM grant_"), 0);
}

static void
raw_and_tls_never_meet_on_one_key(void **state)
{
	struct desk *desk = *state;

	add_key(desk, 1, "web");
	add_key(desk, 2, "tool");
	add_key(desk, 3, "both");
	assert_int_equal(grant(desk, 1, "edge/fra-1", TLS13).code, STATUS_OK);
	assert_int_equal(grant(desk, 1, "operator/alice", RAW).code,
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    grant(desk, 2, "operator/alice", RAW | CSR).code, STATUS_OK);
	assert_int_equal(grant(desk, 2, "edge/fra-1", TLS12).code,
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(grant(desk, 3, "edge/fra-1", TLS12 | RAW).code,
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(number_of(desk, "SELECT count(*) FROM grant_"), 2);
}

static void
a_key_that_has_served_tls_never_signs_raw_even_later(void **state)
{
	struct desk *desk = *state;

	add_key(desk, 1, "web");
	assert_int_equal(grant(desk, 1, "edge/fra-1", TLS13).code, STATUS_OK);
	assert_int_equal(ungrant(desk, 1, "edge/fra-1", 0).code, STATUS_OK);
	reopen(desk);
	assert_int_equal(grant(desk, 1, "operator/alice", RAW).code,
	    STATUS_FAILED_PRECONDITION);
}

static void
a_key_takes_256_grants_and_not_one_more(void **state)
{
	struct desk *desk = *state;
	char pattern[32];

	add_key(desk, 1, "web");
	/* In one transaction: 256 disk syncs are no part of what is proved. */
	execute(desk,
	    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n"
	    " WHERE i < 254) INSERT INTO grant_ (key, pattern, contexts) "
	    "SELECT key.id,"
	    " 'edge/e' || i, 2 FROM n, key");
	snprintf(pattern, sizeof(pattern), "edge/last");
	assert_int_equal(grant(desk, 1, pattern, TLS13).code, STATUS_OK);
	assert_int_equal(
	    grant(desk, 1, "edge/over", TLS13).code, STATUS_RESOURCE_EXHAUSTED);
	assert_int_equal(grant(desk, 1, pattern, TLS12).code, STATUS_OK);
}

static struct status
grant_group(struct desk *desk, const char *group, const char *pattern,
    unsigned contexts)
{
	struct registry_grant row = { .contexts = contexts };
	const struct registry_target target = { .group = group };

	snprintf(row.pattern, sizeof(row.pattern), "%s", pattern);
	return registry_grant_add(desk->registry, &target, &row, NULL);
}

static void
an_acme_key_is_nothing_else(void **state)
{
	const unsigned jws = 1u << CONTEXT_ACME_JWS;
	struct desk *desk = *state;

	add_key(desk, 1, "account");
	add_key(desk, 2, "web");
	assert_int_equal(grant(desk, 1, "certd/main", jws).code, STATUS_OK);
	assert_int_equal(
	    grant(desk, 1, "certd/main", CSR).code, STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    grant(desk, 1, "edge/a", TLS13).code, STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    grant(desk, 1, "operator/a", RAW).code, STATUS_FAILED_PRECONDITION);
	assert_int_equal(grant(desk, 2, "certd/main", CSR).code, STATUS_OK);
	assert_int_equal(ungrant(desk, 2, "certd/main", 0).code, STATUS_OK);
	assert_int_equal(
	    grant(desk, 2, "certd/main", jws).code, STATUS_FAILED_PRECONDITION);
}

static void
a_budget_stays_until_another_is_named(void **state)
{
	struct registry_grant grants[REGISTRY_GRANTS_MAX];
	struct registry_grant row = { .pattern = "edge/a", .contexts = TLS13 };
	const struct registry_budget ten = { 10, 50 }, no_burst = { 7, 0 },
				     none = { 0, 0 };
	const struct registry_budget *const named[] = { &ten, NULL, &no_burst,
		&none };
	static const struct registry_budget is[] = { { 10, 50 }, { 10, 50 },
		{ 7, 7 }, { 0, 0 } };
	struct desk *desk = *state;
	struct key_id id;
	const struct registry_target target = { .key = &id };

	add_key(desk, 1, "web");
	memset(id.at, 1, KEY_ID_LEN);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(
		    registry_grant_add(desk->registry, &target, &row, named[i])
			.code,
		    STATUS_OK);
		assert_int_equal(grants_of(desk, 1, grants), 1);
		assert_int_equal(grants[0].budget.rate_per_s, is[i].rate_per_s);
		assert_int_equal(grants[0].budget.burst, is[i].burst);
	}
}

static void
a_grant_beyond_the_group_stays_as_it_was_approved(void **state)
{
	struct registry_grant grants[REGISTRY_GRANTS_MAX];
	struct registry_grant row = {
		.pattern = "edge/a", .contexts = TLS13, .beyond_group = true
	};
	struct desk *desk = *state;
	struct key_id id;
	const struct registry_target target = { .key = &id };

	add_key(desk, 1, "web");
	memset(id.at, 1, KEY_ID_LEN);
	assert_int_equal(
	    registry_grant_add(desk->registry, &target, &row, NULL).code,
	    STATUS_OK);
	/* What one operator alone adds must not go beyond with it. */
	assert_int_equal(
	    grant(desk, 1, "edge/a", TLS12).code, STATUS_FAILED_PRECONDITION);
	assert_int_equal(grants_of(desk, 1, grants), 1);
	assert_int_equal(grants[0].contexts, TLS13);
	assert_true(grants[0].beyond_group);
	/* Nor what is there already, unnamed in the approved act. */
	assert_int_equal(ungrant(desk, 1, "edge/a", 0).code, STATUS_OK);
	assert_int_equal(grant(desk, 1, "edge/a", TLS12 | CSR).code, STATUS_OK);
	row.contexts = TLS12;
	assert_int_equal(
	    registry_grant_add(desk->registry, &target, &row, NULL).code,
	    STATUS_FAILED_PRECONDITION);
	row.contexts = TLS12 | CSR;
	assert_int_equal(
	    registry_grant_add(desk->registry, &target, &row, NULL).code,
	    STATUS_OK);
}

static void
what_never_meets_does_not_meet_in_a_group_either(void **state)
{
	struct registry_key tool = a_key(2, "tool"), raw = a_key(3, "raw");
	struct registry_key late = a_key(4, "late");
	struct desk *desk = *state;

	snprintf(tool.group, sizeof(tool.group), "shop");
	snprintf(raw.group, sizeof(raw.group), "tools");
	snprintf(late.group, sizeof(late.group), "shop");
	assert_int_equal(
	    registry_key_add(desk->registry, &tool, NULL).code, STATUS_OK);
	assert_int_equal(
	    registry_key_add(desk->registry, &raw, NULL).code, STATUS_OK);
	assert_int_equal(
	    grant_group(desk, "shop", "edge/*", TLS13).code, STATUS_OK);
	assert_int_equal(grant_group(desk, "shop", "operator/a", RAW).code,
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    grant(desk, 2, "operator/a", RAW).code, STATUS_FAILED_PRECONDITION);
	assert_int_equal(grant(desk, 3, "operator/a", RAW).code, STATUS_OK);
	assert_int_equal(grant_group(desk, "tools", "edge/*", TLS13).code,
	    STATUS_FAILED_PRECONDITION);
	/* A group without keys has a past of its own in its grants. */
	assert_int_equal(
	    grant_group(desk, "empty", "operator/a", RAW).code, STATUS_OK);
	assert_int_equal(grant_group(desk, "empty", "edge/*", TLS13).code,
	    STATUS_FAILED_PRECONDITION);
	/* Keys that join take on what the group may. */
	assert_int_equal(
	    registry_key_add(desk->registry, &late, NULL).code, STATUS_OK);
	assert_int_equal(
	    grant(desk, 4, "operator/a", RAW).code, STATUS_FAILED_PRECONDITION);
	execute(desk,
	    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n"
	    " WHERE i < 254) INSERT INTO grant_ (key, pattern, contexts)"
	    " SELECT key.id, 'edge/e' || i, 2 FROM n, key"
	    " WHERE label = 'late'");
	assert_int_equal(
	    grant(desk, 4, "edge/over", TLS13).code, STATUS_RESOURCE_EXHAUSTED);
	assert_int_equal(grant_group(desk, "shop", "edge/over", TLS13).code,
	    STATUS_RESOURCE_EXHAUSTED);
}

static enum status_code
check(const struct policy *policy, const char *edge, uint8_t key)
{
	struct spiffe who = { .role = ROLE_EDGE };
	struct policy_permit permit;
	struct key_id id;

	snprintf(who.name, sizeof(who.name), "%s", edge);
	memset(id.at, key, KEY_ID_LEN);
	return policy_check(policy, &who, &id, CONTEXT_TLS13_SERVER, &permit)
	    .code;
}

static void
one_changed_key_makes_a_policy_that_shares_the_rest(void **state)
{
	static const struct policy_pool pools[] = { { .name = "standard" } };
	scoped(policy_unref) struct policy *all = NULL, *one = NULL,
					   *rules = NULL;
	struct desk *desk = *state;
	struct key_id id;

	for (uint8_t i = 1; i <= 3; i++) {
		char label[8];

		snprintf(label, sizeof(label), "k%u", i);
		add_key(desk, i, label);
	}
	assert_int_equal(grant(desk, 1, "edge/a", TLS13).code, STATUS_OK);
	assert_int_equal(
	    registry_policy(desk->registry, pools, 1, NULL, NULL, &all).code,
	    STATUS_OK);
	assert_int_equal(grant(desk, 2, "edge/a", TLS13).code, STATUS_OK);
	assert_int_equal(grant(desk, 3, "edge/a", TLS13).code, STATUS_OK);
	memset(id.at, 2, KEY_ID_LEN);
	assert_int_equal(
	    registry_policy(desk->registry, pools, 1, all, &id, &one).code,
	    STATUS_OK);
	assert_int_equal(check(all, "a", 2), STATUS_PERMISSION_DENIED);
	assert_int_equal(check(one, "a", 1), STATUS_OK);
	assert_int_equal(check(one, "a", 2), STATUS_OK);
	/* Nobody said that this one changed. */
	assert_int_equal(check(one, "a", 3), STATUS_PERMISSION_DENIED);
	assert_int_equal(policy_keys(one), 3);

	assert_int_equal(
	    registry_quarantine(desk->registry, ROLE_EDGE, "a", "", 1).code,
	    STATUS_OK);
	assert_int_equal(
	    registry_policy_rules(desk->registry, pools, 1, one, &rules).code,
	    STATUS_OK);
	assert_int_equal(check(one, "a", 1), STATUS_OK);
	assert_int_equal(check(rules, "a", 1), STATUS_PERMISSION_DENIED);
	assert_int_equal(policy_keys(rules), 3);
}

static void
the_policy_is_what_keys_and_grants_say(void **state)
{
	static const struct policy_pool pools[] = { { .name = "enhanced" },
		{ .name = "standard" } };
	const struct spiffe edge = { "d", ROLE_EDGE, "fra-1" };
	struct policy_permit found = { 0 };
	struct policy *policy = NULL;
	struct desk *desk = *state;
	struct key_id id;

	for (uint8_t i = 9; i > 0; i--) {
		char label[8];

		snprintf(label, sizeof(label), "k%u", i);
		add_key(desk, i, label);
	}
	assert_int_equal(grant(desk, 5, "edge/fra-*", TLS13).code, STATUS_OK);
	assert_int_equal(
	    registry_policy(desk->registry, pools, 2, NULL, NULL, &policy).code,
	    STATUS_OK);
	assert_int_equal(policy_keys(policy), 9);
	memset(id.at, 5, KEY_ID_LEN);
	assert_int_equal(
	    policy_check(policy, &edge, &id, CONTEXT_TLS13_SERVER, &found).code,
	    STATUS_OK);
	assert_int_equal(found.key->pool, 1);
	assert_int_equal(found.key->spki.len, 91);
	assert_int_equal(
	    policy_check(policy, &edge, &id, CONTEXT_CSR, &found).code,
	    STATUS_PERMISSION_DENIED);
	memset(id.at, 6, KEY_ID_LEN);
	assert_int_equal(
	    policy_check(policy, &edge, &id, CONTEXT_TLS13_SERVER, &found).code,
	    STATUS_PERMISSION_DENIED);
	policy_unref(policy);
}

static void
keys_of_a_pool_that_is_gone_are_left_out_with_their_grants(void **state)
{
	static const struct policy_pool pools[] = { { .name = "enhanced" } };
	struct policy *policy = NULL;
	struct desk *desk = *state;

	add_key(desk, 1, "web");
	assert_int_equal(grant(desk, 1, "edge/fra-1", TLS13).code, STATUS_OK);
	assert_int_equal(
	    registry_policy(desk->registry, pools, 1, NULL, NULL, &policy).code,
	    STATUS_OK);
	assert_int_equal(policy_keys(policy), 0);
	policy_unref(policy);
}

static const uint8_t secret_hash[INVITE_HASH_LEN] = { 1, 2, 3 };

static struct status
invite(struct desk *desk, const uint8_t *hash, const char *name,
    int64_t created_s, int64_t expires_s)
{
	struct registry_invite invite = { .role = ROLE_EDGE,
		.created_s = created_s,
		.expires_s = expires_s };

	snprintf(invite.name, sizeof(invite.name), "%s", name);
	return registry_invite_add(desk->registry, hash, &invite);
}

struct taker {
	struct registry *registry;
	atomic_uint *taken;
};

static void *
take(void *ctx)
{
	struct taker *taker = ctx;
	char name[SPIFFE_NAME_MAX];
	enum role role = ROLE_NONE;

	if (!failed(registry_invite_take(
		taker->registry, secret_hash, 100, &role, name)) &&
	    role == ROLE_EDGE && strcmp(name, "fra-1") == 0)
		atomic_fetch_add(taker->taken, 1);
	return NULL;
}

static void
of_many_who_take_one_invitation_one_gets_it(void **state)
{
	struct desk *desk = *state;
	struct registry *second = NULL;
	struct taker takers[TAKERS];
	pthread_t threads[TAKERS];
	atomic_uint taken = 0;

	assert_int_equal(
	    invite(desk, secret_hash, "fra-1", 50, 200).code, STATUS_OK);
	/* Two connections, so that it is not the mutex alone that decides. */
	assert_int_equal(registry_open(desk->path, &second).code, STATUS_OK);
	for (size_t i = 0; i < TAKERS; i++) {
		takers[i] =
		    (struct taker){ i % 2 == 0 ? desk->registry : second,
			    &taken };
		assert_int_equal(
		    pthread_create(&threads[i], NULL, take, &takers[i]), 0);
	}
	for (size_t i = 0; i < TAKERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(taken, 1);
	registry_close(second);
}

static void
an_invitation_ends_with_its_time_and_the_unknown_is_refused_alike(void **state)
{
	static const uint8_t other[INVITE_HASH_LEN] = { 9 };
	struct desk *desk = *state;
	char name[SPIFFE_NAME_MAX];
	struct status late, unknown;
	enum role role;

	assert_int_equal(
	    invite(desk, secret_hash, "fra-1", 50, 200).code, STATUS_OK);
	late =
	    registry_invite_take(desk->registry, secret_hash, 200, &role, name);
	unknown = registry_invite_take(desk->registry, other, 100, &role, name);
	assert_int_equal(late.code, STATUS_NOT_FOUND);
	assert_int_equal(unknown.code, STATUS_NOT_FOUND);
	assert_string_equal(late.why, unknown.why);
	assert_int_equal(
	    registry_invite_take(desk->registry, secret_hash, 199, &role, name)
		.code,
	    STATUS_OK);
}

static void
an_invitation_that_is_returned_may_be_used_again(void **state)
{
	struct desk *desk = *state;
	char name[SPIFFE_NAME_MAX];
	enum role role;

	assert_int_equal(
	    invite(desk, secret_hash, "fra-1", 50, 200).code, STATUS_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(registry_invite_take(desk->registry,
				     secret_hash, 100, &role, name)
				     .code,
		    STATUS_OK);
		assert_int_equal(
		    registry_invite_return(desk->registry, secret_hash).code,
		    STATUS_OK);
	}
}

static void
old_invitations_are_swept_out(void **state)
{
	static const uint8_t other[INVITE_HASH_LEN] = { 9 };
	struct desk *desk = *state;

	assert_int_equal(
	    invite(desk, secret_hash, "fra-1", 50, 200).code, STATUS_OK);
	assert_int_equal(
	    invite(desk, other, "fra-2", 200 + 91 * 86400, 300 + 91 * 86400)
		.code,
	    STATUS_OK);
	assert_int_equal(number_of(desk, "SELECT count(*) FROM invite"), 1);
}

static struct registry_identity
identity_of(struct desk *desk, const char *name)
{
	struct registry_identity identity = { .role = ROLE_NONE };

	assert_int_equal(
	    registry_identity_get(desk->registry, ROLE_EDGE, name, &identity)
		.code,
	    STATUS_OK);
	return identity;
}

static void
an_edge_takes_the_group_of_its_invitation_and_keeps_it(void **state)
{
	struct registry_invite invite = { .role = ROLE_EDGE,
		.name = "fra-1",
		.group = "enhanced",
		.created_s = 50,
		.expires_s = 200 };
	static const uint8_t other[INVITE_HASH_LEN] = { 9 };
	struct desk *desk = *state;
	char name[SPIFFE_NAME_MAX];
	enum role role;

	assert_int_equal(
	    registry_invite_add(desk->registry, secret_hash, &invite).code,
	    STATUS_OK);
	assert_string_equal(identity_of(desk, "fra-1").group, "enhanced");
	assert_int_equal(
	    registry_invite_take(desk->registry, secret_hash, 100, &role, name)
		.code,
	    STATUS_OK);
	assert_int_equal(registry_identity_put(desk->registry,
			     "spiffe://d/edge/fra-1", "aa", 1000, 100)
			     .code,
	    STATUS_OK);
	assert_string_equal(identity_of(desk, "fra-1").group, "enhanced");
	/* Renewed, and invited again without a group. */
	invite.group[0] = 0;
	assert_int_equal(
	    registry_invite_add(desk->registry, other, &invite).code,
	    STATUS_OK);
	assert_int_equal(registry_identity_put(desk->registry,
			     "spiffe://d/edge/fra-1", "bb", 2000, 500)
			     .code,
	    STATUS_OK);
	assert_string_equal(identity_of(desk, "fra-1").group, "enhanced");
	assert_int_equal(
	    registry_set_group(desk->registry, "fra-1", "lab").code, STATUS_OK);
	assert_string_equal(identity_of(desk, "fra-1").group, "lab");
	assert_int_equal(
	    registry_set_group(desk->registry, "nobody", "lab").code,
	    STATUS_NOT_FOUND);
}

static void
a_quarantine_keeps_its_first_reason_until_release(void **state)
{
	struct desk *desk = *state;
	struct registry_identity *list = NULL;
	bool is_out = true;
	size_t n = 0;

	assert_int_equal(
	    registry_is_quarantined(desk->registry, ROLE_EDGE, "fra-1", &is_out)
		.code,
	    STATUS_OK);
	assert_false(is_out);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    registry_quarantine(desk->registry, ROLE_EDGE, "fra-1",
			i == 0 ? "stolen" : "other", 100 + i)
			.code,
		    STATUS_OK);
	/* Told although it was never invited. */
	assert_int_equal(
	    registry_identities(desk->registry, ROLE_NONE, &list, &n).code,
	    STATUS_OK);
	assert_int_equal(n, 1);
	assert_int_equal(list[0].quarantined_s, 100);
	assert_string_equal(list[0].quarantine_reason, "stolen");
	free(list);
	assert_int_equal(registry_is_quarantined(
			     desk->registry, ROLE_OPERATOR, "fra-1", &is_out)
			     .code,
	    STATUS_OK);
	assert_false(is_out);
	assert_int_equal(
	    registry_release(desk->registry, ROLE_EDGE, "fra-1").code,
	    STATUS_OK);
	assert_int_equal(
	    registry_release(desk->registry, ROLE_EDGE, "fra-1").code,
	    STATUS_NOT_FOUND);
}

static void
identities_are_the_enrolled_and_the_invited(void **state)
{
	struct registry_identity *list = NULL;
	struct desk *desk = *state;
	static const uint8_t other[INVITE_HASH_LEN] = { 9 };
	size_t n = 0;

	assert_int_equal(
	    invite(desk, secret_hash, "fra-1", 50, 200).code, STATUS_OK);
	assert_int_equal(invite(desk, other, "fra-2", 60, 300).code, STATUS_OK);
	assert_int_equal(registry_identity_put(desk->registry,
			     "spiffe://d/edge/fra-2", "aa", 1000, 100)
			     .code,
	    STATUS_OK);
	assert_int_equal(registry_identity_put(desk->registry,
			     "spiffe://d/edge/fra-2", "bb", 2000, 500)
			     .code,
	    STATUS_OK);
	assert_int_equal(registry_identity_put(desk->registry,
			     "spiffe://d/operator/alice", "cc", 1500, 100)
			     .code,
	    STATUS_OK);
	assert_int_equal(
	    registry_identities(desk->registry, ROLE_NONE, &list, &n).code,
	    STATUS_OK);
	assert_int_equal(n, 3);
	assert_int_equal(list[0].role, ROLE_OPERATOR);
	assert_string_equal(list[1].name, "fra-1");
	assert_false(list[1].enrolled);
	assert_int_equal(list[1].expires_s, 200);
	assert_string_equal(list[2].name, "fra-2");
	assert_true(list[2].enrolled);
	assert_int_equal(list[2].expires_s, 2000);
	assert_int_equal(list[2].created_s, 100);
	free(list);
	assert_int_equal(
	    registry_identities(desk->registry, ROLE_EDGE, &list, &n).code,
	    STATUS_OK);
	assert_int_equal(n, 2);
	free(list);
	assert_int_equal(
	    registry_identities(desk->registry, ROLE_AUDITOR, &list, &n).code,
	    STATUS_OK);
	assert_int_equal(n, 0);
	assert_null(list);
	assert_int_equal(
	    registry_identity_put(desk->registry, "no identity", "dd", 1, 1)
		.code,
	    STATUS_INVALID_ARGUMENT);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(                                       \
	    name, registry_desk_set_up, registry_desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_file_is_for_its_owner_alone),
		TEST(migrations_run_once_and_keep_what_is_there),
		TEST(a_registry_of_a_newer_keyd_is_refused_and_left_alone),
		TEST(a_file_that_is_no_database_is_refused),
		TEST(a_damaged_row_is_told_and_not_used),
		TEST(a_key_comes_back_as_it_was_stored),
		TEST(a_label_names_one_key_only),
		TEST(keys_are_listed_by_label_a_page_at_a_time),
		TEST(grants_add_up_and_come_off_one_by_one),
		TEST(a_grant_needs_a_key_and_a_sound_pattern),
		TEST(raw_and_tls_never_meet_on_one_key),
		TEST(a_key_that_has_served_tls_never_signs_raw_even_later),
		TEST(a_key_takes_256_grants_and_not_one_more),
		TEST(an_acme_key_is_nothing_else),
		TEST(a_budget_stays_until_another_is_named),
		TEST(a_grant_beyond_the_group_stays_as_it_was_approved),
		TEST(what_never_meets_does_not_meet_in_a_group_either),
		TEST(one_changed_key_makes_a_policy_that_shares_the_rest),
		TEST(the_policy_is_what_keys_and_grants_say),
		TEST(
		    keys_of_a_pool_that_is_gone_are_left_out_with_their_grants),
		TEST(of_many_who_take_one_invitation_one_gets_it),
		TEST(
		    an_invitation_ends_with_its_time_and_the_unknown_is_refused_alike),
		TEST(an_invitation_that_is_returned_may_be_used_again),
		TEST(old_invitations_are_swept_out),
		TEST(an_edge_takes_the_group_of_its_invitation_and_keeps_it),
		TEST(a_quarantine_keeps_its_first_reason_until_release),
		TEST(identities_are_the_enrolled_and_the_invited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
