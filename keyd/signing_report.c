/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Status.Signing: the tally's places as series, whoever signed most first, the
 * others last.  Each series is of one moment, all of them are not: signing does
 * not wait until they are read.
 */

#include "keyd/signing_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "proto/holdfast/keyd/v1/status.pb-c.h"
#include "proto/message.h"

#define WINDOW_DEFAULT_S 900
#define WINDOW_MIN_S 60
#define WINDOW_MAX_S (SIGNING_TALLY_STEP_S * SIGNING_TALLY_STEPS)

typedef Holdfast__Keyd__V1__GetSigningResponse response_msg;
typedef Holdfast__Keyd__V1__SigningSeries series_msg;
typedef Holdfast__Keyd__V1__SigningPoint point_msg;

/* One step of the series; steps are asked for in order. */
static bool
add_point(const struct signing_tally_series *series, int64_t at, series_msg *to)
{
	const struct signing_tally_step *step =
	    &series->steps[at % SIGNING_TALLY_STEPS];
	point_msg *point;

	if (step->at != at)
		return true;
	point = message_append(&to->n_points, &to->points,
	    &holdfast__keyd__v1__signing_point__descriptor);
	if (point == NULL)
		return false;
	point->at_s = at * SIGNING_TALLY_STEP_S;
	point->signatures = step->signatures;
	point->refusals = step->refusals;
	point->p50_us = signing_tally_quantile_us(step, 500);
	point->p99_us = signing_tally_quantile_us(step, 990);
	return true;
}

/* "spiffe://domain/edge/fra-1" is "edge/fra-1". */
static void
print_identity(const char *spiffe_id, char ret_identity[SPIFFE_ID_MAX])
{
	struct spiffe id;

	ret_identity[0] = 0;
	if (spiffe_id[0] != 0 && !failed(spiffe_parse(spiffe_id, &id)))
		(void)snprintf(ret_identity, SPIFFE_ID_MAX, "%s/%s",
		    role_name(id.role), id.name);
}

static bool
add_series(const struct signing_tally_series *series, int64_t from, int64_t to,
    response_msg *response)
{
	series_msg *message = message_append(&response->n_series,
	    &response->series, &holdfast__keyd__v1__signing_series__descriptor);
	char identity[SPIFFE_ID_MAX];
	bool done;

	if (message == NULL)
		return false;
	print_identity(series->identity, identity);
	done = message_text(&message->identity, identity);
	for (int64_t at = from; done && at <= to; at++)
		done = add_point(series, at, message);
	/* Nothing of it is that young. */
	if (done && message->n_points == 0) {
		message_free(&message->base);
		response->n_series--;
	}
	return done;
}

static uint64_t
signatures_of(const series_msg *series)
{
	uint64_t n = 0;

	for (size_t i = 0; i < series->n_points; i++)
		n += series->points[i]->signatures;
	return n;
}

static int
compare(const void *a, const void *b)
{
	const series_msg *const *x = a, *const *y = b;
	uint64_t nx = signatures_of(*x), ny = signatures_of(*y);

	if (nx != ny)
		return nx > ny ? -1 : 1;
	return strcmp((*x)->identity, (*y)->identity);
}

static bool
fill(struct signing_tally *tally, struct signing_tally_series *series,
    uint32_t window_s, response_msg *response)
{
	const int64_t to = clock_wall_s() / SIGNING_TALLY_STEP_S;
	const int64_t from = to + 1 - (int64_t)window_s / SIGNING_TALLY_STEP_S;
	bool done = true;

	for (size_t i = 0; done && i < SIGNING_TALLY_PLACES; i++)
		if (signing_tally_series(tally, i, series))
			done = add_series(series, from, to, response);
	if (response->n_series > 0)
		qsort(response->series, response->n_series,
		    sizeof(response->series[0]), compare);
	if (done && signing_tally_series(tally, SIGNING_TALLY_PLACES, series))
		done = add_series(series, from, to, response);
	return done;
}

static struct status
get(void *ctx, const struct rpc_call *call, const ProtobufCMessage *request,
    struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__GetSigningRequest *ask =
	    (const void *)request;
	const uint32_t window_s =
	    ask->window_s == 0 ? WINDOW_DEFAULT_S : ask->window_s;
	scoped(free) struct signing_tally_series *series =
	    malloc(sizeof(*series));
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__keyd__v1__get_signing_response__descriptor);
	response_msg *response = (void *)message;

	(void)call;
	if (window_s < WINDOW_MIN_S || window_s > WINDOW_MAX_S)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "window_s is 60 to 3,600 seconds, or 0 for 900");
	if (series == NULL || message == NULL)
		return message_no_memory();
	response->step_s = SIGNING_TALLY_STEP_S;
	if (!fill(ctx, series, window_s, response))
		return message_no_memory();
	rpc_reply_set(reply, message);
	return status_ok();
}

void
signing_report_register(struct signing_tally *tally, struct rpc_server *server)
{
	rpc_server_add_unary(server, &holdfast__keyd__v1__status__descriptor,
	    "Signing", get, tally);
}
