#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Calls that have a safer spelling in this tree (banned.txt).  Comments and
# strings may speak of them.
. "$(dirname "$0")/lint.sh"

table banned.txt > /dev/null || exit 2
sources $rooms tests | tr '\n' '\0' | xargs -0 awk '
FILENAME == "tests/lint/banned.txt" {
	if ($0 !~ /^#/ && NF > 1) {
		name = $1
		$1 = ""
		instead[name] = $0
	}
	next
}
FNR == 1 { in_comment = 0 }
{
	line = $0
	gsub(/\\./, "", line)
	gsub(/"[^"]*"/, "", line)
	if (in_comment) {
		if (!sub(/^.*\*\//, "", line))
			next
		in_comment = 0
	}
	gsub(/\/\*[^*]*\*+([^\/*][^*]*\*+)*\//, "", line)
	if (sub(/\/\*.*/, "", line))
		in_comment = 1
	sub(/\/\/.*/, "", line)
	while (match(line, /[A-Za-z_][A-Za-z0-9_]* *\(/)) {
		before = RSTART > 1 ? substr(line, RSTART - 1, 1) : ""
		name = substr(line, RSTART, RLENGTH)
		sub(/ *\($/, "", name)
		if ((name in instead) && before !~ /[.>]/) {
			print FILENAME ":" FNR ": " name ": use" instead[name]
			bad = 1
		}
		line = substr(line, RSTART + RLENGTH)
	}
}
END { exit bad }' tests/lint/banned.txt
