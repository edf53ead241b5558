/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The identity CA on a real SoftHSM token, its worker a process of its own:
 * this binary again, as keyd does it.  What it certifies is judged by OpenSSL.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "hsm/ca.h"
#include "tests/unit/softhsm.h"

#define DOMAIN "example.test"

SCOPED_RELEASE(X509_free, X509 *);
SCOPED_RELEASE(EVP_PKEY_free, EVP_PKEY *);
SCOPED_RELEASE(hsm_ca_close, struct hsm_ca *);

static const char *const worker_argv[] = { "/proc/self/exe", "ca-worker",
	NULL };
static struct softhsm softhsm;
static struct hsm_cert ca_cert;

static struct hsm_ca_config
config(void)
{
	return (struct hsm_ca_config){ .module = SOFTHSM_MODULE,
		.token_label = "identity",
		.pin_file = softhsm.pin_file,
		.lock_file = softhsm.lock_file,
		.worker_argv = worker_argv };
}

static int64_t
soon(void)
{
	return clock_mono_ns() + 30 * NS_PER_S;
}

static struct hsm_ca *
open_ca(const struct hsm_ca_config *with)
{
	struct hsm_ca *ca = NULL;

	assert_int_equal(hsm_ca_open(with, &ca).code, STATUS_OK);
	return ca;
}

static struct spiffe
member(enum role role, const char *name)
{
	struct spiffe id = { .domain = DOMAIN, .role = role };

	snprintf(id.name, sizeof(id.name), "%s", name);
	return id;
}

static struct bytes
spki_of(EVP_PKEY *key, uint8_t out[256])
{
	uint8_t *at = out;

	assert_true(i2d_PUBKEY(key, NULL) <= 256);
	return (struct bytes){ out, (size_t)i2d_PUBKEY(key, &at) };
}

static struct status
certify(struct hsm_ca *ca, enum role role, const char *name,
    struct hsm_cert *ret_cert)
{
	scoped(EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen("P-256");
	struct spiffe id = member(role, name);
	uint8_t spki[256];

	return hsm_ca_certify(ca, (struct bytes){ ca_cert.der, ca_cert.len },
	    spki_of(key, spki), &id, 3600, soon(), ret_cert);
}

static X509 *
parse(const struct hsm_cert *cert)
{
	const unsigned char *at = cert->der;
	X509 *x509 = d2i_X509(NULL, &at, (long)cert->len);

	assert_non_null(x509);
	assert_ptr_equal(at, cert->der + cert->len);
	return x509;
}

/* As a TLS peer would check it, strictly. */
static int
verify(X509 *cert, X509 *root, int purpose)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int ok;

	X509_STORE_add_cert(store, root);
	X509_STORE_set_flags(store, X509_V_FLAG_X509_STRICT);
	X509_STORE_CTX_init(ctx, store, cert, NULL);
	X509_STORE_CTX_set_purpose(ctx, purpose);
	ok = X509_verify_cert(ctx);
	if (ok != 1)
		print_message("%s\n", X509_verify_cert_error_string(
					  X509_STORE_CTX_get_error(ctx)));
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return ok;
}

/* The i-th subject alternative name as text, of that type. */
static bool
san_is(X509 *cert, int i, int type, const char *text)
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
	bool same =
	    name != NULL && name->type == type &&
	    ASN1_STRING_length(name->d.ia5) == (int)strlen(text) &&
	    memcmp(ASN1_STRING_get0_data(name->d.ia5), text, strlen(text)) == 0;

	GENERAL_NAMES_free(names);
	return same;
}

/* The pid of this process's only child. */
static pid_t
worker_pid(void)
{
	char path[64];
	int pid = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%d", &pid), 1);
	fclose(file);
	return pid;
}

static void
the_root_is_a_ca_for_end_entities_of_its_domain_only(void **state)
{
	scoped(X509_free) X509 *root = parse(&ca_cert);
	char name[256];

	(void)state;
	assert_int_equal(X509_get_version(root), X509_VERSION_3);
	assert_int_equal(X509_check_ca(root), 1);
	assert_int_equal(X509_get_pathlen(root), 0);
	assert_int_equal(X509_get_key_usage(root), KU_KEY_CERT_SIGN);
	assert_int_equal(X509_self_signed(root, 1), 1);
	X509_NAME_oneline(X509_get_subject_name(root), name, sizeof(name));
	assert_string_equal(name, "/O=" DOMAIN "/CN=Holdfast identity CA");
	assert_true(san_is(root, 0, GEN_URI, "spiffe://" DOMAIN));
}

static void
a_second_create_keeps_the_key(void **state)
{
	struct hsm_ca_config with = config();
	struct hsm_cert again;
	scoped(X509_free) X509 *first = parse(&ca_cert);
	scoped(X509_free) X509 *second = NULL;

	(void)state;
	assert_int_equal(
	    hsm_ca_create(&with, DOMAIN, 30, &again).code, STATUS_OK);
	second = parse(&again);
	assert_int_equal(
	    EVP_PKEY_eq(X509_get0_pubkey(first), X509_get0_pubkey(second)), 1);
}

static void
a_member_gets_a_client_certificate_that_openssl_verifies(void **state)
{
	struct hsm_ca_config with = config();
	scoped(hsm_ca_close) struct hsm_ca *ca = open_ca(&with);
	scoped(X509_free) X509 *root = parse(&ca_cert);
	scoped(X509_free) X509 *cert = NULL;
	struct hsm_cert out;
	int64_t now_s = clock_wall_s();

	(void)state;
	assert_int_equal(certify(ca, ROLE_EDGE, "fra-1", &out).code, STATUS_OK);
	cert = parse(&out);
	assert_int_equal(X509_get_version(cert), X509_VERSION_3);
	assert_int_equal(verify(cert, root, X509_PURPOSE_SSL_CLIENT), 1);
	assert_int_equal(X509_check_ca(cert), 0);
	assert_int_equal(X509_get_extended_key_usage(cert), XKU_SSL_CLIENT);
	assert_int_equal(X509_get_key_usage(cert), KU_DIGITAL_SIGNATURE);
	assert_true(san_is(cert, 0, GEN_URI, "spiffe://" DOMAIN "/edge/fra-1"));
	assert_false(san_is(cert, 1, GEN_DNS, "keyd." DOMAIN));
	assert_non_null(X509_get0_subject_key_id(cert));
	assert_non_null(X509_get0_authority_key_id(cert));
	assert_in_range(out.not_after_s, now_s + 3600, now_s + 3660);
	assert_true(X509_cmp_time(X509_get0_notBefore(cert), &now_s) < 0);
}

static void
keyd_gets_a_server_certificate_with_its_dns_name(void **state)
{
	struct hsm_ca_config with = config();
	scoped(hsm_ca_close) struct hsm_ca *ca = open_ca(&with);
	scoped(X509_free) X509 *root = parse(&ca_cert);
	scoped(X509_free) X509 *cert = NULL;
	struct hsm_cert out;

	(void)state;
	assert_int_equal(certify(ca, ROLE_KEYD, "k1", &out).code, STATUS_OK);
	cert = parse(&out);
	assert_int_equal(verify(cert, root, X509_PURPOSE_SSL_SERVER), 1);
	assert_int_equal(verify(cert, root, X509_PURPOSE_SSL_CLIENT), 1);
	assert_true(san_is(cert, 0, GEN_URI, "spiffe://" DOMAIN "/keyd/k1"));
	assert_true(san_is(cert, 1, GEN_DNS, "keyd." DOMAIN));
}

static void
certd_gets_a_server_certificate_with_its_own_dns_name(void **state)
{
	struct hsm_ca_config with = config();
	scoped(hsm_ca_close) struct hsm_ca *ca = open_ca(&with);
	scoped(X509_free) X509 *root = parse(&ca_cert);
	scoped(X509_free) X509 *cert = NULL;
	struct hsm_cert out;

	(void)state;
	assert_int_equal(certify(ca, ROLE_CERTD, "c1", &out).code, STATUS_OK);
	cert = parse(&out);
	assert_int_equal(verify(cert, root, X509_PURPOSE_SSL_SERVER), 1);
	assert_int_equal(verify(cert, root, X509_PURPOSE_SSL_CLIENT), 1);
	assert_true(san_is(cert, 0, GEN_URI, "spiffe://" DOMAIN "/certd/c1"));
	assert_true(san_is(cert, 1, GEN_DNS, "certd." DOMAIN));
	assert_int_equal(X509_check_host(cert, "certd." DOMAIN, 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(cert, "keyd." DOMAIN, 0, 0, NULL), 0);
}

static void
nobody_else_gets_a_certificate_that_serves(void **state)
{
	static const enum role roles[] = { ROLE_EDGE, ROLE_OPERATOR,
		ROLE_AUDITOR };
	struct hsm_ca_config with = config();
	scoped(hsm_ca_close) struct hsm_ca *ca = open_ca(&with);
	struct hsm_cert out;

	(void)state;
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		scoped(X509_free) X509 *cert = NULL;

		/* Named like one that does. */
		assert_int_equal(
		    certify(ca, roles[i], "certd." DOMAIN, &out).code,
		    STATUS_OK);
		cert = parse(&out);
		assert_int_equal(
		    X509_get_extended_key_usage(cert), XKU_SSL_CLIENT);
		assert_false(san_is(cert, 1, GEN_DNS, "certd." DOMAIN));
		assert_int_equal(X509_check_host(cert, "certd." DOMAIN, 0,
				     X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL),
		    0);
	}
}

static void
serials_are_16_random_octets(void **state)
{
	struct hsm_ca_config with = config();
	scoped(hsm_ca_close) struct hsm_ca *ca = open_ca(&with);
	struct hsm_cert one, two;

	(void)state;
	assert_int_equal(certify(ca, ROLE_EDGE, "a", &one).code, STATUS_OK);
	assert_int_equal(certify(ca, ROLE_EDGE, "a", &two).code, STATUS_OK);
	assert_int_equal(strlen(one.serial), 32);
	assert_int_equal(strlen(two.serial), 32);
	assert_string_not_equal(one.serial, two.serial);
}

static void
the_longest_name_is_certified(void **state)
{
	static const char name[] = "a123456789b123456789c123456789d123456789"
				   "e123456789f123456789g12";
	struct hsm_ca_config with = config();
	scoped(hsm_ca_close) struct hsm_ca *ca = open_ca(&with);
	struct hsm_cert out;

	(void)state;
	assert_int_equal(strlen(name), SPIFFE_NAME_MAX - 1);
	assert_int_equal(
	    certify(ca, ROLE_OPERATOR, name, &out).code, STATUS_OK);
}

static void
no_certificate_outlives_the_ca(void **state)
{
	scoped(EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen("P-256");
	struct hsm_ca_config with = config();
	scoped(hsm_ca_close) struct hsm_ca *ca = open_ca(&with);
	struct spiffe id = member(ROLE_EDGE, "fra-1");
	struct hsm_cert out;
	uint8_t spki[256];

	(void)state;
	assert_int_equal(
	    hsm_ca_certify(ca, (struct bytes){ ca_cert.der, ca_cert.len },
		spki_of(key, spki), &id, INT64_C(400) * 86400, soon(), &out)
		.code,
	    STATUS_OK);
	assert_int_equal(out.not_after_s, ca_cert.not_after_s);
}

static void
keys_other_than_p256_are_refused(void **state)
{
	struct hsm_ca_config with = config();
	scoped(hsm_ca_close) struct hsm_ca *ca = open_ca(&with);
	scoped(EVP_PKEY_free) EVP_PKEY *p384 = EVP_EC_gen("P-384");
	struct spiffe id = member(ROLE_EDGE, "fra-1");
	struct bytes issuer = { ca_cert.der, ca_cert.len };
	struct hsm_cert out;
	uint8_t spki[256];

	(void)state;
	assert_int_equal(hsm_ca_certify(ca, issuer, spki_of(p384, spki), &id,
			     3600, soon(), &out)
			     .code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(hsm_ca_certify(ca, issuer, bytes_of("not a key"), &id,
			     3600, soon(), &out)
			     .code,
	    STATUS_INVALID_ARGUMENT);
}

static void
the_cas_own_key_is_never_certified_as_a_member(void **state)
{
	struct hsm_ca_config with = config();
	scoped(hsm_ca_close) struct hsm_ca *ca = open_ca(&with);
	scoped(X509_free) X509 *root = parse(&ca_cert);
	struct spiffe id = member(ROLE_EDGE, "fra-1");
	struct hsm_cert out;
	uint8_t spki[256];

	(void)state;
	assert_int_equal(
	    hsm_ca_certify(ca, (struct bytes){ ca_cert.der, ca_cert.len },
		spki_of(X509_get0_pubkey(root), spki), &id, 3600, soon(), &out)
		.code,
	    STATUS_INVALID_ARGUMENT);
}

static void
a_foreign_ca_certificate_is_refused_and_the_worker_goes_on(void **state)
{
	struct hsm_ca_config with = config();
	scoped(hsm_ca_close) struct hsm_ca *ca = open_ca(&with);
	scoped(EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen("P-256");
	struct spiffe id = member(ROLE_EDGE, "fra-1");
	struct hsm_cert leaf, out;
	uint8_t spki[256];
	pid_t pid;

	(void)state;
	assert_int_equal(certify(ca, ROLE_EDGE, "x", &leaf).code, STATUS_OK);
	pid = worker_pid();
	assert_int_equal(
	    hsm_ca_certify(ca, (struct bytes){ leaf.der, leaf.len },
		spki_of(key, spki), &id, 3600, soon(), &out)
		.code,
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(certify(ca, ROLE_EDGE, "x", &leaf).code, STATUS_OK);
	assert_int_equal(worker_pid(), pid);
}

static void
a_killed_worker_is_replaced_by_the_next_call(void **state)
{
	struct hsm_ca_config with = config();
	scoped(hsm_ca_close) struct hsm_ca *ca = open_ca(&with);
	struct hsm_cert out;
	pid_t first;

	(void)state;
	assert_int_equal(certify(ca, ROLE_EDGE, "a", &out).code, STATUS_OK);
	first = worker_pid();
	kill(first, SIGKILL);
	assert_int_equal(certify(ca, ROLE_EDGE, "a", &out).code, STATUS_OK);
	assert_int_not_equal(worker_pid(), first);
}

static void
a_worker_that_hangs_is_killed_at_the_deadline_and_replaced(void **state)
{
	struct hsm_ca_config with = config();
	scoped(hsm_ca_close) struct hsm_ca *ca = open_ca(&with);
	scoped(EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen("P-256");
	struct spiffe id = member(ROLE_EDGE, "fra-1");
	struct hsm_cert out;
	uint8_t spki[256];

	(void)state;
	assert_int_equal(certify(ca, ROLE_EDGE, "a", &out).code, STATUS_OK);
	kill(worker_pid(), SIGSTOP);
	assert_int_equal(
	    hsm_ca_certify(ca, (struct bytes){ ca_cert.der, ca_cert.len },
		spki_of(key, spki), &id, 3600,
		clock_mono_ns() + 100 * NS_PER_MS, &out)
		.code,
	    STATUS_DEADLINE_EXCEEDED);
	assert_int_equal(certify(ca, ROLE_EDGE, "a", &out).code, STATUS_OK);
}

static void
a_token_that_goes_away_and_comes_back_needs_no_restart(void **state)
{
	struct hsm_ca_config with = config();
	scoped(hsm_ca_close) struct hsm_ca *ca = open_ca(&with);
	char away[SOFTHSM_PATH_MAX + 8];
	struct hsm_cert out;

	(void)state;
	snprintf(away, sizeof(away), "%s.away", softhsm.tokens);
	assert_int_equal(certify(ca, ROLE_EDGE, "a", &out).code, STATUS_OK);
	assert_int_equal(rename(softhsm.tokens, away), 0);
	assert_int_equal(
	    certify(ca, ROLE_EDGE, "a", &out).code, STATUS_UNAVAILABLE);
	assert_int_equal(rename(away, softhsm.tokens), 0);
	assert_int_equal(certify(ca, ROLE_EDGE, "a", &out).code, STATUS_OK);
}

static void
a_wrong_pin_is_tried_once_and_says_what_to_do(void **state)
{
	struct hsm_ca_config with = config();
	char wrong[SOFTHSM_PATH_MAX];
	scoped(hsm_ca_close) struct hsm_ca *ca = NULL;
	struct hsm_cert out;
	struct status st;

	(void)state;
	softhsm_file(&softhsm, "wrong-pin", "9999\n", wrong);
	with.pin_file = wrong;
	ca = open_ca(&with);
	st = certify(ca, ROLE_EDGE, "a", &out);
	assert_int_equal(st.code, STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(st.why, "refused the PIN"));
	assert_non_null(strstr(st.why, "restart keyd"));
	assert_int_equal(st.detail, 0xa0); /* CKR_PIN_INCORRECT */
	/* The right PIN now is not even looked at: nothing is tried again. */
	softhsm_file(&softhsm, "wrong-pin", "1234\n", wrong);
	st = certify(ca, ROLE_EDGE, "a", &out);
	assert_int_equal(st.code, STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(st.why, "refused the PIN"));
}

static void
a_create_with_a_wrong_pin_fails_and_says_so(void **state)
{
	struct hsm_ca_config with = config();
	char wrong[SOFTHSM_PATH_MAX];
	struct hsm_cert out;
	struct status st;

	(void)state;
	softhsm_file(&softhsm, "bad-pin", "9999", wrong);
	with.pin_file = wrong;
	st = hsm_ca_create(&with, DOMAIN, 30, &out);
	assert_int_equal(st.code, STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(st.why, "refused the PIN"));
}

static void
configuration_errors_name_what_to_change(void **state)
{
	struct hsm_ca_config with = config();
	struct hsm_cert out;
	struct status st;

	(void)state;
	with.module = "/nonexistent/module.so";
	st = hsm_ca_create(&with, DOMAIN, 30, &out);
	assert_int_equal(st.code, STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(st.why, "module"));
	with = config();
	with.token_label = "nobody";
	st = hsm_ca_create(&with, DOMAIN, 30, &out);
	assert_int_equal(st.code, STATUS_UNAVAILABLE);
	assert_non_null(strstr(st.why, "label"));
	with = config();
	with.pin_file = "/nonexistent/pin";
	st = hsm_ca_create(&with, DOMAIN, 30, &out);
	assert_int_equal(st.code, STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(st.why, "PIN file"));
	with = config();
	with.lock_file = "/nonexistent/lock";
	st = hsm_ca_create(&with, DOMAIN, 30, &out);
	assert_int_equal(st.code, STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(st.why, "lock file"));
}

/* Put an Ed25519 key beside the CA's, as a careless operator might. */
static void
import_ed25519(const char *pem_file)
{
	char pem[SOFTHSM_PATH_MAX];
	char *argv[] = { (char[]){ "softhsm2-util" }, (char[]){ "--import" },
		pem, (char[]){ "--token" }, (char[]){ "identity" },
		(char[]){ "--label" }, (char[]){ "stray" }, (char[]){ "--id" },
		(char[]){ "05" }, (char[]){ "--pin" }, (char[]){ "1234" },
		NULL };
	posix_spawn_file_actions_t quiet;
	int status = -1;
	pid_t pid;

	snprintf(pem, sizeof(pem), "%s", pem_file);
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
	assert_int_equal(
	    posix_spawnp(&pid, argv[0], &quiet, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&quiet);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
a_token_that_holds_other_kinds_of_keys_is_refused_with_the_reason(void **state)
{
	scoped(EVP_PKEY_free) EVP_PKEY *key =
	    EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	struct hsm_ca_config with = config();
	scoped(hsm_ca_close) struct hsm_ca *ca = open_ca(&with);
	BIO *bio = BIO_new(BIO_s_mem());
	char path[SOFTHSM_PATH_MAX], *text;
	struct hsm_cert out;
	struct status st;

	(void)state;
	PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	BIO_write(bio, "", 1);
	BIO_get_mem_data(bio, &text);
	softhsm_file(&softhsm, "stray.pem", text, path);
	BIO_free(bio);
	import_ed25519(path);
	st = certify(ca, ROLE_EDGE, "a", &out);
	assert_int_equal(st.code, STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(st.why, "token of its own"));
}

static int
make_ca(void **state)
{
	struct hsm_ca_config with;
	struct status st;

	(void)state;
	softhsm_init(&softhsm, "identity");
	with = config();
	st = hsm_ca_create(&with, DOMAIN, 365, &ca_cert);
	if (failed(st))
		print_message("%s (0x%x)\n", st.why, st.detail);
	return failed(st);
}

static int
remove_ca(void **state)
{
	(void)state;
	softhsm_done(&softhsm);
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    the_root_is_a_ca_for_end_entities_of_its_domain_only),
		cmocka_unit_test(a_second_create_keeps_the_key),
		cmocka_unit_test(
		    a_member_gets_a_client_certificate_that_openssl_verifies),
		cmocka_unit_test(
		    keyd_gets_a_server_certificate_with_its_dns_name),
		cmocka_unit_test(
		    certd_gets_a_server_certificate_with_its_own_dns_name),
		cmocka_unit_test(nobody_else_gets_a_certificate_that_serves),
		cmocka_unit_test(serials_are_16_random_octets),
		cmocka_unit_test(the_longest_name_is_certified),
		cmocka_unit_test(no_certificate_outlives_the_ca),
		cmocka_unit_test(keys_other_than_p256_are_refused),
		cmocka_unit_test(
		    the_cas_own_key_is_never_certified_as_a_member),
		cmocka_unit_test(
		    a_foreign_ca_certificate_is_refused_and_the_worker_goes_on),
		cmocka_unit_test(a_killed_worker_is_replaced_by_the_next_call),
		cmocka_unit_test(
		    a_worker_that_hangs_is_killed_at_the_deadline_and_replaced),
		cmocka_unit_test(
		    a_token_that_goes_away_and_comes_back_needs_no_restart),
		cmocka_unit_test(a_wrong_pin_is_tried_once_and_says_what_to_do),
		cmocka_unit_test(a_create_with_a_wrong_pin_fails_and_says_so),
		cmocka_unit_test(configuration_errors_name_what_to_change),
		/* Last: it leaves the token of no use. */
		cmocka_unit_test(
		    a_token_that_holds_other_kinds_of_keys_is_refused_with_the_reason),
	};

	if (argc > 1 && strcmp(argv[1], "ca-worker") == 0)
		return hsm_ca_worker_main();
	return cmocka_run_group_tests(tests, make_ca, remove_ca);
}
