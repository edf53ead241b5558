/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The numbers of the signing path.  Series are made at the start, one per
 * context and code, so that counting is an atomic add; a code that has no
 * series of its own counts as INTERNAL.
 */

#include "keyd/meter.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define CODES (STATUS_UNAUTHENTICATED + 1)

struct meter {
	atomic_uint_fast64_t signatures, refusals;
	struct signing_tally *tally;
	struct metrics *metrics;
	struct metric_histogram *queue, *token, *audit;
	struct metric_counter *signed_in[CONTEXT_END_];
	struct metric_counter *refused_in[CONTEXT_END_][CODES];
	size_t n_pools;
	struct metric_gauge *depth[];
};

static const enum status_code codes[] = {
	STATUS_CANCELLED,
	STATUS_INVALID_ARGUMENT,
	STATUS_DEADLINE_EXCEEDED,
	STATUS_NOT_FOUND,
	STATUS_PERMISSION_DENIED,
	STATUS_RESOURCE_EXHAUSTED,
	STATUS_FAILED_PRECONDITION,
	STATUS_INTERNAL,
	STATUS_UNAVAILABLE,
	STATUS_UNAUTHENTICATED,
};

static const char *
context_label(unsigned context)
{
	const char *name = sign_context_name((enum sign_context)context);

	return name != NULL ? name : "none";
}

static void
make_counters(struct meter *meter)
{
	char labels[96];

	for (unsigned context = 1; context < CONTEXT_END_; context++) {
		snprintf(labels, sizeof(labels), "context=\"%s\"",
		    context_label(context));
		meter->signed_in[context] = metrics_counter(meter->metrics,
		    "keyd_signatures_total", "Signatures given out.", labels);
	}
	for (unsigned context = 0; context < CONTEXT_END_; context++) {
		for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
			snprintf(labels, sizeof(labels),
			    "context=\"%s\",code=\"%s\"",
			    context_label(context), status_name(codes[i]));
			meter->refused_in[context][codes[i]] = metrics_counter(
			    meter->metrics, "keyd_sign_refusals_total",
			    "Requests to sign that were refused.", labels);
		}
	}
}

struct meter *
meter_new(struct metrics *metrics, size_t n_pools)
{
	struct meter *meter =
	    calloc(1, sizeof(*meter) + n_pools * sizeof(meter->depth[0]));
	char label[32];

	if (meter == NULL)
		return NULL;
	atomic_init(&meter->signatures, 0);
	atomic_init(&meter->refusals, 0);
	meter->metrics = metrics;
	meter->n_pools = n_pools;
	meter->tally = signing_tally_new();
	if (meter->tally == NULL) {
		free(meter);
		return NULL;
	}
	if (metrics == NULL)
		return meter;
	meter->queue = metrics_histogram(metrics, "keyd_sign_queue_seconds",
	    "Time a request waited for its turn.", "");
	meter->token = metrics_histogram(metrics, "keyd_sign_token_seconds",
	    "Time the token took for a batch.", "");
	meter->audit = metrics_histogram(metrics, "keyd_sign_audit_seconds",
	    "Time until a batch was on record.", "");
	make_counters(meter);
	for (size_t i = 0; i < n_pools; i++) {
		snprintf(label, sizeof(label), "pool=\"%zu\"", i);
		meter->depth[i] =
		    metrics_gauge(metrics, "keyd_sign_queue_depth",
			"Requests that wait for their turn.", label);
	}
	return meter;
}

void
meter_free(struct meter *meter)
{
	if (meter == NULL)
		return;
	signing_tally_free(meter->tally);
	free(meter);
}

static void
refused(struct meter *meter, const struct sign_call *call)
{
	unsigned context = call->context < CONTEXT_END_ ? call->context : 0;
	struct metric_counter *counter = NULL;

	if (call->status.code < CODES)
		counter = meter->refused_in[context][call->status.code];
	if (counter == NULL)
		counter = meter->refused_in[context][STATUS_INTERNAL];
	metric_counter_add(counter, 1);
}

void
meter_batch(struct meter *meter, const struct sign_times *times,
    struct sign_call *const calls[], size_t n)
{
	uint64_t n_signed = 0;

	for (size_t i = 0; i < n; i++)
		n_signed += !failed(calls[i]->status);
	atomic_fetch_add_explicit(
	    &meter->signatures, n_signed, memory_order_relaxed);
	atomic_fetch_add_explicit(
	    &meter->refusals, n - n_signed, memory_order_relaxed);
	signing_tally_add(
	    meter->tally, calls, n, clock_wall_s(), clock_mono_ns());
	if (meter->metrics == NULL)
		return;
	metric_histogram_observe_ns(
	    meter->token, times->signed_ns - times->handed_ns);
	metric_histogram_observe_ns(
	    meter->audit, times->recorded_ns - times->handed_ns);
	for (size_t i = 0; i < n; i++) {
		metric_histogram_observe_ns(
		    meter->queue, times->started_ns - calls[i]->arrived_ns);
		if (failed(calls[i]->status))
			refused(meter, calls[i]);
		else
			metric_counter_add(
			    meter->signed_in[calls[i]->context], 1);
	}
}

void
meter_refused(struct meter *meter, struct sign_call *call)
{
	atomic_fetch_add_explicit(&meter->refusals, 1, memory_order_relaxed);
	signing_tally_add(
	    meter->tally, &call, 1, clock_wall_s(), clock_mono_ns());
	if (meter->metrics != NULL)
		refused(meter, call);
}

void
meter_depth(struct meter *meter, unsigned pool, size_t depth)
{
	if (meter->metrics != NULL && pool < meter->n_pools)
		metric_gauge_set(meter->depth[pool], (int64_t)depth);
}

uint64_t
meter_signatures(const struct meter *meter)
{
	return atomic_load_explicit(&meter->signatures, memory_order_relaxed);
}

struct signing_tally *
meter_tally(const struct meter *meter)
{
	return meter->tally;
}

uint64_t
meter_refusals(const struct meter *meter)
{
	return atomic_load_explicit(&meter->refusals, memory_order_relaxed);
}
