# SPDX-License-Identifier: Apache-2.0
"""The audit ledger from the command line: who signed what, and is it so?

The ledger is what a running keyd wrote; each alteration is made on a copy, and
`holdfast audit verify` must name it without asking anyone.
"""

import base64
import csv
import hashlib
import html.parser
import io
import json
import re
import shutil
import signal
import subprocess

import grpc
import pytest

from bed import CONTEXT_CSR, HOLDFAST, wait_for
from wire import Signer, channel, keys_pb2, keys_pb2_grpc, tls13_content

SIGNATURES = 600  # more than two tiles


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def show(bed, *argv):
    return lines(bed.cli("--json", "audit", "show", *argv))


def ledger_of(bed):
    found = [p.parent for p in (bed.dir / "keyd").rglob("checkpoint") if p.is_file()]
    assert len(found) == 1, found
    return found[0]


def fresh_copy(bed, name):
    """A copy of the ledger as it is, once a checkpoint covers all of it."""
    bed.cli("audit", "key")
    to = bed.dir / name
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(ledger_of(bed), to)
    return to


def der(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    head = (bytes([size]) if size < 128 else
            bytes([0x80 | (size.bit_length() + 7) // 8]) +
            size.to_bytes((size.bit_length() + 7) // 8, "big"))
    return bytes([tag]) + head + body


def csr_info(spki, common_name):
    """A CertificationRequestInfo whose subject says anything at all."""
    name = der(0x30, der(0x31, der(0x30, bytes.fromhex("0603550403"), der(0x0c, common_name))))
    return der(0x30, b"\x02\x01\x00", name, spki, b"\xa0\x00")


@pytest.fixture(scope="module")
def used(bed):
    """A ledger with a life in it: keys, grants, signatures, refusals."""
    bed.key = bed.make_key("www", edge="fra-1")
    bed.other = bed.make_key("mail", edge="fra-2")
    fra1, fra2 = Signer(bed, "edge", "fra-1"), Signer(bed, "edge", "fra-2")
    for _ in range(SIGNATURES):
        fra1.sign(bed.key, tls13_content())
    for _ in range(5):
        fra2.sign(bed.other, tls13_content())
    for _ in range(3):
        assert fra2.error(bed.key, tls13_content()).code() == grpc.StatusCode.PERMISSION_DENIED
    return bed


# ---- show, tail, report, export ----


@pytest.mark.feature("X05")
def test_show_says_what_an_edge_signed_since_a_time(used):
    entries = show(used, "--edge", "fra-1", "--since", "1h", "--kind", "sign")
    assert len(entries) == SIGNATURES
    assert {e["peer"].split("/", 3)[3] for e in entries} == {"edge/fra-1"}
    assert {(e["key"], e["context"], e["code"]) for e in entries} == {
        ("www", "tls13_server", "OK")}
    numbers = [e["number"] for e in entries]
    assert numbers == sorted(numbers)
    # From a moment in the middle on, to the millisecond.
    since = entries[SIGNATURES // 2]["time"]
    later = show(used, "--edge", "fra-1", "--since", since, "--kind", "sign")
    assert [e["number"] for e in later] == [
        e["number"] for e in entries if e["time"] >= since]
    assert show(used, "--edge", "fra-1", "--until", "1h") == []


def test_show_filters_by_decision_key_and_kind(used):
    refused = show(used, "--edge", "fra-2", "--refused")
    assert len(refused) == 3
    assert {e["code"] for e in refused} == {"PERMISSION_DENIED"}
    assert all(e["reason"] for e in refused)
    assert len(show(used, "--key", "mail", "--kind", "sign")) == 5
    assert show(used, "--key", used.other["id"], "--kind", "sign") == show(
        used, "--key", "mail", "--kind", "sign")
    acts = show(used, "--key", "mail", "--kind", "custody", "--limit", "100")
    assert {e["kind"] for e in acts} == {"custody"}
    assert any("grant" in e["act"] for e in acts)
    # The newest fifty unless something else is said; last and limit from both ends.
    assert len(show(used)) == 50
    everything = show(used, "--since", "1d")
    assert show(used, "--last", "7") == everything[-7:]
    assert show(used, "--limit", "7") == everything[:7]
    assert len(show(used, "--identity", "edge/*", "--kind", "sign", "--since", "1d")) == (
        SIGNATURES + 8)


def test_show_is_a_table_for_people(used):
    text = used.cli("audit", "show", "--edge", "fra-2", "--since", "1h", "--kind", "sign")
    rows = text.splitlines()
    assert rows[0].split() == ["TIME", "ENTRY", "WHO", "KEY", "WHAT", "OUTCOME"]
    assert len(rows) == 9
    assert "edge/fra-2" in rows[1] and "mail" in rows[1] and rows[1].endswith("signed")
    assert "tls13_server ecdsa_secp256r1_sha256" in rows[1]
    assert "REFUSED: " in rows[-1]
    assert used.cli("audit", "show", "--edge", "nobody") == "no entries match\n"


def test_a_name_in_a_csr_commands_no_terminal(used):
    admin = Signer(used, "operator", "hostile")
    used.cli("key", "grant", "www", "operator/hostile", "csr")
    spki = subprocess.run(
        ["openssl", "pkey", "-pubin", "-outform", "DER"], check=True, capture_output=True,
        input=public_key(used, "www")).stdout
    admin.sign(used.key, csr_info(spki, b"\x1b]0;pwned\x07.test"), context=CONTEXT_CSR)
    for argv in (["audit", "show"], ["--json", "audit", "show"], ["audit", "export"],
                 ["audit", "export", "--format", "csv"]):
        text = used.cli(*argv, "--identity", "operator/hostile")
        assert "pwned" in text
        assert not set(text) & set(map(chr, (*range(0x0a), *range(0x0e, 0x20), 0x7f, 0x9b)))


def public_key(bed, label):
    """PEM, from a certificate request of that key."""
    csr = bed.dir / f"{label}.pub.csr"
    bed.cli("key", "csr", label, "pub.example", "-o", csr)
    return subprocess.run(["openssl", "req", "-in", csr, "-pubkey", "-noout"], check=True,
                          capture_output=True).stdout


def test_tail_follows_and_ends_cleanly(used):
    tail = subprocess.Popen(
        [HOLDFAST, "--state", used.dir / "admin", "--json", "audit", "tail", "--edge", "fra-2",
         "--last", "2"], env=used.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        before = [json.loads(tail.stdout.readline()) for _ in range(2)]
        assert [e["number"] for e in before] == [
            e["number"] for e in show(used, "--edge", "fra-2", "--last", "2")]
        Signer(used, "edge", "fra-2").sign(used.other, tls13_content())
        new = json.loads(tail.stdout.readline())
        assert new["number"] > before[-1]["number"] and new["code"] == "OK"
        tail.send_signal(signal.SIGINT)
        assert tail.wait(60) == 0
        assert tail.stderr.read() == ""
    finally:
        tail.kill()
        tail.wait()


def test_report_sums_up(used):
    report = used.json("audit", "report", "--identity", "edge/*")
    edges = {e["identity"]: e for e in report["identities"]}
    assert edges["edge/fra-1"]["signatures"] == SIGNATURES
    assert edges["edge/fra-2"]["refusals"] == 3
    assert list(edges["edge/fra-2"]["reasons"].values()) == [3]
    assert sum(report["plot"]["signatures"]) == report["signatures"]
    assert {k["key"] for k in report["keys"]} == {"www", "mail"}
    text = used.cli("audit", "report")
    assert "signatures over time" in text and "edge/fra-1" in text
    assert max(map(len, text.split("\n\n")[1].splitlines())) <= 80


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_the_page_is_still_and_says_in_words_what_it_draws(used):
    path = used.dir / "report.html"
    used.cli("audit", "report", "--html", path)
    page = Page()
    page.feed(path.read_text())
    names = [tag for tag, _ in page.tags]
    assert "svg" in names and "rect" in names and "table" in names
    assert not {"script", "link", "img", "iframe", "object"} & set(names)
    assert not [a for _, a in page.tags if {"src", "href", "onload"} & set(a)]
    svg = dict(page.tags)["svg"]
    assert svg["role"] == "img" and svg["aria-labelledby"] == "plot-title plot-text"
    assert dict(page.tags)["html"]["lang"] == "en"
    assert re.search(r"\d+ signatures and 3 refusals", page.text)
    assert names.count("caption") == names.count("table")


def test_export_is_whole_in_both_formats(used):
    path = used.dir / "all.jsonl"
    used.cli("audit", "export", "--format", "jsonl", "-o", path)
    entries = lines(path.read_text())
    assert [e["number"] for e in entries] == list(range(len(entries)))
    assert len(entries) > SIGNATURES
    text = used.cli("audit", "export", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [int(r["number"]) for r in rows][:len(entries)] == [e["number"] for e in entries]
    assert not [v for r in rows for v in r.values() if v[:1] in tuple("=+-@")]
    done = used.run("audit", "export", "-o", "/nowhere/at/all")
    assert done.returncode == 1 and "/nowhere" in done.stderr


ERRORS = [
    (["show", "--since", "yesterday"], "15m"),
    (["show", "--edge", "a/b"], "role/name"),
    (["show", "--refused", "--allowed"], "one of them"),
    (["show", "--bogus"], "--bogus"),
    (["tail", "--until", "1h"], "audit show"),
    (["export", "--format", "xml"], "jsonl"),
    (["prove", "first"], "number"),
    (["verify", "--proof", "x"], "--entry"),
    (["verify", "a", "b"], "too many"),
    (["verify", "--key", ""], "verifier key"),
]


@pytest.mark.parametrize("argv,says", ERRORS, ids=lambda v: " ".join(v) if isinstance(v, list)
                         else None)
def test_a_wrong_command_line_says_what_is_right(used, argv, says):
    done = used.run("audit", *argv)
    assert done.returncode == 2 and says in done.stderr, done


def test_edges_read_nothing_of_it_and_auditors_change_nothing(used):
    done = used.run("audit", "show", state="edge-fra-1")
    assert done.returncode == 5, done
    used.cli("edge", "invite", "carol", "--role", "auditor", "-o", used.dir / "carol.join")
    used.cli("join", used.dir / "carol.join", state="carol")
    assert used.run("audit", "show", state="carol").returncode == 0
    assert used.run("audit", "rotate-key", state="carol").returncode == 5


# ---- verify ----


@pytest.mark.feature("X06")
def test_a_copied_ledger_is_verified_offline(used):
    copy = fresh_copy(used, "copy")
    state = used.dir / "auditor"
    # Nobody is trusted before someone says so.
    done = used.run("audit", "verify", copy, state=state.name)
    assert done.returncode == 1 and "--key" in done.stderr
    vkey = json.loads(used.cli("--json", "audit", "key"))["keys"][0]["verifier_key"]
    result = json.loads(used.cli(
        "--keyd", "127.0.0.1:1", "--json", "audit", "verify", copy, "--key", vkey,
        state=state.name))
    assert result["holds"] and result["entries"] == result["size"] > SIGNATURES
    text = used.cli("audit", "verify", copy, "--key", vkey, state=state.name)
    assert "it holds" in text and result["root"] in text and "remembered" in text
    # Whose key was remembered by `audit key` needs to give none.
    assert "it holds" in used.cli("audit", "verify", copy)


def bundle(entries):
    return b"".join(len(e).to_bytes(2, "big") + e for e in entries)


def entries_of(octets):
    entries = []
    while octets:
        size = int.from_bytes(octets[:2], "big")
        entries.append(octets[2:2 + size])
        octets = octets[2 + size:]
    return entries


def flip(path, at, bit=0):
    octets = bytearray(path.read_bytes())
    octets[at] ^= 1 << bit
    path.write_bytes(octets)


def change_entries(copy, change):
    path = copy / "tile/entries/001"
    entries = entries_of(path.read_bytes())
    change(entries)
    path.write_bytes(bundle(entries))


def entry_altered(copy):
    change_entries(copy, lambda e: e.__setitem__(7, e[7][:-1] + bytes([e[7][-1] ^ 1])))


def entry_dropped(copy):
    change_entries(copy, lambda e: e.pop(9))


def entries_swapped(copy):
    change_entries(copy, lambda e: e.__setitem__(slice(3, 5), [e[4], e[3]]))


def entry_doubled(copy):
    change_entries(copy, lambda e: e.insert(5, e[5]))


def tile_cut(copy):
    path = copy / "tile/0/001"
    path.write_bytes(path.read_bytes()[:-32])


def bundle_cut(copy):
    path = copy / "tile/entries/000"
    path.write_bytes(path.read_bytes()[:-5])


def tile_removed(copy):
    (copy / "tile/0/000").unlink()


def bundle_removed(copy):
    (copy / "tile/entries/001").unlink()


def root_altered(copy):
    path = copy / "checkpoint"
    text = path.read_text().split("\n")
    text[2] = base64.b64encode(hashlib.sha256(b"another").digest()).decode()
    path.write_text("\n".join(text))


def size_altered(copy):
    path = copy / "checkpoint"
    text = path.read_text().split("\n")
    text[1] = str(int(text[1]) - 1)
    path.write_text("\n".join(text))


def signature_altered(copy):
    path = copy / "checkpoint"
    octets = bytearray(path.read_bytes().rstrip(b"\n"))
    octets[-10] = ord("A") if octets[-10] != ord("A") else ord("B")
    path.write_bytes(bytes(octets) + b"\n")


def link_in_place(copy):
    path = copy / "tile/0/001"
    path.rename(copy / "elsewhere")
    path.symlink_to("../../elsewhere")


ALTERATIONS = [
    (entry_altered, r"entry 263\b"),
    (entry_dropped, r"entr(y|ies).*(265|511|001)"),
    (entries_swapped, r"entry 259\b"),
    (entry_doubled, r"entr(y|ies).*(262|001)"),
    (tile_cut, r"tile/0/001"),
    (bundle_cut, r"entr(y|ies).*(255|000)"),
    (tile_removed, r"tile/0/000"),
    (bundle_removed, r"tile/entries/001|entry 256"),
    (root_altered, r"checkpoint"),
    (size_altered, r"checkpoint"),
    (signature_altered, r"checkpoint"),
    (link_in_place, r"tile/0/001"),
]


@pytest.mark.feature("X06")
@pytest.mark.parametrize("alter,where", ALTERATIONS, ids=lambda v: getattr(v, "__name__", None))
def test_the_first_altered_place_is_named(used, alter, where):
    copy = fresh_copy(used, "altered")
    alter(copy)
    done = used.run("audit", "verify", copy, "--no-remember")
    assert done.returncode == 1, done
    assert "it holds" not in done.stdout
    assert re.search(f"DOES NOT HOLD: .*({where})", done.stderr), done.stderr
    result = json.loads(used.run("--json", "audit", "verify", copy, "--no-remember").stdout)
    assert result["holds"] is False and result["where"]


@pytest.mark.feature("X06")
def test_one_flipped_bit_in_any_file_is_noticed(used):
    whole = fresh_copy(used, "whole")
    files = sorted(p.relative_to(whole) for p in whole.rglob("*") if p.is_file())
    assert len(files) > 8
    missed = []
    for number, name in enumerate(files):
        size = (whole / name).stat().st_size
        for at in {0, size // 2, size - 1, (number * 7919) % size}:
            kept = (whole / name).read_bytes()
            flip(whole / name, at, number % 8)
            done = used.run("audit", "verify", whole, "--no-remember")
            if done.returncode != 1:
                missed.append((str(name), at, done.returncode))
            (whole / name).write_bytes(kept)
    assert not missed
    used.cli("audit", "verify", whole, "--no-remember")


@pytest.mark.feature("X06")
def test_a_rolled_back_ledger_is_noticed_next_time(used):
    old = fresh_copy(used, "old")
    Signer(used, "edge", "fra-1").sign(used.key, tls13_content())
    new = fresh_copy(used, "new")
    vkey = used.json("audit", "key")["keys"][0]["verifier_key"]
    used.cli("audit", "verify", new, "--key", vkey, state="rollback")
    done = used.run("audit", "verify", old, "--key", vkey, state="rollback")
    assert done.returncode == 1 and "DOES NOT HOLD" in done.stderr, done
    # The other way round it has grown, and says from what.
    grown = json.loads(used.cli("--json", "audit", "verify", new, "--key", vkey, "--remembered",
                                old / "checkpoint", state="rollback"))
    assert 0 < grown["remembered_size"] < grown["size"]
    # Told not to look, it verifies the old one as it is.
    used.cli("audit", "verify", old, "--key", vkey, "--no-remember", state="rollback")


def test_a_foreign_key_verifies_nothing(used):
    copy = fresh_copy(used, "foreign")
    name = used.json("audit", "key")["keys"][0]["verifier_key"].split("+")[0]
    vkey = foreign_key(name)
    done = used.run("audit", "verify", copy, "--key", vkey, "--no-remember")
    assert done.returncode == 1 and "DOES NOT HOLD" in done.stderr, done


def test_a_copys_name_commands_no_terminal(used):
    folder = used.dir / "named"
    folder.mkdir()
    root = base64.b64encode(bytes(32)).decode()
    line = base64.b64encode(bytes(68)).decode()
    (folder / "checkpoint").write_text(f"evil\u009b31m\n1\n{root}\n\n— evil {line}\n")
    done = used.run("audit", "verify", folder)
    assert done.returncode == 1 and "evil" in done.stderr, done
    assert "\u009b" not in done.stderr + done.stdout


def foreign_key(name):
    public = b"\x01" + bytes(range(32))
    digest = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4].hex()
    return f"{name}+{digest}+{base64.b64encode(public).decode()}"


def test_a_keyd_that_shows_other_keys_than_before_is_not_believed(used):
    state = "seen-before"
    shutil.copytree(used.dir / "admin", used.dir / state)
    used.cli("audit", "key", state=state)
    keys, = (used.dir / state / "audit").glob("*.keys")
    keys.write_text(foreign_key(keys.read_text().split("+")[0]) + "\n")
    done = used.run("audit", "key", state=state)
    assert done.returncode == 1 and "other ledger keys" in done.stderr, done
    done = used.run("audit", "verify", state=state)
    assert done.returncode == 1 and "DOES NOT HOLD" in done.stderr, done


@pytest.mark.feature("X06")
def test_a_running_keyd_proves_that_it_has_grown(used):
    state = "online"
    shutil.copytree(used.dir / "admin", used.dir / state)
    used.cli("audit", "key", state=state)
    first = json.loads(used.cli("--json", "audit", "verify", state=state))
    assert first["holds"]
    Signer(used, "edge", "fra-1").sign(used.key, tls13_content())
    second = json.loads(used.cli("--json", "audit", "verify", state=state))
    assert second["remembered_size"] >= first["size"] and second["size"] > first["size"]
    # A checkpoint of another history with keyd's name is not what it grew from.
    remembered, = (used.dir / state / "audit").glob("*.checkpoint")
    text = remembered.read_text().split("\n")
    text[1] = str(int(text[1]) + 1000000)
    remembered.write_text("\n".join(text))
    done = used.run("audit", "verify", state=state)
    assert done.returncode == 1, done


def test_an_entry_is_proven_to_whoever_has_the_key(used):
    number = show(used, "--edge", "fra-1", "--last", "1")[0]["number"]
    proof = used.dir / "one.proof"
    used.cli("audit", "prove", number, "-o", proof)
    entry = used.dir / "one.proof.entry"
    verify = ("audit", "verify", "--proof", proof, "--entry", entry)
    text = used.cli("--keyd", "127.0.0.1:1", *verify)
    assert f"entry {number} of" in text and "tls13_server" in text
    assert used.json(*verify)["number"] == number
    for path in (proof, entry):
        whole = path.read_bytes()
        flip(path, len(whole) // 2)
        done = used.run(*verify)
        assert done.returncode == 1 and "DOES NOT HOLD" in done.stderr, done
        path.write_bytes(whole)
    done = used.run("audit", "prove", 10 ** 12, "-o", proof)
    assert done.returncode != 0 and done.stderr.startswith("holdfast: ")


# ---- the dossier ----


@pytest.mark.feature("X13")
def test_a_dossier_tells_a_keys_life_and_is_verified_offline(used):
    path = used.dir / "www.json"
    used.cli("key", "csr", "www", "www.example.com", "-o", used.dir / "dossier.csr")
    text = used.cli("key", "dossier", "www", "-o", path)
    assert "generated inside the token" in text and "edge/fra-1" in text
    dossier = json.loads(path.read_text())
    assert dossier["key"]["id"] == used.key["id"]
    now = dossier["attributes_now"]
    assert now["sensitive"] and now["never_extractable"] and not now["extractable"]
    assert dossier["attributes_at_birth"] == now
    assert {g["identity"] for g in dossier["grants"]} >= {"edge/fra-1", "operator/admin"}
    use = {(u["peer"].split("/", 3)[3], u["context"]): u for u in dossier["use"]}
    assert use["edge/fra-1", "tls13_server"]["signatures"] >= SIGNATURES
    assert use["edge/fra-2", "tls13_server"]["refusals"] == 3
    assert [e.split("/", 3)[3] for e in dossier["edges"]] == ["edge/fra-1"]
    assert any("www.example.com" in n["name"] for n in dossier["certificate_names"])
    acts = [a["act"] for a in dossier["custody"]]
    assert any("grant" in a for a in acts) and any("dossier" in a for a in acts)
    text = used.cli("--keyd", "127.0.0.1:1", "audit", "verify", "--dossier", path)
    assert f"{len(acts)} custody acts are in that ledger" in text
    # Its making is on record.
    assert any("dossier" in e["act"] for e in
               show(used, "--key", "www", "--kind", "custody", "--last", "3"))


@pytest.mark.feature("X13")
@pytest.mark.parametrize("old,new", [
    (b'"extractable": false', b'"extractable": true '),
    (b'"generated inside', b'"somewhere inside'),
    (b"edge/fra-1", b"edge/fra-9"),
    (b'"custody"', b'"Custody"'),
])
def test_an_altered_dossier_is_refused(used, old, new):
    path = used.dir / "altered.json"
    used.cli("key", "dossier", "www", "-o", path)
    octets = path.read_bytes()
    assert old in octets
    path.write_bytes(octets.replace(old, new, 1))
    done = used.run("audit", "verify", "--dossier", path)
    assert done.returncode == 1 and "DOES NOT HOLD" in done.stderr, done
    path.write_bytes(octets)
    used.cli("audit", "verify", "--dossier", path)
    # Nor does the signature of another do.
    other = used.dir / "other.json"
    used.cli("key", "dossier", "mail", "-o", other)
    done = used.run("audit", "verify", "--dossier", path, "--signature", f"{other}.sig")
    assert done.returncode == 1 and "DOES NOT HOLD" in done.stderr, done


def test_the_token_is_not_asked_about_a_suspended_key(used):
    used.make_key("resting", edge="fra-1")
    used.cli("key", "suspend", "resting", "--reason", "an audit")
    path = used.dir / "resting.json"
    used.cli("key", "dossier", "resting", "-o", path)
    dossier = json.loads(path.read_text())
    assert dossier["key"]["state"] == "suspended"
    assert "suspended" in dossier["attributes_now"]["not_asked"]
    assert dossier["attributes_at_birth"]["never_extractable"]
    used.cli("audit", "verify", "--dossier", path)
    # Asking for it has not woken the key.
    error = Signer(used, "edge", "fra-1").error(used.json("key", "show", "resting"),
                                                tls13_content())
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error


def test_one_dossier_is_made_at_a_time_and_others_are_told(used):
    stub = keys_pb2_grpc.KeysStub(channel(used, used.dir / "admin"))
    request = keys_pb2.DossierRequest(key_id=bytes.fromhex(used.key["id"]))
    codes = []
    for call in [stub.Dossier.future(request, timeout=60) for _ in range(16)]:
        codes.append(call.code())
        if call.code() != grpc.StatusCode.OK:
            assert "another dossier" in call.details()
    assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
    # The other threads of unary calls are free for others.
    assert used.json("status")["lanes"]


def test_a_dossier_is_for_operators_and_auditors(used):
    assert used.run("key", "dossier", "www", state="edge-fra-1").returncode == 5
    assert used.run("key", "dossier", "absent").returncode == 4


# ---- last, for it changes the ledger's key ----


@pytest.mark.feature("X06")
def test_a_rotated_ledger_key_follows_from_the_first(used):
    before = used.json("audit", "key")["keys"]
    used.cli("audit", "rotate-key")
    Signer(used, "edge", "fra-1").sign(used.key, tls13_content())
    wait_for("a checkpoint of the new key",
             lambda: used.run("audit", "key").returncode == 0)
    after = used.json("audit", "key")["keys"]
    assert after[:len(before)] == before and len(after) == len(before) + 1
    copy = fresh_copy(used, "rotated")
    result = used.json("audit", "verify", copy)
    assert result["keys"] == len(after)
    # The first key alone leads to the last; without the handover it does not.
    used.cli("audit", "verify", copy, "--key", before[0]["verifier_key"], "--no-remember")
    for path in (copy / "handover").iterdir():
        path.unlink()
    done = used.run("audit", "verify", copy, "--key", before[0]["verifier_key"], "--no-remember")
    assert done.returncode == 1, done
    assert used.json("audit", "verify")["holds"]
