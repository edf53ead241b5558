/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_LIMITER_DOMAIN_H
#define CERTD_LIMITER_DOMAIN_H

#include "pki/hostname.h"

/*
 * The registered domain of a host name by the Public Suffix List, as CAs count:
 * "example.co.uk" of "*.www.example.co.uk".  A name that is a public suffix
 * itself stands for itself.
 */
void limiter_domain_of(const char *name, char ret_domain[HOSTNAME_MAX]);

/* Read the system's list now, while files can be read; the one that libpsl was
 * built with stands in.  Once, before threads; the others do without. */
void limiter_domain_preload(void);

#endif
