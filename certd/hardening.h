/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_HARDENING_H
#define CERTD_HARDENING_H

#include "base/sandbox.h"
#include "base/status.h"
#include "certd/config.h"

/*
 * What certd gives up before it opens anything: docs/HARDENING.md.  The opener
 * (certd/opener.h) is started on the way.
 */

/*
 * After process_harden, before threads.  config_path is NULL or lives as long
 * as the process, as does config.  A kernel that has no such thing is told in
 * the log, and certd goes on.
 */
STATUS hardening_begin(const struct config *config, const char *config_path);

/* What is in force, for people: "seccomp, Landlock 7, MDWE" or "off". */
const char *hardening_text(void);

/* The files of certd; the rest is refused.  Strings belong to config. */
#define HARDENING_PATHS_MAX 40
void hardening_paths(const struct config *config,
    struct sandbox_path ret_paths[HARDENING_PATHS_MAX], size_t *ret_n);

#endif
