/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Records of dns-persist-01, which people write and CAs read: so they are read
 * here as a CA reads them, not compared octet by octet.  The wanted value is
 * read by the same reader.
 */

#include "certd/solver_persist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/printable.h"
#include "base/scoped.h"

/* Part of a text. */
struct span {
	const char *at; /* NULL: it is not there */
	size_t len;
};

struct grant {
	struct span issuer, account, policy, until;
};

bool
solver_persist_print(const char *issuer_domain, const char *account_url,
    bool is_wildcard, char *ret_value, size_t max)
{
	int n = snprintf(ret_value, max, "%s; accounturi=%s%s", issuer_domain,
	    account_url, is_wildcard ? "; policy=wildcard" : "");

	return n > 0 && (size_t)n < max;
}

static struct span
trim(struct span text)
{
	while (text.len > 0 && (*text.at == ' ' || *text.at == '\t')) {
		text.at++;
		text.len--;
	}
	while (text.len > 0 &&
	       (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
		text.len--;
	return text;
}

static bool
same(struct span a, struct span b)
{
	return a.at != NULL && b.at != NULL && a.len == b.len &&
	       memcmp(a.at, b.at, a.len) == 0;
}

static bool
same_word(struct span a, struct span b)
{
	return a.at != NULL && b.at != NULL && a.len == b.len &&
	       strncasecmp(a.at, b.at, a.len) == 0;
}

static bool
is_word(struct span text, const char *word)
{
	return same_word(text, (struct span){ word, strlen(word) });
}

/* The part up to the next ';'; *text moves behind it. */
static struct span
next_part(const char **text)
{
	size_t len = strcspn(*text, ";");
	struct span part = trim((struct span){ *text, len });

	*text += len;
	if (**text == ';')
		++*text;
	return part;
}

/* False: it is no parameter, or is there already. */
static bool
take_parameter(struct span part, struct grant *grant)
{
	const char *equals = memchr(part.at, '=', part.len);
	struct span tag, value, *into = NULL;

	if (equals == NULL)
		return false;
	tag = trim((struct span){ part.at, (size_t)(equals - part.at) });
	value = trim((struct span){
	    equals + 1, part.len - (size_t)(equals + 1 - part.at) });
	if (is_word(tag, "accounturi"))
		into = &grant->account;
	else if (is_word(tag, "policy"))
		into = &grant->policy;
	else if (is_word(tag, "persistUntil"))
		into = &grant->until;
	if (into == NULL)
		return tag.len > 0; /* unknown ones are for others */
	if (into->at != NULL)
		return false;
	*into = value;
	return true;
}

static bool
read_grant(const char *text, struct grant *ret_grant)
{
	struct grant grant = { .issuer = next_part(&text) };

	if (grant.issuer.len == 0)
		return false;
	if (grant.issuer.at[grant.issuer.len - 1] == '.')
		grant.issuer.len--;
	while (*text != 0) {
		struct span part = next_part(&text);

		if (part.len > 0 && !take_parameter(part, &grant))
			return false;
	}
	*ret_grant = grant;
	return true;
}

/* Seconds since 1970 in digits, and nothing else. */
static bool
is_over(struct span until, int64_t now_s)
{
	int64_t s = 0;

	if (until.at == NULL)
		return false;
	if (until.len == 0 || until.len > 18)
		return true;
	for (size_t i = 0; i < until.len; i++) {
		if (until.at[i] < '0' || until.at[i] > '9')
			return true;
		s = 10 * s + (until.at[i] - '0');
	}
	return s <= now_s;
}

bool
solver_persist_grants(const char *record, const char *value, int64_t now_s)
{
	struct grant has, wanted;

	return read_grant(value, &wanted) && read_grant(record, &has) &&
	       same_word(has.issuer, wanted.issuer) &&
	       same(has.account, wanted.account) &&
	       !is_over(has.until, now_s) &&
	       (wanted.policy.at == NULL || is_word(has.policy, "wildcard"));
}

/* ---- at the authoritative servers ---- */

static bool
answer_grants(const struct dns_answer *answer, const char *value)
{
	if (answer->code != DNS_OK || !answer->is_authoritative)
		return false;
	for (size_t i = 0; i < answer->n_records; i++)
		if (answer->records[i].type == DNS_TXT &&
		    solver_persist_grants(
			answer->records[i].text, value, clock_wall_s()))
			return true;
	return false;
}

static void
say_what_is_there(const struct dns_zone *zone, size_t server,
    const struct dns_answer *answer, const char *name, char *ret_why)
{
	char text[256] = "no TXT record";

	if (zone->servers[server].address[0] == 0)
		(void)!snprintf(
		    text, sizeof(text), "the server has no address");
	else if (answer->code == DNS_OK && !answer->is_authoritative)
		(void)!snprintf(text, sizeof(text),
		    "the server does not serve the zone (lame delegation)");
	else if (answer->code != DNS_OK)
		(void)!snprintf(
		    text, sizeof(text), "%s", dns_code_name(answer->code));
	for (size_t i = 0; i < answer->n_records; i++)
		if (answer->is_authoritative &&
		    answer->records[i].type == DNS_TXT)
			printable_print(bytes_of(answer->records[i].text), text,
			    sizeof(text));
	(void)!snprintf(ret_why, PROBLEM_MAX,
	    "%.128s (%.63s) has no TXT record at "
	    "%.200s that grants it: %s",
	    zone->servers[server].name, zone->servers[server].address, name,
	    text);
}

STATUS
solver_persist_everywhere(struct dns_resolver *resolver, const char *name,
    const char *value, bool *ret_in_place, char ret_why[PROBLEM_MAX])
{
	scoped(free) struct dns_zone *zone = calloc(1, sizeof(*zone));
	struct dns_answer answers[DNS_ZONE_SERVERS_MAX];
	char why[DNS_WHY_MAX] = "";
	bool is_everywhere = true;
	struct status st;

	if (zone == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	st = dns_find_zone(resolver, name, zone, why);
	if (failed(st)) {
		(void)!snprintf(ret_why, PROBLEM_MAX, "%s", why);
		return st;
	}
	st = dns_ask_servers(resolver, zone, name, DNS_TXT, answers);
	if (failed(st))
		return st;
	for (size_t i = 0; i < zone->n_servers; i++) {
		if (is_everywhere && !answer_grants(&answers[i], value)) {
			is_everywhere = false;
			say_what_is_there(zone, i, &answers[i], name, ret_why);
		}
		dns_answer_done(&answers[i]);
	}
	*ret_in_place = is_everywhere && zone->n_servers > 0;
	return st;
}
