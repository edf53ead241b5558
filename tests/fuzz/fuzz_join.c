/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Join files and state files come from other machines.  Whatever parses must
 * print and parse again to the same identity.
 */

#include <stdlib.h>
#include <string.h>

#include "rpc/member_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
round_trip(enum member_file_kind kind, const struct member_file *file)
{
	struct enroll_join join = { .ca_pem = file->ca,
		.endpoints = (const char *const *)file->endpoints.at,
		.n_endpoints = file->endpoints.len,
		.enroll_endpoints =
		    (const char *const *)file->enroll_endpoints.at,
		.n_enroll_endpoints = file->enroll_endpoints.len,
		.expires_s = (int64_t)file->expires_s };
	uint8_t secret[JOIN_SECRET_LEN] = { 0 };
	char error[CONF_ERROR_MAX];
	struct member_file again;
	char *text;

	if (kind == MEMBER_FILE_JOIN &&
	    !bytes_from_hex(file->secret, sizeof(secret), secret))
		abort();
	join.secret = (struct bytes){ secret, sizeof(secret) };
	memcpy(join.identity, file->identity, strlen(file->identity) + 1);
	memcpy(join.domain, file->id.domain, sizeof(join.domain));
	if (failed(member_file_print(kind, &join, &text)) ||
	    failed(member_file_parse(
		kind, "again", text, strlen(text), &again, error)) ||
	    strcmp(again.identity, file->identity) != 0 ||
	    again.endpoints.len != file->endpoints.len ||
	    again.expires_s != file->expires_s)
		abort();
	member_file_done(kind, &again);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum member_file_kind kinds[] = { MEMBER_FILE_JOIN,
		MEMBER_FILE_STATE };
	char error[CONF_ERROR_MAX];

	if (size > MEMBER_FILE_MAX)
		return 0;
	for (size_t i = 0; i < 2; i++) {
		struct member_file file;

		if (failed(member_file_parse(kinds[i], "input",
			(const char *)data, size, &file, error)))
			continue;
		round_trip(kinds[i], &file);
		member_file_done(kinds[i], &file);
	}
	return 0;
}
