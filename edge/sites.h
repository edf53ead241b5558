/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_SITES_H
#define EDGE_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/status.h"
#include "edge/site.h"

/*
 * The sites of this edge: what is in place, and what is known of it.  The first
 * part is kept in a file, sites.state, so that a restart loses nothing; see
 * sites_print for its form.  One thread at a time, or a mutex of the owner.
 */
#define SITES_MAX 100000
#define SITES_TAG_LEN 8
#define SITES_STATE_MAX ((size_t)64 * 1024 * 1024)

struct sites_entry {
	int64_t id;
	struct site *site;      /* in place, one reference; NULL: nothing is */
	int64_t served_version; /* seen served by all names; 0: not yet */

	/* Not kept in the file: */
	bool is_behind;             /* certd has said more than is in place */
	char refused[SITE_WHY_MAX]; /* why that is; "" otherwise */
	char problem[SITE_WHY_MAX]; /* why it is not served; "" otherwise */
	bool has_seen;
	uint8_t seen[SITE_FINGERPRINT_LEN]; /* what is served instead */
	bool is_probed;                     /* right now, by a thread */
	int64_t probe_ns;                   /* when next; INT64_MAX: not */
	unsigned probe_fails;
	uint64_t reload_serial; /* probed after it; 0: as probe_ns says */
	/* The way of http-01 through the web server: */
	struct {
		bool is_looked_at; /* right now, by a thread */
		bool is_known;     /* it was looked at, of some version */
		int64_t next_ns;   /* when next; INT64_MAX: not */
		unsigned fails;    /* in a row */
		char *problem;     /* malloc'd; NULL: none */
	} http;
	bool has_old;           /* files of versions before */
	unsigned changes, told; /* of what certd wants to know */
};

/* A host name whose site is gone; its files stay for a while. */
struct sites_gone {
	char *host;
	int64_t since_s; /* Unix time */
};

struct sites {
	int64_t version; /* all that certd said up to here is in place */
	uint8_t tag[SITES_TAG_LEN];
	struct sites_entry **at; /* by id, ascending */
	size_t n, room;
	struct sites_gone *gone; /* no host is in both */
	size_t n_gone;
};

void sites_done(struct sites *sites); /* zeroed ones are allowed */
SCOPED_RELEASE(sites_done, struct sites *);

struct sites_entry *sites_find(const struct sites *sites, int64_t id);
/* Found or made; NULL when memory ends or there are SITES_MAX. */
struct sites_entry *sites_take(struct sites *sites, int64_t id);
/* Forget those whose id is not above 0 any more (set by the caller). */
void sites_compact(struct sites *sites);

/* false when memory ends. */
bool sites_gone_add(struct sites *sites, const char *host, int64_t since_s);
/* It has a site again, or its files are gone; unknown ones are allowed. */
void sites_gone_drop(struct sites *sites, const char *host);

/*
 * The file's text, malloc'd: lines of words, closed by a SHA-256 of what stands
 * before.  NULL when memory ends.
 *
 *     holdfast-sites-v1
 *     version 12 00112233aabbccdd
 *     site 5 12 9                    its id, version, version seen served
 *     host www.example.com
 *     certificate ec 00112233...     SHA-256 of the leaf
 *     standby ec 44556677...         of the one that is kept ready
 *     gone old.example.com 1790000000
 *     end 00112233...
 */
char *sites_print(const struct sites *sites, size_t *ret_len);
/*
 * DATA_LOSS when it is not exactly what sites_print writes: what is wrong
 * stands in the status.  *ret_sites is released with sites_done.
 */
STATUS sites_parse(struct bytes text, struct sites *ret_sites);

#endif
