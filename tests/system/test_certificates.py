# SPDX-License-Identifier: Apache-2.0
"""Certificates added, listed, bound, exported and deleted, as people do it."""

import base64
import json
import os
import re
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs7

from bed import HOLDFAST, wait_for
from certd_bed import CertdBed
from certs import Pki, der, fingerprint, key_pem, new_key, pem


@pytest.fixture(scope="module")
def bed():
    b = CertdBed(enhanced=True)
    b.up()
    b.cli("account", "create", "acme", "--title", "Acme Ltd")
    b.pki = Pki()
    yield b
    b.close()


@pytest.fixture(scope="module")
def token(bed):
    return bed.cli("token", "create", "tests", "--account", "acme", "--role",
                   "administrator").strip()


def upload(bed, *hosts, extra=(), **kw):
    """A new certificate with its key, by the command line; what certd says of it."""
    key, leaf = bed.pki.leaf(*hosts, **kw)
    chain, private = bed.pki.files(bed.dir / "up", hosts[0].replace("*", "_"), key, leaf)
    answer = bed.json("cert", "upload", chain, private, "--account", "acme", *extra)
    private.unlink()
    return answer["certificate"]


def refused(bed, *argv, code=1, **kw):
    done = bed.run(*argv, **kw)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stderr


# ---- adding ----

@pytest.mark.feature("C03")
@pytest.mark.feature("C04")
def test_an_uploaded_certificate_is_kept_unbound_and_listed(bed):
    c = upload(bed, "shop.example.com", "www.shop.example.com", extra=("--name", "Shop 2026"))
    assert c["name"] == "Shop 2026" and c["kind"] == "personal" and c["bound"] == 0
    assert c["hostnames"] == ["shop.example.com", "www.shop.example.com"]
    listed = bed.json("cert", "list", "--account", "acme")["certificates"]
    assert c["id"] in [l["id"] for l in listed]
    table = bed.cli("cert", "list", "--account", "acme")
    row = next(l for l in table.splitlines() if l.startswith(f"{c['id']} "))
    assert "Shop 2026" in row and "in 89 d" in row or "in 90 d" in row


@pytest.mark.feature("V07")
def test_the_key_is_wrapped_before_it_is_sent_and_born_on_record_so(bed):
    c = upload(bed, "wrapped.example.com")
    key = bed.json("key", "show", c["key"]["id"])
    assert key["origin"] == "imported-wrapped" and c["key"]["origin"] == "imported_wrapped"
    assert not c["key"]["exposed"]
    assert key["attributes"]["sensitive"] and not key["attributes"]["extractable"]


def test_a_check_takes_the_key_along_and_keeps_nothing(bed):
    key, leaf = bed.pki.leaf("checked.example.com")
    chain, private = bed.pki.files(bed.dir / "up", "checked", key, leaf)
    keys = len(bed.json("key", "list"))
    text = bed.cli("cert", "upload", chain, private, "--account", "acme", "--check")
    assert "nothing was kept" in text and "certificate 0" not in text
    assert bed.json("cert", "list", "--search", "checked")["certificates"] == []
    assert len(bed.json("key", "list")) == keys
    assert "cert upload" in bed.run("cert", "list", "--search", "checked").stderr
    private.unlink()


@pytest.mark.feature("C04")
def test_the_list_sorts_searches_and_pages(bed, token):
    upload(bed, "alpha.search.example", days=30, extra=("--name", "zz-alpha"))
    upload(bed, "beta.search.example", days=60, extra=("--name", "yy-beta"))
    upload(bed, "gamma.search.example", days=10, extra=("--name", "xx-gamma"))

    def names(*argv):
        return [c["name"] for c in bed.json(
            "cert", "list", "--account", "acme", "--search", "search.example",
            *argv)["certificates"]]
    assert names("--order", "name") == ["xx-gamma", "yy-beta", "zz-alpha"]
    assert names("--order", "-name") == ["zz-alpha", "yy-beta", "xx-gamma"]
    assert names("--order", "expires") == ["xx-gamma", "zz-alpha", "yy-beta"]
    assert names() == ["xx-gamma", "yy-beta", "zz-alpha"], "newest first"
    assert names("--expires-within", "14") == ["xx-gamma"]
    found = bed.json("cert", "list", "--account", "acme", "--search", "gam")["certificates"]
    assert [c["name"] for c in found] == ["xx-gamma"], "by the begin of a label"
    assert "SOON" in bed.cli("cert", "list", "--search", "gamma")
    # Pages, over REST.
    seen, path = [], "/v1/certificates?account=acme&order_by=name&page_size=2"
    while path:
        status, headers, page = bed.rest("GET", path, token)
        assert status == 200 and len(page["certificates"]) <= 2
        seen += [c["name"] for c in page["certificates"]]
        more = page["next_page_token"]
        assert (more != "") == ("next" in headers.get("Link", ""))
        path = more and f"/v1/certificates?account=acme&order_by=name&page_size=2&page_token={more}"
    assert seen == sorted(seen) and len(seen) == len(set(seen)) >= 4


@pytest.mark.feature("C11")
@pytest.mark.feature("V04")
@pytest.mark.feature("V05")
def test_a_bundle_in_any_order_is_put_right_and_what_was_changed_is_said(bed):
    key, leaf = bed.pki.leaf("bundle.example.com")
    text = ("\ufeffBag Attributes\r\n" + key_pem(key).replace("\n", "\r\n") + "the root:\r\n"
            + pem(bed.pki.root).replace("\n", "  \r\n")
            + pem(bed.pki.middle).replace("\n", "\r\n")
            + pem(leaf).replace("\n", "\r\n").rstrip())
    path = bed.dir / "bundle.pem"
    path.write_bytes(text.encode())
    said = bed.cli("cert", "upload", path, "--account", "acme")
    notes = [l for l in said.splitlines() if l.startswith("note")]
    for words in ("root", "in order", "byte order mark", "CR LF", "text"):
        assert any(words in n for n in notes), (words, notes)
    c = bed.json("cert", "list", "--search", "bundle.example.com")["certificates"][0]
    chain = bed.json("cert", "show", c["id"])["chain_pem"]
    assert chain == pem(leaf) + pem(bed.pki.middle), "leaf first, no root, each block ends"
    # The same in one part over REST, without the key: it is in the token.
    again = refused(bed, "cert", "upload", path, "--account", "acme")
    assert str(c["id"]) in again and "already" in again.lower()


@pytest.mark.feature("C11")
def test_a_foreign_or_broken_chain_is_refused_with_the_reason(bed):
    other = Pki("other")
    key, leaf = bed.pki.leaf("foreign.example.com")
    path = bed.dir / "foreign.pem"
    path.write_text(pem(leaf) + pem(other.middle) + key_pem(key))
    assert "other intermediate" in refused(bed, "cert", "upload", path, "--account", "acme")
    # An intermediate of the right name and another key does not link.
    impostor = Pki()
    path.write_text(pem(leaf) + pem(impostor.middle) + key_pem(key))
    assert "sign" in refused(bed, "cert", "upload", path, "--account", "acme")
    path.write_text(pem(leaf)[:-60] + key_pem(key))
    assert refused(bed, "cert", "upload", path, "--account", "acme")
    assert bed.json("cert", "list", "--search", "foreign.example.com")["certificates"] == []


@pytest.mark.feature("C12")
def test_a_key_that_does_not_match_is_refused_naming_both(bed, token):
    _, leaf = bed.pki.leaf("mismatch.example.com")
    path = bed.dir / "mismatch.pem"
    other = new_key("rsa")
    path.write_text(pem(leaf) + pem(bed.pki.middle) + key_pem(other))
    said = refused(bed, "cert", "upload", path, "--account", "acme")

    def short(public):
        digest = hashes.Hash(hashes.SHA256())
        digest.update(public.public_bytes(serialization.Encoding.DER,
                                          serialization.PublicFormat.SubjectPublicKeyInfo))
        return digest.finalize().hex()[:16]
    assert short(other.public_key()) in said and short(leaf.public_key()) in said
    assert "rsa-2048" in said and "ec-p256" in said
    # certd looks itself: whoever sends another SPKI than the leaf's gets the same.
    spki = other.public_key().public_bytes(serialization.Encoding.DER,
                                           serialization.PublicFormat.SubjectPublicKeyInfo)
    status, _, problem = bed.rest("POST", "/v1/certificates", token, {
        "parts": {"certificate": pem(leaf) + pem(bed.pki.middle)},
        "wrapped_key": {"wrapping_key_id": base64.b64encode(b"x" * 32).decode(),
                        "blob": base64.b64encode(b"y" * 300).decode(),
                        "spki": base64.b64encode(spki).decode()}})
    assert status in (400, 409, 422) and short(leaf.public_key()) in problem["detail"]


@pytest.mark.parametrize("what, words", [
    ("expired", "expired"), ("not yet valid", "not valid before"), ("sha1", "SHA1"),
    ("no names", "name"), ("a CA", "CA"), ("underscore", "under_score"), ("bad wildcard", "*")])
def test_what_must_not_be_served_is_refused_each_with_its_own_sentence(bed, what, words):
    pki, key = bed.pki, new_key()
    if what == "a CA":
        leaf = Pki.sign(pki.middle.subject, key, pki.middle.subject, pki.middle_key,
                        ("ca.example.com",), ca=True)
    elif what == "no names":
        leaf = Pki.sign(x509.Name([]), key, pki.middle.subject, pki.middle_key)
    else:
        hosts = {"underscore": "under_score.example.com",
                 "bad wildcard": "a.*.example.com"}.get(what, f"{what[:3].strip()}.example.com")
        kw = {"expired": {"days": -1, "since": -30}, "not yet valid": {"since": 3},
              "sha1": {}}.get(what, {})
        _, leaf = pki.leaf(hosts, key=key, **kw)
    path = bed.dir / "bad.pem"
    if what == "sha1":
        # Nobody's library makes these any more; the command does.
        base = bed.dir / "sha1"
        base.mkdir(exist_ok=True)
        (base / "ca.key").write_text(key_pem(pki.middle_key))
        (base / "ca.pem").write_text(pem(pki.middle))
        (base / "key.pem").write_text(key_pem(key))
        subprocess.run(["openssl", "req", "-new", "-key", base / "key.pem", "-subj", "/CN=s",
                        "-addext", "subjectAltName=DNS:sha1.example.com", "-out",
                        base / "csr"], check=True, capture_output=True)
        subprocess.run(["openssl", "x509", "-req", "-sha1", "-in", base / "csr", "-CA",
                        base / "ca.pem", "-CAkey", base / "ca.key", "-CAcreateserial", "-days",
                        "9", "-copy_extensions", "copy", "-out", base / "leaf.pem"],
                       check=True, capture_output=True)
        text = (base / "leaf.pem").read_text()
    else:
        text = pem(leaf)
    path.write_text(text + pem(pki.middle) + key_pem(key))
    assert words in refused(bed, "cert", "upload", path, "--account", "acme")


@pytest.mark.feature("H01")
def test_four_parts(bed, token):
    """Public certificate, intermediate, CA bundle and private key, each a part of its own."""
    key, leaf = bed.pki.leaf("parts.example.com")
    folder = bed.dir / "parts"
    folder.mkdir()
    for name, text in (("cert", pem(leaf)), ("middle", pem(bed.pki.middle)),
                       ("bundle", pem(bed.pki.middle) + pem(bed.pki.root)),
                       ("key", key_pem(key))):
        (folder / name).write_text(text)
    said = bed.cli("cert", "upload", *(folder / n for n in ("cert", "middle", "bundle", "key")),
                   "--account", "acme")
    assert "root" in said and "twice" in said
    # Over REST the parts have names; the key is there already.
    _, renewed = bed.pki.leaf("parts.example.com", key=key, days=200)
    status, headers, answer = bed.rest("POST", "/v1/certificates", token, {
        "name": "renewed", "parts": {"certificate": pem(renewed),
                                     "intermediate": pem(bed.pki.middle),
                                     "ca_bundle": pem(bed.pki.root)}})
    assert status == 201, answer
    assert headers["Location"] == f"/v1/certificates/{answer['certificate']['id']}"
    assert any("root" in n for n in answer["notes"])
    assert answer["certificate"]["fingerprint"] == fingerprint(renewed)


@pytest.mark.feature("H02")
@pytest.mark.parametrize("options", [(), ("-legacy",), ("-legacy", "-certpbe", "PBE-SHA1-RC2-40",
                                                        "-keypbe", "PBE-SHA1-3DES")])
def test_a_pfx_with_its_password(bed, options):
    host = f"pfx{len(options)}.example.com"
    key, leaf = bed.pki.leaf(host)
    path = bed.pki.pfx(bed.dir / "pfx", host, key, leaf, "correct horse", *options)

    def with_password(password):
        """The password by a descriptor of its own."""
        r, w = os.pipe()
        os.write(w, password.encode())
        os.close(w)
        try:
            return subprocess.run(
                [HOLDFAST, "--state", bed.dir / "admin", "--json", "cert", "upload", path,
                 "--account", "acme", "--passphrase-fd", str(r)],
                env=bed.env, capture_output=True, text=True, timeout=60, pass_fds=(r,))
        finally:
            os.close(r)
    wrong = with_password("battery staple")
    assert wrong.returncode == 1 and "pass" in wrong.stderr and "wrong" in wrong.stderr
    done = with_password("correct horse")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["certificate"]["fingerprint"] == fingerprint(leaf)
    path.write_bytes(path.read_bytes()[:200])
    damaged = with_password("correct horse")
    assert damaged.returncode == 1 and "wrong" not in damaged.stderr, damaged.stderr


@pytest.mark.feature("H03")
def test_name_and_scope(bed):
    for name in ("inside", "outside"):
        bed.json("resource", "create", name, f"{name}.scope.example.com", "--account", "acme",
                 "--plain-http")
    c = upload(bed, "*.scope.example.com", extra=("--name", "scoped", "--scope", "inside"))
    assert [s["name"] for s in c["scope"]] == ["inside"]
    assert "scope" in refused(bed, "resource", "bind", "outside", c["id"])
    offered = bed.json("cert", "list", "--for", "outside")["certificates"]
    assert c["id"] not in [o["id"] for o in offered]
    bed.json("resource", "bind", "inside", c["id"])
    bed.json("cert", "set", c["id"], "--scope", "all", "--name", "free")
    assert bed.json("resource", "bind", "outside", c["id"])["https"] is True


def test_an_exposed_key_is_refused_unless_the_operator_allows_it(bed, token):
    key, leaf = bed.pki.leaf("exposed.example.com")
    status, _, problem = bed.rest("POST", "/v1/certificates", token, {
        "parts": {"certificate": pem(leaf) + pem(bed.pki.middle)}, "private_key": key_pem(key)})
    assert status in (400, 403, 409, 422)
    assert "holdfast cert upload" in problem["detail"]
    assert bed.json("cert", "list", "--search", "exposed")["certificates"] == []
    assert key_pem(key).splitlines()[1] not in bed.daemons["certd"].text()


# ---- resources and bindings ----

@pytest.mark.feature("C02")
def test_a_resource_is_made_with_its_certificate_in_one_act(bed):
    key, leaf = bed.pki.leaf("together.example.com")
    chain, private = bed.pki.files(bed.dir / "up", "together", key, leaf)
    bundle = bed.dir / "together.pem"
    bundle.write_text(chain.read_text() + private.read_text())
    r = bed.json("resource", "create", "together", "together.example.com", "--account", "acme",
                 "--upload", bundle)["resource"]
    assert r["https"] and r["mode"] == "personal" and len(r["certificates"]) == 1
    listed = bed.json("cert", "list", "--search", "together")["certificates"]
    assert [x["name"] for x in listed[0]["resources"]] == ["together"]
    # All or nothing: a resource that cannot be made leaves no certificate behind.
    key, leaf = bed.pki.leaf("elsewhere.example.com")
    bundle.write_text(pem(leaf) + pem(bed.pki.middle) + key_pem(key))
    assert "together.example.com" in refused(
        bed, "resource", "create", "again", "together.example.com", "--account", "acme",
        "--upload", bundle)
    assert bed.json("cert", "list", "--search", "elsewhere")["certificates"] == []


@pytest.mark.feature("C07")
def test_only_certificates_that_cover_its_host_names_are_offered_and_bound(bed):
    bed.json("resource", "create", "offer", "offer.example.com", "www.offer.example.com",
             "--account", "acme", "--plain-http")
    both = upload(bed, "offer.example.com", "*.offer.example.com")
    one = upload(bed, "offer.example.com")
    offered = [c["id"] for c in bed.json("cert", "list", "--for", "offer")["certificates"]]
    assert both["id"] in offered and one["id"] not in offered
    assert "www.offer.example.com" in refused(bed, "resource", "bind", "offer", one["id"])
    assert bed.json("resource", "bind", "offer", both["id"])["https"]
    # A name that is not covered needs a certificate that covers it, in the same act.
    said = refused(bed, "resource", "set", "offer", "--hostnames",
                   "offer.example.com,other.example.net")
    assert "other.example.net" in said
    wider = upload(bed, "offer.example.com", "other.example.net")
    r = bed.json("resource", "set", "offer", "--hostnames",
                 "offer.example.com,other.example.net", "--cert", wider["id"])
    assert [c["id"] for c in r["certificates"]] == [wider["id"]]


def test_rsa_and_ecdsa_certificates_are_bound_together(bed):
    ec = upload(bed, "dual.example.com")
    rsa = upload(bed, "dual.example.com", kind="rsa")
    r = bed.json("resource", "create", "dual", "dual.example.com", "--account", "acme", "--cert",
                 f"{ec['id']},{rsa['id']}")["resource"]
    assert {c["id"] for c in r["certificates"]} == {ec["id"], rsa["id"]}
    second = upload(bed, "dual.example.com")
    assert refused(bed, "resource", "bind", "dual", ec["id"], second["id"])


@pytest.mark.feature("C05")
@pytest.mark.feature("C06")
def test_a_certificate_in_use_is_not_deleted_and_who_holds_it_is_named(bed):
    c = upload(bed, "*.held.example.com")
    for name in ("one", "two", "three"):
        bed.json("resource", "create", f"held-{name}", f"{name}.held.example.com", "--account",
                 "acme", "--cert", c["id"])
    said = refused(bed, "cert", "delete", c["id"])
    for name in ("one", "two", "three"):
        assert f"held-{name}" in said
    assert "cert replace" in said
    for name in ("one", "two", "three"):
        bed.json("resource", "delete", f"held-{name}")
    done = bed.json("cert", "delete", c["id"])
    assert done["key_destroyed"]
    assert refused(bed, "cert", "show", c["id"], code=4)
    # The token's key is on its way out.
    wait_for("keyd was told", lambda: bed.json("key", "show", c["key"]["id"])["state"] in
             ("scheduled", "suspended", "destroyed"))


@pytest.mark.feature("C01")
@pytest.mark.feature("C08")
@pytest.mark.feature("C20")
@pytest.mark.feature("C25")
def test_an_acme_certificate_belongs_to_its_resource_and_gives_way_in_one_call(bed):
    bed.json("resource", "create", "auto", "auto.example.com", "--account", "acme", "--mode",
             "acme")
    c = upload(bed, "auto.example.com", extra=("--acme", "auto"))
    assert c["kind"] == "acme"
    r = bed.json("resource", "show", "auto")
    assert r["mode"] == "acme" and [x["kind"] for x in r["certificates"]] == ["acme"]
    assert c["id"] not in [x["id"] for x in bed.json(
        "cert", "list", "--account", "acme")["certificates"]], "not in the personal list"
    later = upload(bed, "auto.example.com", extra=("--acme", "auto"))
    r = bed.json("resource", "show", "auto")
    assert [x["id"] for x in r["certificates"]] == [later["id"]], "one ACME certificate"
    own = upload(bed, "auto.example.com")
    r = bed.json("resource", "bind", "auto", own["id"])
    assert r["mode"] == "personal" and [x["id"] for x in r["certificates"]] == [own["id"]]


@pytest.mark.feature("C01")
@pytest.mark.feature("C27")
def test_a_name_in_the_operators_zone_gets_the_shared_certificate_by_itself(bed):
    bed.cli("account", "create", "operator")
    key, leaf = bed.pki.leaf("*.edge.holdfast.test")
    chain, private = bed.pki.files(bed.dir / "up", "shared", key, leaf)
    shared = bed.json("cert", "upload", chain, private, "--account", "operator",
                      "--shared")["certificate"]
    assert shared["kind"] == "shared"
    r = bed.json("resource", "create", "free", "--account", "acme")["resource"]
    assert r["hostnames"] == [r["target"]] and r["target"].endswith(".edge.holdfast.test")
    assert [c["id"] for c in r["certificates"]] == [shared["id"]] and r["https"]
    # Only the operator makes shared ones.
    token = bed.cli("token", "create", "t", "--account", "acme", "--role",
                    "administrator").strip()
    status, _, _ = bed.rest("POST", "/v1/certificates", token, {
        "kind": "shared", "parts": {"certificate": pem(leaf) + pem(bed.pki.middle)}})
    assert status == 403


@pytest.mark.feature("A09")
def test_plain_http_is_allowed_and_marked_as_not_recommended(bed):
    r = bed.json("resource", "create", "plain", "plain.example.com", "--account", "acme",
                 "--plain-http")["resource"]
    assert r["https"] is False
    assert any("not recommended" in w for w in r["warnings"])
    assert "not recommended" in bed.cli("resource", "show", "plain")


@pytest.mark.feature("A06")
def test_the_enhanced_network_has_a_pool_and_edges_of_its_own(bed):
    c = upload(bed, "bank.example.com", extra=("--network", "enhanced"))
    assert c["key"]["pool"] == "enhanced" and c["key"]["network"] == "enhanced"
    assert bed.json("key", "show", c["key"]["id"])["pool"] == "enhanced"
    r = bed.json("resource", "create", "bank", "bank.example.com", "--account", "acme",
                 "--network", "enhanced", "--cert", c["id"])["resource"]
    assert r["network"] == "enhanced" and r["edge_group"] == "enhanced"
    grants = bed.json("key", "show", c["key"]["id"])["grants"]
    assert [g["identity"] for g in grants if g["identity"].startswith("edge/")] == [
        "edge/@enhanced"]
    # Keys of one network do not serve on the other.
    standard = upload(bed, "bank.example.com")
    assert "enhanced" in refused(bed, "resource", "bind", "bank", standard["id"])
    assert refused(bed, "resource", "create", "odd", "odd.example.com", "--account", "acme",
                   "--group", "enhanced", "--plain-http")


@pytest.mark.feature("C09")
def test_certificate_data_never_changes(bed, token):
    c = upload(bed, "fixed.example.com")
    before = bed.json("cert", "show", c["id"])
    for field, value in (("chain_pem", "x"), ("fingerprint", "00"), ("hostnames", ["a.b"]),
                         ("not_after_s", 9)):
        status, _, problem = bed.rest("PATCH", f"/v1/certificates/{c['id']}", token,
                                      {field: value})
        assert status == 400 and field in problem["detail"]
    after = bed.json("cert", "show", c["id"])
    assert after.pop("expires_in_days") in (89, 90) and before.pop("expires_in_days") in (89, 90)
    assert after == before


# ---- out ----

@pytest.mark.feature("H08")
def test_export_gives_certificate_and_chain_and_never_the_key(bed, token):
    key, leaf = bed.pki.leaf("export.example.com")
    chain, private = bed.pki.files(bed.dir / "up", "export", key, leaf)
    c = bed.json("cert", "upload", chain, private, "--account", "acme")["certificate"]
    assert bed.cli("cert", "export", c["id"]) == pem(leaf) + pem(bed.pki.middle)
    out = bed.dir / "export.der"
    bed.cli("cert", "export", c["id"], "--format", "der", "-o", out)
    assert out.read_bytes() == der(leaf)
    for form, load in (("p7b", pkcs7.load_der_pkcs7_certificates),
                       ("p7b-pem", pkcs7.load_pem_pkcs7_certificates)):
        bed.cli("cert", "export", c["id"], "--format", form, "-o", out)
        assert {fingerprint(x) for x in load(out.read_bytes())} == {
            fingerprint(leaf), fingerprint(bed.pki.middle)}
    said = refused(bed, "cert", "export", c["id"], "--private-key")
    assert "token" in said and ("csr" in said or "new" in said)


@pytest.mark.feature("V06")
def test_a_bought_certificate_is_attached_to_the_key_that_never_left(bed):
    made = bed.json("cert", "csr", "bought.example.com", "www.bought.example.com", "--account",
                    "acme", "--alg", "rsa-2048")
    csr = made["csr"]
    key = bed.json("key", "show", made["key"]["id"])
    assert key["attributes"]["never_extractable"] and key["origin"] == "generated"
    leaf = bed.pki.of_request(csr)
    path = bed.dir / "bought.pem"
    path.write_text(pem(leaf) + pem(bed.pki.middle))
    # Not any certificate: one for this very key.
    _, foreign = bed.pki.leaf("bought.example.com")
    wrong = bed.dir / "wrong.pem"
    wrong.write_text(pem(foreign) + pem(bed.pki.middle))
    assert refused(bed, "cert", "attach", made["id"], wrong)
    c = bed.json("cert", "attach", made["id"], path)["certificate"]
    assert c["key"]["id"] == made["key"]["id"] and c["fingerprint"] == fingerprint(leaf)
    assert [r["certificate"] for r in bed.json("cert", "requests")["requests"]
            if r["id"] == made["id"]] == [c["id"]]
    # Renewal of the same key needs no key either.
    again = bed.pki.of_request(csr, days=300)
    path.write_text(pem(again) + pem(bed.pki.middle))
    assert bed.json("cert", "upload", path, "--account",
                    "acme")["certificate"]["key"]["id"] == made["key"]["id"]


# ---- accounts ----

def test_an_object_of_another_account_is_not_found(bed, token):
    c = upload(bed, "mine.example.com")
    r = bed.json("resource", "create", "mine", "mine.example.com", "--account", "acme", "--cert",
                 c["id"])["resource"]
    bed.cli("account", "create", "rival")
    rival = bed.cli("token", "create", "t", "--account", "rival", "--role",
                    "administrator").strip()
    calls = [("GET", f"/v1/certificates/{c['id']}", None),
             ("PATCH", f"/v1/certificates/{c['id']}", {"name": "x"}),
             ("DELETE", f"/v1/certificates/{c['id']}", None),
             ("GET", f"/v1/resources/{r['id']}", None),
             ("PATCH", f"/v1/resources/{r['id']}", {"name": "x"}),
             ("DELETE", f"/v1/resources/{r['id']}", None)]
    for verb, path, body in calls:
        status, _, mine = bed.rest(verb, path, rival, body)
        assert status == 404, (verb, path, mine)
        missing = re.sub(r"/\d+", "/999999999", path)
        status, _, nobody = bed.rest(verb, missing, rival, body)
        assert status == 404
        assert {k: v for k, v in mine.items() if k != "instance"} == {
            k: v for k, v in nobody.items() if k != "instance"}, (verb, path)
    status, _, listed = bed.rest("GET", "/v1/certificates", rival)
    # But for the operator's shared ones, which are there for all.
    assert status == 200 and {x["kind"] for x in listed["certificates"]} <= {"shared"}
    status, _, _ = bed.rest("GET", f"/v1/certificates/{c['id']}", token)
    assert status == 200
