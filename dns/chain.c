/* SPDX-License-Identifier: Apache-2.0 */

/*
 * CNAMEs from names to addresses.  In each round all names that are not at
 * their end are asked about, for CNAME too: where the end of a chain is broken,
 * resolvers answer SERVFAIL for an address, and would not show a single hop.
 * What an answer tells of further hops is taken; the last name is always asked
 * about itself.  Nobody else's limit is relied upon: hops are counted here, and
 * so is the time of all rounds together.
 */

#include <stdlib.h>
#include <string.h>

#include "dns/resolver_int.h"
#include "dns/wire.h"

/* About each name. */
static const enum dns_type kinds[] = { DNS_CNAME, DNS_A, DNS_AAAA };
#define KINDS 3

struct walk {
	struct dns_chain chain;
	bool is_done;
};

static const char *
last(const struct dns_chain *chain)
{
	return chain->hops[chain->n_hops - 1];
}

static void
add_hop(struct dns_chain *chain, const char *name)
{
	/* Both are of one size, and closed. */
	memcpy(chain->hops[chain->n_hops++], name, strlen(name) + 1);
}

static void
end(struct walk *walk, enum dns_chain_end how, enum dns_code code)
{
	walk->is_done = true;
	walk->chain.end = how;
	walk->chain.code = code;
}

/* One CNAME on; false: there is none, or the chain has ended there. */
static bool
step(struct walk *walk, const struct dns_answer answers[KINDS])
{
	struct dns_chain *chain = &walk->chain;
	const struct dns_record *cname = NULL;

	for (size_t i = 0; i < KINDS && cname == NULL; i++)
		cname = resolver_find(&answers[i], last(chain), DNS_CNAME);
	if (cname == NULL)
		return false;
	chain->ttls_s[chain->n_hops - 1] = cname->ttl_s;
	if (chain->n_hops > DNS_HOPS_MAX) {
		end(walk, DNS_CHAIN_TOO_LONG, DNS_OK);
		return false;
	}
	for (size_t i = 0; i < chain->n_hops && !walk->is_done; i++)
		if (strcmp(chain->hops[i], cname->text) == 0)
			end(walk, DNS_CHAIN_LOOP, DNS_OK);
	add_hop(chain, cname->text);
	return !walk->is_done;
}

static void
take_addresses(struct dns_chain *chain, const struct dns_answer *answer)
{
	size_t max = sizeof(chain->addresses) / sizeof(chain->addresses[0]);

	if (answer->code != DNS_OK)
		return;
	for (size_t i = 0; i < answer->n_records && chain->n_addresses < max;
	     i++) {
		const struct dns_record *record = &answer->records[i];

		if ((record->type == DNS_A || record->type == DNS_AAAA) &&
		    strcmp(record->name, last(chain)) == 0)
			memcpy(chain->addresses[chain->n_addresses++],
			    record->text, strlen(record->text) + 1);
	}
}

/* The last name was asked about itself, and led nowhere. */
static void
judge(struct walk *walk, const struct dns_answer *a,
    const struct dns_answer *aaaa)
{
	if (a->code == DNS_NXDOMAIN || aaaa->code == DNS_NXDOMAIN)
		end(walk, DNS_CHAIN_NXDOMAIN, DNS_NXDOMAIN);
	else if (a->code != DNS_OK)
		end(walk, DNS_CHAIN_FAILED, a->code);
	else if (aaaa->code != DNS_OK)
		end(walk, DNS_CHAIN_FAILED, aaaa->code);
	else
		end(walk, DNS_CHAIN_NOTHING, DNS_OK);
}

static void
look(struct walk *walk, const struct dns_answer answers[KINDS])
{
	const struct dns_answer *a = &answers[1], *aaaa = &answers[2];
	bool has_moved = false;

	while (step(walk, answers))
		has_moved = true;
	if (walk->is_done)
		return;
	take_addresses(&walk->chain, a);
	take_addresses(&walk->chain, aaaa);
	if (walk->chain.n_addresses > 0)
		end(walk, DNS_CHAIN_ADDRESS,
		    resolver_is_told(a) ? aaaa->code : a->code);
	else if (!has_moved)
		judge(walk, a, aaaa);
}

/* Time is up: those that are not at their end have none. */
static void
give_up(struct walk *walks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!walks[i].is_done)
			end(&walks[i], DNS_CHAIN_FAILED, DNS_NO_ANSWER);
}

static STATUS
ask_all(struct dns_resolver *resolver, struct walk *walks, size_t n,
    size_t *ret_left)
{
	scoped(free) struct dns_question *questions = NULL;
	scoped(free) struct dns_answer *answers = NULL;
	size_t n_questions = 0, at = 0;
	struct status st;

	questions = calloc(n * KINDS, sizeof(*questions));
	answers = calloc(n * KINDS, sizeof(*answers));
	if (questions == NULL || answers == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < KINDS && !walks[i].is_done; k++)
			questions[n_questions++] = (struct dns_question){
				.name = last(&walks[i].chain), .type = kinds[k]
			};
	*ret_left = n_questions;
	st = dns_ask(resolver, questions, n_questions, answers);
	if (failed(st))
		return st;
	for (size_t i = 0; i < n; i++)
		if (!walks[i].is_done) {
			look(&walks[i], &answers[at]);
			at += KINDS;
		}
	for (size_t i = 0; i < n_questions; i++)
		dns_answer_done(&answers[i]);
	return status_ok();
}

STATUS
dns_chain(struct dns_resolver *resolver, const char *const *names, size_t n,
    struct dns_chain *ret_chains)
{
	scoped(free) struct walk *walks = NULL;
	const int64_t until_ns = resolver_until_ns(resolver);
	size_t left = n;

	if (n == 0)
		return status_ok();
	walks = calloc(n, sizeof(*walks));
	if (walks == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	for (size_t i = 0; i < n; i++) {
		if (!wire_clean_name(names[i], walks[i].chain.hops[0]))
			return status_fail(
			    STATUS_INVALID_ARGUMENT, "that is not a DNS name");
		walks[i].chain.n_hops = 1;
	}
	while (left > 0) {
		struct status st;

		if (clock_mono_ns() >= until_ns) {
			give_up(walks, n);
			break;
		}
		st = ask_all(resolver, walks, n, &left);

		if (failed(st))
			return st;
	}
	for (size_t i = 0; i < n; i++)
		ret_chains[i] = walks[i].chain;
	return status_ok();
}
