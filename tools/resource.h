/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_RESOURCE_H
#define TOOLS_RESOURCE_H

#include "proto/holdfast/certd/v1/resources.pb-c.h"
#include "tools/cli.h"

/* What the commands on resources share. */

/* NULL-terminated, at the places of the .proto's numbers; 0 is none. */
extern const char *const resource_modes[];
extern const char *const resource_origin_modes[];

/* One resource for people. */
void resource_print(const Holdfast__Certd__V1__Resource *resource);
/* Ask Resources and print the resource that it answers with. */
int resource_ask(
    struct cli *cli, const char *method, const ProtobufCMessage *request);

#endif
