/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_DOSSIER_INT_H
#define KEYD_DOSSIER_INT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/signing.h"
#include "hsm/hsm.h"
#include "keyd/registry.h"
#include "ledger/merkle.h"
#include "ledger/note.h"

/* Between the keyd/dossier*.c. */

/* ---- what the ledger says of a key (dossier_scan.c) ---- */

#define DOSSIER_ACTS_MAX 5000
#define DOSSIER_USES_MAX 2000
#define DOSSIER_NAMES_MAX 1000

struct dossier_act {
	uint64_t number;
	uint8_t *octets; /* malloc'd */
	size_t len;
};

/* One peer in one context. */
struct dossier_use {
	char peer[SPIFFE_ID_MAX];
	uint32_t context;
	uint64_t signatures, refusals;
	int64_t first_ns, last_ns;
};

/* A name that a CSR of the key spoke for. */
struct dossier_name {
	char *text; /* malloc'd, escaped */
	uint64_t number;
	int64_t time_ns; /* of the last one */
};

struct dossier_scan {
	struct key_id key;
	int64_t deadline_ns;
	struct dossier_act *acts;
	struct dossier_use *uses;
	struct dossier_name *names;
	size_t n_acts, n_uses, n_names;
	/* What the maxima left out. */
	uint64_t acts_left, uses_left, names_left;
	struct status st;
};

/* Read entries [0, size) of the folder.  ret_scan is set in each case. */
STATUS dossier_scan(const char *folder, uint64_t size, const struct key_id *key,
    int64_t deadline_ns, struct dossier_scan *ret_scan);
void dossier_scan_done(struct dossier_scan *scan);

/* ---- the document (dossier_json.c) ---- */

struct dossier_facts {
	const char *origin, *made_for;
	int64_t made_ns;
	const struct registry_key *key;
	const struct registry_grant *grants;
	size_t n_grants;
	const struct registry_approval *approvals; /* of any key */
	size_t n_approvals;
	bool older_approvals; /* there are more, which were not looked at */
	/* As the token reports them now; NULL: not_asked says why. */
	const struct hsm_key *now;
	const char *not_asked;
	struct bytes checkpoint; /* the note */
	const struct checkpoint *tree;
	const struct dossier_scan *scan;
	const char *folder;
};

/* malloc'd; free it with free(3). */
STATUS dossier_write(const struct dossier_facts *facts, char **ret_json);

#endif
