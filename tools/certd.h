/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CERTD_H
#define TOOLS_CERTD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "base/scoped.h"
#include "tools/cli.h"

/* What the commands that ask certd share. */

/* certd's port where nothing else is said. */
#define CERTD_PORT "7445"

/*
 * As cli_call, to certd: at --certd, else HOLDFAST_CERTD, else on keyd's host
 * at CERTD_PORT.
 */
int certd_call(struct cli *cli, const ProtobufCServiceDescriptor *service,
    const char *method, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply);
/* The same with other words for one status: NULL prints certd's own. */
struct status certd_try(struct cli *cli,
    const ProtobufCServiceDescriptor *service, const char *method,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply,
    char ret_why[RPC_WHY_MAX]);

/* What certd answered; NULL is allowed. */
void certd_free(ProtobufCMessage *reply);
SCOPED_RELEASE(certd_free, ProtobufCMessage *);

/* For a message that is only going to be packed; NULL is "". */
char *certd_lend(const char *borrowed);

/* A certificate or resource by id, or by a name that only one has.  0 or an
 * exit code after printing. */
int certd_certificate_id(
    struct cli *cli, const char *account, const char *name, int64_t *ret_id);
int certd_resource_id(
    struct cli *cli, const char *account, const char *name, int64_t *ret_id);
/* An id from text of digits, or false. */
bool certd_parse_id(const char *text, int64_t *ret_id);

/* "a, b, c" of a repeated string, cut with "..." at max. */
void certd_join(char *const *items, size_t n, char *ret_text, size_t max);

/* The whole message as JSON, to stdout. */
void certd_print_json(const ProtobufCMessage *message);

/* Print it as JSON when that is asked for: true, and there is no more to do. */
bool certd_json(const struct cli *cli, const ProtobufCMessage *message);

#endif
