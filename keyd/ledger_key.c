/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the audit ledger is called, and how the token's public key becomes a
 * verifier key.  An Ed25519 SubjectPublicKeyInfo has one form only (RFC 8410
 * 4), so it is compared, not parsed.
 */

#include "keyd/ledger_key.h"

#include <stdio.h>
#include <string.h>

STATUS
ledger_key_origin(
    const char *domain, const char *name, char ret_origin[NOTE_NAME_MAX])
{
	int len =
	    snprintf(ret_origin, NOTE_NAME_MAX, "%s/keyd/%s", domain, name);

	if (len < 0 || len >= NOTE_NAME_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "domain and name are too long for a ledger's origin");
	return status_ok();
}

STATUS
ledger_key_of(const char *origin, struct bytes spki, struct note_key *ret_key)
{
	static const uint8_t head[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
		0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };

	if (spki.len != sizeof(head) + NOTE_KEY_LEN ||
	    memcmp(spki.at, head, sizeof(head)) != 0)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "the token's key of the ledger is not Ed25519");
	return note_key_make(
	    origin, NOTE_ED25519, spki.at + sizeof(head), ret_key);
}
