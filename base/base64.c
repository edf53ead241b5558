/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base64 with one text for every run of octets.  libcrypto's decoder passes
 * over white space and takes padding loosely; a note that reads the same
 * in two spellings could be altered without that showing.  Refuses white space,
 * missing padding, and bits set where the padding begins.
 */
#include "base/base64.h"

#include <openssl/evp.h>

size_t
base64_encode(struct bytes octets, char *ret_text)
{
	return (size_t)EVP_EncodeBlock(
	    (unsigned char *)ret_text, octets.at, (int)octets.len);
}

static int
value_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* The 24 bits of four characters, of which the last pad are padding. */
static bool
decode_group(const uint8_t *at, size_t pad, uint32_t *ret_bits)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		const int value = i < 4 - pad ? value_of(at[i]) : 0;

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
	}
	if ((bits & ((1U << 8 * pad) - 1)) != 0)
		return false;
	*ret_bits = bits;
	return true;
}

bool
base64_decode(struct bytes text, uint8_t *ret_at, size_t max, size_t *ret_len)
{
	size_t len = 0;

	if (text.len % 4 != 0)
		return false;
	for (size_t i = 0; i < text.len; i += 4) {
		size_t pad = 0;
		uint32_t bits;

		if (i + 4 == text.len && text.at[i + 3] == '=')
			pad = text.at[i + 2] == '=' ? 2 : 1;
		if (!decode_group(text.at + i, pad, &bits))
			return false;
		for (size_t j = 0; j < 3 - pad; j++, len++) {
			if (len < max)
				ret_at[len] = (uint8_t)(bits >> (16 - 8 * j));
		}
	}
	*ret_len = len;
	return true;
}

bool
base64_decode_exactly(struct bytes text, uint8_t *ret_at, size_t len)
{
	size_t found;

	return text.len == (len + 2) / 3 * 4 &&
	       base64_decode(text, ret_at, len, &found) && found == len;
}
