/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CONSOLE_WEB_BUILT_H
#define CERTD_CONSOLE_WEB_BUILT_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* The console's files as they were when certd was built: what
 * certd/console/embed.cmake makes of certd/web/. */
struct web_built {
	const char *name; /* "lib/dom.js" */
	const char *hash; /* of its content: 32 hex digits */
	struct bytes plain, gzip;
};

extern const struct web_built web_built[]; /* by name, as strcmp has it */
extern const size_t web_built_n;
/* Of all of them: 16 hex digits, which stand in their paths. */
extern const char web_built_hash[];
#define WEB_BUILT_HASH_LEN 16

#endif
