/* SPDX-License-Identifier: Apache-2.0 */

/*
 * edged's arguments.  Nothing secret is among them: the join file is named, not
 * given.
 */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "edge/config.h"
#include "edge/edged.h"
#include "rpc/enroll.h"

enum {
	EXIT_USAGE = 2
};

static const char usage_text[] =
    "usage: edged [-c FILE] [--check-config]\n"
    "       edged join FILE.join [-c FILE]\n"
    "\n"
    "The Holdfast agent of one edge host: takes signing requests of web\n"
    "servers on unix sockets and has keyd sign them.\n"
    "\n"
    "  join FILE.join       trade a join file for this host's identity\n"
    "  -c, --config FILE    read FILE, not " EDGE_CONFIG_DEFAULT "\n"
    "      --check-config   read the configuration, say what is wrong, exit\n"
    "      --version        print the version\n"
    "  -h, --help           print this\n"
    "\n"
    "See edged(8) and edged.yaml(5).\n";

enum {
	OPT_CHECK = 256,
	OPT_VERSION
};

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check-config", no_argument, NULL, OPT_CHECK },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct arguments {
	const char *config; /* NULL: the default, which may be missing */
	const char *join;   /* NULL: serve */
	bool check;
};

static int
join(const char *file, const struct edge_config *config)
{
	char why[RPC_WHY_MAX] = "";
	scoped(enroll_identity_free) struct enroll_identity *identity = NULL;
	struct status st = enroll_join(file, config->state_dir, why);

	if (!failed(st))
		st = enroll_load(config->state_dir, &identity, why);
	if (failed(st)) {
		fprintf(stderr, "edged: cannot join: %s\n",
		    why[0] != '\0' ? why : st.why);
		return EXIT_FAILURE;
	}
	printf("Joined as %s.\nIts identity is in %s; edged renews it by "
	       "itself.\n",
	    identity->identity, config->state_dir);
	return EXIT_SUCCESS;
}

static const char *
config_path(const struct arguments *arguments)
{
	if (arguments->config != NULL)
		return arguments->config;
	return access(EDGE_CONFIG_DEFAULT, F_OK) == 0 ? EDGE_CONFIG_DEFAULT
						      : NULL;
}

static int
with_config(const struct arguments *arguments)
{
	const char *path = config_path(arguments);
	struct edge_config config;
	char error[CONF_ERROR_MAX];
	struct status st = edge_config_load(path, &config, error);
	int code = EXIT_SUCCESS;

	if (failed(st)) {
		fprintf(stderr, "edged: %s\n", error);
		return EXIT_FAILURE;
	}
	log_setup((enum log_level)config.log.level,
	    (enum log_format)config.log.format);
	if (arguments->check)
		printf("%s: ok\n", path != NULL ? path : "defaults");
	else if (arguments->join != NULL)
		code = join(arguments->join, &config);
	else if (failed(edged_run(&config)))
		code = EXIT_FAILURE;
	edge_config_free(&config);
	return code;
}

static int
usage_error(void)
{
	fputs("edged: try \"edged --help\"\n", stderr);
	return EXIT_USAGE;
}

int
main(int argc, char **argv)
{
	struct arguments arguments = { 0 };
	int option;

	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			arguments.config = optarg;
			break;
		case OPT_CHECK:
			arguments.check = true;
			break;
		case OPT_VERSION:
			puts("edged " HOLDFAST_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			fputs(usage_text, stdout);
			return EXIT_SUCCESS;
		default:
			return usage_error();
		}
	}
	if (optind == argc)
		return with_config(&arguments);
	if (argc - optind != 2 || strcmp(argv[optind], "join") != 0 ||
	    arguments.check) {
		fputs("edged: unknown command or wrong number of arguments\n",
		    stderr);
		return usage_error();
	}
	arguments.join = argv[optind + 1];
	return with_config(&arguments);
}
