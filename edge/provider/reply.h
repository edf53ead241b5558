/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_PROVIDER_REPLY_H
#define EDGE_PROVIDER_REPLY_H

#include "base/bytes.h"
#include "base/signing.h"
#include "edge/sock.h"

/* What edged answered: a signature when code is 0, else text for people. */
struct reply {
	uint32_t code; /* enum status_code, 0..16 */
	size_t len;
	uint8_t at[SIGNATURE_MAX];
};

#define REPLY_MESSAGE_MAX (sizeof(struct sock_reply) + SIGNATURE_MAX)

/*
 * Read one message from edged as the answer to request id.  False when it is
 * not exactly that; ret_reply is then untouched.
 */
bool reply_parse(struct bytes message, uint32_t id, struct reply *ret_reply);

/*
 * Has this signature the shape TLS expects of its scheme?  size_max is the most
 * octets a signature by the key can have, as EVP_PKEY_get_size says it: RSA
 * fills it exactly, ECDSA is one DER SEQUENCE of two positive INTEGERs within
 * it, Ed25519 has 64.  Whether it verifies is for the peer to say.
 */
bool reply_signature_fits(
    enum sign_scheme scheme, size_t size_max, struct bytes signature);

#define REPLY_TEXT_MAX 256

/*
 * A refusal's text for a web server's log: printable ASCII on one line, '?' for
 * all else, cut to REPLY_TEXT_MAX with its terminating zero.
 */
void reply_text(const struct reply *reply, char ret_text[REPLY_TEXT_MAX]);

#endif
