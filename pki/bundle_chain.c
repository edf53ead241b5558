/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The leaf and its chain among certificates in any order.  The leaf is the one
 * the private key is for, else the one that is no CA; from it the chain is
 * followed issuer by issuer, each link by name and by signature.  A self-signed
 * root ends the chain and is left out, as is another way to a root; whatever
 * else is left over does not belong, and is refused with the reason.
 */

#include <stdio.h>
#include <string.h>

#include "pki/bundle_int.h"

#define NONE SIZE_MAX

/* Indices are those of reading->certs. */
struct chain {
	struct bundle_reading *reading;
	size_t order[BUNDLE_CERTS_MAX]; /* leaf first */
	size_t n;
	bool is_used[BUNDLE_CERTS_MAX]; /* in order, or left out for a reason */
	bool ends_in_root;
	/* [i][j]: i issued j, by name and signature; verified once, since a
	 * hostile key makes that slow. */
	bool issued[BUNDLE_CERTS_MAX][BUNDLE_CERTS_MAX];
};

#define TITLE(cert) bundle_title(cert).text

static struct pki_cert *
cert_at(const struct chain *chain, size_t i)
{
	return chain->reading->certs[i];
}

static void
verify_all(struct chain *chain)
{
	const size_t n = chain->reading->n_certs;

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n; j++)
			chain->issued[i][j] =
			    i != j &&
			    pki_cert_is_named_issuer(
				cert_at(chain, i), cert_at(chain, j)) &&
			    pki_cert_signed(
				cert_at(chain, i), cert_at(chain, j));
	}
}

/* ---- the leaf ---- */

static bool
is_for_key(const struct chain *chain, size_t i)
{
	const struct bundle *bundle = chain->reading->bundle;

	return bundle->has_key &&
	       bytes_equal(cert_at(chain, i)->spki,
		   (struct bytes){ bundle->key.spki, bundle->key.spki_len });
}

static bool
issued_another(const struct chain *chain, size_t i)
{
	for (size_t j = 0; j < chain->reading->n_certs; j++) {
		if (chain->issued[i][j])
			return true;
	}
	return false;
}

/* Of those that pass: how many, the first, and the last. */
struct found {
	size_t n, first, last;
};

static void
find(struct found *found, size_t i)
{
	if (found->n++ == 0)
		found->first = i;
	found->last = i;
}

static struct status
too_many_leaves(
    const struct chain *chain, const struct found *found, const char *which)
{
	return bundle_fail(chain->reading->why, STATUS_INVALID_ARGUMENT,
	    "there are %zu %s, such as \"%s\" and \"%s\"; give one, with its "
	    "own chain",
	    found->n, which, TITLE(cert_at(chain, found->first)),
	    TITLE(cert_at(chain, found->last)));
}

static struct status
find_leaf(const struct chain *chain, size_t *ret_leaf)
{
	struct found keys = { 0 }, leaves = { 0 }, ends = { 0 };

	for (size_t i = 0; i < chain->reading->n_certs; i++) {
		if (is_for_key(chain, i))
			find(&keys, i);
		if (issued_another(chain, i))
			continue;
		find(cert_at(chain, i)->is_ca ? &ends : &leaves, i);
	}
	if (keys.n > 1)
		return too_many_leaves(
		    chain, &keys, "certificates for the private key");
	if (keys.n == 0 && leaves.n > 1)
		return too_many_leaves(chain, &leaves, "server certificates");
	if (keys.n == 0 && leaves.n == 0 && ends.n > 1)
		return bundle_fail(chain->reading->why, STATUS_INVALID_ARGUMENT,
		    "there are only CA certificates, such as \"%s\"; give the "
		    "server's certificate too",
		    TITLE(cert_at(chain, ends.first)));
	*ret_leaf = keys.n > 0     ? keys.first
		    : leaves.n > 0 ? leaves.first
		    : ends.n > 0   ? ends.first
				   : NONE;
	/* Each issued another, in a circle: names and keys may do that. */
	if (*ret_leaf == NONE)
		return bundle_fail(chain->reading->why, STATUS_INVALID_ARGUMENT,
		    "the certificates issued each other in a circle; give the "
		    "server's certificate");
	return status_ok();
}

/* ---- the chain ---- */

/* One that goes on to other roots before a root; then the younger one. */
static bool
is_better(const struct pki_cert *a, const struct pki_cert *b)
{
	if (a->is_self_signed != b->is_self_signed)
		return b->is_self_signed;
	return a->not_after_s > b->not_after_s;
}

/* NONE: nobody here issued it.  *ret_namesake: one that only bears the name. */
static size_t
find_issuer(const struct chain *chain, size_t of, size_t *ret_namesake)
{
	size_t best = NONE;

	*ret_namesake = NONE;
	for (size_t i = 0; i < chain->reading->n_certs; i++) {
		const struct pki_cert *other = cert_at(chain, i);

		if (chain->is_used[i])
			continue;
		if (!chain->issued[i][of]) {
			if (pki_cert_is_named_issuer(other, cert_at(chain, of)))
				*ret_namesake = i;
		} else if (best == NONE ||
			   is_better(other, cert_at(chain, best))) {
			best = i;
		}
	}
	return best;
}

static struct status
follow(struct chain *chain, size_t of, bool *ret_more)
{
	const struct pki_cert *cert = cert_at(chain, of);
	size_t namesake;
	const size_t next = find_issuer(chain, of, &namesake);

	*ret_more = false;
	if (next == NONE && namesake != NONE)
		return bundle_fail(chain->reading->why, STATUS_INVALID_ARGUMENT,
		    "\"%s\" bears the name of the issuer of \"%s\" but did not "
		    "sign it; give the CA's certificate that did",
		    TITLE(cert_at(chain, namesake)), TITLE(cert));
	if (next == NONE)
		return status_ok();
	if (!cert_at(chain, next)->is_ca)
		return bundle_fail(chain->reading->why, STATUS_INVALID_ARGUMENT,
		    "\"%s\" was issued by \"%s\", which is not marked as a CA "
		    "(basicConstraints); clients refuse such a chain",
		    TITLE(cert), TITLE(cert_at(chain, next)));
	chain->is_used[next] = true;
	if (cert_at(chain, next)->is_self_signed) {
		chain->ends_in_root = true;
		bundle_note(chain->reading->bundle,
		    "left out the root \"%s\", which clients have",
		    TITLE(cert_at(chain, next)));
		return status_ok();
	}
	chain->order[chain->n++] = next;
	*ret_more = true;
	return status_ok();
}

static struct status
find_chain(struct chain *chain)
{
	struct status st;
	bool more = true;

	st = find_leaf(chain, &chain->order[0]);
	if (failed(st))
		return st;
	chain->n = 1;
	chain->is_used[chain->order[0]] = true;
	while (!failed(st) && more) {
		const size_t last = chain->order[chain->n - 1];

		if (cert_at(chain, last)->is_self_signed)
			break;
		st = follow(chain, last, &more);
	}
	return st;
}

/* ---- what is left over ---- */

/* Another way from the chain to a root: a twin of a CA in it, or an issuer. */
static bool
is_another_way(const struct chain *chain, size_t i)
{
	const struct pki_cert *cert = cert_at(chain, i);

	for (size_t j = 0; j < chain->reading->n_certs; j++) {
		if (chain->is_used[j] &&
		    (pki_cert_is_twin(cert, cert_at(chain, j)) ||
			chain->issued[i][j]))
			return cert->is_ca;
	}
	return false;
}

static void
leave_out_other_ways(struct chain *chain)
{
	bool again = true;

	while (again) {
		again = false;
		for (size_t i = 0; i < chain->reading->n_certs; i++) {
			const struct pki_cert *cert = cert_at(chain, i);

			if (chain->is_used[i] || !is_another_way(chain, i))
				continue;
			chain->is_used[i] = again = true;
			bundle_note(chain->reading->bundle,
			    "left out %s\"%s\", another way to a root",
			    cert->is_self_signed ? "the root " : "",
			    TITLE(cert));
		}
	}
}

static struct status
refuse_foreign(const struct chain *chain, size_t i)
{
	const struct pki_cert *leaf = cert_at(chain, chain->order[0]);
	const struct pki_cert *last =
	    cert_at(chain, chain->order[chain->n - 1]);
	const struct pki_cert *cert = cert_at(chain, i);
	char *why = chain->reading->why;

	if (!cert->is_ca)
		return bundle_fail(why, STATUS_INVALID_ARGUMENT,
		    "\"%s\" is neither the certificate \"%s\" nor of its "
		    "chain; leave it out, or give each with its own chain",
		    TITLE(cert), TITLE(leaf));
	if (chain->ends_in_root || last->is_self_signed)
		return bundle_fail(why, STATUS_INVALID_ARGUMENT,
		    "\"%s\" does not belong to the chain of \"%s\", which is "
		    "complete without it; leave it out",
		    TITLE(cert), TITLE(leaf));
	return bundle_fail(why, STATUS_INVALID_ARGUMENT,
	    "\"%s\" does not belong to the chain of \"%s\", which ends at "
	    "\"%s\": give that one's issuer, \"%s\", or leave the other out",
	    TITLE(cert), TITLE(leaf), TITLE(last),
	    bundle_title_of(last->issuer).text);
}

/* ---- into the bundle ---- */

/* How many stand elsewhere than they stood among those that are kept. */
static size_t
count_moved(const struct chain *chain)
{
	size_t n = 0;

	for (size_t i = 0; i < chain->n; i++) {
		size_t rank = 0;

		for (size_t j = 0; j < chain->n; j++)
			rank += chain->order[j] < chain->order[i];
		n += rank != i;
	}
	return n;
}

static void
move_into_bundle(struct chain *chain)
{
	struct bundle_reading *reading = chain->reading;
	struct bundle *bundle = reading->bundle;
	const size_t n_moved = count_moved(chain);

	if (n_moved > 0)
		bundle_note(bundle, "put %zu certificates in order", n_moved);
	for (size_t i = 0; i < chain->n; i++) {
		struct pki_cert **from = &reading->certs[chain->order[i]];

		if (i == 0)
			bundle->leaf = *from;
		else
			bundle->chain[bundle->n_chain++] = *from;
		*from = NULL;
	}
	if (bundle->n_chain == 0 && !bundle->leaf->is_self_signed &&
	    !chain->ends_in_root)
		bundle_note(bundle,
		    "the chain ends at the certificate itself; add its "
		    "issuer \"%s\" if clients complain",
		    bundle_title_of(bundle->leaf->issuer).text);
}

STATUS
bundle_find_chain(struct bundle_reading *reading)
{
	struct chain chain = { .reading = reading };
	struct status st;

	if (reading->n_certs == 0)
		return bundle_fail(reading->why, STATUS_INVALID_ARGUMENT, "%s",
		    reading->bundle->has_key
			? "there is a private key but no certificate; give "
			  "both"
			: "there is no certificate in it");
	verify_all(&chain);
	st = find_chain(&chain);
	if (failed(st))
		return st;
	leave_out_other_ways(&chain);
	for (size_t i = 0; i < reading->n_certs; i++) {
		if (!chain.is_used[i])
			return refuse_foreign(&chain, i);
	}
	move_into_bundle(&chain);
	return st;
}
