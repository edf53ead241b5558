/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C2SP signed-note and tlog-cosignature with Ed25519.  Notes come from anyone:
 * everything is checked before anything is looked up, one text has one reading,
 * and a line that claims to be by a known key and does not hold condemns the
 * note, whatever else signed it.  Lines of unknown keys and kinds are passed
 * over, as the specification asks.
 */
#include "ledger/note.h"
#include "base/printable.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/scoped.h"
#include "ledger/text.h"

#define DASH "\xe2\x80\x94 "
#define HASH_LEN 4

SCOPED_RELEASE(EVP_PKEY_free, EVP_PKEY *);
SCOPED_RELEASE(EVP_MD_CTX_free, EVP_MD_CTX *);

static bool
is_space(uint32_t c)
{
	return (c >= 0x09 && c <= 0x0d) || c == ' ' || c == 0x85 || c == 0xa0 ||
	       c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
	       c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static bool
is_name(struct bytes name)
{
	uint32_t c;

	if (name.len == 0 || name.len >= NOTE_NAME_MAX)
		return false;
	while (name.len > 0) {
		const size_t n = printable_take(name, &c);

		if (n == 0 || c < 0x20 || c == '+' || is_space(c))
			return false;
		name.at += n;
		name.len -= n;
	}
	return true;
}

/* UTF-8 without control characters other than newline. */
static bool
is_text(struct bytes text)
{
	uint32_t c;

	while (text.len > 0) {
		const size_t n = printable_take(text, &c);

		if (n == 0 || (c < 0x20 && c != '\n'))
			return false;
		text.at += n;
		text.len -= n;
	}
	return true;
}

static struct status
invalid(const char *why)
{
	return status_fail(STATUS_INVALID_ARGUMENT, why);
}

STATUS
note_key_make(const char *name, enum note_key_type type,
    const uint8_t public_key[NOTE_KEY_LEN], struct note_key *ret_key)
{
	uint8_t octets[NOTE_NAME_MAX + 2 + NOTE_KEY_LEN], digest[32];
	const size_t len = strlen(name);
	struct note_key key = { .type = type };

	if (!is_name(bytes_of(name)))
		return invalid("a key name is up to 255 octets of UTF-8 without"
			       " spaces and \"+\"");
	if (type != NOTE_ED25519 && type != NOTE_COSIGNATURE)
		return invalid("the key is of a type that is not known here");
	memcpy(key.name, name, len + 1);
	memcpy(key.public_key, public_key, NOTE_KEY_LEN);
	memcpy(octets, name, len);
	octets[len] = '\n';
	octets[len + 1] = (uint8_t)type;
	memcpy(octets + len + 2, public_key, NOTE_KEY_LEN);
	if (EVP_Digest(octets, len + 2 + NOTE_KEY_LEN, digest, NULL,
		EVP_sha256(), NULL) != 1)
		return status_fail(
		    STATUS_INTERNAL, "libcrypto could not hash a key's name");
	key.hash = (uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 |
		   (uint32_t)digest[2] << 8 | digest[3];
	*ret_key = key;
	return status_ok();
}

STATUS
note_key_parse(const char *vkey, struct note_key *ret_key)
{
	static const char why[] =
	    "a verifier key reads NAME+HASH+BASE64, the hash in 8 hex digits";
	const size_t name_len = strcspn(vkey, "+");
	uint8_t octets[1 + NOTE_KEY_LEN];
	char name[NOTE_NAME_MAX], printed[NOTE_VKEY_MAX];
	struct note_key key;
	struct status st;
	const char *at;

	if (name_len >= sizeof(name) || strlen(vkey) >= NOTE_VKEY_MAX)
		return invalid(why);
	memcpy(name, vkey, name_len);
	name[name_len] = '\0';
	at = vkey + name_len;
	if (at[0] != '+' || strcspn(at + 1, "+") != 2 * HASH_LEN ||
	    at[1 + 2 * HASH_LEN] != '+')
		return invalid(why);
	at += 2 + 2 * HASH_LEN;
	if (!base64_decode_exactly(bytes_of(at), octets, sizeof(octets)))
		return invalid(
		    "the verifier key is not one of Ed25519, or is damaged");
	st = note_key_make(
	    name, (enum note_key_type)octets[0], octets + 1, &key);
	if (failed(st))
		return st;
	note_key_print(&key, printed);
	if (strcmp(printed, vkey) != 0)
		return invalid("the verifier key's hash is not that of its name"
			       " and key: it is damaged");
	*ret_key = key;
	return status_ok();
}

void
note_key_print(const struct note_key *key, char ret_vkey[NOTE_VKEY_MAX])
{
	uint8_t octets[1 + NOTE_KEY_LEN];
	char text[BASE64_MAX(sizeof(octets))];

	octets[0] = (uint8_t)key->type;
	memcpy(octets + 1, key->public_key, NOTE_KEY_LEN);
	base64_encode((struct bytes){ octets, sizeof(octets) }, text);
	snprintf(ret_vkey, NOTE_VKEY_MAX, "%s+%08" PRIx32 "+%s", key->name,
	    key->hash, text);
}

/* "— NAME BASE64" */
static bool
parse_line(struct bytes line, struct note_signature *ret_signature)
{
	uint8_t octets[HASH_LEN + sizeof(ret_signature->octets)];
	const uint8_t *space;
	size_t len;

	if (!text_take(&line, DASH) || line.len == 0 ||
	    (space = memchr(line.at, ' ', line.len)) == NULL)
		return false;
	ret_signature->name =
	    (struct bytes){ line.at, (size_t)(space - line.at) };
	line.at = space + 1;
	line.len -= ret_signature->name.len + 1;
	if (!is_name(ret_signature->name) ||
	    !base64_decode(line, octets, sizeof(octets), &len) ||
	    len <= HASH_LEN)
		return false;
	ret_signature->hash = (uint32_t)octets[0] << 24 |
			      (uint32_t)octets[1] << 16 |
			      (uint32_t)octets[2] << 8 | octets[3];
	len -= HASH_LEN;
	ret_signature->len = 0;
	if (len == NOTE_SIGNATURE_LEN || len == 8 + NOTE_SIGNATURE_LEN) {
		memcpy(ret_signature->octets, octets + HASH_LEN, len);
		ret_signature->len = len;
	}
	return true;
}

/* Where the signature lines begin: behind the last empty line; 0: nowhere. */
static size_t
find_signatures(struct bytes octets)
{
	for (size_t i = octets.len; i >= 2; i--) {
		if (octets.at[i - 1] == '\n' && octets.at[i - 2] == '\n')
			return i;
	}
	return 0;
}

STATUS
note_parse(struct bytes octets, struct note *ret_note)
{
	const size_t split = find_signatures(octets);
	struct bytes rest = { octets.at + split, octets.len - split }, line;

	if (octets.len > NOTE_MAX)
		return invalid("a signed note has at most 16,384 octets");
	if (!is_text(octets))
		return invalid("a signed note is UTF-8 without control"
			       " characters");
	if (split == 0 || rest.len == 0)
		return invalid("a signed note has an empty line, then lines of"
			       " signatures");
	ret_note->text = (struct bytes){ octets.at, split - 1 };
	ret_note->n_signatures = 0;
	while (rest.len > 0) {
		if (ret_note->n_signatures == NOTE_SIGNATURES_MAX)
			return invalid("the note has more than 64 signatures");
		if (!text_take_line(&rest, &line) ||
		    !parse_line(
			line, &ret_note->signatures[ret_note->n_signatures++]))
			return invalid("a signature line of the note is"
				       " malformed");
	}
	return status_ok();
}

static bool
ed25519_holds(
    const uint8_t *public_key, struct bytes text, const uint8_t *signature)
{
	scoped(EVP_PKEY_free) EVP_PKEY *key = EVP_PKEY_new_raw_public_key(
	    EVP_PKEY_ED25519, NULL, public_key, NOTE_KEY_LEN);
	scoped(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	return key != NULL && ctx != NULL &&
	       EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
	       EVP_DigestVerify(
		   ctx, signature, NOTE_SIGNATURE_LEN, text.at, text.len) == 1;
}

STATUS
note_cosigned_text(struct bytes text, uint64_t time_s, uint8_t *ret_at,
    size_t max, size_t *ret_len)
{
	char head[64];
	size_t len = (size_t)snprintf(
	    head, sizeof(head), "cosignature/v1\ntime %" PRIu64 "\n", time_s);

	if (len > max || text.len > max - len)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "the text to be cosigned is too long");
	memcpy(ret_at, head, len);
	memcpy(ret_at + len, text.at, text.len);
	*ret_len = len + text.len;
	return status_ok();
}

static bool
cosignature_holds(const struct note *note, const struct note_key *key,
    const uint8_t *octets, uint64_t *ret_time_s)
{
	uint8_t text[NOTE_MAX + 64];
	uint64_t time_s = 0;
	size_t len;

	for (size_t i = 0; i < 8; i++)
		time_s = time_s << 8 | octets[i];
	if (time_s > INT64_MAX || failed(note_cosigned_text(note->text, time_s,
				      text, sizeof(text), &len)))
		return false;
	*ret_time_s = time_s;
	return ed25519_holds(
	    key->public_key, (struct bytes){ text, len }, octets + 8);
}

static bool
line_holds(const struct note *note, const struct note_key *key,
    const struct note_signature *line, uint64_t *ret_time_s)
{
	*ret_time_s = 0;
	if (key->type == NOTE_COSIGNATURE)
		return line->len == 8 + NOTE_SIGNATURE_LEN &&
		       cosignature_holds(note, key, line->octets, ret_time_s);
	return line->len == NOTE_SIGNATURE_LEN &&
	       ed25519_holds(key->public_key, note->text, line->octets);
}

STATUS
note_verify(
    const struct note *note, const struct note_key *key, uint64_t *ret_time_s)
{
	uint64_t time_s, newest_s = 0;
	bool found = false;

	for (size_t i = 0; i < note->n_signatures; i++) {
		const struct note_signature *line = &note->signatures[i];

		if (line->hash != key->hash ||
		    !bytes_equal(line->name, bytes_of(key->name)))
			continue;
		if (!line_holds(note, key, line, &time_s))
			return status_fail(STATUS_DATA_LOSS,
			    "a signature of the note does not hold");
		found = true;
		if (time_s > newest_s)
			newest_s = time_s;
	}
	if (!found)
		return status_fail(
		    STATUS_NOT_FOUND, "the note is not signed by this key");
	if (ret_time_s != NULL)
		*ret_time_s = newest_s;
	return status_ok();
}

STATUS
note_append(struct bytes text, const struct note_key *key,
    struct bytes signature, char *ret_note, size_t max, size_t *ret_len)
{
	const size_t want = key->type == NOTE_COSIGNATURE
				? 8 + NOTE_SIGNATURE_LEN
				: NOTE_SIGNATURE_LEN;
	uint8_t octets[HASH_LEN + 8 + NOTE_SIGNATURE_LEN];
	char line[sizeof(DASH) + NOTE_NAME_MAX + BASE64_MAX(sizeof(octets))];
	char base64[BASE64_MAX(sizeof(octets))];
	struct note note;
	size_t len, gap;

	if (signature.len != want)
		return invalid("a signature has 64 octets, a cosignature 72");
	if (text.len == 0 || text.at[text.len - 1] != '\n' || !is_text(text))
		return invalid("a note's text is UTF-8 without control"
			       " characters and ends in a newline");
	gap = failed(note_parse(text, &note)) ? 1 : 0;
	if (gap == 0 && note.n_signatures == NOTE_SIGNATURES_MAX)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "the note has no room for another signature");
	for (size_t i = 0; i < HASH_LEN; i++)
		octets[i] = (uint8_t)(key->hash >> (24 - 8 * i));
	memcpy(octets + HASH_LEN, signature.at, signature.len);
	base64_encode(
	    (struct bytes){ octets, HASH_LEN + signature.len }, base64);
	len = (size_t)snprintf(
	    line, sizeof(line), DASH "%s %s\n", key->name, base64);
	if (max > NOTE_MAX)
		max = NOTE_MAX;
	if (text.len + gap + len > max)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "the note would be longer than its buffer");
	memmove(ret_note, text.at, text.len);
	if (gap == 1)
		ret_note[text.len] = '\n';
	memcpy(ret_note + text.len + gap, line, len);
	*ret_len = text.len + gap + len;
	return status_ok();
}
