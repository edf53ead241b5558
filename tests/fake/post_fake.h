/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_POST_FAKE_H
#define TESTS_FAKE_POST_FAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "certd/notices/notice_post.h"

/*
 * certd/notices/notice_post.h without a network: what is sent is remembered,
 * and ends as the test says.  Any thread.
 */
#define POST_FAKE_SENT_MAX 256

struct post_fake_sent {
	bool is_hook;
	char to[256]; /* or the URL */
	char subject[512], id[128], thread[64], unsubscribe_url[1024];
	char secret[64], event[64];
	char *text, *html; /* of a webhook: its body, and NULL */
};

void post_fake_reset(void);
/* No mail server is configured. */
void post_fake_without_mail(void);
/* What is sent to that address or URL ends so from now on; "*": all others.
 * "gone" is a 410, and what begins with 450 is said of the one mail. */
void post_fake_set(const char *to, enum notice_post_end end, const char *why);
/* The next deliveries stay until post_fake_release. */
void post_fake_hold(void);
void post_fake_release(void);

size_t post_fake_count(void);
/* How many to that address or URL. */
size_t post_fake_count_to(const char *to);
/* The i-th that was tried, whatever its end; stays until the reset. */
const struct post_fake_sent *post_fake_at(size_t i);
/* How many were under way at once, at most. */
size_t post_fake_most_at_once(void);

#endif
