/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The files that web servers read.  A version is a folder that is written whole
 * under another name, synced and renamed; it is served once the link live/HOST
 * points to it.  So at any moment, and after any crash, a host has the files of
 * one version: the old one or the new one.  Names come from site_folder alone,
 * and folders are opened without following links.
 */

#include "edge/files_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define VERSION_MAX 24
/* A chain and a stub for each kind, and what HAProxy reads. */
#define PARTS_MAX (2 * SITE_KINDS + 2)
/* The folder of the certificate that is kept ready. */
#define STANDBY "standby"
#define STANDBY_PARTS 3

STATUS
files_open(const struct files_config *config, struct files **ret_files)
{
	struct files *files = calloc(1, sizeof(*files));
	struct status st;

	if (files == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	files->config = *config;
	files->dir = files->live = files->versions = files->haproxy = -1;
	if (mkdir(config->dir, 0755) == 0)
		(void)!chmod(config->dir, 0755); /* whatever umask is */
	files->dir = open(config->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	st = files->dir >= 0
		 ? files_disk_open(files, files->dir, "live", &files->live)
		 : files_disk_failed(
		       "the folder for certificates cannot be opened");
	if (!failed(st))
		st = files_disk_open(
		    files, files->dir, "versions", &files->versions);
	if (!failed(st))
		st = files_disk_open(
		    files, files->dir, "haproxy", &files->haproxy);
	/* A full disk keeps edged from nothing: it is written with a change. */
	files->is_list_old = !failed(st) && failed(files_list(files, NULL, 0));
	if (failed(st)) {
		files_close(files);
		return st;
	}
	*ret_files = files;
	return status_ok();
}

void
files_close(struct files *files)
{
	const int fds[] = { files != NULL ? files->dir : -1,
		files != NULL ? files->live : -1,
		files != NULL ? files->versions : -1,
		files != NULL ? files->haproxy : -1 };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(files);
}

/* --- One version ------------------------------------------------------------
 */

struct part {
	char name[32];
	const char *chain, *stub; /* either may be NULL */
};

/* Which certificate HAProxy is given under a suffix; its bundles know RSA and
 * ECDSA alone. */
static size_t
haproxy_parts(const struct site *site, const char *suffix[2], size_t at[2])
{
	size_t ec = SITE_KINDS, rsa = SITE_KINDS;

	for (size_t i = 0; i < site->n_certificates; i++) {
		if (site->certificates[i].kind == SITE_EC)
			ec = i;
		if (site->certificates[i].kind == SITE_RSA)
			rsa = i;
	}
	suffix[0] = "";
	at[0] = 0;
	if (ec == SITE_KINDS || rsa == SITE_KINDS)
		return site->n_certificates > 0 ? 1 : 0;
	suffix[0] = ".ecdsa";
	at[0] = ec;
	suffix[1] = ".rsa";
	at[1] = rsa;
	return 2;
}

static size_t
list_parts(const struct site *site, const struct site_pem *pem,
    struct part parts[PARTS_MAX])
{
	const char *suffix[2];
	size_t n = 0, at[2], n_haproxy = haproxy_parts(site, suffix, at);

	for (size_t i = 0; i < site->n_certificates; i++) {
		const char *dash = i == 0 ? "" : "-";
		const char *kind =
		    i == 0 ? "" : site_kind_name(site->certificates[i].kind);

		(void)!snprintf(parts[n].name, sizeof(parts[n].name),
		    "fullchain%s%s.pem", dash, kind);
		parts[n].chain = pem->chain[i];
		parts[n++].stub = NULL;
		(void)!snprintf(parts[n].name, sizeof(parts[n].name),
		    "privkey%s%s.pem", dash, kind);
		parts[n].chain = NULL;
		parts[n++].stub = pem->stub[i];
	}
	for (size_t i = 0; i < n_haproxy; i++) {
		(void)!snprintf(parts[n].name, sizeof(parts[n].name),
		    "haproxy.pem%s", suffix[i]);
		parts[n].chain = pem->chain[at[i]];
		parts[n++].stub = pem->stub[at[i]];
	}
	return n;
}

/* The same names as of what is served, in a folder beside it. */
static void
list_standby_parts(const struct site_pem *pem, struct part parts[STANDBY_PARTS])
{
	const char *chain = pem->chain[SITE_STANDBY];
	const char *stub = pem->stub[SITE_STANDBY];

	parts[0] = (struct part){ "fullchain.pem", chain, NULL };
	parts[1] = (struct part){ "privkey.pem", NULL, stub };
	parts[2] = (struct part){ "haproxy.pem", chain, stub };
}

static STATUS
write_part(
    const struct files *files, int at, const struct part *part, bool durable)
{
	scoped(close) int fd = openat(
	    at, part->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 ||
	    (part->chain != NULL &&
		!files_disk_write(fd, part->chain, strlen(part->chain))) ||
	    (part->stub != NULL &&
		!files_disk_write(fd, part->stub, strlen(part->stub))) ||
	    (durable && fsync(fd) != 0))
		return files_disk_failed(
		    "a certificate cannot be written to disk");
	if (!files_disk_dress(files, fd, files->config.mode))
		return files_disk_failed("a certificate's file cannot get the "
					 "configured owner or mode");
	return status_ok();
}

/*
 * Give the finished folder its name.  Where there is one of that name already,
 * of an attempt that was cut short or of a certd that went back, the two change
 * places: a link that points there never sees half of it.
 */
static STATUS
rename_folder(int at, const char *version)
{
	if (renameat2(at, FILES_NEW, at, version, RENAME_NOREPLACE) == 0)
		return status_ok();
	if (errno == EINVAL && renameat(at, FILES_NEW, at, version) == 0)
		return status_ok();
	if (renameat2(at, FILES_NEW, at, version, RENAME_EXCHANGE) == 0) {
		files_disk_remove(at, FILES_NEW);
		return status_ok();
	}
	return files_disk_failed("a version's folder cannot be renamed");
}

/* What a version's folder holds. */
struct content {
	struct part parts[PARTS_MAX], standby[STANDBY_PARTS];
	size_t n_parts;
	bool has_standby, durable;
};

static STATUS
write_folder(const struct files *files, int at, const struct part *parts,
    size_t n_parts, bool durable)
{
	struct status st = status_ok();

	for (size_t i = 0; i < n_parts && !failed(st); i++)
		st = write_part(files, at, &parts[i], durable);
	if (!failed(st) && durable && fsync(at) != 0)
		st = files_disk_failed(
		    "a version's folder cannot be written to disk");
	return st;
}

static STATUS
write_standby(const struct files *files, int at, const struct content *content)
{
	scoped(close) int beside = -1;
	struct status st = files_disk_open(files, at, STANDBY, &beside);

	return failed(st) ? st
			  : write_folder(files, beside, content->standby,
				STANDBY_PARTS, content->durable);
}

static STATUS
stage_host(const struct files *files, const char *host, int64_t version,
    const struct content *content)
{
	char folder[SITE_HOST_MAX], name[VERSION_MAX];
	scoped(close) int at = -1, beside = -1;
	const bool durable = content->durable;
	struct status st;

	site_folder(host, folder);
	(void)!snprintf(name, sizeof(name), "%" PRId64, version);
	st = files_disk_open(files, files->versions, folder, &at);
	if (failed(st))
		return st;
	files_disk_remove(at, FILES_NEW);
	st = files_disk_open(files, at, FILES_NEW, &beside);
	if (!failed(st) && content->has_standby)
		st = write_standby(files, beside, content);
	if (!failed(st))
		st = write_folder(
		    files, beside, content->parts, content->n_parts, durable);
	if (!failed(st))
		st = rename_folder(at, name);
	if (!failed(st) && durable && fsync(at) != 0)
		st = files_disk_failed(
		    "a version's folder cannot be written to disk");
	if (failed(st))
		files_disk_remove(at, FILES_NEW);
	return st;
}

STATUS
files_stage(struct files *files, const struct site *site,
    const struct site_pem *pem, bool durable)
{
	struct content content = { .has_standby = site->has_standby,
		.durable = durable };
	struct status st = status_ok();

	content.n_parts = list_parts(site, pem, content.parts);
	if (site->has_standby)
		list_standby_parts(pem, content.standby);
	for (size_t i = 0;
	     content.n_parts > 0 && i < site->n_hosts && !failed(st); i++)
		st = stage_host(files, site->hosts[i], site->version, &content);
	if (!failed(st) && durable && fsync(files->versions) != 0)
		st = files_disk_failed(
		    "a version's folder cannot be written to disk");
	return st;
}

STATUS
files_sync(struct files *files)
{
	return syncfs(files->dir) == 0
		   ? status_ok()
		   : files_disk_failed(
			 "certificates cannot be written to disk");
}

/* --- What is live -----------------------------------------------------------
 */

static STATUS
put_haproxy_links(
    const struct files *files, const struct site *site, const char *folder)
{
	char name[SITE_HOST_MAX + 16], target[FILES_LINK_MAX];
	const char *suffix[2];
	size_t at[2], n = haproxy_parts(site, suffix, at);
	struct status st = status_ok();

	for (size_t i = 0; i < n && !failed(st); i++) {
		(void)!snprintf(
		    name, sizeof(name), "%s.pem%s", folder, suffix[i]);
		(void)!snprintf(target, sizeof(target),
		    "../live/%s/haproxy.pem%s", folder, suffix[i]);
		st = files_disk_link(files->haproxy, name, target);
	}
	return st;
}

/* HAProxy reads folders whole: a link to nowhere would stop it. */
static void
drop_haproxy_links(const struct files *files, const char *folder, bool all)
{
	static const char *const suffixes[] = { "", ".ecdsa", ".rsa" };
	char name[SITE_HOST_MAX + 16];
	struct stat st;

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		(void)!snprintf(
		    name, sizeof(name), "%s.pem%s", folder, suffixes[i]);
		if (all || fstatat(files->haproxy, name, &st, 0) != 0)
			unlinkat(files->haproxy, name, 0);
	}
}

static void
print_target(
    const char *folder, int64_t version, char ret_target[FILES_LINK_MAX])
{
	(void)!snprintf(ret_target, FILES_LINK_MAX, "../versions/%s/%" PRId64,
	    folder, version);
}

STATUS
files_swap(struct files *files, const struct site *site, const char *host)
{
	char folder[SITE_HOST_MAX], target[FILES_LINK_MAX];
	struct status st;

	site_folder(host, folder);
	print_target(folder, site->version, target);
	files->is_list_old |= !files_is_live(files, host);
	st = put_haproxy_links(files, site, folder);
	if (!failed(st))
		st = files_disk_link(files->live, folder, target);
	if (!failed(st))
		drop_haproxy_links(files, folder, false);
	return st;
}

STATUS
files_settle(struct files *files)
{
	struct status st =
	    files->is_list_old ? files_list(files, NULL, 0) : status_ok();

	if (failed(st))
		return st;
	files->is_list_old = false;
	return fsync(files->live) == 0 && fsync(files->haproxy) == 0
		   ? status_ok()
		   : files_disk_failed(
			 "certificates cannot be written to disk");
}

bool
files_is_live(struct files *files, const char *host)
{
	char folder[SITE_HOST_MAX];
	struct stat st;

	site_folder(host, folder);
	return fstatat(files->live, folder, &st, 0) == 0;
}

void
files_each(
    struct files *files, void (*fn)(void *ctx, const char *host), void *ctx)
{
	/* Its own description: the offset is not shared with the other. */
	int fd = openat(files->live, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	char host[SITE_HOST_MAX + 2];
	struct dirent *one;

	if (folder == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((one = readdir(folder)) != NULL) {
		const char *name = one->d_name;
		size_t prefix = strlen("_wildcard.");
		bool wildcard = strncmp(name, "_wildcard.", prefix) == 0;

		(void)!snprintf(host, sizeof(host), "%s%s",
		    wildcard ? "*." : "", wildcard ? name + prefix : name);
		if (site_host_ok(host))
			fn(ctx, host);
	}
	closedir(folder);
}

/* --- Removing ---------------------------------------------------------------
 */

void
files_prune(
    struct files *files, const char *host, int64_t keep, int64_t keep_too)
{
	char folder[SITE_HOST_MAX], kept[2][VERSION_MAX];
	int fd, at;
	DIR *versions;
	struct dirent *one;

	site_folder(host, folder);
	(void)!snprintf(kept[0], VERSION_MAX, "%" PRId64, keep);
	(void)!snprintf(kept[1], VERSION_MAX, "%" PRId64, keep_too);
	fd = openat(files->versions, folder,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	versions = fd < 0 ? NULL : fdopendir(fd);
	if (versions == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	at = dirfd(versions);
	while ((one = readdir(versions)) != NULL)
		if (one->d_name[0] != '.' &&
		    strcmp(one->d_name, kept[0]) != 0 &&
		    strcmp(one->d_name, kept[1]) != 0)
			files_disk_remove(at, one->d_name);
	closedir(versions);
}

static void
remove_host(struct files *files, const char *host)
{
	char folder[SITE_HOST_MAX];

	site_folder(host, folder);
	drop_haproxy_links(files, folder, true);
	unlinkat(files->live, folder, 0);
	files_prune(files, host, 0, 0);
	unlinkat(files->versions, folder, AT_REMOVEDIR);
}

STATUS
files_remove(struct files *files, const char *const *hosts, size_t n)
{
	struct status st = files_list(files, hosts, n);

	for (size_t i = 0; i < n && !failed(st); i++)
		remove_host(files, hosts[i]);
	return st;
}
