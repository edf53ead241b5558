/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Another key for an account (RFC 8555 7.3.5), so that a crash at any point
 * loses nothing:
 *
 *     born     keyd makes it; an intent is on record before
 *     kept     the account's row names it as its next key
 *     changed  the CA is told, signed by both
 *     adopted  the row names it as its key, and the old one is doomed
 *
 * Between kept and adopted only the CA knows which key it takes.  It is asked
 * for an account of the new key: if there is one, the change was made.
 */

#include "certd/authority_int.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "certd/key_birth.h"
#include "certd/store_keys.h"

#define ACTOR "certd"

/* In one transaction: the new key is the key, the old one nobody's. */
static struct status
write_adopted(struct authority_draft *draft, const char *actor,
    const struct acme_account_row *row)
{
	struct store *store = draft->of->all->store;
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (failed(st))
		return st;
	st = store_keys_doom(tx, &draft->row.key);
	if (!failed(st))
		st = store_acme_accounts_save(tx, row);
	if (!failed(st))
		st = store_event(tx, 0, actor, "acme_account.rollover",
		    row->authority, row->url);
	return store_commit(store, tx, st);
}

static struct status
adopt(struct authority_draft *draft, const char *actor,
    const struct authority_key *next)
{
	struct acme_account_row row = draft->row;
	struct status st = acme_thumbprint(
	    (struct bytes){ next->is.spki, next->is.spki_len }, row.thumbprint);

	row.key = row.key_next;
	row.has_next = false;
	if (!failed(st))
		st = write_adopted(draft, actor, &row);
	if (failed(st))
		return authority_key_trouble(draft->problem, st, "");
	draft->row = row;
	draft->key = *next;
	log_info("an ACME account has a new key",
	    LOG_STR("authority", row.authority), LOG_STR("account", row.url));
	return st;
}

/* No answer, or none that can be understood: it may have been done. */
static bool
is_uncertain(const struct acme_problem *problem)
{
	return problem->type == ACME_PROBLEM_UNREACHABLE ||
	       problem->type == ACME_PROBLEM_NOT_ACME || problem->is_temporary;
}

static struct status
change(struct authority_draft *draft, const char *actor,
    struct authority_key *next)
{
	const struct acme_account account = { authority_key_signer(&draft->key),
		draft->row.url };
	const struct acme_signer signer = authority_key_signer(next);
	struct status st = acme_account_change_key(
	    draft->of->acme, &account, &signer, draft->problem);

	return failed(st) ? st : adopt(draft, actor, next);
}

/* Does the CA know an account of this key?  Any failure but OK with false is
 * not known. */
static struct status
probe(struct authority_draft *draft, struct authority_key *next, bool *ret_is)
{
	const struct acme_registration existing = { .only_existing = true };
	const struct acme_signer signer = authority_key_signer(next);
	char url[ACME_URL_MAX];
	struct status st = acme_account_new(
	    draft->of->acme, &signer, &existing, url, draft->problem);

	if (failed(st) &&
	    draft->problem->type != ACME_PROBLEM_ACCOUNT_DOES_NOT_EXIST)
		return st;
	*ret_is = !failed(st);
	return status_ok();
}

/* The key that was to come is no more: the change did not take place, or the
 * account is lost with it. */
static struct status
forget_next(struct authority_draft *draft)
{
	draft->row.has_next = false;
	return authority_account_save(
	    draft, ACTOR, "acme_account.rollover_given_up", NULL);
}

STATUS
authority_rollover_settle(struct authority_draft *draft)
{
	struct authority_key next;
	bool is_known = false;
	struct status st = authority_key_find(
	    draft->of, &draft->row.key_next, &next, draft->problem);

	if (st.code == STATUS_NOT_FOUND)
		return forget_next(draft);
	if (!failed(st))
		st = probe(draft, &next, &is_known);
	if (failed(st))
		return st;
	if (is_known)
		return adopt(draft, ACTOR, &next);
	st = change(draft, ACTOR, &next);
	if (!failed(st) || is_uncertain(draft->problem) ||
	    draft->problem->type == ACME_PROBLEM_SIGNER)
		return st;
	log_warn("a CA does not change an account's key; the old one is used "
		 "further",
	    LOG_STR("authority", draft->row.authority),
	    LOG_STR("problem", acme_problem_name(draft->problem->type)),
	    LOG_STR("why", draft->problem->why));
	return status_ok();
}

STATUS
authority_rollover_begin(struct authority_draft *draft, const char *actor)
{
	char label[CUSTODY_LABEL_MAX];
	struct authority_key next;
	struct status st =
	    authority_key_birth(draft->of, &next, label, draft->problem);

	if (failed(st))
		return st;
	draft->row.has_next = true;
	draft->row.key_next = next.is.id;
	st = authority_account_save(
	    draft, actor, "acme_account.rollover_begun", label);
	if (failed(st)) {
		draft->row.has_next = false;
		key_birth_abandon(draft->of->all->store, label, &next.is.id);
		return st;
	}
	return change(draft, actor, &next);
}
