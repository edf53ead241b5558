/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes back of an update is read within bounds, and OK only with a good
 * signature.  In front of the answer are the request's MAC (32 octets) and the
 * time (8), so that the corpus can have answers that a real server signed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dns/resolver.h"
#include "dns/update_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEY "0123456789abcdef0123456789abcdef"
#define FRONT 40

static struct secret *
the_key(void)
{
	static struct secret *key;

	if (key == NULL) {
		key = secret_new(strlen(KEY));
		if (key == NULL)
			abort();
		memcpy(secret_at(key), KEY, strlen(KEY));
	}
	return key;
}

static uint64_t
number(const uint8_t *at)
{
	uint64_t value = 0;

	for (size_t i = 0; i < 8; i++)
		value = value << 8 | at[i];
	return value & INT64_MAX >> 2;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct dns_tsig tsig = { .name = "key256", .key = the_key() };
	struct dns_update update = { .server = "192.0.2.53:53",
		.zone = "example.org",
		.name = "_acme-challenge.example.org",
		.value = "v",
		.tsig = &tsig };
	struct update_message message = { .id = 4711, .mac.len = 32 };
	struct bytes answer = { data + FRONT, size - FRONT };
	struct tsig_seen seen;
	char why[DNS_WHY_MAX];
	int64_t now_s;
	bool is_cut;

	if (size < FRONT)
		return 0;
	memcpy(message.mac.at, data, 32);
	now_s = (int64_t)number(data + 32);
	(void)update_message_answers(&message, &update, answer, &is_cut);
	if (!failed(
		update_message_judge(&message, &update, answer, now_s, why)) &&
	    (failed(tsig_verify(&tsig, &message.mac, now_s, answer, &seen)) ||
		seen.verdict != TSIG_GOOD || seen.error != TSIG_OK))
		abort();
	update.tsig = NULL;
	(void)!failed(
	    update_message_judge(&message, &update, answer, now_s, why));
	return 0;
}
