/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Notices, put together: the door they leave by, what sends, what finds
 * occasions, and the services; see notices.h.  Here is also what the services
 * share: whose something is, who may change it, and how often tests are sent.
 */

#include "certd/notices/notices.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "certd/notices/notices_int.h"
#include "proto/message.h"

#define HOUR_NS (INT64_C(3600) * NS_PER_S)
#define LABELS_MAX 80

/* ---- what the services share ---- */

STATUS
notices_account(struct db_tx *tx, const struct caller *caller, const char *name,
    int64_t *ret_account)
{
	/* Tokens: their own; who sees all: none, the whole. */
	return caller_account_or_all(caller, tx, name, ret_account);
}

STATUS
notices_event(struct db_tx *tx, const struct api_call *call, int64_t account,
    const char *act, const char *kind, int64_t id, const char *detail)
{
	char object[64];

	snprintf(object, sizeof(object), "%s %" PRId64, kind, id);
	return store_event(
	    tx, account, call->caller->actor, act, object, detail);
}

STATUS
notices_allow_test(struct notices *notices, int64_t account)
{
	const int64_t now_ns = clock_mono_ns();
	struct windows_entry *entry;
	struct status st = status_ok();
	char name[24];

	snprintf(name, sizeof(name), "%" PRId64, account);
	pthread_mutex_lock(&notices->mutex);
	entry = windows_get(&notices->tests, name, now_ns - HOUR_NS);
	if (entry == NULL)
		st = message_no_memory();
	else if (window_wait(&entry->window, NOTICES_TESTS, HOUR_NS, now_ns) >
		 0)
		st = status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "10 tests were sent within an hour, which are the most; "
		    "wait before the next one");
	else
		window_add(&entry->window, now_ns);
	pthread_mutex_unlock(&notices->mutex);
	return st;
}

void
notices_mail_trouble(struct notices *notices, char ret_why[NOTICES_WHY_MAX])
{
	char why[NOTICE_POST_WHY_MAX];

	notice_sender_trouble(notices->sender, why);
	snprintf(ret_why, NOTICES_WHY_MAX, "%s", why);
}

/* ---- what is counted ---- */

static struct metric_counter *
counter(struct metrics *metrics, int event, const char *result)
{
	char labels[LABELS_MAX];

	snprintf(labels, sizeof(labels), "event=\"%s\",result=\"%s\"",
	    notice_event_name(event), result);
	return metrics_counter(metrics, "certd_notices_total",
	    "Notices, by event: made, and what came of them.", labels);
}

static void
measure_source(struct metrics *metrics, struct notice_source_config *source)
{
	char labels[LABELS_MAX];

	for (int event = 1; event < NOTICE_EVENTS; event++) {
		snprintf(labels, sizeof(labels), "event=\"%s\"",
		    notice_event_name(event));
		source->queued[event] = metrics_gauge(metrics,
		    "certd_notices_queued", "Notices that wait.", labels);
	}
	source->oldest_s =
	    metrics_gauge(metrics, "certd_notices_oldest_queued_seconds",
		"Age of the notice that waits for the longest time.", "");
}

static void
measure_rest(struct notices *notices, struct notice_sender_config *sender)
{
	struct metrics *metrics = notices->config.metrics;

	for (int event = 1; event < NOTICE_EVENTS; event++) {
		notices->teller.told[event] = counter(metrics, event, "made");
		sender->sent[event] = counter(metrics, event, "sent");
		sender->failed[event] = counter(metrics, event, "failed");
	}
}

/* ---- life ---- */

STATUS
notices_preload(const struct config *config, char *ret_why)
{
	_Static_assert(NOTICES_WHY_MAX == 512, "notice_post.h's");
	return notice_post_preload(config, ret_why);
}

static struct status
make_sender(struct notices *notices)
{
	struct notice_sender_config config = { .store = notices->config.store,
		.post = notices->post,
		.secrets = notices->config.secrets,
		.console_url = notices->teller.console_url,
		.gather_s = notices->teller.gather_s };

	if (notices->config.metrics != NULL)
		measure_rest(notices, &config);
	return notice_sender_new(&config, &notices->sender);
}

static struct status
make_source(struct notices *notices)
{
	struct notice_source_config config = { .store = notices->config.store,
		.teller = &notices->teller,
		.sender = notices->sender,
		.edge_grace_s =
		    notices->config.config->notices.edge_grace_ns / NS_PER_S,
		.health = notices->config.health,
		.health_ctx = notices->config.health_ctx };

	if (notices->config.metrics != NULL)
		measure_source(notices->config.metrics, &config);
	return notice_source_new(&config, &notices->source);
}

STATUS
notices_new(const struct notices_config *config, struct notices **ret_notices,
    char *ret_why)
{
	scoped(notices_free) struct notices *notices =
	    calloc(1, sizeof(*notices));
	struct status st;

	if (notices == NULL)
		return message_no_memory();
	pthread_mutex_init(&notices->mutex, NULL);
	notices->config = *config;
	notices->teller.console_url = config->config->console.url;
	notices->teller.operators = &config->config->notices.operators;
	notices->teller.gather_s = config->config->notices.gather_ns / NS_PER_S;
	st = notice_post_new(config->config, &notices->post, ret_why);
	if (!failed(st))
		st = make_sender(notices);
	if (!failed(st))
		st = make_source(notices);
	if (failed(st))
		return st;
	*ret_notices = notices;
	notices = NULL;
	return st;
}

STATUS
notices_register(struct notices *notices, struct api *api)
{
	struct status st = notices_rules_add(notices, api);

	if (!failed(st))
		st = notices_webhooks_add(notices, api);
	if (!failed(st))
		st = notices_list_add(notices, api);
	if (!failed(st))
		st = notices_mail_add(notices, api);
	if (!failed(st))
		st = notices_subscription_add(notices, api);
	return failed(st) ? st : notices_mutes_add(notices, api);
}

STATUS
notices_start(struct notices *notices)
{
	struct status st = notice_sender_start(notices->sender);

	return failed(st) ? st : notice_source_start(notices->source);
}

void
notices_stop(struct notices *notices)
{
	if (notices == NULL)
		return;
	notice_source_stop(notices->source);
	notice_sender_stop(notices->sender);
}

void
notices_free(struct notices *notices)
{
	if (notices == NULL)
		return;
	notices_stop(notices);
	notice_source_free(notices->source);
	notice_sender_free(notices->sender);
	notice_post_free(notices->post);
	windows_done(&notices->tests);
	pthread_mutex_destroy(&notices->mutex);
	free(notices);
}
