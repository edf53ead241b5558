/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_HTTP_REPLY_H
#define EDGE_HTTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

/*
 * What an HTTP/1 server answered (RFC 9112), as far as a probe wants to know:
 * the status, where it sends to, and how the body begins.
 */

#define HTTP_REPLY_BODY_MAX 64
#define HTTP_REPLY_LOCATION_MAX 160

struct http_reply {
	unsigned status;                        /* 200 to 599 */
	char location[HTTP_REPLY_LOCATION_MAX]; /* "": none; as it came, cut */
	size_t body_len;                        /* of what is kept of it */
	char body[HTTP_REPLY_BODY_MAX];
};

enum http_reply_state {
	HTTP_REPLY_MORE, /* it goes on */
	HTTP_REPLY_DONE, /* as much of it is there as is kept */
	HTTP_REPLY_BAD,  /* it is none */
};

/* Of all octets that have come; is_end: no more will.  ret_reply is set when it
 * is DONE. */
enum http_reply_state http_reply_parse(
    struct bytes octets, bool is_end, struct http_reply *ret_reply);

#endif
