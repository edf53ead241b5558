/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CONSOLE_CONSOLE_H
#define CERTD_CONSOLE_CONSOLE_H

#include "base/scoped.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/config.h"
#include "certd/custody.h"
#include "certd/quarantine.h"
#include "certd/rest.h"
#include "certd/store.h"

/*
 * All that certd has for people with a browser, put together: who has logged
 * in, the console's files, and what its open pages are told.  certd/certd.c
 * joins it with the rest.
 */
struct console;

struct console_config {
	struct store *store; /* all borrowed */
	struct custody *custody;
	struct quarantine *quarantine;
	const struct config *config;
};

STATUS console_new(
    const struct console_config *config, struct console **ret_console);
STATUS console_register(struct console *console, struct api *api);
/* What the REST port serves of it; borrowed until that is closed. */
void console_serve(const struct console *console, struct rest_config *rest);
/* After the REST port is closed.  NULL is allowed. */
void console_free(struct console *console);
SCOPED_RELEASE(console_free, struct console *);

#endif
