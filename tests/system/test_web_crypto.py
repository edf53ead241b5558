# SPDX-License-Identifier: Apache-2.0
"""What the console wraps in the browser, here by Node, a real token unwraps."""

import base64
import json
import os
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from bed import TOP
from certd_bed import CertdBed
from certs import Pki, key_pem, pem

PASSWORD = "correct h\u00f6rse"
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
PKCS8 = serialization.PrivateFormat.PKCS8
TRADITIONAL = serialization.PrivateFormat.TraditionalOpenSSL
NONE = serialization.NoEncryption()
SEALED = serialization.BestAvailableEncryption(PASSWORD.encode())
KEYS = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa3072": lambda: rsa.generate_private_key(65537, 3072),
    "rsa4096": lambda: rsa.generate_private_key(65537, 4096),
}


@pytest.fixture(scope="module")
def bed():
    b = CertdBed()
    b.up()
    b.make_account("acme")
    b.pki, b.token = Pki(), b.make_token("acme")
    yield b
    b.close()


def wrap(bed, *files, password=None):
    """What the console makes of these files; (fingerprint of the wrapping key, body)."""
    status, _, parameters = bed.rest("GET", "/v1/certificates:importParameters", bed.token)
    assert status == 200, parameters
    asked = {"parts": [base64.b64encode(f).decode() for f in files], "password": password,
             "parameters": parameters}
    done = subprocess.run(["node", TOP / "tests/web/wrap_files.mjs"], input=json.dumps(asked),
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    return answer["fingerprint"], answer["body"]


def upload(bed, body):
    status, _, answer = bed.rest("POST", "/v1/certificates", bed.token, body)
    assert status == 201, answer
    return answer["certificate"]


def pfx(bed, key, leaf, *argv):
    """As openssl makes one, of the chain and the key."""
    path = bed.dir / "up.pem"
    path.write_text(pem(leaf) + pem(bed.pki.middle) + key_pem(key))
    made = subprocess.run(["openssl", "pkcs12", "-export", "-in", path, "-passout", "env:P", *argv],
                          capture_output=True, check=True, timeout=60,
                          env=dict(os.environ, P=PASSWORD)).stdout
    path.unlink()
    return made


def secrets_of(key):
    """Octets that stand for the private key, as it may appear in a file."""
    numbers = key.private_numbers()
    number = numbers.private_value if isinstance(key, ec.EllipticCurvePrivateKey) else numbers.d
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


@pytest.mark.feature("C03")
@pytest.mark.feature("V07")
@pytest.mark.parametrize("kind", KEYS)
def test_a_key_that_the_console_wrapped_is_unwrapped_in_the_token_alone(bed, kind):
    key, leaf = bed.pki.leaf(f"{kind}.web.example.com", key=KEYS[kind]())
    text = pem(leaf) + pem(bed.pki.middle)
    _, body = wrap(bed, text.encode(), key.private_bytes(PEM, PKCS8, NONE))
    assert "PRIVATE" not in json.dumps(body)
    for sent in (base64.b64decode(body["wrapped_key"]["blob"]), json.dumps(body).encode()):
        assert secrets_of(key)[:16] not in sent
    c = upload(bed, body)
    assert c["key"]["origin"] == "imported_wrapped" and not c["key"]["exposed"]
    shown = bed.json("key", "show", c["key"]["id"])
    assert shown["origin"] == "imported-wrapped" and shown["state"] == "active"
    assert shown["attributes"]["sensitive"] and not shown["attributes"]["extractable"]
    listed = bed.json("cert", "list", "--account", "acme", "--search", f"{kind}.web")["certificates"]
    assert [l["id"] for l in listed] == [c["id"]]


@pytest.mark.parametrize("form", ["pfx", "pfx without a password", "sealed PKCS#8", "PKCS#1",
                                  "SEC1 without its public half"])
def test_whatever_file_people_have_ends_in_the_token(bed, form):
    host = f"{form.replace(' ', '-').replace('#', '').lower()}.web.example.com"
    key, leaf = bed.pki.leaf(host, key=KEYS["rsa2048" if form == "PKCS#1" else "p256"]())
    chain, password = (pem(leaf) + pem(bed.pki.middle)).encode(), None
    if form == "pfx":
        files, password = [pfx(bed, key, leaf)], PASSWORD
    elif form == "pfx without a password":
        files = [pfx(bed, key, leaf, "-certpbe", "NONE", "-keypbe", "NONE", "-nomac")]
    elif form == "sealed PKCS#8":
        files, password = [chain, key.private_bytes(PEM, PKCS8, SEALED)], PASSWORD
    elif form == "PKCS#1":
        files = [chain, key.private_bytes(DER, TRADITIONAL, NONE)]
    else:
        bare = subprocess.run(["openssl", "ec", "-no_public"], capture_output=True, check=True,
                              input=key.private_bytes(PEM, TRADITIONAL, NONE), timeout=60).stdout
        files = [chain, bare]
    _, body = wrap(bed, *files, password=password)
    c = upload(bed, body)
    assert c["hostnames"] == [host] and c["key"]["origin"] == "imported_wrapped"
    assert c["key"]["id"] in bed.keyd_keys()


def test_the_fingerprint_that_the_page_shows_is_in_keyds_ledger(bed):
    """`holdfast audit show --key` finds the record of its making: that is what the page says."""
    _, leaf = bed.pki.leaf("ledger.web.example.com")
    fingerprint, _ = wrap(bed, pem(leaf).encode())
    shown = bed.cli("audit", "show", "--key", fingerprint)
    assert "make wrapping key" in shown, shown
    assert "make wrapping key" not in bed.run("audit", "show", "--key", "00" * 32).stdout


@pytest.mark.feature("C12")
def test_a_key_of_another_certificate_is_refused_by_certd_which_names_both(bed):
    _, leaf = bed.pki.leaf("mismatch.web.example.com")
    other = KEYS["rsa2048"]()
    _, body = wrap(bed, (pem(leaf) + key_pem(other)).encode())
    status, _, problem = bed.rest("POST", "/v1/certificates", bed.token,
                                  dict(body, validate_only=True))
    assert status == 409 and "rsa-2048" in problem["detail"] and "ec-p256" in problem["detail"]
