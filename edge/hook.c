/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One run of the hook, by base/program.h, and what is to be said of it: all
 * that it wrote goes to the log, its last line to whoever waits.
 */

#include "edge/hook.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/program.h"

static struct status
judge(const struct program_result *result, char *ret_why)
{
	char text[HOOK_WHY_MAX - 16];

	if (program_succeeded(result))
		return status_ok();
	if (result->end == PROGRAM_STOPPED)
		return status_fail(STATUS_CANCELLED, "edged is stopping");
	program_describe(result, text, sizeof(text));
	(void)!snprintf(ret_why, HOOK_WHY_MAX, "the hook %s", text);
	if (result->end == PROGRAM_LATE)
		return status_fail(
		    STATUS_DEADLINE_EXCEEDED, "the hook took too long");
	return status_fail(STATUS_UNAVAILABLE, "the hook failed");
}

static void
log_run(const struct program_result *result, struct status st, const char *why)
{
	char text[PROGRAM_TAIL_MAX + 1];

	memcpy(text, result->errors.at, result->errors.len);
	text[result->errors.len] = '\0';
	if (failed(st))
		log_warn("the hook failed", LOG_STR("why", why),
		    LOG_STR("output", text));
	else
		log_info("the hook ran", LOG_STR("output", text));
}

STATUS
hook_run(char *const *argv, int64_t timeout_ns, int stop_fd, char *ret_why)
{
	char *const environment[] = { program_path_setting, NULL };
	const struct program program = { .argv = argv,
		.environment = environment,
		.timeout_ns = timeout_ns,
		.stop_fd = stop_fd };
	struct program_result result;
	struct status st = program_run(&program, &result);

	ret_why[0] = '\0';
	if (failed(st)) {
		(void)!snprintf(ret_why, HOOK_WHY_MAX,
		    "the hook cannot be started: %s: %s", argv[0],
		    st.detail != 0 ? strerrordesc_np((int)st.detail) : st.why);
		log_warn("the hook failed", LOG_STR("why", ret_why));
		return st;
	}
	st = judge(&result, ret_why);
	log_run(&result, st, ret_why);
	return st;
}
