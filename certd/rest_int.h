/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_REST_INT_H
#define CERTD_REST_INT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/address.h"
#include "certd/guard.h"
#include "certd/login/session_cookie.h"
#include "certd/openapi.h"
#include "certd/rest.h"
#include "certd/rest_tls.h"
#include "certd/route.h"
#include "certd/work.h"

/*
 * Between rest.c (start and stop), rest_http.c (what libmicrohttpd calls),
 * rest_peers.c (who is connected), rest_client.c (who sends a request),
 * rest_call.c (what it means), rest_session.c (what browsers bring along) and
 * rest_reply.c (what it is answered).
 */
struct MHD_Daemon;
struct MHD_Connection;
struct MHD_Response;

#define REST_BODY_MAX ((size_t)1 << 20)
/* Of what anybody may ask. */
#define REST_OPEN_BODY_MAX ((size_t)8 << 10)
/* Bodies of all requests together. */
#define REST_BODIES_MAX ((size_t)64 << 20)
#define REST_TARGET_MAX 8192
#define REST_ID_MAX 64
#define REST_HTTP_MAX 600

struct rest_connection {
	struct rest_connection *next, *prev; /* guarded by rest.mutex */
	int fd;
	struct sockaddr_storage address;
	/* Ended then, if it is not this server's turn (0); guarded by it. */
	int64_t until_ns;
	bool is_hung_up; /* it is going; guarded by it */
	struct rest_tls_identity *identity;
};

struct rest {
	struct rest_config config;
	struct MHD_Daemon *daemon;
	struct route_table *routes;
	struct openapi *openapi;
	struct guard *guard;
	struct forwarded_trust proxies;
	atomic_bool reminded;      /* of one that is not among them */
	struct rest_tls *tls;      /* NULL: plain */
	struct work *reads, *acts; /* GET; all others */
	struct work *opens;        /* what anybody may ask */
	atomic_bool stopping;
	atomic_size_t bodies;     /* octets promised to bodies */
	atomic_size_t n_requests; /* begun and not ended */
	pthread_mutex_t mutex; /* guards connections and what it says above */
	struct rest_connection *connections;
	pthread_t watch; /* ends connections that take too long */
	bool has_watch;
	pthread_cond_t wake;
	struct metric_gauge *n_connections;            /* NULL: not counted */
	struct metric_counter *answers[REST_HTTP_MAX]; /* by HTTP code */
};

/* ---- one request ---- */

struct rest_reply {
	unsigned http; /* 0: none yet */
	const char *type;
	uint8_t *body; /* malloc'd */
	size_t len;
	char etag[64]; /* with its quotes; these are left out when empty */
	char location[512];
	char link[2048];
	char allow[48];
	char disposition[160];
	char media_type[80]; /* what type points at, when it came with it */
	char cookie[SESSION_COOKIE_LINE_MAX];
	unsigned retry_after_s;
	bool replayed;
	bool may_be_kept; /* openapi.json */
	/* Of the console's files. */
	const char *cache; /* Cache-Control in place of the two; NULL: not */
	bool is_borrowed;  /* body stays where it is */
	bool is_gzip, varies;
};

enum rest_phase {
	REST_HEAD,  /* its head is here */
	REST_ASKED, /* a thread looks who it is, before its body is read */
	REST_BODY,  /* its body comes in */
	REST_RUN,   /* a thread does it */
};

/* Borrowed from the connection, for the request's life; NULL when missing. */
struct rest_headers {
	const char *authorization, *content_type, *content_length;
	const char *transfer_encoding, *content_encoding, *accept;
	const char *accept_encoding;
	const char *if_match, *if_none_match, *idempotency_key, *request_id;
	const char *host, *origin, *sec_fetch_site, *cookie, *csrf_token;
	const char *user_agent, *left_alone;
	bool twice; /* one of them is there twice */
};

enum rest_what {
	REST_METHOD,
	REST_OPENAPI,
	REST_HEALTH,
	REST_WEB, /* the console's files */
	REST_LIVE /* what has changed, as it happens */
};

struct rest_request {
	struct rest *rest;
	struct MHD_Connection *connection;
	const struct rest_connection *from;
	int64_t began_ns;
	enum rest_phase phase;
	char *path;  /* as it came; malloc'd with query */
	char *query; /* what stands behind '?', or NULL */
	char id[REST_ID_MAX];
	const char *verb_name;
	enum api_verb verb;
	struct rest_headers headers;
	enum rest_what what;
	struct route route;
	bool one_click; /* see certd/rest_one_click.h */
	bool is_known;  /* caller is set */
	struct caller caller;
	struct api_web web;
	/* Who sends it, as rest_client.c has it; the same as text; whether a
	 * proxy that is trusted brings it, and says that it came there by TLS.
	 */
	union address client;
	char address[INET6_ADDRSTRLEN];
	bool by_proxy, by_https;
	char peer_identity[ACTOR_MAX];
	uint8_t *body; /* malloc'd */
	size_t body_len, body_max, body_promised;
	bool body_too_large;
	bool download; /* the reply's content as it is */
	struct rest_reply reply;
	struct rest_stream *stream; /* rest_live.c's; NULL: it is no stream */
};

/* rest_call.c: on threads of work.h, or any; each leaves a reply when it ends
 * the request. */
void rest_call_head(struct rest_request *request); /* quick */
void rest_call_authenticate(struct rest_request *request);
void rest_call_run(struct rest_request *request);
/* Its body is. */
void rest_call_too_large(struct rest_request *request);

/* rest_reply.c */
void rest_reply_problem(struct rest_request *request, unsigned http,
    enum status_code code, const char *detail);
/* http from the status; why in place of its own sentence, unless empty. */
void rest_reply_status(
    struct rest_request *request, struct status st, const char *why);
void rest_reply_message(
    struct rest_request *request, const ProtobufCMessage *reply);
void rest_reply_openapi(struct rest_request *request);
void rest_reply_health(struct rest_request *request);
/* Does a method answer with content that may be had as it is? */
bool rest_reply_has_content(const ProtobufCMessageDescriptor *reply);

/* rest_http.c: starts and stops libmicrohttpd at rest->daemon. */
STATUS rest_http_start(
    struct rest *rest, const struct sockaddr *address, char *ret_why);
uint16_t rest_http_port(const struct rest *rest);
void rest_http_stop(struct rest *rest);

#endif
