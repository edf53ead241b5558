/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STATE_LOCK_H
#define CERTD_STATE_LOCK_H

#include "base/status.h"

/* One certd on a state folder: two on one database would each tell edges and
 * keyd what to do.  FAILED_PRECONDITION: there is another. */
STATUS state_lock_take(const char *state_dir, int *ret_lock);
void state_lock_release(int lock); /* -1 is allowed */

#endif
