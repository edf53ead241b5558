/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A table of few places, by URL; see revoked_lists.h.  A place is busy while
 * somebody has its turn: then it is not taken for another URL, and others do
 * not wait for it.  A CRL is checked before it comes in here; it is kept with
 * its issuer, so that the same URL in another CA's certificate asks anew.
 */

#include "certd/revoked_lists.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/revocation_crl.h"

#define PLACES 256

struct place {
	char url[REVOCATION_URL_MAX]; /* empty: free */
	int64_t used;                 /* the greater, the later */
	bool is_busy;
	int64_t paused_until_s;
	uint8_t *der; /* NULL: no CRL is kept */
	size_t len;
	struct revocation_crl crl;
	uint8_t issuer[PKI_FINGERPRINT_LEN];
	int64_t until_s;
};

struct revoked_lists {
	pthread_mutex_t mutex; /* guards all below */
	int64_t used;
	size_t len; /* of all CRLs */
	struct place places[PLACES];
};

/* ---- places, with the mutex held ---- */

static void
drop_crl(struct revoked_lists *lists, struct place *place)
{
	lists->len -= place->len;
	free(place->der);
	place->der = NULL;
	place->len = 0;
}

static struct place *
find(struct revoked_lists *lists, const char *url)
{
	for (size_t i = 0; i < PLACES; i++)
		if (strcmp(lists->places[i].url, url) == 0)
			return &lists->places[i];
	return NULL;
}

/* A free one, or the one used longest ago; NULL: all are busy. */
static struct place *
make(struct revoked_lists *lists, const char *url)
{
	struct place *oldest = NULL;

	for (size_t i = 0; i < PLACES; i++) {
		struct place *place = &lists->places[i];

		if (!place->is_busy &&
		    (oldest == NULL || place->used < oldest->used))
			oldest = place;
	}
	if (oldest == NULL)
		return NULL;
	drop_crl(lists, oldest);
	*oldest = (struct place){ .used = ++lists->used };
	(void)!snprintf(oldest->url, sizeof(oldest->url), "%s", url);
	return oldest;
}

static struct place *
find_or_make(struct revoked_lists *lists, const char *url)
{
	struct place *place = find(lists, url);

	if (place == NULL)
		return make(lists, url);
	place->used = ++lists->used;
	return place;
}

/* Until there is room for that many octets more. */
static void
make_room(struct revoked_lists *lists, size_t len)
{
	while (lists->len + len > REVOKED_LISTS_MAX) {
		struct place *oldest = NULL;

		for (size_t i = 0; i < PLACES; i++) {
			struct place *place = &lists->places[i];

			if (place->der != NULL &&
			    (oldest == NULL || place->used < oldest->used))
				oldest = place;
		}
		if (oldest == NULL)
			return;
		drop_crl(lists, oldest);
	}
}

static bool
says(const struct place *place, const struct pki_cert *cert,
    const struct pki_cert *issuer, int64_t now_s,
    struct revocation_answer *ret_answer)
{
	char why[REVOCATION_WHY_MAX];

	/* A clock that was put back knows no better. */
	return place->der != NULL && now_s < place->until_s &&
	       now_s >= place->until_s - REVOKED_LIST_KEEP_S &&
	       memcmp(place->issuer, issuer->fingerprint,
		   PKI_FINGERPRINT_LEN) == 0 &&
	       !failed(revocation_crl_find(&place->crl, cert, ret_answer, why));
}

static bool
is_paused(const struct place *place, int64_t now_s)
{
	return now_s < place->paused_until_s &&
	       now_s >= place->paused_until_s - REVOKED_PAUSE_S;
}

/* ---- turns ---- */

enum revoked_lists_turn
revoked_lists_look(struct revoked_lists *lists, const char *url,
    const struct pki_cert *cert, const struct pki_cert *issuer, int64_t now_s,
    struct revocation_answer *ret_answer)
{
	enum revoked_lists_turn turn = REVOKED_LISTS_ASK;
	struct place *place;

	pthread_mutex_lock(&lists->mutex);
	place = find_or_make(lists, url);
	if (place == NULL || place->is_busy)
		turn = REVOKED_LISTS_BUSY;
	else if (says(place, cert, issuer, now_s, ret_answer))
		turn = REVOKED_LISTS_SAID;
	else if (is_paused(place, now_s))
		turn = REVOKED_LISTS_PAUSED;
	else
		place->is_busy = true;
	pthread_mutex_unlock(&lists->mutex);
	return turn;
}

/* A CA that is late with its next one is not asked all the time either. */
static int64_t
keep_until(const struct revocation_crl *crl, int64_t now_s)
{
	int64_t until_s = now_s + REVOKED_LIST_KEEP_S;

	if (crl->next_s != 0 && crl->next_s < until_s)
		until_s = crl->next_s;
	if (until_s < now_s + REVOKED_PAUSE_S)
		until_s = now_s + REVOKED_PAUSE_S;
	return until_s;
}

static void
put(struct revoked_lists *lists, const struct revoked_list *list,
    const struct revocation_crl *crl, const struct pki_cert *issuer,
    int64_t now_s)
{
	struct place *place;

	pthread_mutex_lock(&lists->mutex);
	/* It is busy, so it stayed. */
	place = find_or_make(lists, list->url);
	if (place == NULL) {
		free(list->der);
	} else {
		drop_crl(lists, place);
		make_room(lists, list->len);
		place->is_busy = false;
		place->paused_until_s = 0;
		place->der = list->der;
		place->len = list->len;
		lists->len += list->len;
		place->crl = *crl;
		memcpy(place->issuer, issuer->fingerprint, PKI_FINGERPRINT_LEN);
		place->until_s = keep_until(crl, now_s);
	}
	pthread_mutex_unlock(&lists->mutex);
}

STATUS
revoked_lists_keep(struct revoked_lists *lists, const struct revoked_list *list,
    const struct pki_cert *cert, const struct pki_cert *issuer, int64_t now_s,
    struct revocation_answer *ret_answer, char *ret_why)
{
	const struct bytes der = { list->der, list->len };
	struct revocation_crl crl;
	struct status st =
	    revocation_crl_check(der, list->url, issuer, now_s, &crl, ret_why);

	if (!failed(st))
		st = revocation_crl_find(&crl, cert, ret_answer, ret_why);
	if (failed(st)) {
		free(list->der);
		revoked_lists_failed(lists, list->url, now_s);
		return st;
	}
	put(lists, list, &crl, issuer, now_s);
	return st;
}

void
revoked_lists_failed(
    struct revoked_lists *lists, const char *url, int64_t now_s)
{
	struct place *place;

	pthread_mutex_lock(&lists->mutex);
	place = find_or_make(lists, url);
	if (place != NULL) {
		place->is_busy = false;
		place->paused_until_s = now_s + REVOKED_PAUSE_S;
	}
	pthread_mutex_unlock(&lists->mutex);
}

bool
revoked_lists_are_paused(
    struct revoked_lists *lists, const char *url, int64_t now_s)
{
	const struct place *place;
	bool are;

	pthread_mutex_lock(&lists->mutex);
	place = find(lists, url);
	are = place != NULL && is_paused(place, now_s);
	pthread_mutex_unlock(&lists->mutex);
	return are;
}

/* ---- life ---- */

STATUS
revoked_lists_new(struct revoked_lists **ret_lists)
{
	struct revoked_lists *lists = calloc(1, sizeof(*lists));

	if (lists == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	pthread_mutex_init(&lists->mutex, NULL);
	*ret_lists = lists;
	return status_ok();
}

void
revoked_lists_free(struct revoked_lists *lists)
{
	if (lists == NULL)
		return;
	for (size_t i = 0; i < PLACES; i++)
		free(lists->places[i].der);
	pthread_mutex_destroy(&lists->mutex);
	free(lists);
}
