/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_DER_H
#define BASE_DER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/*
 * A strict reader of DER (X.690 10) for small public values: one-octet tags,
 * definite lengths in their shortest form, at most 65,535 octets of content.
 */
enum der_tag {
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_UTF8_STRING = 0x0c,
	DER_SEQUENCE = 0x30,
};

/*
 * Take one element of this tag off the front of *from; ret_content borrows its
 * content.  On failure nothing is taken.
 */
static inline bool
der_take(struct bytes *from, enum der_tag tag, struct bytes *ret_content)
{
	struct bytes rest = *from;
	struct bytes head, more;
	size_t len;

	if (!bytes_take(&rest, 2, &head) || head.at[0] != (uint8_t)tag)
		return false;
	len = head.at[1];
	if (len == 0x81) {
		if (!bytes_take(&rest, 1, &more) || more.at[0] < 0x80)
			return false;
		len = more.at[0];
	} else if (len == 0x82) {
		if (!bytes_take(&rest, 2, &more) || more.at[0] == 0)
			return false;
		len = (size_t)more.at[0] << 8 | more.at[1];
	} else if (len >= 0x80) {
		return false;
	}
	if (!bytes_take(&rest, len, ret_content))
		return false;
	*from = rest;
	return true;
}

#endif
