/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CONSOLE_WEB_H
#define CERTD_CONSOLE_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/status.h"

/*
 * The console's files: those of certd/web/, put into the program when it is
 * built, each also as gzip has it; or, for who changes them, a folder as it is
 * at each request.  Nothing else is served, whatever the path says.  Any
 * thread.
 */
struct web;

/* folder "": what is built in.  FAILED_PRECONDITION: it cannot be opened. */
STATUS web_new(const char *folder, struct web **ret_web);
void web_free(struct web *web); /* NULL is allowed */
SCOPED_RELEASE(web_free, struct web *);

#define WEB_FILE_MAX ((size_t)1 << 20) /* of one in a folder */

struct web_file {
	const char *type; /* "text/javascript; charset=utf-8" */
	struct bytes octets;
	bool is_gzip;
	bool has_gzip; /* who takes gzip gets another answer */
	/* malloc'd, to be freed by who asked; NULL: it stays. */
	uint8_t *owned;
	char etag[64];    /* with its quotes; of this encoding */
	bool may_be_kept; /* for a year: its path names its content */
};

/*
 * path, as it came, nothing decoded: "/console/", "/console/certificates/7" (a
 * page: index.html), "/console/assets/lib/dom.js" or, as index.html has it,
 * "/console/assets/HASH/lib/dom.js" (a file).  NOT_FOUND: there is no such
 * file.
 */
STATUS web_find(
    struct web *web, const char *path, bool gzip, struct web_file *ret_file);

/* Does an Accept-Encoding (RFC 9110 12.5.3) take gzip?  NULL: no. */
bool web_takes_gzip(const char *accept_encoding);

/* Headers that go with each of them, as name and value, until NULL. */
extern const char *const web_headers[][2];

#endif
