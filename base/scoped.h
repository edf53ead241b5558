/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SCOPED_H
#define BASE_SCOPED_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * scoped(x_release) T *v = NULL;  releases v when it leaves scope, by the
 * function scoped_x_release that SCOPED_RELEASE(x_release, T *) defines.
 */
#define scoped(release) __attribute__((cleanup(scoped_##release)))

#define SCOPED_RELEASE(release, type)                                          \
	static inline void scoped_##release(type *at)                          \
	{                                                                      \
		release(*at);                                                  \
	}                                                                      \
	_Static_assert(1, "")

static inline void
scoped_free(void *at)
{
	free(*(void **)at);
}

static inline void
scoped_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void
scoped_fclose(FILE **at)
{
	if (*at != NULL)
		fclose(*at);
}

#endif
