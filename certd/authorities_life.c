/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Making and ending of the CAs' part.  How much of each CA's limits is used is
 * read off the changes of late.  Renewals are left out: most CAs do not count
 * them (RFC 9773), and one that does says so with a Retry-After.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "certd/authority_int.h"
#include "certd/limiter_domain.h"
#include "certd/store_changes.h"

static struct authority_files *preloaded;

STATUS
authorities_preload(
    const struct config *config, char ret_why[AUTHORITIES_WHY_MAX])
{
	limiter_domain_preload();
	authority_files_free(preloaded);
	preloaded = NULL;
	return authority_files_read(config, &preloaded, ret_why);
}

/* ---- what was asked of late ---- */

struct recount {
	struct limiter *limiter;
	int64_t now_s, now_ns;
};

static int64_t
mono_of(const struct recount *recount, int64_t at_s)
{
	/* A clock that was put back knows no better than now. */
	return at_s > recount->now_s
		   ? recount->now_ns
		   : recount->now_ns - (recount->now_s - at_s) * NS_PER_S;
}

static void
count_order(void *ctx, int64_t at_s, int kind, const char *hostnames)
{
	const struct recount *recount = ctx;
	scoped(names_done) struct names names = { 0 };
	scoped(free) char *text = strdup(hostnames);
	char *rest = NULL;

	if (kind != CHANGE_KIND_ISSUE || text == NULL)
		return;
	for (const char *name = strtok_r(text, " ", &rest); name != NULL;
	     name = strtok_r(NULL, " ", &rest))
		(void)names_add(&names, name);
	limiter_count(
	    recount->limiter, LIMITER_ORDER, &names, mono_of(recount, at_s));
}

static void
count_failure(void *ctx, int64_t at_s, const char *hostname)
{
	const struct recount *recount = ctx;
	scoped(names_done) struct names names = { 0 };

	if (names_add(&names, hostname))
		limiter_failed(
		    recount->limiter, &names, mono_of(recount, at_s));
}

static struct status
recount(struct db_tx *tx, struct authority *a)
{
	struct recount recount = { a->limiter, store_now_s(), clock_mono_ns() };
	int64_t orders_ns = a->is->limits.orders_window_ns;
	struct status st;

	if (a->is->limits.per_domain_window_ns > orders_ns)
		orders_ns = a->is->limits.per_domain_window_ns;
	st = store_acme_accounts_orders(tx, a->is->name,
	    recount.now_s - orders_ns / NS_PER_S, count_order, &recount);
	if (!failed(st))
		st = store_acme_accounts_failures(tx, a->is->name,
		    recount.now_s - a->is->limits.failures_window_ns / NS_PER_S,
		    count_failure, &recount);
	return st;
}

static struct status
recount_all(struct authorities *authorities)
{
	struct db_tx *tx;
	struct status st = store_read(authorities->store, &tx);

	if (failed(st))
		return st;
	for (size_t i = 0; i < authorities->n && !failed(st); i++)
		st = recount(tx, &authorities->at[i]);
	db_end(tx);
	return st;
}

/* ---- life ---- */

static struct status
init(struct authorities *authorities, size_t i)
{
	const struct config_authority *at =
	    authorities->config->acme.authorities.at;
	struct authority *a = &authorities->at[i];

	a->all = authorities;
	a->index = i;
	a->is = &at[i];
	pthread_mutex_init(&a->mutex, NULL);
	clock_cond_init(&a->changed);
	authorities->n++;
	return limiter_new(a->is, &a->limiter);
}

/* Series of one name are made one after the other. */
static void
measure(struct authorities *authorities, struct metrics *metrics)
{
	char labels[AUTHORITY_NAME_MAX + 16];

	for (int what = 0; what < 3; what++)
		for (size_t i = 0; i < authorities->n; i++) {
			struct authority *a = &authorities->at[i];

			(void)!snprintf(
			    labels, sizeof(labels), "ca=\"%s\"", a->is->name);
			if (what == 0)
				a->m_well =
				    metrics_gauge(metrics, "certd_acme_ca_well",
					"Is the CA worth asking?", labels);
			else if (what == 1)
				a->m_orders = metrics_counter(metrics,
				    "certd_acme_orders_total",
				    "Orders that the CA took.", labels);
			else
				a->m_problems = metrics_counter(metrics,
				    "certd_acme_problems_total",
				    "Requests that the CA refused or did not "
				    "answer.",
				    labels);
		}
	for (size_t i = 0; i < authorities->n; i++)
		metric_gauge_set(authorities->at[i].m_well, 1);
}

static struct status
take_files(struct authorities *authorities, char *ret_why)
{
	if (preloaded == NULL)
		return authority_files_read(
		    authorities->config, &authorities->files, ret_why);
	authorities->files = preloaded;
	preloaded = NULL;
	return status_ok();
}

STATUS
authorities_new(const struct authorities_config *config,
    struct authorities **ret_authorities, char ret_why[AUTHORITIES_WHY_MAX])
{
	const size_t n = config->config->acme.authorities.len;
	scoped(authorities_free) struct authorities *authorities =
	    calloc(1, sizeof(*authorities));
	struct status st = status_ok();

	ret_why[0] = 0;
	if (authorities != NULL)
		authorities->at = calloc(n + 1, sizeof(*authorities->at));
	if (authorities == NULL || authorities->at == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	authorities->store = config->store;
	authorities->custody = config->custody;
	authorities->config = config->config;
	for (size_t i = 0; i < n && !failed(st); i++)
		st = init(authorities, i);
	if (!failed(st))
		st = take_files(authorities, ret_why);
	if (!failed(st))
		st = recount_all(authorities);
	if (failed(st))
		return st;
	if (config->metrics == NULL)
		authorities->own_metrics = metrics_new();
	if (config->metrics == NULL && authorities->own_metrics == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	measure(authorities, config->metrics != NULL
				 ? config->metrics
				 : authorities->own_metrics);
	*ret_authorities = authorities;
	authorities = NULL;
	return st;
}

void
authorities_free(struct authorities *authorities)
{
	if (authorities == NULL)
		return;
	for (size_t i = 0; i < authorities->n; i++) {
		struct authority *a = &authorities->at[i];

		free(a->account);
		acme_free(a->acme);
		limiter_free(a->limiter);
		pthread_cond_destroy(&a->changed);
		pthread_mutex_destroy(&a->mutex);
	}
	authority_files_free(authorities->files);
	metrics_free(authorities->own_metrics);
	free(authorities->at);
	free(authorities);
}
