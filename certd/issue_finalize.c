/* SPDX-License-Identifier: Apache-2.0 */

/*
 * FINALIZING (RFC 8555 7.4): a key is born in the token, fresh for this
 * certificate, and signs its own request; the CA makes the certificate of it.
 * The key's label is on record before keyd is asked, and the key before the CA
 * is: after a crash the same key goes on.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "certd/issue.h"
#include "certd/key_birth.h"
#include "certd/store_keys.h"
#include "pki/csr.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"

/* An intent of that age is taken over anew, for the janitor looks at those of
 * ten minutes. */
#define INTENT_GOOD_S 300
#define ACTIVE ((int)HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_ACTIVE)

static const char *
either(const char *why, struct status st)
{
	return why[0] != 0 ? why : st.why;
}

/* ---- the label ---- */

struct labelling {
	struct issue *issue;
	char label[CUSTODY_LABEL_MAX];
};

static struct status
put_label(struct db_tx *tx, void *ctx)
{
	struct labelling *labelling = ctx;
	struct change_row *row = &labelling->issue->row;
	struct status st;

	if (labelling->label[0] != 0)
		st = key_birth_renew(tx, row->account, labelling->label);
	else
		st = key_birth_intend(tx, row->account, row->key_label);
	return failed(st) ? st : issue_put(labelling->issue, tx);
}

static struct pace
intend(struct issue *issue)
{
	struct labelling labelling = { .issue = issue };
	struct status st;

	memcpy(labelling.label, issue->row.key_label, sizeof(labelling.label));
	st = writer_run(issue->writer, put_label, &labelling);
	if (failed(st))
		return issue_unsaved(issue, st);
	issue->intent_ns = clock_mono_ns();
	/* keyd may have made it before a crash. */
	issue->may_have_key = labelling.label[0] != 0;
	issue_saved(issue);
	return pace_on();
}

/* ---- the key ---- */

struct keying {
	struct issue *issue;
	struct store_key key;
	bool is_doomed;
};

static struct status
put_key(struct db_tx *tx, void *ctx)
{
	struct keying *keying = ctx;
	struct status st =
	    store_keys_is_doomed(tx, &keying->key.id, &keying->is_doomed);

	if (!failed(st) && keying->is_doomed)
		st = status_fail(
		    STATUS_ABORTED, "the key is going to be destroyed");
	if (!failed(st))
		st = store_keys_insert(tx, &keying->key, "certd");
	return failed(st) ? st : issue_put(keying->issue, tx);
}

/* It came to a crash or a timeout, and the janitor has taken it for one that
 * nobody wants: it is left to that, and another one is made. */
static struct pace
leave_key(struct issue *issue)
{
	issue->row.key_label[0] = 0;
	issue->row.has_key = issue->may_have_key = false;
	issue->intent_ns = 0;
	return pace_on();
}

static struct pace
keep_key(struct issue *issue, const struct custody_key *key)
{
	struct keying keying = { .issue = issue,
		.key = { .id = key->id,
		    .account = issue->row.account,
		    .alg = key->alg,
		    .origin = key->origin,
		    .spki_len = key->spki_len } };
	struct status st;

	memcpy(keying.key.spki, key->spki, key->spki_len);
	memcpy(keying.key.label, key->label, sizeof(keying.key.label));
	memcpy(keying.key.pool, key->pool, sizeof(keying.key.pool));
	(void)!snprintf(keying.key.network, sizeof(keying.key.network), "%s",
	    issue->of.network);
	issue->row.has_key = true;
	issue->row.key = key->id;
	st = writer_run(issue->writer, put_key, &keying);
	if (failed(st) && keying.is_doomed)
		return leave_key(issue);
	if (failed(st))
		return issue_unsaved(issue, st);
	issue->key = keying.key;
	issue_saved(issue);
	return pace_on();
}

static struct status
generate(struct issue *issue, struct custody_key *ret_key, char *ret_why)
{
	const struct network *network = networks_find(
	    &issue->config->config->all_networks, issue->of.network);
	char for_whom[KEY_BIRTH_WHOM_MAX];

	if (network == NULL) {
		(void)!snprintf(ret_why, CUSTODY_WHY_MAX,
		    "certd.yaml has no network \"%s\" any more",
		    issue->of.network);
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the enrollment's network is gone");
	}
	key_birth_for_whom(issue->of.account_name, "certd", for_whom);
	return custody_generate_replaceable(issue->config->custody,
	    issue->of.alg, issue->row.key_label, network->pool, for_whom,
	    ret_key, ret_why);
}

/* keyd is away, or will not have it. */
static struct pace
no_key(struct issue *issue, struct status st, const char *why)
{
	/* What became of it is found out by its label. */
	issue->may_have_key = true;
	if (st.code == STATUS_INVALID_ARGUMENT ||
	    st.code == STATUS_FAILED_PRECONDITION ||
	    st.code == STATUS_PERMISSION_DENIED)
		return issue_end_with(issue, CHANGE_FAILED, "keyd: %s", why);
	return issue_later(issue, -1, why);
}

static struct pace
make_key(struct issue *issue)
{
	char why[CUSTODY_WHY_MAX] = "";
	struct custody_key key;
	struct status st;

	if (issue->row.key_label[0] == 0 || issue->intent_ns == 0 ||
	    clock_mono_ns() - issue->intent_ns > INTENT_GOOD_S * NS_PER_S)
		return intend(issue);
	st = issue->may_have_key
		 ? custody_find_label(
		       issue->config->custody, issue->row.key_label, &key, why)
		 : status_fail(STATUS_NOT_FOUND, "it was never asked for");
	if (!failed(st) && key.state != ACTIVE)
		return leave_key(issue);
	if (st.code == STATUS_NOT_FOUND)
		st = generate(issue, &key, why);
	if (issue_boundary != NULL)
		issue_boundary();
	return failed(st) ? no_key(issue, st, either(why, st))
			  : keep_key(issue, &key);
}

/* ---- the request ---- */

STATUS
issue_key(struct issue *issue)
{
	struct db_tx *tx;
	struct status st;

	if (issue->key.spki_len != 0)
		return status_ok();
	st = store_read(issue->config->store, &tx);
	if (failed(st))
		return st;
	st = store_keys_find(tx, &issue->row.key, &issue->key);
	db_end(tx);
	return st;
}

static struct status
make_csr(struct issue *issue, uint8_t **ret_der, size_t *ret_len, char *ret_why)
{
	const struct store_key *key = &issue->key;
	const char *names[CSR_NAMES_MAX];
	scoped(csr_free) struct csr *csr = NULL;
	struct signature signature;
	const char *common = issue->of.common_name;
	size_t n = 0;
	struct status st;

	for (; n < issue->names.n && n < CSR_NAMES_MAX; n++)
		names[n] = issue->names.at[n];
	/* It may have been changed since the change began. */
	if (!names_has(&issue->names, common))
		common = "";
	st = csr_new_named((struct bytes){ key->spki, key->spki_len }, common,
	    names, n, &csr, ret_why);
	if (!failed(st))
		st = custody_sign_csr(issue->config->custody, &key->id,
		    key->alg, csr_info(csr), &signature, ret_why);
	if (!failed(st))
		st = csr_sign(
		    csr, (struct bytes){ signature.at, signature.len });
	return failed(st) ? st : csr_der(csr, ret_der, ret_len);
}

/* ---- the CA ---- */

static struct pace
finalize_with(struct issue *issue, struct bytes csr)
{
	struct acme_problem problem = { .retry_after_ms = -1 };
	struct acme_order order = { .n_names = 0 };
	struct pace pace;
	struct status st;

	if (!issue_ask_begin(issue, &pace))
		return pace;
	st = acme_order_finalize(issue->session.acme, &issue->session.account,
	    issue->row.finalize_url, csr, &order, &problem);
	/* The answer to one before may have been lost: look. */
	if (failed(st) && problem.type == ACME_PROBLEM_ORDER_NOT_READY) {
		issue_ask_tell(issue, AUTHORITY_REQUEST, &problem);
		issue->has_order = false;
		issue->row.attempts++;
		return issue->row.attempts > 3
			   ? issue_ask_trouble(issue, &problem)
			   : issue_poll(issue, -1);
	}
	if (!issue_ask_went(issue, st, &problem, &pace)) {
		issue->has_order = false;
		return pace;
	}
	acme_order_done(&issue->order);
	issue->order = order;
	return pace_on();
}

static struct pace
finalize(struct issue *issue)
{
	scoped(free) uint8_t *der = NULL;
	char why[CUSTODY_WHY_MAX + CSR_WHY_MAX] = "";
	size_t len = 0;
	struct status st;

	if (!issue->row.has_key)
		return make_key(issue);
	st = issue_key(issue);
	if (st.code == STATUS_NOT_FOUND)
		return issue_end_with(issue, CHANGE_FAILED, "%s",
		    "The key was destroyed while the certificate was on its "
		    "way.");
	if (failed(st))
		return issue_unsaved(issue, st);
	st = make_csr(issue, &der, &len, why);
	if (st.code == STATUS_INVALID_ARGUMENT)
		return issue_end_with(
		    issue, CHANGE_FAILED, "%s", either(why, st));
	if (failed(st))
		return issue_later(issue, -1, either(why, st));
	return finalize_with(issue, (struct bytes){ der, len });
}

static struct pace
issued(struct issue *issue)
{
	if (!issue->row.has_key)
		return issue_end_with(issue, CHANGE_FAILED,
		    "CA %s says that the order is issued, but no request was "
		    "sent to it.",
		    issue->row.authority);
	if (issue->order.certificate[0] == 0) {
		static const char why[] = "The CA says that the order is "
					  "issued, and not where the "
					  "certificate is.";

		issue->has_order = false;
		return issue_is_out_of_patience(issue)
			   ? issue_end_with(issue, CHANGE_FAILED, "%s", why)
			   : issue_later(issue, -1, why);
	}
	(void)!snprintf(issue->row.certificate_url,
	    sizeof(issue->row.certificate_url), "%s", issue->order.certificate);
	issue_become(issue, CHANGE_INSTALLING, "%s", "The CA has issued it.");
	issue_doing(issue, "fetches and checks the certificate");
	return pace_on();
}

static struct pace
wait_for_ca(struct issue *issue)
{
	struct pace pace;
	int64_t asked_ms = issue->order.retry_after_ms;

	/* The challenges have done what they were for. */
	if (issue_end_clean(issue))
		return pace_on();
	/* The answer to finalize is the first look. */
	if (!issue->is_answered) {
		issue->is_answered = true;
		return issue_validate_wait(issue, asked_ms);
	}
	if (!issue_validate_look(issue, &pace))
		return pace;
	issue_polled(issue, issue->order.status == ACME_PROCESSING);
	return issue->order.status == ACME_PROCESSING
		   ? issue_validate_wait(issue, issue->order.retry_after_ms)
		   : pace_on();
}

struct pace
issue_finalize(struct issue *issue)
{
	struct pace pace;

	if (!issue->has_order && !issue_validate_look(issue, &pace))
		return pace;
	switch (issue->order.status) {
	case ACME_READY:
		return finalize(issue);
	case ACME_PROCESSING:
		return wait_for_ca(issue);
	case ACME_VALID:
		return issue_end_clean(issue) ? pace_on() : issued(issue);
	case ACME_PENDING:
		issue_become(issue, CHANGE_VALIDATING, "%s",
		    "The CA wants the names validated again.");
		return pace_on();
	default:
		return issue_validate_follow(issue);
	}
}
