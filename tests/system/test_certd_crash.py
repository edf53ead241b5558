# SPDX-License-Identifier: Apache-2.0
"""certd killed while it is at work, again and again: nothing is half done afterwards."""

import http.client
import random
import sqlite3
import threading
import time

import pytest

from bed import wait_for
from certd_bed import CertdBed, keys_pb2
from certs import Pki, new_key, pem

KILLS = 30
WRITERS = 4


@pytest.fixture(scope="module")
def bed():
    b = CertdBed()
    b.up()
    b.pki = Pki()
    b.make_account("acme")
    b.token = b.make_token("acme")
    yield b
    b.close()


class Writer(threading.Thread):
    """Uploads a certificate, switches its resource to it, deletes the one before; and has
    keys made for requests, which it withdraws."""

    def __init__(self, bed, number, stop):
        super().__init__()
        self.bed, self.stop, self.number = bed, stop, number
        self.host = f"w{number}.example.com"
        self.parameters = bed.call("Certificates", "ImportParameters")
        self.done = {"uploaded": 0, "replaced": 0, "deleted": 0, "requested": 0}
        self.wrong = []
        self.resource = bed.call("Resources", "Create", account="acme", name=f"w{number}",
                                 hostnames=[self.host], plain_http=True).resource.id

    def acts(self):
        return sum(self.done.values())

    def ask(self, verb, path, body=None):
        """(status, answer); (0, None) when certd went away."""
        try:
            status, _, answer = self.bed.rest(verb, path, self.bed.token, body)
        except (OSError, http.client.HTTPException):
            time.sleep(0.01)
            return 0, None
        # What went lost may have been done: then it is there already, or gone.
        if status >= 500 or status in (401, 403):
            self.wrong.append((verb, path, status, answer))
        return status, answer

    def bound(self):
        status, resource = self.ask("GET", f"/v1/resources/{self.resource}")
        return status, [c["id"] for c in resource["certificates"]] if status == 200 else None

    def upload(self):
        key, leaf = self.bed.pki.leaf(self.host, key=new_key())
        status, answer = self.ask("POST", "/v1/certificates", {
            "parts": {"certificate": pem(leaf) + pem(self.bed.pki.middle)},
            "wrapped_key": self.bed.wrapped(key, self.parameters)})
        self.done["uploaded"] += status == 201
        return answer["certificate"]["id"] if status == 201 else None

    def switch(self, new):
        status, bound = self.bound()
        if status != 200:
            return
        if not bound:
            self.ask("POST", f"/v1/resources/{self.resource}:bind", {"certificates": [new]})
            return
        status, _ = self.ask("POST", f"/v1/certificates/{bound[0]}:replace", {"new_id": new})
        self.done["replaced"] += status == 200
        if status == 200:
            status, _ = self.ask("DELETE", f"/v1/certificates/{bound[0]}?force=true")
            self.done["deleted"] += status in (200, 204)

    def request(self):
        status, made = self.ask("POST", "/v1/certificate-requests", {"hostnames": [self.host]})
        if status == 201:
            self.done["requested"] += 1
            self.ask("DELETE", f"/v1/certificate-requests/{made['id']}")

    def run(self):
        while not self.stop.is_set():
            new = self.upload()
            if new is not None:
                self.switch(new)
            if self.number == 0:
                self.request()


def assert_whole(bed):
    """Rows that belong together are there together, and keyd has what rows say."""
    assert bed.rows("PRAGMA integrity_check") == [("ok",)]
    assert bed.rows("PRAGMA foreign_key_check") == []
    for what, table in (("chain", "certificate_chain"), ("names", "certificate_hostname"),
                        ("words", "certificate_word")):
        assert bed.rows(f"SELECT id FROM certificate WHERE id NOT IN"
                        f" (SELECT certificate FROM {table})") == [], f"without {what}"
        assert bed.rows(f"SELECT certificate FROM {table} WHERE certificate NOT IN"
                        f" (SELECT id FROM certificate)") == [], f"{what} of none"
    assert bed.rows("SELECT id FROM certificate WHERE key NOT IN (SELECT id FROM key)") == []
    assert bed.rows("SELECT hex(id) FROM key WHERE id NOT IN (SELECT key FROM certificate)"
                    " AND id NOT IN (SELECT key FROM request)") == [], "keys that nothing uses"
    assert bed.rows("SELECT resource FROM binding WHERE certificate NOT IN"
                    " (SELECT id FROM certificate) OR resource NOT IN"
                    " (SELECT id FROM resource)") == []
    assert bed.rows("SELECT id FROM resource WHERE https = 1 AND id NOT IN"
                    " (SELECT resource FROM binding)") == []
    rows = {key.hex() for (key,) in bed.rows("SELECT id FROM key")}
    keys = bed.keyd_keys()
    active = {i for i, k in keys.items() if k.state == keys_pb2.KEY_STATE_ACTIVE}
    assert active == rows, "keyd's keys are those that have a row"
    wanted = {(key.hex(), group) for key, group in bed.rows(
        "SELECT c.key, b.edge_group FROM binding b JOIN certificate c ON c.id = b.certificate"
        " WHERE b.edge_group <> '' UNION SELECT c.key, t.edge_group FROM retirement t"
        " JOIN certificate c ON c.id = t.certificate")}
    kept = {(key.hex(), group) for key, group in bed.rows(
        "SELECT key, edge_group FROM grant_ WHERE wanted = 1 AND granted = 1")}
    assert kept == wanted
    assert {g for g in bed.keyd_grants() if g[0] in active} == wanted, "keyd's grants"


def test_a_certd_that_is_killed_at_work_leaves_nothing_half_done(bed):
    stop, chance = threading.Event(), random.Random(4)
    writers = [Writer(bed, n, stop) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(KILLS):
            # While all are at it, each time somewhere else.
            before = sum(w.acts() for w in writers)
            wait_for("acts are done", lambda: sum(w.acts() for w in writers) > before)
            time.sleep(chance.uniform(0, 0.1))
            bed.daemons["certd"].kill()
            bed.start_certd()
        wait_for("each act was done", lambda: all(
            sum(w.done[what] for w in writers) > 0 for what in writers[0].done), 60)
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert [w for writer in writers for w in writer.wrong] == []

    # What was asked of keyd when certd died is looked after once keyd must be done with
    # it, after 90 s; it counts as asked longer ago.
    bed.daemons["certd"].stop()
    with sqlite3.connect(bed.dir / "certd/certd.db") as db:
        db.execute("UPDATE key_intent SET since_s = since_s - 1000")
    db.close()
    bed.start_certd()
    wait_for("all is settled", lambda: bed.call("Status", "Get").pending_grants == 0 and bed.rows(
        "SELECT (SELECT count(*) FROM key_intent) + (SELECT count(*) FROM key_doomed)") == [(0,)],
        120)
    assert_whole(bed)
    # Each resource serves one certificate, or was never switched.
    assert {n for (n,) in bed.rows(
        "SELECT count(b.slot) FROM resource r LEFT JOIN binding b ON b.resource = r.id"
        " GROUP BY r.id")} <= {0, 1}
