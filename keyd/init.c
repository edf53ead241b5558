/* SPDX-License-Identifier: Apache-2.0 */

/*
 * keyd init, step by step as init_run reads: the state folder, journal and
 * registry, the ledger with its key, the identity CA, the first operator.  Each
 * step looks first and makes only what is missing.  It refuses a state folder
 * that others can look into, and writes down in the journal what it made.
 */

#include "keyd/init_int.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "keyd/audit.h"
#include "keyd/authority.h"
#include "keyd/authority_self.h"
#include "keyd/ca_file.h"
#include "keyd/registry.h"
#include "keyd/tokens.h"
#include "rpc/enroll.h"

#define DAY_NS (INT64_C(86400) * NS_PER_S)

void
init_say(const char *what, const char *format, ...)
{
	va_list args;

	printf("%-10s ", what);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

struct status
init_complain(const char *what, struct status st)
{
	fprintf(stderr, "keyd init: %s: %s", what, st.why);
	if (st.detail != 0)
		fprintf(stderr, " (0x%x)", st.detail);
	fputc('\n', stderr);
	return st;
}

/* ---- the state folder ---- */

static struct status
make_folder(const char *path, bool *ret_made)
{
	struct stat sb;

	*ret_made = mkdir(path, 0700) == 0;
	if (!*ret_made && errno != EEXIST)
		return init_complain(path,
		    status_fail_detail(STATUS_FAILED_PRECONDITION,
			"the folder cannot be made; run keyd init as a user "
			"who may",
			(uint32_t)errno));
	if (lstat(path, &sb) < 0 || !S_ISDIR(sb.st_mode) ||
	    sb.st_uid != geteuid() || (sb.st_mode & 077) != 0)
		return init_complain(
		    path, status_fail(STATUS_FAILED_PRECONDITION,
			      "must be a folder of keyd's own user and of mode "
			      "0700"));
	return status_ok();
}

/* /var/lib/holdfast above the state folder; others may pass through it. */
static void
make_parents(const char *path)
{
	char parent[PATH_MAX];

	for (const char *at = strchr(path + 1, '/'); at != NULL;
	     at = strchr(at + 1, '/')) {
		snprintf(
		    parent, sizeof(parent), "%.*s", (int)(at - path), path);
		if (mkdir(parent, 0755) == 0)
			(void)chmod(parent, 0755);
	}
}

static struct status
make_state(struct init *init)
{
	const char *dir = init->config->state_dir;
	char locks[PATH_MAX];
	bool made = false, made_locks = false;
	struct status st = config_state_path(init->config, "locks", locks);

	if (failed(st))
		return init_complain(dir, st);
	make_parents(dir);
	st = make_folder(dir, &made);
	if (!failed(st))
		st = make_folder(locks, &made_locks);
	if (!failed(st))
		init_say("state", "%s%s", dir, made ? ", made" : " is there");
	return st;
}

static struct status
open_journal(struct init *init)
{
	char path[PATH_MAX];
	struct audit_config config = { .directory = path,
		.durability =
		    (enum audit_durability)init->config->audit.durability,
		.keyd = init->config->name };
	bool made;
	struct status st = config_audit_path(init->config, "", path);

	if (!failed(st))
		st = make_folder(path, &made);
	if (failed(st))
		return st;
	st = config_audit_path(init->config, "journal", path);
	if (!failed(st))
		st = audit_open(&config, &init->audit);
	return failed(st) ? init_complain("journal", st) : st;
}

struct status
init_record(struct init *init, const char *act, const struct key_id *key,
    const char *ledger_key)
{
	struct audit_entry entry = { .kind = AUDIT_CUSTODY,
		.peer = init->self,
		.act = act,
		.stage = ENTRY_DONE,
		.code = STATUS_OK,
		.ledger_key = ledger_key };
	struct status st;

	if (key != NULL)
		entry.key = *key;
	st = audit_record(init->audit, &entry, 1);
	return failed(st) ? init_complain("journal", st) : st;
}

/* ---- the identity CA ---- */

static struct status
make_ca(struct init *init, const char *path)
{
	const struct config *config = init->config;
	struct tokens_ca ca;
	struct status st = tokens_ca(config, &ca);

	if (!failed(st))
		st = hsm_ca_create(&ca.config, config->domain,
		    (unsigned)(config->identity.ca_lifetime_ns / DAY_NS),
		    &init->ca);
	if (failed(st))
		return init_complain("identity CA", st);
	st = init_record(init, "make the identity CA", NULL, NULL);
	if (failed(st))
		return st;
	st = ca_file_write(path, &init->ca);
	if (failed(st))
		return init_complain(path, st);
	init_say("CA", "key made in token \"%s\"; certificate %s",
	    config->identity.token, path);
	return st;
}

static struct status
find_or_make_ca(struct init *init)
{
	char path[PATH_MAX];
	struct status st = config_state_path(init->config, CA_FILE_NAME, path);

	if (!failed(st))
		st = ca_file_read(path, &init->ca);
	if (st.code == STATUS_NOT_FOUND)
		return make_ca(init, path);
	if (failed(st))
		return init_complain(path, st);
	init_say("CA", "%s is there", path);
	return st;
}

/* ---- the first operator ---- */

static struct status
write_join(struct init *init, const struct spiffe *id,
    const struct secret *secret, int64_t expires_s, const char *path)
{
	const struct config *config = init->config;
	scoped(free) char *ca_pem =
	    authority_cert_pem((struct bytes){ init->ca.der, init->ca.len });
	struct enroll_join join = { .ca_pem = ca_pem,
		.secret = secret_bytes(secret),
		.expires_s = expires_s };
	struct status st = spiffe_print(id, join.identity);

	if (failed(st))
		return st;
	if (ca_pem == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	snprintf(join.domain, sizeof(join.domain), "%s", config->domain);
	join.endpoints = config_endpoints(config, &join.n_endpoints);
	join.enroll_endpoints =
	    config_enroll_endpoints(config, &join.n_enroll_endpoints);
	return enroll_write_join(path, &join);
}

static struct status
invite(struct init *init, const struct spiffe *id, const char *path)
{
	scoped(secret_free) struct secret *secret = NULL;
	int64_t now_s = clock_wall_s();
	char act[AUDIT_TEXT_MAX];
	struct status st;

	snprintf(act, sizeof(act), "invite operator/%s", id->name);
	st = init_record(init, act, NULL, NULL);
	if (failed(st))
		return st;
	st = authority_invite(
	    init->registry, id, "", now_s, AUTHORITY_TTL_DEFAULT_S, &secret);
	if (failed(st))
		return init_complain("invitation", st);
	st =
	    write_join(init, id, secret, now_s + AUTHORITY_TTL_DEFAULT_S, path);
	if (failed(st))
		return init_complain(path, st);
	init_say("operator", "%s invited: %s (secret, works once, for a day)",
	    id->name, path);
	init->is_invited = true;
	return st;
}

static struct status
has_operators(struct init *init, bool *ret_has)
{
	scoped(free) struct registry_identity *operators = NULL;
	size_t n = 0;
	struct status st =
	    registry_identities(init->registry, ROLE_OPERATOR, &operators, &n);

	*ret_has = !failed(st) && n > 0;
	return failed(st) ? init_complain("registry", st) : st;
}

static struct status
invite_operator(struct init *init)
{
	const struct init_options *options = init->options;
	const char *name = options->operator_name;
	struct spiffe id = { .role = ROLE_OPERATOR };
	char text[SPIFFE_ID_MAX];
	bool has = false;
	struct status st = has_operators(init, &has);

	if (failed(st))
		return st;
	if (has && name == NULL) {
		init_say(
		    "operator", "there is one; --operator NAME invites more");
		return st;
	}
	if (name == NULL)
		name = "operator";
	snprintf(id.domain, sizeof(id.domain), "%s", init->config->domain);
	if (snprintf(id.name, sizeof(id.name), "%s", name) >=
		(int)sizeof(id.name) ||
	    failed(spiffe_print(&id, text)))
		return init_complain(
		    name, status_fail(STATUS_INVALID_ARGUMENT,
			      "a name is 1 to 63 of A-Z a-z 0-9 . _ -"));
	if (options->join_path != NULL)
		snprintf(init->join_path, sizeof(init->join_path), "%s",
		    options->join_path);
	else
		snprintf(
		    init->join_path, sizeof(init->join_path), "%s.join", name);
	if (access(init->join_path, F_OK) == 0) {
		init_say("operator", "%s is there; delete it to invite anew",
		    init->join_path);
		return st;
	}
	return invite(init, &id, init->join_path);
}

static struct status
open_registry(struct init *init)
{
	char path[PATH_MAX];
	struct status st = config_state_path(init->config, "registry.db", path);

	if (!failed(st))
		st = registry_open(path, &init->registry);
	if (failed(st))
		return init_complain("registry", st);
	init_say("registry", "%s", path);
	return st;
}

static struct status
name_self(struct init *init)
{
	struct spiffe id = { .role = ROLE_KEYD };

	snprintf(id.domain, sizeof(id.domain), "%s", init->config->domain);
	snprintf(id.name, sizeof(id.name), "%s", init->config->name);
	return spiffe_print(&id, init->self);
}

STATUS
init_run(const struct config *config, const struct init_options *options)
{
	struct init init = { .config = config, .options = options };
	struct status st = name_self(&init);

	if (!failed(st))
		st = make_state(&init);
	if (!failed(st))
		st = open_journal(&init);
	if (!failed(st))
		st = open_registry(&init);
	if (!failed(st))
		st = init_pools(&init);
	if (!failed(st))
		st = find_or_make_ca(&init);
	if (!failed(st))
		st = invite_operator(&init);
	registry_close(init.registry);
	audit_close(init.audit);
	if (failed(st))
		return st;
	printf("\nNext: keyd -c %s\n", options->config_path);
	if (init.is_invited)
		printf("then: holdfast join %s\n", init.join_path);
	return st;
}
