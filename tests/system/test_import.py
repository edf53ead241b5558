# SPDX-License-Identifier: Apache-2.0
"""Keys that exist already go into the token, and nobody on the way sees them."""

import fcntl
import json
import os
import pathlib
import pty
import re
import signal
import sqlite3
import subprocess
import threading
import time

import grpc
import pytest
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from bed import HOLDFAST, MODULE, Bed, wait_for
from test_processes import scan
from wire import Signer, channel, keys_pb2, keys_pb2_grpc, member, tls13_content

PASS = "correct horse"
NONE = serialization.NoEncryption()
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
PKCS8 = serialization.PrivateFormat.PKCS8
TRADITIONAL = serialization.PrivateFormat.TraditionalOpenSSL


def new_ec():
    return ec.generate_private_key(ec.SECP256R1())


def new_rsa(bits=2048):
    return rsa.generate_private_key(65537, bits)


def spki(key):
    return key.public_key().public_bytes(
        DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def pkcs8(key):
    return key.private_bytes(DER, PKCS8, NONE)


def openssl(*argv, data=None, passphrase=PASS):
    return subprocess.run(
        ["openssl", *map(str, argv)], input=data, capture_output=True, check=True,
        timeout=60, env=dict(os.environ, P=passphrase)).stdout


def token_objects(bed, token="custody"):
    """What the token itself lists, by OpenSC."""
    pin = (bed.dir / f"{token}.pin").read_text().strip()
    return subprocess.run(
        ["pkcs11-tool", "--module", MODULE, "--token-label", token, "--login", "--pin", pin,
         "-O"], env=bed.env, capture_output=True, text=True, check=True, timeout=60).stdout


def labels(listing):
    return sorted(re.findall(r"label:\s+(\S+)", listing))


def write(bed, name, octets):
    path = bed.dir / name
    path.write_bytes(octets)
    return path


def with_passphrase(bed, label, path, passphrase=PASS):
    """holdfast key import with the passphrase on a descriptor."""
    reader, writer = os.pipe()
    os.write(writer, passphrase.encode() + b"\n")
    os.close(writer)
    try:
        return subprocess.run(
            [HOLDFAST, "--state", bed.dir / "admin", "key", "import", label, path,
             "--passphrase-fd", str(reader)],
            env=bed.env, capture_output=True, text=True, timeout=60, pass_fds=[reader],
            stdin=subprocess.DEVNULL, start_new_session=True)
    finally:
        os.close(reader)


def assert_signs(bed, label, key):
    """A CSR of it verifies, and is for this very key."""
    bed.cli("key", "grant", label, "operator/admin", "csr")
    csr = write(bed, f"{label}.csr", bed.cli("key", "csr", label, "www.example.com").encode())
    openssl("req", "-in", csr, "-verify", "-noout")
    public = openssl("req", "-in", csr, "-pubkey", "-noout")
    assert serialization.load_pem_public_key(public).public_bytes(
        DER, serialization.PublicFormat.SubjectPublicKeyInfo) == spki(key)


# ---- every kind of file ----

def make_files(folder):
    """name: (key, file, passphrase) of each kind that people have."""
    files = {}

    def add(name, key, octets, passphrase=None):
        path = folder / name
        path.write_bytes(octets)
        files[name] = (key, path, passphrase)

    for name, key in (("p256", new_ec()), ("p384", ec.generate_private_key(ec.SECP384R1())),
                      ("rsa2048", new_rsa()), ("rsa3072", new_rsa(3072)),
                      ("rsa4096", new_rsa(4096))):
        add(f"pkcs8-{name}", key, key.private_bytes(PEM, PKCS8, NONE))
    key = new_rsa()
    add("pkcs1", key, key.private_bytes(PEM, TRADITIONAL, NONE))
    key = new_ec()
    add("sec1", key, key.private_bytes(PEM, TRADITIONAL, NONE))
    key = new_ec()
    add("der", key, pkcs8(key))
    sealed = serialization.BestAvailableEncryption(PASS.encode())
    key = new_ec()
    add("encrypted", key, key.private_bytes(PEM, PKCS8, sealed), PASS)
    key = new_rsa()
    add("dek-info", key, key.private_bytes(PEM, TRADITIONAL, sealed), PASS)
    key = new_rsa()
    plain = folder / "plain.pem"
    plain.write_bytes(key.private_bytes(PEM, PKCS8, NONE))
    cert = folder / "cert.pem"
    cert.write_bytes(openssl("req", "-x509", "-key", plain, "-subj", "/CN=www", "-days", "2"))
    add("pfx", key, pkcs12.serialize_key_and_certificates(b"www", key, None, None, sealed), PASS)
    add("pfx-legacy", *both(openssl, new_ec(), folder, "-legacy"), PASS)
    add("pfx-open", *both(openssl, new_ec(), folder, "-keypbe", "NONE", passphrase=""))
    return files


def both(run, key, folder, *options, passphrase=PASS):
    plain = folder / "both.pem"
    plain.write_bytes(key.private_bytes(PEM, PKCS8, NONE))
    return key, run("pkcs12", "-export", "-inkey", plain, "-nocerts", "-passout", "env:P",
                    *options, passphrase=passphrase)


@pytest.mark.feature("V07")
def test_every_kind_of_file_is_imported_and_signs(bed, tmp_path):
    for name, (key, path, passphrase) in make_files(tmp_path).items():
        if passphrase is None:
            done = bed.run("key", "import", name, path)
        else:
            done = with_passphrase(bed, name, path)
        assert done.returncode == 0, f"{name}: {done.stderr}"
        assert f"shred -u -- '{path}'" in done.stderr
        assert_signs(bed, name, key)
        shown = bed.json("key", "show", name)
        assert shown["attributes"]["sensitive"] and not shown["attributes"]["extractable"]


def test_a_key_comes_from_stdin_too(bed):
    key = new_ec()
    done = subprocess.run(
        [HOLDFAST, "--state", bed.dir / "admin", "key", "import", "stdin", "-"], env=bed.env,
        input=key.private_bytes(PEM, PKCS8, NONE), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert_signs(bed, "stdin", key)


def test_a_wrong_password_is_told_apart_from_a_damaged_file(bed, tmp_path):
    files = make_files(tmp_path)
    for name in ("encrypted", "dek-info", "pfx", "pfx-legacy"):
        _, path, _ = files[name]
        done = with_passphrase(bed, "bad", path, "wrong")
        assert done.returncode == 1 and "is wrong" in done.stderr, name
        whole = path.read_bytes()
        path.write_bytes(whole[:len(whole) // 2])
        done = with_passphrase(bed, "bad", path)
        assert done.returncode == 1 and "damaged" in done.stderr, name
    assert bed.run("key", "show", "bad").returncode == 4


def test_a_pfx_with_two_keys_is_refused(bed, tmp_path):
    two = tmp_path / "two.pem"
    two.write_bytes(new_ec().private_bytes(PEM, PKCS8, NONE)
                    + new_ec().private_bytes(PEM, PKCS8, NONE))
    done = bed.run("key", "import", "two", two)
    assert done.returncode == 1 and "2 private keys" in done.stderr


def test_a_passphrase_is_asked_for_without_echo(bed, tmp_path):
    key = new_ec()
    path = tmp_path / "sealed.pem"
    path.write_bytes(key.private_bytes(
        PEM, PKCS8, serialization.BestAvailableEncryption(PASS.encode())))
    # Without a terminal it says what to give instead.
    done = subprocess.run(
        [HOLDFAST, "--state", bed.dir / "admin", "key", "import", "typed", path], env=bed.env,
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
        start_new_session=True)
    assert done.returncode == 1 and "--passphrase-fd" in done.stderr
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(HOLDFAST, [str(HOLDFAST), "--state", str(bed.dir / "admin"), "key", "import",
                             "typed", str(path)], bed.env)
    seen = b""
    while b"Passphrase" not in seen:
        seen += os.read(terminal, 1024)
    os.write(terminal, PASS.encode() + b"\n")
    try:
        while chunk := os.read(terminal, 1024):
            seen += chunk
    except OSError:
        pass
    assert os.waitpid(pid, 0)[1] == 0, seen.decode()
    assert PASS.encode() not in seen
    assert_signs(bed, "typed", key)


def test_ed25519_is_refused_with_the_command_that_makes_one(bed):
    key = ed25519.Ed25519PrivateKey.generate()
    path = write(bed, "ed.pem", key.private_bytes(PEM, PKCS8, NONE))
    done = bed.run("key", "import", "ed", path)
    assert done.returncode == 1
    assert "holdfast key generate ed --alg ed25519" in done.stderr
    with Wire(bed) as wire:
        error = wire.refusal("ed", key, wire.wrap(key))
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "holdfast key generate ed --alg ed25519" in error.details()
    bed.cli("key", "generate", "ed", "--alg", "ed25519")


# ---- what the token says ----

@pytest.mark.feature("X01")
def test_the_token_says_that_keys_are_sensitive_and_gives_none_out(bed):
    bed.cli("key", "import", "sensitive-in", write(bed, "s.pem", new_ec().private_bytes(
        PEM, PKCS8, NONE)))
    bed.cli("key", "generate", "sensitive-born")
    listing = token_objects(bed)
    blocks = {re.search(r"label:\s+(\S+)", b).group(1): b
              for b in re.split(r"\n(?=\S)", listing) if b.startswith("Private Key Object")}
    came, born = blocks["sensitive-in"], blocks["sensitive-born"]
    assert "sensitive" in came and "sensitive" in born
    assert "never extractable" in born and "local" in born
    # It was outside once, and the token does not pretend otherwise.
    assert "never extractable" not in came and "local" not in came
    shown = bed.json("key", "show", "sensitive-in")["attributes"]
    assert shown == {"sensitive": True, "extractable": False, "always_sensitive": False,
                     "never_extractable": False, "local": False}
    pin = (bed.dir / "custody.pin").read_text().strip()
    for label in ("sensitive-in", "sensitive-born"):
        out = bed.dir / "stolen"
        done = subprocess.run(
            ["pkcs11-tool", "--module", MODULE, "--token-label", "custody", "--login", "--pin",
             pin, "--read-object", "--type", "privkey", "--label", label, "-o", out],
            env=bed.env, capture_output=True, text=True, timeout=60)
        assert done.returncode != 0 or not out.exists() or out.stat().st_size == 0
    for label, block in blocks.items():
        if label.startswith("import-"):
            assert "unwrap" in block and "decrypt" not in block and "sign" not in block


# ---- nobody on the way sees it ----

def secrets_of(key):
    """The private numbers as memory may hold them: octets, and words."""
    n = key.private_numbers()
    numbers = [n.p, n.q, n.d] if hasattr(n, "p") else [n.private_value]
    needles = []
    for number in numbers:
        octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
        needles += [octets[:32], octets[::-1][:32], octets[-32:], octets[::-1][-32:]]
    return needles


def without_the_module(pid):
    """keyd's front process and those of its own that load no module."""
    found, todo = [], [pid]
    while todo:
        pid = todo.pop()
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
            todo += map(int, task.read_text().split())
        if "softhsm" not in pathlib.Path(f"/proc/{pid}/maps").read_text():
            found.append(pid)
    return found


@pytest.mark.feature("X01")
@pytest.mark.feature("V07")
@pytest.mark.skipif(os.geteuid() != 0, reason="reads another process's memory")
def test_the_front_process_never_sees_the_key(bed):
    front = bed.daemons["keyd"].pid
    seen, stop = [], threading.Event()
    keys = [new_rsa(), new_ec(), new_rsa(), new_ec()]
    needles = [(i, s) for i, key in enumerate(keys) for s in secrets_of(key)]
    scans = 0

    def watch():
        nonlocal scans
        while not stop.is_set():
            for pid in without_the_module(front):
                seen.extend(i for i, s in needles if scan(pid, s))
            scans += 1

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for i, key in enumerate(keys):
            path = write(bed, f"secret-{i}.pem", key.private_bytes(PEM, PKCS8, NONE))
            bed.cli("key", "import", f"secret-{i}", path, "--notes", f"planted-marker-{i}")
            path.unlink()
            assert_signs(bed, f"secret-{i}", key)
    finally:
        stop.set()
        watcher.join()
    assert seen == [] and scans >= 1
    for i, key in enumerate(keys):
        # The scan finds what is there: the key's public half.
        assert scan(front, spki(key)[-64:])
        for pid in without_the_module(front):
            assert not any(scan(pid, s) for s in secrets_of(key))
    # Nor did it write it anywhere: journal, ledger, registry, log.
    files = [p for p in (bed.dir / "keyd").rglob("*") if p.is_file()] + [bed.dir / "keyd.log"]
    octets = b"".join(p.read_bytes() for p in files)
    assert b"planted-marker-0" in octets
    assert not any(s in octets for _, s in needles)


@pytest.mark.skipif(os.geteuid() != 0, reason="reads another process's memory")
def test_the_sender_has_forgotten_the_key_when_it_is_sent(bed):
    front = bed.daemons["keyd"].pid
    for i, key in enumerate((new_rsa(), new_ec())):
        path = write(bed, f"sent-{i}.pem", key.private_bytes(
            PEM, PKCS8, serialization.BestAvailableEncryption(PASS.encode())))
        reader, writer = os.pipe()
        sender = subprocess.Popen(
            [HOLDFAST, "--state", bed.dir / "admin", "key", "import", f"sent-{i}", path,
             "--passphrase-fd", str(reader)],
            env=bed.env, pass_fds=[reader], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        os.close(reader)
        try:
            # It has the parameters and waits for the passphrase; keyd then waits for us.
            wait_for("it waits", lambda: "pipe_read" in pathlib.Path(
                f"/proc/{sender.pid}/stack").read_text())
            os.kill(front, signal.SIGSTOP)
            os.write(writer, PASS.encode())
            os.close(writer)
            wait_for("only the public half is left", lambda: scan(sender.pid, spki(key)[-64:])
                     and not any(scan(sender.pid, s) for s in secrets_of(key))
                     and not scan(sender.pid, PASS.encode()))
        finally:
            os.kill(front, signal.SIGCONT)
        said, _ = sender.communicate(timeout=60)
        assert sender.returncode == 0, said


# ---- what does not hold leaves nothing ----

class Wire:
    """Keys as an operator, wrapping by another program than ours."""

    def __init__(self, bed, pool="", role=None):
        self.pool = pool
        folder = bed.dir / "admin" if role is None else member(bed, role, f"{role}-1")
        self.channel = channel(bed, folder)
        self.keys = keys_pb2_grpc.KeysStub(self.channel)

    def __enter__(self):
        self.fetch()
        return self

    def __exit__(self, *_):
        self.channel.close()

    def fetch(self):
        self.parameters = self.keys.ImportParameters(
            keys_pb2.ImportParametersRequest(pool=self.pool), timeout=60)

    def wrap(self, key, to=None, octets=None):
        to = to or serialization.load_der_public_key(self.parameters.wrapping_key)
        assert self.parameters.wrapping == keys_pb2.IMPORT_WRAPPING_RSA_OAEP_SHA1_AES_256_KWP
        aes = os.urandom(32)
        return (to.encrypt(aes, padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None))
                + keywrap.aes_key_wrap_with_padding(aes, octets or pkcs8(key)))

    def send(self, label, key, blob, **kw):
        asked = dict(label=label, pool=self.pool, spki=spki(key), blob=blob,
                     wrapping_key_id=self.parameters.wrapping_key_id)
        return self.keys.Import(keys_pb2.ImportRequest(**{**asked, **kw}), timeout=60)

    def refusal(self, label, key, blob, **kw):
        try:
            self.send(label, key, blob, **kw)
        except grpc.RpcError as error:
            return error
        raise AssertionError("it was imported")


def test_a_blob_by_another_program_is_taken(bed):
    key = new_rsa()
    with Wire(bed) as wire:
        made = wire.send("foreign", key, wire.wrap(key), group="web", owner="me", notes="n")
    assert made.origin == keys_pb2.KEY_ORIGIN_IMPORTED_WRAPPED
    assert (made.group, made.owner, made.notes) == ("web", "me", "n")
    assert_signs(bed, "foreign", key)


def test_a_key_that_certd_sends_is_told_apart(bed):
    exposed, passed_on = new_ec(), new_ec()
    with Wire(bed, role="certd") as wire:
        made = wire.send("had-by-certd", exposed, wire.wrap(exposed), exposed=True,
                         on_behalf_of="account acme, user anna@example.com")
        assert made.origin == keys_pb2.KEY_ORIGIN_IMPORTED_CERTD
        made = wire.send("by-way-of-certd", passed_on, wire.wrap(passed_on))
        assert made.origin == keys_pb2.KEY_ORIGIN_IMPORTED_WRAPPED
        assert made.created_by.endswith("/certd/certd-1")
    assert bed.json("key", "show", "had-by-certd")["origin"] == "imported-certd"
    assert bed.json("key", "show", "by-way-of-certd")["origin"] == "imported-wrapped"
    assert "import ec-p256 exposed label=had-by-certd" in bed.cli(
        "--json", "audit", "show", "--kind", "custody")
    told = [json.loads(line) for line in bed.cli(
        "--json", "audit", "show", "--key", "had-by-certd").splitlines()]
    assert [(e["stage"], e["on_behalf_of"]) for e in told] == [
        (stage, "account acme, user anna@example.com") for stage in ("asked", "done")]
    assert "done  on behalf of: account acme, user anna@example.com" in bed.cli(
        "audit", "show", "--key", "had-by-certd")
    with Wire(bed) as wire:
        error = wire.refusal("own", new_ec(), wire.wrap(exposed), exposed=True)
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and "certd" in error.details()


def bad_blobs(wire, key):
    """(what, arguments) of blobs that must not become keys."""
    good = wire.wrap(key)
    flip = bytearray(good)
    flip[10] ^= 1
    yield "a flipped bit in the AES key's wrapping", dict(blob=bytes(flip))
    flip = bytearray(good)
    flip[-10] ^= 1
    yield "a flipped bit in the key's wrapping", dict(blob=bytes(flip))
    for cut in (1, 8, 300, len(good) - 1):
        yield f"{cut} octets cut off", dict(blob=good[:-cut])
    yield "octets after it", dict(blob=good + bytes(8))
    yield "nothing", dict(blob=b"")
    yield "too much", dict(blob=good + bytes(4096))
    yield "noise", dict(blob=os.urandom(len(good)))
    yield "another wrapping key", dict(blob=wire.wrap(key, to=new_rsa(3072).public_key()))
    yield "another key's spki", dict(blob=good, spki=spki(new_ec()))
    yield "another algorithm's spki", dict(blob=good, spki=spki(new_rsa()))
    yield "an spki that is none", dict(blob=good, spki=b"\x30\x03\x02\x01\x00")
    yield "no key inside", dict(blob=wire.wrap(key, octets=os.urandom(138)))
    yield "half a key inside", dict(blob=wire.wrap(key, octets=pkcs8(key)[:-20]))
    yield "a wrapping key id that is none", dict(blob=good, wrapping_key_id=os.urandom(32))
    yield "no wrapping key id", dict(blob=good, wrapping_key_id=b"")
    yield "a label of keyd's own", dict(blob=good, label="kek")
    yield "a label that is none", dict(blob=good, label="a b")
    yield "an unknown pool", dict(blob=good, pool="nowhere")


def test_a_blob_that_does_not_hold_leaves_no_object(bed):
    key = new_ec()
    with Wire(bed) as wire:
        before = token_objects(bed)
        for what, asked in bad_blobs(wire, key):
            error = wire.refusal(asked.pop("label", "bad"), key, **asked)
            assert error.code() in (grpc.StatusCode.INVALID_ARGUMENT,
                                    grpc.StatusCode.FAILED_PRECONDITION), f"{what}: {error}"
            assert token_objects(bed) == before, what
        assert bed.run("key", "show", "bad").returncode == 4
        # And what holds is taken, after all that.
        wire.send("good", key, wire.wrap(key))
    assert "good" in labels(token_objects(bed))


def test_an_import_that_fails_takes_no_wrapping_key_along(bed):
    """Clearing up after it would destroy what carries the id that it named."""
    with Wire(bed, role="certd") as wire:
        before = token_objects(bed)
        locks = [open(path, "rb") for path in (bed.dir / "keyd/locks").iterdir()]
        try:
            # No worker can take anything in meanwhile, so its time runs out.
            for lock in locks:
                fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(grpc.RpcError) as error:
                wire.keys.Import(keys_pb2.ImportRequest(
                    label="mine", spki=wire.parameters.wrapping_key, blob=bytes(500),
                    wrapping_key_id=wire.parameters.wrapping_key_id), timeout=10)
        finally:
            for lock in locks:
                lock.close()
        assert error.value.code() == grpc.StatusCode.ALREADY_EXISTS, error.value
        assert token_objects(bed) == before


def test_a_key_comes_once(bed):
    key = new_ec()
    with Wire(bed) as wire:
        wire.send("once", key, wire.wrap(key))
        before = token_objects(bed)
        error = wire.refusal("twice", key, wire.wrap(key))
        assert error.code() == grpc.StatusCode.ALREADY_EXISTS and "once" in error.details()
        error = wire.refusal("once", new_ec(), wire.wrap(key))
        assert error.code() == grpc.StatusCode.ALREADY_EXISTS
    assert token_objects(bed) == before


def test_only_operators_and_certd_may_import(bed):
    for role in ("edge", "auditor"):
        wire = Wire(bed, role=role)
        with pytest.raises(grpc.RpcError) as error:
            wire.fetch()
        assert error.value.code() == grpc.StatusCode.PERMISSION_DENIED
        wire.channel.close()


@pytest.fixture
def own():
    """A bed of its own, not started; extra(keyd.yaml) before start."""
    beds = []

    def make(extra="", pool=""):
        b = Bed()
        beds.append(b)
        config = b.dir / "keyd.yaml"
        text = config.read_text().replace("    workers:", pool + "    workers:")
        config.write_text(text + extra)
        b.init()
        b.start_keyd()
        return b

    yield make
    for b in beds:
        b.close()


def test_a_wrapping_key_is_rotated_and_then_destroyed(own):
    bed = own(extra="import:\n  rotate: 3s\n  grace: 15s\n")
    key, late = new_ec(), new_ec()
    with Wire(bed) as wire:
        first = wire.parameters
        blob = wire.wrap(key)
        stale = bytes(first.wrapping_key_id)
        assert 0 < first.expires_s - time.time() <= 18

        def newer():
            wire.fetch()
            return wire.parameters.wrapping_key_id != stale
        wait_for("a newer wrapping key", newer)
        # In its grace the former one is taken.
        made = wire.send("graced", key, blob, wrapping_key_id=stale)
        assert made.label == "graced"

        def over():
            # Until then it is the blob of another key that is refused.
            error = wire.refusal("late", late, blob, wrapping_key_id=stale)
            return (error.code() == grpc.StatusCode.FAILED_PRECONDITION
                    and "wrap the key anew" in error.details())
        wait_for("its end", over, 60)
        assert time.time() >= first.expires_s

        def destroyed():
            return stale.hex() not in re.findall(r"ID:\s+(\w+)", token_objects(bed))
        wait_for("the former one is destroyed", destroyed, 60)
    assert "late" not in labels(token_objects(bed))


def test_a_wrapping_key_may_be_pinned(bed):
    path = write(bed, "pin.pem", new_ec().private_bytes(PEM, PKCS8, NONE))
    done = bed.run("key", "import", "pinned", path, "--wrapping-key", "00" * 32)
    assert done.returncode == 1 and "not the one you trust" in done.stderr
    with Wire(bed) as wire:
        good = wire.parameters.wrapping_key_id.hex()
    bed.cli("key", "import", "pinned", path, "--wrapping-key", good)


# ---- wrapped pools ----

def test_keys_of_a_wrapped_pool_live_outside_the_token_and_sign(own):
    bed = own(pool="    keys: wrapped\n")
    came = new_rsa()
    bed.cli("key", "import", "came", write(bed, "c.pem", came.private_bytes(PEM, PKCS8, NONE)))
    born = bed.json("key", "generate", "born")
    assert_signs(bed, "came", came)
    for label in ("came", "born"):
        assert bed.json("key", "show", label)["wrapped"] is True
    listing = token_objects(bed)
    kinds = {re.sub(r"-\d+$", "", name) for name in labels(listing)}
    assert kinds == {"kek", "import", "ledger"}, listing
    bed.cli("key", "grant", "born", "operator/admin", "tls13_server")
    before = Signer(bed, "operator", "second")
    bed.cli("key", "grant", "born", "operator/second", "tls13_server")
    assert before.sign(born, tls13_content())
    bed.daemons["keyd"].stop()
    bed.start_keyd()
    assert Signer(bed, "operator", "second").sign(born, tls13_content())
    assert_signs(bed, "came", came)
    bed.kill_workers()
    wait_for("the lanes are back", bed.lanes_ready)
    assert_signs(bed, "came", came)


def test_a_blob_of_another_key_is_refused(own):
    bed = own(pool="    keys: wrapped\n")
    a, b = bed.json("key", "generate", "a"), bed.json("key", "generate", "b")
    signer = Signer(bed, "operator", "second")
    for label in ("a", "b"):
        bed.cli("key", "grant", label, "operator/second", "tls13_server")
    assert signer.sign(a, tls13_content()) and signer.sign(b, tls13_content())
    bed.daemons["keyd"].stop()
    with sqlite3.connect(bed.dir / "keyd/registry.db") as db:
        (of_a,), (of_b,) = (db.execute("SELECT octets FROM blob WHERE key = ?",
                                       (bytes.fromhex(k["id"]),)).fetchone() for k in (a, b))
        for key, octets in ((a, of_b), (b, of_a[:-1] + bytes([of_a[-1] ^ 1]))):
            db.execute("UPDATE blob SET octets = ? WHERE key = ?",
                       (octets, bytes.fromhex(key["id"])))
    db.close()
    bed.start_keyd()
    signer = Signer(bed, "operator", "second")
    swapped = signer.error(a, tls13_content())
    damaged = signer.error(b, tls13_content())
    assert swapped.code() == damaged.code() == grpc.StatusCode.DATA_LOSS
    assert "registry" in swapped.details() and "registry" in damaged.details()


@pytest.mark.feature("V07")
def test_ed25519_cannot_come_into_a_wrapped_pool_either(own):
    bed = own(pool="    keys: wrapped\n")
    key = ed25519.Ed25519PrivateKey.generate()
    done = bed.run("key", "import", "ed",
                   write(bed, "ed.pem", key.private_bytes(PEM, PKCS8, NONE)))
    assert done.returncode == 1 and "make a new one" in done.stderr


# ---- many at once ----

def test_many_keys_are_made_at_once_and_a_run_goes_on(bed):
    done = bed.json("key", "generate", "stock", "--count", 40, timeout=120)
    assert (done["made"], done["there"]) == (40, 0)
    done = bed.json("key", "generate", "stock", "--count", 42, timeout=120)
    assert (done["made"], done["there"]) == (2, 40)
    assert bed.json("key", "show", "stock-42")["label"] == "stock-42"
