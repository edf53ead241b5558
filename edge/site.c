/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One site as certd sends it, checked before anything of it touches a disk.
 * certd can be wrong, or in wrong hands: a host name is letters, digits and
 * hyphens between dots, so no path leaves its folder; a chain is parsed and
 * written anew; the leaf must be the one that was announced.  That the names
 * are right for the certificate is certd's business, and the browser's.
 */

#include "edge/site.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"

#define HOST_TEXT_MAX 128
/* No host name has an underscore. */
#define WILDCARD "_wildcard."

SCOPED_RELEASE(X509_free, X509 *);
SCOPED_RELEASE(BIO_free_all, BIO *);

/* The count stands before what others see. */
struct counted {
	atomic_uint refs;
	struct site site;
};

const char *
site_kind_name(enum site_kind kind)
{
	static const char *const names[] = {
		[SITE_EC] = "ec", [SITE_RSA] = "rsa", [SITE_ED25519] = "ed25519"
	};

	return names[kind];
}

bool
site_kind_parse(const char *text, enum site_kind *ret_kind)
{
	for (int kind = 0; kind < SITE_KINDS; kind++)
		if (strcmp(text, site_kind_name((enum site_kind)kind)) == 0) {
			*ret_kind = (enum site_kind)kind;
			return true;
		}
	return false;
}

static bool
is_label(const char *at, size_t len)
{
	if (len == 0 || len > 63 || at[0] == '-' || at[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!((at[i] >= 'a' && at[i] <= 'z') ||
			(at[i] >= '0' && at[i] <= '9') || at[i] == '-'))
			return false;
	return true;
}

bool
site_host_ok(const char *host)
{
	bool wildcard = strncmp(host, "*.", 2) == 0;
	const char *at = wildcard ? host + 2 : host;
	size_t labels = 0, len;

	if (strlen(host) + (wildcard ? strlen(WILDCARD) - 2 : 0) >=
	    SITE_HOST_MAX)
		return false;
	for (;;) {
		len = strcspn(at, ".");
		if (!is_label(at, len))
			return false;
		labels++;
		if (at[len] == '\0')
			break;
		at += len + 1;
	}
	/* A number at the end is an address (RFC 1123 2.1). */
	return strspn(at, "0123456789") != len && (!wildcard || labels >= 2);
}

void
site_folder(const char *host, char ret_folder[SITE_HOST_MAX])
{
	bool wildcard = strncmp(host, "*.", 2) == 0;

	(void)!snprintf(ret_folder, SITE_HOST_MAX, "%s%s",
	    wildcard ? WILDCARD : "", wildcard ? host + 2 : host);
}

/* --- Life -------------------------------------------------------------------
 */

static void
release(struct site *site)
{
	struct counted *counted =
	    (struct counted *)((char *)site - offsetof(struct counted, site));

	for (size_t i = 0; i < site->n_hosts; i++)
		free(site->hosts[i]);
	free(site->hosts);
	free(counted);
}

struct site *
site_new(int64_t id, int64_t version, const char *const *hosts, size_t n_hosts,
    const struct site_certificate *certificates, size_t n_certificates)
{
	struct counted *counted = calloc(1, sizeof(*counted));
	struct site *site;

	if (counted == NULL)
		return NULL;
	atomic_init(&counted->refs, 1);
	site = &counted->site;
	site->id = id;
	site->version = version;
	site->n_certificates = n_certificates;
	for (size_t i = 0; i < n_certificates; i++)
		site->certificates[i] = certificates[i];
	site->hosts = calloc(n_hosts + 1, sizeof(*site->hosts));
	for (size_t i = 0; site->hosts != NULL && i < n_hosts; i++) {
		site->hosts[i] = strdup(hosts[i]);
		if (site->hosts[i] == NULL)
			break;
		site->n_hosts++;
	}
	if (site->n_hosts != n_hosts) {
		release(site);
		return NULL;
	}
	return site;
}

void
site_set_standby(struct site *site, const struct site_certificate *standby)
{
	site->has_standby = true;
	site->standby = *standby;
}

struct site *
site_ref(struct site *site)
{
	if (site != NULL)
		atomic_fetch_add(
		    &((struct counted *)((char *)site -
					 offsetof(struct counted, site)))
			 ->refs,
		    1);
	return site;
}

void
site_unref(struct site *site)
{
	if (site != NULL &&
	    atomic_fetch_sub(
		&((struct counted *)((char *)site -
				     offsetof(struct counted, site)))
		     ->refs,
		1) == 1)
		release(site);
}

void
site_pem_done(struct site_pem *pem)
{
	for (int i = 0; i < SITE_KINDS + 1; i++)
		free(pem->chain[i]);
	*pem = (struct site_pem){ 0 };
}

/* --- Reading ----------------------------------------------------------------
 */

static struct status refuse(char *ret_why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static struct status
refuse(char *ret_why, const char *format, ...)
{
	va_list arguments;

	ERR_clear_error();
	va_start(arguments, format);
	(void)!vsnprintf(ret_why, SITE_WHY_MAX, format, arguments);
	va_end(arguments);
	return status_fail(STATUS_INVALID_ARGUMENT,
	    "certd sent a site that is not as it should be");
}

static int
compare_hosts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static struct status
check_hosts(const Holdfast__Certd__V1__Site *message, char *ret_why)
{
	char text[HOST_TEXT_MAX];

	if (message->n_hostnames == 0 || message->n_hostnames > SITE_HOSTS_MAX)
		return refuse(ret_why,
		    "it has %zu host names; a site has 1 to %d",
		    message->n_hostnames, SITE_HOSTS_MAX);
	for (size_t i = 0; i < message->n_hostnames; i++) {
		if (site_host_ok(message->hostnames[i]))
			continue;
		printable_print(
		    bytes_of(message->hostnames[i]), text, sizeof(text));
		return refuse(ret_why,
		    "\"%s\" is no host name of lower-case letters, digits and "
		    "hyphens with at most %d octets",
		    text, SITE_HOST_MAX - 1);
	}
	/* The message is ours; its order means nothing. */
	qsort(message->hostnames, message->n_hostnames,
	    sizeof(*message->hostnames), compare_hosts);
	for (size_t i = 1; i < message->n_hostnames; i++)
		if (strcmp(message->hostnames[i - 1], message->hostnames[i]) ==
		    0)
			return refuse(ret_why, "it names %s twice",
			    message->hostnames[i]);
	return status_ok();
}

/* The next certificate of a chain; NULL with *ret_end at its end. */
static X509 *
next_certificate(BIO *from, bool *ret_end)
{
	char *name = NULL, *header = NULL;
	unsigned char *octets = NULL;
	const unsigned char *at;
	X509 *certificate = NULL;
	long len = 0;

	*ret_end = false;
	if (PEM_read_bio(from, &name, &header, &octets, &len) != 1) {
		*ret_end = ERR_GET_REASON(ERR_peek_last_error()) ==
			   PEM_R_NO_START_LINE;
		ERR_clear_error();
		return NULL;
	}
	at = octets;
	if (strcmp(name, PEM_STRING_X509) == 0 && header[0] == '\0')
		certificate = d2i_X509(NULL, &at, len);
	if (certificate != NULL && at != octets + len) {
		X509_free(certificate);
		certificate = NULL;
	}
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(octets);
	return certificate;
}

/* Is this the leaf that certd announced? */
static struct status
check_leaf(X509 *leaf, const Holdfast__Certd__V1__SiteCertificate *announced,
    char *ret_why)
{
	const struct bytes fingerprint = { announced->fingerprint.data,
		announced->fingerprint.len };
	const struct bytes spki = { announced->spki.data, announced->spki.len };
	unsigned char digest[EVP_MAX_MD_SIZE], *own = NULL;
	unsigned int len = 0;
	int own_len;
	bool same;

	if (X509_digest(leaf, EVP_sha256(), digest, &len) != 1 ||
	    !bytes_equal((struct bytes){ digest, len }, fingerprint))
		return refuse(ret_why,
		    "the first certificate of its chain is not the one of the "
		    "fingerprint");
	own_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &own);
	same = own_len > 0 &&
	       bytes_equal((struct bytes){ own, (size_t)own_len }, spki);
	OPENSSL_free(own);
	if (!same)
		return refuse(ret_why,
		    "the first certificate of its chain is for another key");
	return status_ok();
}

static struct status
read_chain(const Holdfast__Certd__V1__SiteCertificate *message,
    char **ret_chain, char *ret_why)
{
	scoped(BIO_free_all) BIO *from =
	    BIO_new_mem_buf(message->chain_pem, -1);
	scoped(BIO_free_all) BIO *to = BIO_new(BIO_s_mem());
	struct status st;
	bool is_end = false;
	size_t n = 0;
	char *text;
	long len;

	if (from == NULL || to == NULL)
		return refuse(ret_why, "out of memory");
	while (!is_end) {
		scoped(X509_free) X509 *one = next_certificate(from, &is_end);

		if (one == NULL && is_end)
			break;
		if (one == NULL || n == SITE_CHAIN_CERTIFICATES)
			return refuse(ret_why,
			    "its chain is not 1 to %d certificates in PEM",
			    SITE_CHAIN_CERTIFICATES);
		if (n++ == 0) {
			st = check_leaf(one, message, ret_why);
			if (failed(st))
				return st;
		}
		if (PEM_write_bio_X509(to, one) != 1)
			return refuse(ret_why, "out of memory");
	}
	if (n == 0)
		return refuse(ret_why, "its chain is empty");
	len = BIO_get_mem_data(to, &text);
	*ret_chain = strndup(text, (size_t)len);
	return *ret_chain != NULL ? status_ok()
				  : refuse(ret_why, "out of memory");
}

static bool
kind_of(struct bytes spki, enum site_kind *ret_kind)
{
	switch (key_alg_of_spki(spki)) {
	case KEY_ALG_EC_P256:
	case KEY_ALG_EC_P384:
		*ret_kind = SITE_EC;
		return true;
	case KEY_ALG_RSA_2048:
	case KEY_ALG_RSA_3072:
	case KEY_ALG_RSA_4096:
		*ret_kind = SITE_RSA;
		return true;
	case KEY_ALG_ED25519:
		*ret_kind = SITE_ED25519;
		return true;
	case KEY_ALG_NONE:
		break;
	}
	return false;
}

static struct status
read_certificate(const Holdfast__Certd__V1__SiteCertificate *message,
    struct site_certificate *ret_certificate, char **ret_chain, char *ret_stub,
    char *ret_why)
{
	const struct bytes spki = { message->spki.data, message->spki.len };
	struct status st;

	if (message->fingerprint.len != SITE_FINGERPRINT_LEN)
		return refuse(ret_why, "a fingerprint is not %d octets long",
		    SITE_FINGERPRINT_LEN);
	if (strlen(message->chain_pem) > SITE_CHAIN_MAX)
		return refuse(
		    ret_why, "its chain is above %zu octets", SITE_CHAIN_MAX);
	if (!kind_of(spki, &ret_certificate->kind))
		return refuse(
		    ret_why, "its key is of a kind that keyd does not keep");
	st = stub_encode_pem(spki, ret_stub);
	if (failed(st))
		return refuse(ret_why, "its key has no stub: %s", st.why);
	st = read_chain(message, ret_chain, ret_why);
	if (!failed(st))
		memcpy(ret_certificate->fingerprint, message->fingerprint.data,
		    SITE_FINGERPRINT_LEN);
	return st;
}

/* Certificates by kind, whatever order they come in. */
static struct status
read_certificates(const Holdfast__Certd__V1__Site *message,
    struct site_certificate *certificates, struct site_pem *pem, char *ret_why)
{
	struct site_pem read = { 0 };
	struct site_certificate by_kind[SITE_KINDS];
	struct status st = status_ok();
	size_t n = 0;

	for (size_t i = 0; i < message->n_certificates && !failed(st); i++) {
		struct site_certificate one;
		char stub[STUB_PEM_MAX], *chain = NULL;

		st = read_certificate(
		    message->certificates[i], &one, &chain, stub, ret_why);
		if (!failed(st) && read.chain[one.kind] != NULL)
			st = refuse(ret_why,
			    "it has two certificates with %s keys",
			    site_kind_name(one.kind));
		if (failed(st)) {
			free(chain);
			break;
		}
		by_kind[one.kind] = one;
		read.chain[one.kind] = chain;
		memcpy(read.stub[one.kind], stub, sizeof(stub));
	}
	if (failed(st)) {
		site_pem_done(&read);
		return st;
	}
	*pem = (struct site_pem){ 0 };
	for (int kind = 0; kind < SITE_KINDS; kind++) {
		if (read.chain[kind] == NULL)
			continue;
		certificates[n] = by_kind[kind];
		pem->chain[n] = read.chain[kind];
		memcpy(pem->stub[n++], read.stub[kind], STUB_PEM_MAX);
	}
	return st;
}

STATUS
site_read(const Holdfast__Certd__V1__Site *message, struct site **ret_site,
    struct site_pem *ret_pem, char *ret_why)
{
	struct site_certificate certificates[SITE_KINDS], standby;
	struct site_pem pem = { 0 };
	struct site *site;
	struct status st;

	ret_why[0] = '\0';
	if (message->id <= 0 || message->version <= 0)
		return refuse(ret_why, "its number or version is not above 0");
	if (message->n_certificates > SITE_KINDS)
		return refuse(
		    ret_why, "it has more than %d certificates", SITE_KINDS);
	if (message->n_certificates == 0 && message->standby != NULL)
		return refuse(ret_why, "it has a standby certificate alone");
	st = check_hosts(message, ret_why);
	if (!failed(st))
		st = read_certificates(message, certificates, &pem, ret_why);
	if (!failed(st) && message->standby != NULL)
		st = read_certificate(message->standby, &standby,
		    &pem.chain[SITE_STANDBY], pem.stub[SITE_STANDBY], ret_why);
	if (failed(st)) {
		site_pem_done(&pem);
		return st;
	}
	site = site_new(message->id, message->version,
	    (const char *const *)message->hostnames, message->n_hostnames,
	    certificates, message->n_certificates);
	if (site == NULL) {
		site_pem_done(&pem);
		return refuse(ret_why, "out of memory");
	}
	if (message->standby != NULL)
		site_set_standby(site, &standby);
	*ret_site = site;
	*ret_pem = pem;
	return status_ok();
}
