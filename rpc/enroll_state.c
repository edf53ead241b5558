/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A member's state folder as a whole: identity.pem with key and certificate,
 * member.yaml with all else.  What is loaded has been checked to belong
 * together and to be good now; each refusal says how to get a new identity.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "rpc/enroll_int.h"
#include "rpc/member_key.h"

#define IDENTITY_PEM "identity.pem"
#define MEMBER_YAML "member.yaml"
#define STATE_PATH_MAX 1024

struct status
enroll_explain(char *ret_why, struct status st, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_why, RPC_WHY_MAX, format, args);
	va_end(args);
	return st;
}

struct status
enroll_out_of_memory(char *ret_why)
{
	return enroll_explain(ret_why,
	    status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory"),
	    "out of memory or entropy");
}

void
enroll_print_invite(const struct spiffe *id, char ret_text[ENROLL_INVITE_MAX])
{
	if (id->role == ROLE_EDGE)
		snprintf(ret_text, ENROLL_INVITE_MAX, "holdfast edge invite %s",
		    id->name);
	else
		snprintf(ret_text, ENROLL_INVITE_MAX,
		    "holdfast edge invite %s --role %s", id->name,
		    role_name(id->role));
}

static bool
state_path(char path[STATE_PATH_MAX], const char *dir, const char *name)
{
	int len = snprintf(path, STATE_PATH_MAX, "%s/%s", dir, name);

	return len > 0 && len < STATE_PATH_MAX;
}

struct status
enroll_store_identity(
    const char *state_dir, EVP_PKEY *key, X509 *cert, char *ret_why)
{
	scoped(member_text_free) char *key_pem = member_key_print(key);
	scoped(free) char *cert_pem = member_cert_print(cert);
	scoped(member_text_free) char *text = NULL;
	struct status st;
	size_t max;

	if (key_pem == NULL || cert_pem == NULL)
		return enroll_out_of_memory(ret_why);
	max = strlen(key_pem) + strlen(cert_pem) + 1;
	text = malloc(max);
	if (text == NULL)
		return enroll_out_of_memory(ret_why);
	snprintf(text, max, "%s%s", key_pem, cert_pem);
	st = member_file_replace(state_dir, IDENTITY_PEM, text, max - 1);
	if (failed(st))
		return enroll_explain(
		    ret_why, st, "%.96s: %s", state_dir, st.why);
	return st;
}

struct status
enroll_store_member(
    const char *state_dir, const struct member_file *join, char *ret_why)
{
	struct enroll_join state = { .ca_pem = join->ca,
		.endpoints = (const char *const *)join->endpoints.at,
		.n_endpoints = join->endpoints.len };
	scoped(free) char *text = NULL;
	struct status st;

	snprintf(state.identity, sizeof(state.identity), "%s", join->identity);
	snprintf(state.domain, sizeof(state.domain), "%s", join->id.domain);
	st = member_file_print(MEMBER_FILE_STATE, &state, &text);
	if (!failed(st))
		st = member_file_replace(
		    state_dir, MEMBER_YAML, text, strlen(text));
	if (failed(st))
		return enroll_explain(
		    ret_why, st, "%.96s: %s", state_dir, st.why);
	return st;
}

void
enroll_identity_free(struct enroll_identity *identity)
{
	if (identity == NULL)
		return;
	free(identity->cert_pem);
	member_text_free(identity->key_pem);
	free(identity->ca_pem);
	for (size_t i = 0; i < identity->n_endpoints; i++)
		free(identity->endpoints[i]);
	free(identity->endpoints);
	free(identity);
}

static struct status
load_member(const char *state_dir, struct member_file *ret_file, char *ret_why)
{
	char path[STATE_PATH_MAX], error[CONF_ERROR_MAX];
	scoped(free) char *text = NULL;
	struct status st;
	size_t len;

	if (!state_path(path, state_dir, MEMBER_YAML))
		return enroll_explain(ret_why,
		    status_fail(STATUS_INVALID_ARGUMENT, "path too long"),
		    "the state folder's path is too long");
	st = member_file_read(path, &text, &len);
	if (failed(st))
		return enroll_explain(ret_why, st, "%.96s: %s", path, st.why);
	st = member_file_parse(
	    MEMBER_FILE_STATE, path, text, len, ret_file, error);
	if (failed(st))
		return enroll_explain(ret_why, st, "%.250s", error);
	return st;
}

/* identity.pem into identity, whose CA and name are there already. */
static struct status
load_pem(const char *state_dir, struct enroll_identity *identity, char *ret_why)
{
	scoped(EVP_PKEY_free) EVP_PKEY *key = NULL;
	scoped(X509_free) X509 *cert = NULL;
	scoped(member_text_free) char *text = NULL;
	char path[STATE_PATH_MAX];
	struct status st;
	size_t len;

	if (!state_path(path, state_dir, IDENTITY_PEM))
		return enroll_out_of_memory(ret_why);
	st = member_file_read(path, &text, &len);
	if (failed(st))
		return enroll_explain(ret_why, st, "%.96s: %s", path, st.why);
	key = member_key_parse(text);
	cert = member_cert_parse(text);
	if (key == NULL || cert == NULL ||
	    !member_cert_times(
		cert, &identity->not_before_s, &identity->not_after_s))
		return enroll_explain(ret_why,
		    status_fail(STATUS_DATA_LOSS, "identity.pem is damaged"),
		    "%.96s is damaged: remove the state folder and join anew",
		    path);
	if (identity->not_after_s <= clock_wall_s()) {
		char invite[ENROLL_INVITE_MAX];
		struct spiffe id = { 0 };

		(void)spiffe_parse(identity->identity, &id).code;
		enroll_print_invite(&id, invite);
		return enroll_explain(ret_why,
		    status_fail(STATUS_FAILED_PRECONDITION,
			"the certificate of this identity has expired"),
		    "the certificate has expired, and only a valid one can be "
		    "renewed; join again with a new invitation: %s",
		    invite);
	}
	st = member_cert_check(cert, identity->ca_pem, key, identity->identity);
	if (failed(st))
		return enroll_explain(
		    ret_why, st, "the certificate in %.96s %s", path, st.why);
	identity->key_pem = member_key_print(key);
	identity->cert_pem = member_cert_print(cert);
	if (identity->key_pem == NULL || identity->cert_pem == NULL)
		return enroll_out_of_memory(ret_why);
	return st;
}

/* No file there is no fault, but where every member starts. */
static struct status
explain_missing(struct status st, const char *state_dir, char *ret_why)
{
	if (st.code != STATUS_NOT_FOUND)
		return st;
	return enroll_explain(ret_why,
	    status_fail(STATUS_NOT_FOUND, "nothing has joined here"),
	    "%.96s has no identity yet; join with an invitation: "
	    "edged join FILE, certd join FILE, or for people: "
	    "holdfast join FILE",
	    state_dir);
}

struct status
enroll_load(
    const char *state_dir, struct enroll_identity **ret_identity, char *ret_why)
{
	scoped(enroll_identity_free) struct enroll_identity *identity = NULL;
	struct member_file file = { 0 };
	struct status st;

	st = load_member(state_dir, &file, ret_why);
	if (failed(st))
		return explain_missing(st, state_dir, ret_why);
	identity = calloc(1, sizeof(*identity));
	if (identity != NULL) {
		snprintf(identity->identity, sizeof(identity->identity), "%s",
		    file.identity);
		snprintf(identity->domain, sizeof(identity->domain), "%s",
		    file.id.domain);
		snprintf(identity->server_name, sizeof(identity->server_name),
		    "keyd.%s", file.id.domain);
		snprintf(identity->certd_name, sizeof(identity->certd_name),
		    "certd.%s", file.id.domain);
		identity->ca_pem = strdup(file.ca);
		/* Taken over: the file is let go without them. */
		identity->endpoints = file.endpoints.at;
		identity->n_endpoints = file.endpoints.len;
		file.endpoints = (struct conf_strings){ 0 };
	}
	member_file_done(MEMBER_FILE_STATE, &file);
	if (identity == NULL || identity->ca_pem == NULL)
		return enroll_out_of_memory(ret_why);
	st = load_pem(state_dir, identity, ret_why);
	if (failed(st))
		return explain_missing(st, state_dir, ret_why);
	*ret_identity = identity;
	identity = NULL;
	return st;
}

bool
enroll_renew_due(const struct enroll_identity *identity, int64_t now_s)
{
	return now_s >=
	       identity->not_before_s +
		   (identity->not_after_s - identity->not_before_s) / 2;
}

static struct rpc_client_config
client_config(const struct enroll_identity *identity, const char *target,
    const char *server_name)
{
	return (struct rpc_client_config){ .target = target,
		.ca_pem = identity->ca_pem,
		.cert_pem = identity->cert_pem,
		.key_pem = identity->key_pem,
		.server_name = server_name };
}

struct rpc_client_config
enroll_client_config(const struct enroll_identity *identity, size_t endpoint)
{
	return client_config(
	    identity, identity->endpoints[endpoint], identity->server_name);
}

struct rpc_client_config
enroll_certd_config(const struct enroll_identity *identity, const char *target)
{
	return client_config(identity, target, identity->certd_name);
}
