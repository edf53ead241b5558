/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Messages between door and worker, written and taken apart (wire.h).  Nothing
 * is read in place: every fixed part is copied out before it is looked at, and
 * every length is checked against what is left.  Trailing octets are refused by
 * the callers, which know when a body must be empty.
 */

#include "hsm/wire.h"

#include <string.h>

struct op_head {
	uint8_t key[KEY_ID_LEN];
	int64_t deadline_ns;
	uint32_t scheme;
	uint32_t len;
};

struct result_head {
	uint32_t reason;
	uint32_t detail;
	uint32_t len;
};

struct query_wire {
	uint8_t id[KEY_ID_LEN];
	int64_t deadline_ns;
	uint32_t alg;
	uint32_t by_label;
	char label[HSM_LABEL_MAX];
};

struct blob_head {
	uint8_t id[KEY_ID_LEN];
	uint32_t alg;
	uint32_t blob_len;
	uint32_t spki_len;
};

#define KEY_FLAGS 5

struct key_wire {
	uint8_t id[KEY_ID_LEN];
	uint32_t alg;
	uint32_t spki_len;
	uint8_t flags[8]; /* KEY_FLAGS of them, each 0 or 1 */
	char label[HSM_LABEL_MAX];
	uint8_t spki[HSM_SPKI_MAX];
};

static bool
put(struct wire_message *m, const void *at, size_t len)
{
	if (len > sizeof(m->at) - m->len)
		return false;
	if (len > 0)
		memcpy(m->at + m->len, at, len);
	m->len += len;
	return true;
}

/* A head and its variable part, both or neither. */
static bool
put_two(struct wire_message *m, const void *head, size_t len, struct bytes rest)
{
	size_t before = m->len;

	if (put(m, head, len) && put(m, rest.at, rest.len))
		return true;
	m->len = before;
	return false;
}

static bool
take(struct bytes *body, void *ret_at, size_t len)
{
	struct bytes part;

	if (!bytes_take(body, len, &part))
		return false;
	memcpy(ret_at, part.at, len);
	return true;
}

/* A text in an array: zero-terminated, and zero to the end. */
static bool
text_is_whole(const char *at, size_t size)
{
	size_t len = strnlen(at, size);

	for (size_t i = len; i < size; i++) {
		if (at[i] != '\0')
			return false;
	}
	return len < size;
}

void
wire_begin(struct wire_message *m, enum wire_type type, uint32_t seq)
{
	struct wire_head head = { .type = type, .seq = seq };

	m->len = 0;
	(void)put(m, &head, sizeof(head));
}

struct wire_head *
wire_head_of(struct wire_message *m)
{
	return (struct wire_head *)(void *)m->at;
}

bool
wire_put_op(struct wire_message *m, const struct wire_op *op)
{
	struct op_head head = { .deadline_ns = op->deadline_ns,
		.scheme = op->scheme,
		.len = (uint32_t)op->input.len };

	if (op->input.len > SIGN_CONTENT_MAX)
		return false;
	memcpy(head.key, op->key.at, sizeof(head.key));
	return put_two(m, &head, sizeof(head), op->input);
}

bool
wire_put_result(struct wire_message *m, const struct wire_result *result)
{
	struct result_head head = { .reason = result->reason,
		.detail = result->detail,
		.len = (uint32_t)result->signature.len };

	return put_two(m, &head, sizeof(head), result->signature);
}

static bool
put_text(struct wire_message *m, const char *text)
{
	uint32_t len = (uint32_t)strnlen(text, WIRE_TEXT_MAX) + 1;

	if (len > WIRE_TEXT_MAX)
		return false;
	return put_two(
	    m, &len, sizeof(len), (struct bytes){ (const uint8_t *)text, len });
}

bool
wire_put_config(struct wire_message *m, const struct wire_config *config)
{
	const uint32_t numbers[3] = { config->session_copies, config->wrapped,
		config->cache };

	return put(m, numbers, sizeof(numbers)) &&
	       put_text(m, config->module) &&
	       put_text(m, config->token_label) &&
	       put_text(m, config->pin_file) && put_text(m, config->lock_file);
}

bool
wire_put_query(struct wire_message *m, const struct wire_query *query)
{
	struct query_wire wire = { .deadline_ns = query->deadline_ns,
		.alg = query->alg,
		.by_label = query->by_label };

	memcpy(wire.id, query->id.at, sizeof(wire.id));
	memcpy(wire.label, query->label, strnlen(query->label, HSM_LABEL_MAX));
	return put(m, &wire, sizeof(wire));
}

bool
wire_put_key(struct wire_message *m, const struct hsm_key *key)
{
	struct key_wire wire = { .alg = key->alg,
		.spki_len = (uint32_t)key->spki_len,
		.flags = { key->sensitive, key->extractable,
		    key->always_sensitive, key->never_extractable,
		    key->local } };

	if (key->spki_len > sizeof(wire.spki))
		return false;
	memcpy(wire.id, key->id.at, sizeof(wire.id));
	memcpy(wire.label, key->label, strnlen(key->label, HSM_LABEL_MAX));
	memcpy(wire.spki, key->spki, key->spki_len);
	return put(m, &wire, sizeof(wire));
}

bool
wire_put_blob(struct wire_message *m, const struct wire_blob *blob)
{
	struct blob_head head = { .alg = blob->alg,
		.blob_len = (uint32_t)blob->blob.len,
		.spki_len = (uint32_t)blob->spki.len };
	size_t before = m->len;

	if (blob->blob.len > HSM_BLOB_MAX || blob->spki.len > HSM_SPKI_MAX)
		return false;
	memcpy(head.id, blob->id.at, sizeof(head.id));
	if (put_two(m, &head, sizeof(head), blob->blob) &&
	    put(m, blob->spki.at, blob->spki.len))
		return true;
	m->len = before;
	return false;
}

bool
wire_put_import(struct wire_message *m, const struct wire_import *import)
{
	const struct wire_blob blob = { .blob = import->blob,
		.spki = import->spki };
	size_t before = m->len;

	if (wire_put_query(m, &import->query) && wire_put_blob(m, &blob))
		return true;
	m->len = before;
	return false;
}

bool
wire_put_number(struct wire_message *m, uint32_t number)
{
	return put(m, &number, sizeof(number));
}

bool
wire_open(
    struct bytes message, struct wire_head *ret_head, struct bytes *ret_body)
{
	struct wire_head head;

	if (!take(&message, &head, sizeof(head)))
		return false;
	if (head.type < WIRE_PROBE || head.type >= WIRE_END_ ||
	    head.count > HSM_BATCH_MAX || head.state > WIRE_PIN_REFUSED ||
	    head.reason >= REASON_END_)
		return false;
	*ret_head = head;
	*ret_body = message;
	return true;
}

bool
wire_take_op(struct bytes *body, struct wire_op *ret_op)
{
	struct op_head head;
	struct wire_op op;

	if (!take(body, &head, sizeof(head)) || head.len > SIGN_CONTENT_MAX ||
	    !bytes_take(body, head.len, &op.input))
		return false;
	memcpy(op.key.at, head.key, sizeof(op.key.at));
	op.deadline_ns = head.deadline_ns;
	op.scheme = head.scheme;
	*ret_op = op;
	return true;
}

bool
wire_take_result(struct bytes *body, struct wire_result *ret_result)
{
	struct result_head head;
	struct bytes signature;

	if (!take(body, &head, sizeof(head)) || head.reason >= REASON_END_ ||
	    head.len > SIGNATURE_MAX || !bytes_take(body, head.len, &signature))
		return false;
	/* A signature goes with success, and only with it. */
	if ((head.reason == REASON_OK) != (head.len > 0))
		return false;
	*ret_result =
	    (struct wire_result){ head.reason, head.detail, signature };
	return true;
}

static bool
take_text(struct bytes *body, const char **ret_text)
{
	uint32_t len;
	struct bytes text;

	if (!take(body, &len, sizeof(len)) || len == 0 || len > WIRE_TEXT_MAX ||
	    !bytes_take(body, len, &text) ||
	    memchr(text.at, 0, len) != text.at + len - 1)
		return false;
	*ret_text = (const char *)text.at;
	return true;
}

bool
wire_take_config(struct bytes *body, struct wire_config *ret_config)
{
	struct wire_config config;
	uint32_t numbers[3];

	if (!take(body, numbers, sizeof(numbers)) || numbers[0] > 1 ||
	    numbers[1] > 1 || !take_text(body, &config.module) ||
	    !take_text(body, &config.token_label) ||
	    !take_text(body, &config.pin_file) ||
	    !take_text(body, &config.lock_file))
		return false;
	config.session_copies = numbers[0] == 1;
	config.wrapped = numbers[1] == 1;
	config.cache = numbers[2];
	*ret_config = config;
	return true;
}

bool
wire_take_query(struct bytes *body, struct wire_query *ret_query)
{
	struct query_wire wire;

	if (!take(body, &wire, sizeof(wire)) || wire.alg > KEY_ALG_ED25519 ||
	    wire.by_label > 1 || !text_is_whole(wire.label, sizeof(wire.label)))
		return false;
	*ret_query = (struct wire_query){ .by_label = wire.by_label == 1,
		.alg = (enum key_alg)wire.alg,
		.deadline_ns = wire.deadline_ns };
	memcpy(ret_query->id.at, wire.id, sizeof(wire.id));
	memcpy(ret_query->label, wire.label, sizeof(wire.label));
	return true;
}

bool
wire_take_key(struct bytes *body, struct hsm_key *ret_key)
{
	struct key_wire wire;

	if (!take(body, &wire, sizeof(wire)) || wire.alg == KEY_ALG_NONE ||
	    wire.alg > KEY_ALG_ED25519 || wire.spki_len == 0 ||
	    wire.spki_len > sizeof(wire.spki) ||
	    !text_is_whole(wire.label, sizeof(wire.label)))
		return false;
	for (size_t i = 0; i < KEY_FLAGS; i++) {
		if (wire.flags[i] > 1)
			return false;
	}
	*ret_key = (struct hsm_key){ .alg = (enum key_alg)wire.alg,
		.spki_len = wire.spki_len,
		.sensitive = wire.flags[0],
		.extractable = wire.flags[1],
		.always_sensitive = wire.flags[2],
		.never_extractable = wire.flags[3],
		.local = wire.flags[4] };
	memcpy(ret_key->id.at, wire.id, sizeof(wire.id));
	memcpy(ret_key->label, wire.label, sizeof(wire.label));
	memcpy(ret_key->spki, wire.spki, wire.spki_len);
	return true;
}

bool
wire_take_blob(struct bytes *body, struct wire_blob *ret_blob)
{
	struct blob_head head;
	struct wire_blob blob;

	if (!take(body, &head, sizeof(head)) || head.alg > KEY_ALG_ED25519 ||
	    head.blob_len == 0 || head.blob_len > HSM_BLOB_MAX ||
	    head.spki_len == 0 || head.spki_len > HSM_SPKI_MAX ||
	    !bytes_take(body, head.blob_len, &blob.blob) ||
	    !bytes_take(body, head.spki_len, &blob.spki))
		return false;
	memcpy(blob.id.at, head.id, sizeof(blob.id.at));
	blob.alg = (enum key_alg)head.alg;
	*ret_blob = blob;
	return true;
}

bool
wire_take_import(struct bytes *body, struct wire_import *ret_import)
{
	struct wire_import import;
	struct wire_blob blob;

	if (!wire_take_query(body, &import.query) ||
	    !wire_take_blob(body, &blob))
		return false;
	import.blob = blob.blob;
	import.spki = blob.spki;
	*ret_import = import;
	return true;
}

bool
wire_take_number(struct bytes *body, uint32_t *ret_number)
{
	return take(body, ret_number, sizeof(*ret_number));
}
