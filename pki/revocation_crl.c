/* SPDX-License-Identifier: Apache-2.0 */

/*
 * CRLs, read as octets: OpenSSL would make objects of each entry, ten times
 * their size.  revocation_crl_check goes from the outside in: the three parts
 * of a CertificateList, its signature, then what was signed; entries are passed
 * over.  revocation_crl_find walks along these for one serial number, and lets
 * OpenSSL read the entry that has it.  Refused: CRLs that leave something out
 * on purpose (deltas, indirect ones, those of some reasons), since what they do
 * not list proves nothing; unknown critical extensions (RFC 5280 5.2).
 */

#include "pki/revocation_crl.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "pki/revocation_int.h"

#define EXTENSIONS_MAX 65536

enum tag {
	TAG_INTEGER = 0x02,
	TAG_BIT_STRING = 0x03,
	TAG_UTC_TIME = 0x17,
	TAG_GENERALIZED_TIME = 0x18,
	TAG_SEQUENCE = 0x30,
	TAG_EXTENSIONS = 0xa0, /* [0] */
};

/* CertificateList and its TBSCertList; all but entries whole elements. */
struct list {
	struct bytes signed_part, algorithm, signature;
	struct bytes inner_algorithm, issuer, updated, next, extensions;
	struct bytes entries; /* content; empty: there are none */
};

#define RELEASE(type)                                                          \
	static inline void scoped_##type(type **at)                            \
	{                                                                      \
		type##_free(*at);                                              \
	}                                                                      \
	_Static_assert(1, "")
RELEASE(ASN1_BIT_STRING);
RELEASE(ASN1_STRING);
RELEASE(ASN1_TIME);
RELEASE(ISSUING_DIST_POINT);
RELEASE(X509_ALGOR);
RELEASE(X509_NAME);
RELEASE(X509_REVOKED);

static inline void
scoped_extensions(X509_EXTENSIONS **at)
{
	sk_X509_EXTENSION_pop_free(*at, X509_EXTENSION_free);
}

/* ---- DER ---- */

struct element {
	uint8_t tag;
	struct bytes whole, content;
};

/* The first one, of whatever tag of one octet; lengths are definite and
 * shortest.  False: there is none, or it is malformed. */
static bool
take(struct bytes *from, struct element *ret_element)
{
	struct bytes rest = *from, head, octets = { NULL, 0 };
	struct element element;
	size_t len;

	if (!bytes_take(&rest, 2, &head) || (head.at[0] & 0x1f) == 0x1f)
		return false;
	element.tag = head.at[0];
	len = head.at[1];
	if (len > 0x84 || len == 0x80)
		return false;
	if (len > 0x80) {
		if (!bytes_take(&rest, len - 0x80, &octets))
			return false;
		len = 0;
		for (size_t i = 0; i < octets.len; i++)
			len = len << 8 | octets.at[i];
		if (len < 0x80 || octets.at[0] == 0)
			return false;
	}
	if (!bytes_take(&rest, len, &element.content))
		return false;
	element.whole = (struct bytes){ from->at, from->len - rest.len };
	*from = rest;
	*ret_element = element;
	return true;
}

/* One of that tag. */
static bool
take_a(struct bytes *from, enum tag tag, struct element *ret_element)
{
	struct bytes rest = *from;

	if (!take(&rest, ret_element) || ret_element->tag != tag)
		return false;
	*from = rest;
	return true;
}

static bool
take_time(struct bytes *from, struct bytes *ret_time)
{
	struct element element;

	if (!take_a(from, TAG_UTC_TIME, &element) &&
	    !take_a(from, TAG_GENERALIZED_TIME, &element))
		return false;
	*ret_time = element.whole;
	return true;
}

/* ---- the list ---- */

/* RFC 5280 5.1.2. */
static bool
read_signed(struct bytes content, struct list *list)
{
	struct element element;

	(void)take_a(&content, TAG_INTEGER, &element); /* version */
	if (!take_a(&content, TAG_SEQUENCE, &element))
		return false;
	list->inner_algorithm = element.whole;
	if (!take_a(&content, TAG_SEQUENCE, &element))
		return false;
	list->issuer = element.whole;
	if (!take_time(&content, &list->updated))
		return false;
	(void)take_time(&content, &list->next);
	if (take_a(&content, TAG_SEQUENCE, &element))
		list->entries = element.content;
	if (take_a(&content, TAG_EXTENSIONS, &element))
		list->extensions = element.content;
	return content.len == 0;
}

/* RFC 5280 5.1.1. */
static bool
read_list(struct bytes der, struct list *list)
{
	struct element all, to_sign, algorithm, signature;

	if (!take_a(&der, TAG_SEQUENCE, &all) || der.len != 0 ||
	    !take_a(&all.content, TAG_SEQUENCE, &to_sign) ||
	    !take_a(&all.content, TAG_SEQUENCE, &algorithm) ||
	    !take_a(&all.content, TAG_BIT_STRING, &signature) ||
	    all.content.len != 0)
		return false;
	*list = (struct list){ .signed_part = to_sign.whole,
		.algorithm = algorithm.whole,
		.signature = signature.content };
	/* A signature is of whole octets. */
	if (list->signature.len < 2 || list->signature.at[0] != 0)
		return false;
	list->signature.at++;
	list->signature.len--;
	return read_signed(to_sign.content, list) &&
	       bytes_equal(list->algorithm, list->inner_algorithm);
}

static bool
read_time(struct bytes der, int64_t *ret_time_s)
{
	const unsigned char *at = der.at;
	scoped(ASN1_TIME) ASN1_TIME *time =
	    d2i_ASN1_TIME(NULL, &at, (long)der.len);

	return time != NULL && cert_read_time(time, ret_time_s);
}

static bool
is_named(struct bytes name_der, const struct pki_cert *issuer)
{
	const unsigned char *at = name_der.at;
	scoped(X509_NAME) X509_NAME *name =
	    d2i_X509_NAME(NULL, &at, (long)name_der.len);

	return name != NULL &&
	       X509_NAME_cmp(
		   name, X509_get_subject_name(revocation_x509(issuer))) == 0;
}

static bool
is_signed(const struct list *list, const struct pki_cert *issuer)
{
	const unsigned char *at = list->algorithm.at;
	EVP_PKEY *key = X509_get0_pubkey(revocation_x509(issuer));
	scoped(X509_ALGOR) X509_ALGOR *algorithm =
	    d2i_X509_ALGOR(NULL, &at, (long)list->algorithm.len);
	scoped(ASN1_BIT_STRING) ASN1_BIT_STRING *signature =
	    ASN1_BIT_STRING_new();
	/* A sequence that was not read is its octets. */
	scoped(ASN1_STRING) ASN1_STRING *octets =
	    ASN1_STRING_type_new(V_ASN1_SEQUENCE);
	bool is;

	if (key == NULL || algorithm == NULL || signature == NULL ||
	    octets == NULL ||
	    ASN1_STRING_set(octets, list->signed_part.at,
		(int)list->signed_part.len) != 1 ||
	    ASN1_STRING_set(
		signature, list->signature.at, (int)list->signature.len) != 1)
		return false;
	is = ASN1_item_verify(ASN1_ITEM_rptr(ASN1_SEQUENCE), algorithm,
		 signature, octets, key) == 1;
	ERR_clear_error();
	return is;
}

/* The issuer's certificate lets its key sign CRLs (RFC 5280 6.3.3 f). */
static bool
may_sign(const struct pki_cert *issuer)
{
	X509 *x509 = revocation_x509(issuer);

	return (X509_get_extension_flags(x509) & EXFLAG_KUSAGE) == 0 ||
	       (X509_get_key_usage(x509) & KU_CRL_SIGN) != 0;
}

/* ---- extensions ---- */

/* Is it the list of that place?  Without a word on it it is of all. */
static bool
is_of_place(const DIST_POINT_NAME *point, const char *url)
{
	char other[REVOCATION_URL_MAX];
	const GENERAL_NAMES *names;

	if (point == NULL)
		return true;
	if (point->type != 0)
		return false;
	names = point->name.fullname;
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		if (revocation_url(sk_GENERAL_NAME_value(names, i), other) &&
		    strcmp(other, url) == 0)
			return true;
	}
	return false;
}

/* RFC 5280 5.2.5. */
static struct status
check_point(X509_EXTENSION *extension, const char *url, char *ret_why)
{
	scoped(ISSUING_DIST_POINT) ISSUING_DIST_POINT *point =
	    X509V3_EXT_d2i(extension);

	if (point == NULL)
		return revocation_is_none(
		    ret_why, "the CRL has an extension that is malformed");
	if (point->indirectCRL > 0 || point->onlyattr > 0 ||
	    point->onlyCA > 0 || point->onlysomereasons != NULL)
		return revocation_is_unfit(ret_why,
		    "the CRL is not about all certificates of its issuer");
	if (!is_of_place(point->distpoint, url))
		return revocation_is_unfit(
		    ret_why, "the CRL is the one of another place");
	return status_ok();
}

static struct status
check_extensions(struct bytes der, const char *url, char *ret_why)
{
	const unsigned char *at = der.at;
	scoped(extensions) X509_EXTENSIONS *all = NULL;
	struct status st = status_ok();

	if (der.len == 0)
		return st;
	if (der.len <= EXTENSIONS_MAX)
		all = d2i_X509_EXTENSIONS(NULL, &at, (long)der.len);
	if (all == NULL || at != der.at + der.len)
		return revocation_is_none(
		    ret_why, "the CRL has extensions that are malformed");
	for (int i = 0; i < sk_X509_EXTENSION_num(all) && !failed(st); i++) {
		X509_EXTENSION *one = sk_X509_EXTENSION_value(all, i);
		const int kind = OBJ_obj2nid(X509_EXTENSION_get_object(one));

		if (kind == NID_issuing_distribution_point)
			st = check_point(one, url, ret_why);
		else if (X509_EXTENSION_get_critical(one) != 0)
			st = revocation_is_unfit(ret_why,
			    "the CRL has a critical extension that is not "
			    "known here, or is a delta");
	}
	return st;
}

/* ---- checking ---- */

static struct status
check_signer(
    const struct list *list, const struct pki_cert *issuer, char *ret_why)
{
	if (!is_named(list->issuer, issuer))
		return revocation_is_unfit(
		    ret_why, "the CRL is of another issuer");
	if (!may_sign(issuer))
		return revocation_is_unfit(ret_why,
		    "the issuer's certificate does not let it sign CRLs");
	if (!is_signed(list, issuer))
		return revocation_is_unfit(
		    ret_why, "the certificate's issuer did not sign the CRL");
	return status_ok();
}

STATUS
revocation_crl_check(struct bytes der, const char *url,
    const struct pki_cert *issuer, int64_t now_s,
    struct revocation_crl *ret_crl, char *ret_why)
{
	struct revocation_crl crl = { .next_s = 0 };
	struct list list;
	struct status st;

	if (der.len > INT32_MAX || !read_list(der, &list))
		return revocation_is_none(ret_why, "this is no CRL");
	st = check_signer(&list, issuer, ret_why);
	if (failed(st))
		return st;
	if (!read_time(list.updated, &crl.updated_s) ||
	    (list.next.len > 0 && !read_time(list.next, &crl.next_s)))
		return revocation_is_none(
		    ret_why, "the times of the CRL are malformed");
	st = revocation_is_fresh(crl.updated_s, crl.next_s, now_s, ret_why);
	if (!failed(st))
		st = check_extensions(list.extensions, url, ret_why);
	ERR_clear_error();
	if (failed(st))
		return st;
	crl.entries = list.entries;
	*ret_crl = crl;
	return st;
}

/* ---- finding ---- */

/* It is taken off the list again: in deltas alone, and then not revoked. */
#define REASON_REMOVED 8

static bool
read_entry(struct bytes entry, struct revocation_answer *to)
{
	const unsigned char *at = entry.at;
	scoped(X509_REVOKED) X509_REVOKED *revoked =
	    d2i_X509_REVOKED(NULL, &at, (long)entry.len);
	ASN1_ENUMERATED *reason;

	if (revoked == NULL ||
	    !cert_read_time(
		X509_REVOKED_get0_revocationDate(revoked), &to->revoked_s))
		return false;
	reason = X509_REVOKED_get_ext_d2i(revoked, NID_crl_reason, NULL, NULL);
	if (reason != NULL)
		to->reason = (int)ASN1_ENUMERATED_get(reason);
	ASN1_ENUMERATED_free(reason);
	to->is_revoked = to->reason != REASON_REMOVED;
	return true;
}

STATUS
revocation_crl_find(const struct revocation_crl *crl,
    const struct pki_cert *cert, struct revocation_answer *ret_answer,
    char *ret_why)
{
	struct revocation_answer said = { .updated_s = crl->updated_s,
		.next_s = crl->next_s };
	struct bytes entries = crl->entries, serial;
	uint8_t der[PKI_CERT_SERIAL_MAX], *end = der;
	const ASN1_INTEGER *number =
	    X509_get0_serialNumber(revocation_x509(cert));
	const int len = i2d_ASN1_INTEGER(number, NULL);
	bool is_good = true;

	if (len <= 0 || (size_t)len > sizeof(der))
		return revocation_is_none(
		    ret_why, "the certificate's serial number is too long");
	(void)i2d_ASN1_INTEGER(number, &end);
	serial = (struct bytes){ der, (size_t)len };
	while (is_good && entries.len > 0) {
		struct element entry = { 0 }, first;
		struct bytes content;

		is_good = take_a(&entries, TAG_SEQUENCE, &entry);
		content = entry.content;
		is_good = is_good && take_a(&content, TAG_INTEGER, &first);
		if (!is_good || !bytes_equal(first.whole, serial))
			continue;
		is_good = read_entry(entry.whole, &said);
		break;
	}
	ERR_clear_error();
	if (!is_good)
		return revocation_is_none(ret_why, "the CRL is damaged");
	*ret_answer = said;
	return status_ok();
}
