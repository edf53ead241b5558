/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Fields of a resource, as callers give them.  Host names are brought into one
 * spelling (pki/hostname.h), so that a name has one resource.  In the
 * operator's zone callers get single names; the zone itself and wildcards in it
 * would take other accounts' targets over, so these are for operators.
 */

#include "certd/resource_fields.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/known_names.h"
#include "certd/text.h"
#include "proto/message.h"

#define LABEL_MAX 63
#define SUFFIX_LEN 6 /* "-k3x9a" */
#define TARGET_TRIES 20
#define PORT_MAX 65535

static struct status
refuse(void)
{
	return status_fail(
	    STATUS_INVALID_ARGUMENT, "a field is not well formed");
}

STATUS
resource_fields_name(
    struct api_call *call, const char *name, struct resource_row *row)
{
	struct status st =
	    text_check_line(call, "name", name, 1, sizeof(row->name) - 1);

	if (!failed(st))
		snprintf(row->name, sizeof(row->name), "%s", name);
	return st;
}

/* ---- origin ---- */

/* 1..65535, without a leading zero. */
static bool
is_port(const char *text)
{
	size_t len = strlen(text);

	return len >= 1 && len <= 5 && text[0] != '0' &&
	       strspn(text, "0123456789") == len &&
	       strtoul(text, NULL, 10) <= PORT_MAX;
}

/* Cut text into host and port; an IPv6 address stands in brackets. */
static bool
split(const char *text, char host[HOSTNAME_MAX], const char **ret_port)
{
	const char *end, *port;
	size_t len;

	if (text[0] == '[') {
		end = strchr(text, ']');
		if (end == NULL)
			return false;
		end++;
	} else {
		end = text + strcspn(text, ":");
	}
	len = (size_t)(end - text);
	port = end[0] == ':' ? end + 1 : end;
	if (len == 0 || len >= HOSTNAME_MAX || (end[0] != 0 && end[0] != ':') ||
	    (end[0] == ':' && !is_port(port)))
		return false;
	memcpy(host, text, len);
	host[len] = 0;
	*ret_port = port;
	return true;
}

/* In one spelling, in place. */
static bool
normalize_host(char host[HOSTNAME_MAX])
{
	char address[INET6_ADDRSTRLEN + 1], why[HOSTNAME_WHY_MAX];
	char name[HOSTNAME_MAX];
	struct in6_addr in6;
	struct in_addr in;

	if (host[0] == '[') {
		size_t len = strlen(host) - 2;

		if (len >= sizeof(address))
			return false;
		memcpy(address, host + 1, len);
		address[len] = 0;
		return inet_pton(AF_INET6, address, &in6) == 1;
	}
	if (inet_pton(AF_INET, host, &in) == 1)
		return true;
	if (failed(hostname_normalize(host, name, why)) ||
	    hostname_is_wildcard(name))
		return false;
	memcpy(host, name, sizeof(name));
	return true;
}

STATUS
resource_fields_origin(struct api_call *call,
    const Holdfast__Certd__V1__Origin *origin, struct resource_row *row)
{
	char host[HOSTNAME_MAX];
	const char *port = "";
	int mode = 0;

	if (origin != NULL)
		mode = (int)origin->mode;
	if (mode < 0 ||
	    mode > HOLDFAST__CERTD__V1__ORIGIN_MODE__ORIGIN_MODE_MATCH)
		return api_explain(
		    call, refuse(), "the origin's mode is none there is");
	if (origin == NULL || origin->host[0] == 0) {
		row->origin_host[0] = 0;
		row->origin_mode = mode;
		return status_ok();
	}
	if (!split(origin->host, host, &port) || !normalize_host(host))
		return api_explain(call, refuse(),
		    "the origin must be a host name or an address, with a port "
		    "if need be: origin.example.com:8443, 192.0.2.1, "
		    "[2001:db8::1]:443");
	snprintf(row->origin_host, sizeof(row->origin_host), "%s%s%s", host,
	    port[0] == 0 ? "" : ":", port);
	row->origin_mode =
	    mode == 0 ? HOLDFAST__CERTD__V1__ORIGIN_MODE__ORIGIN_MODE_MATCH
		      : mode;
	return status_ok();
}

/* ---- network and edge group ---- */

STATUS
resource_fields_network(struct api_call *call, const struct networks *networks,
    const char *network, struct resource_row *row)
{
	const struct network *found = networks_find(networks, network);

	if (found == NULL)
		return known_names_refuse_network(call, networks, network);
	snprintf(row->network, sizeof(row->network), "%s", found->name);
	return status_ok();
}

STATUS
resource_fields_group(struct api_call *call, const struct networks *networks,
    const char *edge_group, struct resource_row *row)
{
	const struct network *network = networks_find(networks, row->network);
	char what[NETWORK_NAME_MAX + 32];
	struct known_names known = { 0 };

	if (network == NULL)
		return api_explain(call,
		    status_fail(STATUS_FAILED_PRECONDITION,
			"the resource's network is configured no longer"),
		    "network %s is not in certd's configuration any more",
		    row->network);
	if (edge_group[0] == 0)
		edge_group = network->edge_groups[0];
	if (network_has_group(network, edge_group)) {
		snprintf(
		    row->edge_group, sizeof(row->edge_group), "%s", edge_group);
		return status_ok();
	}
	for (size_t i = 0; i < network->n_edge_groups; i++)
		known_names_add(&known, network->edge_groups[i]);
	(void)!snprintf(
	    what, sizeof(what), "edge_group: on network %s", network->name);
	return known_names_refuse(call, &known, what, edge_group);
}

/* ---- host names ---- */

bool
resource_fields_in_zone(const char *zone, const char *name)
{
	size_t len = strlen(name), zone_len = strlen(zone);

	if (zone_len == 0 || len < zone_len ||
	    strcmp(name + len - zone_len, zone) != 0)
		return false;
	return len == zone_len || name[len - zone_len - 1] == '.';
}

static struct status
check_zone(struct api_call *call, const char *zone, const char *name)
{
	if (call->caller->is == ALLOW_OPERATOR ||
	    !resource_fields_in_zone(zone, name) ||
	    (strcmp(name, zone) != 0 && !hostname_is_wildcard(name)))
		return status_ok();
	return api_explain(call,
	    status_fail(STATUS_PERMISSION_DENIED,
		"the operator's zone is not the caller's"),
	    "%s would take over other resources' names in %s; only an operator "
	    "gives it out. Ask for a single name in it",
	    name, zone);
}

static struct status
add_name(struct api_call *call, const char *zone, const char *asked,
    struct names *names)
{
	char name[HOSTNAME_MAX], why[HOSTNAME_WHY_MAX] = "";
	struct status st = hostname_normalize(asked, name, why);

	if (failed(st))
		return api_explain(call, st, "%s", why);
	st = check_zone(call, zone, name);
	if (!failed(st) && !names_has(names, name) && !names_add(names, name))
		st = message_no_memory();
	return st;
}

STATUS
resource_fields_names(struct api_call *call, const char *zone,
    const struct resource_row *row, size_t n, char *const *asked,
    struct names *ret_names)
{
	scoped(names_done) struct names names = { 0 };
	struct status st = status_ok();

	if (n > RESOURCE_HOSTNAMES_MAX)
		return api_explain(call, refuse(),
		    "a resource has at most %d host names; make another one",
		    RESOURCE_HOSTNAMES_MAX);
	if (n == 0 && strchr(row->target, '.') == NULL)
		return api_explain(call, refuse(),
		    "name at least one host name: the operator has configured "
		    "no zone (certd.yaml), so there is none to be had by "
		    "itself");
	for (size_t i = 0; i < n && !failed(st); i++)
		st = add_name(call, zone, asked[i], &names);
	if (!failed(st) && n == 0 && !names_add(&names, row->target))
		st = message_no_memory();
	if (failed(st))
		return st;
	*ret_names = names;
	names = (struct names){ 0 };
	return st;
}

/* ---- target ---- */

/* Letters and digits of the name in small, a hyphen for any run of others, at
 * most max octets; "site" when nothing is left. */
static void
print_slug(const char *name, char *ret_slug, size_t max)
{
	size_t len = 0;

	for (; *name != 0 && len < max; name++) {
		unsigned char c = (unsigned char)*name;

		if (c < 0x80 && isalnum(c))
			ret_slug[len++] = (char)tolower(c);
		else if (len > 0 && ret_slug[len - 1] != '-')
			ret_slug[len++] = '-';
	}
	while (len > 0 && ret_slug[len - 1] == '-')
		len--;
	ret_slug[len] = 0;
	if (len == 0)
		snprintf(ret_slug, max + 1, "site");
}

static bool
print_suffix(char ret_suffix[SUFFIX_LEN + 1])
{
	static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
	uint8_t octets[SUFFIX_LEN - 1];

	if (RAND_bytes(octets, sizeof(octets)) != 1)
		return false;
	ret_suffix[0] = '-';
	for (size_t i = 0; i < sizeof(octets); i++)
		ret_suffix[i + 1] = letters[octets[i] % 32];
	ret_suffix[SUFFIX_LEN] = 0;
	return true;
}

STATUS
resource_fields_target(
    struct db_tx *tx, const char *zone, struct resource_row *row)
{
	/* The account's name has 40 octets at most. */
	size_t slug_max =
	    LABEL_MAX - SUFFIX_LEN - 1 - strlen(row->account_name);
	char slug[LABEL_MAX + 1], suffix[SUFFIX_LEN + 1] = "";
	char target[HOSTNAME_MAX + LABEL_MAX];
	bool is_free = false;
	struct status st = status_ok();

	print_slug(row->name, slug, slug_max);
	for (int i = 0; i < TARGET_TRIES && !failed(st) && !is_free; i++) {
		snprintf(target, sizeof(target), "%s-%s%s%s%s", slug,
		    row->account_name, suffix, zone[0] == 0 ? "" : ".", zone);
		st = store_resources_target_is_free(tx, target, &is_free);
		if (!failed(st) && !is_free && !print_suffix(suffix))
			st = status_fail(
			    STATUS_INTERNAL, "the random generator failed");
	}
	if (failed(st))
		return st;
	if (!is_free)
		return status_fail(STATUS_ABORTED,
		    "no free target was found; try again, or with another "
		    "name");
	if (strlen(target) >= sizeof(row->target))
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the operator's zone is too long for names in it");
	memcpy(row->target, target, strlen(target) + 1);
	return st;
}
