/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_SPAWNER_H
#define HSM_SPAWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/status.h"

/*
 * A small process, forked from keyd's before that confines itself, which starts
 * the workers in its stead: a confined process can start nothing that is less
 * confined.  It starts what it was told of before the fork, and nothing else:
 * whoever takes over the front can have workers started, but neither choose
 * their program nor their module, PIN file or environment.
 */
struct spawner_worker {
	const char *const
	    *argv;              /* NULL-terminated; also its name in requests */
	const char *const *env; /* names of variables passed on; may be NULL */
	const char *confine;    /* what confine_print made; NULL: nothing */
};

struct spawner_config {
	const struct spawner_worker *workers; /* borrowed until return */
	size_t n_workers;
	const char *file; /* what spawner_open_file opens; may be NULL */
	bool is_confined; /* false: it gives up nothing, nor do workers */
	unsigned flags;   /* of sandbox_calls, for all workers together */
};

#define SPAWNER_WORKERS_MAX 32

/* Once a process, before threads.  From here on spawn_worker uses it. */
STATUS spawner_start(const struct spawner_config *config);
bool spawner_is_running(void);
/* It has ended under a running front, which then cannot go on: the front was
 * sent SIGTERM by itself. */
bool spawner_is_lost(void);

/* The file, open for reading, or -1: then path is worth a try, or there is no
 * spawner.  Any thread. */
int spawner_open_file(void);

/* For hsm/spawn.c: ask with the socket that becomes the worker's; then the
 * answer comes on the other end.  0 or an errno.  Any thread. */
int spawner_spawn(char *const *argv, int theirs);
int spawner_answer(int ours, pid_t *ret_pid, int *ret_pidfd);
void spawner_kill(pid_t pid);

#endif
