/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What CAA records say about one CA (RFC 8659 4).  A value that is not of the
 * grammar allows nobody, as 4.2 has it.
 */

#include <string.h>
#include <strings.h>

#include "dns/resolver.h"

#define BLANKS " \t"
#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static const char *
skip_blanks(const char *at)
{
	return at + strspn(at, BLANKS);
}

/* label = (ALPHA / DIGIT) *( *("-") (ALPHA / DIGIT)), which also is the grammar
 * of a parameter's tag.  NULL: there is none. */
static const char *
skip_label(const char *at)
{
	size_t len = strspn(at, ALNUM "-");

	if (len == 0 || at[0] == '-' || at[len - 1] == '-')
		return NULL;
	return at + len;
}

static const char *
skip_domain(const char *at)
{
	at = skip_label(at);
	while (at != NULL && *at == '.')
		at = skip_label(at + 1);
	return at;
}

/* parameter = tag *WSP "=" *WSP value; more of them after ";". */
static bool
are_parameters(const char *at)
{
	for (;;) {
		at = skip_label(at);
		if (at == NULL)
			return false;
		at = skip_blanks(at);
		if (*at != '=')
			return false;
		at = skip_blanks(at + 1);
		while (*at >= 0x21 && *at <= 0x7e && *at != ';')
			at++;
		at = skip_blanks(at);
		if (*at == 0)
			return true;
		if (*at != ';')
			return false;
		at = skip_blanks(at + 1);
	}
}

/* The domain that an issue or issuewild value names.  *ret_len 0: nobody's. */
static const char *
issuer(const char *value, size_t *ret_len)
{
	const char *domain = skip_blanks(value);
	const char *end = skip_domain(domain);
	const char *rest = skip_blanks(end != NULL ? end : domain);

	*ret_len = 0;
	if (end == NULL)
		return domain;
	if (*rest == ';') {
		rest = skip_blanks(rest + 1);
		if (*rest != 0 && !are_parameters(rest))
			return domain;
	} else if (*rest != 0)
		return domain;
	*ret_len = (size_t)(end - domain);
	return domain;
}

static bool
is_known(const char *tag)
{
	return strcasecmp(tag, "issue") == 0 ||
	       strcasecmp(tag, "issuewild") == 0 ||
	       strcasecmp(tag, "iodef") == 0;
}

static bool
has_tag(const struct dns_caa *caa, const char *tag)
{
	for (size_t i = 0; i < caa->n_records; i++)
		if (strcasecmp(caa->records[i].tag, tag) == 0)
			return true;
	return false;
}

bool
dns_caa_allows(
    const struct dns_caa *caa, const char *ca_domain, bool is_wildcard)
{
	const char *tag =
	    is_wildcard && has_tag(caa, "issuewild") ? "issuewild" : "issue";

	for (size_t i = 0; i < caa->n_records; i++)
		if (caa->records[i].is_critical &&
		    !is_known(caa->records[i].tag))
			return false;
	if (!has_tag(caa, tag))
		return true;
	for (size_t i = 0; i < caa->n_records; i++) {
		size_t len;
		const char *domain = issuer(caa->records[i].value, &len);

		if (strcasecmp(caa->records[i].tag, tag) == 0 && len > 0 &&
		    len == strlen(ca_domain) &&
		    strncasecmp(domain, ca_domain, len) == 0)
			return true;
	}
	return false;
}
