/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A member's files: what a join file must look like, what a state folder must
 * hold, and that each refusal says what to do next.  The trade itself is in
 * test_authority.c, which has a keyd to trade with.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "rpc/enroll.h"
#include "rpc/member_file.h"
#include "rpc/member_key.h"
#include "tests/unit/pki.h"
#include "tests/unit/scratch.h"

#define DOMAIN "example.test"
#define EDGE "spiffe://" DOMAIN "/edge/fra-1"

static char folder[64];
static char why[RPC_WHY_MAX];
static struct pki_ca *ca;
static const uint8_t secret[JOIN_SECRET_LEN] = { 1, 2, 3, 0xfe };
static const char *const endpoints[] = { "10.0.0.1:7443", "[::1]:7443" };
/* A port that nothing listens on: reserved, tcpmux. */
static const char *const enroll_endpoints[] = { "127.0.0.1:1" };

static struct enroll_join
invitation(void)
{
	return (struct enroll_join){ .identity = EDGE,
		.domain = DOMAIN,
		.ca_pem = pki_ca_pem(ca),
		.endpoints = endpoints,
		.n_endpoints = 2,
		.enroll_endpoints = enroll_endpoints,
		.n_enroll_endpoints = 1,
		.secret = { secret, sizeof(secret) },
		.expires_s = clock_wall_s() + 3600 };
}

static const char *
in_folder(const char *name)
{
	static char path[4][256];
	static unsigned i;
	char *at = path[i++ % 4];

	snprintf(at, 256, "%s/%s", folder, name);
	return at;
}

static void
put(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void
assert_why(const char *part)
{
	if (strstr(why, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, part);
}

/* Does a join file of this text parse? */
static struct status
parse(const char *text, size_t len)
{
	char error[CONF_ERROR_MAX];
	struct member_file file;
	struct status st = member_file_parse(
	    MEMBER_FILE_JOIN, "x.join", text, len, &file, error);

	if (failed(st))
		snprintf(why, sizeof(why), "%.255s", error);
	else
		member_file_done(MEMBER_FILE_JOIN, &file);
	return st;
}

/* The invitation's text with one part of it replaced. */
static struct status
parse_with(const char *old, const char *new)
{
	struct enroll_join join = invitation();
	char *text, *at, changed[8192];

	assert_int_equal(
	    member_file_print(MEMBER_FILE_JOIN, &join, &text).code, STATUS_OK);
	at = strstr(text, old);
	assert_non_null(at);
	snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text,
	    new, at + strlen(old));
	free(text);
	return parse(changed, strlen(changed));
}

static void
a_join_file_reads_back_as_it_was_written(void **state)
{
	struct enroll_join join = invitation();
	const char *path = in_folder("round.join");
	char error[CONF_ERROR_MAX], *text;
	struct member_file file;
	uint8_t read[JOIN_SECRET_LEN];
	struct stat st;
	size_t len;

	(void)state;
	assert_int_equal(enroll_write_join(path, &join).code, STATUS_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(member_file_read(path, &text, &len).code, STATUS_OK);
	assert_int_equal(
	    member_file_parse(MEMBER_FILE_JOIN, path, text, len, &file, error)
		.code,
	    STATUS_OK);
	assert_string_equal(file.identity, EDGE);
	assert_int_equal(file.id.role, ROLE_EDGE);
	assert_string_equal(file.id.name, "fra-1");
	assert_string_equal(file.ca, pki_ca_pem(ca));
	assert_int_equal(file.endpoints.len, 2);
	assert_string_equal(file.endpoints.at[1], "[::1]:7443");
	assert_int_equal(file.enroll_endpoints.len, 1);
	assert_int_equal(file.expires_s, join.expires_s);
	assert_true(bytes_from_hex(file.secret, sizeof(read), read));
	assert_memory_equal(read, secret, sizeof(read));
	member_file_done(MEMBER_FILE_JOIN, &file);
	free(text);
}

static void
a_join_file_never_overwrites_another(void **state)
{
	struct enroll_join join = invitation();
	const char *path = in_folder("twice.join");

	(void)state;
	assert_int_equal(enroll_write_join(path, &join).code, STATUS_OK);
	assert_int_equal(
	    enroll_write_join(path, &join).code, STATUS_ALREADY_EXISTS);
}

static void
a_join_file_cannot_be_made_of_text_that_breaks_out_of_it(void **state)
{
	static const char *const bad[] = { "a:1\"\nsecret: x", "a", "a:b",
		"a:0", "a:65536", ":1", "unix:/tmp/x", "dns:///a:1", "[::1]",
		"[]:1", "ipv4:1.2.3.4:5", "a b:1", "" };
	struct enroll_join join = invitation();

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		join.endpoints = &bad[i];
		join.n_endpoints = 1;
		assert_int_equal(
		    enroll_write_join(in_folder("bad.join"), &join).code,
		    STATUS_INVALID_ARGUMENT);
	}
	join = invitation();
	snprintf(join.domain, sizeof(join.domain), "other.test");
	assert_int_equal(enroll_write_join(in_folder("bad.join"), &join).code,
	    STATUS_INVALID_ARGUMENT);
	join = invitation();
	join.ca_pem = "not a certificate";
	assert_int_equal(enroll_write_join(in_folder("bad.join"), &join).code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(access(in_folder("bad.join"), F_OK), -1);
}

static void
a_truncated_join_file_is_refused_wherever_it_was_cut(void **state)
{
	struct enroll_join join = invitation();
	char *text, *end;

	(void)state;
	assert_int_equal(
	    member_file_print(MEMBER_FILE_JOIN, &join, &text).code, STATUS_OK);
	assert_int_equal(parse(text, strlen(text)).code, STATUS_OK);
	/* What follows the last dash of the PEM is white space alone. */
	end = strrchr(text, '-');
	for (size_t len = 0; len < (size_t)(end - text); len++)
		assert_true(failed(parse(text, len)));
	free(text);
}

static void
a_foreign_join_file_is_refused(void **state)
{
	(void)state;
	assert_int_equal(
	    parse_with("holdfast-join-v1", "holdfast-join-v2").code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    parse_with(EDGE, "https://example.test/edge/fra-1").code,
	    STATUS_INVALID_ARGUMENT);
	assert_why("spiffe://domain/role/name");
	assert_int_equal(parse_with("10.0.0.1:7443", "unix:/run/x").code,
	    STATUS_INVALID_ARGUMENT);
	assert_why("host:port");
	assert_int_equal(
	    parse_with("0102", "zz02").code, STATUS_INVALID_ARGUMENT);
	assert_why("hexadecimal");
	assert_true(failed(parse_with("expires_s:", "expires:")));
	assert_true(failed(parse_with("  -----BEGIN CERTIFICATE", "  -----X")));
	assert_true(failed(parse("\x7f"
				 "ELF",
	    4)));
}

static void
a_leaf_certificate_is_not_taken_for_a_ca(void **state)
{
	struct pki_leaf leaf = pki_leaf_new(ca, "URI:" EDGE, 3600);

	(void)state;
	assert_false(member_ca_ok(leaf.cert_pem));
	assert_true(member_ca_ok(pki_ca_pem(ca)));
	assert_false(member_ca_ok(""));
	pki_leaf_free(&leaf);
}

static void
a_join_file_that_others_may_read_is_refused(void **state)
{
	struct enroll_join join = invitation();
	const char *path = in_folder("open.join");

	(void)state;
	assert_int_equal(enroll_write_join(path, &join).code, STATUS_OK);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(enroll_join(path, in_folder("s1"), why).code,
	    STATUS_PERMISSION_DENIED);
	assert_why("chmod 600");
	assert_why("ask for a new invitation");
}

static void
an_expired_join_file_names_the_command_for_a_new_one(void **state)
{
	struct enroll_join join = invitation();
	const char *path = in_folder("expired.join");

	(void)state;
	join.expires_s = clock_wall_s() - 1;
	assert_int_equal(enroll_write_join(path, &join).code, STATUS_OK);
	assert_int_equal(enroll_join(path, in_folder("s2"), why).code,
	    STATUS_FAILED_PRECONDITION);
	assert_why("expired");
	assert_why("holdfast edge invite fra-1");
}

static void
a_missing_join_file_is_said_to_be_missing(void **state)
{
	(void)state;
	assert_int_equal(
	    enroll_join(in_folder("none.join"), in_folder("s3"), why).code,
	    STATUS_NOT_FOUND);
	assert_why("no such file");
}

static void
a_keyd_that_cannot_be_reached_is_named_and_the_file_stays_good(void **state)
{
	struct enroll_join join = invitation();
	const char *path = in_folder("unreachable.join");

	(void)state;
	assert_int_equal(enroll_write_join(path, &join).code, STATUS_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(enroll_join(path, in_folder("s4"), why).code,
		    STATUS_UNAVAILABLE);
		assert_why("127.0.0.1:1");
	}
}

static void
a_state_folder_that_others_may_enter_is_refused(void **state)
{
	struct enroll_join join = invitation();
	const char *path = in_folder("folder.join");

	(void)state;
	assert_int_equal(enroll_write_join(path, &join).code, STATUS_OK);
	assert_int_equal(mkdir(in_folder("open"), 0700), 0);
	assert_int_equal(chmod(in_folder("open"), 0755), 0);
	assert_int_equal(enroll_join(path, in_folder("open"), why).code,
	    STATUS_PERMISSION_DENIED);
	assert_why("chmod 700");
}

/* A state folder as enroll_join leaves it. */
static const char *
make_state(const char *name, const struct pki_leaf *leaf)
{
	struct enroll_join join = invitation();
	const char *dir = in_folder(name);
	char *text, both[8192], path[320];

	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(
	    member_file_print(MEMBER_FILE_STATE, &join, &text).code, STATUS_OK);
	assert_int_equal(
	    member_file_replace(dir, "member.yaml", text, strlen(text)).code,
	    STATUS_OK);
	free(text);
	snprintf(both, sizeof(both), "%s%s", leaf->key_pem, leaf->cert_pem);
	snprintf(path, sizeof(path), "%s/identity.pem", dir);
	put(path, both, 0600);
	return dir;
}

static void
a_member_is_loaded_from_its_state_folder(void **state)
{
	struct pki_leaf leaf = pki_leaf_new(ca, "URI:" EDGE, 3600);
	struct enroll_identity *identity = NULL;
	struct rpc_client_config config;
	const char *dir = make_state("member", &leaf);
	struct status st = enroll_load(dir, &identity, why);

	(void)state;
	if (failed(st))
		fail_msg("%s", why);
	assert_string_equal(identity->identity, EDGE);
	assert_string_equal(identity->domain, DOMAIN);
	assert_string_equal(identity->server_name, "keyd." DOMAIN);
	assert_int_equal(identity->n_endpoints, 2);
	assert_string_equal(identity->cert_pem, leaf.cert_pem);
	assert_true(identity->not_before_s < identity->not_after_s);
	config = enroll_client_config(identity, 1);
	assert_string_equal(config.target, "[::1]:7443");
	assert_ptr_equal(config.key_pem, identity->key_pem);
	assert_string_equal(config.server_name, "keyd." DOMAIN);
	config = enroll_certd_config(identity, "127.0.0.1:7445");
	assert_string_equal(config.target, "127.0.0.1:7445");
	assert_string_equal(config.server_name, "certd." DOMAIN);
	assert_ptr_equal(config.ca_pem, identity->ca_pem);
	enroll_identity_free(identity);
	pki_leaf_free(&leaf);
}

static void
a_second_join_is_refused_while_the_identity_is_good(void **state)
{
	struct pki_leaf leaf = pki_leaf_new(ca, "URI:" EDGE, 3600);
	struct enroll_join join = invitation();
	const char *dir = make_state("joined", &leaf);
	const char *path = in_folder("second.join");

	(void)state;
	assert_int_equal(enroll_write_join(path, &join).code, STATUS_OK);
	assert_int_equal(
	    enroll_join(path, dir, why).code, STATUS_FAILED_PRECONDITION);
	assert_why("already");
	pki_leaf_free(&leaf);
}

static void
an_empty_state_folder_says_how_to_join(void **state)
{
	struct enroll_identity *identity = NULL;

	(void)state;
	assert_int_equal(enroll_load(in_folder("nobody"), &identity, why).code,
	    STATUS_NOT_FOUND);
	assert_why("edged join FILE");
	assert_null(identity);
}

static void
an_expired_identity_asks_for_a_new_invitation(void **state)
{
	struct pki_leaf leaf = pki_leaf_new(ca, "URI:" EDGE, -60);
	struct enroll_identity *identity = NULL;

	(void)state;
	assert_int_equal(
	    enroll_load(make_state("late", &leaf), &identity, why).code,
	    STATUS_FAILED_PRECONDITION);
	assert_why("holdfast edge invite fra-1");
	pki_leaf_free(&leaf);
}

static void
an_identity_that_is_not_whole_or_not_ours_is_refused(void **state)
{
	struct pki_leaf leaf = pki_leaf_new(ca, "URI:" EDGE, 3600);
	struct pki_leaf other =
	    pki_leaf_new(ca, "URI:spiffe://" DOMAIN "/edge/fra-2", 3600);
	struct pki_ca *foreign_ca = pki_ca_new("foreign");
	struct pki_leaf foreign = pki_leaf_new(foreign_ca, "URI:" EDGE, 3600);
	struct pki_leaf mixed = { leaf.cert_pem, other.key_pem };
	struct enroll_identity *identity = NULL;
	char path[320];

	(void)state;
	assert_int_equal(
	    enroll_load(make_state("other", &other), &identity, why).code,
	    STATUS_DATA_LOSS);
	assert_why("another identity");
	assert_int_equal(
	    enroll_load(make_state("foreign", &foreign), &identity, why).code,
	    STATUS_DATA_LOSS);
	assert_int_equal(
	    enroll_load(make_state("mixed", &mixed), &identity, why).code,
	    STATUS_DATA_LOSS);
	assert_why("another key");
	snprintf(
	    path, sizeof(path), "%s/identity.pem", make_state("cut", &leaf));
	assert_int_equal(truncate(path, 300), 0);
	assert_int_equal(enroll_load(in_folder("cut"), &identity, why).code,
	    STATUS_DATA_LOSS);
	assert_why("damaged");
	put(path, leaf.cert_pem, 0644);
	assert_int_equal(enroll_load(in_folder("cut"), &identity, why).code,
	    STATUS_PERMISSION_DENIED);
	assert_null(identity);
	pki_leaf_free(&leaf);
	pki_leaf_free(&other);
	pki_leaf_free(&foreign);
	pki_ca_free(foreign_ca);
}

static void
renewal_is_due_at_half_life(void **state)
{
	struct enroll_identity identity = { .not_before_s = 1000,
		.not_after_s = 2000 };

	(void)state;
	assert_false(enroll_renew_due(&identity, 1499));
	assert_true(enroll_renew_due(&identity, 1500));
	assert_true(enroll_renew_due(&identity, 3000));
}

static void
a_file_is_replaced_whole_and_leaves_nothing_beside_it(void **state)
{
	const char *dir = in_folder("replace");
	char *text, path[320];
	struct stat st;
	size_t len;

	(void)state;
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(
	    member_file_replace(dir, "f", "old", 3).code, STATUS_OK);
	/* What a crash left behind is no obstacle. */
	snprintf(path, sizeof(path), "%s/.f.new", dir);
	put(path, "torn", 0600);
	assert_int_equal(
	    member_file_replace(dir, "f", "new!", 4).code, STATUS_OK);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(path, sizeof(path), "%s/f", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(member_file_read(path, &text, &len).code, STATUS_OK);
	assert_string_equal(text, "new!");
	free(text);
}

static void
a_csr_is_proven_by_its_own_key(void **state)
{
	scoped(EVP_PKEY_free) EVP_PKEY *key = member_key_new();
	const unsigned char *at;
	uint8_t der[MEMBER_CSR_MAX];
	X509_REQ *req;
	size_t len;

	(void)state;
	assert_non_null(key);
	assert_true(member_key_csr(key, der, &len));
	at = der;
	req = d2i_X509_REQ(NULL, &at, (long)len);
	assert_non_null(req);
	assert_int_equal(X509_REQ_verify(req, key), 1);
	X509_REQ_free(req);
}

static int
set_up(void **state)
{
	(void)state;
	memcpy(folder, "/tmp/holdfast.XXXXXX", 21);
	ca = pki_ca_new("test CA");
	return mkdtemp(folder) == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	pki_ca_free(ca);
	return scratch_remove(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_join_file_reads_back_as_it_was_written),
		cmocka_unit_test(a_join_file_never_overwrites_another),
		cmocka_unit_test(
		    a_join_file_cannot_be_made_of_text_that_breaks_out_of_it),
		cmocka_unit_test(
		    a_truncated_join_file_is_refused_wherever_it_was_cut),
		cmocka_unit_test(a_foreign_join_file_is_refused),
		cmocka_unit_test(a_leaf_certificate_is_not_taken_for_a_ca),
		cmocka_unit_test(a_join_file_that_others_may_read_is_refused),
		cmocka_unit_test(
		    an_expired_join_file_names_the_command_for_a_new_one),
		cmocka_unit_test(a_missing_join_file_is_said_to_be_missing),
		cmocka_unit_test(
		    a_keyd_that_cannot_be_reached_is_named_and_the_file_stays_good),
		cmocka_unit_test(
		    a_state_folder_that_others_may_enter_is_refused),
		cmocka_unit_test(a_member_is_loaded_from_its_state_folder),
		cmocka_unit_test(
		    a_second_join_is_refused_while_the_identity_is_good),
		cmocka_unit_test(an_empty_state_folder_says_how_to_join),
		cmocka_unit_test(an_expired_identity_asks_for_a_new_invitation),
		cmocka_unit_test(
		    an_identity_that_is_not_whole_or_not_ours_is_refused),
		cmocka_unit_test(renewal_is_due_at_half_life),
		cmocka_unit_test(
		    a_file_is_replaced_whole_and_leaves_nothing_beside_it),
		cmocka_unit_test(a_csr_is_proven_by_its_own_key),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
