/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_PROVIDER_PROV_H
#define EDGE_PROVIDER_PROV_H

#include <openssl/core_dispatch.h>
#include <openssl/types.h>

#include "edge/provider/scheme.h"

/*
 * The provider itself: one for each OSSL_LIB_CTX that loads it.  Nothing in it
 * changes after OSSL_provider_init but what transport guards by itself, so any
 * thread may use it.
 */
struct prov {
	const OSSL_CORE_HANDLE *core;
	OSSL_FUNC_core_new_error_fn *new_error;
	OSSL_FUNC_core_set_error_debug_fn *set_error_debug;
	OSSL_FUNC_core_vset_error_fn *vset_error;
	/*
	 * Public-key work is done by OpenSSL's own default provider in a
	 * library context of ours, which holds no holdfast and reads no
	 * openssl.cnf, so nothing comes back to us.
	 */
	OSSL_LIB_CTX *libctx;
	OSSL_PROVIDER *inner;
	struct transport *transport;
	/*
	 * NULL, or what is wrong with the settings.  OpenSSL keeps to itself
	 * why a provider did not load, so this one loads and says it wherever
	 * a key is asked for.
	 */
	char *trouble;
	char *sockets; /* as configured, for messages */
	char *stub_dir;
};

/* True when the settings are good; else raises what is wrong with them. */
bool prov_is_usable(const struct prov *prov);

/* Algorithm tables, one a file. */
extern const OSSL_ALGORITHM keymgmt_algorithms[];
extern const OSSL_ALGORITHM signature_algorithms[];
extern const OSSL_ALGORITHM decoder_algorithms[];
extern const OSSL_ALGORITHM store_algorithms[];

#define PROV_PROPERTIES "provider=holdfast"

#endif
