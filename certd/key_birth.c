/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Labels and intents of keys that are coming; see key_birth.h.  What cannot be
 * written when something went wrong stays an intent, which is what an intent is
 * for: the janitor asks keyd what became of it.
 */

#include "certd/key_birth.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "certd/store_accounts.h"
#include "certd/store_keys.h"

#define RANDOM_LEN 8

void
key_birth_for_whom(
    const char *account, const char *actor, char ret_text[KEY_BIRTH_WHOM_MAX])
{
	(void)!snprintf(
	    ret_text, KEY_BIRTH_WHOM_MAX, "account %s, %s", account, actor);
}

/* What all labels of an account begin with. */
static size_t
print_prefix(
    int64_t account, int64_t created_s, char ret_text[CUSTODY_LABEL_MAX])
{
	return (size_t)snprintf(ret_text, CUSTODY_LABEL_MAX, "c-%lld-%llx-",
	    (long long)account, (unsigned long long)created_s);
}

bool
key_birth_is_of(int64_t account, int64_t created_s, const char *label)
{
	char prefix[CUSTODY_LABEL_MAX];
	size_t len = print_prefix(account, created_s, prefix);

	return strncmp(label, prefix, len) == 0;
}

static struct status
intend(struct db_tx *tx, int64_t account, struct bytes random,
    char ret_label[CUSTODY_LABEL_MAX])
{
	struct store_account of;
	struct status st = store_accounts_get(tx, account, &of);

	if (failed(st))
		return st;
	bytes_to_hex(
	    random, ret_label + print_prefix(account, of.created_s, ret_label));
	return store_keys_intend(tx, ret_label, account);
}

STATUS
key_birth_intend(
    struct db_tx *tx, int64_t account, char ret_label[CUSTODY_LABEL_MAX])
{
	uint8_t random[RANDOM_LEN];

	if (RAND_bytes(random, sizeof(random)) != 1)
		return status_fail(
		    STATUS_INTERNAL, "the random generator failed");
	return intend(
	    tx, account, (struct bytes){ random, RANDOM_LEN }, ret_label);
}

STATUS
key_birth_renew(struct db_tx *tx, int64_t account, const char *label)
{
	bool claimed = false;
	struct status st = store_keys_claim(tx, label, account, &claimed);

	return failed(st) || claimed ? st
				     : store_keys_intend(tx, label, account);
}

STATUS
key_birth_begin(
    struct store *store, int64_t account, char ret_label[CUSTODY_LABEL_MAX])
{
	char label[CUSTODY_LABEL_MAX];
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (failed(st))
		return st;
	st = store_commit(store, tx, key_birth_intend(tx, account, label));
	if (!failed(st))
		memcpy(ret_label, label, sizeof(label));
	return st;
}

/* May it have been done nevertheless? */
static bool
is_uncertain(enum status_code code)
{
	return code == STATUS_UNAVAILABLE || code == STATUS_DEADLINE_EXCEEDED ||
	       code == STATUS_CANCELLED || code == STATUS_UNKNOWN ||
	       code == STATUS_INTERNAL || code == STATUS_ABORTED ||
	       code == STATUS_DATA_LOSS;
}

static void
tell(struct status st, const char *label)
{
	if (failed(st))
		log_warn("a key that came for nothing is left to the janitor",
		    LOG_STR("label", label), LOG_STATUS(st));
}

void
key_birth_failed(struct store *store, const char *label, struct status st)
{
	struct db_tx *tx;

	if (is_uncertain(st.code))
		return;
	st = store_write(store, &tx);
	if (!failed(st))
		st = store_commit(store, tx, store_keys_forget(tx, label));
	tell(st, label);
}

void
key_birth_abandon(
    struct store *store, const char *label, const struct key_id *id)
{
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (!failed(st))
		st = store_commit(store, tx, store_keys_abandon(tx, label, id));
	tell(st, label);
}
