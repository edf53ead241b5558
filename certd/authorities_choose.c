/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which CA to ask: the one that is named, or the first in certd.yaml's order
 * that is well.  Who is paused for a moment, or failed once, is waited for;
 * who is unwell, or wants not to be asked for long, is passed over.
 */

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "certd/authority_int.h"

/* Who is paused for longer is passed over. */
#define PATIENCE_NS (60 * NS_PER_S)

struct authority *
authority_find(const struct authorities *authorities, const char *name)
{
	for (size_t i = 0; i < authorities->n; i++)
		if (strcmp(authorities->at[i].is->name, name) == 0)
			return &authorities->at[i];
	return NULL;
}

/* How a CA stands just now. */
struct standing {
	int64_t wait_ns; /* 0: ask it */
	bool is_unwell;  /* ask another one, if there is one */
	char why[AUTHORITIES_WHY_MAX];
};

static void
look_at(struct authority *a, int64_t now_ns, struct standing *ret)
{
	const int64_t paused_ns =
	    limiter_paused_until(a->limiter, now_ns) - now_ns;

	pthread_mutex_lock(&a->mutex);
	ret->wait_ns = authority_health_wait_ns(&a->health, now_ns);
	ret->is_unwell = authority_health_is_unwell(&a->health, now_ns);
	(void)!snprintf(ret->why, sizeof(ret->why), "%s: %.300s", a->is->name,
	    a->health.why);
	pthread_mutex_unlock(&a->mutex);
	if (paused_ns <= ret->wait_ns)
		return;
	ret->wait_ns = paused_ns;
	ret->is_unwell |= paused_ns > PATIENCE_NS;
	(void)!snprintf(ret->why, sizeof(ret->why),
	    "%s: asked not to be asked again for %lld s", a->is->name,
	    (long long)(paused_ns / NS_PER_S + 1));
}

bool
authority_has_stand_in(const struct authority *a)
{
	const int64_t now_ns = clock_mono_ns();
	struct standing standing;

	for (size_t i = 0; i < a->all->n; i++) {
		if (i == a->index || a->all->at[i].is->standby_only)
			continue;
		look_at(&a->all->at[i], now_ns, &standing);
		if (!standing.is_unwell)
			return true;
	}
	return false;
}

static struct status
not_now(int64_t wait_ns, int64_t *ret_retry_ms)
{
	*ret_retry_ms = wait_ns / NS_PER_MS + 1;
	return status_fail(STATUS_UNAVAILABLE,
	    "no CA can be asked now; it is tried again later");
}

static struct status
choose_named(struct authorities *authorities, const char *name,
    const struct config_authority **ret_authority, int64_t *ret_retry_ms,
    char *ret_why)
{
	struct authority *a = authority_find(authorities, name);
	struct standing standing;

	if (a == NULL) {
		(void)!snprintf(ret_why, AUTHORITIES_WHY_MAX,
		    "certd.yaml has no CA named %.40s (acme.authorities)",
		    name);
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "certd.yaml has no such CA (acme.authorities)");
	}
	look_at(a, clock_mono_ns(), &standing);
	if (standing.wait_ns > 0) {
		memcpy(ret_why, standing.why, sizeof(standing.why));
		return not_now(standing.wait_ns, ret_retry_ms);
	}
	*ret_retry_ms = 0;
	*ret_authority = a->is;
	return status_ok();
}

static void
add_why(char *ret_why, const char *why)
{
	const size_t len = strlen(ret_why);

	(void)!snprintf(ret_why + len, AUTHORITIES_WHY_MAX - len, "%s%s",
	    len == 0 ? "" : "; ", why);
}

/* The first that is well.  One that failed once gets its second try before
 * another takes its place. */
static struct status
choose_any(struct authorities *authorities,
    const struct config_authority **ret_authority, int64_t *ret_retry_ms,
    char *ret_why)
{
	const int64_t now_ns = clock_mono_ns();
	struct standing standing;
	int64_t least_ns = INT64_MAX;

	for (size_t i = 0; i < authorities->n; i++) {
		struct authority *a = &authorities->at[i];

		if (a->is->standby_only)
			continue;
		look_at(a, now_ns, &standing);
		if (standing.wait_ns == 0) {
			*ret_retry_ms = 0;
			*ret_authority = a->is;
			return status_ok();
		}
		add_why(ret_why, standing.why);
		if (standing.wait_ns < least_ns)
			least_ns = standing.wait_ns;
		if (!standing.is_unwell)
			return not_now(standing.wait_ns, ret_retry_ms);
	}
	if (least_ns != INT64_MAX)
		return not_now(least_ns, ret_retry_ms);
	(void)!snprintf(ret_why, AUTHORITIES_WHY_MAX,
	    "certd.yaml has no CA for certificates in use: name one "
	    "(acme.authorities)");
	return status_fail(STATUS_FAILED_PRECONDITION,
	    "certd.yaml has no such CA (acme.authorities)");
}

STATUS
authorities_choose(struct authorities *authorities, const char *name,
    bool standby, const struct config_authority **ret_authority,
    int64_t *ret_retry_ms, char *ret_why)
{
	const char *standbys = authorities->config->acme.standby;

	ret_why[0] = 0;
	if (name[0] == 0 && standby && standbys[0] == 0) {
		(void)!snprintf(ret_why, AUTHORITIES_WHY_MAX,
		    "certd.yaml names no CA for standby certificates "
		    "(acme.standby)");
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "certd.yaml names no CA for standby certificates");
	}
	if (name[0] != 0 || standby)
		return choose_named(authorities, name[0] != 0 ? name : standbys,
		    ret_authority, ret_retry_ms, ret_why);
	return choose_any(authorities, ret_authority, ret_retry_ms, ret_why);
}

bool
authorities_pace(struct authorities *authorities, const char *name,
    struct authority_pace *ret_pace)
{
	struct authority *a = authority_find(authorities, name);
	const int64_t now_ns = clock_mono_ns();
	struct limiter_use uses[LIMITER_USES];
	struct standing standing;
	size_t n;

	if (a == NULL)
		return false;
	*ret_pace = (struct authority_pace){ .orders = a->is->limits.orders,
		.window_s = a->is->limits.orders_window_ns / NS_PER_S,
		.per_domain = a->is->limits.per_domain,
		.per_domain_window_s =
		    a->is->limits.per_domain_window_ns / NS_PER_S,
		.requests_per_s = a->is->limits.requests_per_s };
	n = limiter_uses(a->limiter, now_ns, uses);
	for (size_t i = 0; i < n; i++)
		if (strcmp(uses[i].name, "orders") == 0)
			ret_pace->used = uses[i].used;
	look_at(a, now_ns, &standing);
	ret_pace->wait_ms = (standing.wait_ns + NS_PER_MS - 1) / NS_PER_MS;
	pthread_mutex_lock(&a->mutex);
	ret_pace->has_replaces =
	    a->has_directory && a->directory.has_renewal_info;
	pthread_mutex_unlock(&a->mutex);
	return true;
}

void
authorities_offer(struct authorities *authorities, size_t i,
    struct authority_offer *ret_offer)
{
	struct authority *a = &authorities->at[i];
	struct authority_offer offer = { .n_profiles = 0 };
	struct standing standing;

	look_at(a, clock_mono_ns(), &standing);
	offer.is_available = !standing.is_unwell;
	pthread_mutex_lock(&a->mutex);
	if (a->has_directory) {
		offer.has_directory = true;
		offer.n_profiles = a->directory.n_profiles;
		memcpy(offer.profiles, a->directory.profiles,
		    sizeof(offer.profiles));
	}
	pthread_mutex_unlock(&a->mutex);
	*ret_offer = offer;
}

size_t
authorities_count(const struct authorities *authorities)
{
	return authorities->n;
}

const struct config_authority *
authorities_at(const struct authorities *authorities, size_t i)
{
	return authorities->at[i].is;
}

const struct config_authority *
authorities_find(const struct authorities *authorities, const char *name)
{
	const struct authority *a = authority_find(authorities, name);

	return a == NULL ? NULL : a->is;
}
