/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_SCHEMA_H
#define CERTD_STORE_SCHEMA_H

#include <stddef.h>

/* The steps for db_open; see store_schema.c, which is the schema. */
extern const char *const store_migrations[];
extern const size_t store_n_migrations;

/* Some of them, in files of their own. */
extern const char store_schema_acme[];
extern const char store_schema_console[];
extern const char store_schema_activity[];

#endif
