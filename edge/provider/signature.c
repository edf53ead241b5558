/* SPDX-License-Identifier: Apache-2.0 */

/*
 * SIGNATURE for RSA, ECDSA and ED25519.  Signing sends the whole content away:
 * libssl hands it over in one piece, and what comes in pieces (update, final)
 * is collected up to SIGN_CONTENT_MAX.  A question for the size of a signature
 * is answered here.  Refuses to sign a bare digest, whose meaning nobody could
 * check, and whatever has no TLS SignatureScheme.
 */

#include "edge/provider/signature.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include "edge/provider/ask.h"
#include "edge/provider/reason.h"

#define CONTENT_FIRST 512

static void
drop_verifier(struct operation *op)
{
	EVP_MD_CTX_free(op->digest);
	EVP_PKEY_CTX_free(op->plain);
	op->digest = NULL;
	op->plain = NULL;
	op->verifier = NULL;
}

bool
operation_begin(struct operation *op, struct key *key)
{
	if (key != NULL) {
		if (key->type != op->type)
			return false;
		key_ref(key);
		key_unref(op->key);
		op->key = key;
	}
	if (op->key == NULL || op->key->pub == NULL)
		return false;
	drop_verifier(op);
	op->content_len = 0;
	op->wish = (struct scheme_wish){
		.padding = op->type == KEY_RSA ? SIGN_PADDING_PKCS1
					       : SIGN_PADDING_NONE,
		.salt = SALT_DIGEST,
	};
	return true;
}

static void *
new_operation(void *provctx, enum key_type type)
{
	struct operation *op = calloc(1, sizeof(*op));

	if (op != NULL) {
		op->prov = provctx;
		op->type = type;
	}
	return op;
}

static void *
new_rsa(void *provctx, const char *properties)
{
	(void)properties;
	return new_operation(provctx, KEY_RSA);
}

static void *
new_ec(void *provctx, const char *properties)
{
	(void)properties;
	return new_operation(provctx, KEY_EC);
}

static void *
new_ed25519(void *provctx, const char *properties)
{
	(void)properties;
	return new_operation(provctx, KEY_ED25519);
}

static void
free_operation(void *ctx)
{
	struct operation *op = ctx;

	if (op == NULL)
		return;
	drop_verifier(op);
	key_unref(op->key);
	free(op->content);
	free(op);
}
SCOPED_RELEASE(free_operation, struct operation *);

static bool
copy_verifier(struct operation *to, const struct operation *from)
{
	if (from->plain != NULL) {
		to->plain = EVP_PKEY_CTX_dup(from->plain);
		to->verifier = to->plain;
		return to->plain != NULL;
	}
	if (from->digest == NULL)
		return true;
	to->digest = EVP_MD_CTX_new();
	if (to->digest == NULL ||
	    EVP_MD_CTX_copy_ex(to->digest, from->digest) != 1)
		return false;
	to->verifier = EVP_MD_CTX_get_pkey_ctx(to->digest);
	return true;
}

static void *
dup_operation(void *ctx)
{
	const struct operation *from = ctx;
	scoped(free_operation) struct operation *to =
	    new_operation(from->prov, from->type);
	struct operation *made;

	if (to == NULL || !copy_verifier(to, from))
		return NULL;
	to->key = from->key != NULL ? key_ref(from->key) : NULL;
	to->wish = from->wish;
	if (from->content_len > 0) {
		to->content = malloc(from->content_len);
		if (to->content == NULL)
			return NULL;
		memcpy(to->content, from->content, from->content_len);
		to->content_len = from->content_len;
		to->content_size = from->content_len;
	}
	made = to;
	to = NULL;
	return made;
}

static bool
set_hash(const struct prov *prov, const char *name, enum sign_hash *ret_hash)
{
	if (scheme_hash(name, ret_hash))
		return true;
	reason_raise(prov, REASON_NO_SCHEME, "digest %.32s", name);
	return false;
}

static bool
set_hash_param(
    const struct prov *prov, const OSSL_PARAM *p, enum sign_hash *ret_hash)
{
	const char *name;

	return OSSL_PARAM_get_utf8_string_ptr(p, &name) == 1 &&
	       set_hash(prov, name, ret_hash);
}

static bool
set_padding(struct operation *op, const OSSL_PARAM *p)
{
	const char *name;
	int mode = 0;

	if (p->data_type == OSSL_PARAM_UTF8_STRING) {
		if (OSSL_PARAM_get_utf8_string_ptr(p, &name) != 1)
			return false;
		if (strcasecmp(name, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0)
			mode = RSA_PKCS1_PADDING;
		else if (strcasecmp(name, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0)
			mode = RSA_PKCS1_PSS_PADDING;
	} else if (OSSL_PARAM_get_int(p, &mode) != 1) {
		return false;
	}
	if (mode == RSA_PKCS1_PADDING) {
		op->wish.padding = SIGN_PADDING_PKCS1;
	} else if (mode == RSA_PKCS1_PSS_PADDING) {
		op->wish.padding = SIGN_PADDING_PSS;
	} else {
		reason_raise(op->prov, REASON_NO_SCHEME,
		    "RSA signs with PKCS #1 v1.5 or PSS padding");
		return false;
	}
	return true;
}

static bool
set_salt(struct operation *op, const OSSL_PARAM *p)
{
	const char *text;
	char *end;
	int salt = 0;

	if (p->data_type != OSSL_PARAM_UTF8_STRING) {
		if (OSSL_PARAM_get_int(p, &salt) != 1)
			return false;
	} else if (OSSL_PARAM_get_utf8_string_ptr(p, &text) != 1) {
		return false;
	} else if (strcmp(text, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0) {
		salt = RSA_PSS_SALTLEN_DIGEST;
	} else {
		long n = strtol(text, &end, 10);

		salt = end != text && *end == '\0' && n >= 0 && n <= 1024
			   ? (int)n
			   : RSA_PSS_SALTLEN_AUTO;
	}
	/* The most that fits, or as found: no scheme has that; told by sign. */
	op->wish.salt = salt == RSA_PSS_SALTLEN_DIGEST ? (int)SALT_DIGEST
			: salt >= 0                    ? salt
						       : (int)SALT_OTHER;
	return true;
}

static int
set_params(void *ctx, const OSSL_PARAM params[])
{
	struct operation *op = ctx;
	const OSSL_PARAM *p;

	if (params == NULL)
		return 1;
	if (op->verifier != NULL)
		return EVP_PKEY_CTX_set_params(op->verifier, params);
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_DIGEST);
	if (p != NULL && !set_hash_param(op->prov, p, &op->wish.hash))
		return 0;
	if (op->type != KEY_RSA)
		return 1;
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
	if (p != NULL && !set_padding(op, p))
		return 0;
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
	if (p != NULL && !set_salt(op, p))
		return 0;
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_MGF1_DIGEST);
	return p == NULL || set_hash_param(op->prov, p, &op->wish.mgf1);
}

static bool
choose(const struct operation *op, enum sign_scheme *ret_scheme)
{
	struct status st = scheme_choose(op->type, &op->wish, ret_scheme);

	if (failed(st))
		reason_raise(op->prov, REASON_NO_SCHEME, "%s", st.why);
	return !failed(st);
}

static bool
get_padding(const struct operation *op, OSSL_PARAM *p)
{
	const bool is_pss = op->wish.padding == SIGN_PADDING_PSS;

	if (p->data_type == OSSL_PARAM_UTF8_STRING)
		return OSSL_PARAM_set_utf8_string(
			   p, is_pss ? OSSL_PKEY_RSA_PAD_MODE_PSS
				     : OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 1;
	return OSSL_PARAM_set_int(
		   p, is_pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) == 1;
}

static int
get_params(void *ctx, OSSL_PARAM params[])
{
	struct operation *op = ctx;
	enum sign_scheme scheme;
	struct bytes id;
	OSSL_PARAM *p;

	if (op->verifier != NULL)
		return EVP_PKEY_CTX_get_params(op->verifier, params);
	p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID);
	if (p != NULL) {
		if (!choose(op, &scheme))
			return 0;
		id = scheme_algorithm_id(scheme);
		if (OSSL_PARAM_set_octet_string(p, id.at, id.len) != 1)
			return 0;
	}
	p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_DIGEST);
	if (p != NULL &&
	    OSSL_PARAM_set_utf8_string(p, scheme_hash_name(op->wish.hash)) != 1)
		return 0;
	p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
	return p == NULL || (op->type == KEY_RSA && get_padding(op, p));
}

static const OSSL_PARAM *
settable_params(void *ctx, void *provctx)
{
	static const OSSL_PARAM rsa[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(
		    OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
		OSSL_PARAM_utf8_string(
		    OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0),
		OSSL_PARAM_END,
	};
	static const OSSL_PARAM others[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
		OSSL_PARAM_END,
	};
	const struct operation *op = ctx;

	(void)provctx;
	return op == NULL || op->type == KEY_RSA ? rsa : others;
}

static const OSSL_PARAM *
gettable_params(void *ctx, void *provctx)
{
	static const OSSL_PARAM all[] = {
		OSSL_PARAM_octet_string(
		    OSSL_SIGNATURE_PARAM_ALGORITHM_ID, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)ctx, (void)provctx;
	return all;
}

/* Runs twice in a handshake (libssl first asks if it would do): stays local. */
static int
sign_init(void *ctx, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct operation *op = ctx;

	if (!operation_begin(op, key))
		return 0;
	if (!op->key->signs) {
		reason_raise(op->prov, REASON_NO_PRIVATE_KEY,
		    "only a key stub can sign");
		return 0;
	}
	if (!set_hash(op->prov, digest, &op->wish.hash))
		return 0;
	if (op->type == KEY_ED25519 && op->wish.hash != SIGN_HASH_NONE) {
		reason_raise(
		    op->prov, REASON_NO_SCHEME, "Ed25519 takes no digest");
		return 0;
	}
	return set_params(op, params);
}

static int
sign(void *ctx, unsigned char *signature, size_t *len, size_t size,
    const unsigned char *content, size_t content_len)
{
	const struct operation *op = ctx;
	struct signature made;
	enum sign_scheme scheme;

	if (signature == NULL) {
		*len = (size_t)EVP_PKEY_get_size(op->key->pub);
		return 1;
	}
	if (!choose(op, &scheme) ||
	    !ask_signature(
		op->key, scheme, (struct bytes){ content, content_len }, &made))
		return 0;
	if (made.len > size) {
		reason_raise(op->prov, REASON_BUFFER_TOO_SMALL,
		    "%zu octets into %zu", made.len, size);
		return 0;
	}
	memcpy(signature, made.at, made.len);
	*len = made.len;
	return 1;
}

static bool
grow(struct operation *op, size_t need)
{
	size_t size = op->content_size > 0 ? op->content_size : CONTENT_FIRST;
	uint8_t *more;

	if (need <= op->content_size)
		return true;
	while (size < need)
		size *= 2;
	more = realloc(op->content, size);
	if (more == NULL)
		return false;
	op->content = more;
	op->content_size = size;
	return true;
}

static int
sign_update(void *ctx, const unsigned char *data, size_t len)
{
	struct operation *op = ctx;

	if (len > SIGN_CONTENT_MAX - op->content_len) {
		reason_raise(op->prov, REASON_CONTENT_TOO_LONG,
		    "at most %d octets", SIGN_CONTENT_MAX);
		return 0;
	}
	if (len == 0)
		return 1;
	if (!grow(op, op->content_len + len)) {
		reason_raise(op->prov, REASON_INTERNAL, "cannot hold content");
		return 0;
	}
	memcpy(op->content + op->content_len, data, len);
	op->content_len += len;
	return 1;
}

static int
sign_final(void *ctx, unsigned char *signature, size_t *len, size_t size)
{
	const struct operation *op = ctx;

	return sign(ctx, signature, len, size, op->content, op->content_len);
}

/* There, and refused, so that the log says why instead of "not supported". */
static int
sign_digest_init(void *ctx, void *key, const OSSL_PARAM params[])
{
	const struct operation *op = ctx;

	(void)key, (void)params;
	reason_raise(op->prov, REASON_DIGEST_ONLY,
	    "use EVP_DigestSign, or a tool's -rawin option");
	return 0;
}

static int
sign_digest(void *ctx, unsigned char *signature, size_t *len, size_t size,
    const unsigned char *hash, size_t hash_len)
{
	(void)signature, (void)len, (void)size, (void)hash, (void)hash_len;
	return sign_digest_init(ctx, NULL, NULL);
}

#define ENTRY(function, with)                                                  \
	{                                                                      \
		OSSL_FUNC_SIGNATURE_##function, (void (*)(void))(with)         \
	}
#define COMMON(type)                                                           \
	ENTRY(NEWCTX, new_##type), ENTRY(FREECTX, free_operation),             \
	    ENTRY(DUPCTX, dup_operation), ENTRY(SIGN_INIT, sign_digest_init),  \
	    ENTRY(SIGN, sign_digest), ENTRY(VERIFY_INIT, verify_init),         \
	    ENTRY(VERIFY, verify_run), ENTRY(DIGEST_SIGN_INIT, sign_init),     \
	    ENTRY(DIGEST_SIGN, sign),                                          \
	    ENTRY(DIGEST_VERIFY_INIT, verify_digest_init),                     \
	    ENTRY(DIGEST_VERIFY, verify_digest_run),                           \
	    ENTRY(SET_CTX_PARAMS, set_params),                                 \
	    ENTRY(SETTABLE_CTX_PARAMS, settable_params),                       \
	    ENTRY(GET_CTX_PARAMS, get_params),                                 \
	    ENTRY(GETTABLE_CTX_PARAMS, gettable_params)
#define IN_PIECES                                                              \
	ENTRY(DIGEST_SIGN_UPDATE, sign_update),                                \
	    ENTRY(DIGEST_SIGN_FINAL, sign_final),                              \
	    ENTRY(DIGEST_VERIFY_UPDATE, verify_digest_update),                 \
	    ENTRY(DIGEST_VERIFY_FINAL, verify_digest_final)

static const OSSL_DISPATCH table_rsa[] = { COMMON(rsa), IN_PIECES,
	{ 0, NULL } };
static const OSSL_DISPATCH table_ec[] = { COMMON(ec), IN_PIECES, { 0, NULL } };
/* Ed25519 takes its content in one piece (RFC 8032), as in OpenSSL itself. */
static const OSSL_DISPATCH table_ed25519[] = { COMMON(ed25519), { 0, NULL } };

const OSSL_ALGORITHM signature_algorithms[] = {
	{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", PROV_PROPERTIES, table_rsa,
	    "RSA in a token" },
	{ "ECDSA", PROV_PROPERTIES, table_ec, "ECDSA in a token" },
	{ "ED25519:1.3.101.112", PROV_PROPERTIES, table_ed25519,
	    "Ed25519 in a token" },
	{ NULL, NULL, NULL, NULL },
};
