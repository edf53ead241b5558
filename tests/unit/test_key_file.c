/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Key files: every kind that people have is read as the same key; wrong
 * passwords, several keys, foreign kinds and damage are told apart; what is
 * wrapped can be opened by the holder of the wrapping key alone; and nothing of
 * a key stays in this process afterwards.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "pki/key_file.h"
#include "pki/key_file_int.h"

#define PASS "correct horse"

static bool guarded;

/* ---- helpers ---- */

struct text {
	size_t len;
	uint8_t at[KEY_FILE_MAX];
};

static struct text text; /* the file under test */

static struct bytes
file_bytes(void)
{
	return (struct bytes){ text.at, text.len };
}

static void
take_bio(BIO *bio)
{
	char *at = NULL;
	long len = BIO_get_mem_data(bio, &at);

	assert_in_range(len, 1, KEY_FILE_MAX);
	memcpy(text.at, at, (size_t)len);
	text.len = (size_t)len;
	BIO_free(bio);
}

static BIO *
bio_new(void)
{
	return BIO_new(BIO_s_mem());
}

struct asked {
	const char *answer; /* NULL: refuses */
	unsigned times;
};

static struct status
ask(void *ctx, struct secret **ret_passphrase)
{
	struct asked *asked = ctx;
	struct secret *secret;

	asked->times++;
	if (asked->answer == NULL)
		return status_fail(STATUS_CANCELLED, "no passphrase was typed");
	secret = secret_new(strlen(asked->answer) + 1);
	assert_non_null(secret);
	memcpy(secret_at(secret), asked->answer, strlen(asked->answer));
	*ret_passphrase = secret;
	return status_ok();
}

static struct status
read_with(const char *answer, struct key_file *ret_file, char *ret_why)
{
	struct asked asked = { .answer = answer };
	struct key_file_passphrase from = { ask, &asked };
	struct status st =
	    key_file_read(file_bytes(), &from, ret_file, ret_why);

	assert_in_range(asked.times, 0, 1);
	return st;
}

/* The file under test is this key, and its PKCS#8 is a good one. */
static void
assert_reads(EVP_PKEY *key, enum key_alg alg, const char *answer)
{
	struct key_file file = { .pkcs8 = NULL };
	char why[KEY_FILE_WHY_MAX];
	const unsigned char *at;
	PKCS8_PRIV_KEY_INFO *info;
	EVP_PKEY *again;
	struct status st = read_with(answer, &file, why);

	if (failed(st))
		fail_msg("%s", why);
	assert_int_equal(file.alg, alg);
	at = secret_bytes(file.pkcs8).at;
	info = d2i_PKCS8_PRIV_KEY_INFO(
	    NULL, &at, (long)secret_bytes(file.pkcs8).len);
	assert_non_null(info);
	assert_ptr_equal(
	    at, secret_bytes(file.pkcs8).at + secret_bytes(file.pkcs8).len);
	again = EVP_PKCS82PKEY(info);
	assert_int_equal(EVP_PKEY_eq(key, again), 1);
	EVP_PKEY_free(again);
	at = file.spki;
	again = d2i_PUBKEY(NULL, &at, (long)file.spki_len);
	assert_int_equal(EVP_PKEY_eq(key, again), 1);
	EVP_PKEY_free(again);
	PKCS8_PRIV_KEY_INFO_free(info);
	key_file_done(&file);
}

static void
assert_refuses(const char *answer, enum status_code code, const char *word)
{
	struct key_file file = { .pkcs8 = NULL };
	char why[KEY_FILE_WHY_MAX];
	struct status st = read_with(answer, &file, why);

	assert_int_equal(st.code, code);
	if (strstr(why, word) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, word);
	assert_null(file.pkcs8);
}

static EVP_PKEY *p256, *p384, *rsa, *ed25519;

static struct {
	EVP_PKEY **key;
	enum key_alg alg;
} keys[] = {
	{ &p256, KEY_ALG_EC_P256 },
	{ &p384, KEY_ALG_EC_P384 },
	{ &rsa, KEY_ALG_RSA_2048 },
	{ &ed25519, KEY_ALG_ED25519 },
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static void
write_pkcs8(EVP_PKEY *key, const EVP_CIPHER *cipher)
{
	BIO *bio = bio_new();

	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, NULL,
			     0, NULL, cipher == NULL ? NULL : (char[]){ PASS }),
	    1);
	take_bio(bio);
}

static void
write_traditional(EVP_PKEY *key, const EVP_CIPHER *cipher)
{
	BIO *bio = bio_new();

	assert_int_equal(
	    PEM_write_bio_PrivateKey_traditional(bio, key, cipher, NULL, 0,
		NULL, cipher == NULL ? NULL : (char[]){ PASS }),
	    1);
	take_bio(bio);
}

static X509 *
make_certificate(EVP_PKEY *key)
{
	X509 *certificate = X509_new();

	X509_set_pubkey(certificate, key);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
	X509_sign(certificate, key, EVP_sha256());
	return certificate;
}

/* nids: of the key's and the certificates' cipher; 0 for OpenSSL's own. */
static void
write_pfx(EVP_PKEY *key, const char *password, int key_nid, int cert_nid,
    OSSL_LIB_CTX *context)
{
	X509 *certificate = make_certificate(key);
	BIO *bio = bio_new();
	PKCS12 *pfx = PKCS12_create_ex(password, "www", key, certificate, NULL,
	    key_nid, cert_nid, 0, 0, 0, context, NULL);

	assert_non_null(pfx);
	assert_int_equal(i2d_PKCS12_bio(bio, pfx), 1);
	take_bio(bio);
	PKCS12_free(pfx);
	X509_free(certificate);
}

/* ---- reading ---- */

static void
reads_pkcs8_pem_of_every_algorithm(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEYS; i++) {
		write_pkcs8(*keys[i].key, NULL);
		assert_reads(*keys[i].key, keys[i].alg, NULL);
	}
}

static void
reads_pkcs1_and_sec1_pem(void **state)
{
	(void)state;
	write_traditional(rsa, NULL);
	assert_non_null(memmem(text.at, text.len, "RSA PRIVATE KEY", 15));
	assert_reads(rsa, KEY_ALG_RSA_2048, NULL);
	write_traditional(p256, NULL);
	assert_non_null(memmem(text.at, text.len, "EC PRIVATE KEY", 14));
	assert_reads(p256, KEY_ALG_EC_P256, NULL);
	write_traditional(p384, NULL);
	assert_reads(p384, KEY_ALG_EC_P384, NULL);
}

static void
reads_der_of_every_kind(void **state)
{
	unsigned char *at;

	(void)state;
	for (size_t i = 0; i < KEYS; i++) {
		BIO *bio = bio_new();

		assert_int_equal(i2d_PKCS8PrivateKey_bio(bio, *keys[i].key,
				     NULL, NULL, 0, NULL, NULL),
		    1);
		take_bio(bio);
		assert_reads(*keys[i].key, keys[i].alg, NULL);
		bio = bio_new();
		assert_int_equal(
		    i2d_PKCS8PrivateKey_bio(bio, *keys[i].key,
			EVP_aes_256_cbc(), NULL, 0, NULL, (char[]){ PASS }),
		    1);
		take_bio(bio);
		assert_reads(*keys[i].key, keys[i].alg, PASS);
	}
	at = text.at;
	text.len = (size_t)i2d_PrivateKey(rsa, &at);
	assert_reads(rsa, KEY_ALG_RSA_2048, NULL);
	at = text.at;
	text.len = (size_t)i2d_PrivateKey(p256, &at);
	assert_reads(p256, KEY_ALG_EC_P256, NULL);
}

static void
reads_encrypted_pem_and_says_when_the_passphrase_is_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEYS; i++) {
		write_pkcs8(*keys[i].key, EVP_aes_256_cbc());
		assert_reads(*keys[i].key, keys[i].alg, PASS);
		assert_refuses(
		    "wrong", STATUS_PERMISSION_DENIED, "passphrase is wrong");
		assert_refuses(NULL, STATUS_CANCELLED, "no passphrase");
	}
	write_traditional(rsa, EVP_aes_256_cbc());
	assert_non_null(memmem(text.at, text.len, "DEK-Info", 8));
	assert_reads(rsa, KEY_ALG_RSA_2048, PASS);
	assert_refuses(
	    "wrong", STATUS_PERMISSION_DENIED, "passphrase is wrong");
	write_traditional(p256, EVP_des_ede3_cbc());
	assert_reads(p256, KEY_ALG_EC_P256, PASS);
}

/* Of old PEM, which has no MAC: about one in 256 looks well padded. */
static void
each_wrong_passphrase_is_told_as_such(void **state)
{
	char wrong[16];

	(void)state;
	write_traditional(p256, EVP_aes_256_cbc());
	for (unsigned i = 0; i < 1500; i++) {
		(void)!snprintf(wrong, sizeof(wrong), "wrong %u", i);
		assert_refuses(
		    wrong, STATUS_PERMISSION_DENIED, "passphrase is wrong");
	}
}

static void
an_encrypted_file_without_a_passphrase_is_refused_as_such(void **state)
{
	struct key_file file;
	char why[KEY_FILE_WHY_MAX];

	(void)state;
	write_pkcs8(p256, EVP_aes_256_cbc());
	assert_int_equal(key_file_read(file_bytes(), NULL, &file, why).code,
	    STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(why, "encrypted"));
}

static void
reads_a_key_among_its_certificates(void **state)
{
	X509 *certificate = make_certificate(p256);
	BIO *bio = bio_new();

	(void)state;
	assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
	assert_int_equal(
	    PEM_write_bio_PKCS8PrivateKey(bio, p256, NULL, NULL, 0, NULL, NULL),
	    1);
	assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
	X509_free(certificate);
	take_bio(bio);
	assert_reads(p256, KEY_ALG_EC_P256, NULL);
}

static void
reads_a_sec1_key_whose_point_is_compressed_or_missing(void **state)
{
	EVP_PKEY *copy = EVP_PKEY_dup(p256);
	uint8_t shorter[256];
	unsigned char *at = text.at;

	(void)state;
	assert_int_equal(
	    EVP_PKEY_set_utf8_string_param(
		copy, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "compressed"),
	    1);
	text.len = (size_t)i2d_PrivateKey(copy, &at);
	EVP_PKEY_free(copy);
	assert_reads(p256, KEY_ALG_EC_P256, NULL);
	/* RFC 5915 3: without [1] publicKey. */
	at = text.at;
	text.len = (size_t)i2d_PrivateKey(p256, &at);
	assert_int_equal(text.at[1], 0x77);
	memcpy(shorter, text.at, text.len);
	text.len = 2 + 0x31;
	memcpy(text.at, shorter, text.len);
	text.at[1] = 0x31;
	assert_reads(p256, KEY_ALG_EC_P256, NULL);
}

static void
reads_pfx_with_a_password_and_without(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEYS - 1; i++) {
		write_pfx(*keys[i].key, PASS, 0, 0, NULL);
		assert_reads(*keys[i].key, keys[i].alg, PASS);
		assert_refuses("wrong", STATUS_PERMISSION_DENIED,
		    "password of the PFX is wrong");
	}
	write_pfx(p256, "", 0, 0, NULL);
	assert_reads(p256, KEY_ALG_EC_P256, NULL);
	write_pfx(p256, NULL, 0, 0, NULL);
	assert_reads(p256, KEY_ALG_EC_P256, NULL);
	/* Keys in the clear, as openssl pkcs12 -noenc writes them. */
	write_pfx(rsa, PASS, -1, -1, NULL);
	assert_reads(rsa, KEY_ALG_RSA_2048, PASS);
}

/* OpenSSL with its legacy provider, to write old files with. */
struct old {
	OSSL_LIB_CTX *context;
	OSSL_PROVIDER *plain, *legacy;
};

static OSSL_LIB_CTX *
old_init(struct old *old)
{
	old->context = OSSL_LIB_CTX_new();
	old->plain = OSSL_PROVIDER_load(old->context, "default");
	old->legacy = OSSL_PROVIDER_load(old->context, "legacy");
	assert_non_null(old->plain);
	assert_non_null(old->legacy);
	return old->context;
}

static void
old_done(struct old *old)
{
	OSSL_PROVIDER_unload(old->legacy);
	OSSL_PROVIDER_unload(old->plain);
	OSSL_LIB_CTX_free(old->context);
}

static void
reads_a_pfx_of_old_ciphers(void **state)
{
	struct old old;
	OSSL_LIB_CTX *context = old_init(&old);

	(void)state;
	write_pfx(rsa, PASS, NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
	    NID_pbe_WithSHA1And40BitRC2_CBC, context);
	assert_reads(rsa, KEY_ALG_RSA_2048, PASS);
	assert_refuses("wrong", STATUS_PERMISSION_DENIED, "wrong");
	write_pfx(p256, PASS, NID_pbe_WithSHA1And40BitRC2_CBC,
	    NID_pbe_WithSHA1And40BitRC2_CBC, context);
	assert_reads(p256, KEY_ALG_EC_P256, PASS);
	old_done(&old);
	/* It was loaded for that alone. */
	assert_int_equal(OSSL_PROVIDER_available(NULL, "legacy"), 0);
}

static void
a_cipher_that_openssl_cannot_read_is_named(void **state)
{
	struct old old;
	OSSL_LIB_CTX *context = old_init(&old);

	(void)state;
	write_pfx(rsa, PASS, NID_pbe_WithSHA1And40BitRC2_CBC,
	    NID_pbe_WithSHA1And40BitRC2_CBC, context);
	old_done(&old);
	/* As on a host where the provider is not installed. */
	assert_int_equal(setenv("OPENSSL_MODULES", "/nonexistent", 1), 0);
	assert_refuses(PASS, STATUS_INVALID_ARGUMENT, "RC2");
	assert_int_equal(unsetenv("OPENSSL_MODULES"), 0);
}

/* ---- refusing ---- */

static void
refuses_a_file_with_two_keys(void **state)
{
	BIO *bio = bio_new();

	(void)state;
	assert_int_equal(
	    PEM_write_bio_PKCS8PrivateKey(bio, p256, NULL, NULL, 0, NULL, NULL),
	    1);
	assert_int_equal(
	    PEM_write_bio_PKCS8PrivateKey(bio, rsa, NULL, NULL, 0, NULL, NULL),
	    1);
	take_bio(bio);
	assert_refuses(NULL, STATUS_INVALID_ARGUMENT, "2 private keys");
}

static void
refuses_a_pfx_with_two_keys_or_none(void **state)
{
	STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
	STACK_OF(PKCS7) *safes = NULL;
	X509 *certificate = make_certificate(p256);
	BIO *bio = bio_new();
	PKCS12 *pfx;

	(void)state;
	assert_non_null(
	    PKCS12_add_key(&bags, p256, 0, 1000, NID_aes_256_cbc, PASS));
	assert_non_null(
	    PKCS12_add_key(&bags, rsa, 0, 1000, NID_aes_256_cbc, PASS));
	assert_int_equal(PKCS12_add_safe(&safes, bags, -1, 0, NULL), 1);
	pfx = PKCS12_add_safes(safes, 0);
	assert_int_equal(
	    PKCS12_set_mac(pfx, PASS, -1, NULL, 0, 1000, EVP_sha256()), 1);
	assert_int_equal(i2d_PKCS12_bio(bio, pfx), 1);
	take_bio(bio);
	PKCS12_free(pfx);
	sk_PKCS7_pop_free(safes, PKCS7_free);
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	assert_refuses(PASS, STATUS_INVALID_ARGUMENT, "2 private keys");

	bio = bio_new();
	pfx =
	    PKCS12_create(PASS, "www", NULL, certificate, NULL, 0, 0, 0, 0, 0);
	assert_int_equal(i2d_PKCS12_bio(bio, pfx), 1);
	take_bio(bio);
	PKCS12_free(pfx);
	X509_free(certificate);
	assert_refuses(PASS, STATUS_INVALID_ARGUMENT, "no private key");
}

static void
refuses_an_iteration_count_beyond_reason_at_once(void **state)
{
	X509 *certificate = make_certificate(p256);
	PKCS12 *pfx;
	uint8_t *at;

	(void)state;
	/* The MAC's count, found and made 0x7f1010 in place. */
	pfx = PKCS12_create(
	    PASS, "www", p256, certificate, NULL, 0, 0, 2048, 0x101010, 0);
	text.len = (size_t)i2d_PKCS12(pfx, NULL);
	at = text.at;
	assert_int_equal(i2d_PKCS12(pfx, &at), (int)text.len);
	PKCS12_free(pfx);
	X509_free(certificate);
	at = memmem(text.at, text.len, "\x02\x03\x10\x10\x10", 5);
	assert_non_null(at);
	at[2] = 0x7f;
	assert_refuses(PASS, STATUS_INVALID_ARGUMENT, "iterations");
}

static void
refuses_iterations_that_add_up_beyond_reason(void **state)
{
	char why[KEY_FILE_WHY_MAX] = "";
	struct key_reading reading = { .why = why };

	(void)state;
	assert_false(failed(key_crypt_check_iterations(&reading, 5000000)));
	assert_false(failed(key_crypt_check_iterations(&reading, 4999999)));
	assert_int_equal(key_crypt_check_iterations(&reading, 2).code,
	    STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(why, "iterations"));
	assert_false(failed(key_crypt_check_iterations(&reading, 1)));
	reading.iterations = 0;
	assert_true(failed(key_crypt_check_iterations(&reading, 5000001)));
	assert_true(failed(key_crypt_check_iterations(&reading, -1)));
}

static void
counts_scrypt_too_so_that_none_is_tried_for_ever(void **state)
{
	char why[KEY_FILE_WHY_MAX] = "";
	struct key_reading reading = { .why = why };
	X509_ALGOR *how = PKCS5_pbe2_set_scrypt(
	    EVP_aes_256_cbc(), NULL, 0, NULL, 16384, 8, 1);
	bool is_legacy = true;
	unsigned n = 0;

	(void)state;
	assert_non_null(how);
	while (n < 1000 && !failed(key_crypt_check(&reading, how, &is_legacy)))
		n++;
	assert_int_equal(n, 20);
	assert_false(is_legacy);
	X509_ALGOR_free(how);
}

static void
refuses_keys_that_keyd_does_not_serve(void **state)
{
	EVP_PKEY *small = EVP_RSA_gen(1024);
	EVP_PKEY *curve = EVP_EC_gen("secp256k1");
	EVP_PKEY *named = EVP_EC_gen("P-256");

	(void)state;
	write_pkcs8(small, NULL);
	assert_refuses(NULL, STATUS_INVALID_ARGUMENT, "RSA of 1024 bits");
	write_pkcs8(curve, NULL);
	assert_refuses(NULL, STATUS_INVALID_ARGUMENT, "does not serve");
	assert_int_equal(EVP_PKEY_set_utf8_string_param(
			     named, OSSL_PKEY_PARAM_EC_ENCODING, "explicit"),
	    1);
	write_pkcs8(named, NULL);
	assert_refuses(NULL, STATUS_INVALID_ARGUMENT, "named");
	EVP_PKEY_free(small);
	EVP_PKEY_free(curve);
	EVP_PKEY_free(named);
}

static void
set_text(const char *from)
{
	text.len = strlen(from);
	memcpy(text.at, from, text.len);
}

static void
says_what_a_file_is_that_holds_no_key(void **state)
{
	X509 *certificate = make_certificate(p256);
	BIO *bio = bio_new();

	(void)state;
	assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
	X509_free(certificate);
	take_bio(bio);
	assert_refuses(NULL, STATUS_INVALID_ARGUMENT, "but CERTIFICATE");
	set_text("-----BEGIN HOLDFAST KEY-----\nAAAA\n"
		 "-----END HOLDFAST KEY-----\n");
	assert_refuses(NULL, STATUS_INVALID_ARGUMENT, "stub");
	set_text("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"
		 "-----END OPENSSH PRIVATE KEY-----\n");
	assert_refuses(NULL, STATUS_INVALID_ARGUMENT, "ssh-keygen");
	set_text("not a key");
	assert_refuses(NULL, STATUS_INVALID_ARGUMENT, "not a private key");
	text.len = 0;
	assert_refuses(NULL, STATUS_INVALID_ARGUMENT, "65536 octets");
}

static void
every_cut_of_a_file_is_refused(void **state)
{
	struct key_file file;
	char why[KEY_FILE_WHY_MAX];
	size_t whole;

	(void)state;
	write_pkcs8(p256, NULL);
	/* The last dashes and the newline are nobody's loss. */
	whole = text.len - 1;
	for (text.len = 1; text.len < whole - 5; text.len++)
		assert_true(failed(read_with(PASS, &file, why)));
	write_pfx(p256, PASS, 0, 0, NULL);
	whole = text.len;
	for (text.len = 1; text.len < whole; text.len += 7)
		assert_true(failed(read_with(PASS, &file, why)));
}

/* ---- wrapping ---- */

static void
decrypt_aes(EVP_PKEY *wrapping, const uint8_t *blob, const EVP_MD *hash,
    uint8_t ret_aes[32])
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(wrapping, NULL);
	uint8_t plain[512];
	size_t len = sizeof(plain);

	assert_int_equal(EVP_PKEY_decrypt_init(context), 1);
	EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING);
	EVP_PKEY_CTX_set_rsa_oaep_md(context, hash);
	EVP_PKEY_CTX_set_rsa_mgf1_md(context, hash);
	assert_int_equal(EVP_PKEY_decrypt(context, plain, &len, blob,
			     (size_t)EVP_PKEY_get_size(wrapping)),
	    1);
	assert_int_equal(len, 32);
	memcpy(ret_aes, plain, 32);
	EVP_PKEY_CTX_free(context);
}

static void
what_is_wrapped_opens_with_the_wrapping_key(void **state)
{
	EVP_PKEY *wrapping = EVP_RSA_gen(3072);
	uint8_t spki[1024], blob[KEY_FILE_BLOB_MAX], aes[32], plain[4096];
	uint8_t *at = spki;
	struct key_file file;
	char why[KEY_FILE_WHY_MAX];
	size_t spki_len, len = 0;

	(void)state;
	spki_len = (size_t)i2d_PUBKEY(wrapping, &at);
	for (size_t i = 0; i < KEYS; i++) {
		for (int sha256 = 0; sha256 < 2; sha256++) {
			EVP_CIPHER_CTX *kwp = EVP_CIPHER_CTX_new();
			int n = 0;

			write_pkcs8(*keys[i].key, NULL);
			assert_false(failed(read_with(NULL, &file, why)));
			assert_false(failed(key_file_wrap(&file,
			    (struct bytes){ spki, spki_len }, sha256 == 1, blob,
			    &len)));
			assert_null(memmem(
			    blob, len, secret_bytes(file.pkcs8).at + 30, 16));
			decrypt_aes(wrapping, blob,
			    sha256 == 1 ? EVP_sha256() : EVP_sha1(), aes);
			EVP_CIPHER_CTX_set_flags(
			    kwp, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
			assert_int_equal(
			    EVP_DecryptInit_ex(
				kwp, EVP_aes_256_wrap_pad(), NULL, aes, NULL),
			    1);
			assert_int_equal(EVP_DecryptUpdate(kwp, plain, &n,
					     blob + 384, (int)len - 384),
			    1);
			assert_int_equal(n, secret_bytes(file.pkcs8).len);
			assert_memory_equal(
			    plain, secret_bytes(file.pkcs8).at, (size_t)n);
			EVP_CIPHER_CTX_free(kwp);
			key_file_done(&file);
		}
	}
	EVP_PKEY_free(wrapping);
}

static void
refuses_a_wrapping_key_that_protects_nothing(void **state)
{
	EVP_PKEY *small = EVP_RSA_gen(1024);
	uint8_t spki[1024], blob[KEY_FILE_BLOB_MAX];
	uint8_t *at = spki;
	struct key_file file;
	char why[KEY_FILE_WHY_MAX];
	size_t len = 0;

	(void)state;
	write_pkcs8(p256, NULL);
	assert_false(failed(read_with(NULL, &file, why)));
	len = (size_t)i2d_PUBKEY(small, &at);
	assert_int_equal(
	    key_file_wrap(&file, (struct bytes){ spki, len }, true, blob, &len)
		.code,
	    STATUS_INVALID_ARGUMENT);
	/* An EC key, and no key at all. */
	assert_int_equal(
	    key_file_wrap(&file, (struct bytes){ file.spki, file.spki_len },
		true, blob, &len)
		.code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    key_file_wrap(&file, (struct bytes){ spki, 3 }, true, blob, &len)
		.code,
	    STATUS_INVALID_ARGUMENT);
	key_file_done(&file);
	EVP_PKEY_free(small);
}

/* ---- memory ---- */

/* How often these octets stand in this process's writable memory. */
static unsigned
count_in_memory(const uint8_t *needle, size_t len)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	FILE *mem = fopen("/proc/self/mem", "r");
	/* Its own copy of what it reads must not count. */
	static uint8_t window[1 << 16];
	char line[512];
	unsigned n = 0;

	assert_non_null(maps);
	assert_non_null(mem);
	setvbuf(mem, NULL, _IONBF, 0);
	while (fgets(line, sizeof(line), maps) != NULL) {
		unsigned long from, to;
		char mode[5];

		if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) != 3 ||
		    mode[0] != 'r' || mode[1] != 'w' ||
		    strstr(line, "[v") != NULL)
			continue;
		/* A sanitizer's shadow: terabytes, and no octets of ours. */
		if (to - from > 1ul << 28)
			continue;
		for (unsigned long at = from; at < to;) {
			size_t want =
			    to - at < sizeof(window) ? to - at : sizeof(window);

			if ((at <= (unsigned long)(uintptr_t)window +
					sizeof(window) &&
				at + want >=
				    (unsigned long)(uintptr_t)window)) {
				at += 4096;
				continue;
			}
			if (fseek(mem, (long)at, SEEK_SET) != 0 ||
			    fread(window, 1, want, mem) != want)
				break;
			for (const uint8_t *hit = window;
			     (hit = memmem(hit, want - (size_t)(hit - window),
				  needle, len)) != NULL;
			     hit++)
				n++;
			at += want > len ? want - len + 1 : want;
		}
		memset(window, 0, sizeof(window));
	}
	fclose(maps);
	fclose(mem);
	return n;
}

/* The private octets of the key in text, given away XOR 0x55 so that the
 * pattern itself is no hit. */
static size_t
private_octets(EVP_PKEY *key, uint8_t ret_at[64])
{
	BIGNUM *number = NULL;
	uint8_t octets[512];
	size_t len;

	assert_int_equal(
	    EVP_PKEY_get_bn_param(key,
		EVP_PKEY_is_a(key, "RSA") ? OSSL_PKEY_PARAM_RSA_FACTOR1
					  : OSSL_PKEY_PARAM_PRIV_KEY,
		&number),
	    1);
	len = (size_t)BN_bn2bin(number, octets);
	BN_clear_free(number);
	if (len > 32)
		len = 32;
	for (size_t i = 0; i < len; i++)
		ret_at[i] = octets[i] ^ 0x55;
	OPENSSL_cleanse(octets, sizeof(octets));
	return len;
}

static unsigned
hits(const uint8_t *masked, size_t len)
{
	uint8_t little[64], plain[64];
	unsigned n;

	for (size_t i = 0; i < len; i++) {
		plain[i] = masked[i] ^ 0x55;
		little[len - 1 - i] = plain[i];
	}
	/* Both as octets and as a little-endian number; less what is here. */
	n = count_in_memory(plain, len) + count_in_memory(little, len);
	OPENSSL_cleanse(plain, sizeof(plain));
	OPENSSL_cleanse(little, sizeof(little));
	return n - 2;
}

static void
nothing_of_a_key_stays_in_memory(void **state)
{
	EVP_PKEY *wrapping = EVP_RSA_gen(2048);
	uint8_t spki[1024], blob[KEY_FILE_BLOB_MAX], masked[64];
	uint8_t *at = spki;
	size_t spki_len = (size_t)i2d_PUBKEY(wrapping, &at), len, blob_len;

	(void)state;
	assert_true(guarded);
	for (unsigned kind = 0; kind < 6; kind++) {
		EVP_PKEY *key =
		    kind % 2 == 0 ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048);
		struct key_file file;
		char why[KEY_FILE_WHY_MAX];

		len = private_octets(key, masked);
		if (kind < 2)
			write_pkcs8(key, NULL);
		else if (kind < 4)
			write_pkcs8(key, EVP_aes_256_cbc());
		else
			write_pfx(key, PASS, 0, 0, NULL);
		EVP_PKEY_free(key);
		assert_false(failed(read_with(PASS, &file, why)));
		assert_false(failed(key_file_wrap(&file,
		    (struct bytes){ spki, spki_len }, false, blob, &blob_len)));
		/* It finds what is there ... */
		assert_true(hits(masked, len) > 0);
		key_file_done(&file);
		OPENSSL_cleanse(text.at, sizeof(text.at));
		/* ... and then nothing. */
		assert_int_equal(hits(masked, len), 0);
	}
	EVP_PKEY_free(wrapping);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_pkcs8_pem_of_every_algorithm),
		cmocka_unit_test(reads_pkcs1_and_sec1_pem),
		cmocka_unit_test(reads_der_of_every_kind),
		cmocka_unit_test(
		    reads_encrypted_pem_and_says_when_the_passphrase_is_wrong),
		cmocka_unit_test(each_wrong_passphrase_is_told_as_such),
		cmocka_unit_test(
		    an_encrypted_file_without_a_passphrase_is_refused_as_such),
		cmocka_unit_test(reads_a_key_among_its_certificates),
		cmocka_unit_test(
		    reads_a_sec1_key_whose_point_is_compressed_or_missing),
		cmocka_unit_test(reads_pfx_with_a_password_and_without),
		cmocka_unit_test(reads_a_pfx_of_old_ciphers),
		cmocka_unit_test(a_cipher_that_openssl_cannot_read_is_named),
		cmocka_unit_test(refuses_a_file_with_two_keys),
		cmocka_unit_test(refuses_a_pfx_with_two_keys_or_none),
		cmocka_unit_test(
		    refuses_an_iteration_count_beyond_reason_at_once),
		cmocka_unit_test(refuses_iterations_that_add_up_beyond_reason),
		cmocka_unit_test(
		    counts_scrypt_too_so_that_none_is_tried_for_ever),
		cmocka_unit_test(refuses_keys_that_keyd_does_not_serve),
		cmocka_unit_test(says_what_a_file_is_that_holds_no_key),
		cmocka_unit_test(every_cut_of_a_file_is_refused),
		cmocka_unit_test(what_is_wrapped_opens_with_the_wrapping_key),
		cmocka_unit_test(refuses_a_wrapping_key_that_protects_nothing),
		cmocka_unit_test(nothing_of_a_key_stays_in_memory),
	};
	int rc;

	guarded = key_file_guard();
	p256 = EVP_EC_gen("P-256");
	p384 = EVP_EC_gen("P-384");
	rsa = EVP_RSA_gen(2048);
	ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (p256 == NULL || p384 == NULL || rsa == NULL || ed25519 == NULL)
		return 2;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	for (size_t i = 0; i < KEYS; i++)
		EVP_PKEY_free(*keys[i].key);
	return rc;
}
