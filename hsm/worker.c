/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A worker: the one process that loads the PKCS#11 module and reads the PIN.
 * One thread takes a request from the lane, does it, and replies; it never
 * speaks unasked, and ends when the door closes the lane.  When session or
 * token went away it says so in the reply, touches the token no more, and waits
 * to be told to probe: patience and back-off are the door's business.
 */

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/process.h"
#include "base/scoped.h"
#include "hsm/generate.h"
#include "hsm/hsm.h"
#include "hsm/sign.h"
#include "hsm/wire.h"

#define WORKER_NICE 5
#define LOCK_LIMIT_NS (20 * NS_PER_S)

struct worker {
	struct wire_message in, out;
	struct wire_message config; /* the token's names live in here */
	struct token token;
	struct keys *keys;
	enum wire_state state;
	enum reason reason; /* of the state */
	uint32_t detail;
	/* The next probe re-initialises even a token that seems well. */
	bool distrusted;
};

static void
set_state(struct worker *w, enum reason reason)
{
	w->reason = reason;
	w->detail = reason == REASON_OK ? 0 : w->token.detail;
	if (reason == REASON_OK)
		w->state = WIRE_READY;
	else if (reason == REASON_PIN_REFUSED)
		w->state = WIRE_PIN_REFUSED;
	else
		w->state = WIRE_AWAY;
}

/* After a request: one that failed for the lane's sake stops the lane. */
static void
note(struct worker *w, enum reason reason)
{
	if (!reason_is_of_lane(reason) || w->state != WIRE_READY)
		return;
	set_state(w, reason);
	w->state = WIRE_AWAY;
}

static bool
configure(struct worker *w, struct bytes body)
{
	struct wire_config config;
	struct bytes copy;

	if (w->keys != NULL)
		return true;
	memcpy(w->config.at, body.at, body.len);
	copy = (struct bytes){ w->config.at, body.len };
	if (!wire_take_config(&copy, &config) || copy.len != 0)
		return false;
	w->token.module = config.module;
	w->token.label = config.token_label;
	w->token.pin_file = config.pin_file;
	w->token.lock_file = config.lock_file;
	w->keys = keys_new(config.session_copies);
	return w->keys != NULL;
}

static enum reason
start_afresh(struct worker *w)
{
	scoped(close) int lock = -1;
	enum reason reason;

	token_close(&w->token);
	keys_clear(w->keys);
	reason = token_lock(&w->token, LOCK_LIMIT_NS, &lock);
	if (reason == REASON_OK)
		reason = token_open(&w->token);
	if (reason != REASON_OK)
		return reason;
	reason = keys_load_all(w->keys, &w->token);
	if (reason != REASON_OK)
		token_close(&w->token);
	return reason;
}

static void
serve_probe(struct worker *w)
{
	enum reason reason = REASON_OK;

	/* One odd answer does not cost a re-initialisation if the token is
	 * well: with many keys that takes seconds. */
	if (w->distrusted || !token_answers(&w->token) ||
	    token_renew_signer(&w->token) != REASON_OK ||
	    !sign_canary(w->keys, &w->token))
		reason = start_afresh(w);
	w->distrusted = false;
	set_state(w, reason);
}

static bool
serve_sign(struct worker *w, const struct wire_head *head, struct bytes body)
{
	for (uint32_t i = 0; i < head->count; i++) {
		struct wire_result result = { .reason = REASON_AWAY };
		struct signature signature = { .len = 0 };
		struct wire_op op;

		if (!wire_take_op(&body, &op))
			return false;
		if (op.deadline_ns <= clock_mono_ns())
			result.reason = REASON_EXPIRED;
		else if (w->state == WIRE_READY)
			result.reason = sign_with_key(w->keys, &w->token,
			    &op.key, op.scheme, op.input, &signature);
		note(w, result.reason);
		if (result.reason == REASON_OK)
			result.signature =
			    (struct bytes){ signature.at, signature.len };
		else
			result.detail = w->token.detail;
		w->token.detail = 0;
		if (!wire_put_result(&w->out, &result))
			return false;
	}
	wire_head_of(&w->out)->count = head->count;
	return body.len == 0;
}

static enum reason
generate(struct worker *w, const struct wire_query *query, struct hsm_key *key)
{
	scoped(close) int lock = -1;
	enum reason reason;

	reason =
	    token_lock(&w->token, query->deadline_ns - clock_mono_ns(), &lock);
	if (reason == REASON_LOCK_HELD)
		return REASON_LATE;
	if (reason != REASON_OK)
		return reason;
	reason = generate_pair(&w->token, query->alg, query->label, key);
	if (reason == REASON_OK)
		reason = keys_load_one(w->keys, &w->token, &key->id);
	return reason;
}

/* The door tells every lane of a key it made or found: mostly no news. */
static enum reason
learn(struct worker *w, const struct key_id *id)
{
	if (keys_get(w->keys, id) != NULL)
		return REASON_OK;
	return keys_load_one(w->keys, &w->token, id);
}

static enum reason
find(struct worker *w, const struct wire_query *query, struct hsm_key *key)
{
	enum reason reason =
	    describe_find(&w->token, query->by_label ? NULL : &query->id,
		query->by_label ? query->label : NULL, key);

	if (reason == REASON_OK)
		reason = learn(w, &key->id);
	return reason;
}

static bool
serve_query(struct worker *w, enum wire_type type, struct bytes body)
{
	struct hsm_key key = { .alg = KEY_ALG_NONE };
	struct wire_query query;
	enum reason reason = REASON_AWAY;

	if (!wire_take_query(&body, &query) || body.len != 0)
		return false;
	if (w->state == WIRE_READY && type == WIRE_GENERATE)
		reason = generate(w, &query, &key);
	else if (w->state == WIRE_READY && type == WIRE_FIND)
		reason = find(w, &query, &key);
	else if (w->state == WIRE_READY)
		reason = learn(w, &query.id);
	if (type == WIRE_LOAD && reason == REASON_KEY_UNKNOWN) {
		/* The door knows the key is there, so our view is stale. */
		w->distrusted = true;
		reason = REASON_AWAY;
	}
	note(w, reason);
	wire_head_of(&w->out)->reason = reason;
	wire_head_of(&w->out)->detail =
	    reason == REASON_OK ? 0 : w->token.detail;
	w->token.detail = 0;
	return reason != REASON_OK || type == WIRE_LOAD ||
	       wire_put_key(&w->out, &key);
}

/* False for a request that no door of this version sends. */
static bool
serve(struct worker *w)
{
	struct wire_head head, *reply;
	struct bytes body;

	if (!wire_open((struct bytes){ w->in.at, w->in.len }, &head, &body))
		return false;
	if (head.type != WIRE_PROBE && w->keys == NULL)
		return false;
	wire_begin(&w->out, (enum wire_type)head.type, head.seq);
	if (head.type == WIRE_PROBE) {
		if (!configure(w, body))
			return false;
		serve_probe(w);
	} else if (head.type == WIRE_SIGN) {
		if (!serve_sign(w, &head, body))
			return false;
	} else if (!serve_query(w, (enum wire_type)head.type, body)) {
		return false;
	}
	reply = wire_head_of(&w->out);
	reply->state = w->state;
	reply->keys = keys_count(w->keys);
	if (w->state != WIRE_READY && reply->reason == REASON_OK) {
		reply->reason = w->reason;
		reply->detail = w->detail;
	}
	return true;
}

/* 1: a request is in w->in; 0: the door closed the lane; -1: it is broken. */
static int
receive(struct worker *w)
{
	ssize_t n;

	do
		n = recv(WIRE_FD, w->in.at, sizeof(w->in.at), MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	if (n < 0 || (size_t)n > sizeof(w->in.at))
		return -1;
	w->in.len = (size_t)n;
	return 1;
}

int
hsm_worker_main(void)
{
	static struct worker worker;
	struct worker *w = &worker;
	int got;

	if (failed(process_harden()) || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		return EXIT_FAILURE;
	/*
	 * Where the token is software, workers fill the cores.  The front
	 * process needs little, but soon: while it waits for a core, so do they
	 * for it.
	 */
	(void)!nice(WORKER_NICE);
	/* The door decides when to end; a terminal's ^C is meant for it. */
	process_block_signals();
	w->state = WIRE_AWAY;
	w->reason = REASON_STARTING;
	while ((got = receive(w)) == 1) {
		if (!serve(w) || send(WIRE_FD, w->out.at, w->out.len,
				     MSG_NOSIGNAL) != (ssize_t)w->out.len) {
			got = -1;
			break;
		}
	}
	token_close(&w->token);
	keys_free(w->keys);
	return got == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
