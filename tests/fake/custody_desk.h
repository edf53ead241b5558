/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_CUSTODY_DESK_H
#define TESTS_FAKE_CUSTODY_DESK_H

#include <stdbool.h>
#include <stddef.h>

#include "keyd/approvals.h"
#include "keyd/custody.h"
#include "keyd/registry.h"

/*
 * Custody and approvals between a real registry and a real policy; the token,
 * the journal and the wire are stand-ins that any thread may call.
 */
#define ALICE "spiffe://d/operator/alice"
#define BOB "spiffe://d/operator/bob"
#define CAROL "spiffe://d/operator/carol"
#define CERTD "spiffe://d/certd/main"
#define SELF "spiffe://d/keyd/keyd"

#define DESK_KEYS_MAX 16
#define DESK_RECORDS_MAX 256

struct desk_token {
	struct status find, forget, destroy; /* what each comes to */
	bool known[DESK_KEYS_MAX];           /* by the workers */
	bool there[DESK_KEYS_MAX];           /* in the token */
	unsigned destroyed;
	/* Fails for this key alone, whose id is made of this octet. */
	unsigned undestroyable;
};

struct desk {
	char folder[64], path[96];
	struct registry *registry;
	struct policy_slot *policy;
	struct approvals *approvals;
	struct custody *custody;
};

/* quorum 1: nothing waits.  lifetime_s is that of approvals. */
struct desk *desk_new(unsigned quorum, int64_t lifetime_s);
void desk_free(struct desk *desk);
/* As after kill -9: custody and approvals anew, the registry as it was. */
void desk_restart(struct desk *desk, unsigned quorum, int64_t lifetime_s);

struct desk_token *desk_token(void);
/* The journal fails from now on, after this many more records. */
void desk_journal_fails_after(size_t n);
void desk_journal_works(void);
/* Called before each record is kept; NULL: nothing. */
void desk_on_record(void (*fn)(void *ctx, const char *line), void *ctx);
/* Lines "operator/alice|suspend key web|asked", and where it was asked for
 * others "certd/main|suspend key web|asked|for account acme". */
size_t desk_records(void);
const char *desk_record(size_t i);
/* How many records are this line. */
unsigned desk_recorded(const char *line);

/* A key "k1" for 1, id made of that octet, known and in the token. */
void desk_add_key(struct desk *desk, unsigned key, const char *created_by);
void desk_add_replaceable(
    struct desk *desk, unsigned key, const char *created_by);
struct registry_key desk_key(struct desk *desk, unsigned key);
void desk_set_state(
    struct desk *desk, unsigned key, enum key_state to, int64_t destroy_at_s);
/* policy_check for edge/fra-1 in tls13_server. */
enum status_code desk_edge_may(struct desk *desk, unsigned key);
void desk_grant_edge(struct desk *desk, unsigned key);
/* An operator that is enrolled since then. */
void desk_enroll(struct desk *desk, const char *spiffe_id, int64_t since_s);

/* One call: "Keys/Suspend".  The reply of this thread's last one, until its
 * next; NULL when it failed; desk_why is what a failure said. */
enum status_code desk_call(
    const char *who, const char *method, const ProtobufCMessage *request);
const ProtobufCMessage *desk_reply(void);
const char *desk_why(void);
/* For threads of a test, before they end. */
void desk_drop_reply(void);

#endif
