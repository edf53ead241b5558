/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What certd has keyd sign: certificate requests, and requests to CAs.  By a
 * stream that all threads share, or by a call of its own where that does not
 * answer.  Keys that certd had made are born with the right; to others, of an
 * older certd or imported, it grants itself the right when keyd says that it
 * has none.
 */

#include <string.h>

#include "base/clock.h"
#include "certd/custody_int.h"
#include "proto/holdfast/keyd/v1/signer.pb-c.h"
#include "proto/message.h"

#define KEYS (&holdfast__keyd__v1__keys__descriptor)
#define SIGNER (&holdfast__keyd__v1__signer__descriptor)

/* As both are signed with a key of each algorithm: the curve's own hash, and
 * for RSA the padding that every CA reads (RFC 7518 3.1). */
static enum sign_scheme
scheme_of(enum key_alg alg)
{
	switch (alg) {
	case KEY_ALG_EC_P256:
		return SCHEME_ECDSA_SECP256R1_SHA256;
	case KEY_ALG_EC_P384:
		return SCHEME_ECDSA_SECP384R1_SHA384;
	case KEY_ALG_ED25519:
		return SCHEME_ED25519;
	case KEY_ALG_RSA_2048:
	case KEY_ALG_RSA_3072:
	case KEY_ALG_RSA_4096:
	case KEY_ALG_NONE:
	default:
		return SCHEME_RSA_PKCS1_SHA256;
	}
}

/* By a call of its own: dear, but any endpoint may answer it. */
static struct status
sign_unary(struct custody *custody, const struct custody_signing *signing,
    unsigned timeout_ms, struct signature *ret_signature, char *ret_why)
{
	Holdfast__Keyd__V1__SignRequest request;
	const struct custody_ask ask = { SIGNER, "Sign", &request.base,
		timeout_ms };
	scoped(message_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Keyd__V1__SignResponse *response;
	struct status st;

	holdfast__keyd__v1__sign_request__init(&request);
	request.key_id =
	    custody_data_of((struct bytes){ signing->id->at, KEY_ID_LEN });
	request.scheme = signing->scheme;
	request.context = (Holdfast__Keyd__V1__Context)signing->context;
	request.content = custody_data_of(signing->content);
	request.timeout_ms = timeout_ms;
	st = custody_call(custody, &ask, &reply, NULL, ret_why);
	if (failed(st))
		return st;
	response = (const Holdfast__Keyd__V1__SignResponse *)reply;
	if (response->signature.len == 0 ||
	    response->signature.len > SIGNATURE_MAX)
		return custody_explain(ret_why,
		    status_fail(
			STATUS_DATA_LOSS, "keyd's answer makes no sense"),
		    "keyd answered with something that is no signature");
	ret_signature->len = response->signature.len;
	memcpy(ret_signature->at, response->signature.data, ret_signature->len);
	return st;
}

/* By the stream; for half of the time, if it must be. */
static struct status
sign(struct custody *custody, const struct custody_signing *signing,
    struct signature *ret_signature, char *ret_why)
{
	const int64_t begun_ns = clock_mono_ns();
	const int64_t most_ns = custody->timeout_ms * NS_PER_MS;
	int64_t left_ms;
	struct status st;

	if (custody_stream_sign(custody->stream, signing,
		begun_ns + most_ns / 2, ret_signature, &st, ret_why))
		return st;
	left_ms = (begun_ns + most_ns - clock_mono_ns()) / NS_PER_MS;
	return sign_unary(custody, signing, left_ms > 1 ? (unsigned)left_ms : 1,
	    ret_signature, ret_why);
}

/* certd's own right to have such things signed with a key that it had made. */
static struct status
grant_itself(struct custody *custody, const struct custody_signing *signing,
    char *ret_why)
{
	Holdfast__Keyd__V1__GrantRequest request;
	Holdfast__Keyd__V1__Context contexts[] = { (
	    Holdfast__Keyd__V1__Context)signing->context };
	const struct custody_ask ask = { KEYS, "Grant", &request.base, 0 };
	scoped(message_free) ProtobufCMessage *reply = NULL;

	holdfast__keyd__v1__grant_request__init(&request);
	request.key_id =
	    custody_data_of((struct bytes){ signing->id->at, KEY_ID_LEN });
	request.identity = custody->self;
	request.contexts = contexts;
	request.n_contexts = 1;
	return custody_call(custody, &ask, &reply, NULL, ret_why);
}

static struct status
sign_granted(struct custody *custody, const struct custody_signing *signing,
    struct signature *ret_signature, char *ret_why)
{
	struct status st = sign(custody, signing, ret_signature, ret_why);

	if (st.code != STATUS_PERMISSION_DENIED)
		return st;
	st = grant_itself(custody, signing, ret_why);
	return failed(st) ? st : sign(custody, signing, ret_signature, ret_why);
}

STATUS
custody_sign_csr(struct custody *custody, const struct key_id *id,
    enum key_alg alg, struct bytes info, struct signature *ret_signature,
    char *ret_why)
{
	const struct custody_signing signing = { id, (uint32_t)scheme_of(alg),
		CONTEXT_CSR, info };

	return sign_granted(custody, &signing, ret_signature, ret_why);
}

STATUS
custody_sign_jws(struct custody *custody, const struct key_id *id,
    enum key_alg alg, struct bytes input, struct signature *ret_signature,
    char *ret_why)
{
	const struct custody_signing signing = { id, (uint32_t)scheme_of(alg),
		CONTEXT_ACME_JWS, input };

	return sign_granted(custody, &signing, ret_signature, ret_why);
}
