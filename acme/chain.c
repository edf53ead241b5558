/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A chain that a CA sent, taken apart and put together again, so that what is
 * kept is what was understood.  Refuses other blocks than certificates, blocks
 * that are cut, an order that is not leaf first, signatures that are not of the
 * next one.
 */

#include "acme/chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "base/scoped.h"
#include "pki/cert.h"
#include "pki/pem.h"

#define LABEL "CERTIFICATE"

struct chain {
	struct pki_cert *certs[ACME_CHAIN_CERTS_MAX];
	size_t n;
};

static void
chain_done(struct chain *chain)
{
	for (size_t i = 0; i < chain->n; i++)
		pki_cert_free(chain->certs[i]);
	chain->n = 0;
}

static struct status
refuse(char *ret_why, const char *why)
{
	snprintf(ret_why, ACME_CHAIN_WHY_MAX, "%s", why);
	return status_fail(STATUS_INVALID_ARGUMENT, "this is no chain");
}

static struct status
add(struct chain *chain, const struct pem_block *block, char *ret_why)
{
	scoped(free) uint8_t *der = malloc(block->body.len + 1);
	char why[PKI_CERT_WHY_MAX];
	struct status st;
	size_t len;

	_Static_assert(PKI_CERT_WHY_MAX >= PEM_WHY_MAX, "both fit");
	if (der == NULL)
		return refuse(ret_why, "there is not enough memory");
	if (strcmp(block->label, LABEL) != 0) {
		char label[PRINTABLE_MAX(PEM_LABEL_MAX)];

		printable_print(bytes_of(block->label), label, sizeof(label));
		snprintf(ret_why, ACME_CHAIN_WHY_MAX,
		    "line %u: \"%.64s\" is no certificate", block->line, label);
		return status_fail(STATUS_INVALID_ARGUMENT, "this is no chain");
	}
	if (chain->n == ACME_CHAIN_CERTS_MAX)
		return refuse(ret_why, "it has more than 10 certificates");
	st = pem_decode(block, der, &len, why);
	if (!failed(st))
		st = pki_cert_parse(
		    (struct bytes){ der, len }, &chain->certs[chain->n], why);
	if (failed(st)) {
		snprintf(ret_why, ACME_CHAIN_WHY_MAX,
		    "of its certificate at line %u: %s", block->line, why);
		return st;
	}
	chain->n++;
	return st;
}

static struct status
take_apart(struct bytes text, struct chain *chain, char *ret_why)
{
	struct pem_reader reader;
	struct pem_block block;
	bool is_found = true;
	struct status st;

	pem_reader_init(&reader, text);
	do {
		char why[PEM_WHY_MAX];

		st = pem_reader_next(&reader, &block, &is_found, why);
		if (failed(st))
			return refuse(ret_why, why);
		if (is_found)
			st = add(chain, &block, ret_why);
	} while (is_found && !failed(st));
	if (!failed(st) && chain->n == 0)
		return refuse(ret_why, "it has no certificate");
	return st;
}

static struct status
check(const struct chain *chain, char *ret_why)
{
	if (chain->certs[0]->is_ca)
		return refuse(
		    ret_why, "its first certificate is a CA's, not the leaf");
	for (size_t i = 0; i + 1 < chain->n; i++) {
		if (!pki_cert_is_named_issuer(
			chain->certs[i + 1], chain->certs[i]) ||
		    !pki_cert_signed(chain->certs[i + 1], chain->certs[i])) {
			snprintf(ret_why, ACME_CHAIN_WHY_MAX,
			    "its certificate %zu (%.150s) is not issued by "
			    "the one behind it (%.150s)",
			    i + 1, chain->certs[i]->subject,
			    chain->certs[i + 1]->subject);
			return status_fail(
			    STATUS_INVALID_ARGUMENT, "this is no chain");
		}
	}
	return status_ok();
}

static char *
put_together(const struct chain *chain)
{
	size_t max = 1, len = 0;
	char *pem;

	for (size_t i = 0; i < chain->n; i++)
		max += pem_encode_max(LABEL, chain->certs[i]->der.len);
	pem = malloc(max);
	for (size_t i = 0; i < chain->n && pem != NULL; i++)
		len += pem_encode(LABEL, chain->certs[i]->der, pem + len);
	return pem;
}

STATUS
acme_chain_read(struct bytes text, char **ret_pem,
    char ret_issuer[ACME_CHAIN_ISSUER_MAX], char ret_why[ACME_CHAIN_WHY_MAX])
{
	struct chain chain = { .n = 0 };
	struct status st = take_apart(text, &chain, ret_why);
	char *pem = NULL;

	if (!failed(st))
		st = check(&chain, ret_why);
	if (!failed(st)) {
		pem = put_together(&chain);
		if (pem == NULL)
			st = refuse(ret_why, "there is not enough memory");
	}
	if (!failed(st)) {
		pki_cert_issuer_cn(chain.certs[chain.n - 1], ret_issuer,
		    ACME_CHAIN_ISSUER_MAX);
		*ret_pem = pem;
	}
	chain_done(&chain);
	return st;
}
