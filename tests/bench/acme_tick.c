/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the scheduler costs: acme_tick STATE_DIR COUNT makes a database of
 * certd's with COUNT enrollments by certd's own functions, each with a
 * certificate to be renewed within two months and a change that brought it.
 * Then, in rounds: a hundred others of them are due, and one look of
 * renewals_tick begins their changes, on disk; those changes are found; a look
 * that finds nothing due.
 *
 * What a tick does not look at is spared: a thousand certificates stand for
 * all.  Prints JSON, a list of rows.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "certd/renewals.h"
#include "certd/store_accounts.h"
#include "certd/store_certificates.h"
#include "certd/store_changes.h"
#include "certd/store_keys.h"
#include "certd/store_resources.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"

#define BATCH 20000
#define CERTIFICATES 1000
#define DUE RENEWALS_TICK_MAX
#define ROUNDS 21 /* an odd number, for the median */
#define MONTHS_S (INT64_C(60) * 86400)
#define FOUND_MAX 512

struct bench {
	struct store *store;
	uint64_t count;
	int64_t account, now_s;
	int64_t certificates[CERTIFICATES];
};

/* The same numbers in every run. */
static uint64_t
mix(uint64_t n)
{
	n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
	return n ^ n >> 31;
}

/* ---- rows ---- */

static struct status
add_certificate(struct db_tx *tx, struct bench *bench, uint64_t i)
{
	struct store_key key = { .account = bench->account,
		.alg = KEY_ALG_EC_P256,
		.origin = HOLDFAST__KEYD__V1__KEY_ORIGIN__KEY_ORIGIN_GENERATED,
		.pool = "standard",
		.network = "standard",
		.spki_len = 91 };
	const char *const hostnames[] = { "www.example.com" };
	uint8_t fingerprint[PKI_FINGERPRINT_LEN] = { 0 };
	const struct store_certificate_new new = {
		.account = bench->account,
		.name = "bench",
		.kind = KIND_PERSONAL,
		.key = &key.id,
		.fingerprint = fingerprint,
		.subject = hostnames[0],
		.issuer = "CN=Example CA",
		.serial = "01",
		.not_before_s = bench->now_s,
		.not_after_s = bench->now_s + MONTHS_S,
		.created_by = "certd",
		.hostnames = hostnames,
		.n_hostnames = 1,
		.chain_pem = "",
	};
	struct status st;

	memcpy(fingerprint, &i, sizeof(i));
	memcpy(key.id.at, &i, sizeof(i));
	(void)snprintf(key.label, sizeof(key.label), "bench-%" PRIu64, i);
	st = store_keys_insert(tx, &key, "certd");
	return failed(st) ? st
			  : store_certificates_insert(
				tx, &new, &bench->certificates[i]);
}

static struct status
add_schedule(struct db_tx *tx, const struct bench *bench,
    const struct enrollment_row *of, int64_t certificate)
{
	const uint64_t chance = mix((uint64_t)of->id);
	struct renewal_row row;
	struct status st = store_renewals_load(tx, of->id, PURPOSE_MAIN, &row);

	if (failed(st))
		return st;
	row.certificate = certificate;
	row.not_after_s = bench->now_s + 2 * MONTHS_S;
	(void)snprintf(row.authority, sizeof(row.authority), "%s", "pebble");
	row.renew_s = bench->now_s + 3600 + (int64_t)(chance % MONTHS_S);
	row.ask_s = row.renew_s + 3600;
	return store_renewals_save(tx, &row);
}

/* Of the past. */
static struct status
add_change(
    struct db_tx *tx, const struct enrollment_row *of, int64_t certificate)
{
	struct change_row row = { .enrollment = of->id,
		.account = of->account,
		.kind = CHANGE_KIND_ISSUE,
		.created_by = "certd" };
	int64_t other = 0;
	struct status st = store_changes_insert(tx, &row, &other);

	if (failed(st))
		return st;
	row.state = CHANGE_DONE;
	row.certificate = certificate;
	return store_changes_save(tx, &row, "The certificate is there.");
}

static struct status
add_enrollment(struct db_tx *tx, const struct bench *bench, uint64_t i)
{
	const int64_t certificate = bench->certificates[i % CERTIFICATES];
	struct enrollment_row row = { .account = bench->account,
		.network = "standard",
		.alg = KEY_ALG_EC_P256,
		.validation = VALIDATION_HTTP_01,
		.state = ENROLLMENT_ACTIVE,
		.created_by = "operator/bench" };
	scoped(names_done) struct names names = { 0 };
	struct status st;

	(void)snprintf(
	    row.name, sizeof(row.name), "www.shop%" PRIu64 ".example", i);
	if (!names_add(&names, row.name))
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	st = store_enrollments_insert(tx, &row, &names);
	if (!failed(st))
		st = add_schedule(tx, bench, &row, certificate);
	return failed(st) ? st : add_change(tx, &row, certificate);
}

static struct status
add_batch(struct db_tx *tx, struct bench *bench, uint64_t from, uint64_t to)
{
	struct status st = status_ok();

	if (from == 0)
		st = store_accounts_add(tx, "bench", "", &bench->account);
	for (uint64_t i = 0; from == 0 && i < CERTIFICATES && !failed(st); i++)
		st = add_certificate(tx, bench, i);
	for (uint64_t i = from; i < to && !failed(st); i++)
		st = add_enrollment(tx, bench, i);
	return st;
}

static struct status
add_all(struct bench *bench)
{
	struct status st = status_ok();

	for (uint64_t from = 0; from < bench->count && !failed(st);
	     from += BATCH) {
		uint64_t to =
		    from + BATCH < bench->count ? from + BATCH : bench->count;
		struct db_tx *tx;

		st = store_write(bench->store, &tx);
		if (!failed(st))
			st = store_commit(
			    bench->store, tx, add_batch(tx, bench, from, to));
		if (isatty(STDERR_FILENO))
			(void)fprintf(stderr,
			    "\r%" PRIu64 " of %" PRIu64 " certificates ", to,
			    bench->count);
	}
	return st;
}

/* ---- measuring ---- */

/* Others in each round, anywhere among all. */
static struct status
make_due(struct bench *bench, unsigned round)
{
	const uint64_t step = bench->count / (ROUNDS * DUE);
	struct db_tx *tx;
	struct status st = store_write(bench->store, &tx);

	if (failed(st))
		return st;
	for (uint64_t i = 0; i < DUE && !failed(st); i++) {
		struct renewal_row row;

		st = store_renewals_load(tx,
		    (int64_t)((i * ROUNDS + round) * step + 1), PURPOSE_MAIN,
		    &row);
		row.renew_s = bench->now_s;
		if (!failed(st))
			st = store_renewals_save(tx, &row);
	}
	return store_commit(bench->store, tx, st);
}

/* Of this thread. */
static double
cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static struct status
tick(struct bench *bench, size_t due, double *ret_ms, double *ret_cpu_ms)
{
	static struct renewals_ticked ticked;
	const double began_cpu_ms = cpu_ms();
	const int64_t began_ns = clock_mono_ns();
	struct status st = renewals_tick(bench->store, bench->now_s, &ticked);

	*ret_ms = (double)(clock_mono_ns() - began_ns) / (double)NS_PER_MS;
	*ret_cpu_ms = cpu_ms() - began_cpu_ms;
	if (!failed(st) && ticked.n_begun != due)
		st = status_fail(
		    STATUS_INTERNAL, "another number of changes was begun");
	return st;
}

static struct status
find_changes(struct bench *bench, int64_t ret_ids[FOUND_MAX], double *ret_ms)
{
	const int64_t began_ns = clock_mono_ns();
	int64_t next_s = 0;
	size_t n = 0;
	struct db_tx *tx;
	struct status st = store_read(bench->store, &tx);

	if (failed(st))
		return st;
	st = store_changes_due(
	    tx, store_now_s(), NULL, 0, ret_ids, FOUND_MAX, &n, &next_s);
	db_end(tx);
	*ret_ms = (double)(clock_mono_ns() - began_ns) / (double)NS_PER_MS;
	if (!failed(st) && n != DUE)
		st = status_fail(
		    STATUS_INTERNAL, "another number of changes was found");
	return st;
}

/* They have ended, before the next round. */
static struct status
end_changes(struct bench *bench, const int64_t ids[DUE])
{
	struct db_tx *tx;
	struct status st = store_write(bench->store, &tx);

	if (failed(st))
		return st;
	for (size_t i = 0; i < DUE && !failed(st); i++) {
		struct change_row row;

		st = store_changes_load(tx, ids[i], &row);
		row.state = CHANGE_DONE;
		if (!failed(st))
			st = store_changes_save(tx, &row, "It was measured.");
	}
	return store_commit(bench->store, tx, st);
}

static int
compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
print_row(const char *what, double took_ms[ROUNDS], bool is_last)
{
	qsort(took_ms, ROUNDS, sizeof(*took_ms), compare);
	printf("{\"what\": \"%s\", \"min_ms\": %.4f, \"median_ms\": %.4f, "
	       "\"max_ms\": %.4f}%s\n",
	    what, took_ms[0], took_ms[ROUNDS / 2], took_ms[ROUNDS - 1],
	    is_last ? "]" : ",");
}

static struct status
measure(struct bench *bench)
{
	double ticks[ROUNDS], cpu[ROUNDS], found[ROUNDS], idle[ROUNDS];
	double ignored;
	static int64_t ids[FOUND_MAX];
	struct status st = status_ok();

	for (unsigned i = 0; i < ROUNDS && !failed(st); i++) {
		st = make_due(bench, i);
		if (!failed(st))
			st = tick(bench, DUE, &ticks[i], &cpu[i]);
		if (!failed(st))
			st = find_changes(bench, ids, &found[i]);
		if (!failed(st))
			st = end_changes(bench, ids);
		if (!failed(st))
			st = tick(bench, 0, &idle[i], &ignored);
	}
	if (failed(st))
		return st;
	printf("[");
	print_row("renewals that are due", ticks, false);
	print_row("renewals that are due, CPU", cpu, false);
	print_row("changes that are due", found, false);
	print_row("nothing is due", idle, true);
	return st;
}

int
main(int argc, char **argv)
{
	static struct bench bench;
	const struct store_config config = { .state_dir =
						 argc > 1 ? argv[1] : "" };
	scoped(store_close) struct store *store = NULL;
	struct status st;

	bench.count = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
	if (bench.count < ROUNDS * DUE) {
		(void)fprintf(stderr,
		    "usage: acme_tick STATE_DIR COUNT, of at least %d\n",
		    ROUNDS * DUE);
		return EXIT_FAILURE;
	}
	st = store_open(&config, &store);
	bench.store = store;
	bench.now_s = store_now_s();
	if (!failed(st))
		st = add_all(&bench);
	if (!failed(st))
		st = measure(&bench);
	if (failed(st))
		(void)fprintf(stderr, "acme_tick: %s\n", st.why);
	return failed(st) ? EXIT_FAILURE : EXIT_SUCCESS;
}
