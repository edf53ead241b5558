/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How long a plan will take: the longest of what bounds it, which are each CA's
 * limits, the token's keys, and how long one change takes with so many at once.
 * Limits count from what is used of them now, and a tenth is left to renewals
 * that come by themselves.  When it does not fit, what would help is found by
 * estimating that, too.
 */

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/plans_int.h"
#include "proto/message.h"

#define BOUND_MAX 160
#define ADVICE_MAX 500
/* Requests that one certificate takes: order, authorization, challenge, polls,
 * finalize, certificate. */
#define REQUESTS 9.0

struct estimate {
	double seconds;
	bool is_ca; /* what bounds it is a CA */
	char bound[BOUND_MAX];
	double orders_per_s; /* 0: no limit */
};

/* "3 hours". */
static void
print_time(int64_t seconds, char *ret_text, size_t max)
{
	if (seconds >= 2 * 86400)
		(void)!snprintf(
		    ret_text, max, "%" PRId64 " days", seconds / 86400);
	else if (seconds >= 2 * 3600)
		(void)!snprintf(
		    ret_text, max, "%" PRId64 " hours", seconds / 3600);
	else if (seconds >= 2 * 60)
		(void)!snprintf(
		    ret_text, max, "%" PRId64 " minutes", seconds / 60);
	else
		(void)!snprintf(ret_text, max, "%" PRId64 " s", seconds);
}

const char *
plans_target(const struct plans *plans, int purpose, const char *of_enrollment,
    const char *to_authority)
{
	const struct authorities *authorities = plans->config.authorities;

	if (purpose == PURPOSE_STANDBY)
		return plans->config.config->acme.standby;
	if (to_authority[0] != 0)
		return to_authority;
	if (of_enrollment[0] != 0)
		return of_enrollment;
	for (size_t i = 0; i < authorities_count(authorities); i++)
		if (!authorities_at(authorities, i)->standby_only)
			return authorities_at(authorities, i)->name;
	return "";
}

uint64_t
plans_share(uint64_t orders)
{
	return orders > 9 ? orders - orders / 10 : orders;
}

static void bound_by(struct estimate *estimate, double seconds, bool is_ca,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

static void
bound_by(struct estimate *estimate, double seconds, bool is_ca,
    const char *format, ...)
{
	va_list args;

	if (seconds <= estimate->seconds)
		return;
	estimate->seconds = seconds;
	estimate->is_ca = is_ca;
	va_start(args, format);
	(void)!vsnprintf(
	    estimate->bound, sizeof(estimate->bound), format, args);
	va_end(args);
}

/* ---- one CA ---- */

/* What it is going to be asked for. */
struct load {
	uint64_t all, counted, moved; /* moved: of another CA up to now */
};

static struct load
load_of(const struct plans *plans, const struct plans_facts *facts,
    const char *authority, bool has_replaces, const char *to)
{
	struct load load = { 0 };

	for (size_t i = 0; i < facts->n_groups; i++) {
		const struct plan_group *group = &facts->groups[i];
		const uint64_t n = (uint64_t)group->n;
		bool is_own = strcmp(group->issued_by, authority) == 0;

		if (strcmp(plans_target(
			       plans, group->purpose, group->authority, to),
			authority) != 0)
			continue;
		load.all += n;
		load.moved += is_own ? 0 : n;
		load.counted += is_own && has_replaces ? 0 : n;
	}
	return load;
}

static void
bound_by_orders(struct estimate *estimate, const char *name,
    const struct authority_pace *pace, const struct load *load)
{
	const uint64_t share = plans_share(pace->orders);
	const uint64_t left = pace->used < share ? share - pace->used : 0;
	char window[32];
	double per_s;

	if (pace->orders == 0 || load->counted == 0)
		return;
	per_s = (double)share / (double)pace->window_s;
	if (estimate->orders_per_s == 0 || per_s < estimate->orders_per_s)
		estimate->orders_per_s = per_s;
	if (load->counted <= left)
		return;
	print_time(pace->window_s, window, sizeof(window));
	bound_by(estimate, (double)(load->counted - left) / per_s, true,
	    "%s's %" PRIu64 " orders in %s", name, pace->orders, window);
}

static void
bound_by_ca(const struct plans *plans, const struct plans_facts *facts,
    const char *name, const char *to, struct estimate *estimate)
{
	struct authority_pace pace;
	struct load load;
	uint64_t most;
	char window[32];

	if (!authorities_pace(plans->config.authorities, name, &pace))
		return;
	load = load_of(plans, facts, name, pace.has_replaces, to);
	bound_by_orders(estimate, name, &pace, &load);
	if (pace.requests_per_s != 0)
		bound_by(estimate,
		    (double)load.all * REQUESTS / (double)pace.requests_per_s,
		    true, "%s's %" PRIu64 " requests a second", name,
		    pace.requests_per_s);
	most =
	    load.moved < facts->domain_most ? load.moved : facts->domain_most;
	if (pace.per_domain == 0 || most <= pace.per_domain)
		return;
	print_time(pace.per_domain_window_s, window, sizeof(window));
	bound_by(estimate,
	    (double)(most - pace.per_domain) *
		(double)pace.per_domain_window_s / (double)pace.per_domain,
	    true,
	    "%s's %" PRIu64 " new certificates of a registered domain in %s "
	    "(one has %" PRIu64 ")",
	    name, pace.per_domain, window, most);
}

/* ---- all of them ---- */

static void
estimate_with(const struct plans *plans, const struct plans_facts *facts,
    const char *to, struct estimate *ret)
{
	const struct authorities *authorities = plans->config.authorities;
	const double n = facts->total;
	const double rounds = ceil(n / PLANS_AT_ONCE);

	memset(ret, 0, sizeof(*ret));
	bound_by(ret, rounds * facts->change_s, false,
	    "how long one takes (%.0f s, up to %d at once)", facts->change_s,
	    PLANS_AT_ONCE);
	bound_by(ret, facts->keys_s, false, "the token's %.3g keys a second",
	    facts->keys_s > 0 ? n / facts->keys_s : 0);
	for (size_t i = 0; i < authorities_count(authorities); i++)
		bound_by_ca(plans, facts, authorities_at(authorities, i)->name,
		    to, ret);
}

/* ---- what would help ---- */

/* The CA that would be through first; NULL: none before *seconds. */
static const char *
find_better(const struct plans *plans, const struct plans_facts *facts,
    const char *to, double *seconds)
{
	const struct authorities *authorities = plans->config.authorities;
	const char *better = NULL;
	struct estimate other;

	for (size_t i = 0; i < authorities_count(authorities); i++) {
		const struct config_authority *at =
		    authorities_at(authorities, i);

		if (at->standby_only || strcmp(at->name, to) == 0)
			continue;
		estimate_with(plans, facts, at->name, &other);
		if (other.seconds >= *seconds)
			continue;
		*seconds = other.seconds;
		better = at->name;
	}
	return better;
}

static void
print_advice(const struct plans *plans, const struct plans_facts *facts,
    const plan_asked_msg *asked, const struct estimate *estimate,
    char ret_text[ADVICE_MAX])
{
	double seconds = estimate->seconds;
	const char *better =
	    find_better(plans, facts, asked->to_authority, &seconds);
	char needs[32], with[32];

	print_time((int64_t)ceil(estimate->seconds), needs, sizeof(needs));
	print_time((int64_t)ceil(seconds), with, sizeof(with));
	if (better != NULL && seconds <= asked->within_s)
		(void)!snprintf(ret_text, ADVICE_MAX,
		    "have them from %s (--to %s), which takes %s; or allow %s "
		    "(--within)",
		    better, better, with, needs);
	else if (estimate->is_ca)
		(void)!snprintf(ret_text, ADVICE_MAX,
		    "split it over several CAs (plans by account or profile, "
		    "each --to another); or ask the CA for higher limits and "
		    "write them in certd.yaml (acme.authorities, limits); or "
		    "allow %s (--within)%s%s%s%s",
		    needs, better == NULL ? "" : "; --to ",
		    better == NULL ? "" : better,
		    better == NULL ? "" : " takes ",
		    better == NULL ? "" : with);
	else
		(void)!snprintf(ret_text, ADVICE_MAX, "allow %s (--within)%s",
		    needs,
		    strstr(estimate->bound, "token") != NULL
			? "; or have ECDSA keys, which the token makes faster "
			  "than RSA keys"
			: "");
}

STATUS
plans_estimate(struct plans *plans, const struct plans_facts *facts,
    const plan_asked_msg *asked, plan_msg *to)
{
	struct estimate estimate;
	char advice[ADVICE_MAX] = "";
	double seconds;

	estimate_with(plans, facts, asked->to_authority, &estimate);
	seconds = ceil(estimate.seconds);
	to->total = facts->total;
	to->estimate_s = seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
	to->orders_per_s = estimate.orders_per_s;
	to->keys_per_s =
	    facts->keys_s > 0 ? (double)facts->total / facts->keys_s : 0;
	to->fits = asked->within_s == 0 || to->estimate_s <= asked->within_s;
	if (!to->fits)
		print_advice(plans, facts, asked, &estimate, advice);
	return message_text(&to->bound, estimate.bound) &&
		       message_text(&to->advice, advice)
		   ? status_ok()
		   : message_no_memory();
}
