/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_OPENER_H
#define CERTD_OPENER_H

#include <stddef.h>

#include "base/status.h"

/*
 * The few files outside its state folder that certd reads again while it runs:
 * its configuration, and the REST port's certificate and key.  They are put in
 * place anew, so no rule about the files that were there would do; and their
 * folders are not certd's to read.  A process of its own opens them, by name,
 * and can do nothing else.
 */
#define OPENER_FILES_MAX 4

/* Before the caller confines itself and before threads, once.  paths are
 * borrowed. */
STATUS opener_start(const char *const *paths, size_t n);

/*
 * A descriptor for reading, CLOEXEC; or -1 and errno.  The path must be one of
 * those.  Without opener_start it is opened here, whatever it is.  Any thread.
 */
int opener_open(const char *path);

#endif
