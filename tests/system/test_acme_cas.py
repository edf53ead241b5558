# SPDX-License-Identifier: Apache-2.0
"""certd and its CAs: external accounts, account keys, a CA that forgets, chains, profiles,
failover, and renewals when the CA says so (RFC 9773)."""

import datetime

import pytest
from cryptography import x509

from acme_bed import (
    ACTIVE, DONE, FAILED, RENEWAL, AcmeBed, cert_id_of, names_of, read_chain, spki_of)
from bed import wait_for

HOUR = 3600


@pytest.fixture(scope="module")
def bed():
    """The first CA has ARI and profiles, and wants to know its customers."""
    b = AcmeBed(cas={"one": {"eab": True, "alternate_roots": 1}, "two": {}},
                front={"ari": True, "profiles": {"classic": "90 days", "shortlived": "six"}},
                clock=True)
    b.up()
    yield b
    b.close()


def authority(bed, name="one"):
    return bed.call("Authorities", "Get", name=name)


def renew(bed, enrollment):
    again = bed.call("Enrollments", "Issue", id=enrollment.id, force=True)
    return bed.ended(again.change.id, DONE)


@pytest.mark.feature("A01")
def test_a_ca_that_wants_an_external_account_gets_it(bed):
    enrollment, change = bed.obtain("eab.example.org")
    assert change.authority == "one" and enrollment.state == ACTIVE
    shown = authority(bed)
    assert shown.external_account_required and shown.account_url.startswith("https://")
    assert shown.renewal_information and sorted(shown.profiles) == ["classic", "shortlived"]
    assert not shown.problem
    # Its secret is in no place that others read.
    for path in [*(bed.dir / "certd").rglob("*"), *bed.dir.glob("*.log")]:
        if path.is_file():
            assert b"zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W" \
                not in path.read_bytes(), path


@pytest.mark.feature("X08")
def test_the_account_key_is_replaced_and_the_old_one_signs_no_more(bed):
    bed.obtain("before.example.org")
    before = authority(bed)
    after = bed.call("Authorities", "RolloverKey", name="one")
    assert after.account_url == before.account_url
    assert after.account_key_id != before.account_key_id
    assert after.account_thumbprint != before.account_thumbprint
    _, change = bed.obtain("after.example.org")
    assert change.challenges[0].http_body.endswith("." + after.account_thumbprint)
    old = bed.json("key", "show", before.account_key_id)
    assert old["state"] in ("scheduled", "destroyed"), old


def test_a_ca_that_has_forgotten_everything_gets_the_account_anew(bed):
    enrollment, _ = bed.obtain("forgotten.example.org")
    before = authority(bed)
    bed.pebble.restart()
    change = renew(bed, enrollment)
    after = authority(bed)
    assert after.account_key_id == before.account_key_id
    assert names_of(bed.certificate(change.certificate)) == {"forgotten.example.org"}
    assert bed.ca_status(change.certificate) == "Valid"


def test_the_chain_to_the_wanted_root_is_taken_and_its_absence_is_told(bed):
    def top(change):
        return bed.chain(change.certificate)[-1].issuer

    roots = [read_chain(bed.pebble.root(i).encode())[0].subject for i in (0, 1)]
    assert roots[0] != roots[1]
    enrollment, change = bed.obtain("chain.example.org")
    assert top(change) == roots[0]
    wanted = roots[1].get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
    bed.call("Enrollments", "Update", id=enrollment.id, preferred_chain=wanted, change=[9])
    assert top(renew(bed, enrollment)) == roots[1]
    bed.call("Enrollments", "Update", id=enrollment.id, preferred_chain="Nobody's Root",
             change=[9])
    change = renew(bed, enrollment)
    assert top(change) == roots[0]
    assert any("Nobody's Root" in line.text for line in change.history)


def test_a_profile_is_asked_for_and_one_that_there_is_not_is_named(bed):
    bed.obtain("short.example.org", profile="shortlived")
    begun = bed.enroll("tall.example.org", profile="tall")
    change = bed.ended(begun.change.id, FAILED)
    assert "tall" in change.problem and "profile" in change.problem


def test_while_the_first_ca_is_away_the_second_one_issues(bed):
    bed.pebble.stop_ca()
    try:
        _, change = bed.obtain("failover.example.org")
        assert change.authority == "two"
        assert bed.ca_status(change.certificate, bed.pebbles["two"]) == "Valid"
        shown = authority(bed)
        assert shown.problem
        # Who asks for the first one alone waits for it.
        begun = bed.enroll("loyal.example.org", authority="one")
        wait_for("it says so", lambda: "one" in bed.change(begun.change.id).problem)
    finally:
        bed.pebble.start()
    done = bed.ended(begun.change.id, DONE)
    assert done.authority == "one" and done.attempts == 0


# ---- when the CA says so ----

@pytest.mark.feature("C22")
def test_a_certificate_is_renewed_when_its_ca_says_so_and_says_what_it_replaces(bed):
    enrollment, change = bed.obtain("ari.example.org")
    quiet, _ = bed.obtain("quiet.example.org")
    old = bed.certificate(change.certificate)
    now = datetime.datetime.utcnow()

    def at(hours):
        return (now + datetime.timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")

    bed.front.set_window(cert_id_of(old), start=at(-3), end=at(-2),
                         explanation="https://one.example/incident")
    # It is asked within an hour of the certificate's birth, and from time to time.
    bed.travel(2 * HOUR)
    try:
        wait_for("it is renewed", lambda: bed.enrollment(enrollment.id).certificate not in (
            0, change.certificate), 60)
        new = bed.ended(bed.enrollment(enrollment.id).change, DONE)
        assert new.kind == RENEWAL and new.created_by == "certd"
        assert spki_of(bed.certificate(new.certificate)) != spki_of(old)
        told = [line for line in bed.front.log() if line["on"] == "renewal_info"]
        assert 200 in {line["status"] for line in told}
        assert cert_id_of(old) in bed.front.replaced()
        # Of the other one the CA said its window, which is kept.
        wait_for("the window is kept", lambda: bed.enrollment(quiet.id).window_start_s)
        shown = bed.enrollment(quiet.id)
        assert shown.window_start_s <= shown.next_at_s <= shown.window_end_s
        assert bed.enrollment(quiet.id).certificate == quiet.certificate
    finally:
        bed.travel(0)


@pytest.mark.feature("C22")
def test_a_certificate_that_its_ca_has_revoked_is_replaced_at_once(bed):
    enrollment, change = bed.obtain("gone.example.org")
    # As a CA that has to: by the account's right, and without certd knowing of it.
    bed.front.revoke(bed.certificate(change.certificate).serial_number)
    bed.travel(2 * HOUR)
    try:
        wait_for("it is replaced", lambda: bed.enrollment(enrollment.id).certificate not in (
            0, change.certificate), 60)
        assert bed.enrollment(enrollment.id).state == ACTIVE
    finally:
        bed.travel(0)
