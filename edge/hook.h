/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_HOOK_H
#define EDGE_HOOK_H

#include <stdint.h>

#include "base/status.h"

#define HOOK_WHY_MAX 256

/*
 * Run a program that has the web server read its files again, and wait for it.
 * argv[0] is a path; no shell, a fixed PATH as its whole environment, no input,
 * no descriptor of ours.  What it writes goes to the log, its last 2,048
 * octets.  UNAVAILABLE when it does not end with 0, DEADLINE_EXCEEDED when it
 * takes longer than timeout_ns (it is then killed, with all that it started in
 * its process group), CANCELLED when stop_fd became readable: ret_why
 * (HOOK_WHY_MAX octets) has its last line.  Any thread, one run at a time.
 */
STATUS hook_run(
    char *const *argv, int64_t timeout_ns, int stop_fd, char *ret_why);

#endif
