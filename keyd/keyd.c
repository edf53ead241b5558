/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The custody daemon, put together: the one file that knows all its parts.
 * Read keyd_run for the order; keyd_done takes apart what was built, the other
 * way round.  It refuses to start before keyd init was run.  A custody token
 * that is away does not stop it: lanes go on probing, health says NOT_SERVING.
 */

#include "keyd/keyd.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/process.h"
#include "hsm/ca.h"
#include "hsm/hsm.h"
#include "hsm/spawner.h"
#include "keyd/approvals.h"
#include "keyd/authority.h"
#include "keyd/ca_file.h"
#include "keyd/config.h"
#include "keyd/custody.h"
#include "keyd/dossier.h"
#include "keyd/hardening.h"
#include "keyd/import_rotation.h"
#include "keyd/ledger_parts.h"
#include "keyd/policy.h"
#include "keyd/port.h"
#include "keyd/reaper.h"
#include "keyd/registry.h"
#include "keyd/report.h"
#include "keyd/settings.h"
#include "keyd/signer.h"
#include "keyd/tokens.h"
#include "rpc/server.h"

#define POOLS_MAX 16
#define DRAIN_GRACE_NS (10 * NS_PER_S)

struct keyd {
	struct config *config;
	struct metrics *metrics;
	struct ledger_parts ledger;
	struct registry *registry;
	struct policy_slot *policy;
	struct hsm *pools[POOLS_MAX];
	struct lane_log lane_logs[POOLS_MAX];
	const char *pool_names[POOLS_MAX];
	struct policy_pool policy_pools[POOLS_MAX];
	bool wrapped[POOLS_MAX];
	size_t n_pools;
	struct import_rotation_config imports;
	struct import_rotation *import_rotation;
	struct signer *signer;
	struct approvals *approvals;
	struct custody *custody;
	struct dossier *dossier;
	struct reaper *reaper;
	char self[SPIFFE_ID_MAX]; /* of this keyd */
	struct report *report;
	struct hsm_ca *ca;
	struct authority *authority;
	struct port main_port, enroll_port;
	struct metrics_http *metrics_http;
};

static struct status
complain(const char *what, struct status st)
{
	if (failed(st))
		log_error(
		    "keyd cannot start", LOG_STR("part", what), LOG_STATUS(st));
	return st;
}

static struct status
no_memory(void)
{
	return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
}

/* ---- the parts, in the order of their making ---- */

static struct status
open_registry(struct keyd *keyd)
{
	char path[PATH_MAX];
	struct status st = config_state_path(keyd->config, "registry.db", path);

	return failed(st) ? st : registry_open(path, &keyd->registry);
}

static struct status
open_pools(struct keyd *keyd)
{
	for (size_t i = 0; i < keyd->config->pools.len; i++) {
		const struct tokens_use use = { .metrics = keyd->metrics,
			.log = &keyd->lane_logs[i],
			.registry = keyd->registry };
		struct status st =
		    tokens_open_pool(keyd->config, i, &use, &keyd->pools[i]);

		if (failed(st))
			return st;
		keyd->pool_names[i] = config_pool_at(keyd->config, i)->name;
		keyd->wrapped[i] = config_pool_at(keyd->config, i)->keys ==
				   CONFIG_STORE_WRAPPED;
		keyd->policy_pools[i] = config_policy_pool(keyd->config, i);
		keyd->n_pools++;
	}
	return status_ok();
}

static struct status
make_signer(struct keyd *keyd)
{
	struct signer_config config = {
		.pools = keyd->pools,
		.n_pools = keyd->n_pools,
		.policy = keyd->policy,
		.audit = keyd->ledger.audit,
		.domain = keyd->config->domain,
		.contexts = { (const char *const *)
				  keyd->config->signing.acme_hosts.at,
		    keyd->config->signing.acme_hosts.len },
		.queue_max = (size_t)keyd->config->signing.queue_max,
		.default_timeout_ns = keyd->config->signing.default_timeout_ns,
		.metrics = keyd->metrics,
	};

	return signer_new(&config, &keyd->signer);
}

static struct status
start_imports(struct keyd *keyd)
{
	const struct config_import *import = &keyd->config->import;

	keyd->imports = (struct import_rotation_config){
		.registry = keyd->registry,
		.audit = keyd->ledger.audit,
		.pools = keyd->pools,
		.pool_names = keyd->pool_names,
		.n_pools = keyd->n_pools,
		.rotate_s = import->rotate_ns / NS_PER_S,
		.grace_s = import->grace_ns / NS_PER_S,
	};
	return import_rotation_start(&keyd->imports, &keyd->import_rotation);
}

static struct status
make_approvals(struct keyd *keyd)
{
	const struct approvals_config config = {
		.registry = keyd->registry,
		.audit = keyd->ledger.audit,
		.self = keyd->self,
		.quorum = (unsigned)keyd->config->approvals.quorum,
		.lifetime_s = keyd->config->approvals.lifetime_ns / NS_PER_S,
	};
	struct spiffe self = { .role = ROLE_KEYD };
	struct status st;

	snprintf(self.domain, sizeof(self.domain), "%s", keyd->config->domain);
	snprintf(self.name, sizeof(self.name), "%s", keyd->config->name);
	st = spiffe_print(&self, keyd->self);
	return failed(st) ? st : approvals_new(&config, &keyd->approvals);
}

static struct status
make_custody(struct keyd *keyd)
{
	struct custody_config config = {
		.registry = keyd->registry,
		.policy = keyd->policy,
		.audit = keyd->ledger.audit,
		.pools = keyd->pools,
		.pool_names = keyd->pool_names,
		.policy_pools = keyd->policy_pools,
		.n_pools = keyd->n_pools,
		.wrapped = keyd->wrapped,
		.imports = &keyd->imports,
		.approvals = keyd->approvals,
		.destroy_delay_s =
		    keyd->config->keys.destroy_delay_ns / NS_PER_S,
		.destroy_delay_min_s =
		    keyd->config->keys.destroy_delay_min_ns / NS_PER_S,
	};
	struct status st = custody_new(&config, &keyd->custody);

	return failed(st) ? st : custody_publish(keyd->custody);
}

static struct status
start_reaper(struct keyd *keyd)
{
	const struct reaper_config config = { .custody = keyd->custody,
		.approvals = keyd->approvals,
		.self = keyd->self };

	return reaper_new(&config, &keyd->reaper);
}

static struct status
make_dossier(struct keyd *keyd)
{
	const struct dossier_config config = {
		.registry = keyd->registry,
		.audit = keyd->ledger.audit,
		.publisher = keyd->ledger.publisher,
		.pools = keyd->pools,
		.pool_names = keyd->pool_names,
		.n_pools = keyd->n_pools,
	};

	return dossier_new(&config, &keyd->dossier);
}

static struct status
make_report(struct keyd *keyd)
{
	struct report_config config = {
		.domain = keyd->config->domain,
		.name = keyd->config->name,
		.pools = keyd->pools,
		.pool_names = keyd->pool_names,
		.n_pools = keyd->n_pools,
		.policy = keyd->policy,
		.audit = keyd->ledger.audit,
		.signer = keyd->signer,
		.registry = keyd->registry,
		.publisher = keyd->ledger.publisher,
	};

	return report_new(&config, &keyd->report);
}

static unsigned
streams_of(void *ctx, const char *spiffe_id)
{
	return signer_streams_of(ctx, spiffe_id);
}

static struct status
publish_rules(void *ctx)
{
	return custody_publish_rules(ctx);
}

static struct status
make_authority(struct keyd *keyd, const struct hsm_cert *ca_cert)
{
	const struct config *config = keyd->config;
	struct authority_config to = {
		.ca_cert = { ca_cert->der, ca_cert->len },
		.domain = config->domain,
		.name = config->name,
		.registry = keyd->registry,
		.audit = keyd->ledger.audit,
		.lifetime_s =
		    config->identity.certificate_lifetime_ns / NS_PER_S,
		.streams_of = streams_of,
		.streams_ctx = keyd->signer,
		.publish = publish_rules,
		.publish_ctx = keyd->custody,
	};
	struct tokens_ca ca;
	struct status st = tokens_ca(config, &ca);

	if (!failed(st))
		st = hsm_ca_open(&ca.config, &keyd->ca);
	if (failed(st))
		return st;
	to.ca = keyd->ca;
	to.endpoints = config_endpoints(config, &to.n_endpoints);
	to.enroll_endpoints =
	    config_enroll_endpoints(config, &to.n_enroll_endpoints);
	return authority_new(&to, &keyd->authority);
}

/* ---- the ports ---- */

static struct status
open_port(struct keyd *keyd, struct port *port, const char *listen)
{
	const struct port_config config = {
		.listen = listen,
		.authority = keyd->authority,
		.roles = { .domain = keyd->config->domain,
		    .policy = keyd->policy },
		.metrics = keyd->metrics,
		.main = keyd->main_port.server,
	};

	return port_open(port, &config);
}

static struct status
open_main_port(struct keyd *keyd)
{
	struct port *port = &keyd->main_port;
	struct status st = open_port(keyd, port, keyd->config->listen);

	if (failed(st))
		return st;
	signer_register(keyd->signer, port->server);
	custody_register(keyd->custody, port->server);
	dossier_register(keyd->dossier, port->server);
	approvals_register(keyd->approvals, port->server);
	report_register(keyd->report, port->server);
	audit_service_register(keyd->ledger.service, port->server);
	authority_register(keyd->authority, port->server);
	st = rpc_server_start(port->server);
	return failed(st) ? st : report_watch(keyd->report, port->server);
}

static struct status
open_enroll_port(struct keyd *keyd)
{
	struct port *port = &keyd->enroll_port;
	struct status st = open_port(keyd, port, keyd->config->enroll_listen);

	if (failed(st))
		return st;
	authority_register_enrollment(keyd->authority, port->server);
	st = rpc_server_start(port->server);
	if (!failed(st))
		rpc_server_set_serving(port->server, true);
	return st;
}

static struct status
open_metrics(struct keyd *keyd)
{
	const char *listen = keyd->config->metrics_listen;

	if (listen[0] == 0)
		return status_ok();
	return metrics_http_start(
	    listen, keyd->metrics, NULL, NULL, &keyd->metrics_http);
}

/* ---- life ---- */

static struct status
build_state(struct keyd *keyd)
{
	keyd->metrics = metrics_new();
	keyd->policy = policy_slot_new();
	if (keyd->metrics == NULL || keyd->policy == NULL)
		return complain("memory", no_memory());
	return complain("registry", open_registry(keyd));
}

static struct status
build_parts(struct keyd *keyd, const struct hsm_cert *ca_cert)
{
	struct status st = complain("pools", open_pools(keyd));

	if (!failed(st))
		st = complain(
		    "audit", ledger_parts_open(keyd->config, keyd->pools[0],
				 keyd->registry, keyd->metrics, &keyd->ledger));
	if (!failed(st))
		st = complain("signer", make_signer(keyd));
	if (!failed(st))
		st = complain("imports", start_imports(keyd));
	if (!failed(st))
		st = complain("approvals", make_approvals(keyd));
	if (!failed(st))
		st = complain("policy", make_custody(keyd));
	if (!failed(st))
		st = complain("dossier", make_dossier(keyd));
	if (!failed(st))
		st = complain("status", make_report(keyd));
	if (!failed(st))
		st = complain("identity CA", make_authority(keyd, ca_cert));
	if (!failed(st))
		st = complain("keys that are due", start_reaper(keyd));
	return st;
}

static struct status
open_ports(struct keyd *keyd)
{
	struct status st = complain("listen", open_main_port(keyd));

	if (!failed(st))
		st = complain("enroll_listen", open_enroll_port(keyd));
	if (!failed(st))
		st = complain("audit.listen",
		    ledger_parts_serve(keyd->config, &keyd->ledger));
	if (!failed(st))
		st = complain("metrics_listen", open_metrics(keyd));
	return st;
}

static struct status
check_init_was_run(struct keyd *keyd, struct hsm_cert *ret_ca_cert)
{
	char path[PATH_MAX];
	struct status st = config_state_path(keyd->config, CA_FILE_NAME, path);

	if (!failed(st))
		st = ca_file_read(path, ret_ca_cert);
	return complain(path, st);
}

static void
serve(struct keyd *keyd, const char *config_path)
{
	log_info("keyd is up", LOG_STR("version", HOLDFAST_VERSION),
	    LOG_INT("port", rpc_server_port(keyd->main_port.server)),
	    LOG_INT("enroll_port", rpc_server_port(keyd->enroll_port.server)),
	    LOG_UINT("pools", keyd->n_pools));
	process_notify("READY=1");
	for (;;) {
		int signal_number = process_wait_signal();

		if (signal_number == SIGHUP)
			settings_reload(config_path);
		if (signal_number == SIGTERM || signal_number == SIGINT)
			break;
	}
	process_notify("STOPPING=1");
	log_info("keyd drains");
}

/* Also of a keyd that was never quite built. */
static void
keyd_done(struct keyd *keyd)
{
	report_stop(keyd->report);
	if (keyd->enroll_port.server != NULL)
		rpc_server_drain(keyd->enroll_port.server, DRAIN_GRACE_NS);
	if (keyd->main_port.server != NULL)
		rpc_server_drain(keyd->main_port.server, DRAIN_GRACE_NS);
	metrics_http_stop(keyd->metrics_http);
	rpc_server_free(keyd->enroll_port.server);
	rpc_server_free(keyd->main_port.server);
	authority_free(keyd->authority);
	hsm_ca_close(keyd->ca);
	report_free(keyd->report);
	reaper_free(keyd->reaper);
	dossier_free(keyd->dossier);
	custody_free(keyd->custody);
	approvals_free(keyd->approvals);
	import_rotation_stop(keyd->import_rotation);
	signer_free(keyd->signer);
	ledger_parts_stop(&keyd->ledger);
	for (size_t i = 0; i < keyd->n_pools; i++)
		hsm_close(keyd->pools[i]);
	ledger_parts_close(&keyd->ledger);
	registry_close(keyd->registry);
	policy_slot_free(keyd->policy);
	metrics_free(keyd->metrics);
	config_free(keyd->config);
}

STATUS
keyd_run(const char *config_path)
{
	struct keyd keyd = { .config = NULL };
	struct hsm_cert ca_cert;
	struct status st = settings_load(config_path, &keyd.config);

	if (!failed(st)) {
		tokens_keep_environment(keyd.config);
		st = complain("process", process_harden());
	}
	process_block_signals();
	if (!failed(st))
		st = check_init_was_run(&keyd, &ca_cert);
	if (!failed(st))
		st = complain(
		    "sandbox", hardening_begin(keyd.config, config_path));
	if (!failed(st))
		st = build_state(&keyd);
	if (!failed(st))
		st = build_parts(&keyd, &ca_cert);
	if (!failed(st))
		st = open_ports(&keyd);
	if (!failed(st))
		serve(&keyd, config_path);
	keyd_done(&keyd);
	if (spawner_is_lost())
		st = status_fail(STATUS_UNAVAILABLE, "the spawner has ended");
	if (!failed(st))
		log_info("keyd has ended");
	return st;
}
