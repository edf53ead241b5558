/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where a certificate can be asked about, and OCSP.  The answer's signer is the
 * issuer itself or one that the issuer certified for this (RFC 6960 4.2.2.2):
 * the issuer is the only anchor, so nobody else's word counts.  A request has
 * no nonce; instead an answer is to be fresh, as RFC 5019 has it.  Refused:
 * answers of another time, about another certificate, of another signer.
 */

#include "pki/revocation.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pki/revocation_int.h"

/* How old one may be that does not say until when it holds. */
#define AGE_MAX_S 86400

#define RELEASE(type)                                                          \
	static inline void scoped_##type(type **at)                            \
	{                                                                      \
		type##_free(*at);                                              \
	}                                                                      \
	_Static_assert(1, "")
RELEASE(OCSP_BASICRESP);
RELEASE(OCSP_CERTID);
RELEASE(OCSP_REQUEST);
RELEASE(OCSP_RESPONSE);
RELEASE(X509_STORE);

STATUS
revocation_is_none(char *ret_why, const char *why)
{
	ERR_clear_error();
	snprintf(ret_why, REVOCATION_WHY_MAX, "%s", why);
	return status_fail(
	    STATUS_INVALID_ARGUMENT, "this says nothing of revocations");
}

STATUS
revocation_is_unfit(char *ret_why, const char *why)
{
	ERR_clear_error();
	snprintf(ret_why, REVOCATION_WHY_MAX, "%s", why);
	return status_fail(STATUS_FAILED_PRECONDITION,
	    "what is said of revocations does not count");
}

static struct status
no_memory(void)
{
	ERR_clear_error();
	return status_fail(
	    STATUS_RESOURCE_EXHAUSTED, "there is not enough memory");
}

const char *
revocation_reason(int reason)
{
	static const char *const words[] = { "unspecified", "keyCompromise",
		"cACompromise", "affiliationChanged", "superseded",
		"cessationOfOperation", "certificateHold", NULL,
		"removeFromCRL", "privilegeWithdrawn", "aACompromise" };

	if (reason < 0 || (size_t)reason >= sizeof(words) / sizeof(words[0]) ||
	    words[reason] == NULL)
		return "an unknown reason";
	return words[reason];
}

STATUS
revocation_is_fresh(
    int64_t updated_s, int64_t next_s, int64_t now_s, char *ret_why)
{
	if (updated_s > now_s + REVOCATION_SKEW_S)
		return revocation_is_unfit(
		    ret_why, "it is of a time that is yet to come");
	if (next_s == 0 && updated_s < now_s - AGE_MAX_S)
		return revocation_is_unfit(ret_why,
		    "it is older than a day, and does not say until when it "
		    "holds");
	if (next_s != 0 && next_s < now_s - REVOCATION_SKEW_S)
		return revocation_is_unfit(
		    ret_why, "it has been out of date for a while");
	return status_ok();
}

/* ---- places ---- */

bool
revocation_url(const GENERAL_NAME *name, char ret_url[REVOCATION_URL_MAX])
{
	static const char *const schemes[] = { "http://", "https://" };
	const ASN1_STRING *text;
	struct bytes url;

	if (name->type != GEN_URI)
		return false;
	text = name->d.uniformResourceIdentifier;
	url = (struct bytes){ ASN1_STRING_get0_data(text),
		(size_t)ASN1_STRING_length(text) };
	for (size_t i = 0; i < 2; i++) {
		const size_t len = strlen(schemes[i]);
		bool has_path;

		if (url.len <= len || url.len + 2 > REVOCATION_URL_MAX ||
		    memchr(url.at, 0, url.len) != NULL ||
		    strncasecmp((const char *)url.at, schemes[i], len) != 0)
			continue;
		has_path = memchr(url.at + len, '/', url.len - len) != NULL;
		snprintf(ret_url, REVOCATION_URL_MAX, "%s%.*s%s", schemes[i],
		    (int)(url.len - len), (const char *)url.at + len,
		    has_path ? "" : "/");
		return true;
	}
	return false;
}

static void
add(char urls[REVOCATION_URLS_MAX][REVOCATION_URL_MAX], size_t *n,
    const GENERAL_NAME *name)
{
	if (*n < REVOCATION_URLS_MAX && revocation_url(name, urls[*n]))
		(*n)++;
}

static void
read_crls(const struct pki_cert *cert, struct revocation_places *places)
{
	CRL_DIST_POINTS *points = X509_get_ext_d2i(
	    revocation_x509(cert), NID_crl_distribution_points, NULL, NULL);

	for (int i = 0; i < sk_DIST_POINT_num(points); i++) {
		const DIST_POINT *point = sk_DIST_POINT_value(points, i);
		const GENERAL_NAMES *names;

		if (point->distpoint == NULL || point->distpoint->type != 0 ||
		    point->reasons != NULL || point->CRLissuer != NULL)
			continue;
		names = point->distpoint->name.fullname;
		for (int j = 0; j < sk_GENERAL_NAME_num(names); j++)
			add(places->crls, &places->n_crls,
			    sk_GENERAL_NAME_value(names, j));
	}
	CRL_DIST_POINTS_free(points);
}

static void
read_ocsps(const struct pki_cert *cert, struct revocation_places *places)
{
	AUTHORITY_INFO_ACCESS *all = X509_get_ext_d2i(
	    revocation_x509(cert), NID_info_access, NULL, NULL);

	for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(all); i++) {
		const ACCESS_DESCRIPTION *one =
		    sk_ACCESS_DESCRIPTION_value(all, i);

		if (OBJ_obj2nid(one->method) == NID_ad_OCSP)
			add(places->ocsps, &places->n_ocsps, one->location);
	}
	AUTHORITY_INFO_ACCESS_free(all);
}

void
revocation_places(
    const struct pki_cert *cert, struct revocation_places *ret_places)
{
	memset(ret_places, 0, sizeof(*ret_places));
	read_crls(cert, ret_places);
	read_ocsps(cert, ret_places);
	ERR_clear_error();
}

/* ---- asking ---- */

/* By SHA-1, which names here and proves nothing: all responders know it. */
static OCSP_CERTID *
id_of(const struct pki_cert *cert, const struct pki_cert *issuer)
{
	return OCSP_cert_to_id(
	    EVP_sha1(), revocation_x509(cert), revocation_x509(issuer));
}

STATUS
revocation_ask(const struct pki_cert *cert, const struct pki_cert *issuer,
    uint8_t **ret_der, size_t *ret_len)
{
	scoped(OCSP_REQUEST) OCSP_REQUEST *request = OCSP_REQUEST_new();
	scoped(OCSP_CERTID) OCSP_CERTID *id = id_of(cert, issuer);
	uint8_t *der, *end;
	int len;

	if (request == NULL || id == NULL ||
	    OCSP_request_add0_id(request, id) == NULL)
		return no_memory();
	id = NULL;
	len = i2d_OCSP_REQUEST(request, NULL);
	der = len > 0 ? malloc((size_t)len) : NULL;
	if (der == NULL)
		return no_memory();
	end = der;
	(void)i2d_OCSP_REQUEST(request, &end);
	*ret_der = der;
	*ret_len = (size_t)len;
	return status_ok();
}

/* ---- answers ---- */

/* With the issuer as the only anchor, at that time. */
static bool
is_signed(OCSP_BASICRESP *answer, const struct pki_cert *issuer, int64_t now_s)
{
	scoped(X509_STORE) X509_STORE *anchors = X509_STORE_new();
	STACK_OF(X509) *others = sk_X509_new_null();
	X509 *x509 = revocation_x509(issuer);
	bool is = false;

	if (anchors != NULL && others != NULL &&
	    X509_STORE_add_cert(anchors, x509) == 1 &&
	    sk_X509_push(others, x509) > 0) {
		X509_VERIFY_PARAM_set_time(
		    X509_STORE_get0_param(anchors), (time_t)now_s);
		X509_STORE_set_flags(anchors, X509_V_FLAG_PARTIAL_CHAIN);
		is = OCSP_basic_verify(
			 answer, others, anchors, OCSP_NOEXPLICIT) == 1;
	}
	sk_X509_free(others);
	ERR_clear_error();
	return is;
}

static struct status
read_answer(struct bytes der, OCSP_BASICRESP **ret_answer, char *ret_why)
{
	const unsigned char *at = der.at;
	scoped(OCSP_RESPONSE) OCSP_RESPONSE *response = NULL;
	int status;

	if (der.len == 0 || der.len > REVOCATION_OCSP_MAX)
		return revocation_is_none(
		    ret_why, "an OCSP answer has 1 to 65536 octets");
	response = d2i_OCSP_RESPONSE(NULL, &at, (long)der.len);
	if (response == NULL || at != der.at + der.len)
		return revocation_is_none(ret_why, "this is no OCSP answer");
	status = OCSP_response_status(response);
	if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
		ERR_clear_error();
		snprintf(ret_why, REVOCATION_WHY_MAX,
		    "the responder answers: %s",
		    OCSP_response_status_str(status));
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "the responder does not answer");
	}
	*ret_answer = OCSP_response_get1_basic(response);
	return *ret_answer == NULL
		   ? revocation_is_none(
			 ret_why, "its answer is of a kind that is not known")
		   : status_ok();
}

static struct status
read_status(OCSP_BASICRESP *answer, const struct pki_cert *cert,
    const struct pki_cert *issuer, struct revocation_answer *to, char *ret_why)
{
	scoped(OCSP_CERTID) OCSP_CERTID *id = id_of(cert, issuer);
	ASN1_GENERALIZEDTIME *revoked = NULL, *updated = NULL, *next = NULL;
	int status = V_OCSP_CERTSTATUS_UNKNOWN, reason = -1;

	if (id == NULL)
		return revocation_is_unfit(
		    ret_why, "there is not enough memory");
	if (OCSP_resp_find_status(
		answer, id, &status, &reason, &revoked, &updated, &next) != 1)
		return revocation_is_unfit(
		    ret_why, "the answer is about another certificate");
	if (!cert_read_time(updated, &to->updated_s) ||
	    (next != NULL && !cert_read_time(next, &to->next_s)) ||
	    (revoked != NULL && !cert_read_time(revoked, &to->revoked_s)))
		return revocation_is_none(
		    ret_why, "the times of the answer are malformed");
	if (status == V_OCSP_CERTSTATUS_UNKNOWN)
		return revocation_is_unfit(
		    ret_why, "the responder does not know the certificate");
	to->is_revoked = status == V_OCSP_CERTSTATUS_REVOKED;
	to->reason = reason > 0 ? reason : 0;
	return status_ok();
}

STATUS
revocation_answered(struct bytes der, const struct pki_cert *cert,
    const struct pki_cert *issuer, int64_t now_s,
    struct revocation_answer *ret_answer, char *ret_why)
{
	scoped(OCSP_BASICRESP) OCSP_BASICRESP *answer = NULL;
	struct revocation_answer said = { .is_revoked = false };
	struct status st = read_answer(der, &answer, ret_why);

	if (!failed(st) && !is_signed(answer, issuer, now_s))
		st = revocation_is_unfit(ret_why,
		    "the answer is signed by nobody whom the certificate's "
		    "issuer lets do that");
	if (!failed(st))
		st = read_status(answer, cert, issuer, &said, ret_why);
	if (!failed(st))
		st = revocation_is_fresh(
		    said.updated_s, said.next_s, now_s, ret_why);
	if (!failed(st))
		*ret_answer = said;
	ERR_clear_error();
	return st;
}
