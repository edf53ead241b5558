/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The checks of keyd.yaml that no schema can say: names that must differ,
 * addresses, the trust domain.  A relative path is refused: what a daemon opens
 * must not hang on where it was started.
 */

#include <stdio.h>
#include <string.h>

#include "base/spiffe.h"
#include "keyd/config.h"
#include "ledger/note.h"

static bool
is_address(const char *text)
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

static const char *
wrong_addresses(const struct config *config)
{
	const struct conf_strings *lists[] = { &config->advertise,
		&config->enroll_advertise };

	if (!is_address(config->listen))
		return "listen: write address:port, such as 127.0.0.1:7443";
	if (!is_address(config->enroll_listen))
		return "enroll_listen: write address:port, such as "
		       "127.0.0.1:7444";
	if (config->metrics_listen[0] != 0 &&
	    !is_address(config->metrics_listen))
		return "metrics_listen: write address:port, such as "
		       "127.0.0.1:9443";
	if (config->audit.listen[0] != 0 && !is_address(config->audit.listen))
		return "audit.listen: write address:port, such as "
		       "127.0.0.1:7480";
	for (size_t l = 0; l < 2; l++)
		for (size_t i = 0; i < lists[l]->len; i++)
			if (!is_address(lists[l]->at[i]))
				return "advertise, enroll_advertise: write "
				       "host:port, such as keyd.example:7443";
	return NULL;
}

static bool
is_absolute(const char *path)
{
	return path[0] == '/' ||
	       strncmp(path, "$CREDENTIALS_DIRECTORY/", 23) == 0;
}

static bool
all_absolute(const struct conf_strings *paths)
{
	for (size_t i = 0; i < paths->len; i++)
		if (paths->at[i][0] != '/' ||
		    strchr(paths->at[i], '\n') != NULL)
			return false;
	return true;
}

static const char *
wrong_paths(const struct config *config)
{
	if (config->state_dir[0] != '/')
		return "state_dir: write an absolute path";
	if (config->audit.directory[0] != 0 &&
	    config->audit.directory[0] != '/')
		return "audit.directory: write an absolute path";
	if (config->identity.module[0] != '/' ||
	    !is_absolute(config->identity.pin_file))
		return "identity: write absolute paths for module and "
		       "pin_file";
	if (!all_absolute(&config->identity.paths))
		return "identity: write absolute paths in paths";
	for (size_t i = 0; i < config->pools.len; i++) {
		const struct config_pool *pool = config_pool_at(config, i);

		if (pool->module[0] != '/' || !is_absolute(pool->pin_file))
			return "pools: write absolute paths for module and "
			       "pin_file";
		if (!all_absolute(&pool->paths))
			return "pools: write absolute paths in paths";
	}
	return NULL;
}

static const char *
wrong_pools(const struct config *config)
{
	for (size_t i = 0; i < config->pools.len; i++) {
		const struct config_pool *pool = config_pool_at(config, i);

		if (strspn(
			pool->name, "abcdefghijklmnopqrstuvwxyz0123456789-_") !=
		    strlen(pool->name))
			return "pools: a name consists of a-z 0-9 - _";
		/* libp11 fails on a token that holds an Ed25519 key, as a
		 * pool's does. */
		if (strcmp(pool->token, config->identity.token) == 0 &&
		    strcmp(pool->module, config->identity.module) == 0)
			return "identity: give the CA a token of its own, not "
			       "that of a pool";
		for (size_t j = 0; j < i; j++) {
			const struct config_pool *other =
			    config_pool_at(config, j);

			if (strcmp(pool->name, other->name) == 0)
				return "pools: two have the same name";
			if (strcmp(pool->token, other->token) == 0 &&
			    strcmp(pool->module, other->module) == 0)
				return "pools: two name the same token; use "
				       "one pool with more workers";
		}
	}
	return NULL;
}

/* As it stands in a URL, or it would match none. */
static bool
is_url_host(const char *text)
{
	size_t len = strlen(text);

	return len > 0 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.-:[]") == len;
}

static const char *
wrong_lists(const struct config *config)
{
	const struct conf_strings *hosts = &config->signing.acme_hosts;

	for (size_t i = 0; i < hosts->len; i++)
		if (!is_url_host(hosts->at[i]))
			return "signing.acme_hosts: write host or host:port "
			       "in lower case, such as "
			       "acme-v02.api.letsencrypt.org";
	for (size_t i = 0; i < config->pools.len; i++) {
		const struct conf_strings *groups =
		    &config_pool_at(config, i)->edge_groups;

		for (size_t g = 0; g < groups->len; g++)
			if (!policy_group_ok(groups->at[g]))
				return "pools: an edge group's name is 1 to 63 "
				       "of A-Z a-z 0-9 . _ -";
	}
	return NULL;
}

static const char *
wrong_witnesses(const struct config *config)
{
	for (size_t i = 0; i < config->audit.witnesses.len; i++) {
		struct note_key key;

		if (failed(
			note_key_parse(config->audit.witnesses.at[i], &key)) ||
		    key.type != NOTE_COSIGNATURE)
			return "audit.witnesses: write verifier keys of "
			       "witnesses, NAME+HASH+BASE64 of type 4";
	}
	return NULL;
}

const char *
config_check(const struct config *config)
{
	struct spiffe id = { .role = ROLE_KEYD, .name = "keyd" };
	char text[SPIFFE_ID_MAX];
	const char *wrong;

	snprintf(id.domain, sizeof(id.domain), "%s", config->domain);
	if (failed(spiffe_print(&id, text)))
		return "domain: write a domain name in lower case, such as "
		       "holdfast.example";
	snprintf(id.name, sizeof(id.name), "%s", config->name);
	if (failed(spiffe_print(&id, text)))
		return "name: use A-Z a-z 0-9 . _ -";
	wrong = wrong_addresses(config);
	if (wrong == NULL)
		wrong = wrong_paths(config);
	if (wrong == NULL)
		wrong = wrong_pools(config);
	if (wrong == NULL)
		wrong = wrong_witnesses(config);
	if (wrong == NULL)
		wrong = wrong_lists(config);
	if (wrong == NULL &&
	    config->keys.destroy_delay_ns < config->keys.destroy_delay_min_ns)
		wrong = "keys: destroy_delay is at least destroy_delay_min";
	return wrong;
}
