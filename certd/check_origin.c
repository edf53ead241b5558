/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The origin answers, over HTTPS where edges fetch by HTTPS; its certificate is
 * described and not held against it, for what edges verify is their own
 * affair.  An origin at a private address is not looked at: it may be reached
 * by edges and not from here, and a host name must not be a way to probe this
 * network.
 */

#include <stdio.h>
#include <string.h>

#include "certd/check.h"
#include "certd/checks_http.h"

#define ORIGIN_MODE_HTTP 1
#define ADDRESSES_MAX 4
#define ASK_MS 6000

struct origin {
	struct checks_http_url url;
	size_t n; /* addresses */
	char addresses[ADDRESSES_MAX][64];
	size_t n_private;
};

/* ---- where it is ---- */

static bool
take_url(const struct check_run *run, struct origin *origin)
{
	char text[RESOURCE_ORIGIN_MAX + 16];

	(void)!snprintf(text, sizeof(text), "%s://%s/",
	    run->resource.origin_mode == ORIGIN_MODE_HTTP ? "http" : "https",
	    run->resource.origin_host);
	return checks_http_url(NULL, text, &origin->url);
}

static void
add_address(
    const struct check_run *run, const char *address, struct origin *origin)
{
	if (!check_may_connect(run, address))
		origin->n_private++;
	else if (origin->n < ADDRESSES_MAX)
		(void)!snprintf(origin->addresses[origin->n++],
		    sizeof(origin->addresses[0]), "%s", address);
}

static struct status
take_addresses(const struct check_run *run, struct origin *origin)
{
	const char *names[1] = { origin->url.host };
	struct dns_chain chain;
	struct status st;

	if (origin->url.host_is_address) {
		add_address(run, origin->url.host, origin);
		return status_ok();
	}
	st = dns_chain(run->config->resolver, names, 1, &chain);
	for (size_t i = 0; !failed(st) && i < chain.n_addresses; i++)
		add_address(run, chain.addresses[i], origin);
	return st;
}

/* ---- what it says ---- */

static void
describe(const struct check_run *run, const struct origin *origin,
    const struct pki_cert *leaf, struct check_finding *finding)
{
	char date[PKI_TIME_TEXT_MAX];
	const char *wrong = NULL;

	if (leaf == NULL)
		return;
	pki_time_print(leaf->not_after_s, date);
	check_seen(finding, "; certificate %s, issued by %s, valid to %s",
	    leaf->subject, leaf->issuer, date);
	for (size_t i = 0; i < leaf->n_names && i < 50; i++)
		check_detail(
		    finding, "%s%s", i == 0 ? "names: " : ", ", leaf->names[i]);
	if (leaf->not_after_s < run->now_s)
		wrong = "it has expired";
	else if (!origin->url.host_is_address &&
		 !pki_cert_covers(leaf, origin->url.host))
		wrong = "it is not for the origin's name";
	else if (leaf->is_self_signed)
		wrong = "it is self-signed";
	if (wrong == NULL)
		return;
	finding->result = CHECK_WARNING;
	check_why(finding,
	    "%s: whoever is between edge and origin can pose as the origin, "
	    "or edges that verify refuse it",
	    wrong);
	check_remedy(finding,
	    "give the web server of %s a certificate for "
	    "that name, from a CA that edges trust",
	    origin->url.host);
}

static void
judge_silence(const struct check_run *run, const struct origin *origin,
    const struct checks_http_reply *reply, struct check_finding *finding)
{
	finding->result = run->is_preflight ? CHECK_WARNING : CHECK_FAIL;
	check_seen(finding, "%s (%s)", checks_http_end_text(reply->end),
	    reply->trouble);
	check_why(finding, "edges fetch the site's pages from there");
	if (reply->end == CHECKS_HTTP_TLS)
		check_remedy(finding,
		    "have %s speak HTTPS on port %u, or holdfast resource set "
		    "... --origin-mode http",
		    origin->url.host, origin->url.port);
	else
		check_remedy(finding,
		    "see that a web server listens on port %u of %s and that "
		    "its firewall lets edges in",
		    origin->url.port, origin->url.host);
}

static struct status
judge(struct check_run *run, const struct origin *origin,
    const struct checks_http_reply *replies)
{
	struct check_finding finding = { .result = CHECK_PASS };
	const struct checks_http_reply *good = NULL, *first = &replies[0];

	for (size_t i = 0; i < origin->n; i++)
		if (good == NULL && replies[i].end == CHECKS_HTTP_ANSWERED)
			good = &replies[i];
	check_seen(&finding, "%s at %s ", origin->url.text,
	    origin->addresses[good == NULL ? 0 : good - replies]);
	if (good == NULL) {
		judge_silence(run, origin, first, &finding);
		return check_add(run, &finding);
	}
	check_seen(&finding, "answers %d", good->answer.status);
	if (origin->n > 1)
		for (size_t i = 0; i < origin->n; i++)
			check_detail(&finding, "%s: %s\n", origin->addresses[i],
			    checks_http_end_text(replies[i].end));
	describe(run, origin, good->leaf, &finding);
	if (good->answer.status >= 500 && finding.result == CHECK_PASS) {
		finding.result = CHECK_WARNING;
		check_why(&finding, "that is an error of the origin's");
		check_remedy(&finding, "look at the log of its web server");
	}
	return check_add(run, &finding);
}

static struct status
no_address(struct check_run *run, const struct origin *origin)
{
	struct check_finding finding = {
		.result = run->is_preflight ? CHECK_WARNING : CHECK_FAIL
	};

	if (origin->n_private > 0)
		return check_say(run, CHECK_NOT_APPLICABLE, NULL,
		    "it is at a private address, which only edges are to "
		    "connect to");
	check_seen(&finding, "%s has no address", origin->url.host);
	check_why(&finding, "edges fetch the site's pages from there");
	check_remedy(
	    &finding, "put into the DNS:  %s.  A  ADDRESS", origin->url.host);
	return check_add(run, &finding);
}

static struct status
look(struct check_run *run, const struct origin *origin)
{
	struct checks_http_reply replies[ADDRESSES_MAX];
	struct checks_http_ask asks[ADDRESSES_MAX];
	struct status st;

	for (size_t i = 0; i < origin->n; i++) {
		asks[i].url = origin->url;
		memcpy(asks[i].address, origin->addresses[i],
		    sizeof(asks[i].address));
	}
	st = checks_http_get(
	    asks, origin->n, check_left_ms(run, ASK_MS), replies);
	if (!failed(st))
		st = judge(run, origin, replies);
	for (size_t i = 0; i < origin->n; i++)
		checks_http_reply_done(&replies[i]);
	return st;
}

struct status
check_origin(struct check_run *run)
{
	struct origin origin = { .n = 0 };
	struct status st;

	if (!run->has_resource || run->resource.origin_host[0] == 0)
		return check_say(
		    run, CHECK_NOT_APPLICABLE, NULL, "no origin is named");
	if (check_is_late(run))
		return check_say(run, CHECK_NOT_APPLICABLE, NULL,
		    "there was no time left to look");
	if (!take_url(run, &origin))
		return check_say(run, CHECK_WARNING, NULL,
		    "its address is none that HTTP knows");
	st = take_addresses(run, &origin);
	if (failed(st))
		return st;
	return origin.n == 0 ? no_address(run, &origin) : look(run, &origin);
}
