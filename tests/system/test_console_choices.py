# SPDX-License-Identifier: Apache-2.0
"""Names of certd.yaml, chosen in the console's forms in a real browser and not typed: networks,
edge groups, CAs, profiles, DNS providers; of each account what it may use. A wrong one is told by
REST and in a shell what was meant."""

import re

import pytest

from acme_bed import AcmeBed
from bed import free_port, wait_for
from certd_bed import ENGINEER
from console_bed import Console, at, button, card, go, look


def provider(name, zone, more):
    return f"""\
    - name: {name}
      type: rfc2136
      server: "127.0.0.1:{free_port()}"
      zones: [{zone}]
      {more}
"""


class Bed(Console, AcmeBed):
    """Two networks, two CAs; a DNS provider of acme's, one for delegations, one of nobody's."""

    def __init__(self):
        profiles = {"classic": "90 days", "shortlived": "six"}
        super().__init__(enhanced=True, cas={"pebble": {}, "second": {}},
                         front={"profiles": profiles}, dns_lines=(
            "  providers:\n" + provider("ours", "ours.test", "accounts: [acme]")
            + provider("far", "far.test", "delegation_zone: to.far.test")
            + provider("house", "house.test", "ttl: 60")))


@pytest.fixture(scope="module")
def bed():
    b = Bed()
    try:
        b.up()
        b.make_account("rival")
        b.make_user("eva@acme.test", ENGINEER)
        b.make_user("rita@rival.test", ENGINEER, account="rival")
        for name in b.pebbles:
            b.call("Authorities", "Check", name=name)
        yield b
    finally:
        b.close()


def select(within, label):
    return within.get_by_role("combobox", name=label, exact=True)


def options(within, label):
    """What a select offers."""
    select(within, label).expect_visible()
    return select(within, label).locator("option").all_text_contents()


def unfold(page, title):
    page.locator("summary").filter(has_text=title).click()


# ---- forms ----

def test_an_enrollment_is_made_by_choosing_what_certd_has(bed, visits):
    page = bed.entered(visits, "eva@acme.test")
    go(page, "/enrollments/new", "Enroll host names")
    page.get_by_label("Host names").first().fill("www.ours.test")
    page.get_by_role("radio", name=re.compile("^dns-01 A TXT")).check()
    assert options(page, "DNS provider") == [
        "The first whose zones hold the names", "ours: updates of a name server",
        "far: names delegated below acme.to.far.test"]
    assert options(page, "Certificate authority") == [
        "The first that can be asked: pebble just now", "pebble", "second"]
    unfold(page, "Profile, key and chain")
    assert options(page, "Network") == ["Standard: edges of standard",
                                        "Enhanced: edges of enhanced"]
    assert options(page, "Profile") == ["As configured", "classic", "shortlived"]
    select(page, "Profile").select_option("shortlived")
    select(page, "Certificate authority").select_option("second")
    assert options(page, "Profile") == ["As configured"]  # it has none
    select(page, "Certificate authority").select_option("pebble")
    look(page, "enrollment-choices", phone=True)
    select(page, "DNS provider").select_option("ours")
    select(page, "Profile").select_option("shortlived")
    select(page, "Network").select_option("enhanced")
    button(page, "Enroll").click()
    at(page, "www.ours.test")
    wanted = card(page, "What is wanted")
    for text in ("ours", "pebble", "shortlived", "Enhanced"):
        wanted.get_by_text(text, exact=True).first().expect_visible()
    page.get_by_role("link", name="Change", exact=True).click()
    at(page, "Change www.ours.test")
    assert select(page, "DNS provider").input_value() == "ours"
    assert select(page, "Certificate authority").input_value() == "pebble"
    select(page, "Certificate authority").select_option("")
    button(page, "Save").click()
    at(page, "www.ours.test")
    wanted.get_by_text("The first that can be asked").expect_visible()


def test_a_resource_is_put_on_edges_of_its_network_by_choosing(bed, visits):
    page = bed.entered(visits, "eva@acme.test")
    go(page, "/resources/new", "Create a resource")
    page.get_by_label("Name", exact=True).fill("vault")
    page.get_by_label("Host names").first().fill("vault.example.org")
    unfold(page, "Network and edge group")
    assert options(page, "Edge group") == ["The network's first: standard", "standard"]
    select(page, "Network").select_option("enhanced")
    assert options(page, "Edge group") == ["The network's first: enhanced", "enhanced"]
    look(page)
    select(page, "Edge group").select_option("enhanced")
    button(page, "Create resource").click()
    at(page, "vault")
    card(page, "Delivery").get_by_text("Enhanced", exact=True).expect_visible()
    button(card(page, "Delivery"), "Change").click()
    dialog = page.get_by_role("dialog", name="Delivery of vault")
    assert options(dialog, "Edge group") == ["enhanced"]
    button(dialog, "Cancel").click()
    go(page, "/resources", "Resources")
    select(page, "Edge group").select_option("enhanced")
    page.get_by_role("link", name="vault", exact=True).expect_visible()


def test_keys_are_put_on_a_network_by_choosing(bed, visits):
    page = bed.entered(visits, "eva@acme.test")
    for path, heading, folded in (("/requests/new", "Request a certificate", "Network"),
                                  ("/certificates/new", "Add a certificate", "Network and kind")):
        go(page, path, heading)
        unfold(page, folded)
        assert options(page, "Network") == ["Standard: edges of standard",
                                            "Enhanced: edges of enhanced"]


def test_what_does_not_serve_an_account_is_not_offered_to_it(bed, visits):
    page = bed.entered(visits, "rita@rival.test")
    go(page, "/enrollments/new", "Enroll host names")
    page.get_by_role("radio", name=re.compile("^dns-01 A TXT")).check()
    assert options(page, "DNS provider")[1:] == ["far: names delegated below rival.to.far.test"]
    assert page.get_by_role("radio", name=re.compile("^dns-persist-01")).is_disabled()
    page.get_by_text("For operators alone: its record is for every account").expect_visible()
    assert page.get_by_label("Keep a standby certificate").is_disabled()
    page = bed.entered(visits)
    go(page, "/enrollments/new", "Enroll host names")
    page.get_by_role("radio", name=re.compile("^dns-01 A TXT")).check()
    assert [each.partition(":")[0] for each in options(page, "DNS provider")[1:]] == [
        "ours", "far", "house"]
    page.get_by_role("radio", name=re.compile("^dns-persist-01")).check()
    select(page, "DNS provider").expect_hidden()


def test_a_ca_that_cannot_be_asked_is_marked(bed, visits):
    second = bed.pebbles["second"]
    second.stop_ca()
    try:
        def is_unwell():
            bed.call("Authorities", "Check", name="second")
            return not bed.call("Choices", "Get").authorities[1].available
        wait_for("it is unwell", is_unwell, 60)
        page = bed.entered(visits, "eva@acme.test")
        go(page, "/enrollments/new", "Enroll host names")
        assert options(page, "Certificate authority")[1:] == [
            "pebble", "second (cannot be asked just now)"]
    finally:
        second.start()


# ---- by REST, and in a shell ----

def test_an_account_is_told_by_rest_what_it_may_name(bed):
    status, _, mine = bed.rest("GET", "/v1/choices", bed.rest_token("rival"))
    assert status == 200, mine
    assert [each["name"] for each in mine["networks"]] == ["standard", "enhanced"]
    assert [each["name"] for each in mine["authorities"]] == ["pebble", "second"]
    assert mine["dns_providers"] == [
        {"name": "far", "kind": "rfc2136", "delegation": "rival.to.far.test"}]
    assert mine["validations"] == ["http_01", "dns_01", "dns_01_by_hand"]
    assert bed.rest("GET", "/v1/choices")[0] == 401


def test_a_wrong_name_is_told_what_was_meant_and_what_there_is(bed):
    for field, typed, said in (
            ("authority", "pebbel", 'authority: there is none named "pebbel"; did you mean '
             '"pebble"? there are: pebble, second'),
            ("network", "enhancde", 'network: there is none named "enhancde"; did you mean '
             '"enhanced"? there are: standard, enhanced'),
            ("dns_provider", "hause", 'dns_provider: there is none named "hause"; there are: '
             'far')):
        status, _, problem = bed.rest("POST", "/v1/enrollments", bed.rest_token("rival"), {
            "hostnames": ["a.example.org"], "validation": "dns_01", field: typed})
        assert status == 400 and problem["detail"] == said, problem


def test_the_command_line_lists_them_and_says_what_was_meant(bed):
    out = bed.cli("choices")
    for text in ("network", "enhanced", "second", "house"):
        assert text in out
    assert bed.json("choices")["dns_providers"][2]["name"] == "house"
    for command in (("enrollment", "create", "b.example.org", "--account", "acme",
                     "--authority", "pebbel"),
                    ("plan", "replace", "--authority", "pebble", "--to", "pebbel")):
        failed = bed.run(*command)
        assert failed.returncode != 0
        assert 'did you mean "pebble"? there are: pebble, second' in failed.stderr
