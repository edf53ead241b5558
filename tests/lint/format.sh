#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# .clang-format decides layout.  To mend a file: clang-format -i file.
. "$(dirname "$0")/lint.sh"

sources $rooms tests | tr '\n' '\0' | xargs -0 clang-format --dry-run -Werror
