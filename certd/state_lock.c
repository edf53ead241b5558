/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A lock (flock(2)) on a file in the state folder, for the life of the process:
 * the kernel lets go of it however that ends.
 */

#include "certd/state_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

STATUS
state_lock_take(const char *state_dir, int *ret_lock)
{
	char path[PATH_MAX];
	int lock;

	snprintf(path, sizeof(path), "%s/certd.lock", state_dir);
	lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (lock < 0)
		return status_fail_detail(STATUS_FAILED_PRECONDITION,
		    "state_dir cannot be written; check its owner and mode",
		    (uint32_t)errno);
	if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
		close(lock);
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "another certd runs on this state_dir");
	}
	*ret_lock = lock;
	return status_ok();
}

void
state_lock_release(int lock)
{
	if (lock >= 0)
		close(lock);
}
