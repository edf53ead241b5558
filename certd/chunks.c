/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A cache of encoded updates by where they begin; see chunks.h.  One that was
 * read earlier is still right to go on with: what changed since comes later in
 * the sequence (store_sites.h), provided that a reader never goes back to an
 * older look at the database, for what moved away in between would be in
 * neither.  One that had to stop for a permission on its way is only kept for
 * its own round.  The oldest go first.
 */

#include "certd/chunks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/message.h"

#define BUCKETS 256
#define HORIZONS_MAX 64

struct entry {
	struct entry *next_in_bucket;
	struct entry *newer; /* in order of age */
	char edge_group[SITES_GROUP_MAX];
	struct sites_cursor from;
	struct chunk chunk;
	uint64_t round;
	bool is_complete; /* all there was is sent with it */
	size_t len;
	uint8_t octets[];
};

/* Of a group, in one round. */
struct horizon {
	char edge_group[SITES_GROUP_MAX];
	uint64_t round;
	int64_t version;
};

struct chunks {
	struct entry *buckets[BUCKETS];
	struct entry *oldest, *newest;
	size_t octets, octets_max;
	struct horizon horizons[HORIZONS_MAX];
	size_t next_horizon;
	uint64_t read;
};

struct chunks *
chunks_new(size_t octets_max)
{
	struct chunks *chunks = calloc(1, sizeof(*chunks));

	if (chunks != NULL)
		chunks->octets_max = octets_max;
	return chunks;
}

void
chunks_free(struct chunks *chunks)
{
	if (chunks == NULL)
		return;
	while (chunks->oldest != NULL) {
		struct entry *entry = chunks->oldest;

		chunks->oldest = entry->newer;
		free(entry);
	}
	free(chunks);
}

uint64_t
chunks_read(const struct chunks *chunks)
{
	return chunks->read;
}

/* ---- finding and forgetting ---- */

/* FNV-1a over what tells chunks apart. */
static size_t
bucket_of(const char *edge_group, const struct sites_cursor *from)
{
	const int64_t parts[] = { from->is_snapshot, from->version, from->id,
		from->gone_version, from->gone_id };
	uint64_t hash = UINT64_C(14695981039346656037);

	for (const char *at = edge_group; *at != 0; at++)
		hash = (hash ^ (uint8_t)*at) * UINT64_C(1099511628211);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		hash = (hash ^ (uint64_t)parts[i]) * UINT64_C(1099511628211);
	return (size_t)((hash ^ hash >> 32) % BUCKETS);
}

static bool
same_place(const struct sites_cursor *a, const struct sites_cursor *b)
{
	return a->is_snapshot == b->is_snapshot && a->version == b->version &&
	       a->id == b->id && a->gone_version == b->gone_version &&
	       a->gone_id == b->gone_id;
}

static struct entry **
find(struct chunks *chunks, const char *edge_group,
    const struct sites_cursor *from)
{
	struct entry **at = &chunks->buckets[bucket_of(edge_group, from)];

	while (*at != NULL && (!same_place(&(*at)->from, from) ||
				  strcmp((*at)->edge_group, edge_group) != 0))
		at = &(*at)->next_in_bucket;
	return at;
}

static void
forget_oldest(struct chunks *chunks)
{
	struct entry *entry = chunks->oldest;
	struct entry **at =
	    &chunks->buckets[bucket_of(entry->edge_group, &entry->from)];

	/* One that another has replaced is in no bucket any more. */
	while (*at != NULL && *at != entry)
		at = &(*at)->next_in_bucket;
	if (*at != NULL)
		*at = entry->next_in_bucket;
	chunks->oldest = entry->newer;
	if (chunks->oldest == NULL)
		chunks->newest = NULL;
	chunks->octets -= entry->len;
	free(entry);
}

static void
keep(struct chunks *chunks, struct entry *entry)
{
	struct entry **at = find(chunks, entry->edge_group, &entry->from);

	if (*at != NULL)
		*at = (*at)->next_in_bucket;
	at = &chunks->buckets[bucket_of(entry->edge_group, &entry->from)];
	entry->next_in_bucket = *at;
	*at = entry;
	if (chunks->newest != NULL)
		chunks->newest->newer = entry;
	else
		chunks->oldest = entry;
	chunks->newest = entry;
	chunks->octets += entry->len;
	while (chunks->octets > chunks->octets_max && chunks->oldest != entry)
		forget_oldest(chunks);
}

/* ---- reading ---- */

static struct status
horizon_of(struct chunks *chunks, const struct chunks_round *round,
    const char *edge_group, int64_t *ret_version)
{
	struct horizon *h;
	struct status st;

	for (size_t i = 0; i < HORIZONS_MAX; i++) {
		h = &chunks->horizons[i];
		if (h->round == round->number &&
		    strcmp(h->edge_group, edge_group) == 0) {
			*ret_version = h->version;
			return status_ok();
		}
	}
	st = sites_horizon(round->tx, edge_group, round->now_s, round->pending,
	    round->ctx, ret_version);
	if (failed(st))
		return st;
	h = &chunks->horizons[chunks->next_horizon++ % HORIZONS_MAX];
	(void)!snprintf(h->edge_group, sizeof(h->edge_group), "%s", edge_group);
	h->round = round->number;
	h->version = *ret_version;
	return st;
}

/* The message as an entry of its own. */
static struct entry *
encode(const ProtobufCMessage *update, bool is_empty)
{
	size_t len = is_empty ? 0 : protobuf_c_message_get_packed_size(update);
	/* Nothing takes room too. */
	struct entry *entry = calloc(1, sizeof(*entry) + len);

	if (entry == NULL)
		return NULL;
	if (!is_empty)
		protobuf_c_message_pack(update, entry->octets);
	entry->chunk.octets = (struct bytes){ entry->octets, len };
	entry->len = sizeof(*entry) + len;
	return entry;
}

static struct status
read_chunk(struct chunks *chunks, const struct chunks_round *round,
    const char *edge_group, const struct sites_cursor *from,
    struct entry **ret_entry)
{
	scoped(message_free) ProtobufCMessage *update =
	    message_new(&holdfast__certd__v1__watch_update__descriptor);
	struct sites_ask ask = { .edge_group = edge_group,
		.octets_max = CHUNK_OCTETS };
	struct sites_cursor next = *from;
	struct entry *entry;
	bool is_empty = true;
	struct status st;

	if (update == NULL)
		return message_no_memory();
	st = horizon_of(chunks, round, edge_group, &ask.horizon);
	if (!failed(st))
		st = sites_read(round->tx, &ask, &next,
		    (Holdfast__Certd__V1__WatchUpdate *)(void *)update,
		    &is_empty);
	if (failed(st))
		return st;
	entry = encode(update, is_empty);
	if (entry == NULL)
		return message_no_memory();
	(void)!snprintf(
	    entry->edge_group, sizeof(entry->edge_group), "%s", edge_group);
	entry->from = *from;
	entry->round = round->number;
	entry->is_complete =
	    ((const Holdfast__Certd__V1__WatchUpdate *)(const void *)update)
		->complete;
	entry->chunk.next = next;
	entry->chunk.is_held = ask.horizon != INT64_MAX;
	entry->chunk.as_of = round->current;
	chunks->read++;
	*ret_entry = entry;
	return st;
}

/*
 * One that ended with what there was: who comes to it later gets that and all
 * that followed in one, and not each change of the past by itself.
 */
static bool
is_outdated(const struct entry *entry, const struct chunks_round *round)
{
	return entry->is_complete && entry->chunk.as_of < round->current;
}

STATUS
chunks_get(struct chunks *chunks, const struct chunks_round *round,
    const char *edge_group, const struct sites_cursor *from, int64_t as_of,
    struct chunk *ret_chunk)
{
	struct entry *entry = *find(chunks, edge_group, from);
	struct status st = status_ok();

	/* Nothing, or a wait, is only true of the moment it was found. */
	if (entry != NULL && entry->round != round->number &&
	    (entry->chunk.is_held || entry->chunk.octets.len == 0 ||
		entry->chunk.as_of < as_of || is_outdated(entry, round)))
		entry = NULL;
	if (entry == NULL) {
		st = read_chunk(chunks, round, edge_group, from, &entry);
		if (failed(st))
			return st;
		keep(chunks, entry);
	}
	*ret_chunk = entry->chunk;
	return st;
}
