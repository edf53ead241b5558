/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Questions, and what comes back.  An answer is read up to the end of its
 * answer section; what follows helps nobody here.  Records of other classes and
 * of types that nobody asks for are left out.  An answer with one record that
 * cannot be read is garbage as a whole: half of it would be a lie.
 */

#include "dns/message.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

/* Octets of the shortest record there is. */
#define RECORD_MIN 11
/* RFC 2181 8: larger ones are to be taken for none. */
#define TTL_MAX INT32_MAX

void
message_ask(
    const struct dns_question *question, uint16_t id, struct wire_writer *to)
{
	const struct wire_header header = { .id = id,
		.flags = question->server == NULL ? WIRE_FLAG_RD : 0,
		.counts = { 1, 0, 0, 1 } };

	wire_put_header(to, &header);
	wire_put_name(to, question->name);
	wire_put_u16(to, (uint16_t)question->type);
	wire_put_u16(to, WIRE_CLASS_IN);
	/* RFC 6891 6.1.2 */
	wire_put_u8(to, 0);
	wire_put_u16(to, WIRE_TYPE_OPT);
	wire_put_u16(to, MESSAGE_UDP_MAX);
	wire_put_u32(to, 0);
	wire_put_u16(to, 0);
}

/* --- The data of records ----------------------------------------------------
 */

struct text {
	char *at;
	size_t len, max;
};

/* What does not fit is left out. */
static void
add_octets(struct text *text, struct bytes octets, bool is_quoted)
{
	for (size_t i = 0; i < octets.len; i++) {
		uint8_t octet = octets.at[i];
		char part[5];
		int len;

		if (octet == '\\' || (octet == '"' && is_quoted))
			len = snprintf(part, sizeof(part), "\\%c", octet);
		else if (octet >= ' ' && octet <= '~')
			len = snprintf(part, sizeof(part), "%c", octet);
		else
			len = snprintf(part, sizeof(part), "\\%03u", octet);
		if (text->len + (size_t)len >= text->max)
			return;
		memcpy(text->at + text->len, part, (size_t)len);
		text->len += (size_t)len;
		text->at[text->len] = 0;
	}
}

static bool
read_address(int family, struct bytes data, char ret_text[DNS_TXT_MAX])
{
	if (data.len != (family == AF_INET ? 4 : 16))
		return false;
	return inet_ntop(family, data.at, ret_text, DNS_TXT_MAX) != NULL;
}

void
message_print_txt(struct bytes value, char ret_text[DNS_TXT_MAX])
{
	struct text text = { ret_text, 0, DNS_TXT_MAX };

	ret_text[0] = 0;
	add_octets(&text, value, false);
}

static bool
read_txt(struct bytes data, char ret_text[DNS_TXT_MAX])
{
	struct text text = { ret_text, 0, DNS_TXT_MAX };
	struct wire_reader reader = { data, 0 };
	struct bytes string;
	uint8_t len;

	ret_text[0] = 0;
	if (data.len == 0)
		return false;
	while (reader.at < data.len) {
		if (!wire_take_u8(&reader, &len) ||
		    !wire_take(&reader, len, &string))
			return false;
		add_octets(&text, string, false);
	}
	return true;
}

/* RFC 8659 4.1 */
static bool
read_caa(struct bytes data, char ret_text[DNS_TXT_MAX])
{
	struct text text = { ret_text, 0, DNS_TXT_MAX - 1 };
	struct wire_reader reader = { data, 0 };
	struct bytes tag, value;
	uint8_t flags, len;

	if (!wire_take_u8(&reader, &flags) || !wire_take_u8(&reader, &len) ||
	    len == 0 || !wire_take(&reader, len, &tag) ||
	    !wire_take(&reader, data.len - reader.at, &value))
		return false;
	for (size_t i = 0; i < tag.len; i++) {
		uint8_t c = tag.at[i];

		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
			(c >= 'a' && c <= 'z')))
			return false;
	}
	text.len = (size_t)snprintf(ret_text, DNS_TXT_MAX, "%u %.*s \"", flags,
	    (int)tag.len, (const char *)tag.at);
	add_octets(&text, value, true);
	ret_text[text.len] = '"';
	ret_text[text.len + 1] = 0;
	return true;
}

/* A name that begins the data and, but for SOA, ends it. */
static bool
read_name(struct bytes message, const struct wire_record *record,
    char ret_text[DNS_TXT_MAX])
{
	struct wire_reader reader = { message, record->data_at };
	size_t end = record->data_at + record->data.len;

	if (!wire_take_name(&reader, ret_text))
		return false;
	return record->type == DNS_SOA ? reader.at < end : reader.at == end;
}

static bool
read_data(struct bytes message, const struct wire_record *record,
    char ret_text[DNS_TXT_MAX])
{
	switch (record->type) {
	case DNS_A:
		return read_address(AF_INET, record->data, ret_text);
	case DNS_AAAA:
		return read_address(AF_INET6, record->data, ret_text);
	case DNS_TXT:
		return read_txt(record->data, ret_text);
	case DNS_CAA:
		return read_caa(record->data, ret_text);
	default:
		return read_name(message, record, ret_text);
	}
}

/* --- Answers ----------------------------------------------------------------
 */

static bool
is_known(const struct wire_record *record)
{
	static const enum dns_type types[] = { DNS_A, DNS_NS, DNS_CNAME,
		DNS_SOA, DNS_TXT, DNS_AAAA, DNS_CAA };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (record->type == types[i])
			return record->class == WIRE_CLASS_IN;
	return false;
}

static bool
is_answer_to(const struct dns_question *question,
    const struct wire_header *header, struct wire_reader *reader)
{
	char name[DNS_NAME_MAX];
	uint16_t type, class;

	return (header->flags & WIRE_FLAG_QR) != 0 &&
	       wire_opcode(header) == 0 && header->counts[0] == 1 &&
	       wire_take_question(reader, name, &type, &class) &&
	       type == question->type && class == WIRE_CLASS_IN &&
	       wire_same_name(name, question->name);
}

/* records has room for max. */
static bool
read_records(struct wire_reader *reader, unsigned count,
    struct dns_record *records, size_t max, size_t *ret_n)
{
	size_t n = 0;

	for (unsigned i = 0; i < count && n < max; i++) {
		struct wire_record record;

		if (!wire_take_record(reader, &record))
			return false;
		if (!is_known(&record))
			continue;
		if (!read_data(reader->message, &record, records[n].text))
			return false;
		memcpy(records[n].name, record.name, sizeof(record.name));
		records[n].type = (enum dns_type)record.type;
		records[n].ttl_s = record.ttl_s > TTL_MAX ? 0 : record.ttl_s;
		n++;
	}
	*ret_n = n;
	return true;
}

STATUS
message_read(struct bytes message, const struct dns_question *question,
    struct dns_answer *ret_answer)
{
	struct wire_reader reader = { message, 0 };
	struct dns_record *records = NULL;
	struct wire_header header;
	size_t n = 0, max = DNS_RECORDS_MAX;

	ret_answer->code = DNS_GARBAGE;
	ret_answer->is_authoritative = false;
	ret_answer->n_records = 0;
	ret_answer->records = NULL;
	if (!wire_take_header(&reader, &header) ||
	    !is_answer_to(question, &header, &reader))
		return status_ok();
	if (header.counts[1] < max)
		max = header.counts[1];
	if ((message.len - reader.at) / RECORD_MIN < max)
		return status_ok(); /* fewer than it says there are */
	if (max > 0) {
		records = calloc(max, sizeof(*records));
		if (records == NULL)
			return status_fail(
			    STATUS_RESOURCE_EXHAUSTED, "out of memory");
		if (!read_records(
			&reader, header.counts[1], records, max, &n)) {
			free(records);
			return status_ok();
		}
	}
	ret_answer->code = (enum dns_code)wire_rcode(&header);
	ret_answer->is_authoritative = (header.flags & WIRE_FLAG_AA) != 0;
	ret_answer->n_records = n;
	ret_answer->records = records;
	return status_ok();
}
