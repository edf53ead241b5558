/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACME_OBJECTS_INT_H
#define ACME_OBJECTS_INT_H

#include "acme/client.h"
#include "acme/json.h"

/* Pieces of objects, between objects.c and objects_authorization.c. */

/* OK, or what the reader found bad. */
STATUS acme_objects_verdict(
    const struct acme_json *json, char ret_why[ACME_JSON_WHY_MAX]);

void acme_objects_read_status(
    struct acme_json *json, enum acme_status *ret_status);
/* Its "error", if there is one. */
void acme_objects_read_problem(
    struct acme_json *json, struct acme_problem *ret_problem);
/* "a.example"; what is no DNS name is named by its type, "ip:192.0.2.1". */
void acme_objects_read_identifier(
    struct acme_json *json, const json_t *value, char ret_name[256]);

#endif
