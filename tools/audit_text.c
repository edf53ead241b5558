/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An entry as people and scripts read it.  Peers, names and reasons were
 * written by whoever asked; each passes base/printable.h before it is shown.
 */

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/printable.h"
#include "base/spiffe.h"
#include "tools/audit.h"

int64_t
audit_ns_of(int64_t at_s)
{
	return at_s > INT64_MAX / NS_PER_S ? INT64_MAX : at_s * NS_PER_S;
}

void
audit_local_time(int64_t time_ns, char ret_text[40])
{
	time_t t = (time_t)(time_ns / NS_PER_S);
	char day[32] = "?";
	struct tm local;

	if (time_ns >= 0 && localtime_r(&t, &local) != NULL)
		strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &local);
	snprintf(ret_text, 40, "%s.%03d", day,
	    (int)(time_ns % NS_PER_S / NS_PER_MS));
}

void
audit_who(struct bytes peer, const char *domain, char *ret_text, size_t max)
{
	char text[SPIFFE_ID_MAX];
	struct spiffe id;

	if (peer.len == 0 || peer.len >= sizeof(text)) {
		printable_print(
		    peer.len == 0 ? bytes_of("-") : peer, ret_text, max);
		return;
	}
	memcpy(text, peer.at, peer.len);
	text[peer.len] = '\0';
	if (domain != NULL && !failed(spiffe_parse(text, &id)) &&
	    strcmp(id.domain, domain) == 0)
		snprintf(ret_text, max, "%s/%s", role_name(id.role), id.name);
	else
		printable_print(peer, ret_text, max);
}

static void
context_text(uint32_t context, char ret_text[32])
{
	const char *name = context < CONTEXT_END_
			       ? sign_context_name((enum sign_context)context)
			       : NULL;

	if (name != NULL)
		snprintf(ret_text, 32, "%s", name);
	else
		snprintf(ret_text, 32, "context-%" PRIu32, context);
}

static void
scheme_text(uint32_t scheme, char ret_text[40])
{
	const struct sign_scheme_info *info = sign_scheme_info(scheme);

	if (info != NULL)
		snprintf(ret_text, 40, "%s", info->name);
	else
		snprintf(ret_text, 40, "0x%04" PRIx32, scheme);
}

void
audit_what(const struct entry *entry, char *ret_text, size_t max)
{
	char context[32], scheme[40];

	if (entry->kind == ENTRY_CUSTODY) {
		printable_print(entry->act, ret_text, max);
		return;
	}
	context_text(entry->context, context);
	scheme_text(entry->scheme, scheme);
	snprintf(ret_text, max, "%s %s", context, scheme);
}

void
audit_outcome(const struct entry *entry, char *ret_text, size_t max)
{
	char reason[PRINTABLE_MAX(ENTRY_TEXT_MAX)];
	bool is_custody = entry->kind == ENTRY_CUSTODY;

	printable_print(entry->reason, reason, sizeof(reason));
	if (entry->code != STATUS_OK || entry->stage == ENTRY_FAILED)
		snprintf(ret_text, max, "%s: %s",
		    is_custody ? "FAILED" : "REFUSED",
		    reason[0] != '\0'
			? reason
			: status_name((enum status_code)entry->code));
	else if (!is_custody)
		snprintf(ret_text, max, "signed");
	else
		snprintf(ret_text, max, "%s",
		    entry->stage == ENTRY_ASKED ? "asked" : "done");
}

/* The next of the entry's names; false after the last. */
static bool
next_name(struct bytes *names, struct bytes *ret_name)
{
	const uint8_t *end;

	if (names->len == 0)
		return false;
	end = memchr(names->at, 0, names->len);
	ret_name->at = names->at;
	ret_name->len = end == NULL ? names->len : (size_t)(end - names->at);
	names->at += ret_name->len + (end != NULL);
	names->len -= ret_name->len + (end != NULL);
	return true;
}

void
audit_names(const struct entry *entry, char *ret_text, size_t max)
{
	struct bytes names = entry->names, name;
	size_t used = 0;

	ret_text[0] = '\0';
	while (next_name(&names, &name) && used + 2 < max) {
		if (used > 0)
			ret_text[used++] = ' ';
		used += printable_print(name, ret_text + used, max - used);
	}
}

void
audit_key_text(const struct audit_row *row, char *ret_text, size_t max)
{
	char id[KEY_ID_TEXT_MAX];

	if (row->label != NULL) {
		printable_print(bytes_of(row->label), ret_text, max);
	} else if (row->entry->has_key) {
		key_id_print(&row->entry->key, id);
		snprintf(ret_text, max, "%.12s", id);
	} else {
		snprintf(ret_text, max, "-");
	}
}

json_t *
audit_json_text(struct bytes text)
{
	char *shown = malloc(PRINTABLE_MAX(text.len));
	json_t *json;

	if (shown == NULL)
		abort();
	printable_print(text, shown, PRINTABLE_MAX(text.len));
	json = json_string(shown);
	free(shown);
	return json != NULL ? json : json_string("?");
}

static void
set_text(json_t *json, const char *key, struct bytes text)
{
	if (text.len > 0)
		json_object_set_new(json, key, audit_json_text(text));
}

static void
set_sign(json_t *json, const struct entry *entry)
{
	char hash[2 * 32 + 1], context[32], scheme[40];

	context_text(entry->context, context);
	scheme_text(entry->scheme, scheme);
	set_text(json, "context", bytes_of(context));
	set_text(json, "scheme", bytes_of(scheme));
	if (entry->has_content_hash) {
		bytes_to_hex((struct bytes){ entry->content_hash, 32 }, hash);
		set_text(json, "content_sha256", bytes_of(hash));
	}
	json_object_set_new(
	    json, "latency_us", json_integer(entry->latency_us));
}

static void
set_custody(json_t *json, const struct entry *entry)
{
	static const char *const STAGES[] = { "", "asked", "done", "failed" };

	set_text(json, "act", entry->act);
	if ((unsigned)entry->stage < sizeof(STAGES) / sizeof(STAGES[0]))
		set_text(json, "stage", bytes_of(STAGES[entry->stage]));
	set_text(json, "ledger_key", entry->ledger_key);
	set_text(json, "on_behalf_of", entry->on_behalf_of);
}

json_t *
audit_row_json(const struct audit_row *row)
{
	const struct entry *entry = row->entry;
	json_t *json = json_object(), *list = json_array();
	struct bytes names = entry->names, name;
	char text[KEY_ID_TEXT_MAX];

	json_object_set_new(
	    json, "number", json_integer((json_int_t)row->number));
	clock_print(entry->time_ns, text);
	set_text(json, "time", bytes_of(text));
	json_object_set_new(json, "time_ns", json_integer(entry->time_ns));
	set_text(json, "kind",
	    bytes_of(entry->kind == ENTRY_CUSTODY ? "custody" : "sign"));
	set_text(json, "keyd", entry->keyd);
	set_text(json, "peer", entry->peer);
	if (entry->has_key) {
		key_id_print(&entry->key, text);
		set_text(json, "key_id", bytes_of(text));
	}
	if (row->label != NULL)
		set_text(json, "key", bytes_of(row->label));
	if (entry->kind == ENTRY_CUSTODY)
		set_custody(json, entry);
	else
		set_sign(json, entry);
	json_object_set_new(json, "code",
	    json_string(status_name((enum status_code)entry->code)));
	set_text(json, "reason", entry->reason);
	while (next_name(&names, &name))
		json_array_append_new(list, audit_json_text(name));
	json_object_set_new(json, "names", list);
	return json;
}

bool
audit_write_json(FILE *to, json_t *json)
{
	/* ASCII: nothing is left that a terminal could take amiss. */
	bool ok = json_dumpf(json, to, JSON_COMPACT | JSON_ENSURE_ASCII) == 0 &&
		  fputc('\n', to) != EOF;

	json_decref(json);
	return ok;
}
