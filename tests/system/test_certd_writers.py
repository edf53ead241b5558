# SPDX-License-Identifier: Apache-2.0
"""Fifty administrators at one resource, by gRPC and by REST: one wins each time."""

import collections
import threading

import grpc
import pytest

from certd_bed import CertdBed
from certs import Pki, pem

WRITERS = 50
ROUNDS = 4
HOST = "wanted.example.com"


@pytest.fixture(scope="module")
def bed():
    b = CertdBed()
    b.up()
    b.pki = Pki()
    b.make_account("acme")
    b.token = b.make_token("acme")
    yield b
    b.close()


@pytest.fixture(scope="module")
def certificates(bed):
    """One for each writer, all of one key: only the first brings it."""
    found, key = [], None
    for n in range(WRITERS):
        key, leaf = bed.pki.leaf(HOST, key=key)
        upload = {"name": f"writer {n}",
                  "parts": {"certificate": pem(leaf) + pem(bed.pki.middle)}}
        if n == 0:
            upload["wrapped_key"] = bed.wrapped(
                key, bed.call("Certificates", "ImportParameters"))
        status, _, answer = bed.rest("POST", "/v1/certificates", bed.token, upload)
        assert status == 201, answer
        found.append(answer["certificate"]["id"])
    return found


class Writer:
    """Half of them speak gRPC, the others REST."""

    def __init__(self, bed, number, certificate):
        self.bed, self.number, self.certificate = bed, number, certificate
        self.connection = None if number % 2 else bed.https()

    def read(self, resource):
        """(etag, certificates)"""
        if self.connection is None:
            r = self.bed.call("Resources", "Get", id=resource)
            return r.etag, [c.id for c in r.certificates]
        status, headers, r = self.bed.rest(
            "GET", f"/v1/resources/{resource}", self.bed.token, over=self.connection)
        assert status == 200 and headers["ETag"] == f'"{r["etag"]}"'
        return r["etag"], [c["id"] for c in r["certificates"]]

    def bind(self, resource, etag):
        """The new etag; None when somebody else was first."""
        if self.connection is None:
            try:
                return self.bed.call("Resources", "Bind", id=resource, etag=etag,
                                     certificates=[self.certificate]).etag
            except grpc.RpcError as error:
                assert error.code().name == "ABORTED", error
                return None
        status, headers, answer = self.bed.rest(
            "POST", f"/v1/resources/{resource}:bind", self.bed.token,
            {"certificates": [self.certificate]}, {"If-Match": f'"{etag}"'}, self.connection)
        assert status in (200, 412), answer
        return answer["etag"] if status == 200 else None

    def close(self):
        if self.connection is not None:
            self.connection.close()


def all_at_once(acts):
    errors = []

    def run(act):
        try:
            act()
        except BaseException as error:  # noqa: BLE001 (told below)
            errors.append(error)
    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.fixture
def writers(bed, certificates):
    found = [Writer(bed, n, c) for n, c in enumerate(certificates)]
    yield found
    for writer in found:
        writer.close()


def make(bed, name):
    return bed.call("Resources", "Create", account="acme", name=name, plain_http=True,
                    hostnames=[HOST]).resource


def test_of_fifty_who_saw_the_same_one_wins(bed, writers):
    resource = make(bed, "wanted").id
    for _ in range(ROUNDS):
        seen, _ = writers[0].read(resource)
        won, together = [], threading.Barrier(WRITERS)

        def act(writer):
            together.wait()
            etag = writer.bind(resource, seen)
            if etag is not None:
                won.append((writer, etag))
        all_at_once([lambda w=w: act(w) for w in writers])
        assert len(won) == 1
        winner, etag = won[0]
        assert all(w.read(resource) == (etag, [winner.certificate]) for w in writers[:4])
    bound = [e for e in bed.call("Status", "History", account="acme").events
             if e.act == "resource bound" and e.object == f"resource {resource}"]
    assert len(bound) == ROUNDS
    bed.call("Resources", "Delete", id=resource)


def test_fifty_who_read_and_write_as_they_please_win_each_revision_once(bed, writers):
    resource = make(bed, "busy").id
    tries, lock = [], threading.Lock()

    def act(writer):
        for _ in range(3):
            seen, _ = writer.read(resource)
            etag = writer.bind(resource, seen)
            with lock:
                tries.append((seen, etag, writer.certificate))
    first, _ = writers[0].read(resource)
    all_at_once([lambda w=w: act(w) for w in writers])
    won = {seen: (etag, certificate) for seen, etag, certificate in tries if etag is not None}
    assert max(collections.Counter(s for s, etag, _ in tries if etag).values()) == 1
    # From the first revision to the last one, without a gap.
    at, certificate = first, None
    for _ in range(len(won)):
        at, certificate = won[at]
    assert writers[0].read(resource) == (at, [certificate])
    assert bed.rows(f"SELECT count(*) FROM binding WHERE resource = {resource}") == [(1,)]
