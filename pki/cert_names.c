/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A certificate's alternative names (RFC 5280 4.2.1.6): its dNSNames in
 * hostname_normalize's spelling, each once; others are counted.  One that is
 * malformed is no reason not to read the certificate: why it is malformed is
 * kept for who has to judge.  Refuses an extension that cannot be read at all.
 */

#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "pki/cert_int.h"

static inline void
scoped_general_names_free(GENERAL_NAMES **at)
{
	GENERAL_NAMES_free(*at);
}

static bool
has_name(const struct pki_cert *facts, const char *name)
{
	for (size_t i = 0; i < facts->n_names; i++) {
		if (strcmp(facts->names[i], name) == 0)
			return true;
	}
	return false;
}

/* As an IA5String (RFC 5280 4.2.1.6), which has no zero in it either. */
static bool
is_ascii(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == 0 || text.at[i] >= 0x80)
			return false;
	}
	return true;
}

static struct status
take_name(struct cert *cert, struct bytes text, char *ret_why)
{
	struct pki_cert *facts = &cert->facts;
	char name[HOSTNAME_MAX], shown[64], why[HOSTNAME_WHY_MAX] = "";
	char raw[HOSTNAME_MAX + 2];

	if (!is_ascii(text)) {
		printable_print(text, shown, sizeof(shown));
		snprintf(why, sizeof(why),
		    "\"%s\" cannot be used as a host name: a certificate has "
		    "ASCII alone, other scripts as \"xn--\" labels",
		    shown);
	} else {
		/* One that is cut is too long to be taken. */
		snprintf(raw, sizeof(raw), "%.*s", (int)text.len,
		    (const char *)text.at);
	}
	if (why[0] != 0 || failed(hostname_normalize(raw, name, why))) {
		if (facts->bad_name[0] == 0)
			snprintf(facts->bad_name, sizeof(facts->bad_name), "%s",
			    why);
		return status_ok();
	}
	if (has_name(facts, name))
		return status_ok();
	cert->names[facts->n_names] = strdup(name);
	if (cert->names[facts->n_names] == NULL)
		return cert_no_memory(ret_why);
	facts->n_names++;
	return status_ok();
}

STATUS
cert_read_names(struct cert *cert, char *ret_why)
{
	int critical = 0;
	scoped(general_names_free) GENERAL_NAMES *all =
	    X509_get_ext_d2i(cert->x509, NID_subject_alt_name, &critical, NULL);
	struct status st = status_ok();

	if (all == NULL)
		return critical == -1
			   ? st
			   : cert_refuse(ret_why,
				 "the certificate's alternative names (SAN) "
				 "are malformed");
	if (sk_GENERAL_NAME_num(all) > PKI_CERT_NAMES_MAX)
		return cert_refuse(ret_why,
		    "the certificate has more than 1000 alternative names");
	cert->names =
	    calloc((size_t)sk_GENERAL_NAME_num(all) + 1, sizeof(char *));
	if (cert->names == NULL)
		return cert_no_memory(ret_why);
	cert->facts.names = (const char *const *)cert->names;
	for (int i = 0; !failed(st) && i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
		int type = -1;
		const void *value = GENERAL_NAME_get0_value(name, &type);

		if (type != GEN_DNS) {
			cert->facts.n_other_names++;
			continue;
		}
		st = take_name(cert,
		    (struct bytes){ ASN1_STRING_get0_data(value),
			(size_t)ASN1_STRING_length(value) },
		    ret_why);
	}
	return st;
}
