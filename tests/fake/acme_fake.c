/* SPDX-License-Identifier: Apache-2.0 */

/*
 * CAs in memory; see acme_fake.h.  Orders are rows of one array; a URL is the
 * CA's, a word and the order's number.  What the CA "validates" is whether it
 * was told that challenges are in place.
 */

#include "tests/fake/acme_fake.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/fake/acme_fake_int.h"

/* ---- calls that fail on cue ---- */

static struct status
fail(const struct acme_problem *problem, struct acme_problem *ret_problem)
{
	*ret_problem = *problem;
	return status_fail(STATUS_UNAVAILABLE, "the fake CA fails on cue");
}

static struct fault *
find_fault(struct acme *acme, const char *call, bool is_after)
{
	for (size_t i = 0; i < FAULTS_MAX; i++) {
		struct fault *fault = &acme->faults[i];

		if (fault->times > 0 && fault->is_after == is_after &&
		    strcmp(fault->call, call) == 0) {
			fault->times--;
			return fault;
		}
	}
	return NULL;
}

static const struct acme_problem unreachable = {
	.type = ACME_PROBLEM_UNREACHABLE,
	.is_temporary = true,
	.retry_after_ms = -1,
	.why = "it does not answer",
};

/* With the mutex held when it says OK. */
static struct status
enter(struct acme *acme, const char *call, struct acme_problem *ret_problem)
{
	const struct fault *fault;

	pthread_mutex_lock(&acme->gate);
	pthread_mutex_unlock(&acme->gate);
	pthread_mutex_lock(&acme->mutex);
	fault = find_fault(acme, call, false);
	if (!acme->is_down && fault == NULL)
		return status_ok();
	*ret_problem = fault != NULL ? fault->problem : unreachable;
	pthread_mutex_unlock(&acme->mutex);
	return status_fail(STATUS_UNAVAILABLE, "the fake CA fails on cue");
}

static struct status
leave(struct acme *acme, const char *call, struct acme_problem *ret_problem)
{
	const struct fault *fault = find_fault(acme, call, true);
	struct status st =
	    fault == NULL ? status_ok() : fail(&unreachable, ret_problem);

	pthread_mutex_unlock(&acme->mutex);
	return st;
}

static void
add_fault(struct acme *acme, const char *call,
    const struct acme_problem *problem, unsigned times, bool is_after)
{
	pthread_mutex_lock(&acme->mutex);
	for (size_t i = 0; i < FAULTS_MAX; i++) {
		struct fault *fault = &acme->faults[i];

		if (fault->times > 0)
			continue;
		snprintf(fault->call, sizeof(fault->call), "%s", call);
		fault->problem = *problem;
		fault->times = times;
		fault->is_after = is_after;
		break;
	}
	pthread_mutex_unlock(&acme->mutex);
}

void
acme_fake_fail(struct acme *acme, const char *call,
    const struct acme_problem *problem, unsigned times)
{
	add_fault(acme, call, problem, times, false);
}

void
acme_fake_lose(struct acme *acme, const char *call)
{
	add_fault(acme, call, &unreachable, 1, true);
}

void
acme_fake_script(struct acme *acme, const struct acme_fake_script *script)
{
	pthread_mutex_lock(&acme->mutex);
	acme->script = *script;
	pthread_mutex_unlock(&acme->mutex);
}

void
acme_fake_down(struct acme *acme, bool down)
{
	pthread_mutex_lock(&acme->mutex);
	acme->is_down = down;
	pthread_mutex_unlock(&acme->mutex);
}

void
acme_fake_hold(struct acme *acme, bool hold)
{
	if (hold)
		pthread_mutex_lock(&acme->gate);
	else
		pthread_mutex_unlock(&acme->gate);
}

void
acme_fake_count(struct acme *acme, struct acme_fake_counts *ret_counts)
{
	pthread_mutex_lock(&acme->mutex);
	*ret_counts = acme->counts;
	pthread_mutex_unlock(&acme->mutex);
}

/* ---- pure parts of acme/client.h ---- */

const char *
acme_challenge_name(enum acme_challenge_type type)
{
	static const char *const names[] = { "http-01", "dns-01",
		"dns-persist-01" };

	return names[type];
}

void
acme_key_authorization(const char *token, const char *thumbprint,
    char ret_text[ACME_KEY_AUTHORIZATION_MAX])
{
	snprintf(
	    ret_text, ACME_KEY_AUTHORIZATION_MAX, "%s.%s", token, thumbprint);
}

STATUS
acme_cert_id(struct bytes cert_der, char ret_id[ACME_CERT_ID_MAX])
{
	snprintf(ret_id, ACME_CERT_ID_MAX, "id-of-%zu-octets", cert_der.len);
	return status_ok();
}

void
acme_order_done(struct acme_order *order)
{
	free(order->authorizations);
	free(order->names);
	memset(order, 0, sizeof(*order));
}

STATUS
acme_directory(struct acme *acme, bool again,
    struct acme_directory *ret_directory, struct acme_problem *ret_problem)
{
	struct status st = enter(acme, "directory", ret_problem);

	(void)again;
	if (failed(st))
		return st;
	memset(ret_directory, 0, sizeof(*ret_directory));
	ret_directory->has_renewal_info = acme->script.info.window_end_s != 0;
	return leave(acme, "directory", ret_problem);
}

/* ---- orders ---- */

static struct fake_order *
find_order(struct acme *acme, const char *url)
{
	const char *at = strrchr(url, '/');
	unsigned long i = at == NULL ? ORDERS_MAX : strtoul(at + 1, NULL, 10);

	must(i < acme->n_orders);
	return &acme->orders[i];
}

static void
print_order(
    struct acme *acme, const struct fake_order *order, struct acme_order *ret)
{
	long i = order - acme->orders;

	memset(ret, 0, sizeof(*ret));
	snprintf(ret->url, sizeof(ret->url), "https://%s.test/order/%ld",
	    acme->name, i);
	snprintf(ret->finalize, sizeof(ret->finalize),
	    "https://%s.test/finalize/%ld", acme->name, i);
	ret->status = order->status;
	ret->expires_s = order->expires_s;
	ret->retry_after_ms =
	    acme->script.retry_after_ms > 0 ? acme->script.retry_after_ms : -1;
	if (order->status == ACME_VALID)
		snprintf(ret->certificate, sizeof(ret->certificate),
		    "https://%s.test/cert/%ld", acme->name, i);
	ret->n_authorizations = ret->n_names = order->n_names;
	ret->authorizations =
	    calloc(order->n_names, sizeof(*ret->authorizations));
	ret->names = calloc(order->n_names, sizeof(*ret->names));
	for (size_t j = 0; j < order->n_names; j++) {
		snprintf(ret->authorizations[j], ACME_URL_MAX,
		    "https://%s.test/authz/%zu/%ld", acme->name, j,
		    order->proof != 0 ? (long)order->proof - 1 : i);
		memcpy(ret->names[j], order->names[j], sizeof(ret->names[j]));
	}
}

/* As a look at it finds it. */
static void
move_on(struct acme *acme, struct fake_order *order)
{
	bool all = true;

	for (size_t i = 0; i < order->n_names; i++)
		all = all && order->answered[i];
	if (order->looks > 0)
		order->looks--;
	else if (order->status == ACME_PENDING && all)
		order->status =
		    acme->script.is_invalid ? ACME_INVALID : ACME_READY;
	else if (order->status == ACME_PROCESSING)
		order->status = ACME_VALID;
}

static bool
is_proof(const struct acme *acme, const struct fake_order *order,
    const struct acme_order_new *wanted)
{
	if (order->proof != 0 || order->n_names != wanted->n_names ||
	    (order->status != ACME_READY && order->status != ACME_VALID))
		return false;
	for (size_t i = 0; i < order->n_names; i++)
		if (strcmp(order->names[i], wanted->names[i]) != 0 ||
		    (order->deactivated[i] && !acme->script.keeps_proofs))
			return false;
	return true;
}

/* Its names are proven by another order, if that is so. */
static void
reuse(struct acme *acme, const struct acme_order_new *wanted,
    struct fake_order *order)
{
	for (size_t i = 0; acme->script.reuses_proofs && i < acme->n_orders;
	     i++)
		if (is_proof(acme, &acme->orders[i], wanted)) {
			order->proof = i + 1;
			order->status = ACME_READY;
		}
}

STATUS
acme_order_new(struct acme *acme, const struct acme_account *account,
    const struct acme_order_new *wanted, struct acme_order *ret_order,
    struct acme_problem *ret_problem)
{
	struct status st = enter(acme, "order_new", ret_problem);
	const int64_t live_s = acme->script.expires_s;
	struct fake_order *order;

	(void)account;
	if (failed(st))
		return st;
	must(acme->n_orders < ORDERS_MAX && wanted->n_names <= NAMES_MAX);
	order = &acme->orders[acme->n_orders++];
	acme->counts.orders++;
	snprintf(acme->counts.replaces, sizeof(acme->counts.replaces), "%s",
	    wanted->replaces == NULL ? "" : wanted->replaces);
	snprintf(acme->counts.profile, sizeof(acme->counts.profile), "%s",
	    wanted->profile);
	order->status = ACME_PENDING;
	order->expires_s = time(NULL) + (live_s == 0 ? 86400 : live_s);
	order->n_names = wanted->n_names;
	for (size_t i = 0; i < wanted->n_names; i++)
		snprintf(order->names[i], sizeof(order->names[i]), "%s",
		    wanted->names[i]);
	reuse(acme, wanted, order);
	print_order(acme, order, ret_order);
	st = leave(acme, "order_new", ret_problem);
	if (failed(st))
		acme_order_done(ret_order);
	return st;
}

STATUS
acme_order_get(struct acme *acme, const struct acme_account *account,
    const char *url, struct acme_order *ret_order,
    struct acme_problem *ret_problem)
{
	struct status st = enter(acme, "order_get", ret_problem);
	struct fake_order *order;

	(void)account;
	if (failed(st))
		return st;
	order = find_order(acme, url);
	move_on(acme, order);
	print_order(acme, order, ret_order);
	return leave(acme, "order_get", ret_problem);
}

static bool
is_for(const struct fake_order *order, const struct acme_order_new *wanted)
{
	if (order->n_names != wanted->n_names ||
	    (order->status != ACME_PENDING && order->status != ACME_READY))
		return false;
	for (size_t i = 0; i < order->n_names; i++)
		if (strcmp(order->names[i], wanted->names[i]) != 0)
			return false;
	return true;
}

STATUS
acme_order_find(struct acme *acme, const struct acme_account *account,
    const struct acme_order_new *wanted, struct acme_order *ret_order,
    bool *ret_found, struct acme_problem *ret_problem)
{
	struct status st = enter(acme, "order_find", ret_problem);

	(void)account;
	if (failed(st))
		return st;
	*ret_found = false;
	acme->counts.finds++;
	for (size_t i = 0; i < acme->n_orders && !*ret_found; i++)
		if (!acme->script.keeps_no_list &&
		    is_for(&acme->orders[i], wanted)) {
			print_order(acme, &acme->orders[i], ret_order);
			*ret_found = true;
		}
	return leave(acme, "order_find", ret_problem);
}

/* ---- authorizations ---- */

/* "https://first.test/authz/NAME/ORDER": which name. */
static size_t
name_of(const char *url)
{
	const char *at = strrchr(url, '/');

	must(at != NULL && at - url > 2);
	return (size_t)(at[-1] - '0');
}

STATUS
acme_authorization_get(struct acme *acme, const struct acme_account *account,
    const char *url, struct acme_authorization *ret_authorization,
    struct acme_problem *ret_problem)
{
	struct status st = enter(acme, "authorization_get", ret_problem);
	struct acme_authorization *to = ret_authorization;
	const struct fake_order *order;
	size_t i = name_of(url);

	(void)account;
	if (failed(st))
		return st;
	order = find_order(acme, url);
	memset(to, 0, sizeof(*to));
	snprintf(to->name, sizeof(to->name), "%s", order->names[i]);
	to->retry_after_ms = -1;
	to->status = order->status == ACME_INVALID   ? ACME_INVALID
		     : order->status == ACME_PENDING ? ACME_PENDING
						     : ACME_VALID;
	for (int type = 0; type < ACME_CHALLENGE_TYPES; type++) {
		struct acme_challenge *challenge = &to->challenges[type];

		challenge->is_offered =
		    type != ACME_HTTP_01 || to->name[0] != '*';
		challenge->status = to->status;
		snprintf(challenge->url, sizeof(challenge->url),
		    "https://%s.test/challenge/%zu/%td", acme->name, i,
		    order - acme->orders);
		snprintf(challenge->token, sizeof(challenge->token),
		    "token-%td-%zu", order - acme->orders, i);
		if (to->status == ACME_INVALID && type == ACME_HTTP_01)
			challenge->problem = (struct acme_problem){
				.type = ACME_PROBLEM_UNAUTHORIZED,
				.retry_after_ms = -1,
				.why = "what was there is something else"
			};
	}
	return leave(acme, "authorization_get", ret_problem);
}

STATUS
acme_authorization_deactivate(struct acme *acme,
    const struct acme_account *account, const char *url,
    struct acme_problem *ret_problem)
{
	struct status st = enter(acme, "authorization_deactivate", ret_problem);

	(void)account;
	if (failed(st))
		return st;
	find_order(acme, url)->deactivated[name_of(url)] = true;
	acme->counts.deactivations++;
	return leave(acme, "authorization_deactivate", ret_problem);
}

STATUS
acme_challenge_answer(struct acme *acme, const struct acme_account *account,
    const char *url, struct acme_problem *ret_problem)
{
	struct status st = enter(acme, "challenge_answer", ret_problem);

	(void)account;
	if (failed(st))
		return st;
	find_order(acme, url)->answered[name_of(url)] = true;
	acme->counts.answers++;
	return leave(acme, "challenge_answer", ret_problem);
}

/* ---- certificates ---- */

static const struct acme_problem not_ready = {
	.type = ACME_PROBLEM_ORDER_NOT_READY,
	.http_status = 403,
	.retry_after_ms = -1,
	.why = "the order is not ready",
};

STATUS
acme_order_finalize(struct acme *acme, const struct acme_account *account,
    const char *finalize_url, struct bytes csr, struct acme_order *ret_order,
    struct acme_problem *ret_problem)
{
	struct status st = enter(acme, "order_finalize", ret_problem);
	struct fake_order *order;

	(void)account;
	if (failed(st))
		return st;
	order = find_order(acme, finalize_url);
	if (order->status != ACME_READY) {
		pthread_mutex_unlock(&acme->mutex);
		return fail(&not_ready, ret_problem);
	}
	acme_fake_issue(acme, order, csr);
	acme->counts.finalizations++;
	order->status = ACME_PROCESSING;
	order->looks = acme->script.processing;
	print_order(acme, order, ret_order);
	st = leave(acme, "order_finalize", ret_problem);
	if (failed(st))
		acme_order_done(ret_order);
	return st;
}

STATUS
acme_certificate_get(struct acme *acme, const struct acme_account *account,
    const char *url, const char *preferred, char **ret_chain_pem,
    bool *ret_is_preferred, struct acme_problem *ret_problem)
{
	struct status st = enter(acme, "certificate_get", ret_problem);

	(void)account;
	if (failed(st))
		return st;
	*ret_is_preferred = preferred == NULL || preferred[0] == 0;
	if (!*ret_is_preferred && acme->script.keeps_alternates)
		*ret_problem = (struct acme_problem){
			.type = ACME_PROBLEM_SERVER_INTERNAL,
			.is_temporary = true,
			.http_status = 500,
			.retry_after_ms = acme->script.alternates_after_ms,
			.why = "no alternate chain just now",
		};
	*ret_chain_pem =
	    strdup(acme->script.not_acme ? "<html>sorry</html>"
					 : find_order(acme, url)->pem);
	must(*ret_chain_pem != NULL);
	st = leave(acme, "certificate_get", ret_problem);
	if (failed(st)) {
		free(*ret_chain_pem);
		*ret_chain_pem = NULL;
	}
	return st;
}

STATUS
acme_certificate_revoke(struct acme *acme, const struct acme_account *account,
    struct bytes cert_der, int reason, struct acme_problem *ret_problem)
{
	struct status st = enter(acme, "certificate_revoke", ret_problem);

	(void)account;
	(void)reason;
	if (failed(st))
		return st;
	must(cert_der.len > 0);
	acme->counts.revocations++;
	return leave(acme, "certificate_revoke", ret_problem);
}

STATUS
acme_renewal_info(struct acme *acme, const char *cert_id,
    struct acme_renewal_info *ret_info, struct acme_problem *ret_problem)
{
	struct status st = enter(acme, "renewal_info", ret_problem);

	(void)cert_id;
	if (failed(st))
		return st;
	*ret_info = acme->script.info;
	st = leave(acme, "renewal_info", ret_problem);
	return !failed(st) && ret_info->window_end_s == 0
		   ? status_fail(STATUS_UNIMPLEMENTED, "no such information")
		   : st;
}
