/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_INIT_INT_H
#define KEYD_INIT_INT_H

#include <limits.h>
#include <stdbool.h>

#include "hsm/ca.h"
#include "keyd/audit.h"
#include "keyd/init.h"
#include "keyd/registry.h"

/* Between init.c and init_pools.c. */

struct init {
	const struct config *config;
	const struct init_options *options;
	struct hsm_cert ca;
	struct audit *audit;
	struct registry *registry;
	bool is_invited;
	char join_path[PATH_MAX];
	char self[SPIFFE_ID_MAX]; /* who is named in the journal */
};

/* One line of what was done, on stdout. */
void init_say(const char *what, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Why it ends, on stderr; returns st. */
struct status init_complain(const char *what, struct status st);
/* An act that was done. */
struct status init_record(struct init *init, const char *act,
    const struct key_id *key, const char *ledger_key);

/* In each pool's token: the ledger's key (the first one), the wrapping key, and
 * the key encryption key of a wrapped pool. */
STATUS init_pools(struct init *init);

#endif
