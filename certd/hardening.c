/* SPDX-License-Identifier: Apache-2.0 */

/*
 * certd confines itself.  In order: capabilities go, the opener is forked,
 * libraries read and load what they will want, then files, memory and system
 * calls are limited.  From there on it can write its state folder, serve its
 * ports and call keyd; it can read no other file, load no code and start no
 * program.
 */

#include "certd/hardening.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "base/log.h"
#include "base/process.h"
#include "certd/opener.h"
#include "pki/key_file.h"

static char in_force[64] = "off";

/* What the C library, OpenSSL, GnuTLS and gRPC read; no secret among it. */
static const char *const system_paths[] = { "/proc/self", "/proc/stat",
	"/proc/cpuinfo", "/proc/meminfo", "/proc/sys/net", "/proc/sys/kernel",
	"/sys/devices/system/cpu", "/dev/random", "/dev/urandom",
	"/etc/ssl/openssl.cnf", "/etc/gnutls/config", "/etc/resolv.conf",
	"/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf",
	"/etc/services", "/etc/protocols", "/etc/localtime",
	"/usr/share/zoneinfo", "/usr/lib/locale", NULL };

void
hardening_paths(const struct config *config,
    struct sandbox_path ret_paths[HARDENING_PATHS_MAX], size_t *ret_n)
{
	size_t n = 0;

	ret_paths[n++] =
	    (struct sandbox_path){ config->state_dir, SANDBOX_WRITE };
	ret_paths[n++] = (struct sandbox_path){ "/dev/null", SANDBOX_WRITE };
	if (config->console.folder[0] != 0)
		ret_paths[n++] = (struct sandbox_path){ config->console.folder,
			SANDBOX_READ };
	for (size_t i = 0; system_paths[i] != NULL; i++)
		ret_paths[n++] =
		    (struct sandbox_path){ system_paths[i], SANDBOX_READ };
	*ret_n = n;
}

static STATUS
limit_files(const struct config *config, int *ret_abi)
{
	struct sandbox_path paths[HARDENING_PATHS_MAX];
	size_t n;

	hardening_paths(config, paths, &n);
	return sandbox_files(paths, n, SANDBOX_FILES_NO_SIGNAL, ret_abi);
}

/* An old kernel is no reason not to serve. */
static STATUS
or_warn(struct status st)
{
	if (st.code != STATUS_UNIMPLEMENTED)
		return st;
	log_warn("certd is less confined than it could be", LOG_STATUS(st));
	return status_ok();
}

static STATUS
start_opener(const struct config *config, const char *config_path)
{
	static const char *paths[OPENER_FILES_MAX];
	size_t n = 0;

	if (config_path != NULL)
		paths[n++] = config_path;
	if (config->rest.tls == CONFIG_TLS_FILES) {
		paths[n++] = config->rest.certificate;
		paths[n++] = config->rest.key;
	}
	return opener_start(paths, n);
}

/* What is done once, at first use, and could not be done later. */
static STATUS
prepare(const struct config *config)
{
	/* SQLite's other choices are folders that will be out of reach. */
	if (setenv("SQLITE_TMPDIR", config->state_dir, 1) != 0 ||
	    OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) != 1)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	if (!key_file_keep_legacy())
		log_info("old PFX files (RC2, RC4) cannot be read here: "
			 "OpenSSL's legacy provider is not installed");
	return status_ok();
}

static STATUS
confine(const struct config *config)
{
	struct status calls;
	struct status st = prepare(config);
	int abi = 0;
	bool has_mdwe;

	if (!failed(st))
		st = or_warn(limit_files(config, &abi));
	if (failed(st))
		return st;
	has_mdwe = sandbox_mdwe();
	calls = sandbox_calls(SANDBOX_CERTD, 0);
	st = or_warn(calls);
	if (!failed(st) && !failed(calls))
		st = sandbox_seal();
	if (failed(st))
		return st;
	snprintf(in_force, sizeof(in_force), "%s, Landlock %d%s",
	    failed(calls) ? "no seccomp" : "seccomp", abi,
	    has_mdwe ? ", MDWE" : "");
	log_info("certd is confined", LOG_STR("by", in_force));
	return st;
}

STATUS
hardening_begin(const struct config *config, const char *config_path)
{
	struct status st;

	if (config->sandbox == CONFIG_SANDBOX_OFF) {
		log_warn("the sandbox is off, by the configuration: who takes "
			 "over certd has all that its user has");
		return status_ok();
	}
	st = process_drop_capabilities();
	if (failed(st))
		return st;
	if (process_is_instrumented()) {
		snprintf(in_force, sizeof(in_force), "off: a build for tests");
		log_warn("the sandbox is off: this build's checks need what it "
			 "forbids");
		return st;
	}
	st = start_opener(config, config_path);
	return failed(st) ? st : confine(config);
}

const char *
hardening_text(void)
{
	return in_force;
}
