/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any lines of a head, of both headers: the client is the peer or somebody whom
 * a line names; whatever stood before, the line that the proxy itself writes
 * behind it decides; and of a peer that is not trusted nothing is believed.
 * Lines end with '\n'; the first octet says which header.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "certd/forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const NAMES[] = { "X-Forwarded-For", "X-Forwarded-Proto",
	"Forwarded" };

static void
take_all(struct forwarded *forwarded, char *text)
{
	while (text != NULL) {
		char *end = strchr(text, '\n');
		const char *name = NAMES[(uint8_t)text[0] % 3];

		if (end != NULL)
			*end++ = 0;
		forwarded_take(forwarded, name, text[0] == 0 ? text : text + 1);
		text = end;
	}
}

static bool
is_client(const struct forwarded *forwarded, const char *want)
{
	const union address *address = forwarded_client(forwarded);
	char text[INET6_ADDRSTRLEN];

	if (address->any.sa_family == AF_INET)
		return inet_ntop(AF_INET, &address->v4.sin_addr, text,
			   sizeof(text)) != NULL &&
		       strcmp(text, want) == 0;
	if (address->any.sa_family != AF_INET6 ||
	    IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr))
		abort();
	return false;
}

static void
try_peer(const char *peer, enum forwarded_header header, char *text)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct forwarded_trust trust = { .n = 0 };
	struct forwarded forwarded;

	if (inet_pton(AF_INET, peer, &from.sin_addr) != 1 ||
	    !forwarded_trust_add(&trust, "127.0.0.1") ||
	    !forwarded_trust_add(&trust, "2001:db8::/32"))
		abort();
	forwarded_init(&forwarded, &trust, header, (const void *)&from);
	take_all(&forwarded, text);
	if (!forwarded.is_peer_trusted) {
		if (!is_client(&forwarded, peer) ||
		    forwarded_is_https(&forwarded))
			abort();
		return;
	}
	(void)is_client(&forwarded, peer);
	forwarded_take(&forwarded, NAMES[header == FORWARDED_X ? 0 : 2],
	    header == FORWARDED_X ? "203.0.113.7"
				  : "for=203.0.113.7;proto=https");
	if (!is_client(&forwarded, "203.0.113.7") ||
	    (header == FORWARDED_RFC7239 && !forwarded_is_https(&forwarded)))
		abort();
}

static void
try_trust(const char *text)
{
	struct forwarded_trust trust = { .n = 0 };
	union address all = { .v4 = { .sin_family = AF_INET } };

	if (!forwarded_trust_add(&trust, text))
		return;
	/* Not everybody. */
	if (forwarded_trusts(&trust, &all)) {
		all.v4.sin_addr.s_addr = 0xffffffff;
		if (forwarded_trusts(&trust, &all))
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const PEERS[] = { "127.0.0.1", "192.0.2.1" };
	enum forwarded_header header;
	char *text;

	if (size == 0)
		return 0;
	header = (data[0] & 1) != 0 ? FORWARDED_RFC7239 : FORWARDED_X;
	for (size_t i = 0; i < 2; i++) {
		text = malloc(size);
		if (text == NULL)
			abort();
		memcpy(text, data + 1, size - 1);
		text[size - 1] = 0;
		if (i == 0)
			try_trust(text);
		try_peer(PEERS[i], header, text);
		free(text);
	}
	return 0;
}
