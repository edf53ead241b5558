/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC core as a library: its life, its events, its message buffers, and what
 * server and client have in common.
 *
 * TLS 1.3 is the least that is spoken.  The credentials API of core 1.51 has no
 * setting for it, but takes the cipher suites of TLS 1.2 from the environment,
 * once.  They are set here, before main, to one that needs a pre-shared key,
 * and core has none: so a TLS 1.2 handshake finds no common cipher, on either
 * side.  TLS 1.3 suites are not affected by that list.
 */
#include "rpc/rpc_int.h"

#include <assert.h>
#include <limits.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer_reader.h>
#include <grpc/compression.h>
/* Cores that have this header log by absl instead, and have no such hook. */
#if !__has_include(<grpc/credentials.h>)
#include <grpc/support/log.h>
#define HAS_LOG_HOOK 1
#endif

#include "base/log.h"

__attribute__((constructor)) static void
refuse_tls12(void)
{
	setenv("GRPC_SSL_CIPHER_SUITES", "ECDHE-PSK-CHACHA20-POLY1305", 1);
}

#ifdef HAS_LOG_HOOK
/* A rejected handshake is the peer's affair: not worth a line by default.
 * What core dies of is. */
static void
log_core(gpr_log_func_args *args)
{
	static const char died[] = "assertion failed";

	if (strncmp(args->message, died, sizeof(died) - 1) == 0)
		log_error("grpc", LOG_STR("text", args->message));
	else
		log_debug("grpc", LOG_STR("text", args->message));
}
#endif

static void
set_log(void)
{
#ifdef HAS_LOG_HOOK
	gpr_set_log_function(log_core);
	gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
#endif
}

void
rpc_core_ref(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, set_log);
	grpc_init();
}

void
rpc_core_unref(void)
{
	grpc_shutdown();
}

void
rpc_core_arm(struct rpc_tag *tag)
{
	atomic_store_explicit(&tag->armed, 1, memory_order_release);
}

void
rpc_core_start(
    grpc_call *call, const grpc_op *ops, size_t n, struct rpc_tag *tag)
{
	rpc_core_arm(tag);
	grpc_call_error e = grpc_call_start_batch(call, ops, n, tag, NULL);
	/* An error would mean that no event comes: a bug, and nothing of a
	 * peer's can cause it. */
	if (e != GRPC_CALL_OK) {
		log_error("grpc refused a batch", LOG_INT("error", e));
		abort();
	}
}

void
rpc_core_run(grpc_completion_queue *cq)
{
	for (;;) {
		grpc_event e = grpc_completion_queue_next(
		    cq, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);

		if (e.type == GRPC_QUEUE_SHUTDOWN)
			return;
		if (e.type != GRPC_OP_COMPLETE)
			continue;
		struct rpc_tag *tag = e.tag;
		atomic_load_explicit(&tag->armed, memory_order_acquire);
		tag->fn(tag, e.success != 0);
	}
}

/* core's structs have no const, though it copies what they point at. */
static char *
unconst(const char *text)
{
	union {
		const char *in;
		char *out;
	} u = { .in = text };

	return u.out;
}

static grpc_arg *
next_arg(struct rpc_args *args, const char *key)
{
	assert(args->n < sizeof(args->at) / sizeof(args->at[0]));
	grpc_arg *arg = &args->at[args->n++];
	*arg = (grpc_arg){ .key = unconst(key) };
	return arg;
}

void
rpc_args_int(struct rpc_args *args, const char *key, int value)
{
	grpc_arg *arg = next_arg(args, key);

	arg->type = GRPC_ARG_INTEGER;
	arg->value.integer = value;
}

void
rpc_args_str(struct rpc_args *args, const char *key, const char *value)
{
	grpc_arg *arg = next_arg(args, key);

	arg->type = GRPC_ARG_STRING;
	arg->value.string = unconst(value);
}

void
rpc_args_shared(struct rpc_args *args, size_t message_max)
{
	int max = message_max > INT_MAX ? INT_MAX : (int)message_max;

	args->n = 0;
	rpc_args_int(args, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, max);
	rpc_args_int(args, GRPC_ARG_MAX_METADATA_SIZE, 8192);
	rpc_args_int(args, GRPC_ARG_ENABLE_CHANNELZ, 0);
	rpc_args_int(args, GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
	/* Core inflates without a bound, and signatures do not compress. */
	rpc_args_int(args, GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0);
	rpc_args_int(args, GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
	rpc_args_int(args, GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET,
	    1 << GRPC_COMPRESS_NONE);
}

bool
rpc_core_octets(
    grpc_byte_buffer *from, grpc_slice *ret_joined, struct bytes *ret_octets)
{
	*ret_joined = grpc_empty_slice();
	*ret_octets = (struct bytes){ (const uint8_t *)"", 0 };
	if (from == NULL)
		return true;
	if (from->type != GRPC_BB_RAW ||
	    from->data.raw.compression != GRPC_COMPRESS_NONE)
		return false;
	grpc_slice_buffer *slices = &from->data.raw.slice_buffer;
	if (slices->count == 0)
		return true;
	if (slices->count > 1) {
		grpc_byte_buffer_reader reader;

		if (!grpc_byte_buffer_reader_init(&reader, from))
			return false;
		*ret_joined = grpc_byte_buffer_reader_readall(&reader);
		grpc_byte_buffer_reader_destroy(&reader);
	}
	const grpc_slice *whole =
	    slices->count > 1 ? ret_joined : &slices->slices[0];
	ret_octets->len = GRPC_SLICE_LENGTH(*whole);
	/* A short joined slice keeps its octets within itself: point into the
	 * caller's. */
	ret_octets->at = GRPC_SLICE_START_PTR(*whole);
	return true;
}

grpc_byte_buffer *
rpc_core_pack(const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	grpc_slice slice = grpc_slice_malloc(len);

	protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
	grpc_byte_buffer *packed = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	return packed;
}

char *
rpc_core_path(const ProtobufCServiceDescriptor *service, const char *method)
{
	char *path;

	if (asprintf(&path, "/%s/%s", service->name, method) < 0)
		return NULL;
	return path;
}

const ProtobufCMethodDescriptor *
rpc_core_method(const ProtobufCServiceDescriptor *service, const char *method)
{
	for (unsigned i = 0; i < service->n_methods; i++)
		if (strcmp(service->methods[i].name, method) == 0)
			return &service->methods[i];
	return NULL;
}

static X509 *
read_cert(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert =
	    bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	return cert;
}

/* Keys under a pass phrase are refused rather than asked for. */
static int
no_pass_phrase(char *into, int len, int writing, void *ctx)
{
	(void)into;
	(void)len;
	(void)writing;
	(void)ctx;
	return -1;
}

STATUS
rpc_core_check_identity(const char *cert_pem, const char *key_pem)
{
	struct status st = status_ok();
	X509 *cert = read_cert(cert_pem);
	BIO *bio = BIO_new_mem_buf(key_pem, -1);
	EVP_PKEY *key = bio == NULL ? NULL
				    : PEM_read_bio_PrivateKey(
					  bio, NULL, no_pass_phrase, NULL);

	if (cert == NULL)
		st = status_fail(STATUS_INVALID_ARGUMENT,
		    "the TLS certificate is not a PEM certificate");
	else if (key == NULL)
		st = status_fail(STATUS_INVALID_ARGUMENT,
		    "the TLS key is not an unencrypted PEM private key");
	else if (X509_check_private_key(cert, key) != 1)
		st = status_fail(STATUS_INVALID_ARGUMENT,
		    "the TLS key does not belong to the TLS certificate");
	EVP_PKEY_free(key);
	BIO_free(bio);
	X509_free(cert);
	return st;
}

STATUS
rpc_core_check_ca(const char *ca_pem)
{
	X509 *cert = ca_pem == NULL ? NULL : read_cert(ca_pem);

	if (cert == NULL)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "the CA is not a PEM certificate");
	X509_free(cert);
	return status_ok();
}
