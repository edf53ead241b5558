/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A program of the operator's that changes the DNS, run by hook_runner.h.  What
 * certbot's auth hook wrote is kept for its cleanup hook, in memory and for
 * some: after a restart, or when very many are in place, it is empty.
 */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/dns_provider_int.h"
#include "certd/hook_runner.h"

#define KEPT_MAX 1024
#define CHALLENGE_LABEL "_acme-challenge."

static struct {
	pthread_mutex_t mutex; /* guards what follows */
	struct kept {
		char *key, *output; /* malloc'd; NULL: free */
	} at[KEPT_MAX];
	size_t next;
} self = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void
forget(struct kept *kept)
{
	free(kept->key);
	free(kept->output);
	*kept = (struct kept){ 0 };
}

static char *
key_of(const struct dns_provider *provider,
    const struct dns_provider_record *record)
{
	char *key;

	if (asprintf(&key, "%s %s %s", provider->config->name, record->name,
		record->value) < 0)
		return NULL;
	return key;
}

static void
keep(const struct dns_provider *provider,
    const struct dns_provider_record *record, const char *output)
{
	struct kept kept = { .key = key_of(provider, record),
		.output = strdup(output) };

	if (kept.key == NULL || kept.output == NULL) {
		forget(&kept);
		return;
	}
	pthread_mutex_lock(&self.mutex);
	forget(&self.at[self.next]);
	self.at[self.next] = kept;
	self.next = (self.next + 1) % KEPT_MAX;
	pthread_mutex_unlock(&self.mutex);
}

/* malloc'd; NULL: it is not known.  The newest of its key. */
static char *
take(const struct dns_provider *provider,
    const struct dns_provider_record *record)
{
	scoped(free) char *key = key_of(provider, record);
	char *output = NULL;

	if (key == NULL)
		return NULL;
	pthread_mutex_lock(&self.mutex);
	for (size_t i = 0; i < KEPT_MAX; i++) {
		struct kept *kept =
		    &self.at[(self.next + KEPT_MAX - 1 - i) % KEPT_MAX];

		if (kept->key == NULL || strcmp(kept->key, key) != 0)
			continue;
		if (output == NULL) {
			output = kept->output;
			kept->output = NULL;
		}
		forget(kept);
	}
	pthread_mutex_unlock(&self.mutex);
	return output;
}

STATUS
dns_provider_exec_check(const struct dns_provider *provider,
    const struct dns_provider_record *record, char ret_why[PROBLEM_MAX])
{
	if (provider->config->style != CONFIG_HOOK_CERTBOT ||
	    strncmp(record->name, CHALLENGE_LABEL, strlen(CHALLENGE_LABEL)) ==
		0)
		return status_ok();
	(void)!snprintf(ret_why, PROBLEM_MAX,
	    "the TXT record is to be at %.256s, where a CNAME leads, and "
	    "certbot's hooks set names that begin with " CHALLENGE_LABEL
	    " alone; give the DNS provider %s a program with style: lego",
	    record->name, provider->config->name);
	return status_fail(
	    STATUS_FAILED_PRECONDITION, "certbot's hooks cannot set this name");
}

STATUS
dns_provider_exec_put(const struct dns_provider *provider,
    const struct dns_provider_record *record, bool is_removal,
    char ret_why[PROBLEM_MAX])
{
	bool is_certbot = provider->config->style == CONFIG_HOOK_CERTBOT;
	scoped(free) char *output =
	    is_certbot && is_removal ? take(provider, record) : NULL;
	struct hook_runner_call call = { .provider = provider->config->name,
		.is_cleanup = is_removal,
		.fqdn = record->name,
		.value = record->value,
		.output = output };
	char written[HOOK_RUNNER_OUTPUT_MAX] = "";
	struct status st = hook_runner_run(&call, written, ret_why);

	if (!failed(st) && is_certbot && !is_removal && written[0] != 0)
		keep(provider, record, written);
	return st;
}
