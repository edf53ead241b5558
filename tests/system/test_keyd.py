# SPDX-License-Identifier: Apache-2.0
"""keyd's life from outside: init, start, health, roles, reload, drain."""

import os
import signal
import subprocess

import grpc
import pytest

from bed import KEYD, TOP, Bed, wait_for
from wire import channel, keys_pb2, keys_pb2_grpc, member, status_pb2, status_pb2_grpc

SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"


def health(bed):
    """What grpc.health.v1 answers, as octets: field 1, the status."""
    with channel(bed, bed.dir / "admin") as ch:
        return ch.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=60)


def keyd(bed, *argv):
    return subprocess.run([KEYD, *argv], env=bed.env, capture_output=True, text=True, timeout=60)


@pytest.fixture
def fresh():
    b = Bed(workers=1)
    yield b
    b.close()


def test_start_before_init_is_refused_with_the_command_to_run(fresh):
    done = keyd(fresh, "-c", fresh.dir / "keyd.yaml")
    assert done.returncode == 1
    assert "run 'keyd init' first" in done.stderr


def test_init_twice_changes_nothing(fresh):
    state = fresh.dir / "keyd"
    fresh.init()
    assert state.stat().st_mode & 0o777 == 0o700
    ca, join = (state / "ca.pem").read_bytes(), (fresh.dir / "admin.join").read_bytes()
    assert (fresh.dir / "admin.join").stat().st_mode & 0o777 == 0o600
    fresh.init()
    again = keyd(fresh, "init", "-c", fresh.dir / "keyd.yaml")
    assert again.returncode == 0, again.stderr
    assert "there is one" in again.stdout
    assert (state / "ca.pem").read_bytes() == ca
    assert (fresh.dir / "admin.join").read_bytes() == join


def test_init_refuses_a_state_folder_that_others_may_enter(fresh):
    (fresh.dir / "keyd").mkdir(mode=0o755)
    done = keyd(fresh, "init", "-c", fresh.dir / "keyd.yaml")
    assert done.returncode == 1
    assert "0700" in done.stderr
    assert not (fresh.dir / "keyd/ca.pem").exists()


def test_init_while_keyd_runs_is_refused_with_the_reason(bed):
    done = keyd(bed, "init", "-c", bed.dir / "keyd.yaml", "--operator", "late")
    assert done.returncode == 1
    assert "is a keyd running already" in done.stderr


def test_a_config_mistake_is_told_with_file_and_line(fresh):
    path = fresh.dir / "keyd.yaml"
    path.write_text(path.read_text() + "lisen: 127.0.0.1:1\n")
    done = keyd(fresh, "-c", path, "--check-config")
    line = len(path.read_text().splitlines())
    assert done.returncode == 1
    assert f"{path}:{line}:1: " in done.stderr and "listen" in done.stderr
    good = keyd(fresh, "--check-config", "-c", TOP / "docs/examples/keyd.yaml")
    assert good.returncode == 0, good.stderr


def test_a_pin_on_the_command_line_has_no_place(fresh):
    done = keyd(fresh, "--pin", "1234")
    assert done.returncode == 2 and "usage" in done.stderr


def test_the_front_process_never_loads_the_module_and_workers_do(bed):
    front = bed.daemons["keyd"].pid
    with open(f"/proc/{front}/maps") as maps:
        assert "softhsm" not in maps.read()
    for lane in bed.lanes():
        with open(f"/proc/{lane['pid']}/maps") as maps:
            assert "softhsm" in maps.read()


def test_workers_see_no_variable_that_was_not_named(fresh):
    fresh.env["HOLDFAST_STRAY"] = "1"
    fresh.init()
    fresh.start_keyd()
    with open(f"/proc/{fresh.lanes()[0]['pid']}/environ", "rb") as environ:
        names = {v.split(b"=")[0] for v in environ.read().split(b"\0")}
    assert b"SOFTHSM2_CONF" in names and b"HOLDFAST_STRAY" not in names


def test_an_edge_may_list_no_keys_and_an_auditor_may_make_none(bed):
    with channel(bed, member(bed, "edge", "nosy")) as ch:
        with pytest.raises(grpc.RpcError) as error:
            keys_pb2_grpc.KeysStub(ch).List(keys_pb2.ListKeysRequest(), timeout=60)
        assert error.value.code() == grpc.StatusCode.PERMISSION_DENIED
    with channel(bed, member(bed, "auditor", "eve")) as ch:
        keys_pb2_grpc.KeysStub(ch).List(keys_pb2.ListKeysRequest(), timeout=60)
        assert status_pb2_grpc.StatusStub(ch).Get(
            status_pb2.GetStatusRequest(), timeout=60).version
        with pytest.raises(grpc.RpcError) as error:
            keys_pb2_grpc.KeysStub(ch).Generate(
                keys_pb2.GenerateRequest(label="x", algorithm=1), timeout=60)
        assert error.value.code() == grpc.StatusCode.PERMISSION_DENIED


def test_health_follows_the_lanes(fresh):
    fresh.init()
    fresh.start_keyd()
    wait_for("serving", lambda: health(fresh) == SERVING)
    tokens, away = fresh.dir / "tokens", fresh.dir / "tokens.away"
    tokens.rename(away)
    os.kill(fresh.worker(), signal.SIGKILL)
    wait_for("not serving", lambda: health(fresh) == NOT_SERVING)
    away.rename(tokens)
    wait_for("serving again", lambda: health(fresh) == SERVING)


def test_sighup_reads_the_log_settings_again_and_term_drains(fresh):
    fresh.init()
    daemon = fresh.start_keyd()
    path = fresh.dir / "keyd.yaml"
    good = path.read_text()
    path.write_text(good + "log:\n  format: json\n")
    os.kill(daemon.pid, signal.SIGHUP)
    wait_for("json", lambda: '"log settings read again' in daemon.text())
    path.write_text(good + "log:\n  format: xml\n")
    os.kill(daemon.pid, signal.SIGHUP)
    wait_for("told", lambda: "the configuration stays as it was" in daemon.text())
    workers = [lane["pid"] for lane in fresh.lanes()]
    assert daemon.stop() == 0
    assert "keyd has ended" in daemon.text()
    assert not any(os.path.exists(f"/proc/{pid}") for pid in workers)
