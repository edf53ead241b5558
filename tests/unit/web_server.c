/* SPDX-License-Identifier: Apache-2.0 */

/* A web server that says what a test wants it to; see web_server.h. */

#include "tests/unit/web_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "tests/unit/cert_maker.h"

#define ANSWERS 32
#define ANSWER_MAX 8192
#define REQUEST_MAX WEB_REQUEST_MAX

struct web {
	int listener, stop[2];
	uint16_t port;
	pthread_t thread;
	SSL_CTX *tls;
	atomic_size_t count;
	pthread_mutex_t mutex; /* guards the rest */
	char last[REQUEST_MAX];
	size_t n;
	struct {
		char host[256], path[256], raw[ANSWER_MAX];
		size_t len;
	} answers[ANSWERS];
};

struct conn {
	int fd;
	SSL *ssl;
};

static int
receive(struct conn *conn, char *at, int max)
{
	return conn->ssl != NULL ? SSL_read(conn->ssl, at, max)
				 : (int)recv(conn->fd, at, (size_t)max, 0);
}

static void
send_all(struct conn *conn, const char *raw, size_t len)
{
	if (conn->ssl != NULL)
		(void)SSL_write(conn->ssl, raw, (int)len);
	else
		(void)!send(conn->fd, raw, len, MSG_NOSIGNAL);
}

/* Its length. */
static size_t
find_answer(struct web *web, const char *host, const char *path,
    char ret_raw[ANSWER_MAX])
{
	size_t len = (size_t)snprintf(
	    ret_raw, ANSWER_MAX, "%s", web_raw("404 Not Found", "", "no"));

	pthread_mutex_lock(&web->mutex);
	for (size_t i = 0; i < web->n; i++)
		if ((web->answers[i].host[0] == 0 ||
			strcmp(web->answers[i].host, host) == 0) &&
		    (web->answers[i].path[0] == 0 ||
			strcmp(web->answers[i].path, path) == 0)) {
			len = web->answers[i].len;
			memcpy(ret_raw, web->answers[i].raw, len);
		}
	pthread_mutex_unlock(&web->mutex);
	return len;
}

/* Is all of it there, its body too? */
static bool
is_whole(const char *request)
{
	const char *end = strstr(request, "\r\n\r\n");
	const char *at = strcasestr(request, "\r\nContent-Length: ");

	if (end == NULL || at == NULL)
		return end != NULL;
	return strlen(end + 4) >= strtoul(at + 18, NULL, 10);
}

static void
serve(struct web *web, struct conn *conn)
{
	char request[REQUEST_MAX] = "", path[256] = "", host[256] = "";
	char raw[ANSWER_MAX];
	const char *at;
	size_t raw_len;
	int len = 0;

	while (!is_whole(request)) {
		int n = receive(
		    conn, request + len, (int)sizeof(request) - 1 - len);

		/* What is no HTTP is hung up on. */
		if (n <= 0 || strchr("GP", request[0]) == NULL)
			return;
		len += n;
		request[len] = 0;
	}
	pthread_mutex_lock(&web->mutex);
	memcpy(web->last, request, sizeof(request));
	pthread_mutex_unlock(&web->mutex);
	(void)sscanf(request, "%*s %255s", path);
	at = strcasestr(request, "\r\nHost: ");
	if (at != NULL)
		(void)sscanf(at + 8, "%255[^:\r]", host);
	raw_len = find_answer(web, host, path, raw);
	if (raw_len > 0)
		send_all(conn, raw, raw_len);
}

static void
take(struct web *web, int fd)
{
	struct conn conn = { .fd = fd };

	atomic_fetch_add(&web->count, 1);
	if (web->tls != NULL) {
		conn.ssl = SSL_new(web->tls);
		SSL_set_fd(conn.ssl, fd);
		if (SSL_accept(conn.ssl) == 1) {
			serve(web, &conn);
			(void)SSL_shutdown(conn.ssl);
		}
		SSL_free(conn.ssl);
	} else {
		serve(web, &conn);
	}
	close(fd);
}

static void *
work(void *arg)
{
	struct web *web = arg;
	struct pollfd fds[2] = { { web->listener, POLLIN, 0 },
		{ web->stop[0], POLLIN, 0 } };

	for (;;) {
		int fd;

		(void)poll(fds, 2, -1);
		if (fds[1].revents != 0)
			return NULL;
		fd = accept(web->listener, NULL, NULL);
		if (fd >= 0)
			take(web, fd);
	}
}

struct web *
web_new(const struct made *cert)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	struct web *web = calloc(1, sizeof(*web));

	assert_non_null(web);
	web->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(web->listener >= 0 && pipe(web->stop) == 0);
	assert_int_equal(
	    bind(web->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(web->listener, 64), 0);
	assert_int_equal(
	    getsockname(web->listener, (struct sockaddr *)&at, &len), 0);
	web->port = ntohs(at.sin_port);
	if (cert != NULL) {
		web->tls = SSL_CTX_new(TLS_server_method());
		assert_non_null(web->tls);
		assert_int_equal(
		    SSL_CTX_use_certificate(web->tls, cert->x509), 1);
		assert_int_equal(
		    SSL_CTX_use_PrivateKey(web->tls, cert->key), 1);
	}
	pthread_mutex_init(&web->mutex, NULL);
	assert_int_equal(pthread_create(&web->thread, NULL, work, web), 0);
	return web;
}

uint16_t
web_port(const struct web *web)
{
	return web->port;
}

static void
add_answer(
    struct web *web, const char *host, const char *path, struct bytes raw)
{
	pthread_mutex_lock(&web->mutex);
	assert_true(web->n < ANSWERS && raw.len <= ANSWER_MAX);
	snprintf(web->answers[web->n].host, 256, "%s", host ? host : "");
	snprintf(web->answers[web->n].path, 256, "%s", path ? path : "");
	memcpy(web->answers[web->n].raw, raw.at, raw.len);
	web->answers[web->n].len = raw.len;
	web->n++;
	pthread_mutex_unlock(&web->mutex);
}

void
web_answer(struct web *web, const char *host, const char *path, const char *raw)
{
	add_answer(web, host, path, bytes_of(raw));
}

void
web_answer_with(struct web *web, const char *path, struct bytes body)
{
	char raw[ANSWER_MAX];
	int len = snprintf(raw, sizeof(raw),
	    "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n"
	    "Connection: close\r\n\r\n",
	    body.len);

	assert_true((size_t)len + body.len <= sizeof(raw));
	memcpy(raw + len, body.at, body.len);
	add_answer(web, NULL, path,
	    (struct bytes){ (const uint8_t *)raw, (size_t)len + body.len });
}

size_t
web_count(struct web *web)
{
	return atomic_load(&web->count);
}

void
web_last(struct web *web, char ret_request[WEB_REQUEST_MAX])
{
	pthread_mutex_lock(&web->mutex);
	memcpy(ret_request, web->last, sizeof(web->last));
	pthread_mutex_unlock(&web->mutex);
}

void
web_free(struct web *web)
{
	assert_int_equal(write(web->stop[1], "x", 1), 1);
	pthread_join(web->thread, NULL);
	close(web->stop[0]);
	close(web->stop[1]);
	close(web->listener);
	SSL_CTX_free(web->tls);
	pthread_mutex_destroy(&web->mutex);
	free(web);
}

const char *
web_raw(const char *status, const char *headers, const char *body)
{
	static _Thread_local char raw[ANSWER_MAX];

	snprintf(raw, sizeof(raw),
	    "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\nConnection: close\r\n\r\n"
	    "%s",
	    status, headers, strlen(body), body);
	return raw;
}
