/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is said of attempts to obtain a certificate: that one failed, was not
 * verified in time, or waits for a person, with the very records to add.  See
 * notice_write.h.  What a CA or a resolver said is quoted, not believed.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/notices/notice_event.h"
#include "certd/notices/notice_facts.h"
#include "certd/notices/notice_write.h"
#include "certd/store_resources.h"

/* ---- what it is about ---- */

struct subject {
	struct enrollment_row of;     /* id 0: it is there no more */
	struct resource_row resource; /* likewise */
	struct names names;
	char title[NOTICE_NAMES_MAX];
};

static struct status
find_subject(
    struct db_tx *tx, const struct change_row *change, struct subject *to)
{
	struct status st =
	    store_enrollments_load(tx, change->enrollment, &to->of);

	if (st.code == STATUS_NOT_FOUND) {
		to->of.id = 0;
		st = status_ok();
	}
	if (!failed(st) && change->resource != 0) {
		st = store_resources_load(tx, change->resource, &to->resource);
		if (st.code == STATUS_NOT_FOUND) {
			to->resource.id = 0;
			st = status_ok();
		}
	}
	if (!failed(st))
		st = store_changes_names(tx, change->id, &to->names);
	if (failed(st))
		return st;
	notice_facts_print_names(&to->names, NOTICE_SHOWN, to->title);
	if (to->of.id != 0)
		snprintf(to->title, sizeof(to->title), "%s", to->of.name);
	return st;
}

static const char *
kind_text(const struct change_row *change)
{
	switch (change->kind) {
	case CHANGE_KIND_RENEWAL:
		return "renewal";
	case CHANGE_KIND_REISSUE:
		return "for changed host names";
	case CHANGE_KIND_REPLACEMENT:
		return "replacement of a revoked certificate";
	default:
		return "first certificate";
	}
}

static void
say_facts(struct notice_text *text, const struct change_row *change,
    const struct subject *of)
{
	char names[NOTICE_NAMES_MAX];

	notice_facts_print_names(&of->names, NOTICE_SHOWN, names);
	notice_text_fact(text, "Host names", "%s", names);
	if (of->of.id != 0)
		notice_text_fact(text, "Account", "%s", of->of.account_name);
	if (of->resource.id != 0)
		notice_text_fact(text, "Resource", "%s (edge group %s)",
		    of->resource.name, of->resource.edge_group);
	if (change->authority[0] != 0)
		notice_text_fact(text, "CA", "%s", change->authority);
	notice_text_fact(text, "Change", "%" PRId64 ", %s%s", change->id,
	    kind_text(change),
	    change->purpose == PURPOSE_STANDBY ? ", standby" : "");
	notice_text_number(text, "change_id", change->id);
	notice_text_number(text, "enrollment_id", change->enrollment);
	notice_text_data(text, "authority", change->authority);
	notice_text_data(text, "problem", change->problem);
	if (of->resource.id != 0)
		notice_text_data(text, "resource", of->resource.name);
	for (size_t i = 0; i < of->names.n && i < 100; i++)
		notice_text_item(text, "hostnames", of->names.at[i]);
}

/* ---- it failed ---- */

static void
say_reason(struct notice_text *text, const struct change_row *change)
{
	notice_text_fact(text, "Reason", "%s",
	    change->problem[0] != 0 ? change->problem : "none was given");
}

static void
say_failed(struct notice_text *text, const struct notice_change *change,
    const struct subject *of)
{
	const bool is_standby = change->change->purpose == PURPOSE_STANDBY;

	notice_text_subject(text, "No %scertificate was obtained for %s",
	    is_standby ? "standby " : "", of->title);
	notice_text_say(text,
	    "The certificate could not be obtained. The reason is below, and "
	    "each step that was made is on the change's page.");
	if (is_standby)
		notice_text_say(
		    text, "The certificate in use is served on as it was.");
	say_facts(text, change->change, of);
	say_reason(text, change->change);
	if (of->resource.id != 0 && !of->resource.https && !is_standby)
		notice_text_say(text,
		    "The resource has no certificate, so its HTTPS was "
		    "switched off; it is served by plain HTTP.");
	notice_text_say(text,
	    "What to do: mend what the reason says. It is tried again by "
	    "itself for a while, and at once when you ask for it (Issue).");
}

static void
say_renewal_failed(struct notice_text *text, const struct notice_change *change,
    const struct subject *of)
{
	const struct store_certificate *now = change->certificate;
	char end[NOTICE_TIME_MAX], left[NOTICE_LEFT_MAX];

	notice_text_subject(text, "Renewal failed for %s", of->title);
	if (now != NULL) {
		notice_text_time(now->not_after_s, end);
		notice_facts_print_left(now->not_after_s, change->now_s, left);
		notice_text_say(text,
		    now->not_after_s > change->now_s
			? "The certificate in use was not renewed. It is "
			  "served on, and expires on %s, %s."
			: "The certificate was not renewed, and has expired on "
			  "%s, %s.",
		    end, left);
		notice_text_fact(text, "Certificate", "%s (number %" PRId64 ")",
		    now->name, now->id);
		notice_text_fact(text, "Valid until", "%s", end);
		notice_text_number(text, "certificate_id", now->id);
		notice_text_number(text, "not_after_s", now->not_after_s);
	}
	say_facts(text, change->change, of);
	say_reason(text, change->change);
	notice_text_say(text,
	    "What to do: mend what the reason says. It is tried again by "
	    "itself, at least once a day; you are told again when 14, 7, 3 and "
	    "1 days are left.");
}

static void
say_expired(struct notice_text *text, const struct notice_change *change,
    const struct subject *of)
{
	notice_text_subject(
	    text, "The order for %s was not verified in time", of->title);
	notice_text_say(text,
	    "Nobody said in time that what the CA looks for is in place, so "
	    "the order has expired. No certificate was obtained.");
	say_facts(text, change->change, of);
	if (change->change->problem[0] != 0)
		say_reason(text, change->change);
	notice_text_say(text,
	    "What to do: order it again (Issue). The values to be put into the "
	    "DNS are new ones then.");
}

/* ---- it waits for a person ---- */

static void
say_record(struct notice_text *text, const struct challenge_row *row)
{
	const char *name =
	    row->dns_target[0] != 0 ? row->dns_target : row->dns_name;

	if (row->state == CHALLENGE_VALID || row->dns_value[0] == 0)
		return;
	notice_text_code(text, "%s. IN TXT \"%s\"", name, row->dns_value);
	notice_text_object(text, "records");
	notice_text_data(text, "hostname", row->hostname);
	notice_text_data(text, "name", name);
	notice_text_data(text, "type", "TXT");
	notice_text_data(text, "value", row->dns_value);
	notice_text_object(text, NULL);
}

static struct status
say_records(
    struct notice_text *text, struct db_tx *tx, const struct change_row *change)
{
	scoped(free) struct challenge_row *rows = NULL;
	size_t n = 0;
	struct status st = store_challenges_of(tx, change->id, &rows, &n);

	for (size_t i = 0; !failed(st) && i < n; i++)
		say_record(text, &rows[i]);
	return st;
}

static struct status
say_verify(struct notice_text *text, struct db_tx *tx,
    const struct notice_change *change, const struct subject *of)
{
	const bool by_hand =
	    of->of.id != 0 && of->of.validation == VALIDATION_DNS_01_BY_HAND;
	char end[NOTICE_TIME_MAX];
	struct status st = status_ok();

	notice_text_subject(text,
	    by_hand ? "Add DNS records to get the certificate for %s"
		    : "Verify to get the certificate for %s",
	    of->title);
	notice_text_say(text,
	    by_hand ? "The CA wants to see these TXT records before it issues "
		      "the certificate. Add them to your DNS, and keep what is "
		      "there under the same names:"
		    : "What the CA looks for was put in place. It is told to "
		      "look when you say so.");
	if (by_hand)
		st = say_records(text, tx, change->change);
	say_facts(text, change->change, of);
	if (change->change->expires_s != 0) {
		notice_text_time(change->change->expires_s, end);
		notice_text_fact(text, "Until", "%s", end);
		notice_text_number(
		    text, "expires_s", change->change->expires_s);
	}
	notice_text_say(text,
	    "Then open the change and choose Verify: it looks whether all is "
	    "in place, says what is missing, and goes on once it is.");
	return st;
}

static void
say_issue(struct notice_text *text, const struct notice_change *change,
    const struct subject *of)
{
	notice_text_subject(
	    text, "Allow the certificate for %s to be issued", of->title);
	notice_text_say(text,
	    "The CA has validated all host names. The certificate is issued "
	    "when you say so.");
	say_facts(text, change->change, of);
	notice_text_say(text, "What to do: open the change and choose Issue.");
}

/* ---- all of them ---- */

struct status
notice_write_change(void *ctx, struct db_tx *tx, struct notice_text *text)
{
	const struct notice_change *change = ctx;
	scoped(free) struct subject *of = calloc(1, sizeof(*of));
	struct status st;

	if (of == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	st = find_subject(tx, change->change, of);
	if (!failed(st))
		switch (change->event) {
		case NOTICE_ISSUE_FAILED:
			say_failed(text, change, of);
			break;
		case NOTICE_RENEWAL_FAILED:
			say_renewal_failed(text, change, of);
			break;
		case NOTICE_CHANGE_EXPIRED:
			say_expired(text, change, of);
			break;
		default:
			if (change->change->state == CHANGE_AWAITING_ISSUE)
				say_issue(text, change, of);
			else
				st = say_verify(text, tx, change, of);
		}
	notice_text_link(
	    text, "Open the change", "changes/%" PRId64, change->change->id);
	names_done(&of->names);
	return st;
}
