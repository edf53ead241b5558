/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_NOTICE_TELL_H
#define CERTD_NOTICES_NOTICE_TELL_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/db.h"
#include "base/metrics.h"
#include "base/status.h"
#include "certd/notices/notice_event.h"
#include "certd/notices/notice_text.h"
#include "certd/notices/store_rules.h"

/*
 * Telling: an occasion becomes a row for each recipient who was not told of it
 * yet, written out once for all of them.  In the caller's transaction, so that
 * what found the occasion moves on in the same one.
 */
struct notice_teller {
	const char *console_url; /* "": no links; all borrowed */
	const struct conf_strings *operators;
	/* What may go out in one mail with others waits so long for them. */
	int64_t gather_s;
	struct metric_counter *told[NOTICE_EVENTS]; /* NULL: not counted */
	atomic_uint_least64_t n_told;               /* rows that were made */
};

struct notice_occasion {
	int64_t account; /* 0: about the whole */
	int event;
	const char *object;   /* "certificate 17" */
	const char *occasion; /* "14 days": once for each recipient */
	int days;
	int64_t end_s; /* a mail of it comes too late then; 0: it never does */
	const struct rule_row *rule; /* this one alone; NULL: all */
	const int64_t *contacts;     /* that an enrollment names */
	size_t n_contacts;
	/* Asked when there is anybody to be told. */
	struct status (*write)(
	    void *ctx, struct db_tx *tx, struct notice_text *text);
	void *ctx;
};

/* *ret_n: how many rows are new. */
STATUS notice_tell(struct db_tx *tx, struct notice_teller *teller,
    const struct notice_occasion *occasion, size_t *ret_n);

#endif
