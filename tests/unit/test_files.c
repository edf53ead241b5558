/* SPDX-License-Identifier: Apache-2.0 */

/* Certificates on disk, in a temporary folder. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edge/files.h"
#include "tests/unit/scratch.h"
#include "tests/unit/site_maker.h"

#define HOST "www.example.com"

static struct made_cert *ec, *rsa, *ed;
static char folder[64];
static struct files *files;

static int
setup(void **state)
{
	(void)state;
	(void)!snprintf(folder, sizeof(folder), "/tmp/files.XXXXXX");
	assert_non_null(mkdtemp(folder));
	umask(077);
	assert_false(failed(files_open(
	    &(struct files_config){ .dir = folder, .mode = 0644 }, &files)));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	files_close(files);
	files = NULL;
	(void)scratch_remove(folder);
	return 0;
}

static int
setup_all(void **state)
{
	(void)state;
	ec = made_cert_new("a", SITE_EC);
	rsa = made_cert_new("a", SITE_RSA);
	ed = made_cert_new("a", SITE_ED25519);
	return 0;
}

static int
teardown_all(void **state)
{
	(void)state;
	made_cert_free(ec);
	made_cert_free(rsa);
	made_cert_free(ed);
	return 0;
}

/* Stage a site and serve it; gives it back. */
static struct site *
serve(Holdfast__Certd__V1__Site *message)
{
	char why[SITE_WHY_MAX];
	struct site_pem pem;
	struct site *site;

	assert_false(failed(site_read(message, &site, &pem, why)));
	made_site_free(message);
	assert_false(failed(files_stage(files, site, &pem, true)));
	site_pem_done(&pem);
	for (size_t i = 0; i < site->n_hosts; i++)
		assert_false(failed(files_swap(files, site, site->hosts[i])));
	assert_false(failed(files_settle(files)));
	return site;
}

/* What a file below the folder holds; NULL: there is none. */
static const char *
text_of(const char *name)
{
	static char text[2][32768];
	static unsigned turn;
	char path[512];
	FILE *from;
	size_t n;

	(void)!snprintf(path, sizeof(path), "%s/%s", folder, name);
	from = fopen(path, "r");
	if (from == NULL)
		return NULL;
	turn ^= 1;
	n = fread(text[turn], 1, sizeof(text[0]) - 1, from);
	text[turn][n] = '\0';
	fclose(from);
	return text[turn];
}

static mode_t
mode_of(const char *name)
{
	char path[512];
	struct stat st;

	(void)!snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void
a_site_stands_where_web_servers_look_for_it(void **state)
{
	struct site *site = serve(made_site_of(1, 7, HOST, ec));
	const char *text;

	(void)state;
	assert_string_equal(
	    text_of("live/" HOST "/fullchain.pem"), ec->chain_pem);
	text = text_of("live/" HOST "/privkey.pem");
	assert_non_null(text);
	assert_non_null(strstr(text, "BEGIN " STUB_PEM_LABEL));
	text = text_of("haproxy/" HOST ".pem");
	assert_memory_equal(text, ec->chain_pem, strlen(ec->chain_pem));
	assert_non_null(strstr(text, "BEGIN " STUB_PEM_LABEL));
	assert_null(strstr(text, "PRIVATE"));
	/* HAProxy's runtime API ends what it is given at an empty line. */
	assert_null(strstr(text, "\n\n"));
	assert_true(files_is_live(files, HOST));
	/* Whatever umask is. */
	assert_int_equal(mode_of("live"), 0755);
	assert_int_equal(mode_of("live/" HOST), 0755);
	assert_int_equal(mode_of("live/" HOST "/privkey.pem"), 0644);
	site_unref(site);
}

static void
several_kinds_of_keys_stand_side_by_side(void **state)
{
	const char *hosts[] = { HOST, NULL };
	const struct made_cert *all[] = { ed, rsa, ec };
	struct site *site = serve(made_site_new(1, 7, hosts, all, 3));

	(void)state;
	assert_string_equal(
	    text_of("live/" HOST "/fullchain.pem"), ec->chain_pem);
	assert_string_equal(
	    text_of("live/" HOST "/fullchain-rsa.pem"), rsa->chain_pem);
	assert_string_equal(
	    text_of("live/" HOST "/fullchain-ed25519.pem"), ed->chain_pem);
	assert_non_null(text_of("live/" HOST "/privkey-rsa.pem"));
	assert_null(text_of("haproxy/" HOST ".pem"));
	assert_non_null(text_of("haproxy/" HOST ".pem.ecdsa"));
	assert_memory_equal(text_of("haproxy/" HOST ".pem.rsa"), rsa->chain_pem,
	    strlen(rsa->chain_pem));
	site_unref(site);

	/* And back: nothing points nowhere. */
	site = serve(made_site_of(1, 8, HOST, rsa));
	assert_string_equal(
	    text_of("live/" HOST "/fullchain.pem"), rsa->chain_pem);
	assert_null(text_of("live/" HOST "/fullchain-rsa.pem"));
	assert_non_null(text_of("haproxy/" HOST ".pem"));
	assert_null(text_of("haproxy/" HOST ".pem.rsa"));
	assert_null(text_of("haproxy/" HOST ".pem.ecdsa"));
	site_unref(site);
}

static void
a_standby_certificate_stands_beside_and_goes_with_its_version(void **state)
{
	Holdfast__Certd__V1__Site *message = made_site_of(1, 5, HOST, ec);

	(void)state;
	made_site_standby(message, rsa);
	site_unref(serve(message));
	assert_string_equal(
	    text_of("live/" HOST "/fullchain.pem"), ec->chain_pem);
	assert_string_equal(
	    text_of("live/" HOST "/standby/fullchain.pem"), rsa->chain_pem);
	assert_non_null(strstr(text_of("live/" HOST "/standby/privkey.pem"),
	    "BEGIN " STUB_PEM_LABEL));
	assert_non_null(strstr(
	    text_of("live/" HOST "/standby/haproxy.pem"), rsa->chain_pem));
	assert_int_equal(mode_of("live/" HOST "/standby"), 0755);
	assert_int_equal(mode_of("live/" HOST "/standby/fullchain.pem"), 0644);
	/* HAProxy, which reads its folder whole, is not given it. */
	assert_string_equal(text_of("haproxy/" HOST ".pem"),
	    text_of("live/" HOST "/haproxy.pem"));
	site_unref(serve(made_site_of(1, 6, HOST, rsa)));
	assert_null(text_of("live/" HOST "/standby/fullchain.pem"));
	files_prune(files, HOST, 6, 0);
	assert_null(text_of("versions/" HOST "/5/standby/fullchain.pem"));
	assert_null(text_of("versions/" HOST "/5/fullchain.pem"));
	assert_false(
	    failed(files_remove(files, (const char *const[]){ HOST }, 1)));
	assert_int_equal(access(folder, F_OK), 0);
}

static void
a_wildcard_has_a_folder_of_its_own(void **state)
{
	struct site *site = serve(made_site_of(1, 7, "*.example.com", ec));

	(void)state;
	assert_non_null(text_of("live/_wildcard.example.com/fullchain.pem"));
	assert_non_null(text_of("haproxy/_wildcard.example.com.pem"));
	site_unref(site);
}

static void
what_is_staged_is_not_served(void **state)
{
	struct site *old = serve(made_site_of(1, 7, HOST, ec)), *new;
	Holdfast__Certd__V1__Site *message = made_site_of(1, 8, HOST, rsa);
	char why[SITE_WHY_MAX];
	struct site_pem pem;

	(void)state;
	assert_false(failed(site_read(message, &new, &pem, why)));
	made_site_free(message);
	assert_false(failed(files_stage(files, new, &pem, false)));
	assert_false(failed(files_sync(files)));
	site_pem_done(&pem);
	assert_string_equal(
	    text_of("live/" HOST "/fullchain.pem"), ec->chain_pem);
	site_unref(old);
	site_unref(new);
}

static void
a_version_that_comes_again_with_other_content_replaces_it(void **state)
{
	(void)state;
	site_unref(serve(made_site_of(1, 7, HOST, ec)));
	site_unref(serve(made_site_of(1, 7, HOST, rsa)));
	assert_string_equal(
	    text_of("live/" HOST "/fullchain.pem"), rsa->chain_pem);
	assert_null(text_of("versions/" HOST "/.new/fullchain.pem"));
}

static void
old_versions_go_when_told_and_others_stay(void **state)
{
	(void)state;
	for (int64_t version = 1; version <= 4; version++)
		site_unref(serve(made_site_of(1, version, HOST, ec)));
	files_prune(files, HOST, 4, 3);
	assert_null(text_of("versions/" HOST "/1/fullchain.pem"));
	assert_null(text_of("versions/" HOST "/2/fullchain.pem"));
	assert_non_null(text_of("versions/" HOST "/3/fullchain.pem"));
	assert_non_null(text_of("live/" HOST "/fullchain.pem"));
	assert_false(
	    failed(files_remove(files, (const char *const[]){ HOST }, 1)));
	assert_false(files_is_live(files, HOST));
	assert_null(text_of("haproxy/" HOST ".pem"));
	assert_null(text_of("versions/" HOST "/4/fullchain.pem"));
	/* Nothing is left to remove. */
	assert_false(
	    failed(files_remove(files, (const char *const[]){ HOST }, 1)));
}

/* What else stands in its certificate is another's. */
static void
haproxy_is_given_each_certificate_for_its_own_host_alone(void **state)
{
	char whole[512];

	(void)state;
	assert_string_equal(text_of("haproxy.list"), "");
	site_unref(serve(made_site_of(2, 7, "*.example.com", ec)));
	site_unref(serve(made_site_of(1, 7, HOST, ec)));
	(void)snprintf(whole, sizeof(whole),
	    "%s/haproxy/_wildcard.example.com.pem *.example.com\n"
	    "%s/haproxy/" HOST ".pem " HOST "\n",
	    folder, folder);
	assert_string_equal(text_of("haproxy.list"), whole);
	assert_false(failed(
	    files_remove(files, (const char *const[]){ "*.example.com" }, 1)));
	assert_string_equal(text_of("haproxy.list"), strchr(whole, '\n') + 1);
}

static void
add_name(void *ctx, const char *host)
{
	char *all = ctx;

	(void)!snprintf(all + strlen(all), 128 - strlen(all), "%s;", host);
}

static void
lists_the_hosts_that_are_live(void **state)
{
	char all[128] = "";

	(void)state;
	site_unref(serve(made_site_of(1, 7, "*.example.com", ec)));
	files_each(files, add_name, all);
	assert_string_equal(all, "*.example.com;");
}

static void
a_link_in_place_of_a_folder_is_not_followed(void **state)
{
	Holdfast__Certd__V1__Site *message = made_site_of(1, 1, HOST, ec);
	char why[SITE_WHY_MAX], path[256];
	struct site_pem pem;
	struct site *site;

	(void)state;
	(void)!snprintf(path, sizeof(path), "%s/versions/" HOST, folder);
	assert_int_equal(symlink("/tmp", path), 0);
	assert_false(failed(site_read(message, &site, &pem, why)));
	assert_int_equal(
	    files_stage(files, site, &pem, true).code, STATUS_UNAVAILABLE);
	site_pem_done(&pem);
	site_unref(site);
	made_site_free(message);
}

/* Serves one version after the other until it is killed. */
static void
child(void)
{
	for (int64_t version = 1;; version++)
		site_unref(serve(
		    made_site_of(1, version, HOST, version % 2 ? ec : rsa)));
}

static void
a_kill_at_any_moment_leaves_one_whole_version(void **state)
{
	enum {
		ROUNDS = 40
	};

	(void)state;
	site_unref(serve(made_site_of(1, 1, HOST, ec)));
	for (int i = 0; i < ROUNDS; i++) {
		const char *chain, *stub, *both;
		pid_t pid = fork();
		bool is_ec;

		if (pid == 0)
			child();
		assert_true(pid > 0);
		usleep((useconds_t)(1000 + i * 571));
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);

		chain = text_of("live/" HOST "/fullchain.pem");
		assert_non_null(chain);
		is_ec = strcmp(chain, ec->chain_pem) == 0;
		assert_string_equal(
		    chain, is_ec ? ec->chain_pem : rsa->chain_pem);
		stub = text_of("live/" HOST "/privkey.pem");
		assert_non_null(stub);
		/* P-256's is the shorter one by far. */
		assert_int_equal(strlen(stub) < 400, is_ec);
		both = text_of("haproxy/" HOST ".pem");
		assert_non_null(both);
		assert_memory_equal(both,
		    is_ec ? ec->chain_pem : rsa->chain_pem,
		    strlen(is_ec ? ec->chain_pem : rsa->chain_pem));
	}
	/* And it goes on from there. */
	site_unref(serve(made_site_of(1, 99, HOST, rsa)));
	assert_string_equal(
	    text_of("live/" HOST "/fullchain.pem"), rsa->chain_pem);
}

static void
a_small_file_is_replaced_whole(void **state)
{
	char *text;
	size_t len;

	(void)state;
	assert_int_equal(
	    files_get(files, "x", 10, &text, &len).code, STATUS_NOT_FOUND);
	assert_false(failed(files_put(files, "x", bytes_of("one"))));
	assert_false(failed(files_put(files, "x", bytes_of("three"))));
	assert_false(failed(files_get(files, "x", 10, &text, &len)));
	assert_int_equal(len, 5);
	assert_string_equal(text, "three");
	free(text);
	assert_int_equal(
	    files_get(files, "x", 4, &text, &len).code, STATUS_DATA_LOSS);
	assert_int_equal(mode_of("x"), 0600);
	assert_false(failed(files_drop(files, "x")));
	assert_false(failed(files_drop(files, "x")));
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_site_stands_where_web_servers_look_for_it),
		T(several_kinds_of_keys_stand_side_by_side),
		T(a_standby_certificate_stands_beside_and_goes_with_its_version),
		T(a_wildcard_has_a_folder_of_its_own),
		T(what_is_staged_is_not_served),
		T(a_version_that_comes_again_with_other_content_replaces_it),
		T(old_versions_go_when_told_and_others_stay),
		T(haproxy_is_given_each_certificate_for_its_own_host_alone),
		T(lists_the_hosts_that_are_live),
		T(a_link_in_place_of_a_folder_is_not_followed),
		T(a_kill_at_any_moment_leaves_one_whole_version),
		T(a_small_file_is_replaced_whole),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
