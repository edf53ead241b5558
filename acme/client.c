/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A client and its CA's directory, which is fetched at the first call that
 * needs it and once a day after that.  Refuses a directory by plain HTTP
 * anywhere but on this machine.  No lock is held while the CA is asked; two who
 * find no directory both fetch it.
 */

#include "acme/client_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acme/call.h"
#include "acme/problem_int.h"
#include "acme/url.h"
#include "base/clock.h"

#define TIMEOUT_MS 30000
#define CONNECTIONS 16
#define DIRECTORY_AGE_NS (86400 * NS_PER_S)

STATUS
acme_new(const struct acme_config *config, struct acme **ret_acme)
{
	struct acme_http_config http = {
		.ca_file = config->ca_file,
		.ca_pem = config->ca_pem,
		.user_agent = config->user_agent == NULL
				  ? "holdfast/" HOLDFAST_VERSION
				  : config->user_agent,
		.timeout_ms =
		    config->timeout_ms == 0 ? TIMEOUT_MS : config->timeout_ms,
		.connections = config->connections == 0 ? CONNECTIONS
							: config->connections,
		.allow_plain = !acme_url_is_https(config->directory),
	};
	struct acme *acme;
	struct status st;

	if (!acme_url_is_fit(config->directory) ||
	    strlen(config->directory) >= ACME_URL_MAX ||
	    (http.allow_plain && !acme_url_is_loopback(config->directory)))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a CA's directory is an https URL of at most 511 "
		    "characters, with a path; http is for loopback only");
	acme = calloc(1, sizeof(*acme));
	if (acme == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "there is not enough memory");
	snprintf(acme->directory_url, sizeof(acme->directory_url), "%s",
	    config->directory);
	acme->timeout_ms = http.timeout_ms;
	acme_nonces_init(&acme->nonces);
	pthread_mutex_init(&acme->mutex, NULL);
	st = acme_http_new(&http, &acme->http);
	if (failed(st)) {
		acme_free(acme);
		return st;
	}
	*ret_acme = acme;
	return st;
}

void
acme_free(struct acme *acme)
{
	if (acme == NULL)
		return;
	acme_http_free(acme->http);
	pthread_mutex_destroy(&acme->mutex);
	acme_nonces_done(&acme->nonces);
	free(acme);
}

/* ---- the directory ---- */

static struct status
fetch(struct acme *acme, struct acme_problem *ret_problem)
{
	scoped(free) struct acme_objects_directory *found =
	    calloc(1, sizeof(*found));
	scoped(acme_reply) struct acme_http_reply reply = { .body = NULL };
	char why[ACME_JSON_WHY_MAX];
	struct status st;

	if (found == NULL)
		return acme_call_no_memory(ret_problem);
	st = acme_call_get(
	    acme, "the directory", acme->directory_url, &reply, ret_problem);
	if (failed(st))
		return st;
	st = acme_objects_directory(
	    acme_call_body(&reply), acme->directory_url, found, why);
	if (failed(st))
		return acme_call_not_acme(
		    ret_problem, "the directory", reply.status, why);
	pthread_mutex_lock(&acme->mutex);
	acme->directory = *found;
	acme->fetched_ns = clock_mono_ns();
	acme->has_directory = true;
	pthread_mutex_unlock(&acme->mutex);
	return st;
}

/* OK: there is one. */
static struct status
have_directory(struct acme *acme, struct acme_problem *ret_problem)
{
	bool is_there;

	pthread_mutex_lock(&acme->mutex);
	is_there = acme->has_directory &&
		   clock_mono_ns() - acme->fetched_ns < DIRECTORY_AGE_NS;
	pthread_mutex_unlock(&acme->mutex);
	return is_there ? status_ok() : fetch(acme, ret_problem);
}

STATUS
acme_directory(struct acme *acme, bool again,
    struct acme_directory *ret_directory, struct acme_problem *ret_problem)
{
	struct status st = again ? fetch(acme, ret_problem)
				 : have_directory(acme, ret_problem);

	if (failed(st))
		return st;
	pthread_mutex_lock(&acme->mutex);
	*ret_directory = acme->directory.public;
	pthread_mutex_unlock(&acme->mutex);
	return st;
}

STATUS
acme_client_url(struct acme *acme, enum acme_resource resource,
    char ret_url[ACME_URL_MAX], struct acme_problem *ret_problem)
{
	struct status st = have_directory(acme, ret_problem);
	char url[ACME_URL_MAX];

	if (failed(st))
		return st;
	pthread_mutex_lock(&acme->mutex);
	memcpy(url, acme->directory.urls[resource], sizeof(url));
	pthread_mutex_unlock(&acme->mutex);
	if (url[0] == '\0') {
		acme_problem_set(ret_problem, ACME_PROBLEM_NOT_ACME, 0,
		    "the CA's directory has no %s",
		    acme_objects_resource_name(resource));
		return status_fail(
		    STATUS_UNIMPLEMENTED, "the CA does not offer this");
	}
	memcpy(ret_url, url, sizeof(url));
	return st;
}
