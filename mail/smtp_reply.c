/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Replies of mail servers; see smtp_reply.h.  Lines of one reply are joined by
 * a blank.  Many servers begin each with the same enhanced code (RFC 3463),
 * which is kept once.
 */

#include "mail/smtp_reply.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"

static bool
is_digit(uint8_t octet)
{
	return octet >= '0' && octet <= '9';
}

/* "550-text", "550 text" or "550" alone. */
static bool
is_reply(struct bytes line)
{
	return line.len >= 3 && line.at[0] >= '2' && line.at[0] <= '5' &&
	       is_digit(line.at[1]) && is_digit(line.at[2]) &&
	       (line.len == 3 || line.at[3] == ' ' || line.at[3] == '-');
}

/* Octets of "5.1.1 " in front; 0: none. */
static size_t
enhanced_len(const uint8_t *at, size_t len)
{
	size_t used = 0, dots = 0;

	while (used < len && (is_digit(at[used]) || at[used] == '.'))
		dots += at[used++] == '.';
	return dots == 2 && used < len && at[used] == ' ' ? used + 1 : 0;
}

static void
add(struct smtp_reply *reply, struct bytes text)
{
	size_t room = sizeof(reply->text) - reply->len;
	size_t same = enhanced_len(text.at, text.len);

	if (reply->len > 0 && same > 0 && same <= reply->len &&
	    memcmp(reply->text, text.at, same) == 0) {
		text.at += same;
		text.len -= same;
	}
	if (reply->len > 0 && text.len > 0 && room > 0) {
		reply->text[reply->len++] = ' ';
		room--;
	}
	if (text.len > room)
		text.len = room;
	if (text.len > 0)
		memcpy(reply->text + reply->len, text.at, text.len);
	reply->len += text.len;
}

void
smtp_reply_line(struct smtp_reply *reply, struct bytes line)
{
	while (line.len > 0 && (line.at[line.len - 1] == '\n' ||
				   line.at[line.len - 1] == '\r' ||
				   line.at[line.len - 1] == ' '))
		line.len--;
	if (!is_reply(line))
		return;
	if (!reply->goes_on)
		reply->len = 0;
	reply->code = (line.at[0] - '0') * 100 + (line.at[1] - '0') * 10 +
		      (line.at[2] - '0');
	reply->goes_on = line.len > 3 && line.at[3] == '-';
	if (line.len > 4)
		add(reply, (struct bytes){ line.at + 4, line.len - 4 });
}

void
smtp_reply_print(const struct smtp_reply *reply, char *ret_text, size_t max)
{
	struct bytes text = { (const uint8_t *)reply->text, reply->len };
	int used;

	ret_text[0] = 0;
	if (reply->code == 0)
		return;
	used = snprintf(
	    ret_text, max, "%d%s", reply->code, reply->len > 0 ? " " : "");
	if (used > 0 && (size_t)used < max)
		printable_print(text, ret_text + used, max - (size_t)used);
}
