/* SPDX-License-Identifier: Apache-2.0 */

/* certd.yaml: the example that ships is good, and mistakes are told with what
 * to do. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "certd/config.h"

#define EXAMPLE "docs/examples/certd.yaml"
#define LEN(a) (sizeof(a) / sizeof((a)[0]))

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
	scoped(config_free) struct config *config = NULL;
	char error[CONF_ERROR_MAX] = "";
	struct status st = config_load(EXAMPLE, &config, error);
	const struct network *enhanced;

	(void)state;
	if (failed(st))
		print_error("%s\n", error);
	assert_int_equal(st.code, STATUS_OK);
	enhanced = networks_find(&config->all_networks, "enhanced");
	assert_non_null(enhanced);
	assert_string_equal(enhanced->pool, "enhanced");
	assert_true(network_has_group(enhanced, "enhanced"));
}

/* Every key of the schema stands in the example. */
static void
check_names(const struct conf_field *fields, const char *text)
{
	for (; fields->key != NULL; fields++) {
		char line[64];

		snprintf(line, sizeof(line), "%s:", fields->key);
		if (strstr(text, line) == NULL)
			print_error("%s lacks %s\n", EXAMPLE, line);
		assert_non_null(strstr(text, line));
		if (fields->fields != NULL)
			check_names(fields->fields, text);
	}
}

static void
the_example_shows_every_key(void **state)
{
	char text[16384];
	FILE *file = fopen(EXAMPLE, "r");
	size_t n;

	(void)state;
	assert_non_null(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = 0;
	check_names(config_schema, text);
}

static void
without_a_file_all_is_on_loopback_and_there_is_one_network(void **state)
{
	scoped(config_free) struct config *config = NULL;
	char error[CONF_ERROR_MAX];
	const struct network *network;

	(void)state;
	assert_int_equal(config_load(NULL, &config, error).code, STATUS_OK);
	assert_string_equal(config->listen, "127.0.0.1:7445");
	assert_string_equal(config->rest.listen, "127.0.0.1:7446");
	assert_int_equal(config->rest.tls, CONFIG_TLS_IDENTITY);
	assert_false(config->allow_exposed_upload);
	assert_string_equal(config->zone, "");
	network = networks_find(&config->all_networks, "");
	assert_non_null(network);
	assert_string_equal(network->pool, "standard");
	assert_string_equal(network->edge_groups[0], "standard");
	assert_int_equal(config->all_networks.n, 1);
}

static void
mistakes_are_told_with_what_to_do(void **state)
{
#define NETWORK(name, groups)                                                  \
	"  - name: " name "\n    pool: standard\n    edge_groups: " groups "\n"
#define DELEGATING(name, zone)                                                 \
	"{name: " name ", server: \"127.0.0.1:53\", zones: [example.org], "    \
	"delegation_zone: " zone "}"
	static const struct {
		const char *text, *says;
	} CASES[] = {
		{ "listen: nowhere\n", "listen: write address:port" },
		{ "listen: 127.0.0.1:65536\n", "listen: write address:port" },
		{ "state_dir: here\n", "state_dir: write an absolute path" },
		{ "keyd: [keyd.example]\n", "keyd: write host:port" },
		{ "metrics_listen: x\n", "metrics_listen: write" },
		{ "zone: Edge.example\n", "zone: write a DNS name" },
		{ "zone: edge..example\n", "zone: write a DNS name" },
		{ "zone: edge.example.\n", "zone: write a DNS name" },
		{ "zone: -edge.example\n", "zone: write a DNS name" },
		{ "rest: {listen: x}\n", "rest.listen: write" },
		{ "rest: {listen: \"0.0.0.0:7446\", tls: off}\n",
		    "loopback address alone" },
		{ "rest: {tls: files, key: /k}\n", "takes absolute paths" },
		{ "rest: {tls: files, certificate: c, key: /k}\n",
		    "takes absolute paths" },
		{ "rest: {certificate: /c}\n", "go with tls: files" },
		{ "rest: {tls: maybe}\n", ":1:" },
		{ "rest: {trusted_proxies: [proxy.example]}\n",
		    "rest.trusted_proxies: write addresses" },
		{ "rest: {trusted_proxies: [127.0.0.1, 10.0.0.1/8]}\n",
		    "rest.trusted_proxies: write addresses" },
		{ "rest: {trusted_proxies: [\"::/0\"]}\n",
		    "not all there are" },
		{ "rest: {proxy_header: x-real-ip}\n", ":1:" },
		{ "networks:\n" NETWORK("special", "[standard]"),
		    "one must be named standard" },
		{ "networks:\n" NETWORK("standard", "[a]")
			NETWORK("standard", "[b]"),
		    "two have the same name" },
		{ "networks:\n" NETWORK("standard", "[\"a b\"]"),
		    "an edge group's name" },
		{ "networks:\n" NETWORK("standard", "[]"), ":" },
		{ "networks:\n" NETWORK("Standard", "[a]"),
		    "a name consists of" },
		{ "lisen: 127.0.0.1:1\n", "listen" },
		{ "dns: {providers: [" DELEGATING("a", "example.net") "]}\n",
		    "delegation_zone is a name in one of zones" },
		{ "dns: {providers: [" DELEGATING("a", "notexample.org") "]}\n",
		    "delegation_zone is a name in one of zones" },
		{ "dns: {providers: [" DELEGATING(
		      "a", "to.example.org.") "]}\n",
		    "without a dot at its end" },
		{ "dns: {providers: [" DELEGATING(
		      "a", "to.example.org") ", " DELEGATING("b",
		      "x.to.example.org") "]}\n",
		    "one delegation_zone is in another" },
		{ "dns: {providers: [{name: a, type: acme_dns, zones: [x.org], "
		  "url: \"https://x.org\", credentials_file: /f, "
		  "delegation_zone: x.org}]}\n",
		    "acme_dns has no delegation_zone" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(CASES); i++) {
		char error[CONF_ERROR_MAX];

		assert_null(load_text(CASES[i].text, error));
		if (strstr(error, CASES[i].says) == NULL)
			print_error("%s -> %s\n", CASES[i].text, error);
		assert_non_null(strstr(error, CASES[i].says));
	}
}

static void
mistakes_of_acme_and_dns_are_told_with_what_to_do(void **state)
{
#define CA(rest)                                                               \
	"acme: {authorities: [{name: le, directory: "                          \
	"\"https://ca.example/d\"" rest "}]}\n"
#define PROVIDER(rest)                                                         \
	"dns: {providers: [{name: own, zones: [example.com]" rest "}]}\n"
	static const struct {
		const char *text, *says;
	} CASES[] = {
		{ "acme: {authorities: [{name: L E, directory: \"x\"}]}\n",
		    "a name consists of" },
		{ "acme: {authorities: [{name: le, directory: \"http://"
		  "ca.example/d\"}]}\n",
		    "directory is an https URL" },
		{ "acme: {authorities: [{name: le, directory: \"https://a/\"},"
		  " {name: le, directory: \"https://b/\"}]}\n",
		    "two have the same name" },
		{ CA(", ca_file: ca.pem"), "absolute paths" },
		{ CA(", eab_kid: k"), "go together" },
		{ CA(", eab_key_file: /k"), "go together" },
		{ CA(", contacts: [admin@example.com]"), "is mailto:" },
		{ CA(", contacts: [\"mailto:a@b.example,c@d.example\"]"),
		    "one address" },
		{ "acme: {standby: other}\n", "name one of acme.authorities" },
		{ "acme: {http_listen: x}\n", "write address:port" },
		{ "acme: {workers: 0}\n", ":1:" },
		{ "dns: {resolvers: [dns.example:53]}\n",
		    "dns.resolvers: write address:port" },
		{ PROVIDER(", server: \"dns.example:53\""),
		    "server as address:port" },
		{ PROVIDER(", server: \"192.0.2.1:53\", tsig_name: k"),
		    "go together" },
		{ PROVIDER(", type: acme_dns, url: \"http://auth.example/\", "
			   "credentials_file: /c"),
		    "acme_dns takes an https url" },
		{ PROVIDER(", type: acme_dns, url: \"https://auth.example/\""),
		    "absolute paths" },
		{ PROVIDER(", type: exec, command: [hook]"),
		    "by its absolute path" },
		{ PROVIDER(", type: exec"), "by its absolute path" },
		{ "dns: {providers: [{name: own}]}\n", "zones" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(CASES); i++) {
		char error[CONF_ERROR_MAX];

		assert_null(load_text(CASES[i].text, error));
		if (strstr(error, CASES[i].says) == NULL)
			print_error("%s -> %s\n", CASES[i].text, error);
		assert_non_null(strstr(error, CASES[i].says));
	}
}

static void
mistakes_of_console_and_notices_are_told_with_what_to_do(void **state)
{
#define SMTP(rest) "notices: {smtp: {server: \"mail.example:587\"" rest "}}\n"
	static const struct {
		const char *text, *says;
	} CASES[] = {
		{ "console: {url: \"http://certs.example\"}\n",
		    "write https://host" },
		{ "console: {url: \"https://certs.example/x\"}\n",
		    "without a path" },
		{ "console: {url: \"https://\"}\n", "write https://host" },
		{ "console: {session_idle: 2h, session_max: 1h}\n",
		    "longer than session_max" },
		{ "console: {session_idle: 1s}\n", ":1:" },
		{ "console: {folder: web}\n", "absolute path" },
		{ "console: {second_factor: always}\n", ":1:" },
		{ SMTP(""), "notices.smtp.from" },
		{ "notices: {smtp: {server: mail.example, from: a@b.example}}"
		  "\n",
		    "write host:port" },
		{ SMTP(", from: a@b.example, tls: off"), "on loopback only" },
		{ SMTP(", from: a@b.example, username: u"), "go together" },
		{ SMTP(", from: a@b.example, password_file: /p"),
		    "go together" },
		{ SMTP(", from: a@b.example, username: u, password_file: p"),
		    "absolute path" },
		{ SMTP(", from: a@b.example, ca_file: ca.pem"),
		    "absolute path" },
		{ "notices: {webhook_ca_file: ca.pem}\n", "absolute path" },
		{ "notices: {gather: 2h}\n", ":1:" },
		{ "notices: {edge_grace: 1s}\n", ":1:" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(CASES); i++) {
		char error[CONF_ERROR_MAX];

		assert_null(load_text(CASES[i].text, error));
		if (strstr(error, CASES[i].says) == NULL)
			print_error("%s -> %s\n", CASES[i].text, error);
		assert_non_null(strstr(error, CASES[i].says));
	}
}

static void
rest_may_do_without_tls_on_loopback_or_not_be_there(void **state)
{
	static const char *const GOOD[] = { "rest: {tls: off}\n",
		"rest: {listen: \"[::1]:1\", tls: off}\n",
		"rest: {listen: \"\"}\n",
		"rest: {tls: files, certificate: /c, key: /k}\n",
		("rest: {tls: off, trusted_proxies: [127.0.0.1, \"::1\"],"
		 " proxy_header: forwarded}\n") };

	(void)state;
	for (size_t i = 0; i < LEN(GOOD); i++) {
		char error[CONF_ERROR_MAX];
		struct config *config = load_text(GOOD[i], error);

		if (config == NULL)
			print_error("%s -> %s\n", GOOD[i], error);
		assert_non_null(config);
		config_free(config);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_that_ships_is_good),
		cmocka_unit_test(the_example_shows_every_key),
		cmocka_unit_test(
		    without_a_file_all_is_on_loopback_and_there_is_one_network),
		cmocka_unit_test(mistakes_are_told_with_what_to_do),
		cmocka_unit_test(
		    mistakes_of_acme_and_dns_are_told_with_what_to_do),
		cmocka_unit_test(
		    mistakes_of_console_and_notices_are_told_with_what_to_do),
		cmocka_unit_test(
		    rest_may_do_without_tls_on_loopback_or_not_be_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
