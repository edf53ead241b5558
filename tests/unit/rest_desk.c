/* SPDX-License-Identifier: Apache-2.0 */

/* The desk of the REST tests; see rest_desk.h. */

#include "tests/unit/rest_desk.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "certd/authenticate.h"
#include "certd/store_tokens.h"
#include "proto/holdfast/certd/v1/accounts.pb-c.h"
#include "proto/holdfast/certd/v1/certificates.pb-c.h"
#include "proto/holdfast/certd/v1/resources.pb-c.h"
#include "proto/message.h"

#define CERTIFICATES &holdfast__certd__v1__certificates__descriptor
#define RESOURCES &holdfast__certd__v1__resources__descriptor
#define TOKENS &holdfast__certd__v1__tokens__descriptor

typedef Holdfast__Certd__V1__Certificate Certificate;

/* ---- the methods ---- */

static void
wait_for_gate(struct rest_desk *desk)
{
	pthread_mutex_lock(&desk->mutex);
	desk->at_gate++;
	pthread_cond_broadcast(&desk->changed);
	while (!desk->is_open)
		pthread_cond_wait(&desk->changed, &desk->mutex);
	pthread_mutex_unlock(&desk->mutex);
}

static void
fill(Certificate *certificate, int64_t id)
{
	certificate->id = id;
	message_text(&certificate->name, "shop");
	message_text(&certificate->etag, "r7");
}

static struct status
list(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__ListCertificatesRequest *asked =
	    (const void *)request;
	Holdfast__Certd__V1__ListCertificatesResponse *reply =
	    (void *)message_new(
		&holdfast__certd__v1__list_certificates_response__descriptor);

	(void)ctx;
	(void)call;
	fill(message_append(&reply->n_certificates, &reply->certificates,
		 &holdfast__certd__v1__certificate__descriptor),
	    asked->page_size);
	if (asked->page_token[0] == 0)
		message_text(&reply->next_page_token, "two/2 ");
	*ret_reply = &reply->base;
	return status_ok();
}

static struct status
upload(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__UploadCertificateRequest *asked =
	    (const void *)request;
	struct rest_desk *desk = ctx;
	Holdfast__Certd__V1__UploadCertificateResponse *reply;

	if (strcmp(asked->name, "fail") == 0)
		return api_explain(call,
		    status_fail(STATUS_FAILED_PRECONDITION, "it is refused"),
		    "%s is bound to shop, www", asked->name);
	if (strcmp(asked->name, "wait") == 0)
		wait_for_gate(desk);
	reply = (void *)message_new(
	    &holdfast__certd__v1__upload_certificate_response__descriptor);
	reply->certificate =
	    (void *)message_new(&holdfast__certd__v1__certificate__descriptor);
	pthread_mutex_lock(&desk->mutex);
	if (!asked->validate_only)
		fill(reply->certificate, 17 + desk->made++);
	pthread_mutex_unlock(&desk->mutex);
	*ret_reply = &reply->base;
	return status_ok();
}

static struct status
get(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__GetCertificateRequest *asked =
	    (const void *)request;

	(void)call;
	if (asked->id == 99)
		wait_for_gate(ctx);
	else if (asked->id != 17)
		return status_fail(
		    STATUS_NOT_FOUND, "there is no such certificate");
	*ret_reply = message_new(&holdfast__certd__v1__certificate__descriptor);
	fill((void *)*ret_reply, asked->id);
	return status_ok();
}

/* As one that asks keyd. */
static struct status
wait_long(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	(void)call;
	(void)request;
	wait_for_gate(ctx);
	*ret_reply = message_new(&holdfast__certd__v1__resource__descriptor);
	return status_ok();
}

static struct status
update(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__UpdateCertificateRequest *asked =
	    (const void *)request;
	struct status st = store_etag_check(asked->etag, 7);

	(void)ctx;
	(void)call;
	if (failed(st))
		return st;
	*ret_reply = message_new(&holdfast__certd__v1__certificate__descriptor);
	fill((void *)*ret_reply, asked->id);
	return status_ok();
}

static struct status delete (void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__DeleteCertificateRequest *asked =
	    (const void *)request;
	Holdfast__Certd__V1__DeleteCertificateResponse *reply =
	    (void *)message_new(
		&holdfast__certd__v1__delete_certificate_response__descriptor);

	(void)ctx;
	(void)call;
	reply->key_destroyed = asked->force;
	*ret_reply = &reply->base;
	return status_ok();
}

static struct status export(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	Holdfast__Certd__V1__ExportCertificateResponse *reply =
	    (void *)message_new(
		&holdfast__certd__v1__export_certificate_response__descriptor);
	static const uint8_t DER[] = { 0x30, 0x00, 0xff };

	(void)ctx;
	(void)call;
	(void)request;
	message_bytes(&reply->content, (struct bytes){ DER, sizeof(DER) });
	message_text(&reply->media_type, "application/pkix-cert");
	message_text(&reply->file_name, "shop.der");
	*ret_reply = &reply->base;
	return status_ok();
}

static struct status
update_resource(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__UpdateResourceRequest *asked =
	    (const void *)request;
	Holdfast__Certd__V1__Resource *reply =
	    (void *)message_new(&holdfast__certd__v1__resource__descriptor);

	(void)ctx;
	(void)call;
	reply->id = asked->id;
	reply->version = (int64_t)asked->n_change;
	*ret_reply = &reply->base;
	return status_ok();
}

static struct status
make_token(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	Holdfast__Certd__V1__CreateTokenResponse *reply = (void *)message_new(
	    &holdfast__certd__v1__create_token_response__descriptor);
	struct rest_desk *desk = ctx;

	(void)call;
	(void)request;
	pthread_mutex_lock(&desk->mutex);
	desk->made++;
	pthread_mutex_unlock(&desk->mutex);
	message_text(&reply->secret, "hft_thesecret");
	*ret_reply = &reply->base;
	return status_ok();
}

#define METHOD(of, called, does, who, what, by, at)                            \
	.service = of, .name = called, .fn = does, .allow = who,               \
	.scope = what, .verb = by, .path = at

static const struct api_method METHODS[] = {
	{ METHOD(CERTIFICATES, "List", list, ALLOW_READ,
	    SCOPE_CERTIFICATES_READ, API_GET, "/v1/certificates") },
	{ METHOD(CERTIFICATES, "Upload", upload, ALLOW_CHANGE,
	      SCOPE_CERTIFICATES_WRITE, API_POST, "/v1/certificates"),
	    .creates = true },
	{ METHOD(CERTIFICATES, "Get", get, ALLOW_READ, SCOPE_CERTIFICATES_READ,
	    API_GET, "/v1/certificates/{id}") },
	{ METHOD(CERTIFICATES, "Update", update, ALLOW_CHANGE,
	    SCOPE_CERTIFICATES_WRITE, API_PATCH, "/v1/certificates/{id}") },
	{ METHOD(CERTIFICATES, "Delete", delete, ALLOW_MANAGE,
	    SCOPE_CERTIFICATES_WRITE, API_DELETE, "/v1/certificates/{id}") },
	{ METHOD(CERTIFICATES, "Export", export, ALLOW_READ,
	    SCOPE_CERTIFICATES_READ, API_GET, "/v1/certificates/{id}:export") },
	{ METHOD(RESOURCES, "Get", wait_long, ALLOW_READ, SCOPE_RESOURCES_READ,
	      API_GET, "/v1/resources/{id}"),
	    .waits = true },
	{ METHOD(RESOURCES, "Update", update_resource, ALLOW_CHANGE,
	    SCOPE_RESOURCES_WRITE, API_PATCH, "/v1/resources/{id}") },
	{ METHOD(TOKENS, "Create", make_token, ALLOW_MANAGE,
	      SCOPE_ACCOUNT_WRITE, API_POST, "/v1/tokens"),
	    .creates = true, .secret = true },
};

/* ---- the fixture ---- */

void
rest_desk_token(struct rest_desk *desk, int role, unsigned scopes,
    int64_t ttl_s, char ret_header[64])
{
	struct store_token token = { .account = desk->desk->acme,
		.role = role,
		.scopes = scopes,
		.expires_s = store_now_s() + ttl_s,
		.name = "ci" };
	char secret[AUTHENTICATE_SECRET_MAX];
	struct db_tx *tx;
	int64_t id = 0;

	assert_int_equal(
	    authenticate_new_secret(secret, token.hash).code, STATUS_OK);
	assert_int_equal(store_write(desk->desk->store, &tx).code, STATUS_OK);
	assert_int_equal(store_commit(desk->desk->store, tx,
			     store_tokens_add(tx, &token, &id))
			     .code,
	    STATUS_OK);
	snprintf(ret_header, 64, "Bearer %s", secret);
}

static void
start(struct rest_desk *desk)
{
	char why[REST_WHY_MAX] = "";

	assert_int_equal(
	    rest_start(&desk->config, &desk->rest, why).code, STATUS_OK);
	assert_string_equal(why, "");
}

void
rest_desk_restart(struct rest_desk *desk)
{
	rest_stop(desk->rest);
	desk->rest = NULL;
	start(desk);
}

int
rest_desk_set_up(void **state)
{
	struct rest_desk *desk = calloc(1, sizeof(*desk));
	void *inner = NULL;

	assert_non_null(desk);
	log_setup(LOG_ERROR, LOG_LOGFMT);
	assert_int_equal(certd_desk_set_up(&inner), 0);
	desk->desk = inner;
	pthread_mutex_init(&desk->mutex, NULL);
	pthread_cond_init(&desk->changed, NULL);
	assert_int_equal(api_add(desk->desk->api, METHODS,
			     sizeof(METHODS) / sizeof(METHODS[0]), desk)
			     .code,
	    STATUS_OK);
	rest_desk_token(desk,
	    HOLDFAST__CERTD__V1__USER_ROLE__USER_ROLE_ENGINEER, 0, 3600,
	    desk->engineer);
	rest_desk_token(desk,
	    HOLDFAST__CERTD__V1__USER_ROLE__USER_ROLE_ADMINISTRATOR, 0, 3600,
	    desk->administrator);
	rest_desk_token(desk,
	    HOLDFAST__CERTD__V1__USER_ROLE__USER_ROLE_ENGINEER,
	    SCOPE_CERTIFICATES_READ, 3600, desk->reader);
	desk->config = (struct rest_config){ .listen = "127.0.0.1:0",
		.tls = REST_TLS_OFF,
		.api = desk->desk->api,
		.store = desk->desk->store };
	start(desk);
	*state = desk;
	return 0;
}

int
rest_desk_tear_down(void **state)
{
	struct rest_desk *desk = *state;
	void *inner = desk->desk;

	rest_desk_open_gate(desk);
	rest_stop(desk->rest);
	assert_int_equal(certd_desk_tear_down(&inner), 0);
	pthread_mutex_destroy(&desk->mutex);
	pthread_cond_destroy(&desk->changed);
	free(desk);
	return 0;
}

void
rest_desk_wait_at_gate(struct rest_desk *desk, unsigned n)
{
	pthread_mutex_lock(&desk->mutex);
	while (desk->at_gate < n)
		pthread_cond_wait(&desk->changed, &desk->mutex);
	pthread_mutex_unlock(&desk->mutex);
}

void
rest_desk_open_gate(struct rest_desk *desk)
{
	pthread_mutex_lock(&desk->mutex);
	desk->is_open = true;
	pthread_cond_broadcast(&desk->changed);
	pthread_mutex_unlock(&desk->mutex);
}

/* ---- the client ---- */

int
rest_desk_connect(const struct rest_desk *desk)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons(rest_port(desk->rest)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = 60 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(
	    connect(fd, (const void *)&address, sizeof(address)), 0);
	return fd;
}

void
rest_desk_send(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n <= 0) /* it may have answered and closed already */
			return;
		text += n;
		len -= (size_t)n;
	}
}

const char *
rest_desk_header(const struct rest_answer *answer, const char *name,
    char *ret_value, size_t max)
{
	size_t len = strlen(name);

	for (const char *at = strstr(answer->text, "\r\n");
	     at != NULL && at + 2 < answer->body; at = strstr(at + 2, "\r\n")) {
		if (strncasecmp(at + 2, name, len) != 0 || at[2 + len] != ':')
			continue;
		at += 2 + len + 1;
		at += strspn(at, " ");
		snprintf(ret_value, max, "%.*s", (int)strcspn(at, "\r"), at);
		return ret_value;
	}
	return NULL;
}

/* Head and body are all there. */
static bool
is_whole(struct rest_answer *answer, bool head)
{
	char length[24];
	const char *end = strstr(answer->text, "\r\n\r\n");

	if (end == NULL)
		return false;
	answer->body = end + 4;
	if (head || rest_desk_header(answer, "Content-Length", length,
			sizeof(length)) == NULL)
		return head;
	return answer->len >= (size_t)(answer->body - answer->text) +
				  strtoul(length, NULL, 10);
}

void
rest_desk_receive(int fd, bool head, struct rest_answer *ret_answer)
{
	ret_answer->len = 0;
	ret_answer->code = 0;
	ret_answer->text[0] = 0;
	ret_answer->body = ret_answer->text;
	while (!is_whole(ret_answer, head)) {
		ssize_t n = recv(fd, ret_answer->text + ret_answer->len,
		    sizeof(ret_answer->text) - 1 - ret_answer->len, 0);

		if (n <= 0)
			break;
		ret_answer->len += (size_t)n;
		ret_answer->text[ret_answer->len] = 0;
	}
	if (strncmp(ret_answer->text, "HTTP/1.1 ", 9) == 0)
		ret_answer->code =
		    (unsigned)strtoul(ret_answer->text + 9, NULL, 10);
}

void
rest_desk_ask(const struct rest_desk *desk, const char *line,
    const char *caller, const char *more, const char *body,
    struct rest_answer *ret_answer)
{
	char head[16384];
	int fd = rest_desk_connect(desk);
	int n = snprintf(head, sizeof(head),
	    "%s HTTP/1.1\r\nHost: x\r\n%s%s%s%s", line,
	    caller == NULL ? "" : "Authorization: ",
	    caller == NULL ? "" : caller, caller == NULL ? "" : "\r\n", more);

	if (body != NULL)
		n += snprintf(head + n, sizeof(head) - (size_t)n,
		    "%sContent-Length: %zu\r\n",
		    strcasestr(more, "Content-Type") == NULL
			? "Content-Type: application/json\r\n"
			: "",
		    strlen(body));
	n += snprintf(head + n, sizeof(head) - (size_t)n, "\r\n");
	assert_true((size_t)n < sizeof(head));
	rest_desk_send(fd, head, (size_t)n);
	if (body != NULL)
		rest_desk_send(fd, body, strlen(body));
	rest_desk_receive(fd, strncmp(line, "HEAD", 4) == 0, ret_answer);
	close(fd);
}
