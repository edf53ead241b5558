/* SPDX-License-Identifier: Apache-2.0 */

/*
 * When and how the web server is told.  The thread waits for changes, lets a
 * burst gather, takes all that is due, and tells it in one go; what becomes due
 * meanwhile waits for the next.  HAProxy is asked first, host by host; at the
 * first one that it does not take the hook, if there is one, does all at once.
 */

#include "edge/reload.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "edge/haproxy.h"
#include "edge/site.h"

#define GATHER_NS (200 * NS_PER_MS)
#define RETRY_FIRST_NS NS_PER_S
#define RETRY_MAX_NS (300 * NS_PER_S)
#define HOOK_TIMEOUT_NS (60 * NS_PER_S)
#define HAPROXY_TIMEOUT_NS (5 * NS_PER_S)
/* Above what HAProxy's buffer takes by far. */
#define PEM_MAX ((size_t)512 * 1024)

struct hosts {
	char **at;
	size_t n;
	bool whole;
};

struct reload {
	struct reload_config config;
	pthread_t thread;
	int stop_fd;
	struct metric_counter *m_ok, *m_failed, *m_haproxy;
	pthread_mutex_t mutex; /* guards the rest */
	pthread_cond_t changed;
	struct hosts due;
	uint64_t serial; /* of the newest that is due */
	bool is_due, stopping;
	unsigned fails;
	int64_t not_before_ns;
};

static void
hosts_done(struct hosts *hosts)
{
	for (size_t i = 0; i < hosts->n; i++)
		free(hosts->at[i]);
	free(hosts->at);
	*hosts = (struct hosts){ 0 };
}

/* What cannot be remembered by name is told as a whole. */
static void
hosts_add(struct hosts *to, const char *host)
{
	char **at = realloc(to->at, (to->n + 1) * sizeof(char *));
	if (at != NULL) {
		to->at = at;
		at[to->n] = strdup(host);
	}
	if (at != NULL && at[to->n] != NULL)
		to->n++;
	else
		to->whole = true;
}

static int
compare_hosts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* While the hook fails the same ones come again and again. */
static void
hosts_unite(struct hosts *hosts)
{
	size_t n = 0;

	if (hosts->n > 0)
		qsort(hosts->at, hosts->n, sizeof(char *), compare_hosts);
	for (size_t i = 0; i < hosts->n; i++) {
		if (n > 0 && strcmp(hosts->at[n - 1], hosts->at[i]) == 0)
			free(hosts->at[i]);
		else
			hosts->at[n++] = hosts->at[i];
	}
	hosts->n = n;
}

/* --- Telling ----------------------------------------------------------------
 */

static char *
read_pem(const char *path, size_t *ret_len)
{
	scoped(fclose) FILE *from = fopen(path, "re");
	char *text = from != NULL ? malloc(PEM_MAX) : NULL;

	if (text == NULL)
		return NULL;
	*ret_len = fread(text, 1, PEM_MAX, from);
	if (*ret_len == 0 || *ret_len == PEM_MAX) {
		free(text);
		return NULL;
	}
	return text;
}

/* All of a host's files that HAProxy may have; there is one at least. */
static STATUS
tell_haproxy_host(const struct reload *r, const char *host, char *ret_why)
{
	static const char *const suffixes[] = { "", ".ecdsa", ".rsa" };
	struct status st = status_fail(
	    STATUS_NOT_FOUND, "there is no file for HAProxy to read");
	char folder[SITE_HOST_MAX], path[1280];

	(void)!snprintf(ret_why, HAPROXY_WHY_MAX, "%s", st.why);
	site_folder(host, folder);
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		scoped(free) char *pem = NULL;
		size_t len;

		(void)!snprintf(path, sizeof(path), "%s/haproxy/%s.pem%s",
		    r->config.dir, folder, suffixes[i]);
		pem = read_pem(path, &len);
		if (pem == NULL)
			continue;
		st = haproxy_update(r->config.haproxy_socket, path,
		    (struct bytes){ (const uint8_t *)pem, len },
		    HAPROXY_TIMEOUT_NS, ret_why);
		if (failed(st))
			return st;
	}
	return st;
}

static bool
is_stopping(struct reload *r)
{
	bool stopping;

	pthread_mutex_lock(&r->mutex);
	stopping = r->stopping;
	pthread_mutex_unlock(&r->mutex);
	return stopping;
}

static bool
tell_haproxy(struct reload *r, const struct hosts *hosts, char *ret_why)
{
	if (r->config.haproxy_socket == NULL ||
	    (hosts->whole && r->config.hook != NULL))
		return false;
	for (size_t i = 0; i < hosts->n && !is_stopping(r); i++) {
		if (!failed(tell_haproxy_host(r, hosts->at[i], ret_why)))
			continue;
		log_info("HAProxy's runtime API did not do; it is told by the "
			 "hook",
		    LOG_STR("host", hosts->at[i]), LOG_STR("why", ret_why));
		return false;
	}
	metric_counter_add(r->m_haproxy, hosts->n);
	ret_why[0] = '\0';
	return true;
}

static STATUS
tell(struct reload *r, const struct hosts *hosts, char *ret_why)
{
	struct status st;

	ret_why[0] = '\0';
	if (tell_haproxy(r, hosts, ret_why))
		return status_ok();
	if (r->config.hook == NULL) {
		if (r->config.haproxy_socket == NULL)
			return status_ok();
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the web server could not be told of new files");
	}
	st = hook_run(
	    r->config.hook, r->config.hook_timeout_ns, r->stop_fd, ret_why);
	if (st.code != STATUS_CANCELLED)
		metric_counter_add(failed(st) ? r->m_failed : r->m_ok, 1);
	return st;
}

/* --- The thread -------------------------------------------------------------
 */

/* With the mutex held: false when it is time to stop. */
static bool
wait_until(struct reload *r, int64_t until_ns)
{
	while (!r->stopping && clock_mono_ns() < until_ns)
		(void)clock_cond_wait(&r->changed, &r->mutex, until_ns);
	return !r->stopping;
}

/* With the mutex held: what failed is due again, with what came meanwhile. */
static void
put_back(struct reload *r, struct hosts *taken)
{
	int64_t delay_ns = RETRY_FIRST_NS;

	for (unsigned i = 0; i < r->fails && delay_ns < RETRY_MAX_NS; i++)
		delay_ns *= 2;
	r->fails++;
	r->not_before_ns = clock_mono_ns() +
			   (delay_ns < RETRY_MAX_NS ? delay_ns : RETRY_MAX_NS);
	r->due.whole |= taken->whole;
	for (size_t i = 0; i < taken->n; i++)
		hosts_add(&r->due, taken->at[i]);
	r->is_due = true;
}

static void *
run(void *arg)
{
	struct reload *r = arg;

	pthread_mutex_lock(&r->mutex);
	for (;;) {
		char why[HOOK_WHY_MAX];
		struct hosts taken;
		struct status st;
		uint64_t serial;

		while (!r->stopping && !r->is_due)
			pthread_cond_wait(&r->changed, &r->mutex);
		if (!wait_until(r, clock_mono_ns() + GATHER_NS) ||
		    !wait_until(r, r->not_before_ns))
			break;
		taken = r->due;
		r->due = (struct hosts){ 0 };
		r->is_due = false;
		serial = r->serial;
		pthread_mutex_unlock(&r->mutex);
		hosts_unite(&taken);
		st = tell(r, &taken, why);
		if (st.code != STATUS_CANCELLED)
			r->config.done(r->config.ctx, serial, st, why);
		pthread_mutex_lock(&r->mutex);
		if (failed(st))
			put_back(r, &taken);
		else
			r->fails = 0;
		hosts_done(&taken);
	}
	pthread_mutex_unlock(&r->mutex);
	return NULL;
}

void
reload_due(struct reload *r, uint64_t serial, const char *const *hosts,
    size_t n_hosts, bool whole)
{
	pthread_mutex_lock(&r->mutex);
	r->due.whole |= whole;
	for (size_t i = 0; i < n_hosts; i++)
		hosts_add(&r->due, hosts[i]);
	r->serial = serial;
	r->is_due = true;
	/* New files may be what it failed for. */
	r->fails = 0;
	r->not_before_ns = 0;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->mutex);
}

STATUS
reload_new(const struct reload_config *config, struct reload **ret_reload)
{
	struct reload *r = calloc(1, sizeof(*r));
	static const char help[] =
	    "Runs of the hook, by result; haproxy: certificates that HAProxy's "
	    "runtime API took.";

	if (r == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	r->config = *config;
	if (r->config.hook_timeout_ns == 0)
		r->config.hook_timeout_ns = HOOK_TIMEOUT_NS;
	r->m_ok = metrics_counter(
	    config->metrics, "edged_hook_runs_total", help, "result=\"ok\"");
	r->m_failed = metrics_counter(config->metrics, "edged_hook_runs_total",
	    help, "result=\"failed\"");
	r->m_haproxy = metrics_counter(config->metrics, "edged_hook_runs_total",
	    help, "result=\"haproxy\"");
	pthread_mutex_init(&r->mutex, NULL);
	clock_cond_init(&r->changed);
	r->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (r->stop_fd < 0 || pthread_create(&r->thread, NULL, run, r) != 0) {
		if (r->stop_fd >= 0)
			close(r->stop_fd);
		free(r);
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no thread to be had");
	}
	*ret_reload = r;
	return status_ok();
}

void
reload_free(struct reload *r)
{
	if (r == NULL)
		return;
	pthread_mutex_lock(&r->mutex);
	r->stopping = true;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->mutex);
	(void)!eventfd_write(r->stop_fd, 1);
	pthread_join(r->thread, NULL);
	close(r->stop_fd);
	hosts_done(&r->due);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->mutex);
	free(r);
}
