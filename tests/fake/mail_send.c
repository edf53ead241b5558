/* SPDX-License-Identifier: Apache-2.0 */

/*
 * mail_send FILE: composes the messages that a JSON file lists and, where it
 * names a server, hands them to it, for tests/system/test_mail.py.  Prints a
 * JSON list, for each message {"why", and "octets" or "end" and "code"}.
 *
 *   {"server": {"host", "port", "tls": "starttls" or "tls" or "none",
 *               "ca_file", "user", "password_file", "ehlo", "timeout_ms"},
 *    "messages": [{"from_name", "from", "to_name", "to", "subject", "text",
 *                  "html", "date_s", "id", "thread", "list_id",
 *                  "unsubscribe_url"}, ...]}
 */

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/smtp.h"

#define FILE_MAX 65536

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "mail_send: %s: %s\n", what, why);
	exit(2);
}

static const char *
text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static char *
read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, FILE_MAX);

	if (file == NULL || text == NULL ||
	    fread(text, 1, FILE_MAX - 1, file) == 0)
		die(path, "cannot be read");
	fclose(file);
	return text;
}

static enum smtp_tls
tls_of(const json_t *server)
{
	const char *tls = text_of(server, "tls");

	if (tls == NULL || strcmp(tls, "starttls") == 0)
		return SMTP_STARTTLS;
	return strcmp(tls, "tls") == 0 ? SMTP_TLS : SMTP_NO_TLS;
}

static struct smtp *
new_smtp(const json_t *server)
{
	const char *ca_file = text_of(server, "ca_file");
	const char *password_file = text_of(server, "password_file");
	char *ca_pem = ca_file == NULL ? NULL : read_file(ca_file);
	struct smtp_config config = {
		.host = text_of(server, "host"),
		.port = (uint16_t)json_integer_value(
		    json_object_get(server, "port")),
		.tls = tls_of(server),
		.ca_pem = ca_pem,
		.user = text_of(server, "user"),
		.ehlo = text_of(server, "ehlo"),
		.timeout_ms = (unsigned)json_integer_value(
		    json_object_get(server, "timeout_ms")),
		.connections = 1,
	};
	struct smtp *smtp = NULL;
	struct status st = status_ok();

	if (password_file != NULL)
		st = secret_from_file(password_file, &config.password);
	if (!failed(st))
		st = smtp_new(&config, &smtp);
	if (failed(st))
		die("the server", st.why);
	free(ca_pem);
	return smtp;
}

static json_t *
send_it(struct smtp *smtp, const struct mail_message *message)
{
	static const char *const ENDS[] = {
		[SMTP_SENT] = "sent",
		[SMTP_PERMANENT] = "permanent",
		[SMTP_TEMPORARY] = "temporary",
		[SMTP_CONFIG] = "config",
	};
	struct smtp_result result;

	smtp_send(smtp, message, &result);
	return json_pack("{s:s, s:i, s:s}", "end", ENDS[result.end], "code",
	    result.code, "why", result.why);
}

static json_t *
do_one(struct smtp *smtp, const json_t *asked)
{
	const struct mail_fields fields = {
		.from_name = text_of(asked, "from_name"),
		.from = text_of(asked, "from"),
		.to_name = text_of(asked, "to_name"),
		.to = text_of(asked, "to"),
		.subject = text_of(asked, "subject"),
		.text = text_of(asked, "text"),
		.html = text_of(asked, "html"),
		.date_s = json_integer_value(json_object_get(asked, "date_s")),
		.id = text_of(asked, "id"),
		.thread = text_of(asked, "thread"),
		.list_id = text_of(asked, "list_id"),
		.unsubscribe_url = text_of(asked, "unsubscribe_url"),
	};
	scoped(mail_message_free) struct mail_message *message = NULL;
	char why[MAIL_WHY_MAX] = "";
	struct bytes octets;

	if (failed(mail_message_new(&fields, &message, why)))
		return json_pack("{s:s}", "why", why);
	if (smtp != NULL)
		return send_it(smtp, message);
	octets = mail_message_octets(message);
	return json_pack("{s:s%, s:s}", "octets", (const char *)octets.at,
	    octets.len, "why", "");
}

int
main(int argc, char **argv)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	json_error_t error;
	json_t *asked = argc == 2 ? json_load_file(argv[1], 0, &error) : NULL;
	json_t *done = json_array();
	struct smtp *smtp = NULL;
	const json_t *one;
	size_t i;

	if (asked == NULL)
		die("usage", "mail_send FILE, which is JSON");
	sigaction(SIGPIPE, &ignore, NULL);
	if (json_object_get(asked, "server") != NULL)
		smtp = new_smtp(json_object_get(asked, "server"));
	json_array_foreach(json_object_get(asked, "messages"), i, one)
	    json_array_append_new(done, do_one(smtp, one));
	smtp_free(smtp);
	if (json_dumpf(done, stdout, 0) != 0)
		die("stdout", "cannot be written to");
	json_decref(done);
	json_decref(asked);
	return 0;
}
