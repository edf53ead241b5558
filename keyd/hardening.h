/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_HARDENING_H
#define KEYD_HARDENING_H

#include "base/sandbox.h"
#include "base/status.h"
#include "keyd/config.h"

/*
 * What keyd gives up before it opens anything: docs/HARDENING.md.  The spawner
 * is started on the way, since nothing less confined can be started after.
 */

/* After process_harden, before threads.  A kernel that has no such thing is
 * told in the log, and keyd goes on. */
STATUS hardening_begin(const struct config *config, const char *config_path);

/* What is in force, for people: "seccomp, Landlock 7, MDWE" or "off". */
const char *hardening_text(void);

/* The files of the front process; the rest is refused.  Strings belong to
 * config, and to ret_audit, of PATH_MAX octets. */
#define HARDENING_PATHS_MAX 40
STATUS hardening_front_paths(const struct config *config, char *ret_audit,
    struct sandbox_path ret_paths[HARDENING_PATHS_MAX], size_t *ret_n);

#endif
