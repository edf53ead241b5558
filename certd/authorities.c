/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The CAs that certd knows: which one to ask, with which account, and how it
 * went.  Who acts on a CA's client or account is alone with it (busy); others
 * wait, and share what came of it, also a failure.  An account in use is
 * counted, so that its key is changed when nobody signs with the old one.
 *
 * Neither keyd nor a CA is asked with a mutex held.
 */

#include "certd/authorities.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "certd/authority_int.h"

/* Of a rate limit that does not say how long. */
#define LIMITED_NS (60 * NS_PER_S)
/* Steps that sign with an account's key have ended by then. */
#define UNUSED_NS (60 * NS_PER_S)

/* ---- turns ---- */

void
authority_begin(struct authority *a)
{
	pthread_mutex_lock(&a->mutex);
	while (a->busy)
		pthread_cond_wait(&a->changed, &a->mutex);
	a->busy = true;
	pthread_mutex_unlock(&a->mutex);
}

void
authority_end(struct authority *a)
{
	pthread_mutex_lock(&a->mutex);
	a->busy = false;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->mutex);
}

static struct status
open_client(struct authority *a, struct acme_problem *ret_problem)
{
	const char *roots = authority_files_roots(a->all->files, a->index);
	const struct acme_config config = { .directory = a->is->directory,
		.ca_pem = roots,
		.user_agent = "holdfast/" HOLDFAST_VERSION,
		.connections = (unsigned)a->is->connections };
	struct acme *acme;
	struct status st;

	if (a->acme != NULL)
		return status_ok();
	st = acme_new(&config, &acme);
	if (failed(st))
		return authority_key_trouble(ret_problem, st, "");
	pthread_mutex_lock(&a->mutex);
	a->acme = acme;
	pthread_mutex_unlock(&a->mutex);
	return st;
}

STATUS
authority_directory(struct authority *a, bool again,
    struct acme_directory *ret_directory, struct acme_problem *ret_problem)
{
	struct status st = open_client(a, ret_problem);

	if (failed(st))
		return st;
	limiter_count(a->limiter, LIMITER_REQUEST, NULL, clock_mono_ns());
	st = acme_directory(a->acme, again, ret_directory, ret_problem);
	if (failed(st))
		return st;
	pthread_mutex_lock(&a->mutex);
	a->directory = *ret_directory;
	a->has_directory = true;
	pthread_mutex_unlock(&a->mutex);
	return st;
}

/* With the mutex held. */
static void
let_go_of(struct authority_account *account)
{
	if (account == NULL)
		return;
	if (--account->refs == 0)
		free(account);
	else
		pthread_cond_broadcast(&account->of->changed);
}

/* ---- how it went ---- */

/* Is it the CA's doing that this failed, and not an answer? */
static bool
is_outage(const struct acme_problem *problem)
{
	switch (problem->type) {
	case ACME_PROBLEM_UNREACHABLE:
	case ACME_PROBLEM_SERVER_INTERNAL:
		return true;
	case ACME_PROBLEM_SIGNER:
	case ACME_PROBLEM_BAD_NONCE:
	case ACME_PROBLEM_RATE_LIMITED:
	case ACME_PROBLEM_ORDER_NOT_READY:
		return false;
	default:
		return problem->http_status >= 500 ||
		       (problem->type == ACME_PROBLEM_NOT_ACME &&
			   problem->is_temporary);
	}
}

/* A CA that answers is well, unless it wants a person (RFC 8555 7.3.3). */
static void
judge(struct authority *a, const struct acme_problem *problem)
{
	const int64_t now_ns = clock_mono_ns();
	bool was_unwell, is_unwell, is_out;

	if (problem != NULL && problem->type == ACME_PROBLEM_SIGNER)
		return;
	is_out = problem != NULL && is_outage(problem);
	pthread_mutex_lock(&a->mutex);
	was_unwell = a->health.failures > 1;
	if (is_out)
		authority_health_failed(&a->health, now_ns, problem->why);
	else if (problem != NULL &&
		 problem->type == ACME_PROBLEM_USER_ACTION_REQUIRED)
		authority_health_unusable(&a->health, now_ns, problem->why);
	else
		authority_health_ok(&a->health);
	is_unwell = a->health.failures > 1;
	pthread_mutex_unlock(&a->mutex);
	metric_gauge_set(a->m_well, !is_unwell);
	if (problem != NULL && problem->type != ACME_PROBLEM_NONE)
		metric_counter_add(a->m_problems, 1);
	if (is_unwell && !was_unwell)
		log_warn("a CA is unwell", LOG_STR("authority", a->is->name),
		    LOG_STR("why", problem->why));
	else if (was_unwell && !is_unwell)
		log_info(
		    "a CA is well again", LOG_STR("authority", a->is->name));
}

static bool
is_order(enum authority_cost cost)
{
	return cost != AUTHORITY_REQUEST;
}

static enum limiter_kind
kind_of(enum authority_cost cost)
{
	switch (cost) {
	case AUTHORITY_ORDER:
		return LIMITER_ORDER;
	case AUTHORITY_RENEWAL:
		return LIMITER_RENEWAL;
	case AUTHORITY_REPLACING:
		return LIMITER_REPLACING;
	case AUTHORITY_REQUEST:
	default:
		return LIMITER_REQUEST;
	}
}

/* What the CA says when it could not validate a name (RFC 8555 6.7). */
static bool
is_failed_validation(const struct acme_problem *problem)
{
	return problem->type == ACME_PROBLEM_CAA ||
	       problem->type == ACME_PROBLEM_CONNECTION ||
	       problem->type == ACME_PROBLEM_DNS ||
	       problem->type == ACME_PROBLEM_INCORRECT_RESPONSE ||
	       problem->type == ACME_PROBLEM_TLS ||
	       problem->type == ACME_PROBLEM_UNAUTHORIZED;
}

static void
pause_for(struct authority *a, enum authority_cost cost,
    const struct names *names, const struct acme_problem *problem)
{
	const int64_t now_ns = clock_mono_ns();
	/* What stands before a CA may say it by its status alone, and knows of
	 * no names. */
	const bool is_limited = problem->type == ACME_PROBLEM_RATE_LIMITED ||
				problem->http_status == 429;
	const bool is_of_names = is_order(cost) && names != NULL &&
				 problem->type != ACME_PROBLEM_NOT_ACME;
	const bool is_told = problem->retry_after_ms >= 0;
	int64_t until_ns =
	    now_ns +
	    (is_told ? problem->retry_after_ms * NS_PER_MS : LIMITED_NS);

	/* Retry-After of what is only not ready yet is the caller's. */
	if (!is_limited && !(is_told && problem->http_status >= 500))
		return;
	if (is_limited && is_of_names)
		limiter_pause_domains(a->limiter, names, now_ns, until_ns);
	else
		limiter_pause(a->limiter, until_ns);
}

static void
forget_account(struct authority *a)
{
	pthread_mutex_lock(&a->mutex);
	let_go_of(a->account);
	a->account = NULL;
	a->is_gone = true;
	pthread_mutex_unlock(&a->mutex);
}

void
authorities_tell(struct authorities *authorities, const char *name,
    enum authority_cost cost, const struct names *names,
    const struct acme_problem *problem)
{
	struct authority *a = authority_find(authorities, name);
	const bool is_well =
	    problem == NULL || problem->type == ACME_PROBLEM_NONE;

	if (a == NULL)
		return;
	if (is_well) {
		judge(a, NULL);
		if (is_order(cost))
			metric_counter_add(a->m_orders, 1);
		/* What is free of limits says nothing of them. */
		if (is_order(cost) && cost != AUTHORITY_REPLACING)
			limiter_served(a->limiter);
		return;
	}
	if (cost == AUTHORITY_REQUEST && names != NULL &&
	    is_failed_validation(problem)) {
		limiter_failed(a->limiter, names, clock_mono_ns());
		return;
	}
	judge(a, problem);
	pause_for(a, cost, names, problem);
	/* Whether it was made is not known after an outage. */
	if (is_order(cost) && !is_outage(problem))
		limiter_give_back(a->limiter, kind_of(cost), names);
	if (problem->type == ACME_PROBLEM_ACCOUNT_DOES_NOT_EXIST)
		forget_account(a);
}

bool
authorities_may(struct authorities *authorities, const char *name,
    enum authority_cost cost, const struct names *names, int64_t *ret_wait_ms)
{
	struct authority *a = authority_find(authorities, name);
	const int64_t now_ns = clock_mono_ns();
	int64_t rests_ns;

	/* It fails when it is entered, with words for people. */
	if (a == NULL)
		return true;
	pthread_mutex_lock(&a->mutex);
	rests_ns = authority_health_wait_ns(&a->health, now_ns);
	pthread_mutex_unlock(&a->mutex);
	if (rests_ns > 0) {
		int64_t paused_ns =
		    limiter_paused_until(a->limiter, now_ns) - now_ns;

		*ret_wait_ms =
		    (paused_ns > rests_ns ? paused_ns : rests_ns) / NS_PER_MS +
		    1;
		return false;
	}
	return limiter_take(
	    a->limiter, kind_of(cost), names, now_ns, ret_wait_ms);
}

/* ---- accounts ---- */

/* Does it take a person?  With keyd away all CAs are alike; else it is this one
 * that keyd refuses. */
static bool
takes_a_person(struct authority *a, const struct acme_problem *problem)
{
	char trouble[CUSTODY_WHY_MAX];

	if (problem->is_temporary || is_outage(problem))
		return false;
	if (problem->type != ACME_PROBLEM_SIGNER)
		return true;
	custody_trouble(a->all->custody, trouble);
	return trouble[0] == 0;
}

/* Its sentence is for people who look at the CA. */
static void
keep_failure(
    struct authority *a, struct status st, const struct acme_problem *problem)
{
	const bool is_unusable = takes_a_person(a, problem);

	if (!is_unusable)
		judge(a, problem);
	pthread_mutex_lock(&a->mutex);
	a->failure = st;
	a->problem = *problem;
	if (problem->type == ACME_PROBLEM_ACCOUNT_DOES_NOT_EXIST)
		a->is_gone = true;
	if (is_unusable)
		authority_health_unusable(
		    &a->health, clock_mono_ns(), problem->why);
	pthread_mutex_unlock(&a->mutex);
	if (problem->type != ACME_PROBLEM_SIGNER)
		pause_for(a, AUTHORITY_REQUEST, NULL, problem);
	if (is_unusable)
		metric_gauge_set(a->m_well, 0);
	log_warn("no account can be used at a CA",
	    LOG_STR("authority", a->is->name),
	    LOG_STR("problem", acme_problem_name(problem->type)),
	    LOG_STR("why", problem->why));
}

/* By who is busy: put what came of it in place, and let the next one. */
static void
end_attempt(struct authority *a, struct status st,
    struct authority_account *account, const struct acme_problem *problem)
{
	if (failed(st))
		keep_failure(a, st, problem);
	pthread_mutex_lock(&a->mutex);
	a->attempts++;
	if (!failed(st)) {
		let_go_of(a->account);
		a->account = account;
		a->is_gone = false;
		a->problem = (struct acme_problem){ 0 };
	}
	a->busy = false;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->mutex);
}

static struct status
make_account(struct authority *a, bool was_gone,
    struct authority_account **ret_account, struct acme_problem *ret_problem)
{
	struct status st = open_client(a, ret_problem);

	if (failed(st))
		return st;
	return authority_account_make(a, was_gone, ret_account, ret_problem);
}

/* With the mutex held, let go of meanwhile: the account, with a reference. */
static struct status
take_account(struct authority *a, struct authority_account **ret_account,
    struct acme_problem *ret_problem)
{
	unsigned attempts = a->attempts;
	struct authority_account *account = NULL;
	struct status st;
	bool was_gone;

	while (a->busy)
		pthread_cond_wait(&a->changed, &a->mutex);
	if (a->account == NULL && a->attempts != attempts &&
	    a->problem.why[0] != 0) {
		*ret_problem = a->problem;
		return a->failure;
	}
	if (a->account == NULL) {
		a->busy = true;
		was_gone = a->is_gone;
		pthread_mutex_unlock(&a->mutex);
		st = make_account(a, was_gone, &account, ret_problem);
		end_attempt(a, st, account, ret_problem);
		pthread_mutex_lock(&a->mutex);
		if (failed(st))
			return st;
	}
	/* It may have been forgotten again meanwhile. */
	if (a->account == NULL)
		return authority_key_trouble(ret_problem,
		    status_fail(STATUS_ABORTED,
			"the CA has forgotten the account: try again"),
		    "");
	a->account->refs++;
	*ret_account = a->account;
	return status_ok();
}

/* With the mutex held, let go of meanwhile: until nobody but the CA itself
 * holds its account.  False: somebody has not let go of it. */
static bool
wait_until_unused(struct authority *a)
{
	const int64_t until_ns = clock_mono_ns() + UNUSED_NS;

	while (a->account != NULL && a->account->refs > 1)
		if (!clock_cond_wait(&a->changed, &a->mutex, until_ns))
			return a->account == NULL || a->account->refs == 1;
	return true;
}

STATUS
authority_roll(
    struct authority *a, const char *actor, struct acme_problem *ret_problem)
{
	struct authority_account *account = NULL;
	struct status st;
	bool is_unused, was_gone;

	authority_begin(a);
	pthread_mutex_lock(&a->mutex);
	is_unused = wait_until_unused(a);
	was_gone = a->is_gone;
	/* Whoever comes next looks which key the CA knows. */
	if (is_unused) {
		let_go_of(a->account);
		a->account = NULL;
	}
	pthread_mutex_unlock(&a->mutex);
	if (!is_unused) {
		authority_end(a);
		return authority_key_trouble(ret_problem,
		    status_fail(STATUS_ABORTED,
			"the account is in use all the time; try again "
			"later"),
		    "");
	}
	st = open_client(a, ret_problem);
	if (!failed(st))
		st = authority_account_roll(
		    a, was_gone, actor, &account, ret_problem);
	end_attempt(a, st, account, ret_problem);
	return st;
}

STATUS
authorities_enter(struct authorities *authorities, const char *name,
    struct authority_session *ret_session, struct acme_problem *ret_problem)
{
	struct authority *a = authority_find(authorities, name);
	struct authority_account *account = NULL;
	struct status st;

	*ret_problem = (struct acme_problem){ .retry_after_ms = -1 };
	if (a == NULL)
		return authority_key_trouble(ret_problem,
		    status_fail(STATUS_FAILED_PRECONDITION,
			"certd.yaml has no CA of that name any more "
			"(acme.authorities)"),
		    "");
	pthread_mutex_lock(&a->mutex);
	st = take_account(a, &account, ret_problem);
	pthread_mutex_unlock(&a->mutex);
	if (failed(st)) {
		/* It is unwell from now on: who chooses again gets another. */
		ret_problem->is_temporary |= authority_has_stand_in(a);
		return st;
	}
	/* What was in the way meanwhile is none's any more. */
	*ret_problem = (struct acme_problem){ .retry_after_ms = -1 };
	*ret_session = (struct authority_session){ .acme = a->acme,
		.account = { authority_key_signer(&account->key),
		    account->url },
		.thumbprint = account->thumbprint,
		.authority = a->is,
		.hold = account };
	return st;
}

void
authorities_leave(struct authority_session *session)
{
	struct authority_account *account = session->hold;
	struct authority *a;

	if (account == NULL)
		return;
	a = account->of;
	pthread_mutex_lock(&a->mutex);
	let_go_of(account);
	pthread_mutex_unlock(&a->mutex);
	session->hold = NULL;
}
