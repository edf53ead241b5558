/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_REQUEST_H
#define EDGE_REQUEST_H

#include "base/bytes.h"
#include "base/status.h"
#include "edge/sock.h"

/*
 * Read one message that a web server sent.  INVALID_ARGUMENT says what is wrong
 * with it; nothing is written then.  ret_content borrows from message.
 */
STATUS request_parse(struct bytes message, struct sock_request *ret_request,
    struct bytes *ret_content);

/*
 * The id to answer a message with that request_parse refused; false when it is
 * not even a request's header, so there is nobody to answer.
 */
bool request_id(struct bytes message, uint32_t *ret_id);

#define REPLY_MAX (sizeof(struct sock_reply) + SIGNATURE_MAX)

/*
 * Write one reply, body cut at SIGNATURE_MAX octets (text between characters).
 * Returns its octets; ret_message holds REPLY_MAX.
 */
size_t reply_write(uint32_t id, enum status_code code, struct bytes body,
    uint8_t *ret_message);

#endif
