/* SPDX-License-Identifier: Apache-2.0 */

/* Scripted DNS; see dns_fake.h.  What it does not know it does not make up. */

#include "tests/fake/dns_fake.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS 128

struct dns_resolver {
	char server[64]; /* the only one; "" for several or none */
};

static struct dns_record records[RECORDS];
static size_t n_records;
static struct {
	char name[DNS_NAME_MAX];
	enum dns_code code;
} failures[16];
static size_t n_failures;
static struct {
	char zone[DNS_NAME_MAX], name[DNS_NAME_MAX], address[64];
	enum dns_code code;
	bool is_authoritative;
} servers[16];
static size_t n_servers;
static char caa_failure[DNS_NAME_MAX], lame[DNS_NAME_MAX];
static struct {
	char server[64], name[DNS_NAME_MAX], cname[DNS_NAME_MAX];
} different;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* of is_held */
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static bool is_held;

void
dns_fake_reset(void)
{
	n_records = n_failures = n_servers = 0;
	caa_failure[0] = lame[0] = different.server[0] = 0;
}

void
dns_fake_add(
    const char *name, enum dns_type type, uint32_t ttl_s, const char *text)
{
	struct dns_record *record = &records[n_records++];

	if (n_records > RECORDS)
		abort();
	*record = (struct dns_record){ .type = type, .ttl_s = ttl_s };
	snprintf(record->name, sizeof(record->name), "%s", name);
	snprintf(record->text, sizeof(record->text), "%s", text);
}

void
dns_fake_fail(const char *name, enum dns_code code)
{
	snprintf(failures[n_failures].name, DNS_NAME_MAX, "%s", name);
	failures[n_failures++].code = code;
}

void
dns_fake_zone(const char *zone, const char *server_name,
    const char *server_address, enum dns_code code, bool is_authoritative)
{
	snprintf(servers[n_servers].zone, DNS_NAME_MAX, "%s", zone);
	snprintf(servers[n_servers].name, DNS_NAME_MAX, "%s", server_name);
	snprintf(servers[n_servers].address, 64, "%s", server_address);
	servers[n_servers].code = code;
	servers[n_servers++].is_authoritative = is_authoritative;
}

void
dns_fake_lame(const char *zone)
{
	snprintf(lame, sizeof(lame), "%s", zone);
}

void
dns_fake_caa_fails(const char *name)
{
	snprintf(caa_failure, sizeof(caa_failure), "%s", name);
}

void
dns_fake_differs(const char *server, const char *name, const char *cname)
{
	snprintf(different.server, sizeof(different.server), "%s", server);
	snprintf(different.name, sizeof(different.name), "%s", name);
	snprintf(different.cname, sizeof(different.cname), "%s", cname);
}

void
dns_fake_hold(void)
{
	pthread_mutex_lock(&gate);
	is_held = true;
	pthread_mutex_unlock(&gate);
}

void
dns_fake_let_go(void)
{
	pthread_mutex_lock(&gate);
	is_held = false;
	pthread_cond_broadcast(&opened);
	pthread_mutex_unlock(&gate);
}

/* ---- dns/resolver.h ---- */

STATUS
dns_resolver_new(const struct dns_resolver_config *config,
    struct dns_resolver **ret_resolver)
{
	struct dns_resolver *resolver = calloc(1, sizeof(*resolver));

	if (resolver == NULL)
		abort();
	if (config->n_servers == 1)
		snprintf(resolver->server, sizeof(resolver->server), "%s",
		    config->servers[0]);
	*ret_resolver = resolver;
	return status_ok();
}

void
dns_resolver_free(struct dns_resolver *resolver)
{
	free(resolver);
}

void
dns_answer_done(struct dns_answer *answer)
{
	free(answer->records);
	answer->records = NULL;
	answer->n_records = 0;
}

static bool
exists(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < n_records; i++) {
		size_t other = strlen(records[i].name);

		if (strcmp(records[i].name, name) == 0 ||
		    (other > len &&
			strcmp(records[i].name + other - len, name) == 0 &&
			records[i].name[other - len - 1] == '.'))
			return true;
	}
	return false;
}

static enum dns_code
code_of(const char *name)
{
	for (size_t i = 0; i < n_failures; i++)
		if (strcmp(failures[i].name, name) == 0)
			return failures[i].code;
	return exists(name) ? DNS_OK : DNS_NXDOMAIN;
}

static const struct dns_record *
find(const char *name, enum dns_type type)
{
	for (size_t i = 0; i < n_records; i++)
		if (records[i].type == type &&
		    strcmp(records[i].name, name) == 0)
			return &records[i];
	return NULL;
}

static void
append(struct dns_answer *answer, const struct dns_record *record)
{
	answer->records = realloc(answer->records,
	    (answer->n_records + 1) * sizeof(*answer->records));
	if (answer->records == NULL)
		abort();
	answer->records[answer->n_records++] = *record;
}

static void
answer_one(struct dns_resolver *resolver, const struct dns_question *question,
    struct dns_answer *answer)
{
	const char *name = question->name;

	snprintf(answer->server, sizeof(answer->server), "%s",
	    resolver->server[0] == 0 ? "192.0.2.53:53" : resolver->server);
	if (strcmp(resolver->server, different.server) == 0 &&
	    different.server[0] != 0 && strcmp(name, different.name) == 0) {
		struct dns_record record = { .type = DNS_CNAME, .ttl_s = 60 };

		snprintf(record.name, sizeof(record.name), "%s", name);
		snprintf(
		    record.text, sizeof(record.text), "%s", different.cname);
		append(answer, &record);
		return;
	}
	for (unsigned hops = 0; hops < 20; hops++) {
		const struct dns_record *cname = find(name, DNS_CNAME);

		answer->code = code_of(name);
		if (cname == NULL || answer->code != DNS_OK)
			break;
		append(answer, cname);
		name = cname->text;
	}
	for (size_t i = 0; i < n_records && answer->code == DNS_OK; i++)
		if (records[i].type == question->type &&
		    records[i].type != DNS_CNAME &&
		    strcmp(records[i].name, name) == 0)
			append(answer, &records[i]);
}

static void
answer_server(const struct dns_question *question, struct dns_answer *answer)
{
	answer->code = DNS_NO_ANSWER;
	for (size_t i = 0; i < n_servers; i++)
		if (strcmp(servers[i].address, question->server) == 0) {
			answer->code = servers[i].code;
			answer->is_authoritative = servers[i].is_authoritative;
		}
}

STATUS
dns_ask(struct dns_resolver *resolver, const struct dns_question *questions,
    size_t n, struct dns_answer *ret_answers)
{
	for (size_t i = 0; i < n; i++) {
		ret_answers[i] = (struct dns_answer){ .code = DNS_OK };
		if (questions[i].server != NULL)
			answer_server(&questions[i], &ret_answers[i]);
		else
			answer_one(resolver, &questions[i], &ret_answers[i]);
	}
	return status_ok();
}

static void
end_chain(struct dns_chain *chain, const char *name)
{
	for (size_t i = 0; i < n_records; i++)
		if ((records[i].type == DNS_A || records[i].type == DNS_AAAA) &&
		    strcmp(records[i].name, name) == 0)
			snprintf(chain->addresses[chain->n_addresses++],
			    sizeof(chain->addresses[0]), "%.63s",
			    records[i].text);
	chain->end =
	    chain->n_addresses > 0 ? DNS_CHAIN_ADDRESS : DNS_CHAIN_NOTHING;
}

static void
follow(const char *name, struct dns_chain *chain)
{
	*chain = (struct dns_chain){ .n_hops = 0 };
	for (;;) {
		const struct dns_record *cname = find(name, DNS_CNAME);

		for (size_t i = 0; i < chain->n_hops; i++)
			if (strcmp(chain->hops[i], name) == 0)
				chain->end = DNS_CHAIN_LOOP;
		snprintf(
		    chain->hops[chain->n_hops++], DNS_NAME_MAX, "%s", name);
		if (chain->end == DNS_CHAIN_LOOP)
			return;
		chain->code = code_of(name);
		if (chain->code != DNS_OK) {
			chain->end = chain->code == DNS_NXDOMAIN
					 ? DNS_CHAIN_NXDOMAIN
					 : DNS_CHAIN_FAILED;
			return;
		}
		if (cname == NULL)
			break;
		chain->ttls_s[chain->n_hops - 1] = cname->ttl_s;
		name = cname->text;
	}
	end_chain(chain, name);
}

STATUS
dns_chain(struct dns_resolver *resolver, const char *const *names, size_t n,
    struct dns_chain *ret_chains)
{
	(void)resolver;
	pthread_mutex_lock(&gate);
	while (is_held)
		pthread_cond_wait(&opened, &gate);
	pthread_mutex_unlock(&gate);
	for (size_t i = 0; i < n; i++)
		follow(names[i], &ret_chains[i]);
	return status_ok();
}

static bool
is_in(const char *name, const char *zone)
{
	size_t len = strlen(name), part = strlen(zone);

	return len >= part && strcmp(name + len - part, zone) == 0;
}

STATUS
dns_find_zone(struct dns_resolver *resolver, const char *name,
    struct dns_zone *ret_zone, char ret_why[DNS_WHY_MAX])
{
	struct dns_zone zone = { .n_servers = 0 };

	(void)resolver;
	for (size_t i = 0; i < n_servers; i++) {
		if (!is_in(name, servers[i].zone) ||
		    (lame[0] != 0 && is_in(name, lame)))
			continue;
		snprintf(zone.name, DNS_NAME_MAX, "%s", servers[i].zone);
		snprintf(zone.servers[zone.n_servers].name, DNS_NAME_MAX, "%s",
		    servers[i].name);
		snprintf(zone.servers[zone.n_servers++].address, 64, "%s",
		    servers[i].address);
	}
	if (zone.n_servers == 0) {
		snprintf(ret_why, DNS_WHY_MAX,
		    "the zone of %.200s is not known", name);
		return status_fail(STATUS_UNAVAILABLE, "no zone");
	}
	*ret_zone = zone;
	return status_ok();
}

static void
take_caa(struct dns_caa *caa, const char *at, const char *text)
{
	char tag[32] = "", value[256] = "";

	if (sscanf(text, "%*u %31s \"%255[^\"]", tag, value) != 2)
		abort();
	snprintf(caa->at, sizeof(caa->at), "%s", at);
	memcpy(caa->records[caa->n_records].tag, tag, sizeof(tag));
	memcpy(caa->records[caa->n_records++].value, value, sizeof(value));
}

STATUS
dns_find_caa(struct dns_resolver *resolver, const char *name,
    struct dns_caa *ret_caa, char ret_why[DNS_WHY_MAX])
{
	struct dns_caa caa = { .n_records = 0 };

	(void)resolver;
	if (strcmp(name, caa_failure) == 0) {
		snprintf(ret_why, DNS_WHY_MAX, "CAA of %.200s: SERVFAIL", name);
		return status_fail(STATUS_UNAVAILABLE, "CAA cannot be found");
	}
	while (name != NULL && caa.n_records == 0) {
		for (size_t i = 0; i < n_records; i++)
			if (records[i].type == DNS_CAA &&
			    strcmp(records[i].name, name) == 0)
				take_caa(&caa, name, records[i].text);
		name = strchr(name, '.');
		name = name == NULL ? NULL : name + 1;
	}
	*ret_caa = caa;
	return status_ok();
}
