/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_HTTP_PORT_H
#define CERTD_HTTP_PORT_H

#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "certd/http_challenges.h"

/*
 * certd's own port for http-01 (RFC 8555 8.3), acme.http_listen: for sites
 * whose web server passes /.well-known/acme-challenge/ on to here instead of to
 * an edge.  Plain HTTP, for the CA asks so; one thread.
 *
 *     /.well-known/acme-challenge/TOKEN   the answer in force, text/plain
 *     /.well-known/acme-challenge/test    "test", for who looks whether the way
 *                                         to here is open
 */
struct http_port;

/* listen is "address:port", port 0 for any.  challenges is borrowed.
 * UNAVAILABLE: the address cannot be listened on. */
STATUS http_port_start(const char *listen, struct http_challenges *challenges,
    struct http_port **ret_port);
/* The port listened on. */
uint16_t http_port_number(const struct http_port *port);
void http_port_stop(struct http_port *port); /* NULL is allowed */
SCOPED_RELEASE(http_port_stop, struct http_port *);

#endif
