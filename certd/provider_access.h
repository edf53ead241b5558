/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_PROVIDER_ACCESS_H
#define CERTD_PROVIDER_ACCESS_H

#include <stdbool.h>

#include "certd/config.h"

/*
 * Whose challenges a DNS provider of certd.yaml serves: it changes the DNS with
 * the operator's credentials, so it could validate any name of its zones for
 * whoever asks.  Pure.
 *
 * by_operator: an operator has given the enrollment its host names.
 */
enum provider_access {
	PROVIDER_ACCESS_NONE,
	/* Names whose challenge a CNAME leads into the account's part of the
	 * delegation_zone: who has the name has put it there for that account.
	 */
	PROVIDER_ACCESS_DELEGATED,
	PROVIDER_ACCESS_ALL,
};

enum provider_access provider_access_of(
    const struct config_dns_provider *provider, const char *account,
    bool by_operator);

/* May it put a record there for that account?  target: where the CNAMEs of the
 * challenge's name end; empty: it has none. */
bool provider_access_may(const struct config_dns_provider *provider,
    const char *account, bool by_operator, const char *target);

#endif
