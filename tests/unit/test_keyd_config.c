/* SPDX-License-Identifier: Apache-2.0 */

/* keyd.yaml: the example that ships is good, and mistakes are told with their
 * place and with what to do. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "keyd/audit.h"
#include "keyd/config.h"

#define EXAMPLE "docs/examples/keyd.yaml"
#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* A good file in parts, so that each test breaks one of them. */
#define TOP "domain: holdfast.test\n"
#define POOL_(name, token)                                                     \
	"  - name: " name "\n"                                                 \
	"    module: /m.so\n"                                                  \
	"    token: " token "\n"                                               \
	"    pin_file: /p\n"
#define POOLS "pools:\n" POOL_("standard", "custody")
#define IDENTITY_(token, pin)                                                  \
	"identity:\n"                                                          \
	"  module: /m.so\n"                                                    \
	"  token: " token "\n"                                                 \
	"  pin_file: " pin "\n"
#define IDENTITY IDENTITY_("identity", "/p")

static struct config *
load_text(const char *text, char error[CONF_ERROR_MAX])
{
	char path[] = "/tmp/holdfast-config-XXXXXX";
	struct config *config = NULL;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	error[0] = 0;
	if (failed(config_load(path, &config, error)))
		assert_null(config);
	unlink(path);
	return config;
}

static void
the_example_that_ships_is_good(void **state)
{
	char error[CONF_ERROR_MAX] = "";
	struct config *config = NULL;
	struct status st = config_load(EXAMPLE, &config, error);

	(void)state;
	if (failed(st))
		print_error("%s\n", error);
	assert_int_equal(st.code, STATUS_OK);
	assert_string_equal(config->domain, "holdfast.example");
	assert_int_equal(config->pools.len, 1);
	assert_string_equal(
	    config_pool_at(config, 0)->env.at[0], "SOFTHSM2_CONF");
	config_free(config);
}

/* Every key of the schema stands in the example. */
static void
check_names(const struct conf_field *fields, const char *text)
{
	for (; fields->key != NULL; fields++) {
		char line[64];

		snprintf(line, sizeof(line), "%s:", fields->key);
		if (strstr(text, line) == NULL)
			fail_msg("%s does not show %s", EXAMPLE, fields->key);
		assert_non_null(fields->help);
		if (fields->fields != NULL)
			check_names(fields->fields, text);
	}
}

static void
the_example_shows_every_key_and_every_key_has_help(void **state)
{
	char text[16384];
	FILE *file = fopen(EXAMPLE, "re");
	size_t len;

	(void)state;
	assert_non_null(file);
	len = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[len] = 0;
	check_names(config_schema, text);
}

static void
what_is_left_out_has_its_default(void **state)
{
	char error[CONF_ERROR_MAX], path[PATH_MAX];
	struct config *config = load_text(TOP POOLS IDENTITY, error);
	size_t n = 0;

	(void)state;
	assert_string_equal(error, "");
	assert_non_null(config);
	assert_string_equal(config->listen, "127.0.0.1:7443");
	assert_string_equal(config->enroll_listen, "127.0.0.1:7444");
	assert_string_equal(config->state_dir, "/var/lib/holdfast/keyd");
	assert_string_equal(config->name, "keyd");
	assert_string_equal(config->metrics_listen, "");
	assert_int_equal(config_pool_at(config, 0)->workers, 2);
	assert_true(config_pool_at(config, 0)->session_copies);
	assert_int_equal(config->audit.durability, AUDIT_FDATASYNC);
	assert_int_equal(config->signing.queue_max, 4096);
	assert_int_equal(
	    config->signing.default_timeout_ns, INT64_C(5000000000));
	assert_int_equal(config->identity.certificate_lifetime_ns,
	    INT64_C(86400) * 1000000000);
	assert_string_equal(config_endpoints(config, &n)[0], "127.0.0.1:7443");
	assert_int_equal(n, 1);
	assert_string_equal(
	    config_enroll_endpoints(config, &n)[0], "127.0.0.1:7444");
	assert_int_equal(
	    config_audit_path(config, "journal", path).code, STATUS_OK);
	assert_string_equal(path, "/var/lib/holdfast/keyd/audit/journal");
	assert_int_equal(
	    config_lock_path(config, "/lib/a b", path).code, STATUS_OK);
	assert_string_equal(path, "/var/lib/holdfast/keyd/locks/612062");
	config_free(config);
}

static void
a_pool_serves_the_edge_groups_that_it_names(void **state)
{
	char error[CONF_ERROR_MAX];
	struct config *config = load_text(TOP POOLS
	    "    edge_groups: [enhanced, lab]\n" POOL_("all", "other") IDENTITY
	    "signing:\n  acme_hosts: [\"ca.test:14000\"]\n",
	    error);
	struct policy_pool pool;

	(void)state;
	assert_string_equal(error, "");
	assert_non_null(config);
	pool = config_policy_pool(config, 0);
	assert_string_equal(pool.name, "standard");
	assert_true(policy_pool_serves(&pool, "enhanced"));
	assert_true(policy_pool_serves(&pool, "lab"));
	assert_false(policy_pool_serves(&pool, "standard"));
	pool = config_policy_pool(config, 1);
	assert_true(policy_pool_serves(&pool, "whatever"));
	assert_int_equal(config->signing.acme_hosts.len, 1);
	config_free(config);
}

static void
advertised_endpoints_stand_in_place_of_listen(void **state)
{
	char error[CONF_ERROR_MAX];
	struct config *config = load_text(
	    TOP POOLS IDENTITY "advertise: [a.test:1, b.test:2]\n", error);
	size_t n = 0;

	(void)state;
	assert_non_null(config);
	assert_string_equal(config_endpoints(config, &n)[1], "b.test:2");
	assert_int_equal(n, 2);
	config_free(config);
}

static void
a_mistake_is_told_with_its_line_and_column(void **state)
{
	static const struct {
		const char *text, *place, *word;
	} cases[] = {
		{ TOP POOLS IDENTITY "lisen: 1.2.3.4:5\n",
		    ":11:1: ", "listen" },
		{ TOP POOLS IDENTITY "log:\n  level: loud\n",
		    ":12:10: ", "debug" },
		{ TOP POOLS IDENTITY "audit:\n  durability: no\n",
		    ":12:15: ", "fdatasync" },
		{ TOP POOLS IDENTITY "signing:\n  queue_max: 1\n",
		    ":12:14: ", "16" },
		{ TOP POOLS IDENTITY "signing:\n  default_timeout: 90s\n",
		    ":12:20: ", "" },
		{ TOP POOLS IDENTITY "domain: twice.test\n",
		    ":11:1: ", "domain" },
		{ TOP POOLS IDENTITY "advertise: &a [x:1]\n",
		    ":11:12: ", "anchor" },
		{ TOP POOLS "    workers: 65\n" IDENTITY, ":7:14: ", "64" },
		{ TOP POOLS "    pin: 1234\n" IDENTITY, ":7:5: ", "\"pin\"" },
		{ TOP POOLS "    token: again\n" IDENTITY, ":7:5: ", "token" },
		{ TOP POOLS IDENTITY "sandbox: maybe\n",
		    ":11:10: ", "enforce" },
		{ TOP "pools: []\n" IDENTITY, ":2:8: ", "" },
		{ POOLS IDENTITY, ":1:1: ", "domain" },
		{ TOP POOLS, ":1:1: ", "identity" },
	};
	char error[CONF_ERROR_MAX];

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		assert_null(load_text(cases[i].text, error));
		if (strstr(error, cases[i].place) == NULL ||
		    strstr(error, cases[i].word) == NULL)
			fail_msg("case %zu: \"%s\" holds no \"%s\", \"%s\"", i,
			    error, cases[i].place, cases[i].word);
	}
}

static void
what_no_schema_can_say_is_told_by_the_key(void **state)
{
	static const struct {
		const char *text, *word;
	} cases[] = {
		{ "domain: Upper.Test\n" POOLS IDENTITY, "domain: " },
		{ TOP "name: a/b\n" POOLS IDENTITY, "name: " },
		{ TOP "listen: nowhere\n" POOLS IDENTITY, "listen: " },
		{ TOP "listen: 127.0.0.1:70000\n" POOLS IDENTITY, "listen: " },
		{ TOP "listen: \"127.0.0.1:\"\n" POOLS IDENTITY, "listen: " },
		{ TOP "enroll_listen: \":1\"\n" POOLS IDENTITY,
		    "enroll_listen: " },
		{ TOP "metrics_listen: on\n" POOLS IDENTITY,
		    "metrics_listen: " },
		{ TOP "advertise: [host]\n" POOLS IDENTITY, "advertise" },
		{ TOP "state_dir: here\n" POOLS IDENTITY, "state_dir: " },
		{ TOP "audit:\n  directory: here\n" POOLS IDENTITY,
		    "audit.directory: " },
		{ TOP "audit:\n  listen: nowhere\n" POOLS IDENTITY,
		    "audit.listen: " },
		{ TOP "audit:\n  witnesses: [w1]\n" POOLS IDENTITY,
		    "audit.witnesses: " },
		{ TOP POOLS IDENTITY_("identity", "here"), "identity: " },
		{ TOP POOLS "    paths: [/a, b]\n" IDENTITY, "pools: " },
		{ TOP POOLS "    paths: [\"/a\\nb\"]\n" IDENTITY, "pools: " },
		{ TOP POOLS IDENTITY "  paths: [a]\n", "identity: " },
		{ TOP POOLS IDENTITY_("custody", "/p"), "token of its own" },
		{ TOP POOLS POOL_("standard", "other") IDENTITY, "same name" },
		{ TOP POOLS POOL_("enhanced", "custody") IDENTITY,
		    "same token" },
		{ TOP "pools:\n" POOL_("a b", "custody") IDENTITY, "a-z 0-9" },
		{ TOP POOLS "    edge_groups: [a b]\n" IDENTITY, "edge group" },
		{ TOP POOLS IDENTITY
		    "signing:\n  acme_hosts: [\"https://ca.test\"]\n",
		    "signing.acme_hosts: " },
	};
	char error[CONF_ERROR_MAX];

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		assert_null(load_text(cases[i].text, error));
		if (strstr(error, cases[i].word) == NULL)
			fail_msg("case %zu: \"%s\" holds no \"%s\"", i, error,
			    cases[i].word);
	}
}

static void
a_missing_file_is_named(void **state)
{
	char error[CONF_ERROR_MAX] = "";
	struct config *config = NULL;

	(void)state;
	assert_true(
	    failed(config_load("/nonexistent/keyd.yaml", &config, error)));
	assert_null(config);
	assert_non_null(strstr(error, "/nonexistent/keyd.yaml"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_that_ships_is_good),
		cmocka_unit_test(
		    the_example_shows_every_key_and_every_key_has_help),
		cmocka_unit_test(what_is_left_out_has_its_default),
		cmocka_unit_test(advertised_endpoints_stand_in_place_of_listen),
		cmocka_unit_test(a_pool_serves_the_edge_groups_that_it_names),
		cmocka_unit_test(a_mistake_is_told_with_its_line_and_column),
		cmocka_unit_test(what_no_schema_can_say_is_told_by_the_key),
		cmocka_unit_test(a_missing_file_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
