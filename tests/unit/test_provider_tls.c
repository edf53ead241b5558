/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast.so under libssl: handshakes, edged's faults as a server's log shows
 * them, forks and threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>

#include "tests/unit/provider_bed.h"

static void
assert_said(const char *words)
{
	const char *errors = bed_errors();

	if (strstr(errors, words) == NULL)
		fail_msg("\"%s\" is not in: %s", words, errors);
}

static void
assert_signs(OSSL_LIB_CTX *libctx, enum bed_key which)
{
	EVP_PKEY *key = bed_load(libctx, which);
	uint8_t signature[512];
	size_t len = bed_sign(key, "content", signature);

	if (len == 0)
		fail_msg("no signature: %s", bed_errors());
	assert_true(bed_verifies(which, "content", signature, len));
	EVP_PKEY_free(key);
}

/* A server with a stub and a client, joined in memory. */
struct pair {
	SSL_CTX *server_ctx, *client_ctx;
	SSL *server, *client;
};

static void
pair_make(struct pair *pair, enum bed_key which, int version)
{
	EVP_PKEY *key = bed_load(bed.libctx, which);
	BIO *a, *b;

	pair->server_ctx =
	    SSL_CTX_new_ex(bed.libctx, NULL, TLS_server_method());
	pair->client_ctx = SSL_CTX_new(TLS_client_method());
	assert_true(
	    SSL_CTX_use_certificate(pair->server_ctx, bed.cert[which]) == 1);
	assert_true(SSL_CTX_use_PrivateKey(pair->server_ctx, key) == 1);
	assert_true(SSL_CTX_check_private_key(pair->server_ctx) == 1);
	EVP_PKEY_free(key);
	assert_true(SSL_CTX_set_min_proto_version(pair->client_ctx, version));
	assert_true(SSL_CTX_set_max_proto_version(pair->client_ctx, version));
	assert_true(X509_STORE_add_cert(
	    SSL_CTX_get_cert_store(pair->client_ctx), bed.cert[which]));
	SSL_CTX_set_verify(pair->client_ctx, SSL_VERIFY_PEER, NULL);
	pair->server = SSL_new(pair->server_ctx);
	pair->client = SSL_new(pair->client_ctx);
	assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	SSL_set_bio(pair->server, a, a);
	SSL_set_bio(pair->client, b, b);
	SSL_set_accept_state(pair->server);
	SSL_set_connect_state(pair->client);
}

static void
pair_free(struct pair *pair)
{
	SSL_free(pair->server);
	SSL_free(pair->client);
	SSL_CTX_free(pair->server_ctx);
	SSL_CTX_free(pair->client_ctx);
}

/* Runs until both sides are done; false when the server's side failed. */
static bool
pair_handshake(struct pair *pair)
{
	int server = 0, client = 0;

	for (int i = 0; i < 20 && (server != 1 || client != 1); i++) {
		client = SSL_do_handshake(pair->client);
		server = SSL_do_handshake(pair->server);
		if (server != 1 &&
		    SSL_get_error(pair->server, server) == SSL_ERROR_SSL)
			return false;
	}
	return server == 1 && client == 1;
}

static void
assert_handshake(enum bed_key which, int version, const char *request)
{
	struct pair pair;

	bed_fresh(NULL);
	pair_make(&pair, which, version);
	if (!pair_handshake(&pair))
		fail_msg("no handshake: %s", bed_errors());
	assert_memory_equal(bed_requests(), request, strlen(request));
	assert_int_equal(ERR_peek_error(), 0);
	pair_free(&pair);
}

static void
tls13_handshakes_are_signed_as_such_with_every_key(void **state)
{
	(void)state;
	assert_handshake(
	    BED_RSA, TLS1_3_VERSION, "tls13_server rsa_pss_rsae_sha256 ");
	assert_handshake(
	    BED_P256, TLS1_3_VERSION, "tls13_server ecdsa_secp256r1_sha256 ");
	assert_handshake(
	    BED_P384, TLS1_3_VERSION, "tls13_server ecdsa_secp384r1_sha384 ");
	assert_handshake(BED_ED25519, TLS1_3_VERSION, "tls13_server ed25519 ");
}

static void
tls12_handshakes_are_signed_as_such_with_every_key(void **state)
{
	(void)state;
	assert_handshake(
	    BED_RSA, TLS1_2_VERSION, "tls12_server_ecdhe rsa_pss_rsae_sha256 ");
	assert_handshake(BED_P256, TLS1_2_VERSION,
	    "tls12_server_ecdhe ecdsa_secp256r1_sha256 ");
	assert_handshake(BED_P384, TLS1_2_VERSION, "tls12_server_ecdhe ecdsa_");
	assert_handshake(
	    BED_ED25519, TLS1_2_VERSION, "tls12_server_ecdhe ed25519 ");
}

static void
what_edged_answers_amiss_fails_the_handshake_with_the_reason(void **state)
{
	static const struct {
		const char *cue, *words;
	} rows[] = {
		{ "refuse",
		    "keyd refused:PERMISSION_DENIED: edge/test has no grant" },
		{ "unavailable", "keyd gave no signature:UNAVAILABLE: no" },
		{ "close", "edged closed the connection:at /tmp/" },
		{ "garbage", "edged answered with garbage:at /tmp/" },
		{ "other-id", "edged answered with garbage:at /tmp/" },
		{ "long", "edged answered with garbage:at /tmp/" },
		{ "short", "octets that are no signature by this key" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (enum bed_key key = BED_RSA; key <= BED_P256; key++) {
			struct pair pair;

			bed_cue(rows[i].cue);
			pair_make(&pair, key, TLS1_3_VERSION);
			assert_false(pair_handshake(&pair));
			assert_said(rows[i].words);
			pair_free(&pair);
		}
		bed_cue("");
		assert_signs(bed.libctx, BED_P256);
	}
}

static void
edged_down_fails_with_the_reason_and_up_again_signs(void **state)
{
	struct pair pair;

	(void)state;
	assert_signs(bed.libctx, BED_P256);
	for (int i = 0; i < 3; i++) {
		bed_agent_stop();
		pair_make(&pair, BED_RSA, TLS1_2_VERSION);
		assert_false(pair_handshake(&pair));
		assert_said("edged is not reachable:at /tmp/");
		pair_free(&pair);
		bed_agent_start();
		assert_signs(bed.libctx, BED_P256);
	}
}

static void
a_restart_of_edged_is_not_noticed(void **state)
{
	(void)state;
	assert_signs(bed.libctx, BED_P256);
	bed_agent_stop();
	bed_agent_start();
	assert_signs(bed.libctx, BED_P256);
	bed_cue("close-once");
	assert_signs(bed.libctx, BED_P256);
}

static void
the_second_socket_is_tried_when_the_first_is_not_there(void **state)
{
	char settings[256];
	OSSL_LIB_CTX *libctx;

	(void)state;
	snprintf(settings, sizeof(settings),
	    "socket = %s/nobody.sock, %s/edged.sock", bed.dir, bed.dir);
	libctx = bed_libctx(settings);
	assert_signs(libctx, BED_P256);
	OSSL_LIB_CTX_free(libctx);
}

/* A key whose provider waits a millisecond for edged, which is silent. */
static EVP_PKEY *
key_of_silence(int breaker_ms, OSSL_LIB_CTX **ret_libctx)
{
	char settings[256];
	uint8_t signature[512];
	EVP_PKEY *key;

	snprintf(settings, sizeof(settings),
	    "socket = %s/edged.sock\ntimeout = 1\nbreaker = %d", bed.dir,
	    breaker_ms);
	*ret_libctx = bed_libctx(settings);
	key = bed_load(*ret_libctx, BED_P256);
	bed_cue("silent");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(bed_sign(key, "content", signature), 0);
		assert_said("edged did not answer in time:at /tmp/");
	}
	bed_fresh(NULL);
	return key;
}

static void
an_edged_that_was_silent_is_not_asked_for_a_while(void **state)
{
	OSSL_LIB_CTX *libctx;
	EVP_PKEY *key = key_of_silence(60000, &libctx);
	uint8_t signature[512];

	(void)state;
	assert_int_equal(bed_sign(key, "content", signature), 0);
	assert_said("edged did not answer lately, not asked again yet");
	assert_string_equal(bed_requests(), "");
	EVP_PKEY_free(key);
	OSSL_LIB_CTX_free(libctx);
}

static void
an_edged_that_answers_again_is_asked_as_before(void **state)
{
	OSSL_LIB_CTX *libctx;
	EVP_PKEY *key = key_of_silence(1, &libctx);
	uint8_t signature[512];
	size_t len = 0;

	(void)state;
	for (int i = 0; i < 30000 && len == 0; i++) {
		usleep(2000);
		len = bed_sign(key, "content", signature);
	}
	assert_true(bed_verifies(BED_P256, "content", signature, len));
	EVP_PKEY_free(key);
	OSSL_LIB_CTX_free(libctx);
}

static void
a_silent_edged_is_asked_every_time_without_a_breaker(void **state)
{
	OSSL_LIB_CTX *libctx;
	EVP_PKEY *key = key_of_silence(0, &libctx);
	uint8_t signature[512];

	(void)state;
	bed_cue("silent");
	assert_int_equal(bed_sign(key, "content", signature), 0);
	assert_said("edged did not answer in time");
	assert_string_equal(bed_requests(), "raw ecdsa_secp256r1_sha256 7\n");
	EVP_PKEY_free(key);
	OSSL_LIB_CTX_free(libctx);
}

static void
a_child_signs_on_a_connection_of_its_own(void **state)
{
	EVP_PKEY *key = bed_load(bed.libctx, BED_P256);
	uint8_t signature[512];
	int status;
	pid_t child;

	(void)state;
	/* The parent leaves an idle connection behind it. */
	assert_true(bed_sign(key, "content", signature) > 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		bool good = true;

		for (int i = 0; i < 50 && good; i++) {
			size_t len = bed_sign(key, "child", signature);

			good = bed_verifies(BED_P256, "child", signature, len);
		}
		_exit(good ? 0 : 1);
	}
	for (int i = 0; i < 50; i++) {
		size_t len = bed_sign(key, "parent", signature);

		assert_true(bed_verifies(BED_P256, "parent", signature, len));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_signs(bed.libctx, BED_P256);
	EVP_PKEY_free(key);
}

static void *
sign_many(void *arg)
{
	EVP_PKEY *key = arg;
	uint8_t signature[512];

	for (int i = 0; i < 50; i++) {
		size_t len = bed_sign(key, "thread", signature);

		if (!bed_verifies(BED_P256, "thread", signature, len))
			return key;
	}
	return NULL;
}

static void
threads_sign_side_by_side_with_one_key(void **state)
{
	EVP_PKEY *key = bed_load(bed.libctx, BED_P256);
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, sign_many, key), 0);
	for (int i = 0; i < 4; i++) {
		void *failed;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	EVP_PKEY_free(key);
}

static void
an_asynchronous_handshake_pauses_and_completes(void **state)
{
	struct pair pair;
	OSSL_ASYNC_FD fd;
	int client = 0, server = 0, pauses = 0;
	size_t n;

	(void)state;
	pair_make(&pair, BED_RSA, TLS1_3_VERSION);
	SSL_set_mode(pair.server, SSL_MODE_ASYNC);
	for (int i = 0; i < 20 && (client != 1 || server != 1); i++) {
		client = SSL_do_handshake(pair.client);
		server = SSL_do_handshake(pair.server);
		if (server == 1 ||
		    SSL_get_error(pair.server, server) != SSL_ERROR_WANT_ASYNC)
			continue;
		pauses++;
		n = 1;
		assert_int_equal(
		    SSL_get_all_async_fds(pair.server, &fd, &n), 1);
		assert_int_equal(n, 1);
		assert_int_equal(
		    poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 60000), 1);
	}
	assert_int_equal(client, 1);
	assert_int_equal(server, 1);
	assert_int_equal(pauses, 1);
	pair_free(&pair);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, bed_fresh)
	const struct CMUnitTest tests[] = {
		TEST(tls13_handshakes_are_signed_as_such_with_every_key),
		TEST(tls12_handshakes_are_signed_as_such_with_every_key),
		TEST(
		    what_edged_answers_amiss_fails_the_handshake_with_the_reason),
		TEST(edged_down_fails_with_the_reason_and_up_again_signs),
		TEST(a_restart_of_edged_is_not_noticed),
		TEST(the_second_socket_is_tried_when_the_first_is_not_there),
		TEST(an_edged_that_was_silent_is_not_asked_for_a_while),
		TEST(an_edged_that_answers_again_is_asked_as_before),
		TEST(a_silent_edged_is_asked_every_time_without_a_breaker),
		TEST(a_child_signs_on_a_connection_of_its_own),
		TEST(threads_sign_side_by_side_with_one_key),
		TEST(an_asynchronous_handshake_pauses_and_completes),
	};

	return cmocka_run_group_tests(tests, bed_setup, bed_teardown);
}
