#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Manuals and programs agree: every configuration key, command and option that
the code knows stands in its manual, and mandoc finds nothing to complain about.

Usage: manuals.py [TREE]
"""

import pathlib
import re
import subprocess
import sys

top = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else
                   pathlib.Path(__file__).resolve().parents[2])
complaints = []


def read(path):
    return (top / path).read_text()


def demand(words, manual):
    text = read(manual).replace("\\-", "-")
    # Macros wrap words: ".It Cm workers", "Fl -json", "Ar dir".
    known = {w.lstrip("-") for w in re.findall(r"[A-Za-z0-9_-]+", text)}
    for word in sorted(set(words)):
        if word.lstrip("-") not in known:
            complaints.append(f"{manual}: does not mention {word}")


for source, manual in (("keyd/config.c", "docs/man/keyd.yaml.5"),
                       ("certd/config.c", "docs/man/certd.yaml.5"),
                       ("edge/config_schema.c", "docs/man/edged.yaml.5")):
    keys = re.findall(r'\.key = "([a-z_0-9]+)"', read(source))
    if not keys:
        complaints.append(f"{source}: no configuration keys found")
    demand(keys, manual)

main = read("tools/main.c")
commands = re.findall(r'\{ "([a-z]+)", (?:NULL|"([a-z]+)")', main)
options = [o for f in sorted((top / "tools").glob("*.c"))
           for o in re.findall(r'"(--?[a-z][a-z-]*)"', f.read_text())]
if not commands or not options:
    complaints.append("tools/main.c: no commands or options found")
demand([w for pair in commands for w in pair if w], "docs/man/holdfast.1")
demand([o for o in options if o not in ("--help", "--version", "--")], "docs/man/holdfast.1")

for daemon, manual in (("keyd/main.c", "docs/man/keyd.8"), ("certd/main.c", "docs/man/certd.8"),
                       ("edge/main.c", "docs/man/edged.8")):
    options = re.findall(r'\{ "([a-z][a-z-]*)", (?:no|required)_argument|"(--[a-z][a-z-]*)"',
                         read(daemon))
    if not options:
        complaints.append(f"{daemon}: no options found")
    demand([one or other for one, other in options], manual)

for manual in sorted((top / "docs/man").glob("*.[1-9]")):
    done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", manual], capture_output=True,
                          text=True)
    complaints += (done.stdout + done.stderr).splitlines()

print("\n".join(complaints) or "manuals and programs agree")
sys.exit(1 if complaints else 0)
