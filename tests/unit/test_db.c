/* SPDX-License-Identifier: Apache-2.0 */

/* The database's door, on real files in a folder of the test's own. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/db.h"

static const char *const STEPS[] = {
	"CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
	" octets BLOB) STRICT",
	"CREATE TABLE part (thing INTEGER NOT NULL REFERENCES thing (id))"
	" STRICT",
};

struct desk {
	char dir[64], path[96], copy[96];
	struct db *db;
};

static struct status
open_steps(struct desk *desk, size_t steps, bool read_only)
{
	const struct db_config config = { .path = desk->path,
		.migrations = STEPS,
		.n_migrations = steps,
		.read_only = read_only };

	return db_open(&config, &desk->db);
}

static int
setup(void **state)
{
	struct desk *desk = calloc(1, sizeof(*desk));

	assert_non_null(desk);
	snprintf(desk->dir, sizeof(desk->dir), "/tmp/hf-db-XXXXXX");
	assert_non_null(mkdtemp(desk->dir));
	snprintf(desk->path, sizeof(desk->path), "%s/some.db", desk->dir);
	snprintf(desk->copy, sizeof(desk->copy), "%s/copy.db", desk->dir);
	assert_int_equal(open_steps(desk, 2, false).code, STATUS_OK);
	*state = desk;
	return 0;
}

static int
teardown(void **state)
{
	static const char *const ENDS[] = { "some.db", "some.db-wal",
		"some.db-shm", "copy.db" };
	struct desk *desk = *state;
	char path[128];

	db_close(desk->db);
	for (size_t i = 0; i < sizeof(ENDS) / sizeof(ENDS[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", desk->dir, ENDS[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(desk->dir), 0);
	free(desk);
	return 0;
}

static struct status
add(struct db *db, const char *name)
{
	struct db_tx *tx;
	struct status st = db_write(db, &tx);

	if (failed(st))
		return st;
	return db_commit(tx,
	    db_run(tx, NULL,
		"INSERT INTO thing (name, octets) VALUES (?, "
		"?)",
		DB_VALUES(db_text(name), db_blob((struct bytes){ NULL, 0 }))));
}

static int64_t
count(struct db *db)
{
	scoped(db_end) struct db_tx *tx = NULL;
	int64_t n = -1;

	assert_int_equal(db_read(db, &tx).code, STATUS_OK);
	assert_int_equal(
	    db_number(tx, &n, "SELECT count(*) FROM thing", DB_NONE).code,
	    STATUS_OK);
	return n;
}

static void
keeps_what_is_committed_and_nothing_else(void **state)
{
	struct desk *desk = *state;
	struct db_tx *tx;

	assert_int_equal(add(desk->db, "a").code, STATUS_OK);
	assert_int_equal(db_write(desk->db, &tx).code, STATUS_OK);
	assert_int_equal(
	    db_run(tx, NULL, "DELETE FROM thing", DB_NONE).code, STATUS_OK);
	db_end(tx);
	assert_int_equal(db_write(desk->db, &tx).code, STATUS_OK);
	assert_int_equal(
	    db_commit(tx, status_fail(STATUS_ABORTED, "thought again")).code,
	    STATUS_ABORTED);
	assert_int_equal(count(desk->db), 1);
}

static void
tells_a_row_that_is_there_already_and_a_dangling_reference(void **state)
{
	struct desk *desk = *state;
	struct db_tx *tx;

	assert_int_equal(add(desk->db, "a").code, STATUS_OK);
	assert_int_equal(add(desk->db, "a").code, STATUS_ALREADY_EXISTS);
	assert_int_equal(db_write(desk->db, &tx).code, STATUS_OK);
	assert_int_equal(
	    db_commit(
		tx, db_run(tx, NULL, "INSERT INTO part VALUES (99)", DB_NONE))
		.code,
	    STATUS_FAILED_PRECONDITION);
}

static void
reads_a_snapshot_beside_a_writer(void **state)
{
	struct desk *desk = *state;
	struct db_tx *reader;
	int64_t n = -1;

	assert_int_equal(db_read(desk->db, &reader).code, STATUS_OK);
	assert_int_equal(
	    db_number(reader, &n, "SELECT count(*) FROM thing", DB_NONE).code,
	    STATUS_OK);
	assert_int_equal(add(desk->db, "a").code, STATUS_OK);
	assert_int_equal(
	    db_number(reader, &n, "SELECT count(*) FROM thing", DB_NONE).code,
	    STATUS_OK);
	assert_int_equal(n, 0);
	db_end(reader);
	assert_int_equal(count(desk->db), 1);
}

static void
a_reader_cannot_write(void **state)
{
	struct desk *desk = *state;
	scoped(db_end) struct db_tx *tx = NULL;

	assert_int_equal(db_read(desk->db, &tx).code, STATUS_OK);
	assert_int_equal(
	    db_run(tx, NULL, "INSERT INTO thing (name) VALUES ('x')", DB_NONE)
		.code,
	    STATUS_FAILED_PRECONDITION);
}

static void
the_same_statement_runs_inside_itself(void **state)
{
	struct desk *desk = *state;
	scoped(db_end) struct db_tx *tx = NULL;
	static const char SQL[] = "SELECT name FROM thing ORDER BY name";
	scoped(db_rows_free) struct db_rows *outer = NULL;
	scoped(db_rows_free) struct db_rows *inner = NULL;
	char name[8];
	bool row = false;

	assert_int_equal(add(desk->db, "a").code, STATUS_OK);
	assert_int_equal(add(desk->db, "b").code, STATUS_OK);
	assert_int_equal(db_read(desk->db, &tx).code, STATUS_OK);
	assert_int_equal(db_query(tx, &outer, SQL, DB_NONE).code, STATUS_OK);
	assert_int_equal(db_next(outer, &row).code, STATUS_OK);
	assert_int_equal(db_query(tx, &inner, SQL, DB_NONE).code, STATUS_OK);
	assert_int_equal(db_next(inner, &row).code, STATUS_OK);
	assert_int_equal(db_next(outer, &row).code, STATUS_OK);
	assert_true(db_column_text(outer, 0, name, sizeof(name)));
	assert_string_equal(name, "b");
	assert_true(db_column_text(inner, 0, name, sizeof(name)));
	assert_string_equal(name, "a");
}

static void
a_text_that_is_not_whole_is_cut_and_told(void **state)
{
	static const char SQL[] =
	    "SELECT 'abc', '', NULL, 'a' || char(0) || 'b'";
	struct desk *desk = *state;
	scoped(db_end) struct db_tx *tx = NULL;
	scoped(db_rows_free) struct db_rows *rows = NULL;
	char text[8];
	bool row = false;

	assert_int_equal(db_read(desk->db, &tx).code, STATUS_OK);
	assert_int_equal(db_query(tx, &rows, SQL, DB_NONE).code, STATUS_OK);
	assert_int_equal(db_next(rows, &row).code, STATUS_OK);
	assert_true(db_column_text(rows, 0, text, 4));
	assert_string_equal(text, "abc");
	assert_false(db_column_text(rows, 0, text, 3));
	assert_string_equal(text, "ab");
	assert_true(db_column_text(rows, 1, text, 1));
	assert_string_equal(text, "");
	assert_false(db_column_text(rows, 2, text, sizeof(text)));
	assert_string_equal(text, "");
	assert_false(db_column_text(rows, 3, text, sizeof(text)));
	assert_string_equal(text, "a");
}

static void *
add_many(void *arg)
{
	struct desk *desk = arg;

	for (int i = 0; i < 20; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%lx-%d",
		    (unsigned long)pthread_self(), i);
		assert_int_equal(add(desk->db, name).code, STATUS_OK);
		(void)count(desk->db);
	}
	return NULL;
}

static void
many_threads_write_and_read(void **state)
{
	struct desk *desk = *state;
	pthread_t threads[8];

	for (size_t i = 0; i < 8; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, add_many, desk), 0);
	for (size_t i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(count(desk->db), 160);
}

static void
an_older_database_is_brought_up_to_date_and_a_newer_one_refused(void **state)
{
	struct desk *desk = *state;
	int schema = 0;

	db_close(desk->db);
	desk->db = NULL;
	assert_int_equal(
	    open_steps(desk, 1, false).code, STATUS_FAILED_PRECONDITION);
	assert_int_equal(unlink(desk->path), 0);
	assert_int_equal(open_steps(desk, 1, false).code, STATUS_OK);
	assert_int_equal(add(desk->db, "old").code, STATUS_OK);
	db_close(desk->db);
	desk->db = NULL;
	assert_int_equal(
	    open_steps(desk, 2, true).code, STATUS_FAILED_PRECONDITION);
	assert_int_equal(open_steps(desk, 2, false).code, STATUS_OK);
	assert_int_equal(db_schema(desk->db, &schema).code, STATUS_OK);
	assert_int_equal(schema, 2);
	assert_int_equal(count(desk->db), 1);
}

static void
a_backup_is_whole_private_and_never_written_over_a_file(void **state)
{
	struct desk *desk = *state;
	struct stat sb;

	assert_int_equal(add(desk->db, "a").code, STATUS_OK);
	assert_int_equal(
	    db_backup(desk->db, desk->copy, NULL, NULL).code, STATUS_OK);
	assert_int_equal(stat(desk->copy, &sb), 0);
	assert_int_equal(sb.st_mode & 0777, 0600);
	assert_int_equal(db_backup(desk->db, desk->copy, NULL, NULL).code,
	    STATUS_ALREADY_EXISTS);
	assert_int_equal(add(desk->db, "b").code, STATUS_OK);
	db_close(desk->db);
	desk->db = NULL;
	assert_int_equal(rename(desk->copy, desk->path), 0);
	assert_int_equal(open_steps(desk, 2, false).code, STATUS_OK);
	assert_int_equal(count(desk->db), 1);
}

static size_t
read_file(struct desk *desk, const char *end, char *ret_octets, size_t max)
{
	char path[128];
	size_t len;
	FILE *file;

	snprintf(path, sizeof(path), "%s%s", desk->path, end);
	file = fopen(path, "r");
	assert_non_null(file);
	len = fread(ret_octets, 1, max, file);
	assert_true(len < max);
	assert_int_equal(fclose(file), 0);
	return len;
}

static void
what_was_deleted_is_in_no_file_after_a_checkpoint(void **state)
{
	static const char NAME[] = "a name that is looked for";
	static char octets[1 << 17];
	struct desk *desk = *state;
	struct db_tx *tx;
	size_t len;

	assert_int_equal(add(desk->db, NAME).code, STATUS_OK);
	len = read_file(desk, "-wal", octets, sizeof(octets));
	assert_non_null(memmem(octets, len, NAME, strlen(NAME)));
	assert_int_equal(db_write(desk->db, &tx).code, STATUS_OK);
	assert_int_equal(
	    db_commit(tx, db_run(tx, NULL, "DELETE FROM thing", DB_NONE)).code,
	    STATUS_OK);
	assert_int_equal(db_checkpoint(desk->db).code, STATUS_OK);
	assert_int_equal(read_file(desk, "-wal", octets, sizeof(octets)), 0);
	len = read_file(desk, "", octets, sizeof(octets));
	assert_true(len > 0);
	assert_null(memmem(octets, len, NAME, strlen(NAME)));
}

static void
a_file_that_others_may_read_is_refused(void **state)
{
	struct desk *desk = *state;

	db_close(desk->db);
	desk->db = NULL;
	assert_int_equal(chmod(desk->path, 0640), 0);
	assert_int_equal(
	    open_steps(desk, 2, false).code, STATUS_FAILED_PRECONDITION);
}

static void
a_damaged_file_is_told(void **state)
{
	struct desk *desk = *state;
	FILE *file;

	db_close(desk->db);
	desk->db = NULL;
	file = fopen(desk->path, "r+");
	assert_non_null(file);
	assert_true(fputs("this is no database at all", file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(open_steps(desk, 2, false).code, STATUS_DATA_LOSS);
}

/* Whoever has rows has them until they are given back, whatever else is
 * asked meanwhile, and however much. */
static void
rows_are_their_askers_until_they_are_given_back(void **state)
{
	static const char ASKED[] = "SELECT name FROM thing WHERE name = ?1";
	struct desk *desk = *state;
	struct db_rows *first = NULL, *second = NULL, *ended = NULL;
	char name[16], sql[64];
	struct db_tx *tx;
	int64_t number;
	bool row = false;

	assert_int_equal(add(desk->db, "one").code, STATUS_OK);
	assert_int_equal(add(desk->db, "two").code, STATUS_OK);
	assert_int_equal(db_read(desk->db, &tx).code, STATUS_OK);
	assert_int_equal(
	    db_query(tx, &ended, "SELECT 1 FROM part", DB_NONE).code,
	    STATUS_OK);
	assert_int_equal(db_next(ended, &row).code, STATUS_OK);
	assert_false(row);
	assert_int_equal(
	    db_query(tx, &first, ASKED, DB_VALUES(db_text("one"))).code,
	    STATUS_OK);
	assert_int_equal(
	    db_query(tx, &second, ASKED, DB_VALUES(db_text("two"))).code,
	    STATUS_OK);
	/* More than are kept. */
	for (int i = 0; i < 300; i++) {
		snprintf(sql, sizeof(sql), "SELECT %d", i);
		assert_int_equal(
		    db_number(tx, &number, sql, DB_NONE).code, STATUS_OK);
	}
	assert_int_equal(db_next(first, &row).code, STATUS_OK);
	assert_true(row);
	db_column_text(first, 0, name, sizeof(name));
	assert_string_equal(name, "one");
	assert_int_equal(db_next(second, &row).code, STATUS_OK);
	assert_true(row);
	db_column_text(second, 0, name, sizeof(name));
	assert_string_equal(name, "two");
	db_rows_free(first);
	db_rows_free(second);
	db_rows_free(ended);
	db_end(tx);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(rows_are_their_askers_until_they_are_given_back),
		T(keeps_what_is_committed_and_nothing_else),
		T(tells_a_row_that_is_there_already_and_a_dangling_reference),
		T(reads_a_snapshot_beside_a_writer),
		T(a_reader_cannot_write),
		T(the_same_statement_runs_inside_itself),
		T(a_text_that_is_not_whole_is_cut_and_told),
		T(many_threads_write_and_read),
		T(an_older_database_is_brought_up_to_date_and_a_newer_one_refused),
		T(a_backup_is_whole_private_and_never_written_over_a_file),
		T(what_was_deleted_is_in_no_file_after_a_checkpoint),
		T(a_file_that_others_may_read_is_refused),
		T(a_damaged_file_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
