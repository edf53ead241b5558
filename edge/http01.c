/* SPDX-License-Identifier: Apache-2.0 */

/*
 * GET /.well-known/acme-challenge/TOKEN (RFC 8555 8.3), asked for by a CA and
 * handed on by the web server of this host.  What is answered is public, so
 * nobody is asked who he is; but few connections, of which the oldest end when
 * there are very many, small requests, and no path and no method but these. One
 * thread of libmicrohttpd's serves, another one waits for the port where it
 * could not be had at once.
 */

#include "edge/http01.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/crowd.h"
#include "base/log.h"

#define PREFIX "/.well-known/acme-challenge/"
#define TEST "test"
#define CONNECTIONS_MAX 512
#define CROWD_MAX 448 /* of them; the rest is for those that are going */
#define TIMEOUT_S 10
#define CONNECTION_MEMORY 8192
#define AGAIN_NS (5 * NS_PER_S)
#define PROBLEM                                                                \
	"answers to http-01 challenges cannot be given: acme.listen cannot "   \
	"be listened on; is another process using the port?"

enum outcome {
	ANSWERED,
	TESTED,
	UNKNOWN,
	OUTCOMES
};

struct http01 {
	struct http01_config config;
	union address address;
	struct crowd *crowd; /* the daemon's thread's */
	struct metric_counter *m_requests[OUTCOMES];
	pthread_t thread; /* that waits for the port */
	bool has_thread;
	pthread_mutex_t mutex; /* guards the rest */
	pthread_cond_t changed;
	bool stopping;
	struct MHD_Daemon *daemon; /* NULL: it does not listen yet */
};

/* ---- a request ---- */

static enum MHD_Result
reply(struct MHD_Connection *connection, unsigned code, const char *type,
    char *text)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
	    strlen(text), text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	if (response == NULL)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(
	    response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(
		    response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, code, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result
answer(void *cls, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload_data,
    size_t *upload_data_size, void **con_cls)
{
	char text[CHALLENGES_TEXT_MAX], test[] = TEST;
	char not_found[] = "not found\n", get_only[] = "use GET\n";
	const char plain[] = "text/plain; charset=utf-8";
	struct http01 *http01 = cls;
	const char *token = url + sizeof(PREFIX) - 1;

	(void)version;
	(void)upload_data;
	(void)upload_data_size;
	(void)con_cls;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return reply(
		    connection, MHD_HTTP_METHOD_NOT_ALLOWED, plain, get_only);
	if (strncmp(url, PREFIX, sizeof(PREFIX) - 1) != 0)
		return reply(connection, MHD_HTTP_NOT_FOUND, plain, not_found);
	if (strcmp(token, TEST) == 0) {
		metric_counter_add(http01->m_requests[TESTED], 1);
		return reply(connection, MHD_HTTP_OK, plain, test);
	}
	if (!challenges_find(http01->config.challenges, token, text)) {
		metric_counter_add(http01->m_requests[UNKNOWN], 1);
		return reply(connection, MHD_HTTP_NOT_FOUND, plain, not_found);
	}
	metric_counter_add(http01->m_requests[ANSWERED], 1);
	/* The type is RFC 8555's. */
	return reply(connection, MHD_HTTP_OK, "application/octet-stream", text);
}

/* ---- the port ---- */

static void
come_and_go(void *cls, struct MHD_Connection *connection, void **place,
    enum MHD_ConnectionNotificationCode code)
{
	struct http01 *http01 = cls;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	    connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (code == MHD_CONNECTION_NOTIFY_CLOSED)
		crowd_leave(http01->crowd, *place);
	else
		*place = info == NULL
			     ? NULL
			     : crowd_enter(http01->crowd, info->connect_fd);
}

/* False: it cannot be had now. */
static bool
listen_now(struct http01 *http01)
{
	unsigned v6 =
	    http01->address.any.sa_family == AF_INET6 ? MHD_USE_IPv6 : 0;
	struct MHD_Daemon *daemon = MHD_start_daemon(
	    MHD_USE_EPOLL_INTERNAL_THREAD | v6, 0, NULL, NULL, answer, http01,
	    MHD_OPTION_SOCK_ADDR, &http01->address.any,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
	    MHD_OPTION_NOTIFY_CONNECTION, come_and_go, http01, MHD_OPTION_END);

	pthread_mutex_lock(&http01->mutex);
	http01->daemon = daemon;
	pthread_mutex_unlock(&http01->mutex);
	if (daemon == NULL)
		return false;
	log_info("http-01 challenges are answered",
	    LOG_STR("listen", http01->config.listen));
	challenges_serve(http01->config.challenges, true);
	if (http01->config.state != NULL)
		http01->config.state(http01->config.ctx, "");
	return true;
}

/* False when it is time to stop. */
static bool
wait_a_while(struct http01 *http01)
{
	int64_t until_ns = clock_mono_ns() + AGAIN_NS;
	bool stopping;

	pthread_mutex_lock(&http01->mutex);
	while (!http01->stopping && clock_mono_ns() < until_ns)
		(void)clock_cond_wait(
		    &http01->changed, &http01->mutex, until_ns);
	stopping = http01->stopping;
	pthread_mutex_unlock(&http01->mutex);
	return !stopping;
}

static void *
run(void *arg)
{
	struct http01 *http01 = arg;

	while (wait_a_while(http01) && !listen_now(http01))
		;
	return NULL;
}

/* ---- the door ---- */

static void
make_metrics(struct http01 *http01, struct metrics *metrics)
{
	static const char *const labels[OUTCOMES] = { "result=\"answered\"",
		"result=\"test\"", "result=\"unknown\"" };

	for (int i = 0; i < OUTCOMES; i++)
		http01->m_requests[i] = metrics_counter(metrics,
		    "edged_http01_requests_total",
		    "Requests for answers to http-01 challenges, by result.",
		    labels[i]);
}

STATUS
http01_start(const struct http01_config *config, struct http01 **ret_http01)
{
	struct http01 *http01 = calloc(1, sizeof(*http01));

	if (http01 == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	http01->config = *config;
	pthread_mutex_init(&http01->mutex, NULL);
	clock_cond_init(&http01->changed);
	make_metrics(http01, config->metrics);
	http01->crowd = crowd_new(CROWD_MAX);
	if (http01->crowd == NULL) {
		http01_stop(http01);
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	}
	if (!address_parse(config->listen, &http01->address)) {
		http01_stop(http01);
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "where to answer http-01 challenges is not address:port");
	}
	errno = 0;
	if (!listen_now(http01)) {
		log_error(PROBLEM, LOG_STR("listen", config->listen),
		    LOG_STR("why", strerrordesc_np(errno)));
		if (config->state != NULL)
			config->state(config->ctx, PROBLEM);
		http01->has_thread =
		    pthread_create(&http01->thread, NULL, run, http01) == 0;
		if (!http01->has_thread) {
			http01_stop(http01);
			return status_fail(
			    STATUS_RESOURCE_EXHAUSTED, "no thread to be had");
		}
	}
	*ret_http01 = http01;
	return status_ok();
}

void
http01_stop(struct http01 *http01)
{
	if (http01 == NULL)
		return;
	pthread_mutex_lock(&http01->mutex);
	http01->stopping = true;
	pthread_cond_signal(&http01->changed);
	pthread_mutex_unlock(&http01->mutex);
	if (http01->has_thread)
		pthread_join(http01->thread, NULL);
	if (http01->daemon != NULL)
		MHD_stop_daemon(http01->daemon);
	crowd_free(http01->crowd);
	pthread_cond_destroy(&http01->changed);
	pthread_mutex_destroy(&http01->mutex);
	free(http01);
}

uint16_t
http01_port(struct http01 *http01)
{
	const union MHD_DaemonInfo *info = NULL;

	pthread_mutex_lock(&http01->mutex);
	if (http01->daemon != NULL)
		info = MHD_get_daemon_info(
		    http01->daemon, MHD_DAEMON_INFO_BIND_PORT);
	pthread_mutex_unlock(&http01->mutex);
	return info != NULL ? info->port : 0;
}
