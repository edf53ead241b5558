/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast key generate: one key, or many at once for those who keep a stock of
 * them.  Many are asked for side by side, since each waits for a disk; labels
 * that are there already are left alone, so a run that broke off can be run
 * again.
 */

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/key.h"

#define KEYS (&holdfast__keyd__v1__keys__descriptor)
#define COUNT_MAX 100000
#define IN_FLIGHT 32
#define LABEL_MAX 64
#define PROGRESS_NS (NS_PER_S / 5)
#define USAGE                                                                  \
	"key generate LABEL [--alg ALG] [--pool POOL] [--group GROUP]"         \
	" [--owner TEXT] [--notes TEXT] [--count N]"

struct batch {
	struct cli *cli;
	const Holdfast__Keyd__V1__GenerateRequest *like;
	unsigned count;
	atomic_uint next, made, there;
	atomic_bool has_failed;
	pthread_mutex_t mutex; /* guards st, why */
	struct status st;
	char why[RPC_WHY_MAX];
};

static void
note_failure(struct batch *batch, struct status st, const char *why)
{
	pthread_mutex_lock(&batch->mutex);
	if (!atomic_exchange(&batch->has_failed, true)) {
		batch->st = st;
		snprintf(batch->why, sizeof(batch->why), "%s",
		    why[0] != '\0' ? why : st.why);
	}
	pthread_mutex_unlock(&batch->mutex);
}

static void *
make_some(void *ctx)
{
	struct batch *batch = ctx;

	while (!atomic_load(&batch->has_failed)) {
		Holdfast__Keyd__V1__GenerateRequest request = *batch->like;
		unsigned i = atomic_fetch_add(&batch->next, 1) + 1;
		char label[LABEL_MAX], why[RPC_WHY_MAX] = "";
		ProtobufCMessage *reply = NULL;
		struct status st;

		if (i > batch->count)
			break;
		snprintf(label, sizeof(label), "%s-%u", batch->like->label, i);
		request.label = label;
		st = rpc_client_call(batch->cli->client, KEYS, "Generate",
		    &request.base, batch->cli->timeout_ms, &reply, why);
		if (st.code == STATUS_ALREADY_EXISTS) {
			atomic_fetch_add(&batch->there, 1);
		} else if (failed(st)) {
			note_failure(batch, st, why);
		} else {
			atomic_fetch_add(&batch->made, 1);
			protobuf_c_message_free_unpacked(reply, NULL);
		}
	}
	return NULL;
}

static void
show_progress(struct batch *batch, int64_t began_ns)
{
	const struct timespec pause = { .tv_nsec = PROGRESS_NS };
	double seconds = (double)(clock_mono_ns() - began_ns) / 1e9;
	unsigned made = atomic_load(&batch->made);
	unsigned done = made + atomic_load(&batch->there);
	double rate = seconds > 0 ? made / seconds : 0;

	fprintf(stderr, "\r%u of %u keys, %.0f a second, %.0f s left   ", done,
	    batch->count, rate, rate > 0 ? (batch->count - done) / rate : 0.0);
	nanosleep(&pause, NULL);
}

static int
finish(struct batch *batch, int64_t began_ns)
{
	double seconds = (double)(clock_mono_ns() - began_ns) / 1e9;
	unsigned made = atomic_load(&batch->made);
	unsigned there = atomic_load(&batch->there);

	if (atomic_load(&batch->has_failed))
		return cli_fail(cli_exit_of(batch->st.code),
		    "%s (%s)\n%u keys were made before that; the same command "
		    "goes on where it stopped",
		    batch->why, status_name(batch->st.code), made);
	if (batch->cli->json) {
		json_t *json = json_pack("{s:i, s:i, s:f}", "made", (int)made,
		    "there", (int)there, "seconds", seconds);

		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(json);
	} else {
		printf("%u keys made in %.0f s, %s-1 to %s-%u", made, seconds,
		    batch->like->label, batch->like->label, batch->count);
		printf(there > 0 ? "; %u were there already\n" : "\n", there);
	}
	return EXIT_DONE;
}

static int
generate_many(struct cli *cli, const Holdfast__Keyd__V1__GenerateRequest *like,
    unsigned count)
{
	struct batch batch = { .cli = cli,
		.like = like,
		.count = count,
		.mutex = PTHREAD_MUTEX_INITIALIZER };
	int64_t began_ns = clock_mono_ns();
	pthread_t threads[IN_FLIGHT];
	const bool is_watched = isatty(STDERR_FILENO) == 1;
	unsigned n = 0;
	int rc;

	if (strlen(like->label) + 7 >= LABEL_MAX)
		return cli_fail(EXIT_USAGE,
		    "LABEL has at most 56 characters with --count, which adds "
		    "a number");
	rc = cli_connect(cli);
	if (rc != 0)
		return rc;
	while (n < IN_FLIGHT && n < count &&
	       pthread_create(&threads[n], NULL, make_some, &batch) == 0)
		n++;
	if (n == 0)
		make_some(&batch);
	while (is_watched && !atomic_load(&batch.has_failed) &&
	       atomic_load(&batch.made) + atomic_load(&batch.there) < count)
		show_progress(&batch, began_ns);
	for (unsigned i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	if (is_watched)
		fprintf(stderr, "\r%60s\r", "");
	return finish(&batch, began_ns);
}

/* protobuf-c's structs have no const; packing changes nothing. */
static char *
text(const char *borrowed)
{
	return (char *)(uintptr_t)(borrowed == NULL ? "" : borrowed);
}

int
cli_key_generate(struct cli *cli, int argc, char **argv)
{
	Holdfast__Keyd__V1__GenerateRequest request;
	const char *alg = cli_option(&argc, argv, "--alg");
	const char *count = cli_option(&argc, argv, "--count");
	ProtobufCMessage *reply = NULL;
	unsigned n = 0;
	int rc;

	holdfast__keyd__v1__generate_request__init(&request);
	request.pool = text(cli_option(&argc, argv, "--pool"));
	request.group = text(cli_option(&argc, argv, "--group"));
	request.owner = text(cli_option(&argc, argv, "--owner"));
	request.notes = text(cli_option(&argc, argv, "--notes"));
	if (count != NULL && !cli_number("--count", count, 1, COUNT_MAX, &n))
		return EXIT_USAGE;
	if (!cli_rest(argc, argv, 1, 1, USAGE))
		return EXIT_USAGE;
	request.algorithm = (Holdfast__Keyd__V1__KeyAlgorithm)key_alg_parse(
	    alg == NULL ? "ec-p256" : alg);
	if (request.algorithm == 0) {
		return cli_fail(EXIT_USAGE,
		    "--alg is one of ec-p256, ec-p384, rsa-2048, rsa-3072, "
		    "rsa-4096, ed25519");
	}
	request.label = argv[0];
	if (n > 0)
		return generate_many(cli, &request, n);
	rc = cli_call(cli, KEYS, "Generate", &request.base, &reply);
	if (rc != 0)
		return rc;
	cli_print_key(cli, (const Holdfast__Keyd__V1__Key *)reply);
	protobuf_c_message_free_unpacked(reply, NULL);
	return EXIT_DONE;
}
