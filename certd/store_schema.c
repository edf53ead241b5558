/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The schema of certd's database, step by step.  Step n brings it from n to
 * n + 1; never edit one that was released: add.  SQL that PostgreSQL would take
 * too, but for one text index.  What is looked at for every row (dates,
 * state) is apart from what is only shown (PEM).  Times are seconds since 1970
 * UTC; 0 stands for never.
 */

#include "certd/store_schema.h"

const char *const store_migrations[] = {
	/* ---- who ---- */
	"CREATE TABLE meta ("
	" name TEXT PRIMARY KEY,"
	" value TEXT NOT NULL) STRICT, WITHOUT ROWID;"

	"CREATE TABLE account ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" name TEXT NOT NULL UNIQUE,"
	" title TEXT NOT NULL,"
	" created_s INTEGER NOT NULL,"
	/* Goes up with each change of the row: the etag. */
	" revision INTEGER NOT NULL DEFAULT 1) STRICT;"

	"CREATE TABLE user_ ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" account INTEGER NOT NULL REFERENCES account (id),"
	" email TEXT NOT NULL,"
	" name TEXT NOT NULL,"
	" role INTEGER NOT NULL,"
	" created_s INTEGER NOT NULL,"
	" disabled INTEGER NOT NULL DEFAULT 0,"
	" revision INTEGER NOT NULL DEFAULT 1,"
	" UNIQUE (account, email)) STRICT;"
	"CREATE INDEX user_by_account ON user_ (account, id);"

	"CREATE TABLE contact ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" account INTEGER NOT NULL REFERENCES account (id),"
	" kind INTEGER NOT NULL,"
	" name TEXT NOT NULL,"
	" email TEXT NOT NULL,"
	" phone TEXT NOT NULL,"
	" revision INTEGER NOT NULL DEFAULT 1) STRICT;"
	"CREATE INDEX contact_by_account ON contact (account, id);"

	"CREATE TABLE token ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" account INTEGER NOT NULL REFERENCES account (id),"
	" user_id INTEGER REFERENCES user_ (id),"
	" name TEXT NOT NULL,"
	/* SHA-256 of the secret, which has 256 bits of its own. */
	" hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),"
	" hint TEXT NOT NULL,"
	" role INTEGER NOT NULL,"
	" scopes INTEGER NOT NULL,"
	" created_s INTEGER NOT NULL,"
	" created_by TEXT NOT NULL,"
	" expires_s INTEGER NOT NULL,"
	" last_used_s INTEGER NOT NULL DEFAULT 0,"
	" revoked_s INTEGER NOT NULL DEFAULT 0) STRICT;"
	"CREATE INDEX token_by_account ON token (account, id);"
	"CREATE INDEX token_by_user ON token (user_id)"
	" WHERE user_id IS NOT NULL;"

	/* ---- keys and certificates ---- */
	/* A reference: the key itself is in the token. */
	"CREATE TABLE key ("
	" id BLOB PRIMARY KEY CHECK (length(id) = 32),"
	" account INTEGER NOT NULL REFERENCES account (id),"
	" alg INTEGER NOT NULL,"
	" spki BLOB NOT NULL,"
	" pool TEXT NOT NULL,"
	" network TEXT NOT NULL,"
	" label TEXT NOT NULL UNIQUE,"
	" origin INTEGER NOT NULL,"
	" exposed INTEGER NOT NULL,"
	" created_s INTEGER NOT NULL,"
	" created_by TEXT NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE INDEX key_by_account ON key (account);"
	/* Written before keyd is asked for a key, gone with the row of what it
	 * is for: what is left over after a crash is found and destroyed. */
	"CREATE TABLE key_intent ("
	" label TEXT PRIMARY KEY,"
	" account INTEGER NOT NULL,"
	" since_s INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	/* Keys that nothing uses any more, until keyd is about to destroy them.
	 * waits_s: when keyd was asked to, and had it wait for approval. */
	"CREATE TABLE key_doomed ("
	" id BLOB PRIMARY KEY,"
	" since_s INTEGER NOT NULL,"
	" waits_s INTEGER NOT NULL DEFAULT 0,"
	" problem TEXT NOT NULL DEFAULT '') STRICT, WITHOUT ROWID;"

	"CREATE TABLE certificate ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" account INTEGER NOT NULL REFERENCES account (id),"
	" name TEXT NOT NULL,"
	" kind INTEGER NOT NULL,"
	" key BLOB NOT NULL REFERENCES key (id),"
	" fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),"
	" subject TEXT NOT NULL,"
	" issuer TEXT NOT NULL,"
	" serial TEXT NOT NULL,"
	" not_before_s INTEGER NOT NULL,"
	" not_after_s INTEGER NOT NULL,"
	" created_s INTEGER NOT NULL,"
	" created_by TEXT NOT NULL,"
	/* Of name, host names and fingerprint, as certd/search.h has them. */
	" words TEXT NOT NULL DEFAULT '',"
	" revision INTEGER NOT NULL DEFAULT 1,"
	" UNIQUE (account, fingerprint)) STRICT;"
	/* Lists walk along one of these for each kind. */
	"CREATE INDEX certificate_by_id ON certificate (account, kind, id);"
	"CREATE INDEX certificate_by_name"
	" ON certificate (account, kind, name, id);"
	"CREATE INDEX certificate_by_expiry"
	" ON certificate (account, kind, not_after_s, id);"
	"CREATE INDEX certificate_by_id_all ON certificate (kind, id);"
	"CREATE INDEX certificate_by_name_all ON certificate (kind, name, id);"
	"CREATE INDEX certificate_by_expiry_all"
	" ON certificate (kind, not_after_s, id);"
	"CREATE INDEX certificate_by_key ON certificate (key);"
	"CREATE TABLE certificate_chain ("
	" certificate INTEGER PRIMARY KEY REFERENCES certificate (id),"
	/* Leaf first, without the root, each block ending in a newline. */
	" pem TEXT NOT NULL) STRICT;"
	"CREATE TABLE certificate_hostname ("
	" certificate INTEGER NOT NULL REFERENCES certificate (id),"
	/* An A-label name, or one under '*.'. */
	" name TEXT NOT NULL,"
	" PRIMARY KEY (certificate, name)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX certificate_by_hostname"
	" ON certificate_hostname (name, certificate);"
	/* None: all of the account. */
	"CREATE TABLE certificate_scope ("
	" certificate INTEGER NOT NULL REFERENCES certificate (id),"
	" resource INTEGER NOT NULL,"
	" PRIMARY KEY (certificate, resource)) STRICT, WITHOUT ROWID;"
	/* Which certificates have a word, or its begin; list is an account,
	 * 0 for all of them, -1 for the shared ones.  No reference: to check
	 * one would be to read them all. */
	"CREATE TABLE certificate_word ("
	" list INTEGER NOT NULL,"
	" word TEXT NOT NULL,"
	" certificate INTEGER NOT NULL,"
	" PRIMARY KEY (list, word, certificate)) STRICT, WITHOUT ROWID;"

	"CREATE TABLE request ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" account INTEGER NOT NULL REFERENCES account (id),"
	" name TEXT NOT NULL,"
	/* Separated by blanks. */
	" hostnames TEXT NOT NULL,"
	" key BLOB NOT NULL REFERENCES key (id),"
	" csr TEXT NOT NULL,"
	" created_s INTEGER NOT NULL,"
	" created_by TEXT NOT NULL,"
	" certificate INTEGER REFERENCES certificate (id)) STRICT;"
	"CREATE INDEX request_by_account ON request (account, id);"
	"CREATE INDEX request_by_key ON request (key);"
	"CREATE INDEX request_by_certificate ON request (certificate)"
	" WHERE certificate IS NOT NULL;"

	/* ---- resources and what binds them ---- */
	"CREATE TABLE resource ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" account INTEGER NOT NULL REFERENCES account (id),"
	" name TEXT NOT NULL,"
	" network TEXT NOT NULL,"
	" edge_group TEXT NOT NULL,"
	" target TEXT NOT NULL UNIQUE,"
	" origin_host TEXT NOT NULL,"
	" origin_mode INTEGER NOT NULL,"
	" https INTEGER NOT NULL,"
	" mode INTEGER NOT NULL,"
	" created_s INTEGER NOT NULL,"
	" created_by TEXT NOT NULL,"
	" changed_s INTEGER NOT NULL,"
	/* Of edge_version: its newest change that edges must know. */
	" version INTEGER NOT NULL,"
	/* Of name and host names, as certd/search.h has them. */
	" words TEXT NOT NULL DEFAULT '',"
	" revision INTEGER NOT NULL DEFAULT 1,"
	" UNIQUE (account, name)) STRICT;"
	"CREATE INDEX resource_by_version ON resource (edge_group, version);"
	/* One for each order in which a list can be asked for. */
	"CREATE INDEX resource_by_id ON resource (account, id);"
	"CREATE INDEX resource_by_name_all ON resource (name, id);"
	"CREATE INDEX resource_by_group ON resource (edge_group, id);"
	"CREATE INDEX resource_by_group_name"
	" ON resource (edge_group, name, id);"
	"CREATE INDEX resource_by_account_group"
	" ON resource (account, edge_group, id);"
	"CREATE INDEX resource_by_account_group_name"
	" ON resource (account, edge_group, name, id);"
	/* Modes shared and automatic. */
	"CREATE INDEX resource_by_shared ON resource (id)"
	" WHERE mode >= 3 AND https = 1;"
	/* A name has one resource, whatever the account. */
	"CREATE TABLE hostname ("
	" name TEXT PRIMARY KEY,"
	" resource INTEGER NOT NULL REFERENCES resource (id))"
	" STRICT, WITHOUT ROWID;"
	"CREATE INDEX hostname_by_resource ON hostname (resource, name);"
	/* Which resources have a word, or its begin; list is an account, or 0
	 * for all of them. */
	"CREATE TABLE resource_word ("
	" list INTEGER NOT NULL,"
	" word TEXT NOT NULL,"
	" resource INTEGER NOT NULL,"
	" PRIMARY KEY (list, word, resource)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE binding ("
	" resource INTEGER NOT NULL REFERENCES resource (id),"
	/* Kind of key: 1 ECDSA, 2 RSA, 3 Ed25519. */
	" slot INTEGER NOT NULL,"
	" certificate INTEGER NOT NULL REFERENCES certificate (id),"
	" since_s INTEGER NOT NULL,"
	/* Where it is served: the resource's group while its HTTPS is on, else
	 * empty.  So the groups of a certificate that 100,000 resources hold
	 * are found without looking at them. */
	" edge_group TEXT NOT NULL DEFAULT '',"
	" PRIMARY KEY (resource, slot)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX binding_by_certificate"
	" ON binding (certificate, resource);"
	"CREATE INDEX binding_by_group ON binding (certificate, edge_group);"
	/* Shared certificates that resources beyond the one named are still to
	 * be looked at for. */
	"CREATE TABLE shared_todo ("
	" certificate INTEGER PRIMARY KEY,"
	" after_ INTEGER NOT NULL) STRICT;"

	/* ---- edges ---- */
	/* One row a change; the tag tells this history from another that came
	 * to the same number. */
	"CREATE TABLE edge_version ("
	" version INTEGER PRIMARY KEY AUTOINCREMENT,"
	" tag BLOB NOT NULL CHECK (length(tag) = 8),"
	" at_s INTEGER NOT NULL) STRICT;"
	/* Of this database from its first day: edges that followed another one
	 * do not take it for theirs. */
	"INSERT INTO edge_version (tag, at_s) VALUES (randomblob(8), 0);"
	/* A resource that left a group: deleted, or placed elsewhere. */
	"CREATE TABLE site_gone ("
	" edge_group TEXT NOT NULL,"
	" resource INTEGER NOT NULL,"
	" version INTEGER NOT NULL,"
	" PRIMARY KEY (edge_group, resource)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX site_gone_by_version ON site_gone (edge_group, version);"
	/* A certificate that was switched away from: its key's grant stays
	 * until the group's live edges were seen serving version or newer. */
	"CREATE TABLE retirement ("
	" certificate INTEGER NOT NULL REFERENCES certificate (id),"
	" resource INTEGER NOT NULL,"
	" edge_group TEXT NOT NULL,"
	" version INTEGER NOT NULL,"
	" since_s INTEGER NOT NULL,"
	" PRIMARY KEY (certificate, resource, edge_group))"
	" STRICT, WITHOUT ROWID;"
	"CREATE INDEX retirement_by_resource ON retirement (resource);"
	"CREATE INDEX retirement_by_group"
	" ON retirement (certificate, edge_group);"
	/* Operators and auditors whom keyd has stopped, as it last said:
	 * "operator/bob". */
	"CREATE TABLE quarantined ("
	" identity TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;"

	/* Who may sign with which key: as it should be (wanted), and as keyd
	 * was last told (granted; 2: it was asked to, and did not answer). Rows
	 * where the two differ wait for keyd. */
	"CREATE TABLE grant_ ("
	" key BLOB NOT NULL,"
	" edge_group TEXT NOT NULL,"
	" wanted INTEGER NOT NULL,"
	" granted INTEGER NOT NULL,"
	" problem TEXT NOT NULL DEFAULT '',"
	" PRIMARY KEY (key, edge_group)) STRICT, WITHOUT ROWID;"
	/* What is to be taken away comes first. */
	"CREATE INDEX grant_pending ON grant_ (wanted, key, edge_group)"
	" WHERE wanted <> granted;"
	"CREATE TABLE edge ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" name TEXT NOT NULL UNIQUE,"
	" edge_group TEXT NOT NULL,"
	" first_s INTEGER NOT NULL,"
	" last_seen_s INTEGER NOT NULL DEFAULT 0,"
	" applied_version INTEGER NOT NULL DEFAULT 0,"
	" held_version INTEGER NOT NULL DEFAULT 0,"
	" quarantined INTEGER NOT NULL DEFAULT 0,"
	" program TEXT NOT NULL DEFAULT '',"
	" problem TEXT NOT NULL DEFAULT '') STRICT;"
	"CREATE INDEX edge_by_group ON edge (edge_group, name);"
	"CREATE TABLE edge_site ("
	" resource INTEGER NOT NULL,"
	" edge INTEGER NOT NULL REFERENCES edge (id),"
	" applied_version INTEGER NOT NULL,"
	" served_version INTEGER NOT NULL,"
	" seen BLOB,"
	" problem TEXT NOT NULL DEFAULT '',"
	" at_s INTEGER NOT NULL,"
	" PRIMARY KEY (resource, edge)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX edge_site_by_edge"
	" ON edge_site (edge, resource, served_version);"

	/* ---- what was done, and answers to be given again ---- */
	"CREATE TABLE event ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" at_s INTEGER NOT NULL,"
	/* No reference: outlives the account. 0: the operator's own. */
	" account INTEGER NOT NULL,"
	" actor TEXT NOT NULL,"
	" act TEXT NOT NULL,"
	" object TEXT NOT NULL,"
	" detail TEXT NOT NULL) STRICT;"
	"CREATE INDEX event_by_account ON event (account, id);"
	"CREATE TABLE idempotency ("
	" caller TEXT NOT NULL,"
	" key TEXT NOT NULL,"
	/* SHA-256 of method and request. */
	" request BLOB NOT NULL,"
	/* NULL while the first one is under way. */
	" reply BLOB,"
	" at_s INTEGER NOT NULL,"
	" PRIMARY KEY (caller, key)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX idempotency_by_age ON idempotency (at_s);",

	store_schema_acme,
	store_schema_console,
	store_schema_activity,
};
const size_t store_n_migrations =
    sizeof(store_migrations) / sizeof(store_migrations[0]);
