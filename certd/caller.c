/* SPDX-License-Identifier: Apache-2.0 */

/* Which account a request is about; see caller.h. */

#include "certd/caller.h"

#include "certd/store.h"

static struct status
no_such_account(void)
{
	return store_no_such("there is no such account");
}

static struct status
find(struct db_tx *tx, const char *name, int64_t *ret_account)
{
	struct status st = db_number(tx, ret_account,
	    "SELECT id FROM account WHERE name = ?1", DB_VALUES(db_text(name)));

	return st.code == STATUS_NOT_FOUND ? no_such_account() : st;
}

STATUS
caller_account_or_all(const struct caller *caller, struct db_tx *tx,
    const char *name, int64_t *ret_account)
{
	int64_t account = 0;
	struct status st;

	if (name == NULL || name[0] == 0) {
		*ret_account = caller->account;
		return status_ok();
	}
	st = find(tx, name, &account);
	if (failed(st))
		return st;
	if (!caller_sees(caller, account))
		return no_such_account();
	*ret_account = account;
	return st;
}

STATUS
caller_account(const struct caller *caller, struct db_tx *tx, const char *name,
    int64_t *ret_account)
{
	int64_t account = 0;
	struct status st = caller_account_or_all(caller, tx, name, &account);

	if (failed(st))
		return st;
	if (account == 0)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "name the account: who sees all accounts must say which "
		    "one is meant");
	*ret_account = account;
	return st;
}
