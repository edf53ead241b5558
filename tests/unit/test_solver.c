/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Challenges put in place and taken away: over the real table of edges, a real
 * named with TSIG, a program that runs nsupdate, and the stub of acme-dns
 * (tests/fake/acme_dns.py) that does too.  What the CA would see is asked of
 * named.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/program.h"
#include "certd/dns_provider.h"
#include "certd/hook_runner.h"
#include "certd/solver_int.h"
#include "certd/solver_persist.h"
#include "certd/store_resources.h"
#include "tests/unit/named_desk.h"
#include "tests/unit/resources_desk.h"
#include "tests/unit/scratch.h"

#define SECRET "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define ACCOUNT "https://ca.example/acct/123"

static char folder[SCRATCH_PATH_MAX];
static struct named_desk *named;
static char acme_dns_url[64];
static FILE *acme_dns_life;
static struct config *config;
static struct dns_resolver *resolver;
static struct http_challenges *challenges;
static struct solver *solver;
static char why[PROBLEM_MAX];

static const char *
in(const char *name)
{
	static char paths[16][128];
	static unsigned turn;
	char *path = paths[turn++ % 16];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static void
place(const char *name, const char *text, mode_t mode)
{
	FILE *to = fopen(in(name), "w");

	assert_non_null(to);
	fputs(text, to);
	assert_int_equal(fclose(to), 0);
	assert_int_equal(chmod(in(name), mode), 0);
}

/* ---- the DNS ---- */

static void
start_named(void)
{
	const struct named_key keys[] = { { "certd-key", "hmac-sha256",
					      SECRET },
		{ "other-key", "hmac-sha256", SECRET } };
	const struct named_zone zones[] = {
		{ .name = ".", .records = "" },
		{ .name = "example.org",
		    .records =
			"www IN A 192.0.2.1\n"
			"*.wild IN CNAME edge.example.org.\n"
			"edge IN A 192.0.2.2\n"
			"_acme-challenge.far IN CNAME "
			"_acme-challenge.far.example.net.\n"
			"_acme-challenge.odd IN CNAME odd.acme.example.org.\n"
			"_acme-challenge.away IN CNAME away.example.com.\n"
			"_acme-challenge.loop IN CNAME "
			"_acme-challenge.loop2\n"
			"_acme-challenge.loop2 IN CNAME "
			"_acme-challenge.loop\n"
			"_acme-challenge.wrong IN CNAME bad.auth.example.net.\n"
			"_acme-challenge.auth IN CNAME sub.auth.example.net.\n",
		    .updates =
			"update-policy { grant certd-key zonesub ANY; };" },
		{ .name = "example.net",
		    .records = "",
		    .updates =
			"update-policy { grant certd-key zonesub TXT; };" },
		{ .name = "tenant.test",
		    .records =
			"_acme-challenge.www IN CNAME "
			"www.acme.to.example.net.\n"
			"_acme-challenge.deep IN CNAME a.b.acme.to.Example."
			"net.\n"
			"_acme-challenge.loose IN CNAME "
			"loose.to.example.net.\n"
			"_acme-challenge.bare IN CNAME acme.to.example.net.\n"
			"_acme-challenge.elsewhere IN CNAME "
			"www.acme.example.net.\n" },
		{ .name = "hook.example.com",
		    .records = "",
		    .updates =
			"update-policy { grant certd-key zonesub TXT; };" },
		{ .name = "refused.example.com",
		    .records = "",
		    .updates =
			"update-policy { grant other-key zonesub TXT; };" },
		{ .name = "lame.example.org",
		    .records = "@ IN NS nobody.example.net.\n",
		    .updates =
			"update-policy { grant certd-key zonesub TXT; };" },
		{ .name = "auth.example.net",
		    .records = "",
		    .updates =
			"update-policy { grant certd-key zonesub TXT; };" },
	};
	const struct named_config at = { .port = named_desk_port(),
		.zones = zones,
		.n_zones = sizeof(zones) / sizeof(zones[0]),
		.keys = keys,
		.n_keys = 2 };

	named = named_desk_new(&at);
}

static void
start_resolver(void)
{
	const char *servers[] = { named_desk_address(named) };
	const struct dns_resolver_config to = { .servers = servers,
		.n_servers = 1,
		.authoritative_port =
		    (uint16_t)strtoul(strrchr(servers[0], ':') + 1, NULL, 10) };

	assert_false(failed(dns_resolver_new(&to, &resolver)));
}

/* The values of TXT at a name, sorted, each followed by a blank. */
static const char *
txt(const char *name)
{
	static char text[4096];
	const struct dns_question question = { .name = name,
		.type = DNS_TXT,
		.server = named_desk_address(named) };
	struct dns_answer answer;
	size_t len = 0;

	text[0] = 0;
	assert_false(failed(dns_ask(resolver, &question, 1, &answer)));
	for (size_t i = 0; i < answer.n_records; i++)
		if (answer.records[i].type == DNS_TXT)
			len += (size_t)snprintf(text + len, sizeof(text) - len,
			    "%s ", answer.records[i].text);
	dns_answer_done(&answer);
	return text;
}

static void
nsupdate(const char *line)
{
	char program[] = "/usr/bin/nsupdate", k[] = "-k", key[128], file[128];
	char *argv[] = { program, k, key, file, NULL };
	char *environment[] = { program_path_setting, NULL };
	const struct program run = { .argv = argv,
		.environment = environment,
		.timeout_ns = 60 * NS_PER_S,
		.stop_fd = -1 };
	struct program_result result;
	char text[1024];
	const char *port = strrchr(named_desk_address(named), ':') + 1;

	snprintf(key, sizeof(key), "%s", in("nsupdate.key"));
	snprintf(file, sizeof(file), "%s", in("nsupdate.txt"));
	snprintf(
	    text, sizeof(text), "server 127.0.0.1 %s\n%s\nsend\n", port, line);
	place("nsupdate.txt", text, 0600);
	assert_false(failed(program_run(&run, &result)));
	assert_true(program_succeeded(&result));
}

/* ---- what certd is configured with ---- */

#define RIGHT                                                                  \
	"\"auth.example.org\": {\"username\": \"user-1\", \"password\": "      \
	"\"password-1\", \"fulldomain\": \"sub.auth.example.net\", "           \
	"\"subdomain\": \"sub\", \"allowfrom\": []},\n"                        \
	"\"www.example.org\": {\"username\": \"user-2\", \"password\": "       \
	"\"password-2\", \"fulldomain\": \"two.auth.example.net\", "           \
	"\"subdomain\": \"two\"}"
#define WRONG                                                                  \
	"\"wrong.example.org\": {\"username\": \"user-1\", \"password\": "     \
	"\"not-it\", \"fulldomain\": \"bad.auth.example.net\", "               \
	"\"subdomain\": \"bad\"}"

static void
place_credentials(void)
{
	place("accounts.json", "{" RIGHT "}", 0600);
	place("credentials.json", "{" RIGHT ", " WRONG "}", 0600);
}

static void
place_program(void)
{
	char text[2048];
	const char *port = strrchr(named_desk_address(named), ':') + 1;

	snprintf(text, sizeof(text),
	    "#!/bin/sh\nset -e\n"
	    "case $1 in\n"
	    "present) act=add ;; auth) act=add ;; cleanup) act=delete ;;\n"
	    "esac\n"
	    "name=${2:-_acme-challenge.$CERTBOT_DOMAIN.}\n"
	    "value=${3:-$CERTBOT_VALIDATION}\n"
	    "ttl=1; [ $act = add ] || ttl=\n"
	    "if [ \"$1 $CERTBOT_DOMAIN\" = 'cleanup kept.hook.example.com' ]\n"
	    "then [ \"$CERTBOT_AUTH_OUTPUT\" = 'id 7' ]; fi\n"
	    "printf 'server 127.0.0.1 %s\\nupdate %%s %%s %%s TXT \"%%s\"\\n"
	    "send\\n' $act $name \"$ttl\" $value | nsupdate -k %s\n"
	    "echo id 7\n",
	    port, in("nsupdate.key"));
	place("hook", text, 0700);
}

static void
place_config(void)
{
	char text[4096];
	const char *at = named_desk_address(named);

	snprintf(text, sizeof(text),
	    "dns:\n  resolvers: [\"%s\"]\n  providers:\n"
	    "    - {name: ns, type: rfc2136, zones: [example.org, "
	    "example.net], server: \"%s\",\n"
	    "       tsig_name: certd-key, tsig_key_file: %s, ttl: 1,\n"
	    "       accounts: [house], delegation_zone: to.example.net}\n"
	    "    - {name: refused, type: rfc2136, zones: "
	    "[refused.example.com],\n"
	    "       server: \"%s\", tsig_name: certd-key, tsig_key_file: %s, "
	    "propagation_timeout: 90s}\n"
	    "    - {name: lego, type: exec, zones: [hook.example.com], "
	    "command: [%s]}\n"
	    "    - {name: certbot, type: exec, zones: [example.com, "
	    "acme.example.org],\n"
	    "       command: [%s], style: certbot}\n"
	    "    - {name: acme-dns, type: acme_dns, zones: "
	    "[auth.example.net],\n"
	    "       url: \"%s\", credentials_file: %s}\n",
	    at, at, in("tsig.key"), at, in("tsig.key"), in("hook"), in("hook"),
	    acme_dns_url, in("credentials.json"));
	place("certd.yaml", text, 0600);
}

/* The stub ends with its stdin, which ends with us. */
static void
start_acme_dns(void)
{
	int in_pipe[2], out_pipe[2];
	FILE *from;
	pid_t pid;

	assert_int_equal(pipe2(in_pipe, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out_pipe, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(in_pipe[0], STDIN_FILENO);
		dup2(out_pipe[1], STDOUT_FILENO);
		execl("tests/fake/acme_dns.py", "acme_dns.py", "--server",
		    named_desk_address(named), "--zone", "auth.example.net",
		    "--key", in("nsupdate.key"), "--accounts",
		    in("accounts.json"), (char *)NULL);
		_exit(127);
	}
	close(in_pipe[0]);
	close(out_pipe[1]);
	acme_dns_life = fdopen(in_pipe[1], "w");
	from = fdopen(out_pipe[0], "r");
	assert_non_null(from);
	assert_non_null(fgets(acme_dns_url, sizeof(acme_dns_url), from));
	acme_dns_url[strcspn(acme_dns_url, "\n")] = 0;
	fclose(from);
}

static int
start(void **state)
{
	struct solver_config to = { 0 };
	char error[CONF_ERROR_MAX] = "";

	(void)state;
	if (!scratch_new(folder, sizeof(folder)))
		return -1;
	start_named();
	place("nsupdate.key",
	    "key \"certd-key\" { algorithm hmac-sha256; secret \"" SECRET
	    "\"; };\n",
	    0600);
	place("tsig.key", SECRET "\n", 0600);
	place_credentials();
	place_program();
	start_acme_dns();
	place_config();
	if (failed(config_load(in("certd.yaml"), &config, error))) {
		print_error("%s\n", error);
		return -1;
	}
	assert_false(failed(hook_runner_start(config)));
	start_resolver();
	assert_false(failed(http_challenges_new(&challenges)));
	to.config = config;
	to.resolver = resolver;
	to.http = challenges;
	if (failed(solver_preload(config, why))) {
		print_error("%s\n", why);
		return -1;
	}
	return failed(solver_new(&to, &solver)) ? -1 : 0;
}

static int
stop(void **state)
{
	(void)state;
	solver_free(solver);
	http_challenges_free(challenges);
	dns_resolver_free(resolver);
	hook_runner_stop();
	config_free(config);
	fclose(acme_dns_life);
	named_desk_free(named);
	return scratch_remove(folder);
}

/* ---- a challenge ---- */

static struct enrollment_row
enrollment(const char *provider)
{
	struct enrollment_row of = { .validation = VALIDATION_DNS_01,
		.by_operator = true };

	snprintf(of.dns_provider, sizeof(of.dns_provider), "%s", provider);
	return of;
}

static struct challenge_row
challenge(const char *type, const char *hostname, const char *token)
{
	struct challenge_row row = { .change = 1 };

	snprintf(row.type, sizeof(row.type), "%s", type);
	snprintf(row.hostname, sizeof(row.hostname), "%s", hostname);
	snprintf(row.token, sizeof(row.token), "%s", token);
	snprintf(row.key_authorization, sizeof(row.key_authorization),
	    "%s.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI", token);
	return row;
}

static struct status
prepare(const struct enrollment_row *of, struct challenge_row *row)
{
	why[0] = 0;
	return solver_prepare(solver, of, "ca.example", ACCOUNT, row, why);
}

static bool
is_in_place(const struct enrollment_row *of, const struct challenge_row *row)
{
	bool in_place = false;
	int64_t retry_ms = -1;
	struct status st =
	    solver_check(solver, of, row, &in_place, &retry_ms, why);

	if (failed(st))
		print_error("%s\n", why);
	assert_false(failed(st));
	assert_true(in_place ? retry_ms == 0 : retry_ms > 0);
	assert_true(in_place || why[0] != 0);
	return in_place;
}

/* All of it, at the place where it is to be. */
static void
goes_its_way(
    const char *provider, const char *hostname, const char *expected_place)
{
	const struct enrollment_row of = enrollment(provider);
	struct challenge_row row = challenge("dns-01", hostname, "t");
	const char *at;
	char value[64];
	struct status st = prepare(&of, &row);

	if (failed(st))
		print_error("%s\n", why);
	assert_false(failed(st));
	at = row.dns_target[0] != 0 ? row.dns_target : row.dns_name;
	assert_string_equal(at, expected_place);
	assert_false(is_in_place(&of, &row));
	st = solver_present(solver, &of, &row, why);
	if (failed(st))
		print_error("%s\n", why);
	assert_false(failed(st));
	assert_false(failed(solver_present(solver, &of, &row, why)));
	snprintf(value, sizeof(value), "%s ", row.dns_value);
	assert_string_equal(txt(at), value);
	assert_true(is_in_place(&of, &row));
	solver_clean(solver, &of, &row);
	solver_clean(solver, &of, &row);
}

/* ---- http-01 ---- */

static struct status
check(const struct enrollment_row *of, const struct challenge_row *row,
    bool *ret_in_place)
{
	int64_t retry_ms;

	return solver_check(solver, of, row, ret_in_place, &retry_ms, why);
}

static void
http_01_is_in_place_when_the_edges_have_it(void **state)
{
	struct enrollment_row of = { .validation = VALIDATION_HTTP_01 };
	struct challenge_row row =
	    challenge("http-01", "www.example.org", "http-token");
	char text[ACME_KEY_AUTHORIZATION_MAX];

	(void)state;
	assert_false(failed(prepare(&of, &row)));
	assert_false(failed(solver_present(solver, &of, &row, why)));
	assert_true(http_challenges_find(challenges, "http-token", text));
	assert_false(is_in_place(&of, &row));
	assert_non_null(strstr(why, "no edge is connected and "
				    "acme.http_listen is empty: "));
	http_challenges_edge(challenges, "fra-1", "eu", 0);
	assert_false(is_in_place(&of, &row));
	assert_non_null(strstr(why, "fra-1"));
	http_challenges_edge(
	    challenges, "fra-1", "eu", http_challenges_mark(challenges));
	assert_true(is_in_place(&of, &row));
	http_challenges_edge_gone(challenges, "fra-1");
	solver_clean(solver, &of, &row);
	assert_false(http_challenges_find(challenges, "http-token", text));
	/* After a restart it is given again by the first look. */
	assert_false(is_in_place(&of, &row));
	assert_true(http_challenges_find(challenges, "http-token", text));
	solver_clean(solver, &of, &row);
}

static void
an_edge_that_hangs_does_not_stop_issuance(void **state)
{
	struct enrollment_row of = { .validation = VALIDATION_HTTP_01 };
	struct challenge_row row =
	    challenge("http-01", "www.example.org", "hanging");
	bool in_place = false;

	(void)state;
	solver->http_patience_ns = 1;
	http_challenges_edge(challenges, "fra-1", "eu", 0);
	http_challenges_edge(challenges, "fra-2", "eu", 0);
	assert_false(failed(solver_present(solver, &of, &row, why)));
	/* The CA is not asked while none has it. */
	(void)!failed(check(&of, &row, &in_place));
	assert_int_equal(
	    check(&of, &row, &in_place).code, STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(why, "fra-1, fra-2"));
	http_challenges_edge(
	    challenges, "fra-1", "eu", http_challenges_mark(challenges));
	assert_false(failed(check(&of, &row, &in_place)));
	assert_true(in_place);
	http_challenges_edge_gone(challenges, "fra-1");
	http_challenges_edge_gone(challenges, "fra-2");
	(void)!failed(check(&of, &row, &in_place));
	assert_int_equal(
	    check(&of, &row, &in_place).code, STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(why, "no edge is connected"));
	solver_clean(solver, &of, &row);
	solver->http_patience_ns = 30 * NS_PER_S;
}

static void
certds_own_port_answers_where_there_are_no_edges(void **state)
{
	struct enrollment_row of = { .validation = VALIDATION_HTTP_01 };
	struct challenge_row row =
	    challenge("http-01", "www.example.org", "own-port");
	char listen[] = "127.0.0.1:8402", *before = config->acme.http_listen;

	(void)state;
	config->acme.http_listen = listen;
	assert_true(is_in_place(&of, &row));
	config->acme.http_listen = before;
	solver_clean(solver, &of, &row);
}

static void
run(struct desk *desk, const char *sql)
{
	struct db_tx *tx;

	assert_false(failed(store_write(desk->store, &tx)));
	assert_false(failed(
	    store_commit(desk->store, tx, db_run(tx, NULL, sql, DB_NONE))));
}

static void
only_edges_of_the_resources_group_count(void **state)
{
	struct enrollment_row of = { .validation = VALIDATION_HTTP_01 };
	struct challenge_row row =
	    challenge("http-01", "www.example.org", "group");
	void *fixture = NULL;
	struct desk *desk;

	(void)state;
	assert_int_equal(desk_set_up(&fixture), 0);
	desk = fixture;
	solver->config.store = desk->store;
	of.resource = desk_resource(
	    desk, desk->acme, "shop", "www.example.org", MODE_ACME);
	http_challenges_edge(challenges, "api-1", "api", 0);
	assert_false(is_in_place(&of, &row));
	assert_non_null(strstr(why, "no edge of group web is connected"));
	http_challenges_edge(
	    challenges, "web-1", "web", http_challenges_mark(challenges));
	assert_true(is_in_place(&of, &row));
	/* One more of it was heard of lately, and is to be connected soon. */
	run(desk,
	    "INSERT INTO edge (name, edge_group, first_s, last_seen_s) VALUES"
	    " ('web-1', 'web', 1, unixepoch()), ('web-2', 'web', 1,"
	    " unixepoch()), ('api-2', 'api', 1, unixepoch())");
	assert_false(is_in_place(&of, &row));
	assert_non_null(strstr(why, "1 of 2 edges were heard of lately"));
	run(desk, "DELETE FROM edge");
	assert_true(is_in_place(&of, &row));
	of.resource = 0;
	assert_false(is_in_place(&of, &row));
	assert_non_null(strstr(why, "api-1"));
	http_challenges_edge_gone(challenges, "web-1");
	http_challenges_edge_gone(challenges, "api-1");
	solver_clean(solver, &of, &row);
	solver->config.store = NULL;
	desk_tear_down(&fixture);
}

/* ---- dns-01 ---- */

static void
the_value_is_that_of_rfc_8555(void **state)
{
	const struct enrollment_row of = enrollment("");
	struct challenge_row row = challenge("dns-01", "*.example.org",
	    "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA");

	(void)state;
	assert_false(failed(prepare(&of, &row)));
	assert_string_equal(row.dns_name, "_acme-challenge.example.org");
	assert_string_equal(row.dns_target, "");
	/* sha256sum of it, in base64url. */
	assert_string_equal(
	    row.dns_value, "lCM7cZyQXcVHK2nnW3jjAhNT3Fvm18UN-kWZZknKoYM");
}

static void
a_zone_is_updated_by_rfc_2136(void **state)
{
	(void)state;
	goes_its_way("", "www.example.org", "_acme-challenge.www.example.org");
	assert_string_equal(txt("_acme-challenge.www.example.org"), "");
}

static void
a_wildcard_and_its_apex_share_a_name(void **state)
{
	const struct enrollment_row of = enrollment("ns");
	struct challenge_row apex = challenge("dns-01", "example.org", "a"),
			     wild = challenge("dns-01", "*.example.org", "w");
	char value[64];

	(void)state;
	assert_false(failed(prepare(&of, &apex)));
	assert_false(failed(prepare(&of, &wild)));
	assert_string_equal(apex.dns_name, wild.dns_name);
	assert_false(failed(solver_present(solver, &of, &apex, why)));
	assert_false(failed(solver_present(solver, &of, &wild, why)));
	assert_true(is_in_place(&of, &apex));
	assert_true(is_in_place(&of, &wild));
	solver_clean(solver, &of, &apex);
	snprintf(value, sizeof(value), "%s ", wild.dns_value);
	assert_string_equal(txt(wild.dns_name), value);
	assert_false(is_in_place(&of, &apex));
	solver_clean(solver, &of, &wild);
	assert_string_equal(txt(wild.dns_name), "");
}

static void
a_cname_delegates_to_another_zone(void **state)
{
	(void)state;
	goes_its_way("", "far.example.org", "_acme-challenge.far.example.net");
	assert_string_equal(txt("_acme-challenge.far.example.net"), "");
}

static void
a_cname_of_a_wildcard_does_not_delegate(void **state)
{
	(void)state;
	goes_its_way(
	    "", "*.wild.example.org", "_acme-challenge.wild.example.org");
}

static void
cnames_that_lead_nowhere_are_refused(void **state)
{
	const struct enrollment_row of = enrollment("");
	struct challenge_row row = challenge("dns-01", "loop.example.org", "t");

	(void)state;
	assert_int_equal(prepare(&of, &row).code, STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(why, "in a circle"));
}

static void
a_name_that_no_provider_has_is_refused(void **state)
{
	struct enrollment_row of = enrollment("");
	struct challenge_row row = challenge("dns-01", "www.example.info", "t");

	(void)state;
	assert_int_equal(prepare(&of, &row).code, STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(why, "no DNS provider has a zone that holds "
				    "_acme-challenge.www.example.info;"));
	of = enrollment("nobody");
	assert_int_equal(prepare(&of, &row).code, STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(why, "no DNS provider named nobody"));
	/* Nor may a provider have what is not in its zones. */
	of = enrollment("ns");
	assert_int_equal(prepare(&of, &row).code, STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(why, "is in no zone of the DNS provider ns"));
	snprintf(row.hostname, sizeof(row.hostname), "notexample.org");
	assert_int_equal(prepare(&of, &row).code, STATUS_FAILED_PRECONDITION);
}

static void
says_that_the_server_refused_the_update(void **state)
{
	const struct enrollment_row of = enrollment("");
	struct challenge_row row =
	    challenge("dns-01", "www.refused.example.com", "t");

	(void)state;
	assert_false(failed(prepare(&of, &row)));
	assert_true(failed(solver_present(solver, &of, &row, why)));
	assert_non_null(strstr(why, "DNS provider refused, "
				    "_acme-challenge.www.refused.example.com"));
	assert_non_null(strstr(why, "REFUSED"));
	assert_int_equal(solver_patience_ns(solver, &of, &row), 90 * NS_PER_S);
	/* Logged, and no more. */
	solver_clean(solver, &of, &row);
}

static void
a_record_that_does_not_appear_in_time_is_given_up(void **state)
{
	const struct enrollment_row of = enrollment("refused");
	struct challenge_row row =
	    challenge("dns-01", "late.refused.example.com", "t");
	struct config_dns_provider *provider =
	    (struct config_dns_provider *)config->dns.providers.at + 1;
	int64_t before = provider->propagation_timeout_ns;
	bool in_place = true;

	(void)state;
	assert_false(failed(prepare(&of, &row)));
	assert_false(failed(check(&of, &row, &in_place)));
	assert_false(in_place);
	provider->propagation_timeout_ns = 1;
	assert_int_equal(
	    check(&of, &row, &in_place).code, STATUS_FAILED_PRECONDITION);
	provider->propagation_timeout_ns = before;
}

static void
programs_change_the_dns(void **state)
{
	(void)state;
	goes_its_way(
	    "", "a.hook.example.com", "_acme-challenge.a.hook.example.com");
	assert_string_equal(txt("_acme-challenge.a.hook.example.com"), "");
	goes_its_way("certbot", "kept.hook.example.com",
	    "_acme-challenge.kept.hook.example.com");
	assert_string_equal(txt("_acme-challenge.kept.hook.example.com"), "");
}

static void
a_certbot_hook_gets_no_name_that_it_cannot_set(void **state)
{
	const struct enrollment_row of = enrollment("");
	struct challenge_row row = challenge("dns-01", "odd.example.org", "t");

	(void)state;
	assert_int_equal(prepare(&of, &row).code, STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(why, "odd.acme.example.org"));
	assert_non_null(strstr(why, "style: lego"));
}

static void
acme_dns_has_what_is_delegated_to_it(void **state)
{
	(void)state;
	goes_its_way("", "auth.example.org", "sub.auth.example.net");
}

static void
acme_dns_wants_its_cname_and_says_which(void **state)
{
	const struct enrollment_row of = enrollment("acme-dns");
	struct challenge_row row = challenge("dns-01", "www.example.org", "t");

	(void)state;
	assert_int_equal(prepare(&of, &row).code, STATUS_FAILED_PRECONDITION);
	assert_string_equal(why,
	    "put into the DNS: _acme-challenge.www.example.org CNAME "
	    "two.auth.example.net.");
	snprintf(row.hostname, sizeof(row.hostname), "no.example.org");
	assert_int_equal(prepare(&of, &row).code, STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(why, "no credentials for no.example.org"));
}

static void
says_that_acme_dns_does_not_know_the_password(void **state)
{
	const struct enrollment_row of = enrollment("");
	struct challenge_row row =
	    challenge("dns-01", "wrong.example.org", "t");

	(void)state;
	assert_false(failed(prepare(&of, &row)));
	assert_int_equal(
	    solver_present(solver, &of, &row, why).code, STATUS_UNAVAILABLE);
	assert_non_null(strstr(why, "acme-dns answered 401: {\"error\": "
				    "\"forbidden\"}; are the credentials"));
	assert_null(strstr(why, "not-it"));
}

/* ---- by hand, and for good ---- */

static void
by_hand_is_checked_as_often_as_asked(void **state)
{
	struct enrollment_row of = { .validation = VALIDATION_DNS_01_BY_HAND };
	struct challenge_row row = challenge("dns-01", "hand.example.org", "t");
	char line[256];

	(void)state;
	assert_false(failed(prepare(&of, &row)));
	assert_false(failed(solver_present(solver, &of, &row, why)));
	assert_int_equal(solver_patience_ns(solver, &of, &row), 0);
	assert_false(is_in_place(&of, &row));
	nsupdate("update add _acme-challenge.hand.example.org 1 TXT wrong");
	assert_false(is_in_place(&of, &row));
	snprintf(line, sizeof(line),
	    "update add _acme-challenge.hand.example.org 1 TXT \"%s\"",
	    row.dns_value);
	nsupdate(line);
	assert_true(is_in_place(&of, &row));
	/* What a person put there is a person's. */
	solver_clean(solver, &of, &row);
	assert_true(is_in_place(&of, &row));
}

static void
a_look_waits_longer_each_time(void **state)
{
	struct enrollment_row of = { .validation = VALIDATION_DNS_01_BY_HAND };
	struct challenge_row row = challenge("dns-01", "wait.example.org", "t");
	int64_t expected[] = { 500, 1000, 2000, 4000, 8000, 15000, 15000 };
	int64_t retry_ms;
	bool in_place;

	(void)state;
	assert_false(failed(prepare(&of, &row)));
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		assert_false(failed(solver_check(
		    solver, &of, &row, &in_place, &retry_ms, why)));
		assert_int_equal(retry_ms, expected[i]);
	}
	solver_clean(solver, &of, &row);
	assert_false(
	    failed(solver_check(solver, &of, &row, &in_place, &retry_ms, why)));
	assert_int_equal(retry_ms, 500);
}

static void
a_persistent_record_is_read_as_a_ca_reads_it(void **state)
{
	static const char wanted[] = "ca.example; accounturi=" ACCOUNT,
			  wild[] = "ca.example; accounturi=" ACCOUNT
				   "; policy=wildcard";
	static const char *const good[] = { wanted, wild,
		"CA.Example.;accounturi=" ACCOUNT,
		"ca.example ; x=y ; AccountURI = " ACCOUNT ";",
		"ca.example; persistUntil=2000; accounturi=" ACCOUNT };
	static const char *const bad[] = { "", ";", "ca.example",
		"other.example; accounturi=" ACCOUNT,
		"ca.example; accounturi=" ACCOUNT "4",
		"ca.example; accounturi=" ACCOUNT "; accounturi=" ACCOUNT,
		"ca.example; accounturi=" ACCOUNT "; persistUntil=1000",
		"ca.example; accounturi=" ACCOUNT "; persistUntil=soon",
		"ca.example; accounturi=" ACCOUNT "; nonsense" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(solver_persist_grants(good[i], wanted, 1000));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(solver_persist_grants(bad[i], wanted, 1000));
	assert_true(solver_persist_grants(wild, wild, 1000));
	assert_true(solver_persist_grants(
	    "ca.example; policy=WildCard; accounturi=" ACCOUNT, wild, 1000));
	assert_false(solver_persist_grants(wanted, wild, 1000));
}

static void
a_persistent_record_is_seen_at_the_servers(void **state)
{
	struct enrollment_row of = { .validation = VALIDATION_DNS_PERSIST_01,
		.by_operator = true };
	struct challenge_row row =
	    challenge("dns-persist-01", "*.for-good.example.org", "");

	(void)state;
	assert_false(failed(prepare(&of, &row)));
	assert_string_equal(
	    row.dns_name, "_validation-persist.for-good.example.org");
	assert_string_equal(row.dns_value,
	    "ca.example; accounturi=" ACCOUNT "; policy=wildcard");
	assert_false(failed(solver_present(solver, &of, &row, why)));
	assert_false(is_in_place(&of, &row));
	nsupdate("update add _validation-persist.for-good.example.org 1 TXT "
		 "\"ca.example;accounturi=" ACCOUNT "\"");
	assert_false(is_in_place(&of, &row));
	nsupdate("update add _validation-persist.for-good.example.org 1 TXT "
		 "\"ca.example;policy=wildcard\" \";accounturi=" ACCOUNT "\"");
	assert_true(is_in_place(&of, &row));
	solver_clean(solver, &of, &row);
	assert_true(is_in_place(&of, &row));
	assert_int_equal(
	    solver_prepare(solver, &of, "", ACCOUNT, &row, why).code,
	    STATUS_FAILED_PRECONDITION);
}

/* It is waited for as for one that is silent: the DNS may be mended. */
static void
a_name_server_without_an_address_has_no_record(void **state)
{
	const struct enrollment_row of = {
		.validation = VALIDATION_DNS_PERSIST_01, .by_operator = true
	};
	struct challenge_row row =
	    challenge("dns-persist-01", "www.lame.example.org", "");

	(void)state;
	assert_false(failed(prepare(&of, &row)));
	nsupdate("update add _validation-persist.www.lame.example.org 1 TXT "
		 "\"ca.example;accounturi=" ACCOUNT "\"");
	assert_false(is_in_place(&of, &row));
	assert_non_null(strstr(why, "nobody.example.net"));
	assert_non_null(strstr(why, "no address"));
	solver_clean(solver, &of, &row);
}

/* ---- whose challenges a provider serves ---- */

/* Of the account's own, which no operator has named. */
static struct enrollment_row
own(const char *account, const char *provider)
{
	struct enrollment_row of = enrollment(provider);

	of.by_operator = false;
	snprintf(of.account_name, sizeof(of.account_name), "%s", account);
	return of;
}

static bool
is_served(const char *account, const char *provider, const char *hostname)
{
	const struct enrollment_row of = own(account, provider);
	struct challenge_row row = challenge("dns-01", hostname, "t");
	struct status st = prepare(&of, &row);

	if (failed(st)) {
		assert_int_equal(st.code, STATUS_PERMISSION_DENIED);
		assert_int_equal(solver_present(solver, &of, &row, why).code,
		    STATUS_PERMISSION_DENIED);
	}
	return !failed(st);
}

static void
a_provider_serves_the_accounts_that_it_names(void **state)
{
	(void)state;
	assert_true(is_served("house", "", "www.example.org"));
	assert_true(is_served("house", "ns", "www.example.org"));
	assert_false(is_served("acme", "", "www.example.org"));
	assert_non_null(strstr(why, "ns puts nothing at "));
	assert_non_null(strstr(why, "for account acme"));
	assert_non_null(strstr(why, "CNAME LABEL.acme.to.example.net."));
	assert_false(is_served("acme", "ns", "*.example.org"));
	assert_false(is_served("hous", "ns", "www.example.org"));
	assert_false(is_served("", "ns", "www.example.org"));
	/* One that has no zone for delegations. */
	assert_false(is_served("house", "", "a.hook.example.com"));
	assert_null(strstr(why, "CNAME"));
}

static void
a_delegation_is_for_the_account_that_it_names(void **state)
{
	static const char *const others[] = { "loose.tenant.test",
		"bare.tenant.test", "elsewhere.tenant.test" };
	const struct enrollment_row of = own("acme", "");
	struct challenge_row row =
	    challenge("dns-01", "*.www.tenant.test", "t");

	(void)state;
	assert_true(is_served("acme", "", "www.tenant.test"));
	assert_true(is_served("acme", "ns", "www.tenant.test"));
	assert_true(is_served("acme", "ns", "deep.tenant.test"));
	assert_false(is_served("rival", "", "www.tenant.test"));
	assert_false(is_served("rival", "ns", "www.tenant.test"));
	assert_false(is_served("me", "ns", "www.tenant.test"));
	assert_false(is_served("to", "ns", "www.tenant.test"));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_false(is_served("acme", "", others[i]));
		assert_false(is_served("loose", "ns", others[i]));
	}
	assert_false(failed(prepare(&of, &row)));
	assert_string_equal(row.dns_target, "www.acme.to.example.net");
	assert_false(failed(solver_present(solver, &of, &row, why)));
	assert_string_not_equal(txt("www.acme.to.example.net"), "");
	solver_clean(solver, &of, &row);
	assert_string_equal(txt("www.acme.to.example.net"), "");
}

static void
what_an_account_may_no_more_is_taken_away_all_the_same(void **state)
{
	const struct enrollment_row of = own("house", ""),
				    later = own("acme", "");
	struct challenge_row row =
	    challenge("dns-01", "later.example.org", "t");

	(void)state;
	assert_false(failed(prepare(&of, &row)));
	assert_false(failed(solver_present(solver, &of, &row, why)));
	assert_string_not_equal(txt("_acme-challenge.later.example.org"), "");
	solver_clean(solver, &later, &row);
	assert_string_equal(txt("_acme-challenge.later.example.org"), "");
}

static void
a_persistent_record_is_for_the_names_that_an_operator_gave(void **state)
{
	struct enrollment_row of = own("house", "");
	struct challenge_row row =
	    challenge("dns-persist-01", "www.example.org", "");

	(void)state;
	of.validation = VALIDATION_DNS_PERSIST_01;
	assert_int_equal(prepare(&of, &row).code, STATUS_PERMISSION_DENIED);
	assert_non_null(strstr(why, "ask the operator"));
}

static void
a_type_that_is_not_known_is_refused(void **state)
{
	const struct enrollment_row of = enrollment("");
	struct challenge_row row =
	    challenge("tls-alpn-01", "www.example.org", "t");

	(void)state;
	assert_int_equal(prepare(&of, &row).code, STATUS_UNIMPLEMENTED);
	assert_int_equal(
	    solver_present(solver, &of, &row, why).code, STATUS_UNIMPLEMENTED);
}

/* ---- the secrets; the last ones, for they load anew ---- */

static void
expect_refused(const char *part)
{
	why[0] = 0;
	assert_true(failed(solver_preload(config, why)));
	if (strstr(why, part) == NULL)
		print_error("%s\n", why);
	assert_non_null(strstr(why, part));
}

static void
a_key_that_others_may_read_is_refused(void **state)
{
	(void)state;
	assert_int_equal(chmod(in("tsig.key"), 0644), 0);
	expect_refused("chmod 600");
	assert_non_null(strstr(why, "dns.providers, ns: "));
	assert_int_equal(chmod(in("tsig.key"), 0600), 0);
	assert_int_equal(chmod(in("credentials.json"), 0640), 0);
	expect_refused("chmod 600");
	assert_non_null(strstr(why, "dns.providers, acme-dns: "));
	assert_int_equal(chmod(in("credentials.json"), 0600), 0);
}

#define BAD_HEADER                                                             \
	"{\"username\": \"u\\r\\nX: y\", \"password\": \"p\", "                \
	"\"fulldomain\": \"f\", \"subdomain\": \"s\"}"

static void
a_key_that_is_no_key_is_refused(void **state)
{
	static const char *const bad[] = { "{}", "[]", "{\"a\": 1",
		"{\"a\": {\"username\": \"u\"}}", "{\"a\": " BAD_HEADER "}",
		"{\"a\": {}, \"a\": {}}" };

	(void)state;
	place("tsig.key", "no base64!\n", 0600);
	expect_refused("base64");
	assert_int_equal(unlink(in("tsig.key")), 0);
	expect_refused("does it exist");
	place("tsig.key", SECRET "\n", 0600);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		place("credentials.json", bad[i], 0600);
		expect_refused("credentials.json: ");
	}
	/* And no secret is in what is said. */
	place("credentials.json", "{\"a\": {\"password\": s3cret}}", 0600);
	expect_refused("line 1");
	assert_null(strstr(why, "s3cret"));
	place_credentials();
	assert_false(failed(solver_preload(config, why)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http_01_is_in_place_when_the_edges_have_it),
		cmocka_unit_test(an_edge_that_hangs_does_not_stop_issuance),
		cmocka_unit_test(
		    certds_own_port_answers_where_there_are_no_edges),
		cmocka_unit_test(only_edges_of_the_resources_group_count),
		cmocka_unit_test(the_value_is_that_of_rfc_8555),
		cmocka_unit_test(a_zone_is_updated_by_rfc_2136),
		cmocka_unit_test(a_wildcard_and_its_apex_share_a_name),
		cmocka_unit_test(a_cname_delegates_to_another_zone),
		cmocka_unit_test(a_cname_of_a_wildcard_does_not_delegate),
		cmocka_unit_test(cnames_that_lead_nowhere_are_refused),
		cmocka_unit_test(a_name_that_no_provider_has_is_refused),
		cmocka_unit_test(says_that_the_server_refused_the_update),
		cmocka_unit_test(
		    a_record_that_does_not_appear_in_time_is_given_up),
		cmocka_unit_test(programs_change_the_dns),
		cmocka_unit_test(
		    a_certbot_hook_gets_no_name_that_it_cannot_set),
		cmocka_unit_test(acme_dns_has_what_is_delegated_to_it),
		cmocka_unit_test(acme_dns_wants_its_cname_and_says_which),
		cmocka_unit_test(says_that_acme_dns_does_not_know_the_password),
		cmocka_unit_test(by_hand_is_checked_as_often_as_asked),
		cmocka_unit_test(a_look_waits_longer_each_time),
		cmocka_unit_test(a_persistent_record_is_read_as_a_ca_reads_it),
		cmocka_unit_test(a_persistent_record_is_seen_at_the_servers),
		cmocka_unit_test(
		    a_name_server_without_an_address_has_no_record),
		cmocka_unit_test(a_provider_serves_the_accounts_that_it_names),
		cmocka_unit_test(a_delegation_is_for_the_account_that_it_names),
		cmocka_unit_test(
		    what_an_account_may_no_more_is_taken_away_all_the_same),
		cmocka_unit_test(
		    a_persistent_record_is_for_the_names_that_an_operator_gave),
		cmocka_unit_test(a_type_that_is_not_known_is_refused),
		cmocka_unit_test(a_key_that_others_may_read_is_refused),
		cmocka_unit_test(a_key_that_is_no_key_is_refused),
	};

	if (!named_desk_is_there()) {
		print_message("named is not installed\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, start, stop);
}
