/* SPDX-License-Identifier: Apache-2.0 */
/* One question after the other (dns_fake.h). */
#include "tests/unit/dns_fake.h"

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"

struct dns_fake {
	int udp, tcp, stop;
	char address[32];
	pthread_t thread;
	dns_fake_answer answer;
	atomic_uint count;
};

static void
by_udp(struct dns_fake *fake)
{
	uint8_t question[2048], answer[4096];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(fake->udp, question, sizeof(question), 0,
	    (struct sockaddr *)&from, &from_len);
	size_t len;

	if (n <= 0)
		return;
	fake->count++;
	len = fake->answer(question, (size_t)n, 0, answer, sizeof(answer));
	if (len > 0)
		(void)!sendto(fake->udp, answer, len, 0,
		    (struct sockaddr *)&from, from_len);
}

static void
by_tcp(struct dns_fake *fake)
{
	const struct timeval patience = { .tv_sec = 10 };
	uint8_t question[2048], answer[8192];
	int fd = accept(fake->tcp, NULL, NULL);
	size_t len;
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	n = recv(fd, question, 2, MSG_WAITALL);
	if (n == 2) {
		len = (size_t)question[0] << 8 | question[1];
		assert(len <= sizeof(question));
		n = recv(fd, question, len, MSG_WAITALL);
		fake->count++;
		len = fake->answer(
		    question, (size_t)n, 1, answer + 2, sizeof(answer) - 2);
		answer[0] = (uint8_t)(len >> 8);
		answer[1] = (uint8_t)len;
		if (len > 0)
			(void)!send(fd, answer, len + 2, MSG_NOSIGNAL);
	}
	/* Until the other side has had enough. */
	(void)!recv(fd, question, 1, 0);
	close(fd);
}

static void *
run(void *arg)
{
	struct dns_fake *fake = arg;

	for (;;) {
		struct pollfd fds[] = { { fake->stop, POLLIN, 0 },
			{ fake->udp, POLLIN, 0 }, { fake->tcp, POLLIN, 0 } };

		(void)!poll(fds, 3, -1);
		if (fds[0].revents != 0)
			return NULL;
		if (fds[1].revents != 0)
			by_udp(fake);
		if (fds[2].revents != 0)
			by_tcp(fake);
	}
}

/* At port, or any that is free by both; false: not there. */
static bool
open_sockets(struct dns_fake *fake, const char *host, unsigned port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port) };
	socklen_t len = sizeof(at);

	inet_pton(AF_INET, host, &at.sin_addr);
	fake->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fake->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(fake->tcp, (struct sockaddr *)&at, sizeof(at)) == 0 &&
	    listen(fake->tcp, 16) == 0 &&
	    getsockname(fake->tcp, (struct sockaddr *)&at, &len) == 0 &&
	    bind(fake->udp, (struct sockaddr *)&at, sizeof(at)) == 0) {
		(void)!snprintf(fake->address, sizeof(fake->address), "%s:%d",
		    host, ntohs(at.sin_port));
		return true;
	}
	close(fake->tcp);
	close(fake->udp);
	return false;
}

struct dns_fake *
dns_fake_new_at(const char *host, unsigned port, dns_fake_answer answer)
{
	struct dns_fake *fake = calloc(1, sizeof(*fake));
	bool ok = false;
	int e;

	assert(fake != NULL);
	fake->answer = answer;
	fake->stop = eventfd(0, EFD_CLOEXEC);
	for (int i = 0; i < 100 && !ok; i++)
		ok = open_sockets(fake, host, port);
	assert(ok);
	e = pthread_create(&fake->thread, NULL, run, fake);
	assert(e == 0);
	return fake;
}

struct dns_fake *
dns_fake_new(dns_fake_answer answer)
{
	return dns_fake_new_at("127.0.0.1", 0, answer);
}

size_t
dns_fake_pass_on(const char *address, const uint8_t *question, size_t len,
    uint8_t *ret_answer, size_t max)
{
	struct pollfd at = { -1, POLLIN, 0 };
	union address to;
	ssize_t n = 0;
	bool ok = address_parse(address, &to);

	assert(ok);
	at.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (connect(at.fd, &to.any, address_len(&to)) == 0 &&
	    send(at.fd, question, len, 0) > 0 && poll(&at, 1, 5000) > 0)
		n = recv(at.fd, ret_answer, max, 0);
	close(at.fd);
	return n > 0 ? (size_t)n : 0;
}

void
dns_fake_free(struct dns_fake *fake)
{
	if (fake == NULL)
		return;
	(void)!eventfd_write(fake->stop, 1);
	pthread_join(fake->thread, NULL);
	close(fake->udp);
	close(fake->tcp);
	close(fake->stop);
	free(fake);
}

const char *
dns_fake_address(const struct dns_fake *fake)
{
	return fake->address;
}

unsigned
dns_fake_count(const struct dns_fake *fake)
{
	return fake->count;
}
