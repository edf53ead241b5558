/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_WIRE_H
#define DNS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "dns/resolver.h"

/*
 * The octets of DNS messages (RFC 1035 4.1): a reader that never leaves its
 * message, and a writer that never leaves its buffer.
 */

#define WIRE_HEADER_LEN 12
#define WIRE_LABEL_MAX 63
#define WIRE_NAME_MAX 255 /* octets, with lengths and the root's zero */

#define WIRE_TYPE_OPT 41
#define WIRE_TYPE_TSIG 250
#define WIRE_CLASS_IN 1
#define WIRE_CLASS_NONE 254
#define WIRE_CLASS_ANY 255

struct wire_header {
	uint16_t id, flags;
	uint16_t counts[4]; /* questions, answers, authority, additional */
};
#define WIRE_FLAG_QR 0x8000
#define WIRE_FLAG_AA 0x0400
#define WIRE_FLAG_TC 0x0200
#define WIRE_FLAG_RD 0x0100

static inline unsigned
wire_opcode(const struct wire_header *header)
{
	return header->flags >> 11 & 0xf;
}

static inline unsigned
wire_rcode(const struct wire_header *header)
{
	return header->flags & 0xf;
}

/* ---- reading: each is false, and changes nothing, where there is no such
 * thing ---- */

struct wire_reader {
	struct bytes message;
	size_t at; /* of the next octet */
};

bool wire_take_u8(struct wire_reader *from, uint8_t *ret_value);
bool wire_take_u16(struct wire_reader *from, uint16_t *ret_value);
bool wire_take_u32(struct wire_reader *from, uint32_t *ret_value);
bool wire_take_u48(struct wire_reader *from, uint64_t *ret_value);
bool wire_take(struct wire_reader *from, size_t len, struct bytes *ret_taken);
bool wire_take_header(struct wire_reader *from, struct wire_header *ret_header);

/*
 * A name, compressed (RFC 1035 4.1.4) or not, in lower case and without the
 * last dot; the root is ".".  Dots and backslashes in labels come as "\." and
 * "\\", other octets that are no letters to look at as "\DDD" (RFC 1035 5.1).
 * Refused: pointers that do not lead back, names over 255 octets, and those
 * that are too long as text.
 */
bool wire_take_name(struct wire_reader *from, char ret_name[DNS_NAME_MAX]);

/* The head of a record; data is a view into the message. */
struct wire_record {
	char name[DNS_NAME_MAX];
	uint16_t type, class;
	uint32_t ttl_s;
	size_t data_at; /* of data, in the message: for names inside */
	struct bytes data;
};
bool wire_take_record(struct wire_reader *from, struct wire_record *ret_record);
bool wire_take_question(struct wire_reader *from, char ret_name[DNS_NAME_MAX],
    uint16_t *ret_type, uint16_t *ret_class);

/* ---- writing: what does not fit, or is no name, makes is_bad ---- */

struct wire_writer {
	uint8_t *at;
	size_t max, len;
	bool is_bad;
};

void wire_put_u8(struct wire_writer *to, uint8_t value);
void wire_put_u16(struct wire_writer *to, uint16_t value);
void wire_put_u32(struct wire_writer *to, uint32_t value);
void wire_put_u48(struct wire_writer *to, uint64_t value);
void wire_put(struct wire_writer *to, struct bytes octets);
void wire_put_header(struct wire_writer *to, const struct wire_header *header);
/* In lower case and not compressed: what RFC 4034 6.2 calls canonical.  Takes
 * what wire_take_name gives, and a last dot. */
void wire_put_name(struct wire_writer *to, const char *name);

/* As wire_take_name would give it; false: it is no name. */
bool wire_clean_name(const char *name, char ret_name[DNS_NAME_MAX]);
/* Are two names, as text, the same?  A last dot and case do not count. */
bool wire_same_name(const char *a, const char *b);
/* The name of one label less; NULL: it was the root. */
const char *wire_parent(const char *name);

#endif
