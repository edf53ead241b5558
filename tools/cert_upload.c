/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast cert upload, and cert attach for a certificate that was bought for a
 * request.  The files are read, checked and put in order here
 * (tools/cert_files.c); certd checks all of it again.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/scoped.h"
#include "pki/bundle.h"
#include "tools/cert.h"
#include "tools/certd.h"

#define CERTIFICATES (&holdfast__certd__v1__certificates__descriptor)
#define REQUESTS (&holdfast__certd__v1__certificate_requests__descriptor)

static bool
take_passphrase_fd(int *argc, char **argv, int *ret_fd)
{
	const char *text = cli_option(argc, argv, "--passphrase-fd");
	unsigned number = 0;

	*ret_fd = -1;
	if (text == NULL)
		return true;
	if (!cli_number("--passphrase-fd", text, 0, 1023, &number))
		return false;
	*ret_fd = (int)number;
	return true;
}

static bool
stdin_is_free(const struct cert_files_options *options)
{
	for (size_t i = 0; i < options->n_paths; i++)
		if (options->passphrase_fd == STDIN_FILENO &&
		    strcmp(options->paths[i], "-") == 0) {
			cli_fail(EXIT_USAGE,
			    "the file and its passphrase cannot both come "
			    "from stdin; give --passphrase-fd 3");
			return false;
		}
	return true;
}

static void
print_answer(const Holdfast__Certd__V1__UploadCertificateResponse *done,
    const struct cert_files *files, bool check_only)
{
	if (check_only)
		puts("nothing was kept: this is what it would be");
	cert_print(done->certificate);
	cert_files_print_notes(files, done->notes, done->n_notes);
}

/* ---- upload ---- */

#define UPLOAD_USAGE                                                           \
	"cert upload FILE... [--account ACCOUNT] [--name NAME] [--network "    \
	"NETWORK] [--scope RESOURCE,...] [--shared] [--acme RESOURCE] "        \
	"[--passphrase-fd N] [--check]"

static int
take_upload_options(struct cli *cli, int *argc, char **argv,
    Holdfast__Certd__V1__UploadCertificateRequest *request,
    int64_t scope[CERT_SCOPE_MAX])
{
	const char *only_for = cli_option(argc, argv, "--scope");
	const char *acme = cli_option(argc, argv, "--acme");
	int rc = 0;

	request->account = certd_lend(cli_option(argc, argv, "--account"));
	request->name = certd_lend(cli_option(argc, argv, "--name"));
	request->network = certd_lend(cli_option(argc, argv, "--network"));
	request->validate_only = cli_flag(argc, argv, "--check");
	if (cli_flag(argc, argv, "--shared"))
		request->kind =
		    HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_SHARED;
	if (acme != NULL) {
		request->kind =
		    HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_ACME;
		rc = certd_resource_id(
		    cli, request->account, acme, &request->resource);
	}
	if (rc == 0 && only_for != NULL) {
		request->scope = scope;
		rc = cert_scope(
		    cli, request->account, only_for, scope, &request->n_scope);
	}
	return rc;
}

int
cli_cert_upload(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__UploadCertificateRequest request;
	scoped(cert_files_free) struct cert_files *files = NULL;
	struct cert_files_options options = { 0 };
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int64_t scope[CERT_SCOPE_MAX];
	int rc;

	holdfast__certd__v1__upload_certificate_request__init(&request);
	if (!take_passphrase_fd(&argc, argv, &options.passphrase_fd))
		return EXIT_USAGE;
	rc = take_upload_options(cli, &argc, argv, &request, scope);
	if (rc != 0)
		return rc;
	if (!cli_rest(argc, argv, 1, BUNDLE_PARTS_MAX, UPLOAD_USAGE))
		return EXIT_USAGE;
	options.paths = argv;
	options.n_paths = (size_t)argc;
	options.network = request.network;
	if (!stdin_is_free(&options))
		return EXIT_USAGE;
	rc = cert_files_read(cli, &options, &files);
	if (rc != 0)
		return rc;
	request.parts = cert_files_parts(files);
	request.wrapped_key = cert_files_key(files);
	rc = certd_call(cli, CERTIFICATES, "Upload", &request.base, &reply);
	if (rc != 0 || certd_json(cli, reply))
		return rc;
	print_answer(
	    (const Holdfast__Certd__V1__UploadCertificateResponse *)reply,
	    files, request.validate_only);
	if (!request.validate_only)
		cert_files_say_what_is_left(files);
	return rc;
}

/* ---- attach ---- */

int
cli_cert_attach(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__AttachCertificateRequest request;
	scoped(cert_files_free) struct cert_files *files = NULL;
	struct cert_files_options options = { .passphrase_fd = -1 };
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc;

	holdfast__certd__v1__attach_certificate_request__init(&request);
	request.name = certd_lend(cli_option(&argc, argv, "--name"));
	if (!cli_rest(argc, argv, 2, BUNDLE_PARTS_MAX + 1,
		"cert attach REQUEST FILE... [--name NAME]"))
		return EXIT_USAGE;
	if (!certd_parse_id(argv[0], &request.id))
		return cli_fail(EXIT_USAGE,
		    "REQUEST is a number; holdfast cert requests lists them");
	options.paths = argv + 1;
	options.n_paths = (size_t)argc - 1;
	options.skip_key = true;
	rc = cert_files_read(cli, &options, &files);
	if (rc != 0)
		return rc;
	request.parts = cert_files_parts(files);
	rc = certd_call(cli, REQUESTS, "Attach", &request.base, &reply);
	if (rc == 0 && !certd_json(cli, reply))
		print_answer(
		    (const Holdfast__Certd__V1__UploadCertificateResponse *)
			reply,
		    files, false);
	return rc;
}
