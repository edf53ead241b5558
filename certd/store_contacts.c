/* SPDX-License-Identifier: Apache-2.0 */

/* Contacts in the database; see store_contacts.h. */

#include "certd/store_contacts.h"

#include "certd/page.h"
#include "certd/store.h"

#define SELECT                                                                 \
	"SELECT contact.id, account, account.name, kind, contact.name, email," \
	" phone, contact.revision"                                             \
	" FROM contact JOIN account ON account.id = contact.account "

static void
read_row(struct db_rows *rows, struct store_contact *ret)
{
	ret->id = db_column_int(rows, 0);
	ret->account = db_column_int(rows, 1);
	db_column_text(rows, 2, ret->account_name, sizeof(ret->account_name));
	ret->kind = (int)db_column_int(rows, 3);
	db_column_text(rows, 4, ret->name, sizeof(ret->name));
	db_column_text(rows, 5, ret->email, sizeof(ret->email));
	db_column_text(rows, 6, ret->phone, sizeof(ret->phone));
	ret->revision = db_column_int(rows, 7);
}

STATUS
store_contacts_add(
    struct db_tx *tx, const struct store_contact *contact, int64_t *ret_contact)
{
	struct status st = db_run(tx, NULL,
	    "INSERT INTO contact (account, kind, name, email, phone)"
	    " VALUES (?1, ?2, ?3, ?4, ?5)",
	    DB_VALUES(db_int(contact->account), db_int(contact->kind),
		db_text(contact->name), db_text(contact->email),
		db_text(contact->phone)));

	if (!failed(st))
		*ret_contact = db_inserted(tx);
	return st;
}

STATUS
store_contacts_get(
    struct db_tx *tx, int64_t contact, struct store_contact *ret_contact)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows, SELECT "WHERE contact.id = ?1",
	    DB_VALUES(db_int(contact)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = store_no_such("there is no such contact");
	if (!failed(st))
		read_row(rows, ret_contact);
	return st;
}

STATUS
store_contacts_update(struct db_tx *tx, const struct store_contact *contact)
{
	return db_run(tx, NULL,
	    "UPDATE contact SET kind = ?2, name = ?3, email = ?4, phone = ?5,"
	    " revision = revision + 1 WHERE id = ?1",
	    DB_VALUES(db_int(contact->id), db_int(contact->kind),
		db_text(contact->name), db_text(contact->email),
		db_text(contact->phone)));
}

STATUS
store_contacts_remove(struct db_tx *tx, int64_t contact)
{
	return db_run(tx, NULL, "DELETE FROM contact WHERE id = ?1",
	    DB_VALUES(db_int(contact)));
}

struct show {
	bool (*each)(void *ctx, const struct store_contact *contact);
	void *ctx;
};

static bool
show(void *ctx, struct db_rows *row)
{
	const struct show *to = ctx;
	struct store_contact contact;

	read_row(row, &contact);
	return to->each(to->ctx, &contact);
}

STATUS
store_contacts_list(struct db_tx *tx, const struct page *page,
    bool (*each)(void *ctx, const struct store_contact *contact), void *ctx,
    bool *ret_more)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct show to = { each, ctx };
	struct status st =
	    page->account != 0
		? db_query(tx, &rows,
		      SELECT "WHERE account = ?1 AND contact.id > ?2"
			     " ORDER BY contact.id LIMIT ?3",
		      DB_VALUES(db_int(page->account), db_int(page->from),
			  db_int((int64_t)page->size + 1)))
		: db_query(tx, &rows,
		      SELECT
		      "WHERE contact.id > ?1 ORDER BY contact.id LIMIT ?2",
		      DB_VALUES(
			  db_int(page->from), db_int((int64_t)page->size + 1)));

	return failed(st) ? st
			  : page_rows(rows, page->size, show, &to, ret_more);
}

STATUS
store_contacts_count(struct db_tx *tx, int64_t account, int64_t *ret_n)
{
	return db_number(tx, ret_n,
	    "SELECT count(*) FROM contact WHERE account = ?1",
	    DB_VALUES(db_int(account)));
}
