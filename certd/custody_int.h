/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CUSTODY_INT_H
#define CERTD_CUSTODY_INT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "certd/custody.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"
#include "rpc/client.h"
#include "rpc/enroll.h"
#include "rpc/renewal.h"

/* What the files of custody share; nobody else includes it. */

#define CUSTODY_ENDPOINTS_MAX 16

/* An identity, and a client with it for each endpoint; replaced whole when the
 * identity was renewed, released by whoever uses it last. */
struct custody_links {
	unsigned refs; /* custody->mutex guards */
	struct enroll_identity *identity;
	struct rpc_client *clients[CUSTODY_ENDPOINTS_MAX];
};

struct custody {
	char *state_dir, *ca_pem;
	char *endpoints[CUSTODY_ENDPOINTS_MAX];
	size_t n_endpoints;
	unsigned timeout_ms;
	char domain[SPIFFE_DOMAIN_MAX];
	char self[sizeof("certd/") + SPIFFE_NAME_MAX]; /* "certd/main" */
	struct renewal *renewal;
	struct custody_stream *stream;
	pthread_mutex_t mutex;
	/* mutex guards the rest */
	struct custody_links *links;
	unsigned serial; /* of the identity, from 1 */
	/* When each endpoint last answered; the newest is tried first. */
	int64_t answered_ns[CUSTODY_ENDPOINTS_MAX];
	char trouble[CUSTODY_WHY_MAX]; /* of the last call */
	char renewal_trouble[CUSTODY_WHY_MAX];
};

/* Borrowed: protobuf-c reads requests only. */
static inline ProtobufCBinaryData
custody_data_of(struct bytes from)
{
	union {
		const uint8_t *read;
		uint8_t *write;
	} at = { .read = from.at };

	return (ProtobufCBinaryData){ from.len, at.write };
}

/* printf into ret_why, and give the status back. */
struct status custody_explain(char *ret_why, struct status st,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
struct status custody_no_memory(char *ret_why);

/* For whom certd asks.  keyd keeps it with the record of the act; cut between
 * characters, for it is foreign. */
#define CUSTODY_OWNER_MAX 100
void custody_print_owner(
    const char *for_whom, char ret_owner[CUSTODY_OWNER_MAX + 1]);

/* What is asked of keyd: one method, one message. */
struct custody_ask {
	const ProtobufCServiceDescriptor *service;
	const char *method;
	const ProtobufCMessage *request;
	unsigned timeout_ms; /* 0: as configured */
};

/*
 * Ask at the first endpoint that answers.  The reply is freed with
 * message_free.  *ret_asked (may be NULL) counts endpoints that were asked,
 * also on failure: beyond one, an earlier one may have done it unheard.
 */
STATUS custody_call(struct custody *custody, const struct custody_ask *ask,
    ProtobufCMessage **ret_reply, unsigned *ret_asked, char *ret_why);

/* The clients there are, held until custody_let_go, and which one to ask first.
 */
struct custody_links *custody_hold(
    struct custody *custody, size_t *ret_endpoint);
void custody_let_go(struct custody *custody, struct custody_links *links);
/* An endpoint was asked, and that came of it. */
void custody_note(struct custody *custody, size_t endpoint, struct status st,
    const char *why);

/* ---- signatures (custody_stream.c) ---- */

struct custody_signing {
	const struct key_id *id;
	uint32_t scheme, context;
	struct bytes content;
};

/*
 * A stream to keyd's signer, which is opened when it is first needed, and again
 * when it is lost: what waits together goes out together.
 */
struct custody_stream;

STATUS custody_stream_new(
    struct custody *custody, struct custody_stream **ret_stream);
/* Nobody may be in custody_stream_sign.  NULL is allowed. */
void custody_stream_free(struct custody_stream *stream);
/*
 * False: keyd gave no answer that way until then (monotonic); ask otherwise.
 * True: *ret_st is keyd's answer, with its sentence in ret_why when it failed.
 * Blocks; any thread.
 */
bool custody_stream_sign(struct custody_stream *stream,
    const struct custody_signing *signing, int64_t until_ns,
    struct signature *ret_signature, struct status *ret_st, char *ret_why);

#endif
