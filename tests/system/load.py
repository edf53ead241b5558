# SPDX-License-Identifier: Apache-2.0
"""A client under load that keeps every signature it was given, and the ledger's
side of the story, read from keyd."""

import hashlib
import queue
import threading

import grpc

from wire import (SCHEMES, Signer, audit_pb2, audit_pb2_grpc, channel, member, signer_pb2,
                  status_pb2, status_pb2_grpc, tls13_content)
from bed import CONTEXT_TLS13_SERVER, wait_for


class Load:
    """One SignStream with so many requests in flight; runs until it ends."""

    def __init__(self, bed, key, role="edge", name="load", in_flight=64):
        self.signer = Signer(bed, role, name)
        self.key = key
        self.in_flight = in_flight
        self.asked = {}      # id -> content
        self.signed = {}     # SHA-256 of content -> (content, signature)
        self.refusals = []   # (code, why)
        self.ended = None    # why the stream ended
        self._next = 0
        self._stop = threading.Event()
        self._out = queue.Queue()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()
        return self

    def stop(self, seconds=60):
        self._stop.set()
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "the load did not end"
        self.signer.channel.close()

    def join(self, seconds=60):
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "the stream did not end"
        self.signer.channel.close()

    def _batch(self, n):
        requests = []
        for _ in range(n):
            self._next += 1
            content = tls13_content()
            self.asked[self._next] = content
            requests.append(signer_pb2.SignRequest(
                id=self._next, key_id=bytes.fromhex(self.key["id"]), content=content,
                context=CONTEXT_TLS13_SERVER, scheme=SCHEMES[self.key["algorithm"]]))
        return signer_pb2.SignBatch(requests=requests)

    def _requests(self):
        while (batch := self._out.get()) is not None:
            yield batch

    def _run(self):
        self._out.put(self._batch(self.in_flight))
        try:
            for batch in self.signer.stub.SignStream(self._requests()):
                for reply in batch.responses:
                    content = self.asked.pop(reply.id)
                    if reply.code == 0:
                        self.signed[hashlib.sha256(content).digest()] = (content, reply.signature)
                    else:
                        self.refusals.append((reply.code, reply.why))
                if not self._stop.is_set():
                    self._out.put(self._batch(len(batch.responses)))
                elif not self.asked:
                    self._out.put(None)
        except grpc.RpcError as error:
            self.ended = error
        finally:
            self._out.put(None)


def entries(bed, **filters):
    """The ledger's entries, (number, AuditEntry), as keyd gives them to an operator."""
    with channel(bed, member(bed, "operator", "reader")) as to_keyd:
        stub = audit_pb2_grpc.AuditStub(to_keyd)
        found = []
        for batch in stub.Entries(audit_pb2.EntriesRequest(**filters), timeout=120):
            for numbered in batch.entries:
                found.append((numbered.number, audit_pb2.AuditEntry.FromString(numbered.entry)))
        return found


def caught_up(bed):
    """Wait until the ledger holds all that the journal does: after a start it
    may have much to take in, and gives what it has until then."""
    with channel(bed, member(bed, "operator", "reader")) as to_keyd:
        stub = status_pb2_grpc.StatusStub(to_keyd)

        def has_all():
            status = stub.Get(status_pb2.GetStatusRequest(), timeout=60)
            return status.ledger_size >= status.audit_entries
        wait_for("the ledger has taken in the journal", has_all, 120)


def allowed(bed):
    """SHA-256 of every content that the ledger says was signed."""
    caught_up(bed)
    return {e.content_hash for _, e in entries(bed, kind=audit_pb2.AuditEntry.KIND_SIGN)
            if e.code == 0}
