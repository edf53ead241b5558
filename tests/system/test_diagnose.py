# SPDX-License-Identifier: Apache-2.0
"""holdfast diagnose, and REST's diagnoses: real DNS (BIND), stock nginx with edged behind it,
a front that blocks, and an origin."""

import http.server
import json
import ssl
import threading

import pytest

from acme_bed import CHECKING, DONE, FAILED, PROVING, AcmeBed
from bed import free_port, wait_for
from certs import Pki
from named import Named

GOOD, WWW = "shop.example.org", "www.example.org"
FRONT, REDIRECTS = "127.0.0.3", "127.0.0.4"
ORIGIN = "origin.example.org"


class Web:
    """An HTTP server that says what it is told to; with TLS when it gets files for it."""

    def __init__(self, address, port, status, headers=(), body=b"", tls=None):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response_only(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass
        self.server = http.server.ThreadingHTTPServer((address, port), Handler)
        self.port = self.server.server_address[1]
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def add(bed, *hosts):
    key, leaf = bed.pki.leaf(*hosts)
    chain, private = bed.pki.files(bed.dir / "up", hosts[0], key, leaf)
    return bed.json("cert", "upload", chain, private, "--account", "acme")["certificate"]


class DiagnoseBed(AcmeBed):
    """The DNS of certd and of the CA is a named."""

    def __init__(self):
        port = free_port()
        super().__init__(edges=1, dns=f"127.0.0.1:{port}", preflight=True,
                         ca_lines={"pebble": "      ca_domain: letsencrypt.org\n"})
        self.named = Named(self.dir / "named", port=port)
        self.named.zone("edge.holdfast.test", "* 300 IN A 127.0.0.1")
        self.named.zone("example.org", f"""\
www IN A 127.0.0.1
origin IN A 127.0.0.1
fronted IN A {FRONT}
redirected IN A {REDIRECTS}
dangling IN CNAME nowhere.example.org.
round IN CNAME about.example.org.
about IN CNAME round.example.org.
noca IN A 127.0.0.1
noca IN CAA 0 issue "ca.example"
lame IN NS ns1.lame
ns1.lame IN A 127.0.0.9
""")

    def up(self):
        self.named.start()
        return super().up()

    def close(self):
        try:
            super().close()
        finally:
            self.named.stop()

    def point(self, host, target):
        self.named.update("example.org", f"delete {host} A", f"add {host} 300 CNAME {target}.")


@pytest.fixture(scope="module")
def bed():
    b, webs = DiagnoseBed(), []
    try:
        set_up(b, webs)
        yield b
    finally:
        for web in webs:
            web.close()
        b.close()


def set_up(b, webs):
    b.up()
    b.pki = Pki()
    key, leaf = b.pki.leaf(ORIGIN)
    b.origin = Web("127.0.0.1", 0, 200, body=b"hello",
                   tls=b.pki.files(b.dir / "origin", "origin", key, leaf))
    blocker = Web(FRONT, b.http_ports["e1"], 403,
                  [("Server", "cloudflare"), ("CF-RAY", "1"), ("Content-Type", "text/html")],
                  b"<title>Just a moment...</title>")
    redirects = Web(REDIRECTS, b.http_ports["e1"], 302,
                    [("Location", "http://192.0.2.1/login"), ("Server", "front")])
    webs += [b.origin, blocker, redirects]
    b.cli("account", "create", "rival")
    b.first = add(b, GOOD, WWW)
    b.shop = b.json("resource", "create", "shop", GOOD, WWW, "--account", "acme",
                    "--cert", b.first["id"], "--origin", f"{ORIGIN}:{b.origin.port}",
                    "--origin-mode", "https")["resource"]
    b.point(GOOD, b.shop["target"])
    b.publish(GOOD, WWW)
    wait_for("the edge serves it", lambda: b.converged("shop"), 60)


def diagnose(bed, *argv, passes=None):
    """{check: finding} of one name, or {(check, name): finding} of several."""
    done = bed.run("--json", "diagnose", *argv)
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    assert report["passed"] == (done.returncode == 0)
    assert passes is None or report["passed"] == passes, report
    names = {f["hostname"] for f in report["findings"] if f["hostname"]}
    return report, {f["check"] if len(names) < 2 else (f["check"], f["hostname"]): f
                    for f in report["findings"]}


# ---- before the CA is asked ----

LATER = "later.example.org"


@pytest.mark.feature("C17")
@pytest.mark.feature("C18")
def test_a_ca_is_not_asked_for_a_name_that_leads_nowhere(bed):
    """The name is there, its line in the DNS is not yet."""
    orders = bed.orders_made()
    later = bed.json("resource", "create", "later", LATER, "--account", "acme")["resource"]
    change = bed.changes(resource=int(later["id"]))[0]
    wait_for("it says what is missing", lambda: bed.change(change.id).problem)
    change = bed.change(change.id)
    assert change.state == CHECKING and bed.orders_made() == orders
    assert f"{LATER}" in change.problem and "NXDOMAIN" in change.problem
    assert f"{LATER}.  CNAME  {later['target']}." in change.problem
    assert change.doing == "waits until its names can be validated"
    shown = bed.cli("change", "show", change.id)
    assert change.problem in shown and f"holdfast change retry {change.id}" in shown
    # What was seen is kept with it.
    token = bed.make_token("acme", name="later")
    code, _, report = bed.rest("GET", f"/v1/diagnoses/{change.diagnosis}", token)
    assert code == 200 and int(report["change"]) == change.id and not report["passed"]
    assert any(f["check"] == "dns" and f["remedy"] in change.problem
               for f in report["findings"] if f["remedy"])
    # It is mended; the last test sees it issued without a word.
    bed.point(LATER, later["target"])
    bed.later = change.id


@pytest.mark.feature("C17")
@pytest.mark.feature("V03")
def test_who_waits_for_a_certificate_is_told_at_once_what_is_in_the_way(bed):
    orders = bed.orders_made()
    done = bed.run("enrollment", "create", "fronted.example.org", "--account", "acme")
    assert done.returncode == 1
    assert "403: it is blocked" in done.stdout
    assert "turn the proxy of Cloudflare off" in done.stdout
    done = bed.run("enrollment", "create", "noca.example.org", "--account", "acme")
    assert done.returncode == 1
    assert 'noca.example.org.  CAA  0 issue "letsencrypt.org"' in done.stdout
    assert bed.orders_made() == orders
    # The record that was named is put there, and the certificate comes.
    failed = bed.changes()[0]
    assert failed.state == FAILED and failed.diagnosis != 0
    bed.named.update("example.org", 'add noca.example.org 60 CAA 0 issue "letsencrypt.org"')
    begun = bed.call("Enrollments", "Issue", id=failed.enrollment)
    bed.ended(begun.change.id, DONE)
    bed.named.update("example.org", 'delete noca.example.org CAA 0 issue "letsencrypt.org"')


# ---- a person asks ----

@pytest.mark.feature("E01")
@pytest.mark.feature("E02")
@pytest.mark.feature("E03")
@pytest.mark.feature("E05")
@pytest.mark.feature("E06")
@pytest.mark.feature("V02")
def test_a_site_that_is_as_it_should_be_passes_every_check(bed):
    wait_for("the edge has looked at http-01's way", lambda: bed.rows(
        "SELECT 1 FROM edge_site WHERE http_probed = 1"), 60)
    report, found = diagnose(bed, GOOD, passes=True)
    wrong = {c: f for c, f in found.items() if f["result"] not in ("pass", "not_applicable")}
    assert not wrong
    assert f"{GOOD} CNAME {bed.shop['target']} (TTL 300 s)" in found["dns"]["seen"]
    assert found["flattened"]["result"] == "pass"
    assert f"certificate {bed.first['id']}" in found["certificate"]["seen"]
    assert "edge group standard" in found["resource"]["seen"]
    assert f"origin {ORIGIN}" in found["resource"]["seen"]
    assert '127.0.0.1: 200 "test"' in found["http-01"]["seen"]
    assert "1 of 1 live edges have looked, 0 in vain" in found["edges-http-01"]["seen"]
    assert f"answers 200; certificate CN={ORIGIN}" in found["origin"]["seen"]
    text = bed.cli("diagnose", GOOD)
    assert "pass  Its CNAME leads to the target" in text and "passed: nothing is in" in text


@pytest.mark.feature("E04")
@pytest.mark.feature("E07")
@pytest.mark.feature("E08")
def test_answers_are_shown_as_dig_does_and_edges_with_what_they_have(bed):
    _, found = diagnose(bed, GOOD)
    detail = found["dns"]["detail"]
    assert bed.shop["target"] in detail and "CNAME" in detail and "300" in detail
    assert f"127.0.0.1:{bed.named.port}" in detail or f"127.0.0.1#{bed.named.port}" in detail
    version = bed.json("resource", "show", "shop")["version"]
    assert f"version {version} is in place at 1 of 1 live edges, and was seen served by 1" in \
        found["edges"]["seen"]
    assert "changed " in found["edges"]["seen"]
    assert f"applied {version}, seen serving {version}, of {version}" in found["edges"]["detail"]
    assert bed.shop["target"] in bed.cli("diagnose", GOOD, "--detail")


@pytest.mark.feature("C26")
def test_a_flattened_cname_is_a_warning_with_the_line_to_put(bed):
    _, found = diagnose(bed, WWW)
    assert found["flattened"]["result"] == "warning"
    assert "flattened CNAME" in found["flattened"]["seen"]
    assert f"{WWW}.  CNAME  {bed.shop['target']}." in found["flattened"]["remedy"]


@pytest.mark.feature("V03")
def test_a_front_that_blocks_the_challenge_is_named(bed):
    bed.json("resource", "create", "fronted", "fronted.example.org", "--account", "acme")
    _, found = diagnose(bed, "fronted.example.org", passes=False)
    assert found["flattened"]["result"] == "fail" and FRONT in found["flattened"]["seen"]
    assert found["http-01"]["result"] == "fail"
    assert "403: it is blocked" in found["http-01"]["seen"]
    assert "turn the proxy of Cloudflare off" in found["http-01"]["remedy"]
    done = bed.run("diagnose", "fronted.example.org")
    assert done.returncode == 1 and "FAIL  " in done.stdout and "to do " in done.stdout


@pytest.mark.feature("V03")
def test_a_front_that_redirects_the_challenge_elsewhere_is_told(bed):
    _, found = diagnose(bed, "redirected.example.org", passes=False)
    assert "redirected to http://192.0.2.1/login, an address, which CAs do not follow to" in (
        found["http-01"]["seen"])
    assert "take /.well-known/acme-challenge/ out of the redirects" in found["http-01"]["remedy"]


@pytest.mark.feature("E06")
def test_dns_faults_are_told_apart(bed):
    said = {}
    for name in ("none", "dangling", "round", "lame", "noca"):
        _, found = diagnose(bed, f"{name}.example.org")
        said[name] = found
    assert "NXDOMAIN" in said["none"]["dns"]["seen"]
    assert "holdfast resource create NAME none.example.org" in said["none"]["resource"]["remedy"]
    assert "the CNAME dangles" in said["dangling"]["dns"]["seen"]
    assert "in a circle" in said["round"]["dns"]["seen"]
    assert said["lame"]["dns"]["result"] == "fail"
    assert "SERVFAIL" in said["lame"]["dns"]["seen"]
    assert "the zone above, example.org, answers" in said["lame"]["dns"]["seen"]
    assert said["noca"]["caa"]["result"] == "fail"
    assert 'noca.example.org.  CAA  0 issue "letsencrypt.org"' in said["noca"]["caa"]["remedy"]


@pytest.mark.feature("E08")
def test_what_an_edge_serves_in_place_of_what_is_bound_is_seen(bed):
    """nginx is stopped while the resource gets another certificate."""
    new = add(bed, GOOD, WWW)
    bed.daemons["nginx"].stop()
    try:
        bed.json("resource", "bind", "shop", new["id"])
        wait_for("the edge says so", lambda: bed.rows(
            "SELECT 1 FROM edge_site WHERE problem <> ''"), 60)
        _, found = diagnose(bed, GOOD, passes=False)
        assert found["edges"]["result"] == "fail" and "e1: " in found["edges"]["why"]
        assert found["http-01"]["result"] in ("fail", "warning")
        assert "refuses the connection" in found["http-01"]["seen"]
        assert "http-01" in found and found["edges"]["remedy"].startswith("holdfast edge show")
    finally:
        bed.daemons["nginx"].start()
    wait_for("it is served again", lambda: bed.converged("shop"), 120)


@pytest.mark.feature("E01")
def test_all_names_of_a_resource_are_looked_at_at_once(bed):
    report, found = diagnose(bed, "--resource", "shop")
    assert ("dns", GOOD) in found and ("dns", WWW) in found
    assert report["resource"] == int(bed.shop["id"])


@pytest.mark.feature("E01")
def test_rest_runs_keeps_and_lists_diagnoses_of_the_account_alone(bed):
    token, rival = bed.make_token("acme"), bed.make_token("rival")
    code, _, report = bed.rest("POST", "/v1/diagnoses", token, {"hostname": GOOD})
    assert code == 201 and report["account"] == "acme" and len(report["findings"]) > 10
    code, _, again = bed.rest("GET", f"/v1/diagnoses/{report['id']}", token)
    assert code == 200 and again == report
    assert bed.rest("GET", f"/v1/diagnoses/{report['id']}", rival)[0] == 404
    code, _, refused = bed.rest("POST", "/v1/diagnoses", rival, {"hostname": GOOD})
    assert code == 403 and "shop" not in refused["detail"].replace(GOOD, "")
    code, _, page = bed.rest("GET", f"/v1/diagnoses?hostname={GOOD}&page_size=1", token)
    assert code == 200 and [d["id"] for d in page["diagnoses"]] == [report["id"]]
    assert page["next_page_token"] and not page["diagnoses"][0]["findings"]
    assert bed.rest("GET", "/v1/diagnoses", rival)[2]["diagnoses"] == []
    # The sandbox has what libcurl and c-ares need.
    assert "refused a system call" not in bed.daemons["certd"].text()


# ---- what was in the way at first ----

@pytest.mark.feature("C17")
@pytest.mark.feature("V01")
def test_the_order_begins_by_itself_when_the_dns_is_mended(bed):
    change = bed.in_state(bed.later, PROVING, DONE, seconds=120)
    assert change.problem == "" and change.diagnosis != 0
    bed.publish(LATER)
    done = bed.ended(change.id, DONE)
    assert bed.served("e1", LATER) == bed.json("cert", "show", done.certificate)["fingerprint"]
    report, _ = diagnose(bed, LATER, passes=True)
    seen = [f["seen"] for f in report["findings"] if f["check"] == "certificate"]
    assert any(f"certificate {done.certificate}" in text for text in seen), seen
