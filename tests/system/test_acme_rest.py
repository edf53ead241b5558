# SPDX-License-Identifier: Apache-2.0
"""Certificates by ACME over REST, as scripts of two accounts ask for them; and that neither
gets what is the other's: not its names, not its DNS, not what it has proven to the CA."""

import concurrent.futures
import contextlib
import re

import jsonschema
import pytest

from acme_bed import AcmeBed
from bed import free_port, wait_for
from named import Named

SERVICES = {"Enrollments", "Changes", "Authorities", "Diagnoses"}
WAITING_MAX = 5  # certd/changes.h
MISSING = 999999999


class RestBed(AcmeBed):
    """One pebble that reuses authorizations whenever it can, one authority that is away, and
    two DNS providers: acme's own zone, and the operator's, with a zone for delegations."""

    def __init__(self):
        port = free_port()
        super().__init__(dns=f"127.0.0.1:{port}", cas={"pebble": {"authz_reuse": 100}})
        self.named = Named(self.dir / "named", port=port)
        key = self.named.key("certd-key")
        everywhere = "@ IN A 127.0.0.1\n* IN A 127.0.0.1\n"
        self.named.zone("example.org", everywhere)
        self.named.zone("tenant.test", everywhere
                        + "_acme-challenge.www IN CNAME www.rival.to.house.test.\n"
                        "_acme-challenge.loose IN CNAME loose.to.house.test.\n")
        self.named.zone("acme.test", everywhere, keys=[key])
        self.named.zone("house.test", everywhere, keys=[key])
        self.named.start()

        def provider(name, zone, *more):
            return "".join(f"      {line}\n" for line in (
                f"name: {name}", f"zones: [{zone}]", f'server: "{self.named.resolver}"',
                "tsig_name: certd-key", f"tsig_key_file: {key.file}", "ttl: 1", *more)
            ).replace("      ", "    - ", 1)
        self.dns_lines = ("  providers:\n" + provider("acmes", "acme.test", "accounts: [acme]")
                          + provider("house", "house.test", "delegation_zone: to.house.test"))

    def write_certd_config(self):
        path = super().write_certd_config()
        path.write_text(path.read_text().replace("  authorities:\n", f"""\
  authorities:
    - name: away
      directory: http://127.0.0.1:{free_port()}/dir
      terms_agreed: true
""").replace("  preflight: false\n", "  preflight: false\n  account_changes: 200\n"))
        return path

    def close(self):
        try:
            super().close()
        finally:
            self.named.stop()


@pytest.fixture(scope="module")
def bed():
    b = RestBed()
    b.up()
    b.make_account("rival")
    b.token, b.rival = b.make_token("acme"), b.make_token("rival")
    yield b
    b.close()


def create(bed, token, *hostnames, key=None, **fields):
    """(status, headers, EnrollmentChange or problem)."""
    return bed.rest("POST", "/v1/enrollments", token, {
        "hostnames": hostnames, "authority": "pebble", **fields},
        {"Idempotency-Key": key} if key else {})


def created(bed, token, *hostnames, **fields):
    code, _, made = create(bed, token, *hostnames, **fields)
    assert code == 201, made
    return made["enrollment"], made["change"]


def waited(bed, token, change):
    """The change when it has ended, or awaits an input."""
    code, _, change = bed.rest("GET", f"/v1/changes/{change}:wait?timeout_ms=60000", token)
    assert code == 200, change
    return change


def obtained(bed, token, *hostnames, **fields):
    enrollment, change = created(bed, token, *hostnames, **fields)
    change = waited(bed, token, change["id"])
    assert change["state"] == "done", change
    return enrollment["id"], change


def refused(reply, status, code, *says):
    got, headers, problem = reply
    assert (got, problem.get("code")) == (status, code), problem
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["X-Request-Id"] in problem["instance"]
    for text in says:
        assert text in problem["detail"], problem
    return problem


def cancel(bed, token, change):
    assert bed.rest("POST", f"/v1/changes/{change}:cancel", token)[0] == 200
    wait_for("it is cancelled", lambda: bed.rest(
        "GET", f"/v1/changes/{change}", token)[2]["state"] == "cancelled")


# ---- the methods ----

@pytest.mark.feature("A01")
@pytest.mark.feature("A08")
def test_what_is_asked_for_twice_is_ordered_once(bed):
    before = bed.issued_by()
    code, headers, made = create(bed, bed.token, "once.example.org", key="order-1")
    assert code == 201 and headers["Location"]
    for _ in range(3):
        code, headers, again = create(bed, bed.token, "once.example.org", key="order-1")
        assert (code, again) == (201, made)
        assert headers["Idempotency-Replayed"] == "true"
    assert create(bed, bed.token, "other.example.org", key="order-1")[0] == 422
    change = waited(bed, bed.token, made["change"]["id"])
    assert (change["state"], change["percent"], change["problem"]) == ("done", 100, "")
    enrollment = bed.rest("GET", f"/v1/enrollments/{made['enrollment']['id']}", bed.token)[2]
    assert enrollment["state"] == "active"
    assert enrollment["certificate"] == change["certificate"] != 0
    certificate = bed.rest("GET", f"/v1/certificates/{change['certificate']}", bed.token)[2]
    assert certificate["hostnames"] == ["once.example.org"]
    assert bed.issued_by() == before + 1
    found = bed.rest("GET", "/v1/enrollments?page_size=1000", bed.token)[2]["enrollments"]
    assert [e["name"] for e in found].count("once.example.org") == 1
    # Under way, issue answers with what is; done, it is not due.
    refused(bed.rest("POST", f"/v1/enrollments/{enrollment['id']}:issue", bed.token), 409,
            "FAILED_PRECONDITION", "say force")


@pytest.mark.feature("A03")
@pytest.mark.feature("A04")
@pytest.mark.feature("H04")
def test_order_verify_and_issue_are_three_steps_that_show_the_same_challenge(bed):
    enrollment, change = created(bed, bed.token, "steps.example.org", stepwise=True)
    path = f"/v1/changes/{change['id']}"
    change = waited(bed, bed.token, change["id"])
    assert (change["state"], change["allowed_inputs"]) == ("awaiting_verify", ["verify", "cancel"])
    shown, = change["challenges"]
    assert shown["type"] == "http-01" and shown["http_body"].startswith(shown["token"] + ".")
    assert shown["http_url"] == (
        f"http://steps.example.org/.well-known/acme-challenge/{shown['token']}")
    again, = bed.rest("GET", path, bed.token)[2]["challenges"]
    assert (again["token"], again["http_url"], again["http_body"]) == (
        shown["token"], shown["http_url"], shown["http_body"])
    refused(bed.rest("POST", f"{path}:issue", bed.token), 409, "FAILED_PRECONDITION",
            "awaits issue")
    assert bed.rest("POST", f"{path}:verify", bed.token)[0] == 200
    change = waited(bed, bed.token, change["id"])
    assert (change["state"], change["allowed_inputs"]) == ("awaiting_issue", ["issue", "cancel"])
    assert change["challenges"][0]["token"] == shown["token"]
    assert bed.rest("POST", f"{path}:issue", bed.token)[0] == 200
    change = waited(bed, bed.token, change["id"])
    assert change["state"] == "done"
    assert [e["state"] for e in change["history"]][0] == "queued"
    assert change["history"][-1]["state"] == "done"
    code, _, _ = bed.rest("DELETE", f"/v1/enrollments/{enrollment['id']}", bed.token)
    assert code == 200
    refused(bed.rest("GET", f"/v1/enrollments/{enrollment['id']}", bed.token), 404, "NOT_FOUND")
    # What was issued stays, and so does its history.
    assert bed.rest("GET", path, bed.token)[2]["certificate"] == change["certificate"]


@pytest.mark.feature("A01")
@pytest.mark.feature("A03")
def test_an_enrollment_is_changed_as_it_was_seen_and_not_otherwise(bed):
    id_, first = obtained(bed, bed.token, "seen.example.org")
    path = f"/v1/enrollments/{id_}"
    _, headers, _ = bed.rest("GET", path, bed.token)
    etag = headers["ETag"]
    code, headers, changed = bed.rest("PATCH", path, bed.token, {
        "hostnames": ["seen.example.org", "also.example.org"]}, {"If-Match": etag})
    assert code == 200, changed
    assert changed["change"]["kind"] == "reissue"
    refused(bed.rest("PATCH", path, bed.token, {"name": "Late"}, {"If-Match": etag}), 412,
            "ABORTED")
    change = waited(bed, bed.token, changed["change"]["id"])
    assert (change["state"], change["replaces"]) == ("done", first["certificate"])
    certificate = bed.rest("GET", f"/v1/certificates/{change['certificate']}", bed.token)[2]
    assert sorted(certificate["hostnames"]) == ["also.example.org", "seen.example.org"]
    # Words alone bring no other certificate.
    code, _, changed = bed.rest("PATCH", path, bed.token, {"name": "Shop"})
    assert (code, changed["change"]) == (200, None)
    code, _, revoked = bed.rest("POST", f"{path}:revoke", bed.token, {"reason": "superseded"})
    assert (code, revoked["state"]) == (200, "revoked")
    assert bed.ca_status(change["certificate"]) == "Revoked"


def test_enrollments_and_changes_come_in_pages(bed):
    made = [created(bed, bed.token, f"page{n}.example.org", authority="away") for n in range(5)]
    for kind, ids in (("enrollments", [e["id"] for e, _ in made]),
                      ("changes", [c["id"] for _, c in made])):
        found, path = [], f"/v1/{kind}?page_size=2"
        while path:
            _, headers, page = bed.rest("GET", path, bed.token)
            assert len(page[kind]) <= 2
            found += [one["id"] for one in page[kind]]
            link = headers.get("Link")
            path = link and re.fullmatch(r'<(.*)>; rel="next"', link).group(1)
        assert found[:5] == ids[::-1]
        assert len(found) == len(set(found))
    under_way = bed.rest("GET", "/v1/changes?under_way=true&page_size=1000", bed.token)[2]
    assert {c["id"] for _, c in made} <= {c["id"] for c in under_way["changes"]}
    # A token of another page is none.
    refused(bed.rest("GET", "/v1/enrollments?page_token=zzz", bed.token), 400,
            "INVALID_ARGUMENT")
    for _, change in made:
        cancel(bed, bed.token, change["id"])


@pytest.mark.feature("A08")
def test_many_wait_and_nobody_else_is_kept_waiting(bed):
    _, change = created(bed, bed.token, "long.example.org", authority="away")
    path = f"/v1/changes/{change['id']}:wait"

    def wait():
        # The brief waits below may be in its way.
        while True:
            with contextlib.closing(bed.https()) as over:
                reply = bed.rest("GET", f"{path}?timeout_ms=60000", bed.token, over=over)
            if reply[0] != 429:
                return reply
    with concurrent.futures.ThreadPoolExecutor(WAITING_MAX) as pool:
        waiting = [pool.submit(wait) for _ in range(WAITING_MAX)]

        def is_full():
            reply = bed.rest("GET", f"{path}?timeout_ms=1", bed.token)
            return reply if reply[0] == 429 else None
        full = wait_for("no more may wait", is_full)
        assert int(full[1]["Retry-After"]) > 0
        refused(full, 429, "RESOURCE_EXHAUSTED", "read the change now and then")
        for _ in range(20):
            assert bed.rest("GET", f"/v1/changes/{change['id']}", bed.token)[0] == 200
        assert not any(one.done() for one in waiting)
        assert bed.rest("POST", f"/v1/changes/{change['id']}:cancel", bed.token)[0] == 200
        answers = [one.result(90) for one in waiting]
    assert {(code, answer["state"]) for code, _, answer in answers} == {(200, "cancelled")}
    # It has ended: nobody waits.
    assert bed.rest("GET", path, bed.token)[2]["state"] == "cancelled"
    refused(bed.rest("GET", f"{path}?timeout_ms=60001", bed.token), 400, "INVALID_ARGUMENT",
            "60,000")


def test_what_is_refused_says_why_in_a_problem_document(bed):
    for fields, says in (
            ({"hostnames": []}, "name 1 to 100 host names"),
            ({"hostnames": ["a_b.example.org"]}, "a_b.example.org"),
            ({"hostnames": ["*.example.org"], "validation": "http_01"}, "is a wildcard"),
            ({"authority": "nobody"}, "there are: away, pebble"),
            ({"name": "x" * 101}, "name"),
            ({"profile": "x" * 1000}, "profile"),
            ({"common_name": "x" * 300}, "longer"),
            ({"hostnames": ["x" * 300]}, "longer"),
            ({"algorithm": "ed25519"}, "no public CA takes Ed25519"),
            ({"validation": "magic"}, "validation")):
        body = {"hostnames": ["bad.example.org"], **fields}
        problem = refused(bed.rest("POST", "/v1/enrollments", bed.token, body), 400,
                          "INVALID_ARGUMENT")
        assert says in problem["detail"], problem
    for path in ("/v1/enrollments", "/v1/changes", "/v1/diagnoses"):
        refused(bed.rest("GET", f"{path}/{MISSING}", bed.token), 404, "NOT_FOUND")
    refused(bed.rest("GET", "/v1/authorities", bed.token), 403, "PERMISSION_DENIED",
            "an operator's")


def test_all_of_it_is_described_with_its_comments(bed):
    _, _, description = bed.rest("GET", "/openapi.json")
    there = {operation["operationId"]: operation for at in description["paths"].values()
             for operation in at.values()}
    assert SERVICES <= {tag["name"] for tag in description["tags"]}
    of_these = {name for name in there if name.split(".")[0] in SERVICES}
    assert of_these >= {
        f"{service}.{method}" for service, methods in (
            ("Enrollments", "Create List Get Update Delete Issue Revoke"),
            ("Changes", "List Get Wait Verify Issue Retry Cancel"),
            ("Authorities", "List Get Check RolloverKey"), ("Diagnoses", "Run List Get"))
        for method in methods.split()}
    schemas = description["components"]["schemas"]
    assert "by itself" in next(
        tag["description"] for tag in description["tags"] if tag["name"] == "Enrollments")
    assert "An operator gave it" in schemas["Enrollment"]["properties"]["by_operator"][
        "description"]
    assert "RFC 8555 8.3" in schemas["ValidationKind"]["description"]
    assert "sentence" in schemas["Change"]["properties"]["doing"]["description"]
    resolver = jsonschema.RefResolver("", description)
    for path, name in (("/v1/enrollments?page_size=3", "ListEnrollmentsResponse"),
                       ("/v1/changes?page_size=3", "ListChangesResponse")):
        answer = bed.rest("GET", path, bed.token)[2]
        jsonschema.Draft202012Validator(
            {"$ref": f"#/components/schemas/{name}"}, resolver=resolver).validate(answer)


# ---- two accounts ----

def test_what_one_account_has_proven_to_the_ca_is_nothing_for_another(bed):
    mine, _ = obtained(bed, bed.token, "proven.example.org")
    before = bed.issued_by()
    # For acme the CA asks for no other proof.
    code, _, again = bed.rest("POST", f"/v1/enrollments/{mine}:issue", bed.token, {"force": True})
    assert code == 200
    change = waited(bed, bed.token, again["change"]["id"])
    assert change["state"] == "done" and bed.issued_by() == before + 1
    assert any("0 of 1 names are to be proven" in e["text"] for e in change["history"])
    # rival has to give one, and has none.
    _, change = created(bed, bed.rival, "proven.example.org", validation="dns_01_by_hand")
    change = waited(bed, bed.rival, change["id"])
    assert change["state"] == "awaiting_verify", change
    assert any("others have proven; ordered again" in e["text"] for e in change["history"])
    assert change["challenges"][0]["dns_name"] == "_acme-challenge.proven.example.org"
    refused(bed.rest("POST", f"/v1/changes/{change['id']}:verify", bed.rival), 409,
            "FAILED_PRECONDITION", "authoritative servers of example.org have it")
    cancel(bed, bed.rival, change["id"])
    # What the CA forgot of acme's proof is given again.
    code, _, again = bed.rest("POST", f"/v1/enrollments/{mine}:issue", bed.token, {"force": True})
    assert waited(bed, bed.token, again["change"]["id"])["state"] == "done"


def test_a_name_that_another_accounts_resource_takes_is_obtained_no_more(bed):
    id_, _ = obtained(bed, bed.rival, "late.example.org")
    code, _, made = bed.rest("POST", "/v1/resources", bed.token, {
        "name": "late", "hostnames": ["late.example.org"], "plain_http": True})
    assert code == 201, made
    code, _, again = bed.rest("POST", f"/v1/enrollments/{id_}:issue", bed.rival, {"force": True})
    change = waited(bed, bed.rival, again["change"]["id"])
    assert change["state"] == "failed"
    assert "late.example.org is served by another resource already" in change["problem"]
    assert "acme" not in change["problem"]
    refused(create(bed, bed.rival, "late.example.org", name="Again"), 409, "ALREADY_EXISTS",
            "is served by another resource")
    assert bed.rest("DELETE", f"/v1/resources/{made['resource']['id']}", bed.token)[0] == 200


def test_a_dns_provider_validates_for_its_accounts_alone(bed):
    _, change = obtained(bed, bed.token, "*.acme.test", validation="dns_01")
    assert change["challenges"][0]["dns_name"] == "_acme-challenge.acme.test"
    refused(create(bed, bed.rival, "free.acme.test", validation="dns_01", dns_provider="acmes"),
            403, "PERMISSION_DENIED", "DNS provider acmes does not serve account rival",
            "ask the operator")
    # Chosen by the zone, it is seen when the challenge is prepared.
    for host in ("free.acme.test", "free.house.test"):
        _, change = created(bed, bed.rival, host, validation="dns_01")
        change = waited(bed, bed.rival, change["id"])
        assert change["state"] == "failed", change
        assert "for account rival" in change["problem"]
    assert "CNAME LABEL.rival.to.house.test." in change["problem"]
    assert bed.named.txt("_acme-challenge.free.house.test") == []
    # What an operator has named goes, until the account adds to it.
    made = bed.enroll("given.house.test", account="rival", validation=2, authority="pebble")
    assert made.enrollment.by_operator
    assert waited(bed, bed.rival, made.change.id)["state"] == "done"
    path = f"/v1/enrollments/{made.enrollment.id}"
    code, _, changed = bed.rest("PATCH", path, bed.rival, {
        "hostnames": ["given.house.test", "more.house.test"]})
    assert (code, changed["enrollment"]["by_operator"]) == (200, False)
    change = waited(bed, bed.rival, changed["change"]["id"])
    assert change["state"] == "failed" and "for account rival" in change["problem"]


def test_a_name_that_is_delegated_to_an_account_is_validated_for_it_alone(bed):
    _, change = obtained(bed, bed.rival, "www.tenant.test", validation="dns_01")
    assert change["challenges"][0]["dns_target"] == "www.rival.to.house.test"
    for token, host in ((bed.token, "www.tenant.test"), (bed.rival, "loose.tenant.test")):
        _, change = created(bed, token, host, validation="dns_01")
        change = waited(bed, token, change["id"])
        assert change["state"] == "failed"
        assert "the DNS provider house puts nothing at" in change["problem"]


def test_a_record_that_stays_is_for_operators(bed):
    refused(create(bed, bed.token, "stay.example.org", validation="dns_persist_01"), 403,
            "PERMISSION_DENIED", "for all accounts of certd")


def test_an_account_does_not_use_up_what_the_ca_lets_all_have(bed):
    id_, _ = obtained(bed, bed.rival, "again.example.org")
    path = f"/v1/enrollments/{id_}:issue"
    for _ in range(4):
        code, _, again = bed.rest("POST", path, bed.rival, {"force": True})
        assert code == 200, again
        assert waited(bed, bed.rival, again["change"]["id"])["state"] == "done"
    full = bed.rest("POST", path, bed.rival, {"force": True})
    refused(full, 429, "RESOURCE_EXHAUSTED", "5 certificates of enrollment", "24 hours")
    assert int(full[1]["Retry-After"]) > 0


def test_diagnose_is_no_way_to_look_at_others(bed):
    code, _, made = bed.rest("POST", "/v1/resources", bed.token, {
        "name": "looked", "hostnames": ["looked.example.org"], "plain_http": True})
    assert code == 201, made
    refused(bed.rest("POST", "/v1/diagnoses", bed.rival, {"hostname": "looked.example.org"}), 403,
            "PERMISSION_DENIED", "ask the operator")
    code, _, seen = bed.rest("POST", "/v1/diagnoses", bed.token, {
        "hostname": "looked.example.org"})
    assert code == 201 and seen["account"] == "acme"
    theirs = bed.rest("GET", f"/v1/diagnoses/{seen['id']}", bed.rival)
    none = bed.rest("GET", f"/v1/diagnoses/{MISSING}", bed.rival)
    assert theirs[0] == none[0] == 404 and theirs[2]["detail"] == none[2]["detail"]
    found = bed.rest("GET", "/v1/diagnoses?hostname=looked.example.org", bed.rival)[2]
    assert found["diagnoses"] == []
