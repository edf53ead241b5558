/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_ACCOUNTS_H
#define CERTD_ACCOUNTS_H

#include "base/status.h"
#include "certd/api.h"
#include "certd/store.h"

/*
 * The services Accounts, Users, Tokens and Contacts.  They keep nothing but
 * what is in the store, which they borrow.
 */
STATUS accounts_register(struct store *store, struct api *api);

#endif
