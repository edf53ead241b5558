# SPDX-License-Identifier: Apache-2.0
"""What the console shows of certificates, edges, keys and the ledger: the answers of REST.

What they claim is verified here with hashlib and python3-cryptography, from the answers alone.
"""

import base64
import hashlib
import ssl

import pytest

from bed import DOMAIN, wait_for
from certd_bed import VIEWER, FollowBed
from certs import Pki
from test_ledger import Key, checkpoint_of, fold, leaf
from test_login import Browser

HOST = "shop.example.com"


@pytest.fixture(scope="module")
def bed():
    b = FollowBed(edges=2, certd_lines="console:\n  client_certificates: true\n")
    b.up()
    b.pki = Pki()
    for account in ("acme", "rival"):
        b.make_account(account)
    for name in b.names:
        b.start_edge(name)
    b.first = add(b, "acme", HOST)
    b.json("resource", "create", "shop", HOST, "--account", "acme", "--cert", b.first["id"])
    b.json("resource", "create", "plain", "plain.example.com", "--account", "acme", "--plain-http")
    b.publish(HOST)
    b.operator = Browser(b, certificate="admin")
    assert b.operator.ask("POST", "/v1/sessions:certificate", {})[0] == 201
    yield b
    b.close()


def add(bed, account, host, days=90):
    key, certificate = bed.pki.leaf(host, days=days)
    chain, private = bed.pki.files(bed.dir / "up", host, key, certificate)
    return bed.json("cert", "upload", chain, private, "--account", account)["certificate"]


def get(bed, path, code=200):
    status, answer = bed.operator.ask("GET", path)
    assert status == code, (path, answer)
    return answer


def octets(text):
    return base64.b64decode(text, validate=True)


# ---- the overview ----

def test_the_overview_counts_and_says_what_needs_somebody(bed):
    soon = add(bed, "acme", "soon.example.com", days=2)
    bed.json("resource", "create", "soon", "soon.example.com", "--account", "acme",
             "--cert", soon["id"])
    add(bed, "rival", "rival.example.com", days=3)
    token = bed.make_token("acme", VIEWER, "overview")

    def told():
        code, _, found = bed.rest("GET", "/v1/overview", token)
        assert code == 200, found
        return found if found["certificates"] == 2 and len(found["needs"]) >= 2 else None
    mine = wait_for("the account's overview", told)
    assert (mine["resources"], mine["expired"], mine["expiring"]) == (3, 0, 1)
    assert [(d["personal"], d["acme"], d["shared"]) for d in mine["timeline"]][0] == (1, 0, 0)
    urgent = mine["needs"][0]
    assert (urgent["severity"], urgent["kind"], urgent["id"]) == (
        "critical", "certificate", str(soon["id"]))
    assert urgent["title"] in ("soon.example.com expires in one day",
                               "soon.example.com expires in 2 days")
    assert "replace it" in urgent["detail"]
    plain = mine["needs"][-1]
    assert (plain["severity"], plain["title"]) == (
        "info", "plain is served by plain HTTP only")
    # Nothing of others, of edges or of keyd.
    assert {n["account"] for n in mine["needs"]} == {"acme"}
    assert {n["kind"] for n in mine["needs"]} <= {"certificate", "resource"}
    assert mine["edges_live"] == 0 and not mine.get("keyd") and mine["keyd_trouble"] == ""
    code, _, problem = bed.rest("GET", "/v1/overview?account=rival", token)
    assert (code, problem["code"]) == (404, "NOT_FOUND")

    whole = wait_for("that of all", lambda: (
        lambda o: o if o["edges_live"] == 2 else None)(get(bed, "/v1/overview")))
    assert whole["certificates"] == 3 and whole["keyd"]["keys"] >= 3
    assert {lane["state"] for lane in whole["keyd"]["lanes"]} == {"ready"}


# ---- signing ----

def test_signing_is_told_of_the_edge_that_asked(bed):
    for _ in range(5):
        assert bed.served("e1", HOST) == bed.first["fingerprint"]

    def seen():
        found = get(bed, "/v1/overview:signing?window_s=3600")
        assert found["step_s"] == 10
        return {s["identity"]: s["points"] for s in found["series"]}.get("edge/e1")
    points = wait_for("e1 is among them", seen)
    assert sum(p["signatures"] for p in points) >= 5
    for point in points:
        assert point["at_s"] % 10 == 0
        assert (point["p50_us"] > 0) == (point["signatures"] > 0)
        assert point["p50_us"] <= point["p99_us"]
    get(bed, "/v1/overview:signing?window_s=5", 400)


# ---- keys ----

def test_an_account_sees_its_own_keys_and_no_other(bed):
    mine, rival = bed.make_token("acme", VIEWER, "keys"), bed.make_token("rival", VIEWER, "keys")
    code, _, found = bed.rest("GET", "/v1/keys", mine)
    assert code == 200 and all(k["account"] == "acme" for k in found["keys"]), found
    key = {k["id"]: k for k in found["keys"]}[bed.first["key"]["id"]]
    assert (key["key"]["state"], key["key"]["origin"]) == ("active", "imported_wrapped")
    assert key["key"]["grants"] == []
    assert [(u["kind"], u["id"]) for u in key["uses"]] == [("certificate", str(bed.first["id"]))]
    assert hashlib.sha256(octets(key["key"]["spki"])).hexdigest() == key["id"]
    none = bed.rest("GET", "/v1/keys/" + "0" * 64, rival)
    theirs = bed.rest("GET", "/v1/keys/" + key["id"], rival)
    assert (theirs[0], theirs[2]["detail"]) == (none[0], none[2]["detail"]) == (
        404, "there is no such key")
    # By pages, newest first.
    walked, token = [], ""
    while True:
        code, _, page = bed.rest("GET", f"/v1/keys?page_size=1&page_token={token}", mine)
        assert code == 200 and len(page["keys"]) == 1
        walked += [k["id"] for k in page["keys"]]
        token = page["next_page_token"]
        if not token:
            break
    assert walked == [k["id"] for k in found["keys"]] and len(walked) >= 2
    for path in ("/v1/ledger", "/v1/ledger/entries", "/v1/overview:signing"):
        assert bed.rest("GET", path, mine)[0] == 403
    assert bed.rest("POST", f"/v1/keys/{key['id']}:dossier", mine, {})[0] == 403


def test_operators_see_every_key_that_keyd_has(bed):
    bed.make_key("by-hand", edge="e1")
    found = get(bed, "/v1/keys")["keys"]
    by_label = {k["key"]["label"]: k for k in found}
    assert by_label["by-hand"]["account"] == "" and by_label["by-hand"]["uses"] == []
    key = get(bed, f"/v1/keys/{bed.first['key']['id']}")
    assert "edge/@standard" in [g["identity"] for g in key["key"]["grants"]]


def test_a_dossier_is_signed_by_the_ledgers_key(bed):
    code, files = bed.operator.ask("POST", f"/v1/keys/{bed.first['key']['id']}:dossier", {})
    assert code == 200, files
    dossier, signature = octets(files["dossier"]), octets(files["signature"])
    digest = base64.b64encode(hashlib.sha256(dossier).digest())
    origin = get(bed, "/v1/ledger")["origin"]
    assert signature.split(b"\n\n", 1)[0] == \
        f"{origin}/dossier\nsha256\n".encode() + digest
    assert newest_key(bed).signed(signature)
    assert bed.first["key"]["id"].encode() in dossier


# ---- the ledger ----

def newest_key(bed):
    return Key(get(bed, "/v1/ledger")["keys"][-1]["verifier_key"])


def test_the_ledger_is_read_backwards_and_each_entry_is_proven(bed):
    page = get(bed, "/v1/ledger/entries?page_size=7&identity=edge/e1&kind=sign")
    numbers = [e["number"] for e in page["entries"]]
    assert numbers == sorted(numbers, reverse=True) and len(numbers) == 7
    entry = page["entries"][0]
    assert entry["entry"]["peer"] == f"spiffe://{DOMAIN}/edge/e1"
    assert entry["entry"]["code"] == 0
    found = get(bed, f"/v1/ledger/entries/{entry['number']}:prove")
    assert found["entry"] == entry["leaf"]
    head, note = octets(found["proof"]).split(b"\n\n", 1)
    lines = head.decode().split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", f"index {entry['number']}"]
    size, root = checkpoint_of(note)
    hashes = [base64.b64decode(line) for line in lines[2:]]
    assert fold(leaf(octets(entry["leaf"])), entry["number"], size, hashes) == root
    assert newest_key(bed).signed(note)
    get(bed, f"/v1/ledger/entries/{1 << 40}:prove", 404)


def test_pages_of_the_ledger_hold_still_while_it_grows(bed):
    first = get(bed, "/v1/ledger/entries?page_size=5")
    bed.make_key("meanwhile", edge="e1")
    walked, token = [e["number"] for e in first["entries"]], first["next_page_token"]
    while token:
        page = get(bed, f"/v1/ledger/entries?page_size=50&page_token={token}")
        walked += [e["number"] for e in page["entries"]]
        token = page["next_page_token"]
    assert walked == list(range(walked[0], -1, -1))
    assert get(bed, "/v1/ledger/entries?page_size=1")["entries"][0]["number"] > walked[0]
    key = bed.first["key"]["id"]
    acts = get(bed, f"/v1/ledger/entries?kind=custody&key_id={key}")["entries"]
    assert acts and all(octets(e["entry"]["key_id"]).hex() == key for e in acts)
    refused = get(bed, "/v1/ledger/entries?decision=refused&page_size=200")["entries"]
    assert all(e["entry"]["code"] != 0 for e in refused)
    get(bed, "/v1/ledger/entries?page_size=201", 400)
    get(bed, "/v1/ledger/entries?page_token=x", 400)
    get(bed, "/v1/ledger/entries?key_id=ab", 400)


# ---- quarantine ----

def test_an_edge_that_is_stopped_signs_no_more_and_certd_cannot_release_it(bed):
    assert bed.served("e1", HOST) == bed.first["fingerprint"]
    ask = bed.operator.ask
    assert ask("POST", "/v1/edges/e1:quarantine", {"reason": ""})[0] == 400
    assert ask("POST", "/v1/edges/nobody:quarantine", {"reason": "seen elsewhere"})[0] == 404
    auditor = Browser(bed, certificate=bed.member("auditor", "aud"))
    assert auditor.ask("POST", "/v1/sessions:certificate", {})[0] == 201
    assert auditor.ask("POST", "/v1/edges/e1:quarantine", {"reason": "seen elsewhere"})[0] == 403
    code, answer = ask("POST", "/v1/edges/e1:quarantine", {"reason": "seen elsewhere"})
    assert code == 200, answer
    with pytest.raises((ssl.SSLError, OSError)):
        bed.served("e1", HOST)
    act, = [e["entry"] for e in get(bed, "/v1/ledger/entries?kind=custody")["entries"]
            if e["entry"]["act"] == "quarantine edge/e1: seen elsewhere"
            and e["entry"]["stage"] == "done"]
    assert act["peer"].endswith("/certd/one") and act["on_behalf_of"] == "operator/admin"
    assert ("operator/admin", "edge e1", "seen elsewhere") in [
        (e["actor"], e["object"], e["detail"]) for e in get(bed, "/v1/history")["events"]]
    wait_for("the overview says so",
             lambda: get(bed, "/v1/overview")["edges_quarantined"] == 1)
    assert ask("POST", "/v1/edges/e1:release", {})[0] == 404
    bed.cli("edge", "release", "e1")
    wait_for("it signs again", lambda: bed.served("e1", HOST) == bed.first["fingerprint"])
