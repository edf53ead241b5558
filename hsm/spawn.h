/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_SPAWN_H
#define HSM_SPAWN_H

#include <sys/types.h>

/* A worker process as the front knows it. */
struct spawned {
	pid_t pid;
	int pidfd; /* readable when it has ended */
	int fd;    /* the socket to it; SOCK_SEQPACKET, CLOEXEC */
};

/*
 * Start argv with a socket as its descriptor 3, the log on 1 and 2, and nothing
 * else: by the spawner when one runs (hsm/spawner.h), which then takes the
 * environment it was given for this argv; else directly.  0 or an errno.  Any
 * thread.
 */
int spawn_worker(
    char *const *argv, char *const *environment, struct spawned *ret_spawned);

void spawn_kill(const struct spawned *spawned);

/* Close the socket; if the worker has not ended by itself within grace_ms, kill
 * it; wait until it has ended. */
void spawn_bury(struct spawned *spawned, int grace_ms);

/* What stands behind both ways: fd becomes descriptor 3.  0 or an errno. */
int spawn_process(
    char *const *argv, char *const *environment, int fd, pid_t *ret_pid);

#endif
