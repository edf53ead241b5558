/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What all checks share: time, weights, and findings.  What comes from DNS, web
 * servers or edges is made fit to be seen where it enters the report, once; how
 * much a report may hold is bounded there too.
 */

#include "certd/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/printable.h"
#include "certd/reach.h"
#include "proto/message.h"

typedef Holdfast__Certd__V1__Finding finding_msg;

/* ---- the run ---- */

bool
check_is_late(const struct check_run *run)
{
	return clock_mono_ns() >= run->until_ns;
}

unsigned
check_left_ms(const struct check_run *run, unsigned max)
{
	int64_t left_ms = (run->until_ns - clock_mono_ns()) / NS_PER_MS;

	if (left_ms <= 0)
		return 1;
	return left_ms < (int64_t)max ? (unsigned)left_ms : max;
}

bool
check_may_connect(const struct check_run *run, const char *address)
{
	return run->config->config->checks.allow_private ||
	       reach_is_public(address);
}

enum check_result
check_weigh(const struct check_run *run, const struct check_host *host)
{
	return run->is_preflight && host->validation != VALIDATION_HTTP_01
		   ? CHECK_WARNING
		   : CHECK_FAIL;
}

bool
check_uses_acme(const struct check_run *run)
{
	return run->is_preflight || run->has_enrollment ||
	       (run->has_resource && (run->resource.mode == MODE_ACME ||
					 run->resource.mode == MODE_AUTOMATIC));
}

/* ---- findings ---- */

static void append(char *text, size_t max, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void
append(char *text, size_t max, const char *format, va_list args)
{
	size_t len = strlen(text);

	(void)!vsnprintf(text + len, max - len, format, args);
}

#define APPENDER(name)                                                         \
	void check_##name(                                                     \
	    struct check_finding *finding, const char *format, ...)            \
	{                                                                      \
		va_list args;                                                  \
                                                                               \
		va_start(args, format);                                        \
		append(finding->name, sizeof(finding->name), format, args);    \
		va_end(args);                                                  \
	}

APPENDER(seen)
APPENDER(why)
APPENDER(remedy)
APPENDER(detail)

void
check_cut(char *text, size_t room)
{
	size_t len = strlen(text), from = len;
	uint32_t point;

	if (len + 1 < room)
		return;
	while (from > 0 && len - from < 3 &&
	       ((uint8_t)text[from - 1] & 0xc0) == 0x80)
		from--;
	if (from > 0 && ((uint8_t)text[from - 1] & 0x80) != 0)
		from--;
	if (from < len &&
	    printable_take((struct bytes){ (uint8_t *)text + from, len - from },
		&point) != len - from)
		text[from] = 0;
}

/* Lines, and tabs as blanks, are what it may have of control characters; max
 * octets with the zero. */
static bool
set_clean(char **field, const char *text, size_t max)
{
	size_t room = PRINTABLE_MAX(strlen(text)) + 1, len = 0;
	char *clean;
	bool done;

	if (text[0] == 0 || max < 2)
		return true;
	clean = malloc(room);
	if (clean == NULL)
		return false;
	clean[0] = 0;
	while (*text != 0) {
		size_t line = strcspn(text, "\n\t");

		len += printable_print(
		    (struct bytes){ (const uint8_t *)text, line }, clean + len,
		    room - len);
		text += line;
		if (*text != 0)
			clean[len++] = *text++ == '\n' ? '\n' : ' ';
		clean[len] = 0;
	}
	if (len >= max) {
		clean[max - 1] = 0;
		check_cut(clean, max);
	}
	done = message_text(field, clean);
	free(clean);
	return done;
}

STATUS
check_add(struct check_run *run, const struct check_finding *finding)
{
	finding_msg *to = message_append(&run->report->n_findings,
	    &run->report->findings, &holdfast__certd__v1__finding__descriptor);

	if (to == NULL)
		return message_no_memory();
	to->result = (Holdfast__Certd__V1__Finding__Result)finding->result;
	if (!message_text(&to->check, run->check) ||
	    !message_text(&to->title, run->title) ||
	    (finding->hostname != NULL &&
		!message_text(&to->hostname, finding->hostname)) ||
	    !set_clean(&to->seen, finding->seen, sizeof(finding->seen)) ||
	    !set_clean(&to->why, finding->why, sizeof(finding->why)) ||
	    !set_clean(&to->remedy, finding->remedy, sizeof(finding->remedy)) ||
	    !set_clean(&to->detail, finding->detail, run->detail_left))
		return message_no_memory();
	if (to->detail != NULL)
		run->detail_left -= strlen(to->detail);
	return status_ok();
}

STATUS
check_say(struct check_run *run, enum check_result result, const char *hostname,
    const char *seen)
{
	struct check_finding finding = { .result = result,
		.hostname = hostname };

	check_seen(&finding, "%s", seen);
	return check_add(run, &finding);
}
