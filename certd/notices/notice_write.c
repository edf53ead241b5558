/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is said of certificates: that they end, came, or were revoked; and of
 * trouble with the whole.  See notice_write.h; what is said of changes is in
 * notice_write_change.c.  Everything here is read from rows in the transaction
 * that tells it, and promises nothing.
 */

#include "certd/notices/notice_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "certd/notices/notice_event.h"
#include "certd/notices/notice_facts.h"

static void
link_certificate(struct notice_text *text, int64_t id)
{
	notice_text_link(
	    text, "Open the certificate", "certificates/%" PRId64, id);
}

/* ---- the end of a certificate ---- */

static void
say_what_to_do(struct notice_text *text, size_t bound, bool is_over)
{
	if (bound == 0) {
		notice_text_say(text,
		    "No resource uses it. If it is needed no more, delete it; "
		    "else have it renewed by the CA that issued it, and upload "
		    "the new one.");
		return;
	}
	notice_text_say(text,
	    "What to do: %s from the CA that issued it, or from another one; "
	    "upload it; and put it in the place of this one (Replace). Edges "
	    "go over to it by themselves, without a break. A certificate that "
	    "is obtained by ACME renews by itself.",
	    is_over ? "get a new certificate at once"
		    : "get a new certificate for the same host names");
	notice_text_say(text,
	    "Once all edges are seen serving the new one, no more notices come "
	    "for this one.");
}

struct status
notice_write_expiry(void *ctx, struct db_tx *tx, struct notice_text *text)
{
	const struct notice_expiry *expiry = ctx;
	const struct store_certificate *of = expiry->certificate;
	const bool is_over = of->not_after_s <= expiry->now_s;
	char left[NOTICE_LEFT_MAX], end[NOTICE_TIME_MAX];
	size_t bound = 0;
	struct status st;

	notice_facts_print_left(of->not_after_s, expiry->now_s, left);
	notice_text_time(of->not_after_s, end);
	if (is_over)
		notice_text_subject(
		    text, "Certificate %s has expired", of->name);
	else
		notice_text_subject(
		    text, "Certificate %s expires %s", of->name, left);
	notice_text_say(text,
	    is_over ? "It expired on %s, %s. Browsers warn of it, and programs "
		      "refuse it."
		    : "It expires on %s, %s. It does not renew by itself.",
	    end, left);
	st = notice_facts_certificate(text, tx, of, &bound);
	if (failed(st))
		return st;
	say_what_to_do(text, bound, is_over);
	link_certificate(text, of->id);
	return st;
}

/* ---- it came ---- */

struct status
notice_write_issued(void *ctx, struct db_tx *tx, struct notice_text *text)
{
	const struct notice_issued *issued = ctx;
	const struct store_certificate *of = issued->certificate;
	size_t bound = 0;
	struct status st;

	notice_text_subject(text,
	    issued->is_renewal ? "Certificate %s was renewed"
			       : "Certificate %s was issued",
	    of->name);
	notice_text_say(text, "%s has issued %s.", issued->change->authority,
	    issued->is_renewal
		? "a certificate that takes the place of the one before"
		: "the certificate that was ordered");
	st = notice_facts_certificate(text, tx, of, &bound);
	if (failed(st))
		return st;
	notice_text_data(text, "authority", issued->change->authority);
	notice_text_number(text, "change_id", issued->change->id);
	notice_text_say(text, "%s",
	    bound > 0 ? "Edges serve it within moments. It renews by itself; "
			"there is nothing to do."
		      : "It renews by itself. No resource uses it yet: bind it "
			"to one to have it served.");
	link_certificate(text, of->id);
	return st;
}

/* ---- it was revoked ---- */

struct status
notice_write_revoked(void *ctx, struct db_tx *tx, struct notice_text *text)
{
	const struct notice_revoked *revoked = ctx;
	const struct store_certificate *of = revoked->certificate;
	size_t bound = 0;
	struct status st;

	notice_text_subject(text, "Certificate %s was revoked", of->name);
	if (revoked->was_found)
		notice_text_say(text,
		    "Its CA says that it is revoked (%s). Nobody asked for "
		    "that here.",
		    revoked->detail);
	else
		notice_text_say(text,
		    "It was revoked as asked for here, by %s.",
		    revoked->detail);
	st = notice_facts_certificate(text, tx, of, &bound);
	if (failed(st))
		return st;
	notice_text_data(
	    text, "revoked_by", revoked->was_found ? "ca" : "request");
	notice_text_data(text, "detail", revoked->detail);
	if (revoked->was_found)
		notice_text_say(text,
		    "Another one is obtained in its place at once, with a new "
		    "key. Ask the CA why; if the key may be known to others, "
		    "look who could use it.");
	else if (bound > 0)
		notice_text_say(text,
		    "Resources still use it, and browsers may refuse it: bind "
		    "another certificate to them, or have one obtained.");
	link_certificate(text, of->id);
	return st;
}

/* ---- the whole ---- */

static void
say_next_of_trouble(
    struct notice_text *text, const struct notice_trouble *trouble)
{
	const bool is_one = strncmp(trouble->object, "edge ", 5) == 0;

	switch (trouble->event) {
	case NOTICE_EDGE_NOT_CONVERGED:
		notice_text_say(text,
		    "Look at the edge: does edged run there, does it reach "
		    "certd and keyd, and does the web server load its files? "
		    "What it lacks is shown by this command and on its page.");
		notice_text_code(text, "holdfast edge %s%s",
		    is_one ? "show " : "list",
		    is_one ? trouble->object + 5 : "");
		notice_text_link(text, "Open the edges", "edges");
		break;
	case NOTICE_LEDGER_TROUBLE:
		notice_text_say(text,
		    "Without its record keyd gives no signature away. Look at "
		    "keyd's log, and at free space and permissions of its "
		    "folders.");
		notice_text_code(text, "holdfast status");
		notice_text_link(text, "Open the ledger", "audit");
		break;
	default:
		notice_text_say(text,
		    "While it lasts, handshakes may fail that need a "
		    "signature, and no certificate is obtained. Look at keyd's "
		    "log, and at the HSM.");
		notice_text_code(text, "holdfast status");
		notice_text_link(text, "Open the overview", "%s", "");
	}
}

struct status
notice_write_trouble(void *ctx, struct db_tx *tx, struct notice_text *text)
{
	const struct notice_trouble *trouble = ctx;
	char since[NOTICE_TIME_MAX];

	(void)tx;
	notice_text_time(trouble->since_s, since);
	if (trouble->is_over)
		notice_text_subject(text, "Mended: %s", trouble->object);
	else
		notice_text_subject(text, "Trouble: %s", trouble->object);
	notice_text_say(text, "%s%s", trouble->is_over ? "This is over: " : "",
	    trouble->problem);
	notice_text_fact(text, "Where", "%s", trouble->object);
	notice_text_fact(text, "Since", "%s", since);
	notice_text_data(text, "problem", trouble->problem);
	notice_text_number(text, "since_s", trouble->since_s);
	notice_text_data(
	    text, "state", trouble->is_over ? "mended" : "trouble");
	if (!trouble->is_over)
		say_next_of_trouble(text, trouble);
	return status_ok();
}
