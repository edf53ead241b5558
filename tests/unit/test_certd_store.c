/* SPDX-License-Identifier: Apache-2.0 */

/* certd's store: databases of every older step open, a backup is a whole
 * database, and commits are counted. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "certd/backup.h"
#include "certd/store_accounts.h"
#include "certd/store_schema.h"
#include "tests/unit/certd_desk.h"

/* A desk of its own: a folder in which no store is open. */
static int
set_up(void **state)
{
	struct desk *desk;

	assert_int_equal(certd_desk_set_up(state), 0);
	desk = *state;
	store_close(desk->store);
	desk->store = NULL;
	return 0;
}

static void
print_path(const struct desk *desk, const char *name, char path[128])
{
	snprintf(path, 128, "%s/%s", desk->folder, name);
}

static struct status
open_store(struct desk *desk, bool read_only)
{
	const struct store_config config = { .state_dir = desk->folder,
		.read_only = read_only };

	return store_open(&config, &desk->store);
}

/* A database as the program of that step left it, with an account in it. */
static void
make_old(struct desk *desk, size_t steps)
{
	char path[128];
	const struct db_config config = { .path = path,
		.migrations = store_migrations,
		.n_migrations = steps };
	struct db *db;
	struct db_tx *tx;

	print_path(desk, "certd.db", path);
	(void)unlink(path);
	assert_int_equal(db_open(&config, &db).code, STATUS_OK);
	assert_int_equal(db_write(db, &tx).code, STATUS_OK);
	assert_int_equal(
	    db_commit(tx, db_run(tx, NULL,
			      "INSERT INTO account (name, title, created_s)"
			      " VALUES ('old', '', 0)",
			      DB_NONE))
		.code,
	    STATUS_OK);
	db_close(db);
}

static void
a_database_of_every_older_step_opens_with_what_it_holds(void **state)
{
	struct desk *desk = *state;

	for (size_t steps = 1; steps <= store_n_migrations; steps++) {
		int schema = 0;

		make_old(desk, steps);
		assert_int_equal(open_store(desk, false).code, STATUS_OK);
		assert_int_equal(
		    db_schema(store_db(desk->store), &schema).code, STATUS_OK);
		assert_int_equal(schema, store_n_migrations);
		assert_int_equal(
		    certd_desk_count(desk, "SELECT count(*) FROM account"
					   " WHERE name = 'old'"),
		    1);
		store_close(desk->store);
		desk->store = NULL;
	}
}

static void
a_database_of_a_newer_program_is_refused(void **state)
{
	const char *steps[64];
	char path[128];
	struct desk *desk = *state;
	const struct db_config config = { .path = path,
		.migrations = steps,
		.n_migrations = store_n_migrations + 1 };
	struct status st;
	struct db *db;

	print_path(desk, "certd.db", path);
	(void)unlink(path);
	assert_true(store_n_migrations < 64);
	for (size_t i = 0; i < store_n_migrations; i++)
		steps[i] = store_migrations[i];
	steps[store_n_migrations] = "CREATE TABLE later (x INTEGER)";
	assert_int_equal(db_open(&config, &db).code, STATUS_OK);
	db_close(db);
	st = open_store(desk, false);
	assert_int_equal(st.code, STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(st.why, "newer version"));
}

static void
a_backup_is_a_database_that_opens_and_is_for_its_owner_alone(void **state)
{
	struct desk *desk = *state;
	char copy[128], path[128];
	struct stat sb;

	print_path(desk, "copy.db", copy);
	print_path(desk, "certd.db", path);
	/* Beside a certd that has it open. */
	assert_int_equal(open_store(desk, false).code, STATUS_OK);
	assert_int_equal(backup_run(desk->folder, copy).code, STATUS_OK);
	assert_int_equal(stat(copy, &sb), 0);
	assert_int_equal(sb.st_mode & 0777, 0600);
	/* Never over another one. */
	assert_int_equal(
	    backup_run(desk->folder, copy).code, STATUS_ALREADY_EXISTS);
	store_close(desk->store);
	assert_int_equal(rename(copy, path), 0);
	assert_int_equal(open_store(desk, false).code, STATUS_OK);
	assert_int_equal(
	    certd_desk_count(desk, "SELECT count(*) FROM account"), 2);
}

static void
without_a_database_there_is_no_backup_and_none_is_made(void **state)
{
	struct desk *desk = *state;
	char copy[128], path[128];

	print_path(desk, "copy.db", copy);
	print_path(desk, "certd.db", path);
	assert_int_equal(unlink(path), 0);
	assert_int_not_equal(backup_run(desk->folder, copy).code, STATUS_OK);
	assert_int_equal(access(copy, F_OK), -1);
	assert_int_equal(access(path, F_OK), -1);
}

static void
commits_are_counted_and_what_was_given_up_is_not(void **state)
{
	struct desk *desk = *state;
	struct metrics *metrics = metrics_new();
	struct db_tx *tx;
	char *page;
	size_t len;
	int64_t id;

	assert_int_equal(open_store(desk, false).code, STATUS_OK);
	store_measure(desk->store, metrics);
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(store_commit(desk->store, tx,
			     store_accounts_add(tx, "more", "", &id))
			     .code,
	    STATUS_OK);
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(store_commit(desk->store, tx,
			     store_accounts_add(tx, "more", "", &id))
			     .code,
	    STATUS_ALREADY_EXISTS);
	page = metrics_render(metrics, &len);
	assert_non_null(strstr(page, "certd_store_commits_total 1\n"));
	free(page);
	store_close(desk->store);
	desk->store = NULL;
	metrics_free(metrics);
}

int
main(void)
{
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, set_up, certd_desk_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_database_of_every_older_step_opens_with_what_it_holds),
		TEST(a_database_of_a_newer_program_is_refused),
		TEST(
		    a_backup_is_a_database_that_opens_and_is_for_its_owner_alone),
		TEST(without_a_database_there_is_no_backup_and_none_is_made),
		TEST(commits_are_counted_and_what_was_given_up_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
