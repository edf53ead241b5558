/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_LEDGER_HTTP_H
#define KEYD_LEDGER_HTTP_H

#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"

/*
 * Serves a ledger folder over plain HTTP, read-only, by the paths of C2SP
 * tlog-tiles, with handovers and the cosigned checkpoint beside them
 * (ledger/verify.h).  It asks nobody who they are.  A thread of its own.
 */
struct ledger_http;

/* listen: "127.0.0.1:port", "[::1]:port" or any other address; port 0 picks
 * one.  The folder must be there. */
STATUS ledger_http_start(
    const char *listen, const char *folder, struct ledger_http **ret_http);
uint16_t ledger_http_port(const struct ledger_http *http);
void ledger_http_stop(struct ledger_http *http); /* NULL is allowed */
SCOPED_RELEASE(ledger_http_stop, struct ledger_http *);

#endif
