/* SPDX-License-Identifier: Apache-2.0 */

/*
 * certd, as the command line asks it: where it is, one call, and things found
 * by the names people know them by.  The identity is the one that `join` took
 * up.
 */

#include "tools/certd.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/scoped.h"
#include "proto/holdfast/certd/v1/certificates.pb-c.h"
#include "proto/holdfast/certd/v1/resources.pb-c.h"
#include "proto/json.h"

#define CERTIFICATES (&holdfast__certd__v1__certificates__descriptor)
#define RESOURCES (&holdfast__certd__v1__resources__descriptor)
#define PAGE 1000
#define NEXT_MAX 512 /* a page token, and its zero */

void
certd_free(ProtobufCMessage *reply)
{
	if (reply != NULL)
		protobuf_c_message_free_unpacked(reply, NULL);
}

char *
certd_lend(const char *borrowed)
{
	return (char *)(uintptr_t)(borrowed == NULL ? "" : borrowed);
}

/* keyd's host with certd's port: both daemons often share a machine. */
static void
beside_keyd(const struct cli *cli, char *ret_target, size_t max)
{
	const char *keyd =
	    cli->keyd != NULL ? cli->keyd : cli->identity->endpoints[0];
	const char *colon = strrchr(keyd, ':');
	int len = colon == NULL ? (int)strlen(keyd) : (int)(colon - keyd);

	snprintf(ret_target, max, "%.*s:%s", len, keyd, CERTD_PORT);
}

/* Where it is, by option, environment or guess. */
static void
find_certd(const struct cli *cli, char *ret_target, size_t max)
{
	const char *named = cli->certd;

	if (named == NULL)
		named = getenv("HOLDFAST_CERTD");
	if (named != NULL && named[0] != '\0')
		snprintf(ret_target, max, "%s", named);
	else
		beside_keyd(cli, ret_target, max);
}

static int
connect_certd(struct cli *cli)
{
	char target[300];
	struct rpc_client_config config;
	struct status st;
	int rc = 0;

	if (cli->certd_client != NULL)
		return 0;
	if (cli->identity == NULL)
		rc = cli_connect(cli);
	if (rc != 0)
		return rc;
	find_certd(cli, target, sizeof(target));
	config = enroll_certd_config(cli->identity, target);
	config.message_max = CLI_MESSAGE_MAX;
	st = rpc_client_new(&config, &cli->certd_client);
	if (failed(st))
		return cli_fail(cli_exit_of(st.code), "%s", st.why);
	return 0;
}

struct status
certd_try(struct cli *cli, const ProtobufCServiceDescriptor *service,
    const char *method, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply, char ret_why[RPC_WHY_MAX])
{
	ret_why[0] = '\0';
	if (connect_certd(cli) != 0)
		return status_fail(STATUS_UNAVAILABLE, "certd cannot be asked");
	return rpc_client_call(cli->certd_client, service, method, request,
	    cli->timeout_ms, ret_reply, ret_why);
}

/* In gRPC core's words; certd itself says UNAVAILABLE of others. */
static bool
is_unreached(const char *why)
{
	return strncmp(why, "failed to connect", 17) == 0 ||
	       strncmp(why, "DNS resolution failed", 21) == 0;
}

int
certd_call(struct cli *cli, const ProtobufCServiceDescriptor *service,
    const char *method, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	char why[RPC_WHY_MAX], target[300];
	struct status st;
	int rc = connect_certd(cli);

	if (rc != 0)
		return rc;
	st = certd_try(cli, service, method, request, ret_reply, why);
	if (!failed(st))
		return 0;
	if (why[0] == '\0')
		snprintf(why, sizeof(why), "%s", st.why);
	if (st.code == STATUS_UNAVAILABLE && is_unreached(why)) {
		find_certd(cli, target, sizeof(target));
		return cli_fail(EXIT_UNREACHABLE,
		    "certd does not answer at %s: %s (%s)\nwhere it is, is "
		    "said by --certd HOST:PORT or HOLDFAST_CERTD",
		    target, why, status_name(st.code));
	}
	return cli_fail(
	    cli_exit_of(st.code), "%s (%s)", why, status_name(st.code));
}

/* ---- by name ---- */

bool
certd_parse_id(const char *text, int64_t *ret_id)
{
	if (text[0] == '\0' || strlen(text) > 18 ||
	    text[strspn(text, "0123456789")] != '\0')
		return false;
	*ret_id = strtoll(text, NULL, 10);
	return true;
}

/* What of a list has this very name: none, one, or several. */
struct namesakes {
	const char *noun, *name;
	int64_t id;
	size_t n;
	char ids[200];
};

static void
count_namesake(struct namesakes *same, int64_t id, const char *name)
{
	size_t used = strlen(same->ids);

	if (strcmp(name, same->name) != 0)
		return;
	same->id = id;
	snprintf(same->ids + used, sizeof(same->ids) - used, "%s%" PRId64,
	    same->n == 0 ? "" : ", ", id);
	same->n++;
}

static int
only_one(const struct namesakes *same, int64_t *ret_id)
{
	if (same->n == 0)
		return cli_fail(EXIT_MISSING,
		    "there is no %s %s; holdfast %s list shows those there are",
		    same->noun, same->name, same->noun);
	if (same->n > 1)
		return cli_fail(EXIT_REFUSED,
		    "%zu are called %s: say which by its id: %s", same->n,
		    same->name, same->ids);
	*ret_id = same->id;
	return 0;
}

static int
count_certificates(struct cli *cli,
    Holdfast__Certd__V1__ListCertificatesRequest *request,
    struct namesakes *same, char ret_next[NEXT_MAX])
{
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__ListCertificatesResponse *list;
	int rc = certd_call(cli, CERTIFICATES, "List", &request->base, &reply);

	if (rc != 0)
		return rc;
	list = (const Holdfast__Certd__V1__ListCertificatesResponse *)reply;
	for (size_t i = 0; i < list->n_certificates; i++)
		count_namesake(same, list->certificates[i]->id,
		    list->certificates[i]->name);
	snprintf(ret_next, NEXT_MAX, "%s", list->next_page_token);
	return 0;
}

int
certd_certificate_id(
    struct cli *cli, const char *account, const char *name, int64_t *ret_id)
{
	Holdfast__Certd__V1__ListCertificatesRequest request;
	Holdfast__Certd__V1__CertificateKind kinds[] = {
		HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_PERSONAL,
		HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_ACME,
		HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_SHARED,
	};
	struct namesakes same = { .noun = "cert", .name = name };
	char next[NEXT_MAX] = "";
	int rc;

	holdfast__certd__v1__list_certificates_request__init(&request);
	if (certd_parse_id(name, ret_id))
		return 0;
	request.account = certd_lend(account);
	request.search = certd_lend(name);
	request.page_size = PAGE;
	request.page_token = next;
	request.kinds = kinds;
	request.n_kinds = sizeof(kinds) / sizeof(kinds[0]);
	do {
		rc = count_certificates(cli, &request, &same, next);
	} while (rc == 0 && next[0] != '\0');
	return rc != 0 ? rc : only_one(&same, ret_id);
}

static int
count_resources(struct cli *cli,
    Holdfast__Certd__V1__ListResourcesRequest *request, struct namesakes *same,
    char ret_next[NEXT_MAX])
{
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__ListResourcesResponse *list;
	int rc = certd_call(cli, RESOURCES, "List", &request->base, &reply);

	if (rc != 0)
		return rc;
	list = (const Holdfast__Certd__V1__ListResourcesResponse *)reply;
	for (size_t i = 0; i < list->n_resources; i++)
		count_namesake(
		    same, list->resources[i]->id, list->resources[i]->name);
	snprintf(ret_next, NEXT_MAX, "%s", list->next_page_token);
	return 0;
}

int
certd_resource_id(
    struct cli *cli, const char *account, const char *name, int64_t *ret_id)
{
	Holdfast__Certd__V1__ListResourcesRequest request;
	struct namesakes same = { .noun = "resource", .name = name };
	char next[NEXT_MAX] = "";
	int rc;

	holdfast__certd__v1__list_resources_request__init(&request);
	if (certd_parse_id(name, ret_id))
		return 0;
	request.account = certd_lend(account);
	request.search = certd_lend(name);
	request.page_size = PAGE;
	request.page_token = next;
	do {
		rc = count_resources(cli, &request, &same, next);
	} while (rc == 0 && next[0] != '\0');
	return rc != 0 ? rc : only_one(&same, ret_id);
}

/* ---- output ---- */

void
certd_join(char *const *items, size_t n, char *ret_text, size_t max)
{
	size_t used = 0;

	ret_text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		size_t need = strlen(items[i]) + 2;

		if (used + need + 4 > max) {
			snprintf(ret_text + used, max - used, "%s...",
			    used == 0 ? "" : ", ");
			return;
		}
		used += (size_t)snprintf(ret_text + used, max - used, "%s%s",
		    i == 0 ? "" : ", ", items[i]);
	}
}

void
certd_print_json(const ProtobufCMessage *message)
{
	char *text = NULL;
	json_t *json;

	if (failed(json_print(message, &text)))
		abort();
	/* Laid out as all other commands do. */
	json = json_loads(text, 0, NULL);
	free(text);
	if (json == NULL || json_dumpf(json, stdout, JSON_INDENT(2)) != 0)
		abort();
	putchar('\n');
	json_decref(json);
}

bool
certd_json(const struct cli *cli, const ProtobufCMessage *message)
{
	if (cli->json)
		certd_print_json(message);
	return cli->json;
}
