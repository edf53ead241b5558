/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast cert csr: a key born in the token and a request to take to a CA; the
 * certificate that comes back is attached with `cert attach`.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/scoped.h"
#include "proto/holdfast/certd/v1/certificates.pb-c.h"
#include "tools/cert.h"
#include "tools/certd.h"
#include "tools/key.h"

#define REQUESTS (&holdfast__certd__v1__certificate_requests__descriptor)
#define NAMES_MAX 100

int
cli_cert_csr(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__CreateCertificateRequestRequest request;
	const char *alg = cli_option(&argc, argv, "--alg");
	const char *path = cli_option(&argc, argv, "-o");
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__CertificateRequest *made;
	int rc;

	holdfast__certd__v1__create_certificate_request_request__init(&request);
	request.account = certd_lend(cli_option(&argc, argv, "--account"));
	request.name = certd_lend(cli_option(&argc, argv, "--name"));
	request.network = certd_lend(cli_option(&argc, argv, "--network"));
	if (!cli_rest(argc, argv, 1, NAMES_MAX,
		"cert csr HOSTNAME... [--account ACCOUNT] [--name NAME] "
		"[--alg ALG] [--network NETWORK] [-o FILE]"))
		return EXIT_USAGE;
	if (alg != NULL) {
		if (key_alg_parse(alg) == KEY_ALG_NONE)
			return cli_fail(EXIT_USAGE,
			    "--alg is one of ec-p256, ec-p384, rsa-2048, "
			    "rsa-3072, rsa-4096, ed25519");
		request.algorithm =
		    (Holdfast__Keyd__V1__KeyAlgorithm)key_alg_parse(alg);
	}
	request.hostnames = argv;
	request.n_hostnames = (size_t)argc;
	rc = certd_call(cli, REQUESTS, "Create", &request.base, &reply);
	if (rc != 0 || certd_json(cli, reply))
		return rc;
	made = (const Holdfast__Certd__V1__CertificateRequest *)reply;
	rc = cli_write_file(path, made->csr);
	if (rc == 0)
		fprintf(stderr,
		    "request %" PRId64 ": its key %.16s... was born in the "
		    "token and stays there\nnext: have it signed by a CA, then "
		    "holdfast cert attach %" PRId64 " FILE\n",
		    made->id, made->key == NULL ? "" : made->key->id, made->id);
	return rc;
}

int
cli_cert_requests(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__ListCertificateRequestsRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__ListCertificateRequestsResponse *list;
	struct table *table;
	int rc;

	holdfast__certd__v1__list_certificate_requests_request__init(&request);
	request.account = certd_lend(cli_option(&argc, argv, "--account"));
	request.page_token =
	    certd_lend(cli_option(&argc, argv, "--page-token"));
	if (!cli_rest(argc, argv, 0, 0,
		"cert requests [--account ACCOUNT] [--page-token T]"))
		return EXIT_USAGE;
	request.page_size = 500;
	rc = certd_call(cli, REQUESTS, "List", &request.base, &reply);
	if (rc != 0 || certd_json(cli, reply))
		return rc;
	list =
	    (const Holdfast__Certd__V1__ListCertificateRequestsResponse *)reply;
	table = table_new((const char *const[]){ "REQUEST", "NAME",
	    "HOST NAMES", "MADE", "CERTIFICATE", "ACCOUNT", NULL });
	for (size_t i = 0; i < list->n_requests; i++) {
		const Holdfast__Certd__V1__CertificateRequest *r =
		    list->requests[i];
		char id[24], names[60], age[AGE_TEXT_MAX], has[24] = "waits";

		snprintf(id, sizeof(id), "%" PRId64, r->id);
		certd_join(r->hostnames, r->n_hostnames, names, sizeof(names));
		cli_age(r->created_s, age);
		if (r->certificate != 0)
			snprintf(has, sizeof(has), "%" PRId64, r->certificate);
		table_add(table, (const char *const[]){ id, r->name, names, age,
				     has, r->account });
	}
	table_print_list(
	    table, "none found; holdfast cert csr HOSTNAME makes one");
	table_free(table);
	if (list->next_page_token[0] != '\0')
		printf(
		    "there are more: --page-token %s\n", list->next_page_token);
	return rc;
}

int
cli_cert_withdraw(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__DeleteCertificateRequestRequest request =
	    HOLDFAST__CERTD__V1__DELETE_CERTIFICATE_REQUEST_REQUEST__INIT;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc;

	if (!cli_rest(argc, argv, 1, 1, "cert withdraw REQUEST"))
		return EXIT_USAGE;
	if (!certd_parse_id(argv[0], &request.id))
		return cli_fail(EXIT_USAGE,
		    "REQUEST is a number; holdfast cert requests lists them");
	rc = certd_call(cli, REQUESTS, "Delete", &request.base, &reply);
	if (rc == 0 && !certd_json(cli, reply))
		printf("request %" PRId64 " is withdrawn\n", request.id);
	return rc;
}
