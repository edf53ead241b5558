# SPDX-License-Identifier: Apache-2.0
"""Certificates as people have them: a root, an intermediate, leaves; files of every kind."""

import datetime
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)


def now():
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


def new_key(kind="ec"):
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption()).decode()


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def der(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


def fingerprint(certificate):
    return certificate.fingerprint(hashes.SHA256()).hex()


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Pki:
    """A root and an intermediate that signs leaves."""

    def __init__(self, label="bed"):
        self.root_key, self.middle_key = new_key(), new_key()
        self.root = self.sign(name(f"{label} root"), self.root_key, name(f"{label} root"),
                              self.root_key, ca=True, days=3650)
        self.middle = self.sign(name(f"{label} intermediate"), self.middle_key,
                                self.root.subject, self.root_key, ca=True, days=1800)

    @staticmethod
    def sign(subject, key, issuer, issuer_key, hosts=(), ca=False, days=90, since=-1,
             digest=None):
        public = key.public_key() if hasattr(key, "public_key") else key
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
                   .public_key(public).serial_number(x509.random_serial_number())
                   .not_valid_before(now() + since * DAY).not_valid_after(now() + days * DAY)
                   .add_extension(x509.BasicConstraints(ca, None), True))
        if hosts:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(h) for h in hosts]), False)
        if not ca:
            builder = builder.add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        return builder.sign(issuer_key, digest or hashes.SHA256())

    def leaf(self, *hosts, key=None, days=90, since=-1, kind="ec", digest=None):
        """(key, certificate) for these host names."""
        key = key or new_key(kind)
        return key, self.sign(name(hosts[0]), key, self.middle.subject, self.middle_key,
                              hosts, days=days, since=since, digest=digest)

    def of_request(self, csr_pem, days=90):
        """What a CA makes of a CSR."""
        csr = x509.load_pem_x509_csr(csr_pem.encode())
        assert csr.is_signature_valid
        hosts = csr.extensions.get_extension_for_class(
            x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
        return self.sign(csr.subject, csr.public_key(), self.middle.subject, self.middle_key,
                         hosts, days=days)

    def roots_file(self, folder):
        path = folder / "roots.pem"
        path.write_text(pem(self.root))
        return path

    def files(self, folder, stem, key, certificate):
        """stem.pem (leaf and intermediate) and stem.key; what `cert upload` is given."""
        folder.mkdir(parents=True, exist_ok=True)
        chain, private = folder / f"{stem}.pem", folder / f"{stem}.key"
        chain.write_text(pem(certificate) + pem(self.middle))
        private.write_text(key_pem(key))
        return chain, private

    def pfx(self, folder, stem, key, certificate, password, *options):
        chain, private = self.files(folder, stem, key, certificate)
        path = folder / f"{stem}.pfx"
        subprocess.run(["openssl", "pkcs12", "-export", "-inkey", private, "-in", chain, "-out",
                        path, "-passout", "stdin", *options],
                       input=password + "\n", text=True, check=True, capture_output=True,
                       timeout=60)
        return path
