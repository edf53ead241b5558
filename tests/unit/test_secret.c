/* SPDX-License-Identifier: Apache-2.0 */
/* base/secret.c: where secrets live, and which files may hold one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/secret.h"

/* The sanitizers answer mlock themselves and do nothing. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MLOCK_IS_STUBBED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MLOCK_IS_STUBBED 1
#endif
#endif
#ifndef MLOCK_IS_STUBBED
#define MLOCK_IS_STUBBED 0
#endif

static char directory[64];
static char path[96];

static int
make_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/test-secret-XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/pin", directory);
	return 0;
}

static int
remove_directory(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

static void
write_file(const char *content, size_t len, mode_t mode)
{
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

/* The VmFlags line of the mapping that holds at; "" when it is not mapped. */
static void
flags_of(const void *at, char *ret_flags, size_t max)
{
	FILE *maps = fopen("/proc/self/smaps", "re");
	char line[512];
	bool is_it = false;

	assert_non_null(maps);
	ret_flags[0] = '\0';
	while (fgets(line, sizeof(line), maps) != NULL) {
		uintptr_t from, to;

		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2)
			is_it = (uintptr_t)at >= from && (uintptr_t)at < to;
		else if (is_it && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(ret_flags, max, "%s", line);
	}
	fclose(maps);
}

static void
is_locked_and_left_out_of_core_files_and_forks(void **state)
{
	struct secret *secret = secret_new(32);
	const void *at = secret_at(secret);
	char flags[512];

	(void)state;
	flags_of(at, flags, sizeof(flags));
	if (!MLOCK_IS_STUBBED)
		assert_non_null(strstr(flags, " lo")); /* locked */
	assert_non_null(strstr(flags, " dd"));         /* not dumped */
	assert_non_null(strstr(flags, " wf"));         /* wiped on fork */
	secret_free(secret);
	secret_free(NULL);
}

static void
a_child_sees_zeros_and_may_free_them(void **state)
{
	struct secret *secret = secret_new(32);
	int status;
	pid_t child;

	(void)state;
	memset(secret_at(secret), 0xa5, 32);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		static const uint8_t zeros[32];
		int differs = memcmp(secret_at(secret), zeros, 32);

		secret_free(secret);
		_exit(differs != 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(secret_at(secret)[31], 0xa5);
	secret_free(secret);
}

static void
begins_as_zeros_of_any_size(void **state)
{
	static const size_t sizes[] = { 1, 4095, 4096, 4097, 65536 };

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct secret *secret = secret_new(sizes[i]);

		assert_non_null(secret);
		assert_int_equal(secret_bytes(secret).len, sizes[i]);
		assert_int_equal(secret_at(secret)[0], 0);
		assert_int_equal(secret_at(secret)[sizes[i] - 1], 0);
		secret_free(secret);
	}
}

static void
reads_a_file_and_drops_one_newline(void **state)
{
	static const struct {
		const char *content;
		const char *secret;
	} cases[] = {
		{ "1234", "1234" },
		{ "1234\n", "1234" },
		{ "12 34\n\n", "12 34\n" },
		{ "1\n2", "1\n2" },
		{ "\r\n", "\r" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct secret *secret = NULL;

		write_file(cases[i].content, strlen(cases[i].content), 0400);
		assert_int_equal(
		    secret_from_file(path, &secret).code, STATUS_OK);
		assert_true(bytes_equal(
		    secret_bytes(secret), bytes_of(cases[i].secret)));
		secret_free(secret);
	}
}

static void
refuses_a_file_that_others_may_read_or_write(void **state)
{
	static const mode_t modes[] = { 0640, 0620, 0604, 0602, 0666 };
	struct secret *secret = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		write_file("1234", 4, modes[i]);
		assert_int_equal(secret_from_file(path, &secret).code,
		    STATUS_FAILED_PRECONDITION);
	}
	assert_null(secret);
}

static void
a_long_file_of_secrets_is_read_and_a_longer_one_refused(void **state)
{
	static char content[65536];
	struct secret *secret = NULL;

	(void)state;
	memset(content, 'x', sizeof(content));
	write_file(content, 65536, 0600);
	assert_int_equal(
	    secret_from_long_file(path, &secret).code, STATUS_INVALID_ARGUMENT);
	write_file(content, 65535, 0600);
	assert_int_equal(secret_from_long_file(path, &secret).code, STATUS_OK);
	assert_int_equal(secret_bytes(secret).len, 65535);
	secret_free(secret);
}

static void
refuses_empty_and_oversized_files(void **state)
{
	static char content[4097];
	struct secret *secret = NULL;

	(void)state;
	memset(content, 'x', sizeof(content));
	write_file("", 0, 0600);
	assert_int_equal(
	    secret_from_file(path, &secret).code, STATUS_INVALID_ARGUMENT);
	write_file("\n", 1, 0600);
	assert_int_equal(
	    secret_from_file(path, &secret).code, STATUS_INVALID_ARGUMENT);
	write_file(content, 4097, 0600);
	assert_int_equal(
	    secret_from_file(path, &secret).code, STATUS_INVALID_ARGUMENT);
	write_file(content, 4096, 0600);
	assert_int_equal(secret_from_file(path, &secret).code, STATUS_OK);
	assert_int_equal(secret_bytes(secret).len, 4096);
	secret_free(secret);
}

static void
refuses_what_is_not_a_file_without_waiting_on_it(void **state)
{
	struct secret *secret = NULL;

	(void)state;
	unlink(path);
	assert_int_equal(
	    secret_from_file(path, &secret).code, STATUS_NOT_FOUND);
	assert_int_equal(
	    secret_from_file(directory, &secret).code, STATUS_INVALID_ARGUMENT);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(
	    secret_from_file(path, &secret).code, STATUS_INVALID_ARGUMENT);
}

static void
finds_a_credential_where_systemd_puts_it(void **state)
{
	struct secret *secret = NULL;

	(void)state;
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_int_equal(
	    secret_from_file("$CREDENTIALS_DIRECTORY/pin", &secret).code,
	    STATUS_FAILED_PRECONDITION);
	setenv("CREDENTIALS_DIRECTORY", directory, 1);
	/* The access list that lets the service in shows as group bits. */
	write_file("1234", 4, 0440);
	assert_int_equal(
	    secret_from_file("$CREDENTIALS_DIRECTORY/pin", &secret).code,
	    STATUS_OK);
	assert_true(bytes_equal(secret_bytes(secret), bytes_of("1234")));
	secret_free(secret);
	write_file("1234", 4, 0444);
	assert_int_equal(
	    secret_from_file("$CREDENTIALS_DIRECTORY/pin", &secret).code,
	    STATUS_FAILED_PRECONDITION);
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void
random_secrets_are_full_and_differ(void **state)
{
	struct secret *a = NULL, *b = NULL;
	static const uint8_t zeros[16];

	(void)state;
	assert_int_equal(secret_random(1000, &a).code, STATUS_OK);
	assert_int_equal(secret_random(1000, &b).code, STATUS_OK);
	assert_false(secret_equal(secret_bytes(a), secret_bytes(b)));
	assert_memory_not_equal(secret_at(a) + 984, zeros, 16);
	secret_free(a);
	secret_free(b);
}

static void
equal_means_same_length_and_content(void **state)
{
	(void)state;
	assert_true(secret_equal(bytes_of("1234"), bytes_of("1234")));
	assert_false(secret_equal(bytes_of("1234"), bytes_of("1235")));
	assert_false(secret_equal(bytes_of("1234"), bytes_of("123")));
	assert_true(secret_equal(bytes_of(""), bytes_of("")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    is_locked_and_left_out_of_core_files_and_forks),
		cmocka_unit_test(a_child_sees_zeros_and_may_free_them),
		cmocka_unit_test(begins_as_zeros_of_any_size),
		cmocka_unit_test(reads_a_file_and_drops_one_newline),
		cmocka_unit_test(refuses_a_file_that_others_may_read_or_write),
		cmocka_unit_test(
		    a_long_file_of_secrets_is_read_and_a_longer_one_refused),
		cmocka_unit_test(refuses_empty_and_oversized_files),
		cmocka_unit_test(
		    refuses_what_is_not_a_file_without_waiting_on_it),
		cmocka_unit_test(finds_a_credential_where_systemd_puts_it),
		cmocka_unit_test(random_secrets_are_full_and_differ),
		cmocka_unit_test(equal_means_same_length_and_content),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
