/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who may come in.  File permissions are a first fence where there is a file;
 * this list, held against the credentials that the kernel recorded, is the one
 * that counts.
 */

#include "edge/door.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

STATUS
door_open(const struct socket_spec *spec, const uid_t *allow, size_t n_allow,
    struct door *ret_door)
{
	struct door door = { .n_allow = n_allow };
	struct status st;

	door.allow = calloc(n_allow + 1, sizeof(*door.allow));
	if (door.allow == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	if (n_allow > 0)
		memcpy(door.allow, allow, n_allow * sizeof(*allow));
	st = socket_listen(spec, &door.socket);
	if (failed(st)) {
		free(door.allow);
		return st;
	}
	/* A path that can be listened on fits. */
	memcpy(door.path, spec->path, strlen(spec->path) + 1);
	*ret_door = door;
	return status_ok();
}

void
door_close(struct door *door)
{
	socket_close(&door->socket);
	free(door->allow);
	door->allow = NULL;
	door->n_allow = 0;
}

bool
door_allows(const struct door *door, uid_t uid)
{
	if (uid == 0 || uid == geteuid())
		return true;
	for (size_t i = 0; i < door->n_allow; i++)
		if (door->allow[i] == uid)
			return true;
	return false;
}
