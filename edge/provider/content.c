/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Names the signing context of bytes that libssl or a tool wants signed.  Looks
 * at shapes only and refuses nothing: content that has none of the shapes is
 * raw, and keyd, which holds the grants, turns that away for a TLS key.
 */

#include "edge/provider/content.h"

#include "base/der.h"

#define TLS13_PAD_LEN 64
#define TLS_RANDOMS_LEN 64
#define NAMED_CURVE 3

/* Attributes of a certification request: [0] IMPLICIT, constructed. */
#define DER_CONTEXT_0 ((enum der_tag)0xa0)

/* The label with its terminating zero, which RFC 8446 4.4.3 puts there too. */
static bool
has_tls13_label(struct bytes content, const char *label)
{
	struct bytes pad, name;

	if (!bytes_take(&content, TLS13_PAD_LEN, &pad) ||
	    !bytes_take(&content, strlen(label) + 1, &name))
		return false;
	for (size_t i = 0; i < pad.len; i++) {
		if (pad.at[i] != ' ')
			return false;
	}
	return memcmp(name.at, label, name.len) == 0;
}

/* Octets of a key share on a named group (RFC 8422 5.1.1); 0: not one. */
static size_t
point_len(unsigned group)
{
	switch (group) {
	case 23: /* secp256r1 */
		return 65;
	case 24: /* secp384r1 */
		return 97;
	case 25: /* secp521r1 */
		return 133;
	case 29: /* x25519 */
		return 32;
	case 30: /* x448 */
		return 56;
	default:
		return 0;
	}
}

static bool
is_tls12_ecdhe(struct bytes content)
{
	struct bytes randoms, head;
	size_t len;

	if (!bytes_take(&content, TLS_RANDOMS_LEN, &randoms) ||
	    !bytes_take(&content, 4, &head) || head.at[0] != NAMED_CURVE)
		return false;
	len = point_len((unsigned)head.at[1] << 8 | head.at[2]);
	return len != 0 && head.at[3] == len && content.len == len;
}

static bool
is_request_info(struct bytes content)
{
	struct bytes info, version, subject, spki, attributes;

	return der_take(&content, DER_SEQUENCE, &info) && content.len == 0 &&
	       der_take(&info, DER_INTEGER, &version) && version.len == 1 &&
	       version.at[0] == 0 && der_take(&info, DER_SEQUENCE, &subject) &&
	       der_take(&info, DER_SEQUENCE, &spki) &&
	       der_take(&info, DER_CONTEXT_0, &attributes) && info.len == 0;
}

enum sign_context
content_context(struct bytes content)
{
	if (has_tls13_label(content, "TLS 1.3, server CertificateVerify"))
		return CONTEXT_TLS13_SERVER;
	if (has_tls13_label(content, "TLS 1.3, client CertificateVerify"))
		return CONTEXT_TLS13_CLIENT;
	if (is_tls12_ecdhe(content))
		return CONTEXT_TLS12_SERVER_ECDHE;
	if (is_request_info(content))
		return CONTEXT_CSR;
	return CONTEXT_RAW;
}
