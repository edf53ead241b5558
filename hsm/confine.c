/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A worker's limits, as text and in force.  The text has a line each: "kind N",
 * "flags N", "module PATH", "token LABEL", "pin PATH", "lock PATH", "files",
 * "use PATH" (read and write) and "read PATH".  What a PKCS#11 module reads of
 * the system is a list here; what it reads of its own is configuration, and for
 * SoftHSM follows from its configuration file.  A line that is not understood
 * ends the worker.
 */

#include "hsm/confine.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/scoped.h"

#define CREDENTIALS "$CREDENTIALS_DIRECTORY/"

/* What the C library, OpenSSL and p11-kit read, and no secret among it. */
static const struct sandbox_path system_paths[] = {
	{ "/usr", SANDBOX_READ },
	{ "/lib", SANDBOX_READ },
	{ "/lib64", SANDBOX_READ },
	{ "/etc/ld.so.cache", SANDBOX_READ },
	{ "/etc/ld.so.preload", SANDBOX_READ },
	{ "/etc/ssl/openssl.cnf", SANDBOX_READ },
	{ "/etc/pkcs11", SANDBOX_READ },
	{ "/etc/localtime", SANDBOX_READ },
	{ "/etc/nsswitch.conf", SANDBOX_READ },
	{ "/etc/passwd", SANDBOX_READ },
	{ "/etc/group", SANDBOX_READ },
	{ "/etc/hosts", SANDBOX_READ },
	{ "/etc/host.conf", SANDBOX_READ },
	{ "/etc/resolv.conf", SANDBOX_READ },
	{ "/etc/gai.conf", SANDBOX_READ },
	{ "/etc/services", SANDBOX_READ },
	{ "/dev/null", SANDBOX_WRITE },
	{ "/dev/zero", SANDBOX_READ },
	{ "/dev/random", SANDBOX_READ },
	{ "/dev/urandom", SANDBOX_READ },
	{ "/proc/self", SANDBOX_READ },
	{ "/proc/cpuinfo", SANDBOX_READ },
	{ "/proc/meminfo", SANDBOX_READ },
	{ "/proc/sys/crypto", SANDBOX_READ },
	{ "/sys/devices/system/cpu", SANDBOX_READ },
};
#define N_SYSTEM (sizeof(system_paths) / sizeof(system_paths[0]))

/* A path of this worker's own, and what stood there at the start. */
struct own {
	const char *path;
	dev_t device;
	ino_t inode; /* 0: nothing */
};

static struct {
	bool is_confined;
	unsigned kind, flags;
	const char *module, *token, *pin, *lock;
	bool has_files;
	struct sandbox_path paths[N_SYSTEM + CONFINE_PATHS_MAX];
	size_t n_paths;
	struct own own[CONFINE_PATHS_MAX];
	size_t n_own;
} self;

/* ---- the front: as text ---- */

static void
line(FILE *text, bool *ok, const char *word, const char *path)
{
	if (strchr(path, '\n') != NULL || path[0] == '\0')
		*ok = false;
	fprintf(text, "%s %s\n", word, path);
}

static void
folder_line(FILE *text, bool *ok, const char *word, const char *path)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", path);
	line(text, ok, word, dirname(copy));
}

/* Where systemd has put it (base/secret.h). */
static void
pin_line(FILE *text, bool *ok, const char *pin_file)
{
	const size_t prefix = sizeof(CREDENTIALS) - 1;
	const char *folder = secure_getenv("CREDENTIALS_DIRECTORY");
	char path[PATH_MAX];

	line(text, ok, "pin", pin_file);
	if (strncmp(pin_file, CREDENTIALS, prefix) != 0) {
		line(text, ok, "read", pin_file);
		return;
	}
	snprintf(path, sizeof(path), "%s/%s", folder != NULL ? folder : "",
	    pin_file + prefix);
	line(text, ok, "read", path);
}

/* The token folder that SoftHSM's configuration names. */
static bool
token_folder(const char *conf, char ret_path[PATH_MAX])
{
	static const char key[] = "directories.tokendir";
	scoped(fclose) FILE *file = fopen(conf, "re");
	char at[PATH_MAX + 64];
	bool found = false;

	while (file != NULL && fgets(at, sizeof(at), file) != NULL) {
		char *value = at + strspn(at, " \t");

		if (strncmp(value, key, sizeof(key) - 1) != 0)
			continue;
		value += sizeof(key) - 1;
		value += strspn(value, " \t=");
		value[strcspn(value, "\r\n")] = '\0';
		for (size_t n = strlen(value); n > 0 && value[n - 1] == ' ';)
			value[--n] = '\0';
		if (value[0] != '/' || strlen(value) >= PATH_MAX)
			continue;
		memcpy(ret_path, value, strlen(value) + 1);
		found = true;
	}
	return found;
}

static void
files_lines(FILE *text, bool *ok, const struct confine_spec *spec)
{
	char tokens[PATH_MAX];

	fputs("files\n", text);
	line(text, ok, "read", spec->module);
	folder_line(text, ok, "read", spec->module);
	folder_line(text, ok, "use", spec->lock_file);
	pin_line(text, ok, spec->pin_file);
	if (spec->softhsm_conf != NULL) {
		line(text, ok, "read", spec->softhsm_conf);
		if (token_folder(spec->softhsm_conf, tokens))
			line(text, ok, "use", tokens);
	}
	for (size_t i = 0; i < spec->n_paths; i++)
		line(text, ok, "use", spec->paths[i]);
}

static unsigned
flags_of(const struct confine_spec *spec)
{
	unsigned flags = spec->network ? SANDBOX_NETWORK : 0;

	for (size_t i = 0; i < spec->n_paths; i++)
		if (strncmp(spec->paths[i], "/dev/", 5) == 0)
			flags |= SANDBOX_DEVICES;
	return flags;
}

STATUS
confine_print(
    const struct confine_spec *spec, char **ret_text, bool *ret_has_files)
{
	char tokens[PATH_MAX];
	bool has_files =
	    spec->n_paths > 0 || (spec->softhsm_conf != NULL &&
				     token_folder(spec->softhsm_conf, tokens));
	char *at = NULL;
	size_t len = 0;
	FILE *text = open_memstream(&at, &len);
	bool ok = true;

	if (text == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	fprintf(
	    text, "kind %u\nflags %u\n", (unsigned)spec->kind, flags_of(spec));
	line(text, &ok, "module", spec->module);
	/* Nor may a PIN be tried, and refused, at the token of another. */
	line(text, &ok, "token", spec->token);
	line(text, &ok, "lock", spec->lock_file);
	if (has_files)
		files_lines(text, &ok, spec);
	else
		line(text, &ok, "pin", spec->pin_file);
	if (fclose(text) != 0 || at == NULL || !ok) {
		free(at);
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a path of a token's configuration is empty or has a line "
		    "feed in it");
	}
	*ret_text = at;
	*ret_has_files = has_files;
	return status_ok();
}

/* ---- the worker: in force ---- */

static bool
add_path(const char *path, enum sandbox_access access)
{
	struct own *own = &self.own[self.n_own];
	struct stat sb;

	if (self.n_own == CONFINE_PATHS_MAX)
		return false;
	*own = (struct own){ .path = path };
	if (stat(path, &sb) == 0) {
		own->device = sb.st_dev;
		own->inode = sb.st_ino;
	}
	self.n_own++;
	self.paths[self.n_paths++] = (struct sandbox_path){ path, access };
	return true;
}

static bool
read_line(char *at)
{
	char *value = at + strcspn(at, " ");

	if (*value != '\0')
		*value++ = '\0';
	if (strcmp(at, "kind") == 0)
		self.kind = (unsigned)strtoul(value, NULL, 10);
	else if (strcmp(at, "flags") == 0)
		self.flags = (unsigned)strtoul(value, NULL, 10);
	else if (strcmp(at, "module") == 0)
		self.module = value;
	else if (strcmp(at, "token") == 0)
		self.token = value;
	else if (strcmp(at, "pin") == 0)
		self.pin = value;
	else if (strcmp(at, "lock") == 0)
		self.lock = value;
	else if (strcmp(at, "files") == 0)
		self.has_files = true;
	else if (strcmp(at, "read") == 0)
		return add_path(value, SANDBOX_READ);
	else if (strcmp(at, "use") == 0)
		return add_path(value, SANDBOX_WRITE);
	else
		return false;
	return true;
}

static STATUS
read_text(const char *text)
{
	/* The paths stay in it, as long as the process lives. */
	char *copy = strdup(text);
	bool ok = copy != NULL;

	memset(&self, 0, sizeof(self));
	for (size_t i = 0; i < N_SYSTEM; i++)
		self.paths[self.n_paths++] = system_paths[i];
	while (ok && copy != NULL && *copy != '\0')
		ok = read_line(strsep(&copy, "\n"));
	if (!ok || self.module == NULL || self.token == NULL ||
	    self.pin == NULL || self.lock == NULL ||
	    (self.kind != SANDBOX_WORKER && self.kind != SANDBOX_IDENTITY))
		return status_fail(STATUS_INTERNAL,
		    "the worker does not understand what it may touch");
	return status_ok();
}

STATUS
confine_begin(void)
{
	const char *text = getenv(CONFINE_VARIABLE);
	struct status st;
	int abi;

	if (text == NULL)
		return status_ok();
	st = read_text(text);
	if (failed(st))
		return st;
	self.is_confined = true;
	(void)sandbox_mdwe();
	if (self.has_files)
		st = sandbox_files(
		    self.paths, self.n_paths, SANDBOX_FILES_NO_SIGNAL, &abi);
	if (!failed(st) || st.code == STATUS_UNIMPLEMENTED)
		st = sandbox_calls((enum sandbox_kind)self.kind, self.flags);
	/* The front has told of a kernel that lacks them. */
	return st.code == STATUS_UNIMPLEMENTED ? status_ok() : st;
}

bool
confine_allows(const char *module, const char *token, const char *pin_file,
    const char *lock_file)
{
	return !self.is_confined || (strcmp(module, self.module) == 0 &&
					strcmp(token, self.token) == 0 &&
					strcmp(pin_file, self.pin) == 0 &&
					strcmp(lock_file, self.lock) == 0);
}

bool
confine_is_stale(void)
{
	struct stat sb;

	for (size_t i = 0; self.has_files && i < self.n_own; i++)
		if (stat(self.own[i].path, &sb) == 0 &&
		    (sb.st_ino != self.own[i].inode ||
			sb.st_dev != self.own[i].device))
			return true;
	return false;
}

void
confine_seal(void)
{
	struct status st;

	if (!self.is_confined || sandbox_is_sealed())
		return;
	st = sandbox_seal();
	if (failed(st))
		log_warn("a worker cannot be sealed", LOG_STATUS(st));
}
