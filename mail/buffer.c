/* SPDX-License-Identifier: Apache-2.0 */

/* A message while it is written; see buffer.h.  Lines end by CRLF, and only
 * mail_buffer_line writes one. */

#include "mail/buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool
make_room(struct mail_buffer *buffer, size_t len)
{
	size_t room = buffer->room;
	char *at;

	if (buffer->is_failed || len > MAIL_BUFFER_MAX - buffer->len)
		return false;
	if (buffer->len + len <= room)
		return true;
	while (room < buffer->len + len)
		room = room == 0 ? 4096 : 2 * room;
	at = realloc(buffer->at, room);
	if (at == NULL)
		return false;
	buffer->at = at;
	buffer->room = room;
	return true;
}

static void
put(struct mail_buffer *buffer, struct bytes octets)
{
	if (!make_room(buffer, octets.len)) {
		buffer->is_failed = true;
		return;
	}
	if (octets.len > 0)
		memcpy(buffer->at + buffer->len, octets.at, octets.len);
	buffer->len += octets.len;
	buffer->column += octets.len;
}

void
mail_buffer_add(struct mail_buffer *buffer, struct bytes octets)
{
	assert(octets.len == 0 ||
	       (memchr(octets.at, '\r', octets.len) == NULL &&
		   memchr(octets.at, '\n', octets.len) == NULL));
	put(buffer, octets);
}

void
mail_buffer_text(struct mail_buffer *buffer, const char *text)
{
	mail_buffer_add(buffer, bytes_of(text));
}

void
mail_buffer_line(struct mail_buffer *buffer)
{
	put(buffer, bytes_of("\r\n"));
	buffer->column = 0;
}
