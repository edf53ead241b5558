/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A table of addresses, each with its connections and its wrong secrets (a
 * bucket that fills and drains).  It has more room than there are connections,
 * so one without any can always make way: the one longest unheard of.  It is
 * small enough to be searched from end to end.
 */

#include "certd/guard.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define ROWS 2048

struct row {
	uint8_t address[16];
	unsigned connections;
	/* Wrong secrets in nanoseconds to forgive them, as of seen_ns. */
	int64_t wrong_ns, seen_ns;
};

struct guard {
	unsigned connections_max;
	pthread_mutex_t mutex; /* guards rows */
	struct row rows[ROWS];
};

struct guard *
guard_new(unsigned connections_max)
{
	struct guard *guard = calloc(1, sizeof(*guard));

	if (guard == NULL)
		return NULL;
	guard->connections_max = connections_max;
	pthread_mutex_init(&guard->mutex, NULL);
	return guard;
}

void
guard_free(struct guard *guard)
{
	if (guard == NULL)
		return;
	pthread_mutex_destroy(&guard->mutex);
	free(guard);
}

static void
key_of(const struct sockaddr *address, uint8_t ret_key[16])
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;

	memset(ret_key, 0, 16);
	if (address->sa_family == AF_INET6 &&
	    !IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		memcpy(ret_key, &v6->sin6_addr, 8);
		return;
	}
	ret_key[0] = 0xff; /* no /64 begins so that anyone could have */
	ret_key[1] = 0xff;
	if (address->sa_family == AF_INET)
		memcpy(ret_key + 12, &v4->sin_addr, 4);
	else if (address->sa_family == AF_INET6)
		memcpy(ret_key + 12, v6->sin6_addr.s6_addr + 12, 4);
}

/* Its row, or one that makes way for it.  The mutex is held. */
static struct row *
row_of(struct guard *guard, const struct sockaddr *address)
{
	uint8_t key[16];
	struct row *oldest = NULL;

	key_of(address, key);
	for (size_t i = 0; i < ROWS; i++) {
		struct row *row = &guard->rows[i];

		if (memcmp(row->address, key, sizeof(key)) == 0)
			return row;
		if (row->connections == 0 &&
		    (oldest == NULL || row->seen_ns < oldest->seen_ns))
			oldest = row;
	}
	if (oldest == NULL) /* not with fewer connections than rows */
		oldest = &guard->rows[0];
	*oldest = (struct row){ .connections = 0 };
	memcpy(oldest->address, key, sizeof(key));
	return oldest;
}

bool
guard_admits(struct guard *guard, const struct sockaddr *address)
{
	bool admits;

	if (guard->connections_max == 0)
		return true;
	pthread_mutex_lock(&guard->mutex);
	admits = row_of(guard, address)->connections < guard->connections_max;
	pthread_mutex_unlock(&guard->mutex);
	return admits;
}

void
guard_opened(struct guard *guard, const struct sockaddr *address)
{
	struct row *row;

	pthread_mutex_lock(&guard->mutex);
	row = row_of(guard, address);
	row->connections++;
	pthread_mutex_unlock(&guard->mutex);
}

void
guard_closed(struct guard *guard, const struct sockaddr *address)
{
	struct row *row;

	pthread_mutex_lock(&guard->mutex);
	row = row_of(guard, address);
	if (row->connections > 0)
		row->connections--;
	pthread_mutex_unlock(&guard->mutex);
}

unsigned
guard_wrong(struct guard *guard, const struct sockaddr *address, int64_t now_ns)
{
	const int64_t each_ns = GUARD_WRONG_S * NS_PER_S;
	const int64_t most_ns = GUARD_WRONG_BURST * each_ns;
	struct row *row;
	int64_t wrong_ns;

	pthread_mutex_lock(&guard->mutex);
	row = row_of(guard, address);
	wrong_ns = row->wrong_ns - (now_ns - row->seen_ns);
	if (wrong_ns < 0)
		wrong_ns = 0;
	wrong_ns += each_ns;
	/* What is refused does not make the wait longer. */
	row->wrong_ns =
	    wrong_ns < most_ns + each_ns ? wrong_ns : most_ns + each_ns;
	row->seen_ns = now_ns;
	pthread_mutex_unlock(&guard->mutex);
	if (wrong_ns <= most_ns)
		return 0;
	return (unsigned)((row->wrong_ns - most_ns + NS_PER_S - 1) / NS_PER_S);
}
