/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How long pages of certificates take: list_store STATE_DIR, over what
 * fill_store made.  Each list is asked for through the service, as a caller
 * asks, for the huge account, a small one, and all of them: its first page and
 * one deep in it, five times.  Prints JSON, a row for each list with the median
 * and the longest in milliseconds.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "certd/api.h"
#include "certd/certificates.h"
#include "proto/holdfast/certd/v1/certificates.pb-c.h"
#include "proto/message.h"

#define ROUNDS 5
#define DEEP 50 /* pages */
#define TOKEN_MAX 256

typedef Holdfast__Certd__V1__ListCertificatesRequest list_request;
typedef Holdfast__Certd__V1__ListCertificatesResponse list_response;

struct list {
	const char *search, *order;
	unsigned expires_within_days;
	bool unused;
	/* For all accounts only: a resource that fill_store made. */
	int64_t for_resource;
};

static const struct list LISTS[] = {
	{ "", "-id", 0, false, 0 },
	{ "", "id", 0, false, 0 },
	{ "", "name", 0, false, 0 },
	{ "", "-name", 0, false, 0 },
	{ "", "expires", 0, false, 0 },
	{ "", "-expires", 0, false, 0 },
	{ "exampl", "-id", 0, false, 0 },
	{ "example", "name", 0, false, 0 },
	{ "example.com", "expires", 0, false, 0 },
	{ "sh", "name", 0, false, 0 },
	{ "customer 4711", "name", 0, false, 0 },
	{ "shop12345", "-id", 0, false, 0 },
	{ "shop12345.example.com", "name", 0, false, 0 },
	{ "www shop1", "expires", 0, false, 0 },
	{ "nothing-like-it", "-id", 0, false, 0 },
	{ "nothing example", "-id", 0, false, 0 },
	/* Two words that all have, and never one after the other. */
	{ "www.customer", "name", 0, false, 0 },
	{ "www.customer", "expires", 0, false, 0 },
	{ "", "-id", 1, false, 0 },
	{ "", "name", 1, false, 0 },
	{ "", "name", 14, false, 0 },
	{ "", "expires", 14, false, 0 },
	{ "example", "name", 14, false, 0 },
	{ "", "-id", 0, true, 0 },
	{ "example", "-id", 0, true, 0 },
	{ "", "name", 0, false, 3 },
};

/* One page; false when it failed.  *ret_ns is how long it took. */
static bool
ask(struct api *api, const struct caller *caller, const struct list *list,
    char token[TOKEN_MAX], size_t *ret_n, int64_t *ret_ns)
{
	const struct api_method *method =
	    api_find(api, "/holdfast.certd.v1.Certificates/List");
	struct api_call call = { .caller = caller };
	scoped(message_free) ProtobufCMessage *reply = NULL;
	scoped(message_free) ProtobufCMessage *message = message_new(
	    &holdfast__certd__v1__list_certificates_request__descriptor);
	list_request *asked = (list_request *)message;
	int64_t began_ns;
	struct status st;

	if (asked == NULL || !message_text(&asked->search, list->search) ||
	    !message_text(&asked->order_by, list->order) ||
	    !message_text(&asked->page_token, token))
		return false;
	asked->expires_within_days = list->expires_within_days;
	asked->unused = list->unused;
	asked->for_resource = list->for_resource;
	began_ns = clock_mono_ns();
	st = api_ask(api, method, &call, message, &reply);
	*ret_ns = clock_mono_ns() - began_ns;
	if (failed(st)) {
		(void)fprintf(stderr, "list_store: %s\n", st.why);
		return false;
	}
	*ret_n = ((list_response *)reply)->n_certificates;
	(void)snprintf(
	    token, TOKEN_MAX, "%s", ((list_response *)reply)->next_page_token);
	return true;
}

static int
by_size(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static bool
measure(struct api *api, const struct caller *caller, const char *who,
    const struct list *list, bool is_first)
{
	int64_t took_ns[2 * ROUNDS];
	char token[TOKEN_MAX], deep[TOKEN_MAX] = "";
	size_t n = 0, rows = 0;

	for (int round = 0; round < ROUNDS; round++) {
		token[0] = 0;
		if (!ask(api, caller, list, token, &rows, &took_ns[n++]))
			return false;
		/* Walk there once, then ask for that page again and again. */
		for (int page = 1; deep[0] == 0 && token[0] != 0; page++) {
			int64_t ignored_ns;
			size_t ignored;

			if (page == DEEP)
				memcpy(deep, token, sizeof(deep));
			else if (!ask(api, caller, list, token, &ignored,
				     &ignored_ns))
				return false;
		}
		if (deep[0] != 0) {
			size_t ignored;

			memcpy(token, deep, sizeof(token));
			if (!ask(api, caller, list, token, &ignored,
				&took_ns[n++]))
				return false;
		}
	}
	qsort(took_ns, n, sizeof(took_ns[0]), by_size);
	printf("%s{\"account\": \"%s\", \"search\": \"%s\", \"order\": \"%s\", "
	       "\"expires_within_days\": %u, \"unused\": %s, "
	       "\"for_resource\": %" PRId64 ", \"rows\": %zu, "
	       "\"median_ms\": %.2f, \"longest_ms\": %.2f}",
	    is_first ? "" : ",\n", who, list->search, list->order,
	    list->expires_within_days, list->unused ? "true" : "false",
	    list->for_resource, rows, (double)took_ns[n / 2] / NS_PER_MS,
	    (double)took_ns[n - 1] / NS_PER_MS);
	return true;
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *who;
		int64_t account;
	} CALLERS[] = { { "huge", 1 }, { "small", 2 }, { "all", 0 } };
	const struct store_config config = { .state_dir =
						 argc > 1 ? argv[1] : "" };
	scoped(store_close) struct store *store = NULL;
	scoped(certificates_free) struct certificates *certificates = NULL;
	scoped(api_free) struct api *api = api_new();
	struct certificates_config services = { .store = NULL };

	if (argc != 2 || api == NULL || failed(store_open(&config, &store))) {
		(void)fprintf(stderr, "usage: list_store STATE_DIR\n");
		return EXIT_FAILURE;
	}
	services.store = store;
	if (failed(certificates_new(&services, &certificates)) ||
	    failed(certificates_register(certificates, api)))
		return EXIT_FAILURE;
	printf("[");
	for (size_t c = 0; c < sizeof(CALLERS) / sizeof(CALLERS[0]); c++)
		for (size_t i = 0; i < sizeof(LISTS) / sizeof(LISTS[0]); i++) {
			const struct caller caller = {
				.is = c == 2 ? ALLOW_OPERATOR : ALLOW_VIEWER,
				.account = CALLERS[c].account,
				.actor = "bench"
			};

			if (LISTS[i].for_resource != 0 && c != 2)
				continue;
			if (!measure(api, &caller, CALLERS[c].who, &LISTS[i],
				c + i == 0))
				return EXIT_FAILURE;
		}
	printf("]\n");
	return EXIT_SUCCESS;
}
