# SPDX-License-Identifier: Apache-2.0
"""Edges follow certd: files laid, web server reloaded, what is served proven."""

import os
import pathlib
import shutil
import signal
import sqlite3
import ssl
import threading
import time

import pytest

from bed import children, wait_for
from certd_bed import FollowBed
from certs import Pki, pem

HOST = "shop.example.com"


@pytest.fixture(scope="module")
def bed():
    b = FollowBed(edges=2)
    b.up()
    b.pki = Pki()
    b.cli("account", "create", "acme")
    for name in b.names:
        b.start_edge(name)
    b.first = add(b, HOST, "www.shop.example.com")
    b.json("resource", "create", "shop", HOST, "www.shop.example.com", "--account", "acme",
           "--cert", b.first["id"])
    b.publish(HOST, "www.shop.example.com")
    yield b
    b.close()


def add(bed, *hosts, **kw):
    key, leaf = bed.pki.leaf(*hosts, **kw)
    chain, private = bed.pki.files(bed.dir / "up", hosts[0].replace("*", "_"), key, leaf)
    certificate = bed.json("cert", "upload", chain, private, "--account", "acme")["certificate"]
    private.unlink()
    return certificate


def assert_not_signed(bed, host, certificate):
    """No handshake comes to its end with this certificate."""
    with pytest.raises((ssl.SSLError, OSError)):
        assert bed.served("e1", host) == certificate["fingerprint"], "another site was served"


def bound(bed, resource="shop"):
    return [c["id"] for c in bed.json("resource", "show", resource)["certificates"]]


@pytest.mark.feature("C10")
def test_a_bound_certificate_is_served_and_seen_to_be(bed):
    found = wait_for("both edges were seen serving it", lambda: bed.converged("shop"), 60)
    assert found == {"edges": 2, "applied": 2, "served": 2, "percent": 100}
    for name in bed.names:
        assert bed.served(name, HOST) == bed.first["fingerprint"]
        live = bed.live(name, HOST)
        assert "HOLDFAST KEY" in (live / "privkey.pem").read_text()
        assert (live / "fullchain.pem").read_text().count("BEGIN CERTIFICATE") == 2
    shown = bed.json("edge", "show", "e1")
    assert shown["state"] == "live" and shown["served"] == shown["sites"] and not shown["behind"]
    assert "100 %" in bed.cli("resource", "show", "shop")
    assert "live" in bed.cli("edge", "list")


@pytest.mark.feature("C09")
@pytest.mark.feature("C10")
def test_a_switch_reaches_every_edge_and_unlocks_the_deletion_of_the_old(bed):
    old = bound(bed)[0]
    new = add(bed, HOST, "www.shop.example.com")
    # While an edge's web server does not show it, the old one stays.
    bed.daemons["nginx"].process.send_signal(signal.SIGSTOP)
    stopped = list(children(bed.daemons["nginx"].pid))
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        done = bed.json("cert", "replace", old, new["id"])
        assert [r["name"] for r in done["resources"]] == ["shop"]
        wait_for("the files are there", lambda: all(
            "applied" in bed.json("resource", "show", "shop")["convergence"] and
            bed.json("resource", "show", "shop")["convergence"]["applied"] == 2 for _ in (1,)))
        refused = bed.run("cert", "delete", old)
        assert refused.returncode == 1 and "edge" in refused.stderr
        key = bed.json("cert", "show", old)["key"]["id"]
        assert "edge/@standard" in [g["identity"] for g in bed.json(
            "key", "show", key)["grants"]], "the old key signs until the new one is seen"
    finally:
        for pid in [*stopped, bed.daemons["nginx"].pid]:
            os.kill(pid, signal.SIGCONT)
    wait_for("both serve the new one", lambda: all(
        bed.served(n, HOST) == new["fingerprint"] for n in bed.names))
    wait_for("and were seen", lambda: bed.converged("shop"), 60)
    wait_for("the old key's right is taken back", lambda: "edge/@standard" not in [
        g["identity"] for g in bed.json("key", "show", key)["grants"]])
    assert bed.json("cert", "delete", old)["key_destroyed"]


def test_no_handshake_fails_during_a_switch(bed):
    errors, good, stop = [], [0], threading.Event()

    def load():
        while not stop.is_set() and good[0] < 5000:
            try:
                bed.served("e1", HOST)
                good[0] += 1
            except OSError as error:
                errors.append(repr(error))
    thread = threading.Thread(target=load)
    thread.start()
    try:
        for _ in range(3):
            old = bound(bed)[0]
            new = add(bed, HOST, "www.shop.example.com")
            bed.json("cert", "replace", old, new["id"])
            wait_for("it is served", lambda: bed.served("e1", HOST) == new["fingerprint"])
            wait_for("and seen", lambda: bed.converged("shop"), 60)
            bed.json("cert", "delete", old)
    finally:
        stop.set()
        thread.join(90)
    assert errors == [] and good[0] > 20


def test_rsa_and_ecdsa_are_served_together(bed):
    host = "dual.example.com"
    ec, rsa = add(bed, host), add(bed, host, kind="rsa")
    bed.json("resource", "create", "dual", host, "--account", "acme", "--cert",
             f"{ec['id']},{rsa['id']}")
    bed.publish(host)
    wait_for("both kinds were seen", lambda: bed.converged("dual"), 60)
    assert bed.served("e1", host) == ec["fingerprint"]
    assert bed.served("e1", host, rsa=True) == rsa["fingerprint"]


@pytest.mark.feature("X04")
def test_unbinding_takes_the_permission_away_at_once(bed):
    host = "gone.example.com"
    c = add(bed, host)
    bed.json("resource", "create", "gone", host, "--account", "acme", "--cert", c["id"])
    bed.publish(host)
    wait_for("it is served", lambda: bed.served("e1", host) == c["fingerprint"])
    assert bed.json("resource", "unbind", "gone")["permission_trouble"] == ""
    # The files may still be loaded; the signature is refused.
    assert_not_signed(bed, host, c)
    # The log comes after the alert.
    wait_for("nginx says why", lambda: "PERMISSION_DENIED" in bed.nginx_errors())
    assert bed.served("e1", HOST), "and only for this one"
    bed.json("resource", "bind", "gone", c["id"])
    wait_for("bound again it serves again", lambda: bed.served("e1", host) == c["fingerprint"])


@pytest.mark.feature("X04")
def test_only_edges_of_the_resources_group_may_sign(bed):
    host = "placed.example.com"
    c = add(bed, host)
    bed.json("resource", "create", "placed", host, "--account", "acme", "--cert", c["id"])
    bed.publish(host)
    wait_for("it is served", lambda: bed.served("e1", host) == c["fingerprint"])
    # The signing edge is moved out of the group: nothing of it may be signed there any more.
    bed.cli("edge", "group", "e1", "elsewhere")
    try:
        assert_not_signed(bed, host, c)
    finally:
        bed.cli("edge", "group", "e1", "standard")
    wait_for("back in the group it serves", lambda: bed.served("e1", host) == c["fingerprint"])
    wait_for("it follows again", lambda: bed.converged("placed"), 90)


def test_with_certd_down_edges_keep_serving_and_survive_their_own_restart(bed):
    fingerprint = bed.served("e1", HOST)
    bed.daemons["certd"].stop()
    try:
        bed.daemons["edged-e1"].stop()
        bed.daemons["nginx"].stop()
        bed.start_edge("e1")
        bed.start_nginx()
        wait_for("it serves", lambda: bed.served("e1", HOST) == fingerprint)
    finally:
        bed.start_certd()
    new = add(bed, HOST, "www.shop.example.com")
    bed.json("cert", "replace", bound(bed)[0], new["id"])
    wait_for("it follows again", lambda: bed.served("e1", HOST) == new["fingerprint"], 60)


def test_a_resource_that_is_deleted_leaves_no_permission_behind(bed):
    host = "deleted.example.com"
    c = add(bed, host)
    bed.json("resource", "create", "deleted", host, "--account", "acme", "--cert", c["id"])
    bed.publish(host)
    wait_for("it is served", lambda: bed.served("e1", host) == c["fingerprint"])
    said = bed.cli("resource", "delete", "deleted")
    assert "no edge may sign for it any more" in said
    assert_not_signed(bed, host, c)
    bed.hosts.remove(host)
    bed.reload_nginx()


def test_a_restored_database_rolls_no_edge_back_silently(bed):
    wait_for("all is well", lambda: bed.converged("shop"), 60)
    old = bed.json("resource", "show", "shop")["certificates"][0]["fingerprint"]
    backup = bed.dir / "backup.db"
    done = bed.run_certd("backup", "-o", backup)
    assert done.returncode == 0, done.stdout + done.stderr
    new = add(bed, HOST, "www.shop.example.com")
    bed.json("cert", "replace", bound(bed)[0], new["id"])
    wait_for("it is served", lambda: bed.served("e1", HOST) == new["fingerprint"])
    wait_for("and seen", lambda: bed.converged("shop"), 60)
    # The database of before is put back, as after a lost disk.
    bed.daemons["certd"].stop()
    for path in (bed.dir / "certd").glob("certd.db*"):
        path.unlink()
    shutil.copy(backup, bed.dir / "certd/certd.db")
    (bed.dir / "certd/certd.db").chmod(0o600)
    bed.start_certd()
    # It goes on, and comes to numbers that the edges know with other contents.
    for _ in range(3):
        bed.json("resource", "create", f"later-{time.monotonic_ns()}",
                 f"l{time.monotonic_ns()}.example.com", "--account", "acme", "--plain-http")
    for name in bed.names:
        wait_for(f"{name} is held back", lambda n=name: bed.json(
            "edge", "show", n)["state"] == "held_back", 60)
        assert bed.served(name, HOST) == new["fingerprint"], "it keeps what it has"
    assert "HELD BACK" in bed.cli("edge", "show", "e1")
    bed.cli("edge", "resync")
    wait_for("the edges follow the database, as they were told to", lambda: all(
        bed.served(n, HOST) == old for n in bed.names), 60)
    wait_for("and are seen", lambda: bed.converged("shop"), 60)


def test_the_hook_runs_once_for_a_burst(bed):
    wait_for("all is quiet", lambda: bed.converged("shop"), 60)
    runs = pathlib.Path(bed.dir / "hooks")
    time.sleep(1)
    before = runs.read_text().count(" e2\n")
    hosts = [f"burst{i}.example.com" for i in range(20)]
    c = add(bed, *hosts)
    for host in hosts:
        bed.call("Resources", "Create", account="acme", name=host.split(".")[0],
                 hostnames=[host], certificates=[int(c["id"])])
    wait_for("all files are there", lambda: all(
        bed.live("e2", h).exists() for h in hosts), 60)
    wait_for("the hook has run", lambda: runs.read_text().count(" e2\n") > before)
    time.sleep(1)
    assert runs.read_text().count(" e2\n") - before < len(hosts)


def test_certd_refuses_an_edge_that_keyd_has_quarantined(bed):
    bed.cli("edge", "quarantine", "e2", "--reason", "test")
    try:
        wait_for("it is shown", lambda: bed.json(
            "edge", "show", "e2")["state"] == "quarantined", 90)
        new = add(bed, HOST, "www.shop.example.com")
        bed.json("cert", "replace", bound(bed)[0], new["id"])
        wait_for("the other one follows", lambda: bed.served("e1", HOST) == new["fingerprint"])
        assert (bed.live("e2", HOST) / "fullchain.pem").read_text() != pem_of(bed, new)
        wait_for("it does not count", lambda: bed.json("resource", "show", "shop")[
            "convergence"]["edges"] == 1)
    finally:
        bed.cli("edge", "release", "e2")
    wait_for("released it follows", lambda: bed.converged("shop"), 120)


def was_heard(bed, name, ago_s):
    """certd heard of that edge so long ago, and not since."""
    with sqlite3.connect(bed.dir / "certd/certd.db", timeout=30) as db:
        db.execute("UPDATE edge SET last_seen_s = ? WHERE name = ?",
                   (int(time.time()) - ago_s, name))
    db.close()
    return True


def may_sign(bed, key):
    return (key, "standard") in bed.keyd_grants()


@pytest.mark.feature("C10")
def test_an_edge_that_stays_away_holds_up_nothing_and_gets_everything_when_it_is_back(bed):
    wait_for("all is well", lambda: bed.converged("shop"), 60)
    bed.daemons["edged-e2"].kill()
    old = bed.json("cert", "show", bound(bed)[0])
    new = add(bed, HOST, "www.shop.example.com")
    bed.json("cert", "replace", old["id"], new["id"])
    wait_for("the other one serves it", lambda: bed.served("e1", HOST) == new["fingerprint"])
    # certd itself must have run for two minutes before it concludes that one is away.
    found = wait_for("it does not count", lambda: was_heard(bed, "e2", 600) and (
        lambda c: c["edges"] == 1 and c["percent"] == 100 and c)(
            bed.json("resource", "show", "shop")["convergence"]), 300)
    assert found["served"] == 1 and bed.json("edge", "show", "e2")["state"] != "held_back"
    assert bed.json("cert", "show", old["id"])["waiting_edges"] == 0, "the old one may be deleted"
    # It may serve the old one still, and may do so for a day.
    assert may_sign(bed, old["key"]["id"]) and may_sign(bed, new["key"]["id"])
    was_heard(bed, "e2", 2 * 86400)
    bed.json("resource", "set", "shop", "--hostnames",
             f"{HOST},www.shop.example.com,later.shop.example.com", "--cert",
             add(bed, HOST, "www.shop.example.com", "later.shop.example.com")["id"])
    wait_for("after a day the right is gone", lambda: not may_sign(bed, old["key"]["id"]), 90)
    assert bed.json("cert", "delete", old["id"])["key_destroyed"]
    bed.start_edge("e2")
    wait_for("back, it has everything", lambda: bed.converged("shop"), 90)
    live = bed.live("e2", "later.shop.example.com")
    assert (live / "fullchain.pem").read_text() == bed.json("cert", "show", bound(bed)[0])[
        "chain_pem"]


def pem_of(bed, certificate):
    return bed.json("cert", "show", certificate["id"])["chain_pem"]
