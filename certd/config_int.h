/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CONFIG_INT_H
#define CERTD_CONFIG_INT_H

#include "certd/config.h"

/* Between the files of certd/config.h. */
extern const struct conf_field config_authority_schema[];
extern const struct conf_field config_dns_provider_schema[];

/* What no schema can say of acme, dns and checks; NULL: nothing is wrong. */
const char *config_check_acme(const struct config *config);
/* Is it "host:port"? */
bool config_is_address(const char *text);

#endif
