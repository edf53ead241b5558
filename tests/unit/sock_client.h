/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_SOCK_CLIENT_H
#define TESTS_UNIT_SOCK_CLIENT_H

#include "base/status.h"
#include "edge/sock.h"

/* A web server's side of edge/sock.h, for tests.  Each asserts (cmocka). */

/* -1 when nobody listens there. */
int sock_connect(const char *path);
struct sock_request sock_request_of(uint32_t id, size_t len);
void sock_send(int fd, const struct sock_request *request, const void *content,
    size_t len);
/* A valid request with this content; 5 s time, or as long as is said. */
void sock_ask(int fd, uint32_t id, const char *content);
void sock_ask_for(
    int fd, uint32_t id, const char *content, uint32_t timeout_ms);
/* One reply; its length, 0 at the end of the connection. */
size_t sock_hear(
    int fd, struct sock_reply *ret_reply, char ret_body[SIGNATURE_MAX + 1]);
/* The next reply has this id and code, and its body contains part. */
void sock_expect(int fd, uint32_t id, enum status_code code, const char *part);
void sock_expect_end(int fd);

#endif
