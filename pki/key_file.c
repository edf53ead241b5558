/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A private key out of PEM or DER.  key_file_read finds out what the file is;
 * each kind ends as an OpenSSL key, which take_key turns into plain PKCS#8 and
 * the public half.  It refuses a file with several private keys, since nobody
 * could know which one was meant, and keys that keyd does not serve.
 */

#include "pki/key_file.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/stub.h"
#include "pki/key_file_int.h"

struct status
key_reading_fail(
    struct key_reading *reading, enum status_code code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reading->why, KEY_FILE_WHY_MAX, format, arguments);
	va_end(arguments);
	return status_fail(code, "the key file cannot be used");
}

STATUS
key_reading_passphrase(
    struct key_reading *reading, const char **ret_text, int *ret_len)
{
	struct status st;
	struct bytes text;

	if (reading->from == NULL || reading->from->ask == NULL)
		return key_reading_fail(reading, STATUS_FAILED_PRECONDITION,
		    "the file is encrypted and no passphrase was given");
	if (reading->passphrase == NULL) {
		st = reading->from->ask(
		    reading->from->ctx, &reading->passphrase);
		if (failed(st))
			return key_reading_fail(reading, st.code, "%s", st.why);
	}
	text = secret_bytes(reading->passphrase);
	*ret_text = (const char *)text.at;
	*ret_len = (int)strnlen(*ret_text, text.len);
	return status_ok();
}

static struct status
unreadable(struct key_reading *reading)
{
	return key_reading_fail(reading, STATUS_INVALID_ARGUMENT,
	    "this is not a private key in PEM, DER or PFX, or the file is "
	    "damaged");
}

/* ---- encrypted PKCS#8 ---- */

STATUS
key_reading_pkcs8(struct key_reading *reading, const PKCS8_PRIV_KEY_INFO *info,
    EVP_PKEY **ret_key)
{
	EVP_PKEY *key = EVP_PKCS82PKEY(info);

	if (key == NULL)
		return unreadable(reading);
	*ret_key = key;
	return status_ok();
}

STATUS
key_reading_encrypted(
    struct key_reading *reading, const X509_SIG *sealed, EVP_PKEY **ret_key)
{
	scoped(key_crypt_legacy_done) struct key_crypt_legacy legacy = {
		.context = NULL
	};
	scoped(p8_free) PKCS8_PRIV_KEY_INFO *info = NULL;
	const X509_ALGOR *how = NULL;
	const char *text = NULL;
	bool is_legacy = false;
	struct status st;
	int len = 0;

	X509_SIG_get0(sealed, &how, NULL);
	st = key_crypt_check(reading, how, &is_legacy);
	if (!failed(st))
		st = key_reading_passphrase(reading, &text, &len);
	if (failed(st))
		return st;
	if (is_legacy)
		key_crypt_legacy_init(&legacy);
	ERR_clear_error();
	info = PKCS8_decrypt_ex(sealed, text, len, legacy.context, NULL);
	if (info != NULL)
		return key_reading_pkcs8(reading, info, ret_key);
	if (ERR_GET_REASON(ERR_peek_error()) == ERR_R_UNSUPPORTED ||
	    (is_legacy && legacy.context == NULL))
		return key_reading_fail(reading, STATUS_INVALID_ARGUMENT,
		    "the file is encrypted with %s, which OpenSSL here cannot "
		    "read; encrypt it anew with AES, or install OpenSSL's "
		    "legacy provider",
		    key_crypt_name(how));
	return key_reading_fail(reading, STATUS_PERMISSION_DENIED,
	    "the passphrase is wrong (or the encrypted part of the file is "
	    "damaged)");
}

/* ---- PEM ---- */

struct pem_block {
	char *name, *header;
	unsigned char *octets;
	long len;
};

static void
pem_block_done(struct pem_block *block)
{
	OPENSSL_secure_free(block->name);
	OPENSSL_secure_free(block->header);
	OPENSSL_secure_clear_free(
	    block->octets, block->len > 0 ? (size_t)block->len : 0);
	memset(block, 0, sizeof(*block));
}

static inline void
scoped_pem_block_done(struct pem_block *block)
{
	pem_block_done(block);
}

/* OpenSSL's pem_password_cb. */
static int
pem_passphrase(char *ret_text, int max, int is_for_writing, void *ctx)
{
	struct key_reading *reading = ctx;
	const char *text = NULL;
	int len = 0;

	(void)is_for_writing;
	if (failed(key_reading_passphrase(reading, &text, &len)) || len > max)
		return -1;
	memcpy(ret_text, text, (size_t)len);
	return len;
}

static struct status
wrong_passphrase(struct key_reading *reading)
{
	return key_reading_fail(reading, STATUS_PERMISSION_DENIED,
	    "the passphrase is wrong (or the encrypted part of the file is "
	    "damaged)");
}

/* RFC 1421's DEK-Info, as OpenSSL's own formats have it.  It has no MAC: of 256
 * wrong passphrases one gives octets that look padded, and are no key. */
static struct status
decrypt_block(
    struct key_reading *reading, struct pem_block *block, bool *ret_was)
{
	EVP_CIPHER_INFO cipher = { 0 };
	const char *text = NULL;
	struct status st;
	int len = 0;

	ERR_clear_error();
	if (PEM_get_EVP_CIPHER_INFO(block->header, &cipher) != 1)
		return key_reading_fail(reading, STATUS_INVALID_ARGUMENT,
		    "the PEM is encrypted with a cipher that OpenSSL here does "
		    "not know (see its DEK-Info line); encrypt it anew with "
		    "AES");
	*ret_was = cipher.cipher != NULL;
	if (cipher.cipher == NULL)
		return status_ok();
	/* Asked here, so that a refusal keeps its own words. */
	st = key_reading_passphrase(reading, &text, &len);
	if (failed(st))
		return st;
	if (PEM_do_header(&cipher, block->octets, &block->len, pem_passphrase,
		reading) == 1)
		return status_ok();
	if (ERR_GET_REASON(ERR_peek_error()) == ERR_R_UNSUPPORTED)
		return key_reading_fail(reading, STATUS_INVALID_ARGUMENT,
		    "the PEM is encrypted with %s, which OpenSSL here cannot "
		    "read; encrypt it anew with AES",
		    EVP_CIPHER_get0_name(cipher.cipher));
	return wrong_passphrase(reading);
}

static struct status
pem_key(struct key_reading *reading, struct pem_block *block, EVP_PKEY **ret)
{
	const unsigned char *at = block->octets;
	const unsigned char *end;
	struct status st = status_ok();
	bool was_encrypted = false;

	if (strcmp(block->name, PEM_STRING_PKCS8) == 0) {
		scoped(x509_sig_free) X509_SIG *sealed =
		    d2i_X509_SIG(NULL, &at, block->len);

		return sealed == NULL
			   ? unreadable(reading)
			   : key_reading_encrypted(reading, sealed, ret);
	}
	st = decrypt_block(reading, block, &was_encrypted);
	if (failed(st))
		return st;
	end = block->octets + block->len;
	if (strcmp(block->name, PEM_STRING_PKCS8INF) == 0) {
		scoped(p8_free) PKCS8_PRIV_KEY_INFO *info =
		    d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, block->len);

		return info == NULL || at != end
			   ? unreadable(reading)
			   : key_reading_pkcs8(reading, info, ret);
	}
	*ret = d2i_PrivateKey(strcmp(block->name, PEM_STRING_RSA) == 0
				  ? EVP_PKEY_RSA
				  : EVP_PKEY_EC,
	    NULL, &at, block->len);
	if (*ret == NULL)
		return was_encrypted ? wrong_passphrase(reading)
				     : unreadable(reading);
	return st;
}

static bool
is_private(const char *name)
{
	return strcmp(name, PEM_STRING_PKCS8) == 0 ||
	       strcmp(name, PEM_STRING_PKCS8INF) == 0 ||
	       strcmp(name, PEM_STRING_RSA) == 0 ||
	       strcmp(name, PEM_STRING_ECPRIVATEKEY) == 0;
}

static struct status
no_key(struct key_reading *reading, const char *seen)
{
	if (strcmp(seen, STUB_PEM_LABEL) == 0)
		return key_reading_fail(reading, STATUS_INVALID_ARGUMENT,
		    "this is a Holdfast key stub: its private key is in a "
		    "token already");
	if (strcmp(seen, "OPENSSH PRIVATE KEY") == 0)
		return key_reading_fail(reading, STATUS_INVALID_ARGUMENT,
		    "this is a key in OpenSSH's own format; on a copy of it "
		    "run: ssh-keygen -p -m PKCS8 -f FILE");
	if (seen[0] != 0)
		return key_reading_fail(reading, STATUS_INVALID_ARGUMENT,
		    "the PEM file holds no private key that keyd serves, but "
		    "%.40s",
		    seen);
	return unreadable(reading);
}

static struct status
read_pem(struct key_reading *reading, struct bytes octets, EVP_PKEY **ret_key)
{
	BIO *bio = BIO_new_mem_buf(octets.at, (int)octets.len);
	struct status st = status_ok();
	char seen[48] = "";
	unsigned n = 0;

	ERR_clear_error();
	while (bio != NULL && !failed(st)) {
		scoped(pem_block_done) struct pem_block block = { 0 };

		if (PEM_read_bio_ex(bio, &block.name, &block.header,
			&block.octets, &block.len,
			PEM_FLAG_SECURE | PEM_FLAG_EAY_COMPATIBLE) != 1)
			break;
		if (!is_private(block.name)) {
			snprintf(seen, sizeof(seen), "%s", block.name);
			continue;
		}
		if (n++ == 0)
			st = pem_key(reading, &block, ret_key);
	}
	BIO_free(bio);
	if (!failed(st) && n > 1)
		return key_reading_fail(reading, STATUS_INVALID_ARGUMENT,
		    "the file holds %u private keys; split it, and import "
		    "each by itself",
		    n);
	if (!failed(st) &&
	    ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE &&
	    n == 0)
		return unreadable(reading);
	if (!failed(st) && n == 0)
		return no_key(reading, seen);
	return st;
}

/* ---- DER ---- */

static struct status
read_der(struct key_reading *reading, struct bytes octets, EVP_PKEY **ret_key)
{
	scoped(x509_sig_free) X509_SIG *sealed = NULL;
	scoped(p8_free) PKCS8_PRIV_KEY_INFO *info = NULL;
	const unsigned char *at = octets.at, *end = octets.at + octets.len;
	long len = (long)octets.len;

	info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, len);
	if (info != NULL && at == end)
		return key_reading_pkcs8(reading, info, ret_key);
	at = octets.at;
	sealed = d2i_X509_SIG(NULL, &at, len);
	if (sealed != NULL && at == end)
		return key_reading_encrypted(reading, sealed, ret_key);
	for (int i = 0; i < 2; i++) {
		at = octets.at;
		*ret_key = d2i_PrivateKey(
		    i == 0 ? EVP_PKEY_RSA : EVP_PKEY_EC, NULL, &at, len);
		if (*ret_key != NULL && at == end)
			return status_ok();
		EVP_PKEY_free(*ret_key);
		*ret_key = NULL;
	}
	return key_reading_pfx(reading, octets, NULL, ret_key);
}

/* ---- what came out of it ---- */

static struct status
not_served(struct key_reading *reading, EVP_PKEY *key)
{
	const char *type = EVP_PKEY_get0_type_name(key);

	return key_reading_fail(reading, STATUS_INVALID_ARGUMENT,
	    "this key is %s of %d bits, which keyd does not serve; it serves "
	    "RSA of 2048, 3072 or 4096 bits, EC on P-256 or P-384 (as named "
	    "curves), and Ed25519",
	    type == NULL ? "of a kind" : type, EVP_PKEY_get_bits(key));
}

static bool
take_public(struct key_reading *reading, EVP_PKEY *key, struct key_file *file)
{
	unsigned char *at = file->spki;
	int len;

	(void)reading;
	/* A SEC1 file may carry its point compressed; nobody else does. */
	if (EVP_PKEY_is_a(key, "EC"))
		(void)EVP_PKEY_set_utf8_string_param(key,
		    OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed");
	len = i2d_PUBKEY(key, NULL);
	if (len <= 0 || (size_t)len > sizeof(file->spki))
		return false;
	file->spki_len = (size_t)i2d_PUBKEY(key, &at);
	file->alg =
	    key_alg_of_spki((struct bytes){ file->spki, file->spki_len });
	return file->alg != KEY_ALG_NONE;
}

static struct status
take_key(struct key_reading *reading, EVP_PKEY *key, struct key_file *file)
{
	scoped(p8_free) PKCS8_PRIV_KEY_INFO *info = NULL;
	unsigned char *at;
	int len;

	if (!take_public(reading, key, file))
		return not_served(reading, key);
	info = EVP_PKEY2PKCS8(key);
	len = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, NULL);
	if (len <= 0)
		return unreadable(reading);
	file->pkcs8 = secret_new((size_t)len);
	if (file->pkcs8 == NULL)
		return key_reading_fail(reading, STATUS_RESOURCE_EXHAUSTED,
		    "no locked memory is left for the key; raise its limit "
		    "(ulimit -l)");
	at = secret_at(file->pkcs8);
	if (i2d_PKCS8_PRIV_KEY_INFO(info, &at) == len)
		return status_ok();
	key_file_done(file);
	return unreadable(reading);
}

static bool
is_pem(struct bytes octets)
{
	return memmem(octets.at, octets.len, "-----BEGIN ", 11) != NULL;
}

STATUS
key_file_read(struct bytes octets, const struct key_file_passphrase *passphrase,
    struct key_file *ret_file, char ret_why[KEY_FILE_WHY_MAX])
{
	struct key_reading reading = { .from = passphrase, .why = ret_why };
	scoped(pkey_free) EVP_PKEY *key = NULL;
	struct key_file file = { .pkcs8 = NULL };
	struct status st;

	ret_why[0] = 0;
	if (octets.len == 0 || octets.len > KEY_FILE_MAX)
		return key_reading_fail(&reading, STATUS_INVALID_ARGUMENT,
		    "a key file has 1 to %d octets; this one does not",
		    KEY_FILE_MAX);
	st = is_pem(octets) ? read_pem(&reading, octets, &key)
			    : read_der(&reading, octets, &key);
	secret_free(reading.passphrase);
	if (!failed(st))
		st = take_key(&reading, key, &file);
	/* What OpenSSL thought of it on the way; ours is said. */
	ERR_clear_error();
	if (!failed(st))
		*ret_file = file;
	return st;
}

STATUS
key_file_read_pfx(struct bytes octets,
    const struct key_file_passphrase *passphrase,
    const struct key_file_certs *certs, struct key_file *ret_file,
    bool *ret_has_key, char ret_why[KEY_FILE_WHY_MAX])
{
	struct key_reading reading = { .from = passphrase, .why = ret_why };
	scoped(pkey_free) EVP_PKEY *key = NULL;
	struct key_file file = { .pkcs8 = NULL };
	struct status st;

	ret_why[0] = 0;
	if (octets.len == 0 || octets.len > KEY_FILE_PFX_MAX)
		return key_reading_fail(&reading, STATUS_INVALID_ARGUMENT,
		    "a PFX has 1 to %d octets; this one does not",
		    KEY_FILE_PFX_MAX);
	st = key_reading_pfx(&reading, octets, certs, &key);
	secret_free(reading.passphrase);
	if (!failed(st) && key != NULL)
		st = take_key(&reading, key, &file);
	ERR_clear_error();
	if (failed(st))
		return st;
	*ret_has_key = key != NULL;
	if (key != NULL)
		*ret_file = file;
	return st;
}

bool
key_file_keep_legacy(void)
{
	static struct key_crypt_legacy kept; /* what is loaded stays loaded */

	if (kept.context == NULL)
		key_crypt_legacy_init(&kept);
	return kept.context != NULL;
}

void
key_file_done(struct key_file *file)
{
	secret_free(file->pkcs8);
	memset(file, 0, sizeof(*file));
}
