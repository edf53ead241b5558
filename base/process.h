/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* What a daemon does to its own process. */

/*
 * umask 077, no core files, not dumpable (kept dumpable under sanitizers, whose
 * leak check needs ptrace), no new privileges, RLIMIT_NOFILE and RLIMIT_MEMLOCK
 * raised to their hard limits.  Once, before threads.
 */
STATUS process_harden(void);

/* Give up every capability for good, root's too: none is effective, permitted,
 * inheritable, ambient or in the bounding set.  Once, before threads. */
STATUS process_drop_capabilities(void);

/* Built with sanitizers or for coverage, whose runtime does at any time what no
 * sandbox allows: opens files, starts programs, looks into processes. */
bool process_is_instrumented(void);

/* Block SIGTERM, SIGINT, SIGHUP and SIGUSR1 in this and later threads; ignore
 * SIGPIPE.  Once, before threads. */
void process_block_signals(void);

/* Wait for one of the blocked signals; returns its number. */
int process_wait_signal(void);
/* The same, at most that long: 0 when none came. */
int process_wait_signal_for(unsigned timeout_ms);

/* sd_notify(3) protocol: "READY=1", "STOPPING=1"; nothing without
 * NOTIFY_SOCKET. */
void process_notify(const char *state);

/* CPU time (user + system) of a process so far, in ns; 0 when it is gone. */
int64_t process_cpu_ns(int pid);

#endif
