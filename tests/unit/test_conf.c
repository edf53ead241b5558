/* SPDX-License-Identifier: Apache-2.0 */
/* base/conf.c: what a configuration may say, and what a mistake is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "base/conf.h"
#include "tests/unit/conf_example.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define NS_PER_S INT64_C(1000000000)

static struct example
parse(const char *text)
{
	struct example config = { 0 };
	char error[CONF_ERROR_MAX] = "";
	struct status st = conf_parse(
	    "a.yaml", text, strlen(text), example_schema, &config, error);

	assert_string_equal(error, "");
	assert_int_equal(st.code, STATUS_OK);
	return config;
}

static void
assert_message(const char *text, size_t len, const char *message)
{
	static const struct example zero;
	struct example config = { 0 };
	char error[CONF_ERROR_MAX] = "";
	struct status st =
	    conf_parse("a.yaml", text, len, example_schema, &config, error);

	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	assert_string_equal(error, message);
	/* Nothing is left to free. */
	assert_memory_equal(&config, &zero, sizeof(config));
}

static void
every_type_of_value_is_read(void **state)
{
	struct example config = parse("name: 'keyd one'\n"
				      "count: 18446744073709551615\n"
				      "enabled: false\n"
				      "wait: 250ms\n"
				      "buffer: 4MiB\n"
				      "level: warn\n"
				      "peers:\n"
				      "  - a:1\n"
				      "  - 'b'\n"
				      "http:\n"
				      "  listen: 127.0.0.1:0\n"
				      "  idle: 2m\n"
				      "  verbose: true\n"
				      "pools:\n"
				      "  - name: standard\n"
				      "    workers: 4\n"
				      "  - {name: enhanced}\n");
	struct example_pool *pools = config.pools.at;

	(void)state;
	assert_string_equal(config.name, "keyd one");
	assert_true(config.count == UINT64_MAX);
	assert_false(config.enabled);
	assert_int_equal(config.wait_ns, 250000000);
	assert_int_equal(config.buffer, 4 << 20);
	assert_int_equal(config.level, 2);
	assert_int_equal(config.peers.len, 2);
	assert_string_equal(config.peers.at[0], "a:1");
	assert_string_equal(config.peers.at[1], "b");
	assert_string_equal(config.http.listen, "127.0.0.1:0");
	assert_int_equal(config.http.idle_ns, 120 * NS_PER_S);
	assert_true(config.http.verbose);
	assert_int_equal(config.pools.len, 2);
	assert_string_equal(pools[0].name, "standard");
	assert_int_equal(pools[0].workers, 4);
	assert_string_equal(pools[1].name, "enhanced");
	assert_int_equal(pools[1].workers, 2); /* its default */
	conf_free(example_schema, &config);
}

static void
what_is_left_out_gets_its_default(void **state)
{
	struct example config = parse("name: x\n");

	(void)state;
	assert_int_equal(config.count, 7);
	assert_true(config.enabled);
	assert_int_equal(config.wait_ns, 5 * NS_PER_S);
	assert_int_equal(config.buffer, 65536);
	assert_int_equal(config.level, 1);
	assert_int_equal(config.peers.len, 2);
	assert_string_equal(config.peers.at[1], "two");
	assert_null(config.http.listen); /* required where http is written */
	assert_int_equal(config.http.idle_ns, 90 * NS_PER_S);
	assert_int_equal(config.pools.len, 0);
	conf_free(example_schema, &config);
}

static void
strings_are_strings_whatever_they_look_like(void **state)
{
	static const char *const values[] = { "no", "true", "null", "~", "0x10",
		"1e3", "2026-01-02", "=", ".inf" };
	char text[64];

	(void)state;
	for (size_t i = 0; i < LEN(values); i++) {
		struct example config;

		snprintf(text, sizeof(text), "name: %s\n", values[i]);
		config = parse(text);
		assert_string_equal(config.name, values[i]);
		conf_free(example_schema, &config);
	}
}

static void
freeing_zeroes_the_configuration(void **state)
{
	static const struct example zero;
	struct example config = parse("name: x\nhttp: {listen: y}\npools: [{"
				      "name: a}]\nenabled: true\n");

	(void)state;
	conf_free(example_schema, &config);
	assert_memory_equal(&config, &zero, sizeof(config));
	conf_free(example_schema, &config); /* twice does no harm */
}

static void
every_mistake_is_named_with_its_place(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{ "name: x\nconut: 1\n",
		    "a.yaml:2:1: unknown key \"conut\"; did you mean"
		    " \"count\"?" },
		{ "name: x\nhttp:\n  listen: y\n  idel: 1s\n",
		    "a.yaml:4:3: unknown key \"idel\"; did you mean"
		    " \"idle\"?" },
		{ "name: x\npools:\n- {name: a, wrkers: 1}\n",
		    "a.yaml:3:13: unknown key \"wrkers\"; did you mean"
		    " \"workers\"?" },
		{ "name: x\nsomething: 1\n",
		    "a.yaml:2:1: unknown key \"something\"; the manual page"
		    " lists what belongs here" },
		{ "name: x\ncount: 1\nname: y\n",
		    "a.yaml:3:1: \"name\" is given twice; remove one" },
		{ "count: 1\n",
		    "a.yaml:1:1: \"name\" is missing; it is required here" },
		{ "", "a.yaml:1:1: \"name\" is missing; it is required here" },
		{ "# only this\n",
		    "a.yaml:2:1: \"name\" is missing; it is required here" },
		{ "name: x\nhttp:\n  idle: 1s\n",
		    "a.yaml:3:3: \"listen\" is missing; it is required here" },
		{ "name: x\npools:\n- workers: 1\n",
		    "a.yaml:3:3: \"name\" is missing; it is required here" },
		{ "name:\n",
		    "a.yaml:1:6: \"name\" has no value; write one, or \"\" for"
		    " none" },
		{ "name: x\nhttp:\n",
		    "a.yaml:2:6: \"http\" is a map; write its keys indented"
		    " below it" },
		{ "name: x\nhttp: [a]\n",
		    "a.yaml:2:7: \"http\" is a map; write its keys indented"
		    " below it" },
		{ "name: [x]\n",
		    "a.yaml:1:7: \"name\" takes one value, not a list or a"
		    " map" },
		{ "name: x\npeers: a\n",
		    "a.yaml:2:8: \"peers\" is a list; start each entry with"
		    " \"- \"" },
		{ "name: x\npeers: []\n",
		    "a.yaml:2:8: \"peers\" needs at least 1 entries" },
		{ "name: x\npeers: [a, b, c, d]\n",
		    "a.yaml:2:18: \"peers\" has more than 3 entries" },
		{ "name: x\npeers: [[a]]\n",
		    "a.yaml:2:9: \"peers\" takes one value, not a list or a"
		    " map" },
		{ "name: x\npools: [a]\n",
		    "a.yaml:2:9: each entry of \"pools\" is a map of keys and"
		    " values" },
		{ "name: x\n[a]: b\n",
		    "a.yaml:2:1: a list or a map stands where a key should" },
		{ "- name\n",
		    "a.yaml:1:1: the file must hold keys and values, as in"
		    " \"key: value\"" },
		{ "name: x\nlevel: inof\n",
		    "a.yaml:2:8: \"level\" is \"inof\"; did you mean"
		    " \"info\"?" },
		{ "name: x\nlevel: loudest\n",
		    "a.yaml:2:8: \"level\" is \"loudest\"; write debug or info"
		    " or warn" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		assert_message(
		    cases[i].text, strlen(cases[i].text), cases[i].message);
}

static void
anchors_aliases_tags_and_second_documents_are_refused(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{ "name: &a x\n",
		    "a.yaml:1:7: anchors (&name) are not supported; write it"
		    " out" },
		{ "name: x\nhttp: &a\n  listen: y\n",
		    "a.yaml:2:7: anchors (&name) are not supported; write it"
		    " out" },
		{ "name: x\npeers: &a [b]\n",
		    "a.yaml:2:8: anchors (&name) are not supported; write it"
		    " out" },
		{ "name: *a\n",
		    "a.yaml:1:7: aliases (*name) are not supported; write it"
		    " out" },
		{ "name: !!str x\n",
		    "a.yaml:1:7: tags (!name) are not supported; leave it"
		    " out" },
		{ "name: !mine x\n",
		    "a.yaml:1:7: tags (!name) are not supported; leave it"
		    " out" },
		{ "name: x\n---\nname: y\n",
		    "a.yaml:2:1: a second document starts here; a file holds"
		    " one" },
		{ "name: x\nhttp:\n  <<: {listen: y}\n",
		    "a.yaml:3:3: unknown key \"<<\"; the manual page lists"
		    " what belongs here" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		assert_message(
		    cases[i].text, strlen(cases[i].text), cases[i].message);
}

static void
amounts_have_units_and_bounds(void **state)
{
	static const struct {
		const char *line;
		const char *message;
	} cases[] = {
		{ "wait: 5", "7: \"wait\" is \"5\"; write a duration such as"
			     " 250us, 5s, 10m, 1h or 7d" },
		{ "wait: -5s",
		    "7: \"wait\" is \"-5s\"; write a duration such as"
		    " 250us, 5s, 10m, 1h or 7d" },
		{ "wait: 5 s",
		    "7: \"wait\" is \"5 s\"; write a duration such as"
		    " 250us, 5s, 10m, 1h or 7d" },
		{ "wait: 1.5s", "7: \"wait\" is \"1.5s\"; write a duration such"
				" as 250us, 5s, 10m, 1h or 7d" },
		{ "wait: 106752d", /* past 2^63 ns */
		    "7: \"wait\" is \"106752d\"; write a duration such as"
		    " 250us, 5s, 10m, 1h or 7d" },
		{ "wait: 213504d", /* past 2^64 ns */
		    "7: \"wait\" is \"213504d\"; write a duration such as"
		    " 250us, 5s, 10m, 1h or 7d" },
		{ "wait: 999us", "7: \"wait\" must be between 1ms and 1h" },
		{ "wait: 61m", "7: \"wait\" must be between 1ms and 1h" },
		{ "buffer: 511", "9: \"buffer\" must be at least 512" },
		{ "buffer: 4MB",
		    "9: \"buffer\" is \"4MB\"; write a size such as"
		    " 512, 64KiB, 4MiB or 1GiB" },
		{ "buffer: 16777216TiB", "9: \"buffer\" is \"16777216TiB\"; "
					 "write a size such as 512,"
					 " 64KiB, 4MiB or 1GiB" },
		{ "count: -1", "8: \"count\" is \"-1\"; write a whole number in"
			       " digits" },
		{ "count: 0x10",
		    "8: \"count\" is \"0x10\"; write a whole number"
		    " in digits" },
		{ "count: 18446744073709551616",
		    "8: \"count\" is \"18446744073709551616\"; write a whole"
		    " number in digits" },
		{ "count: 1KiB",
		    "8: \"count\" is \"1KiB\"; write a whole number"
		    " in digits" },
		{ "enabled: yes",
		    "10: \"enabled\" is \"yes\"; write true or false" },
		{ "enabled: True",
		    "10: \"enabled\" is \"True\"; write true or false" },
		{ "pools: [{name: ''}]",
		    "16: \"name\" length must be between 1 and 16" },
		{ "pools: [{name: 12345678901234567}]",
		    "16: \"name\" length must be between 1 and 16" },
		{ "pools: [{name: a, workers: 65}]",
		    "28: \"workers\" must be between 1 and 64" },
	};
	char text[128], message[CONF_ERROR_MAX];

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		snprintf(text, sizeof(text), "name: x\n%s\n", cases[i].line);
		snprintf(
		    message, sizeof(message), "a.yaml:2:%s", cases[i].message);
		assert_message(text, strlen(text), message);
	}
}

static void
every_unit_is_read(void **state)
{
	static const struct {
		const char *line;
		int64_t wait_ns;
		uint64_t buffer;
	} cases[] = {
		{ "wait: 1000us", 1000000, 65536 },
		{ "wait: 3600s", 3600 * NS_PER_S, 65536 },
		{ "wait: 60m", 3600 * NS_PER_S, 65536 },
		{ "wait: 1h", 3600 * NS_PER_S, 65536 },
		{ "buffer: 512", 5 * NS_PER_S, 512 },
		{ "buffer: 1KiB", 5 * NS_PER_S, 1024 },
		{ "buffer: 1GiB", 5 * NS_PER_S, 1 << 30 },
		{ "buffer: 2TiB", 5 * NS_PER_S, UINT64_C(1) << 41 },
		{ "http: {listen: y, idle: 7d}", 5 * NS_PER_S, 65536 },
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct example config;

		snprintf(text, sizeof(text), "name: x\n%s\n", cases[i].line);
		config = parse(text);
		assert_int_equal(config.wait_ns, cases[i].wait_ns);
		assert_true(config.buffer == cases[i].buffer);
		conf_free(example_schema, &config);
	}
}

static void
what_is_not_clean_text_is_refused(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *beginning;
	} cases[] = {
		{ "name: \xff\n", 8, "a.yaml:1:" },
		{ "name: \x01\n", 8, "a.yaml:1:" },
		{ "name: a\0b\n", 10, "a.yaml:1:" },
		{ "name: \"a\\0b\"\n", 13,
		    "a.yaml:1:7: there is a zero character" },
		{ "name: \"a\n", 9, "a.yaml:2:1: this is not YAML: found" },
		{ "\tname: a\n", 9, "a.yaml:1:1: this is not YAML: found" },
		{ "name: x\n count: 1\n", 18, "a.yaml:2:" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct example config = { 0 };
		char error[CONF_ERROR_MAX] = "";

		assert_int_equal(
		    conf_parse("a.yaml", cases[i].text, cases[i].len,
			example_schema, &config, error)
			.code,
		    STATUS_INVALID_ARGUMENT);
		error[strlen(cases[i].beginning)] = '\0';
		assert_string_equal(error, cases[i].beginning);
	}
}

static void
a_message_repeats_no_control_characters_and_stays_short(void **state)
{
	char text[2000], error[CONF_ERROR_MAX];
	struct example config = { 0 };

	(void)state;
	assert_message("\"a\\x1b[31m\": 1\n", 15,
	    "a.yaml:1:1: unknown key \"a?[31m\"; the manual page lists what"
	    " belongs here");
	memset(text, 'k', sizeof(text));
	memcpy(text + 900, ": 1\n", 5);
	assert_int_equal(
	    conf_parse(text + 1000, text, 904, example_schema, &config, error)
		.code,
	    STATUS_INVALID_ARGUMENT);
	assert_in_range(strlen(error), 300, CONF_ERROR_MAX - 1);
}

static void
deep_nesting_is_refused_at_its_first_step(void **state)
{
	static char text[100000];

	(void)state;
	memcpy(text, "name: ", 6);
	memset(text + 6, '[', sizeof(text) - 6);
	assert_message(text, sizeof(text),
	    "a.yaml:1:7: \"name\" takes one value, not a list or a map");
}

static void
a_file_is_read_and_named_in_messages(void **state)
{
	char path[] = "/tmp/test-conf-XXXXXX";
	char error[CONF_ERROR_MAX] = "", want[CONF_ERROR_MAX];
	struct example config = { 0 };
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "name: x\n", 8), 8);
	assert_int_equal(
	    conf_load(path, example_schema, &config, error).code, STATUS_OK);
	assert_string_equal(config.name, "x");
	conf_free(example_schema, &config);
	assert_int_equal(write(fd, "nmae: x\n", 8), 8);
	assert_int_equal(conf_load(path, example_schema, &config, error).code,
	    STATUS_INVALID_ARGUMENT);
	snprintf(want, sizeof(want),
	    "%s:2:1: unknown key \"nmae\"; did you mean \"name\"?", path);
	assert_string_equal(error, want);
	assert_int_equal(ftruncate(fd, (1 << 20) + 1), 0);
	assert_int_equal(conf_load(path, example_schema, &config, error).code,
	    STATUS_UNAVAILABLE);
	close(fd);
	unlink(path);
	assert_int_equal(conf_load(path, example_schema, &config, error).code,
	    STATUS_NOT_FOUND);
	assert_non_null(strstr(error, "No such file"));
	assert_int_equal(conf_load("/tmp", example_schema, &config, error).code,
	    STATUS_UNAVAILABLE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_of_value_is_read),
		cmocka_unit_test(what_is_left_out_gets_its_default),
		cmocka_unit_test(strings_are_strings_whatever_they_look_like),
		cmocka_unit_test(freeing_zeroes_the_configuration),
		cmocka_unit_test(every_mistake_is_named_with_its_place),
		cmocka_unit_test(
		    anchors_aliases_tags_and_second_documents_are_refused),
		cmocka_unit_test(amounts_have_units_and_bounds),
		cmocka_unit_test(every_unit_is_read),
		cmocka_unit_test(what_is_not_clean_text_is_refused),
		cmocka_unit_test(
		    a_message_repeats_no_control_characters_and_stays_short),
		cmocka_unit_test(deep_nesting_is_refused_at_its_first_step),
		cmocka_unit_test(a_file_is_read_and_named_in_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
