/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The checks of certd.yaml that no schema can say: addresses, names that must
 * differ, a REST port without TLS that others could reach.  A relative path is
 * refused: what a daemon opens must not hang on where it was started.
 */

#include <stdio.h>
#include <string.h>

#include "certd/config_int.h"
#include "certd/forwarded.h"

#define LOWER_NUMBER "abcdefghijklmnopqrstuvwxyz0123456789"
#define GROUP_MAX 63
#define LABEL_MAX 63

bool
config_is_address(const char *text)
{
	const char *colon = strrchr(text, ':');
	unsigned port = 0;

	if (colon == NULL || colon == text || colon[1] == 0 ||
	    strlen(colon + 1) > 5)
		return false;
	for (const char *c = colon + 1; *c != 0; c++) {
		if (*c < '0' || *c > '9')
			return false;
		port = 10 * port + (unsigned)(*c - '0');
	}
	return port <= 65535 && strpbrk(text, " \t/") == NULL;
}

bool
config_is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 ||
	       strncmp(address, "[::1]:", 6) == 0;
}

static const char *
wrong_addresses(const struct config *config)
{
	if (!config_is_address(config->listen))
		return "listen: write address:port, such as 127.0.0.1:7445";
	if (config->metrics_listen[0] != 0 &&
	    !config_is_address(config->metrics_listen))
		return "metrics_listen: write address:port, such as "
		       "127.0.0.1:9445";
	for (size_t i = 0; i < config->keyd.len; i++)
		if (!config_is_address(config->keyd.at[i]))
			return "keyd: write host:port, such as "
			       "keyd.example:7443";
	return NULL;
}

static bool
are_proxies(const struct conf_strings *from)
{
	struct forwarded_trust trust = { .n = 0 };

	for (size_t i = 0; i < from->len; i++)
		if (!forwarded_trust_add(&trust, from->at[i]))
			return false;
	return true;
}

static const char *
wrong_rest(const struct config *config)
{
	bool has_files =
	    config->rest.certificate[0] != 0 && config->rest.key[0] != 0;

	if (config->rest.listen[0] == 0)
		return NULL;
	if (!config_is_address(config->rest.listen))
		return "rest.listen: write address:port, such as "
		       "127.0.0.1:7446, or \"\" for none";
	if (config->rest.tls == CONFIG_TLS_OFF &&
	    !config_is_loopback(config->rest.listen))
		return "rest: tls may be off on a loopback address alone, for "
		       "API tokens would cross the network in the clear";
	if (config->rest.tls != CONFIG_TLS_FILES &&
	    (config->rest.certificate[0] != 0 || config->rest.key[0] != 0))
		return "rest: certificate and key go with tls: files";
	if (config->rest.tls == CONFIG_TLS_FILES &&
	    (!has_files || config->rest.certificate[0] != '/' ||
		config->rest.key[0] != '/'))
		return "rest: tls: files takes absolute paths in certificate "
		       "and key";
	if (!are_proxies(&config->rest.trusted_proxies))
		return "rest.trusted_proxies: write addresses and networks, "
		       "such as 127.0.0.1 or 192.0.2.0/24, with no bits behind "
		       "the prefix, and not all there are";
	return NULL;
}

/* Letters, digits and hyphens in labels, as it stands in a CNAME. */
static bool
is_zone(const char *at)
{
	for (;;) {
		size_t len = strcspn(at, ".");

		if (len == 0 || len > LABEL_MAX ||
		    strspn(at, LOWER_NUMBER "-") < len || at[0] == '-' ||
		    at[len - 1] == '-')
			return false;
		if (at[len] == 0)
			return true;
		at += len + 1;
	}
}

/* As keyd has them. */
static bool
is_group(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= GROUP_MAX &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ" LOWER_NUMBER "._-") ==
		   len;
}

static const char *
wrong_network(const struct networks *networks, size_t i)
{
	const struct network *network = &networks->at[i];

	if (strspn(network->name, LOWER_NUMBER "-_") != strlen(network->name))
		return "networks: a name consists of a-z 0-9 - _";
	for (size_t j = 0; j < i; j++)
		if (strcmp(networks->at[j].name, network->name) == 0)
			return "networks: two have the same name";
	for (size_t g = 0; g < network->n_edge_groups; g++)
		if (!is_group(network->edge_groups[g]))
			return "networks: an edge group's name is 1 to 63 of "
			       "A-Z a-z 0-9 . _ -";
	return NULL;
}

static const char *
wrong_networks(const struct networks *networks)
{
	const char *wrong = NULL;

	for (size_t i = 0; i < networks->n && wrong == NULL; i++)
		wrong = wrong_network(networks, i);
	if (wrong == NULL && networks_find(networks, "standard") == NULL)
		wrong = "networks: one must be named standard, for requests "
			"that name none";
	return wrong;
}

const char *
config_check(const struct config *config)
{
	const char *wrong = wrong_addresses(config);

	if (wrong == NULL && config->state_dir[0] != '/')
		wrong = "state_dir: write an absolute path";
	if (wrong == NULL)
		wrong = wrong_rest(config);
	if (wrong == NULL && config->zone[0] != 0 && !is_zone(config->zone))
		wrong = "zone: write a DNS name in lower case without a dot at "
			"its end, such as edge.example.net";
	if (wrong == NULL)
		wrong = wrong_networks(&config->all_networks);
	if (wrong == NULL)
		wrong = config_check_acme(config);
	if (wrong == NULL)
		wrong = config_check_console(config);
	return wrong;
}
