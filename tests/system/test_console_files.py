# SPDX-License-Identifier: Apache-2.0
"""The console's files and live streams, from a real certd over TLS, in its sandbox."""

import contextlib
import gzip
import http.client
import json
import re
import shutil
import socket
import threading

import pytest

from bed import TOP
from certd_bed import ADMINISTRATOR, CertdBed
from test_certd_hardening import INSTRUMENTED

from holdfast.certd.v1 import sessions_pb2, sessions_pb2_grpc  # noqa: E402 (wire makes them)

WEB = TOP / "certd/web"
ASSETS = "/console/assets/"
FIRST_PAGE_MAX = 150_000
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'"),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".svg": "image/svg+xml", ".png": "image/png"}


@pytest.fixture(scope="module")
def bed():
    b = CertdBed()
    b.folder = b.dir / "web"
    b.up()
    b.make_account("acme")
    b.make_account("other")
    b.token = b.make_token("acme", ADMINISTRATOR)
    yield b
    b.close()


def files():
    """Names of all files that are served but the page."""
    return [str(path.relative_to(WEB)) for path in sorted(WEB.rglob("*")) if path.is_file()
            and not any(part.startswith(".") for part in path.relative_to(WEB).parts)
            and path.suffix != ".md" and path.name != "package.json" and path.name != "index.html"]


def page(bed):
    status, headers, text = bed.rest("GET", "/console/")
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    return text.decode()


def assert_guarded(headers):
    for name, value in HEADERS.items():
        assert headers[name] == value, name
    assert "camera=()" in headers["Permissions-Policy"]
    # certd's own certificate is nobody's business for a year.
    assert "Strict-Transport-Security" not in headers


def test_every_file_is_served_and_guarded(bed):
    with contextlib.closing(bed.https()) as over:
        for name in files():
            status, headers, octets = bed.rest("GET", ASSETS + name, over=over)
            assert status == 200, name
            assert octets == (WEB / name).read_bytes(), name
            assert headers["Content-Type"] == TYPES[name[name.rindex("."):]]
            assert_guarded(headers)
            _, packed_headers, packed = bed.rest(
                "GET", ASSETS + name, headers={"Accept-Encoding": "gzip"}, over=over)
            if packed_headers["Content-Encoding"] is not None:
                assert packed_headers["Content-Encoding"] == "gzip"
                assert packed_headers["ETag"] != headers["ETag"]
                assert gzip.decompress(packed) == octets and len(packed) < len(octets)


def test_the_page_names_its_files_by_what_is_in_them(bed):
    text = page(bed)
    named = re.findall(r'"(/console/assets/[^"]*)"', text)
    assert named
    hashes = {re.fullmatch(r"/console/assets/([0-9a-f]{16})/\S+", path)[1] for path in named}
    assert len(hashes) == 1
    for path in named:
        status, headers, _ = bed.rest("GET", path)
        assert status == 200, path
        assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
        other = path.replace(hashes.copy().pop(), "0123456789abcdef")
        assert bed.rest("GET", other)[0] == 404
    # Without the names it is the file as it stands.
    assert text.replace(hashes.pop() + "/", "") == (WEB / "index.html").read_text()


def test_what_is_known_is_not_sent_again_and_heads_have_no_body(bed):
    for path in ("/console/", ASSETS + "main.js"):
        status, headers, octets = bed.rest("GET", path)
        assert status == 200 and headers["Cache-Control"] == "no-cache"
        again = bed.rest("GET", path, headers={"If-None-Match": headers["ETag"]})
        assert (again[0], again[2]) == (304, b"")
        assert_guarded(again[1])
        head = bed.rest("HEAD", path)
        assert (head[0], head[2]) == (200, b"")
        assert int(head[1]["Content-Length"]) == len(octets)


def test_paths_lead_to_the_page_or_nowhere(bed):
    """Sent octet by octet as they stand, which no library does."""
    expected = {
        **dict.fromkeys(("/console/", "/console/login", "/console/a/b/c", "/console/../v1/session",
                         "/console//", "/console/%2e%2e/%2e%2e/etc/passwd",
                         "/console/..%5c..%5cwindows", "/console/%00"), 200),
        **dict.fromkeys((ASSETS, ASSETS + "..", ASSETS + "../index.html", ASSETS + "%2e%2e/x",
                         ASSETS + "..%2f..%2fcertd.yaml", ASSETS + "/main.js", ASSETS + "./main.js",
                         ASSETS + "lib", ASSETS + "lib/", ASSETS + "main.js/", ASSETS + "main.js%00",
                         ASSETS + "README.md", ASSETS + "index.html", ASSETS + "\\main.js",
                         ASSETS + "%6dain.js", ASSETS + "x" * 5000), 404),
        "/console": 302,
        "//console/": 404,
    }
    for path, status in expected.items():
        with contextlib.closing(bed.https()) as over:
            over.connect()
            over.sock.sendall(
                f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            reply = http.client.HTTPResponse(over.sock)
            reply.begin()
            octets = reply.read()
            assert reply.status == status, path
            assert reply.headers["X-Content-Type-Options"] == "nosniff"
            if status == 200:
                assert b"<!doctype html>" in octets
            elif status == 404:
                assert reply.headers["Content-Type"] == "application/problem+json"
                assert b"certd.yaml" not in octets


def test_browsers_are_shown_the_way_and_scripts_are_not(bed):
    status, headers, _ = bed.rest("GET", "/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (status, headers["Location"]) == (302, "/console/")
    assert bed.rest("GET", "/")[0] == 404


# ---- how much it is ----

def imports(name):
    """A module and those that it imports statically, and theirs."""
    found, waiting = set(), [name]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        text = (WEB / name).read_text()
        folder = (WEB / name).parent
        for path in re.findall(
                r"""^\s*(?:import|export)\b[^;'"]*?\bfrom\s*['"](\.[^'"]+)['"]"""
                r"""|^\s*import\s*['"](\.[^'"]+)['"]""", text, re.M):
            target = (folder / (path[0] or path[1])).resolve()
            waiting.append(str(target.relative_to(WEB.resolve())))
    return found


def test_the_first_page_is_small(bed):
    """What log-in and overview load, in octets as a browser gets them."""
    names = set(re.findall(r'"/console/assets/([^"]+)"', (WEB / "index.html").read_text()))
    for root in ("main.js", "pages/login.js", "pages/overview.js"):
        if (WEB / root).exists():
            names |= imports(root)
    sizes, whole = {}, 0
    with contextlib.closing(bed.https()) as over:
        for path in ["/console/"] + [ASSETS + name for name in sorted(names)]:
            status, headers, octets = bed.rest(
                "GET", path, headers={"Accept-Encoding": "gzip"}, over=over)
            assert status == 200, path
            sizes[path] = len(octets)
            whole += len(octets) + sum(len(f"{k}: {v}\r\n") for k, v in headers.items())
    assert whole < FIRST_PAGE_MAX, sorted(sizes.items(), key=lambda item: -item[1])[:10]


# ---- live ----

class Stream:
    """GET /v1/live of a token, or with those headers, read by a thread of its own."""

    def __init__(self, bed, token=None, headers=None, query=""):
        self.connection = bed.https(timeout=60)
        self.connection.request("GET", f"/v1/live{query}", headers=headers or {
            "Authorization": f"Bearer {token}"})
        self.reply = self.connection.getresponse()
        assert self.reply.status == 200
        self.topics, self.is_over = [], False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        try:
            for line in self.reply:
                if line.startswith(b"data: "):
                    with self.changed:
                        self.topics += json.loads(line[6:])["topics"]
                        self.changed.notify_all()
        except (OSError, http.client.HTTPException, ValueError):
            pass
        with self.changed:
            self.is_over = True
            self.changed.notify_all()

    def hears(self, topic, seconds=60):
        with self.changed:
            return self.changed.wait_for(lambda: topic in self.topics, seconds)

    def ends(self, seconds=60):
        with self.changed:
            return self.changed.wait_for(lambda: self.is_over, seconds)

    def close(self):
        with contextlib.suppress(OSError):
            self.connection.sock.shutdown(socket.SHUT_RDWR)
        self.thread.join(60)
        self.connection.close()


def test_a_stream_tells_of_its_account_and_no_other(bed):
    other = bed.make_token("other", ADMINISTRATOR)
    mine, theirs = Stream(bed, bed.token), Stream(bed, other)
    assert mine.reply.headers["Content-Type"] == "text/event-stream"
    assert mine.reply.headers["X-Accel-Buffering"] == "no"
    with contextlib.closing(mine), contextlib.closing(theirs):
        assert bed.rest("POST", "/v1/resources", bed.token, {
            "name": "shop", "hostnames": ["shop.example.com"], "plain_http": True})[0] == 201
        assert mine.hears("resources") and mine.hears("history")
        assert bed.rest("POST", "/v1/contacts", other, {
            "kind": "technical", "name": "Eve", "email": "eve@example.com"})[0] == 201
        assert theirs.hears("history")
        assert "resources" not in theirs.topics


def test_a_revoked_token_ends_its_stream(bed):
    code, _, made = bed.rest("POST", "/v1/tokens", bed.token, {
        "name": "brief", "role": "viewer"})
    assert code == 201
    with contextlib.closing(Stream(bed, made["secret"])) as stream:
        assert bed.rest("POST", f"/v1/tokens/{made['token']['id']}:revoke", bed.token)[0] == 200
        assert stream.ends()


def enter(bed):
    """An operator's session: its cookie as a header, what was answered."""
    link = sessions_pb2_grpc.SessionsStub(bed.channel()).MakeLink(
        sessions_pb2.MakeLinkRequest(), timeout=60)
    code, headers, session = bed.rest("POST", "/v1/sessions:link", body={"secret": link.secret})
    assert code == 201, session
    return {"Cookie": headers["Set-Cookie"].partition(";")[0]}, session


def test_who_has_read_before_it_looks_on_misses_nothing(bed):
    cookie, session = enter(bed)
    assert bed.rest("POST", "/v1/contacts", bed.token, {
        "kind": "technical", "name": "Ben", "email": "ben@example.com"})[0] == 201
    with contextlib.closing(Stream(
            bed, headers={**cookie, "Sec-Fetch-Site": "same-origin"},
            query=f"?position={session['live_position']}")) as stream:
        assert stream.hears("history")


def test_logging_out_ends_the_sessions_stream(bed):
    """An operator's, who is told of all accounts."""
    cookie, session = enter(bed)
    code, _, problem = bed.rest("GET", "/v1/live", headers={
        **cookie, "Sec-Fetch-Site": "cross-site"})
    assert code == 403, problem
    with contextlib.closing(Stream(bed, headers={
            **cookie, "Sec-Fetch-Site": "same-origin"})) as stream:
        assert bed.rest("POST", "/v1/contacts", bed.token, {
            "kind": "technical", "name": "Cat", "email": "cat@example.com"})[0] == 201
        assert stream.hears("history")
        code, _, problem = bed.rest("DELETE", "/v1/session", headers={
            **cookie, "X-CSRF-Token": session["csrf_token"]})
        assert code == 200, problem
        assert stream.ends()


def test_two_hundred_streams_hold_nobody_up_and_end_with_certd(bed):
    tokens = [bed.make_token("acme", ADMINISTRATOR, name=f"many-{i}") for i in range(13)]
    streams = [Stream(bed, tokens[i // 16]) for i in range(200)]
    try:
        for _ in range(20):
            assert bed.rest("GET", "/v1/accounts", bed.token)[0] == 200
        assert bed.rest("POST", "/v1/contacts", bed.token, {
            "kind": "technical", "name": "Ann", "email": "ann@example.com"})[0] == 201
        for stream in streams:
            assert stream.hears("history")
        bed.daemons["certd"].stop()
        for stream in streams:
            assert stream.ends()
    finally:
        for stream in streams:
            stream.close()
    bed.start_certd()
    with contextlib.closing(Stream(bed, bed.token)) as stream:
        assert bed.rest("POST", "/v1/contacts", bed.token, {
            "kind": "technical", "name": "Bob", "email": "bob@example.com"})[0] == 201
        assert stream.hears("history")


# ---- other settings ----

def restart(bed, lines):
    bed.certd_lines = lines
    bed.daemons["certd"].stop()
    bed.write_certd_config()
    bed.start_certd()


def test_a_folder_is_served_as_it_is_now(bed):
    shutil.copytree(WEB, bed.folder)
    (bed.folder / "pages").mkdir(exist_ok=True)
    (bed.dir / "secret.js").write_text("secret")
    restart(bed, f"console:\n  folder: {bed.folder}\n")
    try:
        assert page(bed) == (WEB / "index.html").read_text()
        path = bed.folder / "pages/brand_new.js"
        assert bed.rest("GET", ASSETS + "pages/brand_new.js")[0] == 404
        for text in ("// one\n", "// another\n"):
            path.write_text(text)
            status, headers, octets = bed.rest("GET", ASSETS + "pages/brand_new.js")
            assert (status, octets) == (200, text.encode())
            assert headers["Cache-Control"] == "no-cache"
            assert_guarded(headers)
        path.unlink()
        path.symlink_to(bed.dir / "secret.js")
        assert bed.rest("GET", ASSETS + "pages/brand_new.js")[0] == 404
        assert bed.rest("GET", ASSETS + "../secret.js")[0] == 404
        # It may be read and no more, in the sandbox too.
        if not INSTRUMENTED:
            assert bed.call("Status", "Get").sandbox.startswith("seccomp, Landlock")
    finally:
        restart(bed, "")


def test_without_a_console_nothing_of_it_is_served(bed):
    restart(bed, "console:\n  enabled: false\n")
    try:
        for path in ("/", "/console", "/console/", ASSETS + "main.js"):
            status, headers, _ = bed.rest("GET", path, headers={"Accept": "text/html"})
            assert status == 404, path
            assert "X-Frame-Options" not in headers
        with contextlib.closing(Stream(bed, bed.token)):
            pass
    finally:
        restart(bed, "")
