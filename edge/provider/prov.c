/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The OpenSSL provider "holdfast": a guest in web servers and tools, where it
 * stands in for private keys that only a token holds.  Reads its settings from
 * its section of openssl.cnf and gives no key when one is wrong.  Makes no
 * thread, opens no connection before the first signature, and exports one
 * symbol.
 *
 * To read on: decoder.c (stub to key), keymgmt.c, signature.c, ask.c,
 * transport.c.
 */

#include "edge/provider/prov.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include "base/scoped.h"
#include "edge/provider/reason.h"
#include "edge/provider/transport.h"

#define STUB_DIR_DEFAULT "/var/lib/holdfast/stubs"
#define TIMEOUT_MS_DEFAULT "5000"
#define BREAKER_MS_DEFAULT "1000"

/* What the section in openssl.cnf may say; see holdfast-provider(7). */
struct settings {
	char *socket;
	char *timeout;
	char *breaker;
	char *stub_dir;
	char *async_max_fd;
};

bool
prov_is_usable(const struct prov *prov)
{
	if (prov->trouble == NULL)
		return true;
	reason_raise(prov, REASON_CONFIG, "%s", prov->trouble);
	return false;
}

static const OSSL_PARAM *
gettable_params(void *provctx)
{
	static const OSSL_PARAM gettable[] = {
		OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_NAME, NULL, 0),
		OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_VERSION, NULL, 0),
		OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_BUILDINFO, NULL, 0),
		OSSL_PARAM_int(OSSL_PROV_PARAM_STATUS, NULL),
		OSSL_PARAM_END,
	};

	(void)provctx;
	return gettable;
}

static int
set_text(OSSL_PARAM params[], const char *key, const char *text)
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, key);

	return p == NULL || OSSL_PARAM_set_utf8_ptr(p, text) == 1;
}

static int
get_params(void *provctx, OSSL_PARAM params[])
{
	const struct prov *prov = provctx;
	OSSL_PARAM *p = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_STATUS);

	return (p == NULL ||
		   OSSL_PARAM_set_int(p, prov->trouble == NULL) == 1) &&
	       set_text(params, OSSL_PROV_PARAM_NAME, "Holdfast") &&
	       set_text(params, OSSL_PROV_PARAM_VERSION, HOLDFAST_VERSION) &&
	       set_text(params, OSSL_PROV_PARAM_BUILDINFO, HOLDFAST_VERSION);
}

static const OSSL_ALGORITHM *
query(void *provctx, int operation, int *no_cache)
{
	(void)provctx;
	*no_cache = 0;
	switch (operation) {
	case OSSL_OP_KEYMGMT:
		return keymgmt_algorithms;
	case OSSL_OP_SIGNATURE:
		return signature_algorithms;
	case OSSL_OP_DECODER:
		return decoder_algorithms;
	case OSSL_OP_STORE:
		return store_algorithms;
	default:
		return NULL;
	}
}

static void
teardown(void *provctx)
{
	struct prov *prov = provctx;

	transport_free(prov->transport);
	OSSL_PROVIDER_unload(prov->inner);
	OSSL_LIB_CTX_free(prov->libctx);
	free(prov->stub_dir);
	free(prov->sockets);
	free(prov->trouble);
	free(prov);
}

/* False, with the text kept in prov->trouble. */
__attribute__((format(printf, 2, 3))) static bool
complain(struct prov *prov, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(&prov->trouble, format, args) < 0)
		prov->trouble = NULL;
	va_end(args);
	return false;
}

static bool
read_number(struct prov *prov, const char *name, const char *text, long min,
    long max, long *ret_number)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || n < min ||
	    n > max)
		return complain(prov,
		    "%s = %.64s must be a whole number from %ld to %ld", name,
		    text, min, max);
	*ret_number = n;
	return true;
}

/* Cuts list, which config then borrows from, at its commas and blanks. */
static bool
split_sockets(struct prov *prov, char *list, struct transport_config *config)
{
	char *one;

	while ((one = strsep(&list, ", \t")) != NULL) {
		if (one[0] == '\0')
			continue;
		if (config->n_sockets == TRANSPORT_SOCKETS_MAX)
			break;
		config->sockets[config->n_sockets++] = one;
	}
	return (one == NULL && config->n_sockets > 0) ||
	       complain(prov, "socket = %.256s must name 1 to %d sockets",
		   prov->sockets, TRANSPORT_SOCKETS_MAX);
}

static bool
read_numbers(struct prov *prov, const struct settings *settings,
    struct transport_config *config)
{
	long timeout_ms, breaker_ms, max_fd;

	if (!read_number(
		prov, "timeout", settings->timeout, 1, 60000, &timeout_ms) ||
	    !read_number(
		prov, "breaker", settings->breaker, 0, 60000, &breaker_ms) ||
	    !read_number(prov, "async-max-fd", settings->async_max_fd, 0,
		1 << 30, &max_fd))
		return false;
	config->timeout_ms = (uint32_t)timeout_ms;
	config->breaker_ms = (uint32_t)breaker_ms;
	config->async_max_fd = (int)max_fd;
	return true;
}

/* False when memory ends, or with prov->trouble set when a setting is wrong. */
static bool
configure(struct prov *prov, const struct settings *settings)
{
	struct transport_config config = { 0 };
	scoped(free) char *list = strdup(settings->socket);
	struct status st;

	prov->sockets = strdup(settings->socket);
	prov->stub_dir = strdup(settings->stub_dir);
	if (list == NULL || prov->sockets == NULL || prov->stub_dir == NULL)
		return false;
	if (!read_numbers(prov, settings, &config) ||
	    !split_sockets(prov, list, &config))
		return false;
	if (prov->stub_dir[0] != '/')
		return complain(prov,
		    "stub-dir = %.256s must be an absolute path",
		    prov->stub_dir);
	st = transport_new(&config, &prov->transport);
	return !failed(st) ||
	       complain(prov, "socket = %.256s: %s", prov->sockets, st.why);
}

static bool
read_settings(const OSSL_CORE_HANDLE *core, OSSL_FUNC_core_get_params_fn *get,
    struct settings *settings)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_ptr("socket", &settings->socket, 0),
		OSSL_PARAM_utf8_ptr("timeout", &settings->timeout, 0),
		OSSL_PARAM_utf8_ptr("breaker", &settings->breaker, 0),
		OSSL_PARAM_utf8_ptr("stub-dir", &settings->stub_dir, 0),
		OSSL_PARAM_utf8_ptr("async-max-fd", &settings->async_max_fd, 0),
		OSSL_PARAM_END,
	};

	return get != NULL && get(core, params) == 1;
}

/* The functions of libcrypto that are called directly; also its get_params. */
static OSSL_FUNC_core_get_params_fn *
take_core(struct prov *prov, const OSSL_DISPATCH *in)
{
	OSSL_FUNC_core_get_params_fn *get = NULL;

	for (; in->function_id != 0; in++) {
		switch (in->function_id) {
		case OSSL_FUNC_CORE_GET_PARAMS:
			get = OSSL_FUNC_core_get_params(in);
			break;
		case OSSL_FUNC_CORE_NEW_ERROR:
			prov->new_error = OSSL_FUNC_core_new_error(in);
			break;
		case OSSL_FUNC_CORE_SET_ERROR_DEBUG:
			prov->set_error_debug =
			    OSSL_FUNC_core_set_error_debug(in);
			break;
		case OSSL_FUNC_CORE_VSET_ERROR:
			prov->vset_error = OSSL_FUNC_core_vset_error(in);
			break;
		default:
			break;
		}
	}
	return get;
}

static bool
open_inner(struct prov *prov, const OSSL_DISPATCH *in)
{
	prov->libctx = OSSL_LIB_CTX_new_from_dispatch(prov->core, in);
	if (prov->libctx != NULL)
		prov->inner = OSSL_PROVIDER_load(prov->libctx, "default");
	if (prov->inner == NULL)
		reason_raise(prov, REASON_INTERNAL,
		    "OpenSSL's default provider does not load");
	return prov->inner != NULL;
}

__attribute__((visibility("default"))) OSSL_provider_init_fn OSSL_provider_init;

int
OSSL_provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **provctx)
{
	static const OSSL_DISPATCH table[] = {
		{ OSSL_FUNC_PROVIDER_TEARDOWN, (void (*)(void))teardown },
		{ OSSL_FUNC_PROVIDER_GETTABLE_PARAMS,
		    (void (*)(void))gettable_params },
		{ OSSL_FUNC_PROVIDER_GET_PARAMS, (void (*)(void))get_params },
		{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query },
		{ OSSL_FUNC_PROVIDER_GET_REASON_STRINGS,
		    (void (*)(void))reason_strings },
		{ 0, NULL },
	};
	struct settings settings = {
		.socket = (char *)(uintptr_t)SOCK_PATH_DEFAULT,
		.timeout = (char *)(uintptr_t)TIMEOUT_MS_DEFAULT,
		.breaker = (char *)(uintptr_t)BREAKER_MS_DEFAULT,
		.stub_dir = (char *)(uintptr_t)STUB_DIR_DEFAULT,
		.async_max_fd = (char *)(uintptr_t) "0",
	};
	struct prov *prov = calloc(1, sizeof(*prov));
	OSSL_FUNC_core_get_params_fn *get;

	if (prov == NULL)
		return 0;
	prov->core = core;
	get = take_core(prov, in);
	if (!read_settings(core, get, &settings) ||
	    (!configure(prov, &settings) && prov->trouble == NULL) ||
	    !open_inner(prov, in)) {
		teardown(prov);
		return 0;
	}
	*provctx = prov;
	*out = table;
	return 1;
}
