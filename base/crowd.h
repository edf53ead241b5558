/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CROWD_H
#define BASE_CROWD_H

#include <stddef.h>

#include "base/scoped.h"

/*
 * Connections of strangers, of which there may be so many: when one more comes,
 * the oldest is hung up.  So nobody keeps others out by holding connections
 * open, however slowly he speaks, while who is done at once has come and gone.
 * One thread.
 */
struct crowd;
struct crowd_place;

struct crowd *crowd_new(size_t most); /* NULL: no memory */
void crowd_free(struct crowd *crowd); /* NULL is allowed; all have left */
SCOPED_RELEASE(crowd_free, struct crowd *);

/* A connection on socket fd has come; NULL: no memory, and it does not count.
 * The oldest is shut down (shutdown(2)) and not closed: its owner sees its end,
 * closes it, and has it leave. */
struct crowd_place *crowd_enter(struct crowd *crowd, int fd);
/* Before its socket is closed; NULL is allowed. */
void crowd_leave(struct crowd *crowd, struct crowd_place *place);

#endif
