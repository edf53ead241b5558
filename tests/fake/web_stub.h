/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_WEB_STUB_H
#define TESTS_FAKE_WEB_STUB_H

/*
 * A web server of a few lines, by plain HTTP on a loopback port: by Host, it
 * says what it was told to, octet for octet, and closes.  Any thread; asserts
 * on its failures.
 */
struct web_stub;

struct web_stub *web_stub_new(void);
void web_stub_free(struct web_stub *stub);
/* "127.0.0.1:port", borrowed. */
const char *web_stub_address(const struct web_stub *stub);

/* What it says under a host name from now on; "": nothing.  Others get 404. */
void web_stub_say(struct web_stub *stub, const char *host, const char *octets);
/* How often a host name was asked for, and the last request of all ("" for
 * none). */
unsigned web_stub_asked(struct web_stub *stub, const char *host);
void web_stub_request(struct web_stub *stub, char ret_request[1024]);

#endif
