/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Five tables of rows under 64-bit tags, which are a keyed hash: nobody can
 * choose which rows meet.  A tag's row is one of eight; when all are others',
 * the one that was wrong least of late makes way, so that guessing from many
 * networks does not make the wrong ones of one forgotten.  A try is counted
 * when it begins: who asks many times at once gains nothing.
 */

#include "certd/login/throttle.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/bytes.h"
#include "base/clock.h"

#define WAYS 8
#define SETS 512
#define WHO_MAX 320

struct row {
	uint64_t tag; /* 0: free */
	unsigned wrong, running;
	int64_t debt_ns; /* of a bucket, as of seen_ns */
	int64_t until_ns, seen_ns;
};

struct table {
	struct row rows[SETS][WAYS];
};

struct throttle {
	uint8_t key[16];
	pthread_mutex_t mutex; /* guards the rest */
	struct table pairs, users, codes, networks, known;
};

struct throttle *
throttle_new(void)
{
	struct throttle *throttle = calloc(1, sizeof(*throttle));

	if (throttle == NULL)
		return NULL;
	if (RAND_bytes(throttle->key, sizeof(throttle->key)) != 1) {
		free(throttle);
		return NULL;
	}
	pthread_mutex_init(&throttle->mutex, NULL);
	return throttle;
}

void
throttle_free(struct throttle *throttle)
{
	if (throttle == NULL)
		return;
	pthread_mutex_destroy(&throttle->mutex);
	free(throttle);
}

/* ---- names of rows ---- */

void
throttle_network(const char *address, uint8_t ret_network[16])
{
	struct in6_addr v6;
	struct in_addr v4;

	memset(ret_network, 0, 16);
	if (inet_pton(AF_INET, address, &v4) == 1) {
		ret_network[0] = 0xff; /* no /64 begins so that is anyone's */
		ret_network[1] = 0xff;
		memcpy(ret_network + 12, &v4, 4);
	} else if (inet_pton(AF_INET6, address, &v6) == 1 &&
		   IN6_IS_ADDR_V4MAPPED(&v6)) {
		ret_network[0] = 0xff;
		ret_network[1] = 0xff;
		memcpy(ret_network + 12, v6.s6_addr + 12, 4);
	} else if (inet_pton(AF_INET6, address, &v6) == 1) {
		memcpy(ret_network, &v6, 8);
	}
}

/* kind keeps a user's rows apart from a network's. */
static uint64_t
tag_of(const struct throttle *throttle, char kind, const char *who,
    const uint8_t *network)
{
	uint8_t text[sizeof(throttle->key) + 1 + 16 + WHO_MAX], hash[32];
	size_t len = sizeof(throttle->key);
	uint64_t tag;

	memcpy(text, throttle->key, len);
	text[len++] = (uint8_t)kind;
	if (network != NULL)
		memcpy(text + len, network, 16);
	len += network != NULL ? 16 : 0;
	for (; who != NULL && *who != 0 && len < sizeof(text); who++)
		text[len++] = (uint8_t)tolower((unsigned char)*who);
	if (EVP_Digest(text, len, hash, NULL, EVP_sha256(), NULL) != 1)
		return 1; /* all are one then, and wait for each other */
	memcpy(&tag, hash, sizeof(tag));
	return tag == 0 ? 1 : tag;
}

/* ---- rows ---- */

/* What is left of it: wrong ones are forgotten, and buckets drain. */
static struct row
row_now(const struct row *row, int64_t now_ns)
{
	const int64_t gone_ns = now_ns - row->seen_ns;
	struct row now = *row;

	if (gone_ns > THROTTLE_FORGIVE_S * NS_PER_S)
		now.wrong = 0;
	now.debt_ns = row->debt_ns > gone_ns ? row->debt_ns - gone_ns : 0;
	return now;
}

static bool
is_worth_less(const struct row *row, const struct row *than, int64_t now_ns)
{
	const struct row a = row_now(row, now_ns), b = row_now(than, now_ns);

	if (a.wrong != b.wrong)
		return a.wrong < b.wrong;
	if (a.debt_ns != b.debt_ns)
		return a.debt_ns < b.debt_ns;
	return a.seen_ns < b.seen_ns;
}

/* NULL: it has none. */
static struct row *
find(struct table *table, uint64_t tag)
{
	struct row *set = table->rows[tag % SETS];

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].tag == tag)
			return &set[i];
	return NULL;
}

/* NULL when all eight are of tries under way.  The mutex is held. */
static struct row *
row_of(struct table *table, uint64_t tag, int64_t now_ns)
{
	struct row *set = table->rows[tag % SETS], *least = find(table, tag);

	if (least != NULL)
		return least;
	for (size_t i = 0; i < WAYS; i++)
		if (set[i].running == 0 &&
		    (least == NULL || is_worth_less(&set[i], least, now_ns)))
			least = &set[i];
	if (least != NULL)
		*least = (struct row){ .tag = tag };
	return least;
}

/* A bucket: one more of each_ns; nanoseconds to wait, or 0 and it is in. */
static int64_t
pour(struct row *row, int64_t each_ns, int64_t burst, int64_t now_ns)
{
	const int64_t debt_ns = row_now(row, now_ns).debt_ns;

	row->seen_ns = now_ns;
	row->debt_ns = debt_ns;
	if (debt_ns + each_ns > burst * each_ns)
		return debt_ns + each_ns - burst * each_ns;
	row->debt_ns += each_ns;
	return 0;
}

static void
pour_back(struct table *table, uint64_t tag, int64_t each_ns)
{
	struct row *row = find(table, tag);

	if (row != NULL && row->debt_ns >= each_ns)
		row->debt_ns -= each_ns;
}

/* ---- a try ---- */

#define EACH_USER_NS (THROTTLE_USER_S * NS_PER_S)
#define EACH_CODE_NS (THROTTLE_CODE_S * NS_PER_S)
#define EACH_NETWORK_NS (THROTTLE_NETWORK_S * NS_PER_S)

static int64_t
wait_of_pair(struct row *pair, int64_t now_ns)
{
	if (pair == NULL)
		return NS_PER_S;
	pair->wrong = row_now(pair, now_ns).wrong;
	if (pair->until_ns > now_ns)
		return pair->until_ns - now_ns;
	/* After the free ones, one at a time. */
	if (pair->running > 0 && pair->wrong + pair->running >= THROTTLE_FREE)
		return NS_PER_S;
	return 0;
}

static int64_t
wait_of_unknown(
    struct throttle *throttle, const struct throttle_try *try, int64_t now_ns)
{
	int64_t wait_ns =
	    pour(row_of(&throttle->networks, try->network, now_ns),
		EACH_NETWORK_NS, THROTTLE_NETWORK_BURST, now_ns);

	/* Who is refused here makes nobody's row give way. */
	if (wait_ns > 0)
		return wait_ns;
	wait_ns = pour(row_of(&throttle->users, try->user, now_ns),
	    EACH_USER_NS, THROTTLE_USER_BURST, now_ns);
	if (wait_ns > 0)
		pour_back(&throttle->networks, try->network, EACH_NETWORK_NS);
	return wait_ns;
}

static unsigned
seconds(int64_t wait_ns)
{
	return (unsigned)((wait_ns + NS_PER_S - 1) / NS_PER_S);
}

unsigned
throttle_begin(struct throttle *throttle, const char *who, const char *address,
    int64_t now_ns, struct throttle_try *ret_try)
{
	uint8_t network[16];
	struct throttle_try try = { .is_of_code = false };
	struct row *pair;
	int64_t wait_ns;

	throttle_network(address, network);
	try.pair = tag_of(throttle, 'p', who, network);
	try.user = tag_of(throttle, 'u', who, NULL);
	try.network = tag_of(throttle, 'n', NULL, network);
	pthread_mutex_lock(&throttle->mutex);
	try.is_known = find(&throttle->known, try.pair) != NULL;
	pair = row_of(&throttle->pairs, try.pair, now_ns);
	wait_ns = wait_of_pair(pair, now_ns);
	if (wait_ns == 0 && !try.is_known)
		wait_ns = wait_of_unknown(throttle, &try, now_ns);
	if (wait_ns == 0)
		pair->running++;
	pthread_mutex_unlock(&throttle->mutex);
	if (wait_ns == 0)
		*ret_try = try;
	return seconds(wait_ns);
}

unsigned
throttle_code(
    struct throttle *throttle, struct throttle_try *try, int64_t now_ns)
{
	int64_t wait_ns = 0;

	if (try->is_known)
		return 0;
	pthread_mutex_lock(&throttle->mutex);
	wait_ns = pour(row_of(&throttle->codes, try->user, now_ns),
	    EACH_CODE_NS, THROTTLE_CODE_BURST, now_ns);
	pthread_mutex_unlock(&throttle->mutex);
	try->is_of_code = wait_ns == 0;
	return seconds(wait_ns);
}

static void
count_wrong(struct row *pair, int64_t now_ns)
{
	int64_t wait_s = THROTTLE_WAIT_S;

	pair->seen_ns = now_ns;
	pair->wrong++;
	if (pair->wrong < THROTTLE_FREE)
		return;
	for (unsigned i = THROTTLE_FREE;
	     i < pair->wrong && wait_s < THROTTLE_WAIT_MAX_S; i++)
		wait_s *= 2;
	if (wait_s > THROTTLE_WAIT_MAX_S)
		wait_s = THROTTLE_WAIT_MAX_S;
	pair->until_ns = now_ns + wait_s * NS_PER_S;
}

/* The mutex is held. */
static void
give_back(struct throttle *throttle, const struct throttle_try *try,
    enum throttle_outcome outcome)
{
	if (try->is_known || outcome == THROTTLE_WRONG)
		return;
	pour_back(&throttle->networks, try->network, EACH_NETWORK_NS);
	if (outcome == THROTTLE_HALF)
		return;
	pour_back(&throttle->users, try->user, EACH_USER_NS);
	if (try->is_of_code)
		pour_back(&throttle->codes, try->user, EACH_CODE_NS);
}

void
throttle_end(struct throttle *throttle, const struct throttle_try *try,
    enum throttle_outcome outcome, int64_t now_ns)
{
	struct row *pair, *known;

	pthread_mutex_lock(&throttle->mutex);
	/* It runs: it is there. */
	pair = row_of(&throttle->pairs, try->pair, now_ns);
	if (pair != NULL && pair->running > 0)
		pair->running--;
	give_back(throttle, try, outcome);
	if (outcome == THROTTLE_WRONG && pair != NULL)
		count_wrong(pair, now_ns);
	if (outcome == THROTTLE_RIGHT) {
		if (pair != NULL)
			pair->wrong = 0;
		if (pair != NULL)
			pair->until_ns = 0;
		known = row_of(&throttle->known, try->pair, now_ns);
		known->seen_ns = now_ns;
	}
	pthread_mutex_unlock(&throttle->mutex);
}
