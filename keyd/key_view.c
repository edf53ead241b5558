/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Registry rows as protobuf messages.  The messages borrow everything from the
 * rows and live as long as the call that packs them.
 */

#include "keyd/key_view.h"

#include <stdlib.h>

#include "base/scoped.h"
#include "keyd/approval_view.h"
#include "keyd/pb.h"

struct view {
	Holdfast__Keyd__V1__Key key;
	Holdfast__Keyd__V1__TokenAttributes attributes;
};

struct grant_view {
	Holdfast__Keyd__V1__KeyGrant grant;
	Holdfast__Keyd__V1__Context contexts[CONTEXT_END_];
	Holdfast__Keyd__V1__Budget budget;
};

static void
view_init(struct view *view, const struct registry_key *row)
{
	Holdfast__Keyd__V1__Key *key = &view->key;
	Holdfast__Keyd__V1__TokenAttributes *attributes = &view->attributes;

	holdfast__keyd__v1__token_attributes__init(attributes);
	attributes->sensitive = (row->attributes & ATTRIBUTE_SENSITIVE) != 0;
	attributes->extractable =
	    (row->attributes & ATTRIBUTE_EXTRACTABLE) != 0;
	attributes->always_sensitive =
	    (row->attributes & ATTRIBUTE_ALWAYS_SENSITIVE) != 0;
	attributes->never_extractable =
	    (row->attributes & ATTRIBUTE_NEVER_EXTRACTABLE) != 0;
	attributes->local = (row->attributes & ATTRIBUTE_LOCAL) != 0;

	holdfast__keyd__v1__key__init(key);
	key->id = pb_octets(row->id.at, KEY_ID_LEN);
	key->label = pb_text(row->label);
	key->algorithm = (Holdfast__Keyd__V1__KeyAlgorithm)row->alg;
	key->pool = pb_text(row->pool);
	key->spki = pb_octets(row->spki, row->spki_len);
	key->created_s = row->created_s;
	key->created_by = pb_text(row->created_by);
	key->attributes = attributes;
	key->state = (Holdfast__Keyd__V1__KeyState)row->state;
	key->state_s = row->state_s;
	key->destroy_at_s = row->destroy_at_s;
	key->origin = (Holdfast__Keyd__V1__KeyOrigin)row->origin;
	key->group = pb_text(row->group);
	key->owner = pb_text(row->owner);
	key->notes = pb_text(row->notes);
	key->wrapped = row->wrapped;
	key->replaceable = row->replaceable;
}

static void
grant_view_init(struct grant_view *view, const struct registry_grant *row)
{
	Holdfast__Keyd__V1__KeyGrant *grant = &view->grant;

	holdfast__keyd__v1__key_grant__init(grant);
	grant->identity = pb_text(row->pattern);
	grant->contexts = view->contexts;
	grant->beyond_group = row->beyond_group;
	grant->key_group = pb_text(row->key_group);
	if (row->budget.rate_per_s != 0) {
		holdfast__keyd__v1__budget__init(&view->budget);
		view->budget.rate_per_s = row->budget.rate_per_s;
		view->budget.burst = row->budget.burst;
		grant->budget = &view->budget;
	}
	for (unsigned c = CONTEXT_NONE + 1; c < CONTEXT_END_; c++)
		if ((row->contexts & 1u << c) != 0)
			view->contexts[grant->n_contexts++] =
			    (Holdfast__Keyd__V1__Context)c;
}

/* A key with its grants. */
struct full_view {
	struct view view;
	struct grant_view grants[REGISTRY_GRANTS_MAX];
	Holdfast__Keyd__V1__KeyGrant *at[REGISTRY_GRANTS_MAX];
};

static void
full_view_init(struct full_view *full, const struct registry_key *key,
    const struct registry_grant *grants, size_t n_grants)
{
	static const struct registry_key none;

	view_init(&full->view, key == NULL ? &none : key);
	if (key == NULL) {
		full->view.key.attributes = NULL;
		full->view.key.id.len = 0;
	}
	for (size_t i = 0; i < n_grants; i++) {
		grant_view_init(&full->grants[i], &grants[i]);
		full->at[i] = &full->grants[i].grant;
	}
	full->view.key.grants = full->at;
	full->view.key.n_grants = n_grants;
}

void
key_view_reply(struct rpc_reply *reply, const struct registry_key *key,
    const struct registry_grant *grants, size_t n_grants)
{
	struct full_view full;

	full_view_init(&full, key, grants, n_grants);
	rpc_reply_set(reply, &full.view.key.base);
}

void
key_view_reply_grant(struct rpc_reply *reply, const struct registry_key *key,
    const struct registry_grant *grants, size_t n_grants,
    const struct registry_approval *approval)
{
	Holdfast__Keyd__V1__GrantResponse response;
	struct approval_view waits;
	struct full_view full;

	full_view_init(&full, key, grants, n_grants);
	holdfast__keyd__v1__grant_response__init(&response);
	response.key = &full.view.key;
	if (approval != NULL) {
		approval_view_init(&waits, approval);
		response.approval = &waits.approval;
	}
	rpc_reply_set(reply, &response.base);
}

void
key_view_reply_schedule(struct rpc_reply *reply, const struct registry_key *key,
    const struct registry_grant *grants, size_t n_grants,
    const struct registry_approval *approval)
{
	Holdfast__Keyd__V1__ScheduleDestructionResponse response;
	struct approval_view waits;
	struct full_view full;

	full_view_init(&full, key, grants, n_grants);
	holdfast__keyd__v1__schedule_destruction_response__init(&response);
	response.key = &full.view.key;
	if (approval != NULL) {
		approval_view_init(&waits, approval);
		response.approval = &waits.approval;
	}
	rpc_reply_set(reply, &response.base);
}

STATUS
key_view_reply_page(struct rpc_reply *reply, const struct registry_key *keys,
    size_t n_keys, const char *next)
{
	Holdfast__Keyd__V1__ListKeysResponse page;
	scoped(free) struct view *views = calloc(n_keys + 1, sizeof(*views));
	scoped(free) Holdfast__Keyd__V1__Key **at =
	    calloc(n_keys + 1, sizeof(Holdfast__Keyd__V1__Key *));

	if (views == NULL || at == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	for (size_t i = 0; i < n_keys; i++) {
		view_init(&views[i], &keys[i]);
		at[i] = &views[i].key;
	}
	holdfast__keyd__v1__list_keys_response__init(&page);
	page.keys = at;
	page.n_keys = n_keys;
	page.next_page_token = pb_text(next);
	rpc_reply_set(reply, &page.base);
	return status_ok();
}

struct listed_view {
	Holdfast__Keyd__V1__ListedGrant listed;
	struct grant_view grant;
};

STATUS
key_view_reply_grants(struct rpc_reply *reply,
    const struct registry_key_grant *grants, size_t n_grants, const char *next)
{
	Holdfast__Keyd__V1__ListGrantsResponse page;
	scoped(free) struct listed_view *views =
	    calloc(n_grants + 1, sizeof(*views));
	scoped(free) Holdfast__Keyd__V1__ListedGrant **at =
	    calloc(n_grants + 1, sizeof(Holdfast__Keyd__V1__ListedGrant *));

	if (views == NULL || at == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	for (size_t i = 0; i < n_grants; i++) {
		grant_view_init(&views[i].grant, &grants[i].grant);
		holdfast__keyd__v1__listed_grant__init(&views[i].listed);
		views[i].listed.key_id =
		    pb_octets(grants[i].key.at, KEY_ID_LEN);
		views[i].listed.grant = &views[i].grant.grant;
		at[i] = &views[i].listed;
	}
	holdfast__keyd__v1__list_grants_response__init(&page);
	page.grants = at;
	page.n_grants = n_grants;
	page.next_page_token = pb_text(next);
	rpc_reply_set(reply, &page.base);
	return status_ok();
}
