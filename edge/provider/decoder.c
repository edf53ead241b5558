/* SPDX-License-Identifier: Apache-2.0 */

/*
 * DECODER for key stubs, in the two steps OpenSSL's own key files take: "DER"
 * makes DER out of the PEM block "HOLDFAST KEY", and "RSA", "EC" or "ED25519"
 * makes a key out of that DER.  Needs no network and no edged.  A block of any
 * other kind is none of ours: it is read past, exactly one, and nothing is
 * said; a block of ours that is damaged is refused with its reason.
 */

#include <string.h>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "base/stub.h"
#include "edge/provider/key.h"
#include "edge/provider/prov.h"
#include "edge/provider/reason.h"

#define BEGIN "-----BEGIN "
#define END "-----END "
#define LINE_SIZE 256

static inline void
bio_free(BIO *bio)
{
	BIO_free(bio);
}
SCOPED_RELEASE(bio_free, BIO *);

static void *
new_context(void *provctx)
{
	return provctx;
}

static void
free_context(void *ctx)
{
	(void)ctx;
}

static bool
starts_with(const char *line, const char *with)
{
	return strncmp(line, with, strlen(with)) == 0;
}

enum block {
	BLOCK_NONE, /* no more PEM, or a block that is not ours */
	BLOCK_STUB,
	BLOCK_TOO_LONG, /* ours by its label, but longer than any stub */
};

/*
 * Read up to the end of the next PEM block, and not further: callers look for
 * the next one from there.  Ours is copied whole, with its two marker lines.
 */
static enum block
read_block(BIO *bio, char text[STUB_PEM_MAX], size_t *ret_len)
{
	char line[LINE_SIZE];
	size_t len = 0;
	bool inside = false, ours = false;
	int got;

	while ((got = BIO_gets(bio, line, sizeof(line))) > 0) {
		if (!inside && starts_with(line, BEGIN)) {
			inside = true;
			ours = starts_with(line, BEGIN STUB_PEM_LABEL "-----");
		}
		if (ours) {
			if ((size_t)got > STUB_PEM_MAX - len)
				return BLOCK_TOO_LONG;
			memcpy(text + len, line, (size_t)got);
			len += (size_t)got;
		}
		if (inside && starts_with(line, END))
			break;
	}
	*ret_len = len;
	return ours ? BLOCK_STUB : BLOCK_NONE;
}

/* Pass the stub's DER on to the second step. */
static int
pass_on(const struct stub *stub, struct bytes der, OSSL_CALLBACK *data_cb,
    void *cbarg)
{
	int type = OSSL_OBJECT_PKEY;
	char name[16], structure[] = STUB_FORMAT;
	uint8_t copy[STUB_DER_MAX];
	OSSL_PARAM params[5];

	memcpy(copy, der.at, der.len);
	snprintf(name, sizeof(name), "%s",
	    key_type_name(scheme_key_type(stub->alg)));
	params[0] = OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type);
	params[1] = OSSL_PARAM_construct_utf8_string(
	    OSSL_OBJECT_PARAM_DATA_TYPE, name, 0);
	params[2] = OSSL_PARAM_construct_utf8_string(
	    OSSL_OBJECT_PARAM_DATA_STRUCTURE, structure, 0);
	params[3] = OSSL_PARAM_construct_octet_string(
	    OSSL_OBJECT_PARAM_DATA, copy, der.len);
	params[4] = OSSL_PARAM_construct_end();
	return data_cb(params, cbarg);
}

static int
decode_pem(void *ctx, OSSL_CORE_BIO *in, int selection, OSSL_CALLBACK *data_cb,
    void *cbarg, OSSL_PASSPHRASE_CALLBACK *pw_cb, void *pw_cbarg)
{
	const struct prov *prov = ctx;
	scoped(bio_free) BIO *bio = BIO_new_from_core_bio(prov->libctx, in);
	char text[STUB_PEM_MAX];
	uint8_t der[STUB_DER_MAX];
	struct stub stub;
	struct status st;
	size_t len;

	(void)selection, (void)pw_cb, (void)pw_cbarg;
	if (bio == NULL)
		return 0;
	switch (read_block(bio, text, &len)) {
	case BLOCK_NONE:
		return 1;
	case BLOCK_TOO_LONG:
		reason_raise(prov, REASON_STUB, "it is longer than any stub");
		return 0;
	case BLOCK_STUB:
		break;
	}
	if (!prov_is_usable(prov))
		return 0;
	st = stub_decode_pem(
	    (struct bytes){ (const uint8_t *)text, len }, der, &stub);
	if (failed(st)) {
		reason_raise(prov, REASON_STUB, "%s", st.why);
		return 0;
	}
	return pass_on(&stub,
	    (struct bytes){ der, (size_t)(stub.spki.at + stub.spki.len - der) },
	    data_cb, cbarg);
}

static int
decode_der(struct prov *prov, enum key_type type, OSSL_CORE_BIO *in,
    OSSL_CALLBACK *object_cb, void *cbarg)
{
	scoped(bio_free) BIO *bio = BIO_new_from_core_bio(prov->libctx, in);
	scoped(key_unref) struct key *key = NULL;
	uint8_t der[STUB_DER_MAX + 1];
	struct stub stub;
	size_t len = 0, got;

	if (bio == NULL)
		return 0;
	ERR_set_mark();
	while (len < sizeof(der) &&
	       BIO_read_ex(bio, der + len, sizeof(der) - len, &got) == 1)
		len += got;
	ERR_pop_to_mark();
	if (failed(stub_decode_der((struct bytes){ der, len }, &stub)) ||
	    scheme_key_type(stub.alg) != type)
		return 1;
	key = key_from_stub(prov, &stub);
	return key != NULL && key_present(key, object_cb, cbarg);
}

static int
decode_rsa(void *ctx, OSSL_CORE_BIO *in, int selection,
    OSSL_CALLBACK *object_cb, void *cbarg, OSSL_PASSPHRASE_CALLBACK *pw_cb,
    void *pw_cbarg)
{
	(void)selection, (void)pw_cb, (void)pw_cbarg;
	return decode_der(ctx, KEY_RSA, in, object_cb, cbarg);
}

static int
decode_ec(void *ctx, OSSL_CORE_BIO *in, int selection, OSSL_CALLBACK *object_cb,
    void *cbarg, OSSL_PASSPHRASE_CALLBACK *pw_cb, void *pw_cbarg)
{
	(void)selection, (void)pw_cb, (void)pw_cbarg;
	return decode_der(ctx, KEY_EC, in, object_cb, cbarg);
}

static int
decode_ed25519(void *ctx, OSSL_CORE_BIO *in, int selection,
    OSSL_CALLBACK *object_cb, void *cbarg, OSSL_PASSPHRASE_CALLBACK *pw_cb,
    void *pw_cbarg)
{
	(void)selection, (void)pw_cb, (void)pw_cbarg;
	return decode_der(ctx, KEY_ED25519, in, object_cb, cbarg);
}

/* A stub stands for a private key; 0 means that the caller takes anything. */
static int
does_selection(void *provctx, int selection)
{
	(void)provctx;
	return selection == 0 ||
	       (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
}

#define TABLE(form)                                                            \
	static const OSSL_DISPATCH table_##form[] = {                          \
		{ OSSL_FUNC_DECODER_NEWCTX, (void (*)(void))new_context },     \
		{ OSSL_FUNC_DECODER_FREECTX, (void (*)(void))free_context },   \
		{ OSSL_FUNC_DECODER_DOES_SELECTION,                            \
		    (void (*)(void))does_selection },                          \
		{ OSSL_FUNC_DECODER_DECODE, (void (*)(void))decode_##form },   \
		{ 0, NULL },                                                   \
	}

TABLE(pem);
TABLE(rsa);
TABLE(ec);
TABLE(ed25519);

#define PEM_PROPERTIES PROV_PROPERTIES ",input=pem"
#define DER_PROPERTIES PROV_PROPERTIES ",input=der,structure=" STUB_FORMAT

const OSSL_ALGORITHM decoder_algorithms[] = {
	{ "DER", PEM_PROPERTIES, table_pem, "key stub, PEM to DER" },
	{ "RSA", DER_PROPERTIES, table_rsa, "key stub of an RSA key" },
	{ "EC", DER_PROPERTIES, table_ec, "key stub of an EC key" },
	{ "ED25519", DER_PROPERTIES, table_ed25519,
	    "key stub of an Ed25519 key" },
	{ NULL, NULL, NULL, NULL },
};
