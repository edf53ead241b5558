/* SPDX-License-Identifier: Apache-2.0 */

/*
 * TSIG (RFC 8945): what is signed is the message as it was before its TSIG
 * record, then the record's own variables; of an answer, the request's MAC
 * comes first, which binds the two.  The MAC is looked at before anything else
 * in the record is believed.
 */

#include "dns/tsig.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

/* Of the variables: two names and some numbers. */
#define VARIABLES_MAX 600
#define OTHER_MAX 16 /* six octets, with BADTIME */
#define AT_ARCOUNT 10

SCOPED_RELEASE(EVP_MAC_free, EVP_MAC *);
SCOPED_RELEASE(EVP_MAC_CTX_free, EVP_MAC_CTX *);

static const struct {
	const char *name, *digest;
	size_t len;
} algorithms[] = {
	[DNS_TSIG_SHA256] = { "hmac-sha256", "SHA256", 32 },
	[DNS_TSIG_SHA384] = { "hmac-sha384", "SHA384", 48 },
	[DNS_TSIG_SHA512] = { "hmac-sha512", "SHA512", 64 },
};

const char *
tsig_algorithm_name(enum dns_tsig_algorithm algorithm)
{
	return algorithms[algorithm].name;
}

/* The record, without name and MAC (RFC 8945 4.2). */
struct fields {
	uint64_t signed_s;
	uint16_t fudge_s, original_id, error;
	struct bytes mac, other;
};

/* --- The MAC ----------------------------------------------------------------
 */

/* What is hashed, one after the other. */
struct parts {
	const struct tsig_mac *request; /* or NULL */
	struct bytes header, rest;      /* of the message, without TSIG */
	const struct fields *fields;
};

/* RFC 8945 4.3.3 */
static void
put_variables(const struct dns_tsig *tsig, const struct fields *fields,
    struct wire_writer *to)
{
	wire_put_name(to, tsig->name);
	wire_put_u16(to, WIRE_CLASS_ANY);
	wire_put_u32(to, 0);
	wire_put_name(to, algorithms[tsig->algorithm].name);
	wire_put_u48(to, fields->signed_s);
	wire_put_u16(to, fields->fudge_s);
	wire_put_u16(to, fields->error);
	wire_put_u16(to, (uint16_t)fields->other.len);
	wire_put(to, fields->other);
}

static bool
update_all(
    EVP_MAC_CTX *context, const struct parts *parts, struct bytes variables)
{
	uint8_t len[2];

	if (parts->request != NULL) {
		len[0] = (uint8_t)(parts->request->len >> 8);
		len[1] = (uint8_t)parts->request->len;
		if (EVP_MAC_update(context, len, sizeof(len)) != 1 ||
		    EVP_MAC_update(
			context, parts->request->at, parts->request->len) != 1)
			return false;
	}
	return EVP_MAC_update(context, parts->header.at, parts->header.len) ==
		   1 &&
	       EVP_MAC_update(context, parts->rest.at, parts->rest.len) == 1 &&
	       EVP_MAC_update(context, variables.at, variables.len) == 1;
}

static STATUS
compute(const struct dns_tsig *tsig, const struct parts *parts,
    struct tsig_mac *ret_mac)
{
	scoped(EVP_MAC_free) EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	scoped(EVP_MAC_CTX_free) EVP_MAC_CTX *context = NULL;
	struct bytes key = secret_bytes(tsig->key);
	uint8_t octets[VARIABLES_MAX];
	struct wire_writer to = { .at = octets, .max = sizeof(octets) };
	char digest[8];
	OSSL_PARAM params[2];
	struct tsig_mac mac;

	memcpy(digest, algorithms[tsig->algorithm].digest,
	    strlen(algorithms[tsig->algorithm].digest) + 1);
	params[0] =
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
	params[1] = OSSL_PARAM_construct_end();
	put_variables(tsig, parts->fields, &to);
	if (to.is_bad)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a TSIG key's name is no DNS name");
	context = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;
	if (context == NULL ||
	    EVP_MAC_init(context, key.at, key.len, params) != 1 ||
	    !update_all(context, parts, (struct bytes){ octets, to.len }) ||
	    EVP_MAC_final(context, mac.at, &mac.len, sizeof(mac.at)) != 1 ||
	    mac.len != algorithms[tsig->algorithm].len)
		return status_fail(STATUS_INTERNAL, "OpenSSL makes no HMAC");
	*ret_mac = mac;
	return status_ok();
}

/* --- Signing ----------------------------------------------------------------
 */

static void
put_record(const struct dns_tsig *tsig, const struct fields *fields,
    struct wire_writer *to)
{
	size_t at_len;

	wire_put_name(to, tsig->name);
	wire_put_u16(to, WIRE_TYPE_TSIG);
	wire_put_u16(to, WIRE_CLASS_ANY);
	wire_put_u32(to, 0);
	at_len = to->len;
	wire_put_u16(to, 0);
	wire_put_name(to, algorithms[tsig->algorithm].name);
	wire_put_u48(to, fields->signed_s);
	wire_put_u16(to, fields->fudge_s);
	wire_put_u16(to, (uint16_t)fields->mac.len);
	wire_put(to, fields->mac);
	wire_put_u16(to, fields->original_id);
	wire_put_u16(to, fields->error);
	wire_put_u16(to, (uint16_t)fields->other.len);
	wire_put(to, fields->other);
	if (!to->is_bad) {
		size_t len = to->len - at_len - 2;

		to->at[at_len] = (uint8_t)(len >> 8);
		to->at[at_len + 1] = (uint8_t)len;
	}
}

STATUS
tsig_sign(const struct dns_tsig *tsig, int64_t now_s,
    struct wire_writer *message, struct tsig_mac *ret_mac)
{
	struct fields fields = { .signed_s = (uint64_t)now_s,
		.fudge_s = TSIG_FUDGE_S };
	struct parts parts = { .header = { message->at, WIRE_HEADER_LEN },
		.rest = { message->at + WIRE_HEADER_LEN,
		    message->len - WIRE_HEADER_LEN },
		.fields = &fields };
	struct tsig_mac mac;
	struct status st = compute(tsig, &parts, &mac);

	if (failed(st))
		return st;
	fields.mac = (struct bytes){ mac.at, mac.len };
	fields.original_id = (uint16_t)(message->at[0] << 8 | message->at[1]);
	put_record(tsig, &fields, message);
	if (message->is_bad)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a signed DNS message would be too long");
	if (++message->at[AT_ARCOUNT + 1] == 0)
		message->at[AT_ARCOUNT]++;
	*ret_mac = mac;
	return status_ok();
}

/* --- Verifying --------------------------------------------------------------
 */

/* Where the last record begins; false: the message cannot be read, or has
 * something after it. */
static bool
find_last(struct bytes message, struct wire_header *ret_header,
    size_t *ret_start, struct wire_record *ret_record)
{
	struct wire_reader reader = { message, 0 };
	uint16_t type, class;
	unsigned n = 0;

	if (!wire_take_header(&reader, ret_header))
		return false;
	for (unsigned i = 0; i < ret_header->counts[0]; i++)
		if (!wire_take_question(
			&reader, ret_record->name, &type, &class))
			return false;
	for (size_t s = 1; s < 4; s++)
		n += ret_header->counts[s];
	ret_record->type = 0;
	for (unsigned i = 0; i < n; i++) {
		*ret_start = reader.at;
		if (!wire_take_record(&reader, ret_record))
			return false;
		/* RFC 8945 5.1: the last one, in the additional section. */
		if (ret_record->type == WIRE_TYPE_TSIG &&
		    (i + 1 < n || ret_header->counts[3] == 0))
			return false;
	}
	return reader.at == message.len;
}

static bool
take_fields(struct bytes message, const struct wire_record *record,
    char ret_algorithm[DNS_NAME_MAX], struct fields *ret_fields)
{
	struct wire_reader reader = { { message.at,
					  record->data_at + record->data.len },
		record->data_at };
	uint16_t mac_len, other_len;

	return record->class == WIRE_CLASS_ANY && record->ttl_s == 0 &&
	       wire_take_name(&reader, ret_algorithm) &&
	       wire_take_u48(&reader, &ret_fields->signed_s) &&
	       wire_take_u16(&reader, &ret_fields->fudge_s) &&
	       wire_take_u16(&reader, &mac_len) &&
	       wire_take(&reader, mac_len, &ret_fields->mac) &&
	       wire_take_u16(&reader, &ret_fields->original_id) &&
	       wire_take_u16(&reader, &ret_fields->error) &&
	       wire_take_u16(&reader, &other_len) && other_len <= OTHER_MAX &&
	       wire_take(&reader, other_len, &ret_fields->other) &&
	       reader.at == reader.message.len;
}

/* The server's clock, which comes with BADTIME (RFC 8945 5.2.3). */
static int64_t
server_time(const struct fields *fields)
{
	struct wire_reader reader = { fields->other, 0 };
	uint64_t seconds;

	if (fields->error != TSIG_BADTIME || fields->other.len != 6 ||
	    !wire_take_u48(&reader, &seconds))
		return 0;
	return (int64_t)seconds;
}

static bool
is_in_time(const struct fields *fields, int64_t now_s)
{
	int64_t apart_s = (int64_t)fields->signed_s - now_s;

	return apart_s <= fields->fudge_s && apart_s >= -fields->fudge_s;
}

/* The message's header as it was signed, without its TSIG. */
static STATUS
check_mac(const struct dns_tsig *tsig, const struct tsig_mac *request,
    struct bytes unsigned_part, const struct fields *fields, bool *ret_is_good)
{
	uint8_t header[WIRE_HEADER_LEN];
	struct parts parts = { .request = request,
		.header = { header, sizeof(header) },
		.rest = { unsigned_part.at + WIRE_HEADER_LEN,
		    unsigned_part.len - WIRE_HEADER_LEN },
		.fields = fields };
	struct tsig_mac mac;
	struct status st;

	memcpy(header, unsigned_part.at, sizeof(header));
	header[0] = (uint8_t)(fields->original_id >> 8);
	header[1] = (uint8_t)fields->original_id;
	if (header[AT_ARCOUNT + 1]-- == 0)
		header[AT_ARCOUNT]--;
	st = compute(tsig, &parts, &mac);
	if (failed(st))
		return st;
	*ret_is_good = fields->mac.len == mac.len &&
		       CRYPTO_memcmp(fields->mac.at, mac.at, mac.len) == 0;
	return status_ok();
}

static STATUS
judge(const struct dns_tsig *tsig, const struct tsig_mac *request,
    struct bytes unsigned_part, const struct fields *fields,
    struct tsig_seen *seen)
{
	bool is_good = false;
	struct status st;

	if (fields->mac.len == 0) {
		seen->verdict = TSIG_UNSIGNED;
		return status_ok();
	}
	st = check_mac(tsig, request, unsigned_part, fields, &is_good);
	seen->verdict = is_good ? TSIG_GOOD : TSIG_FORGED;
	return st;
}

STATUS
tsig_verify(const struct dns_tsig *tsig, const struct tsig_mac *request,
    int64_t now_s, struct bytes answer, struct tsig_seen *ret_seen)
{
	struct tsig_seen seen = { .verdict = TSIG_MALFORMED };
	char algorithm[DNS_NAME_MAX];
	struct wire_header header;
	struct wire_record record;
	struct status st = status_ok();
	struct fields fields;
	size_t start = 0;

	if (!find_last(answer, &header, &start, &record))
		seen.verdict = TSIG_MALFORMED;
	else if (record.type != WIRE_TYPE_TSIG)
		seen.verdict = TSIG_ABSENT;
	else if (take_fields(answer, &record, algorithm, &fields)) {
		seen.error = fields.error;
		seen.signed_s = (int64_t)fields.signed_s;
		seen.server_s = server_time(&fields);
		if (!wire_same_name(record.name, tsig->name) ||
		    !wire_same_name(
			algorithm, algorithms[tsig->algorithm].name))
			seen.verdict = TSIG_FOREIGN;
		else
			st = judge(tsig, request,
			    (struct bytes){ answer.at, start }, &fields, &seen);
		if (seen.verdict == TSIG_GOOD && !is_in_time(&fields, now_s))
			seen.verdict = TSIG_STALE;
	}
	if (!failed(st))
		*ret_seen = seen;
	return st;
}
