/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a worker does besides signing: make, find, forget and destroy keys, take
 * keys in, wrap and unwrap them.  What touches objects of the token runs under
 * the token's lock between processes, since SoftHSM's files race.
 */

#include <assert.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "hsm/generate.h"
#include "hsm/worker.h"

/* A request taken apart, and its reply before it is put together. */
struct act {
	enum wire_type type;
	struct wire_query query;
	struct wire_import import;
	struct hsm_key key;
	struct hsm_blob blob;
	uint32_t number;
};

static enum reason
lock(struct worker *w, int64_t deadline_ns, int *ret_fd)
{
	enum reason reason =
	    token_lock(&w->token, deadline_ns - clock_mono_ns(), ret_fd);

	return reason == REASON_LOCK_HELD ? REASON_LATE : reason;
}

static enum reason
generate(struct worker *w, struct act *act)
{
	enum reason reason = generate_key(
	    &w->token, act->query.alg, act->query.label, &act->key);

	if (reason == REASON_OK)
		reason = keys_load_one(w->keys, &w->token, &act->key.id);
	return reason;
}

/* The door tells every lane of a key it made or found: mostly no news. */
static enum reason
load(struct worker *w, struct act *act)
{
	if (keys_get(w->keys, &act->query.id) != NULL)
		return REASON_OK;
	return keys_load_one(w->keys, &w->token, &act->query.id);
}

static enum reason
find(struct worker *w, struct act *act)
{
	const struct wire_query *query = &act->query;
	enum reason reason =
	    describe_find(&w->token, query->by_label ? NULL : &query->id,
		query->by_label ? query->label : NULL, &act->key);

	if (reason == REASON_OK && keys_get(w->keys, &act->key.id) == NULL)
		reason = keys_load_one(w->keys, &w->token, &act->key.id);
	return reason;
}

static enum reason
forget(struct worker *w, struct act *act)
{
	CK_RV rv = keys_forget(w->keys, &w->token, &act->query.id);

	/* A copy that may be left goes with the module's next start. */
	if (rv == CKR_OK || ck_error_class(rv) == CK_CLASS_KEY)
		return REASON_OK;
	w->distrusted = true;
	w->token.detail = (uint32_t)rv;
	return REASON_AWAY;
}

/* All objects of this class that carry the id. */
static CK_RV
destroy_class(
    struct token *token, CK_OBJECT_CLASS class, const struct key_id *id)
{
	CK_OBJECT_HANDLE found;
	CK_RV rv;

	do {
		found = CK_INVALID_HANDLE;
		rv = keys_search(token, class, id, NULL, &found);
		if (rv == CKR_OK && found != CK_INVALID_HANDLE)
			rv = token->p11->C_DestroyObject(token->anchor, found);
	} while (rv == CKR_OK && found != CK_INVALID_HANDLE);
	return rv;
}

static enum reason
destroy(struct worker *w, struct act *act)
{
	enum reason reason = forget(w, act);
	CK_RV rv;

	if (reason != REASON_OK)
		return reason;
	/* A token that lost its files finds nothing to destroy either. */
	if (!token_answers(&w->token))
		return REASON_AWAY;
	rv = destroy_class(&w->token, CKO_PRIVATE_KEY, &act->query.id);
	if (rv == CKR_OK)
		rv = destroy_class(&w->token, CKO_PUBLIC_KEY, &act->query.id);
	if (rv != CKR_OK)
		w->token.detail = (uint32_t)rv;
	return ck_error_reason(rv);
}

static enum reason
wrapping(struct worker *w, struct act *act)
{
	enum reason reason =
	    generate_label_ok(act->query.label) ? REASON_OK : REASON_LABEL_BAD;

	if (reason == REASON_OK)
		reason = wrapping_get(
		    &w->token, act->query.label, &w->hash, &act->key);
	act->number = w->hash == WRAPPING_SHA256;
	return reason;
}

/* A blob that is refused may be one that this token cannot unwrap at all. */
static enum reason
blame_algorithm(struct worker *w, const struct act *act, enum reason reason)
{
	enum key_alg alg = key_alg_of_spki(act->import.spki);
	uint32_t detail = w->token.detail;

	if ((reason == REASON_IMPORT_BLOB ||
		reason == REASON_IMPORT_MISMATCH) &&
	    wrapped_try(&w->token, &w->wrapped, alg) == REASON_WRAPPED_ALG)
		reason = REASON_IMPORT_ALG;
	w->token.detail = detail;
	return reason;
}

static enum reason
unwrap(struct worker *w, struct act *act)
{
	enum reason reason =
	    unwrap_import(&w->token, &act->import, &w->hash, &act->key);

	if (reason == REASON_OK)
		return keys_load_one(w->keys, &w->token, &act->key.id);
	return blame_algorithm(w, act, reason);
}

static enum reason
unwraps(struct worker *w, struct act *act)
{
	for (enum key_alg alg = KEY_ALG_EC_P256; alg <= KEY_ALG_ED25519;
	     alg++) {
		enum reason reason = wrapped_try(&w->token, &w->wrapped, alg);

		if (reason != REASON_OK && reason != REASON_WRAPPED_ALG)
			return reason;
	}
	act->number = w->wrapped.unwraps;
	return REASON_OK;
}

static enum reason
kek(struct worker *w, struct act *act)
{
	(void)act;
	return wrapped_kek(&w->token, &w->wrapped);
}

static enum reason
make_wrapped(struct worker *w, struct act *act, CK_OBJECT_HANDLE *ret_private)
{
	if (key_alg_name(act->query.alg) == NULL)
		return REASON_MECHANISM;
	return wrapped_generate(&w->token, &w->wrapped, act->query.alg,
	    &act->key, &act->blob, ret_private);
}

static void
let_go(struct worker *w, CK_OBJECT_HANDLE private)
{
	(void)w->token.p11->C_DestroyObject(w->token.anchor, private);
}

static enum reason
generate_wrapped(struct worker *w, struct act *act)
{
	CK_OBJECT_HANDLE private = CK_INVALID_HANDLE;
	enum reason reason = make_wrapped(w, act, &private);

	if (reason == REASON_OK)
		let_go(w, private);
	return reason;
}

/* Few of those that nobody has signed with: the others would push out what is
 * signed with. */
static void
hold_born(struct worker *w, const struct hsm_key *key, CK_OBJECT_HANDLE private)
{
	struct key_id *slot = &w->born[w->n_born % WORKER_BORN_MAX];
	struct key_entry *entry = keys_get(w->keys, slot);

	if (entry != NULL && entry->unwrapped && !entry->used)
		(void)keys_forget(w->keys, &w->token, slot);
	if (keys_put_unwrapped(
		w->keys, &w->token, &key->id, key->alg, private) != REASON_OK) {
		let_go(w, private);
		return;
	}
	entry = keys_get(w->keys, &key->id);
	if (entry != NULL)
		entry->used = false;
	*slot = key->id;
	w->n_born++;
}

static enum reason
generate_kept(struct worker *w, struct act *act)
{
	CK_OBJECT_HANDLE private = CK_INVALID_HANDLE;
	enum reason reason = make_wrapped(w, act, &private);

	if (reason != REASON_OK)
		return reason;
	if (w->is_wrapped_pool)
		hold_born(w, &act->key, private);
	else
		let_go(w, private);
	return reason;
}

static enum reason
unwrap_wrapped(struct worker *w, struct act *act)
{
	struct unwrap from = { .by = CK_INVALID_HANDLE };
	enum reason reason =
	    unwrap_open(&w->token, &act->import, &w->hash, &from);

	if (reason == REASON_OK)
		reason = wrapped_import(
		    &w->token, &w->wrapped, &from, &act->key, &act->blob);
	unwrap_close(&w->token, &from);
	return blame_algorithm(w, act, reason);
}

enum reply {
	REPLY_NONE,
	REPLY_KEY,
	REPLY_KEY_NUMBER,
	REPLY_NUMBER,
	REPLY_BLOB
};

static const struct {
	enum reason (*serve)(struct worker *w, struct act *act);
	bool locks;
	bool is_import;
	enum reply reply;
} acts[WIRE_END_] = {
	[WIRE_GENERATE] = { generate, true, false, REPLY_KEY },
	[WIRE_FIND] = { find, false, false, REPLY_KEY },
	[WIRE_LOAD] = { load, false, false, REPLY_NONE },
	[WIRE_FORGET] = { forget, false, false, REPLY_NONE },
	[WIRE_DESTROY] = { destroy, true, false, REPLY_NONE },
	[WIRE_WRAPPING] = { wrapping, true, false, REPLY_KEY_NUMBER },
	[WIRE_UNWRAP] = { unwrap, true, true, REPLY_KEY },
	[WIRE_UNWRAPS] = { unwraps, false, false, REPLY_NUMBER },
	[WIRE_KEK] = { kek, true, false, REPLY_NONE },
	[WIRE_GENERATE_WRAPPED] = { generate_wrapped, false, false,
	    REPLY_BLOB },
	[WIRE_GENERATE_KEPT] = { generate_kept, false, false, REPLY_BLOB },
	[WIRE_UNWRAP_WRAPPED] = { unwrap_wrapped, true, true, REPLY_BLOB },
};

static bool
take(struct bytes body, struct act *act)
{
	if (!acts[act->type].is_import)
		return wire_take_query(&body, &act->query) && body.len == 0;
	if (!wire_take_import(&body, &act->import) || body.len != 0)
		return false;
	act->query = act->import.query;
	return true;
}

static enum reason
serve(struct worker *w, struct act *act)
{
	scoped(close) int fd = -1;
	enum reason reason = REASON_OK;

	if (w->state != WIRE_READY)
		return REASON_AWAY;
	if (acts[act->type].locks)
		reason = lock(w, act->query.deadline_ns, &fd);
	if (reason == REASON_OK)
		reason = acts[act->type].serve(w, act);
	if (act->type == WIRE_LOAD && reason == REASON_KEY_UNKNOWN) {
		/* The door knows the key is there, so our view is stale. */
		w->distrusted = true;
		reason = REASON_AWAY;
	}
	return reason;
}

static bool
reply(struct worker *w, const struct act *act)
{
	const struct wire_blob blob = { .id = act->key.id,
		.alg = act->blob.alg,
		.blob = { act->blob.at, act->blob.len },
		.spki = { act->blob.spki, act->blob.spki_len } };

	switch (acts[act->type].reply) {
	case REPLY_NONE:
		return true;
	case REPLY_NUMBER:
		return wire_put_number(&w->out, act->number);
	case REPLY_KEY:
		return wire_put_key(&w->out, &act->key);
	case REPLY_KEY_NUMBER:
		return wire_put_key(&w->out, &act->key) &&
		       wire_put_number(&w->out, act->number);
	case REPLY_BLOB:
		return wire_put_key(&w->out, &act->key) &&
		       wire_put_blob(&w->out, &blob);
	}
	return false;
}

static enum reason
learn_one(struct worker *w, const struct wire_blob *blob)
{
	CK_OBJECT_HANDLE private = CK_INVALID_HANDLE;
	enum reason reason;

	if (w->state != WIRE_READY || !w->is_wrapped_pool)
		return REASON_AWAY;
	if (keys_get(w->keys, &blob->id) != NULL)
		return REASON_OK;
	reason = wrapped_open(&w->token, &w->wrapped, blob, &private);
	if (reason != REASON_OK)
		return reason;
	reason = keys_put_unwrapped(
	    w->keys, &w->token, &blob->id, blob->alg, private);
	if (reason != REASON_OK)
		(void)w->token.p11->C_DestroyObject(w->token.anchor, private);
	return reason;
}

static bool
learn(struct worker *w, uint32_t count, struct bytes body)
{
	struct wire_blob blob;

	for (uint32_t i = 0; i < count; i++) {
		enum reason reason;

		if (!wire_take_blob(&body, &blob))
			return false;
		reason = learn_one(w, &blob);
		/* Its objects may be gone though its session answers. */
		if (reason_is_of_lane(reason))
			w->distrusted = true;
		worker_note(w, reason);
		if (!wire_put_number(&w->out, reason) ||
		    !wire_put_number(
			&w->out, reason == REASON_OK ? 0 : w->token.detail))
			return false;
		w->token.detail = 0;
	}
	wire_head_of(&w->out)->count = count;
	return body.len == 0;
}

bool
worker_manage(struct worker *w, const struct wire_head *head, struct bytes body)
{
	struct act act = { .type = (enum wire_type)head->type };
	enum reason reason;

	if (head->type == WIRE_LEARN)
		return learn(w, head->count, body);
	assert(head->type < WIRE_END_);
	if (acts[act.type].serve == NULL || !take(body, &act))
		return false;
	reason = serve(w, &act);
	worker_note(w, reason);
	wire_head_of(&w->out)->reason = reason;
	wire_head_of(&w->out)->detail =
	    reason == REASON_OK ? 0 : w->token.detail;
	w->token.detail = 0;
	return reason != REASON_OK || reply(w, &act);
}
