/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_KEYD_H
#define KEYD_KEYD_H

#include "base/status.h"

/*
 * The daemon: builds its parts, joins them, serves until SIGTERM or SIGINT,
 * then drains.  Returns when it has ended; a failure says why it did not start,
 * and has been logged.
 */
STATUS keyd_run(const char *config_path);

#endif
