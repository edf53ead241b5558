/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RPC_MEMBER_FILE_H
#define RPC_MEMBER_FILE_H

#include <stddef.h>

#include "base/conf.h"
#include "base/spiffe.h"
#include "base/status.h"
#include "rpc/enroll.h"

/*
 * The two YAML files of a member: the join file it comes with, and member.yaml,
 * which stays in its state folder (docs/PROTOCOL.md, "Join file").
 */
enum member_file_kind {
	MEMBER_FILE_JOIN,
	MEMBER_FILE_STATE
};

#define MEMBER_FILE_MAX 65536
#define JOIN_SECRET_LEN 32

struct member_file {
	int format;
	char *identity;
	char *ca; /* PEM, checked */
	struct conf_strings endpoints;
	struct spiffe id; /* parsed from identity */
	/* Join files only. */
	struct conf_strings enroll_endpoints;
	uint64_t expires_s;
	char *secret; /* JOIN_SECRET_LEN octets in hex; wiped on free */
};

/* name stands in messages; what ret_file points to is its own. */
STATUS member_file_parse(enum member_file_kind kind, const char *name,
    const char *text, size_t len, struct member_file *ret_file,
    char ret_error[CONF_ERROR_MAX]);
/* Zeroed ones are allowed. */
void member_file_done(enum member_file_kind kind, struct member_file *file);

/*
 * The file as text, for kind; checks what it is given as strictly as parse
 * would.  secret and expires_s of join are looked at for join files only.
 * malloc'd; the caller wipes and frees it.
 */
STATUS member_file_print(enum member_file_kind kind,
    const struct enroll_join *join, char **ret_text);

/*
 * Read a regular file of at most MEMBER_FILE_MAX octets that group and others
 * may not touch; zero-terminated, malloc'd, the caller wipes and frees it.
 */
STATUS member_file_read(const char *path, char **ret_text, size_t *ret_len);

/* Write a new file, 0600 and on disk on return; ALREADY_EXISTS otherwise. */
STATUS member_file_create(const char *path, const char *text, size_t len);

/* Write dir/name whole or not at all: beside, sync, rename, sync the folder. */
STATUS member_file_replace(
    const char *dir, const char *name, const char *text, size_t len);

#endif
