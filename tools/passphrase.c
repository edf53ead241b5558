/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Passphrases, typed or handed over on a descriptor.  They go straight into
 * locked memory.  While the echo is off, signals only set a flag; the terminal
 * is put right and the signal then does what it does.
 */

#include "tools/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/scoped.h"

static volatile sig_atomic_t caught;

static void
catch_signal(int number)
{
	caught = number;
}

static const int SIGNALS[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
#define N_SIGNALS (sizeof(SIGNALS) / sizeof(SIGNALS[0]))

/* Until a newline (dropped) or the end; fails beyond PASSPHRASE_MAX. */
static struct status
read_text(int fd, bool is_line, struct secret **ret_passphrase)
{
	scoped(secret_free) struct secret *secret =
	    secret_new(PASSPHRASE_MAX + 2);
	size_t len = 0;

	if (secret == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "no locked memory is left for a passphrase; raise its "
		    "limit (ulimit -l)");
	for (;;) {
		uint8_t *at = secret_at(secret) + len;
		ssize_t n = read(fd, at, 1);

		if (n < 0 && errno == EINTR && caught == 0)
			continue;
		if (n < 0)
			return status_fail_detail(STATUS_CANCELLED,
			    "the passphrase could not be read",
			    (uint32_t)errno);
		if (n == 0 || (is_line && *at == '\n')) {
			*at = 0;
			break;
		}
		if (++len > PASSPHRASE_MAX)
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "a passphrase has at most 1024 octets");
	}
	if (!is_line && len > 0 && secret_at(secret)[len - 1] == '\n')
		secret_at(secret)[len - 1] = 0;
	*ret_passphrase = secret;
	secret = NULL;
	return status_ok();
}

STATUS
passphrase_from_fd(int fd, struct secret **ret_passphrase)
{
	return read_text(fd, false, ret_passphrase);
}

static void
say(int fd, const char *text)
{
	ssize_t n = write(fd, text, strlen(text));

	(void)n;
}

static struct status
ask_quietly(int tty, const char *prompt, struct secret **ret_passphrase)
{
	struct termios before, quiet;
	struct status st;

	if (tcgetattr(tty, &before) != 0)
		return status_fail_detail(STATUS_FAILED_PRECONDITION,
		    "the terminal cannot be made quiet; give --passphrase-fd",
		    (uint32_t)errno);
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	if (tcsetattr(tty, TCSAFLUSH, &quiet) != 0)
		return status_fail_detail(STATUS_FAILED_PRECONDITION,
		    "the terminal cannot be made quiet; give --passphrase-fd",
		    (uint32_t)errno);
	say(tty, prompt);
	st = read_text(tty, true, ret_passphrase);
	say(tty, "\n");
	(void)tcsetattr(tty, TCSAFLUSH, &before);
	return st;
}

STATUS
passphrase_ask(const char *prompt, struct secret **ret_passphrase)
{
	scoped(close) int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct sigaction action = { .sa_handler = catch_signal };
	struct sigaction before[N_SIGNALS];
	struct status st;

	if (tty < 0)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the file is encrypted and there is no terminal to ask "
		    "for its passphrase; give --passphrase-fd");
	caught = 0;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < N_SIGNALS; i++)
		sigaction(SIGNALS[i], &action, &before[i]);
	st = ask_quietly(tty, prompt, ret_passphrase);
	for (size_t i = 0; i < N_SIGNALS; i++)
		sigaction(SIGNALS[i], &before[i], NULL);
	if (caught != 0)
		raise(caught);
	return st;
}
