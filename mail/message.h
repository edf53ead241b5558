/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAIL_MESSAGE_H
#define MAIL_MESSAGE_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/status.h"

/*
 * One message to one person (RFC 5322), written by a program (RFC 3834), as
 * plain text and as HTML (RFC 2046 5.1.4).  Pure but for the identifier's
 * random octets; any thread.
 */
#define MAIL_NAME_MAX 256 /* octets, as all below; without a zero */
#define MAIL_SUBJECT_MAX 512
#define MAIL_BODY_MAX 262144 /* of either part */
#define MAIL_ID_MAX 128
#define MAIL_URL_MAX 900
#define MAIL_WHY_MAX 256 /* with the zero */

/* Texts are UTF-8 without control characters.  NULL where it says so. */
struct mail_fields {
	const char *from_name; /* or NULL */
	const char *from;      /* mail/address.h; where bounces go to, too */
	const char *to_name;   /* or NULL */
	const char *to;
	const char *subject;
	const char *text, *html; /* "\n" or "\r\n" ends a line */
	int64_t date_s;          /* since 1970 */
	/* Message-ID before its "@", of A-Z a-z 0-9 . - _: never used again but
	 * to send the same message again.  NULL: a random one. */
	const char *id;
	/* What it is about, of the same characters: messages of one thread are
	 * shown together (References).  NULL: nothing. */
	const char *thread;
	/* "notices.example.com" (RFC 2919), or NULL. */
	const char *list_id;
	/* https, where a POST alone ends it (RFC 8058), or NULL. */
	const char *unsubscribe_url;
};

struct mail_message;

/* INVALID_ARGUMENT, with a sentence in ret_why (MAIL_WHY_MAX octets) that names
 * the field; RESOURCE_EXHAUSTED.  Copies what it needs. */
STATUS mail_message_new(const struct mail_fields *fields,
    struct mail_message **ret_message, char *ret_why);
void mail_message_free(struct mail_message *message); /* NULL is allowed */
SCOPED_RELEASE(mail_message_free, struct mail_message *);

/* Header and body: ASCII, lines end by CRLF.  All borrowed from it. */
struct bytes mail_message_octets(const struct mail_message *message);
const char *mail_message_from(const struct mail_message *message);
const char *mail_message_to(const struct mail_message *message);

#endif
