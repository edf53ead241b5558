/* SPDX-License-Identifier: Apache-2.0 */

/* Uses of API tokens on their way to the disk; see token_uses.h. */

#include "certd/token_uses.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "certd/store_tokens.h"
#include "proto/message.h"

#define USES_MAX 256
#define WRITE_EVERY_S 60

struct use {
	int64_t token, at_s;
};

struct token_uses {
	struct db *db;
	pthread_mutex_t mutex; /* guards the rest */
	struct use at[USES_MAX];
	size_t n;
	int64_t since_s; /* the oldest one's */
};

STATUS
token_uses_new(struct db *db, struct token_uses **ret_uses)
{
	struct token_uses *uses = calloc(1, sizeof(*uses));

	if (uses == NULL)
		return message_no_memory();
	uses->db = db;
	pthread_mutex_init(&uses->mutex, NULL);
	*ret_uses = uses;
	return status_ok();
}

static struct status
write_all(struct db *db, const struct use *at, size_t n)
{
	struct db_tx *tx;
	struct status st = db_write(db, &tx);

	if (failed(st))
		return st;
	for (size_t i = 0; i < n && !failed(st); i++)
		st = store_tokens_used(tx, at[i].token, at[i].at_s);
	return db_commit(tx, st);
}

void
token_uses_flush(struct token_uses *uses)
{
	struct use at[USES_MAX];
	struct status st;
	size_t n;

	pthread_mutex_lock(&uses->mutex);
	n = uses->n;
	memcpy(at, uses->at, n * sizeof(at[0]));
	uses->n = 0;
	pthread_mutex_unlock(&uses->mutex);
	if (n == 0)
		return;
	st = write_all(uses->db, at, n);
	if (failed(st))
		log_warn("when API tokens were used could not be written",
		    LOG_STATUS(st));
}

void
token_uses_free(struct token_uses *uses)
{
	if (uses == NULL)
		return;
	token_uses_flush(uses);
	pthread_mutex_destroy(&uses->mutex);
	free(uses);
}

static void
put(struct token_uses *uses, int64_t token, int64_t now_s)
{
	size_t i = 0;

	while (i < uses->n && uses->at[i].token != token)
		i++;
	/* Full until another thread has written: this use goes unseen. */
	if (i == USES_MAX)
		return;
	if (uses->n == 0)
		uses->since_s = now_s;
	if (i == uses->n)
		uses->n++;
	uses->at[i] = (struct use){ token, now_s - now_s % 60 };
}

void
token_uses_note(struct token_uses *uses, int64_t token, int64_t now_s)
{
	bool is_due;

	pthread_mutex_lock(&uses->mutex);
	put(uses, token, now_s);
	is_due = uses->n == USES_MAX || now_s >= uses->since_s + WRITE_EVERY_S;
	pthread_mutex_unlock(&uses->mutex);
	if (is_due)
		token_uses_flush(uses);
}
