/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How a member comes to its identity and keeps it (rpc/enroll.h): join trades
 * the one-time secret, renew trades the certificate for a fresh one, load gives
 * what the state folder holds (enroll_state.c).  The private key is made here,
 * is certified by its public half, and is written nowhere but to identity.pem.
 * Nothing that keyd answers is stored before it is checked: right key, right
 * name, right CA.
 */

#include "rpc/enroll.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/secret.h"
#include "proto/holdfast/keyd/v1/identity.pb-c.h"
#include "rpc/enroll_int.h"
#include "rpc/member_file.h"
#include "rpc/member_key.h"

#define ENROLL_TIMEOUT_MS 15000

typedef Holdfast__Keyd__V1__Certificate certificate_msg;

struct endpoints {
	char *const *at;
	size_t n;
};

static void
certificate_free(certificate_msg *msg)
{
	holdfast__keyd__v1__certificate__free_unpacked(msg, NULL);
}

SCOPED_RELEASE(certificate_free, certificate_msg *);

struct status
enroll_write_join(const char *path, const struct enroll_join *join)
{
	scoped(member_text_free) char *text = NULL;
	struct status st = member_file_print(MEMBER_FILE_JOIN, join, &text);

	return failed(st) ? st : member_file_create(path, text, strlen(text));
}

static struct status
read_join(const char *path, struct member_file *ret_join, char *ret_why)
{
	scoped(member_text_free) char *text = NULL;
	char error[CONF_ERROR_MAX], invite[ENROLL_INVITE_MAX];
	struct member_file join;
	struct status st;
	size_t len;

	st = member_file_read(path, &text, &len);
	if (failed(st))
		return enroll_explain(ret_why, st, "%.96s: %s", path, st.why);
	st = member_file_parse(MEMBER_FILE_JOIN, path, text, len, &join, error);
	if (failed(st))
		return enroll_explain(ret_why, st,
		    "%.170s; is it a whole join file? Else ask for a new "
		    "invitation: holdfast edge invite NAME",
		    error);
	if ((int64_t)join.expires_s <= clock_wall_s()) {
		enroll_print_invite(&join.id, invite);
		member_file_done(MEMBER_FILE_JOIN, &join);
		return enroll_explain(ret_why,
		    status_fail(STATUS_FAILED_PRECONDITION,
			"the join file has expired"),
		    "the join file has expired; ask for a new invitation: %s",
		    invite);
	}
	*ret_join = join;
	return status_ok();
}

/* keyd's answer as a certificate, if it is what was asked for. */
static struct status
accept_certificate(const certificate_msg *msg, const char *ca_pem,
    EVP_PKEY *key, const char *identity, X509 **ret_cert, char *ret_why)
{
	scoped(X509_free) X509 *cert = member_cert_parse(msg->certificate);
	struct status st;

	if (cert == NULL)
		return enroll_explain(ret_why,
		    status_fail(STATUS_DATA_LOSS, "no certificate came back"),
		    "keyd's answer holds no certificate");
	st = member_cert_check(cert, ca_pem, key, identity);
	if (failed(st))
		return enroll_explain(
		    ret_why, st, "keyd's certificate %s", st.why);
	*ret_cert = cert;
	cert = NULL;
	return st;
}

/* One call at the first endpoint that can be reached. */
static struct status
call_any(struct rpc_client_config config, struct endpoints endpoints,
    const ProtobufCServiceDescriptor *service, const char *method,
    const ProtobufCMessage *request, unsigned timeout_ms,
    certificate_msg **ret_msg, char *ret_why)
{
	struct status st = status_fail(STATUS_UNAVAILABLE, "no endpoints");

	for (size_t i = 0; i < endpoints.n; i++) {
		scoped(rpc_client_free) struct rpc_client *client = NULL;
		ProtobufCMessage *reply = NULL;
		char why[RPC_WHY_MAX] = "";

		config.target = endpoints.at[i];
		st = rpc_client_new(&config, &client);
		if (!failed(st))
			st = rpc_client_call(client, service, method, request,
			    timeout_ms, &reply, why);
		if (!failed(st)) {
			*ret_msg = (certificate_msg *)(void *)reply;
			return st;
		}
		enroll_explain(ret_why, st, "keyd at %.80s: %.150s",
		    endpoints.at[i], why[0] != '\0' ? why : st.why);
		/* Others might say yes only where this one could not say. */
		if (st.code != STATUS_UNAVAILABLE &&
		    st.code != STATUS_DEADLINE_EXCEEDED)
			break;
	}
	return st;
}

static struct status
enroll(const struct member_file *join, EVP_PKEY *key, X509 **ret_cert,
    char *ret_why)
{
	Holdfast__Keyd__V1__EnrollRequest request = {
		.base = PROTOBUF_C_MESSAGE_INIT(
		    &holdfast__keyd__v1__enroll_request__descriptor)
	};
	scoped(secret_free) struct secret *secret = secret_new(JOIN_SECRET_LEN);
	scoped(certificate_free) certificate_msg *msg = NULL;
	char server_name[SPIFFE_DOMAIN_MAX + 8], invite[ENROLL_INVITE_MAX];
	uint8_t csr[MEMBER_CSR_MAX];
	struct status st;

	if (secret == NULL || !member_key_csr(key, csr, &request.csr.len) ||
	    !bytes_from_hex(join->secret, JOIN_SECRET_LEN, secret_at(secret)))
		return enroll_out_of_memory(ret_why);
	request.csr.data = csr;
	request.secret.data = secret_at(secret);
	request.secret.len = JOIN_SECRET_LEN;
	snprintf(server_name, sizeof(server_name), "keyd.%s", join->id.domain);
	st = call_any((struct rpc_client_config){ .ca_pem = join->ca,
			  .server_name = server_name },
	    (struct endpoints){
		join->enroll_endpoints.at, join->enroll_endpoints.len },
	    &holdfast__keyd__v1__enrollment__descriptor, "Enroll",
	    &request.base, ENROLL_TIMEOUT_MS, &msg, ret_why);
	if (st.code == STATUS_UNAUTHENTICATED) {
		enroll_print_invite(&join->id, invite);
		return enroll_explain(ret_why, st,
		    "keyd did not accept the invitation: it was used before, "
		    "or has expired; ask for a new one: %s",
		    invite);
	}
	if (failed(st))
		return st;
	return accept_certificate(
	    msg, join->ca, key, join->identity, ret_cert, ret_why);
}

/* Make the folder, 0700; refuse one that an identity still lives in. */
static struct status
prepare_state(const char *state_dir, char *ret_why)
{
	scoped(enroll_identity_free) struct enroll_identity *there = NULL;
	struct status loaded;
	struct stat st;

	if (mkdir(state_dir, 0700) != 0 && errno != EEXIST)
		return enroll_explain(ret_why,
		    status_fail_detail(STATUS_PERMISSION_DENIED,
			"the state folder cannot be made", (uint32_t)errno),
		    "%.96s cannot be made: %s", state_dir, strerror(errno));
	if (stat(state_dir, &st) != 0 || !S_ISDIR(st.st_mode) ||
	    (st.st_mode & 077) != 0)
		return enroll_explain(ret_why,
		    status_fail(STATUS_PERMISSION_DENIED,
			"the state folder is open to others"),
		    "%.96s must be a folder that its owner alone may enter: "
		    "chmod 700 it",
		    state_dir);
	loaded = enroll_load(state_dir, &there, ret_why);
	/* An expired identity is no use to anybody: it may be replaced. */
	if (loaded.code == STATUS_NOT_FOUND ||
	    loaded.code == STATUS_FAILED_PRECONDITION)
		return status_ok();
	if (failed(loaded))
		return loaded;
	return enroll_explain(ret_why,
	    status_fail(STATUS_FAILED_PRECONDITION,
		"the state folder has an identity already"),
	    "%.60s is %.120s already; to join anew, remove that folder",
	    state_dir, there->identity);
}

struct status
enroll_join(const char *join_path, const char *state_dir, char *ret_why)
{
	scoped(EVP_PKEY_free) EVP_PKEY *key = NULL;
	scoped(X509_free) X509 *cert = NULL;
	struct member_file join;
	struct status st;

	st = prepare_state(state_dir, ret_why);
	if (failed(st))
		return st;
	st = read_join(join_path, &join, ret_why);
	if (failed(st))
		return st;
	key = member_key_new();
	/* Before the secret is spent: what cannot be stored is not asked for.
	 */
	st = key == NULL ? enroll_out_of_memory(ret_why)
			 : enroll_store_member(state_dir, &join, ret_why);
	if (!failed(st))
		st = enroll(&join, key, &cert, ret_why);
	if (!failed(st))
		st = enroll_store_identity(state_dir, key, cert, ret_why);
	member_file_done(MEMBER_FILE_JOIN, &join);
	return st;
}

struct status
enroll_renew(const char *state_dir, const struct enroll_identity *identity,
    unsigned timeout_ms, char *ret_why)
{
	Holdfast__Keyd__V1__RenewRequest request = {
		.base = PROTOBUF_C_MESSAGE_INIT(
		    &holdfast__keyd__v1__renew_request__descriptor)
	};
	scoped(EVP_PKEY_free) EVP_PKEY *key = member_key_new();
	scoped(certificate_free) certificate_msg *msg = NULL;
	scoped(X509_free) X509 *cert = NULL;
	uint8_t csr[MEMBER_CSR_MAX];
	struct status st;

	if (key == NULL || !member_key_csr(key, csr, &request.csr.len))
		return enroll_out_of_memory(ret_why);
	request.csr.data = csr;
	st = call_any(enroll_client_config(identity, 0),
	    (struct endpoints){ identity->endpoints, identity->n_endpoints },
	    &holdfast__keyd__v1__identity__descriptor, "Renew", &request.base,
	    timeout_ms, &msg, ret_why);
	if (failed(st))
		return st;
	st = accept_certificate(
	    msg, identity->ca_pem, key, identity->identity, &cert, ret_why);
	if (failed(st))
		return st;
	return enroll_store_identity(state_dir, key, cert, ret_why);
}
