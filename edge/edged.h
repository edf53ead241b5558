/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_EDGED_H
#define EDGE_EDGED_H

#include "base/status.h"
#include "edge/config.h"

/*
 * The agent: serve until SIGTERM or SIGINT, then drain.  Says in the log what
 * went wrong.  Before any thread: it hardens the process and blocks signals.
 */
STATUS edged_run(const struct edge_config *config);

#endif
