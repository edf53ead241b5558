/* SPDX-License-Identifier: Apache-2.0 */

/* What is seen of a TLS server that OpenSSL makes in this process. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/process.h"
#include "edge/probe.h"
#include "tests/unit/tls_server.h"

#define HOST "www.example.com"

static struct made_cert *ec, *rsa, *ed, *other;
static struct tls_server *server;
static struct probe *probe;

static int
setup(void **state)
{
	(void)state;
	ec = made_cert_new("a", SITE_EC);
	rsa = made_cert_new("a", SITE_RSA);
	ed = made_cert_new("a", SITE_ED25519);
	other = made_cert_new("b", SITE_EC);
	server = tls_server_new();
	assert_false(failed(
	    probe_new(tls_server_address(server), 20 * NS_PER_S, &probe)));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	probe_free(probe);
	tls_server_free(server);
	made_cert_free(ec);
	made_cert_free(rsa);
	made_cert_free(ed);
	made_cert_free(other);
	return 0;
}

static void
sees(const char *host, const struct made_cert *cert)
{
	uint8_t seen[SITE_FINGERPRINT_LEN];
	char why[SITE_WHY_MAX] = "";

	if (failed(probe_handshake(probe, host, cert->kind, seen, why)))
		fail_msg("%s", why);
	assert_memory_equal(seen, cert->fingerprint, sizeof(seen));
}

static void
sees_each_kind_of_certificate_that_a_host_has(void **state)
{
	const int versions[] = { 0, TLS1_2_VERSION, TLS1_3_VERSION };
	const struct made_cert *all[] = { ec, rsa, ed };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		tls_server_serve(server, HOST, all, 3, versions[i]);
		sees(HOST, ec);
		sees(HOST, rsa);
		sees(HOST, ed);
	}
}

static void
goes_by_the_name_it_asks_for(void **state)
{
	const struct made_cert *one[] = { ec }, *two[] = { other };

	(void)state;
	tls_server_serve(server, HOST, one, 1, 0);
	tls_server_serve(server, "holdfast-probe.example.com", two, 1, 0);
	sees(HOST, ec);
	sees("*.example.com", other);
}

static struct probe_result
look(const struct made_cert *const *certs, size_t n)
{
	const char *hosts[] = { "a.example.com", HOST };
	struct site_certificate bound[SITE_KINDS];
	struct probe_result result;
	struct site *site;

	for (size_t i = 0; i < n; i++) {
		bound[i].kind = certs[i]->kind;
		memcpy(bound[i].fingerprint, certs[i]->fingerprint,
		    SITE_FINGERPRINT_LEN);
	}
	site = site_new(1, 1, hosts, 2, bound, n);
	probe_site(probe, site, &result);
	site_unref(site);
	return result;
}

static void
a_site_is_served_once_all_its_names_and_certificates_are(void **state)
{
	const struct made_cert *both[] = { ec, rsa }, *one[] = { ec };
	const struct made_cert *wrong[] = { other, rsa };
	struct probe_result result;

	(void)state;
	tls_server_serve(server, "a.example.com", both, 2, 0);
	result = look(both, 2);
	assert_false(result.served);
	assert_non_null(strstr(result.why, HOST " (ECDSA): "));
	assert_false(result.has_seen);

	tls_server_serve(server, HOST, one, 1, 0);
	result = look(both, 2);
	assert_false(result.served);
	assert_non_null(strstr(result.why, HOST " (RSA): "));

	tls_server_serve(server, HOST, wrong, 2, 0);
	result = look(both, 2);
	assert_false(result.served);
	assert_string_equal(
	    result.why, HOST " (ECDSA): another certificate is served");
	assert_true(result.has_seen);
	assert_memory_equal(
	    result.seen, other->fingerprint, SITE_FINGERPRINT_LEN);

	tls_server_serve(server, HOST, both, 2, 0);
	result = look(both, 2);
	assert_true(result.served);
	assert_string_equal(result.why, "");
}

static void
says_that_nobody_listens(void **state)
{
	uint8_t seen[SITE_FINGERPRINT_LEN];
	char why[SITE_WHY_MAX];
	struct probe *nobodys;

	(void)state;
	assert_false(failed(probe_new("127.0.0.1:1", 20 * NS_PER_S, &nobodys)));
	assert_int_equal(
	    probe_handshake(nobodys, HOST, SITE_EC, seen, why).code,
	    STATUS_UNAVAILABLE);
	assert_string_equal(why, "Connection refused");
	probe_free(nobodys);
}

static void
a_server_that_says_nothing_costs_no_more_than_the_timeout(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	uint8_t seen[SITE_FINGERPRINT_LEN];
	char why[SITE_WHY_MAX], address[32];
	socklen_t len = sizeof(at);
	struct probe *mute;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	(void)!snprintf(
	    address, sizeof(address), "127.0.0.1:%d", ntohs(at.sin_port));
	assert_false(failed(probe_new(address, 100 * NS_PER_MS, &mute)));
	assert_true(failed(probe_handshake(mute, HOST, SITE_EC, seen, why)));
	assert_string_equal(why, "no answer in time");
	probe_free(mute);
	/* Nor anything, once it is to stop. */
	assert_false(failed(probe_new(address, 600 * NS_PER_S, &mute)));
	probe_stop(mute);
	assert_true(failed(probe_handshake(mute, HOST, SITE_EC, seen, why)));
	probe_free(mute);
	close(fd);
}

static void
takes_addresses_and_no_names(void **state)
{
	static const char *const good[] = { "127.0.0.1:443", "[::1]:8443",
		"[fe80::1]:1", "10.0.0.1:65535" };
	static const char *const bad[] = { "", "localhost:443", "127.0.0.1",
		"127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "::1:443",
		"[::1]", "127.0.0.1:x", "127.0.0.1:443 " };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(probe_address_ok(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (probe_address_ok(bad[i]))
			fail_msg("\"%s\" passes", bad[i]);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(sees_each_kind_of_certificate_that_a_host_has),
		T(goes_by_the_name_it_asks_for),
		T(a_site_is_served_once_all_its_names_and_certificates_are),
		T(says_that_nobody_listens),
		T(a_server_that_says_nothing_costs_no_more_than_the_timeout),
		T(takes_addresses_and_no_names),
	};

	/* As in edged. */
	process_block_signals();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
