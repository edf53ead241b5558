/* SPDX-License-Identifier: Apache-2.0 */

/* A desk for tests of notices, over that of enrollments. */

#include "tests/unit/notices_desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "certd/notices/store_notice_account.h"
#include "certd/notices/store_webhooks.h"
#include "certd/store_contacts.h"
#include "certd/store_users.h"

static char operator_[] = "ops@example.net";
static char *operators[] = { operator_ };

struct db_tx *
notices_desk_write(struct notices_desk *nd)
{
	struct db_tx *tx;

	OK(store_write(nd->desk->store, &tx));
	return tx;
}

void
notices_desk_commit(struct notices_desk *nd, struct db_tx *tx, struct status st)
{
	st = store_commit(nd->desk->store, tx, st);
	if (failed(st))
		fail_msg("%s", st.why);
}

void
notices_desk_run(struct notices_desk *nd, const char *sql)
{
	struct db_tx *tx = notices_desk_write(nd);

	notices_desk_commit(nd, tx, db_run(tx, NULL, sql, DB_NONE));
}

int64_t
notices_desk_number(struct notices_desk *nd, const char *sql)
{
	return desk_number(nd->desk, sql);
}

static struct status
add_user(struct db_tx *tx, int64_t account, const char *email, int role)
{
	struct store_user user = { .account = account, .role = role };
	int64_t id = 0;

	snprintf(user.email, sizeof(user.email), "%s", email);
	return store_users_add(tx, &user, &id);
}

static struct status
add_contact(struct db_tx *tx, int64_t account, const char *email, int kind,
    int64_t *ret_id)
{
	struct store_contact contact = { .account = account, .kind = kind };

	snprintf(contact.email, sizeof(contact.email), "%s", email);
	return store_contacts_add(tx, &contact, ret_id);
}

static void
add_people(struct notices_desk *nd)
{
	struct db_tx *tx = notices_desk_write(nd);
	int64_t acme = nd->desk->acme, other = nd->desk->other, id = 0;
	struct status st = store_notice_account_begin(tx, acme);

	if (!failed(st))
		st = store_notice_account_begin(tx, other);
	if (!failed(st))
		st = add_user(tx, acme, "Ada@Acme.example", 1);
	if (!failed(st))
		st = add_user(tx, acme, "eve@acme.example", 2);
	if (!failed(st))
		st = add_user(tx, acme, "vic@acme.example", 3);
	if (!failed(st))
		st = add_user(tx, other, "olga@other.example", 1);
	if (!failed(st))
		st = add_contact(tx, acme, "adm@acme.example", 1, &id);
	if (!failed(st))
		st = add_contact(
		    tx, acme, "tec@acme.example", 2, &nd->technical);
	notices_desk_commit(nd, tx, st);
}

int
notices_desk_set_up(void **state)
{
	struct notices_desk *nd = calloc(1, sizeof(*nd));
	void *desk = NULL;

	assert_non_null(nd);
	post_fake_reset();
	enroll_desk_set_up(&desk);
	nd->desk = desk;
	OK(secrets_open(nd->desk->folder, &nd->secrets));
	nd->operators = (struct conf_strings){ operators, 1 };
	nd->teller.console_url = DESK_CONSOLE;
	nd->teller.operators = &nd->operators;
	add_people(nd);
	*state = nd;
	return 0;
}

int
notices_desk_tear_down(void **state)
{
	struct notices_desk *nd = *state;
	void *desk = nd->desk;
	int result;

	secrets_close(nd->secrets);
	free(nd);
	result = enroll_desk_tear_down(&desk);
	post_fake_reset();
	return result;
}

struct notice_row
notices_desk_newest(struct notices_desk *nd)
{
	int64_t id = notices_desk_number(nd, "SELECT max(id) FROM notice");
	struct notice_row row;
	struct db_tx *tx;

	OK(store_read(nd->desk->store, &tx));
	OK(store_notices_load(tx, id, &row));
	db_end(tx);
	return row;
}

const char *
notices_desk_told(struct notices_desk *nd, int event, const char *occasion)
{
	static char told[4096];
	struct db_rows *rows;
	struct db_tx *tx;
	bool row = false;

	told[0] = 0;
	OK(store_read(nd->desk->store, &tx));
	OK(db_query(tx, &rows,
	    "SELECT recipient FROM notice WHERE event = ?1 AND occasion = ?2"
	    " ORDER BY recipient",
	    DB_VALUES(db_int(event), db_text(occasion))));
	OK(db_next(rows, &row));
	while (row) {
		char recipient[256];
		size_t used = strlen(told);

		db_column_text(rows, 0, recipient, sizeof(recipient));
		snprintf(told + used, sizeof(told) - used, "%s%s",
		    used == 0 ? "" : " ", recipient);
		OK(db_next(rows, &row));
	}
	db_rows_free(rows);
	db_end(tx);
	return told;
}

int64_t
notices_desk_queue(
    struct notices_desk *nd, const char *recipient, int64_t webhook)
{
	static unsigned serial;
	struct notice_row row = { .account = nd->desk->acme,
		.event = NOTICE_ISSUED,
		.webhook = webhook };
	char text[] = "text\n\n", html[] = "<div>html\n",
	     payload[] = "{\"event\":\"issued\"}";
	const struct notice_body body = { text, html, payload };
	struct db_tx *tx = notices_desk_write(nd);
	bool is_new = false;

	snprintf(row.object, sizeof(row.object), "certificate %u", ++serial);
	snprintf(row.occasion, sizeof(row.occasion), "issued");
	snprintf(row.recipient, sizeof(row.recipient), "%s", recipient);
	snprintf(row.subject, sizeof(row.subject), "subject %u", serial);
	notices_desk_commit(
	    nd, tx, store_notices_put(tx, &row, &body, &is_new));
	assert_true(is_new);
	return notices_desk_number(nd, "SELECT max(id) FROM notice");
}

int64_t
notices_desk_webhook(struct notices_desk *nd, const char *name, const char *url)
{
	struct webhook_row row = { .account = nd->desk->acme };
	struct db_tx *tx = notices_desk_write(nd);

	snprintf(row.name, sizeof(row.name), "%s", name);
	snprintf(row.url, sizeof(row.url), "%s", url);
	OK(secrets_salt(row.salt));
	notices_desk_commit(nd, tx, store_webhooks_insert(tx, &row));
	return row.id;
}

int64_t
notices_desk_certificate(struct notices_desk *nd, const char *name,
    const char *hostnames, int64_t left_s)
{
	int64_t id = desk_certificate(nd->desk,
	    (struct desk_certificate){ .name = name, .hostnames = hostnames });
	char sql[160];

	snprintf(sql, sizeof(sql),
	    "UPDATE certificate SET not_after_s = %lld WHERE id = %lld",
	    (long long)(store_now_s() + left_s), (long long)id);
	notices_desk_run(nd, sql);
	return id;
}
