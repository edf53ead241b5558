# SPDX-License-Identifier: Apache-2.0
"""The audit ledger from outside: what keyd signs is in a tree that a stranger can check.

Nothing of ours verifies here: RFC 6962 hashing, signed notes (C2SP) and Ed25519 are
done with hashlib and python3-cryptography, over HTTP.
"""

import base64
import hashlib
import http.client
import shutil
import struct
import subprocess
import time
import urllib.request

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey, Ed25519PublicKey)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bed import Bed, DOMAIN, free_port, wait_for
from wire import (Signer, audit_pb2, audit_pb2_grpc, channel, member, status_pb2,
                  status_pb2_grpc, tls13_content)

pytestmark = pytest.mark.feature("X06")
ORIGIN = f"{DOMAIN}/keyd/keyd"


# ---- what the specifications say, written again ----

def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def leaf(entry):
    return sha(b"\0", entry)


def root_of(hashes):
    if len(hashes) == 0:
        return sha(b"")
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return sha(b"\1", root_of(hashes[:k]), root_of(hashes[k:]))


def fold(leaf_hash, index, size, proof):
    """RFC 9162 2.1.3.2: the root that an inclusion proof gives."""
    fn, sn, r = index, size - 1, leaf_hash
    for p in proof:
        assert sn > 0
        if fn & 1 or fn == sn:
            r = sha(b"\1", p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = sha(b"\1", r, p)
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0
    return r


class Key:
    """A verifier key, NAME+HASH+BASE64."""

    def __init__(self, vkey):
        self.name, self.hash, octets = vkey.split("+", 2)
        octets = base64.b64decode(octets)
        assert len(octets) == 33
        self.type, self.public = octets[0], octets[1:]
        assert sha(self.name.encode(), b"\n", octets)[:4].hex() == self.hash

    def signed(self, note):
        """Does one of the note's lines hold under this key?"""
        text, lines = note.split(b"\n\n", 1)
        for line in lines.decode().splitlines():
            dash, name, signature = line.split(" ")
            assert dash == "—"
            signature = base64.b64decode(signature)
            if name != self.name or signature[:4].hex() != self.hash:
                continue
            message, signature = text + b"\n", signature[4:]
            if self.type == 4:
                (when,) = struct.unpack(">Q", signature[:8])
                message = b"cosignature/v1\ntime %d\n" % when + message
                signature = signature[8:]
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
            return True
        return False


class Witness:
    def __init__(self, name):
        self.key, self.name = Ed25519PrivateKey.generate(), name
        octets = b"\4" + self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = sha(name.encode(), b"\n", octets)[:4]
        self.vkey = f"{name}+{self.id.hex()}+{base64.b64encode(octets).decode()}"

    def cosign(self, note, when=None):
        text = note.split(b"\n\n", 1)[0] + b"\n"
        when = int(time.time()) if when is None else when
        signature = self.key.sign(b"cosignature/v1\ntime %d\n" % when + text)
        line = base64.b64encode(self.id + struct.pack(">Q", when) + signature)
        return note + b"\xe2\x80\x94 " + self.name.encode() + b" " + line + b"\n"


def checkpoint_of(note):
    origin, size, root = note.split(b"\n\n", 1)[0].decode().split("\n")[:3]
    assert origin == ORIGIN
    return int(size), base64.b64decode(root)


def index_path(index):
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    return "/".join(groups)


class Http:
    """The ledger as any tlog-tiles client sees it."""

    def __init__(self, port):
        self.port = port

    def request(self, path, method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response, body

    def get(self, path):
        response, body = self.request(path)
        assert response.status == 200, (path, response.status)
        return body

    def tile(self, level, index, width):
        suffix = f".p/{width}" if width < 256 else ""
        return self.get(f"/tile/{level}/{index_path(index)}{suffix}")

    def entries(self, size):
        found = []
        for index in range((size + 255) // 256):
            width = min(256, size - index * 256)
            bundle, n = self.tile("entries", index, width), 0
            while bundle:
                (length,) = struct.unpack(">H", bundle[:2])
                assert len(bundle) >= 2 + length
                found.append(bundle[2:2 + length])
                bundle, n = bundle[2 + length:], n + 1
            assert n == width
        return found

    def check_tiles(self, hashes):
        """Every tile of every level is what the entries give."""
        level = 0
        while hashes:
            for index in range((len(hashes) + 255) // 256):
                part = hashes[index * 256:(index + 1) * 256]
                assert self.tile(level, index, len(part)) == b"".join(part)
            hashes = [root_of(hashes[i:i + 256]) for i in range(0, len(hashes) - 255, 256)]
            level += 1

    def check(self, key):
        """All of the tree under the newest checkpoint; its entries."""
        note = self.get("/checkpoint")
        size, root = checkpoint_of(note)
        assert key.signed(note)
        octets = self.entries(size)
        hashes = [leaf(e) for e in octets]
        assert root_of(hashes) == root
        self.check_tiles(hashes)
        entries = []
        for e in octets:
            entry = audit_pb2.AuditEntry()
            entry.ParseFromString(e)
            entries.append(entry)
        return entries


# ---- the bed ----

class Ledger(Bed):
    """A bed whose ledger is served and has a witness."""

    def __init__(self, **kw):
        self.witness, self.ledger_port = Witness("witness.test/w1"), free_port()
        super().__init__(**kw)
        path = self.dir / "keyd.yaml"
        path.write_text(path.read_text().replace("\naudit:\n", f"""
audit:
  listen: 127.0.0.1:{self.ledger_port}
  url: http://127.0.0.1:{self.ledger_port}/
  checkpoint_interval: 200ms
  witnesses: ["{self.witness.vkey}"]
"""))
        self.http = Http(self.ledger_port)

    def audit(self, role="auditor", name="eve"):
        return audit_pb2_grpc.AuditStub(channel(self, member(self, role, name)))

    def ledger_key(self):
        return Key(self.audit().Describe(audit_pb2.DescribeAuditRequest(), timeout=60)
                   .keys[-1].verifier_key)


@pytest.fixture(scope="module")
def bed():
    b = Ledger()
    b.init()
    b.start_keyd()
    yield b
    b.close()


def ask(stub, timeout=60, **kw):
    """All entries of an Entries call."""
    found = []
    for batch in stub.Entries(audit_pb2.EntriesRequest(**kw), timeout=timeout):
        for numbered in batch.entries:
            entry = audit_pb2.AuditEntry()
            entry.ParseFromString(numbered.entry)
            found.append((numbered.number, entry))
    return found


def code_of(call, *args, **kw):
    try:
        call(*args, timeout=60, **kw)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


# ---- tests ----

def test_what_is_signed_is_in_a_tree_that_strangers_verify(bed):
    key = bed.make_key("www")
    signer = Signer(bed, "edge", "fra-1")
    contents = [tls13_content() for _ in range(600)]
    for content in contents:
        signer.sign(key, content)
    entries = bed.http.check(bed.ledger_key())
    hashed = {e.content_hash for e in entries if e.kind == e.KIND_SIGN and e.code == 0}
    assert all(sha(c) in hashed for c in contents)
    assert len(entries) > 600
    first = entries[0]
    assert first.act == "begin the ledger" and first.stage == first.STAGE_DONE
    assert Key(first.ledger_key).public == bed.ledger_key().public
    assert first.peer == f"spiffe://{DOMAIN}/keyd/keyd" and first.keyd == "keyd"


def test_describe_tells_how_the_ledger_stands(bed):
    told = bed.audit().Describe(audit_pb2.DescribeAuditRequest(), timeout=60)
    assert told.origin == ORIGIN
    assert told.trouble == ""
    assert told.url == f"http://127.0.0.1:{bed.ledger_port}/"
    assert checkpoint_of(told.checkpoint)[0] == told.size
    assert Key(told.keys[-1].verifier_key).signed(told.checkpoint)
    status = status_pb2_grpc.StatusStub(channel(bed, member(bed, "auditor", "eve"))).Get(
        status_pb2.GetStatusRequest(), timeout=60)
    assert told.size <= status.ledger_size <= status.audit_entries
    assert status.ledger_trouble == ""
    with urllib.request.urlopen(f"http://127.0.0.1:{bed.metrics_port}/metrics") as page:
        metrics = dict(line.rsplit(" ", 1) for line in page.read().decode().splitlines()
                       if not line.startswith("#"))
    assert float(metrics["keyd_ledger_size"]) >= told.size
    assert abs(float(metrics["keyd_ledger_checkpoint_time_seconds"]) - time.time()) < 600
    assert float(metrics["keyd_ledger_failures_total"]) == 0
    assert "keyd_ledger_lag_entries" in metrics


def test_http_serves_the_ledger_and_nothing_else(bed):
    response, _ = bed.http.request("/checkpoint")
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/plain")
    assert "no-cache" in response.headers["Cache-Control"]
    response, body = bed.http.request("/tile/0/000")
    assert response.status == 200 and len(body) == 8192
    assert "immutable" in response.headers["Cache-Control"]
    response, body = bed.http.request("/tile/0/000", "HEAD")
    assert response.status == 200 and body == b""
    for path in ("/", "/state", "/tile", "/tile/0", "/tile/0/", "/tile/00/000", "/tile/0/0",
                 "/tile/0/x000/000", "/tile/0/999", "/tile/64/000", "/../checkpoint",
                 "//checkpoint", "/tile/../checkpoint", "/tile/0/000/..", "/%2e%2e/state",
                 "/tile/0/000.p/0", "/tile/0/000.p/256", "/handover/0", "/handover/x",
                 "/handover/../checkpoint", "/checkpoint/", "/file.new"):
        assert bed.http.request(path)[0].status == 404, path
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert bed.http.request("/checkpoint", method)[0].status == 405, method


def test_entries_lets_through_what_the_filter_asks_for(bed):
    key, other = bed.make_key("shop", edge="fra-2"), bed.make_key("mail", edge="fra-3")
    stub = bed.audit()
    before_ns = time.time_ns()
    fra2, fra3 = Signer(bed, "edge", "fra-2"), Signer(bed, "edge", "fra-3")
    for _ in range(3):
        fra2.sign(key, tls13_content())
        fra3.sign(other, tls13_content())
    fra3.error(key, tls13_content())
    everything = ask(stub)
    assert [n for n, _ in everything] == list(range(len(everything)))
    mine = ask(stub, identity="edge/fra-2")
    assert [e.peer for _, e in mine if e.kind == e.KIND_SIGN] == \
        [f"spiffe://{DOMAIN}/edge/fra-2"] * 3
    key_id = bytes.fromhex(key["id"])
    of_key = ask(stub, key_id=key_id, kind=audit_pb2.AuditEntry.KIND_SIGN)
    assert len(of_key) == 4 and {e.key_id for _, e in of_key} == {key_id}
    refused = ask(stub, key_id=key_id, decision=audit_pb2.EntriesRequest.DECISION_REFUSED,
                  kind=audit_pb2.AuditEntry.KIND_SIGN)
    assert [e.peer for _, e in refused] == [f"spiffe://{DOMAIN}/edge/fra-3"]
    assert refused[0][1].reason
    since = ask(stub, since_ns=before_ns, kind=audit_pb2.AuditEntry.KIND_SIGN)
    assert len(since) == 7
    assert ask(stub, until_ns=before_ns, identity="edge/fra-2",
               kind=audit_pb2.AuditEntry.KIND_SIGN) == []
    last = ask(stub, last=2, kind=audit_pb2.AuditEntry.KIND_SIGN)
    assert [n for n, _ in last] == [n for n, _ in since][-2:]
    assert [n for n, _ in ask(stub, from_entry=5, limit=3)] == [5, 6, 7]
    with pytest.raises(grpc.RpcError) as error:
        ask(stub, last=2, limit=2)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(grpc.RpcError) as error:
        ask(stub, key_id=b"short")
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_entries_follows_what_is_signed_later(bed):
    key = bed.make_key("live", edge="fra-4")
    signer = Signer(bed, "edge", "fra-4")
    stub = bed.audit()
    call = stub.Entries(audit_pb2.EntriesRequest(
        key_id=bytes.fromhex(key["id"]), kind=audit_pb2.AuditEntry.KIND_SIGN, follow=True),
        timeout=60)
    contents = [tls13_content() for _ in range(3)]
    for content in contents:
        signer.sign(key, content)
    found = []
    for batch in call:
        for numbered in batch.entries:
            entry = audit_pb2.AuditEntry()
            entry.ParseFromString(numbered.entry)
            found.append(entry.content_hash)
        if len(found) == 3:
            break
    call.cancel()
    assert found == [sha(c) for c in contents]


def test_scans_beyond_their_number_are_refused_and_rooms_come_back(bed):
    stub = bed.audit()
    calls = []
    refused = None
    for _ in range(40):
        call = stub.Entries(audit_pb2.EntriesRequest(follow=True, last=1), timeout=60)
        try:
            next(iter(call))
            calls.append(call)
        except grpc.RpcError as error:
            refused = error
            break
    assert refused is not None and refused.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert 1 < len(calls) <= 16
    for call in calls:
        call.cancel()
    wait_for("a scan has room again", lambda: ask(stub, last=1))


def test_edges_may_not_read_the_ledger(bed):
    stub = audit_pb2_grpc.AuditStub(channel(bed, member(bed, "edge", "fra-1")))
    assert code_of(stub.Describe, audit_pb2.DescribeAuditRequest()) == \
        grpc.StatusCode.PERMISSION_DENIED
    with pytest.raises(grpc.RpcError) as error:
        ask(stub)
    assert error.value.code() == grpc.StatusCode.PERMISSION_DENIED


def test_prove_gives_a_proof_that_strangers_verify(bed):
    stub = bed.audit()
    size = stub.Describe(audit_pb2.DescribeAuditRequest(), timeout=60).size
    key = bed.ledger_key()
    for number in (0, 1, 255, 256, size - 1):
        answer = stub.Prove(audit_pb2.ProveRequest(number=number), timeout=60)
        head, note = answer.proof.split(b"\n\n", 1)
        lines = head.decode().split("\n")
        assert lines[0].startswith("c2sp.org/tlog-proof@v1")
        index = [line.split(" ")[1] for line in lines if line.startswith("index ")]
        assert index == [str(number)]
        at = lines.index(f"index {number}")
        hashes = [base64.b64decode(line) for line in lines[at + 1:]]
        proven, root = checkpoint_of(note)
        assert key.signed(note)
        assert fold(leaf(answer.entry), number, proven, hashes) == root
    assert code_of(stub.Prove, audit_pb2.ProveRequest(number=1 << 40)) == \
        grpc.StatusCode.NOT_FOUND


def test_a_configured_witness_cosigns_and_no_other(bed):
    stub = bed.audit()
    witness = Key(bed.witness.vkey)
    note = stub.Describe(audit_pb2.DescribeAuditRequest(), timeout=60).checkpoint
    stub.Cosign(audit_pb2.CosignRequest(checkpoint=bed.witness.cosign(note)), timeout=60)
    cosigned = bed.http.get("/cosigned")
    assert witness.signed(cosigned) and bed.ledger_key().signed(cosigned)
    assert cosigned.split(b"\n\n")[0] == note.split(b"\n\n")[0]
    stranger = Witness("stranger.test/w2")
    assert code_of(stub.Cosign, audit_pb2.CosignRequest(checkpoint=stranger.cosign(note))) == \
        grpc.StatusCode.PERMISSION_DENIED
    forged = bed.witness.cosign(note.replace(b"keyd/keyd\n", b"keyd/keyd\n1", 1))
    assert code_of(stub.Cosign, audit_pb2.CosignRequest(checkpoint=forged)) == \
        grpc.StatusCode.INVALID_ARGUMENT
    assert b"stranger" not in bed.http.get("/cosigned")


def test_a_rotated_key_goes_on_and_both_sign_the_handover(bed):
    stub = bed.audit("operator", "admin2")
    old = bed.ledger_key()
    assert code_of(bed.audit().RotateKey, audit_pb2.RotateLedgerKeyRequest()) == \
        grpc.StatusCode.PERMISSION_DENIED
    told = stub.RotateKey(audit_pb2.RotateLedgerKeyRequest(), timeout=60)
    assert len(told.keys) == 2
    new = Key(told.keys[1].verifier_key)
    assert new.public != old.public
    handover = bed.http.get("/handover/1")
    assert old.signed(handover) and new.signed(handover)
    size, _ = checkpoint_of(handover)
    assert told.keys[1].from_entry == size
    Signer(bed, "edge", "fra-1").error({"id": "00" * 32, "algorithm": "ec-p256"},
                                       tls13_content())
    assert bed.ledger_key().public == new.public
    entries = bed.http.check(new)
    note = bed.http.get("/checkpoint")
    assert checkpoint_of(note)[0] > size and not old.signed(note)
    named = [(n, e) for n, e in enumerate(entries) if e.ledger_key]
    assert [Key(e.ledger_key).public for _, e in named] == [old.public, new.public]
    assert named[1][0] < size
    assert named[1][1].peer == f"spiffe://{DOMAIN}/operator/admin2"


def test_a_killed_keyd_keeps_every_signature_it_gave(bed):
    key = bed.make_key("hard", edge="fra-5")
    signer = Signer(bed, "edge", "fra-5")
    given = []
    for _ in range(3):
        for _ in range(100):
            content = tls13_content()
            signer.sign(key, content)
            given.append(content)
        bed.daemons["keyd"].kill()
        bed.start_keyd()
        signer = Signer(bed, "edge", "fra-5")
    ledger_key = bed.ledger_key()
    hashed = {e.content_hash for e in bed.http.check(ledger_key)}
    assert all(sha(c) in hashed for c in given)


def test_a_clean_stop_leaves_a_ledger_that_goes_on(bed):
    before = checkpoint_of(bed.http.get("/checkpoint"))[0]
    assert bed.daemons["keyd"].stop() == 0
    assert (bed.dir / "keyd/audit/ledger/state").exists()
    bed.start_keyd()
    after = bed.http.check(bed.ledger_key())
    assert len(after) >= before


def test_a_new_ledger_begins_where_the_old_one_was_set_aside():
    bed = Ledger()
    try:
        bed.init()
        keyd = bed.start_keyd()
        bed.make_key("www", edge=None)
        old = bed.ledger_key()
        again = [bed.keyd_program, "init", "-c", bed.dir / "keyd.yaml"]
        assert keyd.stop() == 0
        refused = subprocess.run([*again, "--new-ledger"], env=bed.env, capture_output=True,
                                 text=True, timeout=60)
        assert refused.returncode != 0 and "set it aside" in refused.stderr
        (bed.dir / "keyd/audit").rename(bed.dir / "aside")
        keyd.start()
        assert keyd.process.wait(60) == 78
        refused = subprocess.run(again, env=bed.env, capture_output=True, text=True, timeout=60)
        assert refused.returncode != 0 and "--new-ledger" in refused.stderr
        done = subprocess.run([*again, "--new-ledger"], env=bed.env, capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        bed.start_keyd()
        new = bed.ledger_key()
        assert new.public != old.public and new.name == old.name
        entries = bed.http.check(new)
        assert entries[0].act == "begin a new ledger"
        assert Key(entries[0].ledger_key).public == new.public
        told = bed.audit("operator", "admin2").RotateKey(
            audit_pb2.RotateLedgerKeyRequest(), timeout=60)
        assert len(told.keys) == 2
        bed.http.check(Key(told.keys[1].verifier_key))
        # The old one is still what it was.
        checkpoint = (bed.dir / "aside/ledger/checkpoint").read_bytes()
        assert old.signed(checkpoint)
    finally:
        bed.close()


def test_a_journal_put_back_from_before_is_refused(bed):
    keyd = bed.daemons["keyd"]
    assert keyd.stop() == 0
    journal = bed.dir / "keyd/audit/journal"
    older = bed.dir / "older-journal"
    shutil.copytree(journal, older)
    bed.start_keyd()
    bed.make_key("later", edge=None)
    assert keyd.stop() == 0
    newer = bed.dir / "newer-journal"
    journal.rename(newer)
    older.rename(journal)
    keyd.start()
    assert keyd.process.wait(60) != 0
    assert "the journal ends before the ledger's checkpoint" in keyd.text()
    shutil.rmtree(journal)
    newer.rename(journal)
    bed.start_keyd()
    bed.http.check(bed.ledger_key())
