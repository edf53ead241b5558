# SPDX-License-Identifier: Apache-2.0
"""Diagnose in a real browser: good and bad host names, and edges that serve something else; the
bed is that of test_diagnose.py."""

import re

import pytest

from bed import wait_for
from certd_bed import VIEWER
from console_bed import Console, at, button, card, go, look
from test_diagnose import GOOD, WWW, DiagnoseBed, add, set_up


class Bed(Console, DiagnoseBed):
    pass


@pytest.fixture(scope="module")
def bed():
    b, webs = Bed(), []
    try:
        set_up(b, webs)
        b.make_user("anna@acme.test")
        b.make_user("vera@acme.test", VIEWER)
        wait_for("the edge has looked at http-01's way", lambda: b.rows(
            "SELECT 1 FROM edge_site WHERE http_probed = 1"), 60)
        yield b
    finally:
        for web in webs:
            web.close()
        b.close()


@pytest.fixture
def page(bed, visits):
    return bed.entered(visits, "anna@acme.test")


def diagnose(page, hostname, verdict):
    page.get_by_label("Host name", exact=True).fill(hostname)
    button(page, "Diagnose").click()
    page.get_by_role("region", name=hostname, exact=True).expect_visible(60)
    page.get_by_text(verdict).expect_visible()


def finding(page, title):
    """One line of the checklist."""
    return page.get_by_role("list", name="Checks, in order").get_by_role("listitem").filter(
        has=page.get_by_role("heading", name=title))


def results(page):
    """[(title, result)] in order."""
    titles = page.locator(".findings h3").all_inner_texts()
    return list(zip(titles, page.locator(".findings .result").all_inner_texts(), strict=True))


@pytest.mark.feature("E01")
@pytest.mark.feature("E04")
@pytest.mark.feature("E07")
def test_a_good_host_name_passes_an_ordered_checklist(bed, page):
    go(page, "/diagnose", "Diagnose")
    page.get_by_role("heading", name="Nothing was looked at yet").expect_visible()
    look(page)
    button(page, "Diagnose").click()
    page.expect_text("Give a host name.")
    diagnose(page, GOOD, "All is as it should be.")
    found = results(page)
    assert len(found) > 10 and {result for _, result in found} == {"Passed", "Not applicable"}
    assert found[0][0].lower().find("name") >= 0, found
    # Its answers, as dig has them, with their TTL.
    dns = page.get_by_role("region", name=f"Answers of {GOOD}")
    assert dns.is_hidden()
    page.get_by_text("Answers, as dig shows them").first().click()
    dns.expect_text(re.compile(rf"^{GOOD}\.\s+300\s+IN\s+CNAME\s+{bed.shop['target']}\.", re.M))
    dns.expect_text(re.compile(r"^;; ", re.M))
    # How long ago the last change was, and which version each edge has of it.
    version = bed.json("resource", "show", "shop")["version"]
    page.expect_text(re.compile(f"^The resource was changed last .*, which is version {version}"))
    edge = page.get_by_role("table", name="What each edge serves").get_by_role("row").filter(
        has_text="e1")
    edge.get_by_text("Serves what is bound").expect_visible()
    assert [text.strip() for text in edge.get_by_role("cell").all_inner_texts()[2:4]] == [
        str(version)] * 2
    look(page, "diagnose", dark=True, phone=True)
    # It has an address of its own, and is kept.
    assert re.search(r"[?&]id=\d+", page.path())
    page.reload()
    at(page, "Diagnose")
    page.get_by_text("All is as it should be.").expect_visible()
    page.get_by_role("row").filter(has_text=GOOD).get_by_text("Nothing failed").expect_visible()


@pytest.mark.feature("E01")
@pytest.mark.feature("E07")
def test_a_bad_host_name_is_told_with_what_was_seen_and_how_to_mend_it(bed, page):
    go(page, "/diagnose", "Diagnose")
    diagnose(page, "none.example.org", "Something is in the way.")
    assert ("Failed" in dict(results(page)).values())
    page.expect_text(re.compile("NXDOMAIN"))
    # The answers of what failed are open.
    page.get_by_role("region", name="Answers of none.example.org").expect_visible()
    page.get_by_role("link", name="Create a resource").expect_visible()
    look(page, "diagnose-bad")
    diagnose(page, "noca.example.org", "Something is in the way.")
    page.get_by_role("region", name="To copy").filter(
        has_text='noca.example.org.  CAA  0 issue "letsencrypt.org"').expect_visible()
    page.get_by_text("To mend it:").first().expect_visible()
    page.get_by_text("Why it matters:").first().expect_visible()
    diagnose(page, WWW, "It works, with something worth knowing.")
    page.get_by_role("region", name="To copy").filter(
        has_text=f"{WWW}.  CNAME  {bed.shop['target']}.").expect_visible()
    look(page)
    page.allow(400, "/v1/diagnoses", "POST")
    page.get_by_label("Host name", exact=True).fill("not a name")
    button(page, "Diagnose").click()
    page.locator(".ask .error").filter(has_text=re.compile(".")).expect_visible()
    look(page)


@pytest.mark.feature("E08")
@pytest.mark.feature("E04")
def test_an_edge_that_serves_something_else_is_seen(bed, page):
    """nginx keeps what it has: it is not told of the switch."""
    id_, old = bed.shop["id"], bed.first["fingerprint"]
    go(page, f"/resources/{id_}", "shop")
    new = add(bed, GOOD, WWW)
    bed.hook.chmod(0o644)
    try:
        bed.json("resource", "bind", "shop", new["id"])
        wait_for("the edge has seen the other", lambda: bed.rows(
            "SELECT 1 FROM edge_site WHERE problem <> ''"), 60)
        page.get_by_role("link", name="Diagnose").last().click()
        at(page, "Diagnose")
        page.get_by_role("region", name="shop", exact=True).expect_visible(60)
        edge = page.get_by_role("table", name="What each edge serves").get_by_role(
            "row").filter(has_text="e1")
        edge.get_by_text("Serves another certificate").expect_visible()
        edge.get_by_text(old[:8]).expect_visible()
        page.expect_text("Something is in the way.")
        finding(page, "Every edge serves what is bound").get_by_text(
            "holdfast edge show").expect_visible()
        look(page, "diagnose-edge")
    finally:
        bed.hook.chmod(0o755)
    bed.reload_nginx()


def test_who_may_not_look_anew_reads_what_was_seen(bed, visits):
    page = bed.entered(visits, "vera@acme.test")
    go(page, "/diagnose", "Diagnose")
    button(page, "Diagnose").expect_hidden()
    page.get_by_text("To look anew takes an administrator or an engineer").expect_visible()
    look(page)
    page.get_by_role("link", name="noca.example.org").first().click()
    page.get_by_role("region", name="noca.example.org", exact=True).expect_visible()
    card(page, "noca.example.org").get_by_text("To mend it:").first().expect_visible()
