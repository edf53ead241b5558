/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The table of system calls: which process may make which, and which end it.
 * What is in no group of a process fails there with EPERM.  Calls whose
 * arguments decide (clone, mmap, mprotect, socket, prctl, ioctl, tgkill) are in
 * sandbox.c.  A worker inherits the spawner's filter beside its own, so the
 * spawner may do whatever a worker may.
 */

#include "base/sandbox.h"

#define ALL                                                                    \
	(SANDBOX_FRONT | SANDBOX_SPAWNER | SANDBOX_WORKER | SANDBOX_IDENTITY | \
	    SANDBOX_CERTD | SANDBOX_OPENER)

/* Descriptors that are open, own memory, threads, waiting, the time. */
static const char *const BASIC[] = { "read", "write", "readv", "writev",
	"pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2",
	"lseek", "close", "close_range", "dup", "dup2", "dup3", "fcntl",
	"fstat", "pipe", "pipe2", "munmap", "mremap", "madvise", "msync",
	"mincore", "brk", "mlock", "mlock2", "munlock", "membarrier",
	"get_mempolicy", "futex", "futex_waitv", "set_robust_list",
	"get_robust_list", "set_tid_address", "rseq", "exit", "exit_group",
	"restart_syscall", "sched_yield", "sched_getaffinity", "sched_getparam",
	"sched_getscheduler", "sched_get_priority_max",
	"sched_get_priority_min", "getpriority", "getcpu", "getpid", "gettid",
	"getppid", "getpgid", "getpgrp", "getsid", "getuid", "geteuid",
	"getgid", "getegid", "getresuid", "getresgid", "getgroups", "capget",
	"getrlimit", "getrusage", "times", "sysinfo", "uname", "getrandom",
	"clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep",
	"gettimeofday", "time", "timer_create", "timer_settime",
	"timer_gettime", "timer_getoverrun", "timer_delete", "timerfd_create",
	"timerfd_settime", "timerfd_gettime", "setitimer", "getitimer", "alarm",
	"pause", "poll", "ppoll", "select", "pselect6", "epoll_create",
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait",
	"epoll_pwait2", "eventfd", "eventfd2", "signalfd", "signalfd4",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait",
	"rt_sigsuspend", "rt_sigpending", "sigaltstack", NULL };

/* Files by name; which ones is Landlock's business. */
static const char *const FILES[] = { "open", "openat", "openat2", "creat",
	"access", "faccessat", "faccessat2", "stat", "lstat", "newfstatat",
	"statx", "readlink", "readlinkat", "getdents", "getdents64", "getcwd",
	"statfs", "fstatfs", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat",
	"rename", "renameat", "renameat2", "link", "linkat", "truncate",
	"ftruncate", "fallocate", "fsync", "fdatasync", "syncfs",
	"sync_file_range", "flock", "chmod", "fchmod", "fchmodat", "chown",
	"fchown", "fchownat", "utime", "utimes", "utimensat", "umask",
	"fadvise64", "readahead", "copy_file_range", "sendfile", NULL };

/* Between the processes of a daemon. */
static const char *const LANE[] = { "sendto", "recvfrom", "sendmsg", "recvmsg",
	NULL };

/* Serving clients, asking other daemons and the spawner; socket is looked
 * at. */
static const char *const SERVER[] = { "socketpair", "bind", "listen", "accept",
	"accept4", "connect", "getsockname", "getpeername", "setsockopt",
	"getsockopt", "shutdown", "sendmmsg", "recvmmsg", NULL };

/* Starting, watching and ending workers, and what a program does between its
 * start and its own filter. */
static const char *const START[] = { "execve", "fork", "vfork", "wait4",
	"waitid", "pidfd_open", "pidfd_send_signal", "kill", "tkill",
	"arch_prctl", "prlimit64", "setrlimit", "setpriority", NULL };

/* Until the module is loaded; sandbox_seal takes it away. */
static const char *const CONFINE[] = { "seccomp", "landlock_create_ruleset",
	"landlock_add_rule", "landlock_restrict_self", NULL };

const struct sandbox_group sandbox_groups[] = {
	{ "basic", ALL, BASIC },
	{ "files", ALL, FILES },
	{ "lane", ALL, LANE },
	{ "server", SANDBOX_FRONT | SANDBOX_CERTD, SERVER },
	{ "start", SANDBOX_SPAWNER, START },
	{ "confine", ALL, CONFINE },
	{ NULL, 0, NULL },
};

/* No part of Holdfast, and no PKCS#11 module, has any business with these. */
const char *const sandbox_hostile[] = { "ptrace", "process_vm_readv",
	"process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp",
	"kexec_load", "kexec_file_load", "reboot", "init_module",
	"finit_module", "delete_module", "bpf", "perf_event_open",
	"userfaultfd", "mount", "umount2", "move_mount", "open_tree", "fsopen",
	"fsconfig", "fsmount", "fspick", "mount_setattr", "pivot_root",
	"chroot", "swapon", "swapoff", "setns", "unshare", "add_key",
	"request_key", "keyctl", "open_by_handle_at", "name_to_handle_at",
	"iopl", "ioperm", "modify_ldt", "personality", "settimeofday",
	"clock_settime", "clock_adjtime", "adjtimex", "sethostname",
	"setdomainname", "syslog", "acct", "quotactl", "lookup_dcookie",
	"vhangup", "uselib", "ustat", "sysfs", "nfsservctl", NULL };
