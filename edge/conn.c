/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sending to a client without ever waiting for it.  The kernel holds a few
 * hundred replies for a client, CONN_OUT_MAX more are kept here, and a client
 * that has not read by then is not going to: its connection is closed.
 */

#include "edge/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/request.h"

#define FAREWELL_READS 64

struct conn_out {
	struct conn_out *next;
	size_t len;
	uint8_t at[];
};

enum sent {
	SENT,
	SENT_LATER,
	SENT_NEVER
};

static enum sent
send_now(int fd, const uint8_t *message, size_t len)
{
	ssize_t n;

	do
		n = send(fd, message, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return SENT;
	if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
		return SENT_LATER;
	return SENT_NEVER;
}

static bool
keep(struct conn *conn, const uint8_t *message, size_t len)
{
	struct conn_out *out;

	if (conn->n_out >= CONN_OUT_MAX)
		return false;
	out = malloc(sizeof(*out) + len);
	if (out == NULL)
		return false;
	out->next = NULL;
	out->len = len;
	memcpy(out->at, message, len);
	if (conn->tail == NULL)
		conn->head = out;
	else
		conn->tail->next = out;
	conn->tail = out;
	conn->n_out++;
	return true;
}

bool
conn_send(
    struct conn *conn, uint32_t id, enum status_code code, struct bytes body)
{
	uint8_t message[REPLY_MAX];
	size_t len = reply_write(id, code, body, message);

	if (conn->head == NULL) {
		enum sent sent = send_now(conn->fd, message, len);

		if (sent != SENT_LATER)
			return sent == SENT;
	}
	return keep(conn, message, len);
}

static void
drop_head(struct conn *conn)
{
	struct conn_out *out = conn->head;

	conn->head = out->next;
	if (conn->head == NULL)
		conn->tail = NULL;
	conn->n_out--;
	free(out);
}

bool
conn_flush(struct conn *conn)
{
	while (conn->head != NULL) {
		enum sent sent =
		    send_now(conn->fd, conn->head->at, conn->head->len);

		if (sent != SENT)
			return sent == SENT_LATER;
		drop_head(conn);
	}
	return true;
}

void
conn_close(struct conn *conn)
{
	while (conn->head != NULL)
		drop_head(conn);
	if (conn->fd >= 0)
		close(conn->fd);
	conn->fd = -1;
}

void
conn_farewell(int fd, uint32_t id, enum status_code code, struct bytes body)
{
	uint8_t message[REPLY_MAX];
	size_t len = reply_write(id, code, body, message);
	uint8_t unread;

	(void)send_now(fd, message, len);
	/*
	 * Closing with unread messages would reset the connection, and the
	 * client would see that in place of the reply.
	 */
	shutdown(fd, SHUT_RD);
	for (int i = 0; i < FAREWELL_READS; i++)
		if (recv(fd, &unread, sizeof(unread), MSG_DONTWAIT) <= 0)
			break;
	close(fd);
}
