/* SPDX-License-Identifier: Apache-2.0 */
/* Answers are read within bounds; what comes out is closed, can be printed, and
 * its names can be asked for in turn.  The first octet chooses the type. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dns/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_name(const char *name)
{
	uint8_t octets[WIRE_NAME_MAX];
	struct wire_writer to = { .at = octets, .max = sizeof(octets) };
	char again[DNS_NAME_MAX];

	wire_put_name(&to, name);
	if (to.is_bad || !wire_clean_name(name, again) ||
	    strcmp(name, again) != 0)
		abort();
	for (const char *at = name; at != NULL; at = wire_parent(at))
		if (!wire_clean_name(at, again) || strcmp(at, again) != 0)
			abort();
}

static void
check_text(const char *text, size_t max)
{
	if (strnlen(text, max) == max)
		abort();
	for (const char *c = text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = { DNS_A, DNS_NS, DNS_CNAME,
		DNS_SOA, DNS_TXT, DNS_AAAA, DNS_CAA };
	struct dns_question question = { .name = "www.example.org" };
	struct dns_answer answer = { .took_ms = 0 };
	char text[2048];

	if (size == 0)
		return 0;
	question.type = types[data[0] % 7];
	if (failed(message_read(
		(struct bytes){ data + 1, size - 1 }, &question, &answer)))
		return 0;
	if (answer.code == DNS_GARBAGE && answer.n_records > 0)
		abort();
	for (size_t i = 0; i < answer.n_records; i++) {
		const struct dns_record *record = &answer.records[i];

		check_name(record->name);
		check_text(record->text, sizeof(record->text));
		if (record->type == DNS_CNAME || record->type == DNS_NS ||
		    record->type == DNS_SOA)
			check_name(record->text);
	}
	dns_answer_print(&question, &answer, text, sizeof(text));
	if (strnlen(text, sizeof(text)) == sizeof(text))
		abort();
	dns_answer_done(&answer);
	return 0;
}
