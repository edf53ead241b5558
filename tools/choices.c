/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast choices: the names of certd.yaml that other commands take. */

#include <stdio.h>

#include "proto/holdfast/certd/v1/choices.pb-c.h"
#include "tools/certd.h"

typedef Holdfast__Certd__V1__GetChoicesResponse choices_msg;

static void
add_networks(struct table *table, const choices_msg *is)
{
	char groups[200], text[240];

	for (size_t i = 0; i < is->n_networks; i++) {
		const Holdfast__Certd__V1__NetworkChoice *one = is->networks[i];

		certd_join(one->edge_groups, one->n_edge_groups, groups,
		    sizeof(groups));
		(void)!snprintf(text, sizeof(text), "edge groups %s", groups);
		table_add(
		    table, (const char *const[]){ "network", one->name, text });
	}
}

static void
add_authorities(struct table *table, const choices_msg *is)
{
	char profiles[200], text[320];

	for (size_t i = 0; i < is->n_authorities; i++) {
		const Holdfast__Certd__V1__AuthorityChoice *one =
		    is->authorities[i];

		certd_join(
		    one->profiles, one->n_profiles, profiles, sizeof(profiles));
		(void)!snprintf(text, sizeof(text), "%s%s%s",
		    one->available ? "available" : "NOT AVAILABLE",
		    one->n_profiles > 0 ? ", profiles " : "", profiles);
		table_add(table,
		    (const char *const[]){ "authority", one->name, text });
	}
}

static void
add_providers(struct table *table, const choices_msg *is)
{
	static const char *const KINDS[] = { "", "rfc2136", "acme_dns",
		"exec" };

	for (size_t i = 0; i < is->n_dns_providers; i++) {
		const Holdfast__Certd__V1__DnsProviderChoice *one =
		    is->dns_providers[i];
		const unsigned kind = (unsigned)one->kind;

		table_add(table,
		    (const char *const[]){ "DNS provider", one->name,
			kind < sizeof(KINDS) / sizeof(KINDS[0]) ? KINDS[kind]
								: "" });
	}
}

int
cli_choices(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__GetChoicesRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	struct table *table;
	int rc;

	holdfast__certd__v1__get_choices_request__init(&request);
	if (!cli_rest(argc, argv, 0, 0, "choices"))
		return EXIT_USAGE;
	rc = certd_call(cli, &holdfast__certd__v1__choices__descriptor, "Get",
	    &request.base, &reply);
	if (rc != 0 || certd_json(cli, reply))
		return rc;
	table =
	    table_new((const char *const[]){ "KIND", "NAME", "OFFERS", NULL });
	add_networks(table, (const choices_msg *)reply);
	add_authorities(table, (const choices_msg *)reply);
	add_providers(table, (const choices_msg *)reply);
	table_print_list(table, "none");
	table_free(table);
	return 0;
}
