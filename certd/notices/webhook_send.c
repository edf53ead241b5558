/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sends webhooks by acme/http.h; see webhook_send.h.  There are two doors: one
 * for https, which connects to public addresses alone unless all are allowed,
 * and one for http, which connects to loopback alone.  Each address is looked
 * at when it is connected to, so a name that leads elsewhere a moment later
 * leads nowhere.
 */

#include "certd/notices/webhook_send.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acme/http.h"
#include "acme/url.h"
#include "base/clock.h"
#include "base/printable.h"
#include "certd/reach.h"

#define ANSWER_MAX 4096
#define BODY_MAX 65536
#define WORD_MAX 64
#define SECRET_MIN 16
#define TIMEOUT_MS 10000
#define RETRY_AFTER_MAX_MS INT64_C(86400000)
#define HEX_MAX (2 * EVP_MAX_MD_SIZE + 1)

struct webhook_sender {
	struct acme_http *https;
	struct acme_http *loopback; /* NULL: http is not allowed */
	bool allow_private;
};

static struct status
invalid(const char *why)
{
	return status_fail(STATUS_INVALID_ARGUMENT, why);
}

static bool
is_loopback(const char *address)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, address, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
	return inet_pton(AF_INET6, address, &v6) == 1 &&
	       IN6_IS_ADDR_LOOPBACK(&v6);
}

STATUS
webhook_send_new(const struct webhook_send_config *config,
    struct webhook_sender **ret_sender)
{
	scoped(webhook_send_free) struct webhook_sender *sender =
	    calloc(1, sizeof(*sender));
	struct acme_http_config http = {
		.ca_pem = config->ca_pem,
		.user_agent = "Holdfast/" HOLDFAST_VERSION " (webhook)",
		.timeout_ms =
		    config->timeout_ms > 0 ? config->timeout_ms : TIMEOUT_MS,
		.connections = config->connections,
		.may_connect = config->allow_private ? NULL : reach_is_public,
	};
	struct status st;

	if (sender == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "there is not enough memory");
	sender->allow_private = config->allow_private;
	st = acme_http_new(&http, &sender->https);
	http.allow_plain = true;
	http.may_connect = is_loopback;
	if (!failed(st) && config->allow_plain)
		st = acme_http_new(&http, &sender->loopback);
	if (failed(st))
		return st;
	*ret_sender = sender;
	sender = NULL;
	return st;
}

void
webhook_send_free(struct webhook_sender *sender)
{
	if (sender == NULL)
		return;
	acme_http_free(sender->https);
	acme_http_free(sender->loopback);
	free(sender);
}

/* ---- where to ---- */

/* Of a fit URL, without brackets; false: it is longer than an address. */
static bool
host_of(const char *url, char ret_host[INET6_ADDRSTRLEN])
{
	const char *at = strstr(url, "://") + 3;
	size_t len;

	at += *at == '[';
	len = at[-1] == '[' ? strcspn(at, "]") : strcspn(at, ":/");
	if (len >= INET6_ADDRSTRLEN)
		return false;
	memcpy(ret_host, at, len);
	ret_host[len] = 0;
	return true;
}

/* Is the host an address that is not connected to? */
static bool
is_private_address(const char *url)
{
	char host[INET6_ADDRSTRLEN];
	unsigned char octets[16];

	return host_of(url, host) &&
	       (inet_pton(AF_INET, host, octets) == 1 ||
		   inet_pton(AF_INET6, host, octets) == 1) &&
	       !reach_is_public(host);
}

STATUS
webhook_send_check(const struct webhook_sender *sender, const char *url)
{
	if (strlen(url) >= WEBHOOK_URL_MAX)
		return invalid("url is longer than 1023 octets");
	if (!acme_url_is_fit(url))
		return invalid("url must be like https://example.com/path, "
			       "without user, password and \"#\"");
	if (!acme_url_is_https(url)) {
		if (sender->loopback != NULL && acme_url_is_loopback(url))
			return status_ok();
		return invalid("url must be https, so that nobody on the way "
			       "reads along");
	}
	if (!sender->allow_private && is_private_address(url))
		return invalid("url has a private address, or one of its own "
			       "use, which is not connected to");
	return status_ok();
}

/* ---- what ---- */

static bool
is_word(const char *text)
{
	const size_t len = strlen(text);

	return len > 0 && len <= WORD_MAX &&
	       strspn(text,
		   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		   "0123456789.-_") == len;
}

static struct status
check(const struct webhook_sender *sender,
    const struct webhook_delivery *delivery)
{
	if (!is_word(delivery->event) || !is_word(delivery->id))
		return invalid("the event or its delivery has a name that "
			       "stands in no header");
	if (delivery->body.len > BODY_MAX)
		return invalid("the body is longer than 64 KiB");
	if (delivery->secret.len < SECRET_MIN)
		return invalid("the secret is shorter than 16 octets");
	return webhook_send_check(sender, delivery->url);
}

static struct status
sign(const struct webhook_delivery *delivery, int64_t now_s,
    char ret_hex[HEX_MAX])
{
	const size_t room = delivery->body.len + 32;
	scoped(free) char *signed_text = malloc(room);
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned mac_len = 0;
	int len;

	if (signed_text == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "there is not enough memory");
	len = snprintf(signed_text, room, "%lld.", (long long)now_s);
	if (delivery->body.len > 0)
		memcpy(
		    signed_text + len, delivery->body.at, delivery->body.len);
	if (HMAC(EVP_sha256(), delivery->secret.at, (int)delivery->secret.len,
		(const uint8_t *)signed_text, (size_t)len + delivery->body.len,
		mac, &mac_len) == NULL)
		return status_fail(STATUS_INTERNAL, "it cannot be signed");
	bytes_to_hex((struct bytes){ mac, mac_len }, ret_hex);
	return status_ok();
}

/* ---- how it ended ---- */

static enum webhook_end
end_of(int http_status)
{
	if (http_status >= 200 && http_status < 300)
		return WEBHOOK_SENT;
	if (http_status == 408 || http_status == 425 || http_status == 429)
		return WEBHOOK_TEMPORARY;
	return http_status >= 400 && http_status < 500 ? WEBHOOK_PERMANENT
						       : WEBHOOK_TEMPORARY;
}

static void
judge(const struct acme_http_reply *reply, struct webhook_result *result)
{
	result->end = end_of(reply->status);
	result->http_status = reply->status;
	if (reply->retry_after_ms >= 0)
		result->retry_after_ms =
		    reply->retry_after_ms < RETRY_AFTER_MAX_MS
			? reply->retry_after_ms
			: RETRY_AFTER_MAX_MS;
	if (result->end == WEBHOOK_SENT)
		return;
	if (reply->status >= 300 && reply->status < 400)
		snprintf(result->why, sizeof(result->why),
		    "the receiver answers %d, and redirects are not followed",
		    reply->status);
	else
		snprintf(result->why, sizeof(result->why),
		    "the receiver answers %d", reply->status);
}

static struct status
ask(struct webhook_sender *sender, const struct webhook_delivery *delivery,
    struct acme_http_reply *ret_reply, char *ret_why)
{
	const int64_t now_s = clock_wall_s();
	char signature[HEX_MAX + 64], event[WORD_MAX + 32], id[WORD_MAX + 32];
	const char *const headers[] = { signature, event, id };
	const struct acme_http_request request = {
		.method = "POST",
		.url = delivery->url,
		.content_type = "application/json",
		.body = delivery->body,
		.headers = headers,
		.n_headers = sizeof(headers) / sizeof(headers[0]),
		.max_len = ANSWER_MAX,
		.cuts = true,
	};
	char hex[HEX_MAX];
	struct status st = sign(delivery, now_s, hex);

	if (failed(st)) {
		snprintf(ret_why, ACME_HTTP_WHY_MAX, "%s", st.why);
		return st;
	}
	snprintf(signature, sizeof(signature),
	    "Holdfast-Signature: t=%lld,v1=%s", (long long)now_s, hex);
	snprintf(event, sizeof(event), "Holdfast-Event: %s", delivery->event);
	snprintf(id, sizeof(id), "Holdfast-Delivery: %s", delivery->id);
	return acme_http_ask(
	    acme_url_is_https(delivery->url) ? sender->https : sender->loopback,
	    &request, ret_reply, ret_why);
}

void
webhook_send_post(struct webhook_sender *sender,
    const struct webhook_delivery *delivery, struct webhook_result *ret_result)
{
	struct webhook_result result = { .end = WEBHOOK_TEMPORARY,
		.retry_after_ms = -1 };
	char why[ACME_HTTP_WHY_MAX] = "";
	struct acme_http_reply reply;
	struct status st = check(sender, delivery);

	if (failed(st)) {
		result.end = WEBHOOK_PERMANENT;
		snprintf(result.why, sizeof(result.why), "%s", st.why);
	} else if (failed(ask(sender, delivery, &reply, why))) {
		printable_cut(why, result.why, sizeof(result.why));
	} else {
		judge(&reply, &result);
		acme_http_reply_done(&reply);
	}
	*ret_result = result;
}
