/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_TLS_SERVER_H
#define TESTS_UNIT_TLS_SERVER_H

#include <stddef.h>

#include "tests/unit/site_maker.h"

/* A web server's TLS of a few lines, on a loopback port and a thread of its
 * own: by SNI, certificates of several kinds.  Asserts on its failures. */
struct tls_server;

struct tls_server *tls_server_new(void);
void tls_server_free(struct tls_server *server);
/* "127.0.0.1:port", borrowed. */
const char *tls_server_address(const struct tls_server *server);

/* What is served for a name from now on; others get no handshake.  Certificates
 * are copied.  version 0: TLS 1.3 and 1.2, else no other than this. */
void tls_server_serve(struct tls_server *server, const char *name,
    const struct made_cert *const *certs, size_t n, int version);
unsigned tls_server_handshakes(struct tls_server *server);

#endif
