/* SPDX-License-Identifier: Apache-2.0 */

/* certd's own secrets, of which the database has the salt alone. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include <cmocka.h>

#include "certd/secrets.h"

static char folder[64];
static char path[96];

static int
set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/test_secrets.XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/" SECRETS_FILE, folder);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static void
derive(const char *purpose, const char *salt, uint8_t ret[SECRETS_LEN])
{
	scoped(secrets_close) struct secrets *secrets = NULL;

	assert_false(failed(secrets_open(folder, &secrets)));
	assert_false(failed(secrets_derive(secrets, purpose,
	    (struct bytes){ (const uint8_t *)salt, strlen(salt) }, ret)));
}

static void
makes_the_same_secret_again_after_a_restart(void **state)
{
	uint8_t first[SECRETS_LEN], again[SECRETS_LEN];
	struct stat seen;

	(void)state;
	derive("totp", "0123456789abcdef", first);
	derive("totp", "0123456789abcdef", again);
	assert_memory_equal(first, again, SECRETS_LEN);
	assert_int_equal(stat(path, &seen), 0);
	assert_int_equal(seen.st_mode & 07777, 0600);
}

static void
makes_another_for_each_purpose_and_salt_and_key(void **state)
{
	uint8_t first[SECRETS_LEN], other[SECRETS_LEN];

	(void)state;
	derive("totp", "0123456789abcdef", first);
	derive("webhook", "0123456789abcdef", other);
	assert_memory_not_equal(first, other, SECRETS_LEN);
	derive("totp", "0123456789abcdeg", other);
	assert_memory_not_equal(first, other, SECRETS_LEN);
	assert_int_equal(unlink(path), 0);
	derive("totp", "0123456789abcdef", other);
	assert_memory_not_equal(first, other, SECRETS_LEN);
}

/* RFC 5869's construction, by OpenSSL's HMAC alone. */
static void
derives_as_hkdf_says(void **state)
{
	static const char KEY[] = "00112233445566778899aabbccddeeff"
				  "00112233445566778899aabbccddeeff";
	/* openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt key:KEY
	 * -kdfopt salt:saltsaltsaltsalt -kdfopt info:totp HKDF */
	static const char EXPECTED[] =
	    "0b440d5caf3eabb25b0e1df18f6e789f49d9f66ef2c965c7b5adc087810c6d1b";
	uint8_t secret[SECRETS_LEN];
	char hex[2 * SECRETS_LEN + 1];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, KEY, sizeof(KEY) - 1), sizeof(KEY) - 1);
	close(fd);
	derive("totp", "saltsaltsaltsalt", secret);
	bytes_to_hex((struct bytes){ secret, sizeof(secret) }, hex);
	assert_string_equal(hex, EXPECTED);
}

static void
refuses_a_key_that_others_can_read_or_that_is_cut(void **state)
{
	struct secrets *secrets = NULL;
	uint8_t secret[SECRETS_LEN];

	(void)state;
	derive("totp", "0123456789abcdef", secret);
	assert_int_equal(chmod(path, 0644), 0);
	assert_true(failed(secrets_open(folder, &secrets)));
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(truncate(path, 10), 0);
	assert_true(failed(secrets_open(folder, &secrets)));
	assert_null(secrets);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    makes_the_same_secret_again_after_a_restart, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    makes_another_for_each_purpose_and_salt_and_key, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    derives_as_hkdf_says, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    refuses_a_key_that_others_can_read_or_that_is_cut, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
