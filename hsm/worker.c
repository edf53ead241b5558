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
#include "base/sandbox.h"
#include "base/scoped.h"
#include "hsm/confine.h"
#include "hsm/generate.h"
#include "hsm/hsm.h"
#include "hsm/sign.h"
#include "hsm/worker.h"

#define WORKER_NICE 5
#define LOCK_LIMIT_NS (20 * NS_PER_S)

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

void
worker_note(struct worker *w, enum reason reason)
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
	if (!wire_take_config(&copy, &config) || copy.len != 0 ||
	    !confine_allows(config.module, config.token_label, config.pin_file,
		config.lock_file))
		return false;
	w->token.module = config.module;
	w->token.label = config.token_label;
	w->token.pin_file = config.pin_file;
	w->token.lock_file = config.lock_file;
	w->keys = keys_new(config.session_copies, config.cache);
	w->is_wrapped_pool = config.wrapped;
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
	if (reason == REASON_OK && !w->cleaned) {
		reason = generate_clean(&w->token);
		w->cleaned = reason == REASON_OK;
	}
	if (reason == REASON_OK)
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
	if (reason == REASON_OK)
		confine_seal();
	set_state(w, reason);
}

/* What a fresh worker could do that this one cannot: see files that were put in
 * place meanwhile, load what the module loads when it initialises. */
static bool
is_spent(const struct worker *w)
{
	return w->state != WIRE_READY &&
	       (confine_is_stale() ||
		   (sandbox_is_sealed() && w->reason == REASON_MODULE_INIT));
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
		if (w->is_wrapped_pool && result.reason == REASON_KEY_UNKNOWN)
			result.reason = REASON_BLOB_NEEDED;
		worker_note(w, result.reason);
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
		if (is_spent(w))
			return false;
	} else if (head.type == WIRE_SIGN) {
		if (!serve_sign(w, &head, body))
			return false;
	} else if (!worker_manage(w, &head, body)) {
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
	if (failed(confine_begin()))
		return EXIT_FAILURE;
	w->state = WIRE_AWAY;
	w->reason = REASON_STARTING;
	while ((got = receive(w)) == 1) {
		if (!serve(w) || send(WIRE_FD, w->out.at, w->out.len,
				     MSG_NOSIGNAL) != (ssize_t)w->out.len) {
			got = -1;
			break;
		}
		(void)sandbox_log_refused();
	}
	token_close(&w->token);
	keys_free(w->keys);
	return got == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
