/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What certd has for people, joined; each part is made after those that it
 * borrows, and taken apart the other way round.
 */

#include "certd/people.h"

#include <stdlib.h>

#include "certd/console/live.h"
#include "certd/console/web.h"
#include "certd/login/sessions.h"
#include "certd/secrets.h"
#include "proto/message.h"

struct people {
	struct people_config config;
	struct secrets *secrets;
	struct sessions *sessions;
	struct web *web; /* NULL: no console is served */
	struct live *live;
};

static struct status
admits(void *ctx, const struct caller *caller)
{
	const struct people *people = ctx;

	return quarantine_check(people->config.quarantine, caller);
}

static struct status
make_sessions(struct people *people)
{
	const struct sessions_config config = {
		.store = people->config.store,
		.secrets = people->secrets,
		.config = people->config.config,
		.admits = admits,
		.admits_ctx = people,
	};

	return sessions_new(&config, &people->sessions);
}

static struct status
make_console(struct people *people)
{
	const struct live_config config = { .store = people->config.store };
	struct status st = live_new(&config, &people->live);

	if (failed(st) || !people->config.config->console.enabled)
		return st;
	return web_new(people->config.config->console.folder, &people->web);
}

STATUS
people_new(const struct people_config *config, struct people **ret_people,
    char *ret_why)
{
	scoped(people_free) struct people *people = calloc(1, sizeof(*people));
	struct status st;

	ret_why[0] = 0;
	if (people == NULL)
		return message_no_memory();
	people->config = *config;
	st = secrets_open(config->config->state_dir, &people->secrets);
	if (!failed(st))
		st = make_sessions(people);
	if (!failed(st))
		st = make_console(people);
	if (failed(st))
		return st;
	*ret_people = people;
	people = NULL;
	return st;
}

STATUS
people_register(struct people *people, struct api *api)
{
	return sessions_register(people->sessions, api);
}

void
people_serve(struct people *people, struct rest_config *rest)
{
	const struct people_config *config = &people->config;

	rest->web = people->web;
	rest->live = people->live;
	rest->sessions = people->sessions;
	rest->console_url = config->config->console.url;
	rest->client_domain = custody_domain(config->custody);
	if (config->config->console.client_certificates)
		rest->client_ca = custody_ca_pem(config->custody);
}

void
people_free(struct people *people)
{
	if (people == NULL)
		return;
	web_free(people->web);
	live_free(people->live);
	sessions_free(people->sessions);
	secrets_close(people->secrets);
	free(people);
}
