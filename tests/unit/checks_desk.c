/* SPDX-License-Identifier: Apache-2.0 */

/* A desk for tests of the checks. */

#include "tests/unit/checks_desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/message.h"
#include "tests/fake/dns_fake.h"

static const char COMMON[] =
    "zone: " DESK_ZONE "\n"
    "acme:\n"
    "  authorities:\n"
    "    - {name: le, directory: https://ca.example/dir,"
    " ca_domain: letsencrypt.org}\n"
    "    - {name: other, directory: https://other.example/dir,"
    " ca_domain: other.example}\n";

static void
load_config(struct checks_desk *at, const char *yaml)
{
	char path[128], error[CONF_ERROR_MAX] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/certd.yaml", at->desk->folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "%s%s", COMMON, yaml);
	assert_int_equal(fclose(file), 0);
	if (failed(config_load(path, &at->config, error)))
		fail_msg("%s", error);
}

void
checks_desk_set_up(struct checks_desk *at, const char *yaml)
{
	const struct dns_resolver_config resolver = { .n_servers = 0 };
	struct checks_config config;
	void *desk = NULL;

	*at = (struct checks_desk){ .ca_domain = "" };
	dns_fake_reset();
	assert_int_equal(desk_set_up(&desk), 0);
	at->desk = desk;
	load_config(at, yaml);
	assert_int_equal(
	    dns_resolver_new(&resolver, &at->resolver).code, STATUS_OK);
	config = (struct checks_config){ .store = at->desk->store,
		.config = at->config,
		.resolver = at->resolver };
	assert_int_equal(checks_new(&config, &at->checks).code, STATUS_OK);
	at->shop = desk_resource(
	    at->desk, at->desk->acme, "shop", "www.example.com", MODE_ACME);
	snprintf(at->shop_target, sizeof(at->shop_target), "shop-%d.%s",
	    (int)at->desk->acme, DESK_ZONE);
}

void
checks_desk_tear_down(struct checks_desk *at)
{
	void *desk = at->desk;

	if (at->report != NULL)
		message_free(&at->report->base);
	checks_free(at->checks);
	dns_resolver_free(at->resolver);
	config_free(at->config);
	desk_tear_down(&desk);
}

void
checks_desk_run(struct checks_desk *at, const char *hostnames, int64_t resource,
    int64_t change, int validation)
{
	scoped(names_done) struct names names = { 0 };
	struct checks_subject subject = { .names = &names,
		.account = at->desk->acme,
		.resource = resource,
		.change = change,
		.validation = validation,
		.ca_domain = at->ca_domain };
	struct status st;

	while (*hostnames != 0) {
		char name[HOSTNAME_MAX];
		int len = (int)strcspn(hostnames, " ");

		snprintf(name, sizeof(name), "%.*s", len, hostnames);
		assert_true(names_add(&names, name));
		hostnames += len + (hostnames[len] == ' ');
	}
	if (at->report != NULL)
		message_free(&at->report->base);
	at->report = NULL;
	st = checks_run(at->checks, &subject, &at->report);
	if (failed(st))
		fail_msg("%s", st.why);
}

const Holdfast__Certd__V1__Finding *
checks_desk_find(
    const struct checks_desk *at, const char *check, const char *hostname)
{
	for (size_t i = 0; i < at->report->n_findings; i++) {
		const Holdfast__Certd__V1__Finding *finding =
		    at->report->findings[i];

		if (strcmp(finding->check, check) == 0 &&
		    (hostname == NULL ||
			strcmp(finding->hostname, hostname) == 0))
			return finding;
	}
	fail_msg("no finding of %s", check);
	return NULL;
}

void
checks_desk_expect(const struct checks_desk *at, const char *check,
    const char *hostname, enum check_result result, const char *part)
{
	const Holdfast__Certd__V1__Finding *finding =
	    checks_desk_find(at, check, hostname);

	if ((int)finding->result != (int)result ||
	    (strstr(finding->seen, part) == NULL &&
		strstr(finding->why, part) == NULL &&
		strstr(finding->remedy, part) == NULL))
		fail_msg("%s: %d\nseen: %s\nwhy: %s\nremedy: %s\nnot %d: %s",
		    check, (int)finding->result, finding->seen, finding->why,
		    finding->remedy, (int)result, part);
}

void
checks_desk_sql(struct checks_desk *at, const char *sql)
{
	struct db_tx *tx;
	struct status st;

	assert_int_equal(store_write(at->desk->store, &tx).code, STATUS_OK);
	st = db_run(tx, NULL, sql, DB_NONE);
	st = store_commit(at->desk->store, tx, st);
	if (failed(st))
		fail_msg("%s: %s", sql, st.why);
}
