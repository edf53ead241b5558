/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_SENDER_DESK_H
#define TESTS_UNIT_SENDER_DESK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "certd/notices/notice_sender.h"
#include "certd/notices/notice_sender_int.h"
#include "tests/unit/notices_desk.h"

/* A sender without threads for the desk of notices: a test has it send. */

static inline struct notice_sender *
sender_desk_new(struct notices_desk *nd, struct store *store, int64_t gather_s)
{
	struct notice_sender_config config = { .store = store,
		.secrets = nd->secrets,
		.console_url = DESK_CONSOLE,
		.gather_s = gather_s };
	struct notice_sender *sender = NULL;
	char why[512];

	OK(notice_post_new(NULL, &config.post, why));
	OK(notice_sender_new(&config, &sender));
	return sender;
}

/* Until nothing is due; how often something was claimed. */
static inline unsigned
sender_desk_send(struct notice_sender *sender)
{
	bool did = true;
	unsigned n = 0;

	for (; did; n += did)
		OK(notice_sender_mail(sender, &did));
	return n;
}

#endif
