#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A lint that cannot fail is worse than none: plant one violation of every rule
# in a copy of the tree, and demand that its lint names each planted file.
# Usage: selftest.sh [build folder]
build=$(realpath -m "${1:-build/dev}")
. "$(dirname "$0")/lint.sh"

copy=$(mktemp -d) || exit 2
trap 'rm -rf "$copy"' EXIT
for folder in $rooms docs tests; do
	[ ! -d "$folder" ] || cp -r "$folder" "$copy"
done
cp .clang-format "$copy"
mkdir -p "$copy/certd" "$copy/edge/provider" "$copy/tests/system"
planted=0
failed=0

# plant file text: into the copy; the text is printf's format.
plant() {
	printf "$2" > "$copy/$1"
	echo "$1" >> "$copy/planted"
	planted=$((planted + 1))
}

# demand command...: it fails and names every file planted since the last.
demand() {
	out=$(cd "$copy" && "$@" 2>&1) && { echo "$1 found nothing wrong"; failed=1; }
	while read -r file; do
		case $out in
		*"$file"*) ;;
		*) echo "$1 did not object to $file:"; cat "$copy/$file"; failed=1 ;;
		esac
		rm -f "$copy/$file"
	done < "$copy/planted"
	rm -f "$copy/planted"
}

# Every room reaching into every room that it may not.
table rooms.txt | while read -r room allowed; do
	for other in $rooms; do
		case " $room $allowed " in *" $other "*) continue ;; esac
		echo "$room $other"
	done
done > "$copy/pairs"
while read -r room other; do
	plant "$room/planted_$other.c" "#include \"$other/x.h\"\n"
done < "$copy/pairs"
plant base/planted_generated.c '#include "holdfast/keyd/v1/keys.pb-c.h"\n'
plant hsm/planted_health.c '#include "grpc/health/v1/health.pb-c.h"\n'
plant keyd/planted_angle.c '#include <tools/x.h>\n'
plant keyd/planted_tests.h '#include "tests/unit/x.h"\n'
plant keyd/planted_bare.c '#include "policy.h"\n'
plant edge/provider/planted_edge.c '#include "edge/agent.h"\n'
plant edge/provider/planted_rpc.c '#include "rpc/client.h"\n'
demand tests/lint/layers.sh

# Every foreign header in a room that owns none, and beside its owner if that is
# a file.
number=0
table foreign.txt > "$copy/owners"
while read -r begin owner; do
	number=$((number + 1))
	case $begin in */) header=${begin}x.h ;; *) header=$begin ;; esac
	plant "proto/planted_$number.c" "#include <$header>\n"
	case $owner in
	*.c) plant "$(dirname "$owner")/planted_$number.c" "  # include \"$header\"\n" ;;
	esac
done < "$copy/owners"
demand tests/lint/foreign.sh

# Every banned call; one more behind a comment, and one in the tests.
for name in $(table banned.txt | sed 's/ .*//'); do
	plant "keyd/planted_$name.c" "int f(char *b)\n{\n\treturn $name (b);\n}\n"
done
plant keyd/planted_comment.c '/* a\n * b */ int x = f("\\"", /* c */ atoi("1"));\n'
plant tests/unit/planted.c 'int x = system("true");\n'
demand tests/lint/banned.sh

plant keyd/planted_file.c "$(yes '\n' | head -501 | tr -d '\n')"
plant keyd/planted_function.c "int\nf(void)\n{\n$(yes ';\n' | head -61 | tr -d '\n')}\n"
demand tests/lint/sizes.sh

plant keyd/planted.h 'size_t planted(void);\n'
plant tests/unit/planted.h '#include "nowhere.h"\n'
demand tests/lint/headers.sh "$build"

plant keyd/planted.c 'int  planted;\n'
plant tests/unit/planted.c 'int planted( void );\n'
demand tests/lint/format.sh

# In pieces, for this file must pass that lint itself.
plant docs/planted.md "see /$(echo work)/x\n"
plant tests/system/planted.txt "cd /$(echo tmp)/b/x\n"
demand tests/lint/paths.sh

plant tests/system/test_planted.py 'import pytest\n@pytest.mark.feature("Z99")\ndef test_a(): pass\n'
plant tests/system/test_planted_two.py 'import pytest\n@pytest.mark.feature("X" + "02")\ndef test_a(): pass\n'
plant tests/system/test_planted_none.py 'import pytest\n@pytest.mark.feature()\ndef test_a(): pass\n'
demand tests/lint/features.py

# A refusal whose test is gone, and one that names none.
sed -i 's/denies_everything_that_no_grant_names/planted_test_name/; s/^| raw: content .*/| raw: planted | x | see elsewhere |/' "$copy/docs/THREATS.md"
out=$(cd "$copy" && tests/lint/threats.py . 2>&1) && { echo "threats.py found nothing wrong"; failed=1; }
for word in planted_test_name "names no test"; do
	planted=$((planted + 1))
	case $out in
	*"$word"*) ;;
	*) echo "threats.py did not object: $word"; failed=1 ;;
	esac
done

# A key, a command and an option that no manual mentions.
printf 'static const struct conf_field x = { .key = "planted_key" };\n' >> "$copy/keyd/config.c"
printf 'static const char *const x[] = { "--planted-option" };\n' >> "$copy/edge/main.c"
printf 'static const struct cli_command x[] = { { "plantednoun", NULL } };\n' >> "$copy/tools/main.c"
out=$(cd "$copy" && tests/lint/manuals.py . 2>&1) && { echo "manuals.py found nothing wrong"; failed=1; }
for word in planted_key --planted-option plantednoun; do
	planted=$((planted + 1))
	case $out in
	*"$word"*) ;;
	*) echo "manuals.py did not object to $word"; failed=1 ;;
	esac
done

# A call that only the code, only the page, or nobody calls hostile any more.
sed -i 's/{ "read", "write"/{ "read", "planted_call", "write"/; s/"ptrace", //' "$copy/base/sandbox_calls.c"
sed -i 's/`sendto`/`sendto` `planted_too`/' "$copy/docs/HARDENING.md"
out=$(cd "$copy" && tests/lint/sandbox.py . 2>&1) && { echo "sandbox.py found nothing wrong"; failed=1; }
for word in planted_call planted_too ptrace; do
	planted=$((planted + 1))
	case $out in
	*"$word"*) ;;
	*) echo "sandbox.py did not object to $word"; failed=1 ;;
	esac
done

# What is allowed must pass: a copy with one good file of each kind.
printf '#include "base/status.h"\n#include "edge/sock.h"\n' > "$copy/edge/provider/good.c"
printf '/* system("x"); */\nconst char *a = "gets(b)";\nint x = s.system(1);\n' > "$copy/keyd/good.c"
for lint in layers foreign banned; do
	out=$(cd "$copy" && "tests/lint/$lint.sh" 2>&1)
	case $out in *good.c*) echo "$lint objects to what is allowed: $out"; failed=1 ;; esac
done

echo "$planted violations planted"
exit $failed
