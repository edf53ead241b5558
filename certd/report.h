/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_REPORT_H
#define CERTD_REPORT_H

#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/store.h"

/* The service Status: how certd is, and what was done. */
struct report;

struct report_config { /* borrowed for its life */
	struct store *store;
	const char *identity; /* "spiffe://..." */
	const char *sandbox;  /* hardening_text; NULL: not known */
	/* Why keyd cannot be reached, empty while it can (custody_trouble);
	 * NULL: not asked. */
	void (*keyd_trouble)(void *trouble_ctx, char *ret_why);
	/* The same of mail. */
	void (*mail_trouble)(void *trouble_ctx, char *ret_why);
	void *trouble_ctx; /* of both; certd/people.h sets all three */
	/* Edges that are live, and that keep newer files than ours; NULL: not
	 * known. */
	void (*edges)(void *ctx, uint32_t *ret_live, uint32_t *ret_held_back);
	void *ctx; /* of edges */
};

STATUS report_new(
    const struct report_config *config, struct report **ret_report);
STATUS report_register(struct report *report, struct api *api);
void report_free(struct report *report); /* NULL is allowed */
SCOPED_RELEASE(report_free, struct report *);

#endif
