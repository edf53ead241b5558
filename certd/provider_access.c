/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whose challenges a DNS provider serves.  Refused are other accounts' own
 * enrollments, but for what is delegated to them by name: a CNAME to
 * LABEL.ACCOUNT.ZONE is consent of who has the name, to that account alone.  A
 * target without the account's label would let every account ride on it.
 */

#include "certd/provider_access.h"

#include <string.h>
#include <strings.h>

enum provider_access
provider_access_of(const struct config_dns_provider *provider,
    const char *account, bool by_operator)
{
	const struct conf_strings *accounts = &provider->accounts;

	if (by_operator)
		return PROVIDER_ACCESS_ALL;
	for (size_t i = 0; i < accounts->len && account[0] != 0; i++)
		if (strcmp(accounts->at[i], account) == 0)
			return PROVIDER_ACCESS_ALL;
	return provider->delegation_zone[0] != 0 ? PROVIDER_ACCESS_DELEGATED
						 : PROVIDER_ACCESS_NONE;
}

/* Takes ".suffix" off a name of *len octets; false: it has another end. */
static bool
take_off(const char *name, size_t *len, const char *suffix)
{
	size_t n = strlen(suffix);

	if (n == 0 || *len < n + 1 || name[*len - n - 1] != '.' ||
	    strncasecmp(name + *len - n, suffix, n) != 0)
		return false;
	*len -= n + 1;
	return true;
}

/* LABEL.ACCOUNT.ZONE */
static bool
is_delegated(const struct config_dns_provider *provider, const char *account,
    const char *target)
{
	size_t len = strlen(target);

	return take_off(target, &len, provider->delegation_zone) &&
	       take_off(target, &len, account) && len > 0;
}

bool
provider_access_may(const struct config_dns_provider *provider,
    const char *account, bool by_operator, const char *target)
{
	switch (provider_access_of(provider, account, by_operator)) {
	case PROVIDER_ACCESS_ALL:
		return true;
	case PROVIDER_ACCESS_DELEGATED:
		return is_delegated(provider, account, target);
	case PROVIDER_ACCESS_NONE:
	default:
		return false;
	}
}
