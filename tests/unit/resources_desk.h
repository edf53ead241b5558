/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_RESOURCES_DESK_H
#define TESTS_UNIT_RESOURCES_DESK_H

#include <stdbool.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "base/db.h"
#include "certd/api.h"
#include "certd/caller.h"
#include "certd/certificates.h"
#include "certd/custody.h"
#include "certd/networks.h"
#include "certd/resources.h"
#include "certd/store.h"
#include "certd/store_edges.h"
#include "proto/holdfast/certd/v1/certificates.pb-c.h"
#include "proto/holdfast/certd/v1/resources.pb-c.h"

/*
 * certd's store in a folder of its own, with two accounts and who calls for
 * them, keyd in memory (tests/fake/custody_fake.h), and the real services over
 * both.  As a cmocka fixture; aborts the test on failure.
 */
#define DESK_ZONE "edge.example.net"
#define DAY_S 86400

struct desk {
	char folder[64];
	struct store *store;
	struct custody *custody;
	struct certificates *certificates;
	struct resources *resources;
	struct api *api;
	int64_t acme, other;  /* accounts */
	struct api_call call; /* of the last act; its why */
	/* How far edges are, as edges_convergence tells in these tests. */
	struct edges_convergence *edges;
};

/* Operator; administrators of acme and of other; viewer of acme. */
extern struct caller desk_operator, desk_alice, desk_bob, desk_viewer;

/* Two networks: standard (groups web, api) and enhanced (group vault). */
extern const struct networks desk_networks;

int desk_set_up(void **state);     /* the store alone */
int desk_set_up_all(void **state); /* and the services */
int desk_tear_down(void **state);
/* Of the store alone: add the services, with what obtains certificates for
 * resources, or NULL. */
struct enrollments;
void desk_set_up_services(struct desk *desk, struct enrollments *enrollments);

/* ---- rows, put there without any service ---- */

struct desk_certificate {
	int64_t account;        /* 0: acme */
	int kind;               /* 0: personal */
	enum key_alg alg;       /* 0: EC P-256 */
	const char *name;       /* NULL: "cert" */
	const char *hostnames;  /* separated by blanks */
	const char *network;    /* NULL: "standard" */
	int from_days, to_days; /* from now; 0 and 0: -1 and 90 */
	int64_t scope;          /* 0: all */
	bool is_at_keyd;        /* a real key there */
	int64_t same_key;       /* as this certificate's */
};
int64_t desk_certificate(struct desk *desk, struct desk_certificate facts);

/* HTTPS on, group web, without a certificate. */
int64_t desk_resource(struct desk *desk, int64_t account, const char *name,
    const char *hostnames, int mode);

/* ---- questions ---- */

int64_t desk_number(struct desk *desk, const char *sql);
bool desk_bound(struct desk *desk, int64_t resource, int64_t certificate);

/* ---- acts of the store, each in a transaction of its own ---- */

struct status desk_bind(struct desk *desk, struct caller *caller,
    int64_t resource, const int64_t *certificates, size_t n);
struct status desk_bind_one(struct desk *desk, struct caller *caller,
    int64_t resource, int64_t certificate);

/* ---- calls of the services ---- */

/* desk_x_request(): all at their defaults.  The macros of protobuf-c cast const
 * away, which is a warning with clang. */
#define DESK_MESSAGE(lower, name)                                              \
	static inline Holdfast__Certd__V1__##name desk_##lower(void)           \
	{                                                                      \
		Holdfast__Certd__V1__##name message;                           \
                                                                               \
		holdfast__certd__v1__##lower##__init(&message);                \
		return message;                                                \
	}
DESK_MESSAGE(bind_request, BindRequest)
DESK_MESSAGE(certificate_parts, CertificateParts)
DESK_MESSAGE(create_resource_request, CreateResourceRequest)
DESK_MESSAGE(delete_resource_request, DeleteResourceRequest)
DESK_MESSAGE(get_resource_request, GetResourceRequest)
DESK_MESSAGE(list_resources_request, ListResourcesRequest)
DESK_MESSAGE(origin, Origin)
DESK_MESSAGE(replace_certificate_request, ReplaceCertificateRequest)
DESK_MESSAGE(unbind_request, UnbindRequest)
DESK_MESSAGE(update_resource_request, UpdateResourceRequest)
DESK_MESSAGE(upload_certificate_request, UploadCertificateRequest)

/* "Resources/Create"; *ret_reply by message_free. */
struct status desk_ask(struct desk *desk, struct caller *caller,
    const char *method, const void *request, void *ret_reply);
/* The same on any thread, with a call of its own. */
struct status desk_ask_with(struct desk *desk, struct api_call *call,
    const char *method, const void *request, void *ret_reply);

#endif
