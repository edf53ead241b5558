/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One record, one line, one write(2).  The line is built in a fixed buffer, so
 * logging allocates nothing and takes no lock.  Values pass one escaper, which
 * lets no quote, control character, invisible or direction-changing character
 * or broken UTF-8 through.  A line that would be too long is cut inside a
 * value and still closed: a cut record stays well formed.
 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/printable.h"

#define LINE_MAX_ 2048
#define TAIL_MAX 3 /* a closing quote, a brace, the newline */
#define REQUEST_MAX 64

struct line {
	enum log_format format;
	size_t len;
	bool is_full; /* what comes now is dropped */
	char at[LINE_MAX_];
};

static _Atomic enum log_level least_level = LOG_INFO;
static _Atomic enum log_format line_format = LOG_LOGFMT;
static _Thread_local char request[REQUEST_MAX];

static const char *const level_names[] = {
	[LOG_DEBUG] = "debug",
	[LOG_INFO] = "info",
	[LOG_WARN] = "warn",
	[LOG_ERROR] = "error",
};

/* All of the text or nothing, and then nothing more. */
static void
put(struct line *line, const char *text, size_t len)
{
	if (line->is_full || line->len + len > LINE_MAX_ - TAIL_MAX) {
		line->is_full = true;
		return;
	}
	memcpy(line->at + line->len, text, len);
	line->len += len;
}

/* Into the room kept free for it. */
static void
put_tail(struct line *line, char c)
{
	line->at[line->len++] = c;
}

static void
put_escaped(struct line *line, const char *text)
{
	struct bytes rest = bytes_of(text);
	char escape[16];

	while (rest.len > 0 && !line->is_full) {
		uint32_t point = 0;
		size_t len = printable_take(rest, &point);

		if (len == 0) {
			put(line, "\\ufffd", 6);
			len = 1;
		} else if (point == '"' || point == '\\') {
			escape[0] = '\\';
			escape[1] = (char)point;
			put(line, escape, 2);
		} else if (point == '\n') {
			put(line, "\\n", 2);
		} else if (!printable_point(point)) {
			snprintf(
			    escape, sizeof(escape), "\\u%04" PRIx32, point);
			put(line, escape, 6);
		} else {
			put(line, (const char *)rest.at, len);
		}
		rest.at += len;
		rest.len -= len;
	}
}

static bool
is_plain(const char *text)
{
	const char *at = text;

	while (
	    *at > ' ' && *at <= '~' && *at != '"' && *at != '=' && *at != '\\')
		at++;
	return *at == '\0' && at != text;
}

/* The field's name and what stands before its value. */
static void
put_key(struct line *line, const char *key)
{
	bool is_json = line->format == LOG_JSON;
	char head[80];
	int len = snprintf(head, sizeof(head), is_json ? "%s\"%s\":" : "%s%s=",
	    line->len == 0 ? (is_json ? "{" : "") : (is_json ? "," : " "), key);

	if (len < 0 || (size_t)len >= sizeof(head))
		line->is_full = true;
	/* Room for a number behind it, so that none is half printed. */
	else if (line->len + (size_t)len + 24 > LINE_MAX_ - TAIL_MAX)
		line->is_full = true;
	put(line, head, (size_t)len);
}

static void
put_str(struct line *line, const char *key, const char *value)
{
	put_key(line, key);
	if (line->is_full)
		return;
	if (line->format == LOG_LOGFMT && is_plain(value) &&
	    line->len + strlen(value) <= LINE_MAX_ - TAIL_MAX) {
		put(line, value, strlen(value));
		return;
	}
	put(line, "\"", 1);
	put_escaped(line, value);
	put_tail(line, '"');
}

static void
put_number(struct line *line, const struct log_field *field)
{
	char text[24];
	int len =
	    field->type == LOG_FIELD_UINT
		? snprintf(text, sizeof(text), "%" PRIu64, field->value.uint)
		: snprintf(text, sizeof(text), "%" PRId64, field->value.sint);

	put_key(line, field->key);
	if (len > 0)
		put(line, text, (size_t)len);
}

static void
write_line(const struct line *line)
{
	ssize_t n;

	do {
		n = write(STDERR_FILENO, line->at, line->len);
	} while (n < 0 && errno == EINTR);
}

void
log_setup(enum log_level least, enum log_format format)
{
	least_level = least;
	line_format = format;
}

void
log_write(enum log_level level, const char *msg, const struct log_field *fields)
{
	struct line line = { .format = line_format };
	int saved_errno = errno;
	char now[CLOCK_TEXT_MAX];

	if (level < least_level)
		return;
	clock_print(clock_wall_ns(), now);
	put_str(&line, "time", now);
	put_str(&line, "level", level_names[level]);
	put_str(&line, "msg", msg);
	if (request[0] != '\0')
		put_str(&line, "request", request);
	for (; fields->key != NULL && !line.is_full; fields++) {
		if (fields->type != LOG_FIELD_STR)
			put_number(&line, fields);
		else
			put_str(&line, fields->key,
			    fields->value.str != NULL ? fields->value.str : "");
	}
	if (line.format == LOG_JSON)
		put_tail(&line, '}');
	put_tail(&line, '\n');
	write_line(&line);
	errno = saved_errno;
}

void
log_set_request(const char *id)
{
	size_t len = id != NULL ? strnlen(id, REQUEST_MAX - 1) : 0;

	if (len > 0)
		memcpy(request, id, len);
	request[len] = '\0';
}
