/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_NOTICE_TEXT_H
#define CERTD_NOTICES_NOTICE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/scoped.h"
#include "certd/notices/store_notices.h"

/*
 * One notice while it is written, as plain text, as HTML and as JSON at once.
 * What is put in may be anybody's words: they are made fit to be seen and are
 * escaped here, so none of them becomes a header, a tag or a second line.  When
 * memory ends nothing more is added, and notice_text_end says so.  One thread.
 */
struct notice_text;

/* console_url: "https://certs.example.net", or "": there are no links. */
struct notice_text *notice_text_new(const char *console_url);
void notice_text_free(struct notice_text *text); /* NULL is allowed */
SCOPED_RELEASE(notice_text_free, struct notice_text *);

/* The subject, and the heading: one line. */
void notice_text_subject(struct notice_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A paragraph. */
void notice_text_say(struct notice_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A line of a table: what, and its value. */
void notice_text_fact(struct notice_text *text, const char *label,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/*
 * A row of a list: cells, ended by one without a head, the first of which is
 * what the row is about and links to a page of the console, "certificates/17".
 * The first row of a list heads its columns by the names of its cells.
 */
struct notice_text_cell {
	const char *head, *value;
};
void notice_text_row(struct notice_text *text, const char *page,
    const struct notice_text_cell *cells);
/* A line to be copied as it is, such as a DNS record. */
void notice_text_code(struct notice_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A page of the console, "certificates/17"; nothing without a console_url. */
void notice_text_link(struct notice_text *text, const char *label,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* "2026-01-02 03:04 UTC". */
#define NOTICE_TIME_MAX 32
void notice_text_time(int64_t at_s, char ret_text[NOTICE_TIME_MAX]);

/* ---- for programs: members of "data" ---- */

void notice_text_data(
    struct notice_text *text, const char *key, const char *value);
void notice_text_number(
    struct notice_text *text, const char *key, int64_t value);
/* One more of a list of texts. */
void notice_text_item(
    struct notice_text *text, const char *key, const char *value);
/* One more of a list of objects; those that follow go into it, until NULL. */
void notice_text_object(struct notice_text *text, const char *key);

/* ---- the end ---- */

const char *notice_text_title(const struct notice_text *text);

/*
 * text and html are without their end, which sending adds: how to stop such
 * mails.  payload is without its id: {"event": ...}, certd/notices/payload.
 * False when memory ended.
 */
bool notice_text_end(struct notice_text *text, const struct notice_row *of,
    struct notice_body *ret_body);
/* What sending adds: a line of text and, unless "", a link of its own words.
 * malloc'd; NULL when memory ends. */
char *notice_text_foot(const char *body, const char *line, const char *url);
char *notice_text_foot_html(
    const char *body, const char *line, const char *label, const char *url);

#endif
