/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Handing messages to a mail server that misbehaves in ways that no real one
 * can be made to.  Real ones, and their TLS, are in tests/system/test_mail.py.
 */

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "mail/smtp.h"
#include "mail/smtp_reply.h"

/* ---- a server by a script ---- */

/* Replies with a meaning. */
#define HANG_UP "hang up"
#define SILENCE "silence"
#define ENDLESS_LINE "endless line"
#define ENDLESS_LINES "endless lines"
#define DRIBBLE "dribble"
#define HANG_UP_WITHIN "hang up within the message"

#define SEEN_MAX 65536
#define PATIENCE_MS 30000

static struct {
	int listener, stop[2];
	uint16_t port;
	pthread_t thread;
	/* Set before a connection. */
	const char *greeting, *ehlo, *starttls, *auth, *mail, *rcpt, *data,
	    *content, *quit;
	/* Then it hangs up without a word, or with one. */
	bool hangs_up_after_message;
	const char *last_word;

	pthread_mutex_t mutex; /* guards the rest */
	unsigned connections;
	size_t seen_len;
	char seen[SEEN_MAX]; /* all that came */
	bool was_left;       /* by the client, while it was silent */
} server;

static bool
say(int fd, const char *text)
{
	return send(fd, text, strlen(text), MSG_NOSIGNAL) ==
	       (ssize_t)strlen(text);
}

/* Until the client has gone, or PATIENCE_MS. */
static void
wait_until_left(int fd)
{
	struct pollfd at = { fd, POLLIN, 0 };
	char octets[256];
	bool was_left = false;

	while (poll(&at, 1, PATIENCE_MS) == 1 &&
	       recv(fd, octets, sizeof(octets), 0) > 0)
		;
	was_left = (at.revents & (POLLHUP | POLLERR | POLLIN)) != 0;
	pthread_mutex_lock(&server.mutex);
	server.was_left = was_left;
	pthread_mutex_unlock(&server.mutex);
}

/* False: the connection is over. */
static bool
answer(int fd, const char *reply)
{
	if (strcmp(reply, HANG_UP) == 0)
		return false;
	if (strcmp(reply, SILENCE) == 0) {
		wait_until_left(fd);
		return false;
	}
	if (strcmp(reply, ENDLESS_LINE) == 0) {
		bool goes_on = say(fd, "250 ");

		while (goes_on)
			goes_on = say(fd, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
		return false;
	}
	if (strcmp(reply, ENDLESS_LINES) == 0) {
		while (say(fd, "250-and more\r\n"))
			;
		return false;
	}
	if (strcmp(reply, DRIBBLE) == 0) {
		while (say(fd, "2"))
			usleep(20000);
		return false;
	}
	return say(fd, reply);
}

static void
note(const char *at, size_t len)
{
	pthread_mutex_lock(&server.mutex);
	assert_true(server.seen_len + len < sizeof(server.seen));
	memcpy(server.seen + server.seen_len, at, len);
	server.seen_len += len;
	server.seen[server.seen_len] = 0;
	pthread_mutex_unlock(&server.mutex);
}

/* Up to a line end. */
static bool
take_line(int fd, char *line, size_t max)
{
	size_t len = 0;

	while (len < max - 1 && recv(fd, line + len, 1, 0) == 1) {
		if (line[len++] == '\n') {
			line[len] = 0;
			note(line, len);
			return true;
		}
	}
	return false;
}

static bool
take_content(int fd)
{
	char line[1024];

	do {
		if (!take_line(fd, line, sizeof(line)))
			return false;
		if (strcmp(server.content, HANG_UP_WITHIN) == 0)
			return false;
	} while (strcmp(line, ".\r\n") != 0);
	if (!answer(fd, server.content))
		return false;
	if (server.last_word != NULL)
		(void)say(fd, server.last_word);
	return !server.hangs_up_after_message;
}

static bool
take_command(int fd)
{
	char line[1024];
	bool goes_on;

	if (!take_line(fd, line, sizeof(line)))
		return false;
	if (strncmp(line, "EHLO", 4) == 0)
		return answer(fd, server.ehlo);
	if (strncmp(line, "STARTTLS", 8) == 0)
		return answer(fd, server.starttls);
	if (strncmp(line, "AUTH", 4) == 0)
		return answer(fd, "334 \r\n") &&
		       take_line(fd, line, sizeof(line)) &&
		       answer(fd, server.auth);
	if (strncmp(line, "MAIL", 4) == 0)
		return answer(fd, server.mail);
	if (strncmp(line, "RCPT", 4) == 0)
		return answer(fd, server.rcpt);
	if (strncmp(line, "QUIT", 4) == 0)
		return answer(fd, server.quit) && false;
	if (strncmp(line, "DATA", 4) != 0)
		return answer(fd, "500 what?\r\n");
	goes_on = answer(fd, server.data);
	if (goes_on && server.data[0] == '3')
		goes_on = take_content(fd);
	return goes_on;
}

static void *
work(void *arg)
{
	struct pollfd fds[2] = { { server.listener, POLLIN, 0 },
		{ server.stop[0], POLLIN, 0 } };

	(void)arg;
	for (;;) {
		int fd;

		(void)poll(fds, 2, -1);
		if (fds[1].revents != 0)
			return NULL;
		fd = accept(server.listener, NULL, NULL);
		pthread_mutex_lock(&server.mutex);
		server.connections++;
		pthread_mutex_unlock(&server.mutex);
		if (answer(fd, server.greeting))
			while (take_command(fd))
				;
		close(fd);
	}
}

static int
set_up(void **state)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	(void)state;
	sigaction(SIGPIPE, &ignore, NULL);
	memset(&server, 0, sizeof(server));
	server.greeting = "220 mail.test ESMTP\r\n";
	server.ehlo = "250-mail.test\r\n250 AUTH PLAIN LOGIN\r\n";
	server.starttls = "454 4.7.0 not now\r\n";
	server.auth = "235 2.7.0 welcome\r\n";
	server.mail = server.rcpt = server.content = "250 2.0.0 OK\r\n";
	server.data = "354 go on\r\n";
	server.quit = "221 2.0.0 bye\r\n";
	pthread_mutex_init(&server.mutex, NULL);
	server.listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(pipe(server.stop) == 0);
	assert_int_equal(
	    bind(server.listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(server.listener, 16), 0);
	assert_int_equal(
	    getsockname(server.listener, (struct sockaddr *)&at, &len), 0);
	server.port = ntohs(at.sin_port);
	assert_int_equal(pthread_create(&server.thread, NULL, work, NULL), 0);
	return 0;
}

static void
stop_server(void)
{
	assert_int_equal(write(server.stop[1], "x", 1), 1);
	pthread_join(server.thread, NULL);
}

static int
tear_down(void **state)
{
	(void)state;
	close(server.stop[0]);
	close(server.stop[1]);
	close(server.listener);
	pthread_mutex_destroy(&server.mutex);
	return 0;
}

/* ---- a client ---- */

static struct smtp_config
config_of(enum smtp_tls tls)
{
	return (struct smtp_config){ .host = "127.0.0.1",
		.port = server.port,
		.tls = tls,
		.ehlo = "client.test",
		.timeout_ms = 10000,
		.connections = 1 };
}

static struct smtp *
new_smtp(const struct smtp_config *config)
{
	struct smtp *smtp = NULL;
	struct status st = smtp_new(config, &smtp);

	if (failed(st))
		print_error("%s\n", st.why);
	assert_false(failed(st));
	return smtp;
}

static struct mail_message *
new_message(void)
{
	const struct mail_fields fields = { .from = "holdfast@example.com",
		.to = "ops@example.net",
		.subject = "A certificate expires",
		.text = "It does.\n.\nReally.\n",
		.html = "<p>It does.</p>\n" };
	struct mail_message *message = NULL;
	char why[MAIL_WHY_MAX];

	assert_false(failed(mail_message_new(&fields, &message, why)));
	return message;
}

static struct smtp_result
send_by(struct smtp *smtp)
{
	struct mail_message *message = new_message();
	struct smtp_result result;

	smtp_send(smtp, message, &result);
	mail_message_free(message);
	return result;
}

/* The server has ended then. */
static struct smtp_result
send_one(const struct smtp_config *config)
{
	struct smtp *smtp = new_smtp(config);
	struct smtp_result result = send_by(smtp);

	smtp_free(smtp);
	stop_server();
	return result;
}

static void
expect(const struct smtp_result *result, enum smtp_end end, int code,
    const char *why)
{
	if (result->end != end || result->code != code ||
	    strstr(result->why, why) == NULL)
		print_error("%d %d %s\n%s", (int)result->end, result->code,
		    result->why, server.seen);
	assert_int_equal(result->end, end);
	assert_int_equal(result->code, code);
	assert_non_null(strstr(result->why, why));
}

static void
expect_plain(enum smtp_end end, int code, const char *why)
{
	const struct smtp_config config = config_of(SMTP_NO_TLS);
	struct smtp_result result = send_one(&config);

	expect(&result, end, code, why);
}

static void
expect_soon(enum smtp_end end, int code, const char *why)
{
	struct smtp_config config = config_of(SMTP_NO_TLS);
	struct smtp_result result;

	config.timeout_ms = 1000;
	result = send_one(&config);
	expect(&result, end, code, why);
}

static struct secret *
password_of(const char *text)
{
	struct secret *password = secret_new(strlen(text));

	assert_non_null(password);
	memcpy(secret_at(password), text, strlen(text));
	return password;
}

/* ---- as it should be ---- */

static void
a_message_is_handed_over_whole(void **state)
{
	const struct smtp_config config = config_of(SMTP_NO_TLS);
	struct smtp *smtp = new_smtp(&config);
	struct mail_message *message = new_message();
	struct bytes octets = mail_message_octets(message);
	struct smtp_result result;
	char *at;

	(void)state;
	smtp_send(smtp, message, &result);
	smtp_free(smtp);
	stop_server();
	expect(&result, SMTP_SENT, 250, "");
	assert_string_equal(result.why, "");
	assert_memory_equal(server.seen, "EHLO client.test\r\n", 18);
	assert_non_null(
	    strstr(server.seen, "MAIL FROM:<holdfast@example.com>"));
	assert_non_null(strstr(server.seen, "RCPT TO:<ops@example.net>\r\n"));
	at = strstr(server.seen, "DATA\r\n");
	assert_non_null(at);
	assert_memory_equal(at + 6, octets.at, octets.len);
	assert_string_equal(at + 6 + octets.len, ".\r\nQUIT\r\n");
	mail_message_free(message);
}

static void
the_connection_is_kept_until_a_rest(void **state)
{
	const struct smtp_config config = config_of(SMTP_NO_TLS);
	struct smtp *smtp = new_smtp(&config);
	struct smtp_result result;

	(void)state;
	for (int i = 0; i < 3; i++) {
		result = send_by(smtp);
		expect(&result, SMTP_SENT, 250, "");
	}
	smtp_rest(smtp);
	result = send_by(smtp);
	expect(&result, SMTP_SENT, 250, "");
	smtp_rest(smtp);
	smtp_rest(smtp);
	smtp_free(smtp);
	stop_server();
	assert_int_equal(server.connections, 2);
}

static void
a_kept_connection_that_was_closed_is_no_failure(void **state)
{
	const struct smtp_config config = config_of(SMTP_NO_TLS);
	struct smtp *smtp = new_smtp(&config);
	struct smtp_result result;

	(void)state;
	server.hangs_up_after_message = true;
	for (int i = 0; i < 3; i++) {
		result = send_by(smtp);
		expect(&result, SMTP_SENT, 250, "");
	}
	smtp_free(smtp);
	stop_server();
	assert_int_equal(server.connections, 3);
}

static void
a_kept_connection_that_the_server_is_tired_of_is_no_failure(void **state)
{
	const struct smtp_config config = config_of(SMTP_NO_TLS);
	struct smtp *smtp = new_smtp(&config);
	struct smtp_result result;

	(void)state;
	server.hangs_up_after_message = true;
	server.last_word = "421 4.4.2 idle for too long\r\n";
	for (int i = 0; i < 3; i++) {
		result = send_by(smtp);
		expect(&result, SMTP_SENT, 250, "");
	}
	smtp_free(smtp);
	stop_server();
	assert_int_equal(server.connections, 3);
}

/* Nor waits libcurl's two minutes. */
static void
a_server_that_takes_no_leave_is_not_waited_for(void **state)
{
	(void)state;
	server.quit = SILENCE;
	expect_plain(SMTP_SENT, 250, "");
	assert_true(server.was_left);
}

static void
nor_is_one_that_takes_none_after_it_refused(void **state)
{
	struct smtp_config config = config_of(SMTP_NO_TLS);
	struct smtp_result result;

	(void)state;
	server.rcpt = "550 no\r\n";
	server.quit = SILENCE;
	config.timeout_ms = 1000;
	result = send_one(&config);
	expect(&result, SMTP_PERMANENT, 550, "550 no");
	assert_true(server.was_left);
}

static void *
send_some(void *smtp)
{
	for (int i = 0; i < 4; i++)
		assert_int_equal(send_by(smtp).end, SMTP_SENT);
	return NULL;
}

static void
many_threads_share_the_connections(void **state)
{
	const struct smtp_config config = config_of(SMTP_NO_TLS);
	struct smtp *smtp = new_smtp(&config);
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, send_some, smtp), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	smtp_free(smtp);
	stop_server();
	assert_int_equal(server.connections, 1);
}

/* ---- refused ---- */

static void
a_recipient_that_is_refused_is_permanent(void **state)
{
	(void)state;
	server.rcpt = "550-5.1.1 no such user,\r\n550 5.1.1 at all\r\n";
	expect_plain(SMTP_PERMANENT, 550,
	    "the mail server refuses the recipient: 550 5.1.1 no such user, at "
	    "all");
	assert_null(strstr(server.seen, "DATA"));
}

static void
a_recipient_that_is_put_off_is_temporary(void **state)
{
	(void)state;
	server.rcpt = "451 4.7.1 grey\r\n";
	expect_plain(SMTP_TEMPORARY, 451, "recipient: 451 4.7.1 grey");
}

static void
what_is_put_off_for_one_message_is_told_from_what_is_for_all(void **state)
{
	const struct smtp_config config = config_of(SMTP_NO_TLS);
	struct smtp_result result;

	(void)state;
	server.rcpt = "451 4.7.1 grey\r\n";
	result = send_one(&config);
	assert_true(result.is_of_message);
	server.rcpt = "421 4.3.2 closing\r\n";
	result = send_one(&config);
	assert_int_equal(result.end, SMTP_TEMPORARY);
	assert_false(result.is_of_message);
	server.rcpt = "250 ok\r\n";
	server.mail = "451 4.3.2 not now\r\n";
	result = send_one(&config);
	assert_int_equal(result.end, SMTP_TEMPORARY);
	assert_false(result.is_of_message);
}

static void
a_message_that_is_refused_is_permanent(void **state)
{
	(void)state;
	server.content = "554 5.6.0 no\r\n";
	expect_plain(SMTP_PERMANENT, 554, "refuses the message: 554 5.6.0 no");
}

static void
a_message_that_is_put_off_after_its_end_is_temporary(void **state)
{
	(void)state;
	server.content = "452 4.3.1 full\r\n";
	expect_plain(SMTP_TEMPORARY, 452, "the message: 452 4.3.1 full");
}

static void
a_sender_that_is_refused_is_a_matter_of_configuration(void **state)
{
	(void)state;
	server.mail = "553 5.1.8 not yours\r\n";
	expect_plain(SMTP_CONFIG, 553, "refuses the sender: 553 5.1.8");
}

static void
a_server_that_wants_a_log_in_is_a_matter_of_configuration(void **state)
{
	(void)state;
	server.rcpt = "530 5.7.0 authentication required\r\n";
	expect_plain(SMTP_CONFIG, 530, "530 5.7.0");
}

static void
a_server_that_turns_away_is_a_matter_of_configuration(void **state)
{
	(void)state;
	server.greeting = "554 5.7.1 blocked\r\n";
	expect_plain(SMTP_CONFIG, 554, "turns Holdfast away: 554 5.7.1");
}

static void
a_server_that_is_too_busy_is_temporary(void **state)
{
	(void)state;
	server.greeting = "421 4.3.2 busy\r\n";
	expect_plain(SMTP_TEMPORARY, 421, "turns Holdfast away: 421 4.3.2");
}

/* ---- log-in ---- */

static void
expect_login(enum smtp_end end, int code, const char *why)
{
	struct smtp_config config = config_of(SMTP_NO_TLS);
	struct smtp_result result;

	config.user = "certd@example.com";
	config.password = password_of("s3cret");
	result = send_one(&config);
	expect(&result, end, code, why);
}

static void
a_log_in_comes_before_the_message(void **state)
{
	(void)state;
	expect_login(SMTP_SENT, 250, "");
	/* "\0certd@example.com\0s3cret" */
	assert_non_null(strstr(server.seen,
	    "AUTH PLAIN\r\nAGNlcnRkQGV4YW1wbGUuY29tAHMzY3JldA==\r\nMAIL "));
}

static void
a_wrong_password_is_a_matter_of_configuration(void **state)
{
	(void)state;
	server.auth = "535 5.7.8 wrong\r\n";
	expect_login(SMTP_CONFIG, 535, "refuses the log-in: 535 5.7.8 wrong");
	assert_null(strstr(server.seen, "MAIL"));
}

static void
a_log_in_that_is_put_off_is_temporary(void **state)
{
	(void)state;
	server.auth = "454 4.7.0 the directory sleeps\r\n";
	expect_login(SMTP_TEMPORARY, 454, "refuses the log-in: 454");
}

static void
nothing_is_sent_where_no_log_in_is_possible(void **state)
{
	(void)state;
	server.ehlo = "250-mail.test\r\n250 AUTH GSSAPI CRAM-MD5\r\n";
	expect_login(SMTP_CONFIG, 250, "no log-in by PLAIN or LOGIN");
	assert_null(strstr(server.seen, "AUTH"));
	assert_null(strstr(server.seen, "MAIL"));
}

static void
a_server_without_log_ins_gets_no_password(void **state)
{
	(void)state;
	server.ehlo = "250 mail.test\r\n";
	expect_login(SMTP_SENT, 250, "");
	assert_null(strstr(server.seen, "AUTH"));
}

/* ---- TLS ---- */

static void
expect_starttls(enum smtp_end end, int code, const char *why)
{
	struct smtp_config config = config_of(SMTP_STARTTLS);
	struct smtp_result result;

	config.user = "certd";
	config.password = password_of("s3cret");
	result = send_one(&config);
	expect(&result, end, code, why);
	assert_null(strstr(server.seen, "AUTH"));
	assert_null(strstr(server.seen, "MAIL"));
}

static void
nothing_is_sent_where_no_starttls_is_offered(void **state)
{
	(void)state;
	expect_starttls(SMTP_CONFIG, 250, "offers no STARTTLS");
}

static void
starttls_that_is_put_off_is_temporary(void **state)
{
	(void)state;
	server.ehlo = "250-mail.test\r\n250 STARTTLS\r\n";
	expect_starttls(SMTP_TEMPORARY, 454, "refuses STARTTLS: 454 4.7.0");
}

/* What an attacker in the middle puts behind the answer in the clear. */
static void
what_comes_with_the_answer_to_starttls_is_refused(void **state)
{
	(void)state;
	server.ehlo = "250-mail.test\r\n250 STARTTLS\r\n";
	server.starttls = "220 go\r\n250-mail.test\r\n250 AUTH PLAIN\r\n";
	expect_starttls(SMTP_TEMPORARY, 220, "the mail server");
}

/* ---- faults ---- */

static void
a_server_that_hangs_up_within_the_message_is_temporary(void **state)
{
	(void)state;
	server.content = HANG_UP_WITHIN;
	expect_plain(SMTP_TEMPORARY, 354, "hung up");
}

static void
a_server_that_hangs_up_after_the_message_is_temporary(void **state)
{
	(void)state;
	server.content = HANG_UP;
	expect_plain(SMTP_TEMPORARY, 354, "hung up");
}

static void
a_server_that_hangs_up_at_once_is_temporary(void **state)
{
	(void)state;
	server.greeting = HANG_UP;
	expect_plain(SMTP_TEMPORARY, 0, "hung up");
}

static void
a_server_that_says_nothing_is_temporary(void **state)
{
	(void)state;
	server.greeting = SILENCE;
	expect_soon(SMTP_TEMPORARY, 0, "did not answer within 1000 ms");
}

static void
a_server_that_says_nothing_of_the_message_is_temporary(void **state)
{
	(void)state;
	server.content = SILENCE;
	expect_soon(SMTP_TEMPORARY, 354, "did not answer within 1000 ms");
}

static void
a_reply_without_end_is_not_listened_to_for_ever(void **state)
{
	struct smtp_config config = config_of(SMTP_NO_TLS);
	struct smtp_result result;

	(void)state;
	server.mail = ENDLESS_LINE;
	config.timeout_ms = 1000;
	result = send_one(&config);
	assert_int_equal(result.end, SMTP_TEMPORARY);
}

static void
replies_without_end_are_not_listened_to_for_ever(void **state)
{
	struct smtp_config config = config_of(SMTP_NO_TLS);
	struct smtp_result result;

	(void)state;
	server.ehlo = ENDLESS_LINES;
	config.timeout_ms = 1000;
	result = send_one(&config);
	assert_int_equal(result.end, SMTP_TEMPORARY);
}

static void
a_reply_octet_by_octet_is_not_waited_for_for_ever(void **state)
{
	(void)state;
	server.rcpt = DRIBBLE;
	expect_soon(SMTP_TEMPORARY, 250, "did not answer within 1000 ms");
}

static void
what_is_no_mail_server_is_temporary(void **state)
{
	(void)state;
	server.greeting = "SSH-2.0-OpenSSH\r\n";
	expect_soon(SMTP_TEMPORARY, 0, "the mail server");
}

static void
nobody_there_is_temporary(void **state)
{
	struct smtp_config config = config_of(SMTP_NO_TLS);
	struct smtp_result result;

	(void)state;
	/* Discard, where nobody listens. */
	config.port = 9;
	result = send_one(&config);
	expect(&result, SMTP_TEMPORARY, 0, "was not reached");
}

static void
a_servers_words_are_made_fit_to_be_seen_and_cut(void **state)
{
	char reply[600], why[SMTP_WHY_MAX];
	const struct smtp_config config = config_of(SMTP_NO_TLS);
	struct smtp_result result;

	(void)state;
	snprintf(reply, sizeof(reply),
	    "550 \x1b[2J\xff\\ \xe2\x80\xae%0300d\r\n", 0);
	server.rcpt = reply;
	result = send_one(&config);
	snprintf(why, sizeof(why),
	    "the mail server refuses the recipient: 550 \\u001b[2J\\xff\\\\ "
	    "\\u202e%0200d",
	    0);
	assert_int_equal(result.end, SMTP_PERMANENT);
	assert_int_equal(strlen(result.why), SMTP_WHY_MAX - 1);
	assert_string_equal(result.why, why);
}

/* ---- configuration ---- */

#define REFUSED(field, value, sentence)                                        \
	do {                                                                   \
		struct smtp_config config = config_of(SMTP_STARTTLS);          \
		struct smtp *smtp = NULL;                                      \
		struct status st;                                              \
		config.field = value;                                          \
		st = smtp_new(&config, &smtp);                                 \
		assert_true(failed(st));                                       \
		if (strstr(st.why, sentence) == NULL)                          \
			print_error("%s\n", st.why);                           \
		assert_non_null(strstr(st.why, sentence));                     \
		assert_null(smtp);                                             \
	} while (0)

static void
what_no_server_can_be_is_refused(void **state)
{
	(void)state;
	REFUSED(host, "", "must be a host name");
	REFUSED(host, "mail.example.com/x", "must be a host name");
	REFUSED(host, "user@mail.example.com", "must be a host name");
	REFUSED(host, "mail.example.com:25", "must be a host name");
	REFUSED(host, "mail.example.com\r\n", "must be a host name");
	REFUSED(host, "[::1]", "must be a host name");
	REFUSED(port, 0, "port must not be 0");
	REFUSED(user, "certd", "come together");
	REFUSED(ehlo, "a b", "greeted with");
	REFUSED(ehlo, "a\r\nMAIL", "greeted with");
	REFUSED(ca_pem, "no certificate", "check its ca_file");
	stop_server();
}

static void
a_server_is_a_host_and_a_port(void **state)
{
	static const char *const bad[] = { "", ":25", "mail.test",
		"mail.test:", "mail.test:0", "mail.test:65536", "mail.test: 25",
		"mail.test:+25", "a b:25", "::1:25", "[127.0.0.1]:25", "[::1]",
		"[]:25", "mail.test/x:25", "u@mail.test:25",
		"mail.test:25:26" };
	char host[SMTP_HOST_MAX] = "as it was";
	uint16_t port = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(smtp_config_server(bad[i], host, &port).code,
		    STATUS_INVALID_ARGUMENT);
		assert_string_equal(host, "as it was");
	}
	assert_false(failed(smtp_config_server("mail.test:587", host, &port)));
	assert_string_equal(host, "mail.test");
	assert_int_equal(port, 587);
	assert_false(failed(smtp_config_server("[::1]:65535", host, &port)));
	assert_string_equal(host, "::1");
	assert_int_equal(port, 65535);
	assert_false(failed(smtp_config_server("127.0.0.1:25", host, &port)));
	assert_string_equal(host, "127.0.0.1");
}

static void
a_password_with_a_zero_octet_is_refused(void **state)
{
	struct smtp_config config = config_of(SMTP_NO_TLS);
	struct smtp *smtp = NULL;

	(void)state;
	config.user = "certd";
	config.password = secret_new(4);
	assert_int_equal(
	    smtp_new(&config, &smtp).code, STATUS_INVALID_ARGUMENT);
	secret_free(config.password);
	stop_server();
}

static void
without_tls_a_server_must_be_on_this_machine(void **state)
{
	static const char *const away[] = { "mail.example.com", "192.0.2.1",
		"2001:db8::1", "::ffff:127.0.0.1" };
	static const char *const here[] = { "localhost", "127.0.0.2", "::1" };
	struct smtp_config config = config_of(SMTP_NO_TLS);
	struct smtp *smtp = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(away) / sizeof(away[0]); i++) {
		struct status st;

		config.host = away[i];
		st = smtp_new(&config, &smtp);
		assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
		assert_non_null(strstr(st.why, "must be on this machine"));
	}
	for (size_t i = 0; i < sizeof(here) / sizeof(here[0]); i++) {
		config.host = here[i];
		smtp_free(new_smtp(&config));
	}
	stop_server();
}

static void
an_address_may_be_what_a_server_is_greeted_with(void **state)
{
	struct smtp_config config = config_of(SMTP_NO_TLS);
	struct smtp_result result;

	(void)state;
	config.ehlo = "[IPv6:2001:db8::1]";
	result = send_one(&config);
	expect(&result, SMTP_SENT, 250, "");
	assert_memory_equal(server.seen, "EHLO [IPv6:2001:db8::1]\r\n", 25);
}

static void
replies_are_read_line_by_line(void **state)
{
	struct smtp_reply reply = { .code = 0 };
	char text[64];

	(void)state;
	smtp_reply_print(&reply, text, sizeof(text));
	assert_string_equal(text, "");
	smtp_reply_line(&reply, bytes_of("250-mail.test\r\n"));
	smtp_reply_line(&reply, bytes_of("250 SIZE 1000\r\n"));
	smtp_reply_print(&reply, text, sizeof(text));
	assert_string_equal(text, "250 mail.test SIZE 1000");
	smtp_reply_line(&reply, bytes_of("550"));
	smtp_reply_print(&reply, text, sizeof(text));
	assert_string_equal(text, "550");
	smtp_reply_line(&reply, bytes_of("600 no reply\r\n"));
	smtp_reply_line(&reply, bytes_of("55\r\n"));
	smtp_reply_line(&reply, bytes_of("\r\n"));
	smtp_reply_print(&reply, text, sizeof(text));
	assert_string_equal(text, "550");
	smtp_reply_line(&reply, bytes_of("550-5.1.1 a"));
	smtp_reply_line(&reply, bytes_of("550-5.1.1 b"));
	smtp_reply_line(&reply, bytes_of("550 5.1.2 c"));
	smtp_reply_print(&reply, text, sizeof(text));
	assert_string_equal(text, "550 5.1.1 a b 5.1.2 c");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_is_handed_over_whole),
		TEST(the_connection_is_kept_until_a_rest),
		TEST(a_kept_connection_that_was_closed_is_no_failure),
		TEST(
		    a_kept_connection_that_the_server_is_tired_of_is_no_failure),
		TEST(a_server_that_takes_no_leave_is_not_waited_for),
		TEST(nor_is_one_that_takes_none_after_it_refused),
		TEST(many_threads_share_the_connections),
		TEST(a_recipient_that_is_refused_is_permanent),
		TEST(a_recipient_that_is_put_off_is_temporary),
		TEST(
		    what_is_put_off_for_one_message_is_told_from_what_is_for_all),
		TEST(a_message_that_is_refused_is_permanent),
		TEST(a_message_that_is_put_off_after_its_end_is_temporary),
		TEST(a_sender_that_is_refused_is_a_matter_of_configuration),
		TEST(a_server_that_wants_a_log_in_is_a_matter_of_configuration),
		TEST(a_server_that_turns_away_is_a_matter_of_configuration),
		TEST(a_server_that_is_too_busy_is_temporary),
		TEST(a_log_in_comes_before_the_message),
		TEST(a_wrong_password_is_a_matter_of_configuration),
		TEST(a_log_in_that_is_put_off_is_temporary),
		TEST(nothing_is_sent_where_no_log_in_is_possible),
		TEST(a_server_without_log_ins_gets_no_password),
		TEST(nothing_is_sent_where_no_starttls_is_offered),
		TEST(starttls_that_is_put_off_is_temporary),
		TEST(what_comes_with_the_answer_to_starttls_is_refused),
		TEST(a_server_that_hangs_up_within_the_message_is_temporary),
		TEST(a_server_that_hangs_up_after_the_message_is_temporary),
		TEST(a_server_that_hangs_up_at_once_is_temporary),
		TEST(a_server_that_says_nothing_is_temporary),
		TEST(a_server_that_says_nothing_of_the_message_is_temporary),
		TEST(a_reply_without_end_is_not_listened_to_for_ever),
		TEST(replies_without_end_are_not_listened_to_for_ever),
		TEST(a_reply_octet_by_octet_is_not_waited_for_for_ever),
		TEST(what_is_no_mail_server_is_temporary),
		TEST(nobody_there_is_temporary),
		TEST(a_servers_words_are_made_fit_to_be_seen_and_cut),
		TEST(what_no_server_can_be_is_refused),
		cmocka_unit_test(a_server_is_a_host_and_a_port),
		TEST(a_password_with_a_zero_octet_is_refused),
		TEST(without_tls_a_server_must_be_on_this_machine),
		TEST(an_address_may_be_what_a_server_is_greeted_with),
		cmocka_unit_test(replies_are_read_line_by_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
