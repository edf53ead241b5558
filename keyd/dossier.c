/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys.Dossier.  In this order: the act is recorded, so that the dossier holds
 * its own making; a checkpoint is signed that covers it; registry, token and
 * ledger are read; the document is signed.  A token is never asked about a key
 * that is suspended: asking would make its workers know the key again.
 */

#include "keyd/dossier.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "keyd/custody.h"
#include "keyd/dossier_int.h"
#include "keyd/pb.h"
#include "ledger/verify.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"

#define APPROVALS_MAX 1000
#define TOKEN_MAX_NS (10 * NS_PER_S)
#define MAKE_MAX_NS (600 * NS_PER_S)

struct dossier {
	struct dossier_config config;
	pthread_mutex_t making; /* held while one is made */
};

/* What one making gathers. */
struct making {
	const struct rpc_call *call;
	int64_t deadline_ns;
	struct registry_key key;
	struct registry_grant grants[REGISTRY_GRANTS_MAX];
	size_t n_grants;
	struct registry_approval *approvals;
	size_t n_approvals;
	struct hsm_key now;
	bool has_now;
	const char *not_asked;
	char note[NOTE_MAX];
	size_t note_len;
	struct checkpoint tree;
	struct dossier_scan scan;
};

static void
making_free(struct making *making)
{
	if (making == NULL)
		return;
	dossier_scan_done(&making->scan);
	free(making->approvals);
	free(making);
}
SCOPED_RELEASE(making_free, struct making *);

static struct status
record(struct dossier *dossier, const struct making *making,
    enum entry_stage stage, struct status outcome)
{
	char act[AUDIT_TEXT_MAX];
	struct audit_entry entry = {
		.kind = AUDIT_CUSTODY,
		.peer = making->call->peer->spiffe_id,
		.key = making->key.id,
		.code = outcome.code,
		.why = failed(outcome) ? outcome.why : NULL,
		.act = act,
		.stage = stage,
	};

	snprintf(act, sizeof(act), "dossier of key %s", making->key.label);
	return audit_record(dossier->config.audit, &entry, 1);
}

/* ---- what is read ---- */

static struct status
read_registry(struct dossier *dossier, struct making *making)
{
	struct registry *registry = dossier->config.registry;
	struct status st = registry_grants(
	    registry, &making->key.id, making->grants, &making->n_grants);

	if (failed(st))
		return st;
	return registry_approvals(registry, true, APPROVALS_MAX,
	    &making->approvals, &making->n_approvals);
}

static struct hsm *
pool_of(const struct dossier *dossier, const char *name)
{
	for (size_t i = 0; i < dossier->config.n_pools; i++)
		if (strcmp(dossier->config.pool_names[i], name) == 0)
			return dossier->config.pools[i];
	return NULL;
}

/* Whatever keeps the token from answering is said in the dossier; it does not
 * stop it. */
static void
ask_token(struct dossier *dossier, struct making *making)
{
	const struct registry_key *key = &making->key;
	struct hsm *hsm = pool_of(dossier, key->pool);
	int64_t deadline_ns = clock_mono_ns() + TOKEN_MAX_NS;
	struct registry_key after;
	struct status st;

	if (key->wrapped)
		making->not_asked =
		    "the key is kept as a blob outside the token; as recorded "
		    "when it was made";
	else if (key->state == KEY_DESTROYED)
		making->not_asked = "the key is destroyed";
	else if (key->state != KEY_ACTIVE)
		making->not_asked =
		    "the key is suspended: its token is not asked about it";
	else if (hsm == NULL)
		making->not_asked = "the key's pool is configured no more";
	if (making->not_asked != NULL)
		return;
	st = hsm_find(hsm, &key->id, deadline_ns, &making->now);
	making->has_now = !failed(st);
	if (failed(st))
		making->not_asked = st.code == STATUS_NOT_FOUND
					? "THE TOKEN DOES NOT HAVE THIS KEY"
					: "the token could not be asked now";
	/* Suspended meanwhile?  Then asking has undone what that did. */
	st = registry_key_get(dossier->config.registry, &key->id, &after);
	if (failed(st) || after.state != KEY_ACTIVE)
		(void)!failed(hsm_forget(hsm, &key->id, deadline_ns));
}

static struct status
read_ledger(struct dossier *dossier, struct making *making)
{
	struct publisher *publisher = dossier->config.publisher;
	struct note note;
	uint64_t size;
	struct status st = publisher_flush(publisher, making->deadline_ns);

	if (!failed(st))
		st = publisher_checkpoint(
		    publisher, making->note, &making->note_len, &size);
	if (!failed(st))
		st = note_parse((struct bytes){ (const uint8_t *)making->note,
				    making->note_len },
		    &note);
	if (!failed(st))
		st = checkpoint_parse(note.text, &making->tree);
	if (failed(st))
		return st;
	return dossier_scan(publisher_folder(publisher), making->tree.size,
	    &making->key.id, making->deadline_ns, &making->scan);
}

/* ---- what is written ---- */

static struct status
write_reply(struct dossier *dossier, const struct making *making,
    struct rpc_reply *reply)
{
	struct publisher *publisher = dossier->config.publisher;
	const struct dossier_facts facts = {
		.origin = publisher_origin(publisher),
		.made_for = making->call->peer->spiffe_id,
		.made_ns = clock_wall_ns(),
		.key = &making->key,
		.grants = making->grants,
		.n_grants = making->n_grants,
		.approvals = making->approvals,
		.n_approvals = making->n_approvals,
		.older_approvals = making->n_approvals == APPROVALS_MAX,
		.now = making->has_now ? &making->now : NULL,
		.not_asked = making->not_asked,
		.checkpoint = { (const uint8_t *)making->note,
		    making->note_len },
		.tree = &making->tree,
		.scan = &making->scan,
		.folder = publisher_folder(publisher),
	};
	Holdfast__Keyd__V1__DossierResponse response;
	char text[DOSSIER_TEXT_MAX], signature[NOTE_MAX];
	scoped(free) char *json = NULL;
	struct bytes octets;
	size_t text_len, len;
	struct status st = dossier_write(&facts, &json);

	if (failed(st))
		return st;
	octets = bytes_of(json);
	text_len = dossier_text(facts.origin, octets, text);
	st = publisher_sign(publisher,
	    (struct bytes){ (const uint8_t *)text, text_len },
	    making->deadline_ns, signature, &len);
	if (failed(st))
		return st;
	holdfast__keyd__v1__dossier_response__init(&response);
	response.dossier = pb_octets(octets.at, octets.len);
	response.signature = pb_octets((const uint8_t *)signature, len);
	rpc_reply_set(reply, &response.base);
	return st;
}

static struct status
make(struct dossier *dossier, struct making *making, struct rpc_reply *reply)
{
	struct status outcome, st;

	st = record(dossier, making, ENTRY_ASKED, status_ok());
	if (failed(st))
		return st;
	outcome = read_registry(dossier, making);
	if (!failed(outcome)) {
		ask_token(dossier, making);
		outcome = read_ledger(dossier, making);
	}
	if (!failed(outcome))
		outcome = write_reply(dossier, making, reply);
	st = record(dossier, making,
	    failed(outcome) ? ENTRY_FAILED : ENTRY_DONE, outcome);
	return failed(outcome) ? outcome : st;
}

static struct status
make_one(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__DossierRequest *asked =
	    (const Holdfast__Keyd__V1__DossierRequest *)request;
	scoped(making_free) struct making *making = calloc(1, sizeof(*making));
	struct dossier *dossier = ctx;
	struct key_id id;
	struct status st;

	if (making == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	if (asked->key_id.len != KEY_ID_LEN)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a key id is the SHA-256 of the key's SPKI: 32 octets");
	memcpy(id.at, asked->key_id.data, KEY_ID_LEN);
	making->call = call;
	making->deadline_ns = clock_mono_ns() + MAKE_MAX_NS;
	if (call->deadline_ns < making->deadline_ns)
		making->deadline_ns = call->deadline_ns;
	st = registry_key_get(dossier->config.registry, &id, &making->key);
	if (failed(st))
		return st;
	if (pthread_mutex_trylock(&dossier->making) != 0)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "another dossier is being made; ask again when it is "
		    "done");
	st = make(dossier, making, reply);
	pthread_mutex_unlock(&dossier->making);
	return st;
}

/* ---- life ---- */

STATUS
dossier_new(const struct dossier_config *config, struct dossier **ret_dossier)
{
	struct dossier *dossier = calloc(1, sizeof(*dossier));

	if (dossier == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	dossier->config = *config;
	pthread_mutex_init(&dossier->making, NULL);
	*ret_dossier = dossier;
	return status_ok();
}

void
dossier_free(struct dossier *dossier)
{
	if (dossier == NULL)
		return;
	pthread_mutex_destroy(&dossier->making);
	free(dossier);
}

void
dossier_register(struct dossier *dossier, struct rpc_server *server)
{
	rpc_server_add_unary(server, &holdfast__keyd__v1__keys__descriptor,
	    "Dossier", make_one, dossier);
}
