/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A borrowed view.  Never owns, never outlives the call it was passed to. */
struct bytes {
	const uint8_t *at;
	size_t len;
};

/* The view of a C string, without its terminating zero. */
static inline struct bytes
bytes_of(const char *text)
{
	return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

/* Not constant time: for public values only; secrets use secret_equal. */
static inline bool
bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/*
 * A reader over borrowed bytes: each take fails, changing nothing, when fewer
 * bytes are left than asked for.  For parsers of foreign bytes.
 */
static inline bool
bytes_take(struct bytes *from, size_t len, struct bytes *ret_taken)
{
	if (len > from->len)
		return false;
	*ret_taken = (struct bytes){ from->at, len };
	from->at += len;
	from->len -= len;
	return true;
}

/* Lower-case hex; ret_text holds 2 * b.len + 1 bytes. */
void bytes_to_hex(struct bytes b, char *ret_text);

/*
 * Parse exactly 2 * len hex digits (either case) into ret_at; false on any
 * other input, ret_at then untouched.  len <= 64.
 */
bool bytes_from_hex(const char *text, size_t len, uint8_t *ret_at);

#endif
