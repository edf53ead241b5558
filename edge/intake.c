/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Updates as they come in.  A site that is not as it should be, or that the
 * disk does not take, is kept as a refusal with its reason; the others go on.
 * What cannot be a message of certd's ends the stream.
 */

#include "edge/intake.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* More sites in one message are synced together, later. */
#define DURABLE_MAX 16
/* Of sites, and removals; some come more than once. */
#define INTAKE_MAX ((size_t)2 * SITES_MAX)

void
intake_done(struct intake *intake)
{
	for (size_t i = 0; i < intake->n; i++) {
		site_unref(intake->sites[i].site);
		free(intake->sites[i].why);
	}
	free(intake->sites);
	*intake = (struct intake){ 0 };
}

void
intake_refuse(struct intake_site *site, const char *format, ...)
{
	char why[SITE_WHY_MAX];
	va_list arguments;

	va_start(arguments, format);
	(void)!vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	site->is_refused = true;
	free(site->why);
	site->why = strdup(why);
	log_warn("a site was not put in place", LOG_INT("site", site->id),
	    LOG_INT("version", site->version), LOG_STR("why", why));
}

bool
intake_is_good(const struct intake_site *site)
{
	return site->site != NULL && !site->is_refused;
}

static struct intake_site *
add_site(struct intake *intake, int64_t id, int64_t version)
{
	struct intake_site *site;

	if (intake->n == intake->room) {
		size_t room = intake->room == 0 ? 16 : 2 * intake->room;
		struct intake_site *sites =
		    realloc(intake->sites, room * sizeof(*sites));

		if (sites == NULL)
			return NULL;
		intake->sites = sites;
		intake->room = room;
	}
	site = &intake->sites[intake->n];
	*site = (struct intake_site){
		.id = id, .version = version, .order = intake->next_order++
	};
	intake->n++;
	return site;
}

static int
compare_hosts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool
is_certificate(const struct site_certificate *certificate,
    const Holdfast__Certd__V1__SiteCertificate *message)
{
	return bytes_equal((struct bytes){ message->fingerprint.data,
			       message->fingerprint.len },
	    (struct bytes){ certificate->fingerprint, SITE_FINGERPRINT_LEN });
}

static bool
has_certificate(const struct site *site,
    const Holdfast__Certd__V1__SiteCertificate *message)
{
	for (size_t i = 0; i < site->n_certificates; i++)
		if (is_certificate(&site->certificates[i], message))
			return true;
	return false;
}

/*
 * A version alone does not say what it holds: a certd that was restored comes
 * to numbers again that it gave away before.
 */
static bool
is_same(const struct site *site, const Holdfast__Certd__V1__Site *message)
{
	if (site->version != message->version ||
	    site->n_hosts != message->n_hostnames ||
	    site->n_certificates != message->n_certificates)
		return false;
	for (size_t i = 0; i < message->n_hostnames; i++)
		if (bsearch(&message->hostnames[i], site->hosts, site->n_hosts,
			sizeof(*site->hosts), compare_hosts) == NULL)
			return false;
	for (size_t i = 0; i < message->n_certificates; i++)
		if (!has_certificate(site, message->certificates[i]))
			return false;
	if (message->standby == NULL)
		return !site->has_standby;
	return site->has_standby &&
	       is_certificate(&site->standby, message->standby);
}

static bool
is_in_place(const struct sites *known, const Holdfast__Certd__V1__Site *message)
{
	const struct sites_entry *entry = sites_find(known, message->id);

	return entry != NULL && entry->site != NULL && !entry->is_behind &&
	       is_same(entry->site, message);
}

static STATUS
take_site(struct intake *intake, const Holdfast__Certd__V1__Site *message,
    const struct sites *known, struct files *files, bool durable)
{
	struct intake_site *site =
	    add_site(intake, message->id, message->version);
	char why[SITE_WHY_MAX];
	struct site_pem pem;
	struct status st;

	if (site == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	if (is_in_place(known, message)) {
		site->is_unchanged = true;
		return status_ok();
	}
	st = site_read(message, &site->site, &pem, why);
	if (failed(st)) {
		intake_refuse(site, "%s", why);
		return status_ok();
	}
	st = files_stage(files, site->site, &pem, durable);
	site_pem_done(&pem);
	if (failed(st)) {
		site->is_passing = true;
		intake_refuse(
		    site, "%s: %s", st.why, strerrordesc_np((int)st.detail));
	}
	return status_ok();
}

static STATUS
take_removed(struct intake *intake, const int64_t *removed, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct intake_site *site = add_site(intake, removed[i], 0);

		if (site == NULL)
			return status_fail(
			    STATUS_RESOURCE_EXHAUSTED, "out of memory");
		site->is_removed = true;
	}
	return status_ok();
}

static int
by_id(const void *a, const void *b)
{
	const struct intake_site *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

void
intake_close(struct intake *intake)
{
	size_t n = 0;

	if (intake->n > 0)
		qsort(intake->sites, intake->n, sizeof(*intake->sites), by_id);
	for (size_t i = 0; i < intake->n; i++) {
		if (n > 0 && intake->sites[n - 1].id == intake->sites[i].id) {
			n--;
			site_unref(intake->sites[n].site);
			free(intake->sites[n].why);
		}
		intake->sites[n++] = intake->sites[i];
	}
	intake->n = n;
}

static STATUS
take_message(struct intake *intake,
    const Holdfast__Certd__V1__WatchUpdate *update, const struct sites *known,
    struct files *files, bool hurried)
{
	bool durable = !hurried && update->n_sites <= DURABLE_MAX;
	struct status st = status_ok();

	if (update->complete &&
	    (update->version <= 0 || update->tag.len != SITES_TAG_LEN))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "certd sent an update without its version and tag");
	if (intake->n + update->n_sites + update->n_removed > INTAKE_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "certd sent more sites than an edge takes");
	/* What came before it may be of another group. */
	if (update->snapshot)
		intake_done(intake);
	intake->is_snapshot |= update->snapshot;
	intake->needs_sync |= !durable;
	intake->is_complete = false;
	/* Within one message, a site that is named is there. */
	st = take_removed(intake, update->removed, update->n_removed);
	for (size_t i = 0; i < update->n_sites && !failed(st); i++)
		st = take_site(intake, update->sites[i], known, files, durable);
	if (failed(st) || !update->complete)
		return st;
	intake->is_complete = true;
	intake->version = update->version;
	memcpy(intake->tag, update->tag.data, SITES_TAG_LEN);
	return status_ok();
}

STATUS
intake_message(struct intake *intake, struct bytes message,
    const struct sites *known, struct files *files, bool hurried)
{
	Holdfast__Certd__V1__WatchUpdate *update =
	    holdfast__certd__v1__watch_update__unpack(
		NULL, message.len, message.at);
	struct status st;

	if (update == NULL)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "certd sent what is no update");
	st = take_message(intake, update, known, files, hurried);
	holdfast__certd__v1__watch_update__free_unpacked(update, NULL);
	return st;
}

struct intake_site *
intake_find(const struct intake *intake, int64_t id)
{
	size_t low = 0, high = intake->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (intake->sites[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < intake->n && intake->sites[low].id == id
		   ? &intake->sites[low]
		   : NULL;
}

bool
intake_removes(const struct intake *intake, int64_t id)
{
	const struct intake_site *site = intake_find(intake, id);

	return site != NULL ? site->is_removed : intake->is_snapshot;
}
