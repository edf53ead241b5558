# SPDX-License-Identifier: Apache-2.0
"""What the tests of the console's pages share: people who log in, what they find, looking.

    class Bed(Console, CertdBed): ...               # or AcmeBed, FollowBed
    bed.make_user("anna@acme.test", ADMINISTRATOR)  # with PASSWORD
    page = bed.entered(visits, "anna@acme.test")    # by a link; without a name the operator
    go(page, "/certificates", "Certificates")       # the page with that heading, loaded
    look(page, "certificates")                      # axe in light and dark, phone width, screenshot
    never_sent(page, key, "password")               # what no request may have held
"""

import base64
import contextlib
import hashlib
import hmac
import http.cookies
import json
import re
import struct
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bed import wait_for
from certd_bed import ADMINISTRATOR
from certs import pem

PASSWORD = "three small boats at sea"
COOKIE = "__Host-holdfast"
WIDTH, HEIGHT, PHONE = 1280, 900, 360
# Loaded: a heading, and neither a skeleton nor a list that waits.  A button waits as long as the
# dialog that it has opened.
IS_SETTLED = """!!document.querySelector("main h1") && !document.querySelector(
    ".skeleton, main [aria-busy=true]:not(button)")"""


def totp(secret, later=0):
    """RFC 6238, of now or of so many steps later."""
    counter = struct.pack(">Q", int(time.time()) // 30 + later)
    mac = hmac.new(base64.b32decode(secret.replace(" ", "")), counter, hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 1000000:06}"


class Console:
    """Mixed into a bed with a certd; bed.users has the ids of those who were made."""

    @property
    def url(self):
        return f"https://127.0.0.1:{self.rest_port}"

    def reconfigure(self, certd_lines):
        """certd again, with other lines in its configuration."""
        self.certd_lines = certd_lines
        self.write_certd_config()
        self.daemons["certd"].stop()
        self.start_certd()
        wait_for("certd reaches keyd", lambda: self.call("Status", "Get").keyd_trouble == "")

    # ---- people ----

    def make_user(self, email, role=ADMINISTRATOR, account="acme", password=PASSWORD, name=""):
        """Who has set that password; with password None, one who has yet to set one."""
        user = self.call("Users", "Create", account=account, email=email, role=role, name=name)
        self.users = dict(getattr(self, "users", {}), **{email: user.id})
        if password is not None:
            self._set_password(user.id, password)
        return user.id

    def _set_password(self, user_id, password):
        """As the page does it, by a link."""
        secret = self.call("Sessions", "MakeLink", user_id=user_id).secret
        with contextlib.closing(self.https()) as over:
            status, headers, session = self.rest("POST", "/v1/sessions:link", None,
                                                 {"secret": secret}, over=over)
            assert status == 201, session
            cookie = http.cookies.SimpleCookie(headers["Set-Cookie"])[COOKIE].value
            status, _, session = self.rest(
                "POST", "/v1/session:password", None, {"new": password}, over=over, headers={
                    "Cookie": f"{COOKIE}={cookie}", "X-CSRF-Token": session["csrf_token"]})
            assert status == 200, session

    def link(self, email=None, **fields):
        """The path of a one-time link: of a user, or of the operator."""
        if email is not None:
            fields["user_id"] = self.users[email]
        return self.call("Sessions", "MakeLink", **fields).url.removeprefix(self.url)

    def entered(self, visits, email=None, heading="Overview", **options):
        """A page on which somebody is in, by a link."""
        page = visits.page(self.url, **options)
        page.allow(401, "/v1/session", "GET")  # nobody is, at first
        by_link(page, self.link(email), heading)
        return page

    # ---- what they find ----

    def add_certificate(self, pki, *hosts, account="acme", key=None, days=90, **fields):
        """By REST; as certd answers it."""
        key, leaf = pki.leaf(*hosts, key=key, days=days)
        token = self.rest_token(account)
        status, _, parameters = self.rest("GET", "/v1/certificates:importParameters", token)
        assert status == 200, parameters
        status, _, answer = self.rest("POST", "/v1/certificates", token, {
            "wrapped_key": self._wrapped(key, parameters), **fields,
            "parts": {"certificate": pem(leaf), "intermediate": pem(pki.middle)}})
        assert status == 201, answer
        return answer["certificate"]

    def _wrapped(self, key, parameters):
        """wrapped() of parameters that came by REST."""
        parsed = self.call("Certificates", "ImportParameters")
        assert base64.b64decode(parameters["wrapping_key"]) == parsed.wrapping_key
        return self.wrapped(key, parsed)

    def add_resource(self, name, *hostnames, account="acme", **fields):
        status, _, answer = self.rest("POST", "/v1/resources", self.rest_token(account), {
            "name": name, "hostnames": hostnames, **fields})
        assert status == 201, answer
        return answer["resource"]

    def rest_token(self, account="acme"):
        tokens = self.__dict__.setdefault("tokens", {})
        if account not in tokens:
            tokens[account] = self.make_token(account)
        return tokens[account]

    def certificates(self, account="acme", query=""):
        status, _, answer = self.rest("GET", f"/v1/certificates?page_size=1000&{query}",
                                      self.rest_token(account))
        assert status == 200, answer
        return answer["certificates"]


# ---- pages ----

def path_of(path):
    return path if path.startswith("/console") else f"/console{path}"


def settled(page):
    wait_for("the page has loaded", lambda: page.evaluate(IS_SETTLED))
    return page


def at(page, heading):
    """The page with that heading (a text, or a regular expression) is there and loaded."""
    page.get_by_role("heading", level=1, name=heading).expect_visible()
    return settled(page)


def go(page, path, heading):
    """By its address, as from a bookmark."""
    page.goto(path_of(path))
    return at(page, heading)


def by_link(page, link, heading):
    """A one-time link, as one opens it and says that one means it."""
    go(page, link, "Log in by link?")
    page.get_by_role("button", name="Use the link").click()
    return at(page, heading)


def follow(page, link, heading):
    """By a link of the navigation."""
    section(page, link).click()
    return at(page, heading)


def section(page, name):
    """A link of the navigation; a mark may follow its name."""
    return page.get_by_role("navigation", name="Main").get_by_role(
        "link", name=re.compile(f"^{name}\\b"))


def card(page, title):
    return page.get_by_role("region", name=title, exact=True)


def button(within, name, **options):
    return within.get_by_role("button", name=name, exact=True, **options)


def log_in(page, email, password=PASSWORD):
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    button(page, "Log in").click()


def log_out(page):
    page.get_by_role("button", name=re.compile("^Your account: ")).click()
    button(page, "Log out").click()
    return at(page, "Log in to Holdfast")


# Colours and sizes have changed with the next two frames.
DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def shot(page, name, width=WIDTH):
    """All of the page, in a window as high as it is: what sticks to the window ends with it."""
    height = page.evaluate("document.documentElement.scrollHeight")
    page.emulate(width=width, height=max(HEIGHT, height))
    page.evaluate(DRAWN)
    page.screenshot(name)
    page.emulate(width=width, height=HEIGHT)


def look(page, name=None, dark=False, phone=False):
    """axe in light and dark, and no scrolling sideways on a phone.

    name: of its screenshot; dark, phone: NAME-dark and NAME-phone too.
    """
    settled(page)
    page.evaluate("scrollTo(0, 0)")  # what sticks stands at the top of a whole page's picture
    page.check_axe()
    if name:
        shot(page, name)
    page.emulate(dark=True)
    page.evaluate(DRAWN)
    page.check_axe()
    if name and dark:
        shot(page, f"{name}-dark")
    page.emulate(dark=False, width=PHONE)
    page.evaluate(DRAWN)
    wait_for("it fits a phone", lambda: page.overflows() <= 0)
    if name and phone:
        page.check_axe()
        shot(page, f"{name}-phone", PHONE)
    page.emulate(width=WIDTH, height=HEIGHT)


# ---- what no request may hold ----

def private_number(key):
    """What every form of a private key holds: the scalar, or the private exponent."""
    numbers = key.private_numbers()
    number = numbers.private_value if isinstance(key, ec.EllipticCurvePrivateKey) else numbers.d
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def key_forms(key):
    """PKCS#8, and SEC1 or PKCS#1; DER."""
    return [key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())
            for form in (serialization.PrivateFormat.PKCS8,
                         serialization.PrivateFormat.TraditionalOpenSSL)]


def _texts(value):
    """All strings of an answer or request."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield name
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str):
        yield value


def _octets(text):
    """What a text may stand for: itself, what is base64 of it, its PEM blocks."""
    yield text.encode()
    yield re.sub(r"\s", "", text).encode()
    for block in [text, *re.findall(r"-----BEGIN [^-]+-----(.*?)-----END", text, re.S)]:
        with contextlib.suppress(ValueError):
            yield base64.b64decode(re.sub(r"\s", "", block), validate=True)


def holds(body, *needles):
    """Does a body hold one of these octets: as they are, in base64 at any place, in hex?"""
    forms = [body]
    with contextlib.suppress(ValueError):
        forms += [one for text in _texts(json.loads(body)) for one in _octets(text)]
    wanted = []
    for needle in needles:
        wanted += [needle, needle.hex().encode()]
        for skip in range(3):  # the whole octets of it that base64 shows, wherever it begins
            whole = needle[skip:][:(len(needle) - skip) // 3 * 3]
            wanted.append(base64.b64encode(whole))
    return any(needle in form for needle in wanted for form in forms)


def never_sent(page, key, password=None):
    """Fails when a request of the page held the private key, or the password of its file."""
    needles = [*key_forms(key), private_number(key)]
    assert holds(json.dumps({"a": base64.b64encode(b"x" + needles[0]).decode()}).encode(),
                 needles[2]), "what is looked for would be found"
    if password is not None:
        needles += [password.encode(), password.encode("utf-16-be")]
    posts = 0
    for request in page.requests():
        assert request.body is not None, f"{request.method} {request.url}: its body is not seen"
        posts += request.method == "POST"
        for part in (request.body, request.url.encode(), json.dumps(request.headers).encode()):
            assert not holds(part, *needles), f"{request.method} {request.url}"
    assert posts, "nothing was sent at all"
