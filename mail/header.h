/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "base/status.h"
#include "mail/buffer.h"

/*
 * Fields of a message's header (RFC 5322 2.2), one line or several, folded at
 * 76 columns where there is a place to fold.  What is written was checked
 * before, so that no value can begin another field.
 */

/* A text of a header: 0..max octets of UTF-8 fit to be seen (base/printable.h:
 * no line ends, no other control characters), no blank at either end.
 * INVALID_ARGUMENT; why is the end of a sentence: "has ...". */
STATUS mail_header_check_text(const char *text, size_t max);

/* A text for people; as encoded words (RFC 2047) when it is not ASCII, or could
 * be taken for them, or has no place to fold. */
void mail_header_text(
    struct mail_buffer *buffer, const char *name, const char *text);
/* "Name" <address>; display may be NULL or "". */
void mail_header_mailbox(struct mail_buffer *buffer, const char *name,
    const char *display, const char *address);
/* A value for machines, all of it in one piece. */
void mail_header_value(
    struct mail_buffer *buffer, const char *name, const char *value);

#endif
