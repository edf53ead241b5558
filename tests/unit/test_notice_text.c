/* SPDX-License-Identifier: Apache-2.0 */

/* What notices say: other people's words in it are words, whatever they are. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "certd/notices/notice_facts.h"
#include "certd/notices/notice_text.h"
#include "certd/notices/notice_write.h"
#include "certd/store_bindings.h"
#include "tests/unit/notices_desk.h"

static const char EVIL[] = "a\r\nBcc: all@example.org\r\n\r\n"
			   "<script src=\"//x\">'&\x1b[31m\xff\xe2\x80\xae";

static struct notice_body
end(struct notice_text *text)
{
	const struct notice_row of = { .event = NOTICE_ISSUED,
		.account_name = "acme",
		.object = "certificate 7" };
	struct notice_body body;

	assert_true(notice_text_end(text, &of, &body));
	return body;
}

/* Printable UTF-8, and no lines but those of the builder. */
static void
check_plain(const char *text, size_t lines)
{
	size_t n = 0;

	for (const char *at = text; *at != 0; at++) {
		n += *at == '\n';
		assert_true((unsigned char)*at >= 0x20 || *at == '\n');
		assert_int_not_equal((unsigned char)*at, 0x7f);
	}
	assert_int_equal(n, lines);
}

static void
foreign_words_become_no_header_no_tag_and_no_second_line(void **state)
{
	scoped(notice_text_free) struct notice_text *text =
	    notice_text_new("https://certs.example.net");
	scoped(notice_body_done) struct notice_body body = { 0 };

	(void)state;
	notice_text_subject(text, "It is %s", EVIL);
	notice_text_say(text, "%s", EVIL);
	notice_text_fact(text, "Reason", "%s", EVIL);
	notice_text_fact(text, "Other", "%s", EVIL);
	notice_text_code(text, "%s", EVIL);
	notice_text_link(text, "Open", "certificates/%s", EVIL);
	notice_text_data(text, "problem", EVIL);
	body = end(text);
	assert_null(strpbrk(notice_text_title(text), "\r\n\x1b"));
	assert_non_null(strstr(notice_text_title(text), "a\\u000d\\nBcc"));
	check_plain(body.text, 2 + 2 + 2 + 1 + 2 + 3);
	assert_null(strstr(body.html, "<script"));
	assert_null(strstr(body.html, "\"//x\""));
	assert_non_null(strstr(body.html, "&lt;script src=&quot;//x&quot;"));
	assert_null(strstr(body.html, "\x1b"));
	assert_null(strstr(body.html, "\xe2\x80\xae"));
	assert_null(strstr(body.html, "src=\"http"));
}

static size_t
count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

static void
foreign_words_are_cells_of_a_list_and_no_more(void **state)
{
	scoped(notice_text_free) struct notice_text *text =
	    notice_text_new("https://certs.example.net");
	scoped(notice_body_done) struct notice_body body = { 0 };
	const struct notice_text_cell cells[] = { { "Name", EVIL },
		{ "Used by", EVIL }, { NULL, NULL } };

	(void)state;
	notice_text_fact(text, "Before", "%s", "x");
	notice_text_row(text, "certificates/1", cells);
	notice_text_row(text, "certificates/2", cells);
	notice_text_fact(text, "After", "%s", "x");
	body = end(text);
	check_plain(body.text, 2 + 4 + 4 + 2);
	assert_int_equal(count(body.html, "<table"), 3);
	assert_int_equal(count(body.html, "</table>"), 3);
	assert_int_equal(count(body.html, "scope=\"col\""), 2);
	assert_int_equal(count(body.html, "<td>"), 4);
	assert_int_equal(count(body.html, "<a href="), 2);
	assert_null(strstr(body.html, "<script"));
	assert_null(strstr(body.html, "\"//x\""));
	assert_null(strstr(body.html, "\xe2\x80\xae"));
}

static void
a_subject_is_cut_between_characters(void **state)
{
	scoped(notice_text_free) struct notice_text *text = notice_text_new("");
	scoped(notice_body_done) struct notice_body body = { 0 };
	char name[601] = "";
	json_t *json;

	(void)state;
	for (size_t i = 0; i < 300; i++)
		memcpy(name + 2 * i, "\xc3\xa4", 2);
	name[600] = 0;
	notice_text_subject(text, "x%s", name);
	body = end(text);
	assert_int_equal(
	    strlen(notice_text_title(text)), NOTICE_SUBJECT_MAX - 1);
	/* JSON takes no half characters. */
	json = json_loads(body.payload, 0, NULL);
	assert_non_null(json);
	json_decref(json);
}

static void
without_a_console_there_are_no_links(void **state)
{
	scoped(notice_text_free) struct notice_text *text = notice_text_new("");
	scoped(notice_body_done) struct notice_body body = { 0 };

	(void)state;
	notice_text_subject(text, "Subject");
	notice_text_link(text, "Open", "certificates/7");
	body = end(text);
	assert_null(strstr(body.html, "href"));
	assert_null(strstr(body.text, "Open"));
}

static void
the_payload_is_json_whatever_was_put_in(void **state)
{
	scoped(notice_text_free) struct notice_text *text = notice_text_new("");
	scoped(notice_body_done) struct notice_body body = { 0 };
	json_t *json, *data, *records;

	(void)state;
	notice_text_subject(text, "%s", EVIL);
	notice_text_data(text, "problem", EVIL);
	notice_text_number(text, "n", INT64_C(1) << 60);
	notice_text_item(text, "names", "a\"b");
	notice_text_item(text, "names", EVIL);
	notice_text_object(text, "records");
	notice_text_data(text, "value", "v");
	notice_text_object(text, NULL);
	notice_text_data(text, "last", "l");
	body = end(text);
	json = json_loads(body.payload, 0, NULL);
	assert_non_null(json);
	assert_string_equal(
	    json_string_value(json_object_get(json, "event")), "issued");
	assert_string_equal(
	    json_string_value(json_object_get(json, "account")), "acme");
	data = json_object_get(json, "data");
	assert_int_equal(json_array_size(json_object_get(data, "names")), 2);
	records = json_object_get(data, "records");
	assert_string_equal(json_string_value(json_object_get(
				json_array_get(records, 0), "value")),
	    "v");
	assert_non_null(json_object_get(data, "last"));
	json_decref(json);
}

static void
the_foot_escapes_its_words_and_closes_the_page(void **state)
{
	char *html = notice_text_foot_html(
	    "<div>", "<a> & co", "Stop \"it\"", "https://x.example/?a=1&b=\"");
	char *plain = notice_text_foot("text\n\n", "line", "https://x");

	(void)state;
	assert_non_null(strstr(html, "&lt;a&gt; &amp; co"));
	assert_non_null(
	    strstr(html, "href=\"https://x.example/?a=1&amp;b=&quot;\""));
	assert_non_null(strstr(html, "</div>"));
	assert_string_equal(plain, "text\n\n-- \nline\nhttps://x\n");
	free(html);
	free(plain);
}

static void
time_that_is_left_is_said_in_words(void **state)
{
	char left[NOTICE_LEFT_MAX];

	(void)state;
#define LEFT(seconds, text)                                                    \
	notice_facts_print_left(1000000000 + (seconds), 1000000000, left);     \
	assert_string_equal(left, text)
	LEFT(14 * 86400 - 5, "in 14 days");
	LEFT(2 * 86400, "in 2 days");
	LEFT(86400, "in 24 hours");
	LEFT(3600, "in 1 hour");
	LEFT(60, "within the hour");
	LEFT(0, "just now");
	LEFT(-7200, "2 hours ago");
	LEFT(-3 * 86400, "3 days ago");
#undef LEFT
}

static void
a_shared_certificate_names_no_resources_of_other_accounts(void **state)
{
	struct notices_desk *nd = *state;
	struct desk *desk = nd->desk;
	scoped(notice_text_free) struct notice_text *text = notice_text_new("");
	scoped(notice_body_done) struct notice_body body = { 0 };
	struct store_certificate of;
	struct notice_expiry expiry = { &of, store_now_s() };
	int64_t id = desk_certificate(
	    desk, (struct desk_certificate){ .kind = KIND_SHARED,
		      .name = "wild",
		      .hostnames = "*.edge.example.net" });
	int64_t mine = desk_resource(
	    desk, desk->acme, "mine", "mine.edge.example.net", MODE_SHARED);
	int64_t theirs = desk_resource(desk, desk->other, "theirs",
	    "theirs.edge.example.net", MODE_SHARED);
	struct db_tx *tx;

	OK(desk_bind_one(desk, &desk_operator, mine, id));
	OK(desk_bind_one(desk, &desk_operator, theirs, id));
	OK(store_read(desk->store, &tx));
	OK(store_certificates_find(tx, id, &of));
	OK(notice_write_expiry(&expiry, tx, text));
	db_end(tx);
	body = end(text);
	assert_non_null(strstr(
	    body.text, "Used by: mine (served by edge group web) and 1 more"));
	assert_null(strstr(body.text, "theirs"));
	assert_null(strstr(body.payload, "theirs"));
	assert_non_null(strstr(body.payload, "\"resource_count\":2"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    foreign_words_become_no_header_no_tag_and_no_second_line),
		cmocka_unit_test(foreign_words_are_cells_of_a_list_and_no_more),
		cmocka_unit_test(a_subject_is_cut_between_characters),
		cmocka_unit_test(without_a_console_there_are_no_links),
		cmocka_unit_test(the_payload_is_json_whatever_was_put_in),
		cmocka_unit_test(
		    the_foot_escapes_its_words_and_closes_the_page),
		cmocka_unit_test(time_that_is_left_is_said_in_words),
		cmocka_unit_test_setup_teardown(
		    a_shared_certificate_names_no_resources_of_other_accounts,
		    notices_desk_set_up, notices_desk_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
