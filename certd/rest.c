/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The REST server, put together: the addresses it may listen on, its routes and
 * their description, its threads.  In the clear it serves on loopback alone.
 * What a request means is in rest_call.c, who is connected in rest_peers.c.
 */

#include "certd/rest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/address.h"
#include "base/clock.h"
#include "certd/problem.h"
#include "certd/rest_int.h"
#include "certd/rest_peers.h"
#include "proto/json.h"

#define READERS 4
#define ACTORS 8
#define OPENERS 4
#define WAITING_MAX 128
#define DRAIN_MS 2000

/* ---- the address ---- */

static STATUS
check_address(
    const struct rest_config *config, union address *ret_address, char *ret_why)
{
	if (!address_parse(config->listen, ret_address)) {
		snprintf(ret_why, REST_WHY_MAX,
		    "rest.listen: write a numeric address and port, "
		    "127.0.0.1:7446 or [::]:7446");
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "rest.listen is no address");
	}
	if (config->tls == REST_TLS_OFF && !address_is_loopback(ret_address)) {
		snprintf(ret_why, REST_WHY_MAX,
		    "rest.tls: off is for loopback addresses, where a proxy "
		    "beside certd does TLS: tokens would be readable on the "
		    "way to %.60s",
		    config->listen);
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "rest.tls may be off on loopback alone");
	}
	return status_ok();
}

/* ---- start and stop ---- */

static struct rest *
make(const struct rest_config *config)
{
	struct rest *rest = calloc(1, sizeof(*rest));

	if (rest == NULL)
		return NULL;
	rest->config = *config;
	if (rest->config.connections_max == 0)
		rest->config.connections_max = 512;
	if (rest->config.idle_s == 0)
		rest->config.idle_s = 15;
	if (rest->config.request_s == 0)
		rest->config.request_s = 60;
	pthread_mutex_init(&rest->mutex, NULL);
	clock_cond_init(&rest->wake);
	return rest;
}

static STATUS
no_memory(void)
{
	return status_fail(
	    STATUS_RESOURCE_EXHAUSTED, "no memory for the REST server");
}

static void
measure(struct rest *rest, struct metrics *metrics)
{
	static const unsigned GOOD[] = { 200, 201, 302, 304 };
	unsigned codes[64];
	size_t n = sizeof(GOOD) / sizeof(GOOD[0]);

	rest->n_connections = metrics_gauge(metrics, "certd_rest_connections",
	    "Open connections of the REST port.", "");
	memcpy(codes, GOOD, sizeof(GOOD));
	for (unsigned http = problem_next(0); http != 0 && n < 64;
	     http = problem_next(http))
		codes[n++] = http;
	for (size_t i = 0; i < n; i++) {
		char labels[24];

		snprintf(labels, sizeof(labels), "code=\"%u\"", codes[i]);
		rest->answers[codes[i]] =
		    metrics_counter(metrics, "certd_rest_responses_total",
			"Answers of the REST port.", labels);
	}
}

static STATUS
make_tls(struct rest *rest, char *ret_why)
{
	const struct rest_config *config = &rest->config;
	struct rest_tls_config tls = { .client_ca = config->client_ca,
		.client_domain = config->client_domain };

	if (config->tls == REST_TLS_FILES) {
		tls.certificate = config->certificate;
		tls.key = config->key;
	} else {
		tls.custody = config->custody;
	}
	return rest_tls_new(&tls, &rest->tls, ret_why);
}

static STATUS
trust(struct rest *rest, char *ret_why)
{
	const struct conf_strings *proxies = rest->config.trusted_proxies;

	for (size_t i = 0; proxies != NULL && i < proxies->len; i++)
		if (!forwarded_trust_add(&rest->proxies, proxies->at[i])) {
			snprintf(ret_why, REST_WHY_MAX,
			    "rest.trusted_proxies: %.60s is no address or "
			    "network",
			    proxies->at[i]);
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "rest.trusted_proxies has what is no network");
		}
	return status_ok();
}

static STATUS
fill(struct rest *rest, const union address *address, char *ret_why)
{
	struct rest_config *config = &rest->config;
	struct status st = route_table_new(config->api, &rest->routes);

	if (!failed(st))
		st = openapi_new(config->api, &rest->openapi);
	if (!failed(st))
		st = trust(rest, ret_why);
	if (failed(st))
		return st;
	if (config->address_max == 0 && !address_is_loopback(address))
		config->address_max = 64;
	rest->guard = guard_new(config->address_max);
	rest->reads = work_new(READERS, WAITING_MAX);
	rest->acts = work_new(ACTORS, WAITING_MAX);
	rest->opens = work_new(OPENERS, WAITING_MAX);
	if (rest->guard == NULL || rest->reads == NULL || rest->acts == NULL ||
	    rest->opens == NULL)
		return no_memory();
	if (config->metrics != NULL)
		measure(rest, config->metrics);
	return config->tls == REST_TLS_OFF ? st : make_tls(rest, ret_why);
}

STATUS
rest_start(
    const struct rest_config *config, struct rest **ret_rest, char *ret_why)
{
	scoped(rest_stop) struct rest *rest = NULL;
	union address address;
	struct status st;

	_Static_assert(REST_WHY_MAX >= REST_TLS_WHY_MAX, "the sentence fits");
	ret_why[0] = 0;
	json_guard();
	st = check_address(config, &address, ret_why);
	if (failed(st))
		return st;
	rest = make(config);
	if (rest == NULL)
		return no_memory();
	st = fill(rest, &address, ret_why);
	if (!failed(st))
		st = rest_peers_watch(rest);
	if (!failed(st))
		st = rest_http_start(rest, &address.any, ret_why);
	if (rest->tls != NULL)
		rest_tls_started(rest->tls);
	if (failed(st)) {
		if (ret_why[0] == 0)
			snprintf(ret_why, REST_WHY_MAX, "%s", st.why);
		return st;
	}
	*ret_rest = rest;
	rest = NULL;
	return st;
}

uint16_t
rest_port(const struct rest *rest)
{
	return rest_http_port(rest);
}

void
rest_stop(struct rest *rest)
{
	if (rest == NULL)
		return;
	atomic_store(&rest->stopping, true);
	/* No connection is suspended after this: libmicrohttpd insists. */
	if (rest->reads != NULL)
		work_stop(rest->reads);
	if (rest->acts != NULL)
		work_stop(rest->acts);
	if (rest->opens != NULL)
		work_stop(rest->opens);
	live_stop(rest->config.live);
	/* What was done is told; who is slow to listen is not waited for. */
	for (unsigned ms = 0;
	     ms < DRAIN_MS && atomic_load(&rest->n_requests) > 0; ms += 10)
		nanosleep(
		    &(struct timespec){ .tv_nsec = 10 * NS_PER_MS }, NULL);
	rest_peers_stop(rest);
	rest_http_stop(rest);
	rest_tls_free(rest->tls);
	work_free(rest->reads);
	work_free(rest->acts);
	work_free(rest->opens);
	guard_free(rest->guard);
	openapi_free(rest->openapi);
	route_table_free(rest->routes);
	pthread_cond_destroy(&rest->wake);
	pthread_mutex_destroy(&rest->mutex);
	free(rest);
}
