/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The map of a worker's keys, on a module made up here: more keys, and more
 * copies of them, than a test wants to make in a real token.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hsm/keys.h"

#define KEYS 10000
/* Handles of copies start here; below are the token's keys, from 1. */
#define COPY 100000

static unsigned n_present; /* keys 1..n_present exist */
static unsigned found;     /* by the search that is open */
static unsigned searches;
static bool search_by_id;
static CK_OBJECT_HANDLE searched;
static unsigned copies_live, copies_most, next_copy;
static CK_RV copy_rv;

static void
id_of(CK_OBJECT_HANDLE handle, struct key_id *ret_id)
{
	memset(ret_id->at, 0, sizeof(ret_id->at));
	/* Three of them meet in each place of the hash. */
	ret_id->at[0] = (uint8_t)(handle / 3 * 16);
	ret_id->at[1] = (uint8_t)(handle / 3 * 16 / 256);
	memcpy(ret_id->at + 8, &handle, sizeof(handle));
}

static CK_RV
find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	(void)session;
	found = 0;
	searches++;
	search_by_id = false;
	for (CK_ULONG i = 0; i < n; i++) {
		if (attrs[i].type != CKA_ID)
			continue;
		search_by_id = true;
		memcpy(&searched, (uint8_t *)attrs[i].pValue + 8,
		    sizeof(searched));
	}
	return CKR_OK;
}

static CK_RV
find(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *handles, CK_ULONG max,
    CK_ULONG *n)
{
	(void)session;
	*n = 0;
	if (search_by_id && searched <= n_present && found++ == 0)
		handles[(*n)++] = searched;
	while (!search_by_id && *n < max && found < n_present)
		handles[(*n)++] = ++found;
	return CKR_OK;
}

static CK_RV
find_final(CK_SESSION_HANDLE session)
{
	(void)session;
	return CKR_OK;
}

static CK_RV
get(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE *attr,
    CK_ULONG n)
{
	const struct bytes params = keys_ec_params(KEY_ALG_EC_P256);
	const CK_KEY_TYPE type = CKK_EC;
	struct key_id id;

	(void)session;
	assert_int_equal(n, 1);
	id_of(handle, &id);
	if (attr->type == CKA_ID) {
		memcpy(attr->pValue, id.at, sizeof(id.at));
		attr->ulValueLen = sizeof(id.at);
	} else if (attr->type == CKA_KEY_TYPE) {
		memcpy(attr->pValue, &type, sizeof(type));
		attr->ulValueLen = sizeof(type);
	} else if (attr->type == CKA_SIGN) {
		*(CK_BBOOL *)attr->pValue = CK_TRUE;
		attr->ulValueLen = sizeof(CK_BBOOL);
	} else {
		memcpy(attr->pValue, params.at, params.len);
		attr->ulValueLen = params.len;
	}
	return CKR_OK;
}

static CK_RV
copy(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE *attrs,
    CK_ULONG n, CK_OBJECT_HANDLE *ret_copy)
{
	(void)session, (void)handle, (void)attrs, (void)n;
	if (copy_rv != CKR_OK)
		return copy_rv;
	copies_live++;
	if (copies_live > copies_most)
		copies_most = copies_live;
	*ret_copy = COPY + next_copy++;
	return CKR_OK;
}

static CK_RV
destroy(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle)
{
	(void)session;
	/* Never the token's own. */
	assert_true(handle >= COPY);
	copies_live--;
	return CKR_OK;
}

static CK_FUNCTION_LIST p11 = {
	.C_FindObjectsInit = find_init,
	.C_FindObjects = find,
	.C_FindObjectsFinal = find_final,
	.C_GetAttributeValue = get,
	.C_CopyObject = copy,
	.C_DestroyObject = destroy,
};
static struct token token;
static struct keys *keys;

static int
start(void **state)
{
	(void)state;
	token = (struct token){ .p11 = &p11, .generation = 3, .up = true };
	n_present = KEYS;
	copies_live = copies_most = next_copy = searches = 0;
	copy_rv = CKR_OK;
	keys = keys_new(true, 0);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	keys_free(keys);
	return 0;
}

static void
finds_every_key_after_one_search(void **state)
{
	struct key_id id;

	(void)state;
	assert_int_equal(keys_load_all(keys, &token), REASON_OK);
	assert_int_equal(keys_count(keys), KEYS);
	for (CK_OBJECT_HANDLE i = 1; i <= KEYS; i++) {
		const struct key_entry *key;

		id_of(i, &id);
		key = keys_get(keys, &id);
		assert_non_null(key);
		assert_int_equal(key->handle, i);
		assert_int_equal(key->alg, KEY_ALG_EC_P256);
		assert_int_equal(key->generation, 3);
	}
	id_of(KEYS + 1, &id);
	assert_null(keys_get(keys, &id));
	assert_int_equal(searches, 1);
}

static void
forgets_a_key_that_is_gone_and_no_other(void **state)
{
	struct key_id id;

	(void)state;
	assert_int_equal(keys_load_all(keys, &token), REASON_OK);
	n_present = KEYS - 1;
	id_of(KEYS, &id);
	assert_int_equal(keys_load_one(keys, &token, &id), REASON_KEY_UNKNOWN);
	assert_null(keys_get(keys, &id));
	assert_int_equal(keys_count(keys), KEYS - 1);
	for (CK_OBJECT_HANDLE i = 1; i < KEYS; i++) {
		id_of(i, &id);
		assert_non_null(keys_get(keys, &id));
	}
	keys_clear(keys);
	assert_null(keys_get(keys, &id));
}

static void
keeps_no_more_copies_than_its_cap(void **state)
{
	struct key_id id;

	(void)state;
	assert_int_equal(keys_load_all(keys, &token), REASON_OK);
	for (CK_OBJECT_HANDLE i = 1; i <= KEYS; i++) {
		struct key_entry *key;
		CK_OBJECT_HANDLE first;

		id_of(i, &id);
		key = keys_get(keys, &id);
		first = keys_signing_handle(keys, &token, key);
		assert_true(first >= COPY);
		/* Made once. */
		assert_int_equal(keys_signing_handle(keys, &token, key), first);
	}
	assert_int_equal(copies_most, KEYS_COPIES_MAX);
	assert_int_equal(copies_live, KEYS_COPIES_MAX);
	assert_int_equal(next_copy, KEYS);
}

static void
keeps_the_copy_of_a_key_in_steady_use(void **state)
{
	CK_OBJECT_HANDLE kept;
	struct key_id hot, id;

	(void)state;
	assert_int_equal(keys_load_all(keys, &token), REASON_OK);
	id_of(KEYS / 2, &hot);
	kept = keys_signing_handle(keys, &token, keys_get(keys, &hot));
	for (CK_OBJECT_HANDLE i = 1; i <= KEYS; i++) {
		id_of(i, &id);
		(void)keys_signing_handle(keys, &token, keys_get(keys, &id));
		assert_int_equal(
		    keys_signing_handle(keys, &token, keys_get(keys, &hot)),
		    kept);
	}
}

static void
keeps_no_more_unwrapped_keys_than_its_cache(void **state)
{
	unsigned before, again = 0;
	struct key_id hot, id;

	(void)state;
	keys_free(keys);
	keys = keys_new(true, 500);
	n_present = 10;
	assert_int_equal(keys_load_all(keys, &token), REASON_OK);
	before = keys_count(keys);
	id_of(20, &hot);
	copies_live = 1;
	assert_int_equal(
	    keys_put_unwrapped(keys, &token, &hot, KEY_ALG_EC_P256, COPY + 20),
	    REASON_OK);
	for (CK_OBJECT_HANDLE i = 21; i <= KEYS; i++) {
		id_of(i, &id);
		copies_live++;
		assert_int_equal(keys_put_unwrapped(keys, &token, &id,
				     KEY_ALG_EC_P256, COPY + i),
		    REASON_OK);
		/* Signed with as it is. */
		assert_int_equal(
		    keys_signing_handle(keys, &token, keys_get(keys, &id)),
		    COPY + i);
		/* One in steady use stays, but for when the hand first goes
		 * round, and all look alike. */
		if (keys_get(keys, &hot) == NULL) {
			again++;
			copies_live++;
			assert_int_equal(keys_put_unwrapped(keys, &token, &hot,
					     KEY_ALG_EC_P256, COPY + 20),
			    REASON_OK);
		}
		(void)keys_signing_handle(keys, &token, keys_get(keys, &hot));
		assert_in_range(copies_live, 1, 500);
	}
	assert_int_equal(keys_count(keys), before + 500);
	assert_in_range(again, 0, 1);
	/* What the token keeps is not pushed out by what it does not. */
	for (CK_OBJECT_HANDLE i = 1; i <= 10; i++) {
		id_of(i, &id);
		assert_non_null(keys_get(keys, &id));
	}
}

static void
forgets_any_key_and_finds_all_others(void **state)
{
	struct key_id id;

	(void)state;
	assert_int_equal(keys_load_all(keys, &token), REASON_OK);
	for (CK_OBJECT_HANDLE i = 1; i <= KEYS; i += 3) {
		id_of(i, &id);
		assert_int_equal(keys_forget(keys, &token, &id), CKR_OK);
		assert_int_equal(keys_forget(keys, &token, &id), CKR_OK);
	}
	for (CK_OBJECT_HANDLE i = 1; i <= KEYS; i++) {
		const struct key_entry *key;

		id_of(i, &id);
		key = keys_get(keys, &id);
		if (i % 3 == 1)
			assert_null(key);
		else
			assert_int_equal(key->handle, i);
	}
}

static void
asks_for_a_refused_copy_once_but_again_after_a_passing_error(void **state)
{
	struct key_entry *key;
	struct key_id id;

	(void)state;
	assert_int_equal(keys_load_all(keys, &token), REASON_OK);
	id_of(1, &id);
	key = keys_get(keys, &id);
	copy_rv = CKR_DEVICE_ERROR;
	assert_int_equal(keys_signing_handle(keys, &token, key), 1);
	copy_rv = CKR_OK;
	assert_true(keys_signing_handle(keys, &token, key) >= COPY);

	id_of(2, &id);
	key = keys_get(keys, &id);
	copy_rv = CKR_ACTION_PROHIBITED;
	assert_int_equal(keys_signing_handle(keys, &token, key), 2);
	copy_rv = CKR_OK;
	assert_int_equal(keys_signing_handle(keys, &token, key), 2);
}

#define KEYS_TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		KEYS_TEST(finds_every_key_after_one_search),
		KEYS_TEST(forgets_a_key_that_is_gone_and_no_other),
		KEYS_TEST(keeps_no_more_copies_than_its_cap),
		KEYS_TEST(keeps_the_copy_of_a_key_in_steady_use),
		KEYS_TEST(keeps_no_more_unwrapped_keys_than_its_cache),
		KEYS_TEST(forgets_any_key_and_finds_all_others),
		KEYS_TEST(
		    asks_for_a_refused_copy_once_but_again_after_a_passing_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
