/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Notices while they are written; see notice_text.h.  Everything that comes in
 * passes clean(), which leaves one line of characters that can be seen, and
 * what goes into HTML passes html_put().  Mails show what they hold: no
 * pictures, nothing that is fetched, no link but to the console.
 */

#include "certd/notices/notice_text.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/html.h"
#include "base/printable.h"
#include "certd/notices/notice_event.h"

#define RAW_MAX 2048
#define LINE_MAX_ 4096
#define URL_MAX 1024

/* Colours that are read on white and on dark alike are the reader's own. */
#define PAGE                                                                   \
	"<div style=\"font-family:system-ui,-apple-system,'Segoe UI',Roboto,"  \
	"'Helvetica Neue',Arial,sans-serif;font-size:16px;line-height:1.5;"    \
	"max-width:40em;margin:0 auto;padding:16px\">\n"
#define HEAD "<h1 style=\"font-size:20px;line-height:1.3;margin:0 0 16px\">"
#define SAY "<p style=\"margin:0 0 16px\">"
#define TABLE                                                                  \
	"<table style=\"border-collapse:collapse;margin:0 0 16px;"             \
	"font-size:15px\">\n"
#define LABEL                                                                  \
	"<tr><th scope=\"row\" style=\"text-align:left;vertical-align:top;"    \
	"font-weight:600;padding:4px 16px 4px 0\">"
#define VALUE "<td style=\"vertical-align:top;padding:4px 0\">"
/* Short, for it is there many times: some cut off what is over 100 kB. */
#define LIST                                                                   \
	"<table cellpadding=\"6\" style=\"border-collapse:collapse;"           \
	"margin:0 0 16px;font-size:15px;overflow-wrap:anywhere\">\n"           \
	"<tr align=\"left\" valign=\"top\" style=\"white-space:nowrap\">"
#define CODE                                                                   \
	"<pre style=\"font-family:ui-monospace,Menlo,Consolas,monospace;"      \
	"font-size:14px;white-space:pre-wrap;word-break:break-all;margin:0 0 " \
	"16px;padding:8px 12px;border:1px solid #8795a1;border-radius:4px\">"
#define BUTTON                                                                 \
	"<p style=\"margin:0 0 16px\"><a style=\"display:inline-block;"        \
	"padding:8px 16px;border-radius:4px;background:#1f5fbf;"               \
	"color:#ffffff;text-decoration:none\" href=\""
#define FOOT                                                                   \
	"<p style=\"margin:24px 0 0;padding-top:8px;border-top:1px solid "     \
	"#8795a1;font-size:13px\">"

struct notice_text {
	char *console_url;
	char subject[NOTICE_SUBJECT_MAX];
	char *plain, *html; /* of the two streams */
	size_t plain_len, html_len;
	FILE *to_plain, *to_html;
	bool in_table, in_list;
	bool has_failed;
	json_t *data;
	json_t *at; /* borrowed: data, or an object of a list in it */
};

void
notice_text_free(struct notice_text *text)
{
	if (text == NULL)
		return;
	if (text->to_plain != NULL)
		fclose(text->to_plain);
	if (text->to_html != NULL)
		fclose(text->to_html);
	free(text->plain);
	free(text->html);
	free(text->console_url);
	json_decref(text->data);
	free(text);
}

struct notice_text *
notice_text_new(const char *console_url)
{
	struct notice_text *text = calloc(1, sizeof(*text));

	if (text == NULL)
		return NULL;
	text->console_url = strdup(console_url);
	text->data = json_object();
	text->at = text->data;
	text->to_plain = open_memstream(&text->plain, &text->plain_len);
	text->to_html = open_memstream(&text->html, &text->html_len);
	if (text->console_url != NULL && text->data != NULL &&
	    text->to_plain != NULL && text->to_html != NULL)
		return text;
	notice_text_free(text);
	return NULL;
}

/* ---- other people's words ---- */

__attribute__((format(printf, 2, 0))) static void
clean(char ret_line[LINE_MAX_], const char *format, va_list args)
{
	char raw[RAW_MAX];

	(void)!vsnprintf(raw, sizeof(raw), format, args);
	/* A character that was cut in two would be shown as octets. */
	printable_print(bytes_of(raw), ret_line, LINE_MAX_);
}

/* ---- for people ---- */

static void
end_table(struct notice_text *text)
{
	if (text->in_table || text->in_list)
		fputs("</table>\n", text->to_html);
	if (text->in_table)
		fputc('\n', text->to_plain);
	text->in_table = text->in_list = false;
}

void
notice_text_subject(struct notice_text *text, const char *format, ...)
{
	char line[LINE_MAX_];
	va_list args;

	va_start(args, format);
	clean(line, format, args);
	va_end(args);
	printable_cut(line, text->subject, sizeof(text->subject));
	fputs(PAGE HEAD, text->to_html);
	html_put(line, text->to_html);
	fputs("</h1>\n", text->to_html);
	fprintf(text->to_plain, "%s\n\n", line);
}

void
notice_text_say(struct notice_text *text, const char *format, ...)
{
	char line[LINE_MAX_];
	va_list args;

	va_start(args, format);
	clean(line, format, args);
	va_end(args);
	end_table(text);
	fputs(SAY, text->to_html);
	html_put(line, text->to_html);
	fputs("</p>\n", text->to_html);
	fprintf(text->to_plain, "%s\n\n", line);
}

void
notice_text_fact(
    struct notice_text *text, const char *label, const char *format, ...)
{
	char line[LINE_MAX_];
	va_list args;

	va_start(args, format);
	clean(line, format, args);
	va_end(args);
	if (!text->in_table) {
		end_table(text);
		fputs(TABLE, text->to_html);
	}
	text->in_table = true;
	fputs(LABEL, text->to_html);
	html_put(label, text->to_html);
	fputs("</th>" VALUE, text->to_html);
	html_put(line, text->to_html);
	fputs("</td></tr>\n", text->to_html);
	fprintf(text->to_plain, "%s: %s\n", label, line);
}

static void
put_head(struct notice_text *text, const struct notice_text_cell *cells)
{
	fputs(LIST, text->to_html);
	for (; cells->head != NULL; cells++) {
		fputs("<th scope=\"col\">", text->to_html);
		html_put(cells->head, text->to_html);
		fputs("</th>", text->to_html);
	}
	fputs("</tr>\n", text->to_html);
}

/* The first one is what the row is about. */
static void
put_cell(struct notice_text *text, const struct notice_text_cell *cell,
    bool is_first, const char *page)
{
	const bool is_linked = is_first && text->console_url[0] != 0;
	char line[LINE_MAX_];

	printable_print(bytes_of(cell->value), line, sizeof(line));
	fputs("<td>", text->to_html);
	if (is_linked) {
		fputs("<a href=\"", text->to_html);
		html_put(text->console_url, text->to_html);
		fputs("/console/", text->to_html);
		html_put(page, text->to_html);
		fputs("\">", text->to_html);
	}
	html_put(line, text->to_html);
	fputs(is_linked ? "</a></td>" : "</td>", text->to_html);
	if (is_first)
		fprintf(text->to_plain, "%s\n", line);
	else
		fprintf(text->to_plain, "    %s: %s\n", cell->head, line);
}

void
notice_text_row(struct notice_text *text, const char *page,
    const struct notice_text_cell *cells)
{
	if (!text->in_list) {
		end_table(text);
		put_head(text, cells);
	}
	text->in_list = true;
	fputs("<tr valign=\"top\">", text->to_html);
	for (size_t i = 0; cells[i].head != NULL; i++)
		put_cell(text, &cells[i], i == 0, page);
	fputs("</tr>\n", text->to_html);
	if (text->console_url[0] != 0)
		fprintf(text->to_plain, "    %s/console/%s\n",
		    text->console_url, page);
	fputc('\n', text->to_plain);
}

void
notice_text_code(struct notice_text *text, const char *format, ...)
{
	char line[LINE_MAX_];
	va_list args;

	va_start(args, format);
	clean(line, format, args);
	va_end(args);
	end_table(text);
	fputs(CODE, text->to_html);
	html_put(line, text->to_html);
	fputs("</pre>\n", text->to_html);
	fprintf(text->to_plain, "    %s\n\n", line);
}

void
notice_text_link(
    struct notice_text *text, const char *label, const char *format, ...)
{
	char line[LINE_MAX_];
	va_list args;

	if (text->console_url[0] == 0)
		return;
	va_start(args, format);
	clean(line, format, args);
	va_end(args);
	end_table(text);
	fputs(BUTTON, text->to_html);
	html_put(text->console_url, text->to_html);
	fputs("/console/", text->to_html);
	html_put(line, text->to_html);
	fputs("\">", text->to_html);
	html_put(label, text->to_html);
	fputs("</a></p>\n", text->to_html);
	fprintf(text->to_plain, "%s:\n%s/console/%s\n\n", label,
	    text->console_url, line);
}

void
notice_text_time(int64_t at_s, char ret_text[NOTICE_TIME_MAX])
{
	const time_t at = (time_t)at_s;
	struct tm tm;

	if (gmtime_r(&at, &tm) == NULL ||
	    strftime(ret_text, NOTICE_TIME_MAX, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		snprintf(ret_text, NOTICE_TIME_MAX, "?");
}

/* ---- for programs ---- */

static void
put(struct notice_text *text, const char *key, json_t *value)
{
	if (json_object_set_new(text->at, key, value) != 0)
		text->has_failed = true;
}

/* A text that JSON takes: it is UTF-8. */
static json_t *
string_of(const char *value)
{
	char line[LINE_MAX_];

	printable_print(bytes_of(value), line, sizeof(line));
	return json_string(line);
}

void
notice_text_data(struct notice_text *text, const char *key, const char *value)
{
	put(text, key, string_of(value));
}

void
notice_text_number(struct notice_text *text, const char *key, int64_t value)
{
	put(text, key, json_integer(value));
}

static json_t *
list_of(struct notice_text *text, json_t *in, const char *key)
{
	json_t *list = json_object_get(in, key);

	if (list == NULL && json_object_set_new(in, key, json_array()) == 0)
		list = json_object_get(in, key);
	text->has_failed |= list == NULL;
	return list;
}

void
notice_text_item(struct notice_text *text, const char *key, const char *value)
{
	json_t *list = list_of(text, text->at, key);

	if (list == NULL || json_array_append_new(list, string_of(value)) != 0)
		text->has_failed = true;
}

void
notice_text_object(struct notice_text *text, const char *key)
{
	json_t *list;

	text->at = text->data;
	if (key == NULL)
		return;
	list = list_of(text, text->data, key);
	if (list == NULL || json_array_append_new(list, json_object()) != 0)
		text->has_failed = true;
	else
		text->at = json_array_get(list, json_array_size(list) - 1);
}

/* ---- the end ---- */

const char *
notice_text_title(const struct notice_text *text)
{
	return text->subject;
}

static char *
print_payload(struct notice_text *text, const struct notice_row *of)
{
	const time_t now = (time_t)time(NULL);
	char at[NOTICE_TIME_MAX] = "";
	char *printed;
	struct tm tm;
	json_t *all;

	if (gmtime_r(&now, &tm) != NULL)
		(void)!strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%SZ", &tm);
	all = json_pack("{s:s, s:s, s:s, s:s, s:s, s:O}", "event",
	    notice_event_name(of->event), "account", of->account_name, "object",
	    of->object, "subject", text->subject, "at", at, "data", text->data);
	printed = all == NULL ? NULL : json_dumps(all, JSON_COMPACT);
	json_decref(all);
	return printed;
}

bool
notice_text_end(struct notice_text *text, const struct notice_row *of,
    struct notice_body *ret_body)
{
	struct notice_body body = { 0 };

	end_table(text);
	if (fflush(text->to_plain) != 0 || fflush(text->to_html) != 0)
		text->has_failed = true;
	if (text->has_failed)
		return false;
	body.text = strdup(text->plain);
	body.html = strdup(text->html);
	body.payload = print_payload(text, of);
	if (body.text != NULL && body.html != NULL && body.payload != NULL) {
		*ret_body = body;
		return true;
	}
	notice_body_done(&body);
	return false;
}

char *
notice_text_foot(const char *body, const char *line, const char *url)
{
	char *all;
	int n = asprintf(
	    &all, "%s-- \n%s\n%s%s", body, line, url, url[0] == 0 ? "" : "\n");

	return n < 0 ? NULL : all;
}

char *
notice_text_foot_html(
    const char *body, const char *line, const char *label, const char *url)
{
	char *all = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&all, &len);

	if (to == NULL)
		return NULL;
	fputs(body, to);
	fputs(FOOT, to);
	html_put(line, to);
	if (url[0] != 0) {
		fputs(" <a href=\"", to);
		html_put(url, to);
		fputs("\">", to);
		html_put(label, to);
		fputs("</a>", to);
	}
	fputs("</p>\n</div>\n", to);
	if (fclose(to) == 0)
		return all;
	free(all);
	return NULL;
}
