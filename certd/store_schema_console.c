/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The step of the schema that brought people who log in, and notices.  Secrets
 * that certd must show again or compute with (of second factors, of webhooks)
 * are not in the database: a row has a salt, and the secret is made of it with
 * a key that stands in a file of its own.
 */

#include "certd/notices/default_rules.h"
#include "certd/store_schema.h"

const char store_schema_console[] =
    /* ---- people who log in ---- */
    "CREATE INDEX user_by_email ON user_ (lower(email));"
    "CREATE TABLE login ("
    " user_id INTEGER PRIMARY KEY REFERENCES user_ (id) ON DELETE CASCADE,"
    /* "scrypt:LOG2N:R:P:SALT:HASH", base64; empty: none yet. */
    " password TEXT NOT NULL DEFAULT '',"
    " password_s INTEGER NOT NULL DEFAULT 0,"
    " totp_salt BLOB,"
    /* Confirmed by a code. */
    " totp_on INTEGER NOT NULL DEFAULT 0,"
    /* The last step of time that a code was taken of (RFC 6238 5.2). */
    " totp_step INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE TABLE session ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    /* SHA-256 of the cookie. */
    " hash BLOB NOT NULL UNIQUE,"
    /* NULL: an operator's or an auditor's of the whole. */
    " user_id INTEGER REFERENCES user_ (id) ON DELETE CASCADE,"
    /* "operator/admin"; empty for users. */
    " identity TEXT NOT NULL,"
    " method INTEGER NOT NULL,"
    " created_s INTEGER NOT NULL,"
    " seen_s INTEGER NOT NULL,"
    " expires_s INTEGER NOT NULL,"
    " address TEXT NOT NULL,"
    " user_agent TEXT NOT NULL) STRICT;"
    "CREATE INDEX session_by_user ON session (user_id, id);"
    "CREATE INDEX session_by_identity ON session (identity, id);"
    "CREATE INDEX session_by_end ON session (expires_s);"
    "CREATE TABLE login_link ("
    " hash BLOB PRIMARY KEY,"
    " user_id INTEGER REFERENCES user_ (id) ON DELETE CASCADE,"
    " identity TEXT NOT NULL,"
    " created_by TEXT NOT NULL,"
    /* Of created_by: the user, and the API token that it came by; 0: none,
     * an operator made it.  No reference: when one is gone, the link is good
     * for nothing. */
    " maker_user INTEGER NOT NULL DEFAULT 0,"
    " maker_token INTEGER NOT NULL DEFAULT 0,"
    /* When the certificate of an identity ends; 0: of a user. */
    " not_after_s INTEGER NOT NULL DEFAULT 0,"
    /* Takes away the second factor when it is used. */
    " reset_totp INTEGER NOT NULL DEFAULT 0,"
    " expires_s INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX login_link_by_user ON login_link (user_id);"
    "CREATE INDEX login_link_by_end ON login_link (expires_s);"

    /* ---- what the overview looks for ---- */
    "CREATE INDEX resource_plain ON resource (account, id) WHERE https = 0;"
    "CREATE INDEX resource_plain_all ON resource (id) WHERE https = 0;"
    "CREATE INDEX edge_site_problem ON edge_site (resource)"
    " WHERE problem <> '';"
    "CREATE INDEX key_by_age ON key (account, created_s, id);"

    /* ---- notices ---- */
    "CREATE TABLE webhook ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    /* No reference: 0 is the operator's own. */
    " account INTEGER NOT NULL,"
    " name TEXT NOT NULL,"
    " url TEXT NOT NULL,"
    " salt BLOB NOT NULL,"
    " disabled INTEGER NOT NULL DEFAULT 0,"
    " created_s INTEGER NOT NULL,"
    " last_s INTEGER NOT NULL DEFAULT 0,"
    " last_problem TEXT NOT NULL DEFAULT '',"
    /* In a row; and until when it is left alone. */
    " failures INTEGER NOT NULL DEFAULT 0,"
    " rests_s INTEGER NOT NULL DEFAULT 0,"
    " revision INTEGER NOT NULL DEFAULT 1,"
    " UNIQUE (account, name)) STRICT;"
    "CREATE INDEX webhook_by_account ON webhook (account, id);"
    "CREATE INDEX webhook_by_rest ON webhook (rests_s) WHERE rests_s > 0;"
    "CREATE TABLE notice_rule ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    /* No reference: 0 is about the whole. */
    " account INTEGER NOT NULL,"
    " event INTEGER NOT NULL,"
    /* Numbers separated by blanks, falling. */
    " days TEXT NOT NULL DEFAULT '',"
    /* Bits: roles and kinds of contacts (certd/notices/notice_rules.h). */
    " told INTEGER NOT NULL,"
    /* Separated by blanks. */
    " emails TEXT NOT NULL DEFAULT '',"
    " webhooks TEXT NOT NULL DEFAULT '',"
    " disabled INTEGER NOT NULL DEFAULT 0,"
    " revision INTEGER NOT NULL DEFAULT 1) STRICT;"
    "CREATE INDEX notice_rule_by_account ON notice_rule (account, event, id);"
    /* Which days are asked for at all. */
    "CREATE INDEX notice_rule_by_days ON notice_rule (event, days)"
    " WHERE disabled = 0;"
    /* What is to be told to one recipient: once for each occasion. */
    "CREATE TABLE notice ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " account INTEGER NOT NULL,"
    " event INTEGER NOT NULL,"
    /* "certificate 17", and what tells this occasion from the next:
     * "14 days", "change 9". */
    " object TEXT NOT NULL,"
    " occasion TEXT NOT NULL,"
    /* An address in lower case, or "webhook 3". */
    " recipient TEXT NOT NULL,"
    " webhook INTEGER NOT NULL DEFAULT 0,"
    " days INTEGER NOT NULL DEFAULT 0,"
    " subject TEXT NOT NULL,"
    " text TEXT NOT NULL,"
    /* Without its end; empty once it was sent. */
    " html TEXT NOT NULL,"
    /* JSON, of a webhook. */
    " payload TEXT NOT NULL DEFAULT '',"
    " state INTEGER NOT NULL,"
    " created_s INTEGER NOT NULL,"
    /* NULL: nothing more is done. */
    " next_s INTEGER,"
    " give_up_s INTEGER NOT NULL,"
    /* Who sends it now has it till then: another certd waits. */
    " claimed_until_s INTEGER NOT NULL DEFAULT 0,"
    " sent_s INTEGER NOT NULL DEFAULT 0,"
    /* The first notice of the mail that it went out in; 0: in none. */
    " mail INTEGER NOT NULL DEFAULT 0,"
    " attempts INTEGER NOT NULL DEFAULT 0,"
    " problem TEXT NOT NULL DEFAULT '',"
    " UNIQUE (object, event, occasion, recipient)) STRICT;"
    "CREATE INDEX notice_mail_due ON notice (next_s)"
    " WHERE next_s IS NOT NULL AND webhook = 0;"
    /* Accounts take turns. */
    "CREATE INDEX notice_mail_by_account ON notice (account, next_s)"
    " WHERE next_s IS NOT NULL AND webhook = 0;"
    /* What goes out in one mail, and how many mails there were. */
    "CREATE INDEX notice_mail_together ON notice (account, recipient, event,"
    " next_s) WHERE next_s IS NOT NULL AND webhook = 0;"
    "CREATE INDEX notice_mail_sent ON notice (account, recipient, event,"
    " sent_s) WHERE mail = id;"
    "CREATE INDEX notice_webhook_due ON notice (webhook, next_s)"
    " WHERE next_s IS NOT NULL AND webhook <> 0;"
    /* What may be dealt with before it is sent. */
    "CREATE INDEX notice_queued ON notice (event, id)"
    " WHERE next_s IS NOT NULL;"
    "CREATE INDEX notice_by_account ON notice (account, id);"
    "CREATE INDEX notice_by_recipient ON notice (account, recipient, event,"
    " created_s) WHERE webhook = 0;"
    "CREATE INDEX notice_by_state ON notice (account, state, id);"
    "CREATE INDEX notice_by_state_all ON notice (state, id);"
    "CREATE INDEX notice_by_object ON notice (object, id);"
    "CREATE INDEX notice_by_age ON notice (created_s);"
    /* What is wrong about the whole now, so that it is told once, and its end
     * too. */
    "CREATE TABLE notice_trouble ("
    " object TEXT NOT NULL,"
    " event INTEGER NOT NULL,"
    " since_s INTEGER NOT NULL,"
    /* Since when it is well again; 0: it is not. */
    " well_s INTEGER NOT NULL DEFAULT 0,"
    " told INTEGER NOT NULL DEFAULT 0,"
    " problem TEXT NOT NULL,"
    " PRIMARY KEY (object, event)) STRICT, WITHOUT ROWID;"
    /* Who wants none of an event any more. */
    "CREATE TABLE notice_mute ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " account INTEGER NOT NULL,"
    " recipient TEXT NOT NULL,"
    " event INTEGER NOT NULL,"
    " at_s INTEGER NOT NULL,"
    /* Since when they are sent again, and who said so; 0: they are not.  Such
     * a row stays: it says what the recipient wanted, and who undid it. */
    " lifted_s INTEGER NOT NULL DEFAULT 0,"
    " lifted_by TEXT NOT NULL DEFAULT '') STRICT;"
    "CREATE UNIQUE INDEX notice_mute_now ON notice_mute (account, recipient,"
    " event) WHERE lifted_s = 0;"
    "CREATE INDEX notice_mute_by_account ON notice_mute (account, id);"
    "CREATE INDEX notice_mute_by_recipient ON notice_mute (recipient, account,"
    " event, id);"
    /* Accounts that are there already; what happened before is told to nobody.
     */
    "INSERT INTO notice_rule (account, event, days, told, disabled)"
    " SELECT account.id, r.column1, r.column2, r.column3, r.column4"
    " FROM account, (" DEFAULT_RULES_VALUES ") r;"
    "INSERT INTO meta (name, value) SELECT 'notices.event',"
    " coalesce(max(id), 0) FROM event;";
