/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_SOLVER_FAKE_H
#define TESTS_FAKE_SOLVER_FAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "certd/solver.h"

/* certd/solver.h over a list of tokens that outlives processes which are forked
 * from this one and killed.  Any thread. */
struct solver *solver_fake_new(void); /* released by solver_free */

/* What is put in place is not seen there, until it is. */
void solver_fake_hide(struct solver *solver, bool hidden);
/* What a process knew in memory alone is gone. */
void solver_fake_forget(struct solver *solver);
/* Tokens in place now, and how often one was put there. */
size_t solver_fake_tokens(struct solver *solver);
unsigned solver_fake_presented(struct solver *solver);

#endif
