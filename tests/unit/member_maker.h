/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_MEMBER_MAKER_H
#define TESTS_UNIT_MEMBER_MAKER_H

#include "tests/unit/pki.h"

/* Make a state folder with the identity of an edge, "spiffe://test/edge/e1", as
 * "edged join" leaves one behind.  Asserts on failure. */
void make_member(
    struct pki_ca *ca, const char *state_dir, const char *keyd_endpoint);

#endif
