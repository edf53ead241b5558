/* SPDX-License-Identifier: Apache-2.0 */

/* Key states and approvals in the registry, on real files; races included. */

#include <pthread.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "keyd/registry.h"
#include "tests/unit/registry_desk.h"

#define ALICE "spiffe://d/operator/alice"
#define BOB "spiffe://d/operator/bob"
#define CAROL "spiffe://d/operator/carol"
#define TLS13 (1u << CONTEXT_TLS13_SERVER)
#define RAW (1u << CONTEXT_RAW)
#define RACERS 8

static struct key_id
an_id(uint8_t of)
{
	struct key_id id;

	memset(id.at, of, KEY_ID_LEN);
	return id;
}

static void
add_key(struct desk *desk, uint8_t id, const char *label)
{
	struct registry_key key = { .alg = KEY_ALG_EC_P256,
		.id = an_id(id),
		.spki_len = 91,
		.created_s = 1000,
		.attributes = ATTRIBUTE_SENSITIVE };

	memset(key.spki, id, key.spki_len);
	snprintf(key.label, sizeof(key.label), "%s", label);
	snprintf(key.pool, sizeof(key.pool), "standard");
	snprintf(key.created_by, sizeof(key.created_by), ALICE);
	assert_int_equal(
	    registry_key_add(desk->registry, &key, NULL).code, STATUS_OK);
}

static enum status_code
change(struct desk *desk, uint8_t id, enum key_state from, enum key_state to,
    int64_t destroy_at_s, int64_t now_s)
{
	struct key_id key = an_id(id);

	return registry_key_state(
	    desk->registry, &key, from, to, destroy_at_s, now_s)
	    .code;
}

static struct registry_key
key_of(struct desk *desk, uint8_t id)
{
	struct key_id key = an_id(id);
	struct registry_key row;

	assert_int_equal(
	    registry_key_get(desk->registry, &key, &row).code, STATUS_OK);
	return row;
}

/* ---- states ---- */

static void
a_state_changes_from_the_one_that_was_named_only(void **state)
{
	struct desk *desk = *state;

	add_key(desk, 1, "web");
	assert_int_equal(change(desk, 1, KEY_SUSPENDED, KEY_ACTIVE, 0, 10),
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    change(desk, 1, KEY_ACTIVE, KEY_SUSPENDED, 77, 11), STATUS_OK);
	assert_int_equal(key_of(desk, 1).state, KEY_SUSPENDED);
	assert_int_equal(key_of(desk, 1).state_s, 11);
	assert_int_equal(key_of(desk, 1).destroy_at_s, 0);
	assert_int_equal(change(desk, 1, KEY_ACTIVE, KEY_SUSPENDED, 0, 12),
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(change(desk, 9, KEY_ACTIVE, KEY_SUSPENDED, 0, 12),
	    STATUS_NOT_FOUND);
}

static void
a_destruction_is_taken_back_before_it_is_due_and_never_after(void **state)
{
	struct desk *desk = *state;

	add_key(desk, 1, "web");
	assert_int_equal(
	    change(desk, 1, KEY_ACTIVE, KEY_SCHEDULED, 100, 50), STATUS_OK);
	assert_int_equal(key_of(desk, 1).destroy_at_s, 100);
	assert_int_equal(change(desk, 1, KEY_SCHEDULED, KEY_DESTROYED, 0, 99),
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    change(desk, 1, KEY_SCHEDULED, KEY_SUSPENDED, 0, 99), STATUS_OK);
	assert_int_equal(key_of(desk, 1).destroy_at_s, 0);
	assert_int_equal(
	    change(desk, 1, KEY_SUSPENDED, KEY_SCHEDULED, 100, 50), STATUS_OK);
	assert_int_equal(change(desk, 1, KEY_SCHEDULED, KEY_SUSPENDED, 0, 100),
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    change(desk, 1, KEY_SCHEDULED, KEY_DESTROYED, 0, 100), STATUS_OK);
	assert_int_equal(change(desk, 1, KEY_DESTROYED, KEY_ACTIVE, 0, 101),
	    STATUS_FAILED_PRECONDITION);
}

static void
a_claimed_key_cannot_be_taken_back_when_the_clock_is_set_back(void **state)
{
	struct key_id id = an_id(1);
	struct desk *desk = *state;

	add_key(desk, 1, "web");
	assert_int_equal(
	    change(desk, 1, KEY_ACTIVE, KEY_SCHEDULED, 100, 50), STATUS_OK);
	assert_int_equal(registry_key_claim(desk->registry, &id, 99).code,
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    registry_key_claim(desk->registry, &id, 100).code, STATUS_OK);
	assert_int_equal(
	    registry_key_claim(desk->registry, &id, 60).code, STATUS_OK);
	assert_int_equal(key_of(desk, 1).destroy_at_s, KEY_DESTROYING);
	assert_int_equal(change(desk, 1, KEY_SCHEDULED, KEY_SUSPENDED, 0, 60),
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    change(desk, 1, KEY_SCHEDULED, KEY_DESTROYED, 0, 60), STATUS_OK);
}

static void
a_cancelled_key_cannot_be_claimed(void **state)
{
	struct key_id id = an_id(1);
	struct desk *desk = *state;

	add_key(desk, 1, "web");
	assert_int_equal(
	    change(desk, 1, KEY_ACTIVE, KEY_SCHEDULED, 100, 50), STATUS_OK);
	assert_int_equal(
	    change(desk, 1, KEY_SCHEDULED, KEY_SUSPENDED, 0, 99), STATUS_OK);
	assert_int_equal(registry_key_claim(desk->registry, &id, 200).code,
	    STATUS_FAILED_PRECONDITION);
}

static void
what_is_due_is_told_by_id_and_nothing_else_is(void **state)
{
	struct desk *desk = *state;
	struct registry_key due;
	struct key_id first;

	for (uint8_t id = 1; id <= 4; id++) {
		char label[8];

		snprintf(label, sizeof(label), "k%u", id);
		add_key(desk, id, label);
	}
	assert_int_equal(
	    registry_key_due(desk->registry, 1000, NULL, &due).code,
	    STATUS_NOT_FOUND);
	assert_int_equal(
	    change(desk, 3, KEY_ACTIVE, KEY_SCHEDULED, 60, 50), STATUS_OK);
	assert_int_equal(
	    change(desk, 1, KEY_ACTIVE, KEY_SCHEDULED, 70, 50), STATUS_OK);
	assert_int_equal(
	    change(desk, 2, KEY_ACTIVE, KEY_SCHEDULED, 99, 50), STATUS_OK);
	assert_int_equal(
	    registry_key_due(desk->registry, 70, NULL, &due).code, STATUS_OK);
	assert_string_equal(due.label, "k1");
	first = due.id;
	assert_int_equal(
	    registry_key_due(desk->registry, 70, &first, &due).code, STATUS_OK);
	assert_string_equal(due.label, "k3");
	first = due.id;
	assert_int_equal(
	    registry_key_due(desk->registry, 70, &first, &due).code,
	    STATUS_NOT_FOUND);
}

static void
a_destroyed_key_loses_its_grants_and_keeps_its_row_and_label(void **state)
{
	struct registry_grant grant = { .pattern = "edge/fra-1",
		.contexts = TLS13 };
	struct registry_grant grants[REGISTRY_GRANTS_MAX];
	struct registry_key again = { .alg = KEY_ALG_EC_P256,
		.id = an_id(2),
		.spki_len = 91,
		.label = "web",
		.pool = "standard",
		.created_by = ALICE };
	struct key_id id = an_id(1);
	struct registry_target target = { .key = &id };
	struct desk *desk = *state;
	size_t n = 9;

	add_key(desk, 1, "web");
	assert_int_equal(
	    registry_grant_add(desk->registry, &target, &grant, NULL).code,
	    STATUS_OK);
	assert_int_equal(
	    change(desk, 1, KEY_ACTIVE, KEY_SCHEDULED, 60, 50), STATUS_OK);
	assert_int_equal(
	    registry_grants(desk->registry, &id, grants, &n).code, STATUS_OK);
	assert_int_equal(n, 1);
	assert_int_equal(
	    change(desk, 1, KEY_SCHEDULED, KEY_DESTROYED, 0, 60), STATUS_OK);
	assert_int_equal(
	    registry_grants(desk->registry, &id, grants, &n).code, STATUS_OK);
	assert_int_equal(n, 0);
	assert_string_equal(key_of(desk, 1).label, "web");
	assert_int_equal(registry_key_add(desk->registry, &again, NULL).code,
	    STATUS_ALREADY_EXISTS);
}

/* Is it in any file of the registry? */
static bool
is_on_disk(struct desk *desk, const uint8_t *octets, size_t len)
{
	static const char *const ends[] = { "", "-wal" };
	bool found = false;

	for (size_t i = 0; i < 2 && !found; i++) {
		char path[128], *text;
		struct stat sb;
		FILE *file;

		snprintf(path, sizeof(path), "%s%s", desk->path, ends[i]);
		if (stat(path, &sb) != 0 || sb.st_size == 0)
			continue;
		text = malloc((size_t)sb.st_size);
		file = fopen(path, "r");
		assert_non_null(text);
		assert_non_null(file);
		assert_int_equal(
		    fread(text, 1, (size_t)sb.st_size, file), sb.st_size);
		fclose(file);
		found = memmem(text, (size_t)sb.st_size, octets, len) != NULL;
		free(text);
	}
	return found;
}

static void
of_a_destroyed_keys_blob_nothing_stays_on_disk(void **state)
{
	struct registry_key key = { .alg = KEY_ALG_EC_P256,
		.id = an_id(1),
		.spki_len = 91,
		.label = "web",
		.pool = "standard",
		.created_by = ALICE,
		.wrapped = true };
	struct hsm_blob *blob = calloc(1, sizeof(*blob));
	struct desk *desk = *state;
	uint8_t octets[32];

	assert_non_null(blob);
	memset(key.spki, 1, key.spki_len);
	blob->alg = key.alg;
	blob->spki_len = key.spki_len;
	memcpy(blob->spki, key.spki, key.spki_len);
	blob->len = 200;
	for (size_t i = 0; i < blob->len; i++)
		blob->at[i] = (uint8_t)(7 * i + 13);
	memcpy(octets, blob->at + 100, sizeof(octets));
	assert_int_equal(
	    registry_key_add_wrapped(desk->registry, &key, blob, NULL).code,
	    STATUS_OK);
	assert_true(is_on_disk(desk, octets, sizeof(octets)));
	assert_int_equal(
	    change(desk, 1, KEY_ACTIVE, KEY_SCHEDULED, 60, 50), STATUS_OK);
	assert_int_equal(
	    change(desk, 1, KEY_SCHEDULED, KEY_DESTROYED, 0, 60), STATUS_OK);
	assert_int_equal(registry_blob(desk->registry, &key.id, blob).code,
	    STATUS_NOT_FOUND);
	assert_false(is_on_disk(desk, octets, sizeof(octets)));
	free(blob);
}

struct racer {
	struct desk *desk;
	pthread_barrier_t *start;
	atomic_uint *cancelled, *claimed;
	bool cancels;
};

static void *
race(void *ctx)
{
	struct racer *racer = ctx;
	struct key_id id = an_id(1);

	pthread_barrier_wait(racer->start);
	if (racer->cancels) {
		if (change(racer->desk, 1, KEY_SCHEDULED, KEY_SUSPENDED, 0,
			99) == STATUS_OK)
			atomic_fetch_add(racer->cancelled, 1);
	} else if (registry_key_claim(racer->desk->registry, &id, 100).code ==
		   STATUS_OK) {
		atomic_fetch_add(racer->claimed, 1);
	}
	return NULL;
}

static void
of_cancel_and_claim_side_by_side_one_wins(void **state)
{
	struct desk *desk = *state;

	add_key(desk, 1, "web");
	assert_int_equal(
	    change(desk, 1, KEY_ACTIVE, KEY_SUSPENDED, 0, 40), STATUS_OK);
	for (int round = 0; round < 20; round++) {
		atomic_uint cancelled = 0, claimed = 0;
		pthread_barrier_t start;
		pthread_t threads[2];
		struct racer racers[2];

		if (key_of(desk, 1).state != KEY_SUSPENDED)
			break;
		assert_int_equal(
		    change(desk, 1, KEY_SUSPENDED, KEY_SCHEDULED, 100, 50),
		    STATUS_OK);
		pthread_barrier_init(&start, NULL, 2);
		for (int i = 0; i < 2; i++) {
			racers[i] = (struct racer){ desk, &start, &cancelled,
				&claimed, i == 0 };
			assert_int_equal(
			    pthread_create(&threads[i], NULL, race, &racers[i]),
			    0);
		}
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		pthread_barrier_destroy(&start);
		assert_int_equal(cancelled + claimed, 1);
		assert_int_equal(key_of(desk, 1).state,
		    cancelled == 1 ? KEY_SUSPENDED : KEY_SCHEDULED);
	}
}

static void
an_update_changes_what_is_named_and_leaves_the_rest(void **state)
{
	struct key_id id = an_id(1), none = an_id(9);
	struct desk *desk = *state;

	add_key(desk, 1, "web");
	assert_int_equal(registry_key_update(
			     desk->registry, &id, "shop", "Ann", "of the shop")
			     .code,
	    STATUS_OK);
	assert_int_equal(
	    registry_key_update(desk->registry, &id, NULL, "", NULL).code,
	    STATUS_OK);
	assert_string_equal(key_of(desk, 1).group, "shop");
	assert_string_equal(key_of(desk, 1).owner, "");
	assert_string_equal(key_of(desk, 1).notes, "of the shop");
	assert_int_equal(
	    registry_key_update(desk->registry, &none, "x", NULL, NULL).code,
	    STATUS_NOT_FOUND);
}

static void
a_group_in_which_raw_and_tls_would_meet_is_not_joined(void **state)
{
	struct registry_grant tls = { .pattern = "edge/*", .contexts = TLS13 };
	struct registry_grant raw = { .pattern = "operator/alice",
		.contexts = RAW };
	struct key_id id = an_id(1);
	struct registry_target key = { .key = &id };
	struct registry_target group = { .group = "shop" };
	struct desk *desk = *state;

	add_key(desk, 1, "web");
	assert_int_equal(
	    registry_grant_add(desk->registry, &key, &raw, NULL).code,
	    STATUS_OK);
	assert_int_equal(
	    registry_grant_add(desk->registry, &group, &tls, NULL).code,
	    STATUS_OK);
	assert_int_equal(
	    registry_key_update(desk->registry, &id, "shop", "Ann", NULL).code,
	    STATUS_FAILED_PRECONDITION);
	assert_string_equal(key_of(desk, 1).group, "");
	assert_string_equal(key_of(desk, 1).owner, "");
}

/* ---- approvals ---- */

static struct registry_approval *
a_request(const char *act)
{
	struct registry_approval *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	snprintf(a->act, sizeof(a->act), "%s", act);
	snprintf(a->method, sizeof(a->method), "Keys/ScheduleDestruction");
	a->request_len = 3;
	memcpy(a->request, "abc", 3);
	a->key = an_id(1);
	snprintf(a->requested_by, sizeof(a->requested_by), ALICE);
	snprintf(a->comment, sizeof(a->comment), "it leaked");
	a->requested_s = 100;
	a->expires_s = 200;
	a->quorum = 2;
	return a;
}

static int64_t
ask(struct desk *desk, const char *act)
{
	struct registry_approval *a = a_request(act);
	int64_t id = 0;

	assert_int_equal(
	    registry_approval_add(desk->registry, a, &id).code, STATUS_OK);
	free(a);
	return id;
}

static enum status_code
vote(struct desk *desk, int64_t id, const char *who, bool approve, int64_t at_s)
{
	struct registry_vote v = { .approve = approve, .at_s = at_s };
	struct registry_approval *after = calloc(1, sizeof(*after));
	enum status_code code;

	assert_non_null(after);
	snprintf(v.operator, sizeof(v.operator), "%s", who);
	code = registry_approval_vote(desk->registry, id, &v, after).code;
	if (code == STATUS_OK)
		assert_int_equal(after->id, id);
	free(after);
	return code;
}

static void
a_request_is_kept_whole_and_is_the_first_vote(void **state)
{
	struct registry_approval *row = calloc(1, sizeof(*row));
	struct desk *desk = *state;
	int64_t id = ask(desk, "destroy key web");
	unsigned n = 0;

	assert_non_null(row);
	assert_int_equal(id, 1);
	assert_int_equal(
	    registry_approval_get(desk->registry, id, row).code, STATUS_OK);
	assert_string_equal(row->act, "destroy key web");
	assert_int_equal(row->request_len, 3);
	assert_memory_equal(row->request, "abc", 3);
	assert_string_equal(row->comment, "it leaked");
	assert_int_equal(row->state, APPROVAL_PENDING);
	assert_int_equal(row->n_votes, 1);
	assert_string_equal(row->votes[0].operator, ALICE);
	assert_true(row->votes[0].approve);
	assert_int_equal(row->votes[0].at_s, 100);
	assert_int_equal(
	    registry_approvals_pending(desk->registry, &n).code, STATUS_OK);
	assert_int_equal(n, 1);
	assert_int_equal(registry_approval_get(desk->registry, 7, row).code,
	    STATUS_NOT_FOUND);
	free(row);
}

static void
the_same_act_waits_once(void **state)
{
	struct registry_approval *a = a_request("destroy key web");
	struct desk *desk = *state;
	int64_t id = ask(desk, "destroy key web"), other = 0;

	assert_int_equal(registry_approval_add(desk->registry, a, &other).code,
	    STATUS_ALREADY_EXISTS);
	assert_int_equal(
	    registry_approval_end(desk->registry, id, APPROVAL_REJECTED, "no")
		.code,
	    STATUS_OK);
	assert_int_equal(
	    registry_approval_add(desk->registry, a, &other).code, STATUS_OK);
	free(a);
}

static void
nobody_votes_twice_and_the_asker_may_withdraw(void **state)
{
	struct desk *desk = *state;
	int64_t id = ask(desk, "destroy key web");

	assert_int_equal(
	    vote(desk, id, ALICE, true, 101), STATUS_FAILED_PRECONDITION);
	assert_int_equal(vote(desk, id, BOB, true, 102), STATUS_OK);
	assert_int_equal(
	    vote(desk, id, BOB, true, 103), STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    vote(desk, id, BOB, false, 104), STATUS_FAILED_PRECONDITION);
	assert_int_equal(vote(desk, id, ALICE, false, 105), STATUS_OK);
	assert_int_equal(vote(desk, 9, BOB, true, 105), STATUS_NOT_FOUND);
}

static void
nobody_votes_on_what_has_ended_or_expired(void **state)
{
	struct registry_approval *row = calloc(1, sizeof(*row));
	struct desk *desk = *state;
	int64_t id = ask(desk, "destroy key web");

	assert_non_null(row);
	assert_int_equal(
	    vote(desk, id, BOB, true, 200), STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    registry_approval_overdue(desk->registry, 199, row).code,
	    STATUS_NOT_FOUND);
	assert_int_equal(
	    registry_approval_overdue(desk->registry, 200, row).code,
	    STATUS_OK);
	assert_int_equal(row->id, id);
	assert_int_equal(registry_approval_end(
			     desk->registry, id, APPROVAL_EXPIRED, "expired")
			     .code,
	    STATUS_OK);
	assert_int_equal(
	    registry_approval_end(desk->registry, id, APPROVAL_DONE, "done")
		.code,
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    vote(desk, id, BOB, true, 150), STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    registry_approval_get(desk->registry, id, row).code, STATUS_OK);
	assert_int_equal(row->state, APPROVAL_EXPIRED);
	assert_string_equal(row->outcome, "expired");
	assert_int_equal(row->n_votes, 1);
	free(row);
}

static void
the_list_is_newest_first_with_votes_and_leaves_out_what_ended(void **state)
{
	struct registry_approval *list = NULL;
	struct desk *desk = *state;
	size_t n = 0;

	assert_int_equal(
	    registry_approvals(desk->registry, true, 10, &list, &n).code,
	    STATUS_OK);
	assert_int_equal(n, 0);
	free(list);
	ask(desk, "a");
	ask(desk, "b");
	ask(desk, "c");
	assert_int_equal(
	    registry_approval_end(desk->registry, 2, APPROVAL_DONE, "ok").code,
	    STATUS_OK);
	assert_int_equal(
	    registry_approvals(desk->registry, false, 10, &list, &n).code,
	    STATUS_OK);
	assert_int_equal(n, 2);
	assert_int_equal(list[0].id, 3);
	assert_int_equal(list[1].id, 1);
	assert_int_equal(list[1].n_votes, 1);
	free(list);
	assert_int_equal(
	    registry_approvals(desk->registry, true, 2, &list, &n).code,
	    STATUS_OK);
	assert_int_equal(n, 2);
	assert_int_equal(list[1].id, 2);
	free(list);
}

struct voter {
	struct desk *desk;
	pthread_barrier_t *start;
	atomic_uint *counted;
	const char *who;
};

static void *
vote_at_once(void *ctx)
{
	struct voter *voter = ctx;

	pthread_barrier_wait(voter->start);
	if (vote(voter->desk, 1, voter->who, true, 150) == STATUS_OK)
		atomic_fetch_add(voter->counted, 1);
	return NULL;
}

static void
an_operator_voting_from_many_calls_at_once_counts_once(void **state)
{
	struct desk *desk = *state;
	pthread_t threads[RACERS];
	struct voter voters[RACERS];
	pthread_barrier_t start;
	atomic_uint counted = 0;

	ask(desk, "destroy key web");
	pthread_barrier_init(&start, NULL, RACERS);
	for (size_t i = 0; i < RACERS; i++) {
		voters[i] = (struct voter){ desk, &start, &counted,
			i % 2 == 0 ? BOB : CAROL };
		assert_int_equal(
		    pthread_create(&threads[i], NULL, vote_at_once, &voters[i]),
		    0);
	}
	for (size_t i = 0; i < RACERS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&start);
	assert_int_equal(counted, 2);
}

#define T(test)                                                                \
	cmocka_unit_test_setup_teardown(                                       \
	    test, registry_desk_set_up, registry_desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_state_changes_from_the_one_that_was_named_only),
		T(a_destruction_is_taken_back_before_it_is_due_and_never_after),
		T(a_claimed_key_cannot_be_taken_back_when_the_clock_is_set_back),
		T(a_cancelled_key_cannot_be_claimed),
		T(what_is_due_is_told_by_id_and_nothing_else_is),
		T(a_destroyed_key_loses_its_grants_and_keeps_its_row_and_label),
		T(of_a_destroyed_keys_blob_nothing_stays_on_disk),
		T(of_cancel_and_claim_side_by_side_one_wins),
		T(an_update_changes_what_is_named_and_leaves_the_rest),
		T(a_group_in_which_raw_and_tls_would_meet_is_not_joined),
		T(a_request_is_kept_whole_and_is_the_first_vote),
		T(the_same_act_waits_once),
		T(nobody_votes_twice_and_the_asker_may_withdraw),
		T(nobody_votes_on_what_has_ended_or_expired),
		T(the_list_is_newest_first_with_votes_and_leaves_out_what_ended),
		T(an_operator_voting_from_many_calls_at_once_counts_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
