/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_PROVIDER_REASON_H
#define EDGE_PROVIDER_REASON_H

#include <openssl/core.h>

/*
 * Why something failed, in OpenSSL's error queue and so in the web server's
 * log.  A web server may log whatever is left in the queue of a thread, so only
 * what ends in a failure seen by people is raised.
 */
enum reason {
	REASON_NONE = 0,
	REASON_CONFIG,
	REASON_INTERNAL,
	REASON_STUB,
	REASON_URI,
	REASON_NO_PRIVATE_KEY,
	REASON_DIGEST_ONLY,
	REASON_NO_SCHEME,
	REASON_CONTENT_TOO_LONG,
	REASON_BUFFER_TOO_SMALL,
	REASON_EDGED_UNREACHABLE,
	REASON_EDGED_CLOSED,
	REASON_EDGED_SILENT,
	REASON_EDGED_GARBAGE,
	REASON_BREAKER_OPEN,
	REASON_REFUSED,
	REASON_KEYD_UNAVAILABLE,
};

struct prov;

/* reason_raise(prov, REASON_STUB, "%s", why): the text follows the reason. */
#define reason_raise(prov, ...)                                                \
	reason_raise_at((prov), __FILE_NAME__, __LINE__, __func__, __VA_ARGS__)

__attribute__((format(printf, 6, 7))) void reason_raise_at(
    const struct prov *prov, const char *file, int line, const char *func,
    enum reason reason, const char *format, ...);

/* What OSSL_FUNC_PROVIDER_GET_REASON_STRINGS returns. */
const OSSL_ITEM *reason_strings(void *provctx);

#endif
