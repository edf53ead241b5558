/* SPDX-License-Identifier: Apache-2.0 */

/*
 * certd's end of the process that runs programs for it.  Who asks takes one of
 * its channels, and the provider, for as long as the program runs; others wait
 * for their turn, not for ever.  The process ends with certd; when it ends
 * before, certd goes on, and says that it must be started anew.
 */

#include "certd/hook_runner.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/handover.h"
#include "base/log.h"
#include "base/process.h"
#include "base/sandbox.h"
#include "base/scoped.h"
#include "certd/hook_runner_int.h"

/* Written before there are threads, but for what mutex guards. */
static struct {
	bool is_running;
	const struct config *config;
	pid_t pid;
	struct hook_runner_ends ends; /* certd's */
	pthread_cond_t changed;
	pthread_mutex_t mutex; /* guards what follows */
	bool *provider_is_busy;
	bool channel_is_busy[HOOK_RUNNER_AT_ONCE];
	bool is_lost;
} self = { .mutex = PTHREAD_MUTEX_INITIALIZER };

/* ---- the process ---- */

static void
close_ends(const struct hook_runner_ends *ends)
{
	const int all[] = { ends->life, ends->channels[0], ends->channels[1],
		ends->channels[2], ends->channels[3] };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] >= 0)
			close(all[i]);
}

static bool
open_pair(int *ret_ours, int *ret_theirs)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return false;
	*ret_ours = pair[0];
	*ret_theirs = pair[1];
	return true;
}

static bool
open_ends(struct hook_runner_ends *ours, struct hook_runner_ends *theirs)
{
	bool is_open;

	memset(ours, -1, sizeof(*ours));
	memset(theirs, -1, sizeof(*theirs));
	is_open = open_pair(&ours->life, &theirs->life);
	for (int i = 0; i < HOOK_RUNNER_AT_ONCE && is_open; i++)
		is_open = open_pair(&ours->channels[i], &theirs->channels[i]);
	return is_open;
}

static bool
is_end(const struct hook_runner_ends *ends, int fd)
{
	bool is_one = fd == ends->life;

	for (int i = 0; i < HOOK_RUNNER_AT_ONCE; i++)
		is_one = is_one || fd == ends->channels[i];
	return is_one;
}

/* What certd has open is not for it, and its programs. */
static void
keep_only(const struct hook_runner_ends *ends)
{
	int last = ends->life;

	for (int i = 0; i < HOOK_RUNNER_AT_ONCE; i++)
		if (ends->channels[i] > last)
			last = ends->channels[i];
	for (int fd = STDERR_FILENO + 1; fd < last; fd++)
		if (!is_end(ends, fd))
			close(fd);
	closefrom(last + 1);
}

/* It ends with certd, which may still want it while it stops. */
static void
ignore_stops(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &ignore, NULL);
}

static _Noreturn void
become_runner(const struct config *config, const struct hook_runner_ends *ends)
{
	struct status st;

	prctl(PR_SET_NAME, "certd-hooks");
	ignore_stops();
	keep_only(ends);
	st = process_drop_capabilities();
	if (failed(st))
		log_error("the process that runs programs cannot give up its "
			  "capabilities",
		    LOG_STATUS(st));
	else
		hook_runner_serve(config, ends);
	_exit(failed(st) ? 1 : 0);
}

static bool
is_wanted(const struct config *config)
{
	const struct config_dns_provider *at = config->dns.providers.at;

	for (size_t i = 0; i < config->dns.providers.len; i++)
		if (at[i].type == CONFIG_DNS_EXEC)
			return true;
	return false;
}

STATUS
hook_runner_start(const struct config *config)
{
	struct hook_runner_ends ours, theirs;
	pid_t pid = -1;

	if (!is_wanted(config))
		return status_ok();
	self.provider_is_busy = calloc(config->dns.providers.len, sizeof(bool));
	if (self.provider_is_busy == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	if (open_ends(&ours, &theirs))
		pid = fork();
	if (pid == 0) {
		close_ends(&ours);
		become_runner(config, &theirs);
	}
	close_ends(&theirs);
	if (pid < 0) {
		close_ends(&ours);
		free(self.provider_is_busy);
		return status_fail_detail(STATUS_RESOURCE_EXHAUSTED,
		    "the process that runs programs cannot be started",
		    (uint32_t)errno);
	}
	self.config = config;
	self.ends = ours;
	self.pid = pid;
	self.is_lost = false;
	self.is_running = true;
	clock_cond_init(&self.changed);
	return status_ok();
}

void
hook_runner_stop(void)
{
	if (!self.is_running)
		return;
	close_ends(&self.ends);
	/* It ends by that.  Who is confined cannot see it, and ends itself. */
	while (!sandbox_is_sealed() && waitpid(self.pid, NULL, 0) < 0 &&
	       errno == EINTR)
		;
	pthread_cond_destroy(&self.changed);
	free(self.provider_is_busy);
	self.is_running = false;
}

/* ---- one run ---- */

static bool
find_provider(const char *name, uint32_t *ret_at)
{
	const struct config_dns_provider *at = self.config->dns.providers.at;

	for (size_t i = 0; i < self.config->dns.providers.len; i++) {
		if (strcmp(at[i].name, name) != 0)
			continue;
		*ret_at = (uint32_t)i;
		return true;
	}
	return false;
}

/* The mutex is held; -1: not now. */
static int
free_channel(uint32_t provider)
{
	int i = 0;

	if (self.provider_is_busy[provider])
		return -1;
	while (i < HOOK_RUNNER_AT_ONCE && self.channel_is_busy[i])
		i++;
	return i < HOOK_RUNNER_AT_ONCE ? i : -1;
}

/* -1: its turn has not come in the time of two runs. */
static int
take_turn(uint32_t provider)
{
	const struct config_dns_provider *at = self.config->dns.providers.at;
	int64_t until_ns = clock_mono_ns() + 2 * at[provider].timeout_ns;
	int channel;

	pthread_mutex_lock(&self.mutex);
	while ((channel = free_channel(provider)) < 0)
		if (!clock_cond_wait(&self.changed, &self.mutex, until_ns))
			break;
	if (channel >= 0) {
		self.provider_is_busy[provider] = true;
		self.channel_is_busy[channel] = true;
	}
	pthread_mutex_unlock(&self.mutex);
	return channel;
}

static void
end_turn(uint32_t provider, int channel, bool is_lost)
{
	bool is_new;

	pthread_mutex_lock(&self.mutex);
	self.provider_is_busy[provider] = false;
	self.channel_is_busy[channel] = false;
	is_new = is_lost && !self.is_lost;
	self.is_lost = self.is_lost || is_lost;
	pthread_cond_broadcast(&self.changed);
	pthread_mutex_unlock(&self.mutex);
	if (is_new)
		log_error("the process that runs programs for certd has "
			  "ended; restart certd to have DNS providers of type "
			  "exec work again");
}

static bool
fill(const struct hook_runner_call *call, struct hook_runner_asked *ret_asked)
{
	int fqdn = snprintf(
	    ret_asked->fqdn, sizeof(ret_asked->fqdn), "%s", call->fqdn);
	int value = snprintf(
	    ret_asked->value, sizeof(ret_asked->value), "%s", call->value);

	ret_asked->is_cleanup = call->is_cleanup;
	(void)!snprintf(ret_asked->output, sizeof(ret_asked->output), "%s",
	    call->output != NULL ? call->output : "");
	return fqdn >= 0 && (size_t)fqdn < sizeof(ret_asked->fqdn) &&
	       value >= 0 && (size_t)value < sizeof(ret_asked->value);
}

static int
exchange(int channel, const struct hook_runner_asked *asked,
    struct hook_runner_told *ret_told)
{
	int socket = self.ends.channels[channel], unwanted = -1;
	int error = handover_put(socket, asked, sizeof(*asked), -1);

	if (error == 0)
		error = handover_take(
		    socket, ret_told, sizeof(*ret_told), &unwanted);
	if (unwanted >= 0)
		close(unwanted);
	return error;
}

static struct status
fail(enum status_code code, const char *why, char *ret_why)
{
	(void)!snprintf(ret_why, HOOK_RUNNER_WHY_MAX, "%s", why);
	return status_fail(code, why);
}

static struct status
take(const struct hook_runner_told *told, char *ret_output, char *ret_why)
{
	if (told->code != STATUS_OK) {
		(void)!snprintf(ret_why, HOOK_RUNNER_WHY_MAX, "%s", told->why);
		return status_fail((enum status_code)told->code,
		    "the DNS provider's program failed");
	}
	memcpy(ret_output, told->output, sizeof(told->output));
	return status_ok();
}

STATUS
hook_runner_run(const struct hook_runner_call *call,
    char ret_output[HOOK_RUNNER_OUTPUT_MAX], char ret_why[HOOK_RUNNER_WHY_MAX])
{
	struct hook_runner_asked asked = { 0 };
	struct hook_runner_told told = { 0 };
	int channel, error;

	if (!self.is_running || !find_provider(call->provider, &asked.provider))
		return fail(STATUS_FAILED_PRECONDITION,
		    "no program is configured for this DNS provider", ret_why);
	if (!fill(call, &asked))
		return fail(STATUS_INVALID_ARGUMENT,
		    "the name or the value of the TXT record is too long",
		    ret_why);
	channel = take_turn(asked.provider);
	if (channel < 0)
		return fail(STATUS_RESOURCE_EXHAUSTED,
		    "the DNS provider's program is busy with other names; it "
		    "is tried again",
		    ret_why);
	error = exchange(channel, &asked, &told);
	end_turn(asked.provider, channel, error != 0);
	if (error != 0)
		return fail(STATUS_UNAVAILABLE,
		    "the process that runs programs for certd has ended; "
		    "restart certd",
		    ret_why);
	return take(&told, ret_output, ret_why);
}
