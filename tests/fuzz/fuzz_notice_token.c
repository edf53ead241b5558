/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Tokens of links that stop mails, as anybody may send them.  What is read is
 * what certd would make, to the letter; and what certd makes of any recipient
 * is read back, but for one octet that was changed.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "certd/notices/notice_event.h"
#include "certd/notices/notice_link.h"
#include "tests/unit/scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct secrets *secrets;

static void
set_up(void)
{
	char folder[SCRATCH_PATH_MAX];

	assert(scratch_new(folder, sizeof(folder)));
	assert(!failed(secrets_open(folder, &secrets)));
	assert(scratch_remove(folder) == 0);
}

static void
read_as_sent(const char *text)
{
	char again[NOTICE_TOKEN_MAX];
	struct notice_token token;

	if (failed(notice_link_read(secrets, text, &token)))
		return;
	assert(token.account > 0 && notice_event_is(token.event));
	assert(!failed(notice_link_make(secrets, &token, again)));
	assert(strcmp(again, text) == 0);
}

static void
make_of(const char *recipient, uint8_t salt)
{
	struct notice_token token = { .account = 1 + salt,
		.event = 1 + salt % 8 };
	struct notice_token back;
	char text[NOTICE_TOKEN_MAX];
	size_t at;

	if (recipient[0] == 0 || strlen(recipient) >= sizeof(token.recipient))
		return;
	memcpy(token.recipient, recipient, strlen(recipient) + 1);
	assert(!failed(notice_link_make(secrets, &token, text)));
	assert(!failed(notice_link_read(secrets, text, &back)));
	assert(strcmp(back.recipient, recipient) == 0);
	assert(back.account == token.account && back.event == token.event);
	at = salt % strlen(text);
	text[at] = text[at] == 'Q' ? 'R' : 'Q';
	assert(failed(notice_link_read(secrets, text, &back)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[1024];

	if (size == 0 || size >= sizeof(text))
		return 0;
	if (secrets == NULL)
		set_up();
	memcpy(text, data, size);
	text[size] = 0;
	read_as_sent(text);
	make_of(text + 1, data[0]);
	return 0;
}
