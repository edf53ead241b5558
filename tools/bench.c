/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast bench sign: signatures a second, latency, and where the CPU time
 * goes, against a running keyd over mutual TLS.  It keeps a number of requests
 * in flight on one SignStream, as an edge does, and asks keyd for the CPU time
 * of its front process and workers before and after.  Beside it stands what
 * OpenSSL does in software on this machine.  Bounded in time and count;
 * signatures are verified, so a fast wrong answer does not count.
 */

#include <inttypes.h>
#include <jansson.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "proto/holdfast/keyd/v1/signer.pb-c.h"
#include "proto/holdfast/keyd/v1/status.pb-c.h"
#include "tools/bench_keys.h"

#define IN_FLIGHT_MAX 1024
#define SAMPLES_MAX (1 << 22)
#define CONTENT_LEN 130 /* TLS 1.3 with a SHA-256 transcript */
#define RECORD_MAX 320
#define PER_MESSAGE 64
#define WARM_UP_NS (NS_PER_S / 2)
#define USAGE "bench sign KEY [--keys N] [--in-flight N] [--seconds N]"

struct slot {
	int64_t sent_ns;
	unsigned key; /* of keys, this time */
	size_t record_len, id_at;
	uint8_t record[RECORD_MAX]; /* SignBatch.requests element, ready */
	uint8_t content[CONTENT_LEN];
};

/* Written on the client's thread only, but for the atomics. */
struct load {
	struct rpc_client_stream *stream;
	struct slot *slots;
	unsigned n_slots, n_waiting, n_flying;
	unsigned *waiting; /* slots that may be sent again */
	struct bench_keys keys;
	unsigned next_key;
	_Atomic int64_t counted_from_ns, counted_to_ns;
	uint32_t *samples_us;
	size_t n_samples;
	uint64_t good, bad, verified;
	char first_why[128];
	atomic_bool stopping;
	pthread_mutex_t lock; /* guards is_closed, closed_why */
	pthread_cond_t changed;
	bool is_closed;
	char closed_why[RPC_WHY_MAX];
};

static void
make_content(uint8_t content[CONTENT_LEN])
{
	static const char words[] = "TLS 1.3, server CertificateVerify";

	memset(content, 0x20, 64);
	memcpy(content + 64, words, sizeof(words)); /* its zero too */
	RAND_bytes(content + 64 + sizeof(words), 32);
}

/* Encode slot i's request once; its id is i + 1.  Only the key's id changes
 * from one time to the next. */
static bool
prepare_slot(struct load *load, unsigned i)
{
	const struct key_id *id = &load->keys.ids[0];
	const uint8_t *at;
	Holdfast__Keyd__V1__SignRequest request =
	    HOLDFAST__KEYD__V1__SIGN_REQUEST__INIT;
	Holdfast__Keyd__V1__SignRequest *one[1] = { &request };
	Holdfast__Keyd__V1__SignBatch batch =
	    HOLDFAST__KEYD__V1__SIGN_BATCH__INIT;
	struct slot *slot = &load->slots[i];

	make_content(slot->content);
	request.id = i + 1;
	request.key_id =
	    (ProtobufCBinaryData){ KEY_ID_LEN, (uint8_t *)(uintptr_t)id->at };
	request.scheme = load->keys.scheme;
	request.context = (Holdfast__Keyd__V1__Context)CONTEXT_TLS13_SERVER;
	request.content = (ProtobufCBinaryData){ CONTENT_LEN, slot->content };
	batch.n_requests = 1;
	batch.requests = one;
	if (protobuf_c_message_get_packed_size(&batch.base) > RECORD_MAX)
		return false;
	slot->record_len = protobuf_c_message_pack(&batch.base, slot->record);
	at = memmem(slot->record, slot->record_len, id->at, KEY_ID_LEN);
	if (at == NULL)
		return false;
	slot->id_at = (size_t)(at - slot->record);
	return true;
}

static size_t
fill(void *ctx, uint8_t *out, size_t out_max)
{
	struct load *load = ctx;
	int64_t now = clock_mono_ns();
	size_t len = 0;

	for (unsigned n = 0; n < PER_MESSAGE && load->n_waiting > 0; n++) {
		unsigned i = load->waiting[load->n_waiting - 1];
		struct slot *slot = &load->slots[i];

		if (len + slot->record_len > out_max)
			break;
		slot->key = load->next_key++ % load->keys.n;
		memcpy(slot->record + slot->id_at, load->keys.ids[slot->key].at,
		    KEY_ID_LEN);
		memcpy(out + len, slot->record, slot->record_len);
		len += slot->record_len;
		slot->sent_ns = now;
		load->n_waiting--;
		load->n_flying++;
	}
	return len;
}

/* Every 64th signature is verified, and the first of each slot would be too
 * dear: 64 keeps the client's share of the two cores small. */
static void
take_response(
    struct load *load, const Holdfast__Keyd__V1__SignResponse *r, int64_t now)
{
	struct slot *slot;

	if (r->id < 1 || r->id > load->n_slots)
		return;
	slot = &load->slots[r->id - 1];
	load->n_flying--;
	if (r->code != 0) {
		load->bad++;
		if (load->first_why[0] == '\0')
			snprintf(load->first_why, sizeof(load->first_why), "%s",
			    r->why);
	} else if (now >= load->counted_from_ns && now < load->counted_to_ns &&
		   load->n_samples < SAMPLES_MAX) {
		load->samples_us[load->n_samples++] =
		    (uint32_t)((now - slot->sent_ns) / 1000);
		load->good++;
	}
	if (r->code == 0 && (load->good + load->bad) % 64 == 0) {
		if (bench_keys_verify(&load->keys, slot->key,
			(struct bytes){ slot->content, CONTENT_LEN },
			(struct bytes){
			    r->signature.data, r->signature.len })) {
			load->verified++;
		} else {
			load->bad++;
			snprintf(load->first_why, sizeof(load->first_why),
			    "a signature does not verify");
		}
	}
	if (!atomic_load(&load->stopping) && load->bad < 1000)
		load->waiting[load->n_waiting++] = (unsigned)r->id - 1;
}

static void
on_message(void *ctx, struct bytes message)
{
	struct load *load = ctx;
	Holdfast__Keyd__V1__SignReplyBatch *batch =
	    holdfast__keyd__v1__sign_reply_batch__unpack(
		NULL, message.len, message.at);
	int64_t now = clock_mono_ns();

	if (batch == NULL)
		return;
	for (size_t i = 0; i < batch->n_responses; i++)
		take_response(load, batch->responses[i], now);
	holdfast__keyd__v1__sign_reply_batch__free_unpacked(batch, NULL);
	if (load->n_waiting > 0)
		rpc_client_stream_wake(load->stream);
	else if (load->n_flying == 0)
		rpc_client_stream_end(load->stream);
}

static void
on_closed(void *ctx, struct status st, const char *why)
{
	struct load *load = ctx;

	pthread_mutex_lock(&load->lock);
	load->is_closed = true;
	if (failed(st))
		snprintf(load->closed_why, sizeof(load->closed_why), "%s", why);
	pthread_cond_broadcast(&load->changed);
	pthread_mutex_unlock(&load->lock);
}

static const struct rpc_client_stream_ops stream_ops = {
	.message = on_message,
	.closed = on_closed,
	.fill = fill,
};

/* Wait until the stream closes or the monotonic time comes. */
static bool
wait_closed(struct load *load, int64_t until_ns)
{
	struct timespec until = { .tv_sec = until_ns / NS_PER_S,
		.tv_nsec = until_ns % NS_PER_S };
	bool is_closed;

	pthread_mutex_lock(&load->lock);
	while (
	    !load->is_closed && pthread_cond_clockwait(&load->changed,
				    &load->lock, CLOCK_MONOTONIC, &until) == 0)
		;
	is_closed = load->is_closed;
	pthread_mutex_unlock(&load->lock);
	return is_closed;
}

struct cpu_reading {
	int64_t front_ns, workers_ns, client_ns;
};

static int64_t
own_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static int
read_cpu(struct cli *cli, struct cpu_reading *ret)
{
	Holdfast__Keyd__V1__GetStatusRequest request =
	    HOLDFAST__KEYD__V1__GET_STATUS_REQUEST__INIT;
	const Holdfast__Keyd__V1__GetStatusResponse *status;
	ProtobufCMessage *reply = NULL;
	int rc = cli_call(cli, &holdfast__keyd__v1__status__descriptor, "Get",
	    &request.base, &reply);

	if (rc != 0)
		return rc;
	status = (const Holdfast__Keyd__V1__GetStatusResponse *)reply;
	*ret = (struct cpu_reading){ .front_ns = (int64_t)status->front_cpu_ns,
		.client_ns = own_cpu_ns() };
	for (size_t i = 0; i < status->n_lanes; i++)
		ret->workers_ns += (int64_t)status->lanes[i]->cpu_ns;
	protobuf_c_message_free_unpacked(reply, NULL);
	return 0;
}

static int
compare_samples(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

struct result {
	double rate, p50_us, p99_us;
	double front_us, workers_us, client_us;
	double software_rate, software_us;
};

static void
print_result(const struct cli *cli, const struct load *load,
    const struct result *r, double seconds)
{
	if (cli->json) {
		json_t *json = json_pack(
		    "{s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:I, "
		    "s:f, s:f}",
		    "in_flight", (json_int_t)load->n_slots, "seconds", seconds,
		    "rate", r->rate, "p50_us", r->p50_us, "p99_us", r->p99_us,
		    "front_cpu_us", r->front_us, "workers_cpu_us",
		    r->workers_us, "client_cpu_us", r->client_us, "signatures",
		    (json_int_t)load->good, "refused", (json_int_t)load->bad,
		    "verified", (json_int_t)load->verified, "software_rate",
		    r->software_rate, "software_cpu_us", r->software_us);

		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(json);
		return;
	}
	printf("%u in flight for %.1f s, %" PRIu64 " signatures, %" PRIu64
	       " of them verified, %" PRIu64 " refused\n\n",
	    load->n_slots, seconds, load->good, load->verified, load->bad);
	printf("%-28s %10s %9s %9s  CPU us a signature\n", "", "signs/s",
	    "p50 us", "p99 us");
	printf("%-28s %10.0f %9.0f %9.0f  front %.1f + workers %.1f, client "
	       "%.1f\n",
	    "keyd", r->rate, r->p50_us, r->p99_us, r->front_us, r->workers_us,
	    r->client_us);
	printf("%-28s %10.0f %9s %9s  %.1f\n", "OpenSSL, software, 1 thread",
	    r->software_rate, "", "", r->software_us);
}

static int
run_load(
    struct cli *cli, struct load *load, unsigned seconds, struct result *ret)
{
	struct cpu_reading before, after;
	double n;
	int rc;

	load->counted_from_ns = INT64_MAX;
	load->counted_to_ns = INT64_MAX;
	if (failed(rpc_client_stream_open(cli->client,
		&holdfast__keyd__v1__signer__descriptor, "SignStream",
		&stream_ops, load, &load->stream)))
		return cli_fail(EXIT_REFUSED, "the stream cannot be opened");
	rpc_client_stream_wake(load->stream);
	(void)wait_closed(load, clock_mono_ns() + WARM_UP_NS);
	rc = read_cpu(cli, &before);
	load->counted_from_ns = clock_mono_ns();
	if (rc == 0)
		(void)wait_closed(
		    load, load->counted_from_ns + (int64_t)seconds * NS_PER_S);
	load->counted_to_ns = clock_mono_ns();
	if (rc == 0)
		rc = read_cpu(cli, &after);
	atomic_store(&load->stopping, true);
	if (!wait_closed(load, clock_mono_ns() + 10 * NS_PER_S))
		rpc_client_stream_cancel(load->stream);
	(void)wait_closed(load, clock_mono_ns() + 10 * NS_PER_S);
	rpc_client_stream_free(load->stream);
	if (rc != 0)
		return rc;
	if (load->good == 0 || load->bad > 0)
		return cli_fail(EXIT_REFUSED,
		    "%" PRIu64 " signatures, %" PRIu64 " refused: %s",
		    load->good, load->bad,
		    load->first_why[0] != '\0' ? load->first_why
					       : load->closed_why);
	n = (double)load->good;
	qsort(load->samples_us, load->n_samples, sizeof(uint32_t),
	    compare_samples);
	*ret = (struct result){
		.rate = n * 1e9 /
			(double)(load->counted_to_ns - load->counted_from_ns),
		.p50_us = load->samples_us[load->n_samples / 2],
		.p99_us = load->samples_us[load->n_samples * 99 / 100],
		.front_us =
		    (double)(after.front_ns - before.front_ns) / 1e3 / n,
		.workers_us =
		    (double)(after.workers_ns - before.workers_ns) / 1e3 / n,
		.client_us =
		    (double)(after.client_ns - before.client_ns) / 1e3 / n,
	};
	ret->software_rate = bench_keys_software(&load->keys,
	    (struct bytes){ load->slots[0].content, CONTENT_LEN },
	    &ret->software_us);
	return 0;
}

/* Everything that run_load needs; 0 or an exit code after printing. */
static int
prepare_load(struct load *load)
{
	load->slots = calloc(load->n_slots, sizeof(*load->slots));
	load->waiting = calloc(load->n_slots, sizeof(*load->waiting));
	load->samples_us = malloc(SAMPLES_MAX * sizeof(uint32_t));
	if (load->slots == NULL || load->waiting == NULL ||
	    load->samples_us == NULL)
		return cli_fail(EXIT_REFUSED, "out of memory");
	for (unsigned i = 0; i < load->n_slots; i++) {
		if (!prepare_slot(load, i))
			return cli_fail(EXIT_REFUSED, "a request is too long");
		load->waiting[load->n_waiting++] = i;
	}
	return 0;
}

int
cli_bench_sign(struct cli *cli, int argc, char **argv)
{
	const char *in_flight = cli_option(&argc, argv, "--in-flight");
	const char *seconds = cli_option(&argc, argv, "--seconds");
	const char *keys = cli_option(&argc, argv, "--keys");
	struct load load = { .lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
		.n_slots = 64 };
	unsigned s = 5, n_keys = 0;
	struct result result = { 0 };
	int rc;

	if (!cli_rest(argc, argv, 1, 1, USAGE) ||
	    (in_flight != NULL && !cli_number("--in-flight", in_flight, 1,
				      IN_FLIGHT_MAX, &load.n_slots)) ||
	    (seconds != NULL && !cli_number("--seconds", seconds, 1, 60, &s)) ||
	    (keys != NULL &&
		!cli_number("--keys", keys, 1, BENCH_KEYS_MAX, &n_keys)))
		return EXIT_USAGE;
	rc = bench_keys_get(cli, argv[0], n_keys, &load.keys);
	if (rc == 0)
		rc = prepare_load(&load);
	if (rc == 0)
		rc = run_load(cli, &load, s, &result);
	if (rc == 0)
		print_result(cli, &load, &result, (double)s);
	bench_keys_done(&load.keys);
	free(load.slots);
	free(load.waiting);
	free(load.samples_us);
	return rc;
}
