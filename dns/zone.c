/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Zones, and what their authoritative servers say.  The cut is where the SOA
 * is: all ancestors of a name are asked about at once, and the closest that has
 * one of its own is the zone.  A look-up that fails on the way leaves the zone
 * unknown: a server further up might know nothing of what is below.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/address.h"
#include "dns/resolver_int.h"
#include "dns/wire.h"

__attribute__((format(printf, 2, 3))) static struct status
unavailable(char *ret_why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)!vsnprintf(ret_why, DNS_WHY_MAX, format, args);
	va_end(args);
	return status_fail(STATUS_UNAVAILABLE,
	    "the zone of a name, or its servers, cannot be found");
}

static struct status
no_memory(void)
{
	return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

/* --- The cut ----------------------------------------------------------------
 */

static void
answers_done(struct dns_answer *answers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dns_answer_done(&answers[i]);
}

static STATUS
choose_zone(const struct dns_question *questions,
    const struct dns_answer *answers, size_t n, char ret_zone[DNS_NAME_MAX],
    char *ret_why)
{
	for (size_t i = 0; i < n; i++) {
		const char *name = questions[i].name;

		if (!resolver_is_told(&answers[i]))
			return unavailable(ret_why,
			    "the zone of %.120s is not known: SOA %.120s: %s "
			    "(from %s)",
			    questions[0].name, name,
			    dns_code_name(answers[i].code), answers[i].server);
		if (resolver_find(&answers[i], name, DNS_SOA) != NULL) {
			(void)!snprintf(ret_zone, DNS_NAME_MAX, "%s", name);
			return status_ok();
		}
	}
	return unavailable(ret_why,
	    "no zone holds %.120s, as the resolver sees it: no SOA up to the "
	    "root",
	    questions[0].name);
}

static STATUS
find_cut(struct dns_resolver *resolver, const char *name,
    char ret_zone[DNS_NAME_MAX], char *ret_why)
{
	struct dns_question questions[RESOLVER_LABELS_MAX] = { 0 };
	struct dns_answer answers[RESOLVER_LABELS_MAX];
	struct status st;
	size_t n = 0;

	for (const char *at = name; at != NULL && n < RESOLVER_LABELS_MAX;
	     at = wire_parent(at))
		questions[n++] =
		    (struct dns_question){ .name = at, .type = DNS_SOA };
	st = dns_ask(resolver, questions, n, answers);
	if (failed(st)) {
		(void)!snprintf(ret_why, DNS_WHY_MAX, "%s", st.why);
		return st;
	}
	st = choose_zone(questions, answers, n, ret_zone, ret_why);
	answers_done(answers, n);
	return st;
}

/* --- Its servers ------------------------------------------------------------
 */

/* Is there a way to it from here at all?  connect sends nothing by UDP. */
static bool
has_route(const char *text)
{
	union address address;
	scoped(close) int fd = -1;

	if (!address_parse(text, &address))
		return false;
	fd = socket(address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd >= 0 && connect(fd, &address.any, address_len(&address)) == 0;
}

static void
add_server(struct dns_zone *zone, const char *name, const char *address)
{
	if (zone->n_servers == DNS_ZONE_SERVERS_MAX)
		return;
	for (size_t i = 0; i < zone->n_servers; i++)
		if (address[0] != 0 &&
		    strcmp(zone->servers[i].address, address) == 0)
			return;
	(void)!snprintf(
	    zone->servers[zone->n_servers].name, DNS_NAME_MAX, "%s", name);
	(void)!snprintf(
	    zone->servers[zone->n_servers++].address, 64, "%s", address);
}

/* Of the two answers about a server's name. */
static void
add_addresses(struct dns_zone *zone, const char *name,
    const struct dns_answer answers[2], uint16_t port)
{
	size_t n_found = 0;

	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < answers[k].n_records; i++) {
			const struct dns_record *record =
			    &answers[k].records[i];
			char address[64];

			if (answers[k].code != DNS_OK ||
			    (record->type != DNS_A && record->type != DNS_AAAA))
				continue;
			n_found++;
			(void)!snprintf(address, sizeof(address),
			    record->type == DNS_A ? "%.45s:%u" : "[%.45s]:%u",
			    record->text, port);
			if (has_route(address))
				add_server(zone, name, address);
		}
	if (n_found == 0)
		add_server(zone, name, "");
}

static STATUS
find_addresses(struct dns_resolver *resolver, const struct dns_answer *ns,
    struct dns_zone *zone)
{
	struct dns_question questions[2 * DNS_ZONE_SERVERS_MAX] = { 0 };
	struct dns_answer answers[2 * DNS_ZONE_SERVERS_MAX];
	struct status st;
	size_t n = 0;

	for (size_t i = 0; i < ns->n_records && n < 2 * DNS_ZONE_SERVERS_MAX;
	     i++) {
		const struct dns_record *record = &ns->records[i];

		if (record->type != DNS_NS ||
		    strcmp(record->name, zone->name) != 0)
			continue;
		questions[n++] = (struct dns_question){ .name = record->text,
			.type = DNS_A };
		questions[n++] = (struct dns_question){ .name = record->text,
			.type = DNS_AAAA };
	}
	st = dns_ask(resolver, questions, n, answers);
	if (failed(st))
		return st;
	for (size_t i = 0; i < n; i += 2)
		add_addresses(zone, questions[i].name, &answers[i],
		    resolver->authoritative_port);
	answers_done(answers, n);
	return status_ok();
}

static STATUS
find_servers(
    struct dns_resolver *resolver, struct dns_zone *zone, char *ret_why)
{
	const struct dns_question question = { .name = zone->name,
		.type = DNS_NS };
	struct dns_answer answer;
	struct status st = dns_ask(resolver, &question, 1, &answer);

	if (failed(st))
		return st;
	if (answer.code != DNS_OK ||
	    resolver_find(&answer, zone->name, DNS_NS) == NULL)
		st = unavailable(ret_why, "NS %.200s: %s (from %s)", zone->name,
		    answer.code != DNS_OK ? dns_code_name(answer.code)
					  : "no such record",
		    answer.server);
	else
		st = find_addresses(resolver, &answer, zone);
	dns_answer_done(&answer);
	if (!failed(st) && zone->n_servers == 0)
		st = unavailable(ret_why,
		    "there is no route from here to any authoritative server "
		    "of %.200s",
		    zone->name);
	return st;
}

STATUS
dns_find_zone(struct dns_resolver *resolver, const char *name,
    struct dns_zone *ret_zone, char ret_why[DNS_WHY_MAX])
{
	scoped(free) struct dns_zone *zone = calloc(1, sizeof(*zone));
	char clean[DNS_NAME_MAX];
	struct status st;

	if (zone == NULL)
		return no_memory();
	ret_why[0] = 0;
	if (!wire_clean_name(name, clean))
		st = status_fail(
		    STATUS_INVALID_ARGUMENT, "that is not a DNS name");
	else
		st = find_cut(resolver, clean, zone->name, ret_why);
	if (!failed(st))
		st = find_servers(resolver, zone, ret_why);
	if (failed(st) && ret_why[0] == 0)
		(void)!snprintf(ret_why, DNS_WHY_MAX, "%s", st.why);
	if (!failed(st))
		*ret_zone = *zone;
	return st;
}
