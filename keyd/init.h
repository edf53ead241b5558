/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_INIT_H
#define KEYD_INIT_H

#include "base/status.h"
#include "keyd/config.h"

/*
 * keyd init: makes what keyd needs and is not there yet, and says on stdout
 * what it did.  Run again it changes nothing that is there.
 */
struct init_options {
	const char *config_path; /* for the commands it prints */
	/* Name of the operator to invite; NULL: "operator", and only while
	 * there is no operator. */
	const char *operator_name;
	const char *join_path; /* NULL: NAME.join in the current folder */
	/* The audit folder was set aside for good: begin a ledger with a key
	 * of its own. */
	bool is_new_ledger;
};

/*
 * Complaints go to stderr in full, with what to do; the status is for the exit
 * code.  Starts worker processes, so main must serve "worker" and "ca-worker".
 */
STATUS init_run(
    const struct config *config, const struct init_options *options);

#endif
