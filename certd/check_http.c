/* SPDX-License-Identifier: Apache-2.0 */

/*
 * http-01 before the CA tries it: every address of every name must answer the
 * probe with "test", for a CA may come to any of them.  What stands in the way
 * is told by what it answers: a front that redirects or blocks, a page in place
 * of the answer, a server that is another's.  Read judge() for the order.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/check_probe.h"
#include "proto/message.h"

#define PER_HOST 8

/* ---- one probe: what is wrong, why, and what to do ---- */

struct verdict {
	bool is_good, is_unsure; /* unsure: this machine's fault, perhaps */
	char what[320], why[384];
	char remedy[512];
};

#define WHAT(...)                                                              \
	(void)!snprintf(verdict->what, sizeof(verdict->what), __VA_ARGS__)
#define WHY(...)                                                               \
	(void)!snprintf(verdict->why, sizeof(verdict->why), __VA_ARGS__)
#define REMEDY(...)                                                            \
	(void)!snprintf(verdict->remedy, sizeof(verdict->remedy), __VA_ARGS__)

/* What to do about a front. */
static void
blame_front(const struct check_probe *probe, struct verdict *verdict)
{
	WHY("%s stands in front of it and does not let the challenge through",
	    probe->front);
	REMEDY("turn the proxy of %s off for %s (\"DNS only\"), or make a rule "
	       "there that passes http://%s/.well-known/acme-challenge/* on "
	       "unchanged: no redirect to HTTPS, no cache, no bot check, no "
	       "log-in",
	    probe->front, probe->host->name, probe->host->name);
}

static void
blame_server(const struct check_probe *probe, struct verdict *verdict)
{
	WHY("what answers there is not what has the challenge: another server, "
	    "or a web server whose rules come before ours");
	REMEDY("on an edge, include nginx-acme.conf in the server block of %s "
	       "on port 80, before any redirect:  location ^~ "
	       "/.well-known/acme-challenge/ { proxy_pass "
	       "http://127.0.0.1:8402; }",
	    probe->host->name);
}

static void
blame(const struct check_probe *probe, struct verdict *verdict)
{
	if (probe->front != NULL)
		blame_front(probe, verdict);
	else
		blame_server(probe, verdict);
}

static void
judge_answer(const struct check_probe *probe, struct verdict *verdict)
{
	const struct http_answer *answer = &probe->reply.answer;
	const char *where = probe->hops > 0 ? " after redirects, at " : "";
	const char *host = probe->hops > 0 ? probe->now.url.host : "";

	if (answer->status == 200 && http_answer_is(answer, CHECK_PROBE_BODY)) {
		verdict->is_good = true;
		WHAT("200 \"test\"%s%s", where, host);
		return;
	}
	if (probe->wants_login)
		WHAT("%d%s%s: it leads to a log-in", answer->status, where,
		    host);
	else if (answer->status == 200 && http_answer_is_html(answer))
		WHAT("200%s%s, with a page (HTML) in place of \"test\"", where,
		    host);
	else if (answer->status == 200)
		WHAT("200%s%s, with another body than \"test\"", where, host);
	else if (answer->status == 403 || answer->status == 429 ||
		 answer->status == 503)
		WHAT("%d%s%s: it is blocked%s", answer->status, where, host,
		    http_answer_is_html(answer) ? " (a page for people: a bot "
						  "check or an error)"
						: "");
	else
		WHAT("%d%s%s", answer->status, where, host);
	if (answer->server[0] != 0 && probe->front == NULL)
		(void)!snprintf(verdict->what + strlen(verdict->what),
		    sizeof(verdict->what) - strlen(verdict->what),
		    " (server: %s)", answer->server);
	blame(probe, verdict);
}

static void
judge_tls(const struct check_probe *probe, struct verdict *verdict)
{
	WHAT("redirected to https://%s, where the TLS handshake fails",
	    probe->now.url.host);
	WHY("CAs follow redirects to HTTPS and accept any certificate there, "
	    "but there is none, or no common version of TLS");
	REMEDY("do not redirect /.well-known/acme-challenge/ to HTTPS, or mend "
	       "the HTTPS at %s",
	    probe->now.url.host);
}

static void
judge_unreachable(const struct check_run *run, const struct check_probe *probe,
    struct verdict *verdict)
{
	enum checks_http_end end = probe->reply.end;
	unsigned port = probe->now.url.port;

	WHAT("port %u %s", port, checks_http_end_text(end));
	verdict->is_unsure =
	    end == CHECKS_HTTP_NO_ROUTE || end == CHECKS_HTTP_NOT_ASKED;
	if (end == CHECKS_HTTP_REFUSED) {
		WHY("no web server listens on port %u there, and http-01 has "
		    "no other port",
		    port);
		REMEDY("have the web server listen on port %u for %s", port,
		    probe->now.url.host);
	} else if (end == CHECKS_HTTP_TIMEOUT) {
		WHY("a firewall drops the connection, or the machine is down");
		REMEDY("open port %u in the firewall for all of the internet: "
		       "CAs do not say where they come from",
		    port);
		/* Seen from here alone; where edges are reached by another
		 * way than CAs come, that is no proof. */
		verdict->is_unsure =
		    probe->host->reaches_target || check_is_late(run);
	} else if (verdict->is_unsure) {
		WHY("it may be this machine that has no way there (%s)",
		    probe->reply.trouble);
		REMEDY("give certd's machine a way to port %u of the internet, "
		       "or set acme.preflight to false",
		    port);
	} else {
		WHY("the server does not answer as a web server should");
		REMEDY("look at the log of the web server of %s",
		    probe->now.url.host);
	}
}

static void
judge_private(const struct check_probe *probe, struct verdict *verdict)
{
	WHAT("%s%s is a private or reserved address; it was not connected to",
	    probe->hops > 0 ? "redirected to " : "",
	    probe->hops > 0 ? probe->now.url.host : probe->now.address);
	WHY("a CA on the internet cannot reach it");
	REMEDY("give %s a public address, or validate by DNS (dns-01); for a "
	       "CA of your own set checks.allow_private",
	    probe->now.url.host);
}

static void
judge_redirect(const struct check_probe *probe, struct verdict *verdict)
{
	const char *location = probe->reply.answer.location;

	switch (probe->end) {
	case CHECK_PROBE_TOO_MANY:
		WHAT("more than %d redirects, the last to %s", CHECK_PROBE_HOPS,
		    location);
		break;
	case CHECK_PROBE_BAD_PORT:
		WHAT("redirected to %s, a port that CAs do not follow to",
		    location);
		break;
	case CHECK_PROBE_TO_ADDRESS:
		WHAT("redirected to %s, an address, which CAs do not follow to",
		    location);
		break;
	case CHECK_PROBE_NO_ADDRESS:
		WHAT("redirected to %s, which has no address in the DNS",
		    probe->now.url.host);
		break;
	default:
		WHAT("redirected to what is no URL of the web: %s", location);
		break;
	}
	if (probe->front != NULL) {
		blame_front(probe, verdict);
		return;
	}
	WHY("the CA does not come to the answer");
	REMEDY("take /.well-known/acme-challenge/ out of the redirects of %s",
	    probe->host->name);
}

static void
judge_probe(const struct check_run *run, const struct check_probe *probe,
    struct verdict *verdict)
{
	*verdict = (struct verdict){ .is_good = false };
	if (probe->end == CHECK_PROBE_PRIVATE)
		judge_private(probe, verdict);
	else if (probe->end != CHECK_PROBE_ANSWERED)
		judge_redirect(probe, verdict);
	else if (probe->reply.end == CHECKS_HTTP_ANSWERED)
		judge_answer(probe, verdict);
	else if (probe->reply.end == CHECKS_HTTP_TLS)
		judge_tls(probe, verdict);
	else
		judge_unreachable(run, probe, verdict);
}

/* ---- one host name ---- */

/* All addresses, what is worst of them first in why and remedy. */
static void
sum_up(const struct check_run *run, const struct check_probe *probes, size_t n,
    struct check_finding *finding)
{
	bool is_worst = false; /* a failure for sure was told */
	struct verdict verdict;

	finding->result = CHECK_PASS;
	for (size_t i = 0; i < n; i++) {
		judge_probe(run, &probes[i], &verdict);
		check_seen(finding, "%s%s: %s", i == 0 ? "" : "; ",
		    probes[i].address, verdict.what);
		check_detail(finding, "%s", probes[i].walk);
		if (verdict.is_good || is_worst)
			continue;
		is_worst = !verdict.is_unsure;
		finding->result = is_worst ? CHECK_FAIL : CHECK_WARNING;
		finding->why[0] = finding->remedy[0] = 0;
		check_why(finding, "%s", verdict.why);
		check_remedy(finding, "%s", verdict.remedy);
	}
}

static void
add_tls_trouble(
    const struct check_probe *probes, size_t n, struct check_finding *finding)
{
	for (size_t i = 0; i < n; i++) {
		if (probes[i].tls_trouble[0] == 0)
			continue;
		check_seen(finding, "; %s", probes[i].tls_trouble);
		if (finding->result != CHECK_PASS)
			return;
		finding->result = CHECK_WARNING;
		check_why(finding, "CAs let that pass for http-01, visitors' "
				   "browsers do not");
		check_remedy(finding,
		    "do not redirect /.well-known/acme-challenge/ to HTTPS; "
		    "the rest may be redirected once there is a certificate");
		return;
	}
}

static struct status
judge(struct check_run *run, const struct check_host *host,
    const struct check_probe *probes, size_t n)
{
	struct check_finding finding = { .result = CHECK_FAIL,
		.hostname = host->name };

	if (host->is_wildcard && host->validation == VALIDATION_HTTP_01) {
		check_seen(&finding, "%s is a wildcard", host->name);
		check_why(&finding, "http-01 cannot validate wildcards "
				    "(RFC 8555 7.1.3)");
		check_remedy(&finding, "choose validation dns-01, or name the "
				       "host names one by one");
		return check_add(run, &finding);
	}
	if (host->validation != VALIDATION_HTTP_01)
		return check_say(run, CHECK_NOT_APPLICABLE, host->name,
		    "it is validated by DNS");
	if (n == 0) {
		check_seen(&finding, "%s has no address to ask", host->name);
		check_why(&finding, "the CA finds no server");
		check_remedy(&finding, "see the finding about DNS");
	} else {
		sum_up(run, probes, n, &finding);
		add_tls_trouble(probes, n, &finding);
	}
	if (finding.result == CHECK_FAIL && !check_uses_acme(run)) {
		finding.result = CHECK_WARNING;
		check_why(&finding, "; it matters only where ACME is to get "
				    "its certificate");
	}
	return check_add(run, &finding);
}

/* ---- all of them ---- */

struct status
check_http(struct check_run *run)
{
	struct check_probe *probes =
	    calloc(run->n_hosts * PER_HOST + 1, sizeof(*probes));
	size_t *from = calloc(run->n_hosts + 1, sizeof(*from));
	struct status st = message_no_memory();
	size_t n = 0;

	if (probes != NULL && from != NULL) {
		for (size_t i = 0; i < run->n_hosts; i++) {
			const struct check_host *host = &run->hosts[i];

			from[i] = n;
			if (host->validation == VALIDATION_HTTP_01 &&
			    !host->is_wildcard)
				n += check_probe_begin(
				    run, host, probes + n, PER_HOST);
		}
		from[run->n_hosts] = n;
		st = check_probe_walk(run, probes, n);
	}
	for (size_t i = 0; i < run->n_hosts && !failed(st); i++)
		st = judge(run, &run->hosts[i], probes + from[i],
		    from[i + 1] - from[i]);
	if (probes != NULL)
		check_probe_done(probes, n);
	free(from);
	free(probes);
	return st;
}
