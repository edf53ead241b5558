#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each header compiles alone.  Usage: headers.sh [build folder], whose generated
# protocol headers must have been built.
build=$(realpath -m "${1:-build/dev}")
. "$(dirname "$0")/lint.sh"

flags=$(pkg-config --cflags libcrypto libprotobuf-c p11-kit-1 grpc sqlite3) || exit 2
bad=0
for header in $(sources $rooms tests | grep '\.h$'); do
	gcc -std=gnu17 -fsyntax-only -Wall -Wextra -Werror -D_GNU_SOURCE=1 -I . \
	    -isystem "$build" -isystem "$build/proto" $flags \
	    -include "./$header" -x c /dev/null || { echo "$header: does not compile alone"; bad=1; }
done
exit $bad
