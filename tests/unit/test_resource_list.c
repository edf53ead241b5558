/* SPDX-License-Identifier: Apache-2.0 */

/* Pages of resources: every order, every filter, nothing twice, nothing left
 * out; and no statement that looks at a whole table. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "certd/store_resources.h"
#include "proto/message.h"
#include "tests/unit/resources_desk.h"

typedef Holdfast__Certd__V1__ListResourcesRequest list_msg;
typedef Holdfast__Certd__V1__ListResourcesResponse listed_msg;

static char *
text(const char *literal)
{
	static char kept[64][256];
	static size_t next;
	char *at = kept[next++ % 64];

	snprintf(at, 256, "%s", literal);
	return at;
}

static list_msg
asking(const char *order_by, uint32_t page_size)
{
	list_msg asked = desk_list_resources_request();

	asked.order_by = text(order_by);
	asked.page_size = page_size;
	return asked;
}

/* All pages, as "name name ..."; asked->page_token is used. */
static const char *
walk(struct desk *desk, struct caller *caller, list_msg asked)
{
	static char names[4096];
	static char token[RESOURCES_TOKEN_MAX];
	size_t len = 0;

	names[0] = token[0] = 0;
	do {
		listed_msg *reply = NULL;
		struct status st;

		asked.page_token = token;
		st = desk_ask(desk, caller, "Resources/List", &asked, &reply);
		if (failed(st))
			fail_msg("%s", st.why);
		assert_true(reply->n_resources <= asked.page_size);
		for (size_t i = 0; i < reply->n_resources; i++)
			len += (size_t)snprintf(names + len,
			    sizeof(names) - len, "%s%s", len == 0 ? "" : " ",
			    reply->resources[i]->name);
		snprintf(token, sizeof(token), "%s", reply->next_page_token);
		message_free(&reply->base);
	} while (token[0] != 0);
	return names;
}

/* Of acme: delta, alpha, charlie, bravo; of other: alpha, echo. */
static void
fill(struct desk *desk)
{
	static const char *const acme[] = { "delta", "alpha", "charlie",
		"bravo" };
	char host[64];

	for (size_t i = 0; i < 4; i++) {
		snprintf(host, sizeof(host), "%s.example.com", acme[i]);
		desk_resource(desk, desk->acme, acme[i], host, MODE_AUTOMATIC);
	}
	desk_resource(
	    desk, desk->other, "alpha", "alpha.example.org", MODE_AUTOMATIC);
	desk_resource(desk, desk->other, "echo",
	    "www.my-shop.example.org xn--bcher-kva.example", MODE_AUTOMATIC);
}

static void
pages_come_in_every_order_each_row_once(void **state)
{
	struct desk *desk = *state;
	static const char *const wanted[][3] = {
		{ "", "bravo charlie alpha delta",
		    "echo alpha bravo charlie alpha delta" },
		{ "-id", "bravo charlie alpha delta",
		    "echo alpha bravo charlie alpha delta" },
		{ "id", "delta alpha charlie bravo",
		    "delta alpha charlie bravo alpha echo" },
		{ "name", "alpha bravo charlie delta",
		    "alpha alpha bravo charlie delta echo" },
		{ "-name", "delta charlie bravo alpha",
		    "echo delta charlie bravo alpha alpha" },
	};

	fill(desk);
	for (size_t i = 0; i < 5; i++)
		for (uint32_t size = 1; size <= 7; size++) {
			assert_string_equal(
			    walk(desk, &desk_alice, asking(wanted[i][0], size)),
			    wanted[i][1]);
			assert_string_equal(walk(desk, &desk_operator,
						asking(wanted[i][0], size)),
			    wanted[i][2]);
		}
}

static void
a_search_finds_begins_of_words_of_names_and_host_names(void **state)
{
	struct desk *desk = *state;
	static const char *const wanted[][2] = {
		{ "alp", "alpha alpha" },
		{ "ALPHA", "alpha alpha" },
		{ "pha", "" },
		{ "example.org", "alpha echo" },
		{ "shop", "echo" },
		{ "my-sh", "echo" },
		{ "alpha org", "alpha" },
		{ "echo www", "echo" },
		{ "echo zulu", "" },
		{ "e", "alpha alpha bravo charlie delta echo" },
		{ "%", "*" },
		{ "' OR 1=1 --", "" },
	};

	fill(desk);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		list_msg asked = asking("name", 2);

		asked.search = text(wanted[i][0]);
		if (wanted[i][1][0] == '*')
			assert_int_equal(desk_ask(desk, &desk_operator,
					     "Resources/List", &asked, NULL)
					     .code,
			    STATUS_INVALID_ARGUMENT);
		else
			assert_string_equal(
			    walk(desk, &desk_operator, asked), wanted[i][1]);
	}
}

static void
a_search_stays_in_the_account(void **state)
{
	struct desk *desk = *state;
	list_msg asked = asking("id", 10);

	fill(desk);
	asked.search = text("alpha");
	assert_string_equal(walk(desk, &desk_bob, asked), "alpha");
	asked.search = text("echo");
	assert_string_equal(walk(desk, &desk_alice, asked), "");
	asked.search = text("alpha");
	asked.account = text("other");
	assert_string_equal(walk(desk, &desk_operator, asked), "alpha");
}

static void
a_new_name_is_found_and_the_old_one_no_longer(void **state)
{
	struct desk *desk = *state;
	Holdfast__Certd__V1__UpdateResourceRequest__Field field =
	    HOLDFAST__CERTD__V1__UPDATE_RESOURCE_REQUEST__FIELD__FIELD_NAME;
	Holdfast__Certd__V1__UpdateResourceRequest change =
	    desk_update_resource_request();
	list_msg asked = asking("id", 10);

	fill(desk);
	change.id = 1;
	change.name = text("zulu");
	change.change = &field;
	change.n_change = 1;
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Resources/Update", &change, NULL).code,
	    STATUS_OK);
	asked.search = text("zulu");
	assert_string_equal(walk(desk, &desk_alice, asked), "zulu");
	/* Its host name still is delta.example.com. */
	asked.search = text("delta.example");
	assert_string_equal(walk(desk, &desk_alice, asked), "zulu");
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM resource_word"
					   " WHERE word = 'delta'"),
	    2);
}

static void
groups_and_holders_narrow_the_list(void **state)
{
	struct desk *desk = *state;
	int64_t certificate = desk_certificate(
	    desk, (struct desk_certificate){ .hostnames = "*.example.com" });
	list_msg asked = asking("name", 1);

	fill(desk);
	for (int64_t id = 2; id <= 3; id++)
		assert_int_equal(
		    desk_bind_one(desk, &desk_alice, id, certificate).code,
		    STATUS_OK);
	asked.certificate = certificate;
	assert_string_equal(walk(desk, &desk_alice, asked), "alpha charlie");
	assert_string_equal(walk(desk, &desk_bob, asked), "");
	asked.order_by = text("-id");
	assert_string_equal(walk(desk, &desk_alice, asked), "charlie alpha");
	asked.search = text("char");
	assert_string_equal(walk(desk, &desk_alice, asked), "charlie");
	asked = asking("", 3);
	asked.edge_group = text("api");
	assert_string_equal(walk(desk, &desk_operator, asked), "");
	asked.edge_group = text("web");
	assert_string_equal(walk(desk, &desk_bob, asked), "echo alpha");
}

static void
tokens_and_orders_that_are_made_up_are_refused(void **state)
{
	static const char *const tokens[] = { "x", "D", "D1x", "D-1",
		"D99999999999999999999", "A1", "N1", "N1.zz", "N1.6", "D1.61" };
	struct desk *desk = *state;
	list_msg asked = asking("", 10);

	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		asked.page_token = text(tokens[i]);
		assert_int_equal(
		    desk_ask(desk, &desk_alice, "Resources/List", &asked, NULL)
			.code,
		    STATUS_INVALID_ARGUMENT);
	}
	asked = asking("name", 10);
	asked.page_token = text("N1.6");
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Resources/List", &asked, NULL).code,
	    STATUS_INVALID_ARGUMENT);
	asked = asking("origin", 10);
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Resources/List", &asked, NULL).code,
	    STATUS_INVALID_ARGUMENT);
	asked = asking("", 1001);
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Resources/List", &asked, NULL).code,
	    STATUS_INVALID_ARGUMENT);
}

/* So many that all have two words, which in none but the last one follow each
 * other. */
static void
fill_many(struct desk *desk, int n)
{
	struct db_tx *tx;
	char hosts[64];

	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->store, tx,
		db_run(tx, NULL,
		    "WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL"
		    " SELECT n + 1 FROM i WHERE n < ?2)"
		    " INSERT INTO resource (account, name, network,"
		    " edge_group, target, origin_host, origin_mode, https,"
		    " mode, created_s, created_by, changed_s, version, words)"
		    " SELECT ?1, printf('m%06d', n), 'standard', 'web',"
		    " printf('m%06d', n), '', 0, 1, 1, 0, '', 0, 0,"
		    " ' left right' || char(10) FROM i",
		    DB_VALUES(db_int(desk->acme), db_int(n))))
		.code,
	    STATUS_OK);
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->store, tx,
		db_run(tx, NULL,
		    "INSERT INTO resource_word (list, word, resource)"
		    " SELECT l.n, w.t, r.id FROM resource r,"
		    " (SELECT 0 AS n UNION SELECT ?1) l,"
		    " (SELECT 'left' AS t UNION SELECT 'right') w",
		    DB_VALUES(db_int(desk->acme))))
		.code,
	    STATUS_OK);
	snprintf(hosts, sizeof(hosts), "right.left.example.com");
	desk_resource(desk, desk->acme, "zulu", hosts, MODE_AUTOMATIC);
}

static void
a_page_is_short_rather_than_dear_and_the_list_is_still_whole(void **state)
{
	static const char *const orders[] = { "id", "name" };
	struct desk *desk = *state;
	list_msg asked = asking("", 10);
	listed_msg *reply = NULL;

	fill_many(desk, RESOURCES_LIST_WALK + 10);
	asked.search = text("right.left");
	for (size_t i = 0; i < 2; i++) {
		asked.order_by = text(orders[i]);
		asked.page_token = text("");
		assert_int_equal(desk_ask(desk, &desk_alice, "Resources/List",
				     &asked, &reply)
				     .code,
		    STATUS_OK);
		assert_int_equal(reply->n_resources, 0);
		assert_string_not_equal(reply->next_page_token, "");
		message_free(&reply->base);
		assert_string_equal(walk(desk, &desk_alice, asked), "zulu");
		assert_string_equal(walk(desk, &desk_operator, asked), "zulu");
	}
}

#define T(test)                                                                \
	cmocka_unit_test_setup_teardown(test, desk_set_up_all, desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(pages_come_in_every_order_each_row_once),
		T(a_search_finds_begins_of_words_of_names_and_host_names),
		T(a_search_stays_in_the_account),
		T(a_new_name_is_found_and_the_old_one_no_longer),
		T(groups_and_holders_narrow_the_list),
		T(a_page_is_short_rather_than_dear_and_the_list_is_still_whole),
		T(tokens_and_orders_that_are_made_up_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
