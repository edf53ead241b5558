/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_LANES_H
#define DNS_LANES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/status.h"
#include "dns/resolver.h"

/*
 * c-ares, as one call of the resolver uses it: a channel for each server, which
 * sends again what gets no answer and turns to TCP when an answer was cut off;
 * all are waited for together.  Not thread-safe; a call has its own.
 */
struct lanes;

STATUS lanes_new(struct lanes **ret_lanes);
/* What is under way gets its callback first. */
void lanes_free(struct lanes *lanes); /* NULL is allowed */
SCOPED_RELEASE(lanes_free, struct lanes *);

struct lanes_to {
	const char *server; /* "192.0.2.1:53" */
	unsigned tries;
	unsigned timeout_ms; /* of all tries together */
};
/* The lane of that server, opened at first.  RESOURCE_EXHAUSTED. */
STATUS lanes_open(
    struct lanes *lanes, const struct lanes_to *to, size_t *ret_lane);

/* The message is a view that ends with the call; NULL: there was no answer.
 * It may come within lanes_send. */
typedef void (*lanes_answer)(void *arg, const struct bytes *message);
void lanes_send(struct lanes *lanes, size_t lane, struct bytes question,
    lanes_answer answer, void *arg);

/* Wait until something comes, or is over; callbacks run in here. */
STATUS lanes_wait(struct lanes *lanes);

/* The servers of /etc/resolv.conf, read now; at least one. */
STATUS lanes_system_servers(
    char ret_servers[DNS_CONFIGURED_MAX][64], size_t *ret_n);

#endif
