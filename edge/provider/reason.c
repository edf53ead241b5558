/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The provider's reasons and how they reach OpenSSL's error queue.  A server's
 * log shows "holdfast::<reason>:<text>"; the reason says what failed, the text
 * what with or why.  Nothing secret is ever put here: the provider has none.
 */

#include "edge/provider/reason.h"

#include <stdarg.h>

#include "edge/provider/prov.h"

/* NOLINTNEXTLINE: OpenSSL's type for it has no const */
static const OSSL_ITEM strings[] = {
#define ROW(reason, text)                                                      \
	{                                                                      \
		(reason), (void *)(uintptr_t)(text)                            \
	}
	ROW(REASON_CONFIG, "bad setting in openssl.cnf"),
	ROW(REASON_INTERNAL, "out of memory, or OpenSSL failed"),
	ROW(REASON_STUB, "the key stub is not usable"),
	ROW(REASON_URI, "the holdfast: key cannot be opened"),
	ROW(REASON_NO_PRIVATE_KEY, "this is a public key only"),
	ROW(REASON_DIGEST_ONLY,
	    "holdfast signs whole content, never a bare digest"),
	ROW(REASON_NO_SCHEME, "no TLS signature scheme for this"),
	ROW(REASON_CONTENT_TOO_LONG, "too much content for one signature"),
	ROW(REASON_BUFFER_TOO_SMALL, "the signature does not fit the buffer"),
	ROW(REASON_EDGED_UNREACHABLE, "edged is not reachable"),
	ROW(REASON_EDGED_CLOSED, "edged closed the connection"),
	ROW(REASON_EDGED_SILENT, "edged did not answer in time"),
	ROW(REASON_EDGED_GARBAGE, "edged answered with garbage"),
	ROW(REASON_BREAKER_OPEN,
	    "edged did not answer lately, not asked again yet"),
	ROW(REASON_REFUSED, "keyd refused"),
	ROW(REASON_KEYD_UNAVAILABLE, "keyd gave no signature"),
	{ 0, NULL },
#undef ROW
};

void
reason_raise_at(const struct prov *prov, const char *file, int line,
    const char *func, enum reason reason, const char *format, ...)
{
	va_list args;

	if (prov->new_error == NULL || prov->vset_error == NULL)
		return;
	prov->new_error(prov->core);
	if (prov->set_error_debug != NULL)
		prov->set_error_debug(prov->core, file, line, func);
	va_start(args, format);
	prov->vset_error(prov->core, (uint32_t)reason, format, args);
	va_end(args);
}

const OSSL_ITEM *
reason_strings(void *provctx)
{
	(void)provctx;
	return strings;
}
