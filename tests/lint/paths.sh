#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The tree must build anywhere: no path of one machine in any tracked file.
. "$(dirname "$0")/lint.sh"

# The brackets keep each pattern from finding itself.
bad=$(
	{ git ls-files -z 2> /dev/null || find . -type f -print0; } |
	    xargs -0 -r grep -HnIE -e '(^|[^[:alnum:]_.-])/(wor[k]|far[m])/' -e '/tm[p]/b/' \
	        -e '/tm[p]/bash_jobs' -e '/roo[t]/\.' 2> /dev/null
)
[ -z "$bad" ] || { echo "$bad"; exit 1; }
