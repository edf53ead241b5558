/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Two arrays that change places: one is filled under the mutex while the other
 * is being sent without it.  The eventfd is written once a batch, not once a
 * reply, so a batch from keyd wakes the socket thread once.  The arrays hold no
 * more than the pending table did, since each reply was an entry there.
 *
 * The mutex guards filling; the other array belongs to the taking thread.
 */

#include "edge/replies.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct pile {
	struct reply *at;
	size_t len, cap;
};

struct replies {
	pthread_mutex_t mutex;
	struct pile filling;
	struct pile taken;
	int fd;
};

struct replies *
replies_new(void)
{
	struct replies *replies = calloc(1, sizeof(*replies));

	if (replies == NULL)
		return NULL;
	replies->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (replies->fd < 0) {
		free(replies);
		return NULL;
	}
	pthread_mutex_init(&replies->mutex, NULL);
	return replies;
}

void
replies_free(struct replies *replies)
{
	if (replies == NULL)
		return;
	close(replies->fd);
	pthread_mutex_destroy(&replies->mutex);
	free(replies->filling.at);
	free(replies->taken.at);
	free(replies);
}

int
replies_fd(const struct replies *replies)
{
	return replies->fd;
}

static struct reply *
grow_by_one(struct pile *pile)
{
	if (pile->len == pile->cap) {
		size_t cap = pile->cap == 0 ? 64 : 2 * pile->cap;
		struct reply *at =
		    reallocarray(pile->at, cap, sizeof(*pile->at));

		if (at == NULL)
			return NULL;
		pile->at = at;
		pile->cap = cap;
	}
	return &pile->at[pile->len++];
}

void
replies_put(struct replies *replies, uint64_t conn, uint32_t id,
    enum status_code code, struct bytes body)
{
	struct reply *reply;

	pthread_mutex_lock(&replies->mutex);
	reply = grow_by_one(&replies->filling);
	if (reply != NULL) {
		reply->conn = conn;
		reply->id = id;
		reply->code = code;
		reply->len =
		    body.len < SIGNATURE_MAX ? body.len : SIGNATURE_MAX;
		if (reply->len > 0)
			memcpy(reply->at, body.at, reply->len);
	}
	pthread_mutex_unlock(&replies->mutex);
}

void
replies_wake(struct replies *replies)
{
	/* Fails only when the counter is full, which is as good as written. */
	(void)!eventfd_write(replies->fd, 1);
}

const struct reply *
replies_take(struct replies *replies, size_t *ret_count)
{
	struct pile pile;

	pthread_mutex_lock(&replies->mutex);
	pile = replies->filling;
	replies->taken.len = 0;
	replies->filling = replies->taken;
	replies->taken = pile;
	pthread_mutex_unlock(&replies->mutex);
	*ret_count = pile.len;
	return pile.at;
}
