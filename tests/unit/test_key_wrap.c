/* SPDX-License-Identifier: Apache-2.0 */

/* What a private key is wrapped for, and how its file is read. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/signing.h"
#include "tools/cli.h"
#include "tools/key_wrap.h"

#define SHA1                                                                   \
	HOLDFAST__KEYD__V1__IMPORT_WRAPPING__IMPORT_WRAPPING_RSA_OAEP_SHA1_AES_256_KWP
#define SHA256                                                                 \
	HOLDFAST__KEYD__V1__IMPORT_WRAPPING__IMPORT_WRAPPING_RSA_OAEP_SHA256_AES_256_KWP

static char said[256];
static uint8_t spki[1024];
static size_t spki_len;
static struct key_id id;

/* As tools/cli.c's, but into said. */
int
cli_fail(enum cli_exit code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)!vsnprintf(said, sizeof(said), format, arguments);
	va_end(arguments);
	return (int)code;
}

static int
setup_all(void **state)
{
	EVP_PKEY *key = EVP_RSA_gen(3072);
	uint8_t *at = spki;

	(void)state;
	assert_non_null(key);
	spki_len = (size_t)i2d_PUBKEY(key, &at);
	assert_true(key_id_of_spki((struct bytes){ spki, spki_len }, &id));
	EVP_PKEY_free(key);
	return 0;
}

/* What keyd says, with all of it right. */
static Holdfast__Keyd__V1__ImportParametersResponse
parameters(void)
{
	Holdfast__Keyd__V1__ImportParametersResponse p;

	holdfast__keyd__v1__import_parameters_response__init(&p);
	p.wrapping = SHA256;
	p.wrapping_key = (ProtobufCBinaryData){ spki_len, spki };
	p.wrapping_key_id = (ProtobufCBinaryData){ KEY_ID_LEN, id.at };
	return p;
}

static void
make_file(struct key_file *ret_file)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	BIO *pem = BIO_new(BIO_s_mem());
	char *octets, why[KEY_FILE_WHY_MAX];
	long len;

	assert_int_equal(
	    PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL), 1);
	len = BIO_get_mem_data(pem, &octets);
	assert_false(failed(
	    key_file_read((struct bytes){ (uint8_t *)octets, (size_t)len },
		NULL, ret_file, why)));
	BIO_free(pem);
	EVP_PKEY_free(key);
}

static void
assert_refused(
    const Holdfast__Keyd__V1__ImportParametersResponse *p, const char *words)
{
	uint8_t blob[KEY_FILE_BLOB_MAX];
	struct key_file file;
	size_t len = 7;

	make_file(&file);
	assert_int_equal(key_wrap_now(p, &file, blob, &len), EXIT_REFUSED);
	assert_non_null(strstr(said, words));
	assert_int_equal(len, 7);
	key_file_done(&file);
}

static void
a_wrapped_key_is_not_kept_in_the_clear(void **state)
{
	static const int kinds[] = { SHA1, SHA256 };
	Holdfast__Keyd__V1__ImportParametersResponse p = parameters();
	uint8_t blob[KEY_FILE_BLOB_MAX];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct key_file file;
		size_t len = 0;

		make_file(&file);
		p.wrapping = (Holdfast__Keyd__V1__ImportWrapping)kinds[i];
		assert_int_equal(key_wrap_now(&p, &file, blob, &len), 0);
		/* The AES key of RSA's length, and then what it wraps. */
		assert_true(len > 384);
		assert_null(file.pkcs8);
		/* The public half is still there. */
		assert_true(file.spki_len > 0);
		key_file_done(&file);
	}
}

static void
a_wrapping_key_that_its_id_does_not_name_is_refused(void **state)
{
	Holdfast__Keyd__V1__ImportParametersResponse p = parameters();
	struct key_id other = id;

	(void)state;
	other.at[0] ^= 1;
	p.wrapping_key_id.data = other.at;
	assert_refused(&p, "not the one that its id names");
	p = parameters();
	p.wrapping_key_id.len--;
	assert_refused(&p, "not the one that its id names");
	p = parameters();
	p.wrapping_key_id = (ProtobufCBinaryData){ 0, NULL };
	assert_refused(&p, "not the one that its id names");
}

static void
a_way_of_wrapping_that_is_not_known_is_refused(void **state)
{
	Holdfast__Keyd__V1__ImportParametersResponse p = parameters();

	(void)state;
	p.wrapping = (Holdfast__Keyd__V1__ImportWrapping)0;
	assert_refused(&p, "does not know");
	p.wrapping = (Holdfast__Keyd__V1__ImportWrapping)99;
	assert_refused(&p, "does not know");
}

/* A file of that many octets; unlinked at once by the caller. */
static void
write_file(char *path, size_t n)
{
	static const uint8_t zeros[KEY_FILE_MAX];
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, zeros, n), n);
	close(fd);
}

static void
a_file_is_read_whole_or_refused_as_too_long(void **state)
{
	char fits[] = "/tmp/key_wrap.XXXXXX",
	     long_one[] = "/tmp/key_wrap.XXXXXX";
	struct secret *octets = NULL;
	size_t len = 0;

	(void)state;
	write_file(fits, KEY_FILE_MAX - 1);
	write_file(long_one, KEY_FILE_MAX);
	assert_int_equal(key_wrap_read(fits, &octets, &len), 0);
	assert_int_equal(len, KEY_FILE_MAX - 1);
	secret_free(octets);
	octets = NULL;
	assert_int_equal(key_wrap_read(long_one, &octets, &len), EXIT_REFUSED);
	assert_non_null(strstr(said, "longer than any"));
	assert_null(octets);
	unlink(fits);
	unlink(long_one);
	assert_int_equal(key_wrap_read(fits, &octets, &len), EXIT_REFUSED);
	assert_non_null(strstr(said, "No such file"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrapped_key_is_not_kept_in_the_clear),
		cmocka_unit_test(
		    a_wrapping_key_that_its_id_does_not_name_is_refused),
		cmocka_unit_test(
		    a_way_of_wrapping_that_is_not_known_is_refused),
		cmocka_unit_test(a_file_is_read_whole_or_refused_as_too_long),
	};

	return cmocka_run_group_tests(tests, setup_all, NULL);
}
