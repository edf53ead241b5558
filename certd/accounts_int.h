/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_ACCOUNTS_INT_H
#define CERTD_ACCOUNTS_INT_H

#include <stdint.h>

#include "base/status.h"
#include "certd/api.h"
#include "certd/store.h"

/* Within accounts: the services of one account's people. */
STATUS accounts_users_add(struct store *store, struct api *api);
STATUS accounts_tokens_add(struct store *store, struct api *api);
STATUS accounts_contacts_add(struct store *store, struct api *api);

/* Put an act on an object ("user 5") into the account's history. */
STATUS accounts_event(struct db_tx *tx, const struct api_call *call,
    int64_t account, const char *act, const char *kind, int64_t id,
    const char *detail);

#endif
