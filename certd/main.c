/* SPDX-License-Identifier: Apache-2.0 */

/*
 * certd's arguments, and nothing but: what they ask for is done elsewhere.
 * Nothing secret is among them: the join file is named, not given.
 */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/process.h"
#include "certd/backup.h"
#include "certd/certd.h"
#include "certd/config.h"
#include "rpc/enroll.h"

#define EXIT_USAGE 2
#define EXIT_PERSON 78 /* EX_CONFIG of sysexits.h */

static const char USAGE[] =
    "usage: certd [-c FILE]                   run the certificate daemon\n"
    "       certd [-c FILE] --check-config    read the configuration, and "
    "tell\n"
    "       certd join FILE.join [-c FILE]    trade a join file for an "
    "identity\n"
    "       certd backup -o FILE [-c FILE]    copy the database, also of a "
    "certd\n"
    "                                         that runs\n"
    "       certd --version | --help\n"
    "\n"
    "FILE is " CONFIG_PATH_DEFAULT " unless given, or the defaults when\n"
    "there is none; see certd(8) and certd.yaml(5).\n";

struct arguments {
	const char *config; /* NULL: the default, which may be missing */
	const char *output;
	const char *join;
	bool is_backup, is_check, is_version, is_help;
};

/* ---- reading them ---- */

static bool
read_command(int argc, char **argv, struct arguments *ret)
{
	if (optind == argc)
		return true;
	if (strcmp(argv[optind], "join") == 0) {
		ret->join = argv[optind + 1]; /* or NULL */
		if (optind + 2 != argc)
			fputs("certd: join takes one FILE.join\n", stderr);
		return optind + 2 == argc;
	}
	if (strcmp(argv[optind], "backup") == 0 && optind + 1 == argc) {
		ret->is_backup = true;
		return true;
	}
	fprintf(stderr, "certd: what is \"%s\"?\n", argv[optind]);
	return false;
}

static bool
goes_together(const struct arguments *arguments)
{
	if (arguments->is_backup != (arguments->output != NULL))
		fputs("certd: backup takes -o FILE, and nothing else does\n",
		    stderr);
	else if (arguments->is_check &&
		 (arguments->is_backup || arguments->join != NULL))
		fputs("certd: --check-config stands alone\n", stderr);
	else
		return true;
	return false;
}

static bool
parse(int argc, char **argv, struct arguments *ret)
{
	enum {
		OPT_CHECK = 256,
		OPT_VERSION
	};
	static const struct option OPTIONS[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "output", required_argument, NULL, 'o' },
		{ "check-config", no_argument, NULL, OPT_CHECK },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	*ret = (struct arguments){ 0 };
	while ((option = getopt_long(argc, argv, "c:o:h", OPTIONS, NULL)) != -1)
		switch (option) {
		case 'c':
			ret->config = optarg;
			break;
		case 'o':
			ret->output = optarg;
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
		default:
			return false;
		}
	return read_command(argc, argv, ret) && goes_together(ret);
}

/* ---- doing what they ask for ---- */

static const char *
config_path(const struct arguments *arguments)
{
	if (arguments->config != NULL)
		return arguments->config;
	return access(CONFIG_PATH_DEFAULT, F_OK) == 0 ? CONFIG_PATH_DEFAULT
						      : NULL;
}

static int
join(const char *file, const struct config *config)
{
	char why[RPC_WHY_MAX] = "";
	scoped(enroll_identity_free) struct enroll_identity *identity = NULL;
	struct status st = enroll_join(file, config->state_dir, why);

	if (!failed(st))
		st = enroll_load(config->state_dir, &identity, why);
	if (failed(st)) {
		fprintf(stderr, "certd: cannot join: %s\n",
		    why[0] != 0 ? why : st.why);
		return EXIT_FAILURE;
	}
	printf("Joined as %s.\nIts identity is in %s; certd renews it by "
	       "itself.\n",
	    identity->identity, config->state_dir);
	return EXIT_SUCCESS;
}

static int
with_config(const struct arguments *arguments)
{
	const char *path = config_path(arguments);
	scoped(config_free) struct config *config = NULL;
	char error[CONF_ERROR_MAX];
	struct status st = config_load(path, &config, error);

	if (failed(st)) {
		fprintf(stderr, "certd: %s\n", error);
		return EXIT_FAILURE;
	}
	if (arguments->is_check) {
		printf("%s: ok\n", path != NULL ? path : "defaults");
		return EXIT_SUCCESS;
	}
	st = process_harden();
	if (failed(st)) {
		fprintf(stderr, "certd: %s\n", st.why);
		return EXIT_FAILURE;
	}
	if (arguments->join != NULL)
		return join(arguments->join, config);
	return failed(backup_run(config->state_dir, arguments->output))
		   ? EXIT_FAILURE
		   : EXIT_SUCCESS;
}

/* Starting again mends some failures; what a person must mend first has a code
 * of its own, so that a service manager does not try again and again. */
static int
exit_of(struct status st)
{
	if (st.code == STATUS_FAILED_PRECONDITION ||
	    st.code == STATUS_DATA_LOSS || st.code == STATUS_NOT_FOUND)
		return EXIT_PERSON;
	return failed(st) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	struct arguments arguments;

	if (!parse(argc, argv, &arguments)) {
		fputs(USAGE, stderr);
		return EXIT_USAGE;
	}
	if (arguments.is_help) {
		fputs(USAGE, stdout);
		return EXIT_SUCCESS;
	}
	if (arguments.is_version) {
		puts("certd " HOLDFAST_VERSION);
		return EXIT_SUCCESS;
	}
	if (arguments.is_check || arguments.join != NULL || arguments.is_backup)
		return with_config(&arguments);
	return exit_of(certd_run(config_path(&arguments)));
}
