/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is put down of log-ins that were refused.  Guessing must not fill the
 * database: each user and network has one row an hour, whose count grows, and
 * all rows of an hour together are REFUSALS_MAX.  The last of them is of all
 * for whom there is no room: no account's, and it says nobody's address.  An
 * address that nobody has is not written down, for people type passwords there
 * by mistake.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "certd/login/sessions_int.h"

struct status
sessions_refused_wait(struct api_call *call, unsigned wait_s)
{
	if (call->web != NULL)
		call->web->retry_after_s = wait_s;
	return api_explain(call,
	    status_fail(STATUS_RESOURCE_EXHAUSTED, "too many tries"),
	    "too many tries were wrong: wait %u seconds, or ask for a one-time "
	    "link",
	    wait_s);
}

#define SHARED (REFUSALS_MAX - 1)

/* Its row, a new one, or the one that is shared.  The writer's turn is ours, so
 * no other thread puts the same one down. */
static size_t
count(struct sessions *sessions, int64_t user, const uint8_t network[16],
    int64_t hour, unsigned *ret_n, int64_t *ret_event)
{
	size_t i = 0;

	pthread_mutex_lock(&sessions->mutex);
	if (sessions->refusals_hour != hour)
		sessions->n_refusals = 0;
	sessions->refusals_hour = hour;
	while (i < sessions->n_refusals &&
	       (sessions->refusals[i].user != user ||
		   memcmp(sessions->refusals[i].network, network, 16) != 0))
		i++;
	if (i == sessions->n_refusals && i < REFUSALS_MAX) {
		sessions->n_refusals++;
		sessions->refusals[i].user = i == SHARED ? -1 : user;
		memcpy(sessions->refusals[i].network, network, 16);
		sessions->refusals[i].event = 0;
		sessions->refusals[i].n = 0;
	}
	if (i == REFUSALS_MAX)
		i = SHARED;
	*ret_n = ++sessions->refusals[i].n;
	*ret_event = sessions->refusals[i].event;
	pthread_mutex_unlock(&sessions->mutex);
	return i;
}

static struct status
note(struct sessions *sessions, struct db_tx *tx, const char *address,
    const struct store_login *login)
{
	const int64_t user = login == NULL ? 0 : login->user.id;
	const char *who = "no such user";
	char object[40] = "log-in", detail[400];
	uint8_t network[16];
	int64_t event = 0, before;
	unsigned n = 0;
	size_t at;
	struct status st;

	throttle_network(address, network);
	at = count(sessions, user, network, store_now_s() / 3600, &n, &event);
	before = event;
	if (at == SHARED) {
		login = NULL;
		who = "others";
	}
	if (login != NULL) {
		snprintf(object, sizeof(object), "user %" PRId64, user);
		who = login->user.email;
	}
	snprintf(detail, sizeof(detail), "%.100s, %u %s, last from %s", who, n,
	    n == 1 ? "time" : "times", address);
	st = store_logins_refused(tx, login == NULL ? 0 : login->user.account,
	    object, detail, &event);
	if (failed(st) || event == before)
		return st;
	pthread_mutex_lock(&sessions->mutex);
	sessions->refusals[at].event = event;
	pthread_mutex_unlock(&sessions->mutex);
	return st;
}

void
sessions_refused_note(struct sessions *sessions, const struct api_call *call,
    const struct store_login *logins, size_t n)
{
	struct store *store = sessions->config.store;
	const char *address = call->web->address;
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (!failed(st)) {
		if (n == 0)
			st = note(sessions, tx, address, NULL);
		for (size_t i = 0; i < n && !failed(st); i++)
			st = note(sessions, tx, address, &logins[i]);
		st = store_commit(store, tx, st);
	}
	if (failed(st))
		log_warn(
		    "a refused log-in could not be put down", LOG_STATUS(st));
}
