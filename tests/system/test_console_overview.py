# SPDX-License-Identifier: Apache-2.0
"""The console's first page in a real browser: what needs somebody, what expires, how keyd is."""

import json
import re

import pytest

from bed import wait_for
from certd_bed import VIEWER, CertdBed
from certs import Pki
from console_bed import (
    HEIGHT, PHONE, WIDTH, Console, at, card, follow, go, log_in, look, section)

ANNA, NEW, VERA = "anna@acme.test", "newcomer@fresh.test", "vera@fresh.test"
FIRST_PAGE_MAX = 150_000
# What was transferred for this document and all that it has loaded, packed as it came.
TRANSFERRED = """JSON.stringify(performance.getEntriesByType("navigation").concat(
    performance.getEntriesByType("resource")).map((e) => [
        new URL(e.name).pathname, e.encodedBodySize, e.transferSize]))"""


class Bed(Console, CertdBed):
    pass


@pytest.fixture(scope="module")
def bed():
    b = Bed()
    try:
        b.up()
        furnish(b)
        yield b
    finally:
        b.close()


def furnish(b):
    """An account with three certificates, one of them soon to expire, and one with nothing."""
    b.make_account("acme")
    b.make_account("fresh")
    b.make_user(ANNA)
    b.make_user(NEW, account="fresh")
    b.make_user(VERA, VIEWER, account="fresh")
    b.pki = Pki()
    b.soon = b.add_certificate(b.pki, "soon.example.com", days=9.5)
    b.add_certificate(b.pki, "later.example.com", days=40.5)
    b.add_certificate(b.pki, "much-later.example.com", days=300)
    b.add_resource("soon", "soon.example.com", certificates=[b.soon["id"]])
    b.add_resource("plain", "plain.example.com", plain_http=True)


def figure(page, label):
    return page.locator(".figure").filter(has_text=re.compile(f"^{label}"))


def test_who_has_nothing_sees_the_first_three_steps(bed, visits):
    page = bed.entered(visits, NEW)
    steps = card(page, "The first three steps").get_by_role("listitem")
    assert [step.split("\n")[1] if step[0].isdigit() else step.split("\n")[0]
            for step in steps.all_inner_texts()] == [
        "Create a resource", "Give it a certificate", "See it served"]
    look(page, "overview-empty", phone=True)
    steps.nth(1).get_by_role("link", name="Add a certificate").click()
    at(page, "Add a certificate")
    follow(page, "Certificates", "Certificates")
    page.expect_text("No certificates yet")
    look(page, "certificates-empty")
    # Who may change nothing is offered nothing.
    page = bed.entered(visits, VERA)
    page.expect_text("Nothing here yet")
    assert page.locator("main").get_by_role("link").count() == 0
    look(page)


@pytest.mark.feature("C14")
def test_what_needs_somebody_and_what_expires_when(bed, visits):
    page = bed.entered(visits, ANNA)
    for label, value in (("Certificates", 3), ("Expired", 0), ("14 days or less", 1),
                         ("Resources", 2)):
        assert figure(page, label).locator(".value").inner_text().strip() == str(value), label
    needs = card(page, "Needs you now")
    needs.get_by_role("link", name=re.compile("soon.example.com")).expect_attribute(
        "href", f"/console/certificates/{bed.soon['id']}")
    needs.get_by_role("listitem").filter(has_text="plain").first().expect_visible()
    # The drawing has its numbers as a table beside it.
    chart = card(page, "Certificates that expire in the next 90 days")
    chart.get_by_role(
        "img", name=re.compile("^2 certificates of the next 90 days")).expect_visible()
    chart.get_by_text("Show as a table").click()
    rows = [text.split("\t") for text in chart.locator("tbody tr").all_inner_texts()]
    assert [[cell.strip() for cell in row[1:]] for row in rows] == [["1", "0", "0"]] * 2, rows
    look(page)
    page.reload()
    look(at(page, "Overview"), "overview", dark=True, phone=True)
    # Neither keyd nor the edges are an account's affair.
    for title in ("Custody", "Signing, edge by edge"):
        card(page, title).expect_hidden()
    figure(page, "14 days or less").click()
    at(page, "Certificates")
    page.locator("tbody tr").expect_count(1)


def test_an_operator_sees_how_keyd_is(bed, visits):
    page = bed.entered(visits)
    custody = card(page, "Custody")
    custody.get_by_text("Healthy", exact=True).expect_visible()
    custody.get_by_text("standard", exact=False).first().expect_visible()
    size = custody.get_by_role("link", name=re.compile(r"^[\d,]+ entries$")).inner_text()
    assert int(re.sub(r"\D", "", size)) > 5  # those of keyd's own beginning
    page.expect_text("Nothing was signed")
    look(page, "overview-operator", dark=True, phone=True)
    assert figure(page, "Certificates").locator(".value").inner_text().strip() == "3"


def test_what_changes_elsewhere_is_seen_without_a_reload(bed, visits):
    page = bed.entered(visits, ANNA)
    lists = page.tab()
    go(lists, "/certificates", "Certificates")
    section(lists, "Certificates").locator(".mark").expect_attribute(
        "title", "1 certificate with 14 days or less")
    for one in (page, lists):
        one.get_by_role("status").get_by_text("Live", exact=True).expect_visible()
    loads = [len(one.requests("/console/.*", "GET")) for one in (page, lists)]
    bed.add_certificate(bed.pki, "fresh.example.com", days=3)
    lists.locator("tbody tr").filter(has_text="fresh.example.com").expect_visible()
    section(lists, "Certificates").locator(".mark").expect_attribute(
        "title", "2 certificates with 14 days or less")
    page.bring_to_front()
    wait_for("the overview counts it", lambda: figure(page, "Certificates").locator(
        ".value").inner_text().strip() == "4")
    assert [len(one.requests("/console/.*", "GET")) for one in (page, lists)] == loads


def test_the_first_pages_are_light(bed, visits):
    page = visits.page(bed.url)
    page.allow(401, "/v1/session", "GET")
    go(page, "/login", "Log in to Holdfast")
    log_in(page, ANNA)
    at(page, "Overview")
    loaded = json.loads(page.evaluate(TRANSFERRED))
    names = [name for name, _, _ in loaded]
    assert all(sent >= packed > 0 for name, packed, sent in loaded
               if name.startswith("/console/")), loaded
    for part in ("/console/login", "main.js", "pages/login.js", "pages/overview.js",
                 "style/pages.css", "/v1/overview"):
        assert any(name.endswith(part) for name in names), part
    assert sum(packed for _, packed, _ in loaded) < FIRST_PAGE_MAX, sorted(
        loaded, key=lambda one: -one[1])[:10]


def test_the_theme_is_chosen_and_kept_and_a_phone_has_a_menu(bed, visits):
    page = bed.entered(visits, ANNA, width=PHONE)
    assert page.overflows() <= 0
    section(page, "Certificates").expect_hidden()
    page.get_by_role("button", name="Navigation").click()
    section(page, "Certificates").expect_visible()
    page.check_axe()
    page.screenshot("navigation-phone", full_page=False)
    page.press("Escape")
    section(page, "Certificates").expect_hidden()
    page.get_by_role("button", name="Navigation").click()
    section(page, "Certificates").click()
    at(page, "Certificates")
    section(page, "Certificates").expect_hidden()
    assert page.overflows() <= 0
    page.emulate(width=WIDTH, height=HEIGHT)
    background = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(background)
    go(page, "/settings", "Settings")
    card(page, "Look").get_by_role("radio", name="Dark").check(force=True)
    wait_for("it is dark", lambda: page.evaluate(background) != light)
    dark = page.evaluate(background)
    page.reload()
    at(page, "Settings")
    assert page.evaluate(background) == dark
    page.check_axe()
