/* SPDX-License-Identifier: Apache-2.0 */

/* The console's files: those that are built in, and a folder of them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certd/console/web.h"
#include "certd/console/web_built.h"

#define SOURCE "certd/web/"
#define ASSETS "/console/assets/"

static struct web *web;
static struct web_file file;

static int
start(void **state)
{
	(void)state;
	return failed(web_new("", &web)) ? -1 : 0;
}

static int
stop(void **state)
{
	(void)state;
	web_free(web);
	return 0;
}

static bool
finds(const char *path, bool gzip)
{
	struct status st = web_find(web, path, gzip, &file);

	assert_true(!failed(st) || st.code == STATUS_NOT_FOUND);
	return !failed(st);
}

static size_t
read_whole(const char *path, uint8_t **ret_octets)
{
	FILE *from = fopen(path, "r");
	size_t len;

	*ret_octets = malloc(WEB_FILE_MAX);
	assert_non_null(from);
	assert_non_null(*ret_octets);
	len = fread(*ret_octets, 1, WEB_FILE_MAX, from);
	fclose(from);
	return len;
}

/* ---- what is built in ---- */

static unsigned n_files;

static int
is_served(
    const char *path, const struct stat *there, int kind, struct FTW *place)
{
	const char *name = path + strlen(SOURCE), *end = strrchr(path, '.');
	uint8_t *octets;
	char asset[512];
	size_t len;

	(void)there;
	if (kind != FTW_F || path[place->base] == '.' ||
	    strcmp(end == NULL ? "" : end, ".md") == 0 ||
	    strcmp(name, "package.json") == 0 ||
	    strcmp(name, "index.html") == 0)
		return 0;
	snprintf(asset, sizeof(asset), ASSETS "%s", name);
	if (!finds(asset, false))
		fail_msg("%s is not served", name);
	len = read_whole(path, &octets);
	assert_int_equal(file.octets.len, len);
	assert_memory_equal(file.octets.at, octets, len);
	assert_true(strstr(end, ".js") == NULL ||
		    strcmp(file.type, "text/javascript; charset=utf-8") == 0);
	assert_true(strstr(end, ".css") == NULL ||
		    strcmp(file.type, "text/css; charset=utf-8") == 0);
	assert_true(strstr(end, ".svg") == NULL ||
		    strcmp(file.type, "image/svg+xml") == 0);
	free(octets);
	n_files++;
	return 0;
}

static void
every_file_is_served_as_it_is_and_its_kind_said(void **state)
{
	(void)state;
	assert_int_equal(nftw(SOURCE, is_served, 16, FTW_PHYS), 0);
	assert_true(n_files > 0);
	assert_int_equal(web_built_n, n_files + 1);
	assert_true(finds("/console/", false));
	assert_string_equal(file.type, "text/html; charset=utf-8");
}

/* What gzip makes of it. */
static void
unpack(struct bytes packed, uint8_t **ret_octets, size_t *ret_len)
{
	char from[] = "/tmp/holdfast.XXXXXX", to[] = "/tmp/holdfast.XXXXXX";
	char name[] = "gzip", option[] = "-dc";
	char *argv[] = { name, option, NULL };
	int in = mkstemp(from), out = mkstemp(to), status = -1;
	posix_spawn_file_actions_t actions;
	pid_t child;

	assert_true(in >= 0 && out >= 0);
	assert_int_equal(write(in, packed.at, packed.len), packed.len);
	assert_int_equal(lseek(in, 0, SEEK_SET), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	assert_int_equal(
	    posix_spawnp(&child, name, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	*ret_len = read_whole(to, ret_octets);
	close(in);
	close(out);
	unlink(from);
	unlink(to);
}

static void
what_gzip_has_is_the_same(void **state)
{
	unsigned n = 0;

	(void)state;
	for (size_t i = 0; i < web_built_n; i++) {
		char path[512], etag[64];
		struct bytes plain;
		uint8_t *octets;
		size_t len;

		if (strcmp(web_built[i].name, "index.html") == 0)
			snprintf(path, sizeof(path), "/console/");
		else
			snprintf(
			    path, sizeof(path), ASSETS "%s", web_built[i].name);
		assert_true(finds(path, false));
		assert_false(file.is_gzip);
		plain = file.octets;
		memcpy(etag, file.etag, sizeof(etag));
		assert_true(finds(path, true));
		assert_int_equal(file.is_gzip, file.has_gzip);
		if (!file.is_gzip)
			continue;
		/* Another answer has another ETag. */
		assert_string_not_equal(etag, file.etag);
		assert_true(file.octets.len < plain.len);
		unpack(file.octets, &octets, &len);
		assert_int_equal(len, plain.len);
		assert_memory_equal(octets, plain.at, len);
		free(octets);
		n++;
	}
	assert_true(n > 0);
}

static void
pages_are_one_file_that_names_all_others_by_what_is_in_them(void **state)
{
	static const char *const PAGES[] = { "/console/", "/console/login",
		"/console/certificates/17", "/console/..%2f..%2fetc/passwd",
		"/console/../v1/session", "/console//", "/console/assets",
		"/console/index.html", "/console/%61ssets/main.js" };
	char hashed[64], *page;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(PAGES) / sizeof(PAGES[0]); i++) {
		assert_true(finds(PAGES[i], false));
		assert_string_equal(file.type, "text/html; charset=utf-8");
		assert_false(file.may_be_kept);
	}
	page = strndup((const char *)file.octets.at, file.octets.len);
	assert_non_null(page);
	snprintf(hashed, sizeof(hashed), "\"" ASSETS "%s/", web_built_hash);
	for (const char *at = page; (at = strstr(at, "\"" ASSETS)) != NULL;
	     at++) {
		char path[256];

		assert_int_equal(strncmp(at, hashed, strlen(hashed)), 0);
		snprintf(path, sizeof(path), "%.*s", (int)strcspn(at + 1, "\""),
		    at + 1);
		assert_true(finds(path, false));
		assert_true(file.may_be_kept);
		n++;
	}
	assert_true(n > 0);
	free(page);
}

static void
a_file_may_be_kept_where_its_path_names_this_build(void **state)
{
	char path[256];

	(void)state;
	snprintf(path, sizeof(path), ASSETS "%s/main.js", web_built_hash);
	assert_true(finds(path, false));
	assert_true(file.may_be_kept);
	assert_true(finds(ASSETS "main.js", false));
	assert_false(file.may_be_kept);
	/* Of another build. */
	path[sizeof(ASSETS) - 1] ^= 1;
	assert_false(finds(path, false));
	snprintf(path, sizeof(path), ASSETS "%s/%s/main.js", web_built_hash,
	    web_built_hash);
	assert_false(finds(path, false));
	snprintf(path, sizeof(path), ASSETS "%s/index.html", web_built_hash);
	assert_false(finds(path, false));
	snprintf(path, sizeof(path), ASSETS "%s", web_built_hash);
	assert_false(finds(path, false));
}

static const char *const TRICKS[] = { ASSETS, ASSETS "/", ASSETS "lib",
	ASSETS "lib/", ASSETS "./main.js", ASSETS "../web/main.js",
	ASSETS "lib/../main.js", ASSETS "/main.js", ASSETS "%6dain.js",
	ASSETS "main.js%00.css", ASSETS "main.js/", ASSETS "MAIN.JS",
	ASSETS "main.js ", ASSETS "\\main.js", ASSETS "lib\\dom.js",
	ASSETS "..\\web\\main.js", ASSETS "..%2fmain.js", ASSETS "main.js\n",
	ASSETS "index.html", ASSETS "README.md", ASSETS ".hidden.js",
	ASSETS "lib/.hidden.js", ASSETS "main", ASSETS "secret",
	ASSETS "link.js", ASSETS "out/secret.js", ASSETS "pipe.js",
	ASSETS "large.js", ASSETS "folder.js", "/console", "/", "",
	"console/assets/main.js", "//console/assets/main.js", "/v1/live" };

static void
no_path_leads_elsewhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(TRICKS) / sizeof(TRICKS[0]); i++)
		if (finds(TRICKS[i], false))
			fail_msg("%s is served", TRICKS[i]);
}

/* ---- a folder ---- */

static char folder[] = "/tmp/holdfast.XXXXXX";

static const char *
in(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void
put(const char *name, const char *text)
{
	FILE *to = fopen(in(name), "w");

	assert_non_null(to);
	fputs(text, to);
	fclose(to);
}

static int
start_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL || mkdir(in("web"), 0700) != 0 ||
	    mkdir(in("web/lib"), 0700) != 0 || mkdir(in("out"), 0700) != 0 ||
	    mkdir(in("web/folder.js"), 0700) != 0 ||
	    mkfifo(in("web/pipe.js"), 0600) != 0)
		return -1;
	put("web/index.html", "<script src=\"/console/assets/main.js\">");
	put("web/main.js", "one");
	put("web/lib/dom.js", "dom");
	put("web/.hidden.js", "hidden");
	put("web/lib/.hidden.js", "hidden");
	put("web/README.md", "read me");
	put("web/secret", "secret");
	put("out/secret.js", "secret");
	put("web/large.js", "");
	if (truncate(in("web/large.js"), WEB_FILE_MAX + 1) != 0 ||
	    symlink("../out/secret.js", in("web/link.js")) != 0 ||
	    symlink("../out", in("web/out")) != 0 ||
	    symlink("main.js", in("web/again.js")) != 0)
		return -1;
	return failed(web_new(in("web"), &web)) ? -1 : 0;
}

static int
take_away(
    const char *path, const struct stat *there, int kind, struct FTW *place)
{
	(void)there;
	(void)kind;
	(void)place;
	return remove(path);
}

static int
stop_folder(void **state)
{
	stop(state);
	return nftw(folder, take_away, 16, FTW_PHYS | FTW_DEPTH);
}

static void
serves(const char *path, const char *text)
{
	if (!finds(path, true))
		fail_msg("%s is not served", path);
	assert_int_equal(file.octets.len, strlen(text));
	assert_memory_equal(file.octets.at, text, strlen(text));
	assert_false(file.is_gzip);
	assert_false(file.may_be_kept);
	free(file.owned);
}

static void
a_folder_is_served_as_it_is_now(void **state)
{
	char etag[64];

	(void)state;
	serves("/console/", "<script src=\"/console/assets/main.js\">");
	serves("/console/any/page", "<script src=\"/console/assets/main.js\">");
	serves(ASSETS "main.js", "one");
	serves(ASSETS "lib/dom.js", "dom");
	memcpy(etag, file.etag, sizeof(etag));
	put("web/lib/dom.js", "another");
	serves(ASSETS "lib/dom.js", "another");
	assert_string_not_equal(etag, file.etag);
	put("web/lib/new.js", "new");
	serves(ASSETS "lib/new.js", "new");
}

static void
no_path_leads_out_of_the_folder(void **state)
{
	no_path_leads_elsewhere(state);
	/* No link at all. */
	assert_false(finds(ASSETS "again.js", false));
}

static void
a_folder_that_is_not_there_is_told(void **state)
{
	struct web *other;

	(void)state;
	assert_int_equal(
	    web_new(in("none"), &other).code, STATUS_FAILED_PRECONDITION);
	assert_int_equal(web_new(in("web/main.js"), &other).code,
	    STATUS_FAILED_PRECONDITION);
}

/* ---- Accept-Encoding ---- */

static void
gzip_goes_to_who_takes_it(void **state)
{
	static const char *const TAKE[] = { "gzip", "GZIP", "gzip, br",
		"br,gzip", "deflate, gzip;q=1.0, *;q=0.5", "gzip;q=0.001", "*",
		"br;q=1, *;q=0.1", "identity;q=0, gzip", "gzip ; q=0.5" };
	static const char *const DO_NOT[] = { "", "br", "gzip;q=0",
		"gzip;q=0.000", "gzip; q=0", "*;q=0", "*, gzip;q=0",
		"gzip;q=0, *", "xgzip", "gzipx", "identity", ",,, ;", "q=1",
		"gzip;Q=0", "br;gzip" };

	(void)state;
	assert_false(web_takes_gzip(NULL));
	for (size_t i = 0; i < sizeof(TAKE) / sizeof(TAKE[0]); i++)
		if (!web_takes_gzip(TAKE[i]))
			fail_msg("%s", TAKE[i]);
	for (size_t i = 0; i < sizeof(DO_NOT) / sizeof(DO_NOT[0]); i++)
		if (web_takes_gzip(DO_NOT[i]))
			fail_msg("%s", DO_NOT[i]);
}

int
main(void)
{
	const struct CMUnitTest built[] = {
		cmocka_unit_test(
		    every_file_is_served_as_it_is_and_its_kind_said),
		cmocka_unit_test(what_gzip_has_is_the_same),
		cmocka_unit_test(
		    pages_are_one_file_that_names_all_others_by_what_is_in_them),
		cmocka_unit_test(
		    a_file_may_be_kept_where_its_path_names_this_build),
		cmocka_unit_test(no_path_leads_elsewhere),
		cmocka_unit_test(gzip_goes_to_who_takes_it),
	};
	const struct CMUnitTest in_folder[] = {
		cmocka_unit_test(a_folder_is_served_as_it_is_now),
		cmocka_unit_test(no_path_leads_out_of_the_folder),
		cmocka_unit_test(a_folder_that_is_not_there_is_told),
	};
	int n = cmocka_run_group_tests(built, start, stop);

	return n + cmocka_run_group_tests(in_folder, start_folder, stop_folder);
}
