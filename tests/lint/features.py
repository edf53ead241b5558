#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Which rows of docs/FEATURES.txt have a system test that carries their id.

Prints `features: N covered, M open` and the open ids.  Open rows are no
failure; a mark with an id that no row has, or one not written out, is.
"""
import ast
import pathlib
import re
import sys


def rows(path):
    ids = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        if not re.fullmatch(r"[A-Z]\d\d \S.*", line):
            raise SystemExit(f"{path}:{number}: a row reads 'C01 what must work'")
        ids.append(line[:3])
    for one in ids:
        if ids.count(one) > 1:
            raise SystemExit(f"{path}: {one} stands there twice")
    return ids


def marks(path):
    """(line, id) of each pytest.mark.feature(...); id None when not a literal."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if not isinstance(node, ast.Call) or ast.unparse(node.func) != "pytest.mark.feature":
            continue
        for arg in node.args or [None]:
            is_text = isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            yield node.lineno, arg.value if is_text else None


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    ids = rows(root / "docs" / "FEATURES.txt")
    covered, bad = set(), False
    for path in sorted((root / "tests" / "system").rglob("*.py")):
        for line, one in marks(path):
            where = f"{path.relative_to(root)}:{line}"
            if one is None:
                print(f"{where}: write the feature's id out, as in feature(\"X02\")")
                bad = True
            elif one not in ids:
                print(f"{where}: docs/FEATURES.txt has no {one}")
                bad = True
            else:
                covered.add(one)
    still_open = [one for one in ids if one not in covered]
    print(f"features: {len(covered)} covered, {len(still_open)} open")
    print("covered:", " ".join(sorted(covered)) or "none")
    print("open:", " ".join(still_open) or "none")
    return 1 if bad else 0


sys.exit(main())
