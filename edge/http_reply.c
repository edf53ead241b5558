/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A reader of HTTP/1 responses that keeps little: head line by line, then the
 * first octets of the body, by length, in chunks, or up to the end.  It starts
 * anew with each octet that comes, for there are few.  Interim responses (1xx)
 * are passed over.  Two lengths that differ, or a length beside chunks, are
 * refused: such a response can be read in more than one way.
 */

#include "edge/http_reply.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

struct reader {
	struct bytes left;
	bool is_end;
	bool has_length, is_chunked;
	uint64_t length;
	struct http_reply *reply;
};

/* A line without its end; false: it has not come whole. */
static bool
take_line(struct reader *r, struct bytes *ret_line)
{
	const uint8_t *end =
	    r->left.len == 0 ? NULL : memchr(r->left.at, '\n', r->left.len);
	size_t len;

	if (end == NULL)
		return false;
	len = (size_t)(end - r->left.at);
	*ret_line = (struct bytes){ r->left.at, len };
	if (len > 0 && r->left.at[len - 1] == '\r')
		ret_line->len--;
	r->left.at += len + 1;
	r->left.len -= len + 1;
	return true;
}

static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* "HTTP/1.1 404 Not Found" */
static bool
read_status(struct bytes line, unsigned *ret_status)
{
	const uint8_t *at = line.at;

	if (line.len < 12 || memcmp(at, "HTTP/1.", 7) != 0 ||
	    !is_digit(at[7]) || at[8] != ' ' || at[9] < '1' || at[9] > '5' ||
	    !is_digit(at[10]) || !is_digit(at[11]) ||
	    (line.len > 12 && at[12] != ' '))
		return false;
	*ret_status = (unsigned)(at[9] - '0') * 100 +
		      (unsigned)(at[10] - '0') * 10 + (unsigned)(at[11] - '0');
	return true;
}

/* The value of a field of that name. */
static bool
read_field(struct bytes line, const char *name, struct bytes *ret_value)
{
	size_t len = strlen(name);

	if (line.len <= len || line.at[len] != ':' ||
	    strncasecmp((const char *)line.at, name, len) != 0)
		return false;
	line.at += len + 1;
	line.len -= len + 1;
	while (line.len > 0 && (line.at[0] == ' ' || line.at[0] == '\t')) {
		line.at++;
		line.len--;
	}
	while (line.len > 0 &&
	       (line.at[line.len - 1] == ' ' || line.at[line.len - 1] == '\t'))
		line.len--;
	*ret_value = line;
	return true;
}

/* At most 15 digits of a base; false when it is none. */
static bool
read_number(struct bytes text, unsigned base, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (text.len == 0 || text.len > 15)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.at[i];
		unsigned digit = 16;

		if (is_digit(c))
			digit = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (unsigned)(c - 'a') + 10;
		else if (c >= 'A' && c <= 'F')
			digit = (unsigned)(c - 'A') + 10;
		if (digit >= base)
			return false;
		number = number * base + digit;
	}
	*ret_number = number;
	return true;
}

static bool
take_length(struct reader *r, struct bytes value)
{
	uint64_t length;

	if (!read_number(value, 10, &length) ||
	    (r->has_length && r->length != length))
		return false;
	r->has_length = true;
	r->length = length;
	return true;
}

static bool
take_field(struct reader *r, struct bytes line)
{
	struct bytes value;

	if (read_field(line, "Content-Length", &value))
		return take_length(r, value);
	if (read_field(line, "Transfer-Encoding", &value)) {
		/* Nothing else was asked for. */
		r->is_chunked =
		    value.len == 7 &&
		    strncasecmp((const char *)value.at, "chunked", 7) == 0;
		return r->is_chunked;
	}
	if (read_field(line, "Location", &value)) {
		if (value.len >= sizeof(r->reply->location))
			value.len = sizeof(r->reply->location) - 1;
		if (value.len > 0)
			memcpy(r->reply->location, value.at, value.len);
		r->reply->location[value.len] = '\0';
	}
	return true;
}

static enum http_reply_state
read_head(struct reader *r)
{
	struct bytes line;

	if (!take_line(r, &line))
		return HTTP_REPLY_MORE;
	if (!read_status(line, &r->reply->status))
		return HTTP_REPLY_BAD;
	r->has_length = r->is_chunked = false;
	r->reply->location[0] = '\0';
	while (take_line(r, &line)) {
		if (line.len == 0)
			return r->has_length && r->is_chunked ? HTTP_REPLY_BAD
							      : HTTP_REPLY_DONE;
		if (!take_field(r, line))
			return HTTP_REPLY_BAD;
	}
	return HTTP_REPLY_MORE;
}

/* False: enough is kept. */
static bool
keep(struct http_reply *reply, struct bytes body)
{
	size_t room = sizeof(reply->body) - reply->body_len;
	size_t len = body.len < room ? body.len : room;

	if (len > 0)
		memcpy(reply->body + reply->body_len, body.at, len);
	reply->body_len += len;
	return reply->body_len < sizeof(reply->body);
}

static enum http_reply_state
read_chunks(struct reader *r)
{
	struct bytes line, chunk;
	uint64_t len;

	while (take_line(r, &line)) {
		const uint8_t *extension =
		    line.len == 0 ? NULL : memchr(line.at, ';', line.len);

		if (extension != NULL)
			line.len = (size_t)(extension - line.at);
		if (!read_number(line, 16, &len))
			return HTTP_REPLY_BAD;
		if (len == 0)
			return HTTP_REPLY_DONE;
		chunk.at = r->left.at;
		chunk.len = len < r->left.len ? (size_t)len : r->left.len;
		if (!keep(r->reply, chunk))
			return HTTP_REPLY_DONE;
		r->left.at += chunk.len;
		r->left.len -= chunk.len;
		if (!take_line(r, &line))
			break;
		if (line.len != 0)
			return HTTP_REPLY_BAD;
	}
	return HTTP_REPLY_MORE;
}

static enum http_reply_state
read_body(struct reader *r)
{
	struct bytes body = r->left;
	bool is_whole;

	if (r->is_chunked)
		return read_chunks(r);
	is_whole = r->has_length && body.len >= r->length;
	if (is_whole)
		body.len = (size_t)r->length;
	if (!keep(r->reply, body) || is_whole)
		return HTTP_REPLY_DONE;
	return r->is_end && !r->has_length ? HTTP_REPLY_DONE : HTTP_REPLY_MORE;
}

enum http_reply_state
http_reply_parse(struct bytes octets, bool is_end, struct http_reply *ret_reply)
{
	struct http_reply reply = { .status = 0 };
	struct reader r = { .left = octets, .is_end = is_end, .reply = &reply };
	enum http_reply_state state;

	do {
		state = read_head(&r);
	} while (state == HTTP_REPLY_DONE && reply.status < 200);
	/* A switch of protocols was not asked for, and no body comes then. */
	if (state == HTTP_REPLY_DONE && reply.status != 204 &&
	    reply.status != 304)
		state = read_body(&r);
	if (state == HTTP_REPLY_MORE && is_end)
		state = HTTP_REPLY_BAD;
	if (state == HTTP_REPLY_DONE)
		*ret_reply = reply;
	return state;
}
