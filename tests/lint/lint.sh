# SPDX-License-Identifier: Apache-2.0
# Sourced by each lint: go to the root of the tree and name what is in it.
set -u
cd "$(dirname "$0")/../.." || exit 2
rooms=$(sed -n 's/^\([a-z][a-z]*\).*/\1/p' tests/lint/rooms.txt)

# The .c and .h files of the given folders; those not there yet are left out.
sources() {
	for folder in "$@"; do
		[ ! -d "$folder" ] || find "$folder" -name '*.[ch]' | sort
	done
}

# The lines of a table that hold something.
table() {
	grep -v -e '^#' -e '^$' "tests/lint/$1"
}
