/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The process side of a lane: its worker's environment, which is made of named
 * variables only, and its start and end by way of hsm/spawn.c.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "hsm/lane.h"
#include "hsm/spawn.h"

/* A waiting caller looks at its deadline this often. */
#define TICK_US 100000

static const char *const passed[] = { "SOFTHSM2_CONF", "CREDENTIALS_DIRECTORY",
	"ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS",
	"GCOV_PREFIX", "LLVM_PROFILE_FILE" };

#define PASSED (sizeof(passed) / sizeof(passed[0]))

static bool
pass(char **environment, size_t *n, const char *name)
{
	const char *value = getenv(name);

	if (value == NULL)
		return true;
	if (asprintf(&environment[*n], "%s=%s", name, value) < 0) {
		environment[*n] = NULL;
		return false;
	}
	(*n)++;
	return true;
}

char **
lane_environment(const char *const *more)
{
	size_t n = 0, names = 0;
	char **environment;
	bool ok = true;

	while (more != NULL && more[names] != NULL)
		names++;
	environment = calloc(PASSED + names + 1, sizeof(*environment));
	if (environment == NULL)
		return NULL;
	for (size_t i = 0; i < PASSED; i++)
		ok = ok && pass(environment, &n, passed[i]);
	for (size_t i = 0; i < names; i++)
		ok = ok && pass(environment, &n, more[i]);
	if (ok)
		return environment;
	lane_environment_free(environment);
	return NULL;
}

void
lane_environment_free(char **environment)
{
	if (environment == NULL)
		return;
	for (char **at = environment; *at != NULL; at++)
		free(*at);
	free(environment);
}

STATUS
lane_spawn(struct lane *lane)
{
	const struct timeval tick = { .tv_usec = TICK_US };
	struct spawned spawned;
	int error =
	    spawn_worker(lane->pool->argv, lane->pool->environment, &spawned);

	if (error != 0)
		return reason_status(REASON_SPAWN, (uint32_t)error);
	(void)setsockopt(
	    spawned.fd, SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof(tick));
	lane->pid = spawned.pid;
	lane->pidfd = spawned.pidfd;
	lane->fd = spawned.fd;
	return status_ok();
}

void
lane_kill(struct lane *lane)
{
	const struct spawned spawned = { lane->pid, lane->pidfd, lane->fd };

	spawn_kill(&spawned);
}

void
lane_bury(struct lane *lane, int grace_ms)
{
	struct spawned spawned = { lane->pid, lane->pidfd, lane->fd };

	spawn_bury(&spawned, grace_ms);
	lane->fd = -1;
	lane->pidfd = -1;
}
