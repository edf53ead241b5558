/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The step of the schema that brought ACME.  What the scheduler looks at for
 * every certificate (renewal, and changes under way) is apart from what is only
 * shown, and is found by when it is due.
 */

#include "certd/store_schema.h"

const char store_schema_acme[] =
    /* ---- certd's accounts at CAs ---- */
    "CREATE TABLE acme_account ("
    " authority TEXT PRIMARY KEY,"
    " directory TEXT NOT NULL,"
    /* In the token; key_next while it takes the other's place. */
    " key BLOB NOT NULL,"
    " key_next BLOB,"
    " url TEXT NOT NULL DEFAULT '',"
    " thumbprint TEXT NOT NULL DEFAULT '',"
    /* As the CA has them, separated by blanks. */
    " contacts TEXT NOT NULL DEFAULT '',"
    " created_s INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

    /* ---- what is wanted ---- */
    "CREATE TABLE enrollment ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " account INTEGER NOT NULL REFERENCES account (id),"
    " name TEXT NOT NULL,"
    " resource INTEGER UNIQUE REFERENCES resource (id),"
    " common_name TEXT NOT NULL,"
    /* Separated by blanks, sorted; a resource's are the resource's. */
    " hostnames TEXT NOT NULL,"
    " network TEXT NOT NULL,"
    " alg INTEGER NOT NULL,"
    " validation INTEGER NOT NULL,"
    " dns_provider TEXT NOT NULL,"
    " authority TEXT NOT NULL,"
    " profile TEXT NOT NULL,"
    " preferred_chain TEXT NOT NULL,"
    " stepwise INTEGER NOT NULL,"
    " standby INTEGER NOT NULL,"
    /* Ids separated by blanks. */
    " contacts TEXT NOT NULL,"
    " state INTEGER NOT NULL,"
    " problem TEXT NOT NULL DEFAULT '',"
    " created_s INTEGER NOT NULL,"
    " created_by TEXT NOT NULL,"
    /* An operator gave it its host names. */
    " by_operator INTEGER NOT NULL DEFAULT 0,"
    " revision INTEGER NOT NULL DEFAULT 1,"
    /* Nobody wants it any more; it goes when its changes have ended. */
    " leaves INTEGER NOT NULL DEFAULT 0,"
    " UNIQUE (account, name)) STRICT;"
    "CREATE INDEX enrollment_by_account ON enrollment (account, id);"
    "CREATE INDEX enrollment_by_state ON enrollment (account, state, id);"
    "CREATE INDEX enrollment_by_state_all ON enrollment (state, id);"
    /* The certificate of an enrollment, and when something is next to be done
     * about it.  purpose: 0 the one in use, 1 standby. */
    "CREATE TABLE renewal ("
    " enrollment INTEGER NOT NULL REFERENCES enrollment (id),"
    " purpose INTEGER NOT NULL,"
    " certificate INTEGER REFERENCES certificate (id),"
    " authority TEXT NOT NULL DEFAULT '',"
    " not_after_s INTEGER NOT NULL DEFAULT 0,"
    /* Begin a change, or ask the CA (RFC 9773, revocation) again; 0: never. */
    " due_s INTEGER NOT NULL DEFAULT 0,"
    " renew_s INTEGER NOT NULL DEFAULT 0,"
    " window_start_s INTEGER NOT NULL DEFAULT 0,"
    " window_end_s INTEGER NOT NULL DEFAULT 0,"
    " ask_s INTEGER NOT NULL DEFAULT 0,"
    " explanation_url TEXT NOT NULL DEFAULT '',"
    " failures INTEGER NOT NULL DEFAULT 0,"
    " problem TEXT NOT NULL DEFAULT '',"
    /* Of a standby one: whose edges have it ready; empty: none. */
    " edge_group TEXT NOT NULL DEFAULT '',"
    " PRIMARY KEY (enrollment, purpose)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX renewal_due ON renewal (due_s) WHERE due_s > 0;"
    "CREATE INDEX renewal_failing ON renewal (renew_s) WHERE failures > 0;"
    "CREATE INDEX renewal_by_certificate ON renewal (certificate)"
    " WHERE certificate IS NOT NULL;"

    /* ---- attempts to bring it about ---- */
    "CREATE TABLE change ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    /* No references up to hostnames: history outlives them. */
    " enrollment INTEGER NOT NULL,"
    " purpose INTEGER NOT NULL,"
    " account INTEGER NOT NULL,"
    " resource INTEGER NOT NULL,"
    " plan INTEGER NOT NULL DEFAULT 0,"
    " kind INTEGER NOT NULL,"
    " hostnames TEXT NOT NULL,"
    " state INTEGER NOT NULL,"
    /* The step's next attempt; 0: when a person gave an input. */
    " due_s INTEGER NOT NULL,"
    /* ChangeInput that was given and not taken yet; 0: none. */
    " input INTEGER NOT NULL DEFAULT 0,"
    " attempts INTEGER NOT NULL DEFAULT 0,"
    " percent INTEGER NOT NULL DEFAULT 0,"
    " doing TEXT NOT NULL DEFAULT '',"
    " problem TEXT NOT NULL DEFAULT '',"
    " authority TEXT NOT NULL DEFAULT '',"
    /* Whom a plan wants it from, whatever the enrollment says. */
    " wanted_authority TEXT NOT NULL DEFAULT '',"
    " order_url TEXT NOT NULL DEFAULT '',"
    " finalize_url TEXT NOT NULL DEFAULT '',"
    " certificate_url TEXT NOT NULL DEFAULT '',"
    " expires_s INTEGER NOT NULL DEFAULT 0,"
    /* Of the new key, from before keyd is asked for it. */
    " key_label TEXT NOT NULL DEFAULT '',"
    " key BLOB,"
    " replaces INTEGER NOT NULL DEFAULT 0,"
    " certificate INTEGER NOT NULL DEFAULT 0,"
    " diagnosis INTEGER NOT NULL DEFAULT 0,"
    /* What is wanted has changed since: when it ends, another one follows. */
    " outdated INTEGER NOT NULL DEFAULT 0,"
    " created_s INTEGER NOT NULL,"
    " created_by TEXT NOT NULL,"
    " ended_s INTEGER NOT NULL DEFAULT 0) STRICT;"
    /* One at a time for each purpose of an enrollment. */
    "CREATE UNIQUE INDEX change_alive ON change (enrollment, purpose)"
    " WHERE ended_s = 0;"
    /* One at a time for a set of names at a CA. */
    "CREATE INDEX change_flight ON change (hostnames) WHERE ended_s = 0;"
    "CREATE INDEX change_due ON change (due_s)"
    " WHERE ended_s = 0 AND due_s > 0;"
    "CREATE INDEX change_given ON change (input, id)"
    " WHERE input > 0 AND ended_s = 0;"
    "CREATE INDEX change_by_account ON change (account, id);"
    /* What of a CA's limits is used, after a start. */
    "CREATE INDEX change_by_age ON change (created_s);"
    "CREATE INDEX change_by_enrollment ON change (enrollment, id);"
    "CREATE INDEX change_by_resource ON change (resource, id);"
    "CREATE INDEX change_under_way ON change (account, id)"
    " WHERE ended_s = 0;"
    "CREATE INDEX change_under_way_all ON change (id) WHERE ended_s = 0;"
    "CREATE INDEX change_by_plan ON change (plan, id) WHERE plan <> 0;"
    "CREATE TABLE change_event ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " change INTEGER NOT NULL REFERENCES change (id),"
    " at_s INTEGER NOT NULL,"
    " state INTEGER NOT NULL,"
    " text TEXT NOT NULL) STRICT;"
    "CREATE INDEX change_event_by_change ON change_event (change, id);"
    "CREATE TABLE challenge ("
    " change INTEGER NOT NULL REFERENCES change (id),"
    " hostname TEXT NOT NULL,"
    " type TEXT NOT NULL,"
    " authorization_url TEXT NOT NULL,"
    " url TEXT NOT NULL,"
    " token TEXT NOT NULL,"
    " key_authorization TEXT NOT NULL,"
    " dns_name TEXT NOT NULL,"
    " dns_target TEXT NOT NULL,"
    " dns_value TEXT NOT NULL,"
    /* Was put in place by certd, and is to be taken away again. */
    " presented INTEGER NOT NULL DEFAULT 0,"
    " state INTEGER NOT NULL,"
    " problem TEXT NOT NULL DEFAULT '',"
    " PRIMARY KEY (change, hostname)) STRICT, WITHOUT ROWID;"
    /* Who has proven what the CA takes as proven. */
    "CREATE INDEX challenge_by_authorization ON challenge (authorization_url);"
    "CREATE INDEX challenge_presented ON challenge (type, token)"
    " WHERE presented = 1;"
    /* ---- revocations that were asked for ---- */
    "CREATE TABLE revocation ("
    /* No references: the wish outlives both. */
    " certificate INTEGER PRIMARY KEY,"
    " enrollment INTEGER NOT NULL,"
    " account INTEGER NOT NULL,"
    " authority TEXT NOT NULL,"
    /* RFC 5280 5.3.1. */
    " reason INTEGER NOT NULL,"
    /* DER. */
    " leaf BLOB NOT NULL,"
    /* When the CA is next asked; 0: waits for the enrollment's next change to
     * be done, or the CA has revoked it. */
    " due_s INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL DEFAULT 0,"
    " problem TEXT NOT NULL DEFAULT '',"
    " asked_s INTEGER NOT NULL,"
    " asked_by TEXT NOT NULL,"
    " done_s INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX revocation_due ON revocation (due_s) WHERE due_s > 0;"
    "CREATE INDEX revocation_by_enrollment ON revocation (enrollment);"

    /* ---- what is going to be deleted ---- */
    /* A certificate that another took the place of, while an edge may still
     * serve it. */
    "CREATE TABLE leaving ("
    " certificate INTEGER PRIMARY KEY REFERENCES certificate (id)"
    " ON DELETE CASCADE,"
    " due_s INTEGER NOT NULL) STRICT;"
    "CREATE INDEX leaving_due ON leaving (due_s);"

    /* ---- what was looked at ---- */
    "CREATE TABLE diagnosis ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    /* 0: of a name that no resource has; for operators. */
    " account INTEGER NOT NULL,"
    " hostname TEXT NOT NULL,"
    " resource INTEGER NOT NULL,"
    " change INTEGER NOT NULL,"
    " at_s INTEGER NOT NULL,"
    " took_ms INTEGER NOT NULL,"
    " passed INTEGER NOT NULL,"
    " summary TEXT NOT NULL,"
    /* holdfast.certd.v1.Diagnosis. */
    " report BLOB NOT NULL) STRICT;"
    "CREATE INDEX diagnosis_by_account ON diagnosis (account, id);"
    "CREATE INDEX diagnosis_by_resource ON diagnosis (resource, id);"
    "CREATE INDEX diagnosis_by_hostname ON diagnosis (hostname, id);"
    "CREATE INDEX diagnosis_by_age ON diagnosis (at_s);"

    /* ---- many at once ---- */
    "CREATE TABLE plan ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    /* 0: is still being drawn up. */
    " state INTEGER NOT NULL,"
    /* holdfast.certd.v1.Plan: what was asked, and the estimate. */
    " estimate BLOB NOT NULL,"
    " total INTEGER NOT NULL,"
    " created_s INTEGER NOT NULL,"
    " created_by TEXT NOT NULL,"
    " started_s INTEGER NOT NULL DEFAULT 0,"
    " ended_s INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX plan_under_way ON plan (state, id) WHERE state IN (0, 2, 3);"
    "CREATE TABLE plan_item ("
    " plan INTEGER NOT NULL REFERENCES plan (id),"
    " enrollment INTEGER NOT NULL,"
    " purpose INTEGER NOT NULL,"
    /* What is to be replaced, and who issued it. */
    " certificate INTEGER NOT NULL,"
    " authority TEXT NOT NULL,"
    /* 0 waits, 1 under way, 2 done, 3 failing. */
    " state INTEGER NOT NULL,"
    " change INTEGER NOT NULL DEFAULT 0,"
    " failures INTEGER NOT NULL DEFAULT 0,"
    " due_s INTEGER NOT NULL DEFAULT 0,"
    " problem TEXT NOT NULL DEFAULT '',"
    " PRIMARY KEY (plan, enrollment, purpose)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX plan_item_by_state ON plan_item (plan, state, due_s);"

    /* An operator gave it all of its host names. */
    "ALTER TABLE resource ADD COLUMN names_by_operator INTEGER NOT NULL"
    " DEFAULT 0;"

    /* The way to the web server, as edges see it. */
    "ALTER TABLE edge_site ADD COLUMN http_probed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE edge_site ADD COLUMN http_problem TEXT NOT NULL DEFAULT '';";
