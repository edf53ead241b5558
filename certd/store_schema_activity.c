/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The step of the schema that brought histories of one object, indexes of the
 * history; and live pages: a row for each account, and
 * one (0) for all of them, with a number for each topic that goes up whenever
 * something of it changes, whoever changed it.  So what is new for an account
 * is seen by one look at one row.
 *
 * Triggers keep it: nothing that is written can be forgotten.  They cost 2 to 5
 * microseconds a row, measured with SQLite alone: 100,000 sites that an edge
 * reports took 0.6 s in place of 0.3 s, a certificate that is replaced at
 * 100,000 resources 0.9 s in place of 0.4 s, one binding that is changed, with
 * its commit, 0.26 ms in place of 0.20 ms.  The other way, to look at the
 * newest rows of each table, costs the writer nothing and does not see what is
 * changed in place, which most of it is.  Columns that are written over and
 * over and that no page shows (signs of life, due times) have no trigger.
 */

#include "certd/store_schema.h"

/* Topics +1, of an account and of all. */
#define BUMP(topic) #topic " = " #topic " + 1"
#define TELL(bumps, account)                                                   \
	" BEGIN UPDATE activity SET " bumps " WHERE account IN (0, " account   \
	"); END;"
#define ON(name, event, bumps, account)                                        \
	"CREATE TRIGGER activity_" name " AFTER " event TELL(bumps, account)

/* Of a table with a column account; of: "OF a, b", or all of them. */
#define ON_ALL(table, of, bumps)                                               \
	ON(table "_added", "INSERT ON " table, bumps, "NEW.account")           \
	ON(table "_changed", "UPDATE " of " ON " table, bumps, "NEW.account")  \
	ON(table "_gone", "DELETE ON " table, bumps, "OLD.account")

/* Of a table whose column refers to a row with an account. */
#define OWNER(parent, row, column)                                             \
	"(SELECT account FROM " parent " WHERE id = " row "." column ")"
#define ON_ALL_OF(table, of, bumps, parent, column)                            \
	ON(table "_added", "INSERT ON " table, bumps,                          \
	    OWNER(parent, "NEW", column))                                      \
	ON(table "_changed", "UPDATE " of " ON " table, bumps,                 \
	    OWNER(parent, "NEW", column))                                      \
	ON(table "_gone", "DELETE ON " table, bumps,                           \
	    OWNER(parent, "OLD", column))

const char store_schema_activity[] =
    "CREATE INDEX event_by_object ON event (object, id);"
    /* Some have a name that each account's have: "notices". */
    "CREATE INDEX event_by_account_object ON event (account, object, id);"
    "CREATE TABLE activity ("
    " account INTEGER PRIMARY KEY,"
    " certificates INTEGER NOT NULL DEFAULT 0,"
    " resources INTEGER NOT NULL DEFAULT 0,"
    " changes INTEGER NOT NULL DEFAULT 0,"
    " enrollments INTEGER NOT NULL DEFAULT 0,"
    " edges INTEGER NOT NULL DEFAULT 0,"
    " notices INTEGER NOT NULL DEFAULT 0,"
    " history INTEGER NOT NULL DEFAULT 0,"
    " keys INTEGER NOT NULL DEFAULT 0) STRICT;"
    "INSERT INTO activity (account) VALUES (0);"
    "INSERT INTO activity (account) SELECT id FROM account;"
    "CREATE TRIGGER activity_account_added AFTER INSERT ON account"
    " BEGIN INSERT INTO activity (account) VALUES (NEW.id); END;"
    "CREATE TRIGGER activity_account_gone AFTER DELETE ON account"
    " BEGIN DELETE FROM activity WHERE account = OLD.id; END;"

    ON_ALL("certificate", "", BUMP(certificates))
	ON_ALL("request", "", BUMP(certificates)) ON_ALL(
	    "revocation", "OF reason, problem, done_s", BUMP(certificates))
	    ON_ALL("resource", "", BUMP(resources))
    /* Where a certificate is served is shown with both. */
    ON_ALL_OF("binding", "", BUMP(resources) "," BUMP(certificates), "resource",
	"resource") ON_ALL("change",
	"OF kind, state, percent, doing, problem, authority, certificate,"
	" input, diagnosis, ended_s",
	BUMP(changes)) ON("plan_added", "INSERT ON plan", BUMP(changes), "0")
	ON("plan_changed", "UPDATE ON plan", BUMP(changes), "0") ON_ALL(
	    "enrollment", "", BUMP(enrollments)) ON_ALL_OF("renewal",
	    "OF certificate, authority, renew_s, failures, problem",
	    BUMP(enrollments), "enrollment", "enrollment") ON("edge_added",
	    "INSERT ON edge", BUMP(edges), "0") ON("edge_changed",
	    "UPDATE OF edge_group, applied_version, held_version, quarantined,"
	    " program, problem ON edge",
	    BUMP(edges), "0") ON("edge_gone", "DELETE ON edge", BUMP(edges),
	    "0") ON("edge_site_added", "INSERT ON edge_site", BUMP(edges),
	    OWNER("resource", "NEW", "resource")) ON("edge_site_changed",
	    "UPDATE OF applied_version, served_version, seen, problem"
	    " ON edge_site",
	    BUMP(edges), OWNER("resource", "NEW", "resource"))
	    ON_ALL("notice", "OF state, problem", BUMP(notices))
		ON_ALL("notice_rule", "", BUMP(notices))
		    ON_ALL("notice_mute", "", BUMP(notices))
			ON_ALL("webhook", "", BUMP(notices)) ON("event_added",
			    "INSERT ON event", BUMP(history), "NEW.account")
			    ON_ALL("key", "OF exposed", BUMP(keys))
				ON_ALL_OF("grant_", "OF granted, problem",
				    BUMP(keys), "key", "key");
