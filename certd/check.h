/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CHECK_H
#define CERTD_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "certd/checks.h"
#include "certd/store_checks.h"
#include "certd/store_resources.h"
#include "dns/resolver.h"
#include "proto/holdfast/certd/v1/diagnoses.pb-c.h"

/*
 * One run of the checks, and what each of them adds to its report.  For the
 * files check_*.c, each of which is a check or gathers what several look at.
 * A run belongs to one thread.
 */

/* holdfast.certd.v1.Finding.Result. */
enum check_result {
	CHECK_PASS = 1,
	CHECK_FAIL = 2,
	CHECK_WARNING = 3,
	CHECK_NOT_APPLICABLE = 4,
};

/* ---- the run ---- */

enum check_holder {
	CHECK_HOLDER_NONE,   /* no resource has the name */
	CHECK_HOLDER_THIS,   /* the resource that is looked at */
	CHECK_HOLDER_OTHER,  /* another one of the account, or any, for who
				sees all */
	CHECK_HOLDER_FOREIGN /* one of another account */
};

/* A host name, and what was found out about it before the checks. */
struct check_host {
	const char *name;
	bool is_wildcard;
	bool is_ours;   /* the target itself, or in the operator's zone */
	int validation; /* VALIDATION_... */
	enum check_holder holder;
	int64_t holder_id; /* but for a foreign one */
	struct dns_chain chain;
	bool reaches_target;
	/* As dig shows them, from each resolver; empty: not asked. */
	char answers[4096];
	bool resolvers_differ;
};

/* A resolver of certd.yaml, asked alone, so that it can be told what each of
 * them says. */
struct check_resolver {
	const char *name; /* "192.0.2.53:53"; "" for the system's */
	struct dns_resolver *resolver;
};

struct check_run {
	const struct checks_config *config;
	const struct check_resolver *resolvers;
	size_t n_resolvers;
	const struct checks_subject *subject;
	bool is_preflight;
	int64_t now_s;
	int64_t until_ns; /* of the monotonic clock: nothing begins after */

	bool has_resource;
	struct resource_row resource;
	bool has_target; /* a name in DNS, which resource.target is */
	struct dns_chain target;
	bool has_enrollment;
	struct checks_enrollment enrollment;
	const char *authority; /* a name of certd.yaml; "" */
	const char *ca_domain; /* by which CAA names it; "" */

	size_t n_hosts;
	struct check_host *hosts;

	/* The check that runs. */
	const char *check, *title;
	Holdfast__Certd__V1__Diagnosis *report; /* borrowed */
	size_t detail_left;
};

/* Is it time to stop? */
bool check_is_late(const struct check_run *run);
/* Milliseconds that are left, at most max. */
unsigned check_left_ms(const struct check_run *run, unsigned max);
/* May the address be connected to (certd/reach.h, checks.allow_private)? */
bool check_may_connect(const struct check_run *run, const char *address);
/* FAIL, but a WARNING before a validation by DNS, which does not need it. */
enum check_result check_weigh(
    const struct check_run *run, const struct check_host *host);
/* Is ACME what brings this name its certificate? */
bool check_uses_acme(const struct check_run *run);

/* ---- findings ---- */

struct check_finding {
	enum check_result result;
	const char *hostname; /* NULL: of all of them */
	char seen[1024], why[512], remedy[1024], detail[6144];
};

/* printf behind what is there already; cut at the end of the room. */
void check_seen(struct check_finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void check_why(struct check_finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void check_remedy(struct check_finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void check_detail(struct check_finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Put it into the report, foreign text made fit to be seen. */
STATUS check_add(struct check_run *run, const struct check_finding *finding);
/* One without more to say than this. */
STATUS check_say(struct check_run *run, enum check_result result,
    const char *hostname, const char *seen);

/* A text that snprintf cut to its buffer, which holds room octets: take away
 * what is left of a character at its end. */
void check_cut(char *text, size_t room);

/* ---- the checks, in the order of their list ---- */

struct status check_name(struct check_run *run);
struct status check_resource(struct check_run *run);
struct status check_certificate(struct check_run *run);
struct status check_dns(struct check_run *run);
struct status check_flattened(struct check_run *run);
struct status check_ipv6(struct check_run *run);
struct status check_caa(struct check_run *run);
struct status check_http(struct check_run *run);
struct status check_dns01(struct check_run *run);
struct status check_origin(struct check_run *run);
struct status check_edges(struct check_run *run);
struct status check_edges_http(struct check_run *run);

#endif
