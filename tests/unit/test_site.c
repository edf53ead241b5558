/* SPDX-License-Identifier: Apache-2.0 */

/* One site of certd's, as edged takes or refuses it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "tests/unit/site_maker.h"

static struct made_cert *ec, *other_ec, *rsa, *ed;

static int
setup(void **state)
{
	(void)state;
	ec = made_cert_new("a", SITE_EC);
	other_ec = made_cert_new("b", SITE_EC);
	rsa = made_cert_new("a", SITE_RSA);
	ed = made_cert_new("a", SITE_ED25519);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	made_cert_free(ec);
	made_cert_free(other_ec);
	made_cert_free(rsa);
	made_cert_free(ed);
	return 0;
}

/* It is refused, for a reason that says part; the message is freed. */
static void
refused(Holdfast__Certd__V1__Site *message, const char *part)
{
	char why[SITE_WHY_MAX];
	struct site_pem pem;
	struct site *site;

	assert_int_equal(
	    site_read(message, &site, &pem, why).code, STATUS_INVALID_ARGUMENT);
	if (strstr(why, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, part);
	made_site_free(message);
}

static void
takes_a_site_with_all_kinds_of_keys_in_the_order_of_preference(void **state)
{
	const char *hosts[] = { "www.example.com", "*.example.com",
		"xn--bcher-kva.example", NULL };
	const struct made_cert *certs[] = { ed, rsa, ec };
	Holdfast__Certd__V1__Site *message =
	    made_site_new(5, 17, hosts, certs, 3);
	char why[SITE_WHY_MAX];
	struct site_pem pem;
	struct site *site;

	(void)state;
	assert_false(failed(site_read(message, &site, &pem, why)));
	assert_int_equal(site->id, 5);
	assert_int_equal(site->version, 17);
	assert_int_equal(site->n_hosts, 3);
	assert_string_equal(site->hosts[0], "*.example.com");
	assert_int_equal(site->n_certificates, 3);
	assert_int_equal(site->certificates[0].kind, SITE_EC);
	assert_int_equal(site->certificates[1].kind, SITE_RSA);
	assert_int_equal(site->certificates[2].kind, SITE_ED25519);
	assert_memory_equal(site->certificates[1].fingerprint, rsa->fingerprint,
	    SITE_FINGERPRINT_LEN);
	assert_string_equal(pem.chain[1], rsa->chain_pem);
	assert_non_null(strstr(pem.stub[2], "BEGIN " STUB_PEM_LABEL));
	site_pem_done(&pem);
	assert_ptr_equal(site_ref(site), site);
	site_unref(site);
	site_unref(site);
	made_site_free(message);
}

static void
a_site_without_certificates_is_one(void **state)
{
	Holdfast__Certd__V1__Site *message =
	    made_site_of(1, 1, "plain.example.com", NULL);
	char why[SITE_WHY_MAX];
	struct site_pem pem;
	struct site *site;

	(void)state;
	assert_false(failed(site_read(message, &site, &pem, why)));
	assert_int_equal(site->n_certificates, 0);
	site_unref(site);
	made_site_free(message);
}

static void
a_standby_certificate_may_have_a_key_of_the_same_kind(void **state)
{
	Holdfast__Certd__V1__Site *message =
	    made_site_of(1, 1, "www.example.com", ec);
	char why[SITE_WHY_MAX];
	struct site_pem pem;
	struct site *site;

	(void)state;
	made_site_standby(message, other_ec);
	assert_false(failed(site_read(message, &site, &pem, why)));
	assert_int_equal(site->n_certificates, 1);
	assert_true(site->has_standby);
	assert_memory_equal(site->standby.fingerprint, other_ec->fingerprint,
	    SITE_FINGERPRINT_LEN);
	assert_string_equal(pem.chain[SITE_STANDBY], other_ec->chain_pem);
	assert_string_equal(pem.chain[0], ec->chain_pem);
	site_pem_done(&pem);
	site_unref(site);
	/* Announced as another one. */
	message->standby->fingerprint.data[0] ^= 1;
	refused(message, "not the one of the fingerprint");
	message = made_site_of(1, 1, "www.example.com", NULL);
	made_site_standby(message, ec);
	refused(message, "a standby certificate alone");
}

static void
no_host_name_leaves_its_folder(void **state)
{
	static const char *const bad[] = { "", ".", "..", "../x", "a/b",
		"/etc/passwd", "a..b", ".a", "a.", "A.example", "a_b.example",
		"a b.example", "-a.example", "a-.example", "*", "*.", "*.com",
		"a.*.example", "**.a.example", "*a.b.example", "1.2.3.4",
		"a.example\n", "b\303\274cher.example", "_wildcard.a.b" };
	char label[65], longest[SITE_HOST_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (site_host_ok(bad[i]))
			fail_msg("\"%s\" passes", bad[i]);
		refused(made_site_of(1, 1, bad[i], ec), "is no host name");
	}
	memset(label, 'a', 64);
	label[64] = '\0';
	assert_false(site_host_ok(label));
	assert_true(site_host_ok(label + 1));
	memset(longest, 'a', SITE_HOST_MAX);
	for (size_t i = 60; i < SITE_HOST_MAX - 2; i += 60)
		longest[i] = '.';
	longest[SITE_HOST_MAX] = '\0';
	assert_false(site_host_ok(longest));
	longest[SITE_HOST_MAX - 1] = '\0';
	assert_true(site_host_ok(longest));
	/* Its folder's name is longer. */
	memcpy(longest, "*.", 2);
	assert_false(site_host_ok(longest));
}

static void
a_wildcard_has_a_folder_that_no_host_name_has(void **state)
{
	char folder[SITE_HOST_MAX];

	(void)state;
	site_folder("*.example.com", folder);
	assert_string_equal(folder, "_wildcard.example.com");
	site_folder("a.example.com", folder);
	assert_string_equal(folder, "a.example.com");
}

static void
refuses_names_and_numbers_that_cannot_be(void **state)
{
	const char *none[] = { NULL };
	const char *twice[] = { "b.example", "a.example", "b.example", NULL };
	const char *many[SITE_HOSTS_MAX + 2] = { NULL };

	(void)state;
	for (size_t i = 0; i <= SITE_HOSTS_MAX; i++)
		many[i] = "a.example";
	refused(made_site_new(1, 1, none, NULL, 0), "0 host names");
	refused(made_site_new(1, 1, twice, NULL, 0), "b.example twice");
	refused(made_site_new(1, 1, many, NULL, 0), "1001 host names");
	refused(made_site_of(0, 1, "a.example", ec), "above 0");
	refused(made_site_of(1, 0, "a.example", ec), "above 0");
}

static void
refuses_a_certificate_that_is_not_the_one_announced(void **state)
{
	const struct made_cert *two[] = { ec, other_ec };
	const char *hosts[] = { "a.example", NULL };
	Holdfast__Certd__V1__Site *message;

	(void)state;
	message = made_site_of(1, 1, "a.example", ec);
	message->certificates[0]->fingerprint.data[31] ^= 1;
	refused(message, "not the one of the fingerprint");

	message = made_site_of(1, 1, "a.example", ec);
	message->certificates[0]->fingerprint.len = 20;
	refused(message, "not 32 octets");

	/* A stub of another key than the certificate's. */
	message = made_site_of(1, 1, "a.example", ec);
	free(message->certificates[0]->spki.data);
	message->certificates[0]->spki.data = malloc(rsa->spki_len);
	memcpy(message->certificates[0]->spki.data, rsa->spki, rsa->spki_len);
	message->certificates[0]->spki.len = rsa->spki_len;
	refused(message, "for another key");

	message = made_site_of(1, 1, "a.example", ec);
	message->certificates[0]->spki.len = 10;
	refused(message, "does not keep");

	refused(made_site_new(1, 1, hosts, two, 2), "two certificates");
}

static void
set_chain(Holdfast__Certd__V1__Site *message, const char *format, const char *a,
    const char *b)
{
	char **chain = &message->certificates[0]->chain_pem;

	free(*chain);
	assert_true(asprintf(chain, "%s%s%s", a, format, b) >= 0);
}

static void
refuses_a_chain_that_is_not_certificates_alone(void **state)
{
	Holdfast__Certd__V1__Site *message;
	char *cut, *many;

	(void)state;
	message = made_site_of(1, 1, "a.example", ec);
	set_chain(message, "", "", "");
	refused(message, "empty");

	message = made_site_of(1, 1, "a.example", ec);
	set_chain(message, "", ec->chain_pem, ec->key_pem);
	refused(message, "not 1 to 16 certificates");

	message = made_site_of(1, 1, "a.example", ec);
	cut = strdup(ec->chain_pem);
	cut[strlen(cut) / 2] = '\0';
	set_chain(message, "", cut, "");
	free(cut);
	made_site_free(message);

	message = made_site_of(1, 1, "a.example", ec);
	many = calloc(1, 10 * strlen(ec->chain_pem) + 1);
	for (int i = 0; i < 10; i++)
		memcpy(many + strlen(many), ec->chain_pem,
		    strlen(ec->chain_pem) + 1);
	set_chain(message, "", many, "");
	free(many);
	refused(message, "not 1 to 16 certificates");

	message = made_site_of(1, 1, "a.example", ec);
	cut = malloc(SITE_CHAIN_MAX + 2);
	memset(cut, '\n', SITE_CHAIN_MAX + 1);
	cut[SITE_CHAIN_MAX + 1] = '\0';
	set_chain(message, "", cut, "");
	free(cut);
	refused(message, "above");
}

static void
what_came_along_with_certificates_reaches_no_file(void **state)
{
	Holdfast__Certd__V1__Site *message =
	    made_site_of(1, 1, "a.example", ec);
	char why[SITE_WHY_MAX];
	struct site_pem pem;
	struct site *site;

	(void)state;
	set_chain(
	    message, "", "ssl_certificate_key /etc/shadow;\n", ec->chain_pem);
	assert_false(failed(site_read(message, &site, &pem, why)));
	assert_string_equal(pem.chain[0], ec->chain_pem);
	site_pem_done(&pem);
	site_unref(site);
	made_site_free(message);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    takes_a_site_with_all_kinds_of_keys_in_the_order_of_preference),
		cmocka_unit_test(
		    a_standby_certificate_may_have_a_key_of_the_same_kind),
		cmocka_unit_test(a_site_without_certificates_is_one),
		cmocka_unit_test(no_host_name_leaves_its_folder),
		cmocka_unit_test(a_wildcard_has_a_folder_that_no_host_name_has),
		cmocka_unit_test(refuses_names_and_numbers_that_cannot_be),
		cmocka_unit_test(
		    refuses_a_certificate_that_is_not_the_one_announced),
		cmocka_unit_test(
		    refuses_a_chain_that_is_not_certificates_alone),
		cmocka_unit_test(
		    what_came_along_with_certificates_reaches_no_file),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
