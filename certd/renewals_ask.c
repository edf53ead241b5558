/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a CA says of a certificate's renewal (RFC 9773).  Its window is taken as
 * it is, a past one too: then the certificate is revoked or going to be.  While
 * attempts fail, their own pauses hold, and one that wants a new certificate
 * again and again gets a few a day.  A CA that has no such information, is
 * away or not to be asked just now is asked again later; the certificate is
 * renewed at its third nevertheless.  Whether it is revoked is looked at each
 * time as well: one that is is replaced at once.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "certd/leaf.h"
#include "certd/renewals.h"
#include "certd/revoked.h"
#include "certd/store_certificates.h"

#define HOUR_S 3600
#define DAY_S 86400

struct asking {
	const struct renewals_ask *ask;
	struct acme_renewal_info info;
	bool has_info;
	int64_t now_s, ask_s;
	struct revoked_found revoked;
};

/* For auditors, unless it is revoked because somebody wanted it here. */
static struct status
tell_revoked(struct db_tx *tx, const struct asking *asking)
{
	const struct revoked_found *found = &asking->revoked;
	char since[PKI_TIME_TEXT_MAX], object[40], detail[200];
	struct enrollment_row of;
	struct status st =
	    store_enrollments_load(tx, asking->ask->enrollment, &of);

	if (failed(st) || of.state == ENROLLMENT_REVOKED)
		return st;
	pki_time_print(found->answer.revoked_s, since);
	(void)!snprintf(object, sizeof(object), "certificate %" PRId64,
	    asking->ask->certificate);
	(void)!snprintf(detail, sizeof(detail), "since %s, %s; %s", since,
	    revocation_reason(found->answer.reason), found->source);
	return store_event(
	    tx, of.account, "certd", "acme.found_revoked", object, detail);
}

static struct status
replace(struct db_tx *tx, const struct asking *asking)
{
	struct status st = tell_revoked(tx, asking);

	return failed(st) ? st : renewals_revoked(tx, asking->ask->certificate);
}

/* What the CA's window makes of when to renew. */
static struct status
follow_window(struct db_tx *tx, struct renewal_row *row, int64_t now_s)
{
	const uint64_t seed = renewals_seed(row->certificate, row->not_after_s);
	struct store_certificate of;
	bool is_hasty = false;
	int64_t own_s;
	struct status st = store_certificates_find(tx, row->certificate, &of);

	if (!failed(st))
		st = renewals_is_hasty(
		    tx, row->enrollment, row->purpose, now_s, &is_hasty);
	if (failed(st))
		return st;
	row->renew_s =
	    renewals_in_window(row->window_start_s, row->window_end_s,
		renewals_latest(of.not_before_s, of.not_after_s), seed);
	own_s = renewals_at(of.not_before_s, of.not_after_s, seed);
	if (own_s > now_s + DAY_S)
		own_s = now_s + DAY_S;
	if (is_hasty && row->renew_s < own_s)
		row->renew_s = own_s;
	return st;
}

static struct status
keep(struct db_tx *tx, void *ctx)
{
	struct asking *asking = ctx;
	const struct renewals_ask *ask = asking->ask;
	struct renewal_row row;
	struct status st =
	    store_renewals_load(tx, ask->enrollment, ask->purpose, &row);

	/* Another one by now. */
	if (st.code == STATUS_NOT_FOUND ||
	    (!failed(st) && row.certificate != ask->certificate))
		return status_ok();
	if (failed(st))
		return st;
	row.ask_s = asking->ask_s;
	if (asking->has_info) {
		row.window_start_s = asking->info.window_start_s;
		row.window_end_s = asking->info.window_end_s;
		memcpy(row.explanation_url, asking->info.explanation_url,
		    sizeof(row.explanation_url));
		row.explanation_url[sizeof(row.explanation_url) - 1] = 0;
		/* 0: a change is under way. */
		if (row.renew_s != 0 && row.failures == 0)
			st = follow_window(tx, &row, asking->now_s);
	}
	if (!failed(st))
		st = store_renewals_save(tx, &row);
	if (!failed(st) && asking->revoked.answer.is_revoked)
		st = replace(tx, asking);
	return st;
}

/* Of the certificate as it is kept. */
static struct status
find_id(struct store *store, int64_t certificate, char ret_id[ACME_CERT_ID_MAX])
{
	scoped(free) uint8_t *der = NULL;
	size_t len = 0;
	struct db_tx *tx;
	struct status st = store_read(store, &tx);

	if (failed(st))
		return st;
	st = leaf_der(tx, certificate, &der, &len);
	db_end(tx);
	return failed(st) ? st
			  : acme_cert_id((struct bytes){ der, len }, ret_id);
}

static void
ask_ca(const struct issuer_config *config, struct asking *asking,
    const char *cert_id, int64_t now_s)
{
	const char *authority = asking->ask->authority;
	struct authority_session session;
	struct acme_problem problem = { .retry_after_ms = -1 };
	struct status st = authorities_enter(
	    config->authorities, authority, &session, &problem);

	if (failed(st)) {
		log_info("a CA cannot be asked about renewals",
		    LOG_STR("authority", authority),
		    LOG_STR("why", problem.why));
		return;
	}
	problem = (struct acme_problem){ .retry_after_ms = -1 };
	st = acme_renewal_info(session.acme, cert_id, &asking->info, &problem);
	authorities_leave(&session);
	if (st.code != STATUS_UNIMPLEMENTED)
		authorities_tell(config->authorities, authority,
		    AUTHORITY_REQUEST, NULL, &problem);
	asking->has_info = !failed(st);
	if (!failed(st))
		asking->ask_s =
		    renewals_ask_at(now_s, asking->info.retry_after_s,
			renewals_seed(asking->ask->certificate, now_s));
	else if (st.code == STATUS_UNIMPLEMENTED)
		asking->ask_s = now_s + DAY_S;
	else if (problem.retry_after_ms > 0)
		asking->ask_s = renewals_ask_at(
		    now_s, problem.retry_after_ms / 1000 + 1, 0);
}

/* May it be asked now?  Else when to look again. */
static bool
may_ask(
    const struct issuer_config *config, struct asking *asking, int64_t now_s)
{
	const char *authority = asking->ask->authority;
	int64_t wait_ms = 0;

	if (authorities_find(config->authorities, authority) == NULL) {
		asking->ask_s = now_s + DAY_S;
		return false;
	}
	if (authorities_may(config->authorities, authority, AUTHORITY_REQUEST,
		NULL, &wait_ms))
		return true;
	asking->ask_s = now_s + wait_ms / 1000 + 1;
	return false;
}

static struct status
load_chain(struct store *store, int64_t certificate, char **ret_pem)
{
	struct db_tx *tx;
	struct status st = store_read(store, &tx);

	if (failed(st))
		return st;
	st = store_certificates_chain(tx, certificate, ret_pem);
	db_end(tx);
	return st;
}

/* Where the CA has no renewal information, this sets the pace.  Where it has,
 * or wants to be left alone, OCSP is not asked for each certificate as well. */
static void
look_revoked(
    const struct issuer_config *config, struct asking *asking, int64_t now_s)
{
	struct revoked_found *found = &asking->revoked;
	const bool may_ask_each =
	    !asking->has_info &&
	    (asking->ask_s == 0 || asking->ask_s >= now_s + HOUR_S);
	scoped(free) char *pem = NULL;

	if (config->revoked == NULL ||
	    failed(load_chain(config->store, asking->ask->certificate, &pem)))
		return;
	revoked_look(config->revoked, pem, may_ask_each, now_s, found);
	if (found->next_s != 0 && !asking->has_info &&
	    (asking->ask_s == 0 || found->next_s < asking->ask_s))
		asking->ask_s = found->next_s;
}

void
renewals_ask(const struct issuer_config *config, struct writer *writer,
    const struct renewals_ask *ask)
{
	const int64_t now_s = store_now_s();
	struct asking asking = {
		.ask = ask, .now_s = now_s, .ask_s = now_s + HOUR_S
	};
	char cert_id[ACME_CERT_ID_MAX];
	struct status st;

	if (may_ask(config, &asking, now_s)) {
		st = find_id(config->store, ask->certificate, cert_id);
		if (!failed(st))
			ask_ca(config, &asking, cert_id, now_s);
		else if (st.code == STATUS_FAILED_PRECONDITION)
			asking.ask_s = 0; /* it cannot be told of to a CA */
	}
	look_revoked(config, &asking, now_s);
	st = writer_run(writer, keep, &asking);
	if (failed(st))
		log_warn("what a CA said of a renewal could not be kept",
		    LOG_INT("certificate", ask->certificate), LOG_STATUS(st));
}
