/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An answer as it comes: its body in a buffer that grows up to a bound, and of
 * its header what ACME needs.  Refuses too much of either.  What is malformed
 * or too long in a header field counts as not said.
 */

#include "acme/http_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "acme/header.h"
#include "base/clock.h"

#define HEADERS_MAX (64 * 1024) /* octets of an answer's header */

bool
acme_http_answer_body(struct acme_http_answer *answer, struct bytes octets)
{
	struct acme_http_reply *reply = &answer->reply;

	if (octets.len > answer->max_len - reply->len) {
		answer->is_cut = answer->cuts;
		answer->is_too_long = !answer->cuts;
		return false;
	}
	if (reply->len + octets.len + 1 > answer->room) {
		size_t room = 2 * (reply->len + octets.len) + 1024;
		char *body = realloc(reply->body, room);

		if (body == NULL)
			return false;
		reply->body = body;
		answer->room = room;
	}
	memcpy(reply->body + reply->len, octets.at, octets.len);
	reply->len += octets.len;
	return true;
}

static void
keep(struct bytes value, char *ret_text, size_t max)
{
	if (value.len >= max || memchr(value.at, '\0', value.len) != NULL)
		return;
	memcpy(ret_text, value.at, value.len);
	ret_text[value.len] = '\0';
}

static void
keep_links(struct acme_http_reply *reply, struct bytes value)
{
	const size_t max = sizeof(reply->links) / sizeof(reply->links[0]);
	struct acme_header_link link;

	while (reply->n_links < max && acme_header_link(&value, &link)) {
		memcpy(reply->links[reply->n_links].rel, link.rel,
		    sizeof(link.rel));
		memcpy(reply->links[reply->n_links].url, link.url,
		    sizeof(link.url));
		reply->n_links++;
	}
}

static bool
is_named(struct bytes line, const char *name)
{
	const size_t len = strlen(name);

	return line.len > len && line.at[len] == ':' &&
	       strncasecmp((const char *)line.at, name, len) == 0;
}

static struct bytes
value_of(struct bytes line)
{
	const uint8_t *colon = memchr(line.at, ':', line.len);
	struct bytes value = { colon + 1,
		(size_t)(line.at + line.len - colon - 1) };

	while (value.len > 0 && (value.at[0] == ' ' || value.at[0] == '\t')) {
		value.at++;
		value.len--;
	}
	return value;
}

static void
keep_field(struct acme_http_answer *answer, struct bytes line)
{
	struct acme_http_reply *reply = &answer->reply;

	if (is_named(line, "content-type"))
		acme_header_media_type(value_of(line), reply->content_type,
		    sizeof(reply->content_type));
	else if (is_named(line, "replay-nonce") &&
		 acme_header_is_nonce(value_of(line)))
		keep(value_of(line), reply->nonce, sizeof(reply->nonce));
	else if (is_named(line, "location"))
		keep(value_of(line), reply->location, sizeof(reply->location));
	else if (is_named(line, "link"))
		keep_links(reply, value_of(line));
	else if (is_named(line, "retry-after"))
		keep(value_of(line), answer->retry_after,
		    sizeof(answer->retry_after));
	else if (is_named(line, "date"))
		acme_header_date(value_of(line), &answer->date_s);
}

static void
begin(struct acme_http_answer *answer)
{
	acme_http_reply_done(&answer->reply);
	answer->reply = (struct acme_http_reply){ .status = 0 };
	answer->room = 0;
	answer->retry_after[0] = '\0';
	answer->date_s = -1;
}

bool
acme_http_answer_header(struct acme_http_answer *answer, struct bytes line)
{
	answer->header_len += line.len;
	if (answer->header_len > HEADERS_MAX) {
		answer->is_too_long = true;
		return false;
	}
	/* Another answer begins, of which there may be one of 1xx before. */
	if (line.len > 5 && memcmp(line.at, "HTTP/", 5) == 0) {
		begin(answer);
		return true;
	}
	while (line.len > 0 && (line.at[line.len - 1] == '\n' ||
				   line.at[line.len - 1] == '\r' ||
				   line.at[line.len - 1] == ' '))
		line.len--;
	keep_field(answer, line);
	return true;
}

STATUS
acme_http_answer_finish(struct acme_http_answer *answer, char *ret_why)
{
	struct acme_http_reply *reply = &answer->reply;

	if (reply->body == NULL)
		reply->body = malloc(1);
	if (reply->body == NULL) {
		snprintf(
		    ret_why, ACME_HTTP_WHY_MAX, "there is not enough memory");
		return status_fail(
		    STATUS_UNAVAILABLE, "there is not enough memory");
	}
	reply->body[reply->len] = '\0';
	/* By the server's own clock where it shows it. */
	reply->retry_after_ms =
	    acme_header_retry_after_ms(bytes_of(answer->retry_after),
		answer->date_s >= 0 ? answer->date_s : clock_wall_s());
	return status_ok();
}
