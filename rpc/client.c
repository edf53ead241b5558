/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's life, and unary calls: each blocks its caller while the client's
 * one thread, which streams (client_stream.c) have too, brings the answer.  The
 * server is whoever shows the certificate of server_name, wherever it was
 * reached; a common name in place of a DNS SAN, or a wildcard, will not do.
 */
#include "rpc/rpc_int.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define MESSAGE_MAX ((size_t)1024 * 1024)

void
rpc_client_why(grpc_slice from, char *ret_why)
{
	const uint8_t *at = GRPC_SLICE_START_PTR(from);
	size_t len = GRPC_SLICE_LENGTH(from);

	if (len > RPC_WHY_MAX - 1)
		len = RPC_WHY_MAX - 1;
	for (size_t i = 0; i < len; i++)
		ret_why[i] = at[i] < ' ' || at[i] == 0x7f ? ' ' : (char)at[i];
	ret_why[len] = '\0';
}

struct status
rpc_client_status(grpc_status_code code)
{
	static const char *const why[] = {
		[STATUS_OK] = "ok",
		[STATUS_CANCELLED] = "the call was cancelled",
		[STATUS_UNKNOWN] = "the server failed without saying why",
		[STATUS_INVALID_ARGUMENT] =
		    "the server finds the request wrong",
		[STATUS_DEADLINE_EXCEEDED] = "the call took too long",
		[STATUS_NOT_FOUND] = "the server has no such thing",
		[STATUS_ALREADY_EXISTS] = "the server has that already",
		[STATUS_PERMISSION_DENIED] = "the server does not allow that",
		[STATUS_RESOURCE_EXHAUSTED] =
		    "a limit of the server is reached",
		[STATUS_FAILED_PRECONDITION] = "the server cannot do that now",
		[STATUS_ABORTED] = "the server gave the call up",
		[STATUS_OUT_OF_RANGE] = "the server finds the request wrong",
		[STATUS_UNIMPLEMENTED] = "the server does not know this call",
		[STATUS_INTERNAL] = "the server failed",
		[STATUS_UNAVAILABLE] = "the server cannot be reached",
		[STATUS_DATA_LOSS] = "the server lost data",
		[STATUS_UNAUTHENTICATED] = "the server does not accept us",
	};

	if ((unsigned)code >= sizeof(why) / sizeof(why[0]))
		code = (grpc_status_code)STATUS_UNKNOWN;
	return status_fail((enum status_code)code, why[code]);
}

/* Core has checked the chain; the name is checked here, strictly. */
static int
check_server(const char *target, const char *pem, void *arg)
{
	const char *server_name = arg;
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert =
	    bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
	bool ok = cert != NULL && X509_check_host(cert, server_name, 0,
				      X509_CHECK_FLAG_NO_WILDCARDS |
					  X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
				      NULL) == 1;

	(void)target;
	X509_free(cert);
	BIO_free(bio);
	if (!ok)
		log_debug("the server's certificate has another name",
		    LOG_STR("expected", server_name));
	return ok ? 0 : 1;
}

/* Core keeps this for as long as a handshake may need it. */
static void
forget_name(void *name)
{
	free(name);
}

static void *
client_main(void *arg)
{
	struct rpc_client *client = arg;

	pthread_setname_np(pthread_self(), "rpc-client");
	rpc_core_run(client->cq);
	return NULL;
}

static void
channel_args(struct rpc_args *args, const struct rpc_client_config *config)
{
	rpc_args_shared(
	    args, config->message_max == 0 ? MESSAGE_MAX : config->message_max);
	rpc_args_str(
	    args, GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, config->server_name);
	rpc_args_int(args, GRPC_ARG_ENABLE_HTTP_PROXY, 0);
	rpc_args_int(args, GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
	rpc_args_int(args, GRPC_ARG_ENABLE_RETRIES, 0);
	/* Two clients are two connections. */
	rpc_args_int(args, GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
	rpc_args_int(args, GRPC_ARG_KEEPALIVE_TIME_MS, 20000);
	rpc_args_int(args, GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000);
	rpc_args_int(args, GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
	/* The application has a backoff of its own, over several servers. */
	rpc_args_int(args, GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
	rpc_args_int(args, GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
	/* This one is how long a connection attempt may take. */
	rpc_args_int(args, GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);
}

static STATUS
make_channel(struct rpc_client *client, const struct rpc_client_config *config)
{
	grpc_ssl_pem_key_cert_pair pair = { .private_key = config->key_pem,
		.cert_chain = config->cert_pem };
	grpc_ssl_verify_peer_options verify = {
		.verify_peer_callback = check_server,
		.verify_peer_callback_userdata = strdup(config->server_name),
		.verify_peer_destruct = forget_name,
	};
	struct rpc_args args;

	if (verify.verify_peer_callback_userdata == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no memory for a client");
	channel_args(&args, config);
	grpc_channel_credentials *creds =
	    grpc_ssl_credentials_create_ex(config->ca_pem,
		config->key_pem == NULL ? NULL : &pair, &verify, NULL);
	grpc_channel_args all = { .num_args = args.n, .args = args.at };
	client->channel = grpc_channel_create(config->target, creds, &all);
	grpc_channel_credentials_release(creds);
	return status_ok();
}

STATUS
rpc_client_new(
    const struct rpc_client_config *config, struct rpc_client **ret_client)
{
	struct status st = rpc_core_check_ca(config->ca_pem);

	if (!failed(st) && config->server_name == NULL)
		st = status_fail(STATUS_INVALID_ARGUMENT,
		    "a client must know its server's name");
	if (!failed(st) &&
	    (config->cert_pem == NULL) != (config->key_pem == NULL))
		st = status_fail(STATUS_INVALID_ARGUMENT,
		    "a client certificate needs its key, and the key it");
	if (!failed(st) && config->key_pem != NULL)
		st = rpc_core_check_identity(config->cert_pem, config->key_pem);
	if (failed(st))
		return st;
	struct rpc_client *client = calloc(1, sizeof(*client));
	if (client == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no memory for a client");
	rpc_core_ref();
	client->cq = grpc_completion_queue_create_for_next(NULL);
	st = make_channel(client, config);
	if (failed(st)) {
		rpc_client_free(client);
		return st;
	}
	int e = pthread_create(&client->thread, NULL, client_main, client);
	if (e != 0) {
		rpc_client_free(client);
		return status_fail_detail(STATUS_RESOURCE_EXHAUSTED,
		    "cannot start the client's thread", (uint32_t)e);
	}
	client->has_thread = true;
	*ret_client = client;
	return status_ok();
}

void
rpc_client_free(struct rpc_client *client)
{
	if (client == NULL)
		return;
	grpc_completion_queue_shutdown(client->cq);
	if (client->has_thread)
		pthread_join(client->thread, NULL);
	else
		rpc_core_run(client->cq);
	grpc_completion_queue_destroy(client->cq);
	if (client->channel != NULL)
		grpc_channel_destroy(client->channel);
	free(client);
	rpc_core_unref();
}

/* One unary call, and what it gathers. */
struct unary {
	grpc_call *call;
	grpc_metadata_array initial, trailing;
	grpc_byte_buffer *sent, *received;
	grpc_status_code code;
	grpc_slice details;
	struct rpc_tag done;

	pthread_mutex_t mutex; /* guards is_over */
	pthread_cond_t changed;
	bool is_over;
};

/* On the client's thread. */
static void
on_done(struct rpc_tag *tag, bool ok)
{
	struct unary *unary = RPC_OF(tag, struct unary, done);

	(void)ok; /* the status says it */
	pthread_mutex_lock(&unary->mutex);
	unary->is_over = true;
	pthread_cond_signal(&unary->changed);
	pthread_mutex_unlock(&unary->mutex);
}

static void
start(struct unary *unary)
{
	grpc_op ops[6] = { 0 };

	grpc_metadata_array_init(&unary->initial);
	grpc_metadata_array_init(&unary->trailing);
	ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
	ops[1].op = GRPC_OP_SEND_MESSAGE;
	ops[1].data.send_message.send_message = unary->sent;
	ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
	ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
	ops[3].data.recv_initial_metadata.recv_initial_metadata =
	    &unary->initial;
	ops[4].op = GRPC_OP_RECV_MESSAGE;
	ops[4].data.recv_message.recv_message = &unary->received;
	ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
	ops[5].data.recv_status_on_client.trailing_metadata = &unary->trailing;
	ops[5].data.recv_status_on_client.status = &unary->code;
	ops[5].data.recv_status_on_client.status_details = &unary->details;
	rpc_core_start(unary->call, ops, 6, &unary->done);
}

/*
 * The call has a deadline of its own.  But core sleeps towards it by the wall
 * clock, and oversleeps when that is set back.
 */
static void
wait_until_over(struct unary *unary, int64_t until_ns)
{
	pthread_mutex_lock(&unary->mutex);
	while (!unary->is_over &&
	       clock_cond_wait(&unary->changed, &unary->mutex, until_ns))
		;
	if (!unary->is_over) {
		pthread_mutex_unlock(&unary->mutex);
		grpc_call_cancel_with_status(unary->call,
		    GRPC_STATUS_DEADLINE_EXCEEDED, "the call took too long",
		    NULL);
		pthread_mutex_lock(&unary->mutex);
	}
	while (!unary->is_over)
		pthread_cond_wait(&unary->changed, &unary->mutex);
	pthread_mutex_unlock(&unary->mutex);
}

static void
exchange(struct unary *unary, int64_t until_ns)
{
	pthread_mutex_init(&unary->mutex, NULL);
	clock_cond_init(&unary->changed);
	start(unary);
	wait_until_over(unary, until_ns);
	pthread_cond_destroy(&unary->changed);
	pthread_mutex_destroy(&unary->mutex);
	grpc_metadata_array_destroy(&unary->initial);
	grpc_metadata_array_destroy(&unary->trailing);
}

static STATUS
decode(grpc_byte_buffer *from, const ProtobufCMessageDescriptor *type,
    ProtobufCMessage **ret_reply)
{
	struct bytes octets;
	grpc_slice joined;
	ProtobufCMessage *reply = NULL;

	if (from != NULL && rpc_core_octets(from, &joined, &octets)) {
		reply = protobuf_c_message_unpack(
		    type, NULL, octets.len, octets.at);
		grpc_slice_unref(joined);
	}
	if (reply == NULL)
		return status_fail(STATUS_INTERNAL,
		    "the server's reply is not a message of the method's type");
	*ret_reply = reply;
	return status_ok();
}

static grpc_call *
make_call(struct rpc_client *client, const char *path, unsigned timeout_ms)
{
	gpr_timespec deadline = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
	    gpr_time_from_millis(timeout_ms, GPR_TIMESPAN));
	grpc_slice name = grpc_slice_from_copied_string(path);
	grpc_call *call = grpc_channel_create_call(
	    client->channel, NULL, 0, client->cq, name, NULL, deadline, NULL);

	grpc_slice_unref(name);
	return call;
}

STATUS
rpc_client_call(struct rpc_client *client,
    const ProtobufCServiceDescriptor *service, const char *method,
    const ProtobufCMessage *request, unsigned timeout_ms,
    ProtobufCMessage **ret_reply, char *ret_why)
{
	int64_t until_ns = clock_mono_ns() + timeout_ms * NS_PER_MS;
	const ProtobufCMethodDescriptor *known =
	    rpc_core_method(service, method);
	scoped(free) char *path = rpc_core_path(service, method);
	struct unary unary = { .details = grpc_empty_slice(),
		.done = { .fn = on_done } };

	ret_why[0] = '\0';
	if (known == NULL || path == NULL)
		return status_fail(
		    STATUS_INTERNAL, "the service has no such method");
	unary.call = make_call(client, path, timeout_ms);
	unary.sent = rpc_core_pack(request);
	exchange(&unary, until_ns);
	struct status st = rpc_client_status(unary.code);
	if (!failed(st))
		st = decode(unary.received, known->output, ret_reply);
	/* The next call tries to connect at once: its caller has waited. */
	if (st.code == STATUS_UNAVAILABLE)
		grpc_channel_reset_connect_backoff(client->channel);
	rpc_client_why(unary.details, ret_why);
	if (failed(st) && ret_why[0] == '\0')
		rpc_client_why(grpc_slice_from_static_string(st.why), ret_why);
	grpc_slice_unref(unary.details);
	grpc_byte_buffer_destroy(unary.received);
	grpc_byte_buffer_destroy(unary.sent);
	grpc_call_unref(unary.call);
	return st;
}
