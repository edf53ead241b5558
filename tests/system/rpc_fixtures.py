# SPDX-License-Identifier: Apache-2.0
"""The rpc room alone, from outside: rpc_echo, certificates, generated stubs.

Needs HOLDFAST_BUILD (default build/dev), where rpc/rpc_echo was built.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import grpc
import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HOLDFAST_BUILD", TOP / "build/dev")).resolve()
ECHO = BUILD / "rpc/rpc_echo"
EDGE = "spiffe://example/edge/fra-1"
SERVER_NAME = "keyd.example"


def _generate_stubs():
    """Stubs for our protocol, health and reflection, made by Debian's tools."""
    out = tempfile.mkdtemp(prefix="rpc-stubs-")
    protos = ["holdfast/keyd/v1/signer.proto", "grpc/health/v1/health.proto",
              "grpc/reflection/v1/reflection.proto",
              "grpc/reflection/v1alpha/reflection.proto"]
    subprocess.run(
        ["protoc", "-I", TOP / "proto", "-I", "/usr/share/grpc-proto",
         f"--python_out={out}", f"--grpc_out={out}",
         "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin", *protos], check=True)
    sys.path.append(out)
    # The package grpc is grpcio's; the stubs want to live inside it.
    grpc.__path__.append(os.path.join(out, "grpc"))


_generate_stubs()


def _run(*args):
    subprocess.run([str(a) for a in args], check=True, capture_output=True)


class Pki:
    """Certificates by the openssl command: a CA, and leaves of it."""

    def __init__(self, folder, name):
        self.dir, self.name = folder, name
        self.ca = folder / f"{name}.pem"
        _run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
             "-keyout", folder / f"{name}.key", "-out", self.ca)

    def leaf(self, name, san):
        """(certificate, key) paths; san as OpenSSL writes it."""
        key, csr, cert, ext = (self.dir / f"{self.name}-{name}.{e}"
                               for e in ("key", "csr", "pem", "ext"))
        ext.write_text(f"subjectAltName={san}\n")
        _run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", csr)
        _run("openssl", "x509", "-req", "-in", csr, "-CA", self.ca, "-CAkey",
             self.dir / f"{self.name}.key", "-CAcreateserial", "-days", "1",
             "-extfile", ext, "-out", cert)
        return cert, key


class Echo:
    """One running rpc_echo and the identities to meet it with."""

    def __init__(self, folder):
        self.dir = folder
        self.pki = Pki(folder, "identity")
        self.foreign = Pki(folder, "foreign")
        self.server = self.pki.leaf("keyd", f"URI:spiffe://example/keyd/k,DNS:{SERVER_NAME}")
        self.edge = self.pki.leaf("edge", f"URI:{EDGE}")
        self.log = open(folder / "rpc_echo.log", "wb")
        self.process = subprocess.Popen(
            [ECHO, self.pki.ca, *self.server], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.port = int(self.process.stdout.readline())

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def channel(self, leaf=None, ca=None, options=(), **kwargs):
        cert, key = leaf or self.edge
        credentials = grpc.ssl_channel_credentials(
            (ca or self.pki).ca.read_bytes(), key.read_bytes(), cert.read_bytes())
        return grpc.secure_channel(
            f"127.0.0.1:{self.port}", credentials,
            options=[("grpc.ssl_target_name_override", SERVER_NAME),
                     ("grpc.use_local_subchannel_pool", 1), *options], **kwargs)

    def end(self):
        """Drain, leave; its exit code and what it wrote to stderr."""
        self.process.stdin.close()
        code = self.process.wait(60)
        self.log.close()
        return code, (self.dir / "rpc_echo.log").read_text(errors="replace")


@pytest.fixture(scope="module")
def echo(tmp_path_factory):
    e = Echo(tmp_path_factory.mktemp("rpc"))
    yield e
    code, log = e.end()
    # Sanitizers and core's assertions speak on stderr; bad clients may not.
    assert (code, log) == (0, "")
