#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each refusal in docs/THREATS.md names its test, and the test is there.

Usage: threats.py [TREE]
"""

import pathlib
import re
import sys

top = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else
                   pathlib.Path(__file__).resolve().parents[2])
complaints, named = [], 0


def named_in(file, name):
    """Node's tests are sentences already: test('no wrong password opens', ...)."""
    sentence = name.replace("_", " ")
    return rf"^test\('{sentence}'" if file.endswith(".mjs") else rf"^(def )?{name}\("


default = None
for number, line in enumerate((top / "docs/THREATS.md").read_text().splitlines(), 1):
    where = f"docs/THREATS.md:{number}"
    if not line.startswith("|"):
        default = None
        continue
    cells = [c.strip() for c in line.strip("|").split("|")]
    if cells[-1].startswith("Test"):
        in_file = re.search(r"`(tests/[^`]+)`", cells[-1])
        default = in_file.group(1) if in_file else ""
        continue
    if default is None or set(cells[-1]) <= {"-"}:
        continue
    file, count = default, 0
    for quoted in re.findall(r"`([^`]+)`", cells[-1]):
        if ": " in quoted:
            file, quoted = quoted.split(": ", 1)
        if not re.fullmatch(r"[a-z][a-z0-9_]+", quoted):
            continue
        count += 1
        source = top / file
        if not file or not source.is_file():
            complaints.append(f"{where}: {file or quoted} is not there")
        elif not re.search(named_in(file, quoted), source.read_text(), re.M):
            complaints.append(f"{where}: {file} has no {quoted}")
    named += count
    if count == 0:
        complaints.append(f"{where}: this refusal names no test")

if named == 0:
    complaints.append("docs/THREATS.md: no refusal found")
print("\n".join(complaints) or f"{named} tests named by refusals, all there")
sys.exit(1 if complaints else 0)
