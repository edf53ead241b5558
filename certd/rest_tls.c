/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Certificates for GnuTLS, which libmicrohttpd is made with.  Each new
 * connection gets the newest identity as its own credentials, so that renewal
 * drops nobody and needs no restart.  An identity that is replaced goes when
 * its last connection does.  Keys are wiped from what is ours as soon as GnuTLS
 * has them.
 */

#include "certd/rest_tls.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/spiffe.h"
#include "certd/opener.h"

#define PEM_MAX 262144

struct rest_tls_identity {
	atomic_uint users;
	gnutls_certificate_credentials_t credentials;
};

/* What tells that a file has changed. */
struct stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec at;
};

struct rest_tls {
	struct custody *custody;
	const char *client_ca, *client_domain; /* NULL: not asked for */
	const char *files[2];                  /* certificate, key */
	char *first[2];                        /* PEM, until it is started */
	pthread_mutex_t mutex;                 /* guards all below */
	unsigned seen;                         /* custody_identity's */
	struct stamp stamps[2];
	struct rest_tls_identity *newest;
};

const char *
rest_tls_priorities(void)
{
	return "NONE:+VERS-TLS1.3:+VERS-TLS1.2:+ECDHE-ECDSA:+ECDHE-RSA:"
	       "+AEAD:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:"
	       "+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:"
	       "+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-ECDSA-SECP384R1-SHA384:"
	       "+SIGN-ECDSA-SHA256:+SIGN-ECDSA-SHA384:"
	       "+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-PSS-RSAE-SHA384:"
	       "+SIGN-RSA-SHA256:+SIGN-RSA-SHA384:+SIGN-EDDSA-ED25519:"
	       "+COMP-NULL:+CTYPE-X509:%SERVER_PRECEDENCE";
}

/* ---- PEM in memory ---- */

static void
wipe(char *pem)
{
	if (pem == NULL)
		return;
	OPENSSL_cleanse(pem, strlen(pem));
	free(pem);
}

static STATUS
read_pem(const char *path, char **ret_pem, struct stamp *ret_stamp)
{
	scoped(close) int fd = opener_open(path);
	struct stat info;
	size_t n = 0;
	char *pem;

	if (fd < 0 || fstat(fd, &info) != 0)
		return status_fail_detail(STATUS_FAILED_PRECONDITION,
		    "it cannot be read", (uint32_t)errno);
	if (!S_ISREG(info.st_mode) || info.st_size > PEM_MAX)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "it is no PEM file of at most 256 KiB");
	pem = calloc(1, PEM_MAX + 1);
	if (pem == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	for (;;) {
		ssize_t got = read(fd, pem + n, PEM_MAX - n);

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	*ret_stamp = (struct stamp){ info.st_dev, info.st_ino, info.st_size,
		info.st_mtim };
	*ret_pem = pem;
	return status_ok();
}

static bool
has_changed(const char *path, const struct stamp *stamp)
{
	struct stat info;

	return stat(path, &info) == 0 &&
	       (info.st_dev != stamp->dev || info.st_ino != stamp->ino ||
		   info.st_size != stamp->size ||
		   info.st_mtim.tv_sec != stamp->at.tv_sec ||
		   info.st_mtim.tv_nsec != stamp->at.tv_nsec);
}

/* Both, or neither; new ones alone when they are known already. */
static STATUS
read_files(
    struct rest_tls *tls, bool *ret_changed, char *ret_pems[2], char *ret_why)
{
	struct stamp stamps[2];
	struct status st;

	*ret_changed = false;
	if (tls->newest != NULL &&
	    !has_changed(tls->files[0], &tls->stamps[0]) &&
	    !has_changed(tls->files[1], &tls->stamps[1]))
		return status_ok();
	for (size_t i = 0; i < 2; i++) {
		st = read_pem(tls->files[i], &ret_pems[i], &stamps[i]);
		if (!failed(st))
			continue;
		snprintf(ret_why, REST_TLS_WHY_MAX, "%.200s: %s", tls->files[i],
		    st.why);
		return st;
	}
	memcpy(tls->stamps, stamps, sizeof(stamps));
	*ret_changed = true;
	return st;
}

static STATUS
fetch(struct rest_tls *tls, bool *ret_changed, char *ret_pems[2], char *ret_why)
{
	struct status st;

	if (tls->custody == NULL)
		return read_files(tls, ret_changed, ret_pems, ret_why);
	st = custody_identity(
	    tls->custody, &tls->seen, ret_changed, &ret_pems[0], &ret_pems[1]);
	if (failed(st))
		snprintf(ret_why, REST_TLS_WHY_MAX,
		    "certd's own certificate: %s", st.why);
	return st;
}

/* ---- identities ---- */

void
rest_tls_release(struct rest_tls_identity *identity)
{
	if (identity == NULL || atomic_fetch_sub(&identity->users, 1) != 1)
		return;
	gnutls_certificate_free_credentials(identity->credentials);
	free(identity);
}

/* GnuTLS only reads it. */
static gnutls_datum_t
datum(const char *pem)
{
	union {
		const char *in;
		unsigned char *out;
	} at = { .in = pem };

	return (gnutls_datum_t){ at.out, (unsigned)strlen(pem) };
}

static STATUS
identity_new(const struct rest_tls *tls, char *const pems[2],
    struct rest_tls_identity **ret_identity, char *ret_why)
{
	struct rest_tls_identity *identity = calloc(1, sizeof(*identity));
	gnutls_datum_t certificate = datum(pems[0]), key = datum(pems[1]);
	int rc;

	if (identity == NULL ||
	    gnutls_certificate_allocate_credentials(&identity->credentials) !=
		GNUTLS_E_SUCCESS) {
		free(identity);
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	}
	atomic_init(&identity->users, 1);
	rc = gnutls_certificate_set_x509_key_mem(
	    identity->credentials, &certificate, &key, GNUTLS_X509_FMT_PEM);
	if (rc < 0) {
		snprintf(ret_why, REST_TLS_WHY_MAX,
		    "the certificate and key cannot be served: %s",
		    gnutls_strerror(rc));
		rest_tls_release(identity);
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the certificate and key cannot be served");
	}
	if (tls->client_ca != NULL) {
		/* It tells clients which CA is meant, too. */
		gnutls_datum_t ca = datum(tls->client_ca);

		rc = gnutls_certificate_set_x509_trust_mem(
		    identity->credentials, &ca, GNUTLS_X509_FMT_PEM);
	}
	if (rc < 0) {
		snprintf(ret_why, REST_TLS_WHY_MAX,
		    "the CA of client certificates cannot be read: %s",
		    gnutls_strerror(rc));
		rest_tls_release(identity);
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the CA of client certificates cannot be read");
	}
	*ret_identity = identity;
	return status_ok();
}

/* The newest there is into tls; ret_pems when they are wanted.  The mutex is
 * held, or tls is not known to anyone yet. */
static STATUS
refresh(struct rest_tls *tls, char **ret_pems, char *ret_why)
{
	struct rest_tls_identity *identity = NULL;
	char *pems[2] = { NULL, NULL };
	bool changed = false;
	struct status st = fetch(tls, &changed, pems, ret_why);

	if (!failed(st) && changed)
		st = identity_new(tls, pems, &identity, ret_why);
	if (identity != NULL) {
		rest_tls_release(tls->newest);
		tls->newest = identity;
	}
	if (!failed(st) && ret_pems != NULL) {
		ret_pems[0] = pems[0];
		ret_pems[1] = pems[1];
		return st;
	}
	wipe(pems[0]);
	wipe(pems[1]);
	return st;
}

STATUS
rest_tls_new(const struct rest_tls_config *config, struct rest_tls **ret_tls,
    char *ret_why)
{
	struct rest_tls *tls = calloc(1, sizeof(*tls));
	struct status st;

	if (tls == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	pthread_mutex_init(&tls->mutex, NULL);
	tls->custody = config->custody;
	tls->client_ca = config->client_ca;
	tls->client_domain = config->client_domain;
	tls->files[0] = config->certificate;
	tls->files[1] = config->key;
	st = refresh(tls, tls->first, ret_why);
	if (!failed(st) && tls->newest == NULL)
		st = status_fail(STATUS_FAILED_PRECONDITION,
		    "there is no certificate to serve with");
	if (failed(st)) {
		rest_tls_free(tls);
		return st;
	}
	*ret_tls = tls;
	return st;
}

void
rest_tls_free(struct rest_tls *tls)
{
	if (tls == NULL)
		return;
	rest_tls_started(tls);
	rest_tls_release(tls->newest);
	pthread_mutex_destroy(&tls->mutex);
	free(tls);
}

const char *
rest_tls_certificate(const struct rest_tls *tls)
{
	return tls->first[0];
}

const char *
rest_tls_key(const struct rest_tls *tls)
{
	return tls->first[1];
}

void
rest_tls_started(struct rest_tls *tls)
{
	wipe(tls->first[0]);
	wipe(tls->first[1]);
	tls->first[0] = NULL;
	tls->first[1] = NULL;
}

struct rest_tls_identity *
rest_tls_use(struct rest_tls *tls, void *session)
{
	char why[REST_TLS_WHY_MAX] = "";
	struct rest_tls_identity *identity;
	struct status st;

	pthread_mutex_lock(&tls->mutex);
	st = refresh(tls, NULL, why);
	identity = tls->newest;
	atomic_fetch_add(&identity->users, 1);
	pthread_mutex_unlock(&tls->mutex);
	if (failed(st))
		log_warn("the REST port goes on with its old certificate",
		    LOG_STR("reason", why), LOG_STATUS(st));
	if (tls->client_ca != NULL)
		gnutls_certificate_server_set_request(
		    session, GNUTLS_CERT_REQUEST);
	if (gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE,
		identity->credentials) == GNUTLS_E_SUCCESS)
		return identity;
	rest_tls_release(identity);
	return NULL;
}

/* ---- who is there ---- */

/* The one URI among the names; false when there are none or several. */
static bool
read_uri(gnutls_x509_crt_t certificate, char ret_uri[SPIFFE_ID_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0;; i++) {
		char name[SPIFFE_ID_MAX];
		size_t len = sizeof(name) - 1;
		unsigned type = 0;
		int rc = gnutls_x509_crt_get_subject_alt_name2(
		    certificate, i, name, &len, &type, NULL);

		if (rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (rc < 0) /* too long to be one of ours */
			return false;
		if (rc != GNUTLS_SAN_URI)
			continue;
		name[len] = 0;
		if (n++ > 0 || strlen(name) != len)
			return false;
		memcpy(ret_uri, name, len + 1);
	}
	return n == 1;
}

static bool
read_peer(const gnutls_datum_t *der, char ret_uri[SPIFFE_ID_MAX],
    int64_t *ret_not_after_s)
{
	gnutls_x509_crt_t certificate;
	bool is_read;

	if (gnutls_x509_crt_init(&certificate) != GNUTLS_E_SUCCESS)
		return false;
	is_read = gnutls_x509_crt_import(certificate, der,
		      GNUTLS_X509_FMT_DER) == GNUTLS_E_SUCCESS &&
		  read_uri(certificate, ret_uri);
	if (is_read)
		*ret_not_after_s =
		    gnutls_x509_crt_get_expiration_time(certificate);
	gnutls_x509_crt_deinit(certificate);
	return is_read;
}

static bool
is_verified(gnutls_session_t session)
{
	char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
	gnutls_typed_vdata_st data = { .type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)purpose };
	unsigned verdict = ~0u;

	return gnutls_certificate_verify_peers(session, &data, 1, &verdict) ==
		   GNUTLS_E_SUCCESS &&
	       verdict == 0;
}

void
rest_tls_peer(const struct rest_tls *tls, void *session, char *ret_identity,
    size_t max, int64_t *ret_not_after_s)
{
	const gnutls_datum_t *chain;
	char uri[SPIFFE_ID_MAX];
	int64_t not_after_s = 0;
	struct spiffe id;
	unsigned n = 0;

	ret_identity[0] = 0;
	if (tls->client_ca == NULL)
		return;
	chain = gnutls_certificate_get_peers(session, &n);
	if (chain == NULL || n == 0 || !is_verified(session) ||
	    !read_peer(&chain[0], uri, &not_after_s) ||
	    failed(spiffe_parse(uri, &id)) ||
	    strcmp(id.domain, tls->client_domain) != 0 ||
	    (id.role != ROLE_OPERATOR && id.role != ROLE_AUDITOR))
		return;
	snprintf(ret_identity, max, "%s/%s", role_name(id.role), id.name);
	*ret_not_after_s = not_after_s;
}
