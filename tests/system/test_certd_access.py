# SPDX-License-Identifier: Apache-2.0
"""Who may what over REST: roles, scopes, ended tokens, and other accounts' objects.

The calls are made from the description that certd serves, so a method that is new is
refused here until it is said who may call it.
"""

import re

import pytest
from google.protobuf.descriptor import FieldDescriptor

from bed import free_port, wait_for
from certd_bed import ADMINISTRATOR, AUDITOR, ENGINEER, MODULES, VIEWER, CertdBed
from certs import Pki, pem

ROLES = {"administrator": ADMINISTRATOR, "engineer": ENGINEER, "viewer": VIEWER,
         "auditor": AUDITOR}
NOBODY = set()
MANAGE = {"administrator"}
CHANGE = {"administrator", "engineer"}
MANAGE_READ = {"administrator", "auditor"}
TOLD = MANAGE_READ | {"engineer"}
READ = set(ROLES)

CERTIFICATES, RESOURCES, ACCOUNT = "certificates", "resources", "account"
# Which roles, and which scope, or one of which, a token with scopes needs (read comes with write).
MAY = {
    "Accounts.Create": (NOBODY, None),
    "Accounts.List": (READ, "account:read"),
    "Accounts.Get": (READ, "account:read"),
    "Accounts.Update": (NOBODY, None),
    "Accounts.Delete": (NOBODY, None),
    "Users.Create": (MANAGE, "account:write"),
    "Users.List": (MANAGE_READ, "account:read"),
    "Users.Get": (MANAGE_READ, "account:read"),
    "Users.Update": (MANAGE, "account:write"),
    "Users.Delete": (MANAGE, "account:write"),
    "Tokens.Create": (MANAGE, "account:write"),
    "Tokens.List": (MANAGE_READ, "account:read"),
    "Tokens.Revoke": (MANAGE, "account:write"),
    "Contacts.Create": (MANAGE, "account:write"),
    "Contacts.List": (MANAGE_READ, "account:read"),
    "Contacts.Update": (MANAGE, "account:write"),
    "Contacts.Delete": (MANAGE, "account:write"),
    "Certificates.ImportParameters": (CHANGE, "certificates:write"),
    "Certificates.Upload": (CHANGE, "certificates:write"),
    "Certificates.List": (READ, "certificates:read"),
    "Certificates.Get": (READ, "certificates:read"),
    "Certificates.Update": (CHANGE, "certificates:write"),
    "Certificates.Delete": (CHANGE, "certificates:write"),
    "Certificates.Replace": (CHANGE, "certificates:write"),
    "Certificates.Export": (READ, "certificates:read"),
    "CertificateRequests.Create": (CHANGE, "certificates:write"),
    "CertificateRequests.List": (READ, "certificates:read"),
    "CertificateRequests.Get": (READ, "certificates:read"),
    "CertificateRequests.Attach": (CHANGE, "certificates:write"),
    "CertificateRequests.Delete": (CHANGE, "certificates:write"),
    "Resources.Create": (CHANGE, "resources:write"),
    "Resources.List": (READ, "resources:read"),
    "Resources.Get": (READ, "resources:read"),
    "Resources.Update": (CHANGE, "resources:write"),
    "Resources.Delete": (CHANGE, "resources:write"),
    "Resources.Bind": (CHANGE, "resources:write"),
    "Resources.Unbind": (CHANGE, "resources:write"),
    "Enrollments.Create": (CHANGE, "certificates:write"),
    "Enrollments.List": (READ, "certificates:read"),
    "Enrollments.Get": (READ, "certificates:read"),
    "Enrollments.Update": (CHANGE, "certificates:write"),
    "Enrollments.Delete": (CHANGE, "certificates:write"),
    "Enrollments.Issue": (CHANGE, "certificates:write"),
    "Enrollments.Revoke": (CHANGE, "certificates:write"),
    "Changes.List": (READ, "certificates:read"),
    "Changes.Get": (READ, "certificates:read"),
    "Changes.Wait": (READ, "certificates:read"),
    "Changes.Verify": (CHANGE, "certificates:write"),
    "Changes.Issue": (CHANGE, "certificates:write"),
    "Changes.Retry": (CHANGE, "certificates:write"),
    "Changes.Cancel": (CHANGE, "certificates:write"),
    "Authorities.List": (NOBODY, None),
    "Authorities.Get": (NOBODY, None),
    "Authorities.Check": (NOBODY, None),
    "Authorities.RolloverKey": (NOBODY, None),
    "Choices.Get": (READ, "certificates:read resources:read"),
    "Diagnoses.Run": (CHANGE, "resources:write"),
    "Diagnoses.List": (READ, "resources:read"),
    "Diagnoses.Get": (READ, "resources:read"),
    "Plans.Create": (NOBODY, None),
    "Plans.List": (NOBODY, None),
    "Plans.Get": (NOBODY, None),
    "Plans.Start": (NOBODY, None),
    "Plans.Pause": (NOBODY, None),
    "Plans.Cancel": (NOBODY, None),
    "Edges.List": (NOBODY, None),
    "Edges.Get": (NOBODY, None),
    "Edges.Resync": (NOBODY, None),
    "Overview.Get": (READ, "certificates:read"),
    "Overview.Signing": (NOBODY, None),
    "CustodyKeys.List": (READ, "certificates:read"),
    "CustodyKeys.Get": (READ, "certificates:read"),
    "CustodyKeys.Dossier": (NOBODY, None),
    "Ledger.Describe": (NOBODY, None),
    "Ledger.Entries": (NOBODY, None),
    "Ledger.Prove": (NOBODY, None),
    "EdgeCustody.Quarantine": (NOBODY, None),
    "NoticeRules.List": (TOLD, "account:read"),
    "NoticeRules.Create": (MANAGE, "account:write"),
    "NoticeRules.Update": (MANAGE, "account:write"),
    "NoticeRules.Delete": (MANAGE, "account:write"),
    "Webhooks.List": (TOLD, "account:read"),
    "Webhooks.Create": (MANAGE, "account:write"),
    "Webhooks.Update": (MANAGE, "account:write"),
    "Webhooks.Delete": (MANAGE, "account:write"),
    "Webhooks.Test": (MANAGE, "account:write"),
    "Notices.List": (TOLD, "account:read"),
    "Notices.Get": (TOLD, "account:read"),
    "Notices.Retry": (MANAGE, "account:write"),
    "Notices.Test": (MANAGE, "account:write"),
    "Notices.Unsubscribe": (NOBODY, None),
    # Who has logged in, or is about to: never a token's affair.
    "Sessions.Create": (NOBODY, None),
    "Sessions.UseLink": (NOBODY, None),
    "Sessions.UseCertificate": (NOBODY, None),
    "Sessions.Get": (NOBODY, None),
    "Sessions.End": (NOBODY, None),
    "Sessions.List": (NOBODY, None),
    "Sessions.Revoke": (NOBODY, None),
    "Sessions.SetPassword": (NOBODY, None),
    "Sessions.BeginTotp": (NOBODY, None),
    "Sessions.ConfirmTotp": (NOBODY, None),
    "Sessions.DisableTotp": (NOBODY, None),
    "Sessions.MakeLink": (MANAGE, "account:write"),
    "Status.Get": (NOBODY, None),
    "Status.History": (MANAGE_READ, "account:read"),
}
# Anybody may, with a token or without (test_login.py, test_notices.py).
OPEN = {"Sessions.Create", "Sessions.UseLink", "Sessions.UseCertificate", "Notices.Unsubscribe"}
SCOPES = sorted({scope for _, any_of in MAY.values() if any_of for scope in any_of.split()})
MISSING = 999999999


@pytest.fixture(scope="module")
def bed():
    # Nobody answers there: changes stay as they are.
    b = CertdBed(certd_lines=f"""\
acme:
  authorities:
    - name: away
      directory: http://127.0.0.1:{free_port()}/dir
      terms_agreed: true
dns:
  resolvers: ["127.0.0.1:{free_port()}"]
""")
    b.up()
    b.pki = Pki()
    b.make_account("acme")
    b.make_account("rival")
    b.token = b.make_token("acme")
    b.rival = b.make_token("rival")
    b.connection = b.https()
    yield b
    b.connection.close()
    b.close()


@pytest.fixture(scope="module")
def methods(bed):
    """{"Users.Get": (verb, path, operation)} of the description; what streams is no method."""
    code, _, description = bed.rest("GET", "/openapi.json")
    assert code == 200
    return {operation["operationId"]: (verb.upper(), path, operation)
            for path, at in description["paths"].items() for verb, operation in at.items()
            if operation["operationId"] != "Live.Watch"}


def ask(bed, method, token, name=MISSING, body=None, query=""):
    """(status, problem or answer): what the path names is that."""
    verb, path, _ = method
    path = re.sub(r"{\w+}", str(name), path) + query
    if verb in ("POST", "PATCH") and body is None:
        body = {}
    code, _, answer = bed.rest(verb, path, token, body, over=bed.connection)
    return code, answer


# ---- roles and scopes ----

def test_it_is_said_of_every_method_who_may_call_it(methods):
    assert set(methods) == set(MAY)
    for name, (roles, _) in MAY.items():
        assert ("security" in methods[name][2]) == (
            name in OPEN or name.startswith("Sessions.") and not roles)
        assert (methods[name][2].get("security") == []) == (name in OPEN)
        text = methods[name][2]["description"].splitlines()[-1]
        said = re.fullmatch(r"Tokens of role (.*)\.", text)
        assert set(said.group(1).split(", ") if said else ()) == roles, (name, text)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_what_is_its_own_and_nothing_else(bed, methods, role):
    token = bed.make_token("acme", ROLES[role], f"role-{role}")
    wrong = {}
    for name, (roles, _) in MAY.items():
        if name in OPEN:
            continue
        code, answer = ask(bed, methods[name], token)
        if (code == 403) != (role not in roles) or code == 401 or code >= 500:
            wrong[name] = code, answer
        if code == 403:
            assert answer["code"] == "PERMISSION_DENIED" and "this takes" in answer["detail"]
    assert wrong == {}


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_reaches_as_far_as_it_says(bed, methods, scope):
    token = bed.make_token("acme", ADMINISTRATOR, f"scope {scope}", scopes=[scope])
    reaches = {scope, scope.replace(":write", ":read")}
    wrong = {}
    for name, (roles, needed) in MAY.items():
        if name in OPEN:
            continue
        code, answer = ask(bed, methods[name], token)
        may = bool(roles) and not reaches.isdisjoint(needed.split())
        # These change resources too; a link is for all that the user may.
        may = may and name not in ("Certificates.Replace", "Enrollments.Revoke",
                                   "Sessions.MakeLink")
        if (code == 403) == may or code == 401 or code >= 500:
            wrong[name] = code, answer
        if code == 403 and roles:
            assert "scope" in answer["detail"], (name, answer)
    assert wrong == {}


def test_a_token_gives_no_scope_that_it_has_not(bed):
    narrow = bed.make_token("acme", ADMINISTRATOR, "narrow", scopes=["account:write"])
    for body in ({"name": "wide", "role": "administrator"},
                 {"name": "wide", "role": "administrator", "scopes": ["resources:read"]}):
        code, _, problem = bed.rest("POST", "/v1/tokens", narrow, body)
        assert code == 403 and "scope" in problem["detail"], problem


def test_a_token_that_has_expired_is_of_no_use_anywhere(bed, methods):
    token = bed.make_token("acme", ADMINISTRATOR, "brief", ttl_s=1)
    last = wait_for("it expires", lambda: (
        lambda said: said if said[0] == 401 else None)(ask(bed, methods["Users.List"], token)))
    assert last[1]["detail"] == "this API token has expired; make a new one"
    # A few: whoever comes with wrong tokens all the time is made to wait.
    for name in ("Users.Create", "Certificates.Delete", "Resources.Update"):
        assert ask(bed, methods[name], token)[0] == 401


# ---- other accounts ----

@pytest.fixture(scope="module")
def theirs(bed):
    """Objects of acme, by the path that names them."""
    def certificate(host, **more):
        key, leaf = bed.pki.leaf(host, **more)
        chain, private = bed.pki.files(bed.dir / "up", host, key, leaf)
        return bed.json("cert", "upload", chain, private, "--account", "acme")["certificate"]
    bound, loose = certificate("theirs.example.com"), certificate("loose.example.com")
    resource = bed.json("resource", "create", "theirs", "theirs.example.com", "--account", "acme",
                        "--cert", bound["id"])["resource"]
    request = bed.json("cert", "csr", "bought.example.com", "--account", "acme")
    user = bed.call("Users", "Create", account="acme", email="kim@acme.test", role=ENGINEER)
    token = bed.call("Tokens", "Create", account="acme", name="theirs", role=VIEWER).token
    contact = bed.call("Contacts", "Create", account="acme", kind=1, name="Kim",
                       email="kim@acme.test")
    enrolled = bed.call("Enrollments", "Create", account="acme",
                        hostnames=["enrolled.example.com"])
    looked = bed.call("Diagnoses", "Run", resource=resource["id"])
    key = bed.json("cert", "show", bound["id"])["key"]["id"]
    # Of one that ends soon somebody is told.
    certificate("soon.example.com", days=5)
    notice, = wait_for("kim is told", lambda: bed.call("Notices", "List", account="acme").notices)
    webhook = bed.call("Webhooks", "Create", account="acme", name="theirs",
                       url="https://hooks.example.com/").webhook
    rule = bed.call("NoticeRules", "List", account="acme").rules[0]
    return {"notices": notice.id, "webhooks": webhook.id, "notice_rules": rule.id, "keys": key, "enrollments": enrolled.enrollment.id, "changes": enrolled.change.id,
            "diagnoses": looked.id,
            "certificates": bound["id"], "resources": resource["id"], "loose": loose["id"],
            "certificate_requests": request["id"], "users": user.id, "tokens": token.id,
            "contacts": contact.id, "accounts": "acme"}


@pytest.fixture(scope="module")
def mine(bed):
    """Objects of the stranger."""
    key, leaf = bed.pki.leaf("mine.example.net")
    chain, private = bed.pki.files(bed.dir / "up", "mine", key, leaf)
    certificate = bed.json("cert", "upload", chain, private, "--account", "rival")["certificate"]
    resource = bed.json("resource", "create", "mine", "mine.example.net", "--account", "rival",
                        "--plain-http")["resource"]
    request = bed.json("cert", "csr", "mine.example.net", "--account", "rival")
    enrolled = bed.call("Enrollments", "Create", account="rival",
                        hostnames=["enrolled.example.net"])
    return {"enrollment": enrolled.enrollment.id,
            "certificate": certificate["id"], "resource": resource["id"],
            "request": request["id"], "csr": request["csr"]}


def words(said, asked, as_if=None):
    """What a refusal says, as if something else had been asked for."""
    code, problem = said
    text = problem["detail"]
    if as_if is not None:
        text = re.sub(rf"\b{asked}\b", str(as_if), text)
    return code, problem["code"], text


def snapshot(bed):
    """All that acme has, as its administrator sees it."""
    found = {}
    for path in ("certificates", "resources", "certificate-requests", "users", "tokens",
                 "contacts", "enrollments", "changes", "diagnoses", "notice-rules", "webhooks"):
        code, _, page = bed.rest("GET", f"/v1/{path}", bed.token)
        assert code == 200, (path, page)
        found[path] = page
    # What passes by itself.
    for token in found["tokens"]["tokens"]:
        token.pop("last_used_s", None)
    for certificate in found["certificates"]["certificates"]:
        certificate.pop("expires_in_days")
    for change in found["changes"]["changes"]:
        for field in ("attempts", "next_at_s", "problem", "doing", "state", "percent",
                      "allowed_inputs", "diagnosis"):
            change.pop(field)
    for enrollment in found["enrollments"]["enrollments"]:
        for field in ("state", "problem", "next_at_s"):
            enrollment.pop(field)
    found["diagnoses"]["diagnoses"] = [
        d for d in found["diagnoses"]["diagnoses"] if d["change"] == 0]
    return found


def named(path):
    """The kind of object that a path names."""
    kind = re.match(r"/v1/([\w-]+)", path).group(1)
    return kind.replace("-", "_")


# Bodies that are good but for whose the object is.
BODIES = {
    "Certificates.Update": {"name": "mine now"},
    "Resources.Update": {"name": "mine now"},
    "Users.Update": {"name": "mine now"},
    "Contacts.Update": {"name": "mine now"},
    "Enrollments.Update": {"name": "mine now"},
    "Webhooks.Update": {"name": "mine now"},
    "NoticeRules.Update": {"rule": {"disabled": True}},
}


def test_another_accounts_object_is_not_found_in_the_same_words_for_every_call(
        bed, methods, theirs, mine):
    before = snapshot(bed)
    bodies = dict(BODIES)
    bodies["Resources.Bind"] = {"certificates": [mine["certificate"]]}
    bodies["Certificates.Replace"] = {"new_id": mine["certificate"]}
    bodies["CertificateRequests.Attach"] = {"parts": {"certificate": pem(bed.pki.middle)}}
    asked = 0
    for name, (verb, path, _) in methods.items():
        if "{" not in path or not MAY[name][0]:
            continue
        kind = named(path)
        missing = "nobody" if kind == "accounts" else MISSING
        for one in {theirs[kind], theirs["loose"] if kind == "certificates" else theirs[kind]}:
            said = ask(bed, methods[name], bed.rival, one, bodies.get(name))
            none = ask(bed, methods[name], bed.rival, missing, bodies.get(name))
            assert said[0] == 404 and said[1]["code"] == "NOT_FOUND", (name, said)
            assert words(said, one) == words(none, missing, one), name
            asked += 1
    assert asked >= 20
    assert snapshot(bed) == before


# Fields that say which object is meant, apart from the path: how to ask with each.
def references(bed, mine):
    parts = {"certificate": pem(bed.pki.of_request(mine["csr"])) + pem(bed.pki.middle)}
    return {
        "Certificates.Upload.scope": ("certificates", {}, "resources", list),
        "Certificates.Upload.resource": ("certificates", {"kind": "acme"}, "resources", int),
        "Certificates.Update.scope": (
            mine["certificate"], {"set_scope": True}, "resources", list),
        "Certificates.Replace.new_id": (mine["certificate"], {}, "certificates", int),
        "Certificates.List.for_resource": (None, {}, "resources", int),
        "CertificateRequests.Attach.scope": (mine["request"], {"parts": parts}, "resources", list),
        "Resources.Create.certificates": (
            None, {"name": "new", "hostnames": ["new.example.net"]}, "certificates", list),
        "Resources.Create.upload.scope": None,     # its account's resource is made in this act
        "Resources.Create.upload.resource": None,  # the same
        "Resources.List.certificate": (None, {}, "certificates", int),
        "Resources.Update.certificates": (
            mine["resource"], {"hostnames": ["mine.example.net"]}, "certificates", list),
        "Resources.Bind.certificates": (mine["resource"], {}, "certificates", list),
        "Resources.Unbind.certificates": (mine["resource"], {}, "certificates", list),
        "Enrollments.Create.resource": (None, {}, "resources", int),
        "Enrollments.Create.contacts": (
            None, {"hostnames": ["new.example.net"]}, "contacts", list),
        "Enrollments.Update.contacts": (mine["enrollment"], {}, "contacts", list),
        "Enrollments.List.resource": (None, {}, "resources", int),
        "Enrollments.Issue.resource": None,   # the path's id goes before it
        "Enrollments.Revoke.resource": None,  # the same
        "Changes.List.enrollment": (None, {}, "enrollments", int),
        "Changes.List.resource": (None, {}, "resources", int),
        "Diagnoses.Run.resource": (None, {}, "resources", int),
        "Diagnoses.List.resource": (None, {}, "resources", int),
        "Tokens.Create.user_id": (None, {"name": "x", "role": "viewer"}, "users", int),
        "Sessions.MakeLink.user_id": (None, {}, "users", int),
        "NoticeRules.Create.rule.id": None,   # is not looked at
        "NoticeRules.Update.rule.id": None,   # the same
        # Below.
        "NoticeRules.Create.rule.webhooks": None,
        "NoticeRules.Update.rule.webhooks": None,
    }


def reference_fields(message, prefix=""):
    """Fields of requests that are ids of objects."""
    for field in message.fields:
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            yield from reference_fields(field.message_type, f"{prefix}{field.name}.")
        elif field.type == FieldDescriptor.TYPE_INT64 and not field.name.endswith("_s"):
            yield prefix + field.name


def test_another_accounts_object_is_not_to_be_referred_to_either(bed, methods, theirs, mine):
    known = references(bed, mine)
    there = {f"{service.name}.{method.name}.{field}" for messages, _ in MODULES
             for service in messages.DESCRIPTOR.services_by_name.values()
             for method in service.methods
             if f"{service.name}.{method.name}" in methods
             for field in reference_fields(method.input_type)
             if f"{{{field}}}" not in methods[f"{service.name}.{method.name}"][1]}
    assert there == set(known)
    before = snapshot(bed)
    key, leaf = bed.pki.leaf("refers.example.net")
    for full, how in known.items():
        if how is None:
            continue
        method, field = full.rsplit(".", 1)
        name, body, kind, shape = how
        body = dict(body)
        if method == "Certificates.Upload":
            body["parts"] = {"certificate": pem(leaf) + pem(bed.pki.middle)}
            body["wrapped_key"] = {"wrapping_key_id": "eA==", "blob": "eA==", "spki": "eA=="}
        said = []
        for one in (theirs[kind], MISSING):
            query = ""
            sent = dict(body, **{field: [one] if shape is list else one})
            if methods[method][0] == "GET":
                sent, query = None, f"?{field}={one}"
            code, answer = ask(bed, methods[method], bed.rival, name, sent, query)
            if code == 200:
                # A filter that matches nothing.
                said.append((code, answer))
            else:
                assert code in (400, 403, 404, 409, 422), (full, code, answer)
                said.append(words((code, answer), one, theirs[kind] if one == MISSING else None))
        assert said[0] == said[1], full
        assert said[0][0] != 200 or not any(
            v for v in said[0][1].values() if isinstance(v, list)), (full, said)
    assert snapshot(bed) == before


def test_a_rule_tells_no_webhook_of_another_account(bed, methods, theirs):
    own = bed.rest("GET", "/v1/notice-rules", bed.rival)[2]["rules"][2]
    said = []
    for one in (theirs["webhooks"], MISSING):
        rule = {"event": "issued", "webhooks": [one]}
        said.append([words(ask(bed, methods[name], bed.rival, own["id"], {"rule": rule}), one, 1)
                     for name in ("NoticeRules.Create", "NoticeRules.Update")])
    assert said[0] == said[1] and said[0][0][:2] == (404, "NOT_FOUND"), said


def test_another_accounts_name_is_as_good_as_none(bed, methods):
    asked = 0
    for name, (verb, _, operation) in methods.items():
        if not MAY[name][0]:
            continue
        takes = any(p.get("name") == "account" for p in operation["parameters"]) or (
            "account" in (operation.get("requestBody") and body_fields(bed, operation) or ()))
        if not takes:
            continue
        said = []
        for account in ("acme", "nobody"):
            if verb == "GET":
                answer = ask(bed, methods[name], bed.rival, query=f"?account={account}")
            else:
                answer = ask(bed, methods[name], bed.rival, body={"account": account})
            assert answer[0] in (400, 403, 404), (name, answer)
            said.append(words(answer, account, "acme"))
        assert said[0] == said[1], name
        asked += 1
    assert asked >= 10


def body_fields(bed, operation):
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    if "$ref" in schema:
        _, _, description = bed.rest("GET", "/openapi.json")
        schema = description["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema.get("properties", {})
