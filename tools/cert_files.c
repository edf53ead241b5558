/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A certificate out of the files that people have, read on their own machine.
 * A private key among them is wrapped here for a key that only the token has,
 * so certd gets wrapped octets and never the key.  Files stand in locked
 * memory; no core file is written.  What cannot be mended is refused before
 * anything is sent.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "pki/bundle.h"
#include "pki/key_file.h"
#include "tools/cert.h"
#include "tools/certd.h"
#include "tools/key_wrap.h"
#include "tools/passphrase.h"

#define KEYS (&holdfast__keyd__v1__keys__descriptor)
#define POOL_MAX 64
#define CERTIFICATES (&holdfast__certd__v1__certificates__descriptor)

struct cert_files {
	struct cert_files_options options;
	struct secret *octets[BUNDLE_PARTS_MAX];
	struct bundle *bundle;
	Holdfast__Keyd__V1__ImportParametersResponse *parameters;
	char *chain;
	uint8_t blob[KEY_FILE_BLOB_MAX];
	Holdfast__Certd__V1__CertificateParts parts;
	Holdfast__Certd__V1__WrappedKey key;
};

static struct status
ask(void *ctx, struct secret **ret_passphrase)
{
	const struct cert_files *files = ctx;

	if (files->options.passphrase_fd >= 0)
		return passphrase_from_fd(
		    files->options.passphrase_fd, ret_passphrase);
	return passphrase_ask(
	    "Passphrase of the private key: ", ret_passphrase);
}

static int
read_bundle(struct cert_files *files)
{
	struct bundle_input input = { .n_parts = files->options.n_paths,
		.passphrase = { ask, files } };
	char why[BUNDLE_WHY_MAX] = "";
	struct status st;

	for (size_t i = 0; i < input.n_parts; i++) {
		size_t len = 0;
		int rc = key_wrap_read(
		    files->options.paths[i], &files->octets[i], &len);

		if (rc != 0)
			return rc;
		input.parts[i] =
		    (struct bytes){ secret_bytes(files->octets[i]).at, len };
	}
	st = bundle_read(&input, &files->bundle, why);
	/* What is read is in the bundle; the files' octets are wiped. */
	for (size_t i = 0; i < input.n_parts; i++) {
		secret_free(files->octets[i]);
		files->octets[i] = NULL;
	}
	if (failed(st))
		return cli_fail(EXIT_REFUSED, "%s", why[0] ? why : st.why);
	return 0;
}

static int
check_bundle(struct cert_files *files)
{
	const struct bundle_policy policy = { .now_s = clock_wall_s() };
	char why[BUNDLE_WHY_MAX] = "";
	struct status st = bundle_check(files->bundle, &policy, why);

	if (failed(st))
		return cli_fail(EXIT_REFUSED, "%s", why[0] ? why : st.why);
	st = bundle_fullchain(files->bundle, &files->chain);
	if (failed(st))
		return cli_fail(EXIT_REFUSED, "%s", st.why);
	files->parts.certificate = files->chain;
	return 0;
}

/* The pool that certd would have the key in. */
static int
find_pool(struct cli *cli, const char *network, char ret_pool[POOL_MAX])
{
	Holdfast__Certd__V1__CertificateImportParametersRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc;

	holdfast__certd__v1__certificate_import_parameters_request__init(
	    &request);
	request.network = certd_lend(network);
	rc = certd_call(
	    cli, CERTIFICATES, "ImportParameters", &request.base, &reply);
	if (rc == 0)
		snprintf(ret_pool, POOL_MAX, "%s",
		    ((const Holdfast__Keyd__V1__ImportParametersResponse *)
			    reply)
			->pool);
	return rc;
}

/* What to wrap it for is asked of keyd itself: whoever has got into certd is to
 * have no say in who can open it. */
static int
get_parameters(struct cli *cli, struct cert_files *files)
{
	Holdfast__Keyd__V1__ImportParametersRequest request;
	ProtobufCMessage *reply = NULL;
	char pool[POOL_MAX] = "";
	int rc = find_pool(cli, files->options.network, pool);

	if (rc != 0)
		return rc;
	holdfast__keyd__v1__import_parameters_request__init(&request);
	request.pool = pool;
	rc = cli_call(cli, KEYS, "ImportParameters", &request.base, &reply);
	if (rc == 0)
		files->parameters =
		    (Holdfast__Keyd__V1__ImportParametersResponse *)reply;
	return rc;
}

/* The AES key that wraps it exists here only, and for a moment. */
static int
wrap_key(struct cert_files *files)
{
	const Holdfast__Keyd__V1__ImportParametersResponse *p =
	    files->parameters;
	struct key_file *key = &files->bundle->key;
	bool is_taken = false;
	size_t len = 0;
	int rc;

	for (size_t i = 0; i < p->n_algorithms; i++)
		if ((enum key_alg)p->algorithms[i] == key->alg)
			is_taken = true;
	if (!is_taken)
		return cli_fail(EXIT_REFUSED,
		    "the token cannot take in %s keys; make one inside it: "
		    "holdfast cert csr",
		    key_alg_name(key->alg));
	rc = key_wrap_now(p, key, files->blob, &len);
	if (rc != 0)
		return rc;
	files->key.wrapping_key_id = p->wrapping_key_id;
	files->key.blob = (ProtobufCBinaryData){ len, files->blob };
	/* The public half stays: it is sent. */
	files->key.spki = (ProtobufCBinaryData){ key->spki_len, key->spki };
	return 0;
}

int
cert_files_read(struct cli *cli, const struct cert_files_options *options,
    struct cert_files **ret_files)
{
	scoped(cert_files_free) struct cert_files *files =
	    calloc(1, sizeof(*files));
	int rc;

	if (files == NULL)
		return cli_fail(EXIT_REFUSED, "no memory");
	files->options = *options;
	holdfast__certd__v1__certificate_parts__init(&files->parts);
	holdfast__certd__v1__wrapped_key__init(&files->key);
	key_wrap_guard();
	rc = read_bundle(files);
	if (rc == 0)
		rc = check_bundle(files);
	if (rc == 0 && files->bundle->has_key && !options->skip_key)
		rc = get_parameters(cli, files);
	if (rc == 0 && files->parameters != NULL)
		rc = wrap_key(files);
	if (rc != 0)
		return rc;
	*ret_files = files;
	files = NULL;
	return 0;
}

void
cert_files_free(struct cert_files *files)
{
	if (files == NULL)
		return;
	for (size_t i = 0; i < BUNDLE_PARTS_MAX; i++)
		secret_free(files->octets[i]);
	bundle_free(files->bundle);
	if (files->parameters != NULL)
		protobuf_c_message_free_unpacked(
		    &files->parameters->base, NULL);
	free(files->chain);
	free(files);
}

Holdfast__Certd__V1__CertificateParts *
cert_files_parts(struct cert_files *files)
{
	return &files->parts;
}

Holdfast__Certd__V1__WrappedKey *
cert_files_key(struct cert_files *files)
{
	return files->key.blob.len == 0 ? NULL : &files->key;
}

/* certd makes a sentence of what is a clause here: "Left out ... ." */
static bool
was_said(const struct cert_files *files, const char *note)
{
	for (size_t i = 0; i < files->bundle->n_notes; i++) {
		const char *said = files->bundle->notes[i];
		size_t len = strlen(said);

		if (len > 0 && strncasecmp(said, note, 1) == 0 &&
		    strncmp(said + 1, note + 1, len - 1) == 0 &&
		    strcmp(note + len, ".") == 0)
			return true;
	}
	return false;
}

void
cert_files_print_notes(
    const struct cert_files *files, char *const *notes, size_t n)
{
	for (size_t i = 0; i < files->bundle->n_notes; i++)
		printf("note        %s\n", files->bundle->notes[i]);
	for (size_t i = 0; i < n; i++)
		if (!was_said(files, notes[i]))
			printf("note        %s\n", notes[i]);
}

void
cert_files_say_what_is_left(const struct cert_files *files)
{
	if (files->key.blob.len == 0)
		return;
	fputs("\nThe private key was wrapped here and is in the token now; "
	      "certd never had it.\nWhoever has an old copy of its file can "
	      "still pose as the site: destroy the copies\n(shred -u), "
	      "backups too, or make a new key: holdfast cert csr.\n",
	    stderr);
}
