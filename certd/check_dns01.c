/* SPDX-License-Identifier: Apache-2.0 */

/*
 * dns-01 before the CA tries it: where _acme-challenge leads, a provider of
 * certd.yaml that has that name, and the servers of its zone, which must answer
 * for it.  By hand nothing can be known but where the record goes; for
 * dns-persist-01 the record is there already.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/check.h"
#include "certd/check_servers.h"
#include "certd/fan.h"
#include "certd/provider_access.h"
#include "certd/txt_place.h"
#include "proto/message.h"

#define PERSIST "_validation-persist"

/* One name that is validated by DNS. */
struct dns01_look {
	const struct check_host *host;
	bool is_late;
	char name[DNS_NAME_MAX]; /* "_acme-challenge.example.com" */
	struct dns_chain chain;
	bool has_zone;
	struct dns_zone zone; /* without those that may not be asked */
	struct word_list unasked;
	size_t n_silent; /* servers that do not answer for the zone */
	char silent[192];
	char why[DNS_WHY_MAX];
	char persist[DNS_TXT_MAX]; /* a TXT there */
};

struct looking {
	const struct check_run *run;
	struct dns01_look *looks;
};

/* ---- looking ---- */

static const char *
target_of(const struct dns01_look *look)
{
	return look->chain.n_hops == 0
		   ? look->name
		   : look->chain.hops[look->chain.n_hops - 1];
}

static void
ask_servers(const struct check_run *run, struct dns01_look *look)
{
	struct dns_answer answers[DNS_ZONE_SERVERS_MAX];

	check_servers_choose(run, &look->zone, &look->unasked);
	if (failed(dns_ask_servers(run->config->resolver, &look->zone,
		look->zone.name, DNS_SOA, answers)))
		return;
	for (size_t i = 0; i < look->zone.n_servers; i++) {
		size_t len = strlen(look->silent);

		if (answers[i].code != DNS_OK || !answers[i].is_authoritative) {
			(void)!snprintf(look->silent + len,
			    sizeof(look->silent) - len, "%s%s",
			    look->n_silent++ == 0 ? "" : ", ",
			    look->zone.servers[i].name);
		}
		dns_answer_done(&answers[i]);
	}
}

static void
ask_persist(const struct check_run *run, struct dns01_look *look)
{
	struct dns_question question = { look->name, DNS_TXT, NULL };
	struct dns_answer answer;

	if (failed(dns_ask(run->config->resolver, &question, 1, &answer)))
		return;
	for (size_t i = 0; i < answer.n_records; i++)
		if (answer.records[i].type == DNS_TXT && look->persist[0] == 0)
			(void)!snprintf(look->persist, sizeof(look->persist),
			    "%s", answer.records[i].text);
	dns_answer_done(&answer);
}

static void
look_one(void *ctx, size_t i)
{
	const struct looking *looking = ctx;
	const struct check_run *run = looking->run;
	struct dns01_look *look = &looking->looks[i];

	look->is_late = check_is_late(run);
	if (look->is_late)
		return;
	if (look->host->validation == VALIDATION_DNS_PERSIST_01) {
		ask_persist(run, look);
		return;
	}
	if (failed(txt_place_find(
		run->config->resolver, look->name, &look->chain)))
		look->chain.end = DNS_CHAIN_FAILED;
	if (check_is_late(run))
		return;
	look->has_zone = !failed(dns_find_zone(
	    run->config->resolver, target_of(look), &look->zone, look->why));
	if (look->has_zone)
		ask_servers(run, look);
}

/* ---- the provider ---- */

/* Where nothing is enrolled the operator's view is taken. */
static bool
may_use(const struct check_run *run, const struct config_dns_provider *provider,
    const struct dns01_look *look)
{
	return !run->has_enrollment ||
	       provider_access_may(provider, run->enrollment.account_name,
		   run->enrollment.by_operator,
		   look->chain.n_hops > 1 ? target_of(look) : "");
}

/* How well its zones fit the place; 1 for an acme-dns that has the host name:
 * what it registers leads out of that. */
static size_t
fit(const struct config_dns_provider *provider, const struct dns01_look *look,
    bool is_wanted)
{
	size_t len = txt_place_zone(&provider->zones, target_of(look));

	if (len == 0 && provider->type == CONFIG_DNS_ACME_DNS &&
	    (is_wanted || txt_place_zone(&provider->zones, look->name) > 0))
		return 1;
	return len;
}

/* The one that the enrollment names, or whose zone fits best of those that
 * serve the account, else of all: *ret_may. */
static const struct config_dns_provider *
find_provider(
    const struct check_run *run, const struct dns01_look *look, bool *ret_may)
{
	const struct config *config = run->config->config;
	const struct config_dns_provider *at = config->dns.providers.at;
	const struct config_dns_provider *found = NULL;
	const char *wanted =
	    run->has_enrollment ? run->enrollment.dns_provider : "";
	size_t best = 0;

	*ret_may = false;
	for (size_t i = 0; i < config->dns.providers.len; i++) {
		const bool is_wanted =
		    wanted[0] != 0 && strcmp(at[i].name, wanted) == 0;
		const size_t len = fit(&at[i], look, is_wanted);
		const bool may = len > 0 && may_use(run, &at[i], look);

		if ((wanted[0] != 0 && !is_wanted) || len == 0 ||
		    (*ret_may && !may) || (*ret_may == may && len <= best))
			continue;
		*ret_may = may;
		best = len;
		found = &at[i];
	}
	return found;
}

static void
judge_access(const struct check_run *run,
    const struct config_dns_provider *provider, const struct dns01_look *look,
    struct check_finding *finding)
{
	const char *zone = provider->delegation_zone;

	finding->result = CHECK_FAIL;
	check_seen(finding, "; provider %s has it, for others than account %s",
	    provider->name, run->enrollment.account_name);
	check_why(finding, "certd does not put the challenge there");
	if (zone[0] != 0)
		check_remedy(finding,
		    "delegate:  %s.  CNAME  LABEL.%s.%s.  or ", look->name,
		    run->enrollment.account_name, zone);
	check_remedy(finding, "ask the operator, who can name the host names "
			      "or list the account (dns.providers, accounts)");
}

/* ---- judging ---- */

static void
judge_zone(struct dns01_look *look, struct check_finding *finding)
{
	const char *target = target_of(look);

	if (!look->has_zone) {
		finding->result = CHECK_FAIL;
		check_seen(finding, "; %s", look->why);
		check_why(finding,
		    "without the zone of %s the CA finds no "
		    "record",
		    target);
		check_remedy(finding,
		    "see that the zone of %s is delegated and its servers "
		    "answer",
		    target);
		return;
	}
	check_seen(finding, "; it is in zone %s with %zu servers",
	    look->zone.name, look->zone.n_servers + look->unasked.n);
	if (look->unasked.n > 0)
		check_seen(finding,
		    "; not asked, for its address is private: %s",
		    word_list_end(&look->unasked));
	if (look->n_silent == 0)
		return;
	finding->result =
	    look->n_silent == look->zone.n_servers ? CHECK_FAIL : CHECK_WARNING;
	check_seen(finding, "; no answer for the zone from %s", look->silent);
	check_why(finding, "the CA asks any of them, and takes no answer for "
			   "no record");
	check_remedy(finding,
	    "mend these servers, or take them out of the NS records of %s",
	    look->zone.name);
}

static void
judge_provider(const struct check_run *run, const struct dns01_look *look,
    struct check_finding *finding)
{
	const char *target = target_of(look);
	bool may = false;
	const struct config_dns_provider *provider =
	    find_provider(run, look, &may);

	if (look->host->validation == VALIDATION_DNS_01_BY_HAND) {
		check_seen(finding, "; the record is put there by hand");
		return;
	}
	if (provider != NULL && !may) {
		judge_access(run, provider, look, finding);
		return;
	}
	if (provider != NULL) {
		check_seen(finding, "; provider %s has it", provider->name);
		return;
	}
	finding->result = CHECK_FAIL;
	check_seen(finding, "; no provider of certd.yaml has it");
	check_why(finding, "certd cannot put the challenge there");
	check_remedy(finding,
	    "add a zone that holds %s to dns.providers in certd.yaml, or "
	    "delegate:  %s.  CNAME  NAME-IN-A-ZONE-OF-A-PROVIDER",
	    target, look->name);
}

static void
judge_persist(const struct check_run *run, const struct dns01_look *look,
    struct check_finding *finding)
{
	if (look->persist[0] != 0) {
		check_seen(
		    finding, "%s has TXT \"%s\"", look->name, look->persist);
		return;
	}
	/* No failure: the whole line is known once the CA was asked, and the
	 * change shows it and waits. */
	finding->result = CHECK_WARNING;
	check_seen(finding, "%s has no TXT record", look->name);
	check_why(finding,
	    "dns-persist-01 is validated by a record that stays there");
	check_remedy(finding,
	    "put into the DNS:  %s.  TXT  \"%s; accounturi=ACCOUNT-URL\" (the "
	    "change shows the whole line, and waits for it)",
	    look->name, run->ca_domain[0] == 0 ? "CA-DOMAIN" : run->ca_domain);
}

static struct status
judge(struct check_run *run, struct dns01_look *look)
{
	struct check_finding finding = { .result = CHECK_PASS,
		.hostname = look->host->name };

	if (look->is_late)
		return check_say(run, CHECK_NOT_APPLICABLE, look->host->name,
		    "there was no time left to look");
	if (look->host->validation == VALIDATION_DNS_PERSIST_01) {
		judge_persist(run, look, &finding);
		return check_add(run, &finding);
	}
	check_seen(&finding, "%s", look->name);
	for (size_t i = 1; i < look->chain.n_hops; i++)
		check_seen(&finding, " CNAME %s", look->chain.hops[i]);
	if (look->chain.end == DNS_CHAIN_LOOP ||
	    look->chain.end == DNS_CHAIN_TOO_LONG) {
		finding.result = CHECK_FAIL;
		check_why(&finding, "its CNAMEs lead to no end");
		check_remedy(&finding, "mend the CNAME of %s", look->name);
		return check_add(run, &finding);
	}
	judge_provider(run, look, &finding);
	if (finding.result == CHECK_PASS)
		judge_zone(look, &finding);
	return check_add(run, &finding);
}

/* ---- all of them ---- */

static size_t
choose(const struct check_run *run, struct dns01_look *looks)
{
	size_t n = 0;

	for (size_t i = 0; i < run->n_hosts; i++) {
		const struct check_host *host = &run->hosts[i];
		bool is_persist = host->validation == VALIDATION_DNS_PERSIST_01;

		if (host->validation == VALIDATION_HTTP_01)
			continue;
		looks[n].host = host;
		(void)!snprintf(looks[n].name, sizeof(looks[n].name), "%s.%s",
		    is_persist ? PERSIST : "_acme-challenge",
		    host->name + (host->is_wildcard ? 2 : 0));
		n++;
	}
	return n;
}

struct status
check_dns01(struct check_run *run)
{
	struct looking looking = { .run = run };
	struct status st = status_ok();
	size_t n;

	looking.looks = calloc(run->n_hosts + 1, sizeof(*looking.looks));
	if (looking.looks == NULL)
		return message_no_memory();
	n = choose(run, looking.looks);
	fan_out(n, look_one, &looking);
	if (n == 0)
		st = check_say(run, CHECK_NOT_APPLICABLE, NULL,
		    "nothing is validated by DNS");
	for (size_t i = 0; i < n && !failed(st); i++)
		st = judge(run, &looking.looks[i]);
	free(looking.looks);
	return st;
}
