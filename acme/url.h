/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACME_URL_H
#define ACME_URL_H

#include <stdbool.h>

/* The shape of the URLs that a CA gives.  Pure functions of texts. */

/*
 * "https://host[:port]/..." or "http://...", of the characters that a URL has
 * (RFC 3986 2) and without "#" and user information: what curl, keyd and we
 * read in the same way.
 */
bool acme_url_is_fit(const char *url);

/* Both fit, and of one scheme, host and port? */
bool acme_url_same_origin(const char *url, const char *of);

/* For a fit one. */
bool acme_url_is_https(const char *url);
/* "localhost", 127.0.0.0/8 or ::1. */
bool acme_url_is_loopback(const char *url);

#endif
