/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_NAMED_DESK_H
#define TESTS_UNIT_NAMED_DESK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A real BIND (named) for a test: in a folder of its own, as the user who runs
 * the test, on loopback alone.  Given a root zone, so that nothing is asked
 * outside, it is a resolver too, and follows CNAMEs from one zone to another.
 */
struct named_desk;

/* "hmac-sha256" and so on; the secret in base64. */
struct named_key {
	const char *name, *algorithm, *secret;
};

struct named_zone {
	const char *name;    /* "example.org", or "." */
	const char *records; /* after SOA and NS: "www IN A 192.0.2.1\n" */
	const char *ns;      /* lines of NS and their addresses; NULL: one, at
				127.0.0.1 */
	const char *updates; /* "update-policy { grant k zonesub TXT; };"; or
				NULL */
};

/* Is it installed?  Who has it not skips such tests. */
bool named_desk_is_there(void);

/* A port that is free on 127.0.0.1 and 127.0.0.2, by UDP and TCP. */
unsigned named_desk_port(void);

struct named_config {
	unsigned port; /* on 127.0.0.1: named binds no other loopback address */
	const struct named_zone *zones;
	size_t n_zones;
	const struct named_key *keys;
	size_t n_keys;
};
/* Started, and it answers.  Asserts that. */
struct named_desk *named_desk_new(const struct named_config *config);
void named_desk_free(struct named_desk *desk); /* NULL is allowed */
/* "127.0.0.1:25353" */
const char *named_desk_address(const struct named_desk *desk);

#endif
