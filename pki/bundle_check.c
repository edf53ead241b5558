/* SPDX-License-Identifier: Apache-2.0 */

/*
 * May this bundle be served?  Each check is one function with one sentence for
 * what it refuses, and says what to do; they run from what is surely a mistake
 * (another's key) to what only clients mind.  The leaf's names are judged here,
 * not where they are read.  What is worth knowing but no reason to refuse
 * becomes a note.
 */

#include <stdio.h>
#include <string.h>

#include "pki/bundle_int.h"

#define TITLE(cert) bundle_title(cert).text
#define DIGITS 16 /* of a key id, enough to tell keys apart by eye */

struct check {
	struct bundle *bundle;
	const struct bundle_policy *policy;
	char *why;
};

#define REFUSE(check, ...)                                                     \
	bundle_fail((check)->why, STATUS_FAILED_PRECONDITION, __VA_ARGS__)

static const char *
alg_text(const struct pki_cert *cert)
{
	return cert->alg == KEY_ALG_NONE ? cert->key_text
					 : key_alg_name(cert->alg);
}

/* ---- the key ---- */

static struct status
check_spki(const struct check *check, struct bytes spki, const char *whose)
{
	const struct pki_cert *leaf = check->bundle->leaf;
	char theirs[KEY_ID_TEXT_MAX] = "?", ours[KEY_ID_TEXT_MAX];
	const char *alg = key_alg_name(key_alg_of_spki(spki));
	struct key_id id;

	if (spki.len == 0 || bytes_equal(spki, leaf->spki))
		return status_ok();
	key_id_print(&leaf->key_id, theirs);
	if (key_id_of_spki(spki, &id))
		key_id_print(&id, ours);
	else
		snprintf(ours, sizeof(ours), "?");
	return REFUSE(check,
	    "%s does not match the certificate \"%s\": its public key is %s "
	    "%.*s, the certificate's is %s %.*s (the first %d digits of the "
	    "SHA-256 of each SubjectPublicKeyInfo)",
	    whose, TITLE(leaf), alg == NULL ? "of an unknown kind" : alg,
	    DIGITS, ours, alg_text(leaf), DIGITS, theirs, DIGITS);
}

static struct status
check_match(const struct check *check)
{
	const struct bundle *bundle = check->bundle;
	struct status st = status_ok();

	if (bundle->has_key)
		st = check_spki(check,
		    (struct bytes){ bundle->key.spki, bundle->key.spki_len },
		    "the private key");
	if (!failed(st))
		st = check_spki(check, check->policy->key_spki,
		    "the key that the certificate is to be for");
	return st;
}

static struct status
check_key_kind(const struct check *check)
{
	const struct pki_cert *leaf = check->bundle->leaf;

	if (leaf->alg != KEY_ALG_NONE)
		return status_ok();
	return REFUSE(check,
	    "the key of \"%s\" is %s, which no token here holds; use RSA of "
	    "2048, 3072 or 4096 bits, EC on P-256 or P-384, or Ed25519",
	    TITLE(leaf), leaf->key_text);
}

/* ---- what kind of certificate ---- */

static struct status
check_kind(const struct check *check)
{
	const struct pki_cert *leaf = check->bundle->leaf;

	if (leaf->is_self_signed)
		return check->policy->allow_self_signed
			   ? status_ok()
			   : REFUSE(check,
				 "\"%s\" is self-signed, so no client trusts "
				 "it; get one from a CA",
				 TITLE(leaf));
	if (leaf->is_ca)
		return REFUSE(check,
		    "\"%s\" is a CA certificate (basicConstraints); give the "
		    "server's certificate too, or instead",
		    TITLE(leaf));
	return status_ok();
}

static struct status
check_uses(const struct check *check)
{
	const struct pki_cert *leaf = check->bundle->leaf;

	if (leaf->server_auth == PKI_CERT_USE_NO)
		return REFUSE(check,
		    "\"%s\" is not for TLS servers: its extended key usage has "
		    "no serverAuth; get a server certificate",
		    TITLE(leaf));
	if (leaf->digital_signature == PKI_CERT_USE_NO)
		return REFUSE(check,
		    "\"%s\" is not for signatures: its key usage has no "
		    "digitalSignature, which TLS 1.3 needs; get one that has",
		    TITLE(leaf));
	return status_ok();
}

/* ---- times ---- */

static struct status
check_times(const struct check *check, const struct pki_cert *cert)
{
	const struct bundle_policy *policy = check->policy;
	const char *kind =
	    cert == check->bundle->leaf ? "" : "the intermediate ";
	char when[PKI_TIME_TEXT_MAX];

	if (policy->now_s < cert->not_before_s) {
		pki_time_print(cert->not_before_s, when);
		return REFUSE(check,
		    "%s\"%s\" is not valid before %s; wait until then, or put "
		    "this machine's clock right",
		    kind, TITLE(cert), when);
	}
	if (policy->now_s <= cert->not_after_s)
		return status_ok();
	pki_time_print(cert->not_after_s, when);
	if (!policy->allow_expired)
		return REFUSE(check,
		    "%s\"%s\" expired on %s; give the current one", kind,
		    TITLE(cert), when);
	bundle_note(
	    check->bundle, "%s\"%s\" expired on %s", kind, TITLE(cert), when);
	return status_ok();
}

/* ---- signatures and the chain's keys ---- */

static struct status
check_signature(const struct check *check, const struct pki_cert *cert)
{
	if (!cert->is_weakly_signed)
		return status_ok();
	return REFUSE(check,
	    "%s\"%s\" is signed with %s, which clients refuse; have it issued "
	    "anew with SHA-256",
	    cert == check->bundle->leaf ? "" : "the intermediate ", TITLE(cert),
	    cert->signature_text);
}

static struct status
check_intermediate(const struct check *check, const struct pki_cert *cert)
{
	char when[PKI_TIME_TEXT_MAX];
	struct status st;

	st = check_times(check, cert);
	if (!failed(st))
		st = check_signature(check, cert);
	if (failed(st))
		return st;
	if (strncmp(cert->key_text, "RSA", 3) == 0 && cert->key_bits < 2048)
		return REFUSE(check,
		    "the intermediate \"%s\" has a key of %s, which clients "
		    "refuse; ask the CA for a current one",
		    TITLE(cert), cert->key_text);
	if (cert->not_after_s < check->bundle->leaf->not_after_s) {
		pki_time_print(cert->not_after_s, when);
		bundle_note(check->bundle,
		    "the intermediate \"%s\" expires on %s, before the "
		    "certificate does",
		    TITLE(cert), when);
	}
	return st;
}

/* ---- names ---- */

static struct status
check_names(const struct check *check)
{
	const struct pki_cert *leaf = check->bundle->leaf;

	if (leaf->bad_name[0] != 0)
		return REFUSE(check, "\"%s\" has a name that is malformed: %s",
		    TITLE(leaf), leaf->bad_name);
	if (leaf->n_names == 0)
		return REFUSE(check,
		    "\"%s\" has no host name as subjectAltName (dNSName), and "
		    "clients do not look at the common name; have it issued "
		    "anew with its names",
		    TITLE(leaf));
	if (leaf->n_names > BUNDLE_NAMES_MAX)
		return REFUSE(check,
		    "\"%s\" has %zu names; at most %d are taken", TITLE(leaf),
		    leaf->n_names, BUNDLE_NAMES_MAX);
	if (leaf->n_other_names > 0)
		bundle_note(check->bundle,
		    "passed over %zu alternative name%s that %s no host name",
		    leaf->n_other_names, leaf->n_other_names == 1 ? "" : "s",
		    leaf->n_other_names == 1 ? "is" : "are");
	return status_ok();
}

STATUS
bundle_check(struct bundle *bundle, const struct bundle_policy *policy,
    char ret_why[BUNDLE_WHY_MAX])
{
	const struct check check = { bundle, policy, ret_why };
	struct status st;

	ret_why[0] = 0;
	st = check_match(&check);
	if (!failed(st))
		st = check_kind(&check);
	if (!failed(st))
		st = check_times(&check, bundle->leaf);
	if (!failed(st))
		st = check_key_kind(&check);
	if (!failed(st))
		st = check_signature(&check, bundle->leaf);
	if (!failed(st))
		st = check_uses(&check);
	if (!failed(st))
		st = check_names(&check);
	for (size_t i = 0; !failed(st) && i < bundle->n_chain; i++)
		st = check_intermediate(&check, bundle->chain[i]);
	return st;
}
