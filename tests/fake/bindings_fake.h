/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_BINDINGS_FAKE_H
#define TESTS_FAKE_BINDINGS_FAKE_H

#include "certd/store_bindings.h"
#include "certd/store_edges.h"

/*
 * Bindings and edges for tests of certificates: certd/store_bindings.h and
 * certd/store_edges.h, as far as certificates ask them, without their rules.
 * Binding writes rows; edges wait as often as a retirement says.
 */

/* bindings_set fails so from now on; OK again with STATUS_OK. */
void bindings_fake_refuse(enum status_code code);
/* How often a key's grants were brought to what is wanted. */
unsigned bindings_fake_refreshed(void);
void bindings_fake_reset(void);

#endif
