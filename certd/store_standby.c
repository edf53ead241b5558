/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where standby certificates are kept ready, and what becomes of them when they
 * are bound; see store_standby.h.  renewal.edge_group says where, as a
 * binding's does, so that a key's groups are found by its certificates.
 */

#include "certd/store_standby.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "certd/store.h"
#include "certd/store_certificates.h"
#include "certd/store_changes.h"
#include "certd/store_enrollments.h"
#include "certd/store_grants.h"
#include "certd/store_leaving.h"
#include "certd/store_resources.h"

/* ---- of a resource ---- */

static struct status
of_resource(struct db_tx *tx, int64_t resource, int64_t *ret_certificate)
{
	struct status st = db_number(tx, ret_certificate,
	    "SELECT r.certificate FROM enrollment e CROSS JOIN renewal r"
	    " WHERE e.resource = ?1 AND r.enrollment = e.id AND r.purpose = ?2"
	    " AND r.certificate IS NOT NULL",
	    DB_VALUES(db_int(resource), db_int(PURPOSE_STANDBY)));

	if (st.code != STATUS_NOT_FOUND)
		return st;
	*ret_certificate = 0;
	return status_ok();
}

STATUS
store_standby_keys(struct db_tx *tx, int64_t resource, struct key_set *keys)
{
	struct store_certificate found;
	int64_t certificate = 0;
	struct status st = of_resource(tx, resource, &certificate);

	if (failed(st) || certificate == 0)
		return st;
	st = store_certificates_find(tx, certificate, &found);
	return failed(st) ? st : key_set_add(keys, &found.key);
}

STATUS
store_standby_place(struct db_tx *tx, const struct resource_row *row)
{
	return db_run(tx, NULL,
	    "UPDATE renewal SET edge_group = ?2 WHERE purpose = ?3"
	    " AND enrollment = (SELECT id FROM enrollment WHERE resource = ?1)",
	    DB_VALUES(db_int(row->id),
		db_text(row->https ? row->edge_group : ""),
		db_int(PURPOSE_STANDBY)));
}

STATUS
store_standby_is_among(struct db_tx *tx, int64_t resource,
    const int64_t *certificates, size_t n, bool *ret_is)
{
	int64_t certificate = 0;
	struct status st = of_resource(tx, resource, &certificate);

	if (failed(st))
		return st;
	*ret_is = false;
	for (size_t i = 0; i < n && certificate != 0; i++)
		*ret_is |= certificates[i] == certificate;
	return st;
}

/* ---- grants and versions ---- */

/* One that is gone has none. */
static struct status
refresh(struct db_tx *tx, int64_t certificate)
{
	struct store_certificate found;
	struct status st;

	if (certificate == 0)
		return status_ok();
	st = store_certificates_find(tx, certificate, &found);
	if (failed(st))
		return st.code == STATUS_NOT_FOUND ? status_ok() : st;
	return store_grants_refresh(tx, &found.key);
}

/* Its site is to be sent anew. */
static struct status
touch(struct db_tx *tx, int64_t enrollment)
{
	int64_t resource = 0, version = 0;
	struct status st = db_number(tx, &resource,
	    "SELECT resource FROM enrollment WHERE id = ?1",
	    DB_VALUES(db_int(enrollment)));

	if (failed(st))
		return st.code == STATUS_NOT_FOUND ? status_ok() : st;
	st = store_new_version(tx, store_now_s(), &version);
	return failed(st) ? st
			  : db_run(tx, NULL,
				"UPDATE resource SET version = ?2"
				" WHERE id = ?1",
				DB_VALUES(db_int(resource), db_int(version)));
}

/* ---- taking over ---- */

static struct status
tell(struct db_tx *tx, const struct api_call *call,
    const struct enrollment_row *of, int64_t certificate)
{
	char object[40], detail[40];

	snprintf(object, sizeof(object), "enrollment %" PRId64, of->id);
	snprintf(detail, sizeof(detail), "certificate %" PRId64, certificate);
	return store_event(tx, of->account, call->caller->actor,
	    "standby took over", object, detail);
}

/* What was being obtained in the place of either. */
static struct status
give_up(struct db_tx *tx, int64_t enrollment)
{
	struct status st = status_ok();

	for (int purpose = 0; purpose < PURPOSES && !failed(st); purpose++) {
		struct change_row alive;

		st = store_changes_alive(tx, enrollment, purpose, &alive);
		if (!failed(st))
			st = store_changes_give_input(
			    tx, alive.id, CHANGE_INPUT_CANCEL);
		if (st.code == STATUS_NOT_FOUND)
			st = status_ok();
	}
	return st;
}

/* Rows whose certificates and moments change places. */
static struct status
swap(struct db_tx *tx, const struct renewal_row *standby)
{
	struct renewal_row now = *standby, then;
	struct status st =
	    store_renewals_load(tx, standby->enrollment, PURPOSE_MAIN, &then);

	if (failed(st))
		return st;
	now.purpose = PURPOSE_MAIN;
	now.failures = 0;
	now.problem[0] = 0;
	then.purpose = PURPOSE_STANDBY;
	/* There was none: one is to be had. */
	if (then.certificate == 0)
		then.renew_s = store_now_s();
	st = store_renewals_save(tx, &now);
	if (!failed(st))
		st = store_renewals_save(tx, &then);
	if (!failed(st))
		st = refresh(tx, now.certificate);
	return failed(st) ? st : refresh(tx, then.certificate);
}

STATUS
store_standby_bound(
    struct db_tx *tx, const struct api_call *call, int64_t certificate)
{
	struct renewal_row standby;
	struct enrollment_row of;
	struct status st =
	    store_renewals_by_certificate(tx, certificate, &standby);

	if (st.code == STATUS_NOT_FOUND ||
	    (!failed(st) && standby.purpose != PURPOSE_STANDBY))
		return status_ok();
	if (!failed(st))
		st = store_enrollments_load(tx, standby.enrollment, &of);
	if (!failed(st))
		st = give_up(tx, of.id);
	if (!failed(st))
		st = swap(tx, &standby);
	if (!failed(st) && of.state != ENROLLMENT_REVOKED)
		st = store_enrollments_set_state(
		    tx, of.id, ENROLLMENT_ACTIVE, "");
	return failed(st) ? st : tell(tx, call, &of, certificate);
}

/* ---- coming and going ---- */

STATUS
store_standby_changed(struct db_tx *tx, int64_t enrollment, int64_t before)
{
	struct renewal_row now;
	struct status st = db_run(tx, NULL,
	    "UPDATE renewal SET edge_group = coalesce((SELECT s.edge_group"
	    " FROM enrollment e CROSS JOIN resource s"
	    " WHERE e.id = ?1 AND s.id = e.resource AND s.https = 1), '')"
	    " WHERE enrollment = ?1 AND purpose = ?2",
	    DB_VALUES(db_int(enrollment), db_int(PURPOSE_STANDBY)));

	if (!failed(st))
		st = store_renewals_load(tx, enrollment, PURPOSE_STANDBY, &now);
	if (!failed(st))
		st = refresh(tx, now.certificate);
	if (!failed(st) && before != now.certificate)
		st = refresh(tx, before);
	return failed(st) ? st : touch(tx, enrollment);
}

STATUS
store_standby_drop(struct db_tx *tx, int64_t enrollment)
{
	struct renewal_row row;
	int64_t certificate;
	struct status st =
	    store_renewals_load(tx, enrollment, PURPOSE_STANDBY, &row);

	if (failed(st))
		return st.code == STATUS_NOT_FOUND ? status_ok() : st;
	certificate = row.certificate;
	row = (struct renewal_row){ .enrollment = enrollment,
		.purpose = PURPOSE_STANDBY };
	st = store_renewals_save(tx, &row);
	if (failed(st) || certificate == 0)
		return st;
	st = store_leaving_put(tx, certificate, store_now_s());
	return failed(st) ? st
			  : store_standby_changed(tx, enrollment, certificate);
}
