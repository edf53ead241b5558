/* SPDX-License-Identifier: Apache-2.0 */

/*
 * keyd's own TLS identity.  The key is made here, is never written down, and is
 * replaced together with its certificate at half life.  A token that is away
 * then costs nothing: the old certificate serves on, and the thread tries again
 * until it is back.
 */

#include "keyd/authority_self.h"

#include <errno.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/scoped.h"
#include "rpc/member_key.h"

#define CERTIFY_TIMEOUT_NS (15 * NS_PER_S)
#define RETRY_NS (30 * NS_PER_S)

struct authority_self {
	struct authority_self_config config;
	pthread_t thread;
	bool running; /* is there a thread to join? */

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t wake;
	bool stopping;
	uint64_t generation; /* 1 with the first certificate */
	char *cert_pem, *key_pem;
};

char *
authority_cert_pem(struct bytes der)
{
	const unsigned char *at = der.at;
	scoped(X509_free) X509 *cert = d2i_X509(NULL, &at, (long)der.len);

	if (cert == NULL || at != der.at + der.len)
		return NULL;
	return member_cert_print(cert);
}

/* A new key and its certificate take the place of those before. */
static struct status
replace(struct authority_self *self)
{
	const struct authority_self_config *config = &self->config;
	scoped(EVP_PKEY_free) EVP_PKEY *key = member_key_new();
	uint8_t spki[128], *end = spki;
	struct hsm_cert cert;
	char *cert_text, *key_text;
	struct status st;
	int len;

	len = key == NULL ? 0 : i2d_PUBKEY(key, NULL);
	if (len <= 0 || (size_t)len > sizeof(spki))
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "no key could be made: memory or entropy has run out");
	len = i2d_PUBKEY(key, &end);
	st = hsm_ca_certify(config->ca, config->ca_cert,
	    (struct bytes){ spki, (size_t)len }, &config->id,
	    config->lifetime_s, clock_mono_ns() + CERTIFY_TIMEOUT_NS, &cert);
	if (failed(st))
		return st;
	cert_text = authority_cert_pem((struct bytes){ cert.der, cert.len });
	key_text = member_key_print(key);
	if (cert_text == NULL || key_text == NULL) {
		free(cert_text);
		member_text_free(key_text);
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	}
	pthread_mutex_lock(&self->mutex);
	free(self->cert_pem);
	member_text_free(self->key_pem);
	self->cert_pem = cert_text;
	self->key_pem = key_text;
	self->generation++;
	pthread_mutex_unlock(&self->mutex);
	return st;
}

/* Sleep until then; false when it is time to end. */
static bool
sleep_until(struct authority_self *self, int64_t mono_ns)
{
	const struct timespec until = { mono_ns / NS_PER_S,
		mono_ns % NS_PER_S };
	bool stopping;

	pthread_mutex_lock(&self->mutex);
	while (
	    !self->stopping && pthread_cond_clockwait(&self->wake, &self->mutex,
				   CLOCK_MONOTONIC, &until) != ETIMEDOUT)
		;
	stopping = self->stopping;
	pthread_mutex_unlock(&self->mutex);
	return !stopping;
}

static void *
renew_for_ever(void *arg)
{
	struct authority_self *self = arg;
	const int64_t half_ns = self->config.lifetime_s * (NS_PER_S / 2);
	int64_t next_ns = clock_mono_ns() + half_ns;

	while (sleep_until(self, next_ns)) {
		struct status st = replace(self);

		next_ns = clock_mono_ns() + (failed(st) ? RETRY_NS : half_ns);
		if (failed(st))
			log_warn("keyd's own certificate was not renewed",
			    LOG_STATUS(st));
		else
			log_info("keyd's own certificate was renewed");
	}
	return NULL;
}

void
authority_self_free(struct authority_self *self)
{
	if (self == NULL)
		return;
	if (self->running) {
		pthread_mutex_lock(&self->mutex);
		self->stopping = true;
		pthread_cond_signal(&self->wake);
		pthread_mutex_unlock(&self->mutex);
		pthread_join(self->thread, NULL);
	}
	free(self->cert_pem);
	member_text_free(self->key_pem);
	pthread_cond_destroy(&self->wake);
	pthread_mutex_destroy(&self->mutex);
	free(self);
}

SCOPED_RELEASE(authority_self_free, struct authority_self *);

STATUS
authority_self_new(const struct authority_self_config *config,
    struct authority_self **ret_self)
{
	scoped(authority_self_free) struct authority_self *self =
	    calloc(1, sizeof(*self));
	struct status st;

	if (self == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	self->config = *config;
	pthread_mutex_init(&self->mutex, NULL);
	pthread_cond_init(&self->wake, NULL);
	st = replace(self);
	if (failed(st))
		return st;
	if (pthread_create(&self->thread, NULL, renew_for_ever, self) != 0)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "no thread to renew keyd's certificate: raise the limit "
		    "of processes");
	self->running = true;
	*ret_self = self;
	self = NULL;
	return st;
}

STATUS
authority_self_get(struct authority_self *self, uint64_t *seen,
    bool *ret_changed, char **ret_cert_pem, char **ret_key_pem)
{
	char *cert_text = NULL, *key_text = NULL;
	bool changed;

	pthread_mutex_lock(&self->mutex);
	changed = *seen != self->generation;
	if (changed) {
		cert_text = strdup(self->cert_pem);
		key_text = strdup(self->key_pem);
		if (cert_text != NULL && key_text != NULL)
			*seen = self->generation;
	}
	pthread_mutex_unlock(&self->mutex);
	if (changed && (cert_text == NULL || key_text == NULL)) {
		free(cert_text);
		member_text_free(key_text);
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	}
	*ret_changed = changed;
	if (changed) {
		*ret_cert_pem = cert_text;
		*ret_key_pem = key_text;
	}
	return status_ok();
}
