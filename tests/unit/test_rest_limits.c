/* SPDX-License-Identifier: Apache-2.0 */

/* The REST port under clients that are slow, many, or wrong; and its TLS. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "certd/guard.h"
#include "tests/unit/rest_desk.h"
#include "tests/unit/slow_crowd.h"

#define SLOW 60

static struct rest_answer answer;

static void
says(unsigned code, const char *part)
{
	if (answer.code != code || strstr(answer.body, part) == NULL)
		fail_msg("%s", answer.text);
}

static void
is_answered(struct rest_desk *desk)
{
	rest_desk_ask(
	    desk, "GET /v1/certificates/17", desk->engineer, "", NULL, &answer);
	says(200, "\"id\":17");
}

/* ---- slow ones ---- */

static void
slow_clients_hold_nobody_up(void **state)
{
	struct rest_desk *desk = *state;
	char head[512];
	int fds[SLOW];

	snprintf(head, sizeof(head),
	    "POST /v1/certificates HTTP/1.1\r\nHost: x\r\nAuthorization: "
	    "%s\r\nContent-Type: application/json\r\nContent-Length: "
	    "1000\r\n\r\n{",
	    desk->engineer);
	for (size_t i = 0; i < SLOW; i++) {
		fds[i] = rest_desk_connect(desk);
		/* Nothing; half a head; a head and half a body. */
		if (i % 3 == 1)
			rest_desk_send(fds[i], "GET /v1/cert", 12);
		if (i % 3 == 2)
			rest_desk_send(fds[i], head, strlen(head));
	}
	for (unsigned i = 0; i < 20; i++)
		is_answered(desk);
	for (size_t i = 0; i < SLOW; i++)
		close(fds[i]);
}

static void
who_speaks_slowly_keeps_nobody_out(void **state)
{
	struct rest_desk *desk = *state;

	assert_true(slow_crowd_lets_through(rest_port(desk->rest), "/healthz"));
	is_answered(desk);
}

static void
who_drips_is_ended(void **state)
{
	struct rest_desk *desk = *state;
	int fd;

	desk->config.request_s = 1;
	rest_desk_restart(desk);
	fd = rest_desk_connect(desk);
	rest_desk_send(fd, "GET /", 5);
	/* An octet now and then keeps it alive, but not for ever. */
	for (;;) {
		char octet;
		ssize_t n;

		if (send(fd, "a", 1, MSG_NOSIGNAL) != 1)
			break;
		n = recv(fd, &octet, 1, MSG_DONTWAIT);
		if (n == 0)
			break;
		usleep(50000);
	}
	close(fd);
	is_answered(desk);
}

static void
changes_that_wait_hold_up_no_reader(void **state)
{
	struct rest_desk *desk = *state;
	char post[512];
	int fds[40];

	/* More than there are threads for changes. */
	snprintf(post, sizeof(post),
	    "POST /v1/certificates HTTP/1.1\r\nHost: x\r\nAuthorization: "
	    "%s\r\nContent-Type: application/json\r\nContent-Length: "
	    "15\r\n\r\n{\"name\":\"wait\"}",
	    desk->engineer);
	for (size_t i = 0; i < 40; i++) {
		fds[i] = rest_desk_connect(desk);
		rest_desk_send(fds[i], post, strlen(post));
	}
	rest_desk_wait_at_gate(desk, 8);
	for (unsigned i = 0; i < 20; i++)
		is_answered(desk);
	rest_desk_open_gate(desk);
	for (size_t i = 0; i < 40; i++) {
		rest_desk_receive(fds[i], false, &answer);
		says(201, "");
		close(fds[i]);
	}
}

static void
what_waits_for_keyd_to_be_read_holds_up_no_reader(void **state)
{
	struct rest_desk *desk = *state;
	char get[256];
	int fds[40];

	snprintf(get, sizeof(get),
	    "GET /v1/resources/1 HTTP/1.1\r\nHost: x\r\nAuthorization: "
	    "%s\r\n\r\n",
	    desk->engineer);
	for (size_t i = 0; i < 40; i++) {
		fds[i] = rest_desk_connect(desk);
		rest_desk_send(fds[i], get, strlen(get));
	}
	rest_desk_wait_at_gate(desk, 4);
	for (unsigned i = 0; i < 20; i++)
		is_answered(desk);
	rest_desk_open_gate(desk);
	for (size_t i = 0; i < 40; i++) {
		rest_desk_receive(fds[i], false, &answer);
		says(200, "");
		close(fds[i]);
	}
}

static void
more_than_can_wait_is_told_to_come_again(void **state)
{
	struct rest_desk *desk = *state;
	static int fds[300];
	char get[256];
	unsigned busy = 0;

	snprintf(get, sizeof(get),
	    "GET /v1/certificates/99 HTTP/1.1\r\nHost: x\r\nAuthorization: "
	    "%s\r\nConnection: close\r\n\r\n",
	    desk->engineer);
	for (size_t i = 0; i < 300; i++) {
		fds[i] = rest_desk_connect(desk);
		rest_desk_send(fds[i], get, strlen(get));
	}
	/* Of 300, 4 are at the gate and 128 wait; these are the last. */
	for (size_t i = 299; i > 200 && busy == 0; i--) {
		struct timeval patience = { .tv_usec = 200000 };

		setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &patience,
		    sizeof(patience));
		rest_desk_receive(fds[i], false, &answer);
		if (answer.code == 503)
			busy++;
	}
	assert_int_equal(busy, 1);
	says(503, "\"code\":\"UNAVAILABLE\"");
	rest_desk_open_gate(desk);
	for (size_t i = 0; i < 300; i++)
		close(fds[i]);
}

static void
one_address_opens_so_many_connections_and_no_more(void **state)
{
	static const char HEALTH[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
	struct rest_desk *desk = *state;
	int fds[4];
	char octet;

	desk->config.address_max = 3;
	rest_desk_restart(desk);
	for (size_t i = 0; i < 3; i++) {
		fds[i] = rest_desk_connect(desk);
		rest_desk_send(fds[i], HEALTH, sizeof(HEALTH) - 1);
		rest_desk_receive(fds[i], false, &answer);
		says(200, "ok");
	}
	fds[3] = rest_desk_connect(desk);
	assert_true(recv(fds[3], &octet, 1, 0) <= 0);
	for (size_t i = 0; i < 4; i++)
		close(fds[i]);
}

/* ---- wrong ones ---- */

static void
guessing_is_throttled_and_a_right_token_passes(void **state)
{
	static const char WRONG[] =
	    "Bearer hft_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	struct rest_desk *desk = *state;
	unsigned wrong = 0;
	char value[16];

	/* On a slow machine one or the other is forgiven meanwhile. */
	for (; wrong < 10 * GUARD_WRONG_BURST; wrong++) {
		rest_desk_ask(
		    desk, "GET /v1/certificates/17", WRONG, "", NULL, &answer);
		if (answer.code != 401)
			break;
		says(401, "UNAUTHENTICATED");
	}
	assert_true(wrong >= GUARD_WRONG_BURST);
	says(429, "too many wrong secrets");
	assert_non_null(
	    rest_desk_header(&answer, "Retry-After", value, sizeof(value)));
	/* Behind the same address. */
	is_answered(desk);
}

/* This process is the proxy. */
static void
trust(struct rest_desk *desk, const char *proxy)
{
	static char *at[1];
	static struct conf_strings proxies;

	at[0] = (char *)(uintptr_t)proxy;
	proxies = (struct conf_strings){ at, 1 };
	desk->config.trusted_proxies = &proxies;
	rest_desk_restart(desk);
}

static const char WRONG[] =
    "Bearer hft_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/* How many wrong tokens are heard with that line, of one more than may be. */
static unsigned
wrong_ones_heard(struct rest_desk *desk, const char *line)
{
	unsigned n = 0;

	for (unsigned i = 0; i < GUARD_WRONG_BURST + 1; i++) {
		rest_desk_ask(desk, "GET /v1/certificates/17", WRONG, line,
		    NULL, &answer);
		n += answer.code == 401;
	}
	return n;
}

static void
guesses_that_a_trusted_proxy_brings_are_counted_for_each_client(void **state)
{
	struct rest_desk *desk = *state;

	trust(desk, "127.0.0.0/8");
	assert_int_equal(
	    wrong_ones_heard(desk, "X-Forwarded-For: 203.0.113.7\r\n"),
	    GUARD_WRONG_BURST);
	assert_int_equal(wrong_ones_heard(desk,
			     "X-Forwarded-For: 203.0.113.7\r\n"
			     "X-Forwarded-For: 203.0.113.8, 127.0.0.9\r\n"),
	    GUARD_WRONG_BURST);
	/* Whatever the client wrote before it. */
	assert_int_equal(wrong_ones_heard(desk,
			     "X-Forwarded-For: 198.51.100.1, 203.0.113.7\r\n"
			     "Forwarded: for=198.51.100.2\r\n"),
	    0);
	assert_int_equal(wrong_ones_heard(desk, "X-Forwarded-For: x\r\n"),
	    GUARD_WRONG_BURST);
	assert_int_equal(wrong_ones_heard(desk, ""), 0); /* the proxy's own */
	desk->config.proxy_header = FORWARDED_RFC7239;
	rest_desk_restart(desk);
	assert_int_equal(
	    wrong_ones_heard(desk, "Forwarded: for=198.51.100.2\r\n"
				   "Forwarded: for=\"[2001:db8::7]:99\"\r\n"
				   "X-Forwarded-For: 203.0.113.7\r\n"),
	    GUARD_WRONG_BURST);
	/* One customer's network. */
	assert_int_equal(
	    wrong_ones_heard(desk, "Forwarded: for=\"[2001:db8::8]\"\r\n"), 0);
	is_answered(desk);
}

static unsigned
guess_for(int fd, const char *client)
{
	char head[256];
	int n = snprintf(head, sizeof(head),
	    "GET /v1/certificates/17 HTTP/1.1\r\nHost: x\r\n"
	    "Authorization: %s\r\nX-Forwarded-For: %s\r\n\r\n",
	    WRONG, client);

	rest_desk_send(fd, head, (size_t)n);
	rest_desk_receive(fd, false, &answer);
	return answer.code;
}

static void
each_request_of_a_proxys_connection_is_of_its_own_client(void **state)
{
	struct rest_desk *desk = *state;
	char other[32];
	int fd;

	trust(desk, "127.0.0.1");
	fd = rest_desk_connect(desk);
	for (unsigned i = 0; i < GUARD_WRONG_BURST; i++) {
		assert_int_equal(guess_for(fd, "203.0.113.7"), 401);
		snprintf(other, sizeof(other), "198.51.100.%u", i);
		assert_int_equal(guess_for(fd, other), 401);
	}
	assert_int_equal(guess_for(fd, "203.0.113.7"), 429);
	assert_int_equal(guess_for(fd, other), 401);
	close(fd);
}

static void
what_a_stranger_says_of_its_address_makes_no_guess_anothers(void **state)
{
	struct rest_desk *desk = *state;

	trust(desk, "192.0.2.1");
	assert_int_equal(
	    wrong_ones_heard(desk, "X-Forwarded-For: 203.0.113.7\r\n"),
	    GUARD_WRONG_BURST);
	assert_int_equal(
	    wrong_ones_heard(desk, "X-Forwarded-For: 203.0.113.8\r\n"), 0);
	assert_int_equal(
	    wrong_ones_heard(desk, "X-Forwarded-For: 192.0.2.1\r\n"), 0);
	desk->config.trusted_proxies = NULL;
	rest_desk_restart(desk);
	assert_int_equal(
	    wrong_ones_heard(desk, "X-Forwarded-For: 203.0.113.7\r\n"),
	    GUARD_WRONG_BURST);
	assert_int_equal(
	    wrong_ones_heard(desk, "X-Forwarded-For: 203.0.113.8\r\n"), 0);
}

static void
a_trusted_proxy_opens_as_many_connections_as_it_needs(void **state)
{
	static const char HEALTH[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
	struct rest_desk *desk = *state;
	int fds[8];

	desk->config.address_max = 3;
	trust(desk, "127.0.0.1");
	for (size_t i = 0; i < 8; i++) {
		fds[i] = rest_desk_connect(desk);
		rest_desk_send(fds[i], HEALTH, sizeof(HEALTH) - 1);
		rest_desk_receive(fds[i], false, &answer);
		says(200, "ok");
	}
	for (size_t i = 0; i < 8; i++)
		close(fds[i]);
}

static void
no_token_is_no_guess(void **state)
{
	for (unsigned i = 0; i < 3 * GUARD_WRONG_BURST; i++) {
		rest_desk_ask(
		    *state, "GET /v1/certificates/17", NULL, "", NULL, &answer);
		says(401, "UNAUTHENTICATED");
	}
}

/* ---- sent again ---- */

static void
a_post_with_its_key_is_done_once(void **state)
{
	static const char KEY[] = "Idempotency-Key: 8e03978e-40d5\r\n";
	struct rest_desk *desk = *state;
	char value[16];

	rest_desk_ask(desk, "POST /v1/certificates", desk->engineer, KEY,
	    "{\"name\":\"x\"}", &answer);
	says(201, "\"id\":17");
	assert_null(rest_desk_header(
	    &answer, "Idempotency-Replayed", value, sizeof(value)));
	/* Spelled otherwise, it is the same request. */
	rest_desk_ask(desk, "POST /v1/certificates", desk->engineer, KEY,
	    "{ \"name\" : \"x\", \"scope\": [] }", &answer);
	says(201, "\"id\":17");
	assert_string_equal(rest_desk_header(&answer, "Idempotency-Replayed",
				value, sizeof(value)),
	    "true");
	rest_desk_header(&answer, "ETag", value, sizeof(value));
	assert_string_equal(value, "\"r7\"");
	assert_int_equal(desk->made, 1);
	rest_desk_ask(desk, "POST /v1/certificates", desk->engineer, KEY,
	    "{\"name\":\"y\"}", &answer);
	says(422, "another request before");
	/* Another caller's key is another key. */
	rest_desk_ask(desk, "POST /v1/certificates", desk->administrator, KEY,
	    "{\"name\":\"y\"}", &answer);
	says(201, "\"id\":18");
	rest_desk_ask(desk, "POST /v1/certificates", desk->engineer,
	    "Idempotency-Key: \xff\r\n", "{}", &answer);
	says(400, "printable ASCII");
}

static void
a_refused_post_frees_its_key(void **state)
{
	static const char KEY[] = "Idempotency-Key: k\r\n";
	struct rest_desk *desk = *state;

	rest_desk_ask(desk, "POST /v1/certificates", desk->engineer, KEY,
	    "{\"name\":\"fail\"}", &answer);
	says(409, "FAILED_PRECONDITION");
	rest_desk_ask(desk, "POST /v1/certificates", desk->engineer, KEY,
	    "{\"name\":\"x\"}", &answer);
	says(201, "");
}

static void
a_post_that_is_under_way_is_not_begun_again(void **state)
{
	static const char KEY[] = "Idempotency-Key: k\r\n";
	struct rest_desk *desk = *state;
	char post[512], value[16];
	int fd = rest_desk_connect(desk);

	snprintf(post, sizeof(post),
	    "POST /v1/certificates HTTP/1.1\r\nHost: x\r\nAuthorization: "
	    "%s\r\n%sContent-Type: application/json\r\nContent-Length: "
	    "15\r\n\r\n{\"name\":\"wait\"}",
	    desk->engineer, KEY);
	rest_desk_send(fd, post, strlen(post));
	rest_desk_wait_at_gate(desk, 1);
	rest_desk_ask(desk, "POST /v1/certificates", desk->engineer, KEY,
	    "{\"name\":\"wait\"}", &answer);
	says(409, "under way");
	assert_non_null(
	    rest_desk_header(&answer, "Retry-After", value, sizeof(value)));
	rest_desk_open_gate(desk);
	rest_desk_receive(fd, false, &answer);
	says(201, "\"id\":17");
	close(fd);
	rest_desk_ask(desk, "POST /v1/certificates", desk->engineer, KEY,
	    "{\"name\":\"wait\"}", &answer);
	says(201, "\"id\":17");
}

static void
a_secret_is_answered_once(void **state)
{
	static const char KEY[] = "Idempotency-Key: k\r\n";
	struct rest_desk *desk = *state;

	rest_desk_ask(
	    desk, "POST /v1/tokens", desk->administrator, KEY, "{}", &answer);
	says(200, "hft_thesecret");
	rest_desk_ask(
	    desk, "POST /v1/tokens", desk->administrator, KEY, "{}", &answer);
	says(409, "not kept");
	assert_null(strstr(answer.text, "hft_"));
	assert_int_equal(desk->made, 1);
}

static void
who_is_being_answered_is_answered_before_the_end(void **state)
{
	struct rest_desk *desk = *state;
	char get[256];
	int fd = rest_desk_connect(desk);

	snprintf(get, sizeof(get),
	    "GET /v1/certificates/99 HTTP/1.1\r\nHost: x\r\nAuthorization: "
	    "%s\r\n\r\n",
	    desk->engineer);
	rest_desk_send(fd, get, strlen(get));
	rest_desk_wait_at_gate(desk, 1);
	rest_desk_open_gate(desk);
	rest_stop(desk->rest);
	desk->rest = NULL;
	rest_desk_receive(fd, false, &answer);
	says(200, "\"id\":99");
	close(fd);
}

/* ---- TLS ---- */

static void
write_identity(const struct rest_desk *desk, const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	char path[128];
	FILE *file;

	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN",
	    MBSTRING_ASC, (const uint8_t *)name, -1, -1, 0);
	X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
	X509_set_pubkey(certificate, key);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	snprintf(path, sizeof(path), "%s/c.pem", desk->desk->folder);
	file = fopen(path, "w");
	assert_int_equal(PEM_write_X509(file, certificate), 1);
	fclose(file);
	snprintf(path, sizeof(path), "%s/k.pem", desk->desk->folder);
	file = fopen(path, "w");
	assert_int_equal(
	    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

/* A connection; NULL when there is none of these versions. */
static SSL *
connect_tls(const struct rest_desk *desk, SSL_CTX *context)
{
	SSL *ssl = SSL_new(context);
	int fd = rest_desk_connect(desk);

	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) == 1)
		return ssl;
	SSL_free(ssl);
	close(fd);
	return NULL;
}

static void
end_tls(SSL *ssl)
{
	close(SSL_get_fd(ssl));
	SSL_free(ssl);
}

static void
ask_tls(const struct rest_desk *desk, SSL *ssl, const char *name)
{
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	char request[512], got[64] = "", reply[4096];
	int n, len = 0;

	X509_NAME_get_text_by_NID(X509_get_subject_name(certificate),
	    NID_commonName, got, sizeof(got));
	assert_string_equal(got, name);
	snprintf(request, sizeof(request),
	    "GET /v1/certificates/17 HTTP/1.1\r\nHost: x\r\nAuthorization: "
	    "%s\r\n\r\n",
	    desk->engineer);
	assert_true(SSL_write(ssl, request, (int)strlen(request)) > 0);
	do {
		n = SSL_read(ssl, reply + len, (int)sizeof(reply) - 1 - len);
		assert_true(n > 0);
		len += n;
		reply[len] = 0;
	} while (strstr(reply, "\"expires_in_days\":0}") == NULL);
	assert_memory_equal(reply, "HTTP/1.1 200", 12);
}

/* A large body comes in whole through TLS and a suspended connection. */
static void
post_tls(const struct rest_desk *desk, SSL *ssl)
{
	static char body[300000];
	char head[512], reply[64];

	memset(body, ' ', sizeof(body));
	body[0] = '{';
	body[sizeof(body) - 1] = '}';
	snprintf(head, sizeof(head),
	    "POST /v1/certificates HTTP/1.1\r\nHost: x\r\nConnection: "
	    "close\r\nAuthorization: %s\r\nContent-Type: "
	    "application/json\r\nContent-Length: %zu\r\n\r\n",
	    desk->engineer, sizeof(body));
	assert_true(SSL_write(ssl, head, (int)strlen(head)) > 0);
	assert_int_equal(
	    SSL_write(ssl, body, (int)sizeof(body)), (int)sizeof(body));
	assert_true(SSL_read(ssl, reply, (int)sizeof(reply)) > 12);
	assert_memory_equal(reply, "HTTP/1.1 201", 12);
}

static void
tls_files(struct rest_desk *desk)
{
	static char certificate[96], key[96];

	snprintf(
	    certificate, sizeof(certificate), "%s/c.pem", desk->desk->folder);
	snprintf(key, sizeof(key), "%s/k.pem", desk->desk->folder);
	desk->config.tls = REST_TLS_FILES;
	desk->config.certificate = certificate;
	desk->config.key = key;
}

static void
a_renewed_certificate_is_served_and_drops_nobody(void **state)
{
	struct rest_desk *desk = *state;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *old, *new;

	tls_files(desk);
	write_identity(desk, "one");
	rest_desk_restart(desk);
	old = connect_tls(desk, context);
	assert_non_null(old);
	ask_tls(desk, old, "one");
	write_identity(desk, "two");
	new = connect_tls(desk, context);
	assert_non_null(new);
	ask_tls(desk, new, "two");
	ask_tls(desk, old, "one");
	post_tls(desk, new);
	end_tls(new);
	/* One that is no good leaves the one before in place. */
	assert_int_equal(truncate(desk->config.key, 10), 0);
	new = connect_tls(desk, context);
	assert_non_null(new);
	ask_tls(desk, new, "two");
	end_tls(new);
	end_tls(old);
	SSL_CTX_free(context);
}

static void
tls_before_1_2_is_refused(void **state)
{
	struct rest_desk *desk = *state;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *ssl;

	tls_files(desk);
	write_identity(desk, "one");
	rest_desk_restart(desk);
	SSL_CTX_set_security_level(context, 0);
	SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
	assert_null(connect_tls(desk, context));
	SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
	/* Without forward secrecy. */
	SSL_CTX_set_cipher_list(context, "AES128-GCM-SHA256");
	assert_null(connect_tls(desk, context));
	SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM");
	ssl = connect_tls(desk, context);
	assert_non_null(ssl);
	ask_tls(desk, ssl, "one");
	end_tls(ssl);
	SSL_CTX_free(context);
}

static void
without_tls_it_listens_on_loopback_alone(void **state)
{
	static const char *const BAD[] = { "0.0.0.0:0", "[::]:0", "192.0.2.1:0",
		"127.0.0.1", "localhost:1", "[::1:0", "127.0.0.1:65536",
		"127.0.0.1:x", ":7446" };
	struct rest_desk *desk = *state;
	struct rest_config config = desk->config;
	struct rest *rest = NULL;
	char why[REST_WHY_MAX];

	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		config.listen = BAD[i];
		assert_int_equal(rest_start(&config, &rest, why).code,
		    STATUS_INVALID_ARGUMENT);
		assert_memory_equal(why, "rest.", 5);
		assert_null(rest);
	}
	tls_files(desk);
	config = desk->config;
	config.certificate = "/nonexistent";
	assert_int_equal(
	    rest_start(&config, &rest, why).code, STATUS_FAILED_PRECONDITION);
	assert_string_equal(why, "/nonexistent: it cannot be read");
}

int
main(void)
{
#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(                                       \
	    f, rest_desk_set_up, rest_desk_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(slow_clients_hold_nobody_up),
		TEST(who_speaks_slowly_keeps_nobody_out),
		TEST(who_drips_is_ended),
		TEST(changes_that_wait_hold_up_no_reader),
		TEST(what_waits_for_keyd_to_be_read_holds_up_no_reader),
		TEST(more_than_can_wait_is_told_to_come_again),
		TEST(one_address_opens_so_many_connections_and_no_more),
		TEST(guessing_is_throttled_and_a_right_token_passes),
		TEST(
		    guesses_that_a_trusted_proxy_brings_are_counted_for_each_client),
		TEST(each_request_of_a_proxys_connection_is_of_its_own_client),
		TEST(
		    what_a_stranger_says_of_its_address_makes_no_guess_anothers),
		TEST(a_trusted_proxy_opens_as_many_connections_as_it_needs),
		TEST(no_token_is_no_guess),
		TEST(a_post_with_its_key_is_done_once),
		TEST(a_refused_post_frees_its_key),
		TEST(a_post_that_is_under_way_is_not_begun_again),
		TEST(a_secret_is_answered_once),
		TEST(who_is_being_answered_is_answered_before_the_end),
		TEST(a_renewed_certificate_is_served_and_drops_nobody),
		TEST(tls_before_1_2_is_refused),
		TEST(without_tls_it_listens_on_loopback_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
