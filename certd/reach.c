/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which addresses are public; see reach.h.  Of IPv6 only 2000::/3 was ever
 * given out, so all else is refused without being named.
 */

#include "certd/reach.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct block {
	uint8_t at[4];
	unsigned bits;
};

static const struct block V4[] = {
	{ { 0, 0, 0, 0 }, 8 }, { { 10, 0, 0, 0 }, 8 },
	{ { 100, 64, 0, 0 }, 10 }, { { 127, 0, 0, 0 }, 8 },
	{ { 169, 254, 0, 0 }, 16 }, { { 172, 16, 0, 0 }, 12 },
	{ { 192, 0, 0, 0 }, 24 }, { { 192, 0, 2, 0 }, 24 },
	{ { 192, 88, 99, 0 }, 24 }, { { 192, 168, 0, 0 }, 16 },
	{ { 198, 18, 0, 0 }, 15 }, { { 198, 51, 100, 0 }, 24 },
	{ { 203, 0, 113, 0 }, 24 },
	{ { 224, 0, 0, 0 }, 3 }, /* multicast, reserved, broadcast */
};

/* Within 2000::/3; the first four octets tell. */
static const struct block V6[] = {
	{ { 0x20, 0x01, 0x00, 0x00 }, 23 }, /* Teredo, ORCHID, benchmarks */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32 },
	{ { 0x20, 0x02, 0x00, 0x00 }, 16 }, /* 6to4 */
	{ { 0x3f, 0xff, 0x00, 0x00 }, 20 }, /* RFC 9637 */
};

static bool
is_in(const uint8_t at[4], const struct block *block)
{
	uint32_t a = 0, b = 0;

	for (size_t i = 0; i < 4; i++) {
		a = a << 8 | at[i];
		b = b << 8 | block->at[i];
	}
	return ((a ^ b) >> (32 - block->bits)) == 0;
}

static bool
is_in_any(const uint8_t at[4], const struct block *blocks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_in(at, &blocks[i]))
			return true;
	return false;
}

bool
reach_is_public(const char *address)
{
	uint8_t v4[4], v6[16];

	if (inet_pton(AF_INET, address, v4) == 1)
		return !is_in_any(v4, V4, sizeof(V4) / sizeof(V4[0]));
	if (inet_pton(AF_INET6, address, v6) != 1)
		return false;
	return (v6[0] & 0xe0) == 0x20 &&
	       !is_in_any(v6, V6, sizeof(V6) / sizeof(V6[0]));
}
