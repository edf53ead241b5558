/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACME_OBJECTS_H
#define ACME_OBJECTS_H

#include "acme/client.h"
#include "acme/json.h"
#include "base/bytes.h"
#include "base/status.h"

/*
 * The objects of RFC 8555 7.1 and RFC 9773 4.2 out of the bodies of answers:
 * pure functions of foreign octets.  origin is the directory's URL.  Each
 * refuses with INVALID_ARGUMENT and a sentence that begins with "it" or "its".
 */

enum acme_resource {
	ACME_NEW_NONCE,
	ACME_NEW_ACCOUNT,
	ACME_NEW_ORDER,
	ACME_REVOKE_CERT, /* from here on perhaps empty */
	ACME_KEY_CHANGE,
	ACME_RENEWAL_INFO,
	ACME_RESOURCES
};
const char *acme_objects_resource_name(enum acme_resource resource);

struct acme_objects_directory {
	struct acme_directory public;
	char urls[ACME_RESOURCES][ACME_URL_MAX];
};
STATUS acme_objects_directory(struct bytes body, const char *origin,
    struct acme_objects_directory *ret_directory,
    char ret_why[ACME_JSON_WHY_MAX]);

struct acme_objects_account {
	enum acme_status status;
	char orders[ACME_URL_MAX]; /* empty: the CA keeps no list */
};
STATUS acme_objects_account(struct bytes body, const char *origin,
    struct acme_objects_account *ret_account, char ret_why[ACME_JSON_WHY_MAX]);

/* Its url and retry_after_ms are not in the body: empty and -1. */
STATUS acme_objects_order(struct bytes body, const char *origin,
    struct acme_order *ret_order, char ret_why[ACME_JSON_WHY_MAX]);
/* The same without retry_after_ms. */
STATUS acme_objects_authorization(struct bytes body, const char *origin,
    struct acme_authorization *ret_authorization,
    char ret_why[ACME_JSON_WHY_MAX]);
/* A challenge alone: its status. */
STATUS acme_objects_challenge(struct bytes body, const char *origin,
    enum acme_status *ret_status, char ret_why[ACME_JSON_WHY_MAX]);

/* A page of an orders list (7.1.2.1); each is called with each URL. */
#define ACME_OBJECTS_PAGE_MAX 10000
STATUS acme_objects_orders(struct bytes body, const char *origin,
    void (*each)(void *ctx, const char *url), void *ctx,
    char ret_why[ACME_JSON_WHY_MAX]);

/* Without retry_after_s. */
STATUS acme_objects_renewal_info(struct bytes body,
    struct acme_renewal_info *ret_info, char ret_why[ACME_JSON_WHY_MAX]);

#endif
