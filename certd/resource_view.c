/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Resources for people and programs.  Warnings are sentences about what is
 * allowed and yet not as it should be: plain HTTP, certificates that expire
 * soon or have, names that are not covered, edges that may not sign yet, and
 * how the certificate comes along that is being obtained.
 */

#include "certd/resource_view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "certd/store.h"
#include "certd/store_bindings.h"
#include "certd/store_changes.h"
#include "certd/store_edges.h"
#include "certd/store_fit.h"
#include "certd/store_grants.h"
#include "certd/word_list.h"
#include "proto/message.h"

#define DAY_S 86400
#define SOON_DAYS 14
#define WARNING_MAX 768

typedef Holdfast__Certd__V1__Resource resource_msg;
typedef Holdfast__Certd__V1__BoundCertificate bound_msg;

static struct status warn(resource_msg *to, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static struct status
warn(resource_msg *to, const char *format, ...)
{
	char text[WARNING_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return message_append_text(&to->n_warnings, &to->warnings, text)
		   ? status_ok()
		   : message_no_memory();
}

/* ---- the row ---- */

static struct status
fill_row(const struct resource_row *row, resource_msg *to)
{
	char etag[STORE_ETAG_MAX];
	Holdfast__Certd__V1__Origin *origin = NULL;
	/* Without a zone there is no target. */
	bool has_target = strchr(row->target, '.') != NULL;
	bool done;

	store_etag_print(row->revision, etag);
	to->id = row->id;
	to->https = row->https;
	to->mode = (Holdfast__Certd__V1__ResourceMode)row->mode;
	to->version = row->version;
	to->changed_s = row->changed_s;
	to->created_s = row->created_s;
	done = message_text(&to->account, row->account_name) &&
	       message_text(&to->name, row->name) &&
	       message_text(&to->network, row->network) &&
	       message_text(&to->edge_group, row->edge_group) &&
	       message_text(&to->target, has_target ? row->target : "") &&
	       message_text(&to->created_by, row->created_by) &&
	       message_text(&to->etag, etag);
	if (done && row->origin_host[0] != 0) {
		origin = (Holdfast__Certd__V1__Origin *)message_new(
		    &holdfast__certd__v1__origin__descriptor);
		to->origin = origin;
		done = origin != NULL &&
		       message_text(&origin->host, row->origin_host);
	}
	if (done && origin != NULL)
		origin->mode =
		    (Holdfast__Certd__V1__OriginMode)row->origin_mode;
	return done ? status_ok() : message_no_memory();
}

static struct status
fill_names(const struct names *names, resource_msg *to)
{
	for (size_t i = 0; i < names->n; i++)
		if (!message_append_text(
			&to->n_hostnames, &to->hostnames, names->at[i]))
			return message_no_memory();
	return status_ok();
}

/* ---- what is bound ---- */

static struct status
take_bound(struct db_rows *rows, resource_msg *to)
{
	char name[RESOURCE_NAME_MAX], hex[2 * 32 + 1] = "";
	struct bytes fingerprint = db_column_blob(rows, 3);
	const char *alg = key_alg_name((enum key_alg)db_column_int(rows, 6));
	bound_msg *bound =
	    message_append(&to->n_certificates, &to->certificates,
		&holdfast__certd__v1__bound_certificate__descriptor);

	if (bound == NULL)
		return message_no_memory();
	bound->id = db_column_int(rows, 0);
	db_column_text(rows, 1, name, sizeof(name));
	bound->kind =
	    (Holdfast__Certd__V1__CertificateKind)db_column_int(rows, 2);
	if (fingerprint.len == 32)
		bytes_to_hex(fingerprint, hex);
	bound->not_after_s = db_column_int(rows, 4);
	bound->since_s = db_column_int(rows, 5);
	return message_text(&bound->name, name) &&
		       message_text(&bound->fingerprint, hex) &&
		       message_text(
			   &bound->key_algorithm, alg == NULL ? "" : alg)
		   ? status_ok()
		   : message_no_memory();
}

static struct status
fill_bound(struct db_tx *tx, resource_msg *to)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = store_resources_bound(tx, to->id, &rows);

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		st = take_bound(rows, to);
		if (!failed(st))
			st = db_next(rows, &row);
	}
	return st;
}

/* ---- what obtains its certificate ---- */

/* As far as warnings need it. */
struct obtaining {
	bool can_issue; /* by itself, from an authority of certd.yaml */
	bool is_there;  /* an enrollment is */
	bool under_way; /* a change is; then it */
	struct enrollment_row enrollment;
	struct change_row change;
};

static struct status
look_at_enrollment(struct db_tx *tx, struct obtaining *by, resource_msg *to)
{
	struct renewal_row renewal;
	const char *problem = by->enrollment.problem;
	struct status st =
	    store_renewals_load(tx, by->enrollment.id, PURPOSE_MAIN, &renewal);

	if (failed(st))
		return st;
	to->enrollment = by->enrollment.id;
	if (problem[0] == 0)
		problem = renewal.problem;
	st = store_changes_newest(
	    tx, by->enrollment.id, PURPOSE_MAIN, &by->change);
	if (!failed(st)) {
		to->change = by->change.id;
		by->under_way = !change_has_ended(&by->change);
		if (by->under_way && by->change.problem[0] != 0)
			problem = by->change.problem;
	} else if (st.code != STATUS_NOT_FOUND) {
		return st;
	}
	return message_text(&to->acme_problem, problem) ? status_ok()
							: message_no_memory();
}

static struct status
look_at_obtaining(struct db_tx *tx, struct obtaining *by, resource_msg *to)
{
	struct status st =
	    store_enrollments_of_resource(tx, to->id, &by->enrollment);

	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	by->is_there = !failed(st);
	return failed(st) ? st : look_at_enrollment(tx, by, to);
}

/* ---- warnings ---- */

static struct status
warn_of_obtaining(const struct obtaining *by, resource_msg *to)
{
	struct status st = status_ok();

	if (by->under_way)
		st = warn(to,
		    "a certificate is being obtained (change %" PRId64 "): %s",
		    by->change.id, by->change.doing);
	if (failed(st) || to->acme_problem[0] == 0)
		return st;
	return warn(to, "%s: %.600s",
	    by->under_way ? "the last attempt at it failed"
			  : "no certificate could be obtained",
	    to->acme_problem);
}

/* Nothing is bound, and it is wanted. */
static struct status
warn_of_none(const struct resource_row *row, const struct obtaining *by,
    resource_msg *to)
{
	if (by->is_there)
		return warn(to,
		    "has no certificate yet; until then it is served by plain "
		    "HTTP");
	if (row->mode == MODE_ACME && !by->can_issue)
		return warn(to,
		    "has no ACME certificate yet, and none comes by itself: no "
		    "certificate authority is configured (acme.authorities in "
		    "certd.yaml); until then it is served by plain HTTP");
	if (row->mode == MODE_ACME)
		return warn(to,
		    "has no ACME certificate yet; until then it is served by "
		    "plain HTTP");
	if (row->mode == MODE_SHARED)
		return warn(to,
		    "no shared certificate covers all of its host names yet; "
		    "until then it is served by plain HTTP");
	if (row->mode == MODE_AUTOMATIC && !by->can_issue)
		return warn(to,
		    "has no certificate yet: no shared one covers all of its "
		    "host names, and no certificate authority is configured "
		    "(acme.authorities in certd.yaml); until then it is served "
		    "by plain HTTP");
	return warn(to,
	    "has no certificate yet; until then it is served by plain HTTP");
}

static struct status
warn_of_plain(const struct resource_row *row, const struct obtaining *by,
    resource_msg *to)
{
	if (!row->https)
		return warn(to,
		    "serves plain HTTP only, which is not recommended: what "
		    "visitors send and see can be read and changed on the way; "
		    "bind a certificate");
	return to->n_certificates > 0 ? status_ok() : warn_of_none(row, by, to);
}

/* Renewed is what an enrollment keeps up: of that an expiry that is near is no
 * news, and what went wrong is said elsewhere. */
static struct status
warn_of_dates(
    const bound_msg *bound, bool is_renewed, int64_t now_s, resource_msg *to)
{
	time_t at = (time_t)bound->not_after_s;
	int64_t left_s = bound->not_after_s - now_s;
	char date[16] = "?";
	struct tm tm;

	if (left_s > (int64_t)SOON_DAYS * DAY_S || (is_renewed && left_s > 0))
		return status_ok();
	if (gmtime_r(&at, &tm) != NULL)
		(void)strftime(date, sizeof(date), "%Y-%m-%d", &tm);
	if (left_s <= 0)
		return warn(to,
		    "certificate %" PRId64 " (%s) expired on %s: browsers "
		    "refuse it; %s",
		    bound->id, bound->name, date,
		    is_renewed ? "another one is to be obtained"
			       : "bind another one");
	return warn(to,
	    "certificate %" PRId64 " (%s) expires in %" PRId64
	    " days, on %s; bind another one",
	    bound->id, bound->name, left_s / DAY_S, date);
}

static struct status
warn_of_names(struct db_tx *tx, const bound_msg *bound,
    const struct names *names, bool under_way, resource_msg *to)
{
	scoped(names_done) struct names covered = { 0 };
	struct word_list missing = { 0 };
	struct status st = store_fit_names(tx, bound->id, &covered);

	for (size_t i = 0; i < names->n && !failed(st); i++)
		if (!names_cover(&covered, names->at[i]))
			word_list_add(&missing, names->at[i]);
	if (failed(st) || missing.n == 0)
		return st;
	return warn(to,
	    "certificate %" PRId64 " (%s) does not cover %s: browsers refuse "
	    "it there; %s",
	    bound->id, bound->name, word_list_end(&missing),
	    under_way ? "another one is being obtained" : "bind another one");
}

static struct status
warn_of_permission(
    struct db_tx *tx, const struct resource_row *row, resource_msg *to)
{
	char why[CUSTODY_WHY_MAX] = "";
	struct status st = store_grants_trouble(tx, row->id, why);

	if (failed(st) || why[0] == 0)
		return st;
	st = warn(to, "edges may not sign yet with what is bound: %s", why);
	if (!failed(st) && !message_text(&to->permission_trouble,
			       to->warnings[to->n_warnings - 1]))
		st = message_no_memory();
	return st;
}

static struct status
fill_warnings(struct db_tx *tx, const struct resource_row *row,
    const struct names *names, const struct obtaining *by, resource_msg *to)
{
	int64_t now_s = store_now_s();
	struct status st = warn_of_plain(row, by, to);

	if (!failed(st))
		st = warn_of_obtaining(by, to);
	for (size_t i = 0; i < to->n_certificates && !failed(st); i++) {
		const bound_msg *bound = to->certificates[i];

		st = warn_of_dates(bound,
		    by->is_there && (int)bound->kind == KIND_ACME, now_s, to);
		if (!failed(st))
			st = warn_of_names(tx, bound, names, by->under_way, to);
	}
	return failed(st) ? st : warn_of_permission(tx, row, to);
}

/* ---- how far edges are ---- */

static struct status
fill_convergence(
    struct db_tx *tx, const struct resource_row *row, resource_msg *to)
{
	Holdfast__Certd__V1__Convergence *convergence =
	    (Holdfast__Certd__V1__Convergence *)message_new(
		&holdfast__certd__v1__convergence__descriptor);
	struct edges_convergence found = { 0 };
	struct status st;

	to->convergence = convergence;
	if (convergence == NULL)
		return message_no_memory();
	st = edges_convergence(tx, row->id, store_now_s(), &found);
	if (failed(st))
		return st;
	convergence->edges = found.edges;
	convergence->applied = found.applied;
	convergence->served = found.served;
	if (!row->https || to->n_certificates == 0)
		convergence->percent = 100;
	else if (found.edges > 0)
		convergence->percent =
		    (uint32_t)(100ull * found.served / found.edges);
	return st;
}

STATUS
resource_view_fill(struct db_tx *tx, const struct resource_row *row,
    const struct resource_view *view, Holdfast__Certd__V1__Resource *to)
{
	struct obtaining by = { .can_issue = view->can_issue };
	scoped(names_done) struct names names = { 0 };
	struct status st = store_resources_names(tx, row->id, &names);

	if (!failed(st))
		st = fill_row(row, to);
	if (!failed(st))
		st = fill_names(&names, to);
	if (!failed(st))
		st = fill_bound(tx, to);
	if (!failed(st))
		st = look_at_obtaining(tx, &by, to);
	if (!failed(st))
		st = fill_warnings(tx, row, &names, &by, to);
	if (!failed(st) && view->with_convergence)
		st = fill_convergence(tx, row, to);
	return st;
}
