/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_INTAKE_H
#define EDGE_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/status.h"
#include "edge/files.h"
#include "edge/sites.h"

/*
 * What certd has said since the last update that was applied.  Each site is
 * checked and its files are staged as it comes, so that no chain is kept in
 * memory and nothing is left to write when the update is complete.  One thread.
 */
struct intake_site {
	int64_t id, version;
	size_t order;      /* in which it came */
	struct site *site; /* staged, unless refused; NULL: unchanged, or bad */
	bool is_removed;   /* no more, or not here */
	bool is_unchanged; /* in place already */
	bool is_refused;   /* not to be put in place */
	bool is_passing;   /* not for good: to be tried again */
	char *why;         /* malloc'd, when refused; NULL: out of memory */
};

struct intake {
	bool is_snapshot, is_complete;
	bool needs_sync; /* before anything is swapped */
	int64_t version; /* with is_complete */
	uint8_t tag[SITES_TAG_LEN];
	struct intake_site *sites;
	size_t n, room, next_order;
};

void intake_done(struct intake *intake); /* zeroed ones are allowed */

/*
 * Take in one WatchUpdate; known is what is in place.  INVALID_ARGUMENT: it is
 * none, or more than there can be; nothing of this update is to be believed.
 * One that is complete may be followed by more, which adds to it.  hurried:
 * more waits, so the disk is not waited for with each site.
 */
STATUS intake_message(struct intake *intake, struct bytes message,
    const struct sites *known, struct files *files, bool hurried);
/* From now on, until the next message: sites by id, each once, as said last. */
void intake_close(struct intake *intake);

/* Refuse a site, staged or not; printf into its why. */
void intake_refuse(struct intake_site *site, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Is it staged, and to be put in place? */
bool intake_is_good(const struct intake_site *site);

/* Of a closed one, as below; NULL when it does not name it. */
struct intake_site *intake_find(const struct intake *intake, int64_t id);
/* Will this site be gone? */
bool intake_removes(const struct intake *intake, int64_t id);

#endif
