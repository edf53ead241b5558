/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_PUBLISHER_INT_H
#define KEYD_PUBLISHER_INT_H

#include <pthread.h>
#include <stdbool.h>

#include "base/clock.h"
#include "keyd/publisher.h"
#include "keyd/publisher_folder.h"
#include "ledger/builder.h"

/* Between publisher.c (life, the door), publisher_thread.c (the work),
 * publisher_start.c (the checks), publisher_checkpoint.c (notes) and
 * publisher_rotate.c. */

/* Recorded entries on their way to the thread: two of these. */
#define HANDOVER_MAX ((size_t)8 << 20)
/* So much is worth waking the thread for before its time. */
#define HANDOVER_WAKE ((size_t)256 << 10)

struct handover {
	uint8_t *at; /* HANDOVER_MAX */
	size_t len, taken;
	uint64_t first; /* number of the entry at taken */
	uint32_t n;     /* entries from taken on */
};

/* A key of the ledger in the token. */
struct ledger_signer {
	unsigned number;
	struct key_id id;
	char label[REGISTRY_LABEL_MAX];
	struct note_key verifier;
};

/* A checkpoint as it was published. */
struct published {
	char *note; /* malloc'd; NULL: none */
	size_t len;
	uint64_t size;
};

/* Checkpoints a witness may still send its line for. */
#define HISTORY_MAX 1000

/* What another thread wants done by the publisher's; on its stack. */
struct job {
	struct job *next;
	struct status (*run)(struct publisher *publisher, struct job *job);
	int64_t deadline_ns;
	bool taken, done;
	struct status st;
};

/* Sizes of trees whose partial tiles are kept. */
#define KEPT_TREES 16

struct publisher {
	/* Set once. */
	char *folder_path, *origin, *peer;
	struct hsm *hsm;
	struct registry *registry;
	struct audit *audit;
	int64_t interval_ns;
	struct note_key *witnesses;
	size_t n_witnesses;
	struct metric_gauge *size_gauge, *time_gauge, *lag_gauge;
	struct metric_counter *failures;

	/* The thread's own, once it runs. */
	pthread_t thread;
	struct folder *folder;
	struct builder *builder;
	struct handover work;
	size_t unsaved;        /* octets appended since the state was saved */
	uint64_t state_size;   /* of the saved state */
	uint64_t restore_size; /* the tree whose partial tiles may be lost */
	bool is_restored;
	uint64_t kept[KEPT_TREES]; /* newest last; 0: none */
	struct published history[HISTORY_MAX];
	size_t n_history; /* ever */
	struct published cosigned;
	/* A key that an entry names and no handover does yet; number 0: none */
	struct ledger_signer next;
	char base_label[REGISTRY_LABEL_MAX - 16]; /* of the first key */

	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t work_due, job_done;
	bool runs, stopping;
	struct handover filling;
	bool dropped; /* filling was full: read the journal */
	uint64_t recorded;
	bool flush;
	uint64_t attempts, attempts_done; /* at a checkpoint */
	struct job *jobs;
	struct ledger_signer signer;
	struct published current;
	struct status trouble;
};

/* ---- publisher_thread.c ---- */
void *publisher_run(void *publisher);
/* Append what was recorded before the call. */
STATUS publisher_drain(struct publisher *publisher);

/* ---- publisher_start.c ---- */
/* All that publisher_start does before the thread runs. */
STATUS publisher_check(struct publisher *publisher);

/* ---- publisher_checkpoint.c ---- */
/* Sign the tree as it stands and publish it, if it is newer. */
STATUS publisher_make_checkpoint(
    struct publisher *publisher, int64_t deadline_ns);
/* Sign text; the note, verified, at ret_note. */
STATUS publisher_sign_with(struct publisher *publisher,
    const struct ledger_signer *signer, struct bytes text, int64_t deadline_ns,
    char ret_note[NOTE_MAX], size_t *ret_len);
/* The text of a checkpoint of the tree as it stands. */
size_t publisher_text(
    struct publisher *publisher, char ret_text[CHECKPOINT_TEXT_MAX]);
/* Store the partial tiles, then the note, durably; it is the current one from
 * then on. */
STATUS publisher_publish(
    struct publisher *publisher, const char *note, size_t len);
void publisher_set_current(
    struct publisher *publisher, const char *note, size_t len, uint64_t size);
STATUS publisher_copy(
    struct published *to, const char *note, size_t len, uint64_t size);
/* At the size of the checkpoint from before the start: store its partial tiles
 * again, for they were not synced, and remove all others. */
STATUS publisher_restore_partials(struct publisher *publisher);
/* The state, so that journal segments can go; only where all of the tree is
 * under a checkpoint. */
STATUS publisher_save_state(struct publisher *publisher);
/* Store a tile in the folder: a builder_store, ctx is the publisher. */
struct status publisher_store(
    void *publisher, const struct tile *tile, struct bytes octets);

/* ---- publisher_cosign.c, publisher_rotate.c: on the thread ---- */
struct cosign_job {
	struct job job;
	struct bytes note;
};
struct status publisher_run_cosign(
    struct publisher *publisher, struct job *job);
struct rotate_job {
	struct job job;
	const char *peer;
};
struct status publisher_run_rotate(
    struct publisher *publisher, struct job *job);
/* What the key of this number is called in the token. */
void publisher_label(const struct publisher *publisher, unsigned number,
    char ret_label[REGISTRY_LABEL_MAX]);
/* Finish a rotation that was begun, if one was. */
STATUS publisher_hand_over(struct publisher *publisher, int64_t deadline_ns);

#endif
