/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_BENCH_KEYS_H
#define TOOLS_BENCH_KEYS_H

#include <openssl/evp.h>

#include "base/scoped.h"
#include "base/signing.h"
#include "tools/cli.h"

/* The keys that `holdfast bench sign` signs with, all of one algorithm. */
struct bench_keys {
	unsigned n;
	struct key_id *ids;
	EVP_PKEY **keys; /* their public halves */
	enum sign_scheme scheme;
};

#define BENCH_KEYS_MAX 100000

/* KEY, or with n > 0 KEY-1 to KEY-n; 0 or an exit code after printing. */
int bench_keys_get(
    struct cli *cli, const char *name, unsigned n, struct bench_keys *ret_keys);
void bench_keys_done(struct bench_keys *keys);

static inline void
scoped_bench_keys_done(struct bench_keys *keys)
{
	bench_keys_done(keys);
}

/* Is this key i's signature of the content? */
bool bench_keys_verify(const struct bench_keys *keys, unsigned i,
    struct bytes content, struct bytes signature);

/* Signatures a second of OpenSSL with a software key of the same kind, on one
 * thread, in about a second. */
double bench_keys_software(
    const struct bench_keys *keys, struct bytes content, double *ret_cpu_us);

#endif
