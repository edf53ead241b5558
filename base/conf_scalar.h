/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CONF_SCALAR_H
#define BASE_CONF_SCALAR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/conf.h"

/* The values of base/conf.c that are one word; for that file only. */

#define CONF_WHY_MAX 256

/*
 * Read a zero-terminated scalar without zeros inside as the field's type and
 * within its bounds into the member, which a string then owns.  False with the
 * reason in ret_why, which reads on after the field's name, member untouched.
 */
bool conf_scalar_read(const struct conf_field *field, const char *text,
    void *ret_member, char ret_why[CONF_WHY_MAX]);

/* Does the type have its value in one scalar? */
bool conf_scalar_is(enum conf_type type);

/*
 * Text of the file for a message: control characters replaced, cut to fit, and
 * in quotes.
 */
#define CONF_QUOTE_MAX 56
void conf_scalar_quote(const char *text, char ret_quoted[CONF_QUOTE_MAX]);

#endif
