# SPDX-License-Identifier: Apache-2.0
"""Stock nginx serves TLS with keys that only the token holds, also on bad days."""

import hashlib
import ssl
import subprocess
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from bed import wait_for

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def site(bed, name):
    return next(s for s in bed.sites if s.host.startswith(name + "."))


class Load:
    """Handshakes from a few threads until told to stop, bounded in number."""

    def __init__(self, bed, threads=4, most=4000):
        self.bed, self.left = bed, most
        self.good, self.errors = 0, []
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(threads)]

    def run(self, i):
        while not self.stopping.is_set():
            with self.lock:
                self.left -= 1
                if self.left < 0:
                    return
            try:
                self.bed.handshake(self.bed.sites[i % len(self.bed.sites)],
                                   TLS13 if i % 2 else TLS12)
                with self.lock:
                    self.good += 1
            except OSError as error:
                with self.lock:
                    self.errors.append(repr(error))

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for t in self.threads:
            t.join(90)

    def wait_good(self, n):
        start = self.good
        wait_for(f"{n} more handshakes", lambda: self.good >= start + n, 120)


@pytest.mark.feature("X02")
@pytest.mark.parametrize("name", ["ec", "rsa"])
@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_nginx_serves_with_a_key_that_only_the_token_holds(whole_bed, name, version):
    s = site(whole_bed, name)
    protocol, page, leaf = whole_bed.handshake(s, version)
    assert protocol == {TLS12: "TLSv1.2", TLS13: "TLSv1.3"}[version]
    assert f"{protocol} {s.host}" in page
    certificate = x509.load_der_x509_certificate(leaf)
    spki = certificate.public_key().public_bytes(
        encoding=serialization.Encoding.DER,
        format=serialization.PublicFormat.SubjectPublicKeyInfo)
    assert hashlib.sha256(spki).hexdigest() == s.key["id"]
    assert s.key["attributes"] == {
        "sensitive": True, "extractable": False, "always_sensitive": True,
        "never_extractable": True, "local": True}


@pytest.mark.feature("X02")
def test_an_ed25519_key_serves_tls13(whole_bed):
    if not any(s.host.startswith("ed.") for s in whole_bed.sites):
        whole_bed.make_site("ed", "ed25519")
        whole_bed.write_nginx_conf()
        whole_bed.daemons["nginx"].process.send_signal(1)
    s = site(whole_bed, "ed")
    wait_for("nginx serves the new site", lambda: whole_bed.handshake(s, TLS13))


def test_the_key_file_that_nginx_reads_is_public(whole_bed):
    for s in whole_bed.sites:
        text = s.stub.read_text()
        assert "BEGIN HOLDFAST KEY" in text and "PRIVATE" not in text


def test_curl_sees_both_versions(whole_bed):
    s = site(whole_bed, "ec")
    for option in (["--tlsv1.3"], ["--tls-max", "1.2"]):
        done = subprocess.run(
            ["curl", "-sS", "--noproxy", "*", "--max-time", "60", "--cacert", whole_bed.ca(),
             "--resolve", f"{s.host}:{whole_bed.https_port}:127.0.0.1", *option,
             f"https://{s.host}:{whole_bed.https_port}/"],
            capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert s.host in done.stdout


def test_reload_under_load_fails_no_handshake(whole_bed):
    with Load(whole_bed) as load:
        for _ in range(3):
            load.wait_good(20)
            whole_bed.daemons["nginx"].process.send_signal(1)
        load.wait_good(40)
    assert load.errors == []


def test_a_worker_killed_under_load_loses_no_request(whole_bed):
    with Load(whole_bed) as load:
        for lane in (0, 1):
            load.wait_good(30)
            whole_bed.kill_workers([lane])
        load.wait_good(60)
    assert load.errors == []
    wait_for("both lanes are back", whole_bed.lanes_ready)
    assert sum(l["restarts"] for l in whole_bed.lanes()) >= 2


def test_requests_survive_a_restart_of_keyd_within_their_deadline(whole_bed):
    with Load(whole_bed) as load:
        load.wait_good(20)
        whole_bed.daemons["keyd"].stop()
        whole_bed.start_keyd()
        load.wait_good(40)
    assert load.errors == []


def test_with_edged_down_the_reason_is_logged_and_it_recovers(whole_bed):
    s = site(whole_bed, "ec")
    whole_bed.daemons["edged"].stop()
    before = time.monotonic()
    with pytest.raises((ssl.SSLError, OSError)):
        whole_bed.handshake(s, TLS13)
    assert time.monotonic() - before < 30, "a handshake without edged hangs"
    wait_for("nginx says why", lambda: "edged" in whole_bed.nginx_errors())
    reason = [l for l in whole_bed.nginx_errors().splitlines() if "edged" in l][-1]
    assert "not reachable" in reason, reason
    whole_bed.start_edged()
    wait_for("handshakes work again", lambda: whole_bed.handshake(s, TLS13))


def test_with_keyd_down_the_reason_is_logged_and_it_recovers(whole_bed):
    s = site(whole_bed, "ec")
    whole_bed.daemons["keyd"].kill()
    with pytest.raises((ssl.SSLError, OSError)):
        whole_bed.handshake(s, TLS13, timeout=15)
    wait_for("nginx says why", lambda: "keyd" in whole_bed.nginx_errors())
    whole_bed.start_keyd()
    wait_for("handshakes work again", lambda: whole_bed.handshake(s, TLS13))


def test_a_revoked_grant_stops_the_next_handshake_and_nginx_says_so(whole_bed):
    s = site(whole_bed, "ec")
    whole_bed.cli("key", "revoke", "ec", "edge/fra-1")
    with pytest.raises((ssl.SSLError, OSError)):
        whole_bed.handshake(s, TLS13)
    wait_for("nginx says why", lambda: "PERMISSION_DENIED" in whole_bed.nginx_errors())
    whole_bed.cli("key", "grant", "ec", "edge/fra-1", "tls")
    whole_bed.handshake(s, TLS13)


@pytest.mark.parametrize("damage", ["truncated", "foreign key"])
def test_a_damaged_stub_is_refused_at_load_with_a_reason(whole_bed, damage):
    ec = site(whole_bed, "ec")
    bad = whole_bed.dir / "bad.pem"
    text = ec.stub.read_text()
    if damage == "truncated":
        lines = text.splitlines()
        bad.write_text("\n".join([lines[0], lines[1][:40], lines[-1]]) + "\n")
    else:
        # Of the same type: OpenSSL keeps an RSA key beside an EC certificate.
        whole_bed.cli("key", "generate", "foreign")
        whole_bed.cli("key", "stub", "foreign", "-o", bad)
    conf = (whole_bed.dir / "nginx.conf").read_text().replace(str(ec.stub), str(bad))
    test_conf = whole_bed.dir / "bad.conf"
    test_conf.write_text(conf)
    done = subprocess.run(
        ["/usr/sbin/nginx", "-t", "-c", test_conf, "-e", whole_bed.dir / "bad.log"],
        env=dict(whole_bed.env, OPENSSL_CONF=str(whole_bed.openssl_conf())),
        capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    expected = "key values mismatch" if damage == "foreign key" else "stub"
    assert expected in done.stderr, done.stderr
