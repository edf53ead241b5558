/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_KEY_WRAP_H
#define TOOLS_KEY_WRAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "pki/key_file.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"

/*
 * Private keys on their owner's machine: from a file into locked memory, and
 * out of it only wrapped for a key that the token has.  What fails has been
 * said; the answers are exit codes.
 */

/* Before anything secret is read: no core file, nobody who attaches, and
 * OpenSSL's memory guarded (key_file_guard). */
void key_wrap_guard(void);

/* The name of a file in sentences: "-" is "stdin". */
const char *key_wrap_name(const char *path);
/* All of it, at most KEY_FILE_MAX - 1 octets; "-" is stdin. */
int key_wrap_read(
    const char *path, struct secret **ret_octets, size_t *ret_len);

/*
 * Wrap it as keyd says, and let go of the clear key: from here on only the
 * token can open it.  Refused: a way of wrapping that is not known here, and a
 * wrapping key that is not the one its id names.
 */
int key_wrap_now(const Holdfast__Keyd__V1__ImportParametersResponse *parameters,
    struct key_file *file, uint8_t ret_blob[KEY_FILE_BLOB_MAX],
    size_t *ret_len);

#endif
