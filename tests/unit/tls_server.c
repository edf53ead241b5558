/* SPDX-License-Identifier: Apache-2.0 */
/* One handshake after the other (tls_server.h). */
#include "tests/unit/tls_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAMES_MAX 64

struct tls_server {
	int fd;
	char address[32];
	pthread_t thread;
	SSL_CTX *first;
	pthread_mutex_t mutex; /* guards the rest */
	bool stopping;
	unsigned handshakes;
	size_t n;
	struct {
		char name[256];
		SSL_CTX *context;
	} at[NAMES_MAX];
};

static int
on_name(SSL *ssl, int *alert, void *arg)
{
	struct tls_server *server = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	int result = SSL_TLSEXT_ERR_ALERT_FATAL;

	*alert = SSL_AD_UNRECOGNIZED_NAME;
	pthread_mutex_lock(&server->mutex);
	for (size_t i = 0; name != NULL && i < server->n; i++)
		if (strcmp(server->at[i].name, name) == 0) {
			SSL_set_SSL_CTX(ssl, server->at[i].context);
			/* These two do not come along. */
			SSL_set_min_proto_version(
			    ssl, (int)SSL_CTX_get_min_proto_version(
				     server->at[i].context));
			SSL_set_max_proto_version(
			    ssl, (int)SSL_CTX_get_max_proto_version(
				     server->at[i].context));
			result = SSL_TLSEXT_ERR_OK;
		}
	pthread_mutex_unlock(&server->mutex);
	return result;
}

static void
one_connection(struct tls_server *server, int fd)
{
	const struct timeval patience = { .tv_sec = 10 };
	SSL *ssl = SSL_new(server->first);
	char octet;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert(ssl != NULL && SSL_set_fd(ssl, fd) == 1);
	if (SSL_accept(ssl) == 1) {
		pthread_mutex_lock(&server->mutex);
		server->handshakes++;
		pthread_mutex_unlock(&server->mutex);
		(void)SSL_read(ssl, &octet, 1);
	}
	SSL_free(ssl);
}

static void *
run(void *arg)
{
	struct tls_server *server = arg;
	int fd;

	while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
		bool stopping;

		pthread_mutex_lock(&server->mutex);
		stopping = server->stopping;
		pthread_mutex_unlock(&server->mutex);
		if (!stopping)
			one_connection(server, fd);
		close(fd);
		if (stopping)
			break;
	}
	return NULL;
}

struct tls_server *
tls_server_new(void)
{
	struct tls_server *server = calloc(1, sizeof(*server));
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int e;

	assert(server != NULL);
	pthread_mutex_init(&server->mutex, NULL);
	server->first = SSL_CTX_new(TLS_server_method());
	assert(server->first != NULL);
	SSL_CTX_set_tlsext_servername_callback(server->first, on_name);
	SSL_CTX_set_tlsext_servername_arg(server->first, server);
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	e = bind(server->fd, (struct sockaddr *)&at, sizeof(at));
	assert(e == 0);
	e = listen(server->fd, 64);
	assert(e == 0);
	e = getsockname(server->fd, (struct sockaddr *)&at, &len);
	assert(e == 0);
	(void)!snprintf(server->address, sizeof(server->address),
	    "127.0.0.1:%d", ntohs(at.sin_port));
	e = pthread_create(&server->thread, NULL, run, server);
	assert(e == 0);
	return server;
}

void
tls_server_free(struct tls_server *server)
{
	if (server == NULL)
		return;
	pthread_mutex_lock(&server->mutex);
	server->stopping = true;
	pthread_mutex_unlock(&server->mutex);
	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->fd);
	for (size_t i = 0; i < server->n; i++)
		SSL_CTX_free(server->at[i].context);
	SSL_CTX_free(server->first);
	pthread_mutex_destroy(&server->mutex);
	free(server);
}

const char *
tls_server_address(const struct tls_server *server)
{
	return server->address;
}

static void
use(SSL_CTX *context, const struct made_cert *made)
{
	BIO *chain = BIO_new_mem_buf(made->chain_pem, -1);
	BIO *pem = BIO_new_mem_buf(made->key_pem, -1);
	X509 *leaf = PEM_read_bio_X509(chain, NULL, NULL, NULL);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(pem, NULL, NULL, NULL);
	int ok = SSL_CTX_use_certificate(context, leaf) == 1 &&
		 SSL_CTX_use_PrivateKey(context, key) == 1;

	assert(ok);
	X509_free(leaf);
	EVP_PKEY_free(key);
	BIO_free(chain);
	BIO_free(pem);
}

void
tls_server_serve(struct tls_server *server, const char *name,
    const struct made_cert *const *certs, size_t n, int version)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	size_t i = 0;

	assert(context != NULL);
	for (size_t k = 0; k < n; k++)
		use(context, certs[k]);
	if (version != 0) {
		SSL_CTX_set_min_proto_version(context, version);
		SSL_CTX_set_max_proto_version(context, version);
	}
	pthread_mutex_lock(&server->mutex);
	while (i < server->n && strcmp(server->at[i].name, name) != 0)
		i++;
	assert(i < NAMES_MAX);
	if (i == server->n)
		server->n++;
	SSL_CTX_free(server->at[i].context);
	server->at[i].context = context;
	(void)!snprintf(
	    server->at[i].name, sizeof(server->at[i].name), "%s", name);
	pthread_mutex_unlock(&server->mutex);
}

unsigned
tls_server_handshakes(struct tls_server *server)
{
	unsigned n;

	pthread_mutex_lock(&server->mutex);
	n = server->handshakes;
	pthread_mutex_unlock(&server->mutex);
	return n;
}
