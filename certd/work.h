/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_WORK_H
#define CERTD_WORK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/scoped.h"

/* Threads that take turns at a bounded queue.  Any thread may submit. */
struct work;

struct work *work_new(unsigned threads, size_t waiting_max); /* NULL: none */
/* Have fn(arg) run by one of the threads.  false when the queue is full, or
 * work_stop was called: it will not be run. */
bool work_submit(struct work *work, void (*fn)(void *arg), void *arg);
/* Takes no more, runs what waits, ends the threads. */
void work_stop(struct work *work);
void work_free(struct work *work); /* stops it; NULL is allowed */
SCOPED_RELEASE(work_free, struct work *);

#endif
