/* SPDX-License-Identifier: Apache-2.0 */
/* keyd/publisher.c and its parts, with a real journal, registry and folder and
 * a token of this file: what is recorded is in the ledger, whatever stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "keyd/ledger_key.h"
#include "keyd/publisher.h"
#include "keyd/publisher_int.h"
#include "ledger/builder.h"
#include "ledger/reader.h"
#include "ledger/verify.h"
#include "tests/unit/scratch.h"

#define ORIGIN "holdfast.test/keyd/keyd"
#define SELF "spiffe://holdfast.test/keyd/keyd"
#define OPERATOR "spiffe://holdfast.test/operator/ada"
#define WAIT_NS (60 * NS_PER_S)

static char root[64];
static struct keyd {
	struct registry *registry;
	struct publisher *publisher;
	struct audit *audit;
} keyd;

static const char *
path_of(const char *name)
{
	static char path[4][256];
	static unsigned turn;
	char *at = path[turn++ % 4];

	snprintf(at, 256, "%s/%s", root, name);
	return at;
}

static bool
is_there(const char *name)
{
	return access(path_of(name), F_OK) == 0;
}

/* ---- the token: a key is its label's hash, and there when its file is ---- */

static struct token {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	struct status away; /* what it answers */
	bool held;
	unsigned waiting; /* signers that wait while it is held */
} token = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.moved = PTHREAD_COND_INITIALIZER };

static EVP_PKEY *
key_of(const char *label)
{
	uint8_t seed[32];
	size_t len = 0;
	EVP_PKEY *key;

	assert_int_equal(EVP_Q_digest(NULL, "SHA256", NULL, label,
			     strlen(label), seed, &len),
	    1);
	key = EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
	assert_non_null(key);
	return key;
}

static void
describe(const char *label, struct hsm_key *ret_key)
{
	static const uint8_t head[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
		0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
	EVP_PKEY *key = key_of(label);
	size_t len = 32;

	memset(ret_key, 0, sizeof(*ret_key));
	memcpy(ret_key->spki, head, sizeof(head));
	assert_int_equal(EVP_PKEY_get_raw_public_key(
			     key, ret_key->spki + sizeof(head), &len),
	    1);
	ret_key->spki_len = sizeof(head) + len;
	ret_key->alg = KEY_ALG_ED25519;
	snprintf(ret_key->label, sizeof(ret_key->label), "%s", label);
	assert_true(key_id_of_spki(
	    (struct bytes){ ret_key->spki, ret_key->spki_len }, &ret_key->id));
	EVP_PKEY_free(key);
}

STATUS
hsm_find_label(struct hsm *hsm, const char *label, int64_t deadline_ns,
    struct hsm_key *ret_key)
{
	char name[96];

	(void)hsm;
	(void)deadline_ns;
	if (failed(token.away))
		return token.away;
	snprintf(name, sizeof(name), "token.%s", label);
	if (access(path_of(name), F_OK) != 0)
		return status_fail(STATUS_NOT_FOUND, "no such key");
	describe(label, ret_key);
	return status_ok();
}

STATUS
hsm_generate(struct hsm *hsm, enum key_alg alg, const char *label,
    int64_t deadline_ns, struct hsm_key *ret_key)
{
	char name[96];
	int fd;

	(void)hsm;
	(void)deadline_ns;
	assert_int_equal(alg, KEY_ALG_ED25519);
	if (failed(token.away))
		return token.away;
	snprintf(name, sizeof(name), "token.%s", label);
	fd = open(path_of(name), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	describe(label, ret_key);
	return status_ok();
}

static void
sign_one(struct hsm_op *op)
{
	static const char *const labels[] = { "ledger", "ledger-2",
		"ledger-3" };

	op->status = status_fail(STATUS_NOT_FOUND, "no such key");
	for (size_t i = 0; i < 3; i++) {
		struct hsm_key key;
		EVP_MD_CTX *ctx;
		EVP_PKEY *pkey;

		describe(labels[i], &key);
		if (!key_id_equal(&key.id, &op->key))
			continue;
		pkey = key_of(labels[i]);
		ctx = EVP_MD_CTX_new();
		op->signature.len = 64;
		assert_int_equal(
		    EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey), 1);
		assert_int_equal(
		    EVP_DigestSign(ctx, op->signature.at, &op->signature.len,
			op->input.at, op->input.len),
		    1);
		EVP_MD_CTX_free(ctx);
		EVP_PKEY_free(pkey);
		op->status = status_ok();
	}
}

void
hsm_sign(struct hsm *hsm, struct hsm_op *ops, size_t n)
{
	struct status away;

	(void)hsm;
	assert_int_equal(n, 1);
	assert_int_equal(ops->scheme, SCHEME_ED25519);
	pthread_mutex_lock(&token.lock);
	token.waiting++;
	pthread_cond_broadcast(&token.moved);
	while (token.held)
		pthread_cond_wait(&token.moved, &token.lock);
	token.waiting--;
	away = token.away;
	pthread_mutex_unlock(&token.lock);
	if (failed(away))
		ops->status = away;
	else
		sign_one(ops);
}

static void
set_token(struct status away, bool held)
{
	pthread_mutex_lock(&token.lock);
	token.away = away;
	token.held = held;
	pthread_cond_broadcast(&token.moved);
	pthread_mutex_unlock(&token.lock);
}

/* ---- a stop at any rename ---- */

static unsigned renames, stop_after; /* 0: never */
/* NULL: at whatever is renamed; else at this, once there is a handover. */
static const char *stop_at;

/* In front of libc's.  A process that is killed ends between two calls. */
int
renameat(int old_dir, const char *old, int new_dir, const char *new)
{
	int done = (int)syscall(SYS_renameat, old_dir, old, new_dir, new);

	if (done == 0 &&
	    (stop_at == NULL ||
		(strcmp(stop_at, new) == 0 && is_there("ledger/handover/1"))) &&
	    ++renames == stop_after)
		_exit(0);
	return done;
}

/* ---- keyd's part ---- */

static struct note_key
verifier(const char *label)
{
	struct note_key verifier;
	struct hsm_key key;

	describe(label, &key);
	assert_false(failed(ledger_key_of(
	    ORIGIN, (struct bytes){ key.spki, key.spki_len }, &verifier)));
	return verifier;
}

static struct note_key
witness(const char *name, EVP_PKEY **ret_key)
{
	uint8_t public_key[32];
	size_t len = sizeof(public_key);
	struct note_key key;

	*ret_key = key_of(name);
	EVP_PKEY_get_raw_public_key(*ret_key, public_key, &len);
	assert_false(
	    failed(note_key_make(name, NOTE_COSIGNATURE, public_key, &key)));
	return key;
}

static struct status
open_audit(const char *folder)
{
	const struct audit_config config = { .directory = path_of(folder),
		.durability = AUDIT_WRITE,
		.keyd = "keyd",
		.committed =
		    keyd.publisher != NULL ? publisher_committed : NULL,
		.ctx = keyd.publisher };

	return audit_open(&config, &keyd.audit);
}

static void
record(unsigned i)
{
	struct audit_entry entry = { .kind = AUDIT_SIGN,
		.peer = "spiffe://holdfast.test/edge/fra-1",
		.latency_us = i };
	struct status st;

	memset(entry.content_hash, 0xbb, 32);
	st = audit_record(keyd.audit, &entry, 1);
	if (failed(st))
		fail_msg("%s", st.why);
}

static void
record_many(unsigned from, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		record(from + i);
}

/* What keyd init does. */
static void
begin(void)
{
	struct registry_ledger_key first = { .number = 1, .label = "ledger" };
	const struct note_key key = verifier("ledger");
	struct audit_entry entry = { .kind = AUDIT_CUSTODY,
		.peer = SELF,
		.act = "begin the ledger",
		.stage = ENTRY_DONE,
		.ledger_key = first.verifier_key };
	struct hsm_key described;

	describe("ledger", &described);
	first.id = entry.key = described.id;
	note_key_print(&key, first.verifier_key);
	assert_false(
	    failed(registry_open(path_of("registry.db"), &keyd.registry)));
	assert_false(failed(open_audit("journal")));
	assert_false(failed(audit_record(keyd.audit, &entry, 1)));
	audit_close(keyd.audit);
	keyd.audit = NULL;
	assert_false(failed(registry_ledger_key_add(keyd.registry, &first)));
	registry_close(keyd.registry);
	keyd.registry = NULL;
}

static void
leave(void)
{
	publisher_stop(keyd.publisher);
	audit_close(keyd.audit);
	publisher_free(keyd.publisher);
	registry_close(keyd.registry);
	memset(&keyd, 0, sizeof(keyd));
}

static struct status
try_start(void)
{
	char vkey[NOTE_VKEY_MAX];
	const char *witnesses[] = { vkey };
	struct publisher_config config = { .folder = path_of("ledger"),
		.origin = ORIGIN,
		.peer = SELF,
		.interval_ns = 5 * NS_PER_MS,
		.witnesses = witnesses,
		.n_witnesses = 1 };
	EVP_PKEY *key;
	const struct note_key seer = witness("witness.test/w1", &key);
	struct status st;

	EVP_PKEY_free(key);
	note_key_print(&seer, vkey);
	st = registry_open(path_of("registry.db"), &keyd.registry);
	config.registry = keyd.registry;
	if (!failed(st))
		st = publisher_new(&config, &keyd.publisher);
	if (!failed(st))
		st = open_audit("journal");
	if (!failed(st))
		st = publisher_start(keyd.publisher, keyd.audit);
	if (failed(st))
		leave();
	return st;
}

static void
start(void)
{
	struct status st = try_start();

	if (failed(st))
		fail_msg("%s (%u)", st.why, st.detail);
}

static void
flush(void)
{
	struct status st =
	    publisher_flush(keyd.publisher, clock_mono_ns() + WAIT_NS);

	if (failed(st))
		fail_msg("%s (%u)", st.why, st.detail);
}

static void
expect_refusal(const char *word)
{
	struct status st = try_start();

	assert_int_equal(st.code, STATUS_DATA_LOSS);
	if (strstr(st.why, word) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", st.why, word);
}

/* In a process that ends without a farewell. */
static void
in_child(void (*what)(void))
{
	pid_t pid = fork();
	int how;

	assert_true(pid >= 0);
	if (pid == 0) {
		what();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
}

/* ---- looking at the ledger as a stranger would ---- */

struct seen {
	struct builder *builder;
	uint64_t n;
	uint32_t last;
};

static bool
see(void *ctx, uint64_t number, struct bytes octets)
{
	static uint8_t names[ENTRY_NAMES_MAX];
	struct seen *seen = ctx;
	struct entry entry;

	assert_int_equal(number, seen->n++);
	assert_false(failed(entry_decode(octets, names, &entry)));
	seen->last = entry.latency_us;
	assert_false(failed(builder_append(seen->builder, octets, NULL, NULL)));
	return true;
}

/* All of it holds, by the last key; the checkpoint's size is returned. */
static uint64_t
check_ledger(const char *label)
{
	scoped(reader_close) struct reader *reader = NULL;
	scoped(free) uint8_t *octets = NULL;
	struct seen seen = { .builder = builder_new() };
	const struct note_key key = verifier(label);
	struct reader_tree tree;
	struct merkle_source source;
	struct checkpoint checkpoint;
	struct merkle_hash hash;
	struct note note;
	struct status st;

	assert_false(failed(reader_open(path_of("ledger"), &reader)));
	assert_false(
	    failed(reader_checkpoint(reader, &octets, &note, &checkpoint)));
	assert_false(failed(note_verify(&note, &key, NULL)));
	assert_string_equal(checkpoint.origin, ORIGIN);
	st = reader_entries(reader, 0, checkpoint.size, see, &seen);
	if (failed(st))
		fail_msg("%s", st.why);
	assert_int_equal(seen.n, checkpoint.size);
	builder_root(seen.builder, &hash);
	assert_true(merkle_equal(&hash, &checkpoint.root));
	tree = (struct reader_tree){ reader, checkpoint.size };
	source = reader_source(&tree);
	st = merkle_root(&source, checkpoint.size, &hash);
	if (failed(st))
		fail_msg("%s", st.why);
	assert_true(merkle_equal(&hash, &checkpoint.root));
	builder_free(seen.builder);
	return checkpoint.size;
}

/* ---- folders ---- */

static void
remove_all(const char *path)
{
	(void)scratch_remove(path);
}

static void
run(const char *program, const char *option, const char *from, const char *to)
{
	pid_t pid = fork();
	int how;

	if (pid == 0) {
		execlp(program, program, option, from, to, (char *)NULL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_int_equal(how, 0);
}

static void
copy(const char *from, const char *to)
{
	remove_all(path_of(to));
	run("cp", "-a", path_of(from), path_of(to));
}

static int
setup(void **state)
{
	(void)state;
	if (!scratch_new(root, sizeof(root)))
		return 1;
	token.away = status_ok();
	renames = stop_after = 0;
	stop_at = NULL;
	begin();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	leave();
	remove_all(root);
	return 0;
}

/* ---- the tests ---- */

static void
what_is_recorded_is_in_a_signed_tree(void **state)
{
	(void)state;
	start();
	record_many(1, 299);
	flush();
	assert_int_equal(check_ledger("ledger"), 300);
	record_many(300, 1);
	flush();
	assert_int_equal(check_ledger("ledger"), 301);
	assert_false(failed(publisher_trouble(keyd.publisher)));
}

static void
checkpoints_come_by_themselves(void **state)
{
	char note[NOTE_MAX];
	uint64_t size = 0;
	size_t len;

	(void)state;
	start();
	record_many(1, 10);
	for (int i = 0; i < 6000 && size < 11; i++) {
		usleep(10000);
		assert_false(failed(
		    publisher_checkpoint(keyd.publisher, note, &len, &size)));
	}
	assert_int_equal(size, 11);
	assert_int_equal(check_ledger("ledger"), 11);
}

static void
goes_on_after_a_clean_stop(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		start();
		record_many(i * 150, 150);
		leave();
		assert_int_equal(check_ledger("ledger"), 1 + (i + 1) * 150);
		assert_true(is_there("ledger/state"));
	}
	start();
	leave();
	assert_int_equal(check_ledger("ledger"), 601);
}

static void
a_bit_of_everything(void)
{
	start();
	for (unsigned i = 0; i < 6; i++) {
		record_many(i * 100, 100);
		flush();
	}
	leave();
}

static void
goes_on_wherever_it_was_stopped(void **state)
{
	unsigned total;

	(void)state;
	/* How many renames there are, without a stop. */
	copy("journal", "first");
	stop_after = UINT32_MAX;
	a_bit_of_everything();
	total = renames;
	assert_true(total > 20);
	for (unsigned k = 1; k <= total; k++) {
		uint64_t before;

		remove_all(path_of("ledger"));
		copy("first", "journal");
		renames = 0;
		stop_after = k;
		in_child(a_bit_of_everything);
		stop_after = 0;
		start();
		before = audit_entries(keyd.audit);
		flush();
		assert_int_equal(check_ledger("ledger"), before);
		record_many(5000, 1);
		flush();
		assert_int_equal(check_ledger("ledger"), before + 1);
		leave();
	}
}

static void
fill_and_vanish(void)
{
	start();
	record_many(1, 700);
	flush();
}

static void
lost_tiles_are_made_again(void **state)
{
	(void)state;
	in_child(fill_and_vanish);
	assert_true(is_there("ledger/tile/0/000"));
	remove_all(path_of("ledger/tile"));
	start();
	record_many(800, 1);
	flush();
	assert_int_equal(check_ledger("ledger"), 702);
}

static void
partial_tiles_lost_by_a_power_cut_are_made_again(void **state)
{
	(void)state;
	in_child(fill_and_vanish);
	remove_all(path_of("ledger/tile/0/002.p"));
	remove_all(path_of("ledger/tile/entries/002.p"));
	start();
	/* Nothing new is recorded: it is the old checkpoint that needs them. */
	for (int i = 0; i < 6000 && !is_there("ledger/tile/0/002.p/189"); i++)
		usleep(10000);
	leave();
	assert_int_equal(check_ledger("ledger"), 701);
}

static void
refuses_a_journal_that_was_cut(void **state)
{
	(void)state;
	start();
	record_many(1, 100);
	leave();
	copy("journal", "older");
	start();
	record_many(101, 100);
	leave();
	copy("older", "journal");
	expect_refusal("ends before");
}

static void
refuses_a_journal_that_was_replaced_by_another(void **state)
{
	(void)state;
	copy("journal", "other");
	start();
	record_many(1, 100);
	flush();
	leave();
	/* As many records and a chain that holds, but not the same. */
	assert_false(failed(open_audit("other")));
	record_many(2000, 100);
	audit_close(keyd.audit);
	keyd.audit = NULL;
	copy("other", "journal");
	unlink(path_of("ledger/state"));
	expect_refusal("a record was changed");
}

/* Written over the journal's first segment as the thread begins; "": none. */
static char swap_from[128], swap_to[128];

/* In front of libc's, and the first that the thread does. */
int
setpriority(__priority_which_t which, id_t who, int priority)
{
	FILE *from = swap_from[0] != 0 ? fopen(swap_from, "re") : NULL;
	FILE *to = from != NULL ? fopen(swap_to, "r+e") : NULL;
	char octets[4096];
	size_t n;

	while (to != NULL && (n = fread(octets, 1, sizeof(octets), from)) > 0)
		fwrite(octets, 1, n, to);
	if (to != NULL)
		fclose(to);
	if (from != NULL)
		fclose(from);
	return (int)syscall(SYS_setpriority, which, who, priority);
}

static void
signs_no_tree_but_one_that_grew_from_the_last_checkpoints(void **state)
{
	(void)state;
	copy("journal", "other");
	start();
	record_many(1, 100);
	flush();
	leave();
	assert_false(failed(open_audit("other")));
	record_many(2000, 100);
	audit_close(keyd.audit);
	keyd.audit = NULL;
	unlink(path_of("ledger/state"));
	/* The start reads the right one, and the thread the other. */
	snprintf(
	    swap_from, sizeof(swap_from), "%s/other/0000000001.journal", root);
	snprintf(
	    swap_to, sizeof(swap_to), "%s/journal/0000000001.journal", root);
	start();
	for (unsigned i = 0; i < 5; i++) {
		record(i);
		assert_true(failed(publisher_flush(
		    keyd.publisher, clock_mono_ns() + WAIT_NS)));
	}
	swap_from[0] = 0;
	assert_int_equal(
	    publisher_trouble(keyd.publisher).code, STATUS_DATA_LOSS);
	assert_int_equal(publisher_size(keyd.publisher), 101);
}

static void
refuses_an_empty_journal(void **state)
{
	(void)state;
	start();
	record_many(1, 100);
	leave();
	remove_all(path_of("journal"));
	expect_refusal("empty");
	/* Nor one without its ledger, as if nothing had ever been. */
	remove_all(path_of("ledger"));
	expect_refusal("empty");
}

static void
refuses_a_journal_that_does_not_begin_with_the_ledgers_key(void **state)
{
	(void)state;
	remove_all(path_of("journal"));
	assert_false(failed(open_audit("journal")));
	record_many(1, 10);
	audit_close(keyd.audit);
	keyd.audit = NULL;
	expect_refusal("another ledger");
}

static void
refuses_a_checkpoint_that_was_rolled_back(void **state)
{
	(void)state;
	start();
	record_many(1, 100);
	leave();
	copy("ledger/checkpoint", "older");
	start();
	record_many(101, 100);
	leave();
	copy("older", "ledger/checkpoint");
	expect_refusal("older than its saved state");
}

static void
refuses_a_checkpoint_of_another_key(void **state)
{
	const struct note_key key = verifier("ledger-2");
	char text[CHECKPOINT_TEXT_MAX], note[NOTE_MAX];
	struct checkpoint checkpoint = { .origin = ORIGIN, .size = 1 };
	struct hsm_key described;
	struct hsm_op op = { .key = { { 0 } } };
	size_t len;
	FILE *file;

	(void)state;
	describe("ledger-2", &described);
	op.key = described.id;
	len = checkpoint_print(&checkpoint, text);
	op.input = (struct bytes){ (const uint8_t *)text, len };
	sign_one(&op);
	assert_false(failed(note_append(op.input, &key,
	    (struct bytes){ op.signature.at, op.signature.len }, note,
	    sizeof(note), &len)));
	start();
	leave();
	file = fopen(path_of("ledger/checkpoint"), "w");
	fwrite(note, 1, len, file);
	fclose(file);
	expect_refusal("not signed by this keyd");
}

static void
refuses_a_damaged_state(void **state)
{
	FILE *file;

	(void)state;
	start();
	record_many(1, 10);
	leave();
	file = fopen(path_of("ledger/state"), "r+");
	fseek(file, 60, SEEK_SET);
	fputc('x', file);
	fclose(file);
	expect_refusal("damaged");
	/* As the message says. */
	unlink(path_of("ledger/state"));
	start();
	leave();
	assert_int_equal(check_ledger("ledger"), 11);
}

static void
recording_goes_on_while_the_token_is_away(void **state)
{
	struct status st;

	(void)state;
	start();
	flush();
	set_token(status_fail(STATUS_UNAVAILABLE, "the token is away"), false);
	record_many(1, 20);
	st = publisher_flush(keyd.publisher, clock_mono_ns() + WAIT_NS);
	assert_int_equal(st.code, STATUS_UNAVAILABLE);
	assert_string_equal(st.why, "the token is away");
	assert_string_equal(
	    publisher_trouble(keyd.publisher).why, "the token is away");
	assert_int_equal(audit_entries(keyd.audit), 21);
	set_token(status_ok(), false);
	flush();
	assert_false(failed(publisher_trouble(keyd.publisher)));
	assert_int_equal(check_ledger("ledger"), 21);
}

static void
starts_while_the_token_is_away(void **state)
{
	(void)state;
	set_token(status_fail(STATUS_UNAVAILABLE, "the token is away"), false);
	start();
	record_many(1, 5);
	set_token(status_ok(), false);
	flush();
	assert_int_equal(check_ledger("ledger"), 6);
}

static void *
record_and_flush(void *ctx)
{
	unsigned *failures = ctx;

	for (unsigned i = 0; i < 100; i++) {
		struct audit_entry entry = { .kind = AUDIT_SIGN };

		*failures += failed(audit_record(keyd.audit, &entry, 1)) ||
			     failed(publisher_flush(
				 keyd.publisher, clock_mono_ns() + WAIT_NS));
	}
	return NULL;
}

static void
of_many_who_flush_at_once_none_is_told_it_failed(void **state)
{
	unsigned failures[8] = { 0 };
	pthread_t threads[8];

	(void)state;
	start();
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
				     record_and_flush, &failures[i]),
		    0);
	for (size_t i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(failures[i], 0);
	assert_int_equal(check_ledger("ledger"), 801);
}

/* So many entries of about 1,100 octets. */
static void
record_large(unsigned n)
{
	static uint8_t names[ENTRY_NAMES_MAX];
	struct audit_entry entries[32];

	memset(names, 'n', sizeof(names));
	for (size_t at = 63; at < sizeof(names); at += 64)
		names[at] = 0;
	for (size_t i = 0; i < 32; i++) {
		entries[i] = (struct audit_entry){ .kind = AUDIT_SIGN,
			.names = { names, sizeof(names) } };
	}
	for (; n > 0; n -= 32)
		assert_false(failed(audit_record(keyd.audit, entries, 32)));
}

static void
what_the_buffer_cannot_hold_is_read_from_the_journal(void **state)
{
	(void)state;
	start();
	set_token(status_ok(), true);
	record_many(1, 1);
	pthread_mutex_lock(&token.lock);
	while (token.waiting == 0)
		pthread_cond_wait(&token.moved, &token.lock);
	pthread_mutex_unlock(&token.lock);
	/* 12 MiB, while the thread waits for the token. */
	record_large(360 * 32);
	set_token(status_ok(), false);
	flush();
	assert_int_equal(check_ledger("ledger"), 2 + 360 * 32);
}

static void
what_the_journal_gave_does_not_wait_to_be_given_again(void **state)
{
	char *here = strdup(path_of("journal/0000000001.journal"));
	char *away = strdup(path_of("away"));

	(void)state;
	start();
	flush();
	publisher_stop(keyd.publisher);
	/* From here on this thread does the publisher's work.  Of ten entries
	 * it does not hear, and the journal cannot be read. */
	record_many(1, 10);
	keyd.publisher->filling.first = keyd.publisher->recorded;
	keyd.publisher->runs = true;
	record_many(11, 1);
	assert_int_equal(rename(here, away), 0);
	assert_true(failed(publisher_drain(keyd.publisher)));
	assert_int_equal(rename(away, here), 0);
	record_large(10 * 32);
	assert_true(keyd.publisher->filling.len >= HANDOVER_WAKE);
	assert_false(failed(publisher_drain(keyd.publisher)));
	/* All is in the tree, so there is nothing to wake up for. */
	assert_int_equal(
	    builder_size(keyd.publisher->builder), keyd.publisher->recorded);
	assert_int_equal(keyd.publisher->filling.len, 0);
	keyd.publisher->runs = false;
	free(here);
	free(away);
}

static void
segments_go_once_the_ledger_holds_them(void **state)
{
	const unsigned n = 2100 * 32; /* more than a segment of 64 MiB */

	(void)state;
	start();
	record_large(n);
	/* The first may have gone already. */
	assert_true(is_there("journal/0000000002.journal"));
	leave();
	assert_false(is_there("journal/0000000001.journal"));
	assert_true(is_there("journal/0000000002.journal"));
	start();
	record_many(1, 5);
	flush();
	assert_int_equal(check_ledger("ledger"), 1 + n + 5);
	leave();
	/* Without the saved state the rest of the journal is not enough. */
	unlink(path_of("ledger/state"));
	expect_refusal("begins after");
}

/* ---- rotation ---- */

static void
check_handover(const char *old, const char *new)
{
	scoped(reader_close) struct reader *reader = NULL;
	scoped(free) uint8_t *octets = NULL;
	const struct note_key before = verifier(old), after = verifier(new);
	struct note note;
	size_t len;

	assert_false(failed(reader_open(path_of("ledger"), &reader)));
	assert_false(
	    failed(reader_file(reader, "handover/1", NOTE_MAX, &octets, &len)));
	assert_false(failed(note_parse((struct bytes){ octets, len }, &note)));
	assert_false(failed(note_verify(&note, &before, NULL)));
	assert_false(failed(note_verify(&note, &after, NULL)));
}

static void
check_registry(size_t n)
{
	scoped(free) struct registry_ledger_key *keys = NULL;
	char vkey[NOTE_VKEY_MAX];
	struct note_key key = verifier("ledger-2");
	size_t found = 0;

	assert_false(
	    failed(registry_ledger_keys(keyd.registry, &keys, &found)));
	assert_int_equal(found, n);
	note_key_print(&key, vkey);
	assert_string_equal(keys[1].verifier_key, vkey);
	assert_string_equal(keys[1].label, "ledger-2");
	assert_int_equal(keys[1].number, 2);
	assert_true(keys[1].from_entry > 1);
}

static void
a_new_key_takes_over_from_the_old_one(void **state)
{
	(void)state;
	start();
	record_many(1, 300);
	assert_false(failed(publisher_rotate(
	    keyd.publisher, OPERATOR, clock_mono_ns() + WAIT_NS)));
	check_handover("ledger", "ledger-2");
	check_registry(2);
	record_many(301, 1);
	flush();
	assert_int_equal(check_ledger("ledger-2"), 304);
	leave();
	start();
	record_many(302, 1);
	flush();
	assert_int_equal(check_ledger("ledger-2"), 305);
	assert_false(failed(publisher_rotate(
	    keyd.publisher, OPERATOR, clock_mono_ns() + WAIT_NS)));
	assert_true(is_there("ledger/handover/2"));
	check_ledger("ledger-3");
}

static void
rotate_and_vanish(void)
{
	start();
	record_many(1, 20);
	flush();
	(void)!failed(publisher_rotate(
	    keyd.publisher, OPERATOR, clock_mono_ns() + WAIT_NS));
}

static void
a_rotation_goes_on_where_it_was_stopped(void **state)
{
	static const char *const stops[] = { "handover/1", "checkpoint" };

	(void)state;
	copy("journal", "first");
	copy("registry.db", "registry.first");
	for (size_t i = 0; i < 2; i++) {
		remove_all(path_of("ledger"));
		remove_all(path_of("token.ledger-2"));
		copy("first", "journal");
		remove_all(path_of("registry.db-wal"));
		remove_all(path_of("registry.db-shm"));
		copy("registry.first", "registry.db");
		renames = 0;
		stop_at = stops[i];
		stop_after = 1;
		in_child(rotate_and_vanish);
		stop_after = 0;
		start();
		record_many(30, 1);
		flush();
		check_ledger("ledger-2");
		check_handover("ledger", "ledger-2");
		check_registry(2);
		leave();
	}
}

static void
record_and_vanish(void)
{
	start();
	record_many(1, 20);
	flush();
}

static void
only_rotate_and_vanish(void)
{
	start();
	(void)!failed(publisher_rotate(
	    keyd.publisher, OPERATOR, clock_mono_ns() + WAIT_NS));
}

static void
refuses_what_is_from_before_a_handover(void **state)
{
	(void)state;
	in_child(record_and_vanish);
	copy("journal", "before");
	/* The note is there, and the registry does not name the key yet. */
	stop_at = "handover/1";
	stop_after = 1;
	in_child(only_rotate_and_vanish);
	stop_after = 0;
	copy("journal", "newest");
	copy("before", "journal");
	expect_refusal("from before");
	copy("newest", "journal");
	copy("registry.db", "registry.before");
	start();
	flush();
	check_registry(2);
	leave();
	/* The old key does not sign again after its last time. */
	remove_all(path_of("registry.db-wal"));
	remove_all(path_of("registry.db-shm"));
	copy("registry.before", "registry.db");
	assert_int_equal(try_start().code, STATUS_DATA_LOSS);
}

static void
refuses_a_registry_from_before_a_finished_handover(void **state)
{
	(void)state;
	copy("registry.db", "registry.before");
	start();
	assert_false(failed(publisher_rotate(
	    keyd.publisher, OPERATOR, clock_mono_ns() + WAIT_NS)));
	leave();
	/* Both keys have signed the newest checkpoint, so that holds. */
	remove_all(path_of("registry.db-wal"));
	remove_all(path_of("registry.db-shm"));
	copy("registry.before", "registry.db");
	expect_refusal("from before");
}

static void
a_rotation_without_a_token_is_finished_later(void **state)
{
	struct status st;

	(void)state;
	start();
	flush();
	set_token(status_fail(STATUS_UNAVAILABLE, "away"), false);
	st = publisher_rotate(
	    keyd.publisher, OPERATOR, clock_mono_ns() + WAIT_NS);
	assert_int_equal(st.code, STATUS_UNAVAILABLE);
	set_token(status_ok(), false);
	assert_false(failed(publisher_rotate(
	    keyd.publisher, OPERATOR, clock_mono_ns() + WAIT_NS)));
	check_registry(2);
	check_ledger("ledger-2");
}

/* ---- witnesses ---- */

/* The current checkpoint with a line of this witness. */
static size_t
cosigned_note(const char *name, uint64_t time_s, char ret_note[NOTE_MAX])
{
	char note[NOTE_MAX];
	uint8_t text[NOTE_MAX], signature[72];
	EVP_PKEY *pkey;
	const struct note_key key = witness(name, &pkey);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct note parsed;
	size_t len, text_len, signature_len = 64;
	uint64_t size;

	assert_false(
	    failed(publisher_checkpoint(keyd.publisher, note, &len, &size)));
	assert_false(failed(
	    note_parse((struct bytes){ (const uint8_t *)note, len }, &parsed)));
	assert_false(failed(note_cosigned_text(
	    parsed.text, time_s, text, sizeof(text), &text_len)));
	for (unsigned i = 0; i < 8; i++)
		signature[i] = (uint8_t)(time_s >> (56 - 8 * i));
	assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey), 1);
	assert_int_equal(
	    EVP_DigestSign(ctx, signature + 8, &signature_len, text, text_len),
	    1);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	assert_false(failed(
	    note_append((struct bytes){ (const uint8_t *)note, len }, &key,
		(struct bytes){ signature, 72 }, ret_note, NOTE_MAX, &len)));
	return len;
}

static uint64_t
cosigned_time(const char *name)
{
	scoped(reader_close) struct reader *reader = NULL;
	scoped(free) uint8_t *octets = NULL;
	EVP_PKEY *pkey;
	const struct note_key key = witness("witness.test/w1", &pkey);
	struct note note;
	uint64_t time_s = 0;
	size_t len;

	EVP_PKEY_free(pkey);
	assert_false(failed(reader_open(path_of("ledger"), &reader)));
	if (failed(reader_file(reader, name, NOTE_MAX, &octets, &len)))
		return 0;
	assert_false(failed(note_parse((struct bytes){ octets, len }, &note)));
	if (failed(note_verify(&note, &key, &time_s)))
		return 0;
	assert_int_equal(note.n_signatures, 2);
	return time_s;
}

static enum status_code
cosign(const char *note, size_t len)
{
	return publisher_cosign(
	    keyd.publisher, (struct bytes){ (const uint8_t *)note, len })
	    .code;
}

static void
a_witness_adds_its_line_and_renews_it(void **state)
{
	char note[NOTE_MAX], older[NOTE_MAX];
	size_t len, older_len;

	(void)state;
	start();
	record_many(1, 5);
	flush();
	older_len = cosigned_note("witness.test/w1", 1000, older);
	assert_int_equal(cosign(older, older_len), STATUS_OK);
	assert_int_equal(cosigned_time("checkpoint"), 1000);
	assert_int_equal(cosigned_time("cosigned"), 1000);
	len = cosigned_note("witness.test/w1", 2000, note);
	assert_int_equal(cosign(note, len), STATUS_OK);
	assert_int_equal(cosigned_time("checkpoint"), 2000);

	record_many(6, 1);
	flush();
	assert_int_equal(cosigned_time("checkpoint"), 0);
	assert_int_equal(cosigned_time("cosigned"), 2000);
	/* Still one that was published. */
	assert_int_equal(cosign(older, older_len), STATUS_OK);
	check_ledger("ledger");
	leave();
	start();
	assert_int_equal(cosign(note, len), STATUS_OK);
	assert_int_equal(cosigned_time("cosigned"), 2000);
}

static void
other_lines_are_refused(void **state)
{
	char note[NOTE_MAX];
	size_t len;

	(void)state;
	start();
	flush();
	len = cosigned_note("stranger.test/w9", 1000, note);
	assert_int_equal(cosign(note, len), STATUS_PERMISSION_DENIED);
	len = cosigned_note("witness.test/w1", 1000, note);
	/* Another tree: the root is on the third line. */
	note[strlen(ORIGIN) + 3] ^= 1;
	assert_int_equal(cosign(note, len), STATUS_INVALID_ARGUMENT);
	note[strlen(ORIGIN) + 3] ^= 1;
	/* A signature that does not hold. */
	note[len - 20] = note[len - 20] == 'A' ? 'B' : 'A';
	assert_int_equal(cosign(note, len), STATUS_INVALID_ARGUMENT);
	assert_int_equal(cosign("nonsense", 8), STATUS_INVALID_ARGUMENT);
	assert_int_equal(cosigned_time("checkpoint"), 0);
	assert_false(is_there("ledger/cosigned"));
}

/* ---- signing other texts ---- */

static void
signs_a_dossier_and_never_a_checkpoint(void **state)
{
	const struct checkpoint checkpoint = { .origin = ORIGIN, .size = 1 };
	const struct bytes dossier = bytes_of("{}");
	const struct note_key key = verifier("ledger");
	char text[DOSSIER_TEXT_MAX], note[NOTE_MAX];
	struct note parsed;
	size_t len;

	(void)state;
	start();
	len = dossier_text(ORIGIN, dossier, text);
	assert_false(failed(publisher_sign(keyd.publisher,
	    (struct bytes){ (const uint8_t *)text, len },
	    clock_mono_ns() + WAIT_NS, note, &len)));
	assert_false(failed(
	    note_parse((struct bytes){ (const uint8_t *)note, len }, &parsed)));
	assert_false(failed(note_verify(&parsed, &key, NULL)));
	len = checkpoint_print(&checkpoint, text);
	assert_int_equal(publisher_sign(keyd.publisher,
			     (struct bytes){ (const uint8_t *)text, len },
			     clock_mono_ns() + WAIT_NS, note, &len)
			     .code,
	    STATUS_INVALID_ARGUMENT);
}

/* ---- the disk ---- */

static void
a_full_disk_of_the_ledger_alone_stops_no_recording(void **state)
{
	static const uint8_t block[4096];
	struct status st;
	int fd;

	(void)state;
	mkdir(path_of("ledger"), 0700);
	if (unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", path_of("ledger"), "tmpfs", 0, "size=1m") != 0)
		skip();
	start();
	record_many(1, 10);
	flush();
	fd = open(
	    path_of("ledger/filler"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		;
	close(fd);
	record_many(11, 600);
	st = publisher_flush(keyd.publisher, clock_mono_ns() + WAIT_NS);
	assert_int_equal(st.code, STATUS_UNAVAILABLE);
	assert_non_null(strstr(st.why, "full"));
	assert_int_equal(audit_entries(keyd.audit), 611);
	unlink(path_of("ledger/filler"));
	flush();
	assert_int_equal(check_ledger("ledger"), 611);
	leave();
	assert_int_equal(umount(path_of("ledger")), 0);
}

static void
partial_tiles_do_not_pile_up(void **state)
{
	unsigned n = 0;
	char name[64];

	(void)state;
	start();
	for (unsigned i = 0; i < 60; i++) {
		record(i);
		flush();
	}
	for (unsigned w = 1; w < 256; w++) {
		snprintf(name, sizeof(name), "ledger/tile/0/000.p/%u", w);
		n += is_there(name);
	}
	assert_true(n >= 2 && n <= 20);
	for (unsigned i = 60; i < 300; i++)
		record(i);
	for (unsigned i = 0; i < 40; i++) {
		record(i);
		flush();
	}
	assert_true(is_there("ledger/tile/0/000"));
	assert_false(is_there("ledger/tile/0/000.p"));
	assert_false(is_there("ledger/tile/entries/000.p"));
	check_ledger("ledger");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_recorded_is_in_a_signed_tree),
		TEST(checkpoints_come_by_themselves),
		TEST(goes_on_after_a_clean_stop),
		TEST(goes_on_wherever_it_was_stopped),
		TEST(lost_tiles_are_made_again),
		TEST(partial_tiles_lost_by_a_power_cut_are_made_again),
		TEST(refuses_a_journal_that_was_cut),
		TEST(refuses_a_journal_that_was_replaced_by_another),
		TEST(signs_no_tree_but_one_that_grew_from_the_last_checkpoints),
		TEST(refuses_an_empty_journal),
		TEST(
		    refuses_a_journal_that_does_not_begin_with_the_ledgers_key),
		TEST(refuses_a_checkpoint_that_was_rolled_back),
		TEST(refuses_a_checkpoint_of_another_key),
		TEST(refuses_a_damaged_state),
		TEST(recording_goes_on_while_the_token_is_away),
		TEST(starts_while_the_token_is_away),
		TEST(of_many_who_flush_at_once_none_is_told_it_failed),
		TEST(what_the_buffer_cannot_hold_is_read_from_the_journal),
		TEST(what_the_journal_gave_does_not_wait_to_be_given_again),
		TEST(segments_go_once_the_ledger_holds_them),
		TEST(a_new_key_takes_over_from_the_old_one),
		TEST(a_rotation_goes_on_where_it_was_stopped),
		TEST(refuses_what_is_from_before_a_handover),
		TEST(refuses_a_registry_from_before_a_finished_handover),
		TEST(a_rotation_without_a_token_is_finished_later),
		TEST(a_witness_adds_its_line_and_renews_it),
		TEST(other_lines_are_refused),
		TEST(signs_a_dossier_and_never_a_checkpoint),
		TEST(partial_tiles_do_not_pile_up),
		TEST(a_full_disk_of_the_ledger_alone_stops_no_recording),
	};

	return cmocka_run_group_tests_name("publisher", tests, NULL, NULL);
}
