/* SPDX-License-Identifier: Apache-2.0 */

/*
 * STORE for holdfast: URIs, for tools and servers that take a key's name in
 * place of a file:
 *
 *     holdfast:/path/to/stub.pem      that file
 *     holdfast:<key id or label>      <stub-dir>/<key id or label>.pem
 *
 * Opening only checks the name; loading reads the file, once.  Refuses names
 * that could leave the folder, files that are not regular, and files too large
 * for a certificate chain with a stub.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include <openssl/core_names.h>
#include <openssl/store.h>

#include "edge/provider/key.h"
#include "edge/provider/prov.h"
#include "edge/provider/reason.h"

#define SCHEME "holdfast:"
#define LABEL_MAX 64
#define FILE_MAX 65536

struct loader {
	struct prov *prov;
	bool wanted; /* what the caller expects can be a private key */
	bool done;
	char path[PATH_MAX];
};

static bool
is_name(const char *text)
{
	const size_t len = strlen(text);

	return len >= 1 && len <= LABEL_MAX && text[0] != '.' &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "abcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

static bool
locate(const struct prov *prov, const char *name, char path[PATH_MAX])
{
	int len;

	if (name[0] == '/')
		len = snprintf(path, PATH_MAX, "%s", name);
	else if (is_name(name))
		len =
		    snprintf(path, PATH_MAX, "%s/%s.pem", prov->stub_dir, name);
	else
		return false;
	return len > 0 && len < PATH_MAX;
}

static void *
open_uri(void *provctx, const char *uri)
{
	struct prov *prov = provctx;
	struct loader *loader;

	if (strncasecmp(uri, SCHEME, strlen(SCHEME)) != 0 ||
	    !prov_is_usable(prov))
		return NULL;
	loader = calloc(1, sizeof(*loader));
	if (loader == NULL)
		return NULL;
	loader->prov = prov;
	loader->wanted = true;
	if (!locate(prov, uri + strlen(SCHEME), loader->path)) {
		reason_raise(prov, REASON_URI,
		    "after \"holdfast:\" comes the absolute path of a key"
		    " stub, a key id of 64 hex digits, or a label");
		free(loader);
		return NULL;
	}
	return loader;
}

static const OSSL_PARAM *
settable_params(void *provctx)
{
	static const OSSL_PARAM settable[] = {
		OSSL_PARAM_int(OSSL_STORE_PARAM_EXPECT, NULL),
		OSSL_PARAM_END,
	};

	(void)provctx;
	return settable;
}

static int
set_params(void *ctx, const OSSL_PARAM params[])
{
	struct loader *loader = ctx;
	const OSSL_PARAM *p =
	    OSSL_PARAM_locate_const(params, OSSL_STORE_PARAM_EXPECT);
	int expect;

	if (p == NULL)
		return 1;
	if (OSSL_PARAM_get_int(p, &expect) != 1)
		return 0;
	loader->wanted = expect == 0 || expect == OSSL_STORE_INFO_PKEY;
	return 1;
}

/* 0, or errno. */
static int
read_file(const char *path, uint8_t text[FILE_MAX], size_t *ret_len)
{
	scoped(close) int fd =
	    open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat stat;
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0 || fstat(fd, &stat) != 0)
		return errno;
	if (!S_ISREG(stat.st_mode))
		return EINVAL;
	if (stat.st_size > FILE_MAX)
		return EFBIG;
	while (len < FILE_MAX && n > 0) {
		n = read(fd, text + len, FILE_MAX - len);
		if (n < 0)
			return errno;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

static struct key *
read_key(const struct loader *loader)
{
	struct prov *prov = loader->prov;
	scoped(free) uint8_t *text = malloc(FILE_MAX);
	uint8_t der[STUB_DER_MAX];
	struct stub stub;
	struct status st;
	size_t len = 0;
	int error = text != NULL ? read_file(loader->path, text, &len) : ENOMEM;

	if (error != 0) {
		reason_raise(prov, REASON_URI, "%.512s: %s", loader->path,
		    strerrordesc_np(error));
		return NULL;
	}
	st = stub_decode_pem((struct bytes){ text, len }, der, &stub);
	if (failed(st)) {
		reason_raise(
		    prov, REASON_STUB, "%.512s: %s", loader->path, st.why);
		return NULL;
	}
	return key_from_stub(prov, &stub);
}

static int
load(void *ctx, OSSL_CALLBACK *object_cb, void *cbarg,
    OSSL_PASSPHRASE_CALLBACK *pw_cb, void *pw_cbarg)
{
	struct loader *loader = ctx;
	scoped(key_unref) struct key *key = NULL;

	(void)pw_cb, (void)pw_cbarg;
	if (loader->done)
		return 0;
	loader->done = true;
	if (!loader->wanted)
		return 0;
	key = read_key(loader);
	return key != NULL && key_present(key, object_cb, cbarg);
}

static int
at_end(void *ctx)
{
	const struct loader *loader = ctx;

	return loader->done;
}

static int
close_uri(void *ctx)
{
	free(ctx);
	return 1;
}

static const OSSL_DISPATCH table[] = {
	{ OSSL_FUNC_STORE_OPEN, (void (*)(void))open_uri },
	{ OSSL_FUNC_STORE_SETTABLE_CTX_PARAMS,
	    (void (*)(void))settable_params },
	{ OSSL_FUNC_STORE_SET_CTX_PARAMS, (void (*)(void))set_params },
	{ OSSL_FUNC_STORE_LOAD, (void (*)(void))load },
	{ OSSL_FUNC_STORE_EOF, (void (*)(void))at_end },
	{ OSSL_FUNC_STORE_CLOSE, (void (*)(void))close_uri },
	{ 0, NULL },
};

const OSSL_ALGORITHM store_algorithms[] = {
	{ "holdfast", PROV_PROPERTIES, table, "key stubs by holdfast: URI" },
	{ NULL, NULL, NULL, NULL },
};
