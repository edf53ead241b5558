/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_SOCK_H
#define EDGE_SOCK_H

#include <stdint.h>

#include "base/signing.h"

/*
 * What passes between the provider in a web server and edged on the same
 * machine: one request or reply a message on a unix SOCK_SEQPACKET socket, in
 * host byte order, this header followed by length octets.  No versions meet in
 * one message: magic names the version.
 */
#define SOCK_MAGIC_REQUEST UINT32_C(0x31515348) /* "HSQ1" */
#define SOCK_MAGIC_REPLY UINT32_C(0x31525348)   /* "HSR1" */

struct sock_request {
	uint32_t magic;
	uint32_t id;         /* echoed; a client may have several in flight */
	uint32_t timeout_ms; /* time left; 1..60000 */
	uint16_t scheme;     /* enum sign_scheme */
	uint16_t context;    /* enum sign_context */
	uint8_t key_id[KEY_ID_LEN];
	uint32_t
	    length; /* octets of content that follow, 1..SIGN_CONTENT_MAX */
	uint32_t zero;
};
_Static_assert(sizeof(struct sock_request) == 56, "no padding");

struct sock_reply {
	uint32_t magic;
	uint32_t id;
	uint32_t code; /* enum status_code */
	/* Octets that follow: the signature when code is 0, else text (UTF-8,
	 * not terminated) that says why; at most SIGNATURE_MAX. */
	uint32_t length;
};
_Static_assert(sizeof(struct sock_reply) == 16, "no padding");

#define SOCK_MESSAGE_MAX (sizeof(struct sock_request) + SIGN_CONTENT_MAX)
#define SOCK_PATH_DEFAULT "/run/holdfast/edged.sock"

#endif
