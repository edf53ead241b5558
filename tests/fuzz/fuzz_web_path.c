/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any path of the console, and any Accept-Encoding: what is served has been
 * built in, and from a folder nothing is served but the one file that is in it,
 * under its own name, though a link beside it leads elsewhere.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certd/console/web.h"
#include "certd/console/web_built.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ASSETS "/console/assets/"

static struct web *built, *in_folder;
static char folder[] = "/tmp/holdfast.XXXXXX";

static void
put(const char *name, const char *text)
{
	char path[64];
	FILE *to;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	to = fopen(path, "w");
	if (to == NULL || fputs(text, to) < 0 || fclose(to) != 0)
		abort();
}

static void
take_away(void)
{
	static const char *const NAMES[] = { "web/a.js", "web/b.js", "web/c",
		"web", "out.js", "" };
	char path[64];

	web_free(in_folder);
	web_free(built);
	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, NAMES[i]);
		(void)remove(path);
	}
}

static void
set_up(void)
{
	char path[64];

	if (mkdtemp(folder) == NULL)
		abort();
	atexit(take_away);
	snprintf(path, sizeof(path), "%s/web", folder);
	if (mkdir(path, 0700) != 0)
		abort();
	put("out.js", "out");
	put("web/a.js", "a");
	snprintf(path, sizeof(path), "%s/web/b.js", folder);
	if (symlink("../out.js", path) != 0)
		abort();
	snprintf(path, sizeof(path), "%s/web/c", folder);
	if (symlink("..", path) != 0)
		abort();
	snprintf(path, sizeof(path), "%s/web", folder);
	if (failed(web_new("", &built)) || failed(web_new(path, &in_folder)))
		abort();
}

static bool
is_built(struct bytes octets)
{
	for (size_t i = 0; i < web_built_n; i++)
		if (octets.at == web_built[i].plain.at ||
		    octets.at == web_built[i].gzip.at)
			return true;
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct web_file file;
	bool gzip;

	if (text == NULL)
		abort();
	if (built == NULL)
		set_up();
	memcpy(text, data, size);
	text[size] = 0;
	gzip = web_takes_gzip(text);
	if (!failed(web_find(built, text, gzip, &file)) &&
	    (!is_built(file.octets) || file.owned != NULL ||
		file.type == NULL || (file.is_gzip && !gzip)))
		abort();
	if (!failed(web_find(in_folder, text, gzip, &file))) {
		if (strcmp(text, ASSETS "a.js") != 0 || file.octets.len != 1 ||
		    file.octets.at[0] != 'a')
			abort();
		free(file.owned);
	}
	free(text);
	return 0;
}
