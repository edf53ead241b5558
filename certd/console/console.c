/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The console's parts: made in the order in which they need each other, taken
 * apart the other way round.  Log-in and live pages are there without the
 * console's files, too: other programs may show them.
 */

#include "certd/console/console.h"

#include <stdlib.h>

#include "certd/login/sessions.h"
#include "certd/secrets.h"

struct console {
	struct console_config config;
	struct secrets *secrets;
	struct sessions *sessions;
	struct live *live;
	struct web *web; /* NULL: console.enabled is false */
};

static struct status
admits(void *ctx, const struct caller *caller)
{
	const struct console *console = ctx;

	return quarantine_check(console->config.quarantine, caller);
}

static struct status
make_sessions(struct console *console)
{
	const struct sessions_config config = {
		.store = console->config.store,
		.secrets = console->secrets,
		.config = console->config.config,
		.admits = admits,
		.admits_ctx = console,
	};

	return sessions_new(&config, &console->sessions);
}

static struct status
make_live(struct console *console)
{
	const struct live_config config = { .store = console->config.store };

	return live_new(&config, &console->live);
}

STATUS
console_new(const struct console_config *config, struct console **ret_console)
{
	scoped(console_free) struct console *console =
	    calloc(1, sizeof(*console));
	struct status st;

	if (console == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	console->config = *config;
	st = secrets_open(config->config->state_dir, &console->secrets);
	if (!failed(st))
		st = make_sessions(console);
	if (!failed(st))
		st = make_live(console);
	if (!failed(st) && config->config->console.enabled)
		st = web_new(config->config->console.folder, &console->web);
	if (failed(st))
		return st;
	*ret_console = console;
	console = NULL;
	return st;
}

STATUS
console_register(struct console *console, struct api *api)
{
	return sessions_register(console->sessions, api);
}

void
console_serve(const struct console *console, struct rest_config *rest)
{
	const struct config *config = console->config.config;
	struct custody *custody = console->config.custody;

	rest->sessions = console->sessions;
	rest->console_url = config->console.url;
	rest->client_ca = config->console.client_certificates
			      ? custody_ca_pem(custody)
			      : NULL;
	rest->client_domain = custody_domain(custody);
	rest->live = console->live;
	rest->web = console->web;
}

void
console_free(struct console *console)
{
	if (console == NULL)
		return;
	web_free(console->web);
	live_free(console->live);
	sessions_free(console->sessions);
	secrets_close(console->secrets);
	free(console);
}
