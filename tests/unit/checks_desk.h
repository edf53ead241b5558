/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CHECKS_DESK_H
#define TESTS_UNIT_CHECKS_DESK_H

#include "certd/check.h"
#include "tests/unit/resources_desk.h"

/*
 * The checks over a real store (tests/unit/resources_desk.h) and scripted DNS
 * (tests/fake/dns_fake.h).  Aborts the test on failure.
 */
struct checks_desk {
	struct desk *desk;
	struct config *config;
	struct dns_resolver *resolver;
	struct checks *checks;
	Holdfast__Certd__V1__Diagnosis *report; /* of the last run */
	const char *ca_domain;                  /* of changes; "": any */
	int64_t shop;         /* of acme, for www.example.com */
	char shop_target[64]; /* its target */
};

/* yaml: of checks and dns; the zone and two CAs are there. */
void checks_desk_set_up(struct checks_desk *at, const char *yaml);
void checks_desk_tear_down(struct checks_desk *at);

/* A change of the shop's account, or (0) a person.  hostnames are separated by
 * blanks. */
void checks_desk_run(struct checks_desk *at, const char *hostnames,
    int64_t resource, int64_t change, int validation);

/* The finding of a check about a name (or NULL: the first there is). */
const Holdfast__Certd__V1__Finding *checks_desk_find(
    const struct checks_desk *at, const char *check, const char *hostname);
/* It has that result, and part stands in seen, why or remedy. */
void checks_desk_expect(const struct checks_desk *at, const char *check,
    const char *hostname, enum check_result result, const char *part);

/* Write into the database. */
void checks_desk_sql(struct checks_desk *at, const char *sql);

#endif
