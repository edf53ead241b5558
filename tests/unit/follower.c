/* SPDX-License-Identifier: Apache-2.0 */

/* A follower of Edges.Watch, for tests; follower.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "tests/unit/follower.h"

#define SITES_MAX 20000
#define CHALLENGES_MAX 8192
#define PATIENCE_NS (60 * NS_PER_S)
#define TAG_LEN 8

struct site {
	int64_t id, version;
	char chain[64];
};

struct set {
	struct site at[SITES_MAX];
	size_t n;
};

struct follower {
	struct follower *next; /* of all there are, for follower_free_all */
	struct rpc_client *client;
	struct rpc_client_stream *stream;
	pthread_mutex_t mutex; /* guards the rest */
	pthread_cond_t changed;
	struct set applied, coming;
	struct challenge {
		char token[160], text[256];
	} challenges[CHALLENGES_MAX];
	size_t n_challenges;
	uint64_t mark;
	int64_t version;
	uint8_t tag[TAG_LEN];
	bool is_open;
	struct status end;
	char why[RPC_WHY_MAX];
	struct follower_counts counts;
};

static struct follower *all;

static struct site *
find(struct set *set, int64_t id)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->at[i].id == id)
			return &set->at[i];
	return NULL;
}

static void
put(struct set *set, const Holdfast__Certd__V1__Site *from)
{
	struct site *site = find(set, from->id);

	if (site == NULL) {
		assert_true(set->n < SITES_MAX);
		site = &set->at[set->n++];
	}
	/* What comes later is never older. */
	assert_true(site->id != from->id || site->version <= from->version);
	assert_true(from->n_hostnames > 0);
	*site = (struct site){ .id = from->id, .version = from->version };
	if (from->n_certificates > 0)
		snprintf(site->chain, sizeof(site->chain), "%s",
		    from->certificates[0]->chain_pem);
}

static void
drop(struct set *set, int64_t id)
{
	struct site *site = find(set, id);

	if (site != NULL)
		*site = set->at[--set->n];
}

/* With the mutex held; CHALLENGES_MAX: it has it not. */
static size_t
place_of(const struct follower *f, const char *token)
{
	for (size_t i = 0; i < f->n_challenges; i++)
		if (strcmp(f->challenges[i].token, token) == 0)
			return i;
	return CHALLENGES_MAX;
}

/* With the mutex held. */
static void
take_challenges(
    struct follower *f, const Holdfast__Certd__V1__WatchUpdate *update)
{
	size_t n = update->n_challenges + update->n_challenges_gone, at;

	if (n == 0 && !update->challenges_reset && update->challenges_mark == 0)
		return;
	f->counts.challenge_updates++;
	f->counts.resets += update->challenges_reset ? 1 : 0;
	if (n > f->counts.most_challenges)
		f->counts.most_challenges = n;
	if (update->challenges_reset)
		f->n_challenges = 0;
	for (size_t i = 0; i < update->n_challenges_gone; i++) {
		at = place_of(f, update->challenges_gone[i]);
		if (at != CHALLENGES_MAX)
			f->challenges[at] = f->challenges[--f->n_challenges];
	}
	for (size_t i = 0; i < update->n_challenges; i++) {
		at = place_of(f, update->challenges[i]->token);
		if (at == CHALLENGES_MAX)
			at = f->n_challenges++;
		assert_true(at < CHALLENGES_MAX);
		snprintf(f->challenges[at].token,
		    sizeof(f->challenges[at].token), "%s",
		    update->challenges[i]->token);
		snprintf(f->challenges[at].text, sizeof(f->challenges[at].text),
		    "%s", update->challenges[i]->key_authorization);
	}
	if (update->challenges_mark != 0)
		f->mark = update->challenges_mark;
}

static void
on_message(void *ctx, struct bytes message)
{
	struct follower *f = ctx;
	Holdfast__Certd__V1__WatchUpdate *update =
	    holdfast__certd__v1__watch_update__unpack(
		NULL, message.len, message.at);

	assert_non_null(update);
	pthread_mutex_lock(&f->mutex);
	f->counts.updates++;
	f->counts.snapshots += update->snapshot ? 1 : 0;
	f->counts.complete += update->complete ? 1 : 0;
	if (message.len > f->counts.largest)
		f->counts.largest = message.len;
	take_challenges(f, update);
	if (update->snapshot)
		f->coming.n = 0;
	for (size_t i = 0; i < update->n_removed; i++)
		drop(&f->coming, update->removed[i]);
	for (size_t i = 0; i < update->n_sites; i++)
		put(&f->coming, update->sites[i]);
	if (update->complete) {
		assert_int_equal(update->tag.len, TAG_LEN);
		f->applied = f->coming;
		f->version = update->version;
		memcpy(f->tag, update->tag.data, TAG_LEN);
	}
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->mutex);
	holdfast__certd__v1__watch_update__free_unpacked(update, NULL);
}

static void
on_closed(void *ctx, struct status st, const char *why)
{
	struct follower *f = ctx;

	pthread_mutex_lock(&f->mutex);
	f->is_open = false;
	f->end = st;
	snprintf(f->why, sizeof(f->why), "%s", why);
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->mutex);
}

struct follower *
follower_new(struct rpc_client *client)
{
	struct follower *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->client = client;
	f->next = all;
	all = f;
	pthread_mutex_init(&f->mutex, NULL);
	clock_cond_init(&f->changed);
	return f;
}

void
follower_free(struct follower *f)
{
	struct follower **at = &all;

	if (f->stream != NULL)
		follower_cut(f);
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->mutex);
	free(f);
}

void
follower_free_all(void)
{
	while (all != NULL)
		follower_free(all);
}

void
follower_open(struct follower *f)
{
	static const struct rpc_client_stream_ops ops = { .message = on_message,
		.closed = on_closed };
	Holdfast__Certd__V1__WatchRequest request;
	char program[] = "test 1";
	uint8_t packed[128];

	holdfast__certd__v1__watch_request__init(&request);
	assert_null(f->stream);
	f->coming = f->applied;
	f->is_open = true;
	f->mark = 0;
	request.version = f->version;
	request.program = program;
	if (f->version != 0)
		request.tag = (ProtobufCBinaryData){ TAG_LEN, f->tag };
	assert_int_equal(rpc_client_stream_open(f->client,
			     &holdfast__certd__v1__edges__descriptor, "Watch",
			     &ops, f, &f->stream)
			     .code,
	    STATUS_OK);
	rpc_client_stream_send(
	    f->stream, (struct bytes){ packed,
			   protobuf_c_message_pack(&request.base, packed) });
	rpc_client_stream_end(f->stream);
}

/* With the mutex held: false when patience ended. */
static bool
wait_more(struct follower *f, int64_t until_ns)
{
	return clock_cond_wait(&f->changed, &f->mutex, until_ns);
}

struct status
follower_wait_end(struct follower *f, char *ret_why)
{
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;
	struct status st;
	bool is_open;

	pthread_mutex_lock(&f->mutex);
	while (f->is_open && wait_more(f, until_ns))
		;
	is_open = f->is_open;
	st = f->end;
	if (ret_why != NULL)
		snprintf(ret_why, RPC_WHY_MAX, "%s", f->why);
	pthread_mutex_unlock(&f->mutex);
	assert_false(is_open);
	rpc_client_stream_free(f->stream);
	f->stream = NULL;
	return st;
}

void
follower_cut(struct follower *f)
{
	rpc_client_stream_cancel(f->stream);
	(void)follower_wait_end(f, NULL);
}

void
follower_wait(struct follower *f, int64_t version)
{
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;

	pthread_mutex_lock(&f->mutex);
	while (f->version < version) {
		if (!f->is_open)
			fail_msg("the stream ended: %s", f->why);
		if (!wait_more(f, until_ns))
			fail_msg(
			    "at %d, not at %d", (int)f->version, (int)version);
	}
	pthread_mutex_unlock(&f->mutex);
}

int64_t
follower_version(struct follower *f)
{
	int64_t version;

	pthread_mutex_lock(&f->mutex);
	version = f->version;
	pthread_mutex_unlock(&f->mutex);
	return version;
}

void
follower_claim(struct follower *f, int64_t version, const char *tag)
{
	f->version = version;
	memcpy(f->tag, tag, TAG_LEN);
}

unsigned
follower_sites(struct follower *f)
{
	unsigned n;

	pthread_mutex_lock(&f->mutex);
	n = (unsigned)f->applied.n;
	pthread_mutex_unlock(&f->mutex);
	return n;
}

int64_t
follower_site(struct follower *f, int64_t id)
{
	const struct site *site;
	int64_t version;

	pthread_mutex_lock(&f->mutex);
	site = find(&f->applied, id);
	version = site == NULL ? 0 : site->version;
	pthread_mutex_unlock(&f->mutex);
	return version;
}

void
follower_chain(struct follower *f, int64_t id, char *ret_chain, size_t max)
{
	const struct site *site;

	pthread_mutex_lock(&f->mutex);
	site = find(&f->applied, id);
	snprintf(ret_chain, max, "%s", site == NULL ? "" : site->chain);
	pthread_mutex_unlock(&f->mutex);
}

size_t
follower_challenges(struct follower *f)
{
	size_t n;

	pthread_mutex_lock(&f->mutex);
	n = f->n_challenges;
	pthread_mutex_unlock(&f->mutex);
	return n;
}

bool
follower_answers(struct follower *f, const char *token, const char *text)
{
	size_t at;
	bool is_so;

	pthread_mutex_lock(&f->mutex);
	at = place_of(f, token);
	is_so = at == CHALLENGES_MAX
		    ? text == NULL
		    : text != NULL && strcmp(f->challenges[at].text, text) == 0;
	pthread_mutex_unlock(&f->mutex);
	return is_so;
}

void
follower_wait_mark(struct follower *f, uint64_t mark)
{
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;

	pthread_mutex_lock(&f->mutex);
	while (f->mark < mark) {
		if (!f->is_open)
			fail_msg("the stream ended: %s", f->why);
		if (!wait_more(f, until_ns))
			fail_msg(
			    "at mark %d, not at %d", (int)f->mark, (int)mark);
	}
	pthread_mutex_unlock(&f->mutex);
}

uint64_t
follower_mark(struct follower *f)
{
	uint64_t mark;

	pthread_mutex_lock(&f->mutex);
	mark = f->mark;
	pthread_mutex_unlock(&f->mutex);
	return mark;
}

struct follower_counts
follower_counts(struct follower *f)
{
	struct follower_counts counts;

	pthread_mutex_lock(&f->mutex);
	counts = f->counts;
	pthread_mutex_unlock(&f->mutex);
	return counts;
}
