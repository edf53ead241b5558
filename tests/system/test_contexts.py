# SPDX-License-Identifier: Apache-2.0
"""Context-bound signing, seen from outside: keyd signs what it can read."""

import base64
import hashlib
import os
import signal

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from bed import (CONTEXT_CSR, CONTEXT_RAW, CONTEXT_TLS12_SERVER_ECDHE,
                 CONTEXT_TLS13_SERVER, wait_for)
from wire import (Signer, channel, keys_pb2, keys_pb2_grpc, member, signer_pb2,
                  tls12_content, tls13_content)

pytestmark = pytest.mark.feature("X03")


@pytest.fixture(scope="module")
def keys(bed):
    found = {alg: bed.make_key(alg, alg) for alg in
             ("ec-p256", "ec-p384", "rsa-2048", "ed25519")}
    found["raw"] = bed.json("key", "generate", "raw-only")
    bed.cli("key", "grant", "raw-only", "edge/fra-1", "raw")
    return found


@pytest.fixture(scope="module")
def edge(bed):
    return Signer(bed, "edge", "fra-1")


@pytest.fixture(scope="module")
def operator(bed):
    s = Signer(bed, "operator", "second")
    return s


def spki_of(bed, label):
    stub = bed.cli("key", "stub", label)
    body = "".join(l for l in stub.splitlines() if not l.startswith("-"))
    der = base64.b64decode(body)
    # SEQUENCE { UTF8String, OCTET STRING, SPKI }: the SPKI is the tail.
    for at in range(len(der)):
        if der[at] == 0x30 and hashlib.sha256(der[at:]).digest() in der[:at]:
            return der[at:]
    raise AssertionError("no SPKI in the stub")


def public_key(bed, label):
    return serialization.load_der_public_key(spki_of(bed, label))


@pytest.mark.parametrize("hash_len", [32, 48])
def test_a_tls13_certificate_verify_is_signed(bed, keys, edge, hash_len):
    content = tls13_content(hash_len)
    signature = edge.sign(keys["ec-p256"], content)
    public_key(bed, "ec-p256").verify(signature, content, ec.ECDSA(hashes.SHA256()))


def test_a_tls12_key_exchange_is_signed(bed, keys, edge):
    content = tls12_content()
    signature = edge.sign(keys["rsa-2048"], content, context=CONTEXT_TLS12_SERVER_ECDHE,
                          scheme=0x0401)
    public_key(bed, "rsa-2048").verify(signature, content, padding.PKCS1v15(), hashes.SHA256())


def test_pss_p384_and_ed25519_signatures_verify(bed, keys, edge):
    content = tls13_content(48)
    public_key(bed, "ec-p384").verify(
        edge.sign(keys["ec-p384"], content), content, ec.ECDSA(hashes.SHA384()))
    public_key(bed, "ed25519").verify(edge.sign(keys["ed25519"], content), content)
    public_key(bed, "rsa-2048").verify(
        edge.sign(keys["rsa-2048"], content), content,
        padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def test_a_request_for_another_keys_csr_is_refused(bed, keys, operator):
    bed.cli("key", "grant", "ec-p256", "operator/second", "csr")
    bed.cli("key", "grant", "ec-p384", "operator/second", "csr")
    pem = bed.cli("key", "csr", "ec-p256", "a.example")
    from cryptography import x509
    request = x509.load_pem_x509_csr(pem.encode())
    assert request.is_signature_valid
    info = request.tbs_certrequest_bytes
    assert operator.sign(keys["ec-p256"], info, context=CONTEXT_CSR)
    error = operator.error(keys["ec-p384"], info, context=CONTEXT_CSR)
    assert error.code().name == "INVALID_ARGUMENT" and "key" in error.details()


FALSE_CLAIMS = [
    ("a bare digest", os.urandom(32), CONTEXT_TLS13_SERVER),
    ("a bare digest", os.urandom(32), CONTEXT_TLS12_SERVER_ECDHE),
    ("a client's CertificateVerify", tls13_content(who=b"client"), CONTEXT_TLS13_SERVER),
    ("a short transcript hash", tls13_content(20), CONTEXT_TLS13_SERVER),
    ("one octet too many", tls13_content() + b"x", CONTEXT_TLS13_SERVER),
    ("a TLS 1.2 block as TLS 1.3", tls12_content(), CONTEXT_TLS13_SERVER),
    ("a TLS 1.3 block as TLS 1.2", tls13_content(), CONTEXT_TLS12_SERVER_ECDHE),
    ("an unknown curve", tls12_content(curve=99), CONTEXT_TLS12_SERVER_ECDHE),
    ("a short point", tls12_content(point=os.urandom(31)), CONTEXT_TLS12_SERVER_ECDHE),
    ("text", b"transfer all funds to me, signed", CONTEXT_TLS13_SERVER),
]


@pytest.mark.parametrize("name,content,context", FALSE_CLAIMS,
                         ids=[name for name, *_ in FALSE_CLAIMS])
def test_content_that_is_not_what_it_claims_is_refused(keys, edge, name, content, context):
    error = edge.error(keys["ec-p256"], content, context=context)
    assert error.code().name == "INVALID_ARGUMENT", error
    assert len(error.details()) > 15, "the refusal does not say why"


def test_raw_signing_needs_a_grant_of_its_own(keys, edge):
    error = edge.error(keys["ec-p256"], b"anything", context=CONTEXT_RAW)
    assert error.code().name == "PERMISSION_DENIED"
    assert edge.sign(keys["raw"], b"anything", context=CONTEXT_RAW)


def test_a_raw_grant_never_signs_tls(keys, edge):
    for content in (tls13_content(), tls12_content(), tls13_content(who=b"client")):
        error = edge.error(keys["raw"], content, context=CONTEXT_RAW)
        assert error.code().name in ("INVALID_ARGUMENT", "PERMISSION_DENIED")


def test_raw_and_tls_are_never_granted_together(bed, keys):
    done = bed.run("key", "grant", "ec-p256", "edge/fra-1", "raw")
    assert done.returncode != 0 and "TLS" in done.stderr
    done = bed.run("key", "grant", "raw-only", "edge/fra-1", "tls")
    assert done.returncode != 0


def test_contexts_that_are_not_granted_are_denied(bed, keys, edge):
    content = tls13_content()
    bed.json("key", "generate", "none-granted")
    key = bed.json("key", "show", "none-granted")
    assert edge.error(key, content).code().name == "PERMISSION_DENIED"
    bed.cli("key", "grant", "none-granted", "edge/fra-1", "tls13_server")
    assert edge.sign(key, content)
    error = edge.error(key, tls12_content(), context=CONTEXT_TLS12_SERVER_ECDHE)
    assert error.code().name == "PERMISSION_DENIED"
    bed.cli("key", "revoke", "none-granted", "edge/fra-1")
    assert edge.error(key, content).code().name == "PERMISSION_DENIED"


def test_an_unknown_key_cannot_be_told_from_a_denied_one(keys, edge):
    unknown = {"id": "00" * 32, "algorithm": "ec-p256"}
    error = edge.error(unknown, tls13_content())
    assert error.code().name == "PERMISSION_DENIED"


def test_a_scheme_that_does_not_fit_the_key_is_refused(keys, edge):
    assert edge.error(keys["ec-p256"], tls13_content(), scheme=0x0804).code().name == \
        "INVALID_ARGUMENT"
    # RFC 8446 4.2.3: no PKCS#1 v1.5 in TLS 1.3.
    assert edge.error(keys["rsa-2048"], tls13_content(), scheme=0x0401).code().name == \
        "INVALID_ARGUMENT"


def test_edges_may_only_sign(bed, edge):
    for method, request in (("Generate", keys_pb2.GenerateRequest(algorithm=1, label="x")),
                            ("List", keys_pb2.ListKeysRequest()),
                            ("Grant", keys_pb2.GrantRequest())):
        stub = keys_pb2_grpc.KeysStub(edge.channel)
        with pytest.raises(Exception) as refused:
            getattr(stub, method)(request, timeout=60)
        assert refused.value.code().name == "PERMISSION_DENIED"


def test_batches_on_a_stream_answer_every_request_by_its_id(bed, keys, edge):
    def batches():
        n = 0
        for _ in range(10):
            batch = signer_pb2.SignBatch()
            for _ in range(16):
                n += 1
                request = edge.request(keys["ec-p256"], tls13_content())
                request.id = n
                if n % 10 == 0:
                    request.content = b"not TLS"
                batch.requests.append(request)
            yield batch
    answers = {}
    for reply in edge.stub.SignStream(batches(), timeout=60):
        for r in reply.responses:
            assert r.id not in answers
            answers[r.id] = r
    assert sorted(answers) == list(range(1, 161))
    for i, r in answers.items():
        if i % 10 == 0:
            assert r.code == 3 and r.why and not r.signature
        else:
            assert r.code == 0 and r.signature and not r.why


def test_a_request_whose_time_has_run_out_is_not_signed(bed, keys, edge):
    """Held back by a stopped worker, it is answered and not signed late."""
    lanes = [bed.worker(lane) for lane in range(bed.workers)]
    for pid in lanes:
        os.kill(pid, signal.SIGSTOP)
    try:
        error = edge.error(keys["ec-p256"], tls13_content(), timeout_ms=300)
        assert error.code().name == "DEADLINE_EXCEEDED", error
    finally:
        for pid in lanes:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
    wait_for("lanes ready", bed.lanes_ready)
    assert edge.sign(keys["ec-p256"], tls13_content())


def test_every_answer_stands_in_the_journal(bed, keys, edge):
    before = bed.json("status")["audit_entries"]
    for _ in range(5):
        edge.sign(keys["ec-p256"], tls13_content())
        edge.error(keys["ec-p256"], b"x" * 32)
    assert bed.json("status")["audit_entries"] >= before + 10
