/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_REST_CLIENT_H
#define CERTD_REST_CLIENT_H

#include <stdbool.h>

#include "certd/rest_int.h"

/* Who sends a request, when a proxy may have brought it: this alone says so to
 * all that tells clients apart, but for the connections themselves. */

/* Sets client, address, by_proxy and by_https of the request, of its head. */
void rest_client_find(struct rest_request *request);
/* Is the other end of a connection a proxy that rest.trusted_proxies names? */
bool rest_client_is_proxy(
    const struct rest *rest, const struct sockaddr *address);

#endif
