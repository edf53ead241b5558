/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/html.h"

static void
puts_as(const char *text, const char *expected)
{
	char *out = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&out, &len);

	assert_non_null(to);
	html_put(text, to);
	assert_int_equal(fclose(to), 0);
	assert_string_equal(out, expected);
	free(out);
}

static void
what_means_something_is_escaped_and_all_else_passes(void **state)
{
	(void)state;
	puts_as("", "");
	puts_as("<a href=\"x\" title='y'>&amp;</a>",
	    "&lt;a href=&quot;x&quot; "
	    "title=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt;");
	puts_as("O=M\xc3\xbcller / %s; `x`", "O=M\xc3\xbcller / %s; `x`");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    what_means_something_is_escaped_and_all_else_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
