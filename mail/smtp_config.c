/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where a mail server is and how it is spoken to; see smtp.h.  Refuses hosts
 * that would be read as another part of a URL, and servers without TLS that
 * are not on this machine.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "mail/address.h"
#include "mail/smtp_int.h"

#define EHLO_MAX 256

static struct status
invalid(const char *why)
{
	return status_fail(STATUS_INVALID_ARGUMENT, why);
}

static bool
is_v6(const char *host)
{
	struct in6_addr v6;

	return inet_pton(AF_INET6, host, &v6) == 1;
}

static bool
is_host(const char *host)
{
	struct in_addr v4;

	return is_v6(host) || inet_pton(AF_INET, host, &v4) == 1 ||
	       (host[0] != '[' && !failed(mail_address_check_domain(host)));
}

static bool
take_port(const char *text, uint16_t *ret_port)
{
	unsigned long port;

	/* strtoul takes blanks and signs, too. */
	if (text[0] == 0 || strspn(text, "0123456789") != strlen(text) ||
	    strlen(text) > 5)
		return false;
	port = strtoul(text, NULL, 10);
	if (port == 0 || port > UINT16_MAX)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

STATUS
smtp_config_server(
    const char *server, char ret_host[SMTP_HOST_MAX], uint16_t *ret_port)
{
	const char *colon = strrchr(server, ':');
	size_t len = colon == NULL ? 0 : (size_t)(colon - server);
	bool is_bracketed =
	    len > 2 && server[0] == '[' && server[len - 1] == ']';
	char host[SMTP_HOST_MAX] = "";
	uint16_t port;

	if (is_bracketed) {
		server++;
		len -= 2;
	}
	if (len < sizeof(host) && len > 0)
		memcpy(host, server, len);
	if (!is_host(host) || is_v6(host) != is_bracketed ||
	    !take_port(colon + 1, &port))
		return invalid("the mail server must be host:port, such as "
			       "mail.example.net:587");
	memcpy(ret_host, host, sizeof(host));
	*ret_port = port;
	return status_ok();
}

static bool
may_be_loopback(const char *host)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET6, host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6);
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
	return strcasecmp(host, "localhost") == 0;
}

STATUS
smtp_config_check(const struct smtp_config *config)
{
	if (!is_host(config->host))
		return invalid("the mail server must be a host name or an IP "
			       "address");
	if (config->port == 0)
		return invalid("the mail server's port must not be 0");
	if (config->tls == SMTP_NO_TLS && !may_be_loopback(config->host))
		return invalid("a mail server without TLS must be on this "
			       "machine: localhost, 127.0.0.1 or ::1");
	if ((config->user == NULL) != (config->password == NULL))
		return invalid("a mail server's user and password come "
			       "together");
	if (config->user != NULL && config->user[0] == 0)
		return invalid("the mail server's user must not be empty");
	if (config->password != NULL &&
	    memchr(secret_bytes(config->password).at, 0,
		secret_bytes(config->password).len) != NULL)
		return invalid("the mail server's password must not have zero "
			       "octets");
	if (config->ehlo != NULL &&
	    failed(mail_address_check_domain(config->ehlo)))
		return invalid("the name that a mail server is greeted with "
			       "must be a host name, or an IP address in "
			       "square brackets");
	return status_ok();
}

/* As it stands in a URL: an address' brackets and colons are escaped. */
static void
print_ehlo(const struct smtp_config *config, char ret_text[EHLO_MAX * 3])
{
	char name[EHLO_MAX] = "";
	size_t used = 0;

	if (config->ehlo != NULL)
		snprintf(name, sizeof(name), "%s", config->ehlo);
	else if (gethostname(name, sizeof(name) - 1) != 0 ||
		 failed(mail_address_check_domain(name)))
		snprintf(name, sizeof(name), "localhost");
	for (const char *c = name; *c != 0; c++) {
		bool is_odd = strchr("[]:", *c) != NULL;

		used += (size_t)snprintf(ret_text + used, 4,
		    is_odd ? "%%%02X" : "%c", (unsigned char)*c);
	}
}

void
smtp_config_url(const struct smtp_config *config, char ret_url[SMTP_URL_MAX])
{
	bool has_colons = is_v6(config->host);
	char ehlo[EHLO_MAX * 3];

	print_ehlo(config, ehlo);
	snprintf(ret_url, SMTP_URL_MAX, "smtp%s://%s%s%s:%u/%s",
	    config->tls == SMTP_TLS ? "s" : "", has_colons ? "[" : "",
	    config->host, has_colons ? "]" : "", config->port, ehlo);
}
