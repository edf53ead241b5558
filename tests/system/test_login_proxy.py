# SPDX-License-Identifier: Apache-2.0
"""Logging in behind a reverse proxy: stock nginx and HAProxy as the examples have them.

certd speaks plain HTTP on loopback and trusts 127.0.0.1, from where both proxies come to it.
Browsers come from other addresses of loopback.
"""

import http.client
import os
import ssl

import pytest

from bed import DOMAIN, TOP, Daemon, free_port, wait_for
from certd_bed import ENGINEER, CertdBed
from certs import Pki
from test_login import COOKIE, PASSWORD, Browser, _Https, history

HOST = f"certd.{DOMAIN}"
APPEND = ("proxy_set_header X-Forwarded-For $remote_addr;",
          "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;")
FORWARDED = ("proxy_set_header X-Forwarded-For $remote_addr;",
             'proxy_set_header Forwarded "for=$remote_addr;proto=$scheme";')


class ProxyBed(CertdBed):
    rest_lines = "  tls: off\n  trusted_proxies: [127.0.0.1]\n"

    def example(self, name, *changes):
        """One of docs/examples, for the ports and files here; and more that differs."""
        text = (TOP / "docs/examples" / name).read_text()
        for old, new in (("127.0.0.1:7446", f"127.0.0.1:{self.rest_port}"), *changes):
            assert old in text, old
            text = text.replace(old, new)
        path = self.dir / name
        path.write_text(text)
        return path

    def make_certificate(self):
        pki = Pki()
        key, leaf = pki.leaf(HOST)
        self.pem, self.key = pki.files(self.dir, "front", key, leaf)
        self.roots = pki.roots_file(self.dir)
        both = self.dir / "front-both.pem"
        both.write_text(self.pem.read_text() + self.key.read_text())
        return both

    def start_nginx(self, *changes):
        """A port of its own, with the example changed so; the port."""
        port = free_port()
        example = self.example(
            "nginx-console.conf", ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
            ("\tlisten [::]:443 ssl;\n", ""), ("certs.example.net;", f"{HOST};"),
            ("/etc/nginx/certs.example.net.pem", str(self.pem)),
            ("/etc/nginx/certs.example.net.key", str(self.key)), *changes)
        name = f"nginx-{port}"
        temp = " ".join(f"{kind}_temp_path {self.dir}/{name}-{kind};" for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf = self.dir / f"{name}.conf"
        user = "user www-data;" if os.geteuid() == 0 else ""
        conf.write_text(f"""\
{user}
daemon off;
worker_processes 1;
pid {self.dir}/{name}.pid;
error_log {self.dir}/{name}.error.log info;
events {{ worker_connections 256; }}
http {{
  access_log off;
  {temp}
{example.read_text()}
}}
""")
        return self.front(name, port, "/usr/sbin/nginx", "-c", conf, "-e",
                          self.dir / f"{name}.error.log")

    def start_haproxy(self, pem):
        port, base = free_port(), self.dir / "haproxy.cfg"
        user = "user www-data\n  group www-data" if os.geteuid() == 0 else ""
        base.write_text(f"""\
global
  {user}
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
""")
        example = self.example(
            "haproxy-console.cfg", ("bind :443 ", f"bind 127.0.0.1:{port} "),
            ("/etc/haproxy/certs.example.net.pem", str(pem)))
        return self.front("haproxy", port, "/usr/sbin/haproxy", "-db", "-f", base, "-f", example)

    def front(self, name, port, *command):
        proxy = Daemon(name, command, self.dir / f"{name}.log", self.env)
        self.daemons[name] = proxy
        proxy.start()
        wait_for(f"{name} listens", lambda: self._listens(proxy, port))
        return port

    def up(self):
        super().up()
        pem = self.make_certificate()
        self.ports = {"nginx": self.start_nginx(), "append": self.start_nginx(APPEND),
                      "haproxy": self.start_haproxy(pem)}
        return self

    def close(self):
        for name, proxy in self.daemons.items():
            if name.startswith(("nginx-", "haproxy")):
                proxy.stop()
        super().close()


class ProxiedBrowser(Browser):
    """One that comes to a proxy, from an address."""

    def __init__(self, bed, front, source="127.0.0.1"):
        self.bed, self.cookie, self.csrf = bed, None, None
        context = ssl.create_default_context(cafile=str(bed.roots))
        self.connection = _Https("127.0.0.1", bed.ports[front], context=context, timeout=60,
                                 source_address=(source, 0))


@pytest.fixture(scope="module")
def bed():
    b = ProxyBed().up()
    b.make_account("acme")
    yield b
    b.close()


def make_user(bed, email):
    user = bed.call("Users", "Create", account="acme", email=email, role=ENGINEER)
    browser = ProxiedBrowser(bed, "nginx", "127.0.0.9")
    code, session = browser.use_link(bed.call("Sessions", "MakeLink", user_id=user.id).secret)
    assert code == 201, session
    assert browser.ask("POST", "/v1/session:password", {"new": PASSWORD})[0] == 200
    return user.id


def guess(browser, email, **headers):
    """Answers to wrong passwords until one must wait, of eight at most."""
    codes = [browser.ask("POST", "/v1/sessions", {"email": email, "password": f"wrong one {n}"},
                         **headers)[0] for n in range(8)]
    assert codes[:5] == [401] * 5, codes
    return 429 in codes


def log_in_events(bed, email):
    return [e.detail for e in history(bed, "acme") if e.act == "logged in" and email in e.actor]


FORGED = dict(X_Forwarded_For="203.0.113.50", Forwarded="for=203.0.113.51;proto=https",
              X_Real_IP="203.0.113.52")


@pytest.mark.parametrize("front", ["nginx", "append", "haproxy"])
def test_behind_a_proxy_browsers_are_throttled_apart(bed, front):
    email = f"{front}@acme.test"
    make_user(bed, email)
    guesser = ProxiedBrowser(bed, front, "127.0.0.2")
    assert guess(guesser, email)
    code, problem = guesser.log_in(email)  # the right one, too late
    assert code == 429 and "wait" in problem["detail"]
    # Nor does another address in the header help, whoever wrote it.
    code, problem = guesser.ask(
        "POST", "/v1/sessions", {"email": email, "password": PASSWORD}, **FORGED)
    assert code == 429, problem
    owner = ProxiedBrowser(bed, front, "127.0.0.3")
    assert owner.log_in(email)[0] == 201
    # The proxy said that it does TLS; no console.url is needed for it.
    assert owner.line.startswith(f"{COOKIE}=") and owner.line.endswith("; Secure")
    code, sessions = owner.ask("GET", "/v1/sessions")
    assert code == 200 and [s["address"] for s in sessions["sessions"] if s.get("current")] == [
        "127.0.0.3"]
    assert log_in_events(bed, email)[0].endswith(", from 127.0.0.3")
    refused = [e for e in history(bed, "acme")
               if e.act == "log-in refused" and e.detail.startswith(email)]
    assert len(refused) == 1 and "127.0.0.2" in refused[0].detail, refused


@pytest.mark.parametrize("front", ["nginx", "append", "haproxy"])
def test_what_a_browser_writes_of_its_address_changes_nothing(bed, front):
    email = f"forger-{front}@acme.test"
    make_user(bed, email)
    browser = ProxiedBrowser(bed, front, "127.0.0.4")
    code, session = browser.ask(
        "POST", "/v1/sessions", {"email": email, "password": PASSWORD}, **FORGED)
    assert code == 201, session
    assert log_in_events(bed, email)[0].endswith(", from 127.0.0.4")


class _Plain(Browser):
    """One that comes to certd itself, without TLS."""

    def __init__(self, bed, source):
        self.bed, self.cookie, self.csrf = bed, None, None
        self.connection = http.client.HTTPConnection(
            "127.0.0.1", bed.rest_port, timeout=60, source_address=(source, 0))

    def ask(self, verb, path, body=None, **more):
        host = f"{HOST}:{self.bed.rest_port}"
        return super().ask(verb, path, body, **{"Origin": f"http://{host}", **more})


def test_a_header_of_an_untrusted_peer_changes_nothing(bed):
    make_user(bed, "direct@acme.test")
    guesser = _Plain(bed, "127.0.0.5")
    assert guess(guesser, "direct@acme.test", X_Forwarded_For="203.0.113.60")
    # It stays who it is, whatever it says.
    for n in range(3):
        code, problem = guesser.ask(
            "POST", "/v1/sessions", {"email": "direct@acme.test", "password": PASSWORD},
            X_Forwarded_For=f"203.0.113.{70 + n}", X_Forwarded_Proto="https",
            Forwarded=f"for=203.0.113.{70 + n}")
        assert code == 429, problem
    # And whoever is at that address in truth does not wait.
    owner = ProxiedBrowser(bed, "nginx", "127.0.0.6")
    assert owner.log_in("direct@acme.test")[0] == 201
    refused = [e for e in history(bed, "acme")
               if e.act == "log-in refused" and e.detail.startswith("direct@acme.test")]
    assert len(refused) == 1 and "127.0.0.5" in refused[0].detail, refused
    # Once, for whoever forgot to name the proxy.
    said = [line for line in bed.daemons["certd"].text().splitlines() if "trusted_proxies" in line]
    assert len(said) == 1 and "127.0.0.5" in said[0], said


def test_wrong_tokens_are_counted_for_each_client_of_a_proxy(bed):
    def ask(front, source, token):
        browser = ProxiedBrowser(bed, front, source)
        return browser.ask("GET", "/v1/certificates", Authorization=f"Bearer {token}")[0]

    wrong = "hft_" + "A" * 43
    assert [ask("haproxy", "127.0.0.7", wrong) for _ in range(10)] == [401] * 10
    assert ask("haproxy", "127.0.0.7", wrong) == 429
    assert ask("nginx", "127.0.0.7", wrong) == 429
    assert ask("haproxy", "127.0.0.8", wrong) == 401
    assert ask("haproxy", "127.0.0.7", bed.make_token("acme")) == 200


def test_forwarded_is_read_in_place_of_the_other_header(bed):
    make_user(bed, "rfc7239@acme.test")
    bed.ports["forwarded"] = bed.start_nginx(FORWARDED)
    bed.daemons["certd"].stop()
    bed.rest_lines += "  proxy_header: forwarded\n"
    bed.write_certd_config()
    bed.start_certd()
    browser = ProxiedBrowser(bed, "forwarded", "127.0.0.10")
    code, session = browser.ask(
        "POST", "/v1/sessions", {"email": "rfc7239@acme.test", "password": PASSWORD},
        **{**FORGED, "X_Forwarded_Proto": "http"})
    assert code == 201, session
    assert browser.line.startswith(f"{COOKIE}=")
    assert log_in_events(bed, "rfc7239@acme.test")[0].endswith(", from 127.0.0.10")
