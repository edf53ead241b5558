# SPDX-License-Identifier: Apache-2.0
"""No record, no signature: disks that fill up, stall, fail, lose what was not
synced, and a keyd that is killed again and again under load."""

import os
import pathlib
import random
import shutil
import signal
import subprocess
import time

import grpc
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bed import BUILD, Bed, wait_for
from load import Load, allowed
from wire import Signer, channel, keys_pb2, keys_pb2_grpc, member, tls13_content

pytestmark = pytest.mark.feature("X07")
# HOLDFAST_KILLS shortens a run by hand.
KILLS = int(os.environ.get("HOLDFAST_KILLS", "100"))


class DiskBed(Bed):
    """A bed whose audit folder is on a disk of its own."""

    def __init__(self, **kw):
        self.disk = None
        super().__init__(**kw)
        self.disk = self.dir / "disk"
        self.disk.mkdir()
        self.write_keyd_config()

    def write_keyd_config(self, **kw):
        super().write_keyd_config(**kw)
        if self.disk is None:
            return
        path = self.dir / "keyd.yaml"
        text = path.read_text()
        assert "\naudit:\n" in text
        path.write_text(text.replace("\naudit:\n", f"\naudit:\n  directory: {self.disk}/audit\n"))

    def begin(self):
        self.init()
        self.start_keyd()
        self.key = self.make_key("site", edge="load")
        self.client = Signer(self, "edge", "load")

    def journal(self):
        return sorted((self.disk / "audit/journal").glob("*.journal"))[-1]

    def refusal(self, timeout=60):
        return self.client.error(self.key, tls13_content(), timeout=timeout)

    def signs(self):
        return self.client.sign(self.key, tls13_content())

    def unmount(self):
        subprocess.run(["umount", "-l", self.disk], check=True)


def run(*argv):
    subprocess.run([str(a) for a in argv], check=True, capture_output=True, timeout=60)


@pytest.fixture
def tmpfs_bed():
    b = DiskBed()
    run("mount", "-t", "tmpfs", "-o", "size=16m,mode=0700", "tmpfs", b.disk)
    try:
        b.begin()
        yield b
    finally:
        b.daemons["keyd"].kill()
        b.unmount()
        b.close()


class Ext4:
    """A small file system of its own in a file."""

    def __init__(self, bed, megabytes=24):
        self.bed, self.image = bed, bed.dir / "disk.img"
        with open(self.image, "wb") as image:
            image.truncate(megabytes << 20)
        run("mkfs.ext4", "-q", "-m", "0", self.image)
        self.mount()

    def mount(self):
        run("mount", "-o", "loop", self.image, self.bed.disk)

    def repair(self):
        self.bed.unmount()
        done = subprocess.run(["e2fsck", "-fy", str(self.image)], capture_output=True, timeout=60)
        assert done.returncode < 4, done.stdout
        self.mount()


@pytest.fixture
def ext4_bed():
    b = DiskBed()
    b.ext4 = Ext4(b)
    try:
        b.begin()
        yield b
    finally:
        b.daemons["keyd"].kill()
        b.unmount()
        b.close()


class FaultDisk:
    """tests/fake/faultfs.c: loses what was not synced when it is killed."""

    PROGRAM = BUILD / "tests/faultfs"

    def __init__(self, bed):
        self.bed, self.platter = bed, bed.dir / "platter"
        self.platter.mkdir()
        self.process = None
        self.mount()

    def mount(self):
        self.process = subprocess.Popen([self.PROGRAM, self.platter, self.bed.disk])
        wait_for("the disk is there", lambda: os.path.ismount(self.bed.disk))

    def cue(self, text):
        os.setxattr(self.bed.disk, "user.fault", text.encode())

    def lose_power(self):
        """Kill keyd, then the disk with all that was never synced."""
        self.bed.daemons["keyd"].kill()
        self.unmount()
        self.mount()

    def unmount(self):
        self.process.kill()
        self.process.wait()
        self.bed.unmount()


@pytest.fixture
def fault_bed(request):
    if not pathlib.Path("/dev/fuse").exists():
        pytest.skip("this machine has no /dev/fuse")
    b = DiskBed(durability=getattr(request, "param", "fdatasync"))
    b.fault = FaultDisk(b)
    try:
        b.begin()
        yield b
    finally:
        b.daemons["keyd"].kill()
        b.fault.unmount()
        b.close()


def fill(folder, leave=0):
    """Take all the room there is."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as out:
        size = 1 << 20
        while size >= 512:
            try:
                out.write(b"\0" * size)
                os.fsync(out.fileno())
            except OSError:
                size //= 2
    return filler


def sign_until_refused(bed, at_most=60000):
    """Sign in bulk until keyd refuses; what was signed, and the refusal."""
    signed = {}
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(signed) < at_most:
        load = Load(bed, bed.key, in_flight=256).start()
        wait_for("a refusal or the end", lambda: load.refusals or load.ended
                 or len(load.signed) > 5000)
        load.stop()
        signed.update(load.signed)
        if load.refusals:
            return signed, load.refusals
    raise AssertionError(f"never refused after {len(signed)} signatures")


@pytest.mark.parametrize("kind", ["tmpfs_bed", "ext4_bed"])
def test_a_full_disk_refuses_with_the_reason_and_recovers(kind, request):
    bed = request.getfixturevalue(kind)
    assert bed.signs()
    filler = fill(bed.disk)
    signed, refusals = sign_until_refused(bed)
    assert {code for code, _ in refusals} == {grpc.StatusCode.UNAVAILABLE.value[0]}, refusals[:3]
    assert any("full" in why for _, why in refusals), refusals[:3]
    assert "full" in bed.json("status")["audit_trouble"]
    filler.unlink()
    wait_for("it signs again", lambda: signs(bed.client, bed.key))
    assert set(signed) <= allowed(bed), "a signature left without a record"
    assert bed.daemons["keyd"].running()


def test_a_deleted_journal_stops_signing_until_it_is_back(bed):
    journal = sorted((bed.dir / "keyd/audit/journal").glob("*.journal"))[-1]
    key = bed.make_key("deleted", edge="load")
    client = Signer(bed, "edge", "load")
    aside = journal.with_suffix(".aside")
    assert client.sign(key, tls13_content())
    journal.rename(aside)
    wait_for("it is noticed", lambda: refused(client, key, "removed or replaced"))
    aside.rename(journal)
    wait_for("it signs again", lambda: signs(client, key))


def test_a_replaced_journal_stops_signing_until_it_is_back(bed):
    journal = sorted((bed.dir / "keyd/audit/journal").glob("*.journal"))[-1]
    key = bed.make_key("replaced", edge="load")
    client = Signer(bed, "edge", "load")
    aside = journal.with_suffix(".aside")
    journal.rename(aside)
    shutil.copy(aside, journal)
    wait_for("it is noticed", lambda: refused(client, key, "removed or replaced"))
    aside.replace(journal)
    wait_for("it signs again", lambda: signs(client, key))


def signs(client, key):
    try:
        return client.sign(key, tls13_content())
    except grpc.RpcError:
        return None


def refused(client, key, words):
    try:
        client.sign(key, tls13_content())
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
        return words in error.details()
    return False


def test_a_file_system_that_turns_read_only_refuses_and_nothing_is_lost(ext4_bed):
    bed = ext4_bed
    load = Load(bed, bed.key).start()
    wait_for("signatures", lambda: len(load.signed) > 200)
    # What the kernel does to ext4 after an error it cannot go on from.
    run("mount", "-o", "remount,abort", bed.disk)
    wait_for("a refusal", lambda: load.refusals or load.ended)
    load.stop()
    assert {code for code, _ in load.refusals} == {14}, load.refusals[:3]
    error = bed.refusal()
    assert error.code() == grpc.StatusCode.UNAVAILABLE and error.details()
    assert bed.json("status")["audit_trouble"]
    bed.daemons["keyd"].kill()
    bed.ext4.repair()
    bed.start_keyd()
    wait_for("it signs again", lambda: signs(bed.client, bed.key))
    assert set(load.signed) <= allowed(bed)


def test_a_read_only_disk_refuses_and_recovers_without_restart(fault_bed):
    bed = fault_bed
    assert bed.signs()
    bed.fault.cue("errno 30")
    wait_for("a refusal", lambda: refused(bed.client, bed.key, ""))
    bed.fault.cue("ok")
    wait_for("it signs again", lambda: signs(bed.client, bed.key))
    assert bed.daemons["keyd"].running()


def test_a_slow_disk_refuses_with_the_reason_and_recovers_without_restart(fault_bed):
    bed = fault_bed
    assert bed.signs()
    bed.fault.cue("delay-ms 8000")
    load = Load(bed, bed.key, in_flight=256).start()
    try:
        wait_for("the write has stalled",
                 lambda: "does not answer" in bed.json("status")["audit_trouble"])
        # New requests hear why at once, instead of waiting in the queue.
        asked = time.monotonic()
        error = bed.refusal()
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
        assert "does not answer" in error.details(), error
        assert time.monotonic() - asked < 5, "it waited for the disk"
    finally:
        bed.fault.cue("ok")
        load.stop()
    wait_for("it signs again", lambda: signs(bed.client, bed.key))
    assert set(load.signed) <= allowed(bed)
    assert bed.daemons["keyd"].running()


def verify_all(bed, signed):
    with channel(bed, member(bed, "operator", "reader")) as to_keyd:
        spki = keys_pb2_grpc.KeysStub(to_keyd).Get(keys_pb2.GetKeyRequest(label="site")).spki
    public = serialization.load_der_public_key(spki)
    for content, signature in signed.values():
        public.verify(signature, content, ec.ECDSA(hashes.SHA256()))


def kill_under_load(bed, kill, rounds, seed):
    """What clients were given, over so many violent ends."""
    chance = random.Random(seed)
    signed = {}
    for _ in range(rounds):
        load = Load(bed, bed.key).start()
        wait_for("the first signatures", lambda: load.signed or load.ended)
        time.sleep(chance.uniform(0, 0.25))
        kill()
        load.join()
        signed.update(load.signed)
        bed.start_keyd()
    return signed


def test_killed_under_load_and_power_lost_every_signature_given_is_in_the_ledger(fault_bed):
    bed = fault_bed
    rounds = KILLS * 6 // 10
    signed = kill_under_load(bed, bed.fault.lose_power, rounds, seed=1)
    assert len(signed) >= rounds
    missing = set(signed) - allowed(bed)
    assert not missing, f"{len(missing)} of {len(signed)} signatures are not in the ledger"
    verify_all(bed, dict(list(signed.items())[:500]))


def test_killed_under_load_every_signature_given_is_in_the_ledger():
    bed = DiskBed(durability="write")
    try:
        bed.begin()
        rounds = KILLS - KILLS * 6 // 10
        signed = kill_under_load(bed, bed.daemons["keyd"].kill, rounds, seed=2)
        missing = set(signed) - allowed(bed)
        assert not missing, f"{len(missing)} of {len(signed)} signatures are not in the ledger"
    finally:
        bed.close()


@pytest.mark.parametrize("fault_bed", ["write"], indirect=True)
def test_the_power_loss_of_these_tests_is_one(fault_bed):
    """With durability: write a power loss costs records, as documented; were
    none missing, the test above would show nothing."""
    bed = fault_bed
    signed = kill_under_load(bed, bed.fault.lose_power, 1, seed=3)
    assert set(signed) - allowed(bed)
