/* SPDX-License-Identifier: Apache-2.0 */

/* The ledger's port, as strangers who mean no good come to it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "keyd/ledger_http.h"
#include "tests/unit/scratch.h"
#include "tests/unit/slow_crowd.h"

static char folder[SCRATCH_PATH_MAX];

static int
set_up(void **state)
{
	char path[SCRATCH_PATH_MAX + 16];
	FILE *checkpoint;

	(void)state;
	if (!scratch_new(folder, sizeof(folder)))
		return -1;
	snprintf(path, sizeof(path), "%s/checkpoint", folder);
	checkpoint = fopen(path, "w");
	return checkpoint == NULL || fputs("a note", checkpoint) < 0 ||
		       fclose(checkpoint) != 0
		   ? -1
		   : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	return scratch_remove(folder);
}

static void
who_speaks_slowly_keeps_nobody_out(void **state)
{
	struct ledger_http *http = NULL;

	(void)state;
	assert_int_equal(
	    ledger_http_start("127.0.0.1:0", folder, &http).code, STATUS_OK);
	assert_true(
	    slow_crowd_lets_through(ledger_http_port(http), "/checkpoint"));
	ledger_http_stop(http);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_speaks_slowly_keeps_nobody_out),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
