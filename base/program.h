/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/*
 * A program of the operator's that a daemon runs and waits for.  No shell, no
 * input, no descriptor and no signal mask of ours; a process group of its own,
 * killed whole when it is enough.  Any thread, several at once.
 */
#define PROGRAM_TAIL_MAX 2048

struct program {
	char *const *argv;        /* [0] is a path; ends with NULL */
	char *const *environment; /* its whole one; ends with NULL */
	int64_t timeout_ns;
	int stop_fd; /* readable or hung up: kill it; -1: none */
	/* Keep what it writes to stdout apart; else it is with stderr's. */
	bool has_output;
};

enum program_end {
	PROGRAM_ENDED,
	PROGRAM_LATE,
	PROGRAM_STOPPED
};

/* Of what it writes the end is kept, however much that is. */
struct program_tail {
	size_t len;
	char at[PROGRAM_TAIL_MAX];
};

struct program_result {
	enum program_end end;
	int code; /* as waitpid(2) has it */
	struct program_tail output, errors;
};

/* What certd and edged let programs find by name: "PATH=...". */
extern char program_path_setting[];

/*
 * It was started, and has ended or was killed: OK.  A child that it leaves
 * behind with its descriptors open does not hold us up.  UNAVAILABLE (detail:
 * errno) when it cannot be started.
 */
STATUS program_run(
    const struct program *program, struct program_result *ret_result);

bool program_succeeded(const struct program_result *result);
/* The last line that it wrote to stderr, made fit to be seen. */
void program_last_line(
    const struct program_result *result, char *ret_line, size_t max);
/* "ended with 3: LINE", "was ended by signal 9: LINE", "took too long and was
 * stopped: LINE". */
void program_describe(
    const struct program_result *result, char *ret_text, size_t max);

#endif
