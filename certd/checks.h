/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CHECKS_H
#define CERTD_CHECKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "certd/config.h"
#include "certd/names.h"
#include "certd/store.h"
#include "certd/store_enrollments.h"
#include "dns/resolver.h"
#include "proto/holdfast/certd/v1/diagnoses.pb-c.h"

/*
 * One ordered list of checks on host names; two callers: a change, before it
 * asks the CA, and a person who asks what is wrong.  Any thread; blocks for the
 * network, up to 20 s, all host names at once.
 */
struct checks;

struct checks_config {
	struct store *store; /* all borrowed */
	const struct config *config;
	struct dns_resolver *resolver;
};

STATUS checks_new(
    const struct checks_config *config, struct checks **ret_checks);
void checks_free(struct checks *checks); /* NULL is allowed */
SCOPED_RELEASE(checks_free, struct checks *);

struct checks_subject {
	const struct names *names;
	int64_t account;  /* 0: none known */
	int64_t resource; /* 0: none */
	int64_t change;   /* 0: a person asks */
	int validation;   /* VALIDATION_...; 0: http-01, dns-01 for wildcards */
	/* Domain by which CAA names the CA; empty: any. */
	const char *ca_domain;
};

/*
 * Run the list, keep the report (table diagnosis), give it: malloc'd, ended
 * with holdfast__certd__v1__diagnosis__free_unpacked.  A change runs those that
 * tell whether its validation can succeed; a person gets all of them.
 */
STATUS checks_run(struct checks *checks, const struct checks_subject *subject,
    Holdfast__Certd__V1__Diagnosis **ret_report);

/* Does a FAIL among them make it useless to ask the CA?  The first such one's
 * sentence goes to ret_why. */
bool checks_forbid(
    const Holdfast__Certd__V1__Diagnosis *report, char ret_why[PROBLEM_MAX]);

#endif
