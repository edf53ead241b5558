/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAIL_SMTP_INT_H
#define MAIL_SMTP_INT_H

#include <curl/curl.h>
#include <openssl/types.h>

#include "mail/smtp.h"
#include "mail/smtp_reply.h"

/* What the parts of mail/smtp.h share. */
#define SMTP_URL_MAX 1280

/* What is the same for all messages; fixed while there are any. */
struct smtp_server {
	char url[SMTP_URL_MAX];
	enum smtp_tls tls;
	char *user;
	struct secret *password; /* closed by a zero */
	unsigned timeout_ms;
	X509_STORE *trusted;
};

/* INVALID_ARGUMENT, with a sentence. */
STATUS smtp_config_check(const struct smtp_config *config);
void smtp_config_url(
    const struct smtp_config *config, char ret_url[SMTP_URL_MAX]);

/* What the server was told last. */
enum smtp_stage {
	SMTP_CONNECTING,
	SMTP_GREETING,
	SMTP_ENCRYPTING,
	SMTP_LOGIN,
	SMTP_SENDER,
	SMTP_RECIPIENT,
	SMTP_CONTENT
};

/* One connection, kept or not; one thread at a time.  All zero at first. */
struct smtp_lane {
	const struct smtp_server *server;
	CURL *easy;            /* NULL: none yet */
	bool no_new;           /* connections that may be made */
	bool was_refused;      /* an address, by us */
	bool is_leaving;       /* QUIT was sent */
	enum smtp_stage stage; /* of the message */
	struct smtp_reply reply;
	struct bytes left; /* of the message */
};

/* recipient: "<to>". */
void smtp_lane_send(struct smtp_lane *lane, const struct mail_message *message,
    struct curl_slist *recipient, struct smtp_result *ret_result);
/* Ends its connection, if there is one; blocks up to 2 s. */
void smtp_lane_close(struct smtp_lane *lane);

/* How a transfer ended, and why; curls_word is libcurl's own, or "". */
void smtp_judge(const struct smtp_lane *lane, CURLcode code,
    const char *curls_word, struct smtp_result *ret_result);

#endif
