/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CUSTODY_VIEW_H
#define CERTD_CUSTODY_VIEW_H

#include <stdint.h>

#include "base/signing.h"
#include "base/status.h"
#include "certd/custody.h"
#include "proto/holdfast/keyd/v1/audit.pb-c.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"
#include "proto/holdfast/keyd/v1/status.pb-c.h"

/*
 * What people look at of keyd, passed on as keyd says it: certd decides nothing
 * by it.  As in custody.h: any thread, blocks up to the time-out, ret_why
 * (CUSTODY_WHY_MAX octets) gets keyd's own sentence on failure.  Replies are
 * freed with message_free.
 */
STATUS custody_view_status(struct custody *custody,
    Holdfast__Keyd__V1__GetStatusResponse **ret_reply, char *ret_why);
STATUS custody_view_signing(struct custody *custody, uint32_t window_s,
    Holdfast__Keyd__V1__GetSigningResponse **ret_reply, char *ret_why);

/* All keys, by label. */
STATUS custody_view_keys(struct custody *custody, uint32_t size,
    const char *page_token, Holdfast__Keyd__V1__ListKeysResponse **ret_reply,
    char *ret_why);
STATUS custody_view_key(struct custody *custody, const struct key_id *id,
    Holdfast__Keyd__V1__Key **ret_key, char *ret_why);
/* Blocks up to two minutes: keyd reads its whole ledger. */
STATUS custody_view_dossier(struct custody *custody, const struct key_id *id,
    Holdfast__Keyd__V1__DossierResponse **ret_reply, char *ret_why);

STATUS custody_view_ledger(struct custody *custody,
    Holdfast__Keyd__V1__DescribeAuditResponse **ret_reply, char *ret_why);
/* The entries that the request lets through, at most CUSTODY_VIEW_ENTRIES_MAX
 * octets of them (RESOURCE_EXHAUSTED): bound it by last or limit. */
#define CUSTODY_VIEW_ENTRIES_MAX ((size_t)4 * 1024 * 1024)
STATUS custody_view_entries(struct custody *custody,
    const Holdfast__Keyd__V1__EntriesRequest *request,
    Holdfast__Keyd__V1__EntryBatch **ret_reply, char *ret_why);
STATUS custody_view_proof(struct custody *custody, uint64_t number,
    Holdfast__Keyd__V1__ProveResponse **ret_reply, char *ret_why);

/* Nothing is signed any more for that edge, from its next request on.  There is
 * no way back from here.  for_whom as in custody_generate. */
STATUS custody_view_quarantine(struct custody *custody, const char *edge,
    const char *reason, const char *for_whom, char *ret_why);

#endif
