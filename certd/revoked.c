/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Is a certificate revoked?  A certificate's own words say where to ask; its
 * issuer, the next one of the chain, is whose key counts.  First CRLs, since
 * one download serves all certificates of a CA and many CAs have nothing else;
 * then OCSP, when the caller can wait that long.  Refused are private
 * addresses, and answers that are long, late or signed by others; a URL that
 * failed is left alone for a while, so that one that hangs holds nobody up.
 */

#include "certd/revoked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acme/http.h"
#include "base/log.h"
#include "certd/reach.h"
#include "certd/revoked_lists.h"
#include "pki/cert.h"
#include "pki/pem.h"

#define TIMEOUT_MS 20000
#define CONNECTIONS 16
#define MINUTE_S 60
#define HOUR_S 3600

struct revoked {
	struct acme_http *http;
	struct revoked_lists *lists;
};

/* One certificate that is looked at. */
struct look {
	struct revoked *revoked;
	struct pki_cert *cert, *issuer;
	int64_t now_s;
	bool must_wait; /* another is fetching what would say it */
	struct revoked_found *found;
};

/* ---- the chain ---- */

static bool
read_next(struct pem_reader *reader, struct pki_cert **ret_cert)
{
	char why[PEM_WHY_MAX], cert_why[PKI_CERT_WHY_MAX];
	struct pem_block block;
	scoped(free) uint8_t *der = NULL;
	size_t len = 0;
	bool found = false;

	if (failed(pem_reader_next(reader, &block, &found, why)) || !found)
		return false;
	der = malloc(block.body.len + 1);
	return der != NULL && !failed(pem_decode(&block, der, &len, why)) &&
	       !failed(pki_cert_parse(
		   (struct bytes){ der, len }, ret_cert, cert_why));
}

static bool
read_chain(const char *pem, struct look *look)
{
	struct pem_reader reader;

	pem_reader_init(&reader, bytes_of(pem));
	return read_next(&reader, &look->cert) &&
	       read_next(&reader, &look->issuer) &&
	       pki_cert_is_named_issuer(look->issuer, look->cert);
}

/* ---- asking ---- */

static void
tell_failure(const char *how, const char *url, const char *why)
{
	log_info("what a CA has revoked cannot be had", LOG_STR("by", how),
	    LOG_STR("url", url), LOG_STR("why", why));
}

static bool
fetch(struct look *look, const struct acme_http_request *request,
    const char *how, struct acme_http_reply *ret_reply)
{
	char why[ACME_HTTP_WHY_MAX] = "";
	struct status st =
	    acme_http_ask(look->revoked->http, request, ret_reply, why);

	if (!failed(st) && ret_reply->status == 200)
		return true;
	if (!failed(st)) {
		(void)!snprintf(why, sizeof(why), "it answers with status %d",
		    ret_reply->status);
		acme_http_reply_done(ret_reply);
	}
	tell_failure(how, request->url, why);
	return false;
}

static bool
say(struct look *look, const char *how, const char *url)
{
	look->found->is_said = true;
	(void)!snprintf(look->found->source, sizeof(look->found->source),
	    "%s %s", how, url);
	return true;
}

/* ---- CRLs ---- */

static bool
fetch_crl(struct look *look, const char *url)
{
	struct revoked_lists *lists = look->revoked->lists;
	const struct acme_http_request request = {
		.method = "GET", .url = url, .max_len = REVOKED_LIST_MAX
	};
	struct acme_http_reply reply = { .body = NULL };
	char why[REVOCATION_WHY_MAX] = "there is not enough memory";
	struct revoked_list list;

	if (!fetch(look, &request, "CRL", &reply)) {
		revoked_lists_failed(lists, url, look->now_s);
		return false;
	}
	list = (struct revoked_list){ url, (uint8_t *)reply.body, reply.len };
	if (!failed(revoked_lists_keep(lists, &list, look->cert, look->issuer,
		look->now_s, &look->found->answer, why)))
		return true;
	tell_failure("CRL", url, why);
	return false;
}

static bool
look_at_crl(struct look *look, const char *url)
{
	switch (revoked_lists_look(look->revoked->lists, url, look->cert,
	    look->issuer, look->now_s, &look->found->answer)) {
	case REVOKED_LISTS_SAID:
		return say(look, "CRL", url);
	case REVOKED_LISTS_ASK:
		return fetch_crl(look, url) && say(look, "CRL", url);
	case REVOKED_LISTS_BUSY:
		look->must_wait = true;
		return false;
	case REVOKED_LISTS_PAUSED:
		return false;
	}
	return false;
}

/* ---- OCSP ---- */

static bool
ask_responder(struct look *look, const char *url, struct bytes asked)
{
	const struct acme_http_request request = { .method = "POST",
		.url = url,
		.content_type = "application/ocsp-request",
		.accept = "application/ocsp-response",
		.body = asked,
		.max_len = REVOCATION_OCSP_MAX };
	struct acme_http_reply reply = { .body = NULL };
	char why[REVOCATION_WHY_MAX] = "there is not enough memory";
	struct status st;

	/* An answer that is no good is so for one certificate alone. */
	if (!fetch(look, &request, "OCSP", &reply)) {
		revoked_lists_failed(look->revoked->lists, url, look->now_s);
		return false;
	}
	st = revocation_answered(
	    (struct bytes){ (const uint8_t *)reply.body, reply.len },
	    look->cert, look->issuer, look->now_s, &look->found->answer, why);
	acme_http_reply_done(&reply);
	if (failed(st))
		tell_failure("OCSP", url, why);
	return !failed(st);
}

static bool
look_at_responder(struct look *look, const char *url)
{
	scoped(free) uint8_t *asked = NULL;
	size_t len = 0;

	return !revoked_lists_are_paused(
		   look->revoked->lists, url, look->now_s) &&
	       !failed(
		   revocation_ask(look->cert, look->issuer, &asked, &len)) &&
	       ask_responder(look, url, (struct bytes){ asked, len }) &&
	       say(look, "OCSP", url);
}

/* ---- looking ---- */

/* In six hours, an hour when nobody said it, a twentieth of a shorter life, and
 * up to a sixth later: chance spreads them. */
static int64_t
find_next(const struct look *look)
{
	int64_t life_s = look->cert->not_after_s - look->cert->not_before_s;
	int64_t pause_s = look->found->is_said ? 6 * HOUR_S : HOUR_S;
	uint64_t seed;

	if (pause_s > life_s / 20)
		pause_s = life_s / 20;
	if (pause_s < MINUTE_S || look->must_wait)
		pause_s = MINUTE_S;
	memcpy(&seed, look->cert->fingerprint, sizeof(seed));
	seed ^= (uint64_t)look->now_s;
	return look->now_s + pause_s +
	       (int64_t)(seed % ((uint64_t)pause_s / 6 + 1));
}

static void
look_around(struct look *look, bool may_ask_each)
{
	struct revocation_places places;
	bool is_said = false;

	revocation_places(look->cert, &places);
	if (places.n_crls + places.n_ocsps == 0 ||
	    look->cert->not_after_s < look->now_s)
		return;
	for (size_t i = 0; i < places.n_crls && !is_said; i++)
		is_said = look_at_crl(look, places.crls[i]);
	if (may_ask_each && !look->must_wait)
		for (size_t i = 0; i < places.n_ocsps && !is_said; i++)
			is_said = look_at_responder(look, places.ocsps[i]);
	look->found->next_s = find_next(look);
}

void
revoked_look(struct revoked *revoked, const char *chain_pem, bool may_ask_each,
    int64_t now_s, struct revoked_found *ret_found)
{
	struct look look = {
		.revoked = revoked, .now_s = now_s, .found = ret_found
	};

	memset(ret_found, 0, sizeof(*ret_found));
	if (read_chain(chain_pem, &look))
		look_around(&look, may_ask_each);
	pki_cert_free(look.cert);
	pki_cert_free(look.issuer);
}

/* ---- life ---- */

STATUS
revoked_new(const struct config *config, struct revoked **ret_revoked)
{
	const struct acme_http_config http = {
		.user_agent = "holdfast/" HOLDFAST_VERSION,
		.timeout_ms = TIMEOUT_MS,
		.connections = CONNECTIONS,
		.is_signed = true,
		.may_connect =
		    config->checks.allow_private ? NULL : reach_is_public,
	};
	scoped(revoked_free) struct revoked *revoked =
	    calloc(1, sizeof(*revoked));
	struct status st;

	if (revoked == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	st = acme_http_new(&http, &revoked->http);
	if (!failed(st))
		st = revoked_lists_new(&revoked->lists);
	if (failed(st))
		return st;
	*ret_revoked = revoked;
	revoked = NULL;
	return st;
}

void
revoked_free(struct revoked *revoked)
{
	if (revoked == NULL)
		return;
	acme_http_free(revoked->http);
	revoked_lists_free(revoked->lists);
	free(revoked);
}
