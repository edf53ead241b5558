/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What accounts have of notices from their first day, and what goes with them;
 * see store_notice_account.h.  Apart from the rest, for accounts know nothing
 * of how notices are found and sent.
 */

#include "certd/notices/store_notice_account.h"

#include "certd/notices/default_rules.h"

STATUS
store_notice_account_begin(struct db_tx *tx, int64_t account)
{
	return db_run(tx, NULL,
	    "INSERT INTO notice_rule (account, event, days, told, disabled)"
	    " SELECT ?1, r.column1, r.column2, r.column3, r.column4"
	    " FROM (" DEFAULT_RULES_VALUES ") r",
	    DB_VALUES(db_int(account)));
}

STATUS
store_notice_account_end(struct db_tx *tx, int64_t account)
{
	static const char *const SQL[] = {
		"DELETE FROM notice_rule WHERE account = ?1",
		"DELETE FROM webhook WHERE account = ?1",
		"DELETE FROM notice WHERE account = ?1",
		"DELETE FROM notice_mute WHERE account = ?1",
	};
	struct status st = status_ok();

	for (size_t i = 0; i < sizeof(SQL) / sizeof(SQL[0]) && !failed(st); i++)
		st = db_run(tx, NULL, SQL[i], DB_VALUES(db_int(account)));
	return st;
}
