/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The seccomp filter of a process, made from the table in sandbox_calls.c. Read
 * add_looked_at for the calls whose arguments decide.  A call that is neither
 * allowed nor hostile comes back through SIGSYS as EPERM, so that it can be
 * counted and told: a library that tries something odd goes on, and whoever
 * reads the log learns of it.
 */

#include "base/sandbox.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/log.h"
#include "base/scoped.h"

#define NUMBERS_MAX 1024
#define INT_MASK UINT32_MAX /* the kernel looks at 32 bits of an int */
#define SI_CODE_SECCOMP 1   /* SYS_SECCOMP, which libc's headers lack */
#define PR_SET_MDWE_ 65     /* newer than Debian 12's headers */
#define PR_MDWE_REFUSE_EXEC_GAIN_ 1
#define PR_SET_VMA_ 0x53564d41
#define NAMESPACES                                                             \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |         \
	    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static atomic_uint_fast64_t refused[NUMBERS_MAX];
static atomic_uint_fast64_t told[NUMBERS_MAX];
static atomic_bool sealed;

SCOPED_RELEASE(seccomp_release, scmp_filter_ctx);

/* ---- what was refused ---- */

/* The place of the call's result in a context; it runs in a signal handler. */
static void
answer(ucontext_t *context, int error)
{
#if defined(__x86_64__)
	context->uc_mcontext.gregs[REG_RAX] = -error;
#elif defined(__aarch64__)
	context->uc_mcontext.regs[0] = (unsigned long long)-error;
#else
#error "where does this machine return a system call's result?"
#endif
}

static void
on_refused(int number, siginfo_t *info, void *context)
{
	(void)number;
	if (info->si_code != SI_CODE_SECCOMP)
		_exit(128 + SIGSYS);
	if (info->si_syscall >= 0 && info->si_syscall < NUMBERS_MAX)
		atomic_fetch_add(&refused[info->si_syscall], 1);
	answer(context, EPERM);
}

uint64_t
sandbox_refused(int number)
{
	return number >= 0 && number < NUMBERS_MAX
		   ? atomic_load(&refused[number])
		   : 0;
}

uint64_t
sandbox_log_refused(void)
{
	uint64_t all = 0;

	for (int i = 0; i < NUMBERS_MAX; i++) {
		uint64_t now = atomic_load(&refused[i]);
		scoped(free) char *name = NULL;

		all += now;
		if (now == 0 || atomic_exchange(&told[i], now) >= now)
			continue;
		name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, i);
		log_warn("the sandbox refused a system call",
		    LOG_STR("call", name != NULL ? name : "unknown"),
		    LOG_INT("number", i), LOG_UINT("times", now));
	}
	return all;
}

/* ---- the rules ---- */

/* The first failure of many rules is kept; a rule that is there is none. */
static void
keep(int *rc, int added)
{
	if (*rc == 0 && added != 0 && added != -EEXIST)
		*rc = added;
}

static void
add_all(
    scmp_filter_ctx filter, uint32_t action, const char *const *calls, int *rc)
{
	for (; *calls != NULL; calls++) {
		int number = seccomp_syscall_resolve_name(*calls);

		/* Not of this machine, or newer than the library. */
		if (number >= 0)
			keep(rc, seccomp_rule_add(filter, action, number, 0));
	}
}

#define LET(call, ...)                                                         \
	keep(rc,                                                               \
	    seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(call),     \
		(unsigned)(sizeof((struct scmp_arg_cmp[]){ __VA_ARGS__ }) /    \
			   sizeof(struct scmp_arg_cmp)),                       \
		(struct scmp_arg_cmp[]){ __VA_ARGS__ }))
#define IS(at, value)                                                          \
	SCMP_CMP64(at, SCMP_CMP_MASKED_EQ, INT_MASK, (scmp_datum_t)(value))
#define BITS(at, mask, value)                                                  \
	SCMP_CMP64(at, SCMP_CMP_MASKED_EQ, (scmp_datum_t)(mask),               \
	    (scmp_datum_t)(value))

static void
add_sockets(
    scmp_filter_ctx filter, enum sandbox_kind kind, unsigned flags, int *rc)
{
	static const int families[] = { AF_INET, AF_INET6, AF_UNIX };
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
	static const char *const client[] = { "connect", "bind", "getsockname",
		"getpeername", "setsockopt", "getsockopt", "shutdown",
		"sendmmsg", "recvmmsg", NULL };
	bool is_server = kind == SANDBOX_FRONT || kind == SANDBOX_CERTD;

	if (!is_server && (flags & SANDBOX_NETWORK) == 0) {
		/* Without a line in the log: a module may call syslog(3). */
		keep(rc, seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES),
			     SCMP_SYS(socket), 0));
		return;
	}
	for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++)
		for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++)
			LET(socket, IS(0, families[f]), BITS(1, 0xf, types[t]));
	/* The C library asks which addresses there are, and does without. */
	keep(rc, seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT),
		     SCMP_SYS(socket), 1, IS(0, AF_NETLINK)));
	if (!is_server)
		add_all(filter, SCMP_ACT_ALLOW, client, rc);
}

static void
add_clone(scmp_filter_ctx filter, enum sandbox_kind kind, int *rc)
{
	/* Its flags lie in memory, where no filter sees them; the C library
	 * takes clone then. */
	keep(rc, seccomp_rule_add(
		     filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0));
	if (kind == SANDBOX_SPAWNER)
		LET(clone, BITS(0, NAMESPACES, 0));
	else
		LET(clone, BITS(0, NAMESPACES | CLONE_THREAD, CLONE_THREAD));
}

/* Memory is writable or executable, never both. */
static void
add_memory(scmp_filter_ctx filter, int *rc)
{
	LET(mmap, BITS(2, PROT_EXEC, 0));
	LET(mmap, BITS(2, PROT_EXEC | PROT_WRITE, PROT_EXEC));
	LET(mprotect, BITS(2, PROT_EXEC, 0));
	LET(mprotect, BITS(2, PROT_EXEC | PROT_WRITE, PROT_EXEC));
}

static void
add_looked_at(
    scmp_filter_ctx filter, enum sandbox_kind kind, unsigned flags, int *rc)
{
	static const char *const ioctl_[] = { "ioctl", NULL };
	static const char *const start[] = { "prctl", "ioctl", "tgkill", NULL };
	static const char *const exec[] = { "execve", "execveat", NULL };

	add_sockets(filter, kind, flags, rc);
	add_clone(filter, kind, rc);
	add_memory(filter, rc);
	if (kind == SANDBOX_SPAWNER) {
		add_all(filter, SCMP_ACT_ALLOW, start, rc);
		return;
	}
	add_all(filter, SCMP_ACT_KILL_PROCESS, exec, rc);
	if ((flags & SANDBOX_DEVICES) != 0)
		add_all(filter, SCMP_ACT_ALLOW, ioctl_, rc);
	LET(ioctl, IS(1, FIONREAD));
	LET(ioctl, IS(1, FIONBIO));
	LET(ioctl, IS(1, TCGETS));
	LET(prctl, IS(0, PR_SET_NAME));
	LET(prctl, IS(0, PR_GET_NAME));
	LET(prctl, IS(0, PR_GET_DUMPABLE));
	LET(prctl, IS(0, PR_SET_VMA_));
	/* A thread of less urgency. */
	if (kind == SANDBOX_FRONT)
		LET(setpriority, IS(0, PRIO_PROCESS));
	/* raise(3), abort(3), and SIGTERM to itself. */
	LET(tgkill, IS(0, getpid()));
	LET(kill, IS(0, getpid()));
}

/* ---- in force ---- */

static bool
kernel_has_seccomp(void)
{
	uint32_t action = SECCOMP_RET_KILL_PROCESS;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static STATUS
load(scmp_filter_ctx filter, int rc)
{
	if (rc == 0)
		rc = seccomp_load(filter);
	if (rc == 0)
		return status_ok();
	return status_fail_detail(STATUS_INTERNAL,
	    "the filter of system calls cannot be put in force", (uint32_t)-rc);
}

static void
set_up(scmp_filter_ctx filter, int *rc)
{
	/* process_harden has set it; a sealed process may not again. */
	keep(rc, seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0));
	keep(rc, seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1));
	keep(rc, seccomp_attr_set(
		     filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
}

STATUS
sandbox_calls(enum sandbox_kind kind, unsigned flags)
{
	const struct sigaction on_sigsys = { .sa_sigaction = on_refused,
		.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK };
	scoped(seccomp_release) scmp_filter_ctx filter = NULL;
	int rc = 0;

	if (!kernel_has_seccomp())
		return status_fail(
		    STATUS_UNIMPLEMENTED, "this kernel has no seccomp");
	if (sigaction(SIGSYS, &on_sigsys, NULL) != 0)
		return status_fail_detail(STATUS_INTERNAL,
		    "SIGSYS cannot be caught", (uint32_t)errno);
	filter = seccomp_init(SCMP_ACT_TRAP);
	if (filter == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	set_up(filter, &rc);
	for (const struct sandbox_group *g = sandbox_groups; g->calls != NULL;
	     g++)
		if ((g->kinds & kind) != 0)
			add_all(filter, SCMP_ACT_ALLOW, g->calls, &rc);
	add_looked_at(filter, kind, flags, &rc);
	add_all(filter, SCMP_ACT_KILL_PROCESS, sandbox_hostile, &rc);
	return load(filter, rc);
}

STATUS
sandbox_seal(void)
{
	static const char *const confine[] = { "seccomp",
		"landlock_create_ruleset", "landlock_add_rule",
		"landlock_restrict_self", NULL };
	const struct scmp_arg_cmp executable = BITS(2, PROT_EXEC, PROT_EXEC);
	scoped(seccomp_release) scmp_filter_ctx filter =
	    seccomp_init(SCMP_ACT_ALLOW);
	struct status st;
	int rc = 0;

	if (filter == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	set_up(filter, &rc);
	keep(&rc, seccomp_rule_add(
		      filter, SCMP_ACT_TRAP, SCMP_SYS(mmap), 1, executable));
	keep(&rc, seccomp_rule_add(filter, SCMP_ACT_TRAP, SCMP_SYS(mprotect), 1,
		      executable));
	add_all(filter, SCMP_ACT_TRAP, confine, &rc);
	st = load(filter, rc);
	if (!failed(st))
		atomic_store(&sealed, true);
	return st;
}

bool
sandbox_is_sealed(void)
{
	return atomic_load(&sealed);
}

bool
sandbox_mdwe(void)
{
	return prctl(PR_SET_MDWE_, PR_MDWE_REFUSE_EXEC_GAIN_, 0, 0, 0) == 0;
}
