/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CERTD_LIST_H
#define TOOLS_CERTD_LIST_H

#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "tools/cli.h"

/*
 * A list that certd gives in pages, as one table: page after page up to 10,000
 * rows.  As JSON one page is printed as it came, for a script to go on from.
 */
struct certd_list {
	const ProtobufCServiceDescriptor *service;
	const char *method;
	const ProtobufCMessage *request;
	/* Members of request. */
	uint32_t *page_size;
	char **page_token;
	const char *const *header; /* of the table, NULL-terminated */
	/* Put a reply's rows into the table; gives its next_page_token. */
	const char *(*rows)(const ProtobufCMessage *reply, struct table *table);
	const char *none; /* what no row at all means, and what to do */
};

/* 0, or an exit code after printing. */
int certd_list_print(struct cli *cli, const struct certd_list *list);

#endif
