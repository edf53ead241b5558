/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_HOOK_RUNNER_H
#define CERTD_HOOK_RUNNER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "certd/config.h"

/*
 * Programs that put TXT records into the DNS (dns.providers of type exec).
 * certd itself cannot start programs once it is confined: a process of its own
 * does, forked before, which knows the configured commands and is asked by
 * their number alone.  One run of a provider at a time, four in all.
 *
 * A program gets what that of the style gets.  lego's "exec" provider:
 *
 *     COMMAND... present|cleanup FQDN. VALUE
 *
 * certbot's manual hooks:
 *
 *     COMMAND... auth|cleanup
 *     CERTBOT_DOMAIN, CERTBOT_VALIDATION, CERTBOT_ALL_DOMAINS,
 *     CERTBOT_REMAINING_CHALLENGES=0, for cleanup CERTBOT_AUTH_OUTPUT
 *
 * Besides those its environment is PATH and HOME; it has no input and no
 * descriptor of certd's, may not gain privileges, and is killed with all that
 * it started in its process group when its time is over or certd ends.
 */
#define HOOK_RUNNER_OUTPUT_MAX 1025
#define HOOK_RUNNER_WHY_MAX 512

struct hook_runner_call {
	const char *provider; /* its name */
	bool is_cleanup;
	const char *fqdn;  /* "_acme-challenge.www.example.com" */
	const char *value; /* of the TXT record */
	/* What auth wrote to stdout, for cleanup; or NULL. */
	const char *output;
};

/*
 * Before the caller confines itself and before threads, once; nothing without a
 * provider of type exec.  config lives as long as the process.  Start it before
 * secrets are read: it has no use for them.
 */
STATUS hook_runner_start(const struct config *config);

/*
 * Run it and wait: as long as its turn and the provider's timeout take.  Any
 * thread.  ret_output is what it wrote to stdout, its end, without the last
 * newline.  INVALID_ARGUMENT: the style cannot say it (certbot's: a name that
 * does not begin with _acme-challenge); UNAVAILABLE, DEADLINE_EXCEEDED: it did
 * not end with 0, or in time; RESOURCE_EXHAUSTED: its turn did not come.
 * ret_why has a sentence, with the end of what it wrote to stderr.
 */
STATUS hook_runner_run(const struct hook_runner_call *call,
    char ret_output[HOOK_RUNNER_OUTPUT_MAX], char ret_why[HOOK_RUNNER_WHY_MAX]);

/* End the process, and what it runs.  No call is under way. */
void hook_runner_stop(void);

#endif
