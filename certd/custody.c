/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The way to keyd: a client for each endpoint, the call that goes to the next
 * one when one does not answer, and certd's own identity.  The endpoint that
 * answered last is asked first, and each gets a fair share of the time that is
 * left, so that one which swallows calls does not use all of it.
 *
 * What keyd refuses is not asked elsewhere.  What is asked is in
 * custody_keys.c and custody_grants.c; signatures have a stream of their own
 * (custody_stream.c).
 */

#include "certd/custody.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "certd/custody_int.h"

#define TIMEOUT_MS 10000
/* Identity.List is one message for all edges. */
#define MESSAGE_MAX ((size_t)16 * 1024 * 1024)

struct status
custody_explain(char *ret_why, struct status st, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)!vsnprintf(ret_why, CUSTODY_WHY_MAX, format, arguments);
	va_end(arguments);
	return st;
}

struct status
custody_no_memory(char *ret_why)
{
	return custody_explain(ret_why,
	    status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory"), "no memory");
}

void
custody_print_owner(const char *for_whom, char ret_owner[CUSTODY_OWNER_MAX + 1])
{
	size_t len = strlen(for_whom);

	if (len > CUSTODY_OWNER_MAX)
		for (len = CUSTODY_OWNER_MAX; len > 0; len--)
			if (((unsigned char)for_whom[len] & 0xc0) != 0x80)
				break;
	memcpy(ret_owner, for_whom, len);
	ret_owner[len] = 0;
}

/* ---- clients ---- */

static void
unlink_all(struct custody_links *links)
{
	if (links == NULL)
		return;
	for (size_t i = 0; i < CUSTODY_ENDPOINTS_MAX; i++)
		rpc_client_free(links->clients[i]);
	enroll_identity_free(links->identity);
	free(links);
}

/* Clients for an identity, which becomes theirs also on failure. */
static STATUS
link_all(struct custody *custody, struct enroll_identity *identity,
    struct custody_links **ret_links)
{
	struct rpc_client_config config = { .ca_pem = identity->ca_pem,
		.cert_pem = identity->cert_pem,
		.key_pem = identity->key_pem,
		.server_name = identity->server_name,
		.message_max = MESSAGE_MAX };
	struct custody_links *links = calloc(1, sizeof(*links));
	struct status st = status_ok();

	if (links == NULL) {
		enroll_identity_free(identity);
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	}
	links->refs = 1;
	links->identity = identity;
	for (size_t i = 0; i < custody->n_endpoints && !failed(st); i++) {
		config.target = custody->endpoints[i];
		st = rpc_client_new(&config, &links->clients[i]);
	}
	if (failed(st)) {
		unlink_all(links);
		return st;
	}
	*ret_links = links;
	return st;
}

/* Those there are, held until let_go. */
static struct custody_links *
hold(struct custody *custody, int64_t ret_answered_ns[CUSTODY_ENDPOINTS_MAX])
{
	struct custody_links *links;

	pthread_mutex_lock(&custody->mutex);
	links = custody->links;
	links->refs++;
	memcpy(ret_answered_ns, custody->answered_ns,
	    sizeof(custody->answered_ns));
	pthread_mutex_unlock(&custody->mutex);
	return links;
}

void
custody_let_go(struct custody *custody, struct custody_links *links)
{
	bool is_last;

	pthread_mutex_lock(&custody->mutex);
	is_last = --links->refs == 0;
	pthread_mutex_unlock(&custody->mutex);
	if (is_last)
		unlink_all(links);
}

/* ---- one call ---- */

/* Of the endpoints not tried yet the one that answered last; else the first. */
static size_t
next_endpoint(const struct custody *custody,
    const int64_t answered_ns[CUSTODY_ENDPOINTS_MAX], unsigned tried)
{
	size_t best = CUSTODY_ENDPOINTS_MAX;

	for (size_t i = 0; i < custody->n_endpoints; i++)
		if ((tried & (1u << i)) == 0 &&
		    (best == CUSTODY_ENDPOINTS_MAX ||
			answered_ns[i] > answered_ns[best]))
			best = i;
	return best;
}

/* Nobody there, or not well: another endpoint may answer. */
static bool
is_silence(struct status st)
{
	return st.code == STATUS_UNAVAILABLE ||
	       st.code == STATUS_DEADLINE_EXCEEDED;
}

struct custody_links *
custody_hold(struct custody *custody, size_t *ret_endpoint)
{
	int64_t answered_ns[CUSTODY_ENDPOINTS_MAX];
	struct custody_links *links = hold(custody, answered_ns);

	*ret_endpoint = next_endpoint(custody, answered_ns, 0);
	return links;
}

/* Remember how it went, for the order of endpoints and for Status. */
void
custody_note(
    struct custody *custody, size_t endpoint, struct status st, const char *why)
{
	bool is_trouble = is_silence(st) || st.code == STATUS_UNAUTHENTICATED;

	pthread_mutex_lock(&custody->mutex);
	if (!is_silence(st))
		custody->answered_ns[endpoint] = clock_mono_ns();
	(void)!snprintf(custody->trouble, sizeof(custody->trouble), "%s",
	    is_trouble ? why : "");
	pthread_mutex_unlock(&custody->mutex);
}

static struct status
explain_silence(const struct custody *custody, size_t endpoint, const char *why,
    char *ret_why)
{
	struct status st = status_fail(
	    STATUS_UNAVAILABLE, "keyd does not answer; try again later");

	if (custody->n_endpoints == 1)
		return custody_explain(ret_why, st, "keyd at %.80s: %.150s",
		    custody->endpoints[endpoint], why);
	return custody_explain(ret_why, st,
	    "none of keyd's %zu endpoints answers; the last, %.80s: %.120s",
	    custody->n_endpoints, custody->endpoints[endpoint], why);
}

STATUS
custody_call(struct custody *custody, const struct custody_ask *ask,
    ProtobufCMessage **ret_reply, unsigned *ret_asked, char *ret_why)
{
	int64_t answered_ns[CUSTODY_ENDPOINTS_MAX];
	struct custody_links *links = hold(custody, answered_ns);
	int64_t until_ns =
	    clock_mono_ns() +
	    (ask->timeout_ms != 0 ? ask->timeout_ms : custody->timeout_ms) *
		NS_PER_MS;
	struct status st = status_ok();
	char why[RPC_WHY_MAX] = "";
	unsigned tried = 0;
	size_t at = 0;

	for (unsigned n = 1; n <= custody->n_endpoints; n++) {
		int64_t left_ms = (until_ns - clock_mono_ns()) / NS_PER_MS;

		at = next_endpoint(custody, answered_ns, tried);
		tried |= 1u << at;
		left_ms /= (int64_t)(custody->n_endpoints + 1 - n);
		if (ret_asked != NULL)
			*ret_asked = n;
		st = rpc_client_call(links->clients[at], ask->service,
		    ask->method, ask->request,
		    left_ms > 1 ? (unsigned)left_ms : 1, ret_reply, why);
		if (!is_silence(st))
			break;
	}
	if (is_silence(st))
		st = explain_silence(custody, at, why, ret_why);
	else if (failed(st))
		(void)custody_explain(ret_why, st, "%s", why);
	custody_note(custody, at, st, ret_why);
	custody_let_go(custody, links);
	return st;
}

/* ---- life ---- */

static struct status
take_endpoints(struct custody *custody, const char *const *endpoints, size_t n,
    char *ret_why)
{
	if (n == 0 || n > CUSTODY_ENDPOINTS_MAX)
		return custody_explain(ret_why,
		    status_fail(STATUS_FAILED_PRECONDITION,
			"no endpoint of keyd is known, or too many"),
		    n == 0 ? "no endpoint of keyd is known; join again, or "
			     "name them in certd.yaml (keyd)"
			   : "at most 16 endpoints of keyd may be named");
	for (size_t i = 0; i < n; i++) {
		custody->endpoints[i] = strdup(endpoints[i]);
		if (custody->endpoints[i] == NULL)
			return custody_no_memory(ret_why);
		custody->n_endpoints++;
	}
	return status_ok();
}

/* What of the identity never changes. */
static struct status
take_identity(struct custody *custody, const struct enroll_identity *identity,
    char *ret_why)
{
	struct spiffe id;
	struct status st = spiffe_parse(identity->identity, &id);

	if (failed(st) || id.role != ROLE_CERTD)
		return custody_explain(ret_why,
		    status_fail(STATUS_FAILED_PRECONDITION,
			"this identity is not a certd's"),
		    "%.120s is no identity of a certd; invite one: holdfast "
		    "edge invite NAME --role certd",
		    identity->identity);
	custody->ca_pem = strdup(identity->ca_pem);
	if (custody->ca_pem == NULL)
		return custody_no_memory(ret_why);
	(void)!snprintf(
	    custody->domain, sizeof(custody->domain), "%s", id.domain);
	(void)!snprintf(
	    custody->self, sizeof(custody->self), "certd/%s", id.name);
	return st;
}

/* New clients from the next call on; calls under way keep the old ones. */
static struct status
on_renewed(void *ctx, struct enroll_identity *identity)
{
	struct custody *custody = ctx;
	struct custody_links *fresh, *old;
	struct status st = link_all(custody, identity, &fresh);

	if (failed(st))
		return st;
	pthread_mutex_lock(&custody->mutex);
	old = custody->links;
	custody->links = fresh;
	custody->serial++;
	pthread_mutex_unlock(&custody->mutex);
	custody_let_go(custody, old);
	return st;
}

static void
on_trouble(void *ctx, const char *text)
{
	struct custody *custody = ctx;

	pthread_mutex_lock(&custody->mutex);
	(void)!snprintf(custody->renewal_trouble,
	    sizeof(custody->renewal_trouble), "%s", text);
	pthread_mutex_unlock(&custody->mutex);
}

static struct status
look_after(struct custody *custody)
{
	const struct renewal_config config = { .program = "certd",
		.state_dir = custody->state_dir,
		.endpoints = custody->endpoints,
		.n_endpoints = custody->n_endpoints,
		.renewed = on_renewed,
		.trouble = on_trouble,
		.ctx = custody };

	return renewal_start(&config, &custody->renewal);
}

static struct status
open_all(
    struct custody *custody, const struct custody_config *config, char *ret_why)
{
	struct enroll_identity *identity = NULL;
	struct status st = enroll_load(config->state_dir, &identity, ret_why);

	if (failed(st))
		return st;
	st = take_identity(custody, identity, ret_why);
	if (!failed(st) && config->n_endpoints > 0)
		st = take_endpoints(
		    custody, config->endpoints, config->n_endpoints, ret_why);
	else if (!failed(st))
		st = take_endpoints(custody,
		    (const char *const *)identity->endpoints,
		    identity->n_endpoints, ret_why);
	if (failed(st)) {
		enroll_identity_free(identity);
		return st;
	}
	st = link_all(custody, identity, &custody->links);
	if (!failed(st))
		st = custody_stream_new(custody, &custody->stream);
	if (!failed(st))
		st = look_after(custody);
	return failed(st) ? custody_explain(ret_why, st, "%s", st.why) : st;
}

STATUS
custody_open(const struct custody_config *config, struct custody **ret_custody,
    char *ret_why)
{
	struct custody *custody = calloc(1, sizeof(*custody));
	struct status st;

	if (custody == NULL)
		return custody_no_memory(ret_why);
	ret_why[0] = 0;
	pthread_mutex_init(&custody->mutex, NULL);
	custody->serial = 1;
	custody->timeout_ms =
	    config->timeout_ms == 0 ? TIMEOUT_MS : config->timeout_ms;
	custody->state_dir = strdup(config->state_dir);
	st = custody->state_dir == NULL ? custody_no_memory(ret_why)
					: open_all(custody, config, ret_why);
	if (failed(st)) {
		custody_close(custody);
		return st;
	}
	*ret_custody = custody;
	return st;
}

void
custody_close(struct custody *custody)
{
	if (custody == NULL)
		return;
	renewal_stop(custody->renewal);
	custody_stream_free(custody->stream);
	unlink_all(custody->links);
	for (size_t i = 0; i < custody->n_endpoints; i++)
		free(custody->endpoints[i]);
	pthread_mutex_destroy(&custody->mutex);
	free(custody->state_dir);
	free(custody->ca_pem);
	free(custody);
}

/* ---- what it is ---- */

void
custody_trouble(struct custody *custody, char ret_why[CUSTODY_WHY_MAX])
{
	pthread_mutex_lock(&custody->mutex);
	(void)!snprintf(ret_why, CUSTODY_WHY_MAX, "%s",
	    custody->renewal_trouble[0] != 0 ? custody->renewal_trouble
					     : custody->trouble);
	pthread_mutex_unlock(&custody->mutex);
}

STATUS
custody_identity(struct custody *custody, unsigned *seen, bool *ret_changed,
    char **ret_cert_pem, char **ret_key_pem)
{
	scoped(free) char *cert = NULL;
	char *key = NULL;
	bool is_new;

	pthread_mutex_lock(&custody->mutex);
	is_new = *ret_changed || *seen != custody->serial;
	if (is_new) {
		cert = strdup(custody->links->identity->cert_pem);
		key = strdup(custody->links->identity->key_pem);
		*seen = custody->serial;
	}
	pthread_mutex_unlock(&custody->mutex);
	if (is_new && (cert == NULL || key == NULL)) {
		if (key != NULL)
			explicit_bzero(key, strlen(key));
		free(key);
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	}
	*ret_changed = is_new;
	if (is_new) {
		*ret_cert_pem = cert;
		*ret_key_pem = key;
		cert = NULL;
	}
	return status_ok();
}

const char *
custody_ca_pem(const struct custody *custody)
{
	return custody->ca_pem;
}

const char *
custody_domain(const struct custody *custody)
{
	return custody->domain;
}
