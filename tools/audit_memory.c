/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What this machine remembers of a ledger: the keys that were seen first, and
 * the newest checkpoint that was verified.  That is what makes a log that was
 * rolled back, or is another's, be noticed next time.  Files are written beside
 * and renamed, so an interrupted run leaves the old memory.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ledger/text.h"
#include "tools/audit.h"

#define KEYS_FILE_MAX ((size_t)64 * 1024)

bool
audit_read_file(const char *path, size_t max, char **ret_text, size_t *ret_len)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	char *text = malloc(max + 1);
	size_t len = 0;
	bool is_broken;

	if (text == NULL)
		abort();
	if (file == NULL) {
		cli_fail(EXIT_REFUSED, "%s: %s", path, strerror(errno));
		free(text);
		return false;
	}
	len = fread(text, 1, max + 1, file);
	is_broken = ferror(file) != 0;
	if (is_broken)
		cli_fail(EXIT_REFUSED, "%s: %s", path, strerror(errno));
	else if (len > max)
		cli_fail(EXIT_REFUSED, "%s: more than %zu octets", path, max);
	if (!is_stdin)
		fclose(file);
	if (is_broken || len > max) {
		free(text);
		return false;
	}
	text[len] = '\0';
	*ret_text = text;
	*ret_len = len;
	return true;
}

static bool
write_beside(const char *path, struct bytes octets)
{
	char beside[PATH_MAX];
	FILE *file = NULL;
	bool ok;
	int fd;

	if (snprintf(beside, sizeof(beside), "%s.XXXXXX", path) >=
	    (int)sizeof(beside))
		return false;
	fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0)
		return false;
	file = fdopen(fd, "w");
	if (file == NULL)
		abort();
	ok = fchmod(fd, 0644) == 0 &&
	     fwrite(octets.at, 1, octets.len, file) == octets.len &&
	     fflush(file) == 0 && fsync(fd) == 0;
	ok = fclose(file) == 0 && ok;
	ok = ok && rename(beside, path) == 0;
	if (!ok)
		unlink(beside);
	return ok;
}

bool
audit_write_file(const char *path, struct bytes octets)
{
	if (path == NULL || strcmp(path, "-") == 0)
		return fwrite(octets.at, 1, octets.len, stdout) == octets.len;
	if (write_beside(path, octets))
		return true;
	cli_fail(EXIT_REFUSED, "%s: %s", path, strerror(errno));
	return false;
}

bool
audit_keys_parse(
    const char *text, const char *where, struct audit_keys *ret_keys)
{
	struct bytes rest = bytes_of(text);
	char vkey[NOTE_VKEY_MAX];

	while (rest.len > 0) {
		struct bytes line;
		struct status st;

		if (!text_take_line(&rest, &line)) {
			line = rest;
			rest.len = 0;
		}
		if (line.len == 0 || line.at[0] == '#')
			continue;
		if (ret_keys->n == AUDIT_KEYS_MAX) {
			cli_fail(EXIT_REFUSED, "%s: more than %d keys", where,
			    AUDIT_KEYS_MAX);
			return false;
		}
		if (line.len >= sizeof(vkey)) {
			cli_fail(EXIT_REFUSED,
			    "%s: a line is too long for a verifier key", where);
			return false;
		}
		memcpy(vkey, line.at, line.len);
		vkey[line.len] = '\0';
		st = note_key_parse(vkey, &ret_keys->at[ret_keys->n]);
		if (failed(st)) {
			cli_fail(EXIT_REFUSED, "%s: %s", where, st.why);
			return false;
		}
		ret_keys->n++;
	}
	return true;
}

bool
audit_keys_add(const char *text, struct audit_keys *keys)
{
	size_t before = keys->n, len;
	char *file = NULL;
	bool ok;

	if (text[0] == '@') {
		if (!audit_read_file(text + 1, KEYS_FILE_MAX, &file, &len))
			return false;
		ok = audit_keys_parse(file, text + 1, keys);
		free(file);
	} else {
		ok = audit_keys_parse(text, "the key given", keys);
	}
	if (ok && keys->n == before) {
		cli_fail(EXIT_USAGE, "%s holds no verifier key", text);
		return false;
	}
	return ok;
}

void
audit_origin_name(const char *origin, char *ret_name, size_t max)
{
	size_t used = 0;

	for (; *origin != '\0' && used + 4 < max; origin++) {
		unsigned char c = (unsigned char)*origin;
		bool is_plain = (c >= 'a' && c <= 'z') ||
				(c >= 'A' && c <= 'Z') ||
				(c >= '0' && c <= '9') || c == '-' || c == '_';

		/* A dot within a name is fine, ".." is not a name. */
		if (is_plain || (c == '.' && used > 0))
			ret_name[used++] = (char)c;
		else
			used += (size_t)snprintf(
			    ret_name + used, max - used, "%%%02X", c);
	}
	ret_name[used] = '\0';
}

static bool
memory_path(const struct cli *cli, const char *origin, const char *kind,
    char ret_path[PATH_MAX])
{
	/* File names end at 255 octets. */
	char name[200];
	int n;

	audit_origin_name(origin, name, sizeof(name));
	n = snprintf(
	    ret_path, PATH_MAX, "%s/audit/%s.%s", cli->state_dir, name, kind);
	if (n > 0 && n < PATH_MAX)
		return true;
	cli_fail(EXIT_USAGE, "the name of the state folder is too long");
	return false;
}

/* The file as it is; a missing one is fine and leaves *ret_text NULL. */
static bool
recall(const struct cli *cli, const char *origin, const char *kind,
    char **ret_text, size_t *ret_len)
{
	char path[PATH_MAX];

	*ret_text = NULL;
	*ret_len = 0;
	if (!memory_path(cli, origin, kind, path))
		return false;
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return true;
	return audit_read_file(path, KEYS_FILE_MAX, ret_text, ret_len);
}

static bool
remember(const struct cli *cli, const char *origin, const char *kind,
    struct bytes octets)
{
	char path[PATH_MAX], folder[PATH_MAX];

	if (!memory_path(cli, origin, kind, path))
		return false;
	(void)mkdir(cli->state_dir, 0700);
	if (snprintf(folder, sizeof(folder), "%s/audit", cli->state_dir) <
	    (int)sizeof(folder))
		(void)mkdir(folder, 0700);
	return audit_write_file(path, octets);
}

bool
audit_memory_keys(
    const struct cli *cli, const char *origin, struct audit_keys *ret_keys)
{
	struct audit_keys keys = { .n = 0 };
	char *text;
	size_t len;
	bool ok = recall(cli, origin, "keys", &text, &len);

	if (ok && text != NULL)
		ok = audit_keys_parse(text, "the keys remembered", &keys);
	free(text);
	if (ok)
		*ret_keys = keys;
	return ok;
}

bool
audit_memory_put_keys(
    const struct cli *cli, const char *origin, const struct audit_keys *keys)
{
	char *text = calloc(keys->n + 1, NOTE_VKEY_MAX + 1);
	size_t used = 0;
	bool ok;

	if (text == NULL)
		abort();
	for (size_t i = 0; i < keys->n; i++) {
		note_key_print(&keys->at[i], text + used);
		used += strlen(text + used);
		text[used++] = '\n';
	}
	ok = remember(
	    cli, origin, "keys", (struct bytes){ (const uint8_t *)text, used });
	free(text);
	return ok;
}

bool
audit_memory_checkpoint(
    const struct cli *cli, const char *origin, char **ret_note, size_t *ret_len)
{
	return recall(cli, origin, "checkpoint", ret_note, ret_len);
}

bool
audit_memory_put_checkpoint(
    const struct cli *cli, const char *origin, struct bytes note)
{
	return remember(cli, origin, "checkpoint", note);
}
