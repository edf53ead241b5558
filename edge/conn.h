/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_CONN_H
#define EDGE_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/status.h"

/*
 * One web server's connection: its socket and the replies that it has not taken
 * yet.  Belongs to the listener's thread; never blocks.
 */
struct conn_out;

struct conn {
	int fd;          /* -1: this place is free */
	uint64_t number; /* generation << 32 | place in the listener's table */
	uid_t uid;
	pid_t pid;
	enum status_code refusal; /* not OK: told at its first message, then
				     closed */
	struct conn_out *head, *tail;
	unsigned n_out;
};

/* Replies kept for a client that does not read; one more and it is dropped. */
#define CONN_OUT_MAX 128

/* Send a reply, or keep it while the client's buffer is full.  False: the
 * connection is of no more use, close it. */
bool conn_send(
    struct conn *conn, uint32_t id, enum status_code code, struct bytes body);
/* Send what was kept, as far as it goes.  False as above. */
bool conn_flush(struct conn *conn);
/* Close and drop what was kept. */
void conn_close(struct conn *conn);

/*
 * Send a last reply on fd and close it such that the client can still read it,
 * even when it has sent something that nobody read.
 */
void conn_farewell(
    int fd, uint32_t id, enum status_code code, struct bytes body);

#endif
