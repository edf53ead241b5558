/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_HSM_H
#define HSM_HSM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/metrics.h"
#include "base/signing.h"
#include "base/status.h"

/*
 * The one door to private keys.  A pool is one token served by one or more
 * worker processes (lanes); the PKCS#11 module is loaded, and the PIN read, in
 * the workers only.  No call returns private key octets.  All calls may be made
 * from any thread.
 */
struct hsm;

#define HSM_SPKI_MAX 1024
/* An RSA-4096 PKCS#8 key, wrapped, and the RSA-wrapped AES key before it. */
#define HSM_BLOB_MAX 4096

/* A private key wrapped under the token's key encryption key (RFC 5649). */
struct hsm_blob {
	enum key_alg alg;
	size_t spki_len;
	uint8_t spki[HSM_SPKI_MAX]; /* of the key inside; checked on unwrap */
	size_t len;
	uint8_t at[HSM_BLOB_MAX];
};

struct hsm_config {
	const char *pool;        /* name for logs and metrics, "standard" */
	const char *module;      /* path of the PKCS#11 module */
	const char *token_label; /* CKA_LABEL of the token, at most 32 octets */
	const char *pin_file;    /* read by each worker itself */
	unsigned workers;        /* 1..64 */
	bool session_copies;     /* sign with session-object copies if it can */
	/*
	 * Wrapped key store: keys are kept outside the token as blobs under its
	 * key encryption key, "kek", and unwrapped into session objects of a
	 * worker when they are signed with.  blob fetches one, on any thread of
	 * the door, not blocking for long; NOT_FOUND when there is none.  NULL:
	 * keys are token objects.
	 */
	struct status (*blob)(
	    void *ctx, const struct key_id *id, struct hsm_blob *ret_blob);
	void *blob_ctx;
	/* Unwrapped keys a worker holds, 16 at least; 0: 10,000. */
	unsigned cache;
	/*
	 * Serialises C_Initialize..C_Login between worker processes; made if
	 * missing.  Same token, same file.
	 */
	const char *lock_file;
	/* argv of a worker, NULL-terminated; fd 3 will be its lane.  For keyd
	 * { "/proc/self/exe", "worker", NULL }. */
	const char *const *worker_argv;
	/* Names of environment variables the module needs, NULL-terminated;
	 * workers get these and SOFTHSM2_CONF, CREDENTIALS_DIRECTORY and the
	 * sanitizers' alone.  May be NULL. */
	const char *const *worker_env;
	/* Longest a batch may take before its worker counts as hung and is
	 * killed; 0 is 10 s. */
	int64_t sign_limit_ns;
	struct metrics *metrics; /* may be NULL */
	/* Called, on a thread of the pool, when a lane's state may have
	 * changed: for the log.  hsm_lane_status may be called in it, hsm_close
	 * not.  It may come before hsm_open has returned.  May be NULL. */
	void (*lane_changed)(void *ctx, const struct hsm *hsm, unsigned lane);
	void *lane_changed_ctx;
};

/*
 * Start the workers.  Returns at once when they run; a token that is missing or
 * slow is probed in the background (see hsm_lane_status).  Strings are copied.
 */
STATUS hsm_open(const struct hsm_config *config, struct hsm **ret_hsm);
/* Stops the workers; no call may be in progress.  NULL is allowed. */
void hsm_close(struct hsm *hsm);

/* Wait until at least one lane is ready, or fail with what the lanes say. */
STATUS hsm_wait_ready(struct hsm *hsm, int64_t timeout_ns);

/* One signature of a batch. */
struct hsm_op {
	struct key_id key;
	enum sign_scheme scheme;
	/* The digest of the scheme's hash; for Ed25519 the content itself. */
	struct bytes input;
	int64_t deadline_ns; /* monotonic; expired ops do not reach the token */
	struct status status;
	struct signature signature; /* valid when status is OK */
};

#define HSM_BATCH_MAX 64

/*
 * Sign a batch of n <= HSM_BATCH_MAX: takes one idle lane, blocks until every
 * op has its status, which may differ.  Ops whose worker died, or whose token
 * went away and came back, are tried again on a lane that is ready, within
 * their deadlines.  UNAVAILABLE at once when no lane can serve.
 */
void hsm_sign(struct hsm *hsm, struct hsm_op *ops, size_t n);

/*
 * hsm_sign, and meanwhile(ctx) once on this thread: as soon as a worker has
 * been handed ops, so that both go on side by side; at the latest before this
 * returns.  n may be 0.  The lane stays taken until meanwhile is done.
 */
void hsm_sign_while(struct hsm *hsm, struct hsm_op *ops, size_t n,
    void (*meanwhile)(void *ctx), void *ctx);

/* How many ops a batch should hold now: follows the token's measured speed. */
size_t hsm_batch_hint(const struct hsm *hsm);
/* Lanes of the pool. */
unsigned hsm_lanes(const struct hsm *hsm);

#define HSM_LABEL_MAX 64

/* A key pair as the token reports it. */
struct hsm_key {
	struct key_id id;
	enum key_alg alg;
	char label[HSM_LABEL_MAX];
	size_t spki_len;
	uint8_t spki[HSM_SPKI_MAX]; /* DER SubjectPublicKeyInfo */
	bool sensitive, extractable, always_sensitive, never_extractable, local;
};

/*
 * Make a key pair in the token, CKA_ID its key id; its attributes are read back
 * and a signature is verified before it is reported; all lanes know it when
 * this returns.  A key that turns out extractable is destroyed and refused.
 * ALREADY_EXISTS when the label is taken.  After DEADLINE_EXCEEDED or
 * UNAVAILABLE the key may exist all the same: hsm_find_label tells.
 */
STATUS hsm_generate(struct hsm *hsm, enum key_alg alg, const char *label,
    int64_t deadline_ns, struct hsm_key *ret_key);

/*
 * Search the token itself: NOT_FOUND when it has no such private key.  A key
 * that is found, even one made elsewhere, is known to all lanes on return.
 */
STATUS hsm_find(struct hsm *hsm, const struct key_id *id, int64_t deadline_ns,
    struct hsm_key *ret_key);
STATUS hsm_find_label(struct hsm *hsm, const char *label, int64_t deadline_ns,
    struct hsm_key *ret_key);

/*
 * Stop using a key, without harm to it: it is refused (NOT_FOUND) from now on,
 * and when this returns every lane has destroyed its copies of it; a lane that
 * cannot say so is ended.  Until hsm_find names it again, or, in a wrapped
 * pool, hsm_allow.  The next hsm_open knows it again: who suspends a key must
 * not ask for it either.
 */
STATUS hsm_forget(
    struct hsm *hsm, const struct key_id *id, int64_t deadline_ns);
STATUS hsm_allow(struct hsm *hsm, const struct key_id *id, int64_t deadline_ns);

/* hsm_forget, then destroy the pair in the token.  OK when it was gone. */
STATUS hsm_destroy(
    struct hsm *hsm, const struct key_id *id, int64_t deadline_ns);

/* The public half of an RSA-3072 wrapping key in the token. */
struct hsm_wrapping {
	struct key_id id;
	size_t spki_len;
	uint8_t spki[HSM_SPKI_MAX];
	bool oaep_sha256; /* else SHA-1, where the token has nothing else */
};

/*
 * The wrapping key of this label; made if it is not there: it can unwrap and
 * do nothing else (no decrypt, no sign), and what it unwraps is sensitive and
 * not extractable where the token has CKA_UNWRAP_TEMPLATE.  Removed with
 * hsm_destroy.
 */
STATUS hsm_wrapping_key(struct hsm *hsm, const char *label, int64_t deadline_ns,
    struct hsm_wrapping *ret_wrapping);

/*
 * Import: blob is RSA-OAEP(AES-256 key) || AES-KWP(PKCS#8), under the wrapping
 * key.  The key becomes a token object with this label, sensitive and never
 * extractable; it signs a challenge that is verified with spki; attributes are
 * read back; all lanes know it when this returns.  INVALID_ARGUMENT: the blob
 * is damaged, under another wrapping key, not of the spki, or of an algorithm
 * the token cannot unwrap; nothing of it stays in the token.  ALREADY_EXISTS:
 * the key, or its label, is in the token.  After DEADLINE_EXCEEDED or
 * UNAVAILABLE the key may exist all the same: hsm_find_label tells.
 */
struct hsm_import {
	struct key_id wrapping;
	const char *label;
	struct bytes blob;
	struct bytes spki;
};
STATUS hsm_unwrap(struct hsm *hsm, const struct hsm_import *import,
    int64_t deadline_ns, struct hsm_key *ret_key);

/* Of algorithms, bit (1 << enum key_alg): those the token can unwrap. */
STATUS hsm_unwraps(
    struct hsm *hsm, int64_t deadline_ns, unsigned *ret_algorithms);

/*
 * Wrapped pools.  The key encryption key, AES-256, made if it is not there:
 * wraps and unwraps, never leaves.  hsm_generate_wrapped makes a pair as
 * session objects, wraps it and keeps nothing; with keeps the lane that made it
 * holds what it unwrapped to try it, as it would after a first signature, for
 * who is going to sign with it at once.  hsm_unwrap_wrapped takes an
 * import there in the same way (label is not used).  ret_key.extractable says
 * what the token says of the key as lanes will hold it: false.
 */
STATUS hsm_kek(struct hsm *hsm, int64_t deadline_ns);
STATUS hsm_generate_wrapped(struct hsm *hsm, enum key_alg alg, bool keeps,
    int64_t deadline_ns, struct hsm_key *ret_key, struct hsm_blob *ret_blob);
STATUS hsm_unwrap_wrapped(struct hsm *hsm, const struct hsm_import *import,
    int64_t deadline_ns, struct hsm_key *ret_key, struct hsm_blob *ret_blob);

struct hsm_lane_status {
	const char *state; /* "ready", "probing", "starting", "pin-refused" */
	const char *why;   /* static text; "" when ready */
	uint32_t detail;   /* CK_RV or errno behind why */
	int pid;
	unsigned restarts;
	uint64_t signatures;
	unsigned keys;
};
void hsm_lane_status(
    const struct hsm *hsm, unsigned lane, struct hsm_lane_status *ret_status);

/* The worker's main, on fd 3.  Returns the exit code. */
int hsm_worker_main(void);

#endif
