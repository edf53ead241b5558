/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Paths to files of the console.  Built in, a path is looked up as it came in a
 * table of names, so there is nothing to escape from.  In a folder, a name is
 * made of letters, digits and single dots, and the kernel looks it up beneath
 * the folder without following a link (openat2, RESOLVE_BENEATH).  A file
 * whose kind is not known here is not served, and no folder is listed.
 */

#include "certd/console/web.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "certd/console/web_built.h"

#define ROOT "/console/"
#define ASSETS "/console/assets/"
#define PAGE "index.html"
#define NAME_MAX_LEN 200

struct web {
	int folder; /* -1: what is built in */
};

const char *const web_headers[][2] = {
	{ "Content-Security-Policy",
	    "default-src 'none'; script-src 'self'; style-src 'self'; "
	    "img-src 'self' data:; connect-src 'self'; form-action 'self'; "
	    "base-uri 'none'; frame-ancestors 'none'; "
	    "require-trusted-types-for 'script'" },
	{ "X-Frame-Options", "DENY" },
	{ "Referrer-Policy", "no-referrer" },
	{ "Cross-Origin-Opener-Policy", "same-origin" },
	{ "Cross-Origin-Resource-Policy", "same-origin" },
	{ "Permissions-Policy",
	    "accelerometer=(), autoplay=(), camera=(), display-capture=(), "
	    "encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), "
	    "hid=(), magnetometer=(), microphone=(), midi=(), payment=(), "
	    "publickey-credentials-get=(), screen-wake-lock=(), serial=(), "
	    "usb=(), xr-spatial-tracking=()" },
	{ NULL, NULL },
};

/* ---- life ---- */

STATUS
web_new(const char *folder, struct web **ret_web)
{
	scoped(web_free) struct web *web = calloc(1, sizeof(*web));

	if (web == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	web->folder = -1;
	if (folder[0] != 0) {
		web->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (web->folder < 0)
			return status_fail_detail(STATUS_FAILED_PRECONDITION,
			    "console.folder cannot be opened; name a folder "
			    "that certd may read, or leave it empty",
			    (uint32_t)errno);
	}
	*ret_web = web;
	web = NULL;
	return status_ok();
}

void
web_free(struct web *web)
{
	if (web == NULL)
		return;
	if (web->folder >= 0)
		close(web->folder);
	free(web);
}

/* ---- names and kinds ---- */

static struct status
no_such_file(void)
{
	return status_fail(
	    STATUS_NOT_FOUND, "the console has no file of this name");
}

/* NULL: of a kind that is not served. */
static const char *
type_of(const char *name)
{
	static const struct {
		const char *ending, *type;
	} TYPES[] = {
		{ ".html", "text/html; charset=utf-8" },
		{ ".js", "text/javascript; charset=utf-8" },
		{ ".css", "text/css; charset=utf-8" },
		{ ".svg", "image/svg+xml" },
		{ ".png", "image/png" },
	};
	const char *ending = strrchr(name, '.');

	for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++)
		if (ending != NULL && strcmp(ending, TYPES[i].ending) == 0)
			return TYPES[i].type;
	return NULL;
}

/* Parts of letters, digits and "_.-", none empty or with a dot before it. */
static bool
is_name(const char *name)
{
	size_t len = strnlen(name, NAME_MAX_LEN);
	char before = '/';

	for (size_t i = 0; i < len; i++) {
		bool is_plain = (name[i] >= 'a' && name[i] <= 'z') ||
				(name[i] >= 'A' && name[i] <= 'Z') ||
				(name[i] >= '0' && name[i] <= '9') ||
				name[i] == '_' || name[i] == '-';

		if (!is_plain &&
		    ((name[i] != '.' && name[i] != '/') || before == '/'))
			return false;
		before = name[i];
	}
	return len > 0 && len < NAME_MAX_LEN && before != '/';
}

/* ---- what is built in ---- */

static int
by_name(const void *name, const void *built)
{
	return strcmp(name, ((const struct web_built *)built)->name);
}

static struct status
find_built(const char *name, bool gzip, struct web_file *ret_file)
{
	const struct web_built *built = bsearch(
	    name, web_built, web_built_n, sizeof(web_built[0]), by_name);
	const char *type = built == NULL ? NULL : type_of(name);
	bool is_smaller;

	if (type == NULL)
		return no_such_file();
	is_smaller = built->gzip.len < built->plain.len;
	*ret_file = (struct web_file){ .type = type,
		.has_gzip = is_smaller,
		.is_gzip = gzip && is_smaller };
	ret_file->octets = ret_file->is_gzip ? built->gzip : built->plain;
	snprintf(ret_file->etag, sizeof(ret_file->etag), "\"%s%s\"",
	    built->hash, ret_file->is_gzip ? "-gzip" : "");
	return status_ok();
}

/* The hash, if it stands there, is of this build. */
static struct status
find_built_asset(const char *name, bool gzip, struct web_file *ret_file)
{
	bool is_named =
	    strncmp(name, web_built_hash, WEB_BUILT_HASH_LEN) == 0 &&
	    name[WEB_BUILT_HASH_LEN] == '/';
	struct status st;

	if (is_named)
		name += WEB_BUILT_HASH_LEN + 1;
	if (strcmp(name, PAGE) == 0)
		return no_such_file();
	st = find_built(name, gzip, ret_file);
	if (!failed(st))
		ret_file->may_be_kept = is_named;
	return st;
}

/* ---- a folder ---- */

static int
open_beneath(int folder, const char *name)
{
	/* A pipe is not waited for. */
	const struct open_how how = { .flags = O_RDONLY | O_CLOEXEC |
					       O_NOFOLLOW | O_NONBLOCK,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, folder, name, &how, sizeof(how));
}

static struct status
read_file(int fd, uint8_t **ret_octets, size_t *ret_len)
{
	struct stat there;
	uint8_t *octets;
	size_t len = 0;
	ssize_t n = 0;

	if (fstat(fd, &there) != 0 || !S_ISREG(there.st_mode))
		return no_such_file();
	if ((uint64_t)there.st_size > WEB_FILE_MAX)
		return status_fail(STATUS_NOT_FOUND,
		    "a file of the console has 1 MiB at most");
	octets = malloc(WEB_FILE_MAX);
	if (octets == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	while (len < WEB_FILE_MAX &&
	       (n = read(fd, octets + len, WEB_FILE_MAX - len)) > 0)
		len += (size_t)n;
	if (n < 0) {
		free(octets);
		return status_fail(
		    STATUS_UNAVAILABLE, "a file of the console cannot be read");
	}
	*ret_octets = octets;
	*ret_len = len;
	return status_ok();
}

static void
print_etag(struct bytes octets, char *ret_etag)
{
	uint8_t hash[SHA256_DIGEST_LENGTH];

	SHA256(octets.at, octets.len, hash);
	ret_etag[0] = '"';
	bytes_to_hex((struct bytes){ hash, 16 }, ret_etag + 1);
	memcpy(ret_etag + 33, "\"", 2);
}

static struct status
find_in_folder(int folder, const char *name, struct web_file *ret_file)
{
	const char *type = is_name(name) ? type_of(name) : NULL;
	struct web_file file = { .type = type };
	struct status st;
	int fd;

	if (type == NULL)
		return no_such_file();
	fd = open_beneath(folder, name);
	if (fd < 0)
		return no_such_file();
	st = read_file(fd, &file.owned, &file.octets.len);
	close(fd);
	if (failed(st))
		return st;
	file.octets.at = file.owned;
	print_etag(file.octets, file.etag);
	*ret_file = file;
	return st;
}

/* ---- paths ---- */

STATUS
web_find(
    struct web *web, const char *path, bool gzip, struct web_file *ret_file)
{
	bool is_asset = strncmp(path, ASSETS, sizeof(ASSETS) - 1) == 0;
	const char *name = is_asset ? path + sizeof(ASSETS) - 1 : PAGE;

	if (strncmp(path, ROOT, sizeof(ROOT) - 1) != 0)
		return no_such_file();
	if (web->folder >= 0 && is_asset && strcmp(name, PAGE) == 0)
		return no_such_file();
	if (web->folder >= 0)
		return find_in_folder(web->folder, name, ret_file);
	return is_asset ? find_built_asset(name, gzip, ret_file)
			: find_built(name, gzip, ret_file);
}

/* ---- Accept-Encoding ---- */

/* ";q=0", ";q=0.000" */
static bool
is_refused(const char *weight, size_t len)
{
	size_t at = strspn(weight, " \t;");

	if (at + 2 > len || strncasecmp(weight + at, "q=", 2) != 0)
		return false;
	at += 2;
	return at < len && strspn(weight + at, "0.") >= len - at;
}

bool
web_takes_gzip(const char *accept_encoding)
{
	const char *at = accept_encoding;
	bool any = false;

	while (at != NULL && *at != 0) {
		size_t len, word;

		at += strspn(at, " \t,");
		len = strcspn(at, ",");
		while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '\t'))
			len--;
		word = strcspn(at, " \t;,");
		if (word == 4 && strncasecmp(at, "gzip", 4) == 0)
			return !is_refused(at + word, len - word);
		if (word == 1 && at[0] == '*')
			any = !is_refused(at + word, len - word);
		at += strcspn(at, ",");
	}
	return any;
}
