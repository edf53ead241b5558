/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any Cookie header: what is found in it stands there behind our name, once,
 * and is a secret or none; the same header with ours behind it is refused when
 * it had one, and gives ours when it had none.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/login/login_secret.h"
#include "certd/login/session_cookie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAME SESSION_COOKIE

static void
check_found(const char *header, const char *value)
{
	char pair[SESSION_COOKIE_VALUE_MAX + sizeof(NAME) + 1];
	uint8_t hash[LOGIN_SECRET_HASH_LEN];

	snprintf(pair, sizeof(pair), NAME "=%s", value);
	if (strlen(value) >= SESSION_COOKIE_VALUE_MAX ||
	    strstr(header, pair) == NULL || strchr(value, ';') != NULL)
		abort();
	if (login_secret_hash(value, hash) && strlen(value) != LOGIN_SECRET_LEN)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char value[SESSION_COOKIE_VALUE_MAX], again[SESSION_COOKIE_VALUE_MAX];
	char *header = malloc(size + 32);
	struct status st, more;

	if (header == NULL)
		abort();
	memcpy(header, data, size);
	header[size] = 0;
	size = strlen(header);
	st = session_cookie_find(header, NAME, value);
	if (!failed(st))
		check_found(header, value);
	memcpy(header + size, "; " NAME "=x", sizeof("; " NAME "=x"));
	more = session_cookie_find(header, NAME, again);
	if (st.code == STATUS_NOT_FOUND
		? failed(more) || strcmp(again, "x") != 0
		: more.code != STATUS_INVALID_ARGUMENT)
		abort();
	free(header);
	return 0;
}
