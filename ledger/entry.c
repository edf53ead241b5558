/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AuditEntry (proto/holdfast/keyd/v1/audit.proto) written by hand: fields in
 * the order of their numbers, defaults left out, nothing allocated.  Texts are
 * cut at their maximum and octets that are not UTF-8 become "?", for a protobuf
 * string that is not UTF-8 cannot be read elsewhere.  A list of names that is
 * too long ends in "...".
 */
#include "ledger/entry.h"

#include <string.h>

#include "base/printable.h"
#include "base/spiffe.h"

enum field {
	FIELD_KIND = 1,
	FIELD_TIME_NS = 2,
	FIELD_KEYD = 3,
	FIELD_PEER = 4,
	FIELD_KEY_ID = 5,
	FIELD_CONTEXT = 6,
	FIELD_SCHEME = 7,
	FIELD_CONTENT_HASH = 8,
	FIELD_CODE = 9,
	FIELD_REASON = 10,
	FIELD_ACT = 11,
	FIELD_STAGE = 12,
	FIELD_NAMES = 13,
	FIELD_LATENCY_US = 14,
	FIELD_LEDGER_KEY = 15,
	FIELD_ON_BEHALF_OF = 16,
};

enum wire {
	WIRE_VARINT = 0,
	WIRE_64 = 1,
	WIRE_LEN = 2,
	WIRE_32 = 5,
};

/* Octets that names may take when encoded: as many as 1,024 in memory give
 * unless they are shorter than three octets each. */
#define NAMES_ENCODED_MAX (ENTRY_NAMES_MAX + 256)
#define CUT_NAME "..."

/* Every field at its longest: 2 octets of head up to 127 octets, then 3; one
 * more from field 16 on. */
_Static_assert(
    ENTRY_MAX >= 2 + 11 + 3 * (3 + ENTRY_TEXT_MAX) + (3 + ENTRY_PEER_MAX) + 34 +
		     6 + 6 + 34 + 6 + 2 + NAMES_ENCODED_MAX + 6 +
		     (3 + ENTRY_LEDGER_KEY_MAX) + (3 + ENTRY_BEHALF_MAX),
    "the longest entry fits");

static uint8_t *
put_varint(uint8_t *at, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*at++ = (uint8_t)(value | 0x80);
	*at++ = (uint8_t)value;
	return at;
}

static uint8_t *
put_number(uint8_t *at, enum field field, uint64_t value)
{
	if (value == 0)
		return at;
	*at++ = (uint8_t)(field << 3 | WIRE_VARINT);
	return put_varint(at, value);
}

static uint8_t *
put_octets(uint8_t *at, enum field field, const uint8_t *octets, size_t len)
{
	at = put_varint(at, (uint64_t)field << 3 | WIRE_LEN);
	at = put_varint(at, len);
	memcpy(at, octets, len);
	return at + len;
}

/* Length of text cut to max, not within a character. */
static size_t
cut(struct bytes text, size_t max)
{
	size_t len = text.len;

	if (len <= max)
		return len;
	for (len = max; len > 0 && (text.at[len] & 0xc0) == 0x80;)
		len--;
	return len;
}

static void
mend_utf8(uint8_t *at, size_t len)
{
	uint32_t c;

	for (size_t i = 0; i < len;) {
		size_t n =
		    printable_take((struct bytes){ at + i, len - i }, &c);

		if (n == 0) {
			at[i] = '?';
			n = 1;
		}
		i += n;
	}
}

static uint8_t *
put_text(uint8_t *at, enum field field, struct bytes text, size_t max)
{
	const size_t len = cut(text, max);

	if (len == 0)
		return at;
	at = put_octets(at, field, text.at, len);
	mend_utf8(at - len, len);
	return at;
}

static size_t
encoded_len(size_t len)
{
	return len + (len < 128 ? 2 : 3);
}

/* Do all names fit, so that none needs to give way to "..."? */
static bool
names_fit(struct bytes names)
{
	size_t total = 0, from = 0;

	if (names.len > ENTRY_NAMES_MAX)
		return false;
	for (size_t i = 0; i < names.len; i++) {
		if (names.at[i] != '\0')
			continue;
		total += encoded_len(i - from);
		from = i + 1;
	}
	return total <= NAMES_ENCODED_MAX;
}

/* Names end in a zero octet each; what follows the last one is not a name. */
static uint8_t *
put_names(uint8_t *at, struct bytes names)
{
	size_t room = NAMES_ENCODED_MAX, plain = ENTRY_NAMES_MAX;
	const bool fit = names_fit(names);
	const uint8_t *end;

	if (!fit) {
		room -= encoded_len(strlen(CUT_NAME));
		plain -= sizeof(CUT_NAME);
	}
	while (names.len > 0 &&
	       (end = memchr(names.at, '\0', names.len)) != NULL) {
		const size_t len = (size_t)(end - names.at);

		if (encoded_len(len) > room || len + 1 > plain)
			break;
		room -= encoded_len(len);
		plain -= len + 1;
		at = put_octets(at, FIELD_NAMES, names.at, len);
		mend_utf8(at - len, len);
		names.at += len + 1;
		names.len -= len + 1;
	}
	if (!fit)
		at = put_octets(at, FIELD_NAMES, (const uint8_t *)CUT_NAME,
		    strlen(CUT_NAME));
	return at;
}

size_t
entry_encode(const struct entry *entry, uint8_t ret_at[ENTRY_MAX])
{
	uint8_t *at = ret_at;

	at = put_number(at, FIELD_KIND, (uint64_t)entry->kind);
	at = put_number(at, FIELD_TIME_NS, (uint64_t)entry->time_ns);
	at = put_text(at, FIELD_KEYD, entry->keyd, ENTRY_TEXT_MAX);
	at = put_text(at, FIELD_PEER, entry->peer, ENTRY_PEER_MAX);
	if (entry->has_key)
		at = put_octets(at, FIELD_KEY_ID, entry->key.at, KEY_ID_LEN);
	at = put_number(at, FIELD_CONTEXT, entry->context);
	at = put_number(at, FIELD_SCHEME, entry->scheme);
	if (entry->has_content_hash)
		at = put_octets(at, FIELD_CONTENT_HASH, entry->content_hash,
		    sizeof(entry->content_hash));
	at = put_number(at, FIELD_CODE, entry->code);
	at = put_text(at, FIELD_REASON, entry->reason, ENTRY_TEXT_MAX);
	at = put_text(at, FIELD_ACT, entry->act, ENTRY_TEXT_MAX);
	at = put_number(at, FIELD_STAGE, (uint64_t)entry->stage);
	if (entry->names.len > 0)
		at = put_names(at, entry->names);
	at = put_number(at, FIELD_LATENCY_US, entry->latency_us);
	at = put_text(
	    at, FIELD_LEDGER_KEY, entry->ledger_key, ENTRY_LEDGER_KEY_MAX);
	at = put_text(
	    at, FIELD_ON_BEHALF_OF, entry->on_behalf_of, ENTRY_BEHALF_MAX);
	return (size_t)(at - ret_at);
}

/* One field as it stands: a number, or octets. */
struct raw {
	uint64_t field;
	enum wire wire;
	uint64_t number;
	struct bytes octets;
};

static bool
take_varint(struct bytes *from, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (size_t i = 0; i < 10 && i < from->len; i++) {
		const uint8_t octet = from->at[i];

		if (i == 9 && octet > 1)
			return false;
		value |= (uint64_t)(octet & 0x7f) << (7 * i);
		if (octet < 0x80) {
			from->at += i + 1;
			from->len -= i + 1;
			*ret_value = value;
			return true;
		}
	}
	return false;
}

static bool
take_field(struct bytes *from, struct raw *ret_raw)
{
	struct raw raw = { 0 };
	uint64_t head, len;

	if (!take_varint(from, &head) || head >> 3 == 0 ||
	    head >> 3 > 0x1fffffff)
		return false;
	raw.field = head >> 3;
	raw.wire = (enum wire)(head & 7);
	switch (raw.wire) {
	case WIRE_VARINT:
		if (!take_varint(from, &raw.number))
			return false;
		break;
	case WIRE_LEN:
		if (!take_varint(from, &len) ||
		    !bytes_take(from, len, &raw.octets))
			return false;
		break;
	case WIRE_64:
		if (!bytes_take(from, 8, &raw.octets))
			return false;
		break;
	case WIRE_32:
		if (!bytes_take(from, 4, &raw.octets))
			return false;
		break;
	default:
		return false;
	}
	*ret_raw = raw;
	return true;
}

static bool
read_u32(const struct raw *raw, uint32_t *ret_value)
{
	if (raw->wire != WIRE_VARINT || raw->number > UINT32_MAX)
		return false;
	*ret_value = (uint32_t)raw->number;
	return true;
}

static bool
read_text(const struct raw *raw, size_t max, struct bytes *ret_text)
{
	if (raw->wire != WIRE_LEN || raw->octets.len > max)
		return false;
	*ret_text = raw->octets;
	return true;
}

/* 32 octets, or none. */
static bool
read_hash(const struct raw *raw, uint8_t ret_hash[32], bool *ret_has)
{
	if (raw->wire != WIRE_LEN ||
	    (raw->octets.len != 32 && raw->octets.len != 0))
		return false;
	*ret_has = raw->octets.len == 32;
	if (*ret_has)
		memcpy(ret_hash, raw->octets.at, 32);
	return true;
}

static bool
read_name(const struct raw *raw, uint8_t *names, struct bytes *ret_names)
{
	const size_t len = raw->octets.len;

	if (raw->wire != WIRE_LEN || len >= ENTRY_NAMES_MAX - ret_names->len ||
	    (len > 0 && memchr(raw->octets.at, '\0', len) != NULL))
		return false;
	if (len > 0)
		memcpy(names + ret_names->len, raw->octets.at, len);
	names[ret_names->len + len] = '\0';
	*ret_names = (struct bytes){ names, ret_names->len + len + 1 };
	return true;
}

static bool
read_field(const struct raw *raw, uint8_t *names, struct entry *entry)
{
	uint32_t number = 0;

	switch (raw->field) {
	case FIELD_KIND:
		if (!read_u32(raw, &number) || number > INT32_MAX)
			return false;
		entry->kind = (enum entry_kind)number;
		return true;
	case FIELD_TIME_NS:
		entry->time_ns = (int64_t)raw->number;
		return raw->wire == WIRE_VARINT;
	case FIELD_KEYD:
		return read_text(raw, ENTRY_TEXT_MAX, &entry->keyd);
	case FIELD_PEER:
		return read_text(raw, ENTRY_PEER_MAX, &entry->peer);
	case FIELD_KEY_ID:
		return read_hash(raw, entry->key.at, &entry->has_key);
	case FIELD_CONTEXT:
		return read_u32(raw, &entry->context);
	case FIELD_SCHEME:
		return read_u32(raw, &entry->scheme);
	case FIELD_CONTENT_HASH:
		return read_hash(
		    raw, entry->content_hash, &entry->has_content_hash);
	case FIELD_CODE:
		return read_u32(raw, &entry->code);
	case FIELD_REASON:
		return read_text(raw, ENTRY_TEXT_MAX, &entry->reason);
	case FIELD_ACT:
		return read_text(raw, ENTRY_TEXT_MAX, &entry->act);
	case FIELD_STAGE:
		if (!read_u32(raw, &number) || number > INT32_MAX)
			return false;
		entry->stage = (enum entry_stage)number;
		return true;
	case FIELD_NAMES:
		return read_name(raw, names, &entry->names);
	case FIELD_LATENCY_US:
		return read_u32(raw, &entry->latency_us);
	case FIELD_LEDGER_KEY:
		return read_text(raw, ENTRY_LEDGER_KEY_MAX, &entry->ledger_key);
	case FIELD_ON_BEHALF_OF:
		return read_text(raw, ENTRY_BEHALF_MAX, &entry->on_behalf_of);
	default:
		return true;
	}
}

STATUS
entry_decode(struct bytes octets, uint8_t ret_names[ENTRY_NAMES_MAX],
    struct entry *ret_entry)
{
	struct entry entry = { 0 };
	struct raw raw;

	while (octets.len > 0) {
		if (!take_field(&octets, &raw) ||
		    !read_field(&raw, ret_names, &entry))
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "this is not an entry of an audit ledger");
	}
	*ret_entry = entry;
	return status_ok();
}

static bool
peer_matches(struct bytes peer, const char *pattern)
{
	char text[SPIFFE_ID_MAX];
	struct spiffe id;

	if (peer.len == 0 || peer.len >= sizeof(text) ||
	    memchr(peer.at, '\0', peer.len) != NULL)
		return false;
	memcpy(text, peer.at, peer.len);
	text[peer.len] = '\0';
	return !failed(spiffe_parse(text, &id)) && spiffe_matches(&id, pattern);
}

bool
entry_matches(const struct entry_filter *filter, const struct entry *entry)
{
	if (filter->kind != 0 && filter->kind != (unsigned)entry->kind)
		return false;
	if (filter->since_ns != 0 && entry->time_ns < filter->since_ns)
		return false;
	if (filter->until_ns != 0 && entry->time_ns >= filter->until_ns)
		return false;
	if (filter->decision == ENTRY_ALLOWED && entry->code != 0)
		return false;
	if (filter->decision == ENTRY_REFUSED && entry->code == 0)
		return false;
	if (filter->has_key &&
	    (!entry->has_key || !key_id_equal(&filter->key, &entry->key)))
		return false;
	return filter->identity[0] == '\0' ||
	       peer_matches(entry->peer, filter->identity);
}
