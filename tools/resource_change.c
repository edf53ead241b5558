/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast resource create and set: a resource is made, with a certificate of
 * the account or one that comes with it in the same act, and changed.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cert.h"
#include "tools/certd.h"
#include "tools/resource.h"

#define RESOURCES (&holdfast__certd__v1__resources__descriptor)

/* Where the word stands in the list; 0 when it does not. */
static int
choose(const char *const *words, const char *word)
{
	for (int i = 1; words[i] != NULL; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return 0;
}

/* ---- by name ---- */

/* "17,wild" as ids of certificates, an argument each. */
static int
certificate_ids(struct cli *cli, const char *account, const char *text,
    int64_t ret_ids[3], size_t *ret_n)
{
	scoped(free) char *copy = strdup(text);
	char *rest = copy, *word;

	*ret_n = 0;
	while (copy != NULL && (word = strsep(&rest, ",")) != NULL) {
		int rc;

		if (*ret_n == 3)
			return cli_fail(EXIT_USAGE,
			    "a resource has three certificates at most, one "
			    "for each kind of key");
		rc = certd_certificate_id(cli, account, word, &ret_ids[*ret_n]);
		if (rc != 0)
			return rc;
		(*ret_n)++;
	}
	return 0;
}

static bool
take_origin(int *argc, char **argv, Holdfast__Certd__V1__Origin *origin,
    bool *ret_given)
{
	const char *host = cli_option(argc, argv, "--origin");
	const char *mode = cli_option(argc, argv, "--origin-mode");
	int chosen = mode == NULL ? 2 : choose(resource_origin_modes, mode);

	holdfast__certd__v1__origin__init(origin);
	*ret_given = host != NULL || mode != NULL;
	if (chosen == 0) {
		cli_fail(
		    EXIT_USAGE, "--origin-mode is one of http, https, match");
		return false;
	}
	origin->host = certd_lend(host);
	origin->mode = (Holdfast__Certd__V1__OriginMode)chosen;
	return true;
}

static bool
take_mode(int *argc, char **argv, Holdfast__Certd__V1__ResourceMode *ret_mode)
{
	const char *mode = cli_option(argc, argv, "--mode");
	int chosen = mode == NULL ? 0 : choose(resource_modes, mode);

	if (mode != NULL && chosen == 0) {
		cli_fail(EXIT_USAGE,
		    "--mode is one of personal, acme, shared, automatic");
		return false;
	}
	*ret_mode = (Holdfast__Certd__V1__ResourceMode)chosen;
	return true;
}

/* ---- create ---- */

#define CREATE_USAGE                                                           \
	"resource create NAME [HOSTNAME...] [--account ACCOUNT] [--cert "      \
	"CERT,...] [--upload FILE] [--passphrase-fd N] [--network NETWORK] "   \
	"[--group GROUP] [--origin HOST[:PORT]] [--origin-mode MODE] [--mode " \
	"MODE] [--plain-http]"

struct creation {
	Holdfast__Certd__V1__CreateResourceRequest request;
	Holdfast__Certd__V1__Origin origin;
	Holdfast__Certd__V1__UploadCertificateRequest upload;
	struct cert_files *files;
	const char *certificates, *file;
	char *files_given[1];
	unsigned passphrase_fd;
	bool has_passphrase_fd;
	int64_t ids[3];
};

static bool
take_creation(int *argc, char **argv, struct creation *c)
{
	Holdfast__Certd__V1__CreateResourceRequest *r = &c->request;
	const char *fd = cli_option(argc, argv, "--passphrase-fd");
	bool has_origin = false;

	holdfast__certd__v1__create_resource_request__init(r);
	r->account = certd_lend(cli_option(argc, argv, "--account"));
	r->network = certd_lend(cli_option(argc, argv, "--network"));
	r->edge_group = certd_lend(cli_option(argc, argv, "--group"));
	r->plain_http = cli_flag(argc, argv, "--plain-http");
	c->certificates = cli_option(argc, argv, "--cert");
	c->file = cli_option(argc, argv, "--upload");
	c->has_passphrase_fd = fd != NULL;
	if (!take_origin(argc, argv, &c->origin, &has_origin) ||
	    !take_mode(argc, argv, &r->mode) ||
	    (fd != NULL && !cli_number("--passphrase-fd", fd, 0, 1023,
			       &c->passphrase_fd)) ||
	    !cli_rest(*argc, argv, 1, 101, CREATE_USAGE))
		return false;
	if (has_origin)
		r->origin = &c->origin;
	r->name = argv[0];
	r->hostnames = argv + 1;
	r->n_hostnames = (size_t)*argc - 1;
	return true;
}

static int
add_upload(struct cli *cli, struct creation *c)
{
	struct cert_files_options options = { .paths = c->files_given,
		.n_paths = 1,
		.network = c->request.network,
		.passphrase_fd =
		    c->has_passphrase_fd ? (int)c->passphrase_fd : -1 };
	int rc;

	if (c->file == NULL)
		return 0;
	c->files_given[0] = certd_lend(c->file);
	rc = cert_files_read(cli, &options, &c->files);
	if (rc != 0)
		return rc;
	holdfast__certd__v1__upload_certificate_request__init(&c->upload);
	c->upload.parts = cert_files_parts(c->files);
	c->upload.wrapped_key = cert_files_key(c->files);
	c->request.upload = &c->upload;
	return 0;
}

int
cli_resource_create(struct cli *cli, int argc, char **argv)
{
	struct creation c = { .files = NULL };
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__CreateResourceResponse *done;
	int rc = 0;

	if (!take_creation(&argc, argv, &c))
		return EXIT_USAGE;
	if (c.certificates != NULL) {
		c.request.certificates = c.ids;
		rc = certificate_ids(cli, c.request.account, c.certificates,
		    c.ids, &c.request.n_certificates);
	}
	if (rc == 0)
		rc = add_upload(cli, &c);
	if (rc == 0)
		rc = certd_call(
		    cli, RESOURCES, "Create", &c.request.base, &reply);
	if (rc == 0 && !certd_json(cli, reply)) {
		done =
		    (const Holdfast__Certd__V1__CreateResourceResponse *)reply;
		resource_print(done->resource);
		if (c.files != NULL) {
			cert_files_print_notes(
			    c.files, done->notes, done->n_notes);
			cert_files_say_what_is_left(c.files);
		}
	}
	cert_files_free(c.files);
	return rc;
}

/* ---- change ---- */

#define SET_USAGE                                                              \
	"resource set RESOURCE [--name NAME] [--hostnames NAME,...] [--group " \
	"GROUP] [--origin HOST[:PORT]] [--origin-mode MODE] [--mode MODE] "    \
	"[--https on|off] [--cert CERT,...]"

struct setting {
	Holdfast__Certd__V1__UpdateResourceRequest request;
	Holdfast__Certd__V1__Origin origin;
	Holdfast__Certd__V1__UpdateResourceRequest__Field change[8];
	char *hostnames[100];
	int64_t ids[3];
	const char *certificates;
};

static void
changes(struct setting *s, Holdfast__Certd__V1__UpdateResourceRequest__Field f)
{
	s->change[s->request.n_change++] = f;
}

static bool
split_hostnames(struct setting *s, char *text)
{
	char *word;

	while ((word = strsep(&text, ",")) != NULL) {
		if (s->request.n_hostnames == 100) {
			cli_fail(EXIT_USAGE, "100 host names at most");
			return false;
		}
		s->hostnames[s->request.n_hostnames++] = word;
	}
	s->request.hostnames = s->hostnames;
	return true;
}

static bool
take_setting(int *argc, char **argv, struct setting *s)
{
	Holdfast__Certd__V1__UpdateResourceRequest *r = &s->request;
	const char *name = cli_option(argc, argv, "--name");
	const char *hostnames = cli_option(argc, argv, "--hostnames");
	const char *group = cli_option(argc, argv, "--group");
	const char *https = cli_option(argc, argv, "--https");
	bool has_origin = false;

	holdfast__certd__v1__update_resource_request__init(r);
	r->change = s->change;
	s->certificates = cli_option(argc, argv, "--cert");
	if (!take_origin(argc, argv, &s->origin, &has_origin) ||
	    !take_mode(argc, argv, &r->mode) ||
	    !cli_rest(*argc, argv, 1, 1, SET_USAGE))
		return false;
	if (https != NULL && strcmp(https, "on") != 0 &&
	    strcmp(https, "off") != 0) {
		cli_fail(EXIT_USAGE, "--https is on or off");
		return false;
	}
	if (name != NULL)
		changes(s,
		    HOLDFAST__CERTD__V1__UPDATE_RESOURCE_REQUEST__FIELD__FIELD_NAME);
	if (hostnames != NULL)
		changes(s,
		    HOLDFAST__CERTD__V1__UPDATE_RESOURCE_REQUEST__FIELD__FIELD_HOSTNAMES);
	if (group != NULL)
		changes(s,
		    HOLDFAST__CERTD__V1__UPDATE_RESOURCE_REQUEST__FIELD__FIELD_EDGE_GROUP);
	if (has_origin)
		changes(s,
		    HOLDFAST__CERTD__V1__UPDATE_RESOURCE_REQUEST__FIELD__FIELD_ORIGIN);
	if (r->mode != 0)
		changes(s,
		    HOLDFAST__CERTD__V1__UPDATE_RESOURCE_REQUEST__FIELD__FIELD_MODE);
	if (https != NULL)
		changes(s,
		    HOLDFAST__CERTD__V1__UPDATE_RESOURCE_REQUEST__FIELD__FIELD_HTTPS);
	r->name = certd_lend(name);
	r->edge_group = certd_lend(group);
	r->origin = has_origin ? &s->origin : NULL;
	r->https = https != NULL && strcmp(https, "on") == 0;
	return hostnames == NULL || split_hostnames(s, certd_lend(hostnames));
}

int
cli_resource_set(struct cli *cli, int argc, char **argv)
{
	struct setting s = { .certificates = NULL };
	int rc;

	if (!take_setting(&argc, argv, &s))
		return EXIT_USAGE;
	if (s.request.n_change == 0 && s.certificates == NULL)
		return cli_nothing_to_change(SET_USAGE);
	rc = certd_resource_id(cli, NULL, argv[0], &s.request.id);
	if (rc == 0 && s.certificates != NULL) {
		s.request.certificates = s.ids;
		rc = certificate_ids(cli, NULL, s.certificates, s.ids,
		    &s.request.n_certificates);
	}
	return rc != 0 ? rc : resource_ask(cli, "Update", &s.request.base);
}
