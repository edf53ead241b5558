/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_AUTHORITY_FILES_H
#define CERTD_AUTHORITY_FILES_H

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/config.h"

/*
 * What the configuration names in files for its CAs, in memory: MAC keys of
 * external accounts and the roots that their web servers are verified by.
 * Immutable after it was read.
 */
struct authority_files;

#define AUTHORITY_FILES_WHY_MAX 512

/* FAILED_PRECONDITION: one cannot be used; ret_why says which, and why. */
STATUS authority_files_read(const struct config *config,
    struct authority_files **ret_files, char *ret_why);
void authority_files_free(struct authority_files *files); /* or NULL */
SCOPED_RELEASE(authority_files_free, struct authority_files *);

/* Of config's i-th CA.  Empty: it has no external account. */
struct bytes authority_files_mac_key(
    const struct authority_files *files, size_t i);
/* PEM; NULL: the system has none. */
const char *authority_files_roots(
    const struct authority_files *files, size_t i);

#endif
