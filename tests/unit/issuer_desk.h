/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_ISSUER_DESK_H
#define TESTS_UNIT_ISSUER_DESK_H

#include <stdbool.h>
#include <stdint.h>

#include "certd/config.h"
#include "certd/issuer.h"
#include "certd/store_changes.h"
#include "certd/store_enrollments.h"
#include "tests/fake/acme_fake.h"
#include "tests/fake/checks_fake.h"
#include "tests/fake/solver_fake.h"
#include "tests/fake/token_fake.h"

/*
 * A real store in a folder of its own, with the issuer over CAs, a token, a
 * solver and checks in memory.  As a cmocka fixture; aborts on failure.
 */
struct desk {
	char folder[64];
	struct store *store;
	struct authorities *authorities;
	struct custody *custody;
	struct solver *solver;
	struct checks *checks;
	struct config config;
	char standby[16], zone[64];
	struct issuer_config issuer_config;
	struct issuer *issuer;
	int64_t account;
};

int desk_set_up(void **state);
int desk_tear_down(void **state);

void desk_open(struct desk *desk); /* the store */
void desk_close(struct desk *desk);
void desk_start(struct desk *desk); /* the issuer */
void desk_stop(struct desk *desk);

/* Another one. */
int64_t desk_account(struct desk *desk, const char *name);
/* Mode ACME, group web, HTTPS on; host names separated by blanks. */
int64_t desk_resource(struct desk *desk, const char *name, const char *names);

struct desk_enrollment {
	int64_t resource;
	const char *names; /* NULL: "a.example b.example" */
	int validation;    /* 0: http-01 */
	const char *authority;
	bool stepwise, standby;
	bool by_operator; /* its names are */
	int64_t account;  /* 0: acme */
};
int64_t desk_enrollment(struct desk *desk, struct desk_enrollment facts);
/* A change of it, which begins now. */
int64_t desk_change(struct desk *desk, int64_t enrollment, int kind);
void desk_give(struct desk *desk, int64_t change, int input);

/* Wait until it is in that state, or has ended; gives it. */
struct change_row desk_wait(struct desk *desk, int64_t change, int state);
/* Wait until the statement gives that number. */
void desk_wait_number(struct desk *desk, const char *sql, int64_t number);

int64_t desk_number(struct desk *desk, const char *sql);
void desk_run(struct desk *desk, const char *sql);
struct renewal_row desk_renewal(
    struct desk *desk, int64_t enrollment, int purpose);
struct acme_fake_counts desk_counts(struct desk *desk, int ca);

#endif
