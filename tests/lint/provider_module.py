#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""holdfast.so is a fit guest for foreign processes.

Usage: provider_module.py holdfast.so

It must export OSSL_provider_init alone, need no library but libcrypto and libc
(sanitizers' aside), call nothing that makes threads or forks, and never be
unloaded.
"""

import re
import subprocess
import sys

LIBRARIES = re.compile(r"(libcrypto|libc|lib[atu]b?san)\.so\.\d+$")
BANNED = {"pthread_create", "thrd_create", "fork", "vfork", "clone", "system",
          "popen", "posix_spawn", "execve", "signal", "sigaction", "setenv",
          "exit", "dlopen"}


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def names(text):
    return {line.split()[-1].split("@")[0] for line in text.splitlines() if line.strip()}


def main():
    module = sys.argv[1]
    complaints = []
    exported = names(run("nm", "-D", "--defined-only", module))
    if exported != {"OSSL_provider_init"}:
        complaints.append(f"exports {sorted(exported)}")
    dynamic = run("readelf", "-dW", module)
    for library in re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic):
        if not LIBRARIES.match(library):
            complaints.append(f"needs {library}")
    if "NODELETE" not in dynamic:
        complaints.append("may be unloaded: link with -z nodelete")
    for name in sorted(names(run("nm", "-D", "--undefined-only", module)) & BANNED):
        complaints.append(f"calls {name}")
    for complaint in complaints:
        print(f"{module}: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


sys.exit(main())
