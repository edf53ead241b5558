/* SPDX-License-Identifier: Apache-2.0 */

/* What there is to choose from, and for whom; CAs stand as the test says. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "certd/choices.h"
#include "proto/holdfast/certd/v1/choices.pb-c.h"
#include "proto/message.h"
#include "tests/unit/enroll_desk.h"

typedef Holdfast__Certd__V1__GetChoicesResponse choices_msg;

/* ---- CAs, as certd.yaml has them ---- */

static bool is_away; /* the second one */

size_t
authorities_count(const struct authorities *authorities)
{
	(void)authorities;
	return enroll_desk_config()->acme.authorities.len;
}

const struct config_authority *
authorities_at(const struct authorities *authorities, size_t i)
{
	const struct config_authority *at =
	    enroll_desk_config()->acme.authorities.at;

	(void)authorities;
	return &at[i];
}

void
authorities_offer(struct authorities *authorities, size_t i,
    struct authority_offer *ret_offer)
{
	(void)authorities;
	*ret_offer =
	    (struct authority_offer){ .is_available = !(is_away && i == 1) };
	if (i != 0)
		return;
	ret_offer->has_directory = true;
	ret_offer->n_profiles = 2;
	snprintf(ret_offer->profiles[0], 64, "classic");
	snprintf(ret_offer->profiles[1], 64, "shortlived");
}

/* ---- asking ---- */

static struct choices_config choices;

static int
begin(struct desk *desk)
{
	is_away = false;
	choices = (struct choices_config){ .store = desk->store,
		.config = enroll_desk_config() };
	assert_int_equal(choices_register(&choices, desk->api).code, STATUS_OK);
	return 0;
}

static int
set_up(void **state)
{
	assert_int_equal(enroll_desk_set_up(state), 0);
	return begin(*state);
}

static int
set_up_none(void **state)
{
	assert_int_equal(enroll_desk_set_up_none(state), 0);
	return begin(*state);
}

static choices_msg *
ask(struct desk *desk, struct caller *who)
{
	Holdfast__Certd__V1__GetChoicesRequest request;
	ProtobufCMessage *reply = NULL;

	holdfast__certd__v1__get_choices_request__init(&request);
	assert_int_equal(
	    desk_ask(desk, who, "Choices/Get", &request.base, &reply).code,
	    STATUS_OK);
	return (choices_msg *)reply;
}

/* "dns far": the names of the providers. */
static void
assert_providers(const choices_msg *is, const char *names)
{
	char text[256] = "";
	size_t len = 0;

	for (size_t i = 0; i < is->n_dns_providers; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
		    i == 0 ? "" : " ", is->dns_providers[i]->name);
	assert_string_equal(text, names);
}

static bool
has_validation(const choices_msg *is, int kind)
{
	for (size_t i = 0; i < is->n_validations; i++)
		if ((int)is->validations[i] == kind)
			return true;
	return false;
}

/* Looks everywhere, as the answer goes over the wire. */
static bool
says(const choices_msg *is, const char *word)
{
	uint8_t octets[4096];
	size_t len = protobuf_c_message_get_packed_size(&is->base);

	assert_true(len <= sizeof(octets));
	protobuf_c_message_pack(&is->base, octets);
	return memmem(octets, len, word, strlen(word)) != NULL;
}

/* ---- tests ---- */

static void
all_networks_and_cas_for_use_are_there_in_order(void **state)
{
	struct desk *desk = *state;
	choices_msg *is = ask(desk, &desk_alice);

	assert_int_equal(is->n_networks, 2);
	assert_string_equal(is->networks[0]->name, "standard");
	assert_int_equal(is->networks[0]->n_edge_groups, 2);
	assert_string_equal(is->networks[0]->edge_groups[1], "api");
	assert_string_equal(is->networks[1]->edge_groups[0], "vault");
	/* The one for standby certificates cannot be named. */
	assert_int_equal(is->n_authorities, 2);
	assert_string_equal(is->authorities[0]->name, "ca");
	assert_string_equal(is->authorities[0]->profiles[1], "shortlived");
	assert_true(is->authorities[0]->profiles_known);
	assert_int_equal(is->authorities[1]->n_profiles, 0);
	assert_false(is->authorities[1]->profiles_known);
	assert_true(is->standby);
	assert_int_equal(is->n_algorithms, 5);
	message_free(&is->base);
}

static void
a_ca_that_is_not_well_is_there_and_marked(void **state)
{
	struct desk *desk = *state;
	choices_msg *is;

	is_away = true;
	is = ask(desk, &desk_alice);
	assert_true(is->authorities[0]->available);
	assert_false(is->authorities[1]->available);
	message_free(&is->base);
}

static void
an_account_is_told_of_dns_providers_that_serve_it_and_no_others(void **state)
{
	struct desk *desk = *state;
	choices_msg *is = ask(desk, &desk_alice);

	assert_providers(is, "dns far");
	assert_string_equal(is->dns_providers[0]->delegation, "");
	assert_string_equal(
	    is->dns_providers[1]->delegation, "acme.to.example.net");
	assert_true(has_validation(is, VALIDATION_DNS_01));
	assert_false(has_validation(is, VALIDATION_DNS_PERSIST_01));
	assert_false(says(is, "house"));
	message_free(&is->base);
	is = ask(desk, &desk_bob);
	assert_providers(is, "far");
	assert_string_equal(
	    is->dns_providers[0]->delegation, "other.to.example.net");
	assert_false(says(is, "acme"));
	message_free(&is->base);
}

static void
where_things_are_and_how_certd_gets_in_is_told_to_nobody(void **state)
{
	static const char *const words[] = { "127.0.0.1", "ca.example",
		"example.com", "example.org", "pool", "spare" };
	struct desk *desk = *state;
	struct caller *const who[] = { &desk_alice, &desk_operator };

	for (size_t i = 0; i < 2; i++) {
		choices_msg *is = ask(desk, who[i]);

		for (size_t j = 0; j < sizeof(words) / sizeof(words[0]); j++)
			assert_false(says(is, words[j]));
		message_free(&is->base);
	}
}

static void
operators_may_choose_among_all(void **state)
{
	struct desk *desk = *state;
	choices_msg *is = ask(desk, &desk_operator);

	assert_providers(is, "dns far house");
	assert_string_equal(is->dns_providers[1]->delegation, "");
	assert_true(has_validation(is, VALIDATION_DNS_PERSIST_01));
	message_free(&is->base);
}

static void
without_cas_and_providers_the_rest_is_there(void **state)
{
	struct desk *desk = *state;
	choices_msg *is = ask(desk, &desk_alice);

	assert_int_equal(is->n_networks, 2);
	assert_int_equal(is->n_authorities, 0);
	assert_int_equal(is->n_dns_providers, 0);
	assert_false(is->standby);
	assert_false(has_validation(is, VALIDATION_DNS_01));
	assert_true(has_validation(is, VALIDATION_DNS_01_BY_HAND));
	message_free(&is->base);
}

int
main(void)
{
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, set_up, enroll_desk_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(all_networks_and_cas_for_use_are_there_in_order),
		TEST(a_ca_that_is_not_well_is_there_and_marked),
		TEST(
		    an_account_is_told_of_dns_providers_that_serve_it_and_no_others),
		TEST(where_things_are_and_how_certd_gets_in_is_told_to_nobody),
		TEST(operators_may_choose_among_all),
		cmocka_unit_test_setup_teardown(
		    without_cas_and_providers_the_rest_is_there, set_up_none,
		    enroll_desk_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
