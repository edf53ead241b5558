/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NETWORKS_H
#define CERTD_NETWORKS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Networks, as certd.yaml has them: where keys are kept and which edge groups
 * serve.  Keys of the enhanced network live in a pool of their own at keyd, and
 * only edges of its groups may sign with them.  Immutable after start.
 */
#define NETWORK_NAME_MAX 64

struct network {
	const char *name; /* "standard", "enhanced" */
	const char *pool; /* keyd's, for keys that are made or imported */
	const char *const *edge_groups; /* at least one; the first is default */
	size_t n_edge_groups;
};

struct networks {
	const struct network *at;
	size_t n;
};

/* NULL or "": "standard"; NULL when there is none of that name. */
const struct network *networks_find(
    const struct networks *networks, const char *name);
bool network_has_group(const struct network *network, const char *edge_group);

#endif
