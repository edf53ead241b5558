/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys of ACME accounts.  They are no tenant's: their intents are account 0's,
 * the operator's own, and once an account's row names them nothing else does.
 * A crash between keyd's answer and that row leaves an intent, and the janitor
 * has the key destroyed (certd/key_janitor.h): no CA has seen it yet.
 */

#include "certd/authority_int.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "certd/key_birth.h"
#include "certd/store_keys.h"

#define OPERATORS_OWN 0
#define NAME_MOST 30 /* of a CA's name in a label */
#define RANDOM_LEN 8

struct status
authority_key_trouble(
    struct acme_problem *ret_problem, struct status st, const char *why)
{
	*ret_problem = (struct acme_problem){ .type = ACME_PROBLEM_SIGNER,
		.is_temporary = st.code == STATUS_UNAVAILABLE ||
				st.code == STATUS_DEADLINE_EXCEEDED ||
				st.code == STATUS_ABORTED ||
				st.code == STATUS_RESOURCE_EXHAUSTED,
		.retry_after_ms = -1 };
	(void)!snprintf(ret_problem->why, sizeof(ret_problem->why), "%s",
	    why[0] != 0 ? why : st.why);
	return st;
}

/* ---- signing ---- */

static struct status
sign(void *ctx, struct bytes input, struct signature *ret_signature,
    char *ret_why)
{
	const struct authority_key *key = ctx;

	_Static_assert(ACME_SIGN_WHY_MAX >= CUSTODY_WHY_MAX,
	    "keyd's sentence fits where acme wants it");
	return custody_sign_jws(key->custody, &key->is.id, key->is.alg, input,
	    ret_signature, ret_why);
}

struct acme_signer
authority_key_signer(struct authority_key *key)
{
	return (struct acme_signer){ .alg = key->is.alg,
		.spki = { key->is.spki, key->is.spki_len },
		.sign = sign,
		.ctx = key };
}

/* ---- birth ---- */

static struct status
intend(struct authority *a, char ret_label[CUSTODY_LABEL_MAX])
{
	char label[CUSTODY_LABEL_MAX], hex[2 * RANDOM_LEN + 1];
	uint8_t random[RANDOM_LEN];
	struct db_tx *tx;
	struct status st;

	if (RAND_bytes(random, sizeof(random)) != 1)
		return status_fail(
		    STATUS_INTERNAL, "the random generator failed");
	bytes_to_hex((struct bytes){ random, RANDOM_LEN }, hex);
	(void)!snprintf(label, sizeof(label), "certd-acme-%.*s-%s", NAME_MOST,
	    a->is->name, hex);
	st = store_write(a->all->store, &tx);
	if (!failed(st))
		st = store_commit(a->all->store, tx,
		    store_keys_intend(tx, label, OPERATORS_OWN));
	if (!failed(st))
		memcpy(ret_label, label, sizeof(label));
	return st;
}

STATUS
authority_key_birth(struct authority *a, struct authority_key *ret_key,
    char ret_label[CUSTODY_LABEL_MAX], struct acme_problem *ret_problem)
{
	const struct network *network =
	    networks_find(&a->all->config->all_networks, NULL);
	struct authority_key key = { .custody = a->all->custody };
	char label[CUSTODY_LABEL_MAX], whom[KEY_BIRTH_WHOM_MAX];
	char why[CUSTODY_WHY_MAX] = "";
	struct status st;

	if (network == NULL)
		return authority_key_trouble(ret_problem,
		    status_fail(STATUS_FAILED_PRECONDITION,
			"keys of ACME accounts are kept in the network "
			"'standard', which certd.yaml does not have"),
		    "");
	st = intend(a, label);
	if (failed(st))
		return authority_key_trouble(ret_problem, st, "");
	(void)!snprintf(
	    whom, sizeof(whom), "certd, account at %s", a->is->name);
	st = custody_generate_account(
	    key.custody, label, network->pool, whom, &key.is, why);
	if (failed(st)) {
		key_birth_failed(a->all->store, label, st);
		return authority_key_trouble(ret_problem, st, why);
	}
	*ret_key = key;
	memcpy(ret_label, label, sizeof(label));
	return st;
}

STATUS
authority_key_keep(struct db_tx *tx, const char *label)
{
	bool is_ours = false;
	struct status st = store_keys_claim(tx, label, OPERATORS_OWN, &is_ours);

	if (!failed(st) && !is_ours)
		st = status_fail(STATUS_ABORTED,
		    "the new key was so long in coming that it was given up");
	return failed(st) ? st : store_keys_forget(tx, label);
}

STATUS
authority_key_find(struct authority *a, const struct key_id *id,
    struct authority_key *ret_key, struct acme_problem *ret_problem)
{
	struct authority_key key = { .custody = a->all->custody };
	char why[CUSTODY_WHY_MAX] = "";
	struct status st = custody_find(key.custody, id, &key.is, why);

	if (failed(st))
		return authority_key_trouble(ret_problem, st, why);
	*ret_key = key;
	return st;
}
