#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A foreign header has one owner (foreign.txt); everyone else goes through that
# room's door, so replacing a library touches one room.
. "$(dirname "$0")/lint.sh"

sources $rooms | tr '\n' '\0' | xargs -0 awk '
FILENAME == "tests/lint/foreign.txt" {
	if ($0 !~ /^#/ && NF == 2)
		owner[$1] = $2
	next
}
/^[[:space:]]*#[[:space:]]*include/ {
	header = $0
	sub(/^[^"<]*["<]/, "", header)
	sub(/[">].*/, "", header)
	if (header ~ /^grpc\/.*\.pb-c\.h$/) # ours: generated, see layers.sh
		next
	for (begin in owner) {
		if (index(header, begin) == 1 && index(FILENAME, owner[begin]) != 1) {
			print FILENAME ":" FNR ": only " owner[begin] " may include " header
			bad = 1
		}
	}
}
END { exit bad }' tests/lint/foreign.txt
