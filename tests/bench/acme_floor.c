/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The bare floor of tests/bench/acme: what a client costs that does the least
 * there is to do.  Keys in memory, no database, no checks, no retries but for
 * badNonce; one kept connection a thread; http-01 answered by itself.  It stops
 * at the first thing that it does not expect.
 *
 *     acme_floor DIRECTORY CA_FILE HTTP_PORT THREADS CERTIFICATES
 *
 * Prints one line of JSON: wall and CPU seconds, and requests.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>
#include <jansson.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define URL_MAX 512
#define BODY_MAX 65536

static const char *directory, *ca_file;
static char new_nonce[URL_MAX], new_account[URL_MAX], new_order[URL_MAX];
static char account_url[URL_MAX], jwk[256], thumbprint[44];
static EVP_PKEY *account_key;
static int http_fd;
static atomic_int left;
static atomic_long requests;

static void
die(const char *what, const char *detail)
{
	fprintf(stderr, "acme_floor: %s: %s\n", what, detail);
	exit(1);
}

static size_t
b64url(const unsigned char *in, size_t len, char *ret_text)
{
	int n = EVP_EncodeBlock((unsigned char *)ret_text, in, (int)len);

	while (n > 0 && ret_text[n - 1] == '=')
		n--;
	ret_text[n] = '\0';
	for (char *c = ret_text; *c != '\0'; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	return (size_t)n;
}

/* ---- one connection ---- */

struct conn {
	CURL *curl;
	char nonce[256], location[URL_MAX], body[BODY_MAX];
	size_t len;
	long status;
};

static size_t
on_header(char *at, size_t size, size_t n, void *ctx)
{
	struct conn *c = ctx;
	char line[1024];

	snprintf(line, sizeof(line), "%.*s", (int)(size * n), at);
	line[strcspn(line, "\r\n")] = '\0';
	if (strncasecmp(line, "replay-nonce: ", 14) == 0)
		snprintf(c->nonce, sizeof(c->nonce), "%.255s", line + 14);
	if (strncasecmp(line, "location: ", 10) == 0)
		snprintf(c->location, sizeof(c->location), "%.511s", line + 10);
	return size * n;
}

static size_t
on_body(char *at, size_t size, size_t n, void *ctx)
{
	struct conn *c = ctx;

	if (c->len + size * n >= sizeof(c->body))
		return 0;
	memcpy(c->body + c->len, at, size * n);
	c->len += size * n;
	c->body[c->len] = '\0';
	return size * n;
}

static void
perform(struct conn *c, const char *url, const char *post)
{
	c->len = 0;
	c->body[0] = c->location[0] = '\0';
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	if (post != NULL) {
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, post);
		curl_easy_setopt(
		    c->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(post));
	} else
		curl_easy_setopt(c->curl, CURLOPT_HTTPGET, 1L);
	if (curl_easy_perform(c->curl) != CURLE_OK)
		die("request failed", url);
	atomic_fetch_add(&requests, 1);
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &c->status);
}

static struct conn *
conn_new(struct curl_slist *jose)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL || (c->curl = curl_easy_init()) == NULL)
		die("memory", "ended");
	curl_easy_setopt(c->curl, CURLOPT_CAINFO, ca_file);
	curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, c);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, jose);
	curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(
	    c->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, 30L);
	return c;
}

/* ---- JWS ---- */

/* ECDSA over what stands in text, raw r || s, base64url. */
static void
sign(const char *text, char *ret_signature)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned char der[80], raw[64];
	const unsigned char *at = der;
	size_t len = sizeof(der);
	ECDSA_SIG *sig;

	if (md == NULL ||
	    EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, account_key) !=
		1 ||
	    EVP_DigestSign(
		md, der, &len, (const unsigned char *)text, strlen(text)) != 1)
		die("signature", "failed");
	sig = d2i_ECDSA_SIG(NULL, &at, (long)len);
	BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32);
	BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32);
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(md);
	b64url(raw, 64, ret_signature);
}

/* payload NULL: POST-as-GET. */
static void
post(struct conn *c, const char *url, const char *payload)
{
	static _Thread_local char head[2048], input[8192], body[9000];
	char signature[100];

	for (int tries = 0; tries < 20; tries++) {
		size_t n;

		if (c->nonce[0] == '\0')
			perform(c, new_nonce, NULL);
		if (account_url[0] == '\0')
			snprintf(head, sizeof(head),
			    "{\"alg\":\"ES256\",\"jwk\":%s,\"nonce\":\"%s\","
			    "\"url\":\"%s\"}",
			    jwk, c->nonce, url);
		else
			snprintf(head, sizeof(head),
			    "{\"alg\":\"ES256\",\"kid\":\"%s\",\"nonce\":\"%s\""
			    ",\"url\":\"%s\"}",
			    account_url, c->nonce, url);
		c->nonce[0] = '\0';
		n = b64url((const unsigned char *)head, strlen(head), input);
		input[n] = '.';
		if (payload != NULL)
			b64url((const unsigned char *)payload, strlen(payload),
			    input + n + 1);
		else
			input[n + 1] = '\0';
		sign(input, signature);
		snprintf(body, sizeof(body),
		    "{\"protected\":\"%.*s\",\"payload\":\"%s\",\"signature\":"
		    "\"%s\"}",
		    (int)n, input, input + n + 1, signature);
		perform(c, url, body);
		if (c->status < 400)
			return;
		if (strstr(c->body, "badNonce") == NULL)
			die(url, c->body);
	}
	die(url, "nonces are never good");
}

/* A string of a JSON object, or of the first of its array. */
static void
member(struct conn *c, const char *name, char *ret_text, size_t max)
{
	json_t *root = json_loads(c->body, 0, NULL);
	json_t *value = json_object_get(root, name);

	if (json_is_array(value))
		value = json_array_get(value, 0);
	snprintf(ret_text, max, "%s",
	    json_is_string(value) ? json_string_value(value) : "");
	json_decref(root);
}

static void
http_01(struct conn *c, char *ret_url)
{
	json_t *root = json_loads(c->body, 0, NULL), *one;
	size_t i;

	ret_url[0] = '\0';
	json_array_foreach(json_object_get(root, "challenges"), i, one)
	{
		const char *type =
		    json_string_value(json_object_get(one, "type"));

		if (type != NULL && strcmp(type, "http-01") == 0)
			snprintf(ret_url, URL_MAX, "%s",
			    json_string_value(json_object_get(one, "url")));
	}
	json_decref(root);
	if (ret_url[0] == '\0')
		die("no http-01", c->body);
}

/* First after 2 ms, then doubling. */
static void
poll(struct conn *c, const char *url, const char *until)
{
	char status[32];

	for (long wait_ms = 2; wait_ms < 5000; wait_ms *= 2) {
		nanosleep(&(struct timespec){ .tv_sec = wait_ms / 1000,
			      .tv_nsec = wait_ms % 1000 * 1000000 },
		    NULL);
		post(c, url, NULL);
		member(c, "status", status, sizeof(status));
		if (strcmp(status, until) == 0)
			return;
		if (strcmp(status, "invalid") == 0)
			die("invalid", c->body);
	}
	die(url, "does not end");
}

/* ---- one certificate ---- */

static void
csr(const char *name, char *ret_payload, size_t max)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509_REQ *req = X509_REQ_new();
	STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
	unsigned char *der = NULL;
	char san[128], text[2048];
	int len;

	snprintf(san, sizeof(san), "DNS:%s", name);
	sk_X509_EXTENSION_push(extensions,
	    X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san));
	X509_REQ_set_pubkey(req, key);
	X509_REQ_add_extensions(req, extensions);
	X509_REQ_sign(req, key, EVP_sha256());
	len = i2d_X509_REQ(req, &der);
	if (len <= 0)
		die("csr", name);
	b64url(der, (size_t)len, text);
	snprintf(ret_payload, max, "{\"csr\":\"%s\"}", text);
	OPENSSL_free(der);
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	X509_REQ_free(req);
	EVP_PKEY_free(key);
}

static void
issue(struct conn *c, int n)
{
	char name[64], payload[3000], order[URL_MAX], authz[URL_MAX],
	    challenge[URL_MAX], finalize[URL_MAX], certificate[URL_MAX];

	snprintf(name, sizeof(name), "floor-%d.example.org", n);
	snprintf(payload, sizeof(payload),
	    "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"%s\"}]}", name);
	post(c, new_order, payload);
	snprintf(order, sizeof(order), "%s", c->location);
	member(c, "authorizations", authz, sizeof(authz));
	member(c, "finalize", finalize, sizeof(finalize));
	post(c, authz, NULL);
	http_01(c, challenge);
	post(c, challenge, "{}");
	poll(c, order, "ready");
	csr(name, payload, sizeof(payload));
	post(c, finalize, payload);
	poll(c, order, "valid");
	member(c, "certificate", certificate, sizeof(certificate));
	post(c, certificate, NULL);
	if (strstr(c->body, "BEGIN CERTIFICATE") == NULL)
		die("no certificate", c->body);
}

static void *
work(void *jose)
{
	struct conn *c = conn_new(jose);
	int n;

	while ((n = atomic_fetch_sub(&left, 1)) > 0)
		issue(c, n);
	curl_easy_cleanup(c->curl);
	free(c);
	return NULL;
}

/* ---- http-01, without a table ---- */

static void *
answer(void *unused)
{
	(void)unused;
	for (;;) {
		int fd = accept(http_fd, NULL, NULL);
		char request[2048], reply[512], body[256];
		const char *path;
		ssize_t n;

		if (fd < 0)
			return NULL;
		n = read(fd, request, sizeof(request) - 1);
		request[n > 0 ? n : 0] = '\0';
		path = strstr(request, "/acme-challenge/");
		snprintf(body, sizeof(body), "%.*s.%s",
		    path == NULL ? 0 : (int)strcspn(path + 16, " "),
		    path == NULL ? "" : path + 16, thumbprint);
		n = snprintf(reply, sizeof(reply),
		    "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n"
		    "Connection: close\r\n\r\n%s",
		    strlen(body), body);
		if (write(fd, reply, (size_t)n) != n)
			die("http-01", "could not be answered");
		close(fd);
	}
}

static void
listen_http(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	pthread_t thread;
	int on = 1;

	http_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(http_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(http_fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(http_fd, 512) != 0 ||
	    pthread_create(&thread, NULL, answer, NULL) != 0)
		die("http-01", "cannot listen");
}

/* ---- all of it ---- */

static void
make_account(struct conn *c)
{
	unsigned char xy[65], hash[32];
	char x[48], y[48];
	size_t len;

	account_key = EVP_EC_gen("P-256");
	if (account_key == NULL || EVP_PKEY_get_octet_string_param(account_key,
				       "pub", xy, sizeof(xy), &len) != 1)
		die("account key", "cannot be made");
	b64url(xy + 1, 32, x);
	b64url(xy + 33, 32, y);
	snprintf(jwk, sizeof(jwk),
	    "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", x,
	    y);
	EVP_Digest(jwk, strlen(jwk), hash, NULL, EVP_sha256(), NULL);
	b64url(hash, 32, thumbprint);
	perform(c, directory, NULL);
	member(c, "newNonce", new_nonce, sizeof(new_nonce));
	member(c, "newAccount", new_account, sizeof(new_account));
	member(c, "newOrder", new_order, sizeof(new_order));
	post(c, new_account, "{\"termsOfServiceAgreed\":true}");
	snprintf(account_url, sizeof(account_url), "%s", c->location);
}

static double
seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	struct curl_slist *jose =
	    curl_slist_append(NULL, "Content-Type: application/jose+json");
	pthread_t threads[64];
	int n_threads, n;
	double wall, cpu;
	long before;

	if (argc != 6)
		die("usage", "acme_floor DIRECTORY CA_FILE HTTP_PORT THREADS "
			     "CERTIFICATES");
	directory = argv[1];
	ca_file = argv[2];
	n_threads = (int)strtol(argv[4], NULL, 10);
	n = (int)strtol(argv[5], NULL, 10);
	if (n_threads < 1 || n_threads > 64 || n < 1 || n > 100000)
		die("usage", "1..64 threads, 1..100000 certificates");
	curl_global_init(CURL_GLOBAL_DEFAULT);
	make_account(conn_new(jose));
	listen_http((int)strtol(argv[3], NULL, 10));
	atomic_store(&left, n);
	before = atomic_load(&requests);
	wall = seconds(CLOCK_MONOTONIC);
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	for (int i = 0; i < n_threads; i++)
		if (pthread_create(&threads[i], NULL, work, jose) != 0)
			die("threads", "cannot be made");
	for (int i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	printf("{\"wall_s\": %.6f, \"cpu_s\": %.6f, \"requests\": %ld}\n",
	    seconds(CLOCK_MONOTONIC) - wall,
	    seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu,
	    atomic_load(&requests) - before);
	return 0;
}
