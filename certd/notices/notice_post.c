/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Mail and webhooks as certd.yaml says; see notice_post.h.  The password and
 * whom to trust are read before certd confines itself, and are held by those
 * who use them.
 */

#include "certd/notices/notice_post.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "certd/notices/webhook_send.h"
#include "mail/address.h"
#include "mail/message.h"
#include "mail/smtp.h"

#define TIMEOUT_MS 30000
#define CA_MAX ((size_t)1 << 20)
#define MAILS_AT_ONCE 4
#define HOOKS_AT_ONCE 10
#define WHY_MAX 512

struct notice_post {
	char from[MAIL_ADDRESS_MAX];
	char list_id[MAIL_ADDRESS_MAX + 16];
	struct smtp *smtp;        /* NULL: no mail */
	atomic_bool is_connected; /* it may be */
	struct webhook_sender *hooks;
};

/* Read before the sandbox closes, for notice_post_new. */
static struct smtp *preloaded_smtp;
static struct webhook_sender *preloaded_hooks;

/* ---- files ---- */

static struct status
cannot_read(const char *key, const char *path, char *ret_why)
{
	snprintf(ret_why, WHY_MAX,
	    "%s: %.300s cannot be read (%s); write the path of a PEM file that "
	    "certd may read",
	    key, path, strerror(errno));
	return status_fail(STATUS_FAILED_PRECONDITION,
	    "a file of certd.yaml's notices cannot be read");
}

/* NULL for no path; malloc'd. */
static struct status
read_pem(const char *key, const char *path, char **ret_pem, char *ret_why)
{
	scoped(fclose) FILE *file = NULL;
	char *pem;
	size_t n;

	*ret_pem = NULL;
	if (path[0] == 0)
		return status_ok();
	file = fopen(path, "re");
	if (file == NULL)
		return cannot_read(key, path, ret_why);
	pem = malloc(CA_MAX + 1);
	if (pem == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	n = fread(pem, 1, CA_MAX, file);
	if (ferror(file) != 0 || n == 0) {
		free(pem);
		return cannot_read(key, path, ret_why);
	}
	pem[n] = 0;
	*ret_pem = pem;
	return status_ok();
}

static struct status
read_password(
    const struct config *config, struct secret **ret_password, char *ret_why)
{
	const char *path = config->notices.smtp.password_file;
	struct status st;

	if (path[0] == 0)
		return status_ok();
	st = secret_from_file(path, ret_password);
	if (failed(st))
		snprintf(ret_why, WHY_MAX,
		    "notices.smtp.password_file: %.300s: %s", path, st.why);
	return st;
}

/* ---- set up ---- */

static struct status
explain(struct status st, const char *key, char *ret_why)
{
	if (failed(st) && ret_why[0] == 0)
		snprintf(ret_why, WHY_MAX, "%s: %s", key, st.why);
	return st;
}

static enum smtp_tls
tls_of(const struct config *config)
{
	switch (config->notices.smtp.tls) {
	case CONFIG_SMTP_IMPLICIT:
		return SMTP_TLS;
	case CONFIG_SMTP_OFF:
		return SMTP_NO_TLS;
	default:
		return SMTP_STARTTLS;
	}
}

static struct status
make_smtp(const struct config *config, const char *ca_pem,
    struct secret **password, char *ret_why)
{
	const char *from = config->notices.smtp.from;
	const char *hello = config->notices.smtp.hello;
	char host[SMTP_HOST_MAX];
	struct smtp_config smtp = { .host = host,
		.tls = tls_of(config),
		.ca_pem = ca_pem,
		.timeout_ms = TIMEOUT_MS,
		.connections = MAILS_AT_ONCE };
	struct status st =
	    explain(mail_address_check(from), "notices.smtp.from", ret_why);

	if (!failed(st))
		st = explain(smtp_config_server(
				 config->notices.smtp.server, host, &smtp.port),
		    "notices.smtp.server", ret_why);
	if (failed(st))
		return st;
	smtp.ehlo = hello[0] != 0 ? hello : mail_address_domain(from);
	if (*password != NULL) {
		smtp.user = config->notices.smtp.username;
		smtp.password = *password;
	}
	st = explain(smtp_new(&smtp, &preloaded_smtp), "notices.smtp", ret_why);
	if (!failed(st))
		*password = NULL; /* it is the smtp's */
	return st;
}

static struct status
preload_smtp(const struct config *config, char *ret_why)
{
	scoped(secret_free) struct secret *password = NULL;
	scoped(free) char *ca_pem = NULL;
	struct status st;

	if (config->notices.smtp.server[0] == 0)
		return status_ok();
	st = read_pem("notices.smtp.ca_file", config->notices.smtp.ca_file,
	    &ca_pem, ret_why);
	if (!failed(st))
		st = read_password(config, &password, ret_why);
	return failed(st) ? st : make_smtp(config, ca_pem, &password, ret_why);
}

static struct status
preload_hooks(const struct config *config, char *ret_why)
{
	scoped(free) char *ca_pem = NULL;
	struct webhook_send_config hooks = {
		.allow_private = config->notices.allow_private_webhooks,
		.allow_plain = config->notices.allow_private_webhooks,
		.connections = HOOKS_AT_ONCE
	};
	struct status st = read_pem("notices.webhook_ca_file",
	    config->notices.webhook_ca_file, &ca_pem, ret_why);

	if (failed(st))
		return st;
	hooks.ca_pem = ca_pem;
	return explain(webhook_send_new(&hooks, &preloaded_hooks),
	    "notices.webhook_ca_file", ret_why);
}

STATUS
notice_post_preload(const struct config *config, char *ret_why)
{
	struct status st;

	ret_why[0] = 0;
	st = preload_smtp(config, ret_why);
	return failed(st) ? st : preload_hooks(config, ret_why);
}

STATUS
notice_post_new(
    const struct config *config, struct notice_post **ret_post, char *ret_why)
{
	struct notice_post *post;
	struct status st = status_ok();

	if (preloaded_hooks == NULL)
		st = notice_post_preload(config, ret_why);
	if (failed(st))
		return st;
	post = calloc(1, sizeof(*post));
	if (post == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	post->smtp = preloaded_smtp;
	post->hooks = preloaded_hooks;
	preloaded_smtp = NULL;
	preloaded_hooks = NULL;
	if (post->smtp != NULL) {
		snprintf(post->from, sizeof(post->from), "%s",
		    config->notices.smtp.from);
		snprintf(post->list_id, sizeof(post->list_id), "notices.%s",
		    mail_address_domain(post->from));
	}
	*ret_post = post;
	return st;
}

void
notice_post_free(struct notice_post *post)
{
	if (post == NULL)
		return;
	smtp_free(post->smtp);
	webhook_send_free(post->hooks);
	free(post);
}

bool
notice_post_has_mail(const struct notice_post *post)
{
	return post->smtp != NULL;
}

STATUS
notice_post_check_url(const struct notice_post *post, const char *url)
{
	return webhook_send_check(post->hooks, url);
}

/* ---- mail ---- */

static void
set_result(
    struct notice_post_result *to, enum notice_post_end end, const char *why)
{
	*to = (struct notice_post_result){ .end = end, .retry_after_s = -1 };
	snprintf(to->why, sizeof(to->why), "%s", why);
}

static enum notice_post_end
end_of_smtp(enum smtp_end end)
{
	switch (end) {
	case SMTP_SENT:
		return POST_SENT;
	case SMTP_PERMANENT:
		return POST_PERMANENT;
	case SMTP_CONFIG:
		return POST_CONFIG;
	default:
		return POST_TEMPORARY;
	}
}

void
notice_post_mail(struct notice_post *post, const struct notice_post_mail *mail,
    struct notice_post_result *ret_result)
{
	const struct mail_fields fields = { .from_name = "Holdfast",
		.from = post->from,
		.to = mail->to,
		.subject = mail->subject,
		.text = mail->text,
		.html = mail->html,
		.date_s = mail->date_s,
		.id = mail->id,
		.thread = mail->thread,
		.list_id =
		    strchr(post->list_id, '[') == NULL ? post->list_id : NULL,
		.unsubscribe_url = mail->unsubscribe_url };
	scoped(mail_message_free) struct mail_message *message = NULL;
	struct smtp_result sent;
	char why[MAIL_WHY_MAX] = "";
	struct status st;

	if (post->smtp == NULL) {
		set_result(ret_result, POST_CONFIG,
		    "no mail server is configured (notices.smtp of "
		    "certd.yaml)");
		return;
	}
	st = mail_message_new(&fields, &message, why);
	if (failed(st)) {
		set_result(ret_result,
		    st.code == STATUS_INVALID_ARGUMENT ? POST_PERMANENT
						       : POST_TEMPORARY,
		    why[0] != 0 ? why : st.why);
		return;
	}
	atomic_store(&post->is_connected, true);
	smtp_send(post->smtp, message, &sent);
	set_result(ret_result, end_of_smtp(sent.end), sent.why);
	ret_result->is_of_message = sent.is_of_message;
}

void
notice_post_rest(struct notice_post *post)
{
	if (atomic_exchange(&post->is_connected, false))
		smtp_rest(post->smtp);
}

/* ---- webhooks ---- */

void
notice_post_hook(struct notice_post *post, const struct notice_post_hook *hook,
    struct notice_post_result *ret_result)
{
	const struct webhook_delivery delivery = { .url = hook->url,
		.secret = bytes_of(hook->secret),
		.event = hook->event,
		.id = hook->id,
		.body = bytes_of(hook->body) };
	struct webhook_result sent;

	webhook_send_post(post->hooks, &delivery, &sent);
	set_result(ret_result,
	    sent.end == WEBHOOK_SENT        ? POST_SENT
	    : sent.end == WEBHOOK_PERMANENT ? POST_PERMANENT
					    : POST_TEMPORARY,
	    sent.why);
	if (sent.retry_after_ms >= 0)
		ret_result->retry_after_s = sent.retry_after_ms / 1000;
	ret_result->is_gone = sent.http_status == 410;
}
