/* SPDX-License-Identifier: Apache-2.0 */

/* The service Changes over the real store; the machine is the test, on a thread
 * of its own where somebody waits for it. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "certd/changes.h"
#include "proto/message.h"
#include "tests/unit/enroll_desk.h"

typedef Holdfast__Certd__V1__Change change_msg;
typedef Holdfast__Certd__V1__EnrollmentChange enrollment_change_msg;
typedef Holdfast__Certd__V1__WaitChangeRequest wait_msg;
typedef Holdfast__Certd__V1__ChangeState change_state;

#define refused enroll_desk_refused

/* All requests about one change begin alike. */
static struct status
ask(struct desk *desk, struct caller *caller, const char *method, int64_t id,
    change_msg **ret_change)
{
	Holdfast__Certd__V1__GetChangeRequest get = desk_get_change_request();
	Holdfast__Certd__V1__VerifyChangeRequest verify =
	    desk_verify_change_request();
	Holdfast__Certd__V1__IssueChangeRequest issue =
	    desk_issue_change_request();
	Holdfast__Certd__V1__RetryChangeRequest retry =
	    desk_retry_change_request();
	Holdfast__Certd__V1__CancelChangeRequest cancel =
	    desk_cancel_change_request();
	wait_msg wait = desk_wait_change_request();
	const struct {
		const char *name;
		const void *request;
	} requests[] = { { "Changes/Get", &get }, { "Changes/Verify", &verify },
		{ "Changes/Issue", &issue }, { "Changes/Retry", &retry },
		{ "Changes/Cancel", &cancel }, { "Changes/Wait", &wait } };

	get.id = verify.id = issue.id = retry.id = cancel.id = wait.id = id;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (strcmp(requests[i].name, method) == 0)
			return desk_ask(desk, caller, method,
			    requests[i].request, ret_change);
	fail_msg("no method %s", method);
	return status_ok();
}

static change_msg *
done(struct desk *desk, const char *method, int64_t id)
{
	change_msg *change = NULL;
	struct status st = ask(desk, &desk_alice, method, id, &change);

	if (failed(st))
		fail_msg("%s: %s %s", method, st.why, desk->call.why);
	return change;
}

static void
ok(struct desk *desk, const char *method, int64_t id)
{
	message_free(&done(desk, method, id)->base);
}

static int64_t
begin(struct desk *desk)
{
	enrollment_change_msg *made =
	    enroll_desk_create(desk, "www.example.com");
	int64_t id = made->change->id;

	message_free(&made->base);
	return id;
}

/* ---- reading ---- */

static void
challenges_are_shown_as_people_need_them(void **state)
{
	struct desk *desk = *state;
	int64_t id = begin(desk);
	struct challenge_row row = { .change = id,
		.hostname = "www.example.com",
		.type = "http-01",
		.token = "tok",
		.key_authorization = "tok.print",
		.state = CHALLENGE_PRESENT };
	change_msg *change;
	struct db_tx *tx;

	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->store, tx, store_challenges_put(tx, &row)).code,
	    STATUS_OK);
	enroll_desk_put(desk, id, CHANGE_VALIDATING, "", 1);
	change = done(desk, "Changes/Get", id);
	assert_int_equal(change->percent, 40);
	assert_int_equal(change->n_challenges, 1);
	assert_string_equal(change->challenges[0]->http_url,
	    "http://www.example.com/.well-known/acme-challenge/tok");
	assert_string_equal(change->challenges[0]->http_body, "tok.print");
	assert_string_equal(change->challenges[0]->dns_value, "");
	assert_int_equal(change->n_history, 2);
	assert_string_equal(change->history[1]->text, "Step.");
	assert_string_equal(change->hostnames[0], "www.example.com");
	message_free(&change->base);
}

static void
every_method_hides_another_accounts_change(void **state)
{
	static const char *const methods[] = { "Changes/Get", "Changes/Wait",
		"Changes/Verify", "Changes/Issue", "Changes/Retry",
		"Changes/Cancel" };
	struct desk *desk = *state;
	int64_t id = begin(desk);
	Holdfast__Certd__V1__ListChangesRequest list =
	    desk_list_changes_request();
	Holdfast__Certd__V1__ListChangesResponse *listed = NULL;

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		refused(desk, ask(desk, &desk_bob, methods[i], id, NULL),
		    STATUS_NOT_FOUND, "there is no such change");
		if (i > 1)
			assert_int_equal(
			    ask(desk, &desk_viewer, methods[i], id, NULL).code,
			    STATUS_PERMISSION_DENIED);
	}
	assert_int_equal(
	    desk_ask(desk, &desk_bob, "Changes/List", &list, &listed).code,
	    STATUS_OK);
	assert_int_equal(listed->n_changes, 0);
	message_free(&listed->base);
	list.enrollment = 1;
	assert_int_equal(
	    desk_ask(desk, &desk_bob, "Changes/List", &list, &listed).code,
	    STATUS_OK);
	assert_int_equal(listed->n_changes, 0);
	message_free(&listed->base);
	assert_int_equal(
	    desk_ask(desk, &desk_viewer, "Changes/List", &list, &listed).code,
	    STATUS_OK);
	assert_int_equal(listed->n_changes, 1);
	assert_int_equal(listed->changes[0]->n_history, 0);
	message_free(&listed->base);
}

static void
pages_of_changes_are_newest_first_each_once(void **state)
{
	struct desk *desk = *state;
	Holdfast__Certd__V1__ListChangesRequest list =
	    desk_list_changes_request();
	Holdfast__Certd__V1__ListChangesResponse *listed = NULL;
	char token[CHANGES_TOKEN_MAX] = "";
	char name[40];
	int64_t last = INT64_MAX;
	size_t n = 0;

	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "h%d.example.com", i);
		message_free(&enroll_desk_create(desk, name)->base);
	}
	list.page_size = 2;
	list.page_token = token;
	do {
		assert_int_equal(
		    desk_ask(desk, &desk_alice, "Changes/List", &list, &listed)
			.code,
		    STATUS_OK);
		for (size_t i = 0; i < listed->n_changes; i++, n++) {
			assert_true(listed->changes[i]->id < last);
			last = listed->changes[i]->id;
		}
		snprintf(token, sizeof(token), "%s", listed->next_page_token);
		message_free(&listed->base);
	} while (token[0] != 0);
	assert_int_equal(n, 5);
}

/* ---- inputs ---- */

static void
inputs_go_with_the_state_and_twice_is_once(void **state)
{
	struct desk *desk = *state;
	int64_t id = begin(desk);

	refused(desk, ask(desk, &desk_alice, "Changes/Verify", id, NULL),
	    STATUS_FAILED_PRECONDITION, "does not show its challenges yet");
	refused(desk, ask(desk, &desk_alice, "Changes/Issue", id, NULL),
	    STATUS_FAILED_PRECONDITION, "is not validated yet");
	enroll_desk_put(desk, id, CHANGE_AWAITING_ISSUE, "", 0);
	ok(desk, "Changes/Verify", id);
	assert_int_equal(enroll_desk_change(desk, id).input, 0);
	ok(desk, "Changes/Issue", id);
	assert_int_equal(
	    enroll_desk_change(desk, id).input, CHANGE_INPUT_ISSUE);
	ok(desk, "Changes/Issue", id);
	enroll_desk_put(desk, id, CHANGE_FINALIZING, "", 0);
	ok(desk, "Changes/Issue", id);
	assert_int_equal(enroll_desk_change(desk, id).input, 0);
	enroll_desk_put(desk, id, CHANGE_EXPIRED, "", 0);
	refused(desk, ask(desk, &desk_alice, "Changes/Issue", id, NULL),
	    STATUS_FAILED_PRECONDITION, "have another certificate issued");
	refused(desk, ask(desk, &desk_alice, "Changes/Cancel", id, NULL),
	    STATUS_FAILED_PRECONDITION, "nothing to give up");
}

static void
a_retry_is_for_what_waits_after_a_problem(void **state)
{
	struct desk *desk = *state;
	int64_t id = begin(desk);
	change_msg *change;

	/* It is due now: at work. */
	ok(desk, "Changes/Retry", id);
	enroll_desk_put(desk, id, CHANGE_VALIDATING, "", 600);
	refused(desk, ask(desk, &desk_alice, "Changes/Retry", id, NULL),
	    STATUS_FAILED_PRECONDITION, "has met no problem");
	enroll_desk_put(desk, id, CHANGE_VALIDATING, "timeout", 600);
	change = done(desk, "Changes/Get", id);
	assert_int_equal(change->n_allowed_inputs, 2);
	assert_int_equal(change->allowed_inputs[0], CHANGE_INPUT_RETRY);
	message_free(&change->base);
	ok(desk, "Changes/Retry", id);
	assert_true(enroll_desk_change(desk, id).due_s <= store_now_s());
	enroll_desk_put(desk, id, CHANGE_AWAITING_VERIFY, "missing", 600);
	refused(desk, ask(desk, &desk_alice, "Changes/Retry", id, NULL),
	    STATUS_FAILED_PRECONDITION, "verify when they are");
	enroll_desk_put(desk, id, CHANGE_FAILED, "no", 0);
	refused(desk, ask(desk, &desk_alice, "Changes/Retry", id, NULL),
	    STATUS_FAILED_PRECONDITION, "has ended");
}

static void
a_change_is_cancelled_until_it_installs(void **state)
{
	struct desk *desk = *state;
	int64_t id = begin(desk);
	change_msg *change;

	enroll_desk_put(desk, id, CHANGE_INSTALLING, "", 1);
	refused(desk, ask(desk, &desk_alice, "Changes/Cancel", id, NULL),
	    STATUS_FAILED_PRECONDITION, "puts it in place");
	enroll_desk_put(desk, id, CHANGE_VALIDATING, "", 1);
	ok(desk, "Changes/Cancel", id);
	change = done(desk, "Changes/Cancel", id);
	assert_int_equal(change->n_allowed_inputs, 0);
	message_free(&change->base);
	refused(desk, ask(desk, &desk_alice, "Changes/Issue", id, NULL),
	    STATUS_FAILED_PRECONDITION, "has ended");
	enroll_desk_put(desk, id, CHANGE_CANCELLED, "", 0);
	ok(desk, "Changes/Cancel", id);
}

/* ---- waiting ---- */

/* The machine: as soon as an input is there (input 0: at once) it puts the
 * change there. */
struct machine {
	struct desk *desk;
	int64_t id;
	int input;
	int state;
	const char *problem;
	int due_in_s;
	pthread_t thread;
};

static void *
run_machine(void *ctx)
{
	struct machine *machine = ctx;
	uint64_t seen = 0;

	while (enroll_desk_change(machine->desk, machine->id).input !=
	       machine->input)
		seen = store_wait(machine->desk->store, seen, 100);
	enroll_desk_put(machine->desk, machine->id, machine->state,
	    machine->problem, machine->due_in_s);
	return NULL;
}

static void
start(struct machine *machine)
{
	assert_int_equal(
	    pthread_create(&machine->thread, NULL, run_machine, machine), 0);
}

static void
verify_answers_with_what_is_missing_and_when_to_come_again(void **state)
{
	struct desk *desk = *state;
	struct machine machine = { .desk = desk,
		.id = begin(desk),
		.input = CHANGE_INPUT_VERIFY,
		.state = CHANGE_AWAITING_VERIFY,
		.problem = "ns1.example.com has no TXT record yet; verify "
			   "again in 30 s.",
		.due_in_s = 600 };

	enroll_desk_put(desk, machine.id, CHANGE_AWAITING_VERIFY, "", 0);
	start(&machine);
	refused(desk,
	    ask(desk, &desk_alice, "Changes/Verify", machine.id, NULL),
	    STATUS_FAILED_PRECONDITION,
	    "ns1.example.com has no TXT record yet; verify again in 30 s.");
	pthread_join(machine.thread, NULL);
	/* It may be given again, and then it is there. */
	machine.state = CHANGE_VALIDATING;
	machine.problem = "";
	start(&machine);
	ok(desk, "Changes/Verify", machine.id);
	pthread_join(machine.thread, NULL);
	assert_int_equal(
	    enroll_desk_change(desk, machine.id).state, CHANGE_VALIDATING);
}

static void
wait_answers_when_the_change_awaits_an_input_or_has_ended(void **state)
{
	struct desk *desk = *state;
	struct machine machine = { .desk = desk,
		.id = begin(desk),
		.state = CHANGE_AWAITING_VERIFY,
		.problem = "" };
	change_msg *change;

	start(&machine);
	change = done(desk, "Changes/Wait", machine.id);
	pthread_join(machine.thread, NULL);
	assert_int_equal(change->state, CHANGE_AWAITING_VERIFY);
	message_free(&change->base);
	machine.state = CHANGE_DONE;
	enroll_desk_put(desk, machine.id, CHANGE_VALIDATING, "", 1);
	start(&machine);
	change = done(desk, "Changes/Wait", machine.id);
	pthread_join(machine.thread, NULL);
	assert_int_equal(change->state, CHANGE_DONE);
	message_free(&change->base);
}

static void
wait_answers_in_time_with_what_is_and_at_once_in_another_state(void **state)
{
	struct desk *desk = *state;
	wait_msg asked = desk_wait_change_request();
	change_msg *change = NULL;

	asked.id = begin(desk);
	asked.timeout_ms = 60001;
	refused(desk, desk_ask(desk, &desk_alice, "Changes/Wait", &asked, NULL),
	    STATUS_INVALID_ARGUMENT, "60,000 at most");
	asked.timeout_ms = 20;
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Changes/Wait", &asked, &change).code,
	    STATUS_OK);
	assert_int_equal(change->state, CHANGE_QUEUED);
	message_free(&change->base);
	asked.timeout_ms = 60000;
	asked.while_state = (change_state)CHANGE_CHECKING;
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Changes/Wait", &asked, &change).code,
	    STATUS_OK);
	assert_int_equal(change->state, CHANGE_QUEUED);
	message_free(&change->base);
}

struct waiter {
	struct desk *desk;
	int64_t id;
	struct status st;
	pthread_t thread;
};

static atomic_bool waiting_is_over;

static void *
run_waiter(void *ctx)
{
	struct waiter *waiter = ctx;
	struct api_call call = { .caller = &desk_alice };
	wait_msg asked = desk_wait_change_request();

	asked.id = waiter->id;
	asked.timeout_ms = 60000;
	/* The test's own brief wait may have been in its way. */
	do {
		waiter->st = desk_ask_with(
		    waiter->desk, &call, "Changes/Wait", &asked, NULL);
	} while (waiter->st.code == STATUS_RESOURCE_EXHAUSTED &&
		 !atomic_load(&waiting_is_over));
	return NULL;
}

static void
so_many_wait_and_no_more_and_all_are_let_go_at_the_end(void **state)
{
	struct desk *desk = *state;
	struct waiter waiters[CHANGES_WAITING_MAX];
	wait_msg asked = desk_wait_change_request();
	struct status st = status_ok();
	int64_t id = begin(desk);

	for (size_t i = 0; i < CHANGES_WAITING_MAX; i++) {
		waiters[i] = (struct waiter){ .desk = desk, .id = id };
		assert_int_equal(pthread_create(&waiters[i].thread, NULL,
				     run_waiter, &waiters[i]),
		    0);
	}
	/* As soon as all of them do. */
	asked.id = id;
	asked.timeout_ms = 1;
	while (!failed(st))
		st = desk_ask(desk, &desk_alice, "Changes/Wait", &asked, NULL);
	refused(desk, st, STATUS_RESOURCE_EXHAUSTED, "read the change now and");
	atomic_store(&waiting_is_over, true);
	enrollments_end_waits(enroll_desk_enrollments());
	for (size_t i = 0; i < CHANGES_WAITING_MAX; i++) {
		pthread_join(waiters[i].thread, NULL);
		assert_int_equal(waiters[i].st.code, STATUS_OK);
	}
}

#define T(test)                                                                \
	cmocka_unit_test_setup_teardown(                                       \
	    test, enroll_desk_set_up, enroll_desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(challenges_are_shown_as_people_need_them),
		T(every_method_hides_another_accounts_change),
		T(pages_of_changes_are_newest_first_each_once),
		T(inputs_go_with_the_state_and_twice_is_once),
		T(a_retry_is_for_what_waits_after_a_problem),
		T(a_change_is_cancelled_until_it_installs),
		T(verify_answers_with_what_is_missing_and_when_to_come_again),
		T(wait_answers_when_the_change_awaits_an_input_or_has_ended),
		T(wait_answers_in_time_with_what_is_and_at_once_in_another_state),
		T(so_many_wait_and_no_more_and_all_are_let_go_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
