/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_APPROVAL_H
#define TOOLS_APPROVAL_H

#include "proto/holdfast/keyd/v1/approvals.pb-c.h"
#include "tools/cli.h"

/* Say that an act waits for other operators, and what is next; as JSON
 * {"approval": {...}}. */
void cli_print_waiting(
    const struct cli *cli, const Holdfast__Keyd__V1__Approval *approval);

#endif
