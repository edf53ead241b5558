# SPDX-License-Identifier: Apache-2.0
"""Certificates in the console, in a real browser: found, added, replaced, exported, deleted.

What a person gives is wrapped by the page: no request holds a private key or a password, which
each test that gives one looks for in all that the page has sent.
"""

import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7

from acme_bed import AcmeBed, read_chain
from bed import wait_for
from certd_bed import ENGINEER
from certs import Pki, der, fingerprint, key_pem, pem
from console_bed import (
    Console, at, button, card, follow, go, key_forms, look, never_sent, section, shot)

ANNA, EVA = "anna@acme.test", "eva@acme.test"  # administrator, engineer
SECRET = "correct horse on a boat"
NEW, ONE_FIELD = "Add a certificate", "Certificate, chain and private key"
PEM = serialization.Encoding.PEM


class Bed(Console, AcmeBed):
    pass


@pytest.fixture(scope="module")
def bed():
    b = Bed(edges=1)
    try:
        b.up()
        furnish(b)
        yield b
    finally:
        b.close()


def furnish(b):
    """Two people, certificates of which one has expired, a resource, an edge that serves it."""
    b.pki = Pki()
    b.make_user(ANNA)
    b.make_user(EVA, ENGINEER)
    b.expired = b.add_certificate(b.pki, "old.example.com", days=20 / 86400)
    b.soon = b.add_certificate(b.pki, "soon.example.com", days=9)
    b.spare = b.add_certificate(b.pki, "spare.example.com", "www.spare.example.com", days=200)
    b.shop = b.add_certificate(b.pki, "shop.example.com", days=60, name="The shop's")
    b.resource = b.add_resource("shop", "shop.example.com", certificates=[b.shop["id"]])
    b.publish("shop.example.com")
    b.auto = b.add_resource("auto", "auto.example.org", mode="acme")
    b.files = b.dir / "given"
    b.files.mkdir()
    wait_for("one is obtained", lambda: b.certificates(query="kinds=acme"))
    wait_for("one has expired", lambda: b.certificates(query="search=old.example.com")[0][
        "expires_in_days"] < 0)


def file(bed, name, content):
    path = bed.files / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def adding(bed, visits, who=EVA):
    """The page that takes a certificate."""
    page = bed.entered(visits, who)
    follow(page, "Certificates", "Certificates")
    page.get_by_role("link", name=NEW).first().click()
    return at(page, NEW)


def zone(page):
    return page.locator(".drop")


def given(page):
    return page.get_by_role("list", name="Given so far")


def add(bed, page, host, key, password=None):
    """Send what was given; the certificate, whose key nobody saw."""
    page.expect_text("The private key fits, and is wrapped for the token already.")
    page.expect_text("certd has looked at it, too: it can be served.")
    look(page)
    button(page, "Add certificate").click()
    at(page, re.compile(f"^{re.escape(host)}"))
    page.expect_text(re.compile(f"^{re.escape(host)}.* was added"))
    never_sent(page, key, password)
    [found] = bed.certificates(query=f"search={host}")
    assert found["key"]["origin"] == "imported_wrapped" and not found["key"]["exposed"]
    return found


# ---- the list ----

@pytest.mark.feature("C04")
def test_the_list_is_searched_sorted_and_filtered(bed, visits):
    page = bed.entered(visits, ANNA)
    follow(page, "Certificates", "Certificates")
    rows = page.locator("tbody tr")
    rows.expect_count(4)
    look(page, "certificates", dark=True, phone=True)
    shop = rows.filter(has_text="The shop's")
    for text in (str(bed.shop["id"]), "shop.example.com", re.compile("^in (59|60) days$")):
        shop.get_by_text(text).first().expect_visible()
    shop.get_by_role("link", name="shop", exact=True).expect_attribute(
        "href", f"/console/resources/{bed.resource['id']}")

    def names():
        return [text.split("\n")[0] for text in rows.all_inner_texts()]
    button(page, "Name").click()
    by_name = ["old.example.com", "soon.example.com", "spare.example.com", "The shop's"]
    wait_for("they are in the order of their names", lambda: names() == sorted(by_name))
    button(page, "Name").click()
    wait_for("and the other way", lambda: names() == sorted(by_name)[::-1])
    button(page, "Expires").click()
    wait_for("as they expire", lambda: names() == [
        "old.example.com", "soon.example.com", "The shop's", "spare.example.com"])
    search = page.get_by_label("Search by Name, host name or fingerprint")
    for words, name in (("www.spare", "spare.example.com"),
                        (bed.soon["fingerprint"][:16], "soon.example.com")):
        search.fill(words)
        rows.expect_count(1)
        wait_for(f"{name} is found", lambda: names() == [name])
    # It is in the address: it can be sent to others, and outlives a reload.
    assert f"search={bed.soon['fingerprint'][:16]}" in page.path()
    page.reload()
    at(page, "Certificates")
    rows.expect_count(1)
    page.get_by_label("Search by Name, host name or fingerprint").fill("no such thing")
    page.expect_text("Nothing found")
    look(page)
    button(page, "Show all").click()
    rows.expect_count(4)
    page.get_by_label("Expiry").select_option("14")
    rows.expect_count(2)
    page.get_by_label("Expiry").select_option("")
    page.get_by_label("Unused").check()
    rows.expect_count(3)
    rows.filter(has_text="The shop's").expect_hidden()


@pytest.mark.feature("C14")
def test_what_expires_is_said_at_log_in_and_marked_in_two_ways(bed, visits):
    page = bed.entered(visits, ANNA)
    reminder = page.get_by_role("region", name="Reminder")
    assert "1 certificate has expired, and 1 expires in 14 days or less." in (
        reminder.inner_text())
    look(page)
    mark = section(page, "Certificates").locator(".mark")
    mark.expect_attribute("title", "1 certificate expired, 1 certificate with 14 days or less")
    reminder.get_by_role("link", name="Show them").click()
    at(page, "Certificates")
    rows = page.locator("tbody tr")
    rows.expect_count(2)
    seen = {}
    for name, kind in (("old", "expired"), ("soon", "soon")):
        one = rows.filter(has_text=f"{name}.example.com").locator(f".mark.{kind}")
        seen[name] = (one.get_attribute("title"), page.evaluate(f"""(mark => [
            mark.querySelector("svg").innerHTML, getComputedStyle(mark).color].join())(
            document.querySelector("tbody .mark.{kind}"))"""))
    assert all(a != b for a, b in zip(seen["old"], seen["soon"])), seen
    assert "xpired" in seen["old"][0] and re.search("in [89] days", seen["soon"][0]), seen
    # Once a session: neither the next page nor a reload says it again; a new session does.
    reminder.expect_hidden()
    page.reload()
    at(page, "Certificates")
    reminder.expect_hidden()
    mark.expect_visible()
    other = bed.entered(visits, ANNA)
    button(other.get_by_role("region", name="Reminder"), "Dismiss").click()
    other.get_by_role("region", name="Reminder").expect_hidden()
    # The rows that need nothing have no mark.
    go(other, "/certificates?search=spare", "Certificates")
    other.locator("tbody tr").expect_count(1)
    assert other.locator("tbody tr .mark").count() == 0


@pytest.mark.feature("C25")
def test_acme_certificates_are_not_in_the_personal_list(bed, visits):
    page = bed.entered(visits, ANNA)
    go(page, "/certificates", "Certificates")
    rows = page.locator("tbody tr")
    rows.filter(has_text="spare.example.com").expect_visible()
    rows.filter(has_text="auto.example.org").expect_hidden()
    page.get_by_label("Kind").select_option("acme")
    rows.expect_count(1)
    rows.filter(has_text="auto.example.org").get_by_text("ACME", exact=True).expect_visible()


# ---- adding one ----

@pytest.mark.feature("C03")
@pytest.mark.feature("V04")
@pytest.mark.feature("V05")
@pytest.mark.feature("V07")
def test_a_bundle_is_pasted_in_any_order_and_told_what_was_put_right(bed, visits):
    key, leaf = bed.pki.leaf("paste.example.com")
    text = "\ufeffHere it is:\n" + pem(bed.pki.middle) + "  \nbag attributes\n" + key_pem(
        key).replace("-----\n", "-----  \n") + pem(leaf)
    page = adding(bed, visits)
    look(page, "certificate_new", dark=True, phone=True)
    page.get_by_role("textbox", name=ONE_FIELD).fill(text)
    page.get_by_role("textbox", name=ONE_FIELD).expect_value("")  # no key on the screen
    given(page).get_by_text("2 certificates, private key EC P-256").expect_visible()
    found = card(page, "What was found")
    for note in ("Removed a byte order mark.", "Removed blanks around and inside lines.",
                 "Ignored text between blocks.", "Put 2 certificates in order."):
        found.get_by_text(note, exact=True).expect_visible()
    shot(page, "certificate_new-found")
    page.get_by_role("textbox", name=re.compile("^Name")).fill("paste.example.com by hand")
    added = add(bed, page, "paste.example.com", key)
    assert added["name"] == "paste.example.com by hand" and added["resources"] == []
    # It is in the list of those who look on, unbound.
    go(page, "/certificates?search=by+hand", "Certificates")
    page.locator("tbody tr").filter(has_text="Nothing").expect_visible()


@pytest.mark.feature("H01")
def test_four_parts_are_pasted_each_in_its_field(bed, visits):
    key, leaf = bed.pki.leaf("four.example.com")
    page = adding(bed, visits)
    page.get_by_role("radio", name="Four parts").check(force=True)
    for label, text in (("Public certificate", pem(leaf)), ("Intermediate", pem(bed.pki.middle)),
                        ("CA bundle", pem(bed.pki.root)), ("Private key", key_pem(key))):
        page.get_by_role("textbox", name=label, exact=True).fill(text)
        given(page).get_by_text(label, exact=True).expect_visible()
    assert bed.chain(add(bed, page, "four.example.com", key)["id"]) == [leaf, bed.pki.middle]


@pytest.mark.feature("V07")
def test_files_are_chosen_der_and_pkcs7_among_them(bed, visits):
    key, leaf = bed.pki.leaf("chosen.example.com", kind="rsa")
    chain = pkcs7.serialize_certificates([leaf, bed.pki.middle], serialization.Encoding.DER)
    page = adding(bed, visits)
    page.locator("input[type=file]").set_input_files(
        file(bed, "chain.p7b", chain), file(bed, "leaf.cer", der(leaf)),
        file(bed, "private.key", key_forms(key)[1]))
    given(page).get_by_text("private key RSA 2048").expect_visible()
    added = add(bed, page, "chosen.example.com", key)
    assert bed.chain(added["id"]) == [leaf, bed.pki.middle]


@pytest.mark.feature("H02")
@pytest.mark.feature("V07")
def test_a_pfx_is_dropped_and_opened_by_its_password_in_the_browser(bed, visits):
    key, leaf = bed.pki.leaf("pfx.example.com")
    pfx = bed.pki.pfx(bed.files, "shop", key, leaf, SECRET)
    page = adding(bed, visits)
    zone(page).drop_files(pfx, file(bed, "noise.pfx", b"\x30\x82\x01\x00" + bytes(256)))
    password = page.get_by_label("Password of shop.pfx")
    password.fill("the wrong one")
    button(page, "Open").click()
    page.expect_text(re.compile("^The password of the PFX is wrong"))
    # Which is another thing than a file that nobody can read.
    noise = given(page).get_by_role("listitem").filter(has_text="noise.pfx")
    noise.get_by_role("alert").expect_visible()
    assert "password" not in noise.inner_text()
    look(page, "certificate_new-pfx")
    button(page, "Remove noise.pfx").click()
    password.fill(SECRET)
    page.press("Enter")
    given(page).get_by_text("2 certificates, private key EC P-256").expect_visible()
    add(bed, page, "pfx.example.com", key, SECRET)


@pytest.mark.feature("C12")
def test_a_key_of_another_certificate_is_refused_with_both_named(bed, visits):
    (other, _), (_, leaf) = bed.pki.leaf("x.example.com", kind="rsa"), bed.pki.leaf("y.example.com")
    page = adding(bed, visits)
    zone(page).drop_files(file(bed, "leaf.pem", pem(leaf)), file(bed, "other.key", key_pem(other)))
    said = page.get_by_role("alert").filter(
        has_text="The private key is not the one of this certificate.")
    said.expect_visible()
    assert "(EC P-256)" in said.inner_text() and "(RSA 2048)" in said.inner_text()
    look(page)
    page.allow(409, "/v1/certificates", "POST")
    button(page, "Add certificate").click()
    page.locator(".trouble").get_by_role("alert").filter(has_text="rsa-2048").expect_visible()
    never_sent(page, other)
    assert bed.certificates(query="search=y.example.com") == []


@pytest.mark.feature("C11")
@pytest.mark.feature("V05")
def test_a_chain_is_put_right_and_a_foreign_one_refused(bed, visits):
    key, leaf = bed.pki.leaf("chain.example.com")
    page = adding(bed, visits)
    text = page.get_by_role("textbox", name=ONE_FIELD)
    text.fill(pem(Pki("stranger").middle) + pem(leaf) + key_pem(key))
    page.allow(400, "/v1/certificates", "POST").allow(409, "/v1/certificates", "POST")
    found = card(page, "What was found")
    found.get_by_role("alert").expect_visible()
    look(page)
    button(page, f"Remove {ONE_FIELD}").click()
    whole = pem(bed.pki.root) + pem(bed.pki.middle) + pem(leaf) + key_pem(key)
    zone(page).drop_files(file(bed, "whole.pem", whole.replace("\n", "\r\n")))
    found.get_by_text("Read lines that end in CR LF.").expect_visible()
    page.expect_text("certd has looked at it, too: it can be served.")
    found.locator(".notes li").filter(has_text=re.compile("root", re.I)).expect_visible()
    added = add(bed, page, "chain.example.com", key)
    assert bed.chain(added["id"]) == [leaf, bed.pki.middle]


# ---- one certificate ----

@pytest.mark.feature("H08")
def test_a_certificate_is_shown_and_exported_but_not_its_key(bed, visits, tmp_path):
    page = bed.entered(visits, ANNA)
    go(page, f"/certificates/{bed.shop['id']}", re.compile("^The shop's"))
    chain = card(page, "Chain").get_by_role("listitem")
    assert [text.split("\n")[0] for text in chain.all_inner_texts()] == [
        "shop.example.com", "bed intermediate", "bed root"]
    served = card(page, "Where it is served")
    served.get_by_role("link", name="shop", exact=True).expect_visible()
    wait_for("the edge was seen", lambda: bed.converged("shop"))
    served.get_by_text("1 of 1 edge", exact=False).expect_visible()
    look(page, "certificate", dark=True, phone=True)
    leaf, middle = bed.chain(bed.shop["id"])
    exports = card(page, "Export")

    def exported(label):
        return button(exports, label).download(tmp_path).read_bytes()
    assert read_chain(exported("PEM")) == [leaf, middle]
    assert x509.load_der_x509_certificate(exported("DER")) == leaf
    assert pkcs7.load_pem_pkcs7_certificates(exported("PKCS#7, PEM")) == [leaf, middle]
    assert pkcs7.load_der_pkcs7_certificates(exported("PKCS#7, DER")) == [leaf, middle]
    key = card(page, "Private key")
    key.get_by_text("Can it be exported?").click()
    key.get_by_text("The token signs with it and gives it to nobody").expect_visible()
    key.get_by_role("link", name="Make a replacement key").click()
    at(page, "Request a certificate")
    page.get_by_label("Host names").expect_value("shop.example.com")
    page.expect_text("For a new key in the place of that of The shop's.")
    look(page, "request_new")


@pytest.mark.feature("C05")
@pytest.mark.feature("C06")
def test_one_in_use_is_replaced_everywhere_and_then_deleted(bed, visits):
    page = bed.entered(visits, ANNA)
    go(page, f"/certificates/{bed.shop['id']}", re.compile("^The shop's"))
    button(page, "Delete").click()
    refusal = page.get_by_role("dialog", name="The shop's is in use")
    refusal.get_by_role("listitem").filter(has_text="shop").expect_visible()
    look(page)
    button(refusal, "Replace everywhere, then delete").click()
    # There is none yet that covers its host names.
    nothing = page.get_by_role("dialog", name="There is none to replace it with")
    nothing.get_by_role("link", name=NEW).expect_visible()
    look(page)
    button(nothing, "Close").click()
    heir = bed.add_certificate(bed.pki, "shop.example.com", days=300, name="The new one")
    button(page, "Replace everywhere").click()
    choice = page.get_by_role("dialog", name="Replace The shop's everywhere")
    choice.get_by_label("With").select_option(str(heir["id"]))
    look(page)
    button(choice, "Replace everywhere").click()
    page.expect_text("1 resource switched.")
    wait_for("the edge serves the other one", lambda: bed.served(
        "e1", "shop.example.com") == heir["fingerprint"])
    # The page says by itself when nothing keeps it any more.
    page.get_by_text("Nothing keeps it from being deleted.").first().expect_visible(60)
    page.allow(404, f"/v1/certificates/{bed.shop['id']}", "GET")  # told that it is gone
    button(page, "Delete").click()
    sure = page.get_by_role("dialog", name="Delete The shop's?")
    look(page)
    button(sure, "Delete certificate").click()
    at(page, "Certificates")
    page.expect_text("The shop's was deleted.")
    page.locator("tbody tr").filter(has_text="The new one").expect_visible()
    page.locator("tbody tr").filter(has_text="The shop's").expect_hidden()
    assert bed.shop["id"] not in [one["id"] for one in bed.certificates()]


@pytest.mark.feature("V06")
def test_a_bought_certificate_is_attached_to_a_key_that_never_left(bed, visits, tmp_path):
    page = bed.entered(visits, EVA)
    follow(page, "Requests", "Certificate requests")
    page.expect_text("No requests yet")
    look(page)
    page.get_by_role("link", name="Request a certificate").first().click()
    at(page, "Request a certificate")
    page.get_by_label("Host names").fill("https://bought.example.com/")
    button(page, "Make key and request").click()
    page.expect_text(re.compile("is no host name"))
    page.get_by_label("Host names").fill("bought.example.com\nwww.bought.example.com")
    button(page, "Make key and request").click()
    at(page, re.compile("^bought.example.com"))
    look(page, "request", phone=True)
    csr = button(page, "Download").download(tmp_path)
    assert csr.name == "bought.example.com.csr"
    leaf = bed.pki.of_request(csr.read_text())
    zone(page).drop_files(file(bed, "bought.pem", pem(leaf)), file(
        bed, "ca.pem", pem(bed.pki.middle)))
    given(page).get_by_text("ca.pem").expect_visible()
    button(page, "Attach certificate").click()
    page.expect_text("bought.example.com was attached.")
    card(page, "Private key").get_by_text(
        "It was made in the token and has never been outside of it.").expect_visible()
    [found] = bed.certificates(query="search=bought.example.com")
    assert found["key"]["origin"] == "generated" and found["fingerprint"] == fingerprint(leaf)
    go(page, "/requests", "Certificate requests")
    page.locator("tbody tr").filter(has_text="Attached").expect_visible()
    look(page, "requests")


# ---- what a browser cannot open ----

@pytest.mark.feature("H02")
def test_an_old_pfx_goes_by_the_command_line_or_exposed_where_that_is_allowed(bed, visits):
    key, leaf = bed.pki.leaf("legacy.example.com")
    pfx = bed.pki.pfx(bed.files, "legacy", key, leaf, SECRET, "-legacy")
    page = adding(bed, visits)

    def drop():
        zone(page).drop_files(pfx)
        given(page).get_by_text("The file is encrypted with RC2 of 40 bits").expect_visible()
        page.expect_text("holdfast cert upload legacy.pfx --account acme")
    drop()
    look(page, "certificate_new-legacy")
    page.get_by_role("button", name=re.compile("^Send it in the clear")).expect_hidden()
    assert page.requests(method="POST", path="/v1/(?!sessions:link).*") == []
    page.close()
    bed.reconfigure("allow_exposed_upload: true\n")
    page = adding(bed, visits)
    drop()
    page.get_by_role("button", name=re.compile("^Send it in the clear")).click()
    dialog = page.get_by_role("dialog", name="Send the private key in the clear?")
    dialog.get_by_label("Password of the file").fill(SECRET)
    button(dialog, "Send it in the clear").click()
    dialog.get_by_text("Say that you know, or use the command line.").expect_visible()
    look(page)
    dialog.get_by_role("checkbox").check()
    button(dialog, "Send it in the clear").click()
    page.expect_text("The private key will be sent in the clear, and counts as exposed.")
    button(page, "Add certificate").click()
    at(page, re.compile("^legacy.example.com"))
    page.expect_text("This key counts as exposed.")
    look(page)
    [found] = bed.certificates(query="search=legacy.example.com")
    assert found["key"]["origin"] == "imported_certd" and found["key"]["exposed"]
