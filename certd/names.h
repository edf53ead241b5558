/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NAMES_H
#define CERTD_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "pki/hostname.h"

/*
 * Normalized host names, of a resource or of a certificate.  Starts zeroed; its
 * owner ends it with names_done, or scoped(names_done).
 */
struct names {
	size_t n;
	char (*at)[HOSTNAME_MAX]; /* malloc'd */
};

void names_done(struct names *names);
static inline void
scoped_names_done(struct names *names)
{
	names_done(names);
}

/* A copy; false when memory ends. */
bool names_add(struct names *names, const char *name);
/* The first column of a query about one id; ret_names is not ended before. */
STATUS names_read(
    struct db_tx *tx, const char *sql, int64_t id, struct names *ret_names);
/* In one text, separated by blanks: sorted, each once; malloc'd, NULL when
 * memory ends.  And back again; ret_names is not ended before. */
char *names_print(const struct names *names);
STATUS names_parse(const char *text, struct names *ret_names);
bool names_has(const struct names *names, const char *name);
/* Are all of these among others? */
bool names_within(const struct names *names, const struct names *others);

/* May a certificate for these be used for name (pki/hostname.h)? */
bool names_cover(const struct names *names, const char *name);

#endif
