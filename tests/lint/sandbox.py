#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The sandbox in docs/HARDENING.md and in the code agree: the groups of system
calls, who has them, which calls are hostile, and the files named to Landlock.

Usage: sandbox.py [TREE]
"""

import pathlib
import re
import sys

top = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else
                   pathlib.Path(__file__).resolve().parents[2])
complaints = []
KINDS = {"SANDBOX_FRONT": "front", "SANDBOX_SPAWNER": "spawner",
         "SANDBOX_WORKER": "worker", "SANDBOX_IDENTITY": "identity",
         "SANDBOX_CERTD": "certd", "SANDBOX_OPENER": "opener"}

code = (top / "base/sandbox_calls.c").read_text()
page = (top / "docs/HARDENING.md").read_text()


def words(c_list):
    return re.findall(r'"([a-z0-9_]+)"', c_list)


def rows(head):
    """The cells of the table that begins with this head."""
    found = re.search(r"^\| *" + head + r".*\n\|[-| ]+\n((?:\|.*\n)+)", page, re.M)
    if not found:
        complaints.append(f"docs/HARDENING.md: no table of {head}")
        return []
    return [[c.strip() for c in line.strip("|\n").split("|")]
            for line in found.group(1).splitlines()]


def compare(what, coded, written):
    for name in sorted(coded - written):
        complaints.append(f"docs/HARDENING.md: {what} lacks {name}")
    for name in sorted(written - coded):
        complaints.append(f"docs/HARDENING.md: {what} has {name}, the code has not")


arrays = {name: words(body) for name, body in re.findall(
    r"^(?:static )?const char \*const (\w+)\[\] = \{(.*?)\};", code, re.M | re.S)}
everyone = set(KINDS.values())
groups = {}
for name, kinds, calls in re.findall(r'\{ "(\w+)", ([A-Z_| ]+), (\w+) \}', code):
    who = everyone if kinds == "ALL" else {KINDS[k] for k in kinds.split(" | ")}
    groups[name] = (who, set(arrays[calls]))
if len(groups) < 4 or len(arrays.get("sandbox_hostile", [])) < 20:
    complaints.append("base/sandbox_calls.c: no table found")

written = {}
for name, who, calls in rows("Group"):
    who = everyone if who == "all" else set(re.findall(r"\w+", who))
    written[name] = (who, set(re.findall(r"`([a-z0-9_]+)`", calls)))
compare("the table of groups", set(groups), set(written))
for name in sorted(set(groups) & set(written)):
    compare(f"group {name}", groups[name][1], written[name][1])
    compare(f"who has group {name}", groups[name][0], written[name][0])

hostile = re.search(r"^## Hostile.*?^(?=## )", page, re.M | re.S)
compare("the list of hostile calls", set(arrays.get("sandbox_hostile", [])),
        set(re.findall(r"`([a-z0-9_]+)`", hostile.group(0) if hostile else "")))

# Of a process, the system's files that it may touch.
files = {}
for who, file, end in (("front", "keyd/hardening.c", ""), ("worker", "hsm/confine.c", "\n"),
                       ("certd", "certd/hardening.c", "")):
    found = re.search(r"system_paths\[\] = \{(.*?)" + end + r"\};", (top / file).read_text(), re.S)
    files[who] = set(re.findall(r'"(/[^"]+)"', found.group(1))) if found else set()
    if not files[who]:
        complaints.append(f"no paths of the {who} found")
for who, paths in rows("Files of the system"):
    compare(f"files of {who}", files.pop(who, set()), set(re.findall(r"`([^`]+)`", paths)))
for who in files:
    complaints.append(f"docs/HARDENING.md: no files of {who}")

print("\n".join(complaints) or
      f"{sum(len(c) for _, c in groups.values())} calls in {len(groups)} groups, as written")
sys.exit(1 if complaints else 0)
