# SPDX-License-Identifier: Apache-2.0
"""Certificates come to certd, their keys to the token, and both go again."""

import base64
import datetime
import os
import sqlite3
import subprocess
import threading
import time

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from bed import wait_for
from certd_bed import ENGINEER, CertdBed

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
PKCS8 = serialization.PrivateFormat.PKCS8
NONE = serialization.NoEncryption()
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def name_of(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Ca:
    """A root, an issuer below it, and what that issues."""

    def __init__(self):
        self.root_key, self.key = new_key(), new_key()
        self.root = self.sign("Root", self.root_key.public_key(), "Root", self.root_key, ca=True)
        self.cert = self.sign("Issuer", self.key.public_key(), "Root", self.root_key, ca=True)

    def sign(self, subject, public, issuer, key, names=(), ca=False):
        now = datetime.datetime.utcnow()
        builder = (x509.CertificateBuilder().subject_name(name_of(subject))
                   .issuer_name(name_of(issuer)).public_key(public)
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(days=1))
                   .not_valid_after(now + datetime.timedelta(days=60))
                   .add_extension(x509.BasicConstraints(ca, None), critical=True))
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
        return builder.sign(key, hashes.SHA256())

    def leaf(self, public, *names):
        return self.sign(names[0], public, "Issuer", self.key, names)


def pem(*certs):
    return "".join(c.public_bytes(PEM).decode() for c in certs)


def key_pem(key):
    return key.private_bytes(PEM, PKCS8, NONE).decode()


def spki(key):
    return key.public_key().public_bytes(DER, SPKI)


@pytest.fixture(scope="module")
def ca():
    return Ca()


@pytest.fixture(scope="module")
def bed():
    b = CertdBed(certd_lines="allow_exposed_upload: false\n")
    b.init()
    b.start_keyd()
    b.start_certd()
    b.make_account("acme")
    b.make_account("other")
    yield b
    b.close()


def wrapped(bed, key):
    """The key as its owner's machine wraps it for the token."""
    parameters = bed.call("Certificates", "ImportParameters")
    aes = os.urandom(32)
    to = serialization.load_der_public_key(parameters.wrapping_key)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
    blob = to.encrypt(aes, oaep) + keywrap.aes_key_wrap_with_padding(
        aes, key.private_bytes(DER, PKCS8, NONE))
    return dict(wrapping_key_id=parameters.wrapping_key_id, blob=blob, spki=spki(key))


def upload(bed, ca, *names, key=None, **fields):
    key = key or new_key()
    leaf = ca.leaf(key.public_key(), *names)
    return leaf, bed.call(
        "Certificates", "Upload", account="acme", wrapped_key=wrapped(bed, key),
        parts=dict(certificate=pem(leaf), intermediate=pem(ca.cert)), **fields)


@pytest.mark.feature("C03", "V07")
def test_a_wrapped_key_is_unwrapped_in_the_token_and_its_certificate_listed(bed, ca):
    leaf, reply = upload(bed, ca, "shop.example.com", name="Shop")
    cert = reply.certificate
    assert (cert.name, cert.account, cert.bound) == ("Shop", "acme", 0)
    assert cert.fingerprint == leaf.fingerprint(hashes.SHA256()).hex()
    assert not cert.key.exposed
    key = bed.json("key", "show", cert.key.id)
    assert key["origin"] == "imported-wrapped" and key["label"].startswith("c-")
    assert "account acme, operator/admin" in bed.cli(
        "--json", "audit", "show", "--key", cert.key.id)


@pytest.mark.feature("H01", "C11", "V05")
def test_four_parts_in_any_shape_are_put_in_order_and_it_is_told(bed, ca):
    key = new_key()
    leaf = ca.leaf(key.public_key(), "four.example.com")
    crlf = "\ufeffour files:\r\n" + pem(ca.root).replace("\n", "\r\n")
    reply = bed.call(
        "Certificates", "Upload", account="acme", wrapped_key=wrapped(bed, key),
        parts=dict(certificate=crlf, intermediate=pem(ca.cert), ca_bundle=pem(leaf)))
    assert reply.certificate.chain_pem == pem(leaf, ca.cert)
    notes = " ".join(reply.notes)
    assert "root" in notes and "order" in notes, notes
    foreign = Ca()
    code, why = bed.refusal(
        "Certificates", "Upload", account="acme", wrapped_key=wrapped(bed, key),
        parts=dict(certificate=pem(leaf), intermediate=pem(foreign.cert)))
    assert code in ("INVALID_ARGUMENT", "FAILED_PRECONDITION") and why


@pytest.mark.feature("C12")
def test_a_key_of_another_certificate_is_refused_naming_both(bed, ca):
    mine, other = new_key(), new_key()
    code, why = bed.refusal(
        "Certificates", "Upload", account="acme", wrapped_key=wrapped(bed, other),
        parts=dict(certificate=pem(ca.leaf(mine.public_key(), "x.example.com"), ca.cert)))
    assert code == "FAILED_PRECONDITION"
    for key in (mine, other):
        digest = hashes.Hash(hashes.SHA256())
        digest.update(spki(key))
        assert digest.finalize().hex()[:16] in why


@pytest.mark.feature("C04")
def test_the_list_is_searched_sorted_and_paged(bed, ca):
    for name in ("b.list.example", "a.list.example", "c.list.example"):
        upload(bed, ca, name)
    names, token = [], ""
    while True:
        page = bed.call("Certificates", "List", account="acme", search="list.exam",
                        order_by="name", page_size=2, page_token=token)
        names += [c.name for c in page.certificates]
        token = page.next_page_token
        if not token:
            break
    assert names == ["a.list.example", "b.list.example", "c.list.example"]


@pytest.mark.feature("C09")
def test_nothing_changes_what_a_certificate_is(bed, ca):
    _, reply = upload(bed, ca, "stays.example.com")
    before = reply.certificate
    after = bed.call("Certificates", "Update", id=before.id, name="renamed", etag=before.etag)
    assert after.name == "renamed" and after.etag != before.etag
    for field in ("fingerprint", "serial", "chain_pem", "not_after_s", "created_s", "kind"):
        assert getattr(after, field) == getattr(before, field)
    assert after.key == before.key
    assert bed.refusal("Certificates", "Update", id=before.id, name="x",
                       etag=before.etag)[0] == "ABORTED"


@pytest.mark.feature("H08")
def test_the_chain_is_exported_and_the_key_never(bed, ca):
    leaf, reply = upload(bed, ca, "export.example.com")
    wanted = dict(id=reply.certificate.id)
    assert bed.call("Certificates", "Export", **wanted).content == pem(leaf, ca.cert).encode()
    assert bed.call("Certificates", "Export", format=2, **wanted).content == \
        leaf.public_bytes(DER)
    for number, form in ((3, "PEM"), (4, "DER")):
        content = bed.call("Certificates", "Export", format=number, **wanted).content
        shown = subprocess.run(
            ["openssl", "pkcs7", "-inform", form, "-print_certs", "-noout"],
            input=content, capture_output=True, check=True).stdout.decode()
        assert shown.count("subject=") == 2 and "export.example.com" in shown
    code, why = bed.refusal("Certificates", "Export", private_key=True, **wanted)
    assert code == "FAILED_PRECONDITION" and "token" in why and "holdfast cert csr" in why


@pytest.mark.feature("C05")
def test_deleting_takes_the_key_out_of_the_token_too(bed, ca):
    _, reply = upload(bed, ca, "gone.example.com")
    cert = reply.certificate
    assert bed.call("Certificates", "Delete", id=cert.id, etag=cert.etag).key_destroyed
    assert bed.refusal("Certificates", "Get", id=cert.id)[0] == "NOT_FOUND"
    wait_for("the key is scheduled for destruction",
             lambda: bed.json("key", "show", cert.key.id)["state"] == "scheduled")


@pytest.mark.feature("V06")
def test_a_bought_certificate_is_attached_to_the_key_that_never_left(bed, ca):
    made = bed.call("CertificateRequests", "Create", account="acme",
                    hostnames=["Bought.example.com", "b\u00fccher.example"])
    csr = x509.load_pem_x509_csr(made.csr.encode())
    assert csr.is_signature_valid
    names = csr.extensions.get_extension_for_class(
        x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    assert names == ["bought.example.com", "xn--bcher-kva.example"]
    assert bed.json("key", "show", made.key.id)["origin"] == "generated"
    wrong = ca.leaf(new_key().public_key(), "bought.example.com")
    code, why = bed.refusal("CertificateRequests", "Attach", id=made.id,
                            parts=dict(certificate=pem(wrong, ca.cert)))
    assert code == "FAILED_PRECONDITION" and made.key.id[:16] in why
    leaf = ca.leaf(csr.public_key(), "bought.example.com")
    reply = bed.call("CertificateRequests", "Attach", id=made.id,
                     parts=dict(certificate=pem(leaf), ca_bundle=pem(ca.cert)))
    assert reply.certificate.key.id == made.key.id
    assert any("xn--bcher-kva.example" in note for note in reply.notes)


@pytest.mark.feature("H02", "V04")
def test_a_key_in_the_clear_is_taken_only_where_it_is_allowed(bed, ca):
    key = new_key()
    leaf = ca.leaf(key.public_key(), "clear.example.com")
    bundle = dict(certificate=key_pem(key) + pem(ca.cert, leaf))
    code, why = bed.refusal("Certificates", "Upload", account="acme", parts=bundle)
    assert code == "FAILED_PRECONDITION" and "allow_exposed_upload" in why
    assert "PRIVATE KEY" not in (bed.dir / "certd.log").read_text()
    config = bed.dir / "certd.yaml"
    text = config.read_text()
    config.write_text(text.replace("allow_exposed_upload: false", "allow_exposed_upload: true"))
    bed.daemons["certd"].stop()
    try:
        bed.start_certd()
        reply = bed.call("Certificates", "Upload", account="acme", parts=bundle)
        assert reply.certificate.key.exposed
        assert bed.json("key", "show", reply.certificate.key.id)["origin"] == "imported-certd"
        key = new_key()
        leaf = ca.leaf(key.public_key(), "pfx.example.com")
        pfx = pkcs12.serialize_key_and_certificates(
            b"x", key, leaf, [ca.cert],
            serialization.BestAvailableEncryption(b"secret"))
        code, why = bed.refusal("Certificates", "Upload", account="acme",
                                parts=dict(data=pfx), passphrase="guess")
        assert code == "INVALID_ARGUMENT" and "password" in why
        code, why = bed.refusal("Certificates", "Upload", account="acme",
                                parts=dict(data=pfx[:-200]), passphrase="secret")
        assert code == "INVALID_ARGUMENT" and "wrong" not in why
        reply = bed.call("Certificates", "Upload", account="acme",
                         parts=dict(data=pfx), passphrase="secret")
        assert reply.certificate.hostnames == ["pfx.example.com"]
    finally:
        bed.daemons["certd"].stop()
        config.write_text(text)
        bed.start_certd()


def test_another_accounts_token_finds_nothing_over_rest(bed, ca):
    _, reply = upload(bed, ca, "mine.example.com")
    mine, theirs = (bed.make_token(a, role=ENGINEER) for a in ("acme", "other"))
    path = f"/v1/certificates/{reply.certificate.id}"
    status, _, shown = bed.rest("GET", path, mine)
    assert status == 200 and shown["name"] == "mine.example.com"
    there = bed.rest("GET", path, theirs)
    never = bed.rest("GET", "/v1/certificates/987654", theirs)
    assert there[0] == never[0] == 404
    assert there[2]["detail"] == never[2]["detail"]
    assert bed.rest("DELETE", path, theirs)[0] == 404
    assert bed.rest("GET", "/v1/certificates", theirs)[2]["certificates"] == []
    status, _, shown = bed.rest("GET", path + ":export", mine)
    assert status == 200 and base64.b64decode(shown["content"]).startswith(b"-----BEGIN CERT")


def test_after_a_crash_each_key_at_keyd_is_used_or_known_to_be_left_over(bed, ca):
    stop = threading.Event()

    def go(n):
        while not stop.is_set():
            try:
                upload(bed, ca, f"crash{n}.example.com")
            except grpc.RpcError:  # certd is killed
                return

    threads = [threading.Thread(target=go, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    time.sleep(1)
    bed.daemons["certd"].kill()
    stop.set()
    for t in threads:
        t.join()
    bed.start_certd()
    with sqlite3.connect(bed.dir / "certd/certd.db") as db:
        rows = {row[0].hex() for row in db.execute("SELECT id FROM key")}
        doomed = {row[0].hex() for row in db.execute("SELECT id FROM key_doomed")}
        intents = {row[0] for row in db.execute("SELECT label FROM key_intent")}
    keys = {k["id"]: k["label"] for k in bed.json("key", "list")
            if k["label"].startswith("c-") and k["state"] == "active"}
    assert rows <= set(keys)
    for key, label in keys.items():
        assert key in rows or key in doomed or label in intents
