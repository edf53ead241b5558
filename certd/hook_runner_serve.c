/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The end of hook_runner.h that runs programs: a thread for each channel, and
 * one that watches whether certd is there.  What is run comes from the
 * configuration that was read at start; certd gives its number, and names and
 * values that are put after it or into its environment, where they are checked
 * letter by letter: who has taken over certd cannot have anything else run.
 */

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/handover.h"
#include "base/log.h"
#include "base/printable.h"
#include "base/program.h"
#include "base/scoped.h"
#include "certd/hook_runner_int.h"

#define ARGUMENTS_MAX 16 /* as the schema has it */
#define SETTING_MAX (HOOK_RUNNER_OUTPUT_MAX + 64)
#define ERRORS_MAX 400
#define LOWER_NUMBER "abcdefghijklmnopqrstuvwxyz0123456789"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define CHALLENGE_LABEL "_acme-challenge."

struct server {
	const struct config *config;
	int life, channel;
	pthread_t thread;
};

/* The program's arguments and environment, and what they point to. */
struct told {
	char *argv[ARGUMENTS_MAX + 4];
	char *environment[8];
	char act[8], fqdn[258], value[512];
	char settings[7][SETTING_MAX];
	size_t n_argv, n_settings;
};

static void
set(struct told *told, const char *name, const char *value)
{
	char *at = told->settings[told->n_settings];

	(void)!snprintf(at, SETTING_MAX, "%s=%s", name, value);
	told->environment[told->n_settings++] = at;
}

static const char *
home(void)
{
	static char path[256] = "/";
	const struct passwd *user = getpwuid(geteuid());

	if (user != NULL && user->pw_dir != NULL && user->pw_dir[0] == '/')
		(void)!snprintf(path, sizeof(path), "%s", user->pw_dir);
	return path;
}

static void
argument(struct told *told, char *text)
{
	told->argv[told->n_argv++] = text;
}

/* go-acme/lego, DNS provider "exec" in its default mode. */
static void
tell_as_lego(struct told *told, const struct hook_runner_asked *asked)
{
	(void)!snprintf(told->act, sizeof(told->act), "%s",
	    asked->is_cleanup != 0 ? "cleanup" : "present");
	(void)!snprintf(told->fqdn, sizeof(told->fqdn), "%s.", asked->fqdn);
	(void)!snprintf(told->value, sizeof(told->value), "%s", asked->value);
	argument(told, told->act);
	argument(told, told->fqdn);
	argument(told, told->value);
}

/* certbot's "Pre and Post Validation Hooks"; CERTBOT_TOKEN is http-01's. */
static void
tell_as_certbot(struct told *told, const struct hook_runner_asked *asked)
{
	const char *domain = asked->fqdn + strlen(CHALLENGE_LABEL);

	(void)!snprintf(told->act, sizeof(told->act), "%s",
	    asked->is_cleanup != 0 ? "cleanup" : "auth");
	argument(told, told->act);
	set(told, "CERTBOT_DOMAIN", domain);
	set(told, "CERTBOT_VALIDATION", asked->value);
	set(told, "CERTBOT_ALL_DOMAINS", domain);
	set(told, "CERTBOT_REMAINING_CHALLENGES", "0");
	if (asked->is_cleanup != 0)
		set(told, "CERTBOT_AUTH_OUTPUT", asked->output);
}

static void
fill(struct told *told, const struct config_dns_provider *provider,
    const struct hook_runner_asked *asked)
{
	for (size_t i = 0;
	     i < provider->command.len && told->n_argv < ARGUMENTS_MAX; i++)
		argument(told, provider->command.at[i]);
	told->environment[told->n_settings++] = program_path_setting;
	set(told, "HOME", home());
	if (provider->style == CONFIG_HOOK_CERTBOT)
		tell_as_certbot(told, asked);
	else
		tell_as_lego(told, asked);
}

/* ---- what certd may ask ---- */

static bool
consists_of(const char *text, size_t max, const char *letters)
{
	size_t len = strnlen(text, max);

	return len > 0 && len < max && strspn(text, letters) == len;
}

static struct status
check(const struct config *config, const struct hook_runner_asked *asked,
    const struct config_dns_provider **ret_provider)
{
	const struct config_dns_provider *at = config->dns.providers.at;

	if (asked->provider >= config->dns.providers.len ||
	    at[asked->provider].type != CONFIG_DNS_EXEC ||
	    at[asked->provider].command.len == 0)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "there is no such program");
	if (!consists_of(
		asked->fqdn, sizeof(asked->fqdn), LOWER_NUMBER "-_.") ||
	    asked->fqdn[0] == '-' ||
	    !consists_of(
		asked->value, sizeof(asked->value), LOWER_NUMBER UPPER "-_") ||
	    strnlen(asked->output, sizeof(asked->output)) ==
		sizeof(asked->output))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "this is no name or no value of a dns-01 challenge");
	if (at[asked->provider].style == CONFIG_HOOK_CERTBOT &&
	    (strncmp(asked->fqdn, CHALLENGE_LABEL, strlen(CHALLENGE_LABEL)) !=
		    0 ||
		asked->fqdn[strlen(CHALLENGE_LABEL)] == 0))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "certbot's hooks set names that begin with "
		    "_acme-challenge. alone; use style: lego");
	*ret_provider = &at[asked->provider];
	return status_ok();
}

/* ---- what came of it ---- */

static void
print_errors(const struct program_tail *errors, char *ret_text, size_t max)
{
	size_t from = errors->len > ERRORS_MAX ? errors->len - ERRORS_MAX : 0;
	size_t end = errors->len;

	while (end > from && (errors->at[end - 1] == '\n'))
		end--;
	printable_print(
	    (struct bytes){ (const uint8_t *)errors->at + from, end - from },
	    ret_text, max);
}

static void
keep_output(const struct program_tail *output, char *ret_text)
{
	size_t end = output->len, from;

	while (end > 0 && output->at[end - 1] == '\n')
		end--;
	from = end >= HOOK_RUNNER_OUTPUT_MAX ? end - HOOK_RUNNER_OUTPUT_MAX + 1
					     : 0;
	memcpy(ret_text, output->at + from, end - from);
	ret_text[end - from] = 0;
}

static void
judge(const struct program_result *result, struct hook_runner_told *ret_told)
{
	char how[PROGRAM_TAIL_MAX], errors[HOOK_RUNNER_WHY_MAX - 64];

	keep_output(&result->output, ret_told->output);
	if (program_succeeded(result))
		return;
	ret_told->code = result->end == PROGRAM_LATE ? STATUS_DEADLINE_EXCEEDED
						     : STATUS_UNAVAILABLE;
	program_describe(result, how, sizeof(how));
	/* All that there is room for, not the last line alone. */
	*strchrnul(how, ':') = 0;
	print_errors(&result->errors, errors, sizeof(errors));
	(void)!snprintf(ret_told->why, sizeof(ret_told->why),
	    "the program %s%s%s", how, errors[0] != 0 ? ": " : "", errors);
}

static void
run(const struct server *server, const struct hook_runner_asked *asked,
    struct hook_runner_told *ret_told)
{
	scoped(free) struct told *told = calloc(1, sizeof(*told));
	const struct config_dns_provider *provider = NULL;
	struct program_result result;
	struct program program;
	struct status st = check(server->config, asked, &provider);

	if (!failed(st) && told == NULL)
		st = status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	if (!failed(st)) {
		fill(told, provider, asked);
		program = (struct program){ .argv = told->argv,
			.environment = told->environment,
			.timeout_ns = provider->timeout_ns,
			.stop_fd = server->life,
			.has_output = true };
		st = program_run(&program, &result);
	}
	if (!failed(st)) {
		judge(&result, ret_told);
		return;
	}
	ret_told->code = (uint32_t)st.code;
	(void)!snprintf(ret_told->why, sizeof(ret_told->why), "%s%s%s", st.why,
	    st.detail != 0 ? ": " : "",
	    st.detail != 0 ? strerrordesc_np((int)st.detail) : "");
}

static void *
serve(void *arg)
{
	const struct server *server = arg;
	scoped(free) struct hook_runner_asked *asked =
	    calloc(1, sizeof(*asked));
	scoped(free) struct hook_runner_told *told = calloc(1, sizeof(*told));
	int unwanted;

	while (asked != NULL && told != NULL &&
	       handover_take(
		   server->channel, asked, sizeof(*asked), &unwanted) == 0) {
		if (unwanted >= 0)
			close(unwanted);
		memset(told, 0, sizeof(*told));
		run(server, asked, told);
		if (handover_put(server->channel, told, sizeof(*told), -1) != 0)
			break;
	}
	/* Whoever asks is not left waiting. */
	close(server->channel);
	return NULL;
}

void
hook_runner_serve(
    const struct config *config, const struct hook_runner_ends *ends)
{
	struct server servers[HOOK_RUNNER_AT_ONCE];
	struct pollfd life = { ends->life, POLLIN, 0 };
	int n = 0;

	(void)home(); /* while there is one thread */
	for (; n < HOOK_RUNNER_AT_ONCE; n++) {
		servers[n] = (struct server){ .config = config,
			.life = ends->life,
			.channel = ends->channels[n] };
		if (pthread_create(
			&servers[n].thread, NULL, serve, &servers[n]) != 0) {
			log_error("the process that runs programs has no "
				  "thread to be had");
			_exit(1);
		}
	}
	/* Nothing is ever sent: it is readable when certd has ended. */
	while (poll(&life, 1, -1) <= 0)
		;
	while (n > 0)
		pthread_join(servers[--n].thread, NULL);
}
