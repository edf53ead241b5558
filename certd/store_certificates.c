/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Certificates in the database; see store_certificates.h.  The words that a
 * search looks for stand with the row, and each of them once for every list
 * that shows the certificate (its account's, all, the shared ones): insert,
 * rename and delete keep the two in step.  Lists are in
 * store_certificate_list.c.
 */

#include "certd/store_certificates.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "certd/search.h"
#include "certd/store.h"
#include "proto/holdfast/certd/v1/certificates.pb-c.h"

#define SHARED HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_SHARED
#define LIST_ALL 0
#define LIST_SHARED (-1)

struct status
store_certificates_none(void)
{
	return store_no_such("there is no such certificate");
}

static struct status
no_memory(void)
{
	return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
}

/* ---- words ---- */

typedef struct status (*list_fn)(
    struct db_tx *tx, int64_t list, const char *word, int64_t id);

static struct status
add_word(struct db_tx *tx, int64_t list, const char *word, int64_t id)
{
	return db_run(tx, NULL,
	    "INSERT INTO certificate_word (list, word, certificate)"
	    " VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
	    DB_VALUES(db_int(list), db_text(word), db_int(id)));
}

static struct status
remove_word(struct db_tx *tx, int64_t list, const char *word, int64_t id)
{
	return db_run(tx, NULL,
	    "DELETE FROM certificate_word"
	    " WHERE list = ?1 AND word = ?2 AND certificate = ?3",
	    DB_VALUES(db_int(list), db_text(word), db_int(id)));
}

/* Add or remove all words of a row. */
static struct status
each_word(struct db_tx *tx, const char *words, int64_t account, int kind,
    int64_t id, list_fn fn)
{
	char word[SEARCH_INDEX_MAX];
	struct status st = status_ok();

	while (!failed(st) && search_words_next(&words, word)) {
		st = fn(tx, account, word, id);
		if (!failed(st))
			st = fn(tx, LIST_ALL, word, id);
		if (!failed(st) && kind == SHARED)
			st = fn(tx, LIST_SHARED, word, id);
	}
	return st;
}

static struct status
add_fingerprint(struct search_words *words, const uint8_t *fingerprint)
{
	char text[PKI_FINGERPRINT_TEXT_MAX];

	bytes_to_hex((struct bytes){ fingerprint, PKI_FINGERPRINT_LEN }, text);
	return search_words_add(words, text);
}

/* ---- insert ---- */

static struct status
words_of(
    const struct store_certificate_new *new, struct search_words *ret_words)
{
	struct status st = search_words_add(ret_words, new->name);

	if (!failed(st))
		st = add_fingerprint(ret_words, new->fingerprint);
	for (size_t i = 0; !failed(st) && i < new->n_hostnames; i++)
		st = search_words_add(ret_words, new->hostnames[i]);
	return st;
}

static struct status
insert_row(struct db_tx *tx, const struct store_certificate_new *new,
    const char *words, int64_t *ret_id)
{
	struct status st = db_run(tx, NULL,
	    "INSERT INTO certificate (account, name, kind, key, fingerprint,"
	    " subject, issuer, serial, not_before_s, not_after_s, created_s,"
	    " created_by, words) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"
	    " ?10, ?11, ?12, ?13)",
	    DB_VALUES(db_int(new->account), db_text(new->name),
		db_int(new->kind),
		db_blob((struct bytes){ new->key->at, KEY_ID_LEN }),
		db_blob(
		    (struct bytes){ new->fingerprint, PKI_FINGERPRINT_LEN }),
		db_text(new->subject), db_text(new->issuer),
		db_text(new->serial), db_int(new->not_before_s),
		db_int(new->not_after_s), db_int(store_now_s()),
		db_text(new->created_by), db_text(words)));

	if (!failed(st))
		*ret_id = db_inserted(tx);
	return st;
}

static struct status
insert_scope(struct db_tx *tx, int64_t id, const int64_t *scope, size_t n)
{
	struct status st = status_ok();

	for (size_t i = 0; !failed(st) && i < n; i++)
		st = db_run(tx, NULL,
		    "INSERT INTO certificate_scope (certificate, resource)"
		    " VALUES (?1, ?2) ON CONFLICT DO NOTHING",
		    DB_VALUES(db_int(id), db_int(scope[i])));
	return st;
}

STATUS
store_certificates_insert(
    struct db_tx *tx, const struct store_certificate_new *new, int64_t *ret_id)
{
	scoped(search_words_done) struct search_words words = { 0 };
	int64_t id = 0;
	struct status st = words_of(new, &words);

	if (!failed(st))
		st = insert_row(tx, new, words.text, &id);
	if (!failed(st))
		st = db_run(tx, NULL,
		    "INSERT INTO certificate_chain (certificate, pem)"
		    " VALUES (?1, ?2)",
		    DB_VALUES(db_int(id), db_text(new->chain_pem)));
	for (size_t i = 0; !failed(st) && i < new->n_hostnames; i++)
		st = db_run(tx, NULL,
		    "INSERT INTO certificate_hostname (certificate, name)"
		    " VALUES (?1, ?2)",
		    DB_VALUES(db_int(id), db_text(new->hostnames[i])));
	if (!failed(st))
		st = insert_scope(tx, id, new->scope, new->n_scope);
	if (!failed(st))
		st = each_word(
		    tx, words.text, new->account, new->kind, id, add_word);
	if (!failed(st))
		*ret_id = id;
	return st;
}

/* ---- read ---- */

static void
read_row(struct db_rows *rows, struct store_certificate *ret)
{
	struct bytes fingerprint = db_column_blob(rows, 5);
	struct bytes key = db_column_blob(rows, 14);

	memset(ret, 0, sizeof(*ret));
	ret->id = db_column_int(rows, 0);
	ret->account = db_column_int(rows, 1);
	db_column_text(rows, 2, ret->account_name, sizeof(ret->account_name));
	db_column_text(rows, 3, ret->name, sizeof(ret->name));
	ret->kind = (int)db_column_int(rows, 4);
	/* The schema says that both are 32 octets. */
	memcpy(ret->fingerprint, fingerprint.at, sizeof(ret->fingerprint));
	db_column_text(rows, 6, ret->subject, sizeof(ret->subject));
	db_column_text(rows, 7, ret->issuer, sizeof(ret->issuer));
	db_column_text(rows, 8, ret->serial, sizeof(ret->serial));
	ret->not_before_s = db_column_int(rows, 9);
	ret->not_after_s = db_column_int(rows, 10);
	ret->created_s = db_column_int(rows, 11);
	db_column_text(rows, 12, ret->created_by, sizeof(ret->created_by));
	ret->revision = db_column_int(rows, 13);
	memcpy(ret->key.at, key.at, KEY_ID_LEN);
	ret->alg = (enum key_alg)db_column_int(rows, 15);
	ret->origin = (int)db_column_int(rows, 16);
	ret->exposed = db_column_int(rows, 17) != 0;
	db_column_text(rows, 18, ret->pool, sizeof(ret->pool));
	db_column_text(rows, 19, ret->network, sizeof(ret->network));
}

STATUS
store_certificates_find(
    struct db_tx *tx, int64_t id, struct store_certificate *ret_certificate)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT c.id, c.account, a.name, c.name, c.kind, c.fingerprint,"
	    " c.subject, c.issuer, c.serial, c.not_before_s, c.not_after_s,"
	    " c.created_s, c.created_by, c.revision, k.id, k.alg, k.origin,"
	    " k.exposed, k.pool, k.network"
	    " FROM certificate c JOIN account a ON a.id = c.account"
	    " JOIN key k ON k.id = c.key WHERE c.id = ?1",
	    DB_VALUES(db_int(id)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st))
		return st;
	if (!row)
		return store_certificates_none();
	read_row(rows, ret_certificate);
	return st;
}

STATUS
store_certificates_by_fingerprint(struct db_tx *tx, int64_t account,
    const uint8_t fingerprint[PKI_FINGERPRINT_LEN], int64_t *ret_id)
{
	struct status st = db_number(tx, ret_id,
	    "SELECT id FROM certificate"
	    " WHERE account = ?1 AND fingerprint = ?2",
	    DB_VALUES(db_int(account),
		db_blob((struct bytes){ fingerprint, PKI_FINGERPRINT_LEN })));

	return st.code == STATUS_NOT_FOUND ? store_certificates_none() : st;
}

STATUS
store_certificates_chain(struct db_tx *tx, int64_t id, char **ret_pem)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	char *pem;
	struct status st = db_query(tx, &rows,
	    "SELECT pem FROM certificate_chain WHERE certificate = ?1",
	    DB_VALUES(db_int(id)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st))
		return st;
	if (!row)
		return store_certificates_none();
	pem = db_column_dup(rows, 0);
	if (pem == NULL)
		return no_memory();
	*ret_pem = pem;
	return st;
}

STATUS
store_certificates_hostnames(struct db_tx *tx, int64_t id,
    bool (*each)(void *ctx, const char *name), void *ctx)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	char name[HOSTNAME_MAX];
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT name FROM certificate_hostname"
	    " WHERE certificate = ?1 ORDER BY name",
	    DB_VALUES(db_int(id)));

	while (!failed(st)) {
		st = db_next(rows, &row);
		if (failed(st) || !row)
			break;
		db_column_text(rows, 0, name, sizeof(name));
		if (!each(ctx, name))
			break;
	}
	return st;
}

/* Rows of a resource's id and name. */
static struct status
each_resource(struct db_tx *tx, const char *sql, const struct db_value *values,
    size_t n_values, store_certificates_resource each, void *ctx)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	char name[256];
	bool row = false;
	struct status st = db_query(tx, &rows, sql, values, n_values);

	while (!failed(st)) {
		st = db_next(rows, &row);
		if (failed(st) || !row)
			break;
		db_column_text(rows, 1, name, sizeof(name));
		if (!each(ctx, db_column_int(rows, 0), name))
			break;
	}
	return st;
}

STATUS
store_certificates_scope(
    struct db_tx *tx, int64_t id, store_certificates_resource each, void *ctx)
{
	/* One that was deleted stays in the scope, nameless: else the scope
	 * could become empty, which means all. */
	return each_resource(tx,
	    "SELECT s.resource, coalesce(r.name, '')"
	    " FROM certificate_scope s LEFT JOIN resource r ON r.id = "
	    "s.resource"
	    " WHERE s.certificate = ?1 ORDER BY s.resource",
	    DB_VALUES(db_int(id)), each, ctx);
}

STATUS
store_certificates_holders(struct db_tx *tx, int64_t id, size_t max,
    store_certificates_resource each, void *ctx)
{
	return each_resource(tx,
	    "SELECT r.id, r.name FROM binding b"
	    " JOIN resource r ON r.id = b.resource"
	    " WHERE b.certificate = ?1 ORDER BY b.resource LIMIT ?2",
	    DB_VALUES(db_int(id), db_int((int64_t)max)), each, ctx);
}

STATUS
store_certificates_bound(struct db_tx *tx, int64_t id, int64_t *ret_n)
{
	return db_number(tx, ret_n,
	    "SELECT count(*) FROM binding WHERE certificate = ?1",
	    DB_VALUES(db_int(id)));
}

struct status
store_certificates_no_resource(void)
{
	return store_no_such("there is no such resource");
}

STATUS
store_certificates_resource_account(
    struct db_tx *tx, int64_t resource, int64_t *ret_account)
{
	struct status st = db_number(tx, ret_account,
	    "SELECT account FROM resource WHERE id = ?1",
	    DB_VALUES(db_int(resource)));

	return st.code == STATUS_NOT_FOUND ? store_certificates_no_resource()
					   : st;
}

STATUS
store_certificates_check_scope(struct db_tx *tx, int64_t account,
    const int64_t *scope, size_t n, int64_t *ret_missing)
{
	int64_t one;
	struct status st = status_ok();

	for (size_t i = 0; !failed(st) && i < n; i++) {
		st = db_number(tx, &one,
		    "SELECT 1 FROM resource WHERE id = ?1 AND account = ?2",
		    DB_VALUES(db_int(scope[i]), db_int(account)));
		if (st.code == STATUS_NOT_FOUND) {
			*ret_missing = scope[i];
			st = store_certificates_no_resource();
		}
	}
	return st;
}

/* ---- change ---- */

/* account, kind and words of a row; words malloc'd. */
static struct status
read_words(struct db_tx *tx, int64_t id, int64_t *ret_account, int *ret_kind,
    char **ret_words)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	char *words;
	struct status st = db_query(tx, &rows,
	    "SELECT account, kind, words FROM certificate WHERE id = ?1",
	    DB_VALUES(db_int(id)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st))
		return st;
	if (!row)
		return store_certificates_none();
	words = db_column_dup(rows, 2);
	if (words == NULL)
		return no_memory();
	*ret_account = db_column_int(rows, 0);
	*ret_kind = (int)db_column_int(rows, 1);
	*ret_words = words;
	return st;
}

/* The name is the first field: what comes after its newline stays. */
static struct status
renamed_words(const char *old, const char *name, char **ret_words)
{
	scoped(search_words_done) struct search_words first = { 0 };
	const char *others = strchr(old, '\n');
	struct status st = search_words_add(&first, name);
	size_t len;
	char *words;

	if (failed(st))
		return st;
	others = others == NULL ? "" : others + 1;
	len = strlen(others);
	words = malloc(first.len + len + 1);
	if (words == NULL)
		return no_memory();
	memcpy(words, first.text, first.len);
	memcpy(words + first.len, others, len + 1);
	*ret_words = words;
	return st;
}

STATUS
store_certificates_rename(struct db_tx *tx, int64_t id, const char *name)
{
	scoped(free) char *old = NULL;
	scoped(free) char *new = NULL;
	int64_t account = 0;
	int kind = 0;
	struct status st = read_words(tx, id, &account, &kind, &old);

	if (!failed(st))
		st = renamed_words(old, name, &new);
	if (!failed(st))
		st = each_word(tx, old, account, kind, id, remove_word);
	if (!failed(st))
		st = each_word(tx, new, account, kind, id, add_word);
	if (!failed(st))
		st = db_run(tx, NULL,
		    "UPDATE certificate SET name = ?2, words = ?3,"
		    " revision = revision + 1 WHERE id = ?1",
		    DB_VALUES(db_int(id), db_text(name), db_text(new)));
	return st;
}

STATUS
store_certificates_set_scope(
    struct db_tx *tx, int64_t id, const int64_t *scope, size_t n)
{
	struct status st = db_run(tx, NULL,
	    "DELETE FROM certificate_scope WHERE certificate = ?1",
	    DB_VALUES(db_int(id)));

	if (!failed(st))
		st = insert_scope(tx, id, scope, n);
	if (!failed(st))
		st = db_run(tx, NULL,
		    "UPDATE certificate SET revision = revision + 1"
		    " WHERE id = ?1",
		    DB_VALUES(db_int(id)));
	return st;
}

STATUS
store_certificates_delete(struct db_tx *tx, int64_t id)
{
	static const char *const PARTS[] = {
		"DELETE FROM certificate_chain WHERE certificate = ?1",
		"DELETE FROM certificate_hostname WHERE certificate = ?1",
		"DELETE FROM certificate_scope WHERE certificate = ?1",
		"DELETE FROM retirement WHERE certificate = ?1",
		"UPDATE request SET certificate = NULL WHERE certificate = ?1",
		"UPDATE renewal SET certificate = NULL WHERE certificate = ?1",
		"DELETE FROM certificate WHERE id = ?1",
	};
	scoped(free) char *words = NULL;
	int64_t account = 0;
	int kind = 0;
	struct status st = read_words(tx, id, &account, &kind, &words);

	if (!failed(st))
		st = each_word(tx, words, account, kind, id, remove_word);
	for (size_t i = 0; !failed(st) && i < sizeof(PARTS) / sizeof(PARTS[0]);
	     i++)
		st = db_run(tx, NULL, PARTS[i], DB_VALUES(db_int(id)));
	return st;
}
