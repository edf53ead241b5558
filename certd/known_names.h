/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_KNOWN_NAMES_H
#define CERTD_KNOWN_NAMES_H

#include <stddef.h>

#include "base/status.h"
#include "certd/api.h"
#include "certd/networks.h"
#include "certd/word_list.h"

/*
 * Names of certd.yaml that the caller may choose, for the sentence that tells
 * who gave another one.  Starts zeroed, borrows the names, has no memory of its
 * own to release.  What is beyond the first KNOWN_NAMES_MAX is counted, but is
 * never what was meant.
 */
#define KNOWN_NAMES_MAX 64

struct known_names {
	struct word_list list;
	const char *at[KNOWN_NAMES_MAX + 1]; /* with a NULL behind the last */
	size_t n;
};

void known_names_add(struct known_names *known, const char *name);

/*
 * INVALID_ARGUMENT, with what is refused ("authority:") in front: authority:
 * there is none named "pebbel"; did you mean "pebble"? there are: pebble, two
 */
STATUS known_names_refuse(struct api_call *call, struct known_names *known,
    const char *what, const char *typed);

/* The same, of networks. */
STATUS known_names_refuse_network(
    struct api_call *call, const struct networks *networks, const char *typed);

#endif
