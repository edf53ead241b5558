# SPDX-License-Identifier: Apache-2.0
"""Resources in a real browser: created in each mode, brought to a certificate, switched, revoked
and deleted, before two real edges and a CA that validates through them."""

import contextlib
import re

import pytest

from acme_bed import KIND_ACME, AcmeBed, fingerprint_of, names_of
from bed import wait_for
from browser import BrowserError
from certs import Pki, fingerprint
from console_bed import Console, at, button, card, go, look

NOWHERE = "127.0.0.254"  # nobody listens there
SHOP, FREE = "shop.example.org", "free.edge.holdfast.test"
PLAIN_HTTP = "serves plain HTTP only, which is not recommended"


class Bed(Console, AcmeBed):
    def resource(self, name):
        return self.json("resource", "show", name)


@pytest.fixture(scope="module")
def bed():
    b = Bed(edges=2, preflight=True)
    try:
        b.up()
        b.make_account("operator")
        b.make_user("anna@acme.test")
        b.pki = Pki()
        yield b
    finally:
        b.close()


@pytest.fixture
def page(bed, visits):
    return bed.entered(visits, "anna@acme.test")


def fill(page, name, *hostnames, mode="Automatic"):
    """The form of a new resource, not sent yet."""
    go(page, "/resources/new", "Create a resource")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Host names (optional)").fill("\n".join(hostnames))
    choose(page, mode)


def choose(within, mode):
    within.get_by_role("radio", name=re.compile(f"^{mode}")).check()


def create(page, name, *hostnames, **options):
    fill(page, name, *hostnames, **options)
    button(page, "Create resource").click()
    return at(page, name)


def converged(page):
    """Live: each edge was seen serving what is bound."""
    card(page, "Edges").get_by_text("2 of 2").nth(1).expect_visible(60)
    card(page, "Edges").get_by_text("100 %", exact=True).expect_visible()


def obtained(page):
    card(page, "Its certificate was obtained").expect_visible(60)
    converged(page)


def offered(within):
    return [text.split("\n")[0] for text in
            within.get_by_role("group", name="Certificates").locator("label").all_inner_texts()]


# ---- each mode ----

@pytest.mark.feature("A09")
def test_a_plain_resource_is_possible_and_marked(bed, page):
    go(page, "/resources", "Resources")
    page.get_by_role("heading", name="No resources yet").expect_visible()
    look(page)
    page.get_by_role("link", name="Create a resource").first().click()
    at(page, "Create a resource")
    button(page, "Create resource").click()
    page.expect_text("Name is needed.")
    look(page, "resource_new", phone=True)
    create(page, "leaflet", "leaflet.example.org", mode="No HTTPS")
    page.expect_text(re.compile(f"^It {PLAIN_HTTP}"))
    page.get_by_role("heading", level=1).get_by_text("Plain HTTP").expect_visible()
    look(page)
    assert bed.resource("leaflet")["https"] is False
    page.get_by_role("link", name="Resources").first().click()
    at(page, "Resources")
    row = page.get_by_role("row").filter(has_text="leaflet")
    row.get_by_text("Plain HTTP", exact=True).expect_visible()
    row.get_by_text(re.compile(PLAIN_HTTP)).expect_visible()


def test_a_name_in_the_operators_zone_takes_the_shared_certificate(bed, page):
    key, leaf = bed.pki.leaf("*.edge.holdfast.test")
    chain, private = bed.pki.files(bed.dir / "up", "shared", key, leaf)
    bed.cli("cert", "upload", chain, private, "--account", "operator", "--shared")
    create(page, "free", FREE, mode="Shared")
    bed.publish(FREE)
    converged(page)
    assert bed.served("e1", FREE) == fingerprint(leaf)
    card(page, "Host names and DNS").get_by_text(f"{FREE}. 300 IN CNAME").expect_visible()
    look(page)
    # Other names are refused, and nothing that was typed is lost.
    page.allow(409, "/v1/resources", "POST")
    fill(page, "unfree", SHOP, mode="Shared")
    button(page, "Create resource").click()
    page.get_by_role("alert").filter(has_text=re.compile(r"zone|shared")).expect_visible()
    page.get_by_label("Host names (optional)").expect_value(SHOP)
    look(page)


@pytest.mark.feature("V01")
@pytest.mark.feature("C18")
def test_a_host_name_is_all_it_takes_and_each_step_is_seen(bed, page):
    host = "auto.example.org"
    bed.pebble.set_a(host, NOWHERE)
    create(page, "auto", host)
    dns, target = card(page, "Host names and DNS"), bed.resource("auto")["target"]
    dns.get_by_text(f"{host}. 300 IN CNAME {target}.", exact=True).expect_visible()
    # Where it leads now, and how to mend it, without being asked.
    dns.get_by_text("Not ready").expect_visible()
    dns.get_by_text(f"{host} has {NOWHERE}, and no CNAME").expect_visible()
    dns.get_by_text("To mend it:").expect_visible()
    page.get_by_role("heading", level=1).get_by_text("Awaits its certificate").expect_visible()
    page.expect_text("It met a problem, and goes on by itself.")
    look(page, "resource-dns")
    bed.pebble.clear_a(host)
    bed.pebble.set_cname(host, target)
    button(dns, "Look now").click()
    dns.get_by_text("Leads to the edges").expect_visible()
    under_way = card(page, "Its certificate is being obtained")
    again = button(under_way, "Try again now")
    with contextlib.suppress(BrowserError):  # it has just tried by itself
        again.click(timeout=5000)
    under_way.get_by_text("0 of 2 edges serve it").expect_visible(60)
    refused_while_it_runs(bed, page)
    bed.publish(host)
    obtained(page)
    page.get_by_role("heading", level=1).get_by_text("HTTPS").expect_visible()
    page.expect_text(re.compile("Renewed by itself in"))
    look(page, "resource", dark=True, phone=True)
    now, = bed.resource("auto")["certificates"]
    for name in bed.names:
        assert bed.served(name, host) == fingerprint_of(bed.certificate(now["id"]))


def refused_while_it_runs(bed, page):
    """HTTPS off, or another certificate: not before the change has ended, unless that is said."""
    page.allow(409, "/v1/resources/.*")
    page.get_by_role("button", name="Acts on auto").click()
    button(page, "Turn HTTPS off").click()
    dialog = page.get_by_role("dialog")
    button(dialog, "Turn HTTPS off").click()
    dialog.get_by_role("alert").get_by_text(
        "A certificate is being obtained for resource").expect_visible()
    dialog.get_by_label(re.compile("^Give up change")).expect_visible()
    page.check_axe()
    button(dialog, "Cancel").click()
    assert bed.resource("auto")["https"]


@pytest.mark.feature("C16")
@pytest.mark.feature("C08")
@pytest.mark.feature("C20")
def test_get_certificate_obtains_one_and_there_is_no_other_to_choose(bed, page):
    host = "acme.example.org"
    bed.pebble.set_a(host, NOWHERE)
    fill(page, "byacme", host, mode="Personal")
    page.get_by_role("group", name="Certificates").expect_visible()
    choose(page, "ACME")
    page.get_by_role("group", name="Certificates").expect_hidden()
    button(page, "Create resource").click()
    at(page, "byacme")
    card(page, "Last attempt").get_by_role("alert").get_by_text(
        f"{host} has {NOWHERE}").expect_visible()
    look(page)
    for name in ("Switch certificate", "Choose a certificate"):
        button(page, name).expect_hidden()
    bed.pebble.clear_a(host)
    button(card(page, "Certificate"), "Get certificate").click()
    button(card(page, "Certificate"), "Get certificate").expect_hidden()
    bed.publish(host)
    obtained(page)
    bound, = bed.resource("byacme")["certificates"]
    assert bed.call("Certificates", "Get", id=bound["id"]).kind == KIND_ACME
    button(page, "Change mode").first().click()
    dialog = page.get_by_role("dialog", name="Mode of byacme")
    dialog.get_by_role("group", name="Certificates").expect_hidden()
    choose(dialog, "Personal")
    dialog.get_by_role("group", name="Certificates").expect_visible()
    look(page)


# ---- one's own certificates ----

@pytest.mark.feature("C07")
@pytest.mark.feature("C09")
@pytest.mark.feature("C10")
def test_only_what_covers_is_offered_and_a_switch_reaches_all_edges(bed, page):
    first = bed.add_certificate(bed.pki, SHOP, name="shop 2025")
    bed.add_certificate(bed.pki, "other.example.org", name="other")
    fill(page, "shop", mode="Personal")
    choice = page.get_by_role("group", name="Certificates")
    choice.get_by_text(re.compile("^Give the host names first")).expect_visible()
    page.get_by_label("Host names (optional)").fill("nothing.example.org")
    choice.get_by_text("You have none that covers all host names.").expect_visible()
    page.get_by_label("Host names (optional)").fill(SHOP)
    choice.get_by_text("shop 2025").expect_visible()
    assert offered(page) == ["shop 2025"]
    button(page, "Create resource").click()
    page.expect_text("Choose at least one.")
    look(page)
    choice.get_by_label(re.compile("^shop 2025")).check()
    button(page, "Create resource").click()
    at(page, "shop")
    bed.publish(SHOP)
    converged(page)
    assert bed.served("e2", SHOP) == first["fingerprint"]
    # Its successor: added, switched to, proven.
    second = bed.add_certificate(bed.pki, SHOP, name="shop 2026")
    button(page, "Switch certificate").click()
    dialog = page.get_by_role("dialog", name="Certificates of shop")
    dialog.expect_visible()
    assert sorted(offered(dialog)) == ["shop 2025", "shop 2026"]
    look(page, "resource-switch")
    dialog.get_by_label(re.compile("^shop 2025")).uncheck()
    dialog.get_by_label(re.compile("^shop 2026")).check()
    button(dialog, "Serve these").click()
    page.expect_text("Switched. Edges follow now.")
    card(page, "Certificate").get_by_role("link", name="shop 2026").expect_visible()
    wait_for("the edges serve it", lambda: all(
        bed.served(name, SHOP) == second["fingerprint"] for name in bed.names))
    converged(page)
    status, _, answer = bed.rest("DELETE", f"/v1/certificates/{first['id']}", bed.rest_token())
    assert status == 200, answer
    # Taken away, the last one: what follows is said.
    button(page, "Take shop 2026 away").click()
    dialog = page.get_by_role("dialog", name="Take shop 2026 away from shop?")
    dialog.get_by_text("It is the last one: HTTPS goes off").expect_visible()
    look(page)
    bed.hosts.remove(SHOP)
    bed.reload_nginx()  # before its files go
    button(dialog, "Take it away").click()
    page.get_by_role("heading", level=1).get_by_text("Plain HTTP").expect_visible()


# ---- host names, revocation, the end ----

@pytest.mark.feature("C21")
def test_it_is_said_before_saving_that_other_host_names_bring_another_certificate(bed, page):
    host, www = "auto.example.org", "www.auto.example.org"
    before = bed.resource("auto")["certificates"][0]["id"]
    go(page, f"/resources/{bed.resource('auto')['id']}", "auto")
    button(page, "Change host names").click()
    dialog = page.get_by_role("dialog", name="Host names of auto")
    ahead = dialog.get_by_text("A new certificate is obtained for these host names.")
    ahead.expect_hidden()
    dialog.get_by_label("Host names (optional)").fill(f"{host}\n{www}")
    ahead.expect_visible()
    dialog.get_by_text(re.compile(
        "The old one serves until every edge was seen serving the new one; until then browsers "
        f"refuse it for what is added. Edges serve {www} as soon as the DNS leads to ")
    ).expect_visible()
    look(page, "resource-hostnames")
    button(dialog, "Save").click()
    page.expect_text("Saved. Edges follow now.")
    bed.publish(www)
    obtained(page)
    card(page, "Host names and DNS").get_by_role("heading", name=www).expect_visible()
    card(page, "Changes").get_by_text("New certificate for what was changed").expect_visible()
    now = bed.resource("auto")["certificates"][0]["id"]
    assert now != before and names_of(bed.certificate(now)) == {host, www}


@pytest.mark.feature("C23")
def test_a_certificate_is_revoked_with_a_reason_and_nothing_to_save(bed, page):
    serial = bed.certificate(bed.resource("auto")["certificates"][0]["id"]).serial_number
    go(page, f"/resources/{bed.resource('auto')['id']}", "auto")
    button(page, "Revoke").click()
    dialog = page.get_by_role("dialog", name="Revoke the certificate of auto?")
    dialog.get_by_label("Reason").select_option("superseded")
    look(page, "resource-revoke")
    button(dialog, "Revoke certificate").click()
    page.expect_text("Another one is being obtained; then the old one is revoked.")
    obtained(page)
    status = wait_for("the CA has revoked it", lambda: (
        lambda found: found if found["Status"] == "Revoked" else None)(
            bed.pebble.certificate_status(serial)))
    assert status["Reason"] == 4, status


def test_a_resource_is_renamed_given_an_origin_and_deleted(bed, page):
    id_ = bed.resource("leaflet")["id"]
    go(page, f"/resources/{id_}", "leaflet")
    button(card(page, "Delivery"), "Change").click()
    dialog = page.get_by_role("dialog", name="Delivery of leaflet")
    dialog.get_by_label("Origin (optional)").fill("not a host")
    page.allow(400, "/v1/resources/.*")
    button(dialog, "Save").click()
    dialog.locator(".error, [role=alert]").filter(visible=True).expect_visible()
    look(page)
    dialog.get_by_label("Origin (optional)").fill("origin.example.org:8443")
    dialog.get_by_label("How edges come to the origin").select_option("https")
    button(dialog, "Save").click()
    card(page, "Delivery").get_by_text("origin.example.org:8443").expect_visible()
    page.get_by_role("button", name="Acts on leaflet").click()
    button(page, "Rename").click()
    dialog = page.get_by_role("dialog", name="Rename leaflet")
    dialog.get_by_label("Name").fill("flyer")
    button(dialog, "Save").click()
    at(page, "flyer")
    page.get_by_role("button", name="Acts on flyer").click()
    page.locator(".menu").get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete flyer?")
    act = button(dialog, "Delete resource")
    assert act.is_disabled()
    look(page)
    dialog.get_by_label("Type flyer to confirm").fill("flyer")
    page.allow(404, f"/v1/resources/{id_}")  # asked for once more as it changed
    act.click()
    at(page, "Resources")
    page.expect_text("flyer was deleted.")
    page.get_by_role("link", name="flyer").expect_hidden()
    look(page, "resources", dark=True, phone=True)
    assert not bed.rows(f"SELECT 1 FROM resource WHERE id = {id_}")
    page.get_by_label("Search by Name or host name").fill("acme.example")
    page.get_by_role("link", name="auto").expect_hidden()
    page.get_by_role("link", name="byacme").first().expect_visible()
