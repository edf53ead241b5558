/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast resource: host names, where they are served and by which
 * certificates.  A binding is the permission to sign, so `unbind` and `delete`
 * take it away at once, on every edge, and say so only when keyd knows.  Making
 * and changing one is in resource_change.c.
 */

#include "tools/resource.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/certd.h"
#include "tools/certd_list.h"

#define RESOURCES (&holdfast__certd__v1__resources__descriptor)

const char *const resource_modes[] = { "?", "personal", "acme", "shared",
	"automatic", NULL };
const char *const resource_origin_modes[] = { "?", "http", "https", "match",
	NULL };

static const char *
mode_text(Holdfast__Certd__V1__ResourceMode mode)
{
	return (unsigned)mode < 5 ? resource_modes[mode] : "?";
}

/* ---- output ---- */

static void
print_convergence(
    const Holdfast__Certd__V1__Convergence *c, bool has_certificates)
{
	char bar[21];
	unsigned full = c->percent > 100 ? 20 : c->percent / 5;

	if (!has_certificates) {
		printf("edges       %" PRIu32 " of %" PRIu32
		       " have it, without a certificate to be seen\n",
		    c->applied, c->edges);
		return;
	}
	memset(bar, '.', 20);
	memset(bar, '#', full);
	bar[20] = '\0';
	printf("edges       [%s] %" PRIu32 " %%: %" PRIu32 " of %" PRIu32
	       " seen serving it, %" PRIu32 " have the files\n",
	    bar, c->percent, c->served, c->edges, c->applied);
}

void
resource_print(const Holdfast__Certd__V1__Resource *r)
{
	char names[400], age[AGE_TEXT_MAX];

	certd_join(r->hostnames, r->n_hostnames, names, sizeof(names));
	printf("resource %" PRId64 "  %s\n", r->id, r->name);
	printf("account     %s\n", r->account);
	printf("host names  %s\n", names);
	printf("target      %s  (what their CNAME must point at)\n", r->target);
	printf("served on   %s network, edge group %s\n", r->network,
	    r->edge_group);
	if (r->origin != NULL && r->origin->host[0] != '\0')
		printf("origin      %s by %s\n", r->origin->host,
		    (unsigned)r->origin->mode < 4
			? resource_origin_modes[r->origin->mode]
			: "?");
	printf("https       %s, mode %s\n", r->https ? "on" : "off",
	    mode_text(r->mode));
	for (size_t i = 0; i < r->n_certificates; i++) {
		const Holdfast__Certd__V1__BoundCertificate *c =
		    r->certificates[i];

		cli_age(c->not_after_s, age);
		printf("certificate %" PRId64 "  %s, %s, expires %s\n", c->id,
		    c->name, c->key_algorithm, age);
	}
	cli_age(r->changed_s, age);
	printf("changed     %s, edge version %" PRId64 "\n", age, r->version);
	if (r->convergence != NULL)
		print_convergence(
		    r->convergence, r->https && r->n_certificates > 0);
	if (r->permission_trouble[0] != '\0')
		printf("NOT YET     %s\n", r->permission_trouble);
	for (size_t i = 0; i < r->n_warnings; i++)
		if (strcmp(r->warnings[i], r->permission_trouble) != 0)
			printf("warning     %s\n", r->warnings[i]);
}

int
resource_ask(
    struct cli *cli, const char *method, const ProtobufCMessage *request)
{
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc = certd_call(cli, RESOURCES, method, request, &reply);

	if (rc == 0 && !certd_json(cli, reply))
		resource_print((const Holdfast__Certd__V1__Resource *)reply);
	return rc;
}

/* ---- list, show ---- */

static const char *
list_rows(const ProtobufCMessage *reply, struct table *table)
{
	const Holdfast__Certd__V1__ListResourcesResponse *list =
	    (const Holdfast__Certd__V1__ListResourcesResponse *)reply;

	for (size_t i = 0; i < list->n_resources; i++) {
		const Holdfast__Certd__V1__Resource *r = list->resources[i];
		char id[24], names[44], certs[60] = "-";
		size_t used = 0;

		snprintf(id, sizeof(id), "%" PRId64, r->id);
		certd_join(r->hostnames, r->n_hostnames, names, sizeof(names));
		for (size_t j = 0;
		     j < r->n_certificates && used + 24 < sizeof(certs); j++)
			used += (size_t)snprintf(certs + used,
			    sizeof(certs) - used, "%s%" PRId64,
			    j == 0 ? "" : ", ", r->certificates[j]->id);
		table_add(table, (const char *const[]){ id, r->name, names,
				     r->https ? mode_text(r->mode) : "no https",
				     certs, r->edge_group, r->account });
	}
	return list->next_page_token;
}

int
cli_resource_list(struct cli *cli, int argc, char **argv)
{
	static const char *const HEADER[] = { "ID", "NAME", "HOST NAMES",
		"MODE", "CERTIFICATES", "EDGE GROUP", "ACCOUNT", NULL };
	Holdfast__Certd__V1__ListResourcesRequest request;
	const struct certd_list list = { RESOURCES, "List", &request.base,
		&request.page_size, &request.page_token, HEADER, list_rows,
		"none found; holdfast resource create NAME makes one" };
	const char *cert = cli_option(&argc, argv, "--cert");
	int rc = 0;

	holdfast__certd__v1__list_resources_request__init(&request);
	request.account = certd_lend(cli_option(&argc, argv, "--account"));
	request.search = certd_lend(cli_option(&argc, argv, "--search"));
	request.order_by = certd_lend(cli_option(&argc, argv, "--order"));
	request.edge_group = certd_lend(cli_option(&argc, argv, "--group"));
	request.page_token =
	    certd_lend(cli_option(&argc, argv, "--page-token"));
	if (!cli_rest(argc, argv, 0, 0,
		"resource list [--account ACCOUNT] [--search TEXT] [--order "
		"[-]id|name] [--group GROUP] [--cert CERT] [--page-token T]"))
		return EXIT_USAGE;
	if (cert != NULL)
		rc = certd_certificate_id(
		    cli, request.account, cert, &request.certificate);
	return rc != 0 ? rc : certd_list_print(cli, &list);
}

int
cli_resource_show(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__GetResourceRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc;

	holdfast__certd__v1__get_resource_request__init(&request);
	if (!cli_rest(argc, argv, 1, 1, "resource show RESOURCE"))
		return EXIT_USAGE;
	rc = certd_resource_id(cli, NULL, argv[0], &request.id);
	if (rc == 0)
		rc = certd_call(cli, RESOURCES, "Get", &request.base, &reply);
	if (rc == 0 && !certd_json(cli, reply))
		resource_print((const Holdfast__Certd__V1__Resource *)reply);
	return rc;
}

/* The certificates that stand after the resource. */
static int
named_certificates(
    struct cli *cli, int n, char **names, int64_t ret_ids[3], size_t *ret_n)
{
	for (int i = 0; i < n; i++) {
		int rc = certd_certificate_id(cli, NULL, names[i], &ret_ids[i]);

		if (rc != 0)
			return rc;
	}
	*ret_n = (size_t)n;
	return 0;
}

int
cli_resource_bind(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__BindRequest request;
	int64_t ids[3];
	int rc;

	holdfast__certd__v1__bind_request__init(&request);
	if (!cli_rest(argc, argv, 2, 4, "resource bind RESOURCE CERT..."))
		return EXIT_USAGE;
	request.certificates = ids;
	rc = certd_resource_id(cli, NULL, argv[0], &request.id);
	if (rc == 0)
		rc = named_certificates(
		    cli, argc - 1, argv + 1, ids, &request.n_certificates);
	return rc != 0 ? rc : resource_ask(cli, "Bind", &request.base);
}

int
cli_resource_unbind(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__UnbindRequest request;
	int64_t ids[3];
	int rc;

	holdfast__certd__v1__unbind_request__init(&request);
	if (!cli_rest(argc, argv, 1, 4, "resource unbind RESOURCE [CERT...]"))
		return EXIT_USAGE;
	request.certificates = ids;
	rc = certd_resource_id(cli, NULL, argv[0], &request.id);
	if (rc == 0)
		rc = named_certificates(
		    cli, argc - 1, argv + 1, ids, &request.n_certificates);
	return rc != 0 ? rc : resource_ask(cli, "Unbind", &request.base);
}

int
cli_resource_delete(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__DeleteResourceRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__DeleteResourceResponse *done;
	int rc;

	holdfast__certd__v1__delete_resource_request__init(&request);
	if (!cli_rest(argc, argv, 1, 1, "resource delete RESOURCE"))
		return EXIT_USAGE;
	rc = certd_resource_id(cli, NULL, argv[0], &request.id);
	if (rc == 0)
		rc =
		    certd_call(cli, RESOURCES, "Delete", &request.base, &reply);
	if (rc != 0 || certd_json(cli, reply))
		return rc;
	done = (const Holdfast__Certd__V1__DeleteResourceResponse *)reply;
	if (done->permission_trouble[0] == '\0')
		printf("resource %" PRId64 " is deleted; no edge may sign for "
		       "it any more\n",
		    request.id);
	else
		printf("resource %" PRId64 " is deleted\nNOT YET     %s\n",
		    request.id, done->permission_trouble);
	return rc;
}
