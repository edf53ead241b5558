/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The Audit service but for its scans (audit_scan.c): what the ledger is
 * called and how it stands, proofs that an entry is in it, witnesses' lines,
 * and the change of its key.  Proofs are made of the folder that anyone may
 * copy, so they show what others can check too.
 */

#include "keyd/audit_service.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "keyd/audit_scan.h"
#include "keyd/pb.h"
#include "ledger/reader.h"
#include "ledger/verify.h"
#include "proto/holdfast/keyd/v1/audit.pb-c.h"

#define FLUSH_NS (5 * NS_PER_S)
#define ROTATE_NS (60 * NS_PER_S)

typedef Holdfast__Keyd__V1__LedgerKey ledger_key;

struct audit_service {
	struct audit_service_config config;
	struct scans *scans;
};

static int64_t
within(const struct rpc_call *call, int64_t most_ns)
{
	const int64_t ours_ns = clock_mono_ns() + most_ns;

	return call->deadline_ns < ours_ns ? call->deadline_ns : ours_ns;
}

/* ---- Describe ---- */

static STATUS
reply_keys(struct audit_service *service,
    Holdfast__Keyd__V1__DescribeAuditResponse *answer, struct rpc_reply *reply)
{
	scoped(free) struct registry_ledger_key *keys = NULL;
	size_t n = 0;
	struct status st =
	    registry_ledger_keys(service->config.registry, &keys, &n);
	scoped(free) ledger_key *rows = calloc(n + 1, sizeof(*rows));
	scoped(free) ledger_key **at = calloc(n + 1, sizeof(ledger_key *));

	if (failed(st))
		return st;
	if (rows == NULL || at == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	for (size_t i = 0; i < n; i++) {
		holdfast__keyd__v1__ledger_key__init(&rows[i]);
		rows[i].verifier_key = keys[i].verifier_key;
		rows[i].from_entry = keys[i].from_entry;
		rows[i].since_s = keys[i].since_s;
		at[i] = &rows[i];
	}
	answer->n_keys = n;
	answer->keys = at;
	rpc_reply_set(reply, &answer->base);
	return st;
}

static STATUS
reply_description(struct audit_service *service, struct rpc_reply *reply)
{
	struct publisher *publisher = service->config.publisher;
	Holdfast__Keyd__V1__DescribeAuditResponse answer;
	struct status trouble = publisher_trouble(publisher), st;
	char note[NOTE_MAX];
	size_t len;

	holdfast__keyd__v1__describe_audit_response__init(&answer);
	st = publisher_checkpoint(publisher, note, &len, &answer.size);
	if (failed(st))
		return st;
	answer.origin = pb_text(publisher_origin(publisher));
	answer.checkpoint = (ProtobufCBinaryData){ len, (uint8_t *)note };
	answer.trouble = pb_text(failed(trouble) ? trouble.why : "");
	answer.url = pb_text(service->config.url);
	return reply_keys(service, &answer, reply);
}

static struct status
describe(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	struct audit_service *service = ctx;

	(void)request;
	/* When that fails, the answer says why. */
	(void)!failed(
	    publisher_flush(service->config.publisher, within(call, FLUSH_NS)));
	return reply_description(service, reply);
}

/* ---- Prove ---- */

struct found {
	uint8_t octets[TILE_ENTRY_MAX];
	size_t len;
};

static bool
keep(void *ctx, uint64_t number, struct bytes entry)
{
	struct found *found = ctx;

	(void)number;
	memcpy(found->octets, entry.at, entry.len);
	found->len = entry.len;
	return false;
}

static STATUS
prove_from(struct reader *reader, uint64_t number, uint64_t size,
    struct merkle_hash hashes[MERKLE_PROOF_MAX], size_t *ret_n)
{
	struct reader_tree tree = { reader, size };
	const struct merkle_source source = reader_source(&tree);

	return merkle_prove_inclusion(&source, number, size, hashes, ret_n);
}

static STATUS
reply_proof(struct audit_service *service, uint64_t number, struct found *found,
    char *proof, struct rpc_reply *reply)
{
	struct publisher *publisher = service->config.publisher;
	scoped(reader_close) struct reader *reader = NULL;
	struct merkle_hash hashes[MERKLE_PROOF_MAX];
	Holdfast__Keyd__V1__ProveResponse answer;
	char note[NOTE_MAX];
	size_t note_len, n = 0, len = 0;
	uint64_t size;
	struct status st =
	    publisher_checkpoint(publisher, note, &note_len, &size);

	if (!failed(st) && number >= size)
		return status_fail(STATUS_NOT_FOUND,
		    "no entry of that number under the newest checkpoint");
	if (!failed(st))
		st = reader_open(publisher_folder(publisher), &reader);
	if (!failed(st))
		st = prove_from(reader, number, size, hashes, &n);
	if (!failed(st))
		st = reader_entries(reader, number, number + 1, keep, found);
	if (!failed(st))
		st = proof_print(number, hashes, n,
		    (struct bytes){ (const uint8_t *)note, note_len }, proof,
		    &len);
	if (failed(st))
		return st;
	holdfast__keyd__v1__prove_response__init(&answer);
	answer.proof = (ProtobufCBinaryData){ len, (uint8_t *)proof };
	answer.entry = (ProtobufCBinaryData){ found->len, found->octets };
	rpc_reply_set(reply, &answer.base);
	return st;
}

static struct status
prove(void *ctx, const struct rpc_call *call, const ProtobufCMessage *request,
    struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__ProveRequest *ask = (const void *)request;
	struct audit_service *service = ctx;
	scoped(free) struct found *found = calloc(1, sizeof(*found));
	scoped(free) char *proof = malloc(PROOF_MAX);

	if (found == NULL || proof == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	/* An entry that is not under a checkpoint yet is not found. */
	(void)!failed(
	    publisher_flush(service->config.publisher, within(call, FLUSH_NS)));
	return reply_proof(service, ask->number, found, proof, reply);
}

/* ---- Cosign, RotateKey ---- */

static struct status
cosign(void *ctx, const struct rpc_call *call, const ProtobufCMessage *request,
    struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__CosignRequest *ask = (const void *)request;
	struct audit_service *service = ctx;
	struct status st = publisher_cosign(service->config.publisher,
	    (struct bytes){ ask->checkpoint.data, ask->checkpoint.len });

	(void)call;
	return failed(st) ? st : reply_description(service, reply);
}

static struct status
rotate(void *ctx, const struct rpc_call *call, const ProtobufCMessage *request,
    struct rpc_reply *reply)
{
	struct audit_service *service = ctx;
	struct status st = publisher_rotate(service->config.publisher,
	    call->peer->spiffe_id, within(call, ROTATE_NS));

	(void)request;
	return failed(st) ? st : reply_description(service, reply);
}

/* ---- life ---- */

STATUS
audit_service_new(const struct audit_service_config *config,
    struct audit_service **ret_service)
{
	struct audit_service *service = calloc(1, sizeof(*service));

	if (service != NULL)
		service->scans = scans_new(config->publisher, config->registry);
	if (service == NULL || service->scans == NULL) {
		free(service);
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	}
	service->config = *config;
	*ret_service = service;
	return status_ok();
}

void
audit_service_free(struct audit_service *service)
{
	if (service == NULL)
		return;
	scans_free(service->scans);
	free(service);
}

void
audit_service_register(struct audit_service *service, struct rpc_server *server)
{
	static const struct {
		const char *name;
		rpc_unary_fn fn;
	} METHODS[] = { { "Describe", describe }, { "Prove", prove },
		{ "Cosign", cosign }, { "RotateKey", rotate } };

	for (size_t i = 0; i < sizeof(METHODS) / sizeof(METHODS[0]); i++)
		rpc_server_add_unary(server,
		    &holdfast__keyd__v1__audit__descriptor, METHODS[i].name,
		    METHODS[i].fn, service);
	scans_register(service->scans, server);
}
