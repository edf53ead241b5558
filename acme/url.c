/* SPDX-License-Identifier: Apache-2.0 */

/*
 * URLs read strictly: a CA's answers may send nobody elsewhere, so that
 * question is not left to what two readers make of a strange spelling.  Refuses
 * user information, fragments, backslashes, other schemes, hosts that are not
 * made of letters, digits, dots and hyphens (or an address in brackets).
 */

#include "acme/url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"

struct origin {
	bool is_https;
	struct bytes host; /* without brackets */
	unsigned port;
};

static bool
is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

static bool
has_only_url_characters(const char *url)
{
	for (const char *c = url; *c != '\0'; c++) {
		if (*c <= ' ' || *c >= 0x7f || strchr("\\\"<>^`{|}#", *c))
			return false;
	}
	return true;
}

/* Behind the host; *at then is at the port or path. */
static bool
take_host(const char **at, struct bytes *ret_host)
{
	const char *begin = *at, *end;

	if (*begin == '[') {
		begin++;
		end = begin + strspn(begin, "0123456789abcdefABCDEF:.");
		*at = end + 1;
		if (*end != ']')
			return false;
	} else {
		end = begin;
		while (is_letter_or_digit(*end) || *end == '.' || *end == '-')
			end++;
		*at = end;
	}
	*ret_host =
	    (struct bytes){ (const uint8_t *)begin, (size_t)(end - begin) };
	return end > begin;
}

static bool
take_port(const char **at, unsigned *port)
{
	const char *digits = *at + 1;
	size_t n;

	if (**at != ':')
		return true;
	n = strspn(digits, "0123456789");
	if (n == 0 || n > 5)
		return false;
	*port = 0;
	for (size_t i = 0; i < n; i++)
		*port = *port * 10 + (unsigned)(digits[i] - '0');
	*at = digits + n;
	return *port > 0 && *port < 65536;
}

static bool
read_origin(const char *url, struct origin *ret_origin)
{
	static const char HTTPS[] = "https://", HTTP[] = "http://";
	struct origin origin = { .is_https = true, .port = 443 };
	const char *at = url;

	if (!has_only_url_characters(url))
		return false;
	if (strncmp(at, HTTPS, sizeof(HTTPS) - 1) == 0) {
		at += sizeof(HTTPS) - 1;
	} else if (strncmp(at, HTTP, sizeof(HTTP) - 1) == 0) {
		at += sizeof(HTTP) - 1;
		origin = (struct origin){ .is_https = false, .port = 80 };
	} else {
		return false;
	}
	if (!take_host(&at, &origin.host) || !take_port(&at, &origin.port) ||
	    *at != '/')
		return false;
	*ret_origin = origin;
	return true;
}

bool
acme_url_is_fit(const char *url)
{
	struct origin origin;

	return read_origin(url, &origin);
}

bool
acme_url_same_origin(const char *url, const char *of)
{
	struct origin a, b;

	return read_origin(url, &a) && read_origin(of, &b) &&
	       a.is_https == b.is_https && a.port == b.port &&
	       a.host.len == b.host.len &&
	       strncasecmp((const char *)a.host.at, (const char *)b.host.at,
		   a.host.len) == 0;
}

bool
acme_url_is_https(const char *url)
{
	struct origin origin;

	return read_origin(url, &origin) && origin.is_https;
}

bool
acme_url_is_loopback(const char *url)
{
	struct origin origin;
	struct in6_addr v6;
	struct in_addr v4;
	char host[64];

	if (!read_origin(url, &origin) || origin.host.len >= sizeof(host))
		return false;
	snprintf(host, sizeof(host), "%.*s", (int)origin.host.len,
	    (const char *)origin.host.at);
	if (inet_pton(AF_INET, host, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127;
	if (inet_pton(AF_INET6, host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6);
	return strcasecmp(host, "localhost") == 0;
}
