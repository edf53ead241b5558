/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CONFIG_H
#define CERTD_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/networks.h"

/*
 * certd's configuration, certd.yaml(5).  A struct config is read once and not
 * changed; all strings belong to it.
 */
#define CONFIG_PATH_DEFAULT "/etc/holdfast/certd.yaml"

enum config_tls {
	CONFIG_TLS_IDENTITY, /* certd's own certificate, of keyd's CA */
	CONFIG_TLS_FILES,
	CONFIG_TLS_OFF /* on loopback only */
};

struct config_network {
	char *name;
	char *pool;
	struct conf_strings edge_groups;
};

struct config {
	char *listen;
	char *state_dir;
	struct conf_strings keyd; /* empty: the endpoints of the identity */
	struct {
		char *listen; /* "": no REST */
		int tls;      /* enum config_tls */
		char *certificate, *key;
	} rest;
	char *zone;                /* "": none */
	struct conf_maps networks; /* of struct config_network */
	bool allow_exposed_upload;
	char *metrics_listen; /* "": none */
	struct {
		int level;  /* enum log_level */
		int format; /* enum log_format */
	} log;
	/* networks, or the default ones, as others want them. */
	struct networks all_networks;
	struct network *network_at;
};

extern const struct conf_field config_schema[];

/*
 * Read and check a file, or with NULL take the defaults.  On failure ret_error
 * holds a message for people.
 */
STATUS config_load(const char *path, struct config **ret_config,
    char ret_error[CONF_ERROR_MAX]);
void config_free(struct config *config); /* NULL is allowed */
SCOPED_RELEASE(config_free, struct config *);

/* NULL, or what is wrong with it that no schema can say. */
const char *config_check(const struct config *config);

#endif
