/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What certd asks of keyd about its members: who may sign with which key, which
 * edges there are, and who is quarantined.  A right is given to an edge group,
 * for TLS servers and nothing else.
 */

#include <stdio.h>
#include <string.h>

#include "certd/custody_int.h"
#include "proto/holdfast/keyd/v1/identity.pb-c.h"
#include "proto/message.h"

#define KEYS (&holdfast__keyd__v1__keys__descriptor)
#define IDENTITY (&holdfast__keyd__v1__identity__descriptor)
#define GROUP_PATTERN "edge/@"
#define EDGE_GROUP_MAX 64
#define PAGE 1000

typedef Holdfast__Keyd__V1__ListGrantsResponse grants_msg;
typedef Holdfast__Keyd__V1__IdentityRecord identity_msg;

/* What the two requests below have in common, as protobuf-c wants it. */
struct target {
	struct key_id id;
	char pattern[sizeof(GROUP_PATTERN) + EDGE_GROUP_MAX];
};

static struct target
target_of(const struct key_id *id, const char *edge_group)
{
	struct target target = { .id = *id };

	(void)!snprintf(target.pattern, sizeof(target.pattern), "%s%s",
	    GROUP_PATTERN, edge_group);
	return target;
}

STATUS
custody_grant(struct custody *custody, const struct key_id *id,
    const char *edge_group, char *ret_why)
{
	Holdfast__Keyd__V1__GrantRequest request;
	Holdfast__Keyd__V1__Context contexts[] = {
		HOLDFAST__KEYD__V1__CONTEXT__CONTEXT_TLS13_SERVER,
		HOLDFAST__KEYD__V1__CONTEXT__CONTEXT_TLS12_SERVER_ECDHE
	};
	const struct custody_ask ask = { KEYS, "Grant", &request.base, 0 };
	struct target target = target_of(id, edge_group);
	scoped(message_free) ProtobufCMessage *reply = NULL;

	holdfast__keyd__v1__grant_request__init(&request);
	request.key_id = (ProtobufCBinaryData){ KEY_ID_LEN, target.id.at };
	request.identity = target.pattern;
	request.contexts = contexts;
	request.n_contexts = sizeof(contexts) / sizeof(contexts[0]);
	return custody_call(custody, &ask, &reply, NULL, ret_why);
}

STATUS
custody_revoke(struct custody *custody, const struct key_id *id,
    const char *edge_group, char *ret_why)
{
	Holdfast__Keyd__V1__RevokeRequest request;
	const struct custody_ask ask = { KEYS, "Revoke", &request.base, 0 };
	struct target target = target_of(id, edge_group);
	scoped(message_free) ProtobufCMessage *reply = NULL;
	struct status st;

	holdfast__keyd__v1__revoke_request__init(&request);
	request.key_id = (ProtobufCBinaryData){ KEY_ID_LEN, target.id.at };
	request.identity = target.pattern;
	st = custody_call(custody, &ask, &reply, NULL, ret_why);
	/* No such grant, or no such key: as it was wanted. */
	return st.code == STATUS_NOT_FOUND ? status_ok() : st;
}

/* ---- all grants ---- */

/* False when each wants no more. */
static bool
hand_over(const grants_msg *page,
    bool (*each)(void *ctx, const struct key_id *id, const char *edge_group),
    void *ctx)
{
	static const size_t prefix = sizeof(GROUP_PATTERN) - 1;
	struct key_id id;

	for (size_t i = 0; i < page->n_grants; i++) {
		const Holdfast__Keyd__V1__ListedGrant *one = page->grants[i];

		if (one->grant == NULL || one->key_id.len != KEY_ID_LEN ||
		    strncmp(one->grant->identity, GROUP_PATTERN, prefix) != 0)
			continue;
		memcpy(id.at, one->key_id.data, KEY_ID_LEN);
		if (!each(ctx, &id, one->grant->identity + prefix))
			return false;
	}
	return true;
}

STATUS
custody_each_grant(struct custody *custody,
    bool (*each)(void *ctx, const struct key_id *id, const char *edge_group),
    void *ctx, char *ret_why)
{
	Holdfast__Keyd__V1__ListGrantsRequest request;
	const struct custody_ask ask = { KEYS, "ListGrants", &request.base, 0 };
	scoped(message_free) ProtobufCMessage *page = NULL;
	struct status st = status_ok();
	bool more = true;

	holdfast__keyd__v1__list_grants_request__init(&request);
	request.page_size = PAGE;
	while (more && !failed(st)) {
		/* The token lies in the page before, which is still needed. */
		ProtobufCMessage *next = NULL;

		st = custody_call(custody, &ask, &next, NULL, ret_why);
		if (failed(st))
			break;
		message_free(page);
		page = next;
		more = hand_over((const grants_msg *)page, each, ctx);
		request.page_token =
		    ((grants_msg *)(void *)page)->next_page_token;
		more = more && request.page_token[0] != 0;
	}
	return st;
}

/* ---- members ---- */

typedef Holdfast__Keyd__V1__ListIdentitiesResponse identities_msg;

static struct status
list(struct custody *custody, enum role role, ProtobufCMessage **ret_list,
    char *ret_why)
{
	Holdfast__Keyd__V1__ListIdentitiesRequest request;
	const struct custody_ask ask = { IDENTITY, "List", &request.base, 0 };
	char name[16];

	holdfast__keyd__v1__list_identities_request__init(&request);
	(void)!snprintf(name, sizeof(name), "%s", role_name(role));
	request.role = name;
	return custody_call(custody, &ask, ret_list, NULL, ret_why);
}

/* False when it is no edge's record. */
static bool
take_edge(const identity_msg *from, struct custody_edge *ret_edge)
{
	struct custody_edge edge = { .quarantined = from->quarantined_s != 0,
		.is_enrolled =
		    from->state !=
		    HOLDFAST__KEYD__V1__IDENTITY_RECORD__STATE__STATE_INVITED };
	struct spiffe id;

	if (failed(spiffe_parse(from->identity, &id)) || id.role != ROLE_EDGE)
		return false;
	(void)!snprintf(edge.name, sizeof(edge.name), "%s", id.name);
	(void)!snprintf(edge.edge_group, sizeof(edge.edge_group), "%s",
	    from->group[0] != 0 ? from->group : "standard");
	*ret_edge = edge;
	return true;
}

STATUS
custody_each_edge(struct custody *custody,
    void (*each)(void *ctx, const struct custody_edge *edge), void *ctx,
    char *ret_why)
{
	scoped(message_free) ProtobufCMessage *reply = NULL;
	const identities_msg *found;
	struct custody_edge edge;
	struct status st = list(custody, ROLE_EDGE, &reply, ret_why);

	if (failed(st))
		return st;
	found = (const identities_msg *)reply;
	for (size_t i = 0; i < found->n_identities; i++)
		if (take_edge(found->identities[i], &edge))
			each(ctx, &edge);
	return st;
}

STATUS
custody_each_member(struct custody *custody, enum role role,
    void (*each)(void *ctx, const struct custody_member *member), void *ctx,
    char *ret_why)
{
	scoped(message_free) ProtobufCMessage *reply = NULL;
	const identities_msg *found;
	struct status st = list(custody, role, &reply, ret_why);

	if (failed(st))
		return st;
	found = (const identities_msg *)reply;
	for (size_t i = 0; i < found->n_identities; i++) {
		const identity_msg *from = found->identities[i];
		struct custody_member member = { .quarantined =
						     from->quarantined_s != 0 };
		struct spiffe id;

		if (failed(spiffe_parse(from->identity, &id)))
			continue;
		(void)!snprintf(member.identity, sizeof(member.identity),
		    "%s/%s", role_name(id.role), id.name);
		each(ctx, &member);
	}
	return st;
}
