# SPDX-License-Identifier: Apache-2.0
"""The browser of the system tests: each thing that must fail a test does, and nothing else."""

import http.server
import os
import pathlib
import signal
import ssl
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import certs
from bed import wait_for
from browser import MODULES, Browser, BrowserError, visits_of

CSP = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
       "connect-src *; require-trusted-types-for 'script'")
# What the page's script does when a button is pressed.
SCRIPT = """
const on = (id, act) => document.getElementById(id).addEventListener("click", act);
const say = (text) => { document.getElementById("said").textContent = text; };
on("log", () => console.error("it went wrong"));
on("warn", () => console.warn("it may go wrong"));
on("throw", () => { throw new Error("nobody catches this"); });
on("style", () => document.body.setAttribute("style", "color: red"));
on("html", () => { try { document.body.innerHTML = "<p>"; } catch { say("refused"); } });
on("third", () => fetch(document.body.dataset.third, { mode: "no-cors" }).then(() => say("sent")));
on("refused", () => fetch("/v1/refused", { method: "POST", body: '{"name":"x"}' })
	.then((r) => say(`refused ${r.status}`)));
on("octets", () => fetch("/v1/octets", { method: "POST", body: new Uint8Array([0, 255, 1]) })
	.then(() => say("sent octets")));
on("blob", () => fetch("/v1/octets", { method: "POST", body: new Blob(["unseen"]) })
	.then(() => say("sent a blob")));
on("empty", () => fetch("/v1/empty", { method: "POST" }).then(() => say("sent nothing")));
on("dead", () => fetch("/dead").catch(() => say("no answer")));
on("given-up", () => { const c = new AbortController(); fetch("/slow", { signal: c.signal })
	.catch(() => say("given up")); setTimeout(() => c.abort(), 50); });
on("ask", () => confirm("really?"));
on("contrast", () => document.getElementById("said").classList.add("pale"));
const name = document.getElementById("name");
on("add", () => say(`added ${name.value}`));
document.getElementById("file").addEventListener("change",
	async (e) => say(`chose ${await e.target.files[0].text()}`));
const zone = document.getElementById("zone");
zone.addEventListener("dragover", (e) => e.preventDefault());
zone.addEventListener("drop", async (e) => {
	e.preventDefault();
	say(`dropped ${e.dataTransfer.files[0].name}: ${await e.dataTransfer.files[0].text()}`);
});
"""
BUTTONS = ("log", "warn", "throw", "style", "html", "third", "refused", "octets", "blob",
           "empty", "dead", "given-up", "ask", "contrast", "add")
PAGE = """<!doctype html>
<html lang="en"><head><title>{title}</title><meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="/style.css"></head>
<body data-third="{third}"><main><h1>{title}</h1><p id="said">nothing yet</p>
<label for="name">Name</label> <input id="name">
<label for="file">File</label> <input id="file" type="file">
<div id="zone">Drop files here</div>
<a href="/file" download>Save</a> <a href="/other" target="_blank">Other</a>
{buttons}</main><script type="module" src="/script.js"></script></body></html>"""
STYLE = """body { background: white; color: black } .pale { color: #ddd }
@media (prefers-color-scheme: dark) { body { background: black; color: white } }
@media (max-width: 400px) { h1 { display: none } }"""


class Pages(http.server.BaseHTTPRequestHandler):
    third = ""

    def log_message(self, *_):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(409 if self.path == "/v1/refused" else 200, "application/json", "{}")

    def do_GET(self):
        if self.path == "/dead":
            self.close_connection = True
        elif self.path == "/slow":
            time.sleep(1)
        elif self.path == "/script.js":
            self.answer(200, "text/javascript", SCRIPT)
        elif self.path == "/style.css":
            self.answer(200, "text/css", STYLE)
        elif self.path == "/file":
            self.answer(200, "text/plain", "the file's text")
        elif self.path in ("/", "/other"):
            buttons = "".join(f'<button id="{one}">{one}</button>' for one in BUTTONS)
            self.answer(200, "text/html", PAGE.format(
                title=f"Page {self.path}", third=self.third, buttons=buttons))
        else:
            self.answer(404, "text/plain", "nothing there")

    def answer(self, status, kind, text):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.send_header("Content-Security-Policy", CSP)
        self.end_headers()
        self.wfile.write(text.encode())


@pytest.fixture(scope="module")
def site():
    """The URL of the pages; another server on another port is the third party."""
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) for _ in range(2)]
    Pages.third = f"http://127.0.0.1:{servers[1].server_port}/other"
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{servers[0].server_port}"
    for server in servers:
        server.shutdown()
        server.server_close()


def pressed(browser, site, button, then=None, before=lambda page: None):
    """Visit the page and press it; the failure at the end, or ""."""
    try:
        with visits_of(browser) as visits:
            page = visits.page(site)
            before(page)
            page.goto("/")
            page.locator(f"#{button}").click()
            if then:
                page.expect_text(then)
    except AssertionError as error:
        assert not isinstance(error, BrowserError), error
        return str(error)
    return ""


# ---- what fails a test ----

@pytest.mark.parametrize("button, then, said", [
    ("log", None, "console error: it went wrong"),
    ("throw", None, "uncaught error: Error: nobody catches this"),
    ("style", None, "violation of the content security policy"),
    ("html", "refused", "require-trusted-types-for"),
    ("third", "sent", "request to another origin: GET http://127.0.0.1"),
    ("refused", "refused 409", "/v1/refused answered 409"),
    ("dead", "no answer", "/dead failed: net::ERR_EMPTY_RESPONSE"),
    ("ask", None, "a dialog of the browser's own (confirm): really?"),
])
def test_what_goes_wrong_on_a_page_fails_the_test(browser, site, button, then, said):
    assert said in pressed(browser, site, button, then)


def test_a_page_that_does_nothing_wrong_passes(browser, site):
    assert pressed(browser, site, "add", "added") == ""
    assert pressed(browser, site, "warn") == ""


def test_a_request_that_the_page_itself_gives_up_is_no_failure(browser, site):
    assert pressed(browser, site, "given-up", "given up") == ""


def test_a_name_outside_is_not_even_looked_for(browser, site):
    with visits_of(browser) as visits:
        page = visits.page(site)
        page.allow(None, "/", "GET")
        with pytest.raises(BrowserError, match="ERR_NAME_NOT_RESOLVED"):
            page.goto("http://example.com/")
        found = page.context.findings()
        assert len(found) == 1 and "another origin: GET http://example.com/" in found[0]
        page.context.saw.clear()


def test_an_axe_finding_fails_the_test_when_it_was_asked(browser, site):
    def end(check):
        with visits_of(browser) as visits:
            page = visits.page(site)
            page.goto("/")
            page.locator("#contrast").click()
            check(page)
    end(lambda page: None)
    said = r"axe \(serious\) on /: .*\[color-contrast\]\n +#said"
    with pytest.raises(AssertionError, match=said):
        end(lambda page: page.check_axe())
    end(lambda page: page.check_axe(color_contrast={"enabled": False}))


def test_what_the_test_allows_is_no_failure(browser, site):
    def allow(*args):
        return lambda page: page.allow(*args)
    assert pressed(browser, site, "refused", "409", allow(409, "/v1/refused", "POST")) == ""
    assert pressed(browser, site, "refused", "409", allow(409, "/v1/ref.*")) == ""
    assert pressed(browser, site, "dead", "no answer", allow(None, "/dead")) == ""
    assert pressed(browser, site, "log", None, lambda page: page.allow_console("^it went")) == ""
    # And nothing beside it.
    for other in ((409, "/v1/refused", "GET"), (409, "/v1/ref"), (403, "/v1/refused")):
        assert "answered 409" in pressed(browser, site, "refused", "409", allow(*other))


def test_the_fixture_fails_the_test_it_belongs_to(site, tmp_path):
    here = pathlib.Path(__file__).parent
    (tmp_path / "conftest.py").write_text((here / "conftest.py").read_text().replace(
        "pathlib.Path(__file__).parent", f"pathlib.Path({str(here)!r})"))
    (tmp_path / "test_it.py").write_text(textwrap.dedent(f"""\
        def test_that_logs_an_error(visits):
            page = visits.page("{site}")
            page.goto("/")
            page.locator("#log").click()

        def test_that_does_not(visits):
            visits.page("{site}").goto("/")
        """))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", tmp_path],
        capture_output=True, text=True, timeout=300)
    assert "2 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert "console error: it went wrong" in done.stdout


# ---- what tests do on pages ----

def test_it_finds_fills_presses_and_reads(visits, site):
    page = visits.page(site)
    page.goto("/")
    page.get_by_label("Name").fill("shop")
    page.get_by_role("button", name="add", exact=True).click()
    page.locator("#said").expect_text("added shop")
    page.get_by_label("Name").expect_value("shop")
    page.locator("button").expect_count(len(BUTTONS))
    page.locator("main").filter(has=page.get_by_role("heading")).expect_visible()
    page.get_by_label("Name").press("Tab")
    page.press("Shift+Tab")
    page.press("Control+A")
    page.press("x")
    page.get_by_label("Name").expect_value("x")
    assert page.title() == "Page /" and page.path() == "/"


def test_what_is_not_there_is_told_within_bounds(visits, site):
    page = visits.page(site)
    page.goto("/")
    with pytest.raises(BrowserError, match=r"get_by_text|getByText.*Timeout 200ms"):
        page.expect_text("never there", 0.2)
    with pytest.raises(BrowserError, match="it is 'nothing yet'"):
        page.locator("#said").expect_text("never there", 0.2)
    with pytest.raises(AttributeError, match="has no clik"):
        page.locator("#said").clik()


def test_files_are_chosen_dropped_and_downloaded(visits, site, tmp_path):
    page = visits.page(site)
    page.goto("/")
    file = tmp_path / "key.pem"
    file.write_text("a secret")
    page.get_by_label("File").set_input_files(file)
    page.expect_text("chose a secret")
    page.locator("#zone").drop_files(file)
    page.expect_text("dropped key.pem: a secret")
    assert page.get_by_role("link", name="Save").download(tmp_path / "to").read_text() == (
        "the file's text")


def test_request_bodies_are_seen_to_the_octet(visits, site):
    page = visits.page(site).allow(409, "/v1/refused")
    page.goto("/")
    page.locator("#octets").click()
    assert page.wait_for_request("/v1/octets").body == b"\0\xff\1"
    page.locator("#refused").click()
    assert page.wait_for_request("/v1/refused", "POST").json() == {"name": "x"}
    page.expect_text("refused 409")
    assert [one["status"] for one in page.responses("/v1/.*")] == [200, 409]
    # And what the browser does not show is not taken for nothing.
    page.locator("#empty").click()
    page.expect_text("sent nothing")
    page.locator("#blob").click()
    page.expect_text("sent a blob")
    assert page.requests("/v1/empty")[0].body == b""
    assert page.requests("/v1/octets")[-1].body is None
    assert {one.path for one in page.requests(method="GET")} >= {"/", "/script.js", "/style.css"}


def test_pages_open_pages_and_share_what_they_have_or_not(visits, site):
    page = visits.page(site)
    page.goto("/")
    other = page.get_by_role("link", name="Other").popup()
    other.get_by_role("heading").expect_text("Page /other")
    page.evaluate("localStorage.setItem('a', '1')")
    tab, stranger = page.tab(), visits.page(site)
    for one, has in ((tab, "1"), (stranger, None)):
        one.goto("/")
        assert one.evaluate("localStorage.getItem('a')") == has


def test_answers_are_altered_on_their_way_to_one_page_alone(visits, site):
    page = visits.page(site)
    page.goto("/")
    other = page.tab()
    other.goto("/")
    other.answer("/v1/[a-z]+", {"altered": True})
    asked = "fetch('/v1/refused', { method: 'POST' }).then((r) => r.status)"
    assert other.evaluate(asked) == 200
    assert other.evaluate("fetch('/v1/any').then((r) => r.json())") == {"altered": True}
    page.allow(409, "/v1/refused")
    assert page.evaluate(asked) == 409


def test_dark_and_narrow_are_emulated_and_screenshots_kept(visits, site):
    page = visits.page(site, dark=True, width=360)
    page.goto("/")
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(0, 0, 0)"
    assert not page.get_by_role("heading").is_visible()
    page.emulate(dark=False, width=1280)
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    page.get_by_role("heading").expect_visible()
    assert page.overflows() == 0
    assert page.screenshot("harness").read_bytes().startswith(b"\x89PNG")


def test_a_client_certificate_is_shown_to_its_server_alone(visits, tmp_path):
    pki = certs.Pki()
    pki.files(tmp_path, "server", *pki.leaf("localhost"))
    key = certs.new_key()
    # For any purpose.
    pki.files(tmp_path, "client", key, pki.sign(
        certs.name("operator"), key, pki.middle.subject, pki.middle_key, ca=True))
    roots = pki.roots_file(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(roots))
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    context.verify_mode = ssl.CERT_OPTIONAL

    class Names(Pages):
        def do_GET(self):
            shown = self.connection.getpeercert()
            self.answer(200, "text/html", f"<title>{shown['subject'] if shown else 'nobody'}")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Names)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"https://localhost:{server.server_port}"
        page = visits.page(url, client_certificate=(
            tmp_path / "client.pem", tmp_path / "client.key"))
        page.goto("/")
        assert "operator" in page.title()
        stranger = visits.page(url)
        stranger.goto("/")
        assert stranger.title() == "nobody"
    finally:
        server.shutdown()
        server.server_close()


# ---- its processes ----

def test_no_process_is_left(site):
    with Browser() as browser:
        with visits_of(browser) as visits:
            visits.page(site).goto("/")
        assert len(browser.running()) > 2
    assert not browser.running() and not browser.dir.exists()


@pytest.mark.parametrize("whom", ["node", "chromium"])
def test_a_crash_is_told_and_leaves_no_process(site, whom):
    with Browser() as browser:
        page = None
        with pytest.raises(BrowserError, match="the browser's bridge has ended"):
            with visits_of(browser) as visits:
                page = visits.page(site)
                page.goto("/")
                for pid in browser.running():
                    line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                    if (whom.encode() in line.split(b"\0")[0]
                            and (whom == "node" or b"--type=" not in line)):
                        os.kill(pid, signal.SIGKILL)
                wait_for("the bridge has ended", lambda: browser.process.poll() is not None)
                page.title()
    assert page is not None and not browser.running()


def test_the_end_of_its_input_ends_the_bridge():
    browser = Browser()
    browser.process.stdin.close()
    assert browser.process.wait(60) == 0
    wait_for("chromium has ended", lambda: not browser.running())
    browser.close()


def test_what_is_installed_is_what_the_lock_file_names():
    here = pathlib.Path(__file__).resolve().parents[1] / "browser/package-lock.json"
    assert (MODULES / "installed").read_text() == here.read_text()
    assert "resolved" not in here.read_text() and "http" not in here.read_text()
