/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The door's part in wrapping: keys that come in under a wrapping key, and keys
 * that are kept outside under the key encryption key.  What passes here is
 * wrapped; the door cannot open it, and only looks at lengths and at public
 * keys.
 */

#include <string.h>

#include "hsm/manage.h"

/* What no worker need be asked about. */
static STATUS
check(const struct hsm_import *import)
{
	if (import->spki.len > HSM_SPKI_MAX ||
	    key_alg_of_spki(import->spki) == KEY_ALG_NONE)
		return reason_status(REASON_IMPORT_SPKI, 0);
	if (import->blob.len == 0 || import->blob.len > HSM_BLOB_MAX)
		return reason_status(REASON_IMPORT_BLOB, 0);
	return status_ok();
}

STATUS
hsm_wrapping_key(struct hsm *hsm, const char *label, int64_t deadline_ns,
    struct hsm_wrapping *ret_wrapping)
{
	struct manage_ask ask = { .type = WIRE_WRAPPING,
		.query = { .deadline_ns = deadline_ns } };
	struct manage_reply reply;
	struct status st = manage_label(label, &ask.query);

	if (!failed(st))
		st = manage_run(hsm, &ask, &reply);
	if (failed(st))
		return st;
	ret_wrapping->id = reply.key.id;
	ret_wrapping->spki_len = reply.key.spki_len;
	memcpy(ret_wrapping->spki, reply.key.spki, reply.key.spki_len);
	ret_wrapping->oaep_sha256 = reply.number == 1;
	return st;
}

STATUS
hsm_unwrap(struct hsm *hsm, const struct hsm_import *import,
    int64_t deadline_ns, struct hsm_key *ret_key)
{
	struct manage_ask ask = { .type = WIRE_UNWRAP,
		.query = { .id = import->wrapping, .deadline_ns = deadline_ns },
		.import = import };
	struct manage_reply reply;
	struct status st = check(import);

	if (!failed(st))
		st = manage_label(import->label, &ask.query);
	if (!failed(st))
		st = manage_run_key(hsm, &ask, &reply);
	if (!failed(st))
		*ret_key = reply.key;
	return st;
}

STATUS
hsm_unwraps(struct hsm *hsm, int64_t deadline_ns, unsigned *ret_algorithms)
{
	const struct manage_ask ask = { .type = WIRE_UNWRAPS,
		.query = { .deadline_ns = deadline_ns } };
	unsigned known = atomic_load(&hsm->unwraps);
	struct manage_reply reply;
	struct status st = status_ok();

	/* A token does not change its mind, and to ask it takes a while. */
	if ((known & HSM_UNWRAPS_KNOWN) == 0) {
		st = manage_run(hsm, &ask, &reply);
		if (failed(st))
			return st;
		known = reply.number | HSM_UNWRAPS_KNOWN;
		atomic_store(&hsm->unwraps, known);
	}
	*ret_algorithms = known & ~HSM_UNWRAPS_KNOWN;
	return st;
}

STATUS
hsm_kek(struct hsm *hsm, int64_t deadline_ns)
{
	const struct manage_ask ask = { .type = WIRE_KEK,
		.query = { .deadline_ns = deadline_ns } };
	struct manage_reply reply;

	return manage_run(hsm, &ask, &reply);
}

static STATUS
run_wrapped(struct hsm *hsm, const struct manage_ask *ask,
    struct hsm_key *ret_key, struct hsm_blob *ret_blob)
{
	struct manage_reply reply;
	struct status st = manage_run(hsm, ask, &reply);

	if (failed(st))
		return st;
	*ret_key = reply.key;
	*ret_blob = reply.blob;
	return st;
}

/* As manage_run, and notes which lane it was. */
static STATUS
run_kept(struct hsm *hsm, const struct manage_ask *ask, struct hsm_key *ret_key,
    struct hsm_blob *ret_blob)
{
	struct status st = manage_begin(hsm, ask->query.deadline_ns);
	struct manage_reply reply;
	struct lane *lane = NULL;

	if (failed(st))
		return st;
	st = manage_one(hsm, ask, &reply, &lane);
	if (!failed(st))
		births_add(&hsm->births, &reply.key.id, lane->index);
	manage_end(hsm);
	if (failed(st))
		return st;
	*ret_key = reply.key;
	*ret_blob = reply.blob;
	return st;
}

STATUS
hsm_generate_wrapped(struct hsm *hsm, enum key_alg alg, bool keeps,
    int64_t deadline_ns, struct hsm_key *ret_key, struct hsm_blob *ret_blob)
{
	const struct manage_ask ask = { .type = keeps ? WIRE_GENERATE_KEPT
						      : WIRE_GENERATE_WRAPPED,
		.query = { .alg = alg, .deadline_ns = deadline_ns } };

	if (key_alg_name(alg) == NULL)
		return reason_status(REASON_MECHANISM, 0);
	return keeps ? run_kept(hsm, &ask, ret_key, ret_blob)
		     : run_wrapped(hsm, &ask, ret_key, ret_blob);
}

STATUS
hsm_unwrap_wrapped(struct hsm *hsm, const struct hsm_import *import,
    int64_t deadline_ns, struct hsm_key *ret_key, struct hsm_blob *ret_blob)
{
	const struct manage_ask ask = { .type = WIRE_UNWRAP_WRAPPED,
		.query = { .id = import->wrapping, .deadline_ns = deadline_ns },
		.import = import };
	struct status st = check(import);

	if (failed(st))
		return st;
	return run_wrapped(hsm, &ask, ret_key, ret_blob);
}
