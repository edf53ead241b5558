/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast cert: what certificates there are, where they are used, and their
 * switch.  Adding one is in cert_upload.c, requests are in cert_csr.c.  There
 * is no command that gives a private key out, for nobody has it.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "proto/holdfast/certd/v1/certificates.pb-c.h"
#include "tools/cert.h"
#include "tools/certd.h"
#include "tools/certd_list.h"

#define CERTIFICATES (&holdfast__certd__v1__certificates__descriptor)

static const char *
kind_text(Holdfast__Certd__V1__CertificateKind kind)
{
	switch (kind) {
	case HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_PERSONAL:
		return "personal";
	case HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_ACME:
		return "acme";
	case HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_SHARED:
		return "shared";
	default:
		return "?";
	}
}

static const char *
alg_text(const Holdfast__Certd__V1__CertificateKey *key)
{
	const char *name =
	    key == NULL ? NULL : key_alg_name((enum key_alg)key->algorithm);

	return name == NULL ? "?" : name;
}

/* "shop, www" or "shop, www and 3 more". */
static void
resources_text(
    const Holdfast__Certd__V1__Certificate *c, char *ret_text, size_t max)
{
	char *names[20];
	size_t n = c->n_resources < 20 ? c->n_resources : 20;

	for (size_t i = 0; i < n; i++)
		names[i] = c->resources[i]->name;
	certd_join(names, n, ret_text, max);
	if (c->bound > n) {
		size_t used = strlen(ret_text);

		snprintf(ret_text + used, max - used, " and %zu more",
		    (size_t)c->bound - n);
	}
	if (ret_text[0] == '\0')
		snprintf(ret_text, max, "-");
}

static void
expiry_text(const Holdfast__Certd__V1__Certificate *c, char ret_text[48])
{
	char age[AGE_TEXT_MAX];

	cli_age(c->not_after_s, age);
	snprintf(ret_text, 48, "%s%s", age,
	    c->not_after_s <= clock_wall_s() ? " EXPIRED"
	    : c->expires_in_days <= 14       ? " SOON"
					     : "");
}

static void
key_text(const Holdfast__Certd__V1__CertificateKey *key, char ret_text[160])
{
	snprintf(ret_text, 160, "%s in pool %s%s", alg_text(key), key->pool,
	    key->exposed ? ", EXPOSED: its private key was in the clear" : "");
}

void
cert_print(const Holdfast__Certd__V1__Certificate *c)
{
	char when[48], names[400], used[300], key[160], scope[300];
	char *scoped_names[20];
	size_t n = c->n_scope < 20 ? c->n_scope : 20;

	expiry_text(c, when);
	certd_join(c->hostnames, c->n_hostnames, names, sizeof(names));
	resources_text(c, used, sizeof(used));
	if (c->id == 0)
		printf("certificate (not kept)  %s\n", c->name);
	else
		printf("certificate %" PRId64 "  %s\n", c->id, c->name);
	printf("account     %s, %s\n", c->account, kind_text(c->kind));
	printf("host names  %s\n", names);
	printf("issuer      %s\n", c->issuer);
	printf("serial      %s\n", c->serial);
	printf("fingerprint %s\n", c->fingerprint);
	printf("expires     %s\n", when);
	if (c->key != NULL) {
		key_text(c->key, key);
		printf("key         %s\n            %s\n", c->key->id, key);
	}
	printf("used by     %s\n", used);
	for (size_t i = 0; i < n; i++)
		scoped_names[i] = c->scope[i]->name;
	certd_join(scoped_names, n, scope, sizeof(scope));
	if (n > 0)
		printf("only for    %s\n", scope);
	if (c->waiting_edges > 0)
		printf("            %" PRIu32
		       " edges were not yet seen without "
		       "it\n",
		    c->waiting_edges);
}

/* ---- list ---- */

static const char *
list_rows(const ProtobufCMessage *reply, struct table *table)
{
	const Holdfast__Certd__V1__ListCertificatesResponse *list =
	    (const Holdfast__Certd__V1__ListCertificatesResponse *)reply;

	for (size_t i = 0; i < list->n_certificates; i++) {
		const Holdfast__Certd__V1__Certificate *c =
		    list->certificates[i];
		char id[24], when[48], names[40], used[32];

		snprintf(id, sizeof(id), "%" PRId64, c->id);
		expiry_text(c, when);
		certd_join(c->hostnames, c->n_hostnames, names, sizeof(names));
		resources_text(c, used, sizeof(used));
		table_add(table,
		    (const char *const[]){ id, c->name, kind_text(c->kind),
			names, alg_text(c->key), used, when, c->account });
	}
	return list->next_page_token;
}

static bool
list_options(int *argc, char **argv,
    Holdfast__Certd__V1__ListCertificatesRequest *request,
    Holdfast__Certd__V1__CertificateKind kinds[3])
{
	const char *days = cli_option(argc, argv, "--expires-within");
	unsigned number = 0;

	request->account = certd_lend(cli_option(argc, argv, "--account"));
	request->search = certd_lend(cli_option(argc, argv, "--search"));
	request->order_by = certd_lend(cli_option(argc, argv, "--order"));
	request->unused = cli_flag(argc, argv, "--unused");
	if (cli_flag(argc, argv, "--all-kinds")) {
		kinds[0] =
		    HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_PERSONAL;
		kinds[1] =
		    HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_ACME;
		kinds[2] =
		    HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_SHARED;
		request->kinds = kinds;
		request->n_kinds = 3;
	}
	if (days != NULL &&
	    !cli_number("--expires-within", days, 1, 36500, &number))
		return false;
	request->expires_within_days = number;
	return true;
}

#define LIST_USAGE                                                             \
	"cert list [--account ACCOUNT] [--search TEXT] [--order "              \
	"[-]id|name|expires] [--expires-within DAYS] [--unused] [--all-kinds]" \
	" [--for RESOURCE] [--page-token T]"

int
cli_cert_list(struct cli *cli, int argc, char **argv)
{
	static const char *const HEADER[] = { "ID", "NAME", "KIND",
		"HOST NAMES", "KEY", "USED BY", "EXPIRES", "ACCOUNT", NULL };
	Holdfast__Certd__V1__ListCertificatesRequest request;
	const struct certd_list list = { CERTIFICATES, "List", &request.base,
		&request.page_size, &request.page_token, HEADER, list_rows,
		"none found; holdfast cert upload FILE adds one" };
	const char *resource = cli_option(&argc, argv, "--for");
	const char *page = cli_option(&argc, argv, "--page-token");
	Holdfast__Certd__V1__CertificateKind kinds[3];
	int rc = 0;

	holdfast__certd__v1__list_certificates_request__init(&request);
	request.page_token = certd_lend(page);
	if (!list_options(&argc, argv, &request, kinds) ||
	    !cli_rest(argc, argv, 0, 0, LIST_USAGE))
		return EXIT_USAGE;
	if (resource != NULL)
		rc = certd_resource_id(
		    cli, request.account, resource, &request.for_resource);
	return rc != 0 ? rc : certd_list_print(cli, &list);
}

/* ---- one ---- */

static int
get(struct cli *cli, const char *name, ProtobufCMessage **ret_reply)
{
	Holdfast__Certd__V1__GetCertificateRequest request;
	int rc;

	holdfast__certd__v1__get_certificate_request__init(&request);
	rc = certd_certificate_id(cli, NULL, name, &request.id);
	if (rc != 0)
		return rc;
	return certd_call(cli, CERTIFICATES, "Get", &request.base, ret_reply);
}

int
cli_cert_show(struct cli *cli, int argc, char **argv)
{
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc;

	if (!cli_rest(argc, argv, 1, 1, "cert show CERT"))
		return EXIT_USAGE;
	rc = get(cli, argv[0], &reply);
	if (rc == 0 && !certd_json(cli, reply))
		cert_print((const Holdfast__Certd__V1__Certificate *)reply);
	return rc;
}

#define SET_USAGE "cert set CERT [--name NAME] [--scope RESOURCE,...|all]"

int
cli_cert_set(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__UpdateCertificateRequest request;
	const char *scope = cli_option(&argc, argv, "--scope");
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int64_t ids[CERT_SCOPE_MAX];
	int rc;

	holdfast__certd__v1__update_certificate_request__init(&request);
	request.name = certd_lend(cli_option(&argc, argv, "--name"));
	if (!cli_rest(argc, argv, 1, 1, SET_USAGE))
		return EXIT_USAGE;
	if (request.name[0] == '\0' && scope == NULL)
		return cli_nothing_to_change(SET_USAGE);
	rc = certd_certificate_id(cli, NULL, argv[0], &request.id);
	if (rc == 0 && scope != NULL) {
		request.set_scope = true;
		request.scope = ids;
		rc = cert_scope(cli, NULL, scope, ids, &request.n_scope);
	}
	if (rc == 0)
		rc = certd_call(
		    cli, CERTIFICATES, "Update", &request.base, &reply);
	if (rc == 0 && !certd_json(cli, reply))
		cert_print((const Holdfast__Certd__V1__Certificate *)reply);
	return rc;
}

int
cert_scope(struct cli *cli, const char *account, const char *text,
    int64_t ret_ids[CERT_SCOPE_MAX], size_t *ret_n)
{
	scoped(free) char *copy = strdup(text);
	char *rest = copy, *word;
	size_t n = 0;

	*ret_n = 0;
	if (copy == NULL || strcmp(text, "all") == 0)
		return 0;
	while ((word = strsep(&rest, ",")) != NULL) {
		int rc;

		if (n == CERT_SCOPE_MAX)
			return cli_fail(EXIT_USAGE,
			    "--scope takes %d resources at most",
			    CERT_SCOPE_MAX);
		rc = certd_resource_id(cli, account, word, &ret_ids[n]);
		if (rc != 0)
			return rc;
		n++;
	}
	*ret_n = n;
	return 0;
}

/* ---- switch and delete ---- */

int
cli_cert_replace(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__ReplaceCertificateRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__ReplaceCertificateResponse *done;
	int rc;

	holdfast__certd__v1__replace_certificate_request__init(&request);
	if (!cli_rest(argc, argv, 2, 2, "cert replace OLD NEW"))
		return EXIT_USAGE;
	rc = certd_certificate_id(cli, NULL, argv[0], &request.old_id);
	if (rc == 0)
		rc = certd_certificate_id(cli, NULL, argv[1], &request.new_id);
	if (rc == 0)
		rc = certd_call(
		    cli, CERTIFICATES, "Replace", &request.base, &reply);
	if (rc != 0 || certd_json(cli, reply))
		return rc;
	done = (const Holdfast__Certd__V1__ReplaceCertificateResponse *)reply;
	for (size_t i = 0; i < done->n_resources; i++)
		printf("%s serves certificate %" PRId64 " instead of %" PRId64
		       "\n",
		    done->resources[i]->name, request.new_id, request.old_id);
	printf("edges have it as version %" PRId64 "; the old one serves until "
	       "they do\nnext: holdfast resource show %s tells how far that "
	       "is, then holdfast cert delete %" PRId64 "\n",
	    done->version,
	    done->n_resources > 0 ? done->resources[0]->name : "RESOURCE",
	    request.old_id);
	return rc;
}

int
cli_cert_delete(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__DeleteCertificateRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__DeleteCertificateResponse *done;
	int rc;

	holdfast__certd__v1__delete_certificate_request__init(&request);
	request.force = cli_flag(&argc, argv, "--force");
	if (!cli_rest(argc, argv, 1, 1, "cert delete CERT [--force]"))
		return EXIT_USAGE;
	rc = certd_certificate_id(cli, NULL, argv[0], &request.id);
	if (rc == 0)
		rc = certd_call(
		    cli, CERTIFICATES, "Delete", &request.base, &reply);
	if (rc != 0 || certd_json(cli, reply))
		return rc;
	done = (const Holdfast__Certd__V1__DeleteCertificateResponse *)reply;
	printf("certificate %" PRId64 " is deleted%s\n", request.id,
	    done->key_destroyed
		? "; its key is to be destroyed in the token"
		: "; its key stays, for something else uses it");
	return rc;
}

/* ---- export ---- */

static int
write_octets(const char *path, const ProtobufCBinaryData *octets)
{
	scoped(fclose) FILE *file = NULL;

	if (path == NULL || strcmp(path, "-") == 0) {
		if (fwrite(octets->data, 1, octets->len, stdout) != octets->len)
			return cli_fail(
			    EXIT_REFUSED, "stdout: %s", strerror(errno));
		return 0;
	}
	file = fopen(path, "wbe");
	if (file == NULL ||
	    fwrite(octets->data, 1, octets->len, file) != octets->len ||
	    fflush(file) != 0)
		return cli_fail(EXIT_REFUSED, "%s: %s", path, strerror(errno));
	return 0;
}

int
cli_cert_export(struct cli *cli, int argc, char **argv)
{
	static const char *const FORMATS[] = { "pem", "der", "p7b-pem", "p7b" };
	Holdfast__Certd__V1__ExportCertificateRequest request;
	const char *format = cli_option(&argc, argv, "--format");
	const char *path = cli_option(&argc, argv, "-o");
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc;

	holdfast__certd__v1__export_certificate_request__init(&request);
	request.private_key = cli_flag(&argc, argv, "--private-key");
	if (!cli_rest(argc, argv, 1, 1,
		"cert export CERT [--format pem|der|p7b|p7b-pem] [-o FILE]"))
		return EXIT_USAGE;
	if (format == NULL)
		format = "pem";
	for (int i = 0; i < 4; i++)
		if (strcmp(format, FORMATS[i]) == 0)
			request.format =
			    (Holdfast__Certd__V1__ExportFormat)(i + 1);
	if (request.format == 0)
		return cli_fail(
		    EXIT_USAGE, "--format is one of pem, der, p7b, p7b-pem");
	rc = certd_certificate_id(cli, NULL, argv[0], &request.id);
	if (rc == 0)
		rc = certd_call(
		    cli, CERTIFICATES, "Export", &request.base, &reply);
	if (rc != 0 || certd_json(cli, reply))
		return rc;
	return write_octets(path,
	    &((const Holdfast__Certd__V1__ExportCertificateResponse *)reply)
		 ->content);
}
