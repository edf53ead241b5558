/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_CERTIFICATE_LIST_H
#define CERTD_STORE_CERTIFICATE_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/store_certificates.h"

/*
 * A page of certificates.  What a page costs is bounded, however many there
 * are: where words, dates or a resource leave few, those are looked at; else
 * the list is walked in its order, past CERTIFICATE_LIST_WALK rows at most.  So
 * a page may hold fewer than asked for, even none, and yet not be the last one.
 */
#define CERTIFICATE_LIST_FEW 5000
#define CERTIFICATE_LIST_WALK 5000

enum certificate_order {
	CERTIFICATE_BY_ID,
	CERTIFICATE_BY_NAME,
	CERTIFICATE_BY_EXPIRY,
};

/* Behind which row a page begins; the row need not be there any more. */
struct certificate_cursor {
	bool is_set;
	int64_t id;
	int64_t not_after_s;             /* BY_EXPIRY */
	char name[CERTIFICATE_NAME_MAX]; /* BY_NAME */
};

struct certificate_filter {
	/* 0: of all; else the account's own, and the shared ones, which are
	 * there for every account. */
	int64_t account;
	unsigned kinds; /* 1 << kind, together */
	enum certificate_order order;
	bool is_descending;
	const char *search;       /* NULL or "": all */
	int64_t expires_before_s; /* this second too; 0: all */
	bool unused;              /* only those that no resource holds */
	/*
	 * Only those that may be bound to this resource, and account is its
	 * account.  Of those for its first host name, and of those for the
	 * wildcard above it, the newest CERTIFICATE_LIST_WALK are looked at.
	 * 0: all.
	 */
	int64_t for_resource;
	int64_t now_s;
	uint32_t size;
	struct certificate_cursor after;
};

/*
 * each may ask the same transaction for more.  *ret_next is not set when the
 * list has ended.  INVALID_ARGUMENT: search (certd/search.h); what each fails
 * with.
 */
STATUS store_certificate_list(struct db_tx *tx,
    const struct certificate_filter *filter,
    struct status (*each)(void *ctx, const struct store_certificate *found),
    void *ctx, struct certificate_cursor *ret_next);

#endif
