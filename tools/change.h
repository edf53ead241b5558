/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CHANGE_H
#define TOOLS_CHANGE_H

#include <stdint.h>

#include "proto/holdfast/certd/v1/enrollments.pb-c.h"
#include "tools/cli.h"

/* What the commands on enrollments and changes share. */

const char *change_state_text(Holdfast__Certd__V1__ChangeState state);
/* One change for people. */
void change_print(const Holdfast__Certd__V1__Change *change);

/*
 * Follow a change until it has ended or a person has to do something, with a
 * line that shows its progress where stderr is a terminal; then print it.  0
 * when it is done or awaits an input, EXIT_REFUSED when it failed.
 */
int change_follow(struct cli *cli, int64_t id);

#endif
