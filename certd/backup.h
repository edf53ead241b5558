/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_BACKUP_H
#define CERTD_BACKUP_H

#include "base/status.h"

/*
 * A person's certd backup: copy the database of a certd, which may run
 * meanwhile, to a new file of mode 0600.  Says how far it is on a terminal, and
 * at the end what there is, or what went wrong.
 */
STATUS backup_run(const char *state_dir, const char *path);

#endif
