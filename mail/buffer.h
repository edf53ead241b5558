/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAIL_BUFFER_H
#define MAIL_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

/*
 * Octets that grow, up to MAIL_BUFFER_MAX.  What does not fit, or has no
 * memory, makes it failed, once and for all; who writes looks at the end.
 */
#define MAIL_BUFFER_MAX ((size_t)4 * 1024 * 1024)

struct mail_buffer {
	char *at; /* malloc'd; the owner frees it */
	size_t len, room;
	size_t column; /* octets since the last line end */
	bool is_failed;
};

void mail_buffer_add(struct mail_buffer *buffer, struct bytes octets);
void mail_buffer_text(struct mail_buffer *buffer, const char *text);
/* Ends a line by CRLF. */
void mail_buffer_line(struct mail_buffer *buffer);

#endif
