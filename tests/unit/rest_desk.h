/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_REST_DESK_H
#define TESTS_UNIT_REST_DESK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "certd/rest.h"
#include "tests/unit/certd_desk.h"

/*
 * A REST server on a port of its own, over a small table of methods that do
 * next to nothing, and a client that speaks HTTP by hand.  A cmocka fixture.
 *
 *     GET    /v1/certificates             lists; two pages
 *     POST   /v1/certificates             makes; "fail" is refused, "wait"
 *                                         waits for the gate
 *     GET    /v1/certificates/{id}        17 is there; 99 waits for the gate
 *     PATCH  /v1/certificates/{id}        of etag r7
 *     DELETE /v1/certificates/{id}        administrators only
 *     GET    /v1/certificates/{id}:export
 *     PATCH  /v1/resources/{id}           counts what is to change
 *     POST   /v1/tokens                   answers a secret
 */
struct rest_desk {
	struct desk *desk;
	struct rest_config config; /* as it was started with */
	struct rest *rest;
	char engineer[64], administrator[64], reader[64]; /* "Bearer ..." */
	pthread_mutex_t mutex;                            /* guards the rest */
	pthread_cond_t changed;
	bool is_open; /* the gate */
	unsigned at_gate;
	unsigned made; /* by POST */
};

int rest_desk_set_up(void **state);
int rest_desk_tear_down(void **state);
/* Again, with another configuration in desk->config. */
void rest_desk_restart(struct rest_desk *desk);
/* A token's header. */
void rest_desk_token(struct rest_desk *desk, int role, unsigned scopes,
    int64_t ttl_s, char ret_header[64]);

void rest_desk_wait_at_gate(struct rest_desk *desk, unsigned n);
void rest_desk_open_gate(struct rest_desk *desk);

#define REST_ANSWER_MAX 262144
struct rest_answer {
	unsigned code;
	char text[REST_ANSWER_MAX]; /* head and body */
	size_t len;
	const char *body;
};

int rest_desk_connect(const struct rest_desk *desk);
void rest_desk_send(int fd, const char *text, size_t len);
/* One answer, to its Content-Length or to the end. */
void rest_desk_receive(int fd, bool head, struct rest_answer *ret_answer);
/* Ask "GET /v1/x" as that caller (or NULL), with more lines of head ("" or
 * "A: b\r\n") and a body (or NULL), on a connection of its own. */
void rest_desk_ask(const struct rest_desk *desk, const char *line,
    const char *caller, const char *more, const char *body,
    struct rest_answer *ret_answer);
/* A header's value; NULL. */
const char *rest_desk_header(const struct rest_answer *answer, const char *name,
    char *ret_value, size_t max);

#endif
