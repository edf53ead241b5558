/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is calling: the one spiffe:// URI SAN of the verified client certificate.
 * A certificate with none, or with more than one URI, names nobody.
 *
 * Core gives each connection one authentication context; what was read from it
 * is kept in a small table under its address, with a reference on the context,
 * so that an address in the table is never another connection's.
 */
#include "rpc/rpc_int.h"

#include <ctype.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

static const char not_one_uri[] =
    "the client certificate must have exactly one URI SAN, a SPIFFE ID";

/* Printable, no spaces, no zero inside: safe to compare, log and print. */
static bool
copy_id(const ASN1_IA5STRING *uri, char ret_id[SPIFFE_ID_MAX])
{
	static const char scheme[] = "spiffe://";
	const unsigned char *text = ASN1_STRING_get0_data(uri);
	int len = ASN1_STRING_length(uri);

	if (len <= (int)sizeof(scheme) - 1 || len >= SPIFFE_ID_MAX ||
	    memcmp(text, scheme, sizeof(scheme) - 1) != 0)
		return false;
	for (int i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] >= 0x7f)
			return false;
	memcpy(ret_id, text, (size_t)len);
	ret_id[len] = '\0';
	return true;
}

static STATUS
read_uri(X509 *cert, char ret_id[SPIFFE_ID_MAX])
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	const ASN1_IA5STRING *uri = NULL;
	int uris = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_URI) {
			uri = name->d.uniformResourceIdentifier;
			uris++;
		}
	}
	bool ok = uris == 1 && copy_id(uri, ret_id);
	GENERAL_NAMES_free(names);
	return ok ? status_ok()
		  : status_fail(STATUS_UNAUTHENTICATED, not_one_uri);
}

static STATUS
read_cert(struct rpc_caller *caller, const grpc_auth_property *pem)
{
	BIO *bio = BIO_new_mem_buf(pem->value, (int)pem->value_length);
	X509 *cert =
	    bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
	struct tm end;
	struct status st = status_fail(
	    STATUS_UNAUTHENTICATED, "the client certificate cannot be read");

	BIO_free(bio);
	if (cert != NULL && ASN1_TIME_to_tm(X509_get0_notAfter(cert), &end)) {
		caller->peer.not_after_s = timegm(&end);
		st = read_uri(cert, caller->id);
	}
	X509_free(cert);
	return st;
}

static STATUS
identify(struct rpc_caller *caller, const grpc_auth_context *ctx)
{
	if (ctx == NULL || !grpc_auth_context_peer_is_authenticated(ctx))
		return status_fail(STATUS_UNAUTHENTICATED,
		    "a client certificate of this server's CA is required");
	grpc_auth_property_iterator it =
	    grpc_auth_context_find_properties_by_name(
		ctx, GRPC_X509_PEM_CERT_PROPERTY_NAME);
	const grpc_auth_property *pem = grpc_auth_property_iterator_next(&it);
	if (pem == NULL)
		return status_fail(
		    STATUS_UNAUTHENTICATED, "there is no client certificate");
	return read_cert(caller, pem);
}

static struct rpc_caller *
caller_new(grpc_call *call, const grpc_auth_context *ctx, bool anonymous)
{
	struct rpc_caller *caller = calloc(1, sizeof(*caller));

	if (caller == NULL)
		return NULL;
	atomic_init(&caller->refs, 1);
	caller->peer.spiffe_id = caller->id;
	caller->peer.address = caller->address;
	char *address = grpc_call_get_peer(call);
	snprintf(caller->address, sizeof(caller->address), "%s",
	    address == NULL ? "" : address);
	gpr_free(address);
	caller->refused = anonymous ? status_ok() : identify(caller, ctx);
	return caller;
}

void
rpc_caller_unref(struct rpc_caller *caller)
{
	if (caller != NULL && atomic_fetch_sub(&caller->refs, 1) == 1)
		free(caller);
}

void
rpc_peers_init(struct rpc_peers *peers)
{
	memset(peers->at, 0, sizeof(peers->at));
	pthread_mutex_init(&peers->mu, NULL);
}

void
rpc_peers_done(struct rpc_peers *peers)
{
	for (size_t i = 0; i < RPC_PEERS_MAX; i++) {
		if (peers->at[i].ctx != NULL)
			grpc_auth_context_release(peers->at[i].ctx);
		rpc_caller_unref(peers->at[i].caller);
	}
	pthread_mutex_destroy(&peers->mu);
}

/* Multiplicative hashing; low bits of addresses are all alike. */
static size_t
slot_of(const grpc_auth_context *ctx)
{
	uint64_t x = (uint64_t)(uintptr_t)ctx * UINT64_C(0x9e3779b97f4a7c15);

	return (size_t)(x >> 32) % RPC_PEERS_MAX;
}

struct rpc_caller *
rpc_peers_find(struct rpc_peers *peers, grpc_call *call, bool anonymous)
{
	grpc_auth_context *ctx = grpc_call_auth_context(call);
	struct rpc_caller *caller = NULL;
	size_t i = slot_of(ctx);

	if (ctx == NULL)
		return caller_new(call, NULL, anonymous);
	pthread_mutex_lock(&peers->mu);
	if (peers->at[i].ctx == ctx) {
		caller = peers->at[i].caller;
		atomic_fetch_add(&caller->refs, 1);
	}
	pthread_mutex_unlock(&peers->mu);
	if (caller != NULL) {
		grpc_auth_context_release(ctx);
		return caller;
	}
	caller = caller_new(call, ctx, anonymous);
	if (caller == NULL) {
		grpc_auth_context_release(ctx);
		return NULL;
	}
	atomic_fetch_add(&caller->refs, 1);
	pthread_mutex_lock(&peers->mu);
	grpc_auth_context *old_ctx = peers->at[i].ctx;
	struct rpc_caller *old = peers->at[i].caller;
	peers->at[i].ctx = ctx;
	peers->at[i].caller = caller;
	pthread_mutex_unlock(&peers->mu);
	if (old_ctx != NULL)
		grpc_auth_context_release(old_ctx);
	rpc_caller_unref(old);
	return caller;
}

STATUS
rpc_caller_check(const struct rpc_caller *caller)
{
	if (failed(caller->refused))
		return caller->refused;
	/* Connections outlive certificates; calls do not begin after them. */
	if (caller->peer.not_after_s != 0 &&
	    caller->peer.not_after_s < clock_wall_s())
		return status_fail(STATUS_UNAUTHENTICATED,
		    "the client certificate has expired; renew it and connect "
		    "anew");
	return status_ok();
}
