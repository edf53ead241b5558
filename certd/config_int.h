/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CONFIG_INT_H
#define CERTD_CONFIG_INT_H

#include "certd/config.h"

/* Between the files of certd/config.h. */
extern const struct conf_field config_authority_schema[];
extern const struct conf_field config_dns_provider_schema[];
extern const struct conf_field config_console_schema[];
extern const struct conf_field config_notices_schema[];

/* What no schema can say of acme, dns and checks; NULL: nothing is wrong. */
const char *config_check_acme(const struct config *config);
/* The same of console and notices. */
const char *config_check_console(const struct config *config);
/* Is it "host:port"? */
bool config_is_address(const char *text);
/* Is the host of it this machine's own, by address? */
bool config_is_loopback(const char *address);

#endif
