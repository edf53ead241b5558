/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_KEY_H
#define TOOLS_KEY_H

#include "proto/holdfast/keyd/v1/keys.pb-c.h"
#include "tools/cli.h"

/* What `key` and other nouns share about keys. */

/* Keys.Get by label or id; 0 or an exit code after printing.  The caller frees
 * with protobuf_c_message_free_unpacked. */
int cli_get_key(
    struct cli *cli, const char *name, Holdfast__Keyd__V1__Key **ret_key);

/* What `key show` prints of it, or JSON. */
void cli_print_key(const struct cli *cli, const Holdfast__Keyd__V1__Key *key);

/* Text to a file, or to stdout when path is NULL or "-". */
int cli_write_file(const char *path, const char *text);

#endif
