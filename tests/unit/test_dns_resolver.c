/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dns/resolver.h"
#include "dns/wire.h"
#include "tests/unit/dns_fake.h"
#include "tests/unit/named_desk.h"

/* --- A server that misbehaves, by the first label of what it is asked -------
 */

static bool
begins(const char *name, const char *label)
{
	size_t len = strlen(label);

	return strncmp(name, label, len) == 0 && name[len] == '.';
}

static void
put_record(struct wire_writer *to, unsigned type, struct bytes data)
{
	wire_put_u16(to, 0xc00c);
	wire_put_u16(to, (uint16_t)type);
	wire_put_u16(to, WIRE_CLASS_IN);
	wire_put_u32(to, 60);
	wire_put_u16(to, (uint16_t)data.len);
	wire_put(to, data);
}

#define SLOW_MS 400 /* of the resolver that is kept waiting */

/* "hop3.long" leads to "hop4.long", and so on for ever, and so does
 * "hop3.slow", where each hop takes a quarter of the time there is for one; to
 * CAA and CNAME questions only the CNAME is given. */
static void
put_hop(struct wire_writer *to, const char *name)
{
	static char waited_for[64]; /* what is asked again need not wait */
	uint8_t data[WIRE_NAME_MAX];
	struct wire_writer hop = { .at = data, .max = sizeof(data) };
	char next[64];

	(void)!snprintf(next, sizeof(next), "hop%lu%.32s",
	    strtoul(name + 3, NULL, 10) + 1, strchr(name, '.'));
	if (strstr(name, ".slow") != NULL && strcmp(name, waited_for) != 0) {
		(void)!snprintf(waited_for, sizeof(waited_for), "%s", name);
		usleep(SLOW_MS * 1000 / 4);
	}
	wire_put_name(&hop, next);
	put_record(to, DNS_CNAME, (struct bytes){ data, hop.len });
}

static unsigned
rcode_of(const char *name)
{
	if (begins(name, "servfail"))
		return DNS_SERVFAIL;
	if (begins(name, "refused"))
		return DNS_REFUSED;
	return DNS_OK;
}

static size_t
misbehave(const uint8_t *question, size_t len, int is_tcp, uint8_t *ret_answer,
    size_t max)
{
	static const uint8_t address[] = { 192, 0, 2, 7 };
	static const uint8_t itself[] = { 0xc0, 0x0c };
	struct wire_reader reader = { { question, len }, 0 };
	struct wire_writer to = { .at = ret_answer, .max = max };
	struct wire_header header;
	char name[DNS_NAME_MAX];
	uint16_t type, class;

	if (!wire_take_header(&reader, &header) ||
	    !wire_take_question(&reader, name, &type, &class) ||
	    begins(name, "silent"))
		return 0;
	header = (struct wire_header){ .id = header.id,
		.flags = (uint16_t)(WIRE_FLAG_QR | rcode_of(name)),
		.counts = { 1, 1, 0, 0 } };
	if (begins(name, "truncated") && !is_tcp) {
		header.flags |= WIRE_FLAG_TC;
		header.counts[1] = 0;
	}
	if (begins(name, "old") && len > reader.at) {
		/* Not even its question comes back with an OPT record. */
		header.flags |= DNS_FORMERR;
		header.counts[1] = 0;
	}
	wire_put_header(&to, &header);
	wire_put(&to, (struct bytes){ question + WIRE_HEADER_LEN,
			  reader.at - WIRE_HEADER_LEN });
	if (header.counts[1] == 0)
		return to.len;
	if (strncmp(name, "hop", 3) == 0)
		put_hop(&to, name);
	else if (begins(name, "garbage"))
		put_record(&to, DNS_CNAME, (struct bytes){ itself, 1 });
	else if (begins(name, "self"))
		put_record(
		    &to, DNS_CNAME, (struct bytes){ itself, sizeof(itself) });
	else
		put_record(
		    &to, DNS_A, (struct bytes){ address, sizeof(address) });
	return to.len;
}

static struct dns_fake *fake;
static struct dns_resolver *resolver; /* asks the fake */

static struct dns_resolver *
resolver_of(const char *first, const char *second, unsigned timeout_ms)
{
	const char *servers[] = { first, second };
	const struct dns_resolver_config config = { .servers = servers,
		.n_servers = second != NULL ? 2 : 1,
		.timeout_ms = timeout_ms };
	struct dns_resolver *made = NULL;
	struct status st = dns_resolver_new(&config, &made);

	assert_int_equal(st.code, STATUS_OK);
	return made;
}

static int
begin(void **state)
{
	(void)state;
	fake = dns_fake_new(misbehave);
	resolver = resolver_of(dns_fake_address(fake), NULL, 700);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	dns_resolver_free(resolver);
	dns_fake_free(fake);
	return 0;
}

static struct dns_answer
ask(struct dns_resolver *of, const char *name, enum dns_type type)
{
	const struct dns_question question = { .name = name, .type = type };
	struct dns_answer answer;
	struct status st = dns_ask(of, &question, 1, &answer);

	assert_int_equal(st.code, STATUS_OK);
	return answer;
}

static enum dns_code
code_of(const char *name)
{
	struct dns_answer answer = ask(resolver, name, DNS_A);
	enum dns_code code = answer.code;

	assert_string_equal(answer.server, dns_fake_address(fake));
	dns_answer_done(&answer);
	return code;
}

static void
each_failure_is_told_by_its_name(void **state)
{
	(void)state;
	assert_int_equal(code_of("fine.example"), DNS_OK);
	assert_int_equal(code_of("servfail.example"), DNS_SERVFAIL);
	assert_int_equal(code_of("refused.example"), DNS_REFUSED);
	assert_int_equal(code_of("garbage.example"), DNS_GARBAGE);
	assert_int_equal(code_of("silent.example"), DNS_NO_ANSWER);
	assert_string_equal(dns_code_name(DNS_NXDOMAIN), "NXDOMAIN");
}

static void
an_answer_that_was_cut_off_is_asked_for_by_tcp(void **state)
{
	struct dns_answer answer = ask(resolver, "truncated.example", DNS_A);

	(void)state;
	assert_int_equal(answer.code, DNS_OK);
	assert_int_equal(answer.n_records, 1);
	assert_string_equal(answer.records[0].text, "192.0.2.7");
	dns_answer_done(&answer);
	assert_int_equal(dns_fake_count(fake), 2);
}

static void
a_server_that_knows_no_edns_is_asked_without(void **state)
{
	(void)state;
	assert_int_equal(code_of("old.example"), DNS_OK);
}

static void
nobody_there_is_no_answer_and_no_failure(void **state)
{
	char address[32];
	struct dns_answer answer;
	struct dns_resolver *nobodys;

	(void)state;
	(void)!snprintf(
	    address, sizeof(address), "127.0.0.1:%u", named_desk_port());
	nobodys = resolver_of(address, NULL, 500);
	answer = ask(nobodys, "www.example", DNS_A);
	assert_int_equal(answer.code, DNS_NO_ANSWER);
	assert_string_equal(answer.server, address);
	assert_int_equal(answer.n_records, 0);
	dns_answer_done(&answer);
	dns_resolver_free(nobodys);
}

static void
the_next_server_is_asked_when_one_has_no_answer(void **state)
{
	char address[32];
	struct dns_resolver *both;
	struct dns_answer answer;

	(void)state;
	(void)!snprintf(
	    address, sizeof(address), "127.0.0.1:%u", named_desk_port());
	both = resolver_of(address, dns_fake_address(fake), 700);
	answer = ask(both, "www.example", DNS_A);
	assert_int_equal(answer.code, DNS_OK);
	assert_string_equal(answer.server, dns_fake_address(fake));
	dns_answer_done(&answer);
	/* What was said counts more than a silence after it. */
	answer = ask(both, "servfail.example", DNS_A);
	assert_int_equal(answer.code, DNS_SERVFAIL);
	assert_string_equal(answer.server, dns_fake_address(fake));
	dns_answer_done(&answer);
	dns_resolver_free(both);
}

static void
hundreds_of_questions_get_their_own_answers(void **state)
{
	enum {
		N = 300
	};
	static char names[N][32];
	static struct dns_question questions[N];
	static struct dns_answer answers[N];
	struct status st;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		(void)!snprintf(names[i], sizeof(names[i]), "%s%zu.example",
		    i % 3 == 0 ? "servfail." : "n", i);
		questions[i] =
		    (struct dns_question){ .name = names[i], .type = DNS_A };
	}
	st = dns_ask(resolver, questions, N, answers);
	assert_int_equal(st.code, STATUS_OK);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(
		    answers[i].code, i % 3 == 0 ? DNS_SERVFAIL : DNS_OK);
		if (i % 3 != 0)
			assert_string_equal(
			    answers[i].records[0].name, names[i]);
		dns_answer_done(&answers[i]);
	}
}

static void *
ask_some(void *arg)
{
	const struct dns_question question = { .name = "www.example",
		.type = DNS_A };

	for (size_t i = 0; i < 20; i++) {
		struct dns_answer answer = { .code = DNS_NO_ANSWER };

		if (failed(dns_ask(resolver, &question, 1, &answer)) ||
		    answer.code != DNS_OK)
			*(bool *)arg = false;
		dns_answer_done(&answer);
	}
	return NULL;
}

static void
threads_ask_side_by_side(void **state)
{
	pthread_t threads[4];
	bool ok[4] = { true, true, true, true };

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, ask_some, &ok[i]), 0);
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_true(ok[i]);
	}
}

static void
what_cannot_be_asked_is_refused(void **state)
{
	const struct dns_question wrong[] = {
		{ .name = "a..b", .type = DNS_A },
		{ .name = "", .type = DNS_A },
		{ .name = "www.example",
		    .type = DNS_A,
		    .server = "localhost:53" },
		{ .name = "www.example",
		    .type = DNS_A,
		    .server = "127.0.0.1:0" },
		{ .name = "www.example", .type = DNS_A, .server = "127.0.0.1" },
	};
	const char *const servers[] = { "ns.example:53" };
	const struct dns_resolver_config config = { .servers = servers,
		.n_servers = 1 };
	struct dns_resolver *made = NULL;
	struct dns_answer answer = { .took_ms = 9 };
	struct status st;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		st = dns_ask(resolver, &wrong[i], 1, &answer);
		assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
		assert_int_equal(answer.took_ms, 9);
	}
	st = dns_resolver_new(&config, &made);
	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	assert_null(made);
}

static void
the_systems_servers_are_asked_where_none_are_configured(void **state)
{
	const struct dns_resolver_config config = { .timeout_ms = 1 };
	const struct dns_question question = { .name = "www.invalid",
		.type = DNS_A };
	struct dns_answer answer;
	struct dns_resolver *made;
	struct status st = dns_resolver_new(&config, &made);

	(void)state;
	assert_int_equal(st.code, STATUS_OK);
	st = dns_ask(made, &question, 1, &answer);
	assert_int_equal(st.code, STATUS_OK);
	assert_true(strchr(answer.server, ':') != NULL);
	dns_answer_done(&answer);
	dns_resolver_free(made);
}

static void
a_chain_without_end_or_in_a_circle_is_given_up(void **state)
{
	static const char *const names[] = { "hop0.long", "self.example",
		"servfail.example", "garbage.example" };
	static struct dns_chain chains[4];
	struct status st = dns_chain(resolver, names, 4, chains);

	(void)state;
	assert_int_equal(st.code, STATUS_OK);
	assert_int_equal(chains[0].end, DNS_CHAIN_TOO_LONG);
	assert_int_equal(chains[0].n_hops, DNS_HOPS_MAX + 1);
	assert_string_equal(chains[0].hops[DNS_HOPS_MAX], "hop16.long");
	assert_int_equal(chains[1].end, DNS_CHAIN_LOOP);
	assert_int_equal(chains[2].end, DNS_CHAIN_FAILED);
	assert_int_equal(chains[2].code, DNS_SERVFAIL);
	assert_int_equal(chains[3].end, DNS_CHAIN_FAILED);
	assert_int_equal(chains[3].code, DNS_GARBAGE);
}

/* A server that takes its time at each hop holds up nobody for all of them. */
static void
a_chain_of_slow_answers_is_given_up(void **state)
{
	struct dns_resolver *patient =
	    resolver_of(dns_fake_address(fake), NULL, SLOW_MS);
	const char *const names[] = { "hop0.slow" };
	struct dns_chain chain;
	struct dns_caa caa;
	char why[DNS_WHY_MAX];

	(void)state;
	assert_int_equal(dns_chain(patient, names, 1, &chain).code, STATUS_OK);
	assert_int_equal(chain.end, DNS_CHAIN_FAILED);
	assert_int_equal(chain.code, DNS_NO_ANSWER);
	assert_int_equal(dns_find_caa(patient, "hop100.slow", &caa, why).code,
	    STATUS_UNAVAILABLE);
	assert_non_null(strstr(why, "no answer"));
	dns_resolver_free(patient);
}

static void
caa_that_cannot_be_looked_up_is_said_so(void **state)
{
	static struct dns_caa caa;
	char why[DNS_WHY_MAX];
	struct status st;

	(void)state;
	caa.n_records = 7;
	st = dns_find_caa(resolver, "*.servfail.example", &caa, why);
	assert_int_equal(st.code, STATUS_UNAVAILABLE);
	assert_non_null(strstr(why, "CAA servfail.example: SERVFAIL"));
	assert_int_equal(caa.n_records, 7);
	st = dns_find_caa(resolver, "hop0.long", &caa, why);
	assert_int_equal(st.code, STATUS_UNAVAILABLE);
	assert_non_null(strstr(why, "in a circle"));
	st = dns_find_caa(resolver, "fine.example", &caa, why);
	assert_int_equal(st.code, STATUS_OK);
	assert_int_equal(caa.n_records, 0);
	assert_string_equal(caa.at, "");
}

int
main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		ROW(each_failure_is_told_by_its_name),
		ROW(an_answer_that_was_cut_off_is_asked_for_by_tcp),
		ROW(a_server_that_knows_no_edns_is_asked_without),
		ROW(nobody_there_is_no_answer_and_no_failure),
		ROW(the_next_server_is_asked_when_one_has_no_answer),
		ROW(hundreds_of_questions_get_their_own_answers),
		ROW(threads_ask_side_by_side),
		ROW(what_cannot_be_asked_is_refused),
		ROW(the_systems_servers_are_asked_where_none_are_configured),
		ROW(a_chain_without_end_or_in_a_circle_is_given_up),
		ROW(a_chain_of_slow_answers_is_given_up),
		ROW(caa_that_cannot_be_looked_up_is_said_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
