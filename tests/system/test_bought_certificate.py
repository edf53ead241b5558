# SPDX-License-Identifier: Apache-2.0
"""A certificate bought elsewhere for a key that never leaves: request, certificate, handshake."""

import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bed import Bed, Site

HOST = "{}.holdfast.test"


@pytest.fixture(scope="module", params=("token", "wrapped"))
def edge_bed(request):
    b = Bed()
    config = b.dir / "keyd.yaml"
    config.write_text(config.read_text().replace(
        "    workers:", f"    keys: {request.param}\n    workers:"))
    b.init()
    b.start_keyd()
    b.start_edged()
    b.cli("key", "generate", "born")
    key = rsa.generate_private_key(65537, 2048)
    path = b.dir / "came.pem"
    path.write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()))
    b.cli("key", "import", "came", path)
    path.unlink()
    for label in ("born", "came"):
        b.sites.append(buy(b, label))
    b.start_nginx()
    yield b
    b.close()


def buy(bed, label):
    """The request goes to a CA that has never heard of us, and a certificate comes back."""
    host = HOST.format(label)
    folder = bed.dir / "live" / host
    folder.mkdir(parents=True)
    bed.cli("key", "grant", label, "operator/admin", "csr")
    bed.cli("key", "csr", label, host, "-o", folder / "csr.pem")
    subprocess.run(
        ["openssl", "x509", "-req", "-in", folder / "csr.pem", "-CA", bed.ca(), "-CAkey",
         bed.dir / "ca.key", "-CAcreateserial", "-days", "2", "-copy_extensions", "copy",
         "-out", folder / "fullchain.pem"],
        check=True, capture_output=True, timeout=60)
    bed.cli("key", "grant", label, "edge/fra-1", "tls")
    bed.cli("key", "stub", label, "-o", folder / "privkey.pem")
    return Site(host, folder, bed.json("key", "show", label))


def public_of(pem):
    return x509.load_pem_x509_certificate(pem).public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.feature("V06")
def test_the_bought_certificate_serves_with_the_key_that_never_left(edge_bed):
    for site in edge_bed.sites:
        version, page, leaf = edge_bed.handshake(site)
        assert version == "TLSv1.3" and site.host in page
        bought = site.chain.read_bytes()
        assert leaf == x509.load_pem_x509_certificate(bought).public_bytes(
            serialization.Encoding.DER)
        # It is for this very key: its id is the hash of the certificate's public key.
        digest = subprocess.run(["sha256sum"], input=public_of(bought), capture_output=True,
                                check=True).stdout.decode().split()[0]
        assert site.key["id"] == digest
        assert b"PRIVATE KEY" not in site.stub.read_bytes()


def test_a_certificate_of_another_key_does_not_load(edge_bed):
    born, came = edge_bed.sites
    done = subprocess.run(
        ["openssl", "s_server", "-cert", born.chain, "-key", came.stub, "-accept", "127.0.0.1:0"],
        env=dict(edge_bed.env, OPENSSL_CONF=str(edge_bed.openssl_conf())),
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode != 0
    assert "does not match" in done.stdout + done.stderr
