# SPDX-License-Identifier: Apache-2.0
"""certd while keyd is away: what goes on, what is refused, and what is made good."""

import grpc
import pytest

from bed import wait_for
from certd_bed import CertdBed
from certs import Pki, pem
from wire import Signer, tls13_content


@pytest.fixture(scope="module")
def bed():
    b = CertdBed()
    b.up()
    b.pki = Pki()
    b.cli("account", "create", "acme")
    b.token = b.make_token("acme")
    b.signer = Signer(b, "edge", "fra-1")
    yield b
    b.signer.channel.close()
    b.close()


@pytest.fixture
def away(bed):
    """Stops keyd when called; it is back after the test at the latest."""
    def stop():
        bed.daemons["keyd"].kill()
    yield stop
    if not bed.daemons["keyd"].running():
        bed.start_keyd()


def add(bed, *hosts):
    key, leaf = bed.pki.leaf(*hosts)
    chain, private = bed.pki.files(bed.dir / "up", hosts[0], key, leaf)
    return bed.json("cert", "upload", chain, private, "--account", "acme")["certificate"]


def make(bed, name, certificate):
    return bed.json("resource", "create", name, f"{name}.example.com", "--account", "acme",
                    "--cert", certificate["id"])["resource"]


def signs(bed, certificate):
    key = {"id": certificate["key"]["id"], "algorithm": "ec-p256"}
    request = bed.signer.request(key, tls13_content())
    return bool(bed.signer.stub.Sign(request, timeout=60, wait_for_ready=True).signature)


def is_refused(bed, certificate):
    with pytest.raises(grpc.RpcError) as refused:
        signs(bed, certificate)
    return refused.value.code().name == "PERMISSION_DENIED"


def pending(bed):
    return bed.call("Status", "Get").pending_grants


@pytest.mark.feature("X04")
def test_a_binding_is_made_and_becomes_the_permission_when_keyd_is_back(bed, away):
    c = add(bed, "bound.example.com")
    away()
    r = make(bed, "bound", c)
    assert [x["id"] for x in r["certificates"]] == [c["id"]]
    assert "edges may not sign yet with what is bound" in r["permission_trouble"]
    assert f"keyd at 127.0.0.1:{bed.port}" in r["permission_trouble"]
    assert r["permission_trouble"] in r["warnings"]
    assert "NOT YET" in bed.cli("resource", "show", "bound")
    assert pending(bed) == 1
    bed.start_keyd()
    wait_for("keyd is told", lambda: bed.json("resource", "show", "bound")[
        "permission_trouble"] == "", 60)
    assert signs(bed, c) and pending(bed) == 0


@pytest.mark.feature("X04")
@pytest.mark.parametrize("how", ["unbind", "delete", "set --https off"])
def test_what_is_taken_away_is_said_to_be_pending_until_keyd_is_back(bed, away, how):
    name = how.split()[0]
    c = add(bed, f"{name}.example.com")
    r = make(bed, name, c)
    assert r["permission_trouble"] == "" and signs(bed, c)
    verb, *options = how.split()
    away()
    said = bed.json("resource", verb, name, *options)
    assert "edges of group standard may still sign" in said["permission_trouble"]
    assert f"keyd at 127.0.0.1:{bed.port}" in said["permission_trouble"]
    assert pending(bed) == 1
    bed.start_keyd()
    wait_for("keyd is told", lambda: pending(bed) == 0, 60)
    assert is_refused(bed, c)
    assert (c["key"]["id"], "standard") not in bed.keyd_grants()


def test_deleting_promises_nothing_that_keyd_does_not_know(bed, away):
    c = add(bed, "promise.example.com")
    make(bed, "promise", c)
    away()
    said = bed.cli("resource", "delete", "promise")
    assert "NOT YET" in said and "no edge may sign" not in said
    bed.start_keyd()
    wait_for("keyd is told", lambda: pending(bed) == 0, 60)
    assert is_refused(bed, c)
    c = add(bed, "kept.example.com")
    make(bed, "kept", c)
    assert "no edge may sign for it any more" in bed.cli("resource", "delete", "kept")
    assert is_refused(bed, c)


def counts(bed):
    return [bed.rows(f"SELECT count(*) FROM {table}")[0][0] for table in (
        "certificate", "certificate_chain", "certificate_hostname", "certificate_word", "key",
        "request", "resource", "hostname", "binding", "event")]


def test_what_needs_keyd_is_refused_whole_with_the_reason(bed, away):
    key, leaf = bed.pki.leaf("refused.example.com")
    chain, private = bed.pki.files(bed.dir / "up", "refused", key, leaf)
    bundle = bed.dir / "refused.pem"
    bundle.write_text(chain.read_text() + private.read_text())
    wrapped = bed.wrapped(key, bed.call("Certificates", "ImportParameters"))
    upload = {"parts": {"certificate": pem(leaf) + pem(bed.pki.middle)}, "wrapped_key": wrapped}
    before, keys = counts(bed), set(bed.keyd_keys())
    away()
    for path, body in (
            ("/v1/certificates", upload),
            ("/v1/resources", {"name": "refused", "hostnames": ["refused.example.com"],
                               "upload": upload}),
            ("/v1/certificate-requests", {"hostnames": ["refused.example.com"]})):
        status, _, problem = bed.rest("POST", path, bed.token, body)
        assert (status, problem["code"]) == (503, "UNAVAILABLE"), problem
        assert f"keyd at 127.0.0.1:{bed.port}" in problem["detail"], problem
    for argv in (("cert", "upload", bundle), ("cert", "csr", "refused.example.com"),
                 ("resource", "create", "refused", "refused.example.com", "--upload", bundle)):
        done = bed.run(*argv, "--account", "acme")
        assert done.returncode != 0 and "keyd" in done.stderr, done
    assert counts(bed) == before
    bed.start_keyd()
    wait_for("certd reaches keyd", lambda: bed.call("Certificates", "ImportParameters"))
    # The same again: nothing of the first is in its way.
    done = bed.json("resource", "create", "refused", "refused.example.com", "--account", "acme",
                    "--upload", bundle)
    assert done["resource"]["permission_trouble"] == ""
    assert len(set(bed.keyd_keys()) - keys) == 1


def test_a_deleted_certificates_key_goes_once_keyd_is_back(bed, away):
    c = add(bed, "late.example.com")
    away()
    assert bed.json("cert", "delete", c["id"])["key_destroyed"]
    assert bed.rows("SELECT count(*) FROM key_doomed") == [(1,)]
    bed.start_keyd()
    wait_for("keyd is told", lambda: bed.rows("SELECT count(*) FROM key_doomed") == [(0,)], 60)
    assert bed.json("key", "show", c["key"]["id"])["state"] == "scheduled"


# ---- a keyd that refuses ----

def test_a_key_that_too_few_operators_can_have_destroyed_is_suspended():
    bed = CertdBed(quorum=2)
    try:
        bed.up()
        bed.pki = Pki()
        bed.cli("account", "create", "acme")
        c = add(bed, "quorum.example.com")
        assert "its key is to be destroyed in the token" in bed.cli("cert", "delete", c["id"])
        wait_for("it is suspended", lambda: bed.json("key", "show", c["key"]["id"])[
            "state"] == "suspended")
        log = bed.daemons["certd"].text()
        assert "invite another first" in log, "keyd's own sentence"
        assert bed.rows("SELECT count(*) FROM key_doomed WHERE problem LIKE '%operators%'") == [
            (1,)]
        # With a second operator the request can be approved: it waits for that, suspended.
        bed.member("operator", "second")
        wait_for("it is asked again", lambda: bed.rows(
            "SELECT count(*) FROM key_doomed WHERE waits_s > 0") == [(1,)], 60)
        waiting = bed.json("approval", "list")
        assert len(waiting["approvals"] if isinstance(waiting, dict) else waiting) == 1
        assert bed.json("key", "show", c["key"]["id"])["state"] == "suspended"
    finally:
        bed.close()
