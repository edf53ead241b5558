/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_WEBHOOK_SEND_H
#define CERTD_NOTICES_WEBHOOK_SEND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/status.h"

/*
 * Webhooks on their way: a JSON body by POST over HTTPS, signed, to where a
 * person of an account said.  No redirects, no proxies; private addresses, and
 * others that nobody on the internet has, are not connected to, whatever DNS
 * says at that moment.  Any thread, several at once.
 *
 * Its header, beside Content-Type: application/json:
 *   Holdfast-Signature: t=UNIX,v1=HEX   HEX is HMAC-SHA256, keyed by the
 *                                       webhook's secret, of "UNIX." and the
 *                                       body; UNIX is now, against replay
 *   Holdfast-Event: what happened
 *   Holdfast-Delivery: the same for each attempt
 */
struct webhook_sender;

struct webhook_send_config {
	const char *ca_pem;  /* whom to trust; NULL: the system's list, read by
				webhook_send_new */
	bool allow_private;  /* addresses */
	bool allow_plain;    /* http:// to loopback, whatever allow_private says
			      */
	unsigned timeout_ms; /* of a delivery; 0: 10 s */
	unsigned connections; /* at most at once, and kept; more wait */
};

/* FAILED_PRECONDITION (trusted certificates), RESOURCE_EXHAUSTED. */
STATUS webhook_send_new(const struct webhook_send_config *config,
    struct webhook_sender **ret_sender);
/* While nobody sends.  NULL is allowed. */
void webhook_send_free(struct webhook_sender *sender);
SCOPED_RELEASE(webhook_send_free, struct webhook_sender *);

/* May a webhook have this URL?  INVALID_ARGUMENT, with a sentence ("url must
 * ..."), also for an address that is not connected to; names are looked up when
 * it is sent to. */
#define WEBHOOK_URL_MAX 1024 /* octets, with the zero */
STATUS webhook_send_check(const struct webhook_sender *sender, const char *url);

enum webhook_end {
	WEBHOOK_SENT,      /* 2xx */
	WEBHOOK_PERMANENT, /* 4xx but 408, 425 and 429; http_status 410: the
			      receiver wants no more */
	WEBHOOK_TEMPORARY  /* try again later */
};

#define WEBHOOK_WHY_MAX 201 /* 200 octets and a zero */

struct webhook_result {
	enum webhook_end end;
	int http_status;           /* 0: there was no answer */
	int64_t retry_after_ms;    /* 0..86400000; -1: not said */
	char why[WEBHOOK_WHY_MAX]; /* fit to be seen; "" when it was sent */
};

struct webhook_delivery {
	const char *url;
	struct bytes secret; /* at least 16 octets */
	const char *event;   /* 1..64 of A-Z a-z 0-9 . - _, as is id */
	const char *id;
	struct bytes body; /* JSON, at most 64 KiB */
};

/* Blocks up to the time-out, and as long again while all connections are busy.
 * What is answered beside status and Retry-After is not looked at. */
void webhook_send_post(struct webhook_sender *sender,
    const struct webhook_delivery *delivery, struct webhook_result *ret_result);

#endif
