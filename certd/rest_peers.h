/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_REST_PEERS_H
#define CERTD_REST_PEERS_H

#include <stdbool.h>

#include <microhttpd.h>

#include "certd/rest_int.h"

/* The connections of a REST server; callbacks of libmicrohttpd, cls is the
 * struct rest. */
enum MHD_Result rest_peers_accept(
    void *cls, const struct sockaddr *address, socklen_t len);
void rest_peers_notify(void *cls, struct MHD_Connection *of, void **context,
    enum MHD_ConnectionNotificationCode code);

/* Whose turn it is on a request's connection: the client's, whose time runs
 * from now, or this server's. */
void rest_peers_turn(struct rest_request *request, bool is_clients_turn);

/* The identity ("operator/admin") that the request's connection shows by a
 * client certificate, and when that ends; "" when it shows none that is in
 * force.  ret_identity: ACTOR_MAX. */
void rest_peers_identity(const struct rest_request *request, char *ret_identity,
    int64_t *ret_not_after_s);

/* The thread that ends those whose time is over. */
STATUS rest_peers_watch(struct rest *rest);
void rest_peers_stop(struct rest *rest);

#endif
