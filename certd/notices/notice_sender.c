/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The threads that send, and what all of them do: look whether something is
 * due, claim it, send it, keep what came of it; see notice_sender.h.  Mails and
 * webhooks have threads of their own, so that neither waits for the other.  How
 * mails and webhooks are sent is in notice_sender_mail.c and
 * notice_sender_hook.c.
 */

#include "certd/notices/notice_sender.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "certd/notices/notice_sender_int.h"
#include "certd/notices/notice_stands.h"
#include "certd/notices/store_told.h"

#define IDLE_MS 5000 /* others may have queued something */
#define FAILED_MS 2000
#define PAUSE_FIRST_S 60

/* ---- what comes of an attempt ---- */

int64_t
notice_sender_pause_s(unsigned attempts)
{
	unsigned doubled = attempts == 0 ? 0 : attempts - 1;
	int64_t pause_s = PAUSE_FIRST_S << (doubled < 16 ? doubled : 16);

	return pause_s < NOTICE_REST_MOST_S ? pause_s : NOTICE_REST_MOST_S;
}

static int64_t
rest_s(const struct notice_row *row, const struct notice_post_result *result)
{
	int64_t rest = notice_sender_pause_s(row->attempts);

	if (result->retry_after_s > rest)
		rest = result->retry_after_s;
	return rest < NOTICE_REST_MOST_S ? rest : NOTICE_REST_MOST_S;
}

void
notice_sender_settle(struct notice_row *row,
    const struct notice_post_result *result, int64_t now_s)
{
	row->attempts++;
	row->next_s = 0;
	snprintf(row->problem, sizeof(row->problem), "%s", result->why);
	switch (result->end) {
	case POST_SENT:
		row->state = NOTICE_SENT;
		row->sent_s = now_s;
		return;
	case POST_PERMANENT:
		row->state = NOTICE_FAILED;
		return;
	case POST_TEMPORARY:
	case POST_CONFIG:
		row->state =
		    now_s < row->give_up_s ? NOTICE_QUEUED : NOTICE_FAILED;
		if (row->state == NOTICE_QUEUED)
			row->next_s = now_s + rest_s(row, result);
	}
}

STATUS
notice_sender_is_due(struct notice_sender *sender, bool mail, bool *ret_is)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = store_read(sender->config.store, &tx);

	return failed(st)
		   ? st
		   : store_notices_is_due(tx, mail, store_now_s(), ret_is);
}

STATUS
notice_sender_check(
    struct db_tx *tx, const struct notice_row *row, bool *ret_stands)
{
	const char *why = NULL;
	bool is_muted = false, is_known = true;
	struct status st = notice_stands(tx, row, store_now_s(), &why);

	if (!failed(st) && why == NULL && row->account != 0 &&
	    row->webhook == 0)
		st = store_notices_is_muted(
		    tx, row->account, row->recipient, row->event, &is_muted);
	if (is_muted)
		why = "the recipient wants no more of these mails";
	if (!failed(st) && why == NULL && row->account != 0 &&
	    row->webhook == 0)
		st = store_told_is_known(
		    tx, row->account, row->recipient, &is_known);
	if (!is_known)
		why = "the recipient is no user or contact of the account any "
		      "more, and no rule names the address";
	if (failed(st))
		return st;
	*ret_stands = why == NULL;
	return why == NULL ? st : store_notices_cancel(tx, row->id, why);
}

void
notice_sender_count(struct notice_sender *sender, const struct notice_row *row)
{
	struct metric_counter *counter =
	    row->state == NOTICE_SENT     ? sender->config.sent[row->event]
	    : row->state == NOTICE_FAILED ? sender->config.failed[row->event]
					  : NULL;

	if (counter != NULL)
		metric_counter_add(counter, 1);
}

void
notice_sender_log_failed(const struct notice_row *row, size_t n)
{
	if (n > 0)
		log_warn("notices were given up", LOG_INT("first", row->id),
		    LOG_INT("number", (int64_t)n),
		    LOG_STR("recipient", row->recipient),
		    LOG_STR("why", row->problem));
}

/* ---- threads ---- */

/* Until the time is over, or with seen until something was queued since. */
static void
rest(struct notice_sender *sender, uint64_t *seen, int64_t ms)
{
	int64_t until_ns = clock_mono_ns() + ms * NS_PER_MS;

	pthread_mutex_lock(&sender->mutex);
	while (!atomic_load(&sender->stopping) &&
	       (seen == NULL || sender->n_wakes == *seen))
		if (!clock_cond_wait(&sender->wake, &sender->mutex, until_ns))
			break;
	if (seen != NULL)
		*seen = sender->n_wakes;
	pthread_mutex_unlock(&sender->mutex);
}

static void
run(struct notice_sender *sender,
    struct status (*send_one)(struct notice_sender *sender, bool *ret_did))
{
	uint64_t seen = 0;

	while (!atomic_load(&sender->stopping)) {
		bool did = false;
		struct status st = send_one(sender, &did);

		if (failed(st)) {
			log_warn("notices could not be sent", LOG_STATUS(st));
			rest(sender, NULL, FAILED_MS);
		} else if (!did) {
			rest(sender, &seen, IDLE_MS);
		}
	}
}

static void *
run_mails(void *arg)
{
	run(arg, notice_sender_mail);
	return NULL;
}

static void *
run_hooks(void *arg)
{
	run(arg, notice_sender_hook);
	return NULL;
}

void
notice_sender_wake(struct notice_sender *sender)
{
	pthread_mutex_lock(&sender->mutex);
	sender->n_wakes++;
	pthread_cond_broadcast(&sender->wake);
	pthread_mutex_unlock(&sender->mutex);
}

void
notice_sender_trouble(
    struct notice_sender *sender, char ret_why[NOTICE_POST_WHY_MAX])
{
	pthread_mutex_lock(&sender->mutex);
	snprintf(ret_why, NOTICE_POST_WHY_MAX, "%s", sender->trouble);
	pthread_mutex_unlock(&sender->mutex);
}

/* ---- life ---- */

STATUS
notice_sender_new(const struct notice_sender_config *config,
    struct notice_sender **ret_sender)
{
	struct notice_sender *sender = calloc(1, sizeof(*sender));

	if (sender == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	sender->config = *config;
	pthread_mutex_init(&sender->mutex, NULL);
	clock_cond_init(&sender->wake);
	if (!notice_post_has_mail(config->post))
		snprintf(sender->trouble, sizeof(sender->trouble),
		    "no mail server is configured (notices.smtp of "
		    "certd.yaml)");
	*ret_sender = sender;
	return status_ok();
}

STATUS
notice_sender_start(struct notice_sender *sender)
{
	for (size_t i = 0; i < SENDER_MAILS + SENDER_HOOKS; i++) {
		if (pthread_create(&sender->threads[i], NULL,
			i < SENDER_MAILS ? run_mails : run_hooks, sender) != 0)
			return status_fail(STATUS_RESOURCE_EXHAUSTED,
			    "a thread could not be started");
		sender->n_threads = i + 1;
	}
	return status_ok();
}

void
notice_sender_stop(struct notice_sender *sender)
{
	if (sender == NULL)
		return;
	atomic_store(&sender->stopping, true);
	notice_sender_wake(sender);
	for (size_t i = 0; i < sender->n_threads; i++)
		pthread_join(sender->threads[i], NULL);
	sender->n_threads = 0;
}

void
notice_sender_free(struct notice_sender *sender)
{
	if (sender == NULL)
		return;
	notice_sender_stop(sender);
	pthread_cond_destroy(&sender->wake);
	pthread_mutex_destroy(&sender->mutex);
	free(sender);
}
