/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_RESOURCE_FIELDS_H
#define CERTD_RESOURCE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/names.h"
#include "certd/networks.h"
#include "certd/store_resources.h"
#include "proto/holdfast/certd/v1/resources.pb-c.h"

/*
 * What callers say of a resource, checked and put into a row.  INVALID_ARGUMENT
 * with a sentence in call->why, unless said otherwise; the row is then as it
 * was.
 */

STATUS resource_fields_name(
    struct api_call *call, const char *name, struct resource_row *row);

/* A host name or an address, and perhaps a port; NULL or empty: none. */
STATUS resource_fields_origin(struct api_call *call,
    const Holdfast__Certd__V1__Origin *origin, struct resource_row *row);

/* Empty: "standard", and the network's first group. */
STATUS resource_fields_network(struct api_call *call,
    const struct networks *networks, const char *network,
    struct resource_row *row);
STATUS resource_fields_group(struct api_call *call,
    const struct networks *networks, const char *edge_group,
    struct resource_row *row);

/*
 * Host names in one spelling, each once.  None asked for: the row's target,
 * which there must be.  PERMISSION_DENIED for the operator's zone itself and
 * wildcards in it, unless an operator asks.
 */
STATUS resource_fields_names(struct api_call *call, const char *zone,
    const struct resource_row *row, size_t n, char *const *asked,
    struct names *ret_names);

/* Is it in the zone?  False without one. */
bool resource_fields_in_zone(const char *zone, const char *name);

/*
 * A target that nobody has: "shop-acme.edge.example.net".  Without a zone the
 * label alone, which is no name in DNS and not shown.
 */
STATUS resource_fields_target(
    struct db_tx *tx, const char *zone, struct resource_row *row);

#endif
