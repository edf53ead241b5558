/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_RESOLVER_H
#define DNS_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"

/*
 * Look-ups, many at once, over c-ares.  Answers are parsed here, by a parser
 * that is fuzzed, and kept as they came: CNAMEs are followed by the caller or
 * by dns_chain, so that each hop can be shown.
 *
 * Any thread: a call has a c-ares channel of its own and blocks until all its
 * questions are answered or their time is over.
 */
struct dns_resolver;

#define DNS_NAME_MAX 256
#define DNS_HOPS_MAX 16
#define DNS_RECORDS_MAX 64
#define DNS_TXT_MAX 1024
#define DNS_CONFIGURED_MAX 8

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_CAA = 257
};

struct dns_resolver_config {
	/* "192.0.2.1:53", "[2001:db8::1]:53"; none: /etc/resolv.conf's. */
	const char *const *servers;
	size_t n_servers;    /* the first DNS_CONFIGURED_MAX count */
	unsigned timeout_ms; /* of one question, with its retries; 0: 5,000 */
	/* Of authoritative servers, which are asked where their NS say they
	 * are; 0: 53.  For tests, and for views behind a port. */
	uint16_t authoritative_port;
};

STATUS dns_resolver_new(const struct dns_resolver_config *config,
    struct dns_resolver **ret_resolver);
void dns_resolver_free(struct dns_resolver *resolver); /* NULL is allowed */
SCOPED_RELEASE(dns_resolver_free, struct dns_resolver *);

struct dns_record {
	char name[DNS_NAME_MAX]; /* lower case, without the last dot; "." */
	enum dns_type type;
	uint32_t ttl_s;
	/* A, AAAA: the address; NS, CNAME: the name; TXT: its strings joined;
	 * CAA: "0 issue \"ca.example\""; SOA: the primary server.  A backslash
	 * is "\\", what is not printable ASCII is "\DDD" (RFC 1035 5.1), in
	 * names too; what is too long is cut. */
	char text[DNS_TXT_MAX];
};

/* As the answer's header has it (RFC 1035 4.1.1), or that there was none. */
enum dns_code {
	DNS_OK = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_NO_ANSWER = 100, /* time-out, or nobody there */
	DNS_GARBAGE = 101    /* an answer that cannot be read */
};
const char *dns_code_name(enum dns_code code); /* "NXDOMAIN" */
const char *dns_type_name(enum dns_type type); /* "CNAME" */

struct dns_answer {
	enum dns_code code;
	bool is_authoritative;
	char server[64]; /* who answered, or was asked last: "192.0.2.1:53" */
	unsigned took_ms;
	size_t n_records; /* of the answer section; more are cut off */
	struct dns_record *records; /* malloc'd */
};
void dns_answer_done(struct dns_answer *answer);

struct dns_question {
	const char *name; /* A-labels */
	enum dns_type type;
	/* Ask this one alone, without recursion: "192.0.2.1:53"; NULL: the
	 * configured ones. */
	const char *server;
};

/*
 * All of them at once; one answer each, ended with dns_answer_done.  A question
 * without an answer is no failure: its code says so.  One server after the
 * other is asked until one has an answer other than SERVFAIL, REFUSED and the
 * like. INVALID_ARGUMENT: a name that is none, a server that is no address and
 * port, more than DNS_SERVERS_MAX different servers.
 */
#define DNS_SERVERS_MAX 64
STATUS dns_ask(struct dns_resolver *resolver,
    const struct dns_question *questions, size_t n,
    struct dns_answer *ret_answers);

/* As dig prints it: header, question, answers with TTL; cut to max. */
void dns_answer_print(const struct dns_question *question,
    const struct dns_answer *answer, char *ret_text, size_t max);

/* ---- more than one question ---- */

enum dns_chain_end {
	DNS_CHAIN_ADDRESS, /* the last name has an address */
	DNS_CHAIN_NOTHING, /* the last name exists, without one */
	DNS_CHAIN_NXDOMAIN,
	DNS_CHAIN_LOOP,
	DNS_CHAIN_TOO_LONG,
	DNS_CHAIN_FAILED /* SERVFAIL, no answer, garbage: see answer.code */
};

struct dns_chain {
	size_t n_hops; /* names, the asked one first */
	char hops[DNS_HOPS_MAX + 1][DNS_NAME_MAX];
	uint32_t ttls_s[DNS_HOPS_MAX + 1]; /* of the CNAME that led on */
	enum dns_chain_end end;
	enum dns_code code; /* of the last answer */
	size_t n_addresses;
	char addresses[16][64];
};

/* Follow CNAMEs from each name to its addresses, all names at once.  However
 * slow the servers at the hops are, it ends in 3 times timeout_ms and one
 * question's more: then it is DNS_CHAIN_FAILED with DNS_NO_ANSWER. */
STATUS dns_chain(struct dns_resolver *resolver, const char *const *names,
    size_t n, struct dns_chain *ret_chains);

/*
 * The zone that holds a name, and its authoritative servers.  Each address is
 * one of them, as "address:port"; "": the server's name has none.  Left out are
 * those that this machine has no route to (IPv6, mostly).  UNAVAILABLE with a
 * sentence when they cannot be found.
 */
#define DNS_ZONE_SERVERS_MAX 16
struct dns_zone {
	char name[DNS_NAME_MAX];
	size_t n_servers;
	struct {
		char name[DNS_NAME_MAX];
		char address[64];
	} servers[DNS_ZONE_SERVERS_MAX];
};
#define DNS_WHY_MAX 384
STATUS dns_find_zone(struct dns_resolver *resolver, const char *name,
    struct dns_zone *ret_zone, char ret_why[DNS_WHY_MAX]);

/* Ask each of a zone's servers itself, as dns_ask does; one answer each, in
 * their order.  Without an address: DNS_NO_ANSWER. */
STATUS dns_ask_servers(struct dns_resolver *resolver,
    const struct dns_zone *zone, const char *name, enum dns_type type,
    struct dns_answer ret_answers[DNS_ZONE_SERVERS_MAX]);

/*
 * Is there a TXT of that value at name, at every authoritative server of the
 * zone that holds it?  Each is asked itself.  *ret_n_have of *ret_n_servers
 * have it; ret_why says which have not, and what they have; empty: all have it.
 * A lame or unreachable server counts as one that has not.  CNAMEs are not
 * followed: name is where they lead to (dns_chain).
 */
STATUS dns_txt_everywhere(struct dns_resolver *resolver, const char *name,
    const char *value, size_t *ret_n_servers, size_t *ret_n_have,
    char ret_why[DNS_WHY_MAX]);

/*
 * CAA records that apply to a name (RFC 8659 3: the closest ancestor that has
 * any, each name's CNAME followed).  at: where they were found; empty: none
 * anywhere.  A leading "*." does not count.  UNAVAILABLE: a look-up failed,
 * which a CA takes for a no.  It ends in the time that dns_chain has.
 */
#define DNS_CAA_MAX 32
struct dns_caa {
	char at[DNS_NAME_MAX];
	size_t n_records;
	struct {
		bool is_critical;
		char tag[32]; /* lower case */
		char value[256];
	} records[DNS_CAA_MAX];
};
STATUS dns_find_caa(struct dns_resolver *resolver, const char *name,
    struct dns_caa *ret_caa, char ret_why[DNS_WHY_MAX]);
/* May the CA of that domain ("letsencrypt.org") issue for the name (RFC 8659 4;
 * wildcard: 4.3)?  Parameters (RFC 8657) limit it further, by account or by
 * validation method: the CA looks at them, not this. */
bool dns_caa_allows(
    const struct dns_caa *caa, const char *ca_domain, bool is_wildcard);

#endif
