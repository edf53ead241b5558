/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One CA's limits.  limiter_take asks each of them how long to wait, and counts
 * only when none wants to: so what is counted was allowed, and who is refused
 * has cost nothing.  Limits by name go by registered domain, as CAs count them
 * (limiter_domain.c).
 *
 * The mutex guards everything in struct limiter; names are looked up before it
 * is taken.
 */

#include "certd/limiter.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "certd/limiter_domain.h"
#include "certd/limiter_window.h"

#define LONG_AGO (INT64_MIN / 2)
/* So many refusals that have nothing in common are meant for everyone. */
#define REFUSALS 3
/* ...for so long at most, until it is tried again. */
#define ALL_WAIT_NS (600 * NS_PER_S)

struct refusal {
	char domain[HOSTNAME_MAX];
	int64_t until_ns;
};

struct limiter {
	const struct config_authority *is;
	pthread_mutex_t mutex; /* guards what follows */
	struct window orders;
	struct windows domains, failures;
	int64_t paused_until_ns, orders_paused_until_ns;
	struct refusal refusals[REFUSALS];
	/* Requests: when the bucket would be full again. */
	int64_t full_at_ns;
};

STATUS
limiter_new(const struct config_authority *limits, struct limiter **ret_limiter)
{
	struct limiter *limiter = calloc(1, sizeof(*limiter));

	if (limiter == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	limiter->is = limits;
	limiter->paused_until_ns = limiter->full_at_ns = LONG_AGO;
	limiter->orders_paused_until_ns = LONG_AGO;
	pthread_mutex_init(&limiter->mutex, NULL);
	*ret_limiter = limiter;
	return status_ok();
}

void
limiter_free(struct limiter *limiter)
{
	if (limiter == NULL)
		return;
	window_done(&limiter->orders);
	windows_done(&limiter->domains);
	windows_done(&limiter->failures);
	pthread_mutex_destroy(&limiter->mutex);
	free(limiter);
}

static void
domains_of(const struct names *names, struct names *ret_domains)
{
	char domain[HOSTNAME_MAX];

	for (size_t i = 0; names != NULL && i < names->n; i++) {
		limiter_domain_of(names->at[i], domain);
		if (!names_has(ret_domains, domain))
			(void)names_add(ret_domains, domain);
	}
}

static int64_t
longer(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* ---- how long to wait; with the mutex held ---- */

/* A bucket of a second's worth: it may be as far from full as that. */
static int64_t
wait_for_request(const struct limiter *limiter, int64_t now_ns)
{
	int64_t cost_ns;

	if (limiter->is->limits.requests_per_s == 0)
		return 0;
	cost_ns = NS_PER_S / (int64_t)limiter->is->limits.requests_per_s;
	return longer(0, limiter->full_at_ns + cost_ns - now_ns - NS_PER_S);
}

static int64_t
wait_for_domains(struct limiter *limiter, enum limiter_kind kind,
    const struct names *domains, int64_t now_ns)
{
	const uint64_t limit = limiter->is->limits.per_domain;
	int64_t wait_ns = 0;

	for (size_t i = 0; i < domains->n; i++) {
		struct windows_entry *entry =
		    windows_find(&limiter->domains, domains->at[i]);

		if (entry == NULL)
			continue;
		wait_ns = longer(wait_ns, entry->paused_until_ns - now_ns);
		if (kind == LIMITER_ORDER && limit != 0)
			wait_ns = longer(wait_ns,
			    window_wait(&entry->window, limit,
				limiter->is->limits.per_domain_window_ns,
				now_ns));
	}
	return wait_ns;
}

static int64_t
wait_for_failures(
    struct limiter *limiter, const struct names *names, int64_t now_ns)
{
	const uint64_t limit = limiter->is->limits.failures;
	int64_t wait_ns = 0;

	for (size_t i = 0; names != NULL && limit != 0 && i < names->n; i++) {
		struct windows_entry *entry =
		    windows_find(&limiter->failures, names->at[i]);

		if (entry != NULL)
			wait_ns = longer(
			    wait_ns, window_wait(&entry->window, limit,
					 limiter->is->limits.failures_window_ns,
					 now_ns));
	}
	return wait_ns;
}

static int64_t
wait_for_order(struct limiter *limiter, enum limiter_kind kind,
    const struct names *names, const struct names *domains, int64_t now_ns)
{
	const uint64_t limit = limiter->is->limits.orders;
	int64_t wait_ns = longer(0, limiter->orders_paused_until_ns - now_ns);

	if (kind != LIMITER_REPLACING && limit != 0)
		wait_ns = longer(
		    wait_ns, window_wait(&limiter->orders, limit,
				 limiter->is->limits.orders_window_ns, now_ns));
	wait_ns =
	    longer(wait_ns, wait_for_domains(limiter, kind, domains, now_ns));
	return longer(wait_ns, wait_for_failures(limiter, names, now_ns));
}

/* ---- counting; with the mutex held ---- */

static void
count(struct limiter *limiter, enum limiter_kind kind,
    const struct names *domains, int64_t at_ns)
{
	const uint64_t rate = limiter->is->limits.requests_per_s;
	const int64_t then_ns =
	    at_ns - limiter->is->limits.per_domain_window_ns;

	if (rate != 0)
		limiter->full_at_ns = longer(limiter->full_at_ns, at_ns) +
				      NS_PER_S / (int64_t)rate;
	if (kind == LIMITER_ORDER || kind == LIMITER_RENEWAL) {
		window_forget(&limiter->orders,
		    at_ns - limiter->is->limits.orders_window_ns);
		window_add(&limiter->orders, at_ns);
	}
	for (size_t i = 0; kind == LIMITER_ORDER && i < domains->n; i++) {
		struct windows_entry *entry =
		    windows_get(&limiter->domains, domains->at[i], then_ns);

		if (entry != NULL)
			window_add(&entry->window, at_ns);
	}
}

bool
limiter_take(struct limiter *limiter, enum limiter_kind kind,
    const struct names *names, int64_t now_ns, int64_t *ret_wait_ms)
{
	scoped(names_done) struct names domains = { 0 };
	int64_t wait_ns = 0;

	if (kind != LIMITER_REQUEST)
		domains_of(names, &domains);
	pthread_mutex_lock(&limiter->mutex);
	if (limiter->paused_until_ns > now_ns)
		wait_ns = limiter->paused_until_ns - now_ns;
	wait_ns = longer(wait_ns, wait_for_request(limiter, now_ns));
	if (kind != LIMITER_REQUEST)
		wait_ns = longer(wait_ns,
		    wait_for_order(limiter, kind, names, &domains, now_ns));
	if (wait_ns == 0)
		count(limiter, kind, &domains, now_ns);
	pthread_mutex_unlock(&limiter->mutex);
	if (wait_ns > 0)
		*ret_wait_ms = (wait_ns + NS_PER_MS - 1) / NS_PER_MS;
	return wait_ns == 0;
}

void
limiter_give_back(
    struct limiter *limiter, enum limiter_kind kind, const struct names *names)
{
	scoped(names_done) struct names domains = { 0 };

	domains_of(names, &domains);
	pthread_mutex_lock(&limiter->mutex);
	/* The newest stands for it: that is the same but for moments. */
	if (kind == LIMITER_ORDER || kind == LIMITER_RENEWAL)
		window_take_back(&limiter->orders);
	for (size_t i = 0; kind == LIMITER_ORDER && i < domains.n; i++) {
		struct windows_entry *entry =
		    windows_find(&limiter->domains, domains.at[i]);

		if (entry != NULL)
			window_take_back(&entry->window);
	}
	pthread_mutex_unlock(&limiter->mutex);
}

void
limiter_count(struct limiter *limiter, enum limiter_kind kind,
    const struct names *names, int64_t at_ns)
{
	scoped(names_done) struct names domains = { 0 };

	domains_of(names, &domains);
	pthread_mutex_lock(&limiter->mutex);
	count(limiter, kind, &domains, at_ns);
	pthread_mutex_unlock(&limiter->mutex);
}

void
limiter_failed(
    struct limiter *limiter, const struct names *names, int64_t at_ns)
{
	const int64_t then_ns = at_ns - limiter->is->limits.failures_window_ns;

	pthread_mutex_lock(&limiter->mutex);
	for (size_t i = 0; i < names->n; i++) {
		struct windows_entry *entry =
		    windows_get(&limiter->failures, names->at[i], then_ns);

		if (entry != NULL)
			window_add(&entry->window, at_ns);
	}
	pthread_mutex_unlock(&limiter->mutex);
}

/* ---- pauses ---- */

void
limiter_pause(struct limiter *limiter, int64_t until_ns)
{
	pthread_mutex_lock(&limiter->mutex);
	limiter->paused_until_ns = longer(limiter->paused_until_ns, until_ns);
	pthread_mutex_unlock(&limiter->mutex);
}

/* With the mutex held: when all of the last ones still hold, it is meant for
 * everyone until the first of them ends, or for a while. */
static void
note_refusal(struct limiter *limiter, const char *domain, int64_t now_ns,
    int64_t until_ns)
{
	struct refusal *at = &limiter->refusals[0];
	int64_t first_ns = INT64_MAX;

	for (size_t i = 1; i < REFUSALS; i++)
		if (limiter->refusals[i].until_ns < at->until_ns)
			at = &limiter->refusals[i];
	for (size_t i = 0; i < REFUSALS; i++)
		if (strcmp(limiter->refusals[i].domain, domain) == 0)
			at = &limiter->refusals[i];
	memcpy(at->domain, domain, sizeof(at->domain));
	at->until_ns = until_ns;
	for (size_t i = 0; i < REFUSALS; i++)
		if (limiter->refusals[i].until_ns < first_ns)
			first_ns = limiter->refusals[i].until_ns;
	if (first_ns <= now_ns)
		return;
	if (first_ns > now_ns + ALL_WAIT_NS)
		first_ns = now_ns + ALL_WAIT_NS;
	limiter->orders_paused_until_ns =
	    longer(limiter->orders_paused_until_ns, first_ns);
}

void
limiter_served(struct limiter *limiter)
{
	pthread_mutex_lock(&limiter->mutex);
	for (size_t i = 0; i < REFUSALS; i++)
		limiter->refusals[i] = (struct refusal){ .until_ns = LONG_AGO };
	limiter->orders_paused_until_ns = LONG_AGO;
	pthread_mutex_unlock(&limiter->mutex);
}

void
limiter_pause_domains(struct limiter *limiter, const struct names *names,
    int64_t now_ns, int64_t until_ns)
{
	scoped(names_done) struct names domains = { 0 };
	const int64_t then_ns =
	    now_ns - limiter->is->limits.per_domain_window_ns;

	domains_of(names, &domains);
	pthread_mutex_lock(&limiter->mutex);
	for (size_t i = 0; i < domains.n; i++) {
		struct windows_entry *entry =
		    windows_get(&limiter->domains, domains.at[i], then_ns);

		if (entry != NULL)
			entry->paused_until_ns =
			    longer(entry->paused_until_ns, until_ns);
	}
	if (domains.n > 0)
		note_refusal(limiter, domains.at[0], now_ns, until_ns);
	pthread_mutex_unlock(&limiter->mutex);
}

int64_t
limiter_paused_until(struct limiter *limiter, int64_t now_ns)
{
	int64_t until_ns;

	pthread_mutex_lock(&limiter->mutex);
	until_ns = limiter->paused_until_ns;
	pthread_mutex_unlock(&limiter->mutex);
	return until_ns > now_ns ? until_ns : 0;
}

/* ---- for people ---- */

/* With the mutex held: tokens that are out of the bucket. */
static uint64_t
requests_used(const struct limiter *limiter, int64_t now_ns)
{
	const uint64_t rate = limiter->is->limits.requests_per_s;

	if (limiter->full_at_ns <= now_ns)
		return 0;
	return (uint64_t)(limiter->full_at_ns - now_ns) /
	       ((uint64_t)NS_PER_S / rate);
}

size_t
limiter_uses(struct limiter *limiter, int64_t now_ns,
    struct limiter_use ret_uses[LIMITER_USES])
{
	const struct config_authority *is = limiter->is;
	size_t n = 0;

	pthread_mutex_lock(&limiter->mutex);
	window_forget(&limiter->orders, now_ns - is->limits.orders_window_ns);
	if (is->limits.orders != 0)
		ret_uses[n++] =
		    (struct limiter_use){ "orders", limiter->orders.n,
			    is->limits.orders, is->limits.orders_window_ns };
	if (is->limits.per_domain != 0)
		ret_uses[n++] =
		    (struct limiter_use){ "certificates of a registered domain",
			    windows_fullest(&limiter->domains,
				now_ns - is->limits.per_domain_window_ns),
			    is->limits.per_domain,
			    is->limits.per_domain_window_ns };
	if (is->limits.failures != 0)
		ret_uses[n++] =
		    (struct limiter_use){ "failed validations of a name",
			    windows_fullest(&limiter->failures,
				now_ns - is->limits.failures_window_ns),
			    is->limits.failures,
			    is->limits.failures_window_ns };
	if (is->limits.requests_per_s != 0)
		ret_uses[n++] = (struct limiter_use){ "requests",
			requests_used(limiter, now_ns),
			is->limits.requests_per_s, NS_PER_S };
	pthread_mutex_unlock(&limiter->mutex);
	return n;
}
