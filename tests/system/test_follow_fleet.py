# SPDX-License-Identifier: Apache-2.0
"""Twenty edges, stock nginx before them: one command, and all of them serve the new leaf."""

import threading
import time

import pytest

from bed import wait_for
from certd_bed import FollowBed
from certs import Pki

EDGES = 20
HOST = "shop.example.com"
LIVE = 2


@pytest.fixture(scope="module")
def bed():
    b = FollowBed(edges=EDGES)
    b.up()
    b.pki = Pki()
    b.cli("account", "create", "acme")
    for name in b.names:
        b.start_edge(name)
    b.first = add(b)
    b.json("resource", "create", "shop", HOST, "--account", "acme", "--cert", b.first["id"])
    b.publish(HOST)
    wait_for("all serve it", lambda: b.converged("shop"), 120)
    yield b
    b.close()


def add(bed):
    key, leaf = bed.pki.leaf(HOST)
    chain, private = bed.pki.files(bed.dir / "up", "shop", key, leaf)
    return bed.json("cert", "upload", chain, private, "--account", "acme")["certificate"]


def serve(bed, fingerprint):
    return [name for name in bed.names if bed.served(name, HOST) == fingerprint]


@pytest.mark.feature("C09")
@pytest.mark.feature("C10")
def test_a_switch_reaches_all_of_twenty_edges_and_unlocks_the_old_one(bed, record_property):
    assert serve(bed, bed.first["fingerprint"]) == bed.names
    new = add(bed)
    refused, stop = [], threading.Event()

    def try_to_delete():
        """Whenever it is refused, some edge was not seen yet."""
        while not stop.is_set():
            found = bed.json("resource", "show", "shop")["convergence"]
            done = bed.run("cert", "delete", bed.first["id"])
            if done.returncode == 0:
                return
            refused.append((found["percent"], done.stderr))
    began = time.monotonic()
    bed.json("cert", "replace", bed.first["id"], new["id"])
    thread = threading.Thread(target=try_to_delete)
    thread.start()
    try:
        wait_for("all serve it", lambda: serve(bed, new["fingerprint"]) == bed.names, 120)
        served = time.monotonic()
        found = wait_for("all were seen", lambda: bed.converged("shop"), 120)
        seen = time.monotonic()
        thread.join(60)
    finally:
        stop.set()
        thread.join()
    print(f"{EDGES} edges: served after {served - began:.1f} s, seen after {seen - began:.1f} s")
    record_property("replace_20_edges_s", served - began)
    assert found == {"edges": EDGES, "applied": EDGES, "served": EDGES, "percent": 100}
    assert all("edge" in said for _, said in refused), refused
    shown = bed.run("cert", "show", bed.first["id"])
    assert shown.returncode == 4, "the old one was deleted once all were seen"
    status = bed.call("Status", "Get")
    assert (status.edges_live, status.edges_held_back) == (EDGES, 0)
    edges = bed.call("Edges", "List").edges
    assert [e.name for e in edges] == sorted(bed.names)
    assert {(e.state, e.sites, e.served) for e in edges} == {(LIVE, 1, 1)}


def test_edges_that_were_away_meanwhile_get_everything(bed):
    gone = bed.names[1::2]
    for name in gone:
        bed.daemons[f"edged-{name}"].kill()
    old = bed.json("resource", "show", "shop")["certificates"][0]["id"]
    new = add(bed)
    bed.json("cert", "replace", old, new["id"])
    wait_for("the others serve it", lambda: len(serve(bed, new["fingerprint"])) == EDGES // 2, 120)
    wait_for("and were seen", lambda: bed.json("resource", "show", "shop")["convergence"][
        "served"] == EDGES // 2, 60)
    refused = bed.run("cert", "delete", old)
    assert refused.returncode == 1 and f"{EDGES // 2} edges were not yet seen" in refused.stderr
    for name in gone:
        bed.start_edge(name)
    wait_for("all serve it", lambda: serve(bed, new["fingerprint"]) == bed.names, 120)
    wait_for("all were seen", lambda: bed.converged("shop"), 120)
    assert bed.json("cert", "delete", old)["key_destroyed"]
