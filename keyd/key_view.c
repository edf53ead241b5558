/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Registry rows as protobuf messages.  The messages borrow everything from the
 * rows and live as long as the call that packs them.
 */

#include "keyd/key_view.h"

#include <stdlib.h>

#include "base/scoped.h"
#include "keyd/pb.h"

struct view {
	Holdfast__Keyd__V1__Key key;
	Holdfast__Keyd__V1__TokenAttributes attributes;
};

struct grant_view {
	Holdfast__Keyd__V1__KeyGrant grant;
	Holdfast__Keyd__V1__Context contexts[CONTEXT_END_];
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
}

static void
grant_view_init(struct grant_view *view, const struct registry_grant *row)
{
	Holdfast__Keyd__V1__KeyGrant *grant = &view->grant;

	holdfast__keyd__v1__key_grant__init(grant);
	grant->identity = pb_text(row->pattern);
	grant->contexts = view->contexts;
	for (unsigned c = CONTEXT_NONE + 1; c < CONTEXT_END_; c++)
		if ((row->contexts & 1u << c) != 0)
			view->contexts[grant->n_contexts++] =
			    (Holdfast__Keyd__V1__Context)c;
}

void
key_view_reply(struct rpc_reply *reply, const struct registry_key *key,
    const struct registry_grant *grants, size_t n_grants)
{
	struct grant_view views[REGISTRY_GRANTS_MAX];
	Holdfast__Keyd__V1__KeyGrant *at[REGISTRY_GRANTS_MAX];
	struct view view;

	view_init(&view, key);
	for (size_t i = 0; i < n_grants; i++) {
		grant_view_init(&views[i], &grants[i]);
		at[i] = &views[i].grant;
	}
	view.key.grants = at;
	view.key.n_grants = n_grants;
	rpc_reply_set(reply, &view.key.base);
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
