# SPDX-License-Identifier: Apache-2.0
"""Edges by certd: what they are told, what they may sign with, and what counts as proof.

The edges are Python's gRPC, so that the protocol is held by somebody else's client too; keyd,
its token and certd are the real ones.
"""

import hashlib
import shutil
import subprocess
import threading

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from bed import wait_for
from certd_bed import CertdBed, edges_pb2, edges_pb2_grpc
from wire import Signer, tls13_content

LIVE, QUARANTINED, HELD_BACK = 2, 4, 5


@pytest.fixture(scope="module")
def bed():
    b = CertdBed()
    b.init()
    b.start_keyd()
    b.start_certd()
    b.make_account("acme")
    yield b
    b.close()


class Follower:
    """An edge that follows: sites applied, and where it stands."""

    def __init__(self, bed, name):
        self.bed, self.state = bed, bed.member("edge", name)
        self.sites, self.version, self.tag = {}, 0, b""
        self.stream = None
        self.error = None

    def open(self):
        stub = edges_pb2_grpc.EdgesStub(self.bed.channel(self.state))
        self.error = None
        self.stream = stub.Watch(edges_pb2.WatchRequest(
            version=self.version, tag=self.tag, program="python"), wait_for_ready=True)
        self.thread = threading.Thread(target=self._follow, args=(self.stream,))
        self.thread.start()
        return self

    def _follow(self, stream):
        coming = dict(self.sites)
        try:
            for update in stream:
                if update.snapshot:
                    coming = {}
                for one in update.removed:
                    coming.pop(one, None)
                for site in update.sites:
                    coming[site.id] = site
                if update.complete:
                    self.sites = dict(coming)
                    self.version, self.tag = update.version, update.tag
        except grpc.RpcError as error:
            self.error = error

    def close(self):
        self.stream.cancel()
        self.thread.join()

    def wait(self, resource):
        """Until it has that resource as it now is."""
        wait_for("the edge has it", lambda: (
            resource.id in self.sites and self.sites[resource.id].version >= resource.version))
        return self.sites[resource.id]

    def report(self, *sites, **fields):
        self.bed.call("Edges", "Report", state=self.state, applied_version=self.version,
                      sites=[edges_pb2.SiteReport(**site) for site in sites], **fields)

    def serves(self, *resources):
        self.report(*({"id": r.id, "applied_version": r.version, "served_version": r.version}
                      for r in resources))


@pytest.fixture
def edge(bed):
    follower = Follower(bed, "fra-1").open()
    yield follower
    follower.close()


def buy(bed, name, host):
    """A certificate for a key born in the token: its id, and the key for Signer."""
    request = bed.call("CertificateRequests", "Create", account="acme", name=name,
                       hostnames=[host])
    csr, leaf = bed.dir / f"{name}.csr", bed.dir / f"{name}.pem"
    csr.write_text(request.csr)
    subprocess.run(
        ["openssl", "x509", "-req", "-in", csr, "-CA", bed.ca(), "-CAkey", bed.dir / "ca.key",
         "-CAcreateserial", "-days", "90", "-copy_extensions", "copy", "-out", leaf],
        check=True, capture_output=True, timeout=60)
    attached = bed.call("CertificateRequests", "Attach", id=request.id, parts={
        "certificate": leaf.read_text() + bed.ca().read_text()})
    key = {"id": request.key.id, "algorithm": "ec-p256"}
    return attached.certificate.id, key


def make_resource(bed, name, host, *certificates):
    return bed.call("Resources", "Create", account="acme", name=name, hostnames=[host],
                    origin={"host": "origin.acme.test", "mode": 1},
                    certificates=certificates).resource


def shown(bed, name):
    return bed.call("Edges", "Get", name=name)


@pytest.mark.feature("X04")
def test_a_binding_is_the_permission(bed, edge):
    certificate, key = buy(bed, "bound", "bound.acme.test")
    signer = Signer(bed, "edge", "fra-1")
    assert signer.error(key, tls13_content()).code().name == "PERMISSION_DENIED"
    resource = make_resource(bed, "bound", "bound.acme.test", certificate)
    site = edge.wait(resource)
    # By the time that the edge hears of it, it may sign.
    assert signer.sign(key, tls13_content())
    leaf = x509.load_pem_x509_certificate(site.certificates[0].chain_pem.encode())
    assert leaf.fingerprint(hashes.SHA256()) == site.certificates[0].fingerprint
    assert hashlib.sha256(site.certificates[0].spki).hexdigest() == key["id"]
    assert list(site.hostnames) == ["bound.acme.test"]
    assert bed.call("Resources", "Get", id=resource.id).permission_trouble == ""
    bed.call("Resources", "Unbind", id=resource.id)
    wait_for("the right ends", lambda: (
        signer.error(key, tls13_content()).code().name == "PERMISSION_DENIED"))
    signer.channel.close()


@pytest.mark.feature("C09")
@pytest.mark.feature("C10")
def test_the_old_certificate_goes_once_every_edge_serves_the_new_one(bed, edge):
    old, old_key = buy(bed, "old", "www.acme.test")
    new, new_key = buy(bed, "new", "www.acme.test")
    signer = Signer(bed, "edge", "fra-1")
    resource = make_resource(bed, "www", "www.acme.test", old)
    edge.wait(resource)
    edge.serves(resource)
    assert bed.call("Resources", "Get", id=resource.id).convergence.percent == 100

    bed.call("Certificates", "Replace", old_id=old, new_id=new)
    resource = bed.call("Resources", "Get", id=resource.id)
    site = edge.wait(resource)
    assert site.certificates[0].id == new
    assert resource.convergence.edges == 1 and resource.convergence.served == 0
    code, why = bed.refusal("Certificates", "Delete", id=old)
    assert code == "FAILED_PRECONDITION" and "edge" in why, why
    # Until it serves the new one, it may sign with both.
    assert signer.sign(old_key, tls13_content()) and signer.sign(new_key, tls13_content())
    edge.serves(resource)
    assert bed.call("Resources", "Get", id=resource.id).convergence.percent == 100
    bed.call("Certificates", "Delete", id=old)
    wait_for("the old right ends", lambda: (
        signer.error(old_key, tls13_content()).code().name == "PERMISSION_DENIED"))
    assert signer.sign(new_key, tls13_content())
    signer.channel.close()


def test_operators_see_edges_and_what_is_behind(bed, edge):
    certificate, _ = buy(bed, "seen", "seen.acme.test")
    resource = make_resource(bed, "seen", "seen.acme.test", certificate)
    edge.wait(resource)
    edge.report({"id": resource.id, "applied_version": resource.version, "served_version": 0,
                 "problem": "seen.acme.test: connection refused"})
    one = shown(bed, "fra-1")
    assert (one.state, one.edge_group, one.program) == (LIVE, "standard", "python")
    assert one.applied_version == edge.version and one.served < one.sites
    behind = {b.name: b.problem for b in one.behind}
    assert behind["seen"] == "seen.acme.test: connection refused"
    assert [e.name for e in bed.call("Edges", "List").edges] == ["fra-1"]


def test_an_edge_that_is_stopped_hears_nothing_more(bed):
    stopped = Follower(bed, "ams-1").open()
    wait_for("it follows", lambda: stopped.version > 0)
    bed.cli("edge", "quarantine", "ams-1", "--reason", "test")
    wait_for("its stream ends", lambda: stopped.error is not None, seconds=90)
    assert stopped.error.code().name == "PERMISSION_DENIED"
    assert stopped.error.details() == "an operator has stopped this edge"
    assert shown(bed, "ams-1").state == QUARANTINED
    stopped.close()


def test_a_restored_database_rolls_back_no_edge_until_an_operator_says_so(bed):
    edge = Follower(bed, "fra-1").open()
    first = make_resource(bed, "first", "first.acme.test", buy(bed, "f1", "first.acme.test")[0])
    edge.wait(first)
    done = bed.run_certd("backup", "-o", bed.dir / "certd.backup")
    assert done.returncode == 0, done.stderr
    lost = make_resource(bed, "lost", "lost.acme.test", buy(bed, "l1", "lost.acme.test")[0])
    edge.wait(lost)
    edge.close()

    certd = bed.daemons["certd"]
    certd.stop()
    for ending in ("", "-wal", "-shm"):
        (bed.dir / f"certd/certd.db{ending}").unlink(missing_ok=True)
    shutil.copy(bed.dir / "certd.backup", bed.dir / "certd/certd.db")
    (bed.dir / "certd/certd.db").chmod(0o600)
    certd.start()
    edge.open()
    edge.thread.join(60)
    assert edge.error.code().name == "FAILED_PRECONDITION", edge.error
    assert "restored from a backup" in edge.error.details()
    assert lost.id in edge.sites
    edge.report(held_back=True, held_version=edge.version)
    assert shown(bed, "fra-1").state == HELD_BACK

    bed.call("Edges", "Resync")
    edge.open()
    wait_for("it follows again", lambda: lost.id not in edge.sites)
    assert first.id in edge.sites
    edge.serves(*(edge.sites[one] for one in edge.sites))
    one = shown(bed, "fra-1")
    assert one.state == LIVE and one.served == one.sites
    edge.close()
