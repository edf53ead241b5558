/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The services Enrollment and Identity.  Who a new member is comes from its
 * invitation, who a renewing one is from its verified certificate; a request
 * brings nothing but a key.  Refused: every secret that is not good, with one
 * and the same answer; keys other than P-256; invitations for keyd itself, who
 * certifies its own key.  A certificate that cannot be recorded is not given
 * out, and an invitation whose certificate was not given out stays good.
 */

#include "keyd/authority.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "keyd/authority_int.h"
#include "keyd/authority_self.h"
#include "keyd/csr_key.h"
#include "proto/holdfast/keyd/v1/identity.pb-c.h"

#define SECRET_LEN 32
#define LIFETIME_DEFAULT_S 86400
#define WINDOW_NS (60 * NS_PER_S)
/*
 * How long a member's certificate may take, whatever the caller's deadline: a
 * deadline that passes stops the CA's worker, and that is not for callers to
 * bring about.
 */
#define CERTIFY_TIMEOUT_NS (15 * NS_PER_S)

/* ---- What all methods share ---- */

static struct status
record(struct authority *authority, const char *peer, const char *act,
    struct status outcome)
{
	const struct audit_entry entry = {
		.kind = AUDIT_CUSTODY,
		.peer = peer,
		.code = outcome.code,
		.why = outcome.why,
		.act = act,
		.stage = failed(outcome) ? ENTRY_FAILED : ENTRY_DONE,
	};

	return audit_record(authority->config.audit, &entry, 1);
}

/* May this identity have a certificate, or an invitation, now? */
static struct status
check_standing(const struct authority *authority, const struct spiffe *id)
{
	bool is_quarantined = true;
	struct status st;

	if (strcmp(id->domain, authority->domain) != 0)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "this identity is of another trust domain");
	if (id->role == ROLE_KEYD)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "keyd's identity is not given out: each keyd certifies its "
		    "own key");
	st = registry_is_quarantined(
	    authority->config.registry, id->role, id->name, &is_quarantined);
	if (failed(st))
		return st;
	if (is_quarantined)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "this identity is quarantined: an operator can let it in "
		    "again with 'holdfast edge release'");
	return st;
}

/* From CSR to reply: certify, remember, record, answer. */
static struct status
issue(struct authority *authority, const struct spiffe *id, const char *act,
    struct bytes csr, const struct rpc_call *call, struct rpc_reply *reply)
{
	const struct authority_config *config = &authority->config;
	Holdfast__Keyd__V1__Certificate msg = {
		.base = PROTOBUF_C_MESSAGE_INIT(
		    &holdfast__keyd__v1__certificate__descriptor)
	};
	char text[AUDIT_TEXT_MAX], identity[SPIFFE_ID_MAX];
	uint8_t spki[CSR_KEY_SPKI_MAX];
	scoped(free) char *pem = NULL;
	struct bytes key = { spki, 0 };
	struct hsm_cert cert;
	struct status st = check_standing(authority, id);

	if (!failed(st))
		st = spiffe_print(id, identity);
	if (!failed(st))
		st = csr_key_read(csr, spki, &key.len);
	if (!failed(st))
		st = hsm_ca_certify(config->ca, config->ca_cert, key, id,
		    config->lifetime_s, clock_mono_ns() + CERTIFY_TIMEOUT_NS,
		    &cert);
	if (!failed(st))
		st = registry_identity_put(config->registry, identity,
		    cert.serial, cert.not_after_s, clock_wall_s());
	if (failed(st))
		return st;
	pem = authority_cert_pem((struct bytes){ cert.der, cert.len });
	if (pem == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	snprintf(text, sizeof(text), "%s: serial %s, from %.64s", act,
	    cert.serial, call->peer->address);
	st = record(authority, identity, text, status_ok());
	if (failed(st))
		return st;
	msg.certificate = pem;
	msg.ca = authority->ca_pem;
	msg.not_after_s = cert.not_after_s;
	msg.identity = identity;
	rpc_reply_set(reply, &msg.base);
	return st;
}

/* ---- Enrollment.Enroll ---- */

/* Is this failure among the few a minute that are looked into? */
static bool
count_failure(struct authority *authority)
{
	const int64_t now_ns = clock_mono_ns();
	bool few;

	pthread_mutex_lock(&authority->mutex);
	if (now_ns - authority->window_ns >= WINDOW_NS) {
		authority->window_ns = now_ns;
		authority->failures = 0;
	}
	few = authority->failures < AUTHORITY_FAILURES_MAX;
	if (few)
		authority->failures++;
	pthread_mutex_unlock(&authority->mutex);
	return few;
}

/* Unknown, used and expired secrets get one answer. */
static struct status
refuse_secret(struct authority *authority, const struct rpc_call *call)
{
	const struct status refused = status_fail(
	    STATUS_UNAUTHENTICATED, "the join secret was not accepted");
	char text[AUDIT_TEXT_MAX];
	struct status st;

	/* Beyond the limit guessing fills neither journal nor disk; good
	 * secrets are let in all the same. */
	if (!count_failure(authority))
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "too many join secrets were refused: try again in a "
		    "minute");
	snprintf(text, sizeof(text), "enroll from %.64s", call->peer->address);
	st = record(authority, "", text, refused);
	return failed(st) ? st : refused;
}

static struct status
enroll(void *ctx, const struct rpc_call *call, const ProtobufCMessage *request,
    struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__EnrollRequest *ask = (const void *)request;
	struct authority *authority = ctx;
	struct registry *registry = authority->config.registry;
	struct spiffe id = { 0 };
	uint8_t hash[INVITE_HASH_LEN];
	struct status st, given_back;

	/* Secrets are found by their hash, so no comparison tells by its time
	 * how close a guess was. */
	SHA256(ask->secret.data, ask->secret.len, hash);
	if (ask->secret.len != SECRET_LEN)
		return refuse_secret(authority, call);
	st = registry_invite_take(
	    registry, hash, clock_wall_s(), &id.role, id.name);
	if (st.code == STATUS_NOT_FOUND)
		return refuse_secret(authority, call);
	if (failed(st))
		return st;
	memcpy(id.domain, authority->domain, sizeof(id.domain));
	st = issue(authority, &id, "enrolled",
	    (struct bytes){ ask->csr.data, ask->csr.len }, call, reply);
	if (!failed(st))
		return st;
	given_back = registry_invite_return(registry, hash);
	if (failed(given_back))
		log_warn("an invitation was lost", LOG_STR("name", id.name),
		    LOG_STATUS(given_back));
	return st;
}

/* ---- Identity.Renew ---- */

static struct status
renew(void *ctx, const struct rpc_call *call, const ProtobufCMessage *request,
    struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__RenewRequest *ask = (const void *)request;
	struct authority *authority = ctx;
	struct spiffe id;

	if (failed(spiffe_parse(call->peer->spiffe_id, &id)))
		return status_fail(STATUS_UNAUTHENTICATED,
		    "the certificate holds no SPIFFE ID that keyd can read");
	return issue(authority, &id, "renewed",
	    (struct bytes){ ask->csr.data, ask->csr.len }, call, reply);
}

/* ---- Identity.Invite ---- */

STATUS
authority_invite(struct registry *registry, const struct spiffe *id,
    const char *group, int64_t now_s, int64_t ttl_s, struct secret **ret_secret)
{
	struct registry_invite invite = {
		.role = id->role, .created_s = now_s, .expires_s = now_s + ttl_s
	};
	scoped(secret_free) struct secret *secret = NULL;
	uint8_t hash[INVITE_HASH_LEN];
	char text[SPIFFE_ID_MAX];
	struct status st;

	if (id->role == ROLE_NONE || id->role == ROLE_KEYD)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "the role must be operator, auditor, certd or edge");
	if (failed(spiffe_print(id, text)))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "the name must be 1 to 63 of A-Z a-z 0-9 . _ -");
	if (ttl_s < 1 || ttl_s > AUTHORITY_TTL_MAX_S)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "an invitation lasts 604,800 seconds (7 days) at most");
	st = secret_random(SECRET_LEN, &secret);
	if (failed(st))
		return st;
	SHA256(secret_at(secret), SECRET_LEN, hash);
	snprintf(invite.name, sizeof(invite.name), "%s", id->name);
	snprintf(invite.group, sizeof(invite.group), "%s", group);
	st = registry_invite_add(registry, hash, &invite);
	if (failed(st))
		return st;
	*ret_secret = secret;
	secret = NULL;
	return st;
}

static void
reply_invite(struct authority *authority, struct secret *secret,
    int64_t expires_s, struct rpc_reply *reply)
{
	const struct authority_config *config = &authority->config;
	Holdfast__Keyd__V1__InviteResponse msg = {
		.base = PROTOBUF_C_MESSAGE_INIT(
		    &holdfast__keyd__v1__invite_response__descriptor)
	};
	char *endpoints[16], *enroll_endpoints[16];

	for (; msg.n_endpoints < config->n_endpoints && msg.n_endpoints < 16;
	     msg.n_endpoints++)
		memcpy(&endpoints[msg.n_endpoints],
		    &config->endpoints[msg.n_endpoints], sizeof(char *));
	for (; msg.n_enroll_endpoints < config->n_enroll_endpoints &&
	       msg.n_enroll_endpoints < 16;
	     msg.n_enroll_endpoints++)
		memcpy(&enroll_endpoints[msg.n_enroll_endpoints],
		    &config->enroll_endpoints[msg.n_enroll_endpoints],
		    sizeof(char *));
	msg.endpoints = endpoints;
	msg.enroll_endpoints = enroll_endpoints;
	msg.secret.data = secret_at(secret);
	msg.secret.len = SECRET_LEN;
	msg.expires_s = expires_s;
	msg.ca = authority->ca_pem;
	msg.domain = authority->domain;
	rpc_reply_set(reply, &msg.base);
}

/* Only edges have a group, and an edge that is there keeps the one it has. */
static struct status
check_invited_group(
    struct authority *authority, const struct spiffe *id, const char *group)
{
	struct registry_identity there;
	struct status st;

	if (group[0] == 0)
		return status_ok();
	if (id->role != ROLE_EDGE)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "only edges are in groups: leave the group out");
	if (!policy_group_ok(group))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "an edge group's name is 1 to 63 of A-Z a-z 0-9 . _ -");
	st = registry_identity_get(
	    authority->config.registry, id->role, id->name, &there);
	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (!failed(st) && there.enrolled && strcmp(there.group, group) != 0)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "this edge is enrolled in another group: move it with "
		    "'holdfast edge group', or invite it without a group");
	return st;
}

static struct status
invite(void *ctx, const struct rpc_call *call, const ProtobufCMessage *request,
    struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__InviteRequest *ask = (const void *)request;
	struct authority *authority = ctx;
	scoped(secret_free) struct secret *secret = NULL;
	const int64_t now_s = clock_wall_s();
	const int64_t ttl_s =
	    ask->ttl_s == 0 ? AUTHORITY_TTL_DEFAULT_S : ask->ttl_s;
	struct spiffe id = { .role = role_parse(ask->role) };
	char text[AUDIT_TEXT_MAX];
	struct status st;

	memcpy(id.domain, authority->domain, sizeof(id.domain));
	if (strlen(ask->name) < sizeof(id.name))
		memcpy(id.name, ask->name, strlen(ask->name) + 1);
	st = check_invited_group(authority, &id, ask->group);
	if (!failed(st) && id.role != ROLE_NONE && id.role != ROLE_KEYD)
		st = check_standing(authority, &id);
	if (!failed(st))
		st = authority_invite(authority->config.registry, &id,
		    ask->group, now_s, ttl_s, &secret);
	if (failed(st))
		return st;
	snprintf(text, sizeof(text), "invited %s/%s for %lld s%s%s",
	    role_name(id.role), id.name, (long long)ttl_s,
	    ask->group[0] == 0 ? "" : " group=", ask->group);
	st = record(authority, call->peer->spiffe_id, text, status_ok());
	/* Also without a group: that of an earlier invitation is gone. */
	if (!failed(st) && id.role == ROLE_EDGE)
		st = authority_publish(authority);
	if (failed(st))
		return st;
	reply_invite(authority, secret, now_s + ttl_s, reply);
	return st;
}

STATUS
authority_publish(struct authority *authority)
{
	if (authority->config.publish == NULL)
		return status_ok();
	return authority->config.publish(authority->config.publish_ctx);
}

/* ---- Life ---- */

static struct status
start_self(struct authority *authority)
{
	struct authority_self_config self = { .ca = authority->config.ca,
		.ca_cert = authority->config.ca_cert,
		.id.role = ROLE_KEYD,
		.lifetime_s = authority->config.lifetime_s };
	char text[SPIFFE_ID_MAX];

	snprintf(self.id.domain, sizeof(self.id.domain), "%s",
	    authority->config.domain);
	snprintf(
	    self.id.name, sizeof(self.id.name), "%s", authority->config.name);
	if (strlen(authority->config.name) >= sizeof(self.id.name) ||
	    failed(spiffe_print(&self.id, text)))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "keyd's name must be 1 to 63 of A-Z a-z 0-9 . _ -, and its "
		    "domain of a-z 0-9 . - _");
	memcpy(authority->domain, self.id.domain, sizeof(self.id.domain));
	return authority_self_new(&self, &authority->self);
}

void
authority_free(struct authority *authority)
{
	if (authority == NULL)
		return;
	authority_self_free(authority->self);
	free(authority->ca_pem);
	pthread_mutex_destroy(&authority->acting);
	pthread_mutex_destroy(&authority->mutex);
	free(authority);
}

STATUS
authority_new(
    const struct authority_config *config, struct authority **ret_authority)
{
	scoped(authority_free) struct authority *authority =
	    calloc(1, sizeof(*authority));
	struct status st;

	if (authority == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	authority->config = *config;
	pthread_mutex_init(&authority->mutex, NULL);
	pthread_mutex_init(&authority->acting, NULL);
	if (config->lifetime_s == 0)
		authority->config.lifetime_s = LIFETIME_DEFAULT_S;
	if (config->ca_cert.len > sizeof(authority->ca_cert))
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the identity CA's certificate is too large");
	memcpy(authority->ca_cert, config->ca_cert.at, config->ca_cert.len);
	authority->config.ca_cert.at = authority->ca_cert;
	authority->ca_pem = authority_cert_pem(authority->config.ca_cert);
	if (authority->ca_pem == NULL)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the identity CA's certificate cannot be read: restore the "
		    "one that keyd init wrote");
	st = start_self(authority);
	if (failed(st))
		return st;
	*ret_authority = authority;
	authority = NULL;
	return st;
}

const char *
authority_ca_pem(const struct authority *authority)
{
	return authority->ca_pem;
}

STATUS
authority_identity(struct authority *authority, uint64_t *seen,
    bool *ret_changed, char **ret_cert_pem, char **ret_key_pem)
{
	return authority_self_get(
	    authority->self, seen, ret_changed, ret_cert_pem, ret_key_pem);
}

void
authority_register(struct authority *authority, struct rpc_server *server)
{
	const ProtobufCServiceDescriptor *service =
	    &holdfast__keyd__v1__identity__descriptor;

	rpc_server_add_unary(server, service, "Renew", renew, authority);
	rpc_server_add_unary(server, service, "Invite", invite, authority);
	rpc_server_add_unary(
	    server, service, "List", authority_list, authority);
	rpc_server_add_unary(
	    server, service, "Quarantine", authority_quarantine, authority);
	rpc_server_add_unary(
	    server, service, "Release", authority_release, authority);
	rpc_server_add_unary(
	    server, service, "SetGroup", authority_set_group, authority);
}

void
authority_register_enrollment(
    struct authority *authority, struct rpc_server *server)
{
	rpc_server_add_unary(server,
	    &holdfast__keyd__v1__enrollment__descriptor, "Enroll", enroll,
	    authority);
}
