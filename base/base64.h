/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* RFC 4648 section 4, in which every run of octets has exactly one text. */

/* Characters, with the zero that ends them. */
#define BASE64_MAX(octets) (((octets) + 2) / 3 * 4 + 1)

/* ret_text holds BASE64_MAX(octets.len).  Returns its length. */
size_t base64_encode(struct bytes octets, char *ret_text);

/*
 * False for anything that base64_encode would not write.  At most max octets
 * are written to ret_at (which may be NULL when max is 0); *ret_len is how many
 * the text stands for.
 */
bool base64_decode(
    struct bytes text, uint8_t *ret_at, size_t max, size_t *ret_len);
/* The same, when exactly len octets are expected. */
bool base64_decode_exactly(struct bytes text, uint8_t *ret_at, size_t len);

#endif
