/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The way of a CA to the answer of an http-01 challenge, walked before it; see
 * check_probe.h.  All probes take a step at once: ask, and where the answers
 * redirect, look up the next hosts.  Nothing is connected to that is not
 * public, whatever the DNS says, unless the configuration allows it; and no
 * port but those that CAs follow redirects to.
 */

#include "certd/check_probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/check_address.h"
#include "proto/message.h"

#define PER_FAMILY 4
#define STEP_MS 8000

/* ---- beginning ---- */

static void
begin_one(const struct check_run *run, const struct check_host *host,
    const char *address, struct check_probe *probe)
{
	unsigned port = (unsigned)run->config->config->checks.http_port;
	char url[CHECKS_HTTP_URL_MAX];

	*probe = (struct check_probe){ .host = host };
	(void)!snprintf(probe->address, sizeof(probe->address), "%s", address);
	(void)!snprintf(
	    probe->now.address, sizeof(probe->now.address), "%s", address);
	if (port == 80)
		(void)!snprintf(url, sizeof(url), "http://%s%s", host->name,
		    CHECK_PROBE_PATH);
	else
		(void)!snprintf(url, sizeof(url), "http://%s:%u%s", host->name,
		    port, CHECK_PROBE_PATH);
	if (!check_may_connect(run, address))
		probe->end = CHECK_PROBE_PRIVATE;
	else if (!checks_http_url(NULL, url, &probe->now.url))
		probe->end = CHECK_PROBE_BAD_URL;
}

size_t
check_probe_begin(const struct check_run *run, const struct check_host *host,
    struct check_probe *ret_probes, size_t max)
{
	size_t of_family[2] = { 0, 0 }, n = 0;

	for (size_t i = 0; i < host->chain.n_addresses && n < max; i++) {
		const char *address = host->chain.addresses[i];

		if (of_family[check_address_is_v6(address)]++ < PER_FAMILY)
			begin_one(run, host, address, &ret_probes[n++]);
	}
	return n;
}

/* ---- an answer ---- */

static void
note(struct check_probe *probe)
{
	const struct checks_http_reply *reply = &probe->reply;
	const struct http_answer *answer = &reply->answer;
	size_t len = strlen(probe->walk);
	char *at = probe->walk + len;
	size_t room = sizeof(probe->walk) - len;

	if (reply->end == CHECKS_HTTP_ANSWERED)
		(void)!snprintf(at, room, "GET %s (%s): %d%s%s%s%s\n",
		    probe->now.url.text, probe->now.address, answer->status,
		    answer->server[0] == 0 ? "" : ", server ", answer->server,
		    answer->location[0] == 0 ? "" : ", location ",
		    answer->location);
	else
		(void)!snprintf(at, room, "GET %s (%s): %s (%s)\n",
		    probe->now.url.text, probe->now.address,
		    checks_http_end_text(reply->end), reply->trouble);
	if (probe->front == NULL)
		probe->front = answer->front;
	if (http_answer_wants_login(answer))
		probe->wants_login = true;
}

/* CAs let it pass; visitors' browsers do not. */
static void
look_at_leaf(const struct check_run *run, struct check_probe *probe)
{
	const struct pki_cert *leaf = probe->reply.leaf;
	const char *wrong = NULL;

	if (leaf == NULL || probe->tls_trouble[0] != 0)
		return;
	if (leaf->not_after_s < run->now_s)
		wrong = "has expired";
	else if (!pki_cert_covers(leaf, probe->now.url.host))
		wrong = "is for other names";
	else if (leaf->is_self_signed)
		wrong = "is self-signed";
	if (wrong != NULL)
		(void)!snprintf(probe->tls_trouble, sizeof(probe->tls_trouble),
		    "the certificate at %s %s", probe->now.url.host, wrong);
}

/* CAs follow to 80 and 443 alone. */
static bool
port_is_followed(const struct check_run *run, const struct checks_http_url *url)
{
	const struct config *config = run->config->config;

	return url->port == 80 || url->port == 443 ||
	       url->port == config->checks.http_port ||
	       url->port == config->checks.https_port;
}

static void
follow(const struct check_run *run, struct check_probe *probe)
{
	struct checks_http_url next;

	if (probe->hops++ == CHECK_PROBE_HOPS)
		probe->end = CHECK_PROBE_TOO_MANY;
	else if (!checks_http_url(
		     &probe->now.url, probe->reply.answer.location, &next))
		probe->end = CHECK_PROBE_BAD_URL;
	else if (next.host_is_address)
		probe->end = CHECK_PROBE_TO_ADDRESS;
	else if (!port_is_followed(run, &next))
		probe->end = CHECK_PROBE_BAD_PORT;
	if (probe->end != CHECK_PROBE_UNDER_WAY)
		return;
	/* Not where it leads, but where the DNS says that is. */
	if (strcmp(next.host, probe->now.url.host) != 0)
		probe->now.address[0] = 0;
	probe->now.url = next;
}

static void
take_reply(const struct check_run *run, struct check_probe *probe,
    const struct checks_http_reply *reply)
{
	checks_http_reply_done(&probe->reply);
	probe->reply = *reply;
	note(probe);
	look_at_leaf(run, probe);
	if (reply->end == CHECKS_HTTP_ANSWERED &&
	    http_answer_is_redirect(&reply->answer))
		follow(run, probe);
	else
		probe->end = CHECK_PROBE_ANSWERED;
}

/* ---- the next hosts ---- */

static void
take_address(const struct check_run *run, struct check_probe *probe,
    const struct dns_chain *chain)
{
	const char *found = NULL;

	/* IPv4 first: not every machine that looks has the other. */
	for (size_t i = 0; i < chain->n_addresses; i++)
		if (found == NULL ||
		    (check_address_is_v6(found) &&
			!check_address_is_v6(chain->addresses[i])))
			found = chain->addresses[i];
	if (found == NULL) {
		probe->end = CHECK_PROBE_NO_ADDRESS;
		return;
	}
	(void)!snprintf(
	    probe->now.address, sizeof(probe->now.address), "%s", found);
	if (!check_may_connect(run, found))
		probe->end = CHECK_PROBE_PRIVATE;
}

static struct status
look_up(const struct check_run *run, struct check_probe **active, size_t n)
{
	const char **names = calloc(n + 1, sizeof(*names));
	struct dns_chain *chains = calloc(n + 1, sizeof(*chains));
	struct check_probe **waiting = calloc(n + 1, sizeof(*waiting));
	struct status st = status_ok();
	size_t m = 0;

	if (names == NULL || chains == NULL || waiting == NULL)
		st = message_no_memory();
	for (size_t i = 0; i < n && !failed(st); i++)
		if (active[i]->end == CHECK_PROBE_UNDER_WAY &&
		    active[i]->now.address[0] == 0) {
			waiting[m] = active[i];
			names[m++] = active[i]->now.url.host;
		}
	if (!failed(st) && m > 0)
		st = dns_chain(run->config->resolver, names, m, chains);
	for (size_t i = 0; i < m && !failed(st); i++)
		take_address(run, waiting[i], &chains[i]);
	free(waiting);
	free(chains);
	free(names);
	return st;
}

/* ---- steps ---- */

static struct status
ask(const struct check_run *run, struct check_probe **active, size_t n)
{
	struct checks_http_ask *asks = calloc(n, sizeof(*asks));
	struct checks_http_reply *replies = calloc(n, sizeof(*replies));
	struct status st = message_no_memory();

	if (asks != NULL && replies != NULL) {
		for (size_t i = 0; i < n; i++) {
			asks[i] = active[i]->now;
			replies[i].end = CHECKS_HTTP_NOT_ASKED;
		}
		st = check_is_late(run)
			 ? status_ok()
			 : checks_http_get(
			       asks, n, check_left_ms(run, STEP_MS), replies);
		for (size_t i = 0; i < n; i++)
			take_reply(run, active[i], &replies[i]);
	}
	free(replies);
	free(asks);
	return st;
}

STATUS
check_probe_walk(
    const struct check_run *run, struct check_probe *probes, size_t n)
{
	struct check_probe **active = calloc(n + 1, sizeof(*active));
	struct status st = active == NULL ? message_no_memory() : status_ok();

	while (!failed(st)) {
		size_t m = 0;

		for (size_t i = 0; i < n; i++)
			if (probes[i].end == CHECK_PROBE_UNDER_WAY)
				active[m++] = &probes[i];
		if (m == 0)
			break;
		st = ask(run, active, m);
		if (!failed(st))
			st = look_up(run, active, m);
	}
	free(active);
	return st;
}

void
check_probe_done(struct check_probe *probes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		checks_http_reply_done(&probes[i].reply);
}
