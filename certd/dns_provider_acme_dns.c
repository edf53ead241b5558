/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An acme-dns server: a name's _acme-challenge is a CNAME to a name of the
 * server's, whose TXT records one POST changes.  It keeps the last two values,
 * so a wildcard and its apex get along, and nothing is taken away.  Credentials
 * are the file that acme-dns clients keep; passwords stay in locked memory, and
 * what the JSON parser had of them is wiped.
 */

#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/printable.h"
#include "certd/dns_provider_int.h"

#define HEADER_MAX 512
#define TIMEOUT_MS 30000
#define ANSWER_MAX 4096
#define NAMES_MAX 1024

void
dns_provider_credentials_done(struct dns_provider_credentials *c)
{
	free(c->at);
	secret_free(c->secrets);
	*c = (struct dns_provider_credentials){ 0 };
}

/* ---- the file ---- */

static void
wipe_and_free(void *at)
{
	if (at != NULL)
		explicit_bzero(at, malloc_usable_size(at));
	free(at);
}

static bool
is_text(const char *text, size_t max)
{
	size_t len = text == NULL ? 0 : strlen(text);

	/* Printable ASCII without what ends a header or a JSON string. */
	if (len == 0 || len >= max)
		return false;
	for (; *text != 0; text++)
		if (*text <= ' ' || *text > '~' || *text == '"' ||
		    *text == '\\')
			return false;
	return true;
}

/* Adds a text and its zero; false: no room. */
static bool
put(struct secret *secrets, size_t *len, const char *text, size_t *ret_at)
{
	size_t n = strlen(text) + 1;

	if (n > secret_bytes(secrets).len - *len)
		return false;
	memcpy(secret_at(secrets) + *len, text, n);
	*ret_at = *len;
	*len += n;
	return true;
}

static bool
take(const char *name, const json_t *from, struct dns_provider_credentials *to,
    size_t *len)
{
	struct dns_provider_credential *at = &to->at[to->n];
	const char *username =
	    json_string_value(json_object_get(from, "username"));
	const char *password =
	    json_string_value(json_object_get(from, "password"));
	const char *fulldomain =
	    json_string_value(json_object_get(from, "fulldomain"));
	const char *subdomain =
	    json_string_value(json_object_get(from, "subdomain"));

	if (!is_text(name, sizeof(at->name)) || !is_text(username, 256) ||
	    !is_text(password, 256) ||
	    !is_text(fulldomain, sizeof(at->fulldomain)) ||
	    !is_text(subdomain, sizeof(at->subdomain)) ||
	    !put(to->secrets, len, username, &at->username) ||
	    !put(to->secrets, len, password, &at->password))
		return false;
	(void)!snprintf(at->name, sizeof(at->name), "%s", name);
	(void)!snprintf(
	    at->fulldomain, sizeof(at->fulldomain), "%s", fulldomain);
	(void)!snprintf(at->subdomain, sizeof(at->subdomain), "%s", subdomain);
	if (at->fulldomain[strlen(at->fulldomain) - 1] == '.')
		at->fulldomain[strlen(at->fulldomain) - 1] = 0;
	to->n++;
	return true;
}

static struct status
take_all(json_t *root, size_t max, struct dns_provider_credentials *to,
    char *ret_why)
{
	size_t n = json_object_size(root), len = 0;
	const char *name;
	json_t *one;

	if (n == 0 || n > NAMES_MAX) {
		(void)!snprintf(ret_why, PROBLEM_MAX,
		    "it is to be an object of 1 to %d names", NAMES_MAX);
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "a credentials file has no names");
	}
	to->at = calloc(n, sizeof(*to->at));
	to->secrets = secret_new(max);
	if (to->at == NULL || to->secrets == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "no (locked) memory is left for credentials; raise "
		    "LimitMEMLOCK");
	json_object_foreach(root, name, one)
	{
		if (take(name, one, to, &len))
			continue;
		(void)!snprintf(ret_why, PROBLEM_MAX,
		    "%s is to have username, password, fulldomain and "
		    "subdomain, as acme-dns' /register answered",
		    is_text(name, 256) ? name : "a name");
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "credentials of acme-dns are not whole");
	}
	return status_ok();
}

static struct status
parse(struct bytes json, struct dns_provider_credentials *to, char *ret_why)
{
	json_error_t error;
	json_t *root = json_loadb(
	    (const char *)json.at, json.len, JSON_REJECT_DUPLICATES, &error);
	struct status st;

	if (root == NULL) {
		/* error.text may quote a secret. */
		(void)!snprintf(ret_why, PROBLEM_MAX,
		    "it is no JSON from line %d, column %d on", error.line,
		    error.column);
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "a credentials file is no JSON");
	}
	st = take_all(root, json.len, to, ret_why);
	json_decref(root);
	return st;
}

STATUS
dns_provider_acme_dns_parse(struct bytes json,
    struct dns_provider_credentials *ret_credentials, char ret_why[PROBLEM_MAX])
{
	struct dns_provider_credentials to = { 0 };
	struct status st;

	if (json.len == 0) {
		(void)!snprintf(ret_why, PROBLEM_MAX, "it is empty");
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "a credentials file is empty");
	}
	/* There is one thread. */
	json_set_alloc_funcs(malloc, wipe_and_free);
	st = parse(json, &to, ret_why);
	json_set_alloc_funcs(malloc, free);
	if (failed(st)) {
		dns_provider_credentials_done(&to);
		return st;
	}
	*ret_credentials = to;
	return st;
}

STATUS
dns_provider_acme_dns_load(
    struct dns_provider *provider, char ret_why[PROBLEM_MAX])
{
	const struct config_dns_provider *config = provider->config;
	const struct acme_http_config http = {
		.ca_file = config->ca_file[0] != 0 ? config->ca_file : NULL,
		.user_agent = "holdfast-certd",
		.timeout_ms = TIMEOUT_MS,
		.connections = 4,
		.allow_plain = true /* config_check: loopback alone */
	};
	scoped(secret_free) struct secret *json = NULL;
	char why[PROBLEM_MAX] = "";
	struct status st =
	    secret_from_long_file(config->credentials_file, &json);

	if (!failed(st))
		st = dns_provider_acme_dns_parse(
		    secret_bytes(json), &provider->credentials, why);
	if (failed(st)) {
		(void)!snprintf(ret_why, PROBLEM_MAX, "%.255s: %.400s",
		    config->credentials_file, why[0] != 0 ? why : st.why);
		return st;
	}
	return acme_http_new(&http, &provider->http);
}

/* ---- a name ---- */

static const struct dns_provider_credential *
find(const struct dns_provider *provider,
    const struct dns_provider_record *record)
{
	const struct dns_provider_credentials *c = &provider->credentials;

	for (size_t i = 0; i < c->n; i++)
		if (strcasecmp(c->at[i].fulldomain, record->name) == 0)
			return &c->at[i];
	for (size_t i = 0; i < c->n; i++)
		if (strcasecmp(c->at[i].name, record->hostname) == 0)
			return &c->at[i];
	return NULL;
}

STATUS
dns_provider_acme_dns_check(const struct dns_provider *provider,
    const struct dns_provider_record *record, char ret_why[PROBLEM_MAX])
{
	const struct dns_provider_credential *at = find(provider, record);

	if (at == NULL) {
		(void)!snprintf(ret_why, PROBLEM_MAX,
		    "the DNS provider %s has no credentials for %.255s; "
		    "register it at acme-dns, and put the answer into %.255s",
		    provider->config->name, record->hostname,
		    provider->config->credentials_file);
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "acme-dns has no account for the name");
	}
	if (strcasecmp(at->fulldomain, record->name) == 0)
		return status_ok();
	(void)!snprintf(ret_why, PROBLEM_MAX,
	    "put into the DNS: _acme-challenge.%.255s CNAME %.255s.",
	    record->hostname, at->fulldomain);
	return status_fail(STATUS_FAILED_PRECONDITION,
	    "_acme-challenge is no CNAME to acme-dns");
}

static void
print_headers(const struct dns_provider *provider,
    const struct dns_provider_credential *at, char ret_user[HEADER_MAX],
    char ret_key[HEADER_MAX])
{
	const char *secrets =
	    (const char *)secret_bytes(provider->credentials.secrets).at;

	(void)!snprintf(
	    ret_user, HEADER_MAX, "X-Api-User: %s", secrets + at->username);
	(void)!snprintf(
	    ret_key, HEADER_MAX, "X-Api-Key: %s", secrets + at->password);
}

static struct status
judge(const struct acme_http_reply *reply, char *ret_why)
{
	char text[256];

	if (reply->status == 200)
		return status_ok();
	printable_print(
	    (struct bytes){ (const uint8_t *)reply->body, reply->len }, text,
	    sizeof(text));
	(void)!snprintf(ret_why, PROBLEM_MAX, "acme-dns answered %d: %s%s",
	    reply->status, text,
	    reply->status == 401
		? "; are the credentials those that it registered, and may "
		  "certd's address use them (allowfrom)?"
		: "");
	return status_fail_detail(STATUS_UNAVAILABLE,
	    "acme-dns did not take the TXT record", (uint32_t)reply->status);
}

STATUS
dns_provider_acme_dns_put(const struct dns_provider *provider,
    const struct dns_provider_record *record, bool is_removal,
    char ret_why[PROBLEM_MAX])
{
	const struct dns_provider_credential *at = find(provider, record);
	char user[HEADER_MAX], key[HEADER_MAX], url[600], body[512];
	const char *const headers[] = { user, key };
	struct acme_http_request request = { .method = "POST",
		.url = url,
		.content_type = "application/json",
		.headers = headers,
		.n_headers = 2,
		.max_len = ANSWER_MAX };
	struct acme_http_reply reply = { 0 };
	size_t len = strlen(provider->config->url);
	struct status st;

	/* Its next value takes the place of the older one of two. */
	if (is_removal || at == NULL)
		return status_ok();
	if (!is_text(record->value, 256))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "this is no value of a dns-01 challenge");
	(void)!snprintf(url, sizeof(url), "%s%supdate", provider->config->url,
	    len > 0 && provider->config->url[len - 1] == '/' ? "" : "/");
	(void)!snprintf(body, sizeof(body),
	    "{\"subdomain\": \"%s\", \"txt\": \"%s\"}", at->subdomain,
	    record->value);
	request.body = (struct bytes){ (const uint8_t *)body, strlen(body) };
	print_headers(provider, at, user, key);
	st = acme_http_ask(provider->http, &request, &reply, ret_why);
	explicit_bzero(user, sizeof(user));
	explicit_bzero(key, sizeof(key));
	if (failed(st))
		return st;
	st = judge(&reply, ret_why);
	acme_http_reply_done(&reply);
	return st;
}
