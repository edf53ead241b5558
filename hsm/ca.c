/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The front of the identity CA: keeps one worker process (ca_worker.c) and
 * passes it one request at a time.  Nothing here knows PKCS#11, the PIN or a
 * private key.  A worker that does not answer by the deadline is killed; one
 * that died or lost its token is replaced by the next call, at most once a
 * second; a PIN that the token refused is never tried again by this process.
 */

#include "hsm/ca.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/signing.h"
#include "hsm/ca_wire.h"
#include "hsm/lane.h"
#include "hsm/spawn.h"

#define RESTART_GAP_NS NS_PER_S
#define CREATE_TIMEOUT_NS (30 * NS_PER_S)
#define ARGV_MAX 8
#define DAY_S 86400
/* Upper bound of an organization name, RFC 5280 appendix A. */
#define DOMAIN_MAX 64

struct hsm_ca {
	struct ca_request config; /* an OPEN request */
	char *argv[ARGV_MAX + 1];
	char **environment;
	pthread_mutex_t mutex; /* guards busy */
	pthread_cond_t turn;
	bool busy;
	/* These belong to whoever set busy. */
	bool has_worker;
	struct spawned worker;
	int64_t started_ns;
	bool pin_refused;
};

static const struct {
	enum status_code code;
	const char *why;
} words[CA_WHY_END_] = {
	[CA_OK] = { STATUS_OK, "ok" },
	[CA_WHY_PROTOCOL] = { STATUS_INTERNAL,
	    "the identity CA's worker was asked out of turn" },
	[CA_WHY_PIN_FILE] = { STATUS_FAILED_PRECONDITION,
	    "the PIN file of the identity token cannot be used: it must exist, "
	    "not be empty, and be readable by keyd's user alone (chmod 600)" },
	[CA_WHY_PIN_REFUSED] = { STATUS_FAILED_PRECONDITION,
	    "the identity token refused the PIN, which is tried only once: "
	    "correct its PIN file, then restart keyd" },
	[CA_WHY_LOCK] = { STATUS_FAILED_PRECONDITION,
	    "the lock file of the identity token cannot be opened: its folder "
	    "must exist and be writable by keyd's user" },
	[CA_WHY_MODULE] = { STATUS_FAILED_PRECONDITION,
	    "the PKCS#11 module of the identity token cannot be loaded: check "
	    "its path and that keyd's user may read it" },
	[CA_WHY_TOKEN_ABSENT] = { STATUS_UNAVAILABLE,
	    "no token with the identity token's label is present: check the "
	    "label, and that the token is plugged in or its folder mounted" },
	[CA_WHY_TOKEN] = { STATUS_UNAVAILABLE,
	    "the identity token does not work at the moment; the detail is "
	    "its CK_RV" },
	[CA_WHY_KEY_ABSENT] = { STATUS_FAILED_PRECONDITION,
	    "the identity token has no key labelled \"ca\": run keyd init" },
	[CA_WHY_KEY_KIND] = { STATUS_FAILED_PRECONDITION,
	    "the identity token holds keys other than EC ones, or its \"ca\" "
	    "key is none: give the identity CA a token of its own" },
	[CA_WHY_KEY_WEAK] = { STATUS_FAILED_PRECONDITION,
	    "the identity token made a key that can be read out, which was "
	    "destroyed again: this token cannot hold the identity CA" },
	[CA_WHY_ISSUER] = { STATUS_FAILED_PRECONDITION,
	    "the identity CA's certificate is not of the \"ca\" key in the "
	    "identity token: restore the certificate that keyd init wrote" },
	[CA_WHY_ISSUER_EXPIRED] = { STATUS_FAILED_PRECONDITION,
	    "the identity CA's certificate has expired: make a new CA with "
	    "keyd init, and enroll all members again" },
	[CA_WHY_SUBJECT_KEY] = { STATUS_INVALID_ARGUMENT,
	    "an identity's key must be an EC P-256 key of its own" },
	[CA_WHY_NAME] = { STATUS_INVALID_ARGUMENT,
	    "the trust domain is longer than the 64 octets that a "
	    "certificate's organization name may have" },
	[CA_WHY_SIGN] = { STATUS_UNAVAILABLE,
	    "the identity token failed to sign a certificate; the detail is "
	    "its CK_RV" },
	[CA_WHY_INTERNAL] = { STATUS_INTERNAL,
	    "the identity CA's worker ran out of memory or entropy" },
};

static struct status
status_of(uint32_t why, uint32_t detail)
{
	if (why >= CA_WHY_END_)
		why = CA_WHY_PROTOCOL;
	return status_fail_detail(words[why].code, words[why].why, detail);
}

/* Kill the worker, if any, and bury it. */
static void
stop(struct hsm_ca *ca)
{
	if (!ca->has_worker)
		return;
	spawn_bury(&ca->worker, 0);
	ca->has_worker = false;
}

static struct status
spawn(struct hsm_ca *ca)
{
	int error = spawn_worker(ca->argv, ca->environment, &ca->worker);

	ca->started_ns = clock_mono_ns();
	if (error != 0)
		return status_fail_detail(STATUS_UNAVAILABLE,
		    "the identity CA's worker cannot be started: is the limit "
		    "of open files or processes reached?",
		    (uint32_t)error);
	ca->has_worker = true;
	return status_ok();
}

/* Wait for the worker's next message or the deadline; false at the latter. */
static bool
await(int fd, int64_t deadline_ns)
{
	for (;;) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		int64_t left_ns = deadline_ns - clock_mono_ns();
		int64_t left_ms = left_ns / NS_PER_MS + 1;

		if (left_ns <= 0)
			return false;
		if (left_ms > 60000)
			left_ms = 60000;
		if (poll(&poll_fd, 1, (int)left_ms) > 0)
			return true;
	}
}

/* One exchange.  On any failure that may have spoilt the worker it is gone. */
static struct status
ask(struct hsm_ca *ca, const struct ca_request *request, int64_t deadline_ns,
    struct ca_reply *reply)
{
	if (send(ca->worker.fd, request, sizeof(*request), MSG_NOSIGNAL) !=
	    (ssize_t)sizeof(*request)) {
		stop(ca);
		return status_fail(STATUS_UNAVAILABLE,
		    "the identity CA's worker died; the next call starts it");
	}
	if (!await(ca->worker.fd, deadline_ns)) {
		stop(ca);
		return status_fail(STATUS_DEADLINE_EXCEEDED,
		    "the identity token did not answer in time; its worker was "
		    "stopped and the next call starts it again");
	}
	if (recv(ca->worker.fd, reply, sizeof(*reply), 0) !=
		(ssize_t)sizeof(*reply) ||
	    reply->magic != CA_WIRE_MAGIC) {
		stop(ca);
		return status_fail(STATUS_UNAVAILABLE,
		    "the identity CA's worker died; the next call starts it");
	}
	if (reply->why == CA_WHY_PIN_REFUSED)
		ca->pin_refused = true;
	if (reply->ends != 0)
		stop(ca);
	return status_of(reply->why, reply->detail);
}

/* Start a worker and have it log in, a second after the last start at best. */
static struct status
start(struct hsm_ca *ca, int64_t deadline_ns)
{
	const int64_t may_ns = ca->started_ns + RESTART_GAP_NS;
	struct ca_reply reply;
	struct status st;

	if (ca->pin_refused)
		return status_of(CA_WHY_PIN_REFUSED, 0);
	if (ca->started_ns != 0 && clock_mono_ns() < may_ns) {
		const struct timespec until = { may_ns / NS_PER_S,
			may_ns % NS_PER_S };

		if (may_ns >= deadline_ns)
			return status_fail(STATUS_UNAVAILABLE,
			    "the identity CA's worker ended less than a second "
			    "ago: try again");
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until,
			   NULL) == EINTR)
			;
	}
	st = spawn(ca);
	if (failed(st))
		return st;
	return ask(ca, &ca->config, deadline_ns, &reply);
}

/*
 * A worker that idled may have died or lost its token meanwhile, so its failure
 * counts only once a fresh one agrees.
 */
static struct status
serve(struct hsm_ca *ca, const struct ca_request *request, int64_t deadline_ns,
    struct hsm_cert *ret_cert)
{
	struct ca_reply reply;
	struct status st;
	bool fresh;

	do {
		fresh = !ca->has_worker;
		st = fresh ? start(ca, deadline_ns) : status_ok();
		if (!failed(st))
			st = ask(ca, request, deadline_ns, &reply);
	} while (failed(st) && !fresh && !ca->has_worker &&
		 st.code != STATUS_DEADLINE_EXCEEDED);
	if (failed(st))
		return st;
	if (reply.cert.len == 0 || reply.cert.len > sizeof(reply.cert.der))
		return status_of(CA_WHY_PROTOCOL, 0);
	*ret_cert = reply.cert;
	return st;
}

static bool
take_turn(struct hsm_ca *ca, int64_t deadline_ns)
{
	const struct timespec until = { deadline_ns / NS_PER_S,
		deadline_ns % NS_PER_S };
	bool mine;

	pthread_mutex_lock(&ca->mutex);
	while (ca->busy && pthread_cond_clockwait(&ca->turn, &ca->mutex,
			       CLOCK_MONOTONIC, &until) != ETIMEDOUT)
		;
	mine = !ca->busy;
	if (mine)
		ca->busy = true;
	pthread_mutex_unlock(&ca->mutex);
	return mine;
}

static void
pass_turn(struct hsm_ca *ca)
{
	pthread_mutex_lock(&ca->mutex);
	ca->busy = false;
	pthread_cond_signal(&ca->turn);
	pthread_mutex_unlock(&ca->mutex);
}

static bool
copy(char *to, size_t to_max, const char *from)
{
	size_t len = strlen(from);

	if (len == 0 || len >= to_max)
		return false;
	memcpy(to, from, len + 1);
	return true;
}

static struct status
set_config(struct hsm_ca *ca, const struct hsm_ca_config *config)
{
	struct ca_wire_config *to = &ca->config.config;

	ca->config.magic = CA_WIRE_MAGIC;
	ca->config.op = CA_OP_OPEN;
	if (!copy(to->module, sizeof(to->module), config->module) ||
	    !copy(to->pin_file, sizeof(to->pin_file), config->pin_file) ||
	    !copy(to->lock_file, sizeof(to->lock_file), config->lock_file) ||
	    !copy(
		to->token_label, sizeof(to->token_label), config->token_label))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "the identity token's label has 1 to 32 octets, its "
		    "module, PIN file and lock file paths 1 to 1023");
	for (size_t i = 0; config->worker_argv[i] != NULL; i++) {
		assert(i < ARGV_MAX);
		ca->argv[i] = strdup(config->worker_argv[i]);
		if (ca->argv[i] == NULL)
			return status_fail(
			    STATUS_RESOURCE_EXHAUSTED, "out of memory");
	}
	ca->environment = lane_environment(config->worker_env);
	if (ca->environment == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	return status_ok();
}

void
hsm_ca_close(struct hsm_ca *ca)
{
	if (ca == NULL)
		return;
	stop(ca);
	for (size_t i = 0; i < ARGV_MAX; i++)
		free(ca->argv[i]);
	lane_environment_free(ca->environment);
	pthread_cond_destroy(&ca->turn);
	pthread_mutex_destroy(&ca->mutex);
	free(ca);
}

SCOPED_RELEASE(hsm_ca_close, struct hsm_ca *);

struct status
hsm_ca_open(const struct hsm_ca_config *config, struct hsm_ca **ret_ca)
{
	struct hsm_ca *ca = calloc(1, sizeof(*ca));
	struct status st;

	if (ca == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	pthread_mutex_init(&ca->mutex, NULL);
	pthread_cond_init(&ca->turn, NULL);
	st = set_config(ca, config);
	if (failed(st)) {
		hsm_ca_close(ca);
		return st;
	}
	*ret_ca = ca;
	return st;
}

struct status
hsm_ca_create(const struct hsm_ca_config *config, const char *domain,
    unsigned lifetime_days, struct hsm_cert *ret_ca_cert)
{
	const int64_t deadline_ns = clock_mono_ns() + CREATE_TIMEOUT_NS;
	scoped(hsm_ca_close) struct hsm_ca *ca = NULL;
	struct ca_request request;
	struct ca_reply reply;
	struct status st;

	if (lifetime_days == 0 || lifetime_days > 36500)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "the identity CA's lifetime is 1 to 36500 days");
	if (strlen(domain) > DOMAIN_MAX)
		return status_of(CA_WHY_NAME, 0);
	st = hsm_ca_open(config, &ca);
	if (failed(st))
		return st;
	request = ca->config;
	request.op = CA_OP_CREATE;
	st = spawn(ca);
	if (!failed(st))
		st = ask(ca, &request, deadline_ns, &reply);
	if (failed(st))
		return st;
	stop(ca);
	ca->started_ns = 0; /* it ended because its work was done */
	request.op = CA_OP_ROOT;
	request.lifetime_s = (int64_t)lifetime_days * DAY_S;
	memcpy(request.identity.domain, domain, strlen(domain) + 1);
	return serve(ca, &request, deadline_ns, ret_ca_cert);
}

struct status
hsm_ca_certify(struct hsm_ca *ca, struct bytes ca_cert, struct bytes spki,
    const struct spiffe *identity, int64_t lifetime_s, int64_t deadline_ns,
    struct hsm_cert *ret_cert)
{
	struct ca_request request = { .magic = CA_WIRE_MAGIC,
		.op = CA_OP_CERTIFY,
		.identity = *identity,
		.lifetime_s = lifetime_s };
	struct status st;

	if (spki.len > sizeof(request.spki) ||
	    key_alg_of_spki(spki) != KEY_ALG_EC_P256)
		return status_of(CA_WHY_SUBJECT_KEY, 0);
	if (ca_cert.len == 0 || ca_cert.len > sizeof(request.issuer))
		return status_of(CA_WHY_ISSUER, 0);
	memcpy(request.spki, spki.at, spki.len);
	request.spki_len = (uint32_t)spki.len;
	memcpy(request.issuer, ca_cert.at, ca_cert.len);
	request.issuer_len = (uint32_t)ca_cert.len;
	if (!take_turn(ca, deadline_ns))
		return status_fail(STATUS_DEADLINE_EXCEEDED,
		    "the identity CA is busy: try again");
	st = serve(ca, &request, deadline_ns, ret_cert);
	pass_turn(ca);
	return st;
}
