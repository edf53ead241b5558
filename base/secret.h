/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/status.h"

/*
 * Secret octets: on their own locked pages, left out of core files and forks,
 * wiped on release.  Nothing here prints.  Not thread-safe; owned by one.
 */
struct secret;

/* len zero octets.  len 1..65536.  NULL only when memory or mlock limits end.
 */
struct secret *secret_new(size_t len);
void secret_free(struct secret *secret); /* NULL is allowed */
SCOPED_RELEASE(secret_free, struct secret *);

uint8_t *secret_at(struct secret *secret);
struct bytes secret_bytes(const struct secret *secret);

/*
 * Read a file of 1..4096 octets, one trailing newline dropped.  Refuses a file
 * that group or others may read or write, and one that is not regular.  A path
 * "$CREDENTIALS_DIRECTORY/x" resolves as systemd's LoadCredential lays it out.
 */
STATUS secret_from_file(const char *path, struct secret **ret_secret);
/* The same of a file of up to 65,535 octets, such as a list of passwords. */
STATUS secret_from_long_file(const char *path, struct secret **ret_secret);

/* len octets from the system's generator. */
STATUS secret_random(size_t len, struct secret **ret_secret);

/* Constant time in the content; lengths are not secret. */
bool secret_equal(struct bytes a, struct bytes b);

#endif
