/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Finding certificates that crossed a threshold; see notice_expiry.h.  Personal
 * and shared ones are told of as rules say.  Those that ACME renews never are,
 * but when their renewal fails: then at 14, 7, 3 and 1 days, and when it was
 * too late.  Read notice_expiry_look; what is done about one is in consider.
 */

#include "certd/notices/notice_expiry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/notices/notice_stands.h"
#include "certd/notices/notice_write.h"
#include "certd/notices/store_expiry.h"
#include "certd/store_resources.h"
#include "proto/message.h"

#define HOUR_S INT64_C(3600)
#define DAY_S INT64_C(86400)
#define DAYS_MOST 365
#define LOOK_S 60
#define PAGE 100

static const int FAILURE_DAYS[] = { 1, 3, 7, 14 };
#define N_FAILURE_DAYS (sizeof(FAILURE_DAYS) / sizeof(FAILURE_DAYS[0]))

int64_t
notice_expiry_crossed_at(int64_t not_after_s, int days)
{
	int64_t day_s = not_after_s / DAY_S * DAY_S;
	int64_t noon_s = not_after_s - 12 * HOUR_S;

	if (days > 0)
		return not_after_s - days * DAY_S;
	return day_s < noon_s ? day_s : noon_s;
}

/* ---- one certificate ---- */

struct considering {
	struct db_tx *tx;
	struct notice_teller *teller;
	int64_t since_s, now_s; /* crossed after since_s, up to now_s */
	struct store_certificate of;
	char object[40];
	struct status st;
};

static bool
is_crossed(const struct considering *c, int64_t at_s)
{
	return at_s > c->since_s && at_s <= c->now_s;
}

/* The nearest threshold that was crossed at all; -1: none was. */
static int
nearest(const struct considering *c, const int *days, size_t n)
{
	int found = -1;

	for (size_t i = 0; i < n; i++)
		if (notice_expiry_crossed_at(c->of.not_after_s, days[i]) <=
			c->now_s &&
		    (found < 0 || days[i] < found))
			found = days[i];
	return found;
}

static struct status
tell_expiry(struct considering *c, int event, int days,
    const char *occasion_text, const struct rule_row *rule)
{
	struct notice_expiry write = { &c->of, c->now_s };
	const struct notice_occasion occasion = { .account = c->of.account,
		.event = event,
		.object = c->object,
		.occasion = occasion_text,
		.days = days,
		.end_s = event == NOTICE_EXPIRING ? c->of.not_after_s : 0,
		.rule = rule,
		.write = notice_write_expiry,
		.ctx = &write };
	size_t n = 0;

	return notice_tell(c->tx, c->teller, &occasion, &n);
}

static bool
consider_rule(void *ctx, const struct rule_row *rule)
{
	struct considering *c = ctx;
	char occasion[NOTICE_OCCASION_MAX];
	int days = nearest(c, rule->days, rule->n_days);

	if (days < 0 ||
	    !is_crossed(c, notice_expiry_crossed_at(c->of.not_after_s, days)))
		return true;
	snprintf(occasion, sizeof(occasion), "%d days", days);
	c->st = tell_expiry(c, NOTICE_EXPIRING, days, occasion, rule);
	return !failed(c->st);
}

static struct status
consider_expiry(struct considering *c)
{
	struct notice_need need;
	struct status st = notice_stands_need(c->tx, &c->of, &need);

	if (failed(st) || !need.is_needed)
		return st;
	if (c->of.not_after_s <= c->now_s)
		return need.is_served && is_crossed(c, c->of.not_after_s)
			   ? tell_expiry(c, NOTICE_EXPIRED, 0, "expired", NULL)
			   : st;
	st = store_rules_each(
	    c->tx, c->of.account, NOTICE_EXPIRING, consider_rule, c);
	return failed(st) ? st : c->st;
}

static struct status
tell_failure(struct considering *c, const struct renewal_row *renewal, int days)
{
	struct enrollment_row of;
	struct change_row change;
	struct notice_change write = { NOTICE_RENEWAL_FAILED, &change, &c->of,
		c->now_s };
	struct notice_occasion occasion = { .account = c->of.account,
		.event = NOTICE_RENEWAL_FAILED,
		.object = c->object,
		.days = days < 0 ? 0 : days,
		.write = notice_write_change,
		.ctx = &write };
	char text[NOTICE_OCCASION_MAX];
	size_t n = 0;
	struct status st =
	    store_enrollments_load(c->tx, renewal->enrollment, &of);

	if (!failed(st))
		st = store_changes_newest(
		    c->tx, of.id, renewal->purpose, &change);
	if (failed(st))
		return st.code == STATUS_NOT_FOUND ? status_ok() : st;
	snprintf(text, sizeof(text), days < 0 ? "expired" : "%d days", days);
	if (change.problem[0] == 0)
		snprintf(change.problem, sizeof(change.problem), "%s",
		    renewal->problem);
	occasion.occasion = text;
	occasion.contacts = of.contacts;
	occasion.n_contacts = of.n_contacts;
	return notice_tell(c->tx, c->teller, &occasion, &n);
}

/* Of one that is renewed: only while that fails. */
static struct status
consider_failure(struct considering *c)
{
	struct renewal_row renewal;
	int days = nearest(c, FAILURE_DAYS, N_FAILURE_DAYS);
	int64_t at_s;
	struct status st =
	    store_renewals_by_certificate(c->tx, c->of.id, &renewal);

	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (failed(st) || renewal.failures == 0)
		return st;
	if (c->of.not_after_s <= c->now_s)
		days = -1;
	else if (days < 0)
		return st;
	at_s = days < 0 ? c->of.not_after_s
			: notice_expiry_crossed_at(c->of.not_after_s, days);
	return is_crossed(c, at_s) ? tell_failure(c, &renewal, days) : st;
}

static struct status
consider(struct considering *c, int64_t id)
{
	struct status st = store_certificates_find(c->tx, id, &c->of);

	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (failed(st))
		return st;
	c->st = status_ok();
	snprintf(c->object, sizeof(c->object), "certificate %" PRId64, id);
	st = consider_failure(c);
	return failed(st) ? st : consider_expiry(c);
}

STATUS
notice_expiry_uploaded(struct db_tx *tx, struct notice_teller *teller,
    int64_t certificate, int64_t now_s)
{
	struct considering c = {
		.tx = tx, .teller = teller, .since_s = INT64_MIN, .now_s = now_s
	};
	struct status st = store_certificates_find(tx, certificate, &c.of);

	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	/* What had expired when it came is nobody's surprise. */
	if (failed(st) || c.of.not_after_s <= now_s)
		return st;
	return consider(&c, certificate);
}

/* ---- all that crossed ---- */

struct looking {
	struct store *store;
	struct notice_teller *teller;
	int64_t since_s, now_s;
	const atomic_bool *stop;
	bool days[DAYS_MOST + 1]; /* that any rule asks for */
};

static struct status
find_days(struct looking *look, struct db_tx *tx)
{
	char text[RULE_DAYS_TEXT_MAX] = "";
	int days[RULE_DAYS_MAX];
	struct status st;

	for (size_t i = 0; i < N_FAILURE_DAYS; i++)
		look->days[FAILURE_DAYS[i]] = true;
	for (;;) {
		char next[RULE_DAYS_TEXT_MAX];
		size_t n;

		st = store_rules_next_days(tx, NOTICE_EXPIRING, text, next);
		if (failed(st))
			break;
		n = store_rules_days(next, days);
		for (size_t i = 0; i < n; i++)
			if (days[i] >= 0 && days[i] <= DAYS_MOST)
				look->days[days[i]] = true;
		memcpy(text, next, sizeof(text));
	}
	return st.code == STATUS_NOT_FOUND ? status_ok() : st;
}

static struct status
find_page(struct looking *look, struct expiry_walk *walk, int64_t ids[PAGE],
    size_t *ret_n)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = store_read(look->store, &tx);

	return failed(st) ? st : store_expiry_next(tx, walk, ids, PAGE, ret_n);
}

static struct status
consider_page(struct looking *look, const int64_t *ids, size_t n)
{
	struct considering c = { .teller = look->teller,
		.since_s = look->since_s,
		.now_s = look->now_s };
	struct status st = store_write(look->store, &c.tx);

	if (failed(st))
		return st;
	for (size_t i = 0; i < n && !failed(st); i++)
		st = consider(&c, ids[i]);
	return store_commit(look->store, c.tx, st);
}

/* Certificates of all kinds whose end is in from_s < end <= to_s. */
static struct status
look_at(struct looking *look, int64_t from_s, int64_t to_s)
{
	static const int KINDS[] = { KIND_PERSONAL, KIND_ACME, KIND_SHARED };
	struct status st = status_ok();

	for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
		struct expiry_walk walk = {
			.kind = KINDS[i], .from_s = from_s, .to_s = to_s
		};
		int64_t ids[PAGE];
		size_t n = PAGE;

		while (!failed(st) && n == PAGE && from_s < to_s) {
			if (atomic_load(look->stop))
				return status_fail(
				    STATUS_CANCELLED, "certd ends");
			n = 0;
			st = find_page(look, &walk, ids, &n);
			if (!failed(st) && n > 0)
				st = consider_page(look, ids, n);
		}
	}
	return st;
}

static int64_t
later(int64_t a_s, int64_t b_s)
{
	return a_s > b_s ? a_s : b_s;
}

/* What ends today, by the calendar and by the hours that are left. */
static struct status
look_at_today(struct looking *look)
{
	const int64_t now_s = look->now_s, since_s = look->since_s;
	const int64_t end_s = (now_s / DAY_S + 1) * DAY_S - 1;
	struct status st = look_at(
	    look, later(since_s + 12 * HOUR_S, now_s), now_s + 12 * HOUR_S);

	if (failed(st) || now_s / DAY_S == since_s / DAY_S)
		return st;
	return look_at(
	    look, later((since_s / DAY_S + 1) * DAY_S - 1, now_s), end_s);
}

static struct status
look_at_all(struct looking *look)
{
	const int64_t now_s = look->now_s;
	struct status st = status_ok();

	/* At the first look ever what has ended is no news. */
	if (look->since_s != 0)
		st = look_at(look, look->since_s, now_s);
	for (int days = 1; days <= DAYS_MOST && !failed(st); days++)
		if (look->days[days])
			st = look_at(look,
			    later(look->since_s + days * DAY_S, now_s),
			    now_s + days * DAY_S);
	return failed(st) || !look->days[0] ? st : look_at_today(look);
}

static struct status
begin(struct looking *look, bool *ret_is_due)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = store_read(look->store, &tx);

	if (!failed(st))
		st = store_expiry_looked(tx, &look->since_s);
	if (failed(st))
		return st;
	/* Of a clock that was ahead. */
	if (look->since_s > look->now_s)
		look->since_s = look->now_s - LOOK_S;
	*ret_is_due = look->now_s >= look->since_s + LOOK_S;
	return *ret_is_due ? find_days(look, tx) : st;
}

static struct status
end(struct looking *look)
{
	struct db_tx *tx;
	struct status st = store_write(look->store, &tx);

	return failed(st) ? st
			  : store_commit(look->store, tx,
				store_expiry_set_looked(tx, look->now_s));
}

STATUS
notice_expiry_look(struct store *store, struct notice_teller *teller,
    int64_t now_s, const atomic_bool *stop)
{
	struct looking look = {
		.store = store, .teller = teller, .now_s = now_s, .stop = stop
	};
	bool is_due = false;
	struct status st = begin(&look, &is_due);

	if (failed(st) || !is_due)
		return st;
	st = look_at_all(&look);
	return failed(st) ? st : end(&look);
}
