/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EDGE_SERVED_H
#define TOOLS_EDGE_SERVED_H

#include "proto/holdfast/certd/v1/edges.pb-c.h"
#include "tools/cli.h"

/* What certd knows of edges, beside what keyd does. */
#define EDGE_SERVED_CELLS 3
#define EDGE_SERVED_TIMEOUT_MS 2000

/* NULL where no certd answers soon; release with certd_free. */
void edge_served_get(struct cli *cli, ProtobufCMessage **ret_list);

/* State, version of the newest, and sites served of all, of an edge by its
 * SPIFFE ID; "-" each where certd does not know it or list is NULL. */
void edge_served_find(const Holdfast__Certd__V1__ListEdgesResponse *list,
    const char *identity, char ret_cells[EDGE_SERVED_CELLS][48]);

#endif
