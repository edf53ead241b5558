/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The parts that obtain certificates, in the order of their making.  Without an
 * authority in certd.yaml all of it is there too, and obtains nothing: what was
 * begun before can be looked at, and ends.
 */

#include "certd/obtain.h"

#include <stdio.h>
#include <stdlib.h>

#include "certd/authorities.h"
#include "certd/checks.h"
#include "certd/choices.h"
#include "certd/diagnoses.h"
#include "certd/hook_runner.h"
#include "certd/http_port.h"
#include "certd/issuer.h"
#include "certd/plans.h"
#include "certd/revoked.h"
#include "certd/solver.h"
#include "dns/resolver.h"

struct obtain {
	struct obtain_config config;
	struct dns_resolver *resolver;
	struct http_challenges *challenges;
	struct http_port *http_port;
	struct authorities *authorities;
	struct solver *solver;
	struct checks *checks;
	struct diagnoses *diagnoses;
	struct enrollments *enrollments;
	struct revoked *revoked;
	struct issuer *issuer;
	struct plans *plans;
	struct choices_config choices;
};

STATUS
obtain_preload(const struct config *config, char *ret_why)
{
	char why[AUTHORITIES_WHY_MAX] = "";
	struct status st = hook_runner_start(config);

	if (!failed(st)) {
		st = authorities_preload(config, why);
		snprintf(ret_why, OBTAIN_WHY_MAX, "%s", why);
	}
	return failed(st) ? st : solver_preload(config, ret_why);
}

/* ---- parts ---- */

static STATUS
make_resolver(struct obtain *obtain)
{
	const struct config *config = obtain->config.config;
	const struct dns_resolver_config resolver = {
		.servers = (const char *const *)config->dns.resolvers.at,
		.n_servers = config->dns.resolvers.len,
		.authoritative_port = (uint16_t)config->dns.authoritative_port,
	};

	return dns_resolver_new(&resolver, &obtain->resolver);
}

static STATUS
make_challenges(struct obtain *obtain, char *ret_why)
{
	const char *listen = obtain->config.config->acme.http_listen;
	struct status st = http_challenges_new(&obtain->challenges);

	if (failed(st) || listen[0] == 0)
		return st;
	st = http_port_start(listen, obtain->challenges, &obtain->http_port);
	if (failed(st))
		snprintf(ret_why, OBTAIN_WHY_MAX, "acme.http_listen: %s: %s",
		    listen, st.why);
	return st;
}

static STATUS
make_authorities(struct obtain *obtain, char *ret_why)
{
	const struct authorities_config config = {
		.store = obtain->config.store,
		.custody = obtain->config.custody,
		.config = obtain->config.config,
		.metrics = obtain->config.metrics,
	};
	char why[AUTHORITIES_WHY_MAX] = "";
	struct status st = authorities_new(&config, &obtain->authorities, why);

	if (failed(st))
		snprintf(ret_why, OBTAIN_WHY_MAX, "%s", why);
	return st;
}

static STATUS
make_checks(struct obtain *obtain)
{
	const struct checks_config config = { .store = obtain->config.store,
		.config = obtain->config.config,
		.resolver = obtain->resolver };
	struct status st = checks_new(&config, &obtain->checks);
	struct diagnoses_config diagnoses = { .store = obtain->config.store,
		.checks = obtain->checks };

	return failed(st) ? st : diagnoses_new(&diagnoses, &obtain->diagnoses);
}

static STATUS
make_solver(struct obtain *obtain)
{
	const struct solver_config config = { .config = obtain->config.config,
		.resolver = obtain->resolver,
		.http = obtain->challenges,
		.store = obtain->config.store };

	return solver_new(&config, &obtain->solver);
}

static STATUS
make_enrollments(struct obtain *obtain)
{
	const struct enrollments_config config = {
		.store = obtain->config.store,
		.config = obtain->config.config,
		.authorities = obtain->authorities,
	};

	return enrollments_new(&config, &obtain->enrollments);
}

static STATUS
make_plans(struct obtain *obtain)
{
	const struct plans_config config = { .store = obtain->config.store,
		.custody = obtain->config.custody,
		.authorities = obtain->authorities,
		.config = obtain->config.config };

	return plans_new(&config, &obtain->plans);
}

/* ---- life ---- */

STATUS
obtain_new(const struct obtain_config *config, struct obtain **ret_obtain,
    char *ret_why)
{
	scoped(obtain_free) struct obtain *obtain = calloc(1, sizeof(*obtain));
	struct status st;

	if (obtain == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	obtain->config = *config;
	st = make_resolver(obtain);
	if (!failed(st))
		st = make_challenges(obtain, ret_why);
	if (!failed(st))
		st = make_authorities(obtain, ret_why);
	if (!failed(st))
		st = make_solver(obtain);
	if (!failed(st))
		st = make_checks(obtain);
	if (!failed(st))
		st = make_enrollments(obtain);
	if (!failed(st))
		st = revoked_new(obtain->config.config, &obtain->revoked);
	if (!failed(st))
		st = make_plans(obtain);
	if (failed(st))
		return st;
	*ret_obtain = obtain;
	obtain = NULL;
	return st;
}

static STATUS
register_choices(struct obtain *obtain, struct api *api)
{
	obtain->choices =
	    (struct choices_config){ .store = obtain->config.store,
		    .config = obtain->config.config,
		    .authorities = obtain->authorities };
	return choices_register(&obtain->choices, api);
}

STATUS
obtain_register(struct obtain *obtain, struct api *api)
{
	struct status st = enrollments_register(obtain->enrollments, api);

	if (!failed(st))
		st = authorities_register(obtain->authorities, api);
	if (!failed(st))
		st = plans_register(obtain->plans, api);
	if (!failed(st))
		st = register_choices(obtain, api);
	return failed(st) ? st : diagnoses_register(obtain->diagnoses, api);
}

STATUS
obtain_start(struct obtain *obtain, struct certificates *certificates)
{
	const struct issuer_config config = {
		.store = obtain->config.store,
		.custody = obtain->config.custody,
		.certificates = certificates,
		.authorities = obtain->authorities,
		.solver = obtain->solver,
		.checks = obtain->checks,
		.revoked = obtain->revoked,
		.config = obtain->config.config,
		.metrics = obtain->config.metrics,
	};

	struct status st = issuer_start(&config, &obtain->issuer);

	return failed(st) ? st : plans_start(obtain->plans);
}

void
obtain_end_waits(struct obtain *obtain)
{
	if (obtain != NULL)
		enrollments_end_waits(obtain->enrollments);
}

void
obtain_stop(struct obtain *obtain)
{
	if (obtain == NULL)
		return;
	plans_stop(obtain->plans);
	issuer_stop(obtain->issuer);
	obtain->issuer = NULL;
}

void
obtain_free(struct obtain *obtain)
{
	if (obtain == NULL)
		return;
	obtain_stop(obtain);
	plans_free(obtain->plans);
	revoked_free(obtain->revoked);
	enrollments_free(obtain->enrollments);
	diagnoses_free(obtain->diagnoses);
	checks_free(obtain->checks);
	solver_free(obtain->solver);
	authorities_free(obtain->authorities);
	http_port_stop(obtain->http_port);
	http_challenges_free(obtain->challenges);
	dns_resolver_free(obtain->resolver);
	hook_runner_stop();
	free(obtain);
}

struct enrollments *
obtain_enrollments(struct obtain *obtain)
{
	return obtain->enrollments;
}

struct http_challenges *
obtain_challenges(struct obtain *obtain)
{
	return obtain->challenges;
}
