/* SPDX-License-Identifier: Apache-2.0 */

/* What people may call a certificate; see certificate_name.h.  Refused is what
 * could not be told apart by eye, or would command a terminal. */

#include "certd/certificate_name.h"

#include <string.h>

#include "base/bytes.h"
#include "base/printable.h"
#include "certd/store_certificates.h"

static bool
is_printable(const char *text)
{
	struct bytes rest = bytes_of(text);
	uint32_t point = 0;

	while (rest.len > 0) {
		size_t len = printable_take(rest, &point);

		if (len == 0 || !printable_point(point))
			return false;
		rest.at += len;
		rest.len -= len;
	}
	return true;
}

STATUS
certificate_name_check(struct api_call *call, const char *name)
{
	size_t len = strlen(name);
	const char *why = NULL;

	if (len >= CERTIFICATE_NAME_MAX)
		why = "a name is 100 octets at most";
	else if (len > 0 && (name[0] == ' ' || name[len - 1] == ' '))
		why = "a name neither begins nor ends with a blank";
	else if (!is_printable(name))
		why = "a name is of printable characters, in UTF-8";
	if (why == NULL)
		return status_ok();
	return api_explain(
	    call, status_fail(STATUS_INVALID_ARGUMENT, why), "%s", why);
}
