/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast enrollment: certificates that certd obtains by ACME and renews by
 * itself.  `create` and `issue` follow the change that they begin, unless
 * --no-wait is given.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/signing.h"
#include "proto/holdfast/certd/v1/enrollments.pb-c.h"
#include "tools/certd.h"
#include "tools/certd_list.h"
#include "tools/change.h"
#include "tools/enrollment.h"

#define ENROLLMENTS (&holdfast__certd__v1__enrollments__descriptor)

typedef Holdfast__Certd__V1__Enrollment enrollment_msg;

const char *const enrollment_validations[] = { "?", "http-01", "dns-01",
	"by-hand", "dns-persist-01", NULL };
static const char *const STATES[] = { "?", "pending", "active", "failed",
	"revoked" };

static const char *
state_text(Holdfast__Certd__V1__EnrollmentState state)
{
	return (unsigned)state < 5 ? STATES[state] : "?";
}

/* ---- output ---- */

static void
print_when(const enrollment_msg *e)
{
	char age[AGE_TEXT_MAX], until[AGE_TEXT_MAX];

	if (e->not_after_s != 0) {
		cli_age(e->not_after_s, age);
		printf("certificate %" PRId64 ", expires %s\n", e->certificate,
		    age);
	}
	if (e->next_at_s != 0) {
		cli_age(e->next_at_s, age);
		printf("next        %s %s\n",
		    e->certificate != 0 ? "renews" : "tries again", age);
	}
	if (e->window_start_s != 0) {
		cli_age(e->window_start_s, age);
		cli_age(e->window_end_s, until);
		printf("the CA says renew from %s to %s%s%s\n", age, until,
		    e->explanation_url[0] != '\0' ? ": " : "",
		    e->explanation_url);
	}
}

static void
print_enrollment(const enrollment_msg *e)
{
	char names[400];

	certd_join(e->hostnames, e->n_hostnames, names, sizeof(names));
	printf("enrollment %" PRId64 "  %s, %s\n", e->id, e->name,
	    state_text(e->state));
	printf("account     %s\n", e->account);
	printf("host names  %s\n", names);
	if (e->resource != 0)
		printf("resource    %" PRId64 "\n", e->resource);
	if (e->by_operator)
		printf("names       given by an operator\n");
	printf("validation  %s%s%s%s\n",
	    (unsigned)e->validation < 5 ? enrollment_validations[e->validation]
					: "?",
	    e->dns_provider[0] != '\0' ? " by " : "", e->dns_provider,
	    e->stepwise ? ", step by step" : "");
	printf("authority   %s%s%s\n",
	    e->authority[0] != '\0' ? e->authority : "the first that answers",
	    e->profile[0] != '\0' ? ", profile " : "", e->profile);
	print_when(e);
	if (e->standby)
		printf("standby     %s%s\n",
		    e->standby_certificate != 0 ? "ready" : "not yet",
		    e->standby_problem);
	if (e->problem[0] != '\0')
		printf("PROBLEM     %s\n", e->problem);
	if (e->change != 0)
		printf("change      %" PRId64 "\n", e->change);
}

/* ---- what create and set share ---- */

#define OPTIONS                                                                \
	"[--name NAME] [--common-name NAME] [--alg ALG] [--validation "        \
	"http-01|dns-01|by-hand|dns-persist-01] [--dns-provider NAME] "        \
	"[--authority NAME] [--profile NAME] [--preferred-chain NAME] "        \
	"[--stepwise on|off] [--standby on|off]"

struct wish {
	const char *name, *common_name, *dns_provider, *authority, *profile,
	    *chain;
	enum key_alg alg; /* 0: not given */
	unsigned validation;
	int stepwise, standby; /* -1: not given */
};

static bool
take_switch(int *argc, char **argv, const char *option, int *ret_on)
{
	const char *text = cli_option(argc, argv, option);

	*ret_on = text == NULL ? -1 : strcmp(text, "on") == 0;
	if (text == NULL || *ret_on == 1 || strcmp(text, "off") == 0)
		return true;
	cli_fail(EXIT_USAGE, "%s is on or off", option);
	return false;
}

static bool
take_validation(const char *text, unsigned *ret_validation)
{
	*ret_validation = 0;
	for (unsigned i = 1; text != NULL && i < 5; i++)
		if (strcmp(enrollment_validations[i], text) == 0)
			*ret_validation = i;
	if (text == NULL || *ret_validation != 0)
		return true;
	cli_fail(EXIT_USAGE,
	    "--validation is one of http-01, dns-01, by-hand, dns-persist-01");
	return false;
}

static bool
take_wish(int *argc, char **argv, struct wish *w)
{
	const char *alg = cli_option(argc, argv, "--alg");
	const char *validation = cli_option(argc, argv, "--validation");

	w->name = cli_option(argc, argv, "--name");
	w->common_name = cli_option(argc, argv, "--common-name");
	w->dns_provider = cli_option(argc, argv, "--dns-provider");
	w->authority = cli_option(argc, argv, "--authority");
	w->profile = cli_option(argc, argv, "--profile");
	w->chain = cli_option(argc, argv, "--preferred-chain");
	w->alg = alg == NULL ? KEY_ALG_NONE : key_alg_parse(alg);
	if (alg != NULL && w->alg == KEY_ALG_NONE) {
		cli_fail(EXIT_USAGE, "--alg is one of ec-p256, ec-p384, "
				     "rsa-2048, rsa-3072, rsa-4096");
		return false;
	}
	return take_validation(validation, &w->validation) &&
	       take_switch(argc, argv, "--stepwise", &w->stepwise) &&
	       take_switch(argc, argv, "--standby", &w->standby);
}

/* ---- list, show ---- */

static const char *
rows(const ProtobufCMessage *reply, struct table *table)
{
	const Holdfast__Certd__V1__ListEnrollmentsResponse *list =
	    (const Holdfast__Certd__V1__ListEnrollmentsResponse *)reply;

	for (size_t i = 0; i < list->n_enrollments; i++) {
		const enrollment_msg *e = list->enrollments[i];
		char id[24], names[44], expires[AGE_TEXT_MAX],
		    next[AGE_TEXT_MAX];

		snprintf(id, sizeof(id), "%" PRId64, e->id);
		certd_join(e->hostnames, e->n_hostnames, names, sizeof(names));
		cli_age(e->not_after_s, expires);
		cli_age(e->next_at_s, next);
		table_add(table, (const char *const[]){ id, e->name, names,
				     state_text(e->state), expires, next,
				     e->problem, e->account });
	}
	return list->next_page_token;
}

int
cli_enrollment_list(struct cli *cli, int argc, char **argv)
{
	static const char *const HEADER[] = { "ID", "NAME", "HOST NAMES",
		"STATE", "EXPIRES", "NEXT", "PROBLEM", "ACCOUNT", NULL };
	Holdfast__Certd__V1__ListEnrollmentsRequest request;
	const struct certd_list list = { ENROLLMENTS, "List", &request.base,
		&request.page_size, &request.page_token, HEADER, rows,
		"none found; holdfast enrollment create HOSTNAME makes one" };
	const char *resource = cli_option(&argc, argv, "--resource");
	const char *state = cli_option(&argc, argv, "--state");
	int rc = 0;

	holdfast__certd__v1__list_enrollments_request__init(&request);
	request.account = certd_lend(cli_option(&argc, argv, "--account"));
	request.page_token =
	    certd_lend(cli_option(&argc, argv, "--page-token"));
	if (!cli_rest(argc, argv, 0, 0,
		"enrollment list [--account ACCOUNT] [--resource RESOURCE] "
		"[--state pending|active|failed|revoked] [--page-token T]"))
		return EXIT_USAGE;
	for (int i = 1; state != NULL && i < 5; i++)
		if (strcmp(STATES[i], state) == 0)
			request.state = (Holdfast__Certd__V1__EnrollmentState)i;
	if (state != NULL && request.state == 0)
		return cli_fail(EXIT_USAGE,
		    "--state is one of pending, active, failed, revoked");
	if (resource != NULL)
		rc = certd_resource_id(
		    cli, request.account, resource, &request.resource);
	return rc != 0 ? rc : certd_list_print(cli, &list);
}

static bool
take_id(const char *text, int64_t *ret_id)
{
	if (certd_parse_id(text, ret_id))
		return true;
	cli_fail(EXIT_USAGE,
	    "\"%s\" is no enrollment's id; holdfast enrollment list shows "
	    "them",
	    text);
	return false;
}

int
cli_enrollment_show(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__GetEnrollmentRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc;

	holdfast__certd__v1__get_enrollment_request__init(&request);
	if (!cli_rest(argc, argv, 1, 1, "enrollment show ENROLLMENT") ||
	    !take_id(argv[0], &request.id))
		return EXIT_USAGE;
	rc = certd_call(cli, ENROLLMENTS, "Get", &request.base, &reply);
	if (rc == 0 && !certd_json(cli, reply))
		print_enrollment((const enrollment_msg *)reply);
	return rc;
}

/* ---- acts that begin a change ---- */

static int
ask_and_follow(struct cli *cli, const char *method,
    const ProtobufCMessage *request, bool is_not_waited_for)
{
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__EnrollmentChange *done;
	int rc = certd_call(cli, ENROLLMENTS, method, request, &reply);

	if (rc != 0)
		return rc;
	done = (const Holdfast__Certd__V1__EnrollmentChange *)reply;
	if (done->change != NULL && !is_not_waited_for) {
		if (!cli->json)
			print_enrollment(done->enrollment);
		return change_follow(cli, done->change->id);
	}
	if (certd_json(cli, reply))
		return 0;
	print_enrollment(done->enrollment);
	if (done->change != NULL)
		change_print(done->change);
	return 0;
}

#define CREATE_USAGE                                                           \
	"enrollment create [HOSTNAME...] [--resource RESOURCE] [--account "    \
	"ACCOUNT] [--network NETWORK] " OPTIONS " [--no-wait]"

int
cli_enrollment_create(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__CreateEnrollmentRequest request;
	const char *resource = cli_option(&argc, argv, "--resource");
	bool no_wait = cli_flag(&argc, argv, "--no-wait");
	struct wish w = { 0 };
	int rc = 0;

	holdfast__certd__v1__create_enrollment_request__init(&request);
	request.account = certd_lend(cli_option(&argc, argv, "--account"));
	request.network = certd_lend(cli_option(&argc, argv, "--network"));
	if (!take_wish(&argc, argv, &w) ||
	    !cli_rest(argc, argv, resource == NULL ? 1 : 0, 100, CREATE_USAGE))
		return EXIT_USAGE;
	if (resource != NULL)
		rc = certd_resource_id(
		    cli, request.account, resource, &request.resource);
	if (rc != 0)
		return rc;
	request.hostnames = argv;
	request.n_hostnames = (size_t)argc;
	request.name = certd_lend(w.name);
	request.common_name = certd_lend(w.common_name);
	request.algorithm = (Holdfast__Keyd__V1__KeyAlgorithm)w.alg;
	request.validation = (Holdfast__Certd__V1__ValidationKind)w.validation;
	request.dns_provider = certd_lend(w.dns_provider);
	request.authority = certd_lend(w.authority);
	request.profile = certd_lend(w.profile);
	request.preferred_chain = certd_lend(w.chain);
	request.stepwise = w.stepwise == 1;
	request.standby = w.standby == 1;
	return ask_and_follow(cli, "Create", &request.base, no_wait);
}

/* ---- set ---- */

#define SET_USAGE                                                              \
	"enrollment set ENROLLMENT [--hostnames NAME,...] " OPTIONS            \
	" [--no-wait]"
#define FIELD(name)                                                            \
	HOLDFAST__CERTD__V1__UPDATE_ENROLLMENT_REQUEST__FIELD__FIELD_##name

struct setting {
	Holdfast__Certd__V1__UpdateEnrollmentRequest request;
	Holdfast__Certd__V1__UpdateEnrollmentRequest__Field change[16];
	char *hostnames[100];
};

static void
changes(struct setting *s, bool is_given, int field)
{
	if (is_given)
		s->change[s->request.n_change++] =
		    (Holdfast__Certd__V1__UpdateEnrollmentRequest__Field)field;
}

static void
put_wish(struct setting *s, const struct wish *w)
{
	Holdfast__Certd__V1__UpdateEnrollmentRequest *r = &s->request;

	r->name = certd_lend(w->name);
	r->common_name = certd_lend(w->common_name);
	r->algorithm = (Holdfast__Keyd__V1__KeyAlgorithm)w->alg;
	r->validation = (Holdfast__Certd__V1__ValidationKind)w->validation;
	r->dns_provider = certd_lend(w->dns_provider);
	r->authority = certd_lend(w->authority);
	r->profile = certd_lend(w->profile);
	r->preferred_chain = certd_lend(w->chain);
	r->stepwise = w->stepwise == 1;
	r->standby = w->standby == 1;
	changes(s, w->name != NULL, FIELD(NAME));
	changes(s, w->common_name != NULL, FIELD(COMMON_NAME));
	changes(s, w->alg != 0, FIELD(ALGORITHM));
	changes(s, w->validation != 0, FIELD(VALIDATION));
	changes(s, w->dns_provider != NULL, FIELD(DNS_PROVIDER));
	changes(s, w->authority != NULL, FIELD(AUTHORITY));
	changes(s, w->profile != NULL, FIELD(PROFILE));
	changes(s, w->chain != NULL, FIELD(PREFERRED_CHAIN));
	changes(s, w->stepwise >= 0, FIELD(STEPWISE));
	changes(s, w->standby >= 0, FIELD(STANDBY));
}

int
cli_enrollment_set(struct cli *cli, int argc, char **argv)
{
	struct setting s = { 0 };
	const char *hostnames = cli_option(&argc, argv, "--hostnames");
	bool no_wait = cli_flag(&argc, argv, "--no-wait");
	scoped(free) char *copy = NULL;
	struct wish w = { 0 };
	char *rest, *word;

	holdfast__certd__v1__update_enrollment_request__init(&s.request);
	s.request.change = s.change;
	s.request.hostnames = s.hostnames;
	if (!take_wish(&argc, argv, &w) ||
	    !cli_rest(argc, argv, 1, 1, SET_USAGE) ||
	    !take_id(argv[0], &s.request.id))
		return EXIT_USAGE;
	put_wish(&s, &w);
	changes(&s, hostnames != NULL, FIELD(HOSTNAMES));
	copy = hostnames == NULL ? NULL : strdup(hostnames);
	rest = copy;
	while (copy != NULL && (word = strsep(&rest, ",")) != NULL) {
		if (s.request.n_hostnames == 100)
			return cli_fail(EXIT_USAGE, "100 host names at most");
		s.hostnames[s.request.n_hostnames++] = word;
	}
	if (s.request.n_change == 0)
		return cli_nothing_to_change(SET_USAGE);
	return ask_and_follow(cli, "Update", &s.request.base, no_wait);
}

/* ---- issue, revoke, delete ---- */

/* ENROLLMENT, or --resource RESOURCE. */
static int
take_which(struct cli *cli, int *argc, char **argv, const char *usage,
    int64_t *ret_id, int64_t *ret_resource)
{
	const char *resource = cli_option(argc, argv, "--resource");

	if (!cli_rest(*argc, argv, resource == NULL ? 1 : 0,
		resource == NULL ? 1 : 0, usage))
		return EXIT_USAGE;
	if (resource != NULL)
		return certd_resource_id(cli, NULL, resource, ret_resource);
	return take_id(argv[0], ret_id) ? 0 : EXIT_USAGE;
}

int
cli_enrollment_issue(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__IssueRequest request;
	bool no_wait = cli_flag(&argc, argv, "--no-wait");
	int rc;

	holdfast__certd__v1__issue_request__init(&request);
	request.force = cli_flag(&argc, argv, "--force");
	rc = take_which(cli, &argc, argv,
	    "enrollment issue ENROLLMENT|--resource RESOURCE [--force] "
	    "[--no-wait]",
	    &request.id, &request.resource);
	return rc != 0 ? rc
		       : ask_and_follow(cli, "Issue", &request.base, no_wait);
}

static bool
take_reason(const char *text, Holdfast__Certd__V1__RevocationReason *ret_reason)
{
	static const char *const WORDS[] = { "unspecified", "key-compromise",
		NULL, "affiliation-changed", "superseded",
		"cessation-of-operation" };

	for (int i = 0; i < 6; i++)
		if (WORDS[i] != NULL && text != NULL &&
		    strcmp(WORDS[i], text) == 0) {
			*ret_reason = (Holdfast__Certd__V1__RevocationReason)i;
			return true;
		}
	if (text == NULL)
		return true;
	cli_fail(EXIT_USAGE,
	    "--reason is one of unspecified, key-compromise, "
	    "affiliation-changed, superseded, cessation-of-operation");
	return false;
}

int
cli_enrollment_revoke(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__RevokeRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const char *reason = cli_option(&argc, argv, "--reason");
	int rc;

	holdfast__certd__v1__revoke_request__init(&request);
	request.replace = cli_flag(&argc, argv, "--replace");
	if (!take_reason(reason, &request.reason))
		return EXIT_USAGE;
	rc = take_which(cli, &argc, argv,
	    "enrollment revoke ENROLLMENT|--resource RESOURCE [--reason "
	    "REASON] [--replace]",
	    &request.id, &request.resource);
	if (rc == 0)
		rc = certd_call(
		    cli, ENROLLMENTS, "Revoke", &request.base, &reply);
	if (rc == 0 && !certd_json(cli, reply))
		print_enrollment((const enrollment_msg *)reply);
	return rc;
}

int
cli_enrollment_delete(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__DeleteEnrollmentRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc;

	holdfast__certd__v1__delete_enrollment_request__init(&request);
	if (!cli_rest(argc, argv, 1, 1, "enrollment delete ENROLLMENT") ||
	    !take_id(argv[0], &request.id))
		return EXIT_USAGE;
	rc = certd_call(cli, ENROLLMENTS, "Delete", &request.base, &reply);
	if (rc == 0 && !certd_json(cli, reply))
		printf("enrollment %" PRId64
		       " is deleted; its certificate stays, and is not "
		       "renewed any more\n",
		    request.id);
	return rc;
}
