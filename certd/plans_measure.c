/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a plan's estimate is made of: what its items are like, and how long the
 * token takes for a key.  That is measured by having some made, which are
 * doomed at once; they are on record from before keyd is asked, as all keys
 * are.  What was measured holds for ten minutes.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "certd/key_birth.h"
#include "certd/limiter_domain.h"
#include "certd/limiter_window.h"
#include "certd/plans_int.h"
#include "proto/message.h"

#define KEYS 8
/* So long at most; RSA takes its time. */
#define KEYS_NS (5 * NS_PER_S)
#define HOLDS_NS (600 * NS_PER_S)
/* Of a change, when none was done yet. */
#define CHANGE_S 10
#define NAMES_STEP 1000

/* ---- keys ---- */

static struct status
make_key(struct plans *plans, const struct plan_group *group, const char *pool,
    char *ret_why)
{
	char label[CUSTODY_LABEL_MAX];
	struct custody_key key;
	struct status st =
	    key_birth_begin(plans->config.store, group->account, label);

	if (failed(st))
		return st;
	st = custody_generate(plans->config.custody, group->alg, label, pool,
	    "a plan's measure, which is destroyed again", &key, ret_why);
	if (failed(st))
		key_birth_failed(plans->config.store, label, st);
	else
		key_birth_abandon(plans->config.store, label, &key.id);
	return st;
}

static struct status
time_keys(struct plans *plans, struct api_call *call,
    const struct plan_group *group, struct plans_measured *measured)
{
	const int64_t begin_ns = clock_mono_ns();
	int64_t now_ns = begin_ns;
	char why[CUSTODY_WHY_MAX] = "";
	unsigned n = 0;

	for (; n < KEYS && now_ns - begin_ns < KEYS_NS; n++) {
		struct status st = make_key(plans, group, measured->pool, why);

		if (failed(st))
			return api_explain(call, st,
			    "keyd makes no keys in pool %s, so nothing could "
			    "be replaced: %.300s",
			    measured->pool, why[0] != 0 ? why : st.why);
		now_ns = clock_mono_ns();
	}
	measured->at_ns = now_ns;
	measured->key_s =
	    (double)(now_ns - begin_ns) / (double)NS_PER_S / (double)n;
	return status_ok();
}

/* Its place; a new one, or the oldest's. */
static struct plans_measured *
find_measured(struct plans *plans, enum key_alg alg, const char *pool)
{
	struct plans_measured *oldest = &plans->measured[0];

	for (size_t i = 0; i < plans->n_measured; i++) {
		struct plans_measured *at = &plans->measured[i];

		if (at->alg == alg && strcmp(at->pool, pool) == 0)
			return at;
		if (at->at_ns < oldest->at_ns)
			oldest = at;
	}
	if (plans->n_measured < PLANS_MEASURED_MAX)
		oldest = &plans->measured[plans->n_measured++];
	*oldest = (struct plans_measured){ .alg = alg };
	(void)!snprintf(oldest->pool, sizeof(oldest->pool), "%s", pool);
	return oldest;
}

static struct status
measure_group(struct plans *plans, struct api_call *call,
    const struct plan_group *group, struct plans_facts *facts)
{
	const struct network *network =
	    networks_find(&plans->config.config->all_networks, group->network);
	struct plans_measured *measured;
	struct status st = status_ok();

	/* Its changes will say so. */
	if (network == NULL)
		return st;
	pthread_mutex_lock(&plans->measuring);
	measured = find_measured(plans, group->alg, network->pool);
	if (measured->at_ns == 0 ||
	    clock_mono_ns() - measured->at_ns > HOLDS_NS)
		st = time_keys(plans, call, group, measured);
	facts->keys_s += measured->key_s * (double)group->n;
	pthread_mutex_unlock(&plans->measuring);
	return st;
}

/* ---- registered domains ---- */

/* Once for each certificate, as CAs count them. */
static bool
count_domains(void *ctx, const struct names *names)
{
	scoped(names_done) struct names domains = { 0 };
	struct windows *counted = ctx;
	char domain[HOSTNAME_MAX];

	for (size_t i = 0; i < names->n; i++) {
		limiter_domain_of(names->at[i], domain);
		if (!names_has(&domains, domain) &&
		    !names_add(&domains, domain))
			return false;
	}
	for (size_t i = 0; i < domains.n; i++) {
		struct windows_entry *entry =
		    windows_get(counted, domains.at[i], 0);

		if (entry == NULL)
			return false;
		window_add(&entry->window, 1);
	}
	return true;
}

static struct status
find_domain_most(struct plans *plans, int64_t plan, uint64_t *ret_most)
{
	struct windows counted = { 0 };
	struct status st = status_ok();
	int64_t last = 0;

	do {
		struct db_tx *tx;

		st = store_read(plans->config.store, &tx);
		if (failed(st))
			break;
		st = store_plans_names(
		    tx, plan, last, NAMES_STEP, count_domains, &counted, &last);
		db_end(tx);
	} while (!failed(st) && last != 0);
	if (!failed(st))
		*ret_most = windows_fullest(&counted, 0);
	windows_done(&counted);
	return st;
}

/* ---- all of it ---- */

static struct status
read_facts(struct db_tx *tx, int64_t plan, struct plans_facts *facts)
{
	uint32_t counts[PLAN_ITEM_STATES] = { 0 };
	int64_t change_s = 0;
	struct status st =
	    store_plans_groups(tx, plan, facts->groups, &facts->n_groups);

	if (!failed(st))
		st = store_plans_count(tx, plan, counts);
	if (!failed(st))
		st = store_plans_change_s(tx, &change_s);
	facts->total = counts[PLAN_ITEM_WAITS];
	facts->change_s = change_s > 0 ? (double)change_s : CHANGE_S;
	return st;
}

STATUS
plans_measure(struct plans *plans, struct api_call *call, int64_t plan,
    struct plans_facts *ret_facts)
{
	struct db_tx *tx;
	struct status st = store_read(plans->config.store, &tx);

	if (failed(st))
		return st;
	memset(ret_facts, 0, sizeof(*ret_facts));
	st = read_facts(tx, plan, ret_facts);
	db_end(tx);
	if (!failed(st))
		st = find_domain_most(plans, plan, &ret_facts->domain_most);
	for (size_t i = 0; i < ret_facts->n_groups && !failed(st); i++)
		st = measure_group(
		    plans, call, &ret_facts->groups[i], ret_facts);
	return st;
}
