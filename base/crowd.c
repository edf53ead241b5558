/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A queue in the order of arrival.  Who was hung up stands in it no more, but
 * has a place until he leaves; so a socket is shut down once, and never when it
 * may be somebody else's.
 */

#include "base/crowd.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>

struct crowd_place {
	TAILQ_ENTRY(crowd_place) by_age;
	int fd;
	bool is_hung_up;
};
TAILQ_HEAD(crowd_queue, crowd_place);

struct crowd {
	struct crowd_queue queue; /* the oldest first */
	size_t n, most;
};

struct crowd *
crowd_new(size_t most)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));

	if (crowd == NULL)
		return NULL;
	TAILQ_INIT(&crowd->queue);
	crowd->most = most;
	return crowd;
}

void
crowd_free(struct crowd *crowd)
{
	free(crowd);
}

static void
take_out(struct crowd *crowd, struct crowd_place *place)
{
	TAILQ_REMOVE(&crowd->queue, place, by_age);
	crowd->n--;
}

struct crowd_place *
crowd_enter(struct crowd *crowd, int fd)
{
	struct crowd_place *place = calloc(1, sizeof(*place));

	if (place == NULL)
		return NULL;
	place->fd = fd;
	TAILQ_INSERT_TAIL(&crowd->queue, place, by_age);
	crowd->n++;
	while (crowd->n > crowd->most) {
		struct crowd_place *oldest = TAILQ_FIRST(&crowd->queue);

		take_out(crowd, oldest);
		oldest->is_hung_up = true;
		(void)shutdown(oldest->fd, SHUT_RDWR);
	}
	return place;
}

void
crowd_leave(struct crowd *crowd, struct crowd_place *place)
{
	if (place == NULL)
		return;
	if (!place->is_hung_up)
		take_out(crowd, place);
	free(place);
}
