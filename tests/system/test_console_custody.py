# SPDX-License-Identifier: Apache-2.0
"""Custody in a real browser: edges and their quarantine, keys and dossiers, the audit ledger, and
what the page says when somebody between it and certd alters an answer."""

import base64
import re
import ssl
import urllib.parse

import pytest

from bed import wait_for
from certd_bed import FollowBed
from certs import Pki
from console_bed import Console, at, button, card, go, look

HOST = "shop.example.org"
VERIFIED, BROKEN = "Verified in this browser", "It does not hold"


class Bed(Console, FollowBed):
    def signs(self, name="e1"):
        """Does a handshake with it succeed?"""
        try:
            return bool(self.served(name, HOST))
        except (ssl.SSLError, ConnectionError):
            return False

    def offline(self, *argv):
        """What `holdfast audit verify` says, of files alone."""
        done = self.run("audit", "verify", *argv, "--key", self.ledger_key)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def bed():
    b = Bed(edges=2)
    try:
        b.up()
        b.make_account("acme")
        b.make_user("anna@acme.test")
        for name in b.names:
            b.start_edge(name)
        b.first = b.add_certificate(Pki(), HOST)
        b.json("resource", "create", "shop", HOST, "--account", "acme", "--cert", b.first["id"])
        b.publish(HOST)
        wait_for("the edges serve it", lambda: b.converged("shop"))
        assert b.signs()
        b.ledger_key = re.search(r"\S+\+[0-9a-f]{8}\+\S+", b.cli("audit", "key"))[0]
        yield b
    finally:
        b.close()


@pytest.fixture
def page(bed, visits):
    return bed.entered(visits)


def altered(octets, before, after):
    assert before in octets and len(before) == len(after)
    return base64.b64encode(octets.replace(before, after)).decode()


def other(size):
    """Another number of as many digits."""
    return size[:-1] + (b"1" if size.endswith(b"0") else b"0")


def asked(page, path):
    """As certd answers it."""
    return page.evaluate(f"fetch('{path}').then((answer) => answer.json())")


def open_entry(page, query, number=0):
    """An entry of the list that a query finds."""
    go(page, f"/audit?{query}", "Audit ledger")
    link = page.get_by_role("table", name="Entries").get_by_role("row").nth(1 + number).get_by_role(
        "link").first()
    entry = int(link.get_attribute("href").rpartition("/")[2])
    link.click()
    at(page, f"Entry {entry:,}")
    return entry


# ---- the ledger ----

@pytest.mark.feature("X06")
def test_the_ledger_is_searched_and_an_entry_is_proven_in_the_page(bed, page, tmp_path):
    go(page, "/audit", "Audit ledger")
    card(page, "Ledger").get_by_text("Checkpoint verified in this browser").expect_visible()
    card(page, "Ledger").get_by_text(bed.ledger_key, exact=True).expect_visible()
    button(page, "It is the same").click()
    at(page, "Audit ledger")
    card(page, "Ledger").get_by_text(re.compile("^Known to this browser, and compared")
                                     ).expect_visible()
    rows = page.get_by_role("table", name="Entries").get_by_role("row")
    rows.nth(1).expect_visible()
    look(page, "audit", dark=True, phone=True)
    # By who, by kind, by outcome: together.
    page.get_by_label("Kind").select_option("sign")
    page.get_by_label(re.compile("^Who: edge")).fill("edge/e1")
    page.get_by_label("Outcome").select_option("allowed")
    wait_for("the address says so", lambda: urllib.parse.parse_qs(
        urllib.parse.urlsplit(page.url()).query) == {
            "identity": ["edge/e1"], "kind": ["sign"], "decision": ["allowed"]})
    wait_for("only that is shown", lambda: all(
        "e1" in text and "Signed" in text for text in rows.all_inner_texts()[1:]))
    assert rows.count() > 1
    page.get_by_label("Outcome").select_option("refused")
    page.get_by_role("heading", name=re.compile("^(No|Nothing)")).expect_visible()
    look(page)
    number = open_entry(page, "identity=edge%2Fe1&kind=sign")
    proof = card(page, "Proof")
    proof.get_by_text(VERIFIED).expect_visible()
    for step in ("Hash the entry", "Climb to the root", "Check the signature",
                 "Is it the ledger's key?"):
        proof.get_by_role("listitem").filter(has_text=step).get_by_text("(good)").expect_visible()
    card(page, "On record").get_by_text("edge/e1", exact=True).expect_visible()
    look(page, "audit_entry", dark=True, phone=True)
    # Both files convince somebody else, without network.
    proof.get_by_text("Verify it without this console").click()
    files = [button(proof, name).download(tmp_path) for name in ("Proof", "Entry")]
    assert [path.name for path in files] == [f"entry-{number}.proof", f"entry-{number}.proof.entry"]
    assert "holds" in bed.offline("--proof", files[0], "--entry", files[1])


@pytest.mark.feature("X06")
def test_what_was_altered_on_its_way_is_shown_as_not_verified(bed, page):
    # Not the newest: its proof might be of one hash alone.
    number = open_entry(page, "identity=edge%2Fe1&kind=sign", 1)
    card(page, "Proof").get_by_text(VERIFIED).expect_visible()
    path, pattern = f"/v1/ledger/entries/{number}:prove", "/v1/ledger/entries/[0-9]+:prove"
    true, ledger = asked(page, path), asked(page, "/v1/ledger")
    octets = {name: base64.b64decode(true[name]) for name in ("entry", "proof")}

    def refused(answer, why):
        """On a page of its own, which knows the ledger."""
        tab = page.tab()
        tab.answer(pattern, answer)
        tab.goto(f"/console/audit/{number}")
        at(tab, f"Entry {number:,}")
        proof = card(tab, "Proof")
        proof.get_by_text(BROKEN).expect_visible()
        proof.get_by_role("alert").filter(has_text="This entry is not proven.").expect_visible()
        proof.get_by_text(why).expect_visible()
        proof.get_by_text(VERIFIED).expect_hidden()
        look(tab)
        tab.close()

    # Another edge, in the entry; another path; the proof of another entry; another tree's size.
    refused(dict(true, entry=altered(octets["entry"], b"edge/e1", b"edge/e2")),
            re.compile("altered"))
    lines = octets["proof"].split(b"\n")
    swapped = lines[:2] + [lines[3], lines[2]] + lines[4:]
    refused(dict(true, proof=base64.b64encode(b"\n".join(swapped)).decode()),
            re.compile("altered|longer|below"))
    refused(asked(page, f"/v1/ledger/entries/{number - 1}:prove"),
            re.compile(f"This is a proof of entry {number - 1}, not of entry {number}"))
    size = re.search(rb"\n\n[^\n]+\n([0-9]+)\n", octets["proof"])[1]
    refused(dict(true, proof=altered(octets["proof"], b"\n%s\n" % size,
                                     b"\n%s\n" % other(size))), re.compile("."))
    # A checkpoint that was altered, and one by another key.
    checkpoint = base64.b64decode(ledger["checkpoint"])
    size = checkpoint.split(b"\n")[1]
    forged = altered(checkpoint, b"\n%s\n" % size, b"\n%s\n" % other(size))
    for answer, why in ((dict(ledger, checkpoint=forged), "Its signature does not hold"),
                        (dict(ledger, keys=[dict(ledger["keys"][-1], verifier_key=(
                            "other+5fbe8dbc+ATdXKYsYk2JOpR7ZkWlZdT1zCJTgGyhPXbAGXw0fwd8d"))]),
                         re.compile("damaged|not signed"))):
        tab = page.tab()
        tab.answer("/v1/ledger", answer)
        tab.goto("/console/audit")
        at(tab, "Audit ledger")
        card(tab, "Ledger").get_by_text("Checkpoint not verified").expect_visible()
        card(tab, "Ledger").get_by_role("alert").get_by_text(why).expect_visible()
        look(tab, "audit-altered")
        tab.close()


# ---- keys ----

@pytest.mark.feature("X13")
def test_a_keys_page_says_how_it_is_kept_and_its_dossier_is_verified(bed, page, tmp_path):
    go(page, "/keys", "Keys")
    look(page, "keys", phone=True)
    page.get_by_role("row").filter(has_text="shop").get_by_role("link").first().click()
    at(page, re.compile("."))
    kept = card(page, "How it is kept")
    kept.get_by_text(re.compile("^It was wrapped for the token on its sender's machine")
                     ).expect_visible()
    for line in ("CKA_SENSITIVE true", "CKA_EXTRACTABLE false", "CKA_LOCAL false"):
        kept.get_by_text(line, exact=True).expect_visible()
    card(page, "Who may sign with it").get_by_text("Edges of group standard").expect_visible()
    card(page, "What it is used for").get_by_role("link", name=re.compile("shop")).expect_visible()
    dossier = card(page, "Dossier")
    button(dossier, "Have it made").click()
    dossier.get_by_text("Its signature is the ledger key's; verified in this browser."
                        ).expect_visible(60)
    look(page, "key", dark=True)
    files = [dossier.get_by_role("button", name=name).download(tmp_path)
             for name in (re.compile(r"\.dossier\.json,"), re.compile(r"\.sig$"))]
    assert files[1].name == files[0].name + ".sig"
    told = bed.offline("--dossier", files[0])
    assert "holds" in told and "imported" in told
    # A dossier that was altered is no dossier.
    id_ = page.path().rpartition("/")[2]
    answer = page.evaluate(f"""(async () => {{
        const session = await fetch('/v1/session').then((a) => a.json());
        return fetch('/v1/keys/{id_}:dossier', {{ method: 'POST', body: '{{}}', headers: {{
            'Content-Type': 'application/json', 'X-CSRF-Token': session.csrf_token }} }})
            .then((a) => a.json()); }})()""")
    octets = base64.b64decode(answer["dossier"])
    page.answer(f"/v1/keys/{id_}:dossier",
                dict(answer, dossier=altered(octets, b"imported", b"exported")))
    button(dossier, "Have it made").click()
    dossier.get_by_role("alert").filter(has_text="Its signature does not hold.").expect_visible(60)
    look(page)


# ---- edges ----

@pytest.mark.feature("X05")
def test_an_edge_is_quarantined_with_its_consequence_and_signs_no_more(bed, page):
    go(page, "/edges", "Edges")
    row = page.get_by_role("row").filter(has_text="e1")
    row.get_by_text("Live").expect_visible()
    row.get_by_text("1 of 1 site").expect_visible()
    look(page, "edges", phone=True)
    row.get_by_role("link", name="e1").click()
    at(page, re.compile("^e1"))
    page.get_by_role("heading", name="Nothing", exact=True).expect_visible()
    look(page, "edge", dark=True, phone=True)
    button(page, "Quarantine").click()
    dialog = page.get_by_role("dialog", name="Quarantine e1?")
    dialog.get_by_text(re.compile(
        "no new TLS handshake with this edge succeeds, for none of its 1 site")).expect_visible()
    dialog.get_by_label("Reason").fill("stolen from the rack")
    dialog.get_by_label("Type e1 to confirm").fill("e2")
    button(dialog, "Quarantine").click()
    dialog.get_by_text("This is not its name.").expect_visible()
    look(page, "edge-quarantine")
    assert bed.signs()
    dialog.get_by_label("Type e1 to confirm").fill("e1")
    button(dialog, "Quarantine").click()
    page.expect_text("It is quarantined: keyd signs nothing for it.")
    page.get_by_role("heading", level=1).get_by_text("Quarantined").expect_visible()
    assert not bed.signs()
    page.get_by_role("region", name="On a machine with an operator's certificate").filter(
        has_text="holdfast edge release e1").expect_visible()
    button(page, "Quarantine").expect_hidden()
    look(page, "edge-quarantined")
    # On record: the refusals, with their reason, and who had it stopped.
    open_entry(page, "identity=edge%2Fe1&decision=refused")
    card(page, "On record").get_by_text("It was refused.").expect_visible()
    card(page, "Proof").get_by_text(VERIFIED).expect_visible()
    go(page, "/edges/e1", re.compile("^e1"))
    page.locator("main").get_by_role("link", name="audit ledger").click()
    at(page, "Audit ledger")
    page.get_by_role("row").filter(has_text="quarantine").first().expect_visible()
    # Released at the command line, as the page says.
    bed.cli("edge", "release", "e1")
    wait_for("it signs again", bed.signs)


def test_who_is_of_an_account_sees_the_keys_of_it_and_no_edge(bed, visits):
    page = bed.entered(visits, "anna@acme.test")
    for where in ("/edges", "/edges/e1", "/audit", "/audit/1"):
        go(page, where, "This page is not for your role")
    go(page, "/keys", "Keys")
    page.get_by_role("row").filter(has_text="shop").get_by_role("link").first().click()
    at(page, re.compile("."))
    card(page, "How it is kept").expect_visible()
    for title in ("Who may sign with it", "Dossier"):
        card(page, title).expect_hidden()
    look(page)
