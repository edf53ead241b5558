# SPDX-License-Identifier: Apache-2.0
"""What a process gave up, seen from outside; and another process of the same user."""

import os
import pathlib
import re
import subprocess

USER = 65534  # nobody
AS_USER = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]


def as_user():
    return AS_USER if os.geteuid() == 0 else []


def give_away(path):
    """Everything below it to the user."""
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", f"{USER}:{USER}", path], check=True)


def status(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def children(pid):
    return [int(c) for t in pathlib.Path(f"/proc/{pid}/task").iterdir()
            for c in (t / "children").read_text().split()]


def assert_confined(name, pid, filters):
    """seccomp, no capabilities, no new privileges, no core, not dumpable."""
    said = status(pid)
    assert said["Seccomp"] == "2", name
    assert said["NoNewPrivs"] == "1", name
    assert said["CoreDumping"] == "0", name
    for caps in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(said[caps], 16) == 0, (name, caps)
    assert int(said.get("Seccomp_filters", 9)) >= filters, (name, said["Seccomp_filters"])
    if os.geteuid() == 0:
        # Not dumpable: what /proc has of it is root's.
        assert pathlib.Path(f"/proc/{pid}/mem").stat().st_uid == 0, name
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
    assert re.search(r"Max core file size\s+0\s+0", limits), name


def assert_no_capability(name, pid):
    said = status(pid)
    for caps in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(said[caps], 16) == 0, (name, caps)


# Run by another process of the same user; prints what it was let to do.
PRY = r"""
import ctypes, os, sys
pid = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
done = []
for name in ("mem", "environ", "maps", "auxv", "fd/0", "root", "cwd"):
    try:
        if name in ("root", "cwd", "fd/0"):
            os.readlink(f"/proc/{pid}/{name}")
        else:
            open(f"/proc/{pid}/{name}", "rb").read(1 if name != "mem" else 0)
        done.append(name)
    except OSError:
        pass
class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
here = ctypes.create_string_buffer(8)
to, there = Iovec(ctypes.addressof(here), 8), Iovec(ctypes.addressof(here), 8)
if libc.process_vm_readv(pid, ctypes.byref(to), 1, ctypes.byref(there), 1, 0) >= 0 or \
        ctypes.get_errno() != 1:
    done.append("process_vm_readv")
if libc.ptrace(0x4206, pid, 0, 0) == 0:  # PTRACE_SEIZE
    done.append("ptrace")
fd = libc.syscall(434, pid, 0)  # pidfd_open
if fd >= 0 and libc.syscall(438, fd, 0, 0) >= 0:  # pidfd_getfd
    done.append("pidfd_getfd")
print(" ".join(done))
"""


def pry(pid):
    done = subprocess.run([*as_user(), "/usr/bin/python3", "-c", PRY, str(pid)],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def seccomp_ended(program):
    """Lines of the kernel's log about that; None when it is not ours to read."""
    done = subprocess.run(["dmesg"], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        return None
    return [line for line in done.stdout.splitlines()
            if "type=1326" in line and f'exe="{program}"' in line]
