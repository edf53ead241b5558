/* SPDX-License-Identifier: Apache-2.0 */

/* A store and a table of methods for one test. */

#include "tests/unit/certd_desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "certd/store_accounts.h"
#include "tests/unit/scratch.h"

static void
add_accounts(struct desk *desk)
{
	struct db_tx *tx;
	struct status st;

	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	st = store_accounts_add(tx, "acme", "Acme, Inc.", &desk->acme);
	if (!failed(st))
		st = store_accounts_add(tx, "other", "", &desk->other);
	assert_int_equal(store_commit(desk->store, tx, st).code, STATUS_OK);
}

int
certd_desk_set_up(void **state)
{
	struct desk *desk = calloc(1, sizeof(*desk));
	struct store_config config = { .state_dir = desk->folder };

	assert_non_null(desk);
	assert_true(scratch_new(desk->folder, sizeof(desk->folder)));
	assert_int_equal(store_open(&config, &desk->store).code, STATUS_OK);
	desk->api = api_new();
	assert_non_null(desk->api);
	add_accounts(desk);
	*state = desk;
	return 0;
}

int
certd_desk_tear_down(void **state)
{
	struct desk *desk = *state;

	api_free(desk->api);
	store_close(desk->store);
	assert_int_equal(scratch_remove(desk->folder), 0);
	free(desk);
	return 0;
}

struct caller
certd_desk_operator(void)
{
	return (
	    struct caller){ .is = ALLOW_OPERATOR, .actor = "operator/admin" };
}

struct caller
certd_desk_token(int64_t account, unsigned allow)
{
	return (struct caller){
		.is = allow, .account = account, .actor = "token test (acme)"
	};
}

struct status
certd_desk_ask(struct desk *desk, const struct caller *caller,
    const char *method, const void *request, void *ret_reply)
{
	const struct api_method *found;
	char path[128];

	snprintf(path, sizeof(path), "/holdfast.certd.v1.%s", method);
	found = api_find(desk->api, path);
	assert_non_null(found);
	desk->caller = *caller;
	desk->call = (struct api_call){ .caller = &desk->caller };
	return api_ask(desk->api, found, &desk->call, request, ret_reply);
}

const char *
certd_desk_why(const struct desk *desk, struct status st)
{
	return desk->call.why[0] != 0 ? desk->call.why : st.why;
}

int64_t
certd_desk_count(struct desk *desk, const char *sql)
{
	scoped(db_end) struct db_tx *tx = NULL;
	int64_t n = -1;

	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(db_number(tx, &n, sql, DB_NONE).code, STATUS_OK);
	return n;
}
