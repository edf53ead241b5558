/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who is connected: so many of one address, but for trusted proxies, each with
 * its certificate, and the time by which it must have said what it has to say
 * or heard the answer.  That time does not run while this server is working.
 * Who lets it pass is ended, however often an octet came; and before that, when
 * there are almost as many as may be, the oldest whose turn it is: slow ones
 * keep nobody out.
 */

#include "certd/rest_peers.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "certd/rest_client.h"

#define WATCH_MS 250

void
rest_peers_turn(struct rest_request *request, bool is_clients_turn)
{
	struct rest *rest = request->rest;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	    request->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct rest_connection *connection =
	    info == NULL ? NULL : info->socket_context;

	if (connection == NULL)
		return;
	pthread_mutex_lock(&rest->mutex);
	connection->until_ns =
	    is_clients_turn
		? clock_mono_ns() + rest->config.request_s * NS_PER_S
		: 0;
	pthread_mutex_unlock(&rest->mutex);
}

void
rest_peers_identity(const struct rest_request *request, char *ret_identity,
    int64_t *ret_not_after_s)
{
	const union MHD_ConnectionInfo *info = NULL;

	ret_identity[0] = 0;
	*ret_not_after_s = 0;
	if (request->rest->tls != NULL)
		info = MHD_get_connection_info(
		    request->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	if (info != NULL)
		rest_tls_peer(request->rest->tls, info->tls_session,
		    ret_identity, ACTOR_MAX, ret_not_after_s);
}

enum MHD_Result
rest_peers_accept(void *cls, const struct sockaddr *address, socklen_t len)
{
	struct rest *rest = cls;

	(void)len;
	return !atomic_load(&rest->stopping) &&
		       (rest_client_is_proxy(rest, address) ||
			   guard_admits(rest->guard, address))
		   ? MHD_YES
		   : MHD_NO;
}

static void
hang_up(struct rest_connection *connection)
{
	connection->until_ns = 0;
	connection->is_hung_up = true;
	/* libmicrohttpd sees it end, and closes it. */
	shutdown(connection->fd, SHUT_RDWR);
}

/* With the mutex held.  The rest of what may be is for those that are going. */
static void
make_room(struct rest *rest)
{
	unsigned max = rest->config.connections_max, n = 0;
	struct rest_connection *oldest = NULL;

	for (struct rest_connection *at = rest->connections; at != NULL;
	     at = at->next) {
		n += !at->is_hung_up;
		if (at->until_ns != 0)
			oldest = at;
	}
	if (n > max - max / 16 && oldest != NULL)
		hang_up(oldest);
}

static void
opened(struct rest *rest, struct MHD_Connection *of, void **ret_connection)
{
	struct rest_connection *connection = calloc(1, sizeof(*connection));
	const union MHD_ConnectionInfo *info;
	const struct sockaddr *address;

	if (connection == NULL)
		return; /* its requests are refused */
	info = MHD_get_connection_info(of, MHD_CONNECTION_INFO_CONNECTION_FD);
	connection->fd = info->connect_fd;
	info = MHD_get_connection_info(of, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	address = info->client_addr;
	memcpy(&connection->address, address,
	    address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					   : sizeof(struct sockaddr_in));
	if (rest->tls != NULL) {
		info = MHD_get_connection_info(
		    of, MHD_CONNECTION_INFO_GNUTLS_SESSION);
		connection->identity =
		    rest_tls_use(rest->tls, info->tls_session);
	}
	guard_opened(rest->guard, address);
	pthread_mutex_lock(&rest->mutex);
	connection->until_ns =
	    clock_mono_ns() + rest->config.request_s * NS_PER_S;
	connection->next = rest->connections;
	if (connection->next != NULL)
		connection->next->prev = connection;
	rest->connections = connection;
	make_room(rest);
	pthread_mutex_unlock(&rest->mutex);
	if (rest->n_connections != NULL)
		metric_gauge_add(rest->n_connections, 1);
	*ret_connection = connection;
}

/* Its socket is open still, so the watch ends no other one that gets its
 * number. */
static void
closed(struct rest *rest, struct rest_connection *connection)
{
	pthread_mutex_lock(&rest->mutex);
	if (connection->next != NULL)
		connection->next->prev = connection->prev;
	if (connection->prev != NULL)
		connection->prev->next = connection->next;
	else
		rest->connections = connection->next;
	pthread_mutex_unlock(&rest->mutex);
	guard_closed(rest->guard, (const void *)&connection->address);
	if (rest->n_connections != NULL)
		metric_gauge_add(rest->n_connections, -1);
	rest_tls_release(connection->identity);
	free(connection);
}

void
rest_peers_notify(void *cls, struct MHD_Connection *of, void **context,
    enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		opened(cls, of, context);
	else if (*context != NULL)
		closed(cls, *context);
}

/* ---- the watch over those that take too long ---- */

static void
end_overdue(struct rest *rest)
{
	int64_t now_ns = clock_mono_ns();

	for (struct rest_connection *at = rest->connections; at != NULL;
	     at = at->next) {
		if (at->until_ns == 0 || at->until_ns > now_ns)
			continue;
		hang_up(at);
	}
}

static void *
watch(void *arg)
{
	struct rest *rest = arg;

	pthread_mutex_lock(&rest->mutex);
	while (rest->has_watch) {
		int64_t until_ns = clock_mono_ns() + WATCH_MS * NS_PER_MS;

		end_overdue(rest);
		(void)clock_cond_wait(&rest->wake, &rest->mutex, until_ns);
	}
	pthread_mutex_unlock(&rest->mutex);
	return NULL;
}

STATUS
rest_peers_watch(struct rest *rest)
{
	rest->has_watch = true;
	if (pthread_create(&rest->watch, NULL, watch, rest) == 0)
		return status_ok();
	rest->has_watch = false;
	return status_fail(
	    STATUS_RESOURCE_EXHAUSTED, "no memory for the REST server");
}

void
rest_peers_stop(struct rest *rest)
{
	bool watched;

	pthread_mutex_lock(&rest->mutex);
	watched = rest->has_watch;
	rest->has_watch = false;
	pthread_cond_broadcast(&rest->wake);
	pthread_mutex_unlock(&rest->mutex);
	if (watched)
		pthread_join(rest->watch, NULL);
}
