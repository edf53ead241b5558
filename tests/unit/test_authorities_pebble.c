/* SPDX-License-Identifier: Apache-2.0 */

/*
 * certd's account at a real CA, a strict pebble: over a real store and
 * acme/client.h, with a keyd in memory.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "certd/authorities.h"
#include "proto/holdfast/certd/v1/authorities.pb-c.h"
#include "proto/message.h"
#include "tests/fake/custody_fake.h"
#include "tests/unit/certd_desk.h"
#include "tests/unit/pebble_desk.h"

static struct {
	struct pebble_desk pebble;
	struct desk *desk;
	struct custody *custody;
	struct config *config;
	struct authorities *authorities;
	char why[AUTHORITIES_WHY_MAX];
} bed;

static struct acme_problem problem;

static void
write_text(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", bed.desk->folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static void
start(const char *lines)
{
	const struct authorities_config wanted = { .store = bed.desk->store,
		.custody = bed.custody };
	struct authorities_config config = wanted;
	char text[1024], path[128], error[CONF_ERROR_MAX] = "";

	authorities_free(bed.authorities);
	bed.authorities = NULL;
	config_free(bed.config);
	bed.config = NULL;
	snprintf(text, sizeof(text),
	    "state_dir: %s\nacme:\n  authorities:\n    - name: pebble\n"
	    "      directory: %s\n      ca_file: %s\n%s",
	    bed.desk->folder, bed.pebble.directory, bed.pebble.ca_file, lines);
	write_text("certd.yaml", text);
	snprintf(path, sizeof(path), "%s/certd.yaml", bed.desk->folder);
	if (failed(config_load(path, &bed.config, error)))
		fail_msg("%s", error);
	config.config = bed.config;
	if (failed(authorities_preload(bed.config, bed.why)) ||
	    failed(authorities_new(&config, &bed.authorities, bed.why)))
		fail_msg("%s", bed.why);
}

static void
set_up_with(void **state, bool eab)
{
	const struct pebble_desk_options options = { .eab = eab };

	log_setup((enum log_level)(LOG_ERROR + 1), LOG_LOGFMT);
	memset(&bed, 0, sizeof(bed));
	pebble_desk_start(&bed.pebble, &options);
	assert_int_equal(certd_desk_set_up(state), 0);
	bed.desk = *state;
	bed.custody = custody_fake_new();
}

static int
set_up(void **state)
{
	set_up_with(state, false);
	start("      terms_agreed: true\n"
	      "      contacts: [\"mailto:a@b.example\"]\n");
	return 0;
}

static int
set_up_eab(void **state)
{
	set_up_with(state, true);
	return 0;
}

static int
tear_down(void **state)
{
	authorities_free(bed.authorities);
	config_free(bed.config);
	custody_close(bed.custody);
	pebble_desk_stop(&bed.pebble);
	return certd_desk_tear_down(state);
}

static void
enter(struct authority_session *ret_session)
{
	if (failed(authorities_enter(
		bed.authorities, "pebble", ret_session, &problem)))
		fail_msg("%s", problem.why);
}

/* The CA takes what the account signs. */
static void
assert_works(void)
{
	static const char *const names[] = { "works.example" };
	const struct acme_order_new wanted = { .names = names, .n_names = 1 };
	struct acme_order order = { .n_names = 0 };
	struct authority_session session;

	enter(&session);
	if (failed(acme_order_new(
		session.acme, &session.account, &wanted, &order, &problem)))
		fail_msg("%s", problem.why);
	acme_order_done(&order);
	authorities_leave(&session);
}

static void
a_real_ca_takes_the_account_and_its_requests(void **state)
{
	(void)state;
	/* Roots were read before; the sandbox would not let it now. */
	assert_int_equal(unlink(bed.pebble.ca_file), 0);
	assert_works();
	assert_works();
	assert_int_equal(custody_fake_keys(bed.custody), 1);
}

static void
a_real_ca_changes_the_accounts_key(void **state)
{
	const struct caller operator= certd_desk_operator();
	Holdfast__Certd__V1__RolloverKeyRequest request;
	scoped(message_free) ProtobufCMessage *reply = NULL;
	struct authority_session session;
	char name[] = "pebble", before[ACME_THUMBPRINT_MAX], url[ACME_URL_MAX];

	(void)state;
	assert_int_equal(
	    authorities_register(bed.authorities, bed.desk->api).code,
	    STATUS_OK);
	enter(&session);
	memcpy(before, session.thumbprint, sizeof(before));
	memcpy(url, session.account.url, sizeof(url));
	authorities_leave(&session);
	holdfast__certd__v1__rollover_key_request__init(&request);
	request.name = name;
	if (failed(certd_desk_ask(bed.desk, &operator,
		"Authorities/RolloverKey", &request, &reply)))
		fail_msg("%s", bed.desk->call.why);
	assert_works();
	enter(&session);
	assert_string_not_equal(session.thumbprint, before);
	assert_string_equal(session.account.url, url);
	authorities_leave(&session);
}

static void
a_real_ca_that_forgot_the_account_gets_it_again(void **state)
{
	static const char *const names[] = { "works.example" };
	const struct acme_order_new wanted = { .names = names, .n_names = 1 };
	struct acme_order order = { .n_names = 0 };
	struct authority_session session;

	(void)state;
	assert_works();
	pebble_desk_stop_ca(&bed.pebble);
	pebble_desk_start_ca(&bed.pebble);
	enter(&session);
	assert_true(failed(acme_order_new(
	    session.acme, &session.account, &wanted, &order, &problem)));
	assert_int_equal(problem.type, ACME_PROBLEM_ACCOUNT_DOES_NOT_EXIST);
	authorities_tell(
	    bed.authorities, "pebble", AUTHORITY_REQUEST, NULL, &problem);
	authorities_leave(&session);
	assert_works();
	assert_int_equal(custody_fake_keys(bed.custody), 1);
}

static void
a_real_ca_gets_the_contacts_as_they_are_configured(void **state)
{
	(void)state;
	assert_works();
	start("      terms_agreed: true\n"
	      "      contacts: [\"mailto:c@d.example\"]\n");
	assert_works();
	assert_int_equal(
	    certd_desk_count(bed.desk,
		"SELECT count(*) FROM acme_account WHERE contacts ="
		" 'mailto:c@d.example'"),
	    1);
}

static void
a_real_ca_that_knows_its_customers_takes_the_external_account(void **state)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789-_";
	struct authority_session session;
	uint8_t key[PEBBLE_DESK_EAB_MAX];
	size_t len = pebble_desk_eab_key(key), n = 0;
	char text[128], lines[256];

	(void)state;
	start("      terms_agreed: true\n");
	assert_true(failed(
	    authorities_enter(bed.authorities, "pebble", &session, &problem)));
	assert_int_equal(problem.type, ACME_PROBLEM_EXTERNAL_ACCOUNT_REQUIRED);
	for (size_t bit = 0; bit < 8 * len; bit += 6) {
		unsigned at = (unsigned)key[bit / 8] << 8;

		if (bit / 8 + 1 < len)
			at |= key[bit / 8 + 1];
		text[n++] = digits[at >> (10 - bit % 8) & 63];
	}
	text[n] = 0;
	write_text("mac", text);
	snprintf(lines, sizeof(lines),
	    "      terms_agreed: true\n      eab_kid: %s\n"
	    "      eab_key_file: %s/mac\n",
	    PEBBLE_DESK_EAB_KID, bed.desk->folder);
	start(lines);
	assert_works();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_real_ca_takes_the_account_and_its_requests),
		TEST(a_real_ca_changes_the_accounts_key),
		TEST(a_real_ca_that_forgot_the_account_gets_it_again),
		TEST(a_real_ca_gets_the_contacts_as_they_are_configured),
		cmocka_unit_test_setup_teardown(
		    a_real_ca_that_knows_its_customers_takes_the_external_account,
		    set_up_eab, tear_down),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
