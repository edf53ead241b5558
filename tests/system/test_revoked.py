# SPDX-License-Identifier: Apache-2.0
"""A certificate that its CA has revoked by itself, and of whom nobody tells certd: pebble has
no renewal information.  Its certificates name an OCSP responder, which is this test's and
signs with pebble's own key."""

import datetime
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

import certs
from acme_bed import DONE, REPLACEMENT, AcmeBed
from bed import wait_for

# Each is asked about for the first time within a twentieth of it.
VALIDITY_S = 400


class Responder:
    """revoked: serial numbers that it says are revoked.  liar: those of which it does so with
    a key of its own."""

    def __init__(self):
        self.pebble, self.revoked, self.liar, self.asked = None, set(), set(), []
        self.other_key = certs.new_key()
        responder = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                reply = responder.answer(ocsp.load_der_ocsp_request(body))
                self.send_response(200)
                self.send_header("Content-Type", "application/ocsp-response")
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/ocsp"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def impostor(self, issuer):
        """Of the issuer's name, with the other key."""
        moment, day = certs.now(), datetime.timedelta(days=1)
        return (x509.CertificateBuilder().subject_name(issuer.subject).issuer_name(issuer.subject)
                .public_key(self.other_key.public_key()).serial_number(issuer.serial_number)
                .not_valid_before(moment - day).not_valid_after(moment + day)
                .sign(self.other_key, hashes.SHA256()))

    def answer(self, request):
        serial = request.serial_number
        issuer = x509.load_pem_x509_certificate(self.pebble.intermediate().encode())
        leaf = x509.load_pem_x509_certificate(
            self.pebble.certificate_status(serial)["Certificate"].encode())
        key = serialization.load_pem_private_key(self.pebble.intermediate_key().encode(), None)
        lies, moment = serial in self.liar, certs.now()
        is_revoked = lies or serial in self.revoked
        self.asked.append(serial)
        signer = self.impostor(issuer) if lies else issuer
        return ocsp.OCSPResponseBuilder().add_response(
            cert=leaf, issuer=issuer, algorithm=request.hash_algorithm,
            cert_status=ocsp.OCSPCertStatus.REVOKED if is_revoked else ocsp.OCSPCertStatus.GOOD,
            this_update=moment, next_update=moment + datetime.timedelta(days=1),
            revocation_time=moment if is_revoked else None,
            revocation_reason=x509.ReasonFlags.key_compromise if is_revoked else None,
        ).responder_id(ocsp.OCSPResponderEncoding.NAME, signer).sign(
            self.other_key if lies else key, hashes.SHA256()).public_bytes(
                serialization.Encoding.DER)


@pytest.fixture(scope="module")
def responder():
    made = Responder()
    yield made
    made.server.shutdown()


@pytest.fixture(scope="module")
def bed(responder):
    b = AcmeBed(cas={"pebble": {"ocsp_url": responder.url, "validity_s": VALIDITY_S}})
    responder.pebble = b.pebble
    b.up()
    yield b
    b.close()


@pytest.mark.feature("C22")
def test_what_the_ca_has_revoked_is_replaced_and_a_lie_changes_nothing(bed, responder):
    found = {}
    for host, told in (("good", None), ("lost", responder.revoked),
                       ("slandered", responder.liar)):
        enrollment, change = bed.obtain(f"{host}.example.org")
        leaf = bed.certificate(change.certificate)
        found[host] = enrollment, change.certificate, leaf
        if told is not None:
            told.add(leaf.serial_number)
    lost, old, old_leaf = found["lost"]
    wait_for("it is replaced", lambda: len(bed.changes(enrollment=lost.id)) == 2, 150)
    change = bed.ended(bed.changes(enrollment=lost.id)[0].id, DONE)
    assert change.kind == REPLACEMENT
    new_leaf = bed.certificate(change.certificate)
    assert new_leaf.serial_number != old_leaf.serial_number
    assert new_leaf.public_key().public_numbers() != old_leaf.public_key().public_numbers()
    assert bed.enrollment(lost.id).certificate == change.certificate
    (what, how), = bed.events("acme.found_revoked")
    assert what == f"certificate {old}"
    assert "keyCompromise" in how and how.endswith(f"OCSP {responder.url}")

    # The new one is asked about in its turn; of the others nothing has come.
    serials = {leaf.serial_number for _, _, leaf in found.values()} | {new_leaf.serial_number}
    wait_for("all are asked about", lambda: serials <= set(responder.asked), 150)
    wait_for("certd saw the lie", lambda: "signed by nobody" in bed.daemons["certd"].text())
    for host in ("good", "slandered"):
        assert len(bed.changes(enrollment=found[host][0].id)) == 1, host
    assert len(bed.changes(enrollment=lost.id)) == 2
