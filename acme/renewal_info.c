/* SPDX-License-Identifier: Apache-2.0 */

/*
 * When a CA wants a certificate renewed (RFC 9773).  Asked for without an
 * account.  Refuses windows that end before they begin.
 */

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "acme/call.h"
#include "acme/client_int.h"
#include "acme/jws.h"
#include "acme/problem_int.h"
#include "base/der.h"

#define RETRY_LEAST_S 60
#define RETRY_MOST_S 86400
#define RETRY_UNSAID_S 21600
#define PART_MAX 64 /* octets of a key identifier, of a serial number */

/* ---- CertID (4.1) ---- */

static struct status
print_id(const ASN1_OCTET_STRING *key_id, struct bytes serial, char *ret_id)
{
	char first[ACME_BASE64URL_MAX(PART_MAX)];
	char second[ACME_BASE64URL_MAX(PART_MAX)];
	struct bytes key;

	if (key_id == NULL || ASN1_STRING_length(key_id) == 0)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the certificate has no authority key identifier");
	key = (struct bytes){ ASN1_STRING_get0_data(key_id),
		(size_t)ASN1_STRING_length(key_id) };
	if (key.len > PART_MAX || serial.len > PART_MAX ||
	    acme_jws_base64url(key, first) + 1 +
		    acme_jws_base64url(serial, second) >=
		ACME_CERT_ID_MAX)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the certificate's authority key identifier or serial "
		    "number is too long");
	snprintf(ret_id, ACME_CERT_ID_MAX, "%s.%s", first, second);
	return status_ok();
}

STATUS
acme_cert_id(struct bytes cert_der, char ret_id[ACME_CERT_ID_MAX])
{
	const unsigned char *at = cert_der.at;
	X509 *x509 = d2i_X509(NULL, &at, (long)cert_der.len);
	unsigned char *integer = NULL;
	struct bytes rest, serial;
	struct status st;
	int len;

	if (x509 == NULL) {
		ERR_clear_error();
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "this is no certificate");
	}
	/* The content octets: a zero that keeps it positive stays. */
	len = i2d_ASN1_INTEGER(X509_get0_serialNumber(x509), &integer);
	rest = (struct bytes){ integer, len > 0 ? (size_t)len : 0 };
	if (der_take(&rest, DER_INTEGER, &serial))
		st = print_id(X509_get0_authority_key_id(x509), serial, ret_id);
	else
		st = status_fail(STATUS_INVALID_ARGUMENT,
		    "the certificate's serial number cannot be read");
	OPENSSL_free(integer);
	X509_free(x509);
	ERR_clear_error();
	return st;
}

/* ---- asking ---- */

static int64_t
retry_after_s(int64_t said_ms)
{
	const int64_t s = said_ms < 0 ? RETRY_UNSAID_S : said_ms / 1000;

	/* 4.3.2 */
	return s < RETRY_LEAST_S  ? RETRY_LEAST_S
	       : s > RETRY_MOST_S ? RETRY_MOST_S
				  : s;
}

STATUS
acme_renewal_info(struct acme *acme, const char *cert_id,
    struct acme_renewal_info *ret_info, struct acme_problem *ret_problem)
{
	scoped(acme_reply) struct acme_http_reply reply = { .body = NULL };
	char base[ACME_URL_MAX], url[ACME_URL_MAX + ACME_CERT_ID_MAX];
	char why[ACME_JSON_WHY_MAX];
	struct status st =
	    acme_client_url(acme, ACME_RENEWAL_INFO, base, ret_problem);

	if (failed(st))
		return st;
	snprintf(url, sizeof(url), "%s%s%s", base,
	    base[strlen(base) - 1] == '/' ? "" : "/", cert_id);
	st = acme_call_get(acme, "renewalInfo", url, &reply, ret_problem);
	if (failed(st))
		return st;
	st = acme_objects_renewal_info(acme_call_body(&reply), ret_info, why);
	if (failed(st))
		return acme_call_not_acme(
		    ret_problem, "renewalInfo", reply.status, why);
	ret_info->retry_after_s = retry_after_s(reply.retry_after_ms);
	return st;
}
