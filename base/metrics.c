/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters, gauges and histograms, and their page in Prometheus' text format.
 * The series form a list that only ever grows: making one takes the lock and
 * publishes it whole, so counting and rendering need no lock at all.  A page
 * is read while others count: each histogram's _count is the sum of the very
 * buckets printed above it, so a page never contradicts itself.
 */
#include "base/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"

#define BUCKETS 21 /* 10 us * 2^n, n 0..20; one more for +Inf */
#define FIRST_BUCKET_NS INT64_C(10000)

enum kind {
	COUNTER,
	GAUGE,
	HISTOGRAM
};

struct metric_counter {
	_Atomic uint64_t value;
};

struct metric_gauge {
	_Atomic int64_t value;
};

struct metric_histogram {
	_Atomic uint64_t buckets[BUCKETS + 1]; /* each its own, not summed up */
	_Atomic uint64_t sum_ns;
};

struct series {
	_Atomic(struct series *) next;
	const char *name;
	const char *help;
	char *labels;
	enum kind kind;
	union {
		struct metric_counter counter;
		struct metric_gauge gauge;
		struct metric_histogram histogram;
	} u;
};

struct metrics {
	pthread_mutex_t lock; /* held by those who add to the list */
	_Atomic(struct series *) first;
};

/* What is counted when memory has ended; no page shows it. */
static struct metric_counter spare_counter;
static struct metric_gauge spare_gauge;
static struct metric_histogram spare_histogram;

static struct series *
series_new(
    enum kind kind, const char *name, const char *help, const char *labels)
{
	struct series *series = calloc(1, sizeof(*series));

	if (series == NULL)
		return NULL;
	series->labels = strdup(labels);
	if (series->labels == NULL) {
		free(series);
		return NULL;
	}
	series->kind = kind;
	series->name = name;
	series->help = help;
	return series;
}

/*
 * The series of this name and these labels, made now if it is new.  It stands
 * behind the last of its name, since a page must hold a name's series together.
 */
static struct series *
find_or_add(struct metrics *metrics, enum kind kind, const char *name,
    const char *help, const char *labels)
{
	_Atomic(struct series *) *link = &metrics->first;
	_Atomic(struct series *) *behind = NULL;
	struct series *series;

	pthread_mutex_lock(&metrics->lock);
	while ((series = atomic_load(link)) != NULL) {
		link = &series->next;
		if (strcmp(series->name, name) != 0)
			continue;
		assert(series->kind == kind);
		behind = link;
		if (strcmp(series->labels, labels) == 0)
			break;
	}
	if (series == NULL) {
		series = series_new(kind, name, help, labels);
		if (behind == NULL)
			behind = link;
		if (series != NULL) {
			atomic_init(&series->next, atomic_load(behind));
			atomic_store(behind, series);
		}
	}
	pthread_mutex_unlock(&metrics->lock);
	return series;
}

struct metrics *
metrics_new(void)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (metrics != NULL)
		pthread_mutex_init(&metrics->lock, NULL);
	return metrics;
}

void
metrics_free(struct metrics *metrics)
{
	struct series *series, *next;

	if (metrics == NULL)
		return;
	for (series = metrics->first; series != NULL; series = next) {
		next = series->next;
		free(series->labels);
		free(series);
	}
	pthread_mutex_destroy(&metrics->lock);
	free(metrics);
}

struct metric_counter *
metrics_counter(struct metrics *metrics, const char *name, const char *help,
    const char *labels)
{
	struct series *s = find_or_add(metrics, COUNTER, name, help, labels);

	return s != NULL ? &s->u.counter : &spare_counter;
}

struct metric_gauge *
metrics_gauge(struct metrics *metrics, const char *name, const char *help,
    const char *labels)
{
	struct series *s = find_or_add(metrics, GAUGE, name, help, labels);

	return s != NULL ? &s->u.gauge : &spare_gauge;
}

struct metric_histogram *
metrics_histogram(struct metrics *metrics, const char *name, const char *help,
    const char *labels)
{
	struct series *s = find_or_add(metrics, HISTOGRAM, name, help, labels);

	return s != NULL ? &s->u.histogram : &spare_histogram;
}

void
metric_counter_add(struct metric_counter *counter, uint64_t n)
{
	atomic_fetch_add_explicit(&counter->value, n, memory_order_relaxed);
}

uint64_t
metric_counter_value(const struct metric_counter *counter)
{
	return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

void
metric_gauge_set(struct metric_gauge *gauge, int64_t value)
{
	atomic_store_explicit(&gauge->value, value, memory_order_relaxed);
}

void
metric_gauge_add(struct metric_gauge *gauge, int64_t delta)
{
	atomic_fetch_add_explicit(&gauge->value, delta, memory_order_relaxed);
}

void
metric_histogram_observe_ns(struct metric_histogram *h, int64_t ns)
{
	int64_t value = ns > 0 ? ns : 0;
	uint64_t steps =
	    value > 0 ? (uint64_t)((value - 1) / FIRST_BUCKET_NS) : 0;
	size_t bucket = steps > 0 ? 64 - (size_t)__builtin_clzll(steps) : 0;

	if (bucket > BUCKETS)
		bucket = BUCKETS;
	atomic_fetch_add_explicit(&h->buckets[bucket], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(
	    &h->sum_ns, (uint64_t)value, memory_order_relaxed);
}

/* "name{labels} " with suffix behind the name; more is one label further. */
static void
print_name(FILE *page, const struct series *series, const char *suffix,
    const char *more)
{
	const char *labels = series->labels;

	fprintf(page, "%s%s", series->name, suffix);
	if (labels[0] != '\0' || more[0] != '\0')
		fprintf(page, "{%s%s%s}", labels,
		    labels[0] != '\0' && more[0] != '\0' ? "," : "", more);
	fputc(' ', page);
}

static void
print_histogram(FILE *page, const struct series *series)
{
	const struct metric_histogram *h = &series->u.histogram;
	uint64_t sum_ns, count = 0;
	char le[32];

	for (size_t i = 0; i <= BUCKETS; i++) {
		uint64_t us = (uint64_t)(FIRST_BUCKET_NS / 1000) << i;

		/* By hand, since printf's %f would follow the locale. */
		if (i < BUCKETS)
			snprintf(le, sizeof(le),
			    "le=\"%" PRIu64 ".%06" PRIu64 "\"", us / 1000000,
			    us % 1000000);
		else
			snprintf(le, sizeof(le), "le=\"+Inf\"");
		count +=
		    atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
		print_name(page, series, "_bucket", le);
		fprintf(page, "%" PRIu64 "\n", count);
	}
	sum_ns = atomic_load_explicit(&h->sum_ns, memory_order_relaxed);
	print_name(page, series, "_sum", "");
	fprintf(page, "%" PRIu64 ".%09" PRIu64 "\n",
	    sum_ns / (uint64_t)NS_PER_S, sum_ns % (uint64_t)NS_PER_S);
	print_name(page, series, "_count", "");
	fprintf(page, "%" PRIu64 "\n", count);
}

static void
print_series(FILE *page, const struct series *series)
{
	switch (series->kind) {
	case COUNTER:
		print_name(page, series, "", "");
		fprintf(page, "%" PRIu64 "\n",
		    metric_counter_value(&series->u.counter));
		break;
	case GAUGE:
		print_name(page, series, "", "");
		fprintf(page, "%" PRId64 "\n",
		    atomic_load_explicit(
			&series->u.gauge.value, memory_order_relaxed));
		break;
	case HISTOGRAM:
		print_histogram(page, series);
		break;
	}
}

char *
metrics_render(const struct metrics *metrics, size_t *ret_len)
{
	static const char *const kinds[] = { "counter", "gauge", "histogram" };
	const struct series *series;
	const char *last_name = "";
	char *text = NULL;
	size_t len;
	bool is_whole;
	FILE *page = open_memstream(&text, &len);

	if (page == NULL)
		return NULL;
	for (series = metrics->first; series != NULL; series = series->next) {
		if (strcmp(series->name, last_name) != 0)
			fprintf(page, "# HELP %s %s\n# TYPE %s %s\n",
			    series->name, series->help, series->name,
			    kinds[series->kind]);
		last_name = series->name;
		print_series(page, series);
	}
	is_whole = !ferror(page);
	if (fclose(page) != 0 || !is_whole) {
		free(text);
		return NULL;
	}
	*ret_len = len;
	return text;
}
