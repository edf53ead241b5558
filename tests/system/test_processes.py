# SPDX-License-Identifier: Apache-2.0
"""What the processes are: hardened, and the network-facing one without the secret."""

import os
import pathlib
import re
import subprocess

import pytest

from bed import BUILD, EDGED, HOLDFAST, KEYD, PROVIDER


def proc(pid, name):
    return pathlib.Path(f"/proc/{pid}/{name}")


def scan(pid, needle):
    """Is the needle in the process's readable memory?"""
    with open(proc(pid, "mem"), "rb", 0) as memory:
        for line in proc(pid, "maps").read_text().splitlines():
            start, end, mode = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            if not mode.startswith("r") or "[v" in line:
                continue
            try:
                memory.seek(int(start, 16))
                if needle in memory.read(int(end, 16) - int(start, 16)):
                    return True
            except (OSError, OverflowError, ValueError):
                continue
    return False


def test_only_the_workers_load_the_module(bed):
    assert "softhsm" not in proc(bed.daemons["keyd"].pid, "maps").read_text()
    for lane in bed.lanes():
        assert "softhsm" in proc(lane["pid"], "maps").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="reads another process's memory")
def test_the_front_process_never_holds_the_pin(bed):
    pin = (bed.dir / "custody.pin").read_text().strip().encode()
    identity_pin = (bed.dir / "identity.pin").read_text().strip().encode()
    pid = bed.daemons["keyd"].pid
    # The scan finds what is there: the trust domain's name is.
    assert scan(pid, b"bed.holdfast.test")
    assert not scan(pid, pin) and not scan(pid, identity_pin)


def test_no_pin_stands_in_argv_or_the_environment(bed):
    pins = [(bed.dir / f"{t}.pin").read_text().strip().encode() for t in ("custody", "identity")]
    for pid in [bed.daemons["keyd"].pid] + [l["pid"] for l in bed.lanes()]:
        for name in ("cmdline", "environ"):
            text = proc(pid, name).read_bytes()
            assert not any(pin in text for pin in pins)


def test_processes_leave_no_core_and_gain_no_privileges(bed):
    for pid in [bed.daemons["keyd"].pid] + [l["pid"] for l in bed.lanes()]:
        assert "NoNewPrivs:\t1" in proc(pid, "status").read_text()
        assert re.search(r"Max core file size\s+0\s+0", proc(pid, "limits").read_text())


@pytest.mark.parametrize("program", [KEYD, EDGED, HOLDFAST, PROVIDER], ids=lambda p: p.name)
def test_programs_are_built_hardened(program):
    def readelf(*options):
        return subprocess.run(["readelf", "-W", *options, program], capture_output=True,
                              text=True, check=True).stdout
    if BUILD.name != "release":
        pytest.skip("the release preset hardens")
    assert "DYN" in readelf("-h")
    dynamic = readelf("-d")
    assert "BIND_NOW" in dynamic or " NOW" in dynamic
    segments = readelf("-l")
    assert "GNU_RELRO" in segments
    assert re.search(r"GNU_STACK.* RW ", segments), "an executable stack"
    assert "__stack_chk_fail" in readelf("--dyn-syms")
    assert re.search(r"_chk@", readelf("--dyn-syms")), "FORTIFY is off"
    # Debian 12's start files carry no CET note, so the linker drops ours; the
    # landing pads stand in our code all the same.
    code = subprocess.run(["objdump", "-d", program], capture_output=True, text=True,
                          check=True).stdout
    assert code.count("endbr64") > 50


def test_install_puts_everything_where_debian_looks(tmp_path):
    subprocess.run(["cmake", "--install", BUILD], env=dict(os.environ, DESTDIR=str(tmp_path)),
                   check=True, capture_output=True)
    found = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    multiarch = subprocess.run(["gcc", "-print-multiarch"], capture_output=True,
                               text=True).stdout.strip()
    for path in ("usr/sbin/keyd", "usr/sbin/edged", "usr/bin/holdfast",
                 f"usr/lib/{multiarch}/ossl-modules/holdfast.so",
                 "usr/share/man/man1/holdfast.1", "usr/share/man/man5/keyd.yaml.5",
                 "usr/share/man/man5/edged.yaml.5", "usr/share/man/man7/holdfast-provider.7",
                 "usr/share/man/man8/keyd.8", "usr/share/man/man8/edged.8",
                 "usr/share/bash-completion/completions/holdfast"):
        assert path in found, sorted(found)
