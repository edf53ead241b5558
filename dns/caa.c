/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which CAs may issue (RFC 8659).  All ancestors of a name are asked about at
 * once, and the closest that has CAA records counts, at the end of its CNAMEs
 * if it has any; a CNAME's target is not climbed from.  Where a look-up closer
 * than the records found fails, what applies is unknown.
 */

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dns/resolver_int.h"
#include "dns/wire.h"

#define FLAG_CRITICAL 128

/* One ancestor. */
struct rung {
	const char *name;
	char at[DNS_NAME_MAX]; /* after CNAMEs */
	unsigned hops;
	bool is_done, is_endless;
	struct dns_answer answer; /* the last one */
};

/* --- Asking -----------------------------------------------------------------
 */

/* answer is the rung's from now on. */
static void
look(struct rung *rung, const struct dns_answer *answer)
{
	const struct dns_record *cname;
	bool has_moved = false;

	dns_answer_done(&rung->answer);
	rung->answer = *answer;
	while ((cname = resolver_find(answer, rung->at, DNS_CNAME)) != NULL) {
		if (++rung->hops > DNS_HOPS_MAX) {
			rung->is_done = rung->is_endless = true;
			return;
		}
		has_moved = true;
		memcpy(rung->at, cname->text, strlen(cname->text) + 1);
	}
	/* A server need not follow: ask about the last name itself. */
	rung->is_done = !has_moved ||
			resolver_find(answer, rung->at, DNS_CAA) != NULL ||
			!resolver_is_told(answer);
}

static STATUS
ask_round(struct dns_resolver *resolver, struct rung *rungs, size_t n,
    size_t *ret_n_asked)
{
	struct dns_question questions[RESOLVER_LABELS_MAX] = { 0 };
	struct dns_answer answers[RESOLVER_LABELS_MAX];
	struct status st;
	size_t n_asked = 0;

	for (size_t i = 0; i < n; i++)
		if (!rungs[i].is_done)
			questions[n_asked++] =
			    (struct dns_question){ .name = rungs[i].at,
				    .type = DNS_CAA };
	st = dns_ask(resolver, questions, n_asked, answers);
	if (failed(st))
		return st;
	*ret_n_asked = n_asked;
	n_asked = 0;
	for (size_t i = 0; i < n; i++)
		if (!rungs[i].is_done)
			look(&rungs[i], &answers[n_asked++]);
	return status_ok();
}

/* Time is up: of those that are not at their end nothing is known. */
static void
give_up(struct rung *rungs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!rungs[i].is_done) {
			dns_answer_done(&rungs[i].answer);
			rungs[i].answer.code = DNS_NO_ANSWER;
			rungs[i].is_done = true;
		}
}

static STATUS
climb(struct dns_resolver *resolver, struct rung *rungs, size_t n)
{
	const int64_t until_ns = resolver_until_ns(resolver);
	size_t n_asked = n;

	while (n_asked > 0) {
		struct status st;

		if (clock_mono_ns() >= until_ns) {
			give_up(rungs, n);
			break;
		}
		st = ask_round(resolver, rungs, n, &n_asked);
		if (failed(st))
			return st;
	}
	return status_ok();
}

/* --- What was found ---------------------------------------------------------
 */

__attribute__((format(printf, 2, 3))) static struct status
unavailable(char *ret_why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)!vsnprintf(ret_why, DNS_WHY_MAX, format, args);
	va_end(args);
	return status_fail(
	    STATUS_UNAVAILABLE, "CAA records cannot be looked up");
}

/* text is as message.c made it: 0 issue "ca.example" */
static void
add_record(struct dns_caa *caa, const char *text)
{
	const char *tag = strchr(text, ' ');
	const char *value = tag != NULL ? strchr(tag + 1, ' ') : NULL;
	size_t n = caa->n_records++;
	char *to = caa->records[n].tag;
	size_t len;

	caa->records[n].is_critical =
	    (strtoul(text, NULL, 10) & FLAG_CRITICAL) != 0;
	if (tag == NULL || value == NULL)
		return;
	(void)!snprintf(to, sizeof(caa->records[n].tag), "%.*s",
	    (int)(value - tag - 1), tag + 1);
	for (; *to != 0; to++)
		*to = (char)tolower((unsigned char)*to);
	len = strlen(value); /* a blank, and quotes around */
	(void)!snprintf(caa->records[n].value, sizeof(caa->records[n].value),
	    "%.*s", len >= 3 ? (int)(len - 3) : 0, value + 2);
}

static STATUS
take_records(const struct rung *rung, struct dns_caa *caa, char *ret_why)
{
	const struct dns_answer *answer = &rung->answer;

	for (size_t i = 0; i < answer->n_records; i++) {
		const struct dns_record *record = &answer->records[i];

		if (record->type != DNS_CAA ||
		    strcmp(record->name, rung->at) != 0)
			continue;
		if (caa->n_records == DNS_CAA_MAX)
			return unavailable(ret_why,
			    "CAA %.200s: more than %d records", rung->name,
			    DNS_CAA_MAX);
		add_record(caa, record->text);
	}
	if (caa->n_records > 0)
		(void)!snprintf(caa->at, sizeof(caa->at), "%s", rung->name);
	return status_ok();
}

static STATUS
choose(const struct rung *rungs, size_t n, struct dns_caa *caa, char *ret_why)
{
	for (size_t i = 0; i < n && caa->n_records == 0; i++) {
		const struct rung *rung = &rungs[i];
		struct status st;

		if (rung->is_endless)
			return unavailable(ret_why,
			    "CAA %.150s: its CNAMEs go on for more than %d "
			    "hops, or in a circle",
			    rung->name, DNS_HOPS_MAX);
		if (!resolver_is_told(&rung->answer))
			return unavailable(ret_why, "CAA %.150s: %s (from %s)",
			    rung->at, dns_code_name(rung->answer.code),
			    rung->answer.server);
		st = take_records(rung, caa, ret_why);
		if (failed(st))
			return st;
	}
	return status_ok();
}

STATUS
dns_find_caa(struct dns_resolver *resolver, const char *name,
    struct dns_caa *ret_caa, char ret_why[DNS_WHY_MAX])
{
	scoped(free) struct rung *rungs =
	    calloc(RESOLVER_LABELS_MAX, sizeof(*rungs));
	scoped(free) struct dns_caa *caa = calloc(1, sizeof(*caa));
	char clean[DNS_NAME_MAX];
	const char *at = clean;
	struct status st;
	size_t n = 0;

	ret_why[0] = 0;
	if (rungs == NULL || caa == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	if (strncmp(name, "*.", 2) == 0)
		name += 2;
	if (!wire_clean_name(name, clean)) {
		(void)!snprintf(ret_why, DNS_WHY_MAX, "that is not a DNS name");
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "that is not a DNS name");
	}
	for (; at != NULL && strcmp(at, ".") != 0 && n < RESOLVER_LABELS_MAX;
	     at = wire_parent(at)) {
		rungs[n].name = at;
		memcpy(rungs[n++].at, at, strlen(at) + 1);
	}
	st = climb(resolver, rungs, n);
	if (failed(st))
		(void)!snprintf(ret_why, DNS_WHY_MAX, "%s", st.why);
	else
		st = choose(rungs, n, caa, ret_why);
	for (size_t i = 0; i < n; i++)
		dns_answer_done(&rungs[i].answer);
	if (!failed(st))
		*ret_caa = *caa;
	return st;
}
