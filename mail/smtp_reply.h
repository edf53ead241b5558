/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAIL_SMTP_REPLY_H
#define MAIL_SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

/*
 * What a mail server answered last (RFC 5321 4.2), out of foreign octets: a
 * code and a text, of several lines perhaps, of which the begin is kept.  Pure
 * functions.
 */
#define SMTP_REPLY_TEXT_MAX 512

struct smtp_reply {
	int code;     /* 200..599; 0: there was none */
	bool goes_on; /* more lines are to come */
	size_t len;
	char text[SMTP_REPLY_TEXT_MAX]; /* as it came, not closed by a zero */
};

/* One line, with or without its end.  The first one behind a whole reply begins
 * the next; what is no line of a reply is passed over. */
void smtp_reply_line(struct smtp_reply *reply, struct bytes line);

/* "550 5.1.1 no such user", fit to be seen, cut at max - 1 octets; "" when
 * there was none. */
void smtp_reply_print(
    const struct smtp_reply *reply, char *ret_text, size_t max);

#endif
