/* SPDX-License-Identifier: Apache-2.0 */

/* Mail and webhooks that end as a test says; see post_fake.h. */

#include "tests/fake/post_fake.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULES 16

struct notice_post {
	char none;
};

static struct notice_post the_post;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;
static struct {
	bool without_mail, holds;
	size_t n_rules, n_sent, at_once, most_at_once;
	struct {
		char to[256];
		enum notice_post_end end;
		char why[128];
	} rules[RULES];
	struct post_fake_sent sent[POST_FAKE_SENT_MAX];
} fake;

void
post_fake_reset(void)
{
	pthread_mutex_lock(&mutex);
	for (size_t i = 0; i < fake.n_sent; i++) {
		free(fake.sent[i].text);
		free(fake.sent[i].html);
	}
	memset(&fake, 0, sizeof(fake));
	pthread_mutex_unlock(&mutex);
}

void
post_fake_without_mail(void)
{
	fake.without_mail = true;
}

void
post_fake_set(const char *to, enum notice_post_end end, const char *why)
{
	size_t i = 0;

	pthread_mutex_lock(&mutex);
	while (i < fake.n_rules && strcmp(fake.rules[i].to, to) != 0)
		i++;
	if (i == fake.n_rules && i < RULES)
		fake.n_rules++;
	snprintf(fake.rules[i].to, sizeof(fake.rules[i].to), "%s", to);
	fake.rules[i].end = end;
	snprintf(fake.rules[i].why, sizeof(fake.rules[i].why), "%s", why);
	pthread_mutex_unlock(&mutex);
}

void
post_fake_hold(void)
{
	pthread_mutex_lock(&mutex);
	fake.holds = true;
	pthread_mutex_unlock(&mutex);
}

void
post_fake_release(void)
{
	pthread_mutex_lock(&mutex);
	fake.holds = false;
	pthread_cond_broadcast(&released);
	pthread_mutex_unlock(&mutex);
}

size_t
post_fake_count(void)
{
	size_t n;

	pthread_mutex_lock(&mutex);
	n = fake.n_sent;
	pthread_mutex_unlock(&mutex);
	return n;
}

size_t
post_fake_count_to(const char *to)
{
	size_t n = 0;

	pthread_mutex_lock(&mutex);
	for (size_t i = 0; i < fake.n_sent; i++)
		n += strcmp(fake.sent[i].to, to) == 0;
	pthread_mutex_unlock(&mutex);
	return n;
}

const struct post_fake_sent *
post_fake_at(size_t i)
{
	return &fake.sent[i];
}

size_t
post_fake_most_at_once(void)
{
	return fake.most_at_once;
}

/* ---- the door ---- */

STATUS
notice_post_preload(const struct config *config, char *ret_why)
{
	(void)config;
	ret_why[0] = 0;
	return status_ok();
}

STATUS
notice_post_new(
    const struct config *config, struct notice_post **ret_post, char *ret_why)
{
	(void)config;
	ret_why[0] = 0;
	*ret_post = &the_post;
	return status_ok();
}

void
notice_post_free(struct notice_post *post)
{
	(void)post;
}

bool
notice_post_has_mail(const struct notice_post *post)
{
	(void)post;
	return !fake.without_mail;
}

STATUS
notice_post_check_url(const struct notice_post *post, const char *url)
{
	(void)post;
	return strncmp(url, "https://", 8) == 0
		   ? status_ok()
		   : status_fail(
			 STATUS_INVALID_ARGUMENT, "url must begin with https");
}

void
notice_post_rest(struct notice_post *post)
{
	(void)post;
}

/* With the mutex held: the end, after the hold. */
static void
finish(const char *to, struct notice_post_result *ret)
{
	*ret = (struct notice_post_result){ .end = POST_SENT,
		.retry_after_s = -1 };
	fake.at_once++;
	if (fake.at_once > fake.most_at_once)
		fake.most_at_once = fake.at_once;
	while (fake.holds)
		pthread_cond_wait(&released, &mutex);
	fake.at_once--;
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < fake.n_rules; i++)
			if (strcmp(fake.rules[i].to, pass == 0 ? to : "*") ==
			    0) {
				ret->end = fake.rules[i].end;
				snprintf(ret->why, sizeof(ret->why), "%s",
				    fake.rules[i].why);
				ret->is_gone = strcmp(ret->why, "gone") == 0;
				ret->is_of_message =
				    strncmp(ret->why, "450", 3) == 0;
				return;
			}
}

static void
keep(struct post_fake_sent *sent, const char *text, const char *html)
{
	if (fake.n_sent == POST_FAKE_SENT_MAX)
		abort();
	sent->text = strdup(text);
	sent->html = html == NULL ? NULL : strdup(html);
	fake.sent[fake.n_sent++] = *sent;
}

void
notice_post_mail(struct notice_post *post, const struct notice_post_mail *mail,
    struct notice_post_result *ret_result)
{
	struct post_fake_sent sent = { .is_hook = false };

	(void)post;
	snprintf(sent.to, sizeof(sent.to), "%s", mail->to);
	snprintf(sent.subject, sizeof(sent.subject), "%s", mail->subject);
	snprintf(sent.id, sizeof(sent.id), "%s", mail->id);
	snprintf(sent.thread, sizeof(sent.thread), "%s",
	    mail->thread == NULL ? "" : mail->thread);
	snprintf(sent.unsubscribe_url, sizeof(sent.unsubscribe_url), "%s",
	    mail->unsubscribe_url == NULL ? "" : mail->unsubscribe_url);
	pthread_mutex_lock(&mutex);
	keep(&sent, mail->text, mail->html);
	finish(mail->to, ret_result);
	pthread_mutex_unlock(&mutex);
}

void
notice_post_hook(struct notice_post *post, const struct notice_post_hook *hook,
    struct notice_post_result *ret_result)
{
	struct post_fake_sent sent = { .is_hook = true };

	(void)post;
	snprintf(sent.to, sizeof(sent.to), "%s", hook->url);
	snprintf(sent.id, sizeof(sent.id), "%s", hook->id);
	snprintf(sent.secret, sizeof(sent.secret), "%s", hook->secret);
	snprintf(sent.event, sizeof(sent.event), "%s", hook->event);
	pthread_mutex_lock(&mutex);
	keep(&sent, hook->body, NULL);
	finish(hook->url, ret_result);
	pthread_mutex_unlock(&mutex);
}
