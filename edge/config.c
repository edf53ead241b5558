/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the schema of edged.yaml (config_schema.c) cannot say: modes are octal
 * and give nobody else's programs a way to run, paths fit a socket address,
 * users and groups exist.  Everything is checked before edged touches the
 * system, and edged --check-config does no more than this file.
 */

#include "edge/config.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "edge/probe.h"
#include "edge/socket.h"

static struct status
refuse(char *ret_error, const char *path, const char *what, const char *value)
{
	(void)!snprintf(
	    ret_error, CONF_ERROR_MAX, "socket %s: %s: %s", path, what, value);
	return status_fail(
	    STATUS_INVALID_ARGUMENT, "configuration is not valid");
}

static struct status
refuse_key(
    char *ret_error, const char *key, const char *what, const char *value)
{
	(void)!snprintf(
	    ret_error, CONF_ERROR_MAX, "%s: %s: %s", key, what, value);
	return status_fail(
	    STATUS_INVALID_ARGUMENT, "configuration is not valid");
}

/* 0 to max, decimal or octal digits only; false on anything else. */
static bool
parse_number(
    const char *text, int base, unsigned long max, unsigned long *ret_number)
{
	const char *digits = base == 8 ? "01234567" : "0123456789";
	unsigned long number;

	if (*text == '\0' || text[strspn(text, digits)] != '\0')
		return false;
	errno = 0;
	number = strtoul(text, NULL, base);
	if (errno != 0 || number > max)
		return false;
	*ret_number = number;
	return true;
}

static bool
find_user(const char *name, uid_t *ret_uid)
{
	unsigned long number;
	struct passwd *user;

	if (parse_number(name, 10, UINT32_MAX - 1, &number)) {
		*ret_uid = (uid_t)number;
		return true;
	}
	user = getpwnam(name);
	if (user == NULL)
		return false;
	*ret_uid = user->pw_uid;
	return true;
}

static bool
find_group(const char *name, gid_t *ret_gid)
{
	unsigned long number;
	struct group *group;

	if (parse_number(name, 10, UINT32_MAX - 1, &number)) {
		*ret_gid = (gid_t)number;
		return true;
	}
	group = getgrnam(name);
	if (group == NULL)
		return false;
	*ret_gid = group->gr_gid;
	return true;
}

/* On failure what ret_socket holds so far is the caller's to free. */
static struct status
resolve(const struct edge_socket_config *config,
    struct listener_socket *ret_socket, char *ret_error)
{
	struct status st = socket_path_check(config->path);
	unsigned long mode;
	uid_t *allow;

	if (failed(st))
		return refuse(ret_error, config->path, "path", st.why);
	if (!parse_number(config->mode, 8, 0777, &mode) || (mode & 0111) != 0)
		return refuse(ret_error, config->path,
		    "mode must be octal like \"0660\", without execute bits",
		    config->mode);
	ret_socket->spec.path = config->path;
	ret_socket->spec.mode = (mode_t)mode;
	ret_socket->spec.set_group = config->group != NULL;
	if (config->group != NULL &&
	    !find_group(config->group, &ret_socket->spec.group))
		return refuse(ret_error, config->path,
		    "group: there is no such group on this host",
		    config->group);
	allow = calloc(config->allow.len + 1, sizeof(*allow));
	if (allow == NULL)
		return refuse(
		    ret_error, config->path, "allow", "out of memory");
	ret_socket->allow = allow;
	ret_socket->n_allow = config->allow.len;
	for (size_t i = 0; i < config->allow.len; i++)
		if (!find_user(config->allow.at[i], &allow[i]))
			return refuse(ret_error, config->path,
			    "allow: there is no such user on this host",
			    config->allow.at[i]);
	return status_ok();
}

static bool
path_repeats(const struct edge_socket_config *sockets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(sockets[i].path, sockets[n].path) == 0)
			return true;
	return false;
}

STATUS
edge_config_sockets(const struct edge_config *config,
    struct listener_socket **ret_sockets, size_t *ret_n,
    char ret_error[CONF_ERROR_MAX])
{
	char path[] = SOCK_PATH_DEFAULT, mode[] = "0660";
	struct edge_socket_config one = { .path = path, .mode = mode };
	const struct edge_socket_config *from = config->sockets.at;
	size_t n = config->sockets.len;
	struct listener_socket *sockets;
	struct status st = status_ok();

	if (n == 0) {
		from = &one;
		n = 1;
	}
	sockets = calloc(n, sizeof(*sockets));
	if (sockets == NULL)
		return refuse(
		    ret_error, from->path, "sockets", "out of memory");
	for (size_t i = 0; i < n && !failed(st); i++)
		st = path_repeats(from, i)
			 ? refuse(ret_error, from[i].path, "path",
			       "this socket is listed twice")
			 : resolve(&from[i], &sockets[i], ret_error);
	if (failed(st)) {
		edge_config_free_sockets(sockets, n);
		return st;
	}
	if (config->sockets.len == 0)
		sockets[0].spec.path = SOCK_PATH_DEFAULT;
	*ret_sockets = sockets;
	*ret_n = n;
	return status_ok();
}

void
edge_config_free_sockets(struct listener_socket *sockets, size_t n)
{
	for (size_t i = 0; sockets != NULL && i < n; i++)
		free((void *)(uintptr_t)sockets[i].allow);
	free(sockets);
}

STATUS
edge_config_files(const struct edge_config *config,
    struct files_config *ret_files, char ret_error[CONF_ERROR_MAX])
{
	struct files_config files = { .dir = config->files.dir };
	const char *owner = config->files.owner, *group = config->files.group;
	unsigned long mode;

	if (!parse_number(config->files.mode, 8, 0777, &mode) ||
	    (mode & 0111) != 0 || (mode & 0022) != 0 || (mode & 0400) == 0)
		return refuse_key(ret_error, "files.mode",
		    "it must be octal like \"0644\", readable by the owner, "
		    "writable by nobody else and without execute bits",
		    config->files.mode);
	files.mode = (mode_t)mode;
	files.set_owner = owner != NULL;
	files.set_group = group != NULL;
	if (owner != NULL && !find_user(owner, &files.owner))
		return refuse_key(ret_error, "files.owner",
		    "there is no such user on this host", owner);
	if (group != NULL && !find_group(group, &files.group))
		return refuse_key(ret_error, "files.group",
		    "there is no such group on this host", group);
	*ret_files = files;
	return status_ok();
}

/* What would fail only once certd sends something. */
static STATUS
check_serving(const struct edge_config *config, char *ret_error)
{
	const char *dir = config->files.dir;
	struct files_config files;
	union address listen;

	if (dir[0] != '/')
		return refuse_key(
		    ret_error, "files.dir", "it must be an absolute path", dir);
	if (config->haproxy.socket != NULL && config->haproxy.socket[0] != '/')
		return refuse_key(ret_error, "haproxy.socket",
		    "it must be an absolute path", config->haproxy.socket);
	if (config->haproxy.socket != NULL &&
	    strcspn(dir, " \t\\\"';<#") != strlen(dir))
		return refuse_key(ret_error, "files.dir",
		    "HAProxy takes no blanks and quotes in a file's name", dir);
	if (config->hook.len > 0 && config->hook.at[0][0] != '/')
		return refuse_key(ret_error, "hook",
		    "its program must be an absolute path", config->hook.at[0]);
	if (config->probe.connect != NULL &&
	    !probe_address_ok(config->probe.connect))
		return refuse_key(ret_error, "probe.connect",
		    "it must be address:port, without names",
		    config->probe.connect);
	if (config->probe.http_connect != NULL &&
	    !probe_address_ok(config->probe.http_connect))
		return refuse_key(ret_error, "probe.http_connect",
		    "it must be address:port, without names",
		    config->probe.http_connect);
	if (config->acme.listen[0] != '\0' &&
	    !address_parse(config->acme.listen, &listen))
		return refuse_key(ret_error, "acme.listen",
		    "it must be address:port, without names, or empty",
		    config->acme.listen);
	return edge_config_files(config, &files, ret_error);
}

STATUS
edge_config_load(const char *path, struct edge_config *config,
    char ret_error[CONF_ERROR_MAX])
{
	struct listener_socket *sockets;
	struct status st;
	size_t n;

	*config = (struct edge_config){ 0 };
	if (path == NULL) {
		path = "defaults";
		st = conf_parse(
		    path, "{}", 2, edge_config_schema, config, ret_error);
	} else {
		st = conf_load(path, edge_config_schema, config, ret_error);
	}
	if (failed(st))
		return st;
	st = edge_config_sockets(config, &sockets, &n, ret_error);
	if (!failed(st)) {
		edge_config_free_sockets(sockets, n);
		st = check_serving(config, ret_error);
	}
	if (failed(st)) {
		char error[CONF_ERROR_MAX];

		(void)!snprintf(
		    error, sizeof(error), "%s: %s", path, ret_error);
		memcpy(ret_error, error, sizeof(error));
		edge_config_free(config);
		return st;
	}
	return status_ok();
}

void
edge_config_free(struct edge_config *config)
{
	conf_free(edge_config_schema, config);
}
