/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/*
 * Counters, gauges and histograms in Prometheus text format 0.0.4.  Making one
 * takes a lock and memory, so it is done at start; adding to one is a relaxed
 * atomic and may happen on any thread.  Names follow Prometheus' rules: base
 * units, _total on counters.
 */
struct metrics;
struct metric_counter;
struct metric_gauge;
struct metric_histogram;

struct metrics *metrics_new(void); /* NULL when memory ends */
void metrics_free(struct metrics *metrics);

/*
 * name and help are borrowed for the registry's life; labels is text such as
 * "code=\"OK\",lane=\"0\"" or "" and is copied.  Series of one name are made
 * one after the other.  Never NULL: when memory ends, a shared spare is
 * returned.
 */
struct metric_counter *metrics_counter(struct metrics *metrics,
    const char *name, const char *help, const char *labels);
struct metric_gauge *metrics_gauge(struct metrics *metrics, const char *name,
    const char *help, const char *labels);
/* Seconds in buckets 10 us * 2^n, n 0..20, and +Inf. */
struct metric_histogram *metrics_histogram(struct metrics *metrics,
    const char *name, const char *help, const char *labels);

void metric_counter_add(struct metric_counter *counter, uint64_t n);
uint64_t metric_counter_value(const struct metric_counter *counter);
void metric_gauge_set(struct metric_gauge *gauge, int64_t value);
void metric_gauge_add(struct metric_gauge *gauge, int64_t delta);
void metric_histogram_observe_ns(struct metric_histogram *h, int64_t ns);

/* The whole page; malloc'd, the caller frees; NULL when memory ends. */
char *metrics_render(const struct metrics *metrics, size_t *ret_len);

/*
 * Serve GET /metrics over HTTP on a loopback "address:port" (libmicrohttpd, one
 * thread).  before_render (may be NULL) runs on that thread before each page.
 */
struct metrics_http;
STATUS metrics_http_start(const char *listen, struct metrics *metrics,
    void (*before_render)(void *ctx), void *ctx,
    struct metrics_http **ret_http);
/* The port listened on, for an address with port 0. */
uint16_t metrics_http_port(const struct metrics_http *http);
void metrics_http_stop(struct metrics_http *http); /* NULL is allowed */

#endif
