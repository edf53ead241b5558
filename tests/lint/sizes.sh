#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# No god files, no god functions: at most 500 lines a .c and 60 a function.
. "$(dirname "$0")/lint.sh"

sources $rooms | tr '\n' '\0' | xargs -0 awk -v max_file=500 -v max_function=60 '
FNR == 1 { start = 0 }
FNR == max_file + 1 && FILENAME ~ /\.c$/ {
	print FILENAME ": over " max_file " lines"
	bad = 1
}
/^\{/ { start = FNR }
/^\}/ && start {
	if (FNR - start - 1 > max_function) {
		print FILENAME ":" start ": a function of " FNR - start - 1 " lines"
		bad = 1
	}
	start = 0
}
END { exit bad }'
