# SPDX-License-Identifier: Apache-2.0
"""Who is told of what, by mail and by webhook: a real mail server, a real web server, and
the clock of certd, keyd and edges ahead by as much as it takes.
"""

import hashlib
import hmac
import http.server
import json
import re
import ssl
import threading
import time

import pytest

from acme_bed import AcmeBed
from bed import free_port, wait_for
from certd_bed import ADMINISTRATOR, ENGINEER, VIEWER
from certs import Pki, key_pem, pem
from mail_servers import Smtpd

DAY = 86400
QUEUED, SENT, FAILED, CANCELLED = 1, 2, 3, 4
EXPIRING, EXPIRED = 1, 2
URL = "https://certs.example.net"
ADA, EVE, OPS = "ada@acme.example", "eve@acme.example", "ops@example.net"


class Hooks:
    """An HTTPS server that keeps what is posted to it."""

    def __init__(self, folder):
        folder.mkdir()
        self.pki, self.port, self.posts, self.answer = Pki("hooks"), free_port(), [], 204
        key, leaf = self.pki.leaf("localhost", days=4000, since=-400)
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_text(pem(self.pki.root))
        (folder / "chain.pem").write_text(pem(leaf) + pem(self.pki.middle))
        (folder / "key.pem").write_text(key_pem(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
        hooks = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hooks.posts.append((self.path, dict(self.headers), body))
                self.send_response(hooks.answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path):
        return f"https://localhost:{self.port}{path}"

    def to(self, path):
        return [post for post in self.posts if post[0] == path]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def lines_of(smtpd, hooks=None):
    """Of certd.yaml."""
    more = "" if hooks is None else f"""\
  webhook_ca_file: {hooks.ca_file}
  allow_private_webhooks: true
"""
    return f"""\
console:
  url: {URL}
notices:
  smtp:
    server: localhost:{smtpd.port}
    tls: starttls
    ca_file: {smtpd.ca_file}
    username: {smtpd.user}
    password_file: {smtpd.password_file}
    from: holdfast@example.net
  operators: [{OPS}]
  gather: 2s
{more}"""


def people(bed):
    for email, role in ((ADA, ADMINISTRATOR), (EVE, ENGINEER), ("vic@acme.example", VIEWER)):
        bed.call("Users", "Create", account="acme", email=email, role=role)
    for email, kind in (("adm@acme.example", 1), ("tec@acme.example", 2)):
        bed.call("Contacts", "Create", account="acme", kind=kind, name="Contact", email=email)


def notices(bed, **fields):
    return list(bed.call("Notices", "List", page_size=1000, **fields).notices)


def told(bed, event):
    """[(object, recipient)] of an event, in order."""
    return sorted((n.object, n.recipient) for n in notices(bed) if n.event == event)


def one(bed, sql):
    return bed.rows(sql)[0][0]


def looked(bed):
    """Until expiry was looked at by the clock that certd has now."""
    ahead_s = int.from_bytes(bed.clock.read_bytes(), "little", signed=True)
    then_s = int(time.time()) + ahead_s - 5
    wait_for("expiry was looked at", lambda: int(one(
        bed, "SELECT value FROM meta WHERE name = 'notices.expiry'")) >= then_s, 90)


def heard(bed):
    """Until all that happened was looked at for something to tell."""
    wait_for("the history was looked at", lambda: int(one(
        bed, "SELECT value FROM meta WHERE name = 'notices.event'")) >= int(one(
            bed, "SELECT max(id) FROM event")))


# ---- certificates that do not renew ----

class NoticesBed(AcmeBed):
    """With a clock, an edge, and servers for mail and webhooks; ahead_s never goes back."""

    def __init__(self):
        super().__init__(edges=1, clock=True)
        keyd = self.dir / "keyd.yaml"
        keyd.write_text(keyd.read_text().replace(
            "\naudit:", "\n  certificate_lifetime: 90d\naudit:"))
        self.smtpd = Smtpd(self.dir / "smtpd").start()
        self.hooks = Hooks(self.dir / "hooks")
        self.certd_lines += lines_of(self.smtpd, self.hooks)
        self.pki, self.ahead_s = Pki(), 0

    def up(self):
        super().up()
        people(self)
        return self

    def upload(self, host, days):
        """A certificate that ends in so many days by certd's clock."""
        key, leaf = self.pki.leaf(host, days=days + self.ahead_s / DAY)
        chain, private = self.pki.files(self.dir / "up", host, key, leaf)
        made = self.json("cert", "upload", chain, private, "--account", "acme", "--name",
                         f"{host} {days}")
        return int(made["certificate"]["id"])

    def serve(self, name, host, days):
        """(resource, certificate), served by the edge."""
        certificate = self.upload(host, days)
        resource = self.call("Resources", "Create", account="acme", name=name,
                             hostnames=[host], certificates=[certificate]).resource.id
        self.publish(host)
        wait_for("it is served", lambda: self.converged(name))
        return resource, certificate

    def go(self, ahead_s):
        self.ahead_s = int(ahead_s)
        self.travel(self.ahead_s)
        looked(self)

    def close(self):
        try:
            super().close()
        finally:
            self.smtpd.stop()
            self.hooks.close()


@pytest.fixture(scope="module")
def bed():
    b = NoticesBed().up()
    yield b
    b.close()


@pytest.mark.feature("C13")
@pytest.mark.feature("H09")
def test_a_certificate_is_told_of_at_14_7_and_0_days_once_to_each_across_restarts(bed):
    host, smtpd = "shop.example.org", bed.smtpd
    _, id_ = bed.serve("shop", host, 20)
    object_, end_s = f"certificate {id_}", 20 * DAY
    bed.go(120)
    assert not told(bed, EXPIRING)
    for days, ahead_s in ((14, end_s - 14 * DAY + 600), (7, end_s - 7 * DAY + 600),
                          (0, end_s - 7200)):
        smtpd.clear()
        bed.go(ahead_s)
        for to in (ADA, EVE):
            mail = smtpd.wait_for(to=to, subject=host)
            assert mail.is_encrypted and mail.user == smtpd.user
            assert mail.mail_from == "holdfast@example.net"
            assert "expires in" in mail.subject, mail.subject
            for body in (mail.text, mail.html):
                assert f"{URL}/console/certificates/{id_}" in body
                assert "served by edge group standard" in body and "expires on" in body
        # Started and looked again.
        bed.go(ahead_s + 120)
        assert [n.recipient for n in notices(bed, object=object_) if n.days == days] == [EVE, ADA]
        assert len(smtpd.mails(subject=host)) == 2, [m.rcpt for m in smtpd.mails()]
    assert {n.state for n in notices(bed, object=object_)} == {SENT}
    smtpd.clear()
    bed.go(end_s + 600)
    smtpd.wait_for(to=ADA, subject="has expired")
    assert told(bed, EXPIRED) == [(object_, ADA), (object_, EVE)]
    assert len(notices(bed, object=object_)) == 8


@pytest.mark.feature("C13")
def test_what_waits_is_cancelled_when_the_edges_are_seen_serving_the_successor(bed):
    host, smtpd = "till.example.org", bed.smtpd
    _, old = bed.serve("till", host, 20)
    smtpd.clear()
    smtpd.stop()
    bed.go(bed.ahead_s + 7 * DAY)
    rows = wait_for("it is tried in vain", lambda: (
        lambda found: found if found and any(n.attempts for n in found) else None)(
            notices(bed, object=f"certificate {old}")))
    assert {n.state for n in rows} == {QUEUED} and any(n.problem for n in rows)
    new = bed.upload(host, 90)
    bed.call("Certificates", "Replace", old_id=old, new_id=new)
    wait_for("it is proven and cancelled", lambda: {
        n.state for n in notices(bed, object=f"certificate {old}")} == {CANCELLED}, 120)
    smtpd.start()
    bed.go(bed.ahead_s + 7 * DAY)
    assert not smtpd.mails(subject=host)
    assert {n.state for n in notices(bed, object=f"certificate {old}")} == {CANCELLED}


def test_a_mail_server_that_is_away_loses_nothing_and_a_bounce_stops_no_other(bed):
    smtpd = bed.smtpd
    smtpd.clear()
    smtpd.replies[EVE] = "550 5.1.1 no such user"
    smtpd.stop()
    id_ = bed.upload("late.example.org", 5)
    found = wait_for("it waits", lambda: (
        lambda rows: rows if len(rows) == 2 and any(n.attempts for n in rows) else None)(
            notices(bed, object=f"certificate {id_}")))
    assert {n.days for n in found} == {7}
    smtpd.start()
    # Not before its time; a person need not wait for that.
    for notice in found:
        bed.call("Notices", "Retry", id=notice.id)
    smtpd.wait_for(to=ADA, subject="late.example.org")
    failed = wait_for("the other is given up", lambda: [
        n for n in notices(bed, object=f"certificate {id_}") if n.state == FAILED])
    assert [n.recipient for n in failed] == [EVE] and "no such user" in failed[0].problem
    wait_for("all is well", lambda: bed.call("Notices", "List").mail_trouble == "")
    del smtpd.replies[EVE]
    assert bed.call("Notices", "Retry", id=failed[0].id).state == QUEUED
    smtpd.wait_for(to=EVE, subject="late.example.org")
    assert len(smtpd.mails(to=ADA)) == 1


@pytest.mark.feature("C13")
def test_thirty_that_end_are_one_mail_to_each_and_a_bounce_ends_its_own(bed):
    smtpd, many = bed.smtpd, {}
    for i in range(30):
        host = f"bulk{i}.example.org"
        many[host] = bed.upload(host, 20)
    heard(bed)
    smtpd.clear()
    smtpd.replies[EVE] = "550 5.1.1 no such user"
    bed.go(bed.ahead_s + 6.5 * DAY)

    def rows_of(to):
        return [n for n in notices(bed, account="acme") if n.recipient == to
                and n.object in {f"certificate {id_}" for id_ in many.values()}]
    mail = smtpd.wait_for(to=ADA)
    assert re.fullmatch(r"30 certificates expire within 14 days, the first on "
                        r"20\d\d-\d\d-\d\d \(bulk0\.example\.org\)", mail.subject)
    assert mail.parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    for body in (mail.text, mail.html):
        for host, id_ in many.items():
            assert len(re.findall(rf"{URL}/console/certificates/{id_}\b", body)) == 1
            assert re.search(rf"\b{re.escape(host)}\b", body)
        assert len(re.findall(", in 1[34] days", body)) == 30
    for to, state in ((ADA, SENT), (EVE, FAILED)):
        wait_for(f"all of {to} have ended", lambda to=to, state=state: [
            n.state for n in rows_of(to)] == [state] * 30)
    assert len(smtpd.mails(to=ADA)) == 1 and not smtpd.mails(to=EVE)
    assert all("no such user" in n.problem for n in rows_of(EVE))
    # Neither another look nor another start tells them again; one may be tried alone.
    bed.go(bed.ahead_s + 120)
    del smtpd.replies[EVE]
    again = rows_of(EVE)[0]
    bed.call("Notices", "Retry", id=again.id)
    assert smtpd.wait_for(to=EVE).subject == again.subject
    assert len(smtpd.mails()) == 2 and len(rows_of(ADA)) == len(rows_of(EVE)) == 30


def test_the_link_in_a_mail_stops_its_kind_by_one_post_and_by_no_get(bed):
    smtpd = bed.smtpd
    smtpd.clear()
    bed.upload("link.example.org", 5)
    mail = smtpd.wait_for(to=ADA, subject="link.example.org")
    assert mail.parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = re.fullmatch(r"<(.*)>", mail.parsed["List-Unsubscribe"].strip()).group(1)
    assert link.startswith(f"{URL}/console/unsubscribe?token=") and link in mail.text
    path = link.removeprefix(URL)
    assert bed.rest("GET", path)[0] in (200, 404)
    assert not bed.rows("SELECT * FROM notice_mute")
    # As mail programs ask.
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    forged = path[:-1] + ("A" if path[-1] != "A" else "B")
    status, _, answer = bed.rest("POST", forged, body="List-Unsubscribe=One-Click", headers=form)
    assert status == 400 and "not one of ours" in answer["detail"], answer
    for _ in range(2):
        status, _, answer = bed.rest("POST", path, body="List-Unsubscribe=One-Click",
                                     headers=form)
        assert status == 200 and ADA in answer["detail"], answer
    # And as the page asks.
    token = path.partition("token=")[2]
    status, _, answer = bed.rest("POST", "/v1/notices:unsubscribe", body={"token": token})
    assert status == 200 and "certificates that expire soon" in answer["detail"]
    id_ = bed.upload("quiet.example.org", 5)
    smtpd.wait_for(to=EVE, subject="quiet.example.org")
    assert [n.recipient for n in notices(bed, object=f"certificate {id_}")] == [EVE]
    assert len(bed.events("mails stopped")) == 1


def stop(bed, mail):
    """By one click, as mail programs do; the token."""
    link = re.fullmatch(r"<(.*)>", mail.parsed["List-Unsubscribe"].strip()).group(1)
    status, _, answer = bed.rest(
        "POST", link.removeprefix(URL), body="List-Unsubscribe=One-Click",
        headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert status == 200, answer
    return link.partition("token=")[2]


def is_told(bed, host):
    """Does Eve get the mail about a certificate that is uploaded now?  Somebody does."""
    id_ = bed.upload(host, 5)
    wait_for("it was looked at", lambda: {SENT} <= {
        n.state for n in notices(bed, object=f"certificate {id_}")})
    return EVE in [n.recipient for n in notices(bed, object=f"certificate {id_}")]


def test_what_was_stopped_is_sent_again_by_the_link_or_by_an_administrator(bed):
    smtpd = bed.smtpd
    smtpd.clear()
    bed.call("Users", "Create", account="acme", email="zoe@acme.example", role=ENGINEER)
    bed.upload("first.example.org", 5)
    token = stop(bed, smtpd.wait_for(to=EVE, subject="first.example.org"))
    asked = {"token": token}
    status, _, state = bed.rest("POST", "/v1/notices:subscription", body=asked)
    assert status == 200 and state["stopped"] and state["recipient"] == EVE, state
    assert not is_told(bed, "second.example.org")
    # Nobody makes such a link.
    forged = {"token": token[:-1] + ("A" if token[-1] != "A" else "B")}
    for act in ("resubscribe", "subscription"):
        status, _, answer = bed.rest("POST", f"/v1/notices:{act}", body=forged)
        assert status == 400 and "not one of ours" in answer["detail"], answer
        assert bed.rest("GET", f"/v1/notices:{act}?token={token}")[0] in (404, 405)
    for _ in range(2):
        status, _, state = bed.rest("POST", "/v1/notices:resubscribe", body=asked)
        assert status == 200 and not state.get("stopped"), state
    assert is_told(bed, "third.example.org")
    assert bed.rows("SELECT actor, detail FROM event WHERE act = 'mails sent again'") == [
        ("link in a mail", f"{EVE}: expiring")]
    # By who manages the account, and by nobody else.
    stop(bed, smtpd.wait_for(to=EVE, subject="third.example.org"))
    manager, viewer = (bed.make_token("acme", role, f"mutes {role}")
                       for role in (ADMINISTRATOR, VIEWER))
    status, _, page = bed.rest("GET", f"/v1/notice-mutes?recipient={EVE}", manager)
    assert status == 200, page
    mute, = page["mutes"]
    assert mute["event"] == "expiring" and mute["liftable"] and mute["since_s"], mute
    assert bed.rest("GET", "/v1/notice-mutes", viewer)[0] == 403
    assert bed.rest("DELETE", f"/v1/notice-mutes/{mute['id']}", viewer)[0] == 403
    assert not is_told(bed, "fourth.example.org")
    shown = bed.cli("notice", "muted", "--account", "acme")
    assert re.search(rf"{EVE} +expiring", shown), shown
    done = bed.run("notice", "unmute", EVE, "revoked")
    assert done.returncode == 4 and "has not stopped" in done.stderr, done
    assert bed.run("notice", "unmute", EVE, "nothing").returncode == 2
    said = bed.cli("notice", "unmute", EVE.upper(), "expiring")
    assert f"{EVE} is sent such mails of the account acme again" in said
    assert is_told(bed, "fifth.example.org")
    status, _, state = bed.rest("POST", "/v1/notices:subscription", body=asked)
    assert status == 200 and state["lifted_by_account"], state
    assert EVE not in bed.cli("notice", "muted")
    assert "operator/admin" in bed.cli("notice", "muted", "--recipient", EVE, "--lifted")
    # Its link is as good as before.
    assert smtpd.wait_for(to=EVE, subject="fifth.example.org").parsed["List-Unsubscribe"]


def test_a_webhook_is_told_and_its_signature_holds(bed):
    hooks, token = bed.hooks, bed.make_token("acme")
    status, _, made = bed.rest("POST", "/v1/webhooks", token, {
        "name": "chat", "url": hooks.url("/in")})
    assert status == 201, made
    secret, id_ = made["secret"], int(made["webhook"]["id"])
    status, _, said = bed.rest("POST", f"/v1/webhooks/{id_}:test", token, {})
    assert status == 200 and said["delivered"], said
    rules = bed.rest("GET", "/v1/notice-rules", token)[2]["rules"]
    rule = next(r for r in rules if r["event"] == "expiring")
    status, _, said = bed.rest("PATCH", f"/v1/notice-rules/{rule['id']}", token, {
        "rule": dict(rule, webhooks=[str(id_)])})
    assert status == 200, said
    certificate = bed.upload("hook.example.org", 5)
    wait_for("it is told", lambda: len(hooks.to("/in")) == 2)
    for _, headers, body in hooks.to("/in"):
        t, v1 = (part.partition("=")[2] for part in headers["Holdfast-Signature"].split(","))
        right = hmac.new(secret.encode(), f"{t}.".encode() + body, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(v1, right)
        assert abs(int(t) - time.time() - bed.ahead_s) < 600
    _, headers, body = hooks.to("/in")[1]
    event = json.loads(body)
    assert headers["Holdfast-Event"] == event["event"] == "expiring"
    assert headers["Holdfast-Delivery"] == str(event["id"])
    assert event["account"] == "acme" and event["object"] == f"certificate {certificate}"
    assert event["data"]["hostnames"] == ["hook.example.org"]
    assert event["data"]["certificate_id"] == certificate
    # It wants no more.
    hooks.answer = 410
    bed.upload("gone.example.org", 5)
    wait_for("it is switched off", lambda: bed.rest("GET", "/v1/webhooks", token)[2]["webhooks"][
        0].get("disabled"))
    hooks.answer = 204
    # Its secret is nowhere.
    assert secret[4:].encode() not in (bed.dir / "certd/certd.db").read_bytes()
    assert secret not in bed.daemons["certd"].text()


def test_operators_are_told_of_a_keyd_that_is_away_and_of_its_return(bed):
    smtpd = bed.smtpd
    smtpd.clear()
    bed.daemons["keyd"].stop()
    wait_for("it is seen", lambda: one(
        bed, "SELECT count(*) FROM notice_trouble WHERE object = 'keyd'"))
    assert not smtpd.mails(to=OPS)
    bed.ahead_s += 130
    bed.set_clock(bed.ahead_s)
    mail = smtpd.wait_for(to=OPS, subject="Trouble: keyd")
    assert mail.parsed["List-Unsubscribe"] is None and "holdfast status" in mail.text
    bed.start_keyd()
    wait_for("it is well", lambda: one(
        bed, "SELECT count(*) FROM notice_trouble WHERE object = 'keyd' AND well_s > 0"))
    bed.ahead_s += 70
    bed.set_clock(bed.ahead_s)
    over = smtpd.wait_for(to=OPS, subject="Mended: keyd")
    assert over.parsed["References"] == mail.parsed["References"]
    assert len(smtpd.mails(to=OPS, subject="keyd")) == 2


def test_the_command_line_lists_tries_again_and_tests(bed):
    shown = bed.cli("notice", "list", "--account", "acme")
    assert ADA in shown and "sent" in shown and "shop.example.org" in shown
    assert "expiring" in bed.cli("notice", "rules", "--account", "acme")
    bed.smtpd.clear()
    assert "has taken it" in bed.cli("notice", "test", "someone@example.org")
    bed.smtpd.wait_for(to="someone@example.org", subject="test mail")
    made = bed.run("webhook", "add", "ops", bed.hooks.url("/ops"))
    assert re.fullmatch(r"hfw_[\w-]{43}\n", made.stdout), made.stdout
    id_ = re.search(r"webhook (\d+)", made.stderr).group(1)
    assert "was taken" in bed.cli("webhook", "test", id_)
    assert bed.hooks.to("/ops") and "ops" in bed.cli("webhook", "list")
    bed.cli("webhook", "remove", id_)
    sent = next(n for n in notices(bed) if n.state == SENT)
    done = bed.run("notice", "retry", sent.id)
    assert done.returncode != 0 and "sent already" in done.stderr


# ---- certificates that renew ----

@pytest.fixture(scope="module")
def acme():
    b = AcmeBed(cas={"pebble": {}, "short": {"validity_s": 60}}, front={})
    b.smtpd = Smtpd(b.dir / "smtpd").start()
    b.certd_lines += lines_of(b.smtpd)
    b.up()
    people(b)
    yield b
    b.close()
    b.smtpd.stop()


CONTACTS = {"adm@acme.example", "tec@acme.example"}


def recipients(bed, subject):
    return {mail.rcpt[0] for mail in bed.smtpd.mails(subject=subject)}


@pytest.mark.feature("A05")
@pytest.mark.feature("A02")
def test_a_first_certificate_is_confirmed_to_the_administrator_and_the_contacts(acme):
    _, change = acme.obtain("new.example.org")
    for to in (ADA, *CONTACTS):
        mail = acme.smtpd.wait_for(to=to, subject="new.example.org was issued")
        assert f"(number {change.certificate})" in mail.text
    assert recipients(acme, "new.example.org") == {ADA, *CONTACTS}


@pytest.mark.feature("C19")
def test_a_failure_is_told_with_its_reason_and_that_https_was_switched_off(acme):
    host = "nowhere.example.org"
    acme.pebble.set_a(host, "127.0.0.66")
    made = acme.call("Resources", "Create", account="acme", name="nowhere", hostnames=[host],
                     mode=2).resource
    change = acme.ended(made.change, 12)
    mail = acme.smtpd.wait_for(to=EVE, subject="No certificate was obtained for")
    assert "127.0.0.66" in change.problem and "127.0.0.66" in mail.text
    assert "HTTPS was switched off" in mail.text and f"console/changes/{change.id}" in mail.html
    acme.smtpd.wait_for(to="tec@acme.example", subject="No certificate was obtained")
    wait_for("all are told", lambda: recipients(
        acme, "No certificate was obtained") == {ADA, EVE, *CONTACTS})
    # Its next attempts, by itself, are told to nobody.
    wait_for("it is tried again", lambda: len(acme.changes(resource=made.id)) > 1, 150)
    acme.ended(acme.changes(resource=made.id)[0].id)
    time.sleep(3)
    assert len(acme.smtpd.mails(to=EVE, subject="No certificate was obtained")) == 1


@pytest.mark.feature("H07")
@pytest.mark.feature("A02")
def test_both_contacts_are_told_what_to_add_and_that_it_was_not_done_in_time(acme):
    host = "late.example.org"
    soon = time.gmtime(time.time() + 20)
    acme.front.fault("member", on="new_order", count=-1, member="expires",
                     value=time.strftime("%Y-%m-%dT%H:%M:%SZ", soon))
    begun = acme.enroll(host, validation=3, authority="pebble")
    change = acme.in_state(begun.change.id, 5)
    acme.front.clear()
    value = change.challenges[0].dns_value
    for to in (ADA, EVE, *CONTACTS):
        mail = acme.smtpd.wait_for(to=to, subject="Add DNS records")
        assert f'_acme-challenge.{host}. IN TXT "{value}"' in mail.text
    acme.ended(change.id, 14)
    for to in (ADA, EVE, *CONTACTS):
        acme.smtpd.wait_for(to=to, subject="was not verified in time")
    again = acme.call("Enrollments", "Issue", id=begun.enrollment.id).change
    acme.in_state(again.id, 5)
    acme.smtpd.wait_for(to=ADA, subject="Add DNS records", count=2)
    acme.call("Changes", "Cancel", id=again.id)


@pytest.mark.feature("C15")
@pytest.mark.feature("H09")
def test_certificates_by_acme_get_no_notice_of_their_end_and_their_failures_do(acme):
    host = "brief.example.org"
    begun, first = acme.obtain(host, authority="short")
    wait_for("it renews by itself", lambda: acme.enrollment(
        begun.id).certificate != first.certificate, 90)
    acme.pebbles["short"].set_a(host, "127.0.0.66")
    acme.pebble.set_a(host, "127.0.0.66")
    mail = acme.smtpd.wait_for(to=EVE, subject="Renewal failed for", seconds=300)
    assert "127.0.0.66" in mail.text and "expires on" in mail.text
    wait_for("all are told", lambda: recipients(
        acme, "Renewal failed") == {ADA, EVE, *CONTACTS})

    def expired():
        mails = acme.smtpd.mails(to=EVE, subject="Renewal failed")
        assert any("has expired on" in m.text for m in mails), [
            (n.id, n.event, n.object, n.state, n.problem)
            for n in notices(acme) if n.recipient == EVE]
        return True
    # It is tried on and on, and told of once more when it has expired: that is looked for once
    # a minute, and a mail that was put off is sent after one or two more.
    wait_for("it has expired and is told", expired, 400)
    assert len(acme.smtpd.mails(to=EVE, subject="Renewal failed")) == 2
    assert not told(acme, EXPIRING) and not told(acme, EXPIRED)
    # That it was renewed is told to nobody, unless a rule says so.
    assert not acme.smtpd.mails(subject="was renewed")
