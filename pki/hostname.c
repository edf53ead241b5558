/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Host names in one spelling.  hostname_normalize takes the wildcard off, lets
 * libidn2 turn what is not plain ASCII into A-labels, and then checks every
 * label itself: letters, digits and hyphens (RFC 5890 2.3.1), for libidn2 lets
 * other ASCII pass.  Refuses addresses, underscores, and wildcards anywhere
 * but as the whole first label.
 */

#include "pki/hostname.h"

#include <idn2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/printable.h"
#include "base/scoped.h"

#define LABEL_MAX 63
#define TEXT_MAX 1024 /* of a name as typed; every A-label is shorter */
#define SHOWN_MAX 100

static inline void
scoped_idn2_free(void *at)
{
	idn2_free(*(void **)at);
}

static struct status refuse(const char *text, char *ret_why, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

/* "\"a_b.example\" is no host name: REASON". */
static struct status
refuse(const char *text, char *ret_why, const char *format, ...)
{
	char shown[SHOWN_MAX];
	va_list arguments;
	int len;

	printable_print(
	    (struct bytes){ (const uint8_t *)text, strnlen(text, TEXT_MAX) },
	    shown, sizeof(shown));
	len = snprintf(ret_why, HOSTNAME_WHY_MAX,
	    "\"%s\" cannot be used as a host name: ", shown);
	va_start(arguments, format);
	vsnprintf(
	    ret_why + len, HOSTNAME_WHY_MAX - (size_t)len, format, arguments);
	va_end(arguments);
	return status_fail(STATUS_INVALID_ARGUMENT, "this is not a host name");
}

/* ASCII without A-labels needs no libidn2. */
static bool
is_plain(const char *text)
{
	for (const char *at = text; *at != 0; at++) {
		if ((unsigned char)*at >= 0x80)
			return false;
		if ((at == text || at[-1] == '.') &&
		    strncasecmp(at, "xn--", 4) == 0)
			return false;
	}
	return true;
}

static void
lower(char *text)
{
	for (; *text != 0; text++) {
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
	}
}

static struct status
to_ascii(const char *shown, const char *text, char ret_name[HOSTNAME_MAX],
    char *ret_why)
{
	scoped(idn2_free) uint8_t *found = NULL;
	size_t len;
	int rc;

	if (!is_plain(text)) {
		rc = idn2_lookup_u8((const uint8_t *)text, &found,
		    IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
		if (rc != IDN2_OK)
			return refuse(shown, ret_why, "%s (IDNA 2008)",
			    idn2_strerror(rc));
		text = (const char *)found;
	}
	len = strlen(text);
	if (len > 0 && text[len - 1] == '.')
		len--;
	if (len >= HOSTNAME_MAX)
		return refuse(shown, ret_why, "it is longer than 253 octets");
	memcpy(ret_name, text, len);
	ret_name[len] = 0;
	lower(ret_name);
	return status_ok();
}

static bool
is_in(char c, const char *first_last)
{
	return c >= first_last[0] && c <= first_last[1];
}

/* The first character that no label has; 0 when there is none. */
static char
foreign(const char *label, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!is_in(label[i], "az") && !is_in(label[i], "09") &&
		    label[i] != '-')
			return label[i];
	}
	return 0;
}

static struct status
check_label(const char *shown, const char *label, size_t len, char *ret_why)
{
	char bad = foreign(label, len);

	if (len == 0)
		return refuse(shown, ret_why,
		    "it has an empty label (two dots in a row, or one in "
		    "front)");
	if (len > LABEL_MAX)
		return refuse(
		    shown, ret_why, "a label has more than 63 octets");
	if (bad == '*')
		return refuse(shown, ret_why,
		    "a wildcard is the whole first label, as in "
		    "\"*.example.com\", and nothing else");
	if (bad == '_')
		return refuse(shown, ret_why, "host names have no underscore");
	if (bad > ' ' && bad < 0x7f)
		return refuse(shown, ret_why, "host names have no \"%c\"", bad);
	if (bad != 0)
		return refuse(shown, ret_why,
		    "host names have no blanks or control characters");
	if (label[0] == '-' || label[len - 1] == '-')
		return refuse(
		    shown, ret_why, "a label begins or ends with a hyphen");
	return status_ok();
}

/* name: lower case, no dot at its end, no wildcard. */
static struct status
check(const char *shown, const char *name, bool is_wildcard, char *ret_why)
{
	const char *label = name;
	struct status st;
	size_t n = 0;

	if (name[0] == 0)
		return refuse(shown, ret_why, "it is empty");
	for (;; label += strcspn(label, ".") + 1) {
		const size_t len = strcspn(label, ".");

		st = check_label(shown, label, len, ret_why);
		if (failed(st))
			return st;
		n++;
		if (label[len] == 0)
			break;
	}
	if (strspn(label, "0123456789") == strlen(label))
		return refuse(shown, ret_why,
		    "it is an address, or its last label is a number; give the "
		    "name that people use");
	if (is_wildcard && n < 2)
		return refuse(shown, ret_why,
		    "a wildcard needs at least two labels behind it, as in "
		    "\"*.example.com\"");
	return status_ok();
}

STATUS
hostname_normalize(const char *text, char ret_name[HOSTNAME_MAX], char *ret_why)
{
	const bool is_wildcard = text[0] == '*' && text[1] == '.';
	char name[HOSTNAME_MAX];
	struct status st;

	if (strnlen(text, TEXT_MAX) == TEXT_MAX)
		return refuse(text, ret_why, "it is longer than 253 octets");
	if (strchr(text, ':') != NULL)
		return refuse(text, ret_why,
		    "it is an address, or has a port; give the name alone");
	st = to_ascii(text, is_wildcard ? text + 2 : text, name, ret_why);
	if (!failed(st))
		st = check(text, name, is_wildcard, ret_why);
	if (failed(st))
		return st;
	if (is_wildcard && strlen(name) + 2 >= HOSTNAME_MAX)
		return refuse(text, ret_why, "it is longer than 253 octets");
	snprintf(ret_name, HOSTNAME_MAX, "%s%s", is_wildcard ? "*." : "", name);
	return st;
}

bool
hostname_is_wildcard(const char *name)
{
	return name[0] == '*' && name[1] == '.';
}

bool
hostname_covers(const char *pattern, const char *name)
{
	const char *rest;

	if (strcmp(pattern, name) == 0)
		return true;
	/* A wildcard among the names is covered by its own spelling alone. */
	if (!hostname_is_wildcard(pattern) || hostname_is_wildcard(name))
		return false;
	rest = strchr(name, '.');
	return rest != NULL && strcmp(rest, pattern + 1) == 0;
}
