/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The way of http-01 through this host's web server, looked at for each site:
 * when it is first seen, when it changed, once a day, and again and again while
 * it is not right.  A sweep of its own with one thread, so that nothing of it
 * delays what is looked at for certificates; what was seen is reported beside
 * them.
 */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "edge/delivery_int.h"

#define DAY_NS (86400 * NS_PER_S)
#define RETRY_NS NS_PER_S
#define RETRY_MAX_NS (600 * NS_PER_S)

void
delivery_http_due(struct sites_entry *entry)
{
	entry->http.next_ns = clock_mono_ns();
	entry->http.fails = 0;
	if (http_probe_wants(entry->site))
		return;
	free(entry->http.problem);
	entry->http.problem = NULL;
	entry->http.is_known = false;
}

void
delivery_http_wake(struct delivery *d)
{
	if (d->http_sweep != NULL)
		sweep_wake(d->http_sweep);
}

/* With the mutex held.  Also sites by plain HTTP: their first certificate comes
 * this way. */
static bool
may_look(struct sites_entry *entry)
{
	return entry->site != NULL && !entry->http.is_looked_at &&
	       http_probe_wants(entry->site);
}

static struct site *
on_take(void *ctx, int64_t now_ns, int64_t *ret_next_ns)
{
	struct delivery *d = ctx;
	struct site *site = NULL;

	pthread_mutex_lock(&d->mutex);
	*ret_next_ns = INT64_MAX;
	for (size_t k = 0; k < d->sites.n && site == NULL; k++) {
		size_t i = (d->http_cursor + k) % d->sites.n;
		struct sites_entry *entry = d->sites.at[i];

		if (!may_look(entry))
			continue;
		if (entry->http.next_ns <= now_ns) {
			entry->http.is_looked_at = true;
			site = site_ref(entry->site);
			d->http_cursor = i + 1;
		} else if (entry->http.next_ns < *ret_next_ns) {
			*ret_next_ns = entry->http.next_ns;
		}
	}
	pthread_mutex_unlock(&d->mutex);
	return site;
}

/* With the mutex held. */
static void
note(struct sites_entry *entry, bool is_good, const char *why)
{
	bool known = entry->http.is_known &&
		     (is_good ? entry->http.problem == NULL
			      : entry->http.problem != NULL &&
				    strcmp(entry->http.problem, why) == 0);
	int64_t delay_ns = is_good ? DAY_NS : RETRY_NS;

	entry->http.fails = is_good ? 0 : entry->http.fails + 1;
	for (unsigned i = 1; i < entry->http.fails && delay_ns < RETRY_MAX_NS;
	     i++)
		delay_ns *= 2;
	if (!is_good && delay_ns > RETRY_MAX_NS)
		delay_ns = RETRY_MAX_NS;
	entry->http.next_ns = clock_mono_ns() + delay_ns;
	if (known)
		return;
	free(entry->http.problem);
	entry->http.problem = is_good ? NULL : strdup(why);
	/* What cannot be kept is not known. */
	entry->http.is_known = is_good || entry->http.problem != NULL;
	delivery_entry_changed(entry);
}

static void
on_look(void *ctx, const struct site *site)
{
	struct delivery *d = ctx;
	char why[SITE_WHY_MAX] = "";
	bool is_good = http_probe_site(d->http_probe, site, why);
	struct sites_entry *entry;
	bool is_news = false;

	pthread_mutex_lock(&d->mutex);
	entry = sites_find(&d->sites, site->id);
	if (entry != NULL) {
		unsigned before = entry->changes;

		entry->http.is_looked_at = false;
		/* What changed meanwhile is looked at again. */
		if (entry->site == site && !d->stopping)
			note(entry, is_good, why);
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

	http_probe_stop(d->http_probe);
}

const struct sweep_ops delivery_http_ops = { on_take, on_look, on_stop };
