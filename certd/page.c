/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Page tokens and rows of a page; see page.h.  A token is read strictly, so
 * what a caller makes up is refused and not taken for the first page.
 */

#include "certd/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "certd/store.h"
#include "proto/message.h"

#define DIGITS_MAX 18

void
page_print(int64_t last_id, char ret_token[PAGE_TOKEN_MAX])
{
	snprintf(ret_token, PAGE_TOKEN_MAX, "p%" PRId64, last_id);
}

STATUS
page_read(const char *token, int64_t *ret_last_id)
{
	const char *digits = token + 1;
	int64_t id = 0;

	if (token[0] == 0) {
		*ret_last_id = 0;
		return status_ok();
	}
	if (token[0] != 'p' || digits[0] < '1' || digits[0] > '9' ||
	    strspn(digits, "0123456789") != strlen(digits) ||
	    strlen(digits) > DIGITS_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "page_token is none that a list gave; leave it empty to "
		    "begin again");
	for (; *digits != 0; digits++)
		id = 10 * id + (*digits - '0');
	*ret_last_id = id;
	return status_ok();
}

STATUS
page_find(struct db_tx *tx, const struct caller *caller,
    const struct page_ask *ask, struct page *ret_page)
{
	struct page page;
	struct status st = store_page_size(ask->size, &page.size);

	if (!failed(st))
		st = page_read(ask->token, &page.from);
	if (!failed(st))
		st = caller_account_or_all(
		    caller, tx, ask->account, &page.account);
	if (!failed(st))
		*ret_page = page;
	return st;
}

STATUS
page_next(int64_t last_id, bool more, char **ret_token)
{
	char token[PAGE_TOKEN_MAX];

	page_print(last_id, token);
	return !more || message_text(ret_token, token) ? status_ok()
						       : message_no_memory();
}

STATUS
page_rows(struct db_rows *rows, uint32_t size,
    bool (*each)(void *ctx, struct db_rows *row), void *ctx, bool *ret_more)
{
	for (uint32_t n = 0;; n++) {
		bool row = false;
		struct status st = db_next(rows, &row);

		if (failed(st))
			return st;
		if (!row || n == size) {
			*ret_more = row;
			return st;
		}
		if (!each(ctx, rows))
			return message_no_memory();
	}
}
