/* SPDX-License-Identifier: Apache-2.0 */

/*
 * When sessions were last seen: kept in memory and written together, so that a
 * request that only reads waits for no disk.  A crash loses a minute of it.
 */

#include "base/log.h"
#include "certd/login/sessions_int.h"

#define WRITE_EVERY_S 60

static struct status
write_all(struct sessions *sessions, const int64_t (*at)[2], size_t n)
{
	struct store *store = sessions->config.store;
	struct status st;
	struct db_tx *tx;

	st = store_write(store, &tx);
	if (failed(st))
		return st;
	for (size_t i = 0; i < n && !failed(st); i++)
		st = store_sessions_seen(tx, at[i][0], at[i][1]);
	/* Nobody waits for it: no store_commit, which wakes watchers. */
	return db_commit(tx, st);
}

void
sessions_seen_flush(struct sessions *sessions)
{
	int64_t at[SEEN_MAX][2];
	struct status st;
	size_t n;

	pthread_mutex_lock(&sessions->mutex);
	n = sessions->n_seen;
	for (size_t i = 0; i < n; i++) {
		at[i][0] = sessions->seen[i].session;
		at[i][1] = sessions->seen[i].at_s;
	}
	sessions->seen_since_s = store_now_s();
	sessions->n_seen = 0;
	pthread_mutex_unlock(&sessions->mutex);
	if (n == 0)
		return;
	st = write_all(sessions, (const int64_t(*)[2])at, n);
	if (failed(st))
		log_warn("when sessions were seen could not be written",
		    LOG_STATUS(st));
}

static size_t
find(const struct sessions *sessions, int64_t session)
{
	size_t i = 0;

	while (i < sessions->n_seen && sessions->seen[i].session != session)
		i++;
	return i;
}

void
sessions_seen_note(struct sessions *sessions, int64_t session, int64_t now_s)
{
	bool is_due;
	size_t i;

	pthread_mutex_lock(&sessions->mutex);
	i = find(sessions, session);
	if (sessions->n_seen == 0)
		sessions->seen_since_s = now_s;
	if (i < SEEN_MAX) {
		if (i == sessions->n_seen)
			sessions->n_seen++;
		sessions->seen[i].session = session;
		sessions->seen[i].at_s = now_s - now_s % 60;
	}
	is_due = sessions->n_seen == SEEN_MAX ||
		 now_s >= sessions->seen_since_s + WRITE_EVERY_S;
	pthread_mutex_unlock(&sessions->mutex);
	if (is_due)
		sessions_seen_flush(sessions);
}

int64_t
sessions_seen_last(struct sessions *sessions, int64_t session, int64_t at_s)
{
	size_t i;

	pthread_mutex_lock(&sessions->mutex);
	i = find(sessions, session);
	if (i < sessions->n_seen && sessions->seen[i].at_s > at_s)
		at_s = sessions->seen[i].at_s;
	pthread_mutex_unlock(&sessions->mutex);
	return at_s;
}
