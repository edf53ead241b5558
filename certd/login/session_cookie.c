/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading and writing the cookie.  A host's cookies are shared by all its
 * ports, so others may stand beside ours and are passed over; two of our name
 * are refused, for one of them was put there by somebody else.  Whether a value
 * is a secret of ours is not looked at here.
 */

#include "certd/login/session_cookie.h"

#include <stdio.h>
#include <string.h>

static const char BLANK[] = " \t";

/* The next pair of a header: [*ret_at, +*ret_len) without blanks around. */
static const char *
take_pair(const char *from, const char **ret_at, size_t *ret_len)
{
	size_t len = strcspn(from, ";");
	const char *next = from[len] == ';' ? from + len + 1 : from + len;
	size_t skip = strspn(from, BLANK);

	if (skip > len)
		skip = len;
	*ret_at = from + skip;
	len -= skip;
	while (len > 0 && strchr(BLANK, (*ret_at)[len - 1]) != NULL)
		len--;
	*ret_len = len;
	return next;
}

STATUS
session_cookie_find(const char *header, const char *name,
    char ret_value[SESSION_COOKIE_VALUE_MAX])
{
	size_t name_len = strlen(name), len, found_len = 0;
	const char *at, *found = NULL;

	while (*header != 0) {
		header = take_pair(header, &at, &len);
		if (len <= name_len || at[name_len] != '=' ||
		    strncmp(at, name, name_len) != 0)
			continue;
		if (found != NULL)
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "the session's cookie is there twice: delete this "
			    "site's cookies and log in again");
		found = at + name_len + 1;
		found_len = len - name_len - 1;
	}
	if (found == NULL)
		return status_fail(STATUS_NOT_FOUND, "there is no session");
	if (found_len >= SESSION_COOKIE_VALUE_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "the session's cookie is longer than any that certd gave: "
		    "delete this site's cookies and log in again");
	memcpy(ret_value, found, found_len);
	ret_value[found_len] = 0;
	return status_ok();
}

void
session_cookie_print(
    const char *value, bool secure, char ret_line[SESSION_COOKIE_LINE_MAX])
{
	snprintf(ret_line, SESSION_COOKIE_LINE_MAX,
	    "%s=%.*s; Path=/; HttpOnly; SameSite=Strict%s%s",
	    secure ? SESSION_COOKIE : SESSION_COOKIE_PLAIN,
	    SESSION_COOKIE_VALUE_MAX - 1, value, secure ? "; Secure" : "",
	    value[0] == 0 ? "; Max-Age=0" : "");
}
