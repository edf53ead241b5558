# SPDX-License-Identifier: Apache-2.0
"""Certificates by ACME, as those who want them see it: resources that get theirs, and
enrollments over the API.  A real pebble validates through nginx and edged of two edges."""

import json

import pytest

from acme_bed import (
    ACTIVE, AWAITING_ISSUE, AWAITING_VERIFY, CANCEL, CANCELLED, DONE, ENROLLMENT_FAILED, FAILED,
    FINALIZING, GIVE_ISSUE, ISSUE, KIND_ACME, KIND_PERSONAL, MODE_ACME, MODE_AUTOMATIC,
    MODE_PERSONAL, REISSUE, RENEWAL, REVOKED, VERIFY, AcmeBed, fingerprint_of, names_of, spki_of)
from bed import wait_for
from certs import Pki

HOST, WWW = "shop.example.org", "www.shop.example.org"


@pytest.fixture(scope="module")
def bed():
    b = AcmeBed(edges=2, front={}, enhanced=True)
    b.up()
    b.token = b.make_token("acme")
    b.pki = Pki()
    yield b
    b.close()


def resource_of(bed, id_):
    return bed.call("Resources", "Get", id=id_)


def with_shop(bed):
    """The shop's resource: made once, for whichever test comes first."""
    found = bed.call("Resources", "List", account="acme", search="shop").resources
    if found:
        return resource_of(bed, found[0].id)
    made = bed.call("Resources", "Create", account="acme", name="shop", hostnames=[HOST]).resource
    assert made.mode == MODE_AUTOMATIC and made.change != 0
    bed.publish(HOST)
    bed.ended(made.change, DONE)
    return resource_of(bed, made.id)


def served_everywhere(bed, host, fingerprint):
    return all(bed.served(name, host) == fingerprint for name in bed.names)


def hold(bed):
    """No order gets further than its validation."""
    bed.front.fault("processing", on="order", count=-1)


def held(bed, change):
    return bed.in_state(change, FINALIZING)


def upload(bed, *hosts):
    key, leaf = bed.pki.leaf(*hosts)
    chain, private = bed.pki.files(bed.dir / "up", hosts[0], key, leaf)
    certificate = bed.json("cert", "upload", chain, private, "--account", "acme")["certificate"]
    private.unlink()
    return int(certificate["id"])


# ---- resources ----

@pytest.mark.feature("V01")
@pytest.mark.feature("A07")
@pytest.mark.feature("C20")
def test_a_new_resource_gets_its_certificate_by_itself(bed):
    shop = with_shop(bed)
    assert shop.https and shop.acme_problem == ""
    bound, = shop.certificates
    assert bound.kind == KIND_ACME
    enrollment = bed.enrollment(shop.enrollment)
    assert (enrollment.state, enrollment.certificate) == (ACTIVE, bound.id)
    assert served_everywhere(bed, HOST, bound.fingerprint)
    assert names_of(bed.certificate(bound.id)) == {HOST}
    # A third of the lifetime is left then.
    left = (enrollment.not_after_s - enrollment.next_at_s) / 7776000
    assert 0.31 < left < 0.36
    # Its progress can be read afterwards, too.
    history = bed.change(shop.change).history
    assert [line.text for line in history][-1] == "All edges (2) serve it."
    assert [line.state for line in history] == sorted(line.state for line in history)
    code, text = bed.refusal("Enrollments", "Create", resource=shop.id)
    assert code == "ALREADY_EXISTS" and "change or issue that one" in text


@pytest.mark.feature("C16")
def test_get_certificate_is_one_act_on_a_resource(bed):
    made = bed.call("Resources", "Create", account="acme", name="custom", mode=MODE_PERSONAL,
                    hostnames=["custom.example.org"], plain_http=True).resource
    assert not made.https and made.change == 0
    status, _, answer = bed.rest("POST", "/v1/enrollments", bed.token, {"resource": made.id})
    assert status == 201, answer
    change = int(answer["change"]["id"])
    now = resource_of(bed, made.id)
    assert now.mode == MODE_ACME and now.https and now.change == change
    bed.publish("custom.example.org")
    done = bed.ended(change, DONE)
    assert done.percent == 100
    served = fingerprint_of(bed.certificate(done.certificate))
    assert served_everywhere(bed, "custom.example.org", served)


@pytest.mark.feature("V01")
@pytest.mark.feature("C21")
@pytest.mark.feature("C20")
def test_a_host_name_that_is_added_gets_a_certificate_and_the_old_one_serves_until_then(bed):
    old = with_shop(bed).certificates[0]
    old_spki = spki_of(bed.certificate(old.id))
    shop = with_shop(bed)
    hold(bed)
    try:
        changed = bed.call("Resources", "Update", id=shop.id, hostnames=[HOST, WWW], change=[2])
        assert changed.change != shop.change
        assert [c.id for c in changed.certificates] == [old.id]
        change = held(bed, changed.change)
        assert (change.kind, change.replaces) == (REISSUE, old.id)
        assert served_everywhere(bed, HOST, old.fingerprint)
    finally:
        bed.front.clear()
    bed.publish(WWW)
    done = bed.ended(changed.change, DONE)
    new, = resource_of(bed, shop.id).certificates
    assert new.id == done.certificate and new.kind == KIND_ACME
    leaf = bed.certificate(new.id)
    assert names_of(leaf) == {HOST, WWW} and spki_of(leaf) != old_spki
    for host in (HOST, WWW):
        assert served_everywhere(bed, host, new.fingerprint)
    # Proven, so the old one and its key are no more.
    assert bed.refusal("Certificates", "Get", id=old.id)[0] == "NOT_FOUND"
    wait_for("the old key is destroyed", lambda: bed.no_key_is_left_over())
    # And one less.
    changed = bed.call("Resources", "Update", id=shop.id, hostnames=[HOST], change=[2])
    bed.hosts.remove(WWW)
    done = bed.ended(changed.change, DONE)
    assert names_of(bed.certificate(done.certificate)) == {HOST}


@pytest.mark.feature("C18")
def test_while_a_certificate_is_obtained_what_would_upset_that_is_refused_or_cancels_it(bed):
    host = "busy.example.org"
    own = upload(bed, host)
    made = bed.call("Resources", "Create", account="acme", name="busy", hostnames=[host],
                    mode=MODE_ACME).resource
    hold(bed)
    try:
        change = held(bed, made.change)
        assert 40 <= change.percent < 100 and change.doing
        assert CANCEL in change.allowed_inputs
        for method, fields in (
                ("Update", {"https": False, "change": [6]}),
                ("Update", {"mode": MODE_PERSONAL, "change": [5]}),
                ("Bind", {"certificates": [own]}), ("Delete", {})):
            code, text = bed.refusal("Resources", method, id=made.id, **fields)
            assert code == "FAILED_PRECONDITION", (method, fields)
            assert f"change {made.change}" in text and "cancel_change" in text, text
        bound = bed.call("Resources", "Bind", id=made.id, certificates=[own], cancel_change=True)
        assert [c.id for c in bound.certificates] == [own]
        assert bed.ended(made.change).state == CANCELLED
    finally:
        bed.front.clear()
    bed.publish(host)
    wait_for("the chosen one is served", lambda: served_everywhere(
        bed, host, bound.certificates[0].fingerprint))
    now = resource_of(bed, made.id)
    assert now.mode == MODE_PERSONAL and now.https
    assert bed.events("acme.cancelled")[-1][0] == f"change {made.change}"


@pytest.mark.feature("C19")
@pytest.mark.feature("C15")
def test_a_failure_turns_https_off_where_nothing_is_served_and_shows_its_reason(bed):
    host = "nowhere.example.org"
    bed.pebble.set_a(host, "127.0.0.66")
    made = bed.call("Resources", "Create", account="acme", name="nowhere", hostnames=[host],
                    mode=MODE_ACME).resource
    assert made.https
    change = bed.ended(made.change, FAILED)
    assert host in change.problem and "127.0.0.66" in change.problem, change.problem
    assert change.challenges[0].problem != ""
    now = resource_of(bed, made.id)
    assert not now.https and host in now.acme_problem
    assert any(host in text for text in (now.acme_problem, *now.warnings))
    enrollment = bed.enrollment(now.enrollment)
    assert enrollment.state == ENROLLMENT_FAILED and enrollment.next_at_s != 0
    # An event, for the notices of failures; certificates by ACME have no others.
    assert any(object_ == f"change {change.id}" and change.problem.startswith(detail)
               for object_, detail in bed.events("acme.failed"))
    shown = bed.cli("resource", "show", str(made.id))
    assert host in shown and "127.0.0.66" in shown
    # Mended, a person need not wait for the next attempt.
    bed.pebble.clear_a(host)
    again = bed.call("Enrollments", "Issue", resource=made.id).change
    assert again.id != change.id
    bed.publish(host)
    bed.ended(again.id, DONE)
    now = resource_of(bed, made.id)
    assert now.acme_problem == "" and len(now.certificates) == 1


@pytest.mark.feature("C19")
@pytest.mark.feature("C21")
def test_a_resource_with_a_valid_certificate_keeps_serving_it_when_another_fails(bed):
    shop, lost = with_shop(bed), "lost.example.org"
    old, = shop.certificates
    bed.pebble.set_a(lost, "127.0.0.66")
    changed = bed.call("Resources", "Update", id=shop.id, hostnames=[HOST, lost], change=[2])
    change = bed.ended(changed.change, FAILED)
    now = resource_of(bed, shop.id)
    assert now.https and [c.id for c in now.certificates] == [old.id]
    assert lost in now.acme_problem and lost in change.problem
    assert served_everywhere(bed, HOST, old.fingerprint)
    enrollment = bed.enrollment(now.enrollment)
    assert enrollment.state == ACTIVE and lost in enrollment.problem
    # Back to what it has: all is well again.
    back = bed.call("Resources", "Update", id=shop.id, hostnames=[HOST], change=[2])
    if back.change != change.id:
        bed.ended(back.change, DONE)
    assert resource_of(bed, shop.id).acme_problem == ""


@pytest.mark.feature("C23")
def test_a_resources_certificate_is_revoked_with_a_reason_and_another_one_obtained(bed):
    host = "revoked.example.org"
    made = bed.call("Resources", "Create", account="acme", name="revoked", hostnames=[host],
                    mode=MODE_ACME).resource
    bed.publish(host)
    old = bed.ended(made.change, DONE).certificate
    serial = bed.certificate(old).serial_number
    status, _, answer = bed.rest("POST", f"/v1/enrollments/{resource_of(bed, made.id).enrollment}"
                                 ":revoke", bed.token, {"reason": "key_compromise"})
    assert status == 200, answer
    told = bed.pebble.certificate_status(serial)
    assert (told["Status"], told["Reason"]) == ("Revoked", 1)
    now = resource_of(bed, made.id)
    assert not now.certificates
    assert bed.enrollment(now.enrollment).state == REVOKED
    assert f"certificate {old}" in [object_ for object_, _ in bed.events("acme.revoked")]
    with pytest.raises(OSError):
        assert bed.served("e1", host) == fingerprint_of(bed.certificate(old)), "other site"
    again = bed.call("Enrollments", "Issue", resource=made.id).change
    done = bed.ended(again.id, DONE)
    new, = resource_of(bed, made.id).certificates
    assert new.id == done.certificate != old
    wait_for("it is served", lambda: served_everywhere(bed, host, new.fingerprint))
    # With replace the old one serves until the new one is proven.
    bed.call("Enrollments", "Revoke", resource=made.id, reason=4, replace=True)
    change = bed.ended(resource_of(bed, made.id).change, DONE)
    assert change.replaces == new.id
    wait_for("the old one is revoked", lambda: f"certificate {new.id}" in [
        object_ for object_, _ in bed.events("acme.revoked")])


# ---- enrollments ----

@pytest.mark.feature("A01")
@pytest.mark.feature("A02")
@pytest.mark.feature("A06")
def test_an_enrollment_is_made_and_updated_by_api(bed):
    contacts = []
    for kind, name in ((1, "Ada Admin"), (2, "Tom Tech")):
        contacts.append(bed.call("Contacts", "Create", account="acme", kind=kind, name=name,
                                 email=f"{name.split()[0].lower()}@example.org",
                                 phone="+49 30 1234567").id)
    body = {"name": "api", "hostnames": ["api.example.org", "b.api.example.org"],
            "common_name": "api.example.org", "network": "enhanced", "algorithm": "ec_p384",
            "validation": "http_01", "authority": "pebble", "contacts": contacts}
    status, headers, answer = bed.rest("POST", "/v1/enrollments", bed.token, body)
    assert status == 201, answer
    enrollment, change = answer["enrollment"], answer["change"]
    assert int(enrollment["id"]) > 0 and list(map(int, enrollment["contacts"])) == contacts
    done = bed.ended(int(change["id"]), DONE)
    leaf = bed.certificate(done.certificate)
    assert names_of(leaf) == set(body["hostnames"])
    assert leaf.public_key().curve.name == "secp384r1"
    certificate = bed.call("Certificates", "Get", id=done.certificate)
    assert certificate.kind == KIND_PERSONAL
    assert bed.keyd_keys()[certificate.key.id].pool == "enhanced"
    # Words are kept; host names bring another certificate.
    path = f"/v1/enrollments/{enrollment['id']}"
    status, _, answer = bed.rest("PATCH", path, bed.token, {"name": "renamed"})
    assert status == 200 and answer["enrollment"]["name"] == "renamed"
    assert not answer.get("change")
    status, _, answer = bed.rest("PATCH", path, bed.token, {
        "hostnames": ["api.example.org"], "common_name": "api.example.org"})
    assert status == 200, answer
    done = bed.ended(int(answer["change"]["id"]), DONE)
    assert done.kind == REISSUE and names_of(bed.certificate(done.certificate)) == {
        "api.example.org"}
    status, _, answer = bed.rest("GET", path, bed.token)
    assert status == 200 and int(answer["certificate"]) == done.certificate


@pytest.mark.feature("H04")
@pytest.mark.feature("H05")
@pytest.mark.feature("A03")
@pytest.mark.feature("A04")
def test_order_verify_and_issue_are_three_steps_for_those_who_want_them(bed):
    names = ["step.example.org", "two.step.example.org"]
    begun = bed.enroll(*names, stepwise=True)
    id_ = begun.change.id
    orders = bed.orders_made()
    change = bed.in_state(id_, AWAITING_VERIFY)
    assert list(change.allowed_inputs) == [VERIFY, CANCEL]
    assert change.expires_s > change.created_s
    shown = {c.hostname: c for c in change.challenges}
    assert set(shown) == set(names)
    for name, challenge in shown.items():
        assert challenge.type == "http-01"
        assert challenge.http_url == (
            f"http://{name}/.well-known/acme-challenge/{challenge.token}")
        assert challenge.http_body.startswith(challenge.token + ".")
        # It is there already, at every edge.
        for edge in bed.names:
            assert bed.ask(bed.http_ports[edge], name, challenge.http_url.partition(name)[2])[
                2] == challenge.http_body
    assert bed.refusal("Changes", "Issue", id=id_)[0] == "FAILED_PRECONDITION"
    # What is shown stays while the change lives.
    bed.restart_certd()
    after = bed.change(id_)
    assert [(c.token, c.http_url, c.http_body) for c in after.challenges] == [
        (c.token, c.http_url, c.http_body) for c in change.challenges]
    # It may be given again: the edges connect first.
    wait_for("it is verified", lambda: bed.call("Changes", "Verify", id=id_))
    change = bed.in_state(id_, AWAITING_ISSUE)
    assert list(change.allowed_inputs) == [GIVE_ISSUE, CANCEL] and not change.certificate
    bed.call("Changes", "Issue", id=id_)
    done = bed.ended(id_, DONE)
    assert done.kind == ISSUE and done.certificate
    assert bed.orders_made() - orders <= 1
    assert [line.state for line in done.history] == sorted(l.state for l in done.history)
    assert all(line.text for line in done.history)
    # Once more after the end is no error, and nothing happens.
    assert bed.call("Changes", "Issue", id=id_).state == DONE


@pytest.mark.feature("H05")
def test_single_names_are_validated_by_http_and_wildcards_by_dns(bed):
    begun = bed.enroll("*.wild.example.org")
    assert begun.enrollment.validation == 3, "by hand, for no DNS provider is configured"
    change = bed.in_state(begun.change.id, AWAITING_VERIFY)
    challenge, = change.challenges
    assert challenge.type == "dns-01" and len(challenge.dns_value) == 43
    assert challenge.dns_name == "_acme-challenge.wild.example.org"
    bed.call("Changes", "Cancel", id=change.id)
    bed.ended(change.id, CANCELLED)
    code, text = bed.refusal("Enrollments", "Create", account="acme",
                             hostnames=["*.wild.example.org"], name="w2", validation=1)
    assert code == "INVALID_ARGUMENT" and "wildcard" in text


@pytest.mark.feature("A05")
@pytest.mark.feature("A08")
def test_a_request_that_is_sent_again_orders_nothing_and_wait_tells_the_end(bed):
    orders, body = bed.orders_made(), {"hostnames": ["again.example.org"]}
    said = [bed.rest("POST", "/v1/enrollments", bed.token, body, {"Idempotency-Key": "k-1"})
            for _ in range(3)]
    assert {status for status, _, _ in said} == {201}
    assert len({answer["change"]["id"] for _, _, answer in said}) == 1
    id_ = said[0][2]["change"]["id"]
    status, _, answer = bed.rest("GET", f"/v1/changes/{id_}:wait?timeout_ms=60000", bed.token)
    assert status == 200, answer
    assert answer["state"] == "done", answer
    assert int(answer["certificate"]) > 0
    assert bed.orders_made() - orders == 1
    assert bed.events("acme.issued")[-1][1].startswith("again.example.org, by pebble")
    # Another body under the same key is a mistake.
    status, _, _ = bed.rest("POST", "/v1/enrollments", bed.token,
                            {"hostnames": ["other.example.org"]}, {"Idempotency-Key": "k-1"})
    assert status in (409, 422)


@pytest.mark.feature("X08")
def test_keys_are_born_in_the_token_and_fresh_for_each_renewal(bed):
    enrollment, change = bed.obtain("fresh.example.org")
    spkis, keys = set(), set()
    for _ in range(3):
        certificate = bed.call("Certificates", "Get", id=change.certificate)
        shown = bed.json("key", "show", certificate.key.id)
        assert shown["origin"] == "generated"
        attributes = shown["attributes"]
        assert attributes["sensitive"] and attributes["never_extractable"]
        assert not attributes["extractable"]
        spkis.add(spki_of(bed.certificate(change.certificate)))
        keys.add(certificate.key.id)
        again = bed.call("Enrollments", "Issue", id=enrollment.id, force=True)
        change = bed.ended(again.change.id, DONE)
        assert change.kind == RENEWAL
    assert len(spkis) == len(keys) == 3
    wait_for("old keys are destroyed", lambda: bed.no_key_is_left_over())
    # The account's is in the token, too, and signs nothing but JWS of this CA.
    authority = bed.call("Authorities", "Get", name="pebble")
    account = bed.json("key", "show", authority.account_key_id)
    assert account["attributes"]["never_extractable"]
    signed = [json.loads(line) for line in bed.cli(
        "--json", "audit", "show", "--key", authority.account_key_id, "--kind", "sign",
        "--limit", "1000").splitlines()]
    assert signed and {entry["context"] for entry in signed} == {"acme_jws"}
    assert all(bed.front.host in json.dumps(entry["names"]) for entry in signed
               if entry["code"] == "OK")


def test_the_command_line_does_all_of_it(bed):
    said = bed.cli("enrollment", "create", "cli.example.org", "--account", "acme")
    assert "done" in said or "100 %" in said, said
    shown = bed.json("enrollment", "list", "--account", "acme")
    mine, = [e for e in shown["enrollments"] if e["name"] == "cli.example.org"]
    text = bed.cli("enrollment", "show", mine["id"])
    assert "active" in text and "renews" in text
    said = bed.cli("enrollment", "issue", mine["id"], "--force")
    change = bed.json("enrollment", "show", mine["id"])["change"]
    assert "renewal" in bed.cli("change", "show", change)
