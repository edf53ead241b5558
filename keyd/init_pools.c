/* SPDX-License-Identifier: Apache-2.0 */

/*
 * keyd init, in the custody tokens: the ledger is begun with its key, each
 * token gets a key to wrap imports for, and that of a wrapped pool a key
 * encryption key.  Refuses to begin a second ledger where the journal of the
 * first is missing.
 */

#include <stdio.h>

#include "base/clock.h"
#include "keyd/custody.h"
#include "keyd/import_rotation.h"
#include "keyd/init_int.h"
#include "keyd/ledger_key.h"
#include "keyd/tokens.h"

#define TOKEN_WAIT_NS (INT64_C(60) * NS_PER_S) /* some take long for RSA */

/* ---- the ledger key ---- */

static struct status
complain_of_token(
    const struct config_pool *pool, struct hsm *hsm, struct status st)
{
	struct hsm_lane_status lane;

	hsm_lane_status(hsm, 0, &lane);
	fprintf(stderr, "keyd init: pool %s, token \"%s\": %s (%s)\n",
	    pool->name, pool->token, lane.why[0] != 0 ? lane.why : st.why,
	    lane.state);
	return st;
}

static struct status
token_ledger_key(struct init *init, struct hsm *hsm, struct hsm_key *ret_key)
{
	int64_t deadline_ns = clock_mono_ns() + TOKEN_WAIT_NS;
	const char *token = config_pool_at(init->config, 0)->token;
	struct status st =
	    hsm_find_label(hsm, CUSTODY_LEDGER_LABEL, deadline_ns, ret_key);

	if (!failed(st)) {
		init_say("ledger", "key is in token \"%s\"", token);
		return st;
	}
	if (st.code == STATUS_NOT_FOUND)
		st = hsm_generate(hsm, KEY_ALG_ED25519, CUSTODY_LEDGER_LABEL,
		    deadline_ns, ret_key);
	if (!failed(st))
		init_say("ledger", "key made in token \"%s\"", token);
	return st;
}

static struct status
print_ledger_key(const struct config *config, const struct hsm_key *key,
    char ret_vkey[ENTRY_LEDGER_KEY_MAX])
{
	char origin[NOTE_NAME_MAX];
	struct note_key verifier;
	struct status st =
	    ledger_key_origin(config->domain, config->name, origin);

	if (!failed(st))
		st = ledger_key_of(origin,
		    (struct bytes){ key->spki, key->spki_len }, &verifier);
	if (!failed(st))
		note_key_print(&verifier, ret_vkey);
	return st;
}

/* A ledger that was set aside stays what it is: the new one has a new key, and
 * the registry forgets the old ones first, so that a stop in between shows. */
static struct status
begin_new_ledger(struct init *init, struct hsm *hsm)
{
	struct registry_ledger_key first = { .number = 1,
		.since_s = clock_wall_s() };
	char path[PATH_MAX];
	struct hsm_key key;
	struct status st =
	    config_audit_path(init->config, "ledger/checkpoint", path);

	if (!failed(st) &&
	    (audit_entries(init->audit) > 0 || access(path, F_OK) == 0))
		st = status_fail(STATUS_FAILED_PRECONDITION,
		    "the audit folder is not empty: set it aside, whole, and "
		    "keep it");
	if (failed(st))
		return init_complain("new ledger", st);
	snprintf(first.label, sizeof(first.label),
	    CUSTODY_LEDGER_LABEL "-new-%lld", (long long)first.since_s);
	st = hsm_generate(hsm, KEY_ALG_ED25519, first.label,
	    clock_mono_ns() + TOKEN_WAIT_NS, &key);
	if (!failed(st))
		st = print_ledger_key(init->config, &key, first.verifier_key);
	if (failed(st))
		return init_complain("ledger key", st);
	first.id = key.id;
	st = registry_ledger_begin(init->registry, &first);
	if (failed(st))
		return init_complain("registry", st);
	st = init_record(
	    init, "begin a new ledger", &key.id, first.verifier_key);
	if (!failed(st))
		init_say("ledger", "begun anew with %s", first.verifier_key);
	return st;
}

/* The ledger's first entry names its first key; the registry does after it, so
 * a registry that names it shows that there was a journal. */
static struct status
begin_ledger(struct init *init, struct hsm *hsm)
{
	scoped(free) struct registry_ledger_key *keys = NULL;
	struct registry_ledger_key first = { .number = 1,
		.label = CUSTODY_LEDGER_LABEL };
	struct hsm_key key;
	size_t n = 0;
	struct status st = registry_ledger_keys(init->registry, &keys, &n);

	if (failed(st))
		return init_complain("registry", st);
	if (init->options->is_new_ledger)
		return begin_new_ledger(init, hsm);
	if (n > 0 && audit_entries(init->audit) == 0)
		return init_complain("journal",
		    status_fail(STATUS_DATA_LOSS,
			"it is empty though a ledger was begun: put the "
			"journal back where audit.directory says; if it is "
			"lost for good, --new-ledger begins another"));
	if (n > 0) {
		init_say("ledger", "begun with %s", keys[0].verifier_key);
		return st;
	}
	st = token_ledger_key(init, hsm, &key);
	if (!failed(st))
		st = print_ledger_key(init->config, &key, first.verifier_key);
	if (failed(st))
		return init_complain("ledger key", st);
	first.id = key.id;
	first.since_s = clock_wall_s();
	if (audit_entries(init->audit) == 0)
		st = init_record(
		    init, "begin the ledger", &key.id, first.verifier_key);
	if (failed(st))
		return st;
	st = registry_ledger_key_add(init->registry, &first);
	if (failed(st))
		return init_complain("registry", st);
	init_say("ledger", "begun with %s", first.verifier_key);
	return st;
}

/* ---- the pools' own keys ---- */

/* To wrap imports for, and to wrap the pool's keys with. */
static struct status
make_token_keys(struct init *init, size_t i, struct hsm *const *pools)
{
	const struct config *config = init->config;
	const struct config_pool *pool = config_pool_at(config, i);
	const char *name = pool->name;
	const struct import_rotation_config imports = {
		.registry = init->registry,
		.audit = init->audit,
		.pools = pools,
		.pool_names = &name,
		.n_pools = 1,
		.rotate_s = config->import.rotate_ns / NS_PER_S,
		.grace_s = config->import.grace_ns / NS_PER_S,
	};
	int64_t deadline_ns = clock_mono_ns() + TOKEN_WAIT_NS;
	struct hsm_wrapping wrapping;
	int64_t until_s = 0;
	struct status st = import_rotation_newest(
	    &imports, 0, "keyd init", deadline_ns, &wrapping, &until_s);

	if (failed(st))
		return init_complain("wrapping key", st);
	init_say("import", "wrapping key is in token \"%s\"", pool->token);
	if (pool->keys != CONFIG_STORE_WRAPPED)
		return st;
	st = hsm_kek(pools[0], deadline_ns);
	if (failed(st))
		return init_complain("key encryption key", st);
	init_say(
	    "wrapped", "key encryption key is in token \"%s\"", pool->token);
	return st;
}

static struct status
prepare_pool(struct init *init, size_t i)
{
	const struct config_pool *pool = config_pool_at(init->config, i);
	const struct tokens_use use = { .workers = 1 };
	struct hsm *hsm = NULL;
	struct status st = tokens_open_pool(init->config, i, &use, &hsm);

	if (failed(st))
		return init_complain(pool->name, st);
	st = hsm_wait_ready(hsm, TOKEN_WAIT_NS);
	if (failed(st))
		(void)complain_of_token(pool, hsm, st);
	else if (i == 0)
		st = begin_ledger(init, hsm);
	if (!failed(st))
		st = make_token_keys(init, i, &hsm);
	hsm_close(hsm);
	return st;
}

STATUS
init_pools(struct init *init)
{
	struct status st = status_ok();

	for (size_t i = 0; !failed(st) && i < init->config->pools.len; i++)
		st = prepare_pool(init, i);
	return st;
}
