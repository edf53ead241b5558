/* SPDX-License-Identifier: Apache-2.0 */

/* Checks that find what they are told to; see checks_fake.h. */

#include "tests/fake/checks_fake.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct checks {
	pthread_mutex_t mutex; /* guards all below */
	const char *why;
	unsigned runs;
};

struct checks *
checks_fake_new(void)
{
	struct checks *checks = calloc(1, sizeof(*checks));

	if (checks == NULL)
		abort();
	pthread_mutex_init(&checks->mutex, NULL);
	return checks;
}

void
checks_free(struct checks *checks)
{
	if (checks == NULL)
		return;
	pthread_mutex_destroy(&checks->mutex);
	free(checks);
}

void
checks_fake_forbid(struct checks *checks, const char *why)
{
	pthread_mutex_lock(&checks->mutex);
	checks->why = why;
	pthread_mutex_unlock(&checks->mutex);
}

unsigned
checks_fake_runs(struct checks *checks)
{
	unsigned runs;

	pthread_mutex_lock(&checks->mutex);
	runs = checks->runs;
	pthread_mutex_unlock(&checks->mutex);
	return runs;
}

STATUS
checks_run(struct checks *checks, const struct checks_subject *subject,
    Holdfast__Certd__V1__Diagnosis **ret_report)
{
	Holdfast__Certd__V1__Diagnosis *report = malloc(sizeof(*report));

	(void)subject;
	if (report == NULL)
		abort();
	holdfast__certd__v1__diagnosis__init(report);
	report->id = 77;
	pthread_mutex_lock(&checks->mutex);
	checks->runs++;
	report->summary = checks->why == NULL ? NULL : strdup(checks->why);
	pthread_mutex_unlock(&checks->mutex);
	*ret_report = report;
	return status_ok();
}

bool
checks_forbid(
    const Holdfast__Certd__V1__Diagnosis *report, char ret_why[PROBLEM_MAX])
{
	if (report->summary == NULL)
		return false;
	snprintf(ret_why, PROBLEM_MAX, "%s", report->summary);
	return true;
}
