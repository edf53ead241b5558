/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_NOTICES_DESK_H
#define TESTS_UNIT_NOTICES_DESK_H

#include "certd/notices/notice_event.h"
#include "certd/notices/notice_tell.h"
#include "certd/notices/store_notices.h"
#include "certd/notices/store_rules.h"
#include "certd/secrets.h"
#include "tests/fake/post_fake.h"
#include "tests/unit/enroll_desk.h"

/*
 * The desk of tests/unit/enroll_desk.h with people who are told: account acme
 * has an administrator (ada@), an engineer (eve@), a viewer (vic@), an
 * administrative (adm@) and a technical (tec@) contact of acme.example; account
 * other has an administrator (olga@other.example).  Both have the rules that
 * accounts begin with.  What is sent goes to tests/fake/post_fake.h.
 */
#define DESK_CONSOLE "https://certs.example.net"

struct notices_desk {
	struct desk *desk; /* the one below */
	struct secrets *secrets;
	struct notice_teller teller;
	struct conf_strings operators; /* ops@example.net */
	int64_t technical;             /* the contact tec@ */
};

int notices_desk_set_up(void **state);
int notices_desk_tear_down(void **state);

/* A transaction for a test; commit fails the test when it fails. */
struct db_tx *notices_desk_write(struct notices_desk *nd);
void notices_desk_commit(
    struct notices_desk *nd, struct db_tx *tx, struct status st);
/* One statement in a transaction of its own. */
void notices_desk_run(struct notices_desk *nd, const char *sql);
int64_t notices_desk_number(struct notices_desk *nd, const char *sql);
/* Of the newest notice. */
struct notice_row notices_desk_newest(struct notices_desk *nd);
/* "ada@acme.example eve@acme.example" of an event, in order; "": nobody. */
const char *notices_desk_told(
    struct notices_desk *nd, int event, const char *occasion);

/* A notice for that recipient, queued by hand; its id. */
int64_t notices_desk_queue(
    struct notices_desk *nd, const char *recipient, int64_t webhook);
/* A webhook of acme; its id. */
int64_t notices_desk_webhook(
    struct notices_desk *nd, const char *name, const char *url);
/* Certificate that ends so many seconds from now. */
int64_t notices_desk_certificate(struct notices_desk *nd, const char *name,
    const char *hostnames, int64_t left_s);

#define OK(call) assert_int_equal((call).code, STATUS_OK)

#endif
