/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_REGISTRY_DESK_H
#define TESTS_UNIT_REGISTRY_DESK_H

#include "keyd/registry.h"

/* An empty registry in a folder of its own, as a cmocka fixture. */
struct desk {
	char folder[64];
	char path[96];
	struct registry *registry;
};

int registry_desk_set_up(void **state);
int registry_desk_tear_down(void **state);

#endif
