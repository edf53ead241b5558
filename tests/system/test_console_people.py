# SPDX-License-Identifier: Apache-2.0
"""Administration in a real browser: accounts, users, tokens, contacts, notices with a real mail
server and a real receiver of webhooks, history, authorities and settings."""

import hashlib
import hmac
import http.server
import json
import re
import ssl
import subprocess
import threading

import pytest

from acme_bed import AcmeBed
from bed import wait_for
from certd_bed import VIEWER
from certs import Pki, pem
from console_bed import Console, at, button, by_link, card, go, log_in, log_out, look, section
from mail_servers import Smtpd

PASSWORD = "some words for somebody new"


class Receiver:
    """Of webhooks, by HTTPS; requests: [(headers, body)]."""

    def __init__(self, folder, pki):
        requests = self.requests = []
        self.answer = 204

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(handler):
                body = handler.rfile.read(int(handler.headers["Content-Length"]))
                requests.append((handler.headers, body))
                handler.send_response_only(self.answer)
                handler.send_header("Content-Length", "0")
                handler.end_headers()

            def log_message(handler, *args):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pki.files(folder, "hook", *pki.leaf("localhost")))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Bed(Console, AcmeBed):
    def __init__(self):
        super().__init__()
        self.smtpd = Smtpd(self.dir / "smtpd")
        pki = Pki("hooks")
        (self.dir / "hook-ca.pem").write_text(pem(pki.root))
        self.receiver = Receiver(self.dir / "receiver", pki)
        self.certd_lines += f"""\
notices:
  smtp:
    server: "localhost:{self.smtpd.port}"
    ca_file: {self.smtpd.ca_file}
    username: {self.smtpd.user}
    password_file: {self.smtpd.password_file}
    from: holdfast@example.net
  webhook_ca_file: {self.dir}/hook-ca.pem
  allow_private_webhooks: true
"""

    def write_certd_config(self):
        path = super().write_certd_config()
        path.write_text(path.read_text() + f"console:\n  url: {self.url}\n")
        return path

    def up(self):
        self.smtpd.start()
        return super().up()

    def close(self):
        try:
            super().close()
        finally:
            self.receiver.close()
            self.smtpd.stop()


@pytest.fixture(scope="module")
def bed():
    b = Bed()
    try:
        b.up()
        b.make_user("anna@acme.test", name="Anna Berger")
        b.make_user("vera@acme.test", VIEWER)
        yield b
    finally:
        b.close()


@pytest.fixture
def page(bed, visits):
    return bed.entered(visits, "anna@acme.test")


def act(page, about, name):
    """Of the menu beside something."""
    page.get_by_role("button", name=f"Acts on {about}").click()
    page.locator(".menu").get_by_role("button", name=re.compile(f"^{name}")).filter(
        visible=True).click()


def row(page, text):
    return page.get_by_role("row").filter(has_text=text)


# ---- accounts and users ----

def test_an_operator_creates_an_account_and_its_first_user_logs_in(bed, visits):
    page = bed.entered(visits)
    go(page, "/accounts", "Accounts")
    look(page, "accounts")
    button(page, "Create an account").first().click()
    dialog = page.get_by_role("dialog", name="Create an account")
    dialog.get_by_label("Name").fill("Globex!")
    button(dialog, "Create account").click()
    dialog.get_by_text("Use lower-case letters, digits and dashes, at most 40.").expect_visible()
    dialog.get_by_label("Name").fill("globex")
    dialog.get_by_label("Title (optional)").fill("Globex Corporation")
    look(page)
    button(dialog, "Create account").click()
    at(page, "Globex Corporation")
    page.expect_text("Nobody can log in to this account yet.")
    look(page, "account")
    page.get_by_role("link", name="Add a user").click()
    at(page, "Users")
    page.get_by_role("heading", name=re.compile("^(No|Nothing)")).expect_visible()
    look(page)
    button(page, "Add a user").first().click()
    dialog = page.get_by_role("dialog", name="Add a user")
    dialog.get_by_label("Account", exact=True).expect_value("globex")
    dialog.get_by_label("E-mail address").fill("nora@globex.test")
    dialog.get_by_role("radio", name=re.compile("^Administrator")).check()
    look(page)
    button(dialog, "Add user").click()
    dialog = page.get_by_role("dialog", name="Make a one-time link for nora@globex.test?")
    dialog.get_by_label("Send it by mail, too").check()
    button(dialog, "Make the link").click()
    dialog = page.get_by_role("dialog", name="A one-time link for nora@globex.test")
    link = dialog.locator("code").first().text_content()
    dialog.get_by_text("It was sent to nora@globex.test.").expect_visible()
    look(page, "user-link")
    mail = bed.smtpd.wait_for("nora@globex.test")
    assert link in mail.text
    # Whoever has it is in, once.
    other = visits.page(bed.url)
    other.allow(401, "/v1/session", "GET")
    assert link.startswith(bed.url)
    by_link(other, link.removeprefix(bed.url), "Welcome")
    other.get_by_label("Password", exact=True).fill(PASSWORD)
    other.get_by_label("Once more").fill(PASSWORD)
    button(other, "Set password").click()
    at(other, "Overview")
    go(other, "/users", "Users")
    row(other, "nora@globex.test").get_by_text("Administrator").expect_visible()
    row(other, "anna@acme.test").expect_hidden()
    log_out(other)
    log_in(other, "nora@globex.test", PASSWORD)
    at(other, "Overview")


def test_a_user_is_changed_disabled_and_deleted(bed, page):
    go(page, "/users", "Users")
    look(page, "users", dark=True, phone=True)
    act(page, "vera@acme.test", "Change")
    dialog = page.get_by_role("dialog", name="Change vera@acme.test")
    dialog.get_by_label("Name (optional)").fill("Vera Lund")
    dialog.get_by_role("radio", name=re.compile("^Auditor")).check()
    button(dialog, "Save").click()
    row(page, "Vera Lund").get_by_text("Auditor").expect_visible()
    act(page, "vera@acme.test", "Disable")
    dialog = page.get_by_role("dialog", name="Disable vera@acme.test?")
    dialog.get_by_text(re.compile("^Their sessions end at once")).expect_visible()
    look(page)
    button(dialog, "Disable").click()
    row(page, "Vera Lund").get_by_text("Disabled").expect_visible()
    act(page, "vera@acme.test", "Enable")
    row(page, "Vera Lund").get_by_text("Disabled").expect_hidden()
    act(page, "vera@acme.test", "Delete")
    button(page.get_by_role("dialog", name="Delete vera@acme.test?"), "Delete user").click()
    row(page, "Vera Lund").expect_hidden()


# ---- tokens and contacts ----

def test_a_tokens_secret_is_shown_once_works_and_can_be_revoked(bed, page):
    go(page, "/tokens", "Tokens")
    page.get_by_role("heading", name="No tokens yet").expect_visible()
    look(page)
    button(page, "Make a token").first().click()
    dialog = page.get_by_role("dialog", name="Make a token")
    dialog.get_by_label("Name").fill("ci")
    dialog.get_by_text("Scopes").click()
    dialog.get_by_label("certificates:read").check()
    look(page)
    button(dialog, "Make token").click()
    dialog = page.get_by_role("dialog", name="The secret of ci")
    secret = dialog.locator("code").first().text_content()
    example = dialog.get_by_role("region", name="A first request").text_content()
    look(page)
    button(dialog, "Close").click()
    dialog.expect_hidden()
    wait_for("it is shown no more", lambda: secret not in page.content())
    # As the example has it.
    header = bed.dir / "token.header"
    header.write_text(f"Authorization: Bearer {secret}\n")
    curl = ["curl", "--silent", "--cacert", bed.dir / "keyd/ca.pem", "--resolve",
            f"certd.bed.holdfast.test:{bed.rest_port}:127.0.0.1", "--write-out", "%{http_code}",
            "--output", bed.dir / "answer", "--header", f"@{header}"]
    assert f"curl --header @token.header {bed.url}/v1/certificates" in example

    def ask(path):
        done = subprocess.run([*curl, f"https://certd.bed.holdfast.test:{bed.rest_port}{path}"],
                              check=True, capture_output=True, text=True, timeout=60)
        return int(done.stdout)
    assert ask("/v1/certificates") == 200 and ask("/v1/resources") == 403
    page.reload()
    at(page, "Tokens")
    wait_for("it is shown no more", lambda: secret not in page.content())
    row(page, "ci").get_by_text("In force").expect_visible()
    look(page, "tokens", phone=True)
    button(row(page, "ci"), "Revoke").click()
    dialog = page.get_by_role("dialog", name="Revoke ci?")
    look(page)
    button(dialog, "Revoke token").click()
    row(page, "ci").get_by_text("Revoked").expect_visible()
    assert ask("/v1/certificates") == 401


def test_contacts_are_added_changed_and_deleted(bed, page):
    go(page, "/contacts", "Contacts")
    page.get_by_role("heading", name="No contacts yet").expect_visible()
    look(page)
    button(page, "Add a contact").first().click()
    dialog = page.get_by_role("dialog", name="Add a contact")
    dialog.get_by_label("Name").fill("Nils Holm")
    dialog.get_by_label("E-mail address").fill("not an address")
    button(dialog, "Add contact").click()
    dialog.locator(".error").filter(visible=True).expect_visible()
    dialog.get_by_label("E-mail address").fill("nils@acme.test")
    look(page)
    button(dialog, "Add contact").click()
    row(page, "Nils Holm").get_by_text("Technical").expect_visible()
    look(page, "contacts")
    act(page, "Nils Holm", "Change")
    dialog = page.get_by_role("dialog", name="Change Nils Holm")
    dialog.get_by_role("radio", name=re.compile("^Administrative")).check()
    button(dialog, "Save").click()
    row(page, "Nils Holm").get_by_text("Administrative").expect_visible()
    act(page, "Nils Holm", "Delete")
    button(page.get_by_role("dialog", name="Delete Nils Holm?"), "Delete contact").click()
    page.get_by_role("heading", name="No contacts yet").expect_visible()


# ---- notices ----

def test_a_webhooks_secret_is_shown_once_and_verifies_what_comes(bed, page):
    go(page, "/notices?tab=webhooks", "Notices")
    page.get_by_role("heading", name="No webhooks yet").expect_visible()
    look(page)
    button(page, "Add a webhook").first().click()
    dialog = page.get_by_role("dialog", name="Add a webhook")
    dialog.get_by_label("Name").fill("Chat")
    dialog.get_by_label("URL").fill(bed.receiver.url)
    button(dialog, "Add webhook").click()
    dialog = page.get_by_role("dialog", name="The secret of Chat")
    secret = dialog.locator("code").first().text_content()
    look(page)
    button(dialog, "Close").click()
    dialog.expect_hidden()
    assert secret.startswith("hfw_")
    wait_for("it is shown no more", lambda: secret not in page.content())
    button(row(page, "Chat"), "Test").click()
    dialog = page.get_by_role("dialog", name="Test of Chat")
    dialog.get_by_text("A test event was delivered.").expect_visible()
    look(page)
    button(dialog, "Close").click()
    headers, body = bed.receiver.requests[-1]
    # By the very lines that the page gives.
    code = page.get_by_role("region", name="Python").first().text_content()
    told = {}
    exec(code, told)
    assert told["is_from_holdfast"](headers["Holdfast-Signature"], body, secret)
    assert not told["is_from_holdfast"](headers["Holdfast-Signature"], body + b" ", secret)
    parts = dict(part.split("=") for part in headers["Holdfast-Signature"].split(","))
    assert parts["v1"] == hmac.new(secret.encode(), parts["t"].encode() + b"." + body,
                                   hashlib.sha256).hexdigest()
    assert json.loads(body)
    row(page, "Chat").get_by_text("Working").expect_visible()
    bed.receiver.answer = 500
    button(row(page, "Chat"), "Test").click()
    dialog = page.get_by_role("dialog", name="Test of Chat")
    dialog.get_by_role("alert").filter(has_text="500").expect_visible()
    button(dialog, "Close").click()
    bed.receiver.answer = 204
    look(page, "notices-webhooks")


def test_rules_say_who_is_told_and_what_was_told_is_seen(bed, page):
    go(page, "/notices", "Notices")
    page.get_by_role("heading", name="Nothing was told yet").expect_visible()
    look(page)
    page.get_by_role("tab", name="Rules").click()
    rule = row(page, "A first certificate was obtained")
    row(page, "A certificate expires soon").get_by_text(re.compile(" days before$")
                                                        ).expect_visible()
    look(page, "notices-rules", phone=True)
    page.get_by_role("button", name="Add a rule").click()
    dialog = page.get_by_role("dialog", name="Add a rule")
    dialog.get_by_label("When").select_option("issued")
    dialog.get_by_label("Days before").expect_hidden()
    dialog.get_by_label("Other addresses (optional)").fill("no address")
    dialog.get_by_label("Chat").check()
    button(dialog, "Add rule").click()
    dialog.get_by_text(re.compile("is not an address")).expect_visible()
    dialog.get_by_label("Other addresses (optional)").fill("ops@acme.test")
    look(page)
    button(dialog, "Add rule").click()
    rule.filter(has_text="ops@acme.test").filter(has_text="webhook Chat").expect_visible()
    # It happens, and is told by mail and by webhook.
    page.get_by_role("tab", name="Sent and waiting").click()
    bed.obtain("told.example.org")
    mail = bed.smtpd.wait_for("ops@acme.test", "told.example.org")
    told = row(page, "ops@acme.test")
    told.get_by_text("Sent", exact=True).expect_visible(30)
    row(page, "Webhook Chat").get_by_text("Sent", exact=True).expect_visible(30)
    assert b"told.example.org" in bed.receiver.requests[-1][1]
    look(page, "notices", dark=True, phone=True)
    told.get_by_role("link").first().click()
    at(page, mail.subject)
    card(page, "Text").get_by_text(re.compile("told.example.org")).expect_visible()
    look(page, "notice")
    # Off again.
    go(page, "/notices?tab=rules", "Notices")
    rule.filter(has_text="ops@acme.test").get_by_role(
        "button", name=re.compile("^Acts on the rule")).click()
    page.locator(".menu").get_by_role("button", name="Delete").filter(visible=True).click()
    button(page.get_by_role("dialog"), "Delete rule").click()
    rule.filter(has_text="ops@acme.test").expect_hidden()
    stop_mails(bed, page, mail)


def stop_mails(bed, page, mail):
    """Who got one stops them, by its link, without a log-in, and takes that back."""
    path = link_in(bed, mail)
    other = page.context.visits.page(bed.url)
    other.allow(401, "/v1/session", "GET")
    go(other, path, "Stop these mails?")
    other.expect_text("ops@acme.test")
    look(other, "unsubscribe", phone=True)
    button(other, "Stop these mails").click()
    at(other, "These mails are stopped")
    other.get_by_role("status").filter(has_text="Done.").expect_visible()
    look(other)
    # Opened again, it says how it is.
    go(other, path, "These mails are stopped")
    other.get_by_role("status").filter(has_text="Done.").expect_hidden()
    look(other, "unsubscribed", phone=True)
    # A stranger to the account: nobody but the recipient undoes that.
    go(page, "/notices?tab=stopped", "Notices")
    row(page, "ops@acme.test").get_by_text("By the recipient only").expect_visible()
    look(page, "notices-stopped-stranger", phone=True)
    button(other, "Send them again").click()
    at(other, "Stop these mails?")
    other.get_by_role("status").filter(has_text="They are sent to you again").expect_visible()
    other.expect_text(re.compile("You had stopped them, and had them sent again"))
    page.get_by_role("heading", name="Nobody has stopped mails").expect_visible()
    go(other, "/unsubscribe", "Stop these mails")
    other.expect_text("This link is not complete.")
    other.allow(400, "/v1/notices:subscription")
    go(other, path[:-4] + "AAAA", "Stop these mails")
    other.get_by_role("alert").filter(has_text="not one of ours").expect_visible()
    button(other, "Stop these mails").expect_hidden()
    look(other)


def link_in(bed, mail):
    return str(mail.parsed["List-Unsubscribe"]).strip(" <>").removeprefix(bed.url)


def test_mails_that_a_user_has_stopped_are_seen_and_sent_again_by_an_administrator(
        bed, page, visits):
    go(page, "/notices?tab=stopped", "Notices")
    page.get_by_role("heading", name="Nobody has stopped mails").expect_visible()
    look(page)
    contact = bed.call("Contacts", "Create", account="acme", kind=2, name="Nina",
                       email="nina@acme.test")
    bed.obtain("again.example.org")
    path = link_in(bed, bed.smtpd.wait_for("anna@acme.test", "again.example.org"))
    theirs = link_in(bed, bed.smtpd.wait_for("nina@acme.test", "again.example.org"))
    other = visits.page(bed.url)
    other.allow(401, "/v1/session", "GET")
    go(other, path, "Stop these mails?")
    button(other, "Stop these mails").click()
    at(other, "These mails are stopped")
    # It appears by itself.
    entry = row(page, "anna@acme.test")
    entry.get_by_text("Stopped", exact=True).expect_visible()
    look(page, "notices-stopped", dark=True, phone=True)
    # And where she stands; that leads back.
    go(page, "/users", "Users")
    look(page, "users-stopped")
    assert bed.rest("POST", theirs, body="List-Unsubscribe=One-Click", headers={
        "Content-Type": "application/x-www-form-urlencoded"})[0] == 200
    go(page, "/contacts", "Contacts")
    row(page, "Nina").get_by_role("link", name="Mails stopped").expect_visible()
    look(page, "contacts-stopped")
    bed.call("Contacts", "Delete", id=contact.id)
    go(page, "/users", "Users")
    entry.get_by_role("link", name="Mails stopped").click()
    at(page, "Notices")
    button(entry, "Send again").click()
    dialog = page.get_by_role("dialog", name="Send them to anna@acme.test again?")
    dialog.get_by_text("A first certificate was obtained").expect_visible()
    look(page, "notices-stopped-undone")
    button(dialog, "Send again").click()
    dialog.expect_hidden()
    entry.expect_hidden()
    page.get_by_label("Sent again, too").check()
    entry.get_by_text(re.compile("By anna@acme.test, ")).expect_visible()
    look(page)
    # Who had stopped them is told that it was somebody else.
    go(other, path, "Stop these mails?")
    other.expect_text(re.compile("Somebody of the account had them sent again"))
    look(other)
    go(page, "/history", "History")
    row(page, "Mails sent again").filter(has_text="anna@acme.test: issued").expect_visible()


def test_a_test_mail_is_sent_and_trouble_with_mail_is_told(bed, page):
    go(page, "/notices", "Notices")
    button(page, "Send a test mail").click()
    dialog = page.get_by_role("dialog", name="Send a test mail")
    dialog.get_by_label("To").expect_value("anna@acme.test")
    button(dialog, "Send").click()
    page.expect_text("The test mail is on its way.")
    bed.smtpd.wait_for("anna@acme.test")
    button(page, "Send a test mail").click()
    page.allow(400, "/v1/notices:test")
    dialog.get_by_label("To").fill("stranger@elsewhere.test")
    button(dialog, "Send").click()
    dialog.get_by_text(re.compile("^Test mails go to addresses of the account")).expect_visible()
    bed.smtpd.replies["gone@acme.test"] = "550 5.1.1 no such user"
    bed.call("Contacts", "Create", account="acme", kind=2, name="Gone", email="gone@acme.test")
    dialog.get_by_label("To").fill("gone@acme.test")
    button(dialog, "Send").click()
    dialog.get_by_role("alert").filter(has_text="no such user").expect_visible(30)
    look(page)


# ---- what happened, authorities, settings ----

def test_the_history_says_who_did_what_and_leads_there(bed, page):
    go(page, "/history", "History")
    done = row(page, "anna@acme.test")
    done.first().expect_visible()
    page.get_by_role("link", name=re.compile(r"^[Ee]nrollment \d+$")).first().expect_visible()
    look(page, "history", phone=True)
    section(page, "Accounts").expect_hidden()


def test_an_objects_page_tells_its_own_history_which_viewers_do_not_see(bed, visits, page):
    token = bed.rest_token()
    certificate = bed.add_certificate(Pki(), "told.example.com", name="Told")
    paper = bed.enroll("told.example.org", name="Paper").enrollment.id
    resource = bed.add_resource("Oven", "oven.example.com")["id"]
    for i in range(12):
        status, _, answer = bed.rest("PATCH", f"/v1/resources/{resource}", token,
                                     {"name": f"Oven {i}"})
        assert status == 200, answer
    pages = [(f"/certificates/{certificate['id']}", "Told", "Certificate uploaded"),
             (f"/enrollments/{paper}", "Paper", "Enrollment made"),
             (f"/resources/{resource}", "Oven 11", "Resource changed")]
    for path, heading, act in pages:
        go(page, path, heading)
        history = card(page, "History")
        history.get_by_text(act).first().expect_visible()
        for _, _, other in pages:
            if other != act:
                history.get_by_text(other).expect_hidden()
        look(page)
    card(page, "History").get_by_role("link", name="All of it").click()
    at(page, "History")
    row(page, "Resource created").expect_visible()
    row(page, "Certificate uploaded").expect_hidden()
    page.get_by_label("Object").select_option("")
    row(page, "Certificate uploaded").first().expect_visible()
    bed.make_user("otto@acme.test", VIEWER)
    viewer = bed.entered(visits, "otto@acme.test")
    go(viewer, f"/resources/{resource}", "Oven 11")
    card(viewer, "Delivery").expect_visible()
    card(viewer, "History").expect_hidden()


def test_an_operator_sees_authorities_and_gives_an_account_a_new_key(bed, visits):
    page = bed.entered(visits)
    go(page, "/authorities", "Certificate authorities")
    authority = card(page, "pebble")
    authority.get_by_text("Ready").expect_visible()
    look(page, "authorities", phone=True)
    button(authority, "Check now").click()
    page.expect_text("pebble answers.")
    key = authority.get_by_role("link").first().get_attribute("href")
    button(authority, "Change its key").click()
    dialog = page.get_by_role("dialog", name="Give the account at pebble a new key?")
    look(page)
    button(dialog, "Change the key").click()
    dialog.expect_hidden(30)
    authority.get_by_role("link").first().expect_visible()
    wait_for("the new key is shown",
             lambda: authority.get_by_role("link").first().get_attribute("href") != key)
    bed.pebble.stop_ca()
    try:
        button(authority, "Check now").click()
        page.expect_text("pebble cannot be used.", 60)
        authority.get_by_role("alert").filter(has_text="no answer").expect_visible()
        page.check_axe()
    finally:
        bed.pebble.start()
    go(page, "/settings", "Settings")
    look(page)
