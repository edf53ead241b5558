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
#include <strings.h>

#include "certd/check.h"
#include "certd/fan.h"
#include "proto/message.h"

#define PERSIST "_validation-persist"

/* One name that is validated by DNS. */
struct dns01_look {
	const struct check_host *host;
	bool is_late;
	char name[DNS_NAME_MAX]; /* "_acme-challenge.example.com" */
	struct dns_chain chain;
	bool has_zone;
	struct dns_zone zone;
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
	struct dns_question questions[16];
	struct dns_answer answers[16];
	size_t n = look->zone.n_servers < 16 ? look->zone.n_servers : 16;

	for (size_t i = 0; i < n; i++)
		questions[i] = (struct dns_question){ look->zone.name, DNS_SOA,
			look->zone.servers[i].address };
	if (n == 0 ||
	    failed(dns_ask(run->config->resolver, questions, n, answers)))
		return;
	for (size_t i = 0; i < n; i++) {
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
	const char *names[1] = { look->name };

	look->is_late = check_is_late(run);
	if (look->is_late)
		return;
	if (look->host->validation == VALIDATION_DNS_PERSIST_01) {
		ask_persist(run, look);
		return;
	}
	if (failed(dns_chain(run->config->resolver, names, 1, &look->chain)))
		look->chain.end = DNS_CHAIN_FAILED;
	if (check_is_late(run))
		return;
	look->has_zone = !failed(dns_find_zone(
	    run->config->resolver, target_of(look), &look->zone, look->why));
	if (look->has_zone)
		ask_servers(run, look);
}

/* ---- the provider ---- */

/* Of the longest of its zones that holds the name; 0: none does. */
static size_t
match(const struct config_dns_provider *provider, const char *name)
{
	size_t len = strlen(name), best = 0;

	for (size_t i = 0; i < provider->zones.len; i++) {
		const char *zone = provider->zones.at[i];
		size_t part = strlen(zone);

		if (part > 0 && zone[part - 1] == '.')
			part--;
		if (part > best && part <= len &&
		    strncasecmp(name + len - part, zone, part) == 0 &&
		    (part == len || name[len - part - 1] == '.'))
			best = part;
	}
	return best;
}

/* As the solver does: by where the record is to be, or acme-dns by whose it is,
 * for it says itself where the CNAME has to lead. */
static const struct config_dns_provider *
find_provider(const struct check_run *run, const struct dns01_look *look)
{
	const struct config *config = run->config->config;
	const struct config_dns_provider *at = config->dns.providers.at;
	const struct config_dns_provider *found = NULL, *delegate = NULL;
	const char *wanted =
	    run->has_enrollment ? run->enrollment.dns_provider : "";
	size_t best = 0;

	for (size_t i = 0; i < config->dns.providers.len; i++) {
		size_t len = match(&at[i], target_of(look));

		if (wanted[0] != 0 && strcmp(at[i].name, wanted) != 0)
			continue;
		if (len > best) {
			best = len;
			found = &at[i];
		}
		if (at[i].type == CONFIG_DNS_ACME_DNS &&
		    (wanted[0] != 0 || match(&at[i], look->name) > 0))
			delegate = &at[i];
	}
	return found != NULL ? found : delegate;
}

/* ---- judging ---- */

static void
judge_zone(const struct dns01_look *look, struct check_finding *finding)
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
	    look->zone.name, look->zone.n_servers);
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
	const struct config_dns_provider *provider = find_provider(run, look);

	if (look->host->validation == VALIDATION_DNS_01_BY_HAND) {
		check_seen(finding, "; the record is put there by hand");
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
judge(struct check_run *run, const struct dns01_look *look)
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
