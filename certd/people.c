/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What certd has for people, joined; each part is made after those that it
 * borrows, and taken apart the other way round.
 */

#include "certd/people.h"

#include <stdio.h>
#include <stdlib.h>

#include "certd/console/live.h"
#include "certd/console/overview.h"
#include "certd/console/web.h"
#include "certd/keyd_health.h"
#include "certd/login/sessions.h"
#include "certd/notices/notice_text.h"
#include "certd/notices/notices.h"
#include "certd/secrets.h"
#include "proto/message.h"

struct people {
	struct people_config config;
	struct secrets *secrets;
	struct notices *notices;
	struct sessions *sessions;
	struct web *web; /* NULL: no console is served */
	struct live *live;
	struct overview *overview;
};

static struct status
admits(void *ctx, const struct caller *caller)
{
	const struct people *people = ctx;

	return quarantine_check(people->config.quarantine, caller);
}

/* ---- notices ---- */

STATUS
people_preload(const struct config *config, char *ret_why)
{
	_Static_assert(PEOPLE_WHY_MAX == NOTICES_WHY_MAX, "one buffer");
	return notices_preload(config, ret_why);
}

static void
look_at_health(void *ctx, struct notices_health *ret_health)
{
	const struct people *people = ctx;

	keyd_health_look(people->config.custody, ret_health);
}

static struct status
make_notices(struct people *people, char *ret_why)
{
	const struct people_config *of = &people->config;
	const struct notices_config config = { .store = of->store,
		.secrets = people->secrets,
		.config = of->config,
		.metrics = of->metrics,
		.health = look_at_health,
		.health_ctx = people };

	return notices_new(&config, &people->notices, ret_why);
}

/* The link by which somebody logs in. */
static struct status
send_link(void *ctx, const char *email, const char *name, const char *url,
    int64_t expires_s, char *ret_why)
{
	const struct people *people = ctx;
	char end[NOTICE_TIME_MAX], text[2048];

	_Static_assert(API_WHY_MAX == NOTICES_WHY_MAX, "one buffer");
	notice_text_time(expires_s, end);
	snprintf(text, sizeof(text),
	    "Hello%s%s,\n\nthis link logs you in to the console, once, until "
	    "%s:\n\n%s\n\nIf you do not know what it is for, leave it alone, "
	    "and tell whoever runs Holdfast for you.\n",
	    name[0] == 0 ? "" : " ", name, end, url);
	return notices_mail(
	    people->notices, email, "Log in to Holdfast", text, ret_why);
}

STATUS
people_start(struct people *people)
{
	return notices_start(people->notices);
}

static void
keyd_trouble(void *trouble_ctx, char *ret_why)
{
	const struct people *people = trouble_ctx;

	custody_trouble(people->config.custody, ret_why);
}

static void
mail_trouble(void *trouble_ctx, char *ret_why)
{
	const struct people *people = trouble_ctx;

	notices_mail_trouble(people->notices, ret_why);
}

void
people_tell(struct people *people, struct report_config *report)
{
	report->keyd_trouble = keyd_trouble;
	report->mail_trouble = mail_trouble;
	report->trouble_ctx = people;
}

/* ---- log-in and console ---- */

static struct status
make_sessions(struct people *people)
{
	const struct sessions_config config = {
		.store = people->config.store,
		.secrets = people->secrets,
		.config = people->config.config,
		.admits = admits,
		.admits_ctx = people,
		.send = people->config.config->notices.smtp.server[0] != 0
			    ? send_link
			    : NULL,
		.send_ctx = people,
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

static struct status
make_overview(struct people *people)
{
	const struct overview_config config = { .store = people->config.store,
		.custody = people->config.custody,
		.mail_trouble = mail_trouble,
		.mail_ctx = people };

	return overview_new(&config, &people->overview);
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
		st = make_notices(people, ret_why);
	if (!failed(st))
		st = make_sessions(people);
	if (!failed(st))
		st = make_console(people);
	if (!failed(st))
		st = make_overview(people);
	if (failed(st))
		return st;
	*ret_people = people;
	people = NULL;
	return st;
}

STATUS
people_register(struct people *people, struct api *api)
{
	struct status st = sessions_register(people->sessions, api);

	if (!failed(st))
		st = notices_register(people->notices, api);
	return failed(st) ? st : overview_register(people->overview, api);
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
	overview_free(people->overview);
	web_free(people->web);
	live_free(people->live);
	sessions_free(people->sessions);
	notices_free(people->notices);
	secrets_close(people->secrets);
	free(people);
}
