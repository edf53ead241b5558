# SPDX-License-Identifier: Apache-2.0
"""certd's REST port, over TLS by certd's own certificate, and its description."""

import re
import subprocess

import jsonschema
import pytest

from bed import DOMAIN
from certd_bed import ADMINISTRATOR, CertdBed, all_methods

# Called by edges, over gRPC alone.
NOT_REST = {("Edges", "Watch"), ("Edges", "Report")}
VERBS = {"get", "post", "patch", "delete"}


@pytest.fixture(scope="module")
def bed():
    b = CertdBed()
    b.init()
    b.start_keyd()
    b.start_certd()
    b.make_account("acme")
    b.make_account("other")
    b.token = b.make_token("acme", ADMINISTRATOR)
    b.stranger = b.make_token("other", ADMINISTRATOR)
    yield b
    b.close()


@pytest.fixture(scope="module")
def description(bed):
    code, headers, description = bed.rest("GET", "/openapi.json")
    assert code == 200 and headers["ETag"]
    return description


def operations(description):
    return [(path, verb, operation) for path, at in description["paths"].items()
            for verb, operation in at.items()]


def every(kind, value):
    """All values under that key, however deep."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == kind and isinstance(inner, str):
                yield inner
            else:
                yield from every(kind, inner)
    elif isinstance(value, list):
        for inner in value:
            yield from every(kind, inner)


# ---- the description ----

def test_every_reference_of_the_description_resolves(description):
    references = set(every("$ref", description))
    assert references
    for reference in references:
        at = description
        for part in reference.removeprefix("#/").split("/"):
            at = at[part]


def test_every_method_of_a_service_is_described_once(description):
    there = [operation["operationId"] for _, _, operation in operations(description)]
    assert len(there) == len(set(there))
    services = {tag["name"] for tag in description["tags"]}
    assert {"Accounts", "Users", "Tokens", "Contacts", "Status"} <= services
    for service, method in set(all_methods()) - NOT_REST:
        if service in services:
            assert f"{service}.{method}" in there


def test_the_description_is_openapi_3_1(description):
    assert re.fullmatch(r"3\.1\.\d+", description["openapi"])
    assert description["info"]["title"] and description["info"]["version"]
    assert description["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert description["security"] == [{"token": []}, {"session": []}]
    session = description["components"]["securitySchemes"]["session"]
    assert (session["in"], session["name"]) == ("cookie", "__Host-holdfast")
    for path, verb, operation in operations(description):
        where = f"{verb} {path}"
        assert verb in VERBS and operation["summary"] and operation["description"], where
        parameters = [p for p in operation["parameters"] if "$ref" not in p]
        names = [(p["in"], p["name"]) for p in parameters]
        assert len(names) == len(set(names)), where
        # Each variable of the path is a parameter, and is required.
        assert {n for i, n in names if i == "path"} == set(re.findall(r"{(\w+)}", path)), where
        assert all(p["required"] for p in parameters if p["in"] == "path"), where
        assert all("schema" in p for p in parameters), where
        assert ("requestBody" not in operation) or verb in ("post", "patch"), where
        good = [c for c in operation["responses"] if c.startswith("2")]
        assert len(good) == 1, where
        assert {"400", "401", "403", "429", "503", "default"} <= set(operation["responses"]), where
        for code, response in operation["responses"].items():
            assert re.fullmatch(r"[1-5]\d\d|default", code), where
            assert "$ref" in response or response["description"], where


def test_every_schema_is_json_schema_and_says_what_its_comments_say(description):
    schemas = description["components"]["schemas"]
    for name, schema in schemas.items():
        jsonschema.Draft202012Validator.check_schema(schema)
    account = schemas["Account"]
    assert account["properties"]["name"] == {
        "type": "string", "description": "1..40 of a-z 0-9 -, unique."}
    assert set(account["required"]) == set(account["properties"])
    assert schemas["CreateAccountRequest"]["additionalProperties"] is False
    role = schemas["UserRole"]
    assert role["enum"] == ["unspecified", "administrator", "engineer", "viewer", "auditor"]
    assert "- `engineer`: Certificates and resources." in role["description"]
    # The id stands in the path, not in the body.
    assert "id" not in schemas["UpdateUserRequestBody"]["properties"]


def fits(description, name, answer):
    resolver = jsonschema.RefResolver("", description)
    jsonschema.Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}"}, resolver=resolver).validate(answer)


def test_what_is_answered_is_as_described(bed, description):
    _, _, accounts = bed.rest("GET", "/v1/accounts", bed.token)
    fits(description, "ListAccountsResponse", accounts)
    assert [a["name"] for a in accounts["accounts"]] == ["acme"]
    code, headers, user = bed.rest("POST", "/v1/users", bed.token, {
        "email": "eve@example.com", "name": "Eve", "role": "viewer"})
    assert code == 201
    fits(description, "User", user)
    code, _, again = bed.rest("GET", headers["Location"], bed.token)
    assert (code, again) == (200, user)
    code, headers, problem = bed.rest("GET", "/v1/users/999999", bed.token)
    assert code == 404 and headers["Content-Type"] == "application/problem+json"
    fits(description, "Problem", problem)
    _, _, history = bed.rest("GET", "/v1/history?page_size=1", bed.token)
    fits(description, "HistoryResponse", history)


# ---- the port ----

def test_curl_is_served_by_certds_own_certificate(bed):
    base = f"https://certd.{DOMAIN}:{bed.rest_port}"
    curl = ["curl", "-sS", "--cacert", bed.dir / "keyd/ca.pem",
            "--resolve", f"certd.{DOMAIN}:{bed.rest_port}:127.0.0.1",
            "-w", "\n%{http_code} %{ssl_verify_result}"]
    done = subprocess.run(
        [*curl, "-H", f"Authorization: Bearer {bed.token}", f"{base}/v1/accounts/acme"],
        capture_output=True, text=True, timeout=60)
    assert done.stdout.endswith("\n200 0"), done.stdout + done.stderr
    assert '"name":"acme"' in done.stdout
    done = subprocess.run([*curl, "--tls-max", "1.1", f"{base}/healthz"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 35, done.stdout + done.stderr


def test_another_accounts_object_is_not_found_in_the_same_words(bed):
    _, _, user = bed.rest("POST", "/v1/users", bed.token, {
        "email": "mallory@example.com", "name": "M", "role": "viewer"})
    for verb, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
        theirs = bed.rest(verb, f"/v1/users/{user['id']}", bed.stranger, body)
        none = bed.rest(verb, "/v1/users/999999", bed.stranger, body)
        assert theirs[0] == none[0] == 404
        assert theirs[2]["detail"] == none[2]["detail"]
    # And it is still there.
    assert bed.rest("GET", f"/v1/users/{user['id']}", bed.token)[2] == user


def test_etags_keep_two_writers_apart(bed):
    _, headers, user = bed.rest("POST", "/v1/users", bed.token, {
        "email": "two@example.com", "name": "Two", "role": "viewer"})
    path, etag = f"/v1/users/{user['id']}", headers["ETag"]
    assert etag == f'"{user["etag"]}"'
    code, headers, _ = bed.rest("PATCH", path, bed.token, {"name": "A"}, {"If-Match": etag})
    assert code == 200 and headers["ETag"] != etag
    code, _, problem = bed.rest("PATCH", path, bed.token, {"name": "B"}, {"If-Match": etag})
    assert (code, problem["code"]) == (412, "ABORTED")
    assert bed.rest("GET", path, bed.token)[2]["name"] == "A"


def test_pages_are_followed_by_their_links(bed):
    for n in range(5):
        bed.rest("POST", "/v1/contacts", bed.token, {
            "kind": "technical", "name": f"C{n}", "email": f"c{n}@example.com"})
    names, path = [], "/v1/contacts?page_size=2"
    while path:
        _, headers, page = bed.rest("GET", path, bed.token)
        names += [contact["name"] for contact in page["contacts"]]
        link = headers.get("Link")
        path = link and re.fullmatch(r'<(.*)>; rel="next"', link).group(1)
    assert sorted(names) == [f"C{n}" for n in range(5)]


def test_a_post_is_done_once_even_across_a_crash(bed):
    body = {"kind": "technical", "name": "Once", "email": "once@example.com"}
    key = {"Idempotency-Key": "6f1c9e7e-0001"}
    code, headers, first = bed.rest("POST", "/v1/contacts", bed.token, body, key)
    assert code == 201 and "Idempotency-Replayed" not in headers
    bed.daemons["certd"].process.kill()
    bed.daemons["certd"].process.wait()
    bed.start_certd()
    code, headers, again = bed.rest("POST", "/v1/contacts", bed.token, body, key)
    assert (code, again) == (201, first)
    assert headers["Idempotency-Replayed"] == "true"
    assert bed.rest("POST", "/v1/contacts", bed.token, {**body, "name": "Twice"}, key)[0] == 422
    contacts = bed.rest("GET", "/v1/contacts", bed.token)[2]["contacts"]
    assert [c["name"] for c in contacts].count("Once") == 1


def test_a_revoked_token_ends_with_the_next_request(bed):
    _, _, made = bed.rest("POST", "/v1/tokens", bed.token, {"name": "short", "role": "viewer"})
    assert bed.rest("GET", "/v1/accounts", made["secret"])[0] == 200
    code, _, problem = bed.rest("POST", "/v1/users", made["secret"], {"email": "x@example.com"})
    assert code == 403 and "administrator" in problem["detail"]
    assert bed.rest("POST", f"/v1/tokens/{made['token']['id']}:revoke", bed.token)[0] == 200
    assert bed.rest("GET", "/v1/accounts", made["secret"])[0] == 401
    log = bed.daemons["certd"].text()
    assert made["secret"] not in log and bed.token not in log


def test_a_viewer_gets_no_answer_meant_for_administrators(bed):
    _, _, made = bed.rest("POST", "/v1/tokens", bed.token, {"name": "v", "role": "viewer"})
    for path in ("/v1/users", "/v1/tokens", "/v1/history"):
        assert bed.rest("GET", path, made["secret"])[0] == 403
