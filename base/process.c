/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a daemon does to its own process at start, and its few words with the
 * system after: signals as a call instead of handlers, and systemd's notify
 * protocol without its library.
 */
#include "base/process.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/scoped.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STAYS_DUMPABLE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STAYS_DUMPABLE 1
#endif
#endif
#ifndef STAYS_DUMPABLE
#define STAYS_DUMPABLE 0
#endif
#ifndef HOLDFAST_COVERAGE
#define HOLDFAST_COVERAGE 0
#endif

static STATUS
system_failed(const char *why)
{
	return status_fail_detail(STATUS_INTERNAL, why, (uint32_t)errno);
}

static bool
raise_limit(__rlimit_resource_t which)
{
	struct rlimit limit;

	if (getrlimit(which, &limit) != 0)
		return false;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(which, &limit) == 0;
}

STATUS
process_harden(void)
{
	const struct rlimit no_core = { 0, 0 };

	umask(077);
	if (setrlimit(RLIMIT_CORE, &no_core) != 0)
		return system_failed("core files cannot be turned off");
	if (!STAYS_DUMPABLE && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return system_failed("the process cannot be made undumpable");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return system_failed("new privileges cannot be given up");
	if (!raise_limit(RLIMIT_NOFILE))
		return system_failed(
		    "the limit of open files cannot be raised");
	if (!raise_limit(RLIMIT_MEMLOCK))
		return system_failed(
		    "the limit of locked memory cannot be raised");
	return status_ok();
}

STATUS
process_drop_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	const struct __user_cap_data_struct none[2] = { { .effective = 0 } };

	/* These three need a capability themselves, and mean nothing to who
	 * has none. */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	(void)prctl(PR_SET_SECUREBITS,
	    SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
		SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
		SECBIT_NO_CAP_AMBIENT_RAISE |
		SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
	    0, 0, 0);
	if (syscall(SYS_capset, &header, none) != 0)
		return system_failed("capabilities cannot be given up");
	return status_ok();
}

bool
process_is_instrumented(void)
{
	return STAYS_DUMPABLE || HOLDFAST_COVERAGE;
}

static sigset_t
our_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	return set;
}

void
process_block_signals(void)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	const sigset_t set = our_signals();

	pthread_sigmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

int
process_wait_signal(void)
{
	const sigset_t set = our_signals();
	int number;

	while (sigwait(&set, &number) != 0)
		;
	return number;
}

int
process_wait_signal_for(unsigned timeout_ms)
{
	const sigset_t set = our_signals();
	const struct timespec timeout = { .tv_sec = timeout_ms / 1000,
		.tv_nsec = (long)(timeout_ms % 1000) * 1000000 };
	int number = sigtimedwait(&set, NULL, &timeout);

	return number > 0 ? number : 0;
}

void
process_notify(const char *state)
{
	const char *path = secure_getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	scoped(close) int fd = -1;
	socklen_t to_len;
	size_t len;

	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return;
	len = strlen(path);
	if (len >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0'; /* Linux's abstract sockets, unix(7) */
	to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL,
	    (const struct sockaddr *)&to, to_len);
}

int64_t
process_cpu_ns(int pid)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 ||
	    clock_gettime(clock, &used) != 0)
		return 0;
	return (int64_t)used.tv_sec * NS_PER_S + used.tv_nsec;
}
