/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_KEY_VIEW_H
#define KEYD_KEY_VIEW_H

#include "keyd/registry.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"
#include "rpc/server.h"

/* Keys as their protobuf messages; the replies of the Keys service. */

/* One key and its grants; key NULL: of a key group, only its grants. */
void key_view_reply(struct rpc_reply *reply, const struct registry_key *key,
    const struct registry_grant *grants, size_t n_grants);

/* The same in a GrantResponse; approval NULL: the act did not wait. */
void key_view_reply_grant(struct rpc_reply *reply,
    const struct registry_key *key, const struct registry_grant *grants,
    size_t n_grants, const struct registry_approval *approval);

/* The same in a ScheduleDestructionResponse. */
void key_view_reply_schedule(struct rpc_reply *reply,
    const struct registry_key *key, const struct registry_grant *grants,
    size_t n_grants, const struct registry_approval *approval);

/* A page of grants on keys, in a ListGrantsResponse. */
STATUS key_view_reply_grants(struct rpc_reply *reply,
    const struct registry_key_grant *grants, size_t n_grants, const char *next);

/* A page of keys without grants; next is the token of the page after, or "". */
STATUS key_view_reply_page(struct rpc_reply *reply,
    const struct registry_key *keys, size_t n_keys, const char *next);

#endif
