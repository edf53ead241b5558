/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The life of keys: Update, Suspend, Resume, destruction.  Registry and policy
 * are real; token, journal and wire are tests/fake/custody_desk.h.
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
#include "proto/holdfast/keyd/v1/keys.pb-c.h"
#include "tests/fake/custody_desk.h"

#define HOUR 3600
#define FIELD(name) HOLDFAST__KEYD__V1__UPDATE_KEY_REQUEST__FIELD__FIELD_##name

static int
set_up(void **state)
{
	*state = desk_new(1, HOUR);
	return 0;
}

static int
tear_down(void **state)
{
	desk_free(*state);
	return 0;
}

static ProtobufCBinaryData
id_of(uint8_t *room, unsigned key)
{
	memset(room, (int)key, KEY_ID_LEN);
	return pb_octets(room, KEY_ID_LEN);
}

static enum status_code
suspend(const char *who, unsigned key, const char *reason)
{
	Holdfast__Keyd__V1__SuspendKeyRequest request;
	uint8_t id[KEY_ID_LEN];

	holdfast__keyd__v1__suspend_key_request__init(&request);
	request.key_id = id_of(id, key);
	request.reason = pb_text(reason);
	return desk_call(who, "Keys/Suspend", &request.base);
}

static enum status_code
resume(unsigned key)
{
	Holdfast__Keyd__V1__ResumeKeyRequest request;
	uint8_t id[KEY_ID_LEN];

	holdfast__keyd__v1__resume_key_request__init(&request);
	request.key_id = id_of(id, key);
	return desk_call(ALICE, "Keys/Resume", &request.base);
}

static enum status_code
schedule(const char *who, unsigned key, uint32_t delay_s)
{
	Holdfast__Keyd__V1__ScheduleDestructionRequest request;
	uint8_t id[KEY_ID_LEN];

	holdfast__keyd__v1__schedule_destruction_request__init(&request);
	request.key_id = id_of(id, key);
	request.delay_s = delay_s;
	return desk_call(who, "Keys/ScheduleDestruction", &request.base);
}

static enum status_code
cancel(unsigned key)
{
	Holdfast__Keyd__V1__CancelDestructionRequest request;
	uint8_t id[KEY_ID_LEN];

	holdfast__keyd__v1__cancel_destruction_request__init(&request);
	request.key_id = id_of(id, key);
	return desk_call(ALICE, "Keys/CancelDestruction", &request.base);
}

static enum status_code
update(const char *who, unsigned key, const char *group, const char *owner,
    const char *notes)
{
	Holdfast__Keyd__V1__UpdateKeyRequest request;
	Holdfast__Keyd__V1__UpdateKeyRequest__Field change[3];
	uint8_t id[KEY_ID_LEN];

	holdfast__keyd__v1__update_key_request__init(&request);
	request.key_id = id_of(id, key);
	request.change = change;
	if (group != NULL) {
		request.group = pb_text(group);
		change[request.n_change++] = FIELD(GROUP);
	}
	if (owner != NULL) {
		request.owner = pb_text(owner);
		change[request.n_change++] = FIELD(OWNER);
	}
	if (notes != NULL) {
		request.notes = pb_text(notes);
		change[request.n_change++] = FIELD(NOTES);
	}
	return desk_call(who, "Keys/Update", &request.base);
}

static const Holdfast__Keyd__V1__Key *
reply_key(void)
{
	assert_non_null(desk_reply());
	return (const Holdfast__Keyd__V1__Key *)desk_reply();
}

static int64_t
past(void)
{
	return clock_wall_s() - 1;
}

/* ---- Suspend, Resume ---- */

static void
a_suspended_key_is_refused_and_workers_drop_their_copies(void **state)
{
	struct desk *desk = *state;

	desk_add_key(desk, 1, ALICE);
	desk_grant_edge(desk, 1);
	assert_int_equal(desk_edge_may(desk, 1), STATUS_OK);
	assert_int_equal(suspend(ALICE, 1, "it leaked"), STATUS_OK);
	assert_int_equal(reply_key()->state,
	    HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_SUSPENDED);
	assert_int_equal(reply_key()->n_grants, 1);
	assert_int_equal(desk_edge_may(desk, 1), STATUS_FAILED_PRECONDITION);
	assert_false(desk_token()->known[1]);
	assert_true(desk_token()->there[1]);
	assert_int_equal(desk_records(), 2);
	assert_string_equal(
	    desk_record(0), "operator/alice|suspend key k1: it leaked|asked");
	assert_string_equal(
	    desk_record(1), "operator/alice|suspend key k1: it leaked|done");
}

static void
a_token_that_is_away_does_not_stop_a_suspension(void **state)
{
	struct desk *desk = *state;

	desk_add_key(desk, 1, ALICE);
	desk_grant_edge(desk, 1);
	desk_token()->forget =
	    status_fail(STATUS_UNAVAILABLE, "the token is away");
	assert_int_equal(suspend(ALICE, 1, ""), STATUS_OK);
	assert_int_equal(desk_edge_may(desk, 1), STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    desk_recorded(
		"operator/alice|drop workers' copies of key k1|UNAVAILABLE"),
	    1);
	assert_int_equal(
	    desk_recorded("operator/alice|suspend key k1|done"), 1);
}

static void
suspending_again_is_ok_and_drops_copies_again(void **state)
{
	struct desk *desk = *state;

	desk_add_key(desk, 1, ALICE);
	assert_int_equal(suspend(ALICE, 1, ""), STATUS_OK);
	desk_token()->known[1] = true;
	assert_int_equal(suspend(ALICE, 1, ""), STATUS_OK);
	assert_false(desk_token()->known[1]);
}

static void
a_resumed_key_signs_again(void **state)
{
	struct desk *desk = *state;

	desk_add_key(desk, 1, ALICE);
	desk_grant_edge(desk, 1);
	assert_int_equal(suspend(ALICE, 1, ""), STATUS_OK);
	assert_int_equal(resume(1), STATUS_OK);
	assert_int_equal(desk_key(desk, 1).state, KEY_ACTIVE);
	assert_int_equal(desk_edge_may(desk, 1), STATUS_OK);
	assert_true(desk_token()->known[1]);
	assert_int_equal(desk_recorded("operator/alice|resume key k1|done"), 1);
	assert_int_equal(resume(1), STATUS_OK);
}

static void
a_key_that_the_token_cannot_sign_with_stays_suspended(void **state)
{
	struct desk *desk = *state;

	desk_add_key(desk, 1, ALICE);
	assert_int_equal(suspend(ALICE, 1, ""), STATUS_OK);
	desk_token()->find =
	    status_fail(STATUS_UNAVAILABLE, "the token is away");
	assert_int_equal(resume(1), STATUS_UNAVAILABLE);
	assert_int_equal(desk_key(desk, 1).state, KEY_SUSPENDED);
	desk_token()->find = status_ok();
	desk_token()->there[1] = false;
	assert_int_equal(resume(1), STATUS_FAILED_PRECONDITION);
	assert_int_equal(desk_key(desk, 1).state, KEY_SUSPENDED);
	assert_int_equal(
	    desk_recorded("operator/alice|resume key k1|UNAVAILABLE"), 1);
}

static void
a_state_does_not_change_without_a_record(void **state)
{
	struct desk *desk = *state;

	desk_add_key(desk, 1, ALICE);
	desk_journal_fails_after(0);
	assert_int_equal(suspend(ALICE, 1, ""), STATUS_UNAVAILABLE);
	assert_int_equal(schedule(ALICE, 1, HOUR), STATUS_UNAVAILABLE);
	assert_int_equal(update(ALICE, 1, "g", NULL, NULL), STATUS_UNAVAILABLE);
	assert_int_equal(desk_key(desk, 1).state, KEY_ACTIVE);
	assert_true(desk_token()->known[1]);
	desk_set_state(desk, 1, KEY_SUSPENDED, 0);
	assert_int_equal(resume(1), STATUS_UNAVAILABLE);
	assert_int_equal(desk_key(desk, 1).state, KEY_SUSPENDED);
}

struct toggler {
	bool suspends;
	pthread_barrier_t *start;
};

static void *
toggle(void *ctx)
{
	struct toggler *toggler = ctx;

	pthread_barrier_wait(toggler->start);
	if (toggler->suspends)
		(void)suspend(ALICE, 1, "");
	else
		(void)resume(1);
	desk_drop_reply();
	return NULL;
}

static void
copies_agree_with_the_state_after_suspending_and_resuming_at_once(void **state)
{
	struct desk *desk = *state;

	desk_add_key(desk, 1, ALICE);
	for (int round = 0; round < 20; round++) {
		pthread_barrier_t start;
		pthread_t threads[2];
		struct toggler togglers[2] = { { true, &start },
			{ false, &start } };

		pthread_barrier_init(&start, NULL, 2);
		for (int i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&threads[i], NULL,
					     toggle, &togglers[i]),
			    0);
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		pthread_barrier_destroy(&start);
		assert_int_equal(desk_token()->known[1],
		    desk_key(desk, 1).state == KEY_ACTIVE);
	}
}

/* ---- whose keys ---- */

static void
certd_changes_only_keys_that_certd_had_made(void **state)
{
	struct desk *desk = *state;

	desk_add_key(desk, 1, ALICE);
	desk_add_key(desk, 2, CERTD);
	assert_int_equal(suspend(CERTD, 1, ""), STATUS_PERMISSION_DENIED);
	assert_int_equal(schedule(CERTD, 1, HOUR), STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    update(CERTD, 1, NULL, "x", NULL), STATUS_PERMISSION_DENIED);
	assert_int_equal(desk_records(), 0);
	assert_int_equal(desk_key(desk, 1).state, KEY_ACTIVE);
	assert_int_equal(suspend(CERTD, 2, ""), STATUS_OK);
	assert_int_equal(update(CERTD, 2, NULL, "x", NULL), STATUS_OK);
	assert_int_equal(schedule(CERTD, 2, HOUR), STATUS_OK);
}

static void
keyds_own_keys_are_neither_suspended_nor_destroyed(void **state)
{
	static const char *const own[] = { "ledger", "ledger-2", "import",
		"import-standard-3", "kek", "ca" };
	struct desk *desk = *state;

	for (unsigned i = 0; i < 6; i++) {
		struct registry_key row = { .alg = KEY_ALG_ED25519,
			.spki_len = 44,
			.pool = "standard",
			.created_by = SELF };

		memset(row.id.at, (int)i + 1, KEY_ID_LEN);
		snprintf(row.label, sizeof(row.label), "%s", own[i]);
		assert_int_equal(
		    registry_key_add(desk->registry, &row, NULL).code,
		    STATUS_OK);
		assert_int_equal(
		    suspend(ALICE, i + 1, ""), STATUS_PERMISSION_DENIED);
		assert_int_equal(
		    schedule(ALICE, i + 1, HOUR), STATUS_PERMISSION_DENIED);
		assert_int_equal(desk_key(desk, i + 1).state, KEY_ACTIVE);
	}
	/* As in life: no row at all. */
	assert_int_equal(suspend(ALICE, 9, ""), STATUS_NOT_FOUND);
	assert_int_equal(desk_records(), 0);
}

/* ---- destruction ---- */

static void
a_scheduled_key_is_suspended_at_once_and_tells_its_time(void **state)
{
	const Holdfast__Keyd__V1__ScheduleDestructionResponse *reply;
	struct desk *desk = *state;
	int64_t now_s = clock_wall_s();

	desk_add_key(desk, 1, ALICE);
	desk_grant_edge(desk, 1);
	assert_int_equal(schedule(ALICE, 1, 2 * HOUR), STATUS_OK);
	reply = (const Holdfast__Keyd__V1__ScheduleDestructionResponse *)
	    desk_reply();
	assert_null(reply->approval);
	assert_int_equal(reply->key->state,
	    HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_SCHEDULED);
	assert_true(reply->key->destroy_at_s >= now_s + 2 * HOUR);
	assert_int_equal(desk_edge_may(desk, 1), STATUS_FAILED_PRECONDITION);
	assert_false(desk_token()->known[1]);
	assert_int_equal(
	    desk_recorded(
		"operator/alice|schedule destruction of key k1 in 2 h|done"),
	    1);
	assert_int_equal(schedule(ALICE, 1, HOUR), STATUS_FAILED_PRECONDITION);
	assert_int_equal(resume(1), STATUS_FAILED_PRECONDITION);
}

static void
a_delay_is_as_configured_or_at_least_the_minimum(void **state)
{
	struct desk *desk = *state;
	int64_t now_s = clock_wall_s();

	desk_add_key(desk, 1, ALICE);
	assert_int_equal(schedule(ALICE, 1, HOUR - 1), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(desk_why(), "at least 3600 s"));
	assert_int_equal(desk_records(), 0);
	assert_int_equal(schedule(ALICE, 1, 0), STATUS_OK);
	assert_true(desk_key(desk, 1).destroy_at_s >= now_s + 7 * 24 * HOUR);
}

static void
a_cancelled_key_stays_suspended_and_is_not_destroyed(void **state)
{
	struct desk *desk = *state;

	desk_add_key(desk, 1, ALICE);
	assert_int_equal(cancel(1), STATUS_FAILED_PRECONDITION);
	assert_int_equal(schedule(ALICE, 1, HOUR), STATUS_OK);
	assert_int_equal(cancel(1), STATUS_OK);
	assert_int_equal(desk_key(desk, 1).state, KEY_SUSPENDED);
	assert_int_equal(
	    custody_destroy_due(desk->custody, SELF).code, STATUS_OK);
	assert_int_equal(desk_token()->destroyed, 0);
	assert_int_equal(resume(1), STATUS_OK);
	assert_int_equal(
	    desk_recorded("operator/alice|cancel destruction of key k1|done"),
	    1);
}

static void
who_ends_does_not_wait_for_all_keys_that_are_due(void **state)
{
	struct desk *desk = *state;

	desk_add_key(desk, 1, ALICE);
	desk_set_state(desk, 1, KEY_SCHEDULED, past());
	custody_destroy_stop(desk->custody);
	assert_int_equal(
	    custody_destroy_due(desk->custody, SELF).code, STATUS_OK);
	assert_int_equal(desk_token()->destroyed, 0);
	assert_int_equal(desk_key(desk, 1).state, KEY_SCHEDULED);
}

static void
a_key_that_is_due_is_destroyed_once_and_what_is_not_is_kept(void **state)
{
	struct desk *desk = *state;

	for (unsigned key = 1; key <= 3; key++)
		desk_add_key(desk, key, ALICE);
	desk_grant_edge(desk, 1);
	desk_set_state(desk, 1, KEY_SCHEDULED, past());
	desk_set_state(desk, 2, KEY_SCHEDULED, clock_wall_s() + HOUR);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    custody_destroy_due(desk->custody, SELF).code, STATUS_OK);
	assert_int_equal(desk_token()->destroyed, 1);
	assert_false(desk_token()->there[1]);
	assert_int_equal(desk_key(desk, 1).state, KEY_DESTROYED);
	assert_int_equal(desk_key(desk, 2).state, KEY_SCHEDULED);
	assert_int_equal(desk_key(desk, 3).state, KEY_ACTIVE);
	assert_int_equal(desk_records(), 2);
	assert_string_equal(desk_record(0), "keyd/keyd|destroy key k1|asked");
	assert_string_equal(desk_record(1), "keyd/keyd|destroy key k1|done");
	assert_int_not_equal(desk_edge_may(desk, 1), STATUS_OK);
	assert_int_equal(resume(1), STATUS_FAILED_PRECONDITION);
	assert_int_equal(cancel(1), STATUS_FAILED_PRECONDITION);
	assert_int_equal(suspend(ALICE, 1, ""), STATUS_FAILED_PRECONDITION);
	assert_int_equal(schedule(ALICE, 1, HOUR), STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    update(ALICE, 1, NULL, "x", NULL), STATUS_FAILED_PRECONDITION);
}

static void
a_token_that_is_away_delays_a_destruction_and_nothing_takes_it_back(
    void **state)
{
	struct desk *desk = *state;

	desk_add_key(desk, 1, ALICE);
	desk_set_state(desk, 1, KEY_SCHEDULED, past());
	desk_token()->destroy =
	    status_fail(STATUS_UNAVAILABLE, "the token is away");
	for (int i = 0; i < 3; i++)
		assert_int_equal(custody_destroy_due(desk->custody, SELF).code,
		    STATUS_UNAVAILABLE);
	assert_int_equal(desk_recorded("keyd/keyd|destroy key k1|asked"), 1);
	assert_int_equal(
	    desk_recorded("keyd/keyd|destroy key k1|UNAVAILABLE"), 1);
	assert_int_equal(cancel(1), STATUS_FAILED_PRECONDITION);
	assert_int_equal(desk_key(desk, 1).state, KEY_SCHEDULED);
	desk_token()->destroy = status_ok();
	assert_int_equal(
	    custody_destroy_due(desk->custody, SELF).code, STATUS_OK);
	assert_int_equal(desk_key(desk, 1).state, KEY_DESTROYED);
	assert_int_equal(desk_recorded("keyd/keyd|destroy key k1|asked"), 1);
	assert_int_equal(desk_recorded("keyd/keyd|destroy key k1|done"), 1);
}

static void
a_destruction_that_a_crash_cut_short_is_done_again(void **state)
{
	struct desk *desk = *state;

	desk_add_key(desk, 1, ALICE);
	desk_set_state(desk, 1, KEY_SCHEDULED, past());
	/* Asked, claimed, destroyed; then the record of it fails. */
	desk_journal_fails_after(1);
	assert_int_equal(
	    custody_destroy_due(desk->custody, SELF).code, STATUS_UNAVAILABLE);
	assert_false(desk_token()->there[1]);
	assert_int_equal(desk_key(desk, 1).state, KEY_SCHEDULED);
	desk_restart(desk, 1, HOUR);
	desk_journal_works();
	assert_int_equal(
	    custody_destroy_due(desk->custody, SELF).code, STATUS_OK);
	assert_int_equal(desk_key(desk, 1).state, KEY_DESTROYED);
	assert_int_equal(desk_recorded("keyd/keyd|destroy key k1|asked"), 1);
	assert_int_equal(desk_recorded("keyd/keyd|destroy key k1|done"), 1);
}

static void
nothing_is_destroyed_without_a_record(void **state)
{
	struct desk *desk = *state;

	desk_add_key(desk, 1, ALICE);
	desk_set_state(desk, 1, KEY_SCHEDULED, past());
	desk_journal_fails_after(0);
	assert_int_equal(
	    custody_destroy_due(desk->custody, SELF).code, STATUS_UNAVAILABLE);
	assert_int_equal(desk_token()->destroyed, 0);
	assert_int_equal(desk_key(desk, 1).state, KEY_SCHEDULED);
}

static void
cancel_now(void *ctx, const char *line)
{
	struct desk *desk = ctx;

	if (strcmp(line, "keyd/keyd|destroy key k1|asked") == 0)
		desk_set_state(desk, 1, KEY_SUSPENDED, 0);
}

static void
a_key_that_is_cancelled_in_time_is_not_destroyed_even_at_the_last_moment(
    void **state)
{
	struct desk *desk = *state;

	desk_add_key(desk, 1, ALICE);
	desk_set_state(desk, 1, KEY_SCHEDULED, past());
	desk_on_record(cancel_now, desk);
	assert_int_equal(custody_destroy_due(desk->custody, SELF).code,
	    STATUS_FAILED_PRECONDITION);
	desk_on_record(NULL, NULL);
	assert_int_equal(desk_token()->destroyed, 0);
	assert_true(desk_token()->there[1]);
	assert_int_equal(desk_key(desk, 1).state, KEY_SUSPENDED);
	assert_int_equal(
	    desk_recorded("keyd/keyd|destroy key k1|FAILED_PRECONDITION"), 1);
}

static void
a_key_that_cannot_be_destroyed_does_not_hold_up_others(void **state)
{
	struct desk *desk = *state;

	for (unsigned key = 1; key <= 3; key++) {
		desk_add_key(desk, key, ALICE);
		desk_set_state(desk, key, KEY_SCHEDULED, past());
	}
	desk_token()->undestroyable = 1;
	assert_int_equal(custody_destroy_due(desk->custody, SELF).code,
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(desk_key(desk, 1).state, KEY_SCHEDULED);
	assert_int_equal(desk_key(desk, 2).state, KEY_DESTROYED);
	assert_int_equal(desk_key(desk, 3).state, KEY_DESTROYED);
}

/* ---- Update ---- */

static void
group_owner_and_notes_change_alone_and_to_empty_too(void **state)
{
	struct desk *desk = *state;

	desk_add_key(desk, 1, ALICE);
	assert_int_equal(
	    update(ALICE, 1, "shop", "Ann", "the shop's"), STATUS_OK);
	assert_string_equal(reply_key()->group, "shop");
	assert_int_equal(
	    desk_recorded(
		"operator/alice|set key k1: group=shop owner=Ann notes|done"),
	    1);
	assert_int_equal(update(ALICE, 1, NULL, "", NULL), STATUS_OK);
	assert_string_equal(reply_key()->group, "shop");
	assert_string_equal(reply_key()->owner, "");
	assert_string_equal(reply_key()->notes, "the shop's");
}

static void
updates_that_make_no_sense_are_refused(void **state)
{
	Holdfast__Keyd__V1__UpdateKeyRequest request;
	Holdfast__Keyd__V1__UpdateKeyRequest__Field wrong =
	    (Holdfast__Keyd__V1__UpdateKeyRequest__Field)9;
	char too_long[REGISTRY_NOTES_MAX + 1];
	struct desk *desk = *state;
	uint8_t id[KEY_ID_LEN];

	desk_add_key(desk, 1, ALICE);
	memset(too_long, 'a', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = 0;
	assert_int_equal(
	    update(ALICE, 1, NULL, NULL, NULL), STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    update(ALICE, 1, "a b", NULL, NULL), STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    update(ALICE, 1, NULL, NULL, too_long), STATUS_INVALID_ARGUMENT);
	too_long[REGISTRY_OWNER_MAX] = 0;
	assert_int_equal(
	    update(ALICE, 1, NULL, too_long, NULL), STATUS_INVALID_ARGUMENT);
	assert_int_equal(suspend(ALICE, 1, too_long), STATUS_INVALID_ARGUMENT);
	holdfast__keyd__v1__update_key_request__init(&request);
	request.key_id = id_of(id, 1);
	request.change = &wrong;
	request.n_change = 1;
	assert_int_equal(desk_call(ALICE, "Keys/Update", &request.base),
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(desk_records(), 0);
}

static void
nobody_alone_brings_a_key_under_grants_that_took_an_approval(void **state)
{
	struct registry_grant grant = { .pattern = "edge/*",
		.contexts = 1u << CONTEXT_TLS13_SERVER,
		.beyond_group = true };
	struct registry_target group = { .group = "shop" };
	struct desk *desk = *state;

	desk_add_key(desk, 1, ALICE);
	assert_int_equal(
	    registry_grant_add(desk->registry, &group, &grant, NULL).code,
	    STATUS_OK);
	desk_restart(desk, 2, HOUR);
	assert_int_equal(
	    update(ALICE, 1, "shop", NULL, NULL), STATUS_FAILED_PRECONDITION);
	assert_string_equal(desk_key(desk, 1).group, "");
	desk_restart(desk, 1, HOUR);
	assert_int_equal(update(ALICE, 1, "shop", NULL, NULL), STATUS_OK);
}

/* Where nothing waits for approval an operator may, and certd still not. */
static void
certd_brings_no_key_under_grants_that_it_could_not_give(void **state)
{
	struct registry_grant grant = { .pattern = "edge/*",
		.contexts = 1u << CONTEXT_TLS13_SERVER };
	struct registry_target group = { .group = "shop" };
	struct desk *desk = *state;

	desk_add_key(desk, 1, CERTD);
	assert_int_equal(
	    registry_grant_add(desk->registry, &group, &grant, NULL).code,
	    STATUS_OK);
	group.group = "beyond";
	grant.beyond_group = true;
	assert_int_equal(
	    registry_grant_add(desk->registry, &group, &grant, NULL).code,
	    STATUS_OK);
	desk_restart(desk, 1, HOUR);
	assert_int_equal(
	    update(CERTD, 1, "beyond", NULL, NULL), STATUS_FAILED_PRECONDITION);
	assert_string_equal(desk_key(desk, 1).group, "");
	assert_int_equal(update(CERTD, 1, "shop", NULL, NULL), STATUS_OK);
	assert_int_equal(update(ALICE, 1, "beyond", NULL, NULL), STATUS_OK);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_suspended_key_is_refused_and_workers_drop_their_copies),
		T(a_token_that_is_away_does_not_stop_a_suspension),
		T(suspending_again_is_ok_and_drops_copies_again),
		T(a_resumed_key_signs_again),
		T(a_key_that_the_token_cannot_sign_with_stays_suspended),
		T(a_state_does_not_change_without_a_record),
		T(copies_agree_with_the_state_after_suspending_and_resuming_at_once),
		T(certd_changes_only_keys_that_certd_had_made),
		T(keyds_own_keys_are_neither_suspended_nor_destroyed),
		T(a_scheduled_key_is_suspended_at_once_and_tells_its_time),
		T(a_delay_is_as_configured_or_at_least_the_minimum),
		T(a_cancelled_key_stays_suspended_and_is_not_destroyed),
		T(who_ends_does_not_wait_for_all_keys_that_are_due),
		T(a_key_that_is_due_is_destroyed_once_and_what_is_not_is_kept),
		T(a_token_that_is_away_delays_a_destruction_and_nothing_takes_it_back),
		T(a_destruction_that_a_crash_cut_short_is_done_again),
		T(nothing_is_destroyed_without_a_record),
		T(a_key_that_is_cancelled_in_time_is_not_destroyed_even_at_the_last_moment),
		T(a_key_that_cannot_be_destroyed_does_not_hold_up_others),
		T(group_owner_and_notes_change_alone_and_to_empty_too),
		T(updates_that_make_no_sense_are_refused),
		T(nobody_alone_brings_a_key_under_grants_that_took_an_approval),
		T(certd_brings_no_key_under_grants_that_it_could_not_give),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
