/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A mail server's connections, of which those that are free lie on a stack: the
 * one used last, which is the least likely to be closed meanwhile, is used
 * next.  A message over one of them is smtp_lane.c's.
 */

#include "mail/smtp.h"

#include <assert.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/trusted.h"
#include "mail/address.h"
#include "mail/smtp_int.h"

#define CONNECTIONS_MAX 16

struct smtp {
	struct smtp_server server;
	unsigned max;

	pthread_mutex_t mutex; /* guards the rest */
	pthread_cond_t freed;
	struct smtp_lane lanes[CONNECTIONS_MAX];
	struct smtp_lane *free[CONNECTIONS_MAX];
	unsigned n_free, n_made;
};

static struct status
no_memory(void)
{
	return status_fail(
	    STATUS_RESOURCE_EXHAUSTED, "there is not enough memory");
}

/* ---- making it ---- */

static void
init_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static struct status
load_trusted(const struct smtp_config *config, X509_STORE **ret_store)
{
	struct status st =
	    config->ca_pem != NULL
		? trusted_from_pem(config->ca_pem, ret_store)
		: trusted_from_file(
		      curl_version_info(CURLVERSION_NOW)->cainfo, ret_store);

	if (!failed(st))
		return st;
	return status_fail(STATUS_FAILED_PRECONDITION,
	    "the certificates to verify the mail server's TLS by cannot be "
	    "read: check its ca_file, or install ca-certificates");
}

/* libcurl takes it as a text. */
static struct status
close_password(struct secret *password, struct secret **ret_closed)
{
	struct bytes octets = secret_bytes(password);
	struct secret *closed = secret_new(octets.len + 1);

	if (closed == NULL)
		return no_memory();
	memcpy(secret_at(closed), octets.at, octets.len);
	*ret_closed = closed;
	return status_ok();
}

static struct status
fill(const struct smtp_config *config, struct smtp_server *server)
{
	struct status st = status_ok();

	smtp_config_url(config, server->url);
	server->tls = config->tls;
	server->timeout_ms = config->timeout_ms;
	if (config->user != NULL) {
		server->user = strdup(config->user);
		st = server->user == NULL
			 ? no_memory()
			 : close_password(config->password, &server->password);
	}
	if (!failed(st) && config->tls != SMTP_NO_TLS)
		st = load_trusted(config, &server->trusted);
	return st;
}

STATUS
smtp_new(const struct smtp_config *config, struct smtp **ret_smtp)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct status st = smtp_config_check(config);
	struct smtp *smtp;

	if (failed(st))
		return st;
	pthread_once(&once, init_curl);
	smtp = calloc(1, sizeof(*smtp));
	if (smtp == NULL)
		return no_memory();
	pthread_mutex_init(&smtp->mutex, NULL);
	clock_cond_init(&smtp->freed);
	smtp->max = config->connections < 1 ? 1 : config->connections;
	if (smtp->max > CONNECTIONS_MAX)
		smtp->max = CONNECTIONS_MAX;
	st = fill(config, &smtp->server);
	if (failed(st)) {
		smtp_free(smtp);
		return st;
	}
	secret_free(config->password);
	*ret_smtp = smtp;
	return st;
}

void
smtp_free(struct smtp *smtp)
{
	if (smtp == NULL)
		return;
	assert(smtp->n_free == smtp->n_made);
	smtp_rest(smtp);
	X509_STORE_free(smtp->server.trusted);
	secret_free(smtp->server.password);
	free(smtp->server.user);
	pthread_cond_destroy(&smtp->freed);
	pthread_mutex_destroy(&smtp->mutex);
	free(smtp);
}

/* ---- lanes ---- */

static void
give_lane(struct smtp *smtp, struct smtp_lane *lane)
{
	pthread_mutex_lock(&smtp->mutex);
	smtp->free[smtp->n_free++] = lane;
	pthread_cond_signal(&smtp->freed);
	pthread_mutex_unlock(&smtp->mutex);
}

/* NULL: no memory. */
static struct smtp_lane *
make_ready(struct smtp *smtp, struct smtp_lane *lane)
{
	lane->server = &smtp->server;
	if (lane->easy == NULL)
		lane->easy = curl_easy_init();
	if (lane->easy != NULL)
		return lane;
	give_lane(smtp, lane);
	return NULL;
}

/* NULL: none is free in time. */
static struct smtp_lane *
take_lane(struct smtp *smtp)
{
	const int64_t until_ns =
	    clock_mono_ns() + smtp->server.timeout_ms * NS_PER_MS;
	struct smtp_lane *lane = NULL;

	pthread_mutex_lock(&smtp->mutex);
	while (smtp->n_free == 0 && smtp->n_made >= smtp->max &&
	       clock_cond_wait(&smtp->freed, &smtp->mutex, until_ns))
		;
	if (smtp->n_free > 0)
		lane = smtp->free[--smtp->n_free];
	else if (smtp->n_made < smtp->max)
		lane = &smtp->lanes[smtp->n_made++];
	pthread_mutex_unlock(&smtp->mutex);
	return lane == NULL ? NULL : make_ready(smtp, lane);
}

/* ---- messages ---- */

void
smtp_send(struct smtp *smtp, const struct mail_message *message,
    struct smtp_result *ret_result)
{
	char address[MAIL_ADDRESS_MAX + 2];
	struct curl_slist *recipient;
	struct smtp_lane *lane;

	snprintf(address, sizeof(address), "<%s>", mail_message_to(message));
	recipient = curl_slist_append(NULL, address);
	lane = recipient == NULL ? NULL : take_lane(smtp);
	if (lane == NULL) {
		*ret_result = (struct smtp_result){ .end = SMTP_TEMPORARY };
		snprintf(ret_result->why, sizeof(ret_result->why),
		    "all %u connections to the mail server were busy for %u "
		    "ms",
		    smtp->max, smtp->server.timeout_ms);
	} else {
		smtp_lane_send(lane, message, recipient, ret_result);
		give_lane(smtp, lane);
	}
	curl_slist_free_all(recipient);
}

void
smtp_rest(struct smtp *smtp)
{
	struct smtp_lane *idle[CONNECTIONS_MAX];
	unsigned n;

	pthread_mutex_lock(&smtp->mutex);
	n = smtp->n_free;
	memcpy(idle, smtp->free, n * sizeof(idle[0]));
	smtp->n_free = 0;
	pthread_mutex_unlock(&smtp->mutex);
	for (unsigned i = 0; i < n; i++) {
		smtp_lane_close(idle[i]);
		give_lane(smtp, idle[i]);
	}
}
