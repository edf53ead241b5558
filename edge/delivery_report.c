/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is known of sites beyond their files: whether the web server was told,
 * what was seen served, and what certd has heard of that.  Each entry counts
 * its changes; a report carries the count it was made at, so that what changes
 * while it is on its way is reported again.
 */

#include "edge/delivery_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define PROBE_FIRST_NS (200 * NS_PER_MS)
#define PROBE_RETRY_MAX_NS (60 * NS_PER_S)
#define PROBLEM_MAX (HOOK_WHY_MAX + 2 * SITE_WHY_MAX)

static char no_probe[] = "what is served is not looked at: edged.yaml has no "
			 "probe";

void
delivery_entry_changed(struct sites_entry *entry)
{
	entry->changes++;
}

void
delivery_disk_problem(struct delivery *d, const char *what, struct status st)
{
	char text[SITE_WHY_MAX] = "";

	if (failed(st))
		(void)!snprintf(text, sizeof(text), "%s: %s%s%s", what, st.why,
		    st.detail != 0 ? ": " : "",
		    st.detail != 0 ? strerrordesc_np((int)st.detail) : "");
	if (strcmp(text, d->disk_problem) == 0)
		return;
	memcpy(d->disk_problem, text, sizeof(text));
	d->changes++;
}

void
delivery_problem(struct delivery *d, const char *problem)
{
	bool is_news;

	pthread_mutex_lock(&d->mutex);
	is_news = strcmp(d->other_problem, problem) != 0;
	if (is_news) {
		(void)!snprintf(
		    d->other_problem, sizeof(d->other_problem), "%s", problem);
		d->changes++;
	}
	pthread_mutex_unlock(&d->mutex);
	if (is_news)
		d->config.tell(d->config.ctx);
}

/* --- The web server was told ------------------------------------------------
 */

void
delivery_on_reload(
    void *ctx, uint64_t serial, struct status st, const char *why)
{
	struct delivery *d = ctx;
	int64_t now_ns = clock_mono_ns();

	pthread_mutex_lock(&d->mutex);
	if (!failed(st) && serial > d->told_serial)
		d->told_serial = serial;
	if (!failed(st) && serial == d->serial)
		d->done_version = d->sites.version;
	if (failed(st) && why[0] == '\0')
		why = st.why;
	(void)!snprintf(d->hook_problem, sizeof(d->hook_problem), "%s",
	    failed(st) ? why : "");
	d->changes++;
	for (size_t i = 0; i < d->sites.n; i++) {
		struct sites_entry *entry = d->sites.at[i];

		bool was_due =
		    entry->reload_serial != 0 && entry->reload_serial <= serial;
		/* It may have waited for just this. */
		bool waits = !failed(st) && entry->reload_serial == 0 &&
			     entry->problem[0] != '\0';

		if (!failed(st) && entry->http.problem != NULL)
			delivery_http_due(entry);
		if (!was_due && !waits)
			continue;
		entry->reload_serial = 0;
		entry->probe_ns = now_ns;
		entry->probe_fails = 0;
	}
	/* The thread removes the mark. */
	pthread_cond_signal(&d->changed);
	pthread_mutex_unlock(&d->mutex);
	if (d->sweep != NULL)
		sweep_wake(d->sweep);
	delivery_http_wake(d);
	d->config.tell(d->config.ctx);
}

/* --- What is served ---------------------------------------------------------
 */

static struct site *
on_take(void *ctx, int64_t now_ns, int64_t *ret_next_ns)
{
	struct delivery *d = ctx;
	struct site *site = NULL;

	pthread_mutex_lock(&d->mutex);
	*ret_next_ns = INT64_MAX;
	for (size_t k = 0; k < d->sites.n && site == NULL; k++) {
		size_t i = (d->cursor + k) % d->sites.n;
		struct sites_entry *entry = d->sites.at[i];

		if (entry->site == NULL || entry->is_probed ||
		    entry->site->n_certificates == 0)
			continue;
		if (entry->probe_ns <= now_ns) {
			entry->is_probed = true;
			site = site_ref(entry->site);
			d->cursor = i + 1;
		} else if (entry->probe_ns < *ret_next_ns) {
			*ret_next_ns = entry->probe_ns;
		}
	}
	pthread_mutex_unlock(&d->mutex);
	return site;
}

static int64_t
retry_ns(const struct delivery *d, unsigned fails)
{
	int64_t delay_ns = PROBE_FIRST_NS;

	for (unsigned i = 1; i < fails && delay_ns < PROBE_RETRY_MAX_NS; i++)
		delay_ns *= 2;
	if (delay_ns > PROBE_RETRY_MAX_NS)
		delay_ns = PROBE_RETRY_MAX_NS;
	return delay_ns < d->config.probe_interval_ns
		   ? delay_ns
		   : d->config.probe_interval_ns;
}

/* With the mutex held. */
static void
note_served(struct delivery *d, struct sites_entry *entry)
{
	entry->probe_fails = 0;
	entry->probe_ns = clock_mono_ns() + d->config.probe_interval_ns;
	if (entry->served_version == entry->site->version &&
	    entry->problem[0] == '\0')
		return;
	if (entry->served_version != entry->site->version) {
		entry->served_version = entry->site->version;
		d->unsaved = true;
		d->has_old |= entry->has_old;
		pthread_cond_signal(&d->changed);
	}
	entry->problem[0] = '\0';
	entry->has_seen = false;
	delivery_entry_changed(entry);
}

/*
 * With the mutex held.  No handshake proves nothing about the certificate, so
 * what was seen before stands; another certificate does.
 */
static void
note_not_served(struct delivery *d, struct sites_entry *entry,
    const struct probe_result *result)
{
	bool known = strcmp(entry->problem, result->why) == 0 &&
		     entry->has_seen == result->has_seen &&
		     (!result->has_seen || memcmp(entry->seen, result->seen,
					       sizeof(entry->seen)) == 0);

	entry->probe_fails++;
	entry->probe_ns = clock_mono_ns() + retry_ns(d, entry->probe_fails);
	if (result->has_seen && entry->served_version == entry->site->version) {
		entry->served_version = 0;
		d->unsaved = true;
		known = false;
	}
	if (known)
		return;
	memcpy(entry->problem, result->why, sizeof(entry->problem));
	entry->has_seen = result->has_seen;
	memcpy(entry->seen, result->seen, sizeof(entry->seen));
	delivery_entry_changed(entry);
}

static void
on_look(void *ctx, const struct site *site)
{
	struct delivery *d = ctx;
	struct probe_result result;
	struct sites_entry *entry;
	bool is_news = false;

	probe_site(d->probe, site, &result);
	pthread_mutex_lock(&d->mutex);
	entry = sites_find(&d->sites, site->id);
	if (entry != NULL) {
		unsigned before = entry->changes;

		entry->is_probed = false;
		if (entry->site != site)
			; /* changed meanwhile: looked at again */
		else if (result.served)
			note_served(d, entry);
		else
			note_not_served(d, entry, &result);
		is_news = entry->changes != before;
	}
	pthread_mutex_unlock(&d->mutex);
	if (is_news)
		d->config.tell(d->config.ctx);
}

static void
on_stop(void *ctx)
{
	struct delivery *d = ctx;

	probe_stop(d->probe);
}

const struct sweep_ops delivery_sweep_ops = { on_take, on_look, on_stop };

/* --- Reports ----------------------------------------------------------------
 */

struct delivery_told {
	unsigned changes; /* the edge's own */
	Holdfast__Certd__V1__SiteReport sites[DELIVERY_REPORT_MAX];
	Holdfast__Certd__V1__SiteReport *list[DELIVERY_REPORT_MAX];
	unsigned site_changes[DELIVERY_REPORT_MAX];
	char problems[DELIVERY_REPORT_MAX][SITE_WHY_MAX];
	char http_problems[DELIVERY_REPORT_MAX][SITE_WHY_MAX];
	uint8_t seen[DELIVERY_REPORT_MAX][SITE_FINGERPRINT_LEN];
	char problem[PROBLEM_MAX];
};

static void
fill_site(struct delivery_told *told, size_t i, const struct sites_entry *entry)
{
	Holdfast__Certd__V1__SiteReport *report = &told->sites[i];
	const char *problem =
	    entry->refused[0] != '\0' ? entry->refused : entry->problem;

	holdfast__certd__v1__site_report__init(report);
	told->list[i] = report;
	told->site_changes[i] = entry->changes;
	report->id = entry->id;
	report->applied_version =
	    entry->site != NULL ? entry->site->version : 0;
	report->served_version = entry->served_version;
	memcpy(told->problems[i], problem, SITE_WHY_MAX);
	report->problem = told->problems[i];
	report->http_probed = entry->http.is_known;
	if (entry->http.problem != NULL) {
		(void)!snprintf(told->http_problems[i], SITE_WHY_MAX, "%s",
		    entry->http.problem);
		report->http_problem = told->http_problems[i];
	}
	if (entry->has_seen) {
		memcpy(told->seen[i], entry->seen, SITE_FINGERPRINT_LEN);
		report->seen.data = told->seen[i];
		report->seen.len = SITE_FINGERPRINT_LEN;
	}
}

static void
add_problem(char text[PROBLEM_MAX], const char *problem)
{
	size_t len = strlen(text);

	if (problem[0] != '\0')
		(void)!snprintf(text + len, PROBLEM_MAX - len, "%s%s",
		    len > 0 ? "; " : "", problem);
}

static void
fill_edge(struct delivery *d, struct delivery_report *report)
{
	struct delivery_told *told = report->told;
	Holdfast__Certd__V1__ReportRequest *request = &report->request;

	request->applied_version = d->done_version;
	request->held_back = d->held_by_certd || d->held_by_us;
	request->held_version = request->held_back ? d->sites.version : 0;
	told->changes = d->changes;
	add_problem(told->problem, d->hook_problem);
	add_problem(told->problem, d->disk_problem);
	add_problem(told->problem, d->other_problem);
	if (told->problem[0] == '\0' && d->probe == NULL)
		request->problem = no_probe;
	else
		request->problem = told->problem;
}

void
delivery_report(struct delivery *d, struct delivery_report *ret_report)
{
	struct delivery_told *told = calloc(1, sizeof(*told));
	size_t n = 0;

	*ret_report = (struct delivery_report){ .told = told };
	holdfast__certd__v1__report_request__init(&ret_report->request);
	if (told == NULL)
		return;
	pthread_mutex_lock(&d->mutex);
	fill_edge(d, ret_report);
	for (size_t i = 0; i < d->n_removed && n < DELIVERY_REPORT_MAX; i++) {
		holdfast__certd__v1__site_report__init(&told->sites[n]);
		told->sites[n].id = d->removed[i];
		told->sites[n].removed = 1;
		told->list[n] = &told->sites[n];
		n++;
	}
	ret_report->is_full = d->n_removed > n;
	for (size_t i = 0; i < d->sites.n && !ret_report->is_full; i++) {
		const struct sites_entry *entry = d->sites.at[i];

		if (entry->changes == entry->told)
			continue;
		if (n == DELIVERY_REPORT_MAX)
			ret_report->is_full = true;
		else
			fill_site(told, n++, entry);
	}
	ret_report->is_due = n > 0 || d->changes != d->told;
	pthread_mutex_unlock(&d->mutex);
	ret_report->request.n_sites = n;
	ret_report->request.sites = told->list;
}

void
delivery_reported(struct delivery *d, const struct delivery_report *report)
{
	const struct delivery_told *told = report->told;
	size_t n_removed = 0;

	if (told == NULL)
		return;
	pthread_mutex_lock(&d->mutex);
	d->told = told->changes;
	for (size_t i = 0; i < report->request.n_sites; i++) {
		struct sites_entry *entry =
		    sites_find(&d->sites, told->sites[i].id);

		if (told->sites[i].removed)
			n_removed++;
		else if (entry != NULL)
			entry->told = told->site_changes[i];
	}
	if (n_removed > d->n_removed)
		n_removed = d->n_removed;
	/* New ones came behind those that were told. */
	d->n_removed -= n_removed;
	if (d->n_removed > 0)
		memmove(d->removed, d->removed + n_removed,
		    d->n_removed * sizeof(*d->removed));
	pthread_mutex_unlock(&d->mutex);
}

void
delivery_report_done(struct delivery_report *report)
{
	free(report->told);
	*report = (struct delivery_report){ 0 };
}

void
delivery_measure(struct delivery *d)
{
	int64_t sites = 0, served = 0;

	pthread_mutex_lock(&d->mutex);
	for (size_t i = 0; i < d->sites.n; i++) {
		const struct sites_entry *entry = d->sites.at[i];

		if (entry->site == NULL)
			continue;
		sites++;
		served += entry->served_version == entry->site->version;
	}
	metric_gauge_set(d->m_version, d->sites.version);
	pthread_mutex_unlock(&d->mutex);
	metric_gauge_set(d->m_sites, sites);
	metric_gauge_set(d->m_served, served);
}
