/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Questions and answers as text, laid out as dig does, so that who knows dig
 * can read them and compare.  All foreign octets were escaped when they were
 * read (message.c).
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dns/resolver.h"

const char *
dns_code_name(enum dns_code code)
{
	static const char *const names[] = { "NOERROR", "FORMERR", "SERVFAIL",
		"NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET",
		"NXRRSET", "NOTAUTH", "NOTZONE" };

	if (code == DNS_NO_ANSWER)
		return "no answer";
	if (code == DNS_GARBAGE)
		return "an answer that cannot be read";
	if ((size_t)code < sizeof(names) / sizeof(names[0]))
		return names[code];
	return "an unknown error";
}

const char *
dns_type_name(enum dns_type type)
{
	switch (type) {
	case DNS_A:
		return "A";
	case DNS_NS:
		return "NS";
	case DNS_CNAME:
		return "CNAME";
	case DNS_SOA:
		return "SOA";
	case DNS_TXT:
		return "TXT";
	case DNS_AAAA:
		return "AAAA";
	case DNS_CAA:
		return "CAA";
	}
	return "?";
}

struct text {
	char *at;
	size_t len, max;
};

__attribute__((format(printf, 2, 3))) static void
add(struct text *text, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(
	    text->at + text->len, text->max - text->len, format, args);
	va_end(args);
	if (n > 0)
		text->len += (size_t)n;
	if (text->len >= text->max)
		text->len = text->max - 1;
}

/* The root is its own last dot. */
static const char *
dot(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && name[len - 1] == '.' ? "" : ".";
}

static void
add_record(struct text *text, const struct dns_record *record)
{
	bool is_name = record->type == DNS_NS || record->type == DNS_CNAME ||
		       record->type == DNS_SOA;
	const char *quote = record->type == DNS_TXT ? "\"" : "";

	add(text, "%s%s\t%u\tIN\t%s\t%s%s%s%s\n", record->name,
	    dot(record->name), record->ttl_s, dns_type_name(record->type),
	    quote, record->text, is_name ? dot(record->text) : "", quote);
}

void
dns_answer_print(const struct dns_question *question,
    const struct dns_answer *answer, char *ret_text, size_t max)
{
	struct text text = { ret_text, 0, max };

	ret_text[0] = 0;
	if (answer->code >= DNS_NO_ANSWER)
		add(&text, ";; %s\n", dns_code_name(answer->code));
	else
		add(&text, ";; status: %s, flags: qr%s%s; ANSWER: %zu\n",
		    dns_code_name(answer->code),
		    answer->is_authoritative ? " aa" : "",
		    question->server == NULL ? " rd" : "", answer->n_records);
	add(&text, ";; QUESTION:\n;%s%s\t\tIN\t%s\n", question->name,
	    dot(question->name), dns_type_name(question->type));
	if (answer->n_records > 0)
		add(&text, ";; ANSWER:\n");
	for (size_t i = 0; i < answer->n_records; i++)
		add_record(&text, &answer->records[i]);
	add(&text, ";; SERVER: %s, %u ms\n",
	    answer->server[0] != 0 ? answer->server : "none", answer->took_ms);
}
