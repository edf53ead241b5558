/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAIL_QUOTED_PRINTABLE_H
#define MAIL_QUOTED_PRINTABLE_H

#include "base/status.h"
#include "mail/buffer.h"

/*
 * UTF-8 text as quoted-printable (RFC 2045 6.7): lines of at most 76 columns,
 * of which none begins with "." or "From ", nor has "=_" in it, so that neither
 * SMTP nor a mailbox file nor a boundary is in danger.
 */

/* UTF-8 of max octets at most, whose control characters are tabs and line ends
 * ("\n" or "\r\n").  INVALID_ARGUMENT; why is the end of a sentence. */
STATUS mail_quoted_printable_check(const char *text, size_t max);

/* A line end at the end of text is kept as it is, none is added. */
void mail_quoted_printable(struct mail_buffer *buffer, const char *text);

#endif
