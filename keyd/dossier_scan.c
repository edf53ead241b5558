/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the whole ledger says of one key: its custody acts, octet for octet, who
 * used it how often for what, and the names its certificate requests spoke for.
 * Entries are only taken apart when the key's id stands in them, so that most
 * of a long ledger costs a search for 32 octets.
 */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/printable.h"
#include "keyd/dossier_int.h"
#include "ledger/reader.h"

#define LOOK_EVERY 4096 /* entries, at the clock */

static void
add_act(struct dossier_scan *scan, uint64_t number, struct bytes octets)
{
	struct dossier_act *act = &scan->acts[scan->n_acts];

	if (scan->n_acts == DOSSIER_ACTS_MAX) {
		scan->acts_left++;
		return;
	}
	act->octets = malloc(octets.len);
	if (act->octets == NULL) {
		scan->st = status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
		return;
	}
	memcpy(act->octets, octets.at, octets.len);
	act->len = octets.len;
	act->number = number;
	scan->n_acts++;
}

static struct dossier_use *
use_of(struct dossier_scan *scan, const struct entry *entry)
{
	struct dossier_use *use;

	for (size_t i = 0; i < scan->n_uses; i++) {
		use = &scan->uses[i];
		if (use->context == entry->context &&
		    bytes_equal(bytes_of(use->peer), entry->peer))
			return use;
	}
	if (scan->n_uses == DOSSIER_USES_MAX ||
	    entry->peer.len >= sizeof(use->peer))
		return NULL;
	use = &scan->uses[scan->n_uses++];
	if (entry->peer.len > 0)
		memcpy(use->peer, entry->peer.at, entry->peer.len);
	use->context = entry->context;
	use->first_ns = entry->time_ns;
	return use;
}

static void
add_use(struct dossier_scan *scan, const struct entry *entry)
{
	struct dossier_use *use = use_of(scan, entry);

	if (use == NULL) {
		scan->uses_left++;
		return;
	}
	if (entry->code == STATUS_OK)
		use->signatures++;
	else
		use->refusals++;
	if (entry->time_ns < use->first_ns)
		use->first_ns = entry->time_ns;
	if (entry->time_ns > use->last_ns)
		use->last_ns = entry->time_ns;
}

static void
add_name(struct dossier_scan *scan, const char *text, uint64_t number,
    int64_t time_ns)
{
	struct dossier_name *name = scan->names;
	struct dossier_name *end = scan->names + scan->n_names;

	while (name != end && strcmp(name->text, text) != 0)
		name++;
	if (name == end && scan->n_names == DOSSIER_NAMES_MAX) {
		scan->names_left++;
		return;
	}
	if (name == end) {
		name->text = strdup(text);
		if (name->text == NULL) {
			scan->st =
			    status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
			return;
		}
		scan->n_names++;
	}
	name->number = number;
	name->time_ns = time_ns;
}

static void
add_names(struct dossier_scan *scan, const struct entry *entry, uint64_t number)
{
	char text[PRINTABLE_MAX(ENTRY_NAMES_MAX)];
	struct bytes rest = entry->names;

	while (rest.len > 0) {
		const uint8_t *end = memchr(rest.at, 0, rest.len);
		size_t len = end == NULL ? rest.len : (size_t)(end - rest.at);

		printable_print(
		    (struct bytes){ rest.at, len }, text, sizeof(text));
		add_name(scan, text, number, entry->time_ns);
		len += end != NULL;
		rest.at += len;
		rest.len -= len;
	}
}

static bool
look(void *ctx, uint64_t number, struct bytes octets)
{
	struct dossier_scan *scan = ctx;
	uint8_t names[ENTRY_NAMES_MAX];
	struct entry entry;

	if (number % LOOK_EVERY == 0 && clock_mono_ns() >= scan->deadline_ns)
		scan->st = status_fail(STATUS_DEADLINE_EXCEEDED,
		    "the ledger is too long to be read in the time given: "
		    "allow more (holdfast --timeout)");
	if (memmem(octets.at, octets.len, scan->key.at, KEY_ID_LEN) == NULL ||
	    failed(scan->st))
		return !failed(scan->st);
	scan->st = entry_decode(octets, names, &entry);
	if (failed(scan->st) || !entry.has_key ||
	    !key_id_equal(&entry.key, &scan->key))
		return !failed(scan->st);
	if (entry.kind == ENTRY_CUSTODY)
		add_act(scan, number, octets);
	else
		add_use(scan, &entry);
	if (entry.kind == ENTRY_SIGN && entry.context == CONTEXT_CSR &&
	    entry.code == STATUS_OK)
		add_names(scan, &entry, number);
	return !failed(scan->st);
}

STATUS
dossier_scan(const char *folder, uint64_t size, const struct key_id *key,
    int64_t deadline_ns, struct dossier_scan *ret_scan)
{
	scoped(reader_close) struct reader *reader = NULL;
	struct status st;

	*ret_scan = (struct dossier_scan){
		.key = *key,
		.deadline_ns = deadline_ns,
		.acts = calloc(DOSSIER_ACTS_MAX, sizeof(*ret_scan->acts)),
		.uses = calloc(DOSSIER_USES_MAX, sizeof(*ret_scan->uses)),
		.names = calloc(DOSSIER_NAMES_MAX, sizeof(*ret_scan->names)),
		.st = status_ok(),
	};
	if (ret_scan->acts == NULL || ret_scan->uses == NULL ||
	    ret_scan->names == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	st = reader_open(folder, &reader);
	if (!failed(st))
		st = reader_entries(reader, 0, size, look, ret_scan);
	return failed(st) ? st : ret_scan->st;
}

void
dossier_scan_done(struct dossier_scan *scan)
{
	for (size_t i = 0; i < scan->n_acts; i++)
		free(scan->acts[i].octets);
	for (size_t i = 0; i < scan->n_names; i++)
		free(scan->names[i].text);
	free(scan->acts);
	free(scan->uses);
	free(scan->names);
}
