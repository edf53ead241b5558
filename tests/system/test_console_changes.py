# SPDX-License-Identifier: Apache-2.0
"""Enrollments, changes and plans in a real browser, with CAs and a DNS that are real: by hand,
step by step, what fails, and everything of a CA replaced."""

import re

import pytest

from acme_bed import AWAITING_ISSUE, DONE, AcmeBed, names_of
from bed import free_port, wait_for
from console_bed import Console, at, button, card, go, look
from named import Named

HAND, STEPS, BROKEN = "www.hand.test", "steps.example.org", "broken.example.org"


class Bed(Console, AcmeBed):
    """certd answers http-01; the DNS of it and of the CAs is a named."""

    def __init__(self):
        port = free_port()
        super().__init__(dns=f"127.0.0.1:{port}", cas={"one": {}, "two": {}})
        self.named = Named(self.dir / "named", port=port)
        self.named.zone("example.org", "* IN A 127.0.0.1\nbroken IN A 127.0.0.254")
        self.named.zone("hand.test")

    def up(self):
        self.named.start()
        return super().up()

    def close(self):
        try:
            super().close()
        finally:
            self.named.stop()


@pytest.fixture(scope="module")
def bed():
    b = Bed()
    try:
        b.up()
        b.make_user("anna@acme.test")
        b.call("Contacts", "Create", account="acme", kind=2, name="Nils", email="nils@acme.test")
        yield b
    finally:
        b.close()


@pytest.fixture
def page(bed, visits):
    return bed.entered(visits, "anna@acme.test",
                       permissions=["clipboard-read", "clipboard-write"])


def fill(page, *hostnames, validation="Automatic", **ticked):
    go(page, "/enrollments/new", "Enroll host names")
    page.get_by_label("Host names").first().fill("\n".join(hostnames))
    page.get_by_role("radio", name=re.compile(f"^{validation}")).check()
    for label in ticked.get("tick", ()):
        page.get_by_label(label).check()


def enroll(page, *hostnames, **options):
    fill(page, *hostnames, **options)
    button(page, "Enroll").click()
    return at(page, hostnames[0])


def show_change(page):
    page.get_by_role("link", name="Show the change").click()
    return at(page, re.compile("."))


def copied(page, what):
    """What the button beside it puts into the clipboard."""
    button(page, f"Copy {what}").click()
    return page.evaluate("navigator.clipboard.readText()")


def id_of(page):
    return int(re.search(r"/(\d+)$", page.path())[1])


# ---- by hand ----

@pytest.mark.feature("A03")
@pytest.mark.feature("A04")
@pytest.mark.feature("H06")
@pytest.mark.feature("A08")
def test_a_record_is_put_in_place_by_hand_and_verified(bed, page):
    go(page, "/enrollments", "Enrollments")
    page.get_by_role("heading", name="No enrollments yet").expect_visible()
    look(page)
    go(page, "/changes", "Changes")
    page.get_by_role("heading", name="No changes yet").expect_visible()
    look(page)
    fill(page, HAND, validation="dns-01 by hand", tick=["Nils nils@acme.test"])
    look(page, "enrollment_new")
    button(page, "Enroll").click()
    at(page, HAND)
    waits = page.get_by_text("Put these in place, then press Verify.")
    waits.expect_visible()
    look(page, "enrollment-by-hand")
    show_change(page)
    waits.expect_visible()
    name, value = copied(page, "the name"), copied(page, "the value")
    change, = bed.changes()
    challenge, = change.challenges
    assert (name, value) == (challenge.dns_name, challenge.dns_value)
    page.get_by_text(f'{name}. 300 IN TXT "{value}"', exact=True).expect_visible()
    look(page, "change", dark=True, phone=True)
    # Too early: what is missing, where, and when to press again.
    page.allow(409, "/v1/changes/.*:verify")
    verify = button(page, "Verify")
    verify.click()
    page.get_by_text("Not in place yet.").expect_visible()
    page.expect_text("0 of 1 authoritative servers of hand.test have it")
    page.expect_text("verify again in")
    look(page)
    # The same values, as long as the order lives.
    page.reload()
    at(page, HAND)
    assert (copied(page, "the name"), copied(page, "the value")) == (name, value)
    bed.named.update("hand.test", f'add {name} 5 TXT "{value}"')

    def pressed():
        if verify.count():
            verify.click()
        return card(page, "Change").get_by_text("Done").count()
    wait_for("it is verified and done", pressed, 120)
    card(page, "What happened").get_by_text("Waits for you to verify").first().expect_visible()
    verify.expect_hidden()
    look(page)
    done = bed.ended(change.id, DONE)
    assert names_of(bed.certificate(done.certificate)) == {HAND}
    page.get_by_role("link", name=f"Certificate {done.certificate}").first().click()
    at(page, re.compile(HAND))


# ---- step by step ----

@pytest.mark.feature("H04")
@pytest.mark.feature("H05")
@pytest.mark.feature("A05")
def test_order_verify_and_issue_are_three_steps_for_who_wants_them(bed, page):
    fill(page, "*.example.org", validation="http-01", tick=["Step by step"])
    button(page, "Enroll").click()
    page.expect_text(re.compile(
        r"^http-01 cannot prove \*.example.org: choose a validation by DNS"))
    look(page)
    page.get_by_label("Host names").first().fill(STEPS)
    button(page, "Enroll").click()
    at(page, STEPS)
    show_change(page)
    page.get_by_text("Verify when the challenges are in place.").expect_visible()
    change = bed.changes()[0]
    challenge, = change.challenges
    assert copied(page, "the address") == challenge.http_url
    assert copied(page, "the text") == challenge.http_body
    assert copied(page, "the token") == challenge.token
    look(page)
    button(page, "Have it issued").expect_hidden()
    button(page, "Verify").click()
    page.get_by_text("The names are validated: have it issued when you want.").expect_visible()
    assert bed.change(change.id).state == AWAITING_ISSUE
    look(page)
    button(page, "Have it issued").click()
    card(page, "Change").get_by_text("Done").expect_visible()
    assert names_of(bed.certificate(bed.ended(change.id, DONE).certificate)) == {STEPS}
    go(page, "/changes", "Changes")
    page.get_by_role("row").filter(has_text=STEPS).get_by_text("Done").expect_visible()
    look(page, "changes", phone=True)
    page.get_by_label("Under way only").check()
    page.get_by_role("heading", name=re.compile("^(No|Nothing)")).expect_visible()


# ---- what fails ----

@pytest.mark.feature("A03")
def test_what_failed_says_why_and_is_tried_again(bed, page):
    enroll(page, BROKEN)
    failed = page.get_by_text(re.compile("It met a problem|The last attempt failed|It failed"))
    failed.expect_visible(60)
    look(page, "enrollment-failed")
    page.get_by_text(re.compile("127.0.0.254|[Cc]onnection|unauthorized")).expect_visible()
    bed.named.update("example.org", f"delete {BROKEN} A", f"add {BROKEN} 1 A 127.0.0.1")
    button(page, "Issue now").click()
    page.get_by_role("heading", level=1).get_by_text("Active").expect_visible(60)
    card(page, "Changes").get_by_text("Failed").expect_visible()


# ---- changed, revoked, deleted ----

@pytest.mark.feature("H04")
def test_an_enrollment_is_changed_revoked_and_deleted(bed, page):
    go(page, "/enrollments", "Enrollments")
    page.get_by_role("link", name=STEPS).first().click()
    at(page, STEPS)
    id_ = id_of(page)
    page.get_by_role("link", name="Change", exact=True).click()
    at(page, f"Change {STEPS}")
    ahead = page.get_by_text("A new certificate is obtained for this.")
    page.get_by_label("Name", exact=True).fill("steps")
    ahead.expect_hidden()
    page.get_by_label("Host names").first().fill(f"{STEPS}\nmore.example.org")
    page.get_by_label("Step by step").uncheck()
    ahead.expect_visible()
    look(page)
    # Words that are not saved are not lost by a slip.
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Keys").click()
    button(page.get_by_role("dialog", name="Leave without saving?"), "Cancel").click()
    button(page, "Save").click()
    at(page, "steps")
    card(page, "Its certificate was obtained").expect_visible(60)
    certificate = bed.enrollment(id_).certificate
    assert names_of(bed.certificate(certificate)) == {STEPS, "more.example.org"}
    look(page, "enrollment", phone=True)
    page.get_by_role("button", name="Acts on steps").click()
    button(page, "Revoke its certificate").click()
    dialog = page.get_by_role("dialog", name="Revoke the certificate of steps?")
    dialog.get_by_label("Reason").select_option("cessation_of_operation")
    dialog.get_by_label("Obtain another one first").uncheck()
    serial = bed.certificate(certificate).serial_number
    button(dialog, "Revoke certificate").click()
    page.get_by_role("heading", level=1).get_by_text("Revoked").expect_visible()
    wait_for("the CA has revoked it", lambda: bed.pebble.certificate_status(serial)[
        "Status"] == "Revoked")
    page.allow(404, f"/v1/enrollments/{id_}")  # asked for once more as it changed
    page.get_by_role("button", name="Acts on steps").click()
    page.locator(".menu").get_by_role("button", name="Delete").click()
    button(page.get_by_role("dialog", name="Delete the enrollment steps?"),
           "Delete enrollment").click()
    at(page, "Enrollments")
    page.get_by_role("link", name="steps", exact=True).expect_hidden()
    look(page, "enrollments", phone=True)


# ---- plans ----

@pytest.mark.feature("X12")
def test_a_plan_is_estimated_first_and_goes_to_its_end(bed, visits):
    for one in bed.call("Enrollments", "List").enrollments:
        if one.hostnames == [HAND]:  # it would wait for somebody
            bed.call("Enrollments", "Delete", id=one.id)
    page = bed.entered(visits)
    go(page, "/plans", "Plans")
    page.get_by_role("heading", name="No plans").expect_visible()
    look(page)
    page.get_by_role("link", name="Plan a replacement").first().click()
    at(page, "Plan a replacement")
    button(page, "Estimate").click()
    page.get_by_role("alert").filter(has_text="Choose a CA, or name a key").expect_visible()
    page.get_by_label("Of the CA").select_option("one")
    page.get_by_label("New ones from").select_option("two")
    page.get_by_role("radio", name=re.compile("^Revoke: superseded")).check()
    look(page, "plan_new")
    before = bed.pebbles["two"].requests()
    button(page, "Estimate").click()
    at(page, "Everything of CA one")
    page.expect_text("It fits into 1 day.")
    page.expect_text("Nothing is replaced before you start it.")
    assert bed.pebbles["two"].requests() == before
    look(page)
    button(page, "Start").click()
    dialog = page.get_by_role("dialog", name="Replace 1 certificate?")
    dialog.get_by_text("The old ones are revoked then").expect_visible()
    look(page)
    button(dialog, "Start replacing").click()
    page.expect_text("All of it was replaced.", 60)
    page.get_by_role("heading", level=1).get_by_text("Done").expect_visible()
    button(page, "Start").expect_hidden()
    look(page, "plan", dark=True)
    assert bed.changes()[0].authority == "two"
    go(page, "/plans", "Plans")
    look(page, "plans")
