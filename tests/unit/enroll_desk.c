/* SPDX-License-Identifier: Apache-2.0 */

/* A desk for tests of enrollments, over that of resources. */

#include "tests/unit/enroll_desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "certd/store_bindings.h"
#include "certd/store_resources.h"
#include "proto/message.h"
#include "tests/fake/authorities_fake.h"

static struct enrollments *enrollments;
static struct config *config;

/* ---- set up ---- */

static const char base[] =
    "zone: " DESK_ZONE "\n"
    "networks:\n"
    "  - {name: standard, pool: standard, edge_groups: [web, api]}\n"
    "  - {name: enhanced, pool: enhanced-pool, edge_groups: [vault]}\n";

static const char acme[] =
    "acme:\n"
    "  standby: spare\n"
    "  account_changes: 40\n"
    "  authorities:\n"
    "    - {name: ca, directory: 'https://ca.example/dir'}\n"
    "    - {name: ca2, directory: 'https://ca2.example/dir'}\n"
    "    - {name: spare, directory: 'https://spare.example/dir',"
    " standby_only: true}\n"
    "dns:\n"
    "  providers:\n"
    "    - {name: dns, type: rfc2136, server: '127.0.0.1:53',"
    " zones: [example.com], accounts: [acme]}\n"
    "    - {name: far, type: rfc2136, server: '127.0.0.1:53',"
    " zones: [example.net], delegation_zone: to.example.net}\n"
    "    - {name: house, type: rfc2136, server: '127.0.0.1:53',"
    " zones: [example.org]}\n";

static void
load_config(const char *more)
{
	char path[] = "/tmp/holdfast-enroll-XXXXXX", error[CONF_ERROR_MAX] = "";
	int fd = mkstemp(path);
	struct status st;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, base, strlen(base)), strlen(base));
	assert_int_equal(write(fd, more, strlen(more)), strlen(more));
	close(fd);
	st = config_load(path, &config, error);
	unlink(path);
	if (failed(st))
		fail_msg("%s", error);
}

static int
set_up(void **state, const char *more)
{
	struct enrollments_config to = { .verify_wait_ms = 60000 };
	struct desk *desk;

	authorities_fake_reset();
	desk_set_up(state);
	desk = *state;
	load_config(more);
	to.store = desk->store;
	to.config = config;
	assert_int_equal(enrollments_new(&to, &enrollments).code, STATUS_OK);
	desk_set_up_services(desk, enrollments);
	assert_int_equal(
	    enrollments_register(enrollments, desk->api).code, STATUS_OK);
	return 0;
}

int
enroll_desk_set_up(void **state)
{
	return set_up(state, acme);
}

int
enroll_desk_set_up_none(void **state)
{
	return set_up(state, "");
}

int
enroll_desk_tear_down(void **state)
{
	int result = desk_tear_down(state);

	enrollments_free(enrollments);
	config_free(config);
	enrollments = NULL;
	config = NULL;
	return result;
}

struct enrollments *
enroll_desk_enrollments(void)
{
	return enrollments;
}

const struct config *
enroll_desk_config(void)
{
	return config;
}

/* ---- asking ---- */

char *
enroll_desk_text(const char *literal)
{
	static char kept[256][256];
	static size_t next;
	char *at = kept[next++ % 256];

	snprintf(at, 256, "%s", literal);
	return at;
}

void
enroll_desk_refused(struct desk *desk, struct status st, enum status_code code,
    const char *says)
{
	const char *why = desk->call.why[0] != 0 ? desk->call.why : st.why;

	if (st.code != code || strstr(why, says) == NULL)
		fail_msg(
		    "%s, \"%s\": not \"%s\"", status_name(st.code), why, says);
}

Holdfast__Certd__V1__EnrollmentChange *
enroll_desk_create(struct desk *desk, const char *hostnames)
{
	Holdfast__Certd__V1__CreateEnrollmentRequest asked =
	    desk_create_enrollment_request();
	Holdfast__Certd__V1__EnrollmentChange *reply = NULL;
	scoped(names_done) struct names names = { 0 };
	char *list[8];
	struct status st;

	assert_int_equal(names_parse(hostnames, &names).code, STATUS_OK);
	assert_true(names.n <= 8);
	for (size_t i = 0; i < names.n; i++)
		list[i] = names.at[i];
	asked.hostnames = list;
	asked.n_hostnames = names.n;
	st = desk_ask(desk, &desk_alice, "Enrollments/Create", &asked, &reply);
	if (failed(st))
		fail_msg("%s: %s", st.why, desk->call.why);
	return reply;
}

/* ---- in place of the machine ---- */

static struct db_tx *
begin(struct desk *desk)
{
	struct db_tx *tx;

	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	return tx;
}

static void
commit(struct desk *desk, struct db_tx *tx, struct status st)
{
	st = store_commit(desk->store, tx, st);
	if (failed(st))
		fail_msg("%s", st.why);
}

struct change_row
enroll_desk_change(struct desk *desk, int64_t id)
{
	struct change_row row = { 0 };
	struct db_tx *tx;

	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(store_changes_load(tx, id, &row).code, STATUS_OK);
	db_end(tx);
	return row;
}

void
enroll_desk_put(
    struct desk *desk, int64_t id, int state, const char *problem, int due_in_s)
{
	struct db_tx *tx = begin(desk);
	struct change_row row;
	struct status st = store_changes_load(tx, id, &row);

	if (!failed(st))
		st = store_changes_take_input(tx, &row);
	row.state = state;
	row.due_s = due_in_s == 0 ? 0 : store_now_s() + due_in_s;
	snprintf(row.problem, sizeof(row.problem), "%s", problem);
	if (!failed(st))
		st = store_changes_save(tx, &row, "Step.");
	commit(desk, tx, st);
}

static struct status
bind(struct db_tx *tx, int64_t resource, int64_t certificate)
{
	struct api_call call = { .caller = &desk_operator };
	struct resource_row row;
	struct status st = store_resources_load(tx, resource, &row);

	if (!failed(st))
		st = bindings_put(tx, &call, &row, &certificate, 1, true);
	return failed(st) ? st : store_resources_save(tx, &call, &row);
}

int64_t
enroll_desk_done(struct desk *desk, int64_t change)
{
	struct change_row row = enroll_desk_change(desk, change);
	scoped(names_done) struct names names = { 0 };
	scoped(free) char *hostnames = NULL;
	struct renewal_row renewal;
	struct db_tx *tx = begin(desk);
	struct status st = store_changes_names(tx, change, &names);

	commit(desk, tx, st);
	hostnames = names_print(&names);
	row.certificate = desk_certificate(
	    desk, (struct desk_certificate){ .account = row.account,
		      .kind = row.resource != 0 ? KIND_ACME : KIND_PERSONAL,
		      .hostnames = hostnames });
	tx = begin(desk);
	if (row.resource != 0)
		st = bind(tx, row.resource, row.certificate);
	if (!failed(st))
		st = store_renewals_load(
		    tx, row.enrollment, row.purpose, &renewal);
	renewal.certificate = row.certificate;
	renewal.not_after_s = store_now_s() + (int64_t)90 * DAY_S;
	renewal.renew_s = store_now_s() + (int64_t)60 * DAY_S;
	snprintf(renewal.authority, sizeof(renewal.authority), "ca");
	if (!failed(st))
		st = store_renewals_save(tx, &renewal);
	if (!failed(st))
		st = store_enrollments_set_state(
		    tx, row.enrollment, ENROLLMENT_ACTIVE, "");
	row.state = CHANGE_DONE;
	if (!failed(st))
		st = store_changes_save(tx, &row, "Done.");
	commit(desk, tx, st);
	return row.certificate;
}
