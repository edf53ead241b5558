/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_CONFIG_H
#define EDGE_CONFIG_H

#include <stdint.h>
#include <sys/types.h>

#include "base/conf.h"
#include "base/status.h"
#include "edge/files.h"
#include "edge/listener.h"

/* edged.yaml, as edged.yaml(5) describes it. */
#define EDGE_CONFIG_DEFAULT "/etc/holdfast/edged.yaml"
#define EDGE_SOCKETS_MAX 64

struct edge_socket_config {
	char *path;
	char *mode;  /* "0660" */
	char *group; /* NULL: as it comes */
	struct conf_strings allow;
};

struct edge_config {
	char *state_dir;
	struct conf_maps sockets;  /* of struct edge_socket_config */
	struct conf_strings keyd;  /* empty: the endpoints of the identity */
	struct conf_strings certd; /* empty: edged signs, and no more */
	struct {
		char *dir;
		char *owner, *group; /* NULL: edged's own */
		char *mode;          /* "0644" */
		int64_t keep_removed_ns;
	} files;
	struct conf_strings hook; /* argv; empty: none */
	struct {
		char *socket; /* NULL: none */
	} haproxy;
	struct {
		char *connect;      /* NULL: what is served is not looked at */
		char *http_connect; /* NULL: nor the way of http-01 */
		int64_t timeout_ns, interval_ns;
	} probe;
	struct {
		char *listen; /* "": challenges are not answered */
	} acme;
	int64_t request_timeout_ns;
	uint64_t queue_max;
	uint64_t connections_max;
	char *metrics_listen; /* NULL: none */
	struct {
		int level;  /* enum log_level */
		int format; /* enum log_format */
	} log;
};

extern const struct conf_field edge_config_schema[];

/*
 * Read and check a file, or with NULL take the defaults.  On failure ret_error
 * holds a message and config nothing that needs freeing.
 */
STATUS edge_config_load(const char *path, struct edge_config *config,
    char ret_error[CONF_ERROR_MAX]);
void edge_config_free(struct edge_config *config);

/*
 * The sockets as the listener takes them, names of users and groups looked up
 * (files, NIS or whatever the host uses: may block).  ret_sockets is freed with
 * edge_config_free_sockets; it borrows paths from config.
 */
STATUS edge_config_sockets(const struct edge_config *config,
    struct listener_socket **ret_sockets, size_t *ret_n,
    char ret_error[CONF_ERROR_MAX]);
/* How files are written, owner and group looked up; borrows from config. */
STATUS edge_config_files(const struct edge_config *config,
    struct files_config *ret_files, char ret_error[CONF_ERROR_MAX]);
void edge_config_free_sockets(struct listener_socket *sockets, size_t n);

#endif
