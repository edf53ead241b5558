/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The list of checks, and running it: facts from the store, then from DNS, then
 * each check in its order, then the report is kept.  No transaction is open
 * while the network is asked.  The list below is all there is to see; each
 * check is in a file of its own.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "certd/check_facts.h"
#include "certd/store_accounts.h"
#include "certd/store_diagnoses.h"
#include "proto/message.h"

#define RUN_NS (20 * NS_PER_S)
#define ONE_LOOK_MS 4000
#define DETAILS_MAX (128 * 1024) /* of a report */

typedef Holdfast__Certd__V1__Diagnosis diagnosis_msg;
typedef Holdfast__Certd__V1__Finding finding_msg;

struct checks {
	struct checks_config config;
	size_t n_resolvers;
	struct check_resolver *resolvers;
	bool has_own_resolvers;
};

static const struct {
	const char *name, *title;
	struct status (*fn)(struct check_run *run);
	/* Tells whether a validation can succeed. */
	bool is_of_preflight;
	/* A validation cannot succeed where it fails. */
	bool forbids;
} CHECKS[] = {
	{ "name", "The host name can have a certificate", check_name, true,
	    true },
	{ "resource", "A resource has the host name", check_resource, true,
	    true },
	{ "certificate", "A certificate for it is bound and valid",
	    check_certificate, false, false },
	{ "dns", "Its CNAME leads to the target", check_dns, true, false },
	{ "flattened", "Its addresses are the target's", check_flattened, true,
	    false },
	{ "ipv6", "IPv6 leads where IPv4 does", check_ipv6, true, false },
	{ "caa", "CAA lets the CA issue", check_caa, true, true },
	{ "http-01", "The web server answers http-01's probe", check_http, true,
	    true },
	{ "dns-01", "A DNS record for validation can be put in place",
	    check_dns01, true, true },
	{ "origin", "The origin answers", check_origin, true, false },
	{ "edges", "Every edge serves what is bound", check_edges, false,
	    false },
	{ "edges-http-01", "Every edge answers http-01's probe",
	    check_edges_http, true, false },
};
#define N_CHECKS (sizeof(CHECKS) / sizeof(CHECKS[0]))

/* ---- life ---- */

static struct status
make_resolvers(struct checks *checks)
{
	const struct config *config = checks->config.config;
	size_t n = config->dns.resolvers.len;
	struct status st = status_ok();

	checks->resolvers = calloc(n + 1, sizeof(*checks->resolvers));
	if (checks->resolvers == NULL)
		return message_no_memory();
	/* A single one is the one that is there. */
	if (n < 2) {
		checks->resolvers[0] = (struct check_resolver){
			n == 0 ? "" : config->dns.resolvers.at[0],
			checks->config.resolver
		};
		checks->n_resolvers = 1;
		return st;
	}
	checks->has_own_resolvers = true;
	for (size_t i = 0; i < n && !failed(st); i++) {
		const char *servers[1] = { config->dns.resolvers.at[i] };
		const struct dns_resolver_config one = { .servers = servers,
			.n_servers = 1,
			.timeout_ms = ONE_LOOK_MS,
			.authoritative_port =
			    (uint16_t)config->dns.authoritative_port };

		checks->resolvers[i].name = config->dns.resolvers.at[i];
		st = dns_resolver_new(&one, &checks->resolvers[i].resolver);
		checks->n_resolvers += !failed(st);
	}
	return st;
}

STATUS
checks_new(const struct checks_config *config, struct checks **ret_checks)
{
	struct checks *checks = calloc(1, sizeof(*checks));
	struct status st;

	if (checks == NULL)
		return message_no_memory();
	checks->config = *config;
	st = make_resolvers(checks);
	if (failed(st)) {
		checks_free(checks);
		return st;
	}
	*ret_checks = checks;
	return st;
}

void
checks_free(struct checks *checks)
{
	if (checks == NULL)
		return;
	for (size_t i = 0; i < checks->n_resolvers && checks->has_own_resolvers;
	     i++)
		dns_resolver_free(checks->resolvers[i].resolver);
	free(checks->resolvers);
	free(checks);
}

/* ---- the report ---- */

/* "www.example.com: dns: ...", cut where it gets long. */
static void
print_finding(const finding_msg *finding, char *ret_text, size_t max)
{
	(void)!snprintf(ret_text, max, "%s%s%s: %s%s%s", finding->hostname,
	    finding->hostname[0] == 0 ? "" : ": ", finding->check,
	    finding->seen, finding->why[0] == 0 ? "" : ": ", finding->why);
	check_cut(ret_text, max);
}

static struct status
sum_up(diagnosis_msg *report)
{
	const finding_msg *first = NULL;
	unsigned failures = 0, warnings = 0;
	char text[512], finding[400];

	for (size_t i = 0; i < report->n_findings; i++) {
		const finding_msg *at = report->findings[i];

		failures += (int)at->result == CHECK_FAIL;
		warnings += (int)at->result == CHECK_WARNING;
		if (first == NULL && (int)at->result == CHECK_FAIL)
			first = at;
	}
	report->passed = first == NULL;
	if (first == NULL)
		(void)!snprintf(text, sizeof(text), "nothing is in the way%s",
		    warnings == 0 ? "" : "; there are warnings");
	else {
		print_finding(first, finding, sizeof(finding));
		(void)!snprintf(text, sizeof(text), "%s", finding);
		if (failures > 1)
			(void)!snprintf(text + strlen(text),
			    sizeof(text) - strlen(text), " (and %u more)",
			    failures - 1);
	}
	check_cut(text, sizeof(text));
	return message_text(&report->summary, text) ? status_ok()
						    : message_no_memory();
}

static struct status
begin_report(struct check_run *run)
{
	diagnosis_msg *report = run->report;

	report->resource = run->subject->resource;
	report->change = run->subject->change;
	report->at_s = run->now_s;
	return message_text(&report->hostname, run->hosts[0].name)
		   ? status_ok()
		   : message_no_memory();
}

static struct status
keep(struct checks *checks, const struct checks_subject *subject,
    diagnosis_msg *report)
{
	struct store *store = checks->config.store;
	struct store_account account;
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (failed(st))
		return st;
	if (subject->account != 0) {
		st = store_accounts_get(tx, subject->account, &account);
		if (!failed(st) &&
		    !message_text(&report->account, account.name))
			st = message_no_memory();
	}
	if (!failed(st))
		st = store_diagnoses_insert(tx, subject->account, report);
	return store_commit(store, tx, st);
}

/* ---- running ---- */

static struct status
run_all(struct check_run *run)
{
	struct status st = check_facts_of_store(run);

	if (!failed(st))
		st = begin_report(run);
	if (!failed(st))
		st = check_facts_of_dns(run);
	for (size_t i = 0; i < N_CHECKS && !failed(st); i++) {
		if (run->is_preflight && !CHECKS[i].is_of_preflight)
			continue;
		run->check = CHECKS[i].name;
		run->title = CHECKS[i].title;
		st = CHECKS[i].fn(run);
	}
	return st;
}

static struct status
run_into(struct checks *checks, const struct checks_subject *subject,
    diagnosis_msg *report)
{
	int64_t begun_ns = clock_mono_ns();
	struct check_run run = { .config = &checks->config,
		.resolvers = checks->resolvers,
		.n_resolvers = checks->n_resolvers,
		.subject = subject,
		.is_preflight = subject->change != 0,
		.now_s = store_now_s(),
		.until_ns = begun_ns + RUN_NS,
		.n_hosts = subject->names->n,
		.hosts = calloc(subject->names->n, sizeof(*run.hosts)),
		.report = report,
		.detail_left = DETAILS_MAX };
	struct status st =
	    run.hosts == NULL ? message_no_memory() : run_all(&run);

	free(run.hosts);
	report->took_ms = (uint32_t)((clock_mono_ns() - begun_ns) / NS_PER_MS);
	return failed(st) ? st : sum_up(report);
}

STATUS
checks_run(struct checks *checks, const struct checks_subject *subject,
    diagnosis_msg **ret_report)
{
	scoped(message_free) ProtobufCMessage *made =
	    message_new(&holdfast__certd__v1__diagnosis__descriptor);
	diagnosis_msg *report = (diagnosis_msg *)(void *)made;
	struct status st;

	if (made == NULL)
		return message_no_memory();
	if (subject->names->n == 0)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "there is no host name to look at");
	st = run_into(checks, subject, report);
	if (!failed(st))
		st = keep(checks, subject, report);
	if (failed(st))
		return st;
	*ret_report = report;
	made = NULL;
	return st;
}

/* ---- may the CA be asked? ---- */

static bool
forbids(const finding_msg *finding)
{
	if ((int)finding->result != CHECK_FAIL)
		return false;
	for (size_t i = 0; i < N_CHECKS; i++)
		if (strcmp(CHECKS[i].name, finding->check) == 0)
			return CHECKS[i].forbids;
	return false;
}

/* The first failure of the same name: where its DNS is wrong, that is the cause
 * of what its web server does not answer. */
static const finding_msg *
cause_of(const diagnosis_msg *report, const finding_msg *finding)
{
	for (size_t i = 0; i < report->n_findings; i++)
		if ((int)report->findings[i]->result == CHECK_FAIL &&
		    strcmp(report->findings[i]->hostname, finding->hostname) ==
			0)
			return report->findings[i];
	return finding;
}

bool
checks_forbid(const diagnosis_msg *report, char ret_why[PROBLEM_MAX])
{
	const finding_msg *found = NULL;
	char text[512];

	for (size_t i = 0; i < report->n_findings && found == NULL; i++)
		if (forbids(report->findings[i]))
			found = report->findings[i];
	if (found == NULL)
		return false;
	found = cause_of(report, found);
	print_finding(found, text, sizeof(text));
	(void)!snprintf(ret_why, PROBLEM_MAX, "%s%s%s", text,
	    found->remedy[0] == 0 ? "" : "; ", found->remedy);
	check_cut(ret_why, PROBLEM_MAX);
	return true;
}
