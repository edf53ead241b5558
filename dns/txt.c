/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Has a TXT record arrived?  No resolver is asked for it: what it remembers,
 * that there is nothing for one, would be in the way for as long as the zone
 * says.  Each authoritative server speaks for itself, and only with authority.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/message.h"
#include "dns/resolver_int.h"

struct why {
	char *at;
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void
add(struct why *why, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(why->at + why->len, DNS_WHY_MAX - why->len, format, args);
	va_end(args);
	if (n > 0)
		why->len += (size_t)n;
	if (why->len >= DNS_WHY_MAX)
		why->len = DNS_WHY_MAX - 1;
}

static bool
has_value(const struct dns_answer *answer, const char *name, const char *value)
{
	if (answer->code != DNS_OK || !answer->is_authoritative)
		return false;
	for (size_t i = 0; i < answer->n_records; i++)
		if (answer->records[i].type == DNS_TXT &&
		    strcmp(answer->records[i].name, name) == 0 &&
		    strcmp(answer->records[i].text, value) == 0)
			return true;
	return false;
}

/* What a server has that has not what it should. */
static void
add_other(struct why *why, const struct dns_answer *answer, const char *name)
{
	const struct dns_record *txt = resolver_find(answer, name, DNS_TXT);
	const struct dns_record *cname = resolver_find(answer, name, DNS_CNAME);

	if (!resolver_is_told(answer))
		add(why, "%s", dns_code_name(answer->code));
	else if (!answer->is_authoritative)
		add(why, "does not serve the zone (lame delegation)");
	else if (cname != NULL)
		add(why, "has a CNAME to %.80s", cname->text);
	else if (txt != NULL)
		add(why, "has \"%.60s\"", txt->text);
	else
		add(why, "has no TXT record there");
}

STATUS
dns_txt_everywhere(struct dns_resolver *resolver, const char *name,
    const char *value, size_t *ret_n_servers, size_t *ret_n_have,
    char ret_why[DNS_WHY_MAX])
{
	scoped(free) struct dns_zone *zone = malloc(sizeof(*zone));
	char clean[DNS_NAME_MAX], text[DNS_TXT_MAX];
	struct dns_answer answers[DNS_ZONE_SERVERS_MAX];
	struct why why = { ret_why, 0 };
	size_t n_have = 0;
	struct status st;

	if (zone == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	st = dns_find_zone(resolver, name, zone, ret_why);
	if (failed(st))
		return st;
	(void)wire_clean_name(name, clean);
	message_print_txt(bytes_of(value), text);
	st = dns_ask_servers(resolver, zone, clean, DNS_TXT, answers);
	if (failed(st)) {
		add(&why, "%s", st.why);
		return st;
	}
	for (size_t i = 0; i < zone->n_servers; i++)
		if (has_value(&answers[i], clean, text))
			n_have++;
	if (n_have < zone->n_servers)
		add(&why, "%zu of %zu authoritative servers of %.80s have it",
		    n_have, zone->n_servers, zone->name);
	for (size_t i = 0; i < zone->n_servers; i++) {
		if (!has_value(&answers[i], clean, text)) {
			add(&why, "; %.60s (%s) ", zone->servers[i].name,
			    zone->servers[i].address);
			if (zone->servers[i].address[0] == 0)
				add(&why, "has no address");
			else
				add_other(&why, &answers[i], clean);
		}
		dns_answer_done(&answers[i]);
	}
	*ret_n_servers = zone->n_servers;
	*ret_n_have = n_have;
	return status_ok();
}
