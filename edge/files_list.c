/* SPDX-License-Identifier: Apache-2.0 */

/*
 * HAProxy's list of certificates (its crt-list): each file for its own host
 * name and no other.  Of a folder that it reads whole, HAProxy serves each
 * certificate for all names that stand in it, so what the owner of one site had
 * certified would be served for the host of another.  The list never names a
 * file that is not there, which would stop HAProxy: a host comes in after its
 * files, and goes before them.
 */

#include "edge/files_int.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct hosts {
	char **at; /* owned */
	size_t n, room;
	bool is_short; /* memory ended */
};

static inline void
scoped_hosts_done(struct hosts *hosts)
{
	for (size_t i = 0; i < hosts->n; i++)
		free(hosts->at[i]);
	free(hosts->at);
}

static void
add(void *ctx, const char *host)
{
	struct hosts *hosts = ctx;

	if (hosts->n == hosts->room) {
		size_t room = hosts->room == 0 ? 64 : 2 * hosts->room;
		char **at = reallocarray(hosts->at, room, sizeof(*at));

		if (at == NULL) {
			hosts->is_short = true;
			return;
		}
		hosts->at = at;
		hosts->room = room;
	}
	hosts->at[hosts->n] = strdup(host);
	if (hosts->at[hosts->n] == NULL)
		hosts->is_short = true;
	else
		hosts->n++;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool
is_among(const struct hosts *hosts, char *host)
{
	return hosts->n > 0 && bsearch(&host, hosts->at, hosts->n,
				   sizeof(*hosts->at), by_name) != NULL;
}

static void
print(FILE *to, const char *dir, const struct hosts *hosts,
    const struct hosts *without)
{
	char folder[SITE_HOST_MAX];

	for (size_t i = 0; i < hosts->n; i++) {
		if (is_among(without, hosts->at[i]))
			continue;
		site_folder(hosts->at[i], folder);
		/* With two kinds of keys HAProxy finds both by this name. */
		fprintf(
		    to, "%s/haproxy/%s.pem %s\n", dir, folder, hosts->at[i]);
	}
}

static STATUS
put(const struct files *files, const char *text, size_t len)
{
	scoped(close) int fd = -1;

	unlinkat(files->dir, FILES_NEW, 0);
	fd = openat(files->dir, FILES_NEW,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || !files_disk_write(fd, text, len) ||
	    !files_disk_dress(files, fd, files->config.mode) ||
	    fsync(fd) != 0 ||
	    renameat(files->dir, FILES_NEW, files->dir, FILES_LIST) != 0 ||
	    fsync(files->dir) != 0)
		return files_disk_failed(
		    "the list of certificates for HAProxy cannot be written");
	return status_ok();
}

STATUS
files_list(struct files *files, const char *const *without, size_t n_without)
{
	scoped(hosts_done) struct hosts hosts = { 0 }, out = { 0 };
	scoped(free) char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	files_each(files, add, &hosts);
	for (size_t i = 0; i < n_without; i++)
		add(&out, without[i]);
	if (hosts.n > 0)
		qsort(hosts.at, hosts.n, sizeof(*hosts.at), by_name);
	if (out.n > 0)
		qsort(out.at, out.n, sizeof(*out.at), by_name);
	if (to != NULL)
		print(to, files->config.dir, &hosts, &out);
	if (to == NULL || fclose(to) != 0 || hosts.is_short || out.is_short)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	return put(files, text, len);
}
