# SPDX-License-Identifier: Apache-2.0
"""Stock HAProxy as the web server of an edge that follows certd: its runtime API, its
reload, and two kinds of keys for a host."""

import os
import re
import signal
import ssl
import threading
import urllib.request

import pytest

from bed import Daemon, children, free_port, wait_for
from certd_bed import FollowBed
from certs import Pki

HOST = "shop.example.com"


class HaproxyBed(FollowBed):
    def __init__(self):
        super().__init__()
        self.admin = self.dir / "haproxy.sock"
        self.edge_metrics = free_port()
        self.edge_lines = f"""\
haproxy:
  socket: {self.admin}
metrics_listen: 127.0.0.1:{self.edge_metrics}
"""
        # A reload, as `systemctl reload haproxy` does it.
        self.hook.write_text(f"""#!/bin/sh
echo "$1" >> {self.dir}/hooks
pid=$(cat {self.dir}/haproxy.pid 2>/dev/null) || exit 0
kill -USR2 "$pid"
""")

    def folder(self):
        return self.dir / "edge-e1/files/haproxy"

    def start_haproxy(self):
        """As docs/examples/haproxy.cfg has it, for the user that edged.sock is for."""
        user = "user www-data\n  group www-data" if os.geteuid() == 0 else ""
        conf = self.dir / "haproxy.cfg"
        conf.write_text(f"""\
global
  {user}
  maxconn 600
  ssl-mode-async
  stats socket {self.admin} mode 600 level admin expose-fd listeners
  tune.bufsize 32768
  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
  ssl-default-bind-ciphers ECDHE:!aNULL:!SHA1
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 5s
frontend https
  maxconn 400
  bind 127.0.0.1:{self.ports["e1"]} ssl crt {self.folder()}
  http-request return status 200 content-type text/plain string "ok\\n"
""")
        haproxy = Daemon("haproxy", ["/usr/sbin/haproxy", "-W", "-db", "-f", conf],
                         self.dir / "haproxy.log",
                         dict(self.env, OPENSSL_CONF=str(self.openssl_conf())))
        self.daemons["haproxy"] = haproxy
        haproxy.start()
        wait_for("HAProxy listens", lambda: self._listens(haproxy, self.ports["e1"]))
        (self.dir / "haproxy.pid").write_text(f"{haproxy.pid}\n")

    def serving(self):
        return set(children(self.daemons["haproxy"].pid))

    def reloads(self):
        """How often the hook ran, and how many hosts the runtime API took."""
        url = f"http://127.0.0.1:{self.edge_metrics}/metrics"
        with urllib.request.urlopen(url, timeout=60) as reply:
            page = reply.read().decode()
        return tuple(int(re.search(rf'edged_hook_runs_total{{result="{what}"}} (\d+)',
                                   page).group(1)) for what in ("ok", "haproxy"))

    def close(self):
        if "haproxy" in self.daemons:
            self.daemons["haproxy"].stop()
        super().close()


@pytest.fixture(scope="module")
def bed():
    b = HaproxyBed()
    b.up()
    b.pki = Pki()
    b.cli("account", "create", "acme")
    b.start_edge("e1")
    b.first = add(b, HOST)
    b.json("resource", "create", "shop", HOST, "--account", "acme", "--cert", b.first["id"])
    wait_for("the files are there", lambda: (b.folder() / f"{HOST}.pem").exists())
    b.start_haproxy()
    yield b
    b.close()


def add(bed, *hosts, **kw):
    key, leaf = bed.pki.leaf(*hosts, **kw)
    chain, private = bed.pki.files(bed.dir / "up", hosts[0], key, leaf)
    return bed.json("cert", "upload", chain, private, "--account", "acme")["certificate"]


def converged(bed, name):
    return bed.json("resource", "show", name)["convergence"]["percent"] == 100


@pytest.mark.feature("X02")
@pytest.mark.feature("C10")
def test_haproxy_serves_what_is_bound_and_is_seen_to(bed):
    wait_for("it is seen", lambda: converged(bed, "shop"), 60)
    assert bed.served("e1", HOST) == bed.first["fingerprint"]
    bundle = (bed.folder() / f"{HOST}.pem").read_text()
    assert bundle.count("BEGIN CERTIFICATE") == 2 and "HOLDFAST KEY" in bundle
    # A real handshake each: no key of that site is in this process or on this disk.
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        site = type("Site", (), {"host": HOST})
        bed.https_port = bed.ports["e1"]
        (bed.dir / "ca.pem").write_bytes(bed.pki.roots_file(bed.dir).read_bytes())
        protocol, page, _ = bed.handshake(site, version)
        assert protocol == version.name.replace("_", ".") and page.endswith("ok\n")


@pytest.mark.feature("C09")
def test_a_switch_comes_by_the_runtime_api_without_a_reload_or_a_failed_handshake(bed):
    wait_for("it is seen", lambda: converged(bed, "shop"), 60)
    workers, (hooks, taken) = bed.serving(), bed.reloads()
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
            old = bed.json("resource", "show", "shop")["certificates"][0]["id"]
            new = add(bed, HOST)
            bed.json("cert", "replace", old, new["id"])
            wait_for("it is served", lambda: bed.served("e1", HOST) == new["fingerprint"])
            wait_for("and seen", lambda: converged(bed, "shop"), 60)
            bed.json("cert", "delete", old)
    finally:
        stop.set()
        thread.join(90)
    assert errors == [] and good[0] > 20
    assert bed.serving() == workers and bed.reloads() == (hooks, taken + 3)


def test_a_new_host_comes_by_a_reload(bed):
    wait_for("it is seen", lambda: converged(bed, "shop"), 60)
    workers, (hooks, taken) = bed.serving(), bed.reloads()
    c = add(bed, "new.example.com")
    bed.json("resource", "create", "new", "new.example.com", "--account", "acme", "--cert",
             c["id"])
    wait_for("it is served", lambda: bed.served("e1", "new.example.com") == c["fingerprint"])
    wait_for("and seen", lambda: converged(bed, "new"), 60)
    assert bed.reloads()[0] > hooks and bed.reloads()[1] == taken
    wait_for("there is another worker", lambda: not bed.serving() & workers)
    # From then on the runtime API knows it.
    hooks, taken = bed.reloads()
    later = add(bed, "new.example.com")
    bed.json("cert", "replace", c["id"], later["id"])
    wait_for("it is served", lambda: bed.served(
        "e1", "new.example.com") == later["fingerprint"])
    wait_for("and seen", lambda: converged(bed, "new"), 60)
    assert bed.reloads() == (hooks, taken + 1)


@pytest.mark.feature("X02")
def test_rsa_and_ecdsa_are_served_together_and_switched_one_by_one(bed):
    host = "dual.example.com"
    ec, rsa = add(bed, host), add(bed, host, kind="rsa")
    bed.json("resource", "create", "dual", host, "--account", "acme", "--cert",
             f"{ec['id']},{rsa['id']}")
    wait_for("both kinds were seen", lambda: converged(bed, "dual"), 60)
    assert bed.served("e1", host) == ec["fingerprint"]
    assert bed.served("e1", host, rsa=True) == rsa["fingerprint"]
    hooks, taken = bed.reloads()
    later = add(bed, host)
    bed.json("cert", "replace", ec["id"], later["id"])
    wait_for("both kinds were seen", lambda: converged(bed, "dual"), 60)
    assert bed.served("e1", host) == later["fingerprint"]
    assert bed.served("e1", host, rsa=True) == rsa["fingerprint"]
    assert bed.reloads() == (hooks, taken + 1)


@pytest.mark.feature("X04")
def test_what_is_unbound_is_signed_for_no_more(bed):
    host = "gone.example.com"
    c = add(bed, host)
    bed.json("resource", "create", "gone", host, "--account", "acme", "--cert", c["id"])
    wait_for("it is served", lambda: bed.served("e1", host) == c["fingerprint"])
    assert bed.json("resource", "unbind", "gone")["permission_trouble"] == ""
    with pytest.raises((ssl.SSLError, OSError)):
        assert bed.served("e1", host) == c["fingerprint"], "another site was served"
    assert bed.served("e1", HOST)


def test_edged_and_haproxy_come_back_each_by_itself(bed):
    wait_for("it is seen", lambda: converged(bed, "shop"), 60)
    bed.daemons["edged-e1"].kill()
    bed.start_edge("e1")
    wait_for("it is served again", lambda: bed.served("e1", HOST))
    # A HAProxy that is away is told by what it reads when it starts.
    bed.daemons["haproxy"].stop(signal.SIGTERM)
    old = bed.json("resource", "show", "shop")["certificates"][0]["id"]
    new = add(bed, HOST)
    bed.json("cert", "replace", old, new["id"])
    bundle = bed.folder() / f"{HOST}.pem"
    chain = bed.json("cert", "show", new["id"])["chain_pem"]
    wait_for("the file is there", lambda: chain.split("-----")[2].strip() in bundle.read_text())
    bed.start_haproxy()
    assert bed.served("e1", HOST) == new["fingerprint"]
    wait_for("it is seen", lambda: converged(bed, "shop"), 90)
