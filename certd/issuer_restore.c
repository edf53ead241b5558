/* SPDX-License-Identifier: Apache-2.0 */

/*
 * After a start: answers to http-01 challenges that were being given are given
 * again, before any change goes on, for a CA may be looking just now.  They are
 * in memory alone; what is in the DNS is there still.
 */

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "certd/issuer_int.h"

struct answers {
	struct challenge_row *rows; /* malloc'd */
	size_t n, room;
};

static bool
add(void *ctx, const struct challenge_row *row)
{
	struct answers *answers = ctx;

	if (answers->n == answers->room) {
		size_t room = answers->room == 0 ? 64 : 2 * answers->room;
		struct challenge_row *rows =
		    realloc(answers->rows, room * sizeof(*rows));

		if (rows == NULL)
			return false;
		answers->rows = rows;
		answers->room = room;
	}
	answers->rows[answers->n++] = *row;
	return true;
}

/* Whose it is; NOT_FOUND: nobody's who is still at it. */
static struct status
read_enrollment(
    struct store *store, int64_t change, struct enrollment_row *ret_of)
{
	struct change_row row;
	struct db_tx *tx;
	struct status st = store_read(store, &tx);

	if (failed(st))
		return st;
	st = store_changes_load(tx, change, &row);
	if (!failed(st) && change_has_ended(&row))
		st = store_changes_none();
	if (!failed(st))
		st = store_enrollments_load(tx, row.enrollment, ret_of);
	db_end(tx);
	return st;
}

static struct status
present(const struct issuer_config *config, const struct challenge_row *row)
{
	struct enrollment_row of;
	char why[PROBLEM_MAX] = "";
	struct status st = read_enrollment(config->store, row->change, &of);

	if (failed(st))
		return st.code == STATUS_NOT_FOUND ? status_ok() : st;
	/* Its own step presents it again, and tells what is wrong then. */
	if (failed(solver_present(config->solver, &of, row, why)))
		log_warn("a challenge could not be answered again after the "
			 "start",
		    LOG_STR("hostname", row->hostname), LOG_STR("why", why));
	return status_ok();
}

STATUS
issuer_restore(const struct issuer_config *config)
{
	struct answers answers = { .rows = NULL };
	struct db_tx *tx;
	struct status st = store_read(config->store, &tx);

	if (failed(st))
		return st;
	st = store_challenges_presented(
	    tx, acme_challenge_name(ACME_HTTP_01), add, &answers);
	db_end(tx);
	for (size_t i = 0; i < answers.n && !failed(st); i++)
		st = present(config, &answers.rows[i]);
	free(answers.rows);
	return st;
}
