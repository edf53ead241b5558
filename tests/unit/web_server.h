/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_WEB_SERVER_H
#define TESTS_UNIT_WEB_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct made; /* tests/unit/cert_maker.h */

/*
 * A small real web server on a free port of 127.0.0.1, on a thread of its own.
 * A connection is one request.  Aborts the test on failure.
 */
struct web;

/* cert NULL: plain HTTP; else TLS with that certificate, which is borrowed. */
struct web *web_new(const struct made *cert);
uint16_t web_port(const struct web *web);
/* Before it is asked: raw is all that is sent, such as "HTTP/1.1 200
 * OK\r\n..."; host NULL: whichever, path NULL: whichever; the last one that
 * fits counts.  "" hangs up.  Without any it answers 404. */
void web_answer(
    struct web *web, const char *host, const char *path, const char *raw);
/* 200 and these octets, from whichever host. */
void web_answer_with(struct web *web, const char *path, struct bytes body);
/* Connections that there were. */
size_t web_count(struct web *web);
/* The last GET or POST, its body too, as it came; "": none yet. */
#define WEB_REQUEST_MAX 8192
void web_last(struct web *web, char ret_request[WEB_REQUEST_MAX]);
void web_free(struct web *web);

/* "HTTP/1.1 <status>", further header lines ("A: b\r\n" or ""), body. */
const char *web_raw(const char *status, const char *headers, const char *body);

#endif
