/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The authority whole: a SoftHSM identity token, the CA's worker, registry and
 * journal, both ports served over mTLS, and members that join and renew through
 * rpc/enroll.h or ask by hand.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "keyd/authority.h"
#include "keyd/csr_key.h"
#include "keyd/roles.h"
#include "proto/holdfast/keyd/v1/identity.pb-c.h"
#include "rpc/client.h"
#include "rpc/enroll.h"
#include "tests/unit/softhsm.h"

#define DOMAIN "example.test"
#define TIMEOUT_MS 20000

SCOPED_RELEASE(X509_free, X509 *);
SCOPED_RELEASE(EVP_PKEY_free, EVP_PKEY *);

typedef Holdfast__Keyd__V1__Certificate certificate_msg;

/* What rpc hands to both of its callbacks: roles first, as roles.h wants. */
struct port {
	struct roles roles;
	uint64_t seen;
	struct rpc_server *server;
	char address[64];
	const char *advertised;
};

static struct softhsm softhsm;
static struct hsm_cert ca_cert;
static struct hsm_ca *ca;
static struct registry *registry;
static struct audit *audit;
static struct authority *authority;
static struct port main_port, enroll_port;
static char why[RPC_WHY_MAX];
static unsigned n_joined;

/* ---- keyd, as far as it matters here ---- */

static STATUS
identity(void *ctx, bool *ret_changed, char **ret_cert_pem, char **ret_key_pem)
{
	struct port *port = ctx;

	return authority_identity(
	    authority, &port->seen, ret_changed, ret_cert_pem, ret_key_pem);
}

static unsigned
three_streams(void *ctx, const char *spiffe_id)
{
	(void)ctx, (void)spiffe_id;
	return 3;
}

static void
make_port(struct port *port, bool anonymous)
{
	struct rpc_server_config config = { .listen = "127.0.0.1:0",
		.ca_pem = authority_ca_pem(authority),
		.anonymous = anonymous,
		.identity = identity,
		.authorize =
		    anonymous ? roles_authorize_newcomer : roles_authorize,
		.ctx = port };
	struct status st;

	port->roles.domain = DOMAIN;
	st = rpc_server_new(&config, &port->server);
	if (failed(st))
		fail_msg("%s", st.why);
}

static void
start_port(struct port *port)
{
	struct status st = rpc_server_start(port->server);

	if (failed(st))
		fail_msg("%s", st.why);
	snprintf(port->address, sizeof(port->address), "127.0.0.1:%d",
	    rpc_server_port(port->server));
}

static int
start_keyd(void **state)
{
	static const char *const argv[] = { "/proc/self/exe", "ca-worker",
		NULL };
	struct hsm_ca_config with = { .module = SOFTHSM_MODULE,
		.token_label = "identity",
		.worker_argv = argv };
	char path[SOFTHSM_PATH_MAX];
	struct audit_config audit_config = { .directory = path };
	struct authority_config config;
	struct status st;

	(void)state;
	softhsm_init(&softhsm, "identity");
	with.pin_file = softhsm.pin_file;
	with.lock_file = softhsm.lock_file;
	st = hsm_ca_create(&with, DOMAIN, 365, &ca_cert);
	if (!failed(st))
		st = hsm_ca_open(&with, &ca);
	snprintf(path, sizeof(path), "%.200s/registry.db", softhsm.folder);
	if (!failed(st))
		st = registry_open(path, &registry);
	snprintf(path, sizeof(path), "%.200s/journal", softhsm.folder);
	if (!failed(st))
		st = audit_open(&audit_config, &audit);
	main_port.advertised = main_port.address;
	enroll_port.advertised = enroll_port.address;
	config = (struct authority_config){ .ca = ca,
		.ca_cert = { ca_cert.der, ca_cert.len },
		.domain = DOMAIN,
		.name = "k1",
		.registry = registry,
		.audit = audit,
		.endpoints = &main_port.advertised,
		.n_endpoints = 1,
		.enroll_endpoints = &enroll_port.advertised,
		.n_enroll_endpoints = 1,
		.streams_of = three_streams };
	if (!failed(st))
		st = authority_new(&config, &authority);
	if (failed(st)) {
		print_message("%s (0x%x)\n", st.why, st.detail);
		return 1;
	}
	make_port(&main_port, false);
	authority_register(authority, main_port.server);
	start_port(&main_port);
	make_port(&enroll_port, true);
	authority_register_enrollment(authority, enroll_port.server);
	start_port(&enroll_port);
	return 0;
}

static int
stop_keyd(void **state)
{
	(void)state;
	rpc_server_drain(main_port.server, NS_PER_S);
	rpc_server_drain(enroll_port.server, NS_PER_S);
	rpc_server_free(main_port.server);
	rpc_server_free(enroll_port.server);
	authority_free(authority);
	audit_close(audit);
	registry_close(registry);
	hsm_ca_close(ca);
	softhsm_done(&softhsm);
	return 0;
}

/* ---- Members ---- */

static struct spiffe
member(enum role role, const char *name)
{
	struct spiffe id = { .domain = DOMAIN, .role = role };

	snprintf(id.name, sizeof(id.name), "%s", name);
	return id;
}

static struct secret *
invite_locally(enum role role, const char *name)
{
	struct spiffe id = member(role, name);
	struct secret *secret = NULL;

	assert_int_equal(
	    authority_invite(registry, &id, "", clock_wall_s(), 3600, &secret)
		.code,
	    STATUS_OK);
	return secret;
}

/* A join file for the identity; ret_path holds SOFTHSM_PATH_MAX. */
static void
write_join(const struct spiffe *id, struct bytes secret, char *ret_path)
{
	struct enroll_join join = { .ca_pem = authority_ca_pem(authority),
		.endpoints = &main_port.advertised,
		.n_endpoints = 1,
		.enroll_endpoints = &enroll_port.advertised,
		.n_enroll_endpoints = 1,
		.secret = secret,
		.expires_s = clock_wall_s() + 3600 };

	assert_int_equal(spiffe_print(id, join.identity).code, STATUS_OK);
	snprintf(join.domain, sizeof(join.domain), "%s", id->domain);
	snprintf(ret_path, SOFTHSM_PATH_MAX, "%.200s/%u.join", softhsm.folder,
	    ++n_joined);
	assert_int_equal(enroll_write_join(ret_path, &join).code, STATUS_OK);
}

static void
state_folder(char *ret_path)
{
	snprintf(ret_path, SOFTHSM_PATH_MAX, "%.200s/state-%u", softhsm.folder,
	    ++n_joined);
}

/* Invite, join, load; state_dir holds SOFTHSM_PATH_MAX. */
static struct enroll_identity *
join_as(enum role role, const char *name, char *state_dir)
{
	scoped(secret_free) struct secret *secret = invite_locally(role, name);
	struct enroll_identity *who = NULL;
	struct spiffe id = member(role, name);
	char path[SOFTHSM_PATH_MAX];

	write_join(&id, secret_bytes(secret), path);
	state_folder(state_dir);
	if (failed(enroll_join(path, state_dir, why)) ||
	    failed(enroll_load(state_dir, &who, why)))
		fail_msg("%s", why);
	return who;
}

static struct status
call_as(const struct enroll_identity *who, const char *method,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	struct rpc_client_config config = enroll_client_config(who, 0);
	scoped(rpc_client_free) struct rpc_client *client = NULL;

	assert_int_equal(rpc_client_new(&config, &client).code, STATUS_OK);
	return rpc_client_call(client,
	    &holdfast__keyd__v1__identity__descriptor, method, request,
	    TIMEOUT_MS, ret_reply, why);
}

/* Enroll by hand, without a client certificate. */
static struct status
enroll_with(struct bytes secret, struct bytes csr, certificate_msg **ret_msg)
{
	struct rpc_client_config config = { .target = enroll_port.address,
		.ca_pem = authority_ca_pem(authority),
		.server_name = "keyd." DOMAIN };
	scoped(rpc_client_free) struct rpc_client *client = NULL;
	Holdfast__Keyd__V1__EnrollRequest request = {
		.base = PROTOBUF_C_MESSAGE_INIT(
		    &holdfast__keyd__v1__enroll_request__descriptor)
	};
	uint8_t copy[64], csr_copy[8192];
	ProtobufCMessage *reply = NULL;
	struct status st;

	assert_true(secret.len <= sizeof(copy) && csr.len <= sizeof(csr_copy));
	memcpy(copy, secret.at, secret.len);
	memcpy(csr_copy, csr.at, csr.len);
	request.secret = (ProtobufCBinaryData){ secret.len, copy };
	request.csr = (ProtobufCBinaryData){ csr.len, csr_copy };
	assert_int_equal(rpc_client_new(&config, &client).code, STATUS_OK);
	st =
	    rpc_client_call(client, &holdfast__keyd__v1__enrollment__descriptor,
		"Enroll", &request.base, TIMEOUT_MS, &reply, why);
	*ret_msg = (certificate_msg *)(void *)reply;
	return st;
}

/* DER of a request for key, signed with md by signer; octets in out. */
static struct bytes
csr_of(EVP_PKEY *key, EVP_PKEY *signer, const EVP_MD *md, uint8_t out[4096])
{
	X509_REQ *req = X509_REQ_new();
	uint8_t *at = out;
	int len;

	assert_int_equal(X509_REQ_set_pubkey(req, key), 1);
	assert_true(X509_REQ_sign(req, signer, md) > 0);
	len = i2d_X509_REQ(req, NULL);
	assert_in_range(len, 1, 4096);
	i2d_X509_REQ(req, &at);
	X509_REQ_free(req);
	return (struct bytes){ out, (size_t)len };
}

static void
free_certificate(certificate_msg *msg)
{
	holdfast__keyd__v1__certificate__free_unpacked(msg, NULL);
}

static X509 *
x509_of(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(cert);
	return cert;
}

static void
assert_why(const char *part)
{
	if (strstr(why, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, part);
}

/* ---- The sentences ---- */

static void
a_member_joins_with_its_invitation_and_can_call_keyd(void **state)
{
	char dir[SOFTHSM_PATH_MAX];
	scoped(enroll_identity_free) struct enroll_identity *who =
	    join_as(ROLE_OPERATOR, "ada", dir);
	Holdfast__Keyd__V1__ListIdentitiesRequest request = {
		.base = PROTOBUF_C_MESSAGE_INIT(
		    &holdfast__keyd__v1__list_identities_request__descriptor)
	};
	ProtobufCMessage *reply = NULL;
	int64_t now_s = clock_wall_s();

	(void)state;
	assert_string_equal(who->identity, "spiffe://" DOMAIN "/operator/ada");
	assert_in_range(who->not_after_s, now_s + 86300, now_s + 86400);
	assert_int_equal(
	    call_as(who, "List", &request.base, &reply).code, STATUS_OK);
	protobuf_c_message_free_unpacked(reply, NULL);
}

static void
an_invitation_works_once(void **state)
{
	scoped(secret_free) struct secret *secret =
	    invite_locally(ROLE_EDGE, "once");
	struct spiffe id = member(ROLE_EDGE, "once");
	char path[SOFTHSM_PATH_MAX], dir[SOFTHSM_PATH_MAX];

	(void)state;
	write_join(&id, secret_bytes(secret), path);
	state_folder(dir);
	assert_int_equal(enroll_join(path, dir, why).code, STATUS_OK);
	state_folder(dir);
	assert_int_equal(
	    enroll_join(path, dir, why).code, STATUS_UNAUTHENTICATED);
	assert_why("holdfast edge invite once");
}

static void
a_wrong_secret_is_told_nothing(void **state)
{
	static const uint8_t wrong[32] = { 7 };
	scoped(EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen("P-256");
	certificate_msg *msg = NULL;
	uint8_t csr[4096];
	struct bytes good = csr_of(key, key, EVP_sha256(), csr);

	(void)state;
	assert_int_equal(
	    enroll_with((struct bytes){ wrong, 32 }, good, &msg).code,
	    STATUS_UNAUTHENTICATED);
	assert_string_equal(why, "the join secret was not accepted");
	assert_int_equal(
	    enroll_with((struct bytes){ wrong, 31 }, good, &msg).code,
	    STATUS_UNAUTHENTICATED);
	assert_string_equal(why, "the join secret was not accepted");
	/* Not even that its CSR is nonsense. */
	assert_int_equal(
	    enroll_with((struct bytes){ wrong, 32 }, bytes_of("nonsense"), &msg)
		.code,
	    STATUS_UNAUTHENTICATED);
	assert_string_equal(why, "the join secret was not accepted");
}

static void
a_bad_csr_is_refused_and_leaves_the_invitation_good(void **state)
{
	scoped(secret_free) struct secret *secret =
	    invite_locally(ROLE_EDGE, "clumsy");
	scoped(EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen("P-256");
	scoped(EVP_PKEY_free) EVP_PKEY *rsa = EVP_RSA_gen(2048);
	certificate_msg *msg = NULL;
	uint8_t der[4096];
	struct status st;

	(void)state;
	st = enroll_with(secret_bytes(secret), bytes_of("nonsense"), &msg);
	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	assert_why("PKCS#10");
	st = enroll_with(
	    secret_bytes(secret), csr_of(rsa, rsa, EVP_sha256(), der), &msg);
	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	assert_why("P-256");
	st = enroll_with(
	    secret_bytes(secret), csr_of(key, key, EVP_sha256(), der), &msg);
	assert_int_equal(st.code, STATUS_OK);
	assert_string_equal(msg->identity, "spiffe://" DOMAIN "/edge/clumsy");
	free_certificate(msg);
}

static void
an_expired_invitation_is_not_accepted(void **state)
{
	struct spiffe id = member(ROLE_EDGE, "late");
	scoped(secret_free) struct secret *secret = NULL;
	scoped(EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen("P-256");
	certificate_msg *msg = NULL;
	uint8_t der[4096];

	(void)state;
	assert_int_equal(authority_invite(registry, &id, "",
			     clock_wall_s() - 7200, 3600, &secret)
			     .code,
	    STATUS_OK);
	assert_int_equal(enroll_with(secret_bytes(secret),
			     csr_of(key, key, EVP_sha256(), der), &msg)
			     .code,
	    STATUS_UNAUTHENTICATED);
}

static void
a_renewed_certificate_has_the_same_identity_and_a_new_key(void **state)
{
	char dir[SOFTHSM_PATH_MAX];
	scoped(enroll_identity_free) struct enroll_identity *first =
	    join_as(ROLE_EDGE, "fra-1", dir);
	scoped(enroll_identity_free) struct enroll_identity *second = NULL;

	(void)state;
	if (failed(enroll_renew(dir, first, TIMEOUT_MS, why)) ||
	    failed(enroll_load(dir, &second, why)))
		fail_msg("%s", why);
	assert_string_equal(second->identity, first->identity);
	assert_string_not_equal(second->key_pem, first->key_pem);
	assert_string_not_equal(second->cert_pem, first->cert_pem);
	/* The new one works, and so does the old until it expires. */
	assert_int_equal(
	    enroll_renew(dir, second, TIMEOUT_MS, why).code, STATUS_OK);
	assert_int_equal(
	    enroll_renew(dir, first, TIMEOUT_MS, why).code, STATUS_OK);
}

/* ---- certd serves with what it joined as ---- */

static struct status
shown(void *ctx, bool *ret_changed, char **ret_cert_pem, char **ret_key_pem)
{
	const struct enroll_identity *who = ctx;

	*ret_changed = true;
	*ret_cert_pem = strdup(who->cert_pem);
	*ret_key_pem = strdup(who->key_pem);
	return status_ok();
}

static struct status
allow(void *ctx, const struct rpc_peer *peer, const char *method)
{
	(void)ctx, (void)peer, (void)method;
	return status_ok();
}

static struct status
empty_list(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__ListIdentitiesResponse empty = {
		.base = PROTOBUF_C_MESSAGE_INIT(
		    &holdfast__keyd__v1__list_identities_response__descriptor)
	};

	(void)ctx, (void)call, (void)request;
	rpc_reply_set(reply, &empty.base);
	return status_ok();
}

/* What a client that looks for certd gets from who serves. */
static enum status_code
call_certd(struct enroll_identity *serves, const struct enroll_identity *client)
{
	const struct rpc_server_config config = { .listen = "127.0.0.1:0",
		.ca_pem = serves->ca_pem,
		.identity = shown,
		.authorize = allow,
		.beside = main_port.server,
		.ctx = serves };
	Holdfast__Keyd__V1__ListIdentitiesRequest request = {
		.base = PROTOBUF_C_MESSAGE_INIT(
		    &holdfast__keyd__v1__list_identities_request__descriptor)
	};
	struct rpc_client_config to;
	struct rpc_client *at = NULL;
	struct rpc_server *server = NULL;
	ProtobufCMessage *reply = NULL;
	char target[64];
	struct status st;

	assert_int_equal(rpc_server_new(&config, &server).code, STATUS_OK);
	rpc_server_add_unary(server, &holdfast__keyd__v1__identity__descriptor,
	    "List", empty_list, NULL);
	assert_int_equal(rpc_server_start(server).code, STATUS_OK);
	snprintf(
	    target, sizeof(target), "127.0.0.1:%d", rpc_server_port(server));
	to = enroll_certd_config(client, target);
	assert_int_equal(rpc_client_new(&to, &at).code, STATUS_OK);
	st = rpc_client_call(at, &holdfast__keyd__v1__identity__descriptor,
	    "List", &request.base, TIMEOUT_MS, &reply, why);
	if (reply != NULL)
		protobuf_c_message_free_unpacked(reply, NULL);
	rpc_client_free(at);
	rpc_server_drain(server, NS_PER_S);
	rpc_server_free(server);
	return st.code;
}

static void
certd_serves_with_its_identity_and_nobody_poses_as_it(void **state)
{
	char dir[SOFTHSM_PATH_MAX], other[SOFTHSM_PATH_MAX];
	scoped(enroll_identity_free) struct enroll_identity *certd =
	    join_as(ROLE_CERTD, "main", dir);
	scoped(enroll_identity_free) struct enroll_identity *renewed = NULL;
	scoped(enroll_identity_free) struct enroll_identity *edge =
	    join_as(ROLE_EDGE, "certd", other);
	scoped(enroll_identity_free) struct enroll_identity *operator=
	    join_as(ROLE_OPERATOR, "certd." DOMAIN, other);

	(void)state;
	assert_int_equal(call_certd(certd, edge), STATUS_OK);
	if (failed(enroll_renew(dir, certd, TIMEOUT_MS, why)) ||
	    failed(enroll_load(dir, &renewed, why)))
		fail_msg("%s", why);
	assert_string_not_equal(renewed->cert_pem, certd->cert_pem);
	assert_int_equal(call_certd(renewed, operator), STATUS_OK);
	assert_int_equal(call_certd(edge, operator), STATUS_UNAVAILABLE);
	assert_int_equal(call_certd(operator, edge), STATUS_UNAVAILABLE);
}

static void
an_operator_invites_an_edge(void **state)
{
	char dir[SOFTHSM_PATH_MAX], path[SOFTHSM_PATH_MAX];
	scoped(enroll_identity_free) struct enroll_identity *who =
	    join_as(ROLE_OPERATOR, "bob", dir);
	Holdfast__Keyd__V1__InviteRequest request = {
		.base = PROTOBUF_C_MESSAGE_INIT(
		    &holdfast__keyd__v1__invite_request__descriptor)
	};
	Holdfast__Keyd__V1__InviteResponse *invite;
	struct spiffe id = member(ROLE_EDGE, "ams-1");
	char role[] = "edge", name[] = "ams-1";
	ProtobufCMessage *reply = NULL;

	(void)state;
	request.role = role;
	request.name = name;
	assert_int_equal(
	    call_as(who, "Invite", &request.base, &reply).code, STATUS_OK);
	invite = (void *)reply;
	assert_int_equal(invite->secret.len, 32);
	assert_string_equal(invite->domain, DOMAIN);
	assert_string_equal(invite->endpoints[0], main_port.address);
	assert_string_equal(invite->enroll_endpoints[0], enroll_port.address);
	write_join(&id,
	    (struct bytes){ invite->secret.data, invite->secret.len }, path);
	protobuf_c_message_free_unpacked(reply, NULL);
	state_folder(dir);
	assert_int_equal(enroll_join(path, dir, why).code, STATUS_OK);
}

static void
an_edge_invites_nobody(void **state)
{
	char dir[SOFTHSM_PATH_MAX];
	scoped(enroll_identity_free) struct enroll_identity *who =
	    join_as(ROLE_EDGE, "eve", dir);
	Holdfast__Keyd__V1__InviteRequest request = {
		.base = PROTOBUF_C_MESSAGE_INIT(
		    &holdfast__keyd__v1__invite_request__descriptor)
	};
	char role[] = "operator", name[] = "eve";
	ProtobufCMessage *reply = NULL;

	(void)state;
	request.role = role;
	request.name = name;
	assert_int_equal(call_as(who, "Invite", &request.base, &reply).code,
	    STATUS_PERMISSION_DENIED);
	assert_null(reply);
}

static void
nobody_is_invited_as_keyd_or_under_a_bad_name(void **state)
{
	static const struct {
		const char *role, *name, *says;
		unsigned ttl_s;
	} bad[] = {
		{ "keyd", "k2", "role", 0 },
		{ "root", "x", "role", 0 },
		{ "", "x", "role", 0 },
		{ "edge", "", "name", 0 },
		{ "edge", "a/b", "name", 0 },
		{ "edge",
		    "a123456789a123456789a123456789a123456789a123456789a1234567"
		    "89a123",
		    "name", 0 },
		{ "edge", "x", "7 days", 604801 },
	};
	char dir[SOFTHSM_PATH_MAX];
	scoped(enroll_identity_free) struct enroll_identity *who =
	    join_as(ROLE_OPERATOR, "carol", dir);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		Holdfast__Keyd__V1__InviteRequest request = {
			.base = PROTOBUF_C_MESSAGE_INIT(
			    &holdfast__keyd__v1__invite_request__descriptor)
		};
		char role[16], name[128];
		ProtobufCMessage *reply = NULL;

		snprintf(role, sizeof(role), "%s", bad[i].role);
		snprintf(name, sizeof(name), "%s", bad[i].name);
		request.role = role;
		request.name = name;
		request.ttl_s = bad[i].ttl_s;
		assert_int_equal(
		    call_as(who, "Invite", &request.base, &reply).code,
		    STATUS_INVALID_ARGUMENT);
		assert_why(bad[i].says);
	}
}

static void
the_list_tells_the_invited_from_the_enrolled(void **state)
{
	char dir[SOFTHSM_PATH_MAX], edge_dir[SOFTHSM_PATH_MAX];
	scoped(enroll_identity_free) struct enroll_identity *who =
	    join_as(ROLE_AUDITOR, "dan", dir);
	scoped(enroll_identity_free) struct enroll_identity *edge =
	    join_as(ROLE_EDGE, "list-in", edge_dir);
	Holdfast__Keyd__V1__ListIdentitiesRequest request = {
		.base = PROTOBUF_C_MESSAGE_INIT(
		    &holdfast__keyd__v1__list_identities_request__descriptor)
	};
	const Holdfast__Keyd__V1__ListIdentitiesResponse *list;
	ProtobufCMessage *reply = NULL;
	char role[] = "edge";
	unsigned invited = 0, enrolled = 0;

	(void)state;
	assert_non_null(edge);
	secret_free(invite_locally(ROLE_EDGE, "list-out"));
	request.role = role;
	assert_int_equal(
	    call_as(who, "List", &request.base, &reply).code, STATUS_OK);
	list = (const void *)reply;
	for (size_t i = 0; i < list->n_identities; i++) {
		const Holdfast__Keyd__V1__IdentityRecord *at =
		    list->identities[i];

		assert_int_equal(at->streams, 3);
		assert_null(strstr(at->identity, "/auditor/"));
		if (strstr(at->identity, "/edge/list-in") != NULL)
			enrolled +=
			    at->state ==
			    HOLDFAST__KEYD__V1__IDENTITY_RECORD__STATE__STATE_ENROLLED;
		if (strstr(at->identity, "/edge/list-out") != NULL)
			invited +=
			    at->state ==
			    HOLDFAST__KEYD__V1__IDENTITY_RECORD__STATE__STATE_INVITED;
	}
	protobuf_c_message_free_unpacked(reply, NULL);
	assert_int_equal(enrolled, 1);
	assert_int_equal(invited, 1);
}

static struct status
quarantine_for(const struct enroll_identity *who, const char *identity,
    const char *reason, const char *on_behalf_of, ProtobufCMessage **ret_reply)
{
	Holdfast__Keyd__V1__QuarantineRequest request = {
		.base = PROTOBUF_C_MESSAGE_INIT(
		    &holdfast__keyd__v1__quarantine_request__descriptor)
	};
	char identity_text[128], reason_text[256], behalf_text[256];

	snprintf(behalf_text, sizeof(behalf_text), "%s", on_behalf_of);
	request.on_behalf_of = behalf_text;
	snprintf(identity_text, sizeof(identity_text), "%s", identity);
	snprintf(reason_text, sizeof(reason_text), "%s", reason);
	request.identity = identity_text;
	request.reason = reason_text;
	return call_as(who, "Quarantine", &request.base, ret_reply);
}

static struct status
quarantine(const struct enroll_identity *who, const char *identity,
    const char *reason, ProtobufCMessage **ret_reply)
{
	return quarantine_for(who, identity, reason, "", ret_reply);
}

static struct status
release(const struct enroll_identity *who, const char *identity)
{
	Holdfast__Keyd__V1__ReleaseRequest request = {
		.base = PROTOBUF_C_MESSAGE_INIT(
		    &holdfast__keyd__v1__release_request__descriptor)
	};
	ProtobufCMessage *reply = NULL;
	char text[128];
	struct status st;

	snprintf(text, sizeof(text), "%s", identity);
	request.identity = text;
	st = call_as(who, "Release", &request.base, &reply);
	if (reply != NULL)
		protobuf_c_message_free_unpacked(reply, NULL);
	return st;
}

static struct status
invite_remotely(const struct enroll_identity *who, const char *name)
{
	Holdfast__Keyd__V1__InviteRequest request = {
		.base = PROTOBUF_C_MESSAGE_INIT(
		    &holdfast__keyd__v1__invite_request__descriptor)
	};
	char role[] = "edge", text[64];
	ProtobufCMessage *reply = NULL;
	struct status st;

	snprintf(text, sizeof(text), "%s", name);
	request.role = role;
	request.name = text;
	st = call_as(who, "Invite", &request.base, &reply);
	if (reply != NULL)
		protobuf_c_message_free_unpacked(reply, NULL);
	return st;
}

static void
a_quarantined_name_gets_neither_certificate_nor_invitation(void **state)
{
	char dir[SOFTHSM_PATH_MAX], edge_dir[SOFTHSM_PATH_MAX];
	char path[SOFTHSM_PATH_MAX], late_dir[SOFTHSM_PATH_MAX];
	scoped(enroll_identity_free) struct enroll_identity *who =
	    join_as(ROLE_OPERATOR, "warden", dir);
	scoped(enroll_identity_free) struct enroll_identity *edge =
	    join_as(ROLE_EDGE, "taken", edge_dir);
	scoped(secret_free) struct secret *secret =
	    invite_locally(ROLE_EDGE, "late");
	struct spiffe late = member(ROLE_EDGE, "late");
	const Holdfast__Keyd__V1__IdentityRecord *row;
	ProtobufCMessage *reply = NULL;
	uint64_t before = audit_entries(audit);

	(void)state;
	assert_int_equal(
	    quarantine(who, "edge/taken", "seen elsewhere", &reply).code,
	    STATUS_OK);
	row = (const void *)reply;
	assert_string_equal(row->quarantine_reason, "seen elsewhere");
	assert_true(row->quarantined_s > 0);
	assert_string_equal(row->group, "standard");
	protobuf_c_message_free_unpacked(reply, NULL);
	/* Asked and done. */
	assert_int_equal(audit_entries(audit), before + 2);
	assert_int_equal(enroll_renew(edge_dir, edge, TIMEOUT_MS, why).code,
	    STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    invite_remotely(who, "taken").code, STATUS_PERMISSION_DENIED);

	/* The invitation is there already, and good again after release. */
	reply = NULL;
	assert_int_equal(
	    quarantine(who, "edge/late", "", &reply).code, STATUS_OK);
	protobuf_c_message_free_unpacked(reply, NULL);
	write_join(&late, secret_bytes(secret), path);
	state_folder(late_dir);
	assert_int_equal(
	    enroll_join(path, late_dir, why).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(release(who, "edge/late").code, STATUS_OK);
	assert_int_equal(release(who, "edge/late").code, STATUS_NOT_FOUND);
	assert_int_equal(enroll_join(path, late_dir, why).code, STATUS_OK);

	assert_int_equal(release(who, "edge/taken").code, STATUS_OK);
	assert_int_equal(
	    enroll_renew(edge_dir, edge, TIMEOUT_MS, why).code, STATUS_OK);
}

static void
certd_stops_edges_for_somebody_with_a_reason_and_nobody_else(void **state)
{
	static const char *const SAFE[] = { "operator/warden", "auditor/eve",
		"certd/other" };
	char dir[SOFTHSM_PATH_MAX];
	scoped(enroll_identity_free) struct enroll_identity *who =
	    join_as(ROLE_CERTD, "stopper", dir);
	ProtobufCMessage *reply = NULL;
	bool is_quarantined = true;

	(void)state;
	for (size_t i = 0; i < sizeof(SAFE) / sizeof(SAFE[0]); i++)
		assert_int_equal(quarantine_for(who, SAFE[i], "why",
				     "operator/admin", &reply)
				     .code,
		    STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    quarantine_for(who, "edge/odd", "", "operator/admin", &reply).code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    quarantine_for(who, "edge/odd", "why", "", &reply).code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    quarantine_for(who, "edge/odd", "why", "a\nb", &reply).code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    registry_is_quarantined(registry, ROLE_EDGE, "odd", &is_quarantined)
		.code,
	    STATUS_OK);
	assert_false(is_quarantined);
	assert_int_equal(
	    quarantine_for(who, "edge/odd", "why", "operator/admin", &reply)
		.code,
	    STATUS_OK);
	protobuf_c_message_free_unpacked(reply, NULL);
}

static void
nobody_quarantines_themselves(void **state)
{
	char dir[SOFTHSM_PATH_MAX];
	scoped(enroll_identity_free) struct enroll_identity *who =
	    join_as(ROLE_OPERATOR, "solo", dir);
	ProtobufCMessage *reply = NULL;

	(void)state;
	assert_int_equal(quarantine(who, "operator/solo", "", &reply).code,
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(quarantine(who, "keyd/keyd", "", &reply).code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    quarantine(who, "solo", "", &reply).code, STATUS_INVALID_ARGUMENT);
	/* Who was quarantined meanwhile acts no more, whatever let it in. */
	assert_int_equal(registry_quarantine(registry, ROLE_OPERATOR, "solo",
			     "", clock_wall_s())
			     .code,
	    STATUS_OK);
	assert_int_equal(quarantine(who, "edge/any", "", &reply).code,
	    STATUS_PERMISSION_DENIED);
	assert_null(reply);
}

/* As when the call was let in just before and then waited for its turn. */
static void
nobody_who_is_quarantined_releases_themselves(void **state)
{
	char dir[SOFTHSM_PATH_MAX];
	scoped(enroll_identity_free) struct enroll_identity *who =
	    join_as(ROLE_OPERATOR, "caught", dir);
	bool is_quarantined = false;

	(void)state;
	assert_int_equal(registry_quarantine(registry, ROLE_OPERATOR, "caught",
			     "", clock_wall_s())
			     .code,
	    STATUS_OK);
	assert_int_equal(
	    release(who, "operator/caught").code, STATUS_PERMISSION_DENIED);
	assert_int_equal(registry_is_quarantined(
			     registry, ROLE_OPERATOR, "caught", &is_quarantined)
			     .code,
	    STATUS_OK);
	assert_true(is_quarantined);
}

static void
an_edge_is_moved_to_another_group(void **state)
{
	Holdfast__Keyd__V1__SetGroupRequest request = {
		.base = PROTOBUF_C_MESSAGE_INIT(
		    &holdfast__keyd__v1__set_group_request__descriptor)
	};
	char dir[SOFTHSM_PATH_MAX], edge_dir[SOFTHSM_PATH_MAX];
	scoped(enroll_identity_free) struct enroll_identity *who =
	    join_as(ROLE_OPERATOR, "mover", dir);
	scoped(enroll_identity_free) struct enroll_identity *edge =
	    join_as(ROLE_EDGE, "moved", edge_dir);
	char identity_text[] = "edge/moved", group[] = "enhanced";
	char nobody[] = "edge/nobody", wrong[] = "a b";
	const Holdfast__Keyd__V1__IdentityRecord *row;
	ProtobufCMessage *reply = NULL;

	(void)state;
	assert_non_null(edge);
	request.identity = identity_text;
	request.group = group;
	assert_int_equal(
	    call_as(who, "SetGroup", &request.base, &reply).code, STATUS_OK);
	row = (const void *)reply;
	assert_string_equal(row->group, "enhanced");
	protobuf_c_message_free_unpacked(reply, NULL);
	reply = NULL;
	/* It stays there when its certificate is renewed. */
	assert_int_equal(
	    enroll_renew(edge_dir, edge, TIMEOUT_MS, why).code, STATUS_OK);
	request.group = wrong;
	assert_int_equal(call_as(who, "SetGroup", &request.base, &reply).code,
	    STATUS_INVALID_ARGUMENT);
	request.group = group;
	request.identity = nobody;
	assert_int_equal(call_as(who, "SetGroup", &request.base, &reply).code,
	    STATUS_NOT_FOUND);
	assert_null(reply);
}

static void
every_identity_act_is_in_the_journal(void **state)
{
	char dir[SOFTHSM_PATH_MAX];
	uint64_t before = audit_entries(audit);
	scoped(enroll_identity_free) struct enroll_identity *who =
	    join_as(ROLE_EDGE, "audited", dir);

	(void)state;
	assert_int_equal(audit_entries(audit), before + 1);
	assert_int_equal(
	    enroll_renew(dir, who, TIMEOUT_MS, why).code, STATUS_OK);
	assert_int_equal(audit_entries(audit), before + 2);
}

static void
keyd_hands_out_its_identity_once_to_each_port(void **state)
{
	uint64_t seen = 0;
	bool changed = false;
	char *cert_pem = NULL, *key_pem = NULL;
	scoped(X509_free) X509 *cert = NULL;

	(void)state;
	assert_int_equal(
	    authority_identity(authority, &seen, &changed, &cert_pem, &key_pem)
		.code,
	    STATUS_OK);
	assert_true(changed);
	cert = x509_of(cert_pem);
	assert_int_equal(X509_check_host(cert, "keyd." DOMAIN, 0, 0, NULL), 1);
	free(cert_pem);
	free(key_pem);
	assert_int_equal(
	    authority_identity(authority, &seen, &changed, &cert_pem, &key_pem)
		.code,
	    STATUS_OK);
	assert_false(changed);
}

static void
a_csr_is_read_strictly(void **state)
{
	scoped(EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen("P-256");
	scoped(EVP_PKEY_free) EVP_PKEY *other = EVP_EC_gen("P-256");
	scoped(EVP_PKEY_free) EVP_PKEY *p384 = EVP_EC_gen("P-384");
	uint8_t der[4097], spki[CSR_KEY_SPKI_MAX];
	struct bytes csr;
	size_t len;

	(void)state;
	csr = csr_of(key, key, EVP_sha256(), der);
	assert_int_equal(csr_key_read(csr, spki, &len).code, STATUS_OK);
	assert_int_equal(len, 91);
	for (size_t cut = 0; cut < csr.len; cut++)
		assert_int_equal(
		    csr_key_read((struct bytes){ der, cut }, spki, &len).code,
		    STATUS_INVALID_ARGUMENT);
	der[csr.len] = 0; /* one octet more */
	assert_int_equal(
	    csr_key_read((struct bytes){ der, csr.len + 1 }, spki, &len).code,
	    STATUS_INVALID_ARGUMENT);
	der[csr.len - 1] ^= 1; /* the signature's last */
	assert_int_equal(
	    csr_key_read(csr, spki, &len).code, STATUS_INVALID_ARGUMENT);
	csr = csr_of(key, other, EVP_sha256(), der);
	assert_int_equal(
	    csr_key_read(csr, spki, &len).code, STATUS_INVALID_ARGUMENT);
	csr = csr_of(key, key, EVP_sha1(), der);
	assert_int_equal(
	    csr_key_read(csr, spki, &len).code, STATUS_INVALID_ARGUMENT);
	csr = csr_of(p384, p384, EVP_sha256(), der);
	assert_int_equal(
	    csr_key_read(csr, spki, &len).code, STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    csr_key_read((struct bytes){ der, sizeof(der) }, spki, &len).code,
	    STATUS_INVALID_ARGUMENT);
}

static void
guessing_is_throttled_but_good_invitations_pass(void **state)
{
	static const uint8_t wrong[32] = { 9 };
	scoped(EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen("P-256");
	scoped(enroll_identity_free) struct enroll_identity *who = NULL;
	certificate_msg *msg = NULL;
	char dir[SOFTHSM_PATH_MAX];
	uint8_t der[4096];
	struct bytes csr = csr_of(key, key, EVP_sha256(), der);
	struct status st = { 0 };
	uint64_t before;

	(void)state;
	for (int i = 0; i <= AUTHORITY_FAILURES_MAX; i++)
		st = enroll_with((struct bytes){ wrong, 32 }, csr, &msg);
	assert_int_equal(st.code, STATUS_RESOURCE_EXHAUSTED);
	before = audit_entries(audit);
	st = enroll_with((struct bytes){ wrong, 32 }, csr, &msg);
	assert_int_equal(st.code, STATUS_RESOURCE_EXHAUSTED);
	assert_int_equal(audit_entries(audit), before);
	who = join_as(ROLE_EDGE, "in-the-storm", dir);
}

static void
a_token_that_is_away_costs_no_invitation(void **state)
{
	scoped(secret_free) struct secret *secret =
	    invite_locally(ROLE_EDGE, "patient");
	scoped(EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen("P-256");
	certificate_msg *msg = NULL;
	char away[SOFTHSM_PATH_MAX + 8];
	uint8_t der[4096];
	struct bytes csr = csr_of(key, key, EVP_sha256(), der);
	struct status st;

	(void)state;
	snprintf(away, sizeof(away), "%s.away", softhsm.tokens);
	assert_int_equal(rename(softhsm.tokens, away), 0);
	st = enroll_with(secret_bytes(secret), csr, &msg);
	assert_int_equal(rename(away, softhsm.tokens), 0);
	assert_int_equal(st.code, STATUS_UNAVAILABLE);
	st = enroll_with(secret_bytes(secret), csr, &msg);
	assert_int_equal(st.code, STATUS_OK);
	free_certificate(msg);
}

/* Until the journal's trouble is noticed, or is over; a minute at most. */
static struct status
renew_until(const char *dir, enum status_code wanted)
{
	scoped(enroll_identity_free) struct enroll_identity *who = NULL;
	const int64_t end_ns = clock_mono_ns() + 60 * NS_PER_S;
	struct status st;

	assert_int_equal(enroll_load(dir, &who, why).code, STATUS_OK);
	do {
		usleep(50000);
		st = enroll_renew(dir, who, TIMEOUT_MS, why);
	} while (st.code != wanted && clock_mono_ns() < end_ns);
	return st;
}

static void
a_certificate_that_cannot_be_recorded_is_not_given_out(void **state)
{
	char file[SOFTHSM_PATH_MAX], away[SOFTHSM_PATH_MAX + 8];
	char path[SOFTHSM_PATH_MAX], dir[SOFTHSM_PATH_MAX];
	char other_dir[SOFTHSM_PATH_MAX];
	scoped(secret_free) struct secret *secret =
	    invite_locally(ROLE_EDGE, "unrecorded");
	scoped(enroll_identity_free) struct enroll_identity *other =
	    join_as(ROLE_EDGE, "recorded", other_dir);
	struct spiffe id = member(ROLE_EDGE, "unrecorded");
	struct enroll_identity *who = NULL;

	(void)state;
	assert_non_null(other);
	snprintf(file, sizeof(file), "%.200s/journal/0000000001.journal",
	    softhsm.folder);
	snprintf(away, sizeof(away), "%s.away", file);
	write_join(&id, secret_bytes(secret), path);
	state_folder(dir);
	assert_int_equal(rename(file, away), 0);
	assert_int_equal(renew_until(other_dir, STATUS_UNAVAILABLE).code,
	    STATUS_UNAVAILABLE);
	assert_why("journal");
	assert_int_equal(enroll_join(path, dir, why).code, STATUS_UNAVAILABLE);
	assert_int_equal(enroll_load(dir, &who, why).code, STATUS_NOT_FOUND);
	assert_int_equal(rename(away, file), 0);
	assert_int_equal(renew_until(other_dir, STATUS_OK).code, STATUS_OK);
	/* The invitation was not lost over it. */
	assert_int_equal(enroll_join(path, dir, why).code, STATUS_OK);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_member_joins_with_its_invitation_and_can_call_keyd),
		cmocka_unit_test(an_invitation_works_once),
		cmocka_unit_test(a_wrong_secret_is_told_nothing),
		cmocka_unit_test(
		    a_bad_csr_is_refused_and_leaves_the_invitation_good),
		cmocka_unit_test(an_expired_invitation_is_not_accepted),
		cmocka_unit_test(
		    a_renewed_certificate_has_the_same_identity_and_a_new_key),
		cmocka_unit_test(
		    certd_serves_with_its_identity_and_nobody_poses_as_it),
		cmocka_unit_test(an_operator_invites_an_edge),
		cmocka_unit_test(an_edge_invites_nobody),
		cmocka_unit_test(nobody_is_invited_as_keyd_or_under_a_bad_name),
		cmocka_unit_test(the_list_tells_the_invited_from_the_enrolled),
		cmocka_unit_test(
		    a_quarantined_name_gets_neither_certificate_nor_invitation),
		cmocka_unit_test(
		    certd_stops_edges_for_somebody_with_a_reason_and_nobody_else),
		cmocka_unit_test(nobody_quarantines_themselves),
		cmocka_unit_test(nobody_who_is_quarantined_releases_themselves),
		cmocka_unit_test(an_edge_is_moved_to_another_group),
		cmocka_unit_test(every_identity_act_is_in_the_journal),
		cmocka_unit_test(keyd_hands_out_its_identity_once_to_each_port),
		cmocka_unit_test(a_csr_is_read_strictly),
		cmocka_unit_test(
		    guessing_is_throttled_but_good_invitations_pass),
		cmocka_unit_test(a_token_that_is_away_costs_no_invitation),
		cmocka_unit_test(
		    a_certificate_that_cannot_be_recorded_is_not_given_out),
	};

	if (argc > 1 && strcmp(argv[1], "ca-worker") == 0)
		return hsm_ca_worker_main();
	return cmocka_run_group_tests(tests, start_keyd, stop_keyd);
}
