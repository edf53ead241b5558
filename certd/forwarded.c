/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One pass from left to right: whoever is named last and is no proxy of ours is
 * the client, and what stood before is forgotten; so no list is kept, and none
 * is too long: nobody hides behind many that are made up.  X-Forwarded-For is a
 * list of addresses, with or without ports; Forwarded is a list of elements of
 * pairs, whose values may be quoted.  A line of Forwarded that cannot be read
 * to its end names nobody: behind a quote that a stranger left open nothing is
 * sure.
 */

#include "certd/forwarded.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* "[" IPv6 "]:" port, or what a port may be called. */
#define VALUE_MAX 80
#define NAME_MAX 16
#define V4_BITS 32
#define V6_BITS 128
#define MAPPED_BITS 96

#define DIGITS "0123456789"
static const char BLANKS[] = " \t";

/* ---- addresses ---- */

/* An IPv6 address that is an IPv4 one is that. */
static void
unmap(union address *address)
{
	struct in_addr v4;

	if (address->any.sa_family != AF_INET6 ||
	    !IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr))
		return;
	memcpy(&v4, address->v6.sin6_addr.s6_addr + 12, sizeof(v4));
	memset(address, 0, sizeof(*address));
	address->v4.sin_family = AF_INET;
	address->v4.sin_addr = v4;
}

static bool
parse_ip(const char *text, union address *ret_address)
{
	union address address;

	memset(&address, 0, sizeof(address));
	if (inet_pton(AF_INET, text, &address.v4.sin_addr) == 1)
		address.v4.sin_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &address.v6.sin6_addr) == 1)
		address.v6.sin6_family = AF_INET6;
	else
		return false;
	*ret_address = address;
	return true;
}

/* ":4711", ":_name" (RFC 7239 6), or none; it is not used. */
static bool
is_port(const char *text)
{
	size_t len = text[0] == 0 ? 0 : strlen(text + 1);

	if (text[0] == 0)
		return true;
	if (text[0] != ':' || len == 0)
		return false;
	if (text[1] == '_')
		return strspn(text + 2,
			   DIGITS "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-") == len - 1;
	return len <= 5 && strspn(text + 1, DIGITS) == len;
}

/* "192.0.2.7", "192.0.2.7:80", "2001:db8::7", "[2001:db8::7]:80"; neither
 * "unknown" nor a name. */
static bool
parse_node(const char *text, union address *ret_address)
{
	const char *end;
	char ip[VALUE_MAX];

	if (!parse_ip(text, ret_address)) {
		bool bracket = text[0] == '[';

		end = strchr(text, bracket ? ']' : ':');
		if (end == NULL || !is_port(end + bracket))
			return false;
		text += bracket;
		memcpy(ip, text, (size_t)(end - text));
		ip[end - text] = 0;
		if (!parse_ip(ip, ret_address) ||
		    (ret_address->any.sa_family == AF_INET6) != bracket)
			return false;
	}
	unmap(ret_address);
	return true;
}

static bool
octets_of(const union address *address, uint8_t ret_octets[16])
{
	static const uint8_t MAPPED[12] = { [10] = 0xff, [11] = 0xff };
	bool is_v4 = address->any.sa_family == AF_INET;

	if (is_v4) {
		memcpy(ret_octets, MAPPED, sizeof(MAPPED));
		memcpy(ret_octets + 12, &address->v4.sin_addr, 4);
	} else {
		memcpy(ret_octets, &address->v6.sin6_addr, 16);
	}
	return is_v4;
}

/* ---- who is trusted ---- */

static bool
is_same(const uint8_t *one, const uint8_t *two, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(one, two, whole) == 0 &&
	       (rest == 0 || (one[whole] ^ two[whole]) >> (8 - rest) == 0);
}

static bool
has_bits_behind(const uint8_t octets[16], unsigned bits)
{
	for (unsigned i = bits; i < V6_BITS; i++)
		if ((octets[i / 8] >> (7 - i % 8) & 1) != 0)
			return true;
	return false;
}

/* The prefix as of an IPv6 address; 0: it is none. */
static unsigned
parse_bits(const char *slash, bool is_v4)
{
	unsigned offset = is_v4 ? MAPPED_BITS : 0, bits;
	size_t len;

	if (*slash == 0)
		return V6_BITS;
	len = strlen(slash + 1);
	if (len == 0 || len > 3 || strspn(slash + 1, DIGITS) != len)
		return 0;
	bits = (unsigned)strtoul(slash + 1, NULL, 10);
	return bits == 0 || bits + offset > V6_BITS ? 0 : bits + offset;
}

bool
forwarded_trust_add(struct forwarded_trust *trust, const char *text)
{
	size_t len = strcspn(text, "/");
	char ip[INET6_ADDRSTRLEN];
	union address address;
	uint8_t octets[16];
	unsigned bits;
	bool is_v4;

	if (len >= sizeof(ip) || trust->n == FORWARDED_TRUST_MAX)
		return false;
	memcpy(ip, text, len);
	ip[len] = 0;
	if (!parse_ip(ip, &address))
		return false;
	is_v4 = octets_of(&address, octets);
	bits = parse_bits(text + len, is_v4);
	unmap(&address);
	is_v4 = octets_of(&address, octets);
	if (bits == 0 || has_bits_behind(octets, bits) ||
	    (is_v4 && bits <= MAPPED_BITS))
		return false;
	memcpy(trust->networks[trust->n].at, octets, sizeof(octets));
	trust->networks[trust->n].bits = bits;
	trust->networks[trust->n++].is_v4 = is_v4;
	return true;
}

bool
forwarded_trusts(
    const struct forwarded_trust *trust, const union address *address)
{
	uint8_t octets[16];
	bool is_v4 = octets_of(address, octets);

	for (size_t i = 0; i < trust->n; i++)
		if (trust->networks[i].is_v4 == is_v4 &&
		    is_same(
			trust->networks[i].at, octets, trust->networks[i].bits))
			return true;
	return false;
}

/* ---- what is heard ---- */

static void
hear_garbage(struct forwarded *forwarded)
{
	forwarded->heard = FORWARDED_GARBAGE;
	if (forwarded->header == FORWARDED_RFC7239)
		forwarded->is_https = false;
}

/* Somebody heard this one; in Forwarded is_https is of the same element. */
static void
hear(struct forwarded *forwarded, const char *node, bool is_https)
{
	union address address;

	if (!parse_node(node, &address))
		forwarded->heard = FORWARDED_GARBAGE;
	else if (forwarded->heard != FORWARDED_NOBODY &&
		 forwarded_trusts(forwarded->trust, &address))
		return; /* a proxy, which heard the one before */
	else {
		forwarded->heard = FORWARDED_CLIENT;
		forwarded->client = address;
	}
	if (forwarded->header == FORWARDED_RFC7239)
		forwarded->is_https = is_https;
}

/* ---- X-Forwarded-For ---- */

/* The next of a list, without blanks around; false: too long to be any. */
static bool
take_item(const char **at, char ret_item[VALUE_MAX])
{
	const char *from = *at + strspn(*at, BLANKS);
	size_t len = strcspn(from, ",");

	*at = from + len + (from[len] == ',');
	while (len > 0 && strchr(BLANKS, from[len - 1]) != NULL)
		len--;
	if (len >= VALUE_MAX)
		return false;
	memcpy(ret_item, from, len);
	ret_item[len] = 0;
	return true;
}

static void
take_addresses(struct forwarded *forwarded, const char *at)
{
	char item[VALUE_MAX];

	while (*at != 0) {
		if (!take_item(&at, item))
			hear_garbage(forwarded);
		else if (item[0] != 0) /* RFC 9110 5.6.1: or pass it over */
			hear(forwarded, item, false);
	}
}

/* One that is said once: who said another is not known. */
static void
take_protos(struct forwarded *forwarded, const char *at)
{
	char item[VALUE_MAX];

	while (*at != 0) {
		forwarded->is_https =
		    take_item(&at, item) && strcasecmp(item, "https") == 0;
		forwarded->n_protos++;
	}
}

/* ---- Forwarded (RFC 7239 4) ---- */

struct element {
	char node[VALUE_MAX], proto[VALUE_MAX];
	bool has_node, has_proto;
};

/* What the value is, "" when it is longer than any that is known.  False: it
 * does not end. */
static bool
take_quoted(const char **at, char ret_value[VALUE_MAX])
{
	const char *from = *at + 1;
	size_t n = 0;

	for (; *from != '"'; from++) {
		if (*from == '\\')
			from++;
		if (*from == 0)
			return false;
		if (n < VALUE_MAX)
			ret_value[n] = *from;
		n++;
	}
	ret_value[n < VALUE_MAX ? n : 0] = 0;
	*at = from + 1;
	return true;
}

/* Some write addresses with colons and brackets that should be quoted. */
static bool
take_plain(const char **at, char ret_value[VALUE_MAX])
{
	size_t len = strcspn(*at, "\",; \t");
	size_t kept = len < VALUE_MAX ? len : 0;

	memcpy(ret_value, *at, kept);
	ret_value[kept] = 0;
	*at += len;
	return len > 0;
}

static bool
keep(const char *value, char *to, bool *has)
{
	if (*has)
		return false;
	*has = true;
	memcpy(to, value, strlen(value) + 1);
	return true;
}

/* One pair or none. */
static bool
take_pair(const char **at, struct element *element)
{
	const char *name = *at + strspn(*at, BLANKS);
	size_t len = strcspn(name, "=\",; \t");
	char value[VALUE_MAX];

	*at = name + len;
	if (len == 0)
		return true; /* what follows is looked at by the caller */
	if (**at != '=')
		return false;
	(*at)++;
	if (!(**at == '"' ? take_quoted(at, value) : take_plain(at, value)))
		return false;
	if (len == 3 && strncasecmp(name, "for", len) == 0)
		return keep(value, element->node, &element->has_node);
	if (len == 5 && strncasecmp(name, "proto", len) == 0)
		return keep(value, element->proto, &element->has_proto);
	return true; /* by, host and others */
}

static bool
take_element(const char **at, struct element *ret_element)
{
	memset(ret_element, 0, sizeof(*ret_element));
	for (;;) {
		if (!take_pair(at, ret_element))
			return false;
		*at += strspn(*at, BLANKS);
		if (**at != ';')
			return **at == ',' || **at == 0;
		(*at)++;
	}
}

static void
take_elements(struct forwarded *forwarded, const char *at)
{
	struct element element;

	for (;;) {
		at += strspn(at, ", \t"); /* RFC 9110 5.6.1 */
		if (*at == 0)
			return;
		if (!take_element(&at, &element)) {
			hear_garbage(forwarded);
			return;
		}
		hear(forwarded, element.node,
		    strcasecmp(element.proto, "https") == 0);
	}
}

/* ---- one request ---- */

void
forwarded_init(struct forwarded *forwarded, const struct forwarded_trust *trust,
    enum forwarded_header header, const struct sockaddr *peer)
{
	union address *address = &forwarded->peer;
	const struct sockaddr_in *v4 = (const void *)peer;
	const struct sockaddr_in6 *v6 = (const void *)peer;

	memset(forwarded, 0, sizeof(*forwarded));
	forwarded->trust = trust;
	forwarded->header = header;
	address->any.sa_family = peer->sa_family;
	if (peer->sa_family == AF_INET6)
		address->v6.sin6_addr = v6->sin6_addr;
	else
		address->v4.sin_addr = v4->sin_addr;
	unmap(address);
	forwarded->is_peer_trusted = forwarded_trusts(trust, address);
}

void
forwarded_take(struct forwarded *forwarded, const char *name, const char *value)
{
	const bool is_x = forwarded->header == FORWARDED_X;

	if (!forwarded->is_peer_trusted)
		return;
	if (is_x && strcasecmp(name, "X-Forwarded-Proto") == 0)
		take_protos(forwarded, value);
	else if (is_x && strcasecmp(name, "X-Forwarded-For") == 0)
		take_addresses(forwarded, value);
	else if (!is_x && strcasecmp(name, "Forwarded") == 0)
		take_elements(forwarded, value);
}

const union address *
forwarded_client(const struct forwarded *forwarded)
{
	return forwarded->heard == FORWARDED_CLIENT ? &forwarded->client
						    : &forwarded->peer;
}

bool
forwarded_is_https(const struct forwarded *forwarded)
{
	return forwarded->is_https && (forwarded->header == FORWARDED_RFC7239 ||
					  forwarded->n_protos == 1);
}
