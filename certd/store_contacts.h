/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_CONTACTS_H
#define CERTD_STORE_CONTACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/caller.h"
#include "certd/page.h"
#include "certd/store_users.h"
#include "certd/text.h"

/* Contacts of accounts as they are kept.  Within the caller's transaction. */
struct store_contact {
	int64_t id, account;
	char account_name[ACCOUNT_NAME_MAX];
	int kind; /* holdfast.certd.v1.ContactKind */
	char name[STORE_PERSON_MAX];
	char email[STORE_EMAIL_MAX];
	char phone[TEXT_PHONE_MAX];
	int64_t revision;
};

/* Takes all but id, account_name and revision. */
STATUS store_contacts_add(struct db_tx *tx, const struct store_contact *contact,
    int64_t *ret_contact);
/* NOT_FOUND, whoever's it is; the caller looks at account. */
STATUS store_contacts_get(
    struct db_tx *tx, int64_t contact, struct store_contact *ret_contact);
/* Writes kind, name, email and phone of that id. */
STATUS store_contacts_update(
    struct db_tx *tx, const struct store_contact *contact);
STATUS store_contacts_remove(struct db_tx *tx, int64_t contact);

/* In order of ids. */
STATUS store_contacts_list(struct db_tx *tx, const struct page *page,
    bool (*each)(void *ctx, const struct store_contact *contact), void *ctx,
    bool *ret_more);
STATUS store_contacts_count(struct db_tx *tx, int64_t account, int64_t *ret_n);

#endif
