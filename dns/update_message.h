/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_UPDATE_MESSAGE_H
#define DNS_UPDATE_MESSAGE_H

#include "base/bytes.h"
#include "base/status.h"
#include "dns/tsig.h"
#include "dns/update.h"
#include "dns/wire.h"

/* The messages of dynamic updates (RFC 2136), without a socket. */

#define UPDATE_MESSAGE_MAX 1536

struct update_message {
	uint8_t at[UPDATE_MESSAGE_MAX];
	size_t len;
	uint16_t id;
	struct tsig_mac mac; /* len 0: not signed */
};

/* INVALID_ARGUMENT with a sentence in ret_why. */
STATUS update_message_make(const struct dns_update *update, uint16_t id,
    int64_t now_s, struct update_message *ret_message, char *ret_why);

/* Is it an answer to the message at all, by id, kind and zone?  What is not is
 * to be passed over.  *ret_is_cut: ask again by TCP. */
bool update_message_answers(const struct update_message *message,
    const struct dns_update *update, struct bytes answer, bool *ret_is_cut);

/* What the answer means, as dns_update_send says it. */
STATUS update_message_judge(const struct update_message *message,
    const struct dns_update *update, struct bytes answer, int64_t now_s,
    char *ret_why);

#endif
