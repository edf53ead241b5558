/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_WIRE_H
#define HSM_WIRE_H

#include "hsm/hsm.h"
#include "hsm/reason.h"

/*
 * What the door and a worker say to each other: one message is one packet of a
 * SOCK_SEQPACKET pair, a head and a body.  Strictly one reply to one request,
 * and the worker never speaks unasked.  Both ends are the same binary, so
 * integers travel as they stand in memory; but neither end trusts the other's
 * lengths, counts or enums: a module that took over its worker gains nothing
 * here.
 */
#define WIRE_FD 3
#define WIRE_MAX 65536

enum wire_type {
	/* struct wire_config: make its token ready, or say why it is not.
	 * The first request, and again while the state is AWAY. */
	WIRE_PROBE = 1,
	WIRE_SIGN,     /* count ops -> count results */
	WIRE_GENERATE, /* struct wire_query -> struct wire_key */
	WIRE_FIND,     /* struct wire_query -> struct wire_key */
	WIRE_LOAD,     /* struct wire_query: learn this key */
	WIRE_FORGET,   /* struct wire_query: drop this key and its copies */
	WIRE_DESTROY,  /* struct wire_query: and its objects in the token */
	WIRE_WRAPPING, /* struct wire_query -> struct wire_key, number */
	WIRE_UNWRAP,   /* struct wire_import -> struct wire_key */
	WIRE_UNWRAPS,  /* struct wire_query -> number, of algorithms */
	WIRE_KEK,      /* struct wire_query */
	WIRE_GENERATE_WRAPPED, /* struct wire_query -> wire_key, wire_blob */
	WIRE_GENERATE_KEPT,    /* the same, and hold it */
	WIRE_UNWRAP_WRAPPED,   /* struct wire_import -> wire_key, wire_blob */
	/* count struct wire_blob: hold these keys -> count times two numbers,
	 * reason and detail */
	WIRE_LEARN,
	WIRE_END_,
};

enum wire_state {
	WIRE_READY = 0,
	WIRE_AWAY = 1,
	WIRE_PIN_REFUSED = 2
};

struct wire_head {
	uint32_t type;
	uint32_t seq;   /* the reply repeats the request's */
	uint32_t count; /* ops or results in the body */
	/* Replies only. */
	uint32_t state;  /* enum wire_state of the worker after the request */
	uint32_t reason; /* of the request, or of a state that is not READY */
	uint32_t detail;
	uint32_t keys; /* the worker knows */
	uint32_t unused;
};

struct wire_message {
	size_t len;
	_Alignas(8) uint8_t at[WIRE_MAX];
};

/* A decoded op or result borrows from its message. */
struct wire_op {
	struct key_id key;
	int64_t deadline_ns;
	uint32_t scheme;
	struct bytes input;
};

struct wire_result {
	uint32_t reason;
	uint32_t detail;
	struct bytes signature;
};

#define WIRE_TEXT_MAX 4096

struct wire_config {
	bool session_copies;
	bool wrapped;   /* a key that is not known may be unwrapped */
	uint32_t cache; /* unwrapped keys to hold */
	const char *module;
	const char *token_label;
	const char *pin_file;
	const char *lock_file;
};

struct wire_query {
	bool by_label;
	struct key_id id;
	enum key_alg alg; /* GENERATE, GENERATE_WRAPPED */
	char label[HSM_LABEL_MAX];
	int64_t deadline_ns;
};

/* The query names the wrapping key and the label. */
struct wire_import {
	struct wire_query query;
	struct bytes blob; /* 1 to HSM_BLOB_MAX octets */
	struct bytes spki; /* 1 to HSM_SPKI_MAX octets */
};

/* A wrapped key; the views borrow. */
struct wire_blob {
	struct key_id id;
	enum key_alg alg;
	struct bytes blob, spki; /* as above */
};

/* Start a message of a head alone. */
void wire_begin(struct wire_message *m, enum wire_type type, uint32_t seq);
struct wire_head *wire_head_of(struct wire_message *m);

/* Append; false, changing nothing, when it does not fit. */
bool wire_put_op(struct wire_message *m, const struct wire_op *op);
bool wire_put_result(struct wire_message *m, const struct wire_result *result);
bool wire_put_config(struct wire_message *m, const struct wire_config *config);
bool wire_put_query(struct wire_message *m, const struct wire_query *query);
bool wire_put_key(struct wire_message *m, const struct hsm_key *key);
bool wire_put_import(struct wire_message *m, const struct wire_import *import);
bool wire_put_blob(struct wire_message *m, const struct wire_blob *blob);
bool wire_put_number(struct wire_message *m, uint32_t number);

/*
 * Take a message apart.  wire_open checks the head (known type, state and
 * reason, count within HSM_BATCH_MAX); each take checks what it takes and
 * advances body.  Texts of a config are zero-terminated in the message.
 */
bool wire_open(
    struct bytes message, struct wire_head *ret_head, struct bytes *ret_body);
bool wire_take_op(struct bytes *body, struct wire_op *ret_op);
bool wire_take_result(struct bytes *body, struct wire_result *ret_result);
bool wire_take_config(struct bytes *body, struct wire_config *ret_config);
bool wire_take_query(struct bytes *body, struct wire_query *ret_query);
bool wire_take_key(struct bytes *body, struct hsm_key *ret_key);
bool wire_take_import(struct bytes *body, struct wire_import *ret_import);
bool wire_take_blob(struct bytes *body, struct wire_blob *ret_blob);
bool wire_take_number(struct bytes *body, uint32_t *ret_number);

#endif
