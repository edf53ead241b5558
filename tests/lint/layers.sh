#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A room includes itself and the rooms that rooms.txt gives it, and no other.
# Generated code is proto's, however its path begins; <> is for foreign headers.
. "$(dirname "$0")/lint.sh"

# As "file:line: room" of all includes of our own headers.
includes() {
	sources "$@" | tr '\n' '\0' |
	    xargs -0 -r grep -HnE '^[[:space:]]*#[[:space:]]*include' |
	    sed -nE \
	        -e 's,^([^:]*:[0-9]*):.*include *["<](holdfast|grpc)/.*\.pb-c\.h.*,\1: proto,p;t' \
	        -e "s,^([^:]*:[0-9]*):.*include *[\"<]($(echo $rooms tests | tr ' ' '|'))/([^\">]*).*,\1: \2 \3,p"
}

bad=$(
	table rooms.txt | while read -r room allowed; do
		includes "$room" | while read -r at other rest; do
			case " $room $allowed " in
			*" $other "*) ;;
			*) echo "$at $room/ may not include $other/" ;;
			esac
		done
	done
	includes edge/provider | while read -r at other rest; do
		case "$other/$rest" in
		base/* | edge/sock.h | edge/provider/*) ;;
		*) echo "$at edge/provider/ may include base/ and edge/sock.h only" ;;
		esac
	done
	# A header with no room before it hides who is called.
	sources $rooms | tr '\n' '\0' |
	    xargs -0 -r grep -HnE '^[[:space:]]*#[[:space:]]*include "[^/"]*"' |
	    sed 's/$/ : name the room, as in "hsm\/hsm.h"/'
)
[ -z "$bad" ] || { echo "$bad"; exit 1; }
