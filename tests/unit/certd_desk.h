/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CERTD_DESK_H
#define TESTS_UNIT_CERTD_DESK_H

#include <stdint.h>

#include "certd/api.h"
#include "certd/store.h"

/*
 * A real store in a folder of its own and an empty table of methods, as a
 * cmocka fixture; services are registered by the test.  Two accounts are there:
 * acme and other.
 */
struct desk {
	char folder[64];
	struct store *store;
	struct api *api;
	int64_t acme, other;  /* accounts */
	struct api_call call; /* of the last question */
	struct caller caller; /* its */
};

int certd_desk_set_up(void **state);
int certd_desk_tear_down(void **state);

/* Callers: of all accounts, and by a token of an account. */
struct caller certd_desk_operator(void);
struct caller certd_desk_token(int64_t account, unsigned allow);

/* Ask "Accounts/Create" of holdfast.certd.v1. */
struct status certd_desk_ask(struct desk *desk, const struct caller *caller,
    const char *method, const void *request, void *ret_reply);
/* What that said to people: the call's sentence or the status'. */
const char *certd_desk_why(const struct desk *desk, struct status st);

/* Rows of a table. */
int64_t certd_desk_count(struct desk *desk, const char *sql);

#endif
