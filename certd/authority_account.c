/* SPDX-License-Identifier: Apache-2.0 */

/*
 * certd's account at a CA, brought to what the configuration wants.  Each step
 * is saved before the next, and all of them may be taken again:
 *
 *     row       names the key, which was born for it
 *     register  with that key; a CA that knows the key answers with its account
 *     contacts  as certd.yaml has them
 *
 * Nothing is asked of the CA when the row says that all of it is done.  It is
 * registered only with terms that the configuration agrees to, and with the
 * external account that the CA wants.
 */

#include "certd/authority_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "certd/key_birth.h"

#define ACTOR "certd"

/* Something that the operator has to settle. */
static struct status refuse(struct authority_draft *draft,
    enum acme_problem_type type, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static struct status
refuse(struct authority_draft *draft, enum acme_problem_type type,
    const char *format, ...)
{
	va_list arguments;

	*draft->problem =
	    (struct acme_problem){ .type = type, .retry_after_ms = -1 };
	va_start(arguments, format);
	(void)!vsnprintf(draft->problem->why, sizeof(draft->problem->why),
	    format, arguments);
	va_end(arguments);
	return status_fail(STATUS_FAILED_PRECONDITION,
	    "no account can be had at this CA as it is configured");
}

/* ---- the row ---- */

STATUS
authority_account_save(struct authority_draft *draft, const char *actor,
    const char *act, const char *label)
{
	struct store *store = draft->of->all->store;
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (failed(st))
		return authority_key_trouble(draft->problem, st, "");
	if (label != NULL)
		st = authority_key_keep(tx, label);
	if (!failed(st))
		st = store_acme_accounts_save(tx, &draft->row);
	if (!failed(st) && act != NULL)
		st = store_event(
		    tx, 0, actor, act, draft->row.authority, draft->row.url);
	st = store_commit(store, tx, st);
	return failed(st) ? authority_key_trouble(draft->problem, st, "") : st;
}

static struct status
load(struct authority_draft *draft)
{
	struct db_tx *tx;
	struct status st = store_read(draft->of->all->store, &tx);

	if (failed(st))
		return authority_key_trouble(draft->problem, st, "");
	st = store_acme_accounts_load(tx, draft->of->is->name, &draft->row);
	db_end(tx);
	if (failed(st) && st.code != STATUS_NOT_FOUND)
		return authority_key_trouble(draft->problem, st, "");
	draft->was_there = !failed(st);
	return status_ok();
}

/* A new row with a new key, in place of what there was. */
static struct status
begin_row(struct authority_draft *draft)
{
	char label[CUSTODY_LABEL_MAX];
	struct status st =
	    authority_key_birth(draft->of, &draft->key, label, draft->problem);

	if (failed(st))
		return st;
	draft->row = (struct acme_account_row){ .key = draft->key.is.id,
		.created_s = store_now_s() };
	(void)!snprintf(draft->row.authority, sizeof(draft->row.authority),
	    "%s", draft->of->is->name);
	(void)!snprintf(draft->row.directory, sizeof(draft->row.directory),
	    "%s", draft->of->is->directory);
	draft->was_there = false;
	st = authority_account_save(draft, ACTOR, NULL, label);
	if (failed(st))
		key_birth_abandon(
		    draft->of->all->store, label, &draft->key.is.id);
	return st;
}

/* The row, and its key. */
static struct status
open_row(struct authority_draft *draft)
{
	struct status st = load(draft);

	if (!failed(st) && draft->was_there)
		st = authority_key_find(
		    draft->of, &draft->row.key, &draft->key, draft->problem);
	if (st.code == STATUS_NOT_FOUND) {
		log_warn("the key of an ACME account is no more: another "
			 "account is made",
		    LOG_STR("authority", draft->of->is->name),
		    LOG_STR("account", draft->row.url));
		return begin_row(draft);
	}
	if (failed(st))
		return st;
	return draft->was_there ? st : begin_row(draft);
}

/* ---- registration ---- */

static void
print_contacts(const struct config_authority *is, char ret[ACME_CONTACTS_MAX])
{
	size_t len = 0;

	ret[0] = 0;
	for (size_t i = 0; i < is->contacts.len; i++) {
		int n = snprintf(ret + len, ACME_CONTACTS_MAX - len, "%s%s",
		    i == 0 ? "" : " ", is->contacts.at[i]);

		if (n < 0 || (size_t)n >= ACME_CONTACTS_MAX - len)
			return;
		len += (size_t)n;
	}
}

static struct status
check_terms(
    struct authority_draft *draft, const struct acme_directory *directory)
{
	const struct config_authority *is = draft->of->is;

	if (directory->terms_of_service[0] != 0 && !is->terms_agreed)
		return refuse(draft, ACME_PROBLEM_USER_ACTION_REQUIRED,
		    "%s has terms of service (%.300s): read them, and set "
		    "terms_agreed: true for it in certd.yaml "
		    "(acme.authorities)",
		    is->name, directory->terms_of_service);
	if (directory->needs_external_account && is->eab_kid[0] == 0)
		return refuse(draft, ACME_PROBLEM_EXTERNAL_ACCOUNT_REQUIRED,
		    "%s takes accounts only of customers it knows: set eab_kid "
		    "and eab_key_file for it in certd.yaml "
		    "(acme.authorities), as it gave them to you",
		    is->name);
	return status_ok();
}

/*
 * One whose making was not heard the end of may be there, and some CAs take an
 * external account once: they would refuse what they have granted.
 */
static struct status
look_for_account(struct authority_draft *draft,
    const struct acme_signer *signer, bool *ret_is_settled)
{
	const struct acme_registration existing = { .only_existing = true };
	struct acme_problem problem = { .retry_after_ms = -1 };
	struct status st = status_ok();

	*ret_is_settled = false;
	if (!draft->was_there || draft->of->is->eab_kid[0] == 0)
		return st;
	st = acme_account_new(
	    draft->of->acme, signer, &existing, draft->row.url, &problem);
	if (failed(st) && !problem.is_temporary)
		return status_ok();
	*ret_is_settled = true;
	if (failed(st))
		*draft->problem = problem;
	return st;
}

static struct status
ask_for_account(struct authority_draft *draft)
{
	const struct config_authority *is = draft->of->is;
	const struct acme_registration registration = {
		.contacts = (const char *const *)is->contacts.at,
		.n_contacts = is->contacts.len,
		.terms_agreed = is->terms_agreed,
		.eab_kid = is->eab_kid[0] != 0 ? is->eab_kid : NULL,
		.eab_key = authority_files_mac_key(
		    draft->of->all->files, draft->of->index),
	};
	const struct acme_signer signer = authority_key_signer(&draft->key);
	bool is_settled;
	struct status st = look_for_account(draft, &signer, &is_settled);

	if (is_settled)
		return st;
	return acme_account_new(draft->of->acme, &signer, &registration,
	    draft->row.url, draft->problem);
}

static struct status
registered(struct authority_draft *draft)
{
	struct status st = acme_thumbprint(
	    (struct bytes){ draft->key.is.spki, draft->key.is.spki_len },
	    draft->row.thumbprint);

	if (failed(st))
		return authority_key_trouble(draft->problem, st, "");
	/* Of an account that was found the CA keeps the ones it had. */
	print_contacts(draft->of->is, draft->row.contacts);
	if (draft->was_there)
		draft->row.contacts[0] = 0;
	(void)!snprintf(draft->row.directory, sizeof(draft->row.directory),
	    "%s", draft->of->is->directory);
	st = authority_account_save(draft, ACTOR, "acme_account.create", NULL);
	if (!failed(st))
		log_info("certd has an account at a CA",
		    LOG_STR("authority", draft->row.authority),
		    LOG_STR("account", draft->row.url));
	return st;
}

static struct status
do_register(struct authority_draft *draft)
{
	struct acme_directory *directory = malloc(sizeof(*directory));
	struct status st;

	if (directory == NULL)
		return authority_key_trouble(draft->problem,
		    status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory"), "");
	st = authority_directory(draft->of, false, directory, draft->problem);
	if (!failed(st))
		st = check_terms(draft, directory);
	free(directory);
	if (!failed(st))
		st = ask_for_account(draft);
	return failed(st) ? st : registered(draft);
}

/* ---- contacts ---- */

/* What the CA does not take now is told, and is no reason to stop. */
static struct status
keep_contacts(struct authority_draft *draft)
{
	const struct config_authority *is = draft->of->is;
	const struct acme_account account = { authority_key_signer(&draft->key),
		draft->row.url };
	char wanted[ACME_CONTACTS_MAX];
	struct status st;

	print_contacts(is, wanted);
	if (strcmp(wanted, draft->row.contacts) == 0)
		return status_ok();
	st = acme_account_set_contacts(draft->of->acme, &account,
	    (const char *const *)is->contacts.at, is->contacts.len,
	    draft->problem);
	if (failed(st) &&
	    draft->problem->type == ACME_PROBLEM_ACCOUNT_DOES_NOT_EXIST)
		return st;
	if (failed(st)) {
		log_warn("a CA does not take the contacts of certd's account",
		    LOG_STR("authority", is->name),
		    LOG_STR("problem", acme_problem_name(draft->problem->type)),
		    LOG_STR("why", draft->problem->why));
		return status_ok();
	}
	memcpy(draft->row.contacts, wanted, sizeof(wanted));
	return authority_account_save(
	    draft, ACTOR, "acme_account.contacts", NULL);
}

/* ---- the door ---- */

static struct status
ensure(struct authority_draft *draft, bool was_gone)
{
	struct status st = open_row(draft);

	if (failed(st))
		return st;
	/* Another CA under the same name knows nothing of the account. */
	if (was_gone ||
	    strcmp(draft->row.directory, draft->of->is->directory) != 0)
		draft->row.url[0] = 0;
	if (draft->row.url[0] != 0 && draft->row.has_next)
		st = authority_rollover_settle(draft);
	if (!failed(st) && draft->row.url[0] == 0)
		st = do_register(draft);
	if (!failed(st))
		st = keep_contacts(draft);
	if (!failed(st) ||
	    draft->problem->type != ACME_PROBLEM_ACCOUNT_DOES_NOT_EXIST)
		return st;
	log_warn("a CA has forgotten certd's account: it is made again",
	    LOG_STR("authority", draft->of->is->name),
	    LOG_STR("account", draft->row.url));
	draft->row.url[0] = 0;
	st = do_register(draft);
	return failed(st) ? st : keep_contacts(draft);
}

static struct status
hand_out(struct authority_draft *draft, struct authority_account **ret_account)
{
	struct authority_account *account = calloc(1, sizeof(*account));

	if (account == NULL)
		return authority_key_trouble(draft->problem,
		    status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory"), "");
	account->refs = 1;
	account->of = draft->of;
	account->key = draft->key;
	memcpy(account->url, draft->row.url, sizeof(account->url));
	memcpy(account->thumbprint, draft->row.thumbprint,
	    sizeof(account->thumbprint));
	*ret_account = account;
	return status_ok();
}

STATUS
authority_account_make(struct authority *a, bool was_gone,
    struct authority_account **ret_account, struct acme_problem *ret_problem)
{
	struct authority_draft draft = { .of = a, .problem = ret_problem };
	struct status st = ensure(&draft, was_gone);

	return failed(st) ? st : hand_out(&draft, ret_account);
}

STATUS
authority_account_roll(struct authority *a, bool was_gone, const char *actor,
    struct authority_account **ret_account, struct acme_problem *ret_problem)
{
	struct authority_draft draft = { .of = a, .problem = ret_problem };
	struct key_id before;
	struct status st = load(&draft);

	if (failed(st))
		return st;
	before = draft.row.key;
	st = ensure(&draft, was_gone);
	/* One that was begun before, and is done now, will do. */
	if (!failed(st) && draft.was_there && !was_gone &&
	    !key_id_equal(&before, &draft.key.is.id))
		return hand_out(&draft, ret_account);
	if (!failed(st) && draft.row.has_next)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the CA does not change the account's key");
	if (!failed(st))
		st = authority_rollover_begin(&draft, actor);
	return failed(st) ? st : hand_out(&draft, ret_account);
}
