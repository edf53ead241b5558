/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From rules to recipients; see notice_told.h.  An address that several rules
 * name is told once.  A mute counts for mails about an account alone: trouble
 * of the whole is told to operators whatever link was followed.
 */

#include "certd/notices/notice_told.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "certd/notices/notice_event.h"
#include "certd/notices/store_notices.h"
#include "certd/notices/store_told.h"

struct gathering {
	struct db_tx *tx;
	const struct told_ask *ask;
	struct told *told;
	struct status st; /* what went wrong within an each */
};

static bool
add(struct gathering *to, const char *recipient, int64_t webhook)
{
	struct told *told = to->told;

	for (size_t i = 0; i < told->n; i++)
		if (strcmp(told->at[i].recipient, recipient) == 0)
			return true;
	if (told->n == TOLD_MAX) {
		log_warn("an occasion has more recipients than are told",
		    LOG_INT("account", to->ask->account),
		    LOG_STR("event", notice_event_name(to->ask->event)));
		return false;
	}
	snprintf(told->at[told->n].recipient,
	    sizeof(told->at[told->n].recipient), "%s", recipient);
	told->at[told->n++].webhook = webhook;
	return true;
}

static bool
add_email(void *ctx, const char *email)
{
	struct gathering *to = ctx;
	char lower[STORE_EMAIL_MAX];
	bool is_muted = false;

	snprintf(lower, sizeof(lower), "%s", email);
	for (char *at = lower; *at != 0; at++)
		*at = (char)tolower((unsigned char)*at);
	if (to->ask->account != 0)
		to->st = store_notices_is_muted(
		    to->tx, to->ask->account, lower, to->ask->event, &is_muted);
	if (failed(to->st))
		return false;
	return is_muted || add(to, lower, 0);
}

static void
add_webhook(struct gathering *to, int64_t webhook)
{
	char recipient[32];
	bool is = false;

	to->st = store_told_webhook(to->tx, to->ask->account, webhook, &is);
	if (failed(to->st) || !is)
		return;
	snprintf(recipient, sizeof(recipient), "webhook %" PRId64, webhook);
	add(to, recipient, webhook);
}

static bool
add_rule(void *ctx, const struct rule_row *rule)
{
	struct gathering *to = ctx;
	const struct told_ask *ask = to->ask;
	struct status st =
	    store_told_users(to->tx, rule->account, rule->told, add_email, to);

	if (!failed(st) && !failed(to->st))
		st = store_told_contacts(to->tx, rule->account, rule->told,
		    ask->contacts, ask->n_contacts, add_email, to);
	if (failed(st))
		to->st = st;
	for (size_t i = 0; i < rule->n_emails && !failed(to->st); i++)
		add_email(to, rule->emails[i]);
	for (size_t i = 0; i < rule->n_webhooks && !failed(to->st); i++)
		add_webhook(to, rule->webhooks[i]);
	return !failed(to->st);
}

STATUS
notice_told(struct db_tx *tx, const struct told_ask *ask, struct told *ret_told)
{
	struct gathering to = {
		.tx = tx, .ask = ask, .told = ret_told, .st = status_ok()
	};
	struct status st = status_ok();

	ret_told->n = 0;
	if (ask->operators != NULL && notice_event_is_whole(ask->event))
		for (size_t i = 0; i < ask->operators->len; i++)
			add_email(&to, ask->operators->at[i]);
	if (ask->rule != NULL)
		add_rule(&to, ask->rule);
	else
		st = store_rules_each(
		    tx, ask->account, ask->event, add_rule, &to);
	return failed(to.st) ? to.st : st;
}
