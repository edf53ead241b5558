/* SPDX-License-Identifier: Apache-2.0 */

/*
 * May the CA issue for each name (RFC 8659)?  A look-up that fails is a no, as
 * it is to the CA.  Names are looked up side by side.
 */

#include <stdlib.h>
#include <string.h>

#include "certd/check.h"
#include "certd/fan.h"
#include "proto/message.h"

struct caa_answer {
	struct dns_caa caa;
	struct status st;
	char why[DNS_WHY_MAX];
};

struct asking {
	const struct check_run *run;
	struct caa_answer *answers;
};

static void
ask_one(void *ctx, size_t i)
{
	struct asking *asking = ctx;
	struct caa_answer *answer = &asking->answers[i];
	const char *name = asking->run->hosts[i].name;

	if (check_is_late(asking->run)) {
		answer->st = status_fail(STATUS_DEADLINE_EXCEEDED, "late");
		return;
	}
	if (asking->run->hosts[i].is_wildcard)
		name += 2;
	answer->st = dns_find_caa(
	    asking->run->config->resolver, name, &answer->caa, answer->why);
}

/* ---- what it says ---- */

static void
show_records(const struct dns_caa *caa, struct check_finding *finding)
{
	if (caa->n_records == 0) {
		check_seen(finding, "no CAA record: any CA may");
		return;
	}
	check_seen(finding, "at %s:", caa->at);
	for (size_t i = 0; i < caa->n_records && i < 16; i++) {
		check_seen(finding, "%s %s \"%s\"", i == 0 ? "" : ",",
		    caa->records[i].tag, caa->records[i].value);
		check_detail(finding, "%s.\tCAA\t%d %s \"%s\"\n", caa->at,
		    caa->records[i].is_critical ? 128 : 0, caa->records[i].tag,
		    caa->records[i].value);
	}
}

/* A wildcard asks for issuewild where there is one (RFC 8659 4.3). */
static const char *
tag_for(const struct dns_caa *caa, const struct check_host *host)
{
	for (size_t i = 0; i < caa->n_records && host->is_wildcard; i++)
		if (strcmp(caa->records[i].tag, "issuewild") == 0)
			return "issuewild";
	return "issue";
}

/* Where no CA was named the next one is asked; NULL: none may. */
static const char *
other_that_may(const struct check_run *run, const struct check_host *host,
    const struct dns_caa *caa)
{
	const struct config *config = run->config->config;
	const struct config_authority *at = config->acme.authorities.at;

	if (run->is_preflight ||
	    (run->has_enrollment && run->enrollment.authority[0] != 0))
		return NULL;
	for (size_t i = 0; i < config->acme.authorities.len; i++)
		if (!at[i].standby_only &&
		    (at[i].ca_domain[0] == 0 ||
			dns_caa_allows(
			    caa, at[i].ca_domain, host->is_wildcard)))
			return at[i].name;
	return NULL;
}

static void
is_forbidden(const struct check_run *run, const struct check_host *host,
    const struct dns_caa *caa, struct check_finding *finding)
{
	const char *other = other_that_may(run, host, caa);

	finding->result = other == NULL ? CHECK_FAIL : CHECK_WARNING;
	if (other != NULL)
		check_seen(finding, "; authority %s may", other);
	check_why(finding, "they do not let %s issue for %s", run->ca_domain,
	    host->name);
	check_remedy(finding, "put into the DNS:  %s.  CAA  0 %s \"%s\"",
	    caa->at, tag_for(caa, host), run->ca_domain);
}

static struct status
judge(struct check_run *run, const struct check_host *host,
    const struct caa_answer *answer)
{
	struct check_finding finding = { .result = CHECK_PASS,
		.hostname = host->name };

	if (answer->st.code == STATUS_DEADLINE_EXCEEDED)
		return check_say(run, CHECK_NOT_APPLICABLE, host->name,
		    "there was no time left to look");
	if (failed(answer->st)) {
		finding.result = CHECK_FAIL;
		check_seen(&finding, "%s",
		    answer->why[0] != 0 ? answer->why : answer->st.why);
		check_why(&finding,
		    "a CA takes a CAA look-up that fails for a no (RFC 8659)");
		check_remedy(&finding,
		    "have the name servers answer questions for CAA, and be it "
		    "with none; some old or misconfigured ones fail on it");
		return check_add(run, &finding);
	}
	show_records(&answer->caa, &finding);
	if (run->ca_domain[0] == 0)
		finding.result = answer->caa.n_records == 0
				     ? CHECK_PASS
				     : CHECK_NOT_APPLICABLE;
	else if (!dns_caa_allows(
		     &answer->caa, run->ca_domain, host->is_wildcard))
		is_forbidden(run, host, &answer->caa, &finding);
	return check_add(run, &finding);
}

struct status
check_caa(struct check_run *run)
{
	struct asking asking = { .run = run };
	struct status st = status_ok();

	if (run->is_preflight && run->ca_domain[0] == 0)
		return check_say(run, CHECK_NOT_APPLICABLE, NULL,
		    "no ca_domain is configured for the CA");
	asking.answers = calloc(run->n_hosts + 1, sizeof(*asking.answers));
	if (asking.answers == NULL)
		return message_no_memory();
	fan_out(run->n_hosts, ask_one, &asking);
	for (size_t i = 0; i < run->n_hosts && !failed(st); i++)
		st = judge(run, &run->hosts[i], &asking.answers[i]);
	free(asking.answers);
	return st;
}
