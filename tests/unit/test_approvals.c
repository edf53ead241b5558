/* SPDX-License-Identifier: Apache-2.0 */

/*
 * M-of-N approval: who counts, what ends a request, and that the act is done
 * once.  Registry and policy are real; token, journal and wire are
 * tests/fake/custody_desk.h.  "Test/Act" is an act of this test's own.
 */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "keyd/pb.h"
#include "proto/holdfast/keyd/v1/approvals.pb-c.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"
#include "tests/fake/custody_desk.h"

#define HOUR 3600
#define STATE(name) HOLDFAST__KEYD__V1__APPROVAL__STATE__STATE_##name

/* "Test/Act": how often it was done, and what it comes to. */
static struct {
	unsigned done;
	struct status outcome;
	char who[SPIFFE_ID_MAX], names[80];
} act;

static struct status
do_act(void *ctx, const struct rpc_call *call, const ProtobufCMessage *request,
    const struct registry_approval *approval)
{
	(void)ctx;
	(void)request;
	if (failed(act.outcome))
		return act.outcome;
	act.done++;
	snprintf(act.who, sizeof(act.who), "%s", call->peer->spiffe_id);
	approvals_names(approval, act.names, sizeof(act.names));
	return status_ok();
}

static void
add_act(struct desk *desk)
{
	approvals_add(desk->approvals, "Test/Act",
	    &holdfast__keyd__v1__resume_key_request__descriptor, do_act, NULL);
}

static int
set_up(void **state)
{
	struct desk *desk = desk_new(2, HOUR);

	act.done = 0;
	act.outcome = status_ok();
	add_act(desk);
	desk_enroll(desk, ALICE, 1000);
	desk_enroll(desk, BOB, 1000);
	desk_enroll(desk, CAROL, 1000);
	desk_add_key(desk, 1, ALICE);
	*state = desk;
	return 0;
}

static int
tear_down(void **state)
{
	desk_free(*state);
	return 0;
}

static struct status
ask_as(struct desk *desk, const char *who, const char *method, int64_t *ret_id)
{
	const struct rpc_peer peer = { .spiffe_id = who, .address = "" };
	const struct rpc_call call = {
		.peer = &peer, .deadline_ns = INT64_MAX, .method = method
	};
	Holdfast__Keyd__V1__ResumeKeyRequest request;
	struct approvals_ask ask = { .call = &call,
		.method = method,
		.request = &request.base,
		.act = "act on it",
		.comment = "because" };
	struct registry_approval row;
	struct status st;

	holdfast__keyd__v1__resume_key_request__init(&request);
	request.key_id = pb_octets((const uint8_t *)"k", 1);
	st = approvals_ask(desk->approvals, &ask, &row);
	if (!failed(st))
		*ret_id = row.id;
	return st;
}

static int64_t
ask(struct desk *desk)
{
	int64_t id = 0;

	assert_int_equal(ask_as(desk, ALICE, "Test/Act", &id).code, STATUS_OK);
	return id;
}

static enum status_code
vote(const char *who, int64_t id, bool approve)
{
	Holdfast__Keyd__V1__VoteRequest request;

	holdfast__keyd__v1__vote_request__init(&request);
	request.id = (uint64_t)id;
	request.approve = approve;
	return desk_call(who, "Approvals/Vote", &request.base);
}

static const Holdfast__Keyd__V1__Approval *
approval(int64_t id)
{
	Holdfast__Keyd__V1__GetApprovalRequest request;

	holdfast__keyd__v1__get_approval_request__init(&request);
	request.id = (uint64_t)id;
	assert_int_equal(
	    desk_call(ALICE, "Approvals/Get", &request.base), STATUS_OK);
	return (const Holdfast__Keyd__V1__Approval *)desk_reply();
}

static enum status_code
schedule(const char *who, unsigned key)
{
	Holdfast__Keyd__V1__ScheduleDestructionRequest request;
	uint8_t id[KEY_ID_LEN];

	memset(id, (int)key, sizeof(id));
	holdfast__keyd__v1__schedule_destruction_request__init(&request);
	request.key_id = pb_octets(id, sizeof(id));
	request.delay_s = 2 * HOUR;
	request.comment = pb_text("it leaked");
	return desk_call(who, "Keys/ScheduleDestruction", &request.base);
}

/* ---- the way it goes ---- */

static void
a_key_is_scheduled_for_destruction_by_the_second_operators_vote(void **state)
{
	const Holdfast__Keyd__V1__ScheduleDestructionResponse *reply;
	struct desk *desk = *state;

	assert_int_equal(schedule(ALICE, 1), STATUS_OK);
	reply = (const Holdfast__Keyd__V1__ScheduleDestructionResponse *)
	    desk_reply();
	assert_non_null(reply->approval);
	assert_string_equal(
	    reply->approval->act, "destroy key k1, 2 h after approval");
	assert_string_equal(reply->approval->comment, "it leaked");
	assert_int_equal(reply->approval->quorum, 2);
	assert_int_equal(reply->approval->n_votes, 1);
	assert_int_equal(
	    reply->key->state, HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_ACTIVE);
	assert_int_equal(desk_key(desk, 1).state, KEY_ACTIVE);
	assert_int_equal(vote(BOB, 1, true), STATUS_OK);
	assert_int_equal(
	    ((const Holdfast__Keyd__V1__Approval *)desk_reply())->state,
	    STATE(DONE));
	assert_int_equal(desk_key(desk, 1).state, KEY_SCHEDULED);
	assert_true(
	    desk_key(desk, 1).destroy_at_s >= clock_wall_s() + 2 * HOUR - 5);
	assert_string_equal(approval(1)->outcome, "done by alice, bob");
}

static void
request_votes_and_outcome_are_in_the_ledger(void **state)
{
	static const char *const lines[] = {
		"operator/alice|ask for approval: destroy key k1, 2 h after "
		"approval|asked",
		"operator/alice|approval 1: destroy key k1, 2 h after "
		"approval: asked|done",
		"operator/bob|approval 1: destroy key k1, 2 h after approval: "
		"approve|asked",
		"operator/bob|approval 1: destroy key k1, 2 h after approval: "
		"approve|done",
		"operator/bob|schedule destruction of key k1 in 2 h, wanted by "
		"alice, bob|asked",
		"operator/bob|schedule destruction of key k1 in 2 h, wanted by "
		"alice, bob|done",
		"operator/bob|approval 1: destroy key k1, 2 h after approval: "
		"done|done",
	};

	(void)state;
	assert_int_equal(schedule(ALICE, 1), STATUS_OK);
	assert_int_equal(vote(BOB, 1, true), STATUS_OK);
	assert_int_equal(desk_records(), sizeof(lines) / sizeof(lines[0]));
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_string_equal(desk_record(i), lines[i]);
}

static void
a_quorum_of_three_takes_three(void **state)
{
	struct desk *desk = *state;
	int64_t id;

	desk_restart(desk, 3, HOUR);
	add_act(desk);
	id = ask(desk);
	assert_int_equal(vote(BOB, id, true), STATUS_OK);
	assert_int_equal(act.done, 0);
	assert_int_equal(approval(id)->state, STATE(PENDING));
	assert_int_equal(vote(CAROL, id, true), STATUS_OK);
	assert_int_equal(act.done, 1);
	assert_string_equal(act.who, CAROL);
	assert_string_equal(act.names, "alice, bob, carol");
}

/* ---- who counts ---- */

static void
one_operator_voting_twice_does_not_count(void **state)
{
	struct desk *desk = *state;
	int64_t id = ask(desk);

	assert_int_equal(vote(ALICE, id, true), STATUS_FAILED_PRECONDITION);
	assert_int_equal(vote(ALICE, id, true), STATUS_FAILED_PRECONDITION);
	assert_int_equal(act.done, 0);
	assert_int_equal(approval(id)->n_votes, 1);
	assert_int_equal(desk_recorded("operator/alice|approval 1: act on it: "
				       "approve|FAILED_PRECONDITION"),
	    2);
}

static void
a_request_that_too_few_operators_could_approve_is_refused(void **state)
{
	struct desk *desk = *state;
	int64_t id = 0;

	desk_restart(desk, 4, HOUR);
	add_act(desk);
	assert_int_equal(ask_as(desk, ALICE, "Test/Act", &id).code,
	    STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(ask_as(desk, ALICE, "Test/Act", &id).why,
	    "holdfast edge invite NAME --role operator"));
	assert_int_equal(desk_records(), 0);
}

static void
a_quarantined_operator_does_not_make_up_the_number(void **state)
{
	struct desk *desk = *state;
	int64_t id = 0;

	assert_int_equal(registry_quarantine(desk->registry, ROLE_OPERATOR,
			     "bob", "lost laptop", 5000)
			     .code,
	    STATUS_OK);
	desk_restart(desk, 3, HOUR);
	add_act(desk);
	assert_int_equal(ask_as(desk, ALICE, "Test/Act", &id).code,
	    STATUS_FAILED_PRECONDITION);
}

static void
the_vote_of_an_operator_who_was_quarantined_since_is_void(void **state)
{
	struct desk *desk = *state;
	int64_t id = ask(desk);

	assert_int_equal(registry_quarantine(desk->registry, ROLE_OPERATOR,
			     "alice", "lost laptop", 5000)
			     .code,
	    STATUS_OK);
	assert_int_equal(vote(BOB, id, true), STATUS_OK);
	assert_int_equal(act.done, 0);
	assert_int_equal(vote(ALICE, id, false), STATUS_PERMISSION_DENIED);
	assert_int_equal(vote(CAROL, id, true), STATUS_OK);
	assert_int_equal(act.done, 1);
}

static void
who_was_enrolled_after_the_request_has_no_vote(void **state)
{
	struct desk *desk = *state;
	int64_t id = ask(desk);

	desk_enroll(desk, "spiffe://d/operator/sock", clock_wall_s() + 5);
	assert_int_equal(vote("spiffe://d/operator/sock", id, true),
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(vote("spiffe://d/operator/unknown", id, true),
	    STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    vote("spiffe://d/auditor/eve", id, true), STATUS_PERMISSION_DENIED);
	assert_int_equal(act.done, 0);
	assert_int_equal(approval(id)->n_votes, 1);
}

static void
who_joined_again_after_the_request_has_no_vote(void **state)
{
	const struct registry_invite invite = { .role = ROLE_OPERATOR,
		.name = "bob",
		.created_s = 1,
		.expires_s = INT64_C(1) << 40 };
	const uint8_t hash[INVITE_HASH_LEN] = { 1 };
	struct desk *desk = *state;
	int64_t id = ask(desk);
	char name[SPIFFE_NAME_MAX];
	enum role role;

	/* Alice invites "bob" anew, and joins in his name. */
	assert_int_equal(
	    registry_invite_add(desk->registry, hash, &invite).code, STATUS_OK);
	assert_int_equal(registry_invite_take(desk->registry, hash,
			     clock_wall_s() + 5, &role, name)
			     .code,
	    STATUS_OK);
	desk_enroll(desk, BOB, clock_wall_s() + 5);
	assert_int_equal(vote(BOB, id, true), STATUS_FAILED_PRECONDITION);
	assert_int_equal(act.done, 0);
	assert_int_equal(vote(CAROL, id, true), STATUS_OK);
	assert_int_equal(act.done, 1);
}

static void
who_joined_in_the_very_second_of_the_request_has_no_vote(void **state)
{
	const struct registry_invite invite = { .role = ROLE_OPERATOR,
		.name = "bob",
		.created_s = 1,
		.expires_s = INT64_C(1) << 40 };
	const uint8_t hash[INVITE_HASH_LEN] = { 1 };
	struct desk *desk = *state;
	int64_t before_s = clock_wall_s(), id, second_s;
	char name[SPIFFE_NAME_MAX];
	enum role role;

	desk_enroll(desk, "spiffe://d/operator/early", before_s);
	id = ask(desk);
	second_s = approval(id)->requested_s;
	desk_enroll(desk, "spiffe://d/operator/sock", second_s);
	assert_int_equal(
	    registry_invite_take(desk->registry, hash, second_s, &role, name)
		.code,
	    STATUS_NOT_FOUND);
	assert_int_equal(
	    registry_invite_add(desk->registry, hash, &invite).code, STATUS_OK);
	assert_int_equal(
	    registry_invite_take(desk->registry, hash, second_s, &role, name)
		.code,
	    STATUS_OK);
	assert_int_equal(vote("spiffe://d/operator/sock", id, true),
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(vote(BOB, id, true), STATUS_FAILED_PRECONDITION);
	assert_int_equal(act.done, 0);
	assert_int_equal(
	    vote("spiffe://d/operator/early", id, true), STATUS_OK);
	assert_int_equal(act.done, 1);
}

static void
what_certd_asks_for_takes_as_many_operators(void **state)
{
	struct desk *desk = *state;
	int64_t id = 0;

	assert_int_equal(ask_as(desk, CERTD, "Test/Act", &id).code, STATUS_OK);
	assert_int_equal(vote(BOB, id, true), STATUS_OK);
	assert_int_equal(act.done, 0);
	assert_int_equal(vote(CAROL, id, true), STATUS_OK);
	assert_int_equal(act.done, 1);
}

/* Its certificates renew by themselves, and so many keys come to their end. */
static void
certd_ends_a_replaceable_key_of_its_own_without_approval(void **state)
{
	const Holdfast__Keyd__V1__ScheduleDestructionResponse *reply;
	struct desk *desk = *state;

	desk_add_replaceable(desk, 7, CERTD);
	assert_int_equal(schedule(CERTD, 7), STATUS_OK);
	reply = (const Holdfast__Keyd__V1__ScheduleDestructionResponse *)
	    desk_reply();
	assert_null(reply->approval);
	assert_true(reply->key->replaceable);
	assert_int_equal(desk_key(desk, 7).state, KEY_SCHEDULED);
	assert_true(
	    desk_key(desk, 7).destroy_at_s >= clock_wall_s() + 2 * HOUR - 5);
}

static void
an_operator_alone_does_not_end_a_replaceable_key(void **state)
{
	struct desk *desk = *state;

	desk_add_replaceable(desk, 7, CERTD);
	assert_int_equal(schedule(ALICE, 7), STATUS_OK);
	assert_non_null(
	    ((const Holdfast__Keyd__V1__ScheduleDestructionResponse *)
		    desk_reply())
		->approval);
	assert_int_equal(desk_key(desk, 7).state, KEY_ACTIVE);
}

static void
certd_does_not_end_any_other_key_without_approval(void **state)
{
	struct desk *desk = *state;

	desk_add_key(desk, 7, CERTD);
	assert_int_equal(schedule(CERTD, 7), STATUS_OK);
	assert_non_null(
	    ((const Holdfast__Keyd__V1__ScheduleDestructionResponse *)
		    desk_reply())
		->approval);
	desk_add_replaceable(desk, 8, ALICE);
	assert_int_equal(schedule(CERTD, 8), STATUS_PERMISSION_DENIED);
	assert_int_equal(desk_key(desk, 7).state, KEY_ACTIVE);
	assert_int_equal(desk_key(desk, 8).state, KEY_ACTIVE);
}

static void
nobody_but_certd_has_a_replaceable_key_made(void **state)
{
	Holdfast__Keyd__V1__GenerateRequest request;

	(void)state;
	holdfast__keyd__v1__generate_request__init(&request);
	request.algorithm =
	    HOLDFAST__KEYD__V1__KEY_ALGORITHM__KEY_ALGORITHM_EC_P256;
	request.label = pb_text("mine");
	request.replaceable = true;
	assert_int_equal(desk_call(ALICE, "Keys/Generate", &request.base),
	    STATUS_INVALID_ARGUMENT);
}

/* ---- ends ---- */

static void
one_no_ends_it_and_the_askers_no_withdraws_it(void **state)
{
	struct desk *desk = *state;
	int64_t id = ask(desk);

	assert_int_equal(vote(BOB, id, false), STATUS_OK);
	assert_int_equal(approval(id)->state, STATE(REJECTED));
	assert_string_equal(approval(id)->outcome, "rejected by bob");
	assert_int_equal(vote(CAROL, id, true), STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    desk_recorded("operator/bob|approval 1: act on it: rejected|done"),
	    1);
	id = ask(desk);
	assert_int_equal(vote(ALICE, id, false), STATUS_OK);
	assert_string_equal(approval(id)->outcome, "withdrawn by alice");
	assert_int_equal(vote(BOB, id, true), STATUS_FAILED_PRECONDITION);
	assert_int_equal(act.done, 0);
}

static void
an_expired_request_takes_no_vote_and_its_end_is_in_the_ledger(void **state)
{
	struct desk *desk = *state;
	int64_t id;

	desk_restart(desk, 2, -1);
	add_act(desk);
	id = ask(desk);
	assert_int_equal(vote(BOB, id, true), STATUS_FAILED_PRECONDITION);
	approvals_tick(desk->approvals);
	assert_int_equal(approval(id)->state, STATE(EXPIRED));
	assert_int_equal(vote(BOB, id, true), STATUS_FAILED_PRECONDITION);
	assert_int_equal(act.done, 0);
	assert_int_equal(
	    desk_recorded("keyd/keyd|approval 1: act on it: expired|done"), 1);
}

static void
an_act_that_fails_ends_it_with_the_reason(void **state)
{
	struct desk *desk = *state;
	int64_t id = ask(desk);

	act.outcome = status_fail(STATUS_FAILED_PRECONDITION, "it is gone");
	assert_int_equal(vote(BOB, id, true), STATUS_OK);
	assert_int_equal(approval(id)->state, STATE(FAILED));
	assert_string_equal(approval(id)->outcome, "it is gone");
	assert_int_equal(desk_recorded("operator/bob|approval 1: act on it: "
				       "failed|FAILED_PRECONDITION"),
	    1);
}

static void
an_act_that_this_keyd_does_not_know_fails(void **state)
{
	struct desk *desk = *state;
	int64_t id = 0;

	assert_int_equal(
	    ask_as(desk, ALICE, "Test/Other", &id).code, STATUS_OK);
	assert_int_equal(vote(BOB, id, true), STATUS_OK);
	assert_int_equal(approval(id)->state, STATE(FAILED));
}

/* ---- once ---- */

static void
what_cannot_be_done_now_waits_and_voting_again_does_it(void **state)
{
	struct desk *desk = *state;
	int64_t id = ask(desk);

	act.outcome = status_fail(STATUS_UNAVAILABLE, "the token is away");
	assert_int_equal(vote(BOB, id, true), STATUS_UNAVAILABLE);
	assert_int_equal(approval(id)->state, STATE(PENDING));
	assert_int_equal(approval(id)->n_votes, 2);
	act.outcome = status_ok();
	assert_int_equal(vote(BOB, id, true), STATUS_OK);
	assert_int_equal(act.done, 1);
	assert_int_equal(approval(id)->state, STATE(DONE));
	assert_int_equal(vote(BOB, id, true), STATUS_FAILED_PRECONDITION);
	assert_int_equal(act.done, 1);
}

static void
an_act_that_a_crash_kept_from_being_done_is_done_at_start(void **state)
{
	struct registry_vote bobs = { .operator= BOB, .approve = true };
	struct registry_approval row;
	struct desk *desk = *state;
	int64_t id = ask(desk);

	bobs.at_s = clock_wall_s();
	assert_int_equal(
	    registry_approval_vote(desk->registry, id, &bobs, &row).code,
	    STATUS_OK);
	desk_restart(desk, 2, HOUR);
	add_act(desk);
	approvals_tick(desk->approvals);
	approvals_tick(desk->approvals);
	assert_int_equal(act.done, 1);
	assert_string_equal(act.who, BOB);
	assert_int_equal(approval(id)->state, STATE(DONE));
}

static void
a_destruction_that_was_done_before_a_crash_is_not_done_anew(void **state)
{
	struct registry_vote bobs = { .operator= BOB, .approve = true };
	struct registry_approval row;
	struct desk *desk = *state;
	int64_t at_s = clock_wall_s();
	struct registry_key key;

	assert_int_equal(schedule(ALICE, 1), STATUS_OK);
	bobs.at_s = at_s;
	assert_int_equal(
	    registry_approval_vote(desk->registry, 1, &bobs, &row).code,
	    STATUS_OK);
	/* Done, and the approval not ended. */
	key = desk_key(desk, 1);
	assert_int_equal(registry_key_state(desk->registry, &key.id, KEY_ACTIVE,
			     KEY_SCHEDULED, at_s + 2 * HOUR, at_s)
			     .code,
	    STATUS_OK);
	desk_restart(desk, 2, HOUR);
	approvals_tick(desk->approvals);
	assert_int_equal(approval(1)->state, STATE(DONE));
	assert_int_equal(desk_key(desk, 1).destroy_at_s, at_s + 2 * HOUR);
	assert_int_equal(
	    desk_recorded("operator/bob|schedule destruction of key k1 in 2 h, "
			  "wanted by alice, bob|asked"),
	    0);
}

struct voter {
	pthread_barrier_t *start;
	const char *who;
	int64_t id;
};

static void *
vote_at_once(void *ctx)
{
	struct voter *voter = ctx;

	pthread_barrier_wait(voter->start);
	(void)vote(voter->who, voter->id, true);
	desk_drop_reply();
	return NULL;
}

static void
of_two_last_votes_at_once_one_does_the_act(void **state)
{
	struct desk *desk = *state;

	for (unsigned round = 1; round <= 10; round++) {
		int64_t id = ask(desk);
		pthread_barrier_t start;
		pthread_t threads[2];
		struct voter voters[2] = { { &start, BOB, id },
			{ &start, CAROL, id } };

		pthread_barrier_init(&start, NULL, 2);
		for (int i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&threads[i], NULL,
					     vote_at_once, &voters[i]),
			    0);
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		pthread_barrier_destroy(&start);
		assert_int_equal(act.done, round);
		assert_int_equal(approval(id)->state, STATE(DONE));
	}
}

static void
a_vote_without_a_record_is_no_vote(void **state)
{
	struct desk *desk = *state;
	int64_t id = ask(desk), none = 0;

	desk_journal_fails_after(0);
	assert_int_equal(vote(BOB, id, true), STATUS_UNAVAILABLE);
	assert_int_equal(approval(id)->n_votes, 1);
	assert_int_equal(
	    ask_as(desk, CAROL, "Test/Other", &none).code, STATUS_UNAVAILABLE);
	assert_int_equal(act.done, 0);
	desk_journal_works();
	assert_int_equal(vote(BOB, id, true), STATUS_OK);
	assert_int_equal(act.done, 1);
}

/* ---- telling ---- */

static void
the_list_tells_what_waits_and_all_tells_what_ended_too(void **state)
{
	Holdfast__Keyd__V1__ListApprovalsRequest request;
	const Holdfast__Keyd__V1__ListApprovalsResponse *list;
	struct desk *desk = *state;

	assert_int_equal(vote(ALICE, ask(desk), false), STATUS_OK);
	ask(desk);
	holdfast__keyd__v1__list_approvals_request__init(&request);
	assert_int_equal(
	    desk_call(ALICE, "Approvals/List", &request.base), STATUS_OK);
	list = (const Holdfast__Keyd__V1__ListApprovalsResponse *)desk_reply();
	assert_int_equal(list->n_approvals, 1);
	assert_int_equal(list->approvals[0]->id, 2);
	request.all = true;
	assert_int_equal(
	    desk_call(ALICE, "Approvals/List", &request.base), STATUS_OK);
	list = (const Holdfast__Keyd__V1__ListApprovalsResponse *)desk_reply();
	assert_int_equal(list->n_approvals, 2);
	assert_int_equal(list->approvals[0]->id, 2);
	assert_int_equal(list->approvals[1]->state, STATE(REJECTED));
}

static void
numbers_that_name_no_approval_and_long_comments_are_refused(void **state)
{
	Holdfast__Keyd__V1__VoteRequest request;
	char comment[REGISTRY_COMMENT_MAX + 1];
	struct desk *desk = *state;
	int64_t id = ask(desk);

	assert_int_equal(vote(BOB, 77, true), STATUS_NOT_FOUND);
	assert_int_equal(vote(BOB, -1, true), STATUS_NOT_FOUND);
	memset(comment, 'a', sizeof(comment) - 1);
	comment[sizeof(comment) - 1] = 0;
	holdfast__keyd__v1__vote_request__init(&request);
	request.id = (uint64_t)id;
	request.approve = true;
	request.comment = comment;
	assert_int_equal(desk_call(BOB, "Approvals/Vote", &request.base),
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(act.done, 0);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_key_is_scheduled_for_destruction_by_the_second_operators_vote),
		T(request_votes_and_outcome_are_in_the_ledger),
		T(a_quorum_of_three_takes_three),
		T(one_operator_voting_twice_does_not_count),
		T(a_request_that_too_few_operators_could_approve_is_refused),
		T(a_quarantined_operator_does_not_make_up_the_number),
		T(the_vote_of_an_operator_who_was_quarantined_since_is_void),
		T(who_was_enrolled_after_the_request_has_no_vote),
		T(who_joined_again_after_the_request_has_no_vote),
		T(who_joined_in_the_very_second_of_the_request_has_no_vote),
		T(what_certd_asks_for_takes_as_many_operators),
		T(certd_ends_a_replaceable_key_of_its_own_without_approval),
		T(an_operator_alone_does_not_end_a_replaceable_key),
		T(certd_does_not_end_any_other_key_without_approval),
		T(nobody_but_certd_has_a_replaceable_key_made),
		T(one_no_ends_it_and_the_askers_no_withdraws_it),
		T(an_expired_request_takes_no_vote_and_its_end_is_in_the_ledger),
		T(an_act_that_fails_ends_it_with_the_reason),
		T(an_act_that_this_keyd_does_not_know_fails),
		T(what_cannot_be_done_now_waits_and_voting_again_does_it),
		T(an_act_that_a_crash_kept_from_being_done_is_done_at_start),
		T(a_destruction_that_was_done_before_a_crash_is_not_done_anew),
		T(of_two_last_votes_at_once_one_does_the_act),
		T(a_vote_without_a_record_is_no_vote),
		T(the_list_tells_what_waits_and_all_tells_what_ended_too),
		T(numbers_that_name_no_approval_and_long_comments_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
