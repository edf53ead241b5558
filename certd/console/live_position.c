/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which topics a caller may be told of, and where they are: a position is their
 * numbers (store_live.h) one behind the other, 0 for those that it may not know
 * of.  Who reads first and looks on then takes one from before it read, and
 * misses nothing between.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/console/live.h"
#include "certd/console/live_int.h"

#define DIGITS_MAX 19 /* of a number, without the point before it */

/* ---- who may be told of what ---- */

unsigned
live_topics_of(const struct caller *caller)
{
	unsigned scopes = caller->scopes == 0 ? ~0U : caller->scopes;
	unsigned topics = 0;

	if ((scopes & SCOPE_CERTIFICATES_READ) != 0)
		topics |= LIVE_BIT(LIVE_CERTIFICATES) | LIVE_BIT(LIVE_CHANGES) |
			  LIVE_BIT(LIVE_ENROLLMENTS) | LIVE_BIT(LIVE_KEYS);
	if ((scopes & SCOPE_RESOURCES_READ) != 0)
		topics |= LIVE_BIT(LIVE_RESOURCES) | LIVE_BIT(LIVE_EDGES);
	if ((scopes & SCOPE_ACCOUNT_READ) != 0)
		topics |= LIVE_BIT(LIVE_NOTICES);
	if ((scopes & SCOPE_ACCOUNT_READ) != 0 &&
	    (caller->is & ALLOW_MANAGE_READ) != 0)
		topics |= LIVE_BIT(LIVE_HISTORY);
	return topics;
}

/* ---- positions ---- */

STATUS
live_position(struct db_tx *tx, const struct caller *caller,
    char ret_position[LIVE_POSITION_MAX])
{
	_Static_assert(LIVE_POSITION_MAX > LIVE_TOPICS * (DIGITS_MAX + 1),
	    "all numbers fit");
	const unsigned topics = live_topics_of(caller);
	int64_t at[LIVE_TOPICS];
	struct status st = store_live_read(tx, caller->account, at);
	size_t n = 0;

	if (failed(st))
		return st;
	for (unsigned i = 0; i < LIVE_TOPICS; i++)
		n += (size_t)snprintf(ret_position + n, LIVE_POSITION_MAX - n,
		    "%s%" PRId64, i == 0 ? "" : ".",
		    (topics & LIVE_BIT(i)) == 0 ? 0 : at[i]);
	return st;
}

/* One number, and the point before it where it is not the first. */
static bool
take(const char **at, bool is_first, int64_t *ret_number)
{
	const char *from = *at;
	size_t len;

	if (!is_first && *from++ != '.')
		return false;
	len = strspn(from, "0123456789");
	if (len == 0 || len > DIGITS_MAX)
		return false;
	*ret_number = strtoll(from, NULL, 10);
	*at = from + len;
	return true;
}

static struct status
refuse(void)
{
	return status_fail(STATUS_INVALID_ARGUMENT,
	    "position is none that a session was told of as live_position");
}

STATUS
live_position_since(const char *position, unsigned topics,
    const int64_t now[LIVE_TOPICS], unsigned *ret_news)
{
	unsigned news = 0;
	int64_t then = 0;

	for (unsigned i = 0; i < LIVE_TOPICS; i++) {
		if (!take(&position, i == 0, &then))
			return refuse();
		if (then != now[i])
			news |= LIVE_BIT(i);
	}
	if (*position != 0)
		return refuse();
	*ret_news = news & topics;
	return status_ok();
}
