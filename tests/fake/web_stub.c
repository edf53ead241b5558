/* SPDX-License-Identifier: Apache-2.0 */

/* One connection after the other (web_stub.h). */

#include "tests/fake/web_stub.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOSTS_MAX 64

struct web_stub {
	int fd;
	char address[32];
	pthread_t thread;
	pthread_mutex_t mutex; /* guards the rest */
	bool stopping;
	char request[1024];
	size_t n;
	struct {
		char host[256];
		char *octets; /* NULL: nobody said what */
		unsigned asked;
	} at[HOSTS_MAX];
};

/* With the mutex held; found or made. */
static size_t
place_of(struct web_stub *stub, const char *host)
{
	size_t i = 0;

	while (i < stub->n && strcmp(stub->at[i].host, host) != 0)
		i++;
	assert(i < HOSTS_MAX);
	if (i == stub->n) {
		stub->n++;
		(void)!snprintf(
		    stub->at[i].host, sizeof(stub->at[i].host), "%s", host);
	}
	return i;
}

static void
answer(struct web_stub *stub, int fd, const char *request)
{
	const char *field = strstr(request, "\r\nHost: ");
	const char *octets;
	char host[256] = "", *copy;
	size_t i;

	if (field != NULL)
		(void)sscanf(field, " Host: %255s", host);
	pthread_mutex_lock(&stub->mutex);
	i = place_of(stub, host);
	stub->at[i].asked++;
	(void)!snprintf(stub->request, sizeof(stub->request), "%s", request);
	octets = stub->at[i].octets;
	copy = strdup(octets != NULL ? octets
				     : "HTTP/1.1 404 Not Found\r\n"
				       "Content-Length: 2\r\n\r\nno");
	pthread_mutex_unlock(&stub->mutex);
	assert(copy != NULL);
	(void)!send(fd, copy, strlen(copy), MSG_NOSIGNAL);
	free(copy);
}

static void
one_connection(struct web_stub *stub, int fd)
{
	const struct timeval patience = { .tv_sec = 10 };
	char request[1024] = "";
	size_t len = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	while (len < sizeof(request) - 1) {
		ssize_t n =
		    recv(fd, request + len, sizeof(request) - 1 - len, 0);

		if (n <= 0)
			return;
		len += (size_t)n;
		request[len] = '\0';
		if (strstr(request, "\r\n\r\n") != NULL) {
			answer(stub, fd, request);
			return;
		}
	}
}

static void *
run(void *arg)
{
	struct web_stub *stub = arg;
	int fd;

	while ((fd = accept(stub->fd, NULL, NULL)) >= 0) {
		bool stopping;

		pthread_mutex_lock(&stub->mutex);
		stopping = stub->stopping;
		pthread_mutex_unlock(&stub->mutex);
		if (!stopping)
			one_connection(stub, fd);
		close(fd);
		if (stopping)
			break;
	}
	return NULL;
}

struct web_stub *
web_stub_new(void)
{
	struct web_stub *stub = calloc(1, sizeof(*stub));
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int e;

	assert(stub != NULL);
	pthread_mutex_init(&stub->mutex, NULL);
	stub->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	e = bind(stub->fd, (struct sockaddr *)&at, sizeof(at));
	assert(e == 0);
	e = listen(stub->fd, 64);
	assert(e == 0);
	e = getsockname(stub->fd, (struct sockaddr *)&at, &len);
	assert(e == 0);
	(void)!snprintf(stub->address, sizeof(stub->address), "127.0.0.1:%d",
	    ntohs(at.sin_port));
	e = pthread_create(&stub->thread, NULL, run, stub);
	assert(e == 0);
	return stub;
}

void
web_stub_free(struct web_stub *stub)
{
	if (stub == NULL)
		return;
	pthread_mutex_lock(&stub->mutex);
	stub->stopping = true;
	pthread_mutex_unlock(&stub->mutex);
	shutdown(stub->fd, SHUT_RDWR);
	pthread_join(stub->thread, NULL);
	close(stub->fd);
	for (size_t i = 0; i < stub->n; i++)
		free(stub->at[i].octets);
	pthread_mutex_destroy(&stub->mutex);
	free(stub);
}

const char *
web_stub_address(const struct web_stub *stub)
{
	return stub->address;
}

void
web_stub_say(struct web_stub *stub, const char *host, const char *octets)
{
	size_t i;

	pthread_mutex_lock(&stub->mutex);
	i = place_of(stub, host);
	free(stub->at[i].octets);
	stub->at[i].octets = strdup(octets);
	assert(stub->at[i].octets != NULL);
	pthread_mutex_unlock(&stub->mutex);
}

unsigned
web_stub_asked(struct web_stub *stub, const char *host)
{
	unsigned asked;

	pthread_mutex_lock(&stub->mutex);
	asked = stub->at[place_of(stub, host)].asked;
	pthread_mutex_unlock(&stub->mutex);
	return asked;
}

void
web_stub_request(struct web_stub *stub, char ret_request[1024])
{
	pthread_mutex_lock(&stub->mutex);
	memcpy(ret_request, stub->request, sizeof(stub->request));
	pthread_mutex_unlock(&stub->mutex);
}
