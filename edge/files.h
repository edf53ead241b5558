/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_FILES_H
#define EDGE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/status.h"
#include "edge/site.h"

/*
 * Certificates and key stubs on disk, where web servers read them:
 *
 *     live/HOST              -> ../versions/HOST/VERSION
 *     versions/HOST/VERSION/    fullchain.pem, privkey.pem (the stub),
 *                               haproxy.pem (both in one)
 *     .../VERSION/standby/      the same of a certificate that is kept ready
 *     haproxy/HOST.pem       -> ../live/HOST/haproxy.pem
 *     haproxy.list              for HAProxy: each of these, for HOST alone
 *
 * One rename(2) of the link live/HOST changes all that is served for a host.
 * A host with several kinds of keys has the first, ECDSA before RSA before
 * Ed25519, as above and others as fullchain-rsa.pem, privkey-rsa.pem; for
 * HAProxy it then has haproxy/HOST.pem.ecdsa and HOST.pem.rsa.  "*.a.b" is
 * written "_wildcard.a.b".
 *
 * One thread; every call may block for the disk.  Failures are errno's, as
 * UNAVAILABLE: the disk is full, or the folder is not ours.
 */
struct files;

struct files_config {
	const char *dir; /* made when missing, one level deep */
	bool set_owner, set_group;
	uid_t owner;
	gid_t group;
	mode_t mode; /* of files; folders can be entered by who may read */
};

STATUS files_open(const struct files_config *config, struct files **ret_files);
void files_close(struct files *files); /* NULL is allowed */
SCOPED_RELEASE(files_close, struct files *);

/*
 * Write the folders of this version for all host names; nothing that is served
 * changes.  durable: on disk on return; else files_sync comes before any swap.
 */
STATUS files_stage(struct files *files, const struct site *site,
    const struct site_pem *pem, bool durable);
STATUS files_sync(struct files *files);

/* Serve what was staged for this host name of the site, from now on. */
STATUS files_swap(
    struct files *files, const struct site *site, const char *host);
/* Let the swaps so far survive a loss of power. */
STATUS files_settle(struct files *files);

/* Does its link lead to files? */
bool files_is_live(struct files *files, const char *host);

/* Remove a host's versions but those; 0 stands for none.  What cannot be
 * removed stays. */
void files_prune(
    struct files *files, const char *host, int64_t keep, int64_t keep_too);
/* Remove all there is of these hosts; on failure nothing is. */
STATUS files_remove(struct files *files, const char *const *hosts, size_t n);
/* Call with each host that is live. */
void files_each(
    struct files *files, void (*fn)(void *ctx, const char *host), void *ctx);

/* A small file beside them: replaced whole, on disk on return. */
STATUS files_put(struct files *files, const char *name, struct bytes text);
/* malloc'd; NOT_FOUND when there is none. */
STATUS files_get(struct files *files, const char *name, size_t max,
    char **ret_text, size_t *ret_len);
STATUS files_drop(struct files *files, const char *name);

#endif
