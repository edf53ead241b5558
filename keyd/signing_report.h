/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_SIGNING_REPORT_H
#define KEYD_SIGNING_REPORT_H

#include "keyd/signing_tally.h"
#include "rpc/server.h"

/* Adds Status.Signing: what the tally (borrowed) has, as series over time.
 * Before rpc_server_start. */
void signing_report_register(
    struct signing_tally *tally, struct rpc_server *server);

#endif
