/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_MESSAGE_H
#define DNS_MESSAGE_H

#include "base/bytes.h"
#include "base/status.h"
#include "dns/resolver.h"
#include "dns/wire.h"

/* Questions and answers (RFC 1035 4.1). */

/* What we take by UDP (RFC 6891 6.2.5); no fragments on any usual path. */
#define MESSAGE_UDP_MAX 1232
/* Of a question with its OPT record. */
#define MESSAGE_QUESTION_MAX 320

/* With recursion desired unless it is for one server alone.  Its last 11 octets
 * are the OPT record, as c-ares expects. */
void message_ask(
    const struct dns_question *question, uint16_t id, struct wire_writer *to);

/*
 * Read an answer: code, is_authoritative and records of ret_answer are set, the
 * rest is left alone.  One that is malformed, or no answer to question, gets
 * DNS_GARBAGE and no records.  Fails only for want of memory.
 */
STATUS message_read(struct bytes message, const struct dns_question *question,
    struct dns_answer *ret_answer);

/* A TXT record's value as struct dns_record has it. */
void message_print_txt(struct bytes value, char ret_text[DNS_TXT_MAX]);

#endif
