/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Makes keyd's record out of its parts, in the order in which they need each
 * other: the publisher is there before the journal is read, for the journal
 * shows it its entries, and starts after it.
 */

#include "keyd/ledger_parts.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "keyd/ledger_key.h"

static STATUS
make_publisher(const struct config *config, struct hsm *hsm,
    struct registry *registry, struct metrics *metrics,
    struct ledger_parts *parts)
{
	struct spiffe self = { .role = ROLE_KEYD };
	char folder[PATH_MAX], origin[NOTE_NAME_MAX], peer[SPIFFE_ID_MAX];
	const struct publisher_config to = {
		.folder = folder,
		.origin = origin,
		.peer = peer,
		.hsm = hsm,
		.registry = registry,
		.interval_ns = config->audit.checkpoint_interval_ns,
		.witnesses = (const char *const *)config->audit.witnesses.at,
		.n_witnesses = config->audit.witnesses.len,
		.metrics = metrics,
	};
	struct status st = config_audit_path(config, "ledger", folder);

	snprintf(self.domain, sizeof(self.domain), "%s", config->domain);
	snprintf(self.name, sizeof(self.name), "%s", config->name);
	if (!failed(st))
		st = ledger_key_origin(config->domain, config->name, origin);
	if (!failed(st))
		st = spiffe_print(&self, peer);
	return failed(st) ? st : publisher_new(&to, &parts->publisher);
}

static STATUS
open_journal(const struct config *config, struct metrics *metrics,
    struct ledger_parts *parts)
{
	char path[PATH_MAX];
	const struct audit_config to = {
		.directory = path,
		.durability = (enum audit_durability)config->audit.durability,
		.keyd = config->name,
		.metrics = metrics,
		.committed = publisher_committed,
		.ctx = parts->publisher,
	};
	struct status st = config_audit_path(config, "journal", path);

	return failed(st) ? st : audit_open(&to, &parts->audit);
}

static STATUS
make_folder(const struct config *config)
{
	char path[PATH_MAX];
	struct status st = config_audit_path(config, "", path);

	if (!failed(st) && mkdir(path, 0700) != 0 && errno != EEXIST)
		return status_fail_detail(STATUS_FAILED_PRECONDITION,
		    "the folder audit.directory cannot be made",
		    (uint32_t)errno);
	return st;
}

STATUS
ledger_parts_open(const struct config *config, struct hsm *hsm,
    struct registry *registry, struct metrics *metrics,
    struct ledger_parts *parts)
{
	struct status st = make_folder(config);

	if (!failed(st))
		st = make_publisher(config, hsm, registry, metrics, parts);
	if (!failed(st))
		st = open_journal(config, metrics, parts);
	if (!failed(st))
		st = publisher_start(parts->publisher, parts->audit);
	if (!failed(st)) {
		const struct audit_service_config to = {
			.publisher = parts->publisher,
			.registry = registry,
			.url = config->audit.url,
		};

		st = audit_service_new(&to, &parts->service);
	}
	return st;
}

STATUS
ledger_parts_serve(const struct config *config, struct ledger_parts *parts)
{
	struct status st;

	if (config->audit.listen[0] == 0)
		return status_ok();
	st = ledger_http_start(config->audit.listen,
	    publisher_folder(parts->publisher), &parts->http);
	if (!failed(st))
		log_info("the ledger is served",
		    LOG_INT("ledger_port", ledger_http_port(parts->http)));
	return st;
}

void
ledger_parts_stop(struct ledger_parts *parts)
{
	ledger_http_stop(parts->http);
	audit_service_free(parts->service);
	publisher_stop(parts->publisher);
	parts->http = NULL;
	parts->service = NULL;
}

void
ledger_parts_close(struct ledger_parts *parts)
{
	audit_close(parts->audit);
	publisher_free(parts->publisher);
	parts->audit = NULL;
	parts->publisher = NULL;
}
