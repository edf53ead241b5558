/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAIL_SMTP_H
#define MAIL_SMTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/secret.h"
#include "base/status.h"
#include "mail/message.h"

/*
 * Hands messages to one mail server (RFC 5321) over libcurl, one recipient a
 * message.  TLS 1.2 and newer; the certificate must be trusted and be the
 * host's.  No proxies, no .netrc; after smtp_new only what resolves host names
 * opens files.  Any thread, several messages at once.  The program ignores
 * SIGPIPE.
 */
struct smtp;

enum smtp_tls {
	SMTP_STARTTLS, /* required: without it nothing is sent (RFC 3207) */
	SMTP_TLS,      /* from the first octet on (RFC 8314) */
	SMTP_NO_TLS    /* a server on loopback only */
};

/* Texts are copied. */
struct smtp_config {
	const char *host; /* a name, or an address without brackets */
	uint16_t port;
	enum smtp_tls tls;
	const char *ca_pem; /* whom to trust; NULL: the system's list, read by
			       smtp_new */
	/* Both or none (NULL).  By AUTH PLAIN or LOGIN, with a server that
	 * offers AUTH at all. */
	const char *user;
	struct secret *password; /* the smtp's from then on, unless it fails */
	const char *ehlo;        /* NULL: the machine's name */
	unsigned timeout_ms;     /* of a message, from look-up to last reply */
	unsigned connections;    /* at most at once, 1..16; more wait */
};

/* "mail.example.net:587", "[::1]:25": host and port of a configuration.
 * INVALID_ARGUMENT: it is neither. */
#define SMTP_HOST_MAX 254
STATUS smtp_config_server(
    const char *server, char ret_host[SMTP_HOST_MAX], uint16_t *ret_port);

/* INVALID_ARGUMENT, FAILED_PRECONDITION (trusted certificates), both with a
 * sentence as why; RESOURCE_EXHAUSTED. */
STATUS smtp_new(const struct smtp_config *config, struct smtp **ret_smtp);
/* While nobody sends.  NULL is allowed.  Blocks as smtp_rest. */
void smtp_free(struct smtp *smtp);
SCOPED_RELEASE(smtp_free, struct smtp *);

enum smtp_end {
	SMTP_SENT,      /* the server answers for it now */
	SMTP_PERMANENT, /* not to this recipient, or not this message */
	SMTP_TEMPORARY, /* try again later: 4xx, no connection, no time */
	SMTP_CONFIG     /* no message goes before a person has seen to it */
};

#define SMTP_WHY_MAX 201 /* 200 octets and a zero */

struct smtp_result {
	enum smtp_end end;
	int code; /* the server's last one; 0: it said nothing */
	/* TEMPORARY, said of the recipient or the message: another one may go
	 * through. */
	bool is_of_message;
	/* What is wrong, with the server's own words, fit to be seen; "" when
	 * it was sent. */
	char why[SMTP_WHY_MAX];
};

/*
 * Blocks up to timeout_ms, and as long again for a connection while all are
 * busy, and to take leave of a server that said no.  A message whose last reply
 * was lost counts as TEMPORARY, so that a recipient may get it twice, with one
 * Message-ID.  The connection is kept for the next one.
 */
void smtp_send(struct smtp *smtp, const struct mail_message *message,
    struct smtp_result *ret_result);

/* No more for now: ends idle connections, as is polite.  Blocks up to 2 s for
 * each. */
void smtp_rest(struct smtp *smtp);

#endif
