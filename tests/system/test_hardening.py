# SPDX-License-Identifier: Apache-2.0
"""What keyd's processes gave up, seen from outside, and that all still works.

keyd runs as a user without privileges where the tests are root's, so that what
is refused here is refused to another process of the very same user.
"""

import os
import pathlib
import re
import signal
import subprocess
import urllib.request

import pytest

from bed import KEYD, MODULE, Bed, Daemon, wait_for
from confined import (
    USER, as_user, assert_confined, assert_no_capability, children, give_away, pry,
    seccomp_ended, status)
from wire import Signer, tls13_content

INSTRUMENTED = b"__asan_init" in KEYD.read_bytes() or b"__tsan_init" in KEYD.read_bytes()

pytestmark = pytest.mark.skipif(INSTRUMENTED, reason="a build for tests confines nothing")


def start(bed, ready=True):
    give_away(bed.dir)
    bed.daemons["keyd"] = Daemon("keyd", [*as_user(), KEYD, "-c", bed.dir / "keyd.yaml"],
                                 bed.dir / "keyd.log", bed.env)
    return bed.start_keyd(ready)


@pytest.fixture(scope="module")
def bed():
    b = Bed()
    b.init()
    start(b)
    b.key = b.make_key("k", edge="fra-1")
    yield b
    b.close()


@pytest.fixture
def fresh():
    b = Bed(workers=1)
    b.init()
    yield b
    b.close()


def spawner(bed):
    found = [p for p in children(bed.daemons["keyd"].pid)
             if status(p)["Name"] == "keyd-spawner"]
    assert len(found) == 1, found
    return found[0]


def processes(bed):
    """Name to pid of the front, the spawner, and all that it started."""
    front, middle = bed.daemons["keyd"].pid, spawner(bed)
    found = {"front": front, "spawner": middle}
    for pid in children(middle):
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        found[f"{words[1].decode()} {pid}"] = pid
    return found


def test_every_process_is_confined(bed):
    found = processes(bed)
    names = [name.split()[0] for name in found]
    assert names.count("worker") == bed.workers and names.count("ca-worker") == 1, names
    for name, pid in found.items():
        # Filters: the spawner's own; a worker's three; the front's two.
        assert_confined(name, pid, {"spawner": 1, "front": 2}.get(name, 3))


def test_root_keeps_no_capability(fresh):
    if os.geteuid() != 0:
        pytest.skip("root's matter")
    fresh.start_keyd()
    for name, pid in processes(fresh).items():
        assert_no_capability(name, pid)
    assert fresh.make_key("root")["id"]


def test_another_process_of_the_same_user_can_look_into_none_of_them(bed):
    # What is tried works on a process that is not hardened.
    plain = subprocess.Popen([*as_user(), "sleep", "60"])
    try:
        wait_for("sleep runs", lambda: status(plain.pid)["Name"] == "sleep")
        assert {"mem", "environ", "maps", "ptrace", "pidfd_getfd"} <= pry(plain.pid)
    finally:
        plain.kill()
        plain.wait()
    for name, pid in processes(bed).items():
        assert pry(pid) == set(), name


@pytest.mark.skipif(not pathlib.Path("/usr/bin/gcore").exists(), reason="no gdb here")
def test_gcore_gets_no_memory_of_any(bed, tmp_path):
    tmp_path.chmod(0o777)
    for name, pid in processes(bed).items():
        done = subprocess.run([*as_user(), "gcore", "-o", tmp_path / "core", str(pid)],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode != 0, name
        assert not list(tmp_path.iterdir()), name


def test_status_and_log_say_what_is_in_force(bed):
    assert "seccomp" in bed.json("status")["sandbox"]
    assert "confined by: seccomp" in bed.cli("status")
    assert 'msg="keyd is confined" by="seccomp' in bed.daemons["keyd"].text()


def test_everything_works_under_the_sandbox(bed):
    daemon = bed.daemons["keyd"]
    signer = Signer(bed, "edge", "fra-1")
    for alg in ("ec-p256", "ec-p384", "rsa-2048", "ed25519"):
        key = bed.make_key(f"all-{alg}", alg)
        assert signer.sign(key, tls13_content(48 if alg == "ec-p384" else 32))
    bed.kill_workers()
    wait_for("signatures again", lambda: signer.sign(bed.key, tls13_content()))
    wait_for("all lanes", bed.lanes_ready)
    with urllib.request.urlopen(f"http://127.0.0.1:{bed.metrics_port}/metrics") as page:
        text = page.read().decode()
    assert re.search(r"holdfast_hsm_worker_restarts_total\{[^}]*\} [1-9]", text)
    # A new identity is certified by the identity worker.
    Signer(bed, "edge", "fra-2")
    assert daemon.running()


def test_a_configuration_put_in_place_anew_is_read_on_sighup(bed):
    daemon, path = bed.daemons["keyd"], bed.dir / "keyd.yaml"
    for form, sign_of_it in (("json", '"log settings read again'), ("logfmt", 'msg="log settings')):
        beside = bed.dir / "keyd.yaml.new"
        beside.write_text(re.sub(r"log:\n  format: \w+\n", "", path.read_text())
                          + f"log:\n  format: {form}\n")
        beside.rename(path)
        if os.geteuid() == 0:
            os.chown(path, USER, USER)
        before = len(daemon.text())
        os.kill(daemon.pid, signal.SIGHUP)
        wait_for(form, lambda: sign_of_it in daemon.text()[before:])


def test_no_call_was_refused_so_far(bed):
    assert bed.refused_calls() == []


def test_the_kernel_has_ended_none_of_keyds_processes():
    """In none of the tests so far: the kernel writes down whom seccomp ends."""
    found = seccomp_ended(KEYD)
    if found is None:
        pytest.skip("the kernel's log is not ours to read")
    assert not found


def test_the_front_killed_takes_all_its_processes_along(fresh):
    start(fresh)
    found = processes(fresh)
    fresh.daemons["keyd"].kill()
    for name, pid in found.items():
        wait_for(f"{name} ends", lambda: not pathlib.Path(f"/proc/{pid}").exists()
                 or status(pid)["State"].startswith("Z"))


def test_a_front_that_lost_its_spawner_ends_with_an_error(fresh):
    daemon = start(fresh)
    found = processes(fresh)
    os.kill(spawner(fresh), signal.SIGKILL)
    wait_for("keyd ends", lambda: not daemon.running())
    assert daemon.process.returncode == 1
    assert "the process that starts workers has ended" in daemon.text()
    for name, pid in found.items():
        wait_for(f"{name} ends", lambda: not pathlib.Path(f"/proc/{pid}").exists())


def test_off_is_told_and_works(fresh):
    path = fresh.dir / "keyd.yaml"
    path.write_text(path.read_text() + "sandbox: off\n")
    daemon = start(fresh)
    assert fresh.json("status")["sandbox"] == "off"
    assert "the sandbox is off" in daemon.text()
    assert status(daemon.pid)["Seccomp"] == "0"
    assert fresh.make_key("open")["id"]
    fresh.kill_workers()
    wait_for("all lanes", fresh.lanes_ready)


def test_a_module_of_which_nothing_is_known_is_told(fresh, tmp_path):
    module = fresh.dir / "vendor.so"
    module.symlink_to(MODULE)
    path = fresh.dir / "keyd.yaml"
    path.write_text(path.read_text().replace(f"module: {MODULE}", f"module: {module}", 1)
                    .replace("env: [SOFTHSM2_CONF]", "env: []", 1))
    daemon = start(fresh)
    said = [l for l in daemon.text().splitlines() if "what this module may open" in l]
    assert len(said) == 1 and "pool=standard" in said[0], daemon.text()
    path.write_text(path.read_text().replace(
        "env: []", f"env: []\n    paths: [{fresh.dir}/tokens, {fresh.dir}/softhsm2.conf]", 1))
    daemon.stop()
    before = len(daemon.text())
    start(fresh)
    assert "what this module may open" not in daemon.text()[before:]
    assert fresh.make_key("known")["id"]
