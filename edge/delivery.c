/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The delivery's thread: it takes messages off a queue, applies them when they
 * are complete, and keeps house (the state, old versions, hosts that are gone).
 * It alone touches files.  The queue is bounded: certd cannot make edged grow.
 */

#include "edge/delivery_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

/* Nothing more is asked for from the first on, and nothing is taken beyond the
 * second. */
#define QUEUE_FULL ((size_t)16 * 1024 * 1024)
#define QUEUE_MAX ((size_t)64 * 1024 * 1024)
/* Sites that are applied as one while more waits. */
#define MERGE_MAX 1000
#define AGAIN_NS (5 * NS_PER_S)
#define SAVE_LAZY_NS (10 * NS_PER_S)
#define EXPIRE_NS (60 * NS_PER_S)

/* --- Keeping house ----------------------------------------------------------
 */

/* Served as they are now: what was before may go. */
static void
prune(struct delivery *d)
{
	for (size_t i = 0; i < d->sites.n; i++) {
		struct sites_entry *entry = d->sites.at[i];
		bool prunes;

		pthread_mutex_lock(&d->mutex);
		prunes = entry->has_old && entry->site != NULL &&
			 entry->served_version == entry->site->version;
		entry->has_old &= !prunes;
		pthread_mutex_unlock(&d->mutex);
		for (size_t k = 0; prunes && k < entry->site->n_hosts; k++)
			files_prune(d->files, entry->site->hosts[k],
			    entry->site->version, 0);
	}
}

/* Files of hosts that are gone for long enough. */
static void
expire(struct delivery *d)
{
	int64_t before_s = clock_wall_s() - d->config.keep_removed_s;
	scoped(free) const char **hosts = NULL;
	uint64_t serial;
	size_t n = 0;
	struct status st;

	for (size_t i = 0; i < d->sites.n_gone; i++)
		n += d->sites.gone[i].since_s <= before_s;
	if (n > 0)
		hosts = calloc(n, sizeof(*hosts));
	if (hosts == NULL)
		return;
	n = 0;
	for (size_t i = 0; i < d->sites.n_gone; i++)
		if (d->sites.gone[i].since_s <= before_s)
			hosts[n++] = d->sites.gone[i].host;
	st = files_remove(d->files, hosts, n);
	if (failed(st)) {
		log_warn("files of hosts that are gone stay for now",
		    LOG_STATUS(st));
		return;
	}
	for (size_t i = 0; i < n; i++)
		log_info("files of a host that is gone are removed",
		    LOG_STR("host", hosts[i]));
	pthread_mutex_lock(&d->mutex);
	for (size_t i = 0; i < n; i++)
		sites_gone_drop(&d->sites, hosts[i]);
	d->must_save = true;
	serial = ++d->serial;
	pthread_mutex_unlock(&d->mutex);
	reload_due(d->reload, serial, NULL, 0, true);
}

/* With the mutex held: is the mark for a change that is told by now? */
static bool
may_unmark(const struct delivery *d)
{
	return d->is_due_file && d->told_serial == d->serial;
}

/* Nobody but the thread makes a mark, so none is lost here. */
static void
unmark(struct delivery *d)
{
	bool may;

	pthread_mutex_lock(&d->mutex);
	may = may_unmark(d);
	if (may)
		d->is_due_file = false;
	pthread_mutex_unlock(&d->mutex);
	if (may && failed(files_drop(d->files, DELIVERY_DUE_FILE)))
		log_warn("a mark cannot be removed; the hook runs once more "
			 "after the next start");
}

/* --- The thread -------------------------------------------------------------
 */

static bool
more_waits(struct delivery *d)
{
	bool more;

	pthread_mutex_lock(&d->mutex);
	more = d->first != NULL && !d->stopping;
	pthread_mutex_unlock(&d->mutex);
	return more;
}

static void
apply(struct delivery *d)
{
	if (!d->intake.is_complete)
		return;
	intake_close(&d->intake);
	delivery_apply(d);
	intake_done(&d->intake);
	d->config.tell(d->config.ctx);
}

/* Updates that come faster than the disk takes them are applied as one. */
static void
take_item(struct delivery *d, const struct delivery_item *item)
{
	bool more = more_waits(d);
	struct status st;

	if (item->begins) {
		apply(d);
		intake_done(&d->intake);
		d->distrusts = false;
		return;
	}
	if (d->distrusts)
		return;
	st = intake_message(&d->intake, (struct bytes){ item->at, item->len },
	    &d->sites, d->files, more);
	if (failed(st)) {
		log_error("certd's updates are not believed", LOG_STATUS(st));
		d->distrusts = true;
		intake_done(&d->intake);
		pthread_mutex_lock(&d->mutex);
		d->stream_ns = clock_mono_ns() + d->config.again_ns;
		pthread_mutex_unlock(&d->mutex);
		return;
	}
	if (!more || d->intake.n >= MERGE_MAX)
		apply(d);
}

/* With the mutex held: the next message, taken off the queue. */
static struct delivery_item *
pop(struct delivery *d)
{
	struct delivery_item *item = d->first;

	if (item == NULL)
		return NULL;
	d->first = item->next;
	if (d->first == NULL)
		d->last = NULL;
	d->wants_more |=
	    d->queued >= QUEUE_FULL && d->queued - item->len < QUEUE_FULL;
	d->queued -= item->len;
	return item;
}

/* With the mutex held: when there is something to do without being asked. */
static int64_t
next_ns(const struct delivery *d)
{
	int64_t save_ns = d->must_save ? d->retry_ns
			  : d->unsaved ? d->save_ns
				       : INT64_MAX;

	return save_ns < d->expire_ns ? save_ns : d->expire_ns;
}

/* With the mutex held; lets go of it meanwhile.  False: nothing to do before
 * *ret_next_ns. */
static bool
step(struct delivery *d, int64_t *ret_next_ns)
{
	int64_t now_ns = clock_mono_ns();
	struct delivery_item *item = NULL;
	bool saves, unmarks, prunes, expires, told;

	saves = d->must_save ? now_ns >= d->retry_ns
			     : d->unsaved && now_ns >= d->save_ns;
	unmarks = may_unmark(d);
	prunes = d->has_old;
	d->has_old = false;
	expires = now_ns >= d->expire_ns;
	if (!saves || !d->must_save)
		item = pop(d);
	told = d->wants_more;
	d->wants_more = false;
	*ret_next_ns = next_ns(d);
	if (!(saves || unmarks || prunes || expires || item != NULL))
		return false;
	pthread_mutex_unlock(&d->mutex);
	if (told)
		d->config.tell(d->config.ctx);
	if (item != NULL)
		take_item(d, item);
	free(item);
	/* Before the mark goes, the state must know what is told. */
	if (saves && !failed(delivery_save(d)))
		d->save_ns = clock_mono_ns() + SAVE_LAZY_NS;
	if (unmarks)
		unmark(d);
	if (prunes)
		prune(d);
	if (expires) {
		d->expire_ns = clock_mono_ns() + EXPIRE_NS;
		expire(d);
	}
	pthread_mutex_lock(&d->mutex);
	return true;
}

/* With the mutex held: false when it is time to stop. */
static bool
wait_until(struct delivery *d, int64_t until_ns)
{
	if (!d->stopping && clock_mono_ns() < until_ns)
		(void)clock_cond_wait(&d->changed, &d->mutex, until_ns);
	return !d->stopping;
}

/* False when it is time to stop before the folder can be opened. */
static bool
open_files(struct delivery *d)
{
	for (;;) {
		struct status st = files_open(&d->config.files, &d->files);
		int64_t until_ns = clock_mono_ns() + AGAIN_NS;
		bool go_on = true;

		if (!failed(st))
			return true;
		log_error("certificates cannot be put in place; trying again",
		    LOG_STR("dir", d->config.files.dir), LOG_STATUS(st));
		pthread_mutex_lock(&d->mutex);
		while (go_on && clock_mono_ns() < until_ns)
			go_on = wait_until(d, until_ns);
		pthread_mutex_unlock(&d->mutex);
		if (!go_on)
			return false;
	}
}

static void *
run(void *arg)
{
	struct delivery *d = arg;
	int64_t until_ns;

	if (!open_files(d))
		return NULL;
	delivery_load(d);
	if (d->sweep != NULL)
		sweep_wake(d->sweep);
	delivery_http_wake(d);
	d->config.tell(d->config.ctx);
	pthread_mutex_lock(&d->mutex);
	while (!d->stopping)
		if (!step(d, &until_ns))
			wait_until(d, until_ns);
	pthread_mutex_unlock(&d->mutex);
	if (d->unsaved || d->must_save)
		(void)!failed(delivery_save(d));
	return NULL;
}

/* --- The door ---------------------------------------------------------------
 */

bool
delivery_position(
    struct delivery *d, int64_t *ret_version, uint8_t ret_tag[SITES_TAG_LEN])
{
	bool ready;

	pthread_mutex_lock(&d->mutex);
	ready = d->is_ready;
	if (ready) {
		*ret_version = d->sites.version;
		memcpy(ret_tag, d->sites.tag, SITES_TAG_LEN);
		d->stream_ns = 0;
	}
	pthread_mutex_unlock(&d->mutex);
	return ready;
}

static bool
put(struct delivery *d, struct bytes octets, bool begins)
{
	struct delivery_item *item = malloc(sizeof(*item) + octets.len);
	bool taken = false;

	if (item != NULL) {
		item->next = NULL;
		item->begins = begins;
		item->len = octets.len;
		if (octets.len > 0)
			memcpy(item->at, octets.at, octets.len);
	}
	pthread_mutex_lock(&d->mutex);
	if (begins)
		d->is_lossy = false;
	if (item != NULL && !d->is_lossy &&
	    d->queued + item->len <= QUEUE_MAX) {
		taken = true;
		if (d->last != NULL)
			d->last->next = item;
		else
			d->first = item;
		d->last = item;
		d->queued += item->len;
		pthread_cond_signal(&d->changed);
	}
	/* With a hole in it, what follows would say what certd did not. */
	d->is_lossy |= !taken;
	pthread_mutex_unlock(&d->mutex);
	if (!taken)
		free(item);
	return taken;
}

bool
delivery_begin(struct delivery *d)
{
	return put(d, (struct bytes){ 0 }, true);
}

bool
delivery_message(struct delivery *d, struct bytes message)
{
	return put(d, message, false);
}

bool
delivery_has_room(struct delivery *d)
{
	bool room;

	pthread_mutex_lock(&d->mutex);
	room = d->queued < QUEUE_FULL;
	pthread_mutex_unlock(&d->mutex);
	return room;
}

void
delivery_hold(struct delivery *d, bool held)
{
	pthread_mutex_lock(&d->mutex);
	if (d->held_by_certd != held)
		d->changes++;
	d->held_by_certd = held;
	pthread_mutex_unlock(&d->mutex);
}

bool
delivery_wants_stream(struct delivery *d)
{
	bool wants;

	pthread_mutex_lock(&d->mutex);
	wants = d->stream_ns != 0 && clock_mono_ns() >= d->stream_ns;
	if (wants)
		d->stream_ns = 0;
	pthread_mutex_unlock(&d->mutex);
	return wants;
}

/* --- Life -------------------------------------------------------------------
 */

static STATUS
start_parts(struct delivery *d)
{
	const struct delivery_config *config = &d->config;
	struct status st = reload_new(
	    &(struct reload_config){
		.hook = config->hook,
		.haproxy_socket = config->haproxy_socket,
		.dir = config->files.dir,
		.done = delivery_on_reload,
		.ctx = d,
		.metrics = config->metrics,
	    },
	    &d->reload);

	if (!failed(st) && config->probe_connect != NULL)
		st = probe_new(
		    config->probe_connect, config->probe_timeout_ns, &d->probe);
	if (!failed(st) && d->probe != NULL)
		st = sweep_new(0, &delivery_sweep_ops, d, &d->sweep);
	if (!failed(st) && config->http_connect != NULL)
		st = http_probe_new(config->http_connect,
		    config->probe_timeout_ns, &d->http_probe);
	/* One thread, which nothing of the others' waits for. */
	if (!failed(st) && d->http_probe != NULL)
		st = sweep_new(1, &delivery_http_ops, d, &d->http_sweep);
	return st;
}

STATUS
delivery_new(
    const struct delivery_config *config, struct delivery **ret_delivery)
{
	struct delivery *d = calloc(1, sizeof(*d));
	struct status st;

	if (d == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	d->config = *config;
	if (d->config.again_ns == 0)
		d->config.again_ns = AGAIN_NS;
	pthread_mutex_init(&d->mutex, NULL);
	clock_cond_init(&d->changed);
	d->m_sites = metrics_gauge(config->metrics, "edged_sites",
	    "Sites whose files are in place.", "");
	d->m_served = metrics_gauge(config->metrics, "edged_sites_served",
	    "Sites that were seen served as they are.", "");
	d->m_version = metrics_gauge(config->metrics, "edged_version",
	    "certd's version that is in place.", "");
	if (config->probe_connect == NULL)
		log_warn("what the web server serves is not looked at: there "
			 "is no probe in edged.yaml");
	st = start_parts(d);
	if (!failed(st)) {
		d->has_thread = pthread_create(&d->thread, NULL, run, d) == 0;
		if (!d->has_thread)
			st = status_fail(
			    STATUS_RESOURCE_EXHAUSTED, "no thread to be had");
	}
	if (failed(st)) {
		delivery_free(d);
		return st;
	}
	*ret_delivery = d;
	return status_ok();
}

void
delivery_free(struct delivery *d)
{
	if (d == NULL)
		return;
	pthread_mutex_lock(&d->mutex);
	d->stopping = true;
	pthread_cond_signal(&d->changed);
	pthread_mutex_unlock(&d->mutex);
	if (d->has_thread)
		pthread_join(d->thread, NULL);
	/* It wakes the sweep. */
	reload_free(d->reload);
	sweep_free(d->sweep);
	probe_free(d->probe);
	sweep_free(d->http_sweep);
	http_probe_free(d->http_probe);
	files_close(d->files);
	intake_done(&d->intake);
	sites_done(&d->sites);
	free(d->removed);
	for (struct delivery_item *item; (item = pop(d)) != NULL;)
		free(item);
	pthread_cond_destroy(&d->changed);
	pthread_mutex_destroy(&d->mutex);
	free(d);
}
