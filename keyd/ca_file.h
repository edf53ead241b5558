/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_CA_FILE_H
#define KEYD_CA_FILE_H

#include "base/status.h"
#include "hsm/ca.h"

/* The identity CA's certificate, ca.pem in the state folder. */
#define CA_FILE_NAME "ca.pem"

/* Written whole or not at all, and on disk on return. */
STATUS ca_file_write(const char *path, const struct hsm_cert *cert);

/* Fills der and len only.  NOT_FOUND: there is no such file. */
STATUS ca_file_read(const char *path, struct hsm_cert *ret_cert);

#endif
