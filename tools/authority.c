/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast authority: the CAs that certd.yaml names, certd's accounts there,
 * and how much of their limits is used.
 */

#include <inttypes.h>
#include <stdio.h>

#include "proto/holdfast/certd/v1/authorities.pb-c.h"
#include "tools/certd.h"

#define AUTHORITIES (&holdfast__certd__v1__authorities__descriptor)

typedef Holdfast__Certd__V1__Authority authority_msg;

static void
print_limits(const authority_msg *a)
{
	for (size_t i = 0; i < a->n_limits; i++) {
		const Holdfast__Certd__V1__LimitUse *use = a->limits[i];
		char bar[21];
		unsigned full =
		    use->limit == 0 ? 0 : use->used * 20 / use->limit;

		for (unsigned at = 0; at < 20; at++)
			bar[at] = at < full ? '#' : '.';
		bar[20] = '\0';
		printf("%-11s [%s] %" PRIu32 " of %" PRIu32 " %s in %" PRIu32
		       " s\n",
		    i == 0 ? "limits" : "", bar, use->used, use->limit,
		    use->name, use->window_s);
	}
}

static void
print_authority(const authority_msg *a)
{
	char text[400], age[AGE_TEXT_MAX];

	printf("authority %s%s\n", a->name,
	    a->standby ? "  (of standby certificates)" : "");
	printf("directory   %s\n", a->directory);
	printf("account     %s\n",
	    a->account_url[0] != '\0' ? a->account_url : "none yet");
	if (a->account_key_id[0] != '\0')
		printf("account key %s  (in keyd)\n", a->account_key_id);
	certd_join(a->contacts, a->n_contacts, text, sizeof(text));
	if (a->n_contacts > 0)
		printf("contacts    %s\n", text);
	certd_join(a->profiles, a->n_profiles, text, sizeof(text));
	if (a->n_profiles > 0)
		printf("profiles    %s\n", text);
	printf("says when to renew  %s\n",
	    a->renewal_information ? "yes (RFC 9773)" : "no");
	print_limits(a);
	if (a->paused_until_s != 0) {
		cli_age(a->paused_until_s, age);
		printf("paused      asked again %s\n", age);
	}
	if (a->problem[0] != '\0')
		printf("PROBLEM     %s\n", a->problem);
}

int
cli_authority_list(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__ListAuthoritiesRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__ListAuthoritiesResponse *list;
	struct table *table;
	int rc;

	holdfast__certd__v1__list_authorities_request__init(&request);
	if (!cli_rest(argc, argv, 0, 0, "authority list"))
		return EXIT_USAGE;
	rc = certd_call(cli, AUTHORITIES, "List", &request.base, &reply);
	if (rc != 0 || certd_json(cli, reply))
		return rc;
	list = (const Holdfast__Certd__V1__ListAuthoritiesResponse *)reply;
	table = table_new((const char *const[]){
	    "NAME", "DIRECTORY", "ACCOUNT", "PROBLEM", NULL });
	for (size_t i = 0; i < list->n_authorities; i++) {
		const authority_msg *a = list->authorities[i];

		table_add(
		    table, (const char *const[]){ a->name, a->directory,
			       a->account_url[0] != '\0' ? a->account_url : "-",
			       a->problem });
	}
	table_print_list(
	    table, "none: name them in certd.yaml, acme.authorities");
	table_free(table);
	return 0;
}

static int
ask(struct cli *cli, const char *method, const ProtobufCMessage *request)
{
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc = certd_call(cli, AUTHORITIES, method, request, &reply);

	if (rc == 0 && !certd_json(cli, reply))
		print_authority((const authority_msg *)reply);
	return rc;
}

int
cli_authority_show(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__GetAuthorityRequest request;

	holdfast__certd__v1__get_authority_request__init(&request);
	if (!cli_rest(argc, argv, 1, 1, "authority show AUTHORITY"))
		return EXIT_USAGE;
	request.name = argv[0];
	return ask(cli, "Get", &request.base);
}

int
cli_authority_check(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__CheckAuthorityRequest request;

	holdfast__certd__v1__check_authority_request__init(&request);
	if (!cli_rest(argc, argv, 1, 1, "authority check AUTHORITY"))
		return EXIT_USAGE;
	request.name = argv[0];
	return ask(cli, "Check", &request.base);
}

int
cli_authority_rollover_key(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__RolloverKeyRequest request;

	holdfast__certd__v1__rollover_key_request__init(&request);
	if (!cli_rest(argc, argv, 1, 1, "authority rollover-key AUTHORITY"))
		return EXIT_USAGE;
	request.name = argv[0];
	return ask(cli, "RolloverKey", &request.base);
}
