/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How far long work is: one line on standard error, written over, five times a
 * second, and only on a terminal.
 */

#include <inttypes.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/audit.h"

#define EVERY_NS (200 * NS_PER_MS)
/* Work that is over by then needs no line. */
#define AFTER_NS (500 * NS_PER_MS)

void
audit_progress(void *ctx, uint64_t done, uint64_t size)
{
	struct audit_progress *progress = ctx;
	int64_t now_ns = clock_mono_ns();

	if (progress->next_ns == 0)
		progress->next_ns = now_ns + AFTER_NS;
	if (now_ns < progress->next_ns || isatty(STDERR_FILENO) == 0)
		return;
	progress->next_ns = now_ns + EVERY_NS;
	progress->is_shown = true;
	if (size > 0)
		fprintf(stderr, "\r%s %" PRIu64 " of %" PRIu64 " (%u %%) ",
		    progress->what, done, size,
		    (unsigned)(100.0 * (double)done / (double)size));
	else
		fprintf(stderr, "\r%s %" PRIu64 " ", progress->what, done);
	fflush(stderr);
}

void
audit_progress_end(struct audit_progress *progress)
{
	/* Erase to the end of the line. */
	if (progress->is_shown)
		fputs("\r\x1b[K", stderr);
	progress->is_shown = false;
}
