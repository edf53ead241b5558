/* SPDX-License-Identifier: Apache-2.0 */

/*
 * HTTP for the checks, many at once on one curl_multi; see checks_http.h.
 * libcurl is told where to connect to, whatever the URL says, so that it looks
 * nothing up, and may speak http and https and nothing else.  What is behind a
 * TLS handshake is not trusted, but described: the leaf is read.
 */

#include "certd/checks_http.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "pki/pem.h"

#define AT_ONCE 64
#define HEADERS_MAX 65536
#define CONNECT_MS 4000
#define ONE_MS 6000 /* of one request */
#define LEAF_PEM_MAX 65536

struct transfer {
	CURL *easy;
	struct curl_slist *connect_to;
	struct checks_http_reply *reply;
	size_t header_octets;
	bool tls_begun, is_connected;
};

static struct status
no_memory(void)
{
	return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
}

static void
start_library(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

/* ---- URLs ---- */

static bool
take_part(
    CURLU *url, CURLUPart part, unsigned flags, char *ret_text, size_t max)
{
	char *text = NULL;
	bool fits = curl_url_get(url, part, &text, flags) == CURLUE_OK &&
		    strlen(text) < max;

	if (fits)
		memcpy(ret_text, text, strlen(text) + 1);
	curl_free(text);
	return fits;
}

static bool
has_part(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK;

	curl_free(text);
	return has;
}

static bool
take_host(CURLU *url, struct checks_http_url *ret)
{
	char host[HOSTNAME_MAX + 2] = "", why[HOSTNAME_WHY_MAX];
	size_t len;

	if (!take_part(url, CURLUPART_HOST, 0, host, sizeof(host)))
		return false;
	len = strlen(host);
	ret->host_is_address =
	    host[0] == '[' || strspn(host, "0123456789.") == len;
	if (!ret->host_is_address)
		return !failed(hostname_normalize(host, ret->host, why));
	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = 0;
		memmove(host, host + 1, len - 1);
	}
	if (strlen(host) >= sizeof(ret->host))
		return false;
	memcpy(ret->host, host, strlen(host) + 1);
	return true;
}

static bool
take_url(CURLU *url, struct checks_http_url *ret)
{
	char scheme[8] = "", port[8] = "";

	/* What a fragment says stays here (RFC 9110 7.1). */
	if (curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK ||
	    has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD))
		return false;
	if (!take_part(url, CURLUPART_SCHEME, 0, scheme, sizeof(scheme)) ||
	    !take_part(
		url, CURLUPART_PORT, CURLU_DEFAULT_PORT, port, sizeof(port)) ||
	    !take_host(url, ret) ||
	    (!ret->host_is_address &&
		curl_url_set(url, CURLUPART_HOST, ret->host, 0) != CURLUE_OK) ||
	    !take_part(url, CURLUPART_URL, 0, ret->text, sizeof(ret->text)))
		return false;
	ret->is_https = strcmp(scheme, "https") == 0;
	ret->port = (uint16_t)strtoul(port, NULL, 10);
	return ret->port != 0 && (ret->is_https || strcmp(scheme, "http") == 0);
}

bool
checks_http_url(const struct checks_http_url *base, const char *location,
    struct checks_http_url *ret_url)
{
	struct checks_http_url taken = { .port = 0 };
	CURLU *url;
	bool done;

	(void)pthread_once(&library_once, start_library);
	url = curl_url();
	done = url != NULL &&
	       (base == NULL || curl_url_set(url, CURLUPART_URL, base->text,
				    0) == CURLUE_OK) &&
	       curl_url_set(url, CURLUPART_URL, location, 0) == CURLUE_OK &&
	       take_url(url, &taken);
	curl_url_cleanup(url);
	if (done)
		*ret_url = taken;
	return done;
}

/* ---- one transfer ---- */

static size_t
on_header(char *at, size_t size, size_t n, void *ctx)
{
	struct transfer *transfer = ctx;

	transfer->header_octets += size * n;
	if (transfer->header_octets > HEADERS_MAX)
		return 0;
	http_answer_header(&transfer->reply->answer,
	    (struct bytes){ (const uint8_t *)at, size * n });
	return size * n;
}

/* Too little taken ends the transfer: that much is enough. */
static size_t
on_body(char *at, size_t size, size_t n, void *ctx)
{
	struct transfer *transfer = ctx;

	return http_answer_body(&transfer->reply->answer,
		   (struct bytes){ (const uint8_t *)at, size * n })
		   ? size * n
		   : 0;
}

/* TCP stands, and TLS begins. */
static CURLcode
on_tls(CURL *easy, void *context, void *ctx)
{
	struct transfer *transfer = ctx;

	(void)easy;
	(void)context;
	transfer->tls_begun = true;
	return CURLE_OK;
}

/* All that the request goes over stands. */
static int
on_connected(void *ctx, char *to, char *from, int to_port, int from_port)
{
	struct transfer *transfer = ctx;

	(void)to;
	(void)from;
	(void)to_port;
	(void)from_port;
	transfer->is_connected = true;
	return CURL_PREREQFUNC_OK;
}

#define SET(option, value)                                                     \
	(curl_easy_setopt(transfer->easy, option, value) == CURLE_OK)

static bool
set_what(struct transfer *transfer, const struct checks_http_ask *ask)
{
	char pin[96];
	bool is_v6 = strchr(ask->address, ':') != NULL;

	/* Whatever host and port the URL has. */
	(void)!snprintf(pin, sizeof(pin), "::%s%s%s:%u", is_v6 ? "[" : "",
	    ask->address, is_v6 ? "]" : "", ask->url.port);
	transfer->connect_to = curl_slist_append(NULL, pin);
	return transfer->connect_to != NULL &&
	       SET(CURLOPT_CONNECT_TO, transfer->connect_to) &&
	       SET(CURLOPT_URL, ask->url.text) &&
	       SET(CURLOPT_USERAGENT,
		   "Holdfast/" HOLDFAST_VERSION " (looks before a CA does)") &&
	       SET(CURLOPT_HEADERFUNCTION, on_header) &&
	       SET(CURLOPT_HEADERDATA, transfer) &&
	       SET(CURLOPT_WRITEFUNCTION, on_body) &&
	       SET(CURLOPT_WRITEDATA, transfer) &&
	       SET(CURLOPT_SSL_CTX_FUNCTION, on_tls) &&
	       SET(CURLOPT_SSL_CTX_DATA, transfer) &&
	       SET(CURLOPT_PREREQFUNCTION, on_connected) &&
	       SET(CURLOPT_PREREQDATA, transfer) &&
	       SET(CURLOPT_ERRORBUFFER, transfer->reply->trouble);
}

static bool
set_limits(struct transfer *transfer, unsigned timeout_ms)
{
	long connect_ms =
	    timeout_ms < CONNECT_MS ? (long)timeout_ms : (long)CONNECT_MS;
	long one_ms = timeout_ms < ONE_MS ? (long)timeout_ms : (long)ONE_MS;

	return SET(CURLOPT_TIMEOUT_MS, one_ms) &&
	       SET(CURLOPT_CONNECTTIMEOUT_MS, connect_ms) &&
	       SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_PROXY, "") &&
	       SET(CURLOPT_PROTOCOLS_STR, "http,https") &&
	       SET(CURLOPT_FOLLOWLOCATION, 0L) &&
	       SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) &&
	       SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	       SET(CURLOPT_FORBID_REUSE, 1L) &&
	       SET(CURLOPT_SSL_VERIFYPEER, 0L) &&
	       SET(CURLOPT_SSL_VERIFYHOST, 0L) && SET(CURLOPT_CERTINFO, 1L);
}

static bool
begin(struct transfer *transfer, CURLM *multi,
    const struct checks_http_ask *ask, unsigned timeout_ms,
    struct checks_http_reply *reply)
{
	*transfer =
	    (struct transfer){ .easy = curl_easy_init(), .reply = reply };
	return transfer->easy != NULL && set_what(transfer, ask) &&
	       set_limits(transfer, timeout_ms) &&
	       SET(CURLOPT_PRIVATE, transfer) &&
	       curl_multi_add_handle(multi, transfer->easy) == CURLM_OK;
}

static void
end(struct transfer *transfer, CURLM *multi)
{
	if (transfer->easy == NULL)
		return;
	curl_multi_remove_handle(multi, transfer->easy);
	curl_easy_cleanup(transfer->easy);
	curl_slist_free_all(transfer->connect_to);
}

/* ---- how it ended ---- */

static enum checks_http_end
end_of_connect(CURL *easy)
{
	long number = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
	if (number == ECONNREFUSED)
		return CHECKS_HTTP_REFUSED;
	return number == ETIMEDOUT ? CHECKS_HTTP_TIMEOUT : CHECKS_HTTP_NO_ROUTE;
}

static enum checks_http_end
end_of_time(const struct transfer *transfer)
{
	if (transfer->is_connected)
		return CHECKS_HTTP_SILENT;
	return transfer->tls_begun ? CHECKS_HTTP_TLS : CHECKS_HTTP_TIMEOUT;
}

static enum checks_http_end
end_of(const struct transfer *transfer, CURLcode code)
{
	/* Cut off where enough was read, or later than what counts. */
	if (transfer->reply->answer.status != 0 &&
	    (code == CURLE_OK || code == CURLE_WRITE_ERROR ||
		code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR))
		return CHECKS_HTTP_ANSWERED;
	switch (code) {
	case CURLE_COULDNT_CONNECT:
		return end_of_connect(transfer->easy);
	case CURLE_OPERATION_TIMEDOUT:
		return end_of_time(transfer);
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
	case CURLE_PEER_FAILED_VERIFICATION:
		return CHECKS_HTTP_TLS;
	default:
		return CHECKS_HTTP_NO_HTTP;
	}
}

/* "Cert:-----BEGIN CERTIFICATE-----..." of the first one. */
static const char *
leaf_pem(CURL *easy)
{
	struct curl_certinfo *info = NULL;

	if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &info) != CURLE_OK ||
	    info == NULL || info->num_of_certs < 1)
		return NULL;
	for (const struct curl_slist *at = info->certinfo[0]; at != NULL;
	     at = at->next)
		if (strncmp(at->data, "Cert:", 5) == 0)
			return at->data + 5;
	return NULL;
}

static void
read_leaf(CURL *easy, struct checks_http_reply *reply)
{
	const char *pem = leaf_pem(easy);
	struct pem_reader reader;
	struct pem_block block;
	char why[PKI_CERT_WHY_MAX];
	bool found = false;
	uint8_t *der;
	size_t len;

	if (pem == NULL || strlen(pem) > LEAF_PEM_MAX)
		return;
	pem_reader_init(&reader, bytes_of(pem));
	if (failed(pem_reader_next(&reader, &block, &found, why)) || !found)
		return;
	der = malloc(block.body.len + 1);
	if (der == NULL)
		return;
	if (!failed(pem_decode(&block, der, &len, why)) &&
	    failed(
		pki_cert_parse((struct bytes){ der, len }, &reply->leaf, why)))
		reply->leaf = NULL;
	free(der);
}

static void
take_ended(CURLM *multi)
{
	const CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(multi, &left)) != NULL) {
		struct transfer *transfer = NULL;

		if (message->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
			&transfer) != CURLE_OK)
			continue;
		transfer->reply->end = end_of(transfer, message->data.result);
		if (transfer->reply->end != CHECKS_HTTP_ANSWERED &&
		    transfer->reply->trouble[0] == 0)
			(void)!snprintf(transfer->reply->trouble,
			    sizeof(transfer->reply->trouble), "%s",
			    curl_easy_strerror(message->data.result));
		read_leaf(message->easy_handle, transfer->reply);
	}
}

/* ---- many ---- */

static struct status
run(CURLM *multi)
{
	int running = 1;

	while (running > 0) {
		if (curl_multi_perform(multi, &running) != CURLM_OK)
			return no_memory();
		take_ended(multi);
		if (running > 0 &&
		    curl_multi_poll(multi, NULL, 0, 1000, NULL) != CURLM_OK)
			return no_memory();
	}
	return status_ok();
}

static struct status
ask_some(CURLM *multi, const struct checks_http_ask *asks, size_t n,
    unsigned timeout_ms, struct checks_http_reply *replies)
{
	struct transfer transfers[AT_ONCE];
	struct status st = status_ok();
	size_t begun = 0;

	while (begun < n && !failed(st)) {
		if (!begin(&transfers[begun], multi, &asks[begun], timeout_ms,
			&replies[begun]))
			st = no_memory();
		begun++;
	}
	if (!failed(st))
		st = run(multi);
	for (size_t i = 0; i < begun; i++)
		end(&transfers[i], multi);
	return st;
}

STATUS
checks_http_get(const struct checks_http_ask *asks, size_t n,
    unsigned timeout_ms, struct checks_http_reply *ret_replies)
{
	int64_t until_ns = clock_mono_ns() + (int64_t)timeout_ms * NS_PER_MS;
	struct status st = status_ok();
	CURLM *multi;

	for (size_t i = 0; i < n; i++)
		ret_replies[i] =
		    (struct checks_http_reply){ .end = CHECKS_HTTP_NOT_ASKED };
	(void)pthread_once(&library_once, start_library);
	multi = curl_multi_init();
	if (multi == NULL)
		return no_memory();
	for (size_t i = 0; i < n && !failed(st); i += AT_ONCE) {
		int64_t left_ms = (until_ns - clock_mono_ns()) / NS_PER_MS;

		if (left_ms <= 0)
			break;
		st =
		    ask_some(multi, asks + i, n - i < AT_ONCE ? n - i : AT_ONCE,
			(unsigned)left_ms, ret_replies + i);
	}
	curl_multi_cleanup(multi);
	return st;
}

void
checks_http_reply_done(struct checks_http_reply *reply)
{
	pki_cert_free(reply->leaf);
	reply->leaf = NULL;
}

const char *
checks_http_end_text(enum checks_http_end how)
{
	switch (how) {
	case CHECKS_HTTP_ANSWERED:
		return "answered";
	case CHECKS_HTTP_REFUSED:
		return "refuses the connection";
	case CHECKS_HTTP_NO_ROUTE:
		return "cannot be reached from here";
	case CHECKS_HTTP_TIMEOUT:
		return "does not answer: nothing comes back (time-out)";
	case CHECKS_HTTP_SILENT:
		return "takes the connection and does not answer";
	case CHECKS_HTTP_TLS:
		return "fails the TLS handshake";
	case CHECKS_HTTP_NO_HTTP:
		return "does not speak HTTP there, or hangs up";
	case CHECKS_HTTP_NOT_ASKED:
		return "was not asked: there was no time left";
	}
	return "?";
}
