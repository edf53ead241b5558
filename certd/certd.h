/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CERTD_H
#define CERTD_CERTD_H

#include "base/status.h"

/*
 * Run the certificate daemon until SIGTERM.  config_path NULL: the defaults.
 * Logs what went wrong; NOT_FOUND when nothing has joined yet.
 */
STATUS certd_run(const char *config_path);

#endif
