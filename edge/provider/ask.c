/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One signature from outside: name the context, ask edged, check the shape of
 * what comes back, and say in OpenSSL's error queue what went wrong if it did.
 * The signature itself is not verified here; the peer of the handshake does.
 */

#include "edge/provider/ask.h"

#include <string.h>

#include <openssl/evp.h>

#include "edge/provider/content.h"
#include "edge/provider/reason.h"
#include "edge/provider/transport.h"

static void
raise_trouble(const struct prov *prov, struct status st)
{
	const char *what = NULL;

	switch (st.code) {
	case STATUS_UNAVAILABLE:
		what = strerrordesc_np((int)st.detail);
		reason_raise(prov, REASON_EDGED_UNREACHABLE, "at %s: %s",
		    prov->sockets, what != NULL ? what : "unknown error");
		break;
	case STATUS_ABORTED:
		reason_raise(prov, REASON_EDGED_CLOSED, "at %s", prov->sockets);
		break;
	case STATUS_DEADLINE_EXCEEDED:
		reason_raise(prov, REASON_EDGED_SILENT, "at %s", prov->sockets);
		break;
	case STATUS_CANCELLED:
		reason_raise(prov, REASON_BREAKER_OPEN, "at %s", prov->sockets);
		break;
	default:
		reason_raise(
		    prov, REASON_EDGED_GARBAGE, "at %s", prov->sockets);
		break;
	}
}

/* Refusals are keyd's judgement; the rest is trouble on the way to it. */
static void
raise_refusal(const struct prov *prov, const struct reply *reply)
{
	char text[REPLY_TEXT_MAX];
	enum reason reason = REASON_REFUSED;

	if (reply->code == STATUS_UNAVAILABLE ||
	    reply->code == STATUS_DEADLINE_EXCEEDED ||
	    reply->code == STATUS_CANCELLED)
		reason = REASON_KEYD_UNAVAILABLE;
	reply_text(reply, text);
	reason_raise(prov, reason, "%s: %s",
	    status_name((enum status_code)reply->code), text);
}

bool
ask_signature(const struct key *key, enum sign_scheme scheme,
    struct bytes content, struct signature *ret_signature)
{
	const struct prov *prov = key->prov;
	const size_t size = (size_t)EVP_PKEY_get_size(key->pub);
	struct reply reply;
	struct status st;

	if (content.len < 1 || content.len > SIGN_CONTENT_MAX) {
		reason_raise(prov, REASON_CONTENT_TOO_LONG,
		    "it has %zu octets and must have 1 to %d", content.len,
		    SIGN_CONTENT_MAX);
		return false;
	}
	st = transport_sign(prov->transport, &key->id, scheme,
	    content_context(content), content, &reply);
	if (failed(st)) {
		raise_trouble(prov, st);
		return false;
	}
	if (reply.code != STATUS_OK) {
		raise_refusal(prov, &reply);
		return false;
	}
	if (!reply_signature_fits(
		scheme, size, (struct bytes){ reply.at, reply.len })) {
		reason_raise(prov, REASON_EDGED_GARBAGE,
		    "%zu octets that are no signature by this key", reply.len);
		return false;
	}
	ret_signature->len = reply.len;
	memcpy(ret_signature->at, reply.at, reply.len);
	return true;
}
