/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_PORT_H
#define KEYD_PORT_H

#include <stdint.h>

#include "base/metrics.h"
#include "base/status.h"
#include "keyd/authority.h"
#include "keyd/roles.h"
#include "rpc/server.h"

/*
 * One of keyd's two ports: a server that serves with keyd's own certificate,
 * whichever is the newest, and asks the role table who may call what.
 */
struct port {
	struct rpc_server *server;
	struct authority *authority;
	uint64_t identity_seen;
	struct roles roles;
};

struct port_config { /* borrowed */
	const char *listen;
	struct authority *authority;
	struct roles roles;
	struct metrics *metrics;
	/* NULL: the main port.  Else the enrollment port, where callers have no
	 * identity yet, beside this one. */
	struct rpc_server *main;
};

/* Fills in port, which stays where it is until its server is freed; services
 * are added next, then rpc_server_start. */
STATUS port_open(struct port *port, const struct port_config *config);

#endif
