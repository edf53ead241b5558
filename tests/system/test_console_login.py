# SPDX-License-Identifier: Apache-2.0
"""Logging in to the console in a real browser, and what each role then sees."""

import re

import pytest

from bed import wait_for
from certd_bed import ENGINEER, VIEWER, CertdBed
from certs import Pki
from console_bed import (
    COOKIE, PASSWORD, Console, at, button, by_link, card, go, log_in, log_out, look, section, totp)

LOGIN = "Log in to Holdfast"
CONSOLE = "console:\n  client_certificates: true\n"
# Sections of the navigation that are for those who see all accounts.
OPERATORS = ("Edges", "Audit ledger", "Accounts", "Authorities", "Plans")


class Bed(Console, CertdBed):
    pass


@pytest.fixture(scope="module")
def bed():
    b = Bed(certd_lines=CONSOLE).up()
    for account in ("acme", "globex"):
        b.make_account(account)
    b.make_user("anna@acme.test", name="Anna Berger")
    b.make_user("vera@acme.test", VIEWER)
    b.certificate = b.add_certificate(Pki(), "shop.example.com")
    yield b
    b.close()


def outside(bed, visits, path="/login", heading=LOGIN, **options):
    """A page on which nobody is in."""
    page = visits.page(bed.url, **options)
    page.allow(401, "/v1/session", "GET")
    return go(page, path, heading)


def stored(page):
    """All that the page keeps in the browser."""
    return page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")


# ---- by link ----

def test_an_operator_logs_in_by_a_link_that_counts_once(bed, visits):
    page = visits.page(bed.url)
    page.allow(401, "/v1/session", "GET")
    link = bed.link()
    secret = link.partition("#link=")[2]
    assert len(secret) >= 40
    # Seen by nobody but who says so: a program that looks at mails does not use it up.
    for _ in range(2):
        go(page, link, "Log in by link?")
        look(page)
        assert not page.requests("/v1/sessions:link")
    button(page, "Use the link").click()
    at(page, "Overview")
    page.expect_text("All accounts")
    for name in OPERATORS:
        section(page, name).expect_visible()
    # The secret went in one body and stands nowhere else.
    assert page.path() == "/console/" and secret not in stored(page)
    assert [r.path for r in page.requests() if secret.encode() in r.body] == ["/v1/sessions:link"]
    assert not any(secret in r.url or secret in str(r.headers) for r in page.requests())
    page.go_back()
    assert secret not in page.url()
    again = visits.page(bed.url)
    again.allow(401, "/v1/session", "GET").allow(401, "/v1/sessions:link", "POST")
    by_link(again, link, "This link does not work")
    look(again)
    button(again, "Log in another way").click()
    at(again, LOGIN)


def test_the_session_is_a_cookie_that_no_script_reads(bed, visits):
    page = bed.entered(visits, "anna@acme.test")
    [cookie] = page.cookies()
    assert cookie["name"] == COOKIE and len(cookie["value"]) == 43
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"], cookie["path"]) == (
        True, True, "Strict", "/")
    assert cookie["domain"] == "127.0.0.1" and cookie["expires"] == -1
    kept = stored(page)
    token = page.evaluate("fetch('/v1/session').then(r => r.json()).then(s => s.csrf_token)")
    assert token and token not in kept and cookie["value"] not in kept
    # A click on a link of the navigation, and a reload, keep it.
    section(page, "Certificates").click()
    at(page, "Certificates")
    page.reload()
    at(page, "Certificates")
    log_out(page)
    assert page.cookies() == []
    page.context.browser.tell("chain", on=page.context.id, chain=[["addCookies", [cookie]]])
    go(page, "/", LOGIN)  # at certd it has ended, too


def test_who_comes_by_a_first_link_sets_a_password(bed, visits):
    bed.make_user("nora@acme.test", ENGINEER, password=None, name="Nora Lind")
    page = bed.entered(visits, "nora@acme.test", "Welcome, Nora Lind")
    look(page, "welcome")
    go(page, "/certificates", "Welcome, Nora Lind")  # nothing else before
    fresh, again = page.get_by_label("Password", exact=True), page.get_by_label("Once more")
    fresh.fill("short")
    button(page, "Set password").click()
    page.expect_text(re.compile("^At least 12 characters. Four unrelated"))
    fresh.fill("password1234")
    again.fill("password1235")
    button(page, "Set password").click()
    page.expect_text("This is not what stands above.")
    page.allow(400, "/v1/session:password")
    again.fill("password1234")
    button(page, "Set password").click()
    page.get_by_role("alert").filter(has_text="one of those that are tried first").expect_visible()
    fresh.fill(PASSWORD)
    again.fill(PASSWORD)
    button(page, "Set password").click()
    at(page, "Overview")
    log_out(page)
    log_in(page, "nora@acme.test")
    at(page, "Overview")


def test_a_second_link_asks_before_it_takes_ones_place(bed, visits):
    page = bed.entered(visits, "vera@acme.test")
    page.goto("/console/login" + bed.link("anna@acme.test").partition("/login")[2])
    at(page, "Log in by link?")
    page.expect_text("vera@acme.test")
    look(page)
    button(page, "Use the link").click()
    at(page, "Overview")
    page.get_by_role("button", name="Your account: Anna Berger").expect_visible()


# ---- by password ----

def test_a_wrong_password_is_said_and_the_right_one_leads_where_one_wanted_to_go(bed, visits):
    page = outside(bed, visits, "/certificates?search=shop")
    assert page.path() == "/console/login?next=%2Fcertificates%3Fsearch%3Dshop"
    look(page, "login", dark=True, phone=True)
    page.allow(401, "/v1/sessions", "POST")
    log_in(page, "anna@acme.test", "four small boats at sea")
    page.get_by_role("alert").filter(has_text="password").expect_visible()
    look(page)
    page.get_by_label("Password").fill(PASSWORD)
    page.press("Enter")
    at(page, "Certificates")
    assert page.path() == "/console/certificates?search=shop"
    page.get_by_role("link", name="shop.example.com").expect_visible()
    assert PASSWORD not in stored(page)


def test_an_address_in_two_accounts_chooses_one(bed, visits):
    for account in ("acme", "globex"):
        bed.make_user("both@both.test", account=account)
    page = outside(bed, visits)
    page.allow(409, "/v1/sessions", "POST")
    log_in(page, "both@both.test")
    at(page, "Which account?")
    look(page)
    page.get_by_role("radio", name="globex").check()
    button(page, "Log in").click()
    at(page, "Overview")
    page.locator("header.top").get_by_text("globex").expect_visible()


# ---- the second factor ----

def test_a_second_factor_is_set_up_by_a_real_code_and_asked_for(bed, visits):
    bed.make_user("emma@acme.test")
    page = bed.entered(visits, "emma@acme.test")
    go(page, "/settings", "Settings")
    look(page, "settings")
    button(card(page, "Second factor"), "Set up").click()
    dialog = page.get_by_role("dialog", name="Set up a second factor")
    secret = dialog.locator("code").first().text_content()
    dialog.get_by_role("img", name=re.compile("^QR code")).expect_visible()
    look(page)
    page.allow(400, "/v1/session:confirm_totp")
    dialog.get_by_role("textbox", name="Code").fill("12345")
    button(dialog, "Turn on").click()
    dialog.get_by_text("Six digits, as your authenticator app shows them.").expect_visible()
    dialog.get_by_role("textbox", name="Code").fill(totp(secret, 50))
    button(dialog, "Turn on").click()
    dialog.get_by_text(re.compile("^These are not the six digits")).expect_visible()
    code = totp(secret)
    dialog.get_by_role("textbox", name="Code").fill(f"{code[:3]} {code[3:]}")
    button(dialog, "Turn on").click()
    page.expect_text("The second factor is on.")
    button(card(page, "Second factor"), "Turn off").expect_visible()
    log_out(page)
    page.allow(409, "/v1/sessions", "POST").allow(401, "/v1/sessions", "POST")
    log_in(page, "emma@acme.test")
    at(page, "Enter the code")
    look(page, "login-code")
    page.get_by_role("textbox", name="Code").fill(code)  # of the set-up: a code counts once
    button(page, "Log in").click()
    page.get_by_text("The code is not right.").expect_visible()
    page.get_by_role("textbox", name="Code").fill(totp(secret, 1))
    button(page, "Log in").click()
    at(page, "Overview")
    # A link stands for the password alone, and is not used up by the question.
    page = visits.page(bed.url)
    page.allow(401, "/v1/session", "GET").allow(409, "/v1/sessions:link", "POST")
    page.allow(401, "/v1/sessions:link", "POST")
    by_link(page, bed.link("emma@acme.test"), "Enter the code")
    page.get_by_role("textbox", name="Code").fill(code)
    button(page, "Log in").click()
    page.get_by_text("The code is not right.").expect_visible()
    button(page, "Cancel").click()
    at(page, LOGIN)


# ---- by certificate ----

def test_an_operator_logs_in_by_a_client_certificate(bed, visits):
    identity = bed.dir / "admin/identity.pem"
    page = outside(bed, visits, client_certificate=(identity, identity))
    button(page, "Use a client certificate").click()
    at(page, "Overview")
    page.get_by_role("button", name="Your account: operator/admin").expect_visible()
    page.expect_text("All accounts")
    without = outside(bed, visits)
    without.allow(409, "/v1/sessions:certificate", "POST")
    button(without, "Use a client certificate").click()
    without.get_by_role("alert").filter(has_text="certificate").expect_visible()
    look(without)


# ---- rights ----

def test_a_viewer_sees_no_button_that_changes(bed, visits):
    page = bed.entered(visits, "vera@acme.test")
    path = f"/certificates/{bed.certificate['id']}"
    for where, heading in (("/", "Overview"), ("/certificates", "Certificates"),
                           (path, re.compile("^shop.example.com")),
                           ("/requests", "Certificate requests")):
        go(page, where, heading)
        main = page.locator("main")
        for name in ("Add", "Create", "Request", "Delete", "Replace", "Bind", "Make", "Acts on"):
            for role in ("button", "link"):
                main.get_by_role(role, name=re.compile(f"^{name}\\b")).expect_hidden()
    for where in ("/certificates/new", "/requests/new", "/users", "/tokens", "/history"):
        go(page, where, "This page is not for your role")
    look(page)
    for name in (*OPERATORS, "Users", "Tokens", "Contacts", "History"):
        section(page, name).expect_hidden()


def test_a_user_of_an_account_sees_no_section_of_operators(bed, visits):
    page = bed.entered(visits, "anna@acme.test")
    section(page, "Users").expect_visible()
    for name in OPERATORS:
        section(page, name).expect_hidden()
    for where in ("/edges", "/audit", "/accounts", "/authorities", "/plans"):
        go(page, where, "This page is not for your role")
    go(page, "/nothing/here", "There is no such page")
    look(page)
    # Whoever else's is asked for is not there.
    strange = bed.add_certificate(Pki(), "globex.example.com", account="globex")
    page.allow(404, f"/v1/certificates/{strange['id']}")
    page.goto(f"/console/certificates/{strange['id']}")
    page.get_by_role("link", name="Go to certificates").expect_visible()


# ---- the end of sessions ----

def test_a_session_that_was_ended_elsewhere_says_so_and_leads_back(bed, visits):
    page, other = (bed.entered(visits, "anna@acme.test") for _ in range(2))
    go(other, "/certificates", "Certificates")
    go(page, "/settings", "Settings")
    ends = button(card(page, "Sessions"), "End")
    before = ends.count()
    ends.first().click()
    button(page.get_by_role("dialog", name="End this session?"), "End session").click()
    page.expect_text("The session has ended.")
    ends.expect_count(before - 1)
    other.allow(401, "/v1/.*")
    section(other, "Requests").click()
    other.expect_text("Your session has ended.")
    at(other, LOGIN)
    log_in(other, "anna@acme.test")
    at(other, "Certificate requests")


def test_who_guesses_waits_and_sees_for_how_long(bed, visits):
    bed.make_user("dora@acme.test")
    page = outside(bed, visits)
    page.allow(401, "/v1/sessions", "POST").allow(429, "/v1/sessions", "POST")

    def guessed():
        status, headers, _ = bed.rest("POST", "/v1/sessions", None, {
            "email": "dora@acme.test", "password": "a wrong password"})
        return status == 429 and int(headers["Retry-After"]) > 6
    # The first waits are over before a slow machine has looked at them.
    wait_for("guesses are made to wait", guessed)
    log_in(page, "dora@acme.test", "another wrong password")
    page.locator(".trouble .note.notice").expect_visible()
    act = page.get_by_role("button", name=re.compile(r"^Log in \(\d+ s\)$"))
    act.expect_visible()
    assert act.is_disabled()
    page.expect_text(re.compile("wait|again in"))
    look(page)
    button(page, "Log in").expect_visible(60)


def test_a_required_second_factor_is_set_up_before_anything_else(bed, visits):
    bed.reconfigure(CONSOLE + "  second_factor: required\n")
    bed.make_user("rosa@acme.test", ENGINEER)
    page = outside(bed, visits)
    log_in(page, "rosa@acme.test")
    at(page, "Set up a second factor")
    look(page, "second-factor")
    go(page, "/certificates", "Set up a second factor")
    secret = page.locator("main code").first().text_content()
    page.get_by_role("textbox", name="Code").fill(totp(secret))
    button(page, "Turn on").click()
    at(page, "Overview")
