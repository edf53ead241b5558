/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_SETTINGS_H
#define KEYD_SETTINGS_H

#include "base/status.h"
#include "keyd/config.h"

/* keyd's configuration in its life: at start, and on SIGHUP. */

/* Load it, and log as it says from here on.  Says in the log what is wrong. */
STATUS settings_load(const char *path, struct config **ret_config);

/* What SIGHUP changes: the log; the rest takes a restart.  Tells systemd. */
void settings_reload(const char *path);

#endif
