/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key stub's two forms: DER, and that DER as PEM.  Both are read as foreign
 * bytes, without allocating: one way to write each stub, nothing trailing
 * inside, and a key id that is the hash of the key beside it, so a stub whose
 * halves were mixed from two keys is refused here and not at the first
 * handshake.  Lines may end as any editor likes.
 */
#include "base/stub.h"

#include <stdio.h>

#include "base/base64.h"
#include "base/der.h"

#define PEM_BEGIN "-----BEGIN " STUB_PEM_LABEL "-----"
#define PEM_END "-----END " STUB_PEM_LABEL "-----"
#define PEM_LINE 64

static STATUS
bad(const char *why)
{
	return status_fail(STATUS_INVALID_ARGUMENT, why);
}

STATUS
stub_decode_der(struct bytes der, struct stub *ret_stub)
{
	struct bytes body, format, id;
	struct key_id want;
	struct stub stub;

	if (!der_take(&der, DER_SEQUENCE, &body) || der.len != 0)
		return bad("the key stub is cut short or has something behind"
			   " it; fetch it again");
	if (!der_take(&body, DER_UTF8_STRING, &format))
		return bad(
		    "this is not a key stub: its format name is missing");
	if (!bytes_equal(format, bytes_of(STUB_FORMAT)))
		return bad("the key stub is of a format this version does not"
			   " know; upgrade, or fetch the stub again");
	if (!der_take(&body, DER_OCTET_STRING, &id) || id.len != KEY_ID_LEN)
		return bad("the key stub has no key id of 32 octets");
	if (body.len > STUB_SPKI_MAX)
		return bad("the key stub's public key is too large");
	stub.spki = body;
	stub.alg = key_alg_of_spki(body);
	if (stub.alg == KEY_ALG_NONE)
		return bad("the key stub's public key is damaged or of a kind"
			   " that is not supported");
	if (!key_id_of_spki(body, &want))
		return status_fail(STATUS_INTERNAL, "libcrypto cannot hash");
	memcpy(stub.key_id.at, id.at, KEY_ID_LEN);
	if (!key_id_equal(&stub.key_id, &want))
		return bad("the key stub's key id is not the hash of its public"
			   " key; fetch it again");
	*ret_stub = stub;
	return status_ok();
}

STATUS
stub_encode_der(struct bytes spki, uint8_t *ret_der, size_t *ret_len)
{
	const size_t format_len = sizeof(STUB_FORMAT) - 1;
	const size_t body_len = 2 + format_len + 2 + KEY_ID_LEN + spki.len;
	struct key_id id;
	uint8_t *at = ret_der;

	if (spki.len > STUB_SPKI_MAX || key_alg_of_spki(spki) == KEY_ALG_NONE)
		return bad("a key stub can hold EC P-256 and P-384, RSA 2048,"
			   " 3072 and 4096, and Ed25519 keys only");
	if (!key_id_of_spki(spki, &id))
		return status_fail(STATUS_INTERNAL, "libcrypto cannot hash");
	*at++ = DER_SEQUENCE;
	if (body_len > 0xff) {
		*at++ = 0x82;
		*at++ = (uint8_t)(body_len >> 8);
	} else if (body_len >= 0x80) {
		*at++ = 0x81;
	}
	*at++ = (uint8_t)body_len;
	*at++ = DER_UTF8_STRING;
	*at++ = (uint8_t)format_len;
	memcpy(at, STUB_FORMAT, format_len);
	at += format_len;
	*at++ = DER_OCTET_STRING;
	*at++ = KEY_ID_LEN;
	memcpy(at, id.at, KEY_ID_LEN);
	at += KEY_ID_LEN;
	memcpy(at, spki.at, spki.len);
	*ret_len = (size_t)(at - ret_der) + spki.len;
	return status_ok();
}

/* The text in lines of PEM_LINE; returns the end of what was written. */
static char *
fold(const char *text, size_t len, char *to)
{
	while (len > 0) {
		const size_t n = len < PEM_LINE ? len : PEM_LINE;

		memcpy(to, text, n);
		to += n;
		*to++ = '\n';
		text += n;
		len -= n;
	}
	return to;
}

STATUS
stub_encode_pem(struct bytes spki, char *ret_pem)
{
	uint8_t der[STUB_DER_MAX];
	char text[BASE64_MAX(STUB_DER_MAX)];
	size_t der_len;
	struct status st = stub_encode_der(spki, der, &der_len);
	char *at = ret_pem;

	if (failed(st))
		return st;
	_Static_assert(sizeof(PEM_BEGIN) + sizeof(PEM_END) + 2 +
			       (STUB_DER_MAX + 2) / 3 * 4 + STUB_DER_MAX / 48 +
			       1 <=
			   STUB_PEM_MAX,
	    "the largest stub fits");
	memcpy(at, PEM_BEGIN "\n", sizeof(PEM_BEGIN));
	at += sizeof(PEM_BEGIN);
	at =
	    fold(text, base64_encode((struct bytes){ der, der_len }, text), at);
	memcpy(at, PEM_END "\n", sizeof(PEM_END) + 1);
	return status_ok();
}

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Strict but for blanks. */
static STATUS
decode_body(struct bytes body, uint8_t *ret_at, size_t *ret_len)
{
	uint8_t text[BASE64_MAX(STUB_DER_MAX)];
	size_t len = 0;

	for (size_t i = 0; i < body.len; i++) {
		if (is_blank(body.at[i]))
			continue;
		if (len == sizeof(text))
			return bad("the key stub is too large");
		text[len++] = body.at[i];
	}
	if (!base64_decode(
		(struct bytes){ text, len }, ret_at, STUB_DER_MAX, ret_len))
		return bad("the key stub's base64 has a character that does not"
			   " belong there, or ends in the middle");
	if (*ret_len > STUB_DER_MAX)
		return bad("the key stub is too large");
	return status_ok();
}

/*
 * Find a line that is mark and blanks; split text at it into what stands
 * before the line and what stands behind the mark.
 */
static bool
split_at_line(struct bytes text, const char *mark, struct bytes *ret_before,
    struct bytes *ret_after)
{
	const size_t mark_len = strlen(mark);
	const uint8_t *from = text.at;
	const uint8_t *end = text.at + text.len;

	while (from < end) {
		const uint8_t *at =
		    memmem(from, (size_t)(end - from), mark, mark_len);
		const uint8_t *behind;

		if (at == NULL)
			return false;
		behind = at + mark_len;
		if ((at == text.at || at[-1] == '\n') &&
		    (behind == end || is_blank(*behind))) {
			*ret_before =
			    (struct bytes){ text.at, (size_t)(at - text.at) };
			*ret_after =
			    (struct bytes){ behind, (size_t)(end - behind) };
			return true;
		}
		from = behind;
	}
	return false;
}

STATUS
stub_decode_pem(struct bytes pem, uint8_t *der_buffer, struct stub *ret_stub)
{
	struct bytes before, body, after;
	struct status st;
	size_t len = 0;

	if (!split_at_line(pem, PEM_BEGIN, &before, &body))
		return bad("there is no \"" PEM_BEGIN "\" line");
	if (!split_at_line(body, PEM_END, &body, &after))
		return bad("there is no \"" PEM_END "\" line; the key stub is"
			   " cut short, fetch it again");
	st = decode_body(body, der_buffer, &len);
	if (failed(st))
		return st;
	return stub_decode_der((struct bytes){ der_buffer, len }, ret_stub);
}
