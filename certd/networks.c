/* SPDX-License-Identifier: Apache-2.0 */

/* Networks by name; see networks.h. */

#include "certd/networks.h"

#include <string.h>

const struct network *
networks_find(const struct networks *networks, const char *name)
{
	if (name == NULL || name[0] == 0)
		name = "standard";
	for (size_t i = 0; i < networks->n; i++)
		if (strcmp(networks->at[i].name, name) == 0)
			return &networks->at[i];
	return NULL;
}

bool
network_has_group(const struct network *network, const char *edge_group)
{
	for (size_t i = 0; i < network->n_edge_groups; i++)
		if (strcmp(network->edge_groups[i], edge_group) == 0)
			return true;
	return false;
}
