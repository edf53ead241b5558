/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_HOOK_RUNNER_INT_H
#define CERTD_HOOK_RUNNER_INT_H

#include <stdint.h>

#include "certd/hook_runner.h"

/* Between certd's end, hook_runner.c, and the process that runs programs,
 * hook_runner_serve.c: one message each way over SOCK_SEQPACKET. */
#define HOOK_RUNNER_AT_ONCE 4

struct hook_runner_asked {
	uint32_t provider; /* its place in dns.providers */
	uint32_t is_cleanup;
	char fqdn[256];
	char value[512];
	char output[HOOK_RUNNER_OUTPUT_MAX];
};

struct hook_runner_told {
	uint32_t code; /* enum status_code */
	char output[HOOK_RUNNER_OUTPUT_MAX];
	char why[HOOK_RUNNER_WHY_MAX];
};

struct hook_runner_ends {
	int life; /* hung up when certd has ended */
	int channels[HOOK_RUNNER_AT_ONCE];
};

/* In the process of its own: answer until certd has ended. */
void hook_runner_serve(
    const struct config *config, const struct hook_runner_ends *ends);

#endif
