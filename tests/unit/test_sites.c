/* SPDX-License-Identifier: Apache-2.0 */

/* The set of sites, and its file. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "edge/sites.h"

static void
fill(struct sites *sites)
{
	const char *hosts[] = { "*.a.example", "a.example" };
	const char *plain[] = { "plain.example" };
	struct site_certificate certificates[] = { { SITE_EC, { 1, 2, 3 } },
		{ SITE_RSA, { 0xff } } };
	struct sites_entry *entry;

	*sites =
	    (struct sites){ .version = 42, .tag = { 1, 2, 3, 4, 5, 6, 7, 8 } };
	entry = sites_take(sites, 9);
	entry->site = site_new(9, 41, plain, 1, NULL, 0);
	entry->served_version = 41;
	entry = sites_take(sites, 3);
	entry->site = site_new(3, 40, hosts, 2, certificates, 2);
	site_set_standby(
	    entry->site, &(struct site_certificate){ SITE_EC, { 7, 8 } });
	entry->served_version = 12;
	/* Nothing is in place of this one. */
	assert_non_null(sites_take(sites, 5));
	assert_true(sites_gone_add(sites, "old.example", 1790000000));
}

static void
what_is_written_is_read_again(void **state)
{
	struct sites sites, again;
	const struct sites_entry *entry;
	char *text, *text_again;
	size_t len, len_again;

	(void)state;
	fill(&sites);
	text = sites_print(&sites, &len);
	assert_non_null(text);
	assert_false(failed(
	    sites_parse((struct bytes){ (const uint8_t *)text, len }, &again)));
	assert_int_equal(again.version, 42);
	assert_memory_equal(again.tag, sites.tag, SITES_TAG_LEN);
	assert_int_equal(again.n, 2);
	assert_null(sites_find(&again, 5));
	entry = sites_find(&again, 3);
	assert_non_null(entry);
	assert_int_equal(entry->site->version, 40);
	assert_int_equal(entry->served_version, 12);
	assert_int_equal(entry->site->n_hosts, 2);
	assert_string_equal(entry->site->hosts[0], "*.a.example");
	assert_int_equal(entry->site->certificates[1].kind, SITE_RSA);
	assert_int_equal(entry->site->certificates[0].fingerprint[2], 3);
	assert_true(entry->site->has_standby);
	assert_int_equal(entry->site->standby.fingerprint[1], 8);
	assert_false(sites_find(&again, 9)->site->has_standby);
	assert_int_equal(again.n_gone, 1);
	assert_string_equal(again.gone[0].host, "old.example");
	text_again = sites_print(&again, &len_again);
	assert_int_equal(len_again, len);
	assert_memory_equal(text_again, text, len);
	free(text);
	free(text_again);
	sites_done(&sites);
	sites_done(&again);
}

static void
a_state_that_lost_or_changed_anything_is_not_read(void **state)
{
	struct sites sites, again;
	char *text;
	size_t len;

	(void)state;
	fill(&sites);
	text = sites_print(&sites, &len);
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(
		    sites_parse(
			(struct bytes){ (const uint8_t *)text, i }, &again)
			.code,
		    STATUS_DATA_LOSS);
		text[i] = (char)(text[i] ^ 1);
		assert_int_equal(
		    sites_parse(
			(struct bytes){ (const uint8_t *)text, len }, &again)
			.code,
		    STATUS_DATA_LOSS);
		text[i] = (char)(text[i] ^ 1);
	}
	free(text);
	sites_done(&sites);
}

static void
keeps_sites_by_number_and_forgets_some(void **state)
{
	struct sites sites = { 0 };

	(void)state;
	for (int64_t id = 200; id > 0; id -= 2)
		assert_non_null(sites_take(&sites, id));
	assert_int_equal(sites.n, 100);
	assert_ptr_equal(sites_take(&sites, 50), sites_find(&sites, 50));
	assert_null(sites_find(&sites, 51));
	for (size_t i = 1; i < sites.n; i++)
		assert_true(sites.at[i - 1]->id < sites.at[i]->id);
	sites_find(&sites, 50)->id = 0;
	sites_compact(&sites);
	assert_int_equal(sites.n, 99);
	assert_null(sites_find(&sites, 50));
	assert_non_null(sites_find(&sites, 52));
	assert_true(sites_gone_add(&sites, "a.example", 1));
	sites_gone_drop(&sites, "b.example");
	assert_int_equal(sites.n_gone, 1);
	sites_gone_drop(&sites, "a.example");
	assert_int_equal(sites.n_gone, 0);
	sites_done(&sites);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(
		    a_state_that_lost_or_changed_anything_is_not_read),
		cmocka_unit_test(keeps_sites_by_number_and_forgets_some),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
