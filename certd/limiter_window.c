/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sliding windows: a queue of moments each, and a hash table of them by name.
 * Names that have nothing left in their window go when the table would grow, so
 * its size follows what happened within the window.
 */

#include "certd/limiter_window.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 64

void
window_done(struct window *window)
{
	free(window->at);
	*window = (struct window){ NULL, 0, 0, 0 };
}

void
window_forget(struct window *window, int64_t then_ns)
{
	while (window->n > 0 && window->at[window->first] <= then_ns) {
		window->first++;
		window->n--;
	}
	if (window->n == 0)
		window->first = 0;
}

static bool
make_room(struct window *window)
{
	size_t max = window->max == 0 ? 4 : 2 * window->max;
	int64_t *at;

	if (window->first + window->n < window->max)
		return true;
	/* Room at the front, more than is used: move there. */
	if (window->first > window->n) {
		memcpy(window->at, window->at + window->first,
		    window->n * sizeof(*window->at));
		window->first = 0;
		return true;
	}
	at = reallocarray(window->at, max, sizeof(*at));
	if (at == NULL)
		return false;
	window->at = at;
	window->max = max;
	return true;
}

void
window_add(struct window *window, int64_t at_ns)
{
	if (make_room(window))
		window->at[window->first + window->n++] = at_ns;
}

void
window_take_back(struct window *window)
{
	if (window->n > 0)
		window->n--;
}

int64_t
window_wait(
    struct window *window, uint64_t limit, int64_t span_ns, int64_t now_ns)
{
	window_forget(window, now_ns - span_ns);
	if (window->n < limit)
		return 0;
	/* When this one leaves, one place is free. */
	return window->at[window->first + window->n - limit] + span_ns -
	       now_ns + 1;
}

/* ---- by name ---- */

static uint64_t
hash(const char *name)
{
	uint64_t h = 14695981039346656037u; /* FNV-1a */

	for (; *name != 0; name++)
		h = (h ^ (uint8_t)*name) * 1099511628211u;
	return h;
}

static struct windows_entry **
place_of(const struct windows *windows, const char *name)
{
	struct windows_entry **at =
	    &windows->slots[hash(name) & (windows->n_slots - 1)];

	while (*at != NULL && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

static void
entry_free(struct windows_entry *entry)
{
	window_done(&entry->window);
	free(entry);
}

void
windows_done(struct windows *windows)
{
	for (size_t i = 0; i < windows->n_slots; i++)
		for (struct windows_entry *at = windows->slots[i], *next;
		     at != NULL; at = next) {
			next = at->next;
			entry_free(at);
		}
	free(windows->slots);
	*windows = (struct windows){ NULL, 0, 0 };
}

struct windows_entry *
windows_find(const struct windows *windows, const char *name)
{
	return windows->n_slots == 0 ? NULL : *place_of(windows, name);
}

/* Drop those that have nothing left. */
static void
sweep(struct windows *windows, int64_t then_ns)
{
	for (size_t i = 0; i < windows->n_slots; i++) {
		struct windows_entry **at = &windows->slots[i];

		while (*at != NULL) {
			struct windows_entry *entry = *at;

			window_forget(&entry->window, then_ns);
			if (entry->window.n > 0 ||
			    entry->paused_until_ns > then_ns) {
				at = &entry->next;
				continue;
			}
			*at = entry->next;
			entry_free(entry);
			windows->n--;
		}
	}
}

static void
move(
    const struct windows *windows, struct windows_entry **slots, size_t n_slots)
{
	for (size_t i = 0; i < windows->n_slots; i++)
		for (struct windows_entry *at = windows->slots[i], *next;
		     at != NULL; at = next) {
			struct windows_entry **to =
			    &slots[hash(at->name) & (n_slots - 1)];

			next = at->next;
			at->next = *to;
			*to = at;
		}
}

static bool
grow(struct windows *windows, int64_t then_ns)
{
	size_t n_slots =
	    windows->n_slots == 0 ? SLOTS_FIRST : 2 * windows->n_slots;
	struct windows_entry **slots;

	if (windows->n < windows->n_slots)
		return true;
	sweep(windows, then_ns);
	if (windows->n < windows->n_slots / 2)
		return true;
	slots = calloc(n_slots, sizeof(struct windows_entry *));
	if (slots == NULL)
		return windows->n_slots != 0;
	move(windows, slots, n_slots);
	free(windows->slots);
	windows->slots = slots;
	windows->n_slots = n_slots;
	return true;
}

struct windows_entry *
windows_get(struct windows *windows, const char *name, int64_t then_ns)
{
	struct windows_entry **at, *made;
	size_t len = strlen(name) + 1;

	if (!grow(windows, then_ns))
		return NULL;
	at = place_of(windows, name);
	if (*at != NULL)
		return *at;
	made = calloc(1, sizeof(*made) + len);
	if (made == NULL)
		return NULL;
	memcpy(made->name, name, len);
	*at = made;
	windows->n++;
	return made;
}

size_t
windows_fullest(struct windows *windows, int64_t then_ns)
{
	size_t most = 0;

	for (size_t i = 0; i < windows->n_slots; i++)
		for (struct windows_entry *at = windows->slots[i]; at != NULL;
		     at = at->next) {
			window_forget(&at->window, then_ns);
			if (at->window.n > most)
				most = at->window.n;
		}
	return most;
}
