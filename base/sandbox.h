/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/*
 * What a process gives up for good once it has what it needs: system calls
 * (seccomp) and files (Landlock).  docs/HARDENING.md has the table of
 * sandbox_calls.c in words; tests/lint/sandbox.py compares the two.
 *
 * All of it is of the calling process and what it starts; call it while there
 * is one thread.  Needs no new privileges to be off (process_harden).
 */
enum sandbox_kind {
	SANDBOX_FRONT = 1 << 0,    /* keyd's process that speaks to the net */
	SANDBOX_SPAWNER = 1 << 1,  /* keyd's process that starts workers */
	SANDBOX_WORKER = 1 << 2,   /* holds a pool's PKCS#11 module and PIN */
	SANDBOX_IDENTITY = 1 << 3, /* the same for the identity token */
	SANDBOX_CERTD = 1 << 4,    /* speaks to the net, and to keyd */
	SANDBOX_OPENER = 1 << 5,   /* opens a few files for certd */
};

/* What a worker's module needs besides. */
#define SANDBOX_NETWORK (1U << 0) /* sockets: a network HSM, a local daemon */
#define SANDBOX_DEVICES (1U << 1) /* any ioctl: a device of its own */

/*
 * Limit system calls to those of the kind.  Hostile ones end the process by
 * SIGSYS; all others fail with EPERM and are counted.  UNIMPLEMENTED when the
 * kernel has no seccomp.
 */
STATUS sandbox_calls(enum sandbox_kind kind, unsigned flags);

/* After the last library is loaded: no memory becomes executable any more, and
 * no filter is added. */
STATUS sandbox_seal(void);
bool sandbox_is_sealed(void);

/* How many calls were refused and counted in this process, by number; and log
 * those that were not logged yet, with their names.  Any thread. */
uint64_t sandbox_refused(int number);
uint64_t sandbox_log_refused(void);

enum sandbox_access {
	SANDBOX_READ,
	SANDBOX_WRITE,  /* and read, make, rename, remove; no devices */
	SANDBOX_EXECUTE /* start it as a program */
};

struct sandbox_path {
	const char *path; /* a file or a folder with all below it */
	enum sandbox_access access;
};

/* What sandbox_files does besides. */
#define SANDBOX_FILES_RUN_ONLY (1U << 0)   /* limits execution, nothing else */
#define SANDBOX_FILES_NO_CONNECT (1U << 1) /* no outgoing TCP; since ABI 4 */
#define SANDBOX_FILES_NO_SIGNAL (1U << 2)  /* none to others; since ABI 6 */

/*
 * Limit files to these paths; one that does not exist is left out.  ret_abi is
 * the version of Landlock in the kernel.  UNIMPLEMENTED when it has none.
 */
STATUS sandbox_files(
    const struct sandbox_path *paths, size_t n, unsigned flags, int *ret_abi);

/* Memory that was writable never becomes executable (PR_SET_MDWE, Linux 6.3);
 * false when the kernel has no such thing. */
bool sandbox_mdwe(void);

/* The groups of calls, for sandbox.c and the test: ends with calls == NULL. */
struct sandbox_group {
	const char *name;
	unsigned kinds;
	const char *const *calls; /* ends with NULL */
};
extern const struct sandbox_group sandbox_groups[];
extern const char *const sandbox_hostile[];

#endif
