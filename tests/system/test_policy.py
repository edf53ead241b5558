# SPDX-License-Identifier: Apache-2.0
"""Grants, budgets, groups and quarantine, through a real keyd with two pools.

The pool "enhanced" serves the edge group "enhanced" alone; two operators are
needed to grant beyond that.
"""

import base64
import json
import os
import queue
import signal
import subprocess
import time

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from bed import CONTEXT_CSR, CONTEXT_RAW, CONTEXT_TLS13_SERVER, MODULE, TOP, Bed, wait_for
from test_contexts import public_key
from wire import (Signer, audit_pb2, audit_pb2_grpc, channel, keys_pb2, keys_pb2_grpc, member,
                  signer_pb2, status_pb2, status_pb2_grpc,
                  tls12_content, tls13_content)

CONTEXT_TLS13_CLIENT, CONTEXT_ACME_JWS = 5, 6
ACME_HOST = "ca.holdfast.test:14000"


class PolicyBed(Bed):
    """One lane for each pool, so that what waits is known."""

    def __init__(self):
        super().__init__(workers=1)
        subprocess.run([TOP / "tools/softhsm-token", "vault", self.dir / "vault.pin"],
                       check=True, env=self.env, timeout=60)
        path = self.dir / "keyd.yaml"
        path.write_text(path.read_text().replace("identity:\n", f"""\
  - name: enhanced
    module: {MODULE}
    token: vault
    pin_file: {self.dir}/vault.pin
    workers: 1
    env: [SOFTHSM2_CONF]
    edge_groups: [enhanced]
identity:
""", 1) + f"""\
signing:
  acme_hosts: [{ACME_HOST}]
approvals:
  quorum: 2
""")

    def lanes_ready(self):
        lanes = self.lanes()
        return len(lanes) == 2 and all(l["state"] == "ready" for l in lanes)


@pytest.fixture(scope="module")
def bed():
    b = PolicyBed()
    b.init()
    b.start_keyd()
    yield b
    b.close()


@pytest.fixture(scope="module")
def edge(bed):
    return Signer(bed, "edge", "fra-1")


class Stream:
    """One open SignStream; replies by id."""

    def __init__(self, signer):
        self.signer = signer
        self.out, self.replies, self.ids = queue.Queue(), {}, 0
        self.answers = signer.stub.SignStream(iter(self.out.get, None))

    def send(self, key, n=1, **kw):
        batch = []
        for _ in range(n):
            self.ids += 1
            batch.append(self.signer.request(key, tls13_content(), id=self.ids, **kw))
        self.out.put(signer_pb2.SignBatch(requests=batch))
        return [request.id for request in batch]

    def wait(self, ids):
        """The status code names of these, in order."""
        while not all(i in self.replies for i in ids):
            for reply in next(self.answers).responses:
                self.replies[reply.id] = reply
        return [self.code(i) for i in ids]

    def code(self, number):
        code = self.replies[number].code
        return next(c.name for c in grpc.StatusCode if c.value[0] == code)

    def close(self):
        self.out.put(None)
        for batch in self.answers:
            for reply in batch.responses:
                self.replies[reply.id] = reply


def b64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def number(value):
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def jwk_of(key):
    if isinstance(key, rsa.RSAPublicKey):
        public = key.public_numbers()
        return {"kty": "RSA", "n": number(public.n), "e": number(public.e)}
    if isinstance(key, ed25519.Ed25519PublicKey):
        raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}
    public, size = key.public_numbers(), (key.curve.key_size + 7) // 8
    return {"kty": "EC", "crv": f"P-{key.curve.key_size}",
            "x": b64(public.x.to_bytes(size, "big")), "y": b64(public.y.to_bytes(size, "big"))}


def jws(header, payload=b'{"termsOfServiceAgreed": true}'):
    return f"{b64(json.dumps(header).encode())}.{b64(payload)}".encode()


def verify(key, signature, content, padded=None):
    if isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature, content)
    elif isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, content, padded or padding.PKCS1v15(), hashes.SHA256())
    else:
        digest = hashes.SHA384() if key.curve.key_size == 384 else hashes.SHA256()
        key.verify(signature, content, ec.ECDSA(digest))


def entries(bed, *filters):
    """Entries of the ledger, as `audit show` tells them."""
    return bed.cli("--json", "audit", "show", *filters)


# ---- contexts ----

@pytest.mark.feature("X03")
@pytest.mark.parametrize("alg", ["ec-p256", "ec-p384", "ed25519", "rsa-2048"])
def test_a_clients_certificate_verify_is_signed_for_clients_alone(bed, edge, alg):
    key = bed.json("key", "generate", f"client-{alg}", "--alg", alg)
    bed.cli("key", "grant", key["label"], "edge/fra-1", "tls13_client")
    content = tls13_content(48 if alg == "ec-p384" else 32, who=b"client")
    signature = edge.sign(key, content, context=CONTEXT_TLS13_CLIENT)
    verify(public_key(bed, key["label"]), signature, content,
           padding.PSS(padding.MGF1(hashes.SHA256()), 32))
    for false in (tls13_content(), tls12_content(), os.urandom(32)):
        error = edge.error(key, false, context=CONTEXT_TLS13_CLIENT)
        assert error.code().name == "INVALID_ARGUMENT", false
    error = edge.error(key, content, context=CONTEXT_TLS13_SERVER)
    assert error.code().name == "PERMISSION_DENIED"


@pytest.mark.feature("X03")
@pytest.mark.parametrize("alg,name,scheme", [
    ("ec-p256", "ES256", 0x0403), ("ec-p384", "ES384", 0x0503),
    ("rsa-2048", "RS256", 0x0401), ("ed25519", "EdDSA", 0x0807)])
def test_an_acme_request_is_signed_for_the_configured_ca_alone(bed, edge, alg, name, scheme):
    key = bed.json("key", "generate", f"account-{alg}", "--alg", alg)
    bed.cli("key", "grant", key["label"], "edge/fra-1", "acme_jws")
    public = public_key(bed, key["label"])
    url = f"https://{ACME_HOST}/new-acct"
    header = {"alg": name, "jwk": jwk_of(public), "nonce": "oFvnlFP1wIhRlYS2jTaXbA", "url": url}
    asked = dict(context=CONTEXT_ACME_JWS, scheme=scheme)

    for good in (header, {k: v for k, v in header.items() if k != "nonce"},
                 {"alg": name, "kid": f"https://{ACME_HOST}/acct/1", "nonce": "n", "url": url}):
        content = jws(good)
        verify(public, edge.sign(key, content, **asked), content)
    assert edge.sign(key, jws(header, b""), **asked)
    assert url in entries(bed, "--edge", "fra-1", "--key", key["label"])

    other = jwk_of(ec.generate_private_key(ec.SECP256R1()).public_key())
    for change in ({"url": "https://evil.test/new-acct"}, {"url": url.replace("https", "http")},
                   {"url": f"https://{ACME_HOST}@evil.test/"}, {"alg": "none"},
                   {"alg": "HS256"}, {"jwk": other}, {"crit": ["b64"]}, {"b64": False},
                   {"kid": f"https://{ACME_HOST}/acct/1"}):
        error = edge.error(key, jws({**header, **change}), **asked)
        assert error.code().name == "INVALID_ARGUMENT", change
        assert len(error.details()) > 15, "the refusal does not say why"
    twice = json.dumps(header)[:-1] + ', "url": "https://evil.test/"}'
    error = edge.error(key, f"{b64(twice.encode())}.e30".encode(), **asked)
    assert error.code().name == "INVALID_ARGUMENT" and "twice" in error.details()


@pytest.mark.feature("X03")
def test_an_account_key_is_nothing_else_and_raw_takes_no_jws(bed, edge):
    bed.json("key", "generate", "account-only")
    bed.cli("key", "grant", "account-only", "edge/fra-1", "acme_jws")
    for context in ("csr", "tls", "raw"):
        assert bed.run("key", "grant", "account-only", "edge/fra-1", context).returncode != 0
    key = bed.json("key", "generate", "raw-tool")
    bed.cli("key", "grant", "raw-tool", "edge/fra-1", "raw")
    assert edge.sign(key, b"a release note", context=CONTEXT_RAW)
    header = {"alg": "ES256", "kid": "https://evil.test/1", "nonce": "n",
              "url": "https://evil.test/"}
    for content in (jws(header), tls13_content(who=b"client"), tls13_content()):
        assert edge.error(key, content, context=CONTEXT_RAW).code().name == "INVALID_ARGUMENT"


@pytest.mark.feature("X03")
def test_the_names_of_a_csr_are_on_record(bed):
    key = bed.json("key", "generate", "csr-names")
    bed.cli("key", "grant", "csr-names", "operator/admin", "csr")
    pem = bed.cli("key", "csr", "csr-names", "shop.example", "*.shop.example", "192.0.2.7")
    request = x509.load_pem_x509_csr(pem.encode())
    told = entries(bed, "--key", key["id"])
    for name in ("shop.example", "*.shop.example", "192.0.2.7"):
        assert name in told
    # The same octets again, through the wire.
    bed.cli("key", "grant", "csr-names", "operator/second", "csr")
    second = Signer(bed, "operator", "second")
    assert second.sign(key, request.tbs_certrequest_bytes, context=CONTEXT_CSR)


# ---- budgets ----

@pytest.mark.feature("X05")
def test_a_budget_is_enforced_for_each_edge_and_key(bed, edge):
    one, two = (bed.json("key", "generate", label) for label in ("thrift-1", "thrift-2"))
    for key in (one, two):
        bed.cli("key", "grant", key["label"], "edge/*", "tls13_server",
                "--rate", "1/s", "--burst", "5")
    shown = bed.json("key", "show", "thrift-1")["grants"][0]
    assert shown["budget"] == {"rate_per_s": 1, "burst": 5}
    other = Signer(bed, "edge", "fra-2")
    began = time.monotonic()
    stream = Stream(edge)
    codes = stream.wait(stream.send(one, 40))
    refilled = int(time.monotonic() - began) + 1
    assert set(codes) == {"OK", "RESOURCE_EXHAUSTED"}
    assert 5 <= codes.count("OK") <= 5 + refilled
    why = next(r.why for r in stream.replies.values() if r.code != 0)
    assert "budget" in why
    # Another key, and another edge, have theirs untouched.
    assert stream.wait(stream.send(two, 5)) == ["OK"] * 5
    stream.close()
    elsewhere = Stream(other)
    assert elsewhere.wait(elsewhere.send(one, 5)) == ["OK"] * 5
    elsewhere.close()
    told = entries(bed, "--edge", "fra-1", "--key", "thrift-1", "--refused")
    assert told.count("budget") >= 30
    # A larger one counts at once; none at all ends the counting.
    bed.cli("key", "grant", "thrift-1", "edge/*", "tls13_server", "--rate", "none")
    stream = Stream(edge)
    assert stream.wait(stream.send(one, 40)) == ["OK"] * 40
    stream.close()


# ---- quarantine ----

def queued(bed):
    return bed.json("status")["queued"]


@pytest.mark.feature("X05")
def test_quarantine_stops_queued_and_new_requests_of_an_open_stream(bed):
    key = bed.json("key", "generate", "guarded")
    bed.cli("key", "grant", "guarded", "edge/*", "tls13_server")
    stream = Stream(Signer(bed, "edge", "stolen"))
    assert stream.wait(stream.send(key)) == ["OK"]
    lane = [l for l in bed.lanes() if l["pool"] == "standard"][0]["pid"]
    assert lane > 1
    os.kill(lane, signal.SIGSTOP)
    try:
        at_token = stream.send(key)
        time.sleep(1)
        waiting = stream.send(key, 20)
        wait_for("twenty wait", lambda: queued(bed) == 20)
        said = bed.cli("edge", "quarantine", "stolen", "--reason", "laptop lost")
        assert "holdfast edge release stolen" in said
        late = stream.send(key, 5)
    finally:
        os.kill(lane, signal.SIGCONT)
    # The token was at one; nothing that came after it is signed.
    assert stream.wait(at_token) == ["OK"]
    assert stream.wait(waiting + late) == ["PERMISSION_DENIED"] * 25
    assert "quarantined" in stream.replies[late[0]].why
    assert stream.wait(stream.send(key)) == ["PERMISSION_DENIED"]

    row = [r for r in bed.json("edge", "list") if r["identity"].endswith("/stolen")][0]
    assert row["quarantined_s"] > 0 and row["quarantine_reason"] == "laptop lost"
    # What the command says comes next does.
    following = next(l for l in said.splitlines() if "audit show" in l).split("holdfast ")[1]
    assert following == "audit show --edge stolen --since 24h"
    told = bed.cli("--json", *following.split())
    assert told.count("quarantined") >= 26
    assert "PERMISSION_DENIED" in told

    assert bed.run("edge", "invite", "stolen", "-o", bed.dir / "again.join").returncode != 0
    bed.cli("edge", "release", "stolen")
    assert stream.wait(stream.send(key)) == ["OK"]
    stream.close()


@pytest.mark.feature("X05")
def test_a_quarantined_operator_may_nothing_but_ask_for_health(bed):
    folder = member(bed, "operator", "suspect")
    assert bed.run("key", "list", state=folder.name).returncode == 0
    bed.cli("edge", "quarantine", "operator/suspect")
    done = bed.run("key", "list", state=folder.name)
    assert done.returncode == 5 and "quarantined" in done.stderr
    assert bed.run("edge", "release", "operator/suspect", state=folder.name).returncode == 5
    with channel(bed, folder) as open_channel:
        check = open_channel.unary_unary("/grpc.health.v1.Health/Check")
        assert check(b"", timeout=60) == b"\x08\x01"
        with pytest.raises(grpc.RpcError) as refused:
            status_pb2_grpc.StatusStub(open_channel).Get(
                status_pb2.GetStatusRequest(), timeout=60)
        assert refused.value.code().name == "PERMISSION_DENIED"
    assert bed.run("edge", "quarantine", "operator/admin").returncode != 0
    bed.cli("edge", "release", "operator/suspect")
    assert bed.run("key", "list", state=folder.name).returncode == 0


def test_a_quarantined_auditor_who_follows_the_ledger_reads_no_more(bed):
    with channel(bed, member(bed, "auditor", "curious")) as open_channel:
        read = audit_pb2_grpc.AuditStub(open_channel).Entries(
            audit_pb2.EntriesRequest(follow=True, last=1), timeout=60)
        assert next(read).entries
        bed.cli("edge", "quarantine", "auditor/curious")
        bed.json("key", "generate", "unseen")
        with pytest.raises(grpc.RpcError) as ended:
            for batch in read:
                for entry in batch.entries:
                    assert b"unseen" not in entry.entry
        assert ended.value.code().name == "PERMISSION_DENIED"


def test_a_revocation_counts_for_the_next_request_of_an_open_stream(bed, edge):
    key = bed.json("key", "generate", "revoked")
    bed.cli("key", "grant", "revoked", "edge/fra-1", "tls13_server")
    stream = Stream(edge)
    assert stream.wait(stream.send(key)) == ["OK"]
    bed.cli("key", "revoke", "revoked", "edge/fra-1")
    assert stream.wait(stream.send(key)) == ["PERMISSION_DENIED"]
    bed.cli("key", "grant", "revoked", "edge/fra-1", "tls13_server")
    assert stream.wait(stream.send(key)) == ["OK"]
    stream.close()


@pytest.mark.feature("X04")
def test_what_certd_binds_an_edge_may_sign_with_and_what_it_unbinds_not(bed, edge):
    """keyd's half of a binding: a grant that certd puts and takes, alone."""
    with channel(bed, member(bed, "certd", "one")) as to_keyd:
        keys = keys_pb2_grpc.KeysStub(to_keyd)
        made = keys.Generate(keys_pb2.GenerateRequest(
            label="bound", algorithm=keys_pb2.KEY_ALGORITHM_EC_P256))
        key = {"id": made.id.hex(), "algorithm": "ec-p256"}
        tls = [signer_pb2.CONTEXT_TLS13_SERVER, signer_pb2.CONTEXT_TLS12_SERVER_ECDHE]
        here, elsewhere = Stream(edge), Stream(Signer(bed, "edge", "elsewhere"))

        def sign():
            return here.wait(here.send(key)) + elsewhere.wait(elsewhere.send(key))

        assert sign() == ["PERMISSION_DENIED", "PERMISSION_DENIED"]
        keys.Grant(keys_pb2.GrantRequest(key_id=made.id, identity="edge/fra-1", contexts=tls))
        assert sign() == ["OK", "PERMISSION_DENIED"]
        keys.Grant(keys_pb2.GrantRequest(key_id=made.id, identity="edge/elsewhere", contexts=tls))
        keys.Revoke(keys_pb2.RevokeRequest(key_id=made.id, identity="edge/fra-1"))
        assert sign() == ["PERMISSION_DENIED", "OK"]
        # What waits in the queue when it is unbound is refused as well.
        lane = bed.worker()
        os.kill(lane, signal.SIGSTOP)
        try:
            elsewhere.send(key)
            time.sleep(1)
            waiting = elsewhere.send(key, n=8)
            wait_for("they wait", lambda: queued(bed) == 8)
            keys.Revoke(keys_pb2.RevokeRequest(key_id=made.id, identity="edge/elsewhere"))
        finally:
            os.kill(lane, signal.SIGCONT)
        assert elsewhere.wait(waiting) == ["PERMISSION_DENIED"] * 8
        # What certd has put is what it is told of, and nothing of others.
        group = [signer_pb2.CONTEXT_TLS13_SERVER]
        keys.Grant(keys_pb2.GrantRequest(
            key_id=made.id, identity="edge/@standard", contexts=group))
        bed.json("key", "generate", "not-of-certd")
        bed.cli("key", "grant", "not-of-certd", "edge/fra-1", "tls")
        told = keys.ListGrants(keys_pb2.ListGrantsRequest(page_size=1000))
        assert [(g.key_id, g.grant.identity, list(g.grant.contexts)) for g in told.grants] == [
            (made.id, "edge/@standard", group)]
        assert not told.next_page_token
        keys.Revoke(keys_pb2.RevokeRequest(key_id=made.id, identity="edge/@standard"))
        assert not keys.ListGrants(keys_pb2.ListGrantsRequest()).grants
        # Never for itself, and never with keys of others.
        for identity, contexts in (("certd/one", tls), ("edge/fra-1", [CONTEXT_RAW])):
            with pytest.raises(grpc.RpcError) as refused:
                keys.Grant(keys_pb2.GrantRequest(
                    key_id=made.id, identity=identity, contexts=contexts))
            assert refused.value.code().name == "PERMISSION_DENIED"
        here.close()
        elsewhere.close()


# ---- groups ----

def test_a_key_group_is_granted_at_once_and_joined_later(bed, edge):
    first = bed.json("key", "generate", "shop-1", "--group", "shop")
    bed.cli("key", "grant", "--group", "shop", "edge/fra-*", "tls", "--rate", "1000/s")
    assert edge.sign(first, tls13_content())
    later = bed.json("key", "generate", "shop-2", "--group", "shop")
    assert edge.sign(later, tls13_content())
    grants = bed.json("key", "show", "shop-2")["grants"]
    assert grants[0]["key_group"] == "shop" and grants[0]["budget"]["rate_per_s"] == 1000
    assert bed.run("key", "grant", "shop-1", "operator/admin", "raw").returncode != 0
    bed.cli("key", "revoke", "--group", "shop", "edge/fra-*")
    for key in (first, later):
        assert edge.error(key, tls13_content()).code().name == "PERMISSION_DENIED"


@pytest.mark.feature("X04")
def test_a_grant_to_an_edge_group_follows_the_edges_of_it(bed):
    key = bed.json("key", "generate", "of-a-group")
    shown = bed.json("key", "grant", "of-a-group", "edge/@lab", "tls")
    assert [g["identity"] for g in shown["grants"]] == ["edge/@lab"]
    here, elsewhere = (Stream(Signer(bed, "edge", name)) for name in ("in-lab", "not-in-lab"))

    def sign():
        return here.wait(here.send(key)) + elsewhere.wait(elsewhere.send(key))

    assert sign() == ["PERMISSION_DENIED", "PERMISSION_DENIED"]
    bed.cli("edge", "group", "in-lab", "lab")
    assert sign() == ["OK", "PERMISSION_DENIED"]
    # One that joins later signs from its first request on.
    bed.cli("edge", "invite", "lab-later", "--group", "lab", "-o", bed.dir / "lab-later.join")
    bed.cli("join", bed.dir / "lab-later.join", state="edge-lab-later")
    assert Signer(bed, "edge", "lab-later").sign(key, tls13_content())
    # What waits in the queue when the edge is moved out is refused as well.
    lane = [l for l in bed.lanes() if l["pool"] == "standard"][0]["pid"]
    assert lane > 1
    os.kill(lane, signal.SIGSTOP)
    try:
        here.send(key)
        time.sleep(1)
        waiting = here.send(key, n=8)
        wait_for("they wait", lambda: queued(bed) == 8)
        bed.cli("edge", "group", "in-lab", "standard")
    finally:
        os.kill(lane, signal.SIGCONT)
    assert here.wait(waiting) == ["PERMISSION_DENIED"] * 8
    assert sign() == ["PERMISSION_DENIED", "PERMISSION_DENIED"]
    bed.cli("edge", "group", "not-in-lab", "lab")
    assert sign() == ["PERMISSION_DENIED", "OK"]
    bed.cli("key", "revoke", "of-a-group", "edge/@lab")
    assert sign() == ["PERMISSION_DENIED", "PERMISSION_DENIED"]
    here.close()
    elsewhere.close()
    told = entries(bed, "--kind", "custody", "--key", key["id"])
    assert "grant edge/@lab tls13_server tls12_server_ecdhe" in told
    assert "revoke edge/@lab" in told
    done = bed.run("audit", "show", "--identity", "edge/@lab")
    assert done.returncode == 2 and "edge groups" in done.stderr


def test_an_edge_group_that_a_pool_does_not_serve_is_granted_by_approval_alone(bed):
    key = bed.json("key", "generate", "crown-3", "--pool", "enhanced")
    bed.cli("key", "grant", "crown-3", "edge/@enhanced", "tls13_server")
    standard = Signer(bed, "edge", "plainer")
    done = bed.run("key", "grant", "crown-3", "edge/@standard", "tls13_server")
    assert done.returncode != 0 and "--beyond-group" in done.stderr
    member(bed, "operator", "third")
    said = bed.json("key", "grant", "crown-3", "edge/@standard", "tls13_server", "--beyond-group")
    assert "edge/@standard" in said["approval"]["act"]
    assert standard.error(key, tls13_content()).code().name == "PERMISSION_DENIED"
    bed.cli("approval", "approve", said["approval"]["id"], state="operator-third")
    assert standard.sign(key, tls13_content())


def test_enhanced_keys_sign_for_enhanced_edges_and_by_approval(bed):
    key = bed.json("key", "generate", "crown", "--pool", "enhanced")
    standard, enhanced = Signer(bed, "edge", "plain"), Signer(bed, "edge", "safe")
    bed.cli("edge", "group", "safe", "enhanced")
    bed.cli("key", "grant", "crown", "edge/*", "tls13_server")
    assert enhanced.sign(key, tls13_content())
    error = standard.error(key, tls13_content())
    assert error.code().name == "PERMISSION_DENIED" and "edge group" in error.details()

    done = bed.run("key", "grant", "crown", "edge/plain", "tls13_server")
    assert done.returncode != 0 and "--beyond-group" in done.stderr
    member(bed, "operator", "second")
    said = bed.json("key", "grant", "crown", "edge/plain", "tls13_server", "--beyond-group",
                    "--comment", "until the move")
    assert len(said["approval"]["votes"]) == 1
    assert standard.error(key, tls13_content()).code().name == "PERMISSION_DENIED"
    bed.cli("approval", "approve", said["approval"]["id"], state="operator-second")
    assert standard.sign(key, tls13_content())
    grants = {g["identity"]: g for g in bed.json("key", "show", "crown")["grants"]}
    assert grants["edge/plain"]["beyond_group"] and "beyond_group" not in grants["edge/*"]
    bed.cli("key", "revoke", "crown", "edge/plain")
    assert standard.error(key, tls13_content()).code().name == "PERMISSION_DENIED"

    # Moved out of its group, an edge loses what it had by it, at once.
    bed.cli("edge", "group", "safe", "standard")
    assert enhanced.error(key, tls13_content()).code().name == "PERMISSION_DENIED"


def test_an_edge_invited_into_a_group_has_it_from_its_first_request(bed):
    key = bed.json("key", "generate", "crown-2", "--pool", "enhanced")
    bed.cli("key", "grant", "crown-2", "edge/*", "tls13_server")
    join = bed.dir / "edge-born.join"
    bed.cli("edge", "invite", "born", "--group", "enhanced", "-o", join)
    bed.cli("join", join, state="edge-born")
    assert Signer(bed, "edge", "born").sign(key, tls13_content())
