/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An update of one TXT record, and what its answer means.  Adding names no
 * prerequisite, and removing names the one record by its value (RFC 2136
 * 2.5.4), so both may be done twice.  With a key, OK counts only when the
 * server's own signature says so; a refusal is a refusal, signed or not.
 */

#include "dns/update_message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define OPCODE_UPDATE 5
#define VALUE_MAX 255

enum {
	NOERROR = 0,
	FORMERR = 1,
	SERVFAIL = 2,
	NOTIMP = 4,
	REFUSED = 5,
	NOTAUTH = 9,
	NOTZONE = 10
};

__attribute__((format(printf, 3, 4))) static struct status
fail(enum status_code code, char *ret_why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)!vsnprintf(ret_why, DNS_WHY_MAX, format, args);
	va_end(args);
	return status_fail(code, "a DNS update was not done");
}

/* --- The message ------------------------------------------------------------
 */

/* Is name the zone's, or below it? */
static bool
is_below(const char *name, const char *zone)
{
	for (const char *at = name; at != NULL; at = wire_parent(at))
		if (wire_same_name(at, zone))
			return true;
	return false;
}

static void
put_update(const struct dns_update *update, uint16_t id, struct wire_writer *to)
{
	const struct wire_header header = {
		.id = id, .flags = OPCODE_UPDATE << 11, .counts = { 1, 0, 1, 0 }
	};
	struct bytes value = bytes_of(update->value);

	wire_put_header(to, &header);
	wire_put_name(to, update->zone);
	wire_put_u16(to, DNS_SOA);
	wire_put_u16(to, WIRE_CLASS_IN);
	wire_put_name(to, update->name);
	wire_put_u16(to, DNS_TXT);
	wire_put_u16(to, update->is_removal ? WIRE_CLASS_NONE : WIRE_CLASS_IN);
	wire_put_u32(to, update->is_removal ? 0 : update->ttl_s);
	wire_put_u16(to, (uint16_t)(value.len + 1));
	wire_put_u8(to, (uint8_t)value.len);
	wire_put(to, value);
}

STATUS
update_message_make(const struct dns_update *update, uint16_t id, int64_t now_s,
    struct update_message *ret_message, char *ret_why)
{
	struct update_message message = { .id = id };
	struct wire_writer to = { .at = message.at, .max = sizeof(message.at) };
	size_t len = strlen(update->value);
	struct status st;

	if (len == 0 || len > VALUE_MAX)
		return fail(STATUS_INVALID_ARGUMENT, ret_why,
		    "a TXT record's value has 1 to %d octets, not %zu",
		    VALUE_MAX, len);
	put_update(update, id, &to);
	if (to.is_bad)
		return fail(STATUS_INVALID_ARGUMENT, ret_why,
		    "%.150s or %.100s is no DNS name", update->name,
		    update->zone);
	if (!is_below(update->name, update->zone))
		return fail(STATUS_INVALID_ARGUMENT, ret_why,
		    "%.150s is not in the zone %.150s", update->name,
		    update->zone);
	if (update->tsig != NULL) {
		st = tsig_sign(update->tsig, now_s, &to, &message.mac);
		if (failed(st))
			return fail(st.code, ret_why, "%s", st.why);
	}
	message.len = to.len;
	*ret_message = message;
	return status_ok();
}

/* --- Is it ours? ------------------------------------------------------------
 */

bool
update_message_answers(const struct update_message *message,
    const struct dns_update *update, struct bytes answer, bool *ret_is_cut)
{
	struct wire_reader reader = { answer, 0 };
	struct wire_header header;
	char zone[DNS_NAME_MAX];
	uint16_t type, class;

	if (!wire_take_header(&reader, &header) || header.id != message->id ||
	    (header.flags & WIRE_FLAG_QR) == 0 ||
	    wire_opcode(&header) != OPCODE_UPDATE || header.counts[0] > 1)
		return false;
	/* RFC 2136 3.8: the zone section may be left out. */
	if (header.counts[0] == 1 &&
	    (!wire_take_question(&reader, zone, &type, &class) ||
		!wire_same_name(zone, update->zone) || type != DNS_SOA ||
		class != WIRE_CLASS_IN))
		return false;
	*ret_is_cut = (header.flags & WIRE_FLAG_TC) != 0;
	return true;
}

/* --- What it means ----------------------------------------------------------
 */

static void
print_time(int64_t seconds, char ret_text[CLOCK_TEXT_MAX])
{
	/* What no clock shows is shown as the end of what they do. */
	const int64_t max = INT64_MAX / NS_PER_S;

	clock_print((seconds < max ? seconds : max) * NS_PER_S, ret_text);
	/* Milliseconds would be made up. */
	memcpy(ret_text + strlen("2026-01-02T03:04:05"), "Z", 2);
}

static struct status
say_clocks(const char *server, int64_t theirs_s, int64_t ours_s, char *ret_why)
{
	char theirs[CLOCK_TEXT_MAX], ours[CLOCK_TEXT_MAX];

	print_time(theirs_s, theirs);
	print_time(ours_s, ours);
	return fail(STATUS_FAILED_PRECONDITION, ret_why,
	    "BADTIME: the clock of %s says %s and ours %s; more than %d s "
	    "apart no signature counts: set the clock that is wrong (NTP)",
	    server, theirs, ours, TSIG_FUDGE_S);
}

static struct status
say_tsig_error(const struct dns_update *update, const struct tsig_seen *seen,
    int64_t now_s, char *ret_why)
{
	const char *key = update->tsig->name;

	switch (seen->error) {
	case TSIG_BADKEY:
		return fail(STATUS_UNAUTHENTICATED, ret_why,
		    "BADKEY: %s knows no key %.120s with %s: check the key's "
		    "name and algorithm here and there",
		    update->server, key,
		    tsig_algorithm_name(update->tsig->algorithm));
	case TSIG_BADSIG:
		return fail(STATUS_UNAUTHENTICATED, ret_why,
		    "BADSIG: the key %.120s is another one at %s: check that "
		    "the secret is the same here and there",
		    key, update->server);
	case TSIG_BADTIME:
		return say_clocks(update->server,
		    seen->server_s != 0 ? seen->server_s : seen->signed_s,
		    now_s, ret_why);
	default:
		return fail(STATUS_UNAUTHENTICATED, ret_why,
		    "%s takes no signature by the key %.120s (TSIG error %u)",
		    update->server, key, seen->error);
	}
}

static struct status
say_refused(const struct dns_update *update, char *ret_why)
{
	if (update->tsig == NULL)
		return fail(STATUS_PERMISSION_DENIED, ret_why,
		    "REFUSED: %s allows nobody without a key to update "
		    "%.150s: configure a TSIG key",
		    update->server, update->zone);
	return fail(STATUS_PERMISSION_DENIED, ret_why,
	    "REFUSED: %s does not allow the key %.80s to update TXT at %.120s: "
	    "grant it that (BIND: update-policy of the zone)",
	    update->server, update->tsig->name, update->name);
}

static struct status
say_rcode(const struct dns_update *update, unsigned rcode, char *ret_why)
{
	switch (rcode) {
	case NOERROR:
		return status_ok();
	case FORMERR:
		return fail(STATUS_FAILED_PRECONDITION, ret_why,
		    "FORMERR: %s cannot read updates", update->server);
	case SERVFAIL:
		return fail(STATUS_UNAVAILABLE, ret_why,
		    "SERVFAIL: %s failed with an update of %.150s: look into "
		    "its log; can it write the zone's files?",
		    update->server, update->zone);
	case NOTIMP:
		return fail(STATUS_FAILED_PRECONDITION, ret_why,
		    "NOTIMP: %s takes no updates", update->server);
	case REFUSED:
		return say_refused(update, ret_why);
	case NOTAUTH:
		return fail(STATUS_FAILED_PRECONDITION, ret_why,
		    "NOTAUTH: %s is no primary server of the zone %.150s: "
		    "check the server and the zone",
		    update->server, update->zone);
	case NOTZONE:
		return fail(STATUS_FAILED_PRECONDITION, ret_why,
		    "NOTZONE: %.120s is not in the zone %.100s, says %s",
		    update->name, update->zone, update->server);
	default:
		return fail(STATUS_FAILED_PRECONDITION, ret_why,
		    "%s refuses an update of %.120s: %s", update->server,
		    update->zone, dns_code_name((enum dns_code)rcode));
	}
}

static struct status
say_unproven(const struct dns_update *update, const char *what, char *ret_why)
{
	return fail(STATUS_UNAUTHENTICATED, ret_why,
	    "the answer of %s %s: what it says does not count; is it the "
	    "server that has the key %.120s?",
	    update->server, what, update->tsig->name);
}

static struct status
judge_signed(const struct dns_update *update, const struct tsig_seen *seen,
    unsigned rcode, int64_t now_s, char *ret_why)
{
	switch (seen->verdict) {
	case TSIG_GOOD:
		if (seen->error != TSIG_OK)
			break;
		return say_rcode(update, rcode, ret_why);
	case TSIG_ABSENT:
		/* Who has no idea of TSIG may refuse, but not agree. */
		if (rcode != NOERROR)
			return say_rcode(update, rcode, ret_why);
		return say_unproven(update, "is not signed", ret_why);
	case TSIG_UNSIGNED:
		if (seen->error == TSIG_OK)
			return say_unproven(update, "is not signed", ret_why);
		break;
	case TSIG_STALE:
		if (seen->error != TSIG_OK)
			break;
		return say_clocks(
		    update->server, seen->signed_s, now_s, ret_why);
	case TSIG_FOREIGN:
		return say_unproven(
		    update, "is signed with another key", ret_why);
	case TSIG_FORGED:
		return say_unproven(
		    update, "has a signature that is not good", ret_why);
	case TSIG_MALFORMED:
	default:
		return say_unproven(update, "cannot be read", ret_why);
	}
	return say_tsig_error(update, seen, now_s, ret_why);
}

STATUS
update_message_judge(const struct update_message *message,
    const struct dns_update *update, struct bytes answer, int64_t now_s,
    char *ret_why)
{
	struct wire_reader reader = { answer, 0 };
	struct wire_header header;
	struct tsig_seen seen;
	struct status st;

	if (!wire_take_header(&reader, &header))
		return fail(STATUS_UNAVAILABLE, ret_why,
		    "the answer of %s cannot be read", update->server);
	if (update->tsig == NULL)
		return say_rcode(update, wire_rcode(&header), ret_why);
	st = tsig_verify(update->tsig, &message->mac, now_s, answer, &seen);
	if (failed(st))
		return fail(st.code, ret_why, "%s", st.why);
	return judge_signed(update, &seen, wire_rcode(&header), now_s, ret_why);
}
