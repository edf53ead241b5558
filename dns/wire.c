/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The octets of DNS messages.  What is read is foreign: every take looks at
 * what is left, and a compressed name may only point back, to before the labels
 * that pointed, so that following it comes to an end.
 */

#include "dns/wire.h"

#include <stdio.h>
#include <strings.h>

/* --- Reading ----------------------------------------------------------------
 */

bool
wire_take(struct wire_reader *from, size_t len, struct bytes *ret_taken)
{
	if (len > from->message.len - from->at)
		return false;
	*ret_taken = (struct bytes){ from->message.at + from->at, len };
	from->at += len;
	return true;
}

/* Big-endian, up to 8 octets. */
static bool
take_number(struct wire_reader *from, size_t len, uint64_t *ret_value)
{
	struct bytes octets;
	uint64_t value = 0;

	if (!wire_take(from, len, &octets))
		return false;
	for (size_t i = 0; i < len; i++)
		value = value << 8 | octets.at[i];
	*ret_value = value;
	return true;
}

bool
wire_take_u8(struct wire_reader *from, uint8_t *ret_value)
{
	uint64_t value;

	if (!take_number(from, 1, &value))
		return false;
	*ret_value = (uint8_t)value;
	return true;
}

bool
wire_take_u16(struct wire_reader *from, uint16_t *ret_value)
{
	uint64_t value;

	if (!take_number(from, 2, &value))
		return false;
	*ret_value = (uint16_t)value;
	return true;
}

bool
wire_take_u32(struct wire_reader *from, uint32_t *ret_value)
{
	uint64_t value;

	if (!take_number(from, 4, &value))
		return false;
	*ret_value = (uint32_t)value;
	return true;
}

bool
wire_take_u48(struct wire_reader *from, uint64_t *ret_value)
{
	return take_number(from, 6, ret_value);
}

bool
wire_take_header(struct wire_reader *from, struct wire_header *ret_header)
{
	struct wire_reader reader = *from;
	struct wire_header header;
	bool ok = wire_take_u16(&reader, &header.id) &&
		  wire_take_u16(&reader, &header.flags);

	for (size_t i = 0; i < 4 && ok; i++)
		ok = wire_take_u16(&reader, &header.counts[i]);
	if (!ok)
		return false;
	*ret_header = header;
	*from = reader;
	return true;
}

/* --- Names ------------------------------------------------------------------
 */

/* A name as it grows. */
struct text {
	char at[DNS_NAME_MAX];
	size_t len, octets;
};

static bool
add_octet(struct text *text, uint8_t octet)
{
	char part[5];
	int len;

	if (octet >= 'A' && octet <= 'Z')
		octet = (uint8_t)(octet - 'A' + 'a');
	if (octet == '.' || octet == '\\')
		len = snprintf(part, sizeof(part), "\\%c", octet);
	else if (octet > ' ' && octet <= '~')
		len = snprintf(part, sizeof(part), "%c", octet);
	else
		len = snprintf(part, sizeof(part), "\\%03u", octet);
	if (text->len + (size_t)len >= sizeof(text->at))
		return false;
	memcpy(text->at + text->len, part, (size_t)len);
	text->len += (size_t)len;
	return true;
}

static bool
add_label(struct text *text, struct bytes label)
{
	text->octets += 1 + label.len;
	if (text->octets + 1 > WIRE_NAME_MAX)
		return false;
	if (text->len > 0) {
		if (text->len + 1 >= sizeof(text->at))
			return false;
		text->at[text->len++] = '.';
	}
	for (size_t i = 0; i < label.len; i++)
		if (!add_octet(text, label.at[i]))
			return false;
	return true;
}

/* Labels from where reader is, up to the root.  *ret_end: after the name, as it
 * stands there. */
static bool
take_labels(struct wire_reader reader, struct text *text, size_t *ret_end)
{
	size_t start = reader.at; /* where a pointer must lead to before */
	bool has_jumped = false;
	struct bytes label;
	uint8_t len, low;

	for (;;) {
		if (!wire_take_u8(&reader, &len))
			return false;
		if (len > WIRE_LABEL_MAX) {
			size_t to;

			if (len < 0xc0 || !wire_take_u8(&reader, &low))
				return false;
			if (!has_jumped)
				*ret_end = reader.at;
			has_jumped = true;
			to = (size_t)(len & 0x3f) << 8 | low;
			if (to >= start)
				return false;
			start = reader.at = to;
			continue;
		}
		if (len == 0)
			break;
		if (!wire_take(&reader, len, &label) || !add_label(text, label))
			return false;
	}
	if (!has_jumped)
		*ret_end = reader.at;
	return true;
}

bool
wire_take_name(struct wire_reader *from, char ret_name[DNS_NAME_MAX])
{
	struct text text = { .len = 0 };
	size_t end = 0;

	if (!take_labels(*from, &text, &end))
		return false;
	if (text.len == 0)
		text.at[text.len++] = '.';
	memcpy(ret_name, text.at, text.len);
	ret_name[text.len] = 0;
	from->at = end;
	return true;
}

bool
wire_take_question(struct wire_reader *from, char ret_name[DNS_NAME_MAX],
    uint16_t *ret_type, uint16_t *ret_class)
{
	struct wire_reader reader = *from;

	if (!wire_take_name(&reader, ret_name) ||
	    !wire_take_u16(&reader, ret_type) ||
	    !wire_take_u16(&reader, ret_class))
		return false;
	*from = reader;
	return true;
}

bool
wire_take_record(struct wire_reader *from, struct wire_record *ret_record)
{
	struct wire_reader reader = *from;
	uint16_t len;

	if (!wire_take_name(&reader, ret_record->name) ||
	    !wire_take_u16(&reader, &ret_record->type) ||
	    !wire_take_u16(&reader, &ret_record->class) ||
	    !wire_take_u32(&reader, &ret_record->ttl_s) ||
	    !wire_take_u16(&reader, &len))
		return false;
	ret_record->data_at = reader.at;
	if (!wire_take(&reader, len, &ret_record->data))
		return false;
	*from = reader;
	return true;
}

/* --- Writing ----------------------------------------------------------------
 */

void
wire_put(struct wire_writer *to, struct bytes octets)
{
	if (to->is_bad || octets.len > to->max - to->len) {
		to->is_bad = true;
		return;
	}
	if (octets.len > 0)
		memcpy(to->at + to->len, octets.at, octets.len);
	to->len += octets.len;
}

static void
put_number(struct wire_writer *to, uint64_t value, size_t len)
{
	uint8_t octets[8];

	for (size_t i = 0; i < len; i++)
		octets[i] = (uint8_t)(value >> 8 * (len - 1 - i));
	wire_put(to, (struct bytes){ octets, len });
}

void
wire_put_u8(struct wire_writer *to, uint8_t value)
{
	put_number(to, value, 1);
}

void
wire_put_u16(struct wire_writer *to, uint16_t value)
{
	put_number(to, value, 2);
}

void
wire_put_u32(struct wire_writer *to, uint32_t value)
{
	put_number(to, value, 4);
}

void
wire_put_u48(struct wire_writer *to, uint64_t value)
{
	put_number(to, value, 6);
}

void
wire_put_header(struct wire_writer *to, const struct wire_header *header)
{
	wire_put_u16(to, header->id);
	wire_put_u16(to, header->flags);
	for (size_t i = 0; i < 4; i++)
		wire_put_u16(to, header->counts[i]);
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* One octet of a label: as it is, "\X" or "\DDD".  Moves on past it. */
static bool
take_octet(const char **at, uint8_t *ret_octet)
{
	const char *c = *at;
	unsigned value = (uint8_t)*c;
	size_t len = 1;

	if (*c == '\\' && is_digit(c[1])) {
		if (!is_digit(c[2]) || !is_digit(c[3]))
			return false;
		value = (unsigned)(100 * (c[1] - '0') + 10 * (c[2] - '0') +
				   (c[3] - '0'));
		if (value > UINT8_MAX)
			return false;
		len = 4;
	} else if (*c == '\\') {
		value = (uint8_t)c[1];
		if (value == 0)
			return false;
		len = 2;
	}
	if (value >= 'A' && value <= 'Z')
		value = value - 'A' + 'a';
	*ret_octet = (uint8_t)value;
	*at = c + len;
	return true;
}

/* Up to a dot, which is taken too, or the end. */
static bool
put_label(struct wire_writer *to, const char **at)
{
	uint8_t label[WIRE_LABEL_MAX];
	size_t len = 0;

	while (**at != 0 && **at != '.') {
		uint8_t octet;

		if (len == sizeof(label) || !take_octet(at, &octet))
			return false;
		label[len++] = octet;
	}
	if (len == 0)
		return false;
	if (**at == '.')
		(*at)++;
	wire_put_u8(to, (uint8_t)len);
	wire_put(to, (struct bytes){ label, len });
	return true;
}

void
wire_put_name(struct wire_writer *to, const char *name)
{
	size_t start = to->len;
	const char *at = name;

	if (strcmp(at, ".") == 0)
		at++;
	else if (*at == 0)
		to->is_bad = true;
	while (*at != 0 && !to->is_bad)
		if (!put_label(to, &at))
			to->is_bad = true;
	wire_put_u8(to, 0);
	if (to->len - start > WIRE_NAME_MAX)
		to->is_bad = true;
}

/* --- Names as text ----------------------------------------------------------
 */

/* Octets of it without a last dot. */
static size_t
name_len(const char *name)
{
	size_t len = strlen(name);

	if (len > 0 && name[len - 1] == '.' &&
	    (len < 2 || name[len - 2] != '\\'))
		len--;
	return len;
}

bool
wire_clean_name(const char *name, char ret_name[DNS_NAME_MAX])
{
	uint8_t octets[WIRE_NAME_MAX];
	struct wire_writer writer = { .at = octets, .max = sizeof(octets) };
	struct wire_reader reader;

	wire_put_name(&writer, name);
	if (writer.is_bad)
		return false;
	reader = (struct wire_reader){ { octets, writer.len }, 0 };
	return wire_take_name(&reader, ret_name);
}

bool
wire_same_name(const char *a, const char *b)
{
	size_t len = name_len(a);

	return len == name_len(b) && strncasecmp(a, b, len) == 0;
}

const char *
wire_parent(const char *name)
{
	if (name[0] == 0 || strcmp(name, ".") == 0)
		return NULL;
	for (const char *c = name; *c != 0; c++) {
		if (*c == '\\' && c[1] != 0)
			c++;
		else if (*c == '.')
			return c[1] != 0 ? c + 1 : ".";
	}
	return ".";
}
