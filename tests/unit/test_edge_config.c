/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "edge/config.h"

static char error[CONF_ERROR_MAX];

/* As edged reads a file of this text. */
static struct status
load(const char *text, struct edge_config *config)
{
	char path[] = "/tmp/edged.yaml.XXXXXX";
	int fd = mkstemp(path);
	struct status st;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	error[0] = '\0';
	st = edge_config_load(path, config, error);
	unlink(path);
	return st;
}

static void
refused(const char *text, const char *part)
{
	struct edge_config config;

	assert_true(failed(load(text, &config)));
	if (strstr(error, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", error, part);
	/* Every complaint names the file. */
	assert_non_null(strstr(error, "/tmp/edged.yaml."));
}

static void
the_example_is_valid(void **state)
{
	struct edge_config config;
	const struct edge_socket_config *socket;

	(void)state;
	if (failed(
		edge_config_load("docs/examples/edged.yaml", &config, error)))
		fail_msg("%s", error);
	assert_string_equal(config.state_dir, "/var/lib/holdfast/edged");
	assert_int_equal(config.sockets.len, 1);
	socket = config.sockets.at;
	assert_string_equal(socket->path, SOCK_PATH_DEFAULT);
	assert_string_equal(socket->group, "www-data");
	assert_int_equal(socket->allow.len, 1);
	assert_int_equal(config.request_timeout_ns, 5 * NS_PER_S);
	assert_int_equal(config.certd.len, 1);
	assert_string_equal(config.hook.at[0], "/usr/sbin/nginx");
	assert_string_equal(config.probe.connect, "127.0.0.1:443");
	edge_config_free(&config);
}

static void
an_empty_file_gives_what_the_example_calls_defaults(void **state)
{
	struct edge_config config, example;
	struct files_config files;
	struct listener_socket *sockets;
	size_t n;

	(void)state;
	assert_false(failed(load("{}\n", &config)));
	assert_false(failed(
	    edge_config_load("docs/examples/edged.yaml", &example, error)));
	assert_string_equal(config.state_dir, example.state_dir);
	assert_int_equal(config.request_timeout_ns, example.request_timeout_ns);
	assert_int_equal(config.queue_max, example.queue_max);
	assert_int_equal(config.connections_max, example.connections_max);
	assert_int_equal(config.log.level, example.log.level);
	assert_int_equal(config.log.format, example.log.format);
	assert_int_equal(config.log.level, LOG_INFO);
	assert_null(config.metrics_listen);
	assert_int_equal(config.keyd.len, 0);
	assert_int_equal(config.certd.len, 0);
	assert_int_equal(config.hook.len, 0);
	assert_null(config.probe.connect);
	assert_null(config.probe.http_connect);
	assert_string_equal(config.acme.listen, "127.0.0.1:8402");
	assert_string_equal(config.acme.listen, example.acme.listen);
	assert_null(config.haproxy.socket);
	assert_string_equal(config.files.dir, example.files.dir);
	assert_string_equal(config.files.mode, example.files.mode);
	assert_int_equal(
	    config.files.keep_removed_ns, example.files.keep_removed_ns);
	assert_int_equal(config.probe.timeout_ns, example.probe.timeout_ns);
	assert_int_equal(config.probe.interval_ns, example.probe.interval_ns);
	assert_false(failed(edge_config_files(&config, &files, error)));
	assert_int_equal(files.mode, 0644);
	assert_false(files.set_owner || files.set_group);

	assert_false(failed(edge_config_sockets(&config, &sockets, &n, error)));
	assert_int_equal(n, 1);
	assert_string_equal(sockets[0].spec.path, SOCK_PATH_DEFAULT);
	assert_int_equal(sockets[0].spec.mode, 0660);
	assert_false(sockets[0].spec.set_group);
	assert_int_equal(sockets[0].n_allow, 0);
	edge_config_free_sockets(sockets, n);
	edge_config_free(&example);
	edge_config_free(&config);
}

static void
reads_every_key(void **state)
{
	struct edge_config config;
	struct files_config files;
	struct listener_socket *sockets;
	size_t n;

	(void)state;
	if (failed(load("state_dir: /s\n"
			"sockets:\n"
			"  - path: /run/a.sock\n"
			"    mode: \"0600\"\n"
			"  - path: \"@b\"\n"
			"    mode: \"660\"\n"
			"    group: \"12\"\n"
			"    allow: [root, \"65534\"]\n"
			"keyd: [\"[::1]:7443\", \"k:1\"]\n"
			"certd: [\"c:7445\"]\n"
			"files: { dir: /f, owner: root, group: \"12\",\n"
			"  mode: \"0640\", keep_removed: 2h }\n"
			"hook: [/bin/true, \"a b\"]\n"
			"haproxy: { socket: /run/h.sock }\n"
			"probe: { connect: \"[::1]:8443\", timeout: 2s,\n"
			"  interval: 1m, http_connect: \"127.0.0.1:80\" }\n"
			"acme: { listen: \"\" }\n"
			"request_timeout: 250ms\n"
			"queue_max: 9\n"
			"connections_max: 8\n"
			"metrics_listen: \"127.0.0.1:0\"\n"
			"log: { level: error, format: json }\n",
		&config)))
		fail_msg("%s", error);
	assert_string_equal(config.state_dir, "/s");
	assert_int_equal(config.keyd.len, 2);
	assert_string_equal(config.keyd.at[1], "k:1");
	assert_int_equal(config.request_timeout_ns, 250 * NS_PER_MS);
	assert_int_equal(config.queue_max, 9);
	assert_int_equal(config.connections_max, 8);
	assert_string_equal(config.metrics_listen, "127.0.0.1:0");
	assert_int_equal(config.log.level, LOG_ERROR);
	assert_int_equal(config.log.format, LOG_JSON);
	assert_string_equal(config.certd.at[0], "c:7445");
	assert_string_equal(config.hook.at[1], "a b");
	assert_string_equal(config.haproxy.socket, "/run/h.sock");
	assert_string_equal(config.probe.connect, "[::1]:8443");
	assert_string_equal(config.probe.http_connect, "127.0.0.1:80");
	assert_string_equal(config.acme.listen, "");
	assert_int_equal(config.probe.timeout_ns, 2 * NS_PER_S);
	assert_int_equal(config.probe.interval_ns, 60 * NS_PER_S);
	assert_int_equal(config.files.keep_removed_ns, 7200 * NS_PER_S);
	assert_false(failed(edge_config_files(&config, &files, error)));
	assert_string_equal(files.dir, "/f");
	assert_int_equal(files.mode, 0640);
	assert_true(files.set_owner && files.set_group);
	assert_int_equal(files.owner, 0);
	assert_int_equal(files.group, 12);

	assert_false(failed(edge_config_sockets(&config, &sockets, &n, error)));
	assert_int_equal(n, 2);
	assert_int_equal(sockets[0].spec.mode, 0600);
	assert_string_equal(sockets[1].spec.path, "@b");
	assert_int_equal(sockets[1].spec.mode, 0660);
	assert_true(sockets[1].spec.set_group);
	assert_int_equal(sockets[1].spec.group, 12);
	assert_int_equal(sockets[1].n_allow, 2);
	assert_int_equal(sockets[1].allow[0], 0);
	assert_int_equal(sockets[1].allow[1], 65534);
	edge_config_free_sockets(sockets, n);
	edge_config_free(&config);
}

#define SOCKET(text) "sockets: [ { " text " } ]\n"

static void
refuses_what_could_not_work_and_says_why(void **state)
{
	static const char long_path[] =
	    "sockets: [ { path: "
	    "/1234567890123456789012345678901234567890123456789012345678901"
	    "23456789012345678901234567890123456789012345678 } ]\n";

	(void)state;
	refused("sockts: []\n", "sockets");
	refused(SOCKET("path: relative"), "absolute");
	refused(SOCKET("path: \"@\""), "path");
	refused(long_path, "path");
	refused(SOCKET("path: /a, mode: \"0689\""), "octal");
	refused(SOCKET("path: /a, mode: \"0770\""), "execute");
	refused(SOCKET("path: /a, mode: \"4660\""), "octal");
	refused(SOCKET("path: /a, group: no-such-group"), "no-such-group");
	refused(SOCKET("path: /a, allow: [no-such-user]"), "no-such-user");
	refused(SOCKET("path: /a, allow: [\"4294967295\"]"), "4294967295");
	refused("sockets: [ { path: /a }, { path: /a } ]\n", "twice");
	refused(
	    "files: { dir: relative }\n", "files.dir: it must be an absolute");
	refused("files: { mode: \"0755\" }\n", "files.mode");
	refused("files: { mode: \"0666\" }\n", "files.mode");
	refused("files: { mode: \"0044\" }\n", "files.mode");
	refused("files: { owner: no-such-user }\n", "no-such-user");
	refused("files: { group: no-such-group }\n", "no-such-group");
	refused("hook: [nginx, -s, reload]\n", "hook: its program");
	refused("haproxy: { socket: sock }\n", "haproxy.socket");
	refused("{ haproxy: { socket: /s }, files: { dir: /a b } }\n",
	    "HAProxy takes no blanks");
	refused("probe: { connect: \"localhost:443\" }\n", "probe.connect");
	refused("probe: { connect: \"127.0.0.1:443\", interval: 1ms }\n",
	    "interval");
	refused("probe: { http_connect: \"www.example.com:80\" }\n",
	    "probe.http_connect");
	refused("acme: { listen: \"localhost:8402\" }\n", "acme.listen");
	refused("request_timeout: 0s\n", "request_timeout");
	refused("request_timeout: 2m\n", "request_timeout");
	refused("queue_max: 0\n", "queue_max");
	refused("log: { level: loud }\n", "level");
}

static void
every_key_has_a_sentence_of_help(void **state)
{
	(void)state;
	for (const struct conf_field *field = edge_config_schema;
	     field->key != NULL; field++) {
		assert_non_null(field->help);
		assert_int_equal(field->help[strlen(field->help) - 1], '.');
		for (const struct conf_field *sub = field->fields;
		     sub != NULL && sub->key != NULL; sub++)
			assert_non_null(sub->help);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_is_valid),
		cmocka_unit_test(
		    an_empty_file_gives_what_the_example_calls_defaults),
		cmocka_unit_test(reads_every_key),
		cmocka_unit_test(refuses_what_could_not_work_and_says_why),
		cmocka_unit_test(every_key_has_a_sentence_of_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
