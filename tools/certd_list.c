/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Pages of a list, one after the other, into one table.  A list that does not
 * end is cut with a line that says how to go on.
 */

#include "tools/certd_list.h"

#include <stdio.h>

#include "tools/certd.h"

#define PAGE 500
#define PAGES_MAX 20
#define TOKEN_MAX 512

static int
one_page(struct cli *cli, const struct certd_list *list, struct table *table,
    char ret_next[TOKEN_MAX])
{
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc =
	    certd_call(cli, list->service, list->method, list->request, &reply);

	if (rc == 0)
		snprintf(ret_next, TOKEN_MAX, "%s", list->rows(reply, table));
	return rc;
}

static int
print_page_as_json(struct cli *cli, const struct certd_list *list)
{
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc;

	*list->page_size = 1000;
	rc =
	    certd_call(cli, list->service, list->method, list->request, &reply);
	if (rc == 0)
		certd_print_json(reply);
	return rc;
}

int
certd_list_print(struct cli *cli, const struct certd_list *list)
{
	struct table *table;
	char next[TOKEN_MAX] = "";
	int rc = 0, pages = 0;

	if (cli->json)
		return print_page_as_json(cli, list);
	table = table_new(list->header);
	*list->page_size = PAGE;
	do {
		if (pages++ > 0)
			*list->page_token = next;
		rc = one_page(cli, list, table, next);
	} while (rc == 0 && next[0] != '\0' && pages < PAGES_MAX);
	if (rc == 0)
		table_print_list(table, list->none);
	if (rc == 0 && next[0] != '\0')
		printf("there are more: go on with --page-token %s\n", next);
	table_free(table);
	return rc;
}
