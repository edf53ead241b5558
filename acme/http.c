/* SPDX-License-Identifier: Apache-2.0 */

/*
 * HTTPS by libcurl's easy handles.  Handles that are free lie on a stack: the
 * one used last, whose connection is the warmest, is used next.  The trusted
 * certificates are read once, when the door is made, and shared by all
 * connections; afterwards no file is opened.  Refuses redirects, proxies, other
 * protocols, plain HTTP off this machine (but for what is signed), addresses
 * that may not be connected to, and answers that are too long.
 */

#include "acme/http.h"

#include <arpa/inet.h>
#include <assert.h>
#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "acme/http_answer.h"
#include "acme/url.h"
#include "base/clock.h"
#include "base/printable.h"
#include "base/trusted.h"

#define CONNECTIONS_MAX 256
#define CONNECT_TIMEOUT_MS 10000

struct acme_http {
	char *user_agent;
	unsigned timeout_ms;
	bool allow_plain, is_signed;
	bool (*may_connect)(const char *address);
	X509_STORE *trusted;
	unsigned max;

	pthread_mutex_t mutex; /* guards the three below */
	pthread_cond_t freed;
	CURL *free[CONNECTIONS_MAX];
	unsigned n_free, n_made;
};

static inline void
scoped_slist(struct curl_slist **at)
{
	curl_slist_free_all(*at);
}

/* ---- making it ---- */

static void
init_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static struct status
load_trusted(const struct acme_http_config *config, X509_STORE **ret_store)
{
	const char *path = config->ca_file != NULL
			       ? config->ca_file
			       : curl_version_info(CURLVERSION_NOW)->cainfo;
	struct status st = config->ca_pem != NULL
			       ? trusted_from_pem(config->ca_pem, ret_store)
			       : trusted_from_file(path, ret_store);

	if (!failed(st))
		return st;
	return status_fail(STATUS_FAILED_PRECONDITION,
	    "the certificates to verify a server's TLS by cannot be read: "
	    "check ca_file, or install ca-certificates");
}

STATUS
acme_http_new(
    const struct acme_http_config *config, struct acme_http **ret_http)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct acme_http *http = calloc(1, sizeof(*http));
	struct status st;

	if (http == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "there is not enough memory");
	pthread_once(&once, init_curl);
	pthread_mutex_init(&http->mutex, NULL);
	clock_cond_init(&http->freed);
	http->timeout_ms = config->timeout_ms;
	http->allow_plain = config->allow_plain;
	http->is_signed = config->is_signed;
	http->may_connect = config->may_connect;
	http->max = config->connections < CONNECTIONS_MAX ? config->connections
							  : CONNECTIONS_MAX;
	http->user_agent = strdup(config->user_agent);
	st = http->user_agent == NULL ? status_fail(STATUS_RESOURCE_EXHAUSTED,
					    "there is not enough memory")
				      : status_ok();
	if (!failed(st) && !config->is_signed)
		st = load_trusted(config, &http->trusted);
	if (failed(st)) {
		acme_http_free(http);
		return st;
	}
	*ret_http = http;
	return st;
}

void
acme_http_free(struct acme_http *http)
{
	if (http == NULL)
		return;
	assert(http->n_free == http->n_made);
	for (unsigned i = 0; i < http->n_free; i++)
		curl_easy_cleanup(http->free[i]);
	X509_STORE_free(http->trusted);
	pthread_cond_destroy(&http->freed);
	pthread_mutex_destroy(&http->mutex);
	free(http->user_agent);
	free(http);
}

void
acme_http_reply_done(struct acme_http_reply *reply)
{
	free(reply->body);
	reply->body = NULL;
}

/* ---- handles ---- */

/* NULL: none is free in time. */
static CURL *
take_handle(struct acme_http *http)
{
	const int64_t until_ns = clock_mono_ns() + http->timeout_ms * NS_PER_MS;
	CURL *easy = NULL;

	pthread_mutex_lock(&http->mutex);
	while (http->n_free == 0 && http->n_made >= http->max &&
	       clock_cond_wait(&http->freed, &http->mutex, until_ns))
		;
	if (http->n_free > 0) {
		easy = http->free[--http->n_free];
	} else if (http->n_made < http->max) {
		easy = curl_easy_init();
		http->n_made += easy != NULL;
	}
	pthread_mutex_unlock(&http->mutex);
	return easy;
}

static void
give_handle(struct acme_http *http, CURL *easy)
{
	curl_easy_reset(easy); /* borrows nothing; its connections stay */
	pthread_mutex_lock(&http->mutex);
	http->free[http->n_free++] = easy;
	pthread_cond_signal(&http->freed);
	pthread_mutex_unlock(&http->mutex);
}

/* ---- a request ---- */

static size_t
on_body(char *at, size_t size, size_t n, void *answer)
{
	const struct bytes octets = { (const uint8_t *)at, size * n };

	return acme_http_answer_body(answer, octets) ? octets.len : 0;
}

static size_t
on_header(char *at, size_t size, size_t n, void *answer)
{
	const struct bytes line = { (const uint8_t *)at, size * n };

	return acme_http_answer_header(answer, line) ? line.len : 0;
}

static CURLcode
on_tls(CURL *easy, void *ctx, void *http)
{
	(void)easy;
	SSL_CTX_set1_cert_store(ctx, ((struct acme_http *)http)->trusted);
	return CURLE_OK;
}

/* One request's, while it goes. */
struct door {
	bool (*may_connect)(const char *address);
	bool was_refused;
};

static curl_socket_t
on_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct door *door = ctx;
	char text[INET6_ADDRSTRLEN] = "";

	(void)purpose;
	if (to->family == AF_INET)
		inet_ntop(AF_INET,
		    &((const struct sockaddr_in *)&to->addr)->sin_addr, text,
		    sizeof(text));
	else if (to->family == AF_INET6)
		inet_ntop(AF_INET6,
		    &((const struct sockaddr_in6 *)&to->addr)->sin6_addr, text,
		    sizeof(text));
	if (!door->may_connect(text)) {
		door->was_refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static bool
add_header(struct curl_slist **list, const char *name, const char *value)
{
	struct curl_slist *longer;
	char line[256];

	if (value == NULL)
		return true;
	if ((size_t)snprintf(line, sizeof(line), "%s%s", name, value) >=
	    sizeof(line))
		return false;
	longer = curl_slist_append(*list, line);
	if (longer == NULL)
		return false;
	*list = longer;
	return true;
}

static bool
make_headers(
    const struct acme_http_request *request, struct curl_slist **ret_list)
{
	/* "Expect:" sends none: bodies are small, a round trip is dear. */
	bool is_ok =
	    add_header(ret_list, "Expect:", "") &&
	    add_header(ret_list, "Content-Type: ", request->content_type) &&
	    add_header(ret_list, "Accept: ", request->accept);

	for (size_t i = 0; i < request->n_headers && is_ok; i++) {
		struct curl_slist *longer =
		    curl_slist_append(*ret_list, request->headers[i]);

		is_ok = longer != NULL;
		if (is_ok)
			*ret_list = longer;
	}
	return is_ok;
}

static void
set_rules(
    struct acme_http *http, CURL *easy, const char *url, struct door *door)
{
	const long timeout_ms = (long)http->timeout_ms;

	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR,
	    acme_url_is_https(url) ? "https" : "http");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(
	    easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
	    timeout_ms < CONNECT_TIMEOUT_MS ? timeout_ms : CONNECT_TIMEOUT_MS);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, http->user_agent);
	curl_easy_setopt(
	    easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(
	    easy, CURLOPT_SSL_VERIFYPEER, http->is_signed ? 0L : 1L);
	curl_easy_setopt(
	    easy, CURLOPT_SSL_VERIFYHOST, http->is_signed ? 0L : 2L);
	/* No file: on_tls gives what was read at the start. */
	curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	if (http->trusted != NULL) {
		curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
		curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, http);
	}
	if (door->may_connect != NULL) {
		curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
		curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, door);
	}
}

static void
set_request(CURL *easy, const struct acme_http_request *request,
    struct curl_slist *headers, struct acme_http_answer *answer)
{
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	if (strcmp(request->method, "HEAD") == 0) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	} else if (strcmp(request->method, "POST") == 0) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)request->body.len);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
		    request->body.len > 0 ? (const char *)request->body.at
					  : "");
	}
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, answer);
}

/* A kept connection that its peer had closed; curl itself tries POST again. */
static bool
was_closed_meanwhile(
    CURL *easy, CURLcode code, const struct acme_http_request *request)
{
	long n_new = 1;

	curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &n_new);
	return n_new == 0 && strcmp(request->method, "POST") != 0 &&
	       (code == CURLE_GOT_NOTHING || code == CURLE_SEND_ERROR ||
		   code == CURLE_RECV_ERROR);
}

static struct status
explain(struct acme_http *http, CURLcode code,
    const struct acme_http_answer *answer, const char *curls_word,
    char *ret_why)
{
	char shown[384];

	if (answer->is_too_long || code == CURLE_FILESIZE_EXCEEDED) {
		snprintf(ret_why, ACME_HTTP_WHY_MAX,
		    "the answer is longer than %zu octets, which none is that "
		    "was asked for",
		    answer->max_len);
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "the answer is too long");
	}
	if (curls_word[0] == '\0')
		curls_word = curl_easy_strerror(code);
	printable_print(bytes_of(curls_word), shown, sizeof(shown));
	if (code == CURLE_OPERATION_TIMEDOUT)
		snprintf(ret_why, ACME_HTTP_WHY_MAX,
		    "there was no answer within %u ms (%s)", http->timeout_ms,
		    shown);
	else
		snprintf(ret_why, ACME_HTTP_WHY_MAX, "there was no answer: %s",
		    shown);
	return status_fail_detail(
	    STATUS_UNAVAILABLE, "there was no answer", (uint32_t)code);
}

static struct status
refuse_address(char *ret_why)
{
	snprintf(ret_why, ACME_HTTP_WHY_MAX,
	    "its host has a private address, or one of its own use, which is "
	    "not connected to");
	return status_fail(
	    STATUS_UNAVAILABLE, "this address is not connected to");
}

static struct status
perform(struct acme_http *http, CURL *easy,
    const struct acme_http_request *request, struct acme_http_answer *answer,
    char *ret_why)
{
	scoped(slist) struct curl_slist *headers = NULL;
	struct door door = { .may_connect = http->may_connect };
	char curls_word[CURL_ERROR_SIZE] = "";
	long status = 0;
	CURLcode code;

	if (!make_headers(request, &headers)) {
		snprintf(
		    ret_why, ACME_HTTP_WHY_MAX, "there is not enough memory");
		return status_fail(
		    STATUS_UNAVAILABLE, "there is not enough memory");
	}
	set_rules(http, easy, request->url, &door);
	set_request(easy, request, headers, answer);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, curls_word);
	code = curl_easy_perform(easy);
	if (was_closed_meanwhile(easy, code, request))
		code = curl_easy_perform(easy);
	ERR_clear_error();
	if (code == CURLE_WRITE_ERROR && answer->is_cut)
		code = CURLE_OK;
	if (code == CURLE_COULDNT_CONNECT && door.was_refused)
		return refuse_address(ret_why);
	if (code != CURLE_OK)
		return explain(http, code, answer, curls_word, ret_why);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	answer->reply.status = (int)status;
	return status_ok();
}

static bool
may_ask(const struct acme_http *http, const char *url)
{
	if (!acme_url_is_fit(url))
		return false;
	return acme_url_is_https(url) || http->is_signed ||
	       (http->allow_plain && acme_url_is_loopback(url));
}

STATUS
acme_http_ask(struct acme_http *http, const struct acme_http_request *request,
    struct acme_http_reply *ret_reply, char *ret_why)
{
	struct acme_http_answer answer = {
		.max_len = request->max_len, .cuts = request->cuts, .date_s = -1
	};
	struct status st;
	CURL *easy;

	if (!may_ask(http, request->url)) {
		snprintf(ret_why, ACME_HTTP_WHY_MAX,
		    "this is no https URL that may be asked");
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "this is no https URL");
	}
	easy = take_handle(http);
	if (easy == NULL) {
		snprintf(ret_why, ACME_HTTP_WHY_MAX,
		    "all %u connections were busy for %u ms", http->max,
		    http->timeout_ms);
		return status_fail(
		    STATUS_UNAVAILABLE, "all connections are busy");
	}
	st = perform(http, easy, request, &answer, ret_why);
	give_handle(http, easy);
	if (!failed(st))
		st = acme_http_answer_finish(&answer, ret_why);
	if (failed(st))
		acme_http_reply_done(&answer.reply);
	else
		*ret_reply = answer.reply;
	return st;
}
