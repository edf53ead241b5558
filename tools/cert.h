/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CERT_H
#define TOOLS_CERT_H

#include <stddef.h>
#include <stdint.h>

#include "proto/holdfast/certd/v1/certificates.pb-c.h"
#include "tools/cli.h"

/* What the commands on certificates share. */

#define CERT_SCOPE_MAX 100

/* One certificate for people. */
void cert_print(const Holdfast__Certd__V1__Certificate *certificate);

/* "shop,www" as ids of resources; "all" is none.  0 or an exit code. */
int cert_scope(struct cli *cli, const char *account, const char *text,
    int64_t ret_ids[CERT_SCOPE_MAX], size_t *ret_n);

/* A certificate read from files here; the key, if there is one, is wrapped for
 * the token before anything is sent. */
struct cert_files;

struct cert_files_options {
	char *const *paths; /* "-" is stdin */
	size_t n_paths;
	const char *network; /* NULL: standard */
	int passphrase_fd;   /* -1: ask on the terminal */
	bool skip_key;       /* wrap nothing */
};

/* 0, or an exit code after printing. */
int cert_files_read(struct cli *cli, const struct cert_files_options *options,
    struct cert_files **ret_files);
void cert_files_free(struct cert_files *files); /* NULL is allowed */
SCOPED_RELEASE(cert_files_free, struct cert_files *);
/* Borrowed from files. */
Holdfast__Certd__V1__CertificateParts *cert_files_parts(
    struct cert_files *files);
Holdfast__Certd__V1__WrappedKey *cert_files_key(struct cert_files *files);
/* What was changed here; then what certd says, but for what it repeats. */
void cert_files_print_notes(
    const struct cert_files *files, char *const *notes, size_t n);
/* What is left to do with the files that held a key; to stderr. */
void cert_files_say_what_is_left(const struct cert_files *files);

#endif
