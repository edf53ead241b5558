/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_FILES_INT_H
#define EDGE_FILES_INT_H

#include "edge/files.h"

/* What files.c (the layout), files_list.c (HAProxy's list of it) and
 * files_disk.c (their means) share. */

/* What is being made; renamed once it is whole. */
#define FILES_NEW ".new"
#define FILES_LIST "haproxy.list"
#define FILES_LINK_MAX (2 * SITE_HOST_MAX)

struct files {
	struct files_config config;
	int dir, live, versions, haproxy;
	bool is_list_old; /* there is a host that it does not name */
};

/* Write the list anew, of all hosts that are live, without those. */
STATUS files_list(
    struct files *files, const char *const *without, size_t n_without);

/* UNAVAILABLE with errno. */
struct status files_disk_failed(const char *why);
/* Give it the configured owner, and this mode: umask is edged's own. */
bool files_disk_dress(const struct files *files, int fd, mode_t mode);
/* Open a folder, made when missing; a link is none. */
STATUS files_disk_open(
    const struct files *files, int at, const char *name, int *ret_fd);
/* Remove a folder of files, and of folders of files; true when it is not there
 * any more. */
bool files_disk_remove(int at, const char *name);
bool files_disk_write(int fd, const char *text, size_t len);
/* Point name at target, whatever it was before, in one step. */
STATUS files_disk_link(int at, const char *name, const char *target);

#endif
