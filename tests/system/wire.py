# SPDX-License-Identifier: Apache-2.0
"""Talk to keyd and certd from outside: Debian's python3-grpcio and generated stubs."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

import grpc

from bed import CONTEXT_TLS13_SERVER, DOMAIN, TOP, BUILD

_out = tempfile.mkdtemp(prefix="hf-stubs-")
_protos = sorted((TOP / "proto/holdfast").glob("*/v1/*.proto"))
subprocess.run(
    ["protoc", "-I", TOP / "proto", f"--python_out={_out}", f"--grpc_out={_out}",
     "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin", *_protos], check=True)
sys.path.insert(0, _out)

from holdfast.keyd.v1 import (  # noqa: E402,F401 (generated just now)
    approvals_pb2, approvals_pb2_grpc, audit_pb2, audit_pb2_grpc,
    identity_pb2, identity_pb2_grpc, keys_pb2, keys_pb2_grpc,
    signer_pb2, signer_pb2_grpc, status_pb2, status_pb2_grpc)

SCHEMES = {"ec-p256": 0x0403, "ec-p384": 0x0503, "ed25519": 0x0807,
           "rsa-2048": 0x0804, "rsa-3072": 0x0804, "rsa-4096": 0x0804}


def tls13_content(hash_len=32, who=b"server"):
    return b" " * 64 + b"TLS 1.3, " + who + b" CertificateVerify\0" + os.urandom(hash_len)


def tls12_content(curve=29, point=None):
    point = os.urandom(32) if point is None else point
    return (os.urandom(64) + b"\x03" + curve.to_bytes(2, "big")
            + bytes([len(point)]) + point)


def member(bed, role, name):
    """Enroll an identity with the command line; its state folder."""
    folder = bed.dir / f"{role}-{name}"
    if not folder.exists():
        join = bed.dir / f"{role}-{name}.join"
        bed.cli("edge", "invite", name, "--role", role, "-o", join)
        bed.cli("join", join, state=folder.name)
    return folder


def channel(bed, folder, port=None, server="keyd"):
    pem = (folder / "identity.pem").read_text()
    key = re.search(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----",
                    pem, re.S).group(0)
    certificates = "\n".join(re.findall(
        r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", pem, re.S))
    ca = (bed.dir / "keyd/ca.pem").read_text()
    credentials = grpc.ssl_channel_credentials(
        ca.encode(), key.encode(), certificates.encode())
    return grpc.secure_channel(
        f"127.0.0.1:{port or bed.port}", credentials,
        (("grpc.ssl_target_name_override", f"{server}.{DOMAIN}"), ("grpc.enable_http_proxy", 0),
         ("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)))


class Signer:
    """Signer as one identity."""

    def __init__(self, bed, role, name):
        self.channel = channel(bed, member(bed, role, name))
        self.stub = signer_pb2_grpc.SignerStub(self.channel)

    def request(self, key, content, context=CONTEXT_TLS13_SERVER, scheme=None, **kw):
        return signer_pb2.SignRequest(
            key_id=bytes.fromhex(key["id"]), content=content, context=context,
            scheme=SCHEMES[key["algorithm"]] if scheme is None else scheme, **kw)

    def sign(self, key, content, timeout=60, **kw):
        return self.stub.Sign(self.request(key, content, **kw), timeout=timeout).signature

    def error(self, key, content, timeout=60, **kw):
        try:
            self.stub.Sign(self.request(key, content, **kw), timeout=timeout)
        except grpc.RpcError as error:
            return error
        raise AssertionError("it was signed")
