# SPDX-License-Identifier: Apache-2.0
"""What keyd stands on goes away under load and comes back; keyd stays.

A client keeps requests in flight all the while and verifies every signature.
The module fails on cue (tests/fake/p11_fault.c); processes are killed and
frozen; the token's folder is taken away, put back, put back as another.
"""

import os
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.request

import grpc
import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bed import BUILD, CONTEXT_TLS13_SERVER, MODULE, Bed, wait_for
from wire import SCHEMES, Signer, channel, member, signer_pb2, tls13_content

FAULT = BUILD / "hsm/p11_fault.so"
SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"
NAMES = {1: "CANCELLED", 4: "DEADLINE_EXCEEDED", 8: "RESOURCE_EXHAUSTED", 14: "UNAVAILABLE"}

pytestmark = pytest.mark.skipif(not FAULT.exists(), reason="p11_fault is not built")


class Pressure:
    """Streams with requests always in flight, until the block ends; then each
    signature is verified, and each refusal must have said why."""

    STREAMS, IN_FLIGHT = 2, 16

    def __init__(self, bed):
        self.bed, self.public = bed, bed.public
        self.signed, self.refused = [], []  # (content, signature), (code, why)
        self.stopping = threading.Event()
        self.failures = []
        self.ended = 0  # streams that were answered to the last request

    def __enter__(self):
        self.threads = [threading.Thread(target=self._run, daemon=True)
                        for _ in range(self.STREAMS)]
        for thread in self.threads:
            thread.start()
        self.more(200)
        return self

    def _batch(self, asked, n):
        requests = []
        for _ in range(n):
            content, number = tls13_content(), len(asked)
            asked.append(content)
            requests.append(signer_pb2.SignRequest(
                id=number, key_id=bytes.fromhex(self.bed.key["id"]), content=content,
                context=CONTEXT_TLS13_SERVER, scheme=SCHEMES["ec-p256"]))
        return signer_pb2.SignBatch(requests=requests)

    def _run(self):
        asked, wanted = [], threading.Semaphore(self.IN_FLIGHT)
        answered = 0

        def batches():
            while not self.stopping.is_set():
                n = 0
                while n < self.IN_FLIGHT and wanted.acquire(blocking=n == 0, timeout=None):
                    n += 1
                if not self.stopping.is_set():
                    yield self._batch(asked, n)
            # Half-closed once all are answered.
            wait_for("all are answered", lambda: answered == len(asked))

        signer = Signer(self.bed, "edge", "fra-1")
        try:
            for reply in signer.stub.SignStream(batches()):
                for one in reply.responses:
                    answered += 1
                    if one.code == 0:
                        self.signed.append((asked[one.id], one.signature))
                    else:
                        self.refused.append((one.code, one.why))
                if any(one.code != 0 for one in reply.responses):
                    time.sleep(0.05)
                wanted.release(len(reply.responses))
            assert answered == len(asked), (answered, len(asked))
            self.ended += 1
        except (grpc.RpcError, AssertionError) as error:
            self.failures.append(error)
        finally:
            signer.channel.close()

    def more(self, n=100, seconds=90):
        """So many more signatures come."""
        goal = len(self.signed) + n
        wait_for(f"{n} more signatures",
                 lambda: self.failures or len(self.signed) >= goal, seconds)
        assert not self.failures, self.failures

    def __exit__(self, kind, error, trace):
        self.stopping.set()
        for thread in self.threads:
            thread.join(90)
        if kind is not None:
            return
        assert not any(thread.is_alive() for thread in self.threads)
        assert not self.failures, self.failures
        assert self.ended == self.STREAMS
        for content, signature in self.signed:
            try:
                self.public.verify(signature, content, ec.ECDSA(hashes.SHA256()))
            except InvalidSignature:
                raise AssertionError("a signature that is none") from None
        for code, why in self.refused:
            assert code in NAMES and why, (code, why)


def health(bed):
    with channel(bed, bed.dir / "admin") as ch:
        return ch.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=60)


def metric(bed, name):
    """The sum over all lanes."""
    with urllib.request.urlopen(f"http://127.0.0.1:{bed.metrics_port}/metrics", timeout=60) as page:
        found = re.findall(rf"^{name}(?:{{[^}}]*}})? ([0-9.e+]+)$", page.read().decode(), re.M)
    assert found, f"no metric {name}"
    return sum(float(v) for v in found)


def cue(bed, script):
    """The module does so from now on, in all workers."""
    beside = bed.dir / "fault/script.new"
    beside.write_text(script)
    beside.rename(bed.dir / "fault/script")


@pytest.fixture(scope="module")
def bed():
    b = Bed(workers=2)
    (b.dir / "fault").mkdir()
    (b.dir / "fault/script").write_text("# nothing\n")
    b.env["P11_FAULT_MODULE"] = MODULE
    b.env["P11_FAULT_SCRIPT"] = str(b.dir / "fault/script")
    b.write_keyd_config(module=FAULT, pool_env=(
        "SOFTHSM2_CONF", "P11_FAULT_MODULE", "P11_FAULT_SCRIPT"))
    path = b.dir / "keyd.yaml"
    path.write_text(path.read_text().replace(
        "    env: [SOFTHSM2_CONF, P11", f"    paths: [{b.dir}/fault]\n    env: [SOFTHSM2_CONF, P11"))
    b.init()
    b.start_keyd()
    b.key = b.make_key("k", edge="fra-1")
    member(b, "edge", "fra-1")
    b.cli("key", "csr", "k", "k.test", "-o", b.dir / "k.csr")
    b.public = x509.load_pem_x509_csr((b.dir / "k.csr").read_bytes()).public_key()
    yield b
    b.close()


@pytest.fixture(autouse=True)
def keyd_stays(bed):
    """Each test begins and ends with the same keyd, all its lanes ready."""
    daemon = bed.daemons["keyd"]
    before = daemon.pid
    wait_for("all lanes", bed.lanes_ready)
    yield
    cue(bed, "# nothing\n")
    wait_for("all lanes", bed.lanes_ready)
    wait_for("serving", lambda: health(bed) == SERVING)
    assert daemon.running() and daemon.pid == before
    assert metric(bed, "holdfast_hsm_lane_ready") == 2


@pytest.mark.feature("X09")
def test_the_token_taken_away_and_brought_back(bed):
    tokens, away = bed.dir / "tokens", bed.dir / "tokens.away"
    with Pressure(bed) as pressure:
        tokens.rename(away)
        # Copies of keys go on signing; whoever starts afresh finds nothing.
        pressure.more()
        bed.kill_workers()
        wait_for("not serving", lambda: health(bed) == NOT_SERVING)
        assert metric(bed, "holdfast_hsm_lane_ready") == 0
        wait_for("refusals", lambda: pressure.refused)
        for lane in bed.lanes():
            assert lane["state"] in ("probing", "starting") and lane["why"], lane
        away.rename(tokens)
        wait_for("serving", lambda: health(bed) == SERVING)
        pressure.more()
    assert {NAMES[code] for code, _ in pressure.refused} <= {"UNAVAILABLE", "DEADLINE_EXCEEDED"}
    assert any("token" in why for _, why in pressure.refused), set(pressure.refused)


@pytest.mark.feature("X09")
def test_another_folder_put_in_the_tokens_place(bed):
    """As a restored backup is: the same files, new to the kernel."""
    tokens, away = bed.dir / "tokens", bed.dir / "tokens.away"
    with Pressure(bed) as pressure:
        shutil.copytree(tokens, bed.dir / "tokens.copy")
        tokens.rename(away)
        (bed.dir / "tokens.copy").rename(tokens)
        # Every lane loses its token once and starts afresh.
        cue(bed, "C_SignInit nth=1 rv=0xE1\nC_SignInit nth=2 rv=0xE1\nC_GetTokenInfo nth=1 rv=0xE1\n")
        wait_for("fresh workers", lambda: sum(l["restarts"] for l in bed.lanes()) >= 2)
        cue(bed, "# nothing\n")
        pressure.more()
    shutil.rmtree(away)


@pytest.mark.feature("X09")
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT],
                         ids=lambda n: n.name)
def test_a_crashed_worker_costs_no_request(bed, number):
    before = metric(bed, "holdfast_hsm_worker_restarts_total")
    with Pressure(bed) as pressure:
        for lane in (0, 1):
            restarts = bed.lanes()[lane]["restarts"]
            os.kill(bed.worker(lane), number)
            wait_for("a new one", lambda: bed.lanes()[lane]["restarts"] > restarts
                     and bed.lanes_ready())
        pressure.more()
    assert not pressure.refused, set(pressure.refused)
    assert metric(bed, "holdfast_hsm_worker_restarts_total") >= before + 2
    if number == signal.SIGSEGV:
        assert 'msg="a signal ended a worker"' in bed.daemons["keyd"].text()


@pytest.mark.feature("X09")
def test_a_module_that_crashes_in_a_signature_takes_one_worker_along(bed):
    restarts, retries = (metric(bed, f"holdfast_hsm_{n}_total")
                         for n in ("worker_restarts", "retries"))
    with Pressure(bed) as pressure:
        cue(bed, "C_Sign after=10 once crash\n")
        wait_for("a restart",
                 lambda: metric(bed, "holdfast_hsm_worker_restarts_total") == restarts + 1)
        pressure.more()
    assert not pressure.refused, set(pressure.refused)
    assert metric(bed, "holdfast_hsm_retries_total") > retries
    assert metric(bed, "holdfast_hsm_worker_restarts_total") == restarts + 1


LOSSES = {
    "session closed": "C_SignInit after=10 once rv=0xB0",
    "session gone": "C_Sign after=10 once rv=0xB3",
    "logged out": "C_SignInit after=10 once rv=0x101",
    "token removed": "C_SignInit after=10 once rv=0xE1",
    "token not present": "C_Sign after=10 once rv=0xE0",
    "device error": "C_Sign after=10 once rv=0x30",
    "all handles gone": "C_SignInit after=10 once rv=0x82",
    "all sessions closed": "C_SignInit after=10 once finalize",
}


@pytest.mark.feature("X09")
@pytest.mark.parametrize("loss", LOSSES)
def test_a_lost_session_login_or_handle_comes_back_by_itself(bed, loss):
    restarts, retries = (metric(bed, f"holdfast_hsm_{n}_total")
                         for n in ("worker_restarts", "retries"))
    with Pressure(bed) as pressure:
        cue(bed, LOSSES[loss] + "\n")
        wait_for("the loss", lambda: list((bed.dir / "fault").glob("script.once.*")))
        pressure.more(500)
    for mark in (bed.dir / "fault").glob("script.once.*"):
        mark.unlink()
    assert not pressure.refused, set(pressure.refused)
    assert metric(bed, "holdfast_hsm_worker_restarts_total") == restarts
    assert metric(bed, "holdfast_hsm_retries_total") >= retries


@pytest.mark.feature("X09")
def test_a_module_that_hangs_is_ended_and_the_others_sign_on(bed):
    restarts = metric(bed, "holdfast_hsm_worker_restarts_total")
    with Pressure(bed) as pressure:
        cue(bed, "C_Sign after=10 once sleep_ms=120000\n")
        wait_for("the hang", lambda: list((bed.dir / "fault").glob("script.once.*")))
        pressure.more(500)
        assert health(bed) == SERVING
        wait_for("it is ended", lambda: metric(
            bed, "holdfast_hsm_worker_restarts_total") == restarts + 1)
        pressure.more()
    for mark in (bed.dir / "fault").glob("script.once.*"):
        mark.unlink()
    # Those that the hung one held ran out of time, and were told so.
    assert {NAMES[code] for code, _ in pressure.refused} <= {"DEADLINE_EXCEEDED"}
    assert len(pressure.refused) <= 64


@pytest.mark.feature("X09")
def test_frozen_workers_are_replaced(bed):
    with Pressure(bed) as pressure:
        frozen = [bed.worker(lane) for lane in (0, 1)]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        wait_for("both are replaced", lambda: bed.lanes_ready() and not {
            lane["pid"] for lane in bed.lanes()} & set(frozen), 60)
        pressure.more()
    assert {NAMES[code] for code, _ in pressure.refused} <= {
        "DEADLINE_EXCEEDED", "UNAVAILABLE", "RESOURCE_EXHAUSTED"}


@pytest.mark.feature("X09")
def test_a_worker_frozen_for_a_moment_goes_on(bed):
    with Pressure(bed) as pressure:
        pid = bed.worker(0)
        os.kill(pid, signal.SIGSTOP)
        pressure.more()
        os.kill(pid, signal.SIGCONT)
        pressure.more()
        assert bed.worker(0) == pid
    assert not pressure.refused, set(pressure.refused)


@pytest.mark.feature("X09")
def test_a_new_pin_is_used_by_the_workers_that_come(bed):
    path = bed.dir / "custody.pin"
    old, new = path.read_text().strip(), "0123456789ab"
    with Pressure(bed) as pressure:
        for now, then in ((old, new), (new, old)):
            subprocess.run(
                ["pkcs11-tool", "--module", MODULE, "--token-label", "custody", "--login",
                 "--pin", now, "--change-pin", "--new-pin", then],
                env=bed.env, check=True, capture_output=True, timeout=60)
            beside = bed.dir / "custody.pin.new"
            beside.write_text(then + "\n")
            beside.chmod(0o600)
            beside.rename(path)
            bed.kill_workers([0])
            wait_for("all lanes", bed.lanes_ready)
            pressure.more()
    assert not pressure.refused, set(pressure.refused)


@pytest.mark.feature("X09")
def test_a_pin_file_away_for_a_while_is_waited_for(bed):
    path = bed.dir / "custody.pin"
    away = bed.dir / "custody.pin.away"
    with Pressure(bed) as pressure:
        path.rename(away)
        bed.kill_workers([0])
        lane = wait_for("said", lambda: next(
            l for l in bed.lanes() if l["lane"] == 0 and "PIN" in l["why"]))
        assert lane["state"] == "probing"
        pressure.more()
        assert health(bed) == SERVING
        # Not the same file, as an editor leaves it.
        path.write_text(away.read_text())
        path.chmod(0o600)
        wait_for("all lanes", bed.lanes_ready)
        pressure.more()
    away.unlink()
    assert not pressure.refused, set(pressure.refused)
