/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A member's YAML files as text and on disk.  Everything in them is checked
 * both when it is read and before it is written, since the parts of a join file
 * come over the network: identities by their grammar, endpoints as host:port,
 * the CA as certificates that OpenSSL can read and nothing else.  Secrets are
 * only ever in files that their owner alone may read.
 */

#include "rpc/member_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/scoped.h"
#include "rpc/member_key.h"

#define ENDPOINTS_MAX 16
#define ENDPOINT_LEN_MAX 255

#define COMMON_FIELDS(name)                                                    \
	{ .key = "format",                                                     \
		.type = CONF_CHOICE,                                           \
		.offset = offsetof(struct member_file, format),                \
		.required = true,                                              \
		.choices = (const char *const[]){ name, NULL },                \
		.help = "What this file is, and its version." },               \
	    { .key = "identity",                                               \
		    .type = CONF_STRING,                                       \
		    .offset = offsetof(struct member_file, identity),          \
		    .required = true,                                          \
		    .min = 1,                                                  \
		    .max = SPIFFE_ID_MAX - 1,                                  \
		    .help = "The member's SPIFFE ID." },                       \
	    { .key = "endpoints",                                              \
		    .type = CONF_STRINGS,                                      \
		    .offset = offsetof(struct member_file, endpoints),         \
		    .required = true,                                          \
		    .min = 1,                                                  \
		    .max = ENDPOINTS_MAX,                                      \
		    .help = "host:port of each keyd." },                       \
	{                                                                      \
		.key = "ca", .type = CONF_STRING,                              \
		.offset = offsetof(struct member_file, ca), .required = true,  \
		.min = 1, .max = MEMBER_FILE_MAX,                              \
		.help = "PEM of the identity CA."                              \
	}

static const struct conf_field join_fields[] = {
	COMMON_FIELDS("holdfast-join-v1"),
	{ .key = "enroll_endpoints",
	    .type = CONF_STRINGS,
	    .offset = offsetof(struct member_file, enroll_endpoints),
	    .required = true,
	    .min = 1,
	    .max = ENDPOINTS_MAX,
	    .help = "host:port of each keyd's enrollment port." },
	{ .key = "expires_s",
	    .type = CONF_UINT,
	    .offset = offsetof(struct member_file, expires_s),
	    .required = true,
	    .min = 1,
	    .max = INT64_MAX / 1000000000,
	    .help = "When the secret expires, seconds since 1970 UTC." },
	{ .key = "secret",
	    .type = CONF_STRING,
	    .offset = offsetof(struct member_file, secret),
	    .required = true,
	    .min = 2 * JOIN_SECRET_LEN,
	    .max = 2 * JOIN_SECRET_LEN,
	    .help = "The one-time secret, hexadecimal." },
	{ .key = NULL },
};

static const struct conf_field state_fields[] = {
	COMMON_FIELDS("holdfast-member-v1"),
	{ .key = NULL },
};

static const struct conf_field *
fields_of(enum member_file_kind kind)
{
	return kind == MEMBER_FILE_JOIN ? join_fields : state_fields;
}

/* "host:port" or "[v6]:port", and nothing that gRPC might take for a scheme. */
static bool
endpoint_ok(const char *text)
{
	const char *colon = strrchr(text, ':');
	const bool v6 = text[0] == '[';
	size_t host;
	unsigned port = 0;

	if (colon == NULL || strlen(text) > ENDPOINT_LEN_MAX)
		return false;
	host = (size_t)(colon - text);
	if (host == 0 || (v6 && (host < 4 || text[host - 1] != ']')))
		return false;
	if (strspn(text + v6, v6 ? "0123456789abcdefABCDEF:."
				 : "0123456789abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-_") !=
	    host - 2 * v6)
		return false;
	for (const char *at = colon + 1; *at != '\0'; at++) {
		if (*at < '0' || *at > '9' || at - colon > 5)
			return false;
		port = port * 10 + (unsigned)(*at - '0');
	}
	return port >= 1 && port <= 65535;
}

static bool
endpoints_ok(const char *const *at, size_t n)
{
	if (n == 0 || n > ENDPOINTS_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!endpoint_ok(at[i]))
			return false;
	return true;
}

/* What is wrong with the parts that the schema cannot judge; NULL: nothing. */
static const char *
check(enum member_file_kind kind, struct member_file *file)
{
	uint8_t secret[JOIN_SECRET_LEN];
	bool hex;

	if (failed(spiffe_parse(file->identity, &file->id)))
		return "identity is not spiffe://domain/role/name";
	if (!endpoints_ok(
		(const char *const *)file->endpoints.at, file->endpoints.len))
		return "endpoints must be host:port each";
	if (!member_ca_ok(file->ca))
		return "ca is not the PEM of a certificate authority";
	if (kind == MEMBER_FILE_STATE)
		return NULL;
	if (!endpoints_ok((const char *const *)file->enroll_endpoints.at,
		file->enroll_endpoints.len))
		return "enroll_endpoints must be host:port each";
	hex = bytes_from_hex(file->secret, JOIN_SECRET_LEN, secret);
	OPENSSL_cleanse(secret, sizeof(secret));
	return hex ? NULL : "secret is not 64 hexadecimal digits";
}

void
member_file_done(enum member_file_kind kind, struct member_file *file)
{
	if (file->secret != NULL)
		OPENSSL_cleanse(file->secret, strlen(file->secret));
	conf_free(fields_of(kind), file);
}

struct status
member_file_parse(enum member_file_kind kind, const char *name,
    const char *text, size_t len, struct member_file *ret_file,
    char ret_error[CONF_ERROR_MAX])
{
	struct member_file file = { 0 };
	const char *wrong;
	struct status st;

	st = conf_parse(name, text, len, fields_of(kind), &file, ret_error);
	if (failed(st))
		return st;
	wrong = check(kind, &file);
	if (wrong != NULL) {
		snprintf(ret_error, CONF_ERROR_MAX, "%.256s: %s", name, wrong);
		member_file_done(kind, &file);
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "the file does not say what it must");
	}
	*ret_file = file;
	return status_ok();
}

static void
print_list(FILE *out, const char *key, const char *const *at, size_t n)
{
	fprintf(out, "%s:\n", key);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "  - \"%s\"\n", at[i]);
}

/* As a YAML block; member_ca_print has left nothing but PEM lines. */
static void
print_ca(FILE *out, const char *pem)
{
	fputs("ca: |\n", out);
	while (*pem != '\0') {
		size_t line = strcspn(pem, "\n");

		fprintf(out, "  %.*s\n", (int)line, pem);
		pem += line + (pem[line] == '\n');
	}
}

static void
print_secret(FILE *out, const struct enroll_join *join)
{
	char hex[2 * JOIN_SECRET_LEN + 1];

	bytes_to_hex(join->secret, hex);
	fprintf(out, "expires_s: %lld\n", (long long)join->expires_s);
	fprintf(out, "secret: \"%s\"\n", hex);
	OPENSSL_cleanse(hex, sizeof(hex));
}

static void
print_head(
    FILE *out, enum member_file_kind kind, const struct enroll_join *join)
{
	char when[CLOCK_TEXT_MAX];

	if (kind == MEMBER_FILE_STATE) {
		fputs("format: holdfast-member-v1\n", out);
		return;
	}
	clock_print(join->expires_s * NS_PER_S, when);
	fprintf(out,
	    "# A Holdfast invitation, good once and until %s.\n"
	    "# Whoever holds it can become this identity: hand it over like a\n"
	    "# password, and use it with: edged join FILE (edges),\n"
	    "# certd join FILE (certd), or holdfast join FILE (operators and\n"
	    "# auditors).\n"
	    "format: holdfast-join-v1\n",
	    when);
}

struct status
member_file_print(
    enum member_file_kind kind, const struct enroll_join *join, char **ret_text)
{
	const bool is_join = kind == MEMBER_FILE_JOIN;
	scoped(free) char *ca = member_ca_print(join->ca_pem);
	struct spiffe id;
	char *text = NULL;
	size_t len;
	FILE *out;

	if (failed(spiffe_parse(join->identity, &id)) ||
	    strcmp(id.domain, join->domain) != 0 || ca == NULL ||
	    !endpoints_ok(join->endpoints, join->n_endpoints) ||
	    (is_join && (!endpoints_ok(join->enroll_endpoints,
			     join->n_enroll_endpoints) ||
			    join->secret.len != JOIN_SECRET_LEN ||
			    join->expires_s <= 0)))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "keyd's answer cannot be made into a join file: check "
		    "advertise and enroll_advertise in keyd's configuration");
	out = open_memstream(&text, &len);
	if (out == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	print_head(out, kind, join);
	fprintf(out, "identity: \"%s\"\n", join->identity);
	print_list(out, "endpoints", join->endpoints, join->n_endpoints);
	if (is_join) {
		print_list(out, "enroll_endpoints", join->enroll_endpoints,
		    join->n_enroll_endpoints);
		print_secret(out, join);
	}
	print_ca(out, ca);
	if (fclose(out) != 0) {
		free(text);
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	}
	*ret_text = text;
	return status_ok();
}
