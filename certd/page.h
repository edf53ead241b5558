/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_PAGE_H
#define CERTD_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/caller.h"

/*
 * Pages of lists that are in order of an id: where the next one begins is the
 * last id of this one, in a text that callers only hand back.
 */
#define PAGE_TOKEN_MAX 24

void page_print(int64_t last_id, char ret_token[PAGE_TOKEN_MAX]);
/* "" is 0.  INVALID_ARGUMENT for what page_print never gave. */
STATUS page_read(const char *token, int64_t *ret_last_id);

/* A page of what an account has, as it is asked for; both borrowed. */
struct page_ask {
	const char *account, *token;
	uint32_t size;
};

struct page {
	int64_t account; /* 0: every account */
	/* What comes after this id, in the list's order; 0: the first one. */
	int64_t from;
	uint32_t size;
};

/* What of it the caller sees. */
STATUS page_find(struct db_tx *tx, const struct caller *caller,
    const struct page_ask *ask, struct page *ret_page);
/* Puts next_page_token into a message; it stays empty without more. */
STATUS page_next(int64_t last_id, bool more, char **ret_token);

/* Show at most size rows to each, which returns false when memory ends;
 * *ret_more: there is another one after them. */
STATUS page_rows(struct db_rows *rows, uint32_t size,
    bool (*each)(void *ctx, struct db_rows *row), void *ctx, bool *ret_more);

#endif
