/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_API_H
#define CERTD_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/caller.h"

/*
 * What certd can be asked, whichever way it comes: each service gives a table
 * of its methods, with who may call them and where REST has them; gRPC
 * (certd/grpc_port.h) and REST (certd/rest.h) look there and nowhere else.  A
 * method that is in no table does not exist.
 */
struct api;

#define API_WHY_MAX 512

/* What a request over REST came with beside its message, and what its answer
 * takes along, for the service Sessions. */
#define API_COOKIE_MAX 128
struct api_web {
	const char *address;       /* "192.0.2.7" */
	const char *user_agent;    /* "" when it names none */
	const char *peer_identity; /* "operator/admin", of the client
				    * certificate; "" when it shows none, and
				    * but for api_method.certificate */
	int64_t peer_not_after_s;
	int64_t session; /* the one that asks; 0: none */
	/* Of the answer: a new cookie's secret, or clear_cookie. */
	char cookie[API_COOKIE_MAX];
	bool clear_cookie;
	unsigned retry_after_s;
	char reason[32]; /* of a problem: "TOTP_REQUIRED"; else its code's */
};

struct api_call {
	const struct caller *caller;
	struct api_web *web; /* NULL over gRPC */
	/* A sentence in place of the status' static text, when it must name
	 * things; empty otherwise.  At most API_WHY_MAX - 1 octets. */
	char why[API_WHY_MAX];
};

/* printf into call->why, and give the status back. */
struct status api_explain(struct api_call *call, struct status st,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/*
 * One method.  The request is decoded; *ret_reply is made with malloc, as
 * protobuf_c_message_free_unpacked frees it (proto/message.h helps).  Who calls
 * may call: that was looked at before.  Any thread, several at once; may block
 * for the disk or for keyd.
 */
typedef struct status (*api_fn)(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);

enum api_verb {
	API_GET,
	API_POST,
	API_PATCH,
	API_DELETE
};

struct api_method {
	const ProtobufCServiceDescriptor *service;
	const char *name; /* "Upload" */
	api_fn fn;
	unsigned allow; /* ALLOW_..., who may */
	unsigned scope; /* the one SCOPE_... that a token needs, or any of */
	enum api_verb verb;
	/*
	 * "/v1/certificates/{id}": names in braces are fields of the request.
	 * Other fields of it come from the query (GET, DELETE) or from the JSON
	 * body.  "/v1/certificates/{id}:replace" are acts that are no verb of
	 * HTTP.  NULL: not over REST.
	 */
	const char *path;
	/* A GET that waits for keyd, as those with an act may: it is not run
	 * where quick ones are. */
	bool waits;
	bool creates; /* answers 201 */
	bool secret;  /* the answer is for the caller alone: never kept */
	/* Over REST anybody may ask it, without a token or session:
	 * call->caller has no rights at all.  allow is 0 and scope is not
	 * looked at. */
	bool open;
	/* For sessions of people alone, never for API tokens. */
	bool session_only;
	/* The client certificate is looked at, for peer_identity. */
	bool certificate;
	const char *summary; /* one line for OpenAPI */
};

struct api *api_new(void);      /* NULL when memory ends */
void api_free(struct api *api); /* NULL is allowed */
SCOPED_RELEASE(api_free, struct api *);

/* Before it is served.  methods is borrowed, as is ctx, which each fn gets. */
STATUS api_add(
    struct api *api, const struct api_method *methods, size_t n, void *ctx);
/*
 * A method that streams and so has no api_fn: who may call it, by its path
 * "/holdfast.certd.v1.Edges/Watch", which is borrowed.  Its service puts it on
 * the server itself.
 */
STATUS api_add_stream(struct api *api, const char *path, unsigned allow);
/* Count requests and their time from here on, of what was added; once. */
void api_measure(struct api *api, struct metrics *metrics);

/* All methods, in the order they were added. */
size_t api_count(const struct api *api);
const struct api_method *api_at(const struct api *api, size_t i);
/* NULL when there is none: "/holdfast.certd.v1.Certificates/Upload". */
const struct api_method *api_find(const struct api *api, const char *path);

/* May a caller of this kind (one of ALLOW_...) call that path over gRPC?  Asked
 * before its request is parsed.  PERMISSION_DENIED also for what there is not.
 */
STATUS api_admits(const struct api *api, const char *path, unsigned who);

/* May this caller call it?  PERMISSION_DENIED says which role or scope does.
 * open and session_only are looked at by api_ask. */
STATUS api_allows(const struct api_method *method, const struct caller *caller);

/*
 * Ask.  Looks whether the caller may, then runs the method.  *ret_reply is the
 * caller's; call->why and the status say what went wrong.
 */
STATUS api_ask(struct api *api, const struct api_method *method,
    struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply);

#endif
