/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What one run leaves to the next.  A state that is lost costs a snapshot from
 * certd and nothing else: files stay where they are and web servers go on.  A
 * host whose files are gone has them brought again.
 */

#include "edge/delivery_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

/* Hosts that some files are of and no state knows: for a while, as if gone. */
static void
note_stray(void *ctx, const char *host)
{
	(void)sites_gone_add(ctx, host, clock_wall_s());
}

static void
read_state(const struct delivery *d, struct sites *sites)
{
	scoped(free) char *text = NULL;
	struct status st;
	size_t len;

	st = files_get(
	    d->files, DELIVERY_STATE_FILE, SITES_STATE_MAX, &text, &len);
	if (st.code == STATUS_NOT_FOUND) {
		log_info("no sites yet; all will be asked for");
		return;
	}
	if (!failed(st))
		st = sites_parse(
		    (struct bytes){ (const uint8_t *)text, len }, sites);
	if (!failed(st))
		return;
	log_error("the state of the sites is lost; files stay, and all sites "
		  "will be asked for again",
	    LOG_STATUS(st));
	files_each(d->files, note_stray, sites);
}

/* Those whose links lead nowhere are to be brought again. */
static void
check_files(const struct delivery *d, struct sites *sites)
{
	bool whole = true;

	for (size_t i = 0; i < sites->n; i++) {
		struct sites_entry *entry = sites->at[i];
		const struct site *site = entry->site;

		for (size_t k = 0;
		     site->n_certificates > 0 && k < site->n_hosts; k++)
			if (!files_is_live(d->files, site->hosts[k])) {
				log_warn("files of a site are gone; they will "
					 "be asked for again",
				    LOG_STR("host", site->hosts[k]));
				entry->is_behind = true;
				entry->served_version = 0;
			}
		whole &= !entry->is_behind;
	}
	if (whole)
		return;
	sites->version = 0;
	memset(sites->tag, 0, SITES_TAG_LEN);
}

/* Proven ones are looked at in turn, the others at once. */
static void
schedule(const struct delivery *d, struct sites *sites)
{
	int64_t now_ns = clock_mono_ns();

	for (size_t i = 0; i < sites->n; i++) {
		struct sites_entry *entry = sites->at[i];
		bool proven = entry->served_version == entry->site->version;
		int64_t step_ns =
		    d->config.probe_interval_ns / (int64_t)sites->n;

		entry->probe_ns =
		    proven ? now_ns + step_ns * (int64_t)(i + 1) : now_ns;
		delivery_http_due(entry);
		delivery_entry_changed(entry);
	}
}

/* The last run was cut short before the web server knew of all. */
static void
tell_again(struct delivery *d)
{
	const char **hosts = NULL;
	uint64_t serial;
	size_t n = 0;

	for (size_t i = 0; i < d->sites.n; i++)
		n += d->sites.at[i]->site->n_hosts;
	hosts = calloc(n + 1, sizeof(*hosts));
	n = 0;
	for (size_t i = 0; hosts != NULL && i < d->sites.n; i++) {
		const struct site *site = d->sites.at[i]->site;

		for (size_t k = 0;
		     site->n_certificates > 0 && k < site->n_hosts; k++)
			hosts[n++] = site->hosts[k];
	}
	pthread_mutex_lock(&d->mutex);
	d->is_due_file = true;
	serial = ++d->serial;
	pthread_mutex_unlock(&d->mutex);
	log_info("the web server was not told of the last change; it is now");
	reload_due(d->reload, serial, hosts, n, hosts == NULL);
	free(hosts);
}

void
delivery_load(struct delivery *d)
{
	struct sites sites = { 0 };
	char *text = NULL;
	size_t len;
	bool due;

	read_state(d, &sites);
	check_files(d, &sites);
	schedule(d, &sites);
	due =
	    !failed(files_get(d->files, DELIVERY_DUE_FILE, 4096, &text, &len));
	free(text);
	pthread_mutex_lock(&d->mutex);
	d->sites = sites;
	if (!due)
		d->done_version = d->sites.version;
	pthread_mutex_unlock(&d->mutex);
	if (due)
		tell_again(d);
	pthread_mutex_lock(&d->mutex);
	d->is_ready = true;
	pthread_mutex_unlock(&d->mutex);
}

STATUS
delivery_save(struct delivery *d)
{
	scoped(free) char *text = NULL;
	struct status st;
	size_t len;

	pthread_mutex_lock(&d->mutex);
	text = sites_print(&d->sites, &len);
	d->must_save = d->unsaved = false;
	pthread_mutex_unlock(&d->mutex);
	if (text == NULL)
		st = status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	else
		st = files_put(d->files, DELIVERY_STATE_FILE,
		    (struct bytes){ (const uint8_t *)text, len });
	pthread_mutex_lock(&d->mutex);
	if (!failed(st)) {
		if (d->save_failed)
			delivery_disk_problem(d, "", st);
		d->save_failed = false;
		pthread_mutex_unlock(&d->mutex);
		return st;
	}
	d->save_failed = d->must_save = true;
	d->retry_ns = clock_mono_ns() + 5 * NS_PER_S;
	delivery_disk_problem(d, "the state of the sites cannot be kept", st);
	pthread_mutex_unlock(&d->mutex);
	log_error("the state of the sites cannot be kept", LOG_STATUS(st));
	return st;
}
