/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is served, as a client would see it.  The handshake is carried to its
 * end, so that it also shows that the key behind the certificate signs.  The
 * socket does not block; each wait ends by the handshake's deadline, or when
 * probes are told to stop.
 */

#include "edge/probe.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clock.h"
#include "edge/dial.h"

/* A name that no certificate was made for, below a wildcard. */
#define LABEL "holdfast-probe."

SCOPED_RELEASE(SSL_free, SSL *);
SCOPED_RELEASE(X509_free, X509 *);

struct probe {
	union address to;
	int64_t timeout_ns;
	int stop_fd;
	SSL_CTX *contexts[SITE_KINDS];
};

static const struct {
	const char *algorithms, *suites, *name;
} offers[] = {
	[SITE_EC] = { "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512",
	    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
	    "ECDHE-ECDSA-CHACHA20-POLY1305",
	    "ECDSA" },
	[SITE_RSA] = { "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"
		       "RSA+SHA256:RSA+SHA384:RSA+SHA512",
	    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:"
	    "ECDHE-RSA-CHACHA20-POLY1305",
	    "RSA" },
	[SITE_ED25519] = { "ed25519",
	    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
	    "ECDHE-ECDSA-CHACHA20-POLY1305",
	    "Ed25519" },
};

/* --- The address ------------------------------------------------------------
 */

static bool
parse_address(const char *text, union address *ret_to)
{
	union address to;

	if (!address_parse(text, &to) || address_port(&to) == 0)
		return false;
	*ret_to = to;
	return true;
}

bool
probe_address_ok(const char *connect)
{
	union address to;

	return parse_address(connect, &to);
}

/* --- Life -------------------------------------------------------------------
 */

static SSL_CTX *
make_context(enum site_kind kind)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	char algorithms[128]; /* libssl's macro takes no const */

	(void)!snprintf(
	    algorithms, sizeof(algorithms), "%s", offers[kind].algorithms);
	if (context == NULL)
		return NULL;
	/* Whatever is served is to be seen, weak or not. */
	SSL_CTX_set_security_level(context, 0);
	SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set1_sigalgs_list(context, algorithms) != 1 ||
	    SSL_CTX_set_cipher_list(context, offers[kind].suites) != 1) {
		SSL_CTX_free(context);
		return NULL;
	}
	return context;
}

STATUS
probe_new(const char *connect, int64_t timeout_ns, struct probe **ret_probe)
{
	struct probe *probe = calloc(1, sizeof(*probe));

	if (probe == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	probe->timeout_ns = timeout_ns;
	probe->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!parse_address(connect, &probe->to)) {
		probe_free(probe);
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "where to look at what is served is not address:port");
	}
	for (int kind = 0; kind < SITE_KINDS; kind++) {
		probe->contexts[kind] = make_context((enum site_kind)kind);
		if (probe->contexts[kind] == NULL || probe->stop_fd < 0) {
			probe_free(probe);
			ERR_clear_error();
			return status_fail(STATUS_INTERNAL,
			    "libssl does not offer what probes need");
		}
	}
	*ret_probe = probe;
	return status_ok();
}

void
probe_free(struct probe *probe)
{
	if (probe == NULL)
		return;
	for (int kind = 0; kind < SITE_KINDS; kind++)
		SSL_CTX_free(probe->contexts[kind]);
	if (probe->stop_fd >= 0)
		close(probe->stop_fd);
	free(probe);
}

void
probe_stop(struct probe *probe)
{
	(void)!eventfd_write(probe->stop_fd, 1);
}

/* --- A handshake ------------------------------------------------------------
 */

static struct status
refuse(char *ret_why, const char *why)
{
	ERR_clear_error();
	(void)!snprintf(ret_why, SITE_WHY_MAX, "%s", why);
	return status_fail(STATUS_UNAVAILABLE, "no handshake");
}

static STATUS
shake_hands(
    const struct probe *probe, SSL *ssl, int64_t until_ns, char *ret_why)
{
	for (;;) {
		int n = SSL_connect(ssl);
		int error = SSL_get_error(ssl, n);
		unsigned long code;
		const char *reason;

		if (n == 1)
			return status_ok();
		if (error == SSL_ERROR_WANT_READ ||
		    error == SSL_ERROR_WANT_WRITE) {
			if (dial_await(SSL_get_fd(ssl),
				error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT,
				until_ns, probe->stop_fd))
				continue;
			return refuse(ret_why, "no answer in time");
		}
		code = ERR_get_error();
		reason = code != 0 ? ERR_reason_error_string(code) : NULL;
		return refuse(
		    ret_why, reason != NULL
				 ? reason
				 : "the connection ended during the handshake");
	}
}

STATUS
probe_handshake(struct probe *probe, const char *host, enum site_kind kind,
    uint8_t ret_fingerprint[SITE_FINGERPRINT_LEN], char *ret_why)
{
	int64_t until_ns = clock_mono_ns() + probe->timeout_ns;
	bool wildcard = strncmp(host, "*.", 2) == 0;
	char name[SITE_HOST_MAX + sizeof(LABEL)];
	unsigned char digest[EVP_MAX_MD_SIZE];
	scoped(X509_free) X509 *leaf = NULL;
	scoped(SSL_free) SSL *ssl = NULL;
	scoped(close) int fd = -1;
	unsigned int len = 0;
	struct status st;

	(void)!snprintf(name, sizeof(name), "%s%s", wildcard ? LABEL : "",
	    wildcard ? host + 2 : host);
	ssl = SSL_new(probe->contexts[kind]);
	if (ssl == NULL || SSL_set_tlsext_host_name(ssl, name) != 1)
		return refuse(ret_why, "out of memory");
	st = dial_open(&probe->to, until_ns, probe->stop_fd, &fd, ret_why);
	if (failed(st))
		return st;
	if (SSL_set_fd(ssl, fd) != 1)
		return refuse(ret_why, "out of memory");
	st = shake_hands(probe, ssl, until_ns, ret_why);
	if (failed(st))
		return st;
	leaf = SSL_get1_peer_certificate(ssl);
	(void)SSL_shutdown(ssl);
	if (leaf == NULL ||
	    X509_digest(leaf, EVP_sha256(), digest, &len) != 1 ||
	    len != SITE_FINGERPRINT_LEN)
		return refuse(ret_why, "no certificate was shown");
	memcpy(ret_fingerprint, digest, len);
	ERR_clear_error();
	return status_ok();
}

/* --- A site -----------------------------------------------------------------
 */

static bool
is_served(struct probe *probe, const char *host,
    const struct site_certificate *certificate, struct probe_result *result)
{
	uint8_t seen[SITE_FINGERPRINT_LEN];
	char why[SITE_WHY_MAX];

	if (failed(probe_handshake(probe, host, certificate->kind, seen, why)))
		(void)!snprintf(result->why, sizeof(result->why),
		    "%.160s (%s): %.80s", host, offers[certificate->kind].name,
		    why);
	else if (memcmp(seen, certificate->fingerprint, sizeof(seen)) == 0)
		return true;
	else {
		(void)!snprintf(result->why, sizeof(result->why),
		    "%.160s (%s): another certificate is served", host,
		    offers[certificate->kind].name);
		result->has_seen = true;
		memcpy(result->seen, seen, sizeof(seen));
	}
	return false;
}

void
probe_site(struct probe *probe, const struct site *site,
    struct probe_result *ret_result)
{
	*ret_result = (struct probe_result){ .served = true };
	for (size_t i = 0; i < site->n_hosts && ret_result->served; i++)
		for (size_t k = 0;
		     k < site->n_certificates && ret_result->served; k++)
			ret_result->served = is_served(probe, site->hosts[i],
			    &site->certificates[k], ret_result);
}
