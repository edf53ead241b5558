/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as each of the texts that certd keeps of callers, and as a page
 * token: what is taken is short enough for where it is kept and fit to be seen,
 * what is refused has a sentence that names the field, and a token that is read
 * prints back as it was.
 */
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "certd/page.h"
#include "certd/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINE_OCTETS 100

static void
demand(bool is_so)
{
	if (!is_so)
		abort();
}

static void
check(
    const struct api_call *call, struct status st, const char *text, size_t max)
{
	char seen[PRINTABLE_MAX(TEXT_EMAIL_MAX)];

	if (failed(st)) {
		demand(strncmp(call->why, "field ", 6) == 0);
		return;
	}
	demand(strlen(text) <= max);
	/* A backslash alone is shown as another text. */
	printable_print(bytes_of(text), seen, sizeof(seen));
	demand(strchr(text, '\\') != NULL || strcmp(seen, text) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct api_call call = { .caller = NULL };
	char *text = malloc(size + 1), token[PAGE_TOKEN_MAX];
	int64_t id = 0;

	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = 0;
	check(&call, text_check_line(&call, "field", text, 1, LINE_OCTETS),
	    text, LINE_OCTETS);
	check(&call, text_check_name(&call, "field", text), text,
	    ACCOUNT_NAME_MAX - 1);
	check(&call, text_check_email(&call, "field", text), text,
	    TEXT_EMAIL_MAX - 1);
	check(&call, text_check_phone(&call, "field", text), text,
	    TEXT_PHONE_MAX - 1);
	if (!failed(page_read(text, &id)) && text[0] != 0) {
		demand(id > 0);
		page_print(id, token);
		demand(strcmp(token, text) == 0);
	}
	free(text);
	return 0;
}
