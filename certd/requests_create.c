/* SPDX-License-Identifier: Apache-2.0 */

/*
 * CertificateRequests.Create: names are checked first, then a key is made in
 * the token, signs its own request, and both are kept.  A key that was made and
 * could not be kept is doomed.  Refused: what is no host name, and more of them
 * than a certificate may have.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "certd/key_birth.h"
#include "certd/known_names.h"
#include "certd/requests_int.h"
#include "certd/store_accounts.h"
#include "certd/store_keys.h"
#include "certd/text.h"
#include "pki/csr.h"
#include "proto/message.h"

typedef Holdfast__Certd__V1__CreateCertificateRequestRequest create_request;

struct creating {
	const struct certificates_config *config;
	struct api_call *call;
	const struct network *network;
	enum key_alg alg;
	char names[CSR_NAMES_MAX][HOSTNAME_MAX];
	const char *list[CSR_NAMES_MAX];
	size_t n;
	struct store_account account;
	struct custody_key key;
	struct store_request request;
};

static struct status
keyd_says(struct creating *creating, struct status st, const char *why)
{
	return api_explain(
	    creating->call, st, "%s", why[0] != 0 ? why : st.why);
}

/* ---- what was asked ---- */

/* Each once, in the order in which they were named. */
static void
add_name(struct creating *creating, const char name[HOSTNAME_MAX])
{
	for (size_t i = 0; i < creating->n; i++)
		if (strcmp(creating->names[i], name) == 0)
			return;
	memcpy(creating->names[creating->n], name, HOSTNAME_MAX);
	creating->list[creating->n] = creating->names[creating->n];
	creating->n++;
}

static struct status
take_names(struct creating *creating, const create_request *asked)
{
	char name[HOSTNAME_MAX], why[HOSTNAME_WHY_MAX] = "";

	if (asked->n_hostnames == 0 || asked->n_hostnames > CSR_NAMES_MAX)
		return api_explain(creating->call,
		    status_fail(
			STATUS_INVALID_ARGUMENT, "the number of names is bad"),
		    "name 1 to %d host names; there are %zu", CSR_NAMES_MAX,
		    asked->n_hostnames);
	for (size_t i = 0; i < asked->n_hostnames; i++) {
		struct status st =
		    hostname_normalize(asked->hostnames[i], name, why);

		if (failed(st))
			return api_explain(creating->call, st, "%s", why);
		add_name(creating, name);
	}
	return status_ok();
}

static struct status
take_algorithm(struct creating *creating, const create_request *asked)
{
	/* The numbers are those of the .proto. */
	creating->alg = asked->algorithm == 0 ? KEY_ALG_EC_P256
					      : (enum key_alg)asked->algorithm;
	if (key_alg_name(creating->alg) != NULL)
		return status_ok();
	return status_fail(
	    STATUS_INVALID_ARGUMENT, "there is no such algorithm of keys");
}

static struct status
take_request(struct creating *creating, const create_request *asked)
{
	struct status st = text_check_line(
	    creating->call, "name", asked->name, 0, CERTIFICATE_NAME_MAX - 1);

	if (!failed(st))
		st = take_names(creating, asked);
	if (!failed(st))
		st = take_algorithm(creating, asked);
	if (failed(st))
		return st;
	creating->network =
	    networks_find(creating->config->networks, asked->network);
	if (creating->network == NULL)
		return known_names_refuse_network(
		    creating->call, creating->config->networks, asked->network);
	(void)!snprintf(creating->request.name, sizeof(creating->request.name),
	    "%s", asked->name[0] != 0 ? asked->name : creating->names[0]);
	return st;
}

static struct status
take_account(struct creating *creating, const char *name)
{
	struct db_tx *tx;
	int64_t account = 0;
	struct status st = store_read(creating->config->store, &tx);

	if (failed(st))
		return st;
	st = caller_account(creating->call->caller, tx, name, &account);
	if (!failed(st))
		st = store_accounts_get(tx, account, &creating->account);
	db_end(tx);
	return st;
}

/* ---- the key and its request ---- */

static struct status
make_key(struct creating *creating)
{
	char label[CUSTODY_LABEL_MAX], why[CUSTODY_WHY_MAX] = "";
	char for_whom[KEY_BIRTH_WHOM_MAX];
	struct status st = key_birth_begin(
	    creating->config->store, creating->account.id, label);

	if (failed(st))
		return st;
	key_birth_for_whom(
	    creating->account.name, creating->call->caller->actor, for_whom);
	st = custody_generate(creating->config->custody, creating->alg, label,
	    creating->network->pool, for_whom, &creating->key, why);
	if (!failed(st))
		return st;
	key_birth_failed(creating->config->store, label, st);
	return keyd_says(creating, st, why);
}

static struct status
make_csr(struct creating *creating)
{
	const struct custody_key *key = &creating->key;
	scoped(csr_free) struct csr *csr = NULL;
	char why[CSR_WHY_MAX] = "", sign_why[CUSTODY_WHY_MAX] = "";
	struct signature signature;
	struct status st = csr_new((struct bytes){ key->spki, key->spki_len },
	    creating->list, creating->n, &csr, why);

	if (failed(st))
		return api_explain(creating->call, st, "%s", why);
	st = custody_sign_csr(creating->config->custody, &key->id, key->alg,
	    csr_info(csr), &signature, sign_why);
	if (failed(st))
		return keyd_says(creating, st, sign_why);
	st = csr_sign(csr, (struct bytes){ signature.at, signature.len });
	if (!failed(st))
		st = csr_pem(csr, &creating->request.csr);
	return st;
}

/* ---- rows ---- */

/* Names with blanks between them; malloc'd. */
static char *
join(const struct creating *creating)
{
	size_t len = 1;
	char *text, *at;

	for (size_t i = 0; i < creating->n; i++)
		len += strlen(creating->names[i]) + 1;
	text = at = malloc(len);
	for (size_t i = 0; text != NULL && i < creating->n; i++)
		at += snprintf(at, len - (size_t)(at - text), "%s%s",
		    i == 0 ? "" : " ", creating->names[i]);
	return text;
}

static void
print_key(const struct creating *creating, struct store_key *ret_key)
{
	const struct custody_key *from = &creating->key;

	memset(ret_key, 0, sizeof(*ret_key));
	ret_key->id = from->id;
	ret_key->account = creating->account.id;
	ret_key->alg = from->alg;
	ret_key->origin = from->origin;
	ret_key->spki_len = from->spki_len;
	memcpy(ret_key->spki, from->spki, from->spki_len);
	memcpy(ret_key->label, from->label, sizeof(ret_key->label));
	memcpy(ret_key->pool, from->pool, sizeof(ret_key->pool));
	(void)!snprintf(ret_key->network, sizeof(ret_key->network), "%s",
	    creating->network->name);
}

static struct status
insert(struct creating *creating, struct db_tx *tx, int64_t *ret_id)
{
	const struct caller *caller = creating->call->caller;
	struct store_key key;
	char object[64];
	struct status st;

	print_key(creating, &key);
	st = store_keys_insert(tx, &key, caller->actor);
	if (!failed(st))
		st = store_requests_insert(tx, &creating->request, ret_id);
	if (failed(st))
		return st;
	(void)!snprintf(object, sizeof(object), "request %" PRId64, *ret_id);
	return store_event(tx, creating->account.id, caller->actor,
	    "request made", object, creating->request.name);
}

/* And read it again, as it is from now on. */
static struct status
keep(struct creating *creating, ProtobufCMessage **ret_reply)
{
	scoped(store_request_done) struct store_request found = { 0 };
	struct store_request *request = &creating->request;
	int64_t id = 0;
	struct db_tx *tx;
	struct status st;

	request->account = creating->account.id;
	request->key = creating->key.id;
	(void)!snprintf(request->created_by, sizeof(request->created_by), "%s",
	    creating->call->caller->actor);
	request->hostnames = join(creating);
	if (request->hostnames == NULL)
		return message_no_memory();
	st = store_write(creating->config->store, &tx);
	if (failed(st))
		return st;
	st = insert(creating, tx, &id);
	if (!failed(st))
		st = store_requests_find(tx, id, &found);
	st = store_commit(creating->config->store, tx, st);
	return failed(st) ? st : requests_view(&found, ret_reply);
}

static struct status
create(struct creating *creating, const create_request *asked,
    ProtobufCMessage **ret_reply)
{
	struct status st = take_request(creating, asked);

	if (!failed(st))
		st = take_account(creating, asked->account);
	if (!failed(st))
		st = make_key(creating);
	if (failed(st))
		return st;
	st = make_csr(creating);
	if (!failed(st))
		st = keep(creating, ret_reply);
	/* Nothing happens to a key that has its row. */
	if (failed(st))
		key_birth_abandon(creating->config->store, creating->key.label,
		    &creating->key.id);
	return st;
}

struct status
requests_create(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	const struct requests *requests = ctx;
	struct creating *creating = calloc(1, sizeof(*creating));
	struct status st;

	if (creating == NULL)
		return message_no_memory();
	creating->config = &requests->certificates->config;
	creating->call = call;
	st = create(creating, (const create_request *)request, ret_reply);
	store_request_done(&creating->request);
	free(creating);
	return st;
}
