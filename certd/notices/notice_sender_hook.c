/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sending to one webhook; see notice_sender.h.  Webhooks take turns; each gets
 * its notices one after the other, a host is sent to once at a time, and an
 * account has a share of the threads, so that what hangs holds up its own
 * alone. One that failed is left alone for a while, with all that waits for it.
 */

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "certd/notices/notice_link.h"
#include "certd/notices/notice_sender_int.h"
#include "proto/message.h"

struct delivery {
	struct notice_sender *sender;
	struct notice_row row;
	struct notice_body body;
	struct webhook_row hook;
	bool stands, has_begun;
};

/* ---- turns ---- */

/* "https://hooks.example.net:8443/x" is "hooks.example.net:8443". */
static void
host_of(const char *url, char ret_host[SENDER_HOST_MAX])
{
	const char *at = strstr(url, "://");

	at = at == NULL ? url : at + 3;
	snprintf(
	    ret_host, SENDER_HOST_MAX, "%.*s", (int)strcspn(at, "/?#"), at);
}

/* With the mutex held. */
static bool
has_room(const struct notice_sender *sender, const struct webhook_row *hook)
{
	char host[SENDER_HOST_MAX];
	size_t of_account = 0;

	host_of(hook->url, host);
	for (size_t i = 0; i < SENDER_HOOKS; i++) {
		const struct sender_busy *busy = &sender->busy[i];

		if (busy->webhook == 0)
			continue;
		if (busy->webhook == hook->id ||
		    strcasecmp(busy->host, host) == 0)
			return false;
		of_account += busy->account == hook->account;
	}
	return of_account < SENDER_HOOKS_OF_ACCOUNT;
}

static bool
may_take(void *ctx, struct db_tx *tx, int64_t webhook)
{
	struct delivery *to = ctx;
	struct notice_sender *sender = to->sender;
	bool may;

	if (failed(store_webhooks_load(tx, webhook, &to->hook)))
		return false;
	pthread_mutex_lock(&sender->mutex);
	may = has_room(sender, &to->hook);
	pthread_mutex_unlock(&sender->mutex);
	return may;
}

/* There is a free place: a thread has one at most. */
static void
begin(struct delivery *to)
{
	struct notice_sender *sender = to->sender;
	size_t i = 0;

	pthread_mutex_lock(&sender->mutex);
	while (sender->busy[i].webhook != 0)
		i++;
	sender->busy[i].webhook = to->hook.id;
	sender->busy[i].account = to->hook.account;
	host_of(to->hook.url, sender->busy[i].host);
	sender->last_hook = to->hook.id;
	pthread_mutex_unlock(&sender->mutex);
	to->has_begun = true;
}

static void
end(struct delivery *to)
{
	struct notice_sender *sender = to->sender;

	notice_body_done(&to->body);
	if (!to->has_begun)
		return;
	pthread_mutex_lock(&sender->mutex);
	for (size_t i = 0; i < SENDER_HOOKS; i++)
		if (sender->busy[i].webhook == to->hook.id)
			sender->busy[i].webhook = 0;
	/* What waited for its host or account may go. */
	sender->n_wakes++;
	pthread_cond_broadcast(&sender->wake);
	pthread_mutex_unlock(&sender->mutex);
}

/* ---- claiming ---- */

static struct status
claim_in(struct delivery *to, struct db_tx *tx)
{
	const int64_t now_s = store_now_s();
	struct store_notices_turn turn = { .now_s = now_s,
		.until_s = now_s + SENDER_CLAIM_S,
		.may_take = may_take,
		.ctx = to };
	struct status st;

	pthread_mutex_lock(&to->sender->mutex);
	turn.after = to->sender->last_hook;
	pthread_mutex_unlock(&to->sender->mutex);
	/* hook is the one that was agreed to. */
	st = store_notices_claim_webhook(tx, &turn, &to->row);
	if (failed(st))
		return st;
	if (to->hook.disabled)
		return store_notices_cancel(
		    tx, to->row.id, "the webhook is switched off");
	st = notice_sender_check(tx, &to->row, &to->stands);
	if (!failed(st) && to->stands)
		st = store_notices_body(tx, to->row.id, &to->body);
	/* Others claim after this transaction. */
	if (!failed(st) && to->stands)
		begin(to);
	return st;
}

static struct status
claim(struct delivery *to)
{
	struct db_tx *tx;
	struct status st = store_write(to->sender->config.store, &tx);

	return failed(st) ? st
			  : store_commit(
				to->sender->config.store, tx, claim_in(to, tx));
}

/* ---- sending ---- */

/* {"id":17,"event":...} */
static char *
print_body(const struct delivery *to)
{
	char *printed;
	int n = asprintf(&printed, "{\"id\":%" PRId64 ",%s", to->row.id,
	    to->body.payload[0] == '{' ? to->body.payload + 1 : "}");

	return n < 0 ? NULL : printed;
}

static struct status
send(struct delivery *to, struct notice_post_result *ret_result)
{
	char secret[NOTICE_SECRET_MAX], id[24];
	scoped(free) char *body = print_body(to);
	struct status st = notice_link_secret(
	    to->sender->config.secrets, to->hook.salt, secret);

	if (failed(st))
		return st;
	snprintf(id, sizeof(id), "%" PRId64, to->row.id);
	if (body == NULL)
		st = message_no_memory();
	else
		notice_post_hook(to->sender->config.post,
		    &(struct notice_post_hook){ .url = to->hook.url,
			.secret = secret,
			.event = notice_event_name(to->row.event),
			.id = id,
			.body = body },
		    ret_result);
	OPENSSL_cleanse(secret, sizeof(secret));
	return st;
}

/* A row of the webhook says so, and not each of those that wait, which may be
 * thousands. */
static struct status
let_rest(const struct delivery *to, struct db_tx *tx)
{
	const unsigned failures = to->hook.failures + 1;
	int64_t until_s = store_now_s() + notice_sender_pause_s(failures);

	if (until_s < to->row.next_s)
		until_s = to->row.next_s;
	return store_webhooks_rest(tx, to->hook.id, failures, until_s);
}

static struct status
keep_in(struct delivery *to, struct db_tx *tx,
    const struct notice_post_result *result)
{
	struct status st = store_notices_save(tx, &to->row);

	if (!failed(st))
		st = store_webhooks_tried(
		    tx, to->hook.id, store_now_s(), result->why);
	if (!failed(st) && result->is_gone)
		st = store_webhooks_disable(tx, to->hook.id);
	if (!failed(st) && to->row.next_s != 0)
		st = let_rest(to, tx);
	else if (!failed(st) && to->hook.failures > 0)
		st = store_webhooks_rest(tx, to->hook.id, 0, 0);
	return st;
}

static struct status
keep(struct delivery *to, const struct notice_post_result *result)
{
	struct store *store = to->sender->config.store;
	struct db_tx *tx;
	struct status st;

	notice_sender_settle(&to->row, result, store_now_s());
	st = store_write(store, &tx);
	if (!failed(st))
		st = store_commit(store, tx, keep_in(to, tx, result));
	if (!failed(st)) {
		notice_sender_count(to->sender, &to->row);
		notice_sender_log_failed(
		    &to->row, to->row.state == NOTICE_FAILED);
	}
	if (!failed(st) && result->is_gone)
		log_info("a webhook's receiver wants no more; it is switched "
			 "off",
		    LOG_INT("webhook", to->hook.id));
	return st;
}

STATUS
notice_sender_hook(struct notice_sender *sender, bool *ret_did)
{
	scoped(free) struct delivery *to = calloc(1, sizeof(*to));
	struct notice_post_result result;
	bool due = false;
	struct status st;

	*ret_did = false;
	if (to == NULL)
		return message_no_memory();
	st = notice_sender_is_due(sender, false, &due);
	if (failed(st) || !due)
		return st;
	to->sender = sender;
	st = claim(to);
	*ret_did = !failed(st);
	if (!failed(st) && to->stands)
		st = send(to, &result);
	if (!failed(st) && to->stands)
		st = keep(to, &result);
	end(to);
	return st.code == STATUS_NOT_FOUND ? status_ok() : st;
}
