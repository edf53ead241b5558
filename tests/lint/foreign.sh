#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A foreign header has its owner (foreign.txt), a room or a file, seldom two;
# everyone else goes through that room's door, so replacing a library touches
# one place.
. "$(dirname "$0")/lint.sh"

sources $rooms | tr '\n' '\0' | xargs -0 awk '
FILENAME == "tests/lint/foreign.txt" {
	if ($0 !~ /^#/ && NF == 2)
		owners[$1] = owners[$1] " " $2
	next
}
# Is file one of the owners, or in the room of one?
function owns(list, file,    n, each, i) {
	n = split(list, each, " ")
	for (i = 1; i <= n; i++)
		if (index(file, each[i]) == 1)
			return 1
	return 0
}
/^[[:space:]]*#[[:space:]]*include/ {
	header = $0
	sub(/^[^"<]*["<]/, "", header)
	sub(/[">].*/, "", header)
	if (header ~ /^grpc\/.*\.pb-c\.h$/) # ours: generated, see layers.sh
		next
	for (begin in owners) {
		if (index(header, begin) == 1 && !owns(owners[begin], FILENAME)) {
			print FILENAME ":" FNR ": only" owners[begin] " may include " header
			bad = 1
		}
	}
}
END { exit bad }' tests/lint/foreign.txt
