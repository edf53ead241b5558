/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which files a process may touch, by Landlock: a folder stands for all below
 * it, and what no path names is refused with EACCES.  The kernel tells what it
 * knows (its ABI); what it does not know is not limited, and the caller is told
 * the version.  Rules hold the file that was there, not its name: whoever puts
 * another in its place must know that it is not covered.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sandbox.h"
#include "base/scoped.h"

/* Newer than Debian 12's header. */
#define ACCESS_FS_TRUNCATE (UINT64_C(1) << 14)    /* ABI 3 */
#define ACCESS_NET_CONNECT_TCP (UINT64_C(1) << 1) /* ABI 4 */
#define SCOPE_SIGNAL (UINT64_C(1) << 1)           /* ABI 6 */

struct ruleset {
	uint64_t handled_fs;
	uint64_t handled_net; /* since ABI 4 */
	uint64_t scoped;      /* since ABI 6 */
};

#define READS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define ON_FILES                                                               \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |           \
	    LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_FS_TRUNCATE)
/* All but to run it and to make devices, which nobody is given. */
#define WRITES                                                                 \
	(READS | LANDLOCK_ACCESS_FS_WRITE_FILE |                               \
	    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |   \
	    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |        \
	    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |      \
	    LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER |           \
	    ACCESS_FS_TRUNCATE)
#define EVERYTHING                                                             \
	(WRITES | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |  \
	    LANDLOCK_ACCESS_FS_MAKE_BLOCK)

static STATUS
system_failed(const char *why)
{
	return status_fail_detail(STATUS_INTERNAL, why, (uint32_t)errno);
}

/* What this version knows. */
static struct ruleset
ruleset_of(int abi, unsigned flags)
{
	struct ruleset set = { .handled_fs = EVERYTHING };

	if (abi < 2)
		set.handled_fs &= ~(uint64_t)LANDLOCK_ACCESS_FS_REFER;
	if (abi < 3)
		set.handled_fs &= ~ACCESS_FS_TRUNCATE;
	if ((flags & SANDBOX_FILES_RUN_ONLY) != 0)
		set.handled_fs = LANDLOCK_ACCESS_FS_EXECUTE;
	if (abi >= 4 && (flags & SANDBOX_FILES_NO_CONNECT) != 0)
		set.handled_net = ACCESS_NET_CONNECT_TCP;
	if (abi >= 6 && (flags & SANDBOX_FILES_NO_SIGNAL) != 0)
		set.scoped = SCOPE_SIGNAL;
	return set;
}

static size_t
ruleset_size(int abi)
{
	if (abi < 4)
		return offsetof(struct ruleset, handled_net);
	return abi < 6 ? offsetof(struct ruleset, scoped)
		       : sizeof(struct ruleset);
}

static STATUS
add(int ruleset, const struct ruleset *set, const struct sandbox_path *path)
{
	static const uint64_t rights[] = {
		[SANDBOX_READ] = READS,
		[SANDBOX_WRITE] = WRITES,
		[SANDBOX_EXECUTE] =
		    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE,
	};
	struct landlock_path_beneath_attr rule = {
		.allowed_access = rights[path->access] & set->handled_fs
	};
	scoped(close) int fd = open(path->path, O_PATH | O_CLOEXEC);
	struct stat sb;

	if (fd < 0) /* what is not there, or out of reach, stays so */
		return status_ok();
	if (fstat(fd, &sb) != 0)
		return system_failed(
		    "a path of the sandbox cannot be examined");
	if (!S_ISDIR(sb.st_mode))
		rule.allowed_access &= ON_FILES;
	if (rule.allowed_access == 0)
		return status_ok();
	rule.parent_fd = fd;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
		&rule, 0) != 0)
		return system_failed("a path of the sandbox is not accepted");
	return status_ok();
}

STATUS
sandbox_files(
    const struct sandbox_path *paths, size_t n, unsigned flags, int *ret_abi)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset set;
	struct status st = status_ok();
	scoped(close) int fd = -1;

	if (abi < 1)
		return status_fail(
		    STATUS_UNIMPLEMENTED, "this kernel has no Landlock");
	set = ruleset_of((int)abi, flags);
	fd = (int)syscall(
	    SYS_landlock_create_ruleset, &set, ruleset_size((int)abi), 0);
	if (fd < 0)
		return system_failed("Landlock takes no rules");
	for (size_t i = 0; i < n && !failed(st); i++)
		st = add(fd, &set, &paths[i]);
	if (failed(st))
		return st;
	if (syscall(SYS_landlock_restrict_self, fd, 0) != 0)
		return system_failed("Landlock's rules cannot be put in force");
	*ret_abi = (int)abi;
	return st;
}
