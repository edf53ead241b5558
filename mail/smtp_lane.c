/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One message over one connection, by libcurl's easy handle.  libcurl says that
 * a transfer failed; what the server said, and which command it said it to, are
 * heard along (on_header, on_debug) for smtp_judge.  Refuses to send a password
 * or a message to a server whose TLS is not trusted, or without TLS to one that
 * is not on this machine.
 */

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/address.h"
#include "mail/address.h"
#include "mail/smtp_int.h"

#define CONNECT_TIMEOUT_MS 10000
#define CLOSE_TIMEOUT_MS 2000
#define IDLE_MAX_S 60 /* older connections are not used again */

/* ---- what libcurl asks and tells ---- */

static curl_socket_t
on_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct smtp_lane *lane = ctx;
	union address address = { .v6 = { .sin6_family = AF_UNSPEC } };

	(void)purpose;
	if (to->addrlen <= sizeof(address))
		memcpy(&address, &to->addr, to->addrlen);
	if (lane->no_new || (lane->server->tls == SMTP_NO_TLS &&
				!address_is_loopback(&address))) {
		lane->was_refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static CURLcode
on_tls(CURL *easy, void *ctx, void *trusted)
{
	(void)easy;
	SSL_CTX_set1_cert_store(ctx, trusted);
	return CURLE_OK;
}

/* A line of a reply. */
static size_t
on_header(char *at, size_t size, size_t n, void *ctx)
{
	struct smtp_lane *lane = ctx;

	if (!lane->is_leaving)
		smtp_reply_line(&lane->reply,
		    (struct bytes){ (const uint8_t *)at, size * n });
	return size * n;
}

/* A command, of which no more than its name is looked at. */
static int
on_debug(CURL *easy, curl_infotype type, char *at, size_t len, void *ctx)
{
	static const char *const COMMANDS[] = {
		[SMTP_GREETING] = "EHLO",
		[SMTP_ENCRYPTING] = "STARTTLS",
		[SMTP_LOGIN] = "AUTH ",
		[SMTP_SENDER] = "MAIL ",
		[SMTP_RECIPIENT] = "RCPT ",
		[SMTP_CONTENT] = "DATA",
	};
	struct smtp_lane *lane = ctx;

	(void)easy;
	if (type != CURLINFO_HEADER_OUT)
		return 0;
	for (int i = SMTP_GREETING; i <= SMTP_CONTENT; i++)
		if (len >= strlen(COMMANDS[i]) &&
		    memcmp(at, COMMANDS[i], strlen(COMMANDS[i])) == 0)
			lane->stage = (enum smtp_stage)i;
	/* The answer to which is about nothing that was asked. */
	if (len >= 4 && memcmp(at, "QUIT", 4) == 0)
		lane->is_leaving = true;
	return 0;
}

static size_t
on_read(char *at, size_t size, size_t n, void *ctx)
{
	struct smtp_lane *lane = ctx;
	size_t len = size * n < lane->left.len ? size * n : lane->left.len;
	struct bytes piece = { NULL, 0 };

	if (len == 0 || !bytes_take(&lane->left, len, &piece))
		return 0;
	memcpy(at, piece.at, len);
	return len;
}

/* ---- a message ---- */

static void
set_rules(struct smtp_lane *lane)
{
	const long timeout_ms = (long)lane->server->timeout_ms;
	CURL *easy = lane->easy;

	curl_easy_setopt(easy, CURLOPT_URL, lane->server->url);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR,
	    lane->server->tls == SMTP_TLS ? "smtps" : "smtp");
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
	curl_easy_setopt(
	    easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, timeout_ms / 1000 + 1);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
	    timeout_ms < CONNECT_TIMEOUT_MS ? timeout_ms : CONNECT_TIMEOUT_MS);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)IDLE_MAX_S);
	curl_easy_setopt(easy, CURLOPT_MAXCONNECTS, 1L);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, lane);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, lane);
	curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_debug);
	curl_easy_setopt(easy, CURLOPT_DEBUGDATA, lane);
	curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
}

static void
set_security(struct smtp_lane *lane)
{
	CURL *easy = lane->easy;

	curl_easy_setopt(easy, CURLOPT_USE_SSL,
	    lane->server->tls == SMTP_NO_TLS ? (long)CURLUSESSL_NONE
					     : (long)CURLUSESSL_ALL);
	curl_easy_setopt(
	    easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	/* No file: on_tls gives what was read at the start. */
	curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	if (lane->server->trusted != NULL) {
		curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
		curl_easy_setopt(
		    easy, CURLOPT_SSL_CTX_DATA, lane->server->trusted);
	}
	if (lane->server->user == NULL)
		return;
	curl_easy_setopt(easy, CURLOPT_USERNAME, lane->server->user);
	curl_easy_setopt(easy, CURLOPT_PASSWORD,
	    (const char *)secret_at(lane->server->password));
	/* Others would read files of their own (Kerberos). */
	curl_easy_setopt(easy, CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN");
}

static void
set_message(struct smtp_lane *lane, const struct mail_message *message,
    struct curl_slist *recipient)
{
	const struct bytes octets = mail_message_octets(message);
	char from[MAIL_ADDRESS_MAX + 2];
	CURL *easy = lane->easy;

	snprintf(from, sizeof(from), "<%s>", mail_message_from(message));
	curl_easy_setopt(easy, CURLOPT_MAIL_FROM, from);
	curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, recipient);
	curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(easy, CURLOPT_READDATA, lane);
	curl_easy_setopt(
	    easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)octets.len);
}

static CURLcode
perform(struct smtp_lane *lane, const struct mail_message *message,
    char *curls_word)
{
	CURLcode code;

	lane->stage = SMTP_CONNECTING;
	lane->was_refused = lane->is_leaving = false;
	lane->reply = (struct smtp_reply){ .code = 0 };
	lane->left = mail_message_octets(message);
	curls_word[0] = 0;
	curl_easy_setopt(lane->easy, CURLOPT_ERRORBUFFER, curls_word);
	code = curl_easy_perform(lane->easy);
	ERR_clear_error();
	return code;
}

/* A kept connection of which the server had enough, before it had anything of
 * this message. */
static bool
was_closed_meanwhile(const struct smtp_lane *lane, CURLcode code)
{
	long n_new = 1;

	curl_easy_getinfo(lane->easy, CURLINFO_NUM_CONNECTS, &n_new);
	return code != CURLE_OK && code != CURLE_OPERATION_TIMEDOUT &&
	       n_new == 0 && lane->stage <= SMTP_SENDER &&
	       (lane->reply.code == 0 || lane->reply.code == 421);
}

void
smtp_lane_send(struct smtp_lane *lane, const struct mail_message *message,
    struct curl_slist *recipient, struct smtp_result *ret_result)
{
	char curls_word[CURL_ERROR_SIZE];
	CURLcode code;

	set_rules(lane);
	set_security(lane);
	set_message(lane, message, recipient);
	code = perform(lane, message, curls_word);
	if (was_closed_meanwhile(lane, code)) {
		curl_easy_setopt(lane->easy, CURLOPT_FRESH_CONNECT, 1L);
		code = perform(lane, message, curls_word);
	}
	smtp_judge(lane, code, curls_word, ret_result);
	/* Forgets the password, not the connection. */
	curl_easy_reset(lane->easy);
}

/* ---- good-bye ---- */

/* Of its connection; -1: there is none (any more). */
static int
socket_of(CURL *easy)
{
	curl_socket_t fd = CURL_SOCKET_BAD;

	return curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK
		   ? fd
		   : -1;
}

/*
 * libcurl's own good-bye waits two minutes for its answer.  So QUIT is sent as
 * a command, whose time is ours, and then the socket is shut, at which libcurl
 * finds nobody there any more.
 */
void
smtp_lane_close(struct smtp_lane *lane)
{
	int fd;

	if (lane->easy == NULL)
		return;
	if (socket_of(lane->easy) >= 0) {
		set_rules(lane);
		set_security(lane);
		curl_easy_setopt(lane->easy, CURLOPT_CUSTOMREQUEST, "QUIT");
		curl_easy_setopt(lane->easy, CURLOPT_NOBODY, 1L);
		curl_easy_setopt(
		    lane->easy, CURLOPT_TIMEOUT_MS, (long)CLOSE_TIMEOUT_MS);
		lane->no_new = true;
		(void)curl_easy_perform(lane->easy);
		lane->no_new = false;
	}
	fd = socket_of(lane->easy);
	if (fd >= 0)
		(void)shutdown(fd, SHUT_RDWR);
	curl_easy_cleanup(lane->easy);
	ERR_clear_error();
	lane->easy = NULL;
}
