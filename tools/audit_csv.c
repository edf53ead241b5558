/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Entries as CSV (RFC 4180).  Spreadsheets run a cell that begins like a
 * formula, quoted or not, so such a text gets a ' before it: a name in a
 * certificate request must not become a command at the auditor's desk.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/printable.h"
#include "tools/audit.h"

void
audit_csv_text(FILE *to, const char *text)
{
	static const char FORMULA[] = "=+-@\t\r\n|%";

	fputc('"', to);
	/* Spaces before it do not stop every spreadsheet. */
	if (strcspn(text + strspn(text, " "), FORMULA) == 0 &&
	    text[strspn(text, " ")] != '\0')
		fputc('\'', to);
	for (; *text != '\0'; text++) {
		if (*text == '"')
			fputc('"', to);
		fputc(*text, to);
	}
	fputc('"', to);
}

static void
field(FILE *to, struct bytes text)
{
	char shown[PRINTABLE_MAX(ENTRY_LEDGER_KEY_MAX)];

	printable_print(text, shown, sizeof(shown));
	audit_csv_text(to, shown);
	fputc(',', to);
}

void
audit_csv_header(FILE *to)
{
	fputs("number,time,kind,keyd,peer,key_id,key,what,stage,code,reason,"
	      "names,content_sha256,latency_us,on_behalf_of\r\n",
	    to);
}

void
audit_csv_row(FILE *to, const struct audit_row *row)
{
	static const char *const STAGES[] = { "", "asked", "done", "failed" };
	const struct entry *entry = row->entry;
	char id[KEY_ID_TEXT_MAX] = "", hash[KEY_ID_TEXT_MAX] = "";
	char time[CLOCK_TEXT_MAX], text[AUDIT_TEXT_MAX_];
	size_t stage = (size_t)entry->stage;

	clock_print(entry->time_ns, time);
	if (entry->has_key)
		key_id_print(&entry->key, id);
	if (entry->has_content_hash)
		bytes_to_hex((struct bytes){ entry->content_hash, 32 }, hash);
	fprintf(to, "%" PRIu64 ",", row->number);
	field(to, bytes_of(time));
	field(to, bytes_of(entry->kind == ENTRY_CUSTODY ? "custody" : "sign"));
	field(to, entry->keyd);
	field(to, entry->peer);
	field(to, bytes_of(id));
	field(to, bytes_of(row->label == NULL ? "" : row->label));
	audit_what(entry, text, sizeof(text));
	audit_csv_text(to, text);
	fputc(',', to);
	field(to,
	    bytes_of(stage < sizeof(STAGES) / sizeof(STAGES[0]) ? STAGES[stage]
								: ""));
	field(to, bytes_of(status_name((enum status_code)entry->code)));
	field(to, entry->reason);
	audit_names(entry, text, sizeof(text));
	audit_csv_text(to, text);
	fputc(',', to);
	field(to, bytes_of(hash));
	fprintf(to, "%" PRIu32 ",", entry->latency_us);
	printable_print(entry->on_behalf_of, text, sizeof(text));
	audit_csv_text(to, text);
	fputs("\r\n", to);
}
