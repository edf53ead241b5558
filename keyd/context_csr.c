/* SPDX-License-Identifier: Apache-2.0 */

/*
 * CertificationRequestInfo: refuses one that is not exact DER, not of the very
 * key that is to sign it, or whose alternative names cannot be read; and takes
 * out the names it speaks for, which go on record with the signature.
 */

#include <arpa/inet.h>
#include <string.h>

#include "base/der.h"
#include "keyd/context_int.h"

#define OID 0x06
#define SET 0x31
#define BOOLEAN 0x01

static const uint8_t common_name[] = { 0x55, 0x04, 0x03 };
static const uint8_t alt_names[] = { 0x55, 0x1d, 0x11 };
/* PKCS#9's extensionRequest, and Microsoft's, which CAs take for the same. */
static const uint8_t extensions_pkcs9[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
	0x01, 0x09, 0x0e };
static const uint8_t extensions_ms[] = { 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82,
	0x37, 0x02, 0x01, 0x0e };

#define IS(got, known) bytes_equal(got, (struct bytes){ known, sizeof(known) })

void
context_name_add(struct context_names *names, struct bytes name)
{
	static const char CUT[] = "...";

	if (names->is_cut)
		return;
	/* Room for the mark is never given away. */
	if (name.len + 1 + sizeof(CUT) > sizeof(names->at) - names->len) {
		memcpy(names->at + names->len, CUT, sizeof(CUT));
		names->len += sizeof(CUT);
		names->is_cut = true;
		return;
	}
	for (size_t i = 0; i < name.len; i++)
		names->at[names->len++] =
		    name.at[i] > ' ' && name.at[i] < 0x7f ? name.at[i] : '?';
	names->at[names->len++] = 0;
}

static void
add_address(struct context_names *names, struct bytes octets)
{
	char text[INET6_ADDRSTRLEN] = "?";

	if (octets.len == 4 || octets.len == 16)
		inet_ntop(octets.len == 4 ? AF_INET : AF_INET6, octets.at, text,
		    sizeof(text));
	context_name_add(names, bytes_of(text));
}

/* GeneralNames (RFC 5280 4.2.1.6): mail, DNS, URI and IP; others by a mark. */
static bool
take_general_names(struct bytes names, struct context_names *ret_names)
{
	struct bytes list, name;

	if (!der_take(&names, DER_SEQUENCE, &list) || names.len != 0)
		return false;
	while (list.len > 0) {
		const uint8_t tag = list.at[0];

		if (!der_take(&list, (enum der_tag)tag, &name))
			return false;
		if (tag == 0x81 || tag == 0x82 || tag == 0x86)
			context_name_add(ret_names, name);
		else if (tag == 0x87)
			add_address(ret_names, name);
		else
			context_name_add(ret_names, bytes_of("(other-name)"));
	}
	return true;
}

/* SET { Extensions } of an extensionRequest. */
static bool
take_extensions(struct bytes values, struct context_names *ret_names)
{
	struct bytes set, list, extension, oid, critical, value;

	if (!der_take(&values, (enum der_tag)SET, &set) || values.len != 0 ||
	    !der_take(&set, DER_SEQUENCE, &list) || set.len != 0)
		return false;
	while (list.len > 0) {
		if (!der_take(&list, DER_SEQUENCE, &extension) ||
		    !der_take(&extension, (enum der_tag)OID, &oid))
			return false;
		(void)der_take(&extension, (enum der_tag)BOOLEAN, &critical);
		if (!der_take(&extension, DER_OCTET_STRING, &value) ||
		    extension.len != 0)
			return false;
		if (IS(oid, alt_names) && !take_general_names(value, ret_names))
			return false;
	}
	return true;
}

/* Attributes (RFC 2986 4.1). */
static bool
take_attributes(struct bytes attributes, struct context_names *ret_names)
{
	while (attributes.len > 0) {
		struct bytes attribute, oid;

		if (!der_take(&attributes, DER_SEQUENCE, &attribute) ||
		    !der_take(&attribute, (enum der_tag)OID, &oid) ||
		    oid.len == 0 || attribute.len < 2)
			return false;
		if ((IS(oid, extensions_pkcs9) || IS(oid, extensions_ms)) &&
		    !take_extensions(attribute, ret_names))
			return false;
	}
	return true;
}

/* One RelativeDistinguishedName. */
static bool
take_rdn(struct bytes rdn, struct context_names *ret_names)
{
	if (rdn.len == 0)
		return false;
	while (rdn.len > 0) {
		struct bytes pair, oid, value;

		if (!der_take(&rdn, DER_SEQUENCE, &pair) ||
		    !der_take(&pair, (enum der_tag)OID, &oid) || oid.len == 0 ||
		    pair.len < 2)
			return false;
		if (!IS(oid, common_name))
			continue;
		if (!der_take(&pair, (enum der_tag)pair.at[0], &value) ||
		    pair.len != 0)
			return false;
		context_name_add(ret_names, value);
	}
	return true;
}

/* RDNSequence (RFC 5280 4.1.2.4); the empty name is one too. */
static bool
take_subject(struct bytes name, struct context_names *ret_names)
{
	while (name.len > 0) {
		struct bytes rdn;

		if (!der_take(&name, (enum der_tag)SET, &rdn) ||
		    !take_rdn(rdn, ret_names))
			return false;
	}
	return true;
}

struct status
context_csr_check(const struct context_ask *ask)
{
	const struct bytes spki = ask->key->spki;
	struct bytes content = ask->content;
	struct bytes info, version, name, attributes;

	if (ask->scheme->padding == SIGN_PADDING_PSS)
		return context_refuse(
		    "CSRs are signed with PKCS#1 v1.5, not PSS");
	if (!der_take(&content, DER_SEQUENCE, &info) || content.len != 0)
		return context_refuse("not a DER CertificationRequestInfo with "
				      "nothing after it");
	if (!der_take(&info, DER_INTEGER, &version) || version.len != 1 ||
	    version.at[0] != 0)
		return context_refuse("the CSR's version must be v1 (0)");
	if (!der_take(&info, DER_SEQUENCE, &name) ||
	    !take_subject(name, ask->names))
		return context_refuse("the CSR's subject is not a name in DER");
	if (spki.len == 0 || info.len < spki.len ||
	    memcmp(info.at, spki.at, spki.len) != 0)
		return context_refuse("the CSR is not for this key: its public "
				      "key is another");
	info.at += spki.len;
	info.len -= spki.len;
	if (!der_take(&info, (enum der_tag)0xa0, &attributes) ||
	    info.len != 0 || !take_attributes(attributes, ask->names))
		return context_refuse("the CSR must end with its attributes "
				      "([0], may be empty), its extensions and "
				      "alternative names in DER");
	return status_ok();
}
