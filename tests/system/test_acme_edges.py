# SPDX-License-Identifier: Apache-2.0
"""http-01 through the web servers of three edges, stock nginx and HAProxy before edged: the CA
may ask any of them, edges come and go, and what is issued is served before the old is gone."""

import os
import signal

import pytest

from acme_bed import (AWAITING_ISSUE, AWAITING_VERIFY, DONE, KIND_ACME, PROVING, REISSUE,
                      AcmeBed, fingerprint_of, names_of)
from bed import Daemon, children, free_port, wait_for
from wire import keys_pb2

SCHEDULED = keys_pb2.KEY_STATE_SCHEDULED
PATH = "/.well-known/acme-challenge/"
ADDRESSES = {"e1": "127.0.0.1", "e2": "127.0.0.2", "e3": "127.0.0.3"}
HOST, WWW = "shop.example.org", "www.shop.example.org"


class EdgesBed(AcmeBed):
    """The CA asks an edge by its address: e1 and e2 are nginx, e3 is HAProxy for plain HTTP."""

    def __init__(self):
        super().__init__(edges=3, preflight=True)

    def write_nginx_conf(self, workers=1):
        path = super().write_nginx_conf(workers)
        text = path.read_text()
        for name, port in self.http_ports.items():
            line = f"listen 127.0.0.1:{port} default_server;"
            assert line in text
            more = f"\n    access_log {self.dir}/http-{name}.access;"
            if name == "e2":
                more += f"\n    listen {ADDRESSES[name]}:{self.http_port} default_server;"
            text = text.replace(line, line + more)
        path.write_text(text)
        return path

    def start_haproxy(self):
        base, example = self.dir / "haproxy.cfg", self.dir / "haproxy-acme.cfg"
        user = "user www-data\n  group www-data" if os.geteuid() == 0 else ""
        base.write_text(f"""\
global
  {user}
  log {self.dir}/haproxy.sock local0
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 5s
""")
        text = self.acme_example("haproxy-acme.cfg", "e3")
        example.write_text(text.replace("bind :80\n", f"bind 127.0.0.3:{self.http_port}\n"))
        haproxy = Daemon("haproxy", ["/usr/sbin/haproxy", "-db", "-f", base, "-f", example],
                         self.dir / "haproxy.log", self.env)
        self.daemons["haproxy"] = haproxy
        haproxy.start()
        wait_for("HAProxy answers", lambda: self.answer("e3", "test") == "test")

    def up(self):
        super().up()
        self.start_haproxy()
        return self

    def close(self):
        if "haproxy" in self.daemons:
            self.daemons["haproxy"].stop()
        super().close()

    def answer(self, name, token):
        """Of edged itself on that edge; None: it has no such token."""
        status, _, body = self.ask(self.acme_ports[name], HOST, PATH + token)
        return body if status == 200 else None

    def asked(self, name):
        """Paths that were asked for at that edge's nginx."""
        path = self.dir / f"http-{name}.access"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.split('"')[1].split()[1].removeprefix(PATH) for line in lines if PATH in line]

    def send_nginx(self, sig):
        pids = [*children(self.daemons["nginx"].pid), self.daemons["nginx"].pid]
        for pid in pids if sig == signal.SIGSTOP else pids[::-1]:
            os.kill(pid, sig)

    def exists(self, certificate):
        found = self.rows(f"SELECT 1 FROM certificate WHERE id = {certificate}")
        return bool(found)


@pytest.fixture(scope="module")
def bed():
    b = EdgesBed()
    try:
        b.up()
        yield b
    finally:
        b.close()


def in_place(bed, *hostnames):
    """A change whose challenges are put in place, and which waits there."""
    return bed.in_state(bed.enroll(*hostnames, stepwise=True).change.id, AWAITING_VERIFY)


def finished(bed, change):
    """Edges have confirmed when it is taken."""
    wait_for("it is verified", lambda: bed.call("Changes", "Verify", id=change.id))
    bed.in_state(change.id, AWAITING_ISSUE)
    bed.call("Changes", "Issue", id=change.id)
    return bed.ended(change.id, DONE)


@pytest.mark.feature("H05")
def test_the_ca_may_ask_any_edge_and_nothing_is_left_there(bed):
    for name, address in ADDRESSES.items():
        host = f"{name}.example.org"
        bed.pebble.set_a(host, address)
        change = in_place(bed, host)
        challenge = change.challenges[0]
        assert challenge.http_url == f"http://{host}{PATH}{challenge.token}"
        # All of them have it before the CA is told.
        for edge in ADDRESSES:
            wait_for(f"{edge} has it", lambda e=edge: bed.answer(
                e, challenge.token) == challenge.http_body)
            assert bed.answer(edge, challenge.token[:-1]) is None
        done = finished(bed, change)
        assert names_of(bed.certificate(done.certificate)) == {host}
        # nginx keeps who asked where.
        assert [edge for edge in ("e1", "e2") if challenge.token in bed.asked(edge)] == (
            [name] if name != "e3" else [])
        for edge in ADDRESSES:
            wait_for(f"{edge} has forgotten it", lambda e=edge: bed.answer(
                e, challenge.token) is None)


def test_an_edge_that_is_away_does_not_stop_issuance(bed):
    bed.daemons["edged-e2"].stop()
    try:
        bed.obtain("away.example.org")
    finally:
        bed.start_edge("e2")


@pytest.mark.feature("A04")
def test_edges_that_come_while_a_challenge_is_in_place_answer_it(bed):
    """One that was away, and one that is new, of another group: all count for a certificate
    without a resource.  certd is started anew between."""
    bed.daemons["edged-e2"].stop()
    change = in_place(bed, "joins.example.org")
    challenge = change.challenges[0]
    bed.start_edge("e2")
    wait_for("e2 answers", lambda: bed.answer("e2", challenge.token) == challenge.http_body, 60)
    bed.restart_certd()
    for ports in (bed.ports, bed.acme_ports):
        ports["e4"] = free_port()
    bed.start_edge("e4", group="elsewhere")
    for edge in (*ADDRESSES, "e4"):
        wait_for(f"{edge} answers", lambda e=edge: bed.answer(
            e, challenge.token) == challenge.http_body, 60)
    finished(bed, change)
    bed.daemons["edged-e4"].stop()


@pytest.mark.feature("V01")
@pytest.mark.feature("C16")
@pytest.mark.feature("C20")
@pytest.mark.feature("V02")
def test_a_host_name_is_all_it_takes_until_edges_serve_it(bed):
    """The CNAME leads to the resource's own target, as customers put it."""
    shop = bed.json("resource", "create", "shop", HOST, "--account", "acme")["resource"]
    bed.pebble.set_cname(HOST, shop["target"])
    change = bed.in_state(bed.changes(resource=int(shop["id"]))[0].id, PROVING)
    wait_for("it says how far it is", lambda: bed.change(
        change.id).doing == "0 of 3 edges serve it")
    bed.publish(HOST)
    done = bed.ended(change.id, DONE)
    assert bed.converged("shop")
    # Each edge has looked at its own way of http-01, too.
    wait_for("all of them have", lambda: "3 of 3 live edges have looked, 0 in vain" in bed.cli(
        "diagnose", HOST), 60)
    leaf = fingerprint_of(bed.certificate(done.certificate))
    for name in bed.names:
        assert bed.served(name, HOST) == leaf
    assert [c["id"] for c in bed.json("resource", "show", "shop")["certificates"]] == [
        done.certificate]
    assert bed.call("Certificates", "Get", id=done.certificate).kind == KIND_ACME


@pytest.mark.feature("C10")
@pytest.mark.feature("C21")
def test_the_old_certificate_and_its_key_go_when_all_edges_serve_the_new(bed):
    """A host name comes; nginx stands still meanwhile, and HAProxy answers the CA."""
    shop = bed.json("resource", "show", "shop")
    old = bed.call("Certificates", "Get", id=int(shop["certificates"][0]["id"]))
    for host in (HOST, WWW):
        bed.pebble.clear_cname(host)
        bed.pebble.set_a(host, ADDRESSES["e3"])
    bed.send_nginx(signal.SIGSTOP)
    try:
        bed.json("resource", "set", "shop", "--hostnames", f"{HOST},{WWW}")
        change = bed.in_state(bed.changes(resource=int(shop["id"]))[0].id, PROVING)
        assert change.kind == REISSUE and change.replaces == old.id
        wait_for("edges have its files", lambda: bed.json(
            "resource", "show", "shop")["convergence"]["applied"] == len(bed.names))
        # Nobody has seen it: the old one is there, and may be signed with.
        assert bed.change(change.id).state == PROVING
        assert bed.call("Certificates", "Get", id=old.id).id == old.id
        assert old.key.id in bed.keyd_keys()
        assert (old.key.id, "standard") in bed.keyd_grants()
    finally:
        bed.send_nginx(signal.SIGCONT)
    bed.publish(WWW)
    done = bed.ended(change.id, DONE)
    leaf = fingerprint_of(bed.certificate(done.certificate))
    for name in bed.names:
        assert {bed.served(name, host) for host in (HOST, WWW)} == {leaf}
    wait_for("the old one is gone", lambda: bed.refusal(
        "Certificates", "Get", id=old.id)[0] == "NOT_FOUND")
    # keyd destroys it after its delay; nobody may use it from now on.
    wait_for("its key is on its way out", lambda: bed.keyd_keys()[
        old.key.id].state == SCHEDULED)
    assert (old.key.id, "standard") not in bed.keyd_grants()
