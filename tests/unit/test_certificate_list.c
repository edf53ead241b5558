/* SPDX-License-Identifier: Apache-2.0 */

/* Lists of certificates: orders, pages, searches, and what fits a resource. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "certd/store_certificate_list.h"
#include "proto/message.h"
#include "tests/unit/certificates_desk.h"

#define KINDS(name)                                                            \
	HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_##name
#define DAY_S 86400

typedef Holdfast__Certd__V1__ListCertificatesRequest list_message;
typedef Holdfast__Certd__V1__ListCertificatesResponse page_message;

/* ---- rows without certificates behind them ---- */

struct some {
	int64_t account;
	int kind;
	const char *name, *hostname;
	int days; /* until it expires */
	const char *network;
};

static void
add_key(struct db_tx *tx, int64_t account, const char *network, unsigned n)
{
	uint8_t id[32] = { (uint8_t)(n >> 8), (uint8_t)n };
	char label[16];

	(void)!snprintf(label, sizeof(label), "k%u", n);
	assert_int_equal(
	    db_run(tx, NULL,
		"INSERT INTO key (id, account, alg, spki, pool, network,"
		" label, origin, exposed, created_s, created_by) VALUES"
		" (?1, ?2, 1, x'00', 'p', ?3, ?4, 1, 0, 0, '')",
		DB_VALUES(db_blob((struct bytes){ id, 32 }), db_int(account),
		    db_text(network), db_text(label)))
		.code,
	    STATUS_OK);
}

static void
add_some(struct desk *desk, const struct some *some, size_t n)
{
	static unsigned serial;
	struct db_tx *tx;

	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	for (size_t i = 0; i < n; i++) {
		uint8_t mark[32] = { 0 };
		struct key_id key;
		int64_t id;
		struct store_certificate_new new = {
			.account = some[i].account,
			.name = some[i].name,
			.kind = some[i].kind,
			.key = &key,
			.fingerprint = mark,
			.subject = "",
			.issuer = "",
			.serial = "",
			.not_after_s =
			    store_now_s() + (int64_t)some[i].days * DAY_S + 60,
			.created_by = "",
			.hostnames = &some[i].hostname,
			.n_hostnames = 1,
			.chain_pem = "",
		};

		serial++;
		mark[0] = (uint8_t)(serial >> 8);
		mark[1] = (uint8_t)serial;
		memcpy(key.at, mark, sizeof(mark));
		add_key(tx, some[i].account,
		    some[i].network == NULL ? "standard" : some[i].network,
		    serial);
		assert_int_equal(
		    store_certificates_insert(tx, &new, &id).code, STATUS_OK);
	}
	assert_int_equal(
	    store_commit(desk->store, tx, status_ok()).code, STATUS_OK);
}

/* ---- asking ---- */

static list_message *
list_of(const char *search, const char *order, uint32_t size)
{
	list_message *message = (list_message *)message_new(
	    &holdfast__certd__v1__list_certificates_request__descriptor);

	assert_non_null(message);
	assert_true(message_text(&message->search, search));
	assert_true(message_text(&message->order_by, order));
	message->page_size = size;
	return message;
}

static void
add_kind(list_message *list, int kind)
{
	list->kinds =
	    realloc(list->kinds, (list->n_kinds + 1) * sizeof(*list->kinds));
	assert_non_null(list->kinds);
	list->kinds[list->n_kinds++] =
	    (Holdfast__Certd__V1__CertificateKind)kind;
}

static const page_message *
page(const struct desk *desk)
{
	return (page_message *)desk->reply;
}

static void
ask(struct desk *desk, const struct caller *who, list_message *list)
{
	desk_ask(desk, who, "Certificates/List", &list->base, STATUS_OK);
}

/* Their names with a blank behind each. */
static void
add_names(const struct desk *desk, char names[1024])
{
	size_t len = strlen(names);

	for (size_t i = 0; i < page(desk)->n_certificates; i++)
		len += (size_t)snprintf(names + len, 1024 - len, "%s ",
		    page(desk)->certificates[i]->name);
}

static void
assert_names(const struct desk *desk, const char *names)
{
	char found[1024] = "";

	add_names(desk, found);
	assert_string_equal(found, names);
}

/* All pages of a list, one after the other. */
static void
assert_pages(
    struct desk *desk, const char *order, uint32_t size, const char *names)
{
	char found[1024] = "", token[256] = "";

	do {
		list_message *list = list_of("", order, size);

		add_kind(list, KINDS(PERSONAL));
		add_kind(list, KINDS(ACME));
		add_kind(list, KINDS(SHARED));
		assert_true(message_text(&list->page_token, token));
		ask(desk, &desk->engineer, list);
		assert_true(page(desk)->n_certificates <= size);
		add_names(desk, found);
		(void)!snprintf(
		    token, sizeof(token), "%s", page(desk)->next_page_token);
	} while (token[0] != 0);
	assert_string_equal(found, names);
}

static const struct some SOME[] = {
	{ 1, KINDS(PERSONAL), "d", "shop.example.com", 30, NULL },
	{ 1, KINDS(PERSONAL), "b", "www.example.com", 10, NULL },
	{ 1, KINDS(ACME), "c", "acme.example.com", 20, NULL },
	{ 2, KINDS(PERSONAL), "theirs", "shop.theirs.org", 5, NULL },
	{ 2, KINDS(SHARED), "all", "*.edge.example.net", 40, NULL },
	{ 1, KINDS(PERSONAL), "b", "b.example.com", 10, NULL },
	{ 1, KINDS(PERSONAL), "a", "a.example.com", -1, NULL },
};
#define N_SOME (sizeof(SOME) / sizeof(SOME[0]))

static void
every_order_gives_the_same_in_pages_of_every_size(void **state)
{
	static const struct {
		const char *order, *names;
	} ORDERS[] = {
		{ "id", "d b c all b a " },
		{ "-id", "a b all c b d " },
		{ "", "a b all c b d " },
		{ "name", "a all b b c d " },
		{ "-name", "d c b b all a " },
		{ "expires", "a b b c d all " },
		{ "-expires", "all d c b b a " },
	};
	struct desk *desk = *state;

	add_some(desk, SOME, N_SOME);
	for (size_t i = 0; i < sizeof(ORDERS) / sizeof(ORDERS[0]); i++)
		for (uint32_t size = 1; size <= 7; size++)
			assert_pages(
			    desk, ORDERS[i].order, size, ORDERS[i].names);
}

static void
acme_certificates_are_not_listed_unless_asked_for(void **state)
{
	struct desk *desk = *state;
	list_message *list = list_of("", "name", 0);

	add_some(desk, SOME, N_SOME);
	ask(desk, &desk->viewer, list);
	assert_names(desk, "a all b b d ");
	list = list_of("", "name", 0);
	add_kind(list, KINDS(ACME));
	ask(desk, &desk->viewer, list);
	assert_names(desk, "c ");
	list = list_of("", "name", 0);
	add_kind(list, 9);
	desk_ask(desk, &desk->viewer, "Certificates/List", &list->base,
	    STATUS_INVALID_ARGUMENT);
}

static void
an_account_sees_its_own_and_the_shared_ones(void **state)
{
	struct desk *desk = *state;
	list_message *list = list_of("", "name", 0);

	add_some(desk, SOME, N_SOME);
	ask(desk, &desk->stranger, list);
	assert_names(desk, "all theirs ");
	/* By every way of looking. */
	ask(desk, &desk->stranger, list_of("example", "name", 0));
	assert_names(desk, "all ");
	ask(desk, &desk->stranger, list_of("shop", "name", 0));
	assert_names(desk, "theirs ");
	list = list_of("", "name", 0);
	list->expires_within_days = 100;
	ask(desk, &desk->stranger, list);
	assert_names(desk, "all theirs ");
	list = list_of("", "name", 0);
	assert_true(message_text(&list->account, "acme"));
	desk_ask(desk, &desk->stranger, "Certificates/List", &list->base,
	    STATUS_NOT_FOUND);
	/* Operators see all, or what an account sees. */
	ask(desk, &desk->operator, list_of("", "name", 0));
	assert_names(desk, "a all b b d theirs ");
	list = list_of("", "name", 0);
	assert_true(message_text(&list->account, "acme"));
	ask(desk, &desk->operator, list);
	assert_names(desk, "a all b b d ");
}

static void
a_search_finds_begins_of_words_of_name_host_name_and_fingerprint(void **state)
{
	struct desk *desk = *state;
	char fingerprint[65];
	int64_t id;

	add_some(desk, SOME, N_SOME);
	ask(desk, &desk->engineer, list_of("exam", "name", 0));
	assert_names(desk, "a all b b d ");
	ask(desk, &desk->engineer, list_of("www.example.com", "name", 0));
	assert_names(desk, "b ");
	ask(desk, &desk->engineer, list_of("xample", "name", 0));
	assert_names(desk, "");
	ask(desk, &desk->engineer, list_of("shop exam", "name", 0));
	assert_names(desk, "d ");
	ask(desk, &desk->engineer, list_of("*.EDGE", "name", 0));
	assert_names(desk, "all ");
	id = desk_add(desk, "DNS:real.example.org");
	desk_ask(
	    desk, &desk->engineer, "Certificates/Get", desk_get(id), STATUS_OK);
	(void)!snprintf(fingerprint, sizeof(fingerprint), "%s",
	    ((certificate_message *)desk->reply)->fingerprint);
	for (size_t len = 64; len > 12; len -= 13) {
		fingerprint[len] = 0;
		ask(desk, &desk->engineer, list_of(fingerprint, "name", 0));
		assert_names(desk, "real.example.org ");
	}
	desk_ask(desk, &desk->engineer, "Certificates/List",
	    &list_of("...", "", 0)->base, STATUS_INVALID_ARGUMENT);
}

static void
a_search_follows_a_new_name_and_forgets_what_is_deleted(void **state)
{
	struct desk *desk = *state;
	int64_t id = desk_add(desk, "DNS:a.example.org");
	Holdfast__Certd__V1__UpdateCertificateRequest *update =
	    (Holdfast__Certd__V1__UpdateCertificateRequest *)message_new(
		&holdfast__certd__v1__update_certificate_request__descriptor);

	assert_non_null(update);
	update->id = id;
	assert_true(message_text(&update->name, "Winter shop"));
	desk_ask(desk, &desk->engineer, "Certificates/Update", &update->base,
	    STATUS_OK);
	ask(desk, &desk->engineer, list_of("wint", "", 0));
	assert_names(desk, "Winter shop ");
	ask(desk, &desk->engineer, list_of("example", "", 0));
	assert_names(desk, "Winter shop ");
	desk_ask(desk, &desk->engineer, "Certificates/Delete",
	    desk_delete(id, false), STATUS_OK);
	ask(desk, &desk->engineer, list_of("wint", "", 0));
	assert_names(desk, "");
}

static void
lists_what_expires_soon_and_what_nothing_holds(void **state)
{
	struct desk *desk = *state;
	list_message *list = list_of("", "expires", 0);

	add_some(desk, SOME, N_SOME);
	list->expires_within_days = 14;
	ask(desk, &desk->engineer, list);
	assert_names(desk, "a b b ");
	assert_int_equal(page(desk)->certificates[0]->expires_in_days, -1);
	assert_int_equal(page(desk)->certificates[1]->expires_in_days, 10);
	list = list_of("", "-expires", 2);
	list->expires_within_days = 14;
	ask(desk, &desk->engineer, list);
	assert_names(desk, "b b ");
	desk_resource(desk, 7, 1, "www", "www.example.com");
	desk_bind(desk, 7, 2);
	list = list_of("", "id", 0);
	list->unused = true;
	ask(desk, &desk->engineer, list);
	assert_names(desk, "d all b a ");
	list = list_of("www", "id", 0);
	list->unused = true;
	ask(desk, &desk->engineer, list);
	assert_names(desk, "");
}

static void
shows_who_holds_a_certificate_and_how_many(void **state)
{
	struct desk *desk = *state;
	char name[32], host[32];

	add_some(desk, SOME, 1);
	for (int64_t i = 1; i <= 25; i++) {
		(void)!snprintf(name, sizeof(name), "r%lld", (long long)i);
		(void)!snprintf(
		    host, sizeof(host), "h%lld.example", (long long)i);
		desk_resource(desk, i, 1, name, host);
		desk_bind(desk, i, 1);
	}
	ask(desk, &desk->engineer, list_of("", "", 0));
	assert_int_equal(page(desk)->certificates[0]->n_resources, 20);
	assert_int_equal(page(desk)->certificates[0]->bound, 25);
	assert_string_equal(
	    page(desk)->certificates[0]->resources[0]->name, "r1");
	assert_string_equal(page(desk)->certificates[0]->chain_pem, "");
	desk_ask(
	    desk, &desk->engineer, "Certificates/Get", desk_get(1), STATUS_OK);
	assert_int_equal(((certificate_message *)desk->reply)->n_resources, 25);
}

static void
offers_for_a_resource_only_what_may_be_bound_to_it(void **state)
{
	static const struct some FOR[] = {
		{ 1, KINDS(PERSONAL), "fits", "a.example.com", 30, NULL },
		{ 1, KINDS(PERSONAL), "wild", "*.example.com", 30, NULL },
		{ 1, KINDS(PERSONAL), "other", "b.example.com", 30, NULL },
		{ 1, KINDS(PERSONAL), "deeper", "*.a.example.com", 30, NULL },
		{ 1, KINDS(PERSONAL), "expired", "a.example.com", -1, NULL },
		{ 1, KINDS(PERSONAL), "vault", "a.example.com", 30,
		    "enhanced" },
		{ 2, KINDS(PERSONAL), "theirs", "a.example.com", 30, NULL },
		{ 2, KINDS(SHARED), "shared", "*.example.com", 30, NULL },
		{ 1, KINDS(ACME), "acme", "a.example.com", 30, NULL },
		{ 1, KINDS(PERSONAL), "scoped", "a.example.com", 30, NULL },
		{ 1, KINDS(PERSONAL), "for-it", "a.example.com", 30, NULL },
	};
	struct desk *desk = *state;
	list_message *list;

	add_some(desk, FOR, sizeof(FOR) / sizeof(FOR[0]));
	desk_resource(desk, 7, 1, "www", "a.example.com");
	desk_resource(desk, 8, 1, "two", "c.example.com");
	desk_run(desk, "INSERT INTO certificate_scope VALUES (10, 8), (11, 7)");
	list = list_of("", "name", 0);
	list->for_resource = 7;
	ask(desk, &desk->engineer, list);
	assert_names(desk, "fits for-it shared wild ");
	/* All of its names must be covered. */
	desk_run(desk, "INSERT INTO hostname VALUES ('d.example.com', 7)");
	list = list_of("", "name", 0);
	list->for_resource = 7;
	ask(desk, &desk->engineer, list);
	assert_names(desk, "shared wild ");
	/* With the other filters. */
	list = list_of("wi", "name", 0);
	list->for_resource = 7;
	ask(desk, &desk->engineer, list);
	assert_names(desk, "wild ");
	list = list_of("", "name", 1);
	list->for_resource = 7;
	ask(desk, &desk->engineer, list);
	assert_names(desk, "shared ");
	assert_string_not_equal(page(desk)->next_page_token, "");
}

static void
a_resource_of_another_account_is_not_found_in_the_words_of_none(void **state)
{
	struct desk *desk = *state;
	char said[API_WHY_MAX];
	list_message *list = list_of("", "", 0);

	desk_resource(desk, 7, 1, "www", "a.example.com");
	list->for_resource = 999;
	desk_ask(desk, &desk->stranger, "Certificates/List", &list->base,
	    STATUS_NOT_FOUND);
	memcpy(said, desk->call.why, sizeof(said));
	list = list_of("", "", 0);
	list->for_resource = 7;
	desk_ask(desk, &desk->stranger, "Certificates/List", &list->base,
	    STATUS_NOT_FOUND);
	assert_string_equal(desk->call.why, said);
}

static void
a_page_token_that_is_not_of_the_list_is_refused(void **state)
{
	static const char *const TOKENS[] = { "x", "nu", "nu1.2", "nu1.2.!",
		"nu1.2.YQ", "id1.2.YQ==", "nd1.2.YQ==",
		"nu12345678901234567890.2.YQ==", "nu1.2.AA==", "nu1.x.YQ==" };
	struct desk *desk = *state;
	list_message *list;

	for (size_t i = 0; i < sizeof(TOKENS) / sizeof(TOKENS[0]); i++) {
		list = list_of("", "name", 0);
		assert_true(message_text(&list->page_token, TOKENS[i]));
		desk_ask(desk, &desk->viewer, "Certificates/List", &list->base,
		    STATUS_INVALID_ARGUMENT);
		desk_assert_said(desk, "page_token");
	}
	list = list_of("", "name", 0);
	assert_true(message_text(&list->page_token, "nu1.2.YQ=="));
	ask(desk, &desk->viewer, list);
	desk_ask(desk, &desk->viewer, "Certificates/List",
	    &list_of("", "colour", 0)->base, STATUS_INVALID_ARGUMENT);
	desk_ask(desk, &desk->viewer, "Certificates/List",
	    &list_of("", "", 1001)->base, STATUS_INVALID_ARGUMENT);
}

static void
a_common_word_is_walked_past_and_no_row_is_lost_between_pages(void **state)
{
	struct desk *desk = *state;
	const size_t n = CERTIFICATE_LIST_FEW + 200;
	struct some *many = calloc(n, sizeof(*many));
	char(*names)[16] = calloc(n, sizeof(*names));
	char token[256] = "";
	size_t found = 0;
	int64_t last = 0;

	assert_non_null(many);
	assert_non_null(names);
	for (size_t i = 0; i < n; i++) {
		(void)!snprintf(names[i], sizeof(names[i]), "n%06zu", i);
		many[i] = (struct some){ 1, KINDS(PERSONAL), names[i],
			"common.example", 30, NULL };
	}
	add_some(desk, many, n);
	do {
		list_message *list = list_of("comm", "id", 1000);

		assert_true(message_text(&list->page_token, token));
		ask(desk, &desk->engineer, list);
		for (size_t i = 0; i < page(desk)->n_certificates; i++) {
			assert_true(page(desk)->certificates[i]->id > last);
			last = page(desk)->certificates[i]->id;
		}
		found += page(desk)->n_certificates;
		(void)!snprintf(
		    token, sizeof(token), "%s", page(desk)->next_page_token);
	} while (token[0] != 0);
	assert_int_equal(found, n);
	free(many);
	free(names);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(                                       \
	    name, certificates_desk_set_up, certificates_desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_order_gives_the_same_in_pages_of_every_size),
		TEST(acme_certificates_are_not_listed_unless_asked_for),
		TEST(an_account_sees_its_own_and_the_shared_ones),
		TEST(
		    a_search_finds_begins_of_words_of_name_host_name_and_fingerprint),
		TEST(a_search_follows_a_new_name_and_forgets_what_is_deleted),
		TEST(lists_what_expires_soon_and_what_nothing_holds),
		TEST(shows_who_holds_a_certificate_and_how_many),
		TEST(offers_for_a_resource_only_what_may_be_bound_to_it),
		TEST(
		    a_resource_of_another_account_is_not_found_in_the_words_of_none),
		TEST(a_page_token_that_is_not_of_the_list_is_refused),
		TEST(
		    a_common_word_is_walked_past_and_no_row_is_lost_between_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
