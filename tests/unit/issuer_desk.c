/* SPDX-License-Identifier: Apache-2.0 */

/* The issuer between a real store and a world in memory; see issuer_desk.h. */

#include "tests/unit/issuer_desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "certd/store_accounts.h"
#include "certd/store_resources.h"
#include "tests/unit/scratch.h"

#define PATIENCE_NS (120 * NS_PER_S)

static const char *const groups[] = { "web" };
static const struct network networks[] = { { "standard", "standard", groups,
    1 } };
static const struct caller operator= { .is = ALLOW_OPERATOR,
	.actor = "operator/admin" };

static void
check(struct status st)
{
	if (failed(st))
		fail_msg("%s", st.why);
}

static struct db_tx *
begin(struct desk *desk)
{
	struct db_tx *tx = NULL;

	check(store_write(desk->store, &tx));
	return tx;
}

static struct db_tx *
begin_read(struct desk *desk)
{
	struct db_tx *tx = NULL;

	check(store_read(desk->store, &tx));
	return tx;
}

/* ---- life ---- */

void
desk_open(struct desk *desk)
{
	struct store_config config = { .state_dir = desk->folder };

	check(store_open(&config, &desk->store));
	desk->issuer_config.store = desk->store;
}

void
desk_close(struct desk *desk)
{
	store_close(desk->store);
	desk->store = NULL;
}

void
desk_start(struct desk *desk)
{
	check(issuer_start(&desk->issuer_config, &desk->issuer));
}

void
desk_stop(struct desk *desk)
{
	issuer_stop(desk->issuer);
	desk->issuer = NULL;
}

int
desk_set_up(void **state)
{
	struct desk *desk = calloc(1, sizeof(*desk));
	struct db_tx *tx;

	assert_non_null(desk);
	assert_true(scratch_new(desk->folder, sizeof(desk->folder)));
	desk->authorities = acme_fake_new();
	desk->custody = token_fake_new();
	desk->solver = solver_fake_new();
	desk->checks = checks_fake_new();
	desk->config.acme.workers = 4;
	desk->config.acme.standby = desk->standby;
	desk->config.zone = desk->zone;
	desk->config.all_networks = (struct networks){ networks, 1 };
	desk->issuer_config = (struct issuer_config){
		.custody = desk->custody,
		.authorities = desk->authorities,
		.solver = desk->solver,
		.checks = desk->checks,
		.config = &desk->config,
	};
	desk_open(desk);
	tx = begin(desk);
	check(store_commit(desk->store, tx,
	    store_accounts_add(tx, "acme", "Acme", &desk->account)));
	*state = desk;
	return 0;
}

int
desk_tear_down(void **state)
{
	struct desk *desk = *state;

	desk_stop(desk);
	desk_close(desk);
	checks_free(desk->checks);
	solver_free(desk->solver);
	custody_close(desk->custody);
	authorities_free(desk->authorities);
	assert_int_equal(scratch_remove(desk->folder), 0);
	free(desk);
	return 0;
}

/* ---- rows ---- */

int64_t
desk_account(struct desk *desk, const char *name)
{
	struct db_tx *tx = begin(desk);
	int64_t id = 0;

	check(store_commit(
	    desk->store, tx, store_accounts_add(tx, name, name, &id)));
	return id;
}

int64_t
desk_resource(struct desk *desk, const char *name, const char *names)
{
	struct api_call call = { .caller = &operator};
	scoped(names_done) struct names list = { 0 };
	struct resource_row row = {
		.account = desk->account, .https = true, .mode = MODE_ACME
	};
	struct db_tx *tx = begin(desk);
	struct status st;

	snprintf(row.name, sizeof(row.name), "%s", name);
	snprintf(row.network, sizeof(row.network), "standard");
	snprintf(row.edge_group, sizeof(row.edge_group), "web");
	snprintf(row.target, sizeof(row.target), "%.40s.edge.example", name);
	check(names_parse(names, &list));
	st = store_new_version(tx, store_now_s(), &row.version);
	if (!failed(st))
		st = store_resources_insert(tx, &call, &row);
	if (!failed(st))
		st = store_resources_set_names(tx, &call, &row, &list);
	if (!failed(st))
		st = store_resources_index(tx, &row);
	if (!failed(st))
		st = store_resources_save(tx, &call, &row);
	check(store_commit(desk->store, tx, st));
	return row.id;
}

int64_t
desk_enrollment(struct desk *desk, struct desk_enrollment facts)
{
	static unsigned serial;
	scoped(names_done) struct names list = { 0 };
	struct enrollment_row row = {
		.account = facts.account == 0 ? desk->account : facts.account,
		.by_operator = facts.by_operator,
		.resource = facts.resource,
		.network = "standard",
		.alg = KEY_ALG_EC_P256,
		.validation = facts.validation == 0 ? VALIDATION_HTTP_01
						    : facts.validation,
		.stepwise = facts.stepwise,
		.standby = facts.standby,
		.state = ENROLLMENT_PENDING,
		.created_by = "operator/admin"
	};
	struct db_tx *tx = begin(desk);

	snprintf(row.name, sizeof(row.name), "enrollment-%u", serial++);
	snprintf(row.authority, sizeof(row.authority), "%s",
	    facts.authority == NULL ? "" : facts.authority);
	check(names_parse(
	    facts.names == NULL ? "a.example b.example" : facts.names, &list));
	snprintf(row.common_name, sizeof(row.common_name), "%.64s", list.at[0]);
	check(store_commit(
	    desk->store, tx, store_enrollments_insert(tx, &row, &list)));
	return row.id;
}

int64_t
desk_change(struct desk *desk, int64_t enrollment, int kind)
{
	struct enrollment_row of;
	struct renewal_row renewal;
	struct change_row row = { .enrollment = enrollment,
		.kind = kind,
		.created_by = "operator/admin" };
	int64_t other = 0;
	struct db_tx *tx = begin(desk);
	struct status st = store_enrollments_load(tx, enrollment, &of);

	if (!failed(st))
		st =
		    store_renewals_load(tx, enrollment, PURPOSE_MAIN, &renewal);
	row.account = of.account;
	row.resource = of.resource;
	row.replaces = renewal.certificate;
	if (!failed(st))
		st = store_changes_insert(tx, &row, &other);
	check(store_commit(desk->store, tx, st));
	return row.id;
}

void
desk_give(struct desk *desk, int64_t change, int input)
{
	struct db_tx *tx = begin(desk);

	check(store_commit(
	    desk->store, tx, store_changes_give_input(tx, change, input)));
}

/* ---- questions ---- */

struct change_row
desk_wait(struct desk *desk, int64_t change, int state)
{
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;
	struct change_row row;
	uint64_t seen = 0;

	for (;;) {
		struct db_tx *tx = begin_read(desk);

		check(store_changes_load(tx, change, &row));
		db_end(tx);
		if (row.state == state || change_has_ended(&row))
			return row;
		if (clock_mono_ns() > until_ns)
			fail_msg(
			    "still in state %d: %s", row.state, row.problem);
		seen = store_wait(desk->store, seen, 100);
	}
}

int64_t
desk_number(struct desk *desk, const char *sql)
{
	struct db_tx *tx = begin_read(desk);
	int64_t number = -1;
	struct status st = db_number(tx, &number, sql, DB_NONE);

	db_end(tx);
	if (failed(st) && st.code != STATUS_NOT_FOUND)
		fail_msg("%s: %s", sql, st.why);
	return number;
}

void
desk_wait_number(struct desk *desk, const char *sql, int64_t number)
{
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;
	uint64_t seen = 0;

	while (desk_number(desk, sql) != number) {
		if (clock_mono_ns() > until_ns)
			fail_msg(
			    "%s: %lld", sql, (long long)desk_number(desk, sql));
		seen = store_wait(desk->store, seen, 100);
	}
}

void
desk_run(struct desk *desk, const char *sql)
{
	struct db_tx *tx = begin(desk);
	struct status st;

	st = store_commit(desk->store, tx, db_run(tx, NULL, sql, DB_NONE));
	if (failed(st))
		fail_msg("%s: %s", sql, st.why);
}

struct renewal_row
desk_renewal(struct desk *desk, int64_t enrollment, int purpose)
{
	struct db_tx *tx = begin_read(desk);
	struct renewal_row row;

	check(store_renewals_load(tx, enrollment, purpose, &row));
	db_end(tx);
	return row;
}

struct acme_fake_counts
desk_counts(struct desk *desk, int ca)
{
	struct acme_fake_counts counts;

	acme_fake_count(acme_fake_at(desk->authorities, ca), &counts);
	return counts;
}
