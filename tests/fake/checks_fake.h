/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_CHECKS_FAKE_H
#define TESTS_FAKE_CHECKS_FAKE_H

#include "certd/checks.h"

/* certd/checks.h that forbids on cue.  Any thread. */
struct checks *checks_fake_new(void); /* released by checks_free */
/* NULL: nothing is forbidden; static text. */
void checks_fake_forbid(struct checks *checks, const char *why);
unsigned checks_fake_runs(struct checks *checks);

#endif
