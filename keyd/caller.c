/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who asks.  TLS has verified the certificate when the connection was made;
 * what is left is that the identity in it is one of our domain and that the
 * certificate is still good now, for connections live longer than certificates.
 */

#include "keyd/caller.h"

#include <stdio.h>
#include <string.h>

static struct status
identify(const char *spiffe_id, const char *domain, struct spiffe *ret_id)
{
	struct spiffe id;

	if (failed(spiffe_parse(spiffe_id, &id)))
		return status_fail(STATUS_UNAUTHENTICATED,
		    "the certificate holds no SPIFFE ID that keyd can read");
	if (strcmp(id.domain, domain) != 0)
		return status_fail(STATUS_UNAUTHENTICATED,
		    "the certificate is of another trust domain");
	*ret_id = id;
	return status_ok();
}

void
caller_init(struct caller *caller, const char *spiffe_id, int64_t not_after_s,
    const char *domain)
{
	memset(caller, 0, sizeof(*caller));
	atomic_init(&caller->gone, false);
	atomic_init(&caller->waiting, 0);
	snprintf(caller->text, sizeof(caller->text), "%s", spiffe_id);
	caller->not_after_s = not_after_s;
	caller->known = identify(spiffe_id, domain, &caller->id);
}

STATUS
caller_check(const struct caller *caller, int64_t now_s)
{
	if (failed(caller->known))
		return caller->known;
	if (now_s >= caller->not_after_s)
		return status_fail(STATUS_UNAUTHENTICATED,
		    "the caller's certificate has expired: renew it and "
		    "connect again");
	return status_ok();
}

STATUS
caller_waits(const struct caller *caller, int64_t deadline_ns, int64_t now_ns)
{
	if (atomic_load_explicit(&caller->gone, memory_order_relaxed))
		return status_fail(
		    STATUS_CANCELLED, "the caller has closed its stream");
	if (now_ns >= deadline_ns)
		return status_fail(STATUS_DEADLINE_EXCEEDED,
		    "the request's time ran out while it waited its turn");
	return status_ok();
}
