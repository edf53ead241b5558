/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The identity CA's worker: a process of its own, one thread, one request at a
 * time on fd 3.  It alone reads the PIN of the identity token and it alone uses
 * libp11, because X509_sign wants an EVP_PKEY that lives in the token.  What it
 * cannot mend it does not try to: once a token operation has failed it says so
 * and ends, and the front starts another, since libp11 keeps stale sessions and
 * can hang on them.  Read hsm_ca_worker_main first.
 */

#include <errno.h>
#include <libp11.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <p11-kit/pkcs11.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/process.h"
#include "base/sandbox.h"
#include "base/scoped.h"
#include "base/secret.h"
#include "hsm/ca_wire.h"
#include "hsm/confine.h"

/* Never released: the process ends with it, and libp11's clean-up calls into
 * a module that may be gone. */
struct worker {
	PKCS11_CTX *ctx;
	PKCS11_SLOT *slots;
	unsigned n_slots;
	EVP_PKEY *key; /* NULL until OPEN has worked */
};

/* The first error that the module or libp11 left behind: a CK_RV. */
static uint32_t
last_rv(void)
{
	return (uint32_t)ERR_GET_REASON(ERR_peek_error());
}

static enum ca_why
login(PKCS11_SLOT *slot, const char *pin_file, uint32_t *ret_detail)
{
	scoped(secret_free) struct secret *file = NULL;
	scoped(secret_free) struct secret *pin = NULL;
	struct status st = secret_from_file(pin_file, &file);

	if (failed(st)) {
		*ret_detail = st.detail;
		return CA_WHY_PIN_FILE;
	}
	/* libp11 wants a C string. */
	pin = secret_new(secret_bytes(file).len + 1);
	if (pin == NULL)
		return CA_WHY_INTERNAL;
	memcpy(secret_at(pin), secret_at(file), secret_bytes(file).len);
	ERR_clear_error();
	if (PKCS11_login(slot, 0, (const char *)secret_at(pin)) == 0)
		return CA_OK;
	*ret_detail = last_rv();
	if (*ret_detail >= CKR_PIN_INCORRECT && *ret_detail <= CKR_PIN_LOCKED)
		return CA_WHY_PIN_REFUSED;
	return CA_WHY_TOKEN;
}

static PKCS11_SLOT *
find_slot(const struct worker *worker, const char *label)
{
	for (unsigned i = 0; i < worker->n_slots; i++) {
		const PKCS11_TOKEN *token = worker->slots[i].token;

		if (token != NULL && token->initialized &&
		    token->label != NULL && strcmp(token->label, label) == 0)
			return &worker->slots[i];
	}
	return NULL;
}

static enum ca_why
find_key(struct worker *worker, PKCS11_SLOT *slot, uint32_t *ret_detail)
{
	PKCS11_KEY *keys;
	unsigned n;

	ERR_clear_error();
	if (PKCS11_enumerate_keys(slot->token, &keys, &n) != 0) {
		/* Without an error: a key of a kind libp11 does not know. */
		*ret_detail = last_rv();
		return *ret_detail == 0 ? CA_WHY_KEY_KIND : CA_WHY_TOKEN;
	}
	for (unsigned i = 0; i < n; i++) {
		if (keys[i].label == NULL || strcmp(keys[i].label, "ca") != 0)
			continue;
		worker->key = PKCS11_get_private_key(&keys[i]);
		if (worker->key == NULL ||
		    EVP_PKEY_get_base_id(worker->key) != EVP_PKEY_EC)
			return CA_WHY_KEY_KIND;
		return CA_OK;
	}
	return CA_WHY_KEY_ABSENT;
}

static enum ca_why
open_token(struct worker *worker, const struct ca_wire_config *config,
    uint32_t *ret_detail)
{
	scoped(close) int lock = ca_lock(config->lock_file);
	PKCS11_SLOT *slot;
	enum ca_why why;

	if (lock < 0) {
		*ret_detail = (uint32_t)errno;
		return CA_WHY_LOCK;
	}
	ERR_clear_error();
	worker->ctx = PKCS11_CTX_new();
	if (worker->ctx == NULL)
		return CA_WHY_INTERNAL;
	if (PKCS11_CTX_load(worker->ctx, config->module) != 0) {
		*ret_detail = last_rv();
		return access(config->module, R_OK) != 0 ? CA_WHY_MODULE
							 : CA_WHY_TOKEN;
	}
	if (PKCS11_enumerate_slots(
		worker->ctx, &worker->slots, &worker->n_slots) != 0) {
		*ret_detail = last_rv();
		return CA_WHY_TOKEN;
	}
	slot = find_slot(worker, config->token_label);
	if (slot == NULL)
		return CA_WHY_TOKEN_ABSENT;
	why = login(slot, config->pin_file, ret_detail);
	if (why == CA_OK)
		why = find_key(worker, slot, ret_detail);
	if (why == CA_OK)
		confine_seal();
	return why;
}

/* Of a front that was taken over: another module, token or PIN. */
static bool
is_allowed(const struct ca_wire_config *config)
{
	return confine_allows(config->module, config->token_label,
	    config->pin_file, config->lock_file);
}

static enum ca_why
serve(struct worker *worker, const struct ca_request *request,
    struct ca_reply *reply)
{
	const struct ca_wire_config *config = &request->config;

	switch ((enum ca_op)request->op) {
	case CA_OP_CREATE:
		reply->ends = 1;
		if (worker->ctx != NULL || !is_allowed(config))
			break;
		return ca_create_key(config, &reply->detail);
	case CA_OP_OPEN:
		if (worker->ctx != NULL || !is_allowed(config))
			break;
		return open_token(worker, config, &reply->detail);
	case CA_OP_ROOT:
		if (worker->key == NULL)
			break;
		return ca_cert_root(worker->key, request->identity.domain,
		    request->lifetime_s, &reply->cert);
	case CA_OP_CERTIFY:
		if (worker->key == NULL || request->issuer_len > HSM_CERT_MAX ||
		    request->spki_len > CA_WIRE_SPKI_MAX)
			break;
		return ca_cert_issue(worker->key,
		    (struct bytes){ request->issuer, request->issuer_len },
		    (struct bytes){ request->spki, request->spki_len },
		    &request->identity, request->lifetime_s, &reply->cert);
	}
	return CA_WHY_PROTOCOL;
}

/* After these the worker is as good as before; after all others it ends. */
static bool
goes_on(enum ca_why why)
{
	return why == CA_OK || why == CA_WHY_ISSUER ||
	       why == CA_WHY_ISSUER_EXPIRED || why == CA_WHY_SUBJECT_KEY ||
	       why == CA_WHY_NAME;
}

int
hsm_ca_worker_main(void)
{
	static struct ca_request request;
	static struct ca_reply reply;
	static struct worker worker;

	/* Should the front's end of the socket outlive it in some other
	 * process, this still ends the worker. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || failed(process_harden()) ||
	    failed(confine_begin()))
		return EXIT_FAILURE;
	for (;;) {
		ssize_t n = recv(CA_WIRE_FD, &request, sizeof(request), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(request) ||
		    request.magic != CA_WIRE_MAGIC)
			_exit(n == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
		memset(&reply, 0, sizeof(reply));
		reply.magic = CA_WIRE_MAGIC;
		reply.why = (uint32_t)serve(&worker, &request, &reply);
		if (reply.why == CA_WHY_SIGN)
			reply.detail = last_rv();
		if (!goes_on((enum ca_why)reply.why))
			reply.ends = 1;
		(void)sandbox_log_refused();
		n = send(CA_WIRE_FD, &reply, sizeof(reply), MSG_NOSIGNAL);
		if (n != (ssize_t)sizeof(reply) || reply.ends != 0)
			/* Without the exit handlers of libraries. */
			_exit(n < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	}
}
