/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_PROBLEM_H
#define CERTD_PROBLEM_H

#include "base/status.h"

/* Failures as HTTP tells them: a code, and problem details (RFC 9457). */

#define PROBLEM_MEDIA_TYPE "application/problem+json"

struct problem {
	unsigned http; /* 400, ... */
	enum status_code code;
	const char *detail;     /* for people: what was wrong, what to do */
	const char *reason;     /* for programs, finer than code; or NULL */
	const char *request_id; /* or NULL */
};

/* The HTTP code that a status has unless something else is known. */
unsigned problem_http(enum status_code code);
/* "Not Found"; never NULL.  problem_next goes through all that are used. */
const char *problem_title(unsigned http);
/* The one after http, in order; the first for 0, 0 after the last. */
unsigned problem_next(unsigned http);

/* JSON, malloc'd; NULL when memory ends. */
char *problem_print(const struct problem *problem);

#endif
