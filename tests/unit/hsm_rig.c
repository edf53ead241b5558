/* SPDX-License-Identifier: Apache-2.0 */

/* A pool on a real token, for tests of the hsm room: see hsm_rig.h. */

#include "tests/unit/hsm_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/clock.h"

static const char *const worker_argv[] = { "/proc/self/exe", "worker", NULL };
static const char *const worker_env[] = { "P11_FAULT_MODULE",
	"P11_FAULT_SCRIPT", NULL };

static void
die(const char *what, struct status st)
{
	fprintf(stderr, "%s: %s (%s, 0x%x)\n", what, st.why,
	    status_name(st.code), st.detail);
	abort();
}

void
rig_worker(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "worker") == 0)
		exit(hsm_worker_main());
}

void
rig_init(struct rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	softhsm_init(&rig->token, RIG_LABEL);
	rig->config = (struct hsm_config){
		.pool = "test",
		.module = SOFTHSM_MODULE,
		.token_label = RIG_LABEL,
		.pin_file = rig->token.pin_file,
		.lock_file = rig->token.lock_file,
		.workers = 2,
		.session_copies = true,
		.worker_argv = worker_argv,
		.worker_env = worker_env,
	};
}

void
rig_script(struct rig *rig, const char *script)
{
	char beside[SOFTHSM_PATH_MAX];

	softhsm_file(&rig->token, "script.new", script, beside);
	if (rename(beside, rig->script) != 0)
		abort();
}

void
rig_init_faulty(struct rig *rig, const char *script)
{
	rig_init(rig);
	snprintf(rig->script, sizeof(rig->script), "%.200s/script",
	    rig->token.folder);
	rig_script(rig, script);
	setenv("P11_FAULT_MODULE", SOFTHSM_MODULE, 1);
	setenv("P11_FAULT_SCRIPT", rig->script, 1);
	rig->config.module = P11_FAULT_MODULE;
}

unsigned
rig_counted(struct rig *rig)
{
	char path[2 * SOFTHSM_PATH_MAX];
	struct stat st;

	/* One octet a call. */
	snprintf(path, sizeof(path), "%s.count", rig->script);
	return stat(path, &st) == 0 ? (unsigned)st.st_size : 0;
}

/* Lanes in a state; the last lane that is not, or else the last. */
static unsigned
count_in(struct rig *rig, const char *state, struct hsm_lane_status *ret_lane)
{
	struct hsm_lane_status lane;
	unsigned n = 0;

	for (unsigned i = 0; i < hsm_lanes(rig->hsm); i++) {
		hsm_lane_status(rig->hsm, i, &lane);
		n += strcmp(lane.state, state) == 0;
		if (i == 0 || strcmp(lane.state, state) != 0 ||
		    n == hsm_lanes(rig->hsm))
			*ret_lane = lane;
	}
	return n;
}

static void
await(struct rig *rig, const char *state, unsigned n,
    struct hsm_lane_status *ret_lane)
{
	int64_t until = clock_mono_ns() + RIG_WAIT_NS;

	while (count_in(rig, state, ret_lane) < n) {
		if (clock_mono_ns() > until) {
			fprintf(stderr, "lane: %s, not %s: %s (0x%x)\n",
			    ret_lane->state, state, ret_lane->why,
			    ret_lane->detail);
			abort();
		}
		usleep(2000);
	}
}

void
rig_wait_ready(struct rig *rig, unsigned ready)
{
	struct hsm_lane_status lane;

	await(rig, "ready", ready, &lane);
}

void
rig_await_state(
    struct rig *rig, const char *state, struct hsm_lane_status *ret_last)
{
	await(rig, state, hsm_lanes(rig->hsm), ret_last);
}

unsigned
rig_restarts(struct rig *rig)
{
	struct hsm_lane_status lane;
	unsigned n = 0;

	for (unsigned i = 0; i < hsm_lanes(rig->hsm); i++) {
		hsm_lane_status(rig->hsm, i, &lane);
		n += lane.restarts;
	}
	return n;
}

void
rig_open(struct rig *rig, unsigned ready)
{
	struct status st = hsm_open(&rig->config, &rig->hsm);

	if (failed(st))
		die("hsm_open", st);
	rig_wait_ready(rig, ready);
}

void
rig_done(struct rig *rig)
{
	hsm_close(rig->hsm);
	softhsm_done(&rig->token);
	unsetenv("P11_FAULT_SCRIPT");
}

int64_t
rig_deadline(int64_t ms)
{
	return clock_mono_ns() + ms * NS_PER_MS;
}

void
rig_generate(struct rig *rig, enum key_alg alg, const char *label,
    struct hsm_key *ret_key)
{
	struct status st =
	    hsm_generate(rig->hsm, alg, label, rig_deadline(60000), ret_key);

	if (failed(st))
		die("hsm_generate", st);
}

static const EVP_MD *
md_of(enum sign_scheme scheme)
{
	switch (sign_scheme_info(scheme)->hash) {
	case SIGN_HASH_SHA256:
		return EVP_sha256();
	case SIGN_HASH_SHA384:
		return EVP_sha384();
	case SIGN_HASH_SHA512:
		return EVP_sha512();
	default:
		return NULL;
	}
}

void
rig_op(
    const struct hsm_key *key, enum sign_scheme scheme, struct rig_op *ret_op)
{
	const EVP_MD *md = md_of(scheme);
	unsigned len = 0;

	memset(ret_op, 0, sizeof(*ret_op));
	RAND_bytes(ret_op->content, sizeof(ret_op->content));
	ret_op->op.key = key->id;
	ret_op->op.scheme = scheme;
	ret_op->op.deadline_ns = rig_deadline(30000);
	ret_op->op.input =
	    (struct bytes){ ret_op->content, sizeof(ret_op->content) };
	if (md == NULL)
		return;
	if (EVP_Digest(ret_op->content, sizeof(ret_op->content), ret_op->digest,
		&len, md, NULL) != 1)
		abort();
	ret_op->op.input = (struct bytes){ ret_op->digest, len };
}

bool
rig_verifies(const struct hsm_key *key, const struct rig_op *op)
{
	const uint8_t *spki = key->spki;
	EVP_PKEY *pkey = d2i_PUBKEY(NULL, &spki, (long)key->spki_len);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	bool ok;

	ok = pkey != NULL && !failed(op->op.status) &&
	     EVP_DigestVerifyInit(
		 ctx, &pctx, md_of(op->op.scheme), NULL, pkey) == 1;
	if (ok && sign_scheme_info(op->op.scheme)->padding == SIGN_PADDING_PSS)
		ok = EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) >
			 0 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(
			 pctx, RSA_PSS_SALTLEN_DIGEST) > 0;
	ok = ok &&
	     EVP_DigestVerify(ctx, op->op.signature.at, op->op.signature.len,
		 op->content, sizeof(op->content)) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	return ok;
}

struct status
rig_sign(struct rig *rig, const struct hsm_key *key, enum sign_scheme scheme)
{
	struct rig_op op;

	rig_op(key, scheme, &op);
	hsm_sign(rig->hsm, &op.op, 1);
	if (!failed(op.op.status) && !rig_verifies(key, &op))
		return status_fail(STATUS_DATA_LOSS, "it does not verify");
	return op.op.status;
}
