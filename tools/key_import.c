/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast key import: a key that exists already goes into the token.  It is
 * read and wrapped here, on its owner's machine, for a key that only the token
 * has; keyd gets the wrapped octets.  The clear key stands in locked memory,
 * from reading the file to wrapping it, and no core file is written.  What this
 * cannot do is take back copies that were made before: it says so.
 */

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pki/key_file.h"
#include "tools/key.h"
#include "tools/key_wrap.h"
#include "tools/passphrase.h"

#define KEYS (&holdfast__keyd__v1__keys__descriptor)
#define PARAMETERS "ImportParameters"
#define USAGE                                                                  \
	"key import LABEL FILE [--pool POOL] [--group GROUP] [--owner TEXT]"   \
	" [--notes TEXT] [--passphrase-fd N] [--wrapping-key ID]"

struct import {
	Holdfast__Keyd__V1__ImportRequest request;
	Holdfast__Keyd__V1__ImportParametersResponse *parameters;
	const char *label, *path;
	const char *pinned; /* the only wrapping key to trust, or NULL */
	int passphrase_fd;  /* -1: ask */
	uint8_t blob[KEY_FILE_BLOB_MAX];
	struct key_file file;
};

static void
import_done(struct import *import)
{
	key_file_done(&import->file);
	if (import->parameters != NULL)
		protobuf_c_message_free_unpacked(
		    &import->parameters->base, NULL);
}

static inline void
scoped_import_done(struct import *import)
{
	import_done(import);
}

/* protobuf-c's structs have no const; packing changes nothing. */
static char *
text(const char *borrowed)
{
	return (char *)(uintptr_t)(borrowed == NULL ? "" : borrowed);
}

/* ---- the file ---- */

static struct status
ask(void *ctx, struct secret **ret_passphrase)
{
	const struct import *import = ctx;
	char prompt[160];

	if (import->passphrase_fd >= 0)
		return passphrase_from_fd(
		    import->passphrase_fd, ret_passphrase);
	snprintf(prompt, sizeof(prompt), "Passphrase of %.128s: ",
	    strcmp(import->path, "-") == 0 ? "the key" : import->path);
	return passphrase_ask(prompt, ret_passphrase);
}

static int
read_key(struct import *import)
{
	scoped(secret_free) struct secret *octets = NULL;
	const struct key_file_passphrase passphrase = { ask, import };
	char why[KEY_FILE_WHY_MAX] = "";
	size_t len = 0;
	struct status st;
	int rc = key_wrap_read(import->path, &octets, &len);

	if (rc != 0)
		return rc;
	st = key_file_read((struct bytes){ secret_bytes(octets).at, len },
	    &passphrase, &import->file, why);
	if (failed(st))
		return cli_fail(
		    EXIT_REFUSED, "%s: %s", key_wrap_name(import->path), why);
	return 0;
}

/* ---- keyd ---- */

static int
get_parameters(struct cli *cli, struct import *import)
{
	Holdfast__Keyd__V1__ImportParametersRequest request;
	Holdfast__Keyd__V1__ImportParametersResponse *p;
	ProtobufCMessage *reply = NULL;
	char id[KEY_ID_TEXT_MAX] = "?";
	int rc;

	holdfast__keyd__v1__import_parameters_request__init(&request);
	request.pool = import->request.pool;
	rc = cli_call(cli, KEYS, PARAMETERS, &request.base, &reply);
	if (rc != 0)
		return rc;
	p = import->parameters =
	    (Holdfast__Keyd__V1__ImportParametersResponse *)reply;
	if (p->wrapping_key_id.len == KEY_ID_LEN)
		bytes_to_hex(
		    (struct bytes){ p->wrapping_key_id.data, KEY_ID_LEN }, id);
	if (import->pinned != NULL && strcmp(import->pinned, id) != 0)
		return cli_fail(EXIT_REFUSED,
		    "keyd's wrapping key is %s, not the one you trust; "
		    "nothing was sent",
		    id);
	return 0;
}

static int
check_algorithm(const struct import *import)
{
	const Holdfast__Keyd__V1__ImportParametersResponse *p =
	    import->parameters;
	const char *name = key_alg_name(import->file.alg);

	for (size_t i = 0; i < p->n_algorithms; i++)
		if ((int)p->algorithms[i] == (int)import->file.alg)
			return 0;
	return cli_fail(EXIT_REFUSED,
	    "the token of pool \"%s\" cannot take in %s keys from outside; "
	    "make a new one inside it instead:\n"
	    "  holdfast key generate %s --alg %s --pool %s",
	    p->pool, name, import->label, name, p->pool);
}

static int
send_key(struct cli *cli, struct import *import)
{
	Holdfast__Keyd__V1__ImportRequest *request = &import->request;
	ProtobufCMessage *reply = NULL;
	int rc;

	request->blob.data = import->blob;
	request->spki =
	    (ProtobufCBinaryData){ import->file.spki_len, import->file.spki };
	request->wrapping_key_id = import->parameters->wrapping_key_id;
	rc = cli_call(cli, KEYS, "Import", &request->base, &reply);
	if (rc != 0)
		return rc;
	cli_print_key(cli, (const Holdfast__Keyd__V1__Key *)reply);
	protobuf_c_message_free_unpacked(reply, NULL);
	return 0;
}

/* For a shell: in single quotes, and those within as '\\''. */
static void
print_quoted(const char *path)
{
	fputc('\'', stderr);
	for (; *path != '\0'; path++) {
		if (*path == '\'')
			fputs("'\\''", stderr);
		else
			fputc(*path, stderr);
	}
	fputc('\'', stderr);
}

static void
say_what_is_left(const struct import *import)
{
	fputs("\nThe key is in the token now.  What is left to do:\n", stderr);
	if (strcmp(import->path, "-") == 0) {
		fputs("  destroy the file that it came from;\n", stderr);
	} else {
		fputs("  destroy the file:  shred -u -- ", stderr);
		print_quoted(import->path);
		fputs("\n  (on a copy-on-write or journalling disk, and on an "
		      "SSD, octets may outlive that);\n",
		    stderr);
	}
	fputs("  destroy its copies: backups, other servers, mail, the "
	      "machine it was made on.\n"
	      "Whoever has an old copy can still pose as the site.  Where you "
	      "are not sure, make a\nnew key instead: holdfast key generate, "
	      "then holdfast key csr.\n",
	    stderr);
}

static bool
take_options(int *argc, char **argv, struct import *import)
{
	Holdfast__Keyd__V1__ImportRequest *request = &import->request;
	const char *fd = cli_option(argc, argv, "--passphrase-fd");
	unsigned number = 0;

	holdfast__keyd__v1__import_request__init(request);
	request->pool = text(cli_option(argc, argv, "--pool"));
	request->group = text(cli_option(argc, argv, "--group"));
	request->owner = text(cli_option(argc, argv, "--owner"));
	request->notes = text(cli_option(argc, argv, "--notes"));
	import->pinned = cli_option(argc, argv, "--wrapping-key");
	import->passphrase_fd = -1;
	if (fd != NULL && !cli_number("--passphrase-fd", fd, 0, 1023, &number))
		return false;
	if (fd != NULL)
		import->passphrase_fd = (int)number;
	if (!cli_rest(*argc, argv, 2, 2, USAGE))
		return false;
	import->label = argv[0];
	import->path = argv[1];
	request->label = text(import->label);
	if (import->passphrase_fd != STDIN_FILENO ||
	    strcmp(import->path, "-") != 0)
		return true;
	cli_fail(EXIT_USAGE, "the key and its passphrase cannot both come "
			     "from stdin; give --passphrase-fd 3");
	return false;
}

int
cli_key_import(struct cli *cli, int argc, char **argv)
{
	scoped(import_done) struct import import = { .passphrase_fd = -1 };
	int rc;

	if (!take_options(&argc, argv, &import))
		return EXIT_USAGE;
	key_wrap_guard();
	/* The parameters first: then the clear key lives for as long as it
	 * takes to wrap it, not while keyd is waited for. */
	rc = get_parameters(cli, &import);
	if (rc == 0)
		rc = read_key(&import);
	if (rc == 0)
		rc = check_algorithm(&import);
	if (rc == 0)
		rc = key_wrap_now(import.parameters, &import.file, import.blob,
		    &import.request.blob.len);
	if (rc == 0)
		rc = send_key(cli, &import);
	if (rc == 0 && !cli->json)
		say_what_is_left(&import);
	return rc;
}
