/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_PASSPHRASE_H
#define TOOLS_PASSPHRASE_H

#include "base/secret.h"
#include "base/status.h"

/*
 * A passphrase from whoever has it: typed on the terminal without echo, or read
 * from a file descriptor; never from argv or the environment.  It ends with a
 * zero octet.
 */
#define PASSPHRASE_MAX 1024

/* Asks on /dev/tty.  FAILED_PRECONDITION: there is no terminal.  A signal that
 * ends the program puts the terminal right first. */
STATUS passphrase_ask(const char *prompt, struct secret **ret_passphrase);

/* All that the descriptor gives until its end, but one trailing newline. */
STATUS passphrase_from_fd(int fd, struct secret **ret_passphrase);

#endif
