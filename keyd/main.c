/* SPDX-License-Identifier: Apache-2.0 */

/*
 * keyd's command line, and nothing but: what it asks for is done elsewhere.
 * "worker" and "ca-worker" are this program started by itself (keyd/tokens.c).
 * Refuses what it does not know; a PIN has no place here.
 */

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/process.h"
#include "hsm/ca.h"
#include "hsm/hsm.h"
#include "keyd/config.h"
#include "keyd/init.h"
#include "keyd/keyd.h"
#include "keyd/tokens.h"

#define EXIT_USAGE 2
#define EXIT_PERSON 78 /* EX_CONFIG of sysexits.h */

static const char USAGE[] =
    "usage: keyd [-c FILE]                   run the custody daemon\n"
    "       keyd [-c FILE] --check-config    read the configuration, and tell\n"
    "       keyd init [-c FILE] [--operator NAME] [-o FILE.join] "
    "[--new-ledger]\n"
    "                                        make what keyd needs, once\n"
    "       keyd --version | --help\n"
    "\n"
    "FILE is /etc/holdfast/keyd.yaml unless given; see keyd(8) and "
    "keyd.yaml(5).\n";

struct arguments {
	const char *config_path;
	const char *operator_name;
	const char *join_path;
	bool is_init, is_new_ledger, is_check, is_version, is_help;
};

static bool
goes_together(const struct arguments *arguments)
{
	if (arguments->is_init ||
	    (arguments->operator_name == NULL && arguments->join_path == NULL &&
		!arguments->is_new_ledger))
		return true;
	fputs("keyd: --operator, -o and --new-ledger go with init\n", stderr);
	return false;
}

static bool
parse(int argc, char **argv, struct arguments *ret)
{
	enum {
		OPT_CHECK = 256,
		OPT_VERSION,
		OPT_OPERATOR,
		OPT_NEW_LEDGER
	};
	static const struct option OPTIONS[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, OPT_CHECK },
		{ "operator", required_argument, NULL, OPT_OPERATOR },
		{ "output", required_argument, NULL, 'o' },
		{ "new-ledger", no_argument, NULL, OPT_NEW_LEDGER },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	*ret = (struct arguments){ .config_path = CONFIG_PATH_DEFAULT };
	while ((option = getopt_long(argc, argv, "c:o:h", OPTIONS, NULL)) != -1)
		switch (option) {
		case 'c':
			ret->config_path = optarg;
			break;
		case 'o':
			ret->join_path = optarg;
			break;
		case 'h':
			ret->is_help = true;
			break;
		case OPT_CHECK:
			ret->is_check = true;
			break;
		case OPT_VERSION:
			ret->is_version = true;
			break;
		case OPT_NEW_LEDGER:
			ret->is_new_ledger = true;
			break;
		case OPT_OPERATOR:
			ret->operator_name = optarg;
			break;
		default:
			return false;
		}
	if (optind < argc && strcmp(argv[optind], "init") == 0) {
		ret->is_init = true;
		optind++;
	}
	if (optind < argc) {
		fprintf(stderr, "keyd: what is \"%s\"?\n", argv[optind]);
		return false;
	}
	return goes_together(ret);
}

static struct config *
load(const char *path)
{
	char error[CONF_ERROR_MAX];
	struct config *config = NULL;

	if (failed(config_load(path, &config, error)))
		fprintf(stderr, "keyd: %s\n", error);
	return config;
}

static int
check_config(const char *path)
{
	scoped(config_free) struct config *config = load(path);

	if (config == NULL)
		return EXIT_FAILURE;
	printf("%s: ok\n", path);
	return EXIT_SUCCESS;
}

static int
init(const struct arguments *arguments)
{
	const struct init_options options = {
		.config_path = arguments->config_path,
		.operator_name = arguments->operator_name,
		.join_path = arguments->join_path,
		.is_new_ledger = arguments->is_new_ledger,
	};
	scoped(config_free) struct config *config =
	    load(arguments->config_path);
	struct status st;

	if (config == NULL)
		return EXIT_FAILURE;
	tokens_keep_environment(config);
	st = process_harden();
	if (failed(st)) {
		fprintf(stderr, "keyd init: %s\n", st.why);
		return EXIT_FAILURE;
	}
	return failed(init_run(config, &options)) ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Starting again mends some failures; what a person must mend first has a code
 * of its own, so that a service manager does not try a refused PIN again. */
static int
exit_of(struct status st)
{
	if (st.code == STATUS_FAILED_PRECONDITION ||
	    st.code == STATUS_DATA_LOSS)
		return EXIT_PERSON;
	return failed(st) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	struct arguments arguments;

	if (argc == 3 && strcmp(argv[1], "worker") == 0)
		return hsm_worker_main();
	if (argc == 2 && strcmp(argv[1], "ca-worker") == 0)
		return hsm_ca_worker_main();
	if (!parse(argc, argv, &arguments)) {
		fputs(USAGE, stderr);
		return EXIT_USAGE;
	}
	if (arguments.is_help) {
		fputs(USAGE, stdout);
		return EXIT_SUCCESS;
	}
	if (arguments.is_version) {
		puts("keyd " HOLDFAST_VERSION);
		return EXIT_SUCCESS;
	}
	if (arguments.is_check)
		return check_config(arguments.config_path);
	if (arguments.is_init)
		return init(&arguments);
	return exit_of(keyd_run(arguments.config_path));
}
