/* SPDX-License-Identifier: Apache-2.0 */

/* A registry for one test; its folder must be empty again afterwards. */

#include "tests/unit/registry_desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

int
registry_desk_set_up(void **state)
{
	struct desk *desk = calloc(1, sizeof(*desk));

	assert_non_null(desk);
	snprintf(
	    desk->folder, sizeof(desk->folder), "/tmp/holdfast-reg-XXXXXX");
	assert_non_null(mkdtemp(desk->folder));
	snprintf(
	    desk->path, sizeof(desk->path), "%s/registry.db", desk->folder);
	assert_int_equal(
	    registry_open(desk->path, &desk->registry).code, STATUS_OK);
	*state = desk;
	return 0;
}

int
registry_desk_tear_down(void **state)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	struct desk *desk = *state;

	registry_close(desk->registry);
	for (size_t i = 0; i < 3; i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s%s", desk->path, ends[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(desk->folder), 0);
	free(desk);
	return 0;
}
