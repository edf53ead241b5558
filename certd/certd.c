/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The certificate daemon, put together: the one file that knows all its parts.
 * Read certd_run for the order; certd_done takes apart what was built, the
 * other way round.  It refuses to start before certd join was run, and beside
 * another certd on the same folder.  A keyd that is away does not stop it.
 */

#include "certd/certd.h"

#include <signal.h>
#include <stdio.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/process.h"
#include "certd/accounts.h"
#include "certd/api.h"
#include "certd/certificates.h"
#include "certd/config.h"
#include "certd/custody.h"
#include "certd/edges.h"
#include "certd/grants.h"
#include "certd/grpc_port.h"
#include "certd/hardening.h"
#include "certd/key_janitor.h"
#include "certd/obtain.h"
#include "certd/opener.h"
#include "certd/people.h"
#include "certd/quarantine.h"
#include "certd/report.h"
#include "certd/requests.h"
#include "certd/resources.h"
#include "certd/rest.h"
#include "certd/settings.h"
#include "certd/shared.h"
#include "certd/state_lock.h"
#include "certd/store.h"
#include "pki/key_file.h"
#include "rpc/enroll.h"

#define LOOK_MS 2000 /* between looks at what the sandbox refused */

struct certd {
	struct config *config;
	int lock;
	char identity[SPIFFE_ID_MAX];
	struct metrics *metrics;
	struct store *store;
	struct custody *custody;
	struct quarantine *quarantine;
	unsigned identity_seen;
	struct api *api;
	struct report *report;
	struct obtain *obtain;
	struct certificates *certificates;
	struct requests *requests;
	struct key_janitor *janitor;
	struct resources *resources;
	struct edges *edges;
	struct grpc_port *port;
	struct people *people;
	struct rest *rest;
	struct metrics_http *metrics_http;
};

static struct status
complain(const char *what, struct status st)
{
	if (failed(st))
		log_error("certd cannot start", LOG_STR("part", what),
		    LOG_STATUS(st));
	return st;
}

/* The same with a sentence that is not static text. */
static struct status
complain_of(const char *what, struct status st, const char *why)
{
	if (failed(st))
		log_error("certd cannot start", LOG_STR("part", what),
		    LOG_STR("code", status_name(st.code)),
		    LOG_STR("why", why[0] != 0 ? why : st.why));
	return st;
}

/* ---- the parts, in the order of their making ---- */

static struct status
read_identity(struct certd *certd)
{
	scoped(enroll_identity_free) struct enroll_identity *identity = NULL;
	char why[RPC_WHY_MAX] = "";
	struct status st =
	    enroll_load(certd->config->state_dir, &identity, why);

	if (failed(st))
		return complain_of("identity", st, why);
	snprintf(
	    certd->identity, sizeof(certd->identity), "%s", identity->identity);
	return st;
}

static struct status
open_store(struct certd *certd)
{
	const struct store_config config = { .state_dir =
						 certd->config->state_dir };
	struct status st = store_open(&config, &certd->store);

	if (!failed(st))
		store_measure(certd->store, certd->metrics);
	return st;
}

static struct status
open_custody(struct certd *certd)
{
	const struct conf_strings *keyd = &certd->config->keyd;
	const struct custody_config config = {
		.state_dir = certd->config->state_dir,
		.endpoints = (const char *const *)keyd->at,
		.n_endpoints = keyd->len,
	};
	char why[CUSTODY_WHY_MAX] = "";

	return complain_of(
	    "keyd", custody_open(&config, &certd->custody, why), why);
}

static struct status
open_quarantine(struct certd *certd)
{
	const struct quarantine_config config = { .store = certd->store,
		.custody = certd->custody };

	return quarantine_new(&config, &certd->quarantine);
}

/* Zeroes when they cannot be read: Status says all else nevertheless. */
static void
count_edges(void *ctx, uint32_t *ret_live, uint32_t *ret_held_back)
{
	const struct certd *certd = ctx;
	struct status st = edges_count(certd->edges, ret_live, ret_held_back);

	if (failed(st))
		log_warn("edges could not be counted", LOG_STATUS(st));
}

static struct status
make_report(struct certd *certd)
{
	struct report_config config = { .store = certd->store,
		.identity = certd->identity,
		.sandbox = hardening_text(),
		.edges = count_edges,
		.ctx = certd };
	struct status st;

	people_tell(certd->people, &config);
	st = report_new(&config, &certd->report);
	return failed(st) ? st : report_register(certd->report, certd->api);
}

/* What obtains certificates; it begins when all else is there. */
static struct status
make_obtain(struct certd *certd)
{
	const struct obtain_config config = { .store = certd->store,
		.custody = certd->custody,
		.config = certd->config,
		.metrics = certd->metrics };
	char why[OBTAIN_WHY_MAX] = "";
	struct status st =
	    complain_of("acme", obtain_new(&config, &certd->obtain, why), why);

	return failed(st) ? st : obtain_register(certd->obtain, certd->api);
}

static struct status
make_certificates(struct certd *certd)
{
	const struct certificates_config config = {
		.store = certd->store,
		.custody = certd->custody,
		.networks = &certd->config->all_networks,
		.zone = certd->config->zone,
		.allow_exposed_upload = certd->config->allow_exposed_upload,
		.shared_added = shared_apply_all,
		.acme_allow = enrollments_allow_upload,
		.acme_bound = enrollments_uploaded,
		.acme_ctx = obtain_enrollments(certd->obtain),
	};
	const struct key_janitor_config janitor = { .store = certd->store,
		.custody = certd->custody };
	struct status st = certificates_new(&config, &certd->certificates);

	if (!failed(st))
		st = certificates_register(certd->certificates, certd->api);
	if (!failed(st))
		st = requests_new(certd->certificates, &certd->requests);
	if (!failed(st))
		st = requests_register(certd->requests, certd->api);
	return failed(st) ? st : key_janitor_start(&janitor, &certd->janitor);
}

static struct status
make_resources(struct certd *certd)
{
	const struct resources_config config = {
		.store = certd->store,
		.custody = certd->custody,
		.networks = &certd->config->all_networks,
		.zone = certd->config->zone,
		.certificates = certd->certificates,
		.enrollments = obtain_enrollments(certd->obtain),
	};
	struct status st = resources_new(&config, &certd->resources);

	return failed(st) ? st
			  : resources_register(certd->resources, certd->api);
}

/* A row that cannot be read holds no version back: edges report what is not
 * served. */
static bool
is_pending(void *ctx, struct db_tx *tx, int64_t resource)
{
	bool pending = false;

	(void)ctx;
	return !failed(grants_pending(tx, resource, &pending)) && pending;
}

static struct status
make_edges(struct certd *certd)
{
	const struct edges_config config = {
		.store = certd->store,
		.custody = certd->custody,
		.domain = custody_domain(certd->custody),
		.metrics = certd->metrics,
		.grants_pending = is_pending,
		.challenges = obtain_challenges(certd->obtain),
	};
	struct status st = edges_new(&config, &certd->edges);

	return failed(st) ? st : edges_register(certd->edges, certd->api);
}

static struct status
make_people(struct certd *certd)
{
	const struct people_config config = { .store = certd->store,
		.custody = certd->custody,
		.quarantine = certd->quarantine,
		.config = certd->config,
		.metrics = certd->metrics };
	char why[PEOPLE_WHY_MAX] = "";
	struct status st = complain_of(
	    "console", people_new(&config, &certd->people, why), why);

	return failed(st) ? st : people_register(certd->people, certd->api);
}

static struct status
make_services(struct certd *certd)
{
	struct status st =
	    complain("accounts", accounts_register(certd->store, certd->api));

	if (!failed(st))
		st = make_obtain(certd);
	if (!failed(st))
		st = complain("certificates", make_certificates(certd));
	if (!failed(st))
		st = complain("resources", make_resources(certd));
	if (!failed(st))
		st = complain("edges", make_edges(certd));
	if (!failed(st))
		st = make_people(certd);
	if (!failed(st))
		st = complain("status", make_report(certd));
	if (!failed(st))
		api_measure(certd->api, certd->metrics);
	return st;
}

/* ---- the ports ---- */

static struct status
identity(void *ctx, bool *ret_changed, char **ret_cert_pem, char **ret_key_pem)
{
	struct certd *certd = ctx;

	return custody_identity(certd->custody, &certd->identity_seen,
	    ret_changed, ret_cert_pem, ret_key_pem);
}

static struct status
admits(void *ctx, const struct caller *caller)
{
	const struct certd *certd = ctx;

	return quarantine_check(certd->quarantine, caller);
}

static struct status
open_grpc(struct certd *certd)
{
	const struct grpc_port_config config = {
		.listen = certd->config->listen,
		.ca_pem = custody_ca_pem(certd->custody),
		.domain = custody_domain(certd->custody),
		.api = certd->api,
		.identity = identity,
		.identity_ctx = certd,
		.admits = admits,
		.admits_ctx = certd,
		.metrics = certd->metrics,
	};
	struct status st = grpc_port_open(&config, &certd->port);

	if (failed(st))
		return st;
	edges_serve(certd->edges, grpc_port_server(certd->port));
	return grpc_port_start(certd->port);
}

static struct status
open_rest(struct certd *certd)
{
	static const enum rest_tls_mode MODES[] = {
		[CONFIG_TLS_IDENTITY] = REST_TLS_IDENTITY,
		[CONFIG_TLS_FILES] = REST_TLS_FILES,
		[CONFIG_TLS_OFF] = REST_TLS_OFF,
	};
	struct rest_config config = {
		.listen = certd->config->rest.listen,
		.tls = MODES[certd->config->rest.tls],
		.certificate = certd->config->rest.certificate,
		.key = certd->config->rest.key,
		.trusted_proxies = &certd->config->rest.trusted_proxies,
		.proxy_header =
		    (enum forwarded_header)certd->config->rest.proxy_header,
		.custody = certd->custody,
		.api = certd->api,
		.store = certd->store,
		.metrics = certd->metrics,
	};
	char why[REST_WHY_MAX] = "";

	if (config.listen[0] == 0)
		return status_ok();
	people_serve(certd->people, &config);
	return complain_of("rest", rest_start(&config, &certd->rest, why), why);
}

static struct status
open_metrics(struct certd *certd)
{
	const char *listen = certd->config->metrics_listen;

	if (listen[0] == 0)
		return status_ok();
	return metrics_http_start(
	    listen, certd->metrics, NULL, NULL, &certd->metrics_http);
}

static struct status
open_ports(struct certd *certd)
{
	struct status st = complain("listen", open_grpc(certd));

	if (!failed(st))
		st = open_rest(certd);
	if (!failed(st))
		st = complain("metrics_listen", open_metrics(certd));
	return st;
}

/* ---- life ---- */

static struct status
build(struct certd *certd)
{
	struct status st = complain("state_dir",
	    state_lock_take(certd->config->state_dir, &certd->lock));

	certd->metrics = metrics_new();
	certd->api = api_new();
	if (!failed(st) && (certd->metrics == NULL || certd->api == NULL))
		st = complain("memory",
		    status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory"));
	if (!failed(st))
		st = complain("database", open_store(certd));
	if (!failed(st))
		st = open_custody(certd);
	if (!failed(st))
		st = complain("quarantine", open_quarantine(certd));
	if (!failed(st))
		st = make_services(certd);
	if (!failed(st))
		st = open_ports(certd);
	if (!failed(st))
		st = complain("notices", people_start(certd->people));
	return failed(st) ? st
			  : complain("acme", obtain_start(certd->obtain,
						 certd->certificates));
}

static void
serve(struct certd *certd, const char *config_path)
{
	log_info("certd is up", LOG_STR("version", HOLDFAST_VERSION),
	    LOG_STR("identity", certd->identity),
	    LOG_INT("port", rpc_server_port(grpc_port_server(certd->port))),
	    LOG_INT(
		"rest_port", certd->rest == NULL ? 0 : rest_port(certd->rest)));
	process_notify("READY=1");
	for (;;) {
		int signal_number = process_wait_signal_for(LOOK_MS);

		(void)sandbox_log_refused();
		if (signal_number == SIGHUP)
			settings_reload(config_path);
		if (signal_number == SIGTERM || signal_number == SIGINT)
			break;
	}
	process_notify("STOPPING=1");
	log_info("certd drains");
}

/* Also of a certd that was never quite built. */
static void
certd_done(struct certd *certd)
{
	obtain_end_waits(certd->obtain);
	metrics_http_stop(certd->metrics_http);
	rest_stop(certd->rest);
	grpc_port_close(certd->port);
	obtain_stop(certd->obtain);
	people_free(certd->people);
	report_free(certd->report);
	edges_free(certd->edges);
	resources_free(certd->resources);
	key_janitor_stop(certd->janitor);
	requests_free(certd->requests);
	certificates_free(certd->certificates);
	obtain_free(certd->obtain);
	api_free(certd->api);
	quarantine_free(certd->quarantine);
	custody_close(certd->custody);
	store_close(certd->store);
	metrics_free(certd->metrics);
	state_lock_release(certd->lock);
	config_free(certd->config);
}

STATUS
certd_run(const char *config_path)
{
	struct certd certd = { .lock = -1 };
	/* Of keys that come in the clear, where that is allowed, nothing stays
	 * in memory that OpenSSL has freed. */
	const bool guarded = key_file_guard();
	char why[OBTAIN_WHY_MAX] = "";
	struct status st = settings_load(config_path, &certd.config);

	if (!failed(st) && !guarded)
		log_warn("pieces of uploaded keys may stay in freed memory");
	if (!failed(st))
		st = complain("process", process_harden());
	process_block_signals();
	if (!failed(st))
		st = read_identity(&certd);
	if (!failed(st))
		st =
		    complain_of("acme", obtain_preload(certd.config, why), why);
	if (!failed(st))
		st = complain_of(
		    "notices", people_preload(certd.config, why), why);
	if (!failed(st))
		st = complain(
		    "sandbox", hardening_begin(certd.config, config_path));
	if (!failed(st))
		st = build(&certd);
	if (!failed(st))
		serve(&certd, config_path);
	certd_done(&certd);
	(void)sandbox_log_refused();
	if (!failed(st))
		log_info("certd has ended");
	return st;
}
