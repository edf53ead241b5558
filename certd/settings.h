/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_SETTINGS_H
#define CERTD_SETTINGS_H

#include "base/status.h"
#include "certd/config.h"

/* Read at start; what is wrong is logged.  Log settings are in force then. */
STATUS settings_load(const char *path, struct config **ret_config);

/* On SIGHUP: log settings, by the opener, for certd may open the file no more.
 * A file that is wrong changes nothing. */
void settings_reload(const char *path);

#endif
