/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A complete update becomes what is served.  All of it is staged by now; here
 * links are swapped, host by host, and only what swapped counts as in place.
 * An update that is older than what is in place is not applied, whoever sends
 * it: a certd that was restored from a backup rolls nothing back.
 *
 * A site that could not be put in place keeps the version of the edge from
 * advancing, so that the next stream brings it again.
 */

#include "edge/delivery_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define STREAM_MAX_NS (300 * NS_PER_S)

/* --- Who owns a host name ---------------------------------------------------
 */

struct owner {
	const char *host;
	const struct site *site;
	struct intake_site *incoming; /* NULL: in place already */
};

struct owners {
	struct owner *at;
	size_t n;
};

static int
by_host(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;

	return strcmp(x->host, y->host);
}

/* Will what is in place of this entry still be so? */
static bool
stays(const struct delivery *d, const struct sites_entry *entry)
{
	const struct intake_site *incoming = intake_find(&d->intake, entry->id);

	return entry->site != NULL && !intake_removes(&d->intake, entry->id) &&
	       (incoming == NULL || !intake_is_good(incoming));
}

static void
add_owners(struct owners *owners, const struct site *site,
    struct intake_site *incoming)
{
	for (size_t i = 0; i < site->n_hosts; i++)
		owners->at[owners->n++] =
		    (struct owner){ site->hosts[i], site, incoming };
}

/* All host names as they would be, sorted; false when memory ends. */
static bool
list_owners(const struct delivery *d, struct owners *ret_owners)
{
	struct owners owners = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < d->sites.n; i++)
		if (stays(d, d->sites.at[i]))
			n += d->sites.at[i]->site->n_hosts;
	for (size_t i = 0; i < d->intake.n; i++)
		if (intake_is_good(&d->intake.sites[i]))
			n += d->intake.sites[i].site->n_hosts;
	owners.at = calloc(n + 1, sizeof(*owners.at));
	if (owners.at == NULL)
		return false;
	for (size_t i = 0; i < d->sites.n; i++)
		if (stays(d, d->sites.at[i]))
			add_owners(&owners, d->sites.at[i]->site, NULL);
	for (size_t i = 0; i < d->intake.n; i++)
		if (intake_is_good(&d->intake.sites[i]))
			add_owners(&owners, d->intake.sites[i].site,
			    &d->intake.sites[i]);
	qsort(owners.at, owners.n, sizeof(*owners.at), by_host);
	*ret_owners = owners;
	return true;
}

/* Of two sites with one host name, one that is new does not come in. */
static bool
refuse_second_owners(const struct owners *owners)
{
	bool refused = false;

	for (size_t i = 1; i < owners->n; i++) {
		const struct owner *a = &owners->at[i - 1];
		const struct owner *b = &owners->at[i];
		struct intake_site *loser;

		if (strcmp(a->host, b->host) != 0)
			continue;
		loser = b->incoming != NULL ? b->incoming : a->incoming;
		if (a->incoming != NULL && b->incoming != NULL &&
		    a->incoming->id > b->incoming->id)
			loser = a->incoming;
		if (loser == NULL || loser->is_refused)
			continue;
		/* The other one may be about to give it up. */
		loser->is_passing = true;
		intake_refuse(
		    loser, "another site has its host name %s", a->host);
		refused = true;
	}
	return refused;
}

/* *ret_owners as they will be; false when memory ends. */
static bool
settle_owners(struct delivery *d, struct owners *ret_owners)
{
	while (list_owners(d, ret_owners)) {
		if (!refuse_second_owners(ret_owners))
			return true;
		free(ret_owners->at);
	}
	return false;
}

/* Does a host name still have files of its own? */
static bool
is_owned(const struct owners *owners, const char *host)
{
	const struct owner key = { .host = host };
	const struct owner *found =
	    bsearch(&key, owners->at, owners->n, sizeof(*owners->at), by_host);

	return found != NULL && found->site->n_certificates > 0;
}

/* --- Swapping ---------------------------------------------------------------
 */

/* What the web server must be told. */
struct news {
	const char **hosts; /* borrowed of sites */
	size_t n, room;
	bool whole; /* more than that */
};

static void
add_news(struct news *news, const char *host)
{
	if (news->n == news->room) {
		size_t room = news->room == 0 ? 64 : 2 * news->room;
		const char **hosts =
		    realloc(news->hosts, room * sizeof(*hosts));

		if (hosts == NULL) {
			news->whole = true;
			return;
		}
		news->hosts = hosts;
		news->room = room;
	}
	news->hosts[news->n++] = host;
}

static void
swap_site(struct delivery *d, struct intake_site *incoming, struct news *news)
{
	const struct site *site = incoming->site;
	const struct sites_entry *entry = sites_find(&d->sites, incoming->id);
	int64_t before =
	    entry != NULL && entry->site != NULL ? entry->site->version : 0;
	struct status st = status_ok();

	if (site->n_certificates == 0)
		return;
	for (size_t i = 0; i < site->n_hosts && !failed(st); i++) {
		st = files_swap(d->files, site, site->hosts[i]);
		if (failed(st))
			break;
		files_prune(d->files, site->hosts[i], site->version, before);
		add_news(news, site->hosts[i]);
	}
	if (failed(st)) {
		incoming->is_passing = true;
		intake_refuse(incoming, "%s: %s", st.why,
		    strerrordesc_np((int)st.detail));
	}
}

static bool
has_files(const struct delivery *d)
{
	for (size_t i = 0; i < d->intake.n; i++)
		if (intake_is_good(&d->intake.sites[i]) &&
		    d->intake.sites[i].site->n_certificates > 0)
			return true;
	return false;
}

/* The mark comes first: if edged dies now, its next run tells the web server.
 */
static STATUS
swap_all(struct delivery *d, struct news *news)
{
	struct status st = status_ok();

	if (!has_files(d))
		return st;
	if (d->intake.needs_sync)
		st = files_sync(d->files);
	if (!failed(st))
		st = files_put(d->files, DELIVERY_DUE_FILE, bytes_of(""));
	if (failed(st))
		return st;
	pthread_mutex_lock(&d->mutex);
	d->is_due_file = true;
	pthread_mutex_unlock(&d->mutex);
	for (size_t i = 0; i < d->intake.n; i++)
		if (intake_is_good(&d->intake.sites[i]))
			swap_site(d, &d->intake.sites[i], news);
	return files_settle(d->files);
}

/* --- Taking over ------------------------------------------------------------
 */

/* With the mutex held, as all below. */
static void
retire_hosts(
    struct delivery *d, const struct site *site, const struct owners *owners)
{
	if (site == NULL || site->n_certificates == 0)
		return;
	for (size_t i = 0; i < site->n_hosts; i++)
		if (!is_owned(owners, site->hosts[i]) &&
		    !sites_gone_add(&d->sites, site->hosts[i], clock_wall_s()))
			log_warn("out of memory; files of a host that is gone "
				 "stay",
			    LOG_STR("host", site->hosts[i]));
}

static bool
adopt(struct delivery *d, struct intake_site *incoming,
    const struct owners *owners)
{
	struct sites_entry *entry = sites_take(&d->sites, incoming->id);
	struct site *old;

	if (entry == NULL) {
		log_error("a site is not kept: out of memory, or too many",
		    LOG_INT("site", incoming->id));
		return false;
	}
	old = entry->site;
	entry->site = incoming->site;
	incoming->site = NULL;
	for (size_t i = 0; i < entry->site->n_hosts; i++)
		if (entry->site->n_certificates > 0)
			sites_gone_drop(&d->sites, entry->site->hosts[i]);
	retire_hosts(d, old, owners);
	entry->has_old |= old != NULL;
	site_unref(old);
	entry->is_behind = false;
	entry->refused[0] = entry->problem[0] = '\0';
	entry->has_seen = false;
	entry->probe_ns = INT64_MAX;
	entry->probe_fails = 0;
	delivery_http_due(entry);
	entry->reload_serial =
	    entry->site->n_certificates > 0 ? d->serial + 1 : 0;
	if (entry->site->n_certificates == 0)
		entry->served_version = entry->site->version;
	else if (entry->served_version >= entry->site->version)
		entry->served_version = 0;
	delivery_entry_changed(entry);
	return true;
}

static void
note_refusal(struct delivery *d, const struct intake_site *incoming)
{
	struct sites_entry *entry =
	    incoming->id > 0 ? sites_take(&d->sites, incoming->id) : NULL;

	if (entry == NULL)
		return;
	entry->is_behind = true;
	(void)!snprintf(entry->refused, sizeof(entry->refused), "%s",
	    incoming->why != NULL ? incoming->why : "out of memory");
	delivery_entry_changed(entry);
}

static void
drop_entry(
    struct delivery *d, struct sites_entry *entry, const struct owners *owners)
{
	int64_t *removed =
	    realloc(d->removed, (d->n_removed + 1) * sizeof(*d->removed));

	if (removed != NULL) {
		d->removed = removed;
		removed[d->n_removed++] = entry->id;
	}
	retire_hosts(d, entry->site, owners);
	entry->id = 0;
}

/* Returns whether all that certd said is in place. */
static bool
take_over(struct delivery *d, const struct owners *owners)
{
	bool complete = true;

	for (size_t i = 0; i < d->sites.n; i++)
		if (intake_removes(&d->intake, d->sites.at[i]->id))
			drop_entry(d, d->sites.at[i], owners);
	sites_compact(&d->sites);
	d->cursor = d->http_cursor = 0;
	for (size_t i = 0; i < d->intake.n; i++) {
		struct intake_site *incoming = &d->intake.sites[i];

		if (incoming->is_unchanged || incoming->is_removed)
			continue;
		if (!intake_is_good(incoming) || !adopt(d, incoming, owners))
			complete = false;
		if (incoming->is_refused)
			note_refusal(d, incoming);
	}
	for (size_t i = 0; i < d->sites.n; i++) {
		if (d->intake.is_snapshot)
			delivery_entry_changed(d->sites.at[i]);
		complete &= !d->sites.at[i]->is_behind;
	}
	return complete;
}

/* --- The whole of it --------------------------------------------------------
 */

static bool
needs_stream(const struct delivery *d)
{
	for (size_t i = 0; i < d->intake.n; i++)
		if (d->intake.sites[i].is_passing)
			return true;
	return false;
}

static int64_t
stream_delay_ns(const struct delivery *d)
{
	int64_t delay_ns = d->config.again_ns;

	for (unsigned i = 1; i < d->fails && delay_ns < STREAM_MAX_NS; i++)
		delay_ns *= 2;
	return delay_ns < STREAM_MAX_NS ? delay_ns : STREAM_MAX_NS;
}

static bool
is_older(struct delivery *d)
{
	bool older = d->intake.version < d->sites.version;

	pthread_mutex_lock(&d->mutex);
	if (d->held_by_us != older) {
		d->held_by_us = older;
		d->changes++;
	}
	pthread_mutex_unlock(&d->mutex);
	if (older)
		log_error("certd is behind what is served here; nothing is "
			  "rolled back. Was its database restored? See "
			  "\"holdfast edge resync\"",
		    LOG_INT("its_version", d->intake.version),
		    LOG_INT("version", d->sites.version));
	return older;
}

/* With the mutex held: the update is in place, but for what was refused. */
static void
conclude(struct delivery *d, const struct owners *owners)
{
	bool again = needs_stream(d);

	if (take_over(d, owners)) {
		d->sites.version = d->intake.version;
		memcpy(d->sites.tag, d->intake.tag, SITES_TAG_LEN);
	}
	d->fails = again ? d->fails + 1 : 0;
	if (again)
		d->stream_ns = clock_mono_ns() + stream_delay_ns(d);
	d->must_save = true;
	d->changes++;
}

/* The disk takes nothing now: all of it comes again. */
static void
give_up(struct delivery *d, struct status st)
{
	pthread_mutex_lock(&d->mutex);
	d->fails++;
	d->stream_ns = clock_mono_ns() + stream_delay_ns(d);
	delivery_disk_problem(d, "certificates cannot be put in place", st);
	pthread_mutex_unlock(&d->mutex);
	log_error("certificates cannot be put in place", LOG_STATUS(st));
}

void
delivery_apply(struct delivery *d)
{
	struct owners owners = { 0 };
	struct news news = { 0 };
	struct status st;
	uint64_t serial;
	bool has_news;

	if (is_older(d))
		return;
	if (!settle_owners(d, &owners)) {
		give_up(
		    d, status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory"));
		return;
	}
	st = swap_all(d, &news);
	has_news = news.n > 0 || news.whole;
	if (failed(st))
		give_up(d, st);
	pthread_mutex_lock(&d->mutex);
	if (!failed(st)) {
		delivery_disk_problem(d, "", st);
		conclude(d, &owners);
	}
	/* What was swapped is whole, whatever came after. */
	if (has_news)
		d->serial++;
	else if (d->told_serial == d->serial)
		d->done_version = d->sites.version;
	serial = d->serial;
	pthread_mutex_unlock(&d->mutex);
	if (!failed(st))
		log_info("sites are in place",
		    LOG_INT("version", d->sites.version),
		    LOG_UINT("changed", d->intake.n),
		    LOG_UINT("sites", d->sites.n));
	if (has_news)
		reload_due(d->reload, serial, news.hosts, news.n, news.whole);
	delivery_http_wake(d);
	d->expire_ns = 0; /* hosts may have gone */
	free(news.hosts);
	free(owners.at);
}
