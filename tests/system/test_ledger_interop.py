# SPDX-License-Identifier: Apache-2.0
"""The ledger verified by other people's code: golang.org/x/mod/sumdb."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

from bed import BUILD, TOP
from wire import Signer, audit_pb2, audit_pb2_grpc, channel, member, tls13_content

MAKER = BUILD / "ledger/ledger_maker"


@pytest.fixture(scope="module")
def verifier(tmp_path_factory):
    """tests/system/tlog/verify.go, built offline from Debian's packages."""
    folder = tmp_path_factory.mktemp("go")
    env = dict(os.environ, GO111MODULE="off", GOPATH="/usr/share/gocode", GOFLAGS="",
               GOCACHE=str(folder / "cache"), GOTMPDIR=str(folder), CGO_ENABLED="0")
    program = folder / "verify"
    subprocess.run(["go", "build", "-o", program, TOP / "tests/system/tlog/verify.go"],
                   cwd=folder, env=env, check=True)
    return program


def make(folder, *steps):
    """A signed ledger; its verifier keys, oldest first."""
    done = subprocess.run([MAKER, folder, *map(str, steps)],
                          check=True, capture_output=True, text=True)
    return done.stdout.split()


def verify(verifier, keys, folder, *older):
    argv = [verifier]
    for key in keys:
        argv += ["-key", key]
    return subprocess.run([*argv, folder, *older], capture_output=True, text=True)


def found(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.feature("X06")
@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 512, 65536, 70000])
def test_x_mod_verifies_a_ledger_of_any_size(verifier, tmp_path, size):
    keys = make(tmp_path / "ledger", size)
    assert found(verify(verifier, keys, tmp_path / "ledger"))["size"] == size


@pytest.mark.feature("X06")
def test_x_mod_verifies_that_a_ledger_grew_through_a_rotated_key(verifier, tmp_path):
    older = []
    for steps in ([1], [257], [300, "rotate"], [300, "rotate", 65537]):
        folder = tmp_path / f"at{len(older)}"
        make(folder, *steps)
        older.append(folder / "checkpoint")
    keys = make(tmp_path / "ledger", 300, "rotate", 70000, "cosign")
    done = verify(verifier, keys[:2], tmp_path / "ledger", *older)
    assert found(done)["grown_from"] == len(older)


@pytest.mark.feature("X06")
def test_x_mod_refuses_a_ledger_that_was_rewritten(verifier, tmp_path):
    make(tmp_path / "old", 300, "rotate", 400)
    keys = make(tmp_path / "ledger", 301, "rotate", 500)
    done = verify(verifier, keys, tmp_path / "ledger", tmp_path / "old/checkpoint")
    assert done.returncode == 1 and "malformed" not in done.stderr, done.stderr


def flip(path, at):
    octets = bytearray(pathlib.Path(path).read_bytes())
    octets[at] ^= 1
    pathlib.Path(path).write_bytes(octets)


@pytest.mark.feature("X06")
@pytest.mark.parametrize("name,at", [
    ("checkpoint", 30), ("checkpoint", -20), ("tile/0/000", 5000), ("tile/0/002.p/88", 0),
    ("tile/1/000.p/2", 33), ("tile/entries/001", 700), ("tile/entries/002.p/88", 9)])
def test_x_mod_refuses_what_holdfast_would(verifier, tmp_path, name, at):
    keys = make(tmp_path / "ledger", 600)
    assert found(verify(verifier, keys, tmp_path / "ledger"))["size"] == 600
    flip(tmp_path / "ledger" / name, at)
    assert verify(verifier, keys, tmp_path / "ledger").returncode == 1


@pytest.mark.feature("X06")
def test_x_mod_refuses_another_ledgers_key(verifier, tmp_path):
    first, second = make(tmp_path / "ledger", 10, "rotate")
    found(verify(verifier, [second], tmp_path / "ledger"))
    done = verify(verifier, [first], tmp_path / "ledger")
    assert done.returncode == 1 and "no verifiable signatures" in done.stderr
    shutil.rmtree(tmp_path / "ledger")


def describe(bed):
    """Asking makes a checkpoint that covers all that was recorded."""
    stub = audit_pb2_grpc.AuditStub(channel(bed, member(bed, "operator", "admin2")))
    return stub, stub.Describe(audit_pb2.DescribeAuditRequest(), timeout=60)


@pytest.mark.feature("X06")
def test_x_mod_verifies_what_keyd_recorded_before_and_after_a_rotation(bed, verifier, tmp_path):
    ledger = bed.dir / "keyd/audit/ledger"
    key = bed.make_key("interop", edge="fra-1")
    signer = Signer(bed, "edge", "fra-1")
    for _ in range(700):
        signer.sign(key, tls13_content())
    stub, before = describe(bed)
    (tmp_path / "older").write_bytes(before.checkpoint)
    shutil.copytree(ledger, tmp_path / "copy")
    keys = [k.verifier_key for k in before.keys]
    assert found(verify(verifier, keys, tmp_path / "copy"))["size"] >= before.size > 700

    stub.RotateKey(audit_pb2.RotateLedgerKeyRequest(), timeout=60)
    for _ in range(300):
        signer.sign(key, tls13_content())
    _, after = describe(bed)
    shutil.copytree(ledger, tmp_path / "later")
    keys = [k.verifier_key for k in after.keys]
    assert len(keys) == len(before.keys) + 1
    assert verify(verifier, keys[:-1], tmp_path / "later").returncode == 1
    told = found(verify(verifier, keys, tmp_path / "later", tmp_path / "older"))
    assert told["size"] >= after.size >= before.size + 300 and told["grown_from"] == 1
