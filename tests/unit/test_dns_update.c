/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "dns/resolver.h"
#include "dns/update_int.h"
#include "dns/update_message.h"
#include "tests/unit/dns_fake.h"
#include "tests/unit/named_desk.h"

/* A real named verifies what is signed here, and signs what is verified. */

#define ZONE "example.org"
#define NAME "_acme-challenge.example.org"
#define SECRET "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define SECRET_OCTETS "0123456789abcdef0123456789abcdef"

static const struct named_key keys[] = {
	{ "key256", "hmac-sha256", SECRET },
	{ "key384", "hmac-sha384", SECRET },
	{ "key512.example.net", "hmac-sha512", SECRET },
	{ "key-elsewhere", "hmac-sha256", SECRET },
};
static const struct named_zone zones[] = {
	{ .name = ".", .records = "" },
	{ .name = ZONE,
	    .records = "alias IN CNAME www\n",
	    .updates = "update-policy { grant key256 zonesub TXT; "
		       "grant key384 zonesub TXT; "
		       "grant key512.example.net zonesub TXT; };" },
	{ .name = "open.example",
	    .records = "",
	    .updates = "allow-update { 127.0.0.1; };" },
};

static struct named_desk *desk;
static struct dns_resolver *resolver;
static struct secret *key, *wrong_key;
static struct dns_tsig tsig;
static char why[DNS_WHY_MAX];

static struct secret *
secret_of(const char *octets)
{
	struct secret *secret = secret_new(strlen(octets));

	assert_non_null(secret);
	memcpy(secret_at(secret), octets, strlen(octets));
	return secret;
}

static int
begin(void **state)
{
	const struct named_config config = { .port = named_desk_port(),
		.zones = zones,
		.n_zones = 3,
		.keys = keys,
		.n_keys = 4 };
	const char *servers[1];
	const struct dns_resolver_config of = { .servers = servers,
		.n_servers = 1 };
	struct status st;

	(void)state;
	key = secret_of(SECRET_OCTETS);
	wrong_key = secret_of("0123456789abcdef0123456789abcdeF");
	desk = named_desk_new(&config);
	servers[0] = named_desk_address(desk);
	st = dns_resolver_new(&of, &resolver);
	return failed(st) ? -1 : 0;
}

static int
end(void **state)
{
	(void)state;
	dns_resolver_free(resolver);
	named_desk_free(desk);
	secret_free(key);
	secret_free(wrong_key);
	return 0;
}

static int
each(void **state)
{
	(void)state;
	tsig = (struct dns_tsig){
		.name = "key256", .algorithm = DNS_TSIG_SHA256, .key = key
	};
	memset(why, 0, sizeof(why));
	return 0;
}

static struct dns_update
adding(const char *value)
{
	return (struct dns_update){ .server = named_desk_address(desk),
		.zone = ZONE,
		.name = NAME,
		.value = value,
		.ttl_s = 1,
		.tsig = &tsig };
}

static void
assert_done(const struct dns_update *update)
{
	struct status st = dns_update_send(update, why);

	if (failed(st))
		fail_msg("%s", why);
}

static void
add(const char *value)
{
	const struct dns_update update = adding(value);

	assert_done(&update);
}

static void
take_away(const char *value)
{
	struct dns_update update = adding(value);

	update.is_removal = true;
	assert_done(&update);
}

static bool
is_there(const char *name, const char *value)
{
	const struct dns_question question = { .name = name, .type = DNS_TXT };
	struct dns_answer answer;
	struct status st = dns_ask(resolver, &question, 1, &answer);
	bool found = false;

	assert_int_equal(st.code, STATUS_OK);
	for (size_t i = 0; i < answer.n_records; i++)
		if (strcmp(answer.records[i].text, value) == 0)
			found = true;
	dns_answer_done(&answer);
	return found;
}

static void
assert_refused(
    const struct dns_update *update, enum status_code code, const char *said)
{
	struct status st = dns_update_send(update, why);

	assert_int_equal(st.code, code);
	if (strstr(why, said) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, said);
	assert_false(is_there(update->name, update->value));
}

/* --- What is done -----------------------------------------------------------
 */

static void
each_value_comes_and_goes_by_itself(void **state)
{
	(void)state;
	add("one");
	add("two");
	add("one");
	assert_true(is_there(NAME, "one"));
	assert_true(is_there(NAME, "two"));
	take_away("one");
	take_away("one");
	assert_false(is_there(NAME, "one"));
	assert_true(is_there(NAME, "two"));
	take_away("two");
	assert_false(is_there(NAME, "two"));
}

static void
a_server_verifies_each_algorithm(void **state)
{
	(void)state;
	(void)!snprintf(tsig.name, sizeof(tsig.name), "key384");
	tsig.algorithm = DNS_TSIG_SHA384;
	add("of-384");
	assert_true(is_there(NAME, "of-384"));
	/* Case and a last dot make no other name. */
	(void)!snprintf(tsig.name, sizeof(tsig.name), "Key512.Example.net.");
	tsig.algorithm = DNS_TSIG_SHA512;
	take_away("of-384");
	assert_false(is_there(NAME, "of-384"));
}

static void
a_value_of_255_octets_fits(void **state)
{
	char value[256];

	(void)state;
	memset(value, 'v', 255);
	value[255] = 0;
	add(value);
	assert_true(is_there(NAME, value));
	take_away(value);
}

static void
a_zone_that_asks_for_no_key_is_updated_without(void **state)
{
	struct dns_update update = adding("unsigned");

	(void)state;
	update.zone = "open.example";
	update.name = "_acme-challenge.www.open.example";
	update.tsig = NULL;
	assert_done(&update);
	assert_true(is_there(update.name, "unsigned"));
}

/* --- What the server refuses ------------------------------------------------
 */

static void
another_secret_is_badsig(void **state)
{
	const struct dns_update update = adding("refused");

	(void)state;
	tsig.key = wrong_key;
	assert_refused(&update, STATUS_UNAUTHENTICATED, "BADSIG");
}

static void
an_unknown_key_is_badkey(void **state)
{
	const struct dns_update update = adding("refused");

	(void)state;
	(void)!snprintf(tsig.name, sizeof(tsig.name), "nobodys");
	assert_refused(&update, STATUS_UNAUTHENTICATED, "BADKEY");
	assert_non_null(strstr(why, "nobodys"));
	/* The name is known, with another algorithm. */
	(void)!snprintf(tsig.name, sizeof(tsig.name), "key256");
	tsig.algorithm = DNS_TSIG_SHA512;
	assert_refused(&update, STATUS_UNAUTHENTICATED, "BADKEY");
	assert_non_null(strstr(why, "hmac-sha512"));
}

static void
a_key_without_a_grant_is_refused(void **state)
{
	struct dns_update update = adding("refused");

	(void)state;
	(void)!snprintf(tsig.name, sizeof(tsig.name), "key-elsewhere");
	assert_refused(&update, STATUS_PERMISSION_DENIED, "REFUSED");
	assert_non_null(strstr(why, "grant"));
	update.tsig = NULL;
	assert_refused(&update, STATUS_PERMISSION_DENIED, "TSIG key");
}

static void
a_zone_that_is_not_there_is_notauth(void **state)
{
	struct dns_update update = adding("refused");

	(void)state;
	update.zone = "example.com";
	update.name = "_acme-challenge.example.com";
	assert_refused(&update, STATUS_FAILED_PRECONDITION, "NOTAUTH");
	assert_non_null(strstr(why, "example.com"));
}

static void
clocks_apart_are_both_told(void **state)
{
	static const int64_t apart_s[] = { -1000, 1000 };
	const struct dns_update update = adding("late");

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char ours[CLOCK_TEXT_MAX];
		int64_t now_s = clock_wall_s() + apart_s[i];
		struct status st = dns_update_send_at(&update, now_s, why);

		assert_int_equal(st.code, STATUS_FAILED_PRECONDITION);
		clock_print(now_s * NS_PER_S, ours);
		ours[strlen("2026-01-02T03:04")] = 0;
		assert_non_null(strstr(why, "BADTIME"));
		assert_non_null(strstr(why, ours));
		clock_print((now_s - apart_s[i]) * NS_PER_S, ours);
		ours[strlen("2026-01-02T")] = 0;
		assert_non_null(strstr(why, ours));
	}
	assert_false(is_there(NAME, "late"));
}

static void
what_no_server_could_do_is_not_sent(void **state)
{
	char value[257] = "";
	struct dns_update update = adding(value);
	struct status st;

	(void)state;
	memset(value, 'v', 256);
	value[256] = 0;
	st = dns_update_send(&update, why);
	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	update.value = "";
	st = dns_update_send(&update, why);
	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	update.value = "v";
	update.name = "_acme-challenge.example.com";
	st = dns_update_send(&update, why);
	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(why, "is not in the zone"));
	update.name = "a..example.org";
	st = dns_update_send(&update, why);
	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	update.name = NAME;
	update.server = "ns.example.org:53";
	st = dns_update_send(&update, why);
	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(why, "192.0.2.53:53"));
	update = adding("v");
	(void)!snprintf(tsig.name, sizeof(tsig.name), "key..name");
	st = dns_update_send(&update, why);
	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
}

static void
nobody_there_is_unavailable(void **state)
{
	struct dns_update update = adding("v");
	char address[32];
	struct status st;

	(void)state;
	(void)!snprintf(
	    address, sizeof(address), "127.0.0.1:%u", named_desk_port());
	update.server = address;
	st = dns_update_send(&update, why);
	assert_int_equal(st.code, STATUS_UNAVAILABLE);
	assert_non_null(strstr(why, address));
	assert_non_null(strstr(why, "refused"));
}

/* --- Somebody in between ----------------------------------------------------
 */

static size_t
pass_on(const uint8_t *question, size_t len, uint8_t *ret_answer, size_t max)
{
	return dns_fake_pass_on(
	    named_desk_address(desk), question, len, ret_answer, max);
}

static size_t
by_tcp_alone(const uint8_t *question, size_t len, int is_tcp,
    uint8_t *ret_answer, size_t max)
{
	if (is_tcp)
		return pass_on(question, len, ret_answer, max);
	memcpy(ret_answer, question, WIRE_HEADER_LEN);
	memset(ret_answer + 4, 0, 8);
	ret_answer[2] |= 0x80 | 0x02; /* QR, TC */
	return WIRE_HEADER_LEN;
}

static size_t
say_ok(const uint8_t *question, size_t len, int is_tcp, uint8_t *ret_answer,
    size_t max)
{
	size_t n = pass_on(question, len, ret_answer, max);

	(void)is_tcp;
	ret_answer[3] &= 0xf0;
	return n;
}

static size_t
say_ok_unsigned(const uint8_t *question, size_t len, int is_tcp,
    uint8_t *ret_answer, size_t max)
{
	(void)len;
	(void)is_tcp;
	(void)max;
	memcpy(ret_answer, question, WIRE_HEADER_LEN);
	memset(ret_answer + 4, 0, 8);
	ret_answer[2] |= 0x80;
	return WIRE_HEADER_LEN;
}

static size_t
another_id(const uint8_t *question, size_t len, int is_tcp, uint8_t *ret_answer,
    size_t max)
{
	size_t n = say_ok_unsigned(question, len, is_tcp, ret_answer, max);

	ret_answer[0] ^= 1;
	return n;
}

static void
an_answer_that_was_cut_off_comes_by_tcp(void **state)
{
	struct dns_fake *fake = dns_fake_new(by_tcp_alone);
	struct dns_update update = adding("by-tcp");

	(void)state;
	update.server = dns_fake_address(fake);
	assert_done(&update);
	assert_true(is_there(NAME, "by-tcp"));
	assert_int_equal(dns_fake_count(fake), 2);
	take_away("by-tcp");
	dns_fake_free(fake);
}

static void
a_refusal_that_was_made_an_ok_does_not_count(void **state)
{
	struct dns_fake *fake = dns_fake_new(say_ok);
	struct dns_update update = adding("forged");

	(void)state;
	(void)!snprintf(tsig.name, sizeof(tsig.name), "key-elsewhere");
	update.server = dns_fake_address(fake);
	assert_refused(
	    &update, STATUS_UNAUTHENTICATED, "signature that is not good");
	dns_fake_free(fake);
}

static void
an_ok_without_a_signature_does_not_count(void **state)
{
	struct dns_fake *fake = dns_fake_new(say_ok_unsigned);
	struct dns_update update = adding("forged");

	(void)state;
	update.server = dns_fake_address(fake);
	assert_refused(&update, STATUS_UNAUTHENTICATED, "is not signed");
	dns_fake_free(fake);
}

static void
an_answer_to_another_message_is_passed_over(void **state)
{
	struct dns_fake *fake = dns_fake_new(another_id);
	struct dns_update update = adding("forged");

	(void)state;
	update.server = dns_fake_address(fake);
	update.timeout_ms = 300;
	update.tsig = NULL;
	assert_refused(&update, STATUS_UNAVAILABLE, "by UDP and TCP");
	dns_fake_free(fake);
}

static void
no_octet_of_a_signed_answer_can_be_changed(void **state)
{
	const struct dns_update update = adding("flipped");
	struct update_message message;
	uint8_t answer[2048];
	int64_t now_s = clock_wall_s();
	struct status st =
	    update_message_make(&update, 4711, now_s, &message, why);
	size_t len;

	(void)state;
	assert_int_equal(st.code, STATUS_OK);
	len = pass_on(message.at, message.len, answer, sizeof(answer));
	assert_true(len > WIRE_HEADER_LEN);
	for (size_t i = 2; i <= len; i++) {
		uint8_t *copy = malloc(i);

		for (unsigned bit = 0; bit < 8 && i < len; bit++) {
			memcpy(copy, answer, i);
			answer[i] ^= (uint8_t)(1U << bit);
			st = update_message_judge(&message, &update,
			    (struct bytes){ answer, len }, now_s, why);
			/* Names count the same in upper case. */
			if (bit != 5)
				assert_true(failed(st));
			answer[i] ^= (uint8_t)(1U << bit);
		}
		/* And none can be left out. */
		memcpy(copy, answer, i);
		st = update_message_judge(
		    &message, &update, (struct bytes){ copy, i }, now_s, why);
		assert_int_equal(st.code == STATUS_OK, i == len);
		free(copy);
	}
	st = update_message_judge(
	    &message, &update, (struct bytes){ answer, len }, now_s + 301, why);
	assert_int_equal(st.code, STATUS_FAILED_PRECONDITION);
	message.mac.at[0] ^= 1; /* an answer to another request */
	st = update_message_judge(
	    &message, &update, (struct bytes){ answer, len }, now_s, why);
	assert_int_equal(st.code, STATUS_UNAUTHENTICATED);
	take_away("flipped");
}

int
main(void)
{
#define ROW(name) cmocka_unit_test_setup(name, each)
	const struct CMUnitTest tests[] = {
		ROW(each_value_comes_and_goes_by_itself),
		ROW(a_server_verifies_each_algorithm),
		ROW(a_value_of_255_octets_fits),
		ROW(a_zone_that_asks_for_no_key_is_updated_without),
		ROW(another_secret_is_badsig),
		ROW(an_unknown_key_is_badkey),
		ROW(a_key_without_a_grant_is_refused),
		ROW(a_zone_that_is_not_there_is_notauth),
		ROW(clocks_apart_are_both_told),
		ROW(what_no_server_could_do_is_not_sent),
		ROW(nobody_there_is_unavailable),
		ROW(an_answer_that_was_cut_off_comes_by_tcp),
		ROW(a_refusal_that_was_made_an_ok_does_not_count),
		ROW(an_ok_without_a_signature_does_not_count),
		ROW(an_answer_to_another_message_is_passed_over),
		ROW(no_octet_of_a_signed_answer_can_be_changed),
	};

	if (!named_desk_is_there()) {
		print_message("skipped: BIND (named) is not installed\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, begin, end);
}
