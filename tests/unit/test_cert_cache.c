/* SPDX-License-Identifier: Apache-2.0 */

/* Certificates that were read lately, by their fingerprints. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pki/cert_cache.h"

#define MAX 64

/* Of tests that ran before nothing is found, by fingerprints of its own. */
static uint8_t generation;

static int
start(void **state)
{
	(void)state;
	generation++;
	return 0;
}

static void
print(unsigned n, uint8_t ret_fingerprint[PKI_FINGERPRINT_LEN])
{
	memset(ret_fingerprint, 0, PKI_FINGERPRINT_LEN);
	ret_fingerprint[0] = generation;
	/* They differ in their last octets alone. */
	ret_fingerprint[PKI_FINGERPRINT_LEN - 2] = (uint8_t)(n >> 8);
	ret_fingerprint[PKI_FINGERPRINT_LEN - 1] = (uint8_t)n;
}

/* Known by its serial number; the cache alone holds it afterwards. */
static void
put(unsigned n)
{
	uint8_t fingerprint[PKI_FINGERPRINT_LEN];
	X509 *x509 = X509_new();

	assert_non_null(x509);
	assert_int_equal(
	    ASN1_INTEGER_set(X509_get_serialNumber(x509), (long)n), 1);
	print(n, fingerprint);
	cert_cache_put(fingerprint, x509);
	X509_free(x509);
}

static X509 *
get(unsigned n)
{
	uint8_t fingerprint[PKI_FINGERPRINT_LEN];

	print(n, fingerprint);
	return cert_cache_get(fingerprint);
}

/* -1: none. */
static long
serial_of(unsigned n)
{
	X509 *x509 = get(n);
	long serial = -1;

	if (x509 != NULL)
		serial = ASN1_INTEGER_get(X509_get0_serialNumber(x509));
	X509_free(x509);
	return serial;
}

static void
what_was_put_is_found_by_its_whole_fingerprint(void **state)
{
	(void)state;
	assert_int_equal(serial_of(1), -1);
	put(1);
	put(2);
	put(0x101);
	assert_int_equal(serial_of(1), 1);
	assert_int_equal(serial_of(2), 2);
	assert_int_equal(serial_of(0x101), 0x101);
	assert_int_equal(serial_of(0x102), -1);
	/* However often. */
	assert_int_equal(serial_of(1), 1);
}

static void
the_fingerprint_of_zeros_is_nobodys(void **state)
{
	static const uint8_t zeros[PKI_FINGERPRINT_LEN];

	(void)state;
	assert_null(cert_cache_get(zeros));
}

static void
the_newest_64_are_kept_and_the_oldest_goes(void **state)
{
	(void)state;
	for (unsigned n = 0; n < MAX; n++)
		put(n);
	for (unsigned n = 0; n < MAX; n++)
		assert_int_equal(serial_of(n), n);
	for (unsigned n = MAX; n < 3 * MAX + 1; n++) {
		put(n);
		assert_int_equal(serial_of(n - MAX), -1);
		assert_int_equal(serial_of(n - MAX + 1), n - MAX + 1);
		assert_int_equal(serial_of(n), n);
	}
}

static void
what_was_got_is_the_callers_own(void **state)
{
	X509 *held;

	(void)state;
	put(0);
	held = get(0);
	assert_non_null(held);
	for (unsigned n = 1; n <= MAX; n++)
		put(n);
	assert_int_equal(serial_of(0), -1);
	assert_int_equal(ASN1_INTEGER_get(X509_get0_serialNumber(held)), 0);
	X509_free(held);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		/* First, while entries are as the process began. */
		TEST(the_fingerprint_of_zeros_is_nobodys),
		TEST(what_was_put_is_found_by_its_whole_fingerprint),
		TEST(the_newest_64_are_kept_and_the_oldest_goes),
		TEST(what_was_got_is_the_callers_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
