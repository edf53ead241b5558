/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The parts between certd and the web server, joined: follow brings updates to
 * the delivery, which wakes it when there is something to report, and answers
 * to challenges to their table, which CAs are answered from.
 */

#include "edge/serving.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "edge/delivery.h"
#include "edge/follow.h"
#include "edge/http01.h"

struct serving {
	struct files_config files;
	char **hook; /* ends with NULL; NULL: none */
	struct follow *follow;
	struct delivery *delivery;
	struct challenges *challenges;
	struct http01 *http01; /* NULL: none is configured */
	struct metric_gauge *m_challenges;
};

static void
on_tell(void *ctx)
{
	const struct serving *serving = ctx;

	follow_wake(serving->follow);
}

/* It listens, or cannot. */
static void
on_http01(void *ctx, const char *problem)
{
	const struct serving *serving = ctx;

	delivery_problem(serving->delivery, problem);
	follow_wake(serving->follow);
}

/* The configuration's list has no NULL at its end. */
static STATUS
take_hook(struct serving *serving, const struct edge_config *config)
{
	if (config->hook.len == 0)
		return status_ok();
	serving->hook = calloc(config->hook.len + 1, sizeof(char *));
	if (serving->hook == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	memcpy(
	    serving->hook, config->hook.at, config->hook.len * sizeof(char *));
	return status_ok();
}

static STATUS
start(struct serving *serving, const struct edge_config *config,
    struct metrics *metrics)
{
	struct delivery_config delivery = {
		.files = serving->files,
		.hook = serving->hook,
		.haproxy_socket = config->haproxy.socket,
		.probe_connect = config->probe.connect,
		.http_connect = config->probe.http_connect,
		.probe_timeout_ns = config->probe.timeout_ns,
		.probe_interval_ns = config->probe.interval_ns,
		.keep_removed_s = config->files.keep_removed_ns / NS_PER_S,
		.tell = on_tell,
		.ctx = serving,
		.metrics = metrics,
	};
	struct status st = follow_new(
	    &(struct follow_config){
		.state_dir = config->state_dir,
		.endpoints = config->certd.at,
		.n_endpoints = config->certd.len,
		.metrics = metrics,
	    },
	    &serving->follow);

	if (!failed(st))
		st = delivery_new(&delivery, &serving->delivery);
	if (!failed(st))
		st = challenges_new(&serving->challenges);
	if (!failed(st) && config->acme.listen[0] != '\0')
		st = http01_start(
		    &(struct http01_config){
			.listen = config->acme.listen,
			.challenges = serving->challenges,
			.state = on_http01,
			.ctx = serving,
			.metrics = metrics,
		    },
		    &serving->http01);
	if (!failed(st))
		st = follow_start(
		    serving->follow, serving->delivery, serving->challenges);
	return st;
}

STATUS
serving_start(const struct edge_config *config, struct metrics *metrics,
    struct serving **ret_serving)
{
	struct serving *serving = calloc(1, sizeof(*serving));
	char error[CONF_ERROR_MAX];
	struct status st;

	if (serving == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	serving->m_challenges = metrics_gauge(metrics, "edged_challenges",
	    "Answers to http-01 challenges that are given now.", "");
	st = edge_config_files(config, &serving->files, error);
	if (!failed(st))
		st = take_hook(serving, config);
	if (!failed(st))
		st = start(serving, config, metrics);
	if (failed(st)) {
		serving_stop(serving);
		return st;
	}
	*ret_serving = serving;
	return status_ok();
}

void
serving_stop(struct serving *serving)
{
	if (serving == NULL)
		return;
	/* The delivery wakes follow for as long as it is there. */
	if (serving->follow != NULL)
		follow_stop(serving->follow);
	http01_stop(serving->http01);
	delivery_free(serving->delivery);
	follow_free(serving->follow);
	challenges_free(serving->challenges);
	free(serving->hook);
	free(serving);
}

void
serving_renewed(struct serving *serving)
{
	if (serving != NULL)
		follow_renewed(serving->follow);
}

void
serving_measure(struct serving *serving)
{
	if (serving == NULL)
		return;
	delivery_measure(serving->delivery);
	metric_gauge_set(serving->m_challenges,
	    (int64_t)challenges_count(serving->challenges));
}
