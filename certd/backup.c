/* SPDX-License-Identifier: Apache-2.0 */

/*
 * certd backup: the database as of one moment, in one file that is complete
 * when the command says so.  It never writes over a file, and leaves none
 * behind when it fails.  Keys are in no backup: they are in the token.
 */

#include "certd/backup.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certd/store.h"

#define MEGA 1e6

static void
show_progress(void *ctx, int done, int total)
{
	const bool *is_terminal = ctx;

	if (*is_terminal && total > 0)
		fprintf(stderr, "\rcopied %3d %%", (int)(100LL * done / total));
}

static struct status
copy(const char *state_dir, const char *path, bool *is_terminal)
{
	const struct store_config config = { .state_dir = state_dir,
		.read_only = true };
	scoped(store_close) struct store *store = NULL;
	struct status st = store_open(&config, &store);

	return failed(st) ? st
			  : db_backup(store_db(store), path, show_progress,
				is_terminal);
}

STATUS
backup_run(const char *state_dir, const char *path)
{
	bool is_terminal = isatty(STDERR_FILENO) == 1;
	struct status st = copy(state_dir, path, &is_terminal);
	struct stat sb;

	if (is_terminal)
		fputs("\r               \r", stderr);
	if (failed(st)) {
		fprintf(stderr,
		    "certd: no backup of %s/certd.db was made: %s\n", state_dir,
		    st.why);
		return st;
	}
	if (stat(path, &sb) != 0)
		sb.st_size = 0;
	printf("Backed up to %s (%.1f MB).\nTo restore it: stop certd, put it "
	       "in place of %s/certd.db, remove certd.db-wal and certd.db-shm "
	       "if they are there, start certd, and have edges follow it again "
	       "(Resync).\n",
	    path, (double)sb.st_size / MEGA, state_dir);
	return st;
}
