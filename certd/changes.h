/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CHANGES_H
#define CERTD_CHANGES_H

#include "base/status.h"
#include "certd/api.h"
#include "certd/enrollments.h"

/*
 * The service Changes, which has nothing of its own: it belongs to enrollments,
 * which registers it.
 *
 * Wait, and Verify for its short while, hold the thread of their call; at most
 * CHANGES_WAITING_MAX do at once, so that others find a thread.  Beyond that
 * Wait is RESOURCE_EXHAUSTED and Verify answers at once.
 */
#define CHANGES_WAITING_MAX 5

STATUS changes_register(struct enrollments *enrollments, struct api *api);

#endif
