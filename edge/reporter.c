/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reports are made one after the other, so that what they say comes to certd in
 * order.  One that fails is made anew, of what is so by then, and nothing
 * counts as told before certd has answered.
 */

#include "edge/reporter.h"

#include "base/clock.h"
#include "base/log.h"

/* Reports wait this long for more to say. */
#define GATHER_NS (100 * NS_PER_MS)
#define AGAIN_NS (2 * NS_PER_S)
#define TIMEOUT_MS 5000

struct reporter
reporter_of(struct delivery *delivery, struct challenges *challenges,
    int64_t heartbeat_ns)
{
	return (struct reporter){ .delivery = delivery,
		.challenges = challenges,
		.heartbeat_ns = heartbeat_ns,
		.reported_ns = INT64_MIN / 2 };
}

int64_t
reporter_next_ns(const struct reporter *reporter)
{
	if (!reporter->has_failed &&
	    challenges_state(reporter->challenges).is_due)
		return 0;
	return reporter->not_before_ns;
}

static void
note_failure(struct reporter *reporter, struct status st, const char *why)
{
	reporter->not_before_ns = clock_mono_ns() + AGAIN_NS;
	if (!reporter->has_failed)
		log_warn("a report to certd failed; it is sent again",
		    LOG_STR("code", status_name(st.code)), LOG_STR("why", why));
	reporter->has_failed = true;
}

static void
note_success(struct reporter *reporter, bool has_more)
{
	int64_t now_ns = clock_mono_ns();

	reporter->reported_ns = now_ns;
	reporter->not_before_ns = has_more ? now_ns : now_ns + GATHER_NS;
	reporter->has_failed = false;
}

bool
reporter_send(struct reporter *reporter, struct rpc_client *client)
{
	struct challenges_state challenges =
	    challenges_state(reporter->challenges);
	ProtobufCMessage *reply = NULL;
	struct delivery_report report;
	char why[RPC_WHY_MAX];
	bool has_more = false;
	struct status st;

	delivery_report(reporter->delivery, &report);
	if (!report.is_due && !challenges.is_due &&
	    clock_mono_ns() - reporter->reported_ns < reporter->heartbeat_ns) {
		delivery_report_done(&report);
		return false;
	}
	report.request.challenges_mark = challenges.mark;
	st = rpc_client_call(client, &holdfast__certd__v1__edges__descriptor,
	    "Report", &report.request.base, TIMEOUT_MS, &reply, why);
	if (failed(st)) {
		note_failure(reporter, st, why);
	} else {
		protobuf_c_message_free_unpacked(reply, NULL);
		delivery_reported(reporter->delivery, &report);
		challenges_told(reporter->challenges, &challenges);
		has_more = report.is_full;
		note_success(reporter, has_more);
	}
	delivery_report_done(&report);
	return has_more;
}
