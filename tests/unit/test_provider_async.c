/* SPDX-License-Identifier: Apache-2.0 */
/* holdfast.so in ASYNC jobs: pauses, never blocks, and leaves nothing behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <poll.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <openssl/async.h>
#include <openssl/err.h>

#include "tests/unit/provider_bed.h"

static void
assert_said(const char *words)
{
	const char *errors = bed_errors();

	if (strstr(errors, words) == NULL)
		fail_msg("\"%s\" is not in: %s", words, errors);
}

/* One signature in a job, and what came of it. */
struct task {
	EVP_PKEY *key;
	const char *content;
	uint8_t signature[512];
	size_t len;
};

static int
run_task(void *arg)
{
	struct task *task = *(struct task **)arg;

	task->len = bed_sign(task->key, task->content, task->signature);
	return 1;
}

/* Start or go on with a job; ASYNC_PAUSE or ASYNC_FINISH. */
static int
step(struct task *task, ASYNC_JOB **job, ASYNC_WAIT_CTX *ctx)
{
	int ret;

	return ASYNC_start_job(job, ctx, &ret, run_task, &task, sizeof(task));
}

static int
wait_fd(ASYNC_WAIT_CTX *ctx)
{
	OSSL_ASYNC_FD fd = -1;
	size_t n = 1;

	assert_int_equal(ASYNC_WAIT_CTX_get_all_fds(ctx, &fd, &n), 1);
	assert_int_equal(n, 1);
	return fd;
}

static void
wait_for_answer(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&ready, 1, 60000), 1);
}

static void
a_job_pauses_until_the_answer_is_there(void **state)
{
	struct task task = { bed_load(bed.libctx, BED_P256), "job", { 0 }, 0 };
	ASYNC_WAIT_CTX *ctx = ASYNC_WAIT_CTX_new();
	ASYNC_JOB *job = NULL;
	int first = -1;

	(void)state;
	/* A connection serves its wait context for many signatures. */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(step(&task, &job, ctx), ASYNC_PAUSE);
		if (first < 0)
			first = wait_fd(ctx);
		assert_int_equal(wait_fd(ctx), first);
		wait_for_answer(first);
		assert_int_equal(step(&task, &job, ctx), ASYNC_FINISH);
		assert_true(
		    bed_verifies(BED_P256, "job", task.signature, task.len));
	}
	ASYNC_WAIT_CTX_free(ctx);
	EVP_PKEY_free(task.key);
}

static void
a_job_pauses_once_even_when_the_answer_is_there_first(void **state)
{
	struct task task = { bed_load(bed.libctx, BED_P256), "job", { 0 }, 0 };
	ASYNC_WAIT_CTX *ctx = ASYNC_WAIT_CTX_new();
	ASYNC_JOB *job = NULL;

	(void)state;
	bed_cue("ahead");
	assert_int_equal(step(&task, &job, ctx), ASYNC_PAUSE);
	wait_for_answer(wait_fd(ctx));
	assert_int_equal(step(&task, &job, ctx), ASYNC_FINISH);
	/* The answer to what comes next, before it is asked. */
	wait_for_answer(wait_fd(ctx));
	assert_int_equal(step(&task, &job, ctx), ASYNC_PAUSE);
	assert_int_equal(step(&task, &job, ctx), ASYNC_FINISH);
	assert_true(bed_verifies(BED_P256, "job", task.signature, task.len));
	ASYNC_WAIT_CTX_free(ctx);
	EVP_PKEY_free(task.key);
}

static void
a_job_resumed_too_early_pauses_again(void **state)
{
	struct task task = { bed_load(bed.libctx, BED_P256), "job", { 0 }, 0 };
	ASYNC_WAIT_CTX *ctx = ASYNC_WAIT_CTX_new();
	ASYNC_JOB *job = NULL;

	(void)state;
	bed_cue("silent");
	assert_int_equal(step(&task, &job, ctx), ASYNC_PAUSE);
	assert_int_equal(step(&task, &job, ctx), ASYNC_PAUSE);
	assert_int_equal(step(&task, &job, ctx), ASYNC_PAUSE);
	/* Silence ends with the connection; the retry is not silent. */
	bed_cue("");
	bed_agent_stop();
	bed_agent_start();
	wait_for_answer(wait_fd(ctx));
	assert_int_equal(step(&task, &job, ctx), ASYNC_FINISH);
	assert_true(bed_verifies(BED_P256, "job", task.signature, task.len));
	ASYNC_WAIT_CTX_free(ctx);
	EVP_PKEY_free(task.key);
}

static void
jobs_wait_side_by_side(void **state)
{
	enum {
		JOBS = 20
	};
	struct task tasks[JOBS];
	ASYNC_WAIT_CTX *ctx[JOBS];
	ASYNC_JOB *jobs[JOBS] = { NULL };
	EVP_PKEY *key = bed_load(bed.libctx, BED_P256);

	(void)state;
	for (int i = 0; i < JOBS; i++) {
		tasks[i] = (struct task){ key, "job", { 0 }, 0 };
		ctx[i] = ASYNC_WAIT_CTX_new();
		assert_int_equal(
		    step(&tasks[i], &jobs[i], ctx[i]), ASYNC_PAUSE);
	}
	for (int i = JOBS - 1; i >= 0; i--) {
		wait_for_answer(wait_fd(ctx[i]));
		assert_int_equal(
		    step(&tasks[i], &jobs[i], ctx[i]), ASYNC_FINISH);
		assert_true(bed_verifies(
		    BED_P256, "job", tasks[i].signature, tasks[i].len));
		ASYNC_WAIT_CTX_free(ctx[i]);
	}
	EVP_PKEY_free(key);
}

static void
a_job_fails_at_once_with_edged_down_and_leaves_no_descriptor(void **state)
{
	struct task task = { bed_load(bed.libctx, BED_P256), "job", { 0 }, 1 };
	ASYNC_WAIT_CTX *ctx = ASYNC_WAIT_CTX_new();
	ASYNC_JOB *job = NULL;
	size_t n = 1;

	(void)state;
	bed_agent_stop();
	assert_int_equal(step(&task, &job, ctx), ASYNC_FINISH);
	assert_int_equal(task.len, 0);
	assert_said("edged is not reachable");
	assert_int_equal(ASYNC_WAIT_CTX_get_all_fds(ctx, NULL, &n), 1);
	assert_int_equal(n, 0);
	ASYNC_WAIT_CTX_free(ctx);
	EVP_PKEY_free(task.key);
}

static void
a_job_with_a_garbled_answer_keeps_its_descriptor_and_blocks_next(void **state)
{
	struct task task = { bed_load(bed.libctx, BED_P256), "job", { 0 }, 1 };
	ASYNC_WAIT_CTX *ctx = ASYNC_WAIT_CTX_new();
	ASYNC_JOB *job = NULL;
	int fd;

	(void)state;
	bed_cue("garbage");
	assert_int_equal(step(&task, &job, ctx), ASYNC_PAUSE);
	fd = wait_fd(ctx);
	wait_for_answer(fd);
	assert_int_equal(step(&task, &job, ctx), ASYNC_FINISH);
	assert_int_equal(task.len, 0);
	assert_said("edged answered with garbage");
	assert_int_equal(wait_fd(ctx), fd);
	bed_cue("");
	assert_int_equal(step(&task, &job, ctx), ASYNC_FINISH);
	assert_true(bed_verifies(BED_P256, "job", task.signature, task.len));
	assert_int_equal(wait_fd(ctx), fd);
	ASYNC_WAIT_CTX_free(ctx);
	EVP_PKEY_free(task.key);
}

static void
a_job_blocks_when_the_descriptor_would_be_too_high(void **state)
{
	char settings[256];
	struct task task = { NULL, "job", { 0 }, 0 };
	ASYNC_WAIT_CTX *ctx = ASYNC_WAIT_CTX_new();
	ASYNC_JOB *job = NULL;
	OSSL_LIB_CTX *libctx;

	(void)state;
	snprintf(settings, sizeof(settings),
	    "socket = %s/edged.sock\nasync-max-fd = 2", bed.dir);
	libctx = bed_libctx(settings);
	task.key = bed_load(libctx, BED_P256);
	assert_int_equal(step(&task, &job, ctx), ASYNC_FINISH);
	assert_true(bed_verifies(BED_P256, "job", task.signature, task.len));
	ASYNC_WAIT_CTX_free(ctx);
	EVP_PKEY_free(task.key);
	OSSL_LIB_CTX_free(libctx);
}

/*
 * In a child: OpenSSL loses what the abandoned job held, which the parent's
 * leak check would count.
 */
static void
a_job_given_up_while_paused_closes_its_descriptor(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		struct task task = { bed_load(bed.libctx, BED_P256), "job",
			{ 0 }, 0 };
		bool good = true;
		int lowest = dup(0);

		close(lowest);
		for (int i = 0; i < 20 && good; i++) {
			ASYNC_WAIT_CTX *ctx = ASYNC_WAIT_CTX_new();
			ASYNC_JOB *job = NULL;

			good = step(&task, &job, ctx) == ASYNC_PAUSE &&
			       wait_fd(ctx) == lowest;
			ASYNC_WAIT_CTX_free(ctx);
		}
		/* And jobs that are not given up still work. */
		if (good) {
			size_t len =
			    bed_sign(task.key, "later", task.signature);

			good = bed_verifies(
			    BED_P256, "later", task.signature, len);
		}
		_exit(good ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, bed_fresh)
	const struct CMUnitTest tests[] = {
		TEST(a_job_pauses_until_the_answer_is_there),
		TEST(a_job_pauses_once_even_when_the_answer_is_there_first),
		TEST(a_job_resumed_too_early_pauses_again),
		TEST(jobs_wait_side_by_side),
		TEST(
		    a_job_fails_at_once_with_edged_down_and_leaves_no_descriptor),
		TEST(
		    a_job_with_a_garbled_answer_keeps_its_descriptor_and_blocks_next),
		TEST(a_job_blocks_when_the_descriptor_would_be_too_high),
		TEST(a_job_given_up_while_paused_closes_its_descriptor),
	};

	return cmocka_run_group_tests(tests, bed_setup, bed_teardown);
}
