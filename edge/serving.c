/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The parts between certd and the web server, joined: follow brings updates to
 * the delivery, which wakes it when there is something to report.
 */

#include "edge/serving.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "edge/delivery.h"
#include "edge/follow.h"

struct serving {
	struct files_config files;
	char **hook; /* ends with NULL; NULL: none */
	struct follow *follow;
	struct delivery *delivery;
};

static void
on_tell(void *ctx)
{
	const struct serving *serving = ctx;

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
		st = follow_start(serving->follow, serving->delivery);
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
	delivery_free(serving->delivery);
	follow_free(serving->follow);
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
	if (serving != NULL)
		delivery_measure(serving->delivery);
}
