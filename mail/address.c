/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What an e-mail address is; see address.h.  It is taken as it stands: nothing
 * is mended, no case is changed, nothing is looked up.  Refuses octets that no
 * command of SMTP may hold, comments and blanks (RFC 5322 3.4.1 has them, RFC
 * 5321 has not), and U-labels, which other servers would not know.
 */

#include "mail/address.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

#define LOCAL_MAX 64 /* RFC 5321 4.5.3.1.1 */
#define DOMAIN_MAX 253
#define LABEL_MAX 63

#define LETTER "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

static struct status
refuse(const char *why)
{
	return status_fail(STATUS_INVALID_ARGUMENT, why);
}

/* ---- before the "@" ---- */

/* RFC 5322 3.2.3. */
static bool
is_dot_atom(const char *at, size_t len)
{
	static const char ATEXT[] = LETTER DIGIT "!#$%&'*+-/=?^_`{|}~.";

	if (len == 0 || at[0] == '.' || at[len - 1] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if (strchr(ATEXT, at[i]) == NULL ||
		    (at[i] == '.' && at[i + 1] == '.'))
			return false;
	return true;
}

/* Quoted-string of RFC 5321 4.1.2, which has no line ends. */
static bool
is_quoted(const char *at, size_t len)
{
	if (len < 3 || at[0] != '"' || at[len - 1] != '"')
		return false;
	for (size_t i = 1; i < len - 1; i++) {
		if (at[i] == '\\')
			i++;
		else if (at[i] == '"')
			return false;
		/* An escape that takes the closing quote away. */
		if (i >= len - 1 || at[i] < ' ' || at[i] > '~')
			return false;
	}
	return true;
}

/* ---- behind it ---- */

static bool
is_label(const char *at, size_t len)
{
	return len > 0 && len <= LABEL_MAX && at[0] != '-' &&
	       at[len - 1] != '-' && strspn(at, LETTER DIGIT "-") >= len;
}

static bool
is_domain(const char *at)
{
	if (strlen(at) > DOMAIN_MAX)
		return false;
	for (;;) {
		size_t len = strcspn(at, ".");

		if (!is_label(at, len))
			return false;
		/* No top-level domain is a number (RFC 3696 2). */
		if (at[len] == 0)
			return strspn(at, DIGIT) < len;
		at += len + 1;
	}
}

/* RFC 5321 4.1.3; of the general kind none was ever given out. */
static bool
is_literal(const char *at)
{
	static const char V6[] = "[IPv6:";
	const size_t len = strlen(at);
	char address[INET6_ADDRSTRLEN];
	unsigned char octets[16];
	bool is_v6 = strncmp(at, V6, sizeof(V6) - 1) == 0;
	size_t skip = is_v6 ? sizeof(V6) - 1 : 1;

	if (len < skip + 1 || at[0] != '[' || at[len - 1] != ']' ||
	    len - skip - 1 >= sizeof(address))
		return false;
	memcpy(address, at + skip, len - skip - 1);
	address[len - skip - 1] = 0;
	return inet_pton(is_v6 ? AF_INET6 : AF_INET, address, octets) == 1;
}

STATUS
mail_address_check_domain(const char *text)
{
	if (is_domain(text) || is_literal(text))
		return status_ok();
	return refuse("must have a domain like example.com, in ASCII (an "
		      "international one as xn--...), or an IP address in "
		      "square brackets");
}

/* ---- all of it ---- */

static bool
is_ascii(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)at[i] >= 0x80)
			return false;
	return true;
}

STATUS
mail_address_check(const char *text)
{
	const char *at = strrchr(text, '@');
	size_t len;

	if (at == NULL)
		return refuse(
		    "must be an e-mail address like name@example.com, in "
		    "ASCII");
	if (strlen(text) >= MAIL_ADDRESS_MAX)
		return refuse("is longer than the 254 octets that an e-mail "
			      "address may have");
	len = (size_t)(at - text);
	if (!is_ascii(text, len))
		return refuse("has other letters than ASCII before its \"@\", "
			      "to which Holdfast cannot send mail");
	if (len > LOCAL_MAX)
		return refuse("has more than 64 octets before its \"@\"");
	if (!is_dot_atom(text, len) && !is_quoted(text, len))
		return refuse(
		    "must be an e-mail address like name@example.com, in "
		    "ASCII");
	return mail_address_check_domain(at + 1);
}

const char *
mail_address_domain(const char *address)
{
	return strrchr(address, '@') + 1;
}
