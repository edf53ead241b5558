/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_SEGMENT_FILE_H
#define KEYD_SEGMENT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/*
 * Whole reads and writes for the audit journal's files, whose failures say what
 * the one who must mend the disk needs to know (UNAVAILABLE, errno as detail).
 */

#define SEGMENT_NAME_MAX 32

/* "0000000001.journal". */
void segment_file_name(uint64_t number, char ret_name[SEGMENT_NAME_MAX]);

/* errno with a reason. */
struct status segment_file_error(const char *why);
/* errno of a failed write or sync, with the reason that it means. */
struct status segment_file_write_error(void);

STATUS segment_file_write(int fd, const uint8_t *octets, size_t len, size_t at);
/* Zeros from one offset to another; fd may be O_DIRECT. */
STATUS segment_file_zero(int fd, size_t from, size_t to);
STATUS segment_file_sync(int fd);

/* Up to max octets from the beginning of a regular file; malloc'd. */
STATUS segment_file_load(
    int fd, size_t max, uint8_t **ret_octets, size_t *ret_len);

#endif
