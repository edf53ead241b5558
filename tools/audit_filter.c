/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which entries: the options that show, tail, report and export have in common,
 * as keyd's filter.  What contradicts itself is refused and not guessed at.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/spiffe.h"
#include "tools/audit.h"

static bool
take_identity(int *argc, char **argv, struct entry_filter *filter)
{
	const char *edge = cli_option(argc, argv, "--edge");
	const char *pattern = cli_option(argc, argv, "--identity");
	int n = 0;

	if (edge != NULL && pattern != NULL) {
		cli_fail(EXIT_USAGE,
		    "--edge NAME is --identity edge/NAME: give one of them");
		return false;
	}
	if (edge != NULL)
		n = snprintf(filter->identity, sizeof(filter->identity),
		    "edge/%s", edge);
	if (pattern != NULL)
		n = snprintf(
		    filter->identity, sizeof(filter->identity), "%s", pattern);
	if (n < 0 || (size_t)n >= sizeof(filter->identity) ||
	    (n > 0 && !spiffe_pattern_ok(filter->identity)) ||
	    spiffe_pattern_group(filter->identity) != NULL ||
	    (pattern != NULL && n == 0)) {
		cli_fail(EXIT_USAGE,
		    "an identity is written role/name or role/prefix*, such "
		    "as edge/fra-1 or edge/fra-*; the ledger knows no edge "
		    "groups");
		return false;
	}
	return true;
}

static bool
take_moment(
    int *argc, char **argv, const char *name, int64_t now_ns, int64_t *ret_ns)
{
	const char *text = cli_option(argc, argv, name);

	if (text == NULL || audit_when(text, now_ns, ret_ns))
		return true;
	cli_fail(EXIT_USAGE,
	    "%s takes a time such as 15m, 2h, 3d (ago), \"2026-11-21 14:00\" "
	    "(local) or 2026-11-21T14:00:00Z",
	    name);
	return false;
}

static bool
take_count(int *argc, char **argv, const char *name, uint64_t *ret_count)
{
	const char *text = cli_option(argc, argv, name);
	char *end = NULL;
	unsigned long long number;

	if (text == NULL)
		return true;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
	    number == 0) {
		cli_fail(EXIT_USAGE, "%s must be a whole number from 1", name);
		return false;
	}
	*ret_count = number;
	return true;
}

static bool
take_kinds(int *argc, char **argv, struct entry_filter *filter)
{
	bool is_refused = cli_flag(argc, argv, "--refused");
	bool is_allowed = cli_flag(argc, argv, "--allowed");
	const char *kind = cli_option(argc, argv, "--kind");

	if (is_refused && is_allowed) {
		cli_fail(EXIT_USAGE,
		    "--refused and --allowed leave nothing over: give one of "
		    "them, or none for both");
		return false;
	}
	if (is_refused)
		filter->decision = ENTRY_REFUSED;
	if (is_allowed)
		filter->decision = ENTRY_ALLOWED;
	if (kind == NULL)
		return true;
	if (strcmp(kind, "sign") == 0)
		filter->kind = ENTRY_SIGN;
	else if (strcmp(kind, "custody") == 0)
		filter->kind = ENTRY_CUSTODY;
	else {
		cli_fail(EXIT_USAGE, "--kind is sign or custody");
		return false;
	}
	return true;
}

bool
audit_filter_take(
    int *argc, char **argv, int64_t now_ns, struct audit_filter *ret_filter)
{
	struct audit_filter filter = { .key = NULL };

	if (!take_identity(argc, argv, &filter.entry) ||
	    !take_moment(
		argc, argv, "--since", now_ns, &filter.entry.since_ns) ||
	    !take_moment(
		argc, argv, "--until", now_ns, &filter.entry.until_ns) ||
	    !take_kinds(argc, argv, &filter.entry) ||
	    !take_count(argc, argv, "--last", &filter.last) ||
	    !take_count(argc, argv, "--limit", &filter.limit))
		return false;
	filter.key = cli_option(argc, argv, "--key");
	if (filter.last != 0 && filter.limit != 0) {
		cli_fail(EXIT_USAGE,
		    "--last N is the newest N, --limit N the oldest N: give "
		    "one of them");
		return false;
	}
	if (filter.entry.until_ns != 0 &&
	    filter.entry.until_ns <= filter.entry.since_ns) {
		cli_fail(EXIT_USAGE, "--until is not after --since");
		return false;
	}
	*ret_filter = filter;
	return true;
}

void
audit_filter_request(struct audit_filter *filter,
    Holdfast__Keyd__V1__EntriesRequest *ret_request)
{
	struct entry_filter *entry = &filter->entry;

	holdfast__keyd__v1__entries_request__init(ret_request);
	ret_request->identity = entry->identity;
	if (entry->has_key)
		ret_request->key_id =
		    (ProtobufCBinaryData){ KEY_ID_LEN, entry->key.at };
	ret_request->since_ns = entry->since_ns;
	ret_request->until_ns = entry->until_ns;
	ret_request->decision =
	    (Holdfast__Keyd__V1__EntriesRequest__Decision)entry->decision;
	ret_request->kind = (Holdfast__Keyd__V1__AuditEntry__Kind)entry->kind;
	ret_request->limit = filter->limit;
	ret_request->last = filter->last;
}
