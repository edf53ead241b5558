/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the command line shows of an entry from anyone's ledger, and of a proof:
 * nothing that is printed may command a terminal, a spreadsheet or a browser.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "tools/audit.h"
#include "tools/audit_proof.h"
#include "tools/audit_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All of it UTF-8 that may be seen; newlines are ours. */
static void
demand_printable(const char *text, size_t len)
{
	struct bytes rest = { (const uint8_t *)text, len };

	while (rest.len > 0) {
		uint32_t point = 0;
		size_t n = printable_take(rest, &point);

		if (n == 0 ||
		    (!printable_point(point) && point != '\n' && point != '\r'))
			abort();
		rest.at += n;
		rest.len -= n;
	}
}

static void
show_entry(const struct audit_row *row)
{
	char text[AUDIT_TEXT_MAX_];
	struct report *report = report_new();
	char *all = NULL;
	size_t len = 0, from;
	FILE *to = open_memstream(&all, &len);

	if (to == NULL)
		abort();
	audit_local_time(row->entry->time_ns, text);
	fputs(text, to);
	audit_who(row->entry->peer, "a.test", text, sizeof(text));
	fputs(text, to);
	audit_what(row->entry, text, sizeof(text));
	fputs(text, to);
	audit_outcome(row->entry, text, sizeof(text));
	fputs(text, to);
	audit_names(row->entry, text, sizeof(text));
	fputs(text, to);
	audit_csv_row(to, row);
	if (!audit_write_json(to, audit_row_json(row)))
		abort();
	report_add(report, row, "a.test");
	report_sort(report);
	report_print(report, 80, to);
	fflush(to);
	from = len;
	report_html(report, "t", row->entry->time_ns, to);
	fclose(to);
	demand_printable(all, len);
	if (strstr(all + from, "<script") != NULL)
		abort();
	free(all);
	report_free(report);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct merkle_hash hashes[MERKLE_PROOF_MAX];
	uint8_t names[ENTRY_NAMES_MAX];
	struct bytes octets = { data, size }, note;
	struct entry entry;
	struct audit_row row = { .entry = &entry };
	size_t n;

	if (!failed(entry_decode(octets, names, &entry)))
		show_entry(&row);
	if (audit_proof_parts(octets, hashes, &n, &note) &&
	    (n > MERKLE_PROOF_MAX || note.len > size))
		abort();
	return 0;
}
