/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H

#include <ftw.h>
#include <stdio.h>

/* Folders that a test makes, with all that comes to be in them. */

static inline int
scratch_remove_one(
    const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

/* As nftw answers; symbolic links are removed, not followed. */
static inline int
scratch_remove(const char *folder)
{
	return nftw(folder, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
