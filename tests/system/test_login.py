# SPDX-License-Identifier: Apache-2.0
"""Logging in to the console: people by password and code, operators by link and certificate.

Over real TLS, as browsers do it: the cookie comes from Set-Cookie, the token from the answer.
"""

import base64
import concurrent.futures
import datetime
import hashlib
import hmac
import http.client
import http.cookies
import json
import socket
import ssl
import struct
import time

import pytest
from cryptography import x509

from bed import DOMAIN, wait_for
from certd_bed import ADMINISTRATOR, ENGINEER, VIEWER, CertdBed

PASSWORD = "three small boats at sea"
COOKIE = "__Host-holdfast"
PROXY = "127.0.0.77"  # brings whom it says


def totp(secret, step=0):
    """RFC 6238, of now or of so many steps later."""
    counter = struct.pack(">Q", int(time.time()) // 30 + step)
    mac = hmac.new(base64.b32decode(secret), counter, hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 1000000:06}"


class _Https(http.client.HTTPSConnection):
    """certd under its own name; connects again when it has ended the connection."""

    def connect(self):
        plain = socket.create_connection(
            (self.host, self.port), self.timeout, self.source_address)
        self.sock = self._context.wrap_socket(plain, server_hostname=f"certd.{DOMAIN}")


class Browser:
    """Keeps the cookie and the token; sends what browsers send."""

    def __init__(self, bed, source="127.0.0.1", certificate=None):
        self.bed, self.cookie, self.csrf = bed, None, None
        context = ssl.create_default_context(cafile=str(bed.dir / "keyd/ca.pem"))
        if certificate is not None:
            context.load_cert_chain(bed.dir / certificate / "identity.pem")
        self.connection = _Https("127.0.0.1", bed.rest_port, context=context, timeout=60,
                                 source_address=(source, 0))

    def ask(self, verb, path, body=None, **more):
        """(status, JSON); keyword arguments are headers, with None for none."""
        host = f"certd.{DOMAIN}:{self.bed.rest_port}"
        headers = {"Host": host, "Sec-Fetch-Site": "same-origin", "User-Agent": "Test/1"}
        if verb != "GET":
            headers["Origin"] = f"https://{host}"
            headers["X-CSRF-Token"] = self.csrf
        headers["Cookie"] = self.cookie and f"{COOKIE}={self.cookie}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        headers.update((name.replace("_", "-"), value) for name, value in more.items())
        headers = {name: value for name, value in headers.items() if value is not None}
        self.connection.request(verb, path, body and json.dumps(body), headers)
        reply = self.connection.getresponse()
        text = reply.read()
        self.headers = reply.headers
        for line in reply.headers.get_all("Set-Cookie") or ():
            self.line = line
            self.cookie = http.cookies.SimpleCookie(line)[COOKIE].value or None
        answer = json.loads(text) if text else None
        if answer and answer.get("csrf_token"):
            self.csrf = answer["csrf_token"]
        return reply.status, answer

    def log_in(self, email, password=PASSWORD, **more):
        return self.ask("POST", "/v1/sessions", {"email": email, "password": password, **more})

    def use_link(self, secret, **more):
        return self.ask("POST", "/v1/sessions:link", {"secret": secret, **more})


@pytest.fixture(scope="module")
def bed():
    b = CertdBed(certd_lines="console:\n  client_certificates: true\n")
    b.rest_lines = f"  trusted_proxies: [{PROXY}]\n"
    b.up()
    b.make_account("acme")
    b.make_account("other")
    yield b
    b.close()


def make_user(bed, email, account="acme", role=ENGINEER, password=PASSWORD):
    """A user who has set a password; the user's id."""
    user = bed.call("Users", "Create", account=account, email=email, role=role)
    browser = Browser(bed)
    code, session = browser.use_link(bed.call("Sessions", "MakeLink", user_id=user.id).secret)
    assert code == 201 and session["must_set"] == "password", session
    code, session = browser.ask("POST", "/v1/session:password", {"new": password})
    assert code == 200 and session["must_set"] == "", session
    return user.id


def history(bed, account=""):
    return bed.call("Status", "History", account=account, page_size=200).events


# ---- by password ----

def test_a_user_logs_in_by_link_then_by_password_and_out_again(bed):
    user = make_user(bed, "anna@acme.test")
    browser = Browser(bed)
    code, session = browser.log_in("Anna@acme.test")
    assert code == 201 and session["user"]["id"] == user, session
    assert session["actor"] == "user anna@acme.test (acme)" and session["method"] == "password"
    assert (session["role"], session["account"]) == ("engineer", "acme")
    assert browser.line == f"{COOKIE}={browser.cookie}; Path=/; HttpOnly; SameSite=Strict; Secure"
    assert "set-cookie" not in str(session).lower() and browser.cookie not in str(session)
    code, again = browser.ask("GET", "/v1/session")
    assert code == 200 and again["csrf_token"] == session["csrf_token"]
    code, made = browser.ask("POST", "/v1/certificate-requests", {})
    assert code == 400, made  # it may, and is told what is missing
    code, refused = browser.ask("POST", "/v1/users", {"email": "x@acme.test"})
    assert code == 403 and "this takes" in refused["detail"]
    old = browser.cookie
    code, _ = browser.ask("DELETE", "/v1/session")
    assert code == 200 and browser.cookie is None and "Max-Age=0" in browser.line
    browser.cookie = old
    assert browser.ask("GET", "/v1/session")[0] == 401
    acts = [(e.act, e.actor) for e in history(bed, "acme")]
    for act in ("logged in", "logged out", "password set"):
        assert (act, "user anna@acme.test (acme)") in acts
    assert ("log-in link made", "operator/admin") in acts
    assert PASSWORD not in bed.daemons["certd"].text()


def test_who_is_wrong_is_told_the_same_whatever_was_wrong(bed):
    user = make_user(bed, "bert@acme.test")
    said = [Browser(bed).log_in("bert@acme.test", "four small boats at sea"),
            Browser(bed).log_in("nobody@acme.test"),
            Browser(bed).log_in("bert@acme.test", account="other")]
    bed.call("Users", "Update", id=user, disable=True)
    said.append(Browser(bed).log_in("bert@acme.test"))
    assert {code for code, _ in said} == {401}
    assert len({answer["detail"] for _, answer in said}) == 1


def test_a_user_that_is_disabled_or_changed_is_so_at_the_next_request(bed):
    user = make_user(bed, "carl@acme.test", role=ADMINISTRATOR)
    browser = Browser(bed)
    assert browser.log_in("carl@acme.test")[0] == 201
    assert browser.ask("GET", "/v1/users")[0] == 200
    bed.call("Users", "Update", id=user, role=VIEWER)
    assert browser.ask("GET", "/v1/users")[0] == 403
    assert browser.ask("GET", "/v1/certificates")[0] == 200
    bed.call("Users", "Update", id=user, disable=True)
    assert browser.ask("GET", "/v1/certificates")[0] == 401
    bed.call("Users", "Update", id=user, enable=True)
    # What there was of sessions does not come back.
    assert browser.ask("GET", "/v1/certificates")[0] == 401
    assert browser.log_in("carl@acme.test")[0] == 201
    assert browser.ask("GET", "/v1/certificates")[0] == 200
    bed.call("Users", "Delete", id=user)
    assert browser.ask("GET", "/v1/certificates")[0] == 401


def test_an_address_in_two_accounts_is_asked_which(bed):
    for account in ("acme", "other"):
        make_user(bed, "both@both.test", account)
    code, problem = Browser(bed).log_in("both@both.test")
    assert (code, problem["code"], problem["reason"]) == (
        409, "FAILED_PRECONDITION", "ACCOUNT_REQUIRED")
    assert problem["detail"].endswith(": acme, other")
    for account in ("acme", "other"):
        code, session = Browser(bed).log_in("both@both.test", account=account)
        assert code == 201 and session["account"] == account


def test_twenty_log_in_at_once(bed):
    make_user(bed, "crowd@acme.test")
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(lambda _: Browser(bed).log_in("crowd@acme.test")[0], range(20)))
    assert codes == [201] * 20
    # And others are served meanwhile, not behind them.
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(lambda: Browser(bed).log_in("crowd@acme.test")) for _ in range(20)]
        assert bed.rest("GET", "/healthz")[0] == 200
        assert not all(w.done() for w in waiting)


def test_who_guesses_waits_and_the_owner_logs_in_from_elsewhere(bed):
    make_user(bed, "dora@acme.test")
    guesser, codes = Browser(bed, "127.0.0.2"), []

    def guessed():
        """Until it waits for longer than a slow machine takes for what follows."""
        codes.append(guesser.log_in("dora@acme.test", f"a wrong password {len(codes)}")[0])
        return codes[-1] == 429 and int(guesser.headers["Retry-After"]) > 6
    wait_for("guesses are made to wait", guessed)
    assert codes[:5] == [401] * 5 and set(codes) == {401, 429}
    code, problem = guesser.log_in("dora@acme.test")  # the right one, too late
    assert code == 429 and int(guesser.headers["Retry-After"]) > 0 and "wait" in problem["detail"]
    assert Browser(bed, "127.0.0.3").log_in("dora@acme.test")[0] == 201
    refused = [e for e in history(bed, "acme")
               if e.act == "log-in refused" and e.detail.startswith("dora@acme.test")]
    # A row an hour, and an hour may end meanwhile.
    assert len(refused) == len({e.at_s // 3600 for e in refused}) and refused, refused
    assert all("127.0.0.2" in e.detail for e in refused), refused
    assert "a wrong password" not in bed.daemons["certd"].text()


# ---- the second factor ----

def test_a_second_factor_is_set_up_needed_and_taken_away_by_a_link(bed):
    user = make_user(bed, "emma@acme.test")
    browser, other = Browser(bed), Browser(bed)
    assert browser.log_in("emma@acme.test")[0] == other.log_in("emma@acme.test")[0] == 201
    code, begun = browser.ask("POST", "/v1/session:begin_totp", {})
    assert code == 200 and begun["uri"].startswith("otpauth://totp/Holdfast:emma%40acme.test?")
    assert browser.ask("POST", "/v1/session:confirm_totp", {"code": "12345"})[0] == 400
    before = browser.cookie
    code, session = browser.ask(
        "POST", "/v1/session:confirm_totp", {"code": totp(begun["secret"])})
    assert code == 200 and session["totp_on"] and browser.cookie != before
    assert other.ask("GET", "/v1/session")[0] == 401  # all others ended
    code, problem = Browser(bed).log_in("emma@acme.test")
    assert (code, problem["reason"]) == (409, "TOTP_REQUIRED")
    used = totp(begun["secret"], -1)
    code, problem = Browser(bed).log_in("emma@acme.test", totp_code=used)
    assert code == 401, problem  # of a step before the last that was taken
    assert Browser(bed).log_in(
        "emma@acme.test", totp_code=totp(begun["secret"], 1))[0] == 201
    # A link stands for the password alone, but where it is made to reset.
    link = bed.call("Sessions", "MakeLink", user_id=user)
    code, problem = Browser(bed).use_link(link.secret)
    assert (code, problem["reason"]) == (409, "TOTP_REQUIRED")
    link = bed.call("Sessions", "MakeLink", user_id=user, reset_totp=True)
    code, session = Browser(bed).use_link(link.secret)
    assert code == 201 and not session["totp_on"]
    assert Browser(bed).log_in("emma@acme.test")[0] == 201


# ---- links ----

def test_a_link_counts_once_also_for_two_at_once(bed):
    user = bed.call("Users", "Create", account="acme", email="fred@acme.test", role=VIEWER).id
    secret = bed.call("Sessions", "MakeLink", user_id=user).secret
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        codes = sorted(pool.map(lambda _: Browser(bed).use_link(secret)[0], range(4)))
    assert codes == [201, 401, 401, 401]
    assert Browser(bed).use_link("A" * 43)[0] == 401
    brief = bed.call("Sessions", "MakeLink", user_id=user, ttl_s=1).secret
    time.sleep(2.1)
    assert Browser(bed).use_link(brief)[0] == 401


def test_who_has_no_password_yet_may_only_set_one(bed):
    user = bed.call("Users", "Create", account="acme", email="gina@acme.test", role=ENGINEER).id
    browser = Browser(bed)
    assert browser.use_link(bed.call("Sessions", "MakeLink", user_id=user).secret)[0] == 201
    code, problem = browser.ask("GET", "/v1/certificates")
    assert (code, problem["reason"]) == (403, "MUST_SET") and "password" in problem["detail"]
    for weak in ("short", "123456789012", "gina@acme.test", "password1234", "acmeacmeacme"):
        assert browser.ask("POST", "/v1/session:password", {"new": weak})[0] == 400, weak
    assert browser.ask("POST", "/v1/session:password", {"new": PASSWORD})[0] == 200
    assert browser.ask("GET", "/v1/certificates")[0] == 200
    # The next time the current one is asked for.
    code, problem = browser.ask("POST", "/v1/session:password", {"new": PASSWORD + "!"})
    assert (code, problem["reason"]) == (400, "WRONG_PASSWORD")
    assert browser.ask("POST", "/v1/session:password",
                       {"current": PASSWORD, "new": PASSWORD + "!"})[0] == 200


def test_an_administrator_makes_links_for_the_accounts_users_alone(bed):
    boss = make_user(bed, "boss@acme.test", role=ADMINISTRATOR)
    stranger = bed.call("Users", "Create", account="other", email="s@other.test", role=VIEWER).id
    mate = bed.call("Users", "Create", account="acme", email="mate@acme.test", role=VIEWER).id
    browser = Browser(bed)
    assert browser.log_in("boss@acme.test")[0] == 201
    code, made = browser.ask("POST", "/v1/sessions:make_link", {"user_id": mate})
    assert code == 200 and made["url"] == f"/console/login#link={made['secret']}"
    assert Browser(bed).use_link(made["secret"])[0] == 201
    assert browser.ask("POST", "/v1/sessions:make_link", {"user_id": stranger})[0] == 404
    assert browser.ask("POST", "/v1/sessions:make_link", {"user_id": boss})[0] == 403
    assert browser.ask("POST", "/v1/sessions:make_link", {"user_id": mate, "send": True})[0] == 409
    token = bed.make_token("acme", ADMINISTRATOR, "links", scopes=["account:write"])
    code, _, problem = bed.rest("POST", "/v1/sessions:make_link", token, {"user_id": mate})
    assert code == 403 and "scopes" in problem["detail"]


def test_a_link_ends_with_the_administrator_or_the_token_that_made_it(bed):
    boss = make_user(bed, "chief@acme.test", role=ADMINISTRATOR)
    mate = bed.call("Users", "Create", account="acme", email="pal@acme.test", role=VIEWER).id
    browser = Browser(bed)
    assert browser.log_in("chief@acme.test")[0] == 201

    def by_session():
        code, made = browser.ask("POST", "/v1/sessions:make_link", {"user_id": mate})
        assert code == 200, made
        return made["secret"]

    secret = by_session()
    bed.call("Users", "Update", id=boss, disable=True)
    code, problem = Browser(bed).use_link(secret)
    assert code == 401 and "ask for a new one" in problem["detail"]
    bed.call("Users", "Update", id=boss, enable=True)
    assert browser.log_in("chief@acme.test")[0] == 201
    assert Browser(bed).use_link(by_session())[0] == 201
    secret = by_session()
    bed.call("Users", "Delete", id=boss)
    assert Browser(bed).use_link(secret)[0] == 401
    # By a token likewise.
    made = bed.call("Tokens", "Create", account="acme", name="maker", role=ADMINISTRATOR)
    for revoke, want in ((False, 201), (True, 401)):
        code, _, link = bed.rest(
            "POST", "/v1/sessions:make_link", made.secret, {"user_id": mate})
        assert code == 200, link
        if revoke:
            bed.call("Tokens", "Revoke", id=made.token.id)
        assert Browser(bed).use_link(link["secret"])[0] == want


# ---- operators ----

def test_the_command_line_makes_a_link_for_the_operator(bed):
    url = bed.cli("console", "link").strip()
    # With the end of the certificate that it was asked for by, which caps the session.
    identity = x509.load_pem_x509_certificate((bed.dir / "admin/identity.pem").read_bytes())
    end_s = identity.not_valid_after.replace(tzinfo=datetime.timezone.utc).timestamp()
    assert bed.rows("SELECT not_after_s FROM login_link WHERE identity = 'operator/admin'") == [
        (int(end_s),)]
    browser = Browser(bed)
    code, session = browser.use_link(url.split("#link=")[1])
    assert code == 201 and session["is_operator"] and session["user"] is None
    assert (session["actor"], session["role"], session["account"]) == (
        "operator/admin", "operator", "")
    code, accounts = browser.ask("GET", "/v1/accounts")
    assert code == 200 and {a["name"] for a in accounts["accounts"]} >= {"acme", "other"}
    assert browser.ask("POST", "/v1/accounts", {"name": "third"})[0] == 201
    assert [e.actor for e in history(bed, "third") if e.act == "account created"] == [
        "operator/admin"]
    # For a user, by the address.
    make_user(bed, "hans@acme.test")
    url = bed.cli("console", "link", "--user", "hans@acme.test", "--account", "acme").strip()
    assert Browser(bed).use_link(url.split("#link=")[1])[1]["user"]["email"] == "hans@acme.test"


def test_operators_and_auditors_log_in_by_client_certificate(bed):
    browser = Browser(bed, certificate="admin")
    code, session = browser.ask("POST", "/v1/sessions:certificate", {})
    assert code == 201 and session["actor"] == "operator/admin", session
    assert session["method"] == "certificate"
    assert browser.ask("POST", "/v1/accounts", {"name": "fourth"})[0] == 201
    browser = Browser(bed, certificate=bed.member("auditor", "aud"))
    code, session = browser.ask("POST", "/v1/sessions:certificate", {})
    assert code == 201 and (session["role"], session["is_operator"]) == ("auditor", False)
    assert browser.ask("GET", "/v1/accounts")[0] == 200
    assert browser.ask("POST", "/v1/accounts", {"name": "fifth"})[0] == 403


def test_no_other_certificate_logs_in_and_none_stands_for_a_session(bed):
    for certificate in (None, bed.member("edge", "fra-1")):
        code, problem = Browser(bed, certificate=certificate).ask(
            "POST", "/v1/sessions:certificate", {})
        assert (code, problem["reason"]) == (409, "CERTIFICATE_REQUIRED")
    # It is looked at there and nowhere else.
    assert Browser(bed, certificate="admin").ask("GET", "/v1/accounts")[0] == 401


def test_a_trusted_proxys_own_certificate_logs_nobody_in(bed):
    for says in ({"X_Forwarded_For": "203.0.113.7"}, {}):
        code, problem = Browser(bed, source=PROXY, certificate="admin").ask(
            "POST", "/v1/sessions:certificate", {}, **says)
        assert (code, problem["reason"]) == (409, "CERTIFICATE_REQUIRED"), problem
        assert "proxy" in problem["detail"]


def test_an_operator_who_is_quarantined_is_out_at_once(bed):
    state = bed.member("operator", "second")
    browser = Browser(bed, certificate=state)
    assert browser.ask("POST", "/v1/sessions:certificate", {})[0] == 201
    link = bed.call("Sessions", "MakeLink", state=state).secret
    bed.cli("edge", "quarantine", "operator/second")
    wait_for("the session is refused", lambda: browser.ask("GET", "/v1/session")[0] == 401)
    assert Browser(bed, certificate=state).ask("POST", "/v1/sessions:certificate", {})[0] == 403
    assert Browser(bed).use_link(link)[0] == 403


# ---- what browsers are made to do by others ----

def test_a_request_of_another_site_is_refused(bed):
    make_user(bed, "iris@acme.test")
    browser = Browser(bed)
    for headers in ({"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"},
                    {"Origin": "https://evil.test"}, {"Origin": "null"},
                    {"Origin": f"http://certd.{DOMAIN}:{bed.rest_port}"}):
        code, problem = browser.ask("POST", "/v1/sessions", {
            "email": "iris@acme.test", "password": PASSWORD}, **headers)
        assert (code, problem["reason"]) == (403, "CROSS_SITE"), headers
    assert browser.log_in("iris@acme.test")[0] == 201
    for headers in ({"Sec_Fetch_Site": "cross-site"}, {"Origin": "https://evil.test"}):
        code, problem = browser.ask("DELETE", "/v1/session", **headers)
        assert (code, problem["reason"]) == (403, "CROSS_SITE"), headers
        assert browser.ask("GET", "/v1/session", **headers)[0] == 403
    for token in (None, "", "A" * 43):
        code, problem = browser.ask("DELETE", "/v1/session", X_CSRF_Token=token)
        assert (code, problem["reason"]) == (403, "CSRF")
    assert browser.ask("GET", "/v1/session", Sec_Fetch_Site="none")[0] == 200
    # Old browsers say neither; the token is there all the same.
    assert browser.ask("DELETE", "/v1/session", Sec_Fetch_Site=None, Origin=None)[0] == 200


def test_an_api_token_counts_before_the_cookie_and_two_cookies_are_none(bed):
    make_user(bed, "jana@acme.test", role=ADMINISTRATOR)
    token = bed.make_token("acme", VIEWER, "plain")
    browser = Browser(bed)
    assert browser.log_in("jana@acme.test")[0] == 201
    assert browser.ask("GET", "/v1/users")[0] == 200
    assert browser.ask("GET", "/v1/users", Authorization=f"Bearer {token}")[0] == 403
    assert browser.ask("GET", "/v1/users", Authorization="Bearer none")[0] == 401
    twice = f"{COOKIE}={browser.cookie}; {COOKIE}={browser.cookie}"
    assert browser.ask("GET", "/v1/users", Cookie=twice)[0] == 400
    assert browser.ask("GET", "/v1/users", Cookie=f"holdfast={browser.cookie}")[0] == 401
    # Sessions are no tokens' affair, and cookies none of gRPC's.
    assert bed.rest("GET", "/v1/session", token)[0] == 403
    assert bed.refusal("Sessions", "Get")[0] == "PERMISSION_DENIED"
    assert bed.refusal("Sessions", "Create", email="a@b.c", password="x")[0] == "PERMISSION_DENIED"


def test_sessions_are_listed_ended_and_outlive_a_restart(bed):
    make_user(bed, "kate@acme.test")
    one, two = Browser(bed), Browser(bed)
    assert one.log_in("kate@acme.test")[0] == two.log_in("kate@acme.test")[0] == 201
    bed.daemons["certd"].stop()
    bed.start_certd()
    fresh = [Browser(bed), Browser(bed)]
    for new, old in zip(fresh, (one, two)):
        new.cookie, new.csrf = old.cookie, old.csrf
    one, two = fresh
    code, listed = one.ask("GET", "/v1/sessions")
    mine = [s for s in listed["sessions"] if s["current"]]
    assert code == 200 and len(listed["sessions"]) == 3 and len(mine) == 1
    assert mine[0]["address"] == "127.0.0.1" and mine[0]["user_agent"] == "Test/1"
    assert all(s["csrf_token"] == "" for s in listed["sessions"])
    other = two.ask("GET", "/v1/session")[1]["id"]
    assert one.ask("DELETE", f"/v1/sessions/{other}")[0] == 200
    assert two.ask("GET", "/v1/session")[0] == 401
    stranger = Browser(bed)
    make_user(bed, "lars@acme.test")
    assert stranger.log_in("lars@acme.test")[0] == 201
    assert stranger.ask("DELETE", f"/v1/sessions/{mine[0]['id']}")[0] == 404
    assert one.ask("GET", "/v1/session")[0] == 200
