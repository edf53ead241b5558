/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A hash table of tokens under one mutex.  An update is applied as one, so that
 * a stream that begins anew leaves no moment without the answers that it brings
 * again.  When one had to be left out, for want of memory or room, no mark of
 * this stream is in force any more: certd is to know.
 */

#include "edge/challenges.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "proto/holdfast/certd/v1/edges.pb-c.h"

#define BUCKETS 65536
/* SHA-256 in base64url (RFC 8555 8.1). */
#define THUMBPRINT_LEN 43
#define BASE64URL                                                              \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

typedef Holdfast__Certd__V1__WatchUpdate update_msg;

struct challenge {
	struct challenge *next;
	size_t token_len; /* text begins with the token */
	char text[];
};

struct challenges {
	pthread_mutex_t mutex; /* guards all */
	struct challenge *buckets[BUCKETS];
	size_t n;
	bool serves;
	bool is_short; /* some answer of this stream is missing */
	uint64_t mark;
	unsigned changes, told; /* of what is to be reported */
};

/* ---- the table, with the mutex held ---- */

static struct challenge **
place_of(struct challenges *c, const char *token, size_t len)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	struct challenge **at;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)token[i]) * UINT64_C(1099511628211);
	at = &c->buckets[(hash ^ (hash >> 32)) % BUCKETS];
	while (*at != NULL && ((*at)->token_len != len ||
				  memcmp((*at)->text, token, len) != 0))
		at = &(*at)->next;
	return at;
}

static void
drop(struct challenges *c, struct challenge **at)
{
	struct challenge *gone = *at;

	*at = gone->next;
	free(gone);
	c->n--;
}

static void
drop_all(struct challenges *c)
{
	for (size_t i = 0; i < BUCKETS; i++)
		while (c->buckets[i] != NULL)
			drop(c, &c->buckets[i]);
}

/* Is it a token's answer, and no more? */
static bool
is_answer(const char *token, const char *text)
{
	size_t len = strlen(token);

	return len > 0 && len < CHALLENGES_TOKEN_MAX &&
	       strspn(token, BASE64URL) == len &&
	       strncmp(text, token, len) == 0 && text[len] == '.' &&
	       strlen(text + len + 1) == THUMBPRINT_LEN &&
	       strspn(text + len + 1, BASE64URL) == THUMBPRINT_LEN;
}

/* False when there is no room. */
static bool
put(struct challenges *c, const char *token, const char *text)
{
	size_t len = strlen(token), text_len = strlen(text);
	struct challenge **at = place_of(c, token, len);
	struct challenge *new;

	if (*at != NULL && strcmp((*at)->text, text) == 0)
		return true;
	if (*at == NULL && c->n == CHALLENGES_MAX)
		return false;
	new = malloc(sizeof(*new) + text_len + 1);
	if (new == NULL)
		return false;
	new->token_len = len;
	memcpy(new->text, text, text_len + 1);
	new->next = *at != NULL ? (*at)->next : NULL;
	if (*at != NULL)
		free(*at);
	else
		c->n++;
	*at = new;
	return true;
}

static void
apply(struct challenges *c, const update_msg *update)
{
	if (update->challenges_reset) {
		drop_all(c);
		c->is_short = false;
	}
	for (size_t i = 0; i < update->n_challenges_gone; i++) {
		const char *token = update->challenges_gone[i];
		struct challenge **at = place_of(c, token, strlen(token));

		if (*at != NULL)
			drop(c, at);
	}
	for (size_t i = 0; i < update->n_challenges; i++) {
		const char *token = update->challenges[i]->token;
		const char *text = update->challenges[i]->key_authorization;

		if (!is_answer(token, text)) {
			log_warn("certd asks for an answer to an http-01 "
				 "challenge that is none; it is not given");
		} else if (!put(c, token, text)) {
			if (!c->is_short)
				log_error("out of memory, or too many answers "
					  "to http-01 challenges; some are not "
					  "given");
			c->is_short = true;
		}
	}
	if (update->challenges_mark != 0) {
		c->mark = update->challenges_mark;
		c->changes++;
	}
}

/* ---- the door ---- */

STATUS
challenges_new(struct challenges **ret_challenges)
{
	struct challenges *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	pthread_mutex_init(&c->mutex, NULL);
	*ret_challenges = c;
	return status_ok();
}

void
challenges_free(struct challenges *c)
{
	if (c == NULL)
		return;
	drop_all(c);
	pthread_mutex_destroy(&c->mutex);
	free(c);
}

bool
challenges_find(
    struct challenges *c, const char *token, char ret_text[CHALLENGES_TEXT_MAX])
{
	const struct challenge *found;

	pthread_mutex_lock(&c->mutex);
	found = *place_of(c, token, strlen(token));
	if (found != NULL)
		(void)!snprintf(
		    ret_text, CHALLENGES_TEXT_MAX, "%s", found->text);
	pthread_mutex_unlock(&c->mutex);
	return found != NULL;
}

size_t
challenges_count(struct challenges *c)
{
	size_t n;

	pthread_mutex_lock(&c->mutex);
	n = c->n;
	pthread_mutex_unlock(&c->mutex);
	return n;
}

void
challenges_begin(struct challenges *c)
{
	pthread_mutex_lock(&c->mutex);
	c->mark = 0;
	c->told = c->changes;
	pthread_mutex_unlock(&c->mutex);
}

bool
challenges_take(struct challenges *c, struct bytes message)
{
	update_msg *update = holdfast__certd__v1__watch_update__unpack(
	    NULL, message.len, message.at);
	bool has_more;

	if (update == NULL)
		return true;
	has_more = update->snapshot || update->complete ||
		   update->n_sites > 0 || update->n_removed > 0;
	if (update->challenges_reset || update->challenges_mark != 0 ||
	    update->n_challenges > 0 || update->n_challenges_gone > 0) {
		pthread_mutex_lock(&c->mutex);
		apply(c, update);
		pthread_mutex_unlock(&c->mutex);
	}
	holdfast__certd__v1__watch_update__free_unpacked(update, NULL);
	return has_more;
}

void
challenges_serve(struct challenges *c, bool serves)
{
	pthread_mutex_lock(&c->mutex);
	c->serves = serves;
	c->changes++;
	pthread_mutex_unlock(&c->mutex);
}

struct challenges_state
challenges_state(struct challenges *c)
{
	struct challenges_state state;

	pthread_mutex_lock(&c->mutex);
	state.mark = c->serves && !c->is_short ? c->mark : 0;
	state.is_due = state.mark != 0 && c->changes != c->told;
	state.changes = c->changes;
	pthread_mutex_unlock(&c->mutex);
	return state;
}

void
challenges_told(struct challenges *c, const struct challenges_state *state)
{
	pthread_mutex_lock(&c->mutex);
	c->told = state->changes;
	pthread_mutex_unlock(&c->mutex);
}
